
/*
 * Cache of digest HA1 values; see ngx_amt_ha1.h.  A table of fixed size:
 * sets of records, chosen by the GUID, of which the least recently used one
 * gives way.  A worker may die at any instruction while it changes one: what
 * it leaves fits its tag or is not there.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "device/ngx_amt_ha1.h"
#include "ngx_cira_api.h"
#include "ngx_cira_lock.h"
#include <openssl/evp.h>
#include <openssl/rand.h>


#define NGX_AMT_HA1_KEY   32
#define NGX_AMT_HA1_IV    12
#define NGX_AMT_HA1_TAG   16

#define NGX_AMT_HA1_WAYS  8

typedef struct {
    time_t                expires;       /* 0: unused */
    uint64_t              used;          /* by the table's clock */
    u_char                guid[NGX_CIRA_GUID_LEN];
    u_char                refused;       /* sealed is what was */
    u_char                iv[NGX_AMT_HA1_IV];
    u_char                tag[NGX_AMT_HA1_TAG];
    u_char                sealed[NGX_AMT_DIGEST_HA1];
} ngx_amt_ha1_record_t;


typedef struct {
    uint64_t              clock;         /* ticks with each use */
    uint32_t              seed;
    ngx_uint_t            sets;
    ngx_amt_ha1_record_t  records[1];
} ngx_amt_ha1_table_t;


struct ngx_amt_ha1_cache_s {
    ngx_amt_ha1_table_t  *table;
    ngx_slab_pool_t      *shpool;
    time_t                valid;
    time_t                refused;
    u_char                key[NGX_AMT_HA1_KEY];
};


static ngx_int_t ngx_amt_ha1_init_zone(ngx_shm_zone_t *shm_zone, void *data);
static void ngx_amt_ha1_cleanup(void *data);
static ngx_int_t ngx_amt_ha1_load(ngx_amt_ha1_cache_t *cache,
    const u_char *guid, ngx_str_t *realm, ngx_uint_t refused, u_char *value);
static void ngx_amt_ha1_store(ngx_amt_ha1_cache_t *cache, const u_char *guid,
    ngx_str_t *realm, ngx_uint_t refused, u_char *value, ngx_log_t *log);
static ngx_amt_ha1_record_t *ngx_amt_ha1_find(ngx_amt_ha1_table_t *table,
    const u_char *guid, ngx_amt_ha1_record_t **oldest);
static ngx_int_t ngx_amt_ha1_crypt(ngx_amt_ha1_cache_t *cache,
    ngx_amt_ha1_record_t *rec, ngx_str_t *realm, u_char *value, int seal);


ngx_amt_ha1_cache_t *
ngx_amt_ha1_create(ngx_conf_t *cf, size_t size, time_t valid, time_t refused,
    void *tag)
{
    ngx_shm_zone_t       *shm_zone;
    ngx_pool_cleanup_t   *cln;
    ngx_amt_ha1_cache_t  *cache;

    static ngx_str_t  name = ngx_string("amt_digest");

    cln = ngx_pool_cleanup_add(cf->pool, sizeof(ngx_amt_ha1_cache_t));
    if (cln == NULL) {
        return NULL;
    }

    cache = cln->data;
    ngx_memzero(cache, sizeof(ngx_amt_ha1_cache_t));

    cln->handler = ngx_amt_ha1_cleanup;
    cache->valid = valid;
    cache->refused = refused;

    shm_zone = ngx_shared_memory_add(cf, &name, size, tag);
    if (shm_zone == NULL) {
        return NULL;
    }

    shm_zone->init = ngx_amt_ha1_init_zone;
    shm_zone->data = cache;

    return cache;
}


