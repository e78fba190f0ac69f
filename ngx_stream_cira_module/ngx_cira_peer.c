
/*
 * Questions to other workers, see ngx_cira_peer.h.  Each runs on a connection
 * and a pool of its own; the private listener answers one request and closes.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_cira_request.h"
#include "ngx_cira_worker.h"
#include "ngx_cira_peer.h"


#define NGX_CIRA_PEER_TIMEOUT  5000      /* ms */
#define NGX_CIRA_PEER_BODY     32768     /* bytes of a page of LIST */


typedef struct {
    ngx_queue_t           queue;
    ngx_pool_t           *pool;
    ngx_connection_t     *connection;
    uint64_t              worker;
    uint32_t              stamp;         /* LIST */
    ngx_cira_response_t   response;
    u_char               *body;          /* LIST: NGX_CIRA_PEER_BODY */
    size_t                got;           /* bytes of the body */
    unsigned              list:1;
    unsigned              head:1;        /* response head is complete */
    u_char                socket[sizeof(((struct sockaddr_un *) 0)->sun_path)];
} ngx_cira_ask_t;


static ngx_cira_ask_t *ngx_cira_peer_create(uint64_t worker, u_char *socket);
static void ngx_cira_peer_send(ngx_cira_ask_t *a, u_char *p, size_t len);
static void ngx_cira_peer_list(ngx_cira_ask_t *a);
static void ngx_cira_peer_read(ngx_event_t *rev);
static void ngx_cira_peer_write(ngx_event_t *wev);
static ngx_int_t ngx_cira_peer_page(ngx_cira_ask_t *a);
static void ngx_cira_peer_close(ngx_cira_ask_t *a);


static ngx_queue_t  ngx_cira_peer_asks;


ngx_int_t
ngx_cira_peer_connect(u_char *socket_path, ngx_log_t *log,
    ngx_connection_t **cp)
{
    int                  size;
    ngx_err_t            err;
    ngx_socket_t         s;
    ngx_connection_t    *c;
    struct sockaddr_un   sun;

    s = ngx_socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK, 0);

    if (s == (ngx_socket_t) -1) {
        err = ngx_socket_errno;

        ngx_log_error(NGX_LOG_CRIT, log, err, ngx_socket_n " failed");

        return err == NGX_EMFILE || err == NGX_ENFILE ? NGX_BUSY : NGX_ERROR;
    }

    ngx_memzero(&sun, sizeof(struct sockaddr_un));
    sun.sun_family = AF_UNIX;
    ngx_cpystrn((u_char *) sun.sun_path, socket_path, sizeof(sun.sun_path));

    if (connect(s, (struct sockaddr *) &sun, sizeof(struct sockaddr_un))
        == -1)
    {
        err = ngx_socket_errno;

        (void) ngx_close_socket(s);

        if (err == NGX_ECONNREFUSED || err == NGX_ENOENT) {
            return NGX_DECLINED;
        }

        ngx_log_error(NGX_LOG_ERR, log, err, "connect() to unix:%s failed",
                      socket_path);

        return err == NGX_EAGAIN ? NGX_BUSY : NGX_ERROR;
    }

    if (cp == NULL) {
        (void) ngx_close_socket(s);
        return NGX_OK;
    }

    /* a whole KVM window has to fit, so that the owner can go on reading */

    size = 256 * 1024;
    (void) setsockopt(s, SOL_SOCKET, SO_SNDBUF, &size, sizeof(int));

    c = ngx_get_connection(s, log);

    if (c == NULL) {

        if (ngx_close_socket(s) == -1) {
            ngx_log_error(NGX_LOG_ALERT, log, ngx_socket_errno,
                          ngx_close_socket_n " failed");
        }

        return NGX_BUSY;
    }

    c->type = SOCK_STREAM;
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;
    c->log_error = NGX_ERROR_ERR;
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;
    c->write->ready = 1;

    if (ngx_add_conn && ngx_add_conn(c) == NGX_ERROR) {
        ngx_close_connection(c);
        return NGX_ERROR;
    }

    *cp = c;

    return NGX_OK;
}


void
ngx_cira_peer_evict(ngx_cira_zone_old_t *old)
{
    u_char           *p, buf[256];
    u_char            guid[NGX_CIRA_GUID_TEXT];
    ngx_cira_ask_t   *a;

    a = ngx_cira_peer_create(old->worker, old->socket);
    if (a == NULL) {
        return;
    }

    (void) ngx_cira_guid_text(guid, old->guid);

    p = ngx_snprintf(buf, sizeof(buf), "EVICT %*s:%uL HTTP/1.1" CRLF
                     "CIRA-Reason: %ui" CRLF CRLF,
                     sizeof(guid), guid, old->generation, old->reason);

    ngx_cira_peer_send(a, buf, p - buf);
}


