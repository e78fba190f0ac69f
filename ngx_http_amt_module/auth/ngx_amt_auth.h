
/*
 * Who calls, and what may they do: API keys and user tokens become an
 * identity (name, tenant, scopes); one function decides; every changing or
 * secret-releasing call is audited before its effect.  Deny by default.
 * Contract mps.md sections 1.7, 1.8, 2.2.
 */


#ifndef _NGX_AMT_AUTH_H_INCLUDED_
#define _NGX_AMT_AUTH_H_INCLUDED_


#include "flow/ngx_amt_flow.h"
#include "auth/ngx_amt_source.h"
#include <ngx_http.h>


/* Scopes, as written in amt_api_keys and amt_users ("all" is every bit) */

#define NGX_AMT_SCOPE_READ         0x0001   /* read: devices, state */
#define NGX_AMT_SCOPE_POWER        0x0002   /* power: power actions */
#define NGX_AMT_SCOPE_DEVICES      0x0004   /* devices: create, change */
#define NGX_AMT_SCOPE_CONFIGURE    0x0008   /* configure: AMT settings */
#define NGX_AMT_SCOPE_REDIRECTION  0x0010   /* redirection: KVM, SOL, IDER */
#define NGX_AMT_SCOPE_FORCE        0x0020   /* force: take over a session */
#define NGX_AMT_SCOPE_SECRETS      0x0040   /* secrets: break-glass */
#define NGX_AMT_SCOPE_PROVISION    0x0080   /* provision: profiles, RPS */
#define NGX_AMT_SCOPE_RECORD       0x0100   /* record: session recording */
#define NGX_AMT_SCOPE_ALL          0x01ff


typedef struct {
    ngx_str_t         name;              /* "key:ops", "user:admin" */
    ngx_str_t         tenant;            /* "" : the default tenant */
    ngx_uint_t        scopes;
    ngx_str_t         device;            /* "*" or the GUID a redirection
                                            token is bound to */
    ngx_uint_t        any_tenant;        /* tenant is "" because the
                                            credential is bound to none: only
                                            then may a tenantId of query or
                                            body choose one */
    time_t            retry;             /* NGX_BUSY: in so many seconds */
} ngx_amt_identity_t;


/*
 * Nothing configured means nobody is let in.  Redirection tokens are not let
 * in either: they are for ngx_amt_auth_verify().
 *
 * Identifies the caller by X-API-Key, X-MPS-API-Key, X-RPS-API-Key or
 * Authorization: Bearer (an API key or a token), from the request's pool.
 * NGX_OK; NGX_DECLINED: none or bad credentials (answer 401, contract body);
 * NGX_ABORT: token expired (401 {"exp":"token expired"}); NGX_BUSY: this
 * address failed too often (429, id->retry); NGX_ERROR: internal.
 */
ngx_int_t ngx_amt_auth_identify(ngx_http_request_t *r,
    ngx_amt_identity_t *id);

/*
 * Is it a tenant: up to 36 visible ASCII characters without ":", "*", quotes
 * and backslash?  The empty one is.
 */
ngx_uint_t ngx_amt_tenant_valid(ngx_str_t *tenant);

/* The one decision: NGX_OK or NGX_DECLINED (403). */
ngx_int_t ngx_amt_auth_allow(ngx_amt_identity_t *id, ngx_uint_t scope);

/*
 * Operation: checks user name and password against amt_users in a thread.
 * NGX_OK fills *id; NGX_DECLINED: wrong; NGX_ERROR ERR_BUSY: too many
 * (503, Retry-After is set already), ERR_NOT_ALLOWED: no amt_users (405).
 */
ngx_int_t ngx_amt_auth_login(ngx_amt_flow_t *f, ngx_http_request_t *r,
    ngx_str_t *user, ngx_str_t *password, ngx_amt_identity_t *id);

/*
 * Issues an HS256 token with the contract's claims.  device: "*" or a GUID;
 * lifetime in seconds, 0: amt_jwt_expiration.  *token in the pool.  NGX_OK or
 * NGX_ERROR.
 */
ngx_int_t ngx_amt_auth_token(ngx_pool_t *pool, ngx_http_request_t *r,
    ngx_amt_identity_t *id, ngx_str_t *device, time_t lifetime,
    ngx_str_t *token);

/*
 * Verifies a token (relay): id->device is what it is bound to, and a bound
 * one has no scope but redirection, force and record.  Results as
 * ngx_amt_auth_identify().
 */
ngx_int_t ngx_amt_auth_verify(ngx_http_request_t *r, ngx_str_t *token,
    ngx_amt_identity_t *id);

/* What an identity was made of, while it is used for longer than a request */

typedef struct {
    ngx_amt_source_t *source;
    ngx_uint_t        version;           /* that was looked at */
    ngx_uint_t        scopes;            /* that it has to have */
    ngx_str_t         name;              /* inside the identity's */
    ngx_str_t         tenant;            /* the identity's */
    u_char            secret[32];        /* digest of hash or key */
} ngx_amt_auth_watch_t;


/*
 * Begins to watch the credential of *id, whose strings must live as long.
 * NGX_OK, or NGX_ERROR: it is not there any more.
 */
ngx_int_t ngx_amt_auth_watch(ngx_http_request_t *r, ngx_amt_identity_t *id,
    ngx_uint_t scopes, ngx_amt_auth_watch_t *w);

/*
 * Cheap, to be called now and then.  NGX_OK; NGX_DECLINED: key or user is
 * gone from its file, or has another key or password, another tenant, or one
 * of the scopes no more.
 */
ngx_int_t ngx_amt_auth_watched(ngx_amt_auth_watch_t *w);

/*
 * Writes one JSON line {time, who, tenant, addr, action, guid, detail} to
 * amt_audit_log.  guid and detail may be empty; detail is JSON text or empty
 * and holds no secret.  NGX_OK, also without amt_audit_log; NGX_DECLINED: the
 * line would be too long, the caller's fault; NGX_ERROR: it was not written,
 * the call must be refused with 503.
 */
ngx_int_t ngx_amt_audit(ngx_http_request_t *r, ngx_amt_identity_t *id,
    const char *action, ngx_str_t *guid, ngx_str_t *detail);


#endif /* _NGX_AMT_AUTH_H_INCLUDED_ */
