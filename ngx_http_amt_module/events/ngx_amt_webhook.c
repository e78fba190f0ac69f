
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


#include "events/ngx_amt_webhook.h"
#include "events/ngx_amt_event_name.h"
#include "ngx_cira_lock.h"
#include <ngx_event.h>


#define NGX_AMT_WEBHOOK_DELAY    20      /* ms: events come together */
#define NGX_AMT_WEBHOOK_POLL     5000    /* ms: what others left */
#define NGX_AMT_WEBHOOK_BUSY     100     /* ms: another worker sends */
#define NGX_AMT_WEBHOOK_RETRY    9       /* doublings of the first delay */
#define NGX_AMT_WEBHOOK_LONGEST  300000  /* ms between attempts */
#define NGX_AMT_WEBHOOK_REFUSED  5       /* attempts, then it is given up */
#define NGX_AMT_WEBHOOK_ANSWER   65536   /* bytes that are read */
#define NGX_AMT_WEBHOOK_SCAN     5000    /* events looked at under the lock */


typedef struct {
    ngx_amt_webhook_t           *hook;
    ngx_cira_http_t             *http;       /* a delivery is on its way */
    uint64_t                     end;        /* of it */
    uint64_t                     own;        /* behind this worker's last */
    ngx_uint_t                   n;          /* events in it */
    time_t                       after;      /* Retry-After */
    ngx_resolver_t              *resolver;   /* NULL: none is asked */
    ngx_amt_event_name_t         name;
    char                         connect_to[NGX_SOCKADDR_STRLEN + 16];
    ngx_event_t                  timer;
    unsigned                     busy:1;     /* own events wait for another
                                                worker to be done */
    unsigned                     failing:1;  /* was logged */
    unsigned                     gone:1;
} ngx_amt_webhook_ctx_t;


/* A batch, copied out of the ring */

typedef struct {
    ngx_str_t                    id;
    ngx_uint_t                   n;
    uint64_t                     first;
    uint64_t                     instance;
    uint64_t                    *numbers;
    ngx_amt_event_record_t      *records;
    u_char                       buf[NGX_AMT_WEBHOOK_ID_LEN];
} ngx_amt_webhook_batch_t;


static ngx_amt_ring_t *ngx_amt_webhook_lock(void);
static void ngx_amt_webhook_unlock(void);
static void ngx_amt_webhook_arm(ngx_amt_webhook_ctx_t *ctx, ngx_msec_t ms,
    ngx_uint_t cancelable);
static void ngx_amt_webhook_event(ngx_event_t *ev);
static ngx_uint_t ngx_amt_webhook_idle(ngx_amt_webhook_ctx_t *ctx);
static void ngx_amt_webhook_resolved(void *data, ngx_str_t *addr,
    const char *text);
static void ngx_amt_webhook_run(ngx_amt_webhook_ctx_t *ctx);
static ngx_msec_t ngx_amt_webhook_work(ngx_amt_webhook_ctx_t *ctx);
static ngx_msec_t ngx_amt_webhook_take(ngx_amt_webhook_ctx_t *ctx,
    ngx_amt_webhook_batch_t *batch);
static ngx_int_t ngx_amt_webhook_send(ngx_amt_webhook_ctx_t *ctx,
    ngx_amt_webhook_batch_t *batch, ngx_pool_t *pool);
static ngx_int_t ngx_amt_webhook_body(ngx_pool_t *pool,
    ngx_amt_webhook_batch_t *batch, ngx_str_t *body);
static void ngx_amt_webhook_answer(void *data, ngx_int_t rc,
    ngx_uint_t status, ngx_str_t *body);
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

        ring = ngx_amt_webhook_lock();
        sink = ngx_amt_ring_sink(ring, ctx->hook->key);

        if (sink && sink->sender == ngx_pid) {
            sink->sender = 0;
        }

        ngx_amt_webhook_unlock();
    }

    ngx_amt_webhooks = NULL;

    ngx_amt_webhook_http->exit(cycle);
}


