
/*
 * cira_notify: events of the device plane, posted in batches.
 *
 * Events of all workers stand in two rings in shared memory, in the order of
 * one sequence number.  Whoever takes the lease sends a batch and removes it
 * when the answer was 2xx: at least once, in order.  A full ring loses its
 * oldest entries, counted; last-seen events have a ring of their own, so
 * that they never push out the others.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_stream_cira.h"
#include "ngx_cira_http.h"
#include "ngx_cira_json.h"
#include "ngx_cira_hooks.h"


#define NGX_CIRA_NOTIFY_DELAY   50       /* ms: events come together */
#define NGX_CIRA_NOTIFY_POLL    5000     /* ms: what others left */
#define NGX_CIRA_NOTIFY_RETRY   500      /* ms, doubled up to _POLL */
#define NGX_CIRA_NOTIFY_ANSWER  4096


typedef struct {
    ngx_event_t          event;
    ngx_connection_t     dummy;
    ngx_cira_http_t     *http;
    uint64_t             state;          /* first seq. after the batch */
    uint64_t             seen;
    uint64_t             own;            /* this worker's last event */
    uint64_t             dropped;        /* as last logged */
    ngx_msec_t           retry;
    ngx_log_t           *log;
} ngx_cira_notify_ctx_t;


static void ngx_cira_notify_put(ngx_cira_hooks_shm_t *shm,
    ngx_cira_event_e type, ngx_cira_identity_t *id, ngx_str_t *text);
static void ngx_cira_notify_arm(ngx_msec_t ms, ngx_uint_t cancelable);
static void ngx_cira_notify_event(ngx_event_t *ev);
static ngx_int_t ngx_cira_notify_send(void);
static uint64_t ngx_cira_notify_oldest(ngx_cira_ring_t *ring);
static ngx_uint_t ngx_cira_notify_batch(ngx_cira_hooks_shm_t *shm,
    ngx_cira_json_t *j, ngx_uint_t max);
static void ngx_cira_notify_write(ngx_cira_json_t *j, ngx_cira_event_t *e);
static void ngx_cira_notify_answer(void *data, ngx_int_t rc,
    ngx_uint_t status, ngx_str_t *body);


static ngx_cira_notify_ctx_t  *ngx_cira_notify_ctx;

static const char  *ngx_cira_event_names[] = {
    "connected", "disconnected", "seen", "alert", "quarantine"
};


