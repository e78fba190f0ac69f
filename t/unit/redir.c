
/* Redirection login: messages of mps.md section 4.4, every split, misuse. */


#include "relay/ngx_amt_redir.h"
#include "tap.h"


#define KVM      "\x10\x01\0\0KVMR"
#define STARTED  "\x11\0\0\0\1\2\3\4\5\6\7\x08\0"
#define QUERY    "\x13\0\0\0\0\0\0\0\0"
#define TYPES    "\x14\0\0\0\0\3\0\0\0\1\3\4"

#define M1       "\x13\0\0\0\4\x20\0\0\0\5admin\0\0\x13/RedirectionService"   \
                 "\0\0\0\0"

/* what a browser sends: its own user and nothing more, then a digest */
#define BROWSER1  "\x13\0\0\0\4\x0b\0\0\0\3joe\0\0\0\0\0\0\0"
#define BROWSER2  "\x13\0\0\0\4\x12\0\0\0\3joe\1r\1n\0\1c\1""1\2xx\1q"

#define CHALLENGE                                                             \
    "\x14\1\0\0\4\x29\0\0\0\x10""Digest:REALM0001\x12""deadbeef0123456789"    \
    "\4auth"
#define M2                                                                    \
    "\x13\0\0\0\4\x78\0\0\0\5admin\x10""Digest:REALM0001\x12"                 \
    "deadbeef0123456789\x13/RedirectionService\x0a""ef30337d6a\x08"           \
    "00000001\x20" "d81cd52e85047a880e08171ba3586df4" "\4auth"

#define AGAIN                                                                 \
    "\x14\1\0\0\4\x21\0\0\0\x10""Digest:REALM0001\x0a""othernonce\4auth"
#define M3                                                                    \
    "\x13\0\0\0\4\x70\0\0\0\5admin\x10""Digest:REALM0001\x0a"                 \
    "othernonce\x13/RedirectionService\x0a""ef30337d6a\x08"                   \
    "00000002\x20" "000307a7ac22d2f13c48756e92f3b182" "\4auth"

#define SUCCESS  "\x14\0\0\0\4\0\0\0\0"

#define L(s)     (s), sizeof(s) - 1


typedef struct {
    char         who;                 /* v: viewer, d: device */
    const char  *in;
    size_t       in_len;
    const char  *out;
    size_t       out_len;
} step_t;


static u_char  cnonce[] = { 0xef, 0x30, 0x33, 0x7d, 0x6a };


static void
init(ngx_amt_redir_t *s, const char *user)
{
    ngx_str_t  u, p;

    u.data = (u_char *) user;
    u.len = strlen(user);
    ngx_str_set(&p, "P@ssw0rd");

    memset(s, 0x5a, sizeof(*s));

    if (ngx_amt_redir_init(s, &u, &p, cnonce) != NGX_OK) {
        abort();
    }
}


/*
 * Feeds n bytes in parts of at most step and collects what comes out, rest
 * included; returns the last result.
 */

static ngx_int_t
feed(ngx_amt_redir_t *s, char who, const char *in, size_t n, size_t step,
    u_char *out, size_t *len)
{
    size_t      part;
    u_char     *p, *copy;
    ngx_int_t   rc;
    ngx_str_t   o;

    rc = NGX_AGAIN;
    *len = 0;

    while (n) {
        part = n < step ? n : step;

        /* a copy of its own: reading too far is seen */

        copy = malloc(part);
        memcpy(copy, in, part);
        p = copy;

        do {
            rc = (who == 'v')
                 ? ngx_amt_redir_viewer(s, &p, copy + part, &o)
                 : ngx_amt_redir_device(s, &p, copy + part, &o);

            if (rc == NGX_OK) {
                memcpy(out + *len, o.data, o.len);
                *len += o.len;
            }

        } while (rc == NGX_OK);

        if (rc == NGX_DONE) {
            memcpy(out + *len, p, copy + part - p);
            *len += copy + part - p;
        }

        free(copy);

        if (rc == NGX_ERROR) {
            break;
        }

        in += part;
        n -= part;
    }

    return rc;
}


