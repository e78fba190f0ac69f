
/* What ngx_cira_channel.c and ngx_cira_channels.c share. */


#ifndef _NGX_CIRA_CHANNEL_PRIV_H_INCLUDED_
#define _NGX_CIRA_CHANNEL_PRIV_H_INCLUDED_


#include "ngx_cira_session.h"


/* ---- ngx_cira_channel.c ---- */

void ngx_cira_channel_send_close(ngx_cira_channel_t *ch);

/* Gives its place back; ngx_cira_channels_run() frees it. */
void ngx_cira_channel_set_free(ngx_cira_channel_t *ch);

/* Parts channel and dialer, which is returned and not told. */
ngx_cira_dial_t *ngx_cira_channel_detach(ngx_cira_channel_t *ch);

/* Of a channel that was not opened: the dialer is told. */
void ngx_cira_channel_fail(ngx_cira_channel_t *ch,
    ngx_cira_dial_rc_e rc, ngx_uint_t reason);

ngx_cira_channel_t *ngx_cira_channel_find(ngx_cira_session_t *s,
    uint32_t id);
void ngx_cira_dial_unqueue(ngx_cira_dial_t *d);


/* ---- ngx_cira_channels.c ---- */

/* Closes an idle channel, unless a place is going to be free anyway. */
void ngx_cira_channel_evict(ngx_cira_session_t *s);


#endif /* _NGX_CIRA_CHANNEL_PRIV_H_INCLUDED_ */
