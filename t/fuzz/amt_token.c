
/*
 * Tokens: the input as it came, and the input as a payload that is signed
 * with the right key, so that the claims are read.
 */


#include "auth/ngx_amt_jwt.h"
#include "auth/ngx_amt_principal.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                     *copy;
    u_char                      digest[NGX_AMT_DIGEST_LEN];
    ngx_str_t                   text, src, dst, token;
    ngx_pool_t                 *pool;
    ngx_amt_jwt_claims_t        claims;
    ngx_amt_source_error_t      err;
    static ngx_log_t            log;
    static ngx_str_t            issuer = ngx_string("issuer");
    static ngx_str_t            secret =
        ngx_string("0123456789abcdef0123456789abcdef");
    static ngx_amt_jwt_key_t   *key;
    static ngx_pool_t          *key_pool;

    if (key == NULL) {
        key_pool = ngx_create_pool(4096, &log);
        text = secret;
        key = ngx_amt_jwt_key_parse(key_pool, &text, &err);
    }

    if (size > 4096) {
        return 0;
    }

    pool = ngx_create_pool(4096, &log);

    copy = malloc(size + (size == 0));
    memcpy(copy, data, size);
    token.data = copy;
    token.len = size;

    if (ngx_amt_jwt_verify(pool, key, &token, &issuer, 1, &claims) == NGX_OK
        && claims.expires <= 1)
    {
        abort();
    }

    token.data = ngx_palloc(pool, 8192 + 2048);
    ngx_memcpy(token.data, "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.", 37);
    src.data = copy;
    src.len = size;
    dst.data = token.data + 37;
    ngx_encode_base64url(&dst, &src);
    token.len = 37 + dst.len;

    (void) ngx_amt_hmac(&secret, &token, digest);
    token.data[token.len++] = '.';
    src.data = digest;
    src.len = NGX_AMT_DIGEST_LEN;
    dst.data = token.data + token.len;
    ngx_encode_base64url(&dst, &src);
    token.len += dst.len;

    (void) ngx_amt_jwt_verify(pool, key, &token, &issuer, 1, &claims);

    free(copy);
    ngx_destroy_pool(pool);

    return 0;
}
