
/* TCP and TLS of one device: connect, handshake, reading, writing, end. */


#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include "sim.h"


#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT  24
#endif


static SSL_CTX                  *ctx;
static struct sockaddr_storage   mps;
static socklen_t                 mps_len;
static struct sockaddr_storage  *local;
static unsigned                  nlocal;
static u_char                    scratch[16384];


static void conn_handler(ev_t *ev, uint32_t events);
static void conn_handshake(device_t *d);
static void conn_read(device_t *d);


static void
die(const char *what, const char *arg)
{
    fprintf(stderr, "amtsim: %s%s%s\n", what, arg ? ": " : "",
            arg ? arg : "");
    ERR_print_errors_fp(stderr);
    exit(2);
}


static void
resolve(const char *text, struct sockaddr_storage *ss, socklen_t *len,
    int passive)
{
    int               rc;
    char             *host, *port;
    struct addrinfo   hints, *res;

    if (strncmp(text, "unix:", 5) == 0) {
        struct sockaddr_un  *un = (struct sockaddr_un *) ss;

        un->sun_family = AF_UNIX;
        snprintf(un->sun_path, sizeof(un->sun_path), "%s", text + 5);
        *len = sizeof(struct sockaddr_un);
        return;
    }

    host = xstrdup(text);
    port = NULL;

    if (!passive) {
        port = strrchr(host, ':');
        if (port == NULL) {
            die("--mps needs host:port", text);
        }
        *port++ = '\0';
    }

    if (host[0] == '[' && host[strlen(host) - 1] == ']') {
        host[strlen(host) - 1] = '\0';
        memmove(host, host + 1, strlen(host));
    }

    memset(&hints, 0, sizeof(hints));
    hints.ai_socktype = SOCK_STREAM;

    rc = getaddrinfo(host, port, &hints, &res);
    if (rc != 0) {
        die(text, gai_strerror(rc));
    }

    memcpy(ss, res->ai_addr, res->ai_addrlen);
    *len = res->ai_addrlen;

    freeaddrinfo(res);
    free(host);
}


static int
tls_version(const char *s)
{
    if (strcmp(s, "1.0") == 0) {
        return TLS1_VERSION;
    }

    if (strcmp(s, "1.1") == 0) {
        return TLS1_1_VERSION;
    }

    if (strcmp(s, "1.2") == 0) {
        return TLS1_2_VERSION;
    }

    if (strcmp(s, "1.3") == 0) {
        return TLS1_3_VERSION;
    }

    die("TLS version must be 1.0, 1.1, 1.2 or 1.3", s);
    return 0;
}


void
conn_init(void)
{
    char               *list, *one, *save;
    socklen_t           len;
    X509_VERIFY_PARAM  *param;

    resolve(opt.mps, &mps, &mps_len, 0);

    if (opt.bind) {
        list = xstrdup(opt.bind);

        for (one = strtok_r(list, ",", &save);
             one;
             one = strtok_r(NULL, ",", &save))
        {
            local = realloc(local, (nlocal + 1) * sizeof(*local));
            if (local == NULL) {
                abort();
            }
            memset(&local[nlocal], 0, sizeof(*local));
            resolve(one, &local[nlocal++], &len, 1);
        }

        free(list);
    }

    if (opt.plain) {
        return;
    }

    ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL) {
        die("SSL_CTX_new", NULL);
    }

    /*
     * an emulated old device has to speak as old devices do, whatever the
     * system's policy for its own programs is
     */

    if (SSL_CTX_set_cipher_list(ctx, opt.ciphers) != 1) {
        die("--ciphers", opt.ciphers);
    }

    SSL_CTX_set_min_proto_version(ctx, tls_version(opt.tls_min));
    SSL_CTX_set_max_proto_version(ctx, tls_version(opt.tls_max));
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS
                          |SSL_MODE_ENABLE_PARTIAL_WRITE
                          |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET|SSL_OP_NO_COMPRESSION
                             |SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_read_ahead(ctx, 0);

    if (opt.ca) {
        if (SSL_CTX_load_verify_locations(ctx, opt.ca, NULL) != 1) {
            die("--ca", opt.ca);
        }

        SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);

        if (opt.verify_name) {
            param = SSL_CTX_get0_param(ctx);
            X509_VERIFY_PARAM_set1_host(param, opt.verify_name, 0);
        }
    }

    if (opt.cert) {
        if (SSL_CTX_use_certificate_chain_file(ctx, opt.cert) != 1) {
            die("--cert", opt.cert);
        }

        if (SSL_CTX_use_PrivateKey_file(ctx, opt.key ? opt.key : opt.cert,
                                        SSL_FILETYPE_PEM)
            != 1)
        {
            die("--key", opt.key ? opt.key : opt.cert);
        }
    }
}


