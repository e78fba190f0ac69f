
/*
 * Opening handshake, see ngx_amt_ws_handshake.h.
 */


#include "ws/ngx_amt_ws_handshake.h"
#include "ws/ngx_http_amt_ws_module.h"
#include <ngx_sha1.h>


#define NGX_AMT_WS_KEY_LEN  24


typedef struct {
    ngx_uint_t         upgrade;          /* asks for websocket */
    ngx_uint_t         connection;       /* says upgrade */
    ngx_uint_t         n_keys;
    ngx_uint_t         n_versions;
    ngx_uint_t         n_origins;
    ngx_str_t          key;
    ngx_str_t          version;
} ngx_amt_ws_headers_t;


typedef struct {
    ngx_uint_t         status;
    ngx_str_t          line;
    ngx_str_t          text;
} ngx_amt_ws_refusal_t;


static ngx_int_t ngx_amt_ws_headers(ngx_http_request_t *r,
    ngx_amt_ws_handshake_t *hs, ngx_amt_ws_headers_t *h);
static ngx_uint_t ngx_amt_ws_list(ngx_str_t *value, const char *token);
static ngx_int_t ngx_amt_ws_protocols(ngx_amt_ws_handshake_t *hs,
    ngx_str_t *value);
static ngx_int_t ngx_amt_ws_key(ngx_str_t *key, u_char *accept);
static ngx_int_t ngx_amt_ws_push(ngx_http_request_t *r, const char *name,
    const char *value);


static ngx_amt_ws_refusal_t  ngx_amt_ws_refusals[] = {

    { 400, ngx_string("400 Bad Request"), ngx_string("Bad Request") },
    { 401, ngx_string("401 Unauthorized"), ngx_string("Unauthorized") },
    { 403, ngx_string("403 Forbidden"), ngx_string("Forbidden") },
    { 404, ngx_string("404 Not Found"), ngx_string("Not Found") },
    { 405, ngx_string("405 Method Not Allowed"),
           ngx_string("Method Not Allowed") },
    { 409, ngx_string("409 Conflict"), ngx_string("Conflict") },
    { 426, ngx_string("426 Upgrade Required"),
           ngx_string("Upgrade Required") },
    { 429, ngx_string("429 Too Many Requests"),
           ngx_string("Too Many Requests") },
    { 502, ngx_string("502 Bad Gateway"), ngx_string("Bad Gateway") },
    { 503, ngx_string("503 Service Unavailable"),
           ngx_string("Service Unavailable") },
    { 504, ngx_string("504 Gateway Timeout"), ngx_string("Gateway Timeout") },
    { 500, ngx_string("500 Internal Server Error"),
           ngx_string("Internal Server Error") },
    { 0, ngx_null_string, ngx_null_string }
};


ngx_int_t
ngx_amt_ws_handshake(ngx_http_request_t *r, ngx_amt_ws_handshake_t *hs)
{
    const char            *why;
    ngx_int_t              rc;
    ngx_amt_ws_headers_t   h;

    ngx_memzero(hs, sizeof(ngx_amt_ws_handshake_t));

    rc = NGX_HTTP_BAD_REQUEST;

    if (r->method != NGX_HTTP_GET) {
        rc = NGX_HTTP_NOT_ALLOWED;
        why = "is not a GET";
        goto refused;
    }

    if (r->http_version != NGX_HTTP_VERSION_11) {
        rc = NGX_AMT_WS_UPGRADE_REQUIRED;
        why = "is not HTTP/1.1";
        goto refused;
    }

    if (r->headers_in.content_length_n > 0 || r->headers_in.chunked) {
        why = "has a body";
        goto refused;
    }

    if (ngx_amt_ws_headers(r, hs, &h) != NGX_OK) {
        why = "has a subprotocol that is no token";
        goto refused;
    }

    if (!h.upgrade || !h.connection) {
        rc = NGX_AMT_WS_UPGRADE_REQUIRED;
        why = "does not upgrade to WebSocket";
        goto refused;
    }

    if (h.n_versions != 1 || h.version.len != 2
        || ngx_strncmp(h.version.data, "13", 2) != 0)
    {
        rc = NGX_AMT_WS_UPGRADE_REQUIRED;
        why = "has not version 13";
        goto refused;
    }

    if (h.n_keys != 1 || ngx_amt_ws_key(&h.key, hs->accept) != NGX_OK) {
        why = "has no valid key";
        goto refused;
    }

    if (h.n_origins) {
        rc = (h.n_origins == 1) ? ngx_amt_ws_origin_check(r, &hs->origin)
                                : NGX_DECLINED;

        if (rc == NGX_ERROR) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (rc != NGX_OK) {
            rc = NGX_HTTP_FORBIDDEN;
            why = "has an origin that amt_allowed_origins does not allow";
            goto refused;
        }
    }

    return NGX_OK;

refused:

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "WebSocket handshake refused with %i, it %s", rc, why);

    return rc;
}


