
/*
 * amt_mqtt: a worker's queue of events, its timers, its start and end.  The
 * connection is in ngx_amt_mqtt_client.c.  Contract mps.md section 6.1.
 *
 * The queue is the only truth: an event leaves it when it was written (QoS 0)
 * or acknowledged (QoS 1).
 */


#include "events/ngx_amt_mqtt_client.h"
#include <ngx_event.h>
#include <openssl/err.h>
#include <poll.h>


#define NGX_AMT_MQTT_INFLIGHT  20        /* given to libmosquitto */
#define NGX_AMT_MQTT_DRAIN     500       /* ms, in an exiting worker */
#define NGX_AMT_MQTT_WARN      10        /* s, between warnings */


static void ngx_amt_mqtt_timer(ngx_event_t *ev);
static void ngx_amt_mqtt_flush(ngx_event_t *ev);
static void ngx_amt_mqtt_drain(ngx_amt_mqtt_t *m);
static void ngx_amt_mqtt_drop(ngx_amt_mqtt_t *m);


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

    ngx_queue_init(&m->waiting);
    ngx_queue_init(&m->sent);

    m->dummy.fd = (ngx_socket_t) -1;

    m->timer.handler = ngx_amt_mqtt_timer;
    m->timer.data = &m->dummy;
    m->timer.log = cycle->log;
    m->timer.cancelable = 1;

    m->flush.handler = ngx_amt_mqtt_flush;
    m->flush.data = &m->dummy;
    m->flush.log = cycle->log;

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

    if (m->nwaiting + m->nsent) {
        ngx_log_error(NGX_LOG_WARN, m->log, 0,
                      "amt_mqtt: %ui events were not sent before the exit",
                      m->nwaiting + m->nsent);
    }

    ngx_amt_event_name_cancel(&m->name);
    ngx_amt_mqtt_release(m);

    while (!ngx_queue_empty(&m->waiting)) {
        ngx_amt_mqtt_drop(m);
    }

    if (m->timer.timer_set) {
        ngx_del_timer(&m->timer);
    }

    if (m->flush.posted) {
        ngx_delete_posted_event(&m->flush);
    }

    mosquitto_lib_cleanup();

    ngx_amt_mqtt = NULL;
}


void
ngx_amt_mqtt_publish(const ngx_amt_event_record_t *rec)
{
    ngx_str_t             text;
    ngx_pool_t           *pool;
    ngx_amt_out_t         o;
    ngx_amt_mqtt_t       *m;
    ngx_amt_mqtt_item_t  *item;

    m = ngx_amt_mqtt;

    if (m == NULL) {
        return;
    }

    item = NULL;

    pool = ngx_create_pool(1024, m->log);
    if (pool == NULL) {
        m->dropped++;
        return;
    }

    ngx_amt_out_init(&o, pool, 512);
    ngx_amt_out_open(&o, '{');
    ngx_amt_event_write(&o, rec);
    ngx_amt_out_close(&o, '}');

    if (ngx_amt_out_done(&o, &text) == NGX_OK) {
        item = ngx_alloc(sizeof(ngx_amt_mqtt_item_t) + text.len, m->log);
    }

    if (item == NULL) {
        ngx_destroy_pool(pool);
        m->dropped++;
        return;
    }

    item->len = text.len;
    ngx_memcpy(item->data, text.data, text.len);

    ngx_destroy_pool(pool);

    if (m->nwaiting + m->nsent >= m->conf->queue) {
        ngx_amt_mqtt_drop(m);
        m->dropped++;

        if (ngx_time() - m->warned >= NGX_AMT_MQTT_WARN) {
            m->warned = ngx_time();
            ngx_log_error(NGX_LOG_WARN, m->log, 0,
                          "amt_mqtt: queue is full, %uL events were dropped "
                          "so far", m->dropped);
        }
    }

    ngx_queue_insert_tail(&m->waiting, &item->queue);
    m->nwaiting++;

    if (m->state == NGX_AMT_MQTT_ACTIVE && !m->flush.posted) {
        ngx_post_event(&m->flush, &ngx_posted_events);
    }
}


ngx_int_t
ngx_amt_mqtt_stats(ngx_amt_mqtt_stats_t *stats)
{
    ngx_amt_mqtt_t  *m;

    m = ngx_amt_mqtt;

    if (m == NULL) {
        return NGX_DECLINED;
    }

    stats->connected = (m->state == NGX_AMT_MQTT_ACTIVE);
    stats->queued = m->nwaiting + m->nsent;
    stats->published = m->published;
    stats->dropped = m->dropped;
    stats->connects = m->connects;

    return NGX_OK;
}


/* The oldest event that is not on its way yet */

static void
ngx_amt_mqtt_drop(ngx_amt_mqtt_t *m)
{
    ngx_queue_t          *q;
    ngx_amt_mqtt_item_t  *item;

    if (ngx_queue_empty(&m->waiting)) {
        return;
    }

    q = ngx_queue_head(&m->waiting);
    item = ngx_queue_data(q, ngx_amt_mqtt_item_t, queue);

    ngx_queue_remove(q);
    m->nwaiting--;

    ngx_free(item);
}


/* Gives libmosquitto what the socket takes, not more. */

int
ngx_amt_mqtt_send(ngx_amt_mqtt_t *m)
{
    int                   rc;
    ngx_queue_t          *q;
    ngx_amt_mqtt_item_t  *item;

    while (m->state == NGX_AMT_MQTT_ACTIVE
           && m->nsent < NGX_AMT_MQTT_INFLIGHT
           && !ngx_queue_empty(&m->waiting)
           && !mosquitto_want_write(m->mosq))
    {
        q = ngx_queue_head(&m->waiting);
        item = ngx_queue_data(q, ngx_amt_mqtt_item_t, queue);

        /* it may be confirmed before the function returns */

        ngx_queue_remove(q);
        m->nwaiting--;
        ngx_queue_insert_tail(&m->sent, q);
        m->nsent++;

        rc = mosquitto_publish(m->mosq, NULL, m->conf->topic, (int) item->len,
                               item->data, (int) m->conf->qos, false);

        if (rc != MOSQ_ERR_SUCCESS) {
            return rc;
        }
    }

    return MOSQ_ERR_SUCCESS;
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
           && (m->nwaiting || m->nsent || mosquitto_want_write(m->mosq)))
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
