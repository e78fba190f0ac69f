
/*
 * Directives of the device client: amt_timeout, amt_digest_zone,
 * amt_device_direct.
 */


#include "device/ngx_http_amt_device_module.h"


#define NGX_HTTP_AMT_DEVICE_TIMEOUT  10000
#define NGX_HTTP_AMT_DEVICE_ZONE     (2 * 1024 * 1024)
#define NGX_HTTP_AMT_DEVICE_VALID    600
#define NGX_HTTP_AMT_DEVICE_REFUSED  10


static void *ngx_http_amt_device_create_conf(ngx_conf_t *cf);
static char *ngx_http_amt_device_init_conf(ngx_conf_t *cf, void *conf);
static char *ngx_http_amt_device_timeout(ngx_conf_t *cf, void *post,
    void *data);
static char *ngx_http_amt_device_zone(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);


static ngx_conf_post_t  ngx_http_amt_device_timeout_post = {
    ngx_http_amt_device_timeout
};


static ngx_command_t  ngx_http_amt_device_commands[] = {

    { ngx_string("amt_timeout"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_amt_device_conf_t, timeout),
      &ngx_http_amt_device_timeout_post },

    { ngx_string("amt_digest_zone"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE123,
      ngx_http_amt_device_zone,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("amt_device_direct"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_FLAG,
      ngx_conf_set_flag_slot,
      NGX_HTTP_MAIN_CONF_OFFSET,
      offsetof(ngx_http_amt_device_conf_t, direct),
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_amt_device_module_ctx = {
    NULL,                                /* preconfiguration */
    NULL,                                /* postconfiguration */

    ngx_http_amt_device_create_conf,     /* create main configuration */
    ngx_http_amt_device_init_conf,       /* init main configuration */

    NULL,                                /* create server configuration */
    NULL,                                /* merge server configuration */

    NULL,                                /* create location configuration */
    NULL                                 /* merge location configuration */
};


ngx_module_t  ngx_http_amt_device_module = {
    NGX_MODULE_V1,
    &ngx_http_amt_device_module_ctx,     /* module context */
    ngx_http_amt_device_commands,        /* module directives */
    NGX_HTTP_MODULE,                     /* module type */
    NULL,                                /* init master */
    NULL,                                /* init module */
    NULL,                                /* init process */
    NULL,                                /* init thread */
    NULL,                                /* exit thread */
    NULL,                                /* exit process */
    NULL,                                /* exit master */
    NGX_MODULE_V1_PADDING
};


static void *
ngx_http_amt_device_create_conf(ngx_conf_t *cf)
{
    ngx_http_amt_device_conf_t  *dcf;

    dcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_device_conf_t));
    if (dcf == NULL) {
        return NULL;
    }

    dcf->timeout = NGX_CONF_UNSET_MSEC;
    dcf->size = NGX_CONF_UNSET;
    dcf->direct = NGX_CONF_UNSET;
    dcf->valid = NGX_HTTP_AMT_DEVICE_VALID;
    dcf->refused = NGX_HTTP_AMT_DEVICE_REFUSED;

    return dcf;
}


static char *
ngx_http_amt_device_init_conf(ngx_conf_t *cf, void *conf)
{
    ngx_http_amt_device_conf_t  *dcf = conf;

    ngx_conf_init_msec_value(dcf->timeout, NGX_HTTP_AMT_DEVICE_TIMEOUT);
    ngx_conf_init_value(dcf->direct, 1);
    ngx_conf_init_value(dcf->size, NGX_HTTP_AMT_DEVICE_ZONE);

    if (dcf->size) {
        dcf->cache = ngx_amt_ha1_create(cf, dcf->size, dcf->valid,
                                        dcf->refused,
                                        &ngx_http_amt_device_module);
        if (dcf->cache == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    return NGX_CONF_OK;
}


static char *
ngx_http_amt_device_timeout(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *timeout = data;

    if (*timeout == 0 || *timeout > 600000) {
        return "must be between 1ms and 10m";
    }

    return NGX_CONF_OK;
}


/* amt_digest_zone size|off [valid=time] [refused=time]; */

static char *
ngx_http_amt_device_zone(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_device_conf_t *dcf = conf;

    time_t      *time;
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    if (dcf->size != NGX_CONF_UNSET) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_strcmp(value[1].data, "off") == 0) {

        if (cf->args->nelts > 2) {
            return "has a parameter beside \"off\"";
        }

        dcf->size = 0;

        return NGX_CONF_OK;
    }

    dcf->size = ngx_parse_size(&value[1]);

    if (dcf->size == NGX_ERROR || dcf->size < (ssize_t) (8 * ngx_pagesize)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid size \"%V\", at least %uz are needed",
                           &value[1], (size_t) (8 * ngx_pagesize));
        return NGX_CONF_ERROR;
    }

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "valid=", 6) == 0) {
            time = &dcf->valid;
            s.data = value[i].data + 6;

        } else if (ngx_strncmp(value[i].data, "refused=", 8) == 0) {
            time = &dcf->refused;
            s.data = value[i].data + 8;

        } else {
            goto invalid;
        }

        s.len = value[i].data + value[i].len - s.data;

        *time = ngx_parse_time(&s, 1);

        if (*time == (time_t) NGX_ERROR
            || (*time == 0 && time == &dcf->valid))
        {
            goto invalid;
        }
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       &value[i]);

    return NGX_CONF_ERROR;
}
