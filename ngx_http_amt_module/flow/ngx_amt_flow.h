
/*
 * Flows: sequential asynchronous code that reads top to bottom.
 *
 * A flow is one coroutine: a stack of heap frames, at most one pending
 * operation, a time budget, a pool for results and one error.  A body is
 * written between ngx_amt_begin() and ngx_amt_end() with a label "fail:"
 * after it; ngx_amt_await(op) suspends while op returned NGX_AGAIN and
 * jumps to fail when the result is not NGX_OK.  Locals do not survive an
 * await: everything that must is in the frame (make lint finds the rest).
 *
 *     typedef struct {
 *         ngx_amt_frame_t   frame;           -- first member
 *         ngx_str_t         guid;
 *         ngx_amt_secret_t  secret;
 *     } ngx_amt_example_t;
 *
 *     static ngx_int_t
 *     ngx_amt_example_body(ngx_amt_flow_t *f, void *data)
 *     {
 *         ngx_amt_example_t  *v = data;
 *
 *         ngx_amt_begin(f, v);
 *
 *         ngx_amt_await(f, v, ngx_amt_vault_read(f, &path, &v->secret));
 *         ...
 *         ngx_amt_end(f, v);
 *
 *     fail:
 *
 *         return v->frame.rc;
 *     }
 *
 * Rules: a body is only run by the engine, never called; it returns at once
 * when an operation started outside of ngx_amt_await() said NGX_AGAIN (there
 * is at most one); it does not touch what belongs to the flow's owner after
 * an await unless the owner lives as long as the flow; pointers given to an
 * operation stay valid until it ends (frame, flow's pool, static).
 *
 * Worker exit: nginx keeps an exiting worker only while it has a timer that
 * is not cancelable.  The budget's timer is such a timer, so a flow with a
 * budget is finished by an exiting worker, at the latest when its budget is
 * used up; a flow without budget is housekeeping that ends with the worker.
 * In a shielded section both hold the worker until the section ends.
 */


#ifndef _NGX_AMT_FLOW_H_INCLUDED_
#define _NGX_AMT_FLOW_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_thread_pool.h>


#if !(NGX_THREADS)
#error "nginx must be configured with --with-threads"
#endif


/* Sub-flows in sub-flows: more is a recursion that never ends. */
#define NGX_AMT_FLOW_DEPTH  64


typedef struct ngx_amt_flow_s   ngx_amt_flow_t;
typedef struct ngx_amt_frame_s  ngx_amt_frame_t;

typedef ngx_int_t (*ngx_amt_body_pt)(ngx_amt_flow_t *f, void *frame);
typedef void (*ngx_amt_drop_pt)(void *frame);
typedef void (*ngx_amt_cancel_pt)(void *data);
typedef void (*ngx_amt_done_pt)(ngx_amt_flow_t *f, ngx_int_t rc, void *data);


/* What went wrong, told apart all the way to the client. */

typedef enum {
    NGX_AMT_ERR_NONE = 0,
    NGX_AMT_ERR_INTERNAL,                /* out of memory, our bug */
    NGX_AMT_ERR_CANCELLED,               /* client gone, worker exits */
    NGX_AMT_ERR_BUDGET,                  /* the flow's time is used up */
    NGX_AMT_ERR_NOT_ALLOWED,
    NGX_AMT_ERR_NOT_FOUND,               /* row or secret does not exist */
    NGX_AMT_ERR_CONFLICT,                /* check-and-set, duplicate */
    NGX_AMT_ERR_INVALID,                 /* bad input, text says what */
    NGX_AMT_ERR_STORE,                   /* store did not answer */
    NGX_AMT_ERR_VAULT,                   /* Vault did not answer: unknown! */
    NGX_AMT_ERR_VAULT_SEALED,
    NGX_AMT_ERR_VAULT_DENIED,            /* 403: token, policy */
    NGX_AMT_ERR_NOT_CONNECTED,           /* device has no CIRA connection */
    NGX_AMT_ERR_BUSY,                    /* device's queue is full */
    NGX_AMT_ERR_REFUSED,                 /* device refused the channel */
    NGX_AMT_ERR_TIMEOUT,                 /* device did not answer in time */
    NGX_AMT_ERR_LOST,                    /* device went away mid-answer */
    NGX_AMT_ERR_DEVICE_AUTH,             /* AMT password is wrong */
    NGX_AMT_ERR_NO_PASSWORD,             /* Vault has no AMT_PASSWORD */
    NGX_AMT_ERR_BAD_ANSWER,              /* not HTTP, not XML, too large */
    NGX_AMT_ERR_FAULT                    /* SOAP fault; see device/ */
} ngx_amt_err_e;


