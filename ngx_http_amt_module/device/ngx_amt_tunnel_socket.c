
/*
 * The way to a device of another worker: a connection to the owner's private
 * CONNECT listener.  See ngx_amt_tunnel.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "device/ngx_amt_tunnel_priv.h"
#include <openssl/rand.h>


#define NGX_AMT_TUNNEL_BUFFER  16384
#define NGX_AMT_TUNNEL_READS   16        /* per event */


static ngx_int_t ngx_amt_tunnel_head(ngx_amt_tunnel_t *t, ngx_pool_t *pool,
    ngx_cira_info_t *info, ngx_uint_t fresh, ngx_str_t *out);
static ngx_int_t ngx_amt_tunnel_dial(ngx_amt_tunnel_t *t,
    u_char *socket);
static ngx_int_t ngx_amt_tunnel_send(ngx_amt_tunnel_t *t);
static ngx_int_t ngx_amt_tunnel_recv(ngx_amt_tunnel_t *t);
static void ngx_amt_tunnel_handler(ngx_event_t *ev);


/* one event at a time is handled: of the worker */

static u_char  ngx_amt_tunnel_buffer[NGX_AMT_TUNNEL_BUFFER];


ngx_int_t
ngx_amt_tunnel_socket_connect(ngx_amt_tunnel_t *t, ngx_cira_info_t *info,
    ngx_uint_t fresh, ngx_pool_t *pool)
{
    ngx_str_t  out;

    if (t->holder == 0
        && RAND_bytes((u_char *) &t->holder, sizeof(t->holder)) != 1)
    {
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL,
                                   "no random bytes");
    }

    if (ngx_amt_tunnel_head(t, pool, info, fresh, &out) != NGX_OK) {
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    if (ngx_amt_tunnel_dial(t, info->socket) != NGX_OK) {
        return NGX_ERROR;
    }

    t->out = out.data;
    t->out_last = out.data + out.len;

    return NGX_OK;
}


ngx_int_t
ngx_amt_tunnel_socket_ask(ngx_amt_tunnel_t *t, u_char *socket,
    ngx_str_t *head)
{
    if (ngx_amt_tunnel_dial(t, socket) != NGX_OK) {
        return NGX_ERROR;
    }

    t->out = head->data;
    t->out_last = head->data + head->len;

    return NGX_OK;
}


/*
 * The owner's listener caps the head at 1 KB; all parts here are bounded.
 * The tenant came from a login service: what does not fit a header never
 * gets there.
 */

static ngx_int_t
ngx_amt_tunnel_head(ngx_amt_tunnel_t *t, ngx_pool_t *pool,
    ngx_cira_info_t *info, ngx_uint_t fresh, ngx_str_t *out)
{
    u_char      *p, guid[NGX_CIRA_GUID_TEXT];
    ngx_uint_t   i;

    ngx_cira_guid_text(guid, info->guid);

    p = ngx_pnalloc(pool, 512);
    if (p == NULL) {
        return NGX_ERROR;
    }

    out->data = p;

    p = ngx_sprintf(p, "CONNECT %*s:%d HTTP/1.1" CRLF "Host: %*s:%d" CRLF
                    "CIRA-Release: chunked" CRLF "CIRA-Slot: wsman" CRLF
                    "CIRA-Holder: %016xL" CRLF,
                    (size_t) NGX_CIRA_GUID_TEXT, guid, NGX_AMT_TUNNEL_PORT,
                    (size_t) NGX_CIRA_GUID_TEXT, guid, NGX_AMT_TUNNEL_PORT,
                    t->holder);

    if (fresh) {
        p = ngx_sprintf(p, "CIRA-Fresh: 1" CRLF);
    }

    if (info->tenant_len > NGX_CIRA_TENANT_LEN) {
        return NGX_ERROR;
    }

    for (i = 0; i < info->tenant_len; i++) {
        if (info->tenant[i] <= 0x20 || info->tenant[i] >= 0x7f) {
            return NGX_ERROR;
        }
    }

    /* the empty one too: without the header any tenant's would do */

    p = ngx_sprintf(p, "CIRA-Tenant: %*s" CRLF, (size_t) info->tenant_len,
                    info->tenant);

    p = ngx_sprintf(p, CRLF);

    out->len = p - out->data;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_tunnel_dial(ngx_amt_tunnel_t *t, u_char *socket)
{
    ngx_int_t          rc;
    ngx_cira_api_t    *api;
    ngx_connection_t  *c;

    api = ngx_cira_api_find((ngx_cycle_t *) ngx_cycle);

    if (api == NULL || socket[0] == '\0') {
        t->gone = 1;
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_NOT_CONNECTED,
                                   "device has no owner");
    }

    rc = api->connect(socket, t->log, &c);

    if (rc == NGX_DECLINED) {

        /* the owner died, or is gone since the look-up */

        t->gone = 1;
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_NOT_CONNECTED,
                                   "owner does not listen");
    }

    if (rc == NGX_BUSY) {
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_BUSY,
                                   "owner of the device is busy");
    }

    if (rc != NGX_OK) {
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL,
                                   "cannot connect to owner");
    }

    c->data = t;
    c->read->handler = ngx_amt_tunnel_handler;
    c->write->handler = ngx_amt_tunnel_handler;

    t->connection = c;

    return NGX_OK;
}


