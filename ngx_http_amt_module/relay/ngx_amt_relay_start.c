
/*
 * What has to be done before bytes flow: the password, the session another
 * one has, the channel, TLS inside it.  Contract mps.md section 4.5.
 *
 * The device's certificate is pinned in the device's secret in Vault, next to
 * the password it protects: it has to be read anyway, only the gateway may
 * change it, and it goes when the device is deleted or provisioned anew.  The
 * row of the store would be wrong, its columns are written by clients.
 */


#include "relay/ngx_amt_relay_others.h"
#include "device/ngx_amt_device.h"
#include "vault/ngx_amt_vault.h"
#include <openssl/rand.h>


#define NGX_AMT_RELAY_WAIT   50          /* ms between looks */
#define NGX_AMT_RELAY_WAITS  100         /* 5 s for who has the session */
#define NGX_AMT_RELAY_DIALS  2
#define NGX_AMT_RELAY_PINS   3           /* tries to write it */

#define NGX_AMT_RELAY_PIN_NAME  "AMT_TLS_PIN"


typedef struct {
    ngx_amt_frame_t           frame;
    ngx_amt_relay_session_t  *session;
    ngx_str_t                 path;
    ngx_amt_secret_t          secret;
    ngx_amt_http_response_t   res;
    ngx_uint_t                port;
    ngx_uint_t                dials;
    ngx_uint_t                waits;
    ngx_uint_t                pins;
    u_char                    pin[NGX_AMT_RELAY_PIN + 1];
} ngx_amt_relay_start_t;


static ngx_int_t ngx_amt_relay_start_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_relay_start_drop(void *data);
static ngx_int_t ngx_amt_relay_start_login(ngx_amt_flow_t *f,
    ngx_amt_relay_start_t *v);
static ngx_int_t ngx_amt_relay_start_claim(ngx_amt_flow_t *f,
    ngx_amt_relay_start_t *v);
static ngx_int_t ngx_amt_relay_start_again(ngx_amt_flow_t *f,
    ngx_amt_relay_start_t *v);
static ngx_int_t ngx_amt_relay_start_check(ngx_amt_flow_t *f,
    ngx_amt_relay_start_t *v);
static ngx_int_t ngx_amt_relay_start_pinned(ngx_amt_flow_t *f,
    ngx_amt_relay_start_t *v);
static void ngx_amt_relay_start_done(ngx_amt_flow_t *f, ngx_int_t rc,
    void *data);


ngx_int_t
ngx_amt_relay_start(ngx_amt_relay_session_t *s)
{
    ngx_amt_relay_start_t  *v;

    s->flow = ngx_amt_flow_create("relay", &s->log, s->rlcf->timeout,
                                  ngx_amt_relay_start_done, s);
    if (s->flow == NULL) {
        return NGX_ERROR;
    }

    v = ngx_amt_frame_alloc(s->flow, "relay_start",
                            sizeof(ngx_amt_relay_start_t),
                            ngx_amt_relay_start_body,
                            ngx_amt_relay_start_drop);
    if (v) {
        v->session = s;
    }

    /* a NULL frame fails the flow */

    ngx_amt_flow_start(s->flow, v);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_relay_start_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_relay_start_t  *v = data;

    u_char  *p;

    ngx_amt_begin(f, v);

    v->port = v->session->request.port;

    if (v->port != NGX_AMT_RELAY_PORT_VNC) {

        v->path.data = ngx_pnalloc(f->pool, sizeof("devices/") - 1
                                            + NGX_CIRA_GUID_TEXT);
        if (v->path.data == NULL) {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
        }

        p = ngx_cpymem(v->path.data, "devices/", sizeof("devices/") - 1);
        p = ngx_cira_guid_text(p, v->session->info.guid);
        v->path.len = p - v->path.data;

        ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->secret));

        if (v->frame.rc == NGX_ERROR) {
            goto fail;
        }

        if (ngx_amt_relay_start_login(f, v) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    while (v->session->waiting) {

        v->frame.rc = ngx_amt_relay_start_claim(f, v);

        if (v->frame.rc == NGX_ERROR) {
            goto fail;
        }

        /* also once when it is ours: the other's CLOSE goes first */

        ngx_amt_await(f, v, ngx_amt_flow_sleep(f, NGX_AMT_RELAY_WAIT));
    }

    if (v->session->ctx->kind != NGX_AMT_REDIR_NONE) {

        ngx_amt_await_rc(f, v,
                         ngx_amt_relay_others(f, v->session->mcf->zone,
                                              v->session->info.guid,
                                              v->session->ctx->kind,
                                              v->session->request.force));

        if (v->frame.rc == NGX_ERROR) {
            goto fail;
        }

        if (v->frame.rc == NGX_OK) {

            if (!v->session->request.force) {
                return ngx_amt_flow_error(f, NGX_AMT_ERR_CONFLICT,
                                          "another session is open in a "
                                          "worker of before");
            }

            ngx_amt_await(f, v, ngx_amt_flow_sleep(f, NGX_AMT_RELAY_WAIT));
        }
    }

    for ( ;; ) {

        ngx_amt_await_rc(f, v,
                         ngx_amt_relay_link_connect(f, &v->session->link,
                                      &v->session->info, v->port,
                                      v->session->rlcf->timeout, f->pool,
                                      &v->res));

        if (v->frame.rc == NGX_OK) {
            break;
        }

        if (ngx_amt_relay_start_again(f, v) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (v->port != NGX_AMT_RELAY_PORT_TLS) {
        return NGX_OK;
    }

    ngx_amt_await_rc(f, v,
                     ngx_amt_relay_link_handshake(f, &v->session->link,
                                      &v->session->mcf->ssl,
                                      v->session->rlcf->timeout));

    if (v->frame.rc != NGX_OK) {
        return ngx_amt_flow_error(f, v->session->link.err, "%s",
                                  v->session->link.text);
    }

    v->frame.rc = ngx_amt_relay_start_check(f, v);

    while (v->frame.rc == NGX_AGAIN) {

        /* the first use: what Vault has now is what counts */

        ngx_amt_await_rc(f, v,
                         ngx_amt_vault_write(f, &v->path, v->secret.data,
                                             v->secret.version, NULL));

        if (v->frame.rc == NGX_OK) {
            break;
        }

        if (f->err.code != NGX_AMT_ERR_CONFLICT) {
            goto fail;
        }

        ngx_amt_flow_clear(f);
        ngx_amt_secret_wipe(&v->secret);

        if (++v->pins == NGX_AMT_RELAY_PINS) {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_VAULT,
                                      "certificate of device cannot be "
                                      "pinned: its secret keeps changing");
        }

        ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->secret));

        if (v->frame.rc == NGX_ERROR) {
            goto fail;
        }

        v->frame.rc = ngx_amt_relay_start_pinned(f, v);
    }

    if (v->frame.rc != NGX_OK) {
        goto fail;
    }

    ngx_amt_end(f, v);

