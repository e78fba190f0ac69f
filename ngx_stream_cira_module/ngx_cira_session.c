
/*
 * Life of a CIRA session: input, login, keepalive, timers, the end.
 * Contract apf.md sections 6, 7, 11, 12 and 13.
 */


#include "ngx_cira_session.h"


static void ngx_cira_session_send(void *data, u_char *p, size_t size,
    ngx_uint_t droppable);
static void ngx_cira_session_verify(void *data, ngx_cira_apf_text_t *text);
static void ngx_cira_session_opened(void *data);
static void ngx_cira_session_forwarded(void *data);
static void ngx_cira_session_channel(void *data, ngx_cira_apf_msg_t *msg);
static void ngx_cira_session_alert(void *data, ngx_cira_apf_msg_t *msg);
static void ngx_cira_session_alive(void *data);
static void ngx_cira_session_closing(void *data, ngx_uint_t reason,
    char *text);

static void ngx_cira_session_input(ngx_cira_session_t *s, u_char *p,
    size_t size);
static void ngx_cira_session_resume(ngx_cira_session_t *s);
static size_t ngx_cira_session_limit(ngx_cira_session_t *s);
static void ngx_cira_session_ask(ngx_cira_session_t *s);
static void ngx_cira_session_answer(void *data, ngx_int_t rc,
    ngx_cira_auth_result_t *result);
static void ngx_cira_session_login(ngx_cira_session_t *s);
static void ngx_cira_session_idle(ngx_cira_session_t *s);
static void ngx_cira_session_arm(ngx_cira_session_t *s);
static ngx_msec_t ngx_cira_session_silence(ngx_cira_session_t *s);
static void ngx_cira_session_leave(ngx_cira_session_t *s);
static void ngx_cira_session_cleanup(void *data);
static void ngx_cira_session_end(ngx_cira_session_t *s);

static int64_t ngx_cira_session_now(void);
static void ngx_cira_session_limit_leave(ngx_connection_t *c,
    ngx_log_t *log);


ngx_cira_owners_t  ngx_cira_owners = {
    ngx_cira_auth_start,
    ngx_cira_auth_cancel,
    ngx_cira_zone_login,
    ngx_cira_zone_logout,
    ngx_cira_zone_seen,
    ngx_cira_session_limit_leave,
    ngx_cira_limit_failure,
    ngx_cira_notify
};


static ngx_cira_fsm_ops_t  ngx_cira_session_ops = {
    ngx_cira_session_send,
    ngx_cira_session_verify,
    ngx_cira_session_opened,
    ngx_cira_session_forwarded,
    ngx_cira_session_channel,
    ngx_cira_session_alert,
    ngx_cira_session_alive,
    ngx_cira_session_closing
};


/* input of whichever session is read now; nothing stays in it */

static u_char      ngx_cira_session_buffer[NGX_CIRA_INPUT_SIZE];

static ngx_uint_t  ngx_cira_sessions_waiting;


ngx_cira_session_t *
ngx_cira_session_create(ngx_connection_t *c, ngx_cira_conf_t *conf)
{
    ngx_cira_session_t  *s;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(c->pool, 0);
    if (cln == NULL) {
        return NULL;
    }

    s = ngx_pcalloc(c->pool, sizeof(ngx_cira_session_t));
    if (s == NULL) {
        return NULL;
    }

    s->connection = c;
    s->conf = conf;
    s->max_channels = conf->channels;
    s->id.addr = c->addr_text;
    s->id.tenant.data = s->tenant;

    ngx_queue_init(&s->channels);
    ngx_queue_init(&s->dials);

    ngx_cira_fsm_init(&s->fsm, &ngx_cira_session_ops, s,
                      conf->login_messages, c->log);

    s->received = ngx_current_msec;
    ngx_cira_session_set_timer(s, NGX_CIRA_TIMER_LOGIN, conf->login_timeout);

    cln->handler = ngx_cira_session_cleanup;
    cln->data = s;

    s->pending = 1;
    ngx_cira_sessions_waiting++;

    return s;
}