/* What is to be sent becomes one chunk; ngx_amt_tunnel_message() left room. */

void
ngx_amt_tunnel_socket_chunk(ngx_amt_tunnel_t *t)
{
    u_char  *p, buf[NGX_AMT_TUNNEL_FRAME];

    p = ngx_sprintf(buf, "%xz" CRLF, (size_t) (t->out_last - t->out));

    t->out -= p - buf;
    ngx_memcpy(t->out, buf, p - buf);

    *t->out_last++ = CR;
    *t->out_last++ = LF;
}


ngx_int_t
ngx_amt_tunnel_socket_run(ngx_amt_tunnel_t *t)
{
    ngx_int_t  rc;

    rc = ngx_amt_tunnel_send(t);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_amt_tunnel_recv(t);
}


static ngx_int_t
ngx_amt_tunnel_send(ngx_amt_tunnel_t *t)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = t->connection;

    while (t->out < t->out_last && c->write->ready) {

        n = c->send(c, t->out, t->out_last - t->out);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n == NGX_ERROR) {

            /* an answer may have been sent before the other end closed */

            t->out = t->out_last;
            break;
        }

        t->out += n;
    }

    if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL, "event error");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_tunnel_recv(ngx_amt_tunnel_t *t)
{
    u_char            *p;
    ssize_t            n;
    ngx_int_t          rc;
    ngx_uint_t         reads;
    ngx_connection_t  *c;

    c = t->connection;

    for (reads = 0; c->read->ready; reads++) {

        if (reads == NGX_AMT_TUNNEL_READS) {
            ngx_post_event(c->read, &ngx_posted_events);
            return NGX_AGAIN;
        }

        n = c->recv(c, ngx_amt_tunnel_buffer, NGX_AMT_TUNNEL_BUFFER);

        if (n == NGX_AGAIN) {
            break;
        }

        if (n <= 0) {
            rc = ngx_amt_http_eof(t->res);

            t->res->keepalive = 0;

            return ngx_amt_tunnel_answer(t, rc == NGX_OK ? rc : NGX_DONE, 0);
        }

        p = ngx_amt_tunnel_buffer;

        rc = ngx_amt_http_parse(t->res, &p, p + n);

        ngx_explicit_memzero(ngx_amt_tunnel_buffer, n);

        if (rc != NGX_AGAIN) {
            return ngx_amt_tunnel_answer(t, rc,
                                         p != ngx_amt_tunnel_buffer + n);
        }
    }

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL, "event error");
    }

    return NGX_AGAIN;
}


ngx_uint_t
ngx_amt_tunnel_socket_idle(ngx_amt_tunnel_t *t)
{
    ssize_t            n;
    u_char             buf[1];
    ngx_connection_t  *c;

    c = t->connection;

    if (c->close) {
        return 0;
    }

    if (!c->read->ready) {
        return 1;
    }

    n = c->recv(c, buf, 1);

    if (n != NGX_AGAIN) {
        return 0;
    }

    return ngx_handle_read_event(c->read, 0) == NGX_OK;
}


void
ngx_amt_tunnel_socket_release(ngx_amt_tunnel_t *t, ngx_str_t *state,
    ngx_uint_t idle)
{
    u_char             buf[NGX_AMT_HTTP_MAX_STATE + 64], *p;
    ngx_connection_t  *c;

    c = t->connection;

    p = ngx_cpymem(buf, "0" CRLF, sizeof("0" CRLF) - 1);

    if (state->len) {
        p = ngx_sprintf(p, "CIRA-State: %V" CRLF, state);
    }

    if (!idle) {
        p = ngx_sprintf(p, "CIRA-Close: 1" CRLF);
    }

    *p++ = CR;
    *p++ = LF;

    /*
     * Some hundred bytes into the empty buffer of a local socket; when they
     * do not fit, closing without release is what is left.
     */

    (void) c->send(c, buf, p - buf);

    ngx_explicit_memzero(buf, p - buf);
}


/* Reads and writes; between exchanges it only keeps the event from firing. */

static void
ngx_amt_tunnel_handler(ngx_event_t *ev)
{
    ngx_int_t          rc;
    ngx_connection_t  *c;
    ngx_amt_tunnel_t  *t;

    c = ev->data;
    t = c->data;

    if (t->seq == 0 || c != t->connection) {

        if (c->close || ngx_handle_read_event(c->read, 0) != NGX_OK
            || ngx_handle_write_event(c->write, 0) != NGX_OK)
        {
            if (c == t->before) {
                ngx_amt_tunnel_close_before(t);

            } else {
                ngx_amt_tunnel_close(t);
            }
        }

        return;
    }

    if (c->close) {
        rc = ngx_amt_tunnel_fail(t, NGX_AMT_ERR_LOST, "worker exits");
        ngx_amt_tunnel_close(t);

    } else {
        rc = ngx_amt_tunnel_socket_run(t);
    }

    if (rc != NGX_AGAIN) {
        ngx_amt_tunnel_wake(t, rc);
    }
}
