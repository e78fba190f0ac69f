
/*
 * Wireless profiles: listing and deleting.  Contract mps.md section 2.14.
 */


#include "amt/ngx_amt_network_fields.h"
#include "amt/ngx_amt_json.h"


#define NGX_AMT_NETWORK_USER  "Intel(r) AMT:WiFi Endpoint User Settings"
#define NGX_AMT_NETWORK_X     "Intel(r) AMT:IEEE 802.1x Settings "


typedef struct {
    ngx_amt_cap_t              cap;
    ngx_array_t               *endpoints;
    ngx_array_t               *settings;
} ngx_amt_network_profiles_t;


static ngx_int_t ngx_amt_network_profiles_body(ngx_amt_flow_t *f,
    void *data);
static ngx_int_t ngx_amt_network_delete_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_network_delete(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    ngx_amt_xml_t *endpoint);
static ngx_amt_xml_t *ngx_amt_network_linked(ngx_amt_xml_t *endpoint,
    ngx_array_t *settings, ngx_array_t *links);
static ngx_amt_xml_t *ngx_amt_network_same_name(ngx_amt_xml_t *endpoint,
    ngx_array_t *settings);
static ngx_uint_t ngx_amt_network_equal(ngx_str_t *a, ngx_str_t *b);


const ngx_amt_op_t  ngx_amt_network_profiles = {
    "wireless_profiles", sizeof(ngx_amt_network_profiles_t),
    ngx_amt_network_profiles_body, NULL, 0
};

const ngx_amt_op_t  ngx_amt_network_profile_delete = {
    "wireless_profile_delete", sizeof(ngx_amt_cap_t),
    ngx_amt_network_delete_body, NULL, 1
};


static const ngx_amt_network_field_t  ngx_amt_network_profile_fields[] = {
    { "profileName", "ElementName", NGX_AMT_NETWORK_TEXT, NULL },
    { "ssid", "SSID", NGX_AMT_NETWORK_TEXT, NULL },
    { "authenticationMethod", "AuthenticationMethod", NGX_AMT_NETWORK_NAME,
      ngx_amt_network_authentications },
    { "encryptionMethod", "EncryptionMethod", NGX_AMT_NETWORK_NAME,
      ngx_amt_network_encryptions },
    { "priority", "Priority", NGX_AMT_NETWORK_NUMBER, NULL },
    { NULL, NULL, 0, NULL }
};


static const ngx_amt_network_field_t  ngx_amt_network_profile_x_fields[] = {
    { "username", "Username", NGX_AMT_NETWORK_TEXT, NULL },
    { "authenticationProtocol", "AuthenticationProtocol",
      NGX_AMT_NETWORK_NUMBER, NULL },
    { NULL, NULL, 0, NULL }
};


static ngx_int_t
ngx_amt_network_profiles_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_network_profiles_t *v = data;
    ngx_amt_cap_t              *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "CIM_WiFiEndpointSettings"));

    v->endpoints = c->items;

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "CIM_IEEE8021xSettings"));

    v->settings = c->items;

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "CIM_ConcreteDependency"));

    return ngx_amt_cap_done(f, c,
                            ngx_amt_network_profiles_json(v->endpoints,
                                                          v->settings,
                                                          c->items));

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_network_delete_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    ngx_str_t       name;
    ngx_amt_xml_t  *endpoint;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "CIM_WiFiEndpointSettings"));

    ngx_amt_network_string(c->input, "profileName", &name);

    endpoint = ngx_amt_network_profile_find(c->items, &name);

    if (endpoint == NULL) {
        return ngx_amt_cap_refuse(f, c, 404, "Wireless Profile not found",
                                  "Wireless Profile not found: %V.", &name);
    }

    ngx_amt_flow_shield(f);

    ngx_amt_await(f, c, ngx_amt_network_delete(f, c, endpoint));

    if (c->res.fault) {
        ngx_amt_network_string(c->input, "profileName", &name);

        return ngx_amt_cap_refuse(f, c, 400, NULL,
                                  "Wireless Profile delete failed: %V.",
                                  &name);
    }

    return ngx_amt_cap_done_empty(f, c, 204);

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_network_delete(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    ngx_amt_xml_t *endpoint)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_DELETE;
    req.class = "CIM_WiFiEndpointSettings";
    ngx_str_set(&req.selector, "InstanceID");
    req.value = ngx_amt_xml_text(endpoint, "InstanceID");

    return ngx_amt_cap_call_any(f, c, &req);
}


/* ---- JSON ---- */

