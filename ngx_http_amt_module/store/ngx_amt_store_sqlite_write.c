
/*
 * Writing operations of the store in SQLite, each inside a savepoint of the
 * writer's transaction.  Contract mps.md sections 3.4 and 3.5.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "store/ngx_amt_store_sqlite.h"


static ngx_int_t ngx_amt_store_sqlite_change(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op);
static ngx_int_t ngx_amt_store_sqlite_failed(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, int rc, const char *what);
static ngx_int_t ngx_amt_store_sqlite_delete(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op);
static ngx_int_t ngx_amt_store_sqlite_events(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op);
static ngx_int_t ngx_amt_store_sqlite_reset(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op);
static ngx_int_t ngx_amt_store_sqlite_own(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op, ngx_array_t *gone);
static int ngx_libc_cdecl ngx_amt_store_sqlite_compare(const void *one,
    const void *two);


ngx_int_t
ngx_amt_store_sqlite_write(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op)
{
    switch (op->type) {

    case NGX_AMT_STORE_OP_INSERT:
    case NGX_AMT_STORE_OP_UPDATE:
        return ngx_amt_store_sqlite_change(t, c, op);

    case NGX_AMT_STORE_OP_DELETE:
        return ngx_amt_store_sqlite_delete(t, c, op);

    case NGX_AMT_STORE_OP_EVENTS:
        return ngx_amt_store_sqlite_events(t, c, op);

    default:
        return ngx_amt_store_sqlite_reset(t, c, op);
    }
}


static ngx_int_t
ngx_amt_store_sqlite_change(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op)
{
    int                      rc, i;
    const char              *what;
    ngx_int_t                res;
    ngx_str_t               *v[8];
    sqlite3_stmt            *stmt;
    ngx_amt_store_device_t   row;

    if (op->type == NGX_AMT_STORE_OP_INSERT) {
        stmt = ngx_amt_sqlite_stmt(c, NGX_AMT_STORE_SQL_INSERT);
        what = "insert";

    } else {
        stmt = ngx_amt_sqlite_stmt(c, NGX_AMT_STORE_SQL_UPDATE);
        what = "update";
    }

    if (stmt == NULL) {
        return ngx_amt_sqlite_error(c, t, sqlite3_errcode(c->db), what);
    }

    v[0] = &op->row.guid;
    v[1] = &op->row.tenant;
    v[2] = &op->row.hostname;
    v[3] = &op->row.tags;
    v[4] = &op->row.mps_username;
    v[5] = &op->row.friendly_name;
    v[6] = &op->row.dns_suffix;
    v[7] = &op->row.device_info;

    rc = SQLITE_OK;

    for (i = 0; i < 8 && rc == SQLITE_OK; i++) {
        rc = ngx_amt_sqlite_bind(stmt, i + 1, v[i]);
    }

    if (op->type == NGX_AMT_STORE_OP_UPDATE && rc == SQLITE_OK) {
        rc = sqlite3_bind_int64(stmt, 9, (int64_t) op->fields);
    }

    if (rc != SQLITE_OK) {
        ngx_amt_sqlite_reset(stmt);
        return ngx_amt_store_sqlite_failed(t, c, rc, what);
    }

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_DONE) {
        res = NGX_DECLINED;

    } else if (rc != SQLITE_ROW) {
        res = ngx_amt_store_sqlite_failed(t, c, rc, what);

    } else if (ngx_amt_store_sqlite_row(stmt, op->pool, &row) != NGX_OK) {
        t->code = NGX_AMT_ERR_INTERNAL;
        t->text = "out of memory";
        res = NGX_ERROR;

    } else {
        res = NGX_OK;

        rc = sqlite3_step(stmt);

        if (rc != SQLITE_DONE) {
            res = ngx_amt_store_sqlite_failed(t, c, rc, what);
        }

        op->row = row;
    }

    ngx_amt_sqlite_reset(stmt);

    return res;
}


/* Tells what the values of the client caused from what befell the database. */

static ngx_int_t
ngx_amt_store_sqlite_failed(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    int rc, const char *what)
{
    switch (rc) {

    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
        t->code = NGX_AMT_ERR_CONFLICT;
        t->text = "a device with this GUID exists";
        return NGX_ERROR;

    case SQLITE_TOOBIG:
    case SQLITE_ERROR:                           /* json_each() of tags */
        t->code = NGX_AMT_ERR_INVALID;
        t->text = "a value is too large or not JSON";
        return NGX_ERROR;
    }

    if ((rc & 0xff) == SQLITE_CONSTRAINT) {
        t->code = NGX_AMT_ERR_INVALID;
        t->text = "a value is missing or of the wrong type";
        return NGX_ERROR;
    }

    return ngx_amt_sqlite_error(c, t, rc, what);
}


