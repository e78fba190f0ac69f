
/*
 * The device's end of a session: a CONNECT tunnel to a redirection port
 * through the private listener of the worker that owns the device, with TLS
 * inside when the port is the one for TLS.  Bytes only.  Contract apf.md
 * section 27.
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
    ngx_connection_t         *connection;    /* NULL: not connected */
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
    void                    (*handler)(void *data, ngx_uint_t write);
    void                     *data;

    /* why the last operation failed */
    ngx_amt_err_e             err;
    const char               *text;          /* static */
    unsigned                  gone:1;        /* look up again */
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
 * From now on the handler is called from the event loop when there may be
 * bytes to be read, or room again for writing.  It is called once at the
 * beginning.
 */
void ngx_amt_relay_link_open(ngx_amt_relay_link_t *link,
    void (*handler)(void *data, ngx_uint_t write), void *data);

/*
 * Bytes read, 0 (the device is done), NGX_AGAIN or NGX_ERROR.  After
 * NGX_AGAIN the handler is called.
 */
ssize_t ngx_amt_relay_link_recv(ngx_amt_relay_link_t *link, u_char *buf,
    size_t size);

/* Bytes taken, NGX_AGAIN or NGX_ERROR.  After fewer than size as above. */
ssize_t ngx_amt_relay_link_send(ngx_amt_relay_link_t *link, u_char *buf,
    size_t size);

/* 1: the worker's shutdown timeout has closed it */
ngx_uint_t ngx_amt_relay_link_closed(ngx_amt_relay_link_t *link);

/* Closes; what was sent still gets to the device.  Harmless if closed. */
void ngx_amt_relay_link_close(ngx_amt_relay_link_t *link);


#endif /* _NGX_AMT_RELAY_LINK_H_INCLUDED_ */