static ngx_amt_ring_t *
ngx_amt_webhook_lock(void)
{
    ngx_shm_zone_t   *zone;
    ngx_slab_pool_t  *shpool;

    zone = ngx_amt_webhook_conf->zone;
    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    ngx_cira_lock(shpool, "amt_webhook zone");

    return zone->data;
}


static void
ngx_amt_webhook_unlock(void)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) ngx_amt_webhook_conf->zone->shm.addr;

    ngx_shmtx_unlock(&shpool->mutex);
}


void
ngx_amt_webhook_publish(const ngx_amt_event_record_t *rec)
{
    uint64_t                head;
    ngx_uint_t              i, n, wanted;
    ngx_amt_ring_t         *ring;
    ngx_amt_ring_sink_t    *sink;
    ngx_amt_webhook_ctx_t  *ctx;

    if (ngx_amt_webhooks == NULL) {
        return;
    }

    n = ngx_amt_webhook_conf->webhooks->nelts;
    wanted = 0;

    for (i = 0; i < n; i++) {
        if (ngx_amt_webhook_wants(ngx_amt_webhooks[i].hook, rec)) {
            wanted |= (ngx_uint_t) 1 << i;
        }
    }

    if (!wanted) {
        return;
    }

    ring = ngx_amt_webhook_lock();

    ngx_amt_ring_put(ring, rec);
    head = ring->head;

    for (i = 0; i < n; i++) {

        ctx = &ngx_amt_webhooks[i];
        sink = ngx_amt_ring_sink(ring, ctx->hook->key);

        if (sink == NULL) {
            continue;
        }

        if (wanted & (ngx_uint_t) 1 << i) {

            /* another worker may have found it well again */

            if (sink->next == 0) {
                ctx->failing = 0;
            }

        } else if (sink->tail == head - 1) {

            /* who had nothing to do still has nothing to do */

            sink->tail = head;
        }
    }

    ngx_amt_webhook_unlock();

    for (i = 0; i < n; i++) {

        ctx = &ngx_amt_webhooks[i];

        if (!(wanted & (ngx_uint_t) 1 << i)) {
            continue;
        }

        ctx->own = head;

        /* a receiver that fails is tried when its time has come */

        if (ctx->http == NULL && ctx->name.ctx == NULL
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

    ring = ngx_amt_webhook_lock();
    sink = ngx_amt_ring_sink(ring, ngx_amt_webhooks[i].hook->key);

    if (sink) {
        stats->queued = ring->head - ngx_amt_ring_first(ring, sink);
        stats->delivered = sink->delivered;
        stats->failures = sink->failures;
        stats->dropped = sink->dropped;
        stats->refused = sink->refused;
        stats->gone = sink->gone;
    }

    ngx_amt_webhook_unlock();

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

    ring = ngx_amt_webhook_lock();
    sink = ngx_amt_ring_sink(ring, ctx->hook->key);

    idle = (sink == NULL || sink->gone || sink->tail == ring->head);

    ngx_amt_webhook_unlock();

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


/* Starts a delivery, or says when to look again. */

static ngx_msec_t
ngx_amt_webhook_work(ngx_amt_webhook_ctx_t *ctx)
{
    ngx_int_t                 rc;
    ngx_msec_t                ms;
    ngx_pool_t               *pool;
    ngx_amt_ring_t           *ring;
    ngx_amt_ring_sink_t      *sink;
    ngx_amt_webhook_batch_t   batch;

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_AMT_WEBHOOK_POLL;
    }

    batch.n = 0;
    batch.numbers = ngx_palloc(pool, ctx->hook->batch * sizeof(uint64_t));
    batch.records = ngx_palloc(pool, ctx->hook->batch
                                     * sizeof(ngx_amt_event_record_t));

    if (batch.numbers == NULL || batch.records == NULL) {
        ngx_destroy_pool(pool);
        return NGX_AMT_WEBHOOK_POLL;
    }

    ms = ngx_amt_webhook_take(ctx, &batch);

    if (batch.n == 0) {
        ngx_destroy_pool(pool);
        return ms;
    }

    rc = ngx_amt_webhook_send(ctx, &batch, pool);

    ngx_destroy_pool(pool);

    if (rc == NGX_OK) {
        return 0;
    }

    ring = ngx_amt_webhook_lock();
    sink = ngx_amt_ring_sink(ring, ctx->hook->key);

    if (sink && sink->sender == ngx_pid) {
        sink->sender = 0;
    }

    ngx_amt_webhook_unlock();

    return NGX_AMT_WEBHOOK_POLL;
}


/*
 * Takes the receiver's lease and copies its next events.  Without any: when
 * to look again.
 */

static ngx_msec_t
ngx_amt_webhook_take(ngx_amt_webhook_ctx_t *ctx,
    ngx_amt_webhook_batch_t *batch)
{
    int64_t                  oldest;
    uint64_t                 n, last;
    ngx_msec_t               ms;
    ngx_msec_int_t           left;
    ngx_amt_ring_t          *ring;
    ngx_amt_ring_sink_t     *sink;
    ngx_amt_event_record_t  *rec;

    ms = NGX_AMT_WEBHOOK_POLL;
    ctx->busy = 0;

    ring = ngx_amt_webhook_lock();
    sink = ngx_amt_ring_sink(ring, ctx->hook->key);

    if (sink == NULL) {
        goto done;
    }

    n = ngx_amt_ring_first(ring, sink);
    ctx->gone = sink->gone ? 1 : 0;

    if (sink->gone) {
        sink->dropped += ring->head - n;
        sink->tail = ring->head;
        goto done;
    }

    if (n == ring->head) {
        goto done;
    }

    if (sink->sender && sink->sender != ngx_pid
        && (ngx_msec_int_t) (sink->lease - ngx_current_msec) > 0
        && (kill(sink->sender, 0) == 0 || ngx_errno != NGX_ESRCH))
    {
        if (n < ctx->own) {
            ctx->busy = 1;
            ms = NGX_AMT_WEBHOOK_BUSY;
        }

        goto done;
    }

    left = (ngx_msec_int_t) (sink->next - ngx_current_msec);

    if (sink->next && left > 0) {
        ms = ngx_min((ngx_msec_t) left, NGX_AMT_WEBHOOK_POLL);
        goto done;
    }

    oldest = ((int64_t) ngx_time() - ctx->hook->expire) * 1000;
    last = sink->end ? sink->end : ring->head;

    batch->first = n;
    batch->instance = ring->instance;

    for ( /* void */ ;
         n < last && batch->n < ctx->hook->batch
         && n - batch->first < NGX_AMT_WEBHOOK_SCAN;
         n++)
    {
        rec = ngx_amt_ring_record(ring, n);

        if (!ngx_amt_webhook_wants(ctx->hook, rec)) {
            continue;
        }

        if (rec->time < oldest) {
            sink->dropped++;
            continue;
        }

        batch->numbers[batch->n] = n;
        batch->records[batch->n++] = *rec;
    }

    if (batch->n == 0) {
        sink->tail = n;
        sink->end = 0;
        sink->next = 0;
        sink->attempts = 0;
        sink->refusals = 0;
        ctx->failing = 0;
        ms = (n < ring->head) ? 1 : NGX_AMT_WEBHOOK_POLL;
        goto done;
    }

    ctx->end = n;
    ctx->n = batch->n;

    sink->end = n;
    sink->sender = ngx_pid;
    sink->lease = ngx_current_msec + ctx->hook->timeout + 1000;

done:

    ngx_amt_webhook_unlock();

    return ms;
}


static ngx_int_t
ngx_amt_webhook_send(ngx_amt_webhook_ctx_t *ctx,
    ngx_amt_webhook_batch_t *batch, ngx_pool_t *pool)
{
    u_char                      id[sizeof("webhook-id: ")
                                   + NGX_AMT_WEBHOOK_ID_LEN];
    u_char                      stamp[sizeof("webhook-timestamp: ")
                                      + NGX_TIME_T_LEN];
    u_char                     *p;
    time_t                      now;
    ngx_str_t                   body, sign;
    const char                 *headers[6];
    ngx_cira_http_url_t         url;
    ngx_cira_http_request_t     req;
    ngx_amt_webhook_secrets_t  *secrets;

    /* the same for each attempt of the same events */

    batch->id.data = batch->buf;
    batch->id.len = ngx_sprintf(batch->buf, "msg_%016xL_%uL_%uL",
                                batch->instance, batch->first, ctx->end)
                    - batch->buf;

    if (ngx_amt_webhook_body(pool, batch, &body) != NGX_OK) {
        return NGX_ERROR;
    }

    now = ngx_time();

    *ngx_sprintf(id, "webhook-id: %V", &batch->id) = '\0';
    *ngx_sprintf(stamp, "webhook-timestamp: %T", now) = '\0';

    headers[0] = "Content-Type: application/json";
    headers[1] = "User-Agent: nginx-amt-gateway";
    headers[2] = (char *) id;
    headers[3] = (char *) stamp;
    headers[4] = NULL;
    headers[5] = NULL;

    if (ctx->hook->secret) {

        secrets = ngx_amt_source_table(ctx->hook->secret);

        if (ngx_amt_webhook_sign(pool, secrets, &batch->id, now, &body, &sign)
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        p = ngx_pnalloc(pool, sizeof("webhook-signature: ") + sign.len);
        if (p == NULL) {
            return NGX_ERROR;
        }

        *ngx_sprintf(p, "webhook-signature: %V", &sign) = '\0';

        headers[4] = (char *) p;
    }

    ngx_memzero(&req, sizeof(ngx_cira_http_request_t));

    ctx->after = 0;

    url = ctx->hook->url;

    if (ctx->connect_to[0]) {
        url.connect_to = ctx->connect_to;
    }

    req.url = &url;
    req.body = body;
    req.headers = headers;
    req.timeout = ctx->hook->timeout;
    req.cap = NGX_AMT_WEBHOOK_ANSWER;
    req.retry_after = &ctx->after;
    req.status_only = 1;
    req.handler = ngx_amt_webhook_answer;
    req.data = ctx;

    ctx->http = ngx_amt_webhook_http->send(&req, ngx_cycle->log);

    return ctx->http ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_amt_webhook_body(ngx_pool_t *pool, ngx_amt_webhook_batch_t *batch,
    ngx_str_t *body)
{
    u_char                  buf[NGX_AMT_WEBHOOK_ID_LEN];
    ngx_str_t               s;
    ngx_uint_t              i;
    ngx_amt_out_t           o;
    ngx_amt_event_record_t *rec;

    ngx_amt_out_init(&o, pool, 128 + 256 * batch->n);

    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "id");
    ngx_amt_out_string(&o, &batch->id);
    ngx_amt_out_key(&o, "events");
    ngx_amt_out_open(&o, '[');

    for (i = 0; i < batch->n; i++) {

        rec = &batch->records[i];

        s.data = buf;
        s.len = ngx_sprintf(buf, "evt_%016xL_%uL", batch->instance,
                            batch->numbers[i])
                - buf;

        ngx_amt_out_open(&o, '{');
        ngx_amt_out_key(&o, "id");
        ngx_amt_out_string(&o, &s);

        ngx_amt_event_write(&o, rec);

        ngx_amt_out_key(&o, "tenant");
        s.data = rec->tenant;
        s.len = rec->tenant_len;
        ngx_amt_out_string(&o, &s);

        ngx_amt_out_close(&o, '}');
    }

    ngx_amt_out_close(&o, ']');
    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, body);
}


static void
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

    ring = ngx_amt_webhook_lock();
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

    ngx_amt_webhook_unlock();

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
