
/*
 * The flow engine on its own, in virtual time: what ngx_amt_flow.h promises,
 * what it does about misuse, and thousands of random flows that are cancelled
 * at random moments.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "flow/ngx_amt_flow.h"
#include "tap.h"


#define FLOWS  20000


static ngx_log_t    test_log;
static ngx_uint_t   alerts;
static char         last_line[NGX_MAX_ERROR_STR];


static void
writer(ngx_log_t *log, ngx_uint_t level, u_char *buf, size_t len)
{
    if (level <= NGX_LOG_ALERT) {
        alerts++;
    }

    len = ngx_min(len, sizeof(last_line) - 1);
    memcpy(last_line, buf, len);
    last_line[len] = '\0';
}


static ngx_uint_t
alerts_since(void)
{
    ngx_uint_t  n = alerts;

    alerts = 0;
    return n;
}


/* One loop turn as nginx's: timers, then what was posted. */

static void
turn(ngx_msec_t ms)
{
    ngx_current_msec += ms;
    ngx_event_expire_timers();
    ngx_event_process_posted((ngx_cycle_t *) ngx_cycle, &ngx_posted_events);
}


/* ---- an operation that completes from outside ---------------------------- */

typedef struct {
    ngx_queue_t      queue;
    ngx_amt_flow_t  *flow;
    uint64_t         seq;
    ngx_uint_t       cancelled;
} op_t;


static ngx_queue_t  ops;
static ngx_uint_t   ops_live, ops_cancelled;


static void
op_cancel(void *data)
{
    op_t  *op = data;

    if (op->cancelled++) {
        abort();
    }

    ngx_queue_remove(&op->queue);
    free(op);
    ops_live--;
    ops_cancelled++;
}


static ngx_int_t
op_start(ngx_amt_flow_t *f)
{
    op_t  *op = calloc(1, sizeof(op_t));

    ngx_queue_insert_tail(&ops, &op->queue);
    ops_live++;

    op->flow = f;
    op->seq = ngx_amt_flow_wait(f, "op", op_cancel, op);

    return NGX_AGAIN;
}


static void
op_complete(op_t *op, ngx_int_t rc)
{
    ngx_amt_flow_t  *f = op->flow;
    uint64_t         seq = op->seq;

    ngx_queue_remove(&op->queue);
    free(op);
    ops_live--;

    ngx_amt_flow_wake(f, seq, rc);
}


static op_t *
op_first(void)
{
    return ngx_queue_empty(&ops) ? NULL
                  : ngx_queue_data(ngx_queue_head(&ops), op_t, queue);
}


static ngx_int_t
op_at_once(ngx_amt_flow_t *f, ngx_int_t rc)
{
    ngx_amt_flow_wake(f, ngx_amt_flow_wait(f, "at once", NULL, NULL), rc);
    return NGX_AGAIN;
}


/* ---- what flows do in the single tests ----------------------------------- */

typedef struct {
    ngx_amt_frame_t  frame;
    ngx_uint_t       what;
    ngx_uint_t       i;
    ngx_uint_t       seen;
    void            *mine;
} frame_t;


static ngx_uint_t  drops, dones, bodies;
static ngx_int_t   done_rc;
static ngx_amt_err_e  done_err;
static char        done_text[512];
static ngx_uint_t  done_gone;


static void
frame_drop(void *data)
{
    frame_t  *v = data;

    drops++;
    free(v->mine);
}


static void
on_done(ngx_amt_flow_t *f, ngx_int_t rc, void *data)
{
    size_t  n = ngx_min(f->err.text.len, sizeof(done_text) - 1);

    dones++;
    done_rc = rc;
    done_err = f->err.code;
    done_gone = f->client_gone;
    memcpy(done_text, f->err.text.data ? f->err.text.data : (u_char *) "", n);
    done_text[n] = '\0';
}


enum {
    SLEEP = 1, AT_ONCE, OP, SUB, SWITCH, FAIL, SILENT, SHIELD, LEAVE_SHIELD,
    SHIELD_ALL, SHIELD_ONE, EMPTY, NOTHING, TWO, FORGOTTEN, FORGOTTEN_CALL,
    DEEP, TWICE, UNSHIELD, AGAIN, CANCEL_SELF, NEVER_CALLED, CALL_BESIDE,
    RC, NO_FRAME, LONG_CHAIN
};


