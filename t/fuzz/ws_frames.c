
/*
 * WebSocket frames of a client: whole, byte by byte and cut at random they
 * must mean the same; so must the text functions on the same bytes.  The
 * first byte says which caps there are, the second seeds the cuts.
 */


#include "ws_unit.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static ngx_uint_t
cut_never(size_t offset, void *data)
{
    return 0;
}


static ngx_uint_t
cut_always(size_t offset, void *data)
{
    return 1;
}


static ngx_uint_t
cut_random(size_t offset, void *data)
{
    uint32_t *seed = data;

    *seed = *seed * 1664525 + 1013904223;

    return (*seed >> 24) < 80;
}


static void
test_text(const uint8_t *data, size_t size, uint32_t seed)
{
    size_t                i, n, len;
    u_char               *copy, *piece, *end, *one, *two, *dst, *last;
    ngx_amt_ws_utf8_t     a, b;
    ngx_amt_ws_narrow_t   na, nb;

    copy = malloc(size + 1);
    one = malloc(size + 1);
    two = malloc(2 * size + 1);

    memcpy(copy, data, size);

    /* the first bad byte does not depend on the cuts */

    ngx_memzero(&a, sizeof(a));
    ngx_memzero(&b, sizeof(b));

    len = ngx_amt_ws_utf8(&a, copy, copy + size) - copy;

    for (i = 0; i < size; i += n) {

        for (n = 1; i + n < size && !cut_random(i, &seed); n++) { /* void */ }

        piece = malloc(n);
        memcpy(piece, data + i, n);
        end = ngx_amt_ws_utf8(&b, piece, piece + n);
        n = end - piece;
        free(piece);

        if (i + n > len || n == 0) {
            break;
        }
    }

    if (i + (i < size ? n : 0) != len || (len == size && a.need != b.need)) {
        abort();
    }

    /* nor do the bytes; a cut character at the end makes none or one */

    ngx_memzero(&na, sizeof(na));
    ngx_memzero(&nb, sizeof(nb));

    memcpy(one, data, len);
    end = ngx_amt_ws_narrow(&na, one, one + len);

    if (end > one + len) {
        abort();
    }

    dst = two;

    for (i = 0; i < len; i += n) {

        for (n = 1; i + n < len && !cut_random(i, &seed); n++) { /* void */ }

        piece = malloc(n);
        memcpy(piece, data + i, n);
        last = ngx_amt_ws_narrow(&nb, piece, piece + n);
        dst = ngx_cpymem(dst, piece, last - piece);
        free(piece);
    }

    if (dst - two != end - one || memcmp(one, two, dst - two) != 0
        || na.need != nb.need)
    {
        abort();
    }

    /* bytes to characters and back, within one buffer */

    memcpy(two + size, data, size);
    end = ngx_amt_ws_widen(two, two + size, size);

    ngx_memzero(&a, sizeof(a));

    if (end > two + 2 * size || ngx_amt_ws_utf8(&a, two, end) != end || a.need)
    {
        abort();
    }

    ngx_memzero(&na, sizeof(na));

    if ((size_t) (ngx_amt_ws_narrow(&na, two, end) - two) != size
        || memcmp(two, data, size) != 0)
    {
        abort();
    }

    free(copy);
    free(one);
    free(two);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char      *a, *b;
    size_t       len;
    uint32_t     seed;
    uint64_t     frame, message;
    ngx_uint_t   broken;

    if (size < 2 || size > 65536) {
        return 0;
    }

    frame = (data[0] & 1) ? 16 : (data[0] & 2) ? 300 : 0;
    message = (data[0] & 4) ? 20 : (data[0] & 8) ? 1000 : 0;
    seed = data[1];

    data += 2;
    size -= 2;

    a = malloc(4 * size + 256);
    b = malloc(4 * size + 256);
    broken = 0;

    len = ws_events(data, size, frame, message, cut_never, NULL, a, &broken);

    if (ws_events(data, size, frame, message, cut_always, NULL, b, &broken)
        != len
        || memcmp(a, b, len) != 0
        || ws_events(data, size, frame, message, cut_random, &seed, b, &broken)
           != len
        || memcmp(a, b, len) != 0
        || broken)
    {
        abort();
    }

    test_text(data, size, seed);

    free(a);
    free(b);

    return 0;
}
