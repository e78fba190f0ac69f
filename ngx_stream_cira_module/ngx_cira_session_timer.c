
/*
 * The times of a session and its one timer.  Contract apf.md sections 7 and
 * 12.
 */


#include "ngx_cira_session_priv.h"


static void ngx_cira_session_idle(ngx_cira_session_t *s);
static ngx_msec_t ngx_cira_session_silence(ngx_cira_session_t *s);


void
ngx_cira_session_set_timer(ngx_cira_session_t *s, ngx_cira_timer_e timer,
    ngx_msec_t delay)
{
    s->timers[timer] = ngx_current_msec + delay;
    s->armed |= 1 << timer;
}


void
ngx_cira_session_timeout(ngx_cira_session_t *s)
{
    u_char      buf[NGX_CIRA_APF_MESSAGE_MAX], *p;
    ngx_uint_t  i;

    for (i = 0; i < NGX_CIRA_TIMERS; i++) {

        if (!(s->armed & (1 << i))
            || (ngx_msec_int_t) (s->timers[i] - ngx_current_msec) > 0)
        {
            continue;
        }

        s->armed &= ~(1 << i);

        switch (i) {

        case NGX_CIRA_TIMER_LOGIN:
            ngx_cira_fsm_close(&s->fsm,
                               s->down ? NGX_CIRA_DISCONNECT_UNAVAILABLE
                                       : NGX_CIRA_DISCONNECT_TIMEOUT,
                               s->down ? "auth service is down"
                                       : "login timed out");
            break;

        case NGX_CIRA_TIMER_RETRY:
            if (s->fsm.state == NGX_CIRA_VERIFY && s->auth == NULL) {
                ngx_cira_session_ask(s);
            }

            break;

        case NGX_CIRA_TIMER_FORWARD:
            ngx_cira_fsm_close(&s->fsm, NGX_CIRA_DISCONNECT_TIMEOUT,
                               "no port was forwarded");
            break;

        case NGX_CIRA_TIMER_OPTIONS:
            s->asked = 1;
            p = ngx_cira_apf_options_request(buf,
                               (uint32_t) (s->conf->keepalive_interval / 1000),
                               0);
            ngx_cira_session_send(s, buf, p - buf, 0);
            break;

        case NGX_CIRA_TIMER_WRITE:
            ngx_cira_session_broken(s, "device does not read");
            break;

        case NGX_CIRA_TIMER_CLOSE:
            s->broken = 1;
            break;

        default: /* NGX_CIRA_TIMER_READY: ngx_cira_session_run() does it */
            break;
        }
    }

    if (!s->closing) {
        ngx_cira_session_idle(s);
        ngx_cira_channels_timeout(s);
    }

    ngx_cira_session_run(s);
}


/* a device that says nothing is asked once before it is given up */

static void
ngx_cira_session_idle(ngx_cira_session_t *s)
{
    u_char      buf[NGX_CIRA_APF_MESSAGE_MAX], *p;
    ngx_msec_t  silence;

    if (!s->logged_in || s->conf->keepalive_timeout == 0) {
        return;
    }

    silence = ngx_cira_session_silence(s);

    if (silence >= s->conf->keepalive_timeout) {
        ngx_cira_fsm_close(&s->fsm, NGX_CIRA_DISCONNECT_TIMEOUT,
                           "no sign of life");
        return;
    }

    if (silence >= s->conf->keepalive_timeout / 2 && !s->probed) {
        s->probed = 1;

        if (s->fsm.state != NGX_CIRA_READY) {
            return;
        }

        p = ngx_cira_apf_keepalive_request(buf, ++s->cookie);
        ngx_cira_session_send(s, buf, p - buf, 1);
    }
}


static ngx_msec_t
ngx_cira_session_silence(ngx_cira_session_t *s)
{
    ngx_msec_int_t  silence;

    silence = (ngx_msec_int_t) (ngx_current_msec - s->received);

    return ngx_max(silence, 0);
}


/*
 * The one timer of the session, not cancelable: it keeps an exiting worker
 * alive.  It is not set later than it is, so that traffic costs nothing.
 */

void
ngx_cira_session_arm(ngx_cira_session_t *s)
{
    ngx_uint_t       i;
    ngx_msec_t       at, t;
    ngx_event_t     *rev;
    ngx_msec_int_t   delay;

    rev = s->connection->read;
    at = ngx_current_msec + 60000;

    for (i = 0; i < NGX_CIRA_TIMERS; i++) {
        if ((s->armed & (1 << i))
            && (ngx_msec_int_t) (s->timers[i] - at) < 0)
        {
            at = s->timers[i];
        }
    }

    if (s->logged_in && s->conf->keepalive_timeout && !s->closing) {
        t = s->received + (s->probed ? s->conf->keepalive_timeout
                                     : s->conf->keepalive_timeout / 2);

        if ((ngx_msec_int_t) (t - at) < 0) {
            at = t;
        }
    }

    if (ngx_cira_channels_deadline(s, &t) && (ngx_msec_int_t) (t - at) < 0) {
        at = t;
    }

    if (rev->timer_set
        && (ngx_msec_int_t) (rev->timer.key - at) <= 0)
    {
        return;
    }

    delay = (ngx_msec_int_t) (at - ngx_current_msec);

    ngx_add_timer(rev, (ngx_msec_t) ngx_max(delay, 1));
}
