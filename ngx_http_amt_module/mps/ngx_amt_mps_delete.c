
/*
 * REST: DELETE /devices/{guid} and /devices/disconnect/{guid}.  Contract
 * mps.md sections 2.3, 3.6.
 */


#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_mps_kept.h"
#include "mps/ngx_amt_mps_record.h"
#include "mps/ngx_amt_reply.h"
#include "device/ngx_amt_device.h"


static ngx_uint_t ngx_amt_mps_delete_secrets(ngx_amt_api_t *api);
static ngx_int_t ngx_amt_mps_delete_evict(ngx_amt_flow_t *f,
    ngx_amt_api_t *api);


const ngx_amt_check_t  ngx_amt_mps_delete_checks[] = {

    { "guid", NGX_AMT_IN_PARAMS, NGX_AMT_CHECK_UUID, 0, 0, 0, NULL, NULL,
      NULL },

    { "isSecretToBeDeleted", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_BOOLEAN,
      NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL, NULL, NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


/*
 * The secret goes first, or is marked as this tenant's: a row without it can
 * be repaired by hand, a secret without its row is forgotten.  The connection
 * goes last: without the row the device is not let in again.
 */

ngx_int_t
ngx_amt_mps_devices_delete(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_row_t  *v = data;

    ngx_amt_begin(f, v);

    ngx_amt_mps_tenant(v->api, v->api->query, &v->tenant);

    ngx_amt_await_rc(f, v, ngx_amt_store_get(f, &v->api->device, &v->tenant,
                                             &v->row));

    if (v->frame.rc == NGX_DECLINED) {
        return ngx_amt_mps_not_found(v->api, &v->api->guid);
    }

    if (v->frame.rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_amt_mps_path(v->api, &v->path) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    ngx_amt_flow_shield(f);

    if (ngx_amt_mps_delete_secrets(v->api)) {
        ngx_amt_await(f, v, ngx_amt_vault_delete(f, &v->path));

    } else if (ngx_amt_vault_configured()) {
        ngx_amt_await(f, v, ngx_amt_mps_kept_mark(f, &v->path, &v->tenant));
    }

    ngx_amt_await_rc(f, v, ngx_amt_store_delete(f, &v->api->device,
                                                &v->tenant));

    ngx_amt_device_forget(&v->api->device);

    if (v->frame.rc == NGX_DECLINED) {
        ngx_amt_flow_unshield(f);
        return ngx_amt_mps_not_found(v->api, &v->api->guid);
    }

    if (v->frame.rc != NGX_OK) {
        goto fail;
    }

    ngx_amt_await_rc(f, v, ngx_amt_mps_delete_evict(f, v->api));

    if (v->frame.rc == NGX_ERROR) {

        /* it is deleted all the same; the next login will be refused */

        ngx_log_error(NGX_LOG_ERR, &v->api->log, 0,
                      "connection of deleted device \"%V\" could not be "
                      "ended: %V", &v->api->device, &f->err.text);
        ngx_amt_flow_clear(f);
    }

    ngx_amt_flow_unshield(f);

    return ngx_amt_reply_empty(v->api, 204);

fail:

    ngx_amt_flow_unshield(f);

    return NGX_ERROR;
}


/* Only this literal: "1" passes the check, but is not meant. */

static ngx_uint_t
ngx_amt_mps_delete_secrets(ngx_amt_api_t *api)
{
    json_t  *value;

    value = json_object_get(api->query, "isSecretToBeDeleted");

    return json_is_string(value)
           && ngx_strcmp(json_string_value(value), "true") == 0;
}


/* Operation; whatever tenant's it is, nobody may use it any more. */

static ngx_int_t
ngx_amt_mps_delete_evict(ngx_amt_flow_t *f, ngx_amt_api_t *api)
{
    ngx_int_t  rc;

    rc = ngx_amt_device_lookup(&api->device, &api->info);

    if (rc != NGX_OK) {

        /* without device plane there is no connection either */

        return NGX_DECLINED;
    }

    return ngx_amt_device_evict(f, &api->info);
}


ngx_int_t
ngx_amt_mps_delete_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    if (ngx_amt_mps_delete_secrets(api)) {
        ngx_str_set(detail, "{\"secrets\":true}");

    } else {
        ngx_str_set(detail, "{\"secrets\":false}");
    }

    return NGX_OK;
}


/* The device may come back at once: that is what the route is used for. */

ngx_int_t
ngx_amt_mps_devices_disconnect(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_api_frame_t  *v = data;

    ngx_amt_begin(f, v);

    ngx_amt_flow_shield(f);

    ngx_amt_await_rc(f, v, ngx_amt_device_evict(f, &v->api->info));

    ngx_amt_flow_unshield(f);

    if (v->frame.rc == NGX_DECLINED) {
        return ngx_amt_reply_no_device(v->api);
    }

    if (v->frame.rc != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_amt_reply_success(v->api,
                                 "Device CIRA connection disconnected : ");
}
