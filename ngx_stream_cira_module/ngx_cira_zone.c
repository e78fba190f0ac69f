
/*
 * Registry of connected devices over all workers, see ngx_cira_zone.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_cira.h"
#include "ngx_cira_zone.h"
#include "ngx_cira_worker.h"
#include "ngx_cira_peer.h"
#include "ngx_cira_direct.h"
#include "ngx_cira_ask.h"


#define NGX_CIRA_ZONE_SEEN    5000       /* ms between last_seen updates */
#define NGX_CIRA_ZONE_BATCH   64
#define NGX_CIRA_ZONE_BUCKETS 4096       /* looked at in one lock */
#define NGX_CIRA_ZONE_RECORDS 4096       /* the same */

/* stamps of imports wrap */
#define ngx_cira_zone_older(a, b)  ((int32_t) ((a) - (b)) < 0)


static ngx_int_t ngx_cira_zone_lookup(const u_char *guid,
    ngx_cira_info_t *info);
static ngx_int_t ngx_cira_zone_list(const u_char *cursor,
    ngx_cira_info_t *info, ngx_uint_t n);
static char *ngx_cira_zone_text(ngx_uint_t reason);
static ngx_uint_t ngx_cira_zone_duplicate(ngx_cira_record_t *r, int64_t now);
static void ngx_cira_zone_old(ngx_cira_table_t *t, ngx_cira_record_t *r,
    ngx_cira_zone_old_t *old);
static void ngx_cira_zone_fill(ngx_cira_record_t *r, ngx_cira_info_t *info);
static void ngx_cira_zone_identity_info(ngx_cira_identity_t *id,
    ngx_cira_info_t *info);
static void ngx_cira_zone_full(ngx_cira_table_t *t, int64_t now,
    const u_char *guid, ngx_log_t *log);


static ngx_cira_table_t      *ngx_cira_zone_shared;
static ngx_uint_t             ngx_cira_zone_duplicates;
static ngx_msec_t             ngx_cira_zone_period;
static ngx_msec_t             ngx_cira_zone_ban;
static uint32_t               ngx_cira_zone_epoch;


ngx_cira_api_t  ngx_cira_api = {
    NGX_CIRA_API_VERSION,
    ngx_cira_zone_lookup,
    ngx_cira_zone_list,
    ngx_cira_direct_evict,
    ngx_cira_direct_dial,
    ngx_cira_channel_redial,
    ngx_cira_channel_send,
    ngx_cira_channel_drain,
    ngx_cira_channel_close,
    ngx_cira_channel_release,
    ngx_cira_channel_state,
    ngx_cira_peer_connect,
    ngx_cira_ask_self,
    ngx_cira_ask_others,
    ngx_cira_ask_answer,
    &ngx_cira_http_api
};


void
ngx_cira_zone_init(ngx_cira_zone_conf_t *conf)
{
    ngx_cira_zone_duplicates = conf->duplicates;
    ngx_cira_zone_period = conf->period;
    ngx_cira_zone_ban = conf->ban;
    ngx_cira_zone_shared = conf->shm_zone->data;
    ngx_cira_zone_epoch = ngx_cira_zone_shared->epoch;
}


ngx_cira_table_t *
ngx_cira_zone_table(void)
{
    ngx_cira_zone_conf_t  *conf;

    if (ngx_cira_zone_shared == NULL
        && (ngx_process == NGX_PROCESS_WORKER
            || ngx_process == NGX_PROCESS_SINGLE)
        && ngx_get_conf(ngx_cycle->conf_ctx, ngx_stream_module))
    {
        /* another module's init_process may come before the registry's */

        conf = ngx_stream_cycle_get_module_main_conf(ngx_cycle,
                                                ngx_stream_cira_zone_module);
        if (conf->shm_zone) {
            ngx_cira_zone_init(conf);
        }
    }

    return ngx_cira_zone_shared;
}


int64_t
ngx_cira_zone_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


