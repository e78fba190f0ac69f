
/*
 * JSON out: every character that is escaped, numbers to their limits, and
 * buffers that grow at any byte.
 */


#include "wsman_unit.h"
#include "mps/ngx_amt_out.h"
#include "auth/ngx_amt_hash.h"


static ngx_pool_t  *pool;


static char *
written(ngx_amt_out_t *o)
{
    ngx_str_t  text;

    ngx_amt_out_raw(o, "", 1);

    return ngx_amt_out_done(o, &text) == NGX_OK ? (char *) text.data
                                                : "(no memory)";
}


static void
int_is(int64_t n, const char *want)
{
    char           *got;
    ngx_amt_out_t   o;

    ngx_amt_out_init(&o, pool, 1);
    ngx_amt_out_int(&o, n);
    got = written(&o);

    ok(strcmp(got, want) == 0, "%s, got %s", want, got);
}


static void
string_is(const char *text, size_t len, const char *want)
{
    char           *got;
    ngx_str_t       s;
    ngx_amt_out_t   o;

    s.data = (u_char *) text;
    s.len = len;

    ngx_amt_out_init(&o, pool, 1);
    ngx_amt_out_string(&o, &s);
    got = written(&o);

    ok(strcmp(got, want) == 0, "%s, got %s", want, got);
}


/* A text with everything in it, behind some bytes, is read as the same. */

static void
grows(void)
{
    u_char          text[256];
    size_t          before, i;
    json_t         *json, *value;
    ngx_str_t       s, out;
    ngx_uint_t      good;
    ngx_amt_out_t   o;

    for (i = 0; i < sizeof(text); i++) {
        text[i] = (u_char) (i % 128 ? i % 128 : 1);
    }

    for (before = 0, good = 0; before < sizeof(text); before++) {
        s.data = text;
        s.len = before;

        ngx_amt_out_init(&o, pool, 1);
        ngx_amt_out_open(&o, '[');
        ngx_amt_out_string(&o, &s);

        s.len = sizeof(text);

        ngx_amt_out_string(&o, &s);
        ngx_amt_out_open(&o, '{');
        ngx_amt_out_key(&o, "key");
        ngx_amt_out_int(&o, before);
        ngx_amt_out_key(&o, "next");
        ngx_amt_out_value(&o, NULL);
        ngx_amt_out_close(&o, '}');
        ngx_amt_out_close(&o, ']');
        (void) ngx_amt_out_done(&o, &out);

        json = json_loadb((char *) out.data, out.len, 0, NULL);
        value = json_array_get(json, 1);

        good += (json_array_size(json) == 3
                 && json_string_length(json_array_get(json, 0)) == before
                 && json_string_length(value) == sizeof(text)
                 && memcmp(json_string_value(value), text, sizeof(text)) == 0
                 && json_integer_value(json_object_get(json_array_get(json, 2),
                                                       "key"))
                    == (json_int_t) before);
        json_decref(json);
    }

    ok(good == sizeof(text), "texts at every offset, %lu",
       (unsigned long) good);
}


static void
hash_is(ngx_int_t rc, u_char *digest, size_t len, const char *want)
{
    u_char  hex[2 * NGX_AMT_SHA256_LEN + 1];

    *ngx_hex_dump(hex, digest, len) = '\0';

    ok(rc == NGX_OK && strcmp((char *) hex, want) == 0, "%s, got %s", want,
       hex);
}


static void
hashes(void)
{
    u_char      digest[NGX_AMT_SHA256_LEN];
    ngx_int_t   rc;
    ngx_uint_t  i;

    /* FIPS 180: "abc", and again with what is kept */

    for (i = 0; i < 2; i++) {
        rc = ngx_amt_sha1("abc", 3, digest);
        hash_is(rc, digest, NGX_AMT_SHA1_LEN,
                "a9993e364706816aba3e25717850c26c9cd0d89d");

        rc = ngx_amt_sha256("abc", 3, digest);
        hash_is(rc, digest, NGX_AMT_SHA256_LEN,
                "ba7816bf8f01cfea414140de5dae2223"
                "b00361a396177a9cb410ff61f20015ad");

        rc = ngx_amt_sha1("", 0, digest);
        hash_is(rc, digest, NGX_AMT_SHA1_LEN,
                "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    }
}


int
main(void)
{
    unit_init();
    pool = unit_pool();

    int_is(0, "0");
    int_is(7, "7");
    int_is(10, "10");
    int_is(-1, "-1");
    int_is(INT64_MAX, "9223372036854775807");
    int_is(INT64_MIN, "-9223372036854775808");

    string_is("", 0, "\"\"");
    string_is("a\"b\\c/d", 7, "\"a\\\"b\\\\c/d\"");
    string_is("\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\"");
    string_is("\0\1\37\177", 4, "\"\\u0000\\u0001\\u001f\177\"");
    string_is("\303\244", 2, "\"\303\244\"");
    string_is("\"", 1, "\"\\\"\"");

    grows();
    hashes();

    ngx_destroy_pool(pool);

    return done();
}
