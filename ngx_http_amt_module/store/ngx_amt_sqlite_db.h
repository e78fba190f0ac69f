
/*
 * A SQLite database behind the event loop of one worker: reads in a few
 * threads, each with a connection of its own, writes grouped into one
 * transaction at a time.
 */


#ifndef _NGX_AMT_SQLITE_DB_H_INCLUDED_
#define _NGX_AMT_SQLITE_DB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_thread_pool.h>
#include "store/ngx_amt_sqlite.h"


typedef struct {
    ngx_amt_sqlite_conf_t   conf;
    ngx_thread_pool_t      *read_pool;
    ngx_thread_pool_t      *write_pool;

    /* of the worker process */

    ngx_log_t              *log;
    ngx_thread_mutex_t      mutex;               /* guards idle */
    ngx_queue_t             idle;                /* readers */
    ngx_queue_t             reads;               /* not yet sent */
    ngx_uint_t              nreads;              /* not yet done */
    ngx_event_t             read_kick;

    ngx_amt_sqlite_t        writer;              /* used by one task only */
    ngx_thread_task_t       task;
    ngx_queue_t             pending;             /* writes not yet sent */
    ngx_queue_t             batch;               /* sent */
    ngx_uint_t              npending;
    ngx_event_t             kick;
    ngx_event_t             hold;
    ngx_uint_t              active;              /* tasks not yet done */

    unsigned                ready:1;
    unsigned                writing:1;
    unsigned                checkpoint:1;
} ngx_amt_sqlite_db_t;


/*
 * Configuration: takes path (copied), finds the thread pools amt_read and
 * amt_write, registers the database for checks and for the workers.
 */
ngx_int_t ngx_amt_sqlite_db_conf(ngx_conf_t *cf, ngx_amt_sqlite_db_t *db,
    ngx_str_t *path, const ngx_amt_sqlite_schema_t *schema);

/*
 * Module phases; check and create run as the workers' user.  check's job
 * looks, ngx_amt_sqlite_access or more; create's makes or updates the
 * database, ngx_amt_sqlite_prepare or more.
 */
ngx_int_t ngx_amt_sqlite_db_check(ngx_conf_t *cf, ngx_amt_sqlite_db_t *db,
    ngx_amt_sqlite_job_pt job);
ngx_int_t ngx_amt_sqlite_db_create(ngx_cycle_t *cycle,
    ngx_amt_sqlite_db_t *db, ngx_amt_sqlite_job_pt job);
ngx_int_t ngx_amt_sqlite_db_init(ngx_cycle_t *cycle, ngx_amt_sqlite_db_t *db);
void ngx_amt_sqlite_db_exit(ngx_amt_sqlite_db_t *db);

/*
 * Queue a task; t->done is called once from the event loop, never from
 * within.  The task and what its run function touches must live until then.
 * NGX_ERROR: not queued, t->code and t->text say why.
 */
ngx_int_t ngx_amt_sqlite_db_read(ngx_amt_sqlite_db_t *db,
    ngx_amt_sqlite_task_t *t);
ngx_int_t ngx_amt_sqlite_db_write(ngx_amt_sqlite_db_t *db,
    ngx_amt_sqlite_task_t *t);

/*
 * Takes a task back that was not sent to the thread yet.  NGX_OK: t->done
 * will not be called.  NGX_DECLINED: too late.
 */
ngx_int_t ngx_amt_sqlite_db_revoke(ngx_amt_sqlite_db_t *db,
    ngx_amt_sqlite_task_t *t);


#endif /* _NGX_AMT_SQLITE_DB_H_INCLUDED_ */
