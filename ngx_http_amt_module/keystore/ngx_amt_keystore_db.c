
/*
 * The keystore in SQLite: secrets have numbered versions, each encrypted on
 * its own.  secure_delete is on for all connections: what is deleted is
 * overwritten, and the write-ahead log holds ciphertext only.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/crypto.h>
#include "keystore/ngx_amt_keystore_db.h"


#define NGX_AMT_KEYSTORE_ROWS  100               /* rewritten at a time */


enum {
    NGX_AMT_KEYSTORE_SQL_READ = 0,
    NGX_AMT_KEYSTORE_SQL_VERSION,
    NGX_AMT_KEYSTORE_SQL_LIST,
    NGX_AMT_KEYSTORE_SQL_HEALTH,
    NGX_AMT_KEYSTORE_SQL_CURRENT,
    NGX_AMT_KEYSTORE_SQL_SECRET,
    NGX_AMT_KEYSTORE_SQL_VALUE,
    NGX_AMT_KEYSTORE_SQL_EXPIRE,
    NGX_AMT_KEYSTORE_SQL_DELETE_VALUES,
    NGX_AMT_KEYSTORE_SQL_DELETE,
    NGX_AMT_KEYSTORE_SQL_OLD,
    NGX_AMT_KEYSTORE_SQL_REWRITE,
    NGX_AMT_KEYSTORE_SQL_KEYS
};


static ngx_int_t ngx_amt_keystore_read(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_keystore_op_t *op);
static ngx_int_t ngx_amt_keystore_decrypt(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_keystore_op_t *op, sqlite3_stmt *stmt,
    int first, ngx_str_t *path, uint64_t version, ngx_str_t *plain);
static ngx_int_t ngx_amt_keystore_list(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_keystore_op_t *op);
static ngx_int_t ngx_amt_keystore_write(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_keystore_op_t *op);
static ngx_int_t ngx_amt_keystore_current(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_keystore_op_t *op, uint64_t *version);
static ngx_int_t ngx_amt_keystore_delete(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_keystore_op_t *op);
static ngx_int_t ngx_amt_keystore_rewrite(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_keystore_op_t *op);
static ngx_int_t ngx_amt_keystore_rewrite_row(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_keystore_op_t *op, sqlite3_stmt *stmt);
static ngx_int_t ngx_amt_keystore_step(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, sqlite3_stmt *stmt, const char *what);
static sqlite3_stmt *ngx_amt_keystore_stmt(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_uint_t n);
static ngx_int_t ngx_amt_keystore_internal(ngx_amt_sqlite_task_t *t,
    const char *text);


static const char *const  ngx_amt_keystore_migrations[] = {

    "CREATE TABLE secrets ("
    "    path TEXT NOT NULL PRIMARY KEY,"
    "    current INTEGER NOT NULL,"
    "    updated INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TABLE secret_values ("
    "    path TEXT NOT NULL,"
    "    version INTEGER NOT NULL,"
    "    created INTEGER NOT NULL,"
    "    keyid BLOB NOT NULL,"
    "    sealed BLOB NOT NULL,"
    "    PRIMARY KEY (path, version)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE INDEX secret_values_key ON secret_values (keyid, path, version);"
};


