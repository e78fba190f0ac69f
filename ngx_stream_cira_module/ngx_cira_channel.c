
/*
 * One channel of a session: what its dialer asks for, what the device says of
 * it, and its end.  Contract apf.md sections 8 and 16.3.
 *
 * A device has few places for channels; a channel keeps its place until the
 * device has confirmed the end.  Idle channels to the WSMAN ports may be
 * kept open for the next dialer, but only when the last one has released
 * them explicitly.
 */


#include "ngx_cira_channel_priv.h"


static ngx_uint_t ngx_cira_channel_receives(ngx_cira_channel_t *ch);
static void ngx_cira_channel_confirmation(ngx_cira_session_t *s,
    ngx_cira_channel_t *ch, ngx_cira_apf_msg_t *msg);
static void ngx_cira_channel_failure(ngx_cira_channel_t *ch,
    uint32_t reason);
static void ngx_cira_channel_closed(ngx_cira_channel_t *ch);


ngx_int_t
ngx_cira_channel_dial(ngx_cira_session_t *s, ngx_cira_dial_t *d)
{
    d->session = s;
    d->channel = NULL;
    d->reused = 0;
    d->kept = 0;
    d->waiting = 0;

    if (s->closing || (ngx_cira_session_ready(s)
                       && !ngx_cira_fsm_port(&s->fsm, d->port)))
    {
        d->session = NULL;
        return NGX_DECLINED;
    }

    if (ngx_cira_slot_over(s, d)) {
        return NGX_OK;
    }

    if (s->ndials >= s->conf->queue) {
        d->session = NULL;
        return NGX_BUSY;
    }

    ngx_queue_insert_tail(&s->dials, &d->queue);
    d->waiting = 1;
    d->since = ngx_current_msec;
    s->ndials++;

    ngx_cira_session_post(s);

    return NGX_OK;
}


void
ngx_cira_channel_close(ngx_cira_dial_t *d)
{
    ngx_cira_channel_t  *ch;

    if (d->waiting) {
        ngx_cira_session_post(d->session);
        ngx_cira_dial_unqueue(d);
        ngx_cira_dial_end(d);
        return;
    }

    ch = d->channel;

    if (ch && ch->state == NGX_CIRA_CHANNEL_OPENING) {
        (void) ngx_cira_channel_detach(ch);
        ch->state = NGX_CIRA_CHANNEL_OPENING_CLOSE;
        ngx_cira_flow_free(ch);

    } else if (ch && ch->state == NGX_CIRA_CHANNEL_BACKOFF) {
        (void) ngx_cira_channel_detach(ch);
        ngx_cira_channel_set_free(ch);

    } else {
        ngx_cira_channel_drop(d);
    }

    ngx_cira_dial_end(d);
}


void
ngx_cira_channel_drop(ngx_cira_dial_t *d)
{
    ngx_cira_channel_t  *ch;

    ch = d->channel;

    if (ch == NULL) {
        return;
    }

    (void) ngx_cira_channel_detach(ch);

    switch (ch->state) {

    case NGX_CIRA_CHANNEL_OPEN:
        ngx_cira_channel_send_close(ch);
        ch->state = NGX_CIRA_CHANNEL_CLOSING;
        ngx_cira_channel_set_timer(ch, NGX_CIRA_CLOSE_TIMEOUT);
        ngx_cira_flow_free(ch);
        break;

    case NGX_CIRA_CHANNEL_ENDED:
        ngx_cira_channel_set_free(ch);
        break;

    default: /* aborted, closed() was not called yet */
        break;
    }
}


void
ngx_cira_channel_release(ngx_cira_dial_t *d, ngx_str_t *state)
{
    ngx_int_t            rc;
    ngx_cira_channel_t  *ch;

    /* without a session there is nothing to give back */

    if (d->session == NULL) {
        return;
    }

    rc = NGX_OK;

    /* state may change only while the slot is the dialer's */

    if (d->session->slot == d) {
        rc = ngx_cira_session_set_state(d->session, state);
    }

    ch = d->channel;

    if (rc != NGX_OK || ch == NULL || ch->state != NGX_CIRA_CHANNEL_OPEN
        || ch->pos != ch->last || ch->blocked || !d->poolable
        || (ch->port != 16992 && ch->port != 16993)
        || ch->session->closing
        || ngx_cira_channel_receives(ch)
        || ngx_cira_output_flush(ch->session) != NGX_OK)
    {
        ngx_cira_channel_close(d);
        return;
    }

    (void) ngx_cira_channel_detach(ch);
    ngx_cira_dial_end(d);

    ch->pooled = 1;
    ngx_cira_channel_set_timer(ch, NGX_CIRA_POOL_TIMEOUT);
}


/* the rest of a DATA message is to come: not for the next dialer's eyes */

