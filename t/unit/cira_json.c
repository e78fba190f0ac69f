
/* JSON writer of the device plane's hooks: hostile bytes give valid JSON. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>
#include "ngx_cira_json.h"
#include "tap.h"


static ngx_log_t  log_;


/* Writes p, parses it with jansson, returns the string (caller's json). */

static json_t *
round_trip(u_char *p, size_t len)
{
    json_t           *root;
    ngx_cira_json_t   j;

    if (ngx_cira_json_init(&j, 1, &log_) != NGX_OK) {
        return NULL;
    }

    ngx_cira_json_raw(&j, "[");
    ngx_cira_json_string(&j, p, len);
    ngx_cira_json_raw(&j, ",");
    ngx_cira_json_number(&j, -9223372036854775807LL);
    ngx_cira_json_raw(&j, "]");

    root = json_loadb((char *) j.start, j.last - j.start, 0, NULL);

    ngx_cira_json_free(&j);

    return root;
}


static void
same(const char *name, const char *in, size_t len, const char *expected,
    size_t expected_len)
{
    json_t  *root, *s;

    root = round_trip((u_char *) in, len);
    s = json_array_get(root, 0);

    ok(s && json_string_length(s) == expected_len
       && memcmp(json_string_value(s), expected, expected_len) == 0
       && json_integer_value(json_array_get(root, 1))
          == -9223372036854775807LL,
       "%s", name);

    json_decref(root);
}


int
main(void)
{
    int         bad;
    u_char      all[65536];
    size_t      i, n;
    json_t     *root;

    srandom(1);

    same("empty", "", 0, "", 0);
    same("plain", "abc", 3, "abc", 3);
    same("quotes and backslash", "a\"b\\c", 5, "a\"b\\c", 5);
    same("controls", "\x01\n\r\t\x1f\x7f", 6, "\x01\n\r\t\x1f\x7f", 6);
    same("NUL, which no parser has to take", "a\0b", 3, "a\xef\xbf\xbd" "b",
         5);
    same("UTF-8", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9,
         "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", 9);
    same("stray continuation", "a\x80z", 3, "a\xef\xbf\xbdz", 5);
    same("cut sequence", "a\xe2\x82", 3,
         "a\xef\xbf\xbd\xef\xbf\xbd", 7);
    same("overlong", "\xc0\xaf", 2, "\xef\xbf\xbd\xef\xbf\xbd", 6);
    same("surrogate", "\xed\xa0\x80", 3,
         "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", 9);

    bad = 0;

    for (n = 0; n < 2000; n++) {
        size_t  len = random() % 300;

        for (i = 0; i < len; i++) {
            all[i] = (u_char) random();
        }

        root = round_trip(all, len);
        bad += (root == NULL);
        json_decref(root);
    }

    ok(bad == 0, "random bytes always give valid JSON");

    for (i = 0; i < sizeof(all); i++) {
        all[i] = (u_char) i;
    }

    root = round_trip(all, sizeof(all));
    ok(root != NULL, "64 KB grow the buffer");
    json_decref(root);

    return done();
}
