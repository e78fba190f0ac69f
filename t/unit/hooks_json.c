
/* Bodies of /_cira/auth and /_cira/notify; audit lines. */


#include "hooks/ngx_amt_hooks_json.h"
#include "auth/ngx_amt_audit.h"
#include "tap.h"


#define GUID  "4c4c4544-0042-4a10-8057-b4c04f4e3132"


static ngx_log_t        log_;
static ngx_open_file_t  log_file;
static const char      *why;


static ngx_str_t
str(const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = strlen(text);

    return s;
}


/* From the heap, exactly as long as it is: ASan sees every byte too far */

static ngx_int_t
login(const char *text, ngx_amt_hooks_login_t *l)
{
    size_t     len;
    u_char    *copy;
    ngx_int_t  rc;

    len = strlen(text);
    copy = malloc(len + (len == 0));
    memcpy(copy, text, len);
    rc = ngx_amt_hooks_login_parse(copy, len, l, &why);
    memset(copy, 'x', len);
    free(copy);

    return rc;
}


static ngx_int_t
batch(const char *text, ngx_amt_hooks_batch_t *b)
{
    return ngx_amt_hooks_batch_parse((u_char *) text, strlen(text), b, &why);
}


static void
no_login(const char *text, const char *what)
{
    ngx_amt_hooks_login_t  l;

    why = NULL;
    ok(login(text, &l) == NGX_DECLINED && why && l.json == NULL,
       "login refused: %s", what);
}


static void
no_batch(const char *text, const char *what)
{
    ngx_amt_hooks_batch_t  b;

    why = NULL;
    ok(batch(text, &b) == NGX_DECLINED && why && b.events == NULL,
       "batch refused: %s", what);
}


static void
test_login(void)
{
    char                   *big;
    ngx_amt_hooks_login_t   l;

    ok(login("{\"guid\":\"4C4C4544-0042-4A10-8057-B4C04F4E3132\",\"user\":"
             "\"admin\",\"password\":\"P@ss\\u00e4\",\"address\":\"::1\","
             "\"tls\":\"TLSv1.2\",\"verified\":false,\"new\":{}}", &l)
       == NGX_OK, "login");
    ok(memcmp(l.guid, GUID, 36) == 0, "GUID in lower case");
    ok(l.user.len == 5 && memcmp(l.user.data, "admin", 5) == 0
       && l.password.len == 6 && l.address.len == 3, "strings");
    ngx_amt_hooks_login_free(&l);
    ok(l.json == NULL && l.password.data == NULL, "freed");
    ngx_amt_hooks_login_free(&l);

    no_login("", "nothing");
    no_login("[]", "an array");
    no_login("{\"guid\":\"" GUID "\",\"user\":\"a\",\"password\":\"b\"} x",
             "text after it");
    no_login("{\"guid\":\"" GUID "\",\"user\":\"a\"}", "no password");
    no_login("{\"guid\":\"" GUID "\",\"password\":\"a\"}", "no user");
    no_login("{\"user\":\"a\",\"password\":\"b\"}", "no GUID");
    no_login("{\"guid\":\"" GUID "0\",\"user\":\"a\",\"password\":\"b\"}",
             "a long GUID");
    no_login("{\"guid\":\"../../sys/health\",\"user\":\"a\",\"password\":"
             "\"b\"}", "a path for a GUID");
    no_login("{\"guid\":\"" GUID "\",\"user\":1,\"password\":\"b\"}",
             "a number for a user");
    no_login("{\"guid\":\"" GUID "\",\"user\":\"a\",\"password\":null}",
             "null for a password");
    no_login("{\"guid\":\"" GUID "\",\"user\":\"a\",\"password\":\"b\","
             "\"password\":\"c\"}", "password twice");
    no_login("{\"guid\":\"" GUID "\",\"user\":\"a\",\"password\":\"b\\u0000"
             "\"}", "a zero byte in a password");
    no_login("{\"guid\":\"" GUID "\",\"user\":\"a\",\"password\":\"\xff\"}",
             "a password that is not UTF-8");
    no_login("{\"guid\":\"" GUID "\",\"user\":\"a\",\"password\":\"b\","
             "\"address\":[]}", "an array for an address");

    big = malloc(NGX_AMT_HOOKS_LOGIN_MAX + 2);
    memset(big, ' ', NGX_AMT_HOOKS_LOGIN_MAX + 1);
    big[NGX_AMT_HOOKS_LOGIN_MAX + 1] = '\0';
    no_login(big, "a large body");
    memset(big, '[', NGX_AMT_HOOKS_LOGIN_MAX);
    big[NGX_AMT_HOOKS_LOGIN_MAX] = '\0';
    no_login(big, "deep nesting");
    sprintf(big, "{\"guid\":\"" GUID "\",\"password\":\"b\",\"user\":\"%0300d"
            "\"}", 1);
    no_login(big, "a user of 300 bytes");
    free(big);
}


