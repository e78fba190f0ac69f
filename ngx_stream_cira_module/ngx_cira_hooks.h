
/*
 * cira_auth, cira_notify and the limits of logins per address: configuration
 * and shared memory.  The shared memory holds fixed-size records in arrays
 * only, so that a worker may die at any instruction while it holds the lock.
 */


#ifndef _NGX_CIRA_HOOKS_H_INCLUDED_
#define _NGX_CIRA_HOOKS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_stream_cira.h"
#include "ngx_cira_http.h"


typedef struct {
    ngx_cira_http_url_t   auth;
    ngx_cira_http_url_t   notify;
    ngx_msec_t            auth_timeout;
    ngx_msec_t            notify_timeout;
    ngx_uint_t            notify_batch;  /* events per request */

    ngx_uint_t            failures;      /* N per T ban B */
    time_t                period;        /* seconds */
    time_t                ban;           /* seconds */
    ngx_uint_t            pending;       /* logins in progress per address */

    size_t                zone_size;
    ngx_shm_zone_t       *zone;
} ngx_cira_hooks_conf_t;


#define NGX_CIRA_EVENT_TEXT  256

typedef struct {
    uint64_t              seq;           /* written last; 0: not valid */
    uint64_t              generation;
    int64_t               time;          /* ms since 1970 */
    ngx_cira_event_e      type;
    u_char                guid[NGX_CIRA_GUID_LEN];
    u_char                tenant[NGX_CIRA_TENANT_LEN];
    u_char                addr[NGX_CIRA_ADDR_LEN];
    u_char                text[NGX_CIRA_EVENT_TEXT];
    uint16_t              tenant_len;
    uint16_t              addr_len;
    uint16_t              text_len;
} ngx_cira_event_t;


/* A ring: events head - size < n < head; those before tail are sent. */

typedef struct {
    uint64_t              head;
    uint64_t              tail;
    uint64_t              dropped;
    ngx_uint_t            size;
    ngx_cira_event_t     *events;
} ngx_cira_ring_t;


typedef struct {
    u_char                addr[16];      /* IPv4 mapped; IPv6: first 64 bits */
    time_t                start;         /* of the period */
    time_t                banned;        /* until */
    time_t                used;
    uint32_t              failures;
    uint32_t              pending;
} ngx_cira_limit_t;


#define NGX_CIRA_LIMIT_WAYS  8


typedef struct {
    uint64_t              source;        /* random: whose numbers they are */
    uint64_t              seq;           /* of the last event */
    uint64_t              lease;         /* ms since 1970: a sender works */
    ngx_pid_t             sender;

    ngx_cira_ring_t       state;         /* connected, disconnected, ... */
    ngx_cira_ring_t       seen;          /* last seen: may be dropped */

    ngx_uint_t            sets;          /* of NGX_CIRA_LIMIT_WAYS records */
    ngx_cira_limit_t     *limits;
} ngx_cira_hooks_shm_t;


extern ngx_module_t  ngx_stream_cira_hooks_module;

/* Of this worker's cycle; NULL when the module is not configured. */
ngx_cira_hooks_conf_t *ngx_cira_hooks_conf(void);

/* With the zone's mutex held by lock/unlock; NULL: no zone. */
ngx_cira_hooks_shm_t *ngx_cira_hooks_lock(void);
void ngx_cira_hooks_unlock(void);

/* ngx_cira_notify.c: worker start and end */
ngx_int_t ngx_cira_notify_init(ngx_cycle_t *cycle);
void ngx_cira_notify_exit(ngx_cycle_t *cycle);

/* ngx_cira_limit.c: a worker starts; what a dead one left is forgotten */
void ngx_cira_limit_reset(void);


#endif /* _NGX_CIRA_HOOKS_H_INCLUDED_ */
