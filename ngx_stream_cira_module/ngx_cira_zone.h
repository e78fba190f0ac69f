
/*
 * Registry of connected devices over all workers (cira_zone): what login,
 * logout, duplicates and quarantine mean, on top of ngx_cira_table.h.  The
 * truth about a session is in its owning worker; the zone is an index that
 * is rebuilt from the workers whenever it is new or was damaged.
 *
 * Contract: apf.md section 13.
 */


#ifndef _NGX_CIRA_ZONE_H_INCLUDED_
#define _NGX_CIRA_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_cira.h"
#include "ngx_cira_table.h"


/* cira_zone, cira_path, cira_duplicate, cira_drain; stream context */

typedef struct {
    ngx_shm_zone_t         *shm_zone;
    ngx_path_t             *path;
    ngx_stream_conf_ctx_t  *ctx;         /* server the private listener uses */
    ngx_uint_t              duplicates;
    ngx_msec_t              period;
    ngx_msec_t              ban;
    ngx_msec_t              drain;
} ngx_cira_zone_conf_t;


extern ngx_module_t    ngx_stream_cira_zone_module;

/* What ngx_cira_api_find() gives, spare_hook0 of ngx_stream_cira_module */
extern ngx_cira_api_t  ngx_cira_api;


/* Sets up the registry in this process; the table is shm_zone->data. */
void ngx_cira_zone_init(ngx_cira_zone_conf_t *conf);

/* NULL when there is no cira_zone or this process is not a worker. */
ngx_cira_table_t *ngx_cira_zone_table(void);

/* Milliseconds since 1970, of the event loop's cached time. */
int64_t ngx_cira_zone_now(void);

/* A session that has to go, because another one of its GUID counts. */

typedef struct {
    u_char        guid[NGX_CIRA_GUID_LEN];
    uint64_t      generation;            /* 0: there is none */
    uint64_t      worker;
    ngx_uint_t    reason;                /* of the DISCONNECT it gets */
    u_char        addr[NGX_CIRA_TABLE_ADDR];
    ngx_uint_t    addr_len;
    u_char        socket[sizeof(((struct sockaddr_un *) 0)->sun_path)];
} ngx_cira_zone_old_t;

/*
 * Adds a session that exists already, of this worker (after the zone was
 * rebuilt) or of another (LIST).  NGX_OK: it is registered, *old may name a
 * session it displaces; NGX_DONE: it was there; NGX_DECLINED: a newer session
 * of this GUID, or its quarantine, wins and the given one has to go;
 * NGX_ERROR: zone full.
 */
ngx_int_t ngx_cira_zone_merge(ngx_cira_info_t *info, uint32_t stamp,
    ngx_cira_zone_old_t *old);

/* Ends a session on whichever worker, if it still has this generation. */
void ngx_cira_zone_evict(ngx_cira_zone_old_t *old, ngx_log_t *log);

/* Removes the entries of an imported worker that have an older stamp. */
void ngx_cira_zone_purge(uint64_t worker, uint32_t stamp);

/* Removes some of the entries whose quarantine is over. */
void ngx_cira_zone_expire(ngx_log_t *log);

/*
 * A worker is dead: reports its devices as disconnected, frees their
 * entries and its slot.
 */
void ngx_cira_zone_bury(uint64_t worker, char *reason, ngx_log_t *log);

/*
 * Registers again what this worker has, if the zone may miss some of it or
 * force is set.
 */
void ngx_cira_zone_resync(ngx_uint_t force, ngx_log_t *log);

/* Fills *info from a record, with the lock held. */
void ngx_cira_zone_info(ngx_cira_table_t *t, ngx_cira_record_t *r,
    ngx_cira_info_t *info);


#endif /* _NGX_CIRA_ZONE_H_INCLUDED_ */
