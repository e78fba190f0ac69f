
/* The certificate store: certificates, keys, and what refers to them. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include "sim.h"


#define CERT_MAX     12
#define CERT         "AMT_PublicKeyCertificate"
#define KEY          "AMT_PublicPrivateKeyPair"
#define CERT_HANDLE  "Intel(r) AMT Certificate: Handle: "
#define KEY_HANDLE   "Intel(r) AMT Key: Handle: "


/* "C=US,O=x,CN=y" as firmware writes names */

static char *
cert_name(X509_NAME *name)
{
    BIO   *bio;
    char  *text, *data;
    long   n;

    bio = BIO_new(BIO_s_mem());
    if (bio == NULL) {
        abort();
    }

    X509_NAME_print_ex(bio, name, 0, XN_FLAG_SEP_COMMA_PLUS
                                     |ASN1_STRFLGS_ESC_CTRL);
    n = BIO_get_mem_data(bio, &data);
    text = xstrndup(data, n);
    BIO_free(bio);

    return text;
}


/* first handle that is not in use; instances are few */

static unsigned
free_handle(device_t *d, class_t *cls, const char *prefix)
{
    char       id[64];
    inst_t    *i;
    unsigned   n;

    for (n = 0; /* void */ ; n++) {
        snprintf(id, sizeof(id), "%s%u", prefix, n);

        for (i = model_insts(d, cls); i; i = i->next) {
            if (strcmp(model_get(d, cls, i, "InstanceID"), id) == 0) {
                break;
            }
        }

        if (i == NULL) {
            return n;
        }
    }
}


static unsigned
inst_count(device_t *d, class_t *cls)
{
    inst_t    *i;
    unsigned   n;

    for (i = model_insts(d, cls), n = 0; i; i = i->next) {
        n++;
    }

    return n;
}


static char *
key_der(EVP_PKEY *pkey)
{
    int             n;
    buf_t           b;
    char           *text;
    u_char         *der;

    der = NULL;
    n = i2d_PublicKey(pkey, &der);

    if (n <= 0) {
        return NULL;
    }

    memset(&b, 0, sizeof(b));
    base64(&b, der, n);
    OPENSSL_free(der);

    text = xstrdup(buf_cstr(&b));
    buf_free(&b);

    return text;
}


static int
add_certificate(soap_t *s, node_t *in, int root)
{
    int          n;
    char        *name, *key, id[64], epr[128], key_epr[160];
    X509        *x;
    u_char       der[4100];
    inst_t      *i, *k;
    class_t     *cls;
    EVP_PKEY    *pkey;
    const char  *blob;
    const u_char  *p;

    cls = model_class(CERT);
    blob = method_arg(in, "CertificateBlob");
    n = base64_decode(der, sizeof(der), blob);
    p = der;
    x = n > 0 ? d2i_X509(NULL, &p, n) : NULL;

    if (x == NULL || p != der + n) {
        X509_free(x);
        return 2063;
    }

    if (model_find(s->d, CERT, "X509Certificate", blob)) {
        X509_free(x);
        return 2058;
    }

    if (inst_count(s->d, cls) >= CERT_MAX) {
        X509_free(x);
        return 23;
    }

    snprintf(id, sizeof(id), CERT_HANDLE "%u",
             free_handle(s->d, cls, CERT_HANDLE));

    i = model_add(s->d, CERT);
    model_set(cls, i, "ElementName", "Intel(r) AMT Certificate");
    model_set(cls, i, "InstanceID", id);
    model_set(cls, i, "TrustedRootCertficate", root ? "true" : "false");
    model_set(cls, i, "X509Certificate", blob);

    name = cert_name(X509_get_issuer_name(x));
    model_set(cls, i, "Issuer", name);
    free(name);

    name = cert_name(X509_get_subject_name(x));
    model_set(cls, i, "Subject", name);
    free(name);

    /* belongs to a key pair in the store? */

    pkey = X509_get0_pubkey(x);
    key = pkey ? key_der(pkey) : NULL;
    k = key ? model_find(s->d, KEY, "DERKey", key) : NULL;

    if (k && !root) {
        snprintf(epr, sizeof(epr), "@" CERT " InstanceID=%s", id);
        snprintf(key_epr, sizeof(key_epr), "@" KEY " InstanceID=%s",
                 model_get(s->d, model_class(KEY), k, "InstanceID"));
        model_relate(s->d, "CIM_ConcreteDependency", "Antecedent", epr,
                     "Dependent", key_epr);
    }

    free(key);
    X509_free(x);

    snprintf(epr, sizeof(epr), "InstanceID=%s", id);
    out_epr(s, "CreatedCertificate", CERT, epr);
    event(s->d, "certificate", "\"id\":\"%s\",\"root\":%s", id,
          root ? "true" : "false");

    return 0;
}


