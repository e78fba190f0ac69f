
/*
 * amt_mqtt: takes events out of the ring and gives them to the broker; a
 * worker's timers, its start and end.  The connection is in
 * ngx_amt_mqtt_client.c.  Contract mps.md section 6.1.
 *
 * Each worker has a connection; whoever takes the lease sends, so that events
 * of all workers arrive in one order.  An event leaves the queue when it was
 * written (QoS 0) or acknowledged (QoS 1): what a worker that died had taken
 * is sent again by another one.
 */


#include "events/ngx_amt_mqtt_client.h"
#include <ngx_event.h>
#include <openssl/err.h>
#include <poll.h>


#define NGX_AMT_MQTT_DRAIN     500       /* ms, in an exiting worker */
#define NGX_AMT_MQTT_WARN      10        /* s, between warnings */
#define NGX_AMT_MQTT_BUSY      100       /* ms: another worker sends */
#define NGX_AMT_MQTT_LEASE     (3 * NGX_AMT_MQTT_TICK)


static ngx_uint_t ngx_amt_mqtt_take(ngx_amt_mqtt_t *m,
    ngx_amt_event_record_t *recs, ngx_uint_t max);
static ngx_uint_t ngx_amt_mqtt_lease(ngx_amt_mqtt_t *m,
    ngx_amt_ring_t *ring, ngx_amt_ring_sink_t *sink);
static void ngx_amt_mqtt_commit(ngx_amt_mqtt_t *m,
    ngx_amt_ring_sink_t *sink);
static int ngx_amt_mqtt_event_send(ngx_amt_mqtt_t *m,
    const ngx_amt_event_record_t *rec);
static void ngx_amt_mqtt_timer(ngx_event_t *ev);
static void ngx_amt_mqtt_flush(ngx_event_t *ev);
static void ngx_amt_mqtt_drain(ngx_amt_mqtt_t *m);
static void ngx_amt_mqtt_left(ngx_amt_mqtt_t *m);


/* of this worker */
static ngx_amt_mqtt_t  *ngx_amt_mqtt;


ngx_int_t
ngx_amt_mqtt_init(ngx_http_amt_events_conf_t *conf, ngx_cycle_t *cycle)
{
    ngx_amt_mqtt_t  *m;

    if (mosquitto_lib_init() != MOSQ_ERR_SUCCESS) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "mosquitto_lib_init() failed");
        return NGX_ERROR;
    }

    m = ngx_pcalloc(cycle->pool, sizeof(ngx_amt_mqtt_t));
    if (m == NULL) {
        return NGX_ERROR;
    }

    m->conf = conf->mqtt;
    m->log = cycle->log;
    m->retry = NGX_AMT_MQTT_RETRY;

    if (!m->conf->literal && ngx_amt_event_name_usable(conf->clcf->resolver)) {
        m->resolver = conf->clcf->resolver;
    }

    m->dummy.fd = (ngx_socket_t) -1;

    m->timer.handler = ngx_amt_mqtt_timer;
    m->timer.data = &m->dummy;
    m->timer.log = cycle->log;
    m->timer.cancelable = 1;

    m->flush.handler = ngx_amt_mqtt_flush;
    m->flush.data = &m->dummy;
    m->flush.log = cycle->log;

    m->look.handler = ngx_amt_mqtt_flush;
    m->look.data = &m->dummy;
    m->look.log = cycle->log;
    m->look.cancelable = 1;

    /* two clients of one name would push each other out for ever */

    *ngx_snprintf((u_char *) m->id, sizeof(m->id) - 1, "amt-%P-%08xD",
                  ngx_pid, (uint32_t) (ngx_random() ^ (ngx_random() << 16)))
        = '\0';

    ngx_amt_mqtt = m;

    ngx_add_timer(&m->timer, 1);

    return NGX_OK;
}


void
ngx_amt_mqtt_exit(void)
{
    ngx_amt_mqtt_t  *m;

    m = ngx_amt_mqtt;

    if (m == NULL) {
        return;
    }

    ngx_amt_mqtt_drain(m);

    ngx_amt_mqtt_left(m);

    ngx_amt_event_name_cancel(&m->name);
    ngx_amt_mqtt_release(m);

    if (m->timer.timer_set) {
        ngx_del_timer(&m->timer);
    }

    if (m->look.timer_set) {
        ngx_del_timer(&m->look);
    }

    if (m->flush.posted) {
        ngx_delete_posted_event(&m->flush);
    }

    mosquitto_lib_cleanup();

    ngx_amt_mqtt = NULL;
}


