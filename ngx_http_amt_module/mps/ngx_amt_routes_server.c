
/*
 * Routes: the service itself.  Contract mps.md sections 2.2, 2.4.
 */


#include "mps/ngx_amt_route.h"
#include "mps/ngx_amt_mps_frames.h"


const ngx_amt_route_t  ngx_amt_routes_server[] = {

    { NGX_HTTP_POST, "authorize",
      0, NGX_AMT_ROUTE_OPEN,
      ngx_amt_mps_login_checks,
      ngx_amt_mps_login, sizeof(ngx_amt_mps_login_t),
      NULL, NULL, NULL,
      NULL, NULL,
      "Login failed", NULL },

    { NGX_HTTP_GET, "authorize/redirection/:guid",
      NGX_AMT_SCOPE_REDIRECTION, NGX_AMT_ROUTE_AUDIT|NGX_AMT_ROUTE_EMPTY,
      ngx_amt_mps_guid_checks,
      ngx_amt_mps_redirection, sizeof(ngx_amt_mps_row_t),
      NULL, NULL, NULL,
      "redirection.token", NULL,
      "Exception during redirection token request", NULL },

    { NGX_HTTP_GET, "ciracert",
      NGX_AMT_SCOPE_READ, 0,
      NULL,
      ngx_amt_mps_ciracert, sizeof(ngx_amt_api_frame_t),
      NULL, NULL, NULL,
      NULL, NULL,
      "Exception during MPS Root Certificate download", NULL },

    { NGX_HTTP_GET, "health",
      0, NGX_AMT_ROUTE_OPEN,
      NULL,
      ngx_amt_mps_health, sizeof(ngx_amt_mps_health_t),
      ngx_amt_mps_health_drop, NULL, NULL,
      NULL, NULL,
      "Health Check Failed", NULL },

    { NGX_HTTP_GET, "version",
      0, 0,
      NULL,
      ngx_amt_mps_version, sizeof(ngx_amt_api_frame_t),
      NULL, NULL, NULL,
      NULL, NULL,
      "Exception during version request", NULL },

    { NGX_HTTP_GET, "openapi.yaml",
      0, 0,
      NULL,
      ngx_amt_mps_openapi, sizeof(ngx_amt_api_frame_t),
      NULL, NULL, NULL,
      NULL, NULL,
      "Exception during OpenAPI request", NULL },

    { 0, NULL, 0, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
};
