
/*
 * libcurl on nginx's event loop.
 *
 * Rules learnt the hard way: libcurl does not drain sockets, so events are
 * level-triggered; CURL_POLL_REMOVE frees the nginx connection but never the
 * descriptor, and comes too late for a socket that was closed before it was
 * connected, whose number may be another one's by then; a timer of 0 is a
 * posted event, since libcurl must not be entered from its own callbacks; a
 * connection closed by worker_shutdown_timeout removes its transfer.  libcurl
 * never resolves a name: addresses are fixed when nginx reads its
 * configuration.  It leaves errors of TLS in OpenSSL's queue, which nginx
 * would find at its next connection.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <curl/curl.h>
#include "ngx_cira_http.h"
#include "ngx_cira_http_memory.h"


#define NGX_CIRA_HTTP_CONNECTIONS  32


struct ngx_cira_http_s {
    CURL               *easy;
    ngx_queue_t         queue;
    ngx_cira_http_pt    handler;
    void               *data;
    ngx_log_t          *log;
    ngx_str_t           request;
    u_char             *answer;
    size_t              size;
    size_t              cap;
    struct curl_slist  *connect_to;
    struct curl_slist  *resolve;
    struct curl_slist  *headers;         /* NULL: the usual ones */
    time_t             *retry_after;
    unsigned            added:1;
    unsigned            status_only:1;
};


typedef struct {
    CURLM              *multi;
    struct curl_slist  *headers;
    ngx_event_t         timer;
    ngx_event_t         done;            /* posted: collect results */
    ngx_connection_t    dummy;           /* for debug logging of events */
    ngx_queue_t         transfers;
    ngx_uint_t          users;
    ngx_log_t          *log;
    unsigned            aborted:1;       /* our socket function failed */
} ngx_cira_http_ctx_t;


static ngx_int_t ngx_cira_http_headers(ngx_cira_http_t *http,
    const char **headers);
static ngx_int_t ngx_cira_http_options(ngx_cira_http_t *http,
    ngx_cira_http_request_t *req);
static ngx_uint_t ngx_cira_http_same(ngx_connection_t *c);
static int ngx_cira_http_socket(CURL *easy, curl_socket_t s, int what,
    void *data, void *socket_data);
static int ngx_cira_http_timer(CURLM *multi, long ms, void *data);
static size_t ngx_cira_http_write(char *p, size_t size, size_t n, void *data);
static void ngx_cira_http_event(ngx_event_t *ev);
static void ngx_cira_http_timer_event(ngx_event_t *ev);
static void ngx_cira_http_act(ngx_cira_http_ctx_t *ctx, curl_socket_t s,
    int mask);
static void ngx_cira_http_done(ngx_event_t *ev);
static void ngx_cira_http_abort(ngx_cira_http_ctx_t *ctx);
static void ngx_cira_http_finish(ngx_cira_http_t *http, ngx_int_t rc,
    ngx_uint_t status, ngx_str_t *body);
static void ngx_cira_http_free(ngx_cira_http_t *http);


/* of this worker; NULL outside of init_process .. exit_process */
static ngx_cira_http_ctx_t  *ngx_cira_http_ctx;


const ngx_cira_http_api_t  ngx_cira_http_api = {
    ngx_cira_http_parse_url,
    ngx_cira_http_init,
    ngx_cira_http_exit,
    ngx_cira_http_send,
    ngx_cira_http_cancel
};


