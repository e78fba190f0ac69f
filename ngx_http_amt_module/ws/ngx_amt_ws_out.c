
/*
 * Output of a WebSocket: at once when the client takes it, else through one
 * queue, so that frames are never mixed.
 */


#include "ws/ngx_amt_ws_priv.h"


/* Blocks of the queue are not smaller: a TLS record for many short frames. */
#define NGX_AMT_WS_BLOCK  2048


static ngx_int_t ngx_amt_ws_output(ngx_amt_ws_t *ws, u_char *p, size_t len);
static size_t ngx_amt_ws_write(ngx_amt_ws_t *ws, u_char *p, size_t len);
static ngx_int_t ngx_amt_ws_queue(ngx_amt_ws_t *ws, u_char *p, size_t len);
static void ngx_amt_ws_block_free(ngx_amt_ws_t *ws, ngx_amt_ws_out_t *o);


ngx_int_t
ngx_amt_ws_send(ngx_amt_ws_t *ws, u_char first, u_char *payload, size_t len)
{
    u_char     *p;
    ngx_str_t   reason;
    ngx_int_t   rc;

    if (ws->result.end) {
        return NGX_ERROR;
    }

    if (ws->queued && ws->queued + len > ws->settings.max_queue) {
        ngx_log_error(NGX_LOG_INFO, ws->connection->log, 0,
                      "WebSocket client is too slow, %uz bytes wait",
                      ws->queued);

        ngx_str_set(&reason, "client is too slow");
        ngx_amt_ws_end(ws, NGX_AMT_WS_END_INTERNAL, NGX_AMT_WS_INTERNAL,
                       &reason);
        return NGX_ERROR;
    }

    p = ngx_amt_ws_frame(payload, first, len);

    rc = ngx_amt_ws_output(ws, p, payload + len - p);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    ws->active = ngx_current_msec;
    ws->bytes_out += len;

    if (rc == NGX_AGAIN) {
        ws->blocked = 1;
    }

    return rc;
}


ngx_uint_t
ngx_amt_ws_blocked(ngx_amt_ws_t *ws)
{
    return ws->blocked;
}


void
ngx_amt_ws_control(ngx_amt_ws_t *ws, ngx_uint_t op, u_char *p, size_t len)
{
    u_char   buf[NGX_AMT_WS_HEAD + NGX_AMT_WS_CONTROL_MAX], *payload, *start;

    payload = buf + NGX_AMT_WS_HEAD;

    if (len) {
        ngx_memcpy(payload, p, len);
    }

    if (ws->out || !ws->started) {

        /*
         * A client that does not read cannot make us queue pongs: the last
         * ping is answered, RFC 6455 section 5.5.3.  A ping would not prove
         * anything.
         */

        if (op == NGX_AMT_WS_PONG) {
            ws->pong_due = 1;
            ws->pong_len = (u_char) len;
            ngx_memcpy(ws->pong, payload, len);
        }

        if (op != NGX_AMT_WS_CLOSE) {
            return;
        }
    }

    start = ngx_amt_ws_frame(payload, NGX_AMT_WS_FIN | (u_char) op, len);

    (void) ngx_amt_ws_output(ws, start, payload + len - start);
}


/* NGX_OK: sent; NGX_AGAIN: the rest is in the queue; NGX_ERROR: dead. */

static ngx_int_t
ngx_amt_ws_output(ngx_amt_ws_t *ws, u_char *p, size_t len)
{
    size_t  n;

    n = 0;

    if (ws->out == NULL && ws->started) {
        n = ngx_amt_ws_write(ws, p, len);

        if (n == len) {
            return NGX_OK;
        }
    }

    if (ws->dead) {
        return NGX_ERROR;
    }

    return ngx_amt_ws_queue(ws, p + n, len - n);
}


/* Returns how many bytes went out; sets dead when none will any more. */

