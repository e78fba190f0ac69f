
/*
 * User consent; see ngx_amt_consent.h.
 */


#include "amt/ngx_amt_consent.h"
#include "amt/ngx_amt_json.h"


static ngx_int_t ngx_amt_consent_start_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_consent_cancel_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_consent_send_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_consent_code(ngx_amt_flow_t *f, ngx_amt_cap_t *c);
static ngx_int_t ngx_amt_consent_done(ngx_amt_flow_t *f, ngx_amt_cap_t *c);


const ngx_amt_op_t  ngx_amt_consent_start = {
    "consent_start", sizeof(ngx_amt_cap_t), ngx_amt_consent_start_body, NULL,
    1
};

const ngx_amt_op_t  ngx_amt_consent_cancel = {
    "consent_cancel", sizeof(ngx_amt_cap_t), ngx_amt_consent_cancel_body,
    NULL, 1
};

const ngx_amt_op_t  ngx_amt_consent_send = {
    "consent_send", sizeof(ngx_amt_cap_t), ngx_amt_consent_send_body, NULL, 1
};


static ngx_int_t
ngx_amt_consent_start_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_invoke(f, c, "IPS_OptInService",
                                           "StartOptIn", NULL));

    return ngx_amt_consent_done(f, c);

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_consent_cancel_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_invoke(f, c, "IPS_OptInService",
                                           "CancelOptIn", NULL));

    return ngx_amt_consent_done(f, c);

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_consent_send_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_consent_code(f, c));

    return ngx_amt_consent_done(f, c);

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_consent_code(ngx_amt_flow_t *f, ngx_amt_cap_t *c)
{
    json_t                   *value;
    ngx_str_t                 code;
    ngx_amt_wsman_request_t   req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = "IPS_OptInService";
    req.method = "SendOptInCode";
    req.secret = 1;

    value = json_object_get(c->input, "consentCode");

    code.data = (u_char *) json_string_value(value);
    code.len = json_string_length(value);

    if (ngx_amt_consent_input(f->pool, &code, &req.body) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return ngx_amt_cap_call(f, c, &req);
}


ngx_int_t
ngx_amt_consent_input(ngx_pool_t *pool, ngx_str_t *code, ngx_str_t *body)
{
    ngx_amt_xml_writer_t  w;

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);

    ngx_amt_xml_leaf(&w, "OptInCode", code);

    return ngx_amt_xml_done(&w, body);
}


static ngx_int_t
ngx_amt_consent_done(ngx_amt_flow_t *f, ngx_amt_cap_t *c)
{
    json_t      *json;
    ngx_int_t    value;
    const char  *text;

    value = ngx_amt_cap_return_value(&c->res);

    if (value < 0) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "return value is no number");
    }

    text = ngx_amt_wsman_status(value);

    json = json_pack("{s:I,s:s*}", "ReturnValue", (json_int_t) value,
                     "ReturnValueStr",
                     ngx_strcmp(text, "UNKNOWN_ERROR") == 0 ? NULL : text);

    return ngx_amt_cap_done_status(f, c, value ? 400 : 200,
                                   ngx_amt_json_answer(&c->res, json));
}
