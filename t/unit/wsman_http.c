
/* HTTP/1.1 answers, whole and byte by byte; request heads. */


#include "wsman_unit.h"
#include "wsman/ngx_amt_http.h"


static ngx_pool_t  *pool;


/*
 * Feeds text in pieces of n bytes, then the end of the connection when eof
 * is set.  Each piece is a block of its own, so that reading past it is
 * seen.  rest: bytes that were not taken.
 */

static ngx_int_t
feed(ngx_amt_http_response_t *r, const char *text, size_t len, size_t n,
    int eof, size_t *rest)
{
    u_char     *piece, *p;
    size_t      size, i;
    ngx_int_t   rc;

    rc = NGX_AGAIN;

    for (i = 0; i < len && rc == NGX_AGAIN; i += size) {

        size = ngx_min(n, len - i);
        piece = malloc(size);
        memcpy(piece, text + i, size);

        p = piece;
        rc = ngx_amt_http_parse(r, &p, piece + size);

        if (rc != NGX_AGAIN) {
            *rest = len - i - (p - piece);
        }

        free(piece);
    }

    if (rc == NGX_AGAIN) {
        *rest = 0;

        if (eof) {
            rc = ngx_amt_http_eof(r);
        }
    }

    return rc;
}


/* The same in all sizes of pieces. */

static int
answer_is(const char *text, int eof, ngx_int_t expected, ngx_uint_t status,
    const char *body, int keepalive, size_t expected_rest)
{
    size_t                    n, len, rest;
    ngx_int_t                 rc;
    ngx_amt_http_response_t   r;

    len = strlen(text);

    for (n = 1; n <= len; n++) {

        ngx_amt_http_init(&r, pool);

        rc = feed(&r, text, len, n, eof, &rest);

        if (rc != expected) {
            printf("# rc %d at %d: %s\n", (int) rc, (int) n,
                   r.reason ? r.reason : "");
            return 0;
        }

        if (rc == NGX_DECLINED && r.reason == NULL) {
            printf("# no reason\n");
            return 0;
        }

        if (rc != NGX_OK) {
            continue;
        }

        if (r.status != status || r.keepalive != (unsigned) keepalive
            || !unit_is(r.body, body) || rest != expected_rest)
        {
            printf("# %d %d \"%.*s\" %d at %d\n", (int) r.status,
                   r.keepalive, (int) r.body.len, r.body.data, (int) rest,
                   (int) n);
            return 0;
        }
    }

    return 1;
}


#define GOOD(text, status, body, keepalive)                                  \
    answer_is(text, 0, NGX_OK, status, body, keepalive, 0)
#define BAD(text)  answer_is(text, 0, NGX_DECLINED, 0, "", 0, 0)
#define MORE(text)  answer_is(text, 0, NGX_AGAIN, 0, "", 0, 0)

#define OK  "HTTP/1.1 200 OK\r\n"
#define CH  OK "Transfer-Encoding: chunked\r\n\r\n"


