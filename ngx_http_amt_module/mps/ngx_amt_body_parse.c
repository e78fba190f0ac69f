
/*
 * From bytes to JSON values, no I/O: strict JSON, inflate with a cap, query
 * arguments, headers and cookies.  Contract mps.md sections 1.2, 1.5, 1.6.
 */


#include "mps/ngx_amt_body.h"
#include "ngx_cira_utf8.h"
#include <zlib.h>


#define NGX_AMT_QUERY_MAX  1000          /* arguments */


static ngx_amt_body_e ngx_amt_body_inflate(ngx_amt_body_t *body);
static ngx_int_t ngx_amt_body_window(ngx_amt_body_t *body, u_char *out,
    size_t *len, int window);
static ngx_amt_body_e ngx_amt_body_depth(ngx_amt_body_t *body);
static ngx_int_t ngx_amt_body_add(json_t *object, u_char *key, size_t klen,
    ngx_str_t *value);


ngx_amt_body_e
ngx_amt_body_parse(ngx_amt_body_t *body, json_t **json)
{
    u_char          *p;
    json_error_t     err;
    ngx_amt_body_e   rc;

    *json = NULL;

    if (body->deflated && body->last != body->start) {
        rc = ngx_amt_body_inflate(body);

        if (rc != NGX_AMT_BODY_OK) {
            goto done;
        }
    }

    for (p = body->start; p < body->last; p++) {
        if (*p != ' ' && *p != '\t' && *p != '\r' && *p != '\n') {
            break;
        }
    }

    if (p == body->last) {
        rc = body->last == body->start ? NGX_AMT_BODY_ABSENT
                                       : NGX_AMT_BODY_SYNTAX;
        goto done;
    }

    if (*p != '{' && *p != '[') {
        rc = NGX_AMT_BODY_SYNTAX;
        goto done;
    }

    if (!ngx_cira_utf8_valid(body->start, body->last - body->start)) {
        body->text = "body is not valid UTF-8";
        rc = NGX_AMT_BODY_REFUSED;
        goto done;
    }

    rc = ngx_amt_body_depth(body);

    if (rc != NGX_AMT_BODY_OK) {
        goto done;
    }

    *json = json_loadb((char *) body->start, body->last - body->start,
                       JSON_REJECT_DUPLICATES|JSON_DECODE_INT_AS_REAL, &err);

    if (*json) {
        rc = NGX_AMT_BODY_OK;
        goto done;
    }

    switch (json_error_code(&err)) {

    case json_error_duplicate_key:
        body->text = "duplicate member in a JSON object";
        rc = NGX_AMT_BODY_REFUSED;
        break;

    case json_error_null_character:
    case json_error_null_byte_in_key:
        body->text = "null character in a JSON string";
        rc = NGX_AMT_BODY_REFUSED;
        break;

    case json_error_numeric_overflow:
        body->text = "number out of range";
        rc = NGX_AMT_BODY_REFUSED;
        break;

    case json_error_out_of_memory:
        rc = NGX_AMT_BODY_ERROR;
        break;

    default:
        rc = NGX_AMT_BODY_SYNTAX;
    }

done:

    if (body->start) {
        ngx_explicit_memzero(body->start, body->last - body->start);
    }

    body->last = body->start;

    return rc;
}


/* Counts nesting before the parser recurses. */

static ngx_amt_body_e
ngx_amt_body_depth(ngx_amt_body_t *body)
{
    u_char      *p;
    ngx_uint_t   depth, quoted;

    depth = 0;
    quoted = 0;

    for (p = body->start; p < body->last; p++) {

        if (quoted) {
            if (*p == '\\') {
                p++;

            } else if (*p == '"') {
                quoted = 0;
            }

            continue;
        }

        switch (*p) {

        case '"':
            quoted = 1;
            break;

        case '{':
        case '[':
            if (++depth > NGX_AMT_BODY_DEPTH) {
                body->text = "JSON is nested too deeply";
                return NGX_AMT_BODY_REFUSED;
            }

            break;

        case '}':
        case ']':
            if (depth) {
                depth--;
            }

            break;
        }
    }

    return NGX_AMT_BODY_OK;
}


