
/*
 * The device's end of a session: a channel to a redirection port, of this
 * worker when it owns the device, else a CONNECT tunnel through the private
 * listener of the one that does.  Always the latter when there is TLS inside:
 * nginx's TLS wants a socket.  Bytes only.  Contract apf.md section 27.
 */


#ifndef _NGX_AMT_RELAY_LINK_H_INCLUDED_
#define _NGX_AMT_RELAY_LINK_H_INCLUDED_


#include "flow/ngx_amt_flow.h"
#include "wsman/ngx_amt_http.h"
#include "ngx_cira_api.h"
#include <ngx_event_openssl.h>


#define NGX_AMT_RELAY_PORT      16994
#define NGX_AMT_RELAY_PORT_TLS  16995
#define NGX_AMT_RELAY_PORT_VNC  5900

#define NGX_AMT_RELAY_PIN       64       /* SHA-256 in hex */


typedef struct {

    /*
     * There may be bytes for ngx_amt_relay_link_recv(), or the end; with
     * write, room again for ngx_amt_relay_link_send().
     */
    void                    (*ready)(void *data, ngx_uint_t write);

    /* Bytes of a channel of this worker; returns how many were taken. */
    size_t                  (*input)(void *data, u_char *p, size_t size);

    /* That channel's end, after all its bytes were taken. */
    void                    (*closed)(void *data);

} ngx_amt_relay_link_handlers_t;


typedef struct {
    ngx_connection_t         *connection;    /* NULL: not connected */
    ngx_cira_api_t           *api;           /* NULL: dial is not used */
    ngx_cira_dial_t           dial;
    ngx_log_t                *log;

    /* the pending operation */
    ngx_event_t               timer;
    ngx_amt_flow_t           *flow;
    uint64_t                  seq;
    ngx_amt_http_response_t  *res;           /* NULL: TLS handshake */
    u_char                   *out;
    u_char                   *out_last;

    /* what came with the answer: VNC servers speak first */
    u_char                   *early;         /* NULL: none */
    size_t                    early_len;
    size_t                    early_pos;

    /* after ngx_amt_relay_link_open() */
    const ngx_amt_relay_link_handlers_t  *handlers;
    void                     *data;

    /* why the last operation failed */
    ngx_amt_err_e             err;
    const char               *text;          /* static */
    unsigned                  gone:1;        /* look up again */
    unsigned                  ended:1;       /* closed before it was open */
} ngx_amt_relay_link_t;


void ngx_amt_relay_link_init(ngx_amt_relay_link_t *link, ngx_log_t *log);

/*
 * Operation: opens a channel to the port of the device.  Memory of *res, the
 * owner's answer, is from the pool.  NGX_OK; NGX_ERROR: link->err says why
 * (NOT_CONNECTED, REFUSED, BUSY, TIMEOUT, LOST, INTERNAL); the flow's error
 * is not set.
 */
ngx_int_t ngx_amt_relay_link_connect(ngx_amt_flow_t *f,
    ngx_amt_relay_link_t *link, ngx_cira_info_t *info, ngx_uint_t port,
    ngx_msec_t timeout, ngx_pool_t *pool, ngx_amt_http_response_t *res);

/* Operation: TLS handshake.  Results as above, with BAD_ANSWER. */
ngx_int_t ngx_amt_relay_link_handshake(ngx_amt_flow_t *f,
    ngx_amt_relay_link_t *link, ngx_ssl_t *ssl, ngx_msec_t timeout);

/*
 * SHA-256 of the device's certificate in hex; *verified: the chain is
 * trusted, else *error says why not.  NGX_OK or NGX_ERROR: none.
 */
ngx_int_t ngx_amt_relay_link_pin(ngx_amt_relay_link_t *link,
    u_char pin[NGX_AMT_RELAY_PIN], ngx_uint_t *verified, const char **error);

/*
 * From now on the handlers are called: from the event loop, and once, maybe
 * at once, for what is there already.
 */
void ngx_amt_relay_link_open(ngx_amt_relay_link_t *link,
    const ngx_amt_relay_link_handlers_t *handlers, void *data);

/* Bytes are wanted again: calls input() or ready(). */
void ngx_amt_relay_link_pull(ngx_amt_relay_link_t *link);

/*
 * Bytes read, 0 (the device is done), NGX_AGAIN or NGX_ERROR.  After
 * NGX_AGAIN the handler is called.
 */
ssize_t ngx_amt_relay_link_recv(ngx_amt_relay_link_t *link, u_char *buf,
    size_t size);

/* Bytes taken, NGX_AGAIN or NGX_ERROR.  After fewer than size as above. */
ssize_t ngx_amt_relay_link_send(ngx_amt_relay_link_t *link, u_char *buf,
    size_t size);

/* 1: the worker's shutdown timeout has closed the tunnel */
ngx_uint_t ngx_amt_relay_link_closed(ngx_amt_relay_link_t *link);

/* Closes; what was sent still gets to the device.  Harmless if closed. */
void ngx_amt_relay_link_close(ngx_amt_relay_link_t *link);


/* ---- ngx_amt_relay_direct.c: channels of this worker ---- */

/* NGX_OK: link->flow will be woken; NGX_AGAIN: another worker's. */
ngx_int_t ngx_amt_relay_direct_dial(ngx_amt_relay_link_t *link,
    ngx_cira_info_t *info, ngx_uint_t port);


/* ---- ngx_amt_relay_link.c, for it ---- */

ngx_int_t ngx_amt_relay_link_fail(ngx_amt_relay_link_t *link,
    ngx_amt_err_e err, const char *text);
void ngx_amt_relay_link_wake(ngx_amt_relay_link_t *link, ngx_int_t rc);


#endif /* _NGX_AMT_RELAY_LINK_H_INCLUDED_ */
