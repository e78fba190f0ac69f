
/*
 * HTTP/1.1 answers; see ngx_amt_http.h.  Whatever two readers could frame in
 * two ways is refused: bare LF, folded headers, both length and chunked,
 * repeated or odd lengths, chunk extensions, transfer codings other than
 * chunked.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "wsman/ngx_amt_http.h"


#define NGX_AMT_HTTP_BODY_START  4096
#define NGX_AMT_HTTP_LINE        512


static size_t ngx_amt_http_text(ngx_amt_http_response_t *r, u_char *p,
    u_char *last);
static ngx_int_t ngx_amt_http_line(ngx_amt_http_response_t *r, u_char ch);
static ngx_int_t ngx_amt_http_grow(ngx_amt_http_response_t *r);
static ngx_int_t ngx_amt_http_status(ngx_amt_http_response_t *r);
static ngx_int_t ngx_amt_http_header(ngx_amt_http_response_t *r);
static ngx_int_t ngx_amt_http_value(ngx_amt_http_response_t *r,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_amt_http_length(ngx_amt_http_response_t *r,
    ngx_str_t *value);
static void ngx_amt_http_connection(ngx_amt_http_response_t *r,
    ngx_str_t *value);
static ngx_int_t ngx_amt_http_head_done(ngx_amt_http_response_t *r);
static ngx_int_t ngx_amt_http_body(ngx_amt_http_response_t *r, u_char *p,
    size_t size);
static ngx_int_t ngx_amt_http_finish(ngx_amt_http_response_t *r);
static ngx_int_t ngx_amt_http_refuse(ngx_amt_http_response_t *r,
    const char *reason);
static ngx_int_t ngx_amt_http_copy(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t *src);
static ngx_uint_t ngx_amt_http_is(ngx_str_t *s, const char *text);


enum {
    sw_status = 0,
    sw_header,
    sw_body,
    sw_body_close,
    sw_chunk_size,
    sw_chunk_size_lf,
    sw_chunk_data,
    sw_chunk_cr,
    sw_chunk_lf,
    sw_trailer,
    sw_done
};


void
ngx_amt_http_init(ngx_amt_http_response_t *r, ngx_pool_t *pool)
{
    ngx_memzero(r, sizeof(ngx_amt_http_response_t));

    r->pool = pool;
}


ngx_int_t
ngx_amt_http_parse(ngx_amt_http_response_t *r, u_char **pos, u_char *last)
{
    u_char     *p, ch;
    size_t      n;
    ngx_int_t   rc;

    p = *pos;
    rc = NGX_AGAIN;

    if (p < last) {
        r->started = 1;
    }

    while (p < last && rc == NGX_AGAIN) {

        switch (r->state) {

        case sw_status:
        case sw_header:
        case sw_trailer:
            n = ngx_amt_http_text(r, p, last);

            if (n) {
                p += n;
                break;
            }

            rc = ngx_amt_http_line(r, *p++);
            break;

        case sw_body:
        case sw_chunk_data:
            n = ngx_min(r->rest, (size_t) (last - p));

            rc = ngx_amt_http_body(r, p, n);

            if (rc != NGX_OK) {
                break;
            }

            p += n;
            r->rest -= n;
            rc = NGX_AGAIN;

            if (r->rest == 0) {

                if (r->state == sw_body) {
                    rc = ngx_amt_http_finish(r);

                } else {
                    r->state = sw_chunk_cr;
                }
            }

            break;

        case sw_body_close:
            rc = ngx_amt_http_body(r, p, last - p);

            if (rc == NGX_OK) {
                p = last;
                rc = NGX_AGAIN;
            }

            break;

        case sw_chunk_size:
            ch = *p++;

            if (ch == CR && r->digits) {
                r->state = sw_chunk_size_lf;
                break;
            }

            if (ch >= '0' && ch <= '9') {
                ch -= '0';

            } else if ((ch | 0x20) >= 'a' && (ch | 0x20) <= 'f') {
                ch = (u_char) ((ch | 0x20) - 'a' + 10);

            } else {
                rc = ngx_amt_http_refuse(r, "invalid chunk size");
                break;
            }

            /* zero-padded to any width up to 8 digits */

            if (++r->digits > 8) {
                rc = ngx_amt_http_refuse(r, "chunk size too long");
                break;
            }

            r->rest = r->rest * 16 + ch;
            break;

        case sw_chunk_size_lf:
            if (*p++ != LF) {
                rc = ngx_amt_http_refuse(r, "invalid chunk size");
                break;
            }

            if (r->rest > NGX_AMT_HTTP_MAX_BODY - r->body.len) {
                rc = ngx_amt_http_refuse(r, "body too large");
                break;
            }

            r->line = 0;
            r->state = r->rest ? sw_chunk_data : sw_trailer;
            break;

        case sw_chunk_cr:
            if (*p++ != CR) {
                rc = ngx_amt_http_refuse(r, "invalid chunk end");
                break;
            }

            r->state = sw_chunk_lf;
            break;

        case sw_chunk_lf:
            if (*p++ != LF) {
                rc = ngx_amt_http_refuse(r, "invalid chunk end");
                break;
            }

            r->digits = 0;
            r->rest = 0;
            r->state = sw_chunk_size;
            break;

        default: /* sw_done */
            rc = ngx_amt_http_refuse(r, "bytes after the answer");
            break;
        }
    }

    *pos = p;

    return rc;
}


