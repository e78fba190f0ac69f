
/*
 * Routes: many devices at once.  Beyond the contract.
 */


#include "mps/ngx_amt_route.h"
#include "mps/ngx_amt_mps_bulk.h"


const ngx_amt_route_t  ngx_amt_routes_bulk[] = {

    { NGX_HTTP_POST, "bulk/power",
      NGX_AMT_SCOPE_POWER, NGX_AMT_ROUTE_AUDIT|NGX_AMT_ROUTE_STREAM,
      ngx_amt_mps_bulk_checks,
      ngx_amt_mps_bulk, sizeof(ngx_amt_mps_bulk_t),
      ngx_amt_mps_bulk_drop, NULL, NULL,
      "bulk.power", ngx_amt_mps_bulk_detail,
      "Exception during Bulk Power request", NULL,
      NGX_AMT_BULK_BODY },

    { 0, NULL, 0, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
};
