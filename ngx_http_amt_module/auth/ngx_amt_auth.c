
/*
 * Credentials of a request become an identity: API keys, tokens, logins.
 * Interface in ngx_amt_auth.h.
 */


#include "auth/ngx_http_amt_auth_module.h"
#include <openssl/crypto.h>


#define NGX_AMT_CRED_LEN  16             /* characters of the claim "cred" */


typedef struct {
    ngx_str_t   value;
    ngx_uint_t  rank;                    /* of its header, 0 counts most */
    ngx_uint_t  twice;
} ngx_amt_credential_t;


static void ngx_amt_auth_forget(void *data);
static void ngx_amt_auth_credential(ngx_http_request_t *r,
    ngx_amt_credential_t *cred);
static ngx_uint_t ngx_amt_auth_header(ngx_table_elt_t *h);
static ngx_int_t ngx_amt_auth_key(ngx_http_request_t *r, ngx_str_t *key,
    ngx_amt_identity_t *id);
static ngx_uint_t ngx_amt_auth_is_token(ngx_str_t *value);
static ngx_int_t ngx_amt_auth_claims(ngx_http_request_t *r,
    ngx_amt_jwt_key_t *key, ngx_amt_jwt_claims_t *claims,
    ngx_amt_identity_t *id);
static ngx_int_t ngx_amt_auth_cred(ngx_amt_jwt_key_t *key, const char *kind,
    ngx_amt_principal_t *p, u_char *cred);


/* Headers that may hold an API key, the first one present is used */

static ngx_str_t  ngx_amt_auth_headers[] = {
    ngx_string("x-api-key"),
    ngx_string("x-mps-api-key"),
    ngx_string("x-rps-api-key"),
    ngx_string("authorization"),
    ngx_null_string
};

#define NGX_AMT_AUTH_BEARER  3           /* index of authorization */
#define NGX_AMT_AUTH_NONE    4


ngx_int_t
ngx_amt_auth_identify(ngx_http_request_t *r, ngx_amt_identity_t *id)
{
    ngx_int_t             rc;
    ngx_pool_cleanup_t   *cln;
    ngx_amt_credential_t  cred;

    ngx_memzero(id, sizeof(ngx_amt_identity_t));

    ngx_amt_auth_credential(r, &cred);

    if (cred.rank == NGX_AMT_AUTH_NONE) {
        return NGX_DECLINED;
    }

    cln = ngx_pool_cleanup_add(r->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_amt_auth_forget;
    cln->data = r;

    if (cred.twice) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent credentials twice");
        return NGX_DECLINED;
    }

    if (cred.rank != NGX_AMT_AUTH_BEARER
        || !ngx_amt_auth_is_token(&cred.value))
    {
        return ngx_amt_auth_key(r, &cred.value, id);
    }

    rc = ngx_amt_auth_verify(r, &cred.value, id);

    if (rc == NGX_OK && (id->device.len != 1 || id->device.data[0] != '*')) {

        /* a redirection token opens one session of one device, no more */

        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent a redirection token to the API");
        ngx_memzero(id, sizeof(ngx_amt_identity_t));

        return NGX_DECLINED;
    }

    return rc;
}


/*
 * The request is over and logged: its credentials stay neither in nginx's
 * buffers, which the connection keeps, nor in memory that is free.
 */

static void
ngx_amt_auth_forget(void *data)
{
    ngx_http_request_t *r = data;

    ngx_uint_t        i;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    for (part = &r->headers_in.headers.part; part; part = part->next) {

        h = part->elts;

        for (i = 0; i < part->nelts; i++) {

            if (h[i].value.len
                && ngx_amt_auth_header(&h[i]) != NGX_AMT_AUTH_NONE)
            {
                ngx_explicit_memzero(h[i].value.data, h[i].value.len);
            }
        }
    }
}


