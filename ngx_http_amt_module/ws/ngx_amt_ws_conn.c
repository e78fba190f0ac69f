
/*
 * WebSocket on a connection that was taken over: start, events, end.  See
 * ngx_amt_ws_conn.h.
 */


#include "ws/ngx_amt_ws_priv.h"


static ngx_int_t ngx_amt_ws_headers(ngx_http_request_t *r,
    ngx_amt_ws_handshake_t *hs, ngx_str_t *protocol);
static ngx_int_t ngx_amt_ws_header(ngx_http_request_t *r, const char *name,
    u_char *data, size_t len);
static void ngx_amt_ws_start(ngx_amt_ws_t *ws);
static void ngx_amt_ws_read_handler(ngx_event_t *rev);
static void ngx_amt_ws_write_handler(ngx_event_t *wev);
static void ngx_amt_ws_work_handler(ngx_event_t *ev);
static void ngx_amt_ws_shutdown(ngx_amt_ws_t *ws);
static void ngx_amt_ws_finish(ngx_amt_ws_t *ws);
static void ngx_amt_ws_free(ngx_amt_ws_t *ws);
static void ngx_amt_ws_cleanup(void *data);


static const char  *ngx_amt_ws_ends[] = {
    "open", "gateway", "client", "protocol", "lost", "timeout", "idle",
    "worker", "internal"
};


void
ngx_amt_ws_settings(ngx_http_request_t *r, ngx_amt_ws_settings_t *s)
{
    ngx_amt_ws_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_amt_ws_module);

    ngx_memzero(s, sizeof(ngx_amt_ws_settings_t));

    s->max_frame = conf->max_message;
    s->max_message = conf->max_message;
    s->ping = conf->ping;
    s->timeout = conf->timeout;
    s->idle = conf->idle;
}


