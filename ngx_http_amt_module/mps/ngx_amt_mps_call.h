
/* The life of one call between the request and its flow; ngx_amt_mps.h. */


#ifndef _NGX_AMT_MPS_CALL_H_INCLUDED_
#define _NGX_AMT_MPS_CALL_H_INCLUDED_


#include "mps/ngx_amt_mps.h"


/* A call, bound to the request's life; NULL: no memory. */
ngx_amt_api_t *ngx_amt_mps_create(ngx_http_request_t *r,
    ngx_amt_mps_conf_t *conf);

/* Copies the identity into the call's pool. */
ngx_int_t ngx_amt_mps_identity(ngx_amt_api_t *api);

/*
 * Runs the route's checks.  NGX_OK; NGX_DECLINED: api->reply is V400;
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_mps_check(ngx_amt_api_t *api, ngx_http_request_t *r);

/*
 * Starts the route's flow; a reference to the request is held and given back
 * with the reply.  The request may be gone when this returns.
 */
void ngx_amt_mps_start(ngx_amt_api_t *api, ngx_http_request_t *r);

/*
 * Keeps the call, its pool and its log beyond its own flow; release may free
 * them.
 */
void ngx_amt_mps_hold(ngx_amt_api_t *api);
void ngx_amt_mps_release(ngx_amt_api_t *api);


#endif /* _NGX_AMT_MPS_CALL_H_INCLUDED_ */
