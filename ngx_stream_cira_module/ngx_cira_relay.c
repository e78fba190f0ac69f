
/*
 * The life of CONNECT tunnels, their events, timers and answers, see
 * ngx_cira_relay.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_stream.h>
#include "ngx_cira_relay_priv.h"
#include "ngx_cira_worker.h"
#include <linux/sockios.h>
#include <poll.h>


static ngx_uint_t ngx_cira_relay_stalled(ngx_cira_tunnel_t *t);
static ngx_uint_t ngx_cira_relay_unread(ngx_cira_tunnel_t *t);
static ngx_cira_tunnel_t *ngx_cira_relay_tunnel(ngx_event_t *ev);
static void ngx_cira_relay_timer(ngx_event_t *ev);
static void ngx_cira_relay_read(ngx_event_t *rev);
static void ngx_cira_relay_write(ngx_event_t *wev);
static void ngx_cira_relay_linger(ngx_cira_tunnel_t *t);


static ngx_queue_t  ngx_cira_tunnels;


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


/* It is empty again, and nothing of what passed through stays in memory. */

void
ngx_cira_relay_wipe(ngx_buf_t *b)
{
    if (b->start) {
        ngx_explicit_memzero(b->start, b->last - b->start);
        b->pos = b->start;
        b->last = b->start;
    }
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

    ngx_cira_channel_close(&t->dial);

    owner = t->owner;

    if (owner) {
        t->owner = NULL;
        ngx_close_connection(owner);
    }

    if (t->timer.timer_set) {
        ngx_del_timer(&t->timer);
    }

    ngx_queue_remove(&t->queue);

    ngx_cira_relay_wipe(&t->up);
    ngx_cira_relay_wipe(&t->down);

    /* a request that was not completed may have brought credentials */

    if (!t->parsed) {
        ngx_explicit_memzero(t->request->line.data,
                             sizeof(t->request->line.data));
        ngx_explicit_memzero(t->request->auth, sizeof(t->request->auth));
    }

    if (t->private && t->request->line.total == 0) {

        /* a sweep asked no more than whether somebody listens */

        ngx_cira_worker_close(t->client);
        return;
    }

    ngx_stream_finalize_session(t->session, t->status
                                            ? t->status
                                            : NGX_STREAM_BAD_REQUEST);
}


void
ngx_cira_relay_set_timer(ngx_cira_tunnel_t *t, ngx_msec_t time)
{
    ngx_add_timer(&t->timer, time);
}


void
ngx_cira_relay_tick(ngx_cira_tunnel_t *t)
{
    ngx_msec_t  time;

    time = (t->stalled && t->client->read->pending_eof)
           ? NGX_CIRA_RELAY_LEFT : NGX_CIRA_RELAY_TICK;

    ngx_cira_relay_set_timer(t, ngx_min(t->conf->send_timeout / 4 + 1, time));
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


/*
 * TRUE when the device has taken nothing for too long.  Who has closed a
 * local socket altogether, as other workers do, waits for nothing but that
 * the device becomes free.
 */

static ngx_uint_t
ngx_cira_relay_stalled(ngx_cira_tunnel_t *t)
{
    ngx_msec_t     time;
    struct pollfd  p;

    if (!t->stalled) {
        return 0;
    }

    time = ngx_current_msec - t->progress;

    if (time >= NGX_CIRA_RELAY_STALL) {
        return 1;
    }

    if (time < NGX_CIRA_RELAY_LEFT) {
        return 0;
    }

    p.fd = t->client->fd;
    p.events = 0;
    p.revents = 0;

    return poll(&p, 1, 0) == 1 && (p.revents & POLLHUP);
}


/* Whose event it is; ev->data is the client's connection. */

static ngx_cira_tunnel_t *
ngx_cira_relay_tunnel(ngx_event_t *ev)
{
    ngx_connection_t      *c;
    ngx_stream_session_t  *s;

    c = ev->data;
    s = c->data;

    return ngx_stream_get_module_ctx(s, ngx_stream_cira_connect_module);
}


static void
ngx_cira_relay_timer(ngx_event_t *ev)
{
    ngx_cira_tunnel_t  *t;

    t = ngx_cira_relay_tunnel(ev);

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
        ngx_cira_channel_close(&t->dial);
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
        if (ngx_cira_relay_stalled(t)) {
            ngx_cira_relay_finalize(t, "device takes no data");
            return;
        }

        /* fall through */

    case NGX_CIRA_TUNNEL_FLUSH:
        if (ngx_cira_relay_unread(t)
            && ngx_current_msec - t->taken >= t->conf->send_timeout)
        {
            ngx_cira_relay_finalize(t, "client takes no data");
            return;
        }

        ngx_cira_relay_tick(t);
        return;

    case NGX_CIRA_TUNNEL_HELD:
        ngx_cira_relay_finalize(t, "client did not release the slot");
        return;

    default: /* NGX_CIRA_TUNNEL_LINGER */
        ngx_cira_relay_finalize(t, NULL);
    }
}


static void
ngx_cira_relay_read(ngx_event_t *rev)
{
    ngx_cira_tunnel_t  *t;

    t = ngx_cira_relay_tunnel(rev);

    if (t->client->close) {
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
    case NGX_CIRA_TUNNEL_HELD:
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
    ngx_cira_tunnel_t  *t;

    t = ngx_cira_relay_tunnel(wev);

    if (t->client->close) {
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
