
/*
 * What SQLite's error codes mean for the person who must act on them.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "store/ngx_amt_sqlite.h"


#define NGX_AMT_SQLITE_LOG_TIME  1000            /* ms between two lines */


typedef struct {
    int           code;                          /* primary */
    unsigned      reopen:1;
    const char   *text;                          /* for the caller */
    const char   *advice;                        /* for the log */
} ngx_amt_sqlite_advice_t;


static const ngx_amt_sqlite_advice_t  ngx_amt_sqlite_advices[] = {

    { SQLITE_BUSY, 0, "the database is locked by another process",
      "another process holds its lock: end it (fuser shows which), take "
      "backups with \".backup\"" },

    { SQLITE_LOCKED, 0, "the database is locked",
      "another process holds its lock: end it (fuser shows which)" },

    { SQLITE_FULL, 1, "the disk is full",
      "its file system or quota is full: free space there" },

    { SQLITE_READONLY, 1, "the database is read-only",
      "the file, its -wal and -shm and its directory must belong to the user "
      "of the worker processes and be on a writable file system" },

    { SQLITE_PERM, 1, "no permission for the database",
      "the file, its -wal and -shm and its directory must belong to the user "
      "of the worker processes" },

    { SQLITE_AUTH, 1, "no permission for the database",
      "the file, its -wal and -shm and its directory must belong to the user "
      "of the worker processes" },

    { SQLITE_CANTOPEN, 1, "the database cannot be opened",
      "the file must exist and, with its -wal, -shm and directory, belong to "
      "the user of the worker processes; a lost file is created again by a "
      "reload or restart, empty: restore a backup before" },

    { SQLITE_CORRUPT, 1, "the database is damaged",
      "stop nginx, then restore a backup or save what is left with "
      "\"sqlite3 FILE .recover\"" },

    { SQLITE_NOTADB, 1, "the database is damaged",
      "the file is not a database: stop nginx, then restore a backup" },

    { SQLITE_IOERR, 1, "I/O error",
      "look for errors of the disk in the kernel log, and for a limit of the "
      "size of files" },

    { SQLITE_MISMATCH, 1, "the database has another schema",
      "the file was replaced by one of another program or version: restore "
      "the right one, or reload so that its schema is brought up to date" },

    { SQLITE_SCHEMA, 1, "the database has another schema",
      "its schema was changed while in use: reload" },

    { SQLITE_INTERRUPT, 0, "the query took too long",
      "use smaller pages" },

    { SQLITE_NOMEM, 0, "out of memory", "" },

    { SQLITE_TOOBIG, 0, "a value is too large", "" },

    { SQLITE_OK, 0, NULL, NULL }
};


ngx_int_t
ngx_amt_sqlite_error(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t, int rc,
    const char *what)
{
    int                             err;
    uint64_t                        now;
    const char                     *text, *advice, *detail;
    const ngx_amt_sqlite_advice_t  *a;

    text = "internal error of the database";
    advice = "this is a bug, report it";

    for (a = ngx_amt_sqlite_advices; a->text; a++) {
        if (a->code == (rc & 0xff)) {
            text = a->text;
            advice = a->advice;
            break;
        }
    }

    if (a->text == NULL) {
        c->code = NGX_AMT_ERR_INTERNAL;
        c->broken = 1;

    } else {
        c->code = NGX_AMT_ERR_STORE;

        if (a->reopen) {
            c->broken = 1;
        }
    }

    c->text = text;

    if (t->code == NGX_AMT_ERR_NONE) {
        t->code = c->code;
        t->text = text;
    }

    now = ngx_amt_sqlite_now();

    if (c->failing && now - c->logged < NGX_AMT_SQLITE_LOG_TIME) {
        c->unlogged++;
        return NGX_ERROR;
    }

    c->failing = 1;
    c->logged = now;

    /* sqlite3_errmsg() of our own SQLITE_MISMATCH would be "not an error" */

    detail = sqlite3_errstr(rc);
    err = 0;

    if (c->db && sqlite3_extended_errcode(c->db) == rc) {
        detail = sqlite3_errmsg(c->db);
        err = sqlite3_system_errno(c->db);
    }

    if (c->unlogged) {
        ngx_log_error(NGX_LOG_ERR, c->log, 0,
                      "%s \"%V\": %ui more failures",
                      c->conf->schema->name, &c->conf->path, c->unlogged);
        c->unlogged = 0;
    }

    ngx_log_error(NGX_LOG_ERR, c->log, err,
                  "%s \"%V\": %s (%d: %s) at \"%s\": %s",
                  c->conf->schema->name, &c->conf->path, text, rc, detail,
                  what, advice);

    return NGX_ERROR;
}
