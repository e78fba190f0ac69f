
/*
 * API plane: what its folders share.
 */


#ifndef _NGX_HTTP_AMT_H_INCLUDED_
#define _NGX_HTTP_AMT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <ngx_thread_pool.h>


/*
 * The thread pools that nginx.conf (conf/amt/threads.conf) declares in its
 * main context: database readers, database writer, password hashes.
 */

#define NGX_AMT_POOL_READ   "amt_read"
#define NGX_AMT_POOL_WRITE  "amt_write"
#define NGX_AMT_POOL_AUTH   "amt_auth"


/*
 * The thread pool of this name (zero terminated), for configuration handlers.
 * NULL: nginx.conf does not declare it above http{}; the [emerg] message says
 * which line is missing.
 */
ngx_thread_pool_t *ngx_amt_thread_pool(ngx_conf_t *cf, ngx_str_t *name);


#define NGX_HTTP_AMT_STATUS_JSON  1
#define NGX_HTTP_AMT_STATUS_TEXT  2

typedef struct {
    ngx_uint_t  backend;                 /* answers detached calls itself */
    ngx_uint_t  status;                  /* of amt_status */
} ngx_http_amt_loc_conf_t;


ngx_int_t ngx_http_amt_status_handler(ngx_http_request_t *r);


extern ngx_module_t  ngx_http_amt_module;


#endif /* _NGX_HTTP_AMT_H_INCLUDED_ */
