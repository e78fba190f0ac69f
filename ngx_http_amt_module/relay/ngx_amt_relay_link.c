
/*
 * Tunnels to redirection ports; see ngx_amt_relay_link.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_event_connect.h>
#include "relay/ngx_amt_relay_link.h"


#define NGX_AMT_RELAY_LINK_HEAD  512     /* our CONNECT */
#define NGX_AMT_RELAY_LINK_BUF   1024    /* read at once of the answer */


static ngx_int_t ngx_amt_relay_link_head(ngx_pool_t *pool,
    ngx_cira_info_t *info, ngx_uint_t port, ngx_str_t *out);
static ngx_int_t ngx_amt_relay_link_dial(ngx_amt_relay_link_t *link,
    ngx_cira_info_t *info);
static ngx_int_t ngx_amt_relay_link_await(ngx_amt_flow_t *f,
    ngx_amt_relay_link_t *link, const char *what, ngx_msec_t timeout);
static ngx_int_t ngx_amt_relay_link_wait(ngx_amt_flow_t *f,
    ngx_amt_relay_link_t *link, const char *what, ngx_msec_t timeout);
static ngx_int_t ngx_amt_relay_link_run(ngx_amt_relay_link_t *link);
static ngx_int_t ngx_amt_relay_link_answer(ngx_amt_relay_link_t *link);
static void ngx_amt_relay_link_handshaken(ngx_connection_t *c);
static void ngx_amt_relay_link_handler(ngx_event_t *ev);
static void ngx_amt_relay_link_timer(ngx_event_t *ev);
static void ngx_amt_relay_link_cancel(void *data);


void
ngx_amt_relay_link_init(ngx_amt_relay_link_t *link, ngx_log_t *log)
{
    ngx_memzero(link, sizeof(ngx_amt_relay_link_t));

    link->log = log;

    link->timer.handler = ngx_amt_relay_link_timer;
    link->timer.data = link;
    link->timer.log = log;
}


/* ---- the channel ---- */

ngx_int_t
ngx_amt_relay_link_connect(ngx_amt_flow_t *f, ngx_amt_relay_link_t *link,
    ngx_cira_info_t *info, ngx_uint_t port, ngx_msec_t timeout,
    ngx_pool_t *pool, ngx_amt_http_response_t *res)
{
    ngx_int_t  rc;
    ngx_str_t  out;

    ngx_amt_relay_link_close(link);

    link->err = NGX_AMT_ERR_NONE;
    link->gone = 0;
    link->ended = 0;

    if (port != NGX_AMT_RELAY_PORT_TLS) {

        rc = ngx_amt_relay_direct_dial(link, info, port);

        if (rc == NGX_OK) {
            return ngx_amt_relay_link_wait(f, link, "device channel",
                                           timeout);
        }

        if (rc != NGX_AGAIN) {
            return rc;
        }
    }

    if (ngx_amt_relay_link_head(pool, info, port, &out) != NGX_OK) {
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_INTERNAL,
                                       "no memory");
    }

    if (ngx_amt_relay_link_dial(link, info) != NGX_OK) {
        return NGX_ERROR;
    }

    link->out = out.data;
    link->out_last = out.data + out.len;
    link->res = res;

    ngx_amt_http_init(res, pool);
    res->connect = 1;

    return ngx_amt_relay_link_await(f, link, "device channel", timeout);
}


/* The owner checks the tenant once more: the empty one, too. */

