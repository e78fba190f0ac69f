
/*
 * Conversations with the owner of a device, whichever way they take; see
 * ngx_amt_tunnel.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "device/ngx_amt_tunnel_priv.h"


#define NGX_AMT_TUNNEL_REASON  1         /* of DISCONNECT, "not allowed" */


static ngx_int_t ngx_amt_tunnel_await(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    const char *what, ngx_msec_t timeout);
static ngx_int_t ngx_amt_tunnel_run(ngx_amt_tunnel_t *t);
static ngx_int_t ngx_amt_tunnel_connected(ngx_amt_tunnel_t *t);
static ngx_uint_t ngx_amt_tunnel_idle(ngx_amt_tunnel_t *t);
static void ngx_amt_tunnel_timer(ngx_event_t *ev);
static void ngx_amt_tunnel_cancel(void *data);


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
    ngx_cira_info_t *info, ngx_amt_tunnel_options_t *o, ngx_msec_t timeout,
    ngx_pool_t *pool, ngx_amt_http_response_t *res)
{
    ngx_int_t  rc;

    rc = NGX_AGAIN;

    if (t->ended && t->api) {
        rc = ngx_amt_tunnel_direct_redial(t);

    } else if (t->ended) {
        t->before = t->connection;
        t->connection = NULL;

    } else {
        ngx_amt_tunnel_close(t);
    }

    t->err = NGX_AMT_ERR_NONE;
    t->ended = 0;
    t->cut = 0;
    t->kept = 0;
    t->reused = 0;
    t->used = 0;
    t->gone = 0;
    t->unsent = 0;
    t->res = res;

    ngx_amt_http_init(res, pool);

    res->connect = 1;

    if (rc == NGX_AGAIN && o->direct) {
        rc = ngx_amt_tunnel_direct_dial(t, info, o->fresh);
    }

    if (rc == NGX_AGAIN) {
        rc = ngx_amt_tunnel_socket_connect(t, info, o->fresh, pool);
    }

    if (rc != NGX_OK) {
        t->res = NULL;
        return NGX_ERROR;
    }

    return ngx_amt_tunnel_await(f, t, "device slot", timeout);
}


ngx_int_t
ngx_amt_tunnel_evict(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    ngx_cira_info_t *info, ngx_msec_t timeout, ngx_pool_t *pool,
    ngx_amt_http_response_t *res)
{
    u_char     *p, guid[NGX_CIRA_GUID_TEXT];
    ngx_str_t   head;

    p = ngx_pnalloc(pool, 256);

    if (p == NULL) {
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    ngx_cira_guid_text(guid, info->guid);

    head.data = p;
    head.len = ngx_sprintf(p, "EVICT %*s:%uL HTTP/1.1" CRLF
                           "CIRA-Reason: %d" CRLF CRLF,
                           (size_t) NGX_CIRA_GUID_TEXT, guid,
                           info->generation, NGX_AMT_TUNNEL_REASON)
               - p;

    return ngx_amt_tunnel_ask(f, t, info->socket, &head, timeout, pool, res);
}


ngx_int_t
ngx_amt_tunnel_ask(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    u_char *socket, ngx_str_t *head, ngx_msec_t timeout,
    ngx_pool_t *pool, ngx_amt_http_response_t *res)
{
    ngx_amt_tunnel_close(t);

    t->err = NGX_AMT_ERR_NONE;
    t->gone = 0;
    t->res = res;

    ngx_amt_http_init(res, pool);

    res->connect = 1;

    if (ngx_amt_tunnel_socket_ask(t, socket, head) != NGX_OK) {
        t->res = NULL;
        return NGX_ERROR;
    }

    return ngx_amt_tunnel_await(f, t, "another worker", timeout);
}


ngx_int_t
ngx_amt_tunnel_exchange(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t,
    ngx_str_t *out, ngx_msec_t timeout, ngx_pool_t *pool,
    ngx_amt_http_response_t *res)
{
    t->err = NGX_AMT_ERR_NONE;
    t->unsent = 0;

    ngx_amt_http_init(res, pool);

    if (!ngx_amt_tunnel_idle(t)) {
        t->unsent = 1;
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_LOST,
                                   "channel was closed");
    }

    t->out = out->data;
    t->out_last = out->data + out->len;
    t->res = res;

    if (t->connection) {
        ngx_amt_tunnel_socket_chunk(t);
    }

    return ngx_amt_tunnel_await(f, t, "device", timeout);
}


