
/*
 * A WebSocket that has taken over the connection of its request: events,
 * output with back-pressure, pings, timeouts, closing, draining.
 *
 *     hs on the stack:  ngx_amt_ws_handshake(r, &hs)     refuse if not OK
 *     (authentication, now or later)                     ngx_amt_ws_refuse()
 *     r->main->count++                  before the content handler's DONE
 *     ngx_amt_ws_accept(...)            101; from here on the socket is ours
 *
 * Who ends it: either the owner by ngx_amt_ws_close(), after which none of
 * its handlers is called; or the client, the network, a limit or the worker,
 * then closed() is called, once, and is the last.  In both cases the owner
 * does not touch the socket afterwards; what the client still has to be told
 * is sent without it.  The request and its pool outlive that moment, they
 * may be freed when the function or handler returns to the event loop.
 *
 * Handlers are called from the event loop only, never from within a function
 * below, and may call all of these functions.
 */


#ifndef _NGX_AMT_WS_CONN_H_INCLUDED_
#define _NGX_AMT_WS_CONN_H_INCLUDED_


#include "ngx_http_amt.h"
#include "ws/ngx_amt_ws.h"
#include "ws/ngx_amt_ws_handshake.h"


/* Bytes read at once, and so the longest piece when pieces are delivered. */
#define NGX_AMT_WS_PIECE  16384


typedef struct ngx_amt_ws_s  ngx_amt_ws_t;


typedef enum {
    NGX_AMT_WS_END_NONE = 0,             /* it is open */
    NGX_AMT_WS_END_OWNER,                /* ngx_amt_ws_close() */
    NGX_AMT_WS_END_CLIENT,               /* sent a close frame */
    NGX_AMT_WS_END_PROTOCOL,             /* client broke the protocol or a cap:
                                            1002, 1007, 1009 */
    NGX_AMT_WS_END_LOST,                 /* connection is gone: 1006 */
    NGX_AMT_WS_END_TIMEOUT,              /* no pong, or client does not read:
                                            1006 */
    NGX_AMT_WS_END_IDLE,                 /* no data for too long: 1001 */
    NGX_AMT_WS_END_WORKER,               /* worker is drained: 1001 */
    NGX_AMT_WS_END_INTERNAL              /* no memory, output over cap: 1011 */
} ngx_amt_ws_end_e;


typedef struct {
    ngx_amt_ws_end_e      end;
    ngx_uint_t            code;          /* 1000 ..., 1005 and 1006 included */
    ngx_str_t             reason;        /* client's words (hostile, valid
                                            UTF-8) or ours; gone afterwards */
} ngx_amt_ws_result_t;


typedef struct {

    /*
     * Bytes of a message, unmasked, to be taken completely; they are the
     * handler's to change until it returns.  See ngx_amt_ws_reader_t for
     * text, first, last and for what a piece of text is.  After
     * ngx_amt_ws_pause() there are no more calls until _resume().
     */
    void (*data)(void *owner, u_char *p, size_t len, ngx_uint_t text,
        ngx_uint_t first, ngx_uint_t last);

    /* All that was sent has left, after a send that returned NGX_AGAIN. */
    void (*writable)(void *owner);

    /* The end, unless the owner ended it. */
    void (*closed)(void *owner, ngx_amt_ws_result_t *res);

    /*
     * The worker exits (optional).  Whoever has this handler ends by itself,
     * after its work is done; without it the socket is closed with 1001
     * within amt_ws_drain.  worker_shutdown_timeout ends both.
     */
    void (*drain)(void *owner);

} ngx_amt_ws_handlers_t;


/* Zeroed means none, or off. */

typedef struct {
    uint64_t              max_frame;     /* bytes; 1009 above */
    uint64_t              max_message;   /* bytes; 1009 above */
    size_t                max_queue;     /* output that waits for the client,
                                            beside one message of whatever
                                            size; 1 MB when 0 */
    ngx_msec_t            ping;          /* silence before a ping */
    ngx_msec_t            timeout;       /* without an answer to it, and for
                                            output that makes no progress */
    ngx_msec_t            idle;          /* without data in either direction */

    unsigned              whole:1;       /* messages are collected, data() has
                                            first and last set; max_message is
                                            needed */
    unsigned              secret:1;      /* buffers are wiped after use */
} ngx_amt_ws_settings_t;


/* "client", "worker" ...: for logs, events and metrics; static */
const char *ngx_amt_ws_end_name(ngx_amt_ws_end_e end);

/*
 * Settings as configured for the request's location: amt_ws_ping,
 * amt_ws_timeout, amt_ws_idle, amt_ws_max_message (frames, too).
 */
void ngx_amt_ws_settings(ngx_http_request_t *r, ngx_amt_ws_settings_t *s);

/*
 * Sends 101 and takes the connection over.  protocol: the chosen
 * subprotocol, from the request's memory; NULL: none.  The settings are
 * copied, the handlers stay.  Headers that are already in r->headers_out go
 * out, too.
 *
 * NGX_OK and *ws; no handler was called yet, and the reference that the owner
 * took by r->main->count++ is the socket's.  Otherwise what the owner must
 * give to ngx_http_finalize_request().
 */
ngx_int_t ngx_amt_ws_accept(ngx_http_request_t *r, ngx_amt_ws_handshake_t *hs,
    ngx_str_t *protocol, ngx_amt_ws_settings_t *settings,
    const ngx_amt_ws_handlers_t *handlers, void *owner, ngx_amt_ws_t **ws);

/*
 * Sends one frame: first is NGX_AMT_WS_TEXT, _BINARY or _CONTINUATION, with
 * NGX_AMT_WS_FIN or without.  NGX_AMT_WS_HEAD bytes before payload are
 * overwritten.  The bytes are the caller's again when it returns: what the
 * client did not take at once was copied.
 *
 * NGX_OK: go on.  NGX_AGAIN: taken, too, but the caller should wait for
 * writable().  NGX_ERROR: not taken, the socket is ending and closed() will
 * say why.
 *
 * Up to 16374 bytes of payload are one TLS record.
 */
ngx_int_t ngx_amt_ws_send(ngx_amt_ws_t *ws, u_char first, u_char *payload,
    size_t len);

/* 1: the last send returned NGX_AGAIN and writable() was not called yet */
ngx_uint_t ngx_amt_ws_blocked(ngx_amt_ws_t *ws);

/*
 * Stops and restarts reading.  While it is paused the client's pings are not
 * answered and its pongs not missed; that it left is still noticed.
 */
void ngx_amt_ws_pause(ngx_amt_ws_t *ws);
void ngx_amt_ws_resume(ngx_amt_ws_t *ws);

/*
 * Ends it: what was sent, then a close frame, goes to the client, which has
 * a few seconds to answer.  code: NO_STATUS for none; reason: copied, cut at
 * 123 bytes, valid UTF-8; NULL: none.  ABNORMAL drops the connection.
 */
void ngx_amt_ws_close(ngx_amt_ws_t *ws, ngx_uint_t code, ngx_str_t *reason);


typedef struct {
    ngx_uint_t            live;          /* in this worker */
    ngx_uint_t            accepted;
    ngx_uint_t            ended[NGX_AMT_WS_END_INTERNAL + 1];
} ngx_amt_ws_stats_t;

void ngx_amt_ws_stats(ngx_amt_ws_stats_t *stats);


#endif /* _NGX_AMT_WS_CONN_H_INCLUDED_ */
