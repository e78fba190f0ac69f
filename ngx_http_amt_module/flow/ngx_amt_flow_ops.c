
/*
 * Operations of the flow engine itself: sleeping, and work in a thread.
 */


#include "flow/ngx_amt_flow_priv.h"


typedef struct {
    ngx_thread_task_t     task;          /* first: ngx_event_ident() */
    ngx_queue_t           queue;
    ngx_amt_flow_t       *flow;          /* NULL: cancelled */
    uint64_t              seq;
    void                (*handler)(void *data, ngx_log_t *log);
    void                (*drop)(void *data);
    void                 *data;          /* the flow's */
    void                 *copy;          /* ours */
    size_t                size;
    ngx_atomic_t          skip;
} ngx_amt_flow_task_t;


static void ngx_amt_flow_sleep_cancel(void *data);
static void ngx_amt_flow_thread_run(void *data, ngx_log_t *log);
static void ngx_amt_flow_thread_handler(ngx_event_t *ev);
static void ngx_amt_flow_thread_cancel(void *data);
static void ngx_amt_flow_thread_free(ngx_amt_flow_task_t *t);


static ngx_queue_t  ngx_amt_flow_tasks;


ngx_int_t
ngx_amt_flow_sleep(ngx_amt_flow_t *f, ngx_msec_t ms)
{
    (void) ngx_amt_flow_wait(f, "timer", ngx_amt_flow_sleep_cancel, f);

    ngx_add_timer(&f->priv->sleep, ms);

    return NGX_AGAIN;
}


void
ngx_amt_flow_sleep_handler(ngx_event_t *ev)
{
    ngx_amt_flow_t  *f;

    f = ev->data;

    ev->timedout = 0;

    ngx_amt_flow_wake(f, f->priv->seq, NGX_OK);
}


static void
ngx_amt_flow_sleep_cancel(void *data)
{
    ngx_amt_flow_t  *f = data;

    if (f->priv->sleep.timer_set) {
        ngx_del_timer(&f->priv->sleep);
    }
}


ngx_int_t
ngx_amt_flow_thread(ngx_amt_flow_t *f, ngx_thread_pool_t *pool,
    void (*handler)(void *data, ngx_log_t *log), void (*drop)(void *data),
    void *data, size_t size)
{
    size_t                head;
    ngx_amt_flow_task_t  *t;

    head = ngx_align(sizeof(ngx_amt_flow_task_t), 16);

    t = ngx_calloc(head + size, f->log);
    if (t == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    t->flow = f;
    t->handler = handler;
    t->drop = drop;
    t->data = data;
    t->copy = (u_char *) t + head;
    t->size = size;

    ngx_memcpy(t->copy, data, size);

    t->task.ctx = t;
    t->task.handler = ngx_amt_flow_thread_run;
    t->task.event.data = t;
    t->task.event.handler = ngx_amt_flow_thread_handler;
    t->task.event.log = ngx_cycle->log;

    if (ngx_thread_task_post(pool, &t->task) != NGX_OK) {

        /* what hangs on the data is still the caller's: no drop */

        ngx_explicit_memzero(t, head + size);
        ngx_free(t);

        return ngx_amt_flow_error(f, NGX_AMT_ERR_BUSY,
                                  "thread pool's queue is full");
    }

    if (ngx_amt_flow_tasks.next == NULL) {
        ngx_queue_init(&ngx_amt_flow_tasks);
    }

    ngx_queue_insert_tail(&ngx_amt_flow_tasks, &t->queue);
    ngx_amt_flow_counters.tasks++;

    t->seq = ngx_amt_flow_wait(f, "thread", ngx_amt_flow_thread_cancel, t);

    return NGX_AGAIN;
}


/* In a thread: nothing but the task itself may be touched. */

static void
ngx_amt_flow_thread_run(void *data, ngx_log_t *log)
{
    ngx_amt_flow_task_t *t = data;

    if (!t->skip) {
        t->handler(t->copy, log);
    }
}


static void
ngx_amt_flow_thread_handler(ngx_event_t *ev)
{
    uint64_t              seq;
    ngx_amt_flow_t       *f;
    ngx_amt_flow_task_t  *t;

    t = ev->data;
    f = t->flow;
    seq = t->seq;

    if (f) {
        ngx_memcpy(t->data, t->copy, t->size);
    }

    ngx_amt_flow_thread_free(t);

    if (f) {
        ngx_amt_flow_wake(f, seq, NGX_OK);
    }
}


static void
ngx_amt_flow_thread_cancel(void *data)
{
    ngx_amt_flow_task_t  *t = data;

    t->flow = NULL;
    t->skip = 1;

    ngx_amt_flow_counters.orphans++;
}


static void
ngx_amt_flow_thread_free(ngx_amt_flow_task_t *t)
{
    if (t->flow == NULL) {
        ngx_amt_flow_counters.orphans--;

        if (t->drop) {
            t->drop(t->copy);
        }
    }

    ngx_queue_remove(&t->queue);
    ngx_amt_flow_counters.tasks--;

    ngx_explicit_memzero(t->copy, t->size);
    ngx_free(t);
}


/*
 * The thread pools ended before us (their module comes first) after they had
 * worked off their queues, but nobody has taken the results.
 */

void
ngx_amt_flow_thread_exit(void)
{
    ngx_queue_t          *q;
    ngx_amt_flow_task_t  *t;

    if (ngx_amt_flow_tasks.next == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_amt_flow_tasks)) {
        q = ngx_queue_head(&ngx_amt_flow_tasks);
        t = ngx_queue_data(q, ngx_amt_flow_task_t, queue);

        ngx_amt_flow_thread_free(t);
    }
}
