
/*
 * REST: POST /amt/power/bootOptions, what it takes.  Contract mps.md section
 * 2.6.
 */


#include "mps/ngx_amt_mps_control.h"
#include "amt/ngx_amt_boot.h"
#include "amt/ngx_amt_boot_tlv.h"


/*
 * 104, 500 and 501 pass in the original and then only power on: nobody asked
 * for that.
 */

#define NGX_AMT_BOOT_ACTIONS                                                  \
    "100,101,105,106,107,108,109,110,200,201,202,203,300,301,400,401"


static ngx_int_t ngx_amt_mps_boot_url(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_boot_path(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_boot_user(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_boot_password(json_t *value,
    ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_boot_short(json_t *value, ngx_uint_t type);
static ngx_uint_t ngx_amt_mps_boot_action(json_t *body);


const ngx_amt_check_t  ngx_amt_mps_boot_checks[] = {

    { "action", NGX_AMT_IN_BODY, NGX_AMT_CHECK_IN, 0, 0, 0,
      NGX_AMT_BOOT_ACTIONS, NULL, NULL },
    { "action", NGX_AMT_IN_BODY, NGX_AMT_CHECK_NUMERIC, 0, 0, 0, NULL, NULL,
      NULL },

    { "useSOL", NGX_AMT_IN_BODY, NGX_AMT_CHECK_BOOLEAN, 0, 0, 0, NULL, NULL,
      NULL },

    { "bootDetails.url", NGX_AMT_IN_BODY, NGX_AMT_CHECK_URL,
      NGX_AMT_CHECK_OPTIONAL|NGX_AMT_CHECK_BAIL, 0, 0, NULL, NULL, NULL },
    { "bootDetails.url", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM, 0, 0, 0,
      NULL, NULL, ngx_amt_mps_boot_url },

    { "bootDetails.username", NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING,
      NGX_AMT_CHECK_OPTIONAL|NGX_AMT_CHECK_BAIL, 0, 0, NULL, NULL, NULL },
    { "bootDetails.username", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM,
      NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL, NULL, ngx_amt_mps_boot_user },

    { "bootDetails.password", NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING,
      NGX_AMT_CHECK_OPTIONAL|NGX_AMT_CHECK_SECRET|NGX_AMT_CHECK_BAIL,
      0, 0, NULL, NULL, NULL },
    { "bootDetails.password", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM,
      NGX_AMT_CHECK_OPTIONAL|NGX_AMT_CHECK_SECRET, 0, 0, NULL, NULL,
      ngx_amt_mps_boot_password },

    { "bootDetails.bootPath", NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING,
      NGX_AMT_CHECK_OPTIONAL|NGX_AMT_CHECK_BAIL, 0, 0, NULL, NULL, NULL },
    { "bootDetails.bootPath", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM, 0, 0, 0,
      NULL, NULL, ngx_amt_mps_boot_path },

    { "bootDetails.enforceSecureBoot", NGX_AMT_IN_BODY,
      NGX_AMT_CHECK_BOOLEAN, NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL, NULL, NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


/* Needed for a boot from HTTPS, and only that takes one. */

static ngx_int_t
ngx_amt_mps_boot_url(json_t *value, ngx_amt_input_t *in)
{
    size_t       len;
    ngx_uint_t   action;
    const char  *url;

    action = ngx_amt_mps_boot_action(in->body);

    if (action != 105 && action != 106) {
        return NGX_OK;
    }

    if (!json_is_string(value)) {
        return NGX_DECLINED;
    }

    url = json_string_value(value);
    len = json_string_length(value);

    if (len > ngx_amt_boot_tlv_limit(NGX_AMT_BOOT_TLV_URI)
        || len <= sizeof("https://") - 1
        || ngx_strncasecmp((u_char *) url, (u_char *) "https://",
                           sizeof("https://") - 1)
           != 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* Needed for PBA; WinRE finds its own. */

static ngx_int_t
ngx_amt_mps_boot_path(json_t *value, ngx_amt_input_t *in)
{
    size_t      len;
    ngx_uint_t  action;

    action = ngx_amt_mps_boot_action(in->body);

    if (!ngx_amt_boot_disk(action)) {
        return NGX_OK;
    }

    len = json_string_length(value);

    if (len == 0) {
        return ngx_amt_boot_winre(action) ? NGX_OK : NGX_DECLINED;
    }

    return len <= ngx_amt_boot_tlv_limit(NGX_AMT_BOOT_TLV_PATH)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_amt_mps_boot_user(json_t *value, ngx_amt_input_t *in)
{
    return ngx_amt_mps_boot_short(value, NGX_AMT_BOOT_TLV_USER);
}


static ngx_int_t
ngx_amt_mps_boot_password(json_t *value, ngx_amt_input_t *in)
{
    return ngx_amt_mps_boot_short(value, NGX_AMT_BOOT_TLV_PASSWORD);
}


static ngx_int_t
ngx_amt_mps_boot_short(json_t *value, ngx_uint_t type)
{
    return json_string_length(value) <= ngx_amt_boot_tlv_limit(type)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_uint_t
ngx_amt_mps_boot_action(json_t *body)
{
    return (ngx_uint_t) ngx_amt_input_int(json_object_get(body, "action"),
                                          0, 0, 501);
}


ngx_int_t
ngx_amt_mps_boot_input(ngx_amt_api_t *api)
{
    json_t  *details, *secure, *sol;

    sol = json_object_get(api->body, "useSOL");

    if (json_object_set_new(api->body, "action",
                            json_integer(ngx_amt_mps_boot_action(api->body)))
        != 0
        || json_object_set_new(api->body, "useSOL",
                               json_boolean(ngx_amt_input_true(sol)))
           != 0)
    {
        return NGX_ERROR;
    }

    details = json_object_get(api->body, "bootDetails");
    secure = json_object_get(details, "enforceSecureBoot");

    if (secure == NULL) {
        return NGX_OK;
    }

    return json_object_set_new(details, "enforceSecureBoot",
                               json_boolean(ngx_amt_input_true(secure)))
           == 0 ? NGX_OK : NGX_ERROR;
}
