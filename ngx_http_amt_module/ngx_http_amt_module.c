
/*
 * API plane: the module that names the .so and what its folders share.
 */


#include "ngx_http_amt.h"
#include "auth/ngx_http_amt_auth_module.h"
#include "flow/ngx_amt_flow.h"
#include "vault/ngx_http_amt_vault.h"


typedef struct {
    ngx_flag_t  core_dump;
} ngx_http_amt_main_conf_t;


static ngx_uint_t ngx_http_amt_undumped(ngx_cycle_t *cycle);
static void *ngx_http_amt_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_amt_init_main_conf(ngx_conf_t *cf, void *conf);
static void *ngx_http_amt_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_amt_status(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_amt_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_amt_init_process(ngx_cycle_t *cycle);
static void ngx_http_amt_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_amt_commands[] = {

    { ngx_string("amt_status"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS|NGX_CONF_TAKE1,
      ngx_http_amt_status,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_core_dump"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_amt_main_conf_t, core_dump),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_amt_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_amt_create_main_conf,         /* create main configuration */
    ngx_http_amt_init_main_conf,           /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_amt_create_loc_conf,          /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_amt_module = {
    NGX_MODULE_V1,
    &ngx_http_amt_module_ctx,              /* module context */
    ngx_http_amt_commands,                 /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_amt_init_module,              /* init module */
    ngx_http_amt_init_process,             /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_amt_exit_process,             /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


/*
 * nginx itself would accept an undeclared pool here and end later with
 * "unknown thread pool"; asking for the declaration above http{} allows to
 * say what is missing.
 */

ngx_thread_pool_t *
ngx_amt_thread_pool(ngx_conf_t *cf, ngx_str_t *name)
{
    const char         *args;
    ngx_thread_pool_t  *tp;

    tp = ngx_thread_pool_get(cf->cycle, name);

    if (tp) {
        return tp;
    }

    if (ngx_strcmp(name->data, NGX_AMT_POOL_READ) == 0) {
        args = "threads=4";

    } else if (ngx_strcmp(name->data, NGX_AMT_POOL_WRITE) == 0) {
        args = "threads=1";

    } else {
        args = "threads=2 max_queue=64";
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "no thread pool \"%V\": add \"thread_pool %V %s;\" "
                       "to the main context, above \"http\"",
                       name, name, args);

    return NULL;
}


static void *
ngx_http_amt_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_amt_main_conf_t  *amcf;

    amcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_main_conf_t));
    if (amcf == NULL) {
        return NULL;
    }

    amcf->core_dump = NGX_CONF_UNSET;

    return amcf;
}


static char *
ngx_http_amt_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_amt_main_conf_t *amcf = conf;

    ngx_conf_init_value(amcf->core_dump, 0);

    return NGX_CONF_OK;
}


static void *
ngx_http_amt_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_loc_conf_t));
}


static char *
ngx_http_amt_status(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_loc_conf_t *alcf = conf;

    ngx_str_t                 *value;
    ngx_http_core_loc_conf_t  *clcf;

    if (alcf->status) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 1 || ngx_strcmp(value[1].data, "json") == 0) {
        alcf->status = NGX_HTTP_AMT_STATUS_JSON;

    } else if (ngx_strcmp(value[1].data, "text") == 0) {
        alcf->status = NGX_HTTP_AMT_STATUS_TEXT;

    } else {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\"", &value[1]);
        return NGX_CONF_ERROR;
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = ngx_http_amt_status_handler;

    return NGX_CONF_OK;
}


/* Workers of this configuration have secrets that no core file may show. */

static ngx_uint_t
ngx_http_amt_undumped(ngx_cycle_t *cycle)
{
    ngx_http_amt_main_conf_t        *amcf;
    ngx_http_amt_auth_main_conf_t   *auth;
    ngx_http_amt_vault_main_conf_t  *vault;

    amcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_amt_module);

    if (amcf == NULL || amcf->core_dump) {
        return 0;
    }

    auth = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_amt_auth_module);
    vault = ngx_http_cycle_get_module_main_conf(cycle,
                                                ngx_http_amt_vault_module);

    return auth->keys || auth->users || auth->jwt || vault->set;
}


static ngx_int_t
ngx_http_amt_init_module(ngx_cycle_t *cycle)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ccf->rlimit_core != NGX_CONF_UNSET && ngx_http_amt_undumped(cycle)) {
        ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                      "\"worker_rlimit_core\" has no effect: workers hold "
                      "secrets and leave no core files without "
                      "\"amt_core_dump on\"");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_amt_init_process(ngx_cycle_t *cycle)
{
#if (NGX_HAVE_PR_SET_DUMPABLE)

    /* nginx has allowed it; this also keeps debuggers of the same user out */

    if (ngx_http_amt_undumped(cycle) && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)
                                        == -1)
    {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_errno,
                      "prctl(PR_SET_DUMPABLE) failed");
    }

#endif

    return NGX_OK;
}


static void
ngx_http_amt_exit_process(ngx_cycle_t *cycle)
{
    /* this module's hook runs first: the folders' state is still there */

    ngx_amt_flow_exit();
}
