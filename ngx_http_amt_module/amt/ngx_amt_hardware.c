
/*
 * Hardware; see ngx_amt_hardware.h.
 */


#include "amt/ngx_amt_hardware.h"
#include "amt/ngx_amt_json.h"


typedef struct {
    const char    *class;
    const char    *item;                 /* NULL: Get */
    ngx_uint_t     flat;
} ngx_amt_hardware_class_t;


typedef struct {
    ngx_amt_cap_t  cap;
    ngx_uint_t     i;
} ngx_amt_hardware_t;


static ngx_int_t ngx_amt_hardware_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_hardware_add(ngx_amt_flow_t *f,
    ngx_amt_hardware_t *v);
static json_t *ngx_amt_hardware_done(ngx_amt_hardware_t *v);


/* as asked for */

static const ngx_amt_hardware_class_t  ngx_amt_hardware_classes[] = {
    { "CIM_ComputerSystemPackage", NULL, 0 },
    { "CIM_Chassis", NULL, 0 },
    { "CIM_Card", NULL, 0 },
    { "CIM_BIOSElement", NULL, 0 },
    { "CIM_Processor", "CIM_Processor", 0 },
    { "CIM_PhysicalMemory", "CIM_PhysicalMemory", 1 },
    { "CIM_MediaAccessDevice", "CIM_MediaAccessDevice", 1 },
    { "CIM_PhysicalPackage", "CIM_Card", 0 },
    { "CIM_SystemPackaging", "CIM_ComputerSystemPackage", 0 },
    { "CIM_Chip", "CIM_Chip", 0 },
    { NULL, NULL, 0 }
};


/* as told */

static const char  *ngx_amt_hardware_keys[] = {
    "CIM_ComputerSystemPackage",
    "CIM_SystemPackaging",
    "CIM_Chassis",
    "CIM_Chip",
    "CIM_Card",
    "CIM_BIOSElement",
    "CIM_Processor",
    "CIM_PhysicalMemory",
    "CIM_MediaAccessDevice",
    "CIM_PhysicalPackage",
    NULL
};


const ngx_amt_op_t  ngx_amt_hardware = {
    "hardware", sizeof(ngx_amt_hardware_t), ngx_amt_hardware_body, NULL, 0
};


static ngx_int_t
ngx_amt_hardware_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_hardware_t *v = data;
    ngx_amt_cap_t      *c = data;

    ngx_amt_begin(f, c);

    c->json = json_object();
    if (c->json == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    for (v->i = 0; ngx_amt_hardware_classes[v->i].class; v->i++) {

        if (ngx_amt_hardware_classes[v->i].item) {
            ngx_amt_await(f, c, ngx_amt_cap_enum_any(f, c,
                                ngx_amt_hardware_classes[v->i].class));

        } else {
            ngx_amt_await(f, c, ngx_amt_cap_get_any(f, c,
                                ngx_amt_hardware_classes[v->i].class));
        }

        if (ngx_amt_hardware_add(f, v) != NGX_OK) {
            goto fail;
        }
    }

    return ngx_amt_cap_done(f, c, ngx_amt_hardware_done(v));

fail:

    return NGX_ERROR;
}


/* A class that is not there is no error; all other faults are. */

static ngx_int_t
ngx_amt_hardware_add(ngx_amt_flow_t *f, ngx_amt_hardware_t *v)
{
    json_t                          *json;
    ngx_uint_t                       absent;
    ngx_amt_wsman_response_t        *res;
    const ngx_amt_hardware_class_t  *h;

    h = &ngx_amt_hardware_classes[v->i];
    res = &v->cap.res;
    absent = ngx_amt_cap_absent(res);

    if (res->fault && !absent) {
        return ngx_amt_device_fault(f, h->class, res);
    }

    if (h->item) {
        json = ngx_amt_hardware_list(absent ? NULL : v->cap.items, h->item,
                                     h->flat);

    } else {

        if (!absent && ngx_amt_device_expect(f, h->class, res) != NGX_OK) {
            return NGX_ERROR;
        }

        json = ngx_amt_hardware_get(res, h->class);
    }

    if (ngx_amt_json_set(v->cap.json, h->class, json) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return NGX_OK;
}


/* jansson keeps the order in which keys were set. */

static json_t *
ngx_amt_hardware_done(ngx_amt_hardware_t *v)
{
    json_t      *json;
    const char **key;

    json = json_object();

    for (key = ngx_amt_hardware_keys; *key; key++) {
        if (json_object_set(json, *key, json_object_get(v->cap.json, *key))
            != 0)
        {
            json_decref(json);
            return NULL;
        }
    }

    return json;
}


/* ---- codecs ---- */

json_t *
ngx_amt_hardware_get(ngx_amt_wsman_response_t *res, const char *class)
{
    json_t      *json, *body, *properties, *responses;
    ngx_uint_t   found;

    found = !res->fault && ngx_amt_xml_is(res->content, class);

    json = json_object();
    properties = NULL;

    if (found) {
        properties = ngx_amt_json_object(res->content);

        body = json_object();

        if (ngx_amt_json_set(json, "response", properties) != NGX_OK
            || json_object_set(body, class, properties) != 0)
        {
            json_decref(body);
            goto failed;
        }

    } else {
        body = ngx_amt_json_object(res->body);
    }

    responses = json_array();

    if (ngx_amt_json_set(json, "responses", responses) != NGX_OK) {
        json_decref(body);
        goto failed;
    }

    if (json_array_append_new(responses, ngx_amt_json_answer(res, body)) != 0
        || ngx_amt_json_set(json, "status", json_integer(found ? 200 : 400))
           != NGX_OK)
    {
        goto failed;
    }

    return json;

failed:

    json_decref(json);

    return NULL;
}


json_t *
ngx_amt_hardware_list(ngx_array_t *items, const char *item, ngx_uint_t flat)
{
    json_t          *json, *list, *responses;
    ngx_uint_t       i;
    ngx_amt_xml_t  **x;

    json = json_object();
    list = json_array();

    if (json == NULL || list == NULL) {
        goto failed;
    }

    if (items) {
        x = items->elts;

        for (i = 0; i < items->nelts; i++) {

            /* a superclass lists more than what is told */

            if (!ngx_amt_xml_is(x[i], item)) {
                continue;
            }

            if (json_array_append_new(list, ngx_amt_json_object(x[i])) != 0) {
                goto failed;
            }
        }
    }

    i = json_array_size(list);

    if (flat) {
        responses = json_incref(list);

    } else {
        responses = json_array();

        switch (i) {

        case 0:
            (void) json_array_append_new(responses, json_null());
            break;

        case 1:
            (void) json_array_append(responses, json_array_get(list, 0));
            break;

        default:
            (void) json_array_append(responses, list);
        }

        if (json_array_size(responses) != 1) {
            json_decref(responses);
            goto failed;
        }
    }

    if (ngx_amt_json_set(json, "responses", responses) != NGX_OK
        || ngx_amt_json_set(json, "status", json_integer(i ? 200 : 400))
           != NGX_OK)
    {
        goto failed;
    }

    json_decref(list);

    return json;

failed:

    json_decref(list);
    json_decref(json);

    return NULL;
}
