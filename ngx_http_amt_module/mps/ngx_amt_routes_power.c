
/*
 * Routes: power and boot.  Contract mps.md section 2.6.
 */


#include "mps/ngx_amt_route.h"
#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_mps_control.h"
#include "amt/ngx_amt_boot.h"
#include "amt/ngx_amt_power.h"


const ngx_amt_route_t  ngx_amt_routes_power[] = {

    { NGX_HTTP_GET, "amt/power/state/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_TIMEOUT,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_power_state, NULL,
      NULL, NULL,
      "Exception during Power State request",
      "Power State request failed for guid : " },

    { NGX_HTTP_GET, "amt/power/capabilities/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_power_capabilities, NULL,
      NULL, NULL,
      "Exception during Power Capabilities request", NULL },

    { NGX_HTTP_POST, "amt/power/action/:guid",
      NGX_AMT_SCOPE_POWER, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_action_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_power_action, ngx_amt_mps_power_input,
      "power.action", ngx_amt_mps_power_detail,
      "Exception during Power Action request", NULL },

    { NGX_HTTP_POST, "amt/power/bootOptions/:guid",
      NGX_AMT_SCOPE_POWER, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_boot_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_boot_options, ngx_amt_mps_boot_input,
      "power.boot", ngx_amt_mps_power_detail,
      "Exception during Boot Setting request", NULL },

    { NGX_HTTP_GET, "amt/power/bootSources/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_boot_sources, NULL,
      NULL, NULL,
      "Failed to get boot source settings", NULL },

    { 0, NULL, 0, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
};
