
/*
 * The bytes of CONNECT tunnels, see ngx_cira_relay.h.
 *
 * Callbacks of the channel layer only change buffers and post events; what
 * may end a tunnel runs from event handlers.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_stream.h>
#include "ngx_cira_relay.h"
#include "ngx_cira_peer.h"
#include "ngx_cira_worker.h"
#include <linux/sockios.h>


#define NGX_CIRA_RELAY_STEPS    16       /* buffers per event */
#define NGX_CIRA_RELAY_TICK     10000    /* ms */
#define NGX_CIRA_RELAY_STALL    30000    /* ms, apf.md section 12 */
#define NGX_CIRA_RELAY_LINGER   2000     /* ms */
#define NGX_CIRA_RELAY_PAUSE    100      /* ms */
#define NGX_CIRA_RELAY_DISCARD  65536    /* bytes */

#define NGX_CIRA_RELAY_WAITED                                                \
    "no channel of the device became free in time"


static void ngx_cira_relay_read(ngx_event_t *rev);
static void ngx_cira_relay_write(ngx_event_t *wev);
static void ngx_cira_relay_timer(ngx_event_t *ev);
static void ngx_cira_relay_set_timer(ngx_cira_tunnel_t *t, ngx_msec_t time);
static void ngx_cira_relay_tick(ngx_cira_tunnel_t *t);
static ngx_uint_t ngx_cira_relay_unread(ngx_cira_tunnel_t *t);
static void ngx_cira_relay_wait(ngx_cira_tunnel_t *t);
static void ngx_cira_relay_open(ngx_cira_tunnel_t *t);
static void ngx_cira_relay_up(ngx_cira_tunnel_t *t);
static ngx_int_t ngx_cira_relay_push(ngx_cira_tunnel_t *t);
static size_t ngx_cira_relay_send(ngx_cira_tunnel_t *t, u_char *p,
    size_t size);
static void ngx_cira_relay_fin(ngx_cira_tunnel_t *t);
static void ngx_cira_relay_release(ngx_cira_tunnel_t *t);
static void ngx_cira_relay_down(ngx_cira_tunnel_t *t);
static ngx_int_t ngx_cira_relay_flush(ngx_cira_tunnel_t *t);
static void ngx_cira_relay_linger(ngx_cira_tunnel_t *t);

static void ngx_cira_relay_opened(ngx_cira_dial_t *d, ngx_cira_dial_rc_e rc,
    ngx_uint_t reason);
static size_t ngx_cira_relay_received(ngx_cira_dial_t *d, u_char *p,
    size_t size);
static void ngx_cira_relay_writable(ngx_cira_dial_t *d);
static void ngx_cira_relay_closed(ngx_cira_dial_t *d, char *text);

static void ngx_cira_relay_owner_read(ngx_event_t *rev);
static void ngx_cira_relay_owner_write(ngx_event_t *wev);
static void ngx_cira_relay_head(ngx_cira_tunnel_t *t);


static ngx_queue_t  ngx_cira_tunnels;


/* ---- life ---- */

void
ngx_cira_relay_init(ngx_cira_tunnel_t *t)
{
    ngx_connection_t  *c;

    if (ngx_cira_tunnels.next == NULL) {
        ngx_queue_init(&ngx_cira_tunnels);
    }

    ngx_queue_insert_tail(&ngx_cira_tunnels, &t->queue);

    c = t->client;

    c->read->handler = ngx_cira_relay_read;
    c->write->handler = ngx_cira_relay_write;

    t->timer.data = c;
    t->timer.log = c->log;
    t->timer.handler = ngx_cira_relay_timer;

    ngx_cira_relay_set_timer(t, NGX_CIRA_HEAD_TIMEOUT);
}


ngx_int_t
ngx_cira_relay_alloc(ngx_cira_tunnel_t *t, ngx_buf_t *b, size_t size)
{
    if (b->start) {
        return NGX_OK;
    }

    b->start = ngx_palloc(t->client->pool, size);
    if (b->start == NULL) {
        return NGX_ERROR;
    }

    b->end = b->start + size;
    b->pos = b->start;
    b->last = b->start;

    return NGX_OK;
}