ngx_int_t
ngx_cira_http_init(ngx_cycle_t *cycle)
{
    ngx_cira_http_ctx_t  *ctx;

    if (ngx_cira_http_ctx) {
        ngx_cira_http_ctx->users++;
        return NGX_OK;
    }

    if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, ngx_cira_http_malloc,
                             ngx_cira_http_mfree, ngx_cira_http_realloc,
                             ngx_cira_http_strdup, ngx_cira_http_calloc)
        != CURLE_OK)
    {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0,
                      "curl_global_init_mem() failed");
        return NGX_ERROR;
    }

    ctx = ngx_pcalloc(cycle->pool, sizeof(ngx_cira_http_ctx_t));
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    ctx->multi = curl_multi_init();
    ctx->headers = curl_slist_append(NULL, "Content-Type: application/json");
    if (ctx->headers) {
        curl_slist_append(ctx->headers, "Expect:");
    }

    if (ctx->multi == NULL || ctx->headers == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "curl: out of memory");
        return NGX_ERROR;
    }

    ngx_queue_init(&ctx->transfers);
    ctx->users = 1;
    ctx->log = cycle->log;

    ctx->dummy.fd = (ngx_socket_t) -1;

    ctx->timer.handler = ngx_cira_http_timer_event;
    ctx->timer.data = &ctx->dummy;
    ctx->timer.log = cycle->log;

    ctx->done.handler = ngx_cira_http_done;
    ctx->done.data = &ctx->dummy;
    ctx->done.log = cycle->log;

    curl_multi_setopt(ctx->multi, CURLMOPT_SOCKETFUNCTION,
                      ngx_cira_http_socket);
    curl_multi_setopt(ctx->multi, CURLMOPT_SOCKETDATA, ctx);
    curl_multi_setopt(ctx->multi, CURLMOPT_TIMERFUNCTION,
                      ngx_cira_http_timer);
    curl_multi_setopt(ctx->multi, CURLMOPT_TIMERDATA, ctx);
    curl_multi_setopt(ctx->multi, CURLMOPT_MAX_HOST_CONNECTIONS,
                      (long) NGX_CIRA_HTTP_CONNECTIONS);
    curl_multi_setopt(ctx->multi, CURLMOPT_MAXCONNECTS,
                      (long) NGX_CIRA_HTTP_CONNECTIONS);

    ngx_cira_http_ctx = ctx;

    return NGX_OK;
}


void
ngx_cira_http_exit(ngx_cycle_t *cycle)
{
    ngx_queue_t          *q;
    ngx_cira_http_t      *http;
    ngx_cira_http_ctx_t  *ctx;

    ctx = ngx_cira_http_ctx;
    if (ctx == NULL || --ctx->users) {
        return;
    }

    while (!ngx_queue_empty(&ctx->transfers)) {
        q = ngx_queue_head(&ctx->transfers);
        http = ngx_queue_data(q, ngx_cira_http_t, queue);
        ngx_cira_http_free(http);
    }

    curl_multi_cleanup(ctx->multi);
    curl_slist_free_all(ctx->headers);
    curl_global_cleanup();

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ngx_cira_http_ctx = NULL;
}


ngx_cira_http_t *
ngx_cira_http_post(ngx_cira_http_url_t *url, ngx_str_t *body,
    ngx_msec_t timeout, size_t cap, ngx_cira_http_pt handler, void *data,
    ngx_log_t *log)
{
    ngx_cira_http_request_t  req;

    ngx_memzero(&req, sizeof(ngx_cira_http_request_t));

    req.url = url;
    req.body = *body;
    req.timeout = timeout;
    req.cap = cap;
    req.handler = handler;
    req.data = data;

    return ngx_cira_http_send(&req, log);
}


ngx_cira_http_t *
ngx_cira_http_send(ngx_cira_http_request_t *req, ngx_log_t *log)
{
    ngx_cira_http_t      *http;
    ngx_cira_http_ctx_t  *ctx;

    ctx = ngx_cira_http_ctx;
    if (ctx == NULL) {
        return NULL;
    }

    http = ngx_calloc(sizeof(ngx_cira_http_t), log);
    if (http == NULL) {
        return NULL;
    }

    ngx_queue_insert_tail(&ctx->transfers, &http->queue);

    http->handler = req->handler;
    http->data = req->data;
    http->log = log;
    http->cap = req->cap;
    http->status_only = req->status_only ? 1 : 0;
    http->retry_after = req->retry_after;

    http->easy = curl_easy_init();
    http->answer = ngx_alloc(req->cap + 1, log);
    http->request.data = ngx_alloc(req->body.len + 1, log);

    if (http->easy == NULL || http->answer == NULL
        || http->request.data == NULL)
    {
        ngx_cira_http_free(http);
        return NULL;
    }

    ngx_memcpy(http->request.data, req->body.data, req->body.len);
    http->request.len = req->body.len;

    if (ngx_cira_http_headers(http, req->headers) != NGX_OK
        || ngx_cira_http_options(http, req) != NGX_OK
        || curl_multi_add_handle(ctx->multi, http->easy) != CURLM_OK)
    {
        ngx_log_error(NGX_LOG_ERR, log, 0, "curl refused a request to \"%s\"",
                      req->url->url);
        ngx_cira_http_free(http);
        return NULL;
    }

    http->added = 1;

    return http;
}