/* gzip, zlib, or raw deflate as some clients send it; cap on the result */

static ngx_amt_body_e
ngx_amt_body_inflate(ngx_amt_body_t *body)
{
    size_t           len;
    u_char          *out;
    ngx_int_t        rc;
    static const int windows[] = { MAX_WBITS + 32, -MAX_WBITS };

    out = ngx_pnalloc(body->pool, body->max);
    if (out == NULL) {
        return NGX_AMT_BODY_ERROR;
    }

    rc = ngx_amt_body_window(body, out, &len, windows[0]);

    if (rc == NGX_ABORT) {
        ngx_explicit_memzero(out, len);
        rc = ngx_amt_body_window(body, out, &len, windows[1]);
    }

    ngx_explicit_memzero(body->start, body->last - body->start);

    body->start = out;
    body->last = out + len;
    body->end = out + body->max;

    switch (rc) {

    case NGX_OK:
        return NGX_AMT_BODY_OK;

    case NGX_DECLINED:
        return NGX_AMT_BODY_TOO_LARGE;

    case NGX_ABORT:
        body->text = "body cannot be inflated";
        return NGX_AMT_BODY_REFUSED;

    default:
        return NGX_AMT_BODY_ERROR;
    }
}


/* NGX_OK; NGX_DECLINED: too large; NGX_ABORT: bad data; NGX_ERROR: memory */

static ngx_int_t
ngx_amt_body_window(ngx_amt_body_t *body, u_char *out, size_t *len,
    int window)
{
    int       rc;
    z_stream  z;

    *len = 0;

    ngx_memzero(&z, sizeof(z_stream));

    z.next_in = body->start;
    z.avail_in = (uInt) (body->last - body->start);
    z.next_out = out;
    z.avail_out = (uInt) body->max;

    rc = inflateInit2(&z, window);

    if (rc != Z_OK) {
        return NGX_ERROR;
    }

    rc = inflate(&z, Z_FINISH);

    *len = body->max - z.avail_out;

    (void) inflateEnd(&z);

    if (rc == Z_STREAM_END) {
        return z.avail_in == 0 ? NGX_OK : NGX_ABORT;
    }

    if (rc == Z_MEM_ERROR) {
        return NGX_ERROR;
    }

    return z.avail_out == 0 ? NGX_DECLINED : NGX_ABORT;
}


ngx_int_t
ngx_amt_body_unescape(ngx_str_t *s, ngx_uint_t plus)
{
    u_char     *p, *d, *last;
    ngx_int_t   n;

    p = s->data;
    d = p;
    last = p + s->len;

    while (p < last) {

        if (*p == '+' && plus) {
            *d++ = ' ';
            p++;
            continue;
        }

        if (*p != '%') {
            *d++ = *p++;
            continue;
        }

        if (last - p < 3) {
            return NGX_ERROR;
        }

        n = ngx_hextoi(p + 1, 2);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        *d++ = (u_char) n;
        p += 3;
    }

    s->len = d - s->data;

    return NGX_OK;
}


json_t *
ngx_amt_body_query(ngx_pool_t *pool, ngx_str_t *args)
{
    u_char      *p, *last, *end, *eq, *buf;
    json_t      *query;
    ngx_int_t    rc;
    ngx_str_t    key, value;
    ngx_uint_t   n;

    query = json_object();

    if (query == NULL || args->len == 0) {
        return query;
    }

    /* key and value are decoded in a copy, the raw text stays */

    buf = ngx_pnalloc(pool, 2 * args->len);
    if (buf == NULL) {
        json_decref(query);
        return NULL;
    }

    p = args->data;
    last = p + args->len;

    for (n = 0; p < last && n < NGX_AMT_QUERY_MAX; p = end + 1, n++) {

        end = ngx_strlchr(p, last, '&');
        if (end == NULL) {
            end = last;
        }

        if (end == p) {
            continue;
        }

        eq = ngx_strlchr(p, end, '=');
        if (eq == NULL) {
            eq = end;
        }

        key.len = eq - p;
        key.data = buf;
        ngx_memcpy(key.data, p, key.len);

        /* what cannot be decoded stays as it is */

        if (ngx_amt_body_unescape(&key, 1) != NGX_OK
            || !ngx_cira_utf8_valid(key.data, key.len))
        {
            key.len = eq - p;
            ngx_memcpy(key.data, p, key.len);
        }

        value.len = eq < end ? end - eq - 1 : 0;
        value.data = buf + args->len;
        ngx_memcpy(value.data, end - value.len, value.len);

        if (ngx_amt_body_unescape(&value, 1) != NGX_OK
            || !ngx_cira_utf8_valid(value.data, value.len))
        {
            value.len = eq < end ? end - eq - 1 : 0;
            ngx_memcpy(value.data, end - value.len, value.len);
        }

        if (!ngx_cira_utf8_valid(key.data, key.len)
            || !ngx_cira_utf8_valid(value.data, value.len))
        {
            continue;
        }

        rc = ngx_amt_body_add(query, key.data, key.len, &value);

        if (rc != NGX_OK) {
            json_decref(query);
            return NULL;
        }
    }

    return query;
}


