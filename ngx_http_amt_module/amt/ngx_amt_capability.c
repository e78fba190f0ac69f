
/*
 * Running capabilities; see ngx_amt_capability.h.
 */


#include "amt/ngx_amt_capability.h"
#include "ngx_cira_utf8.h"


#define NGX_AMT_CAP_TEXT  1024           /* bytes of a refusal's text */


typedef struct {
    ngx_amt_frame_t        frame;
    ngx_cira_info_t       *info;
    ngx_amt_device_t      *dev;
    const ngx_amt_op_t    *op;
    json_t                *input;
    ngx_amt_result_t      *result;
} ngx_amt_op_run_t;


static ngx_int_t ngx_amt_op_run_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_op_run_drop(void *data);
static void ngx_amt_cap_drop(void *data);


ngx_int_t
ngx_amt_op_run(ngx_amt_flow_t *f, ngx_cira_info_t *info,
    const ngx_amt_op_t *op, json_t *input, ngx_amt_result_t *result)
{
    ngx_amt_op_run_t  *v;

    v = ngx_amt_frame_alloc(f, "conversation", sizeof(ngx_amt_op_run_t),
                            ngx_amt_op_run_body, ngx_amt_op_run_drop);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->info = info;
    v->op = op;
    v->input = input;
    v->result = result;

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_op_run_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_op_run_t *v = data;

    ngx_amt_begin(f, v);

    ngx_amt_await(f, v, ngx_amt_device_open(f, v->info, v->op->fresh,
                                            &v->dev));

    ngx_amt_await(f, v, ngx_amt_op_call(f, v->dev, v->op, v->input,
                                        v->result));

    ngx_amt_end(f, v);

fail:

    return v->frame.rc;
}


static void
ngx_amt_op_run_drop(void *data)
{
    ngx_amt_op_run_t *v = data;

    ngx_amt_device_close(v->dev);
}


ngx_int_t
ngx_amt_op_call(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const ngx_amt_op_t *op, json_t *input, ngx_amt_result_t *result)
{
    ngx_amt_cap_t  *c;

    c = ngx_amt_frame_alloc(f, op->name, op->size, op->body,
                            ngx_amt_cap_drop);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->op = op;
    c->dev = dev;
    c->input = input;
    c->result = result;

    return ngx_amt_call(f, c);
}


static void
ngx_amt_cap_drop(void *data)
{
    ngx_amt_cap_t *c = data;

    if (c->op && c->op->drop) {
        c->op->drop(c);
    }

    json_decref(c->json);
}


void
ngx_amt_result_drop(ngx_amt_result_t *result)
{
    json_decref(result->json);
    result->json = NULL;
}


ngx_int_t
ngx_amt_cap_get(ngx_amt_flow_t *f, ngx_amt_cap_t *c, const char *class)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_GET;
    req.class = class;

    return ngx_amt_cap_call(f, c, &req);
}


ngx_int_t
ngx_amt_cap_get_any(ngx_amt_flow_t *f, ngx_amt_cap_t *c, const char *class)
{
    return ngx_amt_device_get(f, c->dev, class, &c->res);
}


ngx_int_t
ngx_amt_cap_enum(ngx_amt_flow_t *f, ngx_amt_cap_t *c, const char *class)
{
    return ngx_amt_device_enum_strict(f, c->dev, class, &c->items, &c->res);
}


ngx_int_t
ngx_amt_cap_enum_any(ngx_amt_flow_t *f, ngx_amt_cap_t *c, const char *class)
{
    return ngx_amt_device_enum(f, c->dev, class, &c->items, &c->res);
}


ngx_int_t
ngx_amt_cap_call(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    ngx_amt_wsman_request_t *req)
{
    req->strict = 1;

    return ngx_amt_device_call(f, c->dev, req, &c->res);
}


ngx_int_t
ngx_amt_cap_call_any(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    ngx_amt_wsman_request_t *req)
{
    req->strict = 0;

    return ngx_amt_device_call(f, c->dev, req, &c->res);
}


ngx_int_t
ngx_amt_cap_invoke(ngx_amt_flow_t *f, ngx_amt_cap_t *c, const char *class,
    const char *method, ngx_str_t *body)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = class;
    req.method = method;

    if (body) {
        req.body = *body;
    }

    return ngx_amt_cap_call(f, c, &req);
}


ngx_uint_t
ngx_amt_cap_optional(ngx_amt_flow_t *f)
{
    switch (f->err.code) {

    case NGX_AMT_ERR_TIMEOUT:
    case NGX_AMT_ERR_LOST:
    case NGX_AMT_ERR_BAD_ANSWER:
    case NGX_AMT_ERR_FAULT:
        ngx_amt_flow_clear(f);
        return 1;

    default:
        return 0;
    }
}


ngx_uint_t
ngx_amt_cap_fault_is(ngx_amt_wsman_response_t *res, const char *code)
{
    return res->fault && res->fault_code.len == ngx_strlen(code)
           && ngx_strncmp(res->fault_code.data, code, res->fault_code.len)
              == 0;
}


ngx_uint_t
ngx_amt_cap_absent(ngx_amt_wsman_response_t *res)
{
    return ngx_amt_cap_fault_is(res, "DestinationUnreachable")
           || ngx_amt_cap_fault_is(res, "ActionNotSupported")
           || ngx_amt_cap_fault_is(res, "InvalidSelectors");
}


ngx_int_t
ngx_amt_cap_return_value(ngx_amt_wsman_response_t *res)
{
    if (ngx_amt_xml_child(res->content, "ReturnValue") == NULL
        && res->http_status == 200)
    {
        return 0;
    }

    return res->return_value;
}


ngx_int_t
ngx_amt_cap_done(ngx_amt_flow_t *f, ngx_amt_cap_t *c, json_t *json)
{
    return ngx_amt_cap_done_status(f, c, 0, json);
}


ngx_int_t
ngx_amt_cap_done_status(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    ngx_uint_t status, json_t *json)
{
    if (json == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    c->result->json = json;
    c->result->status = status;

    return NGX_OK;
}


ngx_int_t
ngx_amt_cap_done_empty(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    ngx_uint_t status)
{
    c->result->status = status;

    return NGX_OK;
}


ngx_int_t
ngx_amt_cap_refuse(ngx_amt_flow_t *f, ngx_amt_cap_t *c, ngx_uint_t status,
    const char *title, const char *fmt, ...)
{
    u_char     *p, *last, buf[NGX_AMT_CAP_TEXT];
    size_t      len;
    va_list     args;
    ngx_str_t   s;

    last = buf + sizeof(buf);

    va_start(args, fmt);
    p = ngx_vslprintf(buf, last, fmt, args);
    va_end(args);

    /* device's text may have been cut inside a character */

    len = ngx_cira_utf8_whole(buf, p - buf);

    s.len = len;
    s.data = ngx_pnalloc(f->pool, len + 1);

    if (s.data == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    ngx_memcpy(s.data, buf, len);

    c->result->status = status;
    c->result->title = title;
    c->result->text = s;

    return NGX_OK;
}