ngx_uint_t
ngx_cira_relay_active(void)
{
    return ngx_cira_tunnels.next && !ngx_queue_empty(&ngx_cira_tunnels);
}


void
ngx_cira_relay_close(char *reason)
{
    ngx_queue_t        *q;
    ngx_cira_tunnel_t  *t;

    while (ngx_cira_relay_active()) {
        q = ngx_queue_head(&ngx_cira_tunnels);
        t = ngx_queue_data(q, ngx_cira_tunnel_t, queue);

        ngx_cira_relay_finalize(t, reason);
    }
}


void
ngx_cira_relay_finalize(ngx_cira_tunnel_t *t, char *reason)
{
    ngx_connection_t  *owner;

    if (reason) {
        t->reason = reason;

        ngx_log_error(NGX_LOG_INFO, t->client->log, 0, "tunnel closed: %s",
                      reason);
    }

    if (t->state == NGX_CIRA_TUNNEL_DIAL) {
        ngx_cira_channel_cancel(&t->dial);

    } else if (t->dial.channel) {
        ngx_cira_channel_close(&t->dial);
    }

    owner = t->owner;

    if (owner) {
        t->owner = NULL;
        ngx_close_connection(owner);
    }

    if (t->timer.timer_set) {
        ngx_del_timer(&t->timer);
    }

    ngx_queue_remove(&t->queue);

    if (t->private && t->request->line.total == 0) {

        /* a sweep asked no more than whether somebody listens */

        ngx_cira_worker_close(t->client);
        return;
    }

    ngx_stream_finalize_session(t->session, t->status
                                            ? t->status
                                            : NGX_STREAM_BAD_REQUEST);
}


static void
ngx_cira_relay_set_timer(ngx_cira_tunnel_t *t, ngx_msec_t time)
{
    ngx_add_timer(&t->timer, time);
}


static void
ngx_cira_relay_tick(ngx_cira_tunnel_t *t)
{
    ngx_cira_relay_set_timer(t, ngx_min(t->conf->send_timeout / 4 + 1,
                                        NGX_CIRA_RELAY_TICK));
}


/*
 * TRUE when the client has taken nothing since the last look.  A socket takes
 * more only when much of its buffer is empty; a slow reader empties it in
 * more time than that.
 */

static ngx_uint_t
ngx_cira_relay_unread(ngx_cira_tunnel_t *t)
{
    int  n;

    if (!t->unread) {
        return 0;
    }

    if (ioctl(t->client->fd, SIOCOUTQ, &n) != -1 && n != t->outq) {
        t->outq = n;
        t->taken = ngx_current_msec;
        return 0;
    }

    return 1;
}


static void
ngx_cira_relay_timer(ngx_event_t *ev)
{
    ngx_connection_t      *c;
    ngx_cira_tunnel_t     *t;
    ngx_stream_session_t  *s;

    c = ev->data;
    s = c->data;
    t = ngx_stream_get_module_ctx(s, ngx_stream_cira_connect_module);

    ev->timedout = 0;

    switch (t->state) {

    case NGX_CIRA_TUNNEL_HEAD:
        if (t->request->line.total == 0) {
            ngx_cira_relay_finalize(t, "client sent no request");
            return;
        }

        ngx_cira_relay_refuse(t, 400, 0, "request timed out");
        return;

    case NGX_CIRA_TUNNEL_DIAL:
        ngx_cira_channel_cancel(&t->dial);
        ngx_cira_relay_refuse(t, 504, 0, NGX_CIRA_RELAY_WAITED);
        return;

    case NGX_CIRA_TUNNEL_ASK:
        ngx_cira_relay_refuse(t, 504, 0, "owner of the device did not answer "
                              "in time");
        return;

    case NGX_CIRA_TUNNEL_PAUSE:
        ngx_cira_connect_route(t);
        return;

    case NGX_CIRA_TUNNEL_OPEN:
        if (t->stalled
            && ngx_current_msec - t->progress >= NGX_CIRA_RELAY_STALL)
        {
            ngx_cira_relay_finalize(t, "device takes no data");
            return;
        }

        if (ngx_cira_relay_unread(t)
            && ngx_current_msec - t->taken >= t->conf->send_timeout)
        {
            ngx_cira_relay_finalize(t, "client takes no data");
            return;
        }

        ngx_cira_relay_tick(t);
        return;

    case NGX_CIRA_TUNNEL_FLUSH:
        ngx_cira_relay_finalize(t, "client takes no data");
        return;

    default: /* NGX_CIRA_TUNNEL_LINGER */
        ngx_cira_relay_finalize(t, NULL);
    }
}


