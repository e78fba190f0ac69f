
/*
 * Devices of this worker for other modules of it: the part of ngx_cira_api_t
 * that needs no registry, see there.
 */


#ifndef _NGX_CIRA_DIRECT_H_INCLUDED_
#define _NGX_CIRA_DIRECT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_api.h"


/* why a connection ended that another module has ended */
#define NGX_CIRA_DIRECT_ENDED  "ended through the API"


ngx_int_t ngx_cira_direct_evict(ngx_cira_info_t *info);
ngx_int_t ngx_cira_direct_dial(ngx_cira_info_t *info, ngx_cira_dial_t *d);


#endif /* _NGX_CIRA_DIRECT_H_INCLUDED_ */