/*
 * When too many wait the oldest give way; those that are on their way are
 * counted when their connection ends before they arrived.
 */

void
ngx_amt_mqtt_put(ngx_amt_ring_t *ring)
{
    uint64_t              first, start;
    ngx_amt_mqtt_t       *m;
    ngx_amt_ring_sink_t  *sink;

    m = ngx_amt_mqtt;

    if (m == NULL) {
        return;
    }

    sink = ngx_amt_ring_sink(ring, m->conf->key);

    if (sink == NULL) {
        return;
    }

    m->own = ring->head;

    if (ring->head - sink->tail <= m->conf->queue) {
        return;
    }

    first = ring->head - m->conf->queue;
    start = ngx_max(sink->tail, sink->end);

    if (first > start) {
        sink->dropped += first - start;
        m->dropped = sink->dropped;
    }

    sink->tail = first;
}


void
ngx_amt_mqtt_publish(void)
{
    ngx_amt_mqtt_t  *m;

    m = ngx_amt_mqtt;

    if (m == NULL) {
        return;
    }

    if (m->dropped && ngx_time() - m->warned >= NGX_AMT_MQTT_WARN) {
        m->warned = ngx_time();
        ngx_log_error(NGX_LOG_WARN, m->log, 0,
                      "amt_mqtt: queue is full, %uL events were dropped "
                      "so far", m->dropped);
        m->dropped = 0;
    }

    if (m->state == NGX_AMT_MQTT_ACTIVE && !m->flush.posted) {
        ngx_post_event(&m->flush, &ngx_posted_events);
    }
}


ngx_int_t
ngx_amt_mqtt_stats(ngx_amt_mqtt_stats_t *stats)
{
    ngx_amt_mqtt_t       *m;
    ngx_amt_ring_t       *ring;
    ngx_amt_ring_sink_t  *sink;

    m = ngx_amt_mqtt;

    if (m == NULL) {
        return NGX_DECLINED;
    }

    ngx_memzero(stats, sizeof(ngx_amt_mqtt_stats_t));

    stats->connected = (m->state == NGX_AMT_MQTT_ACTIVE);
    stats->connects = m->connects;

    ring = ngx_amt_event_lock();
    sink = ngx_amt_ring_sink(ring, m->conf->key);

    if (sink) {
        stats->queued = ring->head - ngx_amt_ring_first(ring, sink);
        stats->published = sink->delivered;
        stats->dropped = sink->dropped;
    }

    ngx_amt_event_unlock();

    return NGX_OK;
}


/* Gives libmosquitto what the socket takes, and not much more. */

int
ngx_amt_mqtt_send(ngx_amt_mqtt_t *m)
{
    int                     rc;
    ngx_uint_t              i, n;
    ngx_amt_event_record_t  recs[NGX_AMT_MQTT_BATCH];

    while (m->state == NGX_AMT_MQTT_ACTIVE) {

        n = NGX_AMT_MQTT_INFLIGHT - m->nsent - m->stale;

        if (mosquitto_want_write(m->mosq)) {
            n = 0;
        }

        n = ngx_amt_mqtt_take(m, recs, ngx_min(n, NGX_AMT_MQTT_BATCH));

        if (n == 0) {
            break;
        }

        for (i = 0; i < n; i++) {

            rc = ngx_amt_mqtt_event_send(m, &recs[i]);

            if (rc != MOSQ_ERR_SUCCESS) {
                return rc;
            }
        }
    }

    return MOSQ_ERR_SUCCESS;
}


/*
 * Tells how far this worker is, and takes up to max more events, which are on
 * their way then.
 */

