
/*
 * Relay: queries, the registry of sessions (a dead owner, takeover), what a
 * recording makes of SOL messages cut anywhere.
 */


#include "wsman_unit.h"
#include <sys/wait.h>
#include "relay/ngx_amt_relay_link.h"
#include "relay/ngx_amt_relay_record.h"
#include "relay/ngx_amt_relay_request.h"
#include "relay/ngx_amt_relay_zone.h"


#define GUID  "a0000000-0000-4000-8000-000000000001"


/* ---- queries ---- */

static ngx_int_t
query(const char *text, ngx_amt_relay_request_t *req)
{
    u_char      *copy;
    ngx_int_t    rc;
    ngx_str_t    args;
    const char  *error;

    /* a copy of its own: reading too far is seen */

    args.len = strlen(text);
    copy = malloc(args.len + (args.len == 0));
    memcpy(copy, text, args.len);
    args.data = copy;
    error = NULL;

    rc = ngx_amt_relay_request(&args, req, &error);

    if ((rc == NGX_OK) == (error != NULL)) {
        rc = NGX_ERROR;
    }

    free(copy);

    return rc;
}


static void
test_queries(void)
{
    unsigned                 i;
    ngx_amt_relay_request_t  r;

    static const char  *bad[] = {
        "", "&", "=", "host", "host=", "host=x", "host=" GUID "0",
        "host=" GUID "&host=" GUID, "host=" GUID "&host", "Host=" GUID,
        "host=" GUID "&port=16992", "host=" GUID "&port=016994",
        "host=" GUID "&port=", "host=" GUID "&port=16994&port=16994",
        "host=" GUID "&port=5900&mode=sol", "host=" GUID "&force=yes",
        "host=" GUID "&force=1", "host=" GUID "&force=1&mode=x",
        "host=" GUID "&p=2&p=2", "host=" GUID "&mode=kvm&mode=kvm"
    };

    ok(query("p=2&host=" GUID "&port=16994&tls=0&tls1only=0&mode=kvm", &r)
       == NGX_OK && r.login && r.port == NGX_AMT_RELAY_PORT && r.known
       && r.kind == NGX_AMT_REDIR_KVM && !r.force && r.guid[0] == 0xa0
       && r.guid[15] == 1, "as browsers send it");
    ok(query("host=" GUID, &r) == NGX_OK && !r.login
       && r.port == NGX_AMT_RELAY_PORT && r.kind == NGX_AMT_REDIR_NONE,
       "host alone");
    ok(query("&&host=" GUID "&p=1&mode=SOL&port=16995&x&=&", &r) == NGX_OK
       && !r.login && r.kind == NGX_AMT_REDIR_NONE
       && r.port == NGX_AMT_RELAY_PORT_TLS, "others are none");
    ok(query("host=" GUID "&p=2&port=5900", &r) == NGX_OK && !r.login
       && r.kind == NGX_AMT_REDIR_KVM, "5900 is KVM without login");
    ok(query("host=" GUID "&mode=ider&force=true", &r) == NGX_OK && r.force
       && r.kind == NGX_AMT_REDIR_IDER, "force");
    ok(query("host=" GUID "&mode=sol&force=", &r) == NGX_OK && !r.force,
       "an empty force is none");

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ok(query(bad[i], &r) == NGX_DECLINED, "refused: \"%s\"", bad[i]);
    }

    ok(query("host=" GUID "&host=" GUID, &r) == NGX_DECLINED && !r.known,
       "two hosts are no host");
    ok(query("host=" GUID "&port=1", &r) == NGX_DECLINED && r.known,
       "a host and a bad port");
}


/* ---- registry ---- */

