
/*
 * Directives of cira_auth, cira_notify and the limits per address, and the
 * shared memory behind them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_stream.h>
#include "ngx_cira_conf.h"
#include "ngx_cira_hooks.h"
#include <openssl/rand.h>
#include "ngx_cira_http.h"
#include "ngx_cira_lock.h"


static void *ngx_stream_cira_hooks_create_conf(ngx_conf_t *cf);
static char *ngx_stream_cira_hooks_init_conf(ngx_conf_t *cf, void *conf);
static char *ngx_stream_cira_auth(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_cira_notify(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_cira_auth_failures(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static ngx_int_t ngx_stream_cira_hooks_init_zone(ngx_shm_zone_t *zone,
    void *data);
static ngx_int_t ngx_stream_cira_hooks_init_process(ngx_cycle_t *cycle);
static void ngx_stream_cira_hooks_exit_process(ngx_cycle_t *cycle);


static ngx_conf_num_bounds_t  ngx_stream_cira_batch_bounds = {
    ngx_conf_check_num_bounds, 1, 1000
};


static ngx_command_t  ngx_stream_cira_hooks_commands[] = {

    { ngx_string("cira_auth"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_stream_cira_auth,
      NGX_STREAM_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cira_auth_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_MAIN_CONF_OFFSET,
      offsetof(ngx_cira_hooks_conf_t, auth_timeout),
      &ngx_cira_conf_positive },

    { ngx_string("cira_auth_failures"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_1MORE,
      ngx_stream_cira_auth_failures,
      NGX_STREAM_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cira_login_sessions"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_STREAM_MAIN_CONF_OFFSET,
      offsetof(ngx_cira_hooks_conf_t, pending),
      NULL },

    { ngx_string("cira_notify"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_stream_cira_notify,
      NGX_STREAM_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cira_notify_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_MAIN_CONF_OFFSET,
      offsetof(ngx_cira_hooks_conf_t, notify_timeout),
      &ngx_cira_conf_positive },

    { ngx_string("cira_notify_batch"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_STREAM_MAIN_CONF_OFFSET,
      offsetof(ngx_cira_hooks_conf_t, notify_batch),
      &ngx_stream_cira_batch_bounds },

    { ngx_string("cira_hooks_zone"),
      NGX_STREAM_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_STREAM_MAIN_CONF_OFFSET,
      offsetof(ngx_cira_hooks_conf_t, zone_size),
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_cira_hooks_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_stream_cira_hooks_create_conf,     /* create main configuration */
    ngx_stream_cira_hooks_init_conf,       /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL                                   /* merge server configuration */
};


