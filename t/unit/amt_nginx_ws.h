
/*
 * The part of amt_nginx.c that t/ws.t uses: a location whose WebSockets are
 * driven by the query.
 *
 *     location /ws { amt_test_ws; }
 *     /ws                    every piece back, as a fragment
 *     /ws?sink=1             counts; "?" is answered with "messages bytes crc"
 *     /ws?sink=2             the same, without the sum, for measurements
 *     /ws?source=BYTES       so many, in binary messages of 16 KB that begin
 *                            with how many are left
 *     &whole=1&secret=1      messages are collected
 *     &ping=MS&timeout=MS&idle=MS&max=BYTES&frame=BYTES&queue=BYTES
 *     &delay=MS              accepted only then
 *     &pause=MS              reading pauses so long after each piece
 *     &code=N&reason=TEXT    closed with it after the first message
 *     &flood=BYTES           sent after the first message, whoever reads it
 *     &drain=1               has a drain handler: closes with 4001
 */


#include "ws/ngx_amt_ws_conn.h"
#include <ngx_crc32.h>


#define TEST_WS_SIZE  16374


typedef struct {
    ngx_http_request_t       *request;
    ngx_amt_ws_t             *ws;            /* NULL: not open */
    ngx_amt_ws_handshake_t    hs;
    ngx_amt_ws_settings_t     settings;
    ngx_event_t               timer;
    ngx_str_t                 reason;
    ngx_uint_t                sink;
    ngx_uint_t                code;
    ngx_uint_t                pause;
    ngx_uint_t                flood;
    ngx_uint_t                messages;
    off_t                     bytes;
    off_t                     source;
    uint32_t                  crc;
} test_ws_t;


static void test_ws_data(void *owner, u_char *p, size_t len, ngx_uint_t text,
    ngx_uint_t first, ngx_uint_t last);
static void test_ws_writable(void *owner);
static void test_ws_closed(void *owner, ngx_amt_ws_result_t *res);
static void test_ws_drain(void *owner);
static ngx_str_t test_arg(ngx_http_request_t *r, char *name);
static ngx_uint_t test_number(ngx_http_request_t *r, char *name,
    ngx_uint_t def);


static const ngx_amt_ws_handlers_t  test_ws_handlers = {
    test_ws_data, test_ws_writable, test_ws_closed, NULL
};

static const ngx_amt_ws_handlers_t  test_ws_drain_handlers = {
    test_ws_data, test_ws_writable, test_ws_closed, test_ws_drain
};


static u_char  test_ws_buf[NGX_AMT_WS_HEAD + 5 * 1024 * 1024];


static void
test_ws_close(test_ws_t *t, ngx_uint_t code, ngx_str_t *reason)
{
    ngx_amt_ws_t  *ws;

    ws = t->ws;
    t->ws = NULL;

    if (t->timer.timer_set) {
        ngx_del_timer(&t->timer);
    }

    ngx_amt_ws_close(ws, code, reason);
}


static void
test_ws_source(test_ws_t *t)
{
    size_t   n;
    u_char  *p;

    p = test_ws_buf + NGX_AMT_WS_HEAD;

    while (t->source > 0) {
        n = (size_t) ngx_min(t->source, TEST_WS_SIZE);

        ngx_memcpy(p, &t->source, ngx_min(n, 8));

        t->source -= n;

        switch (ngx_amt_ws_send(t->ws, NGX_AMT_WS_FIN | NGX_AMT_WS_BINARY, p,
                                n))
        {
        case NGX_OK:
            continue;

        case NGX_AGAIN:
            return;

        default:
            t->source = 0;
            return;
        }
    }

    test_ws_close(t, NGX_AMT_WS_NORMAL, NULL);
}


static void
test_ws_data(void *owner, u_char *p, size_t len, ngx_uint_t text,
    ngx_uint_t first, ngx_uint_t last)
{
    test_ws_t *t = owner;

    u_char     *out, op;
    ngx_int_t   rc;

    out = test_ws_buf + NGX_AMT_WS_HEAD;

    if (t->sink) {

        if (text && first && last && len == 1 && *p == '?') {
            len = ngx_sprintf(out, "%ui %O %08xD", t->messages, t->bytes,
                              t->crc ^ 0xffffffff)
                  - out;
            (void) ngx_amt_ws_send(t->ws, NGX_AMT_WS_FIN | NGX_AMT_WS_TEXT,
                                   out, len);
            return;
        }

        t->bytes += len;
        t->messages += last;

        if (t->sink == 1) {
            ngx_crc32_update(&t->crc, p, len);
        }

    } else {
        ngx_memcpy(out, p, len);

        op = first ? (text ? NGX_AMT_WS_TEXT : NGX_AMT_WS_BINARY)
                   : NGX_AMT_WS_CONTINUATION;

        rc = ngx_amt_ws_send(t->ws, op | (last ? NGX_AMT_WS_FIN : 0), out,
                             len);

        if (rc == NGX_ERROR) {
            return;
        }

        if (rc == NGX_AGAIN) {
            ngx_amt_ws_pause(t->ws);
        }
    }

    if (t->pause) {
        ngx_amt_ws_pause(t->ws);

        if (!t->timer.timer_set) {
            ngx_add_timer(&t->timer, t->pause);
        }
    }

    if (!last) {
        return;
    }

    while (t->flood) {
        ngx_memset(out, 'f', 4096);
        t->flood -= ngx_min(4096, t->flood);

        if (ngx_amt_ws_send(t->ws, NGX_AMT_WS_FIN | NGX_AMT_WS_BINARY, out,
                            4096)
            == NGX_ERROR)
        {
            return;
        }
    }

    if (t->code) {
        test_ws_close(t, t->code, t->reason.len ? &t->reason : NULL);
    }
}


