
/*
 * The device index in shared memory, see ngx_cira_table.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_table.h"
#include "ngx_cira_lock.h"


static void ngx_cira_table_rebuild(ngx_cira_table_t *t);
static void ngx_cira_table_begin(ngx_cira_table_t *t);
static uint32_t ngx_cira_table_bucket(ngx_cira_table_t *t,
    const u_char *guid);


ngx_cira_table_t *
ngx_cira_table_create(ngx_slab_pool_t *shpool)
{
    size_t             size;
    uint32_t           n, buckets;
    ngx_cira_table_t  *t;

    t = ngx_slab_calloc(shpool, sizeof(ngx_cira_table_t));
    if (t == NULL) {
        return NULL;
    }

    if (shpool->pfree < 3) {
        return NULL;
    }

    /* both arrays end in a page that is not full; buckets are at most n */

    size = (shpool->pfree - 2) * ngx_pagesize;

    n = (uint32_t) ngx_min(size / (sizeof(ngx_cira_record_t)
                                   + sizeof(uint32_t)),
                           NGX_MAX_INT32_VALUE);
    if (n == 0) {
        return NULL;
    }

    for (buckets = 1; buckets <= n / 2; buckets <<= 1) { /* void */ }

    t->shpool = shpool;
    t->capacity = n;
    t->mask = buckets - 1;
    t->salt = (uint32_t) ngx_pid & 0x3f;

    t->records = ngx_slab_calloc(shpool, n * sizeof(ngx_cira_record_t));
    t->buckets = ngx_slab_calloc(shpool, buckets * sizeof(uint32_t));

    if (t->records == NULL || t->buckets == NULL) {
        return NULL;
    }

    ngx_cira_table_rebuild(t);

    return t;
}


void
ngx_cira_table_lock(ngx_cira_table_t *t)
{
    ngx_cira_lock(t->shpool, "cira zone");

    if (t->writer) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "cira zone is rebuilt: process %P died while it "
                      "changed it", t->writer);

        ngx_cira_table_rebuild(t);
    }
}


void
ngx_cira_table_unlock(ngx_cira_table_t *t)
{
    ngx_memory_barrier();
    t->writer = 0;
    ngx_memory_barrier();

    ngx_shmtx_unlock(&t->shpool->mutex);
}


static void
ngx_cira_table_begin(ngx_cira_table_t *t)
{
    t->writer = ngx_pid;
    ngx_memory_barrier();
}


/* Derives chains, free list and counters from the records. */

static void
ngx_cira_table_rebuild(ngx_cira_table_t *t)
{
    uint32_t           i, *head;
    ngx_cira_record_t  *r, *same;

    ngx_cira_table_begin(t);

    for (i = 0; i <= t->mask; i++) {
        t->buckets[i] = NGX_CIRA_TABLE_NONE;
    }

    t->used = 0;
    t->quarantined = 0;
    t->free = NGX_CIRA_TABLE_NONE;

    for (i = t->capacity; i-- > 0; /* void */ ) {
        r = &t->records[i];

        if (r->state != NGX_CIRA_RECORD_FREE) {

            if (r->tenant_len > NGX_CIRA_TENANT_LEN
                || r->addr_len > NGX_CIRA_TABLE_ADDR)
            {
                r->state = NGX_CIRA_RECORD_FREE;
            }
        }

        if (r->state != NGX_CIRA_RECORD_FREE) {

            same = ngx_cira_table_find(t, r->guid);

            if (same == NULL) {
                head = &t->buckets[ngx_cira_table_bucket(t, r->guid)];
                r->next = *head;
                *head = i;
                t->used++;
                t->quarantined += (r->state == NGX_CIRA_RECORD_QUARANTINED);
                continue;
            }

            /* never written like this; if it ever is, it must not stay */
            r->state = NGX_CIRA_RECORD_FREE;
        }

        r->next = t->free;
        t->free = i;
    }

    t->epoch++;

    ngx_memory_barrier();
    t->writer = 0;
}


static uint32_t
ngx_cira_table_bucket(ngx_cira_table_t *t, const u_char *guid)
{
    uint32_t    hash;
    ngx_uint_t  i;

    /* FNV-1a; who chooses a GUID has to log in with it */

    hash = 2166136261U;

    for (i = 0; i < NGX_CIRA_GUID_LEN; i++) {
        hash = (hash ^ guid[i]) * 16777619U;
    }

    return (hash ^ hash >> 15) & t->mask;
}


