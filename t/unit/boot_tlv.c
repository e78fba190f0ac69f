
/*
 * Boot parameters: vectors of the contract, limits, broken lists; boot
 * actions; echoing Puts.
 */


#include "wsman_unit.h"
#include "amt/ngx_amt_boot.h"
#include "amt/ngx_amt_boot_tlv.h"
#include "amt/ngx_amt_put.h"


static int
same(ngx_str_t *s, const char *text)
{
    return s->len == strlen(text) && memcmp(s->data, text, s->len) == 0;
}


static void
encode(void)
{
    ngx_str_t    out, uri, none, user, password, path;
    ngx_pool_t  *pool;
    ngx_uint_t   count;

    pool = unit_pool();
    ngx_str_null(&none);

    uri = unit_str("https://10.1.1.1/boot.efi");

    ok(ngx_amt_boot_tlv_https(pool, &uri, &none, &none, &count, &out)
       == NGX_OK && count == 2, "HTTPS boot");
    ok(same(&out, "hoABABkAAABodHRwczovLzEwLjEuMS4xL2Jvb3QuZWZphoAUAAEAAAAB"),
       "its bytes");

    uri = unit_str("https://a.b/c.efi");

    ok(ngx_amt_boot_tlv_https(pool, &uri, &none, &none, &count, &out)
       == NGX_OK
       && same(&out, "hoABABEAAABodHRwczovL2EuYi9jLmVmaYaAFAABAAAAAQ=="),
       "sample of the class catalogue");

    user = unit_str("bootuser");
    password = unit_str("bootpass");
    uri = unit_str("https://boot.example.com/image.efi");

    ok(ngx_amt_boot_tlv_https(pool, &uri, &user, &password, &count, &out)
       == NGX_OK && count == 4
       && same(&out, "hoABACIAAABodHRwczovL2Jvb3QuZXhhbXBsZS5jb20vaW1hZ2UuZWZ"
                     "phoAUAAEAAAABhoAoAAgAAABib290dXNlcoaAKQAIAAAAYm9vdHBhc3"
                     "M="), "with credentials");

    path = unit_str("\\OemPba.efi");

    ok(ngx_amt_boot_tlv_path(pool, &path, &count, &out) == NGX_OK
       && count == 2
       && same(&out, "hoACAAsAAABcT2VtUGJhLmVmaYaAAwACAAAACwA="), "path");

    ngx_destroy_pool(pool);
}


