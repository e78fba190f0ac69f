
/* HTTP digest as firmware does it: MD5, qop auth, nonces with a life. */


#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "sim.h"


static uint32_t
seconds(void)
{
    return (uint32_t) (now_ms() / 1000) + 1;
}


/* the newest nonce, or a new one in the place of the oldest */

nonce_t *
digest_nonce(device_t *d, int fresh)
{
    u_char    raw[24];
    buf_t     b;
    nonce_t  *n;

    if (d->nonces == NULL) {
        d->nonces = xalloc(SIM_NONCES * sizeof(nonce_t));
        fresh = 1;
    }

    if (!fresh) {
        return &d->nonces[0];
    }

    memmove(&d->nonces[1], &d->nonces[0],
            (SIM_NONCES - 1) * sizeof(nonce_t));

    random_bytes(raw, sizeof(raw));
    memset(&b, 0, sizeof(b));
    base64(&b, raw, sizeof(raw));

    n = &d->nonces[0];
    memset(n, 0, sizeof(nonce_t));
    memcpy(n->text, buf_head(&b), 32);
    n->issued = seconds();
    buf_free(&b);

    return n;
}


void
digest_challenge(device_t *d, buf_t *b, int stale)
{
    nonce_t  *n;

    n = digest_nonce(d, 1);

    buf_fmt(b, "WWW-Authenticate: Digest realm=\"%s\", nonce=\"%s\","
            "stale=\"%s\",qop=\"%s\"\r\n", device_realm(d), n->text,
            stale && opt.stale ? "true" : "false", opt.qop);
}


static nonce_t *
nonce_find(device_t *d, const char *text)
{
    unsigned  i;
    nonce_t  *n;

    for (i = 0; d->nonces && i < SIM_NONCES; i++) {
        n = &d->nonces[i];

        if (n->text[0] == '\0' || strcmp(n->text, text) != 0) {
            continue;
        }

        if (opt.nonce_seconds && seconds() - n->issued >= opt.nonce_seconds) {
            return NULL;
        }

        if (opt.nonce_requests && n->uses >= opt.nonce_requests) {
            return NULL;
        }

        return n;
    }

    return NULL;
}


static int
nc_parse(const char *nc, uint32_t *value)
{
    const char  *p;

    for (p = nc; *p; p++) {
        if (!isdigit((u_char) *p) && !(*p >= 'a' && *p <= 'f')) {
            return -1;
        }
    }

    if (p - nc != 8) {
        return -1;
    }

    *value = (uint32_t) strtoul(nc, NULL, 16);

    return 0;
}


static int
digest_failed(device_t *d, const char *why)
{
    event(d, "auth_failed", "\"why\":\"%s\"", why);

    d->auth_failed++;

    if (opt.lockout && d->auth_failed >= opt.lockout) {
        d->auth_locked = seconds() + opt.lockout_seconds;
        d->auth_failed = 0;
        event(d, "locked", "\"seconds\":%u", opt.lockout_seconds);
    }

    return -1;
}


/* 0: let in.  *stale: all was right but for the age of the nonce. */

