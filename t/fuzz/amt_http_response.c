
/*
 * HTTP answers of devices: whole and in pieces they must mean the same.  The
 * first byte says how they are cut and whether it is an answer to CONNECT.
 */


#include "wsman/ngx_amt_http.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static ngx_int_t
parse(ngx_amt_http_response_t *r, const uint8_t *data, size_t size,
    size_t step, size_t *taken)
{
    u_char     *piece, *p;
    size_t      n;
    ngx_int_t   rc;

    rc = NGX_AGAIN;
    *taken = 0;

    while (*taken < size && rc == NGX_AGAIN) {

        n = ngx_min(step, size - *taken);

        piece = malloc(n);
        memcpy(piece, data + *taken, n);

        p = piece;
        rc = ngx_amt_http_parse(r, &p, piece + n);

        if (p < piece || p > piece + n
            || (rc == NGX_AGAIN && p != piece + n)
            || r->body.len > NGX_AMT_HTTP_MAX_BODY)
        {
            abort();
        }

        *taken += p - piece;
        free(piece);
    }

    if (rc == NGX_AGAIN) {
        rc = ngx_amt_http_eof(r);
    }

    return rc;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t                    step, one, two;
    ngx_int_t                 rc;
    ngx_pool_t               *pool;
    static ngx_log_t          log;
    ngx_amt_http_response_t   a, b;

    if (size == 0) {
        return 0;
    }

    step = (data[0] >> 1) + 1;

    pool = ngx_create_pool(4096, &log);

    ngx_amt_http_init(&a, pool);
    ngx_amt_http_init(&b, pool);
    a.connect = data[0] & 1;
    b.connect = data[0] & 1;

    data++;
    size--;

    rc = parse(&a, data, size, size ? size : 1, &one);

    if (rc != parse(&b, data, size, step, &two) || one != two) {
        abort();
    }

    if (rc == NGX_OK
        && (a.status != b.status || a.body.len != b.body.len
            || a.keepalive != b.keepalive || a.n_auth != b.n_auth
            || (a.body.len
                && memcmp(a.body.data, b.body.data, a.body.len) != 0)))
    {
        abort();
    }

    if (rc == NGX_DECLINED && a.reason == NULL) {
        abort();
    }

    ngx_destroy_pool(pool);

    return 0;
}
