
/*
 * Text of WebSocket messages, see ngx_amt_ws_text.h.
 *
 * What a screen sends looks random, so that a branch per character would be
 * guessed wrong every other time: blocks are either all ASCII, or are done
 * without branches.
 */


#include "ws/ngx_amt_ws_text.h"


#define NGX_AMT_WS_BLOCK  32

#define NGX_AMT_WS_HIGH   0x8080808080808080ULL


/*
 * UTF-8 as an automaton: a byte's row holds the next state of each state, at
 * the bits that the state says; all others are ERR.
 */

enum {
    sw_err = 0,
    sw_ok = 6,                           /* between two characters */
    sw_one = 12,                         /* one byte to come */
    sw_two = 18,
    sw_three = 24,
    sw_e0 = 30,                          /* two, not overlong */
    sw_ed = 36,                          /* two, no surrogate */
    sw_f0 = 42,                          /* three, not overlong */
    sw_f4 = 48                           /* three, up to U+10FFFF */
};


#define ngx_amt_ws_to(from, next)  ((uint64_t) (next) << (from))

#define ngx_amt_ws_tail  (ngx_amt_ws_to(sw_one, sw_ok)                        \
                          | ngx_amt_ws_to(sw_two, sw_one)                     \
                          | ngx_amt_ws_to(sw_three, sw_two))


static const uint64_t  ngx_amt_ws_rows[256] = {
    [0x00 ... 0x7f] = ngx_amt_ws_to(sw_ok, sw_ok),
    [0x80 ... 0x8f] = ngx_amt_ws_tail | ngx_amt_ws_to(sw_ed, sw_one)
                      | ngx_amt_ws_to(sw_f4, sw_two),
    [0x90 ... 0x9f] = ngx_amt_ws_tail | ngx_amt_ws_to(sw_ed, sw_one)
                      | ngx_amt_ws_to(sw_f0, sw_two),
    [0xa0 ... 0xbf] = ngx_amt_ws_tail | ngx_amt_ws_to(sw_e0, sw_one)
                      | ngx_amt_ws_to(sw_f0, sw_two),
    [0xc2 ... 0xdf] = ngx_amt_ws_to(sw_ok, sw_one),
    [0xe0] = ngx_amt_ws_to(sw_ok, sw_e0),
    [0xe1 ... 0xec] = ngx_amt_ws_to(sw_ok, sw_two),
    [0xed] = ngx_amt_ws_to(sw_ok, sw_ed),
    [0xee ... 0xef] = ngx_amt_ws_to(sw_ok, sw_two),
    [0xf0] = ngx_amt_ws_to(sw_ok, sw_f0),
    [0xf1 ... 0xf3] = ngx_amt_ws_to(sw_ok, sw_three),
    [0xf4] = ngx_amt_ws_to(sw_ok, sw_f4)
};


/* U+0000 to U+00FF; the second byte is nothing below U+0080 */

#define ngx_amt_ws_wide(c)                                                    \
    { (c) < 0x80 ? (c) : 0xc0 | ((c) >> 6), 0x80 | ((c) & 0x3f) }

#define ngx_amt_ws_wide4(c)                                                   \
    ngx_amt_ws_wide(c), ngx_amt_ws_wide(c + 1), ngx_amt_ws_wide(c + 2),       \
    ngx_amt_ws_wide(c + 3)

#define ngx_amt_ws_wide16(c)                                                  \
    ngx_amt_ws_wide4(c), ngx_amt_ws_wide4(c + 4), ngx_amt_ws_wide4(c + 8),    \
    ngx_amt_ws_wide4(c + 12)

#define ngx_amt_ws_wide64(c)                                                  \
    ngx_amt_ws_wide16(c), ngx_amt_ws_wide16(c + 16),                          \
    ngx_amt_ws_wide16(c + 32), ngx_amt_ws_wide16(c + 48)

