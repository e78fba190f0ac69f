
/*
 * The keystore without nginx's event loop: key files, cipher, table, key
 * rotation, paths and JSON.
 */


#include "store_env.h"
#include <ngx_http.h>
#include <openssl/rand.h>
#include "keystore/ngx_amt_keystore_http.h"


#define HEX1  "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define B641  "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define HEX2  "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1F"
#define HEX3  "ee0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"


static ngx_amt_sqlite_conf_t    conf;
static ngx_amt_sqlite_t         reader, writer;
static ngx_amt_keystore_ring_t  ring;


static ngx_str_t
str(const char *s)
{
    ngx_str_t  r;

    r.data = (u_char *) s;
    r.len = strlen(s);

    return r;
}


static const char *
parse(ngx_amt_keystore_ring_t *r, const char *text)
{
    return ngx_amt_keystore_parse(r, (const u_char *) text, strlen(text));
}


static void
test_keys(void)
{
    int                      i;
    char                     many[17 * 66], *p;
    u_char                   raw[33];
    ngx_amt_keystore_ring_t  a, b;

    ok(parse(&a, HEX1) == NULL && a.n == 1, "hex");
    ok(parse(&b, "# made today\n\n  " B641 " \r\n") == NULL && b.n == 1
       && memcmp(&a.keys[0], &b.keys[0], sizeof(a.keys[0])) == 0,
       "the same in base64");

    for (i = 0; i < 32; i++) {
        raw[i] = i;
    }

    ok(ngx_amt_keystore_parse(&b, raw, 32) == NULL
       && memcmp(&a.keys[0], &b.keys[0], sizeof(a.keys[0])) == 0,
       "the same as bytes");
    ok(parse(&b, HEX2 "\n" HEX1 "\n") == NULL && b.n == 2
       && memcmp(&a.keys[0], &b.keys[1], sizeof(a.keys[0])) == 0
       && memcmp(a.keys[0].id, b.keys[0].id, 8) != 0, "two keys");
    ok(memcmp(a.keys[0].id, a.keys[0].key, 8) != 0, "the id is not the key");

    ok(parse(&b, "") != NULL, "empty file");
    ok(parse(&b, "# nothing\n\n") != NULL, "no key");
    ok(parse(&b, HEX1 "\n" HEX1 "\n") != NULL, "a key twice");
    ok(parse(&b, HEX1 "\nxyz\n") != NULL && b.n == 0, "a bad line");
    ok(parse(&b, HEX1 "0\n") != NULL, "65 digits");
    ok(parse(&b, "0001\n") != NULL, "2 bytes");
    ok(parse(&b, "0x02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e"
             "1f1f1f\n") != NULL, "no hex");
    ok(parse(&b, "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8fHw==") != NULL,
       "34 bytes of base64");
    ok(parse(&b, "00000000000000000000000000000000000000000000000000000000000"
             "00000\n") != NULL, "all zero");
    ok(parse(&b, "000102030405060708090a0b0c0d0e0f") != NULL,
       "16 bytes of hex are no 32 bytes");
    ok(parse(&b, "000102030405060708090a0b0c0d0e\r\n") != NULL,
       "nor with an end of line");
    ok(ngx_amt_keystore_parse(&b, raw, 31) != NULL, "31 bytes");
    ok(ngx_amt_keystore_parse(&b, raw, 33) != NULL, "33 bytes");

    for (p = many, i = 0; i < 17; i++) {
        p += sprintf(p, "%02x%s\n", i + 1, HEX1 + 2);
    }

    ok(parse(&b, many) != NULL, "17 keys");
}