static int
run(ngx_amt_redir_t *s, const step_t *steps, size_t n, size_t step)
{
    size_t     i, len;
    u_char     out[16384];

    for (i = 0; i < n; i++) {
        if (feed(s, steps[i].who, steps[i].in, steps[i].in_len, step, out,
                 &len)
            == NGX_ERROR
            || len != steps[i].out_len
            || memcmp(out, steps[i].out, len) != 0)
        {
            printf("# step %d: %d bytes, %s\n", (int) i, (int) len,
                   s->reason ? s->reason : "");
            return 0;
        }
    }

    return 1;
}


static void
test_login(void)
{
    size_t           i;
    ngx_amt_redir_t  s;

    static const step_t  steps[] = {
        { 'v', L(KVM), L(KVM) },
        { 'd', L(STARTED), L(STARTED) },
        { 'v', L(QUERY), L(QUERY) },
        { 'd', L(TYPES), L(TYPES) },
        { 'v', L(BROWSER1), L(M1) },
        { 'd', L(CHALLENGE), L(CHALLENGE) },
        { 'v', L(BROWSER2), L(M2) },
        { 'd', L(SUCCESS "RFB"), L(SUCCESS "RFB") },
        { 'v', L("\x40\0\0\0\0\0\0\0"), L("\x40\0\0\0\0\0\0\0") },
        { 'd', L("\x13\x14raw"), L("\x13\x14raw") },
        { 'v', L("\x10SOL "), L("\x10SOL ") }
    };

    for (i = 1; i <= 200; i += (i < 20) ? 1 : 60) {
        init(&s, "admin");
        ok(run(&s, steps, 11, i) && s.done && s.kind == NGX_AMT_REDIR_KVM,
           "login, %d bytes at a time", (int) i);
    }

    ngx_amt_redir_wipe(&s);

    for (i = 0; i < sizeof(s.secret) && s.secret[i] == 0; i++);

    ok(i == sizeof(s.secret) && s.password.len == 0, "secrets are wiped");
}


static void
test_again(void)
{
    size_t           len;
    u_char           out[16384];
    ngx_int_t        rc;
    ngx_amt_redir_t  s;

    static const step_t  steps[] = {
        { 'v', L("\x10\0\0\0SOL "), L("\x10\0\0\0SOL ") },
        { 'd', L("\x11\0\0\0\1\2\3\4\5\6\7\x08\3oem"),
               L("\x11\0\0\0\1\2\3\4\5\6\7\x08\3oem") },
        { 'v', L(BROWSER1), L(M1) },
        { 'd', L(CHALLENGE), L(CHALLENGE) },
        { 'v', L(BROWSER2), L(M2) },
        { 'd', L(AGAIN), L(AGAIN) },
        { 'v', L(BROWSER2), L(M3) },
        { 'd', L(SUCCESS), L(SUCCESS) }
    };

    init(&s, "admin");
    ok(run(&s, steps, 8, 1000) && s.done && s.kind == NGX_AMT_REDIR_SOL,
       "a second challenge is answered with its nonce, count 2");

    init(&s, "admin");
    run(&s, steps, 7, 1000);
    rc = feed(&s, 'd', L(AGAIN "more"), 1000, out, &len);
    ok(rc == NGX_ERROR && s.err == NGX_AMT_REDIR_ERR_PASSWORD
       && len == sizeof(AGAIN) - 1,
       "the second refusal is given out, then it is over");

    init(&s, "admin");
    run(&s, steps, 5, 1000);
    ok(feed(&s, 'd', L("\x14\1\0\0\4\0\0\0\0"), 1000, out, &len)
       == NGX_AGAIN
       && feed(&s, 'v', L(BROWSER2), 1000, out, &len) == NGX_AGAIN
       && memcmp(out + 9 + 6 + 17, "\x12""deadbeef", 9) == 0,
       "a refusal without challenge keeps the last one");

    init(&s, "admin");
    run(&s, steps, 2, 1000);
    feed(&s, 'v', L(QUERY), 1000, out, &len);
    ok(feed(&s, 'd', L("\x14\2\0\0\0\0\0\0\0"), 1000, out, &len)
       == NGX_AGAIN && len == 9
       && feed(&s, 'v', L(BROWSER1), 1000, out, &len) == NGX_AGAIN
       && len == sizeof(M1) - 1, "\"not supported\" is passed on");

    init(&s, "admin");
    run(&s, steps, 2, 1000);
    ok(feed(&s, 'v', L("\x12\0\0\0"), 1000, out, &len) == NGX_AGAIN
       && len == 4
       && feed(&s, 'v', L(QUERY), 1000, out, &len) == NGX_ERROR
       && s.err == NGX_AMT_REDIR_ERR_VIEWER, "nothing comes after the end");
}


