
/*
 * POST /bulk/power: one power action on many devices, paced, with a line of
 * JSON for each as it is done (NDJSON).
 *
 * The call's flow lists the devices and then waits; ngx_amt_bulk_run() starts
 * a flow of its own for each device, a bounded number at a time.  They share
 * the call: its pool lives until the last of them has ended, since a device
 * that is being changed is finished although the client is gone.
 */


#ifndef _NGX_AMT_BULK_H_INCLUDED_
#define _NGX_AMT_BULK_H_INCLUDED_


#include "mps/ngx_amt_mps.h"
#include "amt/ngx_amt_capability.h"


#define NGX_AMT_BULK_MAX       10000     /* devices of a call */
#define NGX_AMT_BULK_BODY      (NGX_AMT_BULK_MAX * 48 + 16384)
#define NGX_AMT_BULK_LINE      1024      /* bytes of a line, at most */


/* GUIDs, each once, in the order in which they came. */

typedef struct {
    u_char                *guids;        /* NGX_CIRA_GUID_LEN each */
    ngx_uint_t             n;
    ngx_uint_t             max;
    uint32_t              *index;        /* of n + 1; open addressing */
    ngx_uint_t             mask;
} ngx_amt_bulk_list_t;


/* Room for max GUIDs, from the pool.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_amt_bulk_list_init(ngx_amt_bulk_list_t *list, ngx_pool_t *pool,
    ngx_uint_t max);

/*
 * NGX_OK; NGX_DONE: it is there already; NGX_DECLINED: text is no GUID;
 * NGX_BUSY: the list is full.
 */
ngx_int_t ngx_amt_bulk_list_add(ngx_amt_bulk_list_t *list, u_char *text,
    size_t len);

/* Gives memory of the index back. */
void ngx_amt_bulk_list_done(ngx_amt_bulk_list_t *list, ngx_pool_t *pool);


typedef struct ngx_amt_bulk_s  ngx_amt_bulk_t;

struct ngx_amt_bulk_s {
    ngx_amt_api_t         *api;
    const ngx_amt_op_t    *op;
    json_t                *input;        /* of op */
    ngx_amt_bulk_list_t    list;
    ngx_str_t              detail;       /* of each audit line */

    ngx_uint_t             next;         /* of the list, to be started */
    ngx_uint_t             running;
    ngx_uint_t             good;
    ngx_uint_t             bad;
    ngx_uint_t             skipped;
    ngx_msec_t             start;
    ngx_msec_t             deadline;

    ngx_queue_t            items;        /* running */
    ngx_queue_t            queue;        /* of the worker's bulk calls */
    ngx_event_t            event;        /* something is to be done */
    ngx_event_t            timer;        /* pace */

    ngx_amt_flow_t        *flow;         /* that waits */
    uint64_t               seq;

    /* output */
    ngx_chain_t           *out;          /* filled, to be sent */
    ngx_chain_t          **last;
    ngx_chain_t           *busy;
    ngx_chain_t           *free;
    ngx_buf_t             *buf;          /* being filled, the last of out */
    size_t                 unsent;       /* bytes */

    unsigned               active:1;     /* is in the worker's queue */
    unsigned               broken:1;     /* a line was lost */
    unsigned               ended:1;      /* summary was written */
};


/*
 * Operation: sends the header, runs op on every device of the list, writes
 * their lines and the summary.  NGX_ERROR: the answer cannot be completed.
 */
ngx_int_t ngx_amt_bulk_run(ngx_amt_flow_t *f, ngx_amt_bulk_t *bulk);


/*
 * ---- lines ----
 *
 * Each adds one; NGX_OK or NGX_ERROR.  guid: NGX_CIRA_GUID_TEXT characters;
 * text may come from a device, and is cut.
 */

/* op ended well; start: when it began */
ngx_int_t ngx_amt_bulk_result(ngx_amt_bulk_t *bulk, u_char *guid,
    ngx_amt_result_t *result, ngx_msec_t start);

/* or not */
ngx_int_t ngx_amt_bulk_failure(ngx_amt_bulk_t *bulk, u_char *guid,
    ngx_amt_error_t *err);

/* nothing was done with the device, and why */
ngx_int_t ngx_amt_bulk_refused(ngx_amt_bulk_t *bulk, u_char *guid,
    ngx_uint_t status, const char *text, size_t len);

ngx_int_t ngx_amt_bulk_summary(ngx_amt_bulk_t *bulk);


/* ---- output ---- */

/* Header of the answer; NGX_OK or NGX_ERROR. */
ngx_int_t ngx_amt_bulk_open(ngx_amt_bulk_t *bulk);

/* Adds a line, without its end; NGX_OK or NGX_ERROR. */
ngx_int_t ngx_amt_bulk_line(ngx_amt_bulk_t *bulk, u_char *p, size_t len);

/*
 * Hands what was added to nginx.  NGX_OK; NGX_AGAIN: the client reads slowly,
 * ngx_amt_bulk_wake() is called when it did; NGX_ERROR: finalize the request.
 */
ngx_int_t ngx_amt_bulk_flush(ngx_amt_bulk_t *bulk);

/* The step is run again, in this turn of the loop or in the next one. */
void ngx_amt_bulk_wake(ngx_amt_bulk_t *bulk);


#endif /* _NGX_AMT_BULK_H_INCLUDED_ */
