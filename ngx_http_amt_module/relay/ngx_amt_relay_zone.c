
/*
 * Registry of redirection sessions; see ngx_amt_relay_zone.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "relay/ngx_amt_relay_zone.h"
#include "ngx_cira_lock.h"


#define NGX_AMT_RELAY_WAYS     32        /* places a session may have */
#define NGX_AMT_RELAY_MEMBERS  256       /* workers that have the zone */


typedef struct {
    uint64_t                   id;       /* 0: free; written last */
    ngx_pid_t                  pid;
} ngx_amt_relay_member_t;


typedef struct {
    ngx_amt_relay_counters_t   counters;
    uint64_t                   last;     /* id given out */
    ngx_amt_relay_member_t     members[NGX_AMT_RELAY_MEMBERS];
    ngx_uint_t                 n;
    ngx_amt_relay_entry_t     records[1];
} ngx_amt_relay_shctx_t;


struct ngx_amt_relay_zone_s {
    ngx_amt_relay_shctx_t     *sh;
    ngx_slab_pool_t           *shpool;
};


static ngx_int_t ngx_amt_relay_zone_init(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_amt_relay_entry_t *ngx_amt_relay_zone_place(
    ngx_amt_relay_zone_t *zone, const u_char *guid, ngx_uint_t kind,
    ngx_uint_t way);
static ngx_uint_t ngx_amt_relay_zone_alive(ngx_amt_relay_entry_t *rec);
static ngx_amt_relay_entry_t *ngx_amt_relay_zone_find(
    ngx_amt_relay_zone_t *zone, const u_char *guid, ngx_uint_t kind,
    ngx_amt_relay_entry_t **empty);


ngx_amt_relay_zone_t *
ngx_amt_relay_zone_create(ngx_conf_t *cf, size_t size, void *tag)
{
    ngx_shm_zone_t        *shm_zone;
    ngx_amt_relay_zone_t  *zone;

    static ngx_str_t  name = ngx_string("amt_relay");

    zone = ngx_pcalloc(cf->pool, sizeof(ngx_amt_relay_zone_t));
    if (zone == NULL) {
        return NULL;
    }

    shm_zone = ngx_shared_memory_add(cf, &name, size, tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_amt_relay_zone_init;
    shm_zone->data = zone;

    return zone;
}


static ngx_int_t
ngx_amt_relay_zone_init(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_amt_relay_zone_t *ozone = data;

    size_t                 size;
    ngx_amt_relay_zone_t  *zone;

    zone = shm_zone->data;

    if (ozone) {
        zone->sh = ozone->sh;
        zone->shpool = ozone->shpool;

        return NGX_OK;
    }

    zone->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    /* all that the slab allocator gives away in one piece */

    size = (size_t) zone->shpool->pfree * ngx_pagesize;

    while (size > sizeof(ngx_amt_relay_shctx_t)) {

        zone->sh = ngx_slab_calloc(zone->shpool, size);

        if (zone->sh) {
            break;
        }

        size -= ngx_pagesize;
    }

    if (zone->sh == NULL) {
        return NGX_ERROR;
    }

    zone->sh->n = (size - offsetof(ngx_amt_relay_shctx_t, records))
                  / sizeof(ngx_amt_relay_entry_t);

    return NGX_OK;
}


void
ngx_amt_relay_zone_join(ngx_amt_relay_zone_t *zone, uint64_t worker)
{
    ngx_uint_t               i;
    ngx_amt_relay_member_t  *m;

    ngx_cira_lock(zone->shpool, "amt_relay zone");

    /* if there were no place, it would be asked for what is known here */

    for (i = 0; i < NGX_AMT_RELAY_MEMBERS; i++) {
        m = &zone->sh->members[i];

        if (m->id == 0
            || (kill(m->pid, 0) == -1 && ngx_errno == NGX_ESRCH))
        {
            m->id = 0;
            ngx_memory_barrier();

            m->pid = ngx_pid;
            ngx_memory_barrier();

            m->id = worker;
            break;
        }
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);
}


ngx_uint_t
ngx_amt_relay_zone_has(ngx_amt_relay_zone_t *zone, uint64_t worker)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AMT_RELAY_MEMBERS; i++) {
        if (zone->sh->members[i].id == worker) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_amt_relay_zone_claim(ngx_amt_relay_zone_t *zone, const u_char *guid,
    ngx_amt_redir_kind_e kind, ngx_uint_t force,
    ngx_amt_relay_claim_t *claim)
{
    ngx_int_t                rc;
    ngx_amt_relay_entry_t  *rec, *empty;

    ngx_cira_lock(zone->shpool, "amt_relay zone");

    rec = ngx_amt_relay_zone_find(zone, guid, kind, &empty);

    if (rec) {

        rc = NGX_BUSY;

        if (force) {
            claim->id = ++zone->sh->last;
            claim->entry = rec;

            rec->next = claim->id;

            rc = NGX_AGAIN;
        }

    } else if (empty) {

        empty->session = 0;

        ngx_memory_barrier();

        ngx_memcpy(empty->guid, guid, NGX_CIRA_GUID_LEN);
        empty->next = 0;
        empty->beat = ngx_current_msec;
        empty->pid = (int32_t) ngx_pid;
        empty->kind = kind;

        claim->id = ++zone->sh->last;
        claim->entry = empty;

        ngx_memory_barrier();

        empty->session = claim->id;

        rc = NGX_OK;

    } else {
        rc = NGX_DECLINED;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


/*
 * Who has it looks without the lock: each word is written at once, and one
 * that is seen late is seen the next time.
 */

ngx_int_t
ngx_amt_relay_zone_poll(ngx_amt_relay_zone_t *zone,
    ngx_amt_relay_claim_t *claim)
{
    ngx_int_t                rc;
    ngx_amt_relay_entry_t  *rec;

    rec = claim->entry;

    if (rec->session == claim->id && rec->pid == (int32_t) ngx_pid) {
        rec->beat = ngx_current_msec;
        return rec->next ? NGX_DECLINED : NGX_OK;
    }

    ngx_cira_lock(zone->shpool, "amt_relay zone");

    if (rec->session == claim->id) {

        /* handed over */

        rec->pid = (int32_t) ngx_pid;
        rec->beat = ngx_current_msec;

        rc = rec->next ? NGX_DECLINED : NGX_OK;

    } else if (rec->session && rec->next == claim->id) {

        rc = NGX_AGAIN;

        if (!ngx_amt_relay_zone_alive(rec)) {
            rec->next = 0;
            rec->beat = ngx_current_msec;
            rec->pid = (int32_t) ngx_pid;

            ngx_memory_barrier();

            rec->session = claim->id;

            rc = NGX_OK;
        }

    } else {
        rc = NGX_DECLINED;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rc;
}


void
ngx_amt_relay_zone_release(ngx_amt_relay_zone_t *zone,
    ngx_amt_relay_claim_t *claim)
{
    ngx_amt_relay_entry_t  *rec;

    rec = claim->entry;

    if (rec == NULL) {
        return;
    }

    ngx_cira_lock(zone->shpool, "amt_relay zone");

    if (rec->session == claim->id) {

        if (rec->next) {
            rec->pid = 0;
            rec->beat = ngx_current_msec;

            ngx_memory_barrier();

            rec->session = rec->next;
            rec->next = 0;

        } else {
            rec->session = 0;
        }

    } else if (rec->session && rec->next == claim->id) {
        rec->next = 0;
    }

    ngx_shmtx_unlock(&zone->shpool->mutex);

    claim->entry = NULL;
}


ngx_uint_t
ngx_amt_relay_zone_busy(ngx_amt_relay_zone_t *zone, const u_char *guid,
    ngx_amt_redir_kind_e kind)
{
    ngx_amt_relay_entry_t  *rec, *empty;

    ngx_cira_lock(zone->shpool, "amt_relay zone");

    rec = ngx_amt_relay_zone_find(zone, guid, kind, &empty);

    ngx_shmtx_unlock(&zone->shpool->mutex);

    return rec != NULL;
}


/* No lock: one that comes or goes meanwhile is counted or not. */

void
ngx_amt_relay_zone_live(ngx_amt_relay_zone_t *zone,
    ngx_uint_t live[NGX_AMT_REDIR_KINDS])
{
    ngx_uint_t               i;
    ngx_amt_relay_entry_t  *rec;

    ngx_memzero(live, NGX_AMT_REDIR_KINDS * sizeof(ngx_uint_t));

    for (i = 0; i < zone->sh->n; i++) {
        rec = &zone->sh->records[i];

        if (rec->session && rec->kind < NGX_AMT_REDIR_KINDS
            && ngx_amt_relay_zone_alive(rec))
        {
            live[rec->kind]++;
        }
    }
}


ngx_amt_relay_counters_t *
ngx_amt_relay_zone_counters(ngx_amt_relay_zone_t *zone)
{
    return &zone->sh->counters;
}


/* The record of a living session, and a place for one that is not there. */

static ngx_amt_relay_entry_t *
ngx_amt_relay_zone_find(ngx_amt_relay_zone_t *zone, const u_char *guid,
    ngx_uint_t kind, ngx_amt_relay_entry_t **empty)
{
    ngx_uint_t               i;
    ngx_amt_relay_entry_t  *rec;

    *empty = NULL;

    for (i = 0; i < NGX_AMT_RELAY_WAYS; i++) {

        rec = ngx_amt_relay_zone_place(zone, guid, kind, i);

        if (rec->session == 0 || !ngx_amt_relay_zone_alive(rec)) {

            if (*empty == NULL) {
                *empty = rec;
            }

            continue;
        }

        if (rec->kind == kind
            && ngx_memcmp(rec->guid, guid, NGX_CIRA_GUID_LEN) == 0)
        {
            return rec;
        }
    }

    return NULL;
}


static ngx_amt_relay_entry_t *
ngx_amt_relay_zone_place(ngx_amt_relay_zone_t *zone, const u_char *guid,
    ngx_uint_t kind, ngx_uint_t way)
{
    uint32_t  hash;

    hash = ngx_murmur_hash2((u_char *) guid, NGX_CIRA_GUID_LEN) + kind;

    return &zone->sh->records[(hash + (uint64_t) way) % zone->sh->n];
}


/*
 * The monotonic clock is that of the machine, so all workers have the same;
 * what they have cached of it differs by less than matters.
 */

static ngx_uint_t
ngx_amt_relay_zone_alive(ngx_amt_relay_entry_t *rec)
{
    /* one that was handed over has no process until its new owner saw it */

    if ((ngx_msec_int_t) (ngx_current_msec - rec->beat)
        > NGX_AMT_RELAY_DEAD)
    {
        return 0;
    }

    return rec->pid == 0 || rec->pid == (int32_t) ngx_pid
           || kill((pid_t) rec->pid, 0) == 0 || ngx_errno != NGX_ESRCH;
}


const char *
ngx_amt_relay_kind_name(ngx_amt_redir_kind_e kind)
{
    static const char  *names[] = { "none", "kvm", "sol", "ider" };

    return names[kind];
}


const char *
ngx_amt_relay_end_name(ngx_amt_relay_end_e end)
{
    static const char  *names[] = {
        "open", "browser_closed", "browser_lost", "browser_protocol",
        "device_closed", "device_lost", "device_refused", "device_protocol",
        "device_tls", "password", "timeout", "idle", "busy", "taken_over",
        "drained", "recording", "revoked", "vault", "internal"
    };

    return names[end];
}
