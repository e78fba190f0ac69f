
/*
 * Displays; see ngx_amt_kvm_displays.h.
 */


#include "amt/ngx_amt_kvm_displays.h"
#include "amt/ngx_amt_json.h"
#include "amt/ngx_amt_put.h"


#define NGX_AMT_KVM_DISPLAYS_MAX  64     /* AMT has four */


typedef struct {
    ngx_amt_cap_t               cap;
    ngx_array_t                *screens;
} ngx_amt_kvm_displays_frame_t;


static ngx_int_t ngx_amt_kvm_displays_read(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_kvm_displays_write(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_kvm_displays_put(ngx_amt_flow_t *f,
    ngx_amt_cap_t *c);
static ngx_amt_xml_t *ngx_amt_kvm_displays_nth(ngx_amt_xml_t *screen,
    const char *name, ngx_uint_t n);
static ngx_uint_t ngx_amt_kvm_displays_count(ngx_amt_xml_t *screen);
static json_t *ngx_amt_kvm_displays_number(ngx_amt_xml_t *screen,
    const char *name, ngx_uint_t n);
static json_t *ngx_amt_kvm_displays_one(ngx_amt_xml_t *screen, ngx_uint_t n,
    int64_t def);


const ngx_amt_op_t  ngx_amt_kvm_displays = {
    "kvm_displays", sizeof(ngx_amt_kvm_displays_frame_t),
    ngx_amt_kvm_displays_read, NULL, 0
};

const ngx_amt_op_t  ngx_amt_kvm_displays_set = {
    "kvm_displays_set", sizeof(ngx_amt_cap_t), ngx_amt_kvm_displays_write,
    NULL, 1
};


static ngx_int_t
ngx_amt_kvm_displays_read(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_kvm_displays_frame_t *v = data;
    ngx_amt_cap_t                *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "IPS_ScreenSettingData"));

    v->screens = c->items;

    ngx_amt_await(f, c, ngx_amt_cap_get(f, c,
                                        "IPS_KVMRedirectionSettingData"));

    return ngx_amt_cap_done(f, c, ngx_amt_kvm_displays_json(v->screens,
                                                            c->res.content));

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_kvm_displays_write(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_get(f, c,
                                        "IPS_KVMRedirectionSettingData"));

    ngx_amt_flow_shield(f);

    ngx_amt_await(f, c, ngx_amt_kvm_displays_put(f, c));

    if (c->res.fault) {
        return ngx_amt_cap_refuse(f, c, 400, NULL,
                                  "IPS_KVMRedirectionSettingData: %V %V",
                                  &c->res.fault_code, &c->res.fault_text);
    }

    if (c->res.content == NULL) {
        return ngx_amt_cap_refuse(f, c, 500, NULL,
                                "Failed to set KVM Redirection Setting Data");
    }

    return ngx_amt_cap_done(f, c, ngx_amt_json_object(c->res.body));

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_kvm_displays_put(ngx_amt_flow_t *f, ngx_amt_cap_t *c)
{
    json_int_t               n;
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_PUT;
    req.class = "IPS_KVMRedirectionSettingData";

    n = json_integer_value(json_object_get(c->input, "displayIndex"));

    if (ngx_amt_kvm_displays_body(f->pool, c->res.content, (ngx_uint_t) n,
                                  &req.body)
        != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "KVM settings too large");
    }

    return ngx_amt_cap_call_any(f, c, &req);
}


ngx_int_t
ngx_amt_kvm_displays_body(ngx_pool_t *pool, ngx_amt_xml_t *setting,
    ngx_uint_t index, ngx_str_t *body)
{
    ngx_amt_put_t  changes[2];

    ngx_memzero(changes, sizeof(changes));

    changes[0].name = "DefaultScreen";
    changes[0].type = NGX_AMT_PUT_INT;
    changes[0].number = index;
    changes[0].add = 1;

    return ngx_amt_put_body(pool, setting, changes, body);
}


/* Element n of an array property, or NULL. */

static ngx_amt_xml_t *
ngx_amt_kvm_displays_nth(ngx_amt_xml_t *screen, const char *name,
    ngx_uint_t n)
{
    ngx_amt_xml_t  *x;

    x = ngx_amt_xml_child(screen, name);

    while (x && n--) {
        x = ngx_amt_xml_again(x);
    }

    return x;
}


