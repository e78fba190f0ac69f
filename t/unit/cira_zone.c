
/*
 * The registry's rules on top of the table: imports of other workers' devices
 * that run side by side, and who wins.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <sys/mman.h>
#include "ngx_cira_zone.h"
#include "tap.h"


#define ZONE  (64 * 1024)


static ngx_log_t         log_;
static ngx_open_file_t   file;
static ngx_cycle_t       cycle;


static ngx_cira_table_t *
create(void)
{
    u_char                       *zone;
    ngx_slab_pool_t              *sp;
    static ngx_shm_zone_t         shm_zone;
    static ngx_cira_zone_conf_t   conf;

    zone = mmap(NULL, ZONE, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);

    sp = (ngx_slab_pool_t *) zone;
    sp->end = zone + ZONE;
    sp->min_shift = 3;
    sp->addr = zone;

    if (ngx_shmtx_create(&sp->mutex, &sp->lock, NULL) != NGX_OK) {
        return NULL;
    }

    ngx_slab_init(sp);

    shm_zone.data = ngx_cira_table_create(sp);
    conf.shm_zone = &shm_zone;
    conf.duplicates = 10;
    conf.period = 60000;
    conf.ban = 60000;

    ngx_cira_zone_init(&conf);

    return shm_zone.data;
}


static void
device(ngx_cira_info_t *info, uint32_t n, uint64_t worker, uint64_t generation)
{
    ngx_memzero(info, sizeof(ngx_cira_info_t));
    ngx_memset(info->guid, 0x4c, NGX_CIRA_GUID_LEN);
    ngx_memcpy(info->guid + 4, &n, sizeof(n));

    info->worker = worker;
    info->generation = generation;
    info->connected = 1;
    info->last_seen = 1;
}


/* lists devices from to last (without it) of worker 7, as an import does */

static ngx_uint_t
import(uint32_t from, uint32_t last, uint32_t stamp)
{
    ngx_int_t             rc;
    ngx_uint_t            good;
    ngx_cira_info_t       info;
    ngx_cira_zone_old_t   old;

    for (good = 0; from < last; from++) {
        device(&info, from, 7, 1000 + from);

        rc = ngx_cira_zone_merge(&info, stamp, &old);
        good += (rc == NGX_OK || rc == NGX_DONE) && old.generation == 0;
    }

    return good;
}


static ngx_uint_t
known(uint32_t n)
{
    uint32_t         i;
    ngx_uint_t       count;
    ngx_cira_info_t  info;

    for (count = 0, i = 0; i < n; i++) {
        device(&info, i, 0, 0);
        count += (ngx_cira_api.lookup(info.guid, &info) == NGX_OK);
    }

    return count;
}


static void
test_imports(uint32_t first, uint32_t second, uint32_t third)
{
    ok(import(0, 20, first) == 20 && known(20) == 20, "an import: %u", first);
    ok(import(0, 10, second) == 10, "another one begins");
    ngx_cira_zone_purge(7, first);
    ok(known(20) == 20, "the end of the first takes nothing away");
    ok(import(10, 20, second) == 10, "the other goes on");
    ngx_cira_zone_purge(7, second);
    ok(known(20) == 20, "nor does the end of the other");

    /* the earlier one is the slower */

    ok(import(0, 20, third) == 20 && import(0, 20, second) == 20,
       "a later one overtakes");
    ngx_cira_zone_purge(7, third);
    ok(known(20) == 20, "its end takes nothing away");
    ngx_cira_zone_purge(7, second);
    ok(known(20) == 20, "nor does that of the slow one");

    ok(import(5, 20, third + 1) == 15, "five are not listed any more");
    ngx_cira_zone_purge(8, third + 1);
    ok(known(20) == 20, "the end of another worker's list");
    ngx_cira_zone_purge(7, third + 1);
    ok(known(20) == 15, "they are gone");
    ngx_cira_zone_purge(7, third + 2);
    ok(known(20) == 0, "none is left");
}


static void
test_merge(void)
{
    int64_t               now;
    ngx_cira_info_t       info;
    ngx_cira_table_t     *t;
    ngx_cira_record_t    *r;
    ngx_cira_zone_old_t   old;

    t = ngx_cira_zone_table();
    now = ngx_cira_zone_now();

    device(&info, 1, 7, 500);
    ok(ngx_cira_zone_merge(&info, 1, &old) == NGX_OK && old.generation == 0,
       "new");
    ok(ngx_cira_zone_merge(&info, 1, &old) == NGX_DONE, "known");

    device(&info, 1, 8, 499);
    ok(ngx_cira_zone_merge(&info, 1, &old) == NGX_DECLINED
       && old.generation == 0, "an older session does not win");

    device(&info, 1, 8, 501);
    ok(ngx_cira_zone_merge(&info, 1, &old) == NGX_OK
       && old.generation == 500 && old.worker == 7,
       "a newer one does, and says whom it displaced");
    ok(ngx_cira_api.lookup(info.guid, &info) == NGX_OK
       && info.generation == 501 && info.worker == 8, "it is the one");

    /* quarantine wins while it lasts */

    ngx_cira_table_lock(t);
    r = ngx_cira_table_find(t, info.guid);
    ngx_cira_table_hide(t, r);
    r->window = now + 1000;
    ngx_cira_table_publish(t, r, NGX_CIRA_RECORD_QUARANTINED);
    ngx_cira_table_unlock(t);

    device(&info, 1, 8, 502);
    ok(ngx_cira_zone_merge(&info, 1, &old) == NGX_DECLINED, "quarantine");
    ok(ngx_cira_api.lookup(info.guid, &info) == NGX_DECLINED,
       "is not connected");

    ngx_cira_table_lock(t);
    r->window = now;
    ngx_cira_table_unlock(t);

    ok(ngx_cira_zone_merge(&info, 1, &old) == NGX_OK, "is over");

    ngx_cira_table_lock(t);
    ok(ngx_cira_table_generation(t, 0) >> 6 > 502 >> 6,
       "generations stay above those of others");
    ok(ngx_cira_table_check(t) == NGX_OK, "the table is sound");
    ngx_cira_table_unlock(t);
}


int
main(void)
{
    log_.file = &file;
    file.fd = 2;
    log_.log_level = NGX_LOG_EMERG;
    cycle.log = &log_;
    ngx_cycle = &cycle;
    ngx_pid = getpid();
    ngx_ncpu = 2;
    ngx_pagesize = 4096;
    ngx_pagesize_shift = 12;
    ngx_cacheline_size = 64;
    ngx_time_init();
    ngx_slab_sizes_init();

    ok(create() != NULL, "a zone");

    test_imports(1, 2, 3);
    test_imports(0xfffffffe, 0xffffffff, 0);
    test_merge();

    return done();
}