static ngx_amt_relay_zone_t *
zone_create(ngx_pool_t *pool, size_t size)
{
    ngx_conf_t        cf;
    ngx_cycle_t       cycle;
    ngx_shm_zone_t   *shm_zone;
    ngx_slab_pool_t  *sp;

    static ngx_module_t  tag;

    memset(&cf, 0, sizeof(cf));
    memset(&cycle, 0, sizeof(cycle));
    cf.pool = pool;
    cf.cycle = &cycle;
    cf.log = &unit_log;
    cycle.pool = pool;
    cycle.log = &unit_log;

    ngx_list_init(&cycle.shared_memory, pool, 1, sizeof(ngx_shm_zone_t));

    if (ngx_amt_relay_zone_create(&cf, size, &tag) == NULL) {
        abort();
    }

    shm_zone = cycle.shared_memory.part.elts;
    shm_zone->shm.log = &unit_log;

    if (ngx_shm_alloc(&shm_zone->shm) != NGX_OK) {
        abort();
    }

    sp = (ngx_slab_pool_t *) shm_zone->shm.addr;
    sp->end = shm_zone->shm.addr + shm_zone->shm.size;
    sp->min_shift = 3;
    sp->addr = shm_zone->shm.addr;

    if (ngx_shmtx_create(&sp->mutex, &sp->lock, NULL) != NGX_OK) {
        abort();
    }

    ngx_slab_init(sp);

    if (shm_zone->init(shm_zone, NULL) != NGX_OK) {
        abort();
    }

    return shm_zone->data;
}