static ngx_int_t
ngx_amt_relay_link_head(ngx_pool_t *pool, ngx_cira_info_t *info,
    ngx_uint_t port, ngx_str_t *out)
{
    u_char      *p, guid[NGX_CIRA_GUID_TEXT];
    ngx_uint_t   i;

    if (info->tenant_len > NGX_CIRA_TENANT_LEN) {
        return NGX_ERROR;
    }

    for (i = 0; i < info->tenant_len; i++) {
        if (info->tenant[i] <= 0x20 || info->tenant[i] >= 0x7f) {
            return NGX_ERROR;
        }
    }

    p = ngx_pnalloc(pool, NGX_AMT_RELAY_LINK_HEAD);
    if (p == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_cira_guid_text(guid, info->guid);

    out->data = p;
    out->len = ngx_snprintf(p, NGX_AMT_RELAY_LINK_HEAD,
                            "CONNECT %*s:%ui HTTP/1.1" CRLF
                            "Host: %*s:%ui" CRLF
                            "CIRA-Tenant: %*s" CRLF CRLF,
                            (size_t) NGX_CIRA_GUID_TEXT, guid, port,
                            (size_t) NGX_CIRA_GUID_TEXT, guid, port,
                            (size_t) info->tenant_len, info->tenant)
               - p;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_relay_link_dial(ngx_amt_relay_link_t *link, ngx_cira_info_t *info)
{
    size_t                  len;
    ngx_int_t               rc;
    ngx_str_t               name;
    ngx_connection_t       *c;
    struct sockaddr_un      sa;
    ngx_peer_connection_t   pc;

    len = ngx_strnlen(info->socket, sizeof(info->socket));

    if (len == 0 || len == sizeof(info->socket)) {
        link->gone = 1;
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_NOT_CONNECTED,
                                       "device has no owner");
    }

    ngx_memzero(&sa, sizeof(struct sockaddr_un));
    sa.sun_family = AF_UNIX;
    ngx_memcpy(sa.sun_path, info->socket, len);

    name.data = info->socket;
    name.len = len;

    ngx_memzero(&pc, sizeof(ngx_peer_connection_t));

    pc.sockaddr = (struct sockaddr *) &sa;
    pc.socklen = sizeof(struct sockaddr_un);
    pc.name = &name;
    pc.get = ngx_event_get_peer;
    pc.log = link->log;
    pc.log_error = NGX_ERROR_INFO;

    rc = ngx_event_connect_peer(&pc);

    if (rc == NGX_DECLINED) {
        link->gone = 1;
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_NOT_CONNECTED,
                                       "owner does not listen");
    }

    if (rc != NGX_OK && rc != NGX_AGAIN) {

        if (pc.connection) {
            ngx_close_connection(pc.connection);
        }

        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_INTERNAL,
                                       "cannot connect to owner");
    }

    c = pc.connection;

    c->data = link;
    c->log = link->log;
    c->read->log = link->log;
    c->write->log = link->log;
    c->read->handler = ngx_amt_relay_link_handler;
    c->write->handler = ngx_amt_relay_link_handler;

    /* there is no such option on a local socket */
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;

    link->connection = c;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_relay_link_await(ngx_amt_flow_t *f, ngx_amt_relay_link_t *link,
    const char *what, ngx_msec_t timeout)
{
    ngx_int_t  rc;

    rc = ngx_amt_relay_link_run(link);

    if (rc != NGX_AGAIN) {
        link->res = NULL;
        return rc;
    }

    return ngx_amt_relay_link_wait(f, link, what, timeout);
}


static ngx_int_t
ngx_amt_relay_link_wait(ngx_amt_flow_t *f, ngx_amt_relay_link_t *link,
    const char *what, ngx_msec_t timeout)
{
    link->flow = f;
    link->seq = ngx_amt_flow_wait(f, what, ngx_amt_relay_link_cancel, link);

    ngx_add_timer(&link->timer, timeout);

    return NGX_AGAIN;
}


/* Sends the CONNECT and reads its answer. */

static ngx_int_t
ngx_amt_relay_link_run(ngx_amt_relay_link_t *link)
{
    u_char             buf[NGX_AMT_RELAY_LINK_BUF], *p;
    ssize_t            n;
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = link->connection;

    while (link->out < link->out_last && c->write->ready) {

        n = c->send(c, link->out, link->out_last - link->out);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {
            link->gone = 1;
            return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_LOST,
                                           "owner closed the tunnel");
        }

        link->out += n;
    }

    while (c->read->ready) {

        n = c->recv(c, buf, sizeof(buf));

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            link->gone = 1;
            return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_LOST,
                                           "owner closed the tunnel");
        }

        p = buf;

        rc = ngx_amt_http_parse(link->res, &p, buf + n);

        if (rc == NGX_AGAIN) {
            continue;
        }

        if (rc == NGX_DECLINED) {
            return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_INTERNAL,
                                           "owner sent an invalid answer");
        }

        if (rc != NGX_OK) {
            return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_INTERNAL,
                                           "no memory");
        }

        rc = ngx_amt_relay_link_answer(link);

        if (rc != NGX_OK || p == buf + n) {
            return rc;
        }

        link->early_pos = 0;
        link->early_len = buf + n - p;
        link->early = ngx_alloc(link->early_len, link->log);

        if (link->early == NULL) {
            return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_INTERNAL,
                                           "no memory");
        }

        ngx_memcpy(link->early, p, link->early_len);

        return NGX_OK;
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK
        || ngx_handle_write_event(c->write, 0) != NGX_OK)
    {
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_INTERNAL,
                                       "event error");
    }

    return NGX_AGAIN;
}


