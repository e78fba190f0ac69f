
/*
 * The HTTP server of AMT on port 16992, inside a channel: one request at a
 * time, digest, answers in chunks with four hex digits.
 */


#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include "sim.h"


#define HEAD_MAX  8192
#define BODY_MAX  65536


typedef struct {
    char            method[16];
    char            path[256];
    char            authorization[2048];
    unsigned        http11;
    unsigned        host;
    unsigned        close;
    unsigned        chunked;
    unsigned        expect;
    unsigned        type_bad;
    long            length;           /* -1: none */
    size_t          head;             /* bytes */
} request_head_t;


static void http_answer(channel_t *c);
static void http_later(tmr_t *t);
static void http_timeout(tmr_t *t);
static void http_send(channel_t *c, buf_t *head, buf_t *body, int close);


void
http_idle(channel_t *c)
{
    if (opt.http_idle) {
        tmr_set(&c->timer, opt.http_idle, http_timeout, c);
    }
}


static void
http_timeout(tmr_t *t)
{
    device_t   *d;
    channel_t  *c;

    c = t->data;
    d = c->d;

    channel_close(c);
    conn_flush(d);
}


static int
http_header(request_head_t *r, char *line)
{
    char  *value, *end;

    value = strchr(line, ':');
    if (value == NULL || value == line || strchr(" \t", value[-1])) {
        return -1;
    }

    *value++ = '\0';
    while (*value == ' ' || *value == '\t') {
        value++;
    }

    for (end = value + strlen(value);
         end > value && strchr(" \t", end[-1]);
         end--)
    {
        end[-1] = '\0';
    }

    if (strcasecmp(line, "Host") == 0) {
        return r->host++ ? -1 : 0;
    }

    if (strcasecmp(line, "Content-Length") == 0) {

        if (r->length != -1 || !isdigit((u_char) *value)) {
            return -1;
        }

        r->length = strtol(value, &end, 10);

        return *end || r->length > BODY_MAX ? -1 : 0;
    }

    if (strcasecmp(line, "Transfer-Encoding") == 0) {
        r->chunked = 1;

    } else if (strcasecmp(line, "Expect") == 0) {
        r->expect = 1;

    } else if (strcasecmp(line, "Connection") == 0) {
        r->close = strcasecmp(value, "close") == 0;

    } else if (strcasecmp(line, "Content-Type") == 0) {
        r->type_bad = strncasecmp(value, "application/soap+xml", 20) != 0;

    } else if (strcasecmp(line, "Authorization") == 0) {

        if (r->authorization[0]
            || strlen(value) >= sizeof(r->authorization))
        {
            return -1;
        }

        strcpy(r->authorization, value);
    }

    return 0;
}


/* 0: more bytes are needed, -1: this is no HTTP request, 1: parsed */

static int
http_parse(channel_t *c, request_head_t *r)
{
    int      ok;
    char    *text, *line, *end, *version;
    size_t   i, n;

    memset(r, 0, sizeof(*r));
    r->length = -1;

    n = buf_left(&c->in);
    if (n > HEAD_MAX) {
        n = HEAD_MAX;
    }

    for (i = 0; i + 4 <= n; i++) {
        if (memcmp(buf_head(&c->in) + i, "\r\n\r\n", 4) == 0) {
            break;
        }
    }

    if (i + 4 > n) {
        return n == HEAD_MAX ? -1 : 0;
    }

    r->head = i + 4;

    if (memchr(buf_head(&c->in), 0, i)) {
        return -1;
    }

    text = xstrndup((char *) buf_head(&c->in), i + 2);
    ok = 1;

    for (line = text; *line && ok > 0; line = end + 2) {
        end = strstr(line, "\r\n");
        *end = '\0';

        if (line == text) {
            version = strrchr(line, ' ');

            if (version == NULL
                || sscanf(line, "%15s %255s", r->method, r->path) != 2
                || strncmp(version, " HTTP/1.", 8) != 0)
            {
                ok = -1;
                break;
            }

            r->http11 = version[8] == '1';
            continue;
        }

        ok = http_header(r, line) == 0 ? 1 : -1;
    }

    free(text);

    return ok;
}