static ngx_int_t frame_body(ngx_amt_flow_t *f, void *data);


static frame_t *
frame(ngx_amt_flow_t *f, ngx_uint_t what)
{
    frame_t  *v;

    v = ngx_amt_frame_alloc(f, "frame", sizeof(frame_t), frame_body,
                            frame_drop);
    v->what = what;
    v->mine = malloc(10);

    return v;
}


static ngx_int_t
frame_body(ngx_amt_flow_t *f, void *data)
{
    frame_t  *v = data;

    bodies++;

    ngx_amt_begin(f, v);

    switch (v->what) {

    case SLEEP:
        ngx_amt_await(f, v, ngx_amt_flow_sleep(f, 100));
        ngx_amt_await(f, v, ngx_amt_flow_sleep(f, 100));
        break;

    case AT_ONCE:
        for (v->i = 0; v->i < 1000; v->i++) {
            ngx_amt_await(f, v, op_at_once(f, NGX_OK));
        }
        break;

    case OP:
        ngx_amt_await(f, v, op_start(f));
        break;

    case SUB:
        ngx_amt_await(f, v, ngx_amt_call(f, frame(f, OP)));
        ngx_amt_await(f, v, ngx_amt_call(f, frame(f, SLEEP)));
        break;

    case SWITCH:
        for (v->i = 0; v->i < 3; v->i++) {
            switch (v->i) {
            case 0:
                ngx_amt_await(f, v, op_start(f));
                v->seen |= 1;
                break;
            case 1:
                ngx_amt_await(f, v, op_at_once(f, NGX_OK));
                v->seen |= 2;
                break;
            default:
                ngx_amt_await(f, v, ngx_amt_flow_sleep(f, 1));
                v->seen |= 4;
            }
        }
        return v->seen == 7 ? NGX_OK : NGX_ERROR;

    case FAIL:
        ngx_amt_await(f, v, ngx_amt_flow_error(f, NGX_AMT_ERR_CONFLICT,
                                               "row %d", 7));
        break;

    case SILENT:
        return NGX_ERROR;

    case SHIELD:
        ngx_amt_flow_shield(f);
        ngx_amt_flow_shield(f);
        ngx_amt_await(f, v, op_start(f));
        ngx_amt_flow_unshield(f);
        ngx_amt_await(f, v, op_start(f));
        v->seen = 1;
        ngx_amt_flow_unshield(f);
        ngx_amt_await(f, v, op_start(f));
        break;

    case SHIELD_ALL:

        /* the section ends with its frame, work without waiting follows */

        ngx_amt_await_rc(f, v, ngx_amt_call(f, frame(f, SHIELD_ONE)));
        v->seen = v->frame.rc == NGX_OK;
        if (v->frame.rc != NGX_OK) {
            return v->frame.rc;
        }
        ngx_amt_await(f, v, op_at_once(f, NGX_OK));
        ngx_amt_await(f, v, ngx_amt_call(f, frame(f, EMPTY)));
        break;

    case SHIELD_ONE:
        ngx_amt_flow_shield(f);
        ngx_amt_await_rc(f, v, op_start(f));
        return v->frame.rc;

    case LEAVE_SHIELD:
        ngx_amt_await_rc(f, v, ngx_amt_call(f, frame(f, SHIELD)));
        ngx_amt_await(f, v, op_start(f));
        break;

    case NOTHING:
        return NGX_AGAIN;

    case TWO:
        (void) op_start(f);
        ngx_amt_await(f, v, op_start(f));
        break;

    case FORGOTTEN:
        (void) op_start(f);
        return NGX_OK;

    case FORGOTTEN_CALL:
        (void) ngx_amt_call(f, frame(f, OP));
        return NGX_OK;

    case DEEP:
        ngx_amt_await(f, v, ngx_amt_call(f, frame(f, DEEP)));
        break;

    case TWICE:
        v->frame.rc = NGX_OK;
        v->frame.parent = NULL;
        ngx_amt_await(f, v, ngx_amt_call(f, v));
        break;

    case UNSHIELD:
        ngx_amt_flow_unshield(f);
        break;

    case AGAIN:
        ngx_amt_await(f, v, op_at_once(f, NGX_AGAIN));
        break;

    case CANCEL_SELF:
        ngx_amt_flow_cancel(f);
        ngx_amt_flow_cancel(f);
        ngx_amt_await(f, v, op_start(f));
        break;

    case NEVER_CALLED:
        (void) frame(f, OP);
        ngx_amt_frame_free(f, frame(f, OP));
        (void) frame(f, OP);
        break;

    case CALL_BESIDE:
        (void) op_start(f);
        ngx_amt_await(f, v, ngx_amt_call(f, frame(f, OP)));
        break;

    case RC:
        ngx_amt_await_rc(f, v, op_at_once(f, NGX_DECLINED));
        return v->frame.rc;

    case NO_FRAME:
        ngx_amt_await(f, v, ngx_amt_call(f, NULL));
        break;

    default:
        break;
    }

    ngx_amt_end(f, v);

fail:

    return v->frame.rc;
}


