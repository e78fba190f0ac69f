
/*
 * Passwords of AMT: which are strong enough, new ones, and how a device is
 * told.  No I/O.  Contract wsman.md classes AMT_AuthorizationService and
 * AMT_SetupAndConfigurationService, rps.md section 6.4 (pattern P).
 */


#ifndef _NGX_AMT_PASSWORD_H_INCLUDED_
#define _NGX_AMT_PASSWORD_H_INCLUDED_


#include "wsman/ngx_amt_wsman.h"


#define NGX_AMT_PASSWORD_MIN      8
#define NGX_AMT_PASSWORD_MAX      32
#define NGX_AMT_PASSWORD_MPS_MAX  16     /* of the tunnel's user */


/*
 * A lower and an upper case letter, a digit and one of !@#$%^&*, and nothing
 * but those, NGX_AMT_PASSWORD_MIN to max characters of the printable ones
 * that firmware takes.
 */
ngx_uint_t ngx_amt_password_strong(const char *text, size_t len, size_t max);

/*
 * A new one of len (at most 32) characters, easy to read aloud: no I l 1 O 0.
 * C string, buf has len + 1 bytes.  NGX_OK; NGX_ERROR: no random bytes.
 */
ngx_int_t ngx_amt_password_generate(char *buf, size_t len);

/*
 * Body of SetAdminAclEntryEx for the user "admin": the password itself is
 * not in it, but what is suffices for a login.  Wipe it.  Results as of
 * ngx_amt_xml_done().
 */
ngx_int_t ngx_amt_password_admin(ngx_pool_t *pool, ngx_str_t *realm,
    ngx_str_t *password, ngx_str_t *body);

/* Body of SetAdminAclEntryEx with a digest of 16 bytes. */
ngx_int_t ngx_amt_password_acl(ngx_pool_t *pool, ngx_str_t *user,
    u_char digest[16], ngx_str_t *body);

/* Body of SetMEBxPassword.  Wipe it. */
ngx_int_t ngx_amt_password_mebx(ngx_pool_t *pool, ngx_str_t *password,
    ngx_str_t *body);


#endif /* _NGX_AMT_PASSWORD_H_INCLUDED_ */
