
/*
 * Power; see ngx_amt_power.h.
 */


#include "amt/ngx_amt_power.h"
#include "amt/ngx_amt_json.h"
#include "amt/ngx_amt_version.h"


#define NGX_AMT_POWER_ON           2
#define NGX_AMT_POWER_LAST         17    /* wire values end here */
#define NGX_AMT_POWER_OS_FULL      500   /* actions of this API */
#define NGX_AMT_POWER_OS_SAVING    501

/* OSPowerSavingState */
#define NGX_AMT_POWER_UNKNOWN      0
#define NGX_AMT_POWER_UNSUPPORTED  1
#define NGX_AMT_POWER_FULL         2
#define NGX_AMT_POWER_SAVING       3


typedef struct {
    ngx_amt_cap_t               cap;
    ngx_amt_version_t           version;
    ngx_uint_t                  action;
    ngx_uint_t                  os;
} ngx_amt_power_t;


typedef struct {
    ngx_amt_frame_t             frame;
    ngx_amt_device_t           *dev;
    ngx_amt_wsman_response_t    res;
    ngx_uint_t                 *state;
} ngx_amt_power_os_t;


static ngx_int_t ngx_amt_power_state_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_power_capabilities_body(ngx_amt_flow_t *f,
    void *data);
static ngx_int_t ngx_amt_power_action_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_power_os_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_power_os_read(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, ngx_uint_t *state);
static ngx_int_t ngx_amt_power_os_read_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_power_put(ngx_amt_flow_t *f, ngx_amt_power_t *v);
static ngx_int_t ngx_amt_power_os_request(ngx_amt_flow_t *f,
    ngx_amt_power_t *v, ngx_uint_t state);
static ngx_int_t ngx_amt_power_request(ngx_amt_flow_t *f,
    ngx_amt_power_t *v);
static ngx_int_t ngx_amt_power_invoke(ngx_amt_flow_t *f, ngx_amt_power_t *v,
    const char *class, const char *method, const char *element,
    ngx_uint_t state);
static json_t *ngx_amt_power_result(ngx_int_t value, const char *text);
static ngx_int_t ngx_amt_power_done_value(ngx_amt_flow_t *f,
    ngx_amt_power_t *v, ngx_int_t value, const char *text);


const ngx_amt_op_t  ngx_amt_power_state = {
    "power_state", sizeof(ngx_amt_power_t), ngx_amt_power_state_body, NULL, 0
};

const ngx_amt_op_t  ngx_amt_power_capabilities = {
    "power_capabilities", sizeof(ngx_amt_power_t),
    ngx_amt_power_capabilities_body, NULL, 0
};

const ngx_amt_op_t  ngx_amt_power_action = {
    "power_action", sizeof(ngx_amt_power_t), ngx_amt_power_action_body, NULL,
    1
};


static ngx_int_t
ngx_amt_power_state_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_power_t *v = data;
    ngx_amt_cap_t   *c = data;

    ngx_uint_t  state;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_power_os_read(f, c->dev, &v->os));

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c,
                                         "CIM_ServiceAvailableToElement"));

    state = ngx_amt_power_state_find(c->items);

    if (state == 0) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_FAULT,
                                  "device does not tell its power state");
    }

    return ngx_amt_cap_done(f, c, json_pack("{s:I,s:I}",
                                            "powerstate", (json_int_t) state,
                                            "OSPowerSavingState",
                                            (json_int_t) v->os));

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_power_capabilities_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_power_t *v = data;
    ngx_amt_cap_t   *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_version_read(f, c->dev, &v->version));
    ngx_amt_await(f, c, ngx_amt_cap_get(f, c, "AMT_BootCapabilities"));

    return ngx_amt_cap_done(f, c,
                            ngx_amt_power_capabilities_json(
                                ngx_amt_version_major(v->version.items),
                                c->res.content));

fail:

    return c->frame.rc;
}


/* Steps as numbered in the contract. */

