
/*
 * Running a bulk call: which device is next, how many at a time and how
 * fast, what each became; see ngx_amt_bulk.h.
 */


#include "mps/ngx_amt_bulk.h"
#include "mps/ngx_amt_mps_events.h"
#include "mps/ngx_amt_mps_call.h"
#include "mps/ngx_amt_reply.h"
#include "mps/ngx_amt_route.h"
#include "device/ngx_amt_device.h"


#define NGX_AMT_BULK_STEP    256         /* devices looked at in one turn */
#define NGX_AMT_BULK_UNSENT  65536       /* bytes; more stop new devices */
#define NGX_AMT_BULK_BURST   100         /* ms of the rate */


/* One device that is being changed; from the heap. */

typedef struct {
    ngx_amt_bulk_t        *bulk;
    ngx_amt_flow_t        *flow;
    ngx_queue_t            queue;
    ngx_cira_info_t        info;
    ngx_amt_result_t       result;
    json_t                *input;
    ngx_msec_t             start;
    u_char                 guid[NGX_CIRA_GUID_TEXT];
    unsigned               orphan:1;     /* the client is gone */
} ngx_amt_bulk_item_t;


typedef struct {
    ngx_amt_frame_t        frame;
    ngx_amt_bulk_item_t   *item;
} ngx_amt_bulk_frame_t;


/* All bulk calls of the worker, how many devices they have at work. */

static ngx_queue_t  ngx_amt_bulk_queue;
static ngx_uint_t   ngx_amt_bulk_calls;
static ngx_uint_t   ngx_amt_bulk_running;

/* Starts that the rate allows by now, in thousandths. */

static ngx_uint_t   ngx_amt_bulk_tokens;
static ngx_msec_t   ngx_amt_bulk_clock;


static void ngx_amt_bulk_cancel(void *data);
static void ngx_amt_bulk_leave(ngx_amt_bulk_t *bulk);
static void ngx_amt_bulk_wake_all(void);
static void ngx_amt_bulk_step(ngx_event_t *ev);
static void ngx_amt_bulk_pace(ngx_event_t *ev);
static ngx_uint_t ngx_amt_bulk_may_start(ngx_amt_bulk_t *bulk);
static ngx_uint_t ngx_amt_bulk_rate(ngx_amt_bulk_t *bulk);
static ngx_int_t ngx_amt_bulk_start(ngx_amt_bulk_t *bulk);
static ngx_int_t ngx_amt_bulk_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_bulk_done(ngx_amt_flow_t *f, ngx_int_t rc, void *data);


ngx_int_t
ngx_amt_bulk_run(ngx_amt_flow_t *f, ngx_amt_bulk_t *bulk)
{
    if (ngx_amt_bulk_open(bulk) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "answer cannot be sent");
    }

    if (ngx_amt_bulk_queue.next == NULL) {
        ngx_queue_init(&ngx_amt_bulk_queue);
    }

    ngx_queue_init(&bulk->items);
    ngx_queue_insert_tail(&ngx_amt_bulk_queue, &bulk->queue);
    ngx_amt_bulk_calls++;
    bulk->active = 1;

    bulk->start = ngx_current_msec;
    bulk->deadline = ngx_current_msec + bulk->api->conf->bulk_timeout;

    bulk->event.handler = ngx_amt_bulk_step;
    bulk->event.data = bulk;
    bulk->event.log = &bulk->api->log;

    bulk->timer.handler = ngx_amt_bulk_pace;
    bulk->timer.data = bulk;
    bulk->timer.log = &bulk->api->log;

    bulk->flow = f;
    bulk->seq = ngx_amt_flow_wait(f, "bulk", ngx_amt_bulk_cancel, bulk);

    ngx_amt_bulk_wake(bulk);

    return NGX_AGAIN;
}


/*
 * The client is gone: nothing new is started, what is not yet at the point
 * of no return ends now, the rest ends by itself.
 */

static void
ngx_amt_bulk_cancel(void *data)
{
    ngx_amt_bulk_t *bulk = data;

    ngx_uint_t            left;
    ngx_queue_t          *q, *next;
    ngx_amt_bulk_item_t  *item;

    bulk->flow = NULL;

    for (q = ngx_queue_head(&bulk->items);
         q != ngx_queue_sentinel(&bulk->items);
         q = next)
    {
        next = ngx_queue_next(q);
        item = ngx_queue_data(q, ngx_amt_bulk_item_t, queue);

        item->orphan = 1;
        ngx_amt_flow_cancel(item->flow);
    }

    left = bulk->list.n - bulk->next;

    ngx_log_error(NGX_LOG_INFO, &bulk->api->log, 0,
                  "bulk call was cancelled: %ui devices done, %ui being "
                  "finished, %ui not touched", bulk->good + bulk->bad,
                  bulk->running, left);

    ngx_amt_bulk_leave(bulk);
}


