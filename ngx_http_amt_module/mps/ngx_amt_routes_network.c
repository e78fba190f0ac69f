
/*
 * Routes: network settings of a device.  Contract mps.md section 2.14.
 */


#include "mps/ngx_amt_route.h"
#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_mps_network.h"
#include "amt/ngx_amt_network.h"


const ngx_amt_route_t  ngx_amt_routes_network[] = {

    { NGX_HTTP_POST, "amt/network/linkPreference/:guid",
      NGX_AMT_SCOPE_CONFIGURE, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_link_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_network_link, ngx_amt_mps_link_input,
      "network.link", ngx_amt_mps_link_detail,
      "Exception during Set Link Preference", NULL },

    { NGX_HTTP_GET, "amt/networkSettings/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_network, NULL,
      NULL, NULL,
      "Exception during AMT Network Settings request", NULL },

    { NGX_HTTP_GET, "amt/networkSettings/wired/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_network_wired, NULL,
      NULL, NULL,
      "Exception during AMT Network Settings request", NULL },

    { NGX_HTTP_PATCH, "amt/networkSettings/wired/:guid",
      NGX_AMT_SCOPE_CONFIGURE, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_wired_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_network_wired_set,
      ngx_amt_mps_wired_input,
      "network.wired", ngx_amt_mps_wired_detail,
      "Exception during AMT Network Settings request", NULL },

    { NGX_HTTP_GET, "amt/networkSettings/wireless/state/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_network_state, NULL,
      NULL, NULL,
      "Exception during AMT Network Settings request", NULL },

    { NGX_HTTP_POST, "amt/networkSettings/wireless/state/:guid",
      NGX_AMT_SCOPE_CONFIGURE, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_state_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_network_state_set,
      ngx_amt_mps_state_input,
      "wireless.state", ngx_amt_mps_state_detail,
      "Exception during AMT Network Settings request", NULL },

    { NGX_HTTP_GET, "amt/networkSettings/wireless/profileSync/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_network_sync, NULL,
      NULL, NULL,
      "Exception during AMT Network Settings request", NULL },

    { NGX_HTTP_POST, "amt/networkSettings/wireless/profileSync/:guid",
      NGX_AMT_SCOPE_CONFIGURE, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_sync_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_network_sync_set, NULL,
      "wireless.sync", ngx_amt_mps_sync_detail,
      "Exception during AMT Network Settings request", NULL },

    { NGX_HTTP_GET, "amt/networkSettings/wireless/profile/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_network_profiles, NULL,
      NULL, NULL,
      "Wireless Profiles request failed", NULL },

    { NGX_HTTP_POST, "amt/networkSettings/wireless/profile/:guid",
      NGX_AMT_SCOPE_CONFIGURE, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_profile_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_network_profile_add,
      ngx_amt_mps_profile_input,
      "wireless.profile.add", ngx_amt_mps_profile_detail,
      "Exception during AMT Network Settings request", NULL },

    { NGX_HTTP_PATCH, "amt/networkSettings/wireless/profile/:guid",
      NGX_AMT_SCOPE_CONFIGURE, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_profile_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_network_profile_update,
      ngx_amt_mps_profile_input,
      "wireless.profile.change", ngx_amt_mps_profile_detail,
      "Exception during AMT Network Settings request", NULL },

    { NGX_HTTP_DELETE,
      "amt/networkSettings/wireless/profile/:guid/:profileName",
      NGX_AMT_SCOPE_CONFIGURE, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_profile_delete_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_network_profile_delete,
      ngx_amt_mps_params_input,
      "wireless.profile.delete", ngx_amt_mps_profile_name_detail,
      "Exception during AMT Network Settings request", NULL },

    { 0, NULL, 0, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
};
