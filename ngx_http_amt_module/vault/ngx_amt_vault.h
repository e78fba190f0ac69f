
/*
 * Vault KV version 2 client, over detached requests to the internal location
 * of amt_vault (Vault, OpenBao or amt_keystore).  Contract mps.md section
 * 3.6; notes/api-plane.md section 2 for what counts as an answer.
 *
 * "There is none" (NGX_DECLINED) and "did not answer" (NGX_ERROR with
 * ERR_VAULT*) are never mixed up.
 */


#ifndef _NGX_AMT_VAULT_H_INCLUDED_
#define _NGX_AMT_VAULT_H_INCLUDED_


#include "flow/ngx_amt_flow.h"
#include <jansson.h>


typedef struct {
    json_t           *data;              /* owned by the caller: call
                                            ngx_amt_secret_wipe() */
    uint64_t          version;           /* for check-and-set */
} ngx_amt_secret_t;


/* 0: there is no amt_vault, and no secret of anybody. */
ngx_uint_t ngx_amt_vault_configured(void);

/*
 * Paths are below the mount, without leading slash, e.g. "devices/<guid>",
 * "MPSCerts": segments of [A-Za-z0-9._-], not "." or ".."; anything else is
 * refused with ERR_INVALID.  Paths and data are copied: they may change when
 * the operation has started.
 */

/*
 * Operation.  *secret is overwritten.  NGX_DECLINED: no such secret, or its
 * current version was deleted; secret->version is then what a write has to
 * give as cas.
 */
ngx_int_t ngx_amt_vault_read(ngx_amt_flow_t *f, ngx_str_t *path,
    ngx_amt_secret_t *secret);

/*
 * Operation: writes the whole object data (borrowed) with check-and-set:
 * cas is the version that must be current, 0 for "must not exist".  A lost
 * race is NGX_ERROR with ERR_CONFLICT.  *version (may be NULL) gets the new
 * version.
 */
ngx_int_t ngx_amt_vault_write(ngx_amt_flow_t *f, ngx_str_t *path,
    json_t *data, uint64_t cas, uint64_t *version);

/*
 * Operation: merges the object changes (null removes a member) into the
 * secret with read + CAS, a few tries.  Nothing is written when nothing would
 * change.
 */
ngx_int_t ngx_amt_vault_merge(ngx_amt_flow_t *f, ngx_str_t *path,
    json_t *changes);

/* Operation: deletes all versions and metadata; none is NGX_OK as well. */
ngx_int_t ngx_amt_vault_delete(ngx_amt_flow_t *f, ngx_str_t *path);

/*
 * Operation: *keys becomes a JSON array of names (new reference); none is an
 * empty array.
 */
ngx_int_t ngx_amt_vault_list(ngx_amt_flow_t *f, ngx_str_t *path,
    json_t **keys);

/*
 * Operation: sys/health?standbyok=true; *health is the JSON object (new
 * reference) with "initialized" and "sealed", also when it is sealed.
 */
ngx_int_t ngx_amt_vault_health(ngx_amt_flow_t *f, json_t **health);

/* A string member, or NULL; valid while the secret is. */
const char *ngx_amt_secret_get(ngx_amt_secret_t *secret, const char *key);
void ngx_amt_secret_wipe(ngx_amt_secret_t *secret);


#endif /* _NGX_AMT_VAULT_H_INCLUDED_ */
