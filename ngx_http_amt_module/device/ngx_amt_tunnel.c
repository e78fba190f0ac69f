
/*
 * CONNECT tunnels; see ngx_amt_tunnel.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include "device/ngx_amt_tunnel.h"


#define NGX_AMT_TUNNEL_BUFFER  16384
#define NGX_AMT_TUNNEL_READS   16        /* per event */
#define NGX_AMT_TUNNEL_REASON  1         /* of DISCONNECT, "not allowed" */


static ngx_int_t ngx_amt_tunnel_ask(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    ngx_cira_info_t *info, ngx_str_t *out, const char *what,
    ngx_msec_t timeout, ngx_pool_t *pool, ngx_amt_http_response_t *res);
static ngx_int_t ngx_amt_tunnel_head(ngx_pool_t *pool, ngx_cira_info_t *info,
    ngx_uint_t fresh, ngx_str_t *out);
static ngx_int_t ngx_amt_tunnel_dial(ngx_amt_tunnel_t *t,
    ngx_cira_info_t *info);
static ngx_int_t ngx_amt_tunnel_await(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    const char *what, ngx_msec_t timeout);
static ngx_int_t ngx_amt_tunnel_run(ngx_amt_tunnel_t *t);
static ngx_int_t ngx_amt_tunnel_send(ngx_amt_tunnel_t *t);
static ngx_int_t ngx_amt_tunnel_recv(ngx_amt_tunnel_t *t);
static ngx_int_t ngx_amt_tunnel_answer(ngx_amt_tunnel_t *t, ngx_int_t rc,
    ngx_uint_t rest);
static ngx_int_t ngx_amt_tunnel_connected(ngx_amt_tunnel_t *t);
static ngx_int_t ngx_amt_tunnel_fail(ngx_amt_tunnel_t *t, ngx_amt_err_e err,
    const char *text);
static ngx_uint_t ngx_amt_tunnel_idle(ngx_amt_tunnel_t *t);
static void ngx_amt_tunnel_wake(ngx_amt_tunnel_t *t, ngx_int_t rc);
static void ngx_amt_tunnel_handler(ngx_event_t *ev);
static void ngx_amt_tunnel_timer(ngx_event_t *ev);
static void ngx_amt_tunnel_cancel(void *data);


/* one event at a time is handled: of the worker */

static u_char  ngx_amt_tunnel_buffer[NGX_AMT_TUNNEL_BUFFER];


void
ngx_amt_tunnel_init(ngx_amt_tunnel_t *t, ngx_log_t *log)
{
    ngx_memzero(t, sizeof(ngx_amt_tunnel_t));

    t->log = log;

    t->timer.handler = ngx_amt_tunnel_timer;
    t->timer.data = t;
    t->timer.log = log;
}


