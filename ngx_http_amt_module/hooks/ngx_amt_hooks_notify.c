
/*
 * /_cira/notify: a batch of the device plane's events, into the store in one
 * transaction (contract mps.md section 3.5).  A batch may come again: the
 * store's rules make the second time change nothing, and its numbers tell
 * what was published already.
 */


#include "hooks/ngx_http_amt_hooks_module.h"
#include "events/ngx_amt_event.h"


#define NGX_AMT_HOOKS_TEXT  512          /* of a reason, in the log */


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_hooks_call_t   *call;
    ngx_str_t              *instance;
    ngx_amt_hooks_batch_t   batch;
    ngx_amt_store_event_t  *events;
    ngx_uint_t              n;
} ngx_amt_hooks_notify_t;


static ngx_int_t ngx_amt_hooks_notify_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_hooks_notify_drop(void *data);
static ngx_int_t ngx_amt_hooks_notify_events(ngx_amt_hooks_notify_t *v);
static void ngx_amt_hooks_notify_log(ngx_amt_hooks_notify_t *v,
    ngx_log_t *log);
static void ngx_amt_hooks_notify_publish(ngx_amt_hooks_notify_t *v);
static void ngx_amt_hooks_notify_failed(ngx_amt_hooks_notify_t *v);


typedef struct {
    ngx_amt_event_e         type;
    ngx_str_t               method;
    ngx_str_t               message;
} ngx_amt_hooks_told_t;


/* by ngx_amt_hooks_event_e; all but the first are not in the original */

static const ngx_amt_hooks_told_t  ngx_amt_hooks_told[] = {

    { NGX_AMT_EVENT_SUCCESS, ngx_string("CIRA_Connected"),
      ngx_string("CIRA Connection Established") },

    { NGX_AMT_EVENT_SUCCESS, ngx_string("CIRA_Disconnected"),
      ngx_string("CIRA Connection Closed") },

    { NGX_AMT_EVENT_SUCCESS, ngx_null_string, ngx_null_string },

    { NGX_AMT_EVENT_SUCCESS, ngx_string("CIRA_Alert"),
      ngx_string("CIRA Alert") },

    { NGX_AMT_EVENT_FAIL, ngx_string("CIRA_Quarantine"),
      ngx_string("CIRA Device Quarantined") },

    { NGX_AMT_EVENT_SUCCESS, ngx_null_string, ngx_null_string }
};


void *
ngx_amt_hooks_notify_frame(ngx_amt_flow_t *f, ngx_amt_hooks_call_t *call,
    ngx_amt_hooks_batch_t *batch)
{
    ngx_amt_hooks_notify_t  *v;

    v = ngx_amt_frame_alloc(f, "cira_notify", sizeof(ngx_amt_hooks_notify_t),
                            ngx_amt_hooks_notify_body,
                            ngx_amt_hooks_notify_drop);
    if (v == NULL) {
        ngx_amt_hooks_batch_free(batch);
        return NULL;
    }

    v->call = call;
    v->instance = ngx_amt_store_instance();
    v->batch = *batch;
    ngx_memzero(batch, sizeof(ngx_amt_hooks_batch_t));

    return v;
}


static ngx_int_t
ngx_amt_hooks_notify_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_hooks_notify_t  *v = data;

    ngx_amt_begin(f, v);

    if (ngx_amt_hooks_notify_events(v) != NGX_OK) {
        v->frame.rc = ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                         "no memory");
        goto fail;
    }

    if (v->n) {
        ngx_amt_await(f, v, ngx_amt_store_events(f, v->instance, v->events,
                                                 v->n));
    }

    ngx_amt_hooks_notify_log(v, f->log);
    ngx_amt_hooks_notify_publish(v);

    v->call->status = NGX_HTTP_NO_CONTENT;

    ngx_amt_end(f, v);

fail:

    ngx_log_error(NGX_LOG_ERR, f->log, 0,
                  "%ui CIRA events were not stored, they will come again: %V",
                  v->batch.n, &f->err.text);

    ngx_amt_hooks_notify_failed(v);

    v->call->status = NGX_HTTP_SERVICE_UNAVAILABLE;

    return v->frame.rc;
}


static void
ngx_amt_hooks_notify_drop(void *data)
{
    ngx_amt_hooks_notify_t *v = data;

    ngx_amt_hooks_batch_free(&v->batch);

    if (v->events) {
        ngx_free(v->events);
    }
}


