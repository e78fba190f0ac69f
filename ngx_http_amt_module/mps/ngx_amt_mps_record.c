
/*
 * Device records and tenant rules.  Contract mps.md sections 1.8, 2.3, 3.2.
 */


#include "mps/ngx_amt_mps_record.h"
#include "mps/ngx_amt_reply.h"


void
ngx_amt_mps_record(ngx_amt_out_t *o, ngx_amt_store_device_t *row,
    ngx_uint_t full)
{
    ngx_amt_out_open(o, '{');
    ngx_amt_out_key(o, "guid");
    ngx_amt_out_string(o, &row->guid);
    ngx_amt_out_key(o, "hostname");
    ngx_amt_out_string(o, &row->hostname);
    ngx_amt_out_key(o, "tags");
    ngx_amt_out_json(o, &row->tags);
    ngx_amt_out_key(o, "mpsInstance");
    ngx_amt_out_string(o, &row->mps_instance);
    ngx_amt_out_key(o, "connectionStatus");
    ngx_amt_out_bool(o, row->connected);
    ngx_amt_out_key(o, "mpsusername");
    ngx_amt_out_string(o, &row->mps_username);
    ngx_amt_out_key(o, "tenantId");
    ngx_amt_out_string(o, &row->tenant);
    ngx_amt_out_key(o, "friendlyName");
    ngx_amt_out_string(o, &row->friendly_name);
    ngx_amt_out_key(o, "dnsSuffix");
    ngx_amt_out_string(o, &row->dns_suffix);

    if (full) {
        ngx_amt_out_key(o, "lastConnected");
        ngx_amt_out_time(o, row->last_connected);
        ngx_amt_out_key(o, "lastSeen");
        ngx_amt_out_time(o, row->last_seen);
        ngx_amt_out_key(o, "lastDisconnected");
        ngx_amt_out_time(o, row->last_disconnected);
    }

    ngx_amt_out_key(o, "deviceInfo");
    ngx_amt_out_json(o, &row->device_info);
    ngx_amt_out_close(o, '}');
}


void
ngx_amt_mps_tenant(ngx_amt_api_t *api, json_t *place, ngx_str_t *tenant)
{
    json_t  *value;

    *tenant = api->tenant;

    if (!api->id.any_tenant) {
        return;
    }

    value = ngx_amt_input_get(place, "tenantId");

    if (json_is_string(value)) {
        tenant->data = (u_char *) json_string_value(value);
        tenant->len = json_string_length(value);
    }
}


ngx_uint_t
ngx_amt_mps_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}


ngx_int_t
ngx_amt_mps_path(ngx_amt_api_t *api, ngx_str_t *path)
{
    u_char  *p;

    path->len = sizeof("devices/") - 1 + api->device.len;

    path->data = ngx_pnalloc(api->pool, path->len);
    if (path->data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(path->data, "devices/", sizeof("devices/") - 1);
    ngx_memcpy(p, api->device.data, api->device.len);

    return NGX_OK;
}


ngx_int_t
ngx_amt_mps_not_found(ngx_amt_api_t *api, ngx_str_t *guid)
{
    return ngx_amt_mps_message(api, 404, "NOT FOUND", "Device ID ", guid,
                               " not found", NULL);
}


ngx_int_t
ngx_amt_mps_message(ngx_amt_api_t *api, ngx_uint_t status, const char *title,
    const char *first, ngx_str_t *guid, const char *second, ngx_str_t *text)
{
    ngx_str_t      message;
    ngx_amt_out_t  o;

    ngx_amt_out_init(&o, api->pool, 128);
    ngx_amt_out_text(&o, first);
    ngx_amt_out_raw(&o, guid->data, guid->len);
    ngx_amt_out_text(&o, second);

    if (text) {
        ngx_amt_out_raw(&o, text->data, text->len);
    }

    if (ngx_amt_out_done(&o, &message) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_amt_out_init(&o, api->pool, 192);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "error");
    ngx_amt_out_cstring(&o, title);
    ngx_amt_out_key(&o, "message");
    ngx_amt_out_string(&o, &message);
    ngx_amt_out_close(&o, '}');

    return ngx_amt_reply_out(api, status, &o);
}
