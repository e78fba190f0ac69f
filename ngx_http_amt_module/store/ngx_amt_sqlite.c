
/*
 * SQLite connections: open and close, statements, single reads, batches of
 * writes.  See ngx_amt_sqlite.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <sys/file.h>
#include "store/ngx_amt_sqlite.h"


#define NGX_AMT_SQLITE_READ_TIME   5000          /* ms a query may take */
#define NGX_AMT_SQLITE_STEPS       20000         /* between looks at a clock */
#define NGX_AMT_SQLITE_CHECK       1000          /* ms between file checks */
#define NGX_AMT_SQLITE_MAX_LENGTH  (4 * 1024 * 1024)
#define NGX_AMT_SQLITE_WAL_LIMIT   (64 * 1024 * 1024)
#define NGX_AMT_SQLITE_WAL_PAGES   1000          /* between checkpoints */
#define NGX_AMT_SQLITE_WAL_LONG    16384
#define NGX_AMT_SQLITE_WAL_WAIT    100           /* ms for readers to end */


static ngx_int_t ngx_amt_sqlite_open(ngx_amt_sqlite_t *c,
    ngx_amt_sqlite_task_t *t);
static ngx_int_t ngx_amt_sqlite_verify(ngx_amt_sqlite_t *c,
    ngx_amt_sqlite_task_t *t);
static ngx_int_t ngx_amt_sqlite_begin(ngx_amt_sqlite_t *c,
    ngx_amt_sqlite_task_t *t, ngx_uint_t full);
static void ngx_amt_sqlite_settle(ngx_amt_sqlite_t *c);
static int ngx_amt_sqlite_busy(void *data, int n);
static int ngx_amt_sqlite_progress(void *data);
static int ngx_amt_sqlite_wal(void *data, sqlite3 *db, const char *name,
    int pages);


void
ngx_amt_sqlite_init(ngx_amt_sqlite_t *c, const ngx_amt_sqlite_conf_t *conf,
    ngx_uint_t writer, ngx_log_t *log)
{
    ngx_memzero(c, sizeof(ngx_amt_sqlite_t));

    c->conf = conf;
    c->log = log;
    c->writer = writer ? 1 : 0;
    c->lock_fd = NGX_INVALID_FILE;
    c->wal_due = NGX_AMT_SQLITE_WAL_PAGES;
}


void
ngx_amt_sqlite_close(ngx_amt_sqlite_t *c)
{
    ngx_uint_t  i;

    if (c->stmts) {
        for (i = 0; i < c->conf->schema->nstatements; i++) {
            (void) sqlite3_finalize(c->stmts[i]);
        }

        ngx_free(c->stmts);
        c->stmts = NULL;
    }

    if (c->db) {
        (void) sqlite3_close_v2(c->db);
        c->db = NULL;
    }

    ngx_amt_sqlite_unlock(c);

    if (c->lock_fd != NGX_INVALID_FILE) {
        (void) ngx_close_file(c->lock_fd);
        c->lock_fd = NGX_INVALID_FILE;
    }

    c->broken = 0;
    c->full = 0;
    c->wal_pages = 0;
    c->wal_due = NGX_AMT_SQLITE_WAL_PAGES;
}


void
ngx_amt_sqlite_reads(ngx_amt_sqlite_t *c, ngx_queue_t *tasks)
{
    ngx_queue_t            *q;
    ngx_amt_sqlite_task_t  *t;

    /* one transaction takes SQLite's locks once; an error ends it */

    q = ngx_queue_head(tasks);

    if (c->db && q != ngx_queue_last(tasks)) {
        (void) sqlite3_exec(c->db, "BEGIN", NULL, NULL, NULL);
    }

    for ( /* void */ ; q != ngx_queue_sentinel(tasks); q = ngx_queue_next(q)) {
        t = ngx_queue_data(q, ngx_amt_sqlite_task_t, queue);

        ngx_amt_sqlite_read(c, t);
    }

    if (c->db && !sqlite3_get_autocommit(c->db)) {
        (void) sqlite3_exec(c->db, "COMMIT", NULL, NULL, NULL);
    }
}


