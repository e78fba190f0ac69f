
/*
 * A CIRA session on a connection in memory: what the device sends is put in,
 * what the gateway sends is collected, time is set by hand, and those whom
 * the session asks (auth, registry, limits, events) are recorded.  Used by
 * the unit test and the fuzz target of the session.
 */


#ifndef _CIRA_MOCK_H_INCLUDED_
#define _CIRA_MOCK_H_INCLUDED_


#include "ngx_cira_session.h"


typedef struct {
    ngx_connection_t       c;
    ngx_event_t            read;
    ngx_event_t            write;

    u_char                *in;           /* bytes the device has sent */
    size_t                 in_len;
    size_t                 in_size;
    size_t                 in_pos;
    size_t                 step;         /* bytes per recv(), 0: any */
    int                    eof;
    int                    failed;

    u_char                *out;          /* bytes the gateway has sent */
    size_t                 out_len;
    size_t                 out_size;
    size_t                 out_pos;      /* read by the test */
    ssize_t                room;         /* of send(), -1: unlimited */

    /* TLS wants the same bytes again after NGX_AGAIN */
    u_char                *again;
    size_t                 again_len;
    int                    moved;

    ngx_cira_session_t    *s;
    int                    finalized;

    int                    asked;
    int                    cancelled;
    int                    logins;
    int                    logouts;
    int                    leaves;
    int                    failures;
    int                    alerts;
    int                    seen;
    int                    told;         /* ... by an event */
    int                    connected;
    int                    disconnected;
    ngx_int_t              login_rc;
    int                    auth_none;    /* auth_start() fails */
    ngx_uint_t             channels;     /* of the service's answer */
    ngx_cira_auth_pt       answer;       /* NULL: nobody asks */
    void                  *data;
    u_char                 user[80];
    u_char                 password[80];
    size_t                 user_len;
    size_t                 password_len;
    char                   alert[300];
} mock_t;


static mock_t           *mock_asking;    /* whose auth_start() was last */
static ngx_log_t         mock_log;
static ngx_cycle_t       mock_cycle;
static ngx_cira_conf_t   mock_conf;
static uint64_t          mock_generation;


#define mock_of(connection)                                                  \
    ((mock_t *) (void *) ((u_char *) (connection) - offsetof(mock_t, c)))


static ngx_inline ssize_t
mock_recv(ngx_connection_t *c, u_char *buf, size_t size)
{
    size_t   n;
    mock_t  *m = mock_of(c);

    if (m->failed) {
        return NGX_ERROR;
    }

    n = ngx_min(m->in_len - m->in_pos, size);

    if (m->step && n > m->step) {
        n = m->step;
    }

    if (n == 0) {
        c->read->ready = 0;
        return m->eof ? 0 : NGX_AGAIN;
    }

    ngx_memcpy(buf, m->in + m->in_pos, n);
    m->in_pos += n;

    return n;
}


static ngx_inline ssize_t
mock_send(ngx_connection_t *c, u_char *buf, size_t size)
{
    mock_t  *m = mock_of(c);

    if (m->failed) {
        return NGX_ERROR;
    }

    if (m->again && (m->again != buf || size < m->again_len)) {
        m->moved = 1;
    }

    if (m->room == 0) {
        m->again = buf;
        m->again_len = size;
        c->write->ready = 0;
        return NGX_AGAIN;
    }

    m->again = NULL;

    if (m->room > 0) {
        size = ngx_min(size, (size_t) m->room);
        m->room -= size;
    }

    if (m->out_len + size > m->out_size) {
        m->out_size = (m->out_len + size) * 2;
        m->out = realloc(m->out, m->out_size);
    }

    ngx_memcpy(m->out + m->out_len, buf, size);
    m->out_len += size;

    return size;
}


static ngx_inline ngx_int_t
mock_event(ngx_event_t *ev, ngx_int_t event, ngx_uint_t flags)
{
    ev->active = 1;

    return NGX_OK;
}