static const char *const  ngx_amt_keystore_statements[] = {

    "SELECT s.current, v.created, v.keyid, v.sealed FROM secrets s"
    " LEFT JOIN secret_values v ON v.path = s.path AND v.version = s.current"
    " WHERE s.path = ?1",

    "SELECT version, created, keyid, sealed FROM secret_values"
    " WHERE path = ?1 AND version = ?2",

    "SELECT path FROM secrets WHERE path > ?1 AND path < ?2 ORDER BY path",

    "SELECT path FROM secrets LIMIT 1",

    "SELECT current FROM secrets WHERE path = ?1",

    "INSERT INTO secrets (path, current, updated) VALUES (?1, ?2, ?3)"
    " ON CONFLICT (path) DO UPDATE SET current = ?2, updated = ?3",

    "INSERT INTO secret_values (path, version, created, keyid, sealed)"
    " VALUES (?1, ?2, ?3, ?4, ?5)",

    "DELETE FROM secret_values WHERE path = ?1 AND version <= ?2",

    "DELETE FROM secret_values WHERE path = ?1",

    "DELETE FROM secrets WHERE path = ?1",

    "SELECT path, version, keyid, sealed FROM secret_values"
    " WHERE keyid = ?1 AND (path, version) > (?2, ?3)"
    " ORDER BY path, version LIMIT ?4",

    "UPDATE secret_values SET keyid = ?3, sealed = ?4"
    " WHERE path = ?1 AND version = ?2",

    /* from one key to the next, over the index */

    "WITH RECURSIVE k (id) AS (SELECT (SELECT min(keyid) FROM secret_values)"
    " UNION ALL SELECT (SELECT min(v.keyid) FROM secret_values v"
    " WHERE v.keyid > k.id) FROM k WHERE k.id IS NOT NULL)"
    " SELECT id FROM k WHERE id IS NOT NULL"
};


const ngx_amt_sqlite_schema_t  ngx_amt_keystore_schema = {
    "keystore",
    0x414d544b,                                  /* "AMTK" */
    ngx_amt_keystore_migrations,
    sizeof(ngx_amt_keystore_migrations) / sizeof(char *),
    ngx_amt_keystore_statements,
    sizeof(ngx_amt_keystore_statements) / sizeof(char *)
};


ngx_int_t
ngx_amt_keystore_run(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c)
{
    ngx_amt_keystore_op_t *op = t->data;

    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    switch (op->type) {

    case NGX_AMT_KEYSTORE_READ:
        return ngx_amt_keystore_read(t, c, op);

    case NGX_AMT_KEYSTORE_LIST:
        return ngx_amt_keystore_list(t, c, op);

    case NGX_AMT_KEYSTORE_WRITE:
        return ngx_amt_keystore_write(t, c, op);

    case NGX_AMT_KEYSTORE_DELETE:
        return ngx_amt_keystore_delete(t, c, op);

    case NGX_AMT_KEYSTORE_REWRITE:
        return ngx_amt_keystore_rewrite(t, c, op);

    default: /* NGX_AMT_KEYSTORE_HEALTH */

        stmt = ngx_amt_keystore_stmt(t, c, NGX_AMT_KEYSTORE_SQL_HEALTH);
        if (stmt == NULL) {
            return NGX_ERROR;
        }

        rc = ngx_amt_keystore_step(t, c, stmt, "health");

        ngx_amt_sqlite_reset(stmt);

        return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
    }
}


static ngx_int_t
ngx_amt_keystore_read(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_keystore_op_t *op)
{
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    stmt = ngx_amt_keystore_stmt(t, c, op->version
                                       ? NGX_AMT_KEYSTORE_SQL_VERSION
                                       : NGX_AMT_KEYSTORE_SQL_READ);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_amt_sqlite_bind(stmt, 1, &op->path);

    if (op->version) {
        (void) sqlite3_bind_int64(stmt, 2, (int64_t) op->version);
    }

    rc = ngx_amt_keystore_step(t, c, stmt, "read");

    if (rc == NGX_OK) {
        op->version = (uint64_t) sqlite3_column_int64(stmt, 0);
        op->created = sqlite3_column_int64(stmt, 1);

        rc = ngx_amt_keystore_decrypt(t, c, op, stmt, 2, &op->path,
                                      op->version, &op->plain);
    }

    ngx_amt_sqlite_reset(stmt);

    return rc;
}


/* Columns first and first + 1 of the statement's row: key id and value. */

