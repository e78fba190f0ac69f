
/*
 * One operation of the store on its way through a backend.  Private to
 * store/.
 */


#ifndef _NGX_AMT_STORE_OP_H_INCLUDED_
#define _NGX_AMT_STORE_OP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "store/ngx_amt_store.h"


typedef enum {
    NGX_AMT_STORE_OP_GET = 0,
    NGX_AMT_STORE_OP_LIST,
    NGX_AMT_STORE_OP_STATS,
    NGX_AMT_STORE_OP_TAGS,
    NGX_AMT_STORE_OP_HEALTH,
    NGX_AMT_STORE_OP_INSERT,             /* this and following write */
    NGX_AMT_STORE_OP_UPDATE,
    NGX_AMT_STORE_OP_DELETE,
    NGX_AMT_STORE_OP_EVENTS,
    NGX_AMT_STORE_OP_RESET
} ngx_amt_store_op_e;


/*
 * Owns its pool, which holds copies of the arguments and the results; a
 * thread may use it while the flow is gone.
 */

typedef struct {
    ngx_pool_t              *pool;
    ngx_amt_store_op_e       type;

    ngx_str_t                guid;
    ngx_str_t                tenant;             /* data == NULL: any */
    ngx_str_t                instance;
    ngx_uint_t               fields;
    ngx_amt_store_query_t    query;
    ngx_amt_store_event_t   *events;
    ngx_str_t               *keep;               /* sorted */
    ngx_uint_t               n;                  /* of events or keep */

    /* results; row is the argument of insert and update too */
    ngx_amt_store_device_t   row;
    ngx_array_t              rows;               /* or tags */
    ngx_amt_store_stats_t    stats;
    ngx_int_t                rc;
    ngx_amt_err_e            code;
    const char              *text;               /* static */

    void                    *backend;            /* its own */

    /* private to ngx_amt_store.c */
    ngx_amt_flow_t          *flow;               /* NULL: cancelled */
    uint64_t                 seq;
    void                    *out;
} ngx_amt_store_op_t;


typedef struct {
    ngx_str_t                name;               /* as the health call says */

    /*
     * Starts an operation.  NGX_OK: ngx_amt_store_done() follows from the
     * event loop, not from within.  NGX_ERROR: op->code and op->text are set.
     */
    ngx_int_t              (*submit)(void *data, ngx_amt_store_op_t *op);

    /* Tries to take it back; NGX_OK: ngx_amt_store_done() will not follow. */
    ngx_int_t              (*revoke)(void *data, ngx_amt_store_op_t *op);
} ngx_amt_store_backend_t;


typedef struct {
    const ngx_amt_store_backend_t  *backend;     /* NULL: not configured */
    void                           *data;        /* the backend's */
    ngx_str_t                       instance;
} ngx_amt_store_t;


/* The store of the running cycle, from the module's configuration. */
ngx_amt_store_t *ngx_amt_store_current(void);

/* A backend has finished an operation. */
void ngx_amt_store_done(ngx_amt_store_op_t *op);


#endif /* _NGX_AMT_STORE_OP_H_INCLUDED_ */
