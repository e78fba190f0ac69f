
/*
 * REST: keys and certificates in requests.  Clients send base64 of DER or of
 * PEM, or PEM itself; devices take base64 of DER without line breaks, keys as
 * PKCS#1.  Contract mps.md section 2.14, wsman.md section 9.3.
 */


#include "mps/ngx_amt_mps_network.h"
#include "amt/ngx_amt_network.h"
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>


#define NGX_AMT_CREDENTIAL_MAX  16384    /* bytes of text */

#define NGX_AMT_CREDENTIAL_KEY_MSG                                            \
    "ieee8021x.privateKey is not an RSA private key in base64 or PEM"
#define NGX_AMT_CREDENTIAL_CLIENT_MSG                                         \
    "ieee8021x.clientCert is not an X.509 certificate in base64 or PEM"
#define NGX_AMT_CREDENTIAL_CA_MSG                                             \
    "ieee8021x.caCert is not an X.509 certificate in base64 or PEM"
#define NGX_AMT_CREDENTIAL_PAIR_MSG                                           \
    "ieee8021x.clientCert is not for ieee8021x.privateKey"


static ngx_int_t ngx_amt_mps_credential_bytes(ngx_str_t *text, u_char **data,
    size_t *len);
static ngx_uint_t ngx_amt_mps_credential_pem(const u_char *data, size_t len);
static ngx_int_t ngx_amt_mps_key_input(json_t *x, EVP_PKEY **key);
static EVP_PKEY *ngx_amt_mps_key_parse(u_char *data, size_t len);
static ngx_int_t ngx_amt_mps_certificate_input(json_t *x, const char *name,
    EVP_PKEY **key);
static X509 *ngx_amt_mps_certificate_parse(u_char *data, size_t len);
static ngx_int_t ngx_amt_mps_credential_set(json_t *x, const char *name,
    u_char *der, int len);


ngx_int_t
ngx_amt_mps_credentials_input(json_t *x, const char **text)
{
    EVP_PKEY   *key, *client, *ca;
    ngx_int_t   rc;

    key = NULL;
    client = NULL;
    ca = NULL;

    rc = ngx_amt_mps_key_input(x, &key);

    if (rc != NGX_OK) {
        *text = NGX_AMT_CREDENTIAL_KEY_MSG;
        goto done;
    }

    rc = ngx_amt_mps_certificate_input(x, "clientCert", &client);

    if (rc != NGX_OK) {
        *text = NGX_AMT_CREDENTIAL_CLIENT_MSG;
        goto done;
    }

    rc = ngx_amt_mps_certificate_input(x, "caCert", &ca);

    if (rc != NGX_OK) {
        *text = NGX_AMT_CREDENTIAL_CA_MSG;
        goto done;
    }

    if (key && client && EVP_PKEY_eq(key, client) != 1) {
        *text = NGX_AMT_CREDENTIAL_PAIR_MSG;
        rc = NGX_DECLINED;
    }

done:

    EVP_PKEY_free(key);
    EVP_PKEY_free(client);
    EVP_PKEY_free(ca);

    /* what could not be parsed is nobody's error any more */

    ERR_clear_error();

    return rc;
}


/*
 * The bytes that the text stands for: PEM, or DER.  NGX_OK: *data is to be
 * freed by OPENSSL_clear_free(); NGX_DECLINED: not base64.
 */

static ngx_int_t
ngx_amt_mps_credential_bytes(ngx_str_t *text, u_char **data, size_t *len)
{
    u_char      c, *p, *last, *base64;
    size_t      n;
    ngx_str_t   src, dst;

    if (text->len > NGX_AMT_CREDENTIAL_MAX) {
        return NGX_DECLINED;
    }

    base64 = OPENSSL_malloc(text->len);
    if (base64 == NULL) {
        return NGX_ERROR;
    }

    if (ngx_amt_mps_credential_pem(text->data, text->len)) {
        ngx_memcpy(base64, text->data, text->len);
        *data = base64;
        *len = text->len;

        return NGX_OK;
    }

    last = text->data + text->len;

    for (p = text->data, n = 0; p < last; p++) {
        c = *p;

        if (c != ' ' && c != '\t' && c != '\r' && c != '\n') {
            base64[n++] = c;
        }
    }

    src.data = base64;
    src.len = n;

    dst.data = OPENSSL_malloc(ngx_base64_decoded_length(n) + 1);
    if (dst.data == NULL) {
        OPENSSL_clear_free(base64, text->len);
        return NGX_ERROR;
    }

    if (ngx_decode_base64(&dst, &src) != NGX_OK || dst.len == 0) {
        OPENSSL_clear_free(base64, text->len);
        OPENSSL_clear_free(dst.data, ngx_base64_decoded_length(n) + 1);
        return NGX_DECLINED;
    }

    OPENSSL_clear_free(base64, text->len);

    *data = dst.data;
    *len = dst.len;

    return NGX_OK;
}