static ngx_int_t
ngx_amt_keystore_decrypt(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_keystore_op_t *op, sqlite3_stmt *stmt, int first,
    ngx_str_t *path, uint64_t version, ngx_str_t *plain)
{
    size_t         len;
    ngx_int_t      rc;
    ngx_str_t      sealed;
    const u_char  *id;

    id = sqlite3_column_blob(stmt, first);
    sealed.data = (u_char *) sqlite3_column_blob(stmt, first + 1);
    sealed.len = sqlite3_column_bytes(stmt, first + 1);

    if (id == NULL
        || sealed.data == NULL
        || sqlite3_column_bytes(stmt, first) != NGX_AMT_KEYSTORE_ID
        || sealed.len < NGX_AMT_KEYSTORE_OVERHEAD)
    {
        rc = NGX_ERROR;
        goto failed;
    }

    len = sealed.len - NGX_AMT_KEYSTORE_OVERHEAD;

    plain->data = ngx_pnalloc(op->pool, len ? len : 1);
    if (plain->data == NULL) {
        return ngx_amt_keystore_internal(t, "out of memory");
    }

    rc = ngx_amt_keystore_open(op->ring, id, path, version, &sealed,
                               plain->data);
    if (rc == NGX_OK) {
        plain->len = len;
        return NGX_OK;
    }

    ngx_str_null(plain);

failed:

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "keystore \"%V\": \"%V\" version %uL is encrypted with "
                      "key %*xs, which is not in the key file: put it there",
                      &c->conf->path, path, version,
                      (size_t) NGX_AMT_KEYSTORE_ID, id);
        t->text = "the key of the value is not in the key file";

    } else {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "keystore \"%V\": \"%V\" version %uL is not what was "
                      "written: the file was changed or is damaged, restore "
                      "a backup",
                      &c->conf->path, path, version);
        t->text = "the value is damaged";
    }

    t->code = NGX_AMT_ERR_VAULT;

    return NGX_ERROR;
}


/* The names directly below op->path; those with more below end in "/". */