fail:

    return v->frame.rc;
}


static void
ngx_amt_relay_start_drop(void *data)
{
    ngx_amt_relay_start_t  *v = data;

    ngx_amt_secret_wipe(&v->secret);
}


/*
 * Without a password in Vault, or when it is not asked for, bytes pass as
 * they are, and the browser logs in.
 */

static ngx_int_t
ngx_amt_relay_start_login(ngx_amt_flow_t *f, ngx_amt_relay_start_t *v)
{
    u_char                    random[NGX_AMT_REDIR_RANDOM];
    ngx_str_t                 user, password;
    ngx_amt_relay_session_t  *s;

    s = v->session;

    ngx_str_null(&user);
    ngx_str_null(&password);

    if (s->request.login && v->secret.data) {
        password.data = (u_char *) ngx_amt_secret_get(&v->secret,
                                                      "AMT_PASSWORD");
        if (password.data) {
            password.len = ngx_strlen(password.data);
            ngx_str_set(&user, NGX_AMT_RELAY_USER);
        }
    }

    if (RAND_bytes(random, NGX_AMT_REDIR_RANDOM) != 1) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "no random bytes");
    }

    s->redir = ngx_alloc(sizeof(ngx_amt_redir_t), f->log);

    if (s->redir == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    if (ngx_amt_redir_init(s->redir, &user, &password, random) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INVALID,
                                  "AMT_PASSWORD is longer than 255 bytes");
    }

    s->redir->strict = s->recorded;

    return NGX_OK;
}


/* NGX_OK; NGX_AGAIN; NGX_ERROR: will never be ours */

static ngx_int_t
ngx_amt_relay_start_claim(ngx_amt_flow_t *f, ngx_amt_relay_start_t *v)
{
    ngx_int_t                 rc;
    ngx_amt_relay_session_t  *s;

    s = v->session;

    rc = ngx_amt_relay_zone_poll(s->mcf->zone, &s->claim);

    if (rc == NGX_OK) {
        s->waiting = 0;
        return NGX_OK;
    }

    if (rc == NGX_DECLINED) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_CONFLICT,
                                  "session was given to somebody else");
    }

    if (++v->waits == NGX_AMT_RELAY_WAITS) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_CONFLICT,
                                  "the other session does not end");
    }

    return NGX_AGAIN;
}


/* The device moved, or wants TLS: one more try. */

static ngx_int_t
ngx_amt_relay_start_again(ngx_amt_flow_t *f, ngx_amt_relay_start_t *v)
{
    ngx_str_t                 guid;
    ngx_cira_info_t           info;
    ngx_amt_relay_link_t     *link;
    ngx_amt_relay_session_t  *s;

    s = v->session;
    link = &s->link;

    if (link->err == NGX_AMT_ERR_REFUSED && v->port == NGX_AMT_RELAY_PORT) {

        /* a device that is told to use TLS only has no other port */

        v->port = NGX_AMT_RELAY_PORT_TLS;
        return NGX_OK;
    }

    if (!link->gone || ++v->dials == NGX_AMT_RELAY_DIALS) {
        return ngx_amt_flow_error(f, link->err, "%s", link->text);
    }

    guid = s->request.host;

    /* whoever was let in was so for this tenant's device */

    if (ngx_amt_device_lookup(&guid, &info) != NGX_OK
        || info.tenant_len != s->info.tenant_len
        || ngx_memcmp(info.tenant, s->info.tenant, info.tenant_len) != 0)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_NOT_CONNECTED,
                                  "device is not connected");
    }

    s->info = info;

    return NGX_OK;
}


