
/* Configuration the stream modules have in common. */


#ifndef _NGX_CIRA_CONF_H_INCLUDED_
#define _NGX_CIRA_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>


/* For ngx_conf_set_msec_slot: a time of 0 is refused. */
extern ngx_conf_post_t  ngx_cira_conf_positive;


#endif /* _NGX_CIRA_CONF_H_INCLUDED_ */
