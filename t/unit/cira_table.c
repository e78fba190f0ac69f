
/*
 * The device index in shared memory: finding, paging, generations, and that
 * a process may die at every single instruction of a change.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include "ngx_cira_table.h"
#include "tap.h"


#define ZONE  (64 * 1024)


static ngx_log_t         log_;
static ngx_open_file_t   file;
static ngx_cycle_t       cycle;
static u_char           *zone;


static ngx_cira_table_t *
create(void)
{
    ngx_slab_pool_t  *sp;

    if (zone) {
        munmap(zone, ZONE);
    }

    zone = mmap(NULL, ZONE, PROT_READ|PROT_WRITE, MAP_ANON|MAP_SHARED, -1, 0);

    sp = (ngx_slab_pool_t *) zone;
    sp->end = zone + ZONE;
    sp->min_shift = 3;
    sp->addr = zone;

    if (ngx_shmtx_create(&sp->mutex, &sp->lock, NULL) != NGX_OK) {
        return NULL;
    }

    ngx_slab_init(sp);

    return ngx_cira_table_create(sp);
}


static void
guid(u_char *p, uint32_t n)
{
    ngx_memset(p, 0x4c, NGX_CIRA_GUID_LEN);
    ngx_memcpy(p + 4, &n, sizeof(n));
}


static ngx_cira_record_t *
add(ngx_cira_table_t *t, uint32_t n)
{
    u_char              id[NGX_CIRA_GUID_LEN];
    ngx_cira_record_t  *r;

    guid(id, n);

    r = ngx_cira_table_add(t, id);
    if (r == NULL) {
        return NULL;
    }

    r->generation = ngx_cira_table_generation(t, 1000000);
    r->worker = n;
    r->tenant_len = 4;
    ngx_memcpy(r->tenant, "blue", 4);

    ngx_cira_table_publish(t, r, NGX_CIRA_RECORD_CONNECTED);

    return r;
}


static ngx_cira_record_t *
find(ngx_cira_table_t *t, uint32_t n)
{
    u_char  id[NGX_CIRA_GUID_LEN];

    guid(id, n);

    return ngx_cira_table_find(t, id);
}


/* What the registry does with a GUID that comes, comes again, and goes. */

static void
change(ngx_cira_table_t *t, uint32_t n)
{
    ngx_cira_record_t  *r;

    ngx_cira_table_lock(t);

    r = find(t, n);

    if (r == NULL) {
        (void) add(t, n);

    } else if (n % 2) {
        ngx_cira_table_hide(t, r);
        r->generation = ngx_cira_table_generation(t, 1000000);
        r->worker = n + 1;
        ngx_cira_table_publish(t, r, NGX_CIRA_RECORD_CONNECTED);

    } else {
        ngx_cira_table_remove(t, r);
    }

    ngx_cira_table_unlock(t);
}


