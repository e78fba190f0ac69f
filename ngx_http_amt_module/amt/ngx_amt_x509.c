
/*
 * Certificates; see ngx_amt_x509.h.
 */


#include "amt/ngx_amt_x509.h"
#include <openssl/err.h>
#include <openssl/pem.h>


static ngx_int_t ngx_amt_x509_base64(ngx_str_t *text, ngx_str_t *raw);
static X509 *ngx_amt_x509_der(ngx_str_t *raw);
static X509 *ngx_amt_x509_pem(ngx_str_t *raw);
static int ngx_amt_x509_password(char *buf, int size, int rw, void *data);


ngx_int_t
ngx_amt_x509_decode(ngx_str_t *text, X509 **x)
{
    ngx_int_t  rc;
    ngx_str_t  raw;

    *x = NULL;

    rc = ngx_amt_x509_base64(text, &raw);

    if (rc != NGX_OK) {
        return rc;
    }

    *x = ngx_amt_x509_der(&raw);

    if (*x == NULL) {
        *x = ngx_amt_x509_pem(&raw);
    }

    ngx_free(raw.data);

    /* nothing of this is an error of the worker's own TLS */

    ERR_clear_error();

    return *x ? NGX_OK : NGX_DECLINED;
}


/* On NGX_OK raw->data is from the heap. */

static ngx_int_t
ngx_amt_x509_base64(ngx_str_t *text, ngx_str_t *raw)
{
    u_char     *p, *last, *q;
    ngx_str_t   packed;

    if (text->len == 0 || text->len > 2 * NGX_AMT_X509_MAX) {
        return NGX_DECLINED;
    }

    /* the text without blanks, and behind it what it decodes to */

    packed.data = ngx_alloc(text->len + ngx_base64_decoded_length(text->len)
                            + 4, ngx_cycle->log);
    if (packed.data == NULL) {
        return NGX_ERROR;
    }

    q = packed.data;
    last = text->data + text->len;

    for (p = text->data; p < last; p++) {
        if (*p != ' ' && *p != '\t' && *p != CR && *p != LF) {
            *q++ = *p;
        }
    }

    packed.len = q - packed.data;

    raw->data = q;
    raw->len = 0;

    if (packed.len == 0 || ngx_decode_base64(raw, &packed) != NGX_OK
        || raw->len == 0)
    {
        ngx_free(packed.data);
        return NGX_DECLINED;
    }

    ngx_memmove(packed.data, raw->data, raw->len);
    raw->data = packed.data;

    return NGX_OK;
}


static X509 *
ngx_amt_x509_der(ngx_str_t *raw)
{
    X509          *x;
    const u_char  *p;

    p = raw->data;
    x = d2i_X509(NULL, &p, (long) raw->len);

    if (x && p != raw->data + raw->len) {
        X509_free(x);
        return NULL;
    }

    return x;
}


static X509 *
ngx_amt_x509_pem(ngx_str_t *raw)
{
    BIO   *bio;
    X509  *x;

    if (ngx_strnstr(raw->data, "-----BEGIN ", raw->len) == NULL) {
        return NULL;
    }

    bio = BIO_new_mem_buf(raw->data, (int) raw->len);
    if (bio == NULL) {
        return NULL;
    }

    x = PEM_read_bio_X509(bio, NULL, ngx_amt_x509_password, NULL);

    BIO_free(bio);

    return x;
}


/* Without it OpenSSL asks for the password of encrypted PEM on a terminal. */

static int
ngx_amt_x509_password(char *buf, int size, int rw, void *data)
{
    return -1;
}


ngx_uint_t
ngx_amt_x509_expired(X509 *x, time_t now)
{
    /* an unreadable date is over, too */

    return X509_cmp_time(X509_get0_notAfter(x), &now) != 1;
}


ngx_int_t
ngx_amt_x509_blob(X509 *x, ngx_pool_t *pool, ngx_str_t *blob)
{
    int         len;
    u_char     *der;
    ngx_str_t   raw;

    der = NULL;
    len = i2d_X509(x, &der);

    if (len <= 0) {
        ERR_clear_error();
        return NGX_ERROR;
    }

    raw.data = der;
    raw.len = (size_t) len;

    if (raw.len > NGX_AMT_X509_MAX) {
        OPENSSL_free(der);
        return NGX_DECLINED;
    }

    blob->data = ngx_pnalloc(pool, ngx_base64_encoded_length(raw.len));
    if (blob->data == NULL) {
        OPENSSL_free(der);
        return NGX_ERROR;
    }

    ngx_encode_base64(blob, &raw);

    OPENSSL_free(der);

    return NGX_OK;
}


size_t
ngx_amt_x509_key(ngx_str_t *certificate, u_char *buf)
{
    int         len;
    X509       *x;
    u_char     *der;
    EVP_PKEY   *pkey;
    ngx_str_t   raw, text;

    if (ngx_amt_x509_decode(certificate, &x) != NGX_OK) {
        return 0;
    }

    der = NULL;
    text.len = 0;

    pkey = X509_get0_pubkey(x);
    len = pkey ? i2d_PublicKey(pkey, &der) : 0;

    if (len > 0 && ngx_base64_encoded_length((size_t) len) <= NGX_AMT_X509_KEY)
    {
        raw.data = der;
        raw.len = (size_t) len;
        text.data = buf;

        ngx_encode_base64(&text, &raw);
    }

    OPENSSL_free(der);
    X509_free(x);
    ERR_clear_error();

    return text.len;
}
