
/*
 * Directives of auth/: who may call, see ngx_amt_auth.h.
 */


#include "auth/ngx_http_amt_auth_module.h"
#include "ngx_http_amt.h"


#define NGX_AMT_AUTH_FILE_MAX  (16 * 1024 * 1024)


static void *ngx_http_amt_auth_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_amt_auth_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_amt_auth_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_amt_auth_merge_loc_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_http_amt_auth_init_process(ngx_cycle_t *cycle);
static void ngx_http_amt_auth_readable(ngx_cycle_t *cycle,
    ngx_amt_source_t *src);

static char *ngx_http_amt_auth_keys(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_amt_auth_users(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_amt_auth_jwt_key(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_amt_auth_source(ngx_conf_t *cf, ngx_amt_source_t **src,
    ngx_amt_source_parse_pt parse, mode_t forbidden);
static char *ngx_http_amt_auth_audit(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_amt_auth_failures(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_amt_auth_tenant(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_command_t  ngx_http_amt_auth_commands[] = {

    { ngx_string("amt_api_keys"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_amt_auth_keys,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_users"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_amt_auth_users,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_jwt_key"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_amt_auth_jwt_key,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_jwt_issuer"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_str_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_amt_auth_main_conf_t, issuer),
      NULL },

    { ngx_string("amt_jwt_expiration"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_sec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_amt_auth_main_conf_t, expiration),
      NULL },

    { ngx_string("amt_audit_log"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_amt_auth_audit,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_auth_failures"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_amt_auth_failures,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_tenant"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE12,
      ngx_http_amt_auth_tenant,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_amt_auth_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_amt_auth_create_main_conf,    /* create main configuration */
    ngx_http_amt_auth_init_main_conf,      /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_amt_auth_create_loc_conf,     /* create location configuration */
    ngx_http_amt_auth_merge_loc_conf       /* merge location configuration */
};


ngx_module_t  ngx_http_amt_auth_module = {
    NGX_MODULE_V1,
    &ngx_http_amt_auth_module_ctx,         /* module context */
    ngx_http_amt_auth_commands,            /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_amt_auth_init_process,        /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_amt_auth_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_amt_auth_main_conf_t  *amcf;

    amcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_auth_main_conf_t));
    if (amcf == NULL) {
        return NULL;
    }

    amcf->expiration = NGX_CONF_UNSET;
    amcf->limit.max = NGX_CONF_UNSET_UINT;

    return amcf;
}


static char *
ngx_http_amt_auth_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_amt_auth_main_conf_t *amcf = conf;

    ngx_str_t  name;

    ngx_conf_init_value(amcf->expiration, 1440 * 60);

    if (amcf->expiration == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"amt_jwt_expiration\" must not be 0");
        return NGX_CONF_ERROR;
    }

    if (amcf->issuer.data == NULL) {
        ngx_str_set(&amcf->issuer, "9EmRJTbIiIb4bIeSsmgcWIjrR6HyETqc");
    }

    if (amcf->limit.max == NGX_CONF_UNSET_UINT) {
        amcf->limit.max = 10;
        amcf->limit.per = 60 * 1000;
        amcf->limit.ban = 60 * 1000;
    }

    if (amcf->keys == NULL && amcf->users == NULL) {
        /* nobody is let in */
        amcf->limit.max = 0;
        return NGX_CONF_OK;
    }

    if (amcf->users) {

        if (amcf->jwt == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "\"amt_users\" needs \"amt_jwt_key\"");
            return NGX_CONF_ERROR;
        }

        /* must be declared: core says so when it is not */

        ngx_str_set(&name, NGX_AMT_POOL_AUTH);

        amcf->pool = ngx_thread_pool_add(cf, &name);
        if (amcf->pool == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (amcf->limit.max
        && ngx_amt_limit_zone(cf, &amcf->limit, &ngx_http_amt_auth_module)
           != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static void *
ngx_http_amt_auth_create_loc_conf(ngx_conf_t *cf)
{
    ngx_http_amt_auth_loc_conf_t  *alcf;

    alcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_auth_loc_conf_t));
    if (alcf == NULL) {
        return NULL;
    }

    alcf->tenant = NGX_CONF_UNSET_PTR;

    return alcf;
}


static char *
ngx_http_amt_auth_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_amt_auth_loc_conf_t *prev = parent;
    ngx_http_amt_auth_loc_conf_t *conf = child;

    if (conf->tenant == NGX_CONF_UNSET_PTR) {
        conf->claim = prev->claim;
    }

    ngx_conf_merge_ptr_value(conf->tenant, prev->tenant, NULL);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_amt_auth_init_process(ngx_cycle_t *cycle)
{
    ngx_http_amt_auth_main_conf_t  *amcf;

    amcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_amt_auth_module);
    if (amcf == NULL) {
        return NGX_OK;
    }

    ngx_http_amt_auth_readable(cycle, amcf->keys);
    ngx_http_amt_auth_readable(cycle, amcf->users);
    ngx_http_amt_auth_readable(cycle, amcf->jwt);

    return NGX_OK;
}


static void
ngx_http_amt_auth_readable(ngx_cycle_t *cycle, ngx_amt_source_t *src)
{
    if (src && access((char *) src->path.data, R_OK) == -1) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, ngx_errno,
                      "worker cannot read \"%V\": changes of it need a "
                      "reload", &src->path);
    }
}


static char *
ngx_http_amt_auth_keys(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_auth_main_conf_t *amcf = conf;

    return ngx_http_amt_auth_source(cf, &amcf->keys, ngx_amt_keys_parse,
                                    0002);
}


static char *
ngx_http_amt_auth_users(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_auth_main_conf_t *amcf = conf;

    return ngx_http_amt_auth_source(cf, &amcf->users, ngx_amt_users_parse,
                                    0002);
}


static char *
ngx_http_amt_auth_jwt_key(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_auth_main_conf_t *amcf = conf;

    /* who reads it can make tokens: at most the workers' group may */

    return ngx_http_amt_auth_source(cf, &amcf->jwt, ngx_amt_jwt_key_parse,
                                    0037);
}


static char *
ngx_http_amt_auth_source(ngx_conf_t *cf, ngx_amt_source_t **src,
    ngx_amt_source_parse_pt parse, mode_t forbidden)
{
    ngx_str_t               *value;
    ngx_amt_source_error_t   err;

    if (*src) {
        return "is duplicate";
    }

    value = cf->args->elts;

    *src = ngx_pcalloc(cf->pool, sizeof(ngx_amt_source_t));
    if (*src == NULL) {
        return NGX_CONF_ERROR;
    }

    (*src)->path = value[1];
    (*src)->parse = parse;
    (*src)->max = NGX_AMT_AUTH_FILE_MAX;
    (*src)->forbidden = forbidden;

    if (ngx_conf_full_name(cf->cycle, &(*src)->path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (ngx_amt_source_init(*src, cf->pool, cf->log, &err) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\": %*s",
                           &(*src)->path, err.len, err.text);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_amt_auth_audit(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_auth_main_conf_t *amcf = conf;

    ngx_str_t  *value;

    if (amcf->audit) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        return "needs a file name";
    }

    amcf->audit = ngx_conf_open_file(cf->cycle, &value[1]);
    if (amcf->audit == NULL) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* amt_auth_failures off | N per T ban B [key=VALUE] */

static char *
ngx_http_amt_auth_failures(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_auth_main_conf_t *amcf = conf;

    ngx_int_t                          n;
    ngx_str_t                         *value, key;
    ngx_http_compile_complex_value_t   ccv;

    if (amcf->limit.max != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        amcf->limit.max = 0;
        return NGX_CONF_OK;
    }

    if ((cf->args->nelts != 6 && cf->args->nelts != 7)
        || ngx_strcmp(value[2].data, "per") != 0
        || ngx_strcmp(value[4].data, "ban") != 0
        || (cf->args->nelts == 7
            && (value[6].len <= 4
                || ngx_strncmp(value[6].data, "key=", 4) != 0)))
    {
        return "is \"off\" or \"number per time ban time [key=value]\"";
    }

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n == 0) {
        return "has an invalid number";
    }

    amcf->limit.max = n;
    amcf->limit.per = ngx_parse_time(&value[3], 0);
    amcf->limit.ban = ngx_parse_time(&value[5], 0);

    if (amcf->limit.per == (ngx_msec_t) NGX_ERROR
        || amcf->limit.ban == (ngx_msec_t) NGX_ERROR)
    {
        return "has an invalid time";
    }

    if (cf->args->nelts == 6) {
        return NGX_CONF_OK;
    }

    amcf->limit.key = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (amcf->limit.key == NULL) {
        return NGX_CONF_ERROR;
    }

    key.data = value[6].data + 4;
    key.len = value[6].len - 4;

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &key;
    ccv.complex_value = amcf->limit.key;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/* amt_tenant VALUE [claim=NAME] */

static char *
ngx_http_amt_auth_tenant(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_auth_loc_conf_t *alcf = conf;

    ngx_str_t                         *value;
    ngx_http_compile_complex_value_t   ccv;

    if (alcf->tenant != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 3) {

        if (value[2].len <= 6 || ngx_strncmp(value[2].data, "claim=", 6) != 0)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        alcf->claim.data = value[2].data + 6;
        alcf->claim.len = value[2].len - 6;
    }

    alcf->tenant = ngx_palloc(cf->pool, sizeof(ngx_http_complex_value_t));
    if (alcf->tenant == NULL) {
        return NGX_CONF_ERROR;
    }

    ngx_memzero(&ccv, sizeof(ngx_http_compile_complex_value_t));

    ccv.cf = cf;
    ccv.value = &value[1];
    ccv.complex_value = alcf->tenant;

    if (ngx_http_compile_complex_value(&ccv) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    if (alcf->tenant->lengths == NULL && alcf->claim.len == 0
        && !ngx_amt_tenant_valid(&alcf->tenant->value))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid tenant \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
