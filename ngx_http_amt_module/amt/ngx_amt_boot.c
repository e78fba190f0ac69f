
/*
 * Boot options and boot sources; see ngx_amt_boot.h.
 */


#include "amt/ngx_amt_boot.h"
#include "amt/ngx_amt_boot_tlv.h"
#include "amt/ngx_amt_json.h"
#include "amt/ngx_amt_power.h"


#define NGX_AMT_BOOT_CLIENT_MODE  4      /* ProvisioningMode */
#define NGX_AMT_BOOT_STARTED      4096   /* ReturnValue: and it goes on */

#define NGX_AMT_BOOT_STAYS                                                    \
    "; boot settings of this call may have stayed on the device until its "   \
    "next boot or power action"


typedef struct {
    ngx_amt_cap_t               cap;
    ngx_amt_boot_t              boot;
    ngx_amt_xml_t              *setting; /* as received */
    ngx_str_t                   source;
    ngx_str_t                   path;

    const char                 *step;    /* that was answered last */
    ngx_amt_wsman_response_t    refused;
    unsigned                    no:1;    /* it was refused */
    unsigned                    told:1;  /* settings, to be put back */
    unsigned                    stays:1; /* that failed, or would do harm */
} ngx_amt_boot_frame_t;


static ngx_int_t ngx_amt_boot_options_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_boot_options_drop(void *data);
static ngx_int_t ngx_amt_boot_sources_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_boot_input(ngx_amt_boot_frame_t *v);
static void ngx_amt_boot_detail(ngx_amt_boot_frame_t *v, const char *name,
    ngx_str_t *s);
static ngx_int_t ngx_amt_boot_params(ngx_amt_flow_t *f,
    ngx_amt_boot_frame_t *v);
static void ngx_amt_boot_wipe(ngx_str_t *s);
static ngx_int_t ngx_amt_boot_put(ngx_amt_flow_t *f,
    ngx_amt_boot_frame_t *v);
static ngx_int_t ngx_amt_boot_call(ngx_amt_flow_t *f,
    ngx_amt_boot_frame_t *v, const char *class, const char *method,
    ngx_int_t encoded, ngx_str_t *body);
static ngx_int_t ngx_amt_boot_change(ngx_amt_flow_t *f,
    ngx_amt_boot_frame_t *v, ngx_str_t *source);
static ngx_int_t ngx_amt_boot_next(ngx_amt_flow_t *f,
    ngx_amt_boot_frame_t *v);
static ngx_int_t ngx_amt_boot_start(ngx_amt_flow_t *f,
    ngx_amt_boot_frame_t *v);
static ngx_uint_t ngx_amt_boot_refused(ngx_amt_boot_frame_t *v,
    const char *step, const char *content);
static ngx_uint_t ngx_amt_boot_unsent(ngx_amt_flow_t *f);
static ngx_int_t ngx_amt_boot_failed(ngx_amt_flow_t *f,
    ngx_amt_boot_frame_t *v);
static ngx_int_t ngx_amt_boot_refuse(ngx_amt_flow_t *f,
    ngx_amt_boot_frame_t *v);


const ngx_amt_op_t  ngx_amt_boot_options = {
    "boot_options", sizeof(ngx_amt_boot_frame_t), ngx_amt_boot_options_body,
    ngx_amt_boot_options_drop, 1
};

const ngx_amt_op_t  ngx_amt_boot_sources = {
    "boot_sources", sizeof(ngx_amt_cap_t), ngx_amt_boot_sources_body, NULL, 0
};


/* Steps as numbered in the contract. */

