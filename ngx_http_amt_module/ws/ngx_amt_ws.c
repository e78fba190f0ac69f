
/*
 * RFC 6455 codec, see ngx_amt_ws.h.
 */


#include "ws/ngx_amt_ws.h"


typedef enum {
    sw_first = 0,
    sw_second,
    sw_length,
    sw_mask,
    sw_payload,
    sw_control,
    sw_closed,
    sw_failed
} ngx_amt_ws_state_e;


static ngx_int_t ngx_amt_ws_first(ngx_amt_ws_reader_t *r, u_char ch);
static ngx_int_t ngx_amt_ws_second(ngx_amt_ws_reader_t *r, u_char ch);
static ngx_int_t ngx_amt_ws_length(ngx_amt_ws_reader_t *r);
static ngx_amt_ws_event_e ngx_amt_ws_piece(ngx_amt_ws_reader_t *r, u_char **p,
    u_char *last);
static ngx_amt_ws_event_e ngx_amt_ws_control(ngx_amt_ws_reader_t *r);
static ngx_amt_ws_event_e ngx_amt_ws_closed(ngx_amt_ws_reader_t *r);
static ngx_int_t ngx_amt_ws_fail(ngx_amt_ws_reader_t *r, ngx_uint_t code,
    const char *error);
static void ngx_amt_ws_unmask(ngx_amt_ws_reader_t *r, u_char *p, size_t len);


void
ngx_amt_ws_reader_init(ngx_amt_ws_reader_t *r, uint64_t max_frame,
    uint64_t max_message)
{
    ngx_memzero(r, sizeof(ngx_amt_ws_reader_t));

    r->max_frame = max_frame;
    r->max_message = max_message;
}


ngx_uint_t
ngx_amt_ws_reader_idle(ngx_amt_ws_reader_t *r)
{
    return r->state == sw_first && !r->opened;
}


ngx_amt_ws_event_e
ngx_amt_ws_read(ngx_amt_ws_reader_t *r, u_char **p, u_char *last)
{
    u_char              ch;
    ngx_amt_ws_event_e  ev;

    for ( ;; ) {

        if (r->state == sw_payload) {
            ev = ngx_amt_ws_piece(r, p, last);

            if (ev == NGX_AMT_WS_EV_MORE && r->state != sw_payload) {
                continue;
            }

            return ev;
        }

        if (r->state == sw_closed) {
            return NGX_AMT_WS_EV_CLOSE;
        }

        if (r->state == sw_failed) {
            return NGX_AMT_WS_EV_FAILED;
        }

        if (r->state == sw_control && r->rest == 0) {
            return ngx_amt_ws_control(r);
        }

        if (*p == last) {
            return NGX_AMT_WS_EV_MORE;
        }

        ch = *(*p)++;

        switch (r->state) {

        case sw_first:

            if (ngx_amt_ws_first(r, ch) != NGX_OK) {
                return NGX_AMT_WS_EV_FAILED;
            }

            break;

        case sw_second:

            if (ngx_amt_ws_second(r, ch) != NGX_OK) {
                return NGX_AMT_WS_EV_FAILED;
            }

            break;

        case sw_length:

            r->rest = (r->rest << 8) | ch;
            r->need--;

            if (r->need == 0 && ngx_amt_ws_length(r) != NGX_OK) {
                return NGX_AMT_WS_EV_FAILED;
            }

            break;

        case sw_mask:

            r->mask[4 - r->need] = ch;
            r->need--;

            if (r->need == 0) {
                r->phase = 0;
                r->fill = 0;
                r->state = (r->op & 0x8) ? sw_control : sw_payload;
            }

            break;

        default: /* sw_control */

            r->control[r->fill++] = ch ^ r->mask[r->phase];
            r->phase = (r->phase + 1) & 3;
            r->rest--;

            break;
        }
    }
}