static void
limits(void)
{
    u_char               text[400];
    size_t               n;
    ngx_str_t            out, s, none, uri;
    ngx_pool_t          *pool;
    ngx_uint_t           count, type;
    ngx_array_t         *list;
    ngx_amt_boot_tlv_t   t;

    memset(text, 'x', sizeof(text));
    ngx_str_null(&none);
    pool = unit_pool();

    s.data = text;
    uri = unit_str("https://a.b/c");

    s.len = 300;
    ok(ngx_amt_boot_tlv_path(pool, &s, &count, &out) == NGX_OK,
       "path of 300 bytes");
    ok(ngx_amt_boot_tlv_decode(pool, &out, &list) == NGX_OK
       && list->nelts == 2
       && ((ngx_amt_boot_param_t *) list->elts)[0].value.len == 300
       && ((ngx_amt_boot_param_t *) list->elts)[1].value.data[0] == 44
       && ((ngx_amt_boot_param_t *) list->elts)[1].value.data[1] == 1,
       "is read back, its length in two bytes");

    s.len = 301;
    ok(ngx_amt_boot_tlv_path(pool, &s, &count, &out) == NGX_DECLINED,
       "of 301");
    ok(ngx_amt_boot_tlv_https(pool, &s, &none, &none, &count, &out)
       == NGX_DECLINED, "URI of 301 bytes");

    s.len = 0;
    ok(ngx_amt_boot_tlv_path(pool, &s, &count, &out) == NGX_DECLINED,
       "no path");

    s.len = 16;
    ok(ngx_amt_boot_tlv_https(pool, &uri, &s, &s, &count, &out) == NGX_OK,
       "credentials of 16 bytes");
    s.len = 17;
    ok(ngx_amt_boot_tlv_https(pool, &uri, &s, &none, &count, &out)
       == NGX_DECLINED, "user of 17");
    ok(ngx_amt_boot_tlv_https(pool, &uri, &none, &s, &count, &out)
       == NGX_DECLINED, "password of 17");

    for (type = 0, n = 0; type < 65536; type++) {
        n += ngx_amt_boot_tlv_limit(type) != 0;
    }

    ok(n == 16, "types");

    ngx_amt_boot_tlv_init(&t);
    ngx_amt_boot_tlv_add(&t, 7, "x", 1);
    ok(ngx_amt_boot_tlv_done(&t, pool, &out) == NGX_DECLINED,
       "unknown type");

    ngx_amt_boot_tlv_init(&t);

    for (n = 0; n < 100; n++) {
        ngx_amt_boot_tlv_add(&t, 1, text, 300);
    }

    ok(ngx_amt_boot_tlv_done(&t, pool, &out) == NGX_DECLINED
       && t.len <= NGX_AMT_BOOT_TLV_MAX, "list is full");

    ngx_amt_boot_tlv_init(&t);

    for (n = 0; n < 13; n++) {
        ngx_amt_boot_tlv_add(&t, 1, text, 300);
    }

    ngx_amt_boot_tlv_add(&t, 1, text, NGX_AMT_BOOT_TLV_MAX - t.len - 8);
    ok(t.len == NGX_AMT_BOOT_TLV_MAX
       && ngx_amt_boot_tlv_done(&t, pool, &out) == NGX_OK
       && ngx_amt_boot_tlv_decode(pool, &out, &list) == NGX_OK
       && list->nelts == 14, "list of the greatest length");

    ngx_destroy_pool(pool);
}