static void
test_batch(void)
{
    int                     i;
    char                   *big, *p;
    u_char                  out[8];
    ngx_str_t               s;
    ngx_amt_hooks_batch_t   b;

    ok(batch("{\"worker\":\"12\",\"events\":["
             "{\"seq\":1,\"type\":\"connected\",\"guid\":\"" GUID "\","
             "\"generation\":9223372036854775807,\"tenant\":\"\",\"address\":"
             "\"10.0.0.1\",\"time\":1700000000123},"
             "{\"seq\":2,\"type\":\"alert\",\"guid\":\"" GUID "\","
             "\"generation\":1,\"time\":2,\"reason\":\"r\"},"
             "{\"seq\":3,\"type\":\"from the future\"}]}", &b) == NGX_OK
       && b.n == 3, "batch");
    ok(b.events[0].type == NGX_AMT_HOOKS_CONNECTED
       && b.events[0].generation == 9223372036854775807ULL
       && b.events[0].time == 1700000000123LL
       && memcmp(b.events[0].guid, GUID, 36) == 0
       && b.events[0].address.len == 8, "connected");
    ok(b.events[1].type == NGX_AMT_HOOKS_ALERT && b.events[1].reason.len == 1,
       "alert");
    ok(b.events[2].type == NGX_AMT_HOOKS_UNKNOWN && b.events[2].seq == 3,
       "an unknown type does not stop the others");
    ngx_amt_hooks_batch_free(&b);

    ok(batch("{\"events\":[]}", &b) == NGX_OK && b.n == 0, "empty batch");
    ngx_amt_hooks_batch_free(&b);

    no_batch("{}", "no events");
    no_batch("{\"events\":{}}", "events is an object");
    no_batch("{\"events\":[1]}", "an event is a number");
    no_batch("{\"source\":\"12\",\"events\":[]}", "a short source");
    no_batch("{\"source\":12,\"events\":[]}", "a source that is a number");
    no_batch("{\"events\":[{\"type\":\"seen\"}]}", "no seq");
    no_batch("{\"events\":[{\"seq\":1,\"type\":\"seen\",\"guid\":\"" GUID
             "\",\"time\":1}]}", "no generation");
    no_batch("{\"events\":[{\"seq\":1,\"type\":\"seen\",\"guid\":\"" GUID
             "\",\"generation\":1.5,\"time\":1}]}", "generation 1.5");
    no_batch("{\"events\":[{\"seq\":1,\"type\":\"seen\",\"guid\":\"" GUID
             "\",\"generation\":1,\"time\":-1}]}", "time -1");
    no_batch("{\"events\":[{\"seq\":1,\"type\":\"seen\",\"guid\":\"x\","
             "\"generation\":1,\"time\":1}]}", "guid x");
    no_batch("{\"events\":[{\"seq\":1,\"type\":\"seen\",\"guid\":\"" GUID
             "\",\"generation\":99999999999999999999,\"time\":1}]}",
             "a number of 20 digits");

    big = malloc(NGX_AMT_HOOKS_EVENTS_MAX * 32 + 64);
    p = big + sprintf(big, "{\"events\":[");

    for (i = 0; i < NGX_AMT_HOOKS_EVENTS_MAX; i++) {
        p += sprintf(p, "{\"seq\":1,\"type\":\"x\"},");
    }

    memcpy(--p, "]}", 3);
    ok(batch(big, &b) == NGX_OK && b.n == NGX_AMT_HOOKS_EVENTS_MAX,
       "%d events", NGX_AMT_HOOKS_EVENTS_MAX);
    ngx_amt_hooks_batch_free(&b);
    memcpy(p, ",{}]}", 6);
    no_batch(big, "one event too many");
    free(big);

    s = str("a\nb\x1b\xc3\xa4" "cdefgh");
    ok(ngx_amt_hooks_printable(out, 8, &s) == out + 8
       && memcmp(out, "a?b???cd", 8) == 0, "hostile text for the log");
}


