
/*
 * Pools that held secrets; see ngx_amt_wipe.h.
 */


#include "ngx_amt_wipe.h"
#include <malloc.h>


typedef struct {
    ngx_pool_large_t  *node;
    ngx_pool_large_t   copy;
} ngx_amt_wipe_large_t;


static void ngx_amt_wipe_cleanup(void *data);


/* Pools hold their list of large pieces in themselves: it has to survive. */

void
ngx_amt_wipe_pool(ngx_pool_t *pool)
{
    u_char                *start;
    ngx_uint_t             i, n;
    ngx_pool_t            *p;
    ngx_pool_large_t      *l;
    ngx_amt_wipe_large_t  *large;

    n = 0;
    large = NULL;

    for (l = pool->large; l; l = l->next) {
        if (l->alloc) {
            ngx_explicit_memzero(l->alloc, malloc_usable_size(l->alloc));
        }

        n++;
    }

    if (n) {
        large = ngx_alloc(n * sizeof(ngx_amt_wipe_large_t), pool->log);

        if (large == NULL) {
            return;
        }
    }

    for (i = 0, l = pool->large; l; l = l->next) {
        large[i].node = l;
        large[i++].copy = *l;
    }

    for (p = pool; p; p = p->d.next) {
        start = (u_char *) p
                + (p == pool ? sizeof(ngx_pool_t) : sizeof(ngx_pool_data_t));

        ngx_explicit_memzero(start, p->d.last - start);
    }

    for (i = 0; i < n; i++) {
        *large[i].node = large[i].copy;
    }

    if (large) {
        ngx_free(large);
    }
}


ngx_int_t
ngx_amt_wipe_pool_later(ngx_pool_t *pool)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_amt_wipe_cleanup;
    cln->data = pool;

    return NGX_OK;
}


static void
ngx_amt_wipe_cleanup(void *data)
{
    ngx_amt_wipe_pool(data);
}
