
/*
 * Limits of logins per address, and the rings in which events wait, in
 * memory of this process: what counts, what is forgotten and when.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include <sys/mman.h>
#include "ngx_cira_hooks.h"
#include "tap.h"


#define ZONE  (256 * 1024)


static ngx_log_t               log_;
static ngx_open_file_t         file;
static ngx_cycle_t             cycle;
static ngx_time_t              clock_;
static ngx_shm_zone_t          zone;
static ngx_cira_hooks_conf_t   conf;
static ngx_cira_hooks_shm_t    shm;


static void
at(time_t sec)
{
    clock_.sec = sec;
    ngx_cached_time = &clock_;
}


static void
setup(void)
{
    u_char                        *p;
    ngx_slab_pool_t               *sp;
    static void                   *conf_ctx[1], *main_conf[1];
    static ngx_stream_conf_ctx_t   ctx;

    log_.file = &file;
    log_.log_level = NGX_LOG_STDERR;     /* nothing */
    file.fd = 2;

    main_conf[0] = &conf;
    ctx.main_conf = main_conf;
    conf_ctx[0] = &ctx;

    ngx_stream_module.index = 0;
    ngx_stream_cira_hooks_module.ctx_index = 0;

    cycle.log = &log_;
    cycle.conf_ctx = (void ****) conf_ctx;
    ngx_cycle = &cycle;
    ngx_pid = getpid();

    p = mmap(NULL, ZONE, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);
    sp = (ngx_slab_pool_t *) p;

    if (ngx_shmtx_create(&sp->mutex, &sp->lock, NULL) != NGX_OK) {
        exit(1);
    }

    zone.shm.addr = p;
    zone.data = &shm;

    shm.sets = 64;
    shm.limits = calloc(shm.sets * NGX_CIRA_LIMIT_WAYS,
                        sizeof(ngx_cira_limit_t));
    shm.state.size = 8;
    shm.state.events = calloc(8, sizeof(ngx_cira_event_t));
    shm.seen.size = 4;
    shm.seen.events = calloc(4, sizeof(ngx_cira_event_t));

    conf.zone = &zone;
    conf.failures = 3;
    conf.period = 60;
    conf.ban = 300;
    conf.pending = 4;
    conf.notify.url = "http://localhost/";

    at(1000000);
}


/* a connection from an address; the same memory for the same text */

static ngx_connection_t *
from(const char *text)
{
    ngx_addr_t                addr;
    static ngx_pool_t        *pool;
    static ngx_connection_t   c;

    if (pool) {
        ngx_destroy_pool(pool);
    }

    pool = ngx_create_pool(1024, &log_);

    ngx_memzero(&c, sizeof(c));
    c.log = &log_;

    if (strcmp(text, "unix:") == 0) {
        static struct sockaddr  sa;

        sa.sa_family = AF_UNIX;
        c.sockaddr = &sa;
        return &c;
    }

    if (ngx_parse_addr(pool, &addr, (u_char *) text, strlen(text))
        != NGX_OK)
    {
        printf("Bail out! %s\n", text);
        exit(1);
    }

    c.sockaddr = addr.sockaddr;

    return &c;
}


static ngx_int_t
enter(const char *text)
{
    return ngx_cira_limit_enter(from(text), &log_);
}


static void
leave(const char *text)
{
    ngx_cira_limit_leave(from(text));
}


static void
fail(const char *text, int n)
{
    while (n--) {
        ngx_cira_limit_failure(from(text), &log_);
    }
}


static void
test_pending(void)
{
    int  i, good;

    for (good = 0, i = 0; i < 4; i++) {
        good += (enter("192.0.2.1") == NGX_OK);
    }

    ok(good == 4 && enter("192.0.2.1") == NGX_BUSY, "four at a time");
    ok(enter("192.0.2.2") == NGX_OK, "another address");
    leave("192.0.2.1");
    ok(enter("192.0.2.1") == NGX_OK, "one has gone");
    ok(enter("192.0.2.1") == NGX_BUSY, "but no more than one");

    /* mapped addresses are of IPv4 */

    ok(enter("::ffff:192.0.2.1") == NGX_BUSY, "the same, mapped");
    ok(enter("::ffff:192.0.2.3") == NGX_OK, "another, mapped");

    for (good = 0, i = 0; i < 10; i++) {
        leave("192.0.2.1");
    }

    for (i = 0; i < 4; i++) {
        good += (enter("192.0.2.1") == NGX_OK);
    }

    ok(good == 4 && enter("192.0.2.1") == NGX_BUSY,
       "the count does not fall below 0");

    ngx_cira_limit_reset();
    ok(enter("192.0.2.1") == NGX_OK, "a new worker forgets who was there");

    for (good = 0, i = 0; i < 100; i++) {
        good += (enter("unix:") == NGX_OK);
    }

    ok(good == 100, "a unix socket is no address");

    for (good = 0, i = 0; i < 4; i++) {
        good += (enter("2001:db8:0:1::1") == NGX_OK);
    }

    ok(good == 4 && enter("2001:db8:0:1:ffff::2") == NGX_BUSY,
       "a /64 is one");
    ok(enter("2001:db8:0:2::1") == NGX_OK, "the next is another");

    conf.pending = 0;
    ok(enter("192.0.2.1") == NGX_OK && enter("2001:db8:0:1::1") == NGX_OK,
       "0: no limit");
    conf.pending = 4;

    ngx_cira_limit_reset();
}