static ngx_uint_t
ngx_amt_mps_credential_pem(const u_char *data, size_t len)
{
    return len > sizeof("-----BEGIN ") - 1
           && ngx_memcmp(data, "-----BEGIN ", sizeof("-----BEGIN ") - 1) == 0;
}


static ngx_int_t
ngx_amt_mps_key_input(json_t *x, EVP_PKEY **key)
{
    int         n;
    u_char     *data, *der;
    size_t      len;
    ngx_int_t   rc;
    ngx_str_t   s;

    /* not the client's to say */

    (void) json_object_del(x, "publicKey");

    ngx_amt_network_string(x, "privateKey", &s);

    if (s.len == 0) {
        return NGX_OK;
    }

    rc = ngx_amt_mps_credential_bytes(&s, &data, &len);

    if (rc != NGX_OK) {
        return rc;
    }

    *key = ngx_amt_mps_key_parse(data, len);

    OPENSSL_clear_free(data, len);

    if (*key == NULL || EVP_PKEY_base_id(*key) != EVP_PKEY_RSA) {
        return NGX_DECLINED;
    }

    der = NULL;
    n = i2d_PublicKey(*key, &der);

    rc = ngx_amt_mps_credential_set(x, "publicKey", der, n);

    if (rc != NGX_OK) {
        return rc;
    }

    der = NULL;
    n = i2d_PrivateKey(*key, &der);

    return ngx_amt_mps_credential_set(x, "privateKey", der, n);
}


/* One key and nothing behind it, never asking for a pass phrase. */

static EVP_PKEY *
ngx_amt_mps_key_parse(u_char *data, size_t len)
{
    BIO           *bio;
    EVP_PKEY      *key;
    const u_char  *p;

    if (!ngx_amt_mps_credential_pem(data, len)) {

        p = data;
        key = d2i_AutoPrivateKey(NULL, &p, (long) len);

        if (key && p != data + len) {
            EVP_PKEY_free(key);
            return NULL;
        }

        return key;
    }

    bio = BIO_new_mem_buf(data, (int) len);
    if (bio == NULL) {
        return NULL;
    }

    key = PEM_read_bio_PrivateKey(bio, NULL, NULL, (void *) "");

    BIO_free(bio);

    return key;
}


static ngx_int_t
ngx_amt_mps_certificate_input(json_t *x, const char *name, EVP_PKEY **key)
{
    int         n;
    X509       *cert;
    u_char     *data, *der;
    size_t      len;
    ngx_int_t   rc;
    ngx_str_t   s;

    ngx_amt_network_string(x, name, &s);

    if (s.len == 0) {
        return NGX_OK;
    }

    rc = ngx_amt_mps_credential_bytes(&s, &data, &len);

    if (rc != NGX_OK) {
        return rc;
    }

    cert = ngx_amt_mps_certificate_parse(data, len);

    OPENSSL_clear_free(data, len);

    if (cert == NULL) {
        return NGX_DECLINED;
    }

    *key = X509_get_pubkey(cert);

    der = NULL;
    n = i2d_X509(cert, &der);

    X509_free(cert);

    return ngx_amt_mps_credential_set(x, name, der, n);
}


static X509 *
ngx_amt_mps_certificate_parse(u_char *data, size_t len)
{
    BIO           *bio;
    X509          *cert;
    const u_char  *p;

    if (!ngx_amt_mps_credential_pem(data, len)) {

        p = data;
        cert = d2i_X509(NULL, &p, (long) len);

        if (cert && p != data + len) {
            X509_free(cert);
            return NULL;
        }

        return cert;
    }

    bio = BIO_new_mem_buf(data, (int) len);
    if (bio == NULL) {
        return NULL;
    }

    cert = PEM_read_bio_X509(bio, NULL, NULL, (void *) "");

    BIO_free(bio);

    return cert;
}


/* Takes der. */

static ngx_int_t
ngx_amt_mps_credential_set(json_t *x, const char *name, u_char *der, int len)
{
    json_t     *value;
    ngx_str_t   src, dst;

    if (len <= 0) {
        return NGX_ERROR;
    }

    src.data = der;
    src.len = len;

    dst.data = OPENSSL_malloc(ngx_base64_encoded_length(len));

    if (dst.data == NULL) {
        OPENSSL_clear_free(der, len);
        return NGX_ERROR;
    }

    ngx_encode_base64(&dst, &src);
    OPENSSL_clear_free(der, len);

    value = json_stringn((char *) dst.data, dst.len);

    OPENSSL_clear_free(dst.data, dst.len);

    return json_object_set_new(x, name, value) == 0 ? NGX_OK : NGX_ERROR;
}
