
/*
 * Bytes of a redirection session, in both directions; see ngx_amt_relay.h.
 */


#include "relay/ngx_amt_relay.h"
#include "device/ngx_amt_device.h"


/* of the device, at once: with the frame's head of 4 bytes, two TLS records */
#define NGX_AMT_RELAY_READ   (2 * 16384 - 4)
#define NGX_AMT_RELAY_STEPS  8           /* reads per event */


static void ngx_amt_relay_ready(void *data, ngx_uint_t write);
static void ngx_amt_relay_down(ngx_amt_relay_session_t *s);
static size_t ngx_amt_relay_input(void *data, u_char *p, size_t size);
static ngx_int_t ngx_amt_relay_fill(ngx_amt_relay_session_t *s, u_char **p,
    u_char *last);
static void ngx_amt_relay_fill_event(ngx_event_t *ev);
static void ngx_amt_relay_channel_closed(void *data);
static ngx_int_t ngx_amt_relay_down_login(ngx_amt_relay_session_t *s,
    u_char *p, size_t len);
static ngx_int_t ngx_amt_relay_send(ngx_amt_relay_session_t *s, u_char *p,
    size_t len);
static ngx_int_t ngx_amt_relay_up_login(ngx_amt_relay_session_t *s,
    u_char **p, u_char *last);
static ngx_int_t ngx_amt_relay_push(ngx_amt_relay_session_t *s, u_char *p,
    size_t len, size_t more);
static void ngx_amt_relay_flush(ngx_amt_relay_session_t *s);
static void ngx_amt_relay_deaf(ngx_amt_relay_session_t *s);
static ngx_int_t ngx_amt_relay_login_failed(ngx_amt_relay_session_t *s);
static void ngx_amt_relay_device_done(ngx_amt_relay_session_t *s);


/*
 * One event at a time is handled, and what a browser does not take is
 * copied: one buffer is enough for a worker.  Bytes are put into its second
 * half and widened in place; the frame's head goes before them.
 *
 * A device's messages that arrive together are sent as one frame: they wait
 * here until the buffer is full, another session needs it, or the events at
 * hand are done.
 */

#define NGX_AMT_RELAY_START                                                   \
    (ngx_amt_relay_buffer + NGX_AMT_WS_HEAD + NGX_AMT_RELAY_READ)

static u_char  ngx_amt_relay_buffer[NGX_AMT_WS_HEAD
                                    + 2 * NGX_AMT_RELAY_READ];

static ngx_amt_relay_session_t  *ngx_amt_relay_filling;
static size_t                    ngx_amt_relay_filled;
static ngx_event_t               ngx_amt_relay_fill_post;


static const ngx_amt_relay_link_handlers_t  ngx_amt_relay_link_handlers = {
    ngx_amt_relay_ready,
    ngx_amt_relay_input,
    ngx_amt_relay_channel_closed
};


void
ngx_amt_relay_pump(ngx_amt_relay_session_t *s)
{
    s->open = 1;

    /* a port without the protocol of redirection */

    if (s->redir == NULL && ngx_amt_relay_logged_in(s) != NGX_OK) {
        return;
    }

    ngx_amt_ws_resume(s->ws);

    /* the session may be gone after it */

    ngx_amt_relay_link_open(&s->link, &ngx_amt_relay_link_handlers, s);
}


static void
ngx_amt_relay_ready(void *data, ngx_uint_t write)
{
    ngx_amt_relay_session_t *s = data;

    if (ngx_amt_relay_link_closed(&s->link)) {
        ngx_amt_relay_restart(s);
        return;
    }

    if (write) {
        ngx_amt_relay_flush(s);
        return;
    }

    ngx_amt_relay_down(s);
}


/* ---- device to browser ---- */

void
ngx_amt_relay_writable(void *data)
{
    ngx_amt_relay_session_t *s = data;

    if (s->open) {
        ngx_amt_relay_link_pull(&s->link);
    }
}


/* From a tunnel */