static void
test_framing(void)
{
    ok(GOOD(OK "Content-Length: 5\r\n\r\nhello", 200, "hello", 1), "length");
    ok(GOOD(OK "content-LENGTH:5  \r\n\r\nhello", 200, "hello", 1),
       "case and blanks");
    ok(GOOD(OK "Content-Length: 0\r\n\r\n", 200, "", 1), "length zero");
    ok(GOOD("HTTP/1.1 400\r\nContent-Length: 0\r\n\r\n", 400, "", 1),
       "no reason phrase");
    ok(answer_is(OK "Content-Length: 2\r\n\r\nhello", 0, NGX_OK, 200, "he",
                 1, 3), "bytes after the answer are left");
    ok(MORE(OK "Content-Length: 9\r\n\r\nhello"), "more of the body");
    ok(answer_is(OK "Content-Length: 9\r\n\r\nhello", 1, NGX_DECLINED, 0, "",
                 0, 0), "cut body");

    ok(GOOD(CH "5\r\nhello\r\n0\r\n\r\n", 200, "hello", 1), "chunked");
    ok(GOOD(CH "0004\r\nhell\r\n1\r\no\r\n0000\r\n\r\n", 200, "hello", 1),
       "zero-padded chunk sizes");
    ok(GOOD(CH "a\r\n" "0\r\n\r\n0\r\n\r\n" "\r\n0\r\n\r\n", 200,
            "0\r\n\r\n0\r\n\r\n", 1),
       "what looks like the end inside of a chunk");
    ok(GOOD(CH "1\r\nx\r\n0\r\nX-A: b\r\n\r\n", 200, "x", 1), "trailer");
    ok(MORE(CH "5\r\nhello\r\n0\r\n"), "end of chunks missing");
    ok(answer_is(CH "5\r\nhello\r\n", 1, NGX_DECLINED, 0, "", 0, 0),
       "cut chunks");

    ok(answer_is(OK "\r\nhello", 1, NGX_OK, 200, "hello", 0, 0),
       "until the connection ends");
    ok(answer_is(OK "\r\n", 1, NGX_OK, 200, "", 0, 0),
       "nothing until the connection ends");
    ok(GOOD("HTTP/1.1 400 Bad Request\r\n\r\n", 400, "", 0),
       "an error without length is over");
    ok(answer_is("HTTP/1.1 400 Bad Request\r\n\r\nx", 0, NGX_OK, 400, "", 0,
                 1), "and whatever follows is not read");
    ok(GOOD("HTTP/1.1 204 No Content\r\n\r\n", 204, "", 1), "204");

    ok(GOOD(OK "Connection: close\r\nContent-Length: 1\r\n\r\nx", 200, "x",
            0), "close");
    ok(GOOD(OK "Connection: foo, Close\r\nContent-Length: 1\r\n\r\nx", 200,
            "x", 0), "close among others");
    ok(GOOD("HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx", 200, "x", 0),
       "HTTP/1.0 closes");
    ok(GOOD("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n"
            "Content-Length: 1\r\n\r\nx", 200, "x", 1), "or not");
}


