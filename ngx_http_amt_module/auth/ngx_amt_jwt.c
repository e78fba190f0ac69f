
/*
 * HS256 tokens with cjose, contract mps.md section 1.7.
 */


#include "auth/ngx_amt_jwt.h"
#include <cjose/cjose.h>
#include <jansson.h>


struct ngx_amt_jwt_key_s {
    ngx_str_t    bytes;
    cjose_jwk_t *jwk;
};


/*
 * {"alg":"HS256","typ":"JWT"}: all our tokens have this header, letter by
 * letter, so no other is looked at and none can choose the algorithm.
 */

static ngx_str_t  ngx_amt_jwt_header =
    ngx_string("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.");


static void ngx_amt_jwt_key_cleanup(void *data);
static ngx_int_t ngx_amt_jwt_set(json_t *object, const char *name,
    ngx_str_t *value);
static ngx_uint_t ngx_amt_jwt_form(ngx_str_t *token);
static ngx_int_t ngx_amt_jwt_claims(ngx_pool_t *pool, u_char *text,
    size_t len, ngx_amt_jwt_claims_t *claims);
static ngx_int_t ngx_amt_jwt_string(ngx_pool_t *pool, json_t *object,
    const char *name, ngx_str_t *value);


void *
ngx_amt_jwt_key_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_amt_source_error_t *err)
{
    u_char              *p;
    size_t               len;
    cjose_err            error;
    ngx_amt_jwt_key_t   *key;
    ngx_pool_cleanup_t  *cln;

    p = ngx_strlchr(text->data, text->data + text->len, LF);
    len = p ? (size_t) (p - text->data) : text->len;

    if (len && text->data[len - 1] == CR) {
        len--;
    }

    if (p && p + 1 != text->data + text->len) {
        return ngx_amt_source_refuse(err, "more than one line");
    }

    if (len < NGX_AMT_JWT_KEY_MIN) {
        return ngx_amt_source_refuse(err, "a key has at least %d bytes",
                                     NGX_AMT_JWT_KEY_MIN);
    }

    key = ngx_pcalloc(pool, sizeof(ngx_amt_jwt_key_t));
    cln = ngx_pool_cleanup_add(pool, 0);

    if (key == NULL || cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_amt_jwt_key_cleanup;
    cln->data = key;

    key->bytes.data = ngx_pnalloc(pool, len);
    if (key->bytes.data == NULL) {
        return NULL;
    }

    ngx_memcpy(key->bytes.data, text->data, len);
    key->bytes.len = len;

    key->jwk = cjose_jwk_create_oct_spec(key->bytes.data, len, &error);
    if (key->jwk == NULL) {
        return NULL;
    }

    return key;
}


static void
ngx_amt_jwt_key_cleanup(void *data)
{
    ngx_amt_jwt_key_t *key = data;

    void       *bytes;
    cjose_err   error;

    if (key->jwk) {

        /* cjose frees its copy without wiping it */

        bytes = cjose_jwk_get_keydata(key->jwk, &error);

        if (bytes) {
            ngx_explicit_memzero(bytes, key->bytes.len);
        }

        (void) cjose_jwk_release(key->jwk);
        key->jwk = NULL;
    }

    if (key->bytes.data) {
        ngx_explicit_memzero(key->bytes.data, key->bytes.len);
    }
}


ngx_str_t *
ngx_amt_jwt_key_bytes(ngx_amt_jwt_key_t *key)
{
    return &key->bytes;
}


ngx_int_t
ngx_amt_jwt_sign(ngx_pool_t *pool, ngx_amt_jwt_key_t *key,
    ngx_amt_jwt_claims_t *claims, ngx_str_t *token)
{
    char            *text;
    json_t          *object;
    ngx_int_t        rc;
    cjose_err        error;
    const char      *out;
    cjose_jws_t     *jws;
    cjose_header_t  *header;

    rc = NGX_ERROR;
    text = NULL;
    jws = NULL;
    header = NULL;

    object = json_object();

    if (ngx_amt_jwt_set(object, "tenantId", &claims->tenant) != NGX_OK
        || ngx_amt_jwt_set(object, "iss", &claims->issuer) != NGX_OK
        || ngx_amt_jwt_set(object, "deviceId", &claims->device) != NGX_OK
        || json_object_set_new(object, "exp", json_integer(claims->expires))
        || ngx_amt_jwt_set(object, "sub", &claims->subject) != NGX_OK
        || ngx_amt_jwt_set(object, "cred", &claims->cred) != NGX_OK)
    {
        goto done;
    }

    text = json_dumps(object, JSON_COMPACT|JSON_PRESERVE_ORDER);
    if (text == NULL) {
        goto done;
    }

    header = cjose_header_new(&error);
    if (header == NULL
        || !cjose_header_set(header, "alg", "HS256", &error)
        || !cjose_header_set(header, "typ", "JWT", &error))
    {
        goto done;
    }

    jws = cjose_jws_sign(key->jwk, header, (uint8_t *) text,
                         ngx_strlen(text), &error);

    if (jws == NULL || !cjose_jws_export(jws, &out, &error)) {
        goto done;
    }

    token->len = ngx_strlen(out);

    if (token->len > NGX_AMT_JWT_MAX
        || token->len <= ngx_amt_jwt_header.len
        || ngx_memcmp(out, ngx_amt_jwt_header.data, ngx_amt_jwt_header.len)
           != 0)
    {
        goto done;
    }

    token->data = ngx_pnalloc(pool, token->len);

    if (token->data != NULL) {
        ngx_memcpy(token->data, out, token->len);
        rc = NGX_OK;
    }

done:

    if (jws) {
        cjose_jws_release(jws);
    }

    if (header) {
        cjose_header_release(header);
    }

    free(text);
    json_decref(object);

    return rc;
}


static ngx_int_t
ngx_amt_jwt_set(json_t *object, const char *name, ngx_str_t *value)
{
    json_t  *text;

    text = json_stringn(value->len ? (char *) value->data : "", value->len);

    return json_object_set_new(object, name, text) == 0 ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_amt_jwt_verify(ngx_pool_t *pool, ngx_amt_jwt_key_t *key,
    ngx_str_t *token, ngx_str_t *issuer, int64_t now,
    ngx_amt_jwt_claims_t *claims)
{
    size_t        len;
    uint8_t      *text;
    ngx_int_t     rc;
    cjose_err     error;
    cjose_jws_t  *jws;

    if (!ngx_amt_jwt_form(token)) {
        return NGX_DECLINED;
    }

    jws = cjose_jws_import((char *) token->data, token->len, &error);

    if (jws == NULL) {
        return error.code == CJOSE_ERR_NO_MEMORY ? NGX_ERROR : NGX_DECLINED;
    }

    if (!cjose_jws_verify(jws, key->jwk, &error)
        || !cjose_jws_get_plaintext(jws, &text, &len, &error))
    {
        rc = error.code == CJOSE_ERR_NO_MEMORY ? NGX_ERROR : NGX_DECLINED;

    } else {
        rc = ngx_amt_jwt_claims(pool, text, len, claims);
    }

    cjose_jws_release(jws);

    if (rc != NGX_OK) {
        return rc;
    }

    if (claims->issuer.len != issuer->len
        || ngx_memcmp(claims->issuer.data, issuer->data, issuer->len) != 0)
    {
        return NGX_DECLINED;
    }

    return claims->expires > now ? NGX_OK : NGX_ABORT;
}


/* our header and two more parts of base64url without padding */

static ngx_uint_t
ngx_amt_jwt_form(ngx_str_t *token)
{
    u_char      c;
    size_t      i, dot;
    ngx_uint_t  dots;

    if (token->len > NGX_AMT_JWT_MAX
        || token->len <= ngx_amt_jwt_header.len
        || ngx_memcmp(token->data, ngx_amt_jwt_header.data,
                      ngx_amt_jwt_header.len)
           != 0)
    {
        return 0;
    }

    dots = 0;
    dot = 0;

    for (i = ngx_amt_jwt_header.len; i < token->len; i++) {
        c = token->data[i];

        if (c == '.') {
            dots++;
            dot = i;
            continue;
        }

        if ((c < '0' || c > '9') && ((c | 0x20) < 'a' || (c | 0x20) > 'z')
            && c != '-' && c != '_')
        {
            return 0;
        }
    }

    return dots == 1 && dot > ngx_amt_jwt_header.len
           && token->len - dot - 1 == 43;
}


static ngx_int_t
ngx_amt_jwt_claims(ngx_pool_t *pool, u_char *text, size_t len,
    ngx_amt_jwt_claims_t *claims)
{
    json_t     *object, *exp;
    ngx_int_t   rc;

    ngx_memzero(claims, sizeof(ngx_amt_jwt_claims_t));

    object = json_loadb((char *) text, len, JSON_REJECT_DUPLICATES, NULL);

    if (object == NULL) {
        return NGX_DECLINED;
    }

    rc = NGX_DECLINED;

    exp = json_object_get(object, "exp");

    if (!json_is_object(object) || !json_is_integer(exp)) {
        goto done;
    }

    claims->expires = (int64_t) json_integer_value(exp);

    rc = ngx_amt_jwt_string(pool, object, "tenantId", &claims->tenant);

    if (rc == NGX_OK) {
        rc = ngx_amt_jwt_string(pool, object, "iss", &claims->issuer);
    }

    if (rc == NGX_OK) {
        rc = ngx_amt_jwt_string(pool, object, "deviceId", &claims->device);
    }

    if (rc == NGX_OK) {
        rc = ngx_amt_jwt_string(pool, object, "sub", &claims->subject);
    }

    if (rc == NGX_OK) {
        rc = ngx_amt_jwt_string(pool, object, "cred", &claims->cred);
    }

done:

    json_decref(object);

    return rc;
}


static ngx_int_t
ngx_amt_jwt_string(ngx_pool_t *pool, json_t *object, const char *name,
    ngx_str_t *value)
{
    json_t  *member;

    member = json_object_get(object, name);

    if (!json_is_string(member)) {
        return NGX_DECLINED;
    }

    value->len = json_string_length(member);
    value->data = ngx_pnalloc(pool, value->len + 1);

    if (value->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(value->data, json_string_value(member), value->len);
    value->data[value->len] = '\0';

    return NGX_OK;
}