static ngx_int_t
ngx_amt_relay_link_answer(ngx_amt_relay_link_t *link)
{
    switch (link->res->status) {

    case 200:
        return NGX_OK;

    case 404:
        link->gone = 1;
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_NOT_CONNECTED,
                                       "device is not connected");

    case 502:
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_REFUSED,
                                       "device refused the channel");

    case 503:
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_BUSY,
                                       "device has no free channel");

    case 504:
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_TIMEOUT,
                                    "device did not open the channel in time");
    }

    ngx_log_error(NGX_LOG_ERR, link->log, 0,
                  "device plane answered CONNECT with %ui",
                  link->res->status);

    return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_INTERNAL,
                                   "unexpected answer to CONNECT");
}


/* ---- TLS inside ---- */

ngx_int_t
ngx_amt_relay_link_handshake(ngx_amt_flow_t *f, ngx_amt_relay_link_t *link,
    ngx_ssl_t *ssl, ngx_msec_t timeout)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    c = link->connection;

    link->err = NGX_AMT_ERR_NONE;

    if (link->early) {
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_BAD_ANSWER,
                                       "device sent bytes before TLS");
    }

    if (c->pool == NULL) {
        c->pool = ngx_create_pool(1024, link->log);

        if (c->pool == NULL) {
            return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_INTERNAL,
                                           "no memory");
        }
    }

    if (ngx_ssl_create_connection(ssl, c, NGX_SSL_CLIENT) != NGX_OK) {
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_INTERNAL,
                                       "no memory");
    }

    rc = ngx_ssl_handshake(c);

    if (rc == NGX_OK) {
        return NGX_OK;
    }

    if (rc != NGX_AGAIN) {
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_BAD_ANSWER,
                                       "TLS handshake with device failed");
    }

    c->ssl->handler = ngx_amt_relay_link_handshaken;

    return ngx_amt_relay_link_wait(f, link, "TLS of device", timeout);
}


static void
ngx_amt_relay_link_handshaken(ngx_connection_t *c)
{
    ngx_int_t              rc;
    ngx_amt_relay_link_t  *link;

    link = c->data;
    rc = NGX_OK;

    if (c->ssl->handshaked) {
        c->read->handler = ngx_amt_relay_link_handler;
        c->write->handler = ngx_amt_relay_link_handler;

    } else {
        rc = ngx_amt_relay_link_fail(link, NGX_AMT_ERR_BAD_ANSWER,
                                     "TLS handshake with device failed");
    }

    ngx_amt_relay_link_wake(link, rc);
}


ngx_int_t
ngx_amt_relay_link_pin(ngx_amt_relay_link_t *link,
    u_char pin[NGX_AMT_RELAY_PIN], ngx_uint_t *verified, const char **error)
{
    int           ok;
    long          rc;
    X509         *cert;
    SSL          *ssl;
    u_char        md[EVP_MAX_MD_SIZE];
    unsigned int  len;

    ssl = link->connection->ssl->connection;

    cert = SSL_get_peer_certificate(ssl);
    if (cert == NULL) {
        return NGX_ERROR;
    }

    ok = X509_digest(cert, EVP_sha256(), md, &len);
    X509_free(cert);

    if (ok != 1 || len != NGX_AMT_RELAY_PIN / 2) {
        return NGX_ERROR;
    }

    (void) ngx_hex_dump(pin, md, len);

    rc = SSL_get_verify_result(ssl);

    *verified = (rc == X509_V_OK);
    *error = X509_verify_cert_error_string(rc);

    return NGX_OK;
}


/* ---- the open link ---- */

void
ngx_amt_relay_link_open(ngx_amt_relay_link_t *link,
    const ngx_amt_relay_link_handlers_t *handlers, void *data)
{
    link->handlers = handlers;
    link->data = data;

    if (link->connection) {
        ngx_post_event(link->connection->read, &ngx_posted_events);
        return;
    }

    if (link->ended) {
        handlers->closed(data);
        return;
    }

    link->api->drain(&link->dial);
}


void
ngx_amt_relay_link_pull(ngx_amt_relay_link_t *link)
{
    if (link->connection) {
        link->handlers->ready(link->data, 0);

    } else {
        link->api->drain(&link->dial);
    }
}


