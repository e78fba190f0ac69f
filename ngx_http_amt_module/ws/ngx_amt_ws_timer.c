
/*
 * Time of a WebSocket: pings, silence, output without progress, the end.  One
 * timer, set for what is due next.
 */


#include "ws/ngx_amt_ws_priv.h"


void
ngx_amt_ws_timer(ngx_amt_ws_t *ws)
{
    ngx_msec_t              now;
    ngx_msec_int_t          left, next;
    ngx_amt_ws_settings_t  *s;

    now = ngx_current_msec;
    next = NGX_MAX_INT32_VALUE;
    s = &ws->settings;

#define ngx_amt_ws_due(time)                                                  \
    left = (ngx_msec_int_t) ((time) - now);                                   \
    next = ngx_min(next, left)

    if (ws->result.end) {
        ngx_amt_ws_due(ws->deadline);

    } else {

        if (s->timeout && (ws->out || !ws->started)) {
            ngx_amt_ws_due(ws->progress + s->timeout);
        }

        if (ws->paused) {

            if (ws->gone) {
                ngx_amt_ws_due(ws->left + NGX_AMT_WS_GRACE);
            }

        } else if (ws->ping_sent) {

            if (s->timeout) {
                ngx_amt_ws_due(ws->pinged + s->timeout);
            }

        } else if (s->ping && ws->out == NULL) {
            ngx_amt_ws_due(ws->received + s->ping);
        }

        if (s->idle) {
            ngx_amt_ws_due(ws->active + s->idle);
        }
    }

#undef ngx_amt_ws_due

    if (next == NGX_MAX_INT32_VALUE) {

        if (ws->timer.timer_set) {
            ngx_del_timer(&ws->timer);
        }

        return;
    }

    ngx_add_timer(&ws->timer, (ngx_msec_t) ngx_max(next, 1));
}


void
ngx_amt_ws_timer_handler(ngx_event_t *ev)
{
    ngx_str_t               reason;
    ngx_msec_t              now;
    ngx_amt_ws_t           *ws;
    ngx_amt_ws_settings_t  *s;

    ws = ev->data;
    now = ngx_current_msec;
    s = &ws->settings;

    ngx_http_set_log_request(ws->connection->log, ws->request);

#define ngx_amt_ws_over(time)  ((ngx_msec_int_t) ((time) - now) <= 0)

    if (ws->result.end) {

        if (ngx_amt_ws_over(ws->deadline)) {
            ws->dead = 1;
        }

    } else if (s->timeout && (ws->out || !ws->started)
               && ngx_amt_ws_over(ws->progress + s->timeout))
    {
        ngx_amt_ws_lost(ws, NGX_AMT_WS_END_TIMEOUT, "client does not read");

    } else if (ws->paused && ws->gone
               && ngx_amt_ws_over(ws->left + NGX_AMT_WS_GRACE))
    {
        ngx_amt_ws_lost(ws, NGX_AMT_WS_END_LOST, "client left");

    } else if (!ws->paused && ws->ping_sent && s->timeout
               && ngx_amt_ws_over(ws->pinged + s->timeout))
    {
        ngx_amt_ws_lost(ws, NGX_AMT_WS_END_TIMEOUT,
                        "client does not answer a ping");

    } else if (s->idle && ngx_amt_ws_over(ws->active + s->idle)) {
        ngx_str_set(&reason, "idle");
        ngx_amt_ws_end(ws, NGX_AMT_WS_END_IDLE, NGX_AMT_WS_GOING_AWAY,
                       &reason);

    } else if (!ws->paused && !ws->ping_sent && s->ping && ws->out == NULL
               && ngx_amt_ws_over(ws->received + s->ping))
    {
        ws->ping_sent = 1;
        ws->pinged = now;
        ngx_amt_ws_control(ws, NGX_AMT_WS_PING, NULL, 0);
    }

#undef ngx_amt_ws_over

    ngx_amt_ws_settle(ws);
}
