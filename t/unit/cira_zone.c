
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
    conf.duplicates = 3;
    conf.period = 60000;
    conf.ban = 100000;

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


/* time passes for the registry */

static ngx_time_t  clock_;

static void
at(time_t sec)
{
    clock_.sec = sec;
    clock_.msec = 0;
    ngx_cached_time = &clock_;
}


static ngx_int_t
login(ngx_cira_identity_t *id, uint32_t n)
{
    ngx_memzero(id, sizeof(ngx_cira_identity_t));
    ngx_memset(id->guid, 0x4d, NGX_CIRA_GUID_LEN);
    ngx_memcpy(id->guid + 4, &n, sizeof(n));
    ngx_str_set(&id->tenant, "blue");
    ngx_str_set(&id->addr, "192.0.2.1");

    return ngx_cira_zone_login(id, &log_);
}


/* the limits in test_duplicates() are 3 per 60 s, then 100 s */

static void
test_duplicates(void)
{
    int                   i;
    ngx_cira_info_t       info;
    ngx_cira_identity_t   a, b;

    at(1000000);

    ok(login(&a, 1) == NGX_OK && a.generation, "a login");

    for (i = 0; i < 3; i++) {
        ok(login(&b, 1) == NGX_OK && b.generation > a.generation,
           "replacement %d", i + 1);
        a = b;
    }

    at(1000061);

    for (i = 0; i < 3; i++) {
        ok(login(&b, 1) == NGX_OK, "replacement %d a minute later", i + 1);
    }

    ok(login(&b, 1) == NGX_DECLINED, "one more: quarantine");
    ok(ngx_cira_api.lookup(b.guid, &info) == NGX_DECLINED,
       "it is not connected");
    ngx_cira_zone_logout(&a, &log_);
    ok(login(&b, 1) == NGX_DECLINED, "whoever goes");

    at(1000160);
    ok(login(&b, 1) == NGX_DECLINED, "99 s");
    at(1000161);
    ok(login(&b, 1) == NGX_OK, "100 s: over");

    for (i = 0; i < 3; i++) {
        ok(login(&b, 1) == NGX_OK, "counting begins anew, %d", i + 1);
    }

    /* a clock that was set back */

    at(900000);
    ok(login(&b, 1) == NGX_OK, "time that goes back begins a new window");
    ngx_cira_zone_logout(&b, &log_);

    /* one that goes in between is not replaced */

    at(1001000);

    for (i = 0; i < 20; i++) {
        if (login(&a, 2) != NGX_OK) {
            break;
        }

        ngx_cira_zone_logout(&a, &log_);
    }

    ok(i == 20, "logins after a logout are no duplicates");
}


/* what the owner of a session may change */

static void
test_owner(void)
{
    ngx_cira_info_t      info;
    ngx_cira_identity_t  old, new;

    at(1002000);
    ok(login(&old, 3) == NGX_OK && login(&new, 3) == NGX_OK,
       "a session and its successor");

    at(1002100);
    ngx_cira_zone_seen(&old);
    ok(ngx_cira_api.lookup(new.guid, &info) == NGX_OK
       && info.last_seen == 0, "the old one does not speak for the new");

    ngx_cira_zone_seen(&new);
    ok(ngx_cira_api.lookup(new.guid, &info) == NGX_OK
       && info.last_seen == (int64_t) 1002100 * 1000, "the new one does");

    at(1002103);
    ngx_cira_zone_seen(&new);
    ok(new.last_seen == (int64_t) 1002103 * 1000
       && ngx_cira_api.lookup(new.guid, &info) == NGX_OK
       && info.last_seen == (int64_t) 1002100 * 1000,
       "not each time in shared memory");

    at(1002105);
    ngx_cira_zone_seen(&new);
    ok(ngx_cira_api.lookup(new.guid, &info) == NGX_OK
       && info.last_seen == (int64_t) 1002105 * 1000, "every 5 s");

    ngx_cira_zone_logout(&old, &log_);
    ok(ngx_cira_api.lookup(new.guid, &info) == NGX_OK,
       "the end of the old one is not that of the new");
    ngx_cira_zone_logout(&new, &log_);
    ok(ngx_cira_api.lookup(new.guid, &info) == NGX_DECLINED, "its own is");
}


int
main(void)
{
    static void  *conf_ctx[1];

    log_.file = &file;
    file.fd = 2;
    log_.log_level = NGX_LOG_EMERG;
    cycle.log = &log_;
    cycle.conf_ctx = (void ****) conf_ctx;
    ngx_stream_module.index = 0;         /* not configured: no events */
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
    test_duplicates();
    test_owner();

    return done();
}
