
/* Files of amt_api_keys, amt_users and amt_jwt_key, and look-ups in them. */


#include "auth/ngx_amt_jwt.h"
#include "auth/ngx_amt_principal.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                  *copy;
    ngx_str_t                text, name;
    ngx_uint_t               i;
    ngx_pool_t              *pool;
    static ngx_log_t         log;
    ngx_amt_principals_t    *t;
    ngx_amt_source_error_t   err;

    pool = ngx_create_pool(4096, &log);

    copy = malloc(size + (size == 0));
    memcpy(copy, data, size);

    text.data = copy;
    text.len = size;
    name = text;
    name.len = ngx_min(size, NGX_AMT_NAME_MAX);

    err.len = 0;
    t = ngx_amt_keys_parse(pool, &text, &err);

    if (t) {
        (void) ngx_amt_keys_find(t, &text);
        (void) ngx_amt_principal_find(t, &name);

        for (i = 0; i < t->n; i++) {
            if (ngx_amt_principal_find(t, &t->names[i]->name)
                != t->names[i])
            {
                abort();
            }
        }

    } else if (err.len == 0 || err.len > NGX_AMT_SOURCE_ERROR) {
        abort();
    }

    text.data = copy;
    text.len = size;
    err.len = 0;
    t = ngx_amt_users_parse(pool, &text, &err);

    if (t) {
        (void) ngx_amt_users_dummy(t, &name);
        (void) ngx_amt_principal_find(t, &name);

        for (i = 0; i < t->n; i++) {
            if (t->names[i]->secret.len > NGX_AMT_HASH_MAX
                || t->names[i]->tenant.len > NGX_AMT_TENANT_MAX)
            {
                abort();
            }
        }

    } else if (err.len == 0 || err.len > NGX_AMT_SOURCE_ERROR) {
        abort();
    }

    text.data = copy;
    text.len = size;
    (void) ngx_amt_jwt_key_parse(pool, &text, &err);

    free(copy);
    ngx_destroy_pool(pool);

    return 0;
}
