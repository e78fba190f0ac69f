
/*
 * All channels of a session and the dialers that wait for one: who is served,
 * what was put off, timers, the end of the session.  Contract apf.md sections
 * 6.2 and 8.
 */


#include "ngx_cira_channel_priv.h"


static void ngx_cira_channel_pump(ngx_cira_session_t *s);
static ngx_int_t ngx_cira_channel_reuse(ngx_cira_session_t *s,
    ngx_cira_dial_t *d);
static ngx_int_t ngx_cira_channel_open(ngx_cira_session_t *s,
    ngx_cira_dial_t *d);
static ngx_int_t ngx_cira_channel_request(ngx_cira_channel_t *ch);
static void ngx_cira_dials_timeout(ngx_cira_session_t *s);


void
ngx_cira_channels_run(ngx_cira_session_t *s)
{
    char                *text;
    ngx_queue_t         *q, *next;
    ngx_cira_dial_t     *d;
    ngx_cira_channel_t  *ch;

    for (q = ngx_queue_head(&s->channels);
         q != ngx_queue_sentinel(&s->channels);
         q = next)
    {
        ch = ngx_queue_data(q, ngx_cira_channel_t, queue);

        if (ch->close_wanted) {
            ngx_cira_channel_send_close(ch);
        }

        if (ch->adjust_wanted) {
            if (ch->state == NGX_CIRA_CHANNEL_OPEN) {
                ngx_cira_flow_grant(ch);

            } else {
                ch->adjust_wanted = 0;
            }
        }

        if (ch->blocked && ch->state == NGX_CIRA_CHANNEL_OPEN && ch->dial
            && ch->credits && ngx_cira_output_room(s))
        {
            ch->blocked = 0;
            ch->timed = 0;
            d = ch->dial;
            d->writable(d);
        }

        if (ch->dial
            && (ch->state == NGX_CIRA_CHANNEL_CLOSING
                || (ch->state == NGX_CIRA_CHANNEL_ENDED
                    && ch->pos == ch->last)))
        {
            text = ch->text;
            d = ngx_cira_channel_detach(ch);
            ngx_cira_slot_keep(s, d);

            if (ch->state == NGX_CIRA_CHANNEL_ENDED) {
                ngx_cira_channel_set_free(ch);
            }

            d->closed(d, text);
        }

        /* the callbacks above neither add nor remove channels */

        next = ngx_queue_next(q);

        if (ch->state == NGX_CIRA_CHANNEL_FREE && !ch->close_wanted) {
            ngx_queue_remove(q);
            ngx_cira_flow_free(ch);
            ngx_free(ch);
        }
    }

    /* who was first shall not be first always */

    if (!ngx_queue_empty(&s->channels)) {
        q = ngx_queue_head(&s->channels);
        ngx_queue_remove(q);
        ngx_queue_insert_tail(&s->channels, q);
    }

    ngx_cira_channel_pump(s);
}


/*
 * Serves waiting dialers, oldest first.  One that waits for the WSMAN slot
 * does not hold up the others; one that waits for a place does.
 */

static void
ngx_cira_channel_pump(ngx_cira_session_t *s)
{
    ngx_int_t         rc;
    ngx_queue_t      *q;
    ngx_cira_dial_t  *d;

    if (ngx_queue_empty(&s->dials) || !ngx_cira_session_ready(s)) {
        return;
    }

    q = ngx_queue_head(&s->dials);

    while (q != ngx_queue_sentinel(&s->dials)) {

        d = ngx_queue_data(q, ngx_cira_dial_t, queue);

        if (!ngx_cira_fsm_port(&s->fsm, d->port)) {
            ngx_cira_dial_fail(d, NGX_CIRA_DIAL_REFUSED, 1);

            /* a callback may have changed the queue */
            q = ngx_queue_head(&s->dials);
            continue;
        }

        if (ngx_cira_slot_busy(d)) {
            q = ngx_queue_next(q);
            continue;
        }

        rc = ngx_cira_channel_reuse(s, d);

        if (rc == NGX_DECLINED) {
            rc = ngx_cira_channel_open(s, d);
        }

        if (rc != NGX_OK) {
            return;
        }

        q = ngx_queue_head(&s->dials);
    }
}