static void
ngx_amt_auth_credential(ngx_http_request_t *r, ngx_amt_credential_t *cred)
{
    u_char           *p, *last;
    ngx_uint_t        i, k;
    ngx_list_part_t  *part;
    ngx_table_elt_t  *h;

    ngx_memzero(cred, sizeof(ngx_amt_credential_t));
    cred->rank = NGX_AMT_AUTH_NONE;

    part = &r->headers_in.headers.part;
    h = part->elts;

    for (i = 0; /* void */ ; i++) {

        if (i >= part->nelts) {

            if (part->next == NULL) {
                return;
            }

            part = part->next;
            h = part->elts;
            i = 0;
        }

        if (h[i].hash == 0) {
            continue;
        }

        k = ngx_amt_auth_header(&h[i]);

        if (k == NGX_AMT_AUTH_NONE || k > cred->rank) {
            continue;
        }

        p = h[i].value.data;
        last = p + h[i].value.len;

        if (k == NGX_AMT_AUTH_BEARER) {

            if (last - p < (ssize_t) sizeof("Bearer ") - 1
                || ngx_strncasecmp(p, (u_char *) "Bearer ",
                                   sizeof("Bearer ") - 1)
                   != 0)
            {
                continue;
            }

            p += sizeof("Bearer ") - 1;

            while (p < last && *p == ' ') {
                p++;
            }
        }

        cred->twice = (k == cred->rank);
        cred->rank = k;
        cred->value.data = p;
        cred->value.len = last - p;
    }
}


/* its rank, NGX_AMT_AUTH_NONE: it holds no credentials */

static ngx_uint_t
ngx_amt_auth_header(ngx_table_elt_t *h)
{
    ngx_uint_t  k;

    for (k = 0; k < NGX_AMT_AUTH_NONE; k++) {
        if (h->key.len == ngx_amt_auth_headers[k].len
            && ngx_strncasecmp(h->key.data, ngx_amt_auth_headers[k].data,
                               h->key.len)
               == 0)
        {
            break;
        }
    }

    return k;
}


static ngx_int_t
ngx_amt_auth_key(ngx_http_request_t *r, ngx_str_t *key,
    ngx_amt_identity_t *id)
{
    ngx_amt_limit_key_t             client;
    ngx_amt_principal_t            *p;
    ngx_amt_principals_t           *keys;
    ngx_amt_limit_guess_t           guess;
    ngx_http_amt_auth_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_amt_auth_module);

    if (amcf->keys == NULL) {
        return NGX_DECLINED;
    }

    keys = ngx_amt_source_table(amcf->keys);

    p = ngx_amt_keys_find(keys, key);

    if (p) {
        return ngx_amt_identity(r, "key", p, id);
    }

    /*
     * A good key is let in whatever its neighbours do: keys are too long to
     * be guessed, and behind a proxy all clients may have one address.
     */

    if (ngx_amt_limit_key(r, &amcf->limit, NGX_AMT_LIMIT_KEYS, &client)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (ngx_amt_limit_guess(&amcf->limit, &client, &guess, &id->retry)
        != NGX_OK)
    {
        return NGX_BUSY;
    }

    ngx_amt_limit_done(&amcf->limit, &guess, 1);

    ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                  "client sent an unknown API key");

    return NGX_DECLINED;
}


/* Three parts with dots between them are a token, anything else a key */

static ngx_uint_t
ngx_amt_auth_is_token(ngx_str_t *value)
{
    size_t      i;
    ngx_uint_t  dots;

    for (i = 0, dots = 0; i < value->len; i++) {
        dots += (value->data[i] == '.');
    }

    return dots == 2;
}


