
/*
 * A tunnel to a device with the device's WSMAN slot: connects, sends one
 * request, reads one answer, and gives channel and slot back.  A device of
 * this worker is reached in memory, one of another worker by CONNECT at the
 * owner's private listener.  Flow operations; knows nothing of digest and
 * WSMAN.
 */


#ifndef _NGX_AMT_TUNNEL_H_INCLUDED_
#define _NGX_AMT_TUNNEL_H_INCLUDED_


#include "flow/ngx_amt_flow.h"
#include "wsman/ngx_amt_http.h"
#include "ngx_cira_api.h"


#define NGX_AMT_TUNNEL_PORT  16992


typedef struct ngx_amt_tunnel_s  ngx_amt_tunnel_t;

struct ngx_amt_tunnel_s {
    ngx_connection_t         *connection;    /* to the owner's socket */
    ngx_connection_t         *before;        /* the one that has the slot
                                                until connection has it */
    ngx_cira_api_t           *api;           /* or dial is in use */
    ngx_cira_dial_t           dial;
    uint64_t                  holder;        /* what the owner knows us by */
    ngx_log_t                *log;
    ngx_event_t               timer;

    ngx_amt_flow_t           *flow;          /* of the pending operation */
    uint64_t                  seq;

    ngx_amt_http_response_t  *res;           /* being read */
    u_char                   *out;           /* being sent */
    u_char                   *out_last;

    /* why the last operation failed */
    ngx_amt_err_e             err;
    const char               *text;          /* static */

    unsigned                  open:1;        /* dial has a channel */
    unsigned                  ended:1;       /* the channel is of no use any
                                                more, the slot is ours */
    unsigned                  cut:1;         /* a message was not sent to its
                                                end */
    unsigned                  kept:1;        /* the slot is ours since the
                                                connect before */
    unsigned                  dirty:1;       /* it brought what nobody asked
                                                for */
    unsigned                  reused:1;      /* channel came from the pool */
    unsigned                  used:1;        /* an answer was received */
    unsigned                  gone:1;        /* owner does not know it: look
                                                up again */
    unsigned                  unsent:1;      /* closed before the request
                                                was sent */
};


typedef struct {
    unsigned                  fresh:1;       /* never a pooled channel */
    unsigned                  direct:1;      /* in memory, if possible */
} ngx_amt_tunnel_options_t;


/* a message can be sent */
#define ngx_amt_tunnel_is_open(t)                                             \
    (((t)->connection || (t)->open) && !(t)->ended)

/* ngx_amt_tunnel_release() can tell the slot's next holder something */
#define ngx_amt_tunnel_has_slot(t)                                            \
    ((t)->connection || (t)->api)


void ngx_amt_tunnel_init(ngx_amt_tunnel_t *t, ngx_log_t *log);

/*
 * Operation: CONNECT to port 16992 of the device, waiting for its slot, at
 * most timeout ms.  A tunnel that has ended dials before those who wait, and
 * t->kept says that nobody else had the slot meanwhile (he took too long
 * otherwise).  Memory, also of *res (the owner's answer), from the
 * pool, which must live until the operation ended.  NGX_OK; NGX_ERROR:
 * t->err says why (NOT_CONNECTED, BUSY, REFUSED, TIMEOUT, INTERNAL).  The
 * flow's error is not set.
 */
ngx_int_t ngx_amt_tunnel_connect(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    ngx_cira_info_t *info, ngx_amt_tunnel_options_t *o, ngx_msec_t timeout,
    ngx_pool_t *pool, ngx_amt_http_response_t *res);

/*
 * Operation: asks the owner to end the connection of this generation; the
 * tunnel is to be closed afterwards.  NGX_OK: it is ended; NGX_ERROR: t->gone
 * when the owner has it no more, else t->err says why.
 */
ngx_int_t ngx_amt_tunnel_evict(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    ngx_cira_info_t *info, ngx_msec_t timeout, ngx_pool_t *pool,
    ngx_amt_http_response_t *res);

/*
 * Operation: sends a head to the private listener at *socket, zero
 * terminated; the tunnel is to be closed afterwards.  NGX_OK: the answer was
 * 200; NGX_ERROR: t->gone when it was 404 or nobody listens, else t->err
 * says why.
 */
ngx_int_t ngx_amt_tunnel_ask(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    u_char *socket, ngx_str_t *head, ngx_msec_t timeout,
    ngx_pool_t *pool, ngx_amt_http_response_t *res);

/*
 * Operation: sends a request, as made by ngx_amt_tunnel_message(), and reads
 * one HTTP answer into *res.  NGX_OK; NGX_ERROR: t->err says why (LOST,
 * TIMEOUT, BAD_ANSWER, INTERNAL).  After an error, and after an answer that
 * is the last of its channel, the tunnel has ended.
 */
ngx_int_t ngx_amt_tunnel_exchange(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    ngx_str_t *out, ngx_msec_t timeout, ngx_pool_t *pool,
    ngx_amt_http_response_t *res);

/*
 * Head and body of a request in one piece, with room around it for the frame
 * a socket needs.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_amt_tunnel_message(ngx_pool_t *pool, ngx_str_t *head,
    ngx_str_t *body, ngx_str_t *out);

/* The channel is not to be used any more; the slot remains. */
void ngx_amt_tunnel_end(ngx_amt_tunnel_t *t);

/*
 * Gives state (may be empty) to the next holder of the slot, and the channel
 * back to the pool; it is closed when it is not idle.
 */
void ngx_amt_tunnel_release(ngx_amt_tunnel_t *t, ngx_str_t *state);

/* Closes channel and slot; harmless when not connected. */
void ngx_amt_tunnel_close(ngx_amt_tunnel_t *t);


#endif /* _NGX_AMT_TUNNEL_H_INCLUDED_ */
