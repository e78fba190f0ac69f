
/*
 * Questions to other workers over their private sockets: EVICT, and LIST
 * until all pages are read.  Failures are logged; nobody waits for them.
 */


#ifndef _NGX_CIRA_PEER_H_INCLUDED_
#define _NGX_CIRA_PEER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_zone.h"


/*
 * Connects to a private listener; connect() to a unix socket is done at
 * once.  NGX_OK: *c is open, without pool and handlers; NGX_DECLINED: nobody
 * listens, its worker is dead; NGX_BUSY: its backlog is full, or this worker
 * has no free connection or file; NGX_ERROR.  c NULL: only asks.
 */
ngx_int_t ngx_cira_peer_connect(u_char *socket, ngx_log_t *log,
    ngx_connection_t **c);

/* Asks old->worker, at old->socket, to end a session. */
void ngx_cira_peer_evict(ngx_cira_zone_old_t *old);

/*
 * Reads all sessions of a worker that this zone does not know into the
 * registry.  At most one import per worker runs at a time.
 */
void ngx_cira_peer_import(uint64_t worker, u_char *socket);

/* Closes what is under way; for exit_process. */
void ngx_cira_peer_exit(void);


#endif /* _NGX_CIRA_PEER_H_INCLUDED_ */
