
/* Events of the REST API; ngx_amt_mps_events.c. */


#ifndef _NGX_AMT_MPS_EVENTS_H_INCLUDED_
#define _NGX_AMT_MPS_EVENTS_H_INCLUDED_


#include "mps/ngx_amt_mps.h"
#include "amt/ngx_amt_capability.h"


/* The route's code is about to run: the call is valid, the device there. */
void ngx_amt_mps_event_request(ngx_amt_api_t *api);

/* api->reply is decided. */
void ngx_amt_mps_event_reply(ngx_amt_api_t *api);

/*
 * One device of a bulk power action is done: with a result, with an error
 * (err is not NULL), or, without both, because it is not connected.  guid:
 * NGX_CIRA_GUID_TEXT bytes.
 */
void ngx_amt_mps_event_bulk(ngx_amt_api_t *api, u_char *guid,
    ngx_amt_result_t *result, ngx_amt_error_t *err);


#endif /* _NGX_AMT_MPS_EVENTS_H_INCLUDED_ */
