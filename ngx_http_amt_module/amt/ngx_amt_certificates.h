
/*
 * AMT capability: the certificate store - certificates, keys, and the
 * profiles that use them.  Contract mps.md section 2.12, wsman.md classes
 * AMT_PublicKeyCertificate, AMT_PublicPrivateKeyPair, CIM_ConcreteDependency,
 * CIM_CredentialContext, AMT_PublicKeyManagementService.
 */


#ifndef _NGX_AMT_CERTIFICATES_H_INCLUDED_
#define _NGX_AMT_CERTIFICATES_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/* {"certificates":{...},"publicKeys":{...},"profileAssociation":[...]} */
extern const ngx_amt_op_t  ngx_amt_certificates_list;

/*
 * Input {"cert":base64 of DER,"isTrusted":b}.  {"handle":s}; a refusal when
 * the device does not take it.
 */
extern const ngx_amt_op_t  ngx_amt_certificates_add;

/*
 * Input {"handle":s}.  {"message":s,"handle":s}; a refusal when there is no
 * such certificate, or it is read-only or used by a profile.
 */
extern const ngx_amt_op_t  ngx_amt_certificates_delete;


/* What the device has: arrays of ngx_amt_xml_t *. */

typedef struct {
    ngx_array_t     *dependencies;
    ngx_array_t     *certificates;
    ngx_array_t     *keys;
    ngx_array_t     *contexts;
} ngx_amt_certificates_t;


/*
 * No device holds more; relations of more would cost too much time, and an
 * answer in which they are repeated too much memory.
 */

#define NGX_AMT_CERT_MAX           64    /* certificates, keys */
#define NGX_AMT_CERT_MAX_CONTEXTS  1024  /* contexts, dependencies */
#define NGX_AMT_CERT_MAX_COPIES    (8 * 1024 * 1024)

/* 1 within these; the functions below need it. */
ngx_uint_t ngx_amt_certificates_sane(ngx_amt_certificates_t *store);

/* The answer to GET, a new reference; NULL: no memory. */
json_t *ngx_amt_certificates_json(ngx_amt_certificates_t *store);

/* The certificate with this InstanceID, or NULL. */
ngx_amt_xml_t *ngx_amt_certificates_find(ngx_amt_certificates_t *store,
    const char *handle);

/*
 * "TLS - id, Wireless - id": the profiles that use a certificate, each once;
 * a new reference to a string that may be empty; NULL: no memory.
 */
json_t *ngx_amt_certificates_users(ngx_amt_certificates_t *store,
    const char *handle);

/* Text of the selector InstanceID of a reference, or of its first one. */
ngx_str_t ngx_amt_certificates_selector(ngx_amt_xml_t *reference);


#endif /* _NGX_AMT_CERTIFICATES_H_INCLUDED_ */
