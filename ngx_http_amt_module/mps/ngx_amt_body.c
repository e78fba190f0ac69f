
/*
 * Reading a JSON body: in memory, capped, unbuffered on nginx's side so that
 * neither its buffer sizes nor its temporary files matter.  Contract mps.md
 * section 1.5.
 */


#include "mps/ngx_amt_body.h"


static void ngx_amt_body_start(ngx_http_request_t *r);
static void ngx_amt_body_event(ngx_http_request_t *r);
static ngx_int_t ngx_amt_body_take(ngx_http_request_t *r,
    ngx_amt_body_t *body);
static u_char *ngx_amt_body_rest(ngx_http_request_t *r);
static void ngx_amt_body_wipe(ngx_http_request_t *r);
static void ngx_amt_body_finish(ngx_http_request_t *r,
    ngx_amt_body_t *body, ngx_amt_body_e rc);
static ngx_uint_t ngx_amt_body_token(ngx_str_t *value, const char *name);
static ngx_table_elt_t *ngx_amt_body_header(ngx_http_request_t *r,
    const char *name, size_t len);


/* The media type or coding before ";" is name, in any case. */

static ngx_uint_t
ngx_amt_body_token(ngx_str_t *value, const char *name)
{
    size_t  n;

    for (n = 0; n < value->len && value->data[n] != ';'; n++) { /* void */ }

    while (n && (value->data[n - 1] == ' ' || value->data[n - 1] == '\t')) {
        n--;
    }

    return n == ngx_strlen(name)
           && ngx_strncasecmp(value->data, (u_char *) name, n) == 0;
}


static ngx_table_elt_t *
ngx_amt_body_header(ngx_http_request_t *r, const char *name, size_t len)
{
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                return NULL;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len == len
            && ngx_strncasecmp(h[i].key.data, (u_char *) name, len) == 0)
        {
            return &h[i];
        }
    }
}


ngx_amt_body_e
ngx_amt_body_test(ngx_http_request_t *r, ngx_amt_body_t *body)
{
    u_char           *p, *last;
    size_t            len;
    ngx_str_t         charset;
    ngx_table_elt_t  *h;

    if (r->headers_in.content_length_n <= 0 && !r->headers_in.chunked) {
        return NGX_AMT_BODY_ABSENT;
    }

    h = r->headers_in.content_type;

    if (h == NULL || !ngx_amt_body_token(&h->value, "application/json")) {
        return NGX_AMT_BODY_ABSENT;
    }

    if (r->headers_in.content_length_n > (off_t) body->max) {
        return NGX_AMT_BODY_TOO_LARGE;
    }

    p = h->value.data;
    last = p + h->value.len;

    p = ngx_strlcasestrn(p, last, (u_char *) "charset=", 8 - 1);

    if (p) {
        charset.data = p + 8;

        if (charset.data < last && *charset.data == '"') {
            charset.data++;
        }

        for (len = 0; charset.data + len < last; len++) {
            if (ngx_strchr("\"; \t", charset.data[len])) {
                break;
            }
        }

        if (!(len == 5 && ngx_strncasecmp(charset.data, (u_char *) "utf-8", 5)
                          == 0)
            && !(len == 4 && ngx_strncasecmp(charset.data, (u_char *) "utf8",
                                             4) == 0))
        {
            body->text = "charset must be utf-8";
            return NGX_AMT_BODY_UNSUPPORTED;
        }
    }

    h = ngx_amt_body_header(r, "content-encoding", 16);

    if (h && !ngx_amt_body_token(&h->value, "identity")) {

        if (!ngx_amt_body_token(&h->value, "gzip")
            && !ngx_amt_body_token(&h->value, "deflate"))
        {
            body->text = "content encoding must be gzip or deflate";
            return NGX_AMT_BODY_UNSUPPORTED;
        }

        body->deflated = 1;
    }

    return NGX_AMT_BODY_OK;
}


