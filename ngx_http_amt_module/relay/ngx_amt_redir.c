
/*
 * Redirection login; see ngx_amt_redir.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_md5.h>
#include "relay/ngx_amt_redir.h"


#define NGX_AMT_REDIR_START       0x10
#define NGX_AMT_REDIR_STARTED     0x11
#define NGX_AMT_REDIR_END         0x12
#define NGX_AMT_REDIR_AUTH        0x13
#define NGX_AMT_REDIR_AUTH_REPLY  0x14

#define NGX_AMT_REDIR_QUERY       0      /* types of authentication */
#define NGX_AMT_REDIR_DIGEST      4

#define NGX_AMT_REDIR_SUCCESS     0      /* status of a reply */
#define NGX_AMT_REDIR_FAILURE     1

#define NGX_AMT_REDIR_HEAD        9      /* of 0x13 and 0x14 */


/* What is expected next */

enum {
    sw_start = 0,                        /* viewer: 10 */
    sw_started,                          /* device: 11 */
    sw_auth,                             /* viewer: 13 */
    sw_query_reply,                      /* device: 14 */
    sw_login_reply,                      /* device: 14 */
    sw_end                               /* nothing */
};


static ngx_str_t  ngx_amt_redir_uri = ngx_string("/RedirectionService");


static ngx_int_t ngx_amt_redir_watch(ngx_amt_redir_t *s, u_char **pos,
    u_char *last, ngx_str_t *out);
static ngx_int_t ngx_amt_redir_start(ngx_amt_redir_t *s);
static ngx_int_t ngx_amt_redir_auth(ngx_amt_redir_t *s);
static ngx_int_t ngx_amt_redir_digest(ngx_amt_redir_t *s);
static void ngx_amt_redir_response(ngx_amt_redir_t *s, u_char *nc,
    u_char *response);
static u_char *ngx_amt_redir_string(u_char *p, const u_char *data,
    size_t len);
static size_t ngx_amt_redir_viewer_length(ngx_amt_redir_t *s);
static size_t ngx_amt_redir_device_length(ngx_amt_redir_t *s);
static ngx_int_t ngx_amt_redir_started(ngx_amt_redir_t *s);
static ngx_int_t ngx_amt_redir_reply(ngx_amt_redir_t *s);
static ngx_int_t ngx_amt_redir_challenge(ngx_amt_redir_t *s, u_char *p,
    size_t len);
static ngx_int_t ngx_amt_redir_take(ngx_amt_redir_t *s,
    ngx_amt_redir_buf_t *b, u_char **pos, u_char *last,
    size_t (*length)(ngx_amt_redir_t *s));
static size_t ngx_amt_redir_data(u_char *p);
static ngx_int_t ngx_amt_redir_fail(ngx_amt_redir_t *s,
    ngx_amt_redir_err_e err, const char *reason);


ngx_int_t
ngx_amt_redir_init(ngx_amt_redir_t *s, ngx_str_t *user, ngx_str_t *password,
    u_char random[NGX_AMT_REDIR_RANDOM])
{
    ngx_memzero(s, sizeof(ngx_amt_redir_t));

    if (user->len > NGX_AMT_REDIR_STRING
        || password->len > NGX_AMT_REDIR_STRING)
    {
        return NGX_DECLINED;
    }

    s->user.data = s->secret;
    s->user.len = user->len;
    s->password.data = s->secret + NGX_AMT_REDIR_STRING;
    s->password.len = password->len;

    if (user->len) {
        ngx_memcpy(s->user.data, user->data, user->len);
    }

    if (password->len) {
        ngx_memcpy(s->password.data, password->data, password->len);
    }

    ngx_hex_dump(s->cnonce, random, NGX_AMT_REDIR_RANDOM);

    return NGX_OK;
}


/* ---- viewer to device ---- */

