
/*
 * Inside of the flow engine, for its own files only.
 */


#ifndef _NGX_AMT_FLOW_PRIV_H_INCLUDED_
#define _NGX_AMT_FLOW_PRIV_H_INCLUDED_


#include "flow/ngx_amt_flow.h"


#define NGX_AMT_FLOW_LINE  512


typedef struct ngx_amt_flow_priv_s  ngx_amt_flow_priv_t;


struct ngx_amt_flow_priv_s {
    ngx_queue_t           queue;
    const char           *name;
    ngx_amt_done_pt       done;

    ngx_amt_frame_t      *top;
    ngx_amt_frame_t      *fresh;         /* allocated, not yet called */
    ngx_uint_t            depth;
    ngx_uint_t            shield;

    uint64_t              seq;           /* of the pending operation, or 0 */
    const char           *what;
    ngx_msec_t            since;
    ngx_amt_cancel_pt     cancel;
    void                 *cancel_data;
    ngx_int_t             rc;            /* stored by wake */

    ngx_msec_t            started;
    ngx_msec_t            budget;
    ngx_amt_err_e         stop;          /* CANCELLED, BUDGET: asked to end */

    ngx_event_t           timer;         /* budget, then hold */
    ngx_event_t           sleep;
    ngx_event_t           posted;

    ngx_log_t             log;

    unsigned              running:1;
    unsigned              woken:1;
    unsigned              broken:1;      /* misused: the await fails */
};


typedef struct {
    ngx_amt_flow_t        flow;
    ngx_amt_flow_priv_t   priv;
} ngx_amt_flow_mem_t;


/* The flow of an entry of ngx_amt_flows. */

#define ngx_amt_flow_of(q)                                                    \
    (&(ngx_queue_data(q, ngx_amt_flow_mem_t, priv.queue))->flow)


/* "name:line > name:line waiting for what 3.2s"; returns the end. */
u_char *ngx_amt_flow_line(ngx_amt_flow_t *f, u_char *p, u_char *last);

/* Handlers of the flow's log and of its sleep event. */
u_char *ngx_amt_flow_log_error(ngx_log_t *log, u_char *buf, size_t len);
void ngx_amt_flow_sleep_handler(ngx_event_t *ev);

/* At worker exit: frees the tasks whose results nobody will take. */
void ngx_amt_flow_thread_exit(void);


/* Of this worker; nothing of it is touched in the master. */
extern ngx_queue_t           ngx_amt_flows;
extern ngx_amt_flow_stats_t  ngx_amt_flow_counters;


#endif /* _NGX_AMT_FLOW_PRIV_H_INCLUDED_ */