ngx_int_t
ngx_cira_zone_login(ngx_cira_identity_t *id, ngx_log_t *log)
{
    int64_t               now;
    ngx_str_t             text;
    ngx_uint_t            quarantine;
    ngx_cira_info_t       info;
    ngx_cira_table_t     *t;
    ngx_cira_record_t    *r;
    ngx_cira_zone_old_t   old;
    u_char                guid[NGX_CIRA_GUID_TEXT];
    u_char                buf[2 * NGX_CIRA_TABLE_ADDR + 64];

    t = ngx_cira_zone_shared;

    if (t == NULL) {
        ngx_log_error(NGX_LOG_ALERT, log, 0, "no cira zone in this process");
        return NGX_ERROR;
    }

    now = ngx_cira_zone_now();
    quarantine = 0;
    old.generation = 0;

    (void) ngx_cira_guid_text(guid, id->guid);

    ngx_cira_table_lock(t);

    r = ngx_cira_table_find(t, id->guid);

    if (r && r->state == NGX_CIRA_RECORD_QUARANTINED) {

        if (r->window > now) {
            ngx_cira_table_unlock(t);

            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "device %*s refused: in quarantine as a suspected "
                          "duplicate", sizeof(guid), guid);
            return NGX_DECLINED;
        }

        ngx_cira_table_remove(t, r);
        r = NULL;
    }

    if (r) {
        ngx_cira_zone_old(t, r, &old);
        quarantine = ngx_cira_zone_duplicate(r, now);
        ngx_cira_table_hide(t, r);

    } else {
        r = ngx_cira_table_add(t, id->guid);

        if (r == NULL) {
            ngx_cira_zone_full(t, now, guid, log);
            ngx_cira_table_unlock(t);
            return NGX_ERROR;
        }

        r->window = now;
    }

    id->generation = ngx_cira_table_generation(t, now);

    if (quarantine) {
        r->window = now + ngx_cira_zone_ban;
        r->replaced = 0;
        r->worker = 0;

        ngx_cira_table_publish(t, r, NGX_CIRA_RECORD_QUARANTINED);

    } else {
        ngx_cira_zone_identity_info(id, &info);
        ngx_cira_zone_fill(r, &info);

        ngx_cira_table_publish(t, r, NGX_CIRA_RECORD_CONNECTED);
    }

    ngx_cira_table_unlock(t);

    if (quarantine) {
        text.data = buf;
        text.len = ngx_snprintf(buf, sizeof(buf),
                                "suspected duplicate: %*s and %V",
                                old.addr_len, old.addr, &id->addr)
                   - buf;

        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "device %*s: %V, quarantined for %M ms",
                      sizeof(guid), guid, &text, ngx_cira_zone_ban);

        ngx_cira_notify(NGX_CIRA_EVENT_QUARANTINE, id, &text);

        old.reason = NGX_CIRA_DISCONNECT_POLICY;
        ngx_cira_zone_evict(&old, log);

        return NGX_DECLINED;
    }

    if (old.generation) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "device %*s: connection from %*s is replaced",
                      sizeof(guid), guid, (size_t) old.addr_len, old.addr);

        ngx_cira_zone_evict(&old, log);
    }

    return NGX_OK;
}


/* Counts the replacement of a live session; TRUE when there are too many. */

static ngx_uint_t
ngx_cira_zone_duplicate(ngx_cira_record_t *r, int64_t now)
{
    if (now < r->window
        || now - r->window >= (int64_t) ngx_cira_zone_period)
    {
        r->window = now;
        r->replaced = 0;
    }

    return ++r->replaced > ngx_cira_zone_duplicates;
}


void
ngx_cira_zone_logout(ngx_cira_identity_t *id, ngx_log_t *log)
{
    ngx_cira_table_t   *t;
    ngx_cira_record_t  *r;

    t = ngx_cira_zone_shared;

    if (t == NULL || id->generation == 0) {
        return;
    }

    ngx_cira_table_lock(t);

    r = ngx_cira_table_find(t, id->guid);

    if (r && r->state == NGX_CIRA_RECORD_CONNECTED
        && r->generation == id->generation)
    {
        ngx_cira_table_remove(t, r);
    }

    ngx_cira_table_unlock(t);
}


void
ngx_cira_zone_seen(ngx_cira_identity_t *id)
{
    int64_t             now;
    ngx_cira_table_t   *t;
    ngx_cira_record_t  *r;

    t = ngx_cira_zone_shared;

    if (t == NULL) {
        return;
    }

    now = ngx_cira_zone_now();

    id->last_seen = now;

    if (now - id->published < NGX_CIRA_ZONE_SEEN && now >= id->published) {
        return;
    }

    id->published = now;

    ngx_cira_table_lock(t);

    r = ngx_cira_table_find(t, id->guid);

    if (r && r->generation == id->generation) {
        r->last_seen = now;
        r->channels = (uint32_t) id->channels;
    }

    ngx_cira_table_unlock(t);
}