/* NGX_OK: trusted; NGX_AGAIN: the pin is to be written; NGX_ERROR */

static ngx_int_t
ngx_amt_relay_start_check(ngx_amt_flow_t *f, ngx_amt_relay_start_t *v)
{
    const char               *error;
    ngx_uint_t                verified;
    ngx_amt_relay_session_t  *s;

    s = v->session;

    if (s->mcf->tls == NGX_AMT_DEVICE_TLS_OFF) {
        return NGX_OK;
    }

    if (ngx_amt_relay_link_pin(&s->link, v->pin, &verified, &error)
        != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "device has no certificate");
    }

    if (s->mcf->tls == NGX_AMT_DEVICE_TLS_VERIFY) {

        if (verified) {
            return NGX_OK;
        }

        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "certificate of device is not trusted: %s",
                                  error);
    }

    return ngx_amt_relay_start_pinned(f, v);
}


static ngx_int_t
ngx_amt_relay_start_pinned(ngx_amt_flow_t *f, ngx_amt_relay_start_t *v)
{
    const char  *pin;

    if (v->secret.data == NULL) {
        v->secret.data = json_object();
    }

    pin = ngx_amt_secret_get(&v->secret, NGX_AMT_RELAY_PIN_NAME);

    if (pin) {

        if (ngx_strcasecmp((u_char *) pin, v->pin) == 0) {
            return NGX_OK;
        }

        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "certificate of device has changed: "
                                  "SHA-256 is %s, pinned in Vault is another",
                                  v->pin);
    }

    if (json_object_set_new(v->secret.data, NGX_AMT_RELAY_PIN_NAME,
                            json_string((char *) v->pin))
        != 0)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    ngx_log_error(NGX_LOG_NOTICE, f->log, 0,
                  "certificate of device is pinned: SHA-256 %s", v->pin);

    return NGX_AGAIN;
}


static void
ngx_amt_relay_start_done(ngx_amt_flow_t *f, ngx_int_t rc, void *data)
{
    ngx_uint_t                code, level;
    const char               *reason;
    ngx_amt_relay_end_e       end;
    ngx_amt_relay_session_t  *s;

    s = data;

    if (s->ended) {
        return;
    }

    s->flow = NULL;

    if (rc == NGX_OK) {
        ngx_amt_relay_pump(s);
        return;
    }

    level = (f->err.code == NGX_AMT_ERR_NOT_CONNECTED) ? NGX_LOG_INFO
                                                       : NGX_LOG_ERR;

    ngx_log_error(level, &s->log, 0,
                  "redirection session cannot start: %V", &f->err.text);

    switch (f->err.code) {

    case NGX_AMT_ERR_VAULT:
    case NGX_AMT_ERR_VAULT_SEALED:
    case NGX_AMT_ERR_VAULT_DENIED:
        end = NGX_AMT_RELAY_VAULT;
        code = NGX_AMT_WS_INTERNAL;
        reason = "secrets of the device are out of reach";
        break;

    case NGX_AMT_ERR_CONFLICT:
        end = NGX_AMT_RELAY_BUSY;
        code = NGX_AMT_WS_TRY_LATER;
        reason = "another session is open";
        break;

    case NGX_AMT_ERR_NOT_CONNECTED:
    case NGX_AMT_ERR_LOST:
        end = NGX_AMT_RELAY_DEVICE_LOST;
        code = NGX_AMT_WS_GOING_AWAY;
        reason = "device is not connected any longer";
        break;

    case NGX_AMT_ERR_REFUSED:
        end = NGX_AMT_RELAY_DEVICE_REFUSED;
        code = NGX_AMT_WS_INTERNAL;
        reason = "device refused the channel";
        break;

    case NGX_AMT_ERR_BUSY:
        end = NGX_AMT_RELAY_DEVICE_REFUSED;
        code = NGX_AMT_WS_TRY_LATER;
        reason = "device has no free channel";
        break;

    case NGX_AMT_ERR_TIMEOUT:
    case NGX_AMT_ERR_BUDGET:
        end = NGX_AMT_RELAY_TIMEOUT;
        code = NGX_AMT_RELAY_CODE_TIMEOUT;
        reason = "device did not answer in time";
        break;

    case NGX_AMT_ERR_BAD_ANSWER:
        end = NGX_AMT_RELAY_DEVICE_TLS;
        code = NGX_AMT_WS_INTERNAL;
        reason = "no secure connection to the device";
        break;

    default:
        end = NGX_AMT_RELAY_INTERNAL;
        code = NGX_AMT_WS_INTERNAL;
        reason = "internal error";
    }

    ngx_amt_relay_end(s, end, code, reason);
}