static void
test_refused(void)
{
    size_t           len;
    u_char           out[16384];
    ngx_int_t        rc;
    ngx_amt_redir_t  s;

    init(&s, "admin");
    feed(&s, 'v', L("\x10\0\0\0IDER"), 1, out, &len);
    rc = feed(&s, 'd', L("\x11\2\0\0"), 1, out, &len);
    ok(rc == NGX_ERROR && len == 4 && s.status == 2
       && s.err == NGX_AMT_REDIR_ERR_REFUSED
       && s.kind == NGX_AMT_REDIR_IDER, "busy is given out, then it is over");
}


static void
test_viewer(void)
{
    size_t           i, len;
    u_char           out[16384];
    ngx_int_t        rc;
    ngx_amt_redir_t  s;

    static const struct {
        unsigned     after;           /* messages of a good login */
        const char  *in;
        size_t       len;
        const char  *name;
    } bad[] = {
        { 0, L("\x40"), "payload before the start" },
        { 0, L(QUERY), "authentication before the start" },
        { 0, L("\x12"), "end before the start" },
        { 0, L("\x10\0\0\0VNC "), "unknown service" },
        { 0, L(KVM KVM), "started twice" },
        { 0, L(KVM QUERY), "authentication before the start's reply" },
        { 1, L(KVM), "started twice, later" },
        { 1, L("\x40"), "payload before the login" },
        { 1, L(QUERY QUERY), "two authentications at once" },
        { 1, L("\x13\0\0\0\1\3\0\0\0\1u\1p"), "clear text password" },
        { 1, L("\x13\0\0\0\3\0\0\0\0"), "digest without cnonce" },
        { 1, L("\x13\0\0\0\x02\0\0\0\0"), "Kerberos" },
        { 1, L("\x13\0\0\0\4\1\x10\0\0"), "4097 bytes" },
        { 1, L("\x13\0\0\0\4\xff\xff\xff\xff"), "4 GB" },
        { 1, L(BROWSER1 BROWSER1), "two digests at once" }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        init(&s, "admin");

        if (bad[i].after) {
            feed(&s, 'v', L(KVM), 1, out, &len);
            feed(&s, 'd', L(STARTED), 1, out, &len);
        }

        rc = feed(&s, 'v', bad[i].in, bad[i].len, 1, out, &len);
        ok(rc == NGX_ERROR && s.err == NGX_AMT_REDIR_ERR_VIEWER && s.reason,
           "browser: %s", bad[i].name);
        ok(feed(&s, 'd', L(STARTED), 1000, out, &len) == NGX_ERROR
           && len == 0, "nothing passes after that");
    }

    init(&s, "admin");
    feed(&s, 'v', L(KVM), 1, out, &len);
    feed(&s, 'd', L(STARTED), 1, out, &len);
    feed(&s, 'v', L(BROWSER1), 1, out, &len);
    ok(feed(&s, 'v', L("\x12"), 1, out, &len) == NGX_AGAIN
       && feed(&s, 'd', L(SUCCESS), 1, out, &len) == NGX_ERROR
       && s.err == NGX_AMT_REDIR_ERR_VIEWER,
       "half a message when the login succeeds");
}