static ngx_uint_t
ngx_amt_mqtt_take(ngx_amt_mqtt_t *m, ngx_amt_event_record_t *recs,
    ngx_uint_t max)
{
    ngx_uint_t            n;
    ngx_amt_ring_t       *ring;
    ngx_amt_ring_sink_t  *sink;

    n = 0;

    m->more = 0;
    m->busy = 0;

    ring = ngx_amt_event_lock();
    sink = ngx_amt_ring_sink(ring, m->conf->key);

    if (sink == NULL || !ngx_amt_mqtt_lease(m, ring, sink)) {
        goto done;
    }

    ngx_amt_mqtt_commit(m, sink);

    /* what was dropped meanwhile */

    m->next = ngx_max(m->next, ngx_amt_ring_first(ring, sink));

    for ( /* void */ ; n < max && m->next < ring->head; n++) {

        recs[n] = *ngx_amt_ring_record(ring, m->next);

        m->numbers[(m->first + m->nsent) % NGX_AMT_MQTT_INFLIGHT] = m->next++;
        m->nsent++;
    }

    m->more = (m->next < ring->head);

    if (m->nsent || m->more) {
        sink->end = m->next;
        sink->lease = ngx_current_msec + NGX_AMT_MQTT_LEASE;

    } else {
        sink->end = 0;
        sink->sender = 0;
    }

done:

    ngx_amt_event_unlock();

    if (m->busy && !m->look.timer_set) {
        ngx_add_timer(&m->look, NGX_AMT_MQTT_BUSY);
    }

    return n;
}


/* With the lock held: whether this worker sends. */

static ngx_uint_t
ngx_amt_mqtt_lease(ngx_amt_mqtt_t *m, ngx_amt_ring_t *ring,
    ngx_amt_ring_sink_t *sink)
{
    if (sink->sender == ngx_pid) {
        return 1;
    }

    /* it was another's meanwhile: what is on its way counts no more */

    m->stale += m->nsent;
    m->first = (m->first + m->nsent) % NGX_AMT_MQTT_INFLIGHT;
    m->nsent = 0;
    m->done = 0;
    m->acked = 0;

    if (sink->tail == ring->head) {
        return 0;
    }

    if (sink->sender
        && (ngx_msec_int_t) (sink->lease - ngx_current_msec) > 0
        && (kill(sink->sender, 0) == 0 || ngx_errno != NGX_ESRCH))
    {
        m->busy = (sink->tail < m->own);
        return 0;
    }

    sink->sender = ngx_pid;
    sink->end = 0;

    m->next = sink->tail;

    return 1;
}


/* With lock and lease held */

static void
ngx_amt_mqtt_commit(ngx_amt_mqtt_t *m, ngx_amt_ring_sink_t *sink)
{
    sink->delivered += m->acked;
    m->acked = 0;

    if (sink->tail < m->done) {
        sink->tail = m->done;
    }
}


static int
ngx_amt_mqtt_event_send(ngx_amt_mqtt_t *m, const ngx_amt_event_record_t *rec)
{
    int             rc;
    ngx_str_t       text;
    ngx_pool_t     *pool;
    ngx_amt_out_t   o;

    pool = ngx_create_pool(1024, m->log);

    if (pool == NULL) {
        return MOSQ_ERR_NOMEM;
    }

    ngx_amt_out_init(&o, pool, 512);
    ngx_amt_out_open(&o, '{');
    ngx_amt_event_write(&o, rec);
    ngx_amt_out_close(&o, '}');

    rc = MOSQ_ERR_NOMEM;

    if (ngx_amt_out_done(&o, &text) == NGX_OK) {

        /* it may be confirmed before the function returns */

        rc = mosquitto_publish(m->mosq, NULL, m->conf->topic, (int) text.len,
                               text.data, (int) m->conf->qos, false);
    }

    ngx_destroy_pool(pool);

    return rc;
}


void
ngx_amt_mqtt_sent(ngx_amt_mqtt_t *m)
{
    if (m->stale) {
        m->stale--;
        return;
    }

    if (m->nsent == 0) {
        return;
    }

    m->done = m->numbers[m->first] + 1;
    m->first = (m->first + 1) % NGX_AMT_MQTT_INFLIGHT;
    m->nsent--;
    m->acked++;
}


