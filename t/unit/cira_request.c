
/*
 * Heads, chunks and LIST lines of CONNECT listeners; everything in one
 * piece, byte by byte, and in two pieces at each place.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_request.h"
#include "tap.h"


#define GUID  "4c4c4544-0001-4d10-8051-000000000001"


/* for test names, which are lines */

static char *
shown(char *text)
{
    size_t       i;
    static char  buf[64];

    for (i = 0; text[i] && i < sizeof(buf) - 1; i++) {
        buf[i] = text[i] >= ' ' ? text[i] : '.';
    }

    buf[i] = '\0';

    return buf;
}


/* cut 0: in one piece; n: in two, the first of n bytes; -1: byte by byte */

static ngx_int_t
parse(ngx_cira_request_t *r, char *text, size_t len, int cut, size_t *used)
{
    u_char     *p, *last, *end, *copy;
    ngx_int_t   rc;

    ngx_memzero(r, sizeof(ngx_cira_request_t));

    /* of exactly this size: the sanitizer sees a byte too far */

    copy = malloc(len ? len : 1);
    ngx_memcpy(copy, text, len);

    p = copy;
    end = copy + len;
    rc = NGX_AGAIN;

    while (p < end && rc == NGX_AGAIN) {
        last = cut < 0 ? p + 1
                       : (cut && p < copy + cut ? copy + cut : end);
        rc = ngx_cira_request_parse(r, &p, last);

        if (rc == NGX_AGAIN && p != last) {
            rc = -100;
        }
    }

    if (used) {
        *used = p - copy;
    }

    free(copy);

    return rc;
}


static void
good(char *text, ngx_cira_method_e method, ngx_uint_t port)
{
    int                  i;
    size_t               len, used;
    ngx_uint_t           bad;
    ngx_cira_request_t   r;

    len = strlen(text);
    bad = 0;

    for (i = -1; i < (int) len; i++) {
        bad += parse(&r, text, len, i, &used) != NGX_OK || used != len
               || r.method != method || r.port != port;
    }

    ok(bad == 0, "accepted: %s", shown(text));

    for (i = 0; i < (int) len; i++) {
        if (parse(&r, text, i, 0, NULL) != NGX_AGAIN && i) {
            bad++;
        }
    }

    ok(bad == 0, "and not before it is complete");
}


static void
bad(ngx_uint_t status, char *text)
{
    int                  i;
    size_t               len;
    ngx_uint_t           wrong;
    ngx_cira_request_t   r;

    len = strlen(text);
    wrong = 0;

    for (i = -1; i < (int) len; i++) {
        wrong += parse(&r, text, len, i, NULL) != NGX_ERROR
                 || r.status != status || r.error == NULL;
    }

    ok(wrong == 0, "refused, %d: %s", (int) status, shown(text));
}


