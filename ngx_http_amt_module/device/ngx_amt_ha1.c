
/*
 * Cache of digest HA1 values; see ngx_amt_ha1.h.
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


typedef struct {
    ngx_rbtree_node_t     node;
    ngx_queue_t           queue;         /* least recently used last */
    time_t                expires;
    u_char                guid[NGX_CIRA_GUID_LEN];
    u_char                iv[NGX_AMT_HA1_IV];
    u_char                tag[NGX_AMT_HA1_TAG];
    u_char                sealed[NGX_AMT_DIGEST_HA1];
} ngx_amt_ha1_node_t;


typedef struct {
    ngx_rbtree_t          rbtree;
    ngx_rbtree_node_t     sentinel;
    ngx_queue_t           queue;
} ngx_amt_ha1_shctx_t;


struct ngx_amt_ha1_cache_s {
    ngx_amt_ha1_shctx_t  *sh;
    ngx_slab_pool_t      *shpool;
    time_t                valid;
    u_char                key[NGX_AMT_HA1_KEY];
};


static ngx_int_t ngx_amt_ha1_init_zone(ngx_shm_zone_t *shm_zone, void *data);
static void ngx_amt_ha1_cleanup(void *data);
static void ngx_amt_ha1_insert(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);
static ngx_amt_ha1_node_t *ngx_amt_ha1_find(ngx_amt_ha1_cache_t *cache,
    const u_char *guid);
static void ngx_amt_ha1_delete(ngx_amt_ha1_cache_t *cache,
    ngx_amt_ha1_node_t *n);
static uint32_t ngx_amt_ha1_hash(const u_char *guid);
static ngx_int_t ngx_amt_ha1_crypt(ngx_amt_ha1_cache_t *cache,
    ngx_amt_ha1_node_t *n, ngx_str_t *realm, u_char *ha1, int seal);


ngx_amt_ha1_cache_t *
ngx_amt_ha1_create(ngx_conf_t *cf, size_t size, time_t valid, void *tag)
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

    ngx_amt_ha1_cache_t  *cache;

    cache = shm_zone->data;

    if (ocache) {
        cache->sh = ocache->sh;
        cache->shpool = ocache->shpool;
        ngx_memcpy(cache->key, ocache->key, NGX_AMT_HA1_KEY);

        return NGX_OK;
    }

    if (RAND_bytes(cache->key, NGX_AMT_HA1_KEY) != 1) {
        ngx_log_error(NGX_LOG_EMERG, shm_zone->shm.log, 0,
                      "RAND_bytes() failed");
        return NGX_ERROR;
    }

    cache->shpool = (ngx_slab_pool_t *) shm_zone->shm.addr;

    cache->sh = ngx_slab_alloc(cache->shpool, sizeof(ngx_amt_ha1_shctx_t));
    if (cache->sh == NULL) {
        return NGX_ERROR;
    }

    cache->shpool->data = cache->sh;
    cache->shpool->log_nomem = 0;

    ngx_rbtree_init(&cache->sh->rbtree, &cache->sh->sentinel,
                    ngx_amt_ha1_insert);
    ngx_queue_init(&cache->sh->queue);

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
    ngx_amt_ha1_node_t  *n, copy;

    if (cache == NULL || cache->sh == NULL) {
        return NGX_DECLINED;
    }

    ngx_cira_lock(cache->shpool, "amt_digest zone");

    n = ngx_amt_ha1_find(cache, guid);

    if (n && n->expires <= ngx_time()) {
        ngx_amt_ha1_delete(cache, n);
        n = NULL;
    }

    if (n) {
        ngx_queue_remove(&n->queue);
        ngx_queue_insert_head(&cache->sh->queue, &n->queue);
        copy = *n;
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);

    if (n == NULL) {
        return NGX_DECLINED;
    }

    return ngx_amt_ha1_crypt(cache, &copy, realm, ha1, 0);
}


void
ngx_amt_ha1_put(ngx_amt_ha1_cache_t *cache, const u_char *guid,
    ngx_str_t *realm, u_char ha1[NGX_AMT_DIGEST_HA1], ngx_log_t *log)
{
    ngx_queue_t         *q;
    ngx_amt_ha1_node_t  *n, fresh;

    if (cache == NULL || cache->sh == NULL) {
        return;
    }

    ngx_memcpy(fresh.guid, guid, NGX_CIRA_GUID_LEN);

    if (RAND_bytes(fresh.iv, NGX_AMT_HA1_IV) != 1
        || ngx_amt_ha1_crypt(cache, &fresh, realm, ha1, 1) != NGX_OK)
    {
        ngx_log_error(NGX_LOG_ERR, log, 0, "digest cache: sealing failed");
        return;
    }

    ngx_cira_lock(cache->shpool, "amt_digest zone");

    n = ngx_amt_ha1_find(cache, guid);

    if (n == NULL) {

        n = ngx_slab_alloc_locked(cache->shpool, sizeof(ngx_amt_ha1_node_t));

        if (n == NULL && !ngx_queue_empty(&cache->sh->queue)) {

            q = ngx_queue_last(&cache->sh->queue);
            ngx_amt_ha1_delete(cache,
                               ngx_queue_data(q, ngx_amt_ha1_node_t, queue));

            n = ngx_slab_alloc_locked(cache->shpool,
                                      sizeof(ngx_amt_ha1_node_t));
        }

        if (n == NULL) {
            ngx_shmtx_unlock(&cache->shpool->mutex);
            return;
        }

        n->node.key = ngx_amt_ha1_hash(guid);
        ngx_memcpy(n->guid, guid, NGX_CIRA_GUID_LEN);

        ngx_rbtree_insert(&cache->sh->rbtree, &n->node);

    } else {
        ngx_queue_remove(&n->queue);
    }

    ngx_queue_insert_head(&cache->sh->queue, &n->queue);

    n->expires = ngx_time() + cache->valid;
    ngx_memcpy(n->iv, fresh.iv, NGX_AMT_HA1_IV);
    ngx_memcpy(n->tag, fresh.tag, NGX_AMT_HA1_TAG);
    ngx_memcpy(n->sealed, fresh.sealed, NGX_AMT_DIGEST_HA1);

    ngx_shmtx_unlock(&cache->shpool->mutex);
}