static int
add_root(soap_t *s, node_t *in)
{
    return add_certificate(s, in, 1);
}


static int
add_leaf(soap_t *s, node_t *in)
{
    return add_certificate(s, in, 0);
}


static int
store_key(soap_t *s, EVP_PKEY *pkey, const char *out)
{
    int        n;
    char      *der, id[64], pairs[96];
    buf_t      b;
    u_char    *priv;
    inst_t    *i;
    class_t   *cls;

    cls = model_class(KEY);
    der = key_der(pkey);

    if (der == NULL || EVP_PKEY_base_id(pkey) != EVP_PKEY_RSA) {
        free(der);
        return 2062;
    }

    if (model_find(s->d, KEY, "DERKey", der)) {
        free(der);
        return 2058;
    }

    if (inst_count(s->d, cls) >= CERT_MAX) {
        free(der);
        return 23;
    }

    snprintf(id, sizeof(id), KEY_HANDLE "%u",
             free_handle(s->d, cls, KEY_HANDLE));

    priv = NULL;
    n = i2d_PrivateKey(pkey, &priv);
    memset(&b, 0, sizeof(b));
    base64(&b, priv, n > 0 ? n : 0);
    OPENSSL_clear_free(priv, n > 0 ? n : 0);

    i = model_add(s->d, KEY);
    model_set(cls, i, "DERKey", der);
    model_set(cls, i, "ElementName", "Intel(r) AMT Key");
    model_set(cls, i, "InstanceID", id);
    model_set(cls, i, "PrivateKey", buf_cstr(&b));

    OPENSSL_cleanse(buf_head(&b), buf_left(&b));
    buf_free(&b);
    free(der);

    snprintf(pairs, sizeof(pairs), "InstanceID=%s", id);
    out_epr(s, out, KEY, pairs);

    return 0;
}


static int
add_key(soap_t *s, node_t *in)
{
    int            n, rc;
    u_char         der[4096];
    EVP_PKEY      *pkey;
    const u_char  *p;

    n = base64_decode(der, sizeof(der), method_arg(in, "KeyBlob"));
    p = der;
    pkey = n > 0 ? d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, n) : NULL;

    if (pkey == NULL || p != der + n) {
        EVP_PKEY_free(pkey);
        return 2062;
    }

    rc = store_key(s, pkey, "CreatedKey");

    EVP_PKEY_free(pkey);
    OPENSSL_cleanse(der, sizeof(der));

    return rc;
}


static int
generate_key(soap_t *s, node_t *in)
{
    int        rc;
    EVP_PKEY  *pkey;

    if (method_num(in, "KeyAlgorithm") != 0
        || method_num(in, "KeyLength") != 2048)
    {
        return 36;
    }

    pkey = EVP_RSA_gen(2048);
    if (pkey == NULL) {
        return 1;
    }

    rc = store_key(s, pkey, "KeyPair");
    EVP_PKEY_free(pkey);

    return rc;
}


static EVP_PKEY *
stored_key(device_t *d, const char *id)
{
    int            n;
    u_char         der[4096];
    inst_t        *i;
    EVP_PKEY      *pkey;
    const u_char  *p;

    i = model_find(d, KEY, "InstanceID", id);
    if (i == NULL) {
        return NULL;
    }

    n = base64_decode(der, sizeof(der),
                      model_get(d, model_class(KEY), i, "PrivateKey"));
    p = der;
    pkey = n > 0 ? d2i_PrivateKey(EVP_PKEY_RSA, NULL, &p, n) : NULL;
    OPENSSL_cleanse(der, sizeof(der));

    return pkey;
}


