
/*
 * REST: POST /devices (create or change) and PATCH /devices.  Passwords go
 * to Vault with check-and-set before the row is written and are put back
 * when the row cannot be written.  Contract mps.md sections 2.3, 3.4, 3.6.
 */


#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_mps_kept.h"
#include "mps/ngx_amt_mps_record.h"
#include "mps/ngx_amt_reply.h"
#include "mps/ngx_amt_route.h"
#include "auth/ngx_amt_auth.h"
#include "device/ngx_amt_device.h"


#define NGX_AMT_WRITE_TRIES   4
#define NGX_AMT_PASSWORD_MAX  255
#define NGX_AMT_ROLLBACK_TIME  10000     /* ms */


static ngx_int_t ngx_amt_mps_write_tenant(json_t *value,
    ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_write_row(ngx_amt_mps_write_t *v);
static void ngx_amt_mps_write_text(ngx_amt_mps_write_t *v, const char *name,
    ngx_uint_t field, ngx_str_t *text);
static ngx_int_t ngx_amt_mps_write_json(ngx_amt_mps_write_t *v,
    const char *name, ngx_uint_t field, ngx_str_t *text);
static ngx_int_t ngx_amt_mps_write_secrets(ngx_amt_mps_write_t *v);
static void ngx_amt_mps_write_kept(ngx_amt_mps_write_t *v);
static ngx_int_t ngx_amt_mps_write_merge(ngx_amt_mps_write_t *v);
static ngx_int_t ngx_amt_mps_write_missing(ngx_amt_mps_write_t *v);
static ngx_int_t ngx_amt_mps_write_taken(ngx_amt_mps_write_t *v);
static ngx_int_t ngx_amt_mps_write_failed(ngx_amt_mps_write_t *v);
static void ngx_amt_mps_write_wipe(json_t **value);


static struct {
    const char  *name;
    const char  *key;
} ngx_amt_mps_secrets[] = {
    { "mpspassword", "MPS_PASSWORD" },
    { "amtpassword", "AMT_PASSWORD" },
    { "mebxpassword", "MEBX_PASSWORD" }
};


#define NGX_AMT_NULLABLE  NGX_AMT_CHECK_NULLABLE

#define NGX_AMT_HOSTNAME_MSG  "Hostname must be less than 256 characters"
#define NGX_AMT_SUFFIX_MSG    "dnsSuffix must be less than 256 characters"
#define NGX_AMT_FQDN_MSG      "dnsSuffix must be a valid DNS suffix"
#define NGX_AMT_TAGS_MSG      "tags should be an array of strings"
#define NGX_AMT_INFO_MSG      "deviceInfo should be an object if provided"

#define ngx_amt_mps_check_password(name)                                      \
    { name, NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING,                            \
      NGX_AMT_NULLABLE|NGX_AMT_CHECK_SECRET|NGX_AMT_CHECK_BAIL,               \
      0, 0, NULL, NULL, NULL },                                               \
    { name, NGX_AMT_IN_BODY, NGX_AMT_CHECK_LENGTH,                            \
      NGX_AMT_NULLABLE|NGX_AMT_CHECK_SECRET, 1, NGX_AMT_PASSWORD_MAX,         \
      NULL, NULL, NULL }

const ngx_amt_check_t  ngx_amt_mps_write_checks[] = {

    { "guid", 0, NGX_AMT_CHECK_UUID, 0, 0, 0, NULL, NULL, NULL },
    { "guid", 0, NGX_AMT_CHECK_STRING, 0, 0, 0, NULL, NULL, NULL },

    { "friendlyName", 0, NGX_AMT_CHECK_STRING, NGX_AMT_NULLABLE, 0, 0, NULL,
      NULL, NULL },

    { "hostname", 0, NGX_AMT_CHECK_STRING, NGX_AMT_NULLABLE, 0, 0, NULL,
      NULL, NULL },
    { "hostname", 0, NGX_AMT_CHECK_LENGTH, NGX_AMT_NULLABLE, 0, 255, NULL,
      NGX_AMT_HOSTNAME_MSG, NULL },

    { "dnsSuffix", 0, NGX_AMT_CHECK_STRING,
      NGX_AMT_NULLABLE|NGX_AMT_CHECK_BAIL, 0, 0, NULL, NULL, NULL },
    { "dnsSuffix", 0, NGX_AMT_CHECK_LENGTH,
      NGX_AMT_NULLABLE|NGX_AMT_CHECK_BAIL, 0, 255, NULL, NGX_AMT_SUFFIX_MSG,
      NULL },
    { "dnsSuffix", 0, NGX_AMT_CHECK_FQDN,
      NGX_AMT_NULLABLE|NGX_AMT_CHECK_EMPTY, 0, 0, NULL, NGX_AMT_FQDN_MSG,
      NULL },

    { "mpsusername", 0, NGX_AMT_CHECK_STRING, NGX_AMT_NULLABLE, 0, 0, NULL,
      NULL, NULL },

    { "connect", 0, NGX_AMT_CHECK_ISO8601, NGX_AMT_NULLABLE, 0, 0, NULL,
      NULL, NULL },
    { "disconnect", 0, NGX_AMT_CHECK_ISO8601, NGX_AMT_NULLABLE, 0, 0, NULL,
      NULL, NULL },

    { "tags", 0, NGX_AMT_CHECK_ARRAY, NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL,
      NGX_AMT_TAGS_MSG, NULL },
    { "tags[*]", 0, NGX_AMT_CHECK_STRING, NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL,
      NGX_AMT_TAGS_MSG, NULL },

    { "deviceInfo", 0, NGX_AMT_CHECK_OBJECT, NGX_AMT_NULLABLE, 0, 0, NULL,
      NGX_AMT_INFO_MSG, NULL },

    /* columns with a limit, and what the original does not know */

    { "friendlyName", NGX_AMT_IN_BODY, NGX_AMT_CHECK_LENGTH,
      NGX_AMT_NULLABLE, 0, 256, NULL, NULL, NULL },

    { "tenantId", NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING,
      NGX_AMT_NULLABLE|NGX_AMT_CHECK_BAIL, 0, 0, NULL, NULL, NULL },
    { "tenantId", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM, NGX_AMT_NULLABLE,
      0, 0, NULL, NULL, ngx_amt_mps_write_tenant },

    ngx_amt_mps_check_password("mpspassword"),
    ngx_amt_mps_check_password("amtpassword"),
    ngx_amt_mps_check_password("mebxpassword"),

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


ngx_int_t
ngx_amt_mps_devices_write(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_write_t  *v = data;

    ngx_amt_begin(f, v);

    /* the checks accept a GUID from anywhere, but only the body is stored */

    if (!json_is_string(ngx_amt_input_get(v->api->body, "guid"))
        || v->api->device.len == 0)
    {
        return ngx_amt_reply_text(v->api, 400,
            "{\"errors\":[{\"type\":\"field\",\"msg\":\"Invalid value\","
            "\"path\":\"guid\",\"location\":\"body\"}]}");
    }

    if (ngx_amt_mps_write_row(v) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    ngx_amt_await_rc(f, v, ngx_amt_store_get(f, &v->api->device, NULL,
                                             &v->row));

    if (v->frame.rc != NGX_OK && v->frame.rc != NGX_DECLINED) {
        return NGX_ERROR;
    }

    v->found = v->frame.rc == NGX_OK;

    if (v->patch
        && (!v->found || !ngx_amt_mps_same(&v->row.tenant, &v->tenant)))
    {
        return ngx_amt_mps_write_missing(v);
    }

    if (v->found && !ngx_amt_mps_same(&v->row.tenant, &v->tenant)) {
        return ngx_amt_mps_write_taken(v);
    }

    /* from the first write on it is all or nothing */

    ngx_amt_flow_shield(f);

    /* a new row may find a secret that is not its tenant's */

    if (v->secrets == NULL && (v->found || !ngx_amt_vault_configured())) {
        goto row;
    }

    for (v->tries = 0; v->tries < NGX_AMT_WRITE_TRIES; v->tries++) {

        ngx_amt_secret_wipe(&v->old);
        v->old.version = 0;

        ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->old));

        if (v->frame.rc != NGX_OK && v->frame.rc != NGX_DECLINED) {
            goto fail;
        }

        ngx_amt_mps_write_kept(v);

        if (v->secrets == NULL && !v->others) {
            goto row;
        }

        if (ngx_amt_mps_write_merge(v) != NGX_OK) {
            (void) ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
            goto fail;
        }

        ngx_amt_await_rc(f, v, ngx_amt_vault_write(f, &v->path, v->merged,
                                                   v->old.version,
                                                   &v->written));

        if (v->frame.rc == NGX_OK) {
            break;
        }

        v->written = 0;

        if (f->err.code != NGX_AMT_ERR_CONFLICT
            || v->tries == NGX_AMT_WRITE_TRIES - 1)
        {
            goto fail;
        }

        ngx_amt_flow_clear(f);
    }

    ngx_amt_device_forget(&v->api->device);

row:

    if (v->found) {
        ngx_amt_await_rc(f, v, ngx_amt_store_update(f, v->fields,
                                                    &v->change));

    } else {
        ngx_amt_await_rc(f, v, ngx_amt_store_insert(f, &v->change));
    }

    if (v->frame.rc == NGX_OK) {
        goto done;
    }

    /* the row was not written: put the passwords back */

    v->err = f->err;
    ngx_amt_flow_clear(f);

    if (v->written) {

        /* also when the store's delay has used up the call's time */

        f->deadline = ngx_current_msec + NGX_AMT_ROLLBACK_TIME;

        /*
         * Where nothing was, an empty secret stays: Vault deletes without
         * check-and-set, also what another call has written meanwhile.
         */

        if (v->old.data == NULL) {
            v->old.data = json_object();
        }

        /* a mark counts only in the version that was written with it */

        if (v->kept.data
            && ngx_amt_mps_kept_set(v->old.data, v->written + 1, &v->kept)
               != NGX_OK)
        {
            (void) json_object_clear(v->old.data);
        }

        ngx_amt_await_rc(f, v, ngx_amt_vault_write(f, &v->path, v->old.data,
                                                   v->written, NULL));

        if (v->frame.rc != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, &v->api->log, 0,
                          "passwords of \"%V\" were changed in Vault but its "
                          "row was not written, and they could not be put "
                          "back: %V", &v->api->device, &f->err.text);
        }

        ngx_amt_device_forget(&v->api->device);
        ngx_amt_flow_clear(f);
    }

    v->frame.rc = ngx_amt_mps_write_failed(v);

    ngx_amt_flow_unshield(f);

    return v->frame.rc;

done:

    ngx_amt_flow_unshield(f);

    {
        ngx_amt_out_t  o;

        ngx_amt_out_init(&o, v->api->pool, 512);
        ngx_amt_mps_record(&o, &v->change, 1);

        return ngx_amt_reply_out(v->api, v->found ? 200 : 201, &o);
    }

fail:

    /* whether Vault has written is not always known */

    ngx_amt_device_forget(&v->api->device);
    ngx_amt_flow_unshield(f);

    return NGX_ERROR;
}