static ngx_int_t
ngx_cira_channel_reuse(ngx_cira_session_t *s, ngx_cira_dial_t *d)
{
    ngx_queue_t         *q;
    ngx_cira_channel_t  *ch;

    if (d->fresh || !d->poolable) {
        return NGX_DECLINED;
    }

    for (q = ngx_queue_head(&s->channels);
         q != ngx_queue_sentinel(&s->channels);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_cira_channel_t, queue);

        if (!ch->pooled || ch->port != d->port) {
            continue;
        }

        ngx_cira_dial_unqueue(d);

        ch->pooled = 0;
        ch->timed = 0;
        ch->dial = d;
        s->id.channels++;

        d->channel = ch;
        d->reused = 1;

        ngx_cira_slot_take(d);

        d->opened(d, NGX_CIRA_DIAL_OK, 0);

        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_cira_channel_open(ngx_cira_session_t *s, ngx_cira_dial_t *d)
{
    ngx_queue_t         *q;
    ngx_cira_channel_t  *ch;

    for (q = ngx_queue_head(&s->channels);
         q != ngx_queue_sentinel(&s->channels);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_cira_channel_t, queue);

        if (ch->state == NGX_CIRA_CHANNEL_BACKOFF) {
            return NGX_AGAIN;
        }
    }

    if (s->nchannels >= s->max_channels) {
        ngx_cira_channel_evict(s);
        return NGX_AGAIN;
    }

    ch = ngx_calloc(sizeof(ngx_cira_channel_t), s->connection->log);

    if (ch == NULL) {
        ngx_cira_dial_fail(d, NGX_CIRA_DIAL_BUSY, 0);
        return NGX_OK;
    }

    ch->session = s;
    ch->port = (uint16_t) d->port;
    ch->state = NGX_CIRA_CHANNEL_OPENING;

    ch->window = (uint32_t) ((d->port == 16992 || d->port == 16993)
                             ? s->conf->window : s->conf->window_redirection);

    if (ngx_cira_channel_request(ch) != NGX_OK) {
        ngx_free(ch);
        return NGX_AGAIN;
    }

    ngx_cira_dial_unqueue(d);

    ch->dial = d;
    d->channel = ch;

    ngx_cira_slot_take(d);

    s->nchannels++;
    ngx_queue_insert_tail(&s->channels, &ch->queue);

    return NGX_OK;
}


/* ids are not used again before 2^32 others, apf.md section 8 */

static ngx_int_t
ngx_cira_channel_request(ngx_cira_channel_t *ch)
{
    u_char               buf[NGX_CIRA_APF_MESSAGE_MAX], *p;
    uint32_t             id;
    ngx_cira_session_t  *s;

    s = ch->session;
    id = s->channel_id;

    do {
        id++;
    } while (id == 0 || ngx_cira_channel_find(s, id));

    p = ngx_cira_apf_channel_open(buf, id, ch->window, ch->port);

    if (ngx_cira_output_add(s, buf, p - buf) != NGX_OK) {
        return NGX_AGAIN;
    }

    s->channel_id = id;
    ch->local = id;
    ch->state = NGX_CIRA_CHANNEL_OPENING;
    ch->rx_open = ch->window;
    ch->pending = 0;
    ch->credits = 0;
    ngx_cira_channel_set_timer(ch, NGX_CIRA_OPEN_TIMEOUT);

    return NGX_OK;
}


/* closes an idle channel, unless a place is going to be free anyway */

void
ngx_cira_channel_evict(ngx_cira_session_t *s)
{
    ngx_queue_t         *q;
    ngx_cira_channel_t  *ch, *idle;

    idle = NULL;

    for (q = ngx_queue_head(&s->channels);
         q != ngx_queue_sentinel(&s->channels);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_cira_channel_t, queue);

        if (ch->state == NGX_CIRA_CHANNEL_CLOSING) {
            return;
        }

        if (ch->pooled
            && (idle == NULL
                || (ngx_msec_int_t) (ch->deadline - idle->deadline) < 0))
        {
            idle = ch;
        }
    }

    if (idle) {
        ngx_cira_channel_abort(idle, "its place is needed");
    }
}


void
ngx_cira_channels_timeout(ngx_cira_session_t *s)
{
    ngx_queue_t         *q;
    ngx_cira_channel_t  *ch;

    ngx_cira_dials_timeout(s);
    ngx_cira_slot_timeout(s);

    for (q = ngx_queue_head(&s->channels);
         q != ngx_queue_sentinel(&s->channels);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_cira_channel_t, queue);

        if (!ch->timed
            || (ngx_msec_int_t) (ch->deadline - ngx_current_msec) > 0)
        {
            continue;
        }

        ch->timed = 0;

        switch (ch->state) {

        case NGX_CIRA_CHANNEL_OPENING:
            ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                          "device did not confirm channel %uD to port %ui",
                          ch->local, (ngx_uint_t) ch->port);

            ngx_cira_channel_fail(ch, NGX_CIRA_DIAL_TIMEOUT, 0);
            break;

        case NGX_CIRA_CHANNEL_OPENING_CLOSE:
        case NGX_CIRA_CHANNEL_CLOSING:
            ngx_cira_channel_set_free(ch);
            break;

        case NGX_CIRA_CHANNEL_BACKOFF:

            if (ngx_cira_channel_request(ch) != NGX_OK) {
                ngx_cira_channel_set_timer(ch, NGX_CIRA_BACKOFF);
            }

            break;

        case NGX_CIRA_CHANNEL_OPEN:

            if (ch->pooled) {
                ngx_cira_channel_abort(ch, "idle");

            } else {
                ngx_cira_channel_abort(ch, "device does not take data");
            }

            break;

        default:
            break;
        }
    }
}


