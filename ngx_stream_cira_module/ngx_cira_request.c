
/*
 * Heads and lines of CONNECT listeners, see ngx_cira_request.h; the chunked
 * direction is in ngx_cira_chunked.c.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_request.h"
#include "ngx_cira_line.h"


#define NGX_CIRA_SEEN_RELEASE  0x01
#define NGX_CIRA_SEEN_SLOT     0x02
#define NGX_CIRA_SEEN_FRESH    0x04
#define NGX_CIRA_SEEN_TENANT   0x08
#define NGX_CIRA_SEEN_REASON   0x10
#define NGX_CIRA_SEEN_AUTH     0x20
#define NGX_CIRA_SEEN_LENGTH   0x40
#define NGX_CIRA_SEEN_HOLDER   0x80

#define ngx_cira_is(s, text)                                                  \
    ((s)->len == sizeof(text) - 1                                             \
     && ngx_strncasecmp((s)->data, (u_char *) text, sizeof(text) - 1) == 0)


static ngx_int_t ngx_cira_request_line(ngx_cira_request_t *r, u_char *p,
    u_char *last);
static ngx_int_t ngx_cira_request_header(ngx_cira_request_t *r,
    ngx_str_t *name, ngx_str_t *value);
static ngx_int_t ngx_cira_request_once(ngx_cira_request_t *r,
    ngx_uint_t flag);
static ngx_int_t ngx_cira_request_error(ngx_cira_request_t *r,
    ngx_uint_t status, char *text);
static ngx_int_t ngx_cira_request_number(u_char *p, u_char *last,
    uint64_t max, uint64_t *n);
static ngx_int_t ngx_cira_request_holder(ngx_str_t *value, uint64_t *n);
static u_char *ngx_cira_entry_escape(u_char *p, u_char *last, u_char *text,
    size_t len);
static ngx_int_t ngx_cira_entry_unescape(u_char *text, size_t size,
    u_char *len, u_char *p, u_char *last);


static struct {
    ngx_str_t          name;
    ngx_cira_method_e  method;
} ngx_cira_methods[] = {
    { ngx_string("CONNECT"), NGX_CIRA_CONNECT },
    { ngx_string("LIST"), NGX_CIRA_LIST },
    { ngx_string("LOCATE"), NGX_CIRA_LOCATE },
    { ngx_string("EVICT"), NGX_CIRA_EVICT },
    { ngx_string("ASK"), NGX_CIRA_ASK }
};


ngx_int_t
ngx_cira_request_parse(ngx_cira_request_t *r, u_char **pos, u_char *last)
{
    ngx_int_t  rc;
    ngx_str_t  name, value;

    for ( ;; ) {
        rc = ngx_cira_line_read(&r->line, pos, last);

        if (rc == NGX_AGAIN) {
            return NGX_AGAIN;
        }

        if (rc == NGX_ERROR) {
            return ngx_cira_request_error(r, 400, r->line.total
                                                  > NGX_CIRA_HEAD_MAX
                                                  ? "request head too large"
                                                  : "invalid character");
        }

        if (!r->first) {
            r->first = 1;
            rc = ngx_cira_request_line(r, r->line.data,
                                       r->line.data + r->line.len);

        } else if (r->line.len == 0) {
            return NGX_OK;

        } else if (ngx_cira_line_header(&r->line, &name, &value) == NGX_OK) {
            rc = ngx_cira_request_header(r, &name, &value);

        } else {
            rc = ngx_cira_request_error(r, 400, "invalid header");
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }

        r->line.len = 0;
    }
}


static ngx_int_t
ngx_cira_request_line(ngx_cira_request_t *r, u_char *p, u_char *last)
{
    u_char      *target, *version;
    uint64_t     n;
    ngx_str_t    method;
    ngx_uint_t   i;

    /* a method is a token of letters, whatever it asks for */

    method.data = p;

    while (p < last && *p >= 'A' && *p <= 'Z') {
        p++;
    }

    method.len = p - method.data;

    if (method.len == 0 || p == last || *p++ != ' ') {
        return ngx_cira_request_error(r, 400, "invalid request line");
    }

    target = p;

    while (p < last && *p != ' ') {
        p++;
    }

    version = p + 1;

    if (p == target || p == last || last - version != 8
        || (ngx_memcmp(version, "HTTP/1.1", 8) != 0
            && ngx_memcmp(version, "HTTP/1.0", 8) != 0))
    {
        return ngx_cira_request_error(r, 400, "invalid request line");
    }

    last = p;
    p = target;

    for (i = 0; i < sizeof(ngx_cira_methods) / sizeof(ngx_cira_methods[0]);
         i++)
    {
        if (method.len == ngx_cira_methods[i].name.len
            && ngx_memcmp(method.data, ngx_cira_methods[i].name.data,
                          method.len)
               == 0)
        {
            r->method = ngx_cira_methods[i].method;
            break;
        }
    }

    if (r->method == 0) {
        return ngx_cira_request_error(r, 405, "only CONNECT is served here");
    }

    if (r->method == NGX_CIRA_LIST && last - p == 1 && *p == '*') {
        return NGX_OK;
    }

    if (last - p < NGX_CIRA_GUID_TEXT
        || ngx_cira_guid_parse(p, NGX_CIRA_GUID_TEXT, r->guid) != NGX_OK)
    {
        return ngx_cira_request_error(r, 400, "target is not <guid>:<port>");
    }

    p += NGX_CIRA_GUID_TEXT;

    if (r->method == NGX_CIRA_LIST || r->method == NGX_CIRA_LOCATE) {

        if (p != last) {
            return ngx_cira_request_error(r, 400, "target is not a GUID");
        }

        r->cursor = 1;

        return NGX_OK;
    }

    if (p == last || *p++ != ':'
        || ngx_cira_request_number(p, last, r->method == NGX_CIRA_CONNECT
                                            ? 65535 : (uint64_t) INT64_MAX, &n)
           != NGX_OK)
    {
        return ngx_cira_request_error(r, 400, "target is not <guid>:<port>");
    }

    if (r->method == NGX_CIRA_EVICT) {
        r->generation = n;
        return NGX_OK;
    }

    if (r->method == NGX_CIRA_ASK) {
        r->question = n;
        return NGX_OK;
    }

    switch (n) {

    case 16992:
    case 16993:
    case 16994:
    case 16995:
    case 5900:
        r->port = (ngx_uint_t) n;
        return NGX_OK;

    default:
        return ngx_cira_request_error(r, 403, "no AMT service has this port");
    }
}


