
/*
 * The wireless port: its state, and whose profiles are synchronised.
 * Contract mps.md section 2.14.
 */


#include "amt/ngx_amt_network.h"
#include "amt/ngx_amt_put.h"


#define NGX_AMT_NETWORK_SYNC_FAILED  "Wireless Profile Sync update failed"
#define NGX_AMT_NETWORK_NO_UEFI                                               \
    "UEFI WiFi profile sync is not supported on this device"

#define NGX_AMT_NETWORK_SYNC_OFF     0
#define NGX_AMT_NETWORK_SYNC_ON      3


typedef struct {
    ngx_amt_cap_t              cap;
    ngx_amt_xml_t             *service;
    ngx_uint_t                 supported;
    ngx_int_t                  local;    /* to be written, or -1 */
    ngx_int_t                  uefi;
} ngx_amt_network_sync_t;


static ngx_int_t ngx_amt_network_state_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_network_state_done(ngx_amt_flow_t *f,
    ngx_amt_cap_t *c, int64_t state);
static int64_t ngx_amt_network_state_of(ngx_array_t *items);
static ngx_int_t ngx_amt_network_state_set_body(ngx_amt_flow_t *f,
    void *data);
static ngx_int_t ngx_amt_network_state_call(ngx_amt_flow_t *f,
    ngx_amt_cap_t *c);
static ngx_int_t ngx_amt_network_sync_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_network_sync_set_body(ngx_amt_flow_t *f,
    void *data);
static ngx_int_t ngx_amt_network_sync_call(ngx_amt_flow_t *f,
    ngx_amt_network_sync_t *v);
static void ngx_amt_network_sync_wanted(ngx_amt_network_sync_t *v);
static ngx_int_t ngx_amt_network_sync_done(ngx_amt_flow_t *f,
    ngx_amt_network_sync_t *v);
static ngx_int_t ngx_amt_network_missing(ngx_amt_flow_t *f,
    ngx_amt_cap_t *c, const char *what);


const ngx_amt_op_t  ngx_amt_network_state = {
    "wireless_state", sizeof(ngx_amt_cap_t), ngx_amt_network_state_body,
    NULL, 0
};

const ngx_amt_op_t  ngx_amt_network_state_set = {
    "wireless_state_set", sizeof(ngx_amt_cap_t),
    ngx_amt_network_state_set_body, NULL, 1
};

const ngx_amt_op_t  ngx_amt_network_sync = {
    "profile_sync", sizeof(ngx_amt_network_sync_t),
    ngx_amt_network_sync_body, NULL, 0
};

const ngx_amt_op_t  ngx_amt_network_sync_set = {
    "profile_sync_set", sizeof(ngx_amt_network_sync_t),
    ngx_amt_network_sync_set_body, NULL, 1
};


/* ---- state ---- */

static ngx_int_t
ngx_amt_network_state_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "CIM_WiFiPort"));

    if (c->items->nelts == 0) {
        return ngx_amt_network_missing(f, c, "Wireless State not found");
    }

    return ngx_amt_network_state_done(f, c,
                                      ngx_amt_network_state_of(c->items));

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_network_state_done(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    int64_t state)
{
    const char  *text;

    text = ngx_amt_network_name(ngx_amt_network_states, state, NULL);

    if (text == NULL) {
        return ngx_amt_cap_refuse(f, c, 500, NULL,
                                  "Unsupported wireless state");
    }

    return ngx_amt_cap_done(f, c, json_pack("{s:s}", "state", text));
}


/* Of the first port; there is one at least. */

static int64_t
ngx_amt_network_state_of(ngx_array_t *items)
{
    ngx_amt_xml_t  **x;

    x = items->elts;

    return ngx_amt_xml_int(x[0], "EnabledState", -1);
}


static ngx_int_t
ngx_amt_network_state_set_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    int64_t  state;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "CIM_WiFiPort"));

    if (c->items->nelts == 0) {
        return ngx_amt_network_missing(f, c, "Wireless State not found");
    }

    state = json_integer_value(json_object_get(c->input, "state"));

    if (ngx_amt_network_state_of(c->items) == state) {
        return ngx_amt_network_state_done(f, c, state);
    }

    ngx_amt_flow_shield(f);

    ngx_amt_await(f, c, ngx_amt_network_state_call(f, c));

    if (c->res.fault == NULL) {

        c->frame.rc = ngx_amt_device_expect(f, "RequestStateChange_OUTPUT",
                                            &c->res);

        if (c->frame.rc != NGX_OK) {
            goto fail;
        }

        if (ngx_amt_cap_return_value(&c->res) == 0) {
            state = json_integer_value(json_object_get(c->input, "state"));

            return ngx_amt_network_state_done(f, c, state);
        }
    }

    return ngx_amt_cap_refuse(f, c, 400, NULL,
                              "Wireless State change failed for guid : %V.",
                              &c->result->guid);

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_network_state_call(ngx_amt_flow_t *f, ngx_amt_cap_t *c)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = "CIM_WiFiPort";
    req.method = "RequestStateChange";

    if (ngx_amt_put_state(f->pool,
                          json_integer_value(json_object_get(c->input,
                                                             "state")),
                          &req.body)
        != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return ngx_amt_cap_call_any(f, c, &req);
}


/* ---- profile synchronisation ---- */