ngx_int_t
ngx_amt_tunnel_connect(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    ngx_cira_info_t *info, ngx_uint_t fresh, ngx_msec_t timeout,
    ngx_pool_t *pool, ngx_amt_http_response_t *res)
{
    ngx_str_t  out;

    ngx_amt_tunnel_close(t);

    t->err = NGX_AMT_ERR_NONE;
    t->reused = 0;
    t->used = 0;
    t->gone = 0;
    t->unsent = 0;

    if (ngx_amt_tunnel_head(pool, info, fresh, &out) != NGX_OK) {
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return ngx_amt_tunnel_ask(f, t, info, &out, "device slot", timeout, pool,
                              res);
}


ngx_int_t
ngx_amt_tunnel_evict(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    ngx_cira_info_t *info, ngx_msec_t timeout, ngx_pool_t *pool,
    ngx_amt_http_response_t *res)
{
    u_char     *p, guid[NGX_CIRA_GUID_TEXT];
    ngx_str_t   out;

    ngx_amt_tunnel_close(t);

    t->err = NGX_AMT_ERR_NONE;
    t->gone = 0;

    p = ngx_pnalloc(pool, 256);
    if (p == NULL) {
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    ngx_cira_guid_text(guid, info->guid);

    out.data = p;
    out.len = ngx_sprintf(p, "EVICT %*s:%uL HTTP/1.1" CRLF
                          "CIRA-Reason: %d" CRLF CRLF,
                          (size_t) NGX_CIRA_GUID_TEXT, guid,
                          info->generation, NGX_AMT_TUNNEL_REASON) - p;

    return ngx_amt_tunnel_ask(f, t, info, &out, "device's owner", timeout,
                              pool, res);
}


/* A request to the owner; its answer has no body that counts. */

static ngx_int_t
ngx_amt_tunnel_ask(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    ngx_cira_info_t *info, ngx_str_t *out, const char *what,
    ngx_msec_t timeout, ngx_pool_t *pool, ngx_amt_http_response_t *res)
{
    if (ngx_amt_tunnel_dial(t, info) != NGX_OK) {
        return NGX_ERROR;
    }

    t->out = out->data;
    t->out_last = out->data + out->len;
    t->res = res;

    ngx_amt_http_init(res, pool);

    res->connect = 1;

    return ngx_amt_tunnel_await(f, t, what, timeout);
}


/*
 * The owner's listener caps the head at 1 KB; all parts here are bounded.
 * The tenant came from a login service: what does not fit a header never
 * gets there.
 */

static ngx_int_t
ngx_amt_tunnel_head(ngx_pool_t *pool, ngx_cira_info_t *info,
    ngx_uint_t fresh, ngx_str_t *out)
{
    u_char      *p, guid[NGX_CIRA_GUID_TEXT];
    ngx_uint_t   i;

    ngx_cira_guid_text(guid, info->guid);

    p = ngx_pnalloc(pool, 512);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    p = ngx_sprintf(p, "CONNECT %*s:%d HTTP/1.1" CRLF "Host: %*s:%d" CRLF
                    "CIRA-Release: chunked" CRLF "CIRA-Slot: wsman" CRLF,
                    (size_t) NGX_CIRA_GUID_TEXT, guid, NGX_AMT_TUNNEL_PORT,
                    (size_t) NGX_CIRA_GUID_TEXT, guid, NGX_AMT_TUNNEL_PORT);

    if (fresh) {
        p = ngx_sprintf(p, "CIRA-Fresh: 1" CRLF);
    }

    if (info->tenant_len > NGX_CIRA_TENANT_LEN) {
        return NGX_ERROR;
    }

    for (i = 0; i < info->tenant_len; i++) {
        if (info->tenant[i] <= 0x20 || info->tenant[i] >= 0x7f) {
            return NGX_ERROR;
        }
    }

    /* the empty one too: without the header any tenant's would do */

    p = ngx_sprintf(p, "CIRA-Tenant: %*s" CRLF, (size_t) info->tenant_len,
                    info->tenant);

    p = ngx_sprintf(p, CRLF);

    out->len = p - out->data;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_tunnel_dial(ngx_amt_tunnel_t *t, ngx_cira_info_t *info)
{
    size_t                  len;
    ngx_int_t               rc;
    ngx_str_t               name;
    ngx_connection_t       *c;
    struct sockaddr_un      sa;
    ngx_peer_connection_t   pc;

    len = ngx_strnlen(info->socket, sizeof(info->socket));

    if (len == 0 || len == sizeof(info->socket)) {
        t->gone = 1;
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_NOT_CONNECTED,
                                   "device has no owner");
    }

    ngx_memzero(&sa, sizeof(struct sockaddr_un));
    sa.sun_family = AF_UNIX;
    ngx_memcpy(sa.sun_path, info->socket, len);

    name.data = info->socket;
    name.len = len;

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = (struct sockaddr *) &sa;
    pc.socklen = sizeof(struct sockaddr_un);
    pc.name = &name;
    pc.get = ngx_event_get_peer;
    pc.log = t->log;
    pc.log_error = NGX_ERROR_INFO;

    rc = ngx_event_connect_peer(&pc);

    if (rc == NGX_DECLINED) {

        /* the owner died, or is gone since the look-up */

        t->gone = 1;
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_NOT_CONNECTED,
                                   "owner does not listen");
    }

    if (rc != NGX_OK && rc != NGX_AGAIN) {

        if (pc.connection) {
            ngx_close_connection(pc.connection);
        }

        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL,
                                   "cannot connect to owner");
    }

    c = pc.connection;

    c->data = t;
    c->log = t->log;
    c->read->log = t->log;
    c->write->log = t->log;
    c->read->handler = ngx_amt_tunnel_handler;
    c->write->handler = ngx_amt_tunnel_handler;

    t->connection = c;

    return NGX_OK;
}


ngx_int_t
ngx_amt_tunnel_exchange(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    ngx_str_t *out, ngx_msec_t timeout, ngx_pool_t *pool,
    ngx_amt_http_response_t *res)
{
    t->err = NGX_AMT_ERR_NONE;
    t->unsent = 0;

    if (!ngx_amt_tunnel_idle(t)) {
        t->unsent = 1;
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_LOST,
                                   "channel was closed");
    }

    t->out = out->data;
    t->out_last = out->data + out->len;
    t->res = res;

    ngx_amt_http_init(res, pool);

    return ngx_amt_tunnel_await(f, t, "device", timeout);
}


