
/*
 * Flow engine: see ngx_amt_flow.h for what flows are and promise.
 *
 * One loop (ngx_amt_flow_run) runs the top frame's body.  A body leaves it
 * with a pushed frame, with a registered operation or with a result; nothing
 * recurses.  A completion only stores its result and posts the flow, so that
 * a long chain of flows waking each other costs no stack.
 */


#include "flow/ngx_amt_flow_priv.h"
#include "ngx_amt_wipe.h"


/* How often a shielded section renews its hold on an exiting worker, ms. */
#define NGX_AMT_FLOW_HOLD   1000


static void ngx_amt_flow_run(ngx_amt_flow_t *f);
static void ngx_amt_flow_pop(ngx_amt_flow_t *f);
static void ngx_amt_flow_finish(ngx_amt_flow_t *f, ngx_int_t rc);
static void ngx_amt_flow_stop(ngx_amt_flow_t *f, ngx_amt_err_e code);
static void ngx_amt_flow_abandon(ngx_amt_flow_t *f);
static void ngx_amt_flow_clean(ngx_amt_flow_t *f);
static void ngx_amt_flow_free(ngx_amt_flow_t *f);
static void ngx_amt_flow_release(ngx_amt_flow_t *f);
static void ngx_amt_frame_destroy(ngx_amt_frame_t *frame);
static ngx_int_t ngx_amt_frame_take(ngx_amt_flow_t *f,
    ngx_amt_frame_t *frame);
static void ngx_amt_flow_posted_handler(ngx_event_t *ev);
static void ngx_amt_flow_timer_handler(ngx_event_t *ev);


/* Of this worker; nothing of it is touched in the master. */

ngx_queue_t           ngx_amt_flows;
ngx_amt_flow_stats_t  ngx_amt_flow_counters;

static uint64_t       ngx_amt_flow_seq;
static ngx_uint_t     ngx_amt_flow_exiting;


ngx_amt_flow_t *
ngx_amt_flow_create(const char *name, ngx_log_t *log, ngx_msec_t budget,
    ngx_amt_done_pt done, void *data)
{
    ngx_amt_flow_t       *f;
    ngx_amt_flow_mem_t   *m;
    ngx_amt_flow_priv_t  *p;

    if (ngx_amt_flow_exiting) {
        return NULL;
    }

    if (ngx_amt_flows.next == NULL) {
        ngx_queue_init(&ngx_amt_flows);
    }

    m = ngx_calloc(sizeof(ngx_amt_flow_mem_t), log);
    if (m == NULL) {
        return NULL;
    }

    f = &m->flow;
    p = &m->priv;

    p->log = *log;
    p->log.handler = ngx_amt_flow_log_error;
    p->log.data = f;
    p->log.action = NULL;

    f->pool = ngx_create_pool(1024, &p->log);
    if (f->pool == NULL) {
        ngx_free(m);
        return NULL;
    }

    if (ngx_amt_wipe_pool_later(f->pool) != NGX_OK) {
        ngx_destroy_pool(f->pool);
        ngx_free(m);
        return NULL;
    }

    f->log = &p->log;
    f->data = data;
    f->priv = p;

    p->name = name;
    p->done = done;
    p->started = ngx_current_msec;
    p->budget = budget;

    p->timer.handler = ngx_amt_flow_timer_handler;
    p->timer.data = f;
    p->timer.log = &p->log;

    /* the budget's timer is what holds the worker, this one never does */

    p->sleep.handler = ngx_amt_flow_sleep_handler;
    p->sleep.data = f;
    p->sleep.log = &p->log;
    p->sleep.cancelable = 1;

    p->posted.handler = ngx_amt_flow_posted_handler;
    p->posted.data = f;
    p->posted.log = &p->log;

    if (budget) {
        f->deadline = ngx_current_msec + budget;
        ngx_add_timer(&p->timer, budget);
    }

    ngx_queue_insert_tail(&ngx_amt_flows, &p->queue);

    ngx_amt_flow_counters.live++;
    ngx_amt_flow_counters.created++;

    return f;
}


