
/*
 * All redirection sessions of this worker: a beat that tells others it is
 * alive, sees who wants to take a session over, and writes recordings out.
 */


#ifndef _NGX_AMT_RELAY_WORKER_H_INCLUDED_
#define _NGX_AMT_RELAY_WORKER_H_INCLUDED_


#include "relay/ngx_amt_relay.h"


void ngx_amt_relay_worker_add(ngx_amt_relay_session_t *s);
void ngx_amt_relay_worker_remove(ngx_amt_relay_session_t *s);

/* init_process of workers; tells others of this worker's sessions. */
void ngx_amt_relay_worker_init(ngx_amt_relay_zone_t *zone,
    ngx_cycle_t *cycle);

/* exit_process */
void ngx_amt_relay_worker_exit(void);


/* ---- ngx_amt_relay_session.c ---- */

void ngx_amt_relay_exit(ngx_amt_relay_session_t *s);


#endif /* _NGX_AMT_RELAY_WORKER_H_INCLUDED_ */
