
/*
 * REST: calls to a connected device, and what goes with its secrets.
 * Contract mps.md sections 2.3 (refresh), 2.5, 2.6.
 */


#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_mps_record.h"
#include "mps/ngx_amt_reply.h"
#include "mps/ngx_amt_route.h"
#include "device/ngx_amt_device.h"


#define NGX_AMT_ACTIONS                                                       \
    "2,3,4,5,6,7,8,10,11,12,13,14,15,16,17,100,101,104,105,106,107,108,"      \
    "109,110,200,201,202,203,300,301,400,401,500,501"

const ngx_amt_check_t  ngx_amt_mps_action_checks[] = {

    { "action", NGX_AMT_IN_BODY, NGX_AMT_CHECK_IN, 0, 0, 0, NGX_AMT_ACTIONS,
      NULL, NULL },
    { "action", NGX_AMT_IN_BODY, NGX_AMT_CHECK_NUMERIC, 0, 0, 0, NULL, NULL,
      NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


/* A call that needs nothing but the device: the route's op. */

ngx_int_t
ngx_amt_mps_device(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_json_t  *v = data;

    ngx_int_t       rc;
    ngx_uint_t      status;
    ngx_amt_api_t  *api;

    ngx_amt_begin(f, v);

    api = v->api;

    if (api->route->input) {
        rc = api->route->input(api);

        if (rc != NGX_OK) {
            return rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
        }
    }

    v->result.guid = api->guid;
    v->result.pool = api->pool;

    ngx_amt_await(f, v, ngx_amt_op_run(f, &v->api->info, v->api->route->op,
                                       v->api->body, &v->result));

    status = v->result.status ? v->result.status : 200;

    if (v->result.text.data) {
        return ngx_amt_reply_refusal(v->api, status, v->result.title,
                                     &v->result.text);
    }

    if (v->result.out.start) {
        return ngx_amt_reply_out(v->api, status, &v->result.out);
    }

    if (v->result.json == NULL) {
        return ngx_amt_reply_empty(v->api, status);
    }

    return ngx_amt_reply_json(v->api, status, v->result.json);

fail:

    return NGX_ERROR;
}


/* The parameters behind :guid become members of the op's input. */

ngx_int_t
ngx_amt_mps_params_input(ngx_amt_api_t *api)
{
    if (!json_is_object(api->body)) {
        json_decref(api->body);

        api->body = json_object();

        if (api->body == NULL) {
            return NGX_ERROR;
        }
    }

    return ngx_amt_route_members(api, 1, api->body);
}


ngx_int_t
ngx_amt_mps_power_input(ngx_amt_api_t *api)
{
    json_t  *action;

    action = json_object_get(api->body, "action");
    action = json_integer(ngx_amt_input_int(action, 0, 0, 501));

    return json_object_set_new(api->body, "action", action) == 0
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_amt_mps_power_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    ngx_amt_out_t  o;

    ngx_amt_out_init(&o, api->pool, 64);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "action");
    ngx_amt_out_int(&o, ngx_amt_input_int(json_object_get(api->body, "action"),
                                          0, 0, 501));
    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}


void
ngx_amt_mps_json_drop(void *data)
{
    ngx_amt_mps_json_t  *v = data;

    ngx_amt_result_drop(&v->result);
}


/*
 * The AMT password in Vault has changed.  RPS calls this without a tenant;
 * a tenant's caller sees its own devices only.
 */

ngx_int_t
ngx_amt_mps_devices_refresh(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_refresh_t  *v = data;

    ngx_int_t        rc;
    ngx_cira_info_t  info;

    ngx_amt_begin(f, v);

    rc = ngx_amt_device_lookup(&v->api->guid, &info);

    if (rc == NGX_ERROR) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "device plane is missing");
    }

    if (rc != NGX_OK
        || (!v->api->id.any_tenant
            && (info.tenant_len != v->api->tenant.len
                || ngx_memcmp(info.tenant, v->api->tenant.data,
                              info.tenant_len)
                   != 0)))
    {
        return ngx_amt_reply_empty(v->api, 404);
    }

    if (ngx_amt_mps_path(v->api, &v->path) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->secret));

    if (v->frame.rc == NGX_DECLINED
        || (v->frame.rc == NGX_OK
            && ngx_amt_secret_get(&v->secret, "AMT_PASSWORD") == NULL))
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_NO_PASSWORD,
                                  "no AMT_PASSWORD in the secret store");
    }

    if (v->frame.rc != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_amt_device_forget(&v->api->device);

    return ngx_amt_reply_success(v->api, "Device info refreshed : ");
}


void
ngx_amt_mps_refresh_drop(void *data)
{
    ngx_amt_mps_refresh_t  *v = data;

    ngx_amt_secret_wipe(&v->secret);
}
