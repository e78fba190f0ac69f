
/* Checks of request fields, JSON out, bodies: contract mps.md 1.3-1.6. */


#include "mps/ngx_amt_validate.h"
#include "mps/ngx_amt_body.h"
#include "ngx_cira_utf8.h"
#include "tap.h"
#include <malloc.h>


static ngx_pool_t  *pool;


/* ---- single checks ---- */

static struct {
    ngx_amt_check_e   check;
    const char       *text;
    int               good;
} checks[] = {

#define U  NGX_AMT_CHECK_UUID
    { U, "143e4567-e89b-12d3-a456-426614174000", 1 },
    { U, "143E4567-E89B-12D3-A456-42661417400F", 1 },
    { U, "00000000-0000-0000-0000-000000000000", 1 },
    { U, "{143e4567-e89b-12d3-a456-426614174000}", 0 },
    { U, "143e4567e89b12d3a456426614174000", 0 },
    { U, "143e4567-e89b-12d3-a456-42661417400", 0 },
    { U, "143e4567-e89b-12d3-a456-4266141740000", 0 },
    { U, "143e4567-e89b-12d3-a456-42661417400g", 0 },
    { U, "143e4567-e89b-12d3-a456_426614174000", 0 },
    { U, "", 0 },

#define N  NGX_AMT_CHECK_NUMERIC
    { N, "0", 1 }, { N, "007", 1 }, { N, "+1", 1 }, { N, "-1.5", 1 },
    { N, ".5", 1 }, { N, "-.5", 1 }, { N, "12345678901234567890", 1 },
    { N, "", 0 }, { N, "+", 0 }, { N, ".", 0 }, { N, "5.", 0 },
    { N, "1.2.3", 0 }, { N, "1e5", 0 }, { N, " 1", 0 }, { N, "1 ", 0 },
    { N, "0x10", 0 }, { N, "NaN", 0 }, { N, "--1", 0 },

#define I  NGX_AMT_CHECK_INT                         /* 0..100 */
    { I, "0", 1 }, { I, "-0", 1 }, { I, "+100", 1 }, { I, "0100", 1 },
    { I, "101", 0 }, { I, "-1", 0 }, { I, "1.0", 0 }, { I, "", 0 },
    { I, "-", 0 }, { I, "99999999999999999999999999", 0 },
    { I, "18446744073709551617", 0 }, { I, "1a", 0 }, { I, " 1", 0 },

#define L  NGX_AMT_CHECK_IN                          /* AND,OR */
    { L, "AND", 1 }, { L, "OR", 1 }, { L, "and", 0 }, { L, "AND,OR", 0 },
    { L, "", 0 }, { L, "ANDX", 0 }, { L, "A", 0 }, { L, ",", 0 },

#define H  NGX_AMT_CHECK_LENGTH                      /* 1..4 */
    { H, "a", 1 }, { H, "abcd", 1 },
    { H, "\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc", 1 },
    { H, "\xf0\x9f\x98\x80", 1 }, { H, "", 0 }, { H, "abcde", 0 },

#define B  NGX_AMT_CHECK_BOOLEAN
    { B, "true", 1 }, { B, "false", 1 }, { B, "1", 1 }, { B, "0", 1 },
    { B, "True", 0 }, { B, "yes", 0 }, { B, "", 0 }, { B, "10", 0 },
    { B, "true,false", 0 },

#define P  NGX_AMT_CHECK_IPV4
    { P, "1.2.3.4", 1 }, { P, "0.0.0.0", 1 }, { P, "255.255.255.255", 1 },
    { P, "256.1.1.1", 0 }, { P, "1.2.3", 0 }, { P, "1.2.3.4.5", 0 },
    { P, "1.2.3.", 0 }, { P, ".1.2.3", 0 }, { P, "1..2.3", 0 },
    { P, "01.2.3.4", 0 }, { P, "1.2.3.4 ", 0 }, { P, "a.b.c.d", 0 },
    { P, "1.2.3.-4", 0 }, { P, "", 0 }, { P, "1.2.3.0004", 0 },

#define F  NGX_AMT_CHECK_FQDN
    { F, "os.suffix.com", 1 }, { F, "os.suffix.com.", 1 },
    { F, "localdomain", 1 }, { F, "a", 1 }, { F, "1a.2b", 1 },
    { F, "a-b.c--d", 1 }, { F, "xn--mnchen-3ya.de", 1 },
    { F, "", 0 }, { F, ".", 0 }, { F, "a..b", 0 }, { F, ".a", 0 },
    { F, "a..", 0 }, { F, "-a.b", 0 }, { F, "a-.b", 0 }, { F, "a_b.c", 0 },
    { F, "a b.c", 0 }, { F, "1.2.3.4", 0 }, { F, "a.com?x", 0 },
    { F, "a.com/x", 0 }, { F, "a\xc3\xbc.de", 0 },
    { F, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b",
      1 },
    { F, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b",
      0 },

#define W  NGX_AMT_CHECK_URL
    { W, "http://example.com", 1 }, { W, "https://example.com/a?b#c", 1 },
    { W, "ftp://example.com", 1 }, { W, "example.com", 1 },
    { W, "HTTPS://EXAMPLE.COM", 1 }, { W, "http://1.2.3.4:8080/x", 1 },
    { W, "http://[::1]/x", 1 }, { W, "http://[2001:db8::1]:443", 1 },
    { W, "http://user:pw@example.com/", 1 }, { W, "example.com:80", 1 },
    { W, "http://example.com?x=a://b", 1 },
    { W, "http://localhost", 0 }, { W, "localhost", 0 }, { W, "", 0 },
    { W, "http://", 0 }, { W, "gopher://example.com", 0 },
    { W, "//example.com", 0 }, { W, "http://exa mple.com", 0 },
    { W, "http://example.com/<b>", 0 }, { W, "http://example.c", 0 },
    { W, "http://example.com:0", 0 }, { W, "http://example.com:65536", 0 },
    { W, "http://example.com:", 0 }, { W, "http://[::1", 0 },
    { W, "http://[zz]", 0 }, { W, "http://@example.com", 0 },
    { W, "http://example_x.com", 0 }, { W, "javascript:alert(1)", 0 },

#define T  NGX_AMT_CHECK_ISO8601
    { T, "2021-12-08", 1 }, { T, "2021-12-08T21:45:06.000Z", 1 },
    { T, "2021-12-08T21:45:06+01:00", 1 }, { T, "2021-12-08 21:45", 1 },
    { T, "2021", 1 }, { T, "2021-12", 1 }, { T, "20211208", 1 },
    { T, "2021-12-08T21", 1 }, { T, "2021-12-08T214506Z", 1 },
    { T, "", 0 }, { T, "202112", 0 }, { T, "2021-13-08", 0 },
    { T, "2021-12-32", 0 }, { T, "2021-12-08T24:01", 0 },
    { T, "2021-12-08T21:60", 0 }, { T, "2021-12-08T", 0 },
    { T, "2021-12-08T21:45:06.Z", 0 }, { T, "2021-12-08T21:45:06Zx", 0 },
    { T, "2021-12-08T21:45:06+", 0 }, { T, "yesterday", 0 },
    { T, "12/08/2021", 0 }, { T, "2021-1-8", 0 }
};