static void
test_refused(void)
{
    char                     *big;
    size_t                    rest;
    ngx_amt_http_response_t   r;

    ok(BAD(OK "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"),
       "length and chunked");
    ok(BAD(OK "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n"),
       "chunked and length");
    ok(BAD(OK "Content-Length: 5\r\nContent-Length: 5\r\n\r\n"),
       "two lengths");
    ok(BAD(OK "Content-Length: 5, 5\r\n\r\n"), "a list of lengths");
    ok(BAD(OK "Content-Length: +5\r\n\r\n"), "length with sign");
    ok(BAD(OK "Content-Length: 0x5\r\n\r\n"), "length in hex");
    ok(BAD(OK "Content-Length:\r\n\r\n"), "empty length");
    ok(BAD(OK "Content-Length: 99999999999999999999\r\n\r\n"),
       "length past the integers");
    ok(BAD(OK "Content-Length: 262145\r\n\r\n"), "length past the cap");
    ok(BAD(OK "Transfer-Encoding: gzip, chunked\r\n\r\n"), "other coding");
    ok(BAD(OK "Transfer-Encoding: identity\r\n\r\n"), "identity");
    ok(BAD(OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked"
           "\r\n\r\n"), "chunked twice");
    ok(BAD("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
       "chunked in HTTP/1.0");

    ok(BAD(CH "\r\n"), "no chunk size");
    ok(BAD(CH "5;a=b\r\n"), "chunk extension");
    ok(BAD(CH "5 \r\n"), "blank after the size");
    ok(BAD(CH "-5\r\n"), "negative size");
    ok(BAD(CH "0x5\r\n"), "size with 0x");
    ok(BAD(CH "000000005\r\n"), "nine digits");
    ok(BAD(CH "ffffffff\r\n"), "huge chunk");
    ok(BAD(CH "5\nhello"), "size without CR");
    ok(BAD(CH "5\rhello"), "size without LF");
    ok(BAD(CH "5\r\nhelloX"), "chunk too long");
    ok(BAD(CH "5\r\nhello\rX"), "chunk end without LF");
    ok(BAD(CH "40000\r\n") == 0, "a chunk as large as the cap is taken");
    ok(BAD(CH "1\r\nx\r\n40000\r\n"), "chunks past the cap");

    ok(BAD("HTTP/1.1 200 OK\n"), "LF alone");
    ok(BAD("HTTP/1.1 200 OK\rX"), "CR alone");
    ok(BAD(OK "A: b\n"), "LF alone in a header");
    ok(BAD(OK "A: b\r\n c\r\n\r\n"), "folded header");
    ok(BAD(OK "A : b\r\n\r\n"), "blank before the colon");
    ok(BAD(OK ": b\r\n\r\n"), "no name");
    ok(BAD(OK "Ab\r\n\r\n"), "no colon");
    ok(BAD(OK "A\x01: b\r\n\r\n"), "control in a name");
    ok(BAD(OK "A: b\x01\r\n\r\n"), "control in a value");
    ok(BAD(OK "A: b\x7f\r\n\r\n"), "DEL in a value");
    ok(BAD("HTTP/2 200 OK\r\n"), "HTTP/2");
    ok(BAD("HTTP/1.2 200 OK\r\n"), "HTTP/1.2");
    ok(BAD("HTTP/1.1  200 OK\r\n"), "two blanks");
    ok(BAD("HTTP/1.1 20 OK\r\n"), "short status");
    ok(BAD("HTTP/1.1 2000 OK\r\n"), "long status");
    ok(BAD("HTTP/1.1 100 Continue\r\n"), "100");
    ok(BAD("HTTP/1.1 600 X\r\n"), "600");
    ok(BAD("\r\nHTTP/1.1 200 OK\r\n"), "empty line first");
    ok(BAD("<html>garbage\r\n"), "garbage");
    ok(answer_is("HTTP/1.1 200 OK\r\nA: b\r\n", 1, NGX_DECLINED, 0, "", 0,
                 0), "cut head");

    ngx_amt_http_init(&r, pool);
    ok(ngx_amt_http_eof(&r) == NGX_DECLINED && !r.started, "no answer");

    /* caps */

    big = malloc(600000);

    memset(big, 'x', 600000);
    ngx_amt_http_init(&r, pool);
    ok(feed(&r, big, 600000, 4096, 0, &rest) == NGX_DECLINED
       && rest == 600000 - NGX_AMT_HTTP_MAX_HEAD - 1,
       "a status line without end");

    memcpy(big, OK "A: ", sizeof(OK "A: ") - 1);
    ngx_amt_http_init(&r, pool);
    ok(feed(&r, big, 600000, 4096, 0, &rest) == NGX_DECLINED,
       "a header without end");

    memcpy(big, OK "\r\n", sizeof(OK "\r\n") - 1);
    ngx_amt_http_init(&r, pool);
    ok(feed(&r, big, 600000, 4096, 0, &rest) == NGX_DECLINED
       && r.body.len <= NGX_AMT_HTTP_MAX_BODY, "a body without end");
    ngx_amt_http_init(&r, pool);
    ok(feed(&r, big, sizeof(OK "\r\n") - 1 + NGX_AMT_HTTP_MAX_BODY, 4096, 1,
            &rest) == NGX_OK && r.body.len == NGX_AMT_HTTP_MAX_BODY,
       "a body as large as allowed");

    memcpy(big, CH "0\r\nA: ", sizeof(CH "0\r\nA: ") - 1);
    ngx_amt_http_init(&r, pool);
    ok(feed(&r, big, 600000, 4096, 0, &rest) == NGX_DECLINED,
       "a trailer without end");

    free(big);
}


static void
test_headers(void)
{
    u_char                   *p;
    size_t                    rest;
    ngx_str_t                 host, auth, out;
    const char               *text;
    ngx_amt_http_response_t   r;

    text = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Negotiate\r\n"
           "www-authenticate:   Digest realm=\"a\", nonce=\"b\" \r\n"
           "WWW-Authenticate: 3\r\nWWW-Authenticate: 4\r\n"
           "WWW-Authenticate: 5\r\nCIRA-State: abc\r\n"
           "Content-Length: 0\r\n\r\n";
    ngx_amt_http_init(&r, pool);
    ok(feed(&r, text, strlen(text), 7, 0, &rest) == NGX_OK
       && r.n_auth == NGX_AMT_HTTP_MAX_AUTH
       && unit_is(r.auth[0], "Negotiate")
       && unit_is(r.auth[1], "Digest realm=\"a\", nonce=\"b\"")
       && r.cira_state.len == 0, "challenges are kept, some");

    text = "HTTP/1.1 200 OK\r\nCIRA-Reused: 1\r\nCIRA-Kept: 1\r\n"
           "CIRA-State: abc_-9\r\n\r\n"
           "x";
    ngx_amt_http_init(&r, pool);
    r.connect = 1;
    ok(feed(&r, text, strlen(text), 7, 0, &rest) == NGX_OK && rest == 1
       && r.cira_reused && r.cira_kept && unit_is(r.cira_state, "abc_-9"),
       "answer to CONNECT");

    text = "HTTP/1.1 502 Bad Gateway\r\nCIRA-Reason: 2\r\n"
           "Content-Length: 8\r\n\r\nrefused\n";
    ngx_amt_http_init(&r, pool);
    r.connect = 1;
    ok(feed(&r, text, strlen(text), 3, 0, &rest) == NGX_OK
       && r.status == 502 && unit_is(r.cira_reason, "2")
       && unit_is(r.body, "refused\n"), "refusal of CONNECT");

    text = "HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n";
    ngx_amt_http_init(&r, pool);
    r.connect = 1;
    ok(feed(&r, text, strlen(text), 3, 0, &rest) == NGX_DECLINED,
       "CONNECT with a body");

    text = "HTTP/1.1 200 OK\r\nCIRA-State: a\r\nCIRA-State: b\r\n\r\n";
    ngx_amt_http_init(&r, pool);
    r.connect = 1;
    ok(feed(&r, text, strlen(text), 3, 0, &rest) == NGX_DECLINED,
       "two states");

    /* after the end, nothing is taken */

    ngx_amt_http_init(&r, pool);
    text = "HTTP/1.1 204 X\r\n\r\n";
    (void) feed(&r, text, strlen(text), 99, 0, &rest);
    p = (u_char *) "more";
    ok(ngx_amt_http_parse(&r, &p, p + 4) == NGX_DECLINED, "after the end");

    host = unit_str("0-1:16992");
    auth = unit_str("Digest x");
    ok(ngx_amt_http_request(pool, &host, &auth, 77, &out) == NGX_OK
       && unit_is(out, "POST /wsman HTTP/1.1\r\nHost: 0-1:16992\r\n"
                       "Authorization: Digest x\r\nContent-Type: "
                       "application/soap+xml;charset=UTF-8\r\n"
                       "Content-Length: 77\r\n\r\n"), "request head");
    ngx_str_null(&auth);
    ok(ngx_amt_http_request(pool, &host, &auth, 0, &out) == NGX_OK
       && unit_is(out, "POST /wsman HTTP/1.1\r\nHost: 0-1:16992\r\n"
                       "Content-Type: application/soap+xml;charset=UTF-8"
                       "\r\nContent-Length: 0\r\n\r\n"),
       "request head without credentials");
}


int
main(void)
{
    unit_init();

    pool = unit_pool();

    test_framing();
    test_refused();
    test_headers();

    ngx_destroy_pool(pool);

    return done();
}