void
ngx_amt_sqlite_read(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t)
{
    t->code = NGX_AMT_ERR_NONE;
    t->text = NULL;

    if (ngx_amt_sqlite_ready(c, t) != NGX_OK) {
        t->rc = NGX_ERROR;
        return;
    }

    c->deadline = ngx_amt_sqlite_now() + NGX_AMT_SQLITE_READ_TIME;

    t->rc = t->run(t, c);

    c->deadline = 0;

    ngx_amt_sqlite_settle(c);
}


void
ngx_amt_sqlite_write(ngx_amt_sqlite_t *c, ngx_queue_t *tasks)
{
    ngx_uint_t              full;
    ngx_queue_t            *q;
    ngx_amt_sqlite_task_t   batch, *t;

    ngx_memzero(&batch, sizeof(ngx_amt_sqlite_task_t));

    full = 0;

    for (q = ngx_queue_head(tasks);
         q != ngx_queue_sentinel(tasks);
         q = ngx_queue_next(q))
    {
        t = ngx_queue_data(q, ngx_amt_sqlite_task_t, queue);

        t->rc = NGX_ERROR;
        t->code = NGX_AMT_ERR_NONE;
        t->text = NULL;

        full |= t->full;
    }

    if (ngx_amt_sqlite_ready(c, &batch) != NGX_OK
        || ngx_amt_sqlite_begin(c, &batch, full) != NGX_OK)
    {
        goto failed;
    }

    for (q = ngx_queue_head(tasks);
         q != ngx_queue_sentinel(tasks);
         q = ngx_queue_next(q))
    {
        t = ngx_queue_data(q, ngx_amt_sqlite_task_t, queue);

        if (ngx_amt_sqlite_exec(c, &batch, "SAVEPOINT task") != NGX_OK) {
            goto failed;
        }

        t->rc = t->run(t, c);

        /* a full disk or an I/O error has rolled back the transaction */

        if (sqlite3_get_autocommit(c->db)) {
            batch.code = t->code;
            batch.text = t->text;
            goto failed;
        }

        if (t->rc == NGX_ERROR
            && ngx_amt_sqlite_exec(c, &batch, "ROLLBACK TO task") != NGX_OK)
        {
            goto failed;
        }

        if (ngx_amt_sqlite_exec(c, &batch, "RELEASE task") != NGX_OK) {
            goto failed;
        }
    }

    if (ngx_amt_sqlite_exec(c, &batch, "COMMIT") != NGX_OK) {
        goto failed;
    }

    ngx_amt_sqlite_unlock(c);
    ngx_amt_sqlite_settle(c);

    return;

failed:

    if (c->db && !sqlite3_get_autocommit(c->db)) {
        (void) sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    }

    ngx_amt_sqlite_unlock(c);

    for (q = ngx_queue_head(tasks);
         q != ngx_queue_sentinel(tasks);
         q = ngx_queue_next(q))
    {
        t = ngx_queue_data(q, ngx_amt_sqlite_task_t, queue);

        t->rc = NGX_ERROR;
        t->code = batch.code ? batch.code : NGX_AMT_ERR_STORE;
        t->text = batch.text ? batch.text : "transaction was rolled back";
    }

    ngx_amt_sqlite_settle(c);
}


