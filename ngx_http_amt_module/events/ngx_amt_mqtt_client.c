
/*
 * amt_mqtt: libmosquitto on nginx's event loop.
 *
 * Rules learnt from its source: events are level-triggered; it closes its
 * socket by itself, so that after each call it is asked whether it still has
 * one; it takes a lost connection during the TLS handshake for "try again",
 * and knows no difference between reading and writing there, so that OpenSSL
 * is asked instead; a client that lost its connection keeps half of its
 * state, so that each connection gets a new one.  It gets addresses only,
 * since it would wait for names.
 */


#include "events/ngx_amt_mqtt_client.h"
#include <openssl/err.h>


#define NGX_AMT_MQTT_TIMEOUT   10000     /* ms, to be connected */
#define NGX_AMT_MQTT_RETRY_MAX 60000
#define NGX_AMT_MQTT_STABLE    10000     /* ms, then retries start anew */


static void ngx_amt_mqtt_resolved(void *data, ngx_str_t *addr,
    const char *text);
static void ngx_amt_mqtt_connect(ngx_amt_mqtt_t *m, const char *addr);
static ngx_int_t ngx_amt_mqtt_client(ngx_amt_mqtt_t *m);
static ngx_int_t ngx_amt_mqtt_register(ngx_amt_mqtt_t *m, ngx_socket_t fd);
static void ngx_amt_mqtt_event(ngx_event_t *ev);
static int ngx_amt_mqtt_step(ngx_amt_mqtt_t *m, ngx_uint_t write);
static int ngx_amt_mqtt_handshake(ngx_amt_mqtt_t *m);
static const char *ngx_amt_mqtt_reason(ngx_amt_mqtt_t *m, int rc);
static ngx_int_t ngx_amt_mqtt_interest(ngx_amt_mqtt_t *m);
static void ngx_amt_mqtt_on_connect(struct mosquitto *mosq, void *data,
    int code);
static void ngx_amt_mqtt_on_publish(struct mosquitto *mosq, void *data,
    int mid);
static void ngx_amt_mqtt_on_log(struct mosquitto *mosq, void *data,
    int level, const char *text);


void
ngx_amt_mqtt_start(ngx_amt_mqtt_t *m)
{
    ngx_str_t    name;
    const char  *addr;

    m->error[0] = '\0';
    m->refused = 0;

    if (m->resolver) {
        m->state = NGX_AMT_MQTT_RESOLVING;

        m->name.handler = ngx_amt_mqtt_resolved;
        m->name.data = m;

        name.data = (u_char *) m->conf->host;
        name.len = ngx_strlen(name.data);

        ngx_amt_event_name_resolve(&m->name, m->resolver, &name,
                                   NGX_AMT_MQTT_TIMEOUT);
        return;
    }

    addr = m->conf->addrs[m->addr];
    m->addr = (m->addr + 1) % m->conf->naddrs;

    ngx_amt_mqtt_connect(m, addr);
}


static void
ngx_amt_mqtt_resolved(void *data, ngx_str_t *addr, const char *text)
{
    ngx_amt_mqtt_t *m = data;

    char  buf[NGX_SOCKADDR_STRLEN + 1];

    if (addr == NULL) {
        ngx_amt_mqtt_failed(m, text);
        return;
    }

    *ngx_cpymem(buf, addr->data, addr->len) = '\0';

    ngx_amt_mqtt_connect(m, buf);
}


static void
ngx_amt_mqtt_connect(ngx_amt_mqtt_t *m, const char *addr)
{
    int  rc;

    if (ngx_amt_mqtt_client(m) != NGX_OK) {
        ngx_amt_mqtt_failed(m, "no memory");
        return;
    }

    ngx_set_socket_errno(0);

    rc = mosquitto_connect_async(m->mosq, addr, m->conf->port,
                                 (int) m->conf->keepalive);

    if (rc != MOSQ_ERR_SUCCESS) {
        ngx_amt_mqtt_failed(m, ngx_amt_mqtt_reason(m, rc));
        return;
    }

    ERR_clear_error();

    m->state = NGX_AMT_MQTT_CONNECTING;

    if (ngx_amt_mqtt_register(m, mosquitto_socket(m->mosq)) != NGX_OK) {
        ngx_amt_mqtt_failed(m, "no connection of the worker is free");
        return;
    }

    ngx_add_timer(&m->timer, NGX_AMT_MQTT_TIMEOUT);
}


