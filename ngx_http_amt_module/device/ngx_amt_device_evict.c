
/*
 * Ending a device's CIRA connection: in this worker, or by EVICT at its
 * owner's private listener.  Contract mps.md section 2.3 (disconnect).
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "device/ngx_amt_device.h"
#include "device/ngx_amt_tunnel.h"


#define NGX_AMT_EVICT_TIMEOUT  5000      /* ms; the owner answers at once */
#define NGX_AMT_EVICT_TRIES    4         /* of one device */
#define NGX_AMT_EVICT_PAUSE    200       /* ms, when the owner is busy */


typedef struct {
    ngx_amt_frame_t          frame;
    ngx_cira_api_t          *api;
    ngx_cira_info_t          info;
    ngx_amt_tunnel_t         tunnel;
    ngx_amt_http_response_t  res;
    ngx_uint_t               tries;
} ngx_amt_device_evict_t;


static ngx_int_t ngx_amt_device_evict_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_device_evict_drop(void *data);
static ngx_int_t ngx_amt_device_evict_again(ngx_amt_device_evict_t *v);


ngx_int_t
ngx_amt_device_evict(ngx_amt_flow_t *f, ngx_cira_info_t *info)
{
    ngx_cira_api_t          *api;
    ngx_amt_device_evict_t  *v;

    api = ngx_cira_api_find((ngx_cycle_t *) ngx_cycle);

    if (api == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "device plane is missing");
    }

    v = ngx_amt_frame_alloc(f, "device_evict",
                            sizeof(ngx_amt_device_evict_t),
                            ngx_amt_device_evict_body,
                            ngx_amt_device_evict_drop);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->api = api;
    v->info = *info;

    ngx_amt_tunnel_init(&v->tunnel, f->log);

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_device_evict_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_device_evict_t *v = data;

    ngx_int_t  rc;

    ngx_amt_begin(f, v);

    for ( ;; ) {

        rc = v->api->evict(&v->info);

        if (rc == NGX_OK) {
            return NGX_OK;
        }

        if (rc == NGX_AGAIN) {

            ngx_amt_await_rc(f, v,
                             ngx_amt_tunnel_evict(f, &v->tunnel, &v->info,
                                                  NGX_AMT_EVICT_TIMEOUT,
                                                  f->pool, &v->res));

            ngx_amt_tunnel_close(&v->tunnel);

            if (v->frame.rc == NGX_OK) {
                return NGX_OK;
            }

            if (v->tunnel.err == NGX_AMT_ERR_BUSY
                && ++v->tries < NGX_AMT_EVICT_TRIES)
            {
                ngx_amt_await(f, v,
                              ngx_amt_flow_sleep(f, NGX_AMT_EVICT_PAUSE));
                continue;
            }

            if (!v->tunnel.gone || v->tunnel.err == NGX_AMT_ERR_BUSY) {
                return ngx_amt_flow_error(f, v->tunnel.err, "%s",
                                          v->tunnel.text);
            }

        } else if (rc != NGX_DECLINED) {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                      "\"cira_zone\" is not configured");
        }

        if (ngx_amt_device_evict_again(v) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

fail:

    return v->frame.rc;
}


static void
ngx_amt_device_evict_drop(void *data)
{
    ngx_amt_device_evict_t *v = data;

    ngx_amt_tunnel_close(&v->tunnel);
}


/* That connection is gone: is there a newer one? */

static ngx_int_t
ngx_amt_device_evict_again(ngx_amt_device_evict_t *v)
{
    ngx_cira_info_t  info;

    if (++v->tries >= NGX_AMT_EVICT_TRIES
        || v->api->lookup(v->info.guid, &info) != NGX_OK
        || info.generation == v->info.generation
        || info.tenant_len != v->info.tenant_len
        || ngx_memcmp(info.tenant, v->info.tenant, info.tenant_len) != 0)
    {
        return NGX_DECLINED;
    }

    v->info = info;

    return NGX_OK;
}
