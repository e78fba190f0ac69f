
/*
 * Text of WebSocket messages, see ngx_amt_ws_text.h.
 */


#include "ws/ngx_amt_ws_text.h"


#define NGX_AMT_WS_HIGH  0x8080808080808080ULL


u_char *
ngx_amt_ws_utf8(ngx_amt_ws_utf8_t *u, u_char *p, u_char *last)
{
    u_char    ch;
    uint64_t  word;

    while (p < last) {

        if (u->need) {

            if (*p < u->min || *p > u->max) {
                return p;
            }

            u->min = 0x80;
            u->max = 0xbf;
            u->need--;
            p++;
            continue;
        }

        while (last - p >= 8) {
            ngx_memcpy(&word, p, 8);

            if (word & NGX_AMT_WS_HIGH) {
                break;
            }

            p += 8;
        }

        if (p == last) {
            break;
        }

        ch = *p;

        if (ch < 0x80) {
            p++;
            continue;
        }

        if (ch < 0xc2) {
            return p;
        }

        if (ch < 0xe0) {

            if (last - p >= 2 && (p[1] & 0xc0) == 0x80) {
                p += 2;
                continue;
            }

            u->need = 1;
            u->min = 0x80;
            u->max = 0xbf;

        } else if (ch < 0xf0) {
            u->need = 2;
            u->min = (ch == 0xe0) ? 0xa0 : 0x80;    /* overlong */
            u->max = (ch == 0xed) ? 0x9f : 0xbf;    /* surrogates */

        } else if (ch < 0xf5) {
            u->need = 3;
            u->min = (ch == 0xf0) ? 0x90 : 0x80;    /* overlong */
            u->max = (ch == 0xf4) ? 0x8f : 0xbf;    /* above U+10FFFF */

        } else {
            return p;
        }

        p++;
    }

    return last;
}


u_char *
ngx_amt_ws_narrow(ngx_amt_ws_narrow_t *n, u_char *p, u_char *last)
{
    u_char    *d, ch;
    uint64_t   word;

    d = p;

    while (p < last) {

        if (n->need) {
            n->code = (n->code << 6) | (*p++ & 0x3f);
            n->need--;

            if (n->need == 0) {
                *d++ = (u_char) n->code;
                n->code = 0;

            } else if (n->need == 1 && n->code >= 0x10000 >> 6) {

                /*
                 * All of the high surrogate is known before the last byte
                 * of a character; two bytes at its end might be one too
                 * many.  Its low byte does not depend on 0xd800.
                 */

                *d++ = (u_char) ((n->code - (0x10000 >> 6)) >> 4);
            }

            continue;
        }

        while (last - p >= 8) {
            ngx_memcpy(&word, p, 8);

            if (word & NGX_AMT_WS_HIGH) {
                break;
            }

            ngx_memcpy(d, &word, 8);
            p += 8;
            d += 8;
        }

        if (p == last) {
            break;
        }

        ch = *p++;

        if (ch < 0x80) {
            *d++ = ch;

        } else if (ch < 0xe0) {

            if (p < last) {
                *d++ = (u_char) (ch << 6 | (*p++ & 0x3f));
                continue;
            }

            n->code = ch & 0x1f;
            n->need = 1;

        } else if (ch < 0xf0) {
            n->code = ch & 0x0f;
            n->need = 2;

        } else {
            n->code = ch & 0x07;
            n->need = 3;
        }
    }

    return d;
}


u_char *
ngx_amt_ws_widen(u_char *dst, u_char *src, size_t len)
{
    u_char    *last, ch;
    uint64_t   word;

    last = src + len;

    while (src < last) {

        while (last - src >= 8) {
            ngx_memcpy(&word, src, 8);

            if (word & NGX_AMT_WS_HIGH) {
                break;
            }

            ngx_memcpy(dst, &word, 8);
            src += 8;
            dst += 8;
        }

        for (len = ngx_min(8, last - src); len; len--) {

            /* without a branch, which could not be predicted */

            ch = *src++;
            dst[1] = 0x80 | (ch & 0x3f);
            dst[0] = (ch & 0x80) ? (0xc0 | (ch >> 6)) : ch;
            dst += 1 + (ch >> 7);
        }
    }

    return dst;
}