static ngx_inline ngx_cira_auth_t *
mock_auth_start(ngx_cira_auth_request_t *req, ngx_cira_auth_pt handler,
    void *data, ngx_log_t *log)
{
    mock_t              *m;
    ngx_cira_session_t  *s = data;

    m = mock_of(s->connection);
    mock_asking = m;
    m->asked++;

    m->user_len = ngx_min(req->user.len, sizeof(m->user));
    ngx_memcpy(m->user, req->user.data, m->user_len);
    m->password_len = ngx_min(req->password.len, sizeof(m->password));
    ngx_memcpy(m->password, req->password.data, m->password_len);

    if (m->auth_none) {
        return NULL;
    }

    m->answer = handler;
    m->data = data;

    return (ngx_cira_auth_t *) m;
}


static ngx_inline void
mock_auth_cancel(ngx_cira_auth_t *a)
{
    mock_t  *m = (mock_t *) a;

    m->cancelled++;
    m->answer = NULL;
}


static ngx_inline ngx_int_t
mock_login(ngx_cira_identity_t *id, ngx_log_t *log)
{
    mock_t  *m = mock_of(((ngx_cira_session_t *) id)->connection);

    m->logins++;
    id->generation = ++mock_generation;

    return m->login_rc;
}


static ngx_inline void
mock_logout(ngx_cira_identity_t *id, ngx_log_t *log)
{
    mock_of(((ngx_cira_session_t *) id)->connection)->logouts++;
}


static ngx_inline void
mock_seen(ngx_cira_identity_t *id)
{
    mock_of(((ngx_cira_session_t *) id)->connection)->seen++;
}


static ngx_inline void
mock_leave(ngx_connection_t *c, ngx_log_t *log)
{
    mock_of(c)->leaves++;
}


static ngx_inline void
mock_failure(ngx_connection_t *c, ngx_log_t *log)
{
    mock_of(c)->failures++;
}


static ngx_inline void
mock_notify(ngx_cira_event_e type, ngx_cira_identity_t *id, ngx_str_t *text)
{
    size_t   n;
    mock_t  *m = mock_of(((ngx_cira_session_t *) id)->connection);

    switch (type) {

    case NGX_CIRA_EVENT_CONNECTED:
        m->connected++;
        break;

    case NGX_CIRA_EVENT_DISCONNECTED:
        m->disconnected++;
        break;

    case NGX_CIRA_EVENT_SEEN:
        m->told++;
        break;

    default:
        m->alerts++;
        n = ngx_min(text->len, sizeof(m->alert) - 1);
        ngx_memcpy(m->alert, text->data, n);
        m->alert[n] = '\0';
        break;
    }
}


static ngx_inline void
mock_finalize(ngx_cira_session_t *s)
{
    mock_t  *m = s->data;

    m->finalized++;
    m->s = NULL;

    ngx_destroy_pool(m->c.pool);
    m->c.pool = NULL;
}


static ngx_inline void
mock_read_handler(ngx_event_t *ev)
{
    mock_t  *m = mock_of((ngx_connection_t *) ev->data);

    if (m->s == NULL) {
        return;
    }

    if (ev->timedout) {
        ev->timedout = 0;
        ngx_cira_session_timeout(m->s);
        return;
    }

    ngx_cira_session_read(m->s);
}


static ngx_inline void
mock_write_handler(ngx_event_t *ev)
{
    mock_t  *m = mock_of((ngx_connection_t *) ev->data);

    if (m->s) {
        ngx_cira_session_run(m->s);
    }
}


static ngx_inline void
mock_setup(void)
{
    static ngx_event_actions_t  actions;
    static ngx_core_conf_t      ccf;
    static void                *conf_ctx[1];

    (void) ccf;
    (void) conf_ctx;

    ngx_time_init();
    ngx_pagesize = 4096;
    ngx_cacheline_size = 64;

    mock_cycle.log = &mock_log;
    ngx_cycle = &mock_cycle;

    actions.add = mock_event;
    actions.del = mock_event;
    ngx_event_actions = actions;
    ngx_event_flags = NGX_USE_CLEAR_EVENT|NGX_USE_GREEDY_EVENT;

    ngx_queue_init(&ngx_posted_events);
    ngx_queue_init(&ngx_posted_next_events);
    ngx_event_timer_init(&mock_log);
    ngx_current_msec = 1000000;

    mock_conf.login_timeout = 30000;
    mock_conf.login_buffer = 4096;
    mock_conf.login_messages = 16;
    mock_conf.keepalive_interval = 30000;
    mock_conf.keepalive_timeout = 90000;
    mock_conf.auth_retry = 5000;
    mock_conf.channels = 6;
    mock_conf.queue = 4;
    mock_conf.queue_timeout = 30000;
    mock_conf.window = 81920;
    mock_conf.window_redirection = 262144;

    ngx_cira_owners.auth_start = mock_auth_start;
    ngx_cira_owners.auth_cancel = mock_auth_cancel;
    ngx_cira_owners.login = mock_login;
    ngx_cira_owners.logout = mock_logout;
    ngx_cira_owners.seen = mock_seen;
    ngx_cira_owners.leave = mock_leave;
    ngx_cira_owners.failure = mock_failure;
    ngx_cira_owners.notify = mock_notify;
}


