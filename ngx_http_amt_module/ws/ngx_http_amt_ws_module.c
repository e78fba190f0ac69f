
/*
 * Directives and variables of WebSockets.
 */


#include "ws/ngx_amt_ws_priv.h"


static ngx_int_t ngx_http_amt_ws_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_http_amt_ws_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static void *ngx_http_amt_ws_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_amt_ws_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_amt_ws_create_conf(ngx_conf_t *cf);
static char *ngx_http_amt_ws_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_http_amt_ws_origins(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_amt_ws_init_process(ngx_cycle_t *cycle);
static void ngx_http_amt_ws_exit_process(ngx_cycle_t *cycle);


#define NGX_AMT_WS_VAR_CLOSE  0
#define NGX_AMT_WS_VAR_END    1
#define NGX_AMT_WS_VAR_IN     2
#define NGX_AMT_WS_VAR_OUT    3


static ngx_conf_num_bounds_t  ngx_http_amt_ws_message_bounds = {
    ngx_conf_check_num_bounds, 1024, 128 * 1024 * 1024
};


static ngx_command_t  ngx_http_amt_ws_commands[] = {

    { ngx_string("amt_allowed_origins"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_1MORE,
      ngx_http_amt_ws_origins,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_ws_ping"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_amt_ws_conf_t, ping),
      NULL },

    { ngx_string("amt_ws_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_amt_ws_conf_t, timeout),
      NULL },

    { ngx_string("amt_ws_idle"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_amt_ws_conf_t, idle),
      NULL },

    { ngx_string("amt_ws_max_message"),
      NGX_HTTP_MAIN_CONF|NGX_HTTP_SRV_CONF|NGX_HTTP_LOC_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_LOC_CONF_OFFSET,
      offsetof(ngx_amt_ws_conf_t, max_message),
      &ngx_http_amt_ws_message_bounds },

    { ngx_string("amt_ws_drain"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_amt_ws_main_conf_t, drain),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_amt_ws_module_ctx = {
    ngx_http_amt_ws_add_variables,         /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_amt_ws_create_main_conf,      /* create main configuration */
    ngx_http_amt_ws_init_main_conf,        /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_amt_ws_create_conf,           /* create location configuration */
    ngx_http_amt_ws_merge_conf             /* merge location configuration */
};


ngx_module_t  ngx_http_amt_ws_module = {
    NGX_MODULE_V1,
    &ngx_http_amt_ws_module_ctx,           /* module context */
    ngx_http_amt_ws_commands,              /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_amt_ws_init_process,          /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_amt_ws_exit_process,          /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_http_variable_t  ngx_http_amt_ws_variables[] = {

    { ngx_string("amt_ws_close"), NULL, ngx_http_amt_ws_variable,
      NGX_AMT_WS_VAR_CLOSE, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("amt_ws_end"), NULL, ngx_http_amt_ws_variable,
      NGX_AMT_WS_VAR_END, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("amt_ws_received"), NULL, ngx_http_amt_ws_variable,
      NGX_AMT_WS_VAR_IN, NGX_HTTP_VAR_NOCACHEABLE, 0 },

    { ngx_string("amt_ws_sent"), NULL, ngx_http_amt_ws_variable,
      NGX_AMT_WS_VAR_OUT, NGX_HTTP_VAR_NOCACHEABLE, 0 },

      ngx_http_null_variable
};


static ngx_int_t
ngx_http_amt_ws_add_variables(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var, *v;

    for (v = ngx_http_amt_ws_variables; v->name.len; v++) {
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
ngx_http_amt_ws_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v,
    uintptr_t data)
{
    u_char        *p;
    const char    *end;
    ngx_amt_ws_t  *ws;

    ws = ngx_amt_ws_of(r->main);

    if (ws == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }

    p = ngx_pnalloc(r->pool, NGX_OFF_T_LEN);

    if (p == NULL) {
        return NGX_ERROR;
    }

    v->data = p;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    switch (data) {

    case NGX_AMT_WS_VAR_CLOSE:
        v->len = ngx_sprintf(p, "%ui", ws->result.code) - p;
        break;

    case NGX_AMT_WS_VAR_END:
        end = ngx_amt_ws_end_name(ws->result.end);
        v->data = (u_char *) end;
        v->len = ngx_strlen(end);
        break;

    case NGX_AMT_WS_VAR_IN:
        v->len = ngx_sprintf(p, "%O", ws->bytes_in) - p;
        break;

    default: /* NGX_AMT_WS_VAR_OUT */
        v->len = ngx_sprintf(p, "%O", ws->bytes_out) - p;
        break;
    }

    return NGX_OK;
}


static void *
ngx_http_amt_ws_create_main_conf(ngx_conf_t *cf)
{
    ngx_amt_ws_main_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_amt_ws_main_conf_t));

    if (conf == NULL) {
        return NULL;
    }

    conf->drain = NGX_CONF_UNSET_MSEC;

    return conf;
}


static char *
ngx_http_amt_ws_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_amt_ws_main_conf_t  *wmcf = conf;

    ngx_conf_init_msec_value(wmcf->drain, 600000);

    return NGX_CONF_OK;
}


static void *
ngx_http_amt_ws_create_conf(ngx_conf_t *cf)
{
    ngx_amt_ws_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_amt_ws_conf_t));

    if (conf == NULL) {
        return NULL;
    }

    conf->ping = NGX_CONF_UNSET_MSEC;
    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->idle = NGX_CONF_UNSET_MSEC;
    conf->max_message = NGX_CONF_UNSET_SIZE;

    return conf;
}


static char *
ngx_http_amt_ws_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_amt_ws_conf_t *prev = parent;
    ngx_amt_ws_conf_t *conf = child;

    if (conf->origins_mode == 0) {
        conf->origins_mode = prev->origins_mode ? prev->origins_mode
                                                : NGX_AMT_WS_ORIGIN_SAME;
        conf->origins = prev->origins;
    }

    ngx_conf_merge_msec_value(conf->ping, prev->ping, 30000);
    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 120000);
    ngx_conf_merge_msec_value(conf->idle, prev->idle, 0);
    ngx_conf_merge_size_value(conf->max_message, prev->max_message,
                              1024 * 1024);

    return NGX_CONF_OK;
}


