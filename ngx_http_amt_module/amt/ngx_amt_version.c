
/*
 * Firmware versions and provisioning state; see ngx_amt_version.h.
 */


#include "amt/ngx_amt_version.h"
#include "amt/ngx_amt_json.h"


typedef struct {
    ngx_amt_cap_t               cap;
    ngx_amt_version_t           version;
} ngx_amt_version_frame_t;


typedef struct {
    ngx_amt_frame_t             frame;
    ngx_amt_device_t           *dev;
    ngx_amt_version_t          *version;
    ngx_amt_wsman_response_t    res;
} ngx_amt_version_read_t;


static ngx_int_t ngx_amt_version_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_version_read_body(ngx_amt_flow_t *f, void *data);


const ngx_amt_op_t  ngx_amt_version = {
    "version", sizeof(ngx_amt_version_frame_t), ngx_amt_version_body, NULL, 0
};


static ngx_int_t
ngx_amt_version_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_version_frame_t *v = data;

    ngx_amt_begin(f, &v->cap);

    ngx_amt_await(f, &v->cap, ngx_amt_version_read(f, v->cap.dev,
                                                   &v->version));

    return ngx_amt_cap_done(f, &v->cap, ngx_amt_version_json(&v->version));

fail:

    return v->cap.frame.rc;
}


ngx_int_t
ngx_amt_version_read(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_amt_version_t *version)
{
    ngx_amt_version_read_t  *v;

    v = ngx_amt_frame_alloc(f, "version_read",
                            sizeof(ngx_amt_version_read_t),
                            ngx_amt_version_read_body, NULL);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->dev = dev;
    v->version = version;

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_version_read_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_version_read_t *v = data;

    ngx_amt_begin(f, v);

    ngx_amt_await(f, v, ngx_amt_device_enum_strict(f, v->dev,
                                                   "CIM_SoftwareIdentity",
                                                   &v->version->items,
                                                   &v->res));

    ngx_amt_await(f, v, ngx_amt_device_get(f, v->dev,
                                           "AMT_SetupAndConfigurationService",
                                           &v->version->setup));

    return ngx_amt_device_expect(f, "AMT_SetupAndConfigurationService",
                                 &v->version->setup);

fail:

    return v->frame.rc;
}


json_t *
ngx_amt_version_json(ngx_amt_version_t *version)
{
    json_t  *json, *part, *properties;

    json = json_object();

    if (json == NULL) {
        return NULL;
    }

    part = json_object();

    if (ngx_amt_json_set(json, "CIM_SoftwareIdentity", part) != NGX_OK
        || ngx_amt_json_set(part, "responses",
                            ngx_amt_json_items(version->items)) != NGX_OK
        || ngx_amt_json_set(part, "status", json_integer(200)) != NGX_OK)
    {
        goto failed;
    }

    part = json_object();

    if (ngx_amt_json_set(json, "AMT_SetupAndConfigurationService", part)
        != NGX_OK)
    {
        goto failed;
    }

    properties = ngx_amt_json_object(version->setup.content);

    if (ngx_amt_json_set(part, "response", properties) != NGX_OK
        || ngx_amt_json_set(part, "responses",
                            ngx_amt_json_answer(&version->setup,
                                                json_incref(properties)))
           != NGX_OK
        || ngx_amt_json_set(part, "status", json_integer(200)) != NGX_OK)
    {
        goto failed;
    }

    return json;

failed:

    json_decref(json);

    return NULL;
}


ngx_uint_t
ngx_amt_version_major(ngx_array_t *items)
{
    ngx_str_t        s;
    ngx_uint_t       i, n;
    ngx_amt_xml_t  **x;

    x = items->elts;

    for (i = 0; i < items->nelts; i++) {

        s = ngx_amt_xml_text(x[i], "InstanceID");

        if (s.len != 3 || ngx_strncmp(s.data, "AMT", 3) != 0) {
            continue;
        }

        s = ngx_amt_xml_text(x[i], "VersionString");

        for (n = 0;
             s.len && *s.data >= '0' && *s.data <= '9' && n < 10000;
             s.data++, s.len--)
        {
            n = n * 10 + (*s.data - '0');
        }

        return n;
    }

    return 0;
}
