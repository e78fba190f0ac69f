
/*
 * APF codec: the vectors of apf.md section 3.18, limits of section 2, and
 * those malformed inputs of section 17 that concern the codec.  Everything
 * is fed whole, byte by byte, and in all splits in two.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_apf.h"
#include "tap.h"


static ngx_log_t  test_log;
static u_char     input[4096];


static size_t
hex(u_char *p, const char *text)
{
    int      v;
    u_char  *start;

    start = p;

    while (*text) {
        if (*text == ' ') {
            text++;
            continue;
        }

        v = ngx_hextoi((u_char *) text, 2);
        *p++ = (u_char) v;
        text += 2;
    }

    return p - start;
}


static u_char *
u32(u_char *p, uint32_t n)
{
    *p++ = (u_char) (n >> 24);
    *p++ = (u_char) (n >> 16);
    *p++ = (u_char) (n >> 8);
    *p++ = (u_char) n;

    return p;
}


static u_char *
str(u_char *p, const char *text)
{
    p = u32(p, strlen(text));

    return ngx_cpymem(p, text, strlen(text));
}


static u_char *
fill(u_char *p, size_t n)
{
    p = u32(p, n);
    ngx_memset(p, 'x', n);

    return p + n;
}


static int
is(ngx_str_t *s, const char *text)
{
    return s->len == strlen(text) && ngx_memcmp(s->data, text, s->len) == 0;
}


/*
 * Feeds size bytes in pieces of step (0: all; n < 0: split at -n); returns
 * the rc of the end and checks that every byte was taken when it is NGX_OK.
 * Each piece is a heap copy of its own, for the address sanitizer.  Payload
 * of DATA is collected in data.
 */

static u_char  data[4096];
static size_t  data_len;

static ngx_int_t
feed(ngx_cira_apf_t *d, u_char *p, size_t size, int step)
{
    u_char     *piece, *pos, *last;
    size_t      n;
    ngx_int_t   rc;

    data_len = 0;
    rc = NGX_AGAIN;

    while (size) {
        n = step > 0 ? (size_t) step : size;

        if (step < 0) {
            n = ngx_min((size_t) -step, size);
            step = 0;
        }

        n = ngx_min(n, size);
        piece = malloc(n);
        ngx_memcpy(piece, p, n);
        pos = piece;
        last = piece + n;

        for ( ;; ) {
            rc = ngx_cira_apf_read(d, &pos, last);

            if (rc == NGX_OK && d->msg.type == NGX_CIRA_APF_CHANNEL_DATA
                && data_len + d->msg.size <= sizeof(data))
            {
                ngx_memcpy(data + data_len, d->msg.data, d->msg.size);
                data_len += d->msg.size;
            }

            if (rc != NGX_OK || pos == last) {
                break;
            }
        }

        if (rc == NGX_AGAIN && pos != last) {
            rc = NGX_ABORT;
        }

        free(piece);
        p += n;
        size -= n;

        if (rc == NGX_ERROR || rc == NGX_ABORT) {
            break;
        }
    }

    return rc;
}


typedef struct {
    const char  *name;
    const char  *hex;
    int        (*check)(ngx_cira_apf_msg_t *m);
} vector_t;


static int
check_version(ngx_cira_apf_msg_t *m)
{
    u_char  guid[16], text[36];

    ngx_cira_apf_guid(guid, m->text->uuid);

    (void) text;

    return m->type == 192 && m->major == 1 && m->minor == 0
           && m->trigger == 4 && guid[0] == 0x33 && guid[3] == 0x00
           && guid[4] == 0x55 && guid[6] == 0x77 && guid[8] == 0x88
           && guid[15] == 0xff;
}


static int
check_service(ngx_cira_apf_msg_t *m)
{
    return m->type == 5 && is(&m->text->name, "auth@amt.intel.com");
}


static int
check_password(ngx_cira_apf_msg_t *m)
{
    return m->type == 50 && m->password && is(&m->text->user, "admin")
           && is(&m->text->name, "pfwd@amt.intel.com")
           && is(&m->text->method, "password")
           && is(&m->text->password, "P@ssw0rd");
}


static int
check_none(ngx_cira_apf_msg_t *m)
{
    return m->type == 50 && !m->password && is(&m->text->user, "admin")
           && is(&m->text->method, "none") && m->text->password.len == 0;
}


static int
check_forward(ngx_cira_apf_msg_t *m)
{
    return m->type == 80 && m->request == NGX_CIRA_APF_REQUEST_FORWARD
           && m->want_reply == 1 && m->port == 16992
           && is(&m->text->addr, "host1");
}