void
ngx_cira_peer_import(uint64_t worker, u_char *socket)
{
    ngx_queue_t       *q;
    ngx_cira_ask_t    *a;
    ngx_cira_table_t  *t;

    if (ngx_cira_peer_asks.next) {
        for (q = ngx_queue_head(&ngx_cira_peer_asks);
             q != ngx_queue_sentinel(&ngx_cira_peer_asks);
             q = ngx_queue_next(q))
        {
            a = ngx_queue_data(q, ngx_cira_ask_t, queue);

            if (a->list && a->worker == worker) {
                return;
            }
        }
    }

    a = ngx_cira_peer_create(worker, socket);
    if (a == NULL) {
        return;
    }

    a->list = 1;

    a->body = ngx_palloc(a->pool, NGX_CIRA_PEER_BODY);
    if (a->body == NULL) {
        ngx_cira_peer_close(a);
        return;
    }

    t = ngx_cira_zone_table();

    ngx_cira_table_lock(t);

    if (++t->stamp == 0) {
        t->stamp = 1;
    }

    a->stamp = t->stamp;

    ngx_cira_table_unlock(t);

    ngx_cira_peer_list(a);
}


static ngx_cira_ask_t *
ngx_cira_peer_create(uint64_t worker, u_char *socket)
{
    ngx_pool_t      *pool;
    ngx_cira_ask_t  *a;

    if (ngx_cira_peer_asks.next == NULL) {
        ngx_queue_init(&ngx_cira_peer_asks);
    }

    pool = ngx_create_pool(4096, ngx_cycle->log);
    if (pool == NULL) {
        return NULL;
    }

    a = ngx_pcalloc(pool, sizeof(ngx_cira_ask_t));
    if (a == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    a->pool = pool;
    a->worker = worker;
    ngx_cpystrn(a->socket, socket, sizeof(a->socket));

    ngx_queue_insert_tail(&ngx_cira_peer_asks, &a->queue);

    return a;
}


static void
ngx_cira_peer_send(ngx_cira_ask_t *a, u_char *p, size_t len)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;

    ngx_memzero(&a->response, sizeof(ngx_cira_response_t));
    a->head = 0;
    a->got = 0;

    rc = ngx_cira_peer_connect(a->socket, ngx_cycle->log, &c);

    if (rc != NGX_OK) {

        if (rc == NGX_DECLINED) {
            ngx_cira_worker_dead(a->worker, a->socket, ngx_cycle->log);
        }

        ngx_cira_peer_close(a);
        return;
    }

    a->connection = c;

    c->data = a;
    c->read->handler = ngx_cira_peer_read;
    c->write->handler = ngx_cira_peer_write;
    c->read->cancelable = 1;

    /* a new connection's buffer takes these few bytes */

    if (c->send(c, p, len) != (ssize_t) len) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "send() to unix:%s was not complete", a->socket);
        ngx_cira_peer_close(a);
        return;
    }

    ngx_add_timer(c->read, NGX_CIRA_PEER_TIMEOUT);

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        ngx_cira_peer_close(a);
    }
}


static void
ngx_cira_peer_list(ngx_cira_ask_t *a)
{
    u_char  *p, buf[128], guid[NGX_CIRA_GUID_TEXT];

    if (a->response.has_next) {
        (void) ngx_cira_guid_text(guid, a->response.next);
        p = ngx_snprintf(buf, sizeof(buf), "LIST %*s HTTP/1.1" CRLF CRLF,
                         sizeof(guid), guid);
    } else {
        p = ngx_snprintf(buf, sizeof(buf), "LIST * HTTP/1.1" CRLF CRLF);
    }

    ngx_cira_peer_send(a, buf, p - buf);
}


static void
ngx_cira_peer_write(ngx_event_t *wev)
{
    /* the request has been sent when the connection was made */
}