ngx_int_t
ngx_amt_redir_viewer(ngx_amt_redir_t *s, u_char **pos, u_char *last,
    ngx_str_t *out)
{
    ngx_int_t             rc;
    ngx_amt_redir_buf_t  *b;

    out->len = 0;

    if (s->err) {
        return NGX_ERROR;
    }

    b = &s->viewer;

    if (s->user.len == 0
        && (!s->strict
            || (s->state == sw_start && b->len == 0 && *pos < last
                && **pos != NGX_AMT_REDIR_START)))
    {
        return ngx_amt_redir_watch(s, pos, last, out);
    }

    if (s->done) {
        return NGX_DONE;
    }

    rc = ngx_amt_redir_take(s, b, pos, last, ngx_amt_redir_viewer_length);

    if (rc != NGX_OK) {
        return rc;
    }

    switch (b->data[0]) {

    case NGX_AMT_REDIR_START:
        rc = ngx_amt_redir_start(s);
        break;

    case NGX_AMT_REDIR_END:
        s->state = sw_end;
        break;

    default: /* NGX_AMT_REDIR_AUTH */
        rc = ngx_amt_redir_auth(s);
    }

    if (rc != NGX_OK) {
        return rc;
    }

    out->data = b->data;
    out->len = b->len;
    b->len = 0;

    return NGX_OK;
}


/* Without credentials: only looks which kind of session it will be. */

static ngx_int_t
ngx_amt_redir_watch(ngx_amt_redir_t *s, u_char **pos, u_char *last,
    ngx_str_t *out)
{
    u_char               *p;
    ngx_amt_redir_buf_t  *b;

    if (s->done) {
        return NGX_DONE;
    }

    b = &s->viewer;
    p = *pos;

    if (b->len == 0 && p < last && *p != NGX_AMT_REDIR_START) {
        s->done = 1;
        return NGX_DONE;
    }

    while (p < last && b->len < 8) {
        b->data[b->len++] = *p++;
    }

    *pos = p;

    if (b->len < 8) {
        return NGX_AGAIN;
    }

    /* one that is unknown is refused by the device */

    (void) ngx_amt_redir_start(s);

    s->err = NGX_AMT_REDIR_ERR_NONE;
    s->reason = NULL;
    s->done = 1;

    out->data = b->data;
    out->len = b->len;

    return NGX_OK;
}


static size_t
ngx_amt_redir_viewer_length(ngx_amt_redir_t *s)
{
    ngx_amt_redir_buf_t  *b;

    b = &s->viewer;

    switch (b->data[0]) {

    case NGX_AMT_REDIR_START:

        if (s->state != sw_start) {
            break;
        }

        return 8;

    case NGX_AMT_REDIR_END:

        if (s->state == sw_start || s->state == sw_end) {
            break;
        }

        return 4;

    case NGX_AMT_REDIR_AUTH:

        if (s->state != sw_auth) {
            break;
        }

        if (b->len < NGX_AMT_REDIR_HEAD) {
            return NGX_AMT_REDIR_HEAD;
        }

        if (ngx_amt_redir_data(b->data) > NGX_AMT_REDIR_DATA) {
            (void) ngx_amt_redir_fail(s, NGX_AMT_REDIR_ERR_VIEWER,
                                      "browser sent a login message that "
                                      "is too long");
            return 0;
        }

        return NGX_AMT_REDIR_HEAD + ngx_amt_redir_data(b->data);

    default:
        (void) ngx_amt_redir_fail(s, NGX_AMT_REDIR_ERR_VIEWER,
                                  "browser sent an unknown message before "
                                  "the login");
        return 0;
    }

    (void) ngx_amt_redir_fail(s, NGX_AMT_REDIR_ERR_VIEWER,
                              "browser sent a login message out of order");
    return 0;
}


