
/*
 * Digests of one piece of memory.  EVP_Digest() looks its algorithm up each
 * time, which costs more than the digest of a short text; here that is done
 * once in a process.
 */


#ifndef _NGX_AMT_HASH_H_INCLUDED_
#define _NGX_AMT_HASH_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_AMT_SHA1_LEN    20
#define NGX_AMT_SHA256_LEN  32


/* For the event loop, not for threads.  NGX_OK or NGX_ERROR: no memory. */
ngx_int_t ngx_amt_sha1(const void *p, size_t len, u_char *digest);
ngx_int_t ngx_amt_sha256(const void *p, size_t len, u_char *digest);


#endif /* _NGX_AMT_HASH_H_INCLUDED_ */
