
/*
 * Requests on CONNECT listeners, see ngx_cira_relay.h: the head is read, the
 * peer's right to ask is checked, and the device's owner is found.
 *
 * A private listener answers for the devices of its own worker only, so a
 * CONNECT that was forwarded is never forwarded again.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_stream.h>
#include "ngx_cira_relay.h"
#include "ngx_cira_worker.h"
#include "ngx_cira_ask.h"


#define NGX_CIRA_CONNECT_PAGE   32000    /* bytes of a LIST answer's body */
#define NGX_CIRA_CONNECT_ROOM   512      /* for its head */


static void ngx_cira_connect_input(ngx_cira_tunnel_t *t, u_char *p,
    u_char *last);
static void ngx_cira_connect_request(ngx_cira_tunnel_t *t);
static void ngx_cira_connect_unknown(ngx_cira_tunnel_t *t,
    ngx_uint_t unheard);
static ngx_uint_t ngx_cira_connect_tenant(ngx_cira_tunnel_t *t,
    u_char *tenant, size_t len);
static ngx_uint_t ngx_cira_connect_guess(ngx_cira_tunnel_t *t);
static void ngx_cira_connect_list(ngx_cira_tunnel_t *t);
static void ngx_cira_connect_evict(ngx_cira_tunnel_t *t);
static void ngx_cira_connect_ask(ngx_cira_tunnel_t *t);
static void ngx_cira_connect_done(ngx_cira_tunnel_t *t);
static void ngx_cira_connect_info(ngx_cira_session_t *s,
    ngx_cira_info_t *info);
static u_char *ngx_cira_connect_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


