
/* The bulk call's route; see ngx_amt_bulk.h. */


#ifndef _NGX_AMT_MPS_BULK_H_INCLUDED_
#define _NGX_AMT_MPS_BULK_H_INCLUDED_


#include "mps/ngx_amt_bulk.h"
#include "store/ngx_amt_store.h"


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_api_t          *api;
    ngx_amt_bulk_t         *bulk;
    json_t                 *input;

    ngx_amt_store_query_t   query;       /* by tags */
    ngx_amt_flow_t         *page;        /* that reads the next rows */
    ngx_amt_flow_t         *flow;        /* that waits for it */
    uint64_t                seq;
    ngx_uint_t              more;
} ngx_amt_mps_bulk_t;


ngx_int_t ngx_amt_mps_bulk(ngx_amt_flow_t *f, void *data);
void ngx_amt_mps_bulk_drop(void *data);
ngx_int_t ngx_amt_mps_bulk_detail(ngx_amt_api_t *api, ngx_str_t *detail);

extern const ngx_amt_check_t  ngx_amt_mps_bulk_checks[];


#endif /* _NGX_AMT_MPS_BULK_H_INCLUDED_ */
