
/*
 * APF messages: what an AMT device sends, and a strict reader of what a
 * server may send to it.  Everything the server does against the protocol is
 * a violation; tests fail on it.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


#define APF_MAX_DATA  1048576


void
violation_at(device_t *d, const char *fmt, ...)
{
    buf_t    b, json;
    va_list  args;

    memset(&b, 0, sizeof(b));
    memset(&json, 0, sizeof(json));

    va_start(args, fmt);
    buf_vfmt(&b, fmt, args);
    va_end(args);

    st.violations++;
    d->nviolations++;

    fprintf(stderr, "VIOLATION %s %s\n", device_guid(d), buf_cstr(&b));
    fflush(stderr);

    buf_json(&json, buf_cstr(&b));
    event(d, "violation", "\"what\":%s", buf_cstr(&json));
    buf_free(&json);
    buf_free(&b);

    if (strcmp(opt.on_violation, "exit") == 0) {
        loop_stop();
    }
}


static void
put_str(buf_t *b, const char *s)
{
    buf_u32(b, (uint32_t) strlen(s));
    buf_str(b, s);
}


void
apf_version(device_t *d)
{
    u_char  raw[16], zero[64];

    memset(zero, 0, sizeof(zero));
    device_raw_guid(d, raw);

    buf_u8(&d->out, 192);
    buf_u32(&d->out, 1);
    buf_u32(&d->out, 0);
    buf_u32(&d->out, opt.trigger);
    buf_add(&d->out, raw, 16);
    buf_add(&d->out, zero, 64);
}


void
apf_service_request(device_t *d, const char *name)
{
    buf_u8(&d->out, 5);
    put_str(&d->out, name);
}


/* password NULL: method "none" */

void
apf_userauth(device_t *d, const char *user, const char *password)
{
    buf_u8(&d->out, 50);
    put_str(&d->out, user);
    put_str(&d->out, "pfwd@amt.intel.com");

    if (password == NULL) {
        put_str(&d->out, "none");
        return;
    }

    put_str(&d->out, "password");
    buf_u8(&d->out, 0);
    put_str(&d->out, password);
}


void
apf_forward(device_t *d, unsigned port, int cancel)
{
    char  *address;

    address = device_expand(d, opt.forward_address);

    buf_u8(&d->out, 80);
    put_str(&d->out, cancel ? "cancel-tcpip-forward" : "tcpip-forward");
    buf_u8(&d->out, opt.no_want_reply ? 0 : 1);
    put_str(&d->out, address);
    buf_u32(&d->out, port);

    free(address);
}


void
apf_udp_send(device_t *d, const char *text)
{
    buf_u8(&d->out, 80);
    put_str(&d->out, "udp-send-to@amt.intel.com");
    buf_u8(&d->out, 0);
    put_str(&d->out, "192.0.2.1");
    buf_u32(&d->out, 162);
    put_str(&d->out, "192.0.2.99");
    buf_u32(&d->out, 16992);
    put_str(&d->out, text);
}


void
apf_open(device_t *d, uint32_t id, uint32_t window)
{
    buf_u8(&d->out, 90);
    put_str(&d->out, "direct-tcpip");
    buf_u32(&d->out, id);
    buf_u32(&d->out, window);
    buf_u32(&d->out, 0xffffffff);
    put_str(&d->out, "192.0.2.1");
    buf_u32(&d->out, 16997);
    put_str(&d->out, "192.0.2.99");
    buf_u32(&d->out, 49152 + id);
}


void
apf_confirm(device_t *d, uint32_t to, uint32_t id, uint32_t window)
{
    buf_u8(&d->out, 91);
    buf_u32(&d->out, to);
    buf_u32(&d->out, id);
    buf_u32(&d->out, window);
    buf_u32(&d->out, 0xffffffff);
}


void
apf_open_failure(device_t *d, uint32_t to, uint32_t reason)
{
    apf_two(d, 92, to, reason);
    buf_u32(&d->out, 0);
    buf_u32(&d->out, 0);
}


void
apf_adjust(device_t *d, uint32_t to, uint32_t n)
{
    apf_two(d, 93, to, n);
}


void
apf_data(device_t *d, uint32_t to, const void *p, size_t n)
{
    apf_two(d, 94, to, (uint32_t) n);
    buf_add(&d->out, p, n);
}


void
apf_close(device_t *d, uint32_t to)
{
    apf_one(d, 97, to);
}


void
apf_one(device_t *d, unsigned code, uint32_t a)
{
    buf_u8(&d->out, code);
    buf_u32(&d->out, a);
}


void
apf_two(device_t *d, unsigned code, uint32_t a, uint32_t b)
{
    apf_one(d, code, a);
    buf_u32(&d->out, b);
}