ssize_t
ngx_amt_relay_link_recv(ngx_amt_relay_link_t *link, u_char *buf, size_t size)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = link->connection;

    if (link->early) {
        n = ngx_min(size, link->early_len - link->early_pos);
        ngx_memcpy(buf, link->early + link->early_pos, n);
        link->early_pos += n;

        if (link->early_pos == link->early_len) {
            ngx_free(link->early);
            link->early = NULL;
        }

        return n;
    }

    n = c->read->ready ? c->recv(c, buf, size) : NGX_AGAIN;

    if (n == NGX_AGAIN && ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return n;
}


ssize_t
ngx_amt_relay_link_send(ngx_amt_relay_link_t *link, u_char *buf, size_t size)
{
    size_t             sent;
    ssize_t            n;
    ngx_connection_t  *c;

    if (link->api) {
        sent = link->api->send(&link->dial, buf, size);

        return sent ? (ssize_t) sent : NGX_AGAIN;
    }

    c = link->connection;

    for (sent = 0; sent < size && c->write->ready; sent += n) {

        n = c->send(c, buf + sent, size - sent);

        if (n == NGX_AGAIN || n == 0) {
            break;
        }

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    if (sent < size && ngx_handle_write_event(c->write, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    return sent ? (ssize_t) sent : NGX_AGAIN;
}


ngx_uint_t
ngx_amt_relay_link_closed(ngx_amt_relay_link_t *link)
{
    return link->connection && link->connection->close;
}


void
ngx_amt_relay_link_close(ngx_amt_relay_link_t *link)
{
    ngx_pool_t        *pool;
    ngx_connection_t  *c;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    link->out = NULL;
    link->out_last = NULL;

    link->handlers = NULL;

    if (link->early) {
        ngx_free(link->early);
        link->early = NULL;
    }

    if (link->api) {
        link->api->close(&link->dial);
        link->api = NULL;
    }

    c = link->connection;

    if (c == NULL) {
        return;
    }

    link->connection = NULL;

    if (c->ssl) {

        /* one try to say goodbye; the object is freed in any case */

        c->ssl->no_wait_shutdown = 1;

        if (ngx_ssl_shutdown(c) == NGX_AGAIN) {
            c->error = 1;
            (void) ngx_ssl_shutdown(c);
        }
    }

    pool = c->pool;

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}


/* ---- events ---- */

ngx_int_t
ngx_amt_relay_link_fail(ngx_amt_relay_link_t *link, ngx_amt_err_e err,
    const char *text)
{
    link->err = err;
    link->text = text;

    ngx_amt_relay_link_close(link);

    return NGX_ERROR;
}


void
ngx_amt_relay_link_wake(ngx_amt_relay_link_t *link, ngx_int_t rc)
{
    uint64_t         seq;
    ngx_amt_flow_t  *f;

    if (link->timer.timer_set) {
        ngx_del_timer(&link->timer);
    }

    f = link->flow;
    seq = link->seq;

    link->flow = NULL;
    link->seq = 0;
    link->res = NULL;

    ngx_amt_flow_wake(f, seq, rc);
}


static void
ngx_amt_relay_link_handler(ngx_event_t *ev)
{
    ngx_int_t              rc;
    ngx_connection_t      *c;
    ngx_amt_relay_link_t  *link;

    c = ev->data;
    link = c->data;

    if (link->seq) {

        if (c->close) {
            rc = ngx_amt_relay_link_fail(link, NGX_AMT_ERR_LOST,
                                         "worker exits");

        } else {
            rc = ngx_amt_relay_link_run(link);
        }

        if (rc != NGX_AGAIN) {
            ngx_amt_relay_link_wake(link, rc);
        }

        return;
    }

    if (link->handlers) {
        link->handlers->ready(link->data, ev->write);
        return;
    }

    /* between two operations: only keeps the event from firing */

    if (c->close || ngx_handle_read_event(c->read, 0) != NGX_OK
        || ngx_handle_write_event(c->write, 0) != NGX_OK)
    {
        c->read->error = 1;
    }
}


static void
ngx_amt_relay_link_timer(ngx_event_t *ev)
{
    ngx_amt_relay_link_t  *link;

    link = ev->data;

    (void) ngx_amt_relay_link_fail(link, NGX_AMT_ERR_TIMEOUT,
                                   link->connection == NULL || link->res
                                   ? "device did not open the channel in time"
                                   : "device did not finish the TLS handshake"
                                     " in time");

    ngx_amt_relay_link_wake(link, NGX_ERROR);
}


static void
ngx_amt_relay_link_cancel(void *data)
{
    ngx_amt_relay_link_t  *link = data;

    link->flow = NULL;
    link->seq = 0;
    link->res = NULL;

    ngx_amt_relay_link_close(link);
}
