
/*
 * Alarm clock; see ngx_amt_alarm.h.
 */


#include "amt/ngx_amt_alarm.h"
#include "amt/ngx_amt_datetime.h"
#include "amt/ngx_amt_json.h"


static ngx_int_t ngx_amt_alarm_list_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_alarm_add_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_alarm_add_call(ngx_amt_flow_t *f, ngx_amt_cap_t *c);
static ngx_int_t ngx_amt_alarm_delete_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_alarm_delete_call(ngx_amt_flow_t *f,
    ngx_amt_cap_t *c);
static ngx_int_t ngx_amt_alarm_refused(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    ngx_uint_t quota);
static int64_t ngx_amt_alarm_minutes(ngx_amt_xml_t *alarm);
static ngx_int_t ngx_amt_alarm_action(ngx_amt_cap_t *c, const char *name);
static void ngx_amt_alarm_open(ngx_amt_xml_writer_t *w, const char *name);
static void ngx_amt_alarm_close(ngx_amt_xml_writer_t *w, const char *name);
static void ngx_amt_alarm_common(ngx_amt_xml_writer_t *w, const char *name,
    u_char *text, size_t len);
static void ngx_amt_alarm_text(ngx_amt_xml_writer_t *w, const char *name,
    json_t *value);


#define NGX_AMT_ALARM_LIMIT  23          /* MAX_LIMIT_REACHED */

#define NGX_AMT_ALARM_URI                                                     \
    "http://intel.com/wbem/wscim/1/ips-schema/1/IPS_AlarmClockOccurrence"
#define NGX_AMT_ALARM_COMMON                                                  \
    "http://schemas.dmtf.org/wbem/wscim/1/common"


const ngx_amt_op_t  ngx_amt_alarm_list = {
    "alarm_list", sizeof(ngx_amt_cap_t), ngx_amt_alarm_list_body, NULL, 0
};

const ngx_amt_op_t  ngx_amt_alarm_add = {
    "alarm_add", sizeof(ngx_amt_cap_t), ngx_amt_alarm_add_body, NULL, 1
};

const ngx_amt_op_t  ngx_amt_alarm_delete = {
    "alarm_delete", sizeof(ngx_amt_cap_t), ngx_amt_alarm_delete_body, NULL, 1
};


static ngx_int_t
ngx_amt_alarm_list_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_enum(f, c, "IPS_AlarmClockOccurrence"));

    return ngx_amt_cap_done(f, c, ngx_amt_alarm_json(c->items));

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_alarm_add_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    ngx_int_t  value;

    ngx_amt_begin(f, c);

    ngx_amt_flow_shield(f);

    ngx_amt_await(f, c, ngx_amt_alarm_add_call(f, c));

    if (c->res.fault) {

        return ngx_amt_alarm_refused(f, c,
                               ngx_amt_cap_fault_is(&c->res, "QuotaLimit"));
    }

    c->frame.rc = ngx_amt_device_expect(f, "AddAlarm_OUTPUT", &c->res);

    if (c->frame.rc != NGX_OK) {
        goto fail;
    }

    value = ngx_amt_cap_return_value(&c->res);

    if (value != 0) {
        ngx_log_error(NGX_LOG_ERR, f->log, 0, "AddAlarm returned %i (%s)",
                      value, ngx_amt_wsman_status(value));

        return ngx_amt_alarm_refused(f, c, value == NGX_AMT_ALARM_LIMIT);
    }

    return ngx_amt_cap_done(f, c, json_pack("{s:s,s:i}", "status", "SUCCESS",
                                            "ReturnValue", 0));

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_alarm_add_call(ngx_amt_flow_t *f, ngx_amt_cap_t *c)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = "AMT_AlarmClockService";
    req.method = "AddAlarm";

    if (ngx_amt_alarm_input(f->pool, c->input, &req.body) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INVALID,
                                  "alarm has text that XML cannot carry");
    }

    return ngx_amt_cap_call_any(f, c, &req);
}


static ngx_int_t
ngx_amt_alarm_delete_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_flow_shield(f);

    ngx_amt_await(f, c, ngx_amt_alarm_delete_call(f, c));

    if (c->res.fault) {

        /* firmware has several names for an instance that is not there */

        return ngx_amt_cap_refuse(f, c, 404, "Alarm instance not found",
                                  "Alarm occurrence delete request failed "
                                  "for guid : %V.", &c->result->guid);
    }

    if (ngx_amt_alarm_action(c, "DeleteResponse") != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "not an answer to Delete");
    }

    return ngx_amt_cap_done(f, c, json_pack("{s:s}", "status", "SUCCESS"));

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_alarm_delete_call(ngx_amt_flow_t *f, ngx_amt_cap_t *c)
{
    json_t                   *name;
    ngx_amt_wsman_request_t   req;

    name = json_object_get(c->input, "Name");

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_DELETE;
    req.class = "IPS_AlarmClockOccurrence";
    ngx_str_set(&req.selector, "InstanceID");
    req.value.data = (u_char *) json_string_value(name);
    req.value.len = json_string_length(name);

    return ngx_amt_cap_call_any(f, c, &req);
}


/* The action of the answer ends with this. */

