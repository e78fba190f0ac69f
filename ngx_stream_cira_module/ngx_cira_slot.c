
/*
 * The WSMAN slot of a device: one dialer at a time has it, and what he leaves
 * goes to the next.  It is the dialer's from the moment he is served until he
 * gives it back or ends; that the device closes his channel, as it does with
 * each challenge, does not take it: he may have learned something the next
 * one must know, and may dial again before anybody else.  A holder who then
 * says nothing loses it.
 */


#include "ngx_cira_channel_priv.h"


static void ngx_cira_slot_again(ngx_cira_dial_t *d);


/* TRUE when d has to wait for the slot. */

ngx_uint_t
ngx_cira_slot_busy(ngx_cira_dial_t *d)
{
    ngx_cira_session_t  *s;

    s = d->session;

    return d->slot && s->slot && s->slot != d;
}


void
ngx_cira_slot_take(ngx_cira_dial_t *d)
{
    if (d->slot) {
        d->session->slot = d;
        d->session->slot_timed = 0;
    }
}


/* The channel has ended: the slot remains for a while, the session with it. */

void
ngx_cira_slot_keep(ngx_cira_session_t *s, ngx_cira_dial_t *d)
{
    if (s->slot != d) {
        d->session = NULL;
        return;
    }

    s->slot_timed = 1;
    s->slot_deadline = ngx_current_msec + NGX_CIRA_SLOT_TIMEOUT;

    ngx_cira_session_post(s);
}


void
ngx_cira_dial_end(ngx_cira_dial_t *d)
{
    ngx_cira_session_t  *s;

    s = d->session;
    d->session = NULL;

    if (s && s->slot == d) {
        s->slot = NULL;
        s->slot_timed = 0;
        ngx_cira_session_post(s);
    }
}


/*
 * The slot goes from one connection of a conversation to the next.  The old
 * dialer is told when he still has a channel; his end frees nothing any more.
 */

ngx_uint_t
ngx_cira_slot_over(ngx_cira_session_t *s, ngx_cira_dial_t *d)
{
    ngx_cira_dial_t  *old;

    old = s->slot;

    if (!d->slot || d->holder == 0 || old == NULL || old->holder != d->holder
        || old->waiting || (old->channel && !old->channel->told))
    {
        return 0;
    }

    if (old->channel) {
        ngx_cira_channel_abort(old->channel, "its dialer dials again");

    } else {
        old->session = NULL;
    }

    ngx_cira_slot_again(d);

    return 1;
}


ngx_int_t
ngx_cira_channel_redial(ngx_cira_dial_t *d)
{
    ngx_cira_session_t  *s;

    s = d->session;

    if (s == NULL || s->closing || s->slot != d || d->waiting
        || (d->channel && !d->channel->told))
    {
        ngx_cira_channel_close(d);
        return NGX_DECLINED;
    }

    ngx_cira_channel_drop(d);
    ngx_cira_slot_again(d);

    return NGX_OK;
}


/* Before those who wait, however many they are. */

static void
ngx_cira_slot_again(ngx_cira_dial_t *d)
{
    ngx_cira_slot_take(d);

    d->reused = 0;
    d->kept = 1;
    d->waiting = 1;
    d->since = ngx_current_msec;

    ngx_queue_insert_head(&d->session->dials, &d->queue);
    d->session->ndials++;

    ngx_cira_session_post(d->session);
}


ngx_uint_t
ngx_cira_slot_deadline(ngx_cira_session_t *s, ngx_msec_t *deadline)
{
    *deadline = s->slot_deadline;

    return s->slot_timed;
}


void
ngx_cira_slot_timeout(ngx_cira_session_t *s)
{
    if (!s->slot_timed
        || (ngx_msec_int_t) (s->slot_deadline - ngx_current_msec) > 0)
    {
        return;
    }

    ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                  "device's slot taken from a dialer that says nothing");

    ngx_cira_dial_end(s->slot);
}


ngx_str_t *
ngx_cira_session_state(ngx_cira_session_t *s)
{
    return &s->state;
}


ngx_int_t
ngx_cira_session_set_state(ngx_cira_session_t *s, ngx_str_t *state)
{
    u_char  *p;

    p = NULL;

    if (state->len > NGX_CIRA_STATE_MAX) {
        return NGX_ERROR;
    }

    if (state->len) {
        p = ngx_alloc(state->len, s->connection->log);
        if (p == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(p, state->data, state->len);
    }

    if (s->state.data) {
        ngx_explicit_memzero(s->state.data, s->state.len);
        ngx_free(s->state.data);
    }

    s->state.data = p;
    s->state.len = state->len;

    return NGX_OK;
}


size_t
ngx_cira_channel_state(ngx_cira_dial_t *d, u_char *buf)
{
    size_t      len;
    ngx_str_t  *state, none;

    if (d->session == NULL || d->session->slot != d) {
        return 0;
    }

    state = &d->session->state;
    len = state->len;

    if (len) {
        ngx_memcpy(buf, state->data, len);

        ngx_str_null(&none);
        (void) ngx_cira_session_set_state(d->session, &none);
    }

    return len;
}
