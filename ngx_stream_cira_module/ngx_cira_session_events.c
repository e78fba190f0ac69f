
/*
 * What a session does when its state machine says so: the login, forwards,
 * alerts, signs of life.  Contract apf.md sections 6, 7, 12 and 13.
 */


#include "ngx_cira_session_priv.h"


static void ngx_cira_session_verify(void *data, ngx_cira_apf_text_t *text);
static void ngx_cira_session_answer(void *data, ngx_int_t rc,
    ngx_cira_auth_result_t *result);
static void ngx_cira_session_login(ngx_cira_session_t *s);
static void ngx_cira_session_opened(void *data);
static void ngx_cira_session_forwarded(void *data);
static void ngx_cira_session_channel(void *data, ngx_cira_apf_msg_t *msg);
static void ngx_cira_session_alert(void *data, ngx_cira_apf_msg_t *msg);
static void ngx_cira_session_alive(void *data);
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


ngx_cira_fsm_ops_t  ngx_cira_session_ops = {
    ngx_cira_session_send,
    ngx_cira_session_verify,
    ngx_cira_session_opened,
    ngx_cira_session_forwarded,
    ngx_cira_session_channel,
    ngx_cira_session_alert,
    ngx_cira_session_alive,
    ngx_cira_session_closing
};


void
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


void
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
