
/*
 * REST: GET /admin/devices/:guid/secrets, and what PUT takes; see
 * ngx_amt_mps_secrets.h.
 */


#include "mps/ngx_amt_mps_secrets.h"
#include "mps/ngx_amt_mps_record.h"
#include "mps/ngx_amt_reply.h"
#include "amt/ngx_amt_password.h"


#define NGX_AMT_SECRETS_NAMES  "amtpassword,mebxpassword,mpspassword"
#define NGX_AMT_SECRETS_SIZE   2048      /* of an answer: it does not grow */

#define NGX_AMT_SECRETS_MSG                                                   \
    "8 to 32 characters with a lower and an upper case letter, a digit and "  \
    "one of !@#$%^&*"
#define NGX_AMT_SECRETS_MPS_MSG                                               \
    "8 to 16 characters with a lower and an upper case letter, a digit and "  \
    "one of !@#$%^&*"
#define NGX_AMT_SECRETS_BOTH_MSG  "Either a password or generate"


static ngx_int_t ngx_amt_mps_secrets_long(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_secrets_short(json_t *value,
    ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_secrets_once(json_t *value, ngx_amt_input_t *in);
static void ngx_amt_mps_secrets_member(ngx_amt_out_t *o,
    ngx_amt_secret_t *secret, const char *name, const char *key);


const ngx_amt_mps_secret_t  ngx_amt_mps_secret_kinds[NGX_AMT_SECRET_N] = {
    { "mebxpassword", "MEBX_PASSWORD", NGX_AMT_PENDING_MEBX,
      NGX_AMT_PASSWORD_MAX },
    { "amtpassword", "AMT_PASSWORD", NGX_AMT_PENDING_AMT,
      NGX_AMT_PASSWORD_MAX },
    { "mpspassword", "MPS_PASSWORD", NGX_AMT_PENDING_MPS,
      NGX_AMT_PASSWORD_MPS_MAX }
};


#define ngx_amt_mps_secrets_check(name, text, strong)                         \
    { name, NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING,                            \
      NGX_AMT_CHECK_OPTIONAL|NGX_AMT_CHECK_SECRET|NGX_AMT_CHECK_BAIL,         \
      0, 0, NULL, NULL, NULL },                                               \
    { name, NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM,                            \
      NGX_AMT_CHECK_OPTIONAL|NGX_AMT_CHECK_SECRET, 0, 0, NULL, text, strong }

const ngx_amt_check_t  ngx_amt_mps_rotate_checks[] = {

    { "guid", NGX_AMT_IN_PARAMS, NGX_AMT_CHECK_UUID, 0, 0, 0, NULL, NULL,
      NULL },

    ngx_amt_mps_secrets_check("amtpassword", NGX_AMT_SECRETS_MSG,
                              ngx_amt_mps_secrets_long),
    ngx_amt_mps_secrets_check("mebxpassword", NGX_AMT_SECRETS_MSG,
                              ngx_amt_mps_secrets_long),
    ngx_amt_mps_secrets_check("mpspassword", NGX_AMT_SECRETS_MPS_MSG,
                              ngx_amt_mps_secrets_short),

    { "generate", NGX_AMT_IN_BODY, NGX_AMT_CHECK_ARRAY,
      NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL, NULL, NULL },
    { "generate[*]", NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING,
      NGX_AMT_CHECK_BAIL, 0, 0, NULL, NULL, NULL },
    { "generate[*]", NGX_AMT_IN_BODY, NGX_AMT_CHECK_IN, NGX_AMT_CHECK_BAIL,
      0, 0, NGX_AMT_SECRETS_NAMES, NULL, NULL },
    { "generate[*]", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM, 0, 0, 0, NULL,
      NGX_AMT_SECRETS_BOTH_MSG, ngx_amt_mps_secrets_once },

    { "withdraw", NGX_AMT_IN_BODY, NGX_AMT_CHECK_ARRAY,
      NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL, NULL, NULL },
    { "withdraw[*]", NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING,
      NGX_AMT_CHECK_BAIL, 0, 0, NULL, NULL, NULL },
    { "withdraw[*]", NGX_AMT_IN_BODY, NGX_AMT_CHECK_IN, 0, 0, 0,
      "mpspassword", NULL, NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


static ngx_int_t
ngx_amt_mps_secrets_long(json_t *value, ngx_amt_input_t *in)
{
    return ngx_amt_password_strong(json_string_value(value),
                                   json_string_length(value),
                                   NGX_AMT_PASSWORD_MAX)
           ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_amt_mps_secrets_short(json_t *value, ngx_amt_input_t *in)
{
    return ngx_amt_password_strong(json_string_value(value),
                                   json_string_length(value),
                                   NGX_AMT_PASSWORD_MPS_MAX)
           ? NGX_OK : NGX_DECLINED;
}


/* A password that was sent is not to be made as well. */

static ngx_int_t
ngx_amt_mps_secrets_once(json_t *value, ngx_amt_input_t *in)
{
    return json_object_get(in->body, json_string_value(value)) == NULL
           ? NGX_OK : NGX_DECLINED;
}


/* Which ones, never their values. */

ngx_int_t
ngx_amt_mps_rotate_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    size_t          n;
    json_t         *value;
    ngx_uint_t      i;
    const char     *name;
    ngx_amt_out_t   o;

    ngx_amt_out_init(&o, api->pool, 128);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "fields");
    ngx_amt_out_open(&o, '[');

    for (i = 0; i < NGX_AMT_SECRET_N; i++) {

        name = ngx_amt_mps_secret_kinds[i].name;

        if (json_object_get(api->body, name)) {
            ngx_amt_out_cstring(&o, name);
            continue;
        }

        json_array_foreach(json_object_get(api->body, "generate"), n, value) {
            if (ngx_strcmp(json_string_value(value), name) == 0) {
                ngx_amt_out_cstring(&o, name);
                break;
            }
        }
    }

    ngx_amt_out_close(&o, ']');

    if (json_array_size(json_object_get(api->body, "withdraw"))) {
        ngx_amt_out_key(&o, "withdraw");
        ngx_amt_out_open(&o, '[');
        ngx_amt_out_cstring(&o, "mpspassword");
        ngx_amt_out_close(&o, ']');
    }

    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}


ngx_int_t
ngx_amt_mps_secrets_get(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_secrets_t  *v = data;

    ngx_uint_t      i, pending;
    ngx_amt_out_t   o;

    ngx_amt_begin(f, v);

    ngx_amt_mps_tenant(v->api, v->api->query, &v->tenant);

    /* another tenant's device is as unknown as none */

    ngx_amt_await_rc(f, v, ngx_amt_store_get(f, &v->api->device, &v->tenant,
                                             &v->row));

    if (v->frame.rc == NGX_DECLINED) {
        return ngx_amt_mps_not_found(v->api, &v->api->device);
    }

    if (v->frame.rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_amt_mps_path(v->api, &v->path) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->secret));

    if (v->frame.rc == NGX_DECLINED) {
        return ngx_amt_mps_message(v->api, 404, "NOT FOUND",
                                   "Secrets of device ", &v->api->device,
                                   " not found", NULL);
    }

    if (v->frame.rc != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_amt_out_init(&o, v->api->pool, NGX_AMT_SECRETS_SIZE);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "guid");
    ngx_amt_out_string(&o, &v->api->device);
    ngx_amt_out_key(&o, "mpsusername");
    ngx_amt_out_string(&o, &v->row.mps_username);

    pending = 0;

    for (i = 0; i < NGX_AMT_SECRET_N; i++) {
        ngx_amt_mps_secrets_member(&o, &v->secret,
                                   ngx_amt_mps_secret_kinds[i].name,
                                   ngx_amt_mps_secret_kinds[i].key);

        pending |= ngx_amt_secret_get(&v->secret,
                                      ngx_amt_mps_secret_kinds[i].pending)
                   != NULL;
    }

    if (pending) {
        ngx_amt_out_key(&o, "pending");
        ngx_amt_out_open(&o, '{');

        for (i = 0; i < NGX_AMT_SECRET_N; i++) {
            ngx_amt_mps_secrets_member(&o, &v->secret,
                                       ngx_amt_mps_secret_kinds[i].name,
                                       ngx_amt_mps_secret_kinds[i].pending);
        }

        ngx_amt_out_close(&o, '}');
    }

    ngx_amt_out_key(&o, "version");
    ngx_amt_out_int(&o, (int64_t) v->secret.version);
    ngx_amt_out_close(&o, '}');

    v->api->reply.no_store = 1;
    v->api->reply.secret = 1;

    return ngx_amt_reply_out(v->api, 200, &o);
}


static void
ngx_amt_mps_secrets_member(ngx_amt_out_t *o, ngx_amt_secret_t *secret,
    const char *name, const char *key)
{
    const char  *text;

    text = ngx_amt_secret_get(secret, key);

    if (text) {
        ngx_amt_out_key(o, name);
        ngx_amt_out_cstring(o, text);
    }
}


void
ngx_amt_mps_secrets_drop(void *data)
{
    ngx_amt_mps_secrets_t  *v = data;

    ngx_amt_secret_wipe(&v->secret);
}
