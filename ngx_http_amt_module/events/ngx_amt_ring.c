
/*
 * The queue of the outputs.  See ngx_amt_ring.h.
 */


#include "events/ngx_amt_ring.h"


ngx_uint_t
ngx_amt_ring_fit(size_t bytes)
{
    ngx_uint_t  n;

    if (bytes < sizeof(ngx_amt_ring_t)) {
        return 0;
    }

    n = 1 + (bytes - sizeof(ngx_amt_ring_t)) / sizeof(ngx_amt_event_record_t);

    return n < NGX_AMT_RING_MIN ? 0 : n;
}


size_t
ngx_amt_ring_bytes(ngx_uint_t size)
{
    return sizeof(ngx_amt_ring_t)
           + (size - 1) * sizeof(ngx_amt_event_record_t);
}


void
ngx_amt_ring_init(ngx_amt_ring_t *ring, ngx_uint_t size, uint64_t instance)
{
    ring->instance = instance;
    ring->size = size;

    /* 0 is no end of a delivery */

    ring->head = 1;
}


/*
 * The place of the next event is that of the oldest, which therefore cannot
 * be read any more: a writer may die while it fills it.
 */

void
ngx_amt_ring_put(ngx_amt_ring_t *ring, const ngx_amt_event_record_t *rec)
{
    ring->records[ring->head % ring->size] = *rec;

    ngx_memory_barrier();
    ring->head++;
}


uint64_t *
ngx_amt_ring_source(ngx_amt_ring_t *ring, uint64_t id)
{
    ngx_uint_t              i;
    ngx_amt_ring_source_t  *s, *oldest;

    oldest = &ring->sources[0];

    for (i = 0; i < NGX_AMT_RING_SOURCES; i++) {
        s = &ring->sources[i];

        if (s->id == id) {
            s->used = ring->head;
            return &s->last;
        }

        if (s->used < oldest->used) {
            oldest = s;
        }
    }

    oldest->id = 0;
    ngx_memory_barrier();

    oldest->last = 0;
    oldest->used = ring->head;
    ngx_memory_barrier();

    oldest->id = id;

    return &oldest->last;
}


ngx_amt_ring_sink_t *
ngx_amt_ring_sink(ngx_amt_ring_t *ring, uint64_t key)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AMT_RING_SINKS; i++) {
        if (ring->sinks[i].key == key) {
            return &ring->sinks[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_amt_ring_sinks(ngx_amt_ring_t *ring, const uint64_t *keys, ngx_uint_t n)
{
    ngx_uint_t            i, k;
    ngx_amt_ring_sink_t  *sink;

    if (n > NGX_AMT_RING_SINKS) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_AMT_RING_SINKS; i++) {
        sink = &ring->sinks[i];

        for (k = 0; k < n && keys[k] != sink->key; k++) { /* void */ }

        if (k == n) {
            sink->key = 0;

        } else {
            sink->gone = 0;
            sink->next = 0;
        }
    }

    for (k = 0; k < n; k++) {

        if (ngx_amt_ring_sink(ring, keys[k])) {
            continue;
        }

        sink = ngx_amt_ring_sink(ring, 0);

        ngx_memzero(sink, sizeof(ngx_amt_ring_sink_t));
        sink->tail = ring->head;

        ngx_memory_barrier();
        sink->key = keys[k];
    }

    return NGX_OK;
}


uint64_t
ngx_amt_ring_first(ngx_amt_ring_t *ring, ngx_amt_ring_sink_t *sink)
{
    uint64_t  first;

    first = (ring->head >= ring->size) ? ring->head - ring->size + 1 : 1;

    if (sink->tail < first) {
        sink->dropped += first - sink->tail;
        sink->tail = first;

        if (sink->end <= first) {
            sink->end = 0;
        }
    }

    return sink->tail;
}


ngx_amt_event_record_t *
ngx_amt_ring_record(ngx_amt_ring_t *ring, uint64_t n)
{
    return &ring->records[n % ring->size];
}
