
/*
 * Start-up reconciliation, contract mps.md section 3.5: after a kill, rows
 * say "connected here" for devices that are not.  Some seconds after a start,
 * when the device plane has its registry again, rows of this instance that
 * are not in it are reset.  Devices that connect while this runs are written
 * once more, as their event may have been before the reset.
 */


#include "hooks/ngx_http_amt_hooks_module.h"


#define NGX_AMT_RECONCILE_DELAY  5000    /* ms after a start */
#define NGX_AMT_RECONCILE_RETRY  30000   /* ms after a failure */
#define NGX_AMT_RECONCILE_PAGE   128     /* entries per look into the zone */


typedef struct {
    ngx_amt_frame_t          frame;
    ngx_cira_api_t          *api;
    ngx_str_t               *instance;

    ngx_cira_info_t         *page;
    u_char                   cursor[NGX_CIRA_GUID_LEN];
    ngx_uint_t               started;    /* cursor is valid */
    ngx_int_t                got;        /* entries in page */

    /* connected when the reset was asked for, in the registry's order */
    u_char                  *guids;      /* binary */
    ngx_uint_t               n;
    ngx_uint_t               size;
    u_char                  *texts;
    ngx_str_t               *keep;

    /* connected since then */
    ngx_uint_t               next;       /* in guids */
    ngx_amt_store_event_t   *events;
    u_char                  *names;
    ngx_uint_t               late;
} ngx_amt_reconcile_t;


static void ngx_amt_reconcile_timer(ngx_event_t *ev);
static ngx_int_t ngx_amt_reconcile_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_reconcile_drop(void *data);
static void ngx_amt_reconcile_done(ngx_amt_flow_t *f, ngx_int_t rc,
    void *data);
static ngx_int_t ngx_amt_reconcile_page(ngx_amt_reconcile_t *v);
static ngx_int_t ngx_amt_reconcile_add(ngx_amt_reconcile_t *v);
static ngx_int_t ngx_amt_reconcile_keep(ngx_amt_reconcile_t *v);
static void ngx_amt_reconcile_late(ngx_amt_reconcile_t *v);


static ngx_event_t       ngx_amt_reconcile_event;

/* a cancelable timer needs a connection only for its log lines */
static ngx_connection_t  ngx_amt_reconcile_dummy;


ngx_int_t
ngx_amt_hooks_reconcile(ngx_cycle_t *cycle)
{
    ngx_event_t  *ev;

    if (ngx_cira_api_find(cycle) == NULL) {
        /* the device plane is elsewhere: nothing is known about it here */
        return NGX_OK;
    }

    ngx_amt_reconcile_dummy.fd = (ngx_socket_t) -1;

    ev = &ngx_amt_reconcile_event;

    ngx_memzero(ev, sizeof(ngx_event_t));

    ev->handler = ngx_amt_reconcile_timer;
    ev->data = &ngx_amt_reconcile_dummy;
    ev->log = cycle->log;
    ev->cancelable = 1;

    ngx_add_timer(ev, NGX_AMT_RECONCILE_DELAY);

    return NGX_OK;
}


void
ngx_amt_hooks_reconcile_exit(void)
{
    if (ngx_amt_reconcile_event.timer_set) {
        ngx_del_timer(&ngx_amt_reconcile_event);
    }
}


static void
ngx_amt_reconcile_timer(ngx_event_t *ev)
{
    ngx_cira_api_t       *api;
    ngx_amt_flow_t       *f;
    ngx_amt_reconcile_t  *v;

    if (ngx_exiting || ngx_quit || ngx_terminate) {
        return;
    }

    api = ngx_cira_api_find((ngx_cycle_t *) ngx_cycle);

    if (api == NULL) {
        return;
    }

    f = ngx_amt_flow_create("reconcile", ngx_cycle->log, 0,
                            ngx_amt_reconcile_done, NULL);
    if (f == NULL) {
        ngx_add_timer(ev, NGX_AMT_RECONCILE_RETRY);
        return;
    }

    v = ngx_amt_frame_alloc(f, "reconcile", sizeof(ngx_amt_reconcile_t),
                            ngx_amt_reconcile_body, ngx_amt_reconcile_drop);
    if (v) {
        v->api = api;
        v->instance = ngx_amt_store_instance();
    }

    ngx_amt_flow_start(f, v);
}


static ngx_int_t
ngx_amt_reconcile_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_reconcile_t  *v = data;

    ngx_amt_begin(f, v);

    v->page = ngx_alloc(NGX_AMT_RECONCILE_PAGE * sizeof(ngx_cira_info_t),
                        f->log);
    v->events = ngx_calloc(NGX_AMT_RECONCILE_PAGE
                           * sizeof(ngx_amt_store_event_t), f->log);
    v->names = ngx_alloc(NGX_AMT_RECONCILE_PAGE * NGX_CIRA_GUID_TEXT, f->log);

    if (v->page == NULL || v->events == NULL || v->names == NULL) {
        v->frame.rc = ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                         "no memory");
        goto fail;
    }

    /* a page at a time, so that a large registry does not stop the worker */

    while (ngx_amt_reconcile_page(v) > 0) {

        if (ngx_amt_reconcile_add(v) != NGX_OK) {
            v->frame.rc = ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                             "no memory");
            goto fail;
        }

        ngx_amt_await(f, v, ngx_amt_flow_sleep(f, 1));
    }

    if (v->got < 0) {
        /* no cira_zone: the device plane is not in this nginx */
        return NGX_DECLINED;
    }

    if (ngx_amt_reconcile_keep(v) != NGX_OK) {
        v->frame.rc = ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                         "no memory");
        goto fail;
    }

    ngx_amt_await(f, v, ngx_amt_store_reset(f, v->instance, v->keep, v->n));

    v->started = 0;

    while (ngx_amt_reconcile_page(v) > 0) {

        ngx_amt_reconcile_late(v);

        if (v->late) {
            ngx_amt_await(f, v, ngx_amt_store_events(f, v->instance,
                                                     v->events, v->late));
        }

        ngx_amt_await(f, v, ngx_amt_flow_sleep(f, 1));
    }

    ngx_amt_end(f, v);