static ngx_amt_flow_t *
run(ngx_uint_t what, ngx_msec_t budget)
{
    ngx_amt_flow_t  *f;

    drops = dones = bodies = 0;
    ops_cancelled = 0;
    done_rc = 99;
    done_err = NGX_AMT_ERR_NONE;
    (void) alerts_since();

    f = ngx_amt_flow_create("test", &test_log, budget, on_done, NULL);
    ngx_amt_flow_start(f, frame(f, what));

    return f;
}


static void
test_promises(void)
{
    op_t            *op;
    ngx_uint_t       i;
    ngx_amt_flow_t  *f;

    (void) run(SLEEP, 0);
    turn(99);
    ok(dones == 0, "sleeps");
    turn(1);
    turn(100);
    ok(dones == 1 && done_rc == NGX_OK && drops == 1 && bodies == 3, "wakes");

    (void) run(AT_ONCE, 0);
    ok(dones == 1 && done_rc == NGX_OK, "completion within start is looped");

    (void) run(SUB, 0);
    op_complete(op_first(), NGX_OK);
    ok(bodies == 2, "wake does not run the flow");
    turn(0);
    turn(100);
    turn(100);
    ok(dones == 1 && done_rc == NGX_OK && drops == 3, "sub-flows");

    (void) run(SUB, 0);
    op_complete(op_first(), NGX_DECLINED);
    turn(0);
    ok(dones == 1 && done_rc == NGX_DECLINED && drops == 2
       && done_err == NGX_AMT_ERR_NONE, "results go up unchanged");

    (void) run(SWITCH, 0);
    op_complete(op_first(), NGX_OK);
    turn(0);
    turn(1);
    ok(dones == 1 && done_rc == NGX_OK, "await inside a switch in a loop");

    (void) run(FAIL, 0);
    ok(dones == 1 && done_rc == NGX_ERROR && done_err == NGX_AMT_ERR_CONFLICT
       && !strcmp(done_text, "row 7"), "error");

    (void) run(SILENT, 0);
    ok(dones == 1 && done_err == NGX_AMT_ERR_INTERNAL, "error without a word");

    (void) run(RC, 0);
    ok(dones == 1 && done_rc == NGX_DECLINED, "await_rc");

    (void) run(NO_FRAME, 0);
    ok(dones == 1 && done_err == NGX_AMT_ERR_INTERNAL, "no frame");

    dones = 0;
    f = ngx_amt_flow_create("test", &test_log, 0, on_done, NULL);
    ngx_amt_flow_start(f, NULL);
    ok(dones == 1 && done_rc == NGX_ERROR, "no first frame");

    dones = 0;
    f = ngx_amt_flow_create("test", &test_log, 5, on_done, NULL);
    ngx_amt_flow_cancel(f);
    ok(dones == 1 && done_err == NGX_AMT_ERR_CANCELLED,
       "cancelled before the start");

    f = run(SUB, 1000);
    ngx_amt_flow_cancel(f);
    ok(dones == 1 && done_err == NGX_AMT_ERR_CANCELLED && drops == 2
       && ops_cancelled == 1 && done_gone, "cancel");

    f = run(SUB, 1000);
    op_complete(op_first(), NGX_OK);
    ngx_amt_flow_cancel(f);
    ok(dones == 1 && ops_cancelled == 0 && drops == 2,
       "cancel of a woken flow");
    turn(0);
    turn(2000);

    (void) run(CANCEL_SELF, 0);
    ok(dones == 1 && done_err == NGX_AMT_ERR_CANCELLED && ops_cancelled == 1,
       "cancel on the stack");

    (void) run(SUB, 500);
    turn(499);
    ok(dones == 0, "budget not used up");
    turn(1);
    ok(dones == 1 && done_err == NGX_AMT_ERR_BUDGET && ops_cancelled == 1
       && strstr(done_text, "waiting for op 0.5s"), "budget: %s", done_text);

    f = run(SHIELD, 0);
    ngx_amt_flow_cancel(f);
    ok(dones == 0 && f->client_gone, "shielded from cancel");
    op_complete(op_first(), NGX_OK);
    turn(0);
    ok(dones == 0, "nested");
    op_complete(op_first(), NGX_OK);
    turn(0);
    ok(dones == 1 && done_err == NGX_AMT_ERR_CANCELLED && ops_cancelled == 1,
       "cancelled when the section ends");

    f = run(SHIELD, 300);
    turn(299);
    turn(1);
    ok(dones == 0, "shielded from the budget");
    ok(ngx_event_no_timers_left() == NGX_AGAIN, "and holds the worker");
    ok(ngx_amt_flow_left(f, 700) == 700, "operations get their time");
    for (i = 0; i < 5; i++) {
        turn(1000);
    }
    ok(ngx_event_no_timers_left() == NGX_AGAIN, "still");
    op_complete(op_first(), NGX_OK);
    turn(0);
    op_complete(op_first(), NGX_OK);
    turn(0);
    ok(dones == 1 && done_err == NGX_AMT_ERR_BUDGET, "budget after it");

    f = run(SHIELD_ALL, 300);
    turn(300);
    ok(dones == 0, "shielded to its end");
    op_complete(op_first(), NGX_OK);
    turn(0);
    ok(dones == 1 && done_rc == NGX_OK && done_err == NGX_AMT_ERR_NONE,
       "what was done in it counts, also when the budget ended");

    f = run(SHIELD_ALL, 300);
    turn(300);
    op_complete(op_first(), NGX_DECLINED);
    turn(0);
    ok(dones == 1 && done_rc == NGX_DECLINED, "whatever the result is");

    f = run(SHIELD_ALL, 300);
    turn(300);
    op_complete(op_first(), NGX_ERROR);
    turn(0);
    ok(dones == 1 && done_rc == NGX_ERROR && done_err == NGX_AMT_ERR_INTERNAL,
       "a failure keeps its reason");

    f = run(SHIELD_ALL, 300);
    turn(300);
    ngx_amt_flow_cancel(f);
    op_complete(op_first(), NGX_OK);
    turn(0);
    ok(dones == 1 && done_rc == NGX_OK, "cancelled after its time: no change");

    f = run(SHIELD_ALL, 300);
    ngx_amt_flow_cancel(f);
    op_complete(op_first(), NGX_OK);
    turn(0);
    ok(dones == 1 && done_err == NGX_AMT_ERR_CANCELLED,
       "cancelled within its time: nobody asks");

    f = run(LEAVE_SHIELD, 0);
    op = op_first();
    op_complete(op, NGX_ERROR);
    turn(0);
    ok(dones == 0, "frame failed in a section");
    ngx_amt_flow_cancel(f);
    ok(dones == 1 && done_err == NGX_AMT_ERR_CANCELLED,
       "the section ended with it");

    f = run(SHIELD, 0);
    ok(ngx_event_no_timers_left() == NGX_AGAIN,
       "a section without budget holds the worker, too");
    op_complete(op_first(), NGX_OK);
    turn(0);
    op_complete(op_first(), NGX_OK);
    turn(0);
    ok(ngx_event_no_timers_left() == NGX_OK, "until it ends");
    op_complete(op_first(), NGX_OK);
    turn(0);
    ok(dones == 1 && done_rc == NGX_OK, "and goes on");

    (void) run(SLEEP, 0);
    ok(ngx_event_no_timers_left() == NGX_OK,
       "a flow without budget does not hold the worker");
    turn(100);
    turn(100);

    f = run(OP, 250);
    ok(ngx_event_no_timers_left() == NGX_AGAIN, "one with a budget does");
    ok(ngx_amt_flow_left(f, 1000) == 250 && ngx_amt_flow_left(f, 100) == 100,
       "left");
    (void) ngx_amt_flow_error(f, NGX_AMT_ERR_LOST, "first");
    (void) ngx_amt_flow_error(f, NGX_AMT_ERR_BUSY, "second");
    ok(f->err.code == NGX_AMT_ERR_LOST, "the first error stays");
    ngx_amt_flow_clear(f);
    (void) ngx_amt_flow_error(f, NGX_AMT_ERR_BUSY, "second");
    ok(f->err.code == NGX_AMT_ERR_BUSY, "until it is cleared");
    ngx_log_error(NGX_LOG_ERR, f->log, 0, "message");
    ok(strstr(last_line, "message, flow: \"test\" frame:")
       && strstr(last_line, "waiting for op 0.0s"), "log: %s", last_line);
    ngx_amt_flow_cancel(f);

    (void) run(NEVER_CALLED, 0);
    ok(dones == 1 && drops == 4 && done_rc == NGX_OK,
       "frames that were never called are dropped");

    ok(alerts_since() == 0, "no alerts");
    ok(ops_live == 0 && ngx_event_no_timers_left() == NGX_OK, "nothing left");
}