static ngx_int_t
ngx_amt_ha1_init_zone(ngx_shm_zone_t *shm_zone, void *data)
{
    ngx_amt_ha1_cache_t *ocache = data;

    size_t                size;
    uint32_t              seed;
    ngx_amt_ha1_cache_t  *cache;
    ngx_amt_ha1_table_t  *table;

    cache = shm_zone->data;

    if (ocache) {
        cache->table = ocache->table;
        cache->shpool = ocache->shpool;
        ngx_memcpy(cache->key, ocache->key, NGX_AMT_HA1_KEY);

        return NGX_OK;
    }

    if (RAND_bytes(cache->key, NGX_AMT_HA1_KEY) != 1
        || RAND_bytes((u_char *) &seed, sizeof(seed)) != 1)
    {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "RAND_bytes() failed");
        return NGX_ERROR;
    }

    cache->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    /* all of it, in one piece */

    size = cache->shpool->pfree * ngx_pagesize;

    table = ngx_slab_calloc(cache->shpool, size);
    if (table == NULL) {
        return NGX_ERROR;
    }

    table->seed = seed;
    table->sets = (size - offsetof(ngx_amt_ha1_table_t, records))
                  / (NGX_AMT_HA1_WAYS * sizeof(ngx_amt_ha1_record_t));

    cache->table = table;
    cache->shpool->data = table;

    return NGX_OK;
}


static void
ngx_amt_ha1_cleanup(void *data)
{
    ngx_amt_ha1_cache_t  *cache = data;

    ngx_explicit_memzero(cache->key, NGX_AMT_HA1_KEY);
}


ngx_int_t
ngx_amt_ha1_get(ngx_amt_ha1_cache_t *cache, const u_char *guid,
    ngx_str_t *realm, u_char ha1[NGX_AMT_DIGEST_HA1])
{
    return ngx_amt_ha1_load(cache, guid, realm, 0, ha1);
}


ngx_int_t
ngx_amt_ha1_refused(ngx_amt_ha1_cache_t *cache, const u_char *guid,
    ngx_str_t *realm, u_char offer[NGX_AMT_DIGEST_HA1])
{
    u_char     value[NGX_AMT_DIGEST_HA1];
    ngx_int_t  rc;

    rc = ngx_amt_ha1_load(cache, guid, realm, 1, value);

    if (rc == NGX_OK && ngx_memcmp(value, offer, NGX_AMT_DIGEST_HA1) != 0) {
        rc = NGX_DECLINED;
    }

    ngx_explicit_memzero(value, NGX_AMT_DIGEST_HA1);

    return rc;
}


static ngx_int_t
ngx_amt_ha1_load(ngx_amt_ha1_cache_t *cache, const u_char *guid,
    ngx_str_t *realm, ngx_uint_t refused, u_char *value)
{
    ngx_amt_ha1_table_t   *table;
    ngx_amt_ha1_record_t  *rec, copy;

    if (cache == NULL || cache->table == NULL) {
        return NGX_DECLINED;
    }

    table = cache->table;

    ngx_cira_lock(cache->shpool, "amt_digest zone");

    rec = ngx_amt_ha1_find(table, guid, NULL);

    if (rec && rec->expires <= ngx_time()) {
        rec->expires = 0;
        rec = NULL;
    }

    if (rec && rec->refused != refused) {
        rec = NULL;
    }

    if (rec) {
        rec->used = ++table->clock;
        copy = *rec;
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);

    if (rec == NULL) {
        return NGX_DECLINED;
    }

    return ngx_amt_ha1_crypt(cache, &copy, realm, value, 0);
}


void
ngx_amt_ha1_put(ngx_amt_ha1_cache_t *cache, const u_char *guid,
    ngx_str_t *realm, u_char ha1[NGX_AMT_DIGEST_HA1], ngx_log_t *log)
{
    ngx_amt_ha1_store(cache, guid, realm, 0, ha1, log);
}


void
ngx_amt_ha1_refuse(ngx_amt_ha1_cache_t *cache, const u_char *guid,
    ngx_str_t *realm, u_char offer[NGX_AMT_DIGEST_HA1], ngx_log_t *log)
{
    ngx_amt_ha1_store(cache, guid, realm, 1, offer, log);
}


