
/* amt_api_keys, amt_users, scopes, tenants, and files that are re-read. */


#include "auth/ngx_amt_principal.h"
#include "tap.h"
#include <sys/stat.h>


static ngx_log_t               log_;
static ngx_open_file_t         log_file;
static ngx_pool_t             *pool;
static ngx_amt_source_error_t  err;

#define ALPHA  \
    "677509799af78b2efa2f2af71d0f906e0a0c50c048efd3b515625f788e92b99a"
#define BETA   \
    "7a3d637bc601f7000cc2c33141c8c8a7554e02e319fa8b293a0c88c613b77620"

#define SHA512  "$6$saltsalt$cc1KsgmlKYtCcnNH8.sv7Fe8mca8fAso5fHlNrb1VZa5WYQ" \
    ".L3ChTcx06ID.LoaXZAf9CZNraK43XCp7LxKHl1"
#define BCRYPT  "$2y$04$ip18M7ZyFVbr/nQtE3LkNem0p8uWHKL79xHK/K/gY7Y.QfkpkN3Fe"


static ngx_str_t
str(const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = strlen(text);

    return s;
}


static ngx_amt_principals_t *
keys(const char *text)
{
    ngx_str_t  s = str(text);

    err.len = 0;

    return ngx_amt_keys_parse(pool, &s, &err);
}


static ngx_amt_principals_t *
users(const char *text)
{
    ngx_str_t  s = str(text);

    err.len = 0;

    return ngx_amt_users_parse(pool, &s, &err);
}


static ngx_amt_principal_t *
find_key(ngx_amt_principals_t *table, const char *key)
{
    ngx_str_t  s = str(key);

    return ngx_amt_keys_find(table, &s);
}


static ngx_amt_principal_t *
find(ngx_amt_principals_t *table, const char *name)
{
    ngx_str_t  s = str(name);

    return ngx_amt_principal_find(table, &s);
}


static void
refused(void *table, const char *what, const char *why)
{
    err.text[ngx_min(err.len, sizeof(err.text) - 1)] = '\0';

    ok(table == NULL && err.len && strstr((char *) err.text, why),
       "%s is refused: %s", what, why);
}


