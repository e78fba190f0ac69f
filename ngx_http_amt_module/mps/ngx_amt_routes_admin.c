
/*
 * Routes beyond the original: a device's passwords.
 */


#include "mps/ngx_amt_route.h"
#include "mps/ngx_amt_mps_secrets.h"


const ngx_amt_route_t  ngx_amt_routes_admin[] = {

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
