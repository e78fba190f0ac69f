
/*
 * JSON out.  See ngx_amt_out.h.
 */


#include "mps/ngx_amt_out.h"
#include <math.h>


#define NGX_AMT_OUT_DEPTH  128


static u_char *ngx_amt_out_room(ngx_amt_out_t *o, size_t size);
static void ngx_amt_out_comma(ngx_amt_out_t *o);
static void ngx_amt_out_quoted(ngx_amt_out_t *o, const u_char *p, size_t len);
static void ngx_amt_out_nested(ngx_amt_out_t *o, json_t *value,
    ngx_uint_t depth);


void
ngx_amt_out_init(ngx_amt_out_t *o, ngx_pool_t *pool, size_t size)
{
    ngx_memzero(o, sizeof(ngx_amt_out_t));

    o->pool = pool;

    if (size < 64) {
        size = 64;
    }

    o->start = ngx_pnalloc(pool, size);
    if (o->start == NULL) {
        o->error = 1;
        return;
    }

    o->pos = o->start;
    o->end = o->start + size;
}


/* Room for size bytes at o->pos, or NULL. */

static u_char *
ngx_amt_out_room(ngx_amt_out_t *o, size_t size)
{
    size_t   used, want;
    u_char  *p;

    if (o->error) {
        return NULL;
    }

    if (size <= (size_t) (o->end - o->pos)) {
        return o->pos;
    }

    used = o->pos - o->start;

    if (size > (size_t) NGX_MAX_INT32_VALUE - used) {
        o->error = 1;
        return NULL;
    }

    want = 2 * (size_t) (o->end - o->start);

    if (want < used + size) {
        want = used + size;
    }

    p = ngx_pnalloc(o->pool, want);
    if (p == NULL) {
        o->error = 1;
        return NULL;
    }

    ngx_memcpy(p, o->start, used);

    /* it may hold passwords; the reply's end is wiped by its owner */

    ngx_explicit_memzero(o->start, used);
    ngx_pfree(o->pool, o->start);

    o->start = p;
    o->pos = p + used;
    o->end = p + want;

    return o->pos;
}


void
ngx_amt_out_raw(ngx_amt_out_t *o, const void *p, size_t len)
{
    if (ngx_amt_out_room(o, len) == NULL) {
        return;
    }

    o->pos = ngx_cpymem(o->pos, p, len);
}


void
ngx_amt_out_text(ngx_amt_out_t *o, const char *text)
{
    ngx_amt_out_raw(o, text, ngx_strlen(text));
}


static void
ngx_amt_out_comma(ngx_amt_out_t *o)
{
    if (o->comma) {
        ngx_amt_out_raw(o, ",", 1);
    }

    o->comma = 1;
}


void
ngx_amt_out_open(ngx_amt_out_t *o, u_char c)
{
    ngx_amt_out_comma(o);
    ngx_amt_out_raw(o, &c, 1);
    o->comma = 0;
}


void
ngx_amt_out_close(ngx_amt_out_t *o, u_char c)
{
    ngx_amt_out_raw(o, &c, 1);
    o->comma = 1;
}


void
ngx_amt_out_key(ngx_amt_out_t *o, const char *name)
{
    size_t   len;
    u_char  *p;

    len = ngx_strlen(name);

    p = ngx_amt_out_room(o, len + sizeof(",\"\":") - 1);
    if (p == NULL) {
        return;
    }

    if (o->comma) {
        *p++ = ',';
    }

    *p++ = '"';
    p = ngx_cpymem(p, name, len);
    *p++ = '"';
    *p++ = ':';

    o->pos = p;
    o->comma = 0;
}


void
ngx_amt_out_string(ngx_amt_out_t *o, ngx_str_t *s)
{
    ngx_amt_out_comma(o);

    if (s->data == NULL) {
        ngx_amt_out_raw(o, "null", 4);
        return;
    }

    ngx_amt_out_quoted(o, s->data, s->len);
}


void
ngx_amt_out_cstring(ngx_amt_out_t *o, const char *s)
{
    ngx_amt_out_comma(o);
    ngx_amt_out_quoted(o, (u_char *) s, ngx_strlen(s));
}


void
ngx_amt_out_int(ngx_amt_out_t *o, int64_t n)
{
    u_char     buf[NGX_INT64_LEN], *p;
    uint64_t   u;

    /* without a format: lists are full of numbers */

    p = buf + sizeof(buf);
    u = n < 0 ? 0 - (uint64_t) n : (uint64_t) n;

    do {
        *--p = (u_char) ('0' + u % 10);
        u /= 10;
    } while (u);

    if (n < 0) {
        *--p = '-';
    }

    ngx_amt_out_comma(o);
    ngx_amt_out_raw(o, p, buf + sizeof(buf) - p);
}