void
conn_start(device_t *d)
{
    int  fd, one;

    one = 1;
    d->started = now_ms();
    d->state = ST_CONNECT;
    st.busy++;

    fd = socket(mps.ss_family, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    if (fd == -1) {
        conn_close(d, CLOSE_QUIET, strerror(errno));
        return;
    }

    d->ev.fd = fd;
    d->ev.handler = conn_handler;
    d->ev.data = d;

    if (mps.ss_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    }

    if (nlocal) {
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one,
                   sizeof(one));

        if (bind(fd, (struct sockaddr *) &local[d->index % nlocal],
                 sizeof(struct sockaddr_in))
            == -1)
        {
            conn_close(d, CLOSE_QUIET, strerror(errno));
            return;
        }
    }

    if (connect(fd, (struct sockaddr *) &mps, mps_len) == -1
        && errno != EINPROGRESS && errno != EAGAIN)
    {
        conn_close(d, CLOSE_QUIET, strerror(errno));
        return;
    }

    ev_set(&d->ev, EPOLLOUT);
}


static void
conn_connected(device_t *d)
{
    int        err;
    socklen_t  len;

    err = 0;
    len = sizeof(err);

    if (getsockopt(d->ev.fd, SOL_SOCKET, SO_ERROR, &err, &len) == -1 || err) {
        conn_close(d, CLOSE_QUIET, strerror(err));
        return;
    }

    if (opt.plain) {
        ev_set(&d->ev, EPOLLIN);
        session_begin(d);
        conn_flush(d);
        return;
    }

    d->ssl = SSL_new(ctx);
    if (d->ssl == NULL || SSL_set_fd(d->ssl, d->ev.fd) != 1) {
        conn_close(d, CLOSE_QUIET, "SSL_new");
        return;
    }

    if (opt.sni) {
        SSL_set_tlsext_host_name(d->ssl, opt.sni);
    }

    SSL_set_connect_state(d->ssl);
    d->state = ST_TLS;

    conn_handshake(d);
}


static const char *
tls_reason(device_t *d)
{
    long            rc;
    unsigned long   e;
    static char     text[256];

    rc = d->ssl ? SSL_get_verify_result(d->ssl) : X509_V_OK;
    e = ERR_peek_error();

    if (rc != X509_V_OK) {
        snprintf(text, sizeof(text), "tls: %s",
                 X509_verify_cert_error_string(rc));

    } else if (e) {
        snprintf(text, sizeof(text), "tls: %s", ERR_reason_error_string(e));

    } else {
        snprintf(text, sizeof(text), "closed in the TLS handshake");
    }

    ERR_clear_error();

    return text;
}


static void
conn_handshake(device_t *d)
{
    int  rc;

    ERR_clear_error();
    rc = SSL_do_handshake(d->ssl);

    if (rc == 1) {
        ev_set(&d->ev, EPOLLIN);
        session_begin(d);
        conn_flush(d);

        if (d->ssl) {
            conn_read(d);
        }

        return;
    }

    switch (SSL_get_error(d->ssl, rc)) {

    case SSL_ERROR_WANT_READ:
        ev_set(&d->ev, EPOLLIN);
        return;

    case SSL_ERROR_WANT_WRITE:
        ev_set(&d->ev, EPOLLOUT);
        return;
    }

    conn_close(d, CLOSE_QUIET, tls_reason(d));
}


static void
conn_bytes(device_t *d, const u_char *p, size_t n)
{
    size_t  used;

    st.bytes_in += n;

    if (buf_left(&d->in)) {
        buf_add(&d->in, p, n);
        used = session_input(d, buf_head(&d->in), buf_left(&d->in));

        if (d->ev.fd != -1) {
            buf_eat(&d->in, used);
        }

        return;
    }

    used = session_input(d, p, n);

    if (d->ev.fd != -1) {
        buf_add(&d->in, p + used, n - used);
    }
}