static void
test_basics(void)
{
    u_char              id[NGX_CIRA_GUID_LEN], *cursor, *seen;
    uint32_t            i, k, n, resume;
    uint64_t            g1, g2;
    ngx_uint_t          budget, good;
    ngx_cira_table_t   *t;
    ngx_cira_record_t  *r;

    t = create();
    ok(t != NULL, "a table in 64k");
    ok(t->capacity > 50, "holds %u devices", t->capacity);
    ok(ngx_cira_table_check(t) == NGX_OK, "is sound");

    ngx_cira_table_lock(t);

    for (n = 0; add(t, n); n++) { /* void */ }

    ok(n == t->capacity, "takes as many as it says");
    ok(ngx_cira_table_check(t) == NGX_OK, "is sound when full");

    for (good = 1, i = 0; i < n; i++) {
        r = find(t, i);
        good &= r && r->worker == i;
    }

    ok(good, "finds each");
    ok(find(t, n) == NULL, "and no other");

    /* pages: all, once, in an order that does not depend on the cursor */

    seen = calloc(1, n);
    cursor = NULL;
    resume = 0;
    good = 1;

    for (i = 0; /* void */ ; i++) {
        budget = 3;

        r = ngx_cira_table_next(t, cursor, &resume, &budget);

        if (r == NULL) {
            if (budget == 0) {
                continue;
            }

            break;
        }

        good &= !seen[r->worker]++;
        ngx_memcpy(id, r->guid, sizeof(id));
        cursor = id;

        if (r->worker % 3 == 0) {

            /* a cursor that is gone is as good, from the start, too */

            ngx_cira_table_remove(t, r);
            resume = 0;
        }
    }

    for (i = 0; i < n; i++) {
        good &= seen[i] == 1;
    }

    ok(good, "pages through all, each once");
    free(seen);

    ok(ngx_cira_table_check(t) == NGX_OK, "is sound after removals");
    ok(t->used == n - (n + 2) / 3, "and counts");

    /* steps: all that is in use, once, within the budget */

    seen = calloc(1, n);
    good = 1;

    for (resume = 0, k = 0; resume < t->capacity; k++) {
        budget = 3;
        i = resume;

        while ((r = ngx_cira_table_scan(t, &resume, &budget)) != NULL) {
            good &= !seen[r->worker]++;
            ngx_cira_table_remove(t, r);
        }

        good &= resume - i == 3 || resume == t->capacity;
        good &= resume == t->capacity || budget == 0;
    }

    ok(good && k == (n + 2) / 3, "looks at all in bounded steps");
    ok(t->used == 0 && ngx_cira_table_check(t) == NGX_OK,
       "which may remove them");

    free(seen);

    g1 = ngx_cira_table_generation(t, 5000000);
    g2 = ngx_cira_table_generation(t, 5000000);
    ok(g2 > g1, "generations increase within a millisecond");
    g1 = ngx_cira_table_generation(t, 4000000);
    ok(g1 > g2, "and when the clock is set back");
    ngx_cira_table_generation_seen(t, g1 + (1 << 20));
    g2 = ngx_cira_table_generation(t, 5000000);
    ok(g2 > g1 + (1 << 20), "and above those of other zones");
    ok(g2 >> 53 == 0, "and are exact in JSON");

    ok(ngx_cira_table_worker(t, 77) == NULL, "no worker");
    ok(ngx_cira_table_worker_add(t, 77, 1, (u_char *) "/a", 0) != NULL,
       "a worker");
    ok(ngx_cira_table_worker_add(t, 77, 1, (u_char *) "/b", 1)
       == ngx_cira_table_worker(t, 77), "adding it again is the same");
    ok(strcmp((char *) ngx_cira_table_worker(t, 77)->socket, "/b") == 0,
       "with the new socket");

    for (i = 0; ngx_cira_table_worker_add(t, 1000 + i, 1, (u_char *) "/c", 0);
         i++) { /* void */ }

    ok(i == NGX_CIRA_TABLE_WORKERS - 1, "the worker table has an end");
    ngx_cira_table_worker_remove(t, 77);
    ok(ngx_cira_table_worker(t, 77) == NULL, "a removed worker");
    ngx_cira_table_worker_remove(t, 0);
    ok(ngx_cira_table_worker_add(t, 78, 1, (u_char *) "/c", 0) != NULL,
       "leaves room");

    ngx_cira_table_unlock(t);
}


/* Quarantined records go when their time is over, in bounded steps. */

static void
test_expire(void)
{
    uint32_t            i, n;
    ngx_uint_t          calls, gone;
    ngx_cira_table_t   *t;
    ngx_cira_record_t  *r;

    t = create();

    ngx_cira_table_lock(t);

    for (n = 0; add(t, n); n++) { /* void */ }

    ok(ngx_cira_table_expire(t, 1000, n) == 0, "nothing in quarantine");

    for (i = 0; i < n; i += 2) {
        r = find(t, i);
        ngx_cira_table_hide(t, r);
        r->window = i % 4 ? 1000 : 2000;
        ngx_cira_table_publish(t, r, NGX_CIRA_RECORD_QUARANTINED);
    }

    ok(t->quarantined == (n + 1) / 2, "%u in quarantine", t->quarantined);
    ok(ngx_cira_table_check(t) == NGX_OK, "is sound");
    ok(ngx_cira_table_expire(t, 999, n) == 0, "none is over");
    ok(ngx_cira_table_expire(t, 1000, 4) == 1, "a step looks at some");

    for (calls = 1, gone = 1; calls < n; calls++) {
        gone += ngx_cira_table_expire(t, 1000, 4);

        if (gone == n / 4) {
            break;
        }
    }

    ok(gone == n / 4 && calls <= n / 4 + 1, "more steps at all, %u", calls);
    ok(find(t, 2) == NULL && find(t, 4) != NULL && find(t, 3) != NULL,
       "those whose time is over, and no other");
    ok(t->quarantined == (n + 1) / 2 - gone && t->used == n - gone
       && ngx_cira_table_check(t) == NGX_OK, "is sound");

    t->quarantined = 77;

    ngx_cira_table_unlock(t);

    t->writer = 1;
    ngx_cira_table_lock(t);

    ok(t->quarantined == (n + 1) / 2 - gone, "counted again by a rebuild");

    for (calls = 0; calls < n && t->quarantined; calls++) {
        (void) ngx_cira_table_expire(t, 2000, 7);
    }

    ok(t->quarantined == 0 && t->used == n / 2
       && ngx_cira_table_check(t) == NGX_OK, "the rest");

    ngx_cira_table_unlock(t);
}