void
ngx_cira_session_start(ngx_cira_session_t *s,
    void (*finalize)(ngx_cira_session_t *s), void *data)
{
    s->finalize = finalize;
    s->data = data;

    s->connection->log->action = "waiting for a device";

    ngx_cira_session_arm(s);
    ngx_post_event(s->connection->read, &ngx_posted_events);
}


void
ngx_cira_session_read(ngx_cira_session_t *s)
{
    size_t             size;
    ssize_t            n;
    ngx_uint_t         steps, before;
    ngx_event_t       *rev;
    ngx_connection_t  *c;

    c = s->connection;
    rev = c->read;

    ngx_cira_session_resume(s);

    for (steps = 0; !s->closing; steps++) {

        if (s->fsm.state == NGX_CIRA_VERIFY) {

            if (rev->pending_eof) {
                ngx_cira_session_broken(s, "device closed the connection");
            }

            break;
        }

        if (steps == NGX_CIRA_INPUT_STEPS) {

            /* others first */

            if (rev->ready) {
                ngx_post_event(rev, &ngx_posted_next_events);
            }

            break;
        }

        size = ngx_cira_session_limit(s);

        if (size == 0) {
            ngx_cira_fsm_close(&s->fsm, NGX_CIRA_DISCONNECT_POLICY,
                               "too many bytes before login");
            break;
        }

        n = c->recv(c, ngx_cira_session_buffer, size);

        if (n == NGX_AGAIN) {

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_cira_session_broken(s, "internal error");
            }

            break;
        }

        if (n == 0 || n == NGX_ERROR) {
            ngx_cira_session_broken(s, n ? "connection to the device failed"
                                         : "device closed the connection");
            break;
        }

        s->received = ngx_current_msec;
        s->probed = 0;

        if (s->octets) {
            *s->octets += n;
        }

        before = (s->fsm.state < NGX_CIRA_PFWD);

        ngx_cira_session_input(s, ngx_cira_session_buffer, n);

        if (before) {
            /* there may have been a password in it */
            ngx_explicit_memzero(ngx_cira_session_buffer, n);
        }

        if (!rev->ready && !s->closing && s->fsm.state != NGX_CIRA_VERIFY) {

            /* TLS has read until there was no more: it need not be asked */

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_cira_session_broken(s, "internal error");
            }

            break;
        }
    }

    ngx_cira_session_run(s);
}


/* how much may be read now; before login it is little in all */

static size_t
ngx_cira_session_limit(ngx_cira_session_t *s)
{
    if (s->fsm.state >= NGX_CIRA_PFWD) {
        return NGX_CIRA_INPUT_SIZE;
    }

    return ngx_min(s->conf->login_buffer - s->login_bytes,
                   NGX_CIRA_INPUT_SIZE);
}


static void
ngx_cira_session_input(ngx_cira_session_t *s, u_char *p, size_t size)
{
    size_t  n;

    if (s->fsm.state < NGX_CIRA_PFWD) {
        s->login_bytes += size;
    }

    n = ngx_cira_fsm_read(&s->fsm, p, size);

    if (n < size) {

        /* VERIFY: what follows the login must not overtake the decision */

        s->held = ngx_alloc(size - n, s->connection->log);

        if (s->held == NULL) {
            ngx_cira_fsm_close(&s->fsm, NGX_CIRA_DISCONNECT_UNAVAILABLE,
                               "no memory");
            return;
        }

        ngx_memcpy(s->held, p + n, size - n);
        s->held_size = size - n;
    }

    ngx_cira_fsm_release(&s->fsm);
}


static void
ngx_cira_session_resume(ngx_cira_session_t *s)
{
    size_t   size;
    u_char  *held;

    if (s->held == NULL || s->fsm.state == NGX_CIRA_VERIFY) {
        return;
    }

    held = s->held;
    size = s->held_size;

    s->held = NULL;
    s->held_size = 0;

    ngx_cira_session_input(s, held, size);

    ngx_free(held);
}