ngx_amt_xml_t *
ngx_amt_network_profile_find(ngx_array_t *endpoints, ngx_str_t *name)
{
    ngx_str_t        s;
    ngx_uint_t       i;
    ngx_amt_xml_t  **x;

    x = endpoints->elts;

    for (i = 0; i < endpoints->nelts; i++) {

        s = ngx_amt_xml_text(x[i], "ElementName");

        if (ngx_amt_network_is_profile(x[i])
            && ngx_amt_network_equal(&s, name))
        {
            return x[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_amt_network_is_profile(ngx_amt_xml_t *endpoint)
{
    size_t     len;
    ngx_str_t  s;

    len = sizeof(NGX_AMT_NETWORK_USER) - 1;
    s = ngx_amt_xml_text(endpoint, "InstanceID");

    return s.len
           && (s.len < len
               || ngx_strncmp(s.data, NGX_AMT_NETWORK_USER, len) != 0);
}


json_t *
ngx_amt_network_profiles_json(ngx_array_t *endpoints, ngx_array_t *settings,
    ngx_array_t *links)
{
    json_t          *array, *object, *x;
    ngx_uint_t       i;
    ngx_amt_xml_t  **endpoint, *setting;

    array = json_array();
    if (array == NULL) {
        return NULL;
    }

    endpoint = endpoints->elts;

    for (i = 0; i < endpoints->nelts; i++) {

        if (!ngx_amt_network_is_profile(endpoint[i])) {
            continue;
        }

        object = json_object();

        if (json_array_append_new(array, object) != 0
            || ngx_amt_network_fields(object, ngx_amt_network_profile_fields,
                                      endpoint[i])
               != NGX_OK)
        {
            goto failed;
        }

        setting = ngx_amt_network_linked(endpoint[i], settings, links);

        if (setting == NULL) {
            continue;
        }

        x = json_object();

        if (ngx_amt_json_set(object, "ieee8021x", x) != NGX_OK
            || ngx_amt_network_fields(x, ngx_amt_network_profile_x_fields,
                                      setting)
               != NGX_OK)
        {
            goto failed;
        }
    }

    return array;

failed:

    json_decref(array);

    return NULL;
}


/*
 * The 802.1x settings of a profile: by an association, in either direction;
 * else by the name in their InstanceID; else by their ElementName.
 */

static ngx_amt_xml_t *
ngx_amt_network_linked(ngx_amt_xml_t *endpoint, ngx_array_t *settings,
    ngx_array_t *links)
{
    ngx_str_t        id, a, d, *other, s;
    ngx_uint_t       i, n;
    ngx_amt_xml_t  **link, **setting, *x, *y;

    id = ngx_amt_xml_text(endpoint, "InstanceID");
    link = links->elts;
    setting = settings->elts;

    for (i = 0; i < links->nelts; i++) {

        x = ngx_amt_xml_child(link[i], "Antecedent");
        y = ngx_amt_xml_child(link[i], "Dependent");

        if (ngx_amt_network_reference(x, "CIM_WiFiEndpointSettings", &a)
            && ngx_amt_network_reference(y, "CIM_IEEE8021xSettings", &d)
            && ngx_amt_network_equal(&a, &id))
        {
            other = &d;

        } else if (ngx_amt_network_reference(y, "CIM_WiFiEndpointSettings",
                                             &d)
                   && ngx_amt_network_reference(x, "CIM_IEEE8021xSettings",
                                                &a)
                   && ngx_amt_network_equal(&d, &id))
        {
            other = &a;

        } else {
            continue;
        }

        for (n = 0; n < settings->nelts; n++) {

            s = ngx_amt_xml_text(setting[n], "InstanceID");

            if (ngx_amt_network_equal(&s, other)) {
                return setting[n];
            }
        }
    }

    return ngx_amt_network_same_name(endpoint, settings);
}


static ngx_amt_xml_t *
ngx_amt_network_same_name(ngx_amt_xml_t *endpoint, ngx_array_t *settings)
{
    size_t           len;
    ngx_str_t        name, s;
    ngx_uint_t       i;
    ngx_amt_xml_t  **setting;

    len = sizeof(NGX_AMT_NETWORK_X) - 1;
    name = ngx_amt_xml_text(endpoint, "ElementName");

    if (name.len == 0) {
        return NULL;
    }

    setting = settings->elts;

    for (i = 0; i < settings->nelts; i++) {

        s = ngx_amt_xml_text(setting[i], "InstanceID");

        if (s.len == len + name.len
            && ngx_strncmp(s.data, NGX_AMT_NETWORK_X, len) == 0
            && ngx_memcmp(s.data + len, name.data, name.len) == 0)
        {
            return setting[i];
        }
    }

    for (i = 0; i < settings->nelts; i++) {

        s = ngx_amt_xml_text(setting[i], "ElementName");

        if (s.len == name.len
            && ngx_strncasecmp(s.data, name.data, name.len) == 0)
        {
            return setting[i];
        }
    }

    return NULL;
}


ngx_uint_t
ngx_amt_network_reference(ngx_amt_xml_t *x, const char *class, ngx_str_t *id)
{
    size_t      len;
    ngx_str_t   uri;

    x = ngx_amt_xml_child(x, "ReferenceParameters");
    uri = ngx_amt_xml_text(x, "ResourceURI");
    len = ngx_strlen(class);

    if (uri.len <= len
        || uri.data[uri.len - len - 1] != '/'
        || ngx_strncmp(uri.data + uri.len - len, class, len) != 0)
    {
        return 0;
    }

    x = ngx_amt_xml_child(x, "SelectorSet");

    for (x = ngx_amt_xml_child(x, "Selector"); x; x = ngx_amt_xml_again(x)) {

        if (x->attr.len == sizeof("InstanceID") - 1
            && ngx_strncmp(x->attr.data, "InstanceID", x->attr.len) == 0)
        {
            *id = x->text;
            return 1;
        }
    }

    return 0;
}


static ngx_uint_t
ngx_amt_network_equal(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}