typedef struct {
    ngx_amt_err_e     code;
    ngx_str_t         text;              /* for people; in the flow's pool or
                                            static; holds no secret */
} ngx_amt_error_t;


struct ngx_amt_frame_s {
    ngx_amt_frame_t  *parent;
    ngx_amt_body_pt   body;
    ngx_amt_drop_pt   drop;              /* foreign objects; return, cancel */
    const char       *name;
    void             *resume;            /* label */
    ngx_uint_t        line;
    ngx_int_t         rc;                /* of the last awaited operation */
    size_t            size;
    ngx_uint_t        shield;            /* when it was called */
};


struct ngx_amt_flow_s {
    ngx_pool_t       *pool;              /* results; wiped and freed with the
                                            flow; secrets sooner */
    ngx_log_t        *log;               /* flow's own, adds where it is */
    ngx_amt_error_t   err;
    void             *data;              /* owner's */
    ngx_msec_t        deadline;          /* ngx_current_msec based; 0: none */
    unsigned          client_gone:1;     /* cancelled, maybe while shielded */

    /* private to ngx_amt_flow.c */
    struct ngx_amt_flow_priv_s  *priv;
};


/*
 * Creates a flow with a pool and a log (a copy of *log, which may go away) of
 * its own.  budget: ms from now, after which the pending operation is
 * cancelled and the flow ends with ERR_BUDGET (0: none).  name: static.
 *
 * done is called once, after the last frame is gone, never from within
 * _create, but possibly from within _start and _cancel; the flow is freed
 * when it returns.  rc is the first frame's, err says why when it is
 * NGX_ERROR.  A worker that exits drops its flows without calling done.
 *
 * NULL: no memory, or the worker exits right now.
 */
ngx_amt_flow_t *ngx_amt_flow_create(const char *name, ngx_log_t *log,
    ngx_msec_t budget, ngx_amt_done_pt done, void *data);

/*
 * A zeroed frame of size bytes (from the heap, so that a stale one is seen by
 * ASan; wiped and freed on return or cancel).  Its first member is
 * ngx_amt_frame_t.  drop (optional) frees foreign objects of the frame; it is
 * called exactly once, must accept a frame that was never run, and must not
 * touch the flow.  A frame that is never called is freed with the flow.
 * NULL: no memory, and the error is set.
 */
void *ngx_amt_frame_alloc(ngx_amt_flow_t *f, const char *name, size_t size,
    ngx_amt_body_pt body, ngx_amt_drop_pt drop);

/* Frees a frame that was not called: drop, wipe, free. */
void ngx_amt_frame_free(ngx_amt_flow_t *f, void *frame);

/*
 * Runs the first frame (NULL fails).  The flow may be gone when this returns.
 */
void ngx_amt_flow_start(ngx_amt_flow_t *f, void *frame);

/*
 * Operation: runs a sub-flow's frame.  A NULL frame fails.  Same result as
 * the body's.
 */
ngx_int_t ngx_amt_call(ngx_amt_flow_t *f, void *frame);

/*
 * Cancels: the pending operation's cancel is called, frames are dropped from
 * the top, done gets NGX_ERROR with ERR_CANCELLED; all of that before this
 * returns, unless the flow is running (is on the C stack), then when its body
 * returns.  In a shielded section it only sets client_gone; the cancel
 * happens when the section ends.  Cancelling twice is harmless while the flow
 * exists.  A flow that ends in the same step keeps its own result.
 */
void ngx_amt_flow_cancel(ngx_amt_flow_t *f);

/*
 * Nested; while > 0 neither cancel nor budget interrupt the flow.  What runs
 * inside must end by itself (every operation has a timeout of its own).  A
 * section ends at the latest when the frame that opened it returns.  A flow
 * whose budget ended meanwhile keeps its result when it has nothing more to
 * wait for; else it ends with ERR_BUDGET at the next wait.
 */
void ngx_amt_flow_shield(ngx_amt_flow_t *f);
void ngx_amt_flow_unshield(ngx_amt_flow_t *f);

/*
 * For timeouts of operations: the smaller of max and the ms left of the
 * budget (at least 1); max in a shielded section, which may go beyond it.
 */
ngx_msec_t ngx_amt_flow_left(ngx_amt_flow_t *f, ngx_msec_t max);


/*
 * For operations.  wait() registers the pending operation and returns its
 * sequence number (never 0; what is a static string for logs); the operation
 * then returns NGX_AGAIN.  Completion calls wake() once with the number; a
 * wrong number is logged as alert and ignored.  wake() inside the start of
 * the operation is allowed.  wake() never runs the flow, it is run from
 * nginx's posted events in the same loop turn.  After cancel(data) no wake
 * may follow; cancel must not touch the flow.  wait() is called from a body.
 */
