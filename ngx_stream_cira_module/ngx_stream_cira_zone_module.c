
/*
 * Directives of the registry - cira_zone, cira_path, cira_duplicate,
 * cira_drain - and its start and end in every worker.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_cira_zone.h"
#include "ngx_cira_worker.h"
#include "ngx_cira_drain.h"


static void *ngx_stream_cira_zone_create_conf(ngx_conf_t *cf);
static char *ngx_stream_cira_zone_init_conf(ngx_conf_t *cf, void *conf);
static ngx_int_t ngx_stream_cira_zone_postconfiguration(ngx_conf_t *cf);
static char *ngx_stream_cira_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_cira_duplicate(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_cira_path(ngx_conf_t *cf,
    ngx_cira_zone_conf_t *zcf);
static ngx_int_t ngx_stream_cira_zone_init_shm(ngx_shm_zone_t *shm_zone,
    void *data);
static ngx_int_t ngx_stream_cira_zone_init_process(ngx_cycle_t *cycle);
static void ngx_stream_cira_zone_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_stream_cira_zone_commands[] = {

    { ngx_string("cira_zone"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_TAKE2,
      ngx_stream_cira_zone,
      NGX_STREAM_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cira_path"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_path_slot,
      NGX_STREAM_MAIN_CONF_OFFSET,
      offsetof(ngx_cira_zone_conf_t, path),
      NULL },

    { ngx_string("cira_duplicate"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_1MORE,
      ngx_stream_cira_duplicate,
      NGX_STREAM_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cira_drain"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_MAIN_CONF_OFFSET,
      offsetof(ngx_cira_zone_conf_t, drain),
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_cira_zone_module_ctx = {
    NULL,                                /* preconfiguration */
    ngx_stream_cira_zone_postconfiguration,
                                         /* postconfiguration */
    ngx_stream_cira_zone_create_conf,    /* create main configuration */
    ngx_stream_cira_zone_init_conf,      /* init main configuration */
    NULL,                                /* create server configuration */
    NULL                                 /* merge server configuration */
};


