
/*
 * Life of a redirection session: takeover of the request, its claim, its end
 * with a reason in close frame, log, events and counters; see
 * ngx_amt_relay.h.
 */


#include "relay/ngx_amt_relay.h"
#include "relay/ngx_amt_relay_worker.h"
#include "events/ngx_amt_event.h"


/* Browsers of the original may send messages of that size. */
#define NGX_AMT_RELAY_MESSAGE  (100 * 1024 * 1024)


static u_char *ngx_amt_relay_log(ngx_log_t *log, u_char *buf, size_t len);
static void ngx_amt_relay_closed(void *data, ngx_amt_ws_result_t *res);
static void ngx_amt_relay_timer(ngx_event_t *ev);
static void ngx_amt_relay_free(ngx_amt_relay_session_t *s,
    ngx_amt_relay_end_e end, const char *reason);
static void ngx_amt_relay_report(ngx_amt_relay_session_t *s,
    ngx_amt_relay_end_e end, const char *reason);
static void ngx_amt_relay_publish(ngx_amt_relay_session_t *s,
    ngx_amt_relay_end_e end, const char *reason);


static const ngx_amt_ws_handlers_t  ngx_amt_relay_handlers = {
    ngx_amt_relay_data,
    ngx_amt_relay_writable,
    ngx_amt_relay_closed,
    NULL                                 /* ends within amt_ws_drain */
};


ngx_int_t
ngx_amt_relay_session(ngx_http_request_t *r, ngx_amt_ws_handshake_t *hs,
    ngx_amt_relay_ctx_t *ctx, ngx_amt_relay_request_t *request,
    ngx_amt_identity_t *id, ngx_cira_info_t *info,
    ngx_amt_relay_claim_t *claim, ngx_int_t claimed, ngx_uint_t recorded)
{
    ngx_int_t                       rc;
    ngx_amt_ws_settings_t           settings;
    ngx_amt_relay_session_t        *s;
    ngx_http_core_loc_conf_t       *clcf;
    ngx_http_amt_relay_main_conf_t *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_amt_relay_module);

    s = ngx_calloc(sizeof(ngx_amt_relay_session_t), r->connection->log);

    if (s == NULL) {
        goto failed;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    /* the connection's log belongs to the request */

    s->log = *clcf->error_log;
    s->log.connection = r->connection->number;
    s->log.handler = ngx_amt_relay_log;
    s->log.data = s;
    s->log.action = NULL;

    s->mcf = mcf;
    s->rlcf = ngx_http_get_module_loc_conf(r, ngx_http_amt_relay_module);
    s->ctx = ctx;
    s->request = *request;
    s->id = *id;

    if (ngx_amt_auth_watch(r, &s->id, NGX_AMT_SCOPE_REDIRECTION, &s->watch)
        != NGX_OK)
    {
        goto failed;
    }

    s->info = *info;
    s->claim = *claim;
    s->waiting = (claimed == NGX_AGAIN);
    s->recorded = recorded ? 1 : 0;
    s->started = ngx_current_msec;

    ngx_amt_relay_link_init(&s->link, &s->log);

    s->timer.handler = ngx_amt_relay_timer;
    s->timer.data = s;
    s->timer.log = &s->log;

    ngx_amt_ws_settings(r, &settings);

    settings.max_frame = NGX_AMT_RELAY_MESSAGE;
    settings.max_message = NGX_AMT_RELAY_MESSAGE;
    settings.max_queue = 0;
    settings.whole = 0;

    r->main->count++;

    rc = ngx_amt_ws_accept(r, hs, hs->n_protocols ? &hs->protocol : NULL,
                           &settings, &ngx_amt_relay_handlers, s, &s->ws);

    if (rc != NGX_OK) {
        r->main->count--;

        ngx_amt_relay_zone_release(mcf->zone, &s->claim);
        ngx_free(s);

        return rc;
    }

    ctx->refused = NULL;
    ctx->kind = request->kind;

    ngx_amt_relay_worker_add(s);

    (void) ngx_atomic_fetch_add(
               &ngx_amt_relay_zone_counters(mcf->zone)->started[ctx->kind],
               1);

    ngx_amt_event(NGX_AMT_EVENT_SUCCESS, "handleConnection",
                  "Redirection session started", &s->request.host,
                  &s->id.tenant);

    /* what the browser sends early waits in its socket */

    ngx_amt_ws_pause(s->ws);

    ngx_add_timer(&s->timer, s->rlcf->timeout);

    if (ngx_amt_relay_start(s) != NGX_OK) {
        ngx_amt_relay_end(s, NGX_AMT_RELAY_INTERNAL, NGX_AMT_WS_INTERNAL,
                          "no memory");
    }

    return NGX_DONE;

failed:

    ngx_amt_relay_zone_release(mcf->zone, claim);

    if (s) {
        ngx_free(s);
    }

    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}