static ngx_int_t
ngx_amt_body_add(json_t *object, u_char *key, size_t klen, ngx_str_t *value)
{
    json_t      *v, *old, *array;
    ngx_uint_t   many;

    many = klen > 2 && key[klen - 2] == '[' && key[klen - 1] == ']';

    if (many) {
        klen -= 2;
    }

    v = json_stringn((char *) value->data, value->len);
    if (v == NULL) {
        return NGX_ERROR;
    }

    old = json_object_getn(object, (char *) key, klen);

    if (old == NULL && !many) {
        return json_object_setn_new(object, (char *) key, klen, v) == 0
               ? NGX_OK : NGX_ERROR;
    }

    if (json_is_array(old)) {
        return json_array_append_new(old, v) == 0 ? NGX_OK : NGX_ERROR;
    }

    array = json_array();

    if (array == NULL
        || (old && json_array_append(array, old) != 0)
        || json_array_append(array, v) != 0)
    {
        json_decref(v);
        json_decref(array);
        return NGX_ERROR;
    }

    json_decref(v);

    return json_object_setn_new(object, (char *) key, klen, array) == 0
           ? NGX_OK : NGX_ERROR;
}


json_t *
ngx_amt_body_headers(ngx_http_request_t *r)
{
    u_char            lower[64];
    json_t           *headers, *v;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    headers = json_object();
    if (headers == NULL) {
        return NULL;
    }

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len > sizeof(lower)
            || !ngx_cira_utf8_valid(h[i].value.data, h[i].value.len))
        {
            continue;
        }

        ngx_strlow(lower, h[i].key.data, h[i].key.len);

        if (!ngx_cira_utf8_valid(lower, h[i].key.len)) {
            continue;
        }

        v = json_stringn((char *) h[i].value.data, h[i].value.len);

        if (v == NULL
            || json_object_setn_new(headers, (char *) lower, h[i].key.len, v)
               != 0)
        {
            json_decref(headers);
            return NULL;
        }
    }

    return headers;
}


json_t *
ngx_amt_body_cookies(ngx_http_request_t *r)
{
    u_char           *p, *last, *end, *eq;
    json_t           *cookies, *v;
    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    cookies = json_object();
    if (cookies == NULL) {
        return NULL;
    }

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {
            if (part->next == NULL) {
                break;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].key.len != 6
            || ngx_strncasecmp(h[i].key.data, (u_char *) "cookie", 6) != 0
            || !ngx_cira_utf8_valid(h[i].value.data, h[i].value.len))
        {
            continue;
        }

        last = h[i].value.data + h[i].value.len;

        for (p = h[i].value.data; p < last; p = end + 1) {

            while (p < last && *p == ' ') {
                p++;
            }

            end = ngx_strlchr(p, last, ';');
            if (end == NULL) {
                end = last;
            }

            eq = ngx_strlchr(p, end, '=');
            if (eq == NULL || eq == p) {
                continue;
            }

            v = json_stringn((char *) eq + 1, end - eq - 1);

            if (v == NULL
                || json_object_setn_new(cookies, (char *) p, eq - p, v) != 0)
            {
                json_decref(cookies);
                return NULL;
            }
        }
    }

    return cookies;
}
