
/*
 * The device index in shared memory, without policy: fixed-size records that
 * are found by GUID, and the table of workers that own them.  It is built so
 * that a process may die at any instruction while it changes it:
 *
 * - all memory is taken when the zone is created, nothing is allocated later;
 * - a record counts only while its state says so, and the state is written
 *   last; a record in use is never moved;
 * - hash chains, the list of free records and the counters are derived.  A
 *   writer marks the table before it touches them and clears the mark when
 *   it is done; who takes the lock and finds the mark rebuilds them.
 *
 * The only lock is the slab mutex, see ngx_cira_lock.h.
 */


#ifndef _NGX_CIRA_TABLE_H_INCLUDED_
#define _NGX_CIRA_TABLE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_api.h"


#define NGX_CIRA_TABLE_MIN      (64 * 1024)
#define NGX_CIRA_TABLE_WORKERS  256
#define NGX_CIRA_TABLE_ADDR     62
#define NGX_CIRA_TABLE_NONE     ((uint32_t) -1)


typedef enum {
    NGX_CIRA_RECORD_FREE = 0,
    NGX_CIRA_RECORD_CONNECTED,
    NGX_CIRA_RECORD_QUARANTINED          /* no session; window is its end */
} ngx_cira_record_state_e;


typedef struct {
    uint32_t         state;              /* written last */
    uint32_t         next;               /* derived: chain or free list */
    u_char           guid[NGX_CIRA_GUID_LEN];
    uint64_t         generation;
    uint64_t         worker;
    int64_t          connected;          /* ms since 1970 */
    int64_t          last_seen;          /* ms since 1970 */
    int64_t          window;             /* replacements counted since */
    uint32_t         replaced;           /* replacements in this window */
    uint32_t         stamp;              /* last import that listed it */
    uint32_t         channels;           /* open towards dialers */
    u_char           tenant_len;
    u_char           addr_len;
    u_char           tenant[NGX_CIRA_TENANT_LEN];
    u_char           addr[NGX_CIRA_TABLE_ADDR];
} ngx_cira_record_t;


typedef struct {
    uint64_t         id;                 /* 0: free; written last */
    ngx_pid_t        pid;
    uint32_t         foreign;            /* known from cira_path only */
    u_char           socket[sizeof(((struct sockaddr_un *) 0)->sun_path)];
} ngx_cira_table_worker_t;


typedef struct {
    ngx_slab_pool_t           *shpool;
    ngx_pid_t                  writer;   /* not 0: a change is under way */
    uint64_t                   sequence; /* of generations */
    uint32_t                   salt;
    uint32_t                   epoch;    /* increases when records may miss */
    uint32_t                   stamp;    /* of imports */
    uint32_t                   capacity;
    uint32_t                   mask;     /* number of buckets - 1 */
    uint32_t                   used;     /* derived */
    uint32_t                   free;     /* derived: head of free records */
    uint32_t                   quarantined;  /* derived */
    uint32_t                   expired;  /* records looked at for expiry */
    int64_t                    swept;    /* ms since 1970 */
    int64_t                    full;     /* last refusal that was logged */
    uint32_t                  *buckets;  /* derived */
    ngx_cira_record_t         *records;
    ngx_cira_table_worker_t    workers[NGX_CIRA_TABLE_WORKERS];
} ngx_cira_table_t;


/*
 * Builds an empty table in a fresh slab pool, taking all of it; NULL: the
 * zone is too small.  Called once per zone, before any other.
 */
ngx_cira_table_t *ngx_cira_table_create(ngx_slab_pool_t *shpool);

/* Lock; rebuilds what a dead writer left.  Locks do not nest. */
void ngx_cira_table_lock(ngx_cira_table_t *t);
void ngx_cira_table_unlock(ngx_cira_table_t *t);

/* The rest is called with the lock held. */

/* Record of a GUID in any state but free, or NULL. */
ngx_cira_record_t *ngx_cira_table_find(ngx_cira_table_t *t,
    const u_char *guid);

/*
 * Adds a record for a GUID that has none, in state free until published;
 * NULL: the table is full.
 */
ngx_cira_record_t *ngx_cira_table_add(ngx_cira_table_t *t,
    const u_char *guid);

/* Withdraws a record before its fields are changed, and publishes it. */
void ngx_cira_table_hide(ngx_cira_table_t *t, ngx_cira_record_t *r);
void ngx_cira_table_publish(ngx_cira_table_t *t, ngx_cira_record_t *r,
    ngx_cira_record_state_e state);

void ngx_cira_table_remove(ngx_cira_table_t *t, ngx_cira_record_t *r);

/*
 * Connected record that follows guid (NULL: the first) in the table's own
 * fixed order, or NULL.  Looks into at most *budget buckets; *budget is 0
 * and *resume is where to go on, when it was used up.
 */
ngx_cira_record_t *ngx_cira_table_next(ngx_cira_table_t *t,
    const u_char *guid, uint32_t *resume, ngx_uint_t *budget);

/*
 * Record in use at *i or behind, in any state but free, and *i is what comes
 * after it; NULL: *i is the capacity, the end, or *budget, the number of
 * records it may look at, was used up and is 0.  For work on all records in
 * steps that hold the lock for a bounded time.
 */
ngx_cira_record_t *ngx_cira_table_scan(ngx_cira_table_t *t, uint32_t *i,
    ngx_uint_t *budget);

/*
 * Removes records whose quarantine is over, looking at budget records from
 * where the last call left off.  Returns how many.
 */
ngx_uint_t ngx_cira_table_expire(ngx_cira_table_t *t, int64_t now,
    ngx_uint_t budget);

/* A generation higher than all before, in this zone and in earlier ones. */
uint64_t ngx_cira_table_generation(ngx_cira_table_t *t, int64_t now);

/* A generation given by another zone: ours have to stay above. */
void ngx_cira_table_generation_seen(ngx_cira_table_t *t,
    uint64_t generation);

/* Slot of a worker, or NULL.  Adding one that is there updates it. */
ngx_cira_table_worker_t *ngx_cira_table_worker(ngx_cira_table_t *t,
    uint64_t id);
ngx_cira_table_worker_t *ngx_cira_table_worker_add(ngx_cira_table_t *t,
    uint64_t id, ngx_pid_t pid, u_char *socket, ngx_uint_t foreign);
void ngx_cira_table_worker_remove(ngx_cira_table_t *t, uint64_t id);

/* Checks all derived data against the records; for tests: NGX_ERROR. */
ngx_int_t ngx_cira_table_check(ngx_cira_table_t *t);


#endif /* _NGX_CIRA_TABLE_H_INCLUDED_ */
