
/*
 * Audit log: a record as bytes, the same as base64, and, when the input is
 * XML, an answer to ReadRecords; pages of any numbers.
 */


#include "amt/ngx_amt_audit_log.h"
#include "amt/ngx_amt_audit_record.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* A record becomes an object that can be printed, or nothing. */

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

    if (text == NULL || json_object_get(json, "Event") == NULL) {
        abort();
    }

    free(text);
    json_decref(json);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                    *copy;
    json_t                    *json;
    ngx_int_t                  rc;
    ngx_str_t                  s, text;
    ngx_uint_t                 total, first, last, n[3];
    ngx_pool_t                *pool;
    ngx_array_t               *records;
    static ngx_log_t           log;
    ngx_amt_wsman_response_t   res;

    /* on the heap, so that a byte too far is seen */

    copy = malloc(size + (size == 0));
    memcpy(copy, data, size);

    s.data = copy;
    s.len = size;

    pool = ngx_create_pool(4096, &log);

    rc = ngx_amt_audit_record(&s, &json);
    record(rc, json, size >= NGX_AMT_AUDIT_RECORD_MIN);

    rc = ngx_amt_audit_record_base64(&s, pool, &json);
    record(rc, json, -1);

    if (size <= 300) {
        text.data = ngx_pnalloc(pool, ngx_base64_encoded_length(size) + 1);
        ngx_encode_base64(&text, &s);

        rc = ngx_amt_audit_record_base64(&text, pool, &json);
        record(rc, json, size >= NGX_AMT_AUDIT_RECORD_MIN);
    }

    if (ngx_amt_wsman_parse(pool, &s, &res) == NGX_OK
        && ngx_amt_audit_log_answer(pool, res.content, &total, &records)
           == NGX_ERROR)
    {
        abort();
    }

    if (size >= 12) {
        for (rc = 0; rc < 3; rc++) {
            n[rc] = copy[4 * rc] | copy[4 * rc + 1] << 8
                    | copy[4 * rc + 2] << 16
                    | (ngx_uint_t) copy[4 * rc + 3] << 24;
        }

        ngx_amt_audit_log_page(n[0], n[1], n[2], &first, &last);

        if (first < 1 || last > n[0]
            || (first <= last && last - first + 1 > n[2]))
        {
            abort();
        }
    }

    ngx_destroy_pool(pool);
    free(copy);

    return 0;
}