/* A holder that died is noticed without a master. */

static void
test_dead_holder(void)
{
    int                status;
    pid_t              pid;
    ngx_cira_table_t  *t;

    t = create();

    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();
        ngx_cira_table_lock(t);
        t->writer = ngx_pid;
        kill(getpid(), SIGKILL);
    }

    waitpid(pid, &status, 0);

    ok((pid_t) *t->shpool->mutex.lock == pid, "the dead process has the lock");

    change(t, 2);

    ok(find(t, 2) != NULL, "another one goes on");
    ok(ngx_cira_table_check(t) == NGX_OK, "with a sound table");
    ok(t->epoch == 2, "that was rebuilt");
}


/* Processes are killed at random while all of them change the table. */

static void
test_random_kill(void)
{
    int                i, k, bad, status;
    pid_t              pid[2];
    uint32_t           n;
    ngx_cira_table_t  *t;

    t = create();
    bad = 0;

    for (i = 0; i < 150; i++) {

        for (k = 0; k < 2; k++) {
            pid[k] = fork();

            if (pid[k] == 0) {
                ngx_pid = getpid();

                for (n = i * 7919 + k; /* void */ ; n = n * 1103515245 + 12345)
                {
                    change(t, n / 65536 % (t->capacity + 20));
                }
            }
        }

        usleep(500 + i * 17 % 1500);

        kill(pid[0], SIGKILL);
        waitpid(pid[0], &status, 0);
        (void) ngx_shmtx_force_unlock(&t->shpool->mutex, pid[0]);

        usleep(200);

        kill(pid[1], SIGKILL);
        waitpid(pid[1], &status, 0);
        (void) ngx_shmtx_force_unlock(&t->shpool->mutex, pid[1]);

        ngx_cira_table_lock(t);
        bad += ngx_cira_table_check(t) != NGX_OK;
        ngx_cira_table_unlock(t);
    }

    ok(bad == 0, "sound after 300 kills, rebuilt %u times", t->epoch - 1);
}


/*
 * One process is stepped through a change; after every instruction the table
 * is looked at as if it had died there, and put back.
 */

static void
test_step(uint32_t n, uint32_t expected, const char *what)
{
    int                 status, bad;
    pid_t               pid;
    u_char             *copy;
    uint32_t            steps, rebuilt, i;
    ngx_cira_table_t   *t;
    ngx_cira_record_t  *r;

    t = create();

    for (i = 1; i < 8; i++) {
        change(t, i);
    }

    pid = fork();

    if (pid == 0) {
        ngx_pid = getpid();

        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1) {
            _exit(1);
        }

        raise(SIGSTOP);
        change(t, n);
        _exit(0);
    }

    waitpid(pid, &status, 0);

    if (!WIFSTOPPED(status)) {
        ok(1, "# SKIP ptrace is not allowed here");
        return;
    }

    copy = malloc(ZONE);
    steps = 0;
    rebuilt = 0;
    bad = 0;

    for ( ;; ) {

        if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) == -1) {
            break;
        }

        waitpid(pid, &status, 0);

        if (WIFEXITED(status) || steps++ > 2000000) {
            break;
        }

        ngx_memcpy(copy, zone, ZONE);

        i = t->epoch;
        (void) ngx_shmtx_force_unlock(&t->shpool->mutex, pid);

        ngx_cira_table_lock(t);

        rebuilt += t->epoch != i;
        bad += ngx_cira_table_check(t) != NGX_OK;

        /* those who have nothing to do with it stay as they are */

        for (i = 1; i < 8; i++) {
            r = find(t, i);

            bad += i != n && (r == NULL || r->worker != i
                              || r->state != NGX_CIRA_RECORD_CONNECTED);
        }

        /* and it can be used */

        bad += t->used < t->capacity && add(t, 1000) == NULL;

        ngx_cira_table_unlock(t);

        ngx_memcpy(zone, copy, ZONE);
    }

    free(copy);

    ok(bad == 0 && steps > 100,
       "%s: sound at each of %u instructions, %u times rebuilt",
       what, steps, rebuilt);
    ok(rebuilt > 10, "some of them in the middle");
    ok(t->used == expected, "and done in the end");
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

    file.fd = open("/dev/null", O_WRONLY);
    log_.file = &file;
    log_.log_level = NGX_LOG_STDERR;     /* nothing */
    cycle.log = &log_;
    ngx_cycle = &cycle;
    ngx_time_init();

    test_basics();
    test_expire();
    test_dead_holder();
    test_random_kill();
    test_step(100, 8, "a new device");
    test_step(3, 7, "a device that comes again");
    test_step(4, 6, "a device that goes");

    return done();
}