static void
conn_read(device_t *d)
{
    int  n;

    while (d->ev.fd != -1 && d->state != ST_VANISHED) {

        if (opt.plain) {
            n = (int) recv(d->ev.fd, scratch, sizeof(scratch), 0);

            if (n == -1 && errno == EAGAIN) {
                break;
            }

            if (n <= 0) {
                conn_close(d, CLOSE_QUIET, n ? strerror(errno) : "closed");
                return;
            }

        } else {
            ERR_clear_error();
            n = SSL_read(d->ssl, scratch, sizeof(scratch));

            if (n <= 0) {

                switch (SSL_get_error(d->ssl, n)) {

                case SSL_ERROR_WANT_READ:
                    goto done;

                case SSL_ERROR_WANT_WRITE:
                    d->want_write = 1;
                    goto done;

                case SSL_ERROR_ZERO_RETURN:
                    conn_close(d, CLOSE_QUIET, "closed");
                    return;

                case SSL_ERROR_SSL:
                    if (ERR_GET_REASON(ERR_peek_error())
                        != SSL_R_UNEXPECTED_EOF_WHILE_READING)
                    {
                        conn_close(d, CLOSE_QUIET, tls_reason(d));
                        return;
                    }
                }

                conn_close(d, CLOSE_QUIET, "lost");
                return;
            }
        }

        conn_bytes(d, scratch, n);
    }

done:

    conn_flush(d);
}


static int
conn_write(device_t *d, const u_char *p, size_t n)
{
    int  rc;

    if (opt.plain) {
        rc = (int) send(d->ev.fd, p, n, MSG_NOSIGNAL);
        return rc == -1 && errno == EAGAIN ? 0 : rc;
    }

    ERR_clear_error();
    rc = SSL_write(d->ssl, p, (int) n);

    if (rc > 0) {
        return rc;
    }

    switch (SSL_get_error(d->ssl, rc)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return 0;
    }

    return -1;
}


void
conn_flush(device_t *d)
{
    int     rc;
    size_t  n;

    if (d->ev.fd == -1 || d->state < ST_AUTH || d->state == ST_VANISHED) {
        return;
    }

    while (buf_left(&d->out)) {

        n = buf_left(&d->out);

        if (mis_peek(d, MIS_BYTEWISE)) {
            n = 1;

        } else if (n > 16384) {
            n = 16384;
        }

        rc = conn_write(d, buf_head(&d->out), n);

        if (rc < 0) {
            conn_close(d, CLOSE_QUIET, "lost");
            return;
        }

        if (rc == 0) {
            ev_set(&d->ev, EPOLLIN|EPOLLOUT);
            return;
        }

        st.bytes_out += rc;
        buf_eat(&d->out, rc);
    }

    ev_set(&d->ev, EPOLLIN);
}


static void
conn_handler(ev_t *ev, uint32_t events)
{
    device_t  *d;

    d = ev->data;

    switch (d->state) {

    case ST_CONNECT:
        conn_connected(d);
        return;

    case ST_TLS:
        conn_handshake(d);
        return;
    }

    if (events & EPOLLOUT) {
        conn_flush(d);
    }

    if (d->ev.fd != -1 && (events & (EPOLLIN|EPOLLHUP|EPOLLERR))) {
        conn_read(d);
    }
}


void
conn_vanish(device_t *d)
{
    if (d->state != ST_READY) {
        conn_close(d, CLOSE_RST, "dropped");
        return;
    }

    ev_del(&d->ev);
    tmr_del(&d->timer);
    tmr_del(&d->keepalive);
    tmr_del(&d->keepalive_limit);
    channel_free_all(d);
    buf_free(&d->out);
    d->state = ST_VANISHED;
    event(d, "vanished", "\"fd\":%d", d->ev.fd);
}


void
conn_close(device_t *d, int how, const char *reason)
{
    struct linger  l;

    if (d->ev.fd != -1) {
        ev_del(&d->ev);

        if (how == CLOSE_RST) {
            l.l_onoff = 1;
            l.l_linger = 0;
            setsockopt(d->ev.fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
        }

        if (d->ssl) {
            if (how == CLOSE_NORMAL) {
                ERR_clear_error();
                SSL_shutdown(d->ssl);
            }

            SSL_free(d->ssl);
            d->ssl = NULL;
            ERR_clear_error();
        }

        close(d->ev.fd);
        d->ev.fd = -1;
    }

    channel_free_all(d);
    buf_free(&d->in);
    buf_free(&d->out);

    session_closed(d, reason);
}