/* what the event loop does between two waits */

static ngx_inline void
mock_loop(void)
{
    int  i;

    for (i = 0; i < 100; i++) {
        if (ngx_queue_empty(&ngx_posted_events)
            && ngx_queue_empty(&ngx_posted_next_events))
        {
            return;
        }

        ngx_event_move_posted_next(&mock_cycle);
        ngx_event_process_posted(&mock_cycle, &ngx_posted_events);
    }
}


static ngx_inline void
mock_open(mock_t *m)
{
    static ngx_str_t  addr = ngx_string("192.0.2.1");

    ngx_memzero(m, sizeof(mock_t));

    m->room = -1;

    m->c.fd = 0;
    m->c.read = &m->read;
    m->c.write = &m->write;
    m->c.recv = mock_recv;
    m->c.send = mock_send;
    m->c.log = &mock_log;
    m->c.addr_text = addr;
    m->c.pool = ngx_create_pool(512, &mock_log);

    m->read.data = &m->c;
    m->read.log = &mock_log;
    m->read.handler = mock_read_handler;
    m->read.ready = 1;
    m->read.active = 1;
    m->write.data = &m->c;
    m->write.log = &mock_log;
    m->write.handler = mock_write_handler;
    m->write.ready = 1;
    m->write.active = 1;
    m->write.write = 1;

    m->s = ngx_cira_session_create(&m->c, &mock_conf);
    m->s->limited = 1;

    ngx_cira_session_start(m->s, mock_finalize, m);
    mock_loop();
}


/* the device sends */

static ngx_inline void
mock_device(mock_t *m, const u_char *p, size_t size)
{
    if (m->in_len + size > m->in_size) {
        m->in_size = (m->in_len + size) * 2;
        m->in = realloc(m->in, m->in_size);
    }

    if (size) {
        ngx_memcpy(m->in + m->in_len, p, size);
        m->in_len += size;
    }

    if (m->s) {
        m->read.ready = 1;
        ngx_post_event(&m->read, &ngx_posted_events);
        mock_loop();
    }
}


/* the socket takes more */

static ngx_inline void
mock_writable(mock_t *m, ssize_t room)
{
    m->room = room;

    if (m->s) {
        m->write.ready = 1;
        ngx_post_event(&m->write, &ngx_posted_events);
        mock_loop();
    }
}


static ngx_inline void
mock_answer(mock_t *m, ngx_int_t rc, const char *tenant)
{
    ngx_cira_auth_pt        answer;
    ngx_cira_auth_result_t  result;

    answer = m->answer;
    m->answer = NULL;

    ngx_memzero(&result, sizeof(result));
    result.tenant.data = (u_char *) tenant;
    result.tenant.len = tenant ? ngx_strlen(tenant) : 0;
    result.channels = m->channels;

    if (answer) {
        answer(m->data, rc, &result);
    }

    mock_loop();
}


/* time passes; in steps, so that timers run about when they are due */

static ngx_inline void
mock_sleep(ngx_msec_t ms)
{
    ngx_msec_t  step;

    while (ms) {
        step = ngx_min(ms, 100);
        ngx_current_msec += step;
        ms -= step;

        ngx_event_expire_timers();
        mock_loop();
    }
}


/* the connection goes, whatever state it is in */

static ngx_inline void
mock_close(mock_t *m)
{
    if (m->s) {
        m->failed = 1;
        ngx_cira_session_broken(m->s, "end of test");
        mock_loop();
    }

    if (m->read.timer_set) {
        ngx_del_timer(&m->read);
    }

    free(m->in);
    free(m->out);
}


#endif /* _CIRA_MOCK_H_INCLUDED_ */