static int
generate_pkcs10(soap_t *s, node_t *in)
{
    int            n, rc;
    long           alg;
    char          *epr, *id;
    buf_t          b;
    u_char         der[4096], *out;
    X509_REQ      *req;
    EVP_PKEY      *pkey;
    const u_char  *p;

    alg = method_num(in, "SigningAlgorithm");
    if (alg != 1) {
        return alg == 0 ? 2066 : 36;
    }

    epr = epr_text(xml_child(in, NULL, "KeyPair"));
    id = strstr(epr, "InstanceID=");
    pkey = id ? stored_key(s->d, id + 11) : NULL;
    free(epr);

    if (pkey == NULL) {
        return 2068;
    }

    n = base64_decode(der, sizeof(der),
                      method_arg(in, "NullSignedCertificateRequest"));
    p = der;
    req = n > 0 ? d2i_X509_REQ(NULL, &p, n) : NULL;
    rc = 36;

    if (req && EVP_PKEY_eq(X509_REQ_get0_pubkey(req), pkey) == 1
        && X509_REQ_sign(req, pkey, EVP_sha256()) > 0)
    {
        out = NULL;
        n = i2d_X509_REQ(req, &out);
        memset(&b, 0, sizeof(b));
        base64(&b, out, n);
        out_text(s, "SignedCertificateRequest", buf_cstr(&b));
        buf_free(&b);
        OPENSSL_free(out);
        rc = 0;

    } else if (req) {
        rc = 2064;
    }

    X509_REQ_free(req);
    EVP_PKEY_free(pkey);

    return rc;
}


/* may this instance go?  A fault otherwise.  Takes its relations along. */

int
certs_delete(soap_t *s, inst_t *i)
{
    int          cert;
    char         epr[160];
    const char  *id;

    cert = strcmp(s->cls->name, CERT) == 0;

    if (!cert && strcmp(s->cls->name, KEY) != 0) {
        return 0;
    }

    if (cert && strcmp(model_get(s->d, s->cls, i, "ReadOnlyCertificate"),
                       "true") == 0)
    {
        return soap_fault(s, "c:AccessDenied", "read-only certificate");
    }

    id = model_get(s->d, s->cls, i, "InstanceID");
    snprintf(epr, sizeof(epr), "@%s InstanceID=%s", s->cls->name, id);

    if (model_find(s->d, "AMT_TLSCredentialContext", "ElementInContext", epr)
        || model_find(s->d, "AMT_8021XCredentialContext",
                      "ElementInContext", epr)
        || model_find(s->d, "AMT_8021XWiredCredentialContext",
                      "ElementInContext", epr))
    {
        return soap_fault(s, "c:InternalError", "AMT-STATUS 16");
    }

    if (!cert && model_find(s->d, "CIM_ConcreteDependency", "Dependent",
                            epr))
    {
        return soap_fault(s, "c:InternalError", "AMT-STATUS 16");
    }

    model_unrelate(s->d, "CIM_ConcreteDependency",
                   cert ? "Antecedent" : "Dependent", epr);

    return 0;
}


static const param_t  cert_params[] = {
    { "CertificateBlob", T_B64, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  key_params[] = {
    { "KeyBlob", T_B64, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  generate_params[] = {
    { "KeyAlgorithm", T_U8, F_MUST, 0 },
    { "KeyLength", T_U16, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  pkcs10_params[] = {
    { "KeyPair", T_EPR, F_MUST, 0 },
    { "SigningAlgorithm", T_U8, F_MUST, 0 },
    { "NullSignedCertificateRequest", T_B64, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

const method_t  cert_methods[] = {
    { "AMT_PublicKeyManagementService", "AddTrustedRootCertificate",
      cert_params, add_root },
    { "AMT_PublicKeyManagementService", "AddCertificate", cert_params,
      add_leaf },
    { "AMT_PublicKeyManagementService", "AddKey", key_params, add_key },
    { "AMT_PublicKeyManagementService", "GenerateKeyPair", generate_params,
      generate_key },
    { "AMT_PublicKeyManagementService", "GeneratePKCS10RequestEx",
      pkcs10_params, generate_pkcs10 },
    { NULL, NULL, NULL, NULL }
};
