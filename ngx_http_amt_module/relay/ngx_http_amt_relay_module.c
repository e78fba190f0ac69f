
/*
 * amt_relay: KVM, SOL and IDER sessions in a location.  Directives,
 * variables, and a request up to the decision.  Contract mps.md section 4.
 */


#include "relay/ngx_amt_relay_worker.h"
#include "vault/ngx_http_amt_vault.h"


#define NGX_AMT_RELAY_VAR_KIND      0
#define NGX_AMT_RELAY_VAR_END       1
#define NGX_AMT_RELAY_VAR_REFUSED   2
#define NGX_AMT_RELAY_VAR_UP        3
#define NGX_AMT_RELAY_VAR_DOWN      4


static ngx_int_t ngx_http_amt_relay_handler(ngx_http_request_t *r);
static ngx_int_t ngx_http_amt_relay_refuse(ngx_http_request_t *r,
    ngx_amt_relay_ctx_t *ctx, ngx_uint_t status, const char *why);
static ngx_int_t ngx_http_amt_relay_audit(ngx_http_request_t *r,
    ngx_amt_relay_request_t *req, ngx_amt_identity_t *id,
    ngx_uint_t recorded);

static ngx_int_t ngx_http_amt_relay_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_http_amt_relay_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_amt_relay_postconf(ngx_conf_t *cf);
static void *ngx_http_amt_relay_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_amt_relay_init_main_conf(ngx_conf_t *cf, void *conf);
static ngx_int_t ngx_http_amt_relay_tls(ngx_conf_t *cf,
    ngx_http_amt_relay_main_conf_t *mcf);
