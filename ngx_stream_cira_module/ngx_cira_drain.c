
/*
 * Graceful end of a worker, see ngx_cira_drain.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_stream_cira.h"
#include "ngx_cira_drain.h"
#include "ngx_cira_quit.h"
#include "ngx_cira_relay.h"


#define NGX_CIRA_DRAIN_TICK   100        /* ms */
#define NGX_CIRA_DRAIN_FEW    1000       /* sessions, counted every tick */
#define NGX_CIRA_DRAIN_COUNT  5000       /* ms between counts of more */


static void ngx_cira_drain_quit(ngx_event_t *ev);
static void ngx_cira_drain_timer(ngx_event_t *ev);
static void ngx_cira_drain_count(void);
static void ngx_cira_drain_close(ngx_uint_t n, ngx_uint_t all);


static ngx_connection_t  *ngx_cira_drain_hook;
static ngx_connection_t   ngx_cira_drain_dummy;
static ngx_event_t        ngx_cira_drain_event;
static ngx_msec_t         ngx_cira_drain_time;
static ngx_msec_t         ngx_cira_drain_deadline;
static ngx_msec_t         ngx_cira_drain_next;
static ngx_msec_t         ngx_cira_drain_counted;
static ngx_uint_t         ngx_cira_drain_idle;
static u_char             ngx_cira_drain_cursor[NGX_CIRA_GUID_LEN];


ngx_int_t
ngx_cira_drain_init(ngx_cycle_t *cycle, ngx_msec_t drain)
{
    ngx_cira_drain_time = ngx_cira_quit_time(cycle, drain);
    ngx_cira_drain_hook = ngx_cira_quit_hook(cycle, ngx_cira_drain_quit);

    return ngx_cira_drain_hook ? NGX_OK : NGX_ERROR;
}


void
ngx_cira_drain_exit(ngx_cycle_t *cycle)
{
    ngx_cira_quit_unhook(ngx_cira_drain_hook);
    ngx_cira_drain_hook = NULL;

    if (ngx_cira_drain_event.timer_set) {
        ngx_del_timer(&ngx_cira_drain_event);
    }
}


static void
ngx_cira_drain_quit(ngx_event_t *ev)
{
    ngx_event_t       *timer;
    ngx_connection_t  *c;

    c = ev->data;

    /* the shutdown timer calls it again, and all others, too */

    if (c->error || ngx_cira_drain_event.handler) {
        return;
    }

    timer = &ngx_cira_drain_event;

    ngx_cira_drain_dummy.fd = (ngx_socket_t) -1;
    timer->data = &ngx_cira_drain_dummy;
    timer->log = ev->log;
    timer->handler = ngx_cira_drain_timer;

    ngx_cira_drain_count();

    ngx_cira_drain_deadline = ngx_current_msec + ngx_cira_drain_time;
    ngx_cira_drain_next = ngx_current_msec
                          + ngx_cira_drain_time / (ngx_cira_drain_idle + 1);

    ngx_log_error(NGX_LOG_NOTICE, ev->log, 0,
                  "draining %ui idle devices over %M ms",
                  ngx_cira_drain_idle, ngx_cira_drain_time);

    ngx_cira_drain_timer(timer);
}


/*
 * Not cancelable: it runs until there is nothing left, so that tunnels and
 * logins in progress keep the worker, too.
 */

static void
ngx_cira_drain_timer(ngx_event_t *ev)
{
    ngx_uint_t      n;
    ngx_msec_int_t  left, wait;

    if (ngx_cira_session_next(NULL) == NULL && !ngx_cira_relay_active()
        && !ngx_cira_sessions_pending())
    {
        return;
    }

    left = (ngx_msec_int_t) (ngx_cira_drain_deadline - ngx_current_msec);

    if (left <= 0) {
        ngx_cira_relay_close("worker has been drained");
        ngx_cira_drain_close(NGX_MAX_INT_T_VALUE, 1);
        ngx_add_timer(ev, NGX_CIRA_DRAIN_TICK);
        return;
    }

    if (ngx_cira_drain_idle < NGX_CIRA_DRAIN_FEW
        || ngx_current_msec - ngx_cira_drain_counted >= NGX_CIRA_DRAIN_COUNT)
    {
        ngx_cira_drain_count();
    }

    /*
     * Idle sessions go one by one, or as many per tick as are needed to be
     * done in time.  Busy ones are left alone until the deadline.
     */

    wait = (ngx_msec_int_t) (ngx_cira_drain_next - ngx_current_msec);

    if (ngx_cira_drain_idle && wait <= 0) {
        n = ngx_cira_drain_idle * NGX_CIRA_DRAIN_TICK / left + 1;
        n = ngx_min(n, ngx_cira_drain_idle);

        ngx_cira_drain_close(n, 0);
        ngx_cira_drain_idle -= n;

        wait = left / (ngx_msec_int_t) (ngx_cira_drain_idle + 1);

        ngx_cira_drain_next = ngx_current_msec
                              + ngx_max(wait, NGX_CIRA_DRAIN_TICK);
    }

    ngx_add_timer(ev, NGX_CIRA_DRAIN_TICK);
}


static void
ngx_cira_drain_count(void)
{
    u_char                guid[NGX_CIRA_GUID_LEN];
    ngx_cira_session_t   *s;
    ngx_cira_identity_t  *id;

    ngx_cira_drain_counted = ngx_current_msec;
    ngx_cira_drain_idle = 0;

    for (s = ngx_cira_session_next(NULL); s; s = ngx_cira_session_next(guid)) {
        id = ngx_cira_session_identity(s);
        ngx_memcpy(guid, id->guid, NGX_CIRA_GUID_LEN);

        if (id->channels == 0) {
            ngx_cira_drain_idle++;
        }
    }
}


static void
ngx_cira_drain_close(ngx_uint_t n, ngx_uint_t all)
{
    ngx_uint_t            wrapped;
    ngx_cira_session_t   *s;
    ngx_cira_identity_t  *id;

    wrapped = 0;

    while (n) {
        s = ngx_cira_session_next(ngx_cira_drain_cursor);

        if (s == NULL) {

            if (wrapped++) {
                return;
            }

            ngx_memzero(ngx_cira_drain_cursor, NGX_CIRA_GUID_LEN);
            continue;
        }

        id = ngx_cira_session_identity(s);
        ngx_memcpy(ngx_cira_drain_cursor, id->guid, NGX_CIRA_GUID_LEN);

        if (id->channels && !all) {
            continue;
        }

        ngx_cira_session_close(s, NGX_CIRA_DISCONNECT_APPLICATION,
                               "worker is drained");
        n--;
    }
}