static const u_char  ngx_amt_ws_wides[256][2] = {
    ngx_amt_ws_wide64(0), ngx_amt_ws_wide64(64), ngx_amt_ws_wide64(128),
    ngx_amt_ws_wide64(192)
};


static ngx_uint_t ngx_amt_ws_ascii(const u_char *p);


u_char *
ngx_amt_ws_utf8(ngx_amt_ws_utf8_t *u, u_char *p, u_char *last)
{
    u_char    *start, *end;
    uint64_t   state, next;

    /* a zeroed structure is between two characters */

    state = u->need ^ sw_ok;

    while (p < last) {

        if (last - p >= NGX_AMT_WS_BLOCK) {

            if (state == sw_ok && ngx_amt_ws_ascii(p)) {
                p += NGX_AMT_WS_BLOCK;
                continue;
            }

            end = p + NGX_AMT_WS_BLOCK;

        } else {
            end = last;
        }

        start = p;
        next = state;

        do {
            next = (ngx_amt_ws_rows[*p++] >> next) & 63;
        } while (p < end);

        if (next == sw_err) {

            /* in this block; state is left before the bad byte */

            p = start;

            for ( ;; ) {
                next = (ngx_amt_ws_rows[*p] >> state) & 63;

                if (next == sw_err) {
                    break;
                }

                state = next;
                p++;
            }

            break;
        }

        state = next;
    }

    u->need = (u_char) (state ^ sw_ok);

    return p;
}


u_char *
ngx_amt_ws_narrow(ngx_amt_ws_narrow_t *n, u_char *p, u_char *last)
{
    u_char    *d, *end, *block, ch, prev, high;
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

        if (last - p >= NGX_AMT_WS_BLOCK && ngx_amt_ws_ascii(p)) {
            ngx_memmove(d, p, NGX_AMT_WS_BLOCK);
            p += NGX_AMT_WS_BLOCK;
            d += NGX_AMT_WS_BLOCK;
            continue;
        }

        prev = 0;
        block = ngx_min(p + NGX_AMT_WS_BLOCK, last);

        while (block - p >= 8) {
            ngx_memcpy(&word, p, 8);

            if (word & (word << 1) & (word << 2) & NGX_AMT_WS_HIGH) {

                /* characters of more than two bytes */

                break;
            }

            /*
             * Each byte is written, and overwritten by the next one when
             * more of the character was to come.
             */

            for (end = p + 8; p < end; p++) {
                ch = *p;
                high = (u_char) -(ch >> 7);

                *d = (ch & (u_char) ~(high & 0xc0))
                     | (u_char) (prev << 6 & high);
                d += (ch < 0xc0);
                prev = ch;
            }
        }

        if (prev >= 0xc0) {
            n->code = prev & 0x1f;
            n->need = 1;
            continue;
        }

        if (p == block) {
            continue;
        }

        ch = *p++;

        if (ch < 0x80) {
            *d++ = ch;

        } else if (ch < 0xe0) {
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
    u_char  *last, *end, ch;

    last = src + len;

    while (src < last) {

        if (last - src >= NGX_AMT_WS_BLOCK) {

            if (ngx_amt_ws_ascii(src)) {
                ngx_memmove(dst, src, NGX_AMT_WS_BLOCK);
                src += NGX_AMT_WS_BLOCK;
                dst += NGX_AMT_WS_BLOCK;
                continue;
            }

            end = src + NGX_AMT_WS_BLOCK;

        } else {
            end = last;
        }

        do {
            ch = *src++;

            /* the second byte is overwritten when there is none */

            ngx_memcpy(dst, ngx_amt_ws_wides[ch], 2);
            dst += 1 + (ch >> 7);
        } while (src < end);
    }

    return dst;
}


/* 1: the block has no byte above 0x7f */

static ngx_uint_t
ngx_amt_ws_ascii(const u_char *p)
{
    uint64_t  word[4];

    ngx_memcpy(word, p, NGX_AMT_WS_BLOCK);

    return ((word[0] | word[1] | word[2] | word[3]) & NGX_AMT_WS_HIGH) == 0;
}