static void
test_misuse(void)
{
    uint64_t         seq;
    ngx_amt_flow_t  *f;

    (void) run(NOTHING, 0);
    ok(dones == 1 && done_err == NGX_AMT_ERR_INTERNAL && alerts_since() == 1
       && strstr(last_line, "AGAIN but nothing awaited in frame:"),
       "AGAIN but nothing awaited: %s", last_line);

    (void) run(TWO, 0);
    ok(ops_cancelled == 1 && alerts_since() == 1, "two operations at once");
    op_complete(op_first(), NGX_OK);
    turn(0);
    ok(dones == 1 && done_rc == NGX_ERROR && done_err == NGX_AMT_ERR_INTERNAL,
       "fail the flow");

    (void) run(FORGOTTEN, 0);
    ok(dones == 1 && done_rc == NGX_ERROR && ops_cancelled == 1
       && alerts_since() == 1, "operation not awaited");

    (void) run(FORGOTTEN_CALL, 0);
    ok(dones == 1 && done_rc == NGX_ERROR && drops == 2
       && alerts_since() == 1, "call not awaited");

    (void) run(CALL_BESIDE, 0);
    ok(dones == 1 && done_rc == NGX_ERROR && drops == 2 && ops_cancelled == 1
       && alerts_since() == 2, "call beside an operation");

    (void) run(DEEP, 0);
    ok(dones == 1 && done_rc == NGX_ERROR && drops == NGX_AMT_FLOW_DEPTH + 1
       && alerts_since() == 1, "endless recursion");

    (void) run(TWICE, 0);
    ok(dones == 1 && done_rc == NGX_ERROR && drops == 1
       && alerts_since() == 1, "frame called twice");

    (void) run(UNSHIELD, 0);
    ok(dones == 1 && done_rc == NGX_OK && alerts_since() == 1,
       "end of no section");

    (void) run(AGAIN, 0);
    ok(dones == 1 && done_rc == NGX_ERROR && alerts_since() == 1,
       "completion with AGAIN");

    f = run(OP, 0);
    seq = op_first()->seq;
    ngx_amt_flow_wake(f, seq + 1, NGX_OK);
    ngx_amt_flow_wake(f, 0, NGX_OK);
    turn(0);
    ok(dones == 0 && alerts_since() == 2, "wrong number");
    op_complete(op_first(), NGX_OK);
    ngx_amt_flow_wake(f, seq, NGX_ERROR);
    turn(0);
    ok(dones == 1 && done_rc == NGX_OK && alerts_since() == 1, "second wake");
}


