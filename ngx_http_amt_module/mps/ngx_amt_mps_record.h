
/* Device records and tenant rules shared by the devices routes. */


#ifndef _NGX_AMT_MPS_RECORD_H_INCLUDED_
#define _NGX_AMT_MPS_RECORD_H_INCLUDED_


#include "mps/ngx_amt_mps.h"
#include "store/ngx_amt_store.h"


/* A full record, or a list record without dates.  Contract mps.md 3.2. */
void ngx_amt_mps_record(ngx_amt_out_t *o, ngx_amt_store_device_t *row,
    ngx_uint_t full);

/*
 * The tenant a call works for: the caller's, and only when the caller is
 * bound to none, tenantId of place (query or body).  Contract mps.md 1.8.
 */
void ngx_amt_mps_tenant(ngx_amt_api_t *api, json_t *place, ngx_str_t *tenant);

ngx_uint_t ngx_amt_mps_same(ngx_str_t *a, ngx_str_t *b);

/* "devices/<guid>" of api->device */
ngx_int_t ngx_amt_mps_path(ngx_amt_api_t *api, ngx_str_t *path);

/* 404 {"error":"NOT FOUND","message":"Device ID <guid> not found"} */
ngx_int_t ngx_amt_mps_not_found(ngx_amt_api_t *api, ngx_str_t *guid);

/* {"error":title,"message":first guid second text}; text may be NULL */
ngx_int_t ngx_amt_mps_message(ngx_amt_api_t *api, ngx_uint_t status,
    const char *title, const char *first, ngx_str_t *guid, const char *second,
    ngx_str_t *text);


#endif /* _NGX_AMT_MPS_RECORD_H_INCLUDED_ */