static ngx_int_t
ngx_amt_ws_headers(ngx_http_request_t *r, ngx_amt_ws_handshake_t *hs,
    ngx_amt_ws_headers_t *h)
{
    ngx_str_t         name, *value;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *header;

#define ngx_amt_ws_is(text)                                                   \
    (name.len == sizeof(text) - 1                                             \
     && ngx_strncmp(name.data, text, sizeof(text) - 1) == 0)

    ngx_memzero(h, sizeof(ngx_amt_ws_headers_t));

    part = &r->headers_in.headers.part;
    header = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                break;
            }

            part = part->next;
            header = part->elts;
            i = 0;
        }

        name.len = header[i].key.len;
        name.data = header[i].lowcase_key;
        value = &header[i].value;

        if (ngx_amt_ws_is("upgrade")) {
            h->upgrade |= ngx_amt_ws_list(value, "websocket");

        } else if (ngx_amt_ws_is("connection")) {
            h->connection |= ngx_amt_ws_list(value, "upgrade");

        } else if (ngx_amt_ws_is("sec-websocket-key")) {
            h->n_keys++;
            h->key = *value;

        } else if (ngx_amt_ws_is("sec-websocket-version")) {
            h->n_versions++;
            h->version = *value;

        } else if (ngx_amt_ws_is("origin")) {
            h->n_origins++;
            hs->origin = *value;

        } else if (ngx_amt_ws_is("sec-websocket-protocol")) {

            if (ngx_amt_ws_protocols(hs, value) != NGX_OK) {
                return NGX_DECLINED;
            }
        }
    }

    return NGX_OK;
}


/* 1: the comma-separated list has the token, in whatever case */

static ngx_uint_t
ngx_amt_ws_list(ngx_str_t *value, const char *token)
{
    u_char  *p, *last, *start, *end;
    size_t   len;

    len = ngx_strlen(token);
    p = value->data;
    last = p + value->len;

    while (p < last) {
        start = p;

        while (p < last && *p != ',') {
            p++;
        }

        end = p;

        if (p < last) {
            p++;
        }

        while (start < end && (*start == ' ' || *start == '\t')) {
            start++;
        }

        while (start < end && (end[-1] == ' ' || end[-1] == '\t')) {
            end--;
        }

        if ((size_t) (end - start) == len
            && ngx_strncasecmp(start, (u_char *) token, len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_amt_ws_protocols(ngx_amt_ws_handshake_t *hs, ngx_str_t *value)
{
    u_char  *p, *last, *start;

    p = value->data;
    last = p + value->len;

    for ( ;; ) {

        while (p < last && (*p == ' ' || *p == '\t')) {
            p++;
        }

        start = p;

        while (p < last
               && ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
                   || (*p >= '0' && *p <= '9')
                   || (*p && ngx_strchr("!#$%&'*+-.^_`|~", *p))))
        {
            p++;
        }

        if (p == start) {
            return NGX_DECLINED;
        }

        if (hs->n_protocols++ == 0) {
            hs->protocol.data = start;
            hs->protocol.len = p - start;
        }

        while (p < last && (*p == ' ' || *p == '\t')) {
            p++;
        }

        if (p == last) {
            return NGX_OK;
        }

        if (*p++ != ',') {
            return NGX_DECLINED;
        }
    }
}


static ngx_int_t
ngx_amt_ws_key(ngx_str_t *key, u_char *accept)
{
    u_char      digest[20], decoded[NGX_AMT_WS_KEY_LEN];
    ngx_str_t   in, out;
    ngx_sha1_t  sha1;

    static u_char  guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    if (key->len != NGX_AMT_WS_KEY_LEN) {
        return NGX_DECLINED;
    }

    out.data = decoded;
    out.len = 0;

    if (ngx_decode_base64(&out, key) != NGX_OK || out.len != 16) {
        return NGX_DECLINED;
    }

    ngx_sha1_init(&sha1);
    ngx_sha1_update(&sha1, key->data, key->len);
    ngx_sha1_update(&sha1, guid, sizeof(guid) - 1);
    ngx_sha1_final(digest, &sha1);

    in.data = digest;
    in.len = sizeof(digest);
    out.data = accept;

    ngx_encode_base64(&out, &in);

    return NGX_OK;
}


ngx_int_t
ngx_amt_ws_refuse(ngx_http_request_t *r, ngx_uint_t status)
{
    ngx_int_t              rc;
    ngx_buf_t             *b;
    ngx_chain_t            out;
    ngx_amt_ws_refusal_t  *refusal;

    for (refusal = ngx_amt_ws_refusals; refusal->status; refusal++) {

        if (refusal->status == status) {
            break;
        }
    }

    if (refusal->status == 0) {
        refusal--;
    }

    r->keepalive = 0;

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    r->headers_out.status = refusal->status;
    r->headers_out.status_line = refusal->line;
    r->headers_out.content_length_n = refusal->text.len;
    ngx_str_set(&r->headers_out.content_type, "text/html");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;

    if (status == NGX_AMT_WS_UPGRADE_REQUIRED) {

        /* HTTP/2 and later have no such header */

        if (r->http_version <= NGX_HTTP_VERSION_11
            && ngx_amt_ws_push(r, "Upgrade", "websocket") != NGX_OK)
        {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        if (ngx_amt_ws_push(r, "Sec-WebSocket-Version", "13") != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

    } else if (status == NGX_HTTP_NOT_ALLOWED) {

        if (ngx_amt_ws_push(r, "Allow", "GET") != NGX_OK) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b = ngx_calloc_buf(r->pool);

    if (b == NULL) {
        return NGX_ERROR;
    }

    b->pos = refusal->text.data;
    b->last = refusal->text.data + refusal->text.len;
    b->memory = 1;
    b->last_buf = 1;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_amt_ws_push(ngx_http_request_t *r, const char *name, const char *value)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);

    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value.len = ngx_strlen(value);
    h->value.data = (u_char *) value;

    return NGX_OK;
}