/* ---- chains -------------------------------------------------------------- */

static ngx_uint_t  chain_left;


static void
chain_done(ngx_amt_flow_t *f, ngx_int_t rc, void *data)
{
    op_t  *op;

    /* each flow that ends wakes the next */

    chain_left--;
    op = op_first();

    if (op) {
        op_complete(op, NGX_OK);
    }
}


static void
test_chain(void)
{
    ngx_uint_t       i;
    ngx_amt_flow_t  *f;

    chain_left = 100000;

    for (i = 0; i < 100000; i++) {
        f = ngx_amt_flow_create("chain", &test_log, 0, chain_done, NULL);
        ngx_amt_flow_start(f, frame(f, OP));
    }

    op_complete(op_first(), NGX_OK);
    turn(0);

    ok(chain_left == 0, "100000 flows that wake each other need no stack");
}


/* ---- random flows -------------------------------------------------------- */

typedef struct {
    ngx_amt_flow_t  *flow;
    ngx_uint_t       frames;             /* alive */
    ngx_uint_t       done;
    ngx_uint_t       shielded;           /* by our own count */
    ngx_uint_t       cancelled;
    ngx_msec_t       deadline;
    ngx_uint_t       destroyed;
} random_t;


typedef struct {
    ngx_amt_frame_t  frame;
    random_t        *r;
    ngx_uint_t       depth;
    ngx_uint_t       steps;
    ngx_uint_t       next;               /* step expected */
    ngx_uint_t       dice;
    ngx_uint_t       shields;
    void            *mine;
} random_frame_t;


