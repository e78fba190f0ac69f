
/*
 * What a bulk call says of each device, and at its end; see ngx_amt_bulk.h.
 */


#include "mps/ngx_amt_bulk.h"
#include "ngx_cira_utf8.h"


#define NGX_AMT_BULK_TEXT  144           /* of an error; six times as much
                                            when it is escaped */


static ngx_int_t ngx_amt_bulk_print(ngx_amt_bulk_t *bulk, json_t *line);


ngx_int_t
ngx_amt_bulk_result(ngx_amt_bulk_t *bulk, u_char *guid,
    ngx_amt_result_t *result, ngx_msec_t start)
{
    json_t      *line, *body, *value, *text;
    ngx_uint_t   status;

    status = result->status ? result->status : 200;

    if (result->text.data) {
        return ngx_amt_bulk_refused(bulk, guid, status,
                                    (char *) result->text.data,
                                    result->text.len);
    }

    body = json_object_get(result->json, "Body");

    /* as codes that are no power state have always been answered */

    if (json_object_get(body, "RequestPowerStateChange_OUTPUT")) {
        body = json_object_get(body, "RequestPowerStateChange_OUTPUT");
    }

    value = json_object_get(body, "ReturnValue");
    text = json_object_get(body, "ReturnValueStr");

    line = json_pack("{s:s%,s:I}", "guid", (char *) guid,
                     (size_t) NGX_CIRA_GUID_TEXT, "status",
                     (json_int_t) status);

    if ((value && json_object_set(line, "ReturnValue", value) != 0)
        || (text && json_object_set(line, "ReturnValueStr", text) != 0)
        || json_object_set_new(line, "ms",
                      json_integer((json_int_t) ngx_current_msec
                                   - (json_int_t) start)) != 0)
    {
        json_decref(line);
        return NGX_ERROR;
    }

    if (status < 400 && json_is_integer(value)
        && json_integer_value(value) == 0)
    {
        bulk->good++;

    } else {
        bulk->bad++;
    }

    return ngx_amt_bulk_print(bulk, line);
}


/*
 * What went wrong in words for the caller; the log has those of the place
 * where it did.  Statuses as of ngx_amt_reply_failure().
 */

ngx_int_t
ngx_amt_bulk_failure(ngx_amt_bulk_t *bulk, u_char *guid,
    ngx_amt_error_t *err)
{
    ngx_uint_t   status;
    ngx_str_t    text;
    u_char       buf[NGX_AMT_BULK_TEXT];

    ngx_log_error(NGX_LOG_ERR, &bulk->api->log, 0,
                  "bulk call, device %*s: %V", (size_t) NGX_CIRA_GUID_TEXT,
                  guid, &err->text);

    switch (err->code) {

    case NGX_AMT_ERR_NOT_CONNECTED:
        status = 404;
        ngx_str_set(&text, "Device is not connected");
        break;

    case NGX_AMT_ERR_BUDGET:
    case NGX_AMT_ERR_TIMEOUT:
        status = 504;
        ngx_str_set(&text, "Device did not answer in time");
        break;

    case NGX_AMT_ERR_LOST:
        status = 504;
        ngx_str_set(&text, "Connection to the device was lost");
        break;

    case NGX_AMT_ERR_BUSY:
        status = 503;
        ngx_str_set(&text, "Too many requests for this device");
        break;

    case NGX_AMT_ERR_CANCELLED:
        status = 503;
        ngx_str_set(&text, "Server is stopping");
        break;

    case NGX_AMT_ERR_VAULT:
        status = 503;
        ngx_str_set(&text, "Secret store did not answer");
        break;

    case NGX_AMT_ERR_VAULT_SEALED:
        status = 503;
        ngx_str_set(&text, "Secret store is sealed");
        break;

    case NGX_AMT_ERR_VAULT_DENIED:
        status = 500;
        ngx_str_set(&text, "Secret store denied access");
        break;

    case NGX_AMT_ERR_NO_PASSWORD:
        status = 500;
        ngx_str_set(&text, "Secret store has no AMT password of the device");
        break;

    case NGX_AMT_ERR_DEVICE_AUTH:
        status = 500;
        ngx_str_set(&text, "Device refused the AMT password of the secret "
                    "store: was it changed elsewhere?");
        break;

    case NGX_AMT_ERR_REFUSED:
        status = 500;
        ngx_str_set(&text, "Device refused the connection");
        break;

    case NGX_AMT_ERR_BAD_ANSWER:
        status = 500;
        ngx_str_set(&text, "Answer of the device is not understood");
        break;

    case NGX_AMT_ERR_FAULT:

        /* what was asked for, and the fault's name in letters */

        status = 500;
        text.data = buf;
        text.len = ngx_snprintf(buf, sizeof(buf),
                                "Device refuses: %V", &err->text)
                   - buf;
        break;

    default:
        status = 500;
        ngx_str_set(&text, "Internal error");
    }

    return ngx_amt_bulk_refused(bulk, guid, status, (char *) text.data,
                                text.len);
}


/* A device with which nothing was done, or something went wrong. */

ngx_int_t
ngx_amt_bulk_refused(ngx_amt_bulk_t *bulk, u_char *guid, ngx_uint_t status,
    const char *text, size_t len)
{
    size_t   i;
    u_char   buf[NGX_AMT_BULK_TEXT];
    json_t  *line, *error;

    bulk->bad++;

    len = ngx_min(len, NGX_AMT_BULK_TEXT);
    len = ngx_cira_utf8_whole((u_char *) text, len);

    error = json_stringn(len ? text : "", len);

    if (error == NULL) {

        /* what one device says must not end the whole call */

        for (i = 0; i < len; i++) {
            buf[i] = ((u_char) text[i] < 0x80) ? (u_char) text[i] : '?';
        }

        error = json_stringn((char *) buf, len);
    }

    line = json_pack("{s:s%,s:I,s:o}", "guid", (char *) guid,
                     (size_t) NGX_CIRA_GUID_TEXT, "status",
                     (json_int_t) status, "error", error);

    return ngx_amt_bulk_print(bulk, line);
}


/* Takes the reference. */

static ngx_int_t
ngx_amt_bulk_print(ngx_amt_bulk_t *bulk, json_t *line)
{
    char    buf[NGX_AMT_BULK_LINE];
    size_t  len;

    len = line ? json_dumpb(line, buf, sizeof(buf), JSON_COMPACT) : 0;

    json_decref(line);

    if (len == 0 || len > sizeof(buf)) {
        return NGX_ERROR;
    }

    return ngx_amt_bulk_line(bulk, (u_char *) buf, len);
}


ngx_int_t
ngx_amt_bulk_summary(ngx_amt_bulk_t *bulk)
{
    return ngx_amt_bulk_print(bulk,
               json_pack("{s:{s:I,s:I,s:I,s:I,s:I}}", "summary",
                         "total", (json_int_t) bulk->list.n
                                  + (json_int_t) bulk->skipped,
                         "succeeded", (json_int_t) bulk->good,
                         "failed", (json_int_t) bulk->bad,
                         "skipped", (json_int_t) bulk->skipped,
                         "ms", (json_int_t) ngx_current_msec
                               - (json_int_t) bulk->start));
}
