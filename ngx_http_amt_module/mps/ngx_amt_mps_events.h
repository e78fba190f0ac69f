
/* Events of the REST API; ngx_amt_mps_events.c. */


#ifndef _NGX_AMT_MPS_EVENTS_H_INCLUDED_
#define _NGX_AMT_MPS_EVENTS_H_INCLUDED_


#include "mps/ngx_amt_mps.h"


/* The route's code is about to run: the call is valid, the device there. */
void ngx_amt_mps_event_request(ngx_amt_api_t *api);

/* api->reply is decided. */
void ngx_amt_mps_event_reply(ngx_amt_api_t *api);


#endif /* _NGX_AMT_MPS_EVENTS_H_INCLUDED_ */