static void
test_cipher(void)
{
    size_t                   i;
    u_char                   sealed[128], again[128], out[128], flip[128];
    ngx_int_t                bad;
    ngx_str_t                path, other, plain, s;
    ngx_amt_keystore_ring_t  r1, r2;

    parse(&r1, HEX1);
    parse(&r2, HEX2 "\n" HEX1 "\n");

    path = str("secret/devices/a");
    other = str("secret/devices/b");
    plain = str("{\"AMT_PASSWORD\":\"P@ssw0rd\"}");

    ok(ngx_amt_keystore_seal(&r1, &path, 3, &plain, sealed) == NGX_OK,
       "seal");
    s.data = sealed;
    s.len = plain.len + NGX_AMT_KEYSTORE_OVERHEAD;

    ok(memmem(sealed, s.len, "P@ssw0rd", 8) == NULL, "not to be read");
    ok(ngx_amt_keystore_seal(&r1, &path, 3, &plain, again) == NGX_OK
       && memcmp(sealed, again, 12) != 0
       && memcmp(sealed + 12, again + 12, plain.len) != 0,
       "never the same twice");

    ok(ngx_amt_keystore_open(&r1, r1.keys[0].id, &path, 3, &s, out) == NGX_OK
       && memcmp(out, plain.data, plain.len) == 0, "open");
    ok(ngx_amt_keystore_open(&r2, r1.keys[0].id, &path, 3, &s, out) == NGX_OK
       && memcmp(out, plain.data, plain.len) == 0, "open with an older key");

    ok(ngx_amt_keystore_open(&r1, r1.keys[0].id, &other, 3, &s, out)
       == NGX_ERROR, "at another path");
    ok(memmem(out, sizeof(out), "P@ssw0rd", 8) == NULL, "nothing comes out");
    ok(ngx_amt_keystore_open(&r1, r1.keys[0].id, &path, 2, &s, out)
       == NGX_ERROR, "as another version");
    ok(ngx_amt_keystore_open(&r2, r2.keys[0].id, &path, 3, &s, out)
       == NGX_ERROR, "with another key");
    ok(ngx_amt_keystore_open(&r1, r2.keys[0].id, &path, 3, &s, out)
       == NGX_DECLINED, "with a key that is not there");

    for (bad = 0, i = 0; i < s.len * 8; i++) {
        memcpy(flip, sealed, s.len);
        flip[i / 8] ^= 1 << (i % 8);
        s.data = flip;
        bad += ngx_amt_keystore_open(&r1, r1.keys[0].id, &path, 3, &s, out)
               != NGX_ERROR;
    }

    ok(bad == 0, "every changed bit is seen");

    s.data = sealed;
    bad = 0;

    for (i = 0; i < plain.len + NGX_AMT_KEYSTORE_OVERHEAD; i++) {
        s.len = i;
        bad += ngx_amt_keystore_open(&r1, r1.keys[0].id, &path, 3, &s, out)
               != NGX_ERROR;
    }

    ok(bad == 0, "every cut is seen");

    plain.len = 0;
    ok(ngx_amt_keystore_seal(&r1, &path, 1, &plain, sealed) == NGX_OK,
       "nothing can be sealed");
    s.len = NGX_AMT_KEYSTORE_OVERHEAD;
    ok(ngx_amt_keystore_open(&r1, r1.keys[0].id, &path, 1, &s, out)
       == NGX_OK, "and opened");
}


static ngx_amt_keystore_op_t *
op_new(ngx_amt_keystore_op_e type, const char *path)
{
    ngx_pool_t             *pool;
    ngx_amt_keystore_op_t  *op;

    pool = ngx_create_pool(2048, &env_log);
    op = ngx_pcalloc(pool, sizeof(ngx_amt_keystore_op_t));

    op->pool = pool;
    op->type = type;
    op->ring = &ring;
    op->max_versions = 3;
    op->path = str(path);
    op->created = 1795299844123;
    op->task.run = ngx_amt_keystore_run;
    op->task.data = op;
    op->task.full = 1;

    return op;
}


static ngx_int_t
run(ngx_amt_keystore_op_t *op)
{
    ngx_queue_t  q;

    if (op->type < NGX_AMT_KEYSTORE_WRITE) {
        ngx_amt_sqlite_read(&reader, &op->task);

    } else {
        ngx_queue_init(&q);
        ngx_queue_insert_tail(&q, &op->task.queue);
        ngx_amt_sqlite_write(&writer, &q);
    }

    return op->task.rc;
}


/* Status of the answer; what it has in body is compared by has() */

static char  body[4096];


