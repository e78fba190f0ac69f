
/*
 * WebSocket codec: every rule of RFC 6455 section 5 that a server checks, at
 * every cut of the input; UTF-8 against a check written the other way round.
 */


#include "ws_unit.h"
#include "tap.h"


#define MAX  (1024 * 1024)


static u_char  in[MAX];
static size_t  in_len;
static u_char  out[2 * MAX + 1024], out2[2 * MAX + 1024];


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
cut_at(size_t offset, void *data)
{
    return offset == *(size_t *) data;
}


/* form: 0 the shortest, else bytes of the length (1, 2, 8) */

static void
frame_head(ngx_uint_t first, uint64_t len, ngx_uint_t form, ngx_uint_t masked)
{
    ngx_int_t  i;

    if (form == 0) {
        form = len < 126 ? 1 : len < 65536 ? 2 : 8;
    }

    in[in_len++] = (u_char) first;
    in[in_len++] = (masked ? 0x80 : 0)
                   | (form == 1 ? (u_char) len : form == 2 ? 126 : 127);

    for (i = form - 1; form > 1 && i >= 0; i--) {
        in[in_len++] = (u_char) (len >> (8 * i));
    }
}


static void
frame(ngx_uint_t first, const void *payload, size_t len)
{
    size_t         i;
    const u_char  *p = payload;

    static u_char  mask[4] = { 0x37, 0xfa, 0x21, 0x3d };

    frame_head(first, len, 0, 1);

    mask[0] += 7;
    memcpy(in + in_len, mask, 4);
    in_len += 4;

    for (i = 0; i < len; i++) {
        in[in_len++] = p[i] ^ mask[i & 3];
    }
}


static void
text(ngx_uint_t first, const char *s)
{
    frame(first, s, strlen(s));
}


static void
expect(const char *name, const char *events, uint64_t max_frame,
    uint64_t max_message)
{
    size_t      i;
    ngx_uint_t  broken, bad;

    broken = 0;
    bad = 0;

    ws_events(in, in_len, max_frame, max_message, cut_never, NULL, out,
              &broken);
    ws_events(in, in_len, max_frame, max_message, cut_always, NULL, out2,
              &broken);

    if (strcmp((char *) out, (char *) out2) != 0) {
        bad = 1;
    }

    for (i = 1; i < in_len && in_len < 600; i++) {
        ws_events(in, in_len, max_frame, max_message, cut_at, &i, out2,
                  &broken);

        if (strcmp((char *) out, (char *) out2) != 0) {
            bad = i;
        }
    }

    if (!ok(strcmp((char *) out, events) == 0 && !bad && !broken, "%s", name))
    {
        printf("# got:      %.300s\n# expected: %.300s\n# cut %d broken %d\n",
               out, events, (int) bad, (int) broken);
    }

    in_len = 0;
}