static void
ngx_amt_bulk_leave(ngx_amt_bulk_t *bulk)
{
    if (!bulk->active) {
        return;
    }

    bulk->active = 0;

    ngx_queue_remove(&bulk->queue);
    ngx_amt_bulk_calls--;

    if (bulk->event.posted) {
        ngx_delete_posted_event(&bulk->event);
    }

    if (bulk->timer.timer_set) {
        ngx_del_timer(&bulk->timer);
    }

    /* the others' share has grown */

    ngx_amt_bulk_wake_all();
}


void
ngx_amt_bulk_wake(ngx_amt_bulk_t *bulk)
{
    if (bulk->active && !bulk->ended) {
        ngx_post_event(&bulk->event, &ngx_posted_events);
    }
}


static void
ngx_amt_bulk_wake_all(void)
{
    ngx_queue_t  *q;

    for (q = ngx_queue_head(&ngx_amt_bulk_queue);
         q != ngx_queue_sentinel(&ngx_amt_bulk_queue);
         q = ngx_queue_next(q))
    {
        ngx_amt_bulk_wake(ngx_queue_data(q, ngx_amt_bulk_t, queue));
    }
}


static void
ngx_amt_bulk_pace(ngx_event_t *ev)
{
    ngx_amt_bulk_wake(ev->data);
}


static void
ngx_amt_bulk_step(ngx_event_t *ev)
{
    ngx_amt_bulk_t *bulk = ev->data;

    ngx_int_t            rc;
    ngx_uint_t           n;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    /* the request's end would have removed this event */

    r = bulk->api->request;
    c = r->connection;

    if (bulk->next < bulk->list.n
        && (ngx_msec_int_t) (ngx_current_msec - bulk->deadline) >= 0)
    {
        bulk->skipped = bulk->list.n - bulk->next;
        bulk->list.n = bulk->next;
    }

    rc = bulk->broken ? NGX_ERROR : NGX_OK;

    for (n = 0; rc == NGX_OK && ngx_amt_bulk_may_start(bulk); n++) {

        if (n == NGX_AMT_BULK_STEP) {
            ngx_post_event(ev, &ngx_posted_next_events);
            break;
        }

        rc = ngx_amt_bulk_start(bulk);
    }

    if (rc == NGX_OK && bulk->next == bulk->list.n && bulk->running == 0) {
        bulk->ended = 1;
        rc = ngx_amt_bulk_summary(bulk);
    }

    if (rc == NGX_OK) {
        rc = ngx_amt_bulk_flush(bulk);
    }

    if (rc == NGX_ERROR) {

        /* frees this call, if no device is at work */

        ngx_http_finalize_request(r, NGX_ERROR);

    } else if (bulk->ended) {
        ngx_amt_bulk_leave(bulk);
        ngx_amt_flow_wake(bulk->flow, bulk->seq, NGX_OK);
    }

    ngx_http_run_posted_requests(c);
}


static ngx_uint_t
ngx_amt_bulk_may_start(ngx_amt_bulk_t *bulk)
{
    ngx_uint_t  limit, share;

    if (bulk->next == bulk->list.n || bulk->unsent >= NGX_AMT_BULK_UNSENT) {
        return 0;
    }

    limit = bulk->api->conf->bulk_parallel;
    share = ngx_max(limit / ngx_amt_bulk_calls, 1);

    if (bulk->running >= share || ngx_amt_bulk_running >= limit) {

        /* a device that is done wakes all calls */

        return 0;
    }

    return ngx_amt_bulk_rate(bulk);
}


/* Tokens of all calls of the worker; a call that gets none waits for one. */

static ngx_uint_t
ngx_amt_bulk_rate(ngx_amt_bulk_t *bulk)
{
    ngx_uint_t  rate, max;
    ngx_msec_t  ms;

    rate = bulk->api->conf->bulk_rate;

    if (rate == 0) {
        return 1;
    }

    max = ngx_max(rate * NGX_AMT_BULK_BURST, 1000);

    ms = ngx_current_msec - ngx_amt_bulk_clock;
    ngx_amt_bulk_clock = ngx_current_msec;

    if (ms > max / rate) {
        ngx_amt_bulk_tokens = max;

    } else {
        ngx_amt_bulk_tokens += ms * rate;
        ngx_amt_bulk_tokens = ngx_min(ngx_amt_bulk_tokens, max);
    }

    if (ngx_amt_bulk_tokens >= 1000) {
        ngx_amt_bulk_tokens -= 1000;
        return 1;
    }

    if (!bulk->timer.timer_set) {
        ngx_add_timer(&bulk->timer,
                      (1000 - ngx_amt_bulk_tokens + rate - 1) / rate);
    }

    return 0;
}