void
ngx_amt_mps_write_drop(void *data)
{
    ngx_amt_mps_write_t  *v = data;

    ngx_amt_secret_wipe(&v->old);
    ngx_amt_mps_write_wipe(&v->secrets);
    ngx_amt_mps_write_wipe(&v->merged);
}


/* As in the files of keys and users: the device plane takes no other. */

static ngx_int_t
ngx_amt_mps_write_tenant(json_t *value, ngx_amt_input_t *in)
{
    ngx_str_t  tenant;

    tenant.data = (u_char *) json_string_value(value);
    tenant.len = json_string_length(value);

    return ngx_amt_tenant_valid(&tenant) ? NGX_OK : NGX_DECLINED;
}


/* What the body says, as a row; its strings stay in the body. */

static ngx_int_t
ngx_amt_mps_write_row(ngx_amt_mps_write_t *v)
{
    ngx_amt_store_device_t  *row;

    row = &v->change;

    v->patch = v->api->route->method == NGX_HTTP_PATCH;

    ngx_amt_mps_tenant(v->api, v->api->body, &v->tenant);

    row->guid = v->api->device;
    row->tenant = v->tenant;
    row->last_connected = NGX_AMT_STORE_NO_TIME;
    row->last_seen = NGX_AMT_STORE_NO_TIME;
    row->last_disconnected = NGX_AMT_STORE_NO_TIME;

    ngx_amt_mps_write_text(v, "hostname", NGX_AMT_STORE_HOSTNAME,
                           &row->hostname);
    ngx_amt_mps_write_text(v, "mpsusername", NGX_AMT_STORE_MPS_USERNAME,
                           &row->mps_username);
    ngx_amt_mps_write_text(v, "friendlyName", NGX_AMT_STORE_FRIENDLY_NAME,
                           &row->friendly_name);
    ngx_amt_mps_write_text(v, "dnsSuffix", NGX_AMT_STORE_DNS_SUFFIX,
                           &row->dns_suffix);

    if (ngx_amt_mps_write_json(v, "tags", NGX_AMT_STORE_TAGS, &row->tags)
        != NGX_OK
        || ngx_amt_mps_write_json(v, "deviceInfo", NGX_AMT_STORE_DEVICE_INFO,
                                  &row->device_info)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (row->tags.data == NULL) {
        ngx_str_set(&row->tags, "[]");
    }

    if (ngx_amt_mps_path(v->api, &v->path) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_amt_mps_write_secrets(v);
}


static void
ngx_amt_mps_write_text(ngx_amt_mps_write_t *v, const char *name,
    ngx_uint_t field, ngx_str_t *text)
{
    json_t  *value;

    ngx_str_null(text);

    value = json_object_get(v->api->body, name);

    if (value) {
        v->fields |= field;
    }

    if (json_is_string(value)) {
        text->data = (u_char *) json_string_value(value);
        text->len = json_string_length(value);
    }
}


static ngx_int_t
ngx_amt_mps_write_json(ngx_amt_mps_write_t *v, const char *name,
    ngx_uint_t field, ngx_str_t *text)
{
    json_t         *value;
    ngx_amt_out_t   o;

    ngx_str_null(text);

    value = json_object_get(v->api->body, name);

    if (value) {
        v->fields |= field;
    }

    if (value == NULL || json_is_null(value)) {
        return NGX_OK;
    }

    ngx_amt_out_init(&o, v->api->pool, 256);
    ngx_amt_out_value(&o, value);

    return ngx_amt_out_done(&o, text);
}


/* Moves the passwords out of the body. */

static ngx_int_t
ngx_amt_mps_write_secrets(ngx_amt_mps_write_t *v)
{
    json_t      *value;
    ngx_uint_t   i;

    for (i = 0; i < sizeof(ngx_amt_mps_secrets)
                    / sizeof(ngx_amt_mps_secrets[0]); i++)
    {
        value = json_object_get(v->api->body, ngx_amt_mps_secrets[i].name);

        if (!json_is_string(value)) {
            continue;
        }

        if (v->secrets == NULL) {
            v->secrets = json_object();
        }

        if (v->secrets == NULL
            || json_object_set(v->secrets, ngx_amt_mps_secrets[i].key, value)
               != 0)
        {
            return NGX_ERROR;
        }

        (void) json_object_del(v->api->body, ngx_amt_mps_secrets[i].name);
    }

    return NGX_OK;
}


/* A new row: what was kept for another tenant is as if it was not there. */

static void
ngx_amt_mps_write_kept(ngx_amt_mps_write_t *v)
{
    ngx_str_t  kept;

    v->others = 0;
    ngx_str_null(&v->kept);

    if (v->found
        || v->old.data == NULL
        || ngx_amt_mps_kept_tenant(&v->old, &kept) != NGX_OK)
    {
        return;
    }

    v->kept.data = v->kept_data;
    v->kept.len = ngx_min(kept.len, sizeof(v->kept_data));
    ngx_memcpy(v->kept_data, kept.data, v->kept.len);

    v->others = !ngx_amt_mps_same(&v->kept, &v->tenant);
}


/*
 * The secret as read, with the new passwords in it.  Until its row is written
 * a new device's secret is marked as its tenant's: when that never happens,
 * another tenant that registers the GUID must not get it.
 */

static ngx_int_t
ngx_amt_mps_write_merge(ngx_amt_mps_write_t *v)
{
    ngx_amt_mps_write_wipe(&v->merged);

    v->merged = v->old.data && !v->others ? json_deep_copy(v->old.data)
                                          : json_object();

    if (v->merged == NULL
        || (v->secrets && json_object_update(v->merged, v->secrets) != 0))
    {
        return NGX_ERROR;
    }

    return ngx_amt_mps_kept_set(v->merged, v->old.version + 1,
                                v->found ? NULL : &v->tenant);
}


static ngx_int_t
ngx_amt_mps_write_missing(ngx_amt_mps_write_t *v)
{
    return ngx_amt_mps_not_found(v->api, &v->api->device);
}


/* The row belongs to another tenant. */

static ngx_int_t
ngx_amt_mps_write_taken(ngx_amt_mps_write_t *v)
{
    return ngx_amt_mps_message(v->api, 400, "Unique key violation",
                               "Device ID: ", &v->api->device,
                               " already exists", NULL);
}


/* The store's answer to a row that was not written. */

static ngx_int_t
ngx_amt_mps_write_failed(ngx_amt_mps_write_t *v)
{
    ngx_str_t  text;

    ngx_log_error(NGX_LOG_ERR, &v->api->log, 0, "device was not written: %V",
                  &v->err.text);

    if (v->err.code == NGX_AMT_ERR_CONFLICT) {
        return ngx_amt_mps_write_taken(v);
    }

    if (v->err.code == NGX_AMT_ERR_BUSY) {
        return ngx_amt_reply_busy(v->api, "Too many requests");
    }

    ngx_str_set(&text, "store did not answer");

    if (!v->found) {
        return ngx_amt_mps_message(v->api, 500, "Error",
                                   "Failed to insert device: ",
                                   &v->api->device, ", error: ", &text);
    }

    /* removed meanwhile */

    if (v->err.code == NGX_AMT_ERR_NONE) {
        ngx_str_set(&text, "device was deleted");
    }

    return ngx_amt_mps_message(v->api, 500, "Error",
                               "Failed to update device: ", &v->api->device,
                               ", error: ", &text);
}


static void
ngx_amt_mps_write_wipe(json_t **value)
{
    json_decref(*value);
    *value = NULL;
}


/* Names of the members, never their values. */

ngx_int_t
ngx_amt_mps_write_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    ngx_uint_t              i;
    ngx_amt_out_t           o;
    const ngx_amt_check_t  *check;

    ngx_amt_out_init(&o, api->pool, 256);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "fields");
    ngx_amt_out_open(&o, '[');

    for (check = ngx_amt_mps_write_checks, i = 0; check->field; check++, i++) {

        if (i && ngx_strcmp(check->field, check[-1].field) == 0) {
            continue;
        }

        /* friendlyName has two chains */

        if (i && check->check == NGX_AMT_CHECK_LENGTH) {
            continue;
        }

        if (json_object_get(api->body, check->field)) {
            ngx_amt_out_cstring(&o, check->field);
        }
    }

    ngx_amt_out_close(&o, ']');
    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}
