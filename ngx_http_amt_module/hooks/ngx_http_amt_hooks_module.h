
/*
 * What the files of hooks/ share.
 */


#ifndef _NGX_HTTP_AMT_HOOKS_MODULE_H_INCLUDED_
#define _NGX_HTTP_AMT_HOOKS_MODULE_H_INCLUDED_


#include "hooks/ngx_amt_hooks_json.h"
#include <ngx_http.h>


/* One call; belongs to the request, which stays until the flow is done. */

typedef struct {
    ngx_http_request_t     *request;     /* NULL: gone */
    ngx_amt_flow_t         *flow;
    ngx_str_t               answer;      /* JSON for 200, else empty */
    ngx_uint_t              status;
} ngx_amt_hooks_call_t;


extern ngx_module_t  ngx_http_amt_hooks_module;


/*
 * First frames of the two calls: they own login or batch from now on, also
 * when NULL is returned.  They set call->status, and call->answer in the
 * flow's pool.
 */
void *ngx_amt_hooks_auth_frame(ngx_amt_flow_t *f, ngx_amt_hooks_call_t *call,
    ngx_amt_hooks_login_t *login);
void *ngx_amt_hooks_notify_frame(ngx_amt_flow_t *f,
    ngx_amt_hooks_call_t *call, ngx_amt_hooks_batch_t *batch);

/*
 * Rows that say "connected here" for devices that are not: corrected some
 * seconds after a start, by one worker.
 */
ngx_int_t ngx_amt_hooks_reconcile(ngx_cycle_t *cycle);
void ngx_amt_hooks_reconcile_exit(void);


#endif /* _NGX_HTTP_AMT_HOOKS_MODULE_H_INCLUDED_ */