ngx_int_t
ngx_amt_tunnel_chunk(ngx_pool_t *pool, ngx_str_t *head, ngx_str_t *body,
    ngx_str_t *out)
{
    u_char  *p;

    p = ngx_pnalloc(pool, NGX_INT64_LEN + 2 * (sizeof(CRLF) - 1)
                          + head->len + body->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    p = ngx_sprintf(p, "%xz" CRLF, head->len + body->len);
    p = ngx_cpymem(p, head->data, head->len);
    p = ngx_cpymem(p, body->data, body->len);
    *p++ = CR;
    *p++ = LF;

    out->len = p - out->data;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_tunnel_await(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    const char *what, ngx_msec_t timeout)
{
    ngx_int_t  rc;

    rc = ngx_amt_tunnel_run(t);

    if (rc != NGX_AGAIN) {
        t->res = NULL;
        return rc;
    }

    t->flow = f;
    t->seq = ngx_amt_flow_wait(f, what, ngx_amt_tunnel_cancel, t);

    ngx_add_timer(&t->timer, timeout);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_amt_tunnel_run(ngx_amt_tunnel_t *t)
{
    ngx_int_t  rc;

    rc = ngx_amt_tunnel_send(t);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_amt_tunnel_recv(t);
}


static ngx_int_t
ngx_amt_tunnel_send(ngx_amt_tunnel_t *t)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = t->connection;

    while (t->out < t->out_last && c->write->ready) {

        n = c->send(c, t->out, t->out_last - t->out);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {

            /* an answer may have been sent before the other end closed */

            t->out = t->out_last;
            break;
        }

        t->out += n;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL, "event error");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_tunnel_recv(ngx_amt_tunnel_t *t)
{
    u_char            *p;
    ssize_t            n;
    ngx_int_t          rc;
    ngx_uint_t         reads;
    ngx_connection_t  *c;

    c = t->connection;

    for (reads = 0; c->read->ready; reads++) {

        if (reads == NGX_AMT_TUNNEL_READS) {
            ngx_post_event(c->read, &ngx_posted_events);
            return NGX_AGAIN;
        }

        n = c->recv(c, ngx_amt_tunnel_buffer, NGX_AMT_TUNNEL_BUFFER);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            rc = ngx_amt_http_eof(t->res);

            t->res->keepalive = 0;

            return ngx_amt_tunnel_answer(t, rc == NGX_OK ? rc : NGX_DONE, 0);
        }

        p = ngx_amt_tunnel_buffer;

        rc = ngx_amt_http_parse(t->res, &p, p + n);

        if (rc != NGX_AGAIN) {
            return ngx_amt_tunnel_answer(t, rc,
                                         p != ngx_amt_tunnel_buffer + n);
        }
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL, "event error");
    }

    return NGX_AGAIN;
}


/* rc is that of the HTTP reader, or NGX_DONE: closed before the end. */

static ngx_int_t
ngx_amt_tunnel_answer(ngx_amt_tunnel_t *t, ngx_int_t rc, ngx_uint_t rest)
{
    if (rc == NGX_DONE) {

        if (t->res->connect) {
            t->gone = 1;
            return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_LOST,
                                       "owner closed the tunnel");
        }

        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_LOST,
                                   t->res->started
                                   ? "device closed the channel in the answer"
                                   : "device closed the channel unanswered");
    }

    if (rc == NGX_DECLINED) {
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_BAD_ANSWER, t->res->reason);
    }

    if (rc != NGX_OK) {
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    if (t->res->connect) {
        rc = ngx_amt_tunnel_connected(t);

        if (rc != NGX_OK) {
            return rc;
        }

    } else {
        t->used = 1;
    }

    if (rest) {

        /* nobody asked for them: the next answer would be misread */

        if (t->res->connect) {
            return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_BAD_ANSWER,
                                       "device sent bytes before a request");
        }

        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_BAD_ANSWER,
                                   "device sent bytes after the answer");
    }

    if (!t->res->connect && (!t->res->keepalive || t->out < t->out_last)) {
        ngx_amt_tunnel_close(t);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_tunnel_connected(ngx_amt_tunnel_t *t)
{
    switch (t->res->status) {

    case 200:
        t->reused = t->res->cira_reused;
        return NGX_OK;

    case 404:
        t->gone = 1;
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_NOT_CONNECTED,
                                   "device is not connected");

    case 502:
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_REFUSED,
                                   "device refused the channel");

    case 503:
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_BUSY,
                                   "too many calls wait for the device");

    case 504:
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_TIMEOUT,
                                   "device did not open the channel in time");
    }

    ngx_log_error(NGX_LOG_ERR, t->log, 0,
                  "device plane answered CONNECT with %ui", t->res->status);

    return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL,
                               "unexpected answer to CONNECT");
}


