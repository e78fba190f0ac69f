
/*
 * Channels of one device: windows of both directions are kept honestly, and
 * the server's side of the bookkeeping is checked to the byte.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


#define CLOSED_MAX  64


static void channel_service(channel_t *c);
static void channel_adjust_later(tmr_t *t);
static void channel_drip(tmr_t *t);
static void channel_free(channel_t *c);


static channel_t *
channel_get(device_t *d, uint32_t id)
{
    return id < SIM_CHANNELS ? d->channels[id] : NULL;
}


unsigned
channel_count(device_t *d)
{
    unsigned  i, n;

    for (i = 0, n = 0; i < SIM_CHANNELS; i++) {
        n += d->channels[i] != NULL;
    }

    return n;
}


static channel_t *
channel_new(device_t *d)
{
    unsigned    i, id;
    channel_t  *c;

    if (channel_count(d) >= opt.max_channels) {
        return NULL;
    }

    for (i = 0; i < SIM_CHANNELS; i++) {

        /* firmware walks through its numbers; 0 is one of them */

        id = (d->next_channel + i) % SIM_CHANNELS;

        if (d->channels[id] == NULL) {
            d->next_channel = (uint8_t) ((id + 1) % SIM_CHANNELS);
            c = xalloc(sizeof(channel_t));
            c->d = d;
            c->id = id;
            d->channels[id] = c;
            return c;
        }
    }

    return NULL;
}


static void
channel_remember(device_t *d, uint32_t rid)
{
    closed_t  *e;

    if (d->closed == NULL) {
        d->closed = xalloc(CLOSED_MAX * sizeof(closed_t));
    }

    e = &d->closed[d->nclosed++ % CLOSED_MAX];
    e->id = rid;
    e->at = (uint32_t) (now_ms() / 1000) + 1;
}


/* the server must not use a number again while late messages may come */

static void
channel_check_rid(device_t *d, uint32_t rid)
{
    unsigned   i;
    uint32_t   now;
    closed_t  *e;

    for (i = 0; i < SIM_CHANNELS; i++) {
        if (d->channels[i] && !d->channels[i]->outgoing
            && d->channels[i]->rid == rid)
        {
            violation(d, "CHANNEL_OPEN with number %u, which is in use",
                      rid);
            return;
        }
    }

    if (rid > d->max_rid) {
        d->max_rid = rid;
        return;
    }

    if (d->closed == NULL || opt.reuse_delay == 0) {
        return;
    }

    now = (uint32_t) (now_ms() / 1000) + 1;

    for (i = 0; i < CLOSED_MAX; i++) {
        e = &d->closed[i];

        if (e->at && e->id == rid && now - e->at < opt.reuse_delay) {
            violation(d, "CHANNEL_OPEN reuses number %u after %u s", rid,
                      now - e->at);
            return;
        }
    }
}


void
channel_opened(device_t *d, const char *type, uint32_t rid,
    uint32_t window, uint32_t port)
{
    long        n;
    channel_t  *c;

    st.opens++;
    d->nopen++;

    if (d->state < ST_FORWARD) {
        violation(d, "CHANNEL_OPEN in state %s", device_state(d));
        return;
    }

    if (strcmp(type, "forwarded-tcpip") != 0) {
        violation(d, "CHANNEL_OPEN of type \"%s\"", type);
        apf_open_failure(d, rid, 3);
        return;
    }

    channel_check_rid(d, rid);

    n = mis(d, MIS_REFUSE);
    if (n) {
        event(d, "open_refused", "\"port\":%u,\"reason\":%ld", port, n);
        apf_open_failure(d, rid, (uint32_t) n);
        channel_remember(d, rid);
        return;
    }

    if (mis(d, MIS_NO_CONFIRM)) {
        event(d, "open_ignored", "\"port\":%u", port);
        return;
    }

    if (!session_forwarded(d, port)) {
        event(d, "open_refused", "\"port\":%u,\"reason\":1", port);
        apf_open_failure(d, rid, 1);
        channel_remember(d, rid);
        return;
    }

    if (!options_port(port)) {
        event(d, "open_refused", "\"port\":%u,\"reason\":2", port);
        apf_open_failure(d, rid, 2);
        channel_remember(d, rid);
        return;
    }

    c = channel_new(d);
    if (c == NULL) {
        event(d, "open_refused", "\"port\":%u,\"reason\":4", port);
        apf_open_failure(d, rid, 4);
        channel_remember(d, rid);
        return;
    }

    c->rid = rid;
    c->window = window;
    c->credits = window;
    c->port = (uint16_t) port;
    c->rx_window = opt.window;

    n = mis(d, MIS_WINDOW);
    if (n) {
        c->rx_window = (uint32_t) n;
    }

    if (mis(d, MIS_WINDOW_MAX)) {
        c->rx_window = 0xffffffff;
    }

    c->rx_open = c->rx_window;
    n = mis(d, MIS_ZERO_WINDOW);

    if (n) {
        c->rx_open = 0;
        tmr_set(&c->drip_timer, n, channel_adjust_later, c);
    }

    apf_confirm(d, rid, c->id, c->rx_open);

    if (mis(d, MIS_DUP_CONFIRM)) {
        apf_confirm(d, rid, c->id, c->rx_open);
    }

    if (mis(d, MIS_STALE_ADJUST)) {
        apf_adjust(d, rid + 1000, 499);
        apf_adjust(d, 0xffffffff, 499);
    }

    if (mis(d, MIS_STALE_CLOSE)) {
        apf_close(d, rid + 1000);
        apf_close(d, 0xffffffff);
    }

    if (mis(d, MIS_ZERO_DATA)) {
        apf_data(d, rid, NULL, 0);
    }

    event(d, "open", "\"port\":%u,\"channel\":%u,\"server\":%u", port,
          c->id, rid);

    if (mis(d, MIS_CLOSE_ON_OPEN)) {
        channel_close(c);
        return;
    }

    if (port == 16992) {
        http_idle(c);
    }

    if (port == 16995) {
        tls_open(c);
    }

    if (port == 5900) {
        redir_vnc(c);
    }
}


