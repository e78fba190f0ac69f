
/*
 * Detached calls, see ngx_amt_call.h.
 *
 * The private request r (main) never runs a phase; it only carries its child
 * sr, which nginx treats as any in-memory subrequest.  A call ends in one of
 * three ways, and in each the flow is woken at most once:
 *
 *     sr is finalized: ngx_amt_call_post() keeps the answer and nginx runs r,
 *     which is now ngx_amt_call_done();
 *     r is terminated (too large an answer, no memory, the worker shuts down,
 *     our timeout): ngx_amt_call_cleanup();
 *     the flow cancels: ngx_amt_call_cancel().
 */


#include "ngx_http_amt.h"
#include "call/ngx_amt_call.h"
#include "ngx_amt_wipe.h"


typedef struct {
    ngx_http_connection_t        hc;         /* first: c->data before r */
    ngx_http_log_ctx_t           log_ctx;
    ngx_amt_call_conf_t         *conf;
    ngx_connection_t            *connection;
    ngx_http_request_t          *request;    /* main */
    ngx_amt_flow_t              *flow;       /* NULL: nobody waits */
    uint64_t                     seq;
    ngx_amt_call_result_t       *result;
    ngx_http_post_subrequest_t   ps;
    ngx_event_t                  timer;
    unsigned                     kept:1;     /* result is filled */
} ngx_amt_call_t;


static ngx_amt_call_t *ngx_amt_call_connect(ngx_amt_call_conf_t *conf);
static ngx_int_t ngx_amt_call_request(ngx_amt_call_t *call,
    ngx_amt_call_request_t *req);
static ngx_int_t ngx_amt_call_subrequest(ngx_amt_call_t *call,
    ngx_amt_call_request_t *req);
static ngx_int_t ngx_amt_call_body(ngx_http_request_t *sr, ngx_str_t *body);
static ngx_int_t ngx_amt_call_dup(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t *src);
static ngx_int_t ngx_amt_call_post(ngx_http_request_t *sr, void *data,
    ngx_int_t rc);
static void ngx_amt_call_keep(ngx_amt_call_t *call, ngx_http_request_t *sr,
    ngx_int_t rc);
static void ngx_amt_call_done(ngx_http_request_t *r);
static void ngx_amt_call_cleanup(void *data);
static void ngx_amt_call_cancel(void *data);
static void ngx_amt_call_abort(ngx_amt_call_t *call);
static void ngx_amt_call_wake(ngx_amt_call_t *call);
static void ngx_amt_call_timer_handler(ngx_event_t *ev);
static void ngx_amt_call_event_handler(ngx_event_t *ev);
static void ngx_amt_call_empty_handler(ngx_http_request_t *r);
static u_char *ngx_amt_call_log_error(ngx_log_t *log, u_char *buf,
    size_t len);


/* Its address marks the answer of a content handler. */

static ngx_uint_t            ngx_amt_call_mark;

static ngx_amt_call_stats_t  ngx_amt_call_counters;


static const struct {
    ngx_uint_t  method;
    ngx_str_t   name;
} ngx_amt_call_methods[] = {
    { NGX_HTTP_GET, ngx_string("GET") },
    { NGX_HTTP_POST, ngx_string("POST") },
    { NGX_HTTP_PUT, ngx_string("PUT") },
    { NGX_HTTP_PATCH, ngx_string("PATCH") },
    { NGX_HTTP_DELETE, ngx_string("DELETE") },
    { NGX_AMT_CALL_LIST, ngx_string("LIST") }
};


ngx_int_t
ngx_amt_call_http(ngx_amt_flow_t *f, ngx_amt_call_conf_t *conf,
    ngx_amt_call_request_t *req, ngx_amt_call_result_t *result)
{
    ngx_amt_call_t    *call;
    ngx_connection_t  *c;

    ngx_memzero(result, sizeof(ngx_amt_call_result_t));

    call = ngx_amt_call_connect(conf);
    if (call == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "no connection or memory for a call to %s",
                                  req->what);
    }

    c = call->connection;

    if (ngx_amt_call_request(call, req) != NGX_OK) {
        ngx_http_close_connection(c);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "no memory for a call to %s", req->what);
    }

    if (ngx_amt_call_subrequest(call, req) != NGX_OK) {
        ngx_amt_call_abort(call);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "no memory for a call to %s", req->what);
    }

    call->result = result;
    call->flow = f;
    call->seq = ngx_amt_flow_wait(f, req->what, ngx_amt_call_cancel, call);

    ngx_amt_call_counters.started++;

    ngx_add_timer(&call->timer, req->timeout);

    ngx_http_run_posted_requests(c);

    /* the call, and the connection, may be gone */

    return NGX_AGAIN;
}