ngx_module_t  ngx_stream_cira_hooks_module = {
    NGX_MODULE_V1,
    &ngx_stream_cira_hooks_module_ctx,     /* module context */
    ngx_stream_cira_hooks_commands,        /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_stream_cira_hooks_init_process,    /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_stream_cira_hooks_exit_process,    /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_cira_hooks_conf_t *
ngx_cira_hooks_conf(void)
{
    ngx_cira_hooks_conf_t  *hcf;

    hcf = ngx_stream_cycle_get_module_main_conf((ngx_cycle_t *) ngx_cycle,
                                                ngx_stream_cira_hooks_module);

    return hcf && hcf->zone ? hcf : NULL;
}


ngx_cira_hooks_shm_t *
ngx_cira_hooks_lock(void)
{
    ngx_slab_pool_t        *shpool;
    ngx_cira_hooks_conf_t  *hcf;

    hcf = ngx_cira_hooks_conf();
    if (hcf == NULL || hcf->zone->data == NULL) {
        return NULL;
    }

    shpool = (ngx_slab_pool_t *) hcf->zone->shm.addr;

    ngx_cira_lock(shpool, "cira hooks zone");

    return hcf->zone->data;
}


void
ngx_cira_hooks_unlock(void)
{
    ngx_slab_pool_t        *shpool;
    ngx_cira_hooks_conf_t  *hcf;

    hcf = ngx_cira_hooks_conf();
    shpool = (ngx_slab_pool_t *) hcf->zone->shm.addr;

    ngx_shmtx_unlock(&shpool->mutex);
}


static void *
ngx_stream_cira_hooks_create_conf(ngx_conf_t *cf)
{
    ngx_cira_hooks_conf_t  *hcf;

    hcf = ngx_pcalloc(cf->pool, sizeof(ngx_cira_hooks_conf_t));
    if (hcf == NULL) {
        return NULL;
    }

    hcf->auth_timeout = NGX_CONF_UNSET_MSEC;
    hcf->notify_timeout = NGX_CONF_UNSET_MSEC;
    hcf->notify_batch = NGX_CONF_UNSET_UINT;
    hcf->failures = NGX_CONF_UNSET_UINT;
    hcf->pending = NGX_CONF_UNSET_UINT;
    hcf->zone_size = NGX_CONF_UNSET_SIZE;

    return hcf;
}


static char *
ngx_stream_cira_hooks_init_conf(ngx_conf_t *cf, void *conf)
{
    ngx_cira_hooks_conf_t *hcf = conf;

    static ngx_str_t  name = ngx_string("ngx_stream_cira_hooks");

    if (hcf->auth.url == NULL && hcf->notify.url == NULL) {
        return NGX_CONF_OK;
    }

    ngx_conf_init_msec_value(hcf->auth_timeout, 5000);
    ngx_conf_init_msec_value(hcf->notify_timeout, 5000);
    ngx_conf_init_uint_value(hcf->notify_batch, 200);
    ngx_conf_init_uint_value(hcf->pending, 64);
    ngx_conf_init_size_value(hcf->zone_size, 4 * 1024 * 1024);

    if (hcf->failures == NGX_CONF_UNSET_UINT) {
        hcf->failures = 10;
        hcf->period = 60;
        hcf->ban = 300;
    }

    if (hcf->zone_size < 64 * ngx_pagesize) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cira_hooks_zone\" needs at least %uz bytes",
                           64 * ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    hcf->zone = ngx_shared_memory_add(cf, &name, hcf->zone_size,
                                      &ngx_stream_cira_hooks_module);
    if (hcf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    hcf->zone->init = ngx_stream_cira_hooks_init_zone;

    return NGX_CONF_OK;
}


static char *
ngx_stream_cira_auth(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_cira_hooks_conf_t *hcf = conf;

    ngx_str_t  *value;

    if (hcf->auth.url) {
        return "is duplicate";
    }

    value = cf->args->elts;

    return ngx_cira_http_parse_url(cf, &value[1], &hcf->auth, 0);
}


static char *
ngx_stream_cira_notify(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_cira_hooks_conf_t *hcf = conf;

    ngx_str_t  *value;

    if (hcf->notify.url) {
        return "is duplicate";
    }

    value = cf->args->elts;

    return ngx_cira_http_parse_url(cf, &value[1], &hcf->notify, 0);
}


/* cira_auth_failures off | N per TIME ban TIME */

static char *
ngx_stream_cira_auth_failures(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_cira_hooks_conf_t *hcf = conf;

    ngx_int_t   n, period, ban;
    ngx_str_t  *value;

    if (hcf->failures != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (cf->args->nelts == 2 && ngx_strcmp(value[1].data, "off") == 0) {
        hcf->failures = 0;
        return NGX_CONF_OK;
    }

    if (cf->args->nelts != 6
        || ngx_strcmp(value[2].data, "per") != 0
        || ngx_strcmp(value[4].data, "ban") != 0)
    {
        return "is not \"off\" or \"N per TIME ban TIME\"";
    }

    n = ngx_atoi(value[1].data, value[1].len);
    period = ngx_parse_time(&value[3], 1);
    ban = ngx_parse_time(&value[5], 1);

    if (n < 1 || n > 1000000 || period < 1 || ban < 1) {
        return "has an invalid number or time";
    }

    hcf->failures = n;
    hcf->period = period;
    hcf->ban = ban;

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_stream_cira_hooks_init_zone(ngx_shm_zone_t *zone, void *data)
{
    size_t                 size, events, limits;
    ngx_slab_pool_t       *shpool;
    ngx_cira_hooks_shm_t  *shm;

    if (data) {
        zone->data = data;
        return NGX_OK;
    }

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists) {
        zone->data = shpool->data;
        return NGX_OK;
    }

    shm = ngx_slab_calloc(shpool, sizeof(ngx_cira_hooks_shm_t));
    if (shm == NULL) {
        return NGX_ERROR;
    }

    /* half for state events, a quarter for last-seen, an eighth for limits */

    size = zone->shm.size;
    events = size / 4 / sizeof(ngx_cira_event_t);
    limits = size / 8 / sizeof(ngx_cira_limit_t);

    shm->state.size = 2 * events;
    shm->seen.size = events;
    shm->sets = limits / NGX_CIRA_LIMIT_WAYS;

    shm->state.events = ngx_slab_calloc(shpool, 2 * events
                                                * sizeof(ngx_cira_event_t));
    shm->seen.events = ngx_slab_calloc(shpool,
                                       events * sizeof(ngx_cira_event_t));
    shm->limits = ngx_slab_calloc(shpool, shm->sets * NGX_CIRA_LIMIT_WAYS
                                          * sizeof(ngx_cira_limit_t));

    if (shm->state.events == NULL || shm->seen.events == NULL
        || shm->limits == NULL)
    {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "\"cira_hooks_zone\" is too small");
        return NGX_ERROR;
    }

    if (RAND_bytes((u_char *) &shm->source, sizeof(shm->source)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "no random bytes");
        return NGX_ERROR;
    }

    shpool->data = shm;
    zone->data = shm;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_cira_hooks_init_process(ngx_cycle_t *cycle)
{
    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    if (ngx_cira_hooks_conf() == NULL) {
        return NGX_OK;
    }

    if (ngx_cira_http_init(cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_cira_limit_reset();

    return ngx_cira_notify_init(cycle);
}


static void
ngx_stream_cira_hooks_exit_process(ngx_cycle_t *cycle)
{
    ngx_cira_notify_exit(cycle);
    ngx_cira_http_exit(cycle);
}
