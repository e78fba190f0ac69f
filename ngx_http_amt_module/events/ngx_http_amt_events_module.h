
/*
 * What the files of events/ share.
 */


#ifndef _NGX_HTTP_AMT_EVENTS_MODULE_H_INCLUDED_
#define _NGX_HTTP_AMT_EVENTS_MODULE_H_INCLUDED_


#include "events/ngx_amt_event.h"
#include "mps/ngx_amt_out.h"
#include <ngx_http.h>


/* An event as it is kept; its texts are UTF-8 and not zero terminated. */

typedef struct {
    int64_t                 time;        /* ms since 1970 */
    uint16_t                message_len;
    uint8_t                 type;        /* ngx_amt_event_e */
    uint8_t                 method_len;
    uint8_t                 guid_len;
    uint8_t                 tenant_len;
    u_char                  method[NGX_AMT_EVENT_METHOD_LEN];
    u_char                  guid[NGX_AMT_EVENT_GUID_LEN];
    u_char                  tenant[NGX_AMT_EVENT_TENANT_LEN];
    u_char                  message[NGX_AMT_EVENT_MESSAGE_LEN];
} ngx_amt_event_record_t;


#define NGX_AMT_WEBHOOKS  16


typedef struct ngx_amt_mqtt_conf_s  ngx_amt_mqtt_conf_t;
typedef struct ngx_amt_ring_s  ngx_amt_ring_t;

typedef struct {
    ngx_amt_mqtt_conf_t    *mqtt;        /* NULL: no amt_mqtt */
    ngx_array_t            *webhooks;    /* of ngx_amt_webhook_t */
    size_t                  zone_size;
    ngx_shm_zone_t         *zone;        /* of the ring; NULL: no output */
    ngx_http_core_loc_conf_t  *clcf;     /* of http{}, for its resolver */
} ngx_http_amt_events_conf_t;


extern ngx_module_t  ngx_http_amt_events_module;


/* Who gets events from now on in this worker; NULL: nobody. */
void ngx_amt_event_outputs(ngx_http_amt_events_conf_t *conf);

/* An event as it is kept. */
void ngx_amt_event_keep(ngx_amt_event_record_t *rec,
    const ngx_amt_event_t *event);

/* The members of the contract's JSON object, without its braces. */
void ngx_amt_event_write(ngx_amt_out_t *o, const ngx_amt_event_record_t *rec);


/* The ring with all events, locked; worker processes only. */
ngx_amt_ring_t *ngx_amt_event_lock(void);
void ngx_amt_event_unlock(void);


/* ---- the two outputs; nothing happens where they are not configured ---- */

/* One bit for each webhook that wants the event */
ngx_uint_t ngx_amt_webhook_wanted(const ngx_amt_event_record_t *rec);

/* With the lock held: the last event of the ring is a new one. */
void ngx_amt_webhook_put(ngx_amt_ring_t *ring, ngx_uint_t wanted);
void ngx_amt_mqtt_put(ngx_amt_ring_t *ring);

/* Afterwards: it is sent soon. */
void ngx_amt_webhook_start(ngx_uint_t wanted);
void ngx_amt_mqtt_publish(void);


#endif /* _NGX_HTTP_AMT_EVENTS_MODULE_H_INCLUDED_ */