void
apf_disconnect(device_t *d, uint32_t reason)
{
    apf_one(d, 1, reason);
    buf_u8(&d->out, 0);
    buf_u8(&d->out, 0);
}


/* a string whose length field is at off; 0: not complete, -1: too long */

static int
str_end(const u_char *p, size_t n, size_t off, size_t max, size_t *end)
{
    uint32_t  len;

    if (n < off + 4) {
        return 0;
    }

    len = get_u32(p + off);
    if (len > max) {
        return -1;
    }

    *end = off + 4 + len;

    return n >= *end;
}


static size_t
apf_channel_open(device_t *d, const u_char *p, size_t n, int *bad)
{
    int     rc;
    char    type[65];
    size_t  t, a, o;

    rc = str_end(p, n, 1, 64, &t);
    if (rc == 1) {
        rc = str_end(p, n, t + 12, 255, &a);
    }
    if (rc == 1) {
        rc = str_end(p, n, a + 4, 255, &o);
    }

    if (rc < 0) {
        violation(d, "CHANNEL_OPEN with a string that is too long");
        *bad = 1;
        return 0;
    }

    if (rc == 0 || n < o + 4) {
        return 0;
    }

    snprintf(type, sizeof(type), "%.*s", (int) (t - 5), p + 5);

    channel_opened(d, type, get_u32(p + t), get_u32(p + t + 4),
                   get_u32(p + a));

    return o + 4;
}


/*
 * Takes one message of the server.  Returns its length, 0 when it is not
 * complete; *bad is set when the connection must end.
 */

size_t
apf_input(device_t *d, const u_char *p, size_t n, int *bad)
{
    int       rc;
    size_t    end;
    uint32_t  a;

    if (n == 0) {
        return 0;
    }

    switch (p[0]) {

    case 1:
        if (n < 7) {
            return 0;
        }

        if (p[5] || p[6]) {
            violation(d, "DISCONNECT with reserved bytes set");
        }

        session_disconnected(d, get_u32(p + 1));
        *bad = 1;
        return 7;

    case 6:
    case 51:
        end = 0;
        rc = str_end(p, n, 1, 64, &end);

        if (rc < 0) {
            break;
        }

        if (p[0] == 51) {
            end++;
        }

        if (rc == 0 || n < end) {
            return 0;
        }

        if (p[0] == 6) {
            session_service_accept(d, p + 5, end - 5);

        } else {
            if (p[end - 1] != 0) {
                violation(d, "USERAUTH_FAILURE with partial success");
            }

            session_userauth(d, 0, p + 5, end - 6);
        }

        return end;

    case 52:
        session_userauth(d, 1, NULL, 0);
        return 1;

    case 81:
        if (d->nrequests && !d->requests[0].cancel) {

            if (n < 5) {
                return 0;
            }

            session_reply(d, 1, get_u32(p + 1));
            return 5;
        }

        session_reply(d, 1, 0);
        return 1;

    case 82:
        session_reply(d, 0, 0);
        return 1;

    case 90:
        return apf_channel_open(d, p, n, bad);

    case 91:
        if (n < 17) {
            return 0;
        }

        channel_confirmed(d, get_u32(p + 1), get_u32(p + 5),
                          get_u32(p + 9));
        return 17;

    case 92:
        if (n < 17) {
            return 0;
        }

        channel_failed(d, get_u32(p + 1), get_u32(p + 5));
        return 17;

    case 93:
        if (n < 9) {
            return 0;
        }

        channel_adjusted(d, get_u32(p + 1), get_u32(p + 5));
        return 9;

    case 94:
        if (n < 9) {
            return 0;
        }

        a = get_u32(p + 5);

        if (a > APF_MAX_DATA) {
            violation(d, "CHANNEL_DATA of %u bytes", a);
            *bad = 1;
            return 0;
        }

        if (n < 9 + (size_t) a) {
            return 0;
        }

        if (channel_data_check(d, get_u32(p + 1), a) == 0) {
            channel_data(d, get_u32(p + 1), p + 9, a);
        }

        return 9 + (size_t) a;

    case 97:
        if (n < 5) {
            return 0;
        }

        channel_close_got(d, get_u32(p + 1));
        return 5;

    case 208:
        if (n < 5) {
            return 0;
        }

        if (mis(d, MIS_MUTE_KEEPALIVE) == 0) {
            apf_one(d, 209, get_u32(p + 1));
        }

        return 5;

    case 209:
        if (n < 5) {
            return 0;
        }

        session_keepalive_reply(d, get_u32(p + 1));
        return 5;

    case 210:
        if (n < 9) {
            return 0;
        }

        session_keepalive_options(d, get_u32(p + 1), get_u32(p + 5));
        return 9;
    }

    violation(d, "message %u in state %s", p[0], device_state(d));
    *bad = 1;

    return 0;
}