static int
check_open(ngx_cira_apf_msg_t *m)
{
    return m->type == 90 && is(&m->text->name, "forwarded-tcpip")
           && m->sender == 4 && m->window == 81920 && m->port == 16992
           && m->text->addr.len == 0 && is(&m->text->origin, "1.2.3.4")
           && m->origin_port == 1024;
}


static int
check_confirmation(ngx_cira_apf_msg_t *m)
{
    return m->type == 91 && m->channel == 4 && m->sender == 0
           && m->window == 4096;
}


static int
check_failure(ngx_cira_apf_msg_t *m)
{
    return m->type == 92 && m->channel == 4 && m->reason == 4;
}


static int
check_adjust(ngx_cira_apf_msg_t *m)
{
    return m->type == 93 && m->channel == 0 && m->window == 40961;
}


static int
check_data(ngx_cira_apf_msg_t *m)
{
    return m->type == 94 && m->channel == 4 && m->length == 3 && m->last
           && data_len == 3 && ngx_memcmp(data, "abc", 3) == 0;
}


static int
check_close(ngx_cira_apf_msg_t *m)
{
    return m->type == 97 && m->channel == 0;
}


static int
check_keepalive(ngx_cira_apf_msg_t *m)
{
    return (m->type == 208 || m->type == 209) && m->cookie == 7;
}


static int
check_options(ngx_cira_apf_msg_t *m)
{
    return m->type == 211 && m->interval == 30 && m->timeout == 0;
}


static int
check_disconnect(ngx_cira_apf_msg_t *m)
{
    return m->type == 1 && m->reason == 11;
}


static int
check_udp(ngx_cira_apf_msg_t *m)
{
    return m->type == 80 && m->request == NGX_CIRA_APF_REQUEST_UDP
           && m->want_reply == 0 && is(&m->text->addr, "192.168.1.1")
           && m->port == 162 && is(&m->text->origin, "10.0.0.5")
           && m->origin_port == 16992 && m->length == 4;
}


#define ZERO64                                                               \
    "0000000000000000000000000000000000000000000000000000000000000000"       \
    "0000000000000000000000000000000000000000000000000000000000000000"

static vector_t  received[] = {
    { "PROTOCOLVERSION",
      "c0 00000001 00000000 00000004 00112233445566778899aabbccddeeff" ZERO64,
      check_version },
    { "SERVICE_REQUEST",
      "05 00000012 6175746840616d742e696e74656c2e636f6d", check_service },
    { "USERAUTH password",
      "32 00000005 61646d696e 00000012 7066776440616d742e696e74656c2e636f6d"
      "00000008 70617373776f7264 00 00000008 5040737377307264",
      check_password },
    { "USERAUTH none",
      "32 00000005 61646d696e 00000012 7066776440616d742e696e74656c2e636f6d"
      "00000004 6e6f6e65", check_none },
    { "tcpip-forward",
      "50 0000000d 74637069702d666f7277617264 01 00000005 686f737431 00004260",
      check_forward },
    { "CHANNEL_OPEN",
      "5a 0000000f 666f727761726465642d7463706970 00000004 00014000 ffffffff"
      "00000000 00004260 00000007 312e322e332e34 00000400", check_open },
    { "CHANNEL_OPEN_CONFIRMATION", "5b 00000004 00000000 00001000 ffffffff",
      check_confirmation },
    { "CHANNEL_OPEN_FAILURE", "5c 00000004 00000004 00000000 00000000",
      check_failure },
    { "CHANNEL_WINDOW_ADJUST", "5d 00000000 0000a001", check_adjust },
    { "CHANNEL_DATA", "5e 00000004 00000003 616263", check_data },
    { "CHANNEL_CLOSE", "61 00000000", check_close },
    { "KEEPALIVE_REQUEST", "d0 00000007", check_keepalive },
    { "KEEPALIVE_REPLY", "d1 00000007", check_keepalive },
    { "KEEPALIVE_OPTIONS_REPLY", "d3 0000001e 00000000", check_options },
    { "DISCONNECT", "01 0000000b 0000", check_disconnect },
    { "udp-send-to",
      "50 00000019 7564702d73656e642d746f40616d742e696e74656c2e636f6d 00"
      "0000000b 3139322e3136382e312e31 000000a2 00000008 31302e302e302e35"
      "00004260 00000004 41424344", check_udp },
    { NULL, NULL, NULL }
};


