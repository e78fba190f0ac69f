
/*
 * Redirection login: turns of viewer and device with bytes of the input.  A
 * length byte begins each turn, its highest bit says whose it is.  What the
 * browser sends as a digest must not reach the device.
 */


#include "relay/ngx_amt_redir.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
check_viewer(ngx_amt_redir_t *s, ngx_str_t *out)
{
    static const u_char  head[] = "\x13\0\0\0\4";

    if (out->len == 0 || out->len > NGX_AMT_REDIR_MESSAGE) {
        abort();
    }

    switch (out->data[0]) {

    case 0x10:
        if (out->len != 8 || s->kind == NGX_AMT_REDIR_NONE) {
            abort();
        }
        return;

    case 0x12:
        return;

    case 0x13:
        if (out->data[4] == 0) {
            return;
        }

        if (out->len < 9 + 8 + 5 + 19 || memcmp(out->data, head, 5) != 0
            || memcmp(out->data + 9, "\5admin", 6) != 0
            || out->len - 9 != (size_t) (out->data[5] | out->data[6] << 8))
        {
            abort();
        }
        return;
    }

    abort();
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t            n;
    u_char           *copy, *p;
    ngx_int_t         rc;
    ngx_str_t         user, password, out;
    ngx_uint_t        viewer, watch, strict;
    ngx_amt_redir_t  *s;
    static u_char     random[NGX_AMT_REDIR_RANDOM];

    if (size == 0) {
        return 0;
    }

    watch = data[0] & 1;
    strict = (data[0] & 2) ? 1 : 0;
    data++;
    size--;

    ngx_str_set(&user, "admin");
    ngx_str_set(&password, "P@ssw0rd");

    if (watch) {
        user.len = 0;
    }

    s = malloc(sizeof(ngx_amt_redir_t));
    (void) ngx_amt_redir_init(s, &user, &password, random);
    s->strict = strict;

    while (size) {
        viewer = data[0] & 0x80;
        n = data[0] & 0x7f;
        data++;
        size--;

        n = n < size ? n : size;

        copy = malloc(n + 1);
        memcpy(copy, data, n);
        p = copy;

        do {
            rc = viewer ? ngx_amt_redir_viewer(s, &p, copy + n, &out)
                        : ngx_amt_redir_device(s, &p, copy + n, &out);

            if (rc == NGX_OK && viewer && !watch) {
                check_viewer(s, &out);
            }

        } while (rc == NGX_OK);

        if ((rc == NGX_AGAIN && p != copy + n) || p < copy || p > copy + n
            || (rc == NGX_ERROR && (s->reason == NULL || !s->err)))
        {
            abort();
        }

        free(copy);

        data += n;
        size -= n;
    }

    ngx_amt_redir_wipe(s);
    free(s);

    return 0;
}