void *
ngx_amt_frame_alloc(ngx_amt_flow_t *f, const char *name, size_t size,
    ngx_amt_body_pt body, ngx_amt_drop_pt drop)
{
    ngx_amt_frame_t  *frame;

    frame = ngx_calloc(size, f->log);
    if (frame == NULL) {
        (void) ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
        return NULL;
    }

    frame->body = body;
    frame->drop = drop;
    frame->name = name;
    frame->size = size;

    frame->parent = f->priv->fresh;
    f->priv->fresh = frame;

    return frame;
}


void
ngx_amt_frame_free(ngx_amt_flow_t *f, void *frame)
{
    if (frame && ngx_amt_frame_take(f, frame) == NGX_OK) {
        ngx_amt_frame_destroy(frame);
    }
}


void
ngx_amt_flow_start(ngx_amt_flow_t *f, void *frame)
{
    ngx_amt_flow_priv_t  *p;

    p = f->priv;

    if (p->running || p->top) {
        ngx_log_error(NGX_LOG_ALERT, f->log, 0, "amt flow started twice");
        return;
    }

    p->running = 1;

    if (ngx_amt_call(f, frame) != NGX_AGAIN) {
        ngx_amt_flow_finish(f, NGX_ERROR);
        return;
    }

    ngx_amt_flow_run(f);
}


ngx_int_t
ngx_amt_call(ngx_amt_flow_t *f, void *frame)
{
    ngx_amt_frame_t      *fr = frame;
    ngx_amt_flow_priv_t  *p;

    p = f->priv;

    if (fr == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    if (ngx_amt_frame_take(f, fr) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "frame called twice");
    }

    if (!p->running || p->seq || p->woken) {
        ngx_log_error(NGX_LOG_ALERT, f->log, 0,
                      "amt flow: \"%s\" called beside another operation",
                      fr->name);
        ngx_amt_frame_destroy(fr);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "two operations at once");
    }

    if (p->depth == NGX_AMT_FLOW_DEPTH) {
        ngx_log_error(NGX_LOG_ALERT, f->log, 0,
                      "amt flow: \"%s\" called %ui frames deep",
                      fr->name, p->depth);
        ngx_amt_frame_destroy(fr);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "too many nested calls");
    }

    fr->parent = p->top;
    fr->shield = p->shield;
    p->top = fr;
    p->depth++;

    return NGX_AGAIN;
}


/* The flow is marked running; ends with the flow suspended or gone. */

static void
ngx_amt_flow_run(ngx_amt_flow_t *f)
{
    ngx_int_t             rc;
    ngx_uint_t            depth;
    ngx_amt_frame_t      *top;
    ngx_amt_flow_priv_t  *p;

    p = f->priv;

    for ( ;; ) {

        /*
         * Nobody waits for a cancelled flow.  One whose budget ended in a
         * shielded section may have done all it was to do: it goes on as long
         * as that takes no time.
         */

        if (p->stop == NGX_AMT_ERR_CANCELLED && p->shield == 0) {
            ngx_amt_flow_abandon(f);
            return;
        }

        top = p->top;
        depth = p->depth;

        rc = top->body(f, top);

        if (p->depth == depth + 1 && rc == NGX_AGAIN) {

            /* a sub-flow, unless it was called beside an operation */

            if (p->seq == 0 && !p->woken) {
                continue;
            }
        }

        if (p->depth == depth && rc == NGX_AGAIN) {

            if (p->woken) {
                p->woken = 0;
                top->rc = p->rc;

                if (p->broken) {
                    p->broken = 0;
                    top->rc = NGX_ERROR;
                }

                continue;
            }

            if (p->seq) {

                if (p->stop && p->shield == 0) {
                    ngx_amt_flow_abandon(f);
                    return;
                }

                p->running = 0;
                return;
            }

            ngx_log_error(NGX_LOG_ALERT, f->log, 0,
                          "amt flow: AGAIN but nothing awaited in %s:%ui",
                          top->name, top->line);
            rc = ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                    "AGAIN but nothing awaited");

        } else if (p->depth != depth || p->seq || p->woken) {

            ngx_log_error(NGX_LOG_ALERT, f->log, 0,
                          "amt flow: operation not awaited in %s:%ui",
                          top->name, top->line);

            ngx_amt_flow_release(f);

            while (p->depth > depth) {
                ngx_amt_flow_pop(f);
            }

            p->broken = 0;
            rc = ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                    "operation not awaited");
        }

        if (rc == NGX_ERROR && f->err.code == NGX_AMT_ERR_NONE) {
            (void) ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                      "%s:%ui failed", top->name, top->line);
        }

        ngx_amt_flow_pop(f);

        if (p->top == NULL) {
            ngx_amt_flow_finish(f, rc);
            return;
        }

        p->top->rc = rc;
    }
}


