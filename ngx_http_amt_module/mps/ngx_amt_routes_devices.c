
/*
 * Routes: the devices table.  Contract mps.md sections 2.3, 2.15.
 */


#include "mps/ngx_amt_route.h"
#include "mps/ngx_amt_mps_frames.h"
#include "amt/ngx_amt_deactivate.h"


const ngx_amt_route_t  ngx_amt_routes_devices[] = {

    { NGX_HTTP_GET, "devices",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_EMPTY,
      ngx_amt_mps_list_checks,
      ngx_amt_mps_devices_list, sizeof(ngx_amt_mps_list_t),
      NULL, NULL, NULL,
      NULL, NULL,
      "Exception during devices request", NULL },

    { NGX_HTTP_GET, "devices/stats",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_EMPTY,
      NULL,
      ngx_amt_mps_devices_stats, sizeof(ngx_amt_mps_list_t),
      NULL, NULL, NULL,
      NULL, NULL,
      "Exception during devices request", NULL },

    { NGX_HTTP_GET, "devices/tags",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_EMPTY,
      NULL,
      ngx_amt_mps_devices_tags, sizeof(ngx_amt_mps_list_t),
      NULL, NULL, NULL,
      NULL, NULL,
      "Exception during devices request", NULL },

    { NGX_HTTP_GET, "devices/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_EMPTY,
      ngx_amt_mps_guid_checks,
      ngx_amt_mps_devices_get, sizeof(ngx_amt_mps_row_t),
      NULL, NULL, NULL,
      NULL, NULL,
      "Exception during device request", NULL },

    { NGX_HTTP_GET, "devices/redirectstatus/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_EMPTY,
      ngx_amt_mps_guid_checks,
      ngx_amt_mps_redirect_status, sizeof(ngx_amt_mps_redirect_t),
      NULL, NULL, NULL,
      NULL, NULL,
      "Exception during redirect status request", NULL },

    { NGX_HTTP_POST, "devices",
      NGX_AMT_SCOPE_DEVICES, NGX_AMT_ROUTE_AUDIT|NGX_AMT_ROUTE_EMPTY,
      ngx_amt_mps_write_checks,
      ngx_amt_mps_devices_write, sizeof(ngx_amt_mps_write_t),
      ngx_amt_mps_write_drop, NULL, NULL,
      "device.write", ngx_amt_mps_write_detail,
      "Exception during device write", NULL },

    { NGX_HTTP_PATCH, "devices",
      NGX_AMT_SCOPE_DEVICES, NGX_AMT_ROUTE_AUDIT|NGX_AMT_ROUTE_EMPTY,
      ngx_amt_mps_write_checks,
      ngx_amt_mps_devices_write, sizeof(ngx_amt_mps_write_t),
      ngx_amt_mps_write_drop, NULL, NULL,
      "device.change", ngx_amt_mps_write_detail,
      "Exception during device write", NULL },

    { NGX_HTTP_DELETE, "devices/:guid",
      NGX_AMT_SCOPE_DEVICES, NGX_AMT_ROUTE_AUDIT|NGX_AMT_ROUTE_EMPTY,
      ngx_amt_mps_delete_checks,
      ngx_amt_mps_devices_delete, sizeof(ngx_amt_mps_row_t),
      NULL, NULL, NULL,
      "device.delete", ngx_amt_mps_delete_detail,
      "Exception during device delete", NULL },

    { NGX_HTTP_DELETE, "devices/refresh/:guid",
      NGX_AMT_SCOPE_DEVICES, NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_guid_checks,
      ngx_amt_mps_devices_refresh, sizeof(ngx_amt_mps_refresh_t),
      ngx_amt_mps_refresh_drop, NULL, NULL,
      "device.refresh", NULL,
      "Exception during Device Refresh", NULL },

    { NGX_HTTP_DELETE, "devices/disconnect/:guid",
      NGX_AMT_SCOPE_DEVICES, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_guid_checks,
      ngx_amt_mps_devices_disconnect, sizeof(ngx_amt_api_frame_t),
      NULL, NULL, NULL,
      "device.disconnect", NULL,
      "Exception during Device Disconnect", NULL },

    { NGX_HTTP_DELETE, "amt/deactivate/:guid",
      NGX_AMT_SCOPE_DEVICES|NGX_AMT_SCOPE_CONFIGURE,
      NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      NULL,
      ngx_amt_mps_deactivate, sizeof(ngx_amt_mps_deactivate_t),
      ngx_amt_mps_deactivate_drop, &ngx_amt_deactivate, NULL,
      "device.deactivate", NULL,
      "Exception during unprovision request", NULL },

    { 0, NULL, 0, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
};