static void
ngx_amt_relay_down(ngx_amt_relay_session_t *s)
{
    u_char      *p;
    ssize_t      n;
    ngx_int_t    rc;
    ngx_uint_t   steps;

    if (ngx_amt_relay_filling) {
        (void) ngx_amt_relay_filled_send(ngx_amt_relay_filling);
    }

    p = NGX_AMT_RELAY_START;

    for (steps = 0; !ngx_amt_ws_blocked(s->ws); steps++) {

        if (steps == NGX_AMT_RELAY_STEPS) {

            /* others first */

            ngx_post_event(s->link.connection->read, &ngx_posted_next_events);
            return;
        }

        n = ngx_amt_relay_link_recv(&s->link, p, NGX_AMT_RELAY_READ);

        if (n == NGX_AGAIN) {
            return;
        }

        if (n <= 0) {
            ngx_amt_relay_device_done(s);
            return;
        }

        rc = s->redir ? ngx_amt_relay_down_login(s, p, n)
                      : ngx_amt_relay_send(s, p, n);

        if (rc != NGX_OK) {
            return;
        }
    }
}


/* From a channel of this worker: as much as there is room for. */

static size_t
ngx_amt_relay_input(void *data, u_char *p, size_t size)
{
    ngx_amt_relay_session_t *s = data;

    u_char  *pos, *last;

    pos = p;
    last = p + size;

    while (pos < last && !ngx_amt_ws_blocked(s->ws)) {

        if (ngx_amt_relay_fill(s, &pos, last) != NGX_OK) {

            /* nobody is left who would ask for the rest */

            return size;
        }
    }

    return pos - p;
}


/* NGX_OK, or NGX_DECLINED: the session has ended, or is ending. */

static ngx_int_t
ngx_amt_relay_fill(ngx_amt_relay_session_t *s, u_char **p, u_char *last)
{
    size_t        n;
    ngx_event_t  *ev;

    if (ngx_amt_relay_filling && ngx_amt_relay_filling != s) {
        (void) ngx_amt_relay_filled_send(ngx_amt_relay_filling);
    }

    n = ngx_min(NGX_AMT_RELAY_READ - ngx_amt_relay_filled,
                (size_t) (last - *p));

    ngx_memcpy(NGX_AMT_RELAY_START + ngx_amt_relay_filled, *p, n);
    *p += n;

    if (s->redir) {
        return ngx_amt_relay_down_login(s, NGX_AMT_RELAY_START, n);
    }

    ngx_amt_relay_filling = s;
    ngx_amt_relay_filled += n;

    if (ngx_amt_relay_filled == NGX_AMT_RELAY_READ) {
        return ngx_amt_relay_filled_send(s);
    }

    ev = &ngx_amt_relay_fill_post;

    if (!ev->posted) {
        ev->handler = ngx_amt_relay_fill_event;
        ev->log = ngx_cycle->log;
        ngx_post_event(ev, &ngx_posted_events);
    }

    return NGX_OK;
}


static void
ngx_amt_relay_fill_event(ngx_event_t *ev)
{
    if (ngx_amt_relay_filling) {
        (void) ngx_amt_relay_filled_send(ngx_amt_relay_filling);
    }
}


ngx_int_t
ngx_amt_relay_filled_send(ngx_amt_relay_session_t *s)
{
    size_t  n;

    if (ngx_amt_relay_filling != s) {
        return NGX_OK;
    }

    n = ngx_amt_relay_filled;

    /* before the session can end */

    ngx_amt_relay_filling = NULL;
    ngx_amt_relay_filled = 0;

    return ngx_amt_relay_send(s, NGX_AMT_RELAY_START, n);
}


void
ngx_amt_relay_filled_drop(ngx_amt_relay_session_t *s)
{
    if (ngx_amt_relay_filling == s) {
        ngx_amt_relay_filling = NULL;
        ngx_amt_relay_filled = 0;
    }
}


static void
ngx_amt_relay_channel_closed(void *data)
{
    ngx_amt_relay_session_t *s = data;

    if (ngx_amt_relay_filled_send(s) == NGX_OK) {
        ngx_amt_relay_device_done(s);
    }
}


/* NGX_OK, or NGX_DECLINED: the session has ended. */