static ngx_int_t
ngx_amt_store_sqlite_delete(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op)
{
    int            rc;
    sqlite3_stmt  *stmt;

    stmt = ngx_amt_sqlite_stmt(c, NGX_AMT_STORE_SQL_DELETE);
    if (stmt == NULL) {
        return ngx_amt_sqlite_error(c, t, sqlite3_errcode(c->db), "delete");
    }

    (void) ngx_amt_sqlite_bind(stmt, 1, &op->guid);
    (void) ngx_amt_sqlite_bind(stmt, 2, &op->tenant);

    rc = sqlite3_step(stmt);

    ngx_amt_sqlite_reset(stmt);

    if (rc != SQLITE_DONE) {
        return ngx_amt_sqlite_error(c, t, rc, "delete");
    }

    return sqlite3_changes(c->db) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_amt_store_sqlite_events(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op)
{
    int                     rc;
    ngx_uint_t              i, n;
    sqlite3_stmt           *stmt;
    ngx_amt_store_event_t  *e;

    for (i = 0; i < op->n; i++) {
        e = &op->events[i];

        /* one more must fit into SQLite's integer */

        if (e->generation >= (uint64_t) INT64_MAX) {
            t->code = NGX_AMT_ERR_INVALID;
            t->text = "generation is out of range";
            return NGX_ERROR;
        }

        n = (e->type == NGX_AMT_STORE_CONNECTED)
            ? NGX_AMT_STORE_SQL_CONNECTED
            : (e->type == NGX_AMT_STORE_DISCONNECTED)
              ? NGX_AMT_STORE_SQL_DISCONNECTED : NGX_AMT_STORE_SQL_SEEN;

        stmt = ngx_amt_sqlite_stmt(c, n);
        if (stmt == NULL) {
            return ngx_amt_sqlite_error(c, t, sqlite3_errcode(c->db),
                                        "events");
        }

        (void) ngx_amt_sqlite_bind(stmt, 1, &e->guid);

        if (n != NGX_AMT_STORE_SQL_DISCONNECTED) {
            (void) ngx_amt_sqlite_bind(stmt, 2, &op->instance);
        }

        (void) sqlite3_bind_int64(stmt, 3, e->time);
        (void) sqlite3_bind_int64(stmt, 4, (int64_t) e->generation);

        rc = sqlite3_step(stmt);

        ngx_amt_sqlite_reset(stmt);

        if (rc != SQLITE_DONE) {
            return ngx_amt_sqlite_error(c, t, rc, "events");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_store_sqlite_reset(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op)
{
    int            rc;
    ngx_str_t     *guid;
    ngx_uint_t     i;
    ngx_array_t    gone;
    sqlite3_stmt  *stmt;

    if (ngx_array_init(&gone, op->pool, 64, sizeof(ngx_str_t)) != NGX_OK) {
        t->code = NGX_AMT_ERR_INTERNAL;
        t->text = "out of memory";
        return NGX_ERROR;
    }

    /* the list is complete before the index it came from is changed */

    if (ngx_amt_store_sqlite_own(t, c, op, &gone) != NGX_OK) {
        return NGX_ERROR;
    }

    stmt = ngx_amt_sqlite_stmt(c, NGX_AMT_STORE_SQL_RESET);
    if (stmt == NULL) {
        return ngx_amt_sqlite_error(c, t, sqlite3_errcode(c->db), "reset");
    }

    guid = gone.elts;

    for (i = 0; i < gone.nelts; i++) {
        (void) ngx_amt_sqlite_bind(stmt, 1, &guid[i]);

        rc = sqlite3_step(stmt);

        ngx_amt_sqlite_reset(stmt);

        if (rc != SQLITE_DONE) {
            return ngx_amt_sqlite_error(c, t, rc, "reset");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_store_sqlite_own(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op, ngx_array_t *gone)
{
    int            rc;
    ngx_int_t      res;
    ngx_str_t      key, *guid;
    sqlite3_stmt  *stmt;

    stmt = ngx_amt_sqlite_stmt(c, NGX_AMT_STORE_SQL_OWN);
    if (stmt == NULL) {
        return ngx_amt_sqlite_error(c, t, sqlite3_errcode(c->db), "reset");
    }

    (void) ngx_amt_sqlite_bind(stmt, 1, &op->instance);

    for ( ;; ) {
        rc = sqlite3_step(stmt);

        if (rc == SQLITE_DONE) {
            res = NGX_OK;
            break;
        }

        if (rc != SQLITE_ROW) {
            res = ngx_amt_sqlite_error(c, t, rc, "reset");
            break;
        }

        key.data = (u_char *) sqlite3_column_text(stmt, 0);
        key.len = sqlite3_column_bytes(stmt, 0);

        if (key.data
            && op->n
            && bsearch(&key, op->keep, op->n, sizeof(ngx_str_t),
                       ngx_amt_store_sqlite_compare))
        {
            continue;
        }

        guid = ngx_array_push(gone);

        if (guid == NULL
            || ngx_amt_sqlite_text(stmt, 0, op->pool, guid) != NGX_OK)
        {
            t->code = NGX_AMT_ERR_INTERNAL;
            t->text = "out of memory";
            res = NGX_ERROR;
            break;
        }
    }

    ngx_amt_sqlite_reset(stmt);

    return res;
}


static int ngx_libc_cdecl
ngx_amt_store_sqlite_compare(const void *one, const void *two)
{
    const ngx_str_t  *a, *b;

    a = one;
    b = two;

    return (int) ngx_memn2cmp(a->data, b->data, a->len, b->len);
}
