
/*
 * Redirection, port 16994: start of a session, authentication by digest,
 * then the bytes belong to SOL, IDE-R or KVM.  All numbers little-endian.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "redir.h"


#define URI  "/RedirectionService"


static const char  *names[] = { "", "sol", "ider", "kvm" };


uint32_t
get_le32(const u_char *p)
{
    return p[0] | p[1] << 8 | p[2] << 16 | (uint32_t) p[3] << 24;
}


/* the peer broke the protocol inside the channel */

long
redir_bad(redir_t *r, const char *why)
{
    event(r->c->d, "redirection", "\"type\":\"%s\",\"error\":\"%s\"",
          names[r->type], why);
    channel_close(r->c);

    return -1;
}


void
redir_free(channel_t *c)
{
    redir_t  *r;

    r = c->redir;

    if (r == NULL) {
        return;
    }

    if (r->authed) {
        event(c->d, "redirection", "\"type\":\"%s\",\"state\":\"end\"",
              names[r->type]);
    }

    tmr_del(&r->timer);
    ider_free(r);
    buf_free(&r->data);
    buf_free(&r->line);
    free(r);
    c->redir = NULL;
}


static unsigned
redir_type(const u_char *p)
{
    return memcmp(p, "SOL ", 4) == 0 ? R_SOL
           : memcmp(p, "IDER", 4) == 0 ? R_IDER
           : memcmp(p, "KVMR", 4) == 0 ? R_KVM : R_NONE;
}


/* is it switched on in the settings of the device? */

static int
redir_enabled(device_t *d, unsigned type)
{
    int       state;
    class_t  *cls;

    if (type == R_KVM) {
        cls = model_class("CIM_KVMRedirectionSAP");
        state = atoi(model_get(d, cls, model_insts(d, cls),
                               "EnabledState"));
        return state == 2 || state == 6;
    }

    cls = model_class("AMT_RedirectionService");
    state = atoi(model_get(d, cls, model_insts(d, cls), "EnabledState"));

    return (state & (type == R_IDER ? 1 : 2)) != 0;
}


static int
redir_busy(redir_t *r, unsigned type)
{
    unsigned   i;
    redir_t   *other;

    for (i = 0; i < SIM_CHANNELS; i++) {
        if (r->c->d->channels[i] == NULL) {
            continue;
        }

        other = r->c->d->channels[i]->redir;

        if (other && other != r && other->type == type) {
            return 1;
        }
    }

    return 0;
}


static long
redir_start(redir_t *r, const u_char *p, size_t n)
{
    unsigned  type, status;

    if (n < 8) {
        return 0;
    }

    if (r->type) {
        return redir_bad(r, "session started twice");
    }

    type = redir_type(p + 4);
    status = type == R_NONE ? 1 : !redir_enabled(r->c->d, type) ? 3
             : redir_busy(r, type) ? 2 : 0;

    buf_u8(&r->c->out, 0x11);
    buf_u8(&r->c->out, status);
    buf_u16le(&r->c->out, 0);

    if (status == 0) {
        r->type = (uint8_t) type;
        buf_u32le(&r->c->out, 1);
        buf_u32le(&r->c->out, 0);
        buf_u8(&r->c->out, 0);
    }

    return 8;
}


static void
auth_reply(redir_t *r, unsigned status, unsigned type, buf_t *data)
{
    buf_t  *out;

    out = &r->c->out;

    buf_u8(out, 0x14);
    buf_u8(out, status);
    buf_u16le(out, 0);
    buf_u8(out, type);
    buf_u32le(out, data ? (uint32_t) buf_left(data) : 0);

    if (data) {
        buf_add(out, buf_head(data), buf_left(data));
        buf_free(data);
    }
}


static void
put_u8str(buf_t *b, const char *s)
{
    buf_u8(b, (unsigned) strlen(s));
    buf_str(b, s);
}