static ngx_int_t
ngx_amt_keystore_list(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_keystore_op_t *op)
{
    size_t         size;
    u_char        *p, *last;
    ngx_int_t      rc;
    ngx_str_t      name, end, *s, *prev;
    sqlite3_stmt  *stmt;

    if (ngx_array_init(&op->names, op->pool, 16, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return ngx_amt_keystore_internal(t, "out of memory");
    }

    /* all names with the prefix sort before the prefix with "0" for "/" */

    end.len = op->path.len;
    end.data = ngx_pnalloc(op->pool, end.len);

    if (end.data == NULL) {
        return ngx_amt_keystore_internal(t, "out of memory");
    }

    ngx_memcpy(end.data, op->path.data, end.len);
    end.data[end.len - 1] = '/' + 1;

    stmt = ngx_amt_keystore_stmt(t, c, NGX_AMT_KEYSTORE_SQL_LIST);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_amt_sqlite_bind(stmt, 1, &op->path);
    (void) ngx_amt_sqlite_bind(stmt, 2, &end);

    size = 0;
    prev = NULL;

    for ( ;; ) {
        rc = ngx_amt_keystore_step(t, c, stmt, "list");

        if (rc != NGX_OK) {
            break;
        }

        name.data = (u_char *) sqlite3_column_text(stmt, 0);
        name.len = sqlite3_column_bytes(stmt, 0);

        if (name.data == NULL || name.len <= op->path.len) {
            continue;
        }

        name.data += op->path.len;
        name.len -= op->path.len;

        last = name.data + name.len;
        p = ngx_strlchr(name.data, last, '/');

        if (p) {
            name.len = p + 1 - name.data;
        }

        if (prev
            && prev->len == name.len
            && ngx_memcmp(prev->data, name.data, name.len) == 0)
        {
            continue;
        }

        size += sizeof(ngx_str_t) + name.len;

        if (size > NGX_AMT_KEYSTORE_MAX_LIST / 2) {
            rc = ngx_amt_keystore_internal(t, "too many names to list");
            break;
        }

        s = ngx_array_push(&op->names);

        if (s == NULL) {
            rc = ngx_amt_keystore_internal(t, "out of memory");
            break;
        }

        s->len = name.len;
        s->data = ngx_pstrdup(op->pool, &name);

        if (s->data == NULL) {
            rc = ngx_amt_keystore_internal(t, "out of memory");
            break;
        }

        prev = s;
    }

    ngx_amt_sqlite_reset(stmt);

    if (rc == NGX_DECLINED && op->names.nelts) {
        rc = NGX_OK;
    }

    return rc;
}


static ngx_int_t
ngx_amt_keystore_write(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_keystore_op_t *op)
{
    u_char        *sealed;
    size_t         size;
    uint64_t       version;
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    if (ngx_amt_keystore_current(t, c, op, &version) != NGX_OK) {
        return NGX_ERROR;
    }

    if (op->use_cas && op->cas != version) {
        t->code = NGX_AMT_ERR_CONFLICT;
        t->text = "check-and-set parameter did not match the current version";
        return NGX_ERROR;
    }

    op->version = version + 1;

    size = op->plain.len + NGX_AMT_KEYSTORE_OVERHEAD;

    sealed = ngx_pnalloc(op->pool, size);
    if (sealed == NULL) {
        return ngx_amt_keystore_internal(t, "out of memory");
    }

    if (ngx_amt_keystore_seal(op->ring, &op->path, op->version, &op->plain,
                              sealed)
        != NGX_OK)
    {
        return ngx_amt_keystore_internal(t, "encryption failed");
    }

    stmt = ngx_amt_keystore_stmt(t, c, NGX_AMT_KEYSTORE_SQL_VALUE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_amt_sqlite_bind(stmt, 1, &op->path);
    (void) sqlite3_bind_int64(stmt, 2, (int64_t) op->version);
    (void) sqlite3_bind_int64(stmt, 3, op->created);
    (void) sqlite3_bind_blob(stmt, 4, op->ring->keys[0].id,
                             NGX_AMT_KEYSTORE_ID, SQLITE_STATIC);

    if (sqlite3_bind_blob64(stmt, 5, sealed, size, SQLITE_STATIC)
        != SQLITE_OK)
    {
        ngx_amt_sqlite_reset(stmt);
        return ngx_amt_keystore_internal(t, "the value is too large");
    }

    rc = ngx_amt_keystore_step(t, c, stmt, "write");

    ngx_amt_sqlite_reset(stmt);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    stmt = ngx_amt_keystore_stmt(t, c, NGX_AMT_KEYSTORE_SQL_SECRET);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_amt_sqlite_bind(stmt, 1, &op->path);
    (void) sqlite3_bind_int64(stmt, 2, (int64_t) op->version);
    (void) sqlite3_bind_int64(stmt, 3, op->created);

    rc = ngx_amt_keystore_step(t, c, stmt, "write");

    ngx_amt_sqlite_reset(stmt);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (op->version <= op->max_versions) {
        return NGX_OK;
    }

    stmt = ngx_amt_keystore_stmt(t, c, NGX_AMT_KEYSTORE_SQL_EXPIRE);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_amt_sqlite_bind(stmt, 1, &op->path);
    (void) sqlite3_bind_int64(stmt, 2,
                              (int64_t) (op->version - op->max_versions));

    rc = ngx_amt_keystore_step(t, c, stmt, "write");

    ngx_amt_sqlite_reset(stmt);

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_amt_keystore_current(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_keystore_op_t *op, uint64_t *version)
{
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    *version = 0;

    stmt = ngx_amt_keystore_stmt(t, c, NGX_AMT_KEYSTORE_SQL_CURRENT);
    if (stmt == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_amt_sqlite_bind(stmt, 1, &op->path);

    rc = ngx_amt_keystore_step(t, c, stmt, "write");

    if (rc == NGX_OK) {
        *version = (uint64_t) sqlite3_column_int64(stmt, 0);
    }

    ngx_amt_sqlite_reset(stmt);

    return (rc == NGX_ERROR) ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_amt_keystore_delete(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_keystore_op_t *op)
{
    ngx_int_t      rc;
    ngx_uint_t     n;
    sqlite3_stmt  *stmt;

    for (n = NGX_AMT_KEYSTORE_SQL_DELETE_VALUES;
         n <= NGX_AMT_KEYSTORE_SQL_DELETE;
         n++)
    {
        stmt = ngx_amt_keystore_stmt(t, c, n);
        if (stmt == NULL) {
            return NGX_ERROR;
        }

        (void) ngx_amt_sqlite_bind(stmt, 1, &op->path);

        rc = ngx_amt_keystore_step(t, c, stmt, "delete");

        ngx_amt_sqlite_reset(stmt);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/*
 * Encrypts some values of the older key number op->key again with the first.
 * op->more: call again.  A value that cannot be read stays as it is.
 */

static ngx_int_t
ngx_amt_keystore_rewrite(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_keystore_op_t *op)
{
    ngx_int_t      rc;
    ngx_uint_t     n;
    sqlite3_stmt  *stmt;

    op->more = 0;

    if (op->key >= op->ring->n) {
        return NGX_OK;
    }

    for (n = 0; n < NGX_AMT_KEYSTORE_ROWS; n++) {

        stmt = ngx_amt_keystore_stmt(t, c, NGX_AMT_KEYSTORE_SQL_OLD);
        if (stmt == NULL) {
            return NGX_ERROR;
        }

        (void) sqlite3_bind_blob(stmt, 1, op->ring->keys[op->key].id,
                                 NGX_AMT_KEYSTORE_ID, SQLITE_STATIC);
        (void) ngx_amt_sqlite_bind(stmt, 2, &op->after_path);
        (void) sqlite3_bind_int64(stmt, 3, (int64_t) op->after_version);
        (void) sqlite3_bind_int(stmt, 4, 1);

        rc = ngx_amt_keystore_step(t, c, stmt, "rewrite");

        if (rc == NGX_OK) {
            rc = ngx_amt_keystore_rewrite_row(t, c, op, stmt);
        }

        ngx_amt_sqlite_reset(stmt);

        if (rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        if (rc == NGX_DECLINED) {

            /* no more of this key */

            op->key++;
            ngx_str_set(&op->after_path, "");
            op->after_version = 0;

            if (op->key >= op->ring->n) {
                return NGX_OK;
            }
        }
    }

    op->more = 1;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_keystore_rewrite_row(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_keystore_op_t *op, sqlite3_stmt *stmt)
{
    u_char        *sealed;
    size_t         size;
    uint64_t       version;
    ngx_int_t      rc;
    ngx_str_t      path, plain;
    sqlite3_stmt  *update;

    version = (uint64_t) sqlite3_column_int64(stmt, 1);

    if (ngx_amt_sqlite_text(stmt, 0, op->pool, &path) != NGX_OK) {
        return ngx_amt_keystore_internal(t, "out of memory");
    }

    rc = ngx_amt_keystore_decrypt(t, c, op, stmt, 2, &path, version, &plain);

    if (rc != NGX_OK && t->code != NGX_AMT_ERR_VAULT) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {
        t->code = NGX_AMT_ERR_NONE;
        t->text = NULL;
        op->unreadable++;
        goto next;
    }

    size = plain.len + NGX_AMT_KEYSTORE_OVERHEAD;

    sealed = ngx_pnalloc(op->pool, size);

    rc = NGX_ERROR;

    if (sealed) {
        rc = ngx_amt_keystore_seal(op->ring, &path, version, &plain, sealed);
    }

    OPENSSL_cleanse(plain.data, plain.len);

    if (rc != NGX_OK) {
        return ngx_amt_keystore_internal(t, "encryption failed");
    }

    update = ngx_amt_keystore_stmt(t, c, NGX_AMT_KEYSTORE_SQL_REWRITE);
    if (update == NULL) {
        return NGX_ERROR;
    }

    (void) ngx_amt_sqlite_bind(update, 1, &path);
    (void) sqlite3_bind_int64(update, 2, (int64_t) version);
    (void) sqlite3_bind_blob(update, 3, op->ring->keys[0].id,
                             NGX_AMT_KEYSTORE_ID, SQLITE_STATIC);
    (void) sqlite3_bind_blob64(update, 4, sealed, size, SQLITE_STATIC);

    rc = ngx_amt_keystore_step(t, c, update, "rewrite");

    ngx_amt_sqlite_reset(update);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    op->rewritten++;

next:

    op->after_path = path;
    op->after_version = version;

    return NGX_OK;
}


ngx_int_t
ngx_amt_keystore_keys(const ngx_amt_sqlite_conf_t *conf,
    const ngx_amt_keystore_ring_t *ring, ngx_log_t *log)
{
    ngx_int_t              rc;
    sqlite3_stmt          *stmt;
    const u_char          *id;
    ngx_amt_sqlite_t       c;
    ngx_amt_sqlite_task_t  t;

    ngx_memzero(&t, sizeof(ngx_amt_sqlite_task_t));

    ngx_amt_sqlite_init(&c, conf, 0, log);

    rc = ngx_amt_sqlite_ready(&c, &t);
    if (rc != NGX_OK) {
        goto done;
    }

    stmt = ngx_amt_keystore_stmt(&t, &c, NGX_AMT_KEYSTORE_SQL_KEYS);
    if (stmt == NULL) {
        rc = NGX_ERROR;
        goto done;
    }

    for ( ;; ) {
        rc = ngx_amt_keystore_step(&t, &c, stmt, "keys");

        if (rc == NGX_DECLINED) {
            rc = NGX_OK;
            break;
        }

        if (rc == NGX_ERROR) {
            break;
        }

        id = sqlite3_column_blob(stmt, 0);

        if (id == NULL
            || sqlite3_column_bytes(stmt, 0) != NGX_AMT_KEYSTORE_ID)
        {
            ngx_log_error(NGX_LOG_EMERG, log, 0,
                          "keystore \"%V\" is damaged: restore a backup",
                          &conf->path);
            rc = NGX_ERROR;
            break;
        }

        if (ngx_amt_keystore_key(ring, id) == NULL) {
            ngx_log_error(NGX_LOG_EMERG, log, 0,
                          "keystore \"%V\" holds values of key %*xs, which "
                          "is not in the key file: put it there, after the "
                          "first key", &conf->path,
                          (size_t) NGX_AMT_KEYSTORE_ID, id);
            rc = NGX_ERROR;
            break;
        }
    }

done:

    ngx_amt_sqlite_close(&c);

    return rc;
}


/* NGX_OK: there is a row; NGX_DECLINED: there is none. */

static ngx_int_t
ngx_amt_keystore_step(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    sqlite3_stmt *stmt, const char *what)
{
    int  rc;

    rc = sqlite3_step(stmt);

    switch (rc) {

    case SQLITE_ROW:
        return NGX_OK;

    case SQLITE_DONE:
        return NGX_DECLINED;

    default:
        return ngx_amt_sqlite_error(c, t, rc, what);
    }
}


static sqlite3_stmt *
ngx_amt_keystore_stmt(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_uint_t n)
{
    sqlite3_stmt  *stmt;

    stmt = ngx_amt_sqlite_stmt(c, n);

    if (stmt == NULL) {
        (void) ngx_amt_sqlite_error(c, t, sqlite3_extended_errcode(c->db),
                                    "preparing");
    }

    return stmt;
}


static ngx_int_t
ngx_amt_keystore_internal(ngx_amt_sqlite_task_t *t, const char *text)
{
    t->code = NGX_AMT_ERR_INTERNAL;
    t->text = text;

    return NGX_ERROR;
}