static void
http_common(buf_t *b, int status, const char *text)
{
    char       date[64];
    time_t     now;
    struct tm  tm;

    now = time(NULL);
    gmtime_r(&now, &tm);
    strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", &tm);

    buf_fmt(b, "HTTP/1.1 %d %s\r\nDate: %s\r\n"
            "Server: Intel(R) Active Management Technology %s\r\n",
            status, text, date, opt.version);
}


static void
http_page(channel_t *c, int status, const char *text, int html)
{
    buf_t  head, body;

    memset(&head, 0, sizeof(head));
    memset(&body, 0, sizeof(body));

    http_common(&head, status, text);

    if (html) {
        buf_fmt(&body, "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01 "
                "Transitional//EN\" >\n<html><head><link rel=stylesheet "
                "href=/styles.css>\n<meta http-equiv=\"Content-Type\" "
                "content=\"text/html; charset=utf-8\">\n<title>Intel&reg; "
                "Active Management Technology</title></head>\n<body>\n"
                "<table class=header>\n<tr><td valign=top nowrap>\n"
                "<p class=top1>Intel<font class=r><sup>&reg;</sup></font> "
                "Active Management Technology\n<td valign=\"top\"><img src="
                "\"logo.gif\" align=\"right\" alt=\"Intel\">\n</table>\n"
                "<br />\n<h2 class=warn>%s</h2>\n\n"
                "<p>\n<form METHOD=\"GET\" action=\"index.htm\"><h2>"
                "<input type=submit value=\"Try again\">\n</h2></form>\n"
                "<p>\n\n</body>\n</html>\n", text);
        buf_str(&head, "Content-Type: text/html\r\n");
    }

    buf_fmt(&head, "Content-Length: %zu\r\nConnection: close\r\n\r\n",
            buf_left(&body));

    http_send(c, &head, &body, 1);
}


static void
http_challenge(channel_t *c, int stale)
{
    buf_t  head, body;

    memset(&head, 0, sizeof(head));
    memset(&body, 0, sizeof(body));

    st.unauthorized++;

    http_common(&head, 401, "Unauthorized");

    if (mis(c->d, MIS_EMPTY_CHALLENGE)) {
        buf_str(&head, "WWW-Authenticate:\r\n");

    } else if (mis(c->d, MIS_BAD_CHALLENGE)) {
        buf_str(&head, "WWW-Authenticate: Digest realm=\"Digest:open,"
                " nonce=,,=\"x\", qop=\"auth-conf\", qop=none\r\n");

    } else {
        digest_challenge(c->d, &head, stale);
    }

    buf_str(&body, "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01 "
            "Transitional//EN\" >\n<html><head><title>Unauthorized</title>"
            "</head>\n<body>\n");

    while (buf_left(&body) < 660) {
        buf_str(&body, "<p class=top1>Log on failed</p>\n");
    }

    buf_str(&body, "</body>\n</html>\n");

    buf_fmt(&head, "Content-Type: text/html\r\nContent-Length: %zu\r\n"
            "Connection: close\r\n\r\n", buf_left(&body));

    http_send(c, &head, &body, 1);
}


/* bytes of an answer are complete: lets switches cut them, sends */