static void
test_ws_writable(void *owner)
{
    test_ws_t *t = owner;

    if (t->source) {
        test_ws_source(t);
        return;
    }

    if (!t->timer.timer_set) {
        ngx_amt_ws_resume(t->ws);
    }
}


static void
test_ws_closed(void *owner, ngx_amt_ws_result_t *res)
{
    test_ws_t *t = owner;

    t->ws = NULL;

    if (t->timer.timer_set) {
        ngx_del_timer(&t->timer);
    }

    ngx_log_error(NGX_LOG_NOTICE, t->request->connection->log, 0,
                  "test: closed by %s %ui \"%V\", %ui messages %O bytes",
                  ngx_amt_ws_end_name(res->end), res->code, &res->reason,
                  t->messages, t->bytes);
}


static void
test_ws_drain(void *owner)
{
    test_ws_t *t = owner;

    ngx_str_t  reason = ngx_string("my own end");

    test_ws_close(t, 4001, &reason);
}


static void
test_ws_open(test_ws_t *t)
{
    ngx_int_t            rc;
    ngx_http_request_t  *r;

    r = t->request;

    rc = ngx_amt_ws_accept(r, &t->hs,
                           t->hs.n_protocols ? &t->hs.protocol : NULL,
                           &t->settings,
                           test_number(r, "drain", 0) ? &test_ws_drain_handlers
                                                      : &test_ws_handlers,
                           t, &t->ws);

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, rc);
        return;
    }

    if (t->source) {
        test_ws_source(t);
    }
}


static void
test_ws_timer(ngx_event_t *ev)
{
    test_ws_t         *t;
    ngx_connection_t  *c;

    t = ev->data;
    c = t->request->connection;

    if (t->ws == NULL) {
        test_ws_open(t);
        ngx_http_run_posted_requests(c);

    } else if (!ngx_amt_ws_blocked(t->ws)) {
        ngx_amt_ws_resume(t->ws);
    }
}


static void
test_ws_cleanup(void *data)
{
    test_ws_t *t = data;

    if (t->timer.timer_set) {
        ngx_del_timer(&t->timer);
    }
}


static ngx_int_t
test_ws_handler(ngx_http_request_t *r)
{
    test_ws_t           *t;
    ngx_int_t            rc;
    ngx_uint_t           ms;
    ngx_http_cleanup_t  *cln;

    t = ngx_pcalloc(r->pool, sizeof(test_ws_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (t == NULL || cln == NULL) {
        return NGX_ERROR;
    }

    rc = ngx_amt_ws_handshake(r, &t->hs);

    if (rc != NGX_OK) {
        return ngx_amt_ws_refuse(r, rc);
    }

    ms = test_number(r, "status", 0);

    if (ms) {
        return ngx_amt_ws_refuse(r, ms);
    }

    cln->handler = test_ws_cleanup;
    cln->data = t;

    t->request = r;
    t->crc = 0xffffffff;
    t->sink = test_number(r, "sink", 0);
    t->source = test_number(r, "source", 0);
    t->code = test_number(r, "code", 0);
    t->reason = test_arg(r, "reason");
    t->pause = test_number(r, "pause", 0);
    t->flood = test_number(r, "flood", 0);

    t->timer.handler = test_ws_timer;
    t->timer.data = t;
    t->timer.log = r->connection->log;

    ngx_amt_ws_settings(r, &t->settings);

    t->settings.ping = test_number(r, "ping", t->settings.ping);
    t->settings.timeout = test_number(r, "timeout", t->settings.timeout);
    t->settings.idle = test_number(r, "idle", t->settings.idle);
    t->settings.max_message = test_number(r, "max", t->settings.max_message);
    t->settings.max_frame = test_number(r, "frame", t->settings.max_frame);
    t->settings.max_queue = test_number(r, "queue", 0);
    t->settings.whole = test_number(r, "whole", 0);
    t->settings.secret = test_number(r, "secret", 0);

    r->main->count++;

    ms = test_number(r, "delay", 0);

    if (ms) {
        r->read_event_handler = ngx_http_test_reading;
        ngx_add_timer(&t->timer, ms);

    } else {
        test_ws_open(t);
    }

    return NGX_DONE;
}


static char *
test_ws_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = test_ws_handler;

    return NGX_CONF_OK;
}


static ngx_command_t  test_ws_commands[] = {

    { ngx_string("amt_test_ws"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      test_ws_directive,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  test_ws_module_ctx = {
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
};


static ngx_module_t  test_ws_module = {
    NGX_MODULE_V1,
    &test_ws_module_ctx,
    test_ws_commands,
    NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};
