
/*
 * amt_api_keys: lines "name:sha256-hex:tenant:scopes".
 */


#include "auth/ngx_amt_principal.h"
#include "auth/ngx_amt_hash.h"
#include <openssl/crypto.h>
#include <openssl/rand.h>


static ngx_int_t ngx_amt_keys_digest(ngx_str_t *hex, u_char *digest);
static ngx_int_t ngx_amt_keys_tag(ngx_amt_principals_t *keys, u_char *digest,
    u_char *tag);
static int ngx_libc_cdecl ngx_amt_keys_compare(const void *one,
    const void *two);


void *
ngx_amt_keys_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_amt_source_error_t *err)
{
    u_char                 digest[NGX_AMT_DIGEST_LEN];
    ngx_int_t              rc;
    ngx_str_t              rest, secret, field[4];
    ngx_uint_t             i, line, fields;
    ngx_array_t           *list;
    ngx_amt_principal_t   *p;
    ngx_amt_principals_t  *keys;

    keys = ngx_pcalloc(pool, sizeof(ngx_amt_principals_t));
    list = ngx_array_create(pool, 8, sizeof(ngx_amt_principal_t));

    if (keys == NULL || list == NULL) {
        return NULL;
    }

    if (RAND_bytes(keys->seed, NGX_AMT_DIGEST_LEN) != 1) {
        return ngx_amt_source_refuse(err, "no random bytes");
    }

    rest = *text;
    line = 0;

    for ( ;; ) {

        rc = ngx_amt_principal_line(&rest, &line, field, 4, &fields, err);

        if (rc == NGX_DONE) {
            break;
        }

        if (rc == NGX_DECLINED) {
            continue;
        }

        if (rc != NGX_OK) {
            return NULL;
        }

        if (fields != 4) {
            return ngx_amt_source_refuse(err, "line %ui: not "
                                         "name:sha256:tenant:scopes", line);
        }

        if (ngx_amt_keys_digest(&field[1], digest) != NGX_OK) {
            return ngx_amt_source_refuse(err, "line %ui: not 64 hexadecimal "
                                         "digits", line);
        }

        if (list->nelts == NGX_AMT_PRINCIPALS_MAX) {
            return ngx_amt_source_refuse(err, "line %ui: too many keys",
                                         line);
        }

        p = ngx_array_push(list);
        if (p == NULL) {
            return NULL;
        }

        secret.data = digest;
        secret.len = NGX_AMT_DIGEST_LEN;

        if (ngx_amt_principal_fill(pool, p, &field[0], &secret, &field[2],
                                   &field[3], line, err)
            != NGX_OK)
        {
            return NULL;
        }

        if (ngx_amt_keys_tag(keys, digest, p->tag) != NGX_OK) {
            return NULL;
        }
    }

    if (ngx_amt_principal_index(pool, keys, list, err) != NGX_OK) {
        return NULL;
    }

    keys->tags = ngx_palloc(pool, (keys->n + 1)
                                  * sizeof(ngx_amt_principal_t *));
    if (keys->tags == NULL) {
        return NULL;
    }

    ngx_memcpy(keys->tags, keys->names,
               keys->n * sizeof(ngx_amt_principal_t *));

    ngx_qsort(keys->tags, keys->n, sizeof(ngx_amt_principal_t *),
              ngx_amt_keys_compare);

    for (i = 1; i < keys->n; i++) {
        if (ngx_amt_keys_compare(&keys->tags[i - 1], &keys->tags[i]) == 0) {
            return ngx_amt_source_refuse(err, "\"%V\" and \"%V\" have the "
                                         "same key", &keys->tags[i - 1]->name,
                                         &keys->tags[i]->name);
        }
    }

    return keys;
}


ngx_amt_principal_t *
ngx_amt_keys_find(ngx_amt_principals_t *keys, ngx_str_t *key)
{
    int                  rc;
    u_char               tag[NGX_AMT_DIGEST_LEN];
    u_char               digest[NGX_AMT_DIGEST_LEN];
    ngx_uint_t           low, high, mid;
    ngx_amt_principal_t  *p;

    if (key->len == 0 || key->len > NGX_AMT_KEY_MAX) {
        return NULL;
    }

    if (ngx_amt_sha256(key->data, key->len, digest) != NGX_OK
        || ngx_amt_keys_tag(keys, digest, tag) != NGX_OK)
    {
        return NULL;
    }

    for (low = 0, high = keys->n; low < high; /* void */) {

        mid = low + (high - low) / 2;
        p = keys->tags[mid];
        rc = ngx_memcmp(tag, p->tag, NGX_AMT_DIGEST_LEN);

        if (rc == 0) {
            return (CRYPTO_memcmp(digest, p->secret.data, NGX_AMT_DIGEST_LEN)
                    == 0) ? p : NULL;
        }

        if (rc < 0) {
            high = mid;

        } else {
            low = mid + 1;
        }
    }

    return NULL;
}


static ngx_int_t
ngx_amt_keys_digest(ngx_str_t *hex, u_char *digest)
{
    size_t     i;
    ngx_int_t  n;

    if (hex->len != 2 * NGX_AMT_DIGEST_LEN) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_AMT_DIGEST_LEN; i++) {
        n = ngx_hextoi(hex->data + 2 * i, 2);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        digest[i] = (u_char) n;
    }

    return NGX_OK;
}


/*
 * What the keys are searched by: nobody outside can choose how much of it is
 * equal.  Both parts have one length, so that the plain hash of them is a
 * keyed one.
 */

static ngx_int_t
ngx_amt_keys_tag(ngx_amt_principals_t *keys, u_char *digest, u_char *tag)
{
    u_char  text[2 * NGX_AMT_DIGEST_LEN];

    ngx_memcpy(text, keys->seed, NGX_AMT_DIGEST_LEN);
    ngx_memcpy(text + NGX_AMT_DIGEST_LEN, digest, NGX_AMT_DIGEST_LEN);

    return ngx_amt_sha256(text, sizeof(text), tag);
}


static int ngx_libc_cdecl
ngx_amt_keys_compare(const void *one, const void *two)
{
    ngx_amt_principal_t *const  *first = one;
    ngx_amt_principal_t *const  *second = two;

    return ngx_memcmp((*first)->tag, (*second)->tag, NGX_AMT_DIGEST_LEN);
}
