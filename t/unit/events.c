
/*
 * Events: records, their JSON, the ring with its receivers, filters and
 * signatures of webhooks, and that routes and their events fit together.
 */


#include "mps/ngx_amt_mps_events.c"
#include "events/ngx_amt_webhook.h"
#include "tap.h"


static ngx_log_t    log_;
static ngx_pool_t  *pool;


static ngx_str_t
str(const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = strlen(text);

    return s;
}


static const char *
json(ngx_amt_event_t *event)
{
    ngx_str_t                text;
    ngx_amt_out_t            o;
    ngx_amt_event_record_t   rec;

    memset(&rec, 0xa5, sizeof(rec));
    ngx_amt_event_keep(&rec, event);

    ngx_amt_out_init(&o, pool, 16);
    ngx_amt_out_open(&o, '{');
    ngx_amt_event_write(&o, &rec);
    ngx_amt_out_close(&o, '}');
    ngx_amt_out_raw(&o, "", 1);

    return ngx_amt_out_done(&o, &text) == NGX_OK ? (char *) text.data : "";
}


static void
records(void)
{
    char                    big[NGX_AMT_EVENT_MESSAGE_LEN + 8];
    size_t                  i;
    const char             *s;
    ngx_amt_event_t         e;
    ngx_amt_event_record_t  rec;

    memset(&e, 0, sizeof(e));

    e.type = NGX_AMT_EVENT_SUCCESS;
    e.method = str("CIRA_Connected");
    e.message = str("CIRA Connection Established");
    e.guid = str("4c4c4544-005a-3510-8047-b4c04f564433");
    e.tenant = str("acme");
    e.time = 1700000000123;

    s = json(&e);
    ok(strcmp(s, "{\"type\":\"success\",\"message\":\"CIRA Connection "
       "Established\",\"methods\":[\"CIRA_Connected\"],\"guid\":\"4c4c4544-"
       "005a-3510-8047-b4c04f564433\",\"timestamp\":1700000000123}") == 0,
       "as the contract has it: %s", s);

    e.guid.len = 0;
    e.type = NGX_AMT_EVENT_REQUEST;
    e.message = str("a\"b\\c\n\x01 \xff \xc3\xa9 \xed\xa0\x80");
    s = json(&e);
    ok(strcmp(s, "{\"type\":\"request\",\"message\":\"a\\\"b\\\\c\\n\\u0001 ? "
       "\xc3\xa9 \?\?\?\",\"methods\":[\"CIRA_Connected\"],\"timestamp\":"
       "1700000000123}") == 0, "hostile text, no guid: %s", s);

    for (i = 0; i < 4; i++) {
        memset(big, 'x', sizeof(big));
        memcpy(big + NGX_AMT_EVENT_MESSAGE_LEN - i, "\xf0\x9f\x98\x80", 4);
        e.message.data = (u_char *) big;
        e.message.len = sizeof(big);

        ngx_amt_event_keep(&rec, &e);
        ok(rec.message_len == NGX_AMT_EVENT_MESSAGE_LEN - i,
           "cut between characters: %u", rec.message_len);
    }

    e.time = 0;
    ngx_amt_event_keep(&rec, &e);
    ok(rec.time > 1600000000000, "without a time it is now");
}


static void
put(ngx_amt_ring_t *ring, int64_t n)
{
    ngx_amt_event_record_t  rec;

    memset(&rec, 0, sizeof(rec));
    rec.time = n;
    ngx_amt_ring_put(ring, &rec);
}