static ngx_int_t
ngx_amt_redir_start(ngx_amt_redir_t *s)
{
    u_char  *p;

    p = s->viewer.data + 4;

    if (ngx_memcmp(p, "KVMR", 4) == 0) {
        s->kind = NGX_AMT_REDIR_KVM;

    } else if (ngx_memcmp(p, "SOL ", 4) == 0) {
        s->kind = NGX_AMT_REDIR_SOL;

    } else if (ngx_memcmp(p, "IDER", 4) == 0) {
        s->kind = NGX_AMT_REDIR_IDER;

    } else {
        return ngx_amt_redir_fail(s, NGX_AMT_REDIR_ERR_VIEWER,
                                  "browser asked for an unknown kind of "
                                  "session");
    }

    s->state = sw_started;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_redir_auth(ngx_amt_redir_t *s)
{
    s->type = s->viewer.data[4];

    if (s->type == NGX_AMT_REDIR_QUERY) {
        s->state = sw_query_reply;
        return NGX_OK;
    }

    if (s->user.len == 0) {
        s->state = sw_login_reply;
        return NGX_OK;
    }

    if (s->type == NGX_AMT_REDIR_DIGEST) {
        s->state = sw_login_reply;
        return ngx_amt_redir_digest(s);
    }

    /* clear text and the like: the gateway logs in, by digest only */

    return ngx_amt_redir_fail(s, NGX_AMT_REDIR_ERR_VIEWER,
                              "browser chose a login that is not digest");
}


/* M1 and M2 of the contract, instead of the viewer's message */

static ngx_int_t
ngx_amt_redir_digest(ngx_amt_redir_t *s)
{
    u_char                nc[8 + 1], response[NGX_AMT_DIGEST_HA1];
    u_char               *p;
    size_t                len;
    ngx_amt_redir_buf_t  *b;

    b = &s->viewer;

    p = ngx_cpymem(b->data, "\x13\0\0\0\x04\0\0\0\0", NGX_AMT_REDIR_HEAD);
    p = ngx_amt_redir_string(p, s->user.data, s->user.len);

    s->digest = s->challenged;

    if (!s->challenged) {
        p = ngx_cpymem(p, "\0\0", 2);
        p = ngx_amt_redir_string(p, ngx_amt_redir_uri.data,
                                 ngx_amt_redir_uri.len);
        p = ngx_cpymem(p, "\0\0\0\0", 4);

    } else {
        (void) ngx_sprintf(nc, "%08xD", ++s->nc);

        ngx_amt_redir_response(s, nc, response);

        p = ngx_amt_redir_string(p, s->realm, s->realm_len);
        p = ngx_amt_redir_string(p, s->nonce, s->nonce_len);
        p = ngx_amt_redir_string(p, ngx_amt_redir_uri.data,
                                 ngx_amt_redir_uri.len);
        p = ngx_amt_redir_string(p, s->cnonce, sizeof(s->cnonce));
        p = ngx_amt_redir_string(p, nc, 8);
        p = ngx_amt_redir_string(p, response, sizeof(response));
        p = ngx_amt_redir_string(p, s->qop, s->qop_len);
    }

    b->len = p - b->data;
    len = b->len - NGX_AMT_REDIR_HEAD;

    /* at most eight strings of 256 bytes: two bytes of length do */

    b->data[5] = (u_char) (len & 0xff);
    b->data[6] = (u_char) (len >> 8);

    return NGX_OK;
}


static void
ngx_amt_redir_response(ngx_amt_redir_t *s, u_char *nc, u_char *response)
{
    u_char     hash[16], ha1[NGX_AMT_DIGEST_HA1], ha2[NGX_AMT_DIGEST_HA1];
    ngx_str_t  realm;
    ngx_md5_t  md5;

    realm.data = s->realm;
    realm.len = s->realm_len;

    ngx_amt_digest_ha1(&s->user, &realm, &s->password, ha1);

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, "POST:", 5);
    ngx_md5_update(&md5, ngx_amt_redir_uri.data, ngx_amt_redir_uri.len);
    ngx_md5_final(hash, &md5);
    ngx_hex_dump(ha2, hash, 16);

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, ha1, sizeof(ha1));
    ngx_md5_update(&md5, ":", 1);
    ngx_md5_update(&md5, s->nonce, s->nonce_len);
    ngx_md5_update(&md5, ":", 1);
    ngx_md5_update(&md5, nc, 8);
    ngx_md5_update(&md5, ":", 1);
    ngx_md5_update(&md5, s->cnonce, sizeof(s->cnonce));
    ngx_md5_update(&md5, ":", 1);
    ngx_md5_update(&md5, s->qop, s->qop_len);
    ngx_md5_update(&md5, ":", 1);
    ngx_md5_update(&md5, ha2, sizeof(ha2));
    ngx_md5_final(hash, &md5);
    ngx_hex_dump(response, hash, 16);

    ngx_explicit_memzero(ha1, sizeof(ha1));
    ngx_explicit_memzero(&md5, sizeof(ngx_md5_t));
}


