
/*
 * HTTP POST outside of any request: libcurl's multi interface driven by
 * nginx's event loop.  Used by cira_auth and cira_notify.
 */


#ifndef _NGX_CIRA_HTTP_H_INCLUDED_
#define _NGX_CIRA_HTTP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_cira_http_s  ngx_cira_http_t;


/* Where to, parsed once from http://unix:PATH:/uri or http://host[:port]/uri */

typedef struct {
    char             *url;               /* as libcurl gets it */
    char             *path;              /* unix socket, or NULL */
    char             *connect_to;        /* address the host name had at
                                            start, or NULL */
} ngx_cira_http_url_t;


/*
 * rc: NGX_OK with status and body, which are valid during the call, or
 * NGX_ERROR: no complete answer within the limits, text in body.
 */
typedef void (*ngx_cira_http_pt)(void *data, ngx_int_t rc, ngx_uint_t status,
    ngx_str_t *body);


/* Parses a directive's argument; NGX_CONF_OK or an error string. */
char *ngx_cira_http_parse_url(ngx_conf_t *cf, ngx_str_t *value,
    ngx_cira_http_url_t *url);

/* Worker process: before the first and after the last use. */
ngx_int_t ngx_cira_http_init(ngx_cycle_t *cycle);
void ngx_cira_http_exit(ngx_cycle_t *cycle);

/*
 * Starts POST of a JSON body, which is copied and wiped.  timeout in ms over
 * all; cap: bytes of answer.  The handler is called once, never from within
 * this function, unless cancelled before.  NULL: no memory.
 */
ngx_cira_http_t *ngx_cira_http_post(ngx_cira_http_url_t *url,
    ngx_str_t *body, ngx_msec_t timeout, size_t cap,
    ngx_cira_http_pt handler, void *data, ngx_log_t *log);
void ngx_cira_http_cancel(ngx_cira_http_t *http);


#endif /* _NGX_CIRA_HTTP_H_INCLUDED_ */
