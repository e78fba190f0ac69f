
/*
 * Digest access authentication; see ngx_amt_digest.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_md5.h>
#include "wsman/ngx_amt_digest.h"
#include <openssl/rand.h>


#define NGX_AMT_DIGEST_VERSION  1
#define NGX_AMT_DIGEST_HEAD     9
#define NGX_AMT_DIGEST_URI      "/wsman"


/* one challenge while its parameters are read */

typedef struct {
    ngx_amt_digest_t  digest;
    unsigned          is_digest:1;
    unsigned          realm:1;
    unsigned          nonce:1;
    unsigned          opaque:1;
    unsigned          qop:1;
    unsigned          stale:1;
    unsigned          algorithm:1;
    unsigned          unusable:1;        /* well-formed, not for us */
} ngx_amt_digest_challenge_t;


static ngx_int_t ngx_amt_digest_header(ngx_str_t *value,
    ngx_amt_digest_t *d, ngx_uint_t *found);
static ngx_int_t ngx_amt_digest_take(ngx_amt_digest_challenge_t *c,
    ngx_amt_digest_t *d, ngx_uint_t *found);
static ngx_int_t ngx_amt_digest_param(ngx_amt_digest_challenge_t *c,
    ngx_str_t *name, ngx_str_t *value);
static ngx_uint_t ngx_amt_digest_has_auth(ngx_str_t *list);
static ngx_int_t ngx_amt_digest_quoted(u_char **pos, u_char *last,
    u_char *buf, ngx_str_t *value);
static u_char *ngx_amt_digest_token(u_char *p, u_char *last);
static u_char *ngx_amt_digest_token68(u_char *p, u_char *last);
static u_char *ngx_amt_digest_blank(u_char *p, u_char *last);
static ngx_uint_t ngx_amt_digest_is(ngx_str_t *s, const char *text);
static u_char *ngx_amt_digest_quote(u_char *p, u_char *text, size_t len);


