
/*
 * Features; see ngx_amt_features.h.
 */


#include "amt/ngx_amt_features.h"
#include "amt/ngx_amt_json.h"
#include "amt/ngx_amt_put.h"


#define NGX_AMT_FEATURES_KVM_ON   2      /* RequestedState */
#define NGX_AMT_FEATURES_KVM_OFF  3
#define NGX_AMT_FEATURES_OCR_OFF  32768
#define NGX_AMT_FEATURES_OCR_ON   32769


typedef struct {
    ngx_amt_cap_t               cap;
    ngx_amt_features_t          features;

    ngx_uint_t                  sol;
    ngx_uint_t                  ider;
    ngx_uint_t                  kvm;
    ngx_uint_t                  state;
    int64_t                     consent;
    ngx_uint_t                  differs;
} ngx_amt_features_frame_t;


static ngx_int_t ngx_amt_features_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_features_set_body(ngx_amt_flow_t *f, void *data);
static ngx_amt_xml_t *ngx_amt_features_found(ngx_amt_cap_t *c,
    const char *class);
static void ngx_amt_features_input(ngx_amt_features_frame_t *v);
static ngx_int_t ngx_amt_features_state(ngx_amt_flow_t *f,
    ngx_amt_features_frame_t *v, const char *class, ngx_uint_t state);
static ngx_int_t ngx_amt_features_put(ngx_amt_flow_t *f,
    ngx_amt_features_frame_t *v, const char *class);
static ngx_uint_t ngx_amt_features_refused(ngx_amt_cap_t *c,
    const char *content);
static ngx_int_t ngx_amt_features_refuse(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    const char *what);


const ngx_amt_op_t  ngx_amt_features = {
    "features", sizeof(ngx_amt_features_frame_t), ngx_amt_features_body,
    NULL, 0
};

const ngx_amt_op_t  ngx_amt_features_set = {
    "features_set", sizeof(ngx_amt_features_frame_t),
    ngx_amt_features_set_body, NULL, 1
};


static ngx_int_t
ngx_amt_features_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_features_frame_t *v = data;
    ngx_amt_cap_t            *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_get(f, c, "AMT_RedirectionService"));

    v->features.redirection = c->res.content;

    ngx_amt_await(f, c, ngx_amt_cap_get(f, c, "IPS_OptInService"));

    v->features.optin = c->res.content;

    /* what older or smaller firmware lacks is not there, and no error */

    ngx_amt_await(f, c, ngx_amt_cap_get_any(f, c, "CIM_KVMRedirectionSAP"));

    v->features.kvm = ngx_amt_features_found(c, "CIM_KVMRedirectionSAP");

    ngx_amt_await(f, c, ngx_amt_cap_get_any(f, c, "CIM_BootService"));

    v->features.boot = ngx_amt_features_found(c, "CIM_BootService");

    ngx_amt_await(f, c, ngx_amt_cap_enum_any(f, c, "CIM_BootSourceSetting"));

    if (c->res.fault == NULL) {
        v->features.sources = c->items;
    }

    ngx_amt_await(f, c, ngx_amt_cap_get_any(f, c, "AMT_BootCapabilities"));

    v->features.capabilities = ngx_amt_features_found(c,
                                                      "AMT_BootCapabilities");

    ngx_amt_await(f, c, ngx_amt_cap_get_any(f, c, "AMT_BootSettingData"));

    v->features.settings = ngx_amt_features_found(c, "AMT_BootSettingData");

    return ngx_amt_cap_done(f, c, ngx_amt_features_json(&v->features));

fail:

    return c->frame.rc;
}


static ngx_amt_xml_t *
ngx_amt_features_found(ngx_amt_cap_t *c, const char *class)
{
    return ngx_amt_xml_is(c->res.content, class) ? c->res.content : NULL;
}


/* Steps as numbered in the contract. */