/* Ends the top frame, and the shielded sections it left open. */

static void
ngx_amt_flow_pop(ngx_amt_flow_t *f)
{
    ngx_amt_frame_t      *top;
    ngx_amt_flow_priv_t  *p;

    p = f->priv;
    top = p->top;

    while (p->shield > top->shield) {
        ngx_amt_flow_unshield(f);
    }

    p->top = top->parent;
    p->depth--;

    ngx_amt_frame_destroy(top);
}


static void
ngx_amt_frame_destroy(ngx_amt_frame_t *frame)
{
    if (frame->drop) {
        frame->drop(frame);
    }

    ngx_explicit_memzero(frame, frame->size);
    ngx_free(frame);
}


/* Takes a frame out of the list of those that were not called yet. */

static ngx_int_t
ngx_amt_frame_take(ngx_amt_flow_t *f, ngx_amt_frame_t *frame)
{
    ngx_amt_frame_t  **last;

    for (last = &f->priv->fresh; *last; last = &(*last)->parent) {

        if (*last == frame) {
            *last = frame->parent;
            frame->parent = NULL;
            return NGX_OK;
        }
    }

    ngx_log_error(NGX_LOG_ALERT, f->log, 0,
                  "amt flow: frame %p is not waiting to be called", frame);

    return NGX_ERROR;
}


void
ngx_amt_flow_cancel(ngx_amt_flow_t *f)
{
    f->client_gone = 1;

    ngx_amt_flow_stop(f, NGX_AMT_ERR_CANCELLED);
}


static void
ngx_amt_flow_stop(ngx_amt_flow_t *f, ngx_amt_err_e code)
{
    ngx_amt_flow_priv_t  *p;

    p = f->priv;

    if (p->stop == NGX_AMT_ERR_NONE) {
        p->stop = code;
    }

    if (p->running || p->shield) {
        return;
    }

    p->running = 1;

    ngx_amt_flow_abandon(f);
}


/* The flow was asked to end before it was ready. */

static void
ngx_amt_flow_abandon(ngx_amt_flow_t *f)
{
    u_char                line[NGX_AMT_FLOW_LINE], *last;
    ngx_amt_flow_priv_t  *p;

    p = f->priv;

    /* the reason replaces what the flow was perhaps cleaning up after */

    ngx_amt_flow_clear(f);

    if (p->stop == NGX_AMT_ERR_BUDGET) {
        last = ngx_amt_flow_line(f, line, line + NGX_AMT_FLOW_LINE);

        (void) ngx_amt_flow_error(f, NGX_AMT_ERR_BUDGET,
                                  "not finished within %M ms: %*s",
                                  p->budget, (size_t) (last - line), line);
        ngx_amt_flow_counters.budget++;

    } else {
        (void) ngx_amt_flow_error(f, NGX_AMT_ERR_CANCELLED, "cancelled");
        ngx_amt_flow_counters.cancelled++;
    }

    ngx_amt_flow_finish(f, NGX_ERROR);
}


