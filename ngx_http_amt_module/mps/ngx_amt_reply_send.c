
/*
 * Headers and output of a reply.  Contract mps.md sections 1.3, 1.4.
 */


#include "mps/ngx_amt_reply.h"
#include "auth/ngx_amt_hash.h"


#define NGX_AMT_PREFLIGHT_MAX  1024


static ngx_table_elt_t *ngx_amt_reply_header(ngx_http_request_t *r,
    const char *name, const char *value, size_t len);
static ngx_int_t ngx_amt_reply_etag(ngx_http_request_t *r, ngx_str_t *body);


/* name is a literal; value must live as long as the request. */

static ngx_table_elt_t *
ngx_amt_reply_header(ngx_http_request_t *r, const char *name,
    const char *value, size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NULL;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.data = (u_char *) name;
    h->key.len = ngx_strlen(name);
    h->value.data = (u_char *) value;
    h->value.len = len;

    return h;
}


#define ngx_amt_reply_literal(r, name, value)                                 \
    ngx_amt_reply_header(r, name, value, sizeof(value) - 1)


ngx_int_t
ngx_amt_reply_send(ngx_amt_api_t *api, ngx_http_request_t *r)
{
    u_char           *p;
    ngx_buf_t        *b;
    ngx_int_t         rc;
    ngx_chain_t       out;
    ngx_amt_reply_t  *reply;

    reply = &api->reply;

    r->headers_out.status = reply->status ? reply->status : 500;
    r->headers_out.content_length_n = reply->body.len;

    if (ngx_amt_reply_literal(r, "Access-Control-Allow-Origin", "*") == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (reply->body.len) {

        if (reply->html) {
            ngx_str_set(&r->headers_out.content_type, "text/html");

        } else if (reply->yaml) {
            ngx_str_set(&r->headers_out.content_type, "application/yaml");

        } else {
            ngx_str_set(&r->headers_out.content_type, "application/json");
        }

        r->headers_out.content_type_len = r->headers_out.content_type.len;
        r->headers_out.content_type_lowcase = NULL;
        ngx_str_set(&r->headers_out.charset, "utf-8");
    }

    if (reply->html && reply->status != 200) {

        if (ngx_amt_reply_literal(r, "Content-Security-Policy",
                                  "default-src 'none'") == NULL
            || ngx_amt_reply_literal(r, "X-Content-Type-Options", "nosniff")
               == NULL)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (reply->no_store
        && ngx_amt_reply_literal(r, "Cache-Control", "no-store") == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (reply->status == NGX_HTTP_UNAUTHORIZED
        && ngx_amt_reply_literal(r, "WWW-Authenticate", "Bearer") == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (reply->retry) {

        p = ngx_pnalloc(r->pool, NGX_INT_T_LEN);
        if (p == NULL) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (ngx_amt_reply_header(r, "Retry-After", (char *) p,
                                 ngx_sprintf(p, "%ui", reply->retry) - p)
            == NULL)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    if (reply->status == NGX_HTTP_OK && reply->body.len && !reply->no_store
        && r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))
    {
        if (ngx_amt_reply_etag(r, &reply->body) != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    if (reply->body.len == 0) {
        return ngx_http_send_special(r, NGX_HTTP_LAST);
    }

    b = ngx_calloc_buf(r->pool);
    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = reply->body.data;
    b->last = b->pos + reply->body.len;
    b->start = b->pos;
    b->end = b->last;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


ngx_int_t
ngx_amt_reply_stream(ngx_amt_api_t *api, ngx_http_request_t *r,
    const char *type)
{
    ngx_int_t  rc;

    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_type.data = (u_char *) type;
    r->headers_out.content_type.len = ngx_strlen(type);
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);

    /* a proxy in front would keep the pieces until the end */

    if (ngx_amt_reply_literal(r, "Access-Control-Allow-Origin", "*") == NULL
        || ngx_amt_reply_literal(r, "Cache-Control", "no-store") == NULL
        || ngx_amt_reply_literal(r, "X-Accel-Buffering", "no") == NULL)
    {
        return NGX_ERROR;
    }

    api->streaming = 1;

    rc = ngx_http_send_header(r);

    return (rc == NGX_ERROR || rc > NGX_OK) ? NGX_ERROR : NGX_OK;
}


/* W/"<length>-<SHA-1>" */

static ngx_int_t
ngx_amt_reply_etag(ngx_http_request_t *r, ngx_str_t *body)
{
    u_char            sum[NGX_AMT_SHA1_LEN], *p;
    ngx_str_t         in, out;
    ngx_table_elt_t  *h;

    if (ngx_amt_sha1(body->data, body->len, sum) != NGX_OK) {
        return NGX_ERROR;
    }

    p = ngx_pnalloc(r->pool, sizeof("W/\"-\"") + NGX_SIZE_T_LEN
                             + ngx_base64_encoded_length(sizeof(sum)));
    if (p == NULL) {
        return NGX_ERROR;
    }

    h = ngx_amt_reply_header(r, "ETag", (char *) p, 0);
    if (h == NULL) {
        return NGX_ERROR;
    }

    p = ngx_sprintf(p, "W/\"%uz-", body->len);

    in.data = sum;
    in.len = sizeof(sum);
    out.data = p;

    ngx_encode_base64(&out, &in);

    /* without the padding */

    p += out.len - 1;
    *p++ = '"';

    h->value.len = p - h->value.data;

    r->headers_out.etag = h;

    return NGX_OK;
}


ngx_int_t
ngx_amt_reply_preflight(ngx_http_request_t *r)
{
    size_t            i;
    u_char            c;
    ngx_int_t         rc;
    ngx_str_t         asked;
    ngx_uint_t        n;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    static ngx_str_t  name = ngx_string("access-control-request-headers");

    rc = ngx_amt_body_discard(r);

    if (rc != NGX_OK) {
        return rc;
    }

    ngx_str_null(&asked);

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (n = 0; /* void */ ; n++) {

        if (n >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            n = 0;
        }

        if (h[n].key.len == name.len
            && ngx_strncasecmp(h[n].key.data, name.data, name.len) == 0)
        {
            asked = h[n].value;
            break;
        }
    }

    /* a list of header names goes back, nothing else does */

    for (i = 0; i < asked.len; i++) {
        c = asked.data[i];

        if (!((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z')
              || ngx_strchr("-_, ", c))
            || asked.len > NGX_AMT_PREFLIGHT_MAX)
        {
            asked.len = 0;
            break;
        }
    }

    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->headers_out.content_length_n = 0;

    if (ngx_amt_reply_literal(r, "Access-Control-Allow-Origin", "*") == NULL
        || ngx_amt_reply_literal(r, "Access-Control-Allow-Methods",
                                 "GET,HEAD,PUT,PATCH,POST,DELETE") == NULL)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (asked.len
        && (ngx_amt_reply_literal(r, "Vary", "Access-Control-Request-Headers")
            == NULL
            || ngx_amt_reply_header(r, "Access-Control-Allow-Headers",
                                    (char *) asked.data, asked.len)
               == NULL))
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    return ngx_http_send_special(r, NGX_HTTP_LAST);
}
