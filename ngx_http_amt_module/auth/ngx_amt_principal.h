
/*
 * Principals: the lines of amt_api_keys and amt_users, as parsed tables.
 * No I/O here; ngx_amt_source.c reads the files.
 */


#ifndef _NGX_AMT_PRINCIPAL_H_INCLUDED_
#define _NGX_AMT_PRINCIPAL_H_INCLUDED_


#include "auth/ngx_amt_auth.h"
#include "auth/ngx_amt_source.h"


#define NGX_AMT_DIGEST_LEN       32      /* SHA-256 */
#define NGX_AMT_NAME_MAX         64
#define NGX_AMT_TENANT_MAX       36
#define NGX_AMT_KEY_MAX          512     /* a presented API key */
#define NGX_AMT_PASSWORD_MAX     1024    /* a presented password */
#define NGX_AMT_HASH_MAX         256     /* a stored password hash */
#define NGX_AMT_PRINCIPALS_MAX   100000


typedef struct {
    ngx_str_t                name;       /* [A-Za-z0-9._@-]{1,64} */
    ngx_str_t                tenant;
    ngx_uint_t               scopes;
    ngx_uint_t               any_tenant; /* "*" in the file */
    ngx_str_t                secret;     /* password hash, zero terminated,
                                            or SHA-256 of the API key */
    u_char                   tag[NGX_AMT_DIGEST_LEN];
} ngx_amt_principal_t;


typedef struct {
    u_char                   seed[NGX_AMT_DIGEST_LEN];
    ngx_uint_t               n;
    ngx_amt_principal_t    **names;      /* by name, ignoring case */
    ngx_amt_principal_t    **tags;       /* API keys: by tag */
} ngx_amt_principals_t;


/*
 * Parsers of the files, for ngx_amt_source_t.parse; the result is a
 * ngx_amt_principals_t.
 */
void *ngx_amt_keys_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_amt_source_error_t *err);
void *ngx_amt_users_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_amt_source_error_t *err);

/*
 * The principal of a presented API key, or NULL.  The time it takes tells
 * nothing about the keys in the table: they are looked up by a digest that is
 * keyed by a random seed.
 */
ngx_amt_principal_t *ngx_amt_keys_find(ngx_amt_principals_t *keys,
    ngx_str_t *key);

/* By name, ignoring case (contract 7.1 number 8), or NULL. */
ngx_amt_principal_t *ngx_amt_principal_find(ngx_amt_principals_t *table,
    ngx_str_t *name);

/*
 * The user whose hash an unknown user's password is compared with, so that
 * both take the same time: always the same one for the same name.  NULL
 * when the table is empty.
 */
ngx_amt_principal_t *ngx_amt_users_dummy(ngx_amt_principals_t *users,
    ngx_str_t *name);

/*
 * Does the password match the hash?  Takes milliseconds: for threads.  hash
 * and password are zero terminated.
 */
ngx_uint_t ngx_amt_password_verify(u_char *hash, u_char *password,
    ngx_log_t *log);

/*
 * Parts of both files.  A line is split at colons into at most n fields, of
 * which *fields gives the number.  NGX_OK; NGX_DECLINED: empty or comment;
 * NGX_DONE: end of text; NGX_ERROR: *err.
 */
ngx_int_t ngx_amt_principal_line(ngx_str_t *text, ngx_uint_t *line,
    ngx_str_t *field, ngx_uint_t n, ngx_uint_t *fields,
    ngx_amt_source_error_t *err);
ngx_int_t ngx_amt_principal_fill(ngx_pool_t *pool, ngx_amt_principal_t *p,
    ngx_str_t *name, ngx_str_t *secret, ngx_str_t *tenant, ngx_str_t *scopes,
    ngx_uint_t line, ngx_amt_source_error_t *err);
ngx_int_t ngx_amt_principal_index(ngx_pool_t *pool,
    ngx_amt_principals_t *table, ngx_array_t *list,
    ngx_amt_source_error_t *err);

/* Scopes of "read,power" or "all".  NGX_OK or NGX_ERROR: an unknown one. */
ngx_int_t ngx_amt_scope_parse(ngx_str_t *text, ngx_uint_t *scopes);

/* digest = HMAC-SHA256(key, data).  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_amt_hmac(ngx_str_t *key, ngx_str_t *data, u_char *digest);


#endif /* _NGX_AMT_PRINCIPAL_H_INCLUDED_ */