/* ---- events of the client ---- */

static void
ngx_cira_relay_read(ngx_event_t *rev)
{
    ngx_connection_t      *c;
    ngx_cira_tunnel_t     *t;
    ngx_stream_session_t  *s;

    c = rev->data;
    s = c->data;
    t = ngx_stream_get_module_ctx(s, ngx_stream_cira_connect_module);

    if (c->close) {
        ngx_cira_relay_finalize(t, "worker is shutting down");
        return;
    }

    switch (t->state) {

    case NGX_CIRA_TUNNEL_HEAD:
        ngx_cira_connect_read(t);
        return;

    case NGX_CIRA_TUNNEL_DIAL:
    case NGX_CIRA_TUNNEL_ASK:
    case NGX_CIRA_TUNNEL_PAUSE:
        ngx_cira_relay_wait(t);
        return;

    case NGX_CIRA_TUNNEL_OPEN:
        ngx_cira_relay_up(t);
        return;

    case NGX_CIRA_TUNNEL_FLUSH:
        return;

    default: /* NGX_CIRA_TUNNEL_LINGER */
        ngx_cira_relay_linger(t);
    }
}


static void
ngx_cira_relay_write(ngx_event_t *wev)
{
    ngx_connection_t      *c;
    ngx_cira_tunnel_t     *t;
    ngx_stream_session_t  *s;

    c = wev->data;
    s = c->data;
    t = ngx_stream_get_module_ctx(s, ngx_stream_cira_connect_module);

    if (c->close) {
        ngx_cira_relay_finalize(t, "worker is shutting down");
        return;
    }

    switch (t->state) {

    case NGX_CIRA_TUNNEL_OPEN:
    case NGX_CIRA_TUNNEL_FLUSH:
        ngx_cira_relay_down(t);
        return;

    case NGX_CIRA_TUNNEL_LINGER:
        ngx_cira_relay_linger(t);
        return;

    default:
        return;
    }
}


/*
 * Before the tunnel is open: what the client sends is kept, and its FIN is
 * noticed.  A client that has nothing to say any more and said nothing has
 * given up; one that sent its bytes and FIN gets them delivered.
 */

static void
ngx_cira_relay_wait(ngx_cira_tunnel_t *t)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    c = t->client;
    b = &t->up;

    if (ngx_cira_relay_alloc(t, b, NGX_CIRA_RELAY_BUFFER) != NGX_OK) {
        ngx_cira_relay_finalize(t, "no memory");
        return;
    }

    while (b->last < b->end && !t->eof) {

        n = c->recv(c, b->last, b->end - b->last);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR || (n == 0 && b->pos == b->last)) {
            ngx_cira_relay_finalize(t, "client closed the connection");
            return;
        }

        if (n == 0) {
            t->eof = 1;
            break;
        }

        b->last += n;
        t->session->received += n;
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_cira_relay_finalize(t, "internal error");
    }
}


static void
ngx_cira_relay_open(ngx_cira_tunnel_t *t)
{
    t->state = NGX_CIRA_TUNNEL_OPEN;
    t->status = 200;
    t->progress = ngx_current_msec;
    t->client->log->action = "relaying to a device";

    ngx_cira_relay_tick(t);

    ngx_post_event(t->client->write, &ngx_posted_events);
    ngx_post_event(t->client->read, &ngx_posted_events);
}


/* ---- client to device ---- */