/*
 * Plain characters of a line, as many as there is room for; what needs a
 * closer look is left to ngx_amt_http_line().
 */

static size_t
ngx_amt_http_text(ngx_amt_http_response_t *r, u_char *p, u_char *last)
{
    size_t  n, max;

    if (r->line && r->head[r->line - 1] == CR) {
        return 0;
    }

    max = ngx_min((size_t) (last - p), r->line_size - r->line);
    max = ngx_min(max, NGX_AMT_HTTP_MAX_HEAD - r->head_size);

    for (n = 0; n < max && p[n] >= 0x20 && p[n] != 0x7f; n++) {
        r->head[r->line + n] = p[n];
    }

    r->line += n;
    r->head_size += n;

    return n;
}


/* One byte of the status line, a header or a trailer line. */

static ngx_int_t
ngx_amt_http_line(ngx_amt_http_response_t *r, u_char ch)
{
    if (r->head_size++ == NGX_AMT_HTTP_MAX_HEAD) {
        return ngx_amt_http_refuse(r, "head too large");
    }

    if (r->line && r->head[r->line - 1] == CR) {

        if (ch != LF) {
            return ngx_amt_http_refuse(r, "CR without LF");
        }

        r->line--;

        if (r->state == sw_status) {
            return ngx_amt_http_status(r);
        }

        if (r->line) {
            return ngx_amt_http_header(r);
        }

        return r->state == sw_header ? ngx_amt_http_head_done(r)
                                     : ngx_amt_http_finish(r);
    }

    if (ch == LF) {
        return ngx_amt_http_refuse(r, "LF without CR");
    }

    if ((ch < 0x20 && ch != '\t' && ch != CR) || ch == 0x7f) {
        return ngx_amt_http_refuse(r, "control character in head");
    }

    if (r->line == r->line_size && ngx_amt_http_grow(r) != NGX_OK) {
        return NGX_ERROR;
    }

    r->head[r->line++] = ch;

    return NGX_AGAIN;
}


/* Lines are short; the cap of the head is that of a line too. */

