
/*
 * Who has which redirection session: one KVM, one SOL and one IDER session
 * per device, over all workers, in shared memory.  Contract mps.md section
 * 4.6.
 *
 * A session belongs to a worker that shows signs of life; what a dead worker
 * had is free.  Records have a fixed place and size and are valid by one
 * word that is written last, so that a worker may die at any instruction.
 */


#ifndef _NGX_AMT_RELAY_ZONE_H_INCLUDED_
#define _NGX_AMT_RELAY_ZONE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "relay/ngx_amt_redir.h"
#include "ngx_cira_api.h"


#define NGX_AMT_RELAY_BEAT   100         /* ms between signs of life */
#define NGX_AMT_RELAY_DEAD   30000       /* ms without one */


/* Why sessions end: for counters, logs and events. */

typedef enum {
    NGX_AMT_RELAY_OPEN = 0,
    NGX_AMT_RELAY_BROWSER_CLOSED,
    NGX_AMT_RELAY_BROWSER_LOST,
    NGX_AMT_RELAY_BROWSER_PROTOCOL,
    NGX_AMT_RELAY_DEVICE_CLOSED,
    NGX_AMT_RELAY_DEVICE_LOST,
    NGX_AMT_RELAY_DEVICE_REFUSED,
    NGX_AMT_RELAY_DEVICE_PROTOCOL,
    NGX_AMT_RELAY_DEVICE_TLS,
    NGX_AMT_RELAY_PASSWORD,
    NGX_AMT_RELAY_TIMEOUT,               /* until logged in */
    NGX_AMT_RELAY_IDLE,
    NGX_AMT_RELAY_BUSY,
    NGX_AMT_RELAY_TAKEN_OVER,
    NGX_AMT_RELAY_DRAINED,
    NGX_AMT_RELAY_RECORDING,             /* cannot go on being recorded */
    NGX_AMT_RELAY_REVOKED,               /* key or user: removed, changed */
    NGX_AMT_RELAY_VAULT,
    NGX_AMT_RELAY_INTERNAL,
    NGX_AMT_RELAY_ENDS
} ngx_amt_relay_end_e;


typedef struct {
    ngx_atomic_t          started[NGX_AMT_REDIR_KINDS];
    ngx_atomic_t          ended[NGX_AMT_RELAY_ENDS];
    ngx_atomic_t          refused;       /* no 101 */
    ngx_atomic_t          up;            /* bytes to devices */
    ngx_atomic_t          down;
} ngx_amt_relay_counters_t;


typedef struct {
    u_char                guid[NGX_CIRA_GUID_LEN];
    uint64_t              session;       /* id, 0: free */
    uint64_t              next;          /* who wants to take it over */
    ngx_msec_t            beat;          /* last sign of life */
    int32_t               pid;           /* 0: handed over, not yet taken */
    uint32_t              kind;
} ngx_amt_relay_entry_t;


typedef struct ngx_amt_relay_zone_s  ngx_amt_relay_zone_t;


/* A session's place; zeroed: none. */

typedef struct {
    uint64_t                 id;
    ngx_amt_relay_entry_t   *entry;
} ngx_amt_relay_claim_t;


/* Declares the zone at configuration time.  NULL: error, logged. */
ngx_amt_relay_zone_t *ngx_amt_relay_zone_create(ngx_conf_t *cf, size_t size,
    void *tag);

/*
 * A worker, by its id of the device plane, has this zone.  During upgrades,
 * and when the zone's size was changed, there are others that have not.
 */
void ngx_amt_relay_zone_join(ngx_amt_relay_zone_t *zone, uint64_t worker);
ngx_uint_t ngx_amt_relay_zone_has(ngx_amt_relay_zone_t *zone,
    uint64_t worker);

/*
 * NGX_OK: the session is the claim's; NGX_BUSY: another one is open, and
 * force is not set; NGX_AGAIN: the other one was asked to end, go on with
 * ngx_amt_relay_zone_poll(); NGX_DECLINED: the zone is full.
 */
ngx_int_t ngx_amt_relay_zone_claim(ngx_amt_relay_zone_t *zone,
    const u_char *guid, ngx_amt_redir_kind_e kind, ngx_uint_t force,
    ngx_amt_relay_claim_t *claim);

/*
 * For who waits: NGX_OK, NGX_AGAIN, or NGX_DECLINED: somebody else got it.
 * For who has it, at least every NGX_AMT_RELAY_BEAT: NGX_OK, or NGX_DECLINED:
 * somebody wants to take it over, or did.
 */
ngx_int_t ngx_amt_relay_zone_poll(ngx_amt_relay_zone_t *zone,
    ngx_amt_relay_claim_t *claim);

/* Gives it to who waits, or free; also ends waiting.  Harmless if none. */
void ngx_amt_relay_zone_release(ngx_amt_relay_zone_t *zone,
    ngx_amt_relay_claim_t *claim);

/* How many sessions of each kind are open, over all workers. */
void ngx_amt_relay_zone_live(ngx_amt_relay_zone_t *zone,
    ngx_uint_t live[NGX_AMT_REDIR_KINDS]);

/* Is such a session open? */
ngx_uint_t ngx_amt_relay_zone_busy(ngx_amt_relay_zone_t *zone,
    const u_char *guid, ngx_amt_redir_kind_e kind);

ngx_amt_relay_counters_t *ngx_amt_relay_zone_counters(
    ngx_amt_relay_zone_t *zone);


/* "kvm", "device_closed": static */
const char *ngx_amt_relay_kind_name(ngx_amt_redir_kind_e kind);
const char *ngx_amt_relay_end_name(ngx_amt_relay_end_e end);


#endif /* _NGX_AMT_RELAY_ZONE_H_INCLUDED_ */
