
/*
 * REST: wireless profiles in requests.  Contract mps.md section 2.14.
 */


#include "mps/ngx_amt_mps_network.h"
#include "mps/ngx_amt_reply.h"
#include "mps/ngx_amt_route.h"
#include "amt/ngx_amt_network.h"


#define NGX_AMT_PROFILE_NAME_MSG                                              \
    "profileName is required and must be alphanumeric"
#define NGX_AMT_PROFILE_PROTOCOL_MSG                                          \
    "ieee8021x.authenticationProtocol must be 0 (EAP-TLS) or 2 (PEAP)"

#define NGX_AMT_PROFILE_EAP_TLS  0
#define NGX_AMT_PROFILE_PEAP     2


/* what AMT has room for */
#define NGX_AMT_PROFILE_NAME_MAX      40
#define NGX_AMT_PROFILE_SSID_MAX      32         /* bytes */
#define NGX_AMT_PROFILE_METHOD_MAX    32
#define NGX_AMT_PROFILE_PSK_MAX       63
#define NGX_AMT_PROFILE_USER_MAX      128
#define NGX_AMT_PROFILE_PASSWORD_MAX  256


static ngx_int_t ngx_amt_mps_ssid(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_alnum(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_x_string(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_x_given(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_x_protocol(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_profile_rules(ngx_amt_api_t *api,
    ngx_int_t authentication);
static ngx_int_t ngx_amt_mps_profile_refused(ngx_amt_api_t *api,
    const char *text);
static ngx_int_t ngx_amt_mps_profile_set(ngx_amt_api_t *api,
    const char *name, int64_t value);


#define ngx_amt_mps_check_required(name)                                      \
    { name, NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING, 0, 0, 0, NULL, NULL,       \
      NULL },                                                                 \
    { name, NGX_AMT_IN_BODY, NGX_AMT_CHECK_NOT_EMPTY, 0, 0, 0, NULL,          \
      name " is required", NULL }

#define ngx_amt_mps_check_max(name, max)                                      \
    { name, NGX_AMT_IN_BODY, NGX_AMT_CHECK_LENGTH, NGX_AMT_CHECK_OPTIONAL,    \
      0, max, NULL, name " is too long", NULL }

#define ngx_amt_mps_check_secret(name)                                        \
    { name, NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING,                            \
      NGX_AMT_CHECK_FALSY|NGX_AMT_CHECK_SECRET|NGX_AMT_CHECK_BAIL,            \
      0, 0, NULL, NULL, NULL }

#define ngx_amt_mps_check_secret_max(name, max)                               \
    { name, NGX_AMT_IN_BODY, NGX_AMT_CHECK_LENGTH,                            \
      NGX_AMT_CHECK_FALSY|NGX_AMT_CHECK_SECRET, 0, max, NULL,                 \
      name " is too long", NULL }

const ngx_amt_check_t  ngx_amt_mps_profile_checks[] = {

    { "profileName", NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING, 0, 0, 0, NULL,
      NULL, NULL },
    { "profileName", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM, 0, 0, 0, NULL,
      NGX_AMT_PROFILE_NAME_MSG, ngx_amt_mps_alnum },
    ngx_amt_mps_check_max("profileName", NGX_AMT_PROFILE_NAME_MAX),

    ngx_amt_mps_check_required("ssid"),
    { "ssid", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM, 0, 0, 0, NULL,
      "ssid is too long", ngx_amt_mps_ssid },

    { "priority", NGX_AMT_IN_BODY, NGX_AMT_CHECK_INT, 0, 1, 255, NULL,
      "priority must be between 1 and 255", NULL },

    ngx_amt_mps_check_required("authenticationMethod"),
    ngx_amt_mps_check_max("authenticationMethod", NGX_AMT_PROFILE_METHOD_MAX),
    ngx_amt_mps_check_required("encryptionMethod"),
    ngx_amt_mps_check_max("encryptionMethod", NGX_AMT_PROFILE_METHOD_MAX),

    ngx_amt_mps_check_secret("password"),
    ngx_amt_mps_check_secret_max("password", NGX_AMT_PROFILE_PSK_MAX),

    /* whatever it is, it may hold a password or a key */

    { "ieee8021x", NGX_AMT_IN_BODY, NGX_AMT_CHECK_OBJECT,
      NGX_AMT_CHECK_OPTIONAL|NGX_AMT_CHECK_SECRET, 0, 0, NULL,
      "ieee8021x must be an object", NULL },

    { "ieee8021x.username", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM, 0, 0, 0,
      NULL, NULL, ngx_amt_mps_x_string },
    { "ieee8021x.username", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM, 0, 0, 0,
      NULL, "ieee8021x.username is required", ngx_amt_mps_x_given },
    ngx_amt_mps_check_max("ieee8021x.username", NGX_AMT_PROFILE_USER_MAX),

    { "ieee8021x.authenticationProtocol", NGX_AMT_IN_BODY,
      NGX_AMT_CHECK_CUSTOM, 0, 0, 0, NULL, NGX_AMT_PROFILE_PROTOCOL_MSG,
      ngx_amt_mps_x_protocol },

    /* not looked at by the original, which stumbles over them later */

    ngx_amt_mps_check_secret("ieee8021x.password"),
    ngx_amt_mps_check_secret_max("ieee8021x.password",
                                 NGX_AMT_PROFILE_PASSWORD_MAX),
    ngx_amt_mps_check_secret("ieee8021x.privateKey"),
    ngx_amt_mps_check_secret("ieee8021x.clientCert"),
    ngx_amt_mps_check_secret("ieee8021x.caCert"),

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


const ngx_amt_check_t  ngx_amt_mps_profile_delete_checks[] = {

    { "profileName", NGX_AMT_IN_PARAMS, NGX_AMT_CHECK_CUSTOM, 0, 0, 0, NULL,
      "profileName must be alphanumeric", ngx_amt_mps_alnum },
    { "profileName", NGX_AMT_IN_PARAMS, NGX_AMT_CHECK_LENGTH, 0, 0,
      NGX_AMT_PROFILE_NAME_MAX, NULL, "profileName is too long", NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


/* Bytes, not characters: what goes over the air */

static ngx_int_t
ngx_amt_mps_ssid(json_t *value, ngx_amt_input_t *in)
{
    return json_string_length(value) <= NGX_AMT_PROFILE_SSID_MAX
           ? NGX_OK : NGX_DECLINED;
}


/* ^[a-zA-Z0-9]+$; that it is a string is another check's matter */

static ngx_int_t
ngx_amt_mps_alnum(json_t *value, ngx_amt_input_t *in)
{
    size_t       i, len;
    const char  *p;

    if (json_is_boolean(value)) {
        return NGX_OK;
    }

    if (json_is_integer(value)) {
        return json_integer_value(value) >= 0 ? NGX_OK : NGX_DECLINED;
    }

    if (json_is_real(value)) {
        return json_real_value(value) >= 0
               && json_real_value(value) < 1e15
               && json_real_value(value)
                  == (double) (int64_t) json_real_value(value)
               ? NGX_OK : NGX_DECLINED;
    }

    if (!json_is_string(value)) {
        return NGX_DECLINED;
    }

    p = json_string_value(value);
    len = json_string_length(value);

    for (i = 0; i < len; i++) {
        if (!((p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z')
              || (p[i] >= '0' && p[i] <= '9')))
        {
            return NGX_DECLINED;
        }
    }

    return len ? NGX_OK : NGX_DECLINED;
}


/* These three count when ieee8021x was sent, even as null. */

static ngx_int_t
ngx_amt_mps_x_string(json_t *value, ngx_amt_input_t *in)
{
    if (ngx_amt_input_get(in->body, "ieee8021x") == NULL) {
        return NGX_OK;
    }

    return json_is_string(value) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_amt_mps_x_given(json_t *value, ngx_amt_input_t *in)
{
    if (ngx_amt_input_get(in->body, "ieee8021x") == NULL) {
        return NGX_OK;
    }

    if (json_is_string(value)) {
        return json_string_length(value) ? NGX_OK : NGX_DECLINED;
    }

    return value && !json_is_null(value) && !json_is_array(value)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_amt_mps_x_protocol(json_t *value, ngx_amt_input_t *in)
{
    double     n;
    ngx_str_t  s;

    if (ngx_amt_input_get(in->body, "ieee8021x") == NULL) {
        return NGX_OK;
    }

    if (json_is_string(value)) {
        s.data = (u_char *) json_string_value(value);
        s.len = json_string_length(value);

        return ngx_amt_check_int(&s, 0, 2) ? NGX_OK : NGX_DECLINED;
    }

    if (!json_is_number(value)) {
        return NGX_DECLINED;
    }

    n = json_number_value(value);

    return n == 0 || n == 1 || n == 2 ? NGX_OK : NGX_DECLINED;
}


/* ---- input ---- */

/*
 * The rules that come after the connection check; methods become their
 * numbers, credentials what the device takes.
 */

ngx_int_t
ngx_amt_mps_profile_input(ngx_amt_api_t *api)
{
    ngx_int_t    rc, authentication, encryption;
    ngx_str_t    s;
    const char  *text;

    ngx_amt_network_string(api->body, "authenticationMethod", &s);

    authentication = ngx_amt_network_value(ngx_amt_network_authentications,
                                           &s);
    if (authentication == -1) {
        return ngx_amt_mps_profile_refused(api,
                                           "authenticationMethod is invalid");
    }

    ngx_amt_network_string(api->body, "encryptionMethod", &s);

    encryption = ngx_amt_network_value(ngx_amt_network_encryptions, &s);

    if (encryption == -1) {
        return ngx_amt_mps_profile_refused(api,
                                           "encryptionMethod is invalid");
    }

    rc = ngx_amt_mps_profile_rules(api, authentication);

    if (rc != NGX_OK) {
        return rc;
    }

    if (json_object_get(api->body, "ieee8021x")) {

        rc = ngx_amt_mps_credentials_input(json_object_get(api->body,
                                                           "ieee8021x"),
                                           &text);
        if (rc == NGX_DECLINED) {
            return ngx_amt_mps_profile_refused(api, text);
        }

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (ngx_amt_mps_profile_set(api, "authenticationMethod", authentication)
        != NGX_OK
        || ngx_amt_mps_profile_set(api, "encryptionMethod", encryption)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    return ngx_amt_mps_profile_set(api, "priority",
                      ngx_amt_input_int(json_object_get(api->body,
                                                        "priority"),
                                        1, 1, 255));
}


static ngx_int_t
ngx_amt_mps_profile_rules(ngx_amt_api_t *api, ngx_int_t authentication)
{
    double      n;
    json_t     *x, *protocol;
    ngx_str_t   password;

    x = json_object_get(api->body, "ieee8021x");

    ngx_amt_network_string(api->body, "password", &password);

    switch (authentication) {

    case NGX_AMT_NETWORK_WPA_PSK:
    case NGX_AMT_NETWORK_WPA2_PSK:

        if (password.len == 0 || x) {
            return ngx_amt_mps_profile_refused(api,
                           "PSK authentication requires a password and must "
                           "not include ieee8021x settings");
        }

        return NGX_OK;

    case NGX_AMT_NETWORK_WPA_X:
    case NGX_AMT_NETWORK_WPA2_X:

        if (x == NULL || password.len) {
            return ngx_amt_mps_profile_refused(api,
                           "IEEE 802.1x authentication requires ieee8021x "
                           "settings and must not include a password");
        }

        protocol = json_object_get(x, "authenticationProtocol");

        if (json_is_number(protocol)) {

            n = json_number_value(protocol);

            if (n == NGX_AMT_PROFILE_EAP_TLS || n == NGX_AMT_PROFILE_PEAP) {
                return json_object_set_new(x, "authenticationProtocol",
                                           json_integer((json_int_t) n)) == 0
                       ? NGX_OK : NGX_ERROR;
            }
        }

        return ngx_amt_mps_profile_refused(api, NGX_AMT_PROFILE_PROTOCOL_MSG);

    default:
        return ngx_amt_mps_profile_refused(api,
                                     "authenticationMethod is not supported");
    }
}


static ngx_int_t
ngx_amt_mps_profile_refused(ngx_amt_api_t *api, const char *text)
{
    return ngx_amt_reply_error(api, 400, text) == NGX_OK ? NGX_DECLINED
                                                         : NGX_ERROR;
}


static ngx_int_t
ngx_amt_mps_profile_set(ngx_amt_api_t *api, const char *name, int64_t value)
{
    return json_object_set_new(api->body, name, json_integer(value)) == 0
           ? NGX_OK : NGX_ERROR;
}


/* ---- audit: never a secret ---- */

ngx_int_t
ngx_amt_mps_profile_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    ngx_uint_t     i;
    ngx_amt_out_t  o;

    static const char  *names[] = {
        "profileName", "ssid", "priority", "authenticationMethod",
        "encryptionMethod", NULL
    };

    ngx_amt_out_init(&o, api->pool, 192);
    ngx_amt_out_open(&o, '{');

    for (i = 0; names[i]; i++) {
        ngx_amt_out_key(&o, names[i]);
        ngx_amt_out_value(&o, json_object_get(api->body, names[i]));
    }

    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}


ngx_int_t
ngx_amt_mps_profile_name_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    ngx_amt_out_t  o;

    ngx_amt_out_init(&o, api->pool, 64);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "profileName");
    ngx_amt_out_string(&o, &api->params[1]);
    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}
