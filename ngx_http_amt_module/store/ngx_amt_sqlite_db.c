
/*
 * SQLite behind the event loop, see ngx_amt_sqlite_db.h.
 *
 * The reads of a turn of the event loop become tasks of the pool amt_read, a
 * few in each.  Writes wait in a queue; all that have come together while the
 * last transaction ran are sent to the pool amt_write as the next one.
 * Nothing here is shared with a thread but the task it was given and the list
 * of idle readers.
 *
 * At exit nginx has ended the pools' threads, and with them all tasks, before
 * exit_process of this module runs.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "ngx_http_amt.h"
#include "store/ngx_amt_sqlite_db.h"


#define NGX_AMT_SQLITE_BATCH       256           /* writes in a transaction */
#define NGX_AMT_SQLITE_READS       8             /* in a task */
#define NGX_AMT_SQLITE_PENDING     16384         /* waiting, of each kind */
#define NGX_AMT_SQLITE_HOLD        200           /* ms */
#define NGX_AMT_SQLITE_BUSY        5000          /* ms */


typedef struct {
    ngx_queue_t              queue;
    ngx_amt_sqlite_t         conn;
} ngx_amt_sqlite_reader_t;


typedef struct {
    ngx_thread_task_t        task;
    ngx_amt_sqlite_db_t     *db;
    ngx_queue_t              tasks;
} ngx_amt_sqlite_read_t;


static ngx_int_t ngx_amt_sqlite_db_queue(ngx_amt_sqlite_db_t *db,
    ngx_amt_sqlite_task_t *t, ngx_uint_t waiting);
static void ngx_amt_sqlite_db_read_kick(ngx_event_t *ev);
static void ngx_amt_sqlite_db_read_thread(void *data, ngx_log_t *log);
static void ngx_amt_sqlite_db_read_done(ngx_event_t *ev);
static void ngx_amt_sqlite_db_fail(ngx_queue_t *tasks, ngx_amt_err_e code,
    const char *text);
static void ngx_amt_sqlite_db_finish(ngx_amt_sqlite_db_t *db,
    ngx_queue_t *tasks);
static void ngx_amt_sqlite_db_kick(ngx_event_t *ev);
static void ngx_amt_sqlite_db_write_thread(void *data, ngx_log_t *log);
static void ngx_amt_sqlite_db_write_done(ngx_event_t *ev);
static void ngx_amt_sqlite_db_written(ngx_amt_sqlite_db_t *db);
static void ngx_amt_sqlite_db_hold(ngx_amt_sqlite_db_t *db);
static void ngx_amt_sqlite_db_hold_handler(ngx_event_t *ev);


static ngx_str_t  ngx_amt_sqlite_db_readers = ngx_string(NGX_AMT_POOL_READ);
static ngx_str_t  ngx_amt_sqlite_db_writer = ngx_string(NGX_AMT_POOL_WRITE);