static void
test_keys(void)
{
    ngx_uint_t             i, n;
    char                  *text, *p;
    ngx_amt_principal_t   *a, *b;
    ngx_amt_principals_t  *t;

    t = keys("# comment\n\r\n\nops:" ALPHA ":acme:read,power\r\n"
             "Root:" BETA ":*:all");

    ok(t && t->n == 2, "two keys");

    a = find_key(t, "alpha-key");
    b = find_key(t, "beta-key");

    ok(a && a->scopes == (NGX_AMT_SCOPE_READ|NGX_AMT_SCOPE_POWER)
       && a->tenant.len == 4 && !a->any_tenant && a->name.len == 3,
       "first key");
    ok(b && b->scopes == NGX_AMT_SCOPE_ALL && b->any_tenant
       && b->tenant.len == 0, "second key, any tenant");
    ok(find_key(t, "alpha-kez") == NULL, "wrong key");
    ok(find_key(t, "") == NULL, "empty key");
    ok(find_key(t, ALPHA) == NULL, "the digest itself is no key");
    ok(find(t, "ROOT") == b && find(t, "ops") == a, "names ignore case");
    ok(find(t, "op") == NULL && find(t, "opss") == NULL
       && find(t, "zzz") == NULL && find(t, "") == NULL, "unknown names");

    t = keys("");
    ok(t && t->n == 0 && find_key(t, "alpha-key") == NULL
       && find(t, "x") == NULL, "an empty file lets nobody in");

    t = keys("x:" ALPHA "::");
    ok(t && find_key(t, "alpha-key")->scopes == 0, "no scopes: no scope");

    refused(keys("x:" ALPHA ":"), "three fields", "line 1");
    refused(keys("x:" ALPHA "::all:"), "five fields", "more than 4");
    refused(keys("\n\nx:1234::all"), "a short digest", "line 3");
    refused(keys("x:" ALPHA "0::all"), "a long digest", "64");
    refused(keys(":" ALPHA "::all"), "an empty name", "name");
    refused(keys("a b:" ALPHA "::all"), "a space in a name", "name");
    refused(keys("a\tb:" ALPHA "::all"), "a tab", "control");
    refused(keys("x:" ALPHA "::read,"), "a trailing comma", "scope");
    refused(keys("x:" ALPHA "::Read"), "an unknown scope", "scope");
    refused(keys("x:" ALPHA "::,"), "a comma", "scope");
    refused(keys("x:" ALPHA ":a*:all"), "a star in a tenant", "tenant");
    refused(keys("x:" ALPHA ":a b:all"), "a space in a tenant", "tenant");
    refused(keys("x:" ALPHA ":1234567890123456789012345678901234567:all"),
            "a long tenant", "tenant");
    refused(keys("x:" ALPHA "::all\nX:" BETA "::all"), "a name twice",
            "twice");
    refused(keys("x:" ALPHA "::all\ny:" ALPHA "::all"), "a key twice",
            "same key");

    /* many keys: all found, none else */

    n = 500;
    text = malloc(n * 100);
    p = text;

    for (i = 0; i < n; i++) {
        p += sprintf(p, "k%u:%060u%04u:t%u:read\n", (unsigned) i, 7u,
                     (unsigned) i, (unsigned) i);
    }

    p += sprintf(p, "real:" ALPHA "::all\n");

    t = keys(text);
    ok(t && t->n == n + 1, "%u keys", (unsigned) n + 1);
    ok(find_key(t, "alpha-key") && find_key(t, "alpha-key")->name.len == 4
       && !find_key(t, "beta-key"), "one of many keys");

    for (i = 0, p = (char *) 1; i < n && p; i++) {
        char  name[16];

        sprintf(name, "K%u", (unsigned) i);
        a = find(t, name);
        p = (a && a->name.len == strlen(name)) ? (char *) 1 : NULL;
    }

    ok(p != NULL, "all names are found");
    free(text);
}


static void
match(const char *what, const char *hash)
{
    char  line[512];

    sprintf(line, "u:%s::read", hash);

    ok(users(line) != NULL, "%s is taken", what);
    ok(ngx_amt_password_verify((u_char *) hash, (u_char *) "pass word",
                               &log_)
       && !ngx_amt_password_verify((u_char *) hash, (u_char *) "pass worD",
                                   &log_)
       && !ngx_amt_password_verify((u_char *) hash, (u_char *) "", &log_),
       "%s: right and wrong password", what);
}


