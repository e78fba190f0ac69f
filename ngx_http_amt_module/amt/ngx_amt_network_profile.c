
/*
 * Adding and changing a wireless profile, with 802.1x.  Contract mps.md
 * section 2.14, steps as numbered there.
 */


#include "amt/ngx_amt_network.h"


#define NGX_AMT_NETWORK_PROFILES  8
#define NGX_AMT_NETWORK_SETTLE    1000   /* ms, after credentials were added */


typedef struct {
    ngx_amt_cap_t              cap;
    ngx_amt_xml_t             *found;
    ngx_amt_credentials_t      credentials;
    ngx_uint_t                 update;
} ngx_amt_network_write_t;


static ngx_int_t ngx_amt_network_add_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_network_update_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_network_write_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_network_write_check(ngx_amt_flow_t *f,
    ngx_amt_network_write_t *v);
static ngx_int_t ngx_amt_network_write_call(ngx_amt_flow_t *f,
    ngx_amt_network_write_t *v);


const ngx_amt_op_t  ngx_amt_network_profile_add = {
    "wireless_profile_add", sizeof(ngx_amt_network_write_t),
    ngx_amt_network_add_body, NULL, 1
};

const ngx_amt_op_t  ngx_amt_network_profile_update = {
    "wireless_profile_update", sizeof(ngx_amt_network_write_t),
    ngx_amt_network_update_body, NULL, 1
};


static ngx_int_t
ngx_amt_network_add_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_network_write_t *v = data;

    v->update = 0;
    v->cap.frame.body = ngx_amt_network_write_body;

    return ngx_amt_network_write_body(f, v);
}


static ngx_int_t
ngx_amt_network_update_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_network_write_t *v = data;

    v->update = 1;
    v->cap.frame.body = ngx_amt_network_write_body;

    return ngx_amt_network_write_body(f, v);
}


static ngx_int_t
ngx_amt_network_write_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_network_write_t *v = data;
    ngx_amt_cap_t           *c = data;

    ngx_int_t  rc;

    ngx_amt_begin(f, c);

    /* 1 */

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "CIM_WiFiPort"));

    if (c->items->nelts == 0) {
        return ngx_amt_cap_refuse(f, c, 404,
                                  "No WiFi port found on the device",
                                  "No WiFi port found on the device for "
                                  "guid : %V.", &c->result->guid);
    }

    /* 2 */

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "CIM_WiFiEndpointSettings"));

    /* 3 to 5 */

    rc = ngx_amt_network_write_check(f, v);

    if (rc != NGX_DECLINED) {
        return rc;
    }

    /* 6, 7: from here on the device is being changed */

    ngx_amt_flow_shield(f);

    if (ngx_amt_credentials_wanted(json_object_get(c->input, "ieee8021x"))) {

        ngx_amt_await_rc(f, c, ngx_amt_credentials_add(f, c->dev,
                                       json_object_get(c->input, "ieee8021x"),
                                       &v->credentials));

        if (c->frame.rc != NGX_OK) {
            goto undo;
        }
    }

    if (v->credentials.added) {
        ngx_amt_await_rc(f, c, ngx_amt_flow_sleep(f, NGX_AMT_NETWORK_SETTLE));

        if (c->frame.rc != NGX_OK) {
            goto undo;
        }
    }

    /* 8 */

    ngx_amt_await_rc(f, c, ngx_amt_network_write_call(f, v));

    if (c->frame.rc != NGX_OK) {
        goto undo;
    }

    if (c->res.fault == NULL) {

        rc = ngx_amt_device_expect(f, v->update ? "UpdateWiFiSettings_OUTPUT"
                                                : "AddWiFiSettings_OUTPUT",
                                   &c->res);

        if (rc != NGX_OK) {
            goto undo;
        }

        if (ngx_amt_cap_return_value(&c->res) == 0) {
            return ngx_amt_cap_done_empty(f, c, 204);
        }

        ngx_log_error(NGX_LOG_WARN, f->log, 0,
                      "device refused a wireless profile: %i",
                      c->res.return_value);
    }

    ngx_amt_await_rc(f, c, ngx_amt_credentials_remove(f, c->dev,
                                                      &v->credentials));

    return ngx_amt_cap_refuse(f, c, 400, NULL,
                              "Wireless Profile %s failed for guid : %V.",
                              v->update ? "update" : "add",
                              &c->result->guid);

undo:

    ngx_amt_await_rc(f, c, ngx_amt_credentials_remove(f, c->dev,
                                                      &v->credentials));

    return NGX_ERROR;

fail:

    return c->frame.rc;
}


/* NGX_DECLINED: go on; other values are the body's result. */

static ngx_int_t
ngx_amt_network_write_check(ngx_amt_flow_t *f, ngx_amt_network_write_t *v)
{
    int64_t          priority;
    ngx_str_t        name;
    ngx_uint_t       i, n;
    ngx_amt_cap_t   *c;
    ngx_amt_xml_t  **x;

    c = &v->cap;

    ngx_amt_network_string(c->input, "profileName", &name);

    v->found = ngx_amt_network_profile_find(c->items, &name);

    if (v->found && !v->update) {
        return ngx_amt_cap_refuse(f, c, 409, NULL,
                                  "Wireless Profile already exists: %V.",
                                  &name);
    }

    if (v->found == NULL && v->update) {
        return ngx_amt_cap_refuse(f, c, 404, "Wireless Profile not found",
                                  "Wireless Profile not found: %V.", &name);
    }

    priority = json_integer_value(json_object_get(c->input, "priority"));

    x = c->items->elts;

    for (i = 0, n = 0; i < c->items->nelts; i++) {

        if (x[i] == v->found || !ngx_amt_network_is_profile(x[i])) {
            continue;
        }

        n++;

        if (ngx_amt_xml_int(x[i], "Priority", 0) == priority) {
            return ngx_amt_cap_refuse(f, c, 409, NULL,
                                      "Wireless Profile with the requested "
                                      "priority already exists: %L.",
                                      priority);
        }
    }

    if (!v->update && n >= NGX_AMT_NETWORK_PROFILES) {
        return ngx_amt_cap_refuse(f, c, 409, NULL,
                                  "Maximum number of wireless profiles "
                                  "already configured on the device for "
                                  "guid : %V.", &c->result->guid);
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_amt_network_write_call(ngx_amt_flow_t *f, ngx_amt_network_write_t *v)
{
    ngx_int_t                  rc;
    ngx_amt_wsman_request_t    req;
    ngx_amt_network_profile_t  profile;

    if (ngx_amt_network_profile_input(f->pool, v->cap.input, &profile)
        != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    if (v->found) {
        profile.id = ngx_amt_xml_text(v->found, "InstanceID");
    }

    profile.client = v->credentials.handle[NGX_AMT_CREDENTIAL_CLIENT];
    profile.ca = v->credentials.handle[NGX_AMT_CREDENTIAL_CA];

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = "AMT_WiFiPortConfigurationService";
    req.method = v->update ? "UpdateWiFiSettings" : "AddWiFiSettings";
    req.secret = 1;

    rc = ngx_amt_network_profile_xml(f->pool, &profile, v->update, &req.body);

    if (rc != NGX_OK) {
        return ngx_amt_flow_error(f, rc == NGX_DECLINED
                                     ? NGX_AMT_ERR_INVALID
                                     : NGX_AMT_ERR_INTERNAL,
                                  "profile does not fit a request");
    }

    return ngx_amt_cap_call_any(f, &v->cap, &req);
}
