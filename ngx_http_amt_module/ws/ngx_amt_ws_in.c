
/*
 * Input of a WebSocket: read, unmasked and handed to the owner in place, or
 * kept while the owner pauses.
 */


#include "ws/ngx_amt_ws_priv.h"


static void ngx_amt_ws_feed(ngx_amt_ws_t *ws, u_char **p, u_char *last);
static void ngx_amt_ws_deliver(ngx_amt_ws_t *ws);
static void ngx_amt_ws_input_free(ngx_amt_ws_t *ws);
static void ngx_amt_ws_message_free(ngx_amt_ws_t *ws);


/* What was read; handlers are done with it before anything else is read. */

static u_char  ngx_amt_ws_scratch[NGX_AMT_WS_PIECE];


void
ngx_amt_ws_input(ngx_amt_ws_t *ws)
{
    u_char            *p;
    size_t             turn, rest;
    ssize_t            n;
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = ws->connection;
    rev = c->read;

    if (!ws->started) {
        return;
    }

    for (turn = 0; turn < NGX_AMT_WS_TURN; /* void */ ) {

        if (ws->dead || ws->close_seen) {
            return;
        }

        if (ws->paused) {

            if (rev->pending_eof && !ws->gone) {
                ws->gone = 1;
                ws->left = ngx_current_msec;
            }

            (void) ngx_handle_read_event(rev, 0);
            return;
        }

        if (ws->in_pos != ws->in_last) {
            turn += ws->in_last - ws->in_pos;
            ngx_amt_ws_feed(ws, &ws->in_pos, ws->in_last);

            if (ws->in_pos == ws->in_last) {
                ngx_amt_ws_input_free(ws);
            }

            continue;
        }

        if (!rev->ready) {
            n = NGX_AGAIN;

        } else {
            n = c->recv(c, ngx_amt_ws_scratch, NGX_AMT_WS_PIECE);
        }

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_amt_ws_lost(ws, NGX_AMT_WS_END_INTERNAL, "read event");
            }

            return;
        }

        if (n <= 0) {
            ngx_amt_ws_lost(ws, NGX_AMT_WS_END_LOST,
                            n ? "reading failed" : "client left without a "
                            "close frame");
            return;
        }

        ws->received = ngx_current_msec;
        ws->ping_sent = 0;
        turn += n;

        p = ngx_amt_ws_scratch;

        ngx_amt_ws_feed(ws, &p, ngx_amt_ws_scratch + n);

        rest = ngx_amt_ws_scratch + n - p;

        if (rest && !ws->dead && !ws->close_seen) {
            ws->in = ngx_alloc(rest, c->log);

            if (ws->in == NULL) {
                ngx_amt_ws_lost(ws, NGX_AMT_WS_END_INTERNAL, "no memory");

            } else {
                ws->in_heap = 1;
                ws->in_pos = ws->in;
                ws->in_last = ngx_cpymem(ws->in, p, rest);
            }
        }

        if (ws->settings.secret) {
            ngx_explicit_memzero(ngx_amt_ws_scratch, n);
        }
    }

    /* others first */

    ngx_post_event(&ws->work, &ngx_posted_next_events);
}


/* Until all is read, or the owner pauses, or it is the end. */

static void
ngx_amt_ws_feed(ngx_amt_ws_t *ws, u_char **p, u_char *last)
{
    ngx_str_t             text;
    ngx_amt_ws_reader_t  *r;

    r = &ws->reader;

    while (!ws->paused && !ws->dead) {

        switch (ngx_amt_ws_read(r, p, last)) {

        case NGX_AMT_WS_EV_MORE:
            return;

        case NGX_AMT_WS_EV_DATA:

            if (ws->result.end) {
                break;
            }

            ws->active = ngx_current_msec;
            ws->bytes_in += r->len;

            ngx_amt_ws_deliver(ws);
            break;

        case NGX_AMT_WS_EV_PING:

            if (!ws->close_sent) {
                ngx_amt_ws_control(ws, NGX_AMT_WS_PONG, r->data, r->len);
            }

            break;

        case NGX_AMT_WS_EV_PONG:
            break;

        case NGX_AMT_WS_EV_CLOSE:
            ws->close_seen = 1;
            text.data = r->data;
            text.len = r->len;
            ngx_amt_ws_end(ws, NGX_AMT_WS_END_CLIENT, r->code, &text);
            return;

        default: /* NGX_AMT_WS_EV_FAILED */
            ws->close_seen = 1;

            ngx_log_error(NGX_LOG_INFO, ws->connection->log, 0,
                          "WebSocket client broke the protocol: %s", r->error);

            text.data = (u_char *) r->error;
            text.len = ngx_strlen(r->error);
            ngx_amt_ws_end(ws, NGX_AMT_WS_END_PROTOCOL, r->code, &text);
            return;
        }
    }
}


static void
ngx_amt_ws_deliver(ngx_amt_ws_t *ws)
{
    u_char               *p;
    size_t                len, size;
    ngx_amt_ws_reader_t  *r;

    r = &ws->reader;

    if (!ws->settings.whole || (r->first && r->last)) {
        ws->handlers->data(ws->owner, r->data, r->len, r->text, r->first,
                           r->last);
        return;
    }

    if (ws->message_size - ws->message_len < r->len) {

        /* the reader keeps it below max_message */

        size = ngx_max(2 * ws->message_size, ws->message_len + r->len);
        size = ngx_max(size, 1024);

        p = ngx_alloc(size, ws->connection->log);

        if (p == NULL) {
            ngx_amt_ws_lost(ws, NGX_AMT_WS_END_INTERNAL, "no memory");
            return;
        }

        len = ws->message_len;

        if (len) {
            ngx_memcpy(p, ws->message, len);
        }

        ngx_amt_ws_message_free(ws);

        ws->message = p;
        ws->message_len = len;
        ws->message_size = size;
    }

    if (r->len) {
        ngx_memcpy(ws->message + ws->message_len, r->data, r->len);
        ws->message_len += r->len;
    }

    if (r->last) {
        ws->handlers->data(ws->owner, ws->message, ws->message_len, r->text,
                           1, 1);
        ngx_amt_ws_message_free(ws);
    }
}


static void
ngx_amt_ws_message_free(ngx_amt_ws_t *ws)
{
    if (ws->message == NULL) {
        return;
    }

    if (ws->settings.secret) {
        ngx_explicit_memzero(ws->message, ws->message_size);
    }

    ngx_free(ws->message);

    ws->message = NULL;
    ws->message_len = 0;
    ws->message_size = 0;
}


static void
ngx_amt_ws_input_free(ngx_amt_ws_t *ws)
{
    if (ws->in && ws->settings.secret) {
        ngx_explicit_memzero(ws->in, ws->in_last - ws->in);
    }

    if (ws->in_heap) {
        ngx_free(ws->in);
    }

    ws->in_heap = 0;
    ws->in = NULL;
    ws->in_pos = NULL;
    ws->in_last = NULL;
}


void
ngx_amt_ws_pause(ngx_amt_ws_t *ws)
{
    if (!ws->result.end) {
        ws->paused = 1;
    }
}


void
ngx_amt_ws_resume(ngx_amt_ws_t *ws)
{
    if (!ws->paused) {
        return;
    }

    ws->paused = 0;
    ws->gone = 0;
    ws->received = ngx_current_msec;
    ws->pinged = ngx_current_msec;

    ngx_amt_ws_post(ws);
}


void
ngx_amt_ws_in_free(ngx_amt_ws_t *ws)
{
    ngx_amt_ws_input_free(ws);
    ngx_amt_ws_message_free(ws);
}
