
/*
 * When devices connect: their queue, the rate, the end of a connection and
 * what follows it.
 */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


static void session_tick(tmr_t *t);
static void session_timer(tmr_t *t);


static device_t   *queue;
static device_t  **queue_last = &queue;
static tmr_t       ticker;
static uint64_t    tick_at;
static double      tokens;
static unsigned    finished;


static void
session_enqueue(device_t *d)
{
    d->state = ST_QUEUED;
    d->next = NULL;
    *queue_last = d;
    queue_last = &d->next;

    if (ticker.heap == 0) {
        tmr_set(&ticker, 0, session_tick, NULL);
    }
}


/* delay in ms; 0: as soon as rate and the parallel limit allow */

void
session_queue(device_t *d, unsigned delay)
{
    if (delay) {
        tmr_set(&d->timer, delay, session_timer, d);
        return;
    }

    session_enqueue(d);
}


static void
session_tick(tmr_t *t)
{
    double     burst;
    uint64_t   now;
    device_t  *d;

    now = now_ms();

    if (opt.rate) {
        burst = opt.rate / 50.0 + 1;
        tokens += (now - tick_at) * opt.rate / 1000.0;
        if (tokens > burst) {
            tokens = burst;
        }
    }

    tick_at = now;

    while (queue && st.busy < opt.parallel && (!opt.rate || tokens >= 1)) {
        d = queue;
        queue = d->next;
        if (queue == NULL) {
            queue_last = &queue;
        }

        if (opt.rate) {
            tokens -= 1;
        }

        tmr_set(&d->timer, opt.login_timeout, session_timer, d);
        conn_start(d);
    }

    if (queue) {
        tmr_set(t, 5, session_tick, NULL);
    }
}


static void
session_timer(tmr_t *t)
{
    device_t  *d;

    d = t->data;

    switch (d->state) {

    case ST_IDLE:
        session_enqueue(d);
        return;

    case ST_QUEUED:
        return;

    case ST_READY:
        session_disconnect(d, 11);
        return;

    default:
        conn_close(d, CLOSE_RST, "login timed out");
    }
}


/* the server said DISCONNECT; the caller closes */

void
session_disconnected(device_t *d, unsigned reason)
{
    char  text[40];

    snprintf(text, sizeof(text), "disconnect %u", reason);
    free(d->last_reason);
    d->last_reason = xstrdup(text);
}


/* --hold: the connection ends by itself */

void
session_hold(device_t *d)
{
    tmr_del(&d->timer);

    if (opt.hold) {
        tmr_set(&d->timer, opt.hold, session_timer, d);
    }
}


/* we say DISCONNECT */

void
session_disconnect(device_t *d, unsigned reason)
{
    if (d->state >= ST_AUTH && d->state != ST_VANISHED) {
        apf_disconnect(d, reason);
        conn_flush(d);
    }

    if (d->ev.fd != -1) {
        conn_close(d, CLOSE_NORMAL, "done");
    }
}


void
session_closed(device_t *d, const char *reason)
{
    int       was, limit;
    unsigned  delay, jitter;

    was = d->state;

    tmr_del(&d->timer);
    tmr_del(&d->keepalive);
    tmr_del(&d->keepalive_limit);

    free(d->forwards);
    free(d->requests);
    free(d->closed);

    d->forwards = NULL;
    d->requests = NULL;
    d->closed = NULL;
    d->nclosed = 0;
    d->nforwards = 0;
    d->nrequests = 0;
    d->options_seen = 0;
    d->ka_timeout = 0;
    d->ka_cookie = 0;
    d->ka_seen = 0;
    d->max_rid = 0;
    d->state = ST_IDLE;

    if (reason != d->last_reason) {
        free(d->last_reason);
        d->last_reason = xstrdup(reason);
    }

    if (was == ST_READY || was == ST_VANISHED) {
        st.connected--;
        st.disconnects++;

    } else if (was > ST_QUEUED) {
        st.busy--;
        st.failed++;
        d->attempts++;
    }

    event(d, "disconnected", "\"reason\":%s,\"login\":%s", js(reason),
          d->logged_in ? "true" : "false");

    d->logged_in = 0;

    d->cycles++;
    limit = opt.cycles && d->cycles >= opt.cycles;

    if (opt.cycles && !limit) {
        session_queue(d, opt.reconnect);
        return;
    }

    if (opt.reconnect && !opt.cycles) {
        delay = opt.reconnect << (d->attempts > 8 ? 8 : d->attempts);
        if (delay > opt.reconnect_max) {
            delay = opt.reconnect_max;
        }

        /* devices must not come back in step */

        random_bytes(&jitter, sizeof(jitter));
        session_queue(d, delay - delay / 4 + jitter % (delay / 2 + 1));
        return;
    }

    if (++finished >= ndevices && !opt.stay) {
        loop_stop();
    }
}


void
session_quit(void)
{
    unsigned  i;

    opt.cycles = 0;
    opt.reconnect = 0;
    opt.stay = 1;

    for (i = 0; i < ndevices; i++) {
        if (devices[i].ev.fd != -1) {
            session_disconnect(&devices[i], 11);
        }
    }

    loop_stop();
}