int
digest_verify(device_t *d, const char *user, const char *realm,
    const char *nonce, const char *uri, const char *nc, const char *cnonce,
    const char *qop, const char *response, const char *method, int *stale)
{
    char      ha1[33], ha2[33], want[33], *admin;
    buf_t     b;
    int       same;
    nonce_t  *n;
    uint32_t  count;

    *stale = 0;

    if (d->auth_locked > seconds()) {
        event(d, "auth_failed", "\"why\":\"locked\"");
        return -1;
    }

    if (mis(d, MIS_ALWAYS_401)) {
        return digest_failed(d, "always-401");
    }

    if (strcmp(realm, device_realm(d)) != 0) {
        return digest_failed(d, "realm");
    }

    if (strcmp(qop, "auth") != 0) {
        return digest_failed(d, "qop");
    }

    if (cnonce[0] == '\0') {
        return digest_failed(d, "cnonce");
    }

    if (nc_parse(nc, &count) != 0 || count == 0) {
        return digest_failed(d, "nc is not 8 lower-case hex digits");
    }

    admin = device_expand(d, opt.amt_user);
    same = strcmp(user, admin) == 0;
    free(admin);

    if (!same) {
        return digest_failed(d, "user");
    }

    device_ha1(d, user, ha1);

    memset(&b, 0, sizeof(b));
    buf_fmt(&b, "%s:%s", method, uri);
    md5_hex(ha2, buf_head(&b), buf_left(&b));
    buf_free(&b);

    buf_fmt(&b, "%s:%s:%s:%s:%s:%s", ha1, nonce, nc, cnonce, qop, ha2);
    md5_hex(want, buf_head(&b), buf_left(&b));
    buf_free(&b);

    n = nonce_find(d, nonce);

    if (strcasecmp(want, response) != 0) {

        /*
         * an old nonce is no proof of a wrong password, but without one
         * nothing else is
         */

        return digest_failed(d, n ? "response" : "response, old nonce");
    }

    if (n == NULL) {
        *stale = 1;
        return -1;
    }

    if (count <= n->nc) {
        violation(d, "digest nonce count %08x after %08x", count, n->nc);
        return digest_failed(d, "nonce count used before");
    }

    n->nc = count;
    n->uses++;
    d->auth_failed = 0;

    return 0;
}


/* a value of an Authorization header: token or quoted string */

static int
auth_param(const char **pp, char *name, char *value, size_t size)
{
    size_t       n;
    const char  *p;

    p = *pp;

    while (*p == ' ' || *p == ',' || *p == '\t') {
        p++;
    }

    for (n = 0; isalnum((u_char) *p) || *p == '-' || *p == '_'; p++) {
        if (n + 1 == size) {
            return -1;
        }
        name[n++] = (char) tolower((u_char) *p);
    }

    name[n] = '\0';

    if (n == 0) {
        *pp = p;
        return *p ? -1 : 0;
    }

    if (*p++ != '=') {
        return -1;
    }

    n = 0;

    if (*p == '"') {
        for (p++; *p != '"'; p++) {

            if (*p == '\\') {
                p++;
            }

            if (*p == '\0' || n + 1 == size) {
                return -1;
            }

            value[n++] = *p;
        }

        p++;

    } else {
        for ( /* void */ ; *p && *p != ',' && *p != ' '; p++) {
            if (n + 1 == size) {
                return -1;
            }
            value[n++] = *p;
        }
    }

    value[n] = '\0';
    *pp = p;

    return 1;
}


int
digest_check(device_t *d, const char *header, const char *method,
    const char *uri, int *stale)
{
    int          rc, i;
    char         name[256], value[256], v[8][256];
    const char  *p;
    static const char  *names[] = {
        "username", "realm", "nonce", "uri", "nc", "cnonce", "qop",
        "response"
    };

    *stale = 0;

    if (strncasecmp(header, "Digest ", 7) != 0) {
        return digest_failed(d, "scheme");
    }

    memset(v, 0, sizeof(v));
    p = header + 7;

    while ((rc = auth_param(&p, name, value, sizeof(value))) > 0) {

        for (i = 0; i < 8; i++) {
            if (strcmp(names[i], name) == 0) {

                if (v[i][0]) {
                    return digest_failed(d, "parameter given twice");
                }

                memcpy(v[i], value, sizeof(value));
            }
        }
    }

    if (rc < 0) {
        return digest_failed(d, "syntax");
    }

    for (i = 0; i < 8; i++) {
        if (v[i][0] == '\0') {
            return digest_failed(d, names[i]);
        }
    }

    if (strcmp(v[3], uri) != 0) {
        return digest_failed(d, "uri");
    }

    return digest_verify(d, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7],
                         method, stale);
}