static void
ngx_amt_ha1_store(ngx_amt_ha1_cache_t *cache, const u_char *guid,
    ngx_str_t *realm, ngx_uint_t refused, u_char *value, ngx_log_t *log)
{
    ngx_amt_ha1_table_t   *table;
    ngx_amt_ha1_record_t  *rec, *oldest, fresh;

    if (cache == NULL || cache->table == NULL) {
        return;
    }

    table = cache->table;

    ngx_memzero(&fresh, sizeof(ngx_amt_ha1_record_t));
    ngx_memcpy(fresh.guid, guid, NGX_CIRA_GUID_LEN);

    fresh.refused = (u_char) refused;

    if (RAND_bytes(fresh.iv, NGX_AMT_HA1_IV) != 1
        || ngx_amt_ha1_crypt(cache, &fresh, realm, value, 1) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, log, 0, "digest cache: sealing failed");
        return;
    }

    fresh.expires = ngx_time() + (refused ? cache->refused : cache->valid);

    ngx_cira_lock(cache->shpool, "amt_digest zone");

    rec = ngx_amt_ha1_find(table, guid, &oldest);

    if (rec == NULL) {
        rec = oldest;
    }

    fresh.used = ++table->clock;
    *rec = fresh;

    ngx_shmtx_unlock(&cache->shpool->mutex);
}


void
ngx_amt_ha1_forget(ngx_amt_ha1_cache_t *cache, const u_char *guid)
{
    ngx_amt_ha1_record_t  *rec;

    if (cache == NULL || cache->table == NULL) {
        return;
    }

    ngx_cira_lock(cache->shpool, "amt_digest zone");

    rec = ngx_amt_ha1_find(cache->table, guid, NULL);

    if (rec) {
        ngx_memzero(rec, sizeof(ngx_amt_ha1_record_t));
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);
}


/* NULL: not there, and *oldest is the record that would give way. */

static ngx_amt_ha1_record_t *
ngx_amt_ha1_find(ngx_amt_ha1_table_t *table, const u_char *guid,
    ngx_amt_ha1_record_t **oldest)
{
    uint32_t               hash;
    ngx_uint_t             i;
    ngx_amt_ha1_record_t  *rec, *old;

    ngx_crc32_init(hash);
    ngx_crc32_update(&hash, (u_char *) &table->seed, sizeof(table->seed));
    ngx_crc32_update(&hash, (u_char *) guid, NGX_CIRA_GUID_LEN);
    ngx_crc32_final(hash);

    rec = &table->records[hash % table->sets * NGX_AMT_HA1_WAYS];
    old = rec;

    for (i = 0; i < NGX_AMT_HA1_WAYS; i++) {

        if (rec[i].expires
            && ngx_memcmp(rec[i].guid, guid, NGX_CIRA_GUID_LEN) == 0)
        {
            return &rec[i];
        }

        if (old->expires && (rec[i].expires == 0 || rec[i].used < old->used))
        {
            old = &rec[i];
        }
    }

    if (oldest) {
        *oldest = old;
    }

    return NULL;
}


/* What it is and of whom is associated data: a value fits nowhere else. */

static ngx_int_t
ngx_amt_ha1_crypt(ngx_amt_ha1_cache_t *cache, ngx_amt_ha1_record_t *rec,
    ngx_str_t *realm, u_char *value, int seal)
{
    int              len, ok;
    EVP_CIPHER_CTX  *ctx;

    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        return NGX_DECLINED;
    }

    ok = EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, cache->key, rec->iv,
                           seal)
         && EVP_CipherUpdate(ctx, NULL, &len, rec->guid, NGX_CIRA_GUID_LEN)
         && EVP_CipherUpdate(ctx, NULL, &len, &rec->refused, 1)
         && EVP_CipherUpdate(ctx, NULL, &len, realm->data, (int) realm->len);

    if (ok && seal) {
        ok = EVP_CipherUpdate(ctx, rec->sealed, &len, value,
                              NGX_AMT_DIGEST_HA1)
             && EVP_CipherFinal_ex(ctx, rec->sealed + len, &len)
             && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG,
                                    NGX_AMT_HA1_TAG, rec->tag);

    } else if (ok) {
        ok = EVP_CipherUpdate(ctx, value, &len, rec->sealed,
                              NGX_AMT_DIGEST_HA1)
             && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG,
                                    NGX_AMT_HA1_TAG, rec->tag)
             && EVP_CipherFinal_ex(ctx, value + len, &len) > 0;

        if (!ok) {
            ngx_explicit_memzero(value, NGX_AMT_DIGEST_HA1);
        }
    }

    EVP_CIPHER_CTX_free(ctx);

    return ok ? NGX_OK : NGX_DECLINED;
}