static ngx_uint_t
ngx_cira_channel_receives(ngx_cira_channel_t *ch)
{
    ngx_cira_apf_t  *apf;

    apf = &ch->session->fsm.apf;

    return !ngx_cira_apf_between(apf)
           && apf->msg.type == NGX_CIRA_APF_CHANNEL_DATA
           && apf->msg.channel == ch->local;
}


void
ngx_cira_channel_message(ngx_cira_session_t *s, ngx_cira_apf_msg_t *msg)
{
    ngx_cira_channel_t  *ch;

    ch = ngx_cira_channel_find(s, msg->channel);

    if (msg->type == NGX_CIRA_APF_CHANNEL_CONFIRMATION) {
        ngx_cira_channel_confirmation(s, ch, msg);
        return;
    }

    if (ch == NULL) {
        return;
    }

    switch (msg->type) {

    case NGX_CIRA_APF_CHANNEL_FAILURE:
        ngx_cira_channel_failure(ch, msg->reason);
        return;

    case NGX_CIRA_APF_CHANNEL_WINDOW_ADJUST:

        if (ch->state == NGX_CIRA_CHANNEL_OPENING
            || ch->state == NGX_CIRA_CHANNEL_OPEN)
        {
            ngx_cira_flow_adjust(ch, msg->window);
        }

        return;

    case NGX_CIRA_APF_CHANNEL_DATA:
        ngx_cira_flow_data(ch, msg);
        return;

    default: /* NGX_CIRA_APF_CHANNEL_CLOSE */
        ngx_cira_channel_closed(ch);
        return;
    }
}


static void
ngx_cira_channel_confirmation(ngx_cira_session_t *s, ngx_cira_channel_t *ch,
    ngx_cira_apf_msg_t *msg)
{
    u_char            buf[NGX_CIRA_APF_MESSAGE_MAX], *p;
    ngx_cira_dial_t  *d;

    if (ch == NULL) {

        /* gives a place back that nobody here knows of */

        p = ngx_cira_apf_channel_close(buf, msg->sender);
        s->fsm.ops->send(s, buf, p - buf, 0);
        return;
    }

    switch (ch->state) {

    case NGX_CIRA_CHANNEL_OPENING:
        break;

    case NGX_CIRA_CHANNEL_OPENING_CLOSE:
        ch->remote = msg->sender;
        ch->state = NGX_CIRA_CHANNEL_CLOSING;
        ngx_cira_channel_send_close(ch);
        ngx_cira_channel_set_timer(ch, NGX_CIRA_CLOSE_TIMEOUT);
        return;

    default:
        return;
    }

    ch->remote = msg->sender;
    ch->state = NGX_CIRA_CHANNEL_OPEN;
    ch->timed = 0;
    ngx_cira_flow_adjust(ch, msg->window);

    s->opened++;
    s->id.channels++;

    d = ch->dial;
    ch->told = 1;
    d->opened(d, NGX_CIRA_DIAL_OK, 0);

    ngx_cira_flow_offer(ch);
}


static void
ngx_cira_channel_failure(ngx_cira_channel_t *ch, uint32_t reason)
{
    switch (ch->state) {

    case NGX_CIRA_CHANNEL_OPENING:

        if (reason == 4 && ch->tries < NGX_CIRA_RETRIES) {

            /* all places taken; ours that are idle are not needed more */

            ch->state = NGX_CIRA_CHANNEL_BACKOFF;
            ngx_cira_flow_free(ch);
            ngx_cira_channel_set_timer(ch, NGX_CIRA_BACKOFF << ch->tries);
            ch->tries++;
            ngx_cira_channel_evict(ch->session);
            return;
        }

        ngx_cira_channel_fail(ch, NGX_CIRA_DIAL_REFUSED, reason);
        return;

    case NGX_CIRA_CHANNEL_OPENING_CLOSE:
    case NGX_CIRA_CHANNEL_CLOSING:
        ngx_cira_channel_set_free(ch);
        return;

    default:
        return;
    }
}


static void
ngx_cira_channel_closed(ngx_cira_channel_t *ch)
{
    switch (ch->state) {

    case NGX_CIRA_CHANNEL_OPENING:
        ngx_cira_channel_fail(ch, NGX_CIRA_DIAL_REFUSED, 2);
        return;

    case NGX_CIRA_CHANNEL_OPEN:
        ngx_cira_channel_send_close(ch);

        if (ch->dial == NULL) {
            ngx_cira_channel_set_free(ch);
            return;
        }

        /* the place is free, the dialer may still have bytes to take */

        ch->state = NGX_CIRA_CHANNEL_ENDED;
        ch->text = "device closed the channel";
        ch->timed = 0;
        ch->session->nchannels--;
        ngx_cira_session_post(ch->session);
        return;

    case NGX_CIRA_CHANNEL_OPENING_CLOSE:
    case NGX_CIRA_CHANNEL_CLOSING:
        ngx_cira_channel_set_free(ch);
        return;

    default:
        return;
    }
}