void
ngx_amt_sqlite_checkpoint(ngx_amt_sqlite_t *c)
{
    int                    mode, rc, pages;
    ngx_amt_sqlite_task_t  t;

    ngx_memzero(&t, sizeof(ngx_amt_sqlite_task_t));

    if (ngx_amt_sqlite_ready(c, &t) != NGX_OK
        || ngx_amt_sqlite_lock(c, &t) != NGX_OK)
    {
        return;
    }

    /*
     * PASSIVE waits for nobody.  A log that has become long although it was
     * copied again and again is one that always had a reader: wait for it.
     */

    mode = (c->wal_pages > NGX_AMT_SQLITE_WAL_LONG)
           ? SQLITE_CHECKPOINT_RESTART : SQLITE_CHECKPOINT_PASSIVE;

    c->busy_until = ngx_amt_sqlite_now() + NGX_AMT_SQLITE_WAL_WAIT;
    pages = 0;

    rc = sqlite3_wal_checkpoint_v2(c->db, NULL, mode, &pages, NULL);

    c->wal_due = (pages > 0 ? pages : 0) + NGX_AMT_SQLITE_WAL_PAGES;

    if (rc != SQLITE_OK && rc != SQLITE_BUSY && rc != SQLITE_LOCKED) {
        (void) ngx_amt_sqlite_error(c, &t, rc, "copying the write-ahead log");
    }

    ngx_amt_sqlite_unlock(c);
    ngx_amt_sqlite_settle(c);
}


/* Closes a connection that must not be used again. */

static void
ngx_amt_sqlite_settle(ngx_amt_sqlite_t *c)
{
    if (c->broken) {
        ngx_amt_sqlite_close(c);
        return;
    }

    if (c->failing && c->code == NGX_AMT_ERR_NONE) {
        c->failing = 0;

        ngx_log_error(NGX_LOG_NOTICE, c->log, 0,
                      "%s \"%V\" works again",
                      c->conf->schema->name, &c->conf->path);
    }
}


/* An open connection to the file that has the path now. */

ngx_int_t
ngx_amt_sqlite_ready(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t)
{
    uint64_t         now;
    ngx_file_info_t  fi;

    c->code = NGX_AMT_ERR_NONE;
    c->text = NULL;

    now = ngx_amt_sqlite_now();
    c->busy_until = now + c->conf->busy;

    if (c->db && now - c->checked < NGX_AMT_SQLITE_CHECK) {
        return NGX_OK;
    }

    c->checked = now;

    if (ngx_file_info(c->conf->path.data, &fi) == NGX_FILE_ERROR) {
        ngx_amt_sqlite_close(c);
        return ngx_amt_sqlite_error(c, t, SQLITE_CANTOPEN, "looking for it");
    }

    if (c->db && c->dev == fi.st_dev && c->ino == fi.st_ino) {
        return NGX_OK;
    }

    ngx_amt_sqlite_close(c);

    c->dev = fi.st_dev;
    c->ino = fi.st_ino;

    if (ngx_amt_sqlite_open(c, t) != NGX_OK) {
        ngx_amt_sqlite_close(c);
        return NGX_ERROR;
    }

    c->broken = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_sqlite_open(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t)
{
    int   rc, flags;
    char  sql[128];

    flags = SQLITE_OPEN_READWRITE|SQLITE_OPEN_NOMUTEX;

    rc = sqlite3_open_v2((char *) c->conf->path.data, &c->db, flags, NULL);
    if (rc != SQLITE_OK) {
        return ngx_amt_sqlite_error(c, t, rc, "opening");
    }

    (void) sqlite3_extended_result_codes(c->db, 1);
    (void) sqlite3_busy_handler(c->db, ngx_amt_sqlite_busy, c);
    (void) sqlite3_wal_hook(c->db, ngx_amt_sqlite_wal, c);
    (void) sqlite3_limit(c->db, SQLITE_LIMIT_LENGTH,
                         NGX_AMT_SQLITE_MAX_LENGTH);
    (void) sqlite3_limit(c->db, SQLITE_LIMIT_ATTACHED, 0);
    (void) sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void) sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void) sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
    (void) sqlite3_db_config(c->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);

    if (!c->writer) {
        sqlite3_progress_handler(c->db, NGX_AMT_SQLITE_STEPS,
                                 ngx_amt_sqlite_progress, c);
    }

    ngx_memzero(sql, sizeof(sql));
    (void) ngx_snprintf((u_char *) sql, sizeof(sql) - 1,
                        "PRAGMA mmap_size=%uz;PRAGMA journal_size_limit=%d;"
                        "PRAGMA query_only=%d",
                        c->conf->mmap, NGX_AMT_SQLITE_WAL_LIMIT,
                        c->writer ? 0 : 1);

    c->full = 1;

    if (ngx_amt_sqlite_exec(c, t, sql) != NGX_OK
        || ngx_amt_sqlite_exec(c, t, "PRAGMA synchronous=FULL") != NGX_OK
        || ngx_amt_sqlite_exec(c, t, "PRAGMA secure_delete=ON") != NGX_OK
        || ngx_amt_sqlite_exec(c, t, "PRAGMA cell_size_check=ON") != NGX_OK
        || ngx_amt_sqlite_exec(c, t, "PRAGMA cache_size=-8000") != NGX_OK
        || ngx_amt_sqlite_exec(c, t, "PRAGMA temp_store=MEMORY") != NGX_OK
        || ngx_amt_sqlite_verify(c, t) != NGX_OK)
    {
        return NGX_ERROR;
    }

    c->stmts = ngx_calloc(c->conf->schema->nstatements
                          * sizeof(sqlite3_stmt *), c->log);
    if (c->stmts == NULL) {
        return ngx_amt_sqlite_error(c, t, SQLITE_NOMEM, "opening");
    }

    return NGX_OK;
}