static int
answer(ngx_amt_keystore_op_t *op)
{
    ngx_str_t   s;
    ngx_uint_t  status;

    run(op);
    ngx_str_null(&s);
    status = 0;

    if (ngx_amt_keystore_answer(op, &status, &s) != NGX_OK) {
        status = 999;
    }

    snprintf(body, sizeof(body), "%.*s", (int) s.len, s.data ? s.data
                                                             : (u_char *) "");
    ngx_destroy_pool(op->pool);

    return (int) status;
}


static int
has(const char *text)
{
    if (strstr(body, text)) {
        return 1;
    }

    printf("# body: %s\n", body);

    return 0;
}


static int
put(const char *path, const char *json)
{
    const char             *err;
    ngx_amt_keystore_op_t  *op;

    op = op_new(NGX_AMT_KEYSTORE_WRITE, path);
    err = ngx_amt_keystore_body(op, (const u_char *) json, strlen(json));

    if (err) {
        snprintf(body, sizeof(body), "%s", err);
        ngx_destroy_pool(op->pool);
        return 400;
    }

    return answer(op);
}


static int
get(const char *path, uint64_t version)
{
    ngx_amt_keystore_op_t  *op;

    op = op_new(NGX_AMT_KEYSTORE_READ, path);
    op->version = version;

    return answer(op);
}


static int
list(const char *path)
{
    return answer(op_new(NGX_AMT_KEYSTORE_LIST, path));
}


static void
test_table(void)
{
    int  i;

    ok(get("secret/devices/a", 0) == 404 && strcmp(body, "{\"errors\":[]}")
       == 0, "none yet");
    ok(put("secret/devices/a", "{\"data\":{\"AMT_PASSWORD\":\"one\"}}") == 200
       && has("\"data\":{\"created_time\":\"2026-11-21T22:24:04.123Z\"")
       && has("\"version\":1}"), "write");
    ok(get("secret/devices/a", 0) == 200
       && has("\"data\":{\"data\":{\"AMT_PASSWORD\":\"one\"},\"metadata\":{")
       && has("\"version\":1}}"), "read");
    ok(put("secret/devices/a", "{\"options\":{\"cas\":0},\"data\":{}}") == 400
       && has("{\"errors\":[\"check-and-set parameter did not match the "
              "current version\"]}"), "exists already");
    ok(put("secret/devices/a", "{\"options\":{\"cas\":2},\"data\":{}}")
       == 400, "another version");
    ok(put("secret/devices/a",
           "{\"options\":{\"cas\":1},\"data\":{\"AMT_PASSWORD\":\"two\"}}")
       == 200 && has("\"version\":2}"), "the right version");
    ok(put("secret/devices/b", "{\"options\":{\"cas\":0},\"data\":{\"k\":1}}")
       == 200, "must not exist, does not");
    ok(get("secret/devices/a", 1) == 200 && has("one"), "older version");
    ok(get("secret/devices/a", 0) == 200 && has("two"), "current version");
    ok(get("secret/devices/a", 7) == 404, "version to come");

    for (i = 0; i < 4; i++) {
        put("secret/devices/a", "{\"data\":{\"AMT_PASSWORD\":\"more\"}}");
    }

    ok(get("secret/devices/a", 3) == 404 && get("secret/devices/a", 4) == 200
       && env_sql(&conf, "SELECT count(*) FROM secret_values"
                         " WHERE path = 'secret/devices/a'") == 3,
       "three versions are kept");

    ok(put("secret/MPSCerts", "{\"data\":{\"k\":\"\\u00e9\\n\"}}") == 200
       && get("secret/MPSCerts", 0) == 200 && has("\"\xc3\xa9\\n\""),
       "text as it was");
    put("secret/devices-x", "{\"data\":{}}");
    put("secret/devices/c/d", "{\"data\":{}}");
    put("secret/devices/c/e", "{\"data\":{}}");
    put("other/devices/z", "{\"data\":{}}");

    ok(list("secret/") == 200
       && has("{\"keys\":[\"MPSCerts\",\"devices-x\",\"devices/\"]}"),
       "list of a mount");
    ok(list("secret/devices/") == 200
       && has("{\"keys\":[\"a\",\"b\",\"c/\"]}"), "list of a folder");
    ok(list("secret/devices/c/") == 200 && has("[\"d\",\"e\"]"), "deeper");
    ok(list("secret/none/") == 404 && strcmp(body, "{\"errors\":[]}") == 0,
       "list of nothing");

    ok(answer(op_new(NGX_AMT_KEYSTORE_DELETE, "secret/devices/a")) == 204
       && body[0] == '\0', "delete");
    ok(get("secret/devices/a", 0) == 404 && get("secret/devices/a", 5) == 404,
       "all versions are gone");
    ok(answer(op_new(NGX_AMT_KEYSTORE_DELETE, "secret/devices/a")) == 204,
       "delete again");
    ok(put("secret/devices/a", "{\"options\":{\"cas\":0},\"data\":{}}") == 200
       && has("\"version\":1}"), "starts with 1 again");
    ok(answer(op_new(NGX_AMT_KEYSTORE_HEALTH, "")) == 200
       && has("\"initialized\":true,\"sealed\":false"), "health");

    ok(put("secret/x", "{\"data\":[]}") == 400, "not an object");
    ok(put("secret/x", "{\"data\"") == 400, "not JSON");
    ok(put("secret/x", "[]") == 400, "an array");
    ok(put("secret/x", "{}") == 400, "no data");
    ok(put("secret/x", "{\"data\":{\"a\":1,\"a\":2}}") == 400, "a key twice");
    ok(put("secret/x", "{\"options\":{\"cas\":\"0\"},\"data\":{}}") == 400,
       "cas is no number");
    ok(put("secret/x", "{\"options\":{\"cas\":-1},\"data\":{}}") == 400,
       "cas is negative");
    ok(get("secret/x", 0) == 404, "nothing of it was written");
}