static void
test_requests(void)
{
    char                 text[4096];
    size_t               used;
    u_char               buf[1024], *p;
    ngx_int_t            rc;
    ngx_cira_request_t   r, again;

    good("CONNECT " GUID ":16992 HTTP/1.1\r\n\r\n", NGX_CIRA_CONNECT, 16992);
    good("CONNECT " GUID ":5900 HTTP/1.0\r\nHost: x:1\r\n\r\n",
         NGX_CIRA_CONNECT, 5900);
    good("LIST * HTTP/1.1\r\n\r\n", NGX_CIRA_LIST, 0);
    good("LIST " GUID " HTTP/1.1\r\n\r\n", NGX_CIRA_LIST, 0);
    good("LOCATE " GUID " HTTP/1.1\r\n\r\n", NGX_CIRA_LOCATE, 0);
    good("EVICT " GUID ":9223372036854775807 HTTP/1.1\r\n"
         "CIRA-Reason: 17\r\n\r\n", NGX_CIRA_EVICT, 0);
    good("CONNECT " GUID ":16993 HTTP/1.1\r\ncira-release:chunked\r\n"
         "CIRA-SLOT: \t wsman \t\r\nCIRA-Fresh: 0\r\nCIRA-Tenant: a_b\r\n"
         "Content-Length: 0\r\nEmpty:\r\n\r\n", NGX_CIRA_CONNECT, 16993);

    bad(405, "GET / HTTP/1.1\r\n");
    bad(405, "CONNECTX " GUID ":16992 HTTP/1.1\r\n");
    bad(403, "CONNECT " GUID ":16991 HTTP/1.1\r\n");
    bad(403, "CONNECT " GUID ":1 HTTP/1.1\r\n");
    bad(400, "CONNECT " GUID ":65536 HTTP/1.1\r\n");
    bad(400, "CONNECT " GUID ":-1 HTTP/1.1\r\n");
    bad(400, "CONNECT " GUID ":99999999999999999999999 HTTP/1.1\r\n");
    bad(400, "EVICT " GUID ":9223372036854775808 HTTP/1.1\r\n");
    bad(400, "EVICT " GUID ":18446744073709551617 HTTP/1.1\r\n");
    bad(400, "EVICT " GUID " HTTP/1.1\r\n");

    good("ASK " GUID ":7 HTTP/1.1\r\n\r\n", NGX_CIRA_ASK, 0);
    bad(400, "ASK " GUID ":x HTTP/1.1\r\n");
    bad(400, "ASK *:1 HTTP/1.1\r\n");
    bad(400, "LIST  HTTP/1.1\r\n");
    bad(400, "LIST " GUID "x HTTP/1.1\r\n");
    bad(400, "LIST ** HTTP/1.1\r\n");
    bad(400, "LOCATE * HTTP/1.1\r\n");
    bad(400, "CONNECT " GUID ":16992HTTP/1.1\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1 \r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.\r\n");
    bad(400, "CONNECT\r\n");
    bad(400, "\r\n");
    bad(400, " \r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\rX");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\n: x\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\nX Y: x\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\nX\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\nX: \x01\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\nCIRA-Reason: 0\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\nCIRA-Reason: 256\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\nCIRA-Fresh:\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\nCIRA-Tenant: a b\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\nCIRA-Slot: wsman\r\n"
        "CIRA-Slot: wsman\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\n"
        "CIRA-Holder: 0000000000000000\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\n"
        "CIRA-Holder: 0123456789abcde\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\n"
        "CIRA-Holder: 0123456789abcdef0\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\n"
        "CIRA-Holder: 0123456789ABCDEF\r\n");
    bad(400, "CONNECT " GUID ":16992 HTTP/1.1\r\n"
        "CIRA-Holder: 0123456789abcdef\r\n"
        "CIRA-Holder: 0123456789abcdef\r\n");

    /* the limit is the whole head, to the byte */

    used = sprintf(text, "CONNECT " GUID ":16992 HTTP/1.1\r\nX: ");
    memset(text + used, 'a', NGX_CIRA_HEAD_MAX);
    memcpy(text + NGX_CIRA_HEAD_MAX - 4, "\r\n\r\n", 4);
    ok(parse(&r, text, NGX_CIRA_HEAD_MAX, -1, NULL) == NGX_OK,
       "a head of %d bytes", NGX_CIRA_HEAD_MAX);
    memset(text + used, 'a', NGX_CIRA_HEAD_MAX);
    memcpy(text + NGX_CIRA_HEAD_MAX - 3, "\r\n\r\n", 4);
    ok(parse(&r, text, NGX_CIRA_HEAD_MAX + 1, -1, NULL) == NGX_ERROR
       && r.status == 400, "one more is too many");

    /* what is behind the head is left */

    strcpy(text, "CONNECT " GUID ":16992 HTTP/1.1\r\n\r\nmore");
    rc = parse(&r, text, strlen(text), 0, &used);
    ok(rc == NGX_OK && used == strlen(text) - 4, "bytes behind are left");

    /* credentials */

    strcpy(text, "CONNECT " GUID ":16992 HTTP/1.1\r\n"
           "Proxy-Authorization: bAsIc dTpw\r\n\r\n");
    ok(parse(&r, text, strlen(text), -1, NULL) == NGX_OK && r.auth_len == 4
       && memcmp(r.auth, "dTpw", 4) == 0, "Basic credentials");
    strcpy(text, "CONNECT " GUID ":16992 HTTP/1.1\r\n"
           "Proxy-Authorization: Digest x\r\n\r\n");
    ok(parse(&r, text, strlen(text), -1, NULL) == NGX_OK && r.auth_len == 0,
       "others are none");
    used = sprintf(text, "CONNECT " GUID ":16992 HTTP/1.1\r\n"
                   "Proxy-Authorization: Basic ");
    memset(text + used, 'a', 513);
    strcpy(text + used + 513, "\r\n\r\n");
    ok(parse(&r, text, strlen(text), -1, NULL) == NGX_ERROR, "513 bytes");

    /* what is forwarded is read by the owner as it was meant */

    strcpy(text, "CONNECT 4C4C4544-0001-4D10-8051-000000000001:16994 HTTP/1.1"
           "\r\nCIRA-Release: chunked\r\nCIRA-Slot: wsman\r\nCIRA-Fresh: 1\r\n"
           "CIRA-Holder: 00f0123456789abc\r\nCIRA-Tenant: t\r\n"
           "Proxy-Authorization: Basic eA==\r\n\r\n");
    ok(parse(&r, text, strlen(text), 0, NULL) == NGX_OK, "all headers");
    p = ngx_cira_request_write(buf, buf + sizeof(buf), &r);
    ok(p != NULL, "are written");
    ok(parse(&again, (char *) buf, p - buf, 0, &used) == NGX_OK
       && used == (size_t) (p - buf)
       && memcmp(r.guid, again.guid, sizeof(r.guid)) == 0
       && again.port == 16994 && again.release && again.slot && again.fresh
       && again.holder == 0x00f0123456789abcULL
       && again.has_tenant && again.tenant_len == 1, "and read again");
    ok(again.auth_len == 0, "but no credentials");
    ok(ngx_cira_request_write(buf, buf + 40, &r) == NULL, "never beyond");
}


