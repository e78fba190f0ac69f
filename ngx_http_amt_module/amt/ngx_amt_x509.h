
/*
 * Certificates from clients and devices, decoded by OpenSSL; no I/O.
 * Contract mps.md section 2.12, wsman.md section 9.3.
 */


#ifndef _NGX_AMT_X509_H_INCLUDED_
#define _NGX_AMT_X509_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/x509.h>


/* bytes of DER, more than AMT takes */
#define NGX_AMT_X509_MAX  16384

/* base64 of a key; AMT's are at most 1210 bytes */
#define NGX_AMT_X509_KEY  4096


/*
 * Decodes text, which is base64 (blanks and line breaks in it are skipped) of
 * one certificate, as DER or as PEM text.  The caller frees *x.  NGX_OK;
 * NGX_DECLINED: it is none; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_x509_decode(ngx_str_t *text, X509 **x);

/* 1 when its last day is over at time now. */
ngx_uint_t ngx_amt_x509_expired(X509 *x, time_t now);

/*
 * As AMT takes it: base64 of the DER in one line, from the pool.  NGX_OK;
 * NGX_DECLINED: too large; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_x509_blob(X509 *x, ngx_pool_t *pool, ngx_str_t *blob);

/*
 * The certificate's public key as AMT lists keys (DERKey): base64 of PKCS#1
 * RSAPublicKey.  buf: NGX_AMT_X509_KEY bytes; 0: there is none, or it is
 * larger than that.
 */
size_t ngx_amt_x509_key(ngx_str_t *certificate, u_char *buf);


#endif /* _NGX_AMT_X509_H_INCLUDED_ */