void
ngx_amt_out_bool(ngx_amt_out_t *o, ngx_uint_t n)
{
    ngx_amt_out_comma(o);
    ngx_amt_out_text(o, n ? "true" : "false");
}


void
ngx_amt_out_json(ngx_amt_out_t *o, ngx_str_t *text)
{
    ngx_amt_out_comma(o);

    if (text->data == NULL) {
        ngx_amt_out_raw(o, "null", 4);
        return;
    }

    ngx_amt_out_raw(o, text->data, text->len);
}


void
ngx_amt_out_value(ngx_amt_out_t *o, json_t *value)
{
    ngx_amt_out_nested(o, value, 0);
}


static void
ngx_amt_out_nested(ngx_amt_out_t *o, json_t *value, ngx_uint_t depth)
{
    void        *i;
    u_char       buf[NGX_AMT_NUMBER_LEN];
    json_t      *v;
    size_t       n;
    const char  *key;

    if (depth > NGX_AMT_OUT_DEPTH) {
        o->error = 1;
        return;
    }

    switch (value ? json_typeof(value) : JSON_NULL) {

    case JSON_OBJECT:
        ngx_amt_out_open(o, '{');

        for (i = json_object_iter(value);
             i;
             i = json_object_iter_next(value, i))
        {
            key = json_object_iter_key(i);

            ngx_amt_out_comma(o);
            ngx_amt_out_quoted(o, (u_char *) key, ngx_strlen(key));
            ngx_amt_out_raw(o, ":", 1);
            o->comma = 0;

            ngx_amt_out_nested(o, json_object_iter_value(i), depth + 1);
        }

        ngx_amt_out_close(o, '}');
        break;

    case JSON_ARRAY:
        ngx_amt_out_open(o, '[');

        json_array_foreach(value, n, v) {
            ngx_amt_out_nested(o, v, depth + 1);
        }

        ngx_amt_out_close(o, ']');
        break;

    case JSON_STRING:
        ngx_amt_out_comma(o);
        ngx_amt_out_quoted(o, (u_char *) json_string_value(value),
                           json_string_length(value));
        break;

    case JSON_INTEGER:
        ngx_amt_out_int(o, json_integer_value(value));
        break;

    case JSON_REAL:
        ngx_amt_out_comma(o);
        n = ngx_amt_number_text(value, buf);

        if (n && (buf[0] == 'N' || buf[n - 1] == 'y')) {
            /* NaN, Infinity */
            ngx_amt_out_raw(o, "null", 4);

        } else {
            ngx_amt_out_raw(o, buf, n);
        }

        break;

    case JSON_TRUE:
        ngx_amt_out_bool(o, 1);
        break;

    case JSON_FALSE:
        ngx_amt_out_bool(o, 0);
        break;

    default: /* JSON_NULL */
        ngx_amt_out_comma(o);
        ngx_amt_out_raw(o, "null", 4);
    }
}


/* Escapes as JSON.stringify() does. */

static void
ngx_amt_out_quoted(ngx_amt_out_t *o, const u_char *p, size_t len)
{
    u_char         c, *d;
    const u_char  *last, *run;
    static u_char  hex[] = "0123456789abcdef";

    last = p + len;

    if (ngx_amt_out_room(o, len + 2) == NULL) {
        return;
    }

    d = o->pos;
    *d++ = '"';

    for ( ;; ) {

        for (run = p; p < last; p++) {
            if (*p < 0x20 || *p == '"' || *p == '\\') {
                break;
            }
        }

        d = ngx_cpymem(d, run, p - run);

        if (p == last) {
            break;
        }

        c = *p++;
        o->pos = d;

        /* the escape, what is left, and the quote */

        if (ngx_amt_out_room(o, 6 + (last - p) + 1) == NULL) {
            return;
        }

        d = o->pos;
        *d++ = '\\';

        switch (c) {
        case '"':
        case '\\':
            *d++ = c;
            break;
        case '\b':
            *d++ = 'b';
            break;
        case '\f':
            *d++ = 'f';
            break;
        case '\n':
            *d++ = 'n';
            break;
        case '\r':
            *d++ = 'r';
            break;
        case '\t':
            *d++ = 't';
            break;
        default:
            *d++ = 'u';
            *d++ = '0';
            *d++ = '0';
            *d++ = hex[c >> 4];
            *d++ = hex[c & 0xf];
        }
    }

    *d++ = '"';
    o->pos = d;
}