static ngx_int_t
ngx_amt_relay_down_login(ngx_amt_relay_session_t *s, u_char *p, size_t len)
{
    u_char     *last, *message;
    ngx_int_t   rc;
    ngx_str_t   out;
    u_char      buf[NGX_AMT_WS_HEAD + 2 * NGX_AMT_REDIR_MESSAGE];

    last = p + len;
    message = buf + NGX_AMT_WS_HEAD + NGX_AMT_REDIR_MESSAGE;

    for ( ;; ) {

        rc = ngx_amt_redir_device(s->redir, &p, last, &out);

        if (rc != NGX_OK) {
            break;
        }

        ngx_memcpy(message, out.data, out.len);

        rc = ngx_amt_relay_send(s, message, out.len);

        if (rc == NGX_OK && s->redir->done) {
            rc = ngx_amt_relay_logged_in(s);

            if (rc == NGX_OK) {
                rc = NGX_DONE;
                break;
            }
        }

        if (rc != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    if (rc == NGX_ERROR) {
        return ngx_amt_relay_login_failed(s);
    }

    if (rc == NGX_DONE && p < last) {
        return ngx_amt_relay_send(s, p, last - p);
    }

    return NGX_OK;
}


/*
 * One message of bytes; before p there is room for as many and for the head.
 * NGX_OK, or NGX_DECLINED: the session has ended, or is ending.
 */

static ngx_int_t
ngx_amt_relay_send(ngx_amt_relay_session_t *s, u_char *p, size_t len)
{
    u_char     *start, *last;
    ngx_uint_t  first;

    if (s->record && ngx_amt_relay_record_write(s->record, p, len) != NGX_OK)
    {
        ngx_amt_relay_unrecorded(s);
        return NGX_DECLINED;
    }

    s->ctx->down += len;

    if (s->rlcf->binary) {
        first = NGX_AMT_WS_BINARY|NGX_AMT_WS_FIN;
        start = p;
        last = p + len;

    } else {
        first = NGX_AMT_WS_TEXT|NGX_AMT_WS_FIN;
        start = p - len;
        last = ngx_amt_ws_widen(start, p, len);
    }

    /* closed() will be called */

    return ngx_amt_ws_send(s->ws, (u_char) first, start, last - start)
           == NGX_ERROR ? NGX_DECLINED : NGX_OK;
}


/* ---- browser to device ---- */

void
ngx_amt_relay_data(void *data, u_char *p, size_t len, ngx_uint_t text,
    ngx_uint_t first, ngx_uint_t last)
{
    ngx_amt_relay_session_t *s = data;

    u_char  *end;

    end = p + len;

    if (text) {

        if (first) {
            ngx_memzero(&s->narrow, sizeof(ngx_amt_ws_narrow_t));
        }

        end = ngx_amt_ws_narrow(&s->narrow, p, end);
    }

    if (p == end) {
        return;
    }

    if (s->redir && ngx_amt_relay_up_login(s, &p, end) != NGX_OK) {
        return;
    }

    if (p < end) {
        (void) ngx_amt_relay_push(s, p, end - p, 0);
    }
}


/* NGX_OK: what is left goes on; NGX_DECLINED: the session has ended. */

static ngx_int_t
ngx_amt_relay_up_login(ngx_amt_relay_session_t *s, u_char **p, u_char *last)
{
    ngx_int_t  rc;
    ngx_str_t  out;

    for ( ;; ) {

        rc = ngx_amt_redir_viewer(s->redir, p, last, &out);

        if (rc == NGX_AGAIN) {
            return NGX_OK;
        }

        if (rc == NGX_DONE) {
            return ngx_amt_relay_logged_in(s);
        }

        if (rc != NGX_OK) {
            return ngx_amt_relay_login_failed(s);
        }

        if (s->redir->kind != NGX_AMT_REDIR_NONE
            && ngx_amt_relay_kind(s, s->redir->kind) != NGX_OK)
        {
            return NGX_DECLINED;
        }

        if (ngx_amt_relay_push(s, out.data, out.len, last - *p) != NGX_OK) {
            return NGX_DECLINED;
        }

        if (s->redir->done) {
            return ngx_amt_relay_logged_in(s);
        }
    }
}


/*
 * To the device, or kept until it takes them; more bytes of the same piece
 * may follow.  NGX_OK, or NGX_DECLINED: the session has ended.
 */

static ngx_int_t
ngx_amt_relay_push(ngx_amt_relay_session_t *s, u_char *p, size_t len,
    size_t more)
{
    size_t   size;
    ssize_t  n;

    s->ctx->up += len;

    if (s->deaf) {
        return NGX_OK;
    }

    if (s->up == NULL) {

        n = ngx_amt_relay_link_send(&s->link, p, len);

        if (n == NGX_ERROR) {

            ngx_amt_relay_deaf(s);
            return NGX_OK;
        }

        if (n > 0) {
            p += n;
            len -= n;
        }

        if (len == 0) {
            return NGX_OK;
        }

        /* a digest that is made from less grows to a message at most */

        size = len + more + NGX_AMT_REDIR_MESSAGE;

        s->up = ngx_alloc(size, &s->log);

        if (s->up == NULL) {
            ngx_amt_relay_end(s, NGX_AMT_RELAY_INTERNAL, NGX_AMT_WS_INTERNAL,
                              "no memory");
            return NGX_DECLINED;
        }

        s->up_pos = s->up;
        s->up_last = s->up;
        s->up_end = s->up + size;

        ngx_amt_ws_pause(s->ws);
    }

    if (len > (size_t) (s->up_end - s->up_last)) {
        ngx_amt_relay_end(s, NGX_AMT_RELAY_INTERNAL, NGX_AMT_WS_INTERNAL,
                          "too many bytes for the device");
        return NGX_DECLINED;
    }

    s->up_last = ngx_cpymem(s->up_last, p, len);

    return NGX_OK;
}


static void
ngx_amt_relay_flush(ngx_amt_relay_session_t *s)
{
    ssize_t  n;

    if (s->up == NULL) {
        return;
    }

    n = ngx_amt_relay_link_send(&s->link, s->up_pos, s->up_last - s->up_pos);

    if (n == NGX_AGAIN) {
        return;
    }

    if (n == NGX_ERROR) {
        ngx_amt_relay_deaf(s);

    } else {
        s->up_pos += n;

        if (s->up_pos < s->up_last) {
            return;
        }
    }

    ngx_amt_relay_up_free(s);

    ngx_amt_ws_resume(s->ws);
}


void
ngx_amt_relay_up_free(ngx_amt_relay_session_t *s)
{
    if (s->up) {
        ngx_explicit_memzero(s->up, s->up_end - s->up);
        ngx_free(s->up);
        s->up = NULL;
    }
}


/* It takes no more; what it said before is still to be read. */

static void
ngx_amt_relay_deaf(ngx_amt_relay_session_t *s)
{
    s->deaf = 1;

    ngx_post_event(s->link.connection->read, &ngx_posted_events);
}


/* ---- ends ---- */

static ngx_int_t
ngx_amt_relay_login_failed(ngx_amt_relay_session_t *s)
{
    ngx_uint_t        code;
    ngx_amt_redir_t  *redir;

    redir = s->redir;

    switch (redir->err) {

    case NGX_AMT_REDIR_ERR_VIEWER:
        ngx_amt_relay_end(s, NGX_AMT_RELAY_BROWSER_PROTOCOL,
                          NGX_AMT_WS_PROTOCOL, redir->reason);
        break;

    case NGX_AMT_REDIR_ERR_PASSWORD:
        ngx_amt_relay_end(s, NGX_AMT_RELAY_PASSWORD, NGX_AMT_WS_POLICY,
                          redir->reason);
        break;

    case NGX_AMT_REDIR_ERR_REFUSED:
        code = redir->status == NGX_AMT_REDIR_BUSY ? NGX_AMT_WS_TRY_LATER
                                                   : NGX_AMT_WS_INTERNAL;

        ngx_amt_relay_end(s, NGX_AMT_RELAY_DEVICE_REFUSED, code,
                          redir->status == NGX_AMT_REDIR_BUSY
                          ? "device is busy with another session"
                          : "device refused the session");
        break;

    default: /* NGX_AMT_REDIR_ERR_DEVICE */
        ngx_amt_relay_end(s, NGX_AMT_RELAY_DEVICE_PROTOCOL,
                          NGX_AMT_WS_INTERNAL, redir->reason);
    }

    return NGX_DECLINED;
}


/* The channel is closed: by the device, or because it is gone. */

static void
ngx_amt_relay_device_done(ngx_amt_relay_session_t *s)
{
    ngx_str_t        guid;
    ngx_cira_info_t  info;

    if (ngx_terminate) {

        /* the device plane has left first */

        ngx_amt_relay_restart(s);
        return;
    }

    guid = s->request.host;

    if (ngx_amt_device_lookup(&guid, &info) == NGX_OK
        && info.generation == s->info.generation)
    {
        ngx_amt_relay_end(s, NGX_AMT_RELAY_DEVICE_CLOSED, NGX_AMT_WS_NORMAL,
                          "device closed the session");
        return;
    }

    ngx_amt_relay_end(s, NGX_AMT_RELAY_DEVICE_LOST, NGX_AMT_WS_GOING_AWAY,
                      "device is not connected any longer");
}