static ngx_int_t
ngx_cira_request_header(ngx_cira_request_t *r, ngx_str_t *name,
    ngx_str_t *value)
{
    size_t    i;
    uint64_t  n;

    if (ngx_cira_is(name, "CIRA-Release")) {

        if (!ngx_cira_is(value, "chunked")) {
            return ngx_cira_request_error(r, 400, "invalid CIRA-Release");
        }

        r->release = 1;

        return ngx_cira_request_once(r, NGX_CIRA_SEEN_RELEASE);
    }

    if (ngx_cira_is(name, "CIRA-Slot")) {

        if (!ngx_cira_is(value, "wsman")) {
            return ngx_cira_request_error(r, 400, "invalid CIRA-Slot");
        }

        r->slot = 1;

        return ngx_cira_request_once(r, NGX_CIRA_SEEN_SLOT);
    }

    if (ngx_cira_is(name, "CIRA-Holder")) {

        if (ngx_cira_request_holder(value, &r->holder) != NGX_OK) {
            return ngx_cira_request_error(r, 400, "invalid CIRA-Holder");
        }

        return ngx_cira_request_once(r, NGX_CIRA_SEEN_HOLDER);
    }

    if (ngx_cira_is(name, "CIRA-Fresh")) {

        if (value->len != 1 || (value->data[0] | 1) != '1') {
            return ngx_cira_request_error(r, 400, "invalid CIRA-Fresh");
        }

        r->fresh = value->data[0] & 1;

        return ngx_cira_request_once(r, NGX_CIRA_SEEN_FRESH);
    }

    if (ngx_cira_is(name, "CIRA-Tenant")) {

        if (value->len > NGX_CIRA_TENANT_LEN) {
            return ngx_cira_request_error(r, 400, "invalid CIRA-Tenant");
        }

        for (i = 0; i < value->len; i++) {
            if (value->data[i] <= ' ' || value->data[i] > '~') {
                return ngx_cira_request_error(r, 400, "invalid CIRA-Tenant");
            }
        }

        ngx_memcpy(r->tenant, value->data, value->len);
        r->tenant_len = value->len;
        r->has_tenant = 1;

        return ngx_cira_request_once(r, NGX_CIRA_SEEN_TENANT);
    }

    if (ngx_cira_is(name, "CIRA-Reason")) {

        if (ngx_cira_request_number(value->data, value->data + value->len,
                                    255, &n)
            != NGX_OK)
        {
            return ngx_cira_request_error(r, 400, "invalid CIRA-Reason");
        }

        r->reason = (ngx_uint_t) n;

        return ngx_cira_request_once(r, NGX_CIRA_SEEN_REASON);
    }

    if (ngx_cira_is(name, "Proxy-Authorization")) {

        if (value->len > sizeof("Basic ") - 1
            && ngx_strncasecmp(value->data, (u_char *) "Basic ",
                               sizeof("Basic ") - 1)
               == 0)
        {
            r->auth_len = value->len - (sizeof("Basic ") - 1);

            if (r->auth_len > NGX_CIRA_AUTH_MAX) {
                r->auth_len = 0;
                return ngx_cira_request_error(r, 400,
                                              "Proxy-Authorization too long");
            }

            ngx_memcpy(r->auth, value->data + sizeof("Basic ") - 1,
                       r->auth_len);
        }

        return ngx_cira_request_once(r, NGX_CIRA_SEEN_AUTH);
    }

    if (ngx_cira_is(name, "Content-Length")) {

        if (value->len != 1 || value->data[0] != '0') {
            return ngx_cira_request_error(r, 400, "request with a body");
        }

        return ngx_cira_request_once(r, NGX_CIRA_SEEN_LENGTH);
    }

    if (ngx_cira_is(name, "Transfer-Encoding")) {
        return ngx_cira_request_error(r, 400, "request with a body");
    }

    /* Host, User-Agent, Proxy-Connection and the like say nothing new */

    return NGX_OK;
}