/*
 * A connection on a socket that is bound to nothing and never talks.  It is a
 * real one because nginx adds it to epoll, peeks at it and closes it.
 */

static ngx_amt_call_t *
ngx_amt_call_connect(ngx_amt_call_conf_t *conf)
{
    ngx_log_t         *log;
    ngx_socket_t       s;
    ngx_amt_call_t    *call;
    ngx_connection_t  *c;

    s = socket(AF_UNIX, SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, ngx_socket_errno,
                      ngx_socket_n " failed for a detached call");
        return NULL;
    }

    c = ngx_get_connection(s, ngx_cycle->log);

    if (c == NULL) {
        if (ngx_close_socket(s) == -1) {
            ngx_log_error(NGX_LOG_ALERT, ngx_cycle->log, ngx_socket_errno,
                          ngx_close_socket_n " failed");
        }

        return NULL;
    }

    c->pool = ngx_create_pool(1024, ngx_cycle->log);
    if (c->pool == NULL) {
        ngx_close_connection(c);
        return NULL;
    }

    log = ngx_palloc(c->pool, sizeof(ngx_log_t));
    call = ngx_pcalloc(c->pool, sizeof(ngx_amt_call_t));
    c->buffer = ngx_create_temp_buf(c->pool, 1);

    if (log == NULL || call == NULL || c->buffer == NULL) {
        ngx_destroy_pool(c->pool);
        ngx_close_connection(c);
        return NULL;
    }

    *log = *ngx_cycle->log;

    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    call->conf = conf;
    call->connection = c;
    call->log_ctx.connection = c;

    log->connection = c->number;
    log->handler = ngx_amt_call_log_error;
    log->data = &call->log_ctx;
    log->action = NULL;

    c->pool->log = log;
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->log_error = NGX_ERROR_INFO;

    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;

    c->read->handler = ngx_amt_call_event_handler;
    c->write->handler = ngx_amt_call_event_handler;
    c->write->ready = 1;

    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;

    /* of the configuration: they outlive the connection */

    c->listening = &conf->listening;
    c->sockaddr = (struct sockaddr *) &conf->sockaddr;
    c->socklen = sizeof(struct sockaddr_un);
    c->local_sockaddr = c->sockaddr;
    c->local_socklen = c->socklen;
    c->addr_text = conf->listening.addr_text;

    call->hc.addr_conf = &conf->addr_conf;
    call->hc.conf_ctx = conf->ctx;

    c->data = &call->hc;

    call->timer.handler = ngx_amt_call_timer_handler;
    call->timer.data = c;
    call->timer.log = log;
    call->timer.cancelable = 1;          /* the flow holds the worker */

    return call;
}


static ngx_int_t
ngx_amt_call_request(ngx_amt_call_t *call, ngx_amt_call_request_t *req)
{
    ngx_connection_t     *c;
    ngx_http_cleanup_t   *cln;
    ngx_http_request_t   *r;

    c = call->connection;

    r = ngx_http_create_request(c);
    if (r == NULL) {
        return NGX_ERROR;
    }

    c->data = r;
    call->request = r;

    /* nothing of it is logged, redirected or continued */

    r->logged = 1;
    r->internal = 1;
    r->post_action = 1;
    r->uri_changes = 0;

    r->http_version = NGX_HTTP_VERSION_11;
    ngx_str_set(&r->http_protocol, "HTTP/1.1");
    ngx_str_set(&r->schema, "http");

    r->read_event_handler = ngx_amt_call_empty_handler;
    r->write_event_handler = ngx_amt_call_empty_handler;

    ngx_http_set_ctx(r, call, ngx_http_amt_module);

    /*
     * A call carries the token, passwords and keys in request, answer and
     * variables, that is anywhere in its pool.
     */

    if (ngx_amt_wipe_pool_later(r->pool) != NGX_OK) {
        goto failed;
    }

    if (ngx_list_init(&r->headers_in.headers, r->pool, 1,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        goto failed;
    }

    if (ngx_amt_call_dup(r->pool, &r->uri, &req->uri) != NGX_OK
        || ngx_amt_call_dup(r->pool, &r->args, &req->args) != NGX_OK)
    {
        goto failed;
    }

    r->unparsed_uri = r->uri;
    r->method = NGX_HTTP_GET;
    r->method_name = ngx_http_core_get_method;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        goto failed;
    }

    cln->handler = ngx_amt_call_cleanup;
    cln->data = call;

    ngx_amt_call_counters.active++;

    return NGX_OK;

failed:

    /* closing the connection is the caller's */

    ngx_http_free_request(r, 0);

    return NGX_ERROR;
}


