
/*
 * The opening handshake of a WebSocket: checks of the request, refusals, and
 * the Origin check of amt_allowed_origins.  RFC 6455 section 4.2.
 */


#ifndef _NGX_AMT_WS_HANDSHAKE_H_INCLUDED_
#define _NGX_AMT_WS_HANDSHAKE_H_INCLUDED_


#include "ngx_http_amt.h"


#define NGX_AMT_WS_ACCEPT_LEN        28

#define NGX_AMT_WS_UPGRADE_REQUIRED  426


typedef struct {
    /* Sec-WebSocket-Accept */
    u_char                accept[NGX_AMT_WS_ACCEPT_LEN];

    /* Sec-WebSocket-Protocol: how many values were offered, and the first,
       in the request's memory */
    ngx_uint_t            n_protocols;
    ngx_str_t             protocol;

    ngx_str_t             origin;        /* empty: not a browser */
} ngx_amt_ws_handshake_t;


/*
 * Checks the request.  NGX_OK and *hs, or the status for
 * ngx_amt_ws_refuse(): 405 (not GET), 426 (no upgrade to websocket, another
 * version than 13, not HTTP/1.1), 403 (Origin), 400 (key, body, subprotocols
 * that are no tokens).  Why is in the log.
 */
ngx_int_t ngx_amt_ws_handshake(ngx_http_request_t *r,
    ngx_amt_ws_handshake_t *hs);

/*
 * Answers with the status, its reason phrase as body (contract mps.md section
 * 4.2) and the headers a WebSocket client needs, and has the connection
 * closed.  Returns what the content handler returns; who answers later gives
 * it to ngx_http_finalize_request().
 */
ngx_int_t ngx_amt_ws_refuse(ngx_http_request_t *r, ngx_uint_t status);


#endif /* _NGX_AMT_WS_HANDSHAKE_H_INCLUDED_ */
