
/*
 * Enumerations of a device: Enumerate, and Pull until the end of the
 * sequence.  See ngx_amt_device.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "device/ngx_amt_device_priv.h"


#define NGX_AMT_DEVICE_MAX_PULLS  64
#define NGX_AMT_DEVICE_MAX_ENUM   (1024 * 1024)
#define NGX_AMT_DEVICE_MAX_NODES  32768  /* elements of all items: each takes
                                            far more memory than on the wire */
#define NGX_AMT_DEVICE_MAX_CTX    4096


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_device_t          *dev;
    const char                *class;
    ngx_array_t               *items;
    ngx_array_t              **result;
    ngx_amt_wsman_response_t  *res;
    ngx_amt_wsman_request_t    req;
    ngx_uint_t                 pulls;
    ngx_uint_t                 nodes;
    size_t                     received;
} ngx_amt_device_enum_t;


static ngx_int_t ngx_amt_device_enumerate(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, const char *class, ngx_uint_t strict,
    ngx_array_t **items, ngx_amt_wsman_response_t *res);
static ngx_int_t ngx_amt_device_enum_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_device_enum_take(ngx_amt_flow_t *f,
    ngx_amt_device_enum_t *v);
static ngx_uint_t ngx_amt_device_nodes(ngx_amt_xml_t *x);


ngx_int_t
ngx_amt_device_enum(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const char *class, ngx_array_t **items, ngx_amt_wsman_response_t *res)
{
    return ngx_amt_device_enumerate(f, dev, class, 0, items, res);
}


ngx_int_t
ngx_amt_device_enum_strict(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const char *class, ngx_array_t **items, ngx_amt_wsman_response_t *res)
{
    return ngx_amt_device_enumerate(f, dev, class, 1, items, res);
}


static ngx_int_t
ngx_amt_device_enumerate(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const char *class, ngx_uint_t strict, ngx_array_t **items,
    ngx_amt_wsman_response_t *res)
{
    ngx_amt_device_enum_t  *v;

    v = ngx_amt_frame_alloc(f, "device_enum", sizeof(ngx_amt_device_enum_t),
                            ngx_amt_device_enum_body, NULL);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->items = ngx_array_create(f->pool, 8, sizeof(ngx_amt_xml_t *));
    if (v->items == NULL) {
        ngx_amt_frame_free(f, v);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    v->dev = dev;
    v->class = class;
    v->req.strict = strict;
    v->result = items;
    v->res = res;

    *items = v->items;

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_device_enum_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_device_enum_t *v = data;

    ngx_amt_begin(f, v);

    v->req.op = NGX_AMT_WSMAN_ENUMERATE;
    v->req.class = v->class;

    ngx_amt_await(f, v, ngx_amt_device_call(f, v->dev, &v->req, v->res));

    if (v->res->fault) {
        return NGX_OK;
    }

    v->req.op = NGX_AMT_WSMAN_PULL;
    v->req.context = ngx_amt_xml_text(v->res->content, "EnumerationContext");

    if (v->req.context.len == 0
        || v->req.context.len > NGX_AMT_DEVICE_MAX_CTX)
    {
        return ngx_amt_device_bad(f, v->dev, "no enumeration context");
    }

    for ( ;; ) {

        ngx_amt_await(f, v, ngx_amt_device_call(f, v->dev, &v->req, v->res));

        if (v->res->fault) {
            return NGX_OK;
        }

        v->frame.rc = ngx_amt_device_enum_take(f, v);

        if (v->frame.rc == NGX_AGAIN) {
            continue;
        }

        return v->frame.rc;
    }

fail:

    return v->frame.rc;
}


/* Items of one PullResponse; NGX_AGAIN: pull on. */

static ngx_int_t
ngx_amt_device_enum_take(ngx_amt_flow_t *f, ngx_amt_device_enum_t *v)
{
    ngx_amt_xml_t  *x, *content, **item;

    content = v->res->content;

    if (!ngx_amt_xml_is(content, "PullResponse")) {
        return ngx_amt_device_bad(f, v->dev, "no PullResponse");
    }

    x = ngx_amt_xml_child(content, "Items");

    v->nodes += ngx_amt_device_nodes(x);

    if (v->nodes > NGX_AMT_DEVICE_MAX_NODES) {
        return ngx_amt_device_bad(f, v->dev, "enumeration too large");
    }

    for (x = x ? x->first : NULL; x; x = x->next) {

        item = ngx_array_push(v->items);
        if (item == NULL) {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
        }

        *item = x;
    }

    if (ngx_amt_xml_child(content, "EndOfSequence")) {
        return NGX_OK;
    }

    v->req.context = ngx_amt_xml_text(content, "EnumerationContext");

    if (v->req.context.len == 0) {
        return NGX_OK;
    }

    v->received += v->dev->received;

    if (++v->pulls == NGX_AMT_DEVICE_MAX_PULLS
        || v->received > NGX_AMT_DEVICE_MAX_ENUM
        || v->req.context.len > NGX_AMT_DEVICE_MAX_CTX)
    {
        return ngx_amt_device_bad(f, v->dev, "enumeration without end");
    }

    return NGX_AGAIN;
}


/* Elements below x; the reader capped the depth. */

static ngx_uint_t
ngx_amt_device_nodes(ngx_amt_xml_t *x)
{
    ngx_uint_t  n;

    if (x == NULL) {
        return 0;
    }

    n = 0;

    for (x = x->first; x; x = x->next) {
        n += 1 + ngx_amt_device_nodes(x);
    }

    return n;
}