ngx_int_t
ngx_amt_ws_accept(ngx_http_request_t *r, ngx_amt_ws_handshake_t *hs,
    ngx_str_t *protocol, ngx_amt_ws_settings_t *settings,
    const ngx_amt_ws_handlers_t *handlers, void *owner, ngx_amt_ws_t **result)
{
    ngx_int_t            rc;
    ngx_amt_ws_t        *ws;
    ngx_connection_t    *c;
    ngx_http_cleanup_t  *cln;

    c = r->connection;

    if (ngx_exiting || c->close) {

        /* the client's next try meets a worker that stays */

        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    ws = ngx_pcalloc(r->pool, sizeof(ngx_amt_ws_t));
    cln = ngx_http_cleanup_add(r, 0);

    if (ws == NULL || cln == NULL
        || ngx_amt_ws_headers(r, hs, protocol) != NGX_OK)
    {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    /* else what follows would be parsed as the next request */

    r->keepalive = 0;

    /* would delay 101 only */

    r->limit_rate = 0;
    r->limit_rate_set = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_http_send_special(r, NGX_HTTP_FLUSH) == NGX_ERROR) {
        return NGX_ERROR;
    }

    ws->request = r;
    ws->connection = c;
    ws->handlers = handlers;
    ws->owner = owner;
    ws->settings = *settings;
    ws->received = ngx_current_msec;
    ws->progress = ngx_current_msec;
    ws->active = ngx_current_msec;

    ngx_str_set(&ws->result.reason, "");

    if (ws->settings.max_queue == 0) {
        ws->settings.max_queue = NGX_AMT_WS_MAX_QUEUE;
    }

    if (ws->settings.whole && ws->settings.max_message == 0) {
        ws->settings.max_message = NGX_AMT_WS_MAX_QUEUE;
    }

    ngx_amt_ws_reader_init(&ws->reader, ws->settings.max_frame,
                           ws->settings.max_message);

    /* frames that came together with the request */

    ws->in = r->header_in->pos;
    ws->in_pos = r->header_in->pos;
    ws->in_last = r->header_in->last;
    r->header_in->pos = r->header_in->last;

    ws->timer.handler = ngx_amt_ws_timer_handler;
    ws->timer.data = ws;
    ws->timer.log = c->log;

    ws->work.handler = ngx_amt_ws_work_handler;
    ws->work.data = ws;
    ws->work.log = c->log;

    cln->handler = ngx_amt_ws_cleanup;
    cln->data = ws;

    ngx_http_set_ctx(r, ws, ngx_http_amt_ws_module);
    ngx_amt_ws_drain_add(ws);

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    if (c->write->timer_set) {
        ngx_del_timer(c->write);
    }

    ws->read_handler = c->read->handler;
    ws->write_handler = c->write->handler;
    c->read->handler = ngx_amt_ws_read_handler;
    c->write->handler = ngx_amt_ws_write_handler;
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    c->log->action = "relaying WebSocket";

    if (c->tcp_nodelay == NGX_TCP_NODELAY_UNSET) {
        (void) ngx_tcp_nodelay(c);
    }

#if (NGX_HTTP_SSL)
    if (c->ssl) {

        /* output is moved into the queue when it was not taken */

        SSL_set_mode(c->ssl->connection, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
#endif

    ngx_amt_ws_start(ws);
    ngx_amt_ws_post(ws);

    *result = ws;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_ws_headers(ngx_http_request_t *r, ngx_amt_ws_handshake_t *hs,
    ngx_str_t *protocol)
{
    u_char  *accept;

    accept = ngx_pnalloc(r->pool, NGX_AMT_WS_ACCEPT_LEN);

    if (accept == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(accept, hs->accept, NGX_AMT_WS_ACCEPT_LEN);

    /* "Connection: upgrade" is the header filter's */

    r->headers_out.status = NGX_HTTP_SWITCHING_PROTOCOLS;
    ngx_str_set(&r->headers_out.status_line, "101 Switching Protocols");
    r->headers_out.content_length_n = -1;

    if (ngx_amt_ws_header(r, "Upgrade", (u_char *) "websocket",
                          sizeof("websocket") - 1)
        != NGX_OK
        || ngx_amt_ws_header(r, "Sec-WebSocket-Accept", accept,
                             NGX_AMT_WS_ACCEPT_LEN)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (protocol == NULL) {
        return NGX_OK;
    }

    return ngx_amt_ws_header(r, "Sec-WebSocket-Protocol", protocol->data,
                             protocol->len);
}


static ngx_int_t
ngx_amt_ws_header(ngx_http_request_t *r, const char *name, u_char *data,
    size_t len)
{
    ngx_table_elt_t  *h;

    h = ngx_list_push(&r->headers_out.headers);

    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    h->hash = 1;
    h->key.len = ngx_strlen(name);
    h->key.data = (u_char *) name;
    h->value.len = len;
    h->value.data = data;

    return NGX_OK;
}


/* Frames go out after all of 101 did, which is nearly always at once. */

static void
ngx_amt_ws_start(ngx_amt_ws_t *ws)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ws->request;
    c = ws->connection;

    if (r->buffered || r->out || c->buffered) {

        if (ngx_http_output_filter(r, NULL) == NGX_ERROR) {
            ngx_amt_ws_lost(ws, NGX_AMT_WS_END_LOST, "sending 101 failed");
            return;
        }

        if (r->buffered || r->out || c->buffered) {

            if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
                ngx_amt_ws_lost(ws, NGX_AMT_WS_END_INTERNAL, "write event");
            }

            return;
        }
    }

    ws->started = 1;

#if (NGX_HTTP_SSL)
    if (c->ssl) {

        /* 16 KB that are not needed any more */

        ngx_ssl_free_buffer(c);
        c->ssl->buffer = 0;
    }
#endif
}


static void
ngx_amt_ws_read_handler(ngx_event_t *rev)
{
    ngx_amt_ws_t        *ws;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = rev->data;
    r = c->data;
    ws = ngx_amt_ws_of(r);

    if (ws == NULL || ws->freed) {
        return;
    }

    ngx_http_set_log_request(c->log, r);

    rev->timedout = 0;

    if (c->close) {
        ngx_amt_ws_shutdown(ws);
        return;
    }

    ngx_amt_ws_input(ws);
    ngx_amt_ws_settle(ws);
}


static void
ngx_amt_ws_write_handler(ngx_event_t *wev)
{
    ngx_amt_ws_t        *ws;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = wev->data;
    r = c->data;
    ws = ngx_amt_ws_of(r);

    if (ws == NULL || ws->freed) {
        return;
    }

    ngx_http_set_log_request(c->log, r);

    wev->timedout = 0;

    if (!ws->started && !ws->dead) {
        ngx_amt_ws_start(ws);

        if (ws->started) {
            ngx_amt_ws_post(ws);
        }
    }

    if (ngx_amt_ws_flush(ws) == NGX_OK && ws->blocked && !ws->told) {
        ws->blocked = 0;
        ws->handlers->writable(ws->owner);
    }

    ngx_amt_ws_settle(ws);
}


void
ngx_amt_ws_post(ngx_amt_ws_t *ws)
{
    if (!ws->freed) {
        ngx_post_event(&ws->work, &ngx_posted_events);
    }
}


static void
ngx_amt_ws_work_handler(ngx_event_t *ev)
{
    ngx_amt_ws_t  *ws;

    ws = ev->data;

    ngx_http_set_log_request(ws->connection->log, ws->request);

    ngx_amt_ws_input(ws);
    ngx_amt_ws_settle(ws);
}


void
ngx_amt_ws_close(ngx_amt_ws_t *ws, ngx_uint_t code, ngx_str_t *reason)
{
    ws->told = 1;

    ngx_amt_ws_end(ws, NGX_AMT_WS_END_OWNER, code, reason);
    ngx_amt_ws_post(ws);
}


void
ngx_amt_ws_end(ngx_amt_ws_t *ws, ngx_amt_ws_end_e end, ngx_uint_t code,
    ngx_str_t *reason)
{
    u_char  payload[NGX_AMT_WS_CONTROL_MAX], *last;

    if (ws->result.end) {
        return;
    }

    ws->result.end = end;
    ws->result.code = code;

    if (reason && end != NGX_AMT_WS_END_OWNER) {
        ws->result.reason = *reason;
    }

    ws->paused = 0;
    ws->ended = ngx_current_msec;
    ws->deadline = ngx_current_msec + NGX_AMT_WS_LINGER;

    if (code == NGX_AMT_WS_ABNORMAL) {
        ws->dead = 1;

    } else if (!ws->dead) {

        /* an answer repeats the code only */

        last = ngx_amt_ws_close_payload(payload, code,
                                        end == NGX_AMT_WS_END_CLIENT ? NULL
                                                                     : reason);

        ngx_amt_ws_control(ws, NGX_AMT_WS_CLOSE, payload, last - payload);
        ws->close_sent = 1;
    }

    ngx_amt_ws_post(ws);
}


void
ngx_amt_ws_lost(ngx_amt_ws_t *ws, ngx_amt_ws_end_e end, const char *why)
{
    ngx_str_t  text;

    ws->dead = 1;

    if (ws->result.end) {
        ngx_amt_ws_post(ws);
        return;
    }

    text.data = (u_char *) why;
    text.len = ngx_strlen(why);

    ngx_amt_ws_end(ws, end, NGX_AMT_WS_ABNORMAL, &text);
}


/* worker_shutdown_timeout is over, or the server has no connections left */

static void
ngx_amt_ws_shutdown(ngx_amt_ws_t *ws)
{
    ngx_str_t  reason;

    ngx_str_set(&reason, "worker is shutting down");

    ngx_amt_ws_end(ws, NGX_AMT_WS_END_WORKER, NGX_AMT_WS_GOING_AWAY, &reason);
    ws->dead = 1;

    ngx_amt_ws_settle(ws);
}


void
ngx_amt_ws_settle(ngx_amt_ws_t *ws)
{
    if (ws->result.end && !ws->told) {
        ws->told = 1;
        ws->handlers->closed(ws->owner, &ws->result);
    }

    if (ws->dead || (ws->close_sent && ws->close_seen && ws->out == NULL)) {
        ngx_amt_ws_finish(ws);
        return;
    }

    ngx_amt_ws_timer(ws);
}


static void
ngx_amt_ws_finish(ngx_amt_ws_t *ws)
{
    ngx_int_t            rc;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = ws->request;
    c = ws->connection;

    if (ws->dead) {

        /* reset_timedout_connection */

        if (ws->result.end == NGX_AMT_WS_END_TIMEOUT) {
            c->timedout = 1;
        }

        rc = NGX_HTTP_CLIENT_CLOSED_REQUEST;

    } else {

        /* what the client sent last must not reset our close frame */

        r->lingering_close = 1;
        rc = NGX_OK;
    }

    ngx_amt_ws_free(ws);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


static void
ngx_amt_ws_free(ngx_amt_ws_t *ws)
{
    ngx_connection_t  *c;

    c = ws->connection;

    /* the client's own words could forge lines */

    if (ws->result.end == NGX_AMT_WS_END_CLIENT) {
        ngx_str_set(&ws->result.reason, "");
    }

    ngx_log_error(NGX_LOG_INFO, c->log, 0,
                  "WebSocket ended by %s with %ui%s%V, "
                  "%O bytes received, %O sent",
                  ngx_amt_ws_end_name(ws->result.end), ws->result.code,
                  ws->result.reason.len ? ": " : "", &ws->result.reason,
                  ws->bytes_in, ws->bytes_out);

    ws->freed = 1;
    ws->dead = 1;

    if (ws->timer.timer_set) {
        ngx_del_timer(&ws->timer);
    }

    if (ws->work.posted) {
        ngx_delete_posted_event(&ws->work);
    }

    ngx_amt_ws_in_free(ws);
    ngx_amt_ws_out_free(ws);
    ngx_amt_ws_drain_del(ws);

    c->read->handler = ws->read_handler;
    c->write->handler = ws->write_handler;

#if (NGX_HTTP_SSL)

    /* a renegotiation has other handlers meanwhile, and brings these back */

    if (c->ssl) {

        if (c->ssl->saved_read_handler == ngx_amt_ws_read_handler) {
            c->ssl->saved_read_handler = ws->read_handler;
        }

        if (c->ssl->saved_write_handler == ngx_amt_ws_write_handler) {
            c->ssl->saved_write_handler = ws->write_handler;
        }
    }

#endif
}


/* Of the request, however it ends. */

static void
ngx_amt_ws_cleanup(void *data)
{
    ngx_amt_ws_t *ws = data;

    if (ws->freed) {
        return;
    }

    if (!ws->result.end) {
        ws->result.end = NGX_AMT_WS_END_LOST;
        ws->result.code = NGX_AMT_WS_ABNORMAL;
    }

    if (!ws->told) {
        ws->told = 1;
        ws->handlers->closed(ws->owner, &ws->result);
    }

    ngx_amt_ws_free(ws);
}


ngx_amt_ws_t *
ngx_amt_ws_of(ngx_http_request_t *r)
{
    return ngx_http_get_module_ctx(r, ngx_http_amt_ws_module);
}


const char *
ngx_amt_ws_end_name(ngx_amt_ws_end_e end)
{
    return ngx_amt_ws_ends[end];
}