static ngx_int_t
ngx_cira_zone_lookup(const u_char *guid, ngx_cira_info_t *info)
{
    ngx_int_t           rc;
    ngx_cira_table_t   *t;
    ngx_cira_record_t  *r;

    t = ngx_cira_zone_shared;

    if (t == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_DECLINED;

    ngx_cira_table_lock(t);

    r = ngx_cira_table_find(t, guid);

    if (r && r->state == NGX_CIRA_RECORD_CONNECTED) {
        ngx_cira_zone_info(t, r, info);
        rc = NGX_OK;
    }

    ngx_cira_table_unlock(t);

    return rc;
}


static ngx_int_t
ngx_cira_zone_list(const u_char *cursor, ngx_cira_info_t *info, ngx_uint_t n)
{
    uint32_t            resume;
    ngx_uint_t          i, budget;
    ngx_cira_table_t   *t;
    ngx_cira_record_t  *r;

    t = ngx_cira_zone_shared;

    if (t == NULL) {
        return NGX_ERROR;
    }

    i = 0;
    resume = 0;

    do {
        budget = NGX_CIRA_ZONE_BUCKETS;

        ngx_cira_table_lock(t);

        while (i < n) {
            r = ngx_cira_table_next(t, cursor, &resume, &budget);

            if (r == NULL) {
                break;
            }

            ngx_cira_zone_info(t, r, &info[i]);
            cursor = info[i].guid;
            i++;
        }

        ngx_cira_table_unlock(t);

    } while (i < n && budget == 0);

    return i;
}


void
ngx_cira_zone_info(ngx_cira_table_t *t, ngx_cira_record_t *r,
    ngx_cira_info_t *info)
{
    ngx_cira_table_worker_t  *w;

    ngx_memzero(info, sizeof(ngx_cira_info_t));

    ngx_memcpy(info->guid, r->guid, NGX_CIRA_GUID_LEN);
    info->generation = r->generation;
    info->worker = r->worker;
    info->connected = r->connected;
    info->last_seen = r->last_seen;
    info->tenant_len = r->tenant_len;
    info->addr_len = r->addr_len;
    ngx_memcpy(info->tenant, r->tenant, r->tenant_len);
    ngx_memcpy(info->addr, r->addr, r->addr_len);

    w = ngx_cira_table_worker(t, r->worker);

    if (w) {
        ngx_memcpy(info->socket, w->socket, sizeof(info->socket));
    }
}


static void
ngx_cira_zone_old(ngx_cira_table_t *t, ngx_cira_record_t *r,
    ngx_cira_zone_old_t *old)
{
    ngx_cira_table_worker_t  *w;

    ngx_memzero(old, sizeof(ngx_cira_zone_old_t));

    ngx_memcpy(old->guid, r->guid, NGX_CIRA_GUID_LEN);
    old->generation = r->generation;
    old->worker = r->worker;
    old->reason = NGX_CIRA_DISCONNECT_APPLICATION;
    old->addr_len = r->addr_len;
    ngx_memcpy(old->addr, r->addr, r->addr_len);

    w = ngx_cira_table_worker(t, r->worker);

    if (w) {
        ngx_memcpy(old->socket, w->socket, sizeof(old->socket));
    }
}


static void
ngx_cira_zone_fill(ngx_cira_record_t *r, ngx_cira_info_t *info)
{
    r->generation = info->generation;
    r->worker = info->worker;
    r->connected = info->connected;
    r->last_seen = info->last_seen;
    r->channels = 0;
    r->tenant_len = (u_char) ngx_min(info->tenant_len, sizeof(r->tenant));
    r->addr_len = (u_char) ngx_min(info->addr_len, sizeof(r->addr));
    ngx_memcpy(r->tenant, info->tenant, r->tenant_len);
    ngx_memcpy(r->addr, info->addr, r->addr_len);
}


static void
ngx_cira_zone_identity_info(ngx_cira_identity_t *id, ngx_cira_info_t *info)
{
    ngx_memzero(info, sizeof(ngx_cira_info_t));

    ngx_memcpy(info->guid, id->guid, NGX_CIRA_GUID_LEN);
    info->generation = id->generation;
    info->worker = ngx_cira_worker_id;
    info->connected = id->connected;
    info->last_seen = id->last_seen;
    info->tenant_len = (u_char) ngx_min(id->tenant.len, sizeof(info->tenant));
    info->addr_len = (u_char) ngx_min(id->addr.len, sizeof(info->addr));
    ngx_memcpy(info->tenant, id->tenant.data, info->tenant_len);
    ngx_memcpy(info->addr, id->addr.data, info->addr_len);
}


/* With the lock held; one line a second is enough to be noticed. */

static void
ngx_cira_zone_full(ngx_cira_table_t *t, int64_t now, const u_char *guid,
    ngx_log_t *log)
{
    if (now - t->full < 1000 && now >= t->full) {
        return;
    }

    t->full = now;

    ngx_log_error(NGX_LOG_CRIT, log, 0,
                  "device %*s refused: cira zone is full, it holds %uD "
                  "devices, increase cira_zone",
                  (size_t) NGX_CIRA_GUID_TEXT, guid, t->capacity);
}


ngx_int_t
ngx_cira_zone_merge(ngx_cira_info_t *info, uint32_t stamp,
    ngx_cira_zone_old_t *old)
{
    int64_t             now;
    ngx_cira_table_t   *t;
    ngx_cira_record_t  *r;

    t = ngx_cira_zone_shared;
    now = ngx_cira_zone_now();
    ngx_memzero(old, sizeof(ngx_cira_zone_old_t));

    ngx_cira_table_lock(t);

    ngx_cira_table_generation_seen(t, info->generation);

    r = ngx_cira_table_find(t, info->guid);

    if (r && r->state == NGX_CIRA_RECORD_QUARANTINED && r->window <= now) {
        ngx_cira_table_remove(t, r);
        r = NULL;
    }

    if (r && r->generation == info->generation
        && r->worker == info->worker
        && r->state == NGX_CIRA_RECORD_CONNECTED)
    {
        /* of imports that run side by side the one that began last counts */

        if (ngx_cira_zone_older(r->stamp, stamp)) {
            r->stamp = stamp;
        }

        r->last_seen = ngx_max(r->last_seen, info->last_seen);

        ngx_cira_table_unlock(t);
        return NGX_DONE;
    }

    if (r && (r->state == NGX_CIRA_RECORD_QUARANTINED
              || r->generation > info->generation))
    {
        ngx_cira_table_unlock(t);
        return NGX_DECLINED;
    }

    if (r) {
        ngx_cira_zone_old(t, r, old);
        ngx_cira_table_hide(t, r);

    } else {
        r = ngx_cira_table_add(t, info->guid);

        if (r == NULL) {
            ngx_cira_table_unlock(t);
            return NGX_ERROR;
        }

        r->window = now;
    }

    ngx_cira_zone_fill(r, info);
    r->stamp = stamp;

    ngx_cira_table_publish(t, r, NGX_CIRA_RECORD_CONNECTED);

    ngx_cira_table_unlock(t);

    return NGX_OK;
}


void
ngx_cira_zone_evict(ngx_cira_zone_old_t *old, ngx_log_t *log)
{
    ngx_cira_session_t   *s;
    ngx_cira_identity_t  *id;

    if (old->worker != ngx_cira_worker_id) {

        if (old->socket[0]) {
            ngx_cira_peer_evict(old);
        }

        return;
    }

    s = ngx_cira_session_find(old->guid);

    if (s == NULL) {
        return;
    }

    id = ngx_cira_session_identity(s);

    if (id->generation == old->generation) {
        ngx_cira_session_close(s, old->reason,
                               ngx_cira_zone_text(old->reason));
    }
}


/* What the reason of an eviction means here. */

static char *
ngx_cira_zone_text(ngx_uint_t reason)
{
    switch (reason) {

    case NGX_CIRA_DISCONNECT_NOT_ALLOWED:
        return NGX_CIRA_DIRECT_ENDED;

    case NGX_CIRA_DISCONNECT_POLICY:
        return "quarantined as a suspected duplicate";

    default:
        return "replaced by a newer connection";
    }
}


void
ngx_cira_zone_purge(uint64_t worker, uint32_t stamp)
{
    uint32_t            i;
    ngx_uint_t          budget;
    ngx_cira_table_t   *t;
    ngx_cira_record_t  *r;

    t = ngx_cira_zone_shared;
    i = 0;

    do {
        budget = NGX_CIRA_ZONE_RECORDS;

        ngx_cira_table_lock(t);

        while ((r = ngx_cira_table_scan(t, &i, &budget)) != NULL) {

            if (r->state == NGX_CIRA_RECORD_CONNECTED
                && r->worker == worker
                && ngx_cira_zone_older(r->stamp, stamp))
            {
                ngx_cira_table_remove(t, r);
            }
        }

        ngx_cira_table_unlock(t);

    } while (i < t->capacity);
}


void
ngx_cira_zone_expire(ngx_log_t *log)
{
    ngx_uint_t         n;
    ngx_cira_table_t  *t;

    t = ngx_cira_zone_shared;

    ngx_cira_table_lock(t);

    n = ngx_cira_table_expire(t, ngx_cira_zone_now(), NGX_CIRA_ZONE_RECORDS);

    ngx_cira_table_unlock(t);

    if (n) {
        ngx_log_error(NGX_LOG_NOTICE, log, 0,
                      "quarantine of %ui devices is over", n);
    }
}


void
ngx_cira_zone_bury(uint64_t worker, char *reason, ngx_log_t *log)
{
    uint32_t             i;
    ngx_str_t            text;
    ngx_uint_t           n, k, total, budget;
    ngx_cira_info_t      info;
    ngx_cira_table_t    *t;
    ngx_cira_record_t   *r;
    ngx_cira_identity_t  id[NGX_CIRA_ZONE_BATCH];
    u_char               buf[NGX_CIRA_ZONE_BATCH][NGX_CIRA_TENANT_LEN
                                                  + NGX_CIRA_TABLE_ADDR];

    t = ngx_cira_zone_shared;

    if (t == NULL) {
        return;
    }

    text.data = (u_char *) reason;
    text.len = ngx_strlen(reason);

    ngx_memzero(id, sizeof(id));
    total = 0;
    i = 0;

    do {
        n = 0;
        budget = NGX_CIRA_ZONE_RECORDS;

        ngx_cira_table_lock(t);

        while (n < NGX_CIRA_ZONE_BATCH
               && (r = ngx_cira_table_scan(t, &i, &budget)) != NULL)
        {
            if (r->state != NGX_CIRA_RECORD_CONNECTED || r->worker != worker) {
                continue;
            }

            ngx_cira_zone_info(t, r, &info);

            ngx_memcpy(id[n].guid, info.guid, NGX_CIRA_GUID_LEN);
            id[n].generation = info.generation;
            id[n].connected = info.connected;
            id[n].last_seen = info.last_seen;

            id[n].tenant.len = info.tenant_len;
            id[n].tenant.data = buf[n];
            id[n].addr.len = info.addr_len;
            id[n].addr.data = buf[n] + NGX_CIRA_TENANT_LEN;
            ngx_memcpy(id[n].tenant.data, info.tenant, info.tenant_len);
            ngx_memcpy(id[n].addr.data, info.addr, info.addr_len);

            n++;
        }

        ngx_cira_table_unlock(t);

        /*
         * First told, then removed: who dies in between leaves work for the
         * next, and the receiver knows a generation's end from its second.
         */

        for (k = 0; k < n; k++) {
            ngx_cira_notify(NGX_CIRA_EVENT_DISCONNECTED, &id[k], &text);
            ngx_cira_zone_logout(&id[k], log);
        }

        total += n;

    } while (i < t->capacity);

    ngx_cira_table_lock(t);

    ngx_cira_table_worker_remove(t, worker);

    ngx_cira_table_unlock(t);

    if (total) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "worker %016xL: %ui devices disconnected: %s",
                      worker, total, reason);
    }
}