static void
ngx_amt_flow_finish(ngx_amt_flow_t *f, ngx_int_t rc)
{
    if (rc == NGX_ERROR) {
        ngx_amt_flow_counters.failed++;
    }

    ngx_amt_flow_clean(f);

    /* still running: a cancel within done is only a mark */

    f->priv->done(f, rc, f->data);

    ngx_amt_flow_free(f);
}


/* The pending operation ends, its completion will not be heard. */

static void
ngx_amt_flow_release(ngx_amt_flow_t *f)
{
    ngx_amt_flow_priv_t  *p;

    p = f->priv;
    p->woken = 0;

    if (p->seq) {
        p->seq = 0;

        if (p->cancel) {
            p->cancel(p->cancel_data);
        }
    }
}


static void
ngx_amt_flow_clean(ngx_amt_flow_t *f)
{
    ngx_amt_frame_t      *fr;
    ngx_amt_flow_priv_t  *p;

    p = f->priv;

    ngx_amt_flow_release(f);

    while (p->top) {
        ngx_amt_flow_pop(f);
    }

    while (p->fresh) {
        fr = p->fresh;
        p->fresh = fr->parent;
        ngx_amt_frame_destroy(fr);
    }

    if (p->timer.timer_set) {
        ngx_del_timer(&p->timer);
    }

    if (p->posted.posted) {
        ngx_delete_posted_event(&p->posted);
    }
}


static void
ngx_amt_flow_free(ngx_amt_flow_t *f)
{
    ngx_amt_flow_priv_t  *p;

    p = f->priv;

    ngx_queue_remove(&p->queue);
    ngx_amt_flow_counters.live--;

    ngx_destroy_pool(f->pool);

    /* flow and its private part are one piece of memory */

    ngx_explicit_memzero(f, sizeof(ngx_amt_flow_mem_t));
    ngx_free(f);
}


void
ngx_amt_flow_shield(ngx_amt_flow_t *f)
{
    ngx_amt_flow_priv_t  *p;

    p = f->priv;

    if (p->shield++ == 0 && !p->timer.timer_set) {
        ngx_add_timer(&p->timer, NGX_AMT_FLOW_HOLD);
    }
}


void
ngx_amt_flow_unshield(ngx_amt_flow_t *f)
{
    ngx_amt_flow_priv_t  *p;

    p = f->priv;

    if (p->shield == 0) {
        ngx_log_error(NGX_LOG_ALERT, f->log, 0,
                      "amt flow: end of a shielded section without begin");
        return;
    }

    if (--p->shield == 0 && p->timer.timer_set
        && (p->budget == 0 || p->stop == NGX_AMT_ERR_BUDGET))
    {
        ngx_del_timer(&p->timer);
    }
}


ngx_msec_t
ngx_amt_flow_left(ngx_amt_flow_t *f, ngx_msec_t max)
{
    ngx_msec_int_t  left;

    if (f->deadline == 0 || f->priv->shield) {
        return max;
    }

    left = (ngx_msec_int_t) (f->deadline - ngx_current_msec);

    if (left < 1) {
        return 1;
    }

    return ngx_min(max, (ngx_msec_t) left);
}


uint64_t
ngx_amt_flow_wait(ngx_amt_flow_t *f, const char *what,
    ngx_amt_cancel_pt cancel, void *data)
{
    ngx_amt_flow_priv_t  *p;

    p = f->priv;

    if (!p->running) {
        ngx_log_error(NGX_LOG_ALERT, f->log, 0,
                      "amt flow: wait for %s outside of the flow", what);
    }

    if (p->seq || p->woken) {
        ngx_log_error(NGX_LOG_ALERT, f->log, 0,
                      "amt flow: %s started beside %s", what, p->what);

        ngx_amt_flow_release(f);

        (void) ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "two operations at once");
        p->broken = 1;
    }

    /* over all flows: a stale number never fits a flow at the same address */

    p->seq = ++ngx_amt_flow_seq;
    p->what = what;
    p->since = ngx_current_msec;
    p->cancel = cancel;
    p->cancel_data = data;

    return p->seq;
}