static ngx_int_t
ngx_amt_mqtt_client(ngx_amt_mqtt_t *m)
{
    char              *password;
    struct mosquitto  *mosq;

    mosq = mosquitto_new(m->id, true, m);
    if (mosq == NULL) {
        return NGX_ERROR;
    }

    m->mosq = mosq;

    mosquitto_connect_callback_set(mosq, ngx_amt_mqtt_on_connect);
    mosquitto_publish_callback_set(mosq, ngx_amt_mqtt_on_publish);
    mosquitto_log_callback_set(mosq, ngx_amt_mqtt_on_log);

    if (m->conf->user) {
        password = NULL;

        if (m->conf->password) {
            password = ngx_amt_source_table(m->conf->password);
        }

        if (mosquitto_username_pw_set(mosq, m->conf->user, password)
            != MOSQ_ERR_SUCCESS)
        {
            return NGX_ERROR;
        }
    }

    if (m->conf->ssl) {

        /* takes a reference of its own */

        if (mosquitto_int_option(mosq, MOSQ_OPT_SSL_CTX_WITH_DEFAULTS, 0)
            != MOSQ_ERR_SUCCESS
            || mosquitto_void_option(mosq, MOSQ_OPT_SSL_CTX, m->conf->ssl)
               != MOSQ_ERR_SUCCESS)
        {
            return NGX_ERROR;
        }
    }

    return mosquitto_int_option(mosq, MOSQ_OPT_TCP_NODELAY, 1)
           == MOSQ_ERR_SUCCESS ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
ngx_amt_mqtt_register(ngx_amt_mqtt_t *m, ngx_socket_t fd)
{
    ngx_connection_t  *c;

    c = ngx_get_connection(fd, m->log);
    if (c == NULL) {
        return NGX_ERROR;
    }

    c->data = m;
    c->log = m->log;
    c->read->log = m->log;
    c->write->log = m->log;
    c->read->handler = ngx_amt_mqtt_event;
    c->write->handler = ngx_amt_mqtt_event;

    m->connection = c;

    /* connected when writable */

    if (ngx_add_event(c->read, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK
        || ngx_add_event(c->write, NGX_WRITE_EVENT, NGX_LEVEL_EVENT) != NGX_OK)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Ends the connection, if any; what was on its way waits again. */

void
ngx_amt_mqtt_release(ngx_amt_mqtt_t *m)
{
    ngx_event_t       *rev, *wev;
    ngx_connection_t  *c;

    c = m->connection;

    if (c) {
        rev = c->read;
        wev = c->write;

        /*
         * libmosquitto may have closed the descriptor already, and epoll has
         * forgotten it then; when it has not, epoll does right below
         */

        if (rev->active) {
            (void) ngx_del_event(rev, NGX_READ_EVENT, NGX_CLOSE_EVENT);
        }

        if (wev->active) {
            (void) ngx_del_event(wev, NGX_WRITE_EVENT, NGX_CLOSE_EVENT);
        }

        if (rev->posted) {
            ngx_delete_posted_event(rev);
        }

        if (wev->posted) {
            ngx_delete_posted_event(wev);
        }

        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;

        m->connection = NULL;
    }

    if (m->mosq) {
        mosquitto_destroy(m->mosq);
        m->mosq = NULL;

        ERR_clear_error();
    }

    ngx_amt_mqtt_unsent(m);

    m->state = NGX_AMT_MQTT_IDLE;
}


static void
ngx_amt_mqtt_event(ngx_event_t *ev)
{
    ngx_connection_t  *c;
    ngx_amt_mqtt_t    *m;

    c = ev->data;
    m = c->data;

    if (c->close) {
        ngx_amt_mqtt_failed(m, "worker is shutting down");
        return;
    }

    ngx_amt_mqtt_after(m, ngx_amt_mqtt_step(m, ev->write));
}


/* One event; returns an error of libmosquitto or MOSQ_ERR_SUCCESS. */

static int
ngx_amt_mqtt_step(ngx_amt_mqtt_t *m, ngx_uint_t write)
{
    int        err;
    socklen_t  len;

    if (m->state == NGX_AMT_MQTT_CONNECTING) {

        err = 0;
        len = sizeof(int);

        if (getsockopt(m->connection->fd, SOL_SOCKET, SO_ERROR, &err, &len)
            == -1)
        {
            err = ngx_socket_errno;
        }

        if (err) {
            ngx_set_socket_errno(err);
            return MOSQ_ERR_ERRNO;
        }

        if (!write) {
            return MOSQ_ERR_SUCCESS;
        }

        m->state = m->conf->ssl ? NGX_AMT_MQTT_HANDSHAKE : NGX_AMT_MQTT_LOGIN;
    }

    if (m->state == NGX_AMT_MQTT_HANDSHAKE) {
        return ngx_amt_mqtt_handshake(m);
    }

    ngx_set_socket_errno(0);

    return write ? mosquitto_loop_write(m->mosq, NGX_AMT_MQTT_PACKETS)
                 : mosquitto_loop_read(m->mosq, NGX_AMT_MQTT_PACKETS);
}


static int
ngx_amt_mqtt_handshake(ngx_amt_mqtt_t *m)
{
    int   rc;
    BIO  *bio;
    SSL  *ssl;

    /* goes on with the handshake, whichever event it was */

    rc = mosquitto_loop_read(m->mosq, 1);

    if (rc != MOSQ_ERR_SUCCESS || mosquitto_socket(m->mosq) == -1) {
        return rc ? rc : MOSQ_ERR_CONN_LOST;
    }

    ssl = mosquitto_ssl_get(m->mosq);
    if (ssl == NULL) {
        return MOSQ_ERR_TLS;
    }

    if (SSL_is_init_finished(ssl)) {
        m->state = NGX_AMT_MQTT_LOGIN;
        return mosquitto_loop_write(m->mosq, NGX_AMT_MQTT_PACKETS);
    }

    /* neither waits to read nor to write: the connection is gone */

    bio = SSL_get_rbio(ssl);

    return bio && BIO_should_retry(bio) ? MOSQ_ERR_SUCCESS
                                        : MOSQ_ERR_CONN_LOST;
}


void
ngx_amt_mqtt_after(ngx_amt_mqtt_t *m, int rc)
{
    /* nginx would find it at its next connection */

    ERR_clear_error();

    if (rc == MOSQ_ERR_SUCCESS && mosquitto_socket(m->mosq) != -1) {
        rc = ngx_amt_mqtt_send(m);
        ERR_clear_error();
    }

    if (rc == MOSQ_ERR_SUCCESS && mosquitto_socket(m->mosq) == -1) {
        rc = MOSQ_ERR_CONN_LOST;
    }

    if (rc == MOSQ_ERR_SUCCESS) {

        if (ngx_amt_mqtt_interest(m) != NGX_OK) {
            ngx_amt_mqtt_failed(m, "event cannot be set");
        }

        return;
    }

    ngx_amt_mqtt_failed(m, ngx_amt_mqtt_reason(m, rc));
}


static const char *
ngx_amt_mqtt_reason(ngx_amt_mqtt_t *m, int rc)
{
    if (m->error[0]) {
        return m->error;
    }

    if (rc == MOSQ_ERR_ERRNO && ngx_socket_errno) {
        return strerror(ngx_socket_errno);
    }

    return mosquitto_strerror(rc);
}


static ngx_int_t
ngx_amt_mqtt_interest(ngx_amt_mqtt_t *m)
{
    ngx_uint_t    want;
    ngx_event_t  *wev;

    wev = m->connection->write;

    switch (m->state) {

    case NGX_AMT_MQTT_CONNECTING:
        want = 1;
        break;

    case NGX_AMT_MQTT_HANDSHAKE:
        want = BIO_should_write(SSL_get_wbio(mosquitto_ssl_get(m->mosq)));
        break;

    default:
        want = mosquitto_want_write(m->mosq);
    }

    if (want && !wev->active) {
        return ngx_add_event(wev, NGX_WRITE_EVENT, NGX_LEVEL_EVENT);
    }

    if (!want && wev->active) {
        return ngx_del_event(wev, NGX_WRITE_EVENT, 0);
    }

    return NGX_OK;
}


/* The connection ended or was not made: the next attempt is planned. */

void
ngx_amt_mqtt_failed(ngx_amt_mqtt_t *m, const char *text)
{
    ngx_msec_t  delay;

    if (m->state == NGX_AMT_MQTT_ACTIVE
        && ngx_current_msec - m->since > NGX_AMT_MQTT_STABLE)
    {
        m->retry = NGX_AMT_MQTT_RETRY;
    }

    if (!m->refused) {
        ngx_log_error(NGX_LOG_ERR, m->log, 0,
                      "amt_mqtt: %s \"%V\": %s",
                      m->state == NGX_AMT_MQTT_ACTIVE
                      ? "lost the connection to" : "cannot connect to",
                      &m->conf->url, text);
    }

    ngx_amt_mqtt_release(m);

    /* workers that lost the same broker do not come back together */

    delay = m->retry / 2 + (ngx_msec_t) ngx_random() % (m->retry / 2 + 1);
    m->retry = ngx_min(2 * m->retry, NGX_AMT_MQTT_RETRY_MAX);

    ngx_add_timer(&m->timer, delay);
}


static void
ngx_amt_mqtt_on_connect(struct mosquitto *mosq, void *data, int code)
{
    ngx_amt_mqtt_t *m = data;

    if (code) {
        m->refused = 1;
        ngx_log_error(NGX_LOG_ERR, m->log, 0,
                      "amt_mqtt: \"%V\" refused the connection: %s",
                      &m->conf->url, mosquitto_connack_string(code));
        return;
    }

    m->state = NGX_AMT_MQTT_ACTIVE;
    m->since = ngx_current_msec;
    m->connects++;

    ngx_log_error(NGX_LOG_NOTICE, m->log, 0,
                  "amt_mqtt: connected to \"%V\" as \"%s\"", &m->conf->url,
                  m->id);

    ngx_add_timer(&m->timer, NGX_AMT_MQTT_TICK);
}


/* Written (QoS 0) or acknowledged (QoS 1), in the order of sending */

static void
ngx_amt_mqtt_on_publish(struct mosquitto *mosq, void *data, int mid)
{
    ngx_amt_mqtt_sent(data);
}


static void
ngx_amt_mqtt_on_log(struct mosquitto *mosq, void *data, int level,
    const char *text)
{
    ngx_amt_mqtt_t *m = data;

    if (level == MOSQ_LOG_ERR && m->error[0] == '\0') {
        (void) ngx_cpystrn((u_char *) m->error, (u_char *) text,
                           sizeof(m->error));
    }
}
