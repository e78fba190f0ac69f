
/*
 * The queue of the outputs: events of all workers in a ring in shared memory,
 * and for each receiver, webhook or broker, how far it is.
 *
 * Everything is of fixed size, and what makes a change valid is written
 * last, so that a worker may die at any instruction.  All functions want the
 * zone's lock held; none waits or allocates.
 */


#ifndef _NGX_AMT_RING_H_INCLUDED_
#define _NGX_AMT_RING_H_INCLUDED_


#include "events/ngx_http_amt_events_module.h"


#define NGX_AMT_RING_SINKS    (NGX_AMT_WEBHOOKS + 1)
#define NGX_AMT_RING_SOURCES  8
#define NGX_AMT_RING_MIN      64           /* events */


/* One receiver; times as ngx_current_msec, which all processes share. */

typedef struct {
    uint64_t                key;         /* 0: free */
    uint64_t                tail;        /* its next event */
    uint64_t                end;         /* behind the delivery that is being
                                            tried again, or 0 */
    ngx_msec_t              next;        /* no attempt before */
    ngx_msec_t              lease;       /* the sender's, until */
    ngx_pid_t               sender;      /* 0: nobody */
    ngx_uint_t              attempts;    /* of this delivery, failed */
    ngx_uint_t              refusals;    /* the last of them, in a row */
    ngx_uint_t              gone;        /* answered 410 */

    uint64_t                delivered;   /* events */
    uint64_t                failures;    /* attempts */
    uint64_t                dropped;     /* events: overwritten, expired */
    uint64_t                refused;     /* events, given up */
} ngx_amt_ring_sink_t;


/* Who numbers its events: those up to the last one are here, or were. */

typedef struct {
    uint64_t                id;          /* 0: free */
    uint64_t                last;
    uint64_t                used;        /* head, when it was */
} ngx_amt_ring_source_t;


/* Events head - size < n < head can be read; n % size is their place. */

struct ngx_amt_ring_s {
    uint64_t                instance;    /* random: tells ids of two apart */
    uint64_t                head;
    ngx_uint_t              size;
    ngx_amt_ring_sink_t     sinks[NGX_AMT_RING_SINKS];
    ngx_amt_ring_source_t   sources[NGX_AMT_RING_SOURCES];
    ngx_amt_event_record_t  records[1];
};


/* How many events fit into so many bytes; 0: fewer than NGX_AMT_RING_MIN. */
ngx_uint_t ngx_amt_ring_fit(size_t bytes);

/* Bytes of a ring for so many events */
size_t ngx_amt_ring_bytes(ngx_uint_t size);

/* The memory is zeroed. */
void ngx_amt_ring_init(ngx_amt_ring_t *ring, ngx_uint_t size,
    uint64_t instance);

void ngx_amt_ring_put(ngx_amt_ring_t *ring,
    const ngx_amt_event_record_t *rec);

/*
 * Where the number of the last event of a source is kept.  That source is
 * forgotten which told nothing for the longest time.
 */
uint64_t *ngx_amt_ring_source(ngx_amt_ring_t *ring, uint64_t id);

/* NULL: not known */
ngx_amt_ring_sink_t *ngx_amt_ring_sink(ngx_amt_ring_t *ring, uint64_t key);

/*
 * The receivers of a new configuration: those that are new begin with the
 * next event, those that are kept try again at once, others are forgotten.
 * NGX_ERROR: more than NGX_AMT_RING_SINKS.
 */
ngx_int_t ngx_amt_ring_sinks(ngx_amt_ring_t *ring, const uint64_t *keys,
    ngx_uint_t n);

/* The oldest event that can be read; counts those a receiver has lost. */
uint64_t ngx_amt_ring_first(ngx_amt_ring_t *ring, ngx_amt_ring_sink_t *sink);

/* An event between ngx_amt_ring_first() and ring->head */
ngx_amt_event_record_t *ngx_amt_ring_record(ngx_amt_ring_t *ring,
    uint64_t n);


#endif /* _NGX_AMT_RING_H_INCLUDED_ */