static ngx_int_t
ngx_amt_call_subrequest(ngx_amt_call_t *call, ngx_amt_call_request_t *req)
{
    ngx_uint_t           i;
    ngx_http_request_t  *r, *sr;

    r = call->request;

    call->ps.handler = ngx_amt_call_post;
    call->ps.data = call;

    if (ngx_http_subrequest(r, &r->uri, r->args.len ? &r->args : NULL, &sr,
                            &call->ps,
                            NGX_HTTP_SUBREQUEST_IN_MEMORY
                            |NGX_HTTP_SUBREQUEST_WAITED)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    /*
     * It runs with ngx_http_run_posted_requests(), so there is time to give
     * it headers of its own (the copied list shares its last part with the
     * parent's), a method and a body.
     */

    ngx_memzero(&sr->headers_in, sizeof(ngx_http_headers_in_t));
    sr->headers_in.content_length_n = -1;
    sr->headers_in.keep_alive_n = -1;

    if (ngx_list_init(&sr->headers_in.headers, sr->pool, 2,
                      sizeof(ngx_table_elt_t))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    for (i = 0; ngx_amt_call_methods[i].method != req->method; i++) {
        if (i == sizeof(ngx_amt_call_methods)
                 / sizeof(ngx_amt_call_methods[0]) - 1)
        {
            return NGX_ERROR;
        }
    }

    sr->method = req->method ? req->method : NGX_HTTP_UNKNOWN;
    sr->method_name = ngx_amt_call_methods[i].name;

    return ngx_amt_call_body(sr, &req->body);
}


static ngx_int_t
ngx_amt_call_body(ngx_http_request_t *sr, ngx_str_t *body)
{
    ngx_buf_t                *b;
    ngx_chain_t              *cl;
    ngx_table_elt_t          *h;
    ngx_http_request_body_t  *rb;

    rb = ngx_pcalloc(sr->pool, sizeof(ngx_http_request_body_t));
    if (rb == NULL) {
        return NGX_ERROR;
    }

    sr->request_body = rb;

    if (body->len == 0) {
        return NGX_OK;
    }

    b = ngx_create_temp_buf(sr->pool, body->len);
    cl = ngx_alloc_chain_link(sr->pool);
    h = ngx_list_push(&sr->headers_in.headers);

    if (b == NULL || cl == NULL || h == NULL) {
        return NGX_ERROR;
    }

    b->last = ngx_cpymem(b->last, body->data, body->len);
    b->last_buf = 1;

    cl->buf = b;
    cl->next = NULL;

    rb->bufs = cl;
    rb->buf = b;

    ngx_memzero(h, sizeof(ngx_table_elt_t));
    h->hash = 1;
    ngx_str_set(&h->key, "Content-Type");
    ngx_str_set(&h->value, "application/json");
    h->lowcase_key = (u_char *) "content-type";

    sr->headers_in.content_type = h;
    sr->headers_in.content_length_n = body->len;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_call_dup(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src)
{
    dst->len = src->len;

    if (src->len == 0) {
        dst->data = NULL;
        return NGX_OK;
    }

    dst->data = ngx_pstrdup(pool, src);

    return dst->data ? NGX_OK : NGX_ERROR;
}


/*
 * Always NGX_OK: any other value makes nginx build a response of its own.
 * The flow is not resumed here, deep in sr's upstream, but by r.
 */

static ngx_int_t
ngx_amt_call_post(ngx_http_request_t *sr, void *data, ngx_int_t rc)
{
    ngx_amt_call_t *call = data;

    sr->parent->write_event_handler = ngx_amt_call_done;

    if (call->flow && !call->kept) {
        call->kept = 1;
        ngx_amt_call_keep(call, sr, rc);
    }

    return NGX_OK;
}


static void
ngx_amt_call_keep(ngx_amt_call_t *call, ngx_http_request_t *sr, ngx_int_t rc)
{
    off_t                   left;
    ngx_buf_t              *b;
    ngx_http_upstream_t    *u;
    ngx_amt_call_result_t  *result;

    result = call->result;
    result->rc = rc;

    u = sr->upstream;

    if (rc == NGX_HTTP_BAD_GATEWAY) {
        result->error = "no connection, or broken answer";
        return;
    }

    if (rc == NGX_HTTP_GATEWAY_TIME_OUT) {
        result->error = "timed out";
        return;
    }

    if (rc == NGX_ERROR) {
        result->error = "answer larger than subrequest_output_buffer_size, "
                        "or no memory";
        return;
    }

    if (rc != NGX_OK) {
        result->error = "nginx answered itself";
        return;
    }

    if (ngx_http_get_module_ctx(sr, ngx_http_amt_module)
        == &ngx_amt_call_mark)
    {
        result->status = sr->headers_out.status;

    } else if (u == NULL) {
        result->error = "nginx answered itself";
        return;

    } else if (u->headers_in.status_n == 0) {
        result->error = "not an HTTP answer";
        return;

    } else {
        left = (u->buffering && u->pipe) ? u->pipe->length : u->length;

        if (left != 0) {
            result->error = "answer was cut";
            return;
        }

        result->status = u->headers_in.status_n;
    }

    b = sr->out ? sr->out->buf : NULL;

    result->body.len = b ? b->last - b->pos : 0;
    result->body.data = ngx_alloc(result->body.len + 1, call->connection->log);

    if (result->body.data == NULL) {
        result->body.len = 0;
        result->error = "no memory";
        return;
    }

    if (b) {
        ngx_memcpy(result->body.data, b->pos, result->body.len);
    }

    result->body.data[result->body.len] = '\0';
    result->complete = 1;
}


/* r runs after sr has been finalized. */

static void
ngx_amt_call_done(ngx_http_request_t *r)
{
    ngx_amt_call_t  *call;

    call = ngx_http_get_module_ctx(r, ngx_http_amt_module);

    r->write_event_handler = ngx_amt_call_empty_handler;

    ngx_amt_call_wake(call);

    /* no lingering on a socket that has no peer */

    r->connection->read->eof = 1;

    ngx_http_finalize_request(r, NGX_DONE);
}


/* Runs once, whichever way the call ends. */

static void
ngx_amt_call_cleanup(void *data)
{
    ngx_amt_call_t *call = data;

    if (call->timer.timer_set) {
        ngx_del_timer(&call->timer);
    }

    ngx_amt_call_counters.active--;

    ngx_amt_call_wake(call);
}


static void
ngx_amt_call_wake(ngx_amt_call_t *call)
{
    ngx_amt_flow_t         *f;
    ngx_amt_call_result_t  *result;

    f = call->flow;

    if (f == NULL) {
        return;
    }

    result = call->result;

    call->flow = NULL;
    call->result = NULL;

    if (!result->complete) {
        ngx_amt_call_counters.unanswered++;

        if (result->error == NULL) {
            result->error = "aborted";
        }
    }

    ngx_amt_flow_wake(f, call->seq, NGX_OK);
}


static void
ngx_amt_call_cancel(void *data)
{
    ngx_amt_call_t *call = data;

    call->flow = NULL;
    call->result = NULL;

    ngx_amt_call_abort(call);
}


static void
ngx_amt_call_abort(ngx_amt_call_t *call)
{
    ngx_connection_t  *c;

    c = call->connection;

    ngx_http_finalize_request(call->request, NGX_HTTP_CLIENT_CLOSED_REQUEST);
    ngx_http_run_posted_requests(c);
}


static void
ngx_amt_call_timer_handler(ngx_event_t *ev)
{
    ngx_amt_call_t      *call;
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ev->data;
    r = c->data;
    call = ngx_http_get_module_ctx(r->main, ngx_http_amt_module);

    ev->timedout = 0;

    if (call->flow && !call->kept) {
        call->kept = 1;
        call->result->error = "timed out";
    }

    ngx_amt_call_abort(call);
}


/* The private connection has no peer: only nginx's own signs arrive. */

static void
ngx_amt_call_event_handler(ngx_event_t *ev)
{
    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    c = ev->data;
    ev->timedout = 0;

    if (c->close) {
        r = c->data;
        ngx_amt_call_abort(ngx_http_get_module_ctx(r->main,
                                                   ngx_http_amt_module));
    }
}


static void
ngx_amt_call_empty_handler(ngx_http_request_t *r)
{
    ngx_log_debug0(NGX_LOG_DEBUG_HTTP, r->connection->log, 0,
                   "amt call empty handler");
}


void
ngx_amt_call_wipe(ngx_amt_call_result_t *result)
{
    if (result->body.data) {
        ngx_explicit_memzero(result->body.data, result->body.len);
        ngx_free(result->body.data);

        ngx_str_null(&result->body);
    }
}


void
ngx_amt_call_answer(ngx_http_request_t *r)
{
    ngx_http_set_ctx(r, &ngx_amt_call_mark, ngx_http_amt_module);
}


ngx_uint_t
ngx_amt_call_is(ngx_http_request_t *r)
{
    return r != r->main
           && ngx_http_get_module_ctx(r->main, ngx_http_amt_module) != NULL;
}


void
ngx_amt_call_stats(ngx_amt_call_stats_t *stats)
{
    *stats = ngx_amt_call_counters;
}


static u_char *
ngx_amt_call_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char              *p;
    ngx_http_request_t  *r;
    ngx_http_log_ctx_t  *ctx;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    ctx = log->data;
    r = ctx->request;

    p = ngx_snprintf(buf, len, ", detached call");
    len -= p - buf;

    return r ? r->log_handler(r, ctx->current_request, p, len) : p;
}
