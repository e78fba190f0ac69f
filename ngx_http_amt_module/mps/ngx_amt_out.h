
/*
 * JSON out: one growable buffer with bounds checks, and the text forms that
 * the original's clients see (compact, numbers as JavaScript prints them).
 * Contract mps.md section 1.3.
 */


#ifndef _NGX_AMT_OUT_H_INCLUDED_
#define _NGX_AMT_OUT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>


#define NGX_AMT_NUMBER_LEN  32


/* After a failed allocation error is set and all writes do nothing. */

typedef struct {
    ngx_pool_t       *pool;
    u_char           *start;
    u_char           *pos;
    u_char           *end;
    unsigned          comma:1;           /* the next key or item needs one */
    unsigned          error:1;
} ngx_amt_out_t;


/* The buffer comes from the pool; size is a hint. */
void ngx_amt_out_init(ngx_amt_out_t *o, ngx_pool_t *pool, size_t size);

/* Bytes as they are. */
void ngx_amt_out_raw(ngx_amt_out_t *o, const void *p, size_t len);
void ngx_amt_out_text(ngx_amt_out_t *o, const char *text);

/* '{' '}' '[' ']', with the comma before an opening one. */
void ngx_amt_out_open(ngx_amt_out_t *o, u_char c);
void ngx_amt_out_close(ngx_amt_out_t *o, u_char c);

/* "name": - a constant, in which nothing has to be escaped */
void ngx_amt_out_key(ngx_amt_out_t *o, const char *name);

/*
 * Values, with the comma before them.  A string with data == NULL is null;
 * json() prints text that is JSON already; members of value() that are NULL
 * print null.
 */
void ngx_amt_out_string(ngx_amt_out_t *o, ngx_str_t *s);
void ngx_amt_out_cstring(ngx_amt_out_t *o, const char *s);
void ngx_amt_out_int(ngx_amt_out_t *o, int64_t n);
void ngx_amt_out_bool(ngx_amt_out_t *o, ngx_uint_t n);
void ngx_amt_out_json(ngx_amt_out_t *o, ngx_str_t *text);
void ngx_amt_out_value(ngx_amt_out_t *o, json_t *value);

/* ms since 1970 as "YYYY-MM-DDThh:mm:ss.mmmZ"; negative is null. */
void ngx_amt_out_time(ngx_amt_out_t *o, int64_t ms);

/* Text as HTML shows it: & < > " ' are escaped, control characters go. */
void ngx_amt_out_html(ngx_amt_out_t *o, ngx_str_t *s);

/* What was written; NGX_ERROR when memory ran out. */
ngx_int_t ngx_amt_out_done(ngx_amt_out_t *o, ngx_str_t *text);

/* A JSON number as JavaScript's String() prints it; buf: NGX_AMT_NUMBER_LEN */
size_t ngx_amt_number_text(json_t *number, u_char *buf);


#endif /* _NGX_AMT_OUT_H_INCLUDED_ */