ngx_module_t  ngx_stream_cira_zone_module = {
    NGX_MODULE_V1,
    &ngx_stream_cira_zone_module_ctx,    /* module context */
    ngx_stream_cira_zone_commands,       /* module directives */
    NGX_STREAM_MODULE,                   /* module type */
    NULL,                                /* init master */
    NULL,                                /* init module */
    ngx_stream_cira_zone_init_process,   /* init process */
    NULL,                                /* init thread */
    NULL,                                /* exit thread */
    ngx_stream_cira_zone_exit_process,   /* exit process */
    NULL,                                /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_int_t
ngx_stream_cira_zone_init_process(ngx_cycle_t *cycle)
{
    ngx_cira_zone_conf_t  *zcf;

    /* cache manager and loader run this too */

    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    zcf = ngx_stream_cycle_get_module_main_conf(cycle,
                                                ngx_stream_cira_zone_module);

    if (zcf == NULL || zcf->shm_zone == NULL) {
        return NGX_OK;
    }

    ngx_cira_zone_init(zcf);

    if (ngx_cira_worker_init(cycle, zcf) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_cira_drain_init(cycle, zcf->drain);
}


static void
ngx_stream_cira_zone_exit_process(ngx_cycle_t *cycle)
{
    if (ngx_cira_worker_id == 0) {
        return;
    }

    ngx_cira_worker_exit(cycle);
    ngx_cira_drain_exit(cycle);
}


static ngx_int_t
ngx_stream_cira_zone_init_shm(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_slab_pool_t   *shpool;
    ngx_cira_table_t  *t;

    if (data) {
        shm_zone->data = data;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    if (shm_zone->shm.exists) {
        shm_zone->data = shpool->data;
        return NGX_OK;
    }

    t = ngx_cira_table_create(shpool);

    if (t == NULL) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "cira_zone \"%V\" is too small", &shm_zone->shm.name);
        return NGX_ERROR;
    }

    shpool->data = t;
    shm_zone->data = t;

    ngx_log_error(NGX_LOG_NOTICE, shm_zone->shm.log, 0,
                  "cira_zone \"%V\" is new, it holds %uD devices",
                  &shm_zone->shm.name, t->capacity);

    return NGX_OK;
}


static void *
ngx_stream_cira_zone_create_conf(ngx_conf_t *cf)
{
    ngx_cira_zone_conf_t  *zcf;

    zcf = ngx_pcalloc(cf->pool, sizeof(ngx_cira_zone_conf_t));
    if (zcf == NULL) {
        return NULL;
    }

    zcf->duplicates = NGX_CONF_UNSET_UINT;
    zcf->period = NGX_CONF_UNSET_MSEC;
    zcf->ban = NGX_CONF_UNSET_MSEC;
    zcf->drain = NGX_CONF_UNSET_MSEC;

    return zcf;
}


static char *
ngx_stream_cira_zone_init_conf(ngx_conf_t *cf, void *conf)
{
    ngx_cira_zone_conf_t  *zcf = conf;

    ngx_conf_init_uint_value(zcf->duplicates, 10);
    ngx_conf_init_msec_value(zcf->period, 60000);
    ngx_conf_init_msec_value(zcf->ban, 300000);
    ngx_conf_init_msec_value(zcf->drain, 600000);

    if (zcf->shm_zone == NULL) {
        return NGX_CONF_OK;
    }

    return ngx_stream_cira_path(cf, zcf);
}


/* The default is a directory beside nginx's other state. */

static char *
ngx_stream_cira_path(ngx_conf_t *cf, ngx_cira_zone_conf_t *zcf)
{
    u_char           *p, *last;
    ngx_str_t         base;
    ngx_path_t       *path;
    ngx_file_info_t   fi;

    path = zcf->path;

    if (path == NULL) {
#ifdef NGX_HTTP_CLIENT_TEMP_PATH
        ngx_str_set(&base, NGX_HTTP_CLIENT_TEMP_PATH);
#else
        ngx_str_null(&base);
#endif

        for (last = base.data + base.len; last > base.data; last--) {
            if (last[-1] == '/') {
                break;
            }
        }

        path = ngx_pcalloc(cf->pool, sizeof(ngx_path_t));
        if (path == NULL) {
            return NGX_CONF_ERROR;
        }

        path->name.data = ngx_pnalloc(cf->pool, base.len + sizeof("cira"));
        if (path->name.data == NULL) {
            return NGX_CONF_ERROR;
        }

        p = ngx_cpymem(path->name.data, base.data, last - base.data);
        p = ngx_cpymem(p, "cira", sizeof("cira"));
        path->name.len = p - 1 - path->name.data;

        if (ngx_conf_full_name(cf->cycle, &path->name, 0) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        if (ngx_add_path(cf, &path) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        zcf->path = path;
    }

    if (path->name.len + 1 + NGX_CIRA_WORKER_NAME
        >= sizeof(((struct sockaddr_un *) 0)->sun_path))
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cira_path\" \"%V\" is too long for unix sockets",
                           &path->name);
        return NGX_CONF_ERROR;
    }

    /* the master creates it with mode 0700; another's must be as safe */

    if (ngx_file_info(path->name.data, &fi) == NGX_FILE_ERROR) {

        if (ngx_errno == NGX_ENOENT) {
            return NGX_CONF_OK;
        }

        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "\"cira_path\": " ngx_file_info_n " \"%V\" failed",
                           &path->name);
        return NGX_CONF_ERROR;
    }

    if (!ngx_is_dir(&fi) || (fi.st_mode & (S_IRWXG|S_IRWXO))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cira_path\" \"%V\" must be a directory that "
                           "only its owner can enter (mode 0700)",
                           &path->name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_stream_cira_zone_postconfiguration(ngx_conf_t *cf)
{
    ngx_cira_zone_conf_t         *zcf;
    ngx_stream_core_srv_conf_t  **cscf;
    ngx_stream_core_main_conf_t  *cmcf;

    zcf = ngx_stream_conf_get_module_main_conf(cf,
                                               ngx_stream_cira_zone_module);
    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);

    if (zcf->shm_zone == NULL) {
        return NGX_OK;
    }

    /*
     * The private listener takes error_log, access_log and limits from the
     * first cira_connect server (set by that directive), else from any.
     */

    if (zcf->ctx == NULL && cmcf->servers.nelts) {
        cscf = cmcf->servers.elts;
        zcf->ctx = cscf[0]->ctx;
    }

    return NGX_OK;
}


static char *
ngx_stream_cira_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_cira_zone_conf_t  *zcf = conf;

    ssize_t     size;
    ngx_str_t  *value;

    if (zcf->shm_zone) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid zone name \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    size = ngx_parse_size(&value[2]);

    if (size == NGX_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid zone size \"%V\"",
                           &value[2]);
        return NGX_CONF_ERROR;
    }

    if (size < NGX_CIRA_TABLE_MIN) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "zone \"%V\" is too small, %d bytes are needed",
                           &value[1], NGX_CIRA_TABLE_MIN);
        return NGX_CONF_ERROR;
    }

    zcf->shm_zone = ngx_shared_memory_add(cf, &value[1], size,
                                          &ngx_stream_cira_zone_module);
    if (zcf->shm_zone == NULL) {
        return NGX_CONF_ERROR;
    }

    zcf->shm_zone->init = ngx_stream_cira_zone_init_shm;

    return NGX_CONF_OK;
}


/* cira_duplicate N per T [ban B]; */

static char *
ngx_stream_cira_duplicate(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_cira_zone_conf_t  *zcf = conf;

    ngx_int_t    n;
    ngx_str_t   *value;
    ngx_msec_t   period, ban;

    if (zcf->duplicates != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if ((cf->args->nelts != 4 && cf->args->nelts != 6)
        || ngx_strcmp(value[2].data, "per") != 0
        || (cf->args->nelts == 6 && ngx_strcmp(value[4].data, "ban") != 0))
    {
        return "must be \"N per TIME [ban TIME]\"";
    }

    n = ngx_atoi(value[1].data, value[1].len);

    if (n == NGX_ERROR || n == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid number \"%V\"",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    period = ngx_parse_time(&value[3], 0);

    if (period == (ngx_msec_t) NGX_ERROR || period == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid time \"%V\"",
                           &value[3]);
        return NGX_CONF_ERROR;
    }

    if (cf->args->nelts == 6) {
        ban = ngx_parse_time(&value[5], 0);

        if (ban == (ngx_msec_t) NGX_ERROR || ban == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid time \"%V\"",
                               &value[5]);
            return NGX_CONF_ERROR;
        }

        zcf->ban = ban;
    }

    zcf->duplicates = n;
    zcf->period = period;

    return NGX_CONF_OK;
}