static void
line_is(ngx_amt_audit_record_t *rec, const char *expected)
{
    ngx_str_t    line;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(4096, &log_);
    ok(ngx_amt_audit_line(pool, rec, &line) == NGX_OK
       && line.len == strlen(expected)
       && memcmp(line.data, expected, line.len) == 0, "%.*s",
       (int) strlen(expected) - 1, expected);
    ngx_destroy_pool(pool);
}


static void
test_audit(void)
{
    char                    *big;
    ngx_str_t                line;
    ngx_pool_t              *pool;
    ngx_amt_audit_record_t   rec;

    memset(&rec, 0, sizeof(rec));
    rec.time = 1700000000007LL;
    rec.who = str("key:ops");
    rec.tenant = str("acme");
    rec.addr = str("10.0.0.1");
    rec.action = str("power");
    line_is(&rec, "{\"time\":\"2023-11-14T22:13:20.007Z\",\"who\":\"key:ops\""
            ",\"tenant\":\"acme\",\"addr\":\"10.0.0.1\",\"action\":\"power\"}"
            "\n");

    rec.guid = str("a\"\n{\\");
    rec.detail = str(" {\"action\": 8,\n \"x\": [1, \"\\n\"]}");
    rec.tenant = str("");
    line_is(&rec, "{\"time\":\"2023-11-14T22:13:20.007Z\",\"who\":\"key:ops\""
            ",\"tenant\":\"\",\"addr\":\"10.0.0.1\",\"action\":\"power\","
            "\"guid\":\"a\\\"\\n{\\\\\",\"detail\":{\"action\":8,\"x\":[1,"
            "\"\\n\"]}}\n");

    rec.guid = str("\xff\xfe" "a");
    rec.detail = str("{\"a\":1}\n{\"forged\":1}");
    line_is(&rec, "{\"time\":\"2023-11-14T22:13:20.007Z\",\"who\":\"key:ops\""
            ",\"tenant\":\"\",\"addr\":\"10.0.0.1\",\"action\":\"power\","
            "\"guid\":\"??a\",\"detail\":\"{\\\"a\\\":1}\\n{\\\"forged\\\":1}"
            "\"}\n");

    big = malloc(NGX_AMT_AUDIT_MAX);
    memset(big, 'a', NGX_AMT_AUDIT_MAX);
    rec.guid.data = (u_char *) big;
    rec.guid.len = NGX_AMT_AUDIT_MAX;
    pool = ngx_create_pool(4096, &log_);
    ok(ngx_amt_audit_line(pool, &rec, &line) == NGX_DECLINED,
       "a line that is too long is refused");
    ngx_destroy_pool(pool);
    free(big);
}


int
main(void)
{
    static ngx_cycle_t  cycle;

    ngx_use_stderr = 0;
    ngx_time_init();

    log_file.fd = open("/dev/null", O_WRONLY);
    log_.file = &log_file;
    cycle.log = &log_;
    ngx_cycle = &cycle;

    test_login();
    test_batch();
    test_audit();

    return done();
}