void
ngx_cira_session_run(ngx_cira_session_t *s)
{
    ngx_uint_t         i, wrote;
    ngx_connection_t  *c;

    c = s->connection;

    if (s->finalized) {
        return;
    }

    /* output makes room, room lets dialers write: a few rounds at once */

    for (i = 0; !s->closing; i++) {

        if (i == 4) {
            ngx_cira_session_post(s);
            break;
        }

        if (c->write->posted) {
            ngx_delete_posted_event(c->write);
        }

        ngx_cira_channels_run(s);

        wrote = (s->out != NULL);

        if (ngx_cira_output_flush(s) == NGX_AGAIN) {
            break;
        }

        if (!wrote && !c->write->posted) {
            break;
        }
    }

    if (s->closing) {
        ngx_cira_session_end(s);
        return;
    }

    ngx_cira_session_arm(s);
}


void
ngx_cira_session_post(ngx_cira_session_t *s)
{
    if (s->finalize && !s->finalized) {
        ngx_post_event(s->connection->write, &ngx_posted_events);
    }
}


/* ---- the state machine's owner ---- */

static void
ngx_cira_session_send(void *data, u_char *p, size_t size,
    ngx_uint_t droppable)
{
    ngx_cira_session_t *s = data;

    if (ngx_cira_output_add(s, p, size) == NGX_AGAIN && !droppable) {
        ngx_cira_session_broken(s, "device does not read its answers");
    }
}


static void
ngx_cira_session_verify(void *data, ngx_cira_apf_text_t *text)
{
    ngx_cira_session_t *s = data;

    s->connection->log->action = "asking the auth service";

    ngx_memcpy(s->id.guid, s->fsm.guid, NGX_CIRA_GUID_LEN);

    ngx_cira_session_ask(s);
}


static void
ngx_cira_session_ask(ngx_cira_session_t *s)
{
    u_char                    md[EVP_MAX_MD_SIZE];
    u_char                    hex[2 * EVP_MAX_MD_SIZE];
    X509                     *cert;
    unsigned int              len;
    ngx_ssl_conn_t           *ssl;
    ngx_cira_apf_text_t      *text;
    ngx_cira_auth_request_t   req;

    text = s->fsm.apf.msg.text;

    ngx_memzero(&req, sizeof(ngx_cira_auth_request_t));

    ngx_memcpy(req.guid, s->id.guid, NGX_CIRA_GUID_LEN);
    req.user = text->user;
    req.password = text->password;
    req.addr = s->id.addr;

    ssl = s->connection->ssl ? s->connection->ssl->connection : NULL;

    if (ssl) {
        req.protocol.data = (u_char *) SSL_get_version(ssl);
        req.protocol.len = ngx_strlen(req.protocol.data);
        req.cipher.data = (u_char *) SSL_get_cipher_name(ssl);
        req.cipher.len = ngx_strlen(req.cipher.data);

        cert = SSL_get_peer_certificate(ssl);

        if (cert) {
            if (X509_digest(cert, EVP_sha256(), md, &len)) {
                req.fingerprint.data = hex;
                req.fingerprint.len = ngx_hex_dump(hex, md, len) - hex;
                req.verified = (SSL_get_verify_result(ssl) == X509_V_OK);
            }

            X509_free(cert);
        }
    }

    s->auth = ngx_cira_owners.auth_start(&req, ngx_cira_session_answer, s,
                                         s->connection->log);

    if (s->auth == NULL) {
        s->down = 1;
        ngx_cira_session_set_timer(s, NGX_CIRA_TIMER_RETRY,
                                   s->conf->auth_retry);
    }
}


