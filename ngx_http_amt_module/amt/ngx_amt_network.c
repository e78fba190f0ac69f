
/*
 * Network settings: both ports, the wired port alone.  Contract mps.md
 * section 2.14.
 */


#include "amt/ngx_amt_network.h"
#include "amt/ngx_amt_json.h"


typedef struct {
    ngx_amt_cap_t              cap;
    ngx_amt_xml_t             *wired;    /* ports, NULL: none */
    ngx_amt_xml_t             *wifi;
    ngx_array_t               *endpoints;
    ngx_array_t               *settings;
} ngx_amt_network_frame_t;


static ngx_int_t ngx_amt_network_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_network_wired_body(ngx_amt_flow_t *f, void *data);


const ngx_amt_op_t  ngx_amt_network = {
    "network", sizeof(ngx_amt_network_frame_t), ngx_amt_network_body, NULL, 0
};

const ngx_amt_op_t  ngx_amt_network_wired = {
    "network_wired", sizeof(ngx_amt_network_frame_t),
    ngx_amt_network_wired_body, NULL, 0
};


static ngx_int_t
ngx_amt_network_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_network_frame_t *v = data;
    ngx_amt_cap_t           *c = data;

    json_t  *part;

    ngx_amt_begin(f, c);

    c->json = json_object();

    if (c->json == NULL) {
        goto no_memory;
    }

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "AMT_EthernetPortSettings"));

    v->wired = ngx_amt_network_port(c->items, NGX_AMT_NETWORK_WIRED);
    v->wifi = ngx_amt_network_port(c->items, NGX_AMT_NETWORK_WIFI);

    if (v->wired == NULL && v->wifi == NULL) {
        return ngx_amt_cap_refuse(f, c, 404, "Network Settings not found",
                                  "guid : %V", &c->result->guid);
    }

    part = json_null();

    if (v->wired) {
        ngx_amt_await(f, c, ngx_amt_cap_get(f, c, "IPS_IEEE8021xSettings"));

        part = ngx_amt_network_wired_json(v->wired, c->res.content);
    }

    if (ngx_amt_json_set(c->json, "wired", part) != NGX_OK) {
        goto no_memory;
    }

    part = json_null();

    if (v->wifi) {
        ngx_amt_await(f, c, ngx_amt_cap_enum(f, c,
                                             "CIM_WiFiEndpointSettings"));
        v->endpoints = c->items;

        ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "CIM_IEEE8021xSettings"));

        v->settings = c->items;

        ngx_amt_await(f, c, ngx_amt_cap_get(f, c,
                                        "AMT_WiFiPortConfigurationService"));

        part = ngx_amt_network_wifi_json(v->wifi, v->endpoints, v->settings,
                                         c->res.content);
    }

    if (ngx_amt_json_set(c->json, "wireless", part) != NGX_OK) {
        goto no_memory;
    }

    return ngx_amt_cap_done(f, c, json_incref(c->json));

no_memory:

    return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_network_wired_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_network_frame_t *v = data;
    ngx_amt_cap_t           *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "AMT_EthernetPortSettings"));

    v->wired = ngx_amt_network_port(c->items, NGX_AMT_NETWORK_WIRED);

    if (v->wired == NULL) {
        return ngx_amt_network_no_wired(f, c);
    }

    ngx_amt_await(f, c, ngx_amt_cap_get(f, c, "IPS_IEEE8021xSettings"));

    return ngx_amt_cap_done(f, c, ngx_amt_network_wired_json(v->wired,
                                                         c->res.content));

fail:

    return c->frame.rc;
}


ngx_int_t
ngx_amt_network_no_wired(ngx_amt_flow_t *f, ngx_amt_cap_t *c)
{
    return ngx_amt_cap_refuse(f, c, 404, "Wired Network Settings not found",
                              "Wired Network Settings not found for guid : "
                              "%V.", &c->result->guid);
}


void
ngx_amt_network_string(json_t *object, const char *name, ngx_str_t *s)
{
    json_t  *value;

    value = json_object_get(object, name);

    if (json_is_string(value)) {
        s->data = (u_char *) json_string_value(value);
        s->len = json_string_length(value);

    } else {
        ngx_str_set(s, "");
    }
}


ngx_str_t *
ngx_amt_network_reason(ngx_amt_wsman_response_t *res)
{
    return res->fault_text.len ? &res->fault_text : &res->fault_code;
}