static void
test_frames(void)
{
    u_char      key[4];
    ngx_uint_t  i;
    char        name[64], events[64];

    text(0x81, "");
    expect("empty text", "T{}", 0, 0);

    text(0x82, "");
    expect("empty binary", "B{}", 0, 0);

    text(0x81, "Hello");
    expect("text", "T{48656c6c6f}", 0, 0);

    text(0x01, "Hel");
    text(0x80, "lo");
    expect("two fragments", "T{48656c6c6f}", 0, 0);

    text(0x01, "");
    text(0x00, "");
    text(0x80, "");
    expect("empty fragments", "T{}", 0, 0);

    text(0x02, "");
    text(0x00, "a");
    text(0x00, "");
    text(0x80, "");
    expect("empty fragments around a byte", "B{61}", 0, 0);

    text(0x01, "a");
    text(0x89, "ping");
    text(0x00, "b");
    text(0x8a, "");
    text(0x80, "c");
    expect("control frames within a message", "T{61P(70696e67)62O()63}", 0, 0);

    text(0x82, "one");
    text(0x81, "two");
    text(0x89, "");
    expect("messages one after the other", "B{6f6e65}T{74776f}P()", 0, 0);

    for (i = 0x80; i < 0x100; i++) {

        if ((i & 0x70) == 0 || (i & 0x0f) > 2) {
            continue;
        }

        in_len = 0;
        text(i, "x");
        snprintf(name, sizeof(name), "reserved bits, first byte %02x", (int) i);
        expect(name, "F(1002,reserved bit is set)", 0, 0);
    }

    for (i = 0; i < 16; i++) {

        if (i <= 2 || (i >= 8 && i <= 10)) {
            continue;
        }

        text(0x80 | i, "x");
        snprintf(name, sizeof(name), "reserved opcode %d", (int) i);
        expect(name, "F(1002,reserved opcode)", 0, 0);

        text(0x01, "a");
        text(i, "");
        snprintf(name, sizeof(name), "reserved opcode %d within a message",
                 (int) i);
        expect(name, "T{61F(1002,reserved opcode)", 0, 0);
    }

    for (i = 8; i <= 10; i++) {
        text(i, "");
        expect("fragmented control frame", "F(1002,fragmented control frame)",
               0, 0);

        frame_head(0x80 | i, 126, 0, 1);
        expect("control frame of 126 bytes",
               "F(1002,control frame is too long)", 0, 0);

        frame_head(0x80 | i, 5, 8, 1);
        expect("control frame with a long length",
               "F(1002,control frame is too long)", 0, 0);
    }

    text(0x80, "x");
    expect("continuation of nothing", "F(1002,nothing to continue)", 0, 0);

    text(0x00, "x");
    expect("continuation of nothing, more to come",
           "F(1002,nothing to continue)", 0, 0);

    text(0x81, "x");
    text(0x80, "y");
    expect("continuation after a message",
           "T{78}F(1002,nothing to continue)", 0, 0);

    text(0x01, "x");
    text(0x81, "y");
    expect("text within a message", "T{78F(1002,message within a message)",
           0, 0);

    text(0x02, "x");
    text(0x02, "y");
    expect("binary within a message", "B{78F(1002,message within a message)",
           0, 0);

    frame_head(0x81, 5, 0, 0);
    expect("not masked", "F(1002,frame is not masked)", 0, 0);

    frame_head(0x89, 0, 0, 0);
    expect("control frame not masked", "F(1002,frame is not masked)", 0, 0);

    for (i = 0; i < 2; i++) {
        frame_head(0x82, i ? 125 : 0, 2, 1);
        expect("length in two bytes that fits in one",
               "F(1002,length is not written the shortest way)", 0, 0);

        frame_head(0x82, i ? 65535 : 126, 8, 1);
        expect("length in eight bytes that fits in two",
               "F(1002,length is not written the shortest way)", 0, 0);
    }

    frame_head(0x82, 0x8000000000000000ULL, 8, 1);
    expect("length with its highest bit",
           "F(1002,length has its highest bit set)", 0, 0);

    frame_head(0x82, 0x7fffffffffffffffULL, 8, 1);
    memcpy(in + in_len, "\0\0\0\0abc", 7);
    in_len += 7;
    expect("the greatest length", "B{616263", 0, 0);

    frame_head(0x02, 0x7fffffffffffffffULL, 8, 1);
    expect("the greatest length with caps", "F(1009,frame is too big)",
           1000, 1000);

    /* a mask of zeros, and one that is the text */

    memset(key, 0, 4);
    frame_head(0x81, 4, 0, 1);
    memcpy(in + in_len, "\0\0\0\0abcd", 8);
    in_len += 8;
    frame_head(0x82, 4, 0, 1);
    memcpy(in + in_len, "abcdabcd", 8);
    in_len += 8;
    expect("special masks", "T{61626364}B{00000000}", 0, 0);

    /* what is after the end does not matter */

    for (i = 0; i < 3; i++) {
        frame(0x88, "\003\350bye", i == 0 ? 0 : i == 1 ? 2 : 5);
        text(0xff, "garbage");
        snprintf(events, sizeof(events), "C(%s)",
                 i == 0 ? "1005," : i == 1 ? "1000," : "1000,627965");
        expect("close, then garbage", events, 0, 0);
    }
}