static void
test_vectors(void)
{
    int              good;
    size_t           n, i;
    vector_t        *v;
    ngx_cira_apf_t   d;

    for (v = received; v->name; v++) {
        n = hex(input, v->hex);

        ngx_cira_apf_init(&d, &test_log);
        ok(feed(&d, input, n, 0) == NGX_OK && v->check(&d.msg)
           && ngx_cira_apf_between(&d), "%s whole", v->name);
        ngx_cira_apf_release(&d);

        ngx_cira_apf_init(&d, &test_log);
        ok(feed(&d, input, n, 1) == NGX_OK && v->check(&d.msg),
           "%s byte by byte", v->name);
        ngx_cira_apf_release(&d);

        for (good = 1, i = 1; i < n; i++) {
            ngx_cira_apf_init(&d, &test_log);
            good &= (feed(&d, input, n, - (int) i) == NGX_OK
                     && v->check(&d.msg));
            ngx_cira_apf_release(&d);

            /* an incomplete message is not an error and not a message */

            ngx_cira_apf_init(&d, &test_log);
            good &= (feed(&d, input, i, 0)
                     == (v->check == check_data && i >= 9
                         ? NGX_OK : NGX_AGAIN));
            good &= !ngx_cira_apf_between(&d);
            ngx_cira_apf_release(&d);
        }

        ok(good, "%s cut at every byte", v->name);
    }
}


static void
test_encoders(void)
{
    size_t      n;
    u_char      buf[256];
    ngx_uint_t  i;
    ngx_str_t   auth = ngx_string("auth@amt.intel.com");

    struct {
        const char  *name;
        const char  *hex;
        u_char      *end;
    } t[16];

    static u_char  out[16][128];

#define ENCODED(text, bytes, call)                                           \
    t[i].name = text;                                                        \
    t[i].hex = bytes;                                                        \
    t[i].end = call;                                                         \
    i++

#define OUT  out[i]

    i = 0;

    ENCODED("SERVICE_ACCEPT",
            "06 00000012 6175746840616d742e696e74656c2e636f6d",
            ngx_cira_apf_service_accept(OUT, &auth));
    ENCODED("USERAUTH_FAILURE", "33 00000008 70617373776f7264 00",
            ngx_cira_apf_userauth_failure(OUT));
    ENCODED("USERAUTH_SUCCESS", "34", ngx_cira_apf_userauth_success(OUT));
    ENCODED("REQUEST_SUCCESS of a forward", "51 00004260",
            ngx_cira_apf_forward_success(OUT, 16992));
    ENCODED("REQUEST_SUCCESS", "51", ngx_cira_apf_request_success(OUT));
    ENCODED("REQUEST_FAILURE", "52", ngx_cira_apf_request_failure(OUT));
    ENCODED("CHANNEL_OPEN",
            "5a 0000000f 666f727761726465642d7463706970 00000004 00014000"
            "ffffffff 00000000 00004260 00000007 312e322e332e34 00000400",
            ngx_cira_apf_channel_open(OUT, 4, 81920, 16992));
    ENCODED("CHANNEL_OPEN_FAILURE", "5c 00000004 00000004 00000000 00000000",
            ngx_cira_apf_channel_failure(OUT, 4, 4));
    ENCODED("CHANNEL_WINDOW_ADJUST", "5d 00000000 0000a001",
            ngx_cira_apf_window_adjust(OUT, 0, 40961));
    ENCODED("CHANNEL_DATA", "5e 00000004 00000003",
            ngx_cira_apf_data_head(OUT, 4, 3));
    ENCODED("CHANNEL_CLOSE", "61 00000000",
            ngx_cira_apf_channel_close(OUT, 0));
    ENCODED("KEEPALIVE_REQUEST", "d0 00000007",
            ngx_cira_apf_keepalive_request(OUT, 7));
    ENCODED("KEEPALIVE_REPLY", "d1 00000007",
            ngx_cira_apf_keepalive_reply(OUT, 7));
    ENCODED("KEEPALIVE_OPTIONS_REQUEST", "d2 0000001e 00000000",
            ngx_cira_apf_options_request(OUT, 30, 0));
    ENCODED("DISCONNECT", "01 0000000b 0000",
            ngx_cira_apf_disconnect(OUT, 11));

    while (i--) {
        n = hex(buf, t[i].hex);
        ok((size_t) (t[i].end - out[i]) == n
           && n <= NGX_CIRA_APF_MESSAGE_MAX
           && ngx_memcmp(out[i], buf, n) == 0, "encoded %s", t[i].name);
    }
}


/* fed whole and byte by byte: the same rc; returns it */

