
/*
 * Life of a CIRA session: input, output at the end of an event, the end.
 * Contract apf.md sections 6, 11 and 13.
 */


#include "ngx_cira_session_priv.h"


static size_t ngx_cira_session_limit(ngx_cira_session_t *s);
static void ngx_cira_session_input(ngx_cira_session_t *s, u_char *p,
    size_t size);
static void ngx_cira_session_resume(ngx_cira_session_t *s);
static void ngx_cira_session_end(ngx_cira_session_t *s);
static void ngx_cira_session_cleanup(void *data);


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
    ngx_uint_t         steps;
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

        ngx_cira_session_input(s, ngx_cira_session_buffer, n);

        /* a password at login, and what answers repeat of requests */

        ngx_explicit_memzero(ngx_cira_session_buffer, n);

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

void
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

void
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