static ngx_int_t
ngx_amt_ws_first(ngx_amt_ws_reader_t *r, u_char ch)
{
    r->op = ch & 0x0f;
    r->fin = (ch & NGX_AMT_WS_FIN) ? 1 : 0;
    r->state = sw_second;

    if (ch & 0x70) {
        return ngx_amt_ws_fail(r, NGX_AMT_WS_PROTOCOL, "reserved bit is set");
    }

    switch (r->op) {

    case NGX_AMT_WS_CONTINUATION:

        if (!r->opened) {
            return ngx_amt_ws_fail(r, NGX_AMT_WS_PROTOCOL,
                                   "nothing to continue");
        }

        return NGX_OK;

    case NGX_AMT_WS_TEXT:
    case NGX_AMT_WS_BINARY:

        if (r->opened) {
            return ngx_amt_ws_fail(r, NGX_AMT_WS_PROTOCOL,
                                   "message within a message");
        }

        r->opened = 1;
        r->begun = 0;
        r->total = 0;
        r->text = (r->op == NGX_AMT_WS_TEXT);
        ngx_memzero(&r->utf8, sizeof(ngx_amt_ws_utf8_t));

        return NGX_OK;

    case NGX_AMT_WS_CLOSE:
    case NGX_AMT_WS_PING:
    case NGX_AMT_WS_PONG:

        if (!r->fin) {
            return ngx_amt_ws_fail(r, NGX_AMT_WS_PROTOCOL,
                                   "fragmented control frame");
        }

        return NGX_OK;

    default:

        return ngx_amt_ws_fail(r, NGX_AMT_WS_PROTOCOL, "reserved opcode");
    }
}


static ngx_int_t
ngx_amt_ws_second(ngx_amt_ws_reader_t *r, u_char ch)
{
    if (!(ch & 0x80)) {
        return ngx_amt_ws_fail(r, NGX_AMT_WS_PROTOCOL, "frame is not masked");
    }

    ch &= 0x7f;

    if ((r->op & 0x8) && ch > NGX_AMT_WS_CONTROL_MAX) {
        return ngx_amt_ws_fail(r, NGX_AMT_WS_PROTOCOL,
                               "control frame is too long");
    }

    if (r->op == NGX_AMT_WS_CLOSE && ch == 1) {
        return ngx_amt_ws_fail(r, NGX_AMT_WS_PROTOCOL, "half a close code");
    }

    if (ch > 125) {
        r->rest = 0;
        r->wide = (ch == 127);
        r->need = r->wide ? 8 : 2;
        r->state = sw_length;

        return NGX_OK;
    }

    r->rest = ch;

    if (r->op & 0x8) {
        r->need = 4;
        r->state = sw_mask;

        return NGX_OK;
    }

    r->wide = 0;

    return ngx_amt_ws_length(r);
}


static ngx_int_t
ngx_amt_ws_length(ngx_amt_ws_reader_t *r)
{
    if (r->state == sw_length) {

        if (r->rest >> 63) {
            return ngx_amt_ws_fail(r, NGX_AMT_WS_PROTOCOL,
                                   "length has its highest bit set");
        }

        if (r->rest < 126 || (r->wide && r->rest < 65536)) {
            return ngx_amt_ws_fail(r, NGX_AMT_WS_PROTOCOL,
                                   "length is not written the shortest way");
        }
    }

    if (r->max_frame && r->rest > r->max_frame) {
        return ngx_amt_ws_fail(r, NGX_AMT_WS_TOO_BIG, "frame is too big");
    }

    if (r->max_message) {

        /* total is never above it */

        if (r->rest > r->max_message - r->total) {
            return ngx_amt_ws_fail(r, NGX_AMT_WS_TOO_BIG,
                                   "message is too big");
        }

        r->total += r->rest;
    }

    r->need = 4;
    r->state = sw_mask;

    return NGX_OK;
}


static ngx_amt_ws_event_e
ngx_amt_ws_piece(ngx_amt_ws_reader_t *r, u_char **p, u_char *last)
{
    u_char    *bad;
    size_t     n;

    n = last - *p;

    if (n >= r->rest) {
        n = (size_t) r->rest;

    } else if (n == 0) {
        return NGX_AMT_WS_EV_MORE;
    }

    if (n == 0 && !r->fin) {
        r->state = sw_first;
        return NGX_AMT_WS_EV_MORE;
    }

    r->data = *p;
    r->len = n;
    r->last = 0;

    if (n) {
        ngx_amt_ws_unmask(r, *p, n);
        *p += n;
        r->rest -= n;
    }

    if (r->text) {
        bad = r->data;

        if (n) {
            bad = ngx_amt_ws_utf8(&r->utf8, r->data, r->data + n);
        }

        if (bad < r->data + n) {
            r->len = bad - r->data;
            (void) ngx_amt_ws_fail(r, NGX_AMT_WS_BAD_DATA,
                                   "text is not UTF-8");

        } else if (r->rest == 0 && r->fin && r->utf8.need) {
            (void) ngx_amt_ws_fail(r, NGX_AMT_WS_BAD_DATA,
                                   "text ends within a character");
        }

        if (r->state == sw_failed) {

            if (r->len == 0) {
                return NGX_AMT_WS_EV_FAILED;
            }

            goto data;
        }
    }

    if (r->rest == 0) {
        r->state = sw_first;

        if (r->fin) {
            r->last = 1;
            r->opened = 0;
        }
    }

data:

    r->first = !r->begun;
    r->begun = 1;

    return NGX_AMT_WS_EV_DATA;
}