static ngx_int_t
ngx_amt_power_action_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_power_t *v = data;
    ngx_amt_cap_t   *c = data;

    json_t     *json;
    ngx_int_t   value;

    ngx_amt_begin(f, c);

    v->action = (ngx_uint_t) json_integer_value(
                                  json_object_get(c->input, "action"));

    /* 1 */

    ngx_amt_await(f, c, ngx_amt_cap_get(f, c, "AMT_BootSettingData"));

    /* 2: from here on the device is being changed; a fault is ignored */

    ngx_amt_flow_shield(f);

    ngx_amt_await(f, c, ngx_amt_power_put(f, v));

    /* 3 */

    if (v->action == NGX_AMT_POWER_OS_FULL
        || v->action == NGX_AMT_POWER_OS_SAVING)
    {
        c->frame.body = ngx_amt_power_os_body;
        c->frame.resume = NULL;

        return ngx_amt_power_os_body(f, v);
    }

    /* 4: the operating system must not stay in its power saving state */

    if (v->action == NGX_AMT_POWER_ON) {

        ngx_amt_await(f, c, ngx_amt_power_os_read(f, c->dev, &v->os));

        if (v->os == NGX_AMT_POWER_SAVING) {

            ngx_amt_await_rc(f, c, ngx_amt_power_os_request(f, v,
                                                      NGX_AMT_POWER_FULL));

            if (c->frame.rc != NGX_OK && !ngx_amt_cap_optional(f)) {
                goto fail;
            }
        }
    }

    /* 5 */

    if (v->action > NGX_AMT_POWER_LAST) {
        json = ngx_amt_power_result(36, ngx_amt_wsman_status(36));

        return ngx_amt_cap_done(f, c,
                                json_pack("{s:{s:o}}", "Body",
                                          "RequestPowerStateChange_OUTPUT",
                                          json));
    }

    /* 6 */

    ngx_amt_await(f, c, ngx_amt_power_request(f, v));

    c->frame.rc = ngx_amt_device_expect(f, "RequestPowerStateChange_OUTPUT",
                                        &c->res);

    if (c->frame.rc != NGX_OK) {
        goto fail;
    }

    value = ngx_amt_cap_return_value(&c->res);
    json = ngx_amt_power_result(value, ngx_amt_wsman_status(value));

    return ngx_amt_cap_done(f, c, ngx_amt_json_answer(&c->res, json));

fail:

    return c->frame.rc;
}


/* 3a, 3b: continues the frame of a power action */

static ngx_int_t
ngx_amt_power_os_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_power_t *v = data;
    ngx_amt_cap_t   *c = data;

    ngx_int_t   value;
    ngx_uint_t  target;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_power_os_read(f, c->dev, &v->os));

    if (v->os == NGX_AMT_POWER_UNKNOWN) {
        return ngx_amt_power_done_value(f, v, 1, "OS_POWER_STATE_UNKNOWN");
    }

    if (v->os == NGX_AMT_POWER_UNSUPPORTED) {
        return ngx_amt_power_done_value(f, v, 2,
                                        "OS_POWER_STATE_UNSUPPORTED");
    }

    target = (v->action == NGX_AMT_POWER_OS_FULL) ? NGX_AMT_POWER_FULL
                                                  : NGX_AMT_POWER_SAVING;

    if (v->os == target) {
        return ngx_amt_power_done_value(f, v, 0,
                                        ngx_amt_wsman_os_power_status(0));
    }

    ngx_amt_await_rc(f, c, ngx_amt_power_os_request(f, v, target));

    if (c->frame.rc != NGX_OK && !ngx_amt_cap_optional(f)) {
        goto fail;
    }

    value = -1;

    if (c->frame.rc == NGX_OK
        && ngx_amt_xml_is(c->res.content,
                          "RequestOSPowerSavingStateChange_OUTPUT"))
    {
        value = ngx_amt_cap_return_value(&c->res);
    }

    return ngx_amt_power_done_value(f, v, value,
                                    ngx_amt_wsman_os_power_status(value));

fail:

    return c->frame.rc;
}


/*
 * Operation: OSPowerSavingState, 0 when the device does not tell.  Older
 * firmware has no such class: faults and lost answers are not errors.
 */

