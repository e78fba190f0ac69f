
/*
 * Pools that held secrets: nothing of them stays, and the pool is as it was.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_amt_wipe.h"
#include "tap.h"


static ngx_log_t   test_log;
static ngx_uint_t  cleanups;


static u_char *
fill(ngx_pool_t *pool, size_t size)
{
    u_char  *p;

    p = ngx_pnalloc(pool, size);
    memset(p, 'S', size);

    return p;
}


static ngx_uint_t
is_zero(u_char *p, size_t size)
{
    size_t  i;

    for (i = 0; i < size; i++) {
        if (p[i]) {
            return 0;
        }
    }

    return 1;
}


static void
cleanup(void *data)
{
    /* it is still there when the cleanups run */

    cleanups += ((u_char *) data)[0] == 'S';
}


/* small ones in several blocks, large ones, one that was given back */

static void
test_pool(void)
{
    size_t       i, bad;
    u_char      *small[64], *large[8];
    ngx_pool_t  *pool;

    pool = ngx_create_pool(512, &test_log);

    for (i = 0; i < 64; i++) {
        small[i] = fill(pool, 100);

        if (i % 8 == 0) {
            large[i / 8] = fill(pool, 5000 + i);
        }
    }

    ngx_pfree(pool, large[3]);
    large[3] = NULL;

    ngx_amt_wipe_pool(pool);

    for (i = 0, bad = 0; i < 64; i++) {
        bad += !is_zero(small[i], 100);

        if (i % 8 == 0 && large[i / 8]) {
            bad += !is_zero(large[i / 8], 5000 + i);
        }
    }

    ok(bad == 0, "all of it is wiped");

    small[0] = fill(pool, 100);
    large[0] = fill(pool, 5000);
    ok(small[0][99] == 'S' && large[0][4999] == 'S', "it can be used on");

    ngx_reset_pool(pool);
    ngx_amt_wipe_pool(pool);
    small[0] = fill(pool, 100);
    ngx_amt_wipe_pool(pool);
    ok(is_zero(small[0], 100), "wiped after a reset");

    ngx_destroy_pool(pool);
    ok(1, "large pieces were not forgotten: or the sanitizer says so");
}


static void
test_later(void)
{
    u_char              *p;
    ngx_pool_t          *pool;
    ngx_pool_cleanup_t  *cln;

    pool = ngx_create_pool(512, &test_log);

    ok(ngx_amt_wipe_pool_later(pool) == NGX_OK, "later");

    p = fill(pool, 50);
    (void) fill(pool, 8192);

    cln = ngx_pool_cleanup_add(pool, 0);
    cln->handler = cleanup;
    cln->data = p;

    ngx_destroy_pool(pool);
    ok(cleanups == 1, "other cleanups run, and before");

    pool = ngx_create_pool(512, &test_log);
    ngx_amt_wipe_pool(pool);
    ngx_destroy_pool(pool);
    ok(1, "an empty one");
}


int
main(void)
{
    ngx_pagesize = 4096;

    test_pool();
    test_later();

    return done();
}
