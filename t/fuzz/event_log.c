
/*
 * Event log: a record as bytes, the same as base64, and, when the input is
 * XML, an answer to GetRecords with slices of it.
 */


#include "amt/ngx_amt_datetime.h"
#include "amt/ngx_amt_event_log.h"
#include "amt/ngx_amt_event_record.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
record(ngx_int_t rc, json_t *json, int good)
{
    char  *text;

    if (rc == NGX_ERROR || (rc == NGX_OK) != (json != NULL)
        || (good != -1 && good != (rc == NGX_OK)))
    {
        abort();
    }

    if (json == NULL) {
        return;
    }

    text = json_dumps(json, JSON_COMPACT);

    if (text == NULL || json_array_size(json_object_get(json, "EventData"))
                        != 8)
    {
        abort();
    }

    free(text);
    json_decref(json);
}


static void
slice(json_t *records, const uint8_t *data, size_t size)
{
    size_t   n;
    json_t  *input, *json;

    if (size < 2) {
        return;
    }

    input = json_pack("{s:i,s:i}", "skip", (int) data[0], "top",
                      (int) data[1]);
    json = ngx_amt_event_log_slice(records, input);
    n = json_array_size(json_object_get(json, "records"));

    if (n > data[1] || n > json_array_size(records)) {
        abort();
    }

    json_decref(json);
    json_decref(input);
}


/* What is written is read as the same. */

static void
dates(ngx_str_t *s)
{
    u_char     buf[NGX_AMT_DURATION];
    int64_t    n, again;
    ngx_str_t  text;

    text.data = buf;

    if (ngx_amt_datetime_parse(s, &n) == NGX_OK) {
        text.len = ngx_amt_datetime_text(buf, n) - buf;

        if (ngx_amt_datetime_parse(&text, &again) != NGX_OK || again != n) {
            abort();
        }
    }

    if (ngx_amt_duration_parse(s, &n) == NGX_OK) {
        text.len = ngx_amt_duration_text(buf, n) - buf;

        if (n < 0 || ngx_amt_duration_parse(&text, &again) != NGX_OK
            || (again != n && n < 1000000000))
        {
            abort();
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                    *copy;
    json_t                    *json, *records;
    ngx_int_t                  rc;
    ngx_str_t                  s, text;
    ngx_uint_t                 bad;
    ngx_pool_t                *pool;
    static ngx_log_t           log;
    ngx_amt_wsman_response_t   res;

    copy = malloc(size + (size == 0));
    memcpy(copy, data, size);

    s.data = copy;
    s.len = size;

    pool = ngx_create_pool(4096, &log);

    rc = ngx_amt_event_record(&s, &json);
    record(rc, json, size == NGX_AMT_EVENT_RECORD);

    rc = ngx_amt_event_record_base64(&s, &json);
    record(rc, json, -1);

    if (size && size <= 300) {
        text.data = ngx_pnalloc(pool, ngx_base64_encoded_length(size));
        ngx_encode_base64(&text, &s);

        rc = ngx_amt_event_record_base64(&text, &json);
        record(rc, json, size == NGX_AMT_EVENT_RECORD);
    }

    dates(&s);

    if (ngx_amt_wsman_parse(pool, &s, &res) == NGX_OK) {

        records = json_array();

        if (ngx_amt_event_log_answer(res.content, records, &bad) != NGX_OK
            || json_array_size(records) > NGX_AMT_EVENT_MAX)
        {
            abort();
        }

        slice(records, data, size);
        json_decref(records);
    }

    ngx_destroy_pool(pool);
    free(copy);

    return 0;
}