static void
ngx_cira_relay_up(ngx_cira_tunnel_t *t)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_int_t          rc;
    ngx_uint_t         steps;
    ngx_connection_t  *c;

    c = t->client;
    b = &t->up;

    if (t->shut) {
        return;
    }

    if (ngx_cira_relay_alloc(t, b, NGX_CIRA_RELAY_BUFFER) != NGX_OK) {
        ngx_cira_relay_finalize(t, "no memory");
        return;
    }

    for (steps = 0; steps < NGX_CIRA_RELAY_STEPS; steps++) {

        rc = ngx_cira_relay_push(t);

        if (rc == NGX_DONE) {
            ngx_cira_relay_release(t);
            return;
        }

        if (rc == NGX_ERROR) {
            ngx_cira_relay_finalize(t, t->reason ? t->reason
                                                 : "owner closed the "
                                                   "connection");
            return;
        }

        if (rc == NGX_AGAIN) {

            if (!t->stalled) {
                t->stalled = 1;
                t->progress = ngx_current_msec;
            }

            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                ngx_cira_relay_finalize(t, "internal error");
            }

            return;
        }

        t->stalled = 0;

        if (t->eof) {
            ngx_cira_relay_fin(t);
            return;
        }

        b->pos = b->start;
        b->last = b->start;

        n = c->recv(c, b->start, b->end - b->start);

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                ngx_cira_relay_finalize(t, "internal error");
            }

            return;
        }

        if (n == NGX_ERROR) {
            ngx_cira_relay_finalize(t, "client reset the connection");
            return;
        }

        if (n == 0) {
            t->eof = 1;
            continue;
        }

        b->last = b->start + n;
        t->session->received += n;
    }

    /* others first */

    ngx_post_event(c->read, &ngx_posted_next_events);
}


/*
 * NGX_OK: all in t->up is delivered; NGX_AGAIN: the other side takes no more
 * now; NGX_DONE: last chunk of CIRA-Release; NGX_ERROR.
 */

static ngx_int_t
ngx_cira_relay_push(ngx_cira_tunnel_t *t)
{
    size_t      n;
    ngx_buf_t  *b;
    ngx_int_t   rc;

    b = &t->up;

    if (t->owner || t->chunked == NULL) {

        while (b->pos < b->last) {
            n = ngx_cira_relay_send(t, b->pos, b->last - b->pos);

            if (n == 0) {
                return t->owner && t->owner->error ? NGX_ERROR : NGX_AGAIN;
            }

            b->pos += n;
        }

        return NGX_OK;
    }

    for ( ;; ) {

        while (t->payload.len) {
            n = ngx_cira_relay_send(t, t->payload.data, t->payload.len);

            if (n == 0) {
                return NGX_AGAIN;
            }

            t->payload.data += n;
            t->payload.len -= n;
        }

        rc = ngx_cira_chunked_parse(t->chunked, &b->pos, b->last,
                                    &t->payload);
        switch (rc) {

        case NGX_OK:
            continue;

        case NGX_AGAIN:
            return NGX_OK;

        case NGX_DONE:

            if (b->pos != b->last) {
                t->reason = "client sent bytes behind the release";
                return NGX_ERROR;
            }

            return NGX_DONE;

        default:
            t->reason = "client sent an invalid chunk";
            return NGX_ERROR;
        }
    }
}


static size_t
ngx_cira_relay_send(ngx_cira_tunnel_t *t, u_char *p, size_t size)
{
    size_t             n;
    ssize_t            rc;
    ngx_connection_t  *c;

    c = t->owner;

    if (c == NULL) {
        n = ngx_cira_channel_send(&t->dial, p, size);

    } else {
        rc = c->send(c, p, size);

        if (rc == NGX_ERROR
            || (rc == NGX_AGAIN
                && ngx_handle_write_event(c->write, 0) != NGX_OK))
        {
            c->error = 1;
            return 0;
        }

        n = rc > 0 ? (size_t) rc : 0;
    }

    if (n) {
        t->progress = ngx_current_msec;
    }

    return n;
}


/* The client's FIN, behind all it had sent: APF knows only CLOSE. */

