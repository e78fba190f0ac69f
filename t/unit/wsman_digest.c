
/* Digest challenges, responses (vectors of apf.md 19.4 and 25), state. */


#include "wsman_unit.h"
#include "wsman/ngx_amt_digest.h"
#include <ngx_md5.h>


#define REALM  "Digest:F3EB554784E729164447A89F60B641C5"
#define NONCE  "bm9uY2Utc2FtcGxlLTAwMDAwMDAwMDAwMQ=="


static ngx_int_t
parse(ngx_amt_digest_t *d, const char *a, const char *b)
{
    ngx_str_t  values[2];

    values[0] = unit_str(a);
    values[1] = unit_str(b ? b : "");

    memset(d, 0, sizeof(ngx_amt_digest_t));

    return ngx_amt_digest_parse(values, b ? 2 : 1, d);
}


static int
is(u_char *p, size_t len, const char *text)
{
    return len == strlen(text) && memcmp(p, text, len) == 0;
}


static void
test_challenges(void)
{
    char              big[1024];
    ngx_amt_digest_t  d;

    ok(parse(&d, "Digest realm=\"" REALM "\", nonce=\"" NONCE "\",stale="
             "\"false\",qop=\"auth-int, auth\"", NULL) == NGX_OK
       && is(d.realm, d.realm_len, REALM) && is(d.nonce, d.nonce_len, NONCE)
       && d.qop && !d.stale && !d.has_opaque && d.nc == 0,
       "as firmware sends it");
    ok(parse(&d, "  dIGEST   REALM = \"a\" ,nonce=\"b\",,  qop = auth , ",
             NULL) == NGX_OK && d.qop && is(d.nonce, d.nonce_len, "b"),
       "irregular spacing and case");
    ok(parse(&d, "Digest realm=\"a,b=c\", nonce=\"d\\\"e\\\\f\"", NULL)
       == NGX_OK && is(d.realm, d.realm_len, "a,b=c")
       && is(d.nonce, d.nonce_len, "d\"e\\f") && !d.qop,
       "commas and quotes in quotes; no qop");
    ok(parse(&d, "Digest realm=\"\", nonce=\"b\", stale=TRUE, opaque=\"\"",
             NULL) == NGX_OK && d.stale && d.has_opaque
       && d.opaque_len == 0 && d.realm_len == 0, "stale, empty opaque");
    ok(parse(&d, "Digest realm=\"a\", nonce=\"b\", algorithm=MD5, "
             "opaque=\"xyz\"", NULL) == NGX_OK
       && is(d.opaque, d.opaque_len, "xyz"), "algorithm and opaque");

    ok(parse(&d, "Negotiate", "Digest realm=\"a\", nonce=\"b\"") == NGX_OK,
       "another scheme before");
    ok(parse(&d, "Negotiate YII==, Digest realm=\"a\", nonce=\"b\"", NULL)
       == NGX_OK && is(d.nonce, d.nonce_len, "b"), "in the same header");
    ok(parse(&d, "Basic realm=\"x\", nonce=\"y\", Digest nonce=\"b\", "
             "realm=\"a\"", NULL) == NGX_OK && is(d.nonce, d.nonce_len, "b"),
       "with parameters of its own");
    ok(parse(&d, "Digest realm=\"a\", nonce=\"b\", Negotiate", NULL)
       == NGX_OK && is(d.nonce, d.nonce_len, "b"), "another scheme behind");
    ok(parse(&d, "Digest realm=\"a\", nonce=\"s\", algorithm=SHA-256",
             "Digest realm=\"a\", nonce=\"m\"") == NGX_OK
       && is(d.nonce, d.nonce_len, "m"), "the one we can answer");
    ok(parse(&d, "Digest realm=\"a\", nonce=\"1\"",
             "Digest realm=\"a\", nonce=\"2\"") == NGX_OK
       && is(d.nonce, d.nonce_len, "1"), "the first one");

    ok(ngx_amt_digest_parse(NULL, 0, &d) == NGX_DECLINED, "no header");
    ok(parse(&d, "", NULL) == NGX_DECLINED, "empty");
    ok(parse(&d, "Digest", NULL) == NGX_DECLINED, "empty challenge");
    ok(parse(&d, "Digest realm=\"a\"", NULL) == NGX_DECLINED, "no nonce");
    ok(parse(&d, "Digest nonce=\"a\"", NULL) == NGX_DECLINED, "no realm");
    ok(parse(&d, "Digest realm=\"a\", nonce=\"\"", NULL) == NGX_DECLINED,
       "empty nonce");
    ok(parse(&d, "Digest realm=\"a\", nonce=\"b", NULL) == NGX_DECLINED,
       "open quote");
    ok(parse(&d, "Digest realm=\"a\", nonce=\"b\\", NULL) == NGX_DECLINED,
       "open pair");
    ok(parse(&d, "Digest realm=\"a\", nonce=", NULL) == NGX_DECLINED,
       "no value");
    ok(parse(&d, "Digest realm=\"a\" nonce=\"b\"", NULL) == NGX_DECLINED,
       "no comma");
    ok(parse(&d, "Digest realm=\"a\", nonce=\"b\", nonce=\"c\"", NULL)
       == NGX_DECLINED, "nonce twice");
    ok(parse(&d, "Digest realm=\"a\", nonce=\"b\", qop=\"auth\", qop=auth",
             NULL) == NGX_DECLINED, "qop twice");
    ok(parse(&d, "Digest realm=\"a\", nonce=\"b\x01\"", NULL)
       == NGX_DECLINED, "control character");
    ok(parse(&d, "Digest realm=\"a\xc3\xa4\", nonce=\"b\"", NULL)
       == NGX_DECLINED, "not ASCII");
    ok(parse(&d, "Digest realm=\"a\", nonce=\"b\", qop=\"auth-int\"", NULL)
       == NGX_DECLINED, "only auth-int");
    ok(parse(&d, "Digest realm=\"a\", nonce=\"b\", qop=\"\"", NULL)
       == NGX_DECLINED, "empty qop");
    ok(parse(&d, "Digest realm=\"a\", nonce=\"b\", algorithm=MD5-sess", NULL)
       == NGX_DECLINED, "MD5-sess");
    ok(parse(&d, "realm=\"a\", nonce=\"b\"", NULL) == NGX_DECLINED,
       "no scheme");
    ok(parse(&d, "Negotiate", NULL) == NGX_DECLINED, "another scheme alone");
    ok(parse(&d, "Negotiate", "Digest realm=\"a") == NGX_DECLINED,
       "one of two is malformed");
    ok(parse(&d, "\"Digest\" realm=\"a\", nonce=\"b\"", NULL)
       == NGX_DECLINED, "scheme in quotes");
    ok(parse(&d, "Digest\"realm\"=\"a\", nonce=\"b\"", NULL)
       == NGX_DECLINED, "name in quotes");

    sprintf(big, "Digest realm=\"a\", nonce=\"%0*d\"",
            NGX_AMT_DIGEST_MAX_NONCE, 0);
    ok(parse(&d, big, NULL) == NGX_OK, "nonce as long as allowed");
    sprintf(big, "Digest realm=\"a\", nonce=\"%0*d\"",
            NGX_AMT_DIGEST_MAX_NONCE + 1, 0);
    ok(parse(&d, big, NULL) == NGX_DECLINED, "longer nonce");
    sprintf(big, "Digest realm=\"%0*d\", nonce=\"n\"",
            NGX_AMT_DIGEST_MAX_REALM + 1, 0);
    ok(parse(&d, big, NULL) == NGX_DECLINED, "longer realm");
    sprintf(big, "Digest realm=\"a\", nonce=\"n\", opaque=\"%0*d\"",
            NGX_AMT_DIGEST_MAX_OPAQUE + 1, 0);
    ok(parse(&d, big, NULL) == NGX_DECLINED, "longer opaque");
    sprintf(big, "Digest realm=\"a\", nonce=\"n\", x=\"%0300d\"", 0);
    ok(parse(&d, big, NULL) == NGX_DECLINED, "longer than any value");
}


