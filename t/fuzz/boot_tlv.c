
/*
 * Boot parameters: the input as base64, and as bytes that are put into
 * base64 first.  A list that was read is written again, and must be the same
 * bytes.
 */


#include "amt/ngx_amt_boot_tlv.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
use(ngx_pool_t *pool, ngx_str_t *in, ngx_str_t *raw)
{
    ngx_str_t              out, bytes;
    ngx_uint_t             i;
    ngx_array_t           *list;
    ngx_amt_boot_tlv_t     t;
    ngx_amt_boot_param_t  *param;

    if (ngx_amt_boot_tlv_decode(pool, in, &list) != NGX_OK) {
        return;
    }

    ngx_amt_boot_tlv_init(&t);

    param = list->elts;

    for (i = 0; i < list->nelts; i++) {

        if (param[i].value.len > ngx_amt_boot_tlv_limit(param[i].type)) {
            abort();
        }

        ngx_amt_boot_tlv_add(&t, param[i].type, param[i].value.data,
                             param[i].value.len);
    }

    if (t.count != list->nelts
        || ngx_amt_boot_tlv_done(&t, pool, &out) != NGX_OK)
    {
        abort();
    }

    if (raw && (raw->len != t.len
                || (t.len && memcmp(raw->data, t.data, t.len) != 0)))
    {
        abort();
    }

    bytes.data = ngx_pnalloc(pool, ngx_base64_decoded_length(out.len) + 1);

    if (ngx_decode_base64(&bytes, &out) != NGX_OK || bytes.len != t.len) {
        abort();
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char            *copy;
    ngx_str_t          in, raw;
    ngx_uint_t         count;
    ngx_pool_t        *pool;
    static ngx_log_t   log;

    /* exact heap blocks, so that one byte too far is seen */

    copy = malloc(size + (size == 0));

    if (size) {
        memcpy(copy, data, size);
    }

    pool = ngx_create_pool(4096, &log);

    raw.data = copy;
    raw.len = size;

    use(pool, &raw, NULL);

    in.data = malloc(ngx_base64_encoded_length(size) + 1);
    ngx_encode_base64(&in, &raw);

    use(pool, &in, &raw);

    free(in.data);

    /* texts of a request */

    in.len = 0;

    if (ngx_amt_boot_tlv_path(pool, &raw, &count, &in) == NGX_OK) {
        use(pool, &in, NULL);
    }

    ngx_destroy_pool(pool);
    free(copy);

    return 0;
}
