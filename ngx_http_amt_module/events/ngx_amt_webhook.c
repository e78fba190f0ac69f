
/*
 * amt_webhook: delivers what is in the ring.
 *
 * Whoever takes a receiver's lease sends one batch and moves the receiver on
 * when the answer was 2xx: at least once, in order.  A batch that failed is
 * sent again with the same id, after a delay that doubles.  Workers that die
 * leave the ring as it is; another one takes over.
 *
 *   2xx                 delivered
 *   410                 the receiver is gone: nothing is sent until a reload
 *   408, 425, 429, 5xx  tried again until it expires
 *   no answer           the same
 *   others              the receiver refuses it: tried a few times, given up
 */


#include "events/ngx_amt_webhook_send.h"
#include <ngx_event.h>


#define NGX_AMT_WEBHOOK_DELAY    20      /* ms: events come together */
#define NGX_AMT_WEBHOOK_RETRY    9       /* doublings of the first delay */
#define NGX_AMT_WEBHOOK_LONGEST  300000  /* ms between attempts */
#define NGX_AMT_WEBHOOK_REFUSED  5       /* attempts, then it is given up */


static void ngx_amt_webhook_arm(ngx_amt_webhook_ctx_t *ctx, ngx_msec_t ms,
    ngx_uint_t cancelable);
static void ngx_amt_webhook_event(ngx_event_t *ev);
static ngx_uint_t ngx_amt_webhook_idle(ngx_amt_webhook_ctx_t *ctx);
static void ngx_amt_webhook_resolved(void *data, ngx_str_t *addr,
    const char *text);
static void ngx_amt_webhook_run(ngx_amt_webhook_ctx_t *ctx);
static ngx_uint_t ngx_amt_webhook_result(ngx_amt_webhook_ctx_t *ctx,
    ngx_amt_ring_sink_t *sink, ngx_int_t rc, ngx_uint_t status);
static ngx_msec_t ngx_amt_webhook_backoff(ngx_amt_webhook_ctx_t *ctx,
    ngx_uint_t attempts);
static void ngx_amt_webhook_log(ngx_amt_webhook_ctx_t *ctx, ngx_int_t rc,
    ngx_uint_t status, ngx_str_t *text, ngx_uint_t gave_up);


/* of this worker */
static ngx_http_amt_events_conf_t  *ngx_amt_webhook_conf;
static const ngx_cira_http_api_t   *ngx_amt_webhook_http;
static ngx_amt_webhook_ctx_t       *ngx_amt_webhooks;
static ngx_connection_t             ngx_amt_webhook_dummy;


