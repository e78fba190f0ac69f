
/*
 * Configuration of auth/, for its own files.
 */


#ifndef _NGX_HTTP_AMT_AUTH_MODULE_H_INCLUDED_
#define _NGX_HTTP_AMT_AUTH_MODULE_H_INCLUDED_


#include "auth/ngx_amt_auth.h"
#include "auth/ngx_amt_auth_limit.h"
#include "auth/ngx_amt_jwt.h"
#include "auth/ngx_amt_principal.h"
#include "auth/ngx_amt_source.h"


typedef struct {
    ngx_amt_source_t          *keys;     /* NULL: directive not there */
    ngx_amt_source_t          *users;
    ngx_amt_source_t          *jwt;

    ngx_str_t                  issuer;
    time_t                     expiration;

    ngx_open_file_t           *audit;
    ngx_amt_limit_t            limit;
    ngx_thread_pool_t         *pool;     /* for password hashes */
} ngx_http_amt_auth_main_conf_t;


typedef struct {
    ngx_http_complex_value_t  *tenant;   /* NULL: the default tenant */
    ngx_str_t                  claim;    /* of base64 JSON in the value */
} ngx_http_amt_auth_loc_conf_t;


extern ngx_module_t  ngx_http_amt_auth_module;


/*
 * The tenant as amt_tenant says for a credential that is bound to none; from
 * r->pool.  NGX_OK, NGX_DECLINED: not a tenant; NGX_ERROR.
 */
ngx_int_t ngx_amt_tenant(ngx_http_request_t *r, ngx_str_t *tenant);

/* id of a principal; kind is "key" or "user".  Results as ngx_amt_tenant. */
ngx_int_t ngx_amt_identity(ngx_http_request_t *r, const char *kind,
    ngx_amt_principal_t *p, ngx_amt_identity_t *id);

/*
 * Of "user:NAME" or "key:NAME": the file, the name inside the subject, and
 * "user" or "key".  NULL: neither, or there is no such file.
 */
ngx_amt_source_t *ngx_amt_auth_source(ngx_http_amt_auth_main_conf_t *amcf,
    ngx_str_t *subject, ngx_str_t *name, const char **kind);

/* The principal, valid as ngx_amt_source_table() says, or NULL. */
ngx_amt_principal_t *ngx_amt_auth_subject(ngx_http_amt_auth_main_conf_t *amcf,
    ngx_str_t *subject, const char **kind);


#endif /* _NGX_HTTP_AMT_AUTH_MODULE_H_INCLUDED_ */