static ngx_int_t
ngx_amt_boot_options_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_boot_frame_t *v = data;
    ngx_amt_cap_t        *c = data;

    json_t         *json;
    ngx_int_t       value;
    ngx_str_t       none;
    ngx_amt_xml_t  *x;

    ngx_amt_begin(f, c);

    ngx_amt_boot_input(v);

    /* 1 */

    if (v->boot.secure == 0) {

        ngx_amt_await(f, c,
                      ngx_amt_cap_get(f, c,
                                      "AMT_SetupAndConfigurationService"));

        if (ngx_amt_xml_int(c->res.content, "ProvisioningMode", 0)
            == NGX_AMT_BOOT_CLIENT_MODE)
        {
            return ngx_amt_cap_refuse(f, c, 400, NULL,
                             "EnforceSecureBoot cannot be turned off in CCM");
        }
    }

    /* 2 */

    if (ngx_amt_boot_disk(v->boot.action)) {

        ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "CIM_BootSourceSetting"));

        x = ngx_amt_boot_source_find(c->items, &v->path);

        if (x) {
            v->source = ngx_amt_xml_text(x, "InstanceID");
            v->path = ngx_amt_xml_text(x, "BootString");
        }

        if (x == NULL || v->source.len == 0 || v->path.len == 0) {
            return ngx_amt_cap_refuse(f, c, 404, NULL,
                                      "Boot source not found");
        }
    }

    if (ngx_amt_boot_ocr(v->boot.action)) {

        c->frame.rc = ngx_amt_boot_params(f, v);

        if (c->frame.rc == NGX_DECLINED) {
            return ngx_amt_cap_refuse(f, c, 400, NULL,
                                      "Boot parameters are too long");
        }

        if (c->frame.rc != NGX_OK) {
            goto fail;
        }
    }

    /* 3 */

    ngx_amt_await(f, c, ngx_amt_cap_get(f, c, "AMT_BootSettingData"));

    v->setting = c->res.content;

    /* 5: from here on the device is being changed */

    ngx_amt_flow_shield(f);

    ngx_str_null(&none);

    ngx_amt_await(f, c, ngx_amt_boot_change(f, v, &none));

    if (ngx_amt_boot_refused(v, "ChangeBootOrder",
                             "ChangeBootOrder_OUTPUT"))
    {
        goto fail;
    }

    /* 4, 6 */

    v->told = 1;

    ngx_amt_await(f, c, ngx_amt_boot_put(f, v));

    if (ngx_amt_boot_refused(v, "AMT_BootSettingData.Put",
                             "AMT_BootSettingData"))
    {
        goto fail;
    }

    /* 7: from here on the settings are for the next boot */

    ngx_amt_await(f, c, ngx_amt_boot_next(f, v));

    if (ngx_amt_boot_refused(v, "SetBootConfigRole",
                             "SetBootConfigRole_OUTPUT"))
    {
        goto fail;
    }

    /* 8 */

    ngx_amt_await(f, c, ngx_amt_boot_change(f, v, &v->source));

    if (ngx_amt_boot_refused(v, "ChangeBootOrder",
                             "ChangeBootOrder_OUTPUT"))
    {
        /*
         * Redirected media decide by themselves, and firmware may refuse a
         * source beside them.
         */

        if (v->boot.action < 200 || v->boot.action > 299
            || v->refused.fault)
        {
            goto fail;
        }

        v->no = 0;
    }

    /* 9 */

    ngx_amt_await_rc(f, c, ngx_amt_boot_start(f, v));

    if (c->frame.rc != NGX_OK) {

        /* a machine that may be booting needs its settings */

        v->told = ngx_amt_boot_unsent(f);
        v->stays = !v->told;
        goto fail;
    }

    c->frame.rc = ngx_amt_device_expect(f, "RequestPowerStateChange_OUTPUT",
                                        &c->res);

    if (c->frame.rc != NGX_OK) {
        v->told = c->res.fault != NULL;
        v->stays = !v->told;
        goto fail;
    }

    value = ngx_amt_cap_return_value(&c->res);

    if (value > 0 && value != NGX_AMT_BOOT_STARTED) {
        ngx_amt_await_rc(f, c, ngx_amt_boot_undo(f, c->dev, v->setting));
    }

    value = ngx_amt_cap_return_value(&c->res);

    json = json_pack("{s:I,s:s}", "ReturnValue", (json_int_t) value,
                     "ReturnValueStr", ngx_amt_wsman_status(value));

    return ngx_amt_cap_done(f, c, ngx_amt_json_answer(&c->res, json));

fail:

    /* the next boot, whoever starts it, must not be this one */

    if (v->told) {
        v->told = 0;

        ngx_amt_await_rc(f, c, ngx_amt_boot_undo(f, c->dev, v->setting));

        v->stays = c->frame.rc != NGX_OK;
    }

    return v->no ? ngx_amt_boot_refuse(f, v) : ngx_amt_boot_failed(f, v);
}


static void
ngx_amt_boot_options_drop(void *data)
{
    ngx_amt_boot_frame_t *v = data;

    ngx_amt_boot_wipe(&v->boot.tlv);
}