static int
in_file(const char *path, const char *text)
{
    int     fd, found;
    char   *buf;
    off_t   size;

    fd = open(path, O_RDONLY);
    if (fd == -1) {
        return 0;
    }

    size = lseek(fd, 0, SEEK_END);
    buf = calloc(1, size + 1);
    found = pread(fd, buf, size, 0) == size
            && memmem(buf, size, text, strlen(text)) != NULL;
    free(buf);
    close(fd);

    return found;
}


static void
test_file(void)
{
    char  wal[128];

    snprintf(wal, sizeof(wal), "%s-wal", conf.path.data);

    put("secret/plain", "{\"data\":{\"k\":\"find-me-if-you-can\"}}");
    ok(!in_file((char *) conf.path.data, "find-me-if-you-can")
       && !in_file(wal, "find-me-if-you-can"), "no secret is in the files");
    ok(in_file(wal, "secret/plain"), "(and the files were looked at)");

    put("secret/p1", "{\"data\":{\"k\":\"one\"}}");
    put("secret/p2", "{\"data\":{\"k\":\"two\"}}");

    env_sql(&conf, "UPDATE secret_values SET sealed = (SELECT sealed FROM"
                   " secret_values WHERE path = 'secret/p2')"
                   " WHERE path = 'secret/p1'");
    env_logged("");
    ok(get("secret/p1", 0) == 500 && has("damaged") && !strstr(body, "two"),
       "a value of another path");
    ok(env_logged("is not what was written"), "logged");
    ok(get("secret/p2", 0) == 200, "the others are good");

    env_sql(&conf, "UPDATE secret_values SET sealed = x'00'"
                   " WHERE path = 'secret/p1'");
    ok(get("secret/p1", 0) == 500, "a short value");
    env_sql(&conf, "DELETE FROM secret_values WHERE path = 'secret/p1'");
    ok(get("secret/p1", 0) == 500, "a lost value is not \"none\"");
    env_sql(&conf, "UPDATE secret_values SET keyid = x'0011223344556677'"
                   " WHERE path = 'secret/p2'");
    ok(get("secret/p2", 0) == 500 && has("not in the key file"),
       "a key that is not there");
    ok(env_logged("0011223344556677"), "logged with its id");
    ok(ngx_amt_keystore_keys(&conf, &ring, &env_log) == NGX_ERROR
       && env_logged("holds values of key 0011223344556677"),
       "refused at start");
    env_sql(&conf, "DELETE FROM secret_values WHERE path LIKE 'secret/p%';"
                   "DELETE FROM secrets WHERE path LIKE 'secret/p%'");
    ok(ngx_amt_keystore_keys(&conf, &ring, &env_log) == NGX_OK,
       "good again");
}