static void
ngx_cira_relay_fin(ngx_cira_tunnel_t *t)
{
    if (t->owner == NULL) {

        if (t->chunked) {
            ngx_cira_relay_finalize(t, "client closed without release");
            return;
        }

        ngx_cira_relay_finalize(t, "client closed the connection");
        return;
    }

    t->shut = 1;

    if (ngx_shutdown_socket(t->owner->fd, NGX_WRITE_SHUTDOWN) == -1) {
        ngx_cira_relay_finalize(t, "owner closed the connection");
    }
}


static void
ngx_cira_relay_release(ngx_cira_tunnel_t *t)
{
    ngx_str_t  state;

    /* state may change only while the slot is ours */

    if (t->request->slot && t->chunked->has_state && t->dial.session) {
        state.data = t->chunked->state_data;
        state.len = t->chunked->state_len;

        if (ngx_cira_session_set_state(t->dial.session, &state) != NGX_OK) {
            ngx_cira_relay_finalize(t, "no memory");
            return;
        }
    }

    /* a dialer that did not wait for all of the answer leaves no clean one */

    if (t->dial.channel && t->down.pos == t->down.last) {
        ngx_cira_channel_release(&t->dial);
    }

    ngx_explicit_memzero(t->chunked->state_data, t->chunked->state_len);

    ngx_cira_relay_finalize(t, "released");
}


/* ---- device to client ---- */

static void
ngx_cira_relay_down(ngx_cira_tunnel_t *t)
{
    ssize_t            n;
    ngx_int_t          rc;
    ngx_uint_t         steps;
    ngx_connection_t  *c, *o;

    c = t->client;
    o = t->owner;

    for (steps = 0; steps < NGX_CIRA_RELAY_STEPS; steps++) {

        rc = ngx_cira_relay_flush(t);

        if (rc == NGX_ERROR) {
            ngx_cira_relay_finalize(t, "client closed the connection");
            return;
        }

        if (rc == NGX_AGAIN) {
            return;
        }

        if (t->state == NGX_CIRA_TUNNEL_FLUSH) {
            ngx_cira_relay_finalize(t, t->reason);
            return;
        }

        if (o == NULL) {
            ngx_cira_channel_drain(&t->dial);

            if (t->down.pos == t->down.last) {
                return;
            }

            continue;
        }

        n = o->recv(o, t->down.start, t->down.end - t->down.start);

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(o->read, 0) != NGX_OK) {
                ngx_cira_relay_finalize(t, "internal error");
            }

            return;
        }

        if (n == 0 || n == NGX_ERROR) {
            ngx_cira_relay_finalize(t, "device closed the channel");
            return;
        }

        t->down.last = t->down.start + n;
    }

    ngx_post_event(c->write, &ngx_posted_next_events);
}


static ngx_int_t
ngx_cira_relay_flush(ngx_cira_tunnel_t *t)
{
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_connection_t  *c;

    b = &t->down;
    c = t->client;

    while (b->pos < b->last) {

        n = c->send(c, b->pos, b->last - b->pos);

        if (n == NGX_AGAIN || n == 0) {

            if (!t->unread) {
                t->unread = 1;
                t->taken = ngx_current_msec;
            }

            return ngx_handle_write_event(c->write, 0) == NGX_OK ? NGX_AGAIN
                                                                 : NGX_ERROR;
        }

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        b->pos += n;
        t->taken = ngx_current_msec;
    }

    t->unread = 0;
    b->pos = b->start;
    b->last = b->start;

    return NGX_OK;
}


/* ---- answers ---- */

void
ngx_cira_relay_refuse(ngx_cira_tunnel_t *t, ngx_uint_t status,
    ngx_uint_t apf, char *text)
{
    u_char  *p;

    ngx_log_error(NGX_LOG_INFO, t->client->log, 0, "CONNECT refused, %ui: %s",
                  status, text);

    t->reason = text;

    if (ngx_cira_relay_alloc(t, &t->down, NGX_CIRA_RELAY_ANSWER) != NGX_OK) {
        ngx_cira_relay_finalize(t, "no memory");
        return;
    }

    p = ngx_cira_response_error(t->down.start, t->down.end, status, apf,
                                text);
    if (p == NULL) {
        ngx_cira_relay_finalize(t, "internal error");
        return;
    }

    t->down.pos = t->down.start;
    t->down.last = p;

    ngx_cira_relay_answer(t, status);
}