ngx_int_t
ngx_amt_tunnel_message(ngx_pool_t *pool, ngx_str_t *head, ngx_str_t *body,
    ngx_str_t *out)
{
    u_char  *p;

    p = ngx_pnalloc(pool, NGX_AMT_TUNNEL_FRAME + head->len + body->len
                          + sizeof(CRLF) - 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p + NGX_AMT_TUNNEL_FRAME;
    out->len = head->len + body->len;

    p = ngx_cpymem(out->data, head->data, head->len);
    ngx_memcpy(p, body->data, body->len);

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
    if (t->connection) {
        return ngx_amt_tunnel_socket_run(t);
    }

    ngx_amt_tunnel_direct_send(t);

    return NGX_AGAIN;
}


ngx_int_t
ngx_amt_tunnel_answer(ngx_amt_tunnel_t *t, ngx_int_t rc, ngx_uint_t rest)
{
    if (rc == NGX_DONE) {

        if (t->res->connect) {

            /* it ended, or has no free connection: who looks again knows */

            t->gone = 1;
            return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_BUSY,
                                       "owner of the device is busy");
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
        ngx_amt_tunnel_end(t);
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_tunnel_connected(ngx_amt_tunnel_t *t)
{
    switch (t->res->status) {

    case 200:
        t->reused = t->res->cira_reused;
        t->kept = t->res->cira_kept;
        ngx_amt_tunnel_close_before(t);
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


ngx_int_t
ngx_amt_tunnel_fail(ngx_amt_tunnel_t *t, ngx_amt_err_e err, const char *text)
{
    t->err = err;
    t->text = text;

    if (t->res && t->res->connect) {
        ngx_amt_tunnel_close(t);

    } else {
        ngx_amt_tunnel_end(t);
    }

    return NGX_ERROR;
}


void
ngx_amt_tunnel_end(ngx_amt_tunnel_t *t)
{
    if (t->timer.timer_set) {
        ngx_del_timer(&t->timer);
    }

    if (t->out < t->out_last) {
        t->cut = 1;
    }

    t->ended = 1;
    t->out = NULL;
    t->out_last = NULL;
}


/*
 * Connected, and neither closed by the other end nor with bytes nobody asked
 * for, as far as can be known without waiting.
 */

static ngx_uint_t
ngx_amt_tunnel_idle(ngx_amt_tunnel_t *t)
{
    return t->connection ? ngx_amt_tunnel_socket_idle(t)
                         : t->open && !t->dirty;
}


void
ngx_amt_tunnel_release(ngx_amt_tunnel_t *t, ngx_str_t *state)
{
    ngx_uint_t  idle;

    if (t->seq == 0 && t->res == NULL && t->out == t->out_last
        && state->len <= NGX_AMT_HTTP_MAX_STATE)
    {
        idle = ngx_amt_tunnel_is_open(t) && ngx_amt_tunnel_idle(t);

        if (t->api) {
            ngx_amt_tunnel_direct_release(t, state, idle);

        } else if (t->connection && !t->cut) {
            ngx_amt_tunnel_socket_release(t, state, idle);
        }
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

    ngx_amt_tunnel_close_before(t);
    ngx_amt_tunnel_direct_close(t);

    t->ended = 0;
    t->out = NULL;
    t->out_last = NULL;
}


void
ngx_amt_tunnel_close_before(ngx_amt_tunnel_t *t)
{
    if (t->before) {
        ngx_close_connection(t->before);
        t->before = NULL;
    }
}


void
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

    if (t->res->connect) {
        ngx_amt_tunnel_close(t);

    } else {
        ngx_amt_tunnel_end(t);
    }

    t->res = NULL;
}
