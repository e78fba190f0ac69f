
/*
 * What passes through an open channel: windows, credits and the bytes kept
 * for a slow dialer.  Contract apf.md section 9.
 *
 * The connection is read whatever a dialer does.  Bytes it does not take are
 * kept, at most a window of them, and are granted back to the device only
 * when they are taken: so the device stops, and memory is bounded.
 */


#include "ngx_cira_session.h"


#define NGX_CIRA_KEEP_MIN  4096


static void ngx_cira_flow_deliver(ngx_cira_channel_t *ch, u_char *p,
    size_t size);
static void ngx_cira_flow_keep(ngx_cira_channel_t *ch, u_char *p,
    size_t size);
static void ngx_cira_flow_taken(ngx_cira_channel_t *ch, size_t size);


void
ngx_cira_flow_data(ngx_cira_channel_t *ch, ngx_cira_apf_msg_t *msg)
{
    if (msg->first) {

        /* some firmware counts late: a window more is tolerated */

        ch->rx_open -= msg->length;

        if (ch->rx_open < - (int64_t) ch->window) {

            if (ch->state == NGX_CIRA_CHANNEL_OPEN) {
                ngx_cira_channel_abort(ch, "device exceeded the window");

            } else if (ch->rx_open < - 2 * (int64_t) ch->window
                                     - NGX_CIRA_APF_DATA_MAX)
            {
                ngx_cira_fsm_close(&ch->session->fsm,
                                   NGX_CIRA_DISCONNECT_PROTOCOL,
                                   "device ignores the window");
                return;
            }
        }
    }

    switch (ch->state) {

    case NGX_CIRA_CHANNEL_OPENING:

        if (msg->size) {
            ngx_cira_flow_keep(ch, msg->data, msg->size);
        }

        break;

    case NGX_CIRA_CHANNEL_OPEN:

        if (ch->pooled) {

            /* nobody asked for anything: an answer of an earlier use */

            if (msg->length) {
                ngx_cira_channel_abort(ch, "data on an idle channel");
            }

            break;
        }

        if (msg->size) {
            ch->session->data_received += msg->size;
            ngx_cira_flow_deliver(ch, msg->data, msg->size);
        }

        break;

    default:
        break;
    }
}


static void
ngx_cira_flow_deliver(ngx_cira_channel_t *ch, u_char *p, size_t size)
{
    size_t            n;
    ngx_cira_dial_t  *d;

    d = ch->dial;
    n = 0;

    if (ch->pos == ch->last && !ch->offering) {
        ch->offering = 1;
        n = d->received(d, p, size);
        n = ngx_min(n, size);
        ch->offering = 0;

        /* d may be gone now, and the channel closed or given back */

        if (ch->state != NGX_CIRA_CHANNEL_OPEN) {
            ngx_cira_flow_free(ch);
            return;
        }

        ngx_cira_flow_taken(ch, n);

        if (ch->pooled) {
            if (n < size) {
                ngx_cira_channel_abort(ch, "released with data left");
            }

            return;
        }
    }

    if (n < size) {
        ngx_cira_flow_keep(ch, p + n, size - n);
    }
}


static void
ngx_cira_flow_keep(ngx_cira_channel_t *ch, u_char *p, size_t size)
{
    u_char  *start;
    size_t   kept, room;

    kept = ch->last - ch->pos;

    if (kept + size > ch->window) {
        ngx_cira_channel_abort(ch, "device exceeded the window");
        return;
    }

    if ((size_t) (ch->end - ch->last) < size) {

        room = ch->end - ch->start;

        if (room < kept + size) {
            room = ngx_max(room, NGX_CIRA_KEEP_MIN);

            while (room < kept + size) {
                room *= 2;
            }

            room = ngx_min(room, ch->window);

            start = ngx_alloc(room, ch->session->connection->log);

            if (start == NULL) {
                ngx_cira_channel_abort(ch, "no memory");
                return;
            }

            if (ch->start) {
                ngx_memcpy(start, ch->pos, kept);
                ngx_explicit_memzero(ch->start, ch->last - ch->start);
                ngx_free(ch->start);
            }

            ch->start = start;
            ch->end = start + room;

        } else {
            ngx_memmove(ch->start, ch->pos, kept);
        }

        ch->pos = ch->start;
        ch->last = ch->start + kept;
    }

    ch->last = ngx_cpymem(ch->last, p, size);
}


