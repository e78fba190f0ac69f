
/*
 * REST: DELETE /amt/deactivate/{guid}.  Contract mps.md section 2.15.
 *
 * The device is the point of no return, so all that may fail is asked first:
 * the store for the row, Vault whether it answers.  Afterwards the secret
 * goes before the row: a worker that dies in between leaves a row, which is
 * seen and can be deleted, and never a secret that nobody knows of.  What
 * fails from here on is logged, since the device is deactivated all the same.
 */


#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_mps_record.h"
#include "mps/ngx_amt_reply.h"
#include "mps/ngx_amt_route.h"
#include "amt/ngx_amt_deactivate.h"
#include "device/ngx_amt_device.h"


#define NGX_AMT_DEACTIVATE_TRIES  3
#define NGX_AMT_DEACTIVATE_PAUSE  1000   /* ms, between tries */


static void ngx_amt_mps_deactivate_left(ngx_amt_flow_t *f,
    ngx_amt_api_t *api, const char *what);
static ngx_int_t ngx_amt_mps_deactivate_evict(ngx_amt_flow_t *f,
    ngx_amt_api_t *api);


ngx_int_t
ngx_amt_mps_deactivate(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_deactivate_t  *v = data;

    ngx_amt_begin(f, v);

    if (ngx_amt_mps_path(v->api, &v->path) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    ngx_amt_await_rc(f, v, ngx_amt_store_get(f, &v->api->device,
                                             &v->api->tenant, &v->row));

    if (v->frame.rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (ngx_amt_vault_configured()) {

        ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->secret));

        if (v->frame.rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        ngx_amt_secret_wipe(&v->secret);
    }

    ngx_amt_flow_shield(f);

    v->result.guid = v->api->guid;

    ngx_amt_await_rc(f, v, ngx_amt_op_run(f, &v->api->info,
                                          v->api->route->op, NULL,
                                          &v->result));

    if (v->frame.rc != NGX_OK) {

        if (f->err.code == NGX_AMT_ERR_LOST
            || f->err.code == NGX_AMT_ERR_TIMEOUT)
        {
            ngx_log_error(NGX_LOG_WARN, &v->api->log, 0,
                          "device \"%V\" may be deactivated, its answer was "
                          "lost; row and secrets are kept",
                          &v->api->device);
        }

        goto fail;
    }

    if (v->result.text.data) {
        ngx_amt_flow_unshield(f);
        return ngx_amt_reply_refusal(v->api, v->result.status,
                                     v->result.title, &v->result.text);
    }

    if (!ngx_amt_deactivate_done(&v->result)) {
        goto done;
    }

    ngx_amt_device_forget(&v->api->device);

    for (v->tries = 0;
         ngx_amt_vault_configured() && v->tries < NGX_AMT_DEACTIVATE_TRIES;
         v->tries++)
    {
        if (v->tries) {
            ngx_amt_flow_clear(f);
            ngx_amt_await_rc(f, v, ngx_amt_flow_sleep(f,
                                                  NGX_AMT_DEACTIVATE_PAUSE));
        }

        ngx_amt_await_rc(f, v, ngx_amt_vault_delete(f, &v->path));

        if (v->frame.rc == NGX_OK) {
            break;
        }
    }

    if (v->frame.rc != NGX_OK) {
        ngx_amt_mps_deactivate_left(f, v->api, "secrets");
    }

    ngx_amt_await_rc(f, v, ngx_amt_store_delete(f, &v->api->device,
                                                &v->api->tenant));

    if (v->frame.rc == NGX_ERROR) {
        ngx_amt_mps_deactivate_left(f, v->api, "row");
    }

    /* AMT ends its connection by itself; one that stays is nobody's */

    ngx_amt_await_rc(f, v, ngx_amt_mps_deactivate_evict(f, v->api));

    if (v->frame.rc == NGX_ERROR) {
        ngx_amt_mps_deactivate_left(f, v->api, "connection");
    }

done:

    ngx_amt_flow_unshield(f);

    return ngx_amt_reply_json(v->api, 200, v->result.json);

fail:

    ngx_amt_flow_unshield(f);

    return NGX_ERROR;
}


static void
ngx_amt_mps_deactivate_left(ngx_amt_flow_t *f, ngx_amt_api_t *api,
    const char *what)
{
    ngx_log_error(NGX_LOG_ERR, &api->log, 0,
                  "device \"%V\" is deactivated, but its %s could not be "
                  "removed: %V", &api->device, what, &f->err.text);

    ngx_amt_flow_clear(f);
}


/* Operation: the connection it was deactivated over, not a later one. */

static ngx_int_t
ngx_amt_mps_deactivate_evict(ngx_amt_flow_t *f, ngx_amt_api_t *api)
{
    ngx_cira_info_t  info;

    if (ngx_amt_device_lookup(&api->device, &info) != NGX_OK
        || info.generation != api->info.generation)
    {
        return NGX_DECLINED;
    }

    return ngx_amt_device_evict(f, &info);
}


void
ngx_amt_mps_deactivate_drop(void *data)
{
    ngx_amt_mps_deactivate_t  *v = data;

    ngx_amt_secret_wipe(&v->secret);
    ngx_amt_result_drop(&v->result);
}
