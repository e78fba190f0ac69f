
/*
 * List of GUIDs of a bulk call; see ngx_amt_bulk.h.  No I/O.
 */


#include "mps/ngx_amt_bulk.h"
#include "ngx_cira_api.h"
#include <ngx_sha1.h>


static ngx_uint_t ngx_amt_bulk_hash(u_char *guid);


ngx_int_t
ngx_amt_bulk_list_init(ngx_amt_bulk_list_t *list, ngx_pool_t *pool,
    ngx_uint_t max)
{
    ngx_uint_t  size;

    /* half empty, so that searches are short */

    for (size = 16; size < 2 * max; size *= 2) { /* void */ }

    list->n = 0;
    list->max = max;
    list->mask = size - 1;

    list->guids = ngx_pnalloc(pool, ngx_max(max, 1) * NGX_CIRA_GUID_LEN);
    list->index = ngx_pcalloc(pool, size * sizeof(uint32_t));

    if (list->guids == NULL || list->index == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_amt_bulk_list_add(ngx_amt_bulk_list_t *list, u_char *text, size_t len)
{
    u_char      guid[NGX_CIRA_GUID_LEN];
    uint32_t    at;
    ngx_uint_t  i;

    if (ngx_cira_guid_parse(text, len, guid) != NGX_OK) {
        return NGX_DECLINED;
    }

    for (i = ngx_amt_bulk_hash(guid) & list->mask;
         list->index[i];
         i = (i + 1) & list->mask)
    {
        at = list->index[i] - 1;

        if (ngx_memcmp(list->guids + at * NGX_CIRA_GUID_LEN, guid,
                       NGX_CIRA_GUID_LEN)
            == 0)
        {
            return NGX_DONE;
        }
    }

    if (list->n == list->max) {
        return NGX_BUSY;
    }

    ngx_memcpy(list->guids + list->n * NGX_CIRA_GUID_LEN, guid,
               NGX_CIRA_GUID_LEN);

    list->index[i] = (uint32_t) ++list->n;

    return NGX_OK;
}


/*
 * Clients choose GUIDs, and could choose those that collide: the hash is
 * keyed by what they do not know.
 */

static ngx_uint_t
ngx_amt_bulk_hash(u_char *guid)
{
    u_char           sum[20];
    ngx_uint_t       i;
    ngx_sha1_t       sha;

    static uint32_t  seed[4];

    for (i = 4; seed[0] == 0 && i-- > 0; /* void */ ) {
        seed[i] = ((uint32_t) ngx_random() ^ (uint32_t) ngx_time()) | (i == 0);
    }

    ngx_sha1_init(&sha);
    ngx_sha1_update(&sha, seed, sizeof(seed));
    ngx_sha1_update(&sha, guid, NGX_CIRA_GUID_LEN);
    ngx_sha1_final(sum, &sha);

    return sum[0] | sum[1] << 8 | sum[2] << 16 | (ngx_uint_t) sum[3] << 24;
}


void
ngx_amt_bulk_list_done(ngx_amt_bulk_list_t *list, ngx_pool_t *pool)
{
    if (list->index) {
        (void) ngx_pfree(pool, list->index);
        list->index = NULL;
    }
}