ngx_int_t
ngx_amt_webhook_init(ngx_http_amt_events_conf_t *conf,
    const ngx_cira_http_api_t *http, ngx_cycle_t *cycle)
{
    ngx_uint_t              i;
    ngx_amt_webhook_t      *hook;
    ngx_amt_webhook_ctx_t  *ctx;

    if (http->init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ctx = ngx_pcalloc(cycle->pool, conf->webhooks->nelts
                                   * sizeof(ngx_amt_webhook_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ngx_amt_webhook_dummy.fd = (ngx_socket_t) -1;

    ngx_amt_webhook_conf = conf;
    ngx_amt_webhook_http = http;
    ngx_amt_webhooks = ctx;

    hook = conf->webhooks->elts;

    for (i = 0; i < conf->webhooks->nelts; i++) {
        ctx[i].hook = &hook[i];
        ctx[i].client = http;

        ctx[i].timer.handler = ngx_amt_webhook_event;
        ctx[i].timer.data = &ngx_amt_webhook_dummy;
        ctx[i].timer.log = cycle->log;

        ctx[i].name.handler = ngx_amt_webhook_resolved;
        ctx[i].name.data = &ctx[i];

        if (hook[i].named
            && ngx_amt_event_name_usable(conf->clcf->resolver))
        {
            ctx[i].resolver = conf->clcf->resolver;
        }

        /* what a worker before this one left; not all workers at once */

        ngx_amt_webhook_arm(&ctx[i], 100 + ngx_random() % 400, 1);
    }

    return NGX_OK;
}


void
ngx_amt_webhook_exit(ngx_cycle_t *cycle)
{
    ngx_uint_t              i;
    ngx_amt_ring_t         *ring;
    ngx_amt_ring_sink_t    *sink;
    ngx_amt_webhook_ctx_t  *ctx;

    if (ngx_amt_webhooks == NULL) {
        return;
    }

    for (i = 0; i < ngx_amt_webhook_conf->webhooks->nelts; i++) {

        ctx = &ngx_amt_webhooks[i];

        if (ctx->timer.timer_set) {
            ngx_del_timer(&ctx->timer);
        }

        ngx_amt_event_name_cancel(&ctx->name);

        if (ctx->http == NULL) {
            continue;
        }

        ngx_amt_webhook_http->cancel(ctx->http);
        ctx->http = NULL;

        ring = ngx_amt_event_lock();
        sink = ngx_amt_ring_sink(ring, ctx->hook->key);

        if (sink && sink->sender == ngx_pid) {
            sink->sender = 0;
        }

        ngx_amt_event_unlock();
    }

    ngx_amt_webhooks = NULL;

    ngx_amt_webhook_http->exit(cycle);
}


ngx_uint_t
ngx_amt_webhook_wanted(const ngx_amt_event_record_t *rec)
{
    ngx_uint_t  i, wanted;

    if (ngx_amt_webhooks == NULL) {
        return 0;
    }

    wanted = 0;

    for (i = 0; i < ngx_amt_webhook_conf->webhooks->nelts; i++) {
        if (ngx_amt_webhook_wants(ngx_amt_webhooks[i].hook, rec)) {
            wanted |= (ngx_uint_t) 1 << i;
        }
    }

    return wanted;
}


void
ngx_amt_webhook_put(ngx_amt_ring_t *ring, ngx_uint_t wanted)
{
    ngx_uint_t              i;
    ngx_amt_ring_sink_t    *sink;
    ngx_amt_webhook_ctx_t  *ctx;

    if (ngx_amt_webhooks == NULL) {
        return;
    }

    for (i = 0; i < ngx_amt_webhook_conf->webhooks->nelts; i++) {

        ctx = &ngx_amt_webhooks[i];
        sink = ngx_amt_ring_sink(ring, ctx->hook->key);

        if (sink == NULL) {
            continue;
        }

        if (wanted & (ngx_uint_t) 1 << i) {

            ctx->own = ring->head;

            /* another worker may have found it well again */

            if (sink->next == 0) {
                ctx->failing = 0;
            }

        } else if (sink->tail == ring->head - 1) {

            /* who had nothing to do still has nothing to do */

            sink->tail = ring->head;
        }
    }
}


void
ngx_amt_webhook_start(ngx_uint_t wanted)
{
    ngx_uint_t              i;
    ngx_amt_webhook_ctx_t  *ctx;

    for (i = 0; wanted; i++, wanted >>= 1) {

        ctx = &ngx_amt_webhooks[i];

        /* a receiver that fails is tried when its time has come */

        if ((wanted & 1) && ctx->http == NULL && ctx->name.ctx == NULL
            && !ctx->failing && !ctx->gone)
        {
            ngx_amt_webhook_arm(ctx, NGX_AMT_WEBHOOK_DELAY, 0);
        }
    }
}


ngx_int_t
ngx_amt_webhook_stats(ngx_uint_t i, ngx_amt_webhook_stats_t *stats)
{
    ngx_amt_ring_t       *ring;
    ngx_amt_ring_sink_t  *sink;

    if (ngx_amt_webhooks == NULL || i >= ngx_amt_webhook_conf->webhooks->nelts)
    {
        return NGX_DECLINED;
    }

    ngx_memzero(stats, sizeof(ngx_amt_webhook_stats_t));
    stats->name = &ngx_amt_webhooks[i].hook->name;

    ring = ngx_amt_event_lock();
    sink = ngx_amt_ring_sink(ring, ngx_amt_webhooks[i].hook->key);

    if (sink) {
        stats->queued = ring->head - ngx_amt_ring_first(ring, sink);
        stats->delivered = sink->delivered;
        stats->failures = sink->failures;
        stats->dropped = sink->dropped;
        stats->refused = sink->refused;
        stats->gone = sink->gone;
    }

    ngx_amt_event_unlock();

    return NGX_OK;
}


/*
 * An exiting worker sends what it published, but neither waits for what
 * others publish nor tries again: they do.
 */

static void
ngx_amt_webhook_arm(ngx_amt_webhook_ctx_t *ctx, ngx_msec_t ms,
    ngx_uint_t cancelable)
{
    if (ctx->timer.timer_set) {

        if (!ctx->timer.cancelable) {
            return;
        }

        ngx_del_timer(&ctx->timer);
    }

    ctx->timer.cancelable = cancelable;
    ngx_add_timer(&ctx->timer, ms);
}


static void
ngx_amt_webhook_event(ngx_event_t *ev)
{
    ngx_amt_webhook_ctx_t  *ctx;

    ctx = (ngx_amt_webhook_ctx_t *) ((u_char *) ev
                                     - offsetof(ngx_amt_webhook_ctx_t, timer));

    if (ngx_amt_webhooks == NULL || ctx->http || ctx->name.ctx) {
        return;
    }

    if (ctx->resolver == NULL || ngx_amt_webhook_idle(ctx)) {
        ngx_amt_webhook_run(ctx);
        return;
    }

    ngx_amt_event_name_resolve(&ctx->name, ctx->resolver,
                               &ctx->hook->url.host, ctx->hook->timeout);
}


/* Nothing to send: no name to look up */

static ngx_uint_t
ngx_amt_webhook_idle(ngx_amt_webhook_ctx_t *ctx)
{
    ngx_uint_t            idle;
    ngx_amt_ring_t       *ring;
    ngx_amt_ring_sink_t  *sink;

    ring = ngx_amt_event_lock();
    sink = ngx_amt_ring_sink(ring, ctx->hook->key);

    idle = (sink == NULL || sink->gone || sink->tail == ring->head);

    ngx_amt_event_unlock();

    return idle;
}


/* Without an answer the address of before is tried, the first one's of all
   when the configuration was read */

static void
ngx_amt_webhook_resolved(void *data, ngx_str_t *addr, const char *text)
{
    ngx_amt_webhook_ctx_t *ctx = data;

    const char  *fmt;

    if (addr) {
        fmt = ngx_strlchr(addr->data, addr->data + addr->len, ':')
              ? "::[%V]:%d" : "::%V:%d";

        *ngx_snprintf((u_char *) ctx->connect_to, sizeof(ctx->connect_to) - 1,
                      fmt, addr, (int) ctx->hook->url.port)
            = '\0';

    } else {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0,
                      "amt_webhook: \"%V\" could not be resolved: %s",
                      &ctx->hook->name, text);
    }

    ngx_amt_webhook_run(ctx);
}


static void
ngx_amt_webhook_run(ngx_amt_webhook_ctx_t *ctx)
{
    ngx_msec_t  ms;

    ms = ngx_amt_webhook_work(ctx);

    if (ctx->http == NULL) {
        ngx_amt_webhook_arm(ctx, ms, !ctx->busy);
    }
}


void
ngx_amt_webhook_answer(void *data, ngx_int_t rc, ngx_uint_t status,
    ngx_str_t *body)
{
    ngx_amt_webhook_ctx_t *ctx = data;

    ngx_msec_t            wait;
    ngx_uint_t            ok, more, own, gave_up;
    ngx_amt_ring_t       *ring;
    ngx_amt_ring_sink_t  *sink;

    ctx->http = NULL;

    ok = (rc == NGX_OK && status >= 200 && status < 300);
    gave_up = 0;
    more = 0;
    own = 0;
    wait = NGX_AMT_WEBHOOK_POLL;

    ring = ngx_amt_event_lock();
    sink = ngx_amt_ring_sink(ring, ctx->hook->key);

    /* the lease may have run out, and another worker have taken over */

    if (sink && sink->sender == ngx_pid) {

        gave_up = ngx_amt_webhook_result(ctx, sink, rc, status);

        if (sink->next) {
            wait = sink->next - ngx_current_msec;
        }
    }

    if (sink) {
        ctx->gone = sink->gone ? 1 : 0;
        more = (sink->tail < ring->head);
        own = (sink->tail < ctx->own);
    }

    ngx_amt_event_unlock();

    if (ok) {
        if (ctx->failing) {
            ctx->failing = 0;
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                          "amt_webhook: \"%V\" takes events again",
                          &ctx->hook->name);
        }

    } else {
        ctx->failing = !gave_up;
        ngx_amt_webhook_log(ctx, rc, status, body, gave_up);
    }

    if (ngx_amt_webhooks == NULL) {
        return;
    }

    if ((ok || gave_up) && more) {
        ngx_amt_webhook_arm(ctx, 1, !own);

    } else {
        ngx_amt_webhook_arm(ctx, ok ? NGX_AMT_WEBHOOK_POLL : wait, 1);
    }
}


/* With the lock held; true: the delivery is given up. */

static ngx_uint_t
ngx_amt_webhook_result(ngx_amt_webhook_ctx_t *ctx, ngx_amt_ring_sink_t *sink,
    ngx_int_t rc, ngx_uint_t status)
{
    sink->sender = 0;
    sink->next = 0;

    if (rc == NGX_OK && status >= 200 && status < 300) {

        sink->delivered += ctx->n;
        sink->attempts = 0;
        sink->refusals = 0;
        sink->end = 0;

        if (sink->tail < ctx->end) {
            sink->tail = ctx->end;
        }

        return 0;
    }

    sink->failures++;
    sink->attempts++;

    if (rc == NGX_OK && status == 410) {
        sink->gone = 1;
        return 0;
    }

    if (rc == NGX_OK && status < 500
        && status != 408 && status != 425 && status != 429)
    {
        sink->refusals++;

    } else {
        sink->refusals = 0;
    }

    if (sink->refusals >= NGX_AMT_WEBHOOK_REFUSED) {
        sink->refused += ctx->n;
        sink->attempts = 0;
        sink->refusals = 0;
        sink->end = 0;

        if (sink->tail < ctx->end) {
            sink->tail = ctx->end;
        }

        return 1;
    }

    sink->next = ngx_current_msec
                 + ngx_amt_webhook_backoff(ctx, sink->attempts);

    /* 0 is "at once" */

    sink->next += (sink->next == 0);

    return 0;
}


/* Half of it is random: receivers are not hit by all gateways at once. */

static ngx_msec_t
ngx_amt_webhook_backoff(ngx_amt_webhook_ctx_t *ctx, ngx_uint_t attempts)
{
    ngx_msec_t  ms;

    ms = ctx->hook->retry << ngx_min(attempts - 1, NGX_AMT_WEBHOOK_RETRY);
    ms = ngx_min(ms, NGX_AMT_WEBHOOK_LONGEST);

    ms = ms / 2 + (ngx_msec_t) ngx_random() % (ms / 2 + 1);

    if (ctx->after > 0 && ms < (ngx_msec_t) ctx->after * 1000) {
        ms = ngx_min((ngx_msec_t) ctx->after * 1000, NGX_AMT_WEBHOOK_LONGEST);
    }

    return ms;
}


static void
ngx_amt_webhook_log(ngx_amt_webhook_ctx_t *ctx, ngx_int_t rc,
    ngx_uint_t status, ngx_str_t *text, ngx_uint_t gave_up)
{
    ngx_str_t  *name;

    name = &ctx->hook->name;

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "amt_webhook: \"%V\" did not answer, %ui events are "
                      "kept: %V", name, ctx->n, text);

    } else if (status == 410) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "amt_webhook: \"%V\" is gone (410), nothing is sent to "
                      "it until the configuration is loaded again", name);

    } else if (gave_up) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "amt_webhook: \"%V\" refused %ui events with status "
                      "%ui again, they are given up", name, ctx->n, status);

    } else {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "amt_webhook: \"%V\" answered %ui, %ui events are kept",
                      name, status, ctx->n);
    }
}