static ngx_int_t
both(u_char *end, char **error, int *credentials)
{
    ngx_int_t       a, b;
    ngx_cira_apf_t  d;

    ngx_cira_apf_init(&d, &test_log);
    a = feed(&d, input, end - input, 0);
    *error = d.error;
    *credentials = d.credentials;
    ngx_cira_apf_release(&d);

    ngx_cira_apf_init(&d, &test_log);
    b = feed(&d, input, end - input, 1);
    ngx_cira_apf_release(&d);

    return a == b ? a : NGX_ABORT;
}


static void
test_limits(void)
{
    int          cred;
    char        *error;
    u_char      *p;
    uint32_t     n;
    ngx_uint_t   i, k;

    static uint32_t  lengths[] = { 0xffffffff, 0xfffffff0, 0x80000000,
                                   0x7fffffff, 1048577, 2049 };

    static struct {
        const char  *name;
        const char  *head;               /* up to the string */
        uint32_t     max;
        const char  *tail;               /* behind a string of max bytes */
        int          credentials;
    } t[] = {
        { "service name", "05", 64, "", 0 },
        { "user name", "32", 64, "00000000 00000004 6e6f6e65", 1 },
        { "auth service", "32 00000000", 64, "00000004 6e6f6e65", 1 },
        { "auth method", "32 00000000 00000000", 32, "", 1 },
        { "password", "32 00000000 00000000 00000008 70617373776f7264 00",
          64, "", 1 },
        { "request name", "50", 64, "00", 0 },
        { "forward address", "50 0000000d 74637069702d666f7277617264 01", 255,
          "00004260", 0 },
        { "datagram target",
          "50 00000019 7564702d73656e642d746f40616d742e696e74656c2e636f6d 00",
          255, "00000001 00000000 00000001 00000000", 0 },
        { "datagram origin",
          "50 00000019 7564702d73656e642d746f40616d742e696e74656c2e636f6d 00"
          "00000001 41 00000001", 255, "00000001 00000000", 0 },
        { "datagram",
          "50 00000019 7564702d73656e642d746f40616d742e696e74656c2e636f6d 00"
          "00000001 41 00000001 00000001 42 00000001", 1500, "", 0 },
        { "channel type", "5a", 32,
          "00000001 00000001 ffffffff 00000000 00000001 00000000 00000001",
          0 },
        { "connected address", "5a 00000000 00000001 00000001 ffffffff", 255,
          "00000001 00000000 00000001", 0 },
        { "originator address",
          "5a 00000000 00000001 00000001 ffffffff 00000000 00000001", 255,
          "00000001", 0 },
    };

    for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {

        p = fill(input + hex(input, t[i].head), t[i].max);
        p += hex(p, t[i].tail);
        ok(both(p, &error, &cred) == NGX_OK, "%s of %u bytes", t[i].name,
           t[i].max);

        p = u32(input + hex(input, t[i].head), 0);
        p += hex(p, t[i].tail);
        ok(both(p, &error, &cred) == NGX_OK, "empty %s", t[i].name);

        p = u32(input + hex(input, t[i].head), t[i].max + 1);
        ok(both(p, &error, &cred) == NGX_ERROR && error
           && cred == t[i].credentials, "%s of %u bytes refused",
           t[i].name, t[i].max + 1);

        for (k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++) {
            n = lengths[k];
            p = u32(input + hex(input, t[i].head), n);

            if (both(p, &error, &cred) != NGX_ERROR) {
                break;
            }
        }

        ok(k == sizeof(lengths) / sizeof(lengths[0]),
           "%s of up to 4 GB refused at its length", t[i].name);
    }

    /* three lengths whose sum is small in 32 bits */

    p = u32(input + hex(input, "32"), 0x55555556);
    ok(both(p, &error, &cred) == NGX_ERROR, "sum of lengths overflows");

    p = input + hex(input, "5e 00000001 00100000");
    ok(both(p, &error, &cred) == NGX_OK, "1 MB of data begins");

    p = input + hex(input, "5e 00000001 00100001");
    ok(both(p, &error, &cred) == NGX_ERROR, "more than 1 MB of data refused");
}