static void
ngx_cira_peer_read(ngx_event_t *rev)
{
    u_char            *p, *last, buf[NGX_CIRA_HEAD_MAX];
    size_t             n;
    ssize_t            size;
    ngx_int_t          rc;
    ngx_cira_ask_t    *a;
    ngx_connection_t  *c;

    c = rev->data;
    a = c->data;

    if (c->close) {
        ngx_cira_peer_close(a);
        return;
    }

    if (rev->timedout) {
        ngx_log_error(NGX_LOG_ERR, c->log, NGX_ETIMEDOUT,
                      "no answer from unix:%s", a->socket);
        ngx_cira_peer_close(a);
        return;
    }

    for ( ;; ) {

        if (a->head) {
            p = a->body + a->got;
            n = a->response.length - a->got;

        } else {
            p = buf;
            n = sizeof(buf);
        }

        size = c->recv(c, p, n);

        if (size == NGX_AGAIN) {

            if (ngx_handle_read_event(rev, 0) != NGX_OK) {
                ngx_cira_peer_close(a);
            }

            return;
        }

        if (size == NGX_ERROR || size == 0) {
            /* a worker may end at any time; the next sweep asks again */
            ngx_cira_peer_close(a);
            return;
        }

        if (a->head) {
            a->got += size;

        } else {
            last = p + size;

            rc = ngx_cira_response_parse(&a->response, &p, last);

            if (rc == NGX_AGAIN) {
                continue;
            }

            if (rc == NGX_ERROR) {
                ngx_log_error(NGX_LOG_ERR, c->log, 0,
                              "invalid answer from unix:%s", a->socket);
                ngx_cira_peer_close(a);
                return;
            }

            if (!a->list) {

                /* 404: it was gone already */

                ngx_cira_peer_close(a);
                return;
            }

            a->head = 1;
            n = last - p;

            if (a->response.status != 200
                || a->response.length > NGX_CIRA_PEER_BODY
                || n > a->response.length)
            {
                ngx_log_error(NGX_LOG_ERR, c->log, 0,
                              "LIST was answered %ui by unix:%s",
                              a->response.status, a->socket);
                ngx_cira_peer_close(a);
                return;
            }

            ngx_memcpy(a->body, p, n);
            a->got = n;
        }

        if (a->got < a->response.length) {
            continue;
        }

        ngx_close_connection(c);
        a->connection = NULL;

        if (ngx_cira_peer_page(a) != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "invalid LIST from unix:%s", a->socket);
            ngx_cira_peer_close(a);
            return;
        }

        if (a->response.has_next) {
            ngx_cira_peer_list(a);
            return;
        }

        ngx_cira_zone_purge(a->worker, a->stamp);
        ngx_cira_peer_close(a);
        return;
    }
}


static ngx_int_t
ngx_cira_peer_page(ngx_cira_ask_t *a)
{
    u_char               *p, *lf, *last;
    ngx_int_t             rc;
    ngx_cira_info_t       info;
    ngx_cira_zone_old_t   old;

    p = a->body;
    last = p + a->got;

    for ( /* void */ ; p < last; p = lf + 1) {

        lf = ngx_strlchr(p, last, LF);

        if (lf == NULL || ngx_cira_entry_parse(p, lf - p, &info) != NGX_OK) {
            return NGX_ERROR;
        }

        info.worker = a->worker;

        rc = ngx_cira_zone_merge(&info, a->stamp, &old);

        if (rc == NGX_ERROR) {
            ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, 0,
                          "cira zone is full, not all devices of unix:%s are "
                          "known, increase cira_zone", a->socket);
            return NGX_OK;
        }

        if (rc == NGX_DECLINED) {

            /* a newer session of the device is here: that one has to go */

            ngx_memzero(&old, sizeof(ngx_cira_zone_old_t));
            ngx_memcpy(old.guid, info.guid, NGX_CIRA_GUID_LEN);
            ngx_memcpy(old.socket, a->socket, sizeof(old.socket));
            old.generation = info.generation;
            old.worker = a->worker;
            old.reason = NGX_CIRA_DISCONNECT_APPLICATION;
        }

        if (old.generation) {
            ngx_cira_zone_evict(&old, ngx_cycle->log);
        }
    }

    return NGX_OK;
}


static void
ngx_cira_peer_close(ngx_cira_ask_t *a)
{
    if (a->connection) {
        ngx_close_connection(a->connection);
    }

    ngx_queue_remove(&a->queue);
    ngx_destroy_pool(a->pool);
}


void
ngx_cira_peer_exit(void)
{
    ngx_queue_t     *q;
    ngx_cira_ask_t  *a;

    if (ngx_cira_peer_asks.next == NULL) {
        return;
    }

    while (!ngx_queue_empty(&ngx_cira_peer_asks)) {
        q = ngx_queue_head(&ngx_cira_peer_asks);
        a = ngx_queue_data(q, ngx_cira_ask_t, queue);

        ngx_cira_peer_close(a);
    }
}