static char *
ngx_http_amt_ws_origins(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_amt_ws_conf_t *wcf = conf;

    ngx_int_t    rc;
    ngx_str_t   *value, *origin;
    ngx_uint_t   i;

    if (wcf->origins_mode) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "same") == 0) {
            wcf->origins_mode |= NGX_AMT_WS_ORIGIN_SAME;
            continue;
        }

        if (ngx_strcmp(value[i].data, "any") == 0) {

            if (cf->args->nelts != 2) {
                return "has \"any\" beside other parameters";
            }

            wcf->origins_mode |= NGX_AMT_WS_ORIGIN_ANY;
            continue;
        }

        if (wcf->origins == NULL) {
            wcf->origins = ngx_array_create(cf->pool, 4, sizeof(ngx_str_t));

            if (wcf->origins == NULL) {
                return NGX_CONF_ERROR;
            }
        }

        origin = ngx_array_push(wcf->origins);

        if (origin == NULL) {
            return NGX_CONF_ERROR;
        }

        rc = ngx_amt_ws_origin(cf->pool, &value[i], origin);

        if (rc == NGX_ERROR) {
            return NGX_CONF_ERROR;
        }

        if (rc != NGX_OK) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid origin \"%V\": it must be \"same\", "
                               "\"any\" or http[s]://host[:port], without "
                               "a path", &value[i]);
            return NGX_CONF_ERROR;
        }

        wcf->origins_mode |= NGX_AMT_WS_ORIGIN_LIST;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_amt_ws_init_process(ngx_cycle_t *cycle)
{
    ngx_amt_ws_main_conf_t  *wmcf;

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    wmcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_amt_ws_module);

    if (wmcf == NULL) {
        return NGX_OK;
    }

    return ngx_amt_ws_drain_init(cycle, wmcf->drain);
}


static void
ngx_http_amt_ws_exit_process(ngx_cycle_t *cycle)
{
    ngx_amt_ws_drain_exit(cycle);
}
