
/*
 * SQLite backend: operations become tasks of the database's threads.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "store/ngx_amt_store_sqlite.h"
#include "store/ngx_amt_sqlite_db.h"


#define NGX_AMT_STORE_SQLITE_SHORT  100          /* rows of a short list */


static ngx_int_t ngx_amt_store_sqlite_submit(void *data,
    ngx_amt_store_op_t *op);
static ngx_int_t ngx_amt_store_sqlite_revoke(void *data,
    ngx_amt_store_op_t *op);
static void ngx_amt_store_sqlite_done(ngx_amt_sqlite_task_t *t);


const ngx_amt_store_backend_t  ngx_amt_store_sqlite = {
    ngx_string("SQLITE"),
    ngx_amt_store_sqlite_submit,
    ngx_amt_store_sqlite_revoke
};


static ngx_int_t
ngx_amt_store_sqlite_submit(void *data, ngx_amt_store_op_t *op)
{
    ngx_amt_sqlite_db_t *db = data;

    ngx_int_t               rc;
    ngx_amt_sqlite_task_t  *t;

    t = ngx_pcalloc(op->pool, sizeof(ngx_amt_sqlite_task_t));
    if (t == NULL) {
        op->code = NGX_AMT_ERR_INTERNAL;
        op->text = "out of memory";
        return NGX_ERROR;
    }

    t->run = ngx_amt_store_sqlite_run;
    t->done = ngx_amt_store_sqlite_done;
    t->data = op;
    op->backend = t;

    /* connection state comes again by itself after a power failure */

    t->full = (op->type != NGX_AMT_STORE_OP_EVENTS
               && op->type != NGX_AMT_STORE_OP_RESET);

    t->alone = (op->type == NGX_AMT_STORE_OP_TAGS
                || (op->type == NGX_AMT_STORE_OP_LIST
                    && (op->query.top > NGX_AMT_STORE_SQLITE_SHORT
                        || op->query.skip > NGX_AMT_STORE_SQLITE_SHORT
                        || op->query.hostname.data
                        || op->query.friendly_name.data
                        || op->query.n_tags)));

    rc = (op->type >= NGX_AMT_STORE_OP_INSERT)
         ? ngx_amt_sqlite_db_write(db, t)
         : ngx_amt_sqlite_db_read(db, t);

    if (rc != NGX_OK) {
        op->code = t->code;
        op->text = t->text;
    }

    return rc;
}


static ngx_int_t
ngx_amt_store_sqlite_revoke(void *data, ngx_amt_store_op_t *op)
{
    return ngx_amt_sqlite_db_revoke(data, op->backend);
}


ngx_int_t
ngx_amt_store_sqlite_run(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c)
{
    ngx_amt_store_op_t *op = t->data;

    if (op->type >= NGX_AMT_STORE_OP_INSERT) {
        return ngx_amt_store_sqlite_write(t, c, op);
    }

    return ngx_amt_store_sqlite_read(t, c, op);
}


static void
ngx_amt_store_sqlite_done(ngx_amt_sqlite_task_t *t)
{
    ngx_amt_store_op_t *op = t->data;

    op->rc = t->rc;
    op->code = t->code ? t->code : NGX_AMT_ERR_STORE;
    op->text = t->text;

    ngx_amt_store_done(op);
}