/* All values with an older key, by calls of the rewriter; 0: with errors */

static int
rewrite(int kill_after)
{
    int                     i, rc;
    ngx_amt_keystore_op_t  *op, *next;

    op = op_new(NGX_AMT_KEYSTORE_REWRITE, "");
    op->key = 1;
    ngx_str_set(&op->after_path, "");

    for (i = 0; /* void */ ; i++) {

        if (i == kill_after) {
            kill(getpid(), SIGKILL);
        }

        if (run(op) != NGX_OK || !op->more) {
            break;
        }

        next = op_new(NGX_AMT_KEYSTORE_REWRITE, "");
        next->key = op->key;
        next->after_version = op->after_version;
        next->after_path.len = op->after_path.len;
        next->after_path.data = ngx_pstrdup(next->pool, &op->after_path);
        next->rewritten = op->rewritten;
        next->unreadable = op->unreadable;
        ngx_destroy_pool(op->pool);
        op = next;
    }

    rc = (op->task.rc == NGX_OK && op->unreadable == 0)
         ? (int) op->rewritten : -1;
    ngx_destroy_pool(op->pool);

    return rc;
}


static void
test_rotation(void)
{
    int    i, n;
    char   path[64], json[64];
    long   old;
    pid_t  pid;

    for (i = 0; i < 350; i++) {
        snprintf(path, sizeof(path), "rot/%d", i);
        snprintf(json, sizeof(json), "{\"data\":{\"n\":%d}}", i);
        put(path, json);
    }

    n = (int) env_sql(&conf, "SELECT count(*) FROM secret_values");

    parse(&ring, HEX3 "\n" HEX2 "\n" HEX1 "\n");
    ok(get("rot/17", 0) == 200 && has("{\"n\":17}"),
       "older keys read after rotation");
    put("rot/new", "{\"data\":{}}");
    ok(env_sql(&conf, "SELECT count(DISTINCT keyid) FROM secret_values") == 2,
       "the new key writes");

    ngx_amt_sqlite_close(&reader);
    ngx_amt_sqlite_close(&writer);

    pid = fork();
    if (pid == 0) {
        rewrite(2);
        _exit(0);
    }

    ok(env_wait(pid) == 1000 + SIGKILL, "killed while it rewrites");
    old = env_sql(&conf, "SELECT count(*) FROM secret_values GROUP BY keyid"
                         " ORDER BY count(*) DESC LIMIT 1");
    ok(old < n && old > 1, "some are done");

    for (i = 0; i < 350; i++) {
        snprintf(path, sizeof(path), "rot/%d", i);
        snprintf(json, sizeof(json), "{\"n\":%d}", i);
        if (get(path, 0) != 200 || !has(json)) {
            break;
        }
    }

    ok(i == 350, "all can be read");
    ok(rewrite(-1) == n - 200, "the rest follows");
    ok(rewrite(-1) == 0, "then there is no more");
    ok(env_sql(&conf, "SELECT count(DISTINCT keyid) FROM secret_values") == 1,
       "all have the new key");

    parse(&ring, HEX3 "\n");

    for (i = 0; i < 350; i++) {
        snprintf(path, sizeof(path), "rot/%d", i);
        snprintf(json, sizeof(json), "{\"n\":%d}", i);
        if (get(path, 0) != 200 || !has(json)) {
            break;
        }
    }

    ok(i == 350, "and can be read without the older keys");

    /* one that cannot be read is left as it is, the others are done */

    env_sql(&conf, "UPDATE secret_values SET sealed = zeroblob(40)"
                   " WHERE path = 'rot/5'");
    parse(&ring, HEX1 "\n" HEX3 "\n");
    ok(rewrite(-1) == -1, "a damaged value is counted");
    ok(env_sql(&conf, "SELECT count(*) FROM secret_values GROUP BY keyid"
                      " ORDER BY count(*) LIMIT 1") == 1,
       "and does not stop the others");
}


