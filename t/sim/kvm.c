
/*
 * KVM: an RFB 3.8 server with a test picture, gradients and a white bar that
 * moves by eight pixels a frame.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "redir.h"


#define WIDTH   640
#define HEIGHT  400
#define BAR     8
#define TILE    64
#define FRAME   100                   /* ms */

enum { K_OPEN = 0, K_VERSION, K_SECURITY, K_INIT, K_RUN };


static void kvm_frame(tmr_t *t);


static void
put_u16(buf_t *b, unsigned v)
{
    buf_u8(b, v >> 8);
    buf_u8(b, v & 0xff);
}


/* red grows to the right, green downwards, the bar is white */

static unsigned
pixel(redir_t *r, unsigned x, unsigned y)
{
    unsigned  bar, red, green, blue;

    bar = (r->frame * BAR) % WIDTH;

    if (x >= bar && x < bar + BAR) {
        red = r->max[0];
        green = r->max[1];
        blue = r->max[2];

    } else {
        red = x * r->max[0] / WIDTH;
        green = y * r->max[1] / HEIGHT;
        blue = 0;
    }

    return red << r->shift[0] | green << r->shift[1] | blue << r->shift[2];
}


/* the firmware sends tiles; viewers take no larger ones */

static void
kvm_tile(redir_t *r, unsigned x0, unsigned y0, unsigned w, unsigned h)
{
    unsigned   x, y, v;
    buf_t     *out;

    out = &r->c->out;

    put_u16(out, x0);
    put_u16(out, y0);
    put_u16(out, w);
    put_u16(out, h);
    buf_u32(out, 0);                  /* RAW */

    for (y = y0; y < y0 + h; y++) {
        for (x = x0; x < x0 + w; x++) {
            v = pixel(r, x, y);
            buf_u8(out, v & 0xff);

            if (r->bpp == 16) {
                buf_u8(out, v >> 8);
            }
        }
    }
}


static void
kvm_update(redir_t *r)
{
    unsigned  x, y, right, bottom;

    right = r->x + r->w;
    bottom = r->y + r->h;

    buf_u8(&r->c->out, 0);
    buf_u8(&r->c->out, 0);
    put_u16(&r->c->out, ((r->w + TILE - 1) / TILE)
                        * ((r->h + TILE - 1) / TILE));

    for (y = r->y; y < bottom; y += TILE) {
        for (x = r->x; x < right; x += TILE) {
            kvm_tile(r, x, y, right - x < TILE ? right - x : TILE,
                     bottom - y < TILE ? bottom - y : TILE);
        }
    }

    r->w = 0;
}


static void
kvm_frame(tmr_t *t)
{
    redir_t   *r;
    device_t  *d;

    r = t->data;
    d = r->c->d;

    /* no new picture before the last one has left: honest back-pressure */

    if (buf_left(&r->c->out)) {
        tmr_set(t, FRAME, kvm_frame, r);
        return;
    }

    r->frame++;
    kvm_update(r);
    channel_send(r->c);
    conn_flush(d);
}


/* maxima and shifts of red, green, blue as in a pixel format */

static void
kvm_format(redir_t *r, const u_char *p)
{
    unsigned  i;

    for (i = 0; i < 3; i++) {
        r->max[i] = (uint16_t) (p[2 * i] << 8 | p[2 * i + 1]);
        r->shift[i] = p[6 + i];
    }
}


static void
kvm_server_init(redir_t *r)
{
    buf_t  *out;

    out = &r->c->out;

    put_u16(out, WIDTH);
    put_u16(out, HEIGHT);
    buf_add(out, "\x10\x10\x00\x01\x00\x1f\x00\x3f\x00\x1f\x0b\x05\x00\0\0\0",
            16);
    buf_u32(out, 8);
    buf_str(out, "emulated");

    r->bpp = 16;
    kvm_format(r, (const u_char *) "\0\x1f\0\x3f\0\x1f\x0b\x05\0");
}


static long
kvm_request(redir_t *r, const u_char *p)
{
    r->x = (uint16_t) (p[2] << 8 | p[3]);
    r->y = (uint16_t) (p[4] << 8 | p[5]);
    r->w = (uint16_t) (p[6] << 8 | p[7]);
    r->h = (uint16_t) (p[8] << 8 | p[9]);

    if (r->x + r->w > WIDTH || r->y + r->h > HEIGHT || !r->w || !r->h) {
        return redir_bad(r, "RFB update of pixels that are not there");
    }

    if (p[1]) {
        tmr_set(&r->timer, FRAME, kvm_frame, r);

    } else {
        tmr_del(&r->timer);
        kvm_update(r);
    }

    return 10;
}


static long
kvm_message(redir_t *r, const u_char *p, size_t n)
{
    size_t  len;

    switch (p[0]) {

    case 0:
        if (n < 20) {
            return 0;
        }

        if ((p[4] != 8 && p[4] != 16) || p[6] || !p[7]
            || p[14] >= p[4] || p[15] >= p[4] || p[16] >= p[4])
        {
            return redir_bad(r, "RFB pixel format");
        }

        r->bpp = p[4];
        kvm_format(r, p + 8);
        return 20;

    case 2:
        if (n < 4) {
            return 0;
        }

        len = 4 + 4 * (size_t) (p[2] << 8 | p[3]);
        return n < len ? 0 : (long) len;

    case 3:
        return n < 10 ? 0 : kvm_request(r, p);

    case 4:
        if (n < 8) {
            return 0;
        }

        event(r->c->d, "key", "\"down\":%u,\"key\":%u", p[1],
              get_u32(p + 4));
        return 8;

    case 5:
        if (n < 6) {
            return 0;
        }

        event(r->c->d, "pointer", "\"buttons\":%u,\"x\":%u,\"y\":%u", p[1],
              p[2] << 8 | p[3], p[4] << 8 | p[5]);
        return 6;

    case 6:
        if (n < 8) {
            return 0;
        }

        len = get_u32(p + 4);

        if (len > 4096) {
            return redir_bad(r, "RFB cut text too long");
        }

        return n < 8 + len ? 0 : (long) (8 + len);
    }

    return redir_bad(r, "unknown RFB message");
}


void
kvm_banner(redir_t *r)
{
    buf_str(&r->c->out, "RFB 003.008\n");
    r->step = K_VERSION;
}


long
kvm_input(redir_t *r, const u_char *p, size_t n)
{
    buf_t  *out;

    out = &r->c->out;

    switch (r->step) {

    case K_OPEN:
        if (n < 8) {
            return 0;
        }

        if (p[0] != 0x40) {
            return redir_bad(r, "KVM session is not opened");
        }

        buf_add(out, "\x41\0\0\0\0\0\0\0", 8);
        kvm_banner(r);
        return 8;

    case K_VERSION:
        if (n < 12) {
            return 0;
        }

        if (memcmp(p, "RFB 003.008\n", 12) != 0) {
            return redir_bad(r, "RFB version");
        }

        buf_add(out, "\x01\x01", 2);
        r->step = K_SECURITY;
        return 12;

    case K_SECURITY:
        if (p[0] != 1) {
            return redir_bad(r, "RFB security type");
        }

        buf_u32(out, 0);
        r->step = K_INIT;
        return 1;

    case K_INIT:
        kvm_server_init(r);
        r->step = K_RUN;
        return 1;
    }

    return kvm_message(r, p, n);
}
