
/*
 * amt_users: lines "user:hash[:tenant[:scopes]]" with the hashes of htpasswd
 * and mkpasswd.  Which hashes are taken is decided when the file is read, so
 * that a guess costs at most what bcrypt of cost 14 costs.
 */


#include "auth/ngx_amt_principal.h"
#include <ngx_crypt.h>
#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>


#define NGX_AMT_BCRYPT_COST     14
#define NGX_AMT_SHA_ROUNDS      500000


static ngx_int_t ngx_amt_users_hash(ngx_str_t *hash, ngx_uint_t line,
    ngx_amt_source_error_t *err);
static ngx_uint_t ngx_amt_users_bcrypt(ngx_str_t *hash);
static ngx_uint_t ngx_amt_users_yescrypt(ngx_str_t *hash);
static ngx_uint_t ngx_amt_users_sha(ngx_str_t *hash, size_t len);
static ngx_uint_t ngx_amt_users_apr1(ngx_str_t *hash);
static ngx_uint_t ngx_amt_users_ssha(ngx_str_t *hash);
static ngx_uint_t ngx_amt_users_chars(u_char *p, size_t len);


void *
ngx_amt_users_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_amt_source_error_t *err)
{
    ngx_int_t              rc;
    ngx_str_t              rest, field[4];
    ngx_uint_t             line, fields;
    ngx_array_t           *list;
    ngx_amt_principal_t   *p;
    ngx_amt_principals_t  *users;

    users = ngx_pcalloc(pool, sizeof(ngx_amt_principals_t));
    list = ngx_array_create(pool, 8, sizeof(ngx_amt_principal_t));

    if (users == NULL || list == NULL) {
        return NULL;
    }

    if (RAND_bytes(users->seed, NGX_AMT_DIGEST_LEN) != 1) {
        return ngx_amt_source_refuse(err, "no random bytes");
    }

    rest = *text;
    line = 0;

    for ( ;; ) {

        ngx_str_set(&field[2], "");
        ngx_str_set(&field[3], "");

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

        if (fields < 2) {
            return ngx_amt_source_refuse(err, "line %ui: not "
                                         "user:hash:tenant:scopes", line);
        }

        if (ngx_amt_users_hash(&field[1], line, err) != NGX_OK) {
            return NULL;
        }

        if (list->nelts == NGX_AMT_PRINCIPALS_MAX) {
            return ngx_amt_source_refuse(err, "line %ui: too many users",
                                         line);
        }

        p = ngx_array_push(list);
        if (p == NULL) {
            return NULL;
        }

        if (ngx_amt_principal_fill(pool, p, &field[0], &field[1], &field[2],
                                   &field[3], line, err)
            != NGX_OK)
        {
            return NULL;
        }
    }

    if (ngx_amt_principal_index(pool, users, list, err) != NGX_OK) {
        return NULL;
    }

    return users;
}


ngx_amt_principal_t *
ngx_amt_users_dummy(ngx_amt_principals_t *users, ngx_str_t *name)
{
    u_char      digest[NGX_AMT_DIGEST_LEN];
    uint32_t    n;
    ngx_str_t   seed;

    if (users->n == 0) {
        return NULL;
    }

    seed.data = users->seed;
    seed.len = NGX_AMT_DIGEST_LEN;

    if (ngx_amt_hmac(&seed, name, digest) != NGX_OK) {
        return users->names[0];
    }

    ngx_memcpy(&n, digest, sizeof(n));

    return users->names[n % users->n];
}


ngx_uint_t
ngx_amt_password_verify(u_char *hash, u_char *password, ngx_log_t *log)
{
    char               *result;
    size_t              len;
    u_char             *encrypted;
    ngx_int_t           rc;
    ngx_uint_t          match;
    ngx_pool_t         *pool;
    struct crypt_data  *data;

    len = ngx_strlen(hash);
    match = 0;

    if (ngx_strncmp(hash, "$apr1$", sizeof("$apr1$") - 1) == 0
        || ngx_strncmp(hash, "{SSHA}", sizeof("{SSHA}") - 1) == 0)
    {
        /* not in libcrypt */

        pool = ngx_create_pool(NGX_MIN_POOL_SIZE, log);
        if (pool == NULL) {
            return 0;
        }

        rc = ngx_crypt(pool, password, hash, &encrypted);

        if (rc == NGX_OK && ngx_strlen(encrypted) == len) {
            match = (CRYPTO_memcmp(encrypted, hash, len) == 0);
        }

        ngx_destroy_pool(pool);

        return match;
    }

    data = ngx_calloc(sizeof(struct crypt_data), log);
    if (data == NULL) {
        return 0;
    }

#if (XCRYPT_VERSION_NUM)
    /* fails with NULL; and sanitizers lose crypt_r() of a loaded module */
    result = crypt_rn((char *) password, (char *) hash, data,
                      sizeof(struct crypt_data));
#else
    result = crypt_r((char *) password, (char *) hash, data);
#endif

    if (result != NULL && result[0] != '*' && ngx_strlen(result) == len) {
        match = (CRYPTO_memcmp(result, hash, len) == 0);
    }

    ngx_explicit_memzero(data, sizeof(struct crypt_data));
    ngx_free(data);

    return match;
}