ngx_int_t
ngx_amt_auth_verify(ngx_http_request_t *r, ngx_str_t *token,
    ngx_amt_identity_t *id)
{
    ngx_int_t                       rc;
    ngx_amt_jwt_key_t              *key;
    ngx_amt_jwt_claims_t            claims;
    ngx_http_amt_auth_main_conf_t  *amcf;

    ngx_memzero(id, sizeof(ngx_amt_identity_t));

    amcf = ngx_http_get_module_main_conf(r, ngx_http_amt_auth_module);

    if (amcf->jwt == NULL) {
        return NGX_DECLINED;
    }

    key = ngx_amt_source_table(amcf->jwt);

    rc = ngx_amt_jwt_verify(r->pool, key, token, &amcf->issuer, ngx_time(),
                            &claims);

    if (rc == NGX_OK) {
        rc = ngx_amt_auth_claims(r, key, &claims, id);
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client sent %s token",
                      rc == NGX_ABORT ? "an expired" : "an invalid");
        ngx_memzero(id, sizeof(ngx_amt_identity_t));
    }

    return rc;
}


/*
 * A token carries no authority of its own: whose it is must still be in the
 * files, with the same password or key, and has what the files say now.
 */

static ngx_int_t
ngx_amt_auth_claims(ngx_http_request_t *r, ngx_amt_jwt_key_t *key,
    ngx_amt_jwt_claims_t *claims, ngx_amt_identity_t *id)
{
    u_char                          cred[NGX_AMT_CRED_LEN];
    ngx_int_t                       rc;
    const char                     *kind;
    ngx_uint_t                      bound;
    ngx_amt_principal_t            *p;
    ngx_http_amt_auth_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_amt_auth_module);

    p = ngx_amt_auth_subject(amcf, &claims->subject, &kind);

    if (p == NULL || claims->device.len == 0) {
        return NGX_DECLINED;
    }

    if (ngx_amt_auth_cred(key, kind, p, cred) != NGX_OK) {
        return NGX_ERROR;
    }

    if (claims->cred.len != NGX_AMT_CRED_LEN
        || CRYPTO_memcmp(claims->cred.data, cred, NGX_AMT_CRED_LEN) != 0)
    {
        return NGX_DECLINED;
    }

    if (!p->any_tenant
        && (p->tenant.len != claims->tenant.len
            || ngx_memcmp(p->tenant.data, claims->tenant.data, p->tenant.len)
               != 0))
    {
        return NGX_DECLINED;
    }

    rc = ngx_amt_identity(r, kind, p, id);

    if (rc != NGX_OK) {
        return rc;
    }

    bound = (claims->device.len != 1 || claims->device.data[0] != '*');

    if (bound) {
        id->scopes &= NGX_AMT_SCOPE_REDIRECTION|NGX_AMT_SCOPE_FORCE
                      |NGX_AMT_SCOPE_RECORD;
    }

    if (bound || claims->tenant.len) {
        id->tenant = claims->tenant;
        id->any_tenant = 0;
    }

    id->device = claims->device;

    return NGX_OK;
}


ngx_int_t
ngx_amt_identity(ngx_http_request_t *r, const char *kind,
    ngx_amt_principal_t *p, ngx_amt_identity_t *id)
{
    u_char     *last;
    ngx_int_t   rc;
    ngx_str_t   tenant;

    /* the table may be gone when the request goes on: copies */

    ngx_memzero(id, sizeof(ngx_amt_identity_t));

    if (p->any_tenant) {

        rc = ngx_amt_tenant(r, &id->tenant);

        if (rc != NGX_OK) {
            return rc;
        }

        id->any_tenant = (id->tenant.len == 0);

    } else {

        tenant = p->tenant;
        id->tenant.len = tenant.len;
        id->tenant.data = ngx_pnalloc(r->pool, tenant.len + 1);

        if (id->tenant.data == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(id->tenant.data, tenant.data, tenant.len);
    }

    id->name.data = ngx_pnalloc(r->pool, ngx_strlen(kind) + 1 + p->name.len);
    if (id->name.data == NULL) {
        return NGX_ERROR;
    }

    last = ngx_sprintf(id->name.data, "%s:%V", kind, &p->name);
    id->name.len = last - id->name.data;

    id->scopes = p->scopes;
    ngx_str_set(&id->device, "*");

    return NGX_OK;
}


ngx_int_t
ngx_amt_auth_token(ngx_pool_t *pool, ngx_http_request_t *r,
    ngx_amt_identity_t *id, ngx_str_t *device, time_t lifetime,
    ngx_str_t *token)
{
    u_char                          cred[NGX_AMT_CRED_LEN];
    const char                     *kind;
    ngx_amt_jwt_key_t              *key;
    ngx_amt_principal_t            *p;
    ngx_amt_jwt_claims_t            claims;
    ngx_http_amt_auth_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_amt_auth_module);

    if (amcf->jwt == NULL) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "a token cannot be made without \"amt_jwt_key\"");
        return NGX_ERROR;
    }

    p = ngx_amt_auth_subject(amcf, &id->name, &kind);

    if (p == NULL) {
        return NGX_ERROR;
    }

    key = ngx_amt_source_table(amcf->jwt);

    if (ngx_amt_auth_cred(key, kind, p, cred) != NGX_OK) {
        return NGX_ERROR;
    }

    claims.tenant = id->tenant;
    claims.issuer = amcf->issuer;
    claims.device = *device;
    claims.expires = ngx_time() + (lifetime ? lifetime : amcf->expiration);
    claims.subject = id->name;
    claims.cred.data = cred;
    claims.cred.len = NGX_AMT_CRED_LEN;

    return ngx_amt_jwt_sign(pool, key, &claims, token);
}


