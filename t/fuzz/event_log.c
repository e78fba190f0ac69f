
/*
 * Event log: a record as bytes, the same as base64, and, when the input is
 * XML, an answer to GetRecords with slices of it.
 */


#include "amt/ngx_amt_datetime.h"
#include "amt/ngx_amt_event_log.h"
#include "amt/ngx_amt_event_record.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static json_t *
parsed(ngx_amt_out_t *o)
{
    json_t     *json;
    ngx_str_t   text;

    if (ngx_amt_out_done(o, &text) != NGX_OK) {
        abort();
    }

    json = json_loadb((char *) text.data, text.len, JSON_REJECT_DUPLICATES,
                      NULL);
    if (json == NULL) {
        abort();
    }

    return json;
}


static void
record(ngx_pool_t *pool, u_char *bytes)
{
    json_t         *json;
    ngx_amt_out_t   o;

    ngx_amt_out_init(&o, pool, 64);
    ngx_amt_event_record(&o, bytes, bytes[0] & 1);
    json = parsed(&o);

    if (json_array_size(json_object_get(json, "EventData")) != 8) {
        abort();
    }

    json_decref(json);
}


static void
slice(ngx_pool_t *pool, ngx_array_t *records, const uint8_t *data,
    size_t size)
{
    size_t          n;
    json_t         *input, *json;
    ngx_amt_out_t   o;

    if (size < 2) {
        return;
    }

    input = json_pack("{s:i,s:i}", "skip", (int) data[0], "top",
                      (int) data[1]);

    ngx_amt_out_init(&o, pool, 64);
    ngx_amt_event_log_write(&o, records, input);
    json = parsed(&o);

    n = json_array_size(json_object_get(json, "records"));

    if (n > data[1] || n > records->nelts) {
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
    ngx_int_t                  rc;
    ngx_str_t                  s, text;
    ngx_uint_t                 bad;
    ngx_pool_t                *pool;
    ngx_array_t                records;
    static ngx_log_t           log;
    ngx_amt_event_bytes_t      bytes;
    ngx_amt_wsman_response_t   res;

    copy = malloc(size + (size == 0));
    memcpy(copy, data, size);

    s.data = copy;
    s.len = size;

    pool = ngx_create_pool(4096, &log);

    if (size == NGX_AMT_EVENT_RECORD) {
        record(pool, copy);
    }

    if (ngx_amt_event_decode(&s, bytes) == NGX_OK) {
        record(pool, bytes);
    }

    if (size && size <= 300) {
        text.data = ngx_pnalloc(pool, ngx_base64_encoded_length(size));
        ngx_encode_base64(&text, &s);

        rc = ngx_amt_event_decode(&text, bytes);

        if ((rc == NGX_OK) != (size == NGX_AMT_EVENT_RECORD)
            || (rc == NGX_OK && memcmp(bytes, copy, size) != 0))
        {
            abort();
        }
    }

    dates(&s);

    if (ngx_amt_wsman_parse(pool, &s, &res) == NGX_OK) {

        (void) ngx_array_init(&records, pool, 1,
                              sizeof(ngx_amt_event_bytes_t));

        if (ngx_amt_event_log_answer(res.content, &records, &bad) != NGX_OK
            || records.nelts > NGX_AMT_EVENT_MAX)
        {
            abort();
        }

        slice(pool, &records, data, size);
    }

    ngx_destroy_pool(pool);
    free(copy);

    return 0;
}
