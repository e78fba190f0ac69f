
/*
 * amt_webhook: takes the next events out of the ring and posts them.
 */


#include "events/ngx_amt_webhook_send.h"


#define NGX_AMT_WEBHOOK_BUSY     100     /* ms: another worker sends */
#define NGX_AMT_WEBHOOK_ANSWER   65536   /* bytes that are read */
#define NGX_AMT_WEBHOOK_SCAN     5000    /* events looked at under the lock */


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


static ngx_msec_t ngx_amt_webhook_take(ngx_amt_webhook_ctx_t *ctx,
    ngx_amt_webhook_batch_t *batch);
static ngx_int_t ngx_amt_webhook_send(ngx_amt_webhook_ctx_t *ctx,
    ngx_amt_webhook_batch_t *batch, ngx_pool_t *pool);
static ngx_int_t ngx_amt_webhook_body(ngx_pool_t *pool,
    ngx_amt_webhook_batch_t *batch, ngx_str_t *body);


/* Starts a delivery, or says when to look again. */

ngx_msec_t
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

    ring = ngx_amt_event_lock();
    sink = ngx_amt_ring_sink(ring, ctx->hook->key);

    if (sink && sink->sender == ngx_pid) {
        sink->sender = 0;
    }

    ngx_amt_event_unlock();

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
    uint64_t                 n, start, last;
    ngx_msec_t               ms;
    ngx_msec_int_t           left;
    ngx_amt_ring_t          *ring;
    ngx_amt_ring_sink_t     *sink;
    ngx_amt_event_record_t  *rec;

    ms = NGX_AMT_WEBHOOK_POLL;
    ctx->busy = 0;

    ring = ngx_amt_event_lock();
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

    start = n;
    batch->first = n;
    batch->instance = ring->instance;

    for ( /* void */ ;
         n < last && batch->n < ctx->hook->batch
         && n - start < NGX_AMT_WEBHOOK_SCAN;
         n++)
    {
        rec = ngx_amt_ring_record(ring, n);

        if (!ngx_amt_webhook_wants(ctx->hook, rec)) {
            continue;
        }

        /* once: those behind it may be taken again and again */

        if (rec->time < oldest && batch->n == 0) {
            sink->dropped++;
            sink->tail = n + 1;
            batch->first = n + 1;
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

    ngx_amt_event_unlock();

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

    ctx->http = ctx->client->send(&req, ngx_cycle->log);

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
