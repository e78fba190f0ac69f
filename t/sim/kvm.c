
/*
 * KVM: an RFB 3.8 server with a test picture, a gradient and a white bar
 * that moves by eight pixels a frame.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "redir.h"


#define WIDTH   640
#define HEIGHT  400
#define BAR     8
#define FRAME   100                   /* ms */

enum { K_OPEN = 0, K_VERSION, K_SECURITY, K_INIT, K_RUN };


static void kvm_frame(tmr_t *t);


static void
put_u16(buf_t *b, unsigned v)
{
    buf_u8(b, v >> 8);
    buf_u8(b, v & 0xff);
}


/* 16 bit: 5-6-5, 8 bit: 3-3-2 */

static unsigned
pixel(redir_t *r, unsigned x, unsigned y)
{
    unsigned  bar;

    bar = (r->frame * BAR) % WIDTH;

    if (x >= bar && x < bar + BAR) {
        return r->bpp == 8 ? 0xff : 0xffff;
    }

    if (r->bpp == 8) {
        return (x * 7 / WIDTH) | (y * 7 / HEIGHT) << 3;
    }

    return (x * 31 / WIDTH) << 11 | (y * 63 / HEIGHT) << 5;
}


static void
kvm_update(redir_t *r)
{
    unsigned   x, y, v;
    buf_t     *out;

    out = &r->c->out;

    buf_u8(out, 0);
    buf_u8(out, 0);
    put_u16(out, 1);
    put_u16(out, r->x);
    put_u16(out, r->y);
    put_u16(out, r->w);
    put_u16(out, r->h);
    buf_u32(out, 0);                  /* RAW */

    for (y = r->y; y < (unsigned) r->y + r->h; y++) {
        for (x = r->x; x < (unsigned) r->x + r->w; x++) {
            v = pixel(r, x, y);
            buf_u8(out, v & 0xff);
            if (r->bpp == 16) {
                buf_u8(out, v >> 8);
            }
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

        if (p[4] != 8 && p[4] != 16) {
            return redir_bad(r, "RFB pixel format");
        }

        r->bpp = p[4];
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
        buf_str(out, "RFB 003.008\n");
        r->step = K_VERSION;
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