static uint32_t    rng = 12345;
static ngx_uint_t  random_bad, random_steps, random_late;


static uint32_t
dice(uint32_t sides)
{
    rng ^= rng << 13;
    rng ^= rng >> 17;
    rng ^= rng << 5;

    return rng % sides;
}


static void
random_drop(void *data)
{
    random_frame_t  *v = data;

    if (v->r->done || v->mine == NULL) {
        random_bad++;
    }

    v->r->frames--;
    free(v->mine);
    v->mine = NULL;
}


static ngx_int_t random_body(ngx_amt_flow_t *f, void *data);


static random_frame_t *
random_frame(random_t *r, ngx_uint_t depth)
{
    random_frame_t  *v;

    v = ngx_amt_frame_alloc(r->flow, "random", sizeof(random_frame_t),
                            random_body, random_drop);
    v->r = r;
    v->depth = depth;
    v->steps = dice(8);
    v->mine = malloc(16);
    r->frames++;

    return v;
}


static void
random_done(ngx_amt_flow_t *f, ngx_int_t rc, void *data)
{
    random_t  *r = data;

    if (r->done++ || r->frames || r->shielded
        || (rc == NGX_ERROR && f->err.code == NGX_AMT_ERR_NONE))
    {
        random_bad++;
    }

    r->flow = NULL;
}


static ngx_int_t
random_body(ngx_amt_flow_t *f, void *data)
{
    random_frame_t  *v = data;

    random_steps++;

    ngx_amt_begin(f, v);

    for (v->next = 0; v->next < v->steps; v->next++) {
        v->dice = dice(14);

        switch (v->dice) {

        case 0:
        case 1:
            ngx_amt_await(f, v, ngx_amt_flow_sleep(f, dice(40)));
            break;

        case 2:
        case 3:
        case 4:
            ngx_amt_await_rc(f, v, op_start(f));
            break;

        case 5:
            ngx_amt_await(f, v, op_at_once(f, dice(9) ? NGX_OK : NGX_ERROR));
            break;

        case 6:
        case 7:
        case 8:
            if (v->depth < 6) {
                ngx_amt_await(f, v, ngx_amt_call(f,
                                      random_frame(v->r, v->depth + 1)));
            }
            break;

        case 9:
            ngx_amt_flow_shield(f);
            v->shields++;
            v->r->shielded++;
            break;

        case 10:
            if (v->shields) {
                ngx_amt_flow_unshield(f);
                v->shields--;
                v->r->shielded--;
            }
            break;

        case 11:
            if (dice(20) == 0) {
                ngx_amt_flow_cancel(f);
                v->r->cancelled = 1;
            }
            break;

        case 12:
            if (dice(10) == 0) {
                ngx_amt_await(f, v, ngx_amt_flow_error(f, NGX_AMT_ERR_BUSY,
                                                       "dice"));
            }
            break;

        default:
            if (dice(4) == 0) {
                /* allocated, never called */
                (void) random_frame(v->r, v->depth);
            }
        }

        if (v->mine == NULL) {
            random_bad++;
        }
    }

    v->r->shielded -= v->shields;
    v->shields = 0;

    ngx_amt_end(f, v);

fail:

    v->r->shielded -= v->shields;
    v->shields = 0;

    return v->frame.rc;
}


