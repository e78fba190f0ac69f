
/*
 * The device's side of a tunnel: a channel of this worker, or one hop to the
 * owner, see ngx_cira_relay.h.
 *
 * Callbacks of the channel layer only change buffers and post events; what
 * may end a tunnel runs from event handlers.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_stream.h>
#include "ngx_cira_relay_priv.h"
#include "ngx_cira_peer.h"
#include "ngx_cira_worker.h"


static void ngx_cira_relay_opened(ngx_cira_dial_t *d, ngx_cira_dial_rc_e rc,
    ngx_uint_t reason);
static size_t ngx_cira_relay_received(ngx_cira_dial_t *d, u_char *p,
    size_t size);
static void ngx_cira_relay_writable(ngx_cira_dial_t *d);
static void ngx_cira_relay_closed(ngx_cira_dial_t *d, char *text);
static void ngx_cira_relay_owner_read(ngx_event_t *rev);
static void ngx_cira_relay_owner_write(ngx_event_t *wev);
static void ngx_cira_relay_head(ngx_cira_tunnel_t *t);


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
    d->holder = r->holder;
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

    u_char     buf[NGX_CIRA_STATE_MAX];
    ngx_str_t  state;

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

    state.data = buf;
    state.len = ngx_cira_channel_state(d, buf);

    t->down.pos = t->down.start;
    t->down.last = ngx_cira_response_open(t->down.start, t->down.end,
                                          d->reused, d->kept, &state);

    ngx_explicit_memzero(buf, state.len);

    if (t->down.last == NULL) {
        t->down.last = t->down.start;
        ngx_cira_relay_finalize(t, "internal error");
        return;
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

    ngx_cira_relay_tick(t);
    ngx_post_event(t->client->write, &ngx_posted_events);
}


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

    if (t->state == NGX_CIRA_TUNNEL_OPEN || t->state == NGX_CIRA_TUNNEL_HELD) {
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
