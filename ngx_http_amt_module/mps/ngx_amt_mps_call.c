
/*
 * A call: its own pool and log, so that a shielded flow may outlive the
 * client; the outer frame that looks the device up, writes the audit line,
 * runs the route and turns errors into replies.  Contract mps.md sections
 * 1.2, 1.8, 2.1.
 */


#include "mps/ngx_amt_mps_call.h"
#include "mps/ngx_amt_mps_events.h"
#include "mps/ngx_amt_reply.h"
#include "mps/ngx_amt_route.h"
#include "device/ngx_amt_device.h"


static u_char *ngx_amt_mps_log(ngx_log_t *log, u_char *buf, size_t len);
static void ngx_amt_mps_cleanup(void *data);
static ngx_int_t ngx_amt_mps_copy(ngx_pool_t *pool, ngx_str_t *s);
static ngx_int_t ngx_amt_mps_guid(ngx_amt_api_t *api);
static void *ngx_amt_mps_frame(ngx_amt_flow_t *f, ngx_amt_api_t *api);
static ngx_int_t ngx_amt_mps_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_mps_connected(ngx_amt_api_t *api);
static ngx_int_t ngx_amt_mps_audit(ngx_amt_api_t *api);
static void ngx_amt_mps_done(ngx_amt_flow_t *f, ngx_int_t rc, void *data);
static void ngx_amt_mps_finalize(ngx_amt_api_t *api, ngx_http_request_t *r);


