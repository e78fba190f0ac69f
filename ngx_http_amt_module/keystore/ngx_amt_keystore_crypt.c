
/*
 * AES-256-GCM for the keystore.  A nonce is 96 random bits; the associated
 * data is "amt-keystore 1", the key's id, the version (64 bits, big endian)
 * and the path, so that a value cannot be moved to another place.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include "keystore/ngx_amt_keystore_crypt.h"


#define NGX_AMT_KEYSTORE_LABEL  "amt-keystore 1"


static ngx_uint_t ngx_amt_keystore_text(const u_char *data);
static const char *ngx_amt_keystore_add(ngx_amt_keystore_ring_t *ring,
    const u_char *key);
static ngx_int_t ngx_amt_keystore_hex(const u_char *p, u_char *key);
static ngx_int_t ngx_amt_keystore_base64(const u_char *p, size_t len,
    u_char *key);
static ngx_int_t ngx_amt_keystore_aad(EVP_CIPHER_CTX *ctx, const u_char *id,
    const ngx_str_t *path, uint64_t version);


const char *
ngx_amt_keystore_parse(ngx_amt_keystore_ring_t *ring, const u_char *data,
    size_t len)
{
    u_char         key[NGX_AMT_KEYSTORE_KEY];
    ngx_int_t      rc;
    const char    *err;
    const u_char  *p, *last, *end;

    ngx_memzero(ring, sizeof(ngx_amt_keystore_ring_t));

    if (len == NGX_AMT_KEYSTORE_KEY && !ngx_amt_keystore_text(data)) {
        err = ngx_amt_keystore_add(ring, data);
        goto done;
    }

    err = NULL;
    end = data + len;

    while (data < end && err == NULL) {

        last = memchr(data, '\n', end - data);
        if (last == NULL) {
            last = end;
        }

        p = data;
        data = (last < end) ? last + 1 : end;

        while (p < last && (*p == ' ' || *p == '\t')) {
            p++;
        }

        while (p < last
               && (last[-1] == ' ' || last[-1] == '\t' || last[-1] == '\r'))
        {
            last--;
        }

        if (p == last || *p == '#') {
            continue;
        }

        rc = (last - p == 64)
             ? ngx_amt_keystore_hex(p, key)
             : ngx_amt_keystore_base64(p, last - p, key);

        err = (rc == NGX_OK) ? ngx_amt_keystore_add(ring, key)
                             : "a line is neither 64 hex digits nor base64 "
                               "of 32 bytes";

        OPENSSL_cleanse(key, sizeof(key));
    }

    if (err == NULL && ring->n == 0) {
        err = "there is no key in it";
    }

done:

    if (err) {
        OPENSSL_cleanse(ring, sizeof(ngx_amt_keystore_ring_t));
    }

    return err;
}


/*
 * Random bytes are practically never all letters and signs: such 32 are half
 * a key in hex, or the start of one whose file was cut.
 */

static ngx_uint_t
ngx_amt_keystore_text(const u_char *data)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AMT_KEYSTORE_KEY; i++) {

        if ((data[i] < ' ' || data[i] > '~')
            && data[i] != '\t' && data[i] != CR && data[i] != LF)
        {
            return 0;
        }
    }

    return 1;
}


static const char *
ngx_amt_keystore_add(ngx_amt_keystore_ring_t *ring, const u_char *key)
{
    u_char                   md[EVP_MAX_MD_SIZE], zero[NGX_AMT_KEYSTORE_KEY];
    unsigned int             n;
    ngx_amt_keystore_key_t  *k;

    if (ring->n == NGX_AMT_KEYSTORE_MAX_KEYS) {
        return "there are more than 16 keys in it";
    }

    ngx_memzero(zero, sizeof(zero));

    if (CRYPTO_memcmp(key, zero, sizeof(zero)) == 0) {
        return "a key is all zero";
    }

    n = 0;

    if (HMAC(EVP_sha256(), key, NGX_AMT_KEYSTORE_KEY,
             (u_char *) NGX_AMT_KEYSTORE_LABEL " key id",
             sizeof(NGX_AMT_KEYSTORE_LABEL " key id") - 1, md, &n)
        == NULL
        || n < NGX_AMT_KEYSTORE_ID)
    {
        return "HMAC() failed";
    }

    if (ngx_amt_keystore_key(ring, md)) {
        OPENSSL_cleanse(md, sizeof(md));
        return "a key is in it twice";
    }

    k = &ring->keys[ring->n++];

    ngx_memcpy(k->id, md, NGX_AMT_KEYSTORE_ID);
    ngx_memcpy(k->key, key, NGX_AMT_KEYSTORE_KEY);

    OPENSSL_cleanse(md, sizeof(md));

    return NULL;
}


