
/*
 * Secrets in Vault of devices that have no row: it was deleted, or not written
 * yet, and a worker may die in between.  They belong to the tenant of that
 * row: another tenant that registers the GUID later must not get them.
 * Contract mps.md sections 2.3, 3.6.
 *
 * The mark is a member of the secret, KEPT_FOR_TENANT: "<version> <tenant>".
 * It counts only in the version that was written with it: whoever writes the
 * secret afterwards without it, or carries it over, knows the device's
 * passwords or sets new ones, as provisioning does before it registers a
 * device.  A secret without a mark is anybody's, as it always was.
 */


#ifndef _NGX_AMT_MPS_KEPT_H_INCLUDED_
#define _NGX_AMT_MPS_KEPT_H_INCLUDED_


#include "flow/ngx_amt_flow.h"
#include "vault/ngx_amt_vault.h"
#include "ngx_cira_api.h"


/*
 * Operation: marks the secret at path, if there is one, as kept for tenant.
 * Both must live as long as the operation.
 */
ngx_int_t ngx_amt_mps_kept_mark(ngx_amt_flow_t *f, ngx_str_t *path,
    ngx_str_t *tenant);

/*
 * The tenant a secret, as read, is kept for: NGX_OK; NGX_DECLINED: it has no
 * mark that counts.  The text is the secret's.
 */
ngx_int_t ngx_amt_mps_kept_tenant(ngx_amt_secret_t *secret,
    ngx_str_t *tenant);

/*
 * Sets the mark of data, which is going to be written as version; tenant
 * NULL removes it.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_amt_mps_kept_set(json_t *data, uint64_t version,
    ngx_str_t *tenant);


#endif /* _NGX_AMT_MPS_KEPT_H_INCLUDED_ */
