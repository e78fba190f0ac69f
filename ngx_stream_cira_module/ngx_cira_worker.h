
/*
 * What makes a worker reachable for the others: its id, its private CONNECT
 * listener in cira_path, and the sweep that finds dead and unknown workers.
 */


#ifndef _NGX_CIRA_WORKER_H_INCLUDED_
#define _NGX_CIRA_WORKER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_cira_zone.h"


/* "<path>/<16 hex digits>.sock" */
#define NGX_CIRA_WORKER_NAME  (16 + sizeof(".sock") - 1)


/* Id of this worker, never reused; 0 where there is no registry. */
extern uint64_t  ngx_cira_worker_id;

/* Called from init_process and exit_process of real workers only. */
ngx_int_t ngx_cira_worker_init(ngx_cycle_t *cycle,
    ngx_cira_zone_conf_t *conf);
void ngx_cira_worker_exit(ngx_cycle_t *cycle);

/* Ends a connection of the private listener that asked nothing. */
void ngx_cira_worker_close(ngx_connection_t *c);

/* Path of this worker's private listener, zero terminated. */
u_char *ngx_cira_worker_socket(void);

/* TRUE for a connection that came through this worker's private listener. */
ngx_uint_t ngx_cira_worker_private(ngx_connection_t *c);

/*
 * connect() to a worker's socket said that nobody listens: buries the
 * worker and unlinks the socket.
 */
void ngx_cira_worker_dead(uint64_t id, u_char *socket, ngx_log_t *log);


#endif /* _NGX_CIRA_WORKER_H_INCLUDED_ */