static void
ngx_cira_session_answer(void *data, ngx_int_t rc,
    ngx_cira_auth_result_t *result)
{
    ngx_cira_session_t *s = data;

    s->auth = NULL;

    if (rc == NGX_OK && result->tenant.len > NGX_CIRA_TENANT_LEN) {
        ngx_log_error(NGX_LOG_ERR, s->connection->log, 0,
                      "auth service sent a tenant longer than %d bytes",
                      NGX_CIRA_TENANT_LEN);
        rc = NGX_ERROR;
    }

    switch (rc) {

    case NGX_OK:
        s->down = 0;
        s->id.tenant.len = result->tenant.len;

        if (result->tenant.len) {
            ngx_memcpy(s->tenant, result->tenant.data, result->tenant.len);
        }

        if (result->channels) {
            s->max_channels = ngx_min(result->channels, 64);
        }

        ngx_cira_session_login(s);
        break;

    case NGX_DECLINED:
        s->down = 0;
        ngx_log_error(NGX_LOG_INFO, s->connection->log, 0,
                      "device login refused by the auth service");
        ngx_cira_fsm_refuse(&s->fsm);
        break;

    default:

        if (!s->down) {
            ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                          "auth service is down, device login is held");
        }

        s->down = 1;
        ngx_cira_session_set_timer(s, NGX_CIRA_TIMER_RETRY,
                                   s->conf->auth_retry);
        break;
    }

    /* there may be input to go on with */

    if (s->fsm.state == NGX_CIRA_PFWD) {
        ngx_post_event(s->connection->read, &ngx_posted_events);
    }

    ngx_cira_session_run(s);
}


static void
ngx_cira_session_login(ngx_cira_session_t *s)
{
    ngx_int_t            rc;
    ngx_str_t            text;
    ngx_connection_t    *c;
    ngx_cira_session_t  *old;

    c = s->connection;

    s->id.connected = ngx_cira_session_now();
    s->id.last_seen = s->id.connected;

    rc = ngx_cira_owners.login(&s->id, c->log);

    if (rc != NGX_OK) {

        if (rc == NGX_DECLINED) {
            ngx_cira_fsm_close(&s->fsm, NGX_CIRA_DISCONNECT_POLICY,
                               "GUID is quarantined");

        } else {
            ngx_cira_fsm_close(&s->fsm, NGX_CIRA_DISCONNECT_TOO_MANY,
                               "registry is full");
        }

        return;
    }

    /* the registry has ended an older session; without one it is done here */

    old = ngx_cira_session_find(s->id.guid);

    if (old) {
        ngx_cira_session_close(old, NGX_CIRA_DISCONNECT_APPLICATION,
                               "replaced by a newer connection");
    }

    ngx_cira_index_insert(s);

    s->logged_in = 1;
    s->was_in = 1;

    ngx_cira_session_leave(s);

    ngx_cira_session_del_timer(s, NGX_CIRA_TIMER_LOGIN);
    ngx_cira_session_del_timer(s, NGX_CIRA_TIMER_RETRY);
    ngx_cira_session_set_timer(s, NGX_CIRA_TIMER_FORWARD,
                               NGX_CIRA_FORWARD_TIMEOUT);

    s->ready_at = ngx_current_msec + NGX_CIRA_READY_DELAY;
    s->seen_at = ngx_current_msec;

    if (c->ssl) {
        SSL_clear_options(c->ssl->connection, SSL_OP_CLEANSE_PLAINTEXT);
    }

    c->log->action = "serving a device";

    ngx_log_error(NGX_LOG_INFO, c->log, 0, "device logged in");

    ngx_str_set(&text, "");
    ngx_cira_owners.notify(NGX_CIRA_EVENT_CONNECTED, &s->id, &text);

    ngx_cira_fsm_accept(&s->fsm);
}


static void
ngx_cira_session_opened(void *data)
{
    ngx_cira_session_t *s = data;

    if (s->conf->keepalive_interval) {
        ngx_cira_session_set_timer(s, NGX_CIRA_TIMER_OPTIONS,
                                   NGX_CIRA_OPTIONS_DELAY);
    }
}


static void
ngx_cira_session_forwarded(void *data)
{
    ngx_cira_session_t *s = data;

    if (s->fsm.nports) {
        ngx_cira_session_del_timer(s, NGX_CIRA_TIMER_FORWARD);
    }

    if (s->conf->keepalive_interval && !s->asked) {
        ngx_cira_session_set_timer(s, NGX_CIRA_TIMER_OPTIONS,
                                   NGX_CIRA_OPTIONS_AGAIN);
    }

    if ((ngx_msec_int_t) (s->ready_at - ngx_current_msec) > 0) {
        ngx_cira_session_set_timer(s, NGX_CIRA_TIMER_READY,
                                   s->ready_at - ngx_current_msec);
    }

    ngx_cira_session_post(s);
}


