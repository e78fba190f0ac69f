
/* Digests, see ngx_amt_hash.h. */


#include "auth/ngx_amt_hash.h"
#include <openssl/evp.h>


typedef struct {
    const char   *name;
    EVP_MD       *md;
    EVP_MD_CTX   *ctx;
} ngx_amt_hash_t;


static ngx_int_t ngx_amt_hash(ngx_amt_hash_t *h, const void *p, size_t len,
    u_char *digest);


/* of the process: made at the first use */

static ngx_amt_hash_t  ngx_amt_hash_sha1 = { "SHA1", NULL, NULL };
static ngx_amt_hash_t  ngx_amt_hash_sha256 = { "SHA256", NULL, NULL };


ngx_int_t
ngx_amt_sha1(const void *p, size_t len, u_char *digest)
{
    return ngx_amt_hash(&ngx_amt_hash_sha1, p, len, digest);
}


ngx_int_t
ngx_amt_sha256(const void *p, size_t len, u_char *digest)
{
    return ngx_amt_hash(&ngx_amt_hash_sha256, p, len, digest);
}


static ngx_int_t
ngx_amt_hash(ngx_amt_hash_t *h, const void *p, size_t len, u_char *digest)
{
    if (h->ctx == NULL) {

        if (h->md == NULL) {
            h->md = EVP_MD_fetch(NULL, h->name, NULL);
        }

        if (h->md == NULL) {
            return NGX_ERROR;
        }

        h->ctx = EVP_MD_CTX_new();

        if (h->ctx == NULL) {
            return NGX_ERROR;
        }
    }

    if (EVP_DigestInit_ex(h->ctx, h->md, NULL) != 1
        || EVP_DigestUpdate(h->ctx, p, len) != 1
        || EVP_DigestFinal_ex(h->ctx, digest, NULL) != 1)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
