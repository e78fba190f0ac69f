
/*
 * The keystore's cipher: AES-256-GCM per value, bound to its path, version
 * and key.  No I/O.
 */


#ifndef _NGX_AMT_KEYSTORE_CRYPT_H_INCLUDED_
#define _NGX_AMT_KEYSTORE_CRYPT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_AMT_KEYSTORE_KEY       32
#define NGX_AMT_KEYSTORE_ID        8
#define NGX_AMT_KEYSTORE_NONCE     12
#define NGX_AMT_KEYSTORE_TAG       16
#define NGX_AMT_KEYSTORE_OVERHEAD                                             \
    (NGX_AMT_KEYSTORE_NONCE + NGX_AMT_KEYSTORE_TAG)
#define NGX_AMT_KEYSTORE_MAX_KEYS  16


typedef struct {
    u_char                   id[NGX_AMT_KEYSTORE_ID];
    u_char                   key[NGX_AMT_KEYSTORE_KEY];
} ngx_amt_keystore_key_t;


/* The first key encrypts, all decrypt. */

typedef struct {
    ngx_uint_t               n;
    ngx_amt_keystore_key_t   keys[NGX_AMT_KEYSTORE_MAX_KEYS];
} ngx_amt_keystore_ring_t;


/*
 * Reads the text of a key file: 32 raw bytes, or lines of 64 hex digits or
 * base64 of 32 bytes, with empty lines and lines of "#" ignored.  Returns
 * NULL, or what is wrong; holds no key material then.
 */
const char *ngx_amt_keystore_parse(ngx_amt_keystore_ring_t *ring,
    const u_char *data, size_t len);

/*
 * Encrypts plain into out, which has room for plain->len +
 * NGX_AMT_KEYSTORE_OVERHEAD bytes, with the first key: nonce, ciphertext,
 * tag.  NGX_ERROR: OpenSSL failed.
 */
ngx_int_t ngx_amt_keystore_seal(const ngx_amt_keystore_ring_t *ring,
    const ngx_str_t *path, uint64_t version, const ngx_str_t *plain,
    u_char *out);

/*
 * Decrypts sealed into out, which has room for sealed->len -
 * NGX_AMT_KEYSTORE_OVERHEAD bytes.  NGX_DECLINED: the key with this id is
 * not in the ring; NGX_ERROR: not what was sealed for this path and version
 * (out is wiped).
 */
ngx_int_t ngx_amt_keystore_open(const ngx_amt_keystore_ring_t *ring,
    const u_char *id, const ngx_str_t *path, uint64_t version,
    const ngx_str_t *sealed, u_char *out);

/* NULL: not in the ring. */
const ngx_amt_keystore_key_t *ngx_amt_keystore_key(
    const ngx_amt_keystore_ring_t *ring, const u_char *id);


#endif /* _NGX_AMT_KEYSTORE_CRYPT_H_INCLUDED_ */