static void
test_users(void)
{
    ngx_str_t              name;
    ngx_amt_principal_t   *p;
    ngx_amt_principals_t  *t;

    match("bcrypt", BCRYPT);
    match("sha512-crypt", SHA512);
    match("sha512-crypt with rounds", "$6$rounds=1000$saltsalt$nrkbTG/TULo0b"
          "Jv7dJR0HxGm.iGVxIXV8bUeHRggjctOWeNYyrq6B6CWaV8zLK/K8.e4xVoDwEJXHPm"
          "iHieC8.");
    match("sha256-crypt", "$5$saltsalt$9Wp9Qw4Ze8Jxq5F1Z3UnS47KFhc8AqhCRyxFD"
          "a8e660");
    match("apr1", "$apr1$saltsalt$qYpLAVWkBvXFyDme7.oc1/");
    match("SSHA", "{SSHA}aXs9/t23eDYtAAx2mGCGS+v9xnxhYmNkZWZnaA==");
    match("yescrypt", "$y$j75$saltsaltsaltsalt$bP4ROZNNOONkXQZR4jnIZg1/XgckZ"
          "kMJiQlFtpVp3W9");

    t = users("alice:" SHA512 "\nBob:" BCRYPT ":acme:all");
    ok(t && t->n == 2, "a htpasswd line, and one with all fields");
    p = find(t, "ALICE");
    ok(p && p->scopes == 0 && p->tenant.len == 0, "no scopes: no scope");
    p = find(t, "bob");
    ok(p && p->scopes == NGX_AMT_SCOPE_ALL && p->tenant.len == 4,
       "scopes and tenant");

    name = str("nobody");
    p = ngx_amt_users_dummy(t, &name);
    ok(p && p == ngx_amt_users_dummy(t, &name),
       "an unknown user is always compared with the same hash");
    ok(ngx_amt_users_dummy(users(""), &name) == NULL, "no users, no hash");

    refused(users("u"), "a name alone", "user:hash");
    refused(users("u:"), "an empty hash", "hash");
    refused(users("u:{PLAIN}secret"), "{PLAIN}", "{PLAIN}");
    refused(users("u:{SHA}7S+VwuVT5kCD3ULnVqjuMqTOlqM="), "{SHA}", "hash");
    refused(users("u:secret"), "a plain password", "hash");
    refused(users("u:rqXexS6ZhobKA"), "DES", "hash");
    refused(users("u:$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/"), "md5-crypt",
            "hash");
    refused(users("u:$2y$15$ip18M7ZyFVbr/nQtE3LkNem0p8uWHKL79xHK/K/gY7Y.QfkpkN"
                  "3Fe"), "bcrypt of cost 15", "costs");
    refused(users("u:$2x$10$ip18M7ZyFVbr/nQtE3LkNem0p8uWHKL79xHK/K/gY7Y.QfkpkN"
                  "3Fe"), "the broken bcrypt", "hash");
    refused(users("u:$2y$1a$ip18M7ZyFVbr/nQtE3LkNem0p8uWHKL79xHK/K/gY7Y.QfkpkN"
                  "3Fe"), "bcrypt of cost 1a", "hash");
    refused(users("u:$y$jFT$saltsaltsaltsalt$ccpV/TyRVJWylBeWlbSupT7b3AdwSk0J"
                  "ngnbkK.z.D4"), "yescrypt of 1 GB", "costs");
    refused(users("u:$6$rounds=999999999$saltsalt$nrkbTG/TULo0bJv7dJR0HxGm.iGV"
                  "xIXV8bUeHRggjctOWeNYyrq6B6CWaV8zLK/K8.e4xVoDwEJXHPmiHieC8."),
            "sha512-crypt of 10^9 rounds", "costs");
    refused(users("u:" SHA512 "x"), "a hash that is too long", "hash");
    refused(users("u:{SSHA}aXs9/t23eDYt"), "a cut SSHA", "hash");
    refused(users("u:{SSHA}"), "an empty SSHA", "hash");
    refused(users("u:$apr1$$qYpLAVWkBvXFyDme7.oc1/"), "apr1 without salt",
            "hash");
    refused(users("u:$6$"), "a cut sha512-crypt", "hash");
    refused(users("u:$y$j9T"), "a cut yescrypt", "hash");
    refused(users("u:" SHA512 "\nU:" SHA512), "a user twice", "twice");
}


static void
test_scopes(void)
{
    ngx_str_t           s;
    ngx_uint_t          bits;
    ngx_amt_identity_t  id;

    s = str("read,power,devices,configure,redirection,force,secrets,"
            "provision,record");
    ok(ngx_amt_scope_parse(&s, &bits) == NGX_OK
       && bits == NGX_AMT_SCOPE_ALL, "all scopes by name");

    ngx_memzero(&id, sizeof(id));
    ok(ngx_amt_auth_allow(&id, NGX_AMT_SCOPE_READ) == NGX_DECLINED,
       "no scope, nothing allowed");
    id.scopes = NGX_AMT_SCOPE_ALL;
    ok(ngx_amt_auth_allow(&id, 0) == NGX_DECLINED,
       "a route that forgot its scope is closed");
    id.scopes = NGX_AMT_SCOPE_READ;
    ok(ngx_amt_auth_allow(&id, NGX_AMT_SCOPE_READ) == NGX_OK
       && ngx_amt_auth_allow(&id, NGX_AMT_SCOPE_POWER) == NGX_DECLINED
       && ngx_amt_auth_allow(&id, NGX_AMT_SCOPE_READ|NGX_AMT_SCOPE_POWER)
          == NGX_DECLINED, "all asked scopes are needed");
}