uint64_t ngx_amt_flow_wait(ngx_amt_flow_t *f, const char *what,
    ngx_amt_cancel_pt cancel, void *data);
void ngx_amt_flow_wake(ngx_amt_flow_t *f, uint64_t seq, ngx_int_t rc);

/*
 * Sets the flow's error, formatted as ngx_sprintf into the flow's pool, and
 * returns NGX_ERROR.  The first error stays until ngx_amt_flow_clear().
 */
ngx_int_t ngx_amt_flow_error(ngx_amt_flow_t *f, ngx_amt_err_e code,
    const char *fmt, ...);
void ngx_amt_flow_clear(ngx_amt_flow_t *f);

/* Operation: sleeps ms. */
ngx_int_t ngx_amt_flow_sleep(ngx_amt_flow_t *f, ngx_msec_t ms);

/*
 * Operation: runs handler(data) in a thread of the pool.  data: size bytes
 * that the task owns, copied from *data before and back to *data after, so
 * that a cancelled flow leaves nothing behind; drop (optional) frees what
 * hangs on the copy when the flow was cancelled meanwhile.  A task whose flow
 * was cancelled before a thread took it is not run, only dropped.  The copy is
 * wiped.  The pool's queue being full is ERR_BUSY.  The handler's own result
 * is in data; the operation's is NGX_OK when it ran.
 */
ngx_int_t ngx_amt_flow_thread(ngx_amt_flow_t *f, ngx_thread_pool_t *pool,
    void (*handler)(void *data, ngx_log_t *log), void (*drop)(void *data),
    void *data, size_t size);

/*
 * Lists the live flows of this worker, for the debug location and for logs.
 * line: "name:line > name:line waiting for what 3.2s"; the strings are gone
 * when the handler returns, which must not start or end a flow.
 */
typedef struct {
    ngx_str_t         line;              /* all of it */
    ngx_str_t         stack;             /* "name:line > name:line" */
    const char       *name;
    const char       *what;              /* "vault"; NULL: running */
    ngx_msec_t        waiting;           /* ms */
    ngx_msec_t        age;               /* ms */
    ngx_msec_t        left;              /* of the budget; 0: none */
    unsigned          shielded:1;
    unsigned          cancelled:1;
} ngx_amt_flow_info_t;

typedef void (*ngx_amt_flow_each_pt)(void *data, ngx_amt_flow_info_t *info);

void ngx_amt_flow_each(ngx_amt_flow_each_pt handler, void *data);

typedef struct {
    ngx_uint_t        live;
    ngx_uint_t        created;
    ngx_uint_t        failed;            /* ended with NGX_ERROR */
    ngx_uint_t        cancelled;         /* of these: by the owner */
    ngx_uint_t        budget;            /* of these: time used up */
    ngx_uint_t        tasks;             /* thread tasks in flight */
    ngx_uint_t        orphans;           /* of these: flow is gone */
} ngx_amt_flow_stats_t;

void ngx_amt_flow_stats(ngx_amt_flow_stats_t *stats);

/* exit_process: drops all flows (operations cancelled, secrets wiped). */
void ngx_amt_flow_exit(void);


#define ngx_amt_begin(f, v)                                                   \
    do {                                                                      \
        if ((v)->frame.resume) {                                              \
            goto *(v)->frame.resume;                                          \
        }                                                                     \
    } while (0)

/* Awaits op; its result is left in (v)->frame.rc, whatever it is. */

#define ngx_amt_await_rc(f, v, op)                                            \
    do {                                                                      \
        __label__ ngx_amt_resume;                                             \
        (v)->frame.line = __LINE__;                                           \
        (v)->frame.resume = &&ngx_amt_resume;                                 \
        (v)->frame.rc = (op);                                                 \
        if ((v)->frame.rc == NGX_AGAIN) {                                     \
            return NGX_AGAIN;                                                 \
        }                                                                     \
        ngx_amt_resume: (void) 0;                                             \
    } while (0)

/* Awaits op; anything but NGX_OK goes to fail. */

#define ngx_amt_await(f, v, op)                                               \
    do {                                                                      \
        ngx_amt_await_rc(f, v, op);                                           \
        if ((v)->frame.rc != NGX_OK) {                                        \
            goto fail;                                                        \
        }                                                                     \
    } while (0)

#define ngx_amt_end(f, v)  return NGX_OK


#endif /* _NGX_AMT_FLOW_H_INCLUDED_ */
