
/*
 * Directives of the store: amt_store, amt_instance.  The database is checked
 * by "nginx -t", created at start, opened by worker threads only.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "store/ngx_amt_store_op.h"
#include "store/ngx_amt_store_peek.h"
#include "store/ngx_amt_store_sqlite.h"
#include "store/ngx_amt_sqlite_db.h"


typedef struct {
    ngx_amt_store_t         store;
    ngx_amt_sqlite_db_t     sqlite;
} ngx_http_amt_store_main_conf_t;


typedef struct {
    ngx_str_t               scheme;
    char                 *(*conf)(ngx_conf_t *cf,
                                  ngx_http_amt_store_main_conf_t *smcf);
} ngx_http_amt_store_scheme_t;


static char *ngx_http_amt_store(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_amt_store_sqlite(ngx_conf_t *cf,
    ngx_http_amt_store_main_conf_t *smcf);
static char *ngx_http_amt_store_instance(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static void *ngx_http_amt_store_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_amt_store_init_main_conf(ngx_conf_t *cf, void *conf);
static ngx_int_t ngx_http_amt_store_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_amt_store_init_process(ngx_cycle_t *cycle);
static void ngx_http_amt_store_exit_process(ngx_cycle_t *cycle);


static ngx_http_amt_store_scheme_t  ngx_http_amt_store_schemes[] = {
    { ngx_string("sqlite:"), ngx_http_amt_store_sqlite },
    { ngx_string("postgresql://"), NULL },
    { ngx_string("postgres://"), NULL },
    { ngx_null_string, NULL }
};


static ngx_command_t  ngx_http_amt_store_commands[] = {

    { ngx_string("amt_store"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_amt_store,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_instance"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_http_amt_store_instance,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_amt_store_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_amt_store_create_main_conf,   /* create main configuration */
    ngx_http_amt_store_init_main_conf,     /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_amt_store_module = {
    NGX_MODULE_V1,
    &ngx_http_amt_store_module_ctx,        /* module context */
    ngx_http_amt_store_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_amt_store_init_module,        /* init module */
    ngx_http_amt_store_init_process,       /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_amt_store_exit_process,       /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_amt_store_t *
ngx_amt_store_current(void)
{
    ngx_http_amt_store_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_amt_store_module);

    return smcf ? &smcf->store : NULL;
}


const ngx_amt_sqlite_conf_t *
ngx_amt_store_peek_conf(ngx_conf_t *cf)
{
    ngx_http_amt_store_main_conf_t  *smcf;

    smcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_amt_store_module);

    return smcf->store.backend ? &smcf->sqlite.conf : NULL;
}


static char *
ngx_http_amt_store(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_store_main_conf_t *smcf = conf;

    ngx_str_t                    *value;
    ngx_http_amt_store_scheme_t  *s;

    if (smcf->store.backend) {
        return "is duplicate";
    }

    value = cf->args->elts;

    for (s = ngx_http_amt_store_schemes; s->scheme.len; s++) {

        if (value[1].len < s->scheme.len
            || ngx_strncmp(value[1].data, s->scheme.data, s->scheme.len) != 0)
        {
            continue;
        }

        if (s->conf == NULL) {
            return "has a PostgreSQL address, which is not supported by this "
                   "build: use \"sqlite:PATH\"";
        }

        return s->conf(cf, smcf);
    }

    return "must be \"sqlite:PATH\"";
}


static char *
ngx_http_amt_store_sqlite(ngx_conf_t *cf, ngx_http_amt_store_main_conf_t *smcf)
{
    ssize_t               size;
    ngx_str_t            *value, path, s;
    ngx_int_t             ms;
    ngx_uint_t            i;
    ngx_amt_sqlite_db_t  *db;

    value = cf->args->elts;
    db = &smcf->sqlite;

    path.data = value[1].data + sizeof("sqlite:") - 1;
    path.len = value[1].len - (sizeof("sqlite:") - 1);

    if (path.len == 0 || path.data[path.len - 1] == '/') {
        return "must be \"sqlite:PATH\" with the name of a file";
    }

    if (ngx_amt_sqlite_db_conf(cf, db, &path, &ngx_amt_store_schema)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "busy=", 5) == 0) {
            s.data = value[i].data + 5;
            s.len = value[i].len - 5;

            ms = ngx_parse_time(&s, 0);

            if (ms == NGX_ERROR || ms < 100 || ms > 60000) {
                goto invalid;
            }

            db->conf.busy = ms;
            continue;
        }

        if (ngx_strncmp(value[i].data, "mmap=", 5) == 0) {
            s.data = value[i].data + 5;
            s.len = value[i].len - 5;

            size = ngx_parse_size(&s);

            if (size == NGX_ERROR) {
                goto invalid;
            }

            db->conf.mmap = size;
            continue;
        }

    invalid:

        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid parameter \"%V\": \"busy=\" takes a time "
                           "from 100ms to 60s, \"mmap=\" a size", &value[i]);

        return NGX_CONF_ERROR;
    }

    smcf->store.backend = &ngx_amt_store_sqlite;
    smcf->store.data = db;

    return NGX_CONF_OK;
}


static char *
ngx_http_amt_store_instance(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_store_main_conf_t *smcf = conf;

    ngx_str_t   *value;
    ngx_uint_t   i;

    if (smcf->store.instance.len) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].len > 255) {
        return "must be a name of 1 to 255 characters";
    }

    for (i = 0; i < value[1].len; i++) {
        if (value[1].data[i] <= 0x20 || value[1].data[i] >= 0x7f) {
            return "must be a name of printable ASCII characters";
        }
    }

    smcf->store.instance = value[1];

    return NGX_CONF_OK;
}


static void *
ngx_http_amt_store_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_store_main_conf_t));
}


static char *
ngx_http_amt_store_init_main_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_amt_store_main_conf_t *smcf = conf;

    if (smcf->store.instance.len == 0) {
        smcf->store.instance = cf->cycle->hostname;
    }

    if (smcf->store.backend == NULL) {
        return NGX_CONF_OK;
    }

    if (ngx_amt_sqlite_db_check(cf, &smcf->sqlite, ngx_amt_sqlite_access)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_amt_store_init_module(ngx_cycle_t *cycle)
{
    ngx_http_amt_store_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_amt_store_module);

    if (smcf == NULL || smcf->store.backend == NULL) {
        return NGX_OK;
    }

    return ngx_amt_sqlite_db_create(cycle, &smcf->sqlite,
                                    ngx_amt_sqlite_prepare);
}


static ngx_int_t
ngx_http_amt_store_init_process(ngx_cycle_t *cycle)
{
    ngx_http_amt_store_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_amt_store_module);

    if (smcf == NULL || smcf->store.backend == NULL) {
        return NGX_OK;
    }

    return ngx_amt_sqlite_db_init(cycle, &smcf->sqlite);
}


static void
ngx_http_amt_store_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_amt_store_main_conf_t  *smcf;

    smcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_amt_store_module);

    if (smcf && smcf->store.backend) {
        ngx_amt_sqlite_db_exit(&smcf->sqlite);
    }
}