static void
test_responses(void)
{
    u_char            ha1[NGX_AMT_DIGEST_HA1], response[NGX_AMT_DIGEST_HA1];
    ngx_str_t         user, realm, password, uri, cnonce, out;
    ngx_pool_t       *pool;
    ngx_amt_digest_t  d;

    pool = unit_pool();

    user = unit_str("admin");
    realm = unit_str(REALM);
    password = unit_str("P@ssw0rd");
    cnonce = unit_str("0a4f113b");

    ngx_amt_digest_ha1(&user, &realm, &password, ha1);
    ok(is(ha1, 32, "0ae083011bae3d84fc486ce4ab44ae1d"), "HA1");

    (void) parse(&d, "Digest realm=\"" REALM "\",nonce=\"" NONCE
                 "\",qop=\"auth\"", NULL);
    d.nc = 1;

    uri = unit_str("POST:/RedirectionService");
    ngx_amt_digest_response(&d, ha1, &uri, &cnonce, response);
    ok(is(response, 32, "d585e501b1d7a36e8c1e3a79975a4cea"),
       "/RedirectionService");

    uri = unit_str("POST:/wsman");
    ngx_amt_digest_response(&d, ha1, &uri, &cnonce, response);
    ok(is(response, 32, "3f3f88807045ffc900761c3f67d4ff79"), "/wsman");

    /* RFC 2069: MD5(HA1:nonce:HA2) */

    d.qop = 0;
    ngx_amt_digest_response(&d, ha1, &uri, &cnonce, response);
    {
        char        text[256];
        u_char      hash[16], hex[32];
        ngx_md5_t   md5;

        sprintf(text, "%s:%s:%s", "0ae083011bae3d84fc486ce4ab44ae1d", NONCE,
                "d83ba950d85d6f9b22682df889d8b847");
        ngx_md5_init(&md5);
        ngx_md5_update(&md5, text, strlen(text));
        ngx_md5_final(hash, &md5);
        ngx_hex_dump(hex, hash, 16);
        ok(memcmp(hex, response, 32) == 0, "without qop");
    }

    /* the header */

    d.qop = 1;
    d.nc = 0x1e;
    ok(ngx_amt_digest_authorization(pool, &d, &user, ha1, &out) == NGX_OK
       && d.nc == 0x1f
       && memmem(out.data, out.len, "Digest username=\"admin\",realm=\""
                 REALM "\",nonce=\"" NONCE "\",uri=\"/wsman\",qop=\"auth\","
                 "response=\"", 137) != NULL
       && memmem(out.data, out.len, "\",nc=\"0000001f\",cnonce=\"", 23)
          != NULL
       && out.data[out.len - 1] == '"'
       && memchr(out.data, '\r', out.len) == NULL, "header");

    cnonce.data = out.data + out.len - 17;
    cnonce.len = 16;
    ngx_amt_digest_response(&d, ha1, &uri, &cnonce, response);
    ok(memmem(out.data, out.len, response, 32) != NULL,
       "its response is of its count and cnonce");

    (void) parse(&d, "Digest realm=\"q\\\"q\",nonce=\"n\",opaque=\"o\"",
                 NULL);
    ok(ngx_amt_digest_authorization(pool, &d, &user, ha1, &out) == NGX_OK
       && memmem(out.data, out.len, "realm=\"q\\\"q\",", 13) != NULL
       && memmem(out.data, out.len, "qop=", 4) == NULL
       && memmem(out.data, out.len, "nc=", 3) == NULL
       && memmem(out.data, out.len, ",opaque=\"o\"", 11) != NULL,
       "quotes stay quoted, no qop, opaque comes back");

    d.nc = 0xffffffff;
    ok(ngx_amt_digest_authorization(pool, &d, &user, ha1, &out)
       == NGX_DECLINED, "a count is not used twice");

    ngx_destroy_pool(pool);
}


