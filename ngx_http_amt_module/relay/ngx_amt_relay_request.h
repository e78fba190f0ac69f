
/*
 * What a client asks the relay for, and whether it may.  Contract mps.md
 * sections 4.1 and 4.2.
 */


#ifndef _NGX_AMT_RELAY_REQUEST_H_INCLUDED_
#define _NGX_AMT_RELAY_REQUEST_H_INCLUDED_


#include "auth/ngx_amt_auth.h"
#include "relay/ngx_amt_redir.h"
#include "ws/ngx_amt_ws_handshake.h"
#include "ngx_cira_api.h"


typedef struct {
    u_char                guid[NGX_CIRA_GUID_LEN];
    ngx_str_t             host;          /* as received, first */
    ngx_uint_t            port;
    ngx_amt_redir_kind_e  kind;          /* NONE: not said */
    unsigned              known:1;       /* guid is valid */
    unsigned              login:1;       /* the gateway logs in */
    unsigned              force:1;
} ngx_amt_relay_request_t;


/*
 * Reads the query.  NGX_OK; NGX_DECLINED: invalid, *error (static) says why;
 * req->known tells whether there is exactly one host that is a GUID.
 */
ngx_int_t ngx_amt_relay_request(ngx_str_t *args,
    ngx_amt_relay_request_t *req, const char **error);

/*
 * Who is it, and may he?  The token of Sec-WebSocket-Protocol or, without
 * one, an API key or token in the headers.  NGX_OK: *id and *info (the
 * device is connected and of the caller's tenant); else the status to refuse
 * with, why is logged.
 */
ngx_int_t ngx_amt_relay_access(ngx_http_request_t *r,
    ngx_amt_ws_handshake_t *hs, ngx_amt_relay_request_t *req,
    ngx_amt_identity_t *id, ngx_cira_info_t *info);


#endif /* _NGX_AMT_RELAY_REQUEST_H_INCLUDED_ */
