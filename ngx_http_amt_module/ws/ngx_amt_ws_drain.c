
/*
 * The WebSockets of a worker, and their end when it exits (reload, upgrade):
 * they go on for amt_ws_drain, and are closed with 1001 in its last tenth,
 * not all at once.
 */


#include "ws/ngx_amt_ws_priv.h"
#include "ngx_cira_quit.h"


#define NGX_AMT_WS_TICK  100             /* ms */


static void ngx_amt_ws_drain_quit(ngx_event_t *ev);
static void ngx_amt_ws_drain_timer(ngx_event_t *ev);
static void ngx_amt_ws_drain_close(ngx_msec_int_t left);


static ngx_queue_t         ngx_amt_ws_all;
static ngx_amt_ws_stats_t  ngx_amt_ws_counts;
static ngx_connection_t   *ngx_amt_ws_drain_hook;
static ngx_connection_t    ngx_amt_ws_drain_dummy;
static ngx_event_t         ngx_amt_ws_drain_event;
static ngx_msec_t          ngx_amt_ws_drain_time;
static ngx_msec_t          ngx_amt_ws_drain_deadline;


ngx_int_t
ngx_amt_ws_drain_init(ngx_cycle_t *cycle, ngx_msec_t drain)
{
    ngx_queue_init(&ngx_amt_ws_all);
    ngx_memzero(&ngx_amt_ws_counts, sizeof(ngx_amt_ws_stats_t));

    ngx_amt_ws_drain_time = ngx_cira_quit_time(cycle, drain);
    ngx_amt_ws_drain_hook = ngx_cira_quit_hook(cycle, ngx_amt_ws_drain_quit);

    return ngx_amt_ws_drain_hook ? NGX_OK : NGX_ERROR;
}


void
ngx_amt_ws_drain_exit(ngx_cycle_t *cycle)
{
    ngx_cira_quit_unhook(ngx_amt_ws_drain_hook);
    ngx_amt_ws_drain_hook = NULL;

    if (ngx_amt_ws_drain_event.timer_set) {
        ngx_del_timer(&ngx_amt_ws_drain_event);
    }
}


void
ngx_amt_ws_drain_add(ngx_amt_ws_t *ws)
{
    ngx_queue_insert_tail(&ngx_amt_ws_all, &ws->queue);

    ngx_amt_ws_counts.live++;
    ngx_amt_ws_counts.accepted++;
}


void
ngx_amt_ws_drain_del(ngx_amt_ws_t *ws)
{
    ngx_queue_remove(&ws->queue);

    ngx_amt_ws_counts.live--;
    ngx_amt_ws_counts.ended[ws->result.end]++;

    if (ngx_queue_empty(&ngx_amt_ws_all)
        && ngx_amt_ws_drain_event.timer_set)
    {
        /* nothing else to keep the worker for */
        ngx_del_timer(&ngx_amt_ws_drain_event);
    }
}


void
ngx_amt_ws_stats(ngx_amt_ws_stats_t *stats)
{
    *stats = ngx_amt_ws_counts;
}


static void
ngx_amt_ws_drain_quit(ngx_event_t *ev)
{
    ngx_event_t       *timer;
    ngx_queue_t       *q, *next;
    ngx_amt_ws_t      *ws;
    ngx_connection_t  *c;

    c = ev->data;
    timer = &ngx_amt_ws_drain_event;

    /* the shutdown timer calls it again, and all others, too */

    if (c->error || timer->handler || ngx_queue_empty(&ngx_amt_ws_all)) {
        return;
    }

    ngx_amt_ws_drain_dummy.fd = (ngx_socket_t) -1;
    timer->data = &ngx_amt_ws_drain_dummy;
    timer->log = ev->log;
    timer->handler = ngx_amt_ws_drain_timer;

    ngx_amt_ws_drain_deadline = ngx_current_msec + ngx_amt_ws_drain_time;

    ngx_log_error(NGX_LOG_NOTICE, ev->log, 0,
                  "draining %ui WebSockets over %M ms",
                  ngx_amt_ws_counts.live, ngx_amt_ws_drain_time);

    for (q = ngx_queue_head(&ngx_amt_ws_all);
         q != ngx_queue_sentinel(&ngx_amt_ws_all);
         q = next)
    {
        next = ngx_queue_next(q);
        ws = ngx_queue_data(q, ngx_amt_ws_t, queue);

        if (ws->handlers->drain && !ws->told) {
            ws->handlers->drain(ws->owner);
        }
    }

    ngx_amt_ws_drain_timer(timer);
}


/* Not cancelable: it keeps the worker as long as there is a WebSocket. */

static void
ngx_amt_ws_drain_timer(ngx_event_t *ev)
{
    ngx_msec_int_t  left, tenth;

    left = (ngx_msec_int_t) (ngx_amt_ws_drain_deadline - ngx_current_msec);
    tenth = (ngx_msec_int_t) (ngx_amt_ws_drain_time / 10);

    if (left > tenth) {
        ngx_add_timer(ev, (ngx_msec_t) (left - tenth));
        return;
    }

    ngx_amt_ws_drain_close(left);

    ngx_add_timer(ev, NGX_AMT_WS_TICK);
}


static void
ngx_amt_ws_drain_close(ngx_msec_int_t left)
{
    ngx_str_t      reason;
    ngx_uint_t     n;
    ngx_queue_t   *q;
    ngx_amt_ws_t  *ws;

    ngx_str_set(&reason, "worker is being replaced");

    n = ngx_amt_ws_counts.live;

    if (left > NGX_AMT_WS_TICK) {
        n = n * NGX_AMT_WS_TICK / left + 1;
    }

    /* nothing is freed here, only posted */

    for (q = ngx_queue_head(&ngx_amt_ws_all);
         q != ngx_queue_sentinel(&ngx_amt_ws_all) && n;
         q = ngx_queue_next(q))
    {
        ws = ngx_queue_data(q, ngx_amt_ws_t, queue);

        if (ws->result.end || ws->handlers->drain) {
            continue;
        }

        ngx_amt_ws_end(ws, NGX_AMT_WS_END_WORKER, NGX_AMT_WS_GOING_AWAY,
                       &reason);
        n--;
    }
}