static u_char *
ngx_amt_redir_string(u_char *p, const u_char *data, size_t len)
{
    *p++ = (u_char) len;

    return len ? ngx_cpymem(p, data, len) : p;
}


/* ---- device to viewer ---- */

ngx_int_t
ngx_amt_redir_device(ngx_amt_redir_t *s, u_char **pos, u_char *last,
    ngx_str_t *out)
{
    ngx_int_t             rc;
    ngx_amt_redir_buf_t  *b;

    out->len = 0;

    if (s->err) {
        return NGX_ERROR;
    }

    if (s->done || (s->user.len == 0 && !s->strict)) {
        return NGX_DONE;
    }

    if (s->refused) {
        return ngx_amt_redir_fail(s, s->digest ? NGX_AMT_REDIR_ERR_PASSWORD
                                               : NGX_AMT_REDIR_ERR_REFUSED,
                                  s->digest
                                  ? "device refused the AMT password"
                                  : "device refused the session");
    }

    b = &s->device;

    rc = ngx_amt_redir_take(s, b, pos, last, ngx_amt_redir_device_length);

    if (rc != NGX_OK) {
        return rc;
    }

    rc = (b->data[0] == NGX_AMT_REDIR_STARTED) ? ngx_amt_redir_started(s)
                                               : ngx_amt_redir_reply(s);

    if (rc != NGX_OK) {
        return rc;
    }

    out->data = b->data;
    out->len = b->len;
    b->len = 0;

    return NGX_OK;
}


static size_t
ngx_amt_redir_device_length(ngx_amt_redir_t *s)
{
    ngx_amt_redir_buf_t  *b;

    b = &s->device;

    switch (b->data[0]) {

    case NGX_AMT_REDIR_STARTED:

        if (s->state != sw_started) {
            break;
        }

        if (b->len < 2 || b->data[1] != NGX_AMT_REDIR_SUCCESS) {
            return 4;
        }

        if (b->len < 13) {
            return 13;
        }

        return 13 + b->data[12];

    case NGX_AMT_REDIR_AUTH_REPLY:

        if (s->state != sw_query_reply && s->state != sw_login_reply) {
            break;
        }

        if (b->len < NGX_AMT_REDIR_HEAD) {
            return NGX_AMT_REDIR_HEAD;
        }

        if (ngx_amt_redir_data(b->data) > NGX_AMT_REDIR_DATA) {
            (void) ngx_amt_redir_fail(s, NGX_AMT_REDIR_ERR_DEVICE,
                                      "device sent a login reply that is "
                                      "too long");
            return 0;
        }

        return NGX_AMT_REDIR_HEAD + ngx_amt_redir_data(b->data);

    default:
        (void) ngx_amt_redir_fail(s, NGX_AMT_REDIR_ERR_DEVICE,
                                  "device sent an unknown message before "
                                  "the login");
        return 0;
    }

    if (s->state == sw_end) {

        /* what was on its way when the viewer ended the session */

        (void) ngx_amt_redir_fail(s, NGX_AMT_REDIR_ERR_VIEWER,
                                  "browser ended the session before the "
                                  "login");
        return 0;
    }

    (void) ngx_amt_redir_fail(s, NGX_AMT_REDIR_ERR_DEVICE,
                              "device sent a login reply out of order");
    return 0;
}


