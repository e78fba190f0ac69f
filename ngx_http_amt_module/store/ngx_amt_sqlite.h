
/*
 * SQLite connections without events: open, schema, transactions, errors.
 * Everything here blocks and is called from threads, from the short-lived
 * process that prepares a database, and from unit tests; ngx_amt_sqlite_db.h
 * puts it behind nginx's event loop.  notes: one connection is used by one
 * thread at a time; the database is created by ngx_amt_sqlite_prepare() only.
 */


#ifndef _NGX_AMT_SQLITE_H_INCLUDED_
#define _NGX_AMT_SQLITE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <sqlite3.h>
#include "flow/ngx_amt_flow.h"


/* What a database holds.  migrations[n] leads from version n to n + 1. */

typedef struct {
    const char                     *name;          /* for messages */
    int32_t                         application_id;
    const char *const              *migrations;
    ngx_uint_t                      nmigrations;
    const char *const              *statements;
    ngx_uint_t                      nstatements;
} ngx_amt_sqlite_schema_t;


typedef struct {
    ngx_str_t                       path;          /* zero-terminated */
    ngx_str_t                       lock;          /* zero-terminated */
    const ngx_amt_sqlite_schema_t  *schema;
    ngx_msec_t                      busy;          /* wait for locks */
    size_t                          mmap;          /* bytes, 0: none */
} ngx_amt_sqlite_conf_t;


typedef struct {
    sqlite3                        *db;            /* NULL: not open */
    sqlite3_stmt                  **stmts;
    const ngx_amt_sqlite_conf_t    *conf;
    ngx_log_t                      *log;

    dev_t                           dev;           /* of the open file */
    ino_t                           ino;
    uint64_t                        checked;       /* ms, monotonic */
    uint64_t                        deadline;      /* of a read, ms */
    uint64_t                        busy_until;

    ngx_fd_t                        lock_fd;
    ngx_uint_t                      wal_pages;     /* after last commit */
    ngx_uint_t                      wal_due;       /* pages for checkpoint */

    ngx_amt_err_e                   code;          /* of the last failure */
    const char                     *text;          /* static */
    uint64_t                        logged;        /* ms, last log line */
    ngx_uint_t                      unlogged;      /* failures since */

    unsigned                        writer:1;
    unsigned                        full:1;        /* synchronous=FULL */
    unsigned                        locked:1;
    unsigned                        failing:1;
    unsigned                        broken:1;      /* reopen before use */
} ngx_amt_sqlite_t;


typedef struct ngx_amt_sqlite_task_s  ngx_amt_sqlite_task_t;

/*
 * The work of a task, in a thread.  NGX_OK, NGX_DECLINED, or NGX_ERROR after
 * ngx_amt_sqlite_error() or with t->code and t->text set.  Statements it
 * used are reset before it returns.
 */
typedef ngx_int_t (*ngx_amt_sqlite_run_pt)(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c);
typedef void (*ngx_amt_sqlite_done_pt)(ngx_amt_sqlite_task_t *t);

struct ngx_amt_sqlite_task_s {
    ngx_queue_t                     queue;
    ngx_amt_sqlite_run_pt           run;
    ngx_amt_sqlite_done_pt          done;          /* event loop */
    void                           *data;
    ngx_int_t                       rc;
    ngx_amt_err_e                   code;
    const char                     *text;          /* static */
    unsigned                        full:1;        /* must survive a power
                                                      failure */
    unsigned                        alone:1;       /* may take long */
    unsigned                        sent:1;        /* private to db.c */
    unsigned                        write:1;
};


/* Prepares *c for use; opens nothing yet. */
void ngx_amt_sqlite_init(ngx_amt_sqlite_t *c,
    const ngx_amt_sqlite_conf_t *conf, ngx_uint_t writer, ngx_log_t *log);
void ngx_amt_sqlite_close(ngx_amt_sqlite_t *c);

/*
 * Creates the database when it does not exist and brings its schema to the
 * version this build knows; safe with several processes at once.  NGX_ERROR
 * after an [emerg] line that says what to do: other application, newer
 * schema, not writable, locked.  Runs with the identity of the caller.
 */
ngx_int_t ngx_amt_sqlite_prepare(const ngx_amt_sqlite_conf_t *conf,
    ngx_log_t *log);

/*
 * Looks whether the caller may write the file, or create it; opens and makes
 * nothing.  NGX_ERROR after an [emerg] line.
 */
ngx_int_t ngx_amt_sqlite_access(const ngx_amt_sqlite_conf_t *conf,
    ngx_log_t *log);

/*
 * Runs one of the two above in a short-lived process with the identity of
 * the workers, so that the master, often root, neither opens nor creates
 * files in a directory that belongs to somebody else.
 */
typedef ngx_int_t (*ngx_amt_sqlite_job_pt)(const ngx_amt_sqlite_conf_t *conf,
    ngx_log_t *log);
ngx_int_t ngx_amt_sqlite_as_worker(ngx_amt_sqlite_job_pt job,
    const ngx_amt_sqlite_conf_t *conf, ngx_cycle_t *cycle, ngx_log_t *log);

/* Opens the file that has the path now, if it is not the open one. */
ngx_int_t ngx_amt_sqlite_ready(ngx_amt_sqlite_t *c,
    ngx_amt_sqlite_task_t *t);

/* Runs a queue of reads, which see the same state of the database. */
void ngx_amt_sqlite_reads(ngx_amt_sqlite_t *c, ngx_queue_t *tasks);

/* Runs one read. */
void ngx_amt_sqlite_read(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t);

/*
 * Runs a queue of writes in one transaction under the cross-process lock,
 * each in a savepoint of its own, and sets the result of each.
 */
void ngx_amt_sqlite_write(ngx_amt_sqlite_t *c, ngx_queue_t *tasks);

/* Moves the write-ahead log into the database, as far as readers allow. */
void ngx_amt_sqlite_checkpoint(ngx_amt_sqlite_t *c);

/*
 * The lock between the writers of all processes, and plain SQL on an open
 * connection.  NGX_ERROR: the error is in t and logged.
 */
ngx_int_t ngx_amt_sqlite_lock(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t);
void ngx_amt_sqlite_unlock(ngx_amt_sqlite_t *c);
ngx_int_t ngx_amt_sqlite_exec(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t,
    const char *sql);

/* A statement of the schema, prepared once; NULL after an error. */
sqlite3_stmt *ngx_amt_sqlite_stmt(ngx_amt_sqlite_t *c, ngx_uint_t n);

/* Ends the use of a statement: no open read, no bound values. */
void ngx_amt_sqlite_reset(sqlite3_stmt *stmt);

/*
 * Notes SQLite's last error as the task's and logs it with advice, at most
 * one line a second and connection.  Returns NGX_ERROR.
 */
ngx_int_t ngx_amt_sqlite_error(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t,
    int rc, const char *what);

/* str->data == NULL binds null; the bytes must live until the reset. */
int ngx_amt_sqlite_bind(sqlite3_stmt *stmt, int n, const ngx_str_t *str);

/* Copies a column into the pool; null gives data == NULL. */
ngx_int_t ngx_amt_sqlite_text(sqlite3_stmt *stmt, int n, ngx_pool_t *pool,
    ngx_str_t *str);

uint64_t ngx_amt_sqlite_now(void);


#endif /* _NGX_AMT_SQLITE_H_INCLUDED_ */