static void
rings(void)
{
    size_t                bytes;
    int64_t               k, bad;
    uint64_t              n, keys[NGX_AMT_RING_SINKS + 1];
    ngx_uint_t            i, size;
    ngx_amt_ring_t       *ring;
    ngx_amt_ring_sink_t  *a, *b;

    ok(ngx_amt_ring_fit(0) == 0 && ngx_amt_ring_fit(4096) == 0,
       "too small for a ring");

    bytes = 65536;
    size = ngx_amt_ring_fit(bytes);
    ok(size >= NGX_AMT_RING_MIN && ngx_amt_ring_bytes(size) <= bytes
       && ngx_amt_ring_bytes(size + 1) > bytes, "as many as fit: %u",
       (unsigned) size);

    ring = calloc(1, ngx_amt_ring_bytes(size));
    ngx_amt_ring_init(ring, size, 42);

    keys[0] = 7;
    keys[1] = 9;
    ok(ngx_amt_ring_sinks(ring, keys, 2) == NGX_OK, "two receivers");

    a = ngx_amt_ring_sink(ring, 7);
    b = ngx_amt_ring_sink(ring, 9);
    ok(a && b && a != b && ngx_amt_ring_sink(ring, 8) == NULL, "are found");
    ok(ngx_amt_ring_first(ring, a) == ring->head, "and have nothing to do");

    for (k = 1; k <= 10; k++) {
        put(ring, k);
    }

    ok(ring->head - ngx_amt_ring_first(ring, a) == 10, "ten events wait");
    a->tail += 4;
    ok(ngx_amt_ring_record(ring, ngx_amt_ring_first(ring, a))->time == 5,
       "each receiver is where it is");
    ok(ngx_amt_ring_record(ring, ngx_amt_ring_first(ring, b))->time == 1,
       "the other one, too");

    a->end = a->tail + 2;
    a->gone = 1;
    a->next = 5;
    keys[0] = 11;
    keys[1] = 7;
    ok(ngx_amt_ring_sinks(ring, keys, 2) == NGX_OK, "others");
    ok(ngx_amt_ring_sink(ring, 9) == NULL, "one is forgotten");
    ok(ngx_amt_ring_sink(ring, 7) == a && a->end == a->tail + 2 && !a->gone
       && !a->next, "one stays, and may try at once");
    b = ngx_amt_ring_sink(ring, 11);
    ok(b && b->tail == ring->head && b->end == 0, "one begins now");

    for ( /* void */ ; k <= 3 * (int64_t) size; k++) {
        put(ring, k);
    }

    n = ngx_amt_ring_first(ring, a);
    ok(ring->head - n == size - 1, "one less than the size is kept");
    ok(ngx_amt_ring_record(ring, n)->time == k - (int64_t) size + 1,
       "the newest");
    ok(a->dropped == 2 * size + 1 - 4, "the others are counted: %u",
       (unsigned) a->dropped);
    ok(a->end == 0, "a delivery that lost its events is none");
    ok(ngx_amt_ring_first(ring, a) == n && a->dropped == 2 * size - 3,
       "counted once");

    for (bad = 0, n = a->tail; n < ring->head; n++) {
        bad += ngx_amt_ring_record(ring, n)->time != (int64_t) n;
    }

    ok(bad == 0, "all in order");

    for (i = 0; i <= NGX_AMT_RING_SINKS; i++) {
        keys[i] = 100 + i;
    }

    ok(ngx_amt_ring_sinks(ring, keys, NGX_AMT_RING_SINKS + 1) == NGX_ERROR,
       "one receiver too many is refused");
    ok(ngx_amt_ring_sinks(ring, keys, NGX_AMT_RING_SINKS) == NGX_OK,
       "as many as there are places are not");
    ok(ngx_amt_ring_sinks(ring, keys, 0) == NGX_OK
       && ngx_amt_ring_sink(ring, 100) == NULL, "none at all");

    /* sources: as many as there are places, the oldest gives way */

    for (n = 1; n <= NGX_AMT_RING_SOURCES; n++) {
        *ngx_amt_ring_source(ring, n) = 100 + n;
        put(ring, 1);
    }

    for (bad = 0, n = NGX_AMT_RING_SOURCES; n > 1; n--) {
        bad += *ngx_amt_ring_source(ring, n) != 100 + n;
    }

    ok(bad == 0, "each source has its number");
    put(ring, 1);
    ok(*ngx_amt_ring_source(ring, 99) == 0, "a new one begins anew");
    ok(*ngx_amt_ring_source(ring, 2) == 102, "the others stay");
    ok(*ngx_amt_ring_source(ring, 1) == 0, "but for the oldest");

    free(ring);
}