static ngx_int_t
ngx_amt_power_os_read(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_uint_t *state)
{
    ngx_amt_power_os_t  *v;

    v = ngx_amt_frame_alloc(f, "power_os_read", sizeof(ngx_amt_power_os_t),
                            ngx_amt_power_os_read_body, NULL);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->dev = dev;
    v->state = state;

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_power_os_read_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_power_os_t *v = data;

    int64_t  state;

    ngx_amt_begin(f, v);

    *v->state = NGX_AMT_POWER_UNKNOWN;

    ngx_amt_await_rc(f, v, ngx_amt_device_get(f, v->dev,
                                              "IPS_PowerManagementService",
                                              &v->res));

    if (v->frame.rc != NGX_OK) {
        return ngx_amt_cap_optional(f) ? NGX_OK : NGX_ERROR;
    }

    if (ngx_amt_xml_is(v->res.content, "IPS_PowerManagementService")) {

        state = ngx_amt_xml_int(v->res.content, "OSPowerSavingState", 0);

        if (state >= NGX_AMT_POWER_UNKNOWN && state <= NGX_AMT_POWER_SAVING) {
            *v->state = (ngx_uint_t) state;
        }
    }

    ngx_amt_end(f, v);
}


static ngx_int_t
ngx_amt_power_put(ngx_amt_flow_t *f, ngx_amt_power_t *v)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_PUT;
    req.class = "AMT_BootSettingData";
    req.echo = 1;

    if (ngx_amt_power_boot_defaults(f->pool, v->cap.res.content, &req.body)
        != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "boot settings too large");
    }

    return ngx_amt_device_call(f, v->cap.dev, &req, &v->cap.res);
}


static ngx_int_t
ngx_amt_power_os_request(ngx_amt_flow_t *f, ngx_amt_power_t *v,
    ngx_uint_t state)
{
    return ngx_amt_power_invoke(f, v, "IPS_PowerManagementService",
                                "RequestOSPowerSavingStateChange",
                                "OSPowerSavingState", state);
}


static ngx_int_t
ngx_amt_power_request(ngx_amt_flow_t *f, ngx_amt_power_t *v)
{
    return ngx_amt_power_invoke(f, v, "CIM_PowerManagementService",
                                "RequestPowerStateChange", "PowerState",
                                v->action);
}


static ngx_int_t
ngx_amt_power_invoke(ngx_amt_flow_t *f, ngx_amt_power_t *v,
    const char *class, const char *method, const char *element,
    ngx_uint_t state)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = class;
    req.method = method;

    if (ngx_amt_power_input(f->pool, element, state, &req.body) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return ngx_amt_device_call(f, v->cap.dev, &req, &v->cap.res);
}


static json_t *
ngx_amt_power_result(ngx_int_t value, const char *text)
{
    return json_pack("{s:I,s:s}", "ReturnValue", (json_int_t) value,
                     "ReturnValueStr", text);
}


static ngx_int_t
ngx_amt_power_done_value(ngx_amt_flow_t *f, ngx_amt_power_t *v,
    ngx_int_t value, const char *text)
{
    return ngx_amt_cap_done(f, &v->cap,
                            json_pack("{s:o}", "Body",
                                      ngx_amt_power_result(value, text)));
}


/* ---- codecs ---- */

ngx_int_t
ngx_amt_power_boot_defaults(ngx_pool_t *pool, ngx_amt_xml_t *setting,
    ngx_str_t *body)
{
    const char           **name;
    ngx_amt_xml_t         *x;
    ngx_amt_xml_writer_t   w;

    static const char  *off[] = {
        "BIOSPause", "BIOSSetup", "ConfigurationDataReset",
        "ForcedProgressEvents", "LockKeyboard", "LockPowerButton",
        "LockResetButton", "LockSleepButton", "ReflashBIOS", "UseIDER",
        "UseSOL", "UseSafeMode", "UserPasswordBypass", "SecureErase", NULL
    };

    static const char  *zero[] = {
        "BootMediaIndex", "FirmwareVerbosity", "IDERBootDevice",
        "UefiBootNumberOfParams", NULL
    };

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);

    for (x = setting->first; x; x = x->next) {

        /* credentials of a boot that did not come */

        if (ngx_amt_xml_is(x, "UefiBootParametersArray")) {
            continue;
        }

        for (name = off; *name; name++) {
            if (ngx_amt_xml_is(x, *name)) {
                ngx_amt_xml_leaf_bool(&w, *name, 0);
                goto next;
            }
        }

        for (name = zero; *name; name++) {
            if (ngx_amt_xml_is(x, *name)) {
                ngx_amt_xml_leaf_int(&w, *name, 0);
                goto next;
            }
        }

        ngx_amt_xml_echo(&w, x, &setting->uri);

    next:

        continue;
    }

    return ngx_amt_xml_done(&w, body);
}