void
ngx_cira_relay_answer(ngx_cira_tunnel_t *t, ngx_uint_t status)
{
    t->status = status;
    t->state = NGX_CIRA_TUNNEL_LINGER;
    t->client->log->action = "sending an answer";

    ngx_cira_relay_set_timer(t, NGX_CIRA_RELAY_LINGER);

    /* not now: the caller may be a callback of the channel layer */

    ngx_post_event(t->client->write, &ngx_posted_events);
}


/* Bytes that were not read would make the kernel reset the answer. */

static void
ngx_cira_relay_linger(ngx_cira_tunnel_t *t)
{
    u_char             buf[4096];
    ssize_t            n;
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = t->client;

    if (!t->linger) {
        rc = ngx_cira_relay_flush(t);

        if (rc == NGX_AGAIN) {
            return;
        }

        if (rc == NGX_ERROR || c->ssl
            || ngx_shutdown_socket(c->fd, NGX_WRITE_SHUTDOWN) == -1)
        {
            ngx_cira_relay_finalize(t, NULL);
            return;
        }

        t->linger = 1;
    }

    do {
        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
                ngx_cira_relay_finalize(t, NULL);
            }

            return;
        }

        if (n > 0) {
            t->discarded += n;
        }

    } while (n > 0 && t->discarded < NGX_CIRA_RELAY_DISCARD);

    ngx_cira_relay_finalize(t, NULL);
}


/* ---- a channel of this worker ---- */

void
ngx_cira_relay_dial(ngx_cira_tunnel_t *t, ngx_cira_session_t *s)
{
    ngx_int_t             rc;
    ngx_cira_dial_t      *d;
    ngx_cira_request_t   *r;

    r = t->request;
    d = &t->dial;

    if (r->release && t->chunked == NULL) {
        t->chunked = ngx_pcalloc(t->client->pool, sizeof(ngx_cira_chunked_t));

        if (t->chunked == NULL) {
            ngx_cira_relay_finalize(t, "no memory");
            return;
        }
    }

    ngx_memzero(d, sizeof(ngx_cira_dial_t));

    d->port = r->port;
    d->log = t->client->log;
    d->data = t;
    d->slot = r->slot;
    d->fresh = r->fresh;
    d->poolable = r->release && (r->port == 16992 || r->port == 16993);
    d->opened = ngx_cira_relay_opened;
    d->received = ngx_cira_relay_received;
    d->writable = ngx_cira_relay_writable;
    d->closed = ngx_cira_relay_closed;

    t->client->log->action = "opening a channel";

    rc = ngx_cira_channel_dial(s, d);

    if (rc == NGX_BUSY) {
        ngx_cira_relay_refuse(t, 503, 0, "too many dialers wait for the "
                              "device");
        return;
    }

    if (rc != NGX_OK) {
        ngx_cira_relay_refuse(t, 502, 1, "device does not forward this port");
        return;
    }

    t->state = NGX_CIRA_TUNNEL_DIAL;
    ngx_cira_relay_set_timer(t, t->conf->timeout);

    /* also for a FIN that is there already */

    ngx_post_event(t->client->read, &ngx_posted_events);
}