ngx_cira_record_t *
ngx_cira_table_find(ngx_cira_table_t *t, const u_char *guid)
{
    uint32_t            i;
    ngx_cira_record_t  *r;

    i = t->buckets[ngx_cira_table_bucket(t, guid)];

    while (i != NGX_CIRA_TABLE_NONE) {
        r = &t->records[i];

        if (ngx_memcmp(r->guid, guid, NGX_CIRA_GUID_LEN) == 0) {
            return r;
        }

        i = r->next;
    }

    return NULL;
}


ngx_cira_record_t *
ngx_cira_table_add(ngx_cira_table_t *t, const u_char *guid)
{
    uint32_t            i, *head;
    ngx_cira_record_t  *r;

    i = t->free;

    if (i == NGX_CIRA_TABLE_NONE) {
        return NULL;
    }

    ngx_cira_table_begin(t);

    r = &t->records[i];
    head = &t->buckets[ngx_cira_table_bucket(t, guid)];

    t->free = r->next;
    t->used++;

    ngx_memzero(r, sizeof(ngx_cira_record_t));
    ngx_memcpy(r->guid, guid, NGX_CIRA_GUID_LEN);

    r->next = *head;
    *head = i;

    return r;
}


void
ngx_cira_table_hide(ngx_cira_table_t *t, ngx_cira_record_t *r)
{
    ngx_cira_table_begin(t);

    if (r->state == NGX_CIRA_RECORD_QUARANTINED) {
        t->quarantined--;
    }

    r->state = NGX_CIRA_RECORD_FREE;
    ngx_memory_barrier();
}


void
ngx_cira_table_publish(ngx_cira_table_t *t, ngx_cira_record_t *r,
    ngx_cira_record_state_e state)
{
    if (state == NGX_CIRA_RECORD_QUARANTINED) {
        t->quarantined++;
    }

    ngx_memory_barrier();
    r->state = state;
}


void
ngx_cira_table_remove(ngx_cira_table_t *t, ngx_cira_record_t *r)
{
    uint32_t  i, *prev;

    ngx_cira_table_hide(t, r);

    i = (uint32_t) (r - t->records);
    prev = &t->buckets[ngx_cira_table_bucket(t, r->guid)];

    while (*prev != i) {
        if (*prev == NGX_CIRA_TABLE_NONE) {
            return;
        }

        prev = &t->records[*prev].next;
    }

    *prev = r->next;

    r->next = t->free;
    t->free = i;
    t->used--;
}


ngx_cira_record_t *
ngx_cira_table_next(ngx_cira_table_t *t, const u_char *guid,
    uint32_t *resume, ngx_uint_t *budget)
{
    uint32_t            bucket, i;
    ngx_cira_record_t  *r, *best;

    bucket = *resume;

    if (guid && bucket == 0) {
        bucket = ngx_cira_table_bucket(t, guid);
    }

    if (guid && bucket != ngx_cira_table_bucket(t, guid)) {
        guid = NULL;
    }

    for ( /* void */ ; bucket <= t->mask; bucket++, guid = NULL) {

        if (*budget == 0) {
            *resume = bucket;
            return NULL;
        }

        (*budget)--;
        best = NULL;

        for (i = t->buckets[bucket];
             i != NGX_CIRA_TABLE_NONE;
             i = t->records[i].next)
        {
            r = &t->records[i];

            if (r->state != NGX_CIRA_RECORD_CONNECTED
                || (guid && ngx_memcmp(r->guid, guid, NGX_CIRA_GUID_LEN) <= 0)
                || (best && ngx_memcmp(r->guid, best->guid,
                                       NGX_CIRA_GUID_LEN) > 0))
            {
                continue;
            }

            best = r;
        }

        if (best) {
            *resume = bucket;
            return best;
        }
    }

    *resume = t->mask + 1;

    return NULL;
}


ngx_cira_record_t *
ngx_cira_table_scan(ngx_cira_table_t *t, uint32_t *i, ngx_uint_t *budget)
{
    ngx_cira_record_t  *r;

    while (*i < t->capacity && *budget) {
        (*budget)--;

        r = &t->records[(*i)++];

        if (r->state != NGX_CIRA_RECORD_FREE) {
            return r;
        }
    }

    return NULL;
}