static u_char *
ngx_amt_relay_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                   *p, guid[NGX_CIRA_GUID_TEXT];
    ngx_amt_relay_session_t  *s;

    s = log->data;

    (void) ngx_cira_guid_text(guid, s->info.guid);

    p = ngx_snprintf(buf, len, ", relay: %s of %*s, caller: \"%V\"",
                     ngx_amt_relay_kind_name(s->ctx->kind),
                     (size_t) NGX_CIRA_GUID_TEXT, guid, &s->id.name);

    return p;
}


ngx_int_t
ngx_amt_relay_kind(ngx_amt_relay_session_t *s, ngx_amt_redir_kind_e kind)
{
    ngx_int_t  rc;

    if (s->ctx->kind == kind) {
        return NGX_OK;
    }

    if (s->ctx->kind != NGX_AMT_REDIR_NONE) {
        ngx_amt_relay_end(s, NGX_AMT_RELAY_BROWSER_PROTOCOL,
                          NGX_AMT_WS_PROTOCOL,
                          "browser started another session than \"mode\"");
        return NGX_DECLINED;
    }

    rc = ngx_amt_relay_zone_claim(s->mcf->zone, s->info.guid, kind, 0,
                                  &s->claim);

    if (rc == NGX_OK) {
        s->ctx->kind = kind;
        return NGX_OK;
    }

    ngx_amt_relay_end(s, NGX_AMT_RELAY_BUSY, NGX_AMT_WS_TRY_LATER,
                      rc == NGX_BUSY ? "another session is open"
                                     : "too many sessions");

    return NGX_DECLINED;
}


ngx_int_t
ngx_amt_relay_logged_in(ngx_amt_relay_session_t *s)
{
    if (s->recorded && s->redir && s->redir->kind == NGX_AMT_REDIR_NONE
        && s->ctx->kind != NGX_AMT_REDIR_SOL)
    {
        /* SOL may follow that nobody would see */

        ngx_amt_relay_end(s, NGX_AMT_RELAY_BROWSER_PROTOCOL,
                          NGX_AMT_WS_POLICY,
                          "session of unknown kind cannot be recorded");
        return NGX_DECLINED;
    }

    if (s->redir) {
        ngx_amt_redir_wipe(s->redir);
        ngx_free(s->redir);
        s->redir = NULL;
    }

    if (s->timer.timer_set) {
        ngx_del_timer(&s->timer);
    }

    if (!s->recorded || s->ctx->kind != NGX_AMT_REDIR_SOL) {
        return NGX_OK;
    }

    s->record = ngx_amt_relay_record_open(&s->rlcf->record->name,
                                          s->info.guid, s->claim.id,
                                          s->rlcf->record_max, &s->log);
    if (s->record) {
        return NGX_OK;
    }

    ngx_amt_relay_end(s, NGX_AMT_RELAY_RECORDING, NGX_AMT_WS_INTERNAL,
                      "session cannot be recorded");

    return NGX_DECLINED;
}


/* ---- ends ---- */