static ngx_uint_t
wants(ngx_amt_webhook_t *hook, const char *method, ngx_amt_event_e type,
    const char *tenant)
{
    ngx_amt_event_t         e;
    ngx_amt_event_record_t  rec;

    memset(&e, 0, sizeof(e));
    e.method = str(method);
    e.type = type;
    e.tenant = str(tenant);
    ngx_amt_event_keep(&rec, &e);

    return ngx_amt_webhook_wants(hook, &rec);
}


static void
filters(void)
{
    ngx_array_t               list;
    ngx_amt_webhook_t         hook;
    ngx_amt_webhook_filter_t  f[] = {
        { ngx_string("CIRA_"), 1, NGX_AMT_EVENT_SUCCESS },
        { ngx_string("AMT_Version"), 0, -1 }
    };

    memset(&hook, 0, sizeof(hook));
    memset(&list, 0, sizeof(list));
    list.elts = f;
    list.nelts = 2;

    ok(wants(&hook, "x", 0, ""), "no filter, all events");

    hook.filters = &list;

    ok(wants(&hook, "CIRA_Connected", NGX_AMT_EVENT_SUCCESS, ""), "prefix");
    ok(wants(&hook, "CIRA_", NGX_AMT_EVENT_SUCCESS, ""), "nothing behind it");
    ok(!wants(&hook, "CIRA", NGX_AMT_EVENT_SUCCESS, ""), "too short for it");
    ok(!wants(&hook, "CIRA_Connected", NGX_AMT_EVENT_FAIL, ""), "other type");
    ok(wants(&hook, "AMT_Version", NGX_AMT_EVENT_REQUEST, "t"), "whole name");
    ok(!wants(&hook, "AMT_Version2", 0, ""), "longer than it");

    hook.one_tenant = 1;
    hook.tenant = str("acme");
    ok(wants(&hook, "AMT_Version", 0, "acme"), "tenant");
    ok(!wants(&hook, "AMT_Version", 0, "acme2")
       && !wants(&hook, "AMT_Version", 0, "acm")
       && !wants(&hook, "AMT_Version", 0, ""), "others");

    hook.tenant.len = 0;
    ok(wants(&hook, "AMT_Version", 0, "")
       && !wants(&hook, "AMT_Version", 0, "a"), "the empty tenant");
}


static ngx_amt_webhook_secrets_t *
secrets(const char *text)
{
    u_char                 *copy;
    ngx_str_t               s;
    ngx_amt_source_error_t  err;

    s.len = strlen(text);
    s.data = copy = malloc(s.len + (s.len == 0));
    memcpy(copy, text, s.len);

    err.len = 0;
    text = ngx_amt_webhook_secrets(pool, &s, &err);
    free(copy);

    if (text == NULL && err.len == 0) {
        ok(0, "a reason");
    }

    return (ngx_amt_webhook_secrets_t *) text;
}