void
ngx_amt_mqtt_unsent(ngx_amt_mqtt_t *m)
{
    ngx_amt_ring_t       *ring;
    ngx_amt_ring_sink_t  *sink;

    ring = ngx_amt_event_lock();
    sink = ngx_amt_ring_sink(ring, m->conf->key);

    if (sink && sink->sender == ngx_pid) {

        ngx_amt_mqtt_commit(m, sink);

        for ( /* void */ ; m->nsent; m->nsent--) {

            /* it has given way, and cannot be sent again */

            if (m->numbers[m->first] < sink->tail) {
                sink->dropped++;
            }

            m->first = (m->first + 1) % NGX_AMT_MQTT_INFLIGHT;
        }

        sink->end = 0;
        sink->sender = 0;
    }

    ngx_amt_event_unlock();

    m->first = 0;
    m->nsent = 0;
    m->stale = 0;
    m->acked = 0;
    m->done = 0;
}


static void
ngx_amt_mqtt_timer(ngx_event_t *ev)
{
    ngx_amt_mqtt_t  *m;

    m = ngx_amt_mqtt;

    if (m == NULL) {
        return;
    }

    switch (m->state) {

    case NGX_AMT_MQTT_IDLE:
        ngx_amt_mqtt_start(m);
        break;

    case NGX_AMT_MQTT_RESOLVING:
        break;

    case NGX_AMT_MQTT_ACTIVE:
        ngx_add_timer(&m->timer, NGX_AMT_MQTT_TICK);
        ngx_amt_mqtt_after(m, mosquitto_loop_misc(m->mosq));
        break;

    default:
        ngx_amt_mqtt_failed(m, "timed out");
    }
}


static void
ngx_amt_mqtt_flush(ngx_event_t *ev)
{
    ngx_amt_mqtt_t  *m;

    m = ngx_amt_mqtt;

    if (m && m->state == NGX_AMT_MQTT_ACTIVE) {
        ngx_amt_mqtt_after(m, MOSQ_ERR_SUCCESS);
    }
}


/* A worker that exits has nothing else to do: it waits for a moment. */

static void
ngx_amt_mqtt_drain(ngx_amt_mqtt_t *m)
{
    int            rc;
    ngx_msec_t     end;
    struct pollfd  p;

    if (m->state != NGX_AMT_MQTT_ACTIVE) {
        return;
    }

    ngx_time_update();
    end = ngx_current_msec + NGX_AMT_MQTT_DRAIN;

    while (ngx_amt_mqtt_send(m) == MOSQ_ERR_SUCCESS
           && mosquitto_socket(m->mosq) != -1
           && (m->more || m->nsent || mosquitto_want_write(m->mosq)))
    {
        p.fd = mosquitto_socket(m->mosq);
        p.events = POLLIN | (mosquitto_want_write(m->mosq) ? POLLOUT : 0);
        p.revents = 0;

        ngx_time_update();

        if ((ngx_msec_int_t) (end - ngx_current_msec) <= 0
            || poll(&p, 1, (int) (end - ngx_current_msec)) <= 0)
        {
            break;
        }

        rc = MOSQ_ERR_SUCCESS;

        if (p.revents & POLLOUT) {
            rc = mosquitto_loop_write(m->mosq, NGX_AMT_MQTT_PACKETS);
        }

        if (rc == MOSQ_ERR_SUCCESS && (p.revents & ~POLLOUT)) {
            rc = mosquitto_loop_read(m->mosq, NGX_AMT_MQTT_PACKETS);
        }

        if (rc != MOSQ_ERR_SUCCESS) {
            break;
        }
    }

    (void) mosquitto_disconnect(m->mosq);
}


static void
ngx_amt_mqtt_left(ngx_amt_mqtt_t *m)
{
    uint64_t              n;
    ngx_amt_ring_t       *ring;
    ngx_amt_ring_sink_t  *sink;

    n = 0;

    ring = ngx_amt_event_lock();
    sink = ngx_amt_ring_sink(ring, m->conf->key);

    if (sink && sink->tail < m->own) {
        n = m->own - sink->tail;
    }

    ngx_amt_event_unlock();

    if (n) {
        ngx_log_error(NGX_LOG_WARN, m->log, 0,
                      "amt_mqtt: %uL events were not sent before the exit, "
                      "they are left to other workers", n);
    }
}
