
/* What the parts of a tunnel share, see ngx_cira_relay.h. */


#ifndef _NGX_CIRA_RELAY_PRIV_H_INCLUDED_
#define _NGX_CIRA_RELAY_PRIV_H_INCLUDED_


#include "ngx_cira_relay.h"


#define NGX_CIRA_RELAY_STEPS    16       /* buffers per event */
#define NGX_CIRA_RELAY_TICK     10000    /* ms */
#define NGX_CIRA_RELAY_STALL    30000    /* ms, apf.md section 12 */
#define NGX_CIRA_RELAY_LEFT     2000     /* ms, the same without client */
#define NGX_CIRA_RELAY_LINGER   2000     /* ms */
#define NGX_CIRA_RELAY_HELD     5000     /* ms, as the slot's own limit */
#define NGX_CIRA_RELAY_PAUSE    100      /* ms */
#define NGX_CIRA_RELAY_DISCARD  65536    /* bytes */

#define NGX_CIRA_RELAY_WAITED                                                \
    "no channel of the device became free in time"


/* ---- ngx_cira_relay.c ---- */

void ngx_cira_relay_set_timer(ngx_cira_tunnel_t *t, ngx_msec_t time);

/* The timer of an open tunnel. */
void ngx_cira_relay_tick(ngx_cira_tunnel_t *t);


/* ---- ngx_cira_relay_flow.c ---- */

/* Keeps what the client sends before the tunnel is open. */
void ngx_cira_relay_wait(ngx_cira_tunnel_t *t);

/* The tunnel is open: its bytes move from the next event on. */
void ngx_cira_relay_open(ngx_cira_tunnel_t *t);

/* Client to device, device to client; t may be gone afterwards. */
void ngx_cira_relay_up(ngx_cira_tunnel_t *t);
void ngx_cira_relay_down(ngx_cira_tunnel_t *t);

/*
 * The device's end of the tunnel is gone.  A client that has the WSMAN slot
 * is told by FIN, and may still release it; any other is closed.
 */
void ngx_cira_relay_gone(ngx_cira_tunnel_t *t, char *reason);

/* Sends what is in t->down.  NGX_OK; NGX_AGAIN; NGX_ERROR. */
ngx_int_t ngx_cira_relay_flush(ngx_cira_tunnel_t *t);


#endif /* _NGX_CIRA_RELAY_PRIV_H_INCLUDED_ */