ngx_amt_principal_t *
ngx_amt_auth_subject(ngx_http_amt_auth_main_conf_t *amcf, ngx_str_t *subject,
    const char **kind)
{
    ngx_str_t          name;
    ngx_amt_source_t  *src;

    src = ngx_amt_auth_source(amcf, subject, &name, kind);

    if (src == NULL) {
        return NULL;
    }

    return ngx_amt_principal_find(ngx_amt_source_table(src), &name);
}


ngx_amt_source_t *
ngx_amt_auth_source(ngx_http_amt_auth_main_conf_t *amcf, ngx_str_t *subject,
    ngx_str_t *name, const char **kind)
{
    size_t             len;
    ngx_amt_source_t  *src;

    if (subject->len > 5 && ngx_strncmp(subject->data, "user:", 5) == 0) {
        src = amcf->users;
        *kind = "user";
        len = 5;

    } else if (subject->len > 4 && ngx_strncmp(subject->data, "key:", 4) == 0)
    {
        src = amcf->keys;
        *kind = "key";
        len = 4;

    } else {
        return NULL;
    }

    name->data = subject->data + len;
    name->len = subject->len - len;

    return src;
}


/* What dies with the password or key the token was made with */

static ngx_int_t
ngx_amt_auth_cred(ngx_amt_jwt_key_t *key, const char *kind,
    ngx_amt_principal_t *p, u_char *cred)
{
    u_char     *last;
    u_char      text[sizeof("amt cred user ") + NGX_AMT_NAME_MAX + 1
                     + NGX_AMT_HASH_MAX];
    u_char      digest[NGX_AMT_DIGEST_LEN];
    u_char      encoded[ngx_base64_encoded_length(NGX_AMT_DIGEST_LEN)];
    ngx_str_t   data, src, dst;

    /* a space ends the name: what is signed here is never a token's text */

    last = ngx_slprintf(text, text + sizeof(text), "amt cred %s %V ", kind,
                        &p->name);

    if ((size_t) (text + sizeof(text) - last) < p->secret.len) {
        return NGX_ERROR;
    }

    last = ngx_cpymem(last, p->secret.data, p->secret.len);

    data.data = text;
    data.len = last - text;

    if (ngx_amt_hmac(ngx_amt_jwt_key_bytes(key), &data, digest) != NGX_OK) {
        return NGX_ERROR;
    }

    src.data = digest;
    src.len = NGX_AMT_DIGEST_LEN;
    dst.data = encoded;

    ngx_encode_base64url(&dst, &src);
    ngx_memcpy(cred, encoded, NGX_AMT_CRED_LEN);

    return NGX_OK;
}