static void
ngx_cira_relay_opened(ngx_cira_dial_t *d, ngx_cira_dial_rc_e rc,
    ngx_uint_t reason)
{
    ngx_cira_tunnel_t *t = d->data;

    ngx_str_t  *state, none;

    switch (rc) {

    case NGX_CIRA_DIAL_OK:
        break;

    case NGX_CIRA_DIAL_REFUSED:
        ngx_cira_relay_refuse(t, 502, reason, "device refused the channel");
        return;

    case NGX_CIRA_DIAL_BUSY:
        ngx_cira_relay_refuse(t, 503, 0, "device has no free channel");
        return;

    case NGX_CIRA_DIAL_TIMEOUT:
        ngx_cira_relay_refuse(t, 504, 0, reason ? NGX_CIRA_RELAY_WAITED
                              : "device did not confirm the channel");
        return;

    default: /* NGX_CIRA_DIAL_LOST */
        ngx_cira_connect_again(t, 0);
        return;
    }

    t->state = NGX_CIRA_TUNNEL_OPEN;

    if (ngx_cira_relay_alloc(t, &t->down, NGX_CIRA_RELAY_BUFFER) != NGX_OK) {
        ngx_cira_relay_finalize(t, "no memory");
        return;
    }

    state = t->request->slot ? ngx_cira_session_state(d->session) : NULL;

    t->down.pos = t->down.start;
    t->down.last = ngx_cira_response_open(t->down.start, t->down.end,
                                          d->reused, state);
    if (t->down.last == NULL) {
        t->down.last = t->down.start;
        ngx_cira_relay_finalize(t, "internal error");
        return;
    }

    /*
     * The holder has it now: if it goes without a release, nobody knows which
     * counts were used, and the next holder has to start anew.
     */

    if (state) {
        ngx_str_null(&none);
        (void) ngx_cira_session_set_state(d->session, &none);
    }

    ngx_cira_relay_open(t);
}


/* Collected, and sent when the device's messages at hand are all read. */

static size_t
ngx_cira_relay_received(ngx_cira_dial_t *d, u_char *p, size_t size)
{
    ngx_cira_tunnel_t *t = d->data;

    ngx_buf_t  *b;

    b = &t->down;

    size = ngx_min(size, (size_t) (b->end - b->last));

    if (size) {
        b->last = ngx_cpymem(b->last, p, size);
        ngx_post_event(t->client->write, &ngx_posted_events);
    }

    return size;
}


static void
ngx_cira_relay_writable(ngx_cira_dial_t *d)
{
    ngx_cira_tunnel_t *t = d->data;

    ngx_post_event(t->client->read, &ngx_posted_events);
}


static void
ngx_cira_relay_closed(ngx_cira_dial_t *d, char *text)
{
    ngx_cira_tunnel_t *t = d->data;

    t->state = NGX_CIRA_TUNNEL_FLUSH;
    t->reason = text;

    ngx_cira_relay_set_timer(t, NGX_CIRA_RELAY_STALL);
    ngx_post_event(t->client->write, &ngx_posted_events);
}


/* ---- one hop to the owner ---- */

void
ngx_cira_relay_pause(ngx_cira_tunnel_t *t)
{
    t->state = NGX_CIRA_TUNNEL_PAUSE;

    ngx_cira_relay_set_timer(t, NGX_CIRA_RELAY_PAUSE);
}


void
ngx_cira_relay_hop(ngx_cira_tunnel_t *t)
{
    u_char            *p, buf[NGX_CIRA_HEAD_MAX];
    ngx_int_t          rc;
    ngx_connection_t  *c, *o;

    c = t->client;
    c->log->action = "asking the device's owner";

    rc = ngx_cira_peer_connect(t->socket, c->log, &o);

    if (rc == NGX_DECLINED) {
        ngx_cira_worker_dead(t->worker, t->socket, c->log);
        ngx_cira_connect_again(t, 0);
        return;
    }

    if (rc == NGX_BUSY && t->guess) {
        ngx_cira_connect_again(t, 1);
        return;
    }

    if (rc == NGX_BUSY) {
        ngx_cira_relay_refuse(t, 503, 0, "owner of the device is busy");
        return;
    }

    if (rc == NGX_ERROR) {
        ngx_cira_relay_refuse(t, 502, 0, "owner of the device is out of "
                              "reach");
        return;
    }

    t->owner = o;
    o->data = t;
    o->read->handler = ngx_cira_relay_owner_read;
    o->write->handler = ngx_cira_relay_owner_write;

    if (t->response == NULL) {
        t->response = ngx_palloc(c->pool, sizeof(ngx_cira_response_t));
    }

    if (t->response == NULL
        || ngx_cira_relay_alloc(t, &t->down, 2 * NGX_CIRA_RELAY_BUFFER)
           != NGX_OK)
    {
        ngx_cira_relay_finalize(t, "no memory");
        return;
    }

    ngx_memzero(t->response, sizeof(ngx_cira_response_t));
    t->answered = 0;
    t->down.pos = t->down.start;
    t->down.last = t->down.start;

    p = ngx_cira_request_write(buf, buf + sizeof(buf), t->request);

    if (p == NULL) {
        ngx_cira_relay_finalize(t, "internal error");
        return;
    }

    if (o->send(o, buf, p - buf) != p - buf) {

        /* a new connection takes these few bytes, unless it was closed */

        ngx_close_connection(o);
        t->owner = NULL;

        ngx_cira_connect_again(t, 1);
        return;
    }

    t->state = NGX_CIRA_TUNNEL_ASK;

    /* the owner has the same limit, and the better answer */

    ngx_cira_relay_set_timer(t, t->conf->timeout + 2000);

    if (ngx_handle_read_event(o->read, 0) != NGX_OK) {
        ngx_cira_relay_finalize(t, "internal error");
        return;
    }

    ngx_post_event(c->read, &ngx_posted_events);
}