static ngx_int_t
ngx_cira_http_headers(ngx_cira_http_t *http, const char **headers)
{
    struct curl_slist  *list;

    if (headers == NULL) {
        return NGX_OK;
    }

    http->headers = curl_slist_append(NULL, "Expect:");

    if (http->headers == NULL) {
        return NGX_ERROR;
    }

    for ( /* void */ ; *headers; headers++) {

        list = curl_slist_append(http->headers, *headers);
        if (list == NULL) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_cira_http_options(ngx_cira_http_t *http, ngx_cira_http_request_t *req)
{
    CURL                 *e;
    ngx_int_t             bad;
    ngx_cira_http_url_t  *url;

    e = http->easy;
    url = req->url;
    bad = 0;

    bad |= curl_easy_setopt(e, CURLOPT_PRIVATE, http);
    bad |= curl_easy_setopt(e, CURLOPT_URL, url->url);
    bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR,
                            url->https ? "https" : "http");
    bad |= curl_easy_setopt(e, CURLOPT_PROXY, "");
    bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    bad |= curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L);
    bad |= curl_easy_setopt(e, CURLOPT_HTTP_VERSION,
                            (long) CURL_HTTP_VERSION_1_1);
    bad |= curl_easy_setopt(e, CURLOPT_HTTPHEADER,
                            http->headers ? http->headers
                                          : ngx_cira_http_ctx->headers);
    bad |= curl_easy_setopt(e, CURLOPT_POST, 1L);
    bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDS, http->request.data);
    bad |= curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE,
                            (curl_off_t) http->request.len);
    bad |= curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, ngx_cira_http_write);
    bad |= curl_easy_setopt(e, CURLOPT_WRITEDATA, http);
    bad |= curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long) req->timeout);
    bad |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long) req->timeout);

    if (url->https) {
        bad |= curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
        bad |= curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
        bad |= curl_easy_setopt(e, CURLOPT_SSLVERSION,
                                (long) CURL_SSLVERSION_TLSv1_2);

        if (url->ca) {
            bad |= curl_easy_setopt(e, CURLOPT_CAINFO, url->ca);
            bad |= curl_easy_setopt(e, CURLOPT_CAPATH, NULL);
        }
    }

    if (url->path) {
        bad |= curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, url->path);

    } else {
        http->connect_to = curl_slist_append(NULL, url->connect_to);
        bad |= curl_easy_setopt(e, CURLOPT_CONNECT_TO, http->connect_to);
        bad |= (http->connect_to == NULL);

        http->resolve = curl_slist_append(NULL, url->resolve);
        bad |= curl_easy_setopt(e, CURLOPT_RESOLVE, http->resolve);
        bad |= (http->resolve == NULL);
    }

    return bad ? NGX_ERROR : NGX_OK;
}


void
ngx_cira_http_cancel(ngx_cira_http_t *http)
{
    /* after the worker's exit all transfers are gone already */

    if (ngx_cira_http_ctx) {
        ngx_cira_http_free(http);
    }
}


static void
ngx_cira_http_free(ngx_cira_http_t *http)
{
    ngx_queue_remove(&http->queue);

    if (http->easy) {
        if (http->added) {
            curl_multi_remove_handle(ngx_cira_http_ctx->multi, http->easy);
        }

        curl_easy_cleanup(http->easy);
        ERR_clear_error();
    }

    if (http->connect_to) {
        curl_slist_free_all(http->connect_to);
    }

    if (http->resolve) {
        curl_slist_free_all(http->resolve);
    }

    if (http->headers) {
        curl_slist_free_all(http->headers);
    }

    if (http->request.data) {
        OPENSSL_cleanse(http->request.data, http->request.len);
        ngx_free(http->request.data);
    }

    if (http->answer) {
        OPENSSL_cleanse(http->answer, http->size);
        ngx_free(http->answer);
    }

    ngx_free(http);
}


static void
ngx_cira_http_finish(ngx_cira_http_t *http, ngx_int_t rc, ngx_uint_t status,
    ngx_str_t *body)
{
    void              *data;
    ngx_cira_http_pt   handler;

    handler = http->handler;
    data = http->data;

    /*
     * The transfer leaves libcurl before the handler runs: the handler may
     * start another one, which then can reuse the connection.
     */

    if (http->added) {
        curl_multi_remove_handle(ngx_cira_http_ctx->multi, http->easy);
        http->added = 0;
        ERR_clear_error();
    }

    handler(data, rc, status, body);

    ngx_cira_http_free(http);
}


static size_t
ngx_cira_http_write(char *p, size_t size, size_t n, void *data)
{
    ngx_cira_http_t *http = data;

    if (n > http->cap - http->size) {
        return 0;
    }

    ngx_memcpy(http->answer + http->size, p, n);
    http->size += n;

    return n;
}