static void
test_close(void)
{
    u_char       payload[125];
    char         events[300], name[64], *p;
    ngx_uint_t   code, good, i;

    static ngx_uint_t  codes[] = {
        0, 1, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009,
        1010, 1011, 1012, 1013, 1014, 1015, 1016, 1100, 2000, 2999, 3000, 3999,
        4000, 4999, 5000, 65535
    };

    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        code = codes[i];
        good = (code >= 1000 && code <= 1014 && code != 1004 && code != 1005
                && code != 1006)
               || (code >= 3000 && code < 5000);

        payload[0] = code >> 8;
        payload[1] = code & 0xff;
        frame(0x88, payload, 2);

        snprintf(events, sizeof(events), good ? "C(%d,)"
                 : "F(1002,invalid close code)", (int) code);
        snprintf(name, sizeof(name), "close code %d", (int) code);
        expect(name, events, 0, 0);
    }

    frame(0x88, "\003", 1);
    expect("half a close code", "F(1002,half a close code)", 0, 0);

    payload[0] = 3;
    payload[1] = 0xe8;
    memset(payload + 2, 'r', 123);
    frame(0x88, payload, 125);
    p = events + sprintf(events, "C(1000,");

    for (i = 0; i < 123; i++) {
        p += sprintf(p, "72");
    }

    strcpy(p, ")");
    expect("longest reason", events, 0, 0);

    frame(0x88, "\003\350\316", 3);
    expect("reason cut within a character",
           "F(1007,close reason is not UTF-8)", 0, 0);

    frame(0x88, "\003\350\355\240\200", 5);
    expect("reason with a surrogate", "F(1007,close reason is not UTF-8)",
           0, 0);

    text(0x01, "a");
    frame(0x88, "\003\350", 2);
    expect("close within a message", "T{61C(1000,)", 0, 0);

    /* what we send */

    for (i = 0; i < 3; i++) {
        u_char     buf[125], *last;
        ngx_str_t  reason;
        u_char     data[200];

        memset(data, 'a', sizeof(data));
        memcpy(data + (i == 2 ? 120 : 121), "\342\202\254", 3);
        reason.data = data;
        reason.len = i ? sizeof(data) : 2;

        last = ngx_amt_ws_close_payload(buf, 1001, &reason);

        ok(last - buf == (i == 0 ? 4 : i == 1 ? 123 : 125)
           && buf[0] == 3 && buf[1] == 0xe9
           && memcmp(buf + 2, data, last - buf - 2) == 0,
           "close payload, reason of %d", (int) reason.len);
    }

    ok(ngx_amt_ws_close_payload(payload, 1000, NULL) == payload + 2
       && ngx_amt_ws_close_payload(payload, 1005, NULL) == payload,
       "close payload without reason, without code");
}


static void
test_sizes(void)
{
    size_t       i, n, k;
    char         name[64];
    u_char      *p, *q, *events;
    ngx_uint_t   broken, bad;

    static size_t  sizes[] = {
        0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 124, 125, 126, 127, 128, 65535,
        65536, 65537, 200000
    };

    events = malloc(2 * MAX);
    p = malloc(MAX);

    for (i = 0; i < MAX; i++) {
        p[i] = (u_char) (i * 31 + (i >> 8));
    }

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        n = sizes[i];

        frame(0x82, p, n);
        events[0] = 'B';
        events[1] = '{';
        strcpy((char *) ngx_hex_dump(events + 2, p, n), "}");

        snprintf(name, sizeof(name), "binary of %d bytes", (int) n);
        expect(name, (char *) events, 0, 0);

        if (n <= 125) {
            frame(0x89, p, n);
            events[0] = 'P';
            events[1] = '(';
            strcpy((char *) ngx_hex_dump(events + 2, p, n), ")");

            snprintf(name, sizeof(name), "ping of %d bytes", (int) n);
            expect(name, (char *) events, 0, 0);
        }
    }

    /* every cut of a longer frame: the mask goes on where it was */

    frame(0x82, p, 300);
    bad = 0;
    broken = 0;
    ws_events(in, in_len, 0, 0, cut_never, NULL, out, &broken);

    for (i = 1; i < in_len; i++) {
        ws_events(in, in_len, 0, 0, cut_at, &i, out2, &broken);
        bad |= strcmp((char *) out, (char *) out2) != 0;
    }

    ok(!bad && !broken, "a frame of 300 bytes cut everywhere");
    in_len = 0;

    free(p);

    /* heads of our own frames, read by what was written above */

    bad = 0;

    for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        n = sizes[i];
        q = malloc(NGX_AMT_WS_HEAD);
        p = ngx_amt_ws_frame(q + NGX_AMT_WS_HEAD, 0x81, n);

        in_len = 0;
        frame_head(0x81, n, 0, 0);

        k = q + NGX_AMT_WS_HEAD - p;
        bad |= k != in_len || memcmp(in, p, k) != 0
               || ngx_amt_ws_head_len(n) != k;
        free(q);
    }

    in_len = 0;
    ok(!bad, "heads of frames of every length");

    free(events);
}