static void
test_zone(void)
{
    int                     status;
    pid_t                   pid;
    u_char                  g1[16], g2[16];
    ngx_cycle_t             cycle;
    ngx_pool_t             *pool;
    ngx_uint_t              i, n, live[NGX_AMT_REDIR_KINDS];
    ngx_amt_relay_zone_t   *z;
    ngx_amt_relay_claim_t   a, b, c, many[64];

    memset(&cycle, 0, sizeof(cycle));
    cycle.log = &unit_log;
    ngx_cycle = &cycle;
    pool = unit_pool();

    ngx_pid = getpid();
    ngx_time_update();

    for (n = ngx_pagesize, ngx_pagesize_shift = 0; n >>= 1; /* void */) {
        ngx_pagesize_shift++;
    }

    ngx_slab_sizes_init();

    memset(g1, 1, 16);
    memset(g2, 2, 16);
    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));
    memset(&c, 0, sizeof(c));

    z = zone_create(pool, 64 * 1024);

    ok(ngx_amt_relay_zone_claim(z, g1, NGX_AMT_REDIR_KVM, 0, &a) == NGX_OK
       && a.id && ngx_amt_relay_zone_busy(z, g1, NGX_AMT_REDIR_KVM)
       && !ngx_amt_relay_zone_busy(z, g1, NGX_AMT_REDIR_SOL)
       && !ngx_amt_relay_zone_busy(z, g2, NGX_AMT_REDIR_KVM), "claimed");
    ok(ngx_amt_relay_zone_poll(z, &a) == NGX_OK, "it is the claim's");
    ok(ngx_amt_relay_zone_claim(z, g1, NGX_AMT_REDIR_KVM, 0, &b) == NGX_BUSY
       && b.entry == NULL, "nobody else's");
    ok(ngx_amt_relay_zone_claim(z, g1, NGX_AMT_REDIR_SOL, 0, &b) == NGX_OK,
       "another kind");
    ngx_amt_relay_zone_live(z, live);
    ok(live[NGX_AMT_REDIR_KVM] == 1 && live[NGX_AMT_REDIR_SOL] == 1
       && live[NGX_AMT_REDIR_IDER] == 0, "counted");
    ngx_amt_relay_zone_release(z, &b);
    ngx_amt_relay_zone_release(z, &b);
    ok(!ngx_amt_relay_zone_busy(z, g1, NGX_AMT_REDIR_SOL)
       && ngx_amt_relay_zone_busy(z, g1, NGX_AMT_REDIR_KVM), "released");

    /* takeover */

    ok(ngx_amt_relay_zone_claim(z, g1, NGX_AMT_REDIR_KVM, 1, &b)
       == NGX_AGAIN && ngx_amt_relay_zone_poll(z, &b) == NGX_AGAIN
       && ngx_amt_relay_zone_poll(z, &a) == NGX_DECLINED,
       "the owner is asked to end");
    ngx_amt_relay_zone_release(z, &b);
    ok(ngx_amt_relay_zone_poll(z, &a) == NGX_OK, "it is not, any longer");

    (void) ngx_amt_relay_zone_claim(z, g1, NGX_AMT_REDIR_KVM, 1, &b);
    (void) ngx_amt_relay_zone_claim(z, g1, NGX_AMT_REDIR_KVM, 1, &c);
    ok(ngx_amt_relay_zone_poll(z, &b) == NGX_DECLINED
       && ngx_amt_relay_zone_poll(z, &c) == NGX_AGAIN, "the last one counts");
    ngx_amt_relay_zone_release(z, &b);
    ok(ngx_amt_relay_zone_poll(z, &c) == NGX_AGAIN, "the loser is no harm");
    ngx_amt_relay_zone_release(z, &a);
    ok(ngx_amt_relay_zone_busy(z, g1, NGX_AMT_REDIR_KVM)
       && ngx_amt_relay_zone_poll(z, &c) == NGX_OK, "handed over");
    ngx_amt_relay_zone_release(z, &a);
    ok(ngx_amt_relay_zone_poll(z, &c) == NGX_OK, "a second release is none");
    ngx_amt_relay_zone_release(z, &c);
    ok(!ngx_amt_relay_zone_busy(z, g1, NGX_AMT_REDIR_KVM), "free");

    /* a worker that dies with a session, and with one it waits for */

    (void) ngx_amt_relay_zone_claim(z, g2, NGX_AMT_REDIR_KVM, 0, &c);

    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();
        _exit(ngx_amt_relay_zone_claim(z, g1, NGX_AMT_REDIR_KVM, 0, &a)
              != NGX_OK
              || ngx_amt_relay_zone_claim(z, g2, NGX_AMT_REDIR_KVM, 1, &a)
                 != NGX_AGAIN);
    }

    waitpid(pid, &status, 0);

    ok(status == 0 && !ngx_amt_relay_zone_busy(z, g1, NGX_AMT_REDIR_KVM)
       && ngx_amt_relay_zone_claim(z, g1, NGX_AMT_REDIR_KVM, 0, &a)
          == NGX_OK, "what a dead worker had is free");
    ok(ngx_amt_relay_zone_poll(z, &c) == NGX_DECLINED,
       "it was asked for, though");
    ngx_amt_relay_zone_release(z, &c);
    ok(ngx_amt_relay_zone_busy(z, g2, NGX_AMT_REDIR_KVM),
       "handed over to the dead one");
    ngx_current_msec += NGX_AMT_RELAY_DEAD + 1;
    ok(!ngx_amt_relay_zone_busy(z, g2, NGX_AMT_REDIR_KVM)
       && ngx_amt_relay_zone_claim(z, g2, NGX_AMT_REDIR_KVM, 0, &c)
          == NGX_OK, "which does not take it, so it is free");
    ok(!ngx_amt_relay_zone_busy(z, g1, NGX_AMT_REDIR_KVM)
       && ngx_amt_relay_zone_poll(z, &a) == NGX_OK
       && ngx_amt_relay_zone_busy(z, g1, NGX_AMT_REDIR_KVM),
       "one that was asleep is back when nobody took its place");

    /* waiting for one that dies */

    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();
        memset(g1, 3, 16);
        _exit(ngx_amt_relay_zone_claim(z, g1, NGX_AMT_REDIR_KVM, 0, &a)
              != NGX_OK);
    }

    /* still there as long as nobody asked for its status */

    memset(g1, 3, 16);

    for (n = 0; n < 500 && !ngx_amt_relay_zone_busy(z, g1, NGX_AMT_REDIR_KVM);
         n++)
    {
        usleep(1000);
    }

    (void) ngx_amt_relay_zone_claim(z, g1, NGX_AMT_REDIR_KVM, 1, &b);
    waitpid(pid, &status, 0);
    ok(ngx_amt_relay_zone_poll(z, &b) == NGX_OK, "the one that waits gets it");

    /* no room */

    z = zone_create(pool, 8 * ngx_pagesize);

    for (i = 0, n = 0; i < 4000; i++) {
        memcpy(g1, &i, sizeof(i));

        if (ngx_amt_relay_zone_claim(z, g1, NGX_AMT_REDIR_KVM, 0,
                                     &many[i % 64])
            == NGX_DECLINED)
        {
            n++;
        }
    }

    ok(n > 1000, "a full zone says so: %d of 4000", (int) n);

    ngx_destroy_pool(pool);
    ngx_cycle = NULL;
}