static void
signatures(void)
{
    char                        big[256];
    ngx_str_t                   id, body, value;
    ngx_amt_webhook_secrets_t  *s;

    ok(secrets("") == NULL && secrets("\n\r\n") == NULL, "empty");
    ok(secrets("0123456789abcde") == NULL, "short");
    ok(secrets("whsec_") == NULL && secrets("whsec_AAAA") == NULL
       && secrets("whsec_MDEyMzQ1Njc4OWFiY2Rl") == NULL, "short base64");
    ok(secrets("whsec_MDEyMzQ1Njc4OWFiY2RlZg=!") == NULL, "no base64");

    memset(big, 'A', sizeof(big));
    big[65] = '\0';
    ok(secrets(big) == NULL, "long");
    big[64] = '\0';
    ok(secrets(big) != NULL, "64 bytes");
    memset(big, 'A', sizeof(big));
    memcpy(big, "whsec_", 6);

    big[6 + 88] = '\0';
    ok(secrets(big) == NULL, "long base64");
    big[sizeof(big) - 1] = '\0';
    ok(secrets(big) == NULL, "very long base64");

    ok(secrets("0123456789abcdef\n\n0123456789abcdef\r\n0123456789abcdef\n"
               "0123456789abcdef\n")->n == 4, "four");
    ok(secrets("0123456789abcdef\n0123456789abcdef\n0123456789abcdef\n"
               "0123456789abcdef\n0123456789abcdef\n") == NULL, "five");

    /* the example of the Standard Webhooks specification */

    id = str("msg_p5jXN8AQM9LWM0D4loKWxJek");
    body = str("{\"test\": 2432232314}");

    s = secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
    ok(s && s->n == 1 && s->len[0] == 24, "a secret");
    ok(ngx_amt_webhook_sign(pool, s, &id, 1614265330, &body, &value) == NGX_OK
       && value.len == 47
       && memcmp(value.data, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
                 47) == 0,
       "its signature: %.*s", (int) value.len, value.data);

    s = secrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n0123456789abcdef");
    ok(ngx_amt_webhook_sign(pool, s, &id, 1614265330, &body, &value) == NGX_OK
       && value.len == 2 * 47 + 1
       && memcmp(value.data + 47, " v1,", 4) == 0
       && memcmp(value.data + 51, value.data + 3, 44) != 0, "of two secrets");
}


/* Routes of the original that publish nothing, and those it has not */

static const char  *silent[] = {
    "amt/power/bootSources/:guid", "amt/snapshot/:guid", NULL
};


static void
routes(void)
{
    ngx_uint_t                  i, k, n;
    ngx_amt_api_t               api;
    const ngx_amt_route_t      *r;
    const ngx_amt_mps_event_t  *e;

    for (e = ngx_amt_mps_events; e->path; e++) {

        for (i = 0, n = 0; ngx_amt_route_tables[i]; i++) {
            for (r = ngx_amt_route_tables[i]; r->path; r++) {
                n += (r->method == e->method
                      && ngx_amt_mps_event_path(e->path, r->path));
            }
        }

        ok(n == 1, "one route for %s %s", e->name, e->path);
    }

    memset(&api, 0, sizeof(api));

    for (i = 0; ngx_amt_route_tables[i]; i++) {
        for (r = ngx_amt_route_tables[i]; r->path; r++) {

            for (k = 0; silent[k] && strcmp(silent[k], r->path); k++) {}

            api.route = r;

            ok(strncmp(r->path, "amt/", 4) || silent[k]
               || ngx_amt_mps_event_find(&api), "events of %s", r->path);
        }
    }

    ok(ngx_amt_mps_event_path("a/:b/c", "a/:other/c")
       && !ngx_amt_mps_event_path("a/:b/c", "a/:b/d")
       && !ngx_amt_mps_event_path("a/:b", "a/:b/c")
       && !ngx_amt_mps_event_path("a/:b", "a/b"), "names do not matter");
}


static void
says(void)
{
    char           body[32];
    ngx_amt_api_t  api;

    memset(&api, 0, sizeof(api));

    ok(!ngx_amt_mps_event_says(&api, "x"), "no body says nothing");

    /* no zero byte behind it */

    memcpy(body, "{\"error\":\"Alarm\"}", 17);
    api.reply.body.data = malloc(17);
    memcpy(api.reply.body.data, body, 17);
    api.reply.body.len = 17;

    ok(ngx_amt_mps_event_says(&api, "Alarm"), "at the beginning of a string");
    ok(!ngx_amt_mps_event_says(&api, "larm"), "not within it");
    ok(ngx_amt_mps_event_says(&api, "Alarm\"}"), "up to the end");
    ok(!ngx_amt_mps_event_says(&api, "Alarm\"}x"), "not behind it");

    free(api.reply.body.data);
}


int
main(void)
{
    static ngx_cycle_t  cycle;

    cycle.log = &log_;
    ngx_cycle = &cycle;

    ngx_time_init();
    ngx_pagesize = 4096;
    pool = ngx_create_pool(4096, &log_);

    records();
    rings();
    filters();
    signatures();
    routes();
    says();

    ngx_destroy_pool(pool);

    return done();
}