void
ngx_cira_zone_resync(ngx_uint_t force, ngx_log_t *log)
{
    u_char                guid[NGX_CIRA_GUID_LEN];
    ngx_int_t             rc;
    ngx_str_t             text;
    ngx_cira_info_t       info;
    ngx_cira_table_t     *t;
    ngx_cira_session_t   *s;
    ngx_cira_identity_t  *id;
    ngx_cira_zone_old_t   old;

    t = ngx_cira_zone_shared;

    if (t == NULL || (t->epoch == ngx_cira_zone_epoch && !force)) {
        return;
    }

    ngx_cira_zone_epoch = t->epoch;

    for (s = ngx_cira_session_next(NULL); s; s = ngx_cira_session_next(guid)) {

        id = ngx_cira_session_identity(s);
        ngx_memcpy(guid, id->guid, NGX_CIRA_GUID_LEN);

        ngx_cira_zone_identity_info(id, &info);

        rc = ngx_cira_zone_merge(&info, 0, &old);

        if (rc == NGX_DONE) {
            continue;
        }

        if (rc == NGX_OK) {

            /* who took this worker for dead has reported the opposite */

            ngx_str_set(&text, "");
            ngx_cira_notify(NGX_CIRA_EVENT_CONNECTED, id, &text);

            if (old.generation) {
                ngx_cira_zone_evict(&old, log);
            }

            continue;
        }

        ngx_cira_session_close(s, rc == NGX_DECLINED
                                  ? NGX_CIRA_DISCONNECT_APPLICATION
                                  : NGX_CIRA_DISCONNECT_TOO_MANY,
                               rc == NGX_DECLINED
                               ? "replaced by a newer connection"
                               : "cira zone is full");
    }
}