static void
test_caps(void)
{
    text(0x82, "12345");
    expect("frame at its cap", "B{3132333435}", 5, 0);

    text(0x82, "123456");
    expect("frame above its cap", "F(1009,frame is too big)", 5, 0);

    text(0x02, "123");
    text(0x00, "45");
    text(0x80, "");
    expect("message at its cap", "B{3132333435}", 0, 5);

    text(0x02, "123");
    text(0x00, "456");
    expect("message above its cap, known at the head",
           "B{313233F(1009,message is too big)", 0, 5);

    text(0x02, "123");
    text(0x80, "45");
    text(0x82, "12345");
    expect("the cap is per message", "B{3132333435}B{3132333435}", 3 + 2, 5);

    text(0x02, "12345");
    text(0x89, "123456789");
    text(0x80, "");
    expect("control frames do not count", "B{3132333435P(313233343536373839)}",
           5, 5);

    frame_head(0x02, 3, 0, 1);
    memcpy(in + in_len, "\0\0\0\0abc", 7);
    in_len += 7;
    frame_head(0x00, 0x7fffffffffffffffULL, 8, 1);
    expect("length that would wrap the sum",
           "B{616263F(1009,message is too big)", 0, 0x7fffffffffffffffULL);
}


/* By value instead of by table: valid if it is what encoding gives. */

static ngx_uint_t
utf8_valid(u_char *p, size_t len)
{
    size_t    n, i;
    u_char    again[4];
    uint32_t  code;

    while (len) {
        n = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;

        if (n > len || (p[0] & 0xc0) == 0x80 || p[0] >= 0xf8) {
            return 0;
        }

        code = n == 1 ? p[0] : p[0] & (0x7f >> n);

        for (i = 1; i < n; i++) {

            if ((p[i] & 0xc0) != 0x80) {
                return 0;
            }

            code = code << 6 | (p[i] & 0x3f);
        }

        if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) {
            return 0;
        }

        i = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;

        if (i != n) {
            return 0;
        }

        switch (n) {
        case 1:
            again[0] = code;
            break;
        default:
            again[0] = (u_char) (0xf00 >> n) | (code >> (6 * (n - 1)));
        }

        for (i = 1; i < n; i++) {
            again[i] = 0x80 | ((code >> (6 * (n - 1 - i))) & 0x3f);
        }

        if (memcmp(again, p, n) != 0) {
            return 0;
        }

        p += n;
        len -= n;
    }

    return 1;
}


/* Whether it can become valid with more bytes */

static ngx_uint_t
utf8_prefix(u_char *p, size_t len)
{
    u_char      buf[16];
    ngx_uint_t  a, b, c;

    static u_char  tail[] = { 0x80, 0x90, 0xa0, 0xbf, 0x8f, 0x9f };

    if (utf8_valid(p, len)) {
        return 1;
    }

    memcpy(buf, p, len);

    for (a = 0; a < sizeof(tail); a++) {
        buf[len] = tail[a];

        if (utf8_valid(buf, len + 1)) {
            return 1;
        }

        for (b = 0; b < sizeof(tail); b++) {
            buf[len + 1] = tail[b];

            if (utf8_valid(buf, len + 2)) {
                return 1;
            }

            for (c = 0; c < sizeof(tail); c++) {
                buf[len + 2] = tail[c];

                if (utf8_valid(buf, len + 3)) {
                    return 1;
                }
            }
        }
    }

    return 0;
}


