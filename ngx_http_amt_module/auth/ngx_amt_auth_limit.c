
/*
 * A fixed table of failures in shared memory: 4-way sets chosen by a keyed
 * hash, oldest replaced, banned ones last.  Guarded by the zone's own mutex;
 * records are plain numbers, so a writer may die between any two of them.
 * Guesses that a dead worker had reserved are forgotten with their period.
 */


#include "auth/ngx_amt_auth_limit.h"
#include "auth/ngx_amt_principal.h"
#include "ngx_cira_lock.h"
#include <openssl/rand.h>


#define NGX_AMT_LIMIT_WAYS  4


typedef struct {
    ngx_amt_limit_key_t   key;
    uint64_t              start;         /* of the period, ms; 0: unused */
    uint64_t              banned;        /* until, ms */
    uint32_t              failures;      /* in this period */
    uint32_t              guesses;       /* of this period, being checked */
} ngx_amt_limit_slot_t;

typedef struct {
    u_char                seed[NGX_AMT_DIGEST_LEN];
    ngx_uint_t            sets;
    ngx_amt_limit_slot_t *slots;
} ngx_amt_limit_table_t;


static ngx_int_t ngx_amt_limit_init(ngx_shm_zone_t *zone, void *data);
static void ngx_amt_limit_address(struct sockaddr *sockaddr,
    ngx_amt_limit_key_t *key);
static ngx_amt_limit_slot_t *ngx_amt_limit_slot(ngx_amt_limit_t *limit,
    ngx_amt_limit_key_t *key, uint64_t now);
static ngx_amt_limit_slot_t *ngx_amt_limit_set(ngx_amt_limit_table_t *table,
    ngx_amt_limit_key_t *key);
static uint64_t ngx_amt_limit_now(void);


ngx_int_t
ngx_amt_limit_zone(ngx_conf_t *cf, ngx_amt_limit_t *limit, void *tag)
{
    ngx_str_t  name;

    ngx_str_set(&name, "amt_auth_failures");

    limit->zone = ngx_shared_memory_add(cf, &name, NGX_AMT_LIMIT_SIZE, tag);

    if (limit->zone == NULL) {
        return NGX_ERROR;
    }

    limit->zone->init = ngx_amt_limit_init;
    limit->zone->data = limit;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_limit_init(ngx_shm_zone_t *zone, void *data)
{
    size_t                  size;
    ngx_slab_pool_t        *shpool;
    ngx_amt_limit_table_t  *table;

    shpool = (ngx_slab_pool_t *) zone->shm.addr;

    if (zone->shm.exists || data) {
        return NGX_OK;
    }

    table = ngx_slab_calloc(shpool, sizeof(ngx_amt_limit_table_t));
    if (table == NULL) {
        return NGX_ERROR;
    }

    size = NGX_AMT_LIMIT_WAYS * sizeof(ngx_amt_limit_slot_t);

    /* half of the zone: what is left over for the allocator is plenty */

    table->sets = zone->shm.size / 2 / size;
    table->slots = ngx_slab_calloc(shpool, table->sets * size);

    if (table->slots == NULL
        || RAND_bytes(table->seed, sizeof(table->seed)) != 1)
    {
        return NGX_ERROR;
    }

    shpool->data = table;

    return NGX_OK;
}


ngx_int_t
ngx_amt_limit_key(ngx_http_request_t *r, ngx_amt_limit_t *limit,
    uint32_t kind, ngx_amt_limit_key_t *key)
{
    u_char                  digest[NGX_AMT_DIGEST_LEN];
    ngx_str_t               seed, value;
    ngx_slab_pool_t        *shpool;
    ngx_amt_limit_table_t  *table;

    ngx_memzero(key, sizeof(ngx_amt_limit_key_t));

    key->kind = kind;

    if (limit->max == 0) {
        return NGX_OK;
    }

    if (limit->key) {

        if (ngx_http_complex_value(r, limit->key, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        /* who can leave it out must not get around the limit */

        if (value.len) {

            shpool = (ngx_slab_pool_t *) limit->zone->shm.addr;
            table = shpool->data;

            seed.data = table->seed;
            seed.len = sizeof(table->seed);

            if (ngx_amt_hmac(&seed, &value, digest) != NGX_OK) {
                return NGX_ERROR;
            }

            ngx_memcpy(key->addr, digest, sizeof(key->addr));
            key->kind |= NGX_AMT_LIMIT_VALUE;

            return NGX_OK;
        }
    }

    ngx_amt_limit_address(r->connection->sockaddr, key);

    return NGX_OK;
}


static void
ngx_amt_limit_address(struct sockaddr *sockaddr, ngx_amt_limit_key_t *key)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sockaddr;
        key->addr[10] = 0xff;
        key->addr[11] = 0xff;
        ngx_memcpy(&key->addr[12], &sin->sin_addr.s_addr, 4);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sockaddr;
        ngx_memcpy(key->addr, &sin6->sin6_addr.s6_addr,
                   IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr) ? 16 : 8);
        break;
#endif

    default:
        break;
    }
}