static ngx_int_t
response(ngx_cira_response_t *r, char *text, int step)
{
    u_char     *p, *end, *last;
    ngx_int_t   rc;

    ngx_memzero(r, sizeof(ngx_cira_response_t));

    p = (u_char *) text;
    end = p + strlen(text);
    rc = NGX_AGAIN;

    while (p < end && rc == NGX_AGAIN) {
        last = step ? p + 1 : end;
        rc = ngx_cira_response_parse(r, &p, last);
    }

    return rc;
}


static void
test_responses(void)
{
    u_char               buf[1024], *p;
    ngx_str_t            state;
    ngx_uint_t           i;
    ngx_cira_response_t  r;
    static ngx_uint_t    statuses[] = { 400, 403, 404, 405, 407, 502, 503,
                                        504, 599 };
    static char         *wrong[] = {
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 2000\r\n\r\n",
        "HTTP/1.1 20\r\n\r\n",
        "HTTP/1.1 abc\r\n\r\n",
        "HTTP/1.1  200\r\n\r\n",
        "x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 01\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nCIRA-Next: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno\r\n\r\n",
        "HTTP/1.1 200 OK\n\r\n"
    };

    for (i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        p = ngx_cira_response_error(buf, buf + sizeof(buf), statuses[i], 4,
                                    "why");
        *p = '\0';
        ok(response(&r, (char *) buf, 1) == NGX_OK
           && r.status == (statuses[i] == 599 ? 500 : statuses[i])
           && r.length == 4, "answer %d", (int) statuses[i]);
    }

    ok(strstr((char *) buf, "\r\nCIRA-Reason: 4\r\n") != NULL, "CIRA-Reason");
    ok(ngx_cira_response_error(buf, buf + 50, 404, 0, "why") == NULL,
       "never beyond");

    state.data = (u_char *) "c3RhdGU";
    state.len = 7;
    p = ngx_cira_response_open(buf, buf + sizeof(buf), 1, 0, &state);
    *p = '\0';
    ok(strcmp((char *) buf, "HTTP/1.1 200 OK\r\nCIRA-Reused: 1\r\n"
              "CIRA-State: c3RhdGU\r\n\r\n") == 0, "an open tunnel");
    ok(response(&r, (char *) buf, 0) == NGX_OK && r.status == 200, "is read");
    ok(ngx_cira_response_open(buf, buf + 30, 1, 1, &state) == NULL,
       "never beyond");

    state.len = 0;
    p = ngx_cira_response_open(buf, buf + sizeof(buf), 0, 1, &state);
    *p = '\0';
    ok(strcmp((char *) buf, "HTTP/1.1 200 OK\r\nCIRA-Reused: 0\r\n"
              "CIRA-Kept: 1\r\n\r\n") == 0, "the slot was kept");

    ok(response(&r, "HTTP/1.1 200\r\nContent-Length: 0\r\nCIRA-Next: " GUID
                "\r\n\r\n", 1) == NGX_OK && r.has_next && r.length == 0,
       "a page of LIST");

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ok(response(&r, wrong[i], 1) == NGX_ERROR
           && response(&r, wrong[i], 0) == NGX_ERROR, "no answer: %s",
           shown(wrong[i]));
    }
}


