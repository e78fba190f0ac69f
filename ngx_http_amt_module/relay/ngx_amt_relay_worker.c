
/*
 * Sessions of a worker; see ngx_amt_relay_worker.h.
 */


#include "relay/ngx_amt_relay_worker.h"
#include "relay/ngx_amt_relay_others.h"


static ngx_int_t ngx_amt_relay_worker_asked(const u_char *guid,
    uint64_t question);
static void ngx_amt_relay_worker_beat(ngx_event_t *ev);


static ngx_queue_t       ngx_amt_relay_sessions;
static ngx_event_t       ngx_amt_relay_beat;
static ngx_connection_t  ngx_amt_relay_dummy;


void
ngx_amt_relay_worker_init(ngx_amt_relay_zone_t *zone, ngx_cycle_t *cycle)
{
    ngx_cira_api_t  *api;

    api = ngx_cira_api_find(cycle);

    if (api && api->self()) {
        ngx_amt_relay_zone_join(zone, api->self());
        api->answer(ngx_amt_relay_worker_asked);
    }
}


/* By a worker that has another zone: is there such a session? */

static ngx_int_t
ngx_amt_relay_worker_asked(const u_char *guid, uint64_t question)
{
    ngx_int_t                 rc;
    ngx_queue_t              *q, *next;
    ngx_amt_relay_session_t  *s;

    rc = NGX_DECLINED;

    if (ngx_amt_relay_beat.handler == NULL) {
        return rc;
    }

    for (q = ngx_queue_head(&ngx_amt_relay_sessions);
         q != ngx_queue_sentinel(&ngx_amt_relay_sessions);
         q = next)
    {
        next = ngx_queue_next(q);
        s = ngx_queue_data(q, ngx_amt_relay_session_t, queue);

        if (s->claim.entry == NULL
            || s->ctx->kind != NGX_AMT_RELAY_ASK_KIND(question)
            || ngx_memcmp(s->info.guid, guid, NGX_CIRA_GUID_LEN) != 0)
        {
            continue;
        }

        if (question & NGX_AMT_RELAY_ASK_END) {
            rc = NGX_OK;
            ngx_amt_relay_taken_over(s);

        } else if (!s->waiting) {
            return NGX_OK;
        }
    }

    return rc;
}


void
ngx_amt_relay_worker_add(ngx_amt_relay_session_t *s)
{
    ngx_event_t  *ev;

    ev = &ngx_amt_relay_beat;

    if (ev->handler == NULL) {
        ngx_queue_init(&ngx_amt_relay_sessions);

        ngx_amt_relay_dummy.fd = (ngx_socket_t) -1;

        ev->handler = ngx_amt_relay_worker_beat;
        ev->data = &ngx_amt_relay_dummy;
        ev->log = ngx_cycle->log;
        ev->cancelable = 1;
    }

    if (!ev->timer_set) {
        ngx_add_timer(ev, NGX_AMT_RELAY_BEAT);
    }

    ngx_queue_insert_tail(&ngx_amt_relay_sessions, &s->queue);
}


void
ngx_amt_relay_worker_remove(ngx_amt_relay_session_t *s)
{
    ngx_queue_remove(&s->queue);
}


static void
ngx_amt_relay_worker_beat(ngx_event_t *ev)
{
    ngx_queue_t              *q, *next;
    ngx_amt_relay_session_t  *s;

    for (q = ngx_queue_head(&ngx_amt_relay_sessions);
         q != ngx_queue_sentinel(&ngx_amt_relay_sessions);
         q = next)
    {
        next = ngx_queue_next(q);
        s = ngx_queue_data(q, ngx_amt_relay_session_t, queue);

        if (s->record && ngx_amt_relay_record_flush(s->record) != NGX_OK) {
            ngx_amt_relay_unrecorded(s);
            continue;
        }

        if (s->claim.entry && !s->waiting
            && ngx_amt_relay_zone_poll(s->mcf->zone, &s->claim) != NGX_OK)
        {
            ngx_amt_relay_taken_over(s);
            continue;
        }

        if (ngx_amt_auth_watched(&s->watch) != NGX_OK) {
            ngx_amt_relay_end(s, NGX_AMT_RELAY_REVOKED, NGX_AMT_WS_POLICY,
                              "credential is not valid any longer");
        }
    }

    if (!ngx_queue_empty(&ngx_amt_relay_sessions)) {
        ngx_add_timer(ev, NGX_AMT_RELAY_BEAT);
    }
}


void
ngx_amt_relay_worker_exit(void)
{
    ngx_queue_t  *q;

    if (ngx_amt_relay_beat.handler == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_amt_relay_sessions)) {
        q = ngx_queue_head(&ngx_amt_relay_sessions);

        ngx_amt_relay_exit(ngx_queue_data(q, ngx_amt_relay_session_t,
                                          queue));
    }

    if (ngx_amt_relay_beat.timer_set) {
        ngx_del_timer(&ngx_amt_relay_beat);
    }
}
