
/*
 * Directives of the device client.
 */


#ifndef _NGX_HTTP_AMT_DEVICE_MODULE_H_INCLUDED_
#define _NGX_HTTP_AMT_DEVICE_MODULE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "device/ngx_amt_ha1.h"


typedef struct {
    ngx_msec_t            timeout;       /* amt_timeout */
    ssize_t               size;          /* amt_digest_zone; 0: off */
    time_t                valid;
    time_t                refused;
    ngx_flag_t            direct;        /* amt_device_direct */
    ngx_amt_ha1_cache_t  *cache;         /* NULL: off */
} ngx_http_amt_device_conf_t;


extern ngx_module_t  ngx_http_amt_device_module;


#endif /* _NGX_HTTP_AMT_DEVICE_MODULE_H_INCLUDED_ */
