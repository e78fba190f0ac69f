
/*
 * The UTF-8 check of both planes, against all characters and against
 * jansson's.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>
#include "ngx_cira_utf8.h"
#include "tap.h"


/* What jansson thinks: NULL for anything that is not UTF-8. */

static ngx_uint_t
jansson(const u_char *p, size_t len)
{
    json_t      *s;
    ngx_uint_t   valid;

    s = json_stringn((const char *) p, len);
    valid = s != NULL && memchr(p, 0, len) == NULL;
    json_decref(s);

    return valid;
}


static size_t
encode(u_char *p, uint32_t c)
{
    if (c < 0x80) {
        p[0] = (u_char) c;
        return 1;
    }

    if (c < 0x800) {
        p[0] = (u_char) (0xc0 | c >> 6);
        p[1] = (u_char) (0x80 | (c & 0x3f));
        return 2;
    }

    if (c < 0x10000) {
        p[0] = (u_char) (0xe0 | c >> 12);
        p[1] = (u_char) (0x80 | (c >> 6 & 0x3f));
        p[2] = (u_char) (0x80 | (c & 0x3f));
        return 3;
    }

    p[0] = (u_char) (0xf0 | c >> 18);
    p[1] = (u_char) (0x80 | (c >> 12 & 0x3f));
    p[2] = (u_char) (0x80 | (c >> 6 & 0x3f));
    p[3] = (u_char) (0x80 | (c & 0x3f));

    return 4;
}


/* Exact allocations, so that ASan sees a byte too far. */

static void
test_characters(void)
{
    u_char    *p, buf[4];
    size_t     n, k, i, whole;
    uint32_t   c;
    unsigned   bad, cut, kept;

    bad = 0;
    cut = 0;
    kept = 0;

    for (c = 0; c < 0x110400; c += c < 0x3000 ? 1 : 37) {

        n = encode(buf, c);
        k = (c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff)) ? 0 : n;

        bad += ngx_cira_utf8_char(buf, n) != k;
        bad += ngx_cira_utf8_valid(buf, n) != (k && c);

        for (i = 1; k && i < n; i++) {
            p = malloc(i + 1);
            p[0] = 'x';
            ngx_memcpy(p + 1, buf, i);

            cut += ngx_cira_utf8_char(p + 1, i) != 0;
            cut += ngx_cira_utf8_valid(p, i + 1) != 0;

            whole = ngx_cira_utf8_whole(p, i + 1);
            kept += whole != 1;

            free(p);
        }

        if (k) {
            kept += ngx_cira_utf8_whole(buf, n) != n;
        }
    }

    ok(bad == 0, "every character, and what is none");
    ok(cut == 0, "cut characters are none");
    ok(kept == 0, "and are left off, whole ones are not");
    ok(ngx_cira_utf8_whole((u_char *) "", 0) == 0, "nothing is whole");
    ok(ngx_cira_utf8_whole((u_char *) "\x80\x80\x80\x80\x80", 5) == 5,
       "garbage stays as it is");
}


static void
test_bytes(void)
{
    u_char    p[4];
    unsigned  a, b, c, d, bad, n;

    static u_char  edge[] = { 0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0,
                              0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xf4, 0xff };

    bad = 0;
    n = 0;

    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            p[0] = (u_char) a;
            p[1] = (u_char) b;

            bad += ngx_cira_utf8_valid(p, 2) != jansson(p, 2);

            for (c = 0; c < sizeof(edge); c++) {
                p[2] = edge[c];
                bad += ngx_cira_utf8_valid(p, 3) != jansson(p, 3);
                n++;
            }
        }
    }

    for (a = 0xe0; a < 256; a++) {
        for (b = 0; b < sizeof(edge); b++) {
            for (c = 0; c < sizeof(edge); c++) {
                for (d = 0; d < sizeof(edge); d++) {
                    p[0] = (u_char) a;
                    p[1] = edge[b];
                    p[2] = edge[c];
                    p[3] = edge[d];

                    bad += ngx_cira_utf8_valid(p, 4) != jansson(p, 4);
                    n++;
                }
            }
        }
    }

    ok(bad == 0, "%u sequences of bytes are seen as jansson does", n);
}


int
main(void)
{
    test_characters();
    test_bytes();

    ok(ngx_cira_utf8_valid((u_char *) "caf\xc3\xa9", 5), "valid UTF-8");
    ok(!ngx_cira_utf8_valid((u_char *) "caf\xe9", 4), "Latin-1 is none");
    ok(!ngx_cira_utf8_valid((u_char *) "a\0b", 3), "NUL is refused");
    ok(ngx_cira_utf8_valid(NULL, 0), "no text is fine");

    return done();
}
