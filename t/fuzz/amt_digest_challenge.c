
/*
 * WWW-Authenticate headers (lines of the input) and the state that travels
 * with a device's slot.  What was read must come back through both.
 */


#include "wsman/ngx_amt_digest.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
use(ngx_pool_t *pool, ngx_amt_digest_t *d)
{
    size_t             i;
    u_char             ha1[NGX_AMT_DIGEST_HA1], text[NGX_AMT_DIGEST_STATE];
    ngx_str_t          user, out, state;
    ngx_amt_digest_t   e;

    memset(ha1, 'a', sizeof(ha1));
    ngx_str_set(&user, "admin");

    state.data = text;
    state.len = ngx_amt_digest_encode(d, text);

    if (state.len > sizeof(text) || ngx_amt_digest_decode(&state, &e) != NGX_OK
        || e.nc != d->nc || e.nonce_len != d->nonce_len
        || memcmp(e.nonce, d->nonce, d->nonce_len) != 0
        || e.realm_len != d->realm_len
        || memcmp(e.realm, d->realm, d->realm_len) != 0)
    {
        abort();
    }

    if (ngx_amt_digest_authorization(pool, &e, &user, ha1, &out) != NGX_OK) {

        if (d->nc != 0xffffffff) {
            abort();
        }

        return;
    }

    for (i = 0; i < out.len; i++) {
        if (out.data[i] < 0x20 || out.data[i] > 0x7e) {
            abort();
        }
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char            *copy, *p, *last;
    ngx_str_t          values[4], state;
    ngx_uint_t         n;
    ngx_pool_t        *pool;
    static ngx_log_t   log;
    ngx_amt_digest_t   d;

    copy = malloc(size + (size == 0));
    memcpy(copy, data, size);

    pool = ngx_create_pool(4096, &log);

    last = copy + size;

    for (p = copy, n = 0; n < 4 && p < last; n++) {
        values[n].data = p;

        while (p < last && *p != '\n') {
            p++;
        }

        values[n].len = p - values[n].data;

        if (p < last) {
            p++;
        }
    }

    memset(&d, 0, sizeof(d));

    if (ngx_amt_digest_parse(values, n, &d) == NGX_OK) {
        use(pool, &d);
    }

    state.data = copy;
    state.len = size;

    if (ngx_amt_digest_decode(&state, &d) == NGX_OK) {
        use(pool, &d);
    }

    ngx_destroy_pool(pool);
    free(copy);

    return 0;
}