static void
test_oddities(void)
{
    int              cred, good;
    char            *error;
    u_char          *p, *pos;
    ngx_uint_t       i;
    ngx_cira_apf_t   d;

    for (good = 1, i = 0; i < 256; i++) {
        input[0] = (u_char) i;
        good &= (both(input + 1, &error, &cred)
                 == (ngx_cira_apf_known(i) ? NGX_AGAIN : NGX_ERROR));
    }

    ok(good, "unknown codes are errors");

    for (good = 0, i = 0; i < 256; i++) {
        good += ngx_cira_apf_known(i);
    }

    ok(good == 14, "a device may send 14 codes");

    p = input + hex(input, "5e 00000004 00000000");
    ngx_cira_apf_init(&d, &test_log);
    ok(feed(&d, input, p - input, 0) == NGX_OK && d.msg.first && d.msg.last
       && d.msg.size == 0 && ngx_cira_apf_between(&d), "data of no bytes");
    ngx_cira_apf_release(&d);

    p = input + hex(input, "5e 00000004 00000005 6162 63 6465 d0 00000001");
    ngx_cira_apf_init(&d, &test_log);
    pos = input;
    ok(ngx_cira_apf_read(&d, &pos, input + 9) == NGX_OK && d.msg.first
       && !d.msg.last && d.msg.size == 0, "data: the head alone is told");
    ok(ngx_cira_apf_read(&d, &pos, input + 9) == NGX_AGAIN,
       "data: nothing more");
    ok(ngx_cira_apf_read(&d, &pos, input + 11) == NGX_OK && !d.msg.first
       && !d.msg.last && d.msg.size == 2 && d.msg.data == input + 9
       && d.msg.channel == 4 && d.msg.length == 5, "data: a part, not copied");
    ok(ngx_cira_apf_read(&d, &pos, p) == NGX_OK && d.msg.last
       && d.msg.size == 3, "data: the last part");
    ok(ngx_cira_apf_read(&d, &pos, p) == NGX_OK && d.msg.type == 208
       && d.msg.channel == 0, "the next message begins clean");
    ok(pos == p, "all was read");
    ngx_cira_apf_release(&d);

    /* bytes that are text to nobody */

    p = input + hex(input, "32 00000004 000d0aff 00000000 00000004 6e6f6e65");
    ngx_cira_apf_init(&d, &test_log);
    ok(feed(&d, input, p - input, 1) == NGX_OK && d.msg.text->user.len == 4
       && ngx_memcmp(d.msg.text->user.data, "\0\r\n\xff", 4) == 0,
       "NUL, CR, LF and 0xff in a name are bytes");
    ngx_cira_apf_release(&d);

    p = str(input + hex(input, "32 00000001 41 00000001 42"), "Password");
    ngx_cira_apf_init(&d, &test_log);
    ok(feed(&d, input, p - input, 0) == NGX_OK && !d.msg.password,
       "another method ends the message");
    ngx_cira_apf_release(&d);

    p = str(input + hex(input, "32 00000001 41 00000001 42"), "password");
    *p++ = 1;
    ok(both(p, &error, &cred) == NGX_ERROR && cred,
       "a password change is refused");

    p = str(input + hex(input, "50"), "tcpip-forwarD");
    *p++ = 1;
    ngx_cira_apf_init(&d, &test_log);
    ok(feed(&d, input, p - input, 0) == NGX_OK
       && d.msg.request == NGX_CIRA_APF_REQUEST_UNKNOWN,
       "an unknown request ends at its head");
    ngx_cira_apf_release(&d);

    /* an error is final */

    input[0] = 2;
    input[1] = 0xd0;
    ngx_cira_apf_init(&d, &test_log);
    pos = input;
    ok(ngx_cira_apf_read(&d, &pos, input + 2) == NGX_ERROR
       && ngx_cira_apf_read(&d, &pos, input + 2) == NGX_ERROR,
       "nothing is read behind an error");

    /* 200 messages at once, and strings of one do not leak into the next */

    p = input;
    for (i = 0; i < 200; i++) {
        *p++ = 0xd0;
        p = u32(p, i);
    }

    ngx_cira_apf_init(&d, &test_log);

    for (i = 0, pos = input; ngx_cira_apf_read(&d, &pos, p) == NGX_OK; i++) {
        if (d.msg.cookie != i) {
            break;
        }
    }

    ok(i == 200 && pos == p, "200 messages in one piece");

    p = input + hex(input, "05 00000003 414243 05 00000000");
    ngx_cira_apf_init(&d, &test_log);
    ok(feed(&d, input, p - input, 0) == NGX_OK && d.msg.text->name.len == 0
       && d.msg.text->data[0] == 0, "strings are wiped between messages");
    ngx_cira_apf_release(&d);
    ok(d.msg.text == NULL, "and freed");
}


int
main(void)
{
    test_vectors();
    test_encoders();
    test_limits();
    test_oddities();

    return done();
}