static void
test_device(void)
{
    size_t           i, len;
    u_char           out[16384];
    ngx_int_t        rc;
    ngx_amt_redir_t  s;

    static const struct {
        const char  *before;          /* of the viewer */
        size_t       before_len;
        const char  *in;
        size_t       len;
        const char  *name;
    } bad[] = {
        { NULL, 0, L(STARTED), "reply without a start" },
        { NULL, 0, L("RFB"), "payload before the start" },
        { L(KVM), L("\x41"), "payload before the login" },
        { L(KVM), L(STARTED STARTED), "two replies" },
        { L(KVM), L(TYPES), "login reply before the start's" },
        { L(QUERY), L(SUCCESS), "success for a query" },
        { L(QUERY), L(TYPES TYPES), "two replies to a query" },
        { L(QUERY), L("\x14\0\0\0\0\1\x10\0\0"), "4097 bytes" },
        { L(BROWSER1), L("\x14\0\0\0\1\0\0\0\0"), "success of another type" },
        { L(BROWSER1), L("\x14\1\0\0\4\0\0\0\0"), "no challenge" },
        { L(BROWSER1), L("\x14\1\0\0\4\4\0\0\0\1r\1n"), "two strings" },
        { L(BROWSER1), L("\x14\1\0\0\4\6\0\0\0\1r\1n\2q"), "cut string" },
        { L(BROWSER1), L("\x14\1\0\0\4\7\0\0\0\1r\1n\1qx"), "rest" },
        { L(BROWSER1), L("\x14\1\0\0\4\3\0\0\0\xff\1q"), "long string" }
    };

    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        init(&s, "admin");

        if (bad[i].before) {
            feed(&s, 'v', L(KVM), 1, out, &len);

            if (bad[i].before[0] == 0x13) {
                feed(&s, 'd', L(STARTED), 1, out, &len);
                feed(&s, 'v', bad[i].before, bad[i].before_len, 1, out, &len);
            }
        }

        rc = feed(&s, 'd', bad[i].in, bad[i].len, 1, out, &len);
        ok(rc == NGX_ERROR && s.err == NGX_AMT_REDIR_ERR_DEVICE && s.reason,
           "device: %s", bad[i].name);
        ok(feed(&s, 'v', L(KVM), 1000, out, &len) == NGX_ERROR && len == 0,
           "nothing passes after that");
    }
}


static void
test_sizes(void)
{
    size_t            len;
    u_char            out[16384], *p;
    char              in[9 + 768];
    ngx_str_t         u, w;
    ngx_amt_redir_t   s;

    /* every string as long as it can be */

    u.data = malloc(256);
    u.len = 255;
    memset(u.data, 'u', 256);
    w = u;

    memset(&s, 0, sizeof(s));
    ok(ngx_amt_redir_init(&s, &u, &w, cnonce) == NGX_OK, "255 characters");

    feed(&s, 'v', L(KVM), 1, out, &len);
    feed(&s, 'd', L(STARTED), 1, out, &len);
    feed(&s, 'v', L(BROWSER1), 1, out, &len);

    memset(in, 'x', sizeof(in));
    memcpy(in, "\x14\1\0\0\4\0\3\0\0", 9);
    in[9] = in[9 + 256] = in[9 + 512] = (char) 255;

    feed(&s, 'd', in, sizeof(in), 100, out, &len);
    ok(len == sizeof(in), "the longest challenge");

    feed(&s, 'v', L(BROWSER2), 1, out, &len);
    p = out;
    ok(len == 9 + 4 * 256 + 20 + 11 + 9 + 33
       && (size_t) (p[5] | p[6] << 8) == len - 9, "the longest digest");

    init(&s, "admin");
    feed(&s, 'v', L(KVM), 1, out, &len);
    feed(&s, 'd', L(STARTED), 1, out, &len);
    feed(&s, 'v', L(BROWSER1), 1, out, &len);
    feed(&s, 'd', L("\x14\1\0\0\4\3\0\0\0\0\0\0"), 1, out, &len);
    feed(&s, 'v', L(BROWSER2), 1, out, &len);
    ok(len == 9 + 8 + 5 + 19 + 10 + 8 + 32, "empty strings");

    u.len = 256;
    ok(ngx_amt_redir_init(&s, &u, &w, cnonce) == NGX_DECLINED, "long user");
    u.len = 5;
    w.len = 256;
    ok(ngx_amt_redir_init(&s, &u, &w, cnonce) == NGX_DECLINED,
       "long password");

    free(u.data);
}


static void
test_watch(void)
{
    size_t           len;
    u_char           out[16384];
    ngx_amt_redir_t  s;

    static const step_t  steps[] = {
        { 'd', L("early"), L("early") },
        { 'v', L("\x10\0\0\0SOL \x13\0"), L("\x10\0\0\0SOL \x13\0") },
        { 'd', L("\x11\7"), L("\x11\7") },
        { 'v', L(BROWSER2), L(BROWSER2) }
    };

    init(&s, "");
    ok(run(&s, steps, 4, 1) && s.kind == NGX_AMT_REDIR_SOL,
       "without credentials all passes, the kind is known");

    init(&s, "");
    ok(feed(&s, 'v', L("RFB 003.008\n"), 5, out, &len) == NGX_DONE
       && len == 12 && s.kind == NGX_AMT_REDIR_NONE, "something else");

    init(&s, "");
    ok(feed(&s, 'v', L("\x10\0\0\0VNC "), 5, out, &len) != NGX_ERROR
       && len == 8 && s.kind == NGX_AMT_REDIR_NONE, "unknown service");
}


