
/*
 * HTTP digest access authentication towards AMT devices, no I/O: MD5, qop
 * auth, RFC 2069 when the challenge has no qop.  Contract apf.md section 25.
 */


#ifndef _NGX_AMT_DIGEST_H_INCLUDED_
#define _NGX_AMT_DIGEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_AMT_DIGEST_MAX_REALM   104
#define NGX_AMT_DIGEST_MAX_NONCE   168
#define NGX_AMT_DIGEST_MAX_OPAQUE  64
#define NGX_AMT_DIGEST_HA1         32    /* hex digits */
#define NGX_AMT_DIGEST_STATE       512   /* at least, for encoded state */


/* A challenge and how often it was used; without pointers, to be copied. */

typedef struct {
    u_char            realm[NGX_AMT_DIGEST_MAX_REALM];
    u_char            nonce[NGX_AMT_DIGEST_MAX_NONCE];
    u_char            opaque[NGX_AMT_DIGEST_MAX_OPAQUE];
    u_char            realm_len;
    u_char            nonce_len;         /* 0: there is no challenge */
    u_char            opaque_len;
    unsigned          qop:1;             /* auth was offered */
    unsigned          stale:1;
    unsigned          has_opaque:1;
    uint32_t          nc;                /* of the last request sent */
} ngx_amt_digest_t;


/*
 * Reads the values of n WWW-Authenticate headers and takes the first Digest
 * challenge that can be answered.  NGX_OK; NGX_DECLINED: there is none, or a
 * header is malformed.
 */
ngx_int_t ngx_amt_digest_parse(ngx_str_t *values, ngx_uint_t n,
    ngx_amt_digest_t *d);

/* MD5(user:realm:password) in hex; wiping it is the caller's. */
void ngx_amt_digest_ha1(ngx_str_t *user, ngx_str_t *realm,
    ngx_str_t *password, u_char ha1[NGX_AMT_DIGEST_HA1]);

/*
 * The response for HA1, in hex.  method_uri: "POST:/wsman"; cnonce any text.
 */
void ngx_amt_digest_response(ngx_amt_digest_t *d,
    u_char ha1[NGX_AMT_DIGEST_HA1], ngx_str_t *method_uri, ngx_str_t *cnonce,
    u_char response[NGX_AMT_DIGEST_HA1]);

/*
 * Value of Authorization for POST /wsman: counts d->nc up, with a random
 * cnonce.  Memory from the pool.  NGX_OK; NGX_DECLINED: the nonce is used
 * up; NGX_ERROR: no memory or no random bytes.
 */
ngx_int_t ngx_amt_digest_authorization(ngx_pool_t *pool,
    ngx_amt_digest_t *d, ngx_str_t *user, u_char ha1[NGX_AMT_DIGEST_HA1],
    ngx_str_t *out);

/*
 * State that travels with the device's slot, as base64url text: realm,
 * nonce, opaque and count.  encode writes at most NGX_AMT_DIGEST_STATE bytes
 * and returns their number; decode: NGX_OK or NGX_DECLINED (foreign).
 */
size_t ngx_amt_digest_encode(ngx_amt_digest_t *d, u_char *out);
ngx_int_t ngx_amt_digest_decode(ngx_str_t *in, ngx_amt_digest_t *d);


#endif /* _NGX_AMT_DIGEST_H_INCLUDED_ */