static int
split(const char *uri, int folder, ngx_amt_keystore_kind_e kind,
    const char *path)
{
    int                       rc;
    ngx_str_t                 u, p;
    ngx_pool_t               *pool;
    ngx_amt_keystore_kind_e   k;

    pool = ngx_create_pool(1024, &env_log);
    u = str(uri);
    ngx_str_null(&p);
    k = NGX_AMT_KEYSTORE_NONE;

    if (ngx_amt_keystore_split(pool, &u, folder, &k, &p) != NGX_OK) {
        rc = (kind == NGX_AMT_KEYSTORE_NONE);

    } else {
        rc = k == kind && p.len == strlen(path)
             && (p.len == 0 || memcmp(p.data, path, p.len) == 0);
    }

    ngx_destroy_pool(pool);

    return rc;
}


static void
test_paths(void)
{
    int           i;
    char          path[600];
    const char  **p;
    const char   *bad[] = { "", "/", "secret", "secret/", "secret/data",
                            "secret/data/", "/data/x", "secret/data/x/",
                            "secret/data//x", "secret/data/.",
                            "secret/data/a/../b", "secret/data/..",
                            "secret/data/./x", "secret/data/a b",
                            "secret/data/a\"b", "secret/data/a\\b",
                            "secret/data/a\nb", "secret/data/\x7f",
                            "secret/data/\xc3\xa9", "secret/other/x",
                            "secret/DATA/x", "sys/seal", NULL };

    for (p = bad; *p; p++) {
        ok(split(*p, 0, NGX_AMT_KEYSTORE_NONE, ""), "refused: %s",
           strchr(*p, '\n') ? "line feed" : *p);
    }

    ok(split("sys/health", 0, NGX_AMT_KEYSTORE_SYS_HEALTH, ""), "health");
    ok(split("secret/data/devices/a", 0, NGX_AMT_KEYSTORE_DATA,
             "secret/devices/a"), "data");
    ok(split("secret/metadata/devices/a", 0, NGX_AMT_KEYSTORE_METADATA,
             "secret/devices/a"), "metadata");
    ok(split("secret/data/...", 0, NGX_AMT_KEYSTORE_DATA, "secret/..."),
       "three dots are a name");
    ok(split("kv/metadata/", 1, NGX_AMT_KEYSTORE_METADATA, "kv/"), "root");
    ok(split("kv/metadata", 1, NGX_AMT_KEYSTORE_METADATA, "kv/"), "root");
    ok(split("kv/metadata/d", 1, NGX_AMT_KEYSTORE_METADATA, "kv/d/"),
       "folder");
    ok(split("kv/metadata/d/", 1, NGX_AMT_KEYSTORE_METADATA, "kv/d/"),
       "folder with slash");
    ok(split("kv/metadata/d//", 1, NGX_AMT_KEYSTORE_NONE, ""),
       "folder with two");

    i = sprintf(path, "secret/data/");
    memset(path + i, 'a', 580);
    path[580] = '\0';
    ok(split(path, 0, NGX_AMT_KEYSTORE_NONE, ""), "too long");
}


int
main(void)
{
    env_init();
    env_conf(&conf, "keystore.db", &ngx_amt_keystore_schema);

    test_keys();
    test_cipher();
    test_paths();

    parse(&ring, HEX2 "\n");
    ok(ngx_amt_sqlite_prepare(&conf, &env_log) == NGX_OK, "prepare");
    ok(ngx_amt_keystore_keys(&conf, &ring, &env_log) == NGX_OK, "no keys yet");

    ngx_amt_sqlite_init(&reader, &conf, 0, &env_log);
    ngx_amt_sqlite_init(&writer, &conf, 1, &env_log);

    test_table();
    test_file();
    test_rotation();

    ngx_amt_sqlite_close(&reader);
    ngx_amt_sqlite_close(&writer);
    env_conf_free(&conf);
    env_done();

    return done();
}
