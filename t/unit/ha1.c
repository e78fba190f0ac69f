
/*
 * The cache of digest HA1 values: what is found, what gives way, and that a
 * process may die at any byte of a change.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <sys/mman.h>
#include "device/ngx_amt_ha1.h"
#include "ngx_cira_api.h"
#include "tap.h"


#define ZONE   (64 * 1024)
#define VALID  100


static ngx_log_t             log_;
static ngx_open_file_t       file;
static ngx_cycle_t           cycle;
static ngx_pool_t           *pool;
static u_char               *zone;
static ngx_str_t             realm = ngx_string("Digest:A");
static ngx_str_t             other = ngx_string("Digest:B");


static ngx_amt_ha1_cache_t *
create(ngx_shm_zone_t *last)
{
    ngx_conf_t            cf;
    ngx_slab_pool_t      *sp;
    ngx_shm_zone_t       *shm_zone;
    ngx_amt_ha1_cache_t  *cache;

    ngx_memzero(&cf, sizeof(ngx_conf_t));
    ngx_memzero(&cycle.shared_memory, sizeof(ngx_list_t));

    cf.pool = pool;
    cf.cycle = &cycle;
    cf.log = &log_;

    if (ngx_list_init(&cycle.shared_memory, pool, 1, sizeof(ngx_shm_zone_t))
        != NGX_OK)
    {
        return NULL;
    }

    cache = ngx_amt_ha1_create(&cf, ZONE, VALID, 10, &cycle);
    shm_zone = cycle.shared_memory.part.elts;
    shm_zone->shm.log = &log_;

    if (last) {
        shm_zone->shm.addr = last->shm.addr;
        return shm_zone->init(shm_zone, last->data) == NGX_OK ? cache : NULL;
    }

    if (zone) {
        munmap(zone, ZONE);
    }

    zone = mmap(NULL, ZONE, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);
    shm_zone->shm.addr = zone;

    sp = (ngx_slab_pool_t *) zone;
    sp->end = zone + ZONE;
    sp->min_shift = 3;
    sp->addr = zone;

    if (ngx_shmtx_create(&sp->mutex, &sp->lock, NULL) != NGX_OK) {
        return NULL;
    }

    ngx_slab_init(sp);

    return shm_zone->init(shm_zone, NULL) == NGX_OK ? cache : NULL;
}


static u_char *
guid(uint32_t n)
{
    static u_char  id[NGX_CIRA_GUID_LEN];

    ngx_memset(id, 0x4c, NGX_CIRA_GUID_LEN);
    ngx_memcpy(id + 4, &n, sizeof(n));

    return id;
}


static u_char *
value(uint32_t n)
{
    static u_char  ha1[NGX_AMT_DIGEST_HA1];

    ngx_memset(ha1, (int) (n % 251), NGX_AMT_DIGEST_HA1);
    ngx_memcpy(ha1, &n, sizeof(n));

    return ha1;
}


static void
put(ngx_amt_ha1_cache_t *cache, uint32_t n, uint32_t v)
{
    ngx_amt_ha1_put(cache, guid(n), &realm, value(v), &log_);
}


/* 1: it is there with this value */

static ngx_uint_t
has(ngx_amt_ha1_cache_t *cache, uint32_t n, uint32_t v)
{
    u_char  ha1[NGX_AMT_DIGEST_HA1];

    return ngx_amt_ha1_get(cache, guid(n), &realm, ha1) == NGX_OK
           && ngx_memcmp(ha1, value(v), NGX_AMT_DIGEST_HA1) == 0;
}


