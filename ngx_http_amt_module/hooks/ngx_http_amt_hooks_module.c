
/*
 * amt_cira_hooks: the services cira_auth and cira_notify ask, inside the same
 * nginx.  Only for POST over unix sockets, and only for peers that run as the
 * workers do or as root: nginx makes unix sockets writable for everybody.
 */


#define _GNU_SOURCE
#include "hooks/ngx_http_amt_hooks_module.h"


#define NGX_AMT_HOOKS_BUDGET  10000      /* ms, cira_auth gives up before */


typedef struct {
    ngx_http_core_srv_conf_t  *cscf;
    u_char                    *file;
    ngx_uint_t                 line;
} ngx_amt_hooks_location_t;


typedef struct {
    ngx_array_t                locations;    /* ngx_amt_hooks_location_t */
} ngx_http_amt_hooks_main_conf_t;


typedef struct {
    ngx_uint_t                 enabled;
} ngx_http_amt_hooks_loc_conf_t;


static ngx_int_t ngx_http_amt_hooks_handler(ngx_http_request_t *r);
static ngx_uint_t ngx_http_amt_hooks_trusted(ngx_http_request_t *r);
static void ngx_http_amt_hooks_body(ngx_http_request_t *r);
static ngx_int_t ngx_http_amt_hooks_start(ngx_http_request_t *r);
static ngx_int_t ngx_http_amt_hooks_read(ngx_http_request_t *r,
    ngx_str_t *body);
static void ngx_http_amt_hooks_wipe(ngx_http_request_t *r);
static void ngx_http_amt_hooks_cleanup(void *data);
static void ngx_http_amt_hooks_done(ngx_amt_flow_t *f, ngx_int_t rc,
    void *data);
static ngx_int_t ngx_http_amt_hooks_answer(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);

static ngx_int_t ngx_http_amt_hooks_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_amt_hooks_check(ngx_conf_t *cf,
    ngx_amt_hooks_location_t *location);
static void *ngx_http_amt_hooks_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_amt_hooks_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_amt_hooks_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_amt_hooks(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_amt_hooks_init_process(ngx_cycle_t *cycle);
static void ngx_http_amt_hooks_exit_process(ngx_cycle_t *cycle);


static ngx_str_t  ngx_http_amt_hooks_auth_uri = ngx_string("/_cira/auth");
static ngx_str_t  ngx_http_amt_hooks_notify_uri = ngx_string("/_cira/notify");


static ngx_command_t  ngx_http_amt_hooks_commands[] = {

    { ngx_string("amt_cira_hooks"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_amt_hooks,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_amt_hooks_module_ctx = {
    NULL,                                  /* preconfiguration */
    ngx_http_amt_hooks_postconfiguration,  /* postconfiguration */

    ngx_http_amt_hooks_create_main_conf,   /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_amt_hooks_create_loc_conf,    /* create location configuration */
    ngx_http_amt_hooks_merge_loc_conf      /* merge location configuration */
};


ngx_module_t  ngx_http_amt_hooks_module = {
    NGX_MODULE_V1,
    &ngx_http_amt_hooks_module_ctx,        /* module context */
    ngx_http_amt_hooks_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_amt_hooks_init_process,       /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_amt_hooks_exit_process,       /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_amt_hooks_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    /* a subrequest would have the credentials of somebody else */

    if (r != r->main || !ngx_http_amt_hooks_trusted(r)) {
        return NGX_HTTP_FORBIDDEN;
    }

    if (r->method != NGX_HTTP_POST) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    if ((r->uri.len != ngx_http_amt_hooks_auth_uri.len
         || ngx_memcmp(r->uri.data, ngx_http_amt_hooks_auth_uri.data,
                       r->uri.len)
            != 0)
        && (r->uri.len != ngx_http_amt_hooks_notify_uri.len
            || ngx_memcmp(r->uri.data, ngx_http_amt_hooks_notify_uri.data,
                          r->uri.len)
               != 0))
    {
        return NGX_HTTP_NOT_FOUND;
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_http_amt_hooks_body);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static ngx_uint_t
ngx_http_amt_hooks_trusted(ngx_http_request_t *r)
{
    socklen_t          len;
    struct ucred       peer;
    ngx_connection_t  *c;

    c = r->connection;

    /* not c->sockaddr, which realip and proxy_protocol may have changed */

    if (c->listening == NULL || c->listening->sockaddr->sa_family != AF_UNIX)
    {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "amt_cira_hooks was asked over a listener that is no "
                      "unix socket");
        return 0;
    }

    peer.uid = (uid_t) -1;
    len = sizeof(struct ucred);

    if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == -1
        || len != sizeof(struct ucred))
    {
        ngx_log_error(NGX_LOG_ERR, c->log, ngx_errno,
                      "getsockopt(SO_PEERCRED) failed");
        return 0;
    }

    if (peer.uid != 0 && peer.uid != geteuid()) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "amt_cira_hooks was asked by process %P of user %ui, "
                      "which is neither root nor the workers' user",
                      peer.pid, (ngx_uint_t) peer.uid);
        return 0;
    }

    return 1;
}


static void
ngx_http_amt_hooks_body(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_http_amt_hooks_start(r);

    if (rc == NGX_AGAIN) {
        /* the flow may be done and the request gone: not touched */
        return;
    }

    ngx_http_finalize_request(r, rc);
}


/* NGX_AGAIN: a flow has the request now; else the result of the request */

static ngx_int_t
ngx_http_amt_hooks_start(ngx_http_request_t *r)
{
    void                   *frame;
    ngx_int_t               rc;
    ngx_str_t               body;
    ngx_uint_t              auth;
    const char             *why;
    ngx_amt_flow_t         *f;
    ngx_http_cleanup_t     *cln;
    ngx_amt_hooks_call_t   *call;
    ngx_amt_hooks_batch_t   batch;
    ngx_amt_hooks_login_t   login;

    why = NULL;

    auth = (r->uri.len == ngx_http_amt_hooks_auth_uri.len);

    rc = ngx_http_amt_hooks_read(r, &body);

    if (rc != NGX_OK) {
        return rc;
    }

    if (auth) {
        rc = ngx_amt_hooks_login_parse(body.data, body.len, &login, &why);

    } else {
        rc = ngx_amt_hooks_batch_parse(body.data, body.len, &batch, &why);
    }

    ngx_http_amt_hooks_wipe(r);

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "amt_cira_hooks: %V: %s", &r->uri, why);
        return NGX_HTTP_BAD_REQUEST;
    }

    if (rc != NGX_OK) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    call = ngx_pcalloc(r->pool, sizeof(ngx_amt_hooks_call_t));
    cln = ngx_http_cleanup_add(r, 0);
    f = NULL;

    if (call && cln) {
        f = ngx_amt_flow_create(auth ? "cira_auth" : "cira_notify",
                                r->connection->log, NGX_AMT_HOOKS_BUDGET,
                                ngx_http_amt_hooks_done, call);
    }

    if (f == NULL) {

        if (auth) {
            ngx_amt_hooks_login_free(&login);

        } else {
            ngx_amt_hooks_batch_free(&batch);
        }

        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    call->request = r;
    call->flow = f;
    call->status = NGX_HTTP_SERVICE_UNAVAILABLE;

    cln->handler = ngx_http_amt_hooks_cleanup;
    cln->data = call;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = ngx_http_request_empty_handler;

    frame = auth ? ngx_amt_hooks_auth_frame(f, call, &login)
                 : ngx_amt_hooks_notify_frame(f, call, &batch);

    ngx_amt_flow_start(f, frame);

    return NGX_AGAIN;
}


