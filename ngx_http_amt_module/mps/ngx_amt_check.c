
/*
 * Single checks on the text form of a value.  Contract mps.md section 1.6.
 */


#include "mps/ngx_amt_validate.h"
#include "ngx_cira_api.h"


#define NGX_AMT_URL_MAX  2084


#define ngx_amt_digit(c)  ((c) >= '0' && (c) <= '9')
#define ngx_amt_alpha(c)  (((c) | 0x20) >= 'a' && ((c) | 0x20) <= 'z')


static ngx_uint_t ngx_amt_check_ipv6(ngx_str_t *s);
static ngx_int_t ngx_amt_check_digits(u_char **p, u_char *last, size_t n,
    ngx_int_t min, ngx_int_t max);


ngx_uint_t
ngx_amt_check_uuid(ngx_str_t *s)
{
    u_char  guid[NGX_CIRA_GUID_LEN];

    return ngx_cira_guid_parse(s->data, s->len, guid) == NGX_OK;
}


/* ^[+-]?([0-9]*[.])?[0-9]+$ */

ngx_uint_t
ngx_amt_check_numeric(ngx_str_t *s)
{
    u_char      *p, *last;
    ngx_uint_t   digits, point;

    if (s->len == 0 || s->len > NGX_AMT_CHECK_NUMBER_MAX) {
        return 0;
    }

    p = s->data;
    last = p + s->len;

    if (p < last && (*p == '+' || *p == '-')) {
        p++;
    }

    digits = 0;
    point = 0;

    for ( /* void */ ; p < last; p++) {

        if (ngx_amt_digit(*p)) {
            digits = 1;

        } else if (*p == '.' && !point) {
            point = 1;
            digits = 0;

        } else {
            return 0;
        }
    }

    return digits;
}


/* ^[-+]?[0-9]+$, in min..max */

ngx_uint_t
ngx_amt_check_int(ngx_str_t *s, int64_t min, int64_t max)
{
    u_char      *p, *last;
    int64_t      n;
    ngx_uint_t   minus;

    if (s->len == 0 || s->len > NGX_AMT_CHECK_NUMBER_MAX) {
        return 0;
    }

    p = s->data;
    last = p + s->len;
    minus = 0;

    if (*p == '+' || *p == '-') {
        minus = (*p++ == '-');
    }

    if (p == last) {
        return 0;
    }

    for (n = 0; p < last; p++) {

        if (!ngx_amt_digit(*p)) {
            return 0;
        }

        /* beyond 18 digits it is only "very large" */

        if (n < (int64_t) 100000000000000000) {
            n = n * 10 + (*p - '0');
        }
    }

    if (minus) {
        n = -n;
    }

    return n >= min && n <= max;
}


ngx_uint_t
ngx_amt_check_in(ngx_str_t *s, const char *list)
{
    size_t       len;
    const char  *p, *end;

    for (p = list; ; p = end + 1) {

        end = strchr(p, ',');
        len = end ? (size_t) (end - p) : strlen(p);

        if (len == s->len && ngx_memcmp(p, s->data, len) == 0) {
            return 1;
        }

        if (end == NULL) {
            return 0;
        }
    }
}


ngx_uint_t
ngx_amt_check_length(ngx_str_t *s, int64_t min, int64_t max)
{
    size_t   i;
    int64_t  n;

    for (i = 0, n = 0; i < s->len; i++) {
        n += (s->data[i] & 0xc0) != 0x80;
    }

    return n >= min && n <= max;
}


ngx_uint_t
ngx_amt_check_ipv4(ngx_str_t *s)
{
    size_t      i;
    ngx_uint_t  n, dots, digits;

    n = 0;
    dots = 0;
    digits = 0;

    for (i = 0; i < s->len; i++) {

        if (s->data[i] == '.') {

            if (digits == 0 || ++dots > 3) {
                return 0;
            }

            n = 0;
            digits = 0;
            continue;
        }

        /* no leading zeros: they read as octal elsewhere */

        if (!ngx_amt_digit(s->data[i]) || (digits && n == 0)) {
            return 0;
        }

        n = n * 10 + (s->data[i] - '0');

        if (++digits > 3 || n > 255) {
            return 0;
        }
    }

    return dots == 3 && digits;
}


static ngx_uint_t
ngx_amt_check_ipv6(ngx_str_t *s)
{
    u_char  buf[16];

    return ngx_inet6_addr(s->data, s->len, buf) == NGX_OK;
}


/*
 * Labels of letters, digits, hyphen; one trailing dot allowed.  tld: at
 * least two labels, the last one of two or more letters.
 */

ngx_uint_t
ngx_amt_check_fqdn(ngx_str_t *s, ngx_uint_t tld)
{
    u_char      *p, *last, *label;
    ngx_uint_t   labels, digits, alpha;

    p = s->data;
    last = p + s->len;

    if (p < last && last[-1] == '.') {
        last--;
    }

    if (p == last) {
        return 0;
    }

    labels = 0;
    label = p;
    digits = 1;
    alpha = 1;

    for ( /* void */ ; /* void */ ; p++) {

        if (p < last && *p != '.') {

            if (!ngx_amt_digit(*p)) {
                digits = 0;
            }

            if (!ngx_amt_alpha(*p)) {
                alpha = 0;

                if (!ngx_amt_digit(*p) && *p != '-') {
                    return 0;
                }
            }

            continue;
        }

        if (p == label || p - label > 63 || *label == '-' || p[-1] == '-') {
            return 0;
        }

        labels++;

        if (p == last) {
            break;
        }

        label = p + 1;
        digits = 1;
        alpha = 1;
    }

    if (digits) {
        return 0;
    }

    if (tld) {

        /* xn-- names are no plain letters */

        if (p - label > 4 && ngx_strncasecmp(label, (u_char *) "xn--", 4) == 0)
        {
            alpha = 1;
        }

        return labels > 1 && alpha && p - label >= 2;
    }

    return 1;
}