/*
 * Those whose turn did not come.  The first has waited longest, but for those
 * in front who have the slot already.
 */

static void
ngx_cira_dials_timeout(ngx_cira_session_t *s)
{
    ngx_queue_t      *q;
    ngx_cira_dial_t  *d;

    q = ngx_queue_head(&s->dials);

    while (q != ngx_queue_sentinel(&s->dials)) {

        d = ngx_queue_data(q, ngx_cira_dial_t, queue);

        if (ngx_current_msec - d->since >= s->conf->queue_timeout) {
            ngx_cira_dial_fail(d, NGX_CIRA_DIAL_TIMEOUT, 1);

            /* a callback may have changed the queue */
            q = ngx_queue_head(&s->dials);
            continue;
        }

        if (!d->kept) {
            return;
        }

        q = ngx_queue_next(q);
    }
}


ngx_uint_t
ngx_cira_channels_deadline(ngx_cira_session_t *s, ngx_msec_t *deadline)
{
    ngx_msec_t           until;
    ngx_uint_t           found;
    ngx_queue_t         *q;
    ngx_cira_dial_t     *d;
    ngx_cira_channel_t  *ch;

    found = ngx_cira_slot_deadline(s, deadline);

    for (q = ngx_queue_head(&s->dials);
         q != ngx_queue_sentinel(&s->dials);
         q = ngx_queue_next(q))
    {
        d = ngx_queue_data(q, ngx_cira_dial_t, queue);
        until = d->since + s->conf->queue_timeout;

        if (!found || (ngx_msec_int_t) (until - *deadline) < 0) {
            *deadline = until;
            found = 1;
        }

        if (!d->kept) {
            break;
        }
    }

    for (q = ngx_queue_head(&s->channels);
         q != ngx_queue_sentinel(&s->channels);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_cira_channel_t, queue);

        if (ch->timed && (!found
                          || (ngx_msec_int_t) (ch->deadline - *deadline) < 0))
        {
            *deadline = ch->deadline;
            found = 1;
        }
    }

    return found;
}


void
ngx_cira_channels_end(ngx_cira_session_t *s)
{
    ngx_queue_t         *q;
    ngx_cira_dial_t     *d;
    ngx_cira_channel_t  *ch;

    while (!ngx_queue_empty(&s->dials)) {
        q = ngx_queue_head(&s->dials);
        d = ngx_queue_data(q, ngx_cira_dial_t, queue);

        ngx_cira_dial_fail(d, NGX_CIRA_DIAL_LOST, 0);
    }

    for (q = ngx_queue_head(&s->channels);
         q != ngx_queue_sentinel(&s->channels);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_cira_channel_t, queue);

        /* the last chance to take what the device had sent */

        ngx_cira_flow_offer(ch);

        d = ngx_cira_channel_detach(ch);

        if (d == NULL) {
            continue;
        }

        ngx_cira_dial_end(d);

        if (ch->told) {
            d->closed(d, s->text);

        } else {
            d->opened(d, NGX_CIRA_DIAL_LOST, 0);
        }
    }

    ngx_cira_channels_free(s);
}


void
ngx_cira_channels_free(ngx_cira_session_t *s)
{
    ngx_queue_t         *q;
    ngx_cira_dial_t     *d;
    ngx_cira_channel_t  *ch;

    while (!ngx_queue_empty(&s->dials)) {
        q = ngx_queue_head(&s->dials);
        d = ngx_queue_data(q, ngx_cira_dial_t, queue);

        ngx_cira_dial_unqueue(d);
        ngx_cira_dial_end(d);
    }

    while (!ngx_queue_empty(&s->channels)) {
        q = ngx_queue_head(&s->channels);
        ch = ngx_queue_data(q, ngx_cira_channel_t, queue);

        d = ngx_cira_channel_detach(ch);

        if (d) {
            ngx_cira_dial_end(d);
        }

        ngx_queue_remove(q);
        ngx_cira_flow_free(ch);
        ngx_free(ch);
    }

    if (s->slot) {
        ngx_cira_dial_end(s->slot);
    }

    s->nchannels = 0;
}
