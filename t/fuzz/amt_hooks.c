
/* Bodies of /_cira/auth and /_cira/notify; details of audit lines. */


#include "hooks/ngx_amt_hooks_json.h"
#include "auth/ngx_amt_audit.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                  *copy;
    u_char                   out[64];
    ngx_str_t                text, line;
    ngx_pool_t              *pool;
    const char              *why;
    static ngx_log_t         log;
    static ngx_cycle_t       cycle;
    ngx_amt_hooks_batch_t    batch;
    ngx_amt_hooks_login_t    login;
    ngx_amt_audit_record_t   rec;

    cycle.log = &log;
    ngx_cycle = &cycle;

    copy = malloc(size + (size == 0));
    memcpy(copy, data, size);

    if (ngx_amt_hooks_login_parse(copy, size, &login, &why) == NGX_OK) {
        ngx_amt_hooks_login_free(&login);
    }

    if (ngx_amt_hooks_batch_parse(copy, size, &batch, &why) == NGX_OK) {
        ngx_amt_hooks_batch_free(&batch);
    }

    text.data = copy;
    text.len = size;

    (void) ngx_amt_hooks_printable(out, sizeof(out), &text);

    pool = ngx_create_pool(4096, &log);

    ngx_memzero(&rec, sizeof(rec));
    rec.who = text;
    rec.detail = text;

    if (ngx_amt_audit_line(pool, &rec, &line) == NGX_OK
        && (line.len < 2 || line.data[line.len - 1] != LF
            || memchr(line.data, LF, line.len - 1)))
    {
        abort();
    }

    ngx_destroy_pool(pool);
    free(copy);

    return 0;
}