static void *ngx_http_amt_relay_create_conf(ngx_conf_t *cf);
static char *ngx_http_amt_relay_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_amt_relay_enable(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_amt_relay_record(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_amt_relay_init_process(ngx_cycle_t *cycle);
static void ngx_http_amt_relay_exit_process(ngx_cycle_t *cycle);


static ngx_conf_enum_t  ngx_http_amt_relay_tls_modes[] = {
    { ngx_string("pin"), NGX_AMT_DEVICE_TLS_PIN },
    { ngx_string("verify"), NGX_AMT_DEVICE_TLS_VERIFY },
    { ngx_string("off"), NGX_AMT_DEVICE_TLS_OFF },
    { ngx_null_string, 0 }
};


static ngx_conf_enum_t  ngx_http_amt_relay_frames[] = {
    { ngx_string("text"), 0 },
    { ngx_string("binary"), 1 },
    { ngx_null_string, 0 }
};


static ngx_conf_bitmask_t  ngx_http_amt_relay_protocols[] = {
    { ngx_string("TLSv1"), NGX_SSL_TLSv1 },
    { ngx_string("TLSv1.1"), NGX_SSL_TLSv1_1 },
    { ngx_string("TLSv1.2"), NGX_SSL_TLSv1_2 },
    { ngx_string("TLSv1.3"), NGX_SSL_TLSv1_3 },
    { ngx_null_string, 0 }
};


static ngx_command_t  ngx_http_amt_relay_commands[] = {

    { ngx_string("amt_relay"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      ngx_http_amt_relay_enable,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_relay_frames"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_amt_relay_loc_conf_t, binary),
      &ngx_http_amt_relay_frames },

    { ngx_string("amt_relay_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_http_amt_relay_loc_conf_t, timeout),
      NULL },

    { ngx_string("amt_relay_record"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE123,
      ngx_http_amt_relay_record,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_relay_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_amt_relay_main_conf_t, zone_size),
      NULL },

    { ngx_string("amt_device_tls"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_enum_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_amt_relay_main_conf_t, tls),
      &ngx_http_amt_relay_tls_modes },

    { ngx_string("amt_device_tls_protocols"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_conf_set_bitmask_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_amt_relay_main_conf_t, protocols),
      &ngx_http_amt_relay_protocols },

    { ngx_string("amt_device_tls_ciphers"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_amt_relay_main_conf_t, ciphers),
      NULL },

    { ngx_string("amt_device_tls_trusted_certificate"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_amt_relay_main_conf_t, trusted),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_amt_relay_module_ctx = {
    ngx_http_amt_relay_add_variables,      /* preconfiguration */
    ngx_http_amt_relay_postconf,           /* postconfiguration */

    ngx_http_amt_relay_create_main_conf,   /* create main configuration */
    ngx_http_amt_relay_init_main_conf,     /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_amt_relay_create_conf,        /* create location configuration */
    ngx_http_amt_relay_merge_conf          /* merge location configuration */
};


ngx_module_t  ngx_http_amt_relay_module = {
    NGX_MODULE_V1,
    &ngx_http_amt_relay_module_ctx,        /* module context */
    ngx_http_amt_relay_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_amt_relay_init_process,       /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_amt_relay_exit_process,       /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_variable_t  ngx_http_amt_relay_variables[] = {

    { ngx_string("amt_relay_kind"), NULL, ngx_http_amt_relay_variable,
      NGX_AMT_RELAY_VAR_KIND, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("amt_relay_end"), NULL, ngx_http_amt_relay_variable,
      NGX_AMT_RELAY_VAR_END, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("amt_relay_refused"), NULL, ngx_http_amt_relay_variable,
      NGX_AMT_RELAY_VAR_REFUSED, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("amt_relay_up"), NULL, ngx_http_amt_relay_variable,
      NGX_AMT_RELAY_VAR_UP, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("amt_relay_down"), NULL, ngx_http_amt_relay_variable,
      NGX_AMT_RELAY_VAR_DOWN, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


/* ---- a request ---- */

static ngx_int_t
ngx_http_amt_relay_handler(ngx_http_request_t *r)
{
    ngx_int_t                        rc;
    ngx_uint_t                       recorded;
    const char                      *error;
    ngx_cira_info_t                  info;
    ngx_amt_identity_t               id;
    ngx_amt_relay_ctx_t             *ctx;
    ngx_amt_relay_claim_t            claim;
    ngx_amt_ws_handshake_t           hs;
    ngx_amt_relay_request_t          req;
    ngx_http_amt_relay_loc_conf_t   *rlcf;
    ngx_http_amt_relay_main_conf_t  *mcf;

    if (r != r->main) {
        return NGX_HTTP_FORBIDDEN;
    }

    mcf = ngx_http_get_module_main_conf(r, ngx_http_amt_relay_module);
    rlcf = ngx_http_get_module_loc_conf(r, ngx_http_amt_relay_module);

    ctx = ngx_pcalloc(r->pool, sizeof(ngx_amt_relay_ctx_t));
    if (ctx == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ngx_http_set_ctx(r, ctx, ngx_http_amt_relay_module);

    rc = ngx_amt_ws_handshake(r, &hs);

    if (rc != NGX_OK) {
        return ngx_http_amt_relay_refuse(r, ctx, rc, "handshake");
    }

    error = NULL;

    (void) ngx_amt_relay_request(&r->args, &req, &error);

    ctx->kind = req.kind;

    rc = ngx_amt_relay_access(r, &hs, &req, &id, &info);

    if (rc != NGX_OK) {
        return ngx_http_amt_relay_refuse(r, ctx, rc, "access");
    }

    if (error) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent an invalid relay request: %s", error);
        return ngx_http_amt_relay_refuse(r, ctx, NGX_HTTP_BAD_REQUEST,
                                         "parameters");
    }

    /* in lower case from here on, as logs and events have it */

    req.host.data = ngx_pnalloc(r->pool, NGX_CIRA_GUID_TEXT);
    if (req.host.data == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    req.host.len = ngx_cira_guid_text(req.host.data, req.guid)
                   - req.host.data;

    ngx_memzero(&claim, sizeof(ngx_amt_relay_claim_t));

    if (req.kind != NGX_AMT_REDIR_NONE && !req.force
        && ngx_amt_relay_zone_busy(mcf->zone, info.guid, req.kind))
    {
        goto busy;
    }

    recorded = rlcf->record
               && (rlcf->record_all
                   || ngx_amt_auth_allow(&id, NGX_AMT_SCOPE_RECORD)
                      == NGX_OK);

    if (ngx_http_amt_relay_audit(r, &req, &id, recorded) != NGX_OK) {
        return ngx_http_amt_relay_refuse(r, ctx,
                                         NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "audit");
    }

    rc = NGX_OK;

    if (req.kind != NGX_AMT_REDIR_NONE) {
        rc = ngx_amt_relay_zone_claim(mcf->zone, info.guid, req.kind,
                                      req.force, &claim);
    }

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "\"amt_relay_zone\" has no room for another session");
        return ngx_http_amt_relay_refuse(r, ctx,
                                         NGX_HTTP_SERVICE_UNAVAILABLE,
                                         "zone");
    }

    if (rc != NGX_BUSY) {
        rc = ngx_amt_relay_session(r, &hs, ctx, &req, &id, &info, &claim, rc,
                                   recorded);

        if (rc != NGX_DONE) {
            ctx->refused = "internal";
        }

        return rc;
    }

busy:

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "another %s session of the device is open",
                  ngx_amt_relay_kind_name(req.kind));

    return ngx_http_amt_relay_refuse(r, ctx, NGX_HTTP_UNAUTHORIZED, "busy");
}


static ngx_int_t
ngx_http_amt_relay_refuse(ngx_http_request_t *r, ngx_amt_relay_ctx_t *ctx,
    ngx_uint_t status, const char *why)
{
    ngx_http_amt_relay_main_conf_t  *mcf;

    mcf = ngx_http_get_module_main_conf(r, ngx_http_amt_relay_module);

    (void) ngx_atomic_fetch_add(
               &ngx_amt_relay_zone_counters(mcf->zone)->refused, 1);

    ctx->refused = why;

    return ngx_amt_ws_refuse(r, status);
}


static ngx_int_t
ngx_http_amt_relay_audit(ngx_http_request_t *r, ngx_amt_relay_request_t *req,
    ngx_amt_identity_t *id, ngx_uint_t recorded)
{
    u_char      detail[128];
    ngx_str_t   text;

    text.data = detail;
    text.len = ngx_snprintf(detail, sizeof(detail),
                            "{\"mode\":\"%s\",\"port\":%ui,\"login\":%s,"
                            "\"force\":%s,\"recorded\":%s}",
                            ngx_amt_relay_kind_name(req->kind), req->port,
                            req->login ? "true" : "false",
                            req->force ? "true" : "false",
                            recorded ? "true" : "false")
               - detail;

    return ngx_amt_audit(r, id, "redirection", &req->host, &text);
}


/* ---- variables ---- */

static ngx_int_t
ngx_http_amt_relay_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_amt_relay_variables; v->name.len; v++) {

        var = ngx_http_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_amt_relay_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    u_char               *p;
    const char           *text;
    ngx_amt_relay_ctx_t  *ctx;

    ctx = ngx_http_get_module_ctx(r, ngx_http_amt_relay_module);

    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    switch (data) {

    case NGX_AMT_RELAY_VAR_KIND:
        text = ctx ? ngx_amt_relay_kind_name(ctx->kind) : NULL;
        break;

    case NGX_AMT_RELAY_VAR_END:
        text = ctx && ctx->refused == NULL ? ngx_amt_relay_end_name(ctx->end)
                                           : NULL;
        break;

    case NGX_AMT_RELAY_VAR_REFUSED:
        text = ctx ? ctx->refused : NULL;
        break;

    default:

        if (ctx == NULL || ctx->refused) {
            text = NULL;
            break;
        }

        p = ngx_pnalloc(r->pool, NGX_OFF_T_LEN);
        if (p == NULL) {
            return NGX_ERROR;
        }

        v->data = p;
        v->len = ngx_sprintf(p, "%O", data == NGX_AMT_RELAY_VAR_UP ? ctx->up
                                                                 : ctx->down)
                 - p;

        return NGX_OK;
    }

    if (text == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = (u_char *) text;
    v->len = ngx_strlen(text);

    return NGX_OK;
}


/* ---- configuration ---- */

static void *
ngx_http_amt_relay_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_amt_relay_main_conf_t  *mcf;

    mcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_relay_main_conf_t));
    if (mcf == NULL) {
        return NULL;
    }

    mcf->zone_size = NGX_CONF_UNSET_SIZE;
    mcf->tls = NGX_CONF_UNSET_UINT;

    return mcf;
}


static char *
ngx_http_amt_relay_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_amt_relay_main_conf_t  *mcf = conf;

    ngx_conf_init_size_value(mcf->zone_size, 1024 * 1024);
    ngx_conf_init_uint_value(mcf->tls, NGX_AMT_DEVICE_TLS_PIN);

    if (mcf->zone_size < 8 * ngx_pagesize) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"amt_relay_zone\" needs at least %uz bytes",
                           (size_t) (8 * ngx_pagesize));
        return NGX_CONF_ERROR;
    }

    if (mcf->protocols == 0) {
        mcf->protocols = NGX_SSL_TLSv1_2|NGX_SSL_TLSv1_3;
    }

    if (mcf->ciphers.data == NULL) {

        /* static RSA and CBC: releases up to 12 have nothing else */

        ngx_str_set(&mcf->ciphers,
                    "ECDHE+AESGCM:DHE+AESGCM:RSA+AESGCM:AES256-SHA:"
                    "AES128-SHA:!aNULL:!PSK");
    }

    if (mcf->tls == NGX_AMT_DEVICE_TLS_VERIFY && mcf->trusted.len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"amt_device_tls verify\" needs "
                           "\"amt_device_tls_trusted_certificate\"");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_amt_relay_postconf(ngx_conf_t *cf)
{
    ngx_http_amt_vault_main_conf_t  *vmcf;
    ngx_http_amt_relay_main_conf_t  *mcf;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_amt_relay_module);

    if (!mcf->used) {
        return NGX_OK;
    }

    vmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_amt_vault_module);

    if (!vmcf->set) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"amt_relay\" needs \"amt_vault\", which has the "
                      "devices' passwords");
        return NGX_ERROR;
    }

    mcf->zone = ngx_amt_relay_zone_create(cf, mcf->zone_size,
                                          &ngx_http_amt_relay_module);
    if (mcf->zone == NULL) {
        return NGX_ERROR;
    }

    return ngx_http_amt_relay_tls(cf, mcf);
}