static ngx_int_t
ngx_cira_request_once(ngx_cira_request_t *r, ngx_uint_t flag)
{
    if (r->seen & flag) {
        return ngx_cira_request_error(r, 400, "header given twice");
    }

    r->seen |= flag;

    return NGX_OK;
}


static ngx_int_t
ngx_cira_request_error(ngx_cira_request_t *r, ngx_uint_t status, char *text)
{
    r->status = status;
    r->error = text;

    return NGX_ERROR;
}


/* 1 to max in decimal, without leading zeros. */

static ngx_int_t
ngx_cira_request_number(u_char *p, u_char *last, uint64_t max, uint64_t *n)
{
    uint64_t  v;

    if (p == last || *p < '1' || *p > '9') {
        return NGX_ERROR;
    }

    for (v = 0; p < last; p++) {

        if (*p < '0' || *p > '9') {
            return NGX_ERROR;
        }

        if (v > (max - (*p - '0')) / 10) {
            return NGX_ERROR;
        }

        v = v * 10 + (*p - '0');
    }

    *n = v;

    return NGX_OK;
}


/* 16 lower-case hex digits, not all of them 0. */

static ngx_int_t
ngx_cira_request_holder(ngx_str_t *value, uint64_t *n)
{
    u_char    c;
    size_t    i;
    uint64_t  v;

    if (value->len != 16) {
        return NGX_ERROR;
    }

    for (v = 0, i = 0; i < 16; i++) {
        c = value->data[i];

        if (c >= '0' && c <= '9') {
            c -= '0';

        } else if (c >= 'a' && c <= 'f') {
            c -= 'a' - 10;

        } else {
            return NGX_ERROR;
        }

        v = v << 4 | c;
    }

    *n = v;

    return v ? NGX_OK : NGX_ERROR;
}