static void
ngx_amt_relay_timer(ngx_event_t *ev)
{
    ngx_amt_relay_session_t  *s;

    s = ev->data;

    ngx_amt_relay_end(s, NGX_AMT_RELAY_TIMEOUT, NGX_AMT_RELAY_CODE_TIMEOUT,
                      "no login in time");
}


static void
ngx_amt_relay_closed(void *data, ngx_amt_ws_result_t *res)
{
    ngx_amt_relay_session_t  *s = data;

    const char           *reason;
    ngx_amt_relay_end_e   end;

    switch (res->end) {

    case NGX_AMT_WS_END_CLIENT:
        end = NGX_AMT_RELAY_BROWSER_CLOSED;
        reason = "browser closed the session";
        break;

    case NGX_AMT_WS_END_PROTOCOL:
        end = NGX_AMT_RELAY_BROWSER_PROTOCOL;
        reason = "browser broke the protocol";
        break;

    case NGX_AMT_WS_END_LOST:
        end = NGX_AMT_RELAY_BROWSER_LOST;
        reason = "connection to the browser is lost";
        break;

    case NGX_AMT_WS_END_TIMEOUT:
        end = NGX_AMT_RELAY_BROWSER_LOST;
        reason = "browser does not answer";
        break;

    case NGX_AMT_WS_END_IDLE:
        end = NGX_AMT_RELAY_IDLE;
        reason = "session was idle for too long";
        break;

    case NGX_AMT_WS_END_WORKER:
        end = NGX_AMT_RELAY_DRAINED;
        reason = "worker is exiting";
        break;

    default:
        end = NGX_AMT_RELAY_INTERNAL;
        reason = "internal error";
    }

    ngx_amt_relay_free(s, end, reason);
}


void
ngx_amt_relay_end(ngx_amt_relay_session_t *s, ngx_amt_relay_end_e end,
    ngx_uint_t code, const char *reason)
{
    ngx_str_t      text;
    ngx_amt_ws_t  *ws;

    if (ngx_amt_relay_filled_send(s) != NGX_OK) {
        return;
    }

    ws = s->ws;

    text.data = (u_char *) reason;
    text.len = ngx_strlen(reason);

    ngx_amt_relay_free(s, end, reason);

    ngx_amt_ws_close(ws, code, &text);
}


void
ngx_amt_relay_taken_over(ngx_amt_relay_session_t *s)
{
    ngx_amt_relay_end(s, NGX_AMT_RELAY_TAKEN_OVER,
                      NGX_AMT_RELAY_CODE_TAKEN_OVER,
                      "session was taken over");
}


void
ngx_amt_relay_unrecorded(ngx_amt_relay_session_t *s)
{
    ngx_amt_relay_end(s, NGX_AMT_RELAY_RECORDING, NGX_AMT_WS_INTERNAL,
                      "session cannot be recorded any longer");
}


void
ngx_amt_relay_restart(ngx_amt_relay_session_t *s)
{
    ngx_amt_relay_end(s, NGX_AMT_RELAY_DRAINED, NGX_AMT_RELAY_CODE_RESTART,
                      "worker is exiting");
}


static void
ngx_amt_relay_free(ngx_amt_relay_session_t *s, ngx_amt_relay_end_e end,
    const char *reason)
{
    ngx_amt_flow_t  *f;

    s->ended = 1;

    ngx_amt_relay_filled_drop(s);

    if (s->flow) {
        f = s->flow;
        s->flow = NULL;

        ngx_amt_flow_cancel(f);
    }

    if (s->timer.timer_set) {
        ngx_del_timer(&s->timer);
    }

    /* the device hears of the end before somebody else may begin */

    ngx_amt_relay_link_close(&s->link);
    ngx_amt_relay_zone_release(s->mcf->zone, &s->claim);

    ngx_amt_relay_record_close(s->record);

    ngx_amt_relay_report(s, end, reason);

    if (s->redir) {
        ngx_amt_redir_wipe(s->redir);
        ngx_free(s->redir);
    }

    ngx_amt_relay_up_free(s);

    ngx_amt_relay_worker_remove(s);

    ngx_free(s);
}


