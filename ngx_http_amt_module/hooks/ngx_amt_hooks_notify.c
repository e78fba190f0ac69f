
/*
 * /_cira/notify: a batch of the device plane's events, into the store in one
 * transaction (contract mps.md section 3.5).  A batch may come again: the
 * store's rules make the second time change nothing.
 */


#include "hooks/ngx_http_amt_hooks_module.h"


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

    v->call->status = NGX_HTTP_NO_CONTENT;

    ngx_amt_end(f, v);

fail:

    ngx_log_error(NGX_LOG_ERR, f->log, 0,
                  "%ui CIRA events were not stored, they will come again: %V",
                  v->batch.n, &f->err.text);

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