/* A file that was put in place of ours must still be ours. */

static ngx_int_t
ngx_amt_sqlite_verify(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t)
{
    int            rc;
    int64_t        version;
    sqlite3_stmt  *stmt;

    rc = sqlite3_prepare_v2(c->db, "SELECT application_id, user_version"
                                   " FROM pragma_application_id,"
                                   " pragma_user_version",
                            -1, &stmt, NULL);
    if (rc != SQLITE_OK) {
        return ngx_amt_sqlite_error(c, t, rc, "reading its version");
    }

    rc = sqlite3_step(stmt);

    if (rc != SQLITE_ROW) {
        (void) sqlite3_finalize(stmt);
        return ngx_amt_sqlite_error(c, t, rc, "reading its version");
    }

    version = sqlite3_column_int64(stmt, 1);

    if (sqlite3_column_int(stmt, 0) != c->conf->schema->application_id
        || version != (int64_t) c->conf->schema->nmigrations)
    {
        (void) sqlite3_finalize(stmt);
        return ngx_amt_sqlite_error(c, t, SQLITE_MISMATCH,
                                    "reading its version");
    }

    (void) sqlite3_finalize(stmt);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_sqlite_begin(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t,
    ngx_uint_t full)
{
    if (c->full != full) {
        if (ngx_amt_sqlite_exec(c, t, full ? "PRAGMA synchronous=FULL"
                                           : "PRAGMA synchronous=NORMAL")
            != NGX_OK)
        {
            return NGX_ERROR;
        }

        c->full = full ? 1 : 0;
    }

    if (ngx_amt_sqlite_lock(c, t) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_amt_sqlite_exec(c, t, "BEGIN IMMEDIATE");
}


ngx_int_t
ngx_amt_sqlite_exec(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t,
    const char *sql)
{
    int  rc;

    rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

    if (rc != SQLITE_OK) {
        return ngx_amt_sqlite_error(c, t, rc, sql);
    }

    return NGX_OK;
}


/*
 * The lock that keeps the writers of several processes from sleeping in
 * SQLite's unfair busy handler.  It is polled, not waited for: a stopped
 * process must not stop this one for good.
 */

ngx_int_t
ngx_amt_sqlite_lock(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t)
{
    uint64_t    start, now;
    ngx_err_t   err;
    ngx_uint_t  n;

    if (c->lock_fd == NGX_INVALID_FILE) {
        c->lock_fd = open((char *) c->conf->lock.data,
                          O_RDWR|O_CREAT|O_NOFOLLOW|O_CLOEXEC, 0600);

        if (c->lock_fd == NGX_INVALID_FILE) {
            ngx_log_error(NGX_LOG_ERR, c->log, ngx_errno,
                          "open() \"%V\" failed: it and its directory must "
                          "be writable by the worker processes",
                          &c->conf->lock);
            return ngx_amt_sqlite_error(c, t, SQLITE_CANTOPEN, "locking");
        }
    }

    start = ngx_amt_sqlite_now();

    for (n = 0; /* void */ ; n++) {

        if (flock(c->lock_fd, LOCK_EX|LOCK_NB) == 0) {
            c->locked = 1;
            return NGX_OK;
        }

        err = ngx_errno;

        if (err != NGX_EAGAIN && err != NGX_EINTR) {
            ngx_log_error(NGX_LOG_ERR, c->log, err,
                          "flock() \"%V\" failed", &c->conf->lock);
            return ngx_amt_sqlite_error(c, t, SQLITE_IOERR_LOCK, "locking");
        }

        now = ngx_amt_sqlite_now();

        if (now >= c->busy_until) {
            return ngx_amt_sqlite_error(c, t, SQLITE_BUSY, "locking");
        }

        (void) usleep(now - start < 10 ? 50 : 500);
    }
}


void
ngx_amt_sqlite_unlock(ngx_amt_sqlite_t *c)
{
    if (c->locked) {
        (void) flock(c->lock_fd, LOCK_UN);
        c->locked = 0;
    }
}


sqlite3_stmt *
ngx_amt_sqlite_stmt(ngx_amt_sqlite_t *c, ngx_uint_t n)
{
    int  rc;

    if (c->stmts[n] == NULL) {
        rc = sqlite3_prepare_v3(c->db, c->conf->schema->statements[n], -1,
                                SQLITE_PREPARE_PERSISTENT, &c->stmts[n],
                                NULL);
        if (rc != SQLITE_OK) {
            c->stmts[n] = NULL;
            return NULL;
        }
    }

    return c->stmts[n];
}


void
ngx_amt_sqlite_reset(sqlite3_stmt *stmt)
{
    if (stmt) {
        (void) sqlite3_reset(stmt);
        (void) sqlite3_clear_bindings(stmt);
    }
}


int
ngx_amt_sqlite_bind(sqlite3_stmt *stmt, int n, const ngx_str_t *str)
{
    if (str->data == NULL) {
        return sqlite3_bind_null(stmt, n);
    }

    return sqlite3_bind_text64(stmt, n, (char *) str->data, str->len,
                               SQLITE_STATIC, SQLITE_UTF8);
}


ngx_int_t
ngx_amt_sqlite_text(sqlite3_stmt *stmt, int n, ngx_pool_t *pool,
    ngx_str_t *str)
{
    int            len;
    const u_char  *p;

    p = sqlite3_column_text(stmt, n);

    if (p == NULL) {
        ngx_str_null(str);

        return (sqlite3_column_type(stmt, n) == SQLITE_NULL) ? NGX_OK
                                                             : NGX_ERROR;
    }

    len = sqlite3_column_bytes(stmt, n);

    /* an empty string is not null */

    str->data = ngx_pnalloc(pool, len ? (size_t) len : 1);
    if (str->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(str->data, p, len);
    str->len = len;

    return NGX_OK;
}


uint64_t
ngx_amt_sqlite_now(void)
{
    struct timespec  ts;

    (void) clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);

    return (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}


static int
ngx_amt_sqlite_busy(void *data, int n)
{
    ngx_amt_sqlite_t *c = data;

    if (ngx_amt_sqlite_now() >= c->busy_until) {
        return 0;
    }

    (void) usleep(n < 20 ? 100 : 1000);

    return 1;
}


static int
ngx_amt_sqlite_progress(void *data)
{
    ngx_amt_sqlite_t *c = data;

    return c->deadline && ngx_amt_sqlite_now() > c->deadline;
}


static int
ngx_amt_sqlite_wal(void *data, sqlite3 *db, const char *name, int pages)
{
    ngx_amt_sqlite_t *c = data;

    if ((ngx_uint_t) pages < c->wal_pages) {
        c->wal_due = NGX_AMT_SQLITE_WAL_PAGES;
    }

    c->wal_pages = pages;

    return SQLITE_OK;
}