static void
ngx_cira_relay_owner_read(ngx_event_t *rev)
{
    ngx_connection_t   *o;
    ngx_cira_tunnel_t  *t;

    o = rev->data;
    t = o->data;

    if (o->close) {
        ngx_cira_relay_finalize(t, "worker is shutting down");
        return;
    }

    switch (t->state) {

    case NGX_CIRA_TUNNEL_ASK:
        ngx_cira_relay_head(t);
        return;

    case NGX_CIRA_TUNNEL_OPEN:
        ngx_cira_relay_down(t);
        return;

    default:
        return;
    }
}


static void
ngx_cira_relay_owner_write(ngx_event_t *wev)
{
    ngx_connection_t   *o;
    ngx_cira_tunnel_t  *t;

    o = wev->data;
    t = o->data;

    if (o->close) {
        ngx_cira_relay_finalize(t, "worker is shutting down");
        return;
    }

    if (t->state == NGX_CIRA_TUNNEL_OPEN) {
        ngx_cira_relay_up(t);
    }
}


/* The owner's answer is passed on as it is, whatever it says but 404. */

static void
ngx_cira_relay_head(ngx_cira_tunnel_t *t)
{
    u_char            *p;
    ssize_t            n;
    ngx_buf_t         *b;
    ngx_int_t          rc;
    ngx_connection_t  *o;

    o = t->owner;
    b = &t->down;

    while (b->last < b->end) {

        n = o->recv(o, b->last, b->end - b->last);

        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(o->read, 0) != NGX_OK) {
                ngx_cira_relay_finalize(t, "internal error");
            }

            return;
        }

        if (n == 0 || n == NGX_ERROR) {

            /* the worker ended in the middle of it, or has no room */

            ngx_close_connection(o);
            t->owner = NULL;

            ngx_cira_connect_again(t, 1);
            return;
        }

        p = b->last;
        b->last += n;

        if (!t->answered) {
            rc = ngx_cira_response_parse(t->response, &p, b->last);

            if (rc == NGX_AGAIN) {
                continue;
            }

            if (rc == NGX_ERROR) {
                break;
            }

            t->answered = 1;
            t->rest = t->response->length;
        }

        if (t->response->status == 200) {
            ngx_cira_relay_open(t);
            return;
        }

        t->rest -= ngx_min(t->rest, (size_t) (b->last - p));

        if (t->rest) {
            continue;
        }

        ngx_close_connection(o);
        t->owner = NULL;

        if (t->response->status == 404) {
            ngx_cira_connect_again(t, 0);
            return;
        }

        t->reason = "refused by the device's owner";
        ngx_cira_relay_answer(t, t->response->status);
        return;
    }

    ngx_close_connection(o);
    t->owner = NULL;

    ngx_cira_relay_refuse(t, 502, 0, "invalid answer of the device's owner");
}