ngx_int_t
ngx_amt_limit_guess(ngx_amt_limit_t *limit, ngx_amt_limit_key_t *key,
    ngx_amt_limit_guess_t *guess, time_t *wait)
{
    uint64_t               now, until;
    ngx_slab_pool_t       *shpool;
    ngx_amt_limit_slot_t  *slot;

    ngx_memzero(guess, sizeof(ngx_amt_limit_guess_t));

    if (limit->max == 0) {
        return NGX_OK;
    }

    until = 0;
    now = ngx_amt_limit_now();
    shpool = (ngx_slab_pool_t *) limit->zone->shm.addr;

    ngx_cira_lock(shpool, "amt_auth_failures zone");

    slot = ngx_amt_limit_slot(limit, key, now);

    if (slot->banned > now) {
        until = slot->banned;

    } else if (slot->failures + slot->guesses >= limit->max) {

        /* those being checked may still turn out right */
        until = now + 1000;

    } else {
        slot->guesses++;

        guess->key = *key;
        guess->start = slot->start;
    }

    ngx_shmtx_unlock(&shpool->mutex);

    if (until == 0) {
        return NGX_OK;
    }

    *wait = (time_t) ((until - now + 999) / 1000);

    return NGX_BUSY;
}


void
ngx_amt_limit_done(ngx_amt_limit_t *limit, ngx_amt_limit_guess_t *guess,
    ngx_uint_t failed)
{
    uint64_t               now;
    ngx_slab_pool_t       *shpool;
    ngx_amt_limit_slot_t  *slot;

    if (limit->max == 0) {
        return;
    }

    now = ngx_amt_limit_now();
    shpool = (ngx_slab_pool_t *) limit->zone->shm.addr;

    ngx_cira_lock(shpool, "amt_auth_failures zone");

    slot = ngx_amt_limit_slot(limit, &guess->key, now);

    /* a check may outlast its period, and its record: then it is counted now */

    if (slot->start == guess->start && slot->guesses) {
        slot->guesses--;
    }

    if (failed && slot->banned <= now && ++slot->failures >= limit->max) {
        slot->banned = now + limit->ban;
        slot->start = now;
        slot->failures = 0;
        slot->guesses = 0;
    }

    ngx_shmtx_unlock(&shpool->mutex);
}


/* With the lock held: the record of a key, in the period that is now. */

static ngx_amt_limit_slot_t *
ngx_amt_limit_slot(ngx_amt_limit_t *limit, ngx_amt_limit_key_t *key,
    uint64_t now)
{
    ngx_uint_t             i;
    ngx_slab_pool_t       *shpool;
    ngx_amt_limit_slot_t  *slot, *found;

    shpool = (ngx_slab_pool_t *) limit->zone->shm.addr;

    slot = ngx_amt_limit_set(shpool->data, key);
    found = slot;

    for (i = 0; i < NGX_AMT_LIMIT_WAYS; i++) {

        if (slot[i].start
            && ngx_memcmp(&slot[i].key, key, sizeof(ngx_amt_limit_key_t))
               == 0)
        {
            found = &slot[i];
            goto known;
        }

        if (ngx_max(slot[i].banned, slot[i].start)
            < ngx_max(found->banned, found->start))
        {
            found = &slot[i];
        }
    }

    found->start = 0;
    found->key = *key;
    found->failures = 0;
    found->guesses = 0;
    found->banned = 0;
    found->start = now;

known:

    /* another worker's clock may be ahead of this one's */

    if (found->banned <= now && now >= found->start + limit->per) {
        found->start = now;
        found->failures = 0;
        found->guesses = 0;
    }

    return found;
}


static ngx_amt_limit_slot_t *
ngx_amt_limit_set(ngx_amt_limit_table_t *table, ngx_amt_limit_key_t *key)
{
    u_char     digest[NGX_AMT_DIGEST_LEN];
    uint32_t   hash;
    ngx_str_t  seed, data;

    seed.data = table->seed;
    seed.len = sizeof(table->seed);
    data.data = (u_char *) key;
    data.len = sizeof(ngx_amt_limit_key_t);

    if (ngx_amt_hmac(&seed, &data, digest) != NGX_OK) {
        return table->slots;
    }

    ngx_memcpy(&hash, digest, sizeof(hash));

    return table->slots + hash % table->sets * NGX_AMT_LIMIT_WAYS;
}


static uint64_t
ngx_amt_limit_now(void)
{
    /* never 0, which marks an unused slot; the same in all workers */

    return (uint64_t) ngx_current_msec + 1;
}
