
/* Tokens: the contract's form, and everything that must not pass. */


#include "auth/ngx_amt_jwt.h"
#include "auth/ngx_amt_principal.h"
#include <cjose/cjose.h>
#include "tap.h"


#define ISS  "9EmRJTbIiIb4bIeSsmgcWIjrR6HyETqc"
#define KEY  "0123456789abcdef0123456789abcdef"
#define NOW  1700000000


static ngx_log_t           log_;
static ngx_open_file_t     log_file;
static ngx_pool_t         *pool;
static ngx_amt_jwt_key_t  *key;
static ngx_str_t           issuer = ngx_string(ISS);


static ngx_str_t
str(const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = strlen(text);

    return s;
}


static void *
parse_key(const char *text)
{
    ngx_str_t               s = str(text);
    ngx_amt_source_error_t  err;

    return ngx_amt_jwt_key_parse(pool, &s, &err);
}


static ngx_int_t
verify(ngx_str_t *token, ngx_amt_jwt_claims_t *claims)
{
    return ngx_amt_jwt_verify(pool, key, token, &issuer, NOW, claims);
}


/* A token made of any header and payload, signed with the key by hand */

static ngx_str_t
forge(const char *header, const char *payload, const char *secret)
{
    u_char     digest[NGX_AMT_DIGEST_LEN], buf[4096];
    ngx_str_t  text, src, dst, k, token;

    token.data = ngx_palloc(pool, 16384);

    src = str(header);
    dst.data = token.data;
    ngx_encode_base64url(&dst, &src);
    token.len = dst.len;
    token.data[token.len++] = '.';

    src = str(payload);
    dst.data = token.data + token.len;
    ngx_encode_base64url(&dst, &src);
    token.len += dst.len;

    if (secret) {
        k = str(secret);
        text = token;
        (void) ngx_amt_hmac(&k, &text, digest);
        src.data = digest;
        src.len = NGX_AMT_DIGEST_LEN;
        dst.data = buf;
        ngx_encode_base64url(&dst, &src);

    } else {
        dst.len = 0;
    }

    token.data[token.len++] = '.';
    ngx_memcpy(token.data + token.len, buf, dst.len);
    token.len += dst.len;

    return token;
}


#define HEADER   "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define PAYLOAD  "{\"tenantId\":\"\",\"iss\":\"" ISS "\",\"deviceId\":\"*\"," \
    "\"exp\":1700000001,\"sub\":\"user:a\",\"cred\":\"c\"}"


static void
refused(ngx_str_t token, const char *what)
{
    ngx_amt_jwt_claims_t  claims;

    ok(verify(&token, &claims) == NGX_DECLINED, "refused: %s", what);
}