void
ngx_amt_ha1_forget(ngx_amt_ha1_cache_t *cache, const u_char *guid)
{
    ngx_amt_ha1_node_t  *n;

    if (cache == NULL || cache->sh == NULL) {
        return;
    }

    ngx_cira_lock(cache->shpool, "amt_digest zone");

    n = ngx_amt_ha1_find(cache, guid);

    if (n) {
        ngx_amt_ha1_delete(cache, n);
    }

    ngx_shmtx_unlock(&cache->shpool->mutex);
}


static void
ngx_amt_ha1_insert(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_int_t            rc;
    ngx_rbtree_node_t  **p;

    for ( ;; ) {

        if (node->key != temp->key) {
            p = (node->key < temp->key) ? &temp->left : &temp->right;

        } else {
            rc = ngx_memcmp(((ngx_amt_ha1_node_t *) node)->guid,
                            ((ngx_amt_ha1_node_t *) temp)->guid,
                            NGX_CIRA_GUID_LEN);

            p = (rc < 0) ? &temp->left : &temp->right;
        }

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


static ngx_amt_ha1_node_t *
ngx_amt_ha1_find(ngx_amt_ha1_cache_t *cache, const u_char *guid)
{
    uint32_t             hash;
    ngx_int_t            rc;
    ngx_rbtree_node_t   *node, *sentinel;
    ngx_amt_ha1_node_t  *n;

    hash = ngx_amt_ha1_hash(guid);

    node = cache->sh->rbtree.root;
    sentinel = cache->sh->rbtree.sentinel;

    while (node != sentinel) {

        if (hash != node->key) {
            node = (hash < node->key) ? node->left : node->right;
            continue;
        }

        n = (ngx_amt_ha1_node_t *) node;

        rc = ngx_memcmp(guid, n->guid, NGX_CIRA_GUID_LEN);

        if (rc == 0) {
            return n;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


static void
ngx_amt_ha1_delete(ngx_amt_ha1_cache_t *cache, ngx_amt_ha1_node_t *n)
{
    ngx_queue_remove(&n->queue);
    ngx_rbtree_delete(&cache->sh->rbtree, &n->node);

    ngx_slab_free_locked(cache->shpool, n);
}


static uint32_t
ngx_amt_ha1_hash(const u_char *guid)
{
    return ngx_crc32_short((u_char *) guid, NGX_CIRA_GUID_LEN);
}


/* GUID and realm are associated data: an entry fits nowhere else. */

static ngx_int_t
ngx_amt_ha1_crypt(ngx_amt_ha1_cache_t *cache, ngx_amt_ha1_node_t *n,
    ngx_str_t *realm, u_char *ha1, int seal)
{
    int              len, ok;
    EVP_CIPHER_CTX  *ctx;

    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        return NGX_DECLINED;
    }

    ok = EVP_CipherInit_ex(ctx, EVP_aes_256_gcm(), NULL, cache->key, n->iv,
                           seal)
         && EVP_CipherUpdate(ctx, NULL, &len, n->guid, NGX_CIRA_GUID_LEN)
         && EVP_CipherUpdate(ctx, NULL, &len, realm->data, (int) realm->len);

    if (ok && seal) {
        ok = EVP_CipherUpdate(ctx, n->sealed, &len, ha1, NGX_AMT_DIGEST_HA1)
             && EVP_CipherFinal_ex(ctx, n->sealed + len, &len)
             && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG,
                                    NGX_AMT_HA1_TAG, n->tag);

    } else if (ok) {
        ok = EVP_CipherUpdate(ctx, ha1, &len, n->sealed, NGX_AMT_DIGEST_HA1)
             && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG,
                                    NGX_AMT_HA1_TAG, n->tag)
             && EVP_CipherFinal_ex(ctx, ha1 + len, &len) > 0;

        if (!ok) {
            ngx_explicit_memzero(ha1, NGX_AMT_DIGEST_HA1);
        }
    }

    EVP_CIPHER_CTX_free(ctx);

    return ok ? NGX_OK : NGX_DECLINED;
}
