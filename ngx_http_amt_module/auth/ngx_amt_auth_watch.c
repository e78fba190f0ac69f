
/*
 * Is the credential still good?  For what goes on for longer than a request,
 * as redirection sessions do; interface in ngx_amt_auth.h.
 */


#include "auth/ngx_http_amt_auth_module.h"
#include <openssl/crypto.h>
#include <openssl/evp.h>


static ngx_int_t ngx_amt_auth_watch_digest(ngx_amt_principal_t *p,
    u_char *digest);


ngx_int_t
ngx_amt_auth_watch(ngx_http_request_t *r, ngx_amt_identity_t *id,
    ngx_uint_t scopes, ngx_amt_auth_watch_t *w)
{
    const char                     *kind;
    ngx_amt_principal_t            *p;
    ngx_http_amt_auth_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_amt_auth_module);

    w->source = ngx_amt_auth_source(amcf, &id->name, &w->name, &kind);

    if (w->source == NULL) {
        return NGX_ERROR;
    }

    p = ngx_amt_principal_find(ngx_amt_source_table(w->source), &w->name);

    if (p == NULL || ngx_amt_auth_watch_digest(p, w->secret) != NGX_OK) {
        return NGX_ERROR;
    }

    w->version = w->source->version;
    w->scopes = scopes;
    w->tenant = id->tenant;

    return NGX_OK;
}


ngx_int_t
ngx_amt_auth_watched(ngx_amt_auth_watch_t *w)
{
    u_char                digest[NGX_AMT_DIGEST_LEN];
    ngx_amt_principal_t  *p;

    if (ngx_amt_source_version(w->source) == w->version) {
        return NGX_OK;
    }

    p = ngx_amt_principal_find(ngx_amt_source_table(w->source), &w->name);

    if (p == NULL
        || (p->scopes & w->scopes) != w->scopes
        || ngx_amt_auth_watch_digest(p, digest) != NGX_OK
        || CRYPTO_memcmp(digest, w->secret, NGX_AMT_DIGEST_LEN) != 0)
    {
        return NGX_DECLINED;
    }

    if (!p->any_tenant
        && (p->tenant.len != w->tenant.len
            || ngx_memcmp(p->tenant.data, w->tenant.data, p->tenant.len)
               != 0))
    {
        return NGX_DECLINED;
    }

    w->version = w->source->version;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_auth_watch_digest(ngx_amt_principal_t *p, u_char *digest)
{
    return EVP_Digest(p->secret.data, p->secret.len, digest, NULL,
                      EVP_sha256(), NULL)
           == 1 ? NGX_OK : NGX_ERROR;
}