static ngx_int_t
ngx_amt_alarm_action(ngx_amt_cap_t *c, const char *name)
{
    size_t     len;
    ngx_str_t  action;

    len = ngx_strlen(name);
    action = ngx_amt_xml_text(c->res.header, "Action");

    if (action.len < len
        || ngx_strncmp(action.data + action.len - len, name, len) != 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_alarm_refused(ngx_amt_flow_t *f, ngx_amt_cap_t *c, ngx_uint_t quota)
{
    return ngx_amt_cap_refuse(f, c, 400, NULL,
                              quota
                              ? "Alarm add request quota exceeded for "
                                "guid : %V."
                              : "Alarm add request invalid parameters for "
                                "guid : %V.",
                              &c->result->guid);
}


/* ---- codecs ---- */

ngx_int_t
ngx_amt_alarm_input(ngx_pool_t *pool, json_t *input, ngx_str_t *body)
{
    u_char                 buf[NGX_AMT_DURATION], *p;
    json_t                *interval;
    ngx_amt_xml_writer_t   w;

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);

    ngx_amt_xml_open(&w, "AlarmTemplate");

    ngx_amt_alarm_text(&w, "InstanceID",
                       json_object_get(input, "InstanceID"));
    ngx_amt_alarm_text(&w, "ElementName",
                       json_object_get(input, "ElementName"));

    p = ngx_amt_datetime_text(buf, json_integer_value(
                                       json_object_get(input, "StartTime")));

    ngx_amt_alarm_open(&w, "StartTime");
    ngx_amt_alarm_common(&w, "Datetime", buf, p - buf);
    ngx_amt_alarm_close(&w, "StartTime");

    interval = json_object_get(input, "Interval");

    if (interval) {
        p = ngx_amt_duration_text(buf, json_integer_value(interval));

        ngx_amt_alarm_open(&w, "Interval");
        ngx_amt_alarm_common(&w, "Interval", buf, p - buf);
        ngx_amt_alarm_close(&w, "Interval");
    }

    ngx_amt_alarm_open(&w, "DeleteOnCompletion");
    ngx_amt_xml_raw(&w, json_is_true(json_object_get(input,
                                                     "DeleteOnCompletion"))
                        ? "true" : "false");
    ngx_amt_alarm_close(&w, "DeleteOnCompletion");

    ngx_amt_xml_close(&w, "AlarmTemplate");

    return ngx_amt_xml_done(&w, body);
}


/* The alarm is an instance of another class within the method's input. */

static void
ngx_amt_alarm_open(ngx_amt_xml_writer_t *w, const char *name)
{
    ngx_amt_xml_raw(w, "<s:");
    ngx_amt_xml_raw(w, name);
    ngx_amt_xml_raw(w, " xmlns:s=\"" NGX_AMT_ALARM_URI "\">");
}


static void
ngx_amt_alarm_close(ngx_amt_xml_writer_t *w, const char *name)
{
    ngx_amt_xml_raw(w, "</s:");
    ngx_amt_xml_raw(w, name);
    ngx_amt_xml_raw(w, ">");
}


static void
ngx_amt_alarm_common(ngx_amt_xml_writer_t *w, const char *name, u_char *text,
    size_t len)
{
    ngx_str_t  s;

    s.data = text;
    s.len = len;

    ngx_amt_xml_raw(w, "<c:");
    ngx_amt_xml_raw(w, name);
    ngx_amt_xml_raw(w, " xmlns:c=\"" NGX_AMT_ALARM_COMMON "\">");
    ngx_amt_xml_escape(w, &s);
    ngx_amt_xml_raw(w, "</c:");
    ngx_amt_xml_raw(w, name);
    ngx_amt_xml_raw(w, ">");
}


static void
ngx_amt_alarm_text(ngx_amt_xml_writer_t *w, const char *name, json_t *value)
{
    ngx_str_t  s;

    if (value == NULL) {
        return;
    }

    s.data = (u_char *) json_string_value(value);
    s.len = json_string_length(value);

    ngx_amt_alarm_open(w, name);
    ngx_amt_xml_escape(w, &s);
    ngx_amt_alarm_close(w, name);
}


json_t *
ngx_amt_alarm_json(ngx_array_t *items)
{
    json_t          *array, *alarm;
    int64_t          minutes;
    ngx_uint_t       i;
    ngx_amt_xml_t  **x;

    array = json_array();
    if (array == NULL) {
        return NULL;
    }

    x = items->elts;

    for (i = 0; i < items->nelts; i++) {

        alarm = ngx_amt_json_object(x[i]);

        if (alarm == NULL) {
            goto failed;
        }

        minutes = ngx_amt_alarm_minutes(x[i]);

        /* the first name is misspelt, and clients know it; the second is new */

        if (ngx_amt_json_set(alarm, "InternalInMinutes",
                             json_integer(minutes)) != NGX_OK
            || ngx_amt_json_set(alarm, "IntervalInMinutes",
                                json_integer(minutes)) != NGX_OK)
        {
            json_decref(alarm);
            goto failed;
        }

        if (json_array_append_new(array, alarm) != 0) {
            goto failed;
        }
    }

    return array;

failed:

    json_decref(array);

    return NULL;
}


static int64_t
ngx_amt_alarm_minutes(ngx_amt_xml_t *alarm)
{
    int64_t         minutes;
    ngx_str_t       text;
    ngx_amt_xml_t  *x;

    x = ngx_amt_xml_child(alarm, "Interval");

    if (x == NULL) {
        return 0;
    }

    text = x->first ? ngx_amt_xml_text(x, "Interval") : x->text;

    if (ngx_amt_duration_parse(&text, &minutes) != NGX_OK) {
        return 0;
    }

    return minutes;
}