static ngx_int_t
ngx_amt_redir_started(ngx_amt_redir_t *s)
{
    if (s->device.data[1] != NGX_AMT_REDIR_SUCCESS) {
        s->status = s->device.data[1];
        s->refused = 1;
        s->state = sw_end;

        return NGX_OK;
    }

    s->state = sw_auth;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_redir_reply(ngx_amt_redir_t *s)
{
    u_char     *p;
    size_t      len;
    ngx_uint_t  query;

    p = s->device.data;
    len = ngx_amt_redir_data(p);

    query = (s->state == sw_query_reply);

    if (p[4] != s->type) {
        return ngx_amt_redir_fail(s, NGX_AMT_REDIR_ERR_DEVICE,
                                  "device replied to another login than "
                                  "asked for");
    }

    s->state = sw_auth;

    if (query) {
        return NGX_OK;
    }

    if (p[1] == NGX_AMT_REDIR_SUCCESS) {

        /* what the viewer began to send was a message of the login */

        if (s->viewer.len) {
            return ngx_amt_redir_fail(s, NGX_AMT_REDIR_ERR_VIEWER,
                                      "browser sent a login message out of "
                                      "order");
        }

        s->done = 1;

        return NGX_OK;
    }

    if (s->user.len == 0) {
        return NGX_OK;
    }

    if (s->digest && ++s->failures == NGX_AMT_REDIR_FAILURES) {
        s->refused = 1;
        s->state = sw_end;

        return NGX_OK;
    }

    /* without a new challenge the last one stays */

    if (p[1] != NGX_AMT_REDIR_FAILURE || (len == 0 && s->challenged)) {
        return NGX_OK;
    }

    return ngx_amt_redir_challenge(s, p + NGX_AMT_REDIR_HEAD, len);
}


/* Strings realm, nonce, qop, and nothing behind them. */

static ngx_int_t
ngx_amt_redir_challenge(ngx_amt_redir_t *s, u_char *p, size_t len)
{
    u_char      *last, *data[3];
    ngx_uint_t   i;

    last = p + len;

    for (i = 0; i < 3; i++) {

        if (p == last || *p > last - p - 1) {
            goto malformed;
        }

        data[i] = p;
        p += 1 + *p;
    }

    if (p != last) {
        goto malformed;
    }

    s->realm_len = *data[0];
    ngx_memcpy(s->realm, data[0] + 1, s->realm_len);

    s->nonce_len = *data[1];
    ngx_memcpy(s->nonce, data[1] + 1, s->nonce_len);

    s->qop_len = *data[2];
    ngx_memcpy(s->qop, data[2] + 1, s->qop_len);

    s->challenged = 1;

    return NGX_OK;

malformed:

    return ngx_amt_redir_fail(s, NGX_AMT_REDIR_ERR_DEVICE,
                              "device sent a malformed challenge");
}


/* ---- both ---- */

/*
 * Collects one message: NGX_OK; NGX_AGAIN: not complete; NGX_ERROR.  length
 * tells how many bytes are needed at least by those that are there (one or
 * more), 0 after ngx_amt_redir_fail(); a message is complete when that many
 * are there.
 */

static ngx_int_t
ngx_amt_redir_take(ngx_amt_redir_t *s, ngx_amt_redir_buf_t *b, u_char **pos,
    u_char *last, size_t (*length)(ngx_amt_redir_t *s))
{
    size_t  need, n;

    for ( ;; ) {

        need = 1;

        if (b->len) {
            need = length(s);

            if (need == 0) {
                return NGX_ERROR;
            }

            if (b->len >= need) {
                return NGX_OK;
            }
        }

        n = ngx_min(need - b->len, (size_t) (last - *pos));

        if (n == 0) {
            return NGX_AGAIN;
        }

        ngx_memcpy(b->data + b->len, *pos, n);
        b->len += n;
        *pos += n;
    }
}


static size_t
ngx_amt_redir_data(u_char *p)
{
    return (size_t) p[5] | (size_t) p[6] << 8 | (size_t) p[7] << 16
           | (size_t) p[8] << 24;
}


static ngx_int_t
ngx_amt_redir_fail(ngx_amt_redir_t *s, ngx_amt_redir_err_e err,
    const char *reason)
{
    s->err = err;
    s->reason = reason;

    return NGX_ERROR;
}


void
ngx_amt_redir_wipe(ngx_amt_redir_t *s)
{
    ngx_explicit_memzero(s->secret, sizeof(s->secret));
    ngx_explicit_memzero(&s->viewer, sizeof(ngx_amt_redir_buf_t));
    ngx_explicit_memzero(&s->device, sizeof(ngx_amt_redir_buf_t));

    s->password.len = 0;
}
