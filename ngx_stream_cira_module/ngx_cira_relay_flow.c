
/*
 * The bytes of an open tunnel in both directions, see ngx_cira_relay.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_stream.h>
#include "ngx_cira_relay_priv.h"


static ngx_int_t ngx_cira_relay_push(ngx_cira_tunnel_t *t);
static size_t ngx_cira_relay_send(ngx_cira_tunnel_t *t, u_char *p,
    size_t size);
static void ngx_cira_relay_fin(ngx_cira_tunnel_t *t);
static void ngx_cira_relay_release(ngx_cira_tunnel_t *t);


/*
 * Before the tunnel is open: what the client sends is kept, and its FIN is
 * noticed.  A client that has nothing to say any more and said nothing has
 * given up; one that sent its bytes and FIN gets them delivered.
 */

void
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


void
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


void
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

            if (c->read->pending_eof) {
                ngx_cira_relay_set_timer(t, NGX_CIRA_RELAY_LEFT);
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

        ngx_cira_relay_wipe(b);

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

    if (c == NULL && t->state == NGX_CIRA_TUNNEL_HELD) {
        n = size;

    } else if (c == NULL) {
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

    if (t->state == NGX_CIRA_TUNNEL_HELD) {
        ngx_cira_relay_finalize(t, "released");
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

    state.data = t->chunked->state_data;
    state.len = t->chunked->state_len;

    /* a dialer that did not wait for all of the answer leaves no clean one */

    if (t->chunked->close || t->down.pos != t->down.last) {
        t->dial.poolable = 0;
    }

    ngx_cira_channel_release(&t->dial, &state);

    ngx_explicit_memzero(t->chunked->state_data, t->chunked->state_len);

    ngx_cira_relay_finalize(t, "released");
}


void
ngx_cira_relay_gone(ngx_cira_tunnel_t *t, char *reason)
{
    if (!t->request->slot || !t->request->release || t->client->ssl
        || t->shut || (t->owner == NULL && t->dial.session == NULL)
        || ngx_shutdown_socket(t->client->fd, NGX_WRITE_SHUTDOWN) == -1)
    {
        ngx_cira_relay_finalize(t, reason);
        return;
    }

    t->state = NGX_CIRA_TUNNEL_HELD;
    t->reason = reason;

    ngx_cira_relay_set_timer(t, NGX_CIRA_RELAY_HELD);
    ngx_post_event(t->client->read, &ngx_posted_events);
}


void
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
            ngx_cira_relay_gone(t, t->reason);
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

        if (n == NGX_ERROR) {
            ngx_cira_relay_finalize(t, "owner closed the connection");
            return;
        }

        if (n == 0) {
            ngx_cira_relay_gone(t, "device closed the channel");
            return;
        }

        t->down.last = t->down.start + n;
    }

    ngx_post_event(c->write, &ngx_posted_next_events);
}


ngx_int_t
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
    ngx_cira_relay_wipe(b);

    return NGX_OK;
}