static void
test_random(void)
{
    op_t                  *op;
    random_t              *all, *r;
    ngx_uint_t             i, k, open, started;
    ngx_amt_flow_stats_t   stats;

    all = calloc(FLOWS, sizeof(random_t));
    started = 0;
    (void) alerts_since();

    do {
        for (i = 0; i < 20 && started < FLOWS; i++) {
            r = &all[started++];
            k = dice(3) ? 20 + dice(300) : 0;

            r->flow = ngx_amt_flow_create("random", &test_log, k, random_done,
                                          r);
            r->deadline = k ? ngx_current_msec + k : 0;
            ngx_amt_flow_start(r->flow, random_frame(r, 0));
        }

        turn(dice(10));

        for (i = dice(40); i > 0; i--) {
            op = op_first();

            if (op == NULL) {
                break;
            }

            op_complete(op, dice(12) ? NGX_OK : NGX_DECLINED);
        }

        for (i = dice(6); i > 0; i--) {
            r = &all[dice(started)];

            if (r->flow) {
                r->cancelled = 1;
                k = r->shielded;
                ngx_amt_flow_cancel(r->flow);

                if ((k == 0) != (r->done != 0)) {
                    random_bad++;
                }
            }
        }

        open = 0;

        for (i = 0; i < started; i++) {
            r = &all[i];

            if (r->flow == NULL) {
                continue;
            }

            open++;

            if (r->shielded == 0 && r->deadline
                && (ngx_msec_int_t) (r->deadline - ngx_current_msec) < 0)
            {
                random_late++;
            }
        }

    } while (open || started < FLOWS);

    turn(0);

    for (i = 0, k = 0; i < FLOWS; i++) {
        k += (all[i].done == 1 && all[i].frames == 0);
    }

    ok(k == FLOWS, "%d random flows ended once, their frames were dropped",
       FLOWS);
    ok(random_bad == 0, "nothing odd in %lu steps", (unsigned long)
       random_steps);
    ok(random_late == 0, "no flow outlived its budget");
    ok(ops_live == 0, "no operation is left");
    ok(alerts_since() == 0, "no alerts");

    ngx_amt_flow_stats(&stats);
    ok(stats.live == 0 && stats.cancelled && stats.budget && stats.failed,
       "counters: %lu created, %lu failed, %lu cancelled, %lu overdue",
       (unsigned long) stats.created, (unsigned long) stats.failed,
       (unsigned long) stats.cancelled, (unsigned long) stats.budget);
    ok(ngx_event_no_timers_left() == NGX_OK, "no timer is left");

    free(all);
}


static void
each(void *data, ngx_amt_flow_info_t *info)
{
    ngx_str_t  *line = data;

    memcpy(line->data + line->len, info->line.data, info->line.len);
    line->len += info->line.len;
    line->data[line->len] = '\0';
}


static void
test_exit(void)
{
    char        text[2048];
    ngx_str_t   line = { 0, (u_char *) text };

    (void) run(SUB, 1000);
    turn(150);
    ngx_amt_flow_each(each, &line);
    ok(strstr(text, "frame:") && strstr(text, " > frame:")
       && strstr(text, " waiting for op 0.1s"), "listed: %s", text);

    drops = dones = ops_cancelled = 0;
    ngx_amt_flow_exit();
    ok(dones == 0 && drops == 2 && ops_cancelled == 1,
       "a worker that exits drops its flows");
    ok(ngx_amt_flow_create("late", &test_log, 0, on_done, NULL) == NULL,
       "and starts no new ones");
    ok(ngx_event_no_timers_left() == NGX_OK, "no timer is left");
}


int
main(void)
{
    static ngx_cycle_t  cycle;

    ngx_use_stderr = 0;
    ngx_time_init();
    ngx_pagesize = getpagesize();
    ngx_cacheline_size = 64;

    test_log.log_level = NGX_LOG_INFO;
    test_log.writer = writer;

    cycle.log = &test_log;
    ngx_cycle = &cycle;

    ngx_queue_init(&ops);
    ngx_queue_init(&ngx_posted_events);
    ngx_event_timer_init(&test_log);
    ngx_current_msec = 1000000;

    test_promises();
    test_misuse();
    test_chain();
    test_random();
    test_exit();

    return done();
}
