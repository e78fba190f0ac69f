
/*
 * APF decoder: the first byte is the size of the pieces the rest is fed in.
 * Fed whole and in pieces, a stream must give the same messages.
 */


#include "ngx_cira_apf.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


typedef struct {
    uint64_t   sum;
    size_t     taken;
    ngx_uint_t failed;
} result_t;


static uint64_t
mix(uint64_t sum, const void *p, size_t size)
{
    size_t         i;
    const u_char  *b = p;

    for (i = 0; i < size; i++) {
        sum = (sum ^ b[i]) * 0x100000001b3ull;
    }

    return sum;
}


static uint64_t
mix_str(uint64_t sum, ngx_str_t *s)
{
    if (s->len > NGX_CIRA_APF_ADDRESS_MAX) {
        abort();
    }

    return mix(mix(sum, &s->len, sizeof(size_t)), s->data, s->len);
}


static result_t
run(const uint8_t *data, size_t size, size_t step)
{
    u_char               *piece, *pos, *last;
    size_t                n;
    ngx_int_t             rc;
    result_t              r;
    ngx_cira_apf_t        d;
    ngx_cira_apf_msg_t   *m;
    ngx_cira_apf_text_t  *t;
    static ngx_log_t      log;

    r.sum = 0;
    r.taken = 0;
    r.failed = 0;

    ngx_cira_apf_init(&d, &log);

    while (size && !r.failed) {
        n = size < step ? size : step;

        piece = malloc(n);
        memcpy(piece, data, n);
        pos = piece;
        last = piece + n;

        for ( ;; ) {
            rc = ngx_cira_apf_read(&d, &pos, last);

            if (rc == NGX_AGAIN) {
                if (pos != last) {
                    abort();
                }

                break;
            }

            if (rc == NGX_ERROR) {
                if (d.error == NULL) {
                    abort();
                }

                r.failed = 1;
                break;
            }

            m = &d.msg;

            if (m->type == NGX_CIRA_APF_CHANNEL_DATA) {
                if (m->size && (m->data < piece
                                || m->data + m->size > last))
                {
                    abort();
                }

                if (m->first) {
                    r.sum = mix(r.sum, &m->channel, 4);
                    r.sum = mix(r.sum, &m->length, 4);
                }

                r.sum = mix(r.sum, m->data, m->size);
                continue;
            }

            r.sum = mix(r.sum, &m->type, 1);
            r.sum = mix(r.sum, &m->request, 1);
            r.sum = mix(r.sum, &m->want_reply, 1);
            r.sum = mix(r.sum, &m->channel,
                        (u_char *) (&m->trigger + 1)
                        - (u_char *) &m->channel);

            t = m->text;

            if (t) {
                if (t->used > sizeof(t->data)) {
                    abort();
                }

                r.sum = mix(r.sum, t->uuid, sizeof(t->uuid));
                r.sum = mix_str(r.sum, &t->name);
                r.sum = mix_str(r.sum, &t->user);
                r.sum = mix_str(r.sum, &t->method);
                r.sum = mix_str(r.sum, &t->password);
                r.sum = mix_str(r.sum, &t->addr);
                r.sum = mix_str(r.sum, &t->origin);
            }
        }

        r.taken += pos - piece;
        free(piece);
        data += n;
        size -= n;
    }

    ngx_cira_apf_release(&d);

    return r;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    result_t  a, b, c;

    if (size == 0) {
        return 0;
    }

    a = run(data + 1, size - 1, size);
    b = run(data + 1, size - 1, 1);
    c = run(data + 1, size - 1, data[0] + 1);

    if (a.sum != b.sum || a.failed != b.failed || a.taken != b.taken
        || a.sum != c.sum || a.failed != c.failed || a.taken != c.taken)
    {
        abort();
    }

    return 0;
}
