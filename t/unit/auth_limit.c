
/*
 * Failed logins: workers whose clocks differ by some milliseconds count
 * together, and a period, a ban and a guess end when they should.
 */


#include "wsman_unit.h"
#include "auth/ngx_amt_auth_limit.h"


#define T0  100000


static ngx_amt_limit_t      limit;
static ngx_amt_limit_key_t  key;


static void
zone_create(ngx_pool_t *pool)
{
    ngx_conf_t        cf;
    ngx_cycle_t       cycle;
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

    if (ngx_amt_limit_zone(&cf, &limit, &tag) != NGX_OK) {
        abort();
    }

    limit.zone = cycle.shared_memory.part.elts;
    limit.zone->shm.log = &unit_log;

    if (ngx_shm_alloc(&limit.zone->shm) != NGX_OK) {
        abort();
    }

    sp = (ngx_slab_pool_t *) limit.zone->shm.addr;
    sp->end = limit.zone->shm.addr + limit.zone->shm.size;
    sp->min_shift = 3;
    sp->addr = limit.zone->shm.addr;

    if (ngx_shmtx_create(&sp->mutex, &sp->lock, NULL) != NGX_OK) {
        abort();
    }

    ngx_slab_init(sp);

    if (limit.zone->init(limit.zone, NULL) != NGX_OK) {
        abort();
    }
}


/* a guess of a worker whose clock says so; 0: it was let in */

static time_t
guess(ngx_msec_t now, ngx_amt_limit_guess_t *g)
{
    time_t  wait;

    ngx_current_msec = now;
    wait = 0;

    (void) ngx_amt_limit_guess(&limit, &key, g, &wait);

    return wait;
}


static void
checked(ngx_msec_t now, ngx_amt_limit_guess_t *g, ngx_uint_t failed)
{
    ngx_current_msec = now;
    ngx_amt_limit_done(&limit, g, failed);
}


static void
next_client(void)
{
    key.addr[0]++;
}


int
main(void)
{
    ngx_uint_t             i, n;
    ngx_cycle_t            cycle;
    ngx_pool_t            *pool;
    ngx_amt_limit_guess_t  g[16];

    unit_init();
    pool = unit_pool();

    memset(&cycle, 0, sizeof(cycle));
    cycle.log = &unit_log;
    ngx_cycle = &cycle;
    ngx_pid = getpid();

    for (n = ngx_pagesize, ngx_pagesize_shift = 0; n >>= 1; /* void */) {
        ngx_pagesize_shift++;
    }

    ngx_slab_sizes_init();
    zone_create(pool);

    limit.max = 4;
    limit.per = 60000;
    limit.ban = 30000;
    key.kind = NGX_AMT_LIMIT_LOGINS;

    /* a worker that is 3 ms behind the one that began the period */

    for (i = 0, n = 0; i < 8; i++) {
        n += (guess(i % 2 ? T0 - 3 : T0, &g[i]) == 0);
    }

    ok(n == 4, "two clocks, at once: no more than allowed");

    for (i = 0; i < 4; i++) {
        checked(i % 2 ? T0 : T0 - 3, &g[i], 1);
    }

    ok(guess(T0 + 1, &g[0]) > 1, "two clocks: banned");

    next_client();

    for (i = 0, n = 0; i < 8; i++) {
        if (guess(i % 2 ? T0 - 3 : T0, &g[0]) == 0) {
            checked(i % 2 ? T0 - 3 : T0, &g[0], 1);
            n++;
        }
    }

    ok(n == 4, "two clocks, one after the other");

    /* the period */

    next_client();

    for (i = 0; i < 3; i++) {
        ok(guess(T0, &g[0]) == 0, "a guess");
        checked(T0, &g[0], 1);
    }

    ok(guess(T0 + limit.per - 1, &g[0]) == 0, "the last one of a period");
    ok(guess(T0 + limit.per - 1, &g[1]) == 1, "not one more");
    ok(guess(T0 + limit.per, &g[1]) == 0, "a period is over");
    checked(T0 + limit.per, &g[0], 1);
    ok(guess(T0 + limit.per, &g[2]) == 0, "a check that outlasts it takes one");

    /* the ban, and a right guess */

    next_client();

    for (i = 0; i < 4; i++) {
        ok(guess(T0, &g[i]) == 0, "a guess");
    }

    ok(guess(T0, &g[4]) == 1, "all are being checked");
    checked(T0, &g[0], 0);
    ok(guess(T0, &g[0]) == 0, "a right one is given back");

    for (i = 0; i < 4; i++) {
        checked(T0 + 1, &g[i], 1);
    }

    ok(guess(T0 + 1, &g[0]) == (time_t) limit.ban / 1000,
       "banned for this long");
    ok(guess(T0 + limit.ban, &g[0]) == 1, "to the end");
    ok(guess(T0 + 1 + limit.ban, &g[0]) == 0, "and no longer");

    ngx_destroy_pool(pool);

    return done();
}