static int
run(const ngx_amt_check_t *list, const char *json, ngx_str_t *errors)
{
    int               rc;
    json_error_t      err;
    ngx_amt_input_t   in;

    ngx_memzero(&in, sizeof(ngx_amt_input_t));
    ngx_str_null(errors);

    in.body = json_loads(json, JSON_DECODE_INT_AS_REAL, &err);
    rc = ngx_amt_validate(list, &in, pool, errors);
    json_decref(in.body);

    return rc;
}


static void
test_checks(void)
{
    int              rc;
    size_t           i;
    json_t          *v;
    ngx_str_t        errors;
    ngx_amt_input_t  in;
    ngx_amt_check_t  list[2];

    for (i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {

        ngx_memzero(list, sizeof(list));
        list[0].field = "x";
        list[0].in = NGX_AMT_IN_BODY;
        list[0].check = checks[i].check;
        list[0].list = "AND,OR";
        list[0].min = checks[i].check == NGX_AMT_CHECK_LENGTH;
        list[0].max = checks[i].check == NGX_AMT_CHECK_LENGTH ? 4 : 100;

        ngx_memzero(&in, sizeof(ngx_amt_input_t));
        in.body = json_object();
        v = json_string(checks[i].text);
        json_object_set_new(in.body, "x", v);

        rc = ngx_amt_validate(list, &in, pool, &errors);
        json_decref(in.body);

        ok((rc == NGX_OK) == checks[i].good, "check %d of \"%s\"",
           (int) checks[i].check, checks[i].text);
    }
}


/* ---- chains, flags, places ---- */

#define ROW(field, check, flags, min, max, msg)                               \
    { field, NGX_AMT_IN_BODY, NGX_AMT_CHECK_##check, flags, min, max, "1,2",  \
      msg, NULL }
#define END  { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }

static const ngx_amt_check_t  plain[] = {
    ROW("a", INT, 0, 1, 5, NULL), ROW("a", IN, 0, 0, 0, "one of"), END };
static const ngx_amt_check_t  bail[] = {
    ROW("a", STRING, NGX_AMT_CHECK_BAIL, 0, 0, NULL),
    ROW("a", LENGTH, 0, 2, 3, "length"), END };
static const ngx_amt_check_t  optional[] = {
    ROW("a", INT, NGX_AMT_CHECK_OPTIONAL, 1, 5, NULL), END };
static const ngx_amt_check_t  nullable[] = {
    ROW("a", INT, NGX_AMT_CHECK_NULLABLE, 1, 5, NULL), END };
static const ngx_amt_check_t  falsy[] = {
    ROW("a", INT, NGX_AMT_CHECK_FALSY, 1, 5, NULL), END };
static const ngx_amt_check_t  nested[] = {
    ROW("a.b", STRICT_BOOLEAN, 0, 0, 0, NULL), END };
static const ngx_amt_check_t  each[] = {
    ROW("a", ARRAY, 0, 0, 0, NULL),
    ROW("a[*]", STRING, NGX_AMT_CHECK_OPTIONAL, 0, 0, "text"), END };
static const ngx_amt_check_t  secret[] = {
    ROW("a", STRING, NGX_AMT_CHECK_SECRET, 0, 0, NULL), END };
static const ngx_amt_check_t  object[] = {
    ROW("a", OBJECT, 0, 0, 0, NULL), END };
static const ngx_amt_check_t  empty[] = {
    ROW("a", FQDN, NGX_AMT_CHECK_EMPTY, 0, 0, NULL), END };
static const ngx_amt_check_t  filled[] = {
    ROW("a", NOT_EMPTY, 0, 0, 0, NULL), END };

#define E(value, msg, path)                                                   \
    "{\"type\":\"field\"," value "\"msg\":\"" msg "\",\"path\":\"" path       \
    "\",\"location\":\"body\"}"
#define IV  "Invalid value"

static struct {
    const ngx_amt_check_t  *list;
    const char             *json;
    const char             *errors;      /* inner of the array, NULL: none */
} chains[] = {
    { plain, "{\"a\":2}", NULL },
    { plain, "{\"a\":\"2\"}", NULL },
    { plain, "{\"a\":2.0}", NULL },
    { plain, "{\"a\":20e-1}", NULL },
    { plain, "{\"a\":3}", E("\"value\":3,", "one of", "a") },
    { plain, "{\"a\":9}", E("\"value\":9,", IV, "a") ","
      E("\"value\":9,", "one of", "a") },
    { plain, "{}", E("", IV, "a") "," E("", "one of", "a") },
    { plain, "{\"a\":null}", E("\"value\":null,", IV, "a") ","
      E("\"value\":null,", "one of", "a") },
    { plain, "{\"a\":[1]}", E("\"value\":[1],", IV, "a") ","
      E("\"value\":[1],", "one of", "a") },
    { plain, "{\"a\":[]}", E("\"value\":[],", IV, "a") ","
      E("\"value\":[],", "one of", "a") },
    { plain, "{\"a\":{}}", E("\"value\":{},", IV, "a") ","
      E("\"value\":{},", "one of", "a") },
    { plain, "{\"a\":true}", E("\"value\":true,", IV, "a") ","
      E("\"value\":true,", "one of", "a") },
    { plain, "[1]", E("", IV, "a") "," E("", "one of", "a") },
    { bail, "{\"a\":5}", E("\"value\":5,", IV, "a") },
    { bail, "{\"a\":\"x\"}", E("\"value\":\"x\",", "length", "a") },
    { bail, "{\"a\":\"xy\"}", NULL },
    { optional, "{}", NULL },
    { optional, "{\"a\":null}", E("\"value\":null,", IV, "a") },
    { optional, "{\"a\":0}", E("\"value\":0,", IV, "a") },
    { nullable, "{\"a\":null}", NULL },
    { nullable, "{}", NULL },
    { nullable, "{\"a\":\"\"}", E("\"value\":\"\",", IV, "a") },
    { falsy, "{\"a\":\"\"}", NULL },
    { falsy, "{\"a\":0}", NULL },
    { falsy, "{\"a\":false}", NULL },
    { falsy, "{\"a\":null}", NULL },
    { falsy, "{\"a\":7}", E("\"value\":7,", IV, "a") },
    { nested, "{\"a\":{\"b\":true}}", NULL },
    { nested, "{\"a\":{\"b\":1}}", E("\"value\":1,", IV, "a.b") },
    { nested, "{\"a\":5}", E("", IV, "a.b") },
    { nested, "{}", E("", IV, "a.b") },
    { each, "{\"a\":[\"x\",\"y\"]}", NULL },
    { each, "{\"a\":[]}", NULL },
    { each, "{\"a\":[1,\"x\",[2]]}", E("\"value\":1,", "text", "a[0]") ","
      E("\"value\":[2],", "text", "a[2]") },
    { each, "{\"a\":{\"k\":1}}", E("\"value\":{\\\"k\\\":1},", IV, "a") },
    { secret, "{\"a\":[\"hidden\"]}", E("", IV, "a") },
    { object, "{\"a\":{}}", NULL },
    { object, "{\"a\":null}", E("\"value\":null,", IV, "a") },
    { object, "{\"a\":[]}", E("\"value\":[],", IV, "a") },
    { empty, "{\"a\":\"\"}", NULL },
    { empty, "{\"a\":\"a b\"}", E("\"value\":\"a b\",", IV, "a") },
    { filled, "{\"a\":\"\"}", E("\"value\":\"\",", IV, "a") },
    { filled, "{\"a\":0}", NULL },
    { filled, "{}", E("", IV, "a") }
};


static void
test_chains(void)
{
    int         rc;
    char        want[2048];
    size_t      i;
    ngx_str_t   got;

    for (i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {

        if (chains[i].list == each && chains[i].json[5] == '{') {

            /* elements of an object have their names in the path */

            snprintf(want, sizeof(want), "%s", "{\"errors\":["
                     E("\"value\":{\"k\":1},", IV, "a") ","
                     E("\"value\":1,", "text", "a.k") "]}");

        } else {
            snprintf(want, sizeof(want), "{\"errors\":[%s]}",
                     chains[i].errors ? chains[i].errors : "");
        }

        rc = run(chains[i].list, chains[i].json, &got);

        if (chains[i].errors == NULL) {
            ok(rc == NGX_OK, "%s of %s passes", chains[i].json,
               chains[i].list[0].field);
            continue;
        }

        if (!ok(rc == NGX_DECLINED && got.len == strlen(want)
                && memcmp(got.data, want, got.len) == 0,
                "errors of %s", chains[i].json))
        {
            printf("# got  %.*s\n# want %s\n", (int) got.len, got.data, want);
        }
    }
}


static void
test_places(void)
{
    u_char           *seven, *eight, *nine;
    ngx_str_t         got;
    ngx_amt_input_t   in;

    static const ngx_amt_check_t  any[] = {
        { "a", 0, NGX_AMT_CHECK_INT, 0, 1, 5, NULL, NULL, NULL }, END };
    static const ngx_amt_check_t  query[] = {
        { "a", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_INT, 0, 1, 5, NULL, NULL,
          NULL }, END };

    ngx_memzero(&in, sizeof(ngx_amt_input_t));

    in.query = json_pack("{s:s}", "a", "9");
    in.params = json_pack("{s:s}", "a", "8");
    in.headers = json_pack("{s:s}", "a", "3");
    in.cookies = json_pack("{s:s}", "a", "7");

    (void) ngx_amt_validate(any, &in, pool, &got);
    seven = ngx_strnstr(got.data, "\"7\"", got.len);
    eight = ngx_strnstr(got.data, "\"8\"", got.len);
    nine = ngx_strnstr(got.data, "\"9\"", got.len);
    ok(seven && eight > seven && nine > eight
       && ngx_strnstr(got.data, "\"3\"", got.len) == NULL,
       "every place, in order: cookies, headers, params, query");

    json_decref(in.cookies);
    in.cookies = NULL;
    json_object_set_new(in.query, "a", json_string("2"));
    ok(ngx_amt_validate(query, &in, pool, &got) == NGX_OK, "one place only");

    json_object_clear(in.query);
    ok(ngx_amt_validate(query, &in, pool, &got) == NGX_DECLINED
       && ngx_strnstr(got.data, "\"location\":\"query\"", got.len),
       "missing is reported for that place");

    json_decref(in.query);
    json_decref(in.params);
    json_decref(in.headers);
}


/* Lists of a hostile length: errors and memory are bounded. */

static void
test_long(void)
{
    size_t              i, n, used;
    u_char             *p;
    ngx_str_t           got;
    ngx_log_t           log;
    ngx_pool_t         *own;
    ngx_uint_t          errors;
    ngx_amt_input_t     in;
    ngx_pool_large_t   *large;

    static const ngx_amt_check_t  list[] = {
        { "a[*]", NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING, NGX_AMT_CHECK_BAIL,
          0, 0, NULL, "text", NULL },
        { "a[*]", NGX_AMT_IN_BODY, NGX_AMT_CHECK_NOT_EMPTY, 0, 0, 0, NULL,
          "empty", NULL }, END };

    n = NGX_AMT_BODY_MAX / 2;

    ngx_memzero(&log, sizeof(ngx_log_t));
    ngx_memzero(&in, sizeof(ngx_amt_input_t));

    own = ngx_create_pool(4096, &log);
    in.body = json_pack("{s:[]}", "a");

    for (i = 0; i < n; i++) {
        json_array_append_new(json_object_get(in.body, "a"), json_integer(7));
    }

    ok(ngx_amt_validate(list, &in, own, &got) == NGX_DECLINED,
       "%lu bad elements", (unsigned long) n);

    errors = 0;

    for (p = got.data; p < got.data + got.len; p++) {
        errors += ngx_strncmp(p, "\"msg\":\"text\"",
                              sizeof("\"msg\":\"text\"") - 1) == 0;
    }

    ok(errors == 1000, "%u are reported", (unsigned) errors);
    ok(ngx_strnstr(got.data, "\"path\":\"a[0]\"", got.len)
       && ngx_strnstr(got.data, "\"path\":\"a[999]\"", got.len)
       && ngx_strnstr(got.data, "empty", got.len) == NULL,
       "the first ones, each once");

    used = 0;

    for (large = own->large; large; large = large->next) {
        used += large->alloc ? malloc_usable_size(large->alloc) : 0;
    }

    ok(used > 0 && used < n * 40 + 1024 * 1024, "in %lu bytes",
       (unsigned long) used);

    json_decref(in.body);
    ngx_destroy_pool(own);

    /* a member's name that is cut, within a character */

    in.body = json_pack("{s:{s:i}}", "a",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
        "\xe2\x82\xac\xe2\x82\xac", 7);

    (void) ngx_amt_validate(list, &in, pool, &got);
    ok(ngx_strnstr(got.data, "\"path\":\"a.xxx", got.len)
       && ngx_cira_utf8_valid(got.data, got.len),
       "a long name ends with a whole character");

    json_decref(in.body);
}


/* ---- numbers and strings out ---- */

static void
test_out(void)
{
    size_t         i;
    json_t        *v;
    ngx_str_t      s;
    json_error_t   err;
    ngx_amt_out_t  o;

    static const char  *same[] = {
        "[0,1,-1,1.5,100,0.1,123456789012345680000,1e+21,1e-7,0.000001,"
        "-2.5e-8,5e-324,1.7976931348623157e+308,9007199254740991,"
        "9007199254740992,0.30000000000000004,1.25e+25]",
        "{\"b\":1,\"a\":[{},[],null,true,false,\"\"],\"c\":{\"d\":\"e\"}}",
        "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f"
        "\xc3\xbc\xf0\x9f\x98\x80\"",
    };

    for (i = 0; i < sizeof(same) / sizeof(same[0]); i++) {
        v = json_loads(same[i], JSON_DECODE_ANY|JSON_DECODE_INT_AS_REAL,
                       &err);
        ngx_amt_out_init(&o, pool, 1);
        ngx_amt_out_value(&o, v);
        (void) ngx_amt_out_done(&o, &s);
        json_decref(v);

        if (!ok(s.len == strlen(same[i]) && memcmp(s.data, same[i], s.len)
                == 0, "JSON %d comes out as it went in", (int) i))
        {
            printf("# %.*s\n# %s\n", (int) s.len, s.data, same[i]);
        }
    }

    ngx_amt_out_init(&o, pool, 1);
    ngx_amt_out_open(&o, '[');
    ngx_amt_out_time(&o, 0);
    ngx_amt_out_time(&o, 1795309140078);
    ngx_amt_out_time(&o, -1);
    ngx_amt_out_time(&o, INT64_MAX);
    ngx_amt_out_close(&o, ']');
    (void) ngx_amt_out_done(&o, &s);
    ok(s.len == strlen("[\"1970-01-01T00:00:00.000Z\","
                       "\"2026-11-22T00:59:00.078Z\",null,null]")
       && memcmp(s.data, "[\"1970-01-01T00:00:00.000Z\","
                 "\"2026-11-22T00:59:00.078Z\",null,null]", s.len) == 0,
       "times");

    v = json_real(-0.0);
    ngx_amt_out_init(&o, pool, 1);
    ngx_amt_out_value(&o, v);
    (void) ngx_amt_out_done(&o, &s);
    json_decref(v);
    ok(s.len == 1 && s.data[0] == '0', "minus zero");
}


/* ---- query, escapes, UTF-8 ---- */

static void
test_query(void)
{
    json_t     *q;
    ngx_str_t   args, s;
    u_char      buf[64];

    ngx_str_set(&args, "a=1&b=x+y%21&%24top=5&a=2&c&d[]=1&&=e&f=%zz&g=%ff"
                "&h=%c3%bc&i=a=b");
    q = ngx_amt_body_query(pool, &args);

    ok(json_array_size(json_object_get(q, "a")) == 2, "repeated");
    ok(!strcmp(json_string_value(json_object_get(q, "b")), "x y!"), "decoded");
    ok(!strcmp(json_string_value(json_object_get(q, "$top")), "5"), "%%24");
    ok(!strcmp(json_string_value(json_object_get(q, "c")), ""), "no value");
    ok(json_array_size(json_object_get(q, "d")) == 1, "brackets");
    ok(!strcmp(json_string_value(json_object_get(q, "f")), "%zz"), "%%zz");
    ok(!strcmp(json_string_value(json_object_get(q, "g")), "%ff"), "%%ff");
    ok(!strcmp(json_string_value(json_object_get(q, "h")), "\xc3\xbc"),
       "UTF-8");
    ok(!strcmp(json_string_value(json_object_get(q, "i")), "a=b"), "a=b");
    json_decref(q);

    ngx_str_null(&args);
    q = ngx_amt_body_query(pool, &args);
    ok(json_object_size(q) == 0, "no query");
    json_decref(q);

#define UNESCAPE(text)                                                        \
    (s.len = sizeof(text) - 1, s.data = buf, memcpy(buf, text, s.len),        \
     ngx_amt_body_unescape(&s, 0))

    ok(UNESCAPE("a%41%62+") == NGX_OK && s.len == 4
       && !memcmp(s.data, "aAb+", 4), "unescape");
    ok(UNESCAPE("a%4") == NGX_ERROR, "cut escape");
    ok(UNESCAPE("a%") == NGX_ERROR, "lone percent");
    ok(UNESCAPE("%g0") == NGX_ERROR, "bad escape");
}


int
main(void)
{
    ngx_log_t  log;

    ngx_memzero(&log, sizeof(ngx_log_t));
    log.log_level = 0;

    ngx_pagesize = 4096;
    ngx_cacheline_size = 64;
    pool = ngx_create_pool(4096, &log);

    test_checks();
    test_chains();
    test_places();
    test_long();
    test_out();
    test_query();

    ngx_destroy_pool(pool);

    return done();
}