/* Payload collected in out; returns the last result. */

static ngx_int_t
chunked(ngx_cira_chunked_t *ch, char *text, int cut, char *out,
    size_t *rest)
{
    u_char     *p, *start, *end, *last;
    ngx_int_t   rc;
    ngx_str_t   data;

    ngx_memzero(ch, sizeof(ngx_cira_chunked_t));

    start = (u_char *) text;
    p = start;
    end = p + strlen(text);
    rc = NGX_AGAIN;

    while (p < end && (rc == NGX_AGAIN || rc == NGX_OK)) {
        last = cut < 0 ? p + 1
                       : (cut && p < start + cut ? start + cut : end);

        rc = ngx_cira_chunked_parse(ch, &p, last, &data);

        if (rc == NGX_OK) {
            memcpy(out, data.data, data.len);
            out += data.len;
        }
    }

    *out = '\0';
    *rest = end - p;

    return rc;
}


static void
test_chunked(void)
{
    int                  i;
    char                 out[256], text[1024], *all;
    size_t               rest, bad;
    ngx_uint_t           n;
    ngx_cira_chunked_t   ch;
    static char         *wrong[] = {
        "\r\n", "x\r\n", "3\n", "3;a=b\r\n", "3\r\nabcd", "3\r\nabc\rx",
        "123456789\r\n", "0\r\nX\r\n", "0\r\nCIRA-State: a b\r\n\r\n",
        "0\r\nCIRA-State: a\r\nCIRA-State: b\r\n\r\n", " 3\r\n", "-1\r\n",
        "0x3\r\n", "0\r\nX: \x01\r\n", "0\r\nCIRA-Close: 0\r\n\r\n",
        "0\r\nCIRA-Close: 1\r\nCIRA-Close: 1\r\n\r\n"
    };

    all = "3\r\nabc\r\n00A\r\n0123456789\r\n1\r\n\n\r\n0\r\nX-Other: y\r\n"
          "CIRA-State: bm9u_-E=\r\n\r\n";
    bad = 0;

    for (i = -1; i < (int) strlen(all); i++) {
        bad += chunked(&ch, all, i, out, &rest) != NGX_DONE || rest
               || strcmp(out, "abc0123456789\n") != 0
               || !ch.has_state || ch.state_len != 8
               || memcmp(ch.state_data, "bm9u_-E=", 8) != 0;
    }

    ok(bad == 0, "chunks and a trailer, cut at each place");

    ok(!ch.close && chunked(&ch, "0\r\ncira-close: 1\r\nCIRA-State: a\r\n"
                            "\r\n", -1, out, &rest) == NGX_DONE
       && ch.close && ch.has_state, "not to be used again");

    ok(chunked(&ch, "0\r\n\r\nmore", 0, out, &rest) == NGX_DONE && rest == 4
       && !ch.has_state && !ch.close, "bytes behind are left");
    ok(chunked(&ch, "5\r\nabc", -1, out, &rest) != NGX_DONE
       && strcmp(out, "abc") == 0, "a part of a chunk passes");

    for (n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++) {
        ok(chunked(&ch, wrong[n], -1, out, &rest) == NGX_ERROR
           && chunked(&ch, wrong[n], 0, out, &rest) == NGX_ERROR,
           "no chunk: %s", shown(wrong[n]));
    }

    for (n = 512; n <= 513; n++) {
        rest = sprintf(text, "0\r\nCIRA-State: ");
        memset(text + rest, 'a', n);
        strcpy(text + rest + n, "\r\n\r\n");
        ok((chunked(&ch, text, -1, out, &rest) == NGX_DONE) == (n == 512),
           "a state of %d bytes", (int) n);
    }

    rest = sprintf(text, "0\r\n");
    for (n = 0; n < 90; n++) {
        rest += sprintf(text + rest, "X-%d: abcde\r\n", (int) n);
        if (rest > 1000) {
            break;
        }
    }
    strcpy(text + 1010, "X");
    memset(text + rest, 'y', 1010 - rest);
    ok(chunked(&ch, text, -1, out, &rest) != NGX_DONE, "a trailer has an end");
}


