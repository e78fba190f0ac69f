
/*
 * Settings of WebSockets, see the directives in README.md.
 */


#ifndef _NGX_HTTP_AMT_WS_MODULE_H_INCLUDED_
#define _NGX_HTTP_AMT_WS_MODULE_H_INCLUDED_


#include "ngx_http_amt.h"


typedef struct {
    ngx_msec_t            drain;
} ngx_amt_ws_main_conf_t;


typedef struct {
    ngx_array_t          *origins;       /* of ngx_str_t: scheme://host:port */
    ngx_uint_t            origins_mode;  /* bits below */
    ngx_msec_t            ping;
    ngx_msec_t            timeout;
    ngx_msec_t            idle;
    size_t                max_message;
} ngx_amt_ws_conf_t;


#define NGX_AMT_WS_ORIGIN_SAME  1        /* as Host says */
#define NGX_AMT_WS_ORIGIN_ANY   2
#define NGX_AMT_WS_ORIGIN_LIST  4


/*
 * An origin in its canonical form: lower case, with a port: "scheme://",
 * "host", ":port".  Memory from the pool.  NGX_OK; NGX_DECLINED: not an
 * origin of a web page; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_ws_origin(ngx_pool_t *pool, ngx_str_t *text,
    ngx_str_t *origin);


/*
 * Whether a page of this origin (as sent) may open a WebSocket here, see
 * amt_allowed_origins.  NGX_OK, NGX_DECLINED; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_ws_origin_check(ngx_http_request_t *r, ngx_str_t *text);


extern ngx_module_t  ngx_http_amt_ws_module;


#endif /* _NGX_HTTP_AMT_WS_MODULE_H_INCLUDED_ */