static void
channel_adjust_later(tmr_t *t)
{
    channel_t  *c;

    c = t->data;
    c->rx_open = c->rx_window;
    apf_adjust(c->d, c->rid, c->rx_window);
    conn_flush(c->d);
}


/* a channel of our own, as for WS-Eventing; data is sent if it is taken */

channel_t *
channel_open(device_t *d, const char *data)
{
    channel_t  *c;

    c = channel_new(d);
    if (c == NULL) {
        return NULL;
    }

    c->outgoing = 1;
    c->rx_window = opt.window;
    c->rx_open = opt.window;
    buf_str(&c->out, data);

    apf_open(d, c->id, opt.window);
    conn_flush(d);

    return c;
}


void
channel_confirmed(device_t *d, uint32_t to, uint32_t rid, uint32_t window)
{
    channel_t  *c;

    c = channel_get(d, to);

    if (c == NULL || c->outgoing != 1) {
        violation(d, "CHANNEL_OPEN_CONFIRMATION for channel %u", to);
        return;
    }

    c->outgoing = 2;
    c->rid = rid;
    c->window = window;
    c->credits = window;
    c->close_after = 1;

    event(d, "own_channel", "\"accepted\":true");
    channel_send(c);
}


void
channel_failed(device_t *d, uint32_t to, uint32_t reason)
{
    channel_t  *c;

    c = channel_get(d, to);

    if (c == NULL || c->outgoing != 1) {
        violation(d, "CHANNEL_OPEN_FAILURE for channel %u", to);
        return;
    }

    if (reason < 1 || reason > 4) {
        violation(d, "CHANNEL_OPEN_FAILURE with reason %u", reason);
    }

    event(d, "own_channel", "\"accepted\":false,\"reason\":%u", reason);
    channel_free(c);
}


void
channel_adjusted(device_t *d, uint32_t to, uint32_t n)
{
    channel_t  *c;

    c = channel_get(d, to);

    if (c == NULL) {
        violation(d, "WINDOW_ADJUST for channel %u, which is not open", to);
        return;
    }

    if (c->close_got) {
        violation(d, "WINDOW_ADJUST after CLOSE on channel %u", to);
        return;
    }

    if (n == 0) {
        violation(d, "WINDOW_ADJUST of 0 on channel %u", to);
        return;
    }

    if ((uint64_t) c->credits + n > c->window) {
        violation(d, "WINDOW_ADJUST of %u makes a window of %llu, more than"
                  " the %u offered", n,
                  (unsigned long long) c->credits + n, c->window);
        return;
    }

    c->credits += n;

    channel_send(c);
}


/* 0: deliver */

int
channel_data_check(device_t *d, uint32_t to, uint32_t n)
{
    channel_t  *c;

    c = channel_get(d, to);

    if (c == NULL || c->outgoing == 1) {
        violation(d, "DATA for channel %u, which is not open", to);
        return -1;
    }

    if (c->close_got) {
        violation(d, "DATA after CLOSE on channel %u", to);
        return -1;
    }

    if (n == 0) {
        violation(d, "DATA of length 0 on channel %u", to);
        return -1;
    }

    if (n > c->rx_open) {
        violation(d, "DATA of %u bytes on channel %u, window has %u", n, to,
                  c->rx_open);
        return -1;
    }

    c->rx_open -= n;

    return c->close_sent ? -1 : 0;
}


void
channel_data(device_t *d, uint32_t to, const u_char *p, size_t n)
{
    channel_t  *c;

    c = channel_get(d, to);

    if (c->parked) {
        channel_grant(c, n);
        return;
    }

    if (c->port == 16992 && (c->busy || buf_left(&c->out))) {
        violation(d, "channel %u: bytes before the answer was complete",
                  to);
        return;
    }

    channel_grant(c, n);

    if (c->tls == NULL) {
        buf_add(&c->in, p, n);

    } else if (tls_input(c, p, n) < 0) {
        channel_close(c);
        return;
    }

    channel_service(c);
}