ngx_int_t
ngx_amt_power_input(ngx_pool_t *pool, const char *element, ngx_uint_t state,
    ngx_str_t *body)
{
    ngx_amt_xml_writer_t  w;

    static const char  *selectors[] = {
        "CreationClassName", "CIM_ComputerSystem",
        "Name", "ManagedSystem"
    };

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);

    ngx_amt_xml_leaf_int(&w, element, state);
    ngx_amt_wsman_epr(&w, "ManagedElement",
                      "http://schemas.xmlsoap.org/ws/2004/08/addressing",
                      "CIM_ComputerSystem", selectors, 2);

    return ngx_amt_xml_done(&w, body);
}


/*
 * A device may list several services; the one of the managed system is
 * meant, the first one when none names it.
 */

ngx_uint_t
ngx_amt_power_state_find(ngx_array_t *items)
{
    int64_t          state;
    ngx_uint_t       i, found;
    ngx_amt_xml_t  **item, *x;

    found = 0;
    item = items->elts;

    for (i = 0; i < items->nelts; i++) {

        state = ngx_amt_xml_int(item[i], "PowerState", 0);

        if (state < 1 || state > 255) {
            continue;
        }

        x = ngx_amt_xml_child(item[i], "UserOfService");
        x = ngx_amt_xml_child(x, "ReferenceParameters");
        x = ngx_amt_xml_child(x, "SelectorSet");

        for (x = ngx_amt_xml_child(x, "Selector");
             x;
             x = ngx_amt_xml_again(x))
        {
            if (x->text.len == sizeof("ManagedSystem") - 1
                && ngx_strncmp(x->text.data, "ManagedSystem", x->text.len)
                   == 0)
            {
                return (ngx_uint_t) state;
            }
        }

        if (found == 0) {
            found = (ngx_uint_t) state;
        }
    }

    return found;
}


json_t *
ngx_amt_power_capabilities_json(ngx_uint_t major, ngx_amt_xml_t *boot)
{
    json_t      *json;
    ngx_uint_t   i;

    static const struct {
        const char  *name;
        ngx_uint_t   code;
        const char  *when;               /* property; "": AMT above 9 */
    } table[] = {
        { "Power up", 2, NULL },
        { "Power cycle", 5, NULL },
        { "Power down", 8, NULL },
        { "Reset", 10, NULL },
        { "Soft-off", 12, "" },
        { "Soft-reset", 14, "" },
        { "Sleep", 4, "" },
        { "Hibernate", 7, "" },
        { "Power up to BIOS", 100, "BIOSSetup" },
        { "Reset to BIOS", 101, "BIOSSetup" },
        { "Reset to Secure Erase", 104, "SecureErase" },
        { "Reset to IDE-R Floppy", 200, NULL },
        { "Power on to IDE-R Floppy", 201, NULL },
        { "Reset to IDE-R CDROM", 202, NULL },
        { "Power on to IDE-R CDROM", 203, NULL },
        { "Power on to diagnostic", 300, "ForceDiagnosticBoot" },
        { "Reset to diagnostic", 301, "ForceDiagnosticBoot" },
        { "Reset to PXE", 400, NULL },
        { "Power on to PXE", 401, NULL }
    };

    json = json_object();

    if (json == NULL) {
        return NULL;
    }

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {

        if (table[i].when == NULL) {
            /* void */

        } else if (table[i].when[0] == '\0') {

            if (major <= 9) {
                continue;
            }

        } else if (ngx_amt_xml_bool(boot, table[i].when, 0) != 1) {
            continue;
        }

        if (ngx_amt_json_set(json, table[i].name,
                             json_integer(table[i].code))
            != NGX_OK)
        {
            json_decref(json);
            return NULL;
        }
    }

    return json;
}