static ngx_int_t
ngx_amt_hooks_notify_events(ngx_amt_hooks_notify_t *v)
{
    ngx_uint_t              i;
    ngx_amt_hooks_event_t  *e;
    ngx_amt_store_event_t  *s;

    v->events = ngx_calloc((v->batch.n + 1) * sizeof(ngx_amt_store_event_t),
                           ngx_cycle->log);
    if (v->events == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < v->batch.n; i++) {

        e = &v->batch.events[i];
        s = &v->events[v->n];

        switch (e->type) {

        case NGX_AMT_HOOKS_CONNECTED:
            s->type = NGX_AMT_STORE_CONNECTED;
            break;

        case NGX_AMT_HOOKS_DISCONNECTED:
            s->type = NGX_AMT_STORE_DISCONNECTED;
            break;

        case NGX_AMT_HOOKS_SEEN:
            s->type = NGX_AMT_STORE_SEEN;
            break;

        default:
            continue;
        }

        s->guid.data = e->guid;
        s->guid.len = NGX_CIRA_GUID_TEXT;
        s->generation = e->generation;
        s->time = e->time;

        v->n++;
    }

    return NGX_OK;
}


/* After the store has the batch, so that one that comes again is not logged
   over and over */

static void
ngx_amt_hooks_notify_log(ngx_amt_hooks_notify_t *v, ngx_log_t *log)
{
    u_char                 *address, *reason;
    u_char                  addr_buf[NGX_CIRA_ADDR_LEN];
    u_char                  text_buf[NGX_AMT_HOOKS_TEXT];
    ngx_uint_t              i;
    ngx_amt_hooks_event_t  *e;

    for (i = 0; i < v->batch.n; i++) {

        e = &v->batch.events[i];

        if (e->type == NGX_AMT_HOOKS_UNKNOWN) {
            ngx_log_error(NGX_LOG_WARN, log, 0,
                          "CIRA event %uL is of an unknown type, ignored",
                          e->seq);
            continue;
        }

        if (e->type != NGX_AMT_HOOKS_ALERT
            && e->type != NGX_AMT_HOOKS_QUARANTINE)
        {
            continue;
        }

        address = ngx_amt_hooks_printable(addr_buf, sizeof(addr_buf),
                                          &e->address);
        reason = ngx_amt_hooks_printable(text_buf, sizeof(text_buf),
                                         &e->reason);

        ngx_log_error(NGX_LOG_WARN, log, 0, "device %*s at %*s: %s: %*s",
                      (size_t) NGX_CIRA_GUID_TEXT, e->guid,
                      (size_t) (address - addr_buf), addr_buf,
                      e->type == NGX_AMT_HOOKS_ALERT ? "alert" : "quarantine",
                      (size_t) (reason - text_buf), text_buf);
    }
}


static void
ngx_amt_hooks_notify_publish(ngx_amt_hooks_notify_t *v)
{
    u_char                      *p, text[2 * NGX_AMT_EVENT_MESSAGE_LEN];
    ngx_uint_t                   i;
    ngx_amt_event_t              event;
    ngx_amt_hooks_event_t       *e;
    const ngx_amt_hooks_told_t  *t;

    if (!ngx_amt_event_wanted()) {
        return;
    }

    for (i = 0; i < v->batch.n; i++) {

        e = &v->batch.events[i];
        t = &ngx_amt_hooks_told[e->type];

        if (t->method.len == 0) {
            continue;
        }

        event.type = t->type;
        event.method = t->method;
        event.message = t->message;
        event.guid.data = e->guid;
        event.guid.len = NGX_CIRA_GUID_TEXT;
        event.tenant = e->tenant;
        event.time = e->time;
        event.source = v->batch.source;
        event.seq = e->seq;

        if (e->reason.len && e->type != NGX_AMT_HOOKS_CONNECTED) {
            p = ngx_slprintf(text, text + sizeof(text), "%V: %V",
                             &t->message, &e->reason);

            event.message.data = text;
            event.message.len = p - text;
        }

        ngx_amt_event_publish(&event);
    }
}


/* The batch comes again until it is stored; its failure is told once. */

static void
ngx_amt_hooks_notify_failed(ngx_amt_hooks_notify_t *v)
{
    uint64_t                last;
    ngx_str_t               guid;
    ngx_uint_t              i;
    ngx_amt_hooks_event_t  *e;

    static uint64_t         told;

    last = 0;

    for (i = 0; i < v->batch.n; i++) {

        e = &v->batch.events[i];

        if (e->seq > last) {
            last = e->seq;
        }

        if (e->type != NGX_AMT_HOOKS_CONNECTED || e->seq <= told) {
            continue;
        }

        guid.data = e->guid;
        guid.len = NGX_CIRA_GUID_TEXT;

        ngx_amt_event(NGX_AMT_EVENT_FAIL, "CIRA_Connected",
                      "CIRA Connection Failed", &guid, &e->tenant);
    }

    told = last;
}
