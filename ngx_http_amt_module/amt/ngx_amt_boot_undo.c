
/*
 * Boot options that a device was told and that shall not be used any more;
 * see ngx_amt_boot.h.
 */


#include "amt/ngx_amt_boot.h"
#include "amt/ngx_amt_power.h"


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_device_t          *dev;
    ngx_amt_xml_t             *setting;
    ngx_amt_wsman_response_t   res;
    ngx_amt_error_t            err;
} ngx_amt_boot_undo_t;


static ngx_int_t ngx_amt_boot_undo_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_boot_undo_put(ngx_amt_flow_t *f,
    ngx_amt_boot_undo_t *v);
static ngx_int_t ngx_amt_boot_undo_order(ngx_amt_flow_t *f,
    ngx_amt_boot_undo_t *v);


ngx_int_t
ngx_amt_boot_undo(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_amt_xml_t *setting)
{
    ngx_amt_boot_undo_t  *v;

    v = ngx_amt_frame_alloc(f, "boot_undo", sizeof(ngx_amt_boot_undo_t),
                            ngx_amt_boot_undo_body, NULL);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->dev = dev;
    v->setting = setting;
    v->err = f->err;

    ngx_amt_flow_clear(f);

    return ngx_amt_call(f, v);
}


/* The settings first: they may hold credentials. */

static ngx_int_t
ngx_amt_boot_undo_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_boot_undo_t *v = data;

    ngx_amt_begin(f, v);

    ngx_amt_await(f, v, ngx_amt_boot_undo_put(f, v));
    ngx_amt_await(f, v, ngx_amt_boot_undo_order(f, v));

    f->err = v->err;

    return NGX_OK;

fail:

    ngx_log_error(NGX_LOG_WARN, f->log, 0,
                  "boot settings could not be put back: %V", &f->err.text);

    f->err = v->err;

    return NGX_DECLINED;
}


/* The settings every power action writes. */

static ngx_int_t
ngx_amt_boot_undo_put(ngx_amt_flow_t *f, ngx_amt_boot_undo_t *v)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_PUT;
    req.class = "AMT_BootSettingData";
    req.strict = 1;
    req.echo = 1;

    if (ngx_amt_power_boot_defaults(f->pool, v->setting, &req.body) != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "boot settings too large");
    }

    return ngx_amt_device_call(f, v->dev, &req, &v->res);
}


static ngx_int_t
ngx_amt_boot_undo_order(ngx_amt_flow_t *f, ngx_amt_boot_undo_t *v)
{
    ngx_str_t                none;
    ngx_amt_wsman_request_t  req;

    ngx_str_null(&none);
    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = "CIM_BootConfigSetting";
    req.method = "ChangeBootOrder";
    req.strict = 1;

    if (ngx_amt_boot_order(f->pool, &none, &req.body) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return ngx_amt_device_call(f, v->dev, &req, &v->res);
}