/* The longest of the arrays. */

static ngx_uint_t
ngx_amt_kvm_displays_count(ngx_amt_xml_t *screen)
{
    ngx_uint_t     i, n, max;
    ngx_amt_xml_t  *x;

    static const char  *names[] = {
        "IsActive", "UpperLeftX", "UpperLeftY", "ResolutionX", "ResolutionY"
    };

    max = 0;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        n = 0;

        for (x = ngx_amt_xml_child(screen, names[i]);
             x && n < NGX_AMT_KVM_DISPLAYS_MAX;
             x = ngx_amt_xml_again(x))
        {
            n++;
        }

        max = ngx_max(max, n);
    }

    return max;
}


static json_t *
ngx_amt_kvm_displays_number(ngx_amt_xml_t *screen, const char *name,
    ngx_uint_t n)
{
    json_t         *json;
    ngx_amt_xml_t  *x;

    x = ngx_amt_kvm_displays_nth(screen, name, n);
    json = x ? ngx_amt_json_element(x) : json_integer(0);

    if (json && !json_is_number(json)) {
        json_decref(json);
        json = json_integer(0);
    }

    return json;
}


static json_t *
ngx_amt_kvm_displays_one(ngx_amt_xml_t *screen, ngx_uint_t n, int64_t def)
{
    json_t         *json;
    ngx_uint_t      i, active;
    ngx_amt_xml_t  *x;

    /* QuadraryIndex: the firmware's spelling */

    static const struct {
        const char  *name;
        const char  *role;
    } roles[] = {
        { "PrimaryIndex", "primary" },
        { "SecondaryIndex", "secondary" },
        { "TertiaryIndex", "tertiary" },
        { "QuadraryIndex", "quaternary" }
    };

    static const char  *numbers[][2] = {
        { "upperLeftX", "UpperLeftX" },
        { "upperLeftY", "UpperLeftY" },
        { "resolutionX", "ResolutionX" },
        { "resolutionY", "ResolutionY" }
    };

    json = json_object();

    if (json == NULL) {
        return NULL;
    }

    x = ngx_amt_kvm_displays_nth(screen, "IsActive", n);
    active = x && x->text.len == 4
             && ngx_strncasecmp(x->text.data, (u_char *) "true", 4) == 0;

    if (ngx_amt_json_set(json, "displayIndex", json_integer(n)) != NGX_OK
        || ngx_amt_json_set(json, "isActive", json_boolean(active)) != NGX_OK)
    {
        goto failed;
    }

    for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (ngx_amt_json_set(json, numbers[i][0],
                             ngx_amt_kvm_displays_number(screen,
                                                         numbers[i][1], n))
            != NGX_OK)
        {
            goto failed;
        }
    }

    if (ngx_amt_json_set(json, "isDefault", json_boolean(def == (int64_t) n))
        != NGX_OK)
    {
        goto failed;
    }

    for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {

        if (ngx_amt_xml_int(screen, roles[i].name, -1) != (int64_t) n) {
            continue;
        }

        if (ngx_amt_json_set(json, "role", json_string(roles[i].role))
            != NGX_OK)
        {
            goto failed;
        }

        break;
    }

    return json;

failed:

    json_decref(json);

    return NULL;
}


json_t *
ngx_amt_kvm_displays_json(ngx_array_t *items, ngx_amt_xml_t *setting)
{
    json_t          *array;
    int64_t          def;
    ngx_uint_t       i, n, count;
    ngx_amt_xml_t  **x;

    array = json_array();

    if (array == NULL) {
        return NULL;
    }

    x = items->elts;
    def = ngx_amt_xml_int(setting, "DefaultScreen", -1);

    for (i = 0; i < items->nelts; i++) {

        count = ngx_amt_kvm_displays_count(x[i]);

        for (n = 0; n < count; n++) {
            if (json_array_append_new(array,
                                      ngx_amt_kvm_displays_one(x[i], n, def))
                != 0)
            {
                json_decref(array);
                return NULL;
            }
        }
    }

    return json_pack("{s:o}", "displays", array);
}