ngx_uint_t
ngx_cira_session_ready(ngx_cira_session_t *s)
{
    return s->fsm.state == NGX_CIRA_READY
           && (ngx_msec_int_t) (s->ready_at - ngx_current_msec) <= 0
           && (ngx_cira_fsm_port(&s->fsm, 16992)
               || ngx_cira_fsm_port(&s->fsm, 16993));
}


static void
ngx_cira_session_channel(void *data, ngx_cira_apf_msg_t *msg)
{
    ngx_cira_channel_message(data, msg);
}


/* text is made of what the device says and nobody has to believe it */

static void
ngx_cira_session_alert(void *data, ngx_cira_apf_msg_t *msg)
{
    ngx_cira_session_t *s = data;

    u_char                buf[768];
    ngx_str_t             alert;
    ngx_cira_apf_text_t  *text;

    if (s->closing) {
        return;
    }

    if (ngx_current_msec - s->alerts_from > 60000) {
        s->alerts_from = ngx_current_msec;
        s->alerts = 0;
    }

    if (s->alerts++ >= NGX_CIRA_ALERTS) {
        if (s->alerts == NGX_CIRA_ALERTS + 1) {
            ngx_log_error(NGX_LOG_WARN, s->connection->log, 0,
                          "device sends too many alerts, some are dropped");
        }

        return;
    }

    text = msg->text;
    alert.data = buf;

    if (msg->type == NGX_CIRA_APF_CHANNEL_OPEN) {
        alert.len = ngx_snprintf(buf, sizeof(buf),
                                 "channel %V to %V:%uD from %V:%uD",
                                 &text->name, &text->addr, msg->port,
                                 &text->origin, msg->origin_port)
                    - buf;

    } else {
        alert.len = ngx_snprintf(buf, sizeof(buf),
                                 "datagram of %uD bytes to %V:%uD "
                                 "from %V:%uD",
                                 msg->length, &text->addr, msg->port,
                                 &text->origin, msg->origin_port)
                    - buf;
    }

    ngx_cira_owners.notify(NGX_CIRA_EVENT_ALERT, &s->id, &alert);
}


static void
ngx_cira_session_alive(void *data)
{
    ngx_cira_session_t *s = data;

    ngx_str_t  text;

    if (!s->logged_in) {
        return;
    }

    s->id.last_seen = ngx_cira_session_now();
    ngx_cira_owners.seen(&s->id);

    if (ngx_current_msec - s->seen_at >= NGX_CIRA_SEEN) {
        s->seen_at = ngx_current_msec;

        ngx_str_set(&text, "");
        ngx_cira_owners.notify(NGX_CIRA_EVENT_SEEN, &s->id, &text);
    }
}


/* ---- timers ---- */

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

static void
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


/* ---- the end ---- */

void
ngx_cira_session_close(ngx_cira_session_t *s, ngx_uint_t reason, char *text)
{
    ngx_cira_fsm_close(&s->fsm, reason, text);
}


void
ngx_cira_session_broken(ngx_cira_session_t *s, char *text)
{
    s->broken = 1;

    ngx_cira_fsm_close(&s->fsm, 0, text);
    ngx_cira_session_post(s);
}


/* from here on the session is not to be found; it is torn down by run() */