/*
 * Whether the descriptor still is the socket that was registered; remembers
 * the socket when it is not.
 */

static ngx_uint_t
ngx_cira_http_same(ngx_connection_t *c)
{
    struct stat        sb;
    ngx_atomic_uint_t  old;

    old = c->number;
    c->number = (fstat(c->fd, &sb) == 0) ? (ngx_atomic_uint_t) sb.st_ino : 0;

    return c->number && c->number == old;
}


/* libcurl says which events it wants on one of its sockets */

static int
ngx_cira_http_socket(CURL *easy, curl_socket_t s, int what, void *data,
    void *socket_data)
{
    ngx_cira_http_ctx_t *ctx = data;

    ngx_uint_t         flags;
    ngx_event_t       *rev, *wev;
    ngx_connection_t  *c;

    c = socket_data;

    if (c) {

        /* the kernel has forgotten what belonged to a closed one */

        flags = ngx_cira_http_same(c) ? 0 : NGX_CLOSE_EVENT;

        if (c->read->active && (flags || what == CURL_POLL_REMOVE)) {
            (void) ngx_del_event(c->read, NGX_READ_EVENT, flags);
        }

        if (c->write->active && (flags || what == CURL_POLL_REMOVE)) {
            (void) ngx_del_event(c->write, NGX_WRITE_EVENT, flags);
        }
    }

    if (what == CURL_POLL_REMOVE) {
        if (c == NULL) {
            return 0;
        }

        rev = c->read;
        wev = c->write;

        if (rev->posted) {
            ngx_delete_posted_event(rev);
        }

        if (wev->posted) {
            ngx_delete_posted_event(wev);
        }

        ngx_free_connection(c);
        c->fd = (ngx_socket_t) -1;

        (void) curl_multi_assign(ctx->multi, s, NULL);

        return 0;
    }

    if (c == NULL) {
        c = ngx_get_connection(s, ctx->log);
        if (c == NULL) {
            return -1;
        }

        c->log = ctx->log;
        c->read->log = ctx->log;
        c->write->log = ctx->log;
        c->read->handler = ngx_cira_http_event;
        c->write->handler = ngx_cira_http_event;

        (void) ngx_cira_http_same(c);

        if (curl_multi_assign(ctx->multi, s, c) != CURLM_OK) {
            ngx_free_connection(c);
            c->fd = (ngx_socket_t) -1;
            return -1;
        }
    }

    c->data = easy;
    rev = c->read;
    wev = c->write;

    if ((what & CURL_POLL_IN) && !rev->active) {
        if (ngx_add_event(rev, NGX_READ_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
            return -1;
        }

    } else if (!(what & CURL_POLL_IN) && rev->active) {
        if (ngx_del_event(rev, NGX_READ_EVENT, 0) != NGX_OK) {
            return -1;
        }
    }

    if ((what & CURL_POLL_OUT) && !wev->active) {
        if (ngx_add_event(wev, NGX_WRITE_EVENT, NGX_LEVEL_EVENT) != NGX_OK) {
            return -1;
        }

    } else if (!(what & CURL_POLL_OUT) && wev->active) {
        if (ngx_del_event(wev, NGX_WRITE_EVENT, 0) != NGX_OK) {
            return -1;
        }
    }

    return 0;
}


static int
ngx_cira_http_timer(CURLM *multi, long ms, void *data)
{
    ngx_cira_http_ctx_t *ctx = data;

    if (ms < 0) {
        if (ctx->timer.timer_set) {
            ngx_del_timer(&ctx->timer);
        }

        if (ctx->timer.posted) {
            ngx_delete_posted_event(&ctx->timer);
        }

        return 0;
    }

    if (ms == 0) {
        if (ctx->timer.timer_set) {
            ngx_del_timer(&ctx->timer);
        }

        ngx_post_event(&ctx->timer, &ngx_posted_events);

        return 0;
    }

    if (ctx->timer.timer_set) {
        ngx_del_timer(&ctx->timer);
    }

    ngx_add_timer(&ctx->timer, (ngx_msec_t) ms);

    return 0;
}


static void
ngx_cira_http_timer_event(ngx_event_t *ev)
{
    ngx_cira_http_ctx_t  *ctx;

    ctx = ngx_cira_http_ctx;
    if (ctx == NULL) {
        return;
    }

    ev->timedout = 0;

    ngx_cira_http_act(ctx, CURL_SOCKET_TIMEOUT, 0);
}


static void
ngx_cira_http_event(ngx_event_t *ev)
{
    int                   mask;
    char                 *private;
    ngx_str_t             text;
    ngx_cira_http_t      *http;
    ngx_connection_t     *c;
    ngx_cira_http_ctx_t  *ctx;

    ctx = ngx_cira_http_ctx;
    c = ev->data;

    if (ctx == NULL) {
        return;
    }

    if (c->close) {

        /* worker_shutdown_timeout: whatever uses this socket has failed */

        if (curl_easy_getinfo((CURL *) c->data, CURLINFO_PRIVATE, &private)
            == CURLE_OK && private)
        {
            http = (ngx_cira_http_t *) private;
            ngx_str_set(&text, "worker is shutting down");
            ngx_cira_http_finish(http, NGX_ERROR, 0, &text);
        }

        return;
    }

    mask = ev->write ? CURL_CSELECT_OUT : CURL_CSELECT_IN;

    ngx_cira_http_act(ctx, c->fd, mask);
}


static void
ngx_cira_http_act(ngx_cira_http_ctx_t *ctx, curl_socket_t s, int mask)
{
    int        running;
    CURLMcode  code;

    code = curl_multi_socket_action(ctx->multi, s, mask, &running);

    ERR_clear_error();

    if (code == CURLM_ABORTED_BY_CALLBACK) {
        ctx->aborted = 1;
    }

    ngx_post_event(&ctx->done, &ngx_posted_events);
}


static void
ngx_cira_http_done(ngx_event_t *ev)
{
    int                   left;
    long                  status;
    char                 *private;
    CURLMsg              *msg;
    CURLcode              code;
    curl_off_t            after;
    ngx_str_t             body;
    ngx_cira_http_t      *http;
    ngx_cira_http_ctx_t  *ctx;

    /* the context is looked up each time: a handler may end everything */

    while ((ctx = ngx_cira_http_ctx) != NULL
           && (msg = curl_multi_info_read(ctx->multi, &left)) != NULL)
    {
        if (msg->msg != CURLMSG_DONE) {
            continue;
        }

        code = msg->data.result;
        private = NULL;
        status = 0;

        (void) curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE,
                                 &private);
        (void) curl_easy_getinfo(msg->easy_handle, CURLINFO_RESPONSE_CODE,
                                 &status);

        http = (ngx_cira_http_t *) private;
        if (http == NULL) {
            continue;
        }

        if (http->retry_after) {
            after = 0;
            (void) curl_easy_getinfo(msg->easy_handle, CURLINFO_RETRY_AFTER,
                                     &after);
            *http->retry_after = (time_t) after;
        }

        if (code == CURLE_OK || (http->status_only && status >= 200)) {
            body.data = http->answer;
            body.len = http->size;
            ngx_cira_http_finish(http, NGX_OK, (ngx_uint_t) status, &body);

        } else {
            body.data = (u_char *) curl_easy_strerror(code);
            body.len = ngx_strlen(body.data);
            ngx_cira_http_finish(http, NGX_ERROR, 0, &body);
        }
    }

    if (ctx && ctx->aborted) {
        ctx->aborted = 0;
        ngx_cira_http_abort(ctx);
    }
}