ngx_amt_api_t *
ngx_amt_mps_create(ngx_http_request_t *r, ngx_amt_mps_conf_t *conf)
{
    ngx_pool_t                *pool;
    ngx_amt_api_t             *api;
    ngx_http_cleanup_t        *cln;
    ngx_http_core_loc_conf_t  *clcf;

    cln = ngx_http_cleanup_add(r, 0);
    if (cln == NULL) {
        return NULL;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    pool = ngx_create_pool(2048, clcf->error_log);
    if (pool == NULL) {
        return NULL;
    }

    api = ngx_pcalloc(pool, sizeof(ngx_amt_api_t));
    if (api == NULL) {
        ngx_destroy_pool(pool);
        return NULL;
    }

    api->pool = pool;
    api->refs = 1;
    api->request = r;
    api->conf = conf;

    /* the connection's log dies with it */

    api->log = *clcf->error_log;
    api->log.connection = r->connection->number;
    api->log.handler = ngx_amt_mps_log;
    api->log.data = api;
    api->log.action = NULL;

    api->raw.pool = pool;
    api->raw.max = conf->max_body;

    cln->handler = ngx_amt_mps_cleanup;
    cln->data = api;

    api->method = r->method_name;

    if (ngx_amt_mps_copy(pool, &api->method) != NGX_OK) {
        return NULL;
    }

    return api;
}


static u_char *
ngx_amt_mps_log(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char         *p;
    ngx_amt_api_t  *api;

    api = log->data;

    p = ngx_snprintf(buf, len, ", api: \"%V %V\"", &api->method, &api->path);
    len -= p - buf;
    buf = p;

    if (api->id.name.len) {
        p = ngx_snprintf(buf, len, ", caller: \"%V\"", &api->id.name);
    }

    return p;
}


/* The request ends: done, or the client went away. */

static void
ngx_amt_mps_cleanup(void *data)
{
    ngx_amt_api_t  *api = data;

    api->request = NULL;

    if (api->flow) {
        ngx_amt_flow_cancel(api->flow);
    }

    ngx_amt_mps_release(api);
}


void
ngx_amt_mps_hold(ngx_amt_api_t *api)
{
    api->refs++;
}


void
ngx_amt_mps_release(ngx_amt_api_t *api)
{
    if (--api->refs) {
        return;
    }

    json_decref(api->body);
    json_decref(api->query);

    if (api->raw.start) {
        ngx_explicit_memzero(api->raw.start, api->raw.last - api->raw.start);
    }

    if (api->reply.secret && api->reply.body.len) {
        ngx_explicit_memzero(api->reply.body.data, api->reply.body.len);
    }

    ngx_destroy_pool(api->pool);
}


static ngx_int_t
ngx_amt_mps_copy(ngx_pool_t *pool, ngx_str_t *s)
{
    u_char  *p;

    if (s->len == 0) {
        s->data = (u_char *) "";
        return NGX_OK;
    }

    p = ngx_pstrdup(pool, s);
    if (p == NULL) {
        return NGX_ERROR;
    }

    s->data = p;

    return NGX_OK;
}


ngx_int_t
ngx_amt_mps_identity(ngx_amt_api_t *api)
{
    if (ngx_amt_mps_copy(api->pool, &api->id.name) != NGX_OK
        || ngx_amt_mps_copy(api->pool, &api->id.tenant) != NGX_OK
        || ngx_amt_mps_copy(api->pool, &api->id.device) != NGX_OK)
    {
        return NGX_ERROR;
    }

    api->tenant = api->id.tenant;

    return NGX_OK;
}


ngx_int_t
ngx_amt_mps_check(ngx_amt_api_t *api, ngx_http_request_t *r)
{
    ngx_int_t               rc;
    ngx_uint_t              places;
    ngx_amt_input_t         in;
    const ngx_amt_check_t  *check;

    api->query = ngx_amt_body_query(api->pool, &r->args);

    if (api->query == NULL || ngx_amt_mps_guid(api) != NGX_OK) {
        return NGX_ERROR;
    }

    if (api->route->checks == NULL) {
        return NGX_OK;
    }

    places = 0;

    for (check = api->route->checks; check->field; check++) {
        places |= check->in ? check->in : NGX_AMT_IN_ALL;
    }

    /* what no check asks for is not made */

    rc = NGX_ERROR;

    ngx_memzero(&in, sizeof(ngx_amt_input_t));

    in.body = api->body;
    in.query = api->query;

    if (places & NGX_AMT_IN_HEADERS) {
        in.headers = ngx_amt_body_headers(r);

        if (in.headers == NULL) {
            goto done;
        }
    }

    if (places & NGX_AMT_IN_COOKIES) {
        in.cookies = ngx_amt_body_cookies(r);

        if (in.cookies == NULL) {
            goto done;
        }
    }

    if (places & NGX_AMT_IN_PARAMS) {
        in.params = json_object();

        if (in.params == NULL
            || ngx_amt_route_members(api, 0, in.params) != NGX_OK)
        {
            goto done;
        }
    }

    rc = ngx_amt_validate(api->route->checks, &in, api->pool,
                          &api->reply.body);

    if (rc == NGX_DECLINED) {
        api->reply.status = 400;
    }

done:

    json_decref(in.headers);
    json_decref(in.cookies);
    json_decref(in.params);

    return rc;
}


/* The device's GUID in lower case, from the path or else from the body. */

static ngx_int_t
ngx_amt_mps_guid(ngx_amt_api_t *api)
{
    u_char      guid[NGX_CIRA_GUID_LEN];
    json_t     *v;
    ngx_str_t   s;

    s = api->guid;

    if (s.data == NULL) {
        v = ngx_amt_input_get(api->body, "guid");

        if (!json_is_string(v)) {
            return NGX_OK;
        }

        s.data = (u_char *) json_string_value(v);
        s.len = json_string_length(v);
    }

    if (ngx_cira_guid_parse(s.data, s.len, guid) != NGX_OK) {
        return NGX_OK;
    }

    api->device.data = ngx_pnalloc(api->pool, NGX_CIRA_GUID_TEXT);
    if (api->device.data == NULL) {
        return NGX_ERROR;
    }

    api->device.len = ngx_cira_guid_text(api->device.data, guid)
                      - api->device.data;

    return NGX_OK;
}


void
ngx_amt_mps_start(ngx_amt_api_t *api, ngx_http_request_t *r)
{
    ngx_msec_t            budget;
    ngx_amt_api_frame_t  *v;

    budget = api->conf->budget;

    if (api->route->flags & NGX_AMT_ROUTE_STREAM) {

        /* its last devices may take theirs beyond its own limit */

        budget = api->conf->bulk_timeout + 2 * budget;
    }

    api->flow = ngx_amt_flow_create("api", &api->log, budget,
                                    ngx_amt_mps_done, api);
    if (api->flow == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    api->refs++;
    api->starting = 1;

    /* watches for the client's end */

    if (!r->discard_body) {
        r->read_event_handler = ngx_http_test_reading;
    }

    r->write_event_handler = ngx_http_request_empty_handler;

    v = ngx_amt_frame_alloc(api->flow, "call", sizeof(ngx_amt_api_frame_t),
                            ngx_amt_mps_body, NULL);
    if (v) {
        v->api = api;
    }

    /* a NULL frame fails the flow */

    ngx_amt_flow_start(api->flow, v);

    /* the request's own reference keeps the call */

    api->starting = 0;

    if (api->finished) {
        ngx_amt_mps_finalize(api, r);
    }
}


/* The frame of the call's route. */

static void *
ngx_amt_mps_frame(ngx_amt_flow_t *f, ngx_amt_api_t *api)
{
    ngx_amt_api_frame_t  *v;

    v = ngx_amt_frame_alloc(f, api->route->path, api->route->size,
                            api->route->body, api->route->drop);
    if (v) {
        v->api = api;
    }

    return v;
}


static ngx_int_t
ngx_amt_mps_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_api_frame_t  *v = data;

    ngx_int_t  rc;

    ngx_amt_begin(f, v);

    if (v->api->route->flags & NGX_AMT_ROUTE_DEVICE) {

        rc = ngx_amt_mps_connected(v->api);

        if (rc != NGX_OK) {
            return rc == NGX_DONE ? NGX_OK : rc;
        }
    }

    if (v->api->route->flags & NGX_AMT_ROUTE_AUDIT) {

        rc = ngx_amt_mps_audit(v->api);

        if (rc != NGX_OK) {
            return rc == NGX_DONE ? NGX_OK : rc;
        }
    }

    ngx_amt_mps_event_request(v->api);

    ngx_amt_await_rc(f, v, ngx_amt_call(f, ngx_amt_mps_frame(f, v->api)));

    if (v->frame.rc != NGX_OK) {
        return ngx_amt_reply_failure(v->api, &f->err);
    }

    ngx_amt_end(f, v);
}


/* NGX_OK; NGX_DONE: api->reply is set; NGX_ERROR */

static ngx_int_t
ngx_amt_mps_connected(ngx_amt_api_t *api)
{
    ngx_int_t  rc;

    rc = ngx_amt_device_lookup(&api->guid, &api->info);

    if (rc == NGX_OK) {

        if (api->info.tenant_len == api->tenant.len
            && ngx_memcmp(api->info.tenant, api->tenant.data, api->tenant.len)
               == 0)
        {
            return NGX_OK;
        }

        rc = ngx_amt_reply_error(api, 401, "Unauthorized");

    } else if (rc == NGX_DECLINED) {
        rc = ngx_amt_reply_no_device(api);

    } else {
        rc = ngx_amt_reply_error(api, 500, api->route->exception);
    }

    return rc == NGX_OK ? NGX_DONE : NGX_ERROR;
}


/* The line goes out before the effect, or there is no effect. */

static ngx_int_t
ngx_amt_mps_audit(ngx_amt_api_t *api)
{
    ngx_int_t               rc;
    ngx_str_t               detail, guid;
    const ngx_amt_route_t  *route;

    route = api->route;

    ngx_str_null(&detail);

    if (route->detail && route->detail(api, &detail) != NGX_OK) {
        return NGX_ERROR;
    }

    guid = api->device.len ? api->device : api->guid;

    rc = NGX_ERROR;

    if (api->request) {
        rc = ngx_amt_audit(api->request, &api->id, route->action, &guid,
                           &detail);
    }

    switch (rc) {

    case NGX_OK:
        return NGX_OK;

    case NGX_DECLINED:
        rc = ngx_amt_reply_error(api, 400, "Request is too long");
        break;

    default:
        rc = ngx_amt_reply_busy(api, "Audit log cannot be written");
        break;
    }

    return rc == NGX_OK ? NGX_DONE : NGX_ERROR;
}


static void
ngx_amt_mps_done(ngx_amt_flow_t *f, ngx_int_t rc, void *data)
{
    ngx_amt_api_t  *api = data;

    ngx_connection_t    *c;
    ngx_http_request_t  *r;

    api->flow = NULL;

    if (rc != NGX_OK && api->reply.status == 0 && api->route) {
        (void) ngx_amt_reply_failure(api, &f->err);
    }

    ngx_amt_mps_event_reply(api);

    r = api->request;

    if (api->starting) {
        api->finished = 1;

    } else if (r) {
        c = r->connection;

        ngx_amt_mps_finalize(api, r);
        ngx_http_run_posted_requests(c);
    }

    ngx_amt_mps_release(api);
}


static void
ngx_amt_mps_finalize(ngx_amt_api_t *api, ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (api->streaming) {

        /* an answer that is not complete must not look like one */

        rc = api->reply.status == NGX_HTTP_OK
             ? ngx_http_send_special(r, NGX_HTTP_LAST) : NGX_ERROR;

    } else if (api->reply.status == 0) {
        rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

    } else {
        rc = ngx_amt_reply_send(api, r);
    }

    ngx_http_finalize_request(r, rc);
}