static ngx_int_t
ngx_http_amt_relay_tls(ngx_conf_t *cf, ngx_http_amt_relay_main_conf_t *mcf)
{
    ngx_ssl_t           *ssl;
    ngx_pool_cleanup_t  *cln;

    ssl = &mcf->ssl;
    ssl->log = cf->log;

    if (ngx_ssl_create(ssl, mcf->protocols, NULL) != NGX_OK) {
        return NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);

    if (cln == NULL) {
        ngx_ssl_cleanup_ctx(ssl);
        return NGX_ERROR;
    }

    cln->handler = ngx_ssl_cleanup_ctx;
    cln->data = ssl;

    if (ngx_ssl_ciphers(cf, ssl, &mcf->ciphers, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    if (mcf->trusted.len
        && ngx_ssl_trusted_certificate(cf, ssl, &mcf->trusted, 4) != NGX_OK)
    {
        return NGX_ERROR;
    }

    /* the result is looked at after the handshake */

    SSL_CTX_set_verify(ssl->ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_options(ssl->ctx, SSL_OP_NO_RENEGOTIATION|SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ssl->ctx, SSL_SESS_CACHE_OFF);

    /* what is not taken is sent again from another buffer */

    SSL_CTX_set_mode(ssl->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE
                               |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    return NGX_OK;
}


static void *
ngx_http_amt_relay_create_conf(ngx_conf_t *cf)
{
    ngx_http_amt_relay_loc_conf_t  *rlcf;

    rlcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_relay_loc_conf_t));
    if (rlcf == NULL) {
        return NULL;
    }

    rlcf->binary = NGX_CONF_UNSET_UINT;
    rlcf->timeout = NGX_CONF_UNSET_MSEC;
    rlcf->record = NGX_CONF_UNSET_PTR;

    return rlcf;
}


static char *
ngx_http_amt_relay_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_amt_relay_loc_conf_t  *prev = parent;
    ngx_http_amt_relay_loc_conf_t  *conf = child;

    ngx_conf_merge_uint_value(conf->binary, prev->binary, 0);
    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 30000);

    if (conf->record == NGX_CONF_UNSET_PTR) {
        conf->record = prev->record == NGX_CONF_UNSET_PTR ? NULL
                                                          : prev->record;
        conf->record_max = prev->record_max;
        conf->record_all = prev->record_all;
    }

    if (conf->timeout == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"amt_relay_timeout\" must not be zero");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_amt_relay_enable(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_relay_loc_conf_t *rlcf = conf;

    ngx_http_core_loc_conf_t        *clcf;
    ngx_http_amt_relay_main_conf_t  *mcf;

    if (rlcf->enable) {
        return "is duplicate";
    }

    rlcf->enable = 1;

    mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_amt_relay_module);
    mcf->used = 1;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_amt_relay_handler;

    return NGX_CONF_OK;
}