static size_t
ngx_amt_ws_write(ngx_amt_ws_t *ws, u_char *p, size_t len)
{
    size_t             size;
    ssize_t            n;
    u_char            *start;
    ngx_connection_t  *c;

    c = ws->connection;
    start = p;

    while (len && c->write->ready) {
        size = c->ssl ? ngx_min(len, NGX_AMT_WS_RECORD) : len;

        n = c->send(c, p, size);

        if (n == NGX_ERROR) {
            ngx_amt_ws_lost(ws, NGX_AMT_WS_END_LOST, "writing failed");
            return p - start;
        }

        if (n <= 0) {
            break;
        }

        p += n;
        len -= n;
        ws->progress = ngx_current_msec;
    }

    if (len && ngx_handle_write_event(c->write, 0) != NGX_OK) {
        ngx_amt_ws_lost(ws, NGX_AMT_WS_END_INTERNAL, "write event");
    }

    return p - start;
}


static ngx_int_t
ngx_amt_ws_queue(ngx_amt_ws_t *ws, u_char *p, size_t len)
{
    size_t             n;
    ngx_amt_ws_out_t  *o, *last;

    last = ws->out ? ws->out_last : NULL;

    ws->queued += len;

    if (last) {
        n = ngx_min(len, (size_t) (last->end - last->last));
        last->last = ngx_cpymem(last->last, p, n);
        p += n;
        len -= n;

    } else {
        ws->progress = ngx_current_msec;
    }

    if (len) {
        n = ngx_max(len, NGX_AMT_WS_BLOCK - sizeof(ngx_amt_ws_out_t));

        o = ngx_alloc(sizeof(ngx_amt_ws_out_t) + n, ws->connection->log);

        if (o == NULL) {
            ngx_amt_ws_lost(ws, NGX_AMT_WS_END_INTERNAL, "no memory");
            return NGX_ERROR;
        }

        o->next = NULL;
        o->pos = (u_char *) (o + 1);
        o->end = o->pos + n;
        o->last = ngx_cpymem(o->pos, p, len);

        if (last) {
            last->next = o;

        } else {
            ws->out = o;
        }

        ws->out_last = o;
    }

    /* a timer for it */

    ngx_amt_ws_post(ws);

    return NGX_AGAIN;
}


ngx_int_t
ngx_amt_ws_flush(ngx_amt_ws_t *ws)
{
    size_t             n;
    ngx_amt_ws_out_t  *o;

    if (!ws->started) {
        return NGX_AGAIN;
    }

    while (ws->out && !ws->dead) {
        o = ws->out;

        n = ngx_amt_ws_write(ws, o->pos, o->last - o->pos);

        o->pos += n;
        ws->queued -= n;

        if (n && ws->result.end
            && ngx_current_msec - ws->ended < NGX_AMT_WS_LINGER_MAX)
        {
            ws->deadline = ngx_current_msec + NGX_AMT_WS_LINGER;
        }

        if (o->pos != o->last) {
            break;
        }

        ws->out = o->next;
        ngx_amt_ws_block_free(ws, o);
    }

    if (ws->dead) {
        return NGX_ERROR;
    }

    if (ws->out) {
        return NGX_AGAIN;
    }

    if (ws->pong_due) {
        ws->pong_due = 0;

        if (!ws->close_sent) {
            ngx_amt_ws_control(ws, NGX_AMT_WS_PONG, ws->pong, ws->pong_len);
        }
    }

    return ws->out ? NGX_AGAIN : NGX_OK;
}


static void
ngx_amt_ws_block_free(ngx_amt_ws_t *ws, ngx_amt_ws_out_t *o)
{
    if (ws->settings.secret) {
        ngx_explicit_memzero(o, o->end - (u_char *) o);
    }

    ngx_free(o);
}


void
ngx_amt_ws_out_free(ngx_amt_ws_t *ws)
{
    ngx_amt_ws_out_t  *o;

    while (ws->out) {
        o = ws->out;
        ws->out = o->next;
        ngx_amt_ws_block_free(ws, o);
    }

    ws->queued = 0;
}
