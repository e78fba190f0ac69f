
/*
 * HTTP POST outside of any request: libcurl's multi interface driven by
 * nginx's event loop.  Used by cira_auth and cira_notify, and through
 * ngx_cira_api.h by the API plane.
 */


#ifndef _NGX_CIRA_HTTP_H_INCLUDED_
#define _NGX_CIRA_HTTP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct ngx_cira_http_s  ngx_cira_http_t;


/*
 * Where to, parsed once from http://unix:PATH:/uri or
 * http[s]://host[:port]/uri
 */

typedef struct {
    char             *url;               /* as libcurl gets it */
    char             *path;              /* unix socket, or NULL */
    char             *connect_to;        /* a name for the addresses the host
                                            had at start; NULL: a socket */
    char             *resolve;           /* that name, and the addresses */
    char             *ca;                /* https: file of trusted CAs, set by
                                            the caller; NULL: the system's */
    ngx_str_t         host;              /* as written; empty: a socket */
    in_port_t         port;
    ngx_uint_t        https;             /* unsigned  https:1; */
} ngx_cira_http_url_t;


/*
 * rc: NGX_OK with status and body, which are valid during the call, or
 * NGX_ERROR: no complete answer within the limits, text in body.
 */
typedef void (*ngx_cira_http_pt)(void *data, ngx_int_t rc, ngx_uint_t status,
    ngx_str_t *body);


typedef struct {
    ngx_cira_http_url_t  *url;
    ngx_str_t             body;          /* copied, the copy is wiped */
    const char          **headers;       /* "Name: value", NULL at the end, are
                                            copied; NULL: JSON's alone */
    ngx_msec_t            timeout;       /* ms, over all */
    size_t                cap;           /* bytes of answer */
    time_t               *retry_after;   /* NULL, or gets the header's value in
                                            seconds, or 0, before the handler
                                            runs */
    ngx_uint_t            status_only;   /* a status is an answer, even if its
                                            body is cut or over the cap */
    ngx_cira_http_pt      handler;
    void                 *data;
} ngx_cira_http_request_t;


/*
 * Parses a directive's argument; NGX_CONF_OK or an error string.  https: is
 * it allowed?
 */
char *ngx_cira_http_parse_url(ngx_conf_t *cf, ngx_str_t *value,
    ngx_cira_http_url_t *url, ngx_uint_t https);

/*
 * Worker process: before the first and after the last use.  Every user calls
 * both; the last exit ends all transfers.
 */
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

/* The same with all its options. */
ngx_cira_http_t *ngx_cira_http_send(ngx_cira_http_request_t *req,
    ngx_log_t *log);


/* For the API plane. */

typedef struct {
    char             *(*parse_url)(ngx_conf_t *cf, ngx_str_t *value,
        ngx_cira_http_url_t *url, ngx_uint_t https);
    ngx_int_t         (*init)(ngx_cycle_t *cycle);
    void              (*exit)(ngx_cycle_t *cycle);
    ngx_cira_http_t  *(*send)(ngx_cira_http_request_t *req, ngx_log_t *log);
    void              (*cancel)(ngx_cira_http_t *http);
} ngx_cira_http_api_t;


extern const ngx_cira_http_api_t  ngx_cira_http_api;


#endif /* _NGX_CIRA_HTTP_H_INCLUDED_ */
