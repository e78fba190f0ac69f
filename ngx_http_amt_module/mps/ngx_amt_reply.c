
/*
 * Bodies and errors of the REST API.  Contract mps.md sections 1.5, 2.1.
 */


#include "mps/ngx_amt_reply.h"
#include "mps/ngx_amt_route.h"


static const char *ngx_amt_reply_title(ngx_uint_t status);
static ngx_int_t ngx_amt_reply_titled(ngx_amt_api_t *api, ngx_uint_t status,
    const char *text, ngx_uint_t guid);
static ngx_int_t ngx_amt_reply_table_str(ngx_amt_api_t *api,
    ngx_str_t *text);


static const char  ngx_amt_reply_gone[] =
    "Device not found/connected. Please connect again using CIRA.";

static const char  ngx_amt_reply_errors[] =
    "{\"alarm\":\"Alarm instance not found\","
    "\"device\":\"Device not found/connected. Please connect again using "
        "CIRA.\","
    "\"method\":\"Request does not contain method\","
    "\"noMethod\":\"Requested method does not exists\","
    "\"payload\":\"Request does not contain payload\","
    "\"guid\":\"GUID does not exist in the payload\","
    "\"action\":\"Power action type does not exist\","
    "\"invalidGuid\":\"GUID empty/invalid\"}";


static const char *
ngx_amt_reply_title(ngx_uint_t status)
{
    switch (status) {
    case 400:
        return "Incorrect URI or Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 405:
        return "Method Not Allowed";
    case 408:
        return "Timeout Error";
    case 409:
        return NULL;
    case 413:
        return "Payload Too Large";
    case 415:
        return "Unsupported Media Type";
    case 429:
        return "Too Many Requests";
    case 501:
        return "Not Implemented";
    case 503:
        return "Service Unavailable";
    case 504:
        return "Gateway Timeout";
    default:
        return "Internal Server Error";
    }
}


static ngx_int_t
ngx_amt_reply_titled(ngx_amt_api_t *api, ngx_uint_t status, const char *text,
    ngx_uint_t guid)
{
    u_char         *p;
    const char     *title;
    ngx_str_t       s;
    ngx_amt_out_t   o;

    ngx_amt_out_init(&o, api->pool, 256);
    ngx_amt_out_open(&o, '{');

    title = ngx_amt_reply_title(status);

    if (title) {
        ngx_amt_out_key(&o, "error");
        ngx_amt_out_cstring(&o, title);
    }

    if (text) {
        ngx_amt_out_key(&o, "errorDescription");

        if (guid) {
            s.data = ngx_pnalloc(api->pool,
                                 ngx_strlen(text) + api->guid.len + 1);
            if (s.data == NULL) {
                return NGX_ERROR;
            }

            p = ngx_cpymem(s.data, text, ngx_strlen(text));
            p = ngx_cpymem(p, api->guid.data, api->guid.len);
            *p++ = '.';

            s.len = p - s.data;

            ngx_amt_out_string(&o, &s);

        } else {
            ngx_amt_out_cstring(&o, text);
        }
    }

    ngx_amt_out_close(&o, '}');

    return ngx_amt_reply_out(api, status, &o);
}


ngx_int_t
ngx_amt_reply_error(ngx_amt_api_t *api, ngx_uint_t status, const char *text)
{
    return ngx_amt_reply_titled(api, status, text, 0);
}


ngx_int_t
ngx_amt_reply_failed(ngx_amt_api_t *api, ngx_uint_t status, const char *text)
{
    return ngx_amt_reply_titled(api, status, text, 1);
}


ngx_int_t
ngx_amt_reply_refusal(ngx_amt_api_t *api, ngx_uint_t status,
    const char *title, ngx_str_t *text)
{
    ngx_amt_out_t  o;

    if (title == NULL) {

        if (status == 404) {
            return ngx_amt_reply_table_str(api, text);
        }

        title = ngx_amt_reply_title(status);
    }

    ngx_amt_out_init(&o, api->pool, 256);
    ngx_amt_out_open(&o, '{');

    if (title) {
        ngx_amt_out_key(&o, "error");
        ngx_amt_out_cstring(&o, title);
    }

    ngx_amt_out_key(&o, "errorDescription");
    ngx_amt_out_string(&o, text);
    ngx_amt_out_close(&o, '}');

    return ngx_amt_reply_out(api, status, &o);
}


