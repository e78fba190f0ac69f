
/*
 * Taking a device out of management; see ngx_amt_deactivate.h.
 */


#include "amt/ngx_amt_deactivate.h"


#define NGX_AMT_DEACTIVATE_FULL  1       /* ProvisioningMode */


static ngx_int_t ngx_amt_deactivate_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_deactivate_call(ngx_amt_flow_t *f,
    ngx_amt_cap_t *c);


const ngx_amt_op_t  ngx_amt_deactivate = {
    "deactivate", sizeof(ngx_amt_cap_t), ngx_amt_deactivate_body, NULL, 1
};


static ngx_int_t
ngx_amt_deactivate_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    ngx_int_t  value;

    ngx_amt_begin(f, c);

    ngx_amt_flow_shield(f);

    ngx_amt_await(f, c, ngx_amt_deactivate_call(f, c));

    if (c->res.fault) {
        return ngx_amt_cap_refuse(f, c, 400, NULL,
                                  "Unprovision request failed for guid : %V. "
                                  "%V", &c->result->guid,
                                  c->res.fault_text.len ? &c->res.fault_text
                                                        : &c->res.fault_code);
    }

    c->frame.rc = ngx_amt_device_expect(f, "Unprovision_OUTPUT", &c->res);

    if (c->frame.rc != NGX_OK) {
        goto fail;
    }

    value = ngx_amt_cap_return_value(&c->res);

    if (value == 0) {
        return ngx_amt_cap_done(f, c, json_pack("{s:s}", "status",
                                                "SUCCESS"));
    }

    return ngx_amt_cap_done(f, c, json_pack("{s:I}", "ReturnValue",
                                            (json_int_t) value));

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_deactivate_call(ngx_amt_flow_t *f, ngx_amt_cap_t *c)
{
    ngx_amt_xml_writer_t     w;
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = "AMT_SetupAndConfigurationService";
    req.method = "Unprovision";

    ngx_amt_xml_writer_init(&w, f->pool, NGX_AMT_WSMAN_MAX_REQUEST);
    ngx_amt_xml_leaf_int(&w, "ProvisioningMode", NGX_AMT_DEACTIVATE_FULL);

    if (ngx_amt_xml_done(&w, &req.body) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return ngx_amt_cap_call_any(f, c, &req);
}


ngx_uint_t
ngx_amt_deactivate_done(ngx_amt_result_t *result)
{
    return json_object_get(result->json, "status") != NULL;
}
