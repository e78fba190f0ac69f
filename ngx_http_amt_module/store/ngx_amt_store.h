
/*
 * The devices store: one small asynchronous interface, backends behind it
 * (SQLite now, PostgreSQL later).  Contract mps.md section 3.
 *
 * All functions are flow operations: NGX_OK, NGX_DECLINED (no such row),
 * NGX_ERROR with ERR_STORE, ERR_CONFLICT, ERR_INVALID or ERR_INTERNAL.
 * Results live as long as the flow's pool.  GUIDs are 36 lower-case
 * characters.  A string that is empty but not null has data != NULL.
 */


#ifndef _NGX_AMT_STORE_H_INCLUDED_
#define _NGX_AMT_STORE_H_INCLUDED_


#include "flow/ngx_amt_flow.h"


#define NGX_AMT_STORE_NO_TIME   (-1)

#define NGX_AMT_STORE_MAX_TAGS  64               /* in one query */


/* One row.  A string with data == NULL is null. */

typedef struct {
    ngx_str_t         guid;
    ngx_str_t         hostname;
    ngx_str_t         tags;              /* JSON array text, never null */
    ngx_str_t         mps_instance;
    ngx_str_t         mps_username;
    ngx_str_t         tenant;            /* never null */
    ngx_str_t         friendly_name;
    ngx_str_t         dns_suffix;
    ngx_str_t         device_info;       /* JSON object text */
    int64_t           last_connected;    /* ms since 1970, or NO_TIME */
    int64_t           last_seen;
    int64_t           last_disconnected;
    ngx_uint_t        connected;         /* 0, 1 */
    uint64_t          version;           /* counts client-made changes */
} ngx_amt_store_device_t;


/* Columns a client may write; bits of "fields" */

#define NGX_AMT_STORE_HOSTNAME       0x01
#define NGX_AMT_STORE_TAGS           0x02
#define NGX_AMT_STORE_MPS_USERNAME   0x04
#define NGX_AMT_STORE_FRIENDLY_NAME  0x08
#define NGX_AMT_STORE_DNS_SUFFIX     0x10
#define NGX_AMT_STORE_DEVICE_INFO    0x20


typedef struct {
    ngx_uint_t        total;
    ngx_uint_t        connected;
} ngx_amt_store_stats_t;


typedef struct {
    ngx_str_t         tenant;
    ngx_str_t         hostname;          /* data == NULL: not asked for */
    ngx_str_t         friendly_name;
    ngx_str_t        *tags;              /* n_tags of them */
    ngx_uint_t        n_tags;
    ngx_uint_t        all_tags;          /* method=AND */
    ngx_int_t         status;            /* -1 any, 0, 1; filters the page
                                            after the query (contract 3.3) */
    ngx_uint_t        top;
    ngx_uint_t        skip;
    ngx_amt_store_stats_t *stats;        /* of the tenant, from the same
                                            read; NULL: not asked for */
} ngx_amt_store_query_t;


/* tenant NULL: any tenant. */
ngx_int_t ngx_amt_store_get(ngx_amt_flow_t *f, ngx_str_t *guid,
    ngx_str_t *tenant, ngx_amt_store_device_t *row);

/*
 * *rows: ngx_array_t of ngx_amt_store_device_t.  hostname wins over
 * friendly_name, that over tags; the first two are neither ordered nor paged.
 * ERR_INVALID: more than NGX_AMT_STORE_MAX_TAGS tags, or the rows are more
 * than 32 MB: the client must ask for smaller pages.
 */
ngx_int_t ngx_amt_store_list(ngx_amt_flow_t *f, ngx_amt_store_query_t *q,
    ngx_array_t **rows);

ngx_int_t ngx_amt_store_stats(ngx_amt_flow_t *f, ngx_str_t *tenant,
    ngx_amt_store_stats_t *stats);

/* *tags: ngx_array_t of ngx_str_t, distinct. */
ngx_int_t ngx_amt_store_tags(ngx_amt_flow_t *f, ngx_str_t *tenant,
    ngx_array_t **tags);

/* Inserts guid, tenant and the client-made columns; ERR_CONFLICT when the
   GUID exists in any tenant.  *row becomes the stored row. */
ngx_int_t ngx_amt_store_insert(ngx_amt_flow_t *f,
    ngx_amt_store_device_t *row);

/* Writes the columns named by fields where guid and tenant match; *row
   becomes the stored row. */
ngx_int_t ngx_amt_store_update(ngx_amt_flow_t *f, ngx_uint_t fields,
    ngx_amt_store_device_t *row);

ngx_int_t ngx_amt_store_delete(ngx_amt_flow_t *f, ngx_str_t *guid,
    ngx_str_t *tenant);


/*
 * Connection events of the device plane, written in one transaction.  They
 * may come again: an event changes a row only when no newer generation and no
 * disconnect of its own generation was seen.
 */

typedef enum {
    NGX_AMT_STORE_CONNECTED = 0,
    NGX_AMT_STORE_DISCONNECTED,
    NGX_AMT_STORE_SEEN
} ngx_amt_store_event_e;

typedef struct {
    ngx_amt_store_event_e  type;
    ngx_str_t              guid;
    uint64_t               generation;   /* a disconnect of an older
                                            generation changes nothing */
    int64_t                time;         /* ms since 1970 */
} ngx_amt_store_event_t;

/* instance: written to mpsinstance on connect. Unknown GUIDs are ignored. */
ngx_int_t ngx_amt_store_events(ngx_amt_flow_t *f, ngx_str_t *instance,
    ngx_amt_store_event_t *events, ngx_uint_t n);

/* Rows of this instance that are marked connected, set to disconnected
   unless their GUID is in keep (start-up reconciliation). */
ngx_int_t ngx_amt_store_reset(ngx_amt_flow_t *f, ngx_str_t *instance,
    ngx_str_t *keep, ngx_uint_t n);

/* Reads a row. *name (set at once) is "SQLITE" or "POSTGRES". */
ngx_int_t ngx_amt_store_health(ngx_amt_flow_t *f, ngx_str_t *name);

/* The name of amt_instance, by default the host name.  No operation. */
ngx_str_t *ngx_amt_store_instance(void);


#endif /* _NGX_AMT_STORE_H_INCLUDED_ */
