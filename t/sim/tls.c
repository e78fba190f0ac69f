
/*
 * TLS inside a channel, port 16995: the device is the server, with a
 * certificate it has made itself.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include "sim.h"


#define RECORD  16384


static SSL_CTX  *server;


static X509 *
tls_certificate(EVP_PKEY *key)
{
    X509  *cert;

    cert = X509_new();

    if (cert == NULL
        || X509_set_version(cert, 2) != 1
        || ASN1_INTEGER_set(X509_get_serialNumber(cert), 1) != 1
        || X509_gmtime_adj(X509_getm_notBefore(cert), -86400) == NULL
        || X509_gmtime_adj(X509_getm_notAfter(cert), 86400 * 3650) == NULL
        || X509_set_pubkey(cert, key) != 1
        || X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN",
                                      MBSTRING_ASC, (u_char *) "AMT self-"
                                      "signed", -1, -1, 0) != 1
        || X509_set_issuer_name(cert, X509_get_subject_name(cert)) != 1
        || X509_sign(cert, key, EVP_sha256()) == 0)
    {
        abort();
    }

    return cert;
}


/* one certificate for all devices of the process, and as long as it lives */

static SSL_CTX *
tls_server(void)
{
    X509      *cert;
    EVP_PKEY  *key;

    if (server) {
        return server;
    }

    server = SSL_CTX_new(TLS_server_method());
    key = EVP_RSA_gen(2048);

    if (server == NULL || key == NULL) {
        abort();
    }

    cert = tls_certificate(key);

    if (SSL_CTX_use_certificate(server, cert) != 1
        || SSL_CTX_use_PrivateKey(server, key) != 1)
    {
        abort();
    }

    X509_free(cert);
    EVP_PKEY_free(key);

    SSL_CTX_set_min_proto_version(server, TLS1_2_VERSION);
    SSL_CTX_set_options(server, SSL_OP_NO_TICKET);

    return server;
}


void
tls_open(channel_t *c)
{
    c->tls = SSL_new(tls_server());

    if (c->tls == NULL) {
        abort();
    }

    SSL_set_bio(c->tls, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_accept_state(c->tls);
}


void
tls_free(channel_t *c)
{
    SSL_free(c->tls);
    c->tls = NULL;
    buf_free(&c->wire);
}


/* what OpenSSL wants to send goes to the wire */

static void
tls_pending(channel_t *c)
{
    char  *p;
    long   n;
    BIO   *bio;

    bio = SSL_get_wbio(c->tls);
    n = BIO_get_mem_data(bio, &p);

    if (n > 0) {
        buf_add(&c->wire, p, n);
        (void) BIO_reset(bio);
    }
}


/* bytes of the server; 0, or -1: it is no TLS */

int
tls_input(channel_t *c, const u_char *p, size_t n)
{
    int     rc, err;
    u_char  plain[RECORD];

    if (BIO_write(SSL_get_rbio(c->tls), p, (int) n) != (int) n) {
        abort();
    }

    for ( ;; ) {
        rc = SSL_read(c->tls, plain, sizeof(plain));

        if (rc <= 0) {
            break;
        }

        buf_add(&c->in, plain, rc);
    }

    err = SSL_get_error(c->tls, rc);

    tls_pending(c);

    if (err == SSL_ERROR_WANT_READ) {
        return 0;
    }

    event(c->d, "tls", "\"port\":%u,\"state\":\"%s\"", c->port,
          err == SSL_ERROR_ZERO_RETURN ? "closed" : "failed");

    return -1;
}


/* one record of what is to be sent, when the last one has left */

buf_t *
tls_output(channel_t *c)
{
    size_t  n;

    n = buf_left(&c->out);

    if (buf_left(&c->wire) == 0 && n && SSL_is_init_finished(c->tls)) {
        n = n < RECORD ? n : RECORD;

        if (SSL_write(c->tls, buf_head(&c->out), (int) n) != (int) n) {
            abort();
        }

        buf_eat(&c->out, n);
        tls_pending(c);
    }

    return &c->wire;
}
