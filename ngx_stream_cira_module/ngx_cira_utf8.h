
/*
 * UTF-8 as RFC 3629 section 4 has it, for both planes: no overlong forms, no
 * surrogates, nothing above U+10FFFF.  nginx's own decoder takes some invalid
 * sequences (0xf8.., wrong continuations).
 */


#ifndef _NGX_CIRA_UTF8_H_INCLUDED_
#define _NGX_CIRA_UTF8_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * Length of a character that starts with c, and what its second byte may be,
 * from *low to *high, if there is one; 0: no character starts like that.
 */

static ngx_inline size_t
ngx_cira_utf8_lead(u_char c, u_char *low, u_char *high)
{
    *low = 0x80;
    *high = 0xbf;

    if (c < 0x80) {
        return 1;
    }

    if (c < 0xc2 || c > 0xf4) {
        return 0;
    }

    if (c < 0xe0) {
        return 2;
    }

    switch (c) {

    case 0xe0:
        *low = 0xa0;
        break;

    case 0xed:
        *high = 0x9f;
        break;

    case 0xf0:
        *low = 0x90;
        break;

    case 0xf4:
        *high = 0x8f;
        break;
    }

    return c < 0xf0 ? 3 : 4;
}


/*
 * Length of the character at p, of which size bytes are there, at least one;
 * 0: none, or it is cut off.
 */

static ngx_inline size_t
ngx_cira_utf8_char(const u_char *p, size_t size)
{
    u_char  low, high;
    size_t  i, len;

    len = ngx_cira_utf8_lead(*p, &low, &high);

    if (len > size) {
        return 0;
    }

    if (len > 1 && (p[1] < low || p[1] > high)) {
        return 0;
    }

    for (i = 2; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }

    return len;
}


/* 1 when the bytes are valid UTF-8 without NUL. */

static ngx_inline ngx_uint_t
ngx_cira_utf8_valid(const u_char *p, size_t len)
{
    size_t  n;

    while (len) {
        n = ngx_cira_utf8_char(p, len);

        if (n == 0 || *p == '\0') {
            return 0;
        }

        p += n;
        len -= n;
    }

    return 1;
}


/* How much of text that was cut at len is whole characters. */

static ngx_inline size_t
ngx_cira_utf8_whole(const u_char *p, size_t len)
{
    u_char  low, high;
    size_t  i;

    for (i = len; i > 0 && len - i < 4; i--) {

        if ((p[i - 1] & 0xc0) != 0x80) {
            return ngx_cira_utf8_lead(p[i - 1], &low, &high) > len - i + 1
                   ? i - 1 : len;
        }
    }

    return len;
}


#endif /* _NGX_CIRA_UTF8_H_INCLUDED_ */
