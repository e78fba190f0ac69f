
/*
 * Routes: logs of a device.  Contract mps.md sections 2.7, 2.8.
 */


#include "mps/ngx_amt_route.h"
#include "mps/ngx_amt_mps_frames.h"
#include "amt/ngx_amt_audit_log.h"
#include "amt/ngx_amt_event_log.h"


const ngx_amt_route_t  ngx_amt_routes_logs[] = {

    { NGX_HTTP_GET, "amt/log/audit/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      ngx_amt_mps_audit_log_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_audit_log, ngx_amt_mps_audit_log_input,
      NULL, NULL,
      "Exception during AMT AuditLog request", NULL },

    { NGX_HTTP_GET, "amt/log/event/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      ngx_amt_mps_event_log_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_event_log, ngx_amt_mps_event_log_input,
      NULL, NULL,
      "Exception during AMT Event Log request", NULL },

    { 0, NULL, 0, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
};