ngx_int_t
ngx_amt_body_read(ngx_http_request_t *r, ngx_amt_body_t *body,
    ngx_amt_body_done_pt done, void *data)
{
    size_t      size;
    u_char     *start;
    ngx_buf_t  *b;
    ngx_int_t   rc;

    size = r->headers_in.content_length_n > 0
           ? (size_t) r->headers_in.content_length_n : 4096;
    size = ngx_min(size, body->max);

    body->start = ngx_pnalloc(body->pool, size);
    if (body->start == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    body->last = body->start;
    body->end = body->start + size;
    body->done = done;
    body->data = data;

    ngx_http_set_ctx(r, body, ngx_http_amt_mps_module);

    r->request_body_no_buffering = 1;

    b = r->header_in;
    start = ngx_amt_body_rest(r);

    rc = ngx_http_read_client_request_body(r, ngx_amt_body_start);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {

        /* no other request follows */

        if (start) {
            ngx_explicit_memzero(start, b->last - start);
        }

        return rc;
    }

    return NGX_DONE;
}


static void
ngx_amt_body_start(ngx_http_request_t *r)
{
    r->read_event_handler = ngx_amt_body_event;

    ngx_amt_body_event(r);
}


static void
ngx_amt_body_event(ngx_http_request_t *r)
{
    ngx_int_t          rc;
    ngx_amt_body_t    *body;
    ngx_connection_t  *c;

    c = r->connection;
    body = ngx_http_get_module_ctx(r, ngx_http_amt_mps_module);

    for ( ;; ) {

        rc = ngx_amt_body_take(r, body);

        if (rc == NGX_DECLINED) {
            ngx_amt_body_finish(r, body, NGX_AMT_BODY_TOO_LARGE);
            return;
        }

        if (rc != NGX_OK) {
            ngx_amt_body_finish(r, body, NGX_AMT_BODY_ERROR);
            return;
        }

        if (!r->reading_body) {
            ngx_amt_body_finish(r, body, NGX_AMT_BODY_OK);
            return;
        }

        rc = ngx_http_read_unbuffered_request_body(r);

        if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {

            if (c->error || c->timedout
                || rc == NGX_HTTP_INTERNAL_SERVER_ERROR)
            {
                ngx_http_finalize_request(r, rc);
                return;
            }

            r->keepalive = 0;

            ngx_amt_body_wipe(r);

            body->text = "malformed request body";
            ngx_amt_body_finish(r, body, NGX_AMT_BODY_REFUSED);
            return;
        }

        if (rc == NGX_AGAIN && r->request_body->bufs == NULL) {
            return;
        }
    }
}


/* Moves what nginx has read; NGX_DECLINED: over the cap. */

static ngx_int_t
ngx_amt_body_take(ngx_http_request_t *r, ngx_amt_body_t *body)
{
    size_t        size, used, want;
    u_char       *p;
    ngx_buf_t    *b;
    ngx_int_t     rc;
    ngx_chain_t  *cl, *next;

    if (r->request_body == NULL) {
        return NGX_OK;
    }

    rc = NGX_OK;

    cl = r->request_body->bufs;
    r->request_body->bufs = NULL;

    for ( /* void */ ; cl; cl = next) {

        next = cl->next;
        b = cl->buf;
        ngx_free_chain(r->pool, cl);

        if (b->in_file) {
            rc = NGX_ERROR;
            continue;
        }

        size = b->last - b->pos;

        if (rc != NGX_OK || size == 0) {
            goto taken;
        }

        used = body->last - body->start;

        if (size > body->max - used) {
            rc = NGX_DECLINED;
            goto taken;
        }

        if (size > (size_t) (body->end - body->last)) {

            want = ngx_max(used + size, 2 * (size_t) (body->end - body->start));
            want = ngx_min(want, body->max);

            p = ngx_pnalloc(body->pool, want);
            if (p == NULL) {
                rc = NGX_ERROR;
                goto taken;
            }

            if (body->start) {
                ngx_memcpy(p, body->start, used);
                ngx_explicit_memzero(body->start, used);
                ngx_pfree(body->pool, body->start);
            }

            body->start = p;
            body->last = p + used;
            body->end = p + want;
        }

        body->last = ngx_cpymem(body->last, b->pos, size);

    taken:

        /* passwords may be in it; a special buffer has no memory */

        if (size) {
            ngx_explicit_memzero(b->pos, size);
        }

        b->pos = b->last;
    }

    return rc;
}


/*
 * What of the body came with the headers.  NULL in HTTP/2: there the buffer,
 * if any, holds frames of all streams.
 */

static u_char *
ngx_amt_body_rest(ngx_http_request_t *r)
{
    return r->header_in && r->http_version < NGX_HTTP_VERSION_20
           ? r->header_in->pos : NULL;
}


/* What nginx has read and could not parse. */

static void
ngx_amt_body_wipe(ngx_http_request_t *r)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = r->request_body->buf;

    if (b) {
        ngx_explicit_memzero(b->start, b->last - b->start);
    }

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        b = cl->buf;

        if (ngx_buf_in_memory(b)) {
            ngx_explicit_memzero(b->pos, b->last - b->pos);
        }
    }
}


static void
ngx_amt_body_finish(ngx_http_request_t *r, ngx_amt_body_t *body,
    ngx_amt_body_e rc)
{
    ngx_connection_t  *c;

    c = r->connection;

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    r->read_event_handler = ngx_http_block_reading;

    body->done(r, body->data, rc);
}


ngx_int_t
ngx_amt_body_discard(ngx_http_request_t *r)
{
    u_char     *start, *last;
    ngx_buf_t  *b;
    ngx_int_t   rc;

    b = r->header_in;
    start = ngx_amt_body_rest(r);

    rc = ngx_http_discard_request_body(r);

    if (start) {

        /*
         * What is left in the buffer after it is the next request's; none
         * follows after an error.
         */

        last = (rc == NGX_OK) ? b->pos : b->last;

        ngx_explicit_memzero(start, last - start);
    }

    return rc;
}