static void
test_failures(void)
{
    int   i, good;
    char  text[32];

    fail("198.51.100.1", 2);
    ok(enter("198.51.100.1") == NGX_OK, "two failures");
    fail("198.51.100.1", 1);
    ok(enter("198.51.100.1") == NGX_DECLINED, "the third bans");
    ok(enter("198.51.100.2") == NGX_OK, "that address only");
    ngx_cira_limit_reset();
    ok(enter("198.51.100.1") == NGX_DECLINED, "a new worker knows it");

    at(1000299);
    ok(enter("198.51.100.1") == NGX_DECLINED, "299 s");
    at(1000300);
    ok(enter("198.51.100.1") == NGX_OK, "300 s: over");
    fail("198.51.100.1", 2);
    ok(enter("198.51.100.1") == NGX_OK, "counting begins anew");

    /* as many, but not within the period */

    at(1001000);
    fail("198.51.100.3", 2);
    at(1001059);
    fail("198.51.100.4", 2);
    at(1001060);
    fail("198.51.100.3", 2);
    ok(enter("198.51.100.3") == NGX_OK, "four failures in more than 60 s");
    fail("198.51.100.3", 1);
    ok(enter("198.51.100.3") == NGX_DECLINED, "the third of a period");
    fail("198.51.100.4", 1);
    ok(enter("198.51.100.4") == NGX_DECLINED, "three in 60 s");

    /* others cannot push a ban out, whatever they are many */

    for (i = 0; i < 20000; i++) {
        sprintf(text, "10.%d.%d.%d", i >> 14, (i >> 7) & 127, i & 127);
        (void) enter(text);
        fail(text, 1);
    }

    ok(enter("198.51.100.3") == NGX_DECLINED
       && enter("198.51.100.4") == NGX_DECLINED,
       "20000 other addresses do not end a ban");

    for (good = 0, i = 0; i < 100; i++) {
        fail("unix:", 1);
        good += (enter("unix:") == NGX_OK);
    }

    ok(good == 100, "nobody on a unix socket is banned");

    conf.failures = 0;
    fail("198.51.100.9", 100);
    ok(enter("198.51.100.9") == NGX_OK, "off");
    conf.failures = 3;
}


static void
event(ngx_cira_event_e type, u_char n, size_t size)
{
    u_char                text[1000];
    ngx_str_t             s;
    ngx_cira_identity_t   id;

    ngx_memzero(&id, sizeof(id));
    ngx_memset(id.guid, n, NGX_CIRA_GUID_LEN);
    ngx_memset(text, 'x', sizeof(text));
    id.generation = n;

    s.data = text;
    s.len = size;

    ngx_cira_notify(type, &id, &s);
}


static void
test_rings(void)
{
    int       i, good;
    uint64_t  first;

    for (i = 1; i <= 8; i++) {
        event(NGX_CIRA_EVENT_CONNECTED, i, 0);
    }

    first = shm.state.events[0].seq;
    ok(shm.state.head - shm.state.tail == 8 && shm.state.dropped == 0,
       "as many as fit");
    event(NGX_CIRA_EVENT_DISCONNECTED, 9, 1000);
    ok(shm.state.head - shm.state.tail == 8 && shm.state.dropped == 1
       && shm.state.events[shm.state.tail % 8].generation == 2,
       "one more: the oldest goes, and is counted");
    ok(shm.state.events[0].generation == 9
       && shm.state.events[0].type == NGX_CIRA_EVENT_DISCONNECTED
       && shm.state.events[0].text_len == NGX_CIRA_EVENT_TEXT
       && shm.state.events[0].seq == first + 8, "the text is cut");

    for (i = 0; i < 100; i++) {
        event(NGX_CIRA_EVENT_SEEN, 20 + i, 0);
    }

    ok(shm.state.dropped == 1 && shm.seen.dropped == 96
       && shm.seen.head - shm.seen.tail == 4
       && shm.seen.events[shm.seen.tail % 4].generation == 116,
       "last seen events push out their like only");

    for (good = 1, i = 1; i < 8; i++) {
        good &= shm.state.events[(shm.state.tail + i) % 8].seq
                > shm.state.events[(shm.state.tail + i - 1) % 8].seq;
    }

    ok(good && shm.seq == first + 108, "one sequence for all");

    conf.notify.url = NULL;
    event(NGX_CIRA_EVENT_ALERT, 1, 10);
    ok(shm.seq == first + 108, "without cira_notify nothing is kept");
}


int
main(void)
{
    ngx_time_init();
    ngx_pagesize = 4096;
    ngx_pagesize_shift = 12;
    ngx_cacheline_size = 64;
    ngx_ncpu = 2;

    setup();

    test_pending();
    test_failures();
    test_rings();

    return done();
}
