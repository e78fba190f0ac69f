
/*
 * HTTP/1.1 client codec, no I/O: reads answers of AMT devices and of CONNECT
 * listeners byte by byte, writes request heads.  Contract apf.md sections 24
 * and 26.
 */


#ifndef _NGX_AMT_HTTP_H_INCLUDED_
#define _NGX_AMT_HTTP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_AMT_HTTP_MAX_HEAD   8192     /* status line, headers, trailers */
#define NGX_AMT_HTTP_MAX_BODY   262144
#define NGX_AMT_HTTP_MAX_AUTH   4        /* WWW-Authenticate headers kept */
#define NGX_AMT_HTTP_MAX_STATE  512      /* CIRA-State */


typedef enum {
    NGX_AMT_HTTP_LENGTH = 0,
    NGX_AMT_HTTP_CHUNKED,
    NGX_AMT_HTTP_CLOSE                   /* body ends with the connection */
} ngx_amt_http_framing_e;


typedef struct {
    ngx_pool_t             *pool;        /* of head and body */

    ngx_uint_t              status;
    ngx_str_t               auth[NGX_AMT_HTTP_MAX_AUTH];
    ngx_uint_t              n_auth;
    ngx_str_t               cira_state;
    ngx_str_t               cira_reason;
    ngx_str_t               body;        /* grows in the pool */

    unsigned                connect:1;   /* set before: answer to CONNECT,
                                            200 has no body */
    unsigned                keepalive:1; /* another request may follow */
    unsigned                cira_reused:1;
    unsigned                cira_kept:1;
    unsigned                started:1;   /* at least one byte was seen */

    const char             *reason;      /* static: why it was refused */

    /* private to ngx_amt_http.c */
    ngx_uint_t              state;
    u_char                 *head;        /* the line being read */
    size_t                  head_size;   /* bytes of head seen so far */
    size_t                  line;        /* length of the line */
    size_t                  line_size;   /* allocated */
    size_t                  body_size;   /* allocated */
    size_t                  rest;        /* of the body or chunk */
    ngx_uint_t              digits;
    ngx_amt_http_framing_e  framing;
    unsigned                http10:1;
    unsigned                length:1;
    unsigned                chunked:1;
    unsigned                close:1;
    unsigned                keep:1;
    unsigned                state_seen:1;
} ngx_amt_http_response_t;


/* Memory of an answer comes from the pool. */
void ngx_amt_http_init(ngx_amt_http_response_t *r, ngx_pool_t *pool);

/*
 * Reads *p .. last and advances *p.  NGX_OK: the answer is complete, *p is
 * behind its last byte; NGX_AGAIN: all bytes were taken, more are needed;
 * NGX_DECLINED: not a valid answer or over the caps, see r->reason;
 * NGX_ERROR: no memory.  Not to be called again after anything but
 * NGX_AGAIN.
 */
ngx_int_t ngx_amt_http_parse(ngx_amt_http_response_t *r, u_char **p,
    u_char *last);

/*
 * The connection was closed.  NGX_OK: that was the end of the answer;
 * NGX_DECLINED: it is cut, or there is none (r->started is 0).
 */
ngx_int_t ngx_amt_http_eof(ngx_amt_http_response_t *r);

/*
 * Writes the head of a POST to /wsman: host is "<guid>:16992" or any other
 * text without control characters, authorization the header's value or
 * empty.  NGX_OK; NGX_ERROR: no memory.  The memory is from the pool.
 */
ngx_int_t ngx_amt_http_request(ngx_pool_t *pool, ngx_str_t *host,
    ngx_str_t *authorization, size_t length, ngx_str_t *out);


#endif /* _NGX_AMT_HTTP_H_INCLUDED_ */