static ngx_int_t
ngx_amt_users_hash(ngx_str_t *hash, ngx_uint_t line,
    ngx_amt_source_error_t *err)
{
    u_char      *p;
    ngx_uint_t   good;

    p = hash->data;
    good = 0;

    if (hash->len > NGX_AMT_HASH_MAX) {
        (void) ngx_amt_source_refuse(err, "line %ui: hash is too long", line);
        return NGX_ERROR;
    }

    if (hash->len > 7 && ngx_strncmp(p, "{PLAIN}", 7) == 0) {
        (void) ngx_amt_source_refuse(err, "line %ui: {PLAIN} is no hash",
                                     line);
        return NGX_ERROR;
    }

    if (hash->len > 6) {

        if (p[0] == '$' && p[1] == '2' && p[3] == '$') {
            good = ngx_amt_users_bcrypt(hash);

        } else if (ngx_strncmp(p, "$y$", 3) == 0) {
            good = ngx_amt_users_yescrypt(hash);

        } else if (ngx_strncmp(p, "$6$", 3) == 0) {
            good = ngx_amt_users_sha(hash, 86);

        } else if (ngx_strncmp(p, "$5$", 3) == 0) {
            good = ngx_amt_users_sha(hash, 43);

        } else if (ngx_strncmp(p, "$apr1$", 6) == 0) {
            good = ngx_amt_users_apr1(hash);

        } else if (ngx_strncmp(p, "{SSHA}", 6) == 0) {
            good = ngx_amt_users_ssha(hash);
        }
    }

    if (!good) {
        (void) ngx_amt_source_refuse(err, "line %ui: hash is none of bcrypt "
                                     "(cost up to %d), yescrypt, sha512-crypt,"
                                     " sha256-crypt, apr1, SSHA; or it costs "
                                     "too much", line, NGX_AMT_BCRYPT_COST);
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* "$2b$12$" and 53 characters; "$2x$" is the broken variant */

static ngx_uint_t
ngx_amt_users_bcrypt(ngx_str_t *hash)
{
    ngx_int_t  cost;

    if (hash->len != 60
        || (hash->data[2] != 'a' && hash->data[2] != 'b'
            && hash->data[2] != 'y')
        || hash->data[6] != '$')
    {
        return 0;
    }

    cost = ngx_atoi(hash->data + 4, 2);

    if (cost < 4 || cost > NGX_AMT_BCRYPT_COST) {
        return 0;
    }

    return ngx_amt_users_chars(hash->data + 7, 53);
}


/*
 * "$y$j9T$salt$hash": flavour j, log2 of N, r.  N up to 2^14 with r = 32 is
 * 64 MB of memory per guess, cost 7 of libxcrypt.
 */

static ngx_uint_t
ngx_amt_users_yescrypt(ngx_str_t *hash)
{
    u_char  *p, *dollar, *last;

    p = hash->data + 3;
    last = hash->data + hash->len;

    if (last - p < 5 || p[0] != 'j'
        || !((p[1] >= '1' && p[1] <= '9') || p[1] == 'A' || p[1] == 'B')
        || (p[2] != 'T' && p[2] != '5')
        || p[3] != '$')
    {
        return 0;
    }

    p += 4;

    dollar = ngx_strlchr(p, last, '$');

    if (dollar == NULL || dollar == p || dollar - p > 86
        || last - dollar - 1 != 43)
    {
        return 0;
    }

    return ngx_amt_users_chars(p, dollar - p)
           && ngx_amt_users_chars(dollar + 1, 43);
}


/* "$6$[rounds=n$]salt$hash" */

static ngx_uint_t
ngx_amt_users_sha(ngx_str_t *hash, size_t len)
{
    u_char     *p, *dollar, *last;
    ngx_int_t   rounds;

    p = hash->data + 3;
    last = hash->data + hash->len;

    dollar = ngx_strlchr(p, last, '$');

    if (dollar == NULL) {
        return 0;
    }

    if (dollar - p > 7 && ngx_strncmp(p, "rounds=", 7) == 0) {

        rounds = ngx_atoi(p + 7, dollar - p - 7);

        if (rounds < 1000 || rounds > NGX_AMT_SHA_ROUNDS) {
            return 0;
        }

        p = dollar + 1;
        dollar = ngx_strlchr(p, last, '$');

        if (dollar == NULL) {
            return 0;
        }
    }

    if (dollar == p || dollar - p > 16 || (size_t) (last - dollar - 1) != len)
    {
        return 0;
    }

    return ngx_amt_users_chars(p, dollar - p)
           && ngx_amt_users_chars(dollar + 1, len);
}


/* "$apr1$salt$hash" */

static ngx_uint_t
ngx_amt_users_apr1(ngx_str_t *hash)
{
    u_char  *p, *dollar, *last;

    p = hash->data + 6;
    last = hash->data + hash->len;

    dollar = ngx_strlchr(p, last, '$');

    if (dollar == NULL || dollar == p || dollar - p > 8
        || last - dollar - 1 != 22)
    {
        return 0;
    }

    return ngx_amt_users_chars(p, dollar - p)
           && ngx_amt_users_chars(dollar + 1, 22);
}


/* "{SSHA}" and base64 of 20 bytes of SHA-1 and at least 4 of salt */

static ngx_uint_t
ngx_amt_users_ssha(ngx_str_t *hash)
{
    u_char     buf[NGX_AMT_HASH_MAX];
    ngx_str_t  src, dst;

    src.data = hash->data + 6;
    src.len = hash->len - 6;
    dst.data = buf;

    /* nginx compares the text again: it must be what nginx would encode */

    if (src.len % 4 || ngx_base64_decoded_length(src.len) > sizeof(buf)
        || ngx_decode_base64(&dst, &src) != NGX_OK)
    {
        return 0;
    }

    return dst.len >= 20 + 4 && dst.len <= 20 + 32;
}


static ngx_uint_t
ngx_amt_users_chars(u_char *p, size_t len)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < len; i++) {
        c = p[i];

        if ((c < '0' || c > '9') && ((c | 0x20) < 'a' || (c | 0x20) > 'z')
            && c != '.' && c != '/')
        {
            return 0;
        }
    }

    return 1;
}