static void
put(const char *path, const char *text, mode_t mode)
{
    FILE  *f;

    f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    chmod(path, mode);
}


/* The clock goes on a second: the next use looks at the file again */

static void
tick(ngx_amt_source_t *src)
{
    src->checked = 0;
    ngx_time_update();
}


static void
test_source(void)
{
    char                   dir[] = "/tmp/amt-unit-XXXXXX", path[64];
    ngx_pool_t            *conf;
    ngx_amt_source_t       src;
    ngx_amt_principals_t  *t;

    ok(mkdtemp(dir) != NULL, "directory");
    sprintf(path, "%s/keys", dir);

    conf = ngx_create_pool(4096, &log_);
    ngx_memzero(&src, sizeof(src));
    src.path = str(path);
    src.parse = ngx_amt_keys_parse;
    src.max = 1000;
    src.forbidden = 0002;

    ok(ngx_amt_source_init(&src, conf, &log_, &err) == NGX_ERROR
       && err.len, "no file");

    put(path, "x:" ALPHA "::all", 0602);
    ok(ngx_amt_source_init(&src, conf, &log_, &err) == NGX_ERROR
       && err.len, "others may write");

    put(path, "x:" ALPHA "::all", 0600);
    ok(ngx_amt_source_init(&src, conf, &log_, &err) == NGX_OK, "read");

    t = ngx_amt_source_table(&src);
    ok(find_key(t, "alpha-key") && !find_key(t, "beta-key"), "one key");

    put(path, "x:" BETA "::all", 0600);
    tick(&src);
    t = ngx_amt_source_table(&src);
    ok(!find_key(t, "alpha-key") && find_key(t, "beta-key"),
       "changed within the same second, same size: read again");

    put(path, "x:" ALPHA ":", 0600);
    tick(&src);
    t = ngx_amt_source_table(&src);
    ok(find_key(t, "beta-key") != NULL, "a bad file changes nothing");

    unlink(path);
    tick(&src);
    t = ngx_amt_source_table(&src);
    ok(find_key(t, "beta-key") != NULL, "a missing file changes nothing");

    mkfifo(path, 0600);
    tick(&src);
    t = ngx_amt_source_table(&src);
    ok(find_key(t, "beta-key") != NULL, "a FIFO neither blocks nor changes");
    unlink(path);

    put(path, "x:" ALPHA "::all\ny:" BETA "::all\n", 0600);
    tick(&src);
    t = ngx_amt_source_table(&src);
    ok(t->n == 2 && find_key(t, "alpha-key"), "the file is back");

    put(path, "", 0600);
    tick(&src);
    t = ngx_amt_source_table(&src);
    ok(t->n == 0 && !find_key(t, "alpha-key"), "an emptied file closes");

    ngx_destroy_pool(conf);
    ok(src.table == NULL, "freed with the configuration");

    unlink(path);
    rmdir(dir);
}


int
main(void)
{
    static ngx_cycle_t  cycle;

    ngx_use_stderr = 0;
    ngx_time_init();

    log_file.fd = open("/dev/null", O_WRONLY);
    log_.file = &log_file;
    log_.log_level = NGX_LOG_INFO;
    cycle.log = &log_;
    ngx_cycle = &cycle;

    pool = ngx_create_pool(16384, &log_);

    test_keys();
    test_users();
    test_scopes();
    test_source();

    ngx_destroy_pool(pool);

    return done();
}