fail:

    return v->frame.rc;
}


static void
ngx_amt_reconcile_drop(void *data)
{
    ngx_amt_reconcile_t *v = data;

    ngx_free(v->page);
    ngx_free(v->guids);
    ngx_free(v->texts);
    ngx_free(v->keep);
    ngx_free(v->events);
    ngx_free(v->names);
}


static void
ngx_amt_reconcile_done(ngx_amt_flow_t *f, ngx_int_t rc, void *data)
{
    if (rc != NGX_ERROR) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, f->log, 0,
                  "connection states of devices could not be corrected, "
                  "tried again in %d seconds: %V",
                  NGX_AMT_RECONCILE_RETRY / 1000, &f->err.text);

    if (!ngx_exiting && !ngx_quit && !ngx_terminate
        && !ngx_amt_reconcile_event.timer_set)
    {
        ngx_add_timer(&ngx_amt_reconcile_event, NGX_AMT_RECONCILE_RETRY);
    }
}


/* The next page of the registry; its number of entries */

static ngx_int_t
ngx_amt_reconcile_page(ngx_amt_reconcile_t *v)
{
    v->got = v->api->list(v->started ? v->cursor : NULL, v->page,
                          NGX_AMT_RECONCILE_PAGE);

    if (v->got > NGX_AMT_RECONCILE_PAGE) {
        v->got = NGX_ERROR;
    }

    if (v->got > 0) {
        ngx_memcpy(v->cursor, v->page[v->got - 1].guid, NGX_CIRA_GUID_LEN);
        v->started = 1;
    }

    return v->got;
}


static ngx_int_t
ngx_amt_reconcile_add(ngx_amt_reconcile_t *v)
{
    u_char      *guids;
    ngx_int_t    i;
    ngx_uint_t   size;

    if (v->n + v->got > v->size) {

        size = 2 * v->size + NGX_AMT_RECONCILE_PAGE;

        guids = ngx_alloc(size * NGX_CIRA_GUID_LEN, ngx_cycle->log);
        if (guids == NULL) {
            return NGX_ERROR;
        }

        if (v->n) {
            ngx_memcpy(guids, v->guids, v->n * NGX_CIRA_GUID_LEN);
        }

        ngx_free(v->guids);

        v->guids = guids;
        v->size = size;
    }

    for (i = 0; i < v->got; i++) {
        ngx_memcpy(v->guids + v->n++ * NGX_CIRA_GUID_LEN, v->page[i].guid,
                   NGX_CIRA_GUID_LEN);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_reconcile_keep(ngx_amt_reconcile_t *v)
{
    u_char      *p;
    ngx_uint_t   i;

    v->texts = ngx_alloc((v->n + 1) * NGX_CIRA_GUID_TEXT, ngx_cycle->log);
    v->keep = ngx_alloc((v->n + 1) * sizeof(ngx_str_t), ngx_cycle->log);

    if (v->texts == NULL || v->keep == NULL) {
        return NGX_ERROR;
    }

    for (i = 0, p = v->texts; i < v->n; i++) {
        v->keep[i].data = p;
        v->keep[i].len = NGX_CIRA_GUID_TEXT;

        p = ngx_cira_guid_text(p, v->guids + i * NGX_CIRA_GUID_LEN);
    }

    return NGX_OK;
}


/* Events for those of the page that were not kept; both are in order */

static void
ngx_amt_reconcile_late(ngx_amt_reconcile_t *v)
{
    int                     rc;
    u_char                 *name;
    ngx_int_t               i;
    ngx_amt_store_event_t  *e;

    v->late = 0;

    for (i = 0; i < v->got; i++) {

        rc = 1;

        while (v->next < v->n) {
            rc = ngx_memcmp(v->guids + v->next * NGX_CIRA_GUID_LEN,
                            v->page[i].guid, NGX_CIRA_GUID_LEN);
            if (rc >= 0) {
                break;
            }

            v->next++;
        }

        if (v->next < v->n && rc == 0) {
            continue;
        }

        name = v->names + v->late * NGX_CIRA_GUID_TEXT;
        (void) ngx_cira_guid_text(name, v->page[i].guid);

        e = &v->events[v->late++];
        e->type = NGX_AMT_STORE_CONNECTED;
        e->guid.data = name;
        e->guid.len = NGX_CIRA_GUID_TEXT;
        e->generation = v->page[i].generation;
        e->time = v->page[i].connected;
    }
}