static void
test_basics(void)
{
    time_t                now;
    u_char                ha1[NGX_AMT_DIGEST_HA1];
    ngx_shm_zone_t        last;
    ngx_amt_ha1_cache_t  *cache, *next;

    cache = create(NULL);
    ok(cache != NULL, "a cache in 64k");
    ok(!has(cache, 1, 1), "nothing is there");

    put(cache, 1, 11);
    put(cache, 2, 12);
    ok(has(cache, 1, 11) && has(cache, 2, 12), "what was put is there");
    put(cache, 1, 13);
    ok(has(cache, 1, 13) && has(cache, 2, 12), "the last one counts");
    ok(ngx_amt_ha1_get(cache, guid(1), &other, ha1) == NGX_DECLINED,
       "not for another realm");

    last = *(ngx_shm_zone_t *) cycle.shared_memory.part.elts;
    next = create(&last);
    ok(next && has(next, 1, 13), "a reload keeps it");

    ngx_amt_ha1_forget(cache, guid(1));
    ok(!has(cache, 1, 13) && !has(next, 1, 13) && has(cache, 2, 12),
       "forgotten");
    ngx_amt_ha1_forget(cache, guid(77));

    now = ngx_cached_time->sec;
    *(time_t *) &ngx_cached_time->sec = now + VALID - 1;
    ok(has(cache, 2, 12), "valid");
    *(time_t *) &ngx_cached_time->sec = now + VALID;
    ok(!has(cache, 2, 12), "until it expires");
    *(time_t *) &ngx_cached_time->sec = now;
    ok(!has(cache, 2, 12), "and then it is gone");

    ok(ngx_amt_ha1_get(NULL, guid(1), &realm, ha1) == NGX_DECLINED,
       "no cache");
    ngx_amt_ha1_put(NULL, guid(1), &realm, ha1, &log_);
    ngx_amt_ha1_forget(NULL, guid(1));
}


/* What a device has refused is not given out as what it accepts. */

static void
test_refused(void)
{
    time_t                now;
    u_char                offer[NGX_AMT_DIGEST_HA1];
    ngx_amt_ha1_cache_t  *cache;

    cache = create(NULL);
    ngx_memcpy(offer, value(21), NGX_AMT_DIGEST_HA1);

    ok(ngx_amt_ha1_refused(cache, guid(1), &realm, offer) == NGX_DECLINED,
       "nothing was refused");
    put(cache, 1, 21);
    ok(ngx_amt_ha1_refused(cache, guid(1), &realm, offer) == NGX_DECLINED,
       "what is accepted is not refused");

    ngx_amt_ha1_refuse(cache, guid(1), &realm, offer, &log_);
    ok(!has(cache, 1, 21), "what is refused is not there");
    ok(ngx_amt_ha1_refused(cache, guid(1), &realm, offer) == NGX_OK,
       "it is known");
    ok(ngx_amt_ha1_refused(cache, guid(2), &realm, offer) == NGX_DECLINED
       && ngx_amt_ha1_refused(cache, guid(1), &other, offer) == NGX_DECLINED
       && ngx_amt_ha1_refused(cache, guid(1), &realm, value(22))
          == NGX_DECLINED,
       "of this device, for this realm, with these passwords only");

    now = ngx_cached_time->sec;
    *(time_t *) &ngx_cached_time->sec = now + 9;
    ok(ngx_amt_ha1_refused(cache, guid(1), &realm, offer) == NGX_OK,
       "for seconds");
    *(time_t *) &ngx_cached_time->sec = now + 10;
    ok(ngx_amt_ha1_refused(cache, guid(1), &realm, offer) == NGX_DECLINED,
       "and no longer");
    *(time_t *) &ngx_cached_time->sec = now;

    ngx_amt_ha1_refuse(cache, guid(1), &realm, offer, &log_);
    put(cache, 1, 23);
    ok(has(cache, 1, 23)
       && ngx_amt_ha1_refused(cache, guid(1), &realm, offer) == NGX_DECLINED,
       "until another one is accepted");

    ngx_amt_ha1_refuse(cache, guid(1), &realm, offer, &log_);
    ngx_amt_ha1_forget(cache, guid(1));
    ok(ngx_amt_ha1_refused(cache, guid(1), &realm, offer) == NGX_DECLINED,
       "or it is forgotten");

    ngx_amt_ha1_refuse(NULL, guid(1), &realm, offer, &log_);
    ok(ngx_amt_ha1_refused(NULL, guid(1), &realm, offer) == NGX_DECLINED,
       "no cache");
}