int
main(void)
{
    size_t                 i;
    cjose_err              error;
    ngx_str_t              token, bad, text;
    ngx_uint_t             good;
    ngx_pool_t            *sub;
    static ngx_cycle_t     cycle;
    ngx_amt_jwt_key_t     *other;
    ngx_amt_jwt_claims_t   claims, got;

    ngx_use_stderr = 0;
    ngx_time_init();

    log_file.fd = open("/dev/null", O_WRONLY);
    log_.file = &log_file;
    cycle.log = &log_;
    ngx_cycle = &cycle;
    pool = ngx_create_pool(16384, &log_);

    ok(parse_key("") == NULL, "an empty key");
    ok(parse_key("0123456789abcdef0123456789abcde\n") == NULL, "31 bytes");
    ok(parse_key(KEY "\nmore\n") == NULL, "two lines");
    key = parse_key(KEY "\r\n");
    ok(key && ngx_amt_jwt_key_bytes(key)->len == 32, "32 bytes and line end");

    /* the clean-up wipes cjose's copy through this pointer */
    {
        cjose_jwk_t  *jwk;

        jwk = cjose_jwk_create_oct_spec((uint8_t *) KEY, 32, &error);
        ok(ngx_memcmp(cjose_jwk_get_keydata(jwk, &error), KEY, 32) == 0,
           "cjose shows its copy of the key");
        cjose_jwk_release(jwk);
    }

    claims.tenant = str("");
    claims.issuer = issuer;
    claims.device = str("*");
    claims.expires = NOW + 1;
    claims.subject = str("user:a");
    claims.cred = str("c");

    ok(ngx_amt_jwt_sign(pool, key, &claims, &token) == NGX_OK, "signed");

    bad = forge(HEADER, PAYLOAD, KEY);
    ok(token.len == bad.len && ngx_memcmp(token.data, bad.data, bad.len) == 0,
       "header, claims and their order are the contract's, byte for byte");

    ok(verify(&token, &got) == NGX_OK && got.expires == NOW + 1
       && got.device.len == 1 && got.subject.len == 6 && got.cred.len == 1
       && got.tenant.len == 0, "verified");
    ok(ngx_amt_jwt_verify(pool, key, &token, &issuer, NOW + 1, &got)
       == NGX_ABORT, "expired at that second");

    text = str("other issuer");
    ok(ngx_amt_jwt_verify(pool, key, &token, &text, NOW, &got)
       == NGX_DECLINED, "another issuer");

    other = parse_key("another key that is long enough too");
    ok(ngx_amt_jwt_verify(pool, other, &token, &issuer, NOW, &got)
       == NGX_DECLINED, "another key");
    ok(ngx_amt_jwt_verify(pool, other, &token, &issuer, NOW + 9, &got)
       == NGX_DECLINED, "expired under another key is not \"expired\"");

    /* every single changed character and every cut */

    for (i = 0, good = 0; i < token.len; i++) {
        bad.data = ngx_pnalloc(pool, token.len);
        bad.len = token.len;
        ngx_memcpy(bad.data, token.data, token.len);
        bad.data[i] = bad.data[i] == 'A' ? 'B' : 'A';

        /* the last character carries two bits that mean nothing */
        if (verify(&bad, &got) != NGX_DECLINED && i != token.len - 1) {
            good++;
        }
    }

    ok(good == 0, "no character can be changed");

    for (i = 0, good = 0; i < token.len; i++) {
        bad.data = ngx_pnalloc(pool, i + 1);
        bad.len = i;
        ngx_memcpy(bad.data, token.data, i);
        good += (verify(&bad, &got) != NGX_DECLINED);
    }

    ok(good == 0, "no cut token passes");

    refused(forge("{\"alg\":\"none\",\"typ\":\"JWT\"}", PAYLOAD, NULL),
            "alg none without signature");
    refused(forge(HEADER, PAYLOAD, NULL), "no signature");
    refused(forge("{\"alg\":\"none\",\"typ\":\"JWT\"}", PAYLOAD, KEY),
            "alg none, signed");
    refused(forge("{\"alg\":\"HS512\",\"typ\":\"JWT\"}", PAYLOAD, KEY),
            "alg HS512");
    refused(forge("{\"alg\":\"RS256\",\"typ\":\"JWT\"}", PAYLOAD, KEY),
            "alg RS256");
    refused(forge("{\"typ\":\"JWT\",\"alg\":\"HS256\"}", PAYLOAD, KEY),
            "another order in the header");
    refused(forge("{\"alg\":\"HS256\",\"alg\":\"none\",\"typ\":\"JWT\"}",
                  PAYLOAD, KEY), "alg twice");
    refused(forge("{\"alg\":\"HS256\",\"typ\":\"JWT\",\"crit\":[\"b64\"]}",
                  PAYLOAD, KEY), "crit");
    refused(forge(HEADER, PAYLOAD, "0123456789abcdef0123456789abcdeF"),
            "a key with one other letter");
    refused(forge(HEADER, "{", KEY), "signed, but no JSON");
    refused(forge(HEADER, "[]", KEY), "signed, but an array");
    refused(forge(HEADER, "\"x\"", KEY), "signed, but a string");
    refused(forge(HEADER, "", KEY), "signed, but nothing");
    refused(forge(HEADER, "{\"tenantId\":\"\",\"iss\":\"" ISS "\","
                  "\"deviceId\":\"*\",\"exp\":1700000001}", KEY),
            "the contract's claims alone: no subject");
    refused(forge(HEADER, "{\"tenantId\":\"\",\"iss\":\"" ISS "\","
                  "\"deviceId\":\"*\",\"exp\":\"1700000001\",\"sub\":\"user:a"
                  "\",\"cred\":\"c\"}", KEY), "exp is a string");
    refused(forge(HEADER, "{\"tenantId\":\"\",\"iss\":\"" ISS "\","
                  "\"deviceId\":\"*\",\"sub\":\"user:a\",\"cred\":\"c\"}",
                  KEY), "no exp");
    refused(forge(HEADER, "{\"tenantId\":\"\",\"iss\":\"" ISS "\","
                  "\"deviceId\":\"*\",\"exp\":1700000001,\"exp\":1900000001,"
                  "\"sub\":\"user:a\",\"cred\":\"c\"}", KEY), "exp twice");
    refused(forge(HEADER, "{\"tenantId\":null,\"iss\":\"" ISS "\","
                  "\"deviceId\":\"*\",\"exp\":1700000001,\"sub\":\"user:a\","
                  "\"cred\":\"c\"}", KEY), "tenant null");

    bad.len = token.len + 2;
    bad.data = ngx_pnalloc(pool, bad.len);
    ngx_memcpy(bad.data, token.data, token.len);
    ngx_memcpy(bad.data + token.len, ".x", 2);
    refused(bad, "a fourth part");
    bad.len--;
    refused(bad, "a dot at the end");
    bad.data[token.len] = '=';
    refused(bad, "padding");
    bad.data[token.len] = '\0';
    refused(bad, "a zero byte at the end");

    bad.len = NGX_AMT_JWT_MAX + 1;
    bad.data = ngx_pnalloc(pool, bad.len);
    ngx_memset(bad.data, 'e', bad.len);
    refused(bad, "a token that is too long");
    bad.len = 0;
    refused(bad, "nothing");

    /* names that need escapes stay one claim */

    claims.device = str("a\",\"exp\":9999999999,\"x\":\"\\");
    ok(ngx_amt_jwt_sign(pool, key, &claims, &token) == NGX_OK
       && verify(&token, &got) == NGX_OK && got.expires == NOW + 1
       && got.device.len == claims.device.len, "quotes in a claim");

    claims.device = str("\xff");
    ok(ngx_amt_jwt_sign(pool, key, &claims, &token) == NGX_ERROR,
       "a claim that is not UTF-8 is not signed");

    /* a second key goes without the first */

    sub = ngx_create_pool(4096, &log_);
    text = str(KEY);
    {
        ngx_amt_source_error_t  err;

        ok(ngx_amt_jwt_key_parse(sub, &text, &err) != NULL,
           "a key in its own pool");
    }
    ngx_destroy_pool(sub);

    claims.device = str("*");
    ok(ngx_amt_jwt_sign(pool, key, &claims, &token) == NGX_OK
       && verify(&token, &got) == NGX_OK, "the first one still works");

    ngx_destroy_pool(pool);

    return done();
}