/*
 * Our socket function had no connection to give: libcurl then refuses new
 * transfers until the last one in progress is gone, and goes on with those
 * only when their own events or timeouts come.  So all are ended now.
 */

static void
ngx_cira_http_abort(ngx_cira_http_ctx_t *ctx)
{
    ngx_str_t         text;
    ngx_queue_t       failed, *q;
    ngx_cira_http_t  *http;

    if (ngx_queue_empty(&ctx->transfers)) {
        return;
    }

    ngx_log_error(NGX_LOG_ERR, ctx->log, 0,
                  "no free connection for an HTTP request, "
                  "all in progress are given up");

    for (q = ngx_queue_head(&ctx->transfers);
         q != ngx_queue_sentinel(&ctx->transfers);
         q = ngx_queue_next(q))
    {
        http = ngx_queue_data(q, ngx_cira_http_t, queue);

        curl_multi_remove_handle(ctx->multi, http->easy);
        http->added = 0;
    }

    ERR_clear_error();

    /* their handlers may start new ones, and cancel each other */

    ngx_queue_init(&failed);
    ngx_queue_add(&failed, &ctx->transfers);
    ngx_queue_init(&ctx->transfers);

    ngx_str_set(&text, "no free connection");

    while (!ngx_queue_empty(&failed)) {
        q = ngx_queue_head(&failed);
        http = ngx_queue_data(q, ngx_cira_http_t, queue);

        ngx_cira_http_finish(http, NGX_ERROR, 0, &text);
    }
}