ngx_int_t
ngx_amt_sqlite_db_read(ngx_amt_sqlite_db_t *db, ngx_amt_sqlite_task_t *t)
{
    if (ngx_amt_sqlite_db_queue(db, t, db->nreads) != NGX_OK) {
        return NGX_ERROR;
    }

    t->write = 0;
    ngx_queue_insert_tail(&db->reads, &t->queue);
    db->nreads++;

    ngx_post_event(&db->read_kick, &ngx_posted_events);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_sqlite_db_queue(ngx_amt_sqlite_db_t *db, ngx_amt_sqlite_task_t *t,
    ngx_uint_t waiting)
{
    t->sent = 0;

    if (!db->ready) {
        t->code = NGX_AMT_ERR_STORE;
        t->text = "the database is not in use by this process";
        return NGX_ERROR;
    }

    if (waiting >= NGX_AMT_SQLITE_PENDING) {
        t->code = NGX_AMT_ERR_STORE;
        t->text = "too many calls are waiting for the database";
        return NGX_ERROR;
    }

    ngx_amt_sqlite_db_hold(db);

    return NGX_OK;
}


/*
 * Sends the reads of this turn of the event loop to the threads, a few at a
 * time: waking a thread costs more than a short read.
 */

static void
ngx_amt_sqlite_db_read_kick(ngx_event_t *ev)
{
    ngx_amt_sqlite_db_t *db = ev->data;

    ngx_uint_t              n;
    ngx_queue_t            *q;
    ngx_amt_sqlite_task_t  *t;
    ngx_amt_sqlite_read_t  *r;

    while (!ngx_queue_empty(&db->reads)) {

        r = ngx_calloc(sizeof(ngx_amt_sqlite_read_t), db->log);

        if (r == NULL) {
            ngx_amt_sqlite_db_fail(&db->reads, NGX_AMT_ERR_INTERNAL,
                                   "out of memory");
            ngx_amt_sqlite_db_finish(db, &db->reads);
            return;
        }

        ngx_queue_init(&r->tasks);

        for (n = 0; n < NGX_AMT_SQLITE_READS; n++) {

            if (ngx_queue_empty(&db->reads)) {
                break;
            }

            q = ngx_queue_head(&db->reads);
            t = ngx_queue_data(q, ngx_amt_sqlite_task_t, queue);

            /* nothing waits behind a long read */

            if (t->alone && n) {
                break;
            }

            ngx_queue_remove(q);
            ngx_queue_insert_tail(&r->tasks, q);
            t->sent = 1;

            if (t->alone) {
                break;
            }
        }

        r->db = db;
        r->task.ctx = r;
        r->task.handler = ngx_amt_sqlite_db_read_thread;
        r->task.event.handler = ngx_amt_sqlite_db_read_done;
        r->task.event.data = r;
        r->task.event.log = db->log;

        if (ngx_thread_task_post(db->read_pool, &r->task) != NGX_OK) {
            ngx_amt_sqlite_db_fail(&r->tasks, NGX_AMT_ERR_STORE,
                                   "too many calls are waiting for the "
                                   "database");
            ngx_amt_sqlite_db_finish(db, &r->tasks);
            ngx_free(r);
        }
    }
}


static void
ngx_amt_sqlite_db_read_thread(void *data, ngx_log_t *log)
{
    ngx_amt_sqlite_read_t *r = data;

    ngx_queue_t              *q;
    ngx_amt_sqlite_db_t      *db;
    ngx_amt_sqlite_reader_t  *reader;

    db = r->db;
    reader = NULL;

    (void) ngx_thread_mutex_lock(&db->mutex, log);

    if (!ngx_queue_empty(&db->idle)) {
        q = ngx_queue_head(&db->idle);
        ngx_queue_remove(q);
        reader = ngx_queue_data(q, ngx_amt_sqlite_reader_t, queue);
    }

    (void) ngx_thread_mutex_unlock(&db->mutex, log);

    if (reader == NULL) {
        reader = ngx_alloc(sizeof(ngx_amt_sqlite_reader_t), log);

        if (reader == NULL) {
            ngx_amt_sqlite_db_fail(&r->tasks, NGX_AMT_ERR_INTERNAL,
                                   "out of memory");
            return;
        }

        ngx_amt_sqlite_init(&reader->conn, &db->conf, 0, db->log);
    }

    ngx_amt_sqlite_reads(&reader->conn, &r->tasks);

    (void) ngx_thread_mutex_lock(&db->mutex, log);

    ngx_queue_insert_head(&db->idle, &reader->queue);

    (void) ngx_thread_mutex_unlock(&db->mutex, log);
}


static void
ngx_amt_sqlite_db_read_done(ngx_event_t *ev)
{
    ngx_amt_sqlite_read_t *r = ev->data;

    ngx_amt_sqlite_db_finish(r->db, &r->tasks);

    ngx_free(r);
}


static void
ngx_amt_sqlite_db_fail(ngx_queue_t *tasks, ngx_amt_err_e code,
    const char *text)
{
    ngx_queue_t            *q;
    ngx_amt_sqlite_task_t  *t;

    for (q = ngx_queue_head(tasks);
         q != ngx_queue_sentinel(tasks);
         q = ngx_queue_next(q))
    {
        t = ngx_queue_data(q, ngx_amt_sqlite_task_t, queue);

        t->rc = NGX_ERROR;
        t->code = code;
        t->text = text;
    }
}


/*
 * Tells the owners.  What they do may queue, revoke, and free other tasks,
 * but none of these.
 */

static void
ngx_amt_sqlite_db_finish(ngx_amt_sqlite_db_t *db, ngx_queue_t *tasks)
{
    ngx_queue_t             done, *q;
    ngx_amt_sqlite_task_t  *t;

    ngx_queue_init(&done);

    if (ngx_queue_empty(tasks)) {
        return;
    }

    for (q = ngx_queue_head(tasks);
         q != ngx_queue_sentinel(tasks);
         q = ngx_queue_next(q))
    {
        t = ngx_queue_data(q, ngx_amt_sqlite_task_t, queue);
        t->sent = 1;
    }

    ngx_queue_add(&done, tasks);
    ngx_queue_init(tasks);

    while (!ngx_queue_empty(&done)) {
        q = ngx_queue_head(&done);
        ngx_queue_remove(q);

        t = ngx_queue_data(q, ngx_amt_sqlite_task_t, queue);

        if (!t->write) {
            db->nreads--;
        }

        db->active--;
        t->done(t);
    }
}


ngx_int_t
ngx_amt_sqlite_db_write(ngx_amt_sqlite_db_t *db, ngx_amt_sqlite_task_t *t)
{
    if (ngx_amt_sqlite_db_queue(db, t, db->npending) != NGX_OK) {
        return NGX_ERROR;
    }

    t->write = 1;
    ngx_queue_insert_tail(&db->pending, &t->queue);
    db->npending++;

    if (!db->writing) {
        ngx_post_event(&db->kick, &ngx_posted_events);
    }

    return NGX_OK;
}


ngx_int_t
ngx_amt_sqlite_db_revoke(ngx_amt_sqlite_db_t *db, ngx_amt_sqlite_task_t *t)
{
    if (t->sent) {
        return NGX_DECLINED;
    }

    ngx_queue_remove(&t->queue);
    db->active--;

    if (t->write) {
        db->npending--;

    } else {
        db->nreads--;
    }

    return NGX_OK;
}


/* Sends what is pending to the writer thread. */

static void
ngx_amt_sqlite_db_kick(ngx_event_t *ev)
{
    ngx_amt_sqlite_db_t *db = ev->data;

    ngx_uint_t              n;
    ngx_queue_t            *q;
    ngx_amt_sqlite_task_t  *t;

    if (db->writing) {
        return;
    }

    /* an empty batch copies the log, before more is written */

    for (n = 0; n < NGX_AMT_SQLITE_BATCH && !db->checkpoint; n++) {

        if (ngx_queue_empty(&db->pending)) {
            break;
        }

        q = ngx_queue_head(&db->pending);
        t = ngx_queue_data(q, ngx_amt_sqlite_task_t, queue);

        ngx_queue_remove(q);
        ngx_queue_insert_tail(&db->batch, q);

        t->sent = 1;
        db->npending--;
    }

    if (n == 0 && !db->checkpoint) {
        return;
    }

    db->writing = 1;
    db->active++;

    if (ngx_thread_task_post(db->write_pool, &db->task) == NGX_OK) {
        return;
    }

    ngx_amt_sqlite_db_fail(&db->batch, NGX_AMT_ERR_STORE,
                           "too many calls are waiting for the database");
    ngx_amt_sqlite_db_written(db);
}


static void
ngx_amt_sqlite_db_write_thread(void *data, ngx_log_t *log)
{
    ngx_amt_sqlite_db_t *db = data;

    if (ngx_queue_empty(&db->batch)) {
        ngx_amt_sqlite_checkpoint(&db->writer);
        return;
    }

    ngx_amt_sqlite_write(&db->writer, &db->batch);
}


static void
ngx_amt_sqlite_db_write_done(ngx_event_t *ev)
{
    ngx_amt_sqlite_db_t *db = ev->data;

    /* a task of its own, so that these answers do not wait for it */

    db->checkpoint = !ngx_queue_empty(&db->batch)
                     && db->writer.wal_pages >= db->writer.wal_due;

    ngx_amt_sqlite_db_written(db);
}


static void
ngx_amt_sqlite_db_written(ngx_amt_sqlite_db_t *db)
{
    db->writing = 0;
    db->active--;

    ngx_amt_sqlite_db_finish(db, &db->batch);

    if (!db->writing && (db->checkpoint || !ngx_queue_empty(&db->pending))) {
        ngx_post_event(&db->kick, &ngx_posted_events);
    }
}


/*
 * Keeps a worker that shuts down alive until its tasks are done: a timer that
 * nginx waits for.  It is left running for a moment after the last task, so
 * that not every task costs a timer.
 */

static void
ngx_amt_sqlite_db_hold(ngx_amt_sqlite_db_t *db)
{
    db->active++;

    if (!db->hold.timer_set) {
        ngx_add_timer(&db->hold, NGX_AMT_SQLITE_HOLD);
    }
}


static void
ngx_amt_sqlite_db_hold_handler(ngx_event_t *ev)
{
    ngx_amt_sqlite_db_t *db = ev->data;

    if (db->active) {
        ngx_add_timer(&db->hold, NGX_AMT_SQLITE_HOLD);
    }
}


ngx_int_t
ngx_amt_sqlite_db_init(ngx_cycle_t *cycle, ngx_amt_sqlite_db_t *db)
{
    if (ngx_process != NGX_PROCESS_WORKER
        && ngx_process != NGX_PROCESS_SINGLE)
    {
        return NGX_OK;
    }

    /*
     * Its statistics cost a mutex per allocation.  An error means that the
     * library is in use already, by another database.
     */

    (void) sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);

    db->log = cycle->log;

    if (ngx_thread_mutex_create(&db->mutex, cycle->log) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_queue_init(&db->idle);
    ngx_queue_init(&db->reads);
    ngx_queue_init(&db->pending);
    ngx_queue_init(&db->batch);

    ngx_amt_sqlite_init(&db->writer, &db->conf, 1, cycle->log);

    db->task.ctx = db;
    db->task.handler = ngx_amt_sqlite_db_write_thread;
    db->task.event.handler = ngx_amt_sqlite_db_write_done;
    db->task.event.data = db;
    db->task.event.log = cycle->log;

    db->read_kick.handler = ngx_amt_sqlite_db_read_kick;
    db->read_kick.data = db;
    db->read_kick.log = cycle->log;

    db->kick.handler = ngx_amt_sqlite_db_kick;
    db->kick.data = db;
    db->kick.log = cycle->log;

    db->hold.handler = ngx_amt_sqlite_db_hold_handler;
    db->hold.data = db;
    db->hold.log = cycle->log;

    db->ready = 1;

    return NGX_OK;
}


void
ngx_amt_sqlite_db_exit(ngx_amt_sqlite_db_t *db)
{
    ngx_queue_t              *q;
    ngx_amt_sqlite_reader_t  *reader;

    if (!db->ready) {
        return;
    }

    db->ready = 0;

    /* the threads are gone: writes that were not sent are done here */

    if (!ngx_queue_empty(&db->pending)) {
        ngx_amt_sqlite_write(&db->writer, &db->pending);
    }

    ngx_amt_sqlite_close(&db->writer);

    while (!ngx_queue_empty(&db->idle)) {
        q = ngx_queue_head(&db->idle);
        ngx_queue_remove(q);

        reader = ngx_queue_data(q, ngx_amt_sqlite_reader_t, queue);

        ngx_amt_sqlite_close(&reader->conn);
        ngx_free(reader);
    }

    (void) ngx_thread_mutex_destroy(&db->mutex, db->log);
}


ngx_int_t
ngx_amt_sqlite_db_conf(ngx_conf_t *cf, ngx_amt_sqlite_db_t *db,
    ngx_str_t *path, const ngx_amt_sqlite_schema_t *schema)
{
    u_char  *p;

    db->conf.path = *path;

    if (ngx_conf_full_name(cf->cycle, &db->conf.path, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    /* PATH-lock, zero-terminated as nginx's configuration strings are */

    p = ngx_pnalloc(cf->pool, db->conf.path.len + sizeof("-lock"));
    if (p == NULL) {
        return NGX_ERROR;
    }

    db->conf.lock.data = p;
    db->conf.lock.len = db->conf.path.len + sizeof("-lock") - 1;

    p = ngx_cpymem(p, db->conf.path.data, db->conf.path.len);
    (void) ngx_cpystrn(p, (u_char *) "-lock", sizeof("-lock"));

    db->conf.schema = schema;
    db->conf.busy = NGX_AMT_SQLITE_BUSY;

    db->read_pool = ngx_amt_thread_pool(cf, &ngx_amt_sqlite_db_readers);
    db->write_pool = ngx_amt_thread_pool(cf, &ngx_amt_sqlite_db_writer);

    if (db->read_pool == NULL || db->write_pool == NULL) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_amt_sqlite_db_check(ngx_conf_t *cf, ngx_amt_sqlite_db_t *db,
    ngx_amt_sqlite_job_pt job)
{
    return ngx_amt_sqlite_as_worker(job, &db->conf, cf->cycle, cf->log);
}


ngx_int_t
ngx_amt_sqlite_db_create(ngx_cycle_t *cycle, ngx_amt_sqlite_db_t *db,
    ngx_amt_sqlite_job_pt job)
{
    if (ngx_test_config) {
        return NGX_OK;
    }

    if (ngx_amt_sqlite_as_worker(job, &db->conf, cycle, cycle->log) == NGX_OK) {
        return NGX_OK;
    }

    /*
     * An error here ends a running master.  With a reload the workers report
     * the database as not answering instead, until it is repaired.
     */

    if (!ngx_is_init_cycle(cycle->old_cycle)) {
        return NGX_OK;
    }

    /* nginx exits now and would leave its unix sockets behind */

    ngx_close_listening_sockets(cycle);

    return NGX_ERROR;
}