static ngx_int_t
ngx_amt_features_set_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_features_frame_t *v = data;
    ngx_amt_cap_t            *c = data;

    int64_t  state;
    json_t  *ocr;

    ngx_amt_begin(f, c);

    ngx_amt_features_input(v);

    /* 1 to 3 */

    ngx_amt_await(f, c, ngx_amt_cap_get(f, c, "AMT_RedirectionService"));

    v->features.redirection = c->res.content;

    ngx_amt_await(f, c, ngx_amt_cap_get(f, c, "IPS_OptInService"));

    v->features.optin = c->res.content;

    ngx_amt_await(f, c, ngx_amt_cap_get_any(f, c, "CIM_KVMRedirectionSAP"));

    v->features.kvm = ngx_amt_features_found(c, "CIM_KVMRedirectionSAP");

    if (v->kvm && v->features.kvm == NULL) {
        return ngx_amt_cap_refuse(f, c, 400, NULL,
                                  "KVM is not available on this device");
    }

    state = ngx_amt_xml_int(v->features.redirection, "EnabledState", 0);

    v->differs = !!(state & NGX_AMT_FEATURES_SOL) != v->sol
                 || !!(state & NGX_AMT_FEATURES_IDER) != v->ider
                 || ngx_amt_features_kvm(v->features.kvm) != v->kvm
                 || ((v->sol || v->ider)
                     && ngx_amt_xml_bool(v->features.redirection,
                                         "ListenerEnabled", 0) != 1);

    /* from here on the device is being changed */

    ngx_amt_flow_shield(f);

    if (v->differs) {

        /* 4 */

        ngx_amt_await(f, c,
                      ngx_amt_features_state(f, v, "AMT_RedirectionService",
                                             v->state));

        if (ngx_amt_features_refused(c, "RequestStateChange_OUTPUT")) {
            return ngx_amt_features_refuse(f, c, "AMT_RedirectionService");
        }

        /* 5 */

        if (v->features.kvm) {

            ngx_amt_await(f, c,
                          ngx_amt_features_state(f, v,
                                                 "CIM_KVMRedirectionSAP",
                                                 v->kvm
                                                 ? NGX_AMT_FEATURES_KVM_ON
                                                 : NGX_AMT_FEATURES_KVM_OFF));

            if (ngx_amt_features_refused(c, "RequestStateChange_OUTPUT")) {
                return ngx_amt_features_refuse(f, c, "CIM_KVMRedirectionSAP");
            }
        }

        /* 6 */

        ngx_amt_await(f, c, ngx_amt_features_put(f, v,
                                                 "AMT_RedirectionService"));

        if (ngx_amt_features_refused(c, "AMT_RedirectionService")) {
            return ngx_amt_features_refuse(f, c, "AMT_RedirectionService");
        }
    }

    /* 7 */

    if (ngx_amt_xml_int(v->features.optin, "OptInRequired", -1)
        != v->consent)
    {
        ngx_amt_await(f, c, ngx_amt_features_put(f, v, "IPS_OptInService"));

        if (ngx_amt_features_refused(c, "IPS_OptInService")) {
            return ngx_amt_features_refuse(f, c, "IPS_OptInService");
        }
    }

    /* 8 */

    ocr = json_object_get(c->input, "ocr");

    if (json_is_boolean(ocr)) {

        ngx_amt_await(f, c,
                      ngx_amt_features_state(f, v, "CIM_BootService",
                                             json_is_true(ocr)
                                             ? NGX_AMT_FEATURES_OCR_ON
                                             : NGX_AMT_FEATURES_OCR_OFF));

        if (ngx_amt_features_refused(c, "RequestStateChange_OUTPUT")) {
            return ngx_amt_features_refuse(f, c, "CIM_BootService");
        }
    }

    return ngx_amt_cap_done(f, c, json_pack("{s:s}", "status",
                                            "AMT Features updated"));

fail:

    return c->frame.rc;
}


static void
ngx_amt_features_input(ngx_amt_features_frame_t *v)
{
    json_t      *input;
    const char  *consent;

    input = v->cap.input;

    v->sol = json_is_true(json_object_get(input, "enableSOL"));
    v->ider = json_is_true(json_object_get(input, "enableIDER"));
    v->kvm = json_is_true(json_object_get(input, "enableKVM"));

    v->state = NGX_AMT_FEATURES_STATE
               + (v->ider ? NGX_AMT_FEATURES_IDER : 0)
               + (v->sol ? NGX_AMT_FEATURES_SOL : 0);

    consent = json_string_value(json_object_get(input, "userConsent"));

    v->consent = consent ? ngx_amt_features_consent(consent) : -1;
}


static ngx_int_t
ngx_amt_features_state(ngx_amt_flow_t *f, ngx_amt_features_frame_t *v,
    const char *class, ngx_uint_t state)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = class;
    req.method = "RequestStateChange";

    if (ngx_amt_put_state(f->pool, state, &req.body) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return ngx_amt_cap_call_any(f, &v->cap, &req);
}


static ngx_int_t
ngx_amt_features_put(ngx_amt_flow_t *f, ngx_amt_features_frame_t *v,
    const char *class)
{
    ngx_int_t                rc;
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_PUT;
    req.class = class;

    if (class[0] == 'A') {
        rc = ngx_amt_features_redirection(f->pool, v->features.redirection,
                                          v->state,
                                          v->sol || v->ider || v->kvm,
                                          &req.body);
    } else {
        rc = ngx_amt_features_optin(f->pool, v->features.optin, v->consent,
                                    &req.body);
    }

    if (rc != NGX_OK) {
        return ngx_amt_flow_error(f, rc == NGX_ERROR ? NGX_AMT_ERR_INTERNAL
                                  : NGX_AMT_ERR_BAD_ANSWER,
                                  "%s is too large to be written", class);
    }

    return ngx_amt_cap_call_any(f, &v->cap, &req);
}


/* 1: the last answer is not a success */

static ngx_uint_t
ngx_amt_features_refused(ngx_amt_cap_t *c, const char *content)
{
    if (c->res.fault || !ngx_amt_xml_is(c->res.content, content)) {
        return 1;
    }

    return ngx_strcmp(content, "RequestStateChange_OUTPUT") == 0
           && ngx_amt_cap_return_value(&c->res) != 0;
}


static ngx_int_t
ngx_amt_features_refuse(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    const char *what)
{
    ngx_int_t  value;

    if (c->res.fault) {
        return ngx_amt_cap_refuse(f, c, 400, NULL, "%s: %V %V", what,
                                  &c->res.fault_code, &c->res.fault_text);
    }

    value = ngx_amt_cap_return_value(&c->res);

    if (value == 0) {
        return ngx_amt_cap_refuse(f, c, 400, NULL,
                                  "%s: answer is not understood", what);
    }

    return ngx_amt_cap_refuse(f, c, 400, NULL, "%s: return value %i", what,
                              value);
}