ngx_int_t
ngx_amt_digest_parse(ngx_str_t *values, ngx_uint_t n, ngx_amt_digest_t *d)
{
    ngx_uint_t  i, found;

    found = 0;

    for (i = 0; i < n; i++) {
        if (ngx_amt_digest_header(&values[i], d, &found) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    return found ? NGX_OK : NGX_DECLINED;
}


/*
 * challenges = scheme [ token68 | param *( "," param ) ], separated by
 * commas as the parameters are: a token that is not followed by "=" begins a
 * new challenge.
 */

static ngx_int_t
ngx_amt_digest_header(ngx_str_t *header, ngx_amt_digest_t *d,
    ngx_uint_t *found)
{
    u_char                      *p, *q, *last;
    u_char                       buf[256];
    ngx_str_t                    name, value;
    ngx_uint_t                   schemes;
    ngx_amt_digest_challenge_t   c;

    ngx_memzero(&c, sizeof(ngx_amt_digest_challenge_t));

    p = header->data;
    last = p + header->len;
    schemes = 0;

    for ( ;; ) {

        while (p < last && (*p == ' ' || *p == '\t' || *p == ',')) {
            p++;
        }

        if (p == last) {
            break;
        }

        name.data = p;
        p = ngx_amt_digest_token(p, last);
        name.len = p - name.data;

        if (name.len == 0) {
            return NGX_DECLINED;
        }

        q = ngx_amt_digest_blank(p, last);

        if (q == last || *q != '=') {

            /* a scheme */

            if (q < last && q == p && *q != ',') {
                return NGX_DECLINED;
            }

            if (ngx_amt_digest_take(&c, d, found) != NGX_OK) {
                return NGX_DECLINED;
            }

            ngx_memzero(&c, sizeof(ngx_amt_digest_challenge_t));

            c.is_digest = ngx_amt_digest_is(&name, "Digest");
            schemes++;

            p = c.is_digest ? q : ngx_amt_digest_token68(q, last);

            continue;
        }

        if (schemes == 0) {
            return NGX_DECLINED;
        }

        p = ngx_amt_digest_blank(q + 1, last);

        if (p < last && *p == '"') {

            if (ngx_amt_digest_quoted(&p, last, buf, &value) != NGX_OK) {
                return NGX_DECLINED;
            }

        } else {
            value.data = p;
            p = ngx_amt_digest_token(p, last);
            value.len = p - value.data;

            if (value.len == 0) {
                return NGX_DECLINED;
            }
        }

        p = ngx_amt_digest_blank(p, last);

        if (p < last && *p != ',') {
            return NGX_DECLINED;
        }

        if (c.is_digest && ngx_amt_digest_param(&c, &name, &value) != NGX_OK)
        {
            return NGX_DECLINED;
        }
    }

    if (schemes == 0) {
        return NGX_DECLINED;
    }

    return ngx_amt_digest_take(&c, d, found);
}


/* The end of a challenge. */

static ngx_int_t
ngx_amt_digest_take(ngx_amt_digest_challenge_t *c, ngx_amt_digest_t *d,
    ngx_uint_t *found)
{
    if (!c->is_digest) {
        return NGX_OK;
    }

    if (!c->realm || !c->nonce) {
        return NGX_DECLINED;
    }

    if (c->unusable || *found) {
        return NGX_OK;
    }

    *d = c->digest;
    *found = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_digest_param(ngx_amt_digest_challenge_t *c, ngx_str_t *name,
    ngx_str_t *value)
{
    ngx_amt_digest_t  *d;

    d = &c->digest;

    if (ngx_amt_digest_is(name, "realm")) {

        if (c->realm || value->len > NGX_AMT_DIGEST_MAX_REALM) {
            return NGX_DECLINED;
        }

        c->realm = 1;
        d->realm_len = (u_char) value->len;
        ngx_memcpy(d->realm, value->data, value->len);

        return NGX_OK;
    }

    if (ngx_amt_digest_is(name, "nonce")) {

        if (c->nonce || value->len == 0
            || value->len > NGX_AMT_DIGEST_MAX_NONCE)
        {
            return NGX_DECLINED;
        }

        c->nonce = 1;
        d->nonce_len = (u_char) value->len;
        ngx_memcpy(d->nonce, value->data, value->len);

        return NGX_OK;
    }

    if (ngx_amt_digest_is(name, "opaque")) {

        if (c->opaque || value->len > NGX_AMT_DIGEST_MAX_OPAQUE) {
            return NGX_DECLINED;
        }

        c->opaque = 1;
        d->has_opaque = 1;
        d->opaque_len = (u_char) value->len;
        ngx_memcpy(d->opaque, value->data, value->len);

        return NGX_OK;
    }

    if (ngx_amt_digest_is(name, "qop")) {

        if (c->qop) {
            return NGX_DECLINED;
        }

        c->qop = 1;
        d->qop = ngx_amt_digest_has_auth(value);

        if (!d->qop) {
            c->unusable = 1;
        }

        return NGX_OK;
    }

    if (ngx_amt_digest_is(name, "stale")) {

        if (c->stale) {
            return NGX_DECLINED;
        }

        c->stale = 1;
        d->stale = ngx_amt_digest_is(value, "true");

        return NGX_OK;
    }

    if (ngx_amt_digest_is(name, "algorithm")) {

        if (c->algorithm) {
            return NGX_DECLINED;
        }

        c->algorithm = 1;

        if (!ngx_amt_digest_is(value, "MD5")) {
            c->unusable = 1;
        }
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_amt_digest_has_auth(ngx_str_t *list)
{
    u_char     *p, *last;
    ngx_str_t   token;

    p = list->data;
    last = p + list->len;

    while (p < last) {

        if (*p == ',' || *p == ' ' || *p == '\t') {
            p++;
            continue;
        }

        token.data = p;

        while (p < last && *p != ',' && *p != ' ' && *p != '\t') {
            p++;
        }

        token.len = p - token.data;

        if (ngx_amt_digest_is(&token, "auth")) {
            return 1;
        }
    }

    return 0;
}


/*
 * A quoted string at *pos, with quoted pairs resolved into buf (256 bytes);
 * printable ASCII only, since it will be sent back in a header.
 */

static ngx_int_t
ngx_amt_digest_quoted(u_char **pos, u_char *last, u_char *buf,
    ngx_str_t *value)
{
    u_char  *p, *q, *end;

    q = buf;
    end = buf + 256;

    for (p = *pos + 1; p < last; p++) {

        if (*p == '"') {
            *pos = p + 1;
            value->data = buf;
            value->len = q - buf;

            return NGX_OK;
        }

        if (*p == '\\' && ++p == last) {
            return NGX_DECLINED;
        }

        if (*p < 0x20 || *p > 0x7e || q == end) {
            return NGX_DECLINED;
        }

        *q++ = *p;
    }

    return NGX_DECLINED;
}


static u_char *
ngx_amt_digest_token(u_char *p, u_char *last)
{
    static u_char  other[] = "!#$%&'*+-.^_`|~";

    while (p < last
           && ((*p >= '0' && *p <= '9')
               || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')
               || ngx_strlchr(other, other + sizeof(other) - 1, *p)))
    {
        p++;
    }

    return p;
}


/* Skips the token68 of a scheme that is not ours, when it is one. */

static u_char *
ngx_amt_digest_token68(u_char *p, u_char *last)
{
    u_char  *q;

    q = p;

    while (q < last
           && ((*q >= '0' && *q <= '9')
               || ((*q | 0x20) >= 'a' && (*q | 0x20) <= 'z')
               || *q == '-' || *q == '.' || *q == '_' || *q == '~'
               || *q == '+' || *q == '/'))
    {
        q++;
    }

    while (q < last && *q == '=') {
        q++;
    }

    q = ngx_amt_digest_blank(q, last);

    return (q == last || *q == ',') ? q : p;
}


static u_char *
ngx_amt_digest_blank(u_char *p, u_char *last)
{
    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    return p;
}


static ngx_uint_t
ngx_amt_digest_is(ngx_str_t *s, const char *text)
{
    size_t  len;

    len = ngx_strlen(text);

    return s->len == len
           && ngx_strncasecmp(s->data, (u_char *) text, len) == 0;
}


void
ngx_amt_digest_ha1(ngx_str_t *user, ngx_str_t *realm, ngx_str_t *password,
    u_char ha1[NGX_AMT_DIGEST_HA1])
{
    u_char     hash[16];
    ngx_md5_t  md5;

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, user->data, user->len);
    ngx_md5_update(&md5, ":", 1);
    ngx_md5_update(&md5, realm->data, realm->len);
    ngx_md5_update(&md5, ":", 1);
    ngx_md5_update(&md5, password->data, password->len);
    ngx_md5_final(hash, &md5);

    ngx_hex_dump(ha1, hash, 16);

    ngx_explicit_memzero(hash, 16);
    ngx_explicit_memzero(&md5, sizeof(ngx_md5_t));
}


void
ngx_amt_digest_response(ngx_amt_digest_t *d, u_char ha1[NGX_AMT_DIGEST_HA1],
    ngx_str_t *method_uri, ngx_str_t *cnonce,
    u_char response[NGX_AMT_DIGEST_HA1])
{
    u_char     hash[16], ha2[NGX_AMT_DIGEST_HA1], nc[8 + 1];
    ngx_md5_t  md5;

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, method_uri->data, method_uri->len);
    ngx_md5_final(hash, &md5);
    ngx_hex_dump(ha2, hash, 16);

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, ha1, NGX_AMT_DIGEST_HA1);
    ngx_md5_update(&md5, ":", 1);
    ngx_md5_update(&md5, d->nonce, d->nonce_len);

    if (d->qop) {
        ngx_sprintf(nc, "%08xD", d->nc);

        ngx_md5_update(&md5, ":", 1);
        ngx_md5_update(&md5, nc, 8);
        ngx_md5_update(&md5, ":", 1);
        ngx_md5_update(&md5, cnonce->data, cnonce->len);
        ngx_md5_update(&md5, ":auth", sizeof(":auth") - 1);
    }

    ngx_md5_update(&md5, ":", 1);
    ngx_md5_update(&md5, ha2, NGX_AMT_DIGEST_HA1);
    ngx_md5_final(hash, &md5);

    ngx_hex_dump(response, hash, 16);

    ngx_explicit_memzero(&md5, sizeof(ngx_md5_t));
}


ngx_int_t
ngx_amt_digest_authorization(ngx_pool_t *pool, ngx_amt_digest_t *d,
    ngx_str_t *user, u_char ha1[NGX_AMT_DIGEST_HA1], ngx_str_t *out)
{
    u_char     *p, random[8], hex[16], response[NGX_AMT_DIGEST_HA1];
    size_t      size;
    ngx_str_t   cnonce;

    static ngx_str_t  method_uri = ngx_string("POST:" NGX_AMT_DIGEST_URI);

    static const char  text[] =
        "Digest username=\"\",realm=\"\",nonce=\"\","
        "uri=\"" NGX_AMT_DIGEST_URI "\",qop=\"auth\",response=\"\","
        "nc=\"00000000\",cnonce=\"\",opaque=\"\"";

    if (d->nc == 0xffffffff) {
        return NGX_DECLINED;
    }

    if (RAND_bytes(random, sizeof(random)) != 1) {
        return NGX_ERROR;
    }

    d->nc++;

    ngx_hex_dump(hex, random, sizeof(random));
    cnonce.data = hex;
    cnonce.len = sizeof(hex);

    ngx_amt_digest_response(d, ha1, &method_uri, &cnonce, response);

    size = sizeof(text) + 2 * (user->len + d->realm_len + d->nonce_len
                               + d->opaque_len)
           + sizeof(response) + sizeof(hex);

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    p = ngx_sprintf(p, "Digest username=\"");
    p = ngx_amt_digest_quote(p, user->data, user->len);
    p = ngx_sprintf(p, "\",realm=\"");
    p = ngx_amt_digest_quote(p, d->realm, d->realm_len);
    p = ngx_sprintf(p, "\",nonce=\"");
    p = ngx_amt_digest_quote(p, d->nonce, d->nonce_len);
    p = ngx_sprintf(p, "\",uri=\"" NGX_AMT_DIGEST_URI "\"");

    if (d->qop) {
        p = ngx_sprintf(p, ",qop=\"auth\",response=\"%*s\",nc=\"%08xD\","
                        "cnonce=\"%*s\"",
                        sizeof(response), response, d->nc,
                        sizeof(hex), hex);

    } else {
        p = ngx_sprintf(p, ",response=\"%*s\"", sizeof(response), response);
    }

    if (d->has_opaque) {
        p = ngx_sprintf(p, ",opaque=\"");
        p = ngx_amt_digest_quote(p, d->opaque, d->opaque_len);
        p = ngx_sprintf(p, "\"");
    }

    out->len = p - out->data;

    return NGX_OK;
}


static u_char *
ngx_amt_digest_quote(u_char *p, u_char *text, size_t len)
{
    size_t  i;

    for (i = 0; i < len; i++) {

        if (text[i] == '"' || text[i] == '\\') {
            *p++ = '\\';
        }

        *p++ = text[i];
    }

    return p;
}


size_t
ngx_amt_digest_encode(ngx_amt_digest_t *d, u_char *out)
{
    u_char     *p;
    u_char      buf[NGX_AMT_DIGEST_HEAD + NGX_AMT_DIGEST_MAX_REALM
                    + NGX_AMT_DIGEST_MAX_NONCE + NGX_AMT_DIGEST_MAX_OPAQUE];
    ngx_str_t   src, dst;

    p = buf;

    *p++ = NGX_AMT_DIGEST_VERSION;
    *p++ = (u_char) (d->qop | d->has_opaque << 1);
    *p++ = (u_char) (d->nc >> 24);
    *p++ = (u_char) (d->nc >> 16);
    *p++ = (u_char) (d->nc >> 8);
    *p++ = (u_char) d->nc;
    *p++ = d->realm_len;
    *p++ = d->nonce_len;
    *p++ = d->opaque_len;
    p = ngx_cpymem(p, d->realm, d->realm_len);
    p = ngx_cpymem(p, d->nonce, d->nonce_len);
    p = ngx_cpymem(p, d->opaque, d->opaque_len);

    src.data = buf;
    src.len = p - buf;
    dst.data = out;

    ngx_encode_base64url(&dst, &src);

    return dst.len;
}


ngx_int_t
ngx_amt_digest_decode(ngx_str_t *in, ngx_amt_digest_t *d)
{
    u_char     *p;
    u_char      buf[ngx_base64_decoded_length(NGX_AMT_DIGEST_STATE)];
    size_t      i;
    ngx_str_t   dst;

    if (in->len > NGX_AMT_DIGEST_STATE) {
        return NGX_DECLINED;
    }

    dst.data = buf;

    if (ngx_decode_base64url(&dst, in) != NGX_OK
        || dst.len < NGX_AMT_DIGEST_HEAD
        || buf[0] != NGX_AMT_DIGEST_VERSION || buf[1] > 3)
    {
        return NGX_DECLINED;
    }

    ngx_memzero(d, sizeof(ngx_amt_digest_t));

    d->qop = buf[1] & 1;
    d->has_opaque = buf[1] >> 1;
    d->nc = (uint32_t) buf[2] << 24 | buf[3] << 16 | buf[4] << 8 | buf[5];
    d->realm_len = buf[6];
    d->nonce_len = buf[7];
    d->opaque_len = buf[8];

    if (d->realm_len > NGX_AMT_DIGEST_MAX_REALM || d->nonce_len == 0
        || d->nonce_len > NGX_AMT_DIGEST_MAX_NONCE
        || d->opaque_len > NGX_AMT_DIGEST_MAX_OPAQUE
        || dst.len != (size_t) NGX_AMT_DIGEST_HEAD + d->realm_len
                      + d->nonce_len + d->opaque_len)
    {
        goto failed;
    }

    /* these go into a header */

    for (i = NGX_AMT_DIGEST_HEAD; i < dst.len; i++) {
        if (buf[i] < 0x20 || buf[i] > 0x7e) {
            goto failed;
        }
    }

    p = buf + NGX_AMT_DIGEST_HEAD;

    ngx_memcpy(d->realm, p, d->realm_len);
    p += d->realm_len;
    ngx_memcpy(d->nonce, p, d->nonce_len);
    p += d->nonce_len;
    ngx_memcpy(d->opaque, p, d->opaque_len);

    return NGX_OK;

failed:

    d->nonce_len = 0;

    return NGX_DECLINED;
}
