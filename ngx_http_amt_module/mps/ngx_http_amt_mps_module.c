
/*
 * amt_api: the MPS REST API in a location.  Directives, and the life of one
 * request: route, authentication, scope, body, checks, flow, reply.
 * Contract mps.md section 1.
 */


#include "mps/ngx_amt_mps_call.h"
#include "mps/ngx_amt_reply.h"
#include "mps/ngx_amt_route.h"
#include <openssl/pem.h>
#include <openssl/x509.h>


static void *ngx_http_amt_mps_create_conf(ngx_conf_t *cf);
static char *ngx_http_amt_mps_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_amt_mps_api(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_amt_mps_ciracert(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_amt_mps_openapi(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_amt_mps_root(ngx_conf_t *cf, ngx_str_t *file,
    ngx_str_t *text);

static ngx_int_t ngx_http_amt_mps_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_amt_mps_allowed(ngx_amt_api_t *api,
    ngx_http_request_t *r, ngx_uint_t open);
static ngx_int_t ngx_http_amt_mps_early(ngx_amt_api_t *api,
    ngx_http_request_t *r);
static void ngx_http_amt_mps_body(ngx_http_request_t *r, void *data,
    ngx_amt_body_e rc);


static ngx_conf_num_bounds_t  ngx_http_amt_mps_body_bounds = {
    ngx_conf_check_num_bounds, 1024, 16 * 1024 * 1024
};


static ngx_conf_num_bounds_t  ngx_http_amt_mps_parallel_bounds = {
    ngx_conf_check_num_bounds, 1, 10000
};

static ngx_conf_num_bounds_t  ngx_http_amt_mps_rate_bounds = {
    ngx_conf_check_num_bounds, 0, 100000
};


static ngx_command_t  ngx_http_amt_mps_commands[] = {

    { ngx_string("amt_api"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE12,
      ngx_http_amt_mps_api,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_max_body"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_amt_mps_conf_t, max_body),
      &ngx_http_amt_mps_body_bounds },

    { ngx_string("amt_budget"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_amt_mps_conf_t, budget),
      NULL },

    { ngx_string("amt_redirection_lifetime"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_amt_mps_conf_t, redirection_lifetime),
      NULL },

    { ngx_string("amt_bulk_parallel"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_amt_mps_conf_t, bulk_parallel),
      &ngx_http_amt_mps_parallel_bounds },

    { ngx_string("amt_bulk_rate"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_amt_mps_conf_t, bulk_rate),
      &ngx_http_amt_mps_rate_bounds },

    { ngx_string("amt_bulk_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_amt_mps_conf_t, bulk_timeout),
      NULL },

    { ngx_string("amt_ciracert"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_amt_mps_ciracert,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_openapi"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_http_amt_mps_openapi,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_amt_mps_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_amt_mps_create_conf,          /* create location configuration */
    ngx_http_amt_mps_merge_conf            /* merge location configuration */
};


ngx_module_t  ngx_http_amt_mps_module = {
    NGX_MODULE_V1,
    &ngx_http_amt_mps_module_ctx,          /* module context */
    ngx_http_amt_mps_commands,             /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_http_amt_mps_handler(ngx_http_request_t *r)
{
    ngx_int_t            rc;
    ngx_uint_t           open;
    ngx_amt_api_t       *api;
    ngx_amt_body_e       body;
    ngx_amt_mps_conf_t  *conf;

    if (r != r->main) {

        /* it would act with the credentials of another request */

        return NGX_HTTP_FORBIDDEN;
    }

    if (r->method == NGX_HTTP_OPTIONS) {
        return ngx_amt_reply_preflight(r);
    }

    conf = ngx_http_get_module_loc_conf(r, ngx_http_amt_mps_module);

    /*
     * A write must not be answered 412 after it has happened, and clients of
     * the original send If-Match with anything in it.
     */

    r->headers_in.if_match = NULL;
    r->headers_in.if_unmodified_since = NULL;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        r->disable_not_modified = 1;
    }

    api = ngx_amt_mps_create(r, conf);
    if (api == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_amt_route_find(api, r->method, &r->unparsed_uri, &conf->prefix,
                            &conf->below, &open);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    rc = ngx_http_amt_mps_allowed(api, r, open);

    if (rc != NGX_OK) {
        return rc == NGX_DECLINED ? ngx_http_amt_mps_early(api, r) : rc;
    }

    if (api->route && api->route->max_body > api->raw.max) {
        api->raw.max = api->route->max_body;
    }

    body = ngx_amt_body_test(r, &api->raw);

    if (body != NGX_AMT_BODY_OK) {

        rc = ngx_amt_body_discard(r);

        if (rc != NGX_OK) {
            return rc;
        }

        r->main->count++;
        ngx_http_amt_mps_body(r, api, body);

        return NGX_DONE;
    }

    rc = ngx_amt_body_read(r, &api->raw, ngx_http_amt_mps_body, api);

    if (rc != NGX_DONE) {

        if (rc == NGX_HTTP_BAD_REQUEST && !r->connection->error) {

            /* where the body ends, and the next request begins, is unknown */

            r->keepalive = 0;

            (void) ngx_amt_reply_error(api, 400, "malformed request body");
            return ngx_amt_reply_send(api, r);
        }

        return rc;
    }

    return NGX_DONE;
}


/* NGX_OK; NGX_DECLINED: api->reply says why not; or a status. */

static ngx_int_t
ngx_http_amt_mps_allowed(ngx_amt_api_t *api, ngx_http_request_t *r,
    ngx_uint_t open)
{
    ngx_int_t  rc;

    if (r->method == NGX_HTTP_UNKNOWN) {
        rc = ngx_amt_reply_html(api, 400);
        goto refused;
    }

    if (open) {
        return NGX_OK;
    }

    switch (ngx_amt_auth_identify(r, &api->id)) {

    case NGX_OK:
        break;

    case NGX_DECLINED:
        rc = ngx_amt_reply_text(api, 401, "{\"message\":\"Unauthorized\"}");
        goto refused;

    case NGX_ABORT:
        rc = ngx_amt_reply_text(api, 401, "{\"exp\":\"token expired\"}");
        goto refused;

    case NGX_BUSY:
        api->reply.retry = api->id.retry;
        rc = ngx_amt_reply_error(api, 429,
                                 "Too many failed attempts from this address");
        goto refused;

    default:
        rc = ngx_amt_reply_error(api, 500, "Authentication failed");
        goto refused;
    }

    if (ngx_amt_mps_identity(api) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (api->route && api->route->scope
        && ngx_amt_auth_allow(&api->id, api->route->scope) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_INFO, &api->log, 0,
                      "\"%V\" lacks the scope of \"%s\"", &api->id.name,
                      api->route->path);

        rc = ngx_amt_reply_error(api, 403,
                                 "Scope does not allow this request");
        goto refused;
    }

    return NGX_OK;

refused:

    return rc == NGX_OK ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}


/* Sends api->reply before a body was read. */

static ngx_int_t
ngx_http_amt_mps_early(ngx_amt_api_t *api, ngx_http_request_t *r)
{
    ngx_int_t  rc;

    rc = ngx_amt_body_discard(r);

    if (rc != NGX_OK) {
        return rc;
    }

    return ngx_amt_reply_send(api, r);
}


/* The body is there, or there is none; the request may be gone after it. */

static void
ngx_http_amt_mps_body(ngx_http_request_t *r, void *data, ngx_amt_body_e body)
{
    ngx_int_t       rc;
    ngx_amt_api_t  *api = data;

    if (body == NGX_AMT_BODY_OK) {
        body = ngx_amt_body_parse(&api->raw, &api->body);
    }

    switch (body) {

    case NGX_AMT_BODY_OK:
    case NGX_AMT_BODY_ABSENT:

        if (api->route == NULL) {
            rc = ngx_amt_reply_html(api, 404);
            break;
        }

        if (api->bad_path) {
            rc = ngx_amt_reply_html(api, 400);
            break;
        }

        rc = ngx_amt_mps_check(api, r);

        if (rc != NGX_OK) {
            rc = rc == NGX_DECLINED ? NGX_OK : NGX_ERROR;
            break;
        }

        ngx_amt_mps_start(api, r);

        return;

    case NGX_AMT_BODY_SYNTAX:
        rc = ngx_amt_reply_error(api, 400, NULL);
        break;

    case NGX_AMT_BODY_REFUSED:
        rc = ngx_amt_reply_error(api, 400, api->raw.text);
        break;

    case NGX_AMT_BODY_TOO_LARGE:
        rc = ngx_amt_reply_error(api, 413, "Request body is too large");
        break;

    case NGX_AMT_BODY_UNSUPPORTED:
        rc = ngx_amt_reply_error(api, 415, api->raw.text);
        break;

    default: /* NGX_AMT_BODY_ERROR */
        rc = NGX_ERROR;
    }

    if (rc != NGX_OK) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    ngx_http_finalize_request(r, ngx_amt_reply_send(api, r));
}


static void *
ngx_http_amt_mps_create_conf(ngx_conf_t *cf)
{
    ngx_amt_mps_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_amt_mps_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->max_body = NGX_CONF_UNSET_SIZE;
    conf->budget = NGX_CONF_UNSET_MSEC;
    conf->redirection_lifetime = NGX_CONF_UNSET;
    conf->bulk_parallel = NGX_CONF_UNSET_UINT;
    conf->bulk_rate = NGX_CONF_UNSET_UINT;
    conf->bulk_timeout = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_http_amt_mps_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_amt_mps_conf_t        *prev = parent;
    ngx_amt_mps_conf_t        *conf = child;
    ngx_http_core_loc_conf_t  *clcf;

    ngx_conf_merge_size_value(conf->max_body, prev->max_body,
                              NGX_AMT_BODY_MAX);
    ngx_conf_merge_msec_value(conf->budget, prev->budget, 30000);
    ngx_conf_merge_sec_value(conf->redirection_lifetime,
                             prev->redirection_lifetime, 5 * 60);
    ngx_conf_merge_uint_value(conf->bulk_parallel, prev->bulk_parallel, 64);
    ngx_conf_merge_uint_value(conf->bulk_rate, prev->bulk_rate, 0);
    ngx_conf_merge_msec_value(conf->bulk_timeout, prev->bulk_timeout,
                              60 * 60 * 1000);
    ngx_conf_merge_str_value(conf->ciracert, prev->ciracert, "");
    ngx_conf_merge_str_value(conf->openapi, prev->openapi, "");

    if (!conf->enable) {
        return NGX_CONF_OK;
    }

    if (conf->budget == 0 || conf->redirection_lifetime == 0
        || conf->bulk_timeout == 0)
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"amt_budget\", \"amt_redirection_lifetime\" "
                           "and \"amt_bulk_timeout\" must not be zero");
        return NGX_CONF_ERROR;
    }

    /*
     * The cap is ours, with the contract's JSON answer; a body that is within
     * it never goes to a file.
     */

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    clcf->client_max_body_size = 0;

    if (clcf->client_body_buffer_size < conf->max_body + 1) {
        clcf->client_body_buffer_size = conf->max_body + 1;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_amt_mps_api(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_amt_mps_conf_t        *mcf = conf;
    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    if (mcf->enable) {
        return "is duplicate";
    }

    mcf->enable = 1;

    value = cf->args->elts;

    if (cf->args->nelts > 1) {

        mcf->prefix = value[1];

        if (mcf->prefix.len && mcf->prefix.data[mcf->prefix.len - 1] == '/') {
            mcf->prefix.len--;
        }

        if (mcf->prefix.len && mcf->prefix.data[0] != '/') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "prefix \"%V\" must begin with \"/\"",
                               &value[1]);
            return NGX_CONF_ERROR;
        }
    }

    if (cf->args->nelts > 2) {

        mcf->below = value[2];

        if (mcf->below.len < 2 || mcf->below.data[0] != '/') {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "path \"%V\" must begin with \"/\"",
                               &value[2]);
            return NGX_CONF_ERROR;
        }

        if (mcf->below.data[mcf->below.len - 1] == '/') {
            mcf->below.len--;
        }
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_amt_mps_handler;

    return NGX_CONF_OK;
}


static char *
ngx_http_amt_mps_ciracert(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_amt_mps_conf_t  *mcf = conf;
    ngx_str_t           *value;

    if (mcf->ciracert.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_http_amt_mps_root(cf, &value[1], &mcf->ciracert) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_amt_mps_openapi(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_amt_mps_conf_t  *mcf = conf;
    ngx_str_t           *value;

    if (mcf->openapi.data) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK
        || ngx_amt_mps_openapi_read(cf, &value[1], &mcf->openapi) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * The self-signed certificate of a PEM file, or its first, as text with CRLF
 * line ends.  Contract 2.4.
 */

static ngx_int_t
ngx_http_amt_mps_root(ngx_conf_t *cf, ngx_str_t *file, ngx_str_t *text)
{
    BIO        *in, *out;
    long        len, i;
    char       *pem;
    X509       *cert, *root;
    u_char     *p;
    ngx_int_t   rc;

    rc = NGX_ERROR;
    out = NULL;
    root = NULL;

    in = BIO_new_file((char *) file->data, "r");
    if (in == NULL) {
        ngx_ssl_error(NGX_LOG_EMERG, cf->log, 0,
                      "cannot open amt_ciracert \"%V\"", file);
        return NGX_ERROR;
    }

    while ((cert = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL) {

        if (root == NULL) {
            root = cert;

        } else if (X509_NAME_cmp(X509_get_subject_name(root),
                                 X509_get_issuer_name(root)) != 0
                   && X509_NAME_cmp(X509_get_subject_name(cert),
                                    X509_get_issuer_name(cert)) == 0)
        {
            X509_free(root);
            root = cert;

        } else {
            X509_free(cert);
        }
    }

    ERR_clear_error();

    if (root == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "no certificate in \"%V\"", file);
        goto done;
    }

    out = BIO_new(BIO_s_mem());

    if (out == NULL || PEM_write_bio_X509(out, root) != 1) {
        goto done;
    }

    len = BIO_get_mem_data(out, &pem);

    /* every line end grows by one */

    text->data = ngx_pnalloc(cf->pool, 2 * len);
    if (text->data == NULL) {
        goto done;
    }

    for (p = text->data, i = 0; i < len; i++) {
        if (pem[i] == '\n') {
            *p++ = '\r';
        }

        *p++ = (u_char) pem[i];
    }

    text->len = p - text->data;
    rc = NGX_OK;

done:

    X509_free(root);
    BIO_free(out);
    BIO_free(in);

    return rc;
}