/* an open channel ends on our side: the dialer is told later */

void
ngx_cira_channel_abort(ngx_cira_channel_t *ch, char *text)
{
    ngx_cira_session_t  *s;

    s = ch->session;

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "channel %uD to port %ui closed: %s",
                  ch->local, (ngx_uint_t) ch->port, text);

    if (ch->state == NGX_CIRA_CHANNEL_OPENING) {
        ch->text = text;
        ngx_cira_channel_fail(ch, NGX_CIRA_DIAL_REFUSED, 2);
        return;
    }

    if (ch->state != NGX_CIRA_CHANNEL_OPEN) {
        return;
    }

    ngx_cira_channel_send_close(ch);

    ch->state = NGX_CIRA_CHANNEL_CLOSING;
    ch->text = text;
    ch->pooled = 0;
    ngx_cira_channel_set_timer(ch, NGX_CIRA_CLOSE_TIMEOUT);
    ngx_cira_flow_free(ch);
    ngx_cira_session_post(s);
}


void
ngx_cira_channel_send_close(ngx_cira_channel_t *ch)
{
    u_char  buf[NGX_CIRA_APF_MESSAGE_MAX], *p;

    p = ngx_cira_apf_channel_close(buf, ch->remote);

    ch->close_wanted = (ngx_cira_output_add(ch->session, buf, p - buf)
                        == NGX_AGAIN);
}


/* gives its place back; ngx_cira_channels_run() frees it */

void
ngx_cira_channel_set_free(ngx_cira_channel_t *ch)
{
    if (ch->state == NGX_CIRA_CHANNEL_FREE) {
        return;
    }

    if (ch->state != NGX_CIRA_CHANNEL_ENDED) {
        ch->session->nchannels--;
    }

    ch->state = NGX_CIRA_CHANNEL_FREE;
    ch->pooled = 0;
    ch->timed = 0;

    ngx_cira_session_post(ch->session);
}


ngx_cira_dial_t *
ngx_cira_channel_detach(ngx_cira_channel_t *ch)
{
    ngx_cira_dial_t  *d;

    d = ch->dial;

    if (d == NULL) {
        return NULL;
    }

    ch->dial = NULL;
    ch->blocked = 0;
    d->channel = NULL;

    if (ch->told) {
        ch->session->id.channels--;
    }

    return d;
}


/* a channel that was not opened; called on a message or a timer only */

void
ngx_cira_channel_fail(ngx_cira_channel_t *ch, ngx_cira_dial_rc_e rc,
    ngx_uint_t reason)
{
    ngx_cira_dial_t  *d;

    d = ngx_cira_channel_detach(ch);

    if (rc == NGX_CIRA_DIAL_TIMEOUT) {

        /* the confirmation may still come */

        ch->state = NGX_CIRA_CHANNEL_OPENING_CLOSE;
        ngx_cira_channel_set_timer(ch, NGX_CIRA_CLOSE_TIMEOUT);

    } else {
        ngx_cira_channel_set_free(ch);
    }

    ngx_cira_flow_free(ch);

    if (d) {
        ngx_cira_dial_end(d);
        d->opened(d, rc, reason);
    }
}


ngx_cira_channel_t *
ngx_cira_channel_find(ngx_cira_session_t *s, uint32_t id)
{
    ngx_queue_t         *q;
    ngx_cira_channel_t  *ch;

    for (q = ngx_queue_head(&s->channels);
         q != ngx_queue_sentinel(&s->channels);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_cira_channel_t, queue);

        if (ch->local == id
            && ch->state != NGX_CIRA_CHANNEL_BACKOFF
            && ch->state != NGX_CIRA_CHANNEL_ENDED
            && ch->state != NGX_CIRA_CHANNEL_FREE)
        {
            return ch;
        }
    }

    return NULL;
}


void
ngx_cira_channel_set_timer(ngx_cira_channel_t *ch, ngx_msec_t delay)
{
    ch->deadline = ngx_current_msec + delay;
    ch->timed = 1;

    ngx_cira_session_post(ch->session);
}


void
ngx_cira_dial_unqueue(ngx_cira_dial_t *d)
{
    /* NOLINTNEXTLINE: the analyzer takes one dial for the next */
    ngx_queue_remove(&d->queue);
    d->waiting = 0;
    d->session->ndials--;
}


void
ngx_cira_dial_fail(ngx_cira_dial_t *d, ngx_cira_dial_rc_e rc,
    ngx_uint_t reason)
{
    ngx_cira_dial_unqueue(d);
    ngx_cira_dial_end(d);

    d->opened(d, rc, reason);
}