void
ngx_amt_flow_wake(ngx_amt_flow_t *f, uint64_t seq, ngx_int_t rc)
{
    ngx_amt_flow_priv_t  *p;

    p = f->priv;

    if (seq == 0 || seq != p->seq) {
        ngx_log_error(NGX_LOG_ALERT, f->log, 0,
                      "amt flow: wake %uL ignored, awaited is %uL",
                      seq, p->seq);
        return;
    }

    if (rc == NGX_AGAIN) {
        ngx_log_error(NGX_LOG_ALERT, f->log, 0,
                      "amt flow: %s completed with AGAIN", p->what);
        rc = ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                "%s completed with AGAIN", p->what);
    }

    p->seq = 0;
    p->rc = rc;
    p->woken = 1;

    if (!p->running) {
        ngx_post_event(&p->posted, &ngx_posted_events);
    }
}


static void
ngx_amt_flow_posted_handler(ngx_event_t *ev)
{
    ngx_amt_flow_t       *f;
    ngx_amt_flow_priv_t  *p;

    f = ev->data;
    p = f->priv;

    p->running = 1;
    p->woken = 0;
    p->top->rc = p->rc;

    if (p->broken) {
        p->broken = 0;
        p->top->rc = NGX_ERROR;
    }

    ngx_amt_flow_run(f);
}


static void
ngx_amt_flow_timer_handler(ngx_event_t *ev)
{
    ngx_amt_flow_t       *f;
    ngx_amt_flow_priv_t  *p;

    f = ev->data;
    p = f->priv;

    ev->timedout = 0;

    if (p->shield) {

        if (p->budget && p->stop == NGX_AMT_ERR_NONE
            && (ngx_msec_int_t) (f->deadline - ngx_current_msec) <= 0)
        {
            p->stop = NGX_AMT_ERR_BUDGET;
        }

        ngx_add_timer(ev, NGX_AMT_FLOW_HOLD);
        return;
    }

    ngx_amt_flow_stop(f, NGX_AMT_ERR_BUDGET);
}


ngx_int_t
ngx_amt_flow_error(ngx_amt_flow_t *f, ngx_amt_err_e code, const char *fmt, ...)
{
    u_char   buf[NGX_MAX_ERROR_STR], *p;
    va_list  args;

    if (f->err.code != NGX_AMT_ERR_NONE) {
        return NGX_ERROR;
    }

    va_start(args, fmt);
    p = ngx_vslprintf(buf, buf + sizeof(buf), fmt, args);
    va_end(args);

    f->err.code = code;
    f->err.text.data = ngx_pnalloc(f->pool, p - buf);

    if (f->err.text.data == NULL) {
        ngx_str_set(&f->err.text, "no memory");
        return NGX_ERROR;
    }

    f->err.text.len = p - buf;
    ngx_memcpy(f->err.text.data, buf, p - buf);

    return NGX_ERROR;
}


void
ngx_amt_flow_clear(ngx_amt_flow_t *f)
{
    f->err.code = NGX_AMT_ERR_NONE;
    ngx_str_null(&f->err.text);
}


void
ngx_amt_flow_exit(void)
{
    ngx_queue_t     *q;
    ngx_amt_flow_t  *f;

    ngx_amt_flow_exiting = 1;

    if (ngx_amt_flows.next) {

        while (!ngx_queue_empty(&ngx_amt_flows)) {
            q = ngx_queue_head(&ngx_amt_flows);
            f = ngx_amt_flow_of(q);

            f->priv->running = 1;

            ngx_amt_flow_clean(f);
            ngx_amt_flow_free(f);
        }
    }

    ngx_amt_flow_thread_exit();
}