static void
channel_service(channel_t *c)
{
    switch (c->port) {

    case 16992:
        http_input(c);
        return;

    case 5900:
    case 16994:
    case 16995:

        if (!pump_input(c)) {
            redir_input(c);
        }
        return;

    default:
        /* our own channel: nothing is expected */
        buf_free(&c->in);
    }
}


/* n bytes were taken out of the window and used up */

void
channel_grant(channel_t *c, size_t n)
{
    uint32_t  at;

    c->pending += (uint32_t) n;

    if (c->close_sent || c->close_got || mis_peek(c->d, MIS_NEVER_ADJUST)) {
        return;
    }

    at = opt.adjust ? opt.adjust : c->rx_window / 2;

    if (c->pending >= at || c->rx_open == 0) {
        apf_adjust(c->d, c->rid, c->pending);
        c->rx_open += c->pending;
        c->pending = 0;
    }
}


void
channel_send(channel_t *c)
{
    size_t     n;
    buf_t     *out;
    device_t  *d;
    uint64_t   now, due;

    d = c->d;

    if (c->close_sent || c->outgoing == 1) {
        return;
    }

    for ( ;; ) {

        if (c->pump) {
            pump_fill(c);
        }

        out = c->tls ? tls_output(c) : &c->out;
        n = buf_left(out);

        if (n == 0) {
            c->drip_at = 0;
            break;
        }

        if (n > opt.max_data) {
            n = opt.max_data;
        }

        if (mis_peek(d, MIS_OVER_WINDOW)) {
            if (c->credits < n) {
                c->credits = (uint32_t) n;
            }
        }

        if (n > c->credits) {
            n = c->credits;
        }

        if (n == 0) {
            return;
        }

        if (c->drip) {
            if (c->drip_timer.heap) {
                return;
            }

            /* on a busy machine the timer is late: the pace holds */
            now = now_ms();

            if (c->drip_at == 0) {
                c->drip_at = now;
            }

            due = (now - c->drip_at) / c->drip + 1;
            c->drip_at += due * c->drip;

            if (n > due) {
                n = due;
            }

            tmr_set(&c->drip_timer, c->drip_at - now, channel_drip, c);
        }

        apf_data(d, c->rid, buf_head(out), n);
        buf_eat(out, n);
        c->credits -= (uint32_t) n;
    }

    if (c->vanish_after) {
        conn_flush(d);

        if (d->ev.fd == -1) {
            return;
        }

        if (c->vanish_after == 1) {
            conn_vanish(d);

        } else {
            conn_close(d, CLOSE_RST, "dropped");
        }

        return;
    }

    if (c->close_after) {
        channel_close(c);
    }
}


static void
channel_drip(tmr_t *t)
{
    device_t   *d;
    channel_t  *c;

    c = t->data;
    d = c->d;

    channel_send(c);
    conn_flush(d);
}


void
channel_close(channel_t *c)
{
    device_t  *d;

    if (c->close_sent) {
        return;
    }

    d = c->d;
    c->close_sent = 1;
    apf_close(d, c->rid);

    if (mis(d, MIS_DATA_AFTER_CLOSE)) {
        apf_data(d, c->rid, "late", 4);
        apf_adjust(d, c->rid, 499);
        apf_close(d, c->rid);
    }

    redir_free(c);
    tmr_del(&c->timer);
    tmr_del(&c->drip_timer);
    tls_free(c);
    buf_free(&c->in);
    buf_free(&c->out);

    if (c->close_got) {
        channel_free(c);
    }
}


void
channel_close_got(device_t *d, uint32_t to)
{
    channel_t  *c;

    c = channel_get(d, to);

    if (c == NULL || c->outgoing == 1) {
        violation(d, "CLOSE for channel %u, which is not open", to);
        return;
    }

    if (c->close_got) {
        violation(d, "CLOSE sent twice on channel %u", to);
        return;
    }

    c->close_got = 1;

    if (c->close_sent) {
        channel_free(c);
        return;
    }

    if (mis(d, MIS_IGNORE_CLOSE)) {
        return;
    }

    channel_close(c);
}


static void
channel_free(channel_t *c)
{
    device_t  *d;

    d = c->d;

    event(d, "close", "\"port\":%u,\"channel\":%u,\"server\":%u", c->port,
          c->id, c->rid);

    if (c->outgoing == 0) {
        channel_remember(d, c->rid);
    }

    redir_free(c);
    tmr_del(&c->timer);
    tmr_del(&c->drip_timer);
    tls_free(c);
    buf_free(&c->in);
    buf_free(&c->out);

    d->channels[c->id] = NULL;
    free(c);
}


void
channel_free_all(device_t *d)
{
    unsigned  i;

    for (i = 0; i < SIM_CHANNELS; i++) {
        if (d->channels[i]) {
            channel_free(d->channels[i]);
        }
    }
}