u_char *
ngx_cira_request_write(u_char *p, u_char *last, ngx_cira_request_t *r)
{
    u_char  guid[NGX_CIRA_GUID_TEXT];

    (void) ngx_cira_guid_text(guid, r->guid);

    p = ngx_slprintf(p, last, "CONNECT %*s:%ui HTTP/1.1" CRLF,
                     sizeof(guid), guid, r->port);

    if (r->release) {
        p = ngx_slprintf(p, last, "CIRA-Release: chunked" CRLF);
    }

    if (r->slot) {
        p = ngx_slprintf(p, last, "CIRA-Slot: wsman" CRLF);
    }

    if (r->holder) {
        p = ngx_slprintf(p, last, "CIRA-Holder: %016xL" CRLF, r->holder);
    }

    if (r->fresh) {
        p = ngx_slprintf(p, last, "CIRA-Fresh: 1" CRLF);
    }

    if (r->has_tenant) {
        p = ngx_slprintf(p, last, "CIRA-Tenant: %*s" CRLF,
                         r->tenant_len, r->tenant);
    }

    p = ngx_slprintf(p, last, CRLF);

    /* ngx_slprintf() stops at last without a word */

    return p < last ? p : NULL;
}


ngx_int_t
ngx_cira_response_parse(ngx_cira_response_t *r, u_char **pos, u_char *last)
{
    u_char     *p;
    uint64_t    n;
    ngx_int_t   rc;
    ngx_str_t   name, value;

    for ( ;; ) {
        rc = ngx_cira_line_read(&r->line, pos, last);

        if (rc != NGX_OK) {
            return rc;
        }

        if (!r->first) {
            r->first = 1;
            p = r->line.data;

            if (r->line.len < sizeof("HTTP/1.1 200") - 1
                || ngx_memcmp(p, "HTTP/1.", 7) != 0
                || (p[7] != '0' && p[7] != '1') || p[8] != ' '
                || (r->line.len > 12 && p[12] != ' ')
                || ngx_cira_request_number(p + 9, p + 12, 599, &n) != NGX_OK)
            {
                return NGX_ERROR;
            }

            r->status = (ngx_uint_t) n;
            r->line.len = 0;
            continue;
        }

        if (r->line.len == 0) {
            return NGX_OK;
        }

        if (ngx_cira_line_header(&r->line, &name, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_cira_is(&name, "Content-Length")) {

            if (r->has_length) {
                return NGX_ERROR;
            }

            r->has_length = 1;

            if (value.len == 1 && value.data[0] == '0') {
                n = 0;

            } else if (ngx_cira_request_number(value.data,
                                               value.data + value.len,
                                               NGX_MAX_INT32_VALUE, &n)
                       != NGX_OK)
            {
                return NGX_ERROR;
            }

            r->length = (size_t) n;

        } else if (ngx_cira_is(&name, "CIRA-Next")) {

            if (ngx_cira_guid_parse(value.data, value.len, r->next)
                != NGX_OK)
            {
                return NGX_ERROR;
            }

            r->has_next = 1;
        }

        r->line.len = 0;
    }
}


u_char *
ngx_cira_response_open(u_char *p, u_char *last, ngx_uint_t reused,
    ngx_uint_t kept, ngx_str_t *state)
{
    p = ngx_slprintf(p, last, "HTTP/1.1 200 OK" CRLF
                     "CIRA-Reused: %ui" CRLF, reused);

    if (kept) {
        p = ngx_slprintf(p, last, "CIRA-Kept: 1" CRLF);
    }

    if (state->len) {
        p = ngx_slprintf(p, last, "CIRA-State: %V" CRLF, state);
    }

    p = ngx_slprintf(p, last, CRLF);

    return p < last ? p : NULL;
}


u_char *
ngx_cira_response_error(u_char *p, u_char *last, ngx_uint_t status,
    ngx_uint_t apf, char *text)
{
    char  *phrase;

    switch (status) {
    case 400:
        phrase = "Bad Request";
        break;

    case 403:
        phrase = "Forbidden";
        break;

    case 404:
        phrase = "Not Found";
        break;

    case 405:
        phrase = "Method Not Allowed";
        break;

    case 407:
        phrase = "Proxy Authentication Required";
        break;

    case 408:
        phrase = "Request Timeout";
        break;

    case 502:
        phrase = "Bad Gateway";
        break;

    case 503:
        phrase = "Service Unavailable";
        break;

    case 504:
        phrase = "Gateway Timeout";
        break;

    default:
        status = 500;
        phrase = "Internal Server Error";
    }

    p = ngx_slprintf(p, last, "HTTP/1.1 %ui %s" CRLF
                     "Connection: close" CRLF
                     "Content-Type: text/plain" CRLF, status, phrase);

    if (status == 405) {
        p = ngx_slprintf(p, last, "Allow: CONNECT" CRLF);
    }

    if (status == 407) {
        p = ngx_slprintf(p, last, "Proxy-Authenticate: Basic "
                         "realm=\"cira_connect\"" CRLF);
    }

    if (apf) {
        p = ngx_slprintf(p, last, "CIRA-Reason: %ui" CRLF, apf);
    }

    p = ngx_slprintf(p, last, "Content-Length: %uz" CRLF CRLF "%s" "\n",
                     ngx_strlen(text) + 1, text);

    return p < last ? p : NULL;
}


u_char *
ngx_cira_entry_write(u_char *p, u_char *last, ngx_cira_info_t *info)
{
    u_char  guid[NGX_CIRA_GUID_TEXT];

    (void) ngx_cira_guid_text(guid, info->guid);

    p = ngx_slprintf(p, last, "%*s %uL %L %L ", sizeof(guid), guid,
                     info->generation, info->connected, info->last_seen);

    p = ngx_cira_entry_escape(p, last, info->tenant, info->tenant_len);

    if (p == NULL || p == last) {
        return NULL;
    }

    *p++ = ' ';

    p = ngx_cira_entry_escape(p, last, info->addr, info->addr_len);

    if (p == NULL || p == last) {
        return NULL;
    }

    *p++ = LF;

    return p;
}


/* Visible characters but "%" as they are, others as %XX; empty is "-". */

static u_char *
ngx_cira_entry_escape(u_char *p, u_char *last, u_char *text, size_t len)
{
    size_t  i;

    if (len == 0) {
        return p < last ? ngx_cpymem(p, "-", 1) : NULL;
    }

    for (i = 0; i < len; i++) {

        if (last - p < 3) {
            return NULL;
        }

        if (text[i] <= ' ' || text[i] > '~' || text[i] == '%'
            || (text[i] == '-' && len == 1))
        {
            p = ngx_sprintf(p, "%%%02Xi", (ngx_int_t) text[i]);

        } else {
            *p++ = text[i];
        }
    }

    return p;
}


ngx_int_t
ngx_cira_entry_parse(u_char *p, size_t len, ngx_cira_info_t *info)
{
    u_char      *last, *start, *field[6];
    size_t       size[6];
    uint64_t     n[3];
    ngx_uint_t   i;

    ngx_memzero(info, sizeof(ngx_cira_info_t));

    last = p + len;

    for (i = 0; i < 6; i++) {
        start = p;

        while (p < last && *p != ' ') {
            p++;
        }

        field[i] = start;
        size[i] = p - start;

        if (size[i] == 0 || (i < 5 && p == last)) {
            return NGX_ERROR;
        }

        p++;
    }

    if (p != last + 1
        || ngx_cira_guid_parse(field[0], size[0], info->guid) != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; i < 3; i++) {
        if (ngx_cira_request_number(field[i + 1], field[i + 1] + size[i + 1],
                                    (uint64_t) INT64_MAX, &n[i])
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    info->generation = n[0];
    info->connected = (int64_t) n[1];
    info->last_seen = (int64_t) n[2];

    if (ngx_cira_entry_unescape(info->tenant, sizeof(info->tenant),
                                &info->tenant_len, field[4],
                                field[4] + size[4])
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_cira_entry_unescape(info->addr, sizeof(info->addr),
                                   &info->addr_len, field[5],
                                   field[5] + size[5]);
}


static ngx_int_t
ngx_cira_entry_unescape(u_char *text, size_t size, u_char *len, u_char *p,
    u_char *last)
{
    size_t     n;
    ngx_int_t  c;

    if (last - p == 1 && *p == '-') {
        return NGX_OK;
    }

    for (n = 0; p < last; n++) {

        if (n == size) {
            return NGX_ERROR;
        }

        if (*p <= ' ' || *p > '~') {
            return NGX_ERROR;
        }

        if (*p != '%') {
            text[n] = *p++;
            continue;
        }

        if (last - p < 3) {
            return NGX_ERROR;
        }

        c = ngx_hextoi(p + 1, 2);

        if (c == NGX_ERROR) {
            return NGX_ERROR;
        }

        text[n] = (u_char) c;
        p += 3;
    }

    *len = (u_char) n;

    return NGX_OK;
}