static void
ngx_amt_boot_input(ngx_amt_boot_frame_t *v)
{
    json_t      *details, *secure;
    const char  *source;

    v->boot.action = (ngx_uint_t) json_integer_value(
                              json_object_get(v->cap.input, "action"));
    v->boot.sol = json_is_true(json_object_get(v->cap.input, "useSOL"));

    details = json_object_get(v->cap.input, "bootDetails");
    secure = json_object_get(details, "enforceSecureBoot");

    v->boot.secure = json_is_boolean(secure) ? json_is_true(secure) : -1;

    source = ngx_amt_boot_source(v->boot.action);

    v->source.data = (u_char *) source;
    v->source.len = ngx_strlen(source);

    ngx_amt_boot_detail(v, "bootPath", &v->path);
}


static void
ngx_amt_boot_detail(ngx_amt_boot_frame_t *v, const char *name, ngx_str_t *s)
{
    json_t  *value;

    ngx_str_null(s);

    value = json_object_get(json_object_get(v->cap.input, "bootDetails"),
                            name);

    if (json_is_string(value)) {
        s->data = (u_char *) json_string_value(value);
        s->len = json_string_length(value);
    }
}


/* NGX_DECLINED: a value is too long */

static ngx_int_t
ngx_amt_boot_params(ngx_amt_flow_t *f, ngx_amt_boot_frame_t *v)
{
    ngx_int_t  rc;
    ngx_str_t  url, user, password;

    if (ngx_amt_boot_disk(v->boot.action)) {
        rc = ngx_amt_boot_tlv_path(f->pool, &v->path, &v->boot.params,
                                   &v->boot.tlv);

    } else {
        ngx_amt_boot_detail(v, "url", &url);
        ngx_amt_boot_detail(v, "username", &user);
        ngx_amt_boot_detail(v, "password", &password);

        rc = ngx_amt_boot_tlv_https(f->pool, &url, &user, &password,
                                    &v->boot.params, &v->boot.tlv);
    }

    if (rc == NGX_ERROR) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return rc;
}


static void
ngx_amt_boot_wipe(ngx_str_t *s)
{
    if (s->len) {
        ngx_explicit_memzero(s->data, s->len);
        ngx_str_null(s);
    }
}


static ngx_int_t
ngx_amt_boot_put(ngx_amt_flow_t *f, ngx_amt_boot_frame_t *v)
{
    ngx_int_t                rc;
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_PUT;
    req.class = "AMT_BootSettingData";
    req.secret = 1;

    rc = ngx_amt_boot_settings(f->pool, v->setting, &v->boot, &req.body);

    ngx_amt_boot_wipe(&v->boot.tlv);

    if (rc != NGX_OK) {
        return ngx_amt_flow_error(f, rc == NGX_ERROR ? NGX_AMT_ERR_INTERNAL
                                  : NGX_AMT_ERR_BAD_ANSWER,
                                  "boot settings too large");
    }

    return ngx_amt_cap_call_any(f, &v->cap, &req);
}


/* Invokes with a body whose encoding ended with "encoded". */

static ngx_int_t
ngx_amt_boot_call(ngx_amt_flow_t *f, ngx_amt_boot_frame_t *v,
    const char *class, const char *method, ngx_int_t encoded, ngx_str_t *body)
{
    ngx_amt_wsman_request_t  req;

    if (encoded != NGX_OK) {
        return ngx_amt_flow_error(f, encoded == NGX_ERROR
                                  ? NGX_AMT_ERR_INTERNAL
                                  : NGX_AMT_ERR_BAD_ANSWER,
                                  "%s cannot be written", method);
    }

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = class;
    req.method = method;
    req.body = *body;

    return ngx_amt_cap_call_any(f, &v->cap, &req);
}


static ngx_int_t
ngx_amt_boot_change(ngx_amt_flow_t *f, ngx_amt_boot_frame_t *v,
    ngx_str_t *source)
{
    ngx_int_t  rc;
    ngx_str_t  body;

    rc = ngx_amt_boot_order(f->pool, source, &body);

    return ngx_amt_boot_call(f, v, "CIM_BootConfigSetting",
                             "ChangeBootOrder", rc, &body);
}


static ngx_int_t
ngx_amt_boot_next(ngx_amt_flow_t *f, ngx_amt_boot_frame_t *v)
{
    ngx_int_t  rc;
    ngx_str_t  body;

    rc = ngx_amt_boot_role(f->pool, &body);

    return ngx_amt_boot_call(f, v, "CIM_BootService", "SetBootConfigRole",
                             rc, &body);
}


