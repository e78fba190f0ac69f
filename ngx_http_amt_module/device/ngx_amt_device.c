
/*
 * Conversations with AMT devices, see ngx_amt_device.h: where to dial, and
 * what goes to the next holder of the device's slot.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "device/ngx_amt_device_priv.h"
#include "ngx_amt_wipe.h"


#define NGX_AMT_DEVICE_PAUSE  100        /* ms */


/* ---- frames ---- */

typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_device_t          *dev;
    ngx_amt_device_t         **result;
} ngx_amt_device_open_t;


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_device_t          *dev;
    ngx_msec_t                 deadline;
    ngx_amt_http_response_t    res;
    ngx_uint_t                 tries;
} ngx_amt_device_connect_t;


static void ngx_amt_device_open_drop(void *data);
static ngx_int_t ngx_amt_device_open_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_device_connect_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_device_connect_again(ngx_amt_flow_t *f,
    ngx_amt_device_connect_t *v);
static void ngx_amt_device_take_state(ngx_amt_device_t *dev,
    ngx_str_t *state);


ngx_http_amt_device_conf_t *
ngx_amt_device_conf(void)
{
    return ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_amt_device_module);
}


ngx_int_t
ngx_amt_device_lookup(ngx_str_t *guid, ngx_cira_info_t *info)
{
    u_char           id[NGX_CIRA_GUID_LEN];
    ngx_int_t        rc;
    ngx_cira_api_t  *api;

    if (ngx_cira_guid_parse(guid->data, guid->len, id) != NGX_OK) {
        return NGX_DECLINED;
    }

    api = ngx_cira_api_find((ngx_cycle_t *) ngx_cycle);

    if (api == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "no device plane: load ngx_stream_cira_module.so "
                      "of the same version before ngx_http_amt_module.so");
        return NGX_ERROR;
    }

    rc = api->lookup(id, info);

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "no device plane: \"cira_zone\" is not configured");
    }

    return rc;
}


ngx_int_t
ngx_amt_device_open(ngx_amt_flow_t *f, ngx_cira_info_t *info,
    ngx_uint_t fresh, ngx_amt_device_t **result)
{
    u_char                 *p;
    ngx_amt_device_t       *dev;
    ngx_amt_device_open_t  *v;

    *result = NULL;

    if (ngx_amt_device_conf() == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "no http configuration");
    }

    v = ngx_amt_frame_alloc(f, "device_open", sizeof(ngx_amt_device_open_t),
                            ngx_amt_device_open_body,
                            ngx_amt_device_open_drop);
    if (v == NULL) {
        return NGX_ERROR;
    }

    dev = ngx_calloc(sizeof(ngx_amt_device_t), f->log);
    if (dev == NULL) {
        ngx_amt_frame_free(f, v);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    v->dev = dev;
    v->result = result;

    ngx_amt_tunnel_init(&dev->tunnel, f->log);

    dev->info = *info;
    dev->options.fresh = fresh ? 1 : 0;
    dev->options.direct = ngx_amt_device_conf()->direct ? 1 : 0;

    p = ngx_cira_guid_text(dev->host, info->guid);
    ngx_memcpy(p, ":16992", sizeof(":16992") - 1);

    dev->pool = ngx_create_pool(4096, f->log);
    if (dev->pool == NULL) {
        ngx_amt_frame_free(f, v);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return ngx_amt_call(f, v);
}


static void
ngx_amt_device_open_drop(void *data)
{
    ngx_amt_device_open_t *v = data;

    ngx_amt_device_close(v->dev);
}


static ngx_int_t
ngx_amt_device_open_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_device_open_t *v = data;

    ngx_amt_begin(f, v);

    ngx_amt_await(f, v,
                  ngx_amt_device_connect(f, v->dev, ngx_current_msec
                                         + ngx_amt_device_conf()->timeout));

    *v->result = v->dev;
    v->dev = NULL;

    ngx_amt_end(f, v);

fail:

    return v->frame.rc;
}