static ngx_int_t
ngx_amt_http_grow(ngx_amt_http_response_t *r)
{
    u_char  *p;
    size_t   size;

    size = r->line_size ? 4 * r->line_size : NGX_AMT_HTTP_LINE;

    p = ngx_pnalloc(r->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    if (r->line) {
        ngx_memcpy(p, r->head, r->line);
    }

    r->head = p;
    r->line_size = size;

    return NGX_OK;
}


/* "HTTP/1.1 200 OK"; the text may be missing. */

static ngx_int_t
ngx_amt_http_status(ngx_amt_http_response_t *r)
{
    u_char      *p;
    ngx_uint_t   i;

    p = r->head;

    if (r->line < 12 || ngx_strncmp(p, "HTTP/1.", 7) != 0
        || (p[7] != '0' && p[7] != '1') || p[8] != ' '
        || (r->line > 12 && p[12] != ' '))
    {
        return ngx_amt_http_refuse(r, "not an HTTP/1 status line");
    }

    for (i = 9; i < 12; i++) {
        if (p[i] < '0' || p[i] > '9') {
            return ngx_amt_http_refuse(r, "invalid status");
        }

        r->status = r->status * 10 + (p[i] - '0');
    }

    if (r->status < 200 || r->status > 599) {
        return ngx_amt_http_refuse(r, "unexpected status");
    }

    r->http10 = (p[7] == '0');
    r->line = 0;
    r->state = sw_header;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_amt_http_header(ngx_amt_http_response_t *r)
{
    u_char      *p, *last;
    ngx_str_t    name, value;

    static const u_char  other[] = "!#$%&'*+-.^_`|~";

    p = r->head;
    last = p + r->line;

    r->line = 0;

    name.data = p;

    while (p < last && *p != ':') {

        if (!((*p >= '0' && *p <= '9')
              || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
              || ngx_strlchr((u_char *) other, (u_char *) other
                             + sizeof(other) - 1, *p)))
        {
            return ngx_amt_http_refuse(r, "invalid header name");
        }

        p++;
    }

    name.len = p - name.data;

    if (name.len == 0 || p == last) {
        return ngx_amt_http_refuse(r, "invalid header");
    }

    p++;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    value.data = p;
    value.len = last - p;

    if (r->state == sw_trailer) {
        return NGX_AGAIN;
    }

    return ngx_amt_http_value(r, &name, &value);
}


static ngx_int_t
ngx_amt_http_value(ngx_amt_http_response_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    if (ngx_amt_http_is(name, "Content-Length")) {
        return ngx_amt_http_length(r, value);
    }

    if (ngx_amt_http_is(name, "Transfer-Encoding")) {

        if (r->chunked || !ngx_amt_http_is(value, "chunked")) {
            return ngx_amt_http_refuse(r, "invalid Transfer-Encoding");
        }

        r->chunked = 1;

        return NGX_AGAIN;
    }

    if (ngx_amt_http_is(name, "Connection")) {
        ngx_amt_http_connection(r, value);

        return NGX_AGAIN;
    }

    if (ngx_amt_http_is(name, "WWW-Authenticate")) {

        if (r->n_auth == NGX_AMT_HTTP_MAX_AUTH) {
            return NGX_AGAIN;
        }

        if (ngx_amt_http_copy(r->pool, &r->auth[r->n_auth], value)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        r->n_auth++;

        return NGX_AGAIN;
    }

    if (!r->connect) {
        return NGX_AGAIN;
    }

    if (ngx_amt_http_is(name, "CIRA-State")) {

        if (r->state_seen || value->len > NGX_AMT_HTTP_MAX_STATE) {
            return ngx_amt_http_refuse(r, "invalid CIRA-State");
        }

        r->state_seen = 1;

        if (ngx_amt_http_copy(r->pool, &r->cira_state, value) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (ngx_amt_http_is(name, "CIRA-Reason")) {

        if (ngx_amt_http_copy(r->pool, &r->cira_reason, value) != NGX_OK) {
            return NGX_ERROR;
        }

    } else if (ngx_amt_http_is(name, "CIRA-Kept")) {
        r->cira_kept = ngx_amt_http_is(value, "1");

    } else if (ngx_amt_http_is(name, "CIRA-Reused")) {
        r->cira_reused = ngx_amt_http_is(value, "1");
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_amt_http_length(ngx_amt_http_response_t *r, ngx_str_t *value)
{
    ngx_int_t  n;

    if (r->length) {
        return ngx_amt_http_refuse(r, "repeated Content-Length");
    }

    n = ngx_atoi(value->data, value->len);

    if (n == NGX_ERROR) {
        return ngx_amt_http_refuse(r, "invalid Content-Length");
    }

    if (n > NGX_AMT_HTTP_MAX_BODY) {
        return ngx_amt_http_refuse(r, "body too large");
    }

    r->length = 1;
    r->rest = n;

    return NGX_AGAIN;
}


static void
ngx_amt_http_connection(ngx_amt_http_response_t *r, ngx_str_t *value)
{
    u_char     *p, *last;
    ngx_str_t   token;

    p = value->data;
    last = p + value->len;

    while (p < last) {

        if (*p == ',' || *p == ' ' || *p == '\t') {
            p++;
            continue;
        }

        token.data = p;

        while (p < last && *p != ',' && *p != ' ' && *p != '\t') {
            p++;
        }

        token.len = p - token.data;

        if (ngx_amt_http_is(&token, "close")) {
            r->close = 1;

        } else if (ngx_amt_http_is(&token, "keep-alive")) {
            r->keep = 1;
        }
    }
}


static ngx_int_t
ngx_amt_http_head_done(ngx_amt_http_response_t *r)
{
    if (r->chunked && (r->length || r->http10)) {
        return ngx_amt_http_refuse(r, "ambiguous length");
    }

    r->keepalive = !r->close && (!r->http10 || r->keep);

    if ((r->connect && r->status < 300) || r->status == 204
        || r->status == 304)
    {
        if (r->length && r->rest) {
            return ngx_amt_http_refuse(r, "body where none is allowed");
        }

        if (r->chunked) {
            return ngx_amt_http_refuse(r, "body where none is allowed");
        }

        return ngx_amt_http_finish(r);
    }

    if (r->chunked) {
        r->framing = NGX_AMT_HTTP_CHUNKED;
        r->rest = 0;
        r->state = sw_chunk_size;

        return NGX_AGAIN;
    }

    if (r->length) {

        if (r->rest == 0) {
            return ngx_amt_http_finish(r);
        }

        r->state = sw_body;

        return NGX_AGAIN;
    }

    r->keepalive = 0;

    /*
     * Some firmware answers 400 without a length, without a body, and keeps
     * the connection: what follows an error without a length is not needed.
     */

    if (r->status >= 300) {
        return ngx_amt_http_finish(r);
    }

    r->framing = NGX_AMT_HTTP_CLOSE;
    r->state = sw_body_close;

    return NGX_AGAIN;
}


static ngx_int_t
ngx_amt_http_body(ngx_amt_http_response_t *r, u_char *p, size_t size)
{
    u_char  *body;
    size_t   alloc;

    if (size > NGX_AMT_HTTP_MAX_BODY - r->body.len) {
        return ngx_amt_http_refuse(r, "body too large");
    }

    if (size > r->body_size - r->body.len) {

        alloc = ngx_max(2 * r->body_size, NGX_AMT_HTTP_BODY_START);
        alloc = ngx_max(alloc, r->body.len + size);

        if (r->framing == NGX_AMT_HTTP_LENGTH) {
            alloc = r->body.len + r->rest;
        }

        body = ngx_palloc(r->pool, alloc);
        if (body == NULL) {
            return NGX_ERROR;
        }

        if (r->body.len) {
            ngx_memcpy(body, r->body.data, r->body.len);
            ngx_explicit_memzero(r->body.data, r->body.len);
            (void) ngx_pfree(r->pool, r->body.data);
        }

        r->body.data = body;
        r->body_size = alloc;
    }

    ngx_memcpy(r->body.data + r->body.len, p, size);
    r->body.len += size;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_http_finish(ngx_amt_http_response_t *r)
{
    r->state = sw_done;

    return NGX_OK;
}


ngx_int_t
ngx_amt_http_eof(ngx_amt_http_response_t *r)
{
    if (r->state == sw_done) {
        return NGX_OK;
    }

    if (r->state == sw_body_close) {
        return ngx_amt_http_finish(r);
    }

    return ngx_amt_http_refuse(r, r->started ? "answer is cut" : "no answer");
}


static ngx_int_t
ngx_amt_http_refuse(ngx_amt_http_response_t *r, const char *reason)
{
    r->reason = reason;

    return NGX_DECLINED;
}


ngx_int_t
ngx_amt_http_request(ngx_pool_t *pool, ngx_str_t *host,
    ngx_str_t *authorization, size_t length, ngx_str_t *out)
{
    u_char  *p;
    size_t   size;

    static const char  head[] = "POST /wsman HTTP/1.1" CRLF "Host: ";
    static const char  auth[] = CRLF "Authorization: ";
    static const char  type[] =
        CRLF "Content-Type: application/soap+xml;charset=UTF-8"
        CRLF "Content-Length: ";

    size = sizeof(head) + host->len + sizeof(auth) + authorization->len
           + sizeof(type) + NGX_SIZE_T_LEN + 2 * sizeof(CRLF);

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    p = ngx_cpymem(p, head, sizeof(head) - 1);
    p = ngx_cpymem(p, host->data, host->len);

    if (authorization->len) {
        p = ngx_cpymem(p, auth, sizeof(auth) - 1);
        p = ngx_cpymem(p, authorization->data, authorization->len);
    }

    p = ngx_cpymem(p, type, sizeof(type) - 1);
    p = ngx_sprintf(p, "%uz" CRLF CRLF, length);

    out->len = p - out->data;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_http_copy(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src)
{
    dst->data = ngx_pnalloc(pool, src->len + 1);
    if (dst->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(dst->data, src->data, src->len);
    dst->len = src->len;

    return NGX_OK;
}


static ngx_uint_t
ngx_amt_http_is(ngx_str_t *s, const char *text)
{
    size_t  len;

    len = ngx_strlen(text);

    return s->len == len
           && ngx_strncasecmp(s->data, (u_char *) text, len) == 0;
}
