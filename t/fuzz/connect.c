
/*
 * CONNECT listeners: request head, chunked direction, the owner's answer and
 * LIST lines.  The first byte tells which, the second how input is cut.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_request.h"


static ngx_int_t
fuzz_run(ngx_uint_t what, void *state, u_char **p, u_char *last,
    ngx_str_t *data)
{
    switch (what) {

    case 0:
        return ngx_cira_request_parse(state, p, last);

    case 1:
        return ngx_cira_chunked_parse(state, p, last, data);

    default:
        return ngx_cira_response_parse(state, p, last);
    }
}


/* Feeds all in pieces of step bytes; returns how much payload there was. */

static ngx_int_t
fuzz_feed(ngx_uint_t what, void *state, const uint8_t *text, size_t size,
    size_t step, uint64_t *sum, size_t *used)
{
    u_char     *copy, *p, *last;
    size_t      n, i, k;
    ngx_int_t   rc;
    ngx_str_t   data;

    *sum = 0;
    rc = NGX_AGAIN;

    for (n = 0; n < size && (rc == NGX_AGAIN || rc == NGX_OK); /* void */ ) {
        k = ngx_min(step, size - n);

        /* a copy of its own: the sanitizer sees a byte too far */

        copy = malloc(k);
        memcpy(copy, text + n, k);
        p = copy;
        last = copy + k;

        do {
            rc = fuzz_run(what, state, &p, last, &data);

            if (p < copy || p > last) {
                abort();
            }

            if (rc == NGX_OK && what == 1) {
                if (data.len == 0 || data.data < copy
                    || data.data + data.len != p)
                {
                    abort();
                }

                for (i = 0; i < data.len; i++) {
                    *sum = *sum * 31 + data.data[i] + 1;
                }
            }

        } while (rc == NGX_OK && what == 1 && p < last);

        n += p - copy;
        free(copy);

        if (what != 1 && rc == NGX_OK) {
            break;
        }

        if (rc == NGX_AGAIN && p != last) {
            abort();
        }
    }

    *used = n;

    return rc;
}


int
LLVMFuzzerTestOneInput(const uint8_t *text, size_t size)
{
    u_char               buf[1024], *p;
    size_t               step, used1, used2;
    uint64_t             sum1, sum2;
    ngx_int_t            rc1, rc2;
    ngx_uint_t           what;
    ngx_cira_info_t      info, again;
    static union {
        ngx_cira_request_t   request;
        ngx_cira_chunked_t   chunked;
        ngx_cira_response_t  response;
    } a, b;

    if (size < 2) {
        return 0;
    }

    what = text[0] % 4;
    step = text[1] % 64 + 1;
    text += 2;
    size -= 2;

    if (what == 3) {
        p = malloc(size ? size : 1);
        memcpy(p, text, size);

        if (ngx_cira_entry_parse(p, size, &info) == NGX_OK) {
            free(p);

            p = ngx_cira_entry_write(buf, buf + sizeof(buf), &info);

            if (p == NULL
                || ngx_cira_entry_parse(buf, p - 1 - buf, &again) != NGX_OK
                || memcmp(&info, &again, sizeof(info)) != 0)
            {
                abort();
            }

            return 0;
        }

        free(p);
        return 0;
    }

    memset(&a, 0, sizeof(a));
    memset(&b, 0, sizeof(b));

    rc1 = fuzz_feed(what, &a, text, size, size ? size : 1, &sum1, &used1);
    rc2 = fuzz_feed(what, &b, text, size, step, &sum2, &used2);

    /* the result does not depend on how the bytes came */

    if (rc1 != rc2 && !(what == 1 && rc1 >= NGX_AGAIN && rc2 >= NGX_AGAIN
                        && rc1 != NGX_DONE && rc2 != NGX_DONE
                        && rc1 != NGX_ERROR && rc2 != NGX_ERROR))
    {
        abort();
    }

    if (sum1 != sum2 || ((rc1 == NGX_OK || rc1 == NGX_DONE) && used1 != used2))
    {
        abort();
    }

    if (what == 0 && rc1 == NGX_ERROR
        && (a.request.status < 400 || a.request.error == NULL))
    {
        abort();
    }

    if (what == 0 && rc1 == NGX_OK
        && a.request.method == NGX_CIRA_CONNECT)
    {
        p = ngx_cira_request_write(buf, buf + sizeof(buf), &a.request);

        memset(&b, 0, sizeof(b));

        if (p == NULL
            || fuzz_feed(0, &b, buf, p - buf, p - buf, &sum1, &used1)
               != NGX_OK
            || b.request.port != a.request.port
            || b.request.slot != a.request.slot
            || b.request.release != a.request.release
            || b.request.tenant_len != a.request.tenant_len)
        {
            abort();
        }
    }

    return 0;
}