ngx_uint_t
ngx_cira_table_expire(ngx_cira_table_t *t, int64_t now, ngx_uint_t budget)
{
    uint32_t            i;
    ngx_uint_t          n;
    ngx_cira_record_t  *r;

    if (t->quarantined == 0) {
        return 0;
    }

    n = 0;
    i = t->expired < t->capacity ? t->expired : 0;

    while ((r = ngx_cira_table_scan(t, &i, &budget)) != NULL) {

        if (r->state == NGX_CIRA_RECORD_QUARANTINED && r->window <= now) {
            ngx_cira_table_remove(t, r);
            n++;
        }
    }

    t->expired = i;

    return n;
}


/*
 * Bits: 10 below a millisecond, of which the lower 6 tell zones apart that
 * exist at the same time; exact in a double (JSON) until the year 2248.
 */

uint64_t
ngx_cira_table_generation(ngx_cira_table_t *t, int64_t now)
{
    uint64_t  sequence;

    ngx_cira_table_begin(t);

    sequence = (uint64_t) now << 4;

    if (sequence <= t->sequence) {
        sequence = t->sequence + 1;
    }

    t->sequence = sequence;

    return sequence << 6 | t->salt;
}


void
ngx_cira_table_generation_seen(ngx_cira_table_t *t, uint64_t generation)
{
    if (generation >> 6 > t->sequence) {
        ngx_cira_table_begin(t);
        t->sequence = generation >> 6;
    }
}


ngx_cira_table_worker_t *
ngx_cira_table_worker(ngx_cira_table_t *t, uint64_t id)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_CIRA_TABLE_WORKERS; i++) {
        if (t->workers[i].id == id) {
            return &t->workers[i];
        }
    }

    return NULL;
}


ngx_cira_table_worker_t *
ngx_cira_table_worker_add(ngx_cira_table_t *t, uint64_t id, ngx_pid_t pid,
    u_char *socket, ngx_uint_t foreign)
{
    ngx_cira_table_worker_t  *w;

    w = ngx_cira_table_worker(t, id);

    if (w == NULL) {
        w = ngx_cira_table_worker(t, 0);

        if (w == NULL) {
            return NULL;
        }
    }

    ngx_cira_table_begin(t);

    w->id = 0;
    ngx_memory_barrier();

    w->pid = pid;
    w->foreign = (uint32_t) foreign;
    ngx_cpystrn(w->socket, socket, sizeof(w->socket));

    ngx_memory_barrier();
    w->id = id;

    return w;
}


void
ngx_cira_table_worker_remove(ngx_cira_table_t *t, uint64_t id)
{
    ngx_cira_table_worker_t  *w;

    w = id ? ngx_cira_table_worker(t, id) : NULL;

    if (w) {
        ngx_cira_table_begin(t);
        w->id = 0;
    }
}


ngx_int_t
ngx_cira_table_check(ngx_cira_table_t *t)
{
    uint32_t            i, n, bucket, used, unused, quarantined;
    ngx_cira_record_t  *r;

    used = 0;
    unused = 0;
    quarantined = 0;

    for (bucket = 0; bucket <= t->mask; bucket++) {
        n = 0;

        for (i = t->buckets[bucket];
             i != NGX_CIRA_TABLE_NONE;
             i = t->records[i].next)
        {
            if (i >= t->capacity || n++ > t->capacity) {
                return NGX_ERROR;
            }

            r = &t->records[i];

            if (r->state == NGX_CIRA_RECORD_FREE
                || ngx_cira_table_bucket(t, r->guid) != bucket
                || ngx_cira_table_find(t, r->guid) != r)
            {
                return NGX_ERROR;
            }

            used++;
            quarantined += (r->state == NGX_CIRA_RECORD_QUARANTINED);
        }
    }

    for (i = t->free; i != NGX_CIRA_TABLE_NONE; i = t->records[i].next) {
        if (i >= t->capacity || unused++ > t->capacity
            || t->records[i].state != NGX_CIRA_RECORD_FREE)
        {
            return NGX_ERROR;
        }
    }

    return used == t->used && used + unused == t->capacity
           && quarantined == t->quarantined ? NGX_OK : NGX_ERROR;
}