/* ---- recordings ---- */

static ngx_str_t
record(ngx_pool_t *pool, const char *in, size_t len, size_t step,
    ngx_int_t *rc)
{
    size_t                   n;
    u_char                   guid[16], *copy;
    char                     name[256];
    ngx_str_t                dir, out;
    ngx_amt_relay_record_t  *rec;

    memset(guid, 0xab, 16);
    ngx_str_set(&dir, "/tmp");

    rec = ngx_amt_relay_record_open(&dir, guid, (uint64_t) getpid(), 65536,
                                    &unit_log);
    if (rec == NULL) {
        abort();
    }

    strcpy(name, (char *) rec->name.data);

    *rc = NGX_OK;

    while (len && *rc == NGX_OK) {
        n = len < step ? len : step;
        copy = malloc(n);
        memcpy(copy, in, n);
        *rc = ngx_amt_relay_record_write(rec, copy, n);
        free(copy);
        in += n;
        len -= n;
    }

    ngx_amt_relay_record_close(rec);

    out = unit_file(pool, name);
    unlink(name);

    return out;
}


/* The texts of all lines behind the head, without time and quotes. */

static ngx_str_t
shown(ngx_str_t cast)
{
    u_char     *p, *q, *last;
    ngx_str_t   s;

    s.data = cast.data;
    last = cast.data + cast.len;
    q = s.data;

    for (p = ngx_strlchr(cast.data, last, '\n') + 1; p < last; p++) {

        p = (u_char *) strstr((char *) p, "\"o\",\"") + 5;

        while (memcmp(p, "\"]\n", 3) != 0) {
            *q++ = *p++;
        }

        p += 2;
    }

    s.len = q - s.data;

    return s;
}


static void
test_record(void)
{
    size_t      step;
    ngx_int_t   rc;
    ngx_str_t   s;
    ngx_pool_t *pool;

    static const char  stream[] =
        "\x11\0\0\0\1\2\3\4\5\6\7\x08\2oe"
        "\x14\1\0\0\4\6\0\0\0\1r\1n\1q"
        "\x14\0\0\0\4\0\0\0\0"
        "\x21\0\0\0\0\0\0\0abcdefghijklmno"
        "\x29\0\0\0\1\0\0\0xx"
        "\x2a\0\0\0\2\0\0\0\5\0A\"\\\x1b["
        "\x2b\0\0\0\3\0\0\0"
        "\x2a\0\0\0\4\0\0\0\0\0"
        "\x2a\0\0\0\5\0\0\0\2\0\xe2\x82"
        "\x2a\0\0\0\6\0\0\0\x09\0\xac\xff\xc3(\xed\xa0\x80\xf4\x90";

    pool = unit_pool();

    for (step = 1; step <= sizeof(stream); step += (step < 12) ? 1 : 40) {
        s = shown(record(pool, stream, sizeof(stream) - 1, step, &rc));

        ok(rc == NGX_OK
           && unit_is(s, "A\\u0022\\u005c\\u001b[\xe2\x82\xac\xef\xbf\xbd"
                         "\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"
                         "\xef\xbf\xbd\xef\xbf\xbd"),
           "SOL messages, %d bytes at a time: %.*s", (int) step, (int) s.len,
           s.data);
    }

    s = record(pool, "\x2c", 1, 1, &rc);
    ok(rc == NGX_ERROR && s.data[s.len - 1] == '\n', "unknown message");
    (void) record(pool, "\x14\0\0\0\4\0\0\1\0", 9, 1, &rc);
    ok(rc == NGX_ERROR, "a login reply without end");

    ngx_destroy_pool(pool);
}


int
main(void)
{
    unit_init();

    test_queries();
    test_zone();
    test_record();

    return done();
}