void
ngx_stream_cira_connect_handler(ngx_stream_session_t *s)
{
    ngx_buf_t          *b;
    ngx_connection_t   *c;
    ngx_cira_tunnel_t  *t;

    c = s->connection;

    t = ngx_pcalloc(c->pool, sizeof(ngx_cira_tunnel_t));
    if (t == NULL) {
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    t->request = ngx_pcalloc(c->pool, sizeof(ngx_cira_request_t));
    if (t->request == NULL) {
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    t->session = s;
    t->client = c;
    t->conf = ngx_stream_get_module_srv_conf(s,
                                             ngx_stream_cira_connect_module);
    t->private = ngx_cira_worker_private(c);

    ngx_stream_set_ctx(s, t, ngx_stream_cira_connect_module);

    s->log_handler = ngx_cira_connect_log_error;
    c->log->action = "reading CONNECT";

    ngx_cira_relay_init(t);

    if (ngx_tcp_nodelay(c) != NGX_OK) {
        ngx_cira_relay_finalize(t, "internal error");
        return;
    }

    /* credentials are in the head only, data needs no cleansing */

    if (c->ssl) {
        SSL_set_options(c->ssl->connection, SSL_OP_CLEANSE_PLAINTEXT);
    }

    b = c->buffer;

    if (b && b->pos < b->last) {
        ngx_cira_connect_input(t, b->pos, b->last);
        return;
    }

    ngx_cira_connect_read(t);
}


void
ngx_cira_connect_read(ngx_cira_tunnel_t *t)
{
    u_char             buf[NGX_CIRA_HEAD_MAX];
    ssize_t            n;
    ngx_connection_t  *c;

    c = t->client;

    n = c->recv(c, buf, sizeof(buf));

    if (n == NGX_AGAIN) {

        if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
            ngx_cira_relay_finalize(t, "internal error");
        }

        return;
    }

    if (n == NGX_ERROR || n == 0) {

        ngx_cira_relay_finalize(t, t->request->line.total
                                   ? "client closed the connection" : NULL);
        return;
    }

    t->session->received += n;

    ngx_cira_connect_input(t, buf, buf + n);

    /* credentials may have been in it */

    ngx_explicit_memzero(buf, sizeof(buf));
}


static void
ngx_cira_connect_input(ngx_cira_tunnel_t *t, u_char *p, u_char *last)
{
    ngx_int_t            rc;
    ngx_cira_request_t  *r;

    r = t->request;

    rc = ngx_cira_request_parse(r, &p, last);

    if (rc == NGX_AGAIN) {

        /* the event comes again for what is still in the socket */

        if (t->client->read->ready) {
            ngx_post_event(t->client->read, &ngx_posted_events);
        }

        if (ngx_handle_read_event(t->client->read, 0) != NGX_OK) {
            ngx_cira_relay_finalize(t, "internal error");
        }

        return;
    }

    ngx_explicit_memzero(r->line.data, sizeof(r->line.data));

    if (rc == NGX_ERROR) {
        ngx_cira_relay_refuse(t, r->status, 0, r->error);
        return;
    }

    /* what the client sent behind its head waits for the confirmation */

    if (p < last) {

        if (ngx_cira_relay_alloc(t, &t->up, NGX_CIRA_RELAY_BUFFER) != NGX_OK)
        {
            ngx_cira_relay_finalize(t, "no memory");
            return;
        }

        if (last - p > t->up.end - t->up.last) {
            ngx_cira_relay_refuse(t, 400, 0, "too many bytes behind the "
                                  "request");
            return;
        }

        t->up.last = ngx_cpymem(t->up.last, p, last - p);
    }

    ngx_cira_connect_request(t);
}


static void
ngx_cira_connect_request(ngx_cira_tunnel_t *t)
{
    u_char               *p;
    ngx_int_t             rc;
    ngx_cira_info_t       info;
    ngx_cira_request_t   *r;
    ngx_cira_session_t   *s;

    r = t->request;

    rc = ngx_cira_connect_access(t);

    ngx_explicit_memzero(r->auth, sizeof(r->auth));

    if (rc != NGX_OK) {
        if (rc == NGX_AGAIN) {
            ngx_cira_relay_refuse(t, 407, 0, "credentials are needed");
            return;
        }

        ngx_cira_relay_refuse(t, 403, 0, "not allowed to connect here");
        return;
    }

    t->parsed = 1;

    if (t->client->ssl) {
        SSL_clear_options(t->client->ssl->connection,
                          SSL_OP_CLEANSE_PLAINTEXT);
    }

    if (r->method == NGX_CIRA_CONNECT) {
        ngx_cira_connect_route(t);
        return;
    }

    if (!t->private) {
        ngx_cira_relay_refuse(t, 405, 0, "only CONNECT is served here");
        return;
    }

    switch (r->method) {

    case NGX_CIRA_LIST:
        ngx_cira_connect_list(t);
        return;

    case NGX_CIRA_EVICT:
        ngx_cira_connect_evict(t);
        return;

    case NGX_CIRA_ASK:
        ngx_cira_connect_ask(t);
        return;

    default: /* NGX_CIRA_LOCATE */
        break;
    }

    s = ngx_cira_session_find(r->guid);

    if (s == NULL) {
        ngx_cira_relay_refuse(t, 404, 0, "device is not connected");
        return;
    }

    if (ngx_cira_relay_alloc(t, &t->down, NGX_CIRA_RELAY_ANSWER) != NGX_OK) {
        ngx_cira_relay_finalize(t, "no memory");
        return;
    }

    ngx_cira_connect_info(s, &info);

    p = ngx_slprintf(t->down.start, t->down.end, "HTTP/1.1 200 OK" CRLF
                     "Connection: close" CRLF CRLF);

    p = ngx_cira_entry_write(p, t->down.end, &info);

    if (p == NULL) {
        ngx_cira_relay_finalize(t, "internal error");
        return;
    }

    t->down.last = p;

    ngx_cira_relay_answer(t, 200);
}


void
ngx_cira_connect_route(ngx_cira_tunnel_t *t)
{
    ngx_cira_info_t       info;
    ngx_cira_request_t   *r;
    ngx_cira_session_t   *s;
    ngx_cira_identity_t  *id;

    r = t->request;

    s = ngx_cira_session_find(r->guid);

    if (s) {
        id = ngx_cira_session_identity(s);

        if (!ngx_cira_connect_tenant(t, id->tenant.data, id->tenant.len)) {
            goto not_found;
        }

        ngx_cira_relay_dial(t, s);
        return;
    }

    if (t->private) {
        goto not_found;
    }

    if (!t->guess && ngx_cira_api.lookup(r->guid, &info) == NGX_OK
        && info.worker != ngx_cira_worker_id && info.socket[0])
    {
        if (!ngx_cira_connect_tenant(t, info.tenant, info.tenant_len)) {
            goto not_found;
        }

        t->worker = info.worker;
        ngx_memcpy(t->socket, info.socket, sizeof(t->socket));

        ngx_cira_relay_hop(t);
        return;
    }

    /* during an upgrade there are workers whose zone is not ours */

    if (ngx_cira_connect_guess(t)) {
        ngx_cira_relay_hop(t);
        return;
    }

not_found:

    ngx_cira_connect_unknown(t, t->unheard);
}


void
ngx_cira_connect_again(ngx_cira_tunnel_t *t, ngx_uint_t unheard)
{
    if (t->guess) {

        /* another one may have it; if not, that one had it perhaps */

        t->unheard |= unheard;

        ngx_cira_connect_route(t);
        return;
    }

    if (t->retried || t->private) {
        ngx_cira_connect_unknown(t, unheard);
        return;
    }

    t->retried = 1;

    if (unheard) {

        /* it may be dying: then that is known in a moment */

        ngx_cira_relay_pause(t);
        return;
    }

    ngx_cira_connect_route(t);
}


static void
ngx_cira_connect_unknown(ngx_cira_tunnel_t *t, ngx_uint_t unheard)
{
    if (unheard) {
        ngx_cira_relay_refuse(t, 503, 0, "owner of the device is busy");
        return;
    }

    ngx_cira_relay_refuse(t, 404, 0, "device is not connected");
}


static ngx_uint_t
ngx_cira_connect_tenant(ngx_cira_tunnel_t *t, u_char *tenant, size_t len)
{
    ngx_cira_request_t  *r;

    r = t->request;

    return !r->has_tenant
           || (r->tenant_len == len
               && ngx_memcmp(r->tenant, tenant, len) == 0);
}


/* The next worker of another zone, in the order of ids. */

static ngx_uint_t
ngx_cira_connect_guess(ngx_cira_tunnel_t *t)
{
    ngx_uint_t                i;
    ngx_cira_table_t         *table;
    ngx_cira_table_worker_t  *w, *best;

    table = ngx_cira_zone_table();

    if (table == NULL) {
        return 0;
    }

    if (!t->guess) {
        t->guess = 1;
        t->worker = 0;
    }

    best = NULL;

    ngx_cira_table_lock(table);

    for (i = 0; i < NGX_CIRA_TABLE_WORKERS; i++) {
        w = &table->workers[i];

        if (w->foreign && w->id > t->worker
            && (best == NULL || w->id < best->id))
        {
            best = w;
        }
    }

    if (best) {
        t->worker = best->id;
        ngx_memcpy(t->socket, best->socket, sizeof(t->socket));
    }

    ngx_cira_table_unlock(table);

    return best != NULL;
}


/* ---- private listener only ---- */

static void
ngx_cira_connect_list(ngx_cira_tunnel_t *t)
{
    u_char              *p, *body, *next, *last;
    u_char               cursor[NGX_CIRA_GUID_LEN];
    u_char               guid[NGX_CIRA_GUID_TEXT];
    ngx_cira_info_t      info;
    ngx_cira_session_t  *s;

    if (ngx_cira_relay_alloc(t, &t->down, NGX_CIRA_CONNECT_ROOM
                                          + NGX_CIRA_CONNECT_PAGE)
        != NGX_OK)
    {
        ngx_cira_relay_finalize(t, "no memory");
        return;
    }

    body = t->down.start + NGX_CIRA_CONNECT_ROOM;
    last = body;

    s = ngx_cira_session_next(t->request->cursor ? t->request->guid : NULL);

    while (s) {
        ngx_cira_connect_info(s, &info);

        next = ngx_cira_entry_write(last, t->down.end, &info);

        if (next == NULL) {
            break;
        }

        last = next;

        ngx_memcpy(cursor, info.guid, NGX_CIRA_GUID_LEN);
        s = ngx_cira_session_next(cursor);
    }

    p = ngx_slprintf(t->down.start, body, "HTTP/1.1 200 OK" CRLF
                     "Connection: close" CRLF
                     "Content-Type: text/plain" CRLF
                     "Content-Length: %uz" CRLF, (size_t) (last - body));

    if (s) {
        (void) ngx_cira_guid_text(guid, cursor);

        p = ngx_slprintf(p, body, "CIRA-Next: %*s" CRLF,
                         sizeof(guid), guid);
    }

    p = ngx_slprintf(p, body, CRLF);

    t->down.last = ngx_movemem(p, body, last - body);

    ngx_cira_relay_answer(t, 200);
}


static void
ngx_cira_connect_evict(ngx_cira_tunnel_t *t)
{
    ngx_cira_request_t   *r;
    ngx_cira_session_t   *s;
    ngx_cira_zone_old_t   old;

    r = t->request;
    s = ngx_cira_session_find(r->guid);

    if (s == NULL
        || ngx_cira_session_identity(s)->generation != r->generation)
    {
        ngx_cira_relay_refuse(t, 404, 0, "no such session");
        return;
    }

    ngx_memzero(&old, sizeof(ngx_cira_zone_old_t));

    ngx_memcpy(old.guid, r->guid, NGX_CIRA_GUID_LEN);
    old.generation = r->generation;
    old.worker = ngx_cira_worker_id;
    old.reason = r->reason ? r->reason : NGX_CIRA_DISCONNECT_APPLICATION;

    ngx_cira_zone_evict(&old, t->client->log);

    ngx_cira_connect_done(t);
}


static void
ngx_cira_connect_ask(ngx_cira_tunnel_t *t)
{
    if (ngx_cira_ask(t->request->guid, t->request->question) != NGX_OK) {
        ngx_cira_relay_refuse(t, 404, 0, "no");
        return;
    }

    ngx_cira_connect_done(t);
}


static void
ngx_cira_connect_done(ngx_cira_tunnel_t *t)
{
    if (ngx_cira_relay_alloc(t, &t->down, NGX_CIRA_RELAY_ANSWER) != NGX_OK) {
        ngx_cira_relay_finalize(t, "no memory");
        return;
    }

    t->down.last = ngx_slprintf(t->down.start, t->down.end,
                                "HTTP/1.1 200 OK" CRLF
                                "Connection: close" CRLF
                                "Content-Length: 0" CRLF CRLF);

    ngx_cira_relay_answer(t, 200);
}


static void
ngx_cira_connect_info(ngx_cira_session_t *s, ngx_cira_info_t *info)
{
    ngx_cira_identity_t  *id;

    id = ngx_cira_session_identity(s);

    ngx_memzero(info, sizeof(ngx_cira_info_t));

    ngx_memcpy(info->guid, id->guid, NGX_CIRA_GUID_LEN);
    info->generation = id->generation;
    info->worker = ngx_cira_worker_id;
    info->connected = id->connected;
    info->last_seen = id->last_seen;
    info->tenant_len = (u_char) ngx_min(id->tenant.len, sizeof(info->tenant));
    info->addr_len = (u_char) ngx_min(id->addr.len, NGX_CIRA_TABLE_ADDR);
    ngx_memcpy(info->tenant, id->tenant.data, info->tenant_len);
    ngx_memcpy(info->addr, id->addr.data, info->addr_len);
}


static u_char *
ngx_cira_connect_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                 guid[NGX_CIRA_GUID_TEXT];
    ngx_cira_tunnel_t     *t;
    ngx_stream_session_t  *s;

    s = log->data;
    t = ngx_stream_get_module_ctx(s, ngx_stream_cira_connect_module);

    if (t == NULL || !t->parsed || t->request->method == NGX_CIRA_LIST) {
        return buf;
    }

    (void) ngx_cira_guid_text(guid, t->request->guid);

    return ngx_snprintf(buf, len, ", device: %*s:%ui", sizeof(guid), guid,
                        t->request->port);
}
