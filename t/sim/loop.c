
/* The event loop: one epoll set and a binary heap of timers. */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include "sim.h"


static int      ep = -1;
static int      stopped;
static tmr_t  **heap;
static size_t   heap_n;
static size_t   heap_size;


void
loop_init(void)
{
    ep = epoll_create1(EPOLL_CLOEXEC);
    if (ep == -1) {
        perror("amtsim: epoll_create1");
        exit(2);
    }
}


void
ev_set(ev_t *ev, uint32_t events)
{
    int                 op;
    struct epoll_event  ee;

    if (events == ev->events) {
        return;
    }

    memset(&ee, 0, sizeof(ee));
    ee.events = events;
    ee.data.ptr = ev;

    op = ev->events ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (epoll_ctl(ep, op, ev->fd, &ee) == -1) {
        perror("amtsim: epoll_ctl");
        exit(2);
    }

    ev->events = events;
}


void
ev_del(ev_t *ev)
{
    if (ev->events) {
        epoll_ctl(ep, EPOLL_CTL_DEL, ev->fd, NULL);
        ev->events = 0;
    }
}


static void
heap_put(size_t i, tmr_t *t)
{
    heap[i] = t;
    t->heap = i + 1;
}


static void
heap_up(size_t i, tmr_t *t)
{
    size_t  up;

    while (i) {
        up = (i - 1) / 2;

        if (heap[up]->at <= t->at) {
            break;
        }

        heap_put(i, heap[up]);
        i = up;
    }

    heap_put(i, t);
}


static void
heap_down(size_t i, tmr_t *t)
{
    size_t  down;

    for ( ;; ) {
        down = 2 * i + 1;

        if (down >= heap_n) {
            break;
        }

        if (down + 1 < heap_n && heap[down + 1]->at < heap[down]->at) {
            down++;
        }

        if (heap[down]->at >= t->at) {
            break;
        }

        heap_put(i, heap[down]);
        i = down;
    }

    heap_put(i, t);
}


void
tmr_del(tmr_t *t)
{
    size_t  i;
    tmr_t  *last;

    if (t->heap == 0) {
        return;
    }

    i = t->heap - 1;
    t->heap = 0;

    last = heap[--heap_n];
    if (last == t) {
        return;
    }

    if (i && heap[(i - 1) / 2]->at > last->at) {
        heap_up(i, last);

    } else {
        heap_down(i, last);
    }
}


void
tmr_set(tmr_t *t, uint64_t ms, tmr_pt handler, void *data)
{
    tmr_del(t);

    t->at = now_ms() + ms;
    t->handler = handler;
    t->data = data;

    if (heap_n == heap_size) {
        heap_size = heap_size ? 2 * heap_size : 1024;
        heap = realloc(heap, heap_size * sizeof(tmr_t *));
        if (heap == NULL) {
            abort();
        }
    }

    heap_n++;
    heap_up(heap_n - 1, t);
}


void
loop_stop(void)
{
    stopped = 1;
}


void
loop_run(void)
{
    int                 i, n, wait;
    ev_t               *ev;
    tmr_t              *t;
    uint64_t            now;
    struct epoll_event  ee[256];

    while (!stopped) {

        now = now_ms();
        wait = -1;

        if (heap_n) {
            wait = heap[0]->at <= now ? 0 : (int) (heap[0]->at - now);
        }

        n = epoll_wait(ep, ee, 256, wait);

        if (n == -1 && errno != EINTR) {
            perror("amtsim: epoll_wait");
            exit(2);
        }

        for (i = 0; i < n; i++) {
            ev = ee[i].data.ptr;

            /* closed by an earlier event of this round */

            if (ev->events) {
                ev->handler(ev, ee[i].events);
            }
        }

        now = now_ms();

        while (heap_n && heap[0]->at <= now && !stopped) {
            t = heap[0];
            tmr_del(t);
            t->handler(t);
        }
    }
}