/* The body in one piece, in memory */

static ngx_int_t
ngx_http_amt_hooks_read(ngx_http_request_t *r, ngx_str_t *body)
{
    size_t        len;
    u_char       *p;
    ngx_chain_t  *cl;

    ngx_str_null(body);

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        return NGX_HTTP_BAD_REQUEST;
    }

    if (r->request_body->temp_file) {
        /* client_body_in_file_only, refused when the configuration is read */
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (r->request_body->bufs->next == NULL) {
        body->data = r->request_body->bufs->buf->pos;
        body->len = r->request_body->bufs->buf->last - body->data;
        return NGX_OK;
    }

    for (len = 0, cl = r->request_body->bufs; cl; cl = cl->next) {
        len += cl->buf->last - cl->buf->pos;
    }

    p = ngx_pnalloc(r->pool, len + 1);
    if (p == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    body->data = p;
    body->len = len;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        len = cl->buf->last - cl->buf->pos;

        if (len) {
            p = ngx_cpymem(p, cl->buf->pos, len);
            ngx_explicit_memzero(cl->buf->pos, len);
        }
    }

    /* for ngx_http_amt_hooks_wipe() */

    r->request_body->bufs->next = NULL;
    r->request_body->bufs->buf->pos = body->data;
    r->request_body->bufs->buf->last = body->data + body->len;

    return NGX_OK;
}


static void
ngx_http_amt_hooks_wipe(ngx_http_request_t *r)
{
    ngx_buf_t  *b;

    b = r->request_body->bufs->buf;

    if (b->last != b->pos) {
        ngx_explicit_memzero(b->pos, b->last - b->pos);
    }
}


static void
ngx_http_amt_hooks_cleanup(void *data)
{
    ngx_amt_hooks_call_t *call = data;

    call->request = NULL;

    if (call->flow) {
        ngx_amt_flow_cancel(call->flow);
    }
}


static void
ngx_http_amt_hooks_done(ngx_amt_flow_t *f, ngx_int_t rc, void *data)
{
    ngx_amt_hooks_call_t *call = data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    r = call->request;
    call->flow = NULL;

    if (r == NULL) {
        return;
    }

    c = r->connection;

    if (rc != NGX_OK) {
        call->status = NGX_HTTP_SERVICE_UNAVAILABLE;
        call->answer.len = 0;
    }

    ngx_http_finalize_request(r, ngx_http_amt_hooks_answer(r, call->status,
                                                           &call->answer));
    ngx_http_run_posted_requests(c);
}


