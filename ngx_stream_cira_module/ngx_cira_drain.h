
/*
 * Graceful end of a worker (reload, upgrade): sessions are spread over
 * cira_drain instead of being cut together.
 */


#ifndef _NGX_CIRA_DRAIN_H_INCLUDED_
#define _NGX_CIRA_DRAIN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_zone.h"


/* Installs the quit hook; drain in milliseconds. */
ngx_int_t ngx_cira_drain_init(ngx_cycle_t *cycle, ngx_msec_t drain);

/* Takes the hook's connection back; for exit_process. */
void ngx_cira_drain_exit(ngx_cycle_t *cycle);


#endif /* _NGX_CIRA_DRAIN_H_INCLUDED_ */