static void
auth_challenge(redir_t *r)
{
    buf_t  b;

    memset(&b, 0, sizeof(b));
    put_u8str(&b, device_realm(r->c->d));
    put_u8str(&b, digest_nonce(r->c->d, 1)->text);
    put_u8str(&b, "auth");
    auth_reply(r, 1, 4, &b);
}


/* user, realm, nonce, uri, cnonce, nc, response, qop */

static long
auth_digest(redir_t *r, const u_char *p, size_t n)
{
    int       stale;
    char      v[8][256];
    size_t    at;
    unsigned  i;

    for (i = 0, at = 0; i < 8; i++) {

        if (at >= n || p[at] > n - at - 1) {
            return redir_bad(r, "strings of the digest");
        }

        memcpy(v[i], p + at + 1, p[at]);
        v[i][p[at]] = '\0';
        at += 1 + p[at];
    }

    if (at != n) {
        return redir_bad(r, "bytes after the digest");
    }

    if (strcmp(v[3], URI) != 0) {
        return redir_bad(r, "uri of the digest");
    }

    if (v[6][0] == '\0') {
        auth_challenge(r);
        return 0;
    }

    if (digest_verify(r->c->d, v[0], v[1], v[2], v[3], v[5], v[4], v[7],
                      v[6], "POST", &stale)
        != 0)
    {
        auth_challenge(r);
        return 0;
    }

    r->authed = 1;
    auth_reply(r, 0, 4, NULL);
    event(r->c->d, "redirection", "\"type\":\"%s\",\"state\":\"start\"",
          names[r->type]);

    return 0;
}


static long
redir_auth(redir_t *r, const u_char *p, size_t n)
{
    buf_t     b;
    uint32_t  len;

    if (n < 9) {
        return 0;
    }

    len = get_le32(p + 5);

    if (len > 4096) {
        return redir_bad(r, "authentication too long");
    }

    if (n < 9 + len) {
        return 0;
    }

    if (r->type == R_NONE) {
        return redir_bad(r, "authentication before the start");
    }

    switch (p[4]) {

    case 0:
        memset(&b, 0, sizeof(b));
        buf_u8(&b, 4);
        auth_reply(r, 0, 0, &b);
        break;

    case 4:
        if (auth_digest(r, p + 9, len) < 0) {
            return -1;
        }
        break;

    default:
        auth_reply(r, 2, p[4], NULL);
    }

    return 9 + (long) len;
}


static long
redir_message(redir_t *r, const u_char *p, size_t n)
{
    if (!r->authed) {

        switch (p[0]) {

        case 0x10:
            return redir_start(r, p, n);

        case 0x13:
            return redir_auth(r, p, n);
        }
    }

    if (p[0] == 0x12 && r->type != R_KVM) {

        if (n < 4) {
            return 0;
        }

        channel_close(r->c);
        return -1;
    }

    if (!r->authed) {
        return redir_bad(r, "message before the login");
    }

    switch (r->type) {

    case R_SOL:
        return sol_input(r, p, n);

    case R_IDER:
        return ider_input(r, p, n);
    }

    return kvm_input(r, p, n);
}


/* port 5900: RFB from the first byte, and the device speaks first */

void
redir_vnc(channel_t *c)
{
    redir_t  *r;

    r = xalloc(sizeof(redir_t));
    r->c = c;
    r->type = R_KVM;
    r->authed = 1;
    c->redir = r;

    kvm_banner(r);
    channel_send(c);
}


void
redir_input(channel_t *c)
{
    long      n;
    device_t *d;
    redir_t  *r;
    uint32_t  id;

    if (c->redir == NULL) {
        r = xalloc(sizeof(redir_t));
        r->c = c;
        c->redir = r;
    }

    d = c->d;
    id = c->id;
    r = c->redir;

    while (buf_left(&c->in)) {

        n = redir_message(r, buf_head(&c->in), buf_left(&c->in));

        if (n < 0 || d->channels[id] != c || c->close_sent) {
            return;
        }

        if (n == 0) {
            break;
        }

        buf_eat(&c->in, n);
    }

    channel_send(c);
}