static void
ngx_amt_relay_report(ngx_amt_relay_session_t *s, ngx_amt_relay_end_e end,
    const char *reason)
{
    ngx_uint_t                 level;
    ngx_amt_relay_counters_t  *counters;

    s->ctx->end = end;

    counters = ngx_amt_relay_zone_counters(s->mcf->zone);

    (void) ngx_atomic_fetch_add(&counters->ended[end], 1);
    (void) ngx_atomic_fetch_add(&counters->up, (ngx_atomic_int_t) s->ctx->up);
    (void) ngx_atomic_fetch_add(&counters->down,
                                (ngx_atomic_int_t) s->ctx->down);

    switch (end) {

    case NGX_AMT_RELAY_PASSWORD:
    case NGX_AMT_RELAY_DEVICE_PROTOCOL:
    case NGX_AMT_RELAY_DEVICE_TLS:
    case NGX_AMT_RELAY_RECORDING:
    case NGX_AMT_RELAY_VAULT:
    case NGX_AMT_RELAY_INTERNAL:
        level = NGX_LOG_ERR;
        break;

    default:
        level = NGX_LOG_INFO;
    }

    ngx_log_error(level, &s->log, 0,
                  "redirection session ended: %s, %O bytes up, %O down, %M ms",
                  reason, s->ctx->up, s->ctx->down,
                  ngx_current_msec - s->started);

    ngx_amt_relay_publish(s, end, reason);
}


/* The contract's events, then one that says why. */

static void
ngx_amt_relay_publish(ngx_amt_relay_session_t *s, ngx_amt_relay_end_e end,
    const char *reason)
{
    u_char            text[NGX_AMT_EVENT_MESSAGE_LEN];
    ngx_str_t        *guid, *tenant;
    ngx_amt_event_t   event;

    if (!ngx_amt_event_wanted()) {
        return;
    }

    guid = &s->request.host;
    tenant = &s->id.tenant;

    ngx_amt_event(NGX_AMT_EVENT_SUCCESS, "handleClose",
                  "Redirection session ended", guid, tenant);

    if (s->ctx->kind == NGX_AMT_REDIR_KVM) {

        if (end == NGX_AMT_RELAY_DEVICE_CLOSED) {
            ngx_amt_event(NGX_AMT_EVENT_SUCCESS, "logKvmCloseSource",
                          "KVM session closed by device (state: 0)", guid,
                          tenant);

        } else if (end == NGX_AMT_RELAY_BROWSER_CLOSED) {
            ngx_amt_event(NGX_AMT_EVENT_SUCCESS, "logKvmCloseSource",
                          "KVM session closed by web (state: 1)", guid,
                          tenant);
        }
    }

    ngx_memzero(&event, sizeof(ngx_amt_event_t));

    event.type = (end == NGX_AMT_RELAY_BROWSER_CLOSED
                  || end == NGX_AMT_RELAY_DEVICE_CLOSED)
                 ? NGX_AMT_EVENT_SUCCESS : NGX_AMT_EVENT_FAIL;

    ngx_str_set(&event.method, "Redirection_Ended");
    event.guid = *guid;
    event.tenant = *tenant;
    event.message.data = text;
    event.message.len = ngx_snprintf(text, sizeof(text), "%s session of %V: "
                                     "%s",
                                     ngx_amt_relay_kind_name(s->ctx->kind),
                                     &s->id.name, reason)
                        - text;

    ngx_amt_event_publish(&event);
}


/*
 * The worker exits, without an event loop any more: what the close frame's
 * one write does not get to the browser is lost.
 */

void
ngx_amt_relay_exit(ngx_amt_relay_session_t *s)
{
    ngx_str_t      text;
    ngx_amt_ws_t  *ws;

    ngx_str_set(&text, "worker is exiting");

    ws = s->ws;

    ngx_amt_relay_free(s, NGX_AMT_RELAY_DRAINED, (char *) text.data);

    ngx_amt_ws_close(ws, NGX_AMT_RELAY_CODE_RESTART, &text);
}