static ngx_int_t
ngx_amt_tunnel_fail(ngx_amt_tunnel_t *t, ngx_amt_err_e err, const char *text)
{
    t->err = err;
    t->text = text;

    ngx_amt_tunnel_close(t);

    return NGX_ERROR;
}


/*
 * Connected, and neither closed by the other end nor with bytes nobody asked
 * for, as far as can be known without waiting.
 */

static ngx_uint_t
ngx_amt_tunnel_idle(ngx_amt_tunnel_t *t)
{
    ssize_t            n;
    u_char             buf[1];
    ngx_connection_t  *c;

    c = t->connection;

    if (c == NULL || c->close) {
        return 0;
    }

    if (!c->read->ready) {
        return 1;
    }

    n = c->recv(c, buf, 1);

    if (n != NGX_AGAIN) {
        return 0;
    }

    return ngx_handle_read_event(c->read, 0) == NGX_OK;
}


void
ngx_amt_tunnel_release(ngx_amt_tunnel_t *t, ngx_str_t *state)
{
    u_char             buf[NGX_AMT_HTTP_MAX_STATE + 32], *p;
    ngx_connection_t  *c;

    c = t->connection;

    if (c && t->seq == 0 && t->res == NULL && t->out == t->out_last
        && state->len <= NGX_AMT_HTTP_MAX_STATE && ngx_amt_tunnel_idle(t))
    {
        p = ngx_cpymem(buf, "0" CRLF, sizeof("0" CRLF) - 1);

        if (state->len) {
            p = ngx_sprintf(p, "CIRA-State: %V" CRLF, state);
        }

        *p++ = CR;
        *p++ = LF;

        /*
         * Some hundred bytes into the empty buffer of a local socket; when
         * they do not fit, closing without release is what is left.
         */

        (void) c->send(c, buf, p - buf);
    }

    ngx_amt_tunnel_close(t);
}


void
ngx_amt_tunnel_close(ngx_amt_tunnel_t *t)
{
    if (t->timer.timer_set) {
        ngx_del_timer(&t->timer);
    }

    if (t->connection) {
        ngx_close_connection(t->connection);
        t->connection = NULL;
    }

    t->out = NULL;
    t->out_last = NULL;
}


static void
ngx_amt_tunnel_wake(ngx_amt_tunnel_t *t, ngx_int_t rc)
{
    uint64_t         seq;
    ngx_amt_flow_t  *f;

    if (t->timer.timer_set) {
        ngx_del_timer(&t->timer);
    }

    f = t->flow;
    seq = t->seq;

    t->flow = NULL;
    t->seq = 0;
    t->res = NULL;

    ngx_amt_flow_wake(f, seq, rc);
}


/* Reads and writes; between exchanges it only keeps the event from firing. */

static void
ngx_amt_tunnel_handler(ngx_event_t *ev)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;
    ngx_amt_tunnel_t  *t;

    c = ev->data;
    t = c->data;

    if (t->seq == 0) {

        if (c->close || ngx_handle_read_event(c->read, 0) != NGX_OK
            || ngx_handle_write_event(c->write, 0) != NGX_OK)
        {
            ngx_amt_tunnel_close(t);
        }

        return;
    }

    if (c->close) {
        rc = ngx_amt_tunnel_fail(t, NGX_AMT_ERR_LOST, "worker exits");

    } else {
        rc = ngx_amt_tunnel_run(t);
    }

    if (rc != NGX_AGAIN) {
        ngx_amt_tunnel_wake(t, rc);
    }
}


static void
ngx_amt_tunnel_timer(ngx_event_t *ev)
{
    ngx_amt_tunnel_t  *t;

    t = ev->data;

    (void) ngx_amt_tunnel_fail(t, NGX_AMT_ERR_TIMEOUT,
                               t->res->connect
                               ? "device was busy for too long"
                               : "device did not answer in time");

    ngx_amt_tunnel_wake(t, NGX_ERROR);
}


static void
ngx_amt_tunnel_cancel(void *data)
{
    ngx_amt_tunnel_t  *t = data;

    t->flow = NULL;
    t->seq = 0;
    t->res = NULL;

    ngx_amt_tunnel_close(t);
}