void
ngx_amt_out_time(ngx_amt_out_t *o, int64_t ms)
{
    u_char    buf[sizeof("\"1970-01-01T00:00:00.000Z\"") + NGX_INT64_LEN];
    ngx_tm_t  tm;

    ngx_amt_out_comma(o);

    /* up to the year 9999 */

    if (ms < 0 || ms > (int64_t) 253402300799 * 1000 + 999) {
        ngx_amt_out_raw(o, "null", 4);
        return;
    }

    ngx_gmtime((time_t) (ms / 1000), &tm);

    ngx_amt_out_raw(o, buf,
                    ngx_sprintf(buf, "\"%4d-%02d-%02dT%02d:%02d:%02d.%03dZ\"",
                                tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                                tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                                (int) (ms % 1000))
                    - buf);
}


void
ngx_amt_out_html(ngx_amt_out_t *o, ngx_str_t *s)
{
    size_t  i;
    u_char  c;

    for (i = 0; i < s->len; i++) {
        c = s->data[i];

        switch (c) {
        case '&':
            ngx_amt_out_text(o, "&amp;");
            break;
        case '<':
            ngx_amt_out_text(o, "&lt;");
            break;
        case '>':
            ngx_amt_out_text(o, "&gt;");
            break;
        case '"':
            ngx_amt_out_text(o, "&quot;");
            break;
        case '\'':
            ngx_amt_out_text(o, "&#39;");
            break;
        default:
            if (c < 0x20 || c >= 0x7f) {
                c = '?';
            }

            ngx_amt_out_raw(o, &c, 1);
        }
    }
}


ngx_int_t
ngx_amt_out_done(ngx_amt_out_t *o, ngx_str_t *text)
{
    if (o->error) {
        ngx_str_null(text);
        return NGX_ERROR;
    }

    text->data = o->start;
    text->len = o->pos - o->start;

    return NGX_OK;
}


size_t
ngx_amt_number_text(json_t *number, u_char *buf)
{
    int      prec, exp;
    char     text[NGX_AMT_NUMBER_LEN], *e, *d;
    size_t   n;
    double   v;
    u_char  *p;

    if (json_is_integer(number)) {
        return ngx_sprintf(buf, "%L", (int64_t) json_integer_value(number))
               - buf;
    }

    v = json_number_value(number);

    if (isnan(v)) {
        return ngx_sprintf(buf, "NaN") - buf;
    }

    if (isinf(v)) {
        return ngx_sprintf(buf, v < 0 ? "-Infinity" : "Infinity") - buf;
    }

    if (v == 0) {
        buf[0] = '0';
        return 1;
    }

    if (v == floor(v) && fabs(v) < 9007199254740992.0) {
        return ngx_sprintf(buf, "%L", (int64_t) v) - buf;
    }

    /* the fewest digits that read back as the same number */

    for (prec = 1; prec < 17; prec++) {
        (void) snprintf(text, sizeof(text), "%.*e", prec - 1, v);

        if (strtod(text, NULL) == v) {
            break;
        }
    }

    (void) snprintf(text, sizeof(text), "%.*e", prec - 1, v);

    e = strchr(text, 'e');
    if (e == NULL) {
        buf[0] = '0';
        return 1;
    }

    exp = atoi(e + 1);
    d = text;
    p = buf;

    if (*d == '-') {
        *p++ = '-';
        d++;
    }

    /* digits without the point */

    n = e - d;

    if (n > 1) {
        ngx_memmove(d + 1, d + 2, n - 2);
        n--;
    }

    if (exp >= 0 && exp < 21) {

        if ((int) n <= exp + 1) {
            p = ngx_cpymem(p, d, n);

            for ( /* void */ ; (int) n < exp + 1; n++) {
                *p++ = '0';
            }

        } else {
            p = ngx_cpymem(p, d, exp + 1);
            *p++ = '.';
            p = ngx_cpymem(p, d + exp + 1, n - exp - 1);
        }

    } else if (exp < 0 && exp > -7) {
        *p++ = '0';
        *p++ = '.';

        for ( /* void */ ; exp < -1; exp++) {
            *p++ = '0';
        }

        p = ngx_cpymem(p, d, n);

    } else {
        *p++ = (u_char) *d;

        if (n > 1) {
            *p++ = '.';
            p = ngx_cpymem(p, d + 1, n - 1);
        }

        *p++ = 'e';
        *p++ = exp < 0 ? '-' : '+';
        p = ngx_sprintf(p, "%d", exp < 0 ? -exp : exp);
    }

    return p - buf;
}