ngx_int_t
ngx_amt_reply_table(ngx_amt_api_t *api, const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = ngx_strlen(text);

    return ngx_amt_reply_table_str(api, &s);
}


static ngx_int_t
ngx_amt_reply_table_str(ngx_amt_api_t *api, ngx_str_t *text)
{
    ngx_str_t      errors;
    ngx_amt_out_t  o;

    ngx_str_set(&errors, ngx_amt_reply_errors);

    ngx_amt_out_init(&o, api->pool, 640);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "error");
    ngx_amt_out_json(&o, &errors);
    ngx_amt_out_key(&o, "errorDescription");
    ngx_amt_out_string(&o, text);
    ngx_amt_out_close(&o, '}');

    return ngx_amt_reply_out(api, 404, &o);
}


ngx_int_t
ngx_amt_reply_no_device(ngx_amt_api_t *api)
{
    u_char         *p;
    ngx_str_t       s;
    ngx_amt_out_t   o;

    s.len = sizeof("guid : ") - 1 + api->guid.len;

    s.data = ngx_pnalloc(api->pool, s.len);
    if (s.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(s.data, "guid : ", sizeof("guid : ") - 1);

    if (api->guid.len) {
        ngx_memcpy(p, api->guid.data, api->guid.len);
    }

    ngx_amt_out_init(&o, api->pool, 192);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "error");
    ngx_amt_out_cstring(&o, ngx_amt_reply_gone);
    ngx_amt_out_key(&o, "errorDescription");
    ngx_amt_out_string(&o, &s);
    ngx_amt_out_close(&o, '}');

    return ngx_amt_reply_out(api, 404, &o);
}


ngx_int_t
ngx_amt_reply_html(ngx_amt_api_t *api, ngx_uint_t status)
{
    ngx_int_t      rc;
    ngx_amt_out_t  o;

    ngx_amt_out_init(&o, api->pool, 192 + api->path.len);

    ngx_amt_out_text(&o, "<!DOCTYPE html>\n"
                     "<html lang=\"en\">\n"
                     "<head>\n"
                     "<meta charset=\"utf-8\">\n"
                     "<title>Error</title>\n"
                     "</head>\n"
                     "<body>\n"
                     "<pre>");

    if (status == 404) {
        ngx_amt_out_text(&o, "Cannot ");
        ngx_amt_out_html(&o, &api->method);
        ngx_amt_out_text(&o, " ");
        ngx_amt_out_html(&o, &api->path);

    } else {
        ngx_amt_out_text(&o, "Bad Request");
    }

    ngx_amt_out_text(&o, "</pre>\n"
                     "</body>\n"
                     "</html>\n");

    rc = ngx_amt_reply_out(api, status, &o);

    api->reply.html = 1;

    return rc;
}


ngx_int_t
ngx_amt_reply_empty(ngx_amt_api_t *api, ngx_uint_t status)
{
    api->reply.status = status;
    ngx_str_null(&api->reply.body);

    return NGX_OK;
}


ngx_int_t
ngx_amt_reply_text(ngx_amt_api_t *api, ngx_uint_t status, const char *text)
{
    api->reply.status = status;
    api->reply.body.data = (u_char *) text;
    api->reply.body.len = ngx_strlen(text);

    return NGX_OK;
}


ngx_int_t
ngx_amt_reply_out(ngx_amt_api_t *api, ngx_uint_t status, ngx_amt_out_t *o)
{
    api->reply.status = status;

    return ngx_amt_out_done(o, &api->reply.body);
}