ngx_uint_t
ngx_amt_check_url(ngx_str_t *s)
{
    size_t      i;
    u_char     *p, *last, *q;
    ngx_int_t   port;
    ngx_str_t   host;

    if (s->len == 0 || s->len > NGX_AMT_URL_MAX) {
        return 0;
    }

    for (i = 0; i < s->len; i++) {
        if (s->data[i] <= ' ' || s->data[i] == 0x7f || s->data[i] == '<'
            || s->data[i] == '>')
        {
            return 0;
        }
    }

    p = s->data;
    last = p + s->len;

    q = ngx_strlcasestrn(p, last, (u_char *) "://", 3 - 1);

    if (q) {
        if (!((q - p == 4 && ngx_strncasecmp(p, (u_char *) "http", 4) == 0)
              || (q - p == 5 && ngx_strncasecmp(p, (u_char *) "https", 5) == 0)
              || (q - p == 3 && ngx_strncasecmp(p, (u_char *) "ftp", 3) == 0)))
        {
            return 0;
        }

        p = q + 3;

    } else if (last - p >= 2 && p[0] == '/' && p[1] == '/') {
        return 0;
    }

    for (q = p; q < last; q++) {
        if (*q == '/' || *q == '?' || *q == '#') {
            break;
        }
    }

    last = q;

    /* user:password@ */

    for (q = last; q > p; q--) {
        if (q[-1] == '@') {

            if (q - 1 == p || p[0] == ':') {
                return 0;
            }

            p = q;
            break;
        }
    }

    if (p == last) {
        return 0;
    }

    if (*p == '[') {
        q = ngx_strlchr(p, last, ']');
        if (q == NULL) {
            return 0;
        }

        host.data = p + 1;
        host.len = q - p - 1;

        if (!ngx_amt_check_ipv6(&host)) {
            return 0;
        }

        p = q + 1;

    } else {
        for (q = p; q < last && *q != ':'; q++) { /* void */ }

        host.data = p;
        host.len = q - p;

        if (!ngx_amt_check_ipv4(&host) && !ngx_amt_check_fqdn(&host, 1)) {
            return 0;
        }

        p = q;
    }

    if (p == last) {
        return 1;
    }

    if (*p++ != ':') {
        return 0;
    }

    port = ngx_atoi(p, last - p);

    return port > 0 && port < 65536;
}


/* n digits at *p, in min..max; the number, or NGX_ERROR */

static ngx_int_t
ngx_amt_check_digits(u_char **p, u_char *last, size_t n, ngx_int_t min,
    ngx_int_t max)
{
    ngx_int_t  v;

    if ((size_t) (last - *p) < n) {
        return NGX_ERROR;
    }

    v = ngx_atoi(*p, n);

    if (v == NGX_ERROR || v < min || v > max) {
        return NGX_ERROR;
    }

    *p += n;

    return v;
}


/* YYYY[-MM[-DD]][(T| )hh[:mm[:ss[.fraction]]][Z|(+|-)hh[[:]mm]]] */

ngx_uint_t
ngx_amt_check_iso8601(ngx_str_t *s)
{
    u_char      *p, *last;
    ngx_uint_t   dashes;

    p = s->data;
    last = p + s->len;

    if (ngx_amt_check_digits(&p, last, 4, 0, 9999) == NGX_ERROR) {
        return 0;
    }

    if (p == last) {
        return 1;
    }

    dashes = (*p == '-');

    if (dashes) {
        p++;
    }

    if (ngx_amt_check_digits(&p, last, 2, 1, 12) == NGX_ERROR) {
        return 0;
    }

    if (p == last) {
        return dashes;
    }

    if (dashes && *p == '-') {
        p++;

    } else if (dashes) {
        goto time;
    }

    if (ngx_amt_check_digits(&p, last, 2, 1, 31) == NGX_ERROR) {
        return 0;
    }

    if (p == last) {
        return 1;
    }

time:

    if (*p != 'T' && *p != ' ') {
        return 0;
    }

    p++;

    if (ngx_amt_check_digits(&p, last, 2, 0, 23) == NGX_ERROR) {
        return 0;
    }

    if (p < last && (*p == ':' || ngx_amt_digit(*p))) {

        p += (*p == ':');

        if (ngx_amt_check_digits(&p, last, 2, 0, 59) == NGX_ERROR) {
            return 0;
        }

        if (p < last && (*p == ':' || ngx_amt_digit(*p))) {

            p += (*p == ':');

            if (ngx_amt_check_digits(&p, last, 2, 0, 59) == NGX_ERROR) {
                return 0;
            }

            if (p < last && (*p == '.' || *p == ',')) {

                if (++p == last || !ngx_amt_digit(*p)) {
                    return 0;
                }

                while (p < last && ngx_amt_digit(*p)) {
                    p++;
                }
            }
        }
    }

    if (p == last) {
        return 1;
    }

    if (*p == 'Z' || *p == 'z') {
        return p + 1 == last;
    }

    if (*p != '+' && *p != '-') {
        return 0;
    }

    p++;

    if (ngx_amt_check_digits(&p, last, 2, 0, 23) == NGX_ERROR) {
        return 0;
    }

    if (p < last) {
        p += (*p == ':');

        if (ngx_amt_check_digits(&p, last, 2, 0, 59) == NGX_ERROR) {
            return 0;
        }
    }

    return p == last;
}
