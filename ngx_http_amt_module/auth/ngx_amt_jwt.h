
/*
 * Tokens: JWS in compact form with HS256.  The contract's claims in the
 * contract's order (mps.md section 1.7), then two of ours:
 *
 *     tenantId, iss, deviceId, exp, sub, cred
 *
 * sub is whose authority the token has ("user:admin", "key:ops"), cred ties
 * it to the password or key of that moment.  No I/O.
 */


#ifndef _NGX_AMT_JWT_H_INCLUDED_
#define _NGX_AMT_JWT_H_INCLUDED_


#include "auth/ngx_amt_source.h"


#define NGX_AMT_JWT_MAX      2048        /* characters of a token */
#define NGX_AMT_JWT_KEY_MIN  32


typedef struct ngx_amt_jwt_key_s  ngx_amt_jwt_key_t;

typedef struct {
    ngx_str_t   tenant;
    ngx_str_t   issuer;
    ngx_str_t   device;
    int64_t     expires;                 /* seconds since 1970 */
    ngx_str_t   subject;
    ngx_str_t   cred;
} ngx_amt_jwt_claims_t;


/*
 * Parser of amt_jwt_key for ngx_amt_source_t: the raw bytes of the first
 * line are the key.  The result is a ngx_amt_jwt_key_t in the pool, wiped
 * with it.
 */
void *ngx_amt_jwt_key_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_amt_source_error_t *err);

/* The key's bytes; they belong to the key. */
ngx_str_t *ngx_amt_jwt_key_bytes(ngx_amt_jwt_key_t *key);

/* *token in the pool.  Strings are UTF-8.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_amt_jwt_sign(ngx_pool_t *pool, ngx_amt_jwt_key_t *key,
    ngx_amt_jwt_claims_t *claims, ngx_str_t *token);

/*
 * Checks form, signature, issuer and expiration at the time now (seconds
 * since 1970).  *claims in the pool.  NGX_OK; NGX_ABORT: ours, but expired
 * (claims are filled); NGX_DECLINED: not ours; NGX_ERROR: internal.
 */
ngx_int_t ngx_amt_jwt_verify(ngx_pool_t *pool, ngx_amt_jwt_key_t *key,
    ngx_str_t *token, ngx_str_t *issuer, int64_t now,
    ngx_amt_jwt_claims_t *claims);


#endif /* _NGX_AMT_JWT_H_INCLUDED_ */