static void
test_room(void)
{
    uint32_t              i, n, kept;
    ngx_amt_ha1_cache_t  *cache;

    cache = create(NULL);

    for (i = 0; i < 200; i++) {
        put(cache, i, i);
    }

    for (i = 0, kept = 0; i < 200; i++) {
        kept += has(cache, i, i);
    }

    ok(kept > 190, "room for most, %u of 200", kept);

    /* 20 are in use while many others pass; some had to give way above */

    n = 20000;

    for (i = 0; i < 20; i++) {
        put(cache, i, i);
    }

    for (i = 1000; i < n; i++) {
        put(cache, i, i);
        (void) has(cache, i % 20, i % 20);
    }

    for (i = 0, kept = 0; i < 20; i++) {
        kept += has(cache, i, i);
    }

    ok(kept == 20, "those in use stay, %u of 20", kept);

    for (i = 1000, kept = 0; i < n; i++) {
        kept += has(cache, i, i);
    }

    ok(kept > 200 && kept < ZONE / 64, "of the others the last, %u", kept);
}


/* A writer dies after any byte: old, new or nothing, never anything else. */

static void
test_torn(void)
{
    u_char               *before, *after;
    u_char                ha1[NGX_AMT_DIGEST_HA1];
    size_t                i, last;
    ngx_uint_t            bad, gone, old, new;
    ngx_amt_ha1_cache_t  *cache;

    before = malloc(ZONE);
    after = malloc(ZONE);

    cache = create(NULL);

    put(cache, 1, 11);
    ngx_memcpy(before, zone, ZONE);
    put(cache, 1, 12);
    ngx_memcpy(after, zone, ZONE);

    bad = 0;
    gone = 0;
    old = 0;
    new = 0;
    last = 0;

    for (i = 0; i < ZONE; i++) {

        if (before[i] == after[i]) {
            continue;
        }

        last = i;

        ngx_memcpy(zone, after, i);
        ngx_memcpy(zone + i, before + i, ZONE - i);

        if (ngx_amt_ha1_get(cache, guid(1), &realm, ha1) != NGX_OK) {
            gone++;

        } else if (ngx_memcmp(ha1, value(11), NGX_AMT_DIGEST_HA1) == 0) {
            old++;

        } else if (ngx_memcmp(ha1, value(12), NGX_AMT_DIGEST_HA1) == 0) {
            new++;

        } else {
            bad++;
        }
    }

    ok(bad == 0 && gone > 0 && old > 0 && new == 0 && last > 0,
       "half a record counts for nothing, %lu of %lu places",
       (unsigned long) gone, (unsigned long) (gone + old));

    put(cache, 1, 14);
    ok(has(cache, 1, 14), "and is written anew");

    free(before);
    free(after);
}


int
main(void)
{
    ngx_pid = getpid();
    ngx_pagesize = getpagesize();

    for (ngx_pagesize_shift = 0; (ngx_pagesize >> ngx_pagesize_shift) > 1;
         ngx_pagesize_shift++) { /* void */ }

    ngx_cacheline_size = 64;
    ngx_ncpu = 2;
    ngx_slab_sizes_init();
    cycle.log = &log_;                   /* newer nginx looks at it */
    ngx_cycle = &cycle;
    (void) ngx_crc32_table_init();

    file.fd = open("/dev/null", O_WRONLY);
    log_.file = &file;
    log_.log_level = NGX_LOG_STDERR;     /* nothing */
    cycle.log = &log_;
    ngx_cycle = &cycle;
    ngx_time_init();

    pool = ngx_create_pool(4096, &log_);

    test_basics();
    test_refused();
    test_room();
    test_torn();

    ngx_destroy_pool(pool);

    return done();
}