ngx_int_t
ngx_amt_reply_json(ngx_amt_api_t *api, ngx_uint_t status, json_t *value)
{
    ngx_amt_out_t  o;

    ngx_amt_out_init(&o, api->pool, 1024);
    ngx_amt_out_value(&o, value);

    return ngx_amt_reply_out(api, status, &o);
}


ngx_int_t
ngx_amt_reply_success(ngx_amt_api_t *api, const char *text)
{
    u_char         *p;
    size_t          len;
    ngx_str_t       s;
    ngx_amt_out_t   o;

    len = ngx_strlen(text);

    s.data = ngx_pnalloc(api->pool, len + api->guid.len);
    if (s.data == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(s.data, text, len);
    p = ngx_cpymem(p, api->guid.data, api->guid.len);
    s.len = p - s.data;

    ngx_amt_out_init(&o, api->pool, 128);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "success");
    ngx_amt_out_int(&o, 200);
    ngx_amt_out_key(&o, "description");
    ngx_amt_out_string(&o, &s);
    ngx_amt_out_close(&o, '}');

    return ngx_amt_reply_out(api, 200, &o);
}


ngx_int_t
ngx_amt_reply_busy(ngx_amt_api_t *api, const char *text)
{
    api->reply.retry = 1;

    return ngx_amt_reply_error(api, 503, text);
}


ngx_int_t
ngx_amt_reply_failure(ngx_amt_api_t *api, ngx_amt_error_t *err)
{
    ngx_uint_t              level;
    const ngx_amt_route_t  *route;

    route = api->route;

    switch (err->code) {
    case NGX_AMT_ERR_CANCELLED:
    case NGX_AMT_ERR_NOT_CONNECTED:
    case NGX_AMT_ERR_INVALID:
    case NGX_AMT_ERR_CONFLICT:
        level = NGX_LOG_INFO;
        break;

    case NGX_AMT_ERR_BUSY:
    case NGX_AMT_ERR_BUDGET:
        level = NGX_LOG_WARN;
        break;

    default:
        level = NGX_LOG_ERR;
    }

    ngx_log_error(level, &api->log, 0, "%s: %V", route->exception,
                  &err->text);

    switch (err->code) {

    case NGX_AMT_ERR_NOT_CONNECTED:
        return ngx_amt_reply_no_device(api);

    case NGX_AMT_ERR_BUDGET:
    case NGX_AMT_ERR_TIMEOUT:
    case NGX_AMT_ERR_LOST:
        if (route->flags & NGX_AMT_ROUTE_TIMEOUT) {
            return ngx_amt_reply_table(api, route->exception);
        }

        return ngx_amt_reply_error(api, 504, route->exception);

    case NGX_AMT_ERR_BUSY:
        return ngx_amt_reply_busy(api, route->flags & NGX_AMT_ROUTE_DEVICE
                                  ? "Too many requests for this device"
                                  : "Too many requests");

    case NGX_AMT_ERR_FAULT:
    case NGX_AMT_ERR_REFUSED:
        if (route->failed) {
            return ngx_amt_reply_failed(api, 400, route->failed);
        }

        return ngx_amt_reply_error(api, 500, route->exception);

    case NGX_AMT_ERR_VAULT:
        return ngx_amt_reply_error(api, 503, "Secret store did not answer");

    case NGX_AMT_ERR_VAULT_SEALED:
        return ngx_amt_reply_error(api, 503, "Secret store is sealed");

    case NGX_AMT_ERR_VAULT_DENIED:
        return ngx_amt_reply_error(api, 500, "Secret store denied access");

    case NGX_AMT_ERR_INVALID:
        return ngx_amt_reply_error(api, 400, route->exception);

    case NGX_AMT_ERR_CONFLICT:
        return ngx_amt_reply_error(api, 409, route->exception);

    case NGX_AMT_ERR_CANCELLED:
        return ngx_amt_reply_busy(api, "Server is stopping");

    default:
        break;
    }

    if (route->flags & NGX_AMT_ROUTE_EMPTY) {
        return ngx_amt_reply_empty(api, 500);
    }

    return ngx_amt_reply_error(api, 500, route->exception);
}
