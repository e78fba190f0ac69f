
/*
 * REST: requests of the network routes, checked and brought into the form
 * that the capabilities take.  Contract mps.md section 2.14.
 */


#include "mps/ngx_amt_mps_network.h"
#include "mps/ngx_amt_reply.h"
#include "mps/ngx_amt_route.h"
#include "amt/ngx_amt_network.h"


#define NGX_AMT_MPS_PREFERENCE_MSG                                            \
    "linkPreference must be 1 (ME) or 2 (HOST)"
#define NGX_AMT_MPS_TIMEOUT_MSG                                               \
    "timeout must be a non-negative integer"
#define NGX_AMT_MPS_STATE_MSG                                                 \
    "state must be one of WifiDisabled, WifiEnabledS0, WifiEnabledS0SxAC"

#define NGX_AMT_MPS_TIMEOUT_MAX  4294967295


static ngx_int_t ngx_amt_mps_exists(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_is_state(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_refused(ngx_amt_api_t *api, const char *text);
static ngx_int_t ngx_amt_mps_bool(ngx_amt_api_t *api, const char *name);
static ngx_int_t ngx_amt_mps_number(ngx_amt_api_t *api, const char *name,
    int64_t max);


const ngx_amt_check_t  ngx_amt_mps_link_checks[] = {

    { "linkPreference", NGX_AMT_IN_BODY, NGX_AMT_CHECK_INT, 0, 1, 2, NULL,
      NGX_AMT_MPS_PREFERENCE_MSG, NULL },

    { "timeout", NGX_AMT_IN_BODY, NGX_AMT_CHECK_INT, 0, 0, INT64_MAX, NULL,
      NGX_AMT_MPS_TIMEOUT_MSG, NULL },

    { "instanceID", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_STRING,
      NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL, NULL, NULL },
    { "instanceID", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_LENGTH,
      NGX_AMT_CHECK_OPTIONAL, 0, 256, NULL, NULL, NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


#define ngx_amt_mps_check_address(name)                                       \
    { name, NGX_AMT_IN_BODY, NGX_AMT_CHECK_IPV4, NGX_AMT_CHECK_FALSY, 0, 0,   \
      NULL, name " must be a valid IPv4 address", NULL }

const ngx_amt_check_t  ngx_amt_mps_wired_checks[] = {

    { "dhcpEnabled", NGX_AMT_IN_BODY, NGX_AMT_CHECK_BOOLEAN, 0, 0, 0, NULL,
      "dhcpEnabled must be a boolean", NULL },

    { "ipSyncEnabled", NGX_AMT_IN_BODY, NGX_AMT_CHECK_BOOLEAN,
      NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL,
      "ipSyncEnabled must be a boolean", NULL },

    ngx_amt_mps_check_address("ipAddress"),
    ngx_amt_mps_check_address("subnetMask"),
    ngx_amt_mps_check_address("defaultGateway"),
    ngx_amt_mps_check_address("primaryDNS"),
    ngx_amt_mps_check_address("secondaryDNS"),

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


const ngx_amt_check_t  ngx_amt_mps_state_checks[] = {

    { "state", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM, NGX_AMT_CHECK_BAIL,
      0, 0, NULL, "state is required", ngx_amt_mps_exists },
    { "state", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM, 0, 0, 0, NULL,
      NGX_AMT_MPS_STATE_MSG, ngx_amt_mps_is_state },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


const ngx_amt_check_t  ngx_amt_mps_sync_checks[] = {

    { "localProfileSync", NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRICT_BOOLEAN,
      NGX_AMT_CHECK_NULLABLE, 0, 0, NULL,
      "localProfileSync must be a boolean", NULL },

    { "uefiProfileSync", NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRICT_BOOLEAN,
      NGX_AMT_CHECK_NULLABLE, 0, 0, NULL,
      "uefiProfileSync must be a boolean", NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


static ngx_int_t
ngx_amt_mps_exists(json_t *value, ngx_amt_input_t *in)
{
    return value ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_amt_mps_is_state(json_t *value, ngx_amt_input_t *in)
{
    ngx_str_t  s;

    if (!json_is_string(value)) {
        return NGX_DECLINED;
    }

    s.data = (u_char *) json_string_value(value);
    s.len = json_string_length(value);

    return ngx_amt_network_value(ngx_amt_network_states, &s) == -1
           ? NGX_DECLINED : NGX_OK;
}


/* ---- inputs ---- */

/* A rule of the contract that comes after the connection check: E(400). */

static ngx_int_t
ngx_amt_mps_refused(ngx_amt_api_t *api, const char *text)
{
    return ngx_amt_reply_error(api, 400, text) == NGX_OK ? NGX_DECLINED
                                                         : NGX_ERROR;
}


/* "to boolean", when it was sent */

static ngx_int_t
ngx_amt_mps_bool(ngx_amt_api_t *api, const char *name)
{
    json_t  *value;

    value = json_object_get(api->body, name);

    if (value == NULL) {
        return NGX_OK;
    }

    return json_object_set_new(api->body, name,
                               json_boolean(ngx_amt_input_true(value))) == 0
           ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_amt_mps_number(ngx_amt_api_t *api, const char *name, int64_t max)
{
    int64_t  n;

    n = ngx_amt_input_int(json_object_get(api->body, name), 0, 0, max);

    return json_object_set_new(api->body, name, json_integer(n)) == 0
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_amt_mps_link_input(ngx_amt_api_t *api)
{
    if (ngx_amt_mps_number(api, "linkPreference", 2) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_amt_mps_number(api, "timeout", NGX_AMT_MPS_TIMEOUT_MAX);
}


ngx_int_t
ngx_amt_mps_state_input(ngx_amt_api_t *api)
{
    ngx_str_t  s;

    ngx_amt_network_string(api->body, "state", &s);

    return json_object_set_new(api->body, "state",
                   json_integer(ngx_amt_network_value(ngx_amt_network_states,
                                                      &s)))
           == 0 ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_amt_mps_wired_input(ngx_amt_api_t *api)
{
    json_t                   *x;
    ngx_uint_t                i, given;
    ngx_amt_network_wired_t   wired;

    static const char  *required[] = {
        "ipAddress is required for static IP configuration",
        "subnetMask is required for static IP configuration",
        "defaultGateway is required for static IP configuration",
        "primaryDNS is required for static IP configuration",
        NULL
    };

    x = json_object_get(api->body, "ieee8021x");

    if (x && !json_is_null(x)) {
        return ngx_amt_reply_error(api, 501, "Wired 802.1X configuration is "
                                   "not yet supported") == NGX_OK
               ? NGX_DECLINED : NGX_ERROR;
    }

    if (ngx_amt_mps_bool(api, "dhcpEnabled") != NGX_OK
        || ngx_amt_mps_bool(api, "ipSyncEnabled") != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_amt_network_wired_input(api->body, &wired);

    for (i = 0, given = 0; i < NGX_AMT_NETWORK_ADDRESSES; i++) {
        given |= wired.address[i].len;
    }

    if (wired.dhcp && given) {
        return ngx_amt_mps_refused(api, "cannot specify static IP settings "
                                   "when DHCP is enabled");
    }

    if (wired.sync && given) {
        return ngx_amt_mps_refused(api, "cannot specify static IP settings "
                                   "when IP sync is enabled");
    }

    if (wired.dhcp || wired.sync) {
        return NGX_OK;
    }

    if (!given) {
        return ngx_amt_mps_refused(api, "must enable DHCP, enable IP sync, "
                                   "or provide static IP settings");
    }

    for (i = 0; required[i]; i++) {
        if (wired.address[i].len == 0) {
            return ngx_amt_mps_refused(api, required[i]);
        }
    }

    return NGX_OK;
}


/* ---- audit ---- */

ngx_int_t
ngx_amt_mps_link_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    ngx_amt_out_t  o;

    ngx_amt_out_init(&o, api->pool, 64);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "linkPreference");
    ngx_amt_out_value(&o, json_object_get(api->body, "linkPreference"));
    ngx_amt_out_key(&o, "timeout");
    ngx_amt_out_value(&o, json_object_get(api->body, "timeout"));
    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}


ngx_int_t
ngx_amt_mps_wired_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    ngx_uint_t              i;
    ngx_amt_out_t           o;
    const ngx_amt_check_t  *check;

    ngx_amt_out_init(&o, api->pool, 192);
    ngx_amt_out_open(&o, '{');

    check = ngx_amt_mps_wired_checks;

    for (i = 0; check[i].field; i++) {
        if (json_object_get(api->body, check[i].field)) {
            ngx_amt_out_key(&o, check[i].field);
            ngx_amt_out_value(&o, json_object_get(api->body,
                                                  check[i].field));
        }
    }

    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}


ngx_int_t
ngx_amt_mps_state_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    ngx_amt_out_t  o;

    ngx_amt_out_init(&o, api->pool, 64);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "state");
    ngx_amt_out_value(&o, json_object_get(api->body, "state"));
    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}


ngx_int_t
ngx_amt_mps_sync_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    ngx_amt_out_t  o;

    ngx_amt_out_init(&o, api->pool, 64);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "localProfileSync");
    ngx_amt_out_value(&o, json_object_get(api->body, "localProfileSync"));
    ngx_amt_out_key(&o, "uefiProfileSync");
    ngx_amt_out_value(&o, json_object_get(api->body, "uefiProfileSync"));
    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}