static void
decode(void)
{
    size_t        i;
    ngx_int_t     rc;
    ngx_str_t     in, out, raw;
    ngx_pool_t   *pool;
    ngx_array_t  *list;

    static const struct {
        const char  *hex;
        int          rc;
        const char  *name;
    } table[] = {
        { "", NGX_OK, "empty" },
        { "868014000100000001", NGX_OK, "one" },
        { "8680140001000000", NGX_DECLINED, "value is missing" },
        { "86801400020000000101", NGX_DECLINED, "value too long" },
        { "868014000000000", NGX_DECLINED, "cut header" },
        { "86801400", NGX_DECLINED, "half a header" },
        { "8680140000000000", NGX_DECLINED, "empty value" },
        { "878014000100000001", NGX_DECLINED, "other vendor" },
        { "868015000100000001", NGX_OK, "type 21" },
        { "868007000100000001", NGX_DECLINED, "type 7" },
        { "868014010100000001", NGX_DECLINED, "type 276" },
        { "868014000100010001", NGX_DECLINED, "length of 65537" },
        { "868014000100000101", NGX_DECLINED, "length of 2^24 + 1" },
        { "86801400ffffffff01", NGX_DECLINED, "length of 2^32 - 1" },
        { "86801400010000000186801400010000000", NGX_DECLINED,
          "second one is cut" },
        { "868014000100000001868014000100000000", NGX_OK, "two" }
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {

        pool = unit_pool();

        raw.len = strlen(table[i].hex) / 2;
        raw.data = ngx_pnalloc(pool, raw.len + 1);

        for (size_t n = 0; n < raw.len; n++) {
            raw.data[n] = ngx_hextoi((u_char *) table[i].hex + 2 * n, 2);
        }

        in.data = ngx_pnalloc(pool, ngx_base64_encoded_length(raw.len) + 1);
        ngx_encode_base64(&in, &raw);

        rc = ngx_amt_boot_tlv_decode(pool, &in, &list);
        ok(rc == table[i].rc, "%s", table[i].name);

        ngx_destroy_pool(pool);
    }

    pool = unit_pool();

    out = unit_str("not base64!");
    ok(ngx_amt_boot_tlv_decode(pool, &out, &list) == NGX_DECLINED,
       "not base64");

    out.len = 3 * NGX_AMT_BOOT_TLV_MAX;
    out.data = ngx_pcalloc(pool, out.len);
    ok(ngx_amt_boot_tlv_decode(pool, &out, &list) == NGX_DECLINED,
       "too long");

    ngx_destroy_pool(pool);
}


static void
actions(void)
{
    size_t  i;

    static const struct {
        ngx_uint_t   action;
        ngx_uint_t   power;
        const char  *source;
    } table[] = {
        { 100, 2, "" }, { 101, 10, "" },
        { 105, 10, "Intel(r) AMT: Force OCR UEFI HTTPS Boot" },
        { 106, 2, "Intel(r) AMT: Force OCR UEFI HTTPS Boot" },
        { 107, 10, "" }, { 108, 2, "" }, { 109, 10, "" }, { 110, 2, "" },
        { 200, 10, "" }, { 201, 2, "" },
        { 202, 10, "Intel(r) AMT: Force CD/DVD Boot" },
        { 203, 2, "Intel(r) AMT: Force CD/DVD Boot" },
        { 300, 2, "Intel(r) AMT: Force Diagnostic Boot" },
        { 301, 10, "Intel(r) AMT: Force Diagnostic Boot" },
        { 400, 10, "Intel(r) AMT: Force PXE Boot" },
        { 401, 2, "Intel(r) AMT: Force PXE Boot" }
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        ok(ngx_amt_boot_power(table[i].action) == table[i].power
           && strcmp(ngx_amt_boot_source(table[i].action), table[i].source)
              == 0, "action %d", (int) table[i].action);
    }

    ok(strcmp(ngx_amt_boot_status(4), "INVALID_REFERENCE") == 0
       && strcmp(ngx_amt_boot_status(32768 + 16), "NOT_PERMITTED") == 0
       && strcmp(ngx_amt_boot_status(-1), "UNKNOWN_ERROR") == 0
       && strcmp(ngx_amt_boot_status(7), "UNKNOWN_ERROR") == 0,
       "return values");
}


static void
put(void)
{
    ngx_int_t       rc;
    ngx_str_t       in, out;
    ngx_pool_t     *pool;
    const char     *why;
    ngx_amt_put_t   changes[6];
    ngx_amt_xml_t  *root;

    pool = unit_pool();

    in = unit_str("<h:C xmlns:h=\"urn:c\" xmlns:x=\"urn:x\">"
                  "<h:A>1</h:A><h:L>a</h:L><h:L>b</h:L><x:U y=\"1\">"
                  "<x:V>&lt;</x:V></x:U><h:B>true</h:B><h:G>g</h:G></h:C>");

    ok(ngx_amt_xml_parse(pool, &in, &root, &why) == NGX_OK, "instance");

    memset(changes, 0, sizeof(changes));
    changes[0].name = "A";
    changes[0].type = NGX_AMT_PUT_INT;
    changes[0].number = 4294967295LL;
    changes[1].name = "L";
    changes[1].type = NGX_AMT_PUT_TEXT;
    changes[1].text = unit_str("<&>");
    changes[2].name = "G";
    changes[2].type = NGX_AMT_PUT_OMIT;
    changes[3].name = "N";
    changes[3].number = 1;
    changes[3].add = 1;
    changes[4].name = "M";
    changes[4].number = 1;

    ngx_str_null(&out);
    rc = ngx_amt_put_body(pool, root, changes, &out);

    ok(rc == NGX_OK
       && same(&out, "<h:A>4294967295</h:A><h:L>&lt;&amp;&gt;</h:L>"
                     "<U xmlns=\"urn:x\"><V xmlns=\"urn:x\">&lt;</V></U>"
                     "<h:B>true</h:B><h:N>true</h:N>"),
       "changed in place, echoed, left out, added: %.*s", (int) out.len,
       out.data);

    changes[1].text = unit_str("\xff");
    ok(ngx_amt_put_body(pool, root, changes, &out) == NGX_DECLINED,
       "text that XML cannot carry");

    ngx_destroy_pool(pool);
}


int
main(void)
{
    unit_init();

    encode();
    limits();
    decode();
    actions();
    put();

    return done();
}