void
ngx_cira_flow_offer(ngx_cira_channel_t *ch)
{
    size_t            n, size;
    ngx_cira_dial_t  *d;

    if (ch->offering || !ch->told) {
        return;
    }

    ch->offering = 1;

    while (ch->dial && ch->pos < ch->last) {
        d = ch->dial;
        size = ch->last - ch->pos;

        n = d->received(d, ch->pos, size);
        n = ngx_min(n, size);

        if (n == 0) {
            break;
        }

        ch->pos += n;

        if (ch->state == NGX_CIRA_CHANNEL_OPEN) {
            ngx_cira_flow_taken(ch, n);
        }
    }

    ch->offering = 0;

    if (ch->dial == NULL && ch->pos < ch->last && ch->pooled) {
        ngx_cira_channel_abort(ch, "released with data left");
    }

    if (ch->dial == NULL || ch->pos == ch->last) {
        ngx_cira_flow_free(ch);
    }
}


static void
ngx_cira_flow_taken(ngx_cira_channel_t *ch, size_t size)
{
    ch->pending += (uint32_t) size;

    if (ch->pending > ch->window / 2) {
        ngx_cira_flow_grant(ch);
    }
}


void
ngx_cira_flow_grant(ngx_cira_channel_t *ch)
{
    u_char  buf[NGX_CIRA_APF_MESSAGE_MAX], *p;

    p = ngx_cira_apf_window_adjust(buf, ch->remote, ch->pending);

    if (ngx_cira_output_add(ch->session, buf, p - buf) == NGX_AGAIN) {
        ch->adjust_wanted = 1;
        return;
    }

    ch->adjust_wanted = 0;
    ch->rx_open += ch->pending;
    ch->pending = 0;
}


void
ngx_cira_flow_adjust(ngx_cira_channel_t *ch, uint32_t bytes)
{
    uint64_t  credits;

    credits = (uint64_t) ch->credits + bytes;

    ch->credits = (uint32_t) ngx_min(credits, 0xffffffff);

    if (ch->blocked && ch->credits) {
        ch->timed = 0;
        ngx_cira_session_post(ch->session);
    }
}


/* the bytes may be in use by received(), then its caller frees them */

void
ngx_cira_flow_free(ngx_cira_channel_t *ch)
{
    if (ch->start && !ch->offering) {
        ngx_explicit_memzero(ch->start, ch->last - ch->start);
        ngx_free(ch->start);
        ch->start = NULL;
        ch->pos = NULL;
        ch->last = NULL;
        ch->end = NULL;
    }
}


size_t
ngx_cira_channel_send(ngx_cira_dial_t *d, u_char *p, size_t size)
{
    size_t               n;
    ngx_cira_channel_t  *ch;

    ch = d->channel;

    if (ch == NULL || ch->state != NGX_CIRA_CHANNEL_OPEN
        || ch->session->closing || size == 0)
    {
        return 0;
    }

    n = ngx_cira_output_data(ch->session, ch->remote, p,
                             ngx_min(size, ch->credits));

    ch->credits -= (uint32_t) n;
    ch->session->data_sent += n;

    if (n) {
        ch->timed = 0;
    }

    ch->blocked = (n < size);

    if (ch->blocked && ch->credits == 0 && !ch->timed) {
        ngx_cira_channel_set_timer(ch, NGX_CIRA_CREDIT_TIMEOUT);
    }

    return n;
}


void
ngx_cira_channel_drain(ngx_cira_dial_t *d)
{
    ngx_cira_channel_t  *ch;

    ch = d->channel;

    if (ch == NULL) {
        return;
    }

    ngx_cira_flow_offer(ch);

    if (ch->state == NGX_CIRA_CHANNEL_ENDED) {
        ngx_cira_session_post(ch->session);
    }
}


size_t
ngx_cira_channel_pending(ngx_cira_dial_t *d)
{
    return d->channel ? (size_t) (d->channel->last - d->channel->pos) : 0;
}
