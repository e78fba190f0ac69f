
/*
 * Directives of the event outputs, their shared memory, and the life of a
 * worker's part.
 */


#include "events/ngx_amt_mqtt.h"
#include "events/ngx_amt_webhook.h"
#include "ngx_cira_lock.h"
#include <openssl/rand.h>


static void *ngx_http_amt_events_create_conf(ngx_conf_t *cf);
static char *ngx_http_amt_events_init_conf(ngx_conf_t *cf, void *conf);
static char *ngx_http_amt_mqtt(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_amt_webhook(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_amt_events_init_zone(ngx_shm_zone_t *zone,
    void *data);
static ngx_int_t ngx_http_amt_events_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_amt_events_init_process(ngx_cycle_t *cycle);
static void ngx_http_amt_events_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_amt_events_commands[] = {

    { ngx_string("amt_mqtt"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_amt_mqtt,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_webhook"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_1MORE,
      ngx_http_amt_webhook,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_events_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_amt_events_conf_t, zone_size),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_amt_events_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_amt_events_create_conf,       /* create main configuration */
    ngx_http_amt_events_init_conf,         /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_amt_events_module = {
    NGX_MODULE_V1,
    &ngx_http_amt_events_module_ctx,       /* module context */
    ngx_http_amt_events_commands,          /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_amt_events_init_module,       /* init module */
    ngx_http_amt_events_init_process,      /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_amt_events_exit_process,      /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_amt_events_create_conf(ngx_conf_t *cf)
{
    ngx_http_amt_events_conf_t  *ecf;

    ecf = ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_events_conf_t));
    if (ecf == NULL) {
        return NULL;
    }

    ecf->zone_size = NGX_CONF_UNSET_SIZE;

    return ecf;
}


static char *
ngx_http_amt_events_init_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_amt_events_conf_t *ecf = conf;

    static ngx_str_t  name = ngx_string("ngx_http_amt_events");

    ecf->clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (ecf->webhooks == NULL && ecf->mqtt == NULL) {
        return NGX_CONF_OK;
    }

    ngx_conf_init_size_value(ecf->zone_size, 4 * 1024 * 1024);

    if (ecf->zone_size < 32 * ngx_pagesize) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"amt_events_zone\" needs at least %uz bytes",
                           32 * ngx_pagesize);
        return NGX_CONF_ERROR;
    }

    ecf->zone = ngx_shared_memory_add(cf, &name, ecf->zone_size,
                                      &ngx_http_amt_events_module);
    if (ecf->zone == NULL) {
        return NGX_CONF_ERROR;
    }

    ecf->zone->init = ngx_http_amt_events_init_zone;
    ecf->zone->data = ecf;

    return NGX_CONF_OK;
}