static void
test_strict(void)
{
    size_t           i, len;
    u_char           out[16384];
    ngx_amt_redir_t  s;

    static const step_t  steps[] = {
        { 'v', L(KVM), L(KVM) },
        { 'd', L(STARTED), L(STARTED) },
        { 'v', L(QUERY), L(QUERY) },
        { 'd', L(TYPES), L(TYPES) },
        { 'v', L(BROWSER1), L(BROWSER1) },
        { 'd', L(CHALLENGE), L(CHALLENGE) },
        { 'v', L(BROWSER2), L(BROWSER2) },
        { 'd', L(SUCCESS "RFB"), L(SUCCESS "RFB") },
        { 'v', L("\x10SOL "), L("\x10SOL ") }
    };

    static const step_t  plain[] = {
        { 'v', L("\x10\0\0\0SOL "), L("\x10\0\0\0SOL ") },
        { 'd', L(STARTED), L(STARTED) },
        { 'v', L("\x13\0\0\0\1\3\0\0\0abc"),
               L("\x13\0\0\0\1\3\0\0\0abc") },
        { 'd', L("\x14\1\0\0\1\0\0\0\0"), L("\x14\1\0\0\1\0\0\0\0") },
        { 'v', L("\x13\0\0\0\1\3\0\0\0abd"),
               L("\x13\0\0\0\1\3\0\0\0abd") },
        { 'd', L("\x14\0\0\0\1\0\0\0\0"), L("\x14\0\0\0\1\0\0\0\0") },
        { 'd', L("raw"), L("raw") }
    };

    for (i = 1; i < 64; i += 7) {
        init(&s, "");
        s.strict = 1;
        ok(run(&s, steps, 9, i) && s.kind == NGX_AMT_REDIR_KVM && s.done,
           "the viewer's own login passes, %d bytes at once", (int) i);
    }

    init(&s, "");
    s.strict = 1;
    ok(run(&s, plain, 7, 3) && s.kind == NGX_AMT_REDIR_SOL && s.done,
       "also one that is no digest, after a failure");

    init(&s, "");
    s.strict = 1;
    ok(run(&s, steps, 1, 99)
       && feed(&s, 'v', L("\x10\0\0\0SOL "), 99, out, &len) == NGX_ERROR
       && s.err == NGX_AMT_REDIR_ERR_VIEWER && len == 0,
       "a second start is not passed on");

    init(&s, "");
    s.strict = 1;
    ok(run(&s, steps, 1, 99)
       && feed(&s, 'd', L("\x11\3\0\0"), 99, out, &len) == NGX_ERROR
       && s.err == NGX_AMT_REDIR_ERR_REFUSED && len == 4,
       "a refusal passes, and ends it");

    init(&s, "");
    s.strict = 1;
    ok(run(&s, steps, 2, 99)
       && feed(&s, 'v', L("\x12\0\0\0\x10\0\0\0SOL "), 99, out, &len)
          == NGX_ERROR && s.err == NGX_AMT_REDIR_ERR_VIEWER && len == 4,
       "nor one after an end");

    init(&s, "");
    s.strict = 1;
    ok(feed(&s, 'v', L("RFB 003.008\n"), 5, out, &len) == NGX_DONE
       && len == 12 && s.kind == NGX_AMT_REDIR_NONE, "something else passes");

    init(&s, "");
    s.strict = 1;
    ok(feed(&s, 'v', L("\x10\0\0\0VNC "), 5, out, &len) == NGX_ERROR
       && s.err == NGX_AMT_REDIR_ERR_VIEWER, "but no unknown service");
}


int
main(void)
{
    test_login();
    test_again();
    test_refused();
    test_viewer();
    test_device();
    test_sizes();
    test_watch();
    test_strict();

    return done();
}
