
/*
 * Key rotation: values of older keys are encrypted again with the current
 * one, some at a time, by the first worker.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "keystore/ngx_amt_keystore_http.h"


#define NGX_AMT_KEYSTORE_AGAIN  30000            /* ms, after a failure */


static void ngx_amt_keystore_rewrite_handler(ngx_event_t *ev);
static void ngx_amt_keystore_rewrite_some(ngx_amt_keystore_t *ks,
    ngx_amt_keystore_op_t *last);
static void ngx_amt_keystore_rewrite_done(ngx_amt_sqlite_task_t *t);


void
ngx_amt_keystore_rewriter(ngx_amt_keystore_t *ks)
{
    if (ks->ring->n < 2) {
        return;
    }

    /* not at once: workers that still end may know the older keys only */

    ks->timer.handler = ngx_amt_keystore_rewrite_handler;
    ks->timer.data = ks;
    ks->timer.log = ngx_cycle->log;
    ks->timer.cancelable = 1;

    ngx_add_timer(&ks->timer, ks->rewrite);
}


static void
ngx_amt_keystore_rewrite_handler(ngx_event_t *ev)
{
    ngx_amt_keystore_rewrite_some(ev->data, NULL);
}


/* Starts, or goes on where last has ended. */

static void
ngx_amt_keystore_rewrite_some(ngx_amt_keystore_t *ks,
    ngx_amt_keystore_op_t *last)
{
    ngx_pool_t             *pool;
    ngx_amt_keystore_op_t  *op;

    if (ngx_exiting || ngx_terminate || ngx_quit) {
        return;
    }

    pool = ngx_create_pool(16384, ngx_cycle->log);
    if (pool == NULL) {
        goto again;
    }

    op = ngx_pcalloc(pool, sizeof(ngx_amt_keystore_op_t));
    if (op == NULL) {
        ngx_destroy_pool(pool);
        goto again;
    }

    op->pool = pool;
    op->type = NGX_AMT_KEYSTORE_REWRITE;
    op->ring = ks->ring;
    op->owner = ks;

    if (last) {
        op->key = last->key;
        op->rewritten = last->rewritten;
        op->unreadable = last->unreadable;
        op->after_version = last->after_version;
        op->after_path.len = last->after_path.len;
        op->after_path.data = ngx_pstrdup(pool, &last->after_path);

        if (op->after_path.data == NULL) {
            ngx_destroy_pool(pool);
            goto again;
        }

    } else {
        op->key = 1;
        ngx_str_set(&op->after_path, "");
    }

    op->task.run = ngx_amt_keystore_run;
    op->task.done = ngx_amt_keystore_rewrite_done;
    op->task.data = op;
    op->task.full = 1;

    if (ngx_amt_sqlite_db_write(&ks->db, &op->task) == NGX_OK) {
        return;
    }

    ngx_destroy_pool(pool);

again:

    ngx_add_timer(&ks->timer, NGX_AMT_KEYSTORE_AGAIN);
}


static void
ngx_amt_keystore_rewrite_done(ngx_amt_sqlite_task_t *t)
{
    ngx_amt_keystore_t     *ks;
    ngx_amt_keystore_op_t  *op;

    op = t->data;
    ks = op->owner;

    if (t->rc != NGX_OK) {

        /* rolled back: from the start, what is done needs no work again */

        if (!ngx_exiting) {
            ngx_add_timer(&ks->timer, NGX_AMT_KEYSTORE_AGAIN);
        }

    } else if (op->more) {
        ngx_amt_keystore_rewrite_some(ks, op);

    } else if (op->unreadable) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "keystore \"%V\": %ui values of older keys are "
                      "encrypted with key %*xs now, %ui cannot be read, "
                      "see above",
                      &ks->db.conf.path, op->rewritten,
                      (size_t) NGX_AMT_KEYSTORE_ID, ks->ring->keys[0].id,
                      op->unreadable);

    } else {
        ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                      "keystore \"%V\": all values are encrypted with key "
                      "%*xs now, %ui were rewritten; the other keys can be "
                      "removed from the key file",
                      &ks->db.conf.path, (size_t) NGX_AMT_KEYSTORE_ID,
                      ks->ring->keys[0].id, op->rewritten);
    }

    ngx_destroy_pool(op->pool);
}
