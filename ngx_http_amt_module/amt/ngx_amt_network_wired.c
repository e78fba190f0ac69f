
/*
 * Changing the wired port, and whom the wireless link prefers.  Contract
 * mps.md section 2.14.
 */


#include "amt/ngx_amt_network.h"


#define NGX_AMT_NETWORK_LINK_FAILED  "Set Link Preference failed: "


typedef struct {
    ngx_amt_cap_t              cap;
    ngx_amt_xml_t             *port;
} ngx_amt_network_port_t;


static ngx_int_t ngx_amt_network_wired_set_body(ngx_amt_flow_t *f,
    void *data);
static ngx_int_t ngx_amt_network_wired_call(ngx_amt_flow_t *f,
    ngx_amt_network_port_t *v);
static ngx_int_t ngx_amt_network_link_body(ngx_amt_flow_t *f, void *data);
static ngx_amt_xml_t *ngx_amt_network_link_port(ngx_array_t *items);
static ngx_int_t ngx_amt_network_link_call(ngx_amt_flow_t *f,
    ngx_amt_network_port_t *v);


const ngx_amt_op_t  ngx_amt_network_wired_set = {
    "network_wired_set", sizeof(ngx_amt_network_port_t),
    ngx_amt_network_wired_set_body, NULL, 1
};

const ngx_amt_op_t  ngx_amt_network_link = {
    "link_preference", sizeof(ngx_amt_network_port_t),
    ngx_amt_network_link_body, NULL, 1
};


static ngx_int_t
ngx_amt_network_wired_set_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_network_port_t *v = data;
    ngx_amt_cap_t          *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "AMT_EthernetPortSettings"));

    v->port = ngx_amt_network_port(c->items, NGX_AMT_NETWORK_WIRED);

    if (v->port == NULL) {
        return ngx_amt_network_no_wired(f, c);
    }

    ngx_amt_flow_shield(f);

    ngx_amt_await(f, c, ngx_amt_network_wired_call(f, v));

    if (c->res.fault) {
        return ngx_amt_cap_refuse(f, c, 400, NULL,
                                  "Wired Network Settings update failed for "
                                  "guid : %V. %V", &c->result->guid,
                                  ngx_amt_network_reason(&c->res));
    }

    return ngx_amt_cap_done_empty(f, c, 204);

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_network_wired_call(ngx_amt_flow_t *f, ngx_amt_network_port_t *v)
{
    ngx_amt_network_wired_t  wired;
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_PUT;
    req.class = "AMT_EthernetPortSettings";
    ngx_str_set(&req.selector, "InstanceID");
    req.value = ngx_amt_xml_text(v->port, "InstanceID");

    ngx_amt_network_wired_input(v->cap.input, &wired);

    if (ngx_amt_network_wired_put(f->pool, v->port, &wired, &req.body)
        != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "port settings too large");
    }

    return ngx_amt_cap_call_any(f, &v->cap, &req);
}


/* A device without enumeration of ports has no wireless port either. */

static ngx_int_t
ngx_amt_network_link_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_network_port_t *v = data;
    ngx_amt_cap_t          *c = data;

    ngx_int_t    value;
    const char  *text;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_enum_any(f, c,
                                             "AMT_EthernetPortSettings"));

    v->port = c->res.fault ? NULL : ngx_amt_network_link_port(c->items);

    if (v->port == NULL) {
        return ngx_amt_cap_refuse(f, c, 404, NULL,
                                  NGX_AMT_NETWORK_LINK_FAILED
                                  "No WiFi port found for guid : %V. for "
                                  "guid : %V.", &c->result->guid,
                                  &c->result->guid);
    }

    ngx_amt_flow_shield(f);

    ngx_amt_await(f, c, ngx_amt_network_link_call(f, v));

    text = "Unknown error";

    if (c->res.fault == NULL) {

        c->frame.rc = ngx_amt_device_expect(f, "SetLinkPreference_OUTPUT",
                                            &c->res);

        if (c->frame.rc != NGX_OK) {
            goto fail;
        }

        value = ngx_amt_cap_return_value(&c->res);

        if (value == 0) {
            return ngx_amt_cap_done(f, c, json_pack("{s:i,s:s}",
                                                    "ReturnValue", 0,
                                                    "ReturnValueStr",
                                                    "SUCCESS"));
        }

        text = ngx_amt_wsman_status(value);

        if (ngx_strcmp(text, "UNKNOWN_ERROR") == 0) {
            text = "Unknown error";
        }
    }

    return ngx_amt_cap_refuse(f, c, 400, NULL,
                              NGX_AMT_NETWORK_LINK_FAILED "%s for guid : %V.",
                              text, &c->result->guid);

fail:

    return c->frame.rc;
}


/* The wireless port, by its exact name. */

static ngx_amt_xml_t *
ngx_amt_network_link_port(ngx_array_t *items)
{
    ngx_str_t        s;
    ngx_uint_t       i;
    ngx_amt_xml_t  **x;

    x = items->elts;

    for (i = 0; i < items->nelts; i++) {

        s = ngx_amt_xml_text(x[i], "InstanceID");

        if (s.len == sizeof(NGX_AMT_NETWORK_WIFI) - 1
            && ngx_strncmp(s.data, NGX_AMT_NETWORK_WIFI, s.len) == 0)
        {
            return x[i];
        }
    }

    return NULL;
}


static ngx_int_t
ngx_amt_network_link_call(ngx_amt_flow_t *f, ngx_amt_network_port_t *v)
{
    json_t                   *input;
    ngx_amt_wsman_request_t   req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = "AMT_EthernetPortSettings";
    req.method = "SetLinkPreference";
    ngx_str_set(&req.selector, "InstanceID");
    ngx_str_set(&req.value, NGX_AMT_NETWORK_WIFI);

    input = v->cap.input;

    if (ngx_amt_network_link_input(f->pool,
                 json_integer_value(json_object_get(input, "linkPreference")),
                 json_integer_value(json_object_get(input, "timeout")),
                 &req.body)
        != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return ngx_amt_cap_call_any(f, &v->cap, &req);
}
