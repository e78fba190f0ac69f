
/* Passwords: which are strong, generated ones, the digest a device gets. */


#include "wsman_unit.h"
#include "amt/ngx_amt_password.h"


static void
strong(void)
{
    size_t  i;

    static const struct {
        const char  *text;
        int          good;
    } table[] = {
        { "Aa1!aaaa", 1 }, { "Aa1!aaa", 0 }, { "aa1!aaaa", 0 },
        { "AA1!AAAA", 0 }, { "Aaa!aaaa", 0 }, { "Aa1aaaaa", 0 },
        { "Aa1_aaaa", 0 }, { "Aa1-aaaa", 0 }, { "Aa1! aaa", 0 },
        { "Aa1!\"aaa", 0 }, { "Aa1!`aaa", 0 }, { "Aa1!{aaa", 0 },
        { "Aa1!\taaa", 0 }, { "Aa1!\xc3\xa4xx", 0 }, { "Aa1!\x7fxxx", 0 },
        { "Aa1!<&>'", 1 }, { "Aa1$@%#?", 1 }, { "Aa1^~_\\]", 1 },
        { "Aa1!Aa1!Aa1!Aa1!Aa1!Aa1!Aa1!Aa1!", 1 },
        { "Aa1!Aa1!Aa1!Aa1!Aa1!Aa1!Aa1!Aa1!x", 0 }, { "", 0 }
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        ok((int) ngx_amt_password_strong(table[i].text,
                                         strlen(table[i].text), 32)
           == table[i].good, "%s", table[i].text[0] ? table[i].text : "empty");
    }

    ok(!ngx_amt_password_strong("Aa1!aaaa\0a", 10, 32), "with a null");
    ok(!ngx_amt_password_strong("Aa1!aaaaaaaaaaaaa", 17, 16), "17 of 16");
}


static void
generate(void)
{
    int   i, good, same, n[256];
    char  buf[34], last[34];

    memset(n, 0, sizeof(n));
    memset(last, 0, sizeof(last));
    good = 0;
    same = 0;

    for (i = 0; i < 2000; i++) {
        buf[17] = 'x';

        if (ngx_amt_password_generate(buf, 16) == NGX_OK
            && strlen(buf) == 16 && buf[17] == 'x'
            && ngx_amt_password_strong(buf, 16, 32))
        {
            good++;
        }

        same += strcmp(buf, last) == 0;
        strcpy(last, buf);

        for (int k = 0; k < 16; k++) {
            n[(u_char) buf[k]]++;
        }
    }

    ok(good == 2000, "2000 strong ones");
    ok(same == 0, "none twice");
    ok(n['l'] + n['I'] + n['1'] + n['O'] + n['0'] == 0, "easy to read");

    for (i = 0, good = 0; i < 256; i++) {
        good += n[i] > 0;
    }

    ok(good == 65, "all characters are used");
    ok(ngx_amt_password_generate(buf, 8) == NGX_OK && strlen(buf) == 8
       && ngx_amt_password_generate(buf, 32) == NGX_OK && strlen(buf) == 32,
       "shortest and longest");
}


static void
bodies(void)
{
    ngx_str_t    realm, password, body;
    ngx_pool_t  *pool;

    static const char  want[] = "<h:Username>admin</h:Username>"
        "<h:DigestPassword>ZlTOuVM90P1tPlo8PoSZ1w==</h:DigestPassword>";

    pool = unit_pool();

    /* printf 'admin:Digest:A3829B3827DE4D33D4449B366831FD01:P@ssw0rd' | md5 */

    realm = unit_str("Digest:A3829B3827DE4D33D4449B366831FD01");
    password = unit_str("P@ssw0rd");

    ok(ngx_amt_password_admin(pool, &realm, &password, &body) == NGX_OK
       && body.len == sizeof(want) - 1
       && memcmp(body.data, want, body.len) == 0,
       "SetAdminAclEntryEx");

    password = unit_str("A<b>&\"1!");

    ok(ngx_amt_password_mebx(pool, &password, &body) == NGX_OK
       && body.len == strlen("<h:Password>A&lt;b&gt;&amp;&quot;1!"
                             "</h:Password>"), "SetMEBxPassword");

    ngx_destroy_pool(pool);
}


int
main(void)
{
    unit_init();

    strong();
    generate();
    bodies();

    return done();
}