ngx_int_t
ngx_amt_device_connect(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_msec_t deadline)
{
    ngx_amt_device_connect_t  *v;

    v = ngx_amt_frame_alloc(f, "device_connect",
                            sizeof(ngx_amt_device_connect_t),
                            ngx_amt_device_connect_body, NULL);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->dev = dev;
    v->deadline = deadline;

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_device_connect_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_device_connect_t *v = data;

    ngx_amt_begin(f, v);

    for ( ;; ) {

        ngx_amt_device_reset(v->dev);

        ngx_amt_await_rc(f, v,
                         ngx_amt_tunnel_connect(f, &v->dev->tunnel,
                                           &v->dev->info, &v->dev->options,
                                           ngx_amt_device_left(v->deadline),
                                           v->dev->pool, &v->res));

        if (v->frame.rc == NGX_OK) {
            break;
        }

        if (v->dev->tunnel.gone && v->dev->tunnel.err == NGX_AMT_ERR_BUSY
            && v->tries == 0)
        {
            /* no answer of the owner: if it is dying, that shows soon */

            ngx_amt_await(f, v, ngx_amt_flow_sleep(f, NGX_AMT_DEVICE_PAUSE));
        }

        v->frame.rc = ngx_amt_device_connect_again(f, v);

        if (v->frame.rc != NGX_OK) {
            goto fail;
        }
    }

    ngx_amt_device_take_state(v->dev, &v->res.cira_state);

    ngx_amt_end(f, v);

fail:

    return v->frame.rc;
}


/* The device may have moved to another worker: one more look. */

static ngx_int_t
ngx_amt_device_connect_again(ngx_amt_flow_t *f, ngx_amt_device_connect_t *v)
{
    ngx_int_t          rc;
    ngx_cira_info_t    info;
    ngx_cira_api_t    *api;
    ngx_amt_device_t  *dev;

    dev = v->dev;

    if (!dev->tunnel.gone || v->tries++) {
        return ngx_amt_device_failed(f, &dev->tunnel);
    }

    api = ngx_cira_api_find((ngx_cycle_t *) ngx_cycle);

    rc = api ? api->lookup(dev->info.guid, &info) : NGX_DECLINED;

    if (rc != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_NOT_CONNECTED,
                                  "device is not connected");
    }

    /* whoever was allowed to call was so for this tenant's device */

    if (info.tenant_len != dev->info.tenant_len
        || ngx_memcmp(info.tenant, dev->info.tenant, info.tenant_len) != 0)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_NOT_CONNECTED,
                                  "device changed its tenant");
    }

    dev->info = info;

    return NGX_OK;
}


/*
 * State is of another holder, and newer than a challenge of our own, whose
 * counts nobody else has used.
 */

static void
ngx_amt_device_take_state(ngx_amt_device_t *dev, ngx_str_t *state)
{
    if (state->len
        && ngx_amt_digest_decode(state, &dev->digest) != NGX_OK)
    {
        dev->digest.nonce_len = 0;

        ngx_log_error(NGX_LOG_WARN, dev->tunnel.log, 0,
                      "device slot has a state that is not ours");
    }
}


void
ngx_amt_device_close(ngx_amt_device_t *dev)
{
    u_char     buf[NGX_AMT_DIGEST_STATE];
    ngx_str_t  state;

    if (dev == NULL) {
        return;
    }

    state.data = buf;
    state.len = 0;

    if (ngx_amt_tunnel_has_slot(&dev->tunnel) && dev->digest.nonce_len) {
        state.len = ngx_amt_digest_encode(&dev->digest, buf);
    }

    ngx_amt_tunnel_release(&dev->tunnel, &state);

    ngx_explicit_memzero(buf, state.len);

    if (dev->pool) {
        ngx_amt_wipe_pool(dev->pool);
        ngx_destroy_pool(dev->pool);
    }

    ngx_explicit_memzero(dev, sizeof(ngx_amt_device_t));
    ngx_free(dev);
}


/* Requests and answers carry passwords and what suffices for a login. */

void
ngx_amt_device_reset(ngx_amt_device_t *dev)
{
    ngx_amt_wipe_pool(dev->pool);
    ngx_reset_pool(dev->pool);
}


void
ngx_amt_device_forget(ngx_str_t *guid)
{
    u_char                       id[NGX_CIRA_GUID_LEN];
    ngx_http_amt_device_conf_t  *dcf;

    dcf = ngx_amt_device_conf();

    if (dcf && ngx_cira_guid_parse(guid->data, guid->len, id) == NGX_OK) {
        ngx_amt_ha1_forget(dcf->cache, id);
    }
}
