
/* Events of hostile text: the JSON is JSON, whatever the device says. */


#include "events/ngx_amt_webhook.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t                    *json;
    u_char                    *copy;
    ngx_str_t                  all, text;
    ngx_pool_t                *pool;
    ngx_amt_out_t              o;
    static ngx_log_t           log;
    static ngx_cycle_t         cycle;
    ngx_amt_event_t            event;
    ngx_amt_event_record_t     rec;
    ngx_amt_source_error_t     err;

    cycle.log = &log;
    ngx_cycle = &cycle;

    copy = malloc(size + (size == 0));
    memcpy(copy, data, size);

    all.data = copy;
    all.len = size;

    pool = ngx_create_pool(4096, &log);

    event.type = size % 3;
    event.time = 1;
    event.method = all;
    event.message = all;
    event.guid = all;
    event.tenant = all;

    ngx_amt_event_keep(&rec, &event);

    ngx_amt_out_init(&o, pool, 64);
    ngx_amt_out_open(&o, '{');
    ngx_amt_event_write(&o, &rec);
    ngx_amt_out_close(&o, '}');

    if (ngx_amt_out_done(&o, &text) != NGX_OK) {
        abort();
    }

    json = json_loadb((char *) text.data, text.len,
                      JSON_REJECT_DUPLICATES|JSON_ALLOW_NUL, NULL);

    if (json == NULL
        || rec.message_len > sizeof(rec.message)
        || json_string_length(json_object_get(json, "message"))
           != rec.message_len)
    {
        abort();
    }

    json_decref(json);

    err.len = 0;
    (void) ngx_amt_webhook_secrets(pool, &all, &err);

    ngx_destroy_pool(pool);
    free(copy);

    return 0;
}