static void
test_state(void)
{
    char              big[512];
    size_t            i, len;
    u_char            text[NGX_AMT_DIGEST_STATE], copy[NGX_AMT_DIGEST_STATE];
    ngx_str_t         s;
    ngx_amt_digest_t  d, e;

    (void) parse(&d, "Digest realm=\"" REALM "\",nonce=\"" NONCE
                 "\",qop=\"auth\",opaque=\"o\"", NULL);
    d.nc = 0xfedcba98;

    s.data = text;
    s.len = ngx_amt_digest_encode(&d, text);

    for (i = 0; i < s.len; i++) {
        if (!isalnum(text[i]) && text[i] != '-' && text[i] != '_') {
            break;
        }
    }

    ok(i == s.len, "base64url");

    ok(ngx_amt_digest_decode(&s, &e) == NGX_OK && e.nc == d.nc && e.qop
       && is(e.realm, e.realm_len, REALM) && is(e.nonce, e.nonce_len, NONCE)
       && e.has_opaque && is(e.opaque, e.opaque_len, "o"), "there and back");

    sprintf(big, "Digest realm=\"%0*d\",nonce=\"%0*d\",opaque=\"%0*d\"",
            NGX_AMT_DIGEST_MAX_REALM, 0, NGX_AMT_DIGEST_MAX_NONCE, 0,
            NGX_AMT_DIGEST_MAX_OPAQUE, 0);
    ok(parse(&e, big, NULL) == NGX_OK
       && ngx_amt_digest_encode(&e, copy) <= NGX_AMT_DIGEST_STATE,
       "the largest one fits");

    for (len = 0; len < s.len; len++) {
        ngx_str_t  cut = { len, text };

        if (ngx_amt_digest_decode(&cut, &e) == NGX_OK) {
            break;
        }
    }

    ok(len == s.len, "cut ones are refused");

    /* any one byte changed: decoded within bounds, or refused */

    for (i = 0; i < s.len * 64; i++) {
        ngx_str_t  bent = { s.len, copy };

        memcpy(copy, text, s.len);
        copy[i / 64] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                       "0123456789-_"[i % 64];

        if (ngx_amt_digest_decode(&bent, &e) == NGX_OK
            && (e.nonce_len == 0 || e.nonce_len > NGX_AMT_DIGEST_MAX_NONCE
                || e.realm_len > NGX_AMT_DIGEST_MAX_REALM))
        {
            break;
        }
    }

    ok(i == s.len * 64, "bent ones");

    s = unit_str("not base64url!");
    ok(ngx_amt_digest_decode(&s, &e) == NGX_DECLINED, "foreign");
    memset(big, 'A', sizeof(big));
    s.data = (u_char *) big;
    s.len = sizeof(big);
    ok(ngx_amt_digest_decode(&s, &e) == NGX_DECLINED, "all zeros");

    d.nonce[0] = '\r';
    s.data = text;
    s.len = ngx_amt_digest_encode(&d, text);
    ok(ngx_amt_digest_decode(&s, &e) == NGX_DECLINED && e.nonce_len == 0,
       "line ends never come back");
}


int
main(void)
{
    unit_init();

    test_challenges();
    test_responses();
    test_state();

    return done();
}
