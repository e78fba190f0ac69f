
/*
 * The request's inputs as JSON values: body (read in memory only, capped,
 * inflated, parsed strictly), query, headers, cookies.  Contract mps.md
 * sections 1.5, 1.6.
 */


#ifndef _NGX_AMT_BODY_H_INCLUDED_
#define _NGX_AMT_BODY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <jansson.h>


#define NGX_AMT_BODY_MAX    102400       /* bytes, also of an inflated body */
#define NGX_AMT_BODY_DEPTH  32           /* nested objects and arrays */


typedef enum {
    NGX_AMT_BODY_OK = 0,
    NGX_AMT_BODY_ABSENT,                 /* none, or of another type */
    NGX_AMT_BODY_SYNTAX,                 /* 400 without description */
    NGX_AMT_BODY_REFUSED,                /* 400, text says why */
    NGX_AMT_BODY_TOO_LARGE,              /* 413 */
    NGX_AMT_BODY_UNSUPPORTED,            /* 415, text says why */
    NGX_AMT_BODY_ERROR                   /* 500, no memory */
} ngx_amt_body_e;


/* Called once when the body is there; the request may be finalized in it. */
typedef void (*ngx_amt_body_done_pt)(ngx_http_request_t *r, void *data,
    ngx_amt_body_e rc);


typedef struct {
    ngx_pool_t            *pool;
    size_t                 max;          /* bytes */
    const char            *text;         /* why it was refused */

    /* private */
    u_char                *start;
    u_char                *last;
    u_char                *end;
    ngx_amt_body_done_pt   done;
    void                  *data;
    unsigned               deflated:1;
} ngx_amt_body_t;


/*
 * Is there a JSON body to read?  NGX_AMT_BODY_OK: call ngx_amt_body_read();
 * ABSENT: none or of another content type; TOO_LARGE, UNSUPPORTED by its
 * headers.
 */
ngx_amt_body_e ngx_amt_body_test(ngx_http_request_t *r, ngx_amt_body_t *body);

/*
 * Reads into body->start..last, at most body->max bytes, wiping nginx's own
 * buffers.  NGX_DONE: a reference to the request is held and done(r, data,
 * rc) is called, now or later; another value: finish with this status, done
 * is not called.  Timeouts and aborts finalize the request.
 */
ngx_int_t ngx_amt_body_read(ngx_http_request_t *r, ngx_amt_body_t *body,
    ngx_amt_body_done_pt done, void *data);

/*
 * ngx_http_discard_request_body(), and no trace of what of the body came
 * with the headers: there may be passwords in a request that is refused.
 */
ngx_int_t ngx_amt_body_discard(ngx_http_request_t *r);

/*
 * Inflates if need be, parses strictly, and wipes the text.  *json is a new
 * reference: an object or array, or NULL with ABSENT.  No I/O.
 */
ngx_amt_body_e ngx_amt_body_parse(ngx_amt_body_t *body, json_t **json);

/*
 * Query arguments as an object of strings; a repeated key, or one with "[]",
 * becomes an array.  The pool is scratch.  NULL: no memory.
 */
json_t *ngx_amt_body_query(ngx_pool_t *pool, ngx_str_t *args);

/* Headers (lower-case names) and cookies as objects.  NULL: no memory. */
json_t *ngx_amt_body_headers(ngx_http_request_t *r);
json_t *ngx_amt_body_cookies(ngx_http_request_t *r);

/* Percent-decodes in place; NGX_ERROR: bad encoding. */
ngx_int_t ngx_amt_body_unescape(ngx_str_t *s, ngx_uint_t plus);


/* The request's body while it is read is this module's context. */
extern ngx_module_t  ngx_http_amt_mps_module;


#endif /* _NGX_AMT_BODY_H_INCLUDED_ */