static void
test_utf8(void)
{
    u_char              buf[16], *bad, *end;
    size_t              len, i, k, cut;
    ngx_uint_t          n, wrong[3];
    ngx_amt_ws_utf8_t   u;

    static u_char  edge[] = {
        0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1,
        0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef, 0xf0, 0xf1, 0xf3,
        0xf4, 0xf5, 0xf7, 0xf8, 0xfb, 0xfc, 0xfd, 0xfe, 0xff
    };

    /* every pair; every four of the bytes where something changes */

    memset(wrong, 0, sizeof(wrong));

    for (n = 0; n < 65536 + 31 * 31 * 31 * 31; n++) {

        if (n < 65536) {
            len = 2;
            buf[0] = n >> 8;
            buf[1] = n & 0xff;

        } else {
            len = 4;
            k = n - 65536;

            for (i = 0; i < 4; i++) {
                buf[i] = edge[k % 31];
                k /= 31;
            }
        }

        ngx_memzero(&u, sizeof(u));
        bad = ngx_amt_ws_utf8(&u, buf, buf + len);

        wrong[0] += utf8_valid(buf, len)
                    != (ngx_uint_t) (bad == buf + len && !u.need);

        /* the first bad byte is the first that cannot be saved */

        if (n < 65536 || n % 61 == 0) {

            for (i = 1; i <= len && utf8_prefix(buf, i); i++) { /* void */ }

            wrong[1] += (size_t) (bad - buf) != (i > len ? len : i - 1);
        }

        for (cut = 1; cut < len; cut++) {
            ngx_memzero(&u, sizeof(u));
            end = ngx_amt_ws_utf8(&u, buf, buf + cut);

            if (end == buf + cut) {
                end = ngx_amt_ws_utf8(&u, end, buf + len);
            }

            wrong[2] += end != bad;
        }
    }

    ok(wrong[0] == 0, "UTF-8: valid and invalid (%d differ)", (int) wrong[0]);
    ok(wrong[1] == 0, "UTF-8: the first bad byte (%d differ)", (int) wrong[1]);
    ok(wrong[2] == 0, "UTF-8: in two parts (%d differ)", (int) wrong[2]);

    /* within longer text: the same byte by byte and at once */

    wrong[0] = 0;

    for (n = 0; n < 400000; n++) {
        u_char  *block;

        len = 40 + n % 70;
        block = malloc(len);

        for (i = 0; i < len; i++) {
            block[i] = (n & 1) ? 'a' : (i & 1) ? 0xa4 : 0xc3;
        }

        k = (n >> 1) % (len - 4);

        for (i = 0; i < 4; i++) {
            block[k + i] = edge[random() % 31];
        }

        ngx_memzero(&u, sizeof(u));
        bad = ngx_amt_ws_utf8(&u, block, block + len);

        cut = u.need;
        ngx_memzero(&u, sizeof(u));

        for (end = block; end < block + len; end++) {

            if (ngx_amt_ws_utf8(&u, end, end + 1) == end) {
                break;
            }
        }

        wrong[0] += end != bad || u.need != cut
                    || (bad == block + len && !cut) != utf8_valid(block, len);
        free(block);
    }

    ok(wrong[0] == 0, "UTF-8: in longer text (%d differ)", (int) wrong[0]);

    /* every code point */

    wrong[0] = 0;

    for (n = 0; n < 0x110000; n++) {
        len = n < 0x80 ? 1 : n < 0x800 ? 2 : n < 0x10000 ? 3 : 4;
        buf[0] = len == 1 ? n : (u_char) (0xf00 >> len) | (n >> 6 * (len - 1));

        for (i = 1; i < len; i++) {
            buf[i] = 0x80 | ((n >> (6 * (len - 1 - i))) & 0x3f);
        }

        ngx_memzero(&u, sizeof(u));
        end = ngx_amt_ws_utf8(&u, buf, buf + len);

        wrong[0] += (n >= 0xd800 && n < 0xe000)
                    != !(end == buf + len && u.need == 0);
    }

    ok(wrong[0] == 0, "UTF-8: every code point (%d wrong)", (int) wrong[0]);

    /* in messages, at every cut */

    text(0x81, "\316\272\341\275\271\317\203\316\274\316\265");
    expect("greek word", "T{cebae1bdb9cf83cebcceb5}", 0, 0);

    text(0x01, "\316");
    text(0x00, "\272\341");
    text(0x89, "");
    text(0x00, "\275");
    text(0x80, "\271");
    expect("characters cut by fragments", "T{cebae1P()bdb9}", 0, 0);

    text(0x81, "a\316");
    expect("text that ends within a character",
           "T{61ceF(1007,text ends within a character)", 0, 0);

    text(0x01, "a\316");
    text(0x80, "");
    expect("text that ends within a character, empty last fragment",
           "T{61ceF(1007,text ends within a character)", 0, 0);

    text(0x81, "ab\355\240\200edited");
    expect("surrogate", "T{6162edF(1007,text is not UTF-8)", 0, 0);

    text(0x01, "ab\364");
    text(0x00, "\220");
    expect("fails at the first byte above U+10FFFF",
           "T{6162f4F(1007,text is not UTF-8)", 0, 0);

    text(0x81, "\377");
    expect("nothing but a bad byte", "F(1007,text is not UTF-8)", 0, 0);

    text(0x82, "\377\316");
    expect("binary is not checked", "B{ffce}", 0, 0);

    text(0x01, "\316");
    text(0x80, "\272");
    text(0x81, "a");
    expect("the next text starts anew", "T{ceba}T{61}", 0, 0);
}


