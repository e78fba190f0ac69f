
/* Configuration the stream modules have in common, see ngx_cira_conf.h. */


#include "ngx_cira_conf.h"


static char *ngx_cira_conf_check_positive(ngx_conf_t *cf, void *post,
    void *data);


ngx_conf_post_t  ngx_cira_conf_positive = { ngx_cira_conf_check_positive };


static char *
ngx_cira_conf_check_positive(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *time = data;

    return *time ? NGX_CONF_OK : "must not be 0";
}
