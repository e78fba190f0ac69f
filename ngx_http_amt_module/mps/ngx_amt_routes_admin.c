
/*
 * Routes beyond the original: all of a device at once, its passwords.
 */


#include "mps/ngx_amt_route.h"
#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_mps_rotate.h"
#include "amt/ngx_amt_snapshot.h"


const ngx_amt_route_t  ngx_amt_routes_admin[] = {

    { NGX_HTTP_GET, "amt/snapshot/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_snapshot, NULL,
      NULL, NULL,
      "Exception during snapshot request", NULL },

    { NGX_HTTP_GET, "admin/devices/:guid/secrets",
      NGX_AMT_SCOPE_SECRETS, NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_guid_checks,
      ngx_amt_mps_secrets_get, sizeof(ngx_amt_mps_secrets_t),
      ngx_amt_mps_secrets_drop, NULL, NULL,
      "secrets.read", NULL,
      "Exception during secrets request", NULL },

    { NGX_HTTP_PUT, "admin/devices/:guid/secrets",
      NGX_AMT_SCOPE_SECRETS, NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_rotate_checks,
      ngx_amt_mps_rotate, sizeof(ngx_amt_mps_rotate_t),
      ngx_amt_mps_rotate_drop, NULL, NULL,
      "secrets.rotate", ngx_amt_mps_rotate_detail,
      "Exception during rotation of secrets", NULL },

    { 0, NULL, 0, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
};