static char *
ngx_http_amt_mqtt(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_events_conf_t *ecf = conf;

    if (ecf->mqtt) {
        return "is duplicate";
    }

    ecf->mqtt = ngx_pcalloc(cf->pool, sizeof(ngx_amt_mqtt_conf_t));
    if (ecf->mqtt == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_amt_mqtt_parse(cf, ecf->mqtt);
}


static char *
ngx_http_amt_webhook(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_events_conf_t *ecf = conf;

    char               *rv;
    ngx_uint_t          i;
    ngx_cira_api_t     *api;
    ngx_amt_webhook_t  *hook, *hooks;

    api = ngx_cira_api_find(cf->cycle);

    if (api == NULL) {
        return "needs ngx_stream_cira_module.so of the same version, loaded "
               "before ngx_http_amt_module.so";
    }

    if (ecf->webhooks == NULL) {
        ecf->webhooks = ngx_array_create(cf->pool, 2,
                                         sizeof(ngx_amt_webhook_t));
        if (ecf->webhooks == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    if (ecf->webhooks->nelts == NGX_AMT_WEBHOOKS) {
        return "is used more than 16 times";
    }

    hook = ngx_array_push(ecf->webhooks);
    if (hook == NULL) {
        return NGX_CONF_ERROR;
    }

    rv = ngx_amt_webhook_parse(cf, api->http, hook);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    hooks = ecf->webhooks->elts;

    for (i = 0; i < ecf->webhooks->nelts - 1; i++) {
        if (hooks[i].key == hook->key) {
            return "has an URL that another one has";
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_amt_events_init_zone(ngx_shm_zone_t *zone, void *data)
{
    ngx_http_amt_events_conf_t *ecf = zone->data;

    size_t            free;
    uint64_t          instance;
    ngx_uint_t        size;
    ngx_amt_ring_t   *ring;
    ngx_slab_pool_t  *shpool;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (data || zone->shm.exists) {
        ring = data ? data : shpool->data;
        goto found;
    }

    /* whole pages but for the slab's own */

    free = (size_t) (shpool->end - shpool->start) - ngx_pagesize;
    size = ngx_amt_ring_fit(free);

    if (size == 0 || RAND_bytes((u_char *) &instance, sizeof(instance)) != 1) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "\"amt_events_zone\" cannot be used");
        return NGX_ERROR;
    }

    ring = ngx_slab_calloc(shpool, ngx_amt_ring_bytes(size));
    if (ring == NULL) {
        return NGX_ERROR;
    }

    ngx_amt_ring_init(ring, size, instance);

    shpool->data = ring;

found:

    if (ecf->mqtt && ecf->mqtt->queue >= ring->size) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0,
                      "\"amt_events_zone\" has room for %ui events, fewer "
                      "than the \"queue=\" of \"amt_mqtt\"",
                      ring->size - 1);
        return NGX_ERROR;
    }

    zone->data = ring;

    return NGX_OK;
}


/*
 * The configuration is good: from now on its receivers count.  Not earlier,
 * the workers of before go on when a new configuration fails.
 */

static ngx_int_t
ngx_http_amt_events_init_module(ngx_cycle_t *cycle)
{
    uint64_t                     keys[NGX_AMT_RING_SINKS];
    ngx_uint_t                   i, n;
    ngx_slab_pool_t             *shpool;
    ngx_amt_webhook_t           *hook;
    ngx_http_amt_events_conf_t  *ecf;

    ecf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_amt_events_module);

    if (ecf == NULL || ecf->zone == NULL) {
        return NGX_OK;
    }

    n = 0;

    if (ecf->webhooks) {
        hook = ecf->webhooks->elts;

        for (i = 0; i < ecf->webhooks->nelts; i++) {
            keys[n++] = hook[i].key;
        }
    }

    if (ecf->mqtt) {
        keys[n++] = ecf->mqtt->key;
    }

    shpool = (ngx_slab_pool_t *) ecf->zone->shm.addr;

    ngx_cira_lock(shpool, "amt_events zone");

    (void) ngx_amt_ring_sinks(ecf->zone->data, keys, n);

    ngx_shmtx_unlock(&shpool->mutex);

    return NGX_OK;
}


static ngx_int_t
ngx_http_amt_events_init_process(ngx_cycle_t *cycle)
{
    ngx_cira_api_t              *api;
    ngx_http_amt_events_conf_t  *ecf;

    if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    ecf = ngx_http_cycle_get_module_main_conf(cycle,
                                              ngx_http_amt_events_module);

    if (ecf == NULL || ecf->zone == NULL) {
        return NGX_OK;
    }

    if (ecf->mqtt && ngx_amt_mqtt_init(ecf, cycle) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ecf->webhooks) {
        api = ngx_cira_api_find(cycle);

        if (api == NULL
            || ngx_amt_webhook_init(ecf, api->http, cycle) != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    ngx_amt_event_outputs(ecf);

    return NGX_OK;
}


static void
ngx_http_amt_events_exit_process(ngx_cycle_t *cycle)
{
    ngx_amt_event_outputs(NULL);

    ngx_amt_webhook_exit(cycle);
    ngx_amt_mqtt_exit();
}