static void
ngx_cira_session_closing(void *data, ngx_uint_t reason, char *text)
{
    ngx_cira_session_t *s = data;

    ngx_str_t          t;
    ngx_connection_t  *c;

    c = s->connection;

    s->closing = 1;
    s->reason = reason;
    s->text = text;

    if (s->auth) {
        ngx_cira_owners.auth_cancel(s->auth);
        s->auth = NULL;
    }

    s->armed = 0;
    ngx_cira_session_set_timer(s, NGX_CIRA_TIMER_CLOSE,
                               NGX_CIRA_FLUSH_TIMEOUT);

    if (reason) {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "device disconnected with reason %ui: %s",
                      reason, text);

    } else {
        ngx_log_error(NGX_LOG_INFO, c->log, 0,
                      "device disconnected: %s", text);
    }

    if (s->logged_in) {
        s->logged_in = 0;

        t.data = (u_char *) text;
        t.len = ngx_strlen(text);

        ngx_cira_index_delete(s);

        /* told before it is removed: who dies between leaves it to others */

        ngx_cira_owners.notify(NGX_CIRA_EVENT_DISCONNECTED, &s->id, &t);
        ngx_cira_owners.logout(&s->id, c->log);

    } else if (s->fsm.credentials) {
        ngx_cira_owners.failure(c, c->log);
    }

    ngx_cira_session_leave(s);
    ngx_cira_session_post(s);
}


static void
ngx_cira_session_end(ngx_cira_session_t *s)
{
    ssize_t            n;
    ngx_int_t          rc;
    ngx_uint_t         i;
    ngx_connection_t  *c;

    c = s->connection;

    ngx_cira_channels_end(s);
    ngx_cira_fsm_release(&s->fsm);

    if (s->held) {
        ngx_free(s->held);
        s->held = NULL;
    }

    rc = s->broken ? NGX_ERROR : ngx_cira_output_flush(s);

    if (rc == NGX_AGAIN && !c->close) {
        ngx_cira_session_arm(s);
        return;
    }

    if (rc == NGX_OK && c->read->ready) {

        /* unread bytes would make the kernel reset what was just sent */

        for (i = 0; i < NGX_CIRA_INPUT_STEPS; i++) {
            n = c->recv(c, ngx_cira_session_buffer, NGX_CIRA_INPUT_SIZE);

            if (n <= 0) {
                break;
            }
        }
    }

    if (rc != NGX_OK) {
        c->error = 1;
    }

    s->finalized = 1;

    ngx_cira_output_free(s);

    if (c->write->posted) {
        ngx_delete_posted_event(c->write);
    }

    if (c->read->posted) {
        ngx_delete_posted_event(c->read);
    }

    if (c->read->timer_set) {
        ngx_del_timer(c->read);
    }

    s->finalize(s);
}


/* no longer one of those who are not logged in */

static void
ngx_cira_session_leave(ngx_cira_session_t *s)
{
    if (s->pending) {
        s->pending = 0;
        ngx_cira_sessions_waiting--;
    }

    if (s->limited) {
        s->limited = 0;
        ngx_cira_owners.leave(s->connection, s->connection->log);
    }
}


/* the connection's pool goes: also when TLS failed or the worker exits */

static void
ngx_cira_session_cleanup(void *data)
{
    ngx_cira_session_t *s = data;

    if (!s->finalized) {
        s->finalized = 1;

        if (s->auth) {
            ngx_cira_owners.auth_cancel(s->auth);
        }

        if (s->logged_in) {
            ngx_cira_index_delete(s);
            ngx_cira_owners.logout(&s->id, s->connection->log);
        }

        ngx_cira_channels_free(s);
        ngx_cira_output_free(s);

        if (s->held) {
            ngx_free(s->held);
        }
    }

    s->fsm.state = NGX_CIRA_CLOSING;
    ngx_cira_fsm_release(&s->fsm);

    ngx_cira_session_leave(s);

    if (s->state.data) {
        ngx_explicit_memzero(s->state.data, s->state.len);
        ngx_free(s->state.data);
    }
}


ngx_uint_t
ngx_cira_sessions_pending(void)
{
    return ngx_cira_sessions_waiting;
}


static int64_t
ngx_cira_session_now(void)
{
    ngx_time_t  *tp;

    tp = ngx_timeofday();

    return (int64_t) tp->sec * 1000 + tp->msec;
}


static void
ngx_cira_session_limit_leave(ngx_connection_t *c, ngx_log_t *log)
{
    ngx_cira_limit_leave(c);
}