/* The next device of the list. */

static ngx_int_t
ngx_amt_bulk_start(ngx_amt_bulk_t *bulk)
{
    ngx_int_t              rc;
    ngx_str_t              guid;
    ngx_amt_api_t         *api;
    ngx_amt_bulk_item_t   *item;
    ngx_amt_bulk_frame_t  *v;

    static const char  gone[] = "Device is not connected";
    static const char  audit[] = "Audit log cannot be written";

    api = bulk->api;

    item = ngx_calloc(sizeof(ngx_amt_bulk_item_t), &api->log);
    if (item == NULL) {
        return NGX_ERROR;
    }

    ngx_cira_guid_text(item->guid,
                       bulk->list.guids + bulk->next * NGX_CIRA_GUID_LEN);
    bulk->next++;

    guid.data = item->guid;
    guid.len = NGX_CIRA_GUID_TEXT;

    rc = ngx_amt_device_lookup(&guid, &item->info);

    /* of another tenant's device a caller does not even learn that it is */

    if (rc != NGX_OK || item->info.tenant_len != api->tenant.len
        || ngx_memcmp(item->info.tenant, api->tenant.data, api->tenant.len)
           != 0)
    {
        if (rc == NGX_DECLINED) {
            ngx_amt_mps_event_bulk(api, item->guid, NULL, NULL);
        }

        rc = ngx_amt_bulk_refused(bulk, item->guid, 404, gone,
                                  sizeof(gone) - 1);
        ngx_free(item);
        return rc;
    }

    /* the line goes out before the effect, or there is no effect */

    if (ngx_amt_audit(api->request, &api->id, api->route->action, &guid,
                      &bulk->detail)
        != NGX_OK)
    {
        rc = ngx_amt_bulk_refused(bulk, item->guid, 503, audit,
                                  sizeof(audit) - 1);
        ngx_free(item);
        return rc;
    }

    item->bulk = bulk;
    item->input = json_incref(bulk->input);
    item->result.guid = guid;
    item->start = ngx_current_msec;

    item->flow = ngx_amt_flow_create("bulk_device", &api->log,
                                     api->conf->budget, ngx_amt_bulk_done,
                                     item);
    if (item->flow == NULL) {
        json_decref(item->input);
        ngx_free(item);
        return NGX_ERROR;
    }

    ngx_amt_mps_hold(api);
    ngx_queue_insert_tail(&bulk->items, &item->queue);
    bulk->running++;
    ngx_amt_bulk_running++;

    v = ngx_amt_frame_alloc(item->flow, "device",
                            sizeof(ngx_amt_bulk_frame_t), ngx_amt_bulk_body,
                            NULL);
    if (v) {
        v->item = item;
    }

    /* a NULL frame fails the flow; done may be called right here */

    ngx_amt_flow_start(item->flow, v);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_bulk_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_bulk_frame_t *v = data;

    ngx_amt_begin(f, v);

    ngx_amt_await(f, v, ngx_amt_op_run(f, &v->item->info, v->item->bulk->op,
                                       v->item->input, &v->item->result));

    ngx_amt_end(f, v);

fail:

    return v->frame.rc;
}


static void
ngx_amt_bulk_done(ngx_amt_flow_t *f, ngx_int_t rc, void *data)
{
    ngx_amt_bulk_item_t *item = data;

    ngx_amt_api_t   *api;
    ngx_amt_bulk_t  *bulk;

    bulk = item->bulk;
    api = bulk->api;

    ngx_queue_remove(&item->queue);
    bulk->running--;
    ngx_amt_bulk_running--;

    ngx_amt_mps_event_bulk(api, item->guid, &item->result,
                           rc == NGX_OK ? NULL : &f->err);

    if (item->orphan) {
        ngx_log_error(NGX_LOG_INFO, f->log, 0,
                      "device %*s of a cancelled bulk call: %s%V",
                      (size_t) NGX_CIRA_GUID_TEXT, item->guid,
                      rc == NGX_OK ? "finished" : "", &f->err.text);

    } else {
        rc = (rc == NGX_OK)
             ? ngx_amt_bulk_result(bulk, item->guid, &item->result,
                                   item->start)
             : ngx_amt_bulk_failure(bulk, item->guid, &f->err);

        if (rc != NGX_OK) {

            /* without this line the answer would be wrong */

            bulk->broken = 1;
        }
    }

    ngx_amt_result_drop(&item->result);
    json_decref(item->input);
    ngx_free(item);

    ngx_amt_bulk_wake_all();

    /* may free all of it */

    ngx_amt_mps_release(api);
}
