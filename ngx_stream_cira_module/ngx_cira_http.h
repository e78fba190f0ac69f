
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


/* ---- a growable writer of JSON, wiped when freed ---- */

typedef struct {
    u_char           *start;
    u_char           *last;
    u_char           *end;
    ngx_log_t        *log;
    ngx_uint_t        failed;            /* no memory: output is incomplete */
} ngx_cira_json_t;

ngx_int_t ngx_cira_json_init(ngx_cira_json_t *j, size_t size,
    ngx_log_t *log);
void ngx_cira_json_raw(ngx_cira_json_t *j, const char *text);
/* quotes and escapes; bytes that are no UTF-8 become U+FFFD */
void ngx_cira_json_string(ngx_cira_json_t *j, u_char *p, size_t len);
void ngx_cira_json_number(ngx_cira_json_t *j, int64_t n);
void ngx_cira_json_free(ngx_cira_json_t *j);

/* NGX_OK when all bytes are valid UTF-8 without NUL. */
ngx_int_t ngx_cira_json_utf8(ngx_str_t *s);


#endif /* _NGX_CIRA_HTTP_H_INCLUDED_ */