static ngx_int_t
ngx_http_amt_hooks_answer(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    ngx_int_t     rc;
    ngx_buf_t    *b;
    ngx_chain_t   out;

    if (status != NGX_HTTP_OK && status != NGX_HTTP_NO_CONTENT) {
        return status;
    }

    r->headers_out.status = status;
    r->headers_out.content_length_n = (status == NGX_HTTP_OK)
                                      ? (off_t) body->len : 0;

    if (status == NGX_HTTP_NO_CONTENT || body->len == 0) {
        r->header_only = 1;
        return ngx_http_send_header(r);
    }

    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->disable_not_modified = 1;

    /* the answer is in the flow's pool, which goes away */

    b = ngx_create_temp_buf(r->pool, body->len);
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    b->last = ngx_cpymem(b->pos, body->data, body->len);
    b->last_buf = 1;
    b->last_in_chain = 1;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static ngx_int_t
ngx_http_amt_hooks_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                       i;
    ngx_amt_hooks_location_t        *location;
    ngx_http_amt_hooks_main_conf_t  *hmcf;

    hmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_amt_hooks_module);

    location = hmcf->locations.elts;

    for (i = 0; i < hmcf->locations.nelts; i++) {
        if (ngx_http_amt_hooks_check(cf, &location[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* Every listener of the location's server{} must be a unix socket. */

static ngx_int_t
ngx_http_amt_hooks_check(ngx_conf_t *cf, ngx_amt_hooks_location_t *location)
{
    ngx_uint_t                   p, a, s;
    ngx_http_conf_port_t        *port;
    ngx_http_conf_addr_t        *addr;
    ngx_http_core_srv_conf_t   **cscf;
    ngx_http_core_main_conf_t   *cmcf;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);

    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (p = 0; p < cmcf->ports->nelts; p++) {

        if (port[p].family == AF_UNIX) {
            continue;
        }

        addr = port[p].addrs.elts;

        for (a = 0; a < port[p].addrs.nelts; a++) {

            cscf = addr[a].servers.elts;

            for (s = 0; s < addr[a].servers.nelts; s++) {

                if (cscf[s] == location->cscf) {
                    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                                  "\"amt_cira_hooks\" in %s:%ui is reachable "
                                  "through \"listen %V\", only unix sockets "
                                  "are allowed in its server",
                                  location->file, location->line,
                                  &addr[a].opt.addr_text);
                    return NGX_ERROR;
                }
            }
        }
    }

    return NGX_OK;
}


static void *
ngx_http_amt_hooks_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_amt_hooks_main_conf_t  *hmcf;

    hmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_hooks_main_conf_t));
    if (hmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&hmcf->locations, cf->pool, 1,
                       sizeof(ngx_amt_hooks_location_t))
        != NGX_OK)
    {
        return NULL;
    }

    return hmcf;
}


static void *
ngx_http_amt_hooks_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_hooks_loc_conf_t));
}


static char *
ngx_http_amt_hooks_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_amt_hooks_loc_conf_t *conf = child;

    ngx_http_core_loc_conf_t  *clcf;

    if (!conf->enabled) {
        return NGX_CONF_OK;
    }

    /* passwords are never written to a temporary file */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->client_body_in_file_only) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"client_body_in_file_only\" cannot be used with "
                           "\"amt_cira_hooks\"");
        return NGX_CONF_ERROR;
    }

    clcf->client_max_body_size = NGX_AMT_HOOKS_NOTIFY_MAX;
    clcf->client_body_buffer_size = NGX_AMT_HOOKS_NOTIFY_MAX;

    return NGX_CONF_OK;
}


static char *
ngx_http_amt_hooks(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_hooks_loc_conf_t *hlcf = conf;

    ngx_amt_hooks_location_t        *location;
    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_amt_hooks_main_conf_t  *hmcf;

    if (hlcf->enabled) {
        return "is duplicate";
    }

    hlcf->enabled = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_amt_hooks_handler;

    hmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_amt_hooks_module);

    location = ngx_array_push(&hmcf->locations);
    if (location == NULL) {
        return NGX_CONF_ERROR;
    }

    location->cscf = ngx_http_conf_get_module_srv_conf(cf,
                                                       ngx_http_core_module);
    location->file = cf->conf_file->file.name.data;
    location->line = cf->conf_file->line;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_amt_hooks_init_process(ngx_cycle_t *cycle)
{
    ngx_http_amt_hooks_main_conf_t  *hmcf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    hmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_amt_hooks_module);

    if (hmcf == NULL || hmcf->locations.nelts == 0 || ngx_worker != 0) {
        return NGX_OK;
    }

    return ngx_amt_hooks_reconcile(cycle);
}


static void
ngx_http_amt_hooks_exit_process(ngx_cycle_t *cycle)
{
    ngx_amt_hooks_reconcile_exit();
}