/* amt_relay_record dir [max=size] [all] | off; */

static char *
ngx_http_amt_relay_record(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_relay_loc_conf_t *rlcf = conf;

    ngx_str_t   *value, s;
    ngx_uint_t   i;
    ngx_path_t  *path;

    if (rlcf->record != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {
        rlcf->record = NULL;
        return cf->args->nelts == 2 ? NGX_CONF_OK
                                    : "has a parameter beside \"off\"";
    }

    path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
    if (path == NULL) {
        return NGX_CONF_ERROR;
    }

    path->name = value[1];

    while (path->name.len > 1 && path->name.data[path->name.len - 1] == '/') {
        path->name.len--;
        path->name.data[path->name.len] = '\0';
    }

    if (ngx_conf_full_name(cf->cycle, &path->name, 0) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    path->conf_file = cf->conf_file->file.name.data;
    path->line = cf->conf_file->line;

    rlcf->record = path;
    rlcf->record_max = 64 * 1024 * 1024;
    rlcf->record_all = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "all") == 0) {
            rlcf->record_all = 1;
            continue;
        }

        if (ngx_strncmp(value[i].data, "max=", 4) == 0) {
            s.data = value[i].data + 4;
            s.len = value[i].len - 4;

            rlcf->record_max = ngx_parse_offset(&s);

            if (rlcf->record_max >= 64 * 1024) {
                continue;
            }
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                           &value[i]);
        return NGX_CONF_ERROR;
    }

    /* created at start, for the workers' user only */

    if (ngx_add_path(cf, &rlcf->record) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_amt_relay_init_process(ngx_cycle_t *cycle)
{
    ngx_http_amt_relay_main_conf_t  *mcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    mcf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_amt_relay_module);

    if (mcf && mcf->zone) {
        ngx_amt_relay_worker_init(mcf->zone, cycle);
    }

    return NGX_OK;
}


static void
ngx_http_amt_relay_exit_process(ngx_cycle_t *cycle)
{
    ngx_amt_relay_worker_exit();
}
