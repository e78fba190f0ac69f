
/*
 * Publishing: an event becomes a record of fixed size, which goes to the
 * outputs that are configured.
 */


#include "events/ngx_amt_ring.h"
#include "ngx_cira_lock.h"
#include "ngx_cira_utf8.h"


static size_t ngx_amt_event_copy(u_char *dst, size_t size,
    const ngx_str_t *src);


static const char  *ngx_amt_event_types[] = { "request", "success", "fail" };


/* of this worker; NULL: nobody listens */
static ngx_http_amt_events_conf_t  *ngx_amt_events;

/* stays when nothing is told any longer */
static ngx_shm_zone_t              *ngx_amt_event_zone;


void
ngx_amt_event_outputs(ngx_http_amt_events_conf_t *conf)
{
    ngx_amt_events = conf;

    if (conf) {
        ngx_amt_event_zone = conf->zone;
    }
}


ngx_amt_ring_t *
ngx_amt_event_lock(void)
{
    ngx_cira_lock((ngx_slab_pool_t *) ngx_amt_event_zone->shm.addr,
                  "amt_events zone");

    return ngx_amt_event_zone->data;
}


void
ngx_amt_event_unlock(void)
{
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) ngx_amt_event_zone->shm.addr;

    ngx_shmtx_unlock(&shpool->mutex);
}


ngx_uint_t
ngx_amt_event_wanted(void)
{
    return ngx_amt_events != NULL;
}


void
ngx_amt_event_publish(const ngx_amt_event_t *event)
{
    uint64_t                *last;
    ngx_uint_t               wanted;
    ngx_amt_ring_t          *ring;
    ngx_amt_event_record_t   rec;

    if (ngx_amt_events == NULL) {
        return;
    }

    ngx_amt_event_keep(&rec, event);

    wanted = ngx_amt_webhook_wanted(&rec);

    if (!wanted && ngx_amt_events->mqtt == NULL) {
        return;
    }

    last = NULL;

    ring = ngx_amt_event_lock();

    if (event->source) {
        last = ngx_amt_ring_source(ring, event->source);

        if (event->seq <= *last) {
            ngx_amt_event_unlock();
            return;
        }
    }

    ngx_amt_ring_put(ring, &rec);

    if (last) {
        *last = event->seq;
    }

    ngx_amt_webhook_put(ring, wanted);
    ngx_amt_mqtt_put(ring);

    ngx_amt_event_unlock();

    ngx_amt_webhook_start(wanted);
    ngx_amt_mqtt_publish();
}


void
ngx_amt_event(ngx_amt_event_e type, const char *method, const char *message,
    const ngx_str_t *guid, const ngx_str_t *tenant)
{
    ngx_amt_event_t  event;

    if (ngx_amt_events == NULL) {
        return;
    }

    ngx_memzero(&event, sizeof(ngx_amt_event_t));

    event.type = type;

    event.method.data = (u_char *) method;
    event.method.len = ngx_strlen(method);

    event.message.data = (u_char *) message;
    event.message.len = ngx_strlen(message);

    if (guid) {
        event.guid = *guid;
    }

    if (tenant) {
        event.tenant = *tenant;
    }

    ngx_amt_event_publish(&event);
}


void
ngx_amt_event_keep(ngx_amt_event_record_t *rec,
    const ngx_amt_event_t *event)
{
    ngx_time_t  *tp;

    rec->type = (uint8_t) event->type;
    rec->time = event->time;

    if (rec->time == 0) {
        tp = ngx_timeofday();
        rec->time = (int64_t) tp->sec * 1000 + tp->msec;
    }

    rec->method_len = (uint8_t) ngx_amt_event_copy(rec->method,
                                                   sizeof(rec->method),
                                                   &event->method);
    rec->guid_len = (uint8_t) ngx_amt_event_copy(rec->guid, sizeof(rec->guid),
                                                 &event->guid);
    rec->tenant_len = (uint8_t) ngx_amt_event_copy(rec->tenant,
                                                   sizeof(rec->tenant),
                                                   &event->tenant);
    rec->message_len = (uint16_t) ngx_amt_event_copy(rec->message,
                                                     sizeof(rec->message),
                                                     &event->message);
}


/* Cuts between characters; bytes that are no UTF-8 become "?" */

static size_t
ngx_amt_event_copy(u_char *dst, size_t size, const ngx_str_t *src)
{
    size_t  i, len, n;

    for (i = 0, len = 0; i < src->len; i += n) {

        n = ngx_cira_utf8_char(src->data + i, src->len - i);

        if (n == 0) {

            if (len == size) {
                break;
            }

            dst[len++] = '?';
            n = 1;
            continue;
        }

        if (n > size - len) {
            break;
        }

        ngx_memcpy(dst + len, src->data + i, n);
        len += n;
    }

    return len;
}


void
ngx_amt_event_write(ngx_amt_out_t *o, const ngx_amt_event_record_t *rec)
{
    ngx_str_t  s;

    ngx_amt_out_key(o, "type");
    ngx_amt_out_cstring(o, ngx_amt_event_types[rec->type]);

    ngx_amt_out_key(o, "message");
    s.data = (u_char *) rec->message;
    s.len = rec->message_len;
    ngx_amt_out_string(o, &s);

    ngx_amt_out_key(o, "methods");
    ngx_amt_out_open(o, '[');
    s.data = (u_char *) rec->method;
    s.len = rec->method_len;
    ngx_amt_out_string(o, &s);
    ngx_amt_out_close(o, ']');

    if (rec->guid_len) {
        ngx_amt_out_key(o, "guid");
        s.data = (u_char *) rec->guid;
        s.len = rec->guid_len;
        ngx_amt_out_string(o, &s);
    }

    ngx_amt_out_key(o, "timestamp");
    ngx_amt_out_int(o, rec->time);
}