ngx_int_t
ngx_cira_notify_init(ngx_cycle_t *cycle)
{
    ngx_cira_hooks_conf_t  *hcf;
    ngx_cira_notify_ctx_t  *ctx;

    hcf = ngx_cira_hooks_conf();
    if (hcf == NULL || hcf->notify.url == NULL) {
        return NGX_OK;
    }

    ctx = ngx_pcalloc(cycle->pool, sizeof(ngx_cira_notify_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->dummy.fd = (ngx_socket_t) -1;
    ctx->event.handler = ngx_cira_notify_event;
    ctx->event.data = &ctx->dummy;
    ctx->event.log = cycle->log;
    ctx->log = cycle->log;
    ctx->retry = NGX_CIRA_NOTIFY_RETRY;

    ngx_cira_notify_ctx = ctx;

    ngx_cira_notify_arm(NGX_CIRA_NOTIFY_POLL, 1);

    return NGX_OK;
}


void
ngx_cira_notify_exit(ngx_cycle_t *cycle)
{
    ngx_cira_hooks_shm_t   *shm;
    ngx_cira_notify_ctx_t  *ctx;

    ctx = ngx_cira_notify_ctx;
    if (ctx == NULL) {
        return;
    }

    if (ctx->http) {
        ngx_cira_http_cancel(ctx->http);
        ctx->http = NULL;

        shm = ngx_cira_hooks_lock();

        if (shm) {
            if (shm->sender == ngx_pid) {
                shm->lease = 0;
            }

            ngx_cira_hooks_unlock();
        }
    }

    ngx_cira_notify_ctx = NULL;
}


void
ngx_cira_notify(ngx_cira_event_e type, ngx_cira_identity_t *id,
    ngx_str_t *text)
{
    ngx_cira_hooks_shm_t   *shm;
    ngx_cira_hooks_conf_t  *hcf;

    hcf = ngx_cira_hooks_conf();
    if (hcf == NULL || hcf->notify.url == NULL) {
        return;
    }

    shm = ngx_cira_hooks_lock();
    if (shm == NULL) {
        return;
    }

    ngx_cira_notify_put(shm, type, id, text);

    if (ngx_cira_notify_ctx) {
        ngx_cira_notify_ctx->own = shm->seq;
    }

    ngx_cira_hooks_unlock();

    if (ngx_cira_notify_ctx && ngx_cira_notify_ctx->http == NULL) {
        ngx_cira_notify_arm(NGX_CIRA_NOTIFY_DELAY, 0);
    }
}


static void
ngx_cira_notify_put(ngx_cira_hooks_shm_t *shm, ngx_cira_event_e type,
    ngx_cira_identity_t *id, ngx_str_t *text)
{
    ngx_time_t        *tp;
    ngx_cira_ring_t   *ring;
    ngx_cira_event_t  *e;

    ring = (type == NGX_CIRA_EVENT_SEEN) ? &shm->seen : &shm->state;

    if (ring->head - ring->tail >= ring->size) {
        ring->tail = ring->head - ring->size + 1;
        ring->dropped++;
    }

    tp = ngx_timeofday();

    e = &ring->events[ring->head % ring->size];
    e->seq = 0;
    ngx_memory_barrier();

    e->type = type;
    e->time = (int64_t) tp->sec * 1000 + tp->msec;
    e->generation = id->generation;
    ngx_memcpy(e->guid, id->guid, NGX_CIRA_GUID_LEN);

    e->tenant_len = (uint16_t) ngx_min(id->tenant.len, NGX_CIRA_TENANT_LEN);

    if (e->tenant_len) {
        ngx_memcpy(e->tenant, id->tenant.data, e->tenant_len);
    }

    e->addr_len = (uint16_t) ngx_min(id->addr.len, NGX_CIRA_ADDR_LEN);

    if (e->addr_len) {
        ngx_memcpy(e->addr, id->addr.data, e->addr_len);
    }

    e->text_len = 0;

    if (text && text->len) {
        e->text_len = (uint16_t) ngx_min(text->len, NGX_CIRA_EVENT_TEXT);
        ngx_memcpy(e->text, text->data, e->text_len);
    }

    ngx_memory_barrier();
    e->seq = ++shm->seq;
    ring->head++;
}


static void
ngx_cira_notify_arm(ngx_msec_t ms, ngx_uint_t cancelable)
{
    ngx_event_t  *ev;

    ev = &ngx_cira_notify_ctx->event;

    if (ev->timer_set) {
        if (!ev->cancelable) {
            return;
        }

        ngx_del_timer(ev);
    }

    /*
     * An exiting worker sends what it queued, but neither waits for what
     * others queue nor retries: they do.
     */

    ev->cancelable = cancelable;
    ngx_add_timer(ev, ms);
}


static void
ngx_cira_notify_event(ngx_event_t *ev)
{
    ngx_int_t               rc;
    ngx_cira_notify_ctx_t  *ctx;

    ctx = ngx_cira_notify_ctx;
    if (ctx == NULL || ctx->http) {
        return;
    }

    rc = ngx_cira_notify_send();

    if (rc == NGX_OK) {
        return;
    }

    if (rc == NGX_DONE) {
        ngx_cira_notify_arm(NGX_CIRA_NOTIFY_POLL, 1);

    } else {
        ngx_cira_notify_arm(ctx->retry, 1);
    }
}


/* NGX_OK: a batch is on its way; NGX_DONE: none; NGX_BUSY, NGX_ERROR */

static ngx_int_t
ngx_cira_notify_send(void)
{
    uint64_t                now, dropped;
    ngx_str_t               body;
    ngx_uint_t              n;
    ngx_time_t             *tp;
    u_char                  head[64 + NGX_INT64_LEN];
    ngx_cira_json_t         j;
    ngx_cira_hooks_shm_t   *shm;
    ngx_cira_hooks_conf_t  *hcf;
    ngx_cira_notify_ctx_t  *ctx;

    ctx = ngx_cira_notify_ctx;
    hcf = ngx_cira_hooks_conf();

    tp = ngx_timeofday();
    now = (uint64_t) tp->sec * 1000 + tp->msec;

    if (ngx_cira_json_init(&j, 16384, ctx->log) != NGX_OK) {
        return NGX_ERROR;
    }

    shm = ngx_cira_hooks_lock();
    if (shm == NULL) {
        ngx_cira_json_free(&j);
        return NGX_ERROR;
    }

    *ngx_sprintf(head, "{\"worker\":\"%P\",\"source\":\"%016xL\","
                 "\"events\":[", ngx_pid, shm->source)
        = '\0';

    ngx_cira_json_raw(&j, (char *) head);

    if (shm->lease > now && shm->sender != ngx_pid) {
        ngx_cira_hooks_unlock();
        ngx_cira_json_free(&j);
        return NGX_BUSY;
    }

    n = ngx_cira_notify_batch(shm, &j, hcf->notify_batch);

    if (n && !j.failed) {
        shm->sender = ngx_pid;
        shm->lease = now + hcf->notify_timeout + 1000;
    }

    dropped = shm->state.dropped + shm->seen.dropped;

    ngx_cira_hooks_unlock();

    if (dropped > ctx->dropped) {
        ngx_log_error(NGX_LOG_WARN, ctx->log, 0,
                      "cira_notify: queue was full, %uL events were dropped "
                      "so far", dropped);
        ctx->dropped = dropped;
    }

    ngx_cira_json_raw(&j, "]}");

    if (n == 0 || j.failed) {
        ngx_cira_json_free(&j);
        return n ? NGX_ERROR : NGX_DONE;
    }

    body.data = j.start;
    body.len = j.last - j.start;

    ctx->http = ngx_cira_http_post(&hcf->notify, &body, hcf->notify_timeout,
                                   NGX_CIRA_NOTIFY_ANSWER,
                                   ngx_cira_notify_answer, ctx, ctx->log);

    ngx_cira_json_free(&j);

    return ctx->http ? NGX_OK : NGX_ERROR;
}


/* Sequence number of the next event of a ring, the highest if it is empty. */

static uint64_t
ngx_cira_notify_oldest(ngx_cira_ring_t *ring)
{
    return ring->tail < ring->head
           ? ring->events[ring->tail % ring->size].seq : (uint64_t) -1;
}


/* Merges both rings by sequence number; remembers where the batch ends. */

static ngx_uint_t
ngx_cira_notify_batch(ngx_cira_hooks_shm_t *shm, ngx_cira_json_t *j,
    ngx_uint_t max)
{
    uint64_t                state, seen;
    ngx_uint_t              n;
    ngx_cira_event_t       *a, *b, *e;
    ngx_cira_notify_ctx_t  *ctx;

    ctx = ngx_cira_notify_ctx;

    state = shm->state.tail;
    seen = shm->seen.tail;

    for (n = 0; n < max; /* void */ ) {

        a = (state < shm->state.head)
            ? &shm->state.events[state % shm->state.size] : NULL;
        b = (seen < shm->seen.head)
            ? &shm->seen.events[seen % shm->seen.size] : NULL;

        if (a && (b == NULL || a->seq < b->seq)) {
            e = a;
            state++;

        } else if (b) {
            e = b;
            seen++;

        } else {
            break;
        }

        /* 0: its writer died in the middle */

        if (e->seq) {
            if (n++) {
                ngx_cira_json_raw(j, ",");
            }

            ngx_cira_notify_write(j, e);
        }
    }

    ctx->state = state;
    ctx->seen = seen;

    return n;
}


static void
ngx_cira_notify_write(ngx_cira_json_t *j, ngx_cira_event_t *e)
{
    u_char  guid[NGX_CIRA_GUID_TEXT];

    (void) ngx_cira_guid_text(guid, e->guid);

    ngx_cira_json_raw(j, "{\"seq\":");
    ngx_cira_json_number(j, (int64_t) e->seq);
    ngx_cira_json_raw(j, ",\"type\":\"");
    ngx_cira_json_raw(j, ngx_cira_event_names[e->type]);
    ngx_cira_json_raw(j, "\",\"guid\":");
    ngx_cira_json_string(j, guid, NGX_CIRA_GUID_TEXT);
    ngx_cira_json_raw(j, ",\"generation\":");
    ngx_cira_json_number(j, (int64_t) e->generation);
    ngx_cira_json_raw(j, ",\"tenant\":");
    ngx_cira_json_string(j, e->tenant, e->tenant_len);
    ngx_cira_json_raw(j, ",\"address\":");
    ngx_cira_json_string(j, e->addr, e->addr_len);
    ngx_cira_json_raw(j, ",\"time\":");
    ngx_cira_json_number(j, e->time);

    if (e->text_len) {
        ngx_cira_json_raw(j, ",\"reason\":");
        ngx_cira_json_string(j, e->text, e->text_len);
    }

    ngx_cira_json_raw(j, "}");
}


static void
ngx_cira_notify_answer(void *data, ngx_int_t rc, ngx_uint_t status,
    ngx_str_t *body)
{
    ngx_uint_t              more, own;
    ngx_cira_hooks_shm_t   *shm;
    ngx_cira_notify_ctx_t  *ctx;

    ctx = data;
    ctx->http = NULL;

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ctx->log, 0,
                      "cira_notify did not answer, events are kept: %V",
                      body);

    } else if (status < 200 || status > 299) {
        ngx_log_error(NGX_LOG_ERR, ctx->log, 0,
                      "cira_notify answered %ui, events are kept", status);
        rc = NGX_ERROR;
    }

    more = 0;
    own = 0;

    shm = ngx_cira_hooks_lock();

    if (shm) {

        /* the lease may have run out, and the ring may have moved on */

        if (rc == NGX_OK) {
            if (shm->state.tail < ctx->state) {
                shm->state.tail = ctx->state;
            }

            if (shm->seen.tail < ctx->seen) {
                shm->seen.tail = ctx->seen;
            }
        }

        if (shm->sender == ngx_pid) {
            shm->lease = 0;
        }

        more = shm->state.tail < shm->state.head
               || shm->seen.tail < shm->seen.head;

        own = ngx_cira_notify_oldest(&shm->state) <= ctx->own
              || ngx_cira_notify_oldest(&shm->seen) <= ctx->own;

        ngx_cira_hooks_unlock();
    }

    if (ngx_cira_notify_ctx == NULL) {
        return;
    }

    if (rc == NGX_OK) {
        ctx->retry = NGX_CIRA_NOTIFY_RETRY;

        if (more) {
            ngx_cira_notify_arm(1, !own);

        } else {
            ngx_cira_notify_arm(NGX_CIRA_NOTIFY_POLL, 1);
        }

        return;
    }

    ngx_cira_notify_arm(ctx->retry, 1);

    ctx->retry = ngx_min(2 * ctx->retry, NGX_CIRA_NOTIFY_POLL);
}