static void
http_send(channel_t *c, buf_t *head, buf_t *body, int close)
{
    int        cut;
    long       n;
    device_t  *d;

    d = c->d;
    cut = 0;

    n = mis(d, MIS_GARBAGE_HTTP);
    if (n) {
        buf_free(head);
        buf_free(body);
        buf_str(head, "\x16\x03\x01 this is no HTTP\r\n\r\n\r\n");
    }

    n = mis(d, MIS_SLOW_DRIP);
    if (n) {
        c->drip = (uint8_t) (n > 255 ? 255 : n);
    }

    buf_add(&c->out, buf_head(head), buf_left(head));
    buf_add(&c->out, buf_head(body), buf_left(body));
    buf_free(head);
    buf_free(body);

    c->busy = 0;
    c->close_after = (uint8_t) close;

    if (mis(d, MIS_HALF_ANSWER)) {
        cut = 1;
        c->vanish_after = 1;

    } else if (mis(d, MIS_DROP_MID)) {
        cut = 1;
        c->vanish_after = 2;

    } else if (mis(d, MIS_CLOSE_MID)) {
        cut = 1;
        c->close_after = 1;

    } else if (mis(d, MIS_EXTRA_BYTES)) {
        buf_str(&c->out, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes");

    } else if (mis(d, MIS_SILENT_CLOSE)) {
        c->close_after = 1;
    }

    if (cut) {
        c->out.len -= buf_left(&c->out) / 2;
    }

    if (c->close_after) {
        c->parked = 1;
        tmr_del(&c->timer);

    } else {
        http_idle(c);
    }

    channel_send(c);
}


static void
http_soap(channel_t *c, int status, buf_t *body, int close)
{
    long      n;
    buf_t     head, out;
    size_t    len;
    const char  *text;

    memset(&head, 0, sizeof(head));
    memset(&out, 0, sizeof(out));

    text = status == 200 ? "OK" : status == 400 ? "Bad Request"
           : "Internal Server Error";

    if (status != 200) {
        st.faults++;

        if (mis(c->d, MIS_FAULT_200)) {
            status = 200;
        }
    }

    if (buf_left(body) == 0 || mis(c->d, MIS_EMPTY_BODY)) {
        http_common(&head, status, text);
        buf_fmt(&head, "Content-Length: 0\r\n%s\r\n",
                status == 200 ? "" : "Connection: close\r\n");
        http_send(c, &head, &out, status != 200);
        return;
    }

    if (mis(c->d, MIS_BAD_XML)) {
        body->len -= buf_left(body) / 3;
    }

    http_common(&head, status, text);
    buf_str(&head, "X-Frame-Options: DENY\r\n"
            "Content-Type: application/soap+xml; charset=UTF-8\r\n");

    n = mis(c->d, MIS_HUGE_HEADER);
    if (n) {
        buf_str(&head, "X-Padding: ");
        while (n-- > 0) {
            buf_u8(&head, 'x');
        }
        buf_str(&head, "\r\n");
    }

    if (close) {
        buf_str(&head, "Connection: close\r\n");
    }

    if (mis(c->d, MIS_CONTENT_LENGTH)) {
        buf_fmt(&head, "Content-Length: %zu\r\n\r\n", buf_left(body));
        http_send(c, &head, body, close);
        return;
    }

    buf_str(&head, "Transfer-Encoding: chunked\r\n\r\n");

    if (mis(c->d, MIS_ENDLESS_CHUNK)) {

        /* far more than anybody should take, and no end */

        while (buf_left(&out) < 4 * 1024 * 1024) {
            buf_fmt(&out, "0400\r\n%1024s\r\n", "");
        }

        c->parked = 1;
        http_send(c, &head, &out, 0);
        return;
    }

    if (mis(c->d, MIS_BAD_CHUNK)) {
        buf_str(&out, "04g5\r\n");
    }

    while (buf_left(body)) {
        len = buf_left(body) < opt.chunk ? buf_left(body) : opt.chunk;
        buf_fmt(&out, "%04zX\r\n", len);
        buf_add(&out, buf_head(body), len);
        buf_str(&out, "\r\n");
        buf_eat(body, len);
    }

    buf_str(&out, "0\r\n\r\n");

    http_send(c, &head, &out, close);
}


static void
http_later(tmr_t *t)
{
    device_t   *d;
    channel_t  *c;

    c = t->data;
    d = c->d;

    http_answer(c);
    conn_flush(d);
}


void
http_input(channel_t *c)
{
    int             rc;
    request_head_t  r;

    if (c->busy || c->parked) {
        return;
    }

    rc = http_parse(c, &r);

    if (rc == 0) {
        http_idle(c);
        return;
    }

    if (rc > 0 && strcmp(r.method, "POST") == 0 && r.length >= 0
        && !r.chunked && buf_left(&c->in) < r.head + (size_t) r.length)
    {
        http_idle(c);
        return;
    }

    c->busy = 1;
    tmr_del(&c->timer);

    if (opt.latency) {
        tmr_set(&c->timer, opt.latency, http_later, c);
        return;
    }

    http_answer(c);
}


/* what firmware refuses before it looks at credentials; 0: nothing */

static int
http_refuse(channel_t *c, request_head_t *r, int rc)
{
    const char  *why;
    int          status;

    status = 400;

    if (rc < 0) {
        why = "malformed";

    } else if (r->http11 && !r->host) {
        why = "no Host";

    } else if (strcmp(r->path, "/wsman") != 0) {
        why = "path";
        status = 404;

    } else if (strcmp(r->method, "POST") != 0) {
        why = "method";
        status = 405;

    } else if (r->chunked) {
        why = "chunked request";

    } else if (r->length < 0) {
        why = "no Content-Length";

    } else if (r->expect) {
        why = "Expect";
        status = 417;

    } else if (r->type_bad) {
        why = "Content-Type";
        status = 415;

    } else if (buf_left(&c->in) > r->head + (size_t) r->length) {
        why = "more bytes than Content-Length";

    } else {
        return 0;
    }

    st.http_bad++;
    event(c->d, "bad_request", "\"why\":\"%s\",\"status\":%d", why, status);
    buf_free(&c->in);

    http_page(c, status, status == 404 ? "Not Found"
                         : status == 405 ? "Method Not Allowed"
                         : status == 415 ? "Unsupported Media Type"
                         : status == 417 ? "Expectation Failed"
                         : "Bad Request", status != 400);
    return 1;
}


static void
http_answer(channel_t *c)
{
    int             rc, status, stale, close;
    long            n, drop;
    buf_t           body;
    device_t       *d;
    request_head_t  r;

    d = c->d;
    rc = http_parse(c, &r);

    if (http_refuse(c, &r, rc)) {
        return;
    }

    st.requests++;
    d->nreq++;

    if (mis(d, MIS_NO_ANSWER)) {
        event(d, "request", "\"status\":0");
        return;
    }

    if (mis(d, MIS_NEW_NONCE)) {
        free(d->nonces);
        d->nonces = NULL;
    }

    stale = 0;

    if (r.authorization[0] == '\0'
        || digest_check(d, r.authorization, "POST", "/wsman", &stale) != 0)
    {
        if (d->ev.fd == -1) {
            return;
        }

        event(d, "request", "\"status\":401,\"credentials\":%s,\"stale\":%s",
              r.authorization[0] ? "true" : "false",
              stale ? "true" : "false");
        buf_free(&c->in);
        http_challenge(c, stale);
        return;
    }

    n = mis(d, MIS_STATUS);
    if (n) {
        event(d, "request", "\"status\":%ld", n);
        buf_free(&c->in);
        http_page(c, (int) n, "Service Unavailable", 1);
        return;
    }

    if (mis(d, MIS_EMPTY_400)) {
        event(d, "request", "\"status\":400");
        buf_free(&c->in);
        http_page(c, 400, "Bad Request", 0);
        return;
    }

    memset(&body, 0, sizeof(body));
    drop = 0;

    status = soap_handle(d, (char *) buf_head(&c->in) + r.head,
                         (size_t) r.length, &body, &drop);
    buf_free(&c->in);

    close = r.close || opt.http_close || status != 200;

    if (drop == SOAP_MUTE) {
        buf_free(&body);
        return;
    }

    if (drop) {
        c->vanish_after = 2;
    }

    http_soap(c, status, &body, close);
    buf_free(&body);
}