static void
test_entries(void)
{
    u_char            buf[NGX_CIRA_ENTRY_MAX], *p;
    unsigned          i;
    size_t            n;
    ngx_cira_info_t   a, b;
    static char      *wrong[] = {
        "", GUID, GUID " 1 1 1 a", GUID " 1 1 1 a b c", GUID " 0 1 1 a b",
        GUID " 1 -1 1 a b", GUID " 1 1 x a b", "x 1 1 1 a b",
        GUID " 1 1 1 %4 b", GUID " 1 1 1 %4x b", GUID " 1 1 1 a %",
        GUID " 1  1 1 a b", GUID " 1 1 1 a ", GUID " 1 1 1 a\tb c",
        GUID " 1 1 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b"
    };

    for (n = 0; n <= NGX_CIRA_TENANT_LEN; n++) {
        ngx_memzero(&a, sizeof(a));
        ngx_cira_guid_parse((u_char *) GUID, 36, a.guid);
        a.generation = 1827364554637281ULL;
        a.connected = 1;
        a.last_seen = INT64_MAX;
        a.tenant_len = (u_char) n;
        a.addr_len = (u_char) (n * 113 / NGX_CIRA_TENANT_LEN);

        for (i = 0; i < sizeof(a.tenant); i++) {
            a.tenant[i] = (u_char) (i * 7 + n * 31);
        }

        for (i = 0; i < sizeof(a.addr); i++) {
            a.addr[i] = (u_char) "10.0.0.1 %-"[(i + n) % 11];
        }

        p = ngx_cira_entry_write(buf, buf + sizeof(buf), &a);

        if (p == NULL || p[-1] != LF
            || ngx_cira_entry_parse(buf, p - 1 - buf, &b) != NGX_OK
            || b.generation != a.generation || b.connected != a.connected
            || b.last_seen != a.last_seen || b.tenant_len != a.tenant_len
            || b.addr_len != a.addr_len
            || memcmp(a.tenant, b.tenant, n) != 0
            || memcmp(a.addr, b.addr, a.addr_len) != 0)
        {
            break;
        }
    }

    ok(n == NGX_CIRA_TENANT_LEN + 1, "lines of LIST are read as written");

    a.tenant_len = 1;
    a.tenant[0] = '-';
    p = ngx_cira_entry_write(buf, buf + sizeof(buf), &a);
    ok(ngx_cira_entry_parse(buf, p - 1 - buf, &b) == NGX_OK
       && b.tenant_len == 1 && b.tenant[0] == '-', "a tenant named -");

    n = p - buf;

    for (i = 0; i < n; i++) {
        if (ngx_cira_entry_write(buf, buf + i, &a) != NULL) {
            break;
        }
    }

    ok(i == n, "never beyond");

    for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ok(ngx_cira_entry_parse((u_char *) wrong[i], strlen(wrong[i]), &b)
           == NGX_ERROR, "no line: %s", shown(wrong[i]));
    }
}


int
main(void)
{
    test_requests();
    test_responses();
    test_chunked();
    test_entries();

    return done();
}