static ngx_int_t
ngx_amt_boot_start(ngx_amt_flow_t *f, ngx_amt_boot_frame_t *v)
{
    ngx_int_t  rc;
    ngx_str_t  body;

    rc = ngx_amt_power_input(f->pool, "PowerState",
                             ngx_amt_boot_power(v->boot.action), &body);

    return ngx_amt_boot_call(f, v, "CIM_PowerManagementService",
                             "RequestPowerStateChange", rc, &body);
}


/* 1: the last answer is not the one that lets the boot go on */

static ngx_uint_t
ngx_amt_boot_refused(ngx_amt_boot_frame_t *v, const char *step,
    const char *content)
{
    ngx_amt_wsman_response_t  *res;

    res = &v->cap.res;

    v->step = step;
    v->refused = *res;

    v->no = res->fault || !ngx_amt_xml_is(res->content, content)
            || (ngx_strcmp(content, "AMT_BootSettingData") != 0
                && ngx_amt_cap_return_value(res) != 0);

    return v->no;
}


/* The device was not reached, so that it certainly does not boot. */

static ngx_uint_t
ngx_amt_boot_unsent(ngx_amt_flow_t *f)
{
    switch (f->err.code) {

    case NGX_AMT_ERR_NOT_CONNECTED:
    case NGX_AMT_ERR_REFUSED:
    case NGX_AMT_ERR_BUSY:
        return 1;

    default:
        return 0;
    }
}


/* An error of the flow; what stays is said beside what the contract says. */

static ngx_int_t
ngx_amt_boot_failed(ngx_amt_flow_t *f, ngx_amt_boot_frame_t *v)
{
    ngx_uint_t  status;

    if (!v->stays) {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_ERR, f->log, 0, "boot settings: %V", &f->err.text);

    switch (f->err.code) {

    case NGX_AMT_ERR_NOT_CONNECTED:
    case NGX_AMT_ERR_TIMEOUT:
    case NGX_AMT_ERR_LOST:
        status = 504;
        break;

    default:
        status = 500;
    }

    ngx_amt_flow_clear(f);

    return ngx_amt_cap_refuse(f, &v->cap, status, NULL,
                              "Exception during Boot Setting request"
                              NGX_AMT_BOOT_STAYS);
}


static ngx_int_t
ngx_amt_boot_refuse(ngx_amt_flow_t *f, ngx_amt_boot_frame_t *v)
{
    ngx_int_t                  value;
    const char                *advice, *stays;
    ngx_amt_wsman_response_t  *res;

    res = &v->refused;
    stays = v->stays ? NGX_AMT_BOOT_STAYS : "";

    if (res->fault) {

        advice = "";

        if (res->fault_code.len == sizeof("AccessDenied") - 1
            && ngx_strncmp(res->fault_code.data, "AccessDenied",
                           res->fault_code.len)
               == 0)
        {
            advice = " (is the user's consent needed?)";
        }

        return ngx_amt_cap_refuse(f, &v->cap, 400, NULL, "%s: %V %V%s%s",
                                  v->step, &res->fault_code,
                                  &res->fault_text, advice, stays);
    }

    value = ngx_amt_cap_return_value(res);

    if (value == 0) {
        return ngx_amt_cap_refuse(f, &v->cap, 400, NULL,
                                  "%s: answer is not understood%s", v->step,
                                  stays);
    }

    return ngx_amt_cap_refuse(f, &v->cap, 400, NULL, "%s: %s (%i)%s%s",
                              v->step, ngx_amt_boot_status(value), value,
                              value == 6
                              ? " (is the user's consent needed?)" : "",
                              stays);
}


static ngx_int_t
ngx_amt_boot_sources_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    json_t  *json;

    ngx_amt_begin(f, c);

    ngx_amt_await_rc(f, c, ngx_amt_cap_enum(f, c, "CIM_BootSourceSetting"));

    if (c->frame.rc == NGX_OK) {
        return ngx_amt_cap_done(f, c, ngx_amt_boot_sources_json(c->items));
    }

    switch (f->err.code) {

    case NGX_AMT_ERR_FAULT:
    case NGX_AMT_ERR_BAD_ANSWER:
    case NGX_AMT_ERR_DEVICE_AUTH:

        ngx_log_error(NGX_LOG_ERR, f->log, 0, "boot sources: %V",
                      &f->err.text);

        json = json_pack("{s:s,s:s%}",
                         "error", "Failed to get boot source settings",
                         "details", (char *) f->err.text.data,
                         f->err.text.len);

        ngx_amt_flow_clear(f);

        return ngx_amt_cap_done_status(f, c, 500, json);

    default:
        return c->frame.rc;
    }
}