static void
test_bytes(void)
{
    size_t                len, i, k, cut, units, most;
    u_char                buf[512], again[1024], *p, *end, *wide, *src;
    uint32_t              code;
    u_char                want[512];
    ngx_uint_t            wrong, round;
    ngx_amt_ws_narrow_t   n;

    /* characters of every length, cut everywhere */

    wrong = 0;
    srandom(1);

    for (round = 0; round < 20000; round++) {
        len = 0;
        units = 0;

        most = random() % 4;

        for (k = random() % (round % 5 ? 120 : 8) + 1; k; k--) {

            /* text of one length for the most part, as real text is */

            do {
                i = random() % 3 ? most : (size_t) random() % 4;
                code = random() % (i == 0 ? 0x80 : i == 1 ? 0x800
                                   : i == 2 ? 0x10000 : 0x110000);
            } while (code >= 0xd800 && code < 0xe000);

            if (code < 0x80) {
                buf[len++] = code;

            } else if (code < 0x800) {
                buf[len++] = 0xc0 | code >> 6;
                buf[len++] = 0x80 | (code & 0x3f);

            } else if (code < 0x10000) {
                buf[len++] = 0xe0 | code >> 12;
                buf[len++] = 0x80 | (code >> 6 & 0x3f);
                buf[len++] = 0x80 | (code & 0x3f);

            } else {
                buf[len++] = 0xf0 | code >> 18;
                buf[len++] = 0x80 | (code >> 12 & 0x3f);
                buf[len++] = 0x80 | (code >> 6 & 0x3f);
                buf[len++] = 0x80 | (code & 0x3f);
            }

            if (code >= 0x10000) {
                want[units++] = (0xd800 + ((code - 0x10000) >> 10)) & 0xff;
                want[units++] = (0xdc00 + ((code - 0x10000) & 0x3ff)) & 0xff;

            } else {
                want[units++] = code & 0xff;
            }
        }

        ngx_memzero(&n, sizeof(n));
        end = again;

        for (i = 0; i < len; i += cut) {
            cut = (size_t) random() % (round & 4 ? 4 : 90) + 1;
            cut = round % 3 == 0 ? len : round % 3 == 1 ? 1 : cut;
            cut = ngx_min(cut, len - i);

            p = malloc(cut);
            memcpy(p, buf + i, cut);
            k = ngx_amt_ws_narrow(&n, p, p + cut) - p;
            wrong += k > cut;
            memcpy(end, p, k);
            end += k;
            free(p);
        }

        wrong += (size_t) (end - again) != units
                 || memcmp(again, want, units) != 0;
    }

    ok(wrong == 0, "characters to bytes (%d wrong)", (int) wrong);

    /* bytes to characters and back, and within one buffer */

    wrong = 0;

    for (round = 0; round < 20000; round++) {
        len = random() % 200;

        for (i = 0; i < len; i++) {
            buf[i] = (round & 1) ? random() : (round & 2) ? random() % 0x90
                     : random() % 0x80 + (random() % 40 == 0 ? 0x80 : 0);
        }

        wide = malloc(2 * len + 1);
        src = wide + len;
        memcpy(src, buf, len);
        end = ngx_amt_ws_widen(wide, src, len);

        for (i = 0, k = 0; i < len; i++) {

            if (buf[i] >= 0x80) {
                again[k++] = 0xc0 | buf[i] >> 6;
                again[k++] = 0x80 | (buf[i] & 0x3f);

            } else {
                again[k++] = buf[i];
            }
        }

        wrong += (size_t) (end - wide) != k || memcmp(wide, again, k) != 0;

        ngx_memzero(&n, sizeof(n));
        end = ngx_amt_ws_narrow(&n, wide, end);

        wrong += (size_t) (end - wide) != len || memcmp(wide, buf, len) != 0;
        free(wide);
    }

    ok(wrong == 0, "bytes to characters and back (%d wrong)", (int) wrong);
}


int
main(void)
{
    ngx_amt_ws_reader_t  r;
    u_char               buf[] = { 0x01, 0x81, 0, 0, 0, 0, 'a' }, *p;

    test_frames();
    test_close();
    test_sizes();
    test_caps();
    test_utf8();
    test_bytes();

    ngx_amt_ws_reader_init(&r, 0, 0);
    ok(ngx_amt_ws_reader_idle(&r), "idle at first");

    p = buf;
    (void) ngx_amt_ws_read(&r, &p, buf + 1);
    ok(!ngx_amt_ws_reader_idle(&r), "not idle within a frame");

    (void) ngx_amt_ws_read(&r, &p, buf + sizeof(buf));
    ok(!ngx_amt_ws_reader_idle(&r), "not idle within a message");

    return done();
}