static ngx_amt_ws_event_e
ngx_amt_ws_control(ngx_amt_ws_reader_t *r)
{
    r->state = sw_first;
    r->data = r->control;
    r->len = r->fill;

    switch (r->op) {

    case NGX_AMT_WS_PING:
        return NGX_AMT_WS_EV_PING;

    case NGX_AMT_WS_PONG:
        return NGX_AMT_WS_EV_PONG;

    default:
        return ngx_amt_ws_closed(r);
    }
}


static ngx_amt_ws_event_e
ngx_amt_ws_closed(ngx_amt_ws_reader_t *r)
{
    u_char             *last;
    ngx_amt_ws_utf8_t   utf8;

    r->code = NGX_AMT_WS_NO_STATUS;

    if (r->len) {
        r->code = r->control[0] << 8 | r->control[1];
        r->data += 2;
        r->len -= 2;

        if (!ngx_amt_ws_code_valid(r->code)) {
            (void) ngx_amt_ws_fail(r, NGX_AMT_WS_PROTOCOL,
                                   "invalid close code");
            return NGX_AMT_WS_EV_FAILED;
        }

        ngx_memzero(&utf8, sizeof(ngx_amt_ws_utf8_t));
        last = r->data + r->len;

        if (ngx_amt_ws_utf8(&utf8, r->data, last) != last || utf8.need) {
            (void) ngx_amt_ws_fail(r, NGX_AMT_WS_BAD_DATA,
                                   "close reason is not UTF-8");
            return NGX_AMT_WS_EV_FAILED;
        }
    }

    r->state = sw_closed;

    return NGX_AMT_WS_EV_CLOSE;
}


static ngx_int_t
ngx_amt_ws_fail(ngx_amt_ws_reader_t *r, ngx_uint_t code, const char *error)
{
    r->state = sw_failed;
    r->code = code;
    r->error = error;

    return NGX_DECLINED;
}


static void
ngx_amt_ws_unmask(ngx_amt_ws_reader_t *r, u_char *p, size_t len)
{
    u_char      key[8];
    uint64_t    word[2], mask;
    ngx_uint_t  i;

    for (i = 0; i < 8; i++) {
        key[i] = r->mask[(r->phase + i) & 3];
    }

    r->phase = (r->phase + len) & 3;

    ngx_memcpy(&mask, key, 8);

    for ( /* void */ ; len >= 16; len -= 16) {
        ngx_memcpy(word, p, 16);
        word[0] ^= mask;
        word[1] ^= mask;
        ngx_memcpy(p, word, 16);
        p += 16;
    }

    for (i = 0; len; len--) {
        *p++ ^= key[i++ & 3];
    }
}


size_t
ngx_amt_ws_head_len(uint64_t len)
{
    return len < 126 ? 2 : len < 65536 ? 4 : 10;
}


u_char *
ngx_amt_ws_frame(u_char *payload, u_char first, uint64_t len)
{
    u_char      *p, *start;
    ngx_uint_t   shift;

    start = payload - ngx_amt_ws_head_len(len);

    p = start;
    *p++ = first;

    if (len < 126) {
        *p = (u_char) len;
        return start;
    }

    if (len < 65536) {
        *p++ = 126;
        shift = 16;

    } else {
        *p++ = 127;
        shift = 64;
    }

    while (shift) {
        shift -= 8;
        *p++ = (u_char) (len >> shift);
    }

    return start;
}


u_char *
ngx_amt_ws_close_payload(u_char *buf, ngx_uint_t code, ngx_str_t *reason)
{
    size_t  len;

    if (code == NGX_AMT_WS_NO_STATUS) {
        return buf;
    }

    *buf++ = (u_char) (code >> 8);
    *buf++ = (u_char) code;

    if (reason == NULL || reason->len == 0) {
        return buf;
    }

    len = reason->len;

    if (len > NGX_AMT_WS_REASON_MAX) {
        len = NGX_AMT_WS_REASON_MAX;

        while (len && (reason->data[len] & 0xc0) == 0x80) {
            len--;
        }
    }

    return ngx_cpymem(buf, reason->data, len);
}


ngx_uint_t
ngx_amt_ws_code_valid(ngx_uint_t code)
{
    return (code >= 1000 && code <= 1003)
           || (code >= 1007 && code <= 1014)
           || (code >= 3000 && code <= 4999);
}
