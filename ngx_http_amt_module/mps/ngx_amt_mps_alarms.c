
/*
 * REST: the alarm clock of a device.  Contract mps.md section 2.11.
 */


#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_reply.h"
#include "amt/ngx_amt_datetime.h"


#define NGX_AMT_ALARM_INVALID                                                 \
    "Alarm add request invalid parameters for guid : "

/* about 1900 years; AMT's own limit is lower */
#define NGX_AMT_ALARM_INTERVAL_MAX  999999999


/* of a name; AMT takes less */
#define NGX_AMT_ALARM_NAME_MAX  256


static ngx_uint_t ngx_amt_mps_alarm_named(json_t *value);
static ngx_int_t ngx_amt_mps_alarm_interval(json_t *value, json_int_t *n);
static ngx_int_t ngx_amt_mps_alarm_bad(ngx_amt_api_t *api, const char *text);


/* AddAlarm's input of a body that may be anything */

ngx_int_t
ngx_amt_mps_alarm_input(ngx_amt_api_t *api)
{
    int64_t      seconds;
    json_t      *name, *id, *start, *once, *input;
    ngx_str_t    text;
    json_int_t   minutes;

    name = ngx_amt_input_get(api->body, "ElementName");
    id = ngx_amt_input_get(api->body, "InstanceID");
    start = ngx_amt_input_get(api->body, "StartTime");
    once = ngx_amt_input_get(api->body, "DeleteOnCompletion");

    if (id == NULL || json_is_null(id)) {
        id = name;
    }

    if (!ngx_amt_mps_alarm_named(name)
        || !ngx_amt_mps_alarm_named(id)
        || !json_is_string(start)
        || ngx_amt_mps_alarm_interval(ngx_amt_input_get(api->body,
                                                        "Interval"),
                                      &minutes)
           != NGX_OK)
    {
        return ngx_amt_mps_alarm_bad(api, NGX_AMT_ALARM_INVALID);
    }

    text.data = (u_char *) json_string_value(start);
    text.len = json_string_length(start);

    if (ngx_amt_datetime_parse(&text, &seconds) != NGX_OK) {
        return ngx_amt_mps_alarm_bad(api, NGX_AMT_ALARM_INVALID);
    }

    input = json_pack("{s:O,s:O,s:I,s:I,s:b}",
                      "ElementName", name,
                      "InstanceID", id,
                      "StartTime", (json_int_t) seconds,
                      "Interval", minutes,
                      "DeleteOnCompletion",
                      once == NULL || json_is_null(once)
                      || ngx_amt_input_true(once));

    if (input == NULL) {
        return NGX_ERROR;
    }

    json_decref(api->body);
    api->body = input;

    return NGX_OK;
}


static ngx_uint_t
ngx_amt_mps_alarm_named(json_t *value)
{
    return json_is_string(value) && json_string_length(value)
           && json_string_length(value) <= NGX_AMT_ALARM_NAME_MAX;
}


/* Minutes, as a number or as its text; none is 0. */

static ngx_int_t
ngx_amt_mps_alarm_interval(json_t *value, json_int_t *n)
{
    ngx_str_t  text;

    *n = 0;

    if (value == NULL || json_is_null(value)) {
        return NGX_OK;
    }

    if (json_is_number(value)) {

        if (!(json_number_value(value) >= 0)
            || json_number_value(value) > NGX_AMT_ALARM_INTERVAL_MAX)
        {
            return NGX_DECLINED;
        }

        *n = (json_int_t) json_number_value(value);

        return NGX_OK;
    }

    if (!json_is_string(value)) {
        return NGX_DECLINED;
    }

    text.data = (u_char *) json_string_value(value);
    text.len = json_string_length(value);

    if (text.len == 0) {
        return NGX_OK;
    }

    if (!ngx_amt_check_int(&text, 0, NGX_AMT_ALARM_INTERVAL_MAX)) {
        return NGX_DECLINED;
    }

    *n = ngx_amt_input_int(value, 0, 0, NGX_AMT_ALARM_INTERVAL_MAX);

    return NGX_OK;
}


ngx_int_t
ngx_amt_mps_alarm_name(ngx_amt_api_t *api)
{
    json_t  *name;

    name = ngx_amt_input_get(api->body, "Name");

    /* an empty selector could hit any alarm */

    if (!ngx_amt_mps_alarm_named(name)) {
        return ngx_amt_mps_alarm_bad(api,
                               "Invalid alarm occurrence request for guid : ");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_mps_alarm_bad(ngx_amt_api_t *api, const char *text)
{
    return ngx_amt_reply_failed(api, 400, text) == NGX_OK ? NGX_DECLINED
                                                          : NGX_ERROR;
}


ngx_int_t
ngx_amt_mps_alarm_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    json_t         *value;
    ngx_amt_out_t   o;

    static const char  *names[] = {
        "Name", "ElementName", "InstanceID", "StartTime", "Interval", NULL
    };

    const char  **name;

    ngx_amt_out_init(&o, api->pool, 128);
    ngx_amt_out_open(&o, '{');

    for (name = names; *name; name++) {
        value = ngx_amt_input_get(api->body, *name);

        /* what is longer is refused, after its line */

        if ((json_is_string(value)
             && json_string_length(value) <= NGX_AMT_ALARM_NAME_MAX)
            || json_is_number(value))
        {
            ngx_amt_out_key(&o, *name);
            ngx_amt_out_value(&o, value);
        }
    }

    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}