static ngx_int_t
ngx_amt_network_sync_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_network_sync_t *v = data;
    ngx_amt_cap_t          *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "CIM_WiFiPort"));

    if (c->items->nelts == 0) {
        return ngx_amt_network_missing(f, c,
                                       "Wireless Profile Sync not found");
    }

    ngx_amt_await(f, c, ngx_amt_cap_get(f, c,
                                        "AMT_WiFiPortConfigurationService"));

    v->service = c->res.content;

    ngx_amt_await(f, c, ngx_amt_cap_get(f, c, "AMT_BootCapabilities"));

    v->supported = ngx_amt_xml_bool(c->res.content,
                                    "UEFIWiFiCoExistenceAndProfileShare", 0)
                   == 1;
    v->local = -1;
    v->uefi = -1;

    return ngx_amt_network_sync_done(f, v);

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_network_sync_set_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_network_sync_t *v = data;
    ngx_amt_cap_t          *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "CIM_WiFiPort"));

    if (c->items->nelts == 0) {
        return ngx_amt_network_missing(f, c,
                                       "Wireless Profile Sync not found");
    }

    ngx_amt_await(f, c, ngx_amt_cap_get_any(f, c,
                                        "AMT_WiFiPortConfigurationService"));

    if (!ngx_amt_xml_is(c->res.content, "AMT_WiFiPortConfigurationService")) {
        return ngx_amt_cap_refuse(f, c, 500, NGX_AMT_NETWORK_SYNC_FAILED,
                                  NGX_AMT_NETWORK_SYNC_FAILED
                                  " for guid : %V.", &c->result->guid);
    }

    v->service = c->res.content;

    ngx_amt_await(f, c, ngx_amt_cap_get(f, c, "AMT_BootCapabilities"));

    v->supported = ngx_amt_xml_bool(c->res.content,
                                    "UEFIWiFiCoExistenceAndProfileShare", 0)
                   == 1;

    if (!v->supported
        && json_is_true(json_object_get(c->input, "uefiProfileSync")))
    {
        return ngx_amt_cap_refuse(f, c, 409, NGX_AMT_NETWORK_NO_UEFI,
                                  NGX_AMT_NETWORK_NO_UEFI " for guid : %V.",
                                  &c->result->guid);
    }

    ngx_amt_network_sync_wanted(v);

    if (v->local == -1 && v->uefi == -1) {
        return ngx_amt_network_sync_done(f, v);
    }

    ngx_amt_flow_shield(f);

    ngx_amt_await(f, c, ngx_amt_network_sync_call(f, v));

    if (c->res.fault) {
        return ngx_amt_cap_refuse(f, c, 400, NGX_AMT_NETWORK_SYNC_FAILED,
                                  NGX_AMT_NETWORK_SYNC_FAILED
                                  " for guid : %V. %V", &c->result->guid,
                                  ngx_amt_network_reason(&c->res));
    }

    return ngx_amt_network_sync_done(f, v);

fail:

    return c->frame.rc;
}


/* What differs from what the device has; other values keep theirs. */

static void
ngx_amt_network_sync_wanted(ngx_amt_network_sync_t *v)
{
    json_t  *value;

    v->local = -1;
    v->uefi = -1;

    value = json_object_get(v->cap.input, "localProfileSync");

    if (json_is_boolean(value)) {

        v->local = json_is_true(value) ? NGX_AMT_NETWORK_SYNC_ON
                                       : NGX_AMT_NETWORK_SYNC_OFF;

        if (ngx_amt_xml_int(v->service, "localProfileSynchronizationEnabled",
                            0)
            == v->local)
        {
            v->local = -1;
        }
    }

    value = json_object_get(v->cap.input, "uefiProfileSync");

    if (json_is_boolean(value)) {

        v->uefi = json_is_true(value);

        if (ngx_amt_xml_bool(v->service, "UEFIWiFiProfileShareEnabled", 0)
            == v->uefi)
        {
            v->uefi = -1;
        }
    }
}


static ngx_int_t
ngx_amt_network_sync_call(ngx_amt_flow_t *f, ngx_amt_network_sync_t *v)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_PUT;
    req.class = "AMT_WiFiPortConfigurationService";

    if (ngx_amt_network_sync_put(f->pool, v->service, v->local, v->uefi,
                                 &req.body)
        != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "wireless configuration too large");
    }

    return ngx_amt_cap_call_any(f, &v->cap, &req);
}


static ngx_int_t
ngx_amt_network_sync_done(ngx_amt_flow_t *f, ngx_amt_network_sync_t *v)
{
    int64_t  local, uefi;

    local = v->local;
    uefi = v->uefi;

    if (local == -1) {
        local = ngx_amt_xml_int(v->service,
                                "localProfileSynchronizationEnabled", 0);
    }

    if (uefi == -1) {
        uefi = ngx_amt_xml_bool(v->service, "UEFIWiFiProfileShareEnabled", 0);
    }

    return ngx_amt_cap_done(f, &v->cap,
                            json_pack("{s:b,s:b,s:b}",
                                      "localProfileSync", local != 0,
                                      "uefiProfileSync", uefi == 1,
                                      "uefiProfileSyncSupported",
                                      (int) v->supported));
}


static ngx_int_t
ngx_amt_network_missing(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    const char *what)
{
    return ngx_amt_cap_refuse(f, c, 404, what, "%s for guid : %V.", what,
                              &c->result->guid);
}
