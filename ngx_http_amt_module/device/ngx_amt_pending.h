
/*
 * Passwords that are being changed.  Before a device is told a new password
 * it is in Vault, beside the current one: KEY_PENDING in the device's secret,
 * written with check-and-set.  It becomes KEY once the device is known to
 * have it and disappears when the device is known not to, so that whatever
 * is interrupted, Vault holds the password the device has.
 */


#ifndef _NGX_AMT_PENDING_H_INCLUDED_
#define _NGX_AMT_PENDING_H_INCLUDED_


#include "vault/ngx_amt_vault.h"
#include "wsman/ngx_amt_digest.h"


#define NGX_AMT_PENDING_AMT   "AMT_PASSWORD_PENDING"
#define NGX_AMT_PENDING_MEBX  "MEBX_PASSWORD_PENDING"
#define NGX_AMT_PENDING_MPS   "MPS_PASSWORD_PENDING"


/* One decision.  Strings live until the operation ended. */

typedef struct {
    const char                *key;      /* "AMT_PASSWORD" */
    const char                *pending;  /* "AMT_PASSWORD_PENDING" */
    const char                *value;    /* it is about this one only */
    ngx_uint_t                 commit;   /* 0: it disappears */
} ngx_amt_pending_t;


/*
 * Operation: decides up to NGX_AMT_PENDING_MAX passwords in one write.
 * What is decided already is fine.  ERR_CONFLICT: another password is
 * pending or current now, and nothing was written.
 */
#define NGX_AMT_PENDING_MAX  3

ngx_int_t ngx_amt_pending_settle(ngx_amt_flow_t *f, ngx_str_t *path,
    ngx_amt_pending_t *set, ngx_uint_t n);

/*
 * Operation: a device has accepted this HA1 of its pending AMT password,
 * which becomes the current one.
 */
ngx_int_t ngx_amt_pending_accept(ngx_amt_flow_t *f, ngx_str_t *path,
    ngx_str_t *realm, u_char ha1[NGX_AMT_DIGEST_HA1]);

/* HA1 of the user "admin" for a password, which is a C string. */
void ngx_amt_pending_ha1(ngx_str_t *realm, const char *password,
    u_char ha1[NGX_AMT_DIGEST_HA1]);


#endif /* _NGX_AMT_PENDING_H_INCLUDED_ */