static ngx_int_t
ngx_amt_keystore_hex(const u_char *p, u_char *key)
{
    ngx_int_t   n;
    ngx_uint_t  i;

    for (i = 0; i < NGX_AMT_KEYSTORE_KEY; i++) {

        n = ngx_hextoi((u_char *) p + 2 * i, 2);
        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        key[i] = (u_char) n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_keystore_base64(const u_char *p, size_t len, u_char *key)
{
    u_char     buf[48];
    ngx_int_t  rc;
    ngx_str_t  src, dst;

    if (len != 43 && len != 44) {
        return NGX_ERROR;
    }

    src.data = (u_char *) p;
    src.len = len;
    dst.data = buf;
    dst.len = 0;

    rc = ngx_decode_base64(&dst, &src);

    if (rc == NGX_OK && dst.len == NGX_AMT_KEYSTORE_KEY) {
        ngx_memcpy(key, buf, NGX_AMT_KEYSTORE_KEY);

    } else {
        rc = NGX_ERROR;
    }

    OPENSSL_cleanse(buf, sizeof(buf));

    return rc;
}


const ngx_amt_keystore_key_t *
ngx_amt_keystore_key(const ngx_amt_keystore_ring_t *ring, const u_char *id)
{
    ngx_uint_t  i;

    for (i = 0; i < ring->n; i++) {
        if (ngx_memcmp(ring->keys[i].id, id, NGX_AMT_KEYSTORE_ID) == 0) {
            return &ring->keys[i];
        }
    }

    return NULL;
}


ngx_int_t
ngx_amt_keystore_seal(const ngx_amt_keystore_ring_t *ring,
    const ngx_str_t *path, uint64_t version, const ngx_str_t *plain,
    u_char *out)
{
    int                            n;
    u_char                        *p, *nonce;
    ngx_int_t                      rc;
    EVP_CIPHER_CTX                *ctx;
    const ngx_amt_keystore_key_t  *key;

    if (plain->len > INT_MAX || path->len > INT_MAX) {
        return NGX_ERROR;
    }

    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    key = &ring->keys[0];
    nonce = out;
    p = out + NGX_AMT_KEYSTORE_NONCE;

    if (RAND_bytes(nonce, NGX_AMT_KEYSTORE_NONCE) == 1
        && EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->key, nonce)
           == 1
        && ngx_amt_keystore_aad(ctx, key->id, path, version) == NGX_OK
        && EVP_EncryptUpdate(ctx, p, &n, plain->data, (int) plain->len) == 1
        && EVP_EncryptFinal_ex(ctx, p + plain->len, &n) == 1
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG,
                               NGX_AMT_KEYSTORE_TAG, p + plain->len)
           == 1)
    {
        rc = NGX_OK;
    }

    EVP_CIPHER_CTX_free(ctx);

    return rc;
}


ngx_int_t
ngx_amt_keystore_open(const ngx_amt_keystore_ring_t *ring, const u_char *id,
    const ngx_str_t *path, uint64_t version, const ngx_str_t *sealed,
    u_char *out)
{
    int                            n;
    u_char                        *p, tail[EVP_MAX_BLOCK_LENGTH];
    size_t                         len;
    ngx_int_t                      rc;
    EVP_CIPHER_CTX                *ctx;
    const ngx_amt_keystore_key_t  *key;

    key = ngx_amt_keystore_key(ring, id);
    if (key == NULL) {
        return NGX_DECLINED;
    }

    if (sealed->len < NGX_AMT_KEYSTORE_OVERHEAD
        || sealed->len > INT_MAX
        || path->len > INT_MAX)
    {
        return NGX_ERROR;
    }

    len = sealed->len - NGX_AMT_KEYSTORE_OVERHEAD;
    p = sealed->data + NGX_AMT_KEYSTORE_NONCE;

    ctx = EVP_CIPHER_CTX_new();
    if (ctx == NULL) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (EVP_DecryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, key->key,
                           sealed->data)
        == 1
        && ngx_amt_keystore_aad(ctx, key->id, path, version) == NGX_OK
        && EVP_DecryptUpdate(ctx, out, &n, p, (int) len) == 1
        && EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_SET_TAG,
                               NGX_AMT_KEYSTORE_TAG, p + len)
           == 1
        && EVP_DecryptFinal_ex(ctx, tail, &n) == 1)
    {
        rc = NGX_OK;
    }

    if (rc != NGX_OK) {
        OPENSSL_cleanse(out, len);
    }

    EVP_CIPHER_CTX_free(ctx);

    return rc;
}


static ngx_int_t
ngx_amt_keystore_aad(EVP_CIPHER_CTX *ctx, const u_char *id,
    const ngx_str_t *path, uint64_t version)
{
    int      n, rc, i;
    u_char  *p;
    u_char   head[sizeof(NGX_AMT_KEYSTORE_LABEL) + NGX_AMT_KEYSTORE_ID + 8];

    /* the label with its zero byte */

    p = ngx_cpymem(head, NGX_AMT_KEYSTORE_LABEL,
                   sizeof(NGX_AMT_KEYSTORE_LABEL));
    p = ngx_cpymem(p, id, NGX_AMT_KEYSTORE_ID);

    for (i = 56; i >= 0; i -= 8) {
        *p++ = (u_char) (version >> i);
    }

    rc = EVP_CipherUpdate(ctx, NULL, &n, head, sizeof(head));

    if (rc == 1 && path->len) {
        rc = EVP_CipherUpdate(ctx, NULL, &n, path->data, (int) path->len);
    }

    return (rc == 1) ? NGX_OK : NGX_ERROR;
}
