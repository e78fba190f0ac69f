
/*
 * Routes: settings and inventory of a device.  Contract mps.md sections 2.5, 2.9 to 2.13.
 */


#include "mps/ngx_amt_route.h"
#include "mps/ngx_amt_mps_frames.h"
#include "amt/ngx_amt_general.h"
#include "amt/ngx_amt_version.h"


const ngx_amt_route_t  ngx_amt_routes_settings[] = {

    { NGX_HTTP_GET, "amt/generalSettings/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_general, NULL,
      NULL, NULL,
      "Exception during AMT General Settings request", NULL },

    { NGX_HTTP_GET, "amt/version/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_version, NULL,
      NULL, NULL,
      "Exception during AMT Version request",
      "AMT Version request failed for guid : " },

    { 0, NULL, 0, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
};
