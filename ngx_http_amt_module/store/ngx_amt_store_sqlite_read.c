
/*
 * Reading operations of the store in SQLite.  Contract mps.md section 3.3.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "store/ngx_amt_store_sqlite.h"


#define NGX_AMT_STORE_SQLITE_MAX_BYTES  (32 * 1024 * 1024)
#define NGX_AMT_STORE_SQLITE_MAX_PAGE   0x7fffffff


static ngx_int_t ngx_amt_store_sqlite_get(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op);
static ngx_int_t ngx_amt_store_sqlite_list(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op);
static sqlite3_stmt *ngx_amt_store_sqlite_query(ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op, ngx_uint_t *once);
static sqlite3_stmt *ngx_amt_store_sqlite_many_tags(ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op);
static void ngx_amt_store_sqlite_page(sqlite3_stmt *stmt,
    ngx_amt_store_query_t *q);
static ngx_int_t ngx_amt_store_sqlite_rows(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op, sqlite3_stmt *stmt);
static ngx_amt_store_device_t *ngx_amt_store_sqlite_push(ngx_array_t *rows);
static ngx_int_t ngx_amt_store_sqlite_stats(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op, ngx_str_t *tenant);
static ngx_int_t ngx_amt_store_sqlite_tags(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op);
static ngx_int_t ngx_amt_store_sqlite_health(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c);
static ngx_int_t ngx_amt_store_sqlite_no_memory(ngx_amt_sqlite_task_t *t);


ngx_int_t
ngx_amt_store_sqlite_read(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op)
{
    switch (op->type) {

    case NGX_AMT_STORE_OP_GET:
        return ngx_amt_store_sqlite_get(t, c, op);

    case NGX_AMT_STORE_OP_LIST:
        return ngx_amt_store_sqlite_list(t, c, op);

    case NGX_AMT_STORE_OP_STATS:
        return ngx_amt_store_sqlite_stats(t, c, op, &op->tenant);

    case NGX_AMT_STORE_OP_TAGS:
        return ngx_amt_store_sqlite_tags(t, c, op);

    default:
        return ngx_amt_store_sqlite_health(t, c);
    }
}


static ngx_int_t
ngx_amt_store_sqlite_get(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op)
{
    int            rc;
    ngx_int_t      res;
    sqlite3_stmt  *stmt;

    stmt = ngx_amt_sqlite_stmt(c, NGX_AMT_STORE_SQL_GET);
    if (stmt == NULL) {
        return ngx_amt_sqlite_error(c, t, sqlite3_errcode(c->db), "get");
    }

    (void) ngx_amt_sqlite_bind(stmt, 1, &op->guid);

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_DONE) {
        res = NGX_DECLINED;

    } else if (rc != SQLITE_ROW) {
        res = ngx_amt_sqlite_error(c, t, rc, "get");

    } else if (ngx_amt_store_sqlite_row(stmt, op->pool, &op->row) != NGX_OK) {
        res = ngx_amt_store_sqlite_no_memory(t);

    } else if (op->tenant.data
               && (op->tenant.len != op->row.tenant.len
                   || ngx_memcmp(op->tenant.data, op->row.tenant.data,
                                 op->tenant.len)
                      != 0))
    {
        res = NGX_DECLINED;

    } else {
        res = NGX_OK;
    }

    ngx_amt_sqlite_reset(stmt);

    return res;
}


static ngx_int_t
ngx_amt_store_sqlite_list(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op)
{
    ngx_int_t      res;
    ngx_uint_t     n, once;
    sqlite3_stmt  *stmt;

    n = ngx_min(op->query.top, 32);

    if (ngx_array_init(&op->rows, op->pool, n ? n : 1,
                       sizeof(ngx_amt_store_device_t))
        != NGX_OK)
    {
        return ngx_amt_store_sqlite_no_memory(t);
    }

    stmt = ngx_amt_store_sqlite_query(c, op, &once);
    if (stmt == NULL) {
        return ngx_amt_sqlite_error(c, t, sqlite3_errcode(c->db), "list");
    }

    res = ngx_amt_store_sqlite_rows(t, c, op, stmt);

    if (once) {
        (void) sqlite3_finalize(stmt);

    } else {
        ngx_amt_sqlite_reset(stmt);
    }

    if (res == NGX_OK && op->query.stats) {
        return ngx_amt_store_sqlite_stats(t, c, op, &op->query.tenant);
    }

    return res;
}


static sqlite3_stmt *
ngx_amt_store_sqlite_query(ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op,
    ngx_uint_t *once)
{
    sqlite3_stmt           *stmt;
    ngx_amt_store_query_t  *q;

    q = &op->query;
    *once = 0;

    if (q->hostname.data) {
        stmt = ngx_amt_sqlite_stmt(c, NGX_AMT_STORE_SQL_HOSTNAME);

        if (stmt) {
            (void) ngx_amt_sqlite_bind(stmt, 2, &q->hostname);
        }

    } else if (q->friendly_name.data) {
        stmt = ngx_amt_sqlite_stmt(c, NGX_AMT_STORE_SQL_FRIENDLY_NAME);

        if (stmt) {
            (void) ngx_amt_sqlite_bind(stmt, 2, &q->friendly_name);
        }

    } else if (q->n_tags > 1) {
        stmt = ngx_amt_store_sqlite_many_tags(c, op);
        *once = 1;

    } else if (q->n_tags == 1) {
        stmt = ngx_amt_sqlite_stmt(c, NGX_AMT_STORE_SQL_TAG);

        if (stmt) {
            (void) ngx_amt_sqlite_bind(stmt, 4, &q->tags[0]);
            ngx_amt_store_sqlite_page(stmt, q);
        }

    } else {
        stmt = ngx_amt_sqlite_stmt(c, NGX_AMT_STORE_SQL_ALL);

        if (stmt) {
            ngx_amt_store_sqlite_page(stmt, q);
        }
    }

    if (stmt) {
        (void) ngx_amt_sqlite_bind(stmt, 1, &q->tenant);
    }

    return stmt;
}


/*
 * Any of the tags: SQLite merges the ordered streams of UNION and stops at
 * the end of the page.  All of them: one stream, the others are looked up.
 */

static sqlite3_stmt *
ngx_amt_store_sqlite_many_tags(ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op)
{
    int                     rc;
    u_char                 *sql, *p, *last;
    size_t                  size;
    ngx_uint_t              i;
    sqlite3_stmt           *stmt;
    ngx_amt_store_query_t  *q;

    q = &op->query;

    size = 512 + q->n_tags * 128;

    sql = ngx_pnalloc(op->pool, size);
    if (sql == NULL) {
        return NULL;
    }

    last = sql + size;

    p = ngx_slprintf(sql, last, "SELECT " NGX_AMT_STORE_COLUMNS
                     " FROM devices WHERE guid IN (");

    if (q->all_tags) {
        p = ngx_slprintf(p, last, "SELECT a.guid FROM device_tags a"
                         " WHERE a.tenantid = ?1 AND a.tag = ?4");

        for (i = 1; i < q->n_tags; i++) {
            p = ngx_slprintf(p, last, " AND EXISTS (SELECT 1 FROM device_tags"
                             " WHERE tenantid = ?1 AND tag = ?%ui"
                             " AND guid = a.guid)", i + 4);
        }

        p = ngx_slprintf(p, last, " ORDER BY a.guid");

    } else {
        for (i = 0; i < q->n_tags; i++) {
            p = ngx_slprintf(p, last, "%sSELECT guid FROM device_tags"
                             " WHERE tenantid = ?1 AND tag = ?%ui",
                             i ? " UNION " : "", i + 4);
        }

        p = ngx_slprintf(p, last, " ORDER BY guid");
    }

    p = ngx_slprintf(p, last, " LIMIT ?2 OFFSET ?3) ORDER BY guid");

    rc = sqlite3_prepare_v2(c->db, (char *) sql, (int) (p - sql), &stmt, NULL);
    if (rc != SQLITE_OK) {
        return NULL;
    }

    for (i = 0; i < q->n_tags; i++) {
        (void) ngx_amt_sqlite_bind(stmt, (int) i + 4, &q->tags[i]);
    }

    ngx_amt_store_sqlite_page(stmt, q);

    return stmt;
}


static void
ngx_amt_store_sqlite_page(sqlite3_stmt *stmt, ngx_amt_store_query_t *q)
{
    (void) sqlite3_bind_int64(stmt, 2,
                              ngx_min(q->top, NGX_AMT_STORE_SQLITE_MAX_PAGE));
    (void) sqlite3_bind_int64(stmt, 3,
                              ngx_min(q->skip, NGX_AMT_STORE_SQLITE_MAX_PAGE));
}


static ngx_int_t
ngx_amt_store_sqlite_rows(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op, sqlite3_stmt *stmt)
{
    int                      rc;
    size_t                   size;
    ngx_amt_store_device_t  *row;

    size = 0;

    for ( ;; ) {
        rc = sqlite3_step(stmt);

        if (rc == SQLITE_DONE) {
            return NGX_OK;
        }

        if (rc != SQLITE_ROW) {
            return ngx_amt_sqlite_error(c, t, rc, "list");
        }

        if (op->query.status != -1
            && op->query.status != sqlite3_column_int(stmt, 12))
        {
            continue;
        }

        row = ngx_amt_store_sqlite_push(&op->rows);

        if (row == NULL
            || ngx_amt_store_sqlite_row(stmt, op->pool, row) != NGX_OK)
        {
            return ngx_amt_store_sqlite_no_memory(t);
        }

        size += sizeof(ngx_amt_store_device_t) + row->guid.len
                + row->hostname.len + row->tags.len + row->mps_instance.len
                + row->mps_username.len + row->tenant.len
                + row->friendly_name.len + row->dns_suffix.len
                + row->device_info.len;

        if (size > NGX_AMT_STORE_SQLITE_MAX_BYTES) {
            t->code = NGX_AMT_ERR_INVALID;
            t->text = "the result is too large, ask for smaller pages";
            return NGX_ERROR;
        }
    }
}


/* As ngx_array_push(), which would keep all former, smaller arrays. */

static ngx_amt_store_device_t *
ngx_amt_store_sqlite_push(ngx_array_t *rows)
{
    void  *p;

    if (rows->nelts == rows->nalloc) {

        p = ngx_palloc(rows->pool, 2 * rows->nalloc * rows->size);
        if (p == NULL) {
            return NULL;
        }

        ngx_memcpy(p, rows->elts, rows->nelts * rows->size);
        (void) ngx_pfree(rows->pool, rows->elts);

        rows->elts = p;
        rows->nalloc *= 2;
    }

    return ngx_array_push(rows);
}


static ngx_int_t
ngx_amt_store_sqlite_stats(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op, ngx_str_t *tenant)
{
    int            rc;
    ngx_int_t      res;
    sqlite3_stmt  *stmt;

    stmt = ngx_amt_sqlite_stmt(c, NGX_AMT_STORE_SQL_STATS);
    if (stmt == NULL) {
        return ngx_amt_sqlite_error(c, t, sqlite3_errcode(c->db), "stats");
    }

    (void) ngx_amt_sqlite_bind(stmt, 1, tenant);

    rc = sqlite3_step(stmt);
    res = NGX_OK;

    if (rc == SQLITE_ROW) {
        op->stats.total = sqlite3_column_int64(stmt, 0);
        op->stats.connected = sqlite3_column_int64(stmt, 1);

    } else if (rc != SQLITE_DONE) {
        res = ngx_amt_sqlite_error(c, t, rc, "stats");
    }

    ngx_amt_sqlite_reset(stmt);

    return res;
}


static ngx_int_t
ngx_amt_store_sqlite_tags(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c,
    ngx_amt_store_op_t *op)
{
    int            rc;
    size_t         size;
    ngx_int_t      res;
    ngx_str_t     *tag;
    sqlite3_stmt  *stmt;

    if (ngx_array_init(&op->rows, op->pool, 16, sizeof(ngx_str_t))
        != NGX_OK)
    {
        return ngx_amt_store_sqlite_no_memory(t);
    }

    stmt = ngx_amt_sqlite_stmt(c, NGX_AMT_STORE_SQL_TAGS);
    if (stmt == NULL) {
        return ngx_amt_sqlite_error(c, t, sqlite3_errcode(c->db), "tags");
    }

    (void) ngx_amt_sqlite_bind(stmt, 1, &op->tenant);

    size = 0;

    for ( ;; ) {
        rc = sqlite3_step(stmt);

        if (rc == SQLITE_DONE) {
            res = NGX_OK;
            break;
        }

        if (rc != SQLITE_ROW) {
            res = ngx_amt_sqlite_error(c, t, rc, "tags");
            break;
        }

        size += sizeof(ngx_str_t) + sqlite3_column_bytes(stmt, 0);

        if (size > NGX_AMT_STORE_SQLITE_MAX_BYTES) {
            t->code = NGX_AMT_ERR_INVALID;
            t->text = "the tenant has too many tags for one answer";
            res = NGX_ERROR;
            break;
        }

        tag = ngx_array_push(&op->rows);

        if (tag == NULL
            || ngx_amt_sqlite_text(stmt, 0, op->pool, tag) != NGX_OK)
        {
            res = ngx_amt_store_sqlite_no_memory(t);
            break;
        }
    }

    ngx_amt_sqlite_reset(stmt);

    return res;
}


static ngx_int_t
ngx_amt_store_sqlite_health(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c)
{
    int            rc;
    sqlite3_stmt  *stmt;

    stmt = ngx_amt_sqlite_stmt(c, NGX_AMT_STORE_SQL_HEALTH);
    if (stmt == NULL) {
        return ngx_amt_sqlite_error(c, t, sqlite3_errcode(c->db), "health");
    }

    rc = sqlite3_step(stmt);

    ngx_amt_sqlite_reset(stmt);

    if (rc != SQLITE_ROW && rc != SQLITE_DONE) {
        return ngx_amt_sqlite_error(c, t, rc, "health");
    }

    return NGX_OK;
}


ngx_int_t
ngx_amt_store_sqlite_row(sqlite3_stmt *stmt, ngx_pool_t *pool,
    ngx_amt_store_device_t *row)
{
    int         i;
    int64_t    *t;
    ngx_str_t  *s[9];

    s[0] = &row->guid;
    s[1] = &row->hostname;
    s[2] = &row->tags;
    s[3] = &row->mps_instance;
    s[4] = &row->mps_username;
    s[5] = &row->tenant;
    s[6] = &row->friendly_name;
    s[7] = &row->dns_suffix;
    s[8] = &row->device_info;

    for (i = 0; i < 9; i++) {
        if (ngx_amt_sqlite_text(stmt, i, pool, s[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    for (i = 9; i < 12; i++) {
        t = (i == 9) ? &row->last_connected
                     : (i == 10) ? &row->last_seen : &row->last_disconnected;

        *t = (sqlite3_column_type(stmt, i) == SQLITE_NULL)
             ? NGX_AMT_STORE_NO_TIME : sqlite3_column_int64(stmt, i);
    }

    row->connected = sqlite3_column_int(stmt, 12) ? 1 : 0;
    row->version = (uint64_t) sqlite3_column_int64(stmt, 13);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_store_sqlite_no_memory(ngx_amt_sqlite_task_t *t)
{
    t->code = NGX_AMT_ERR_INTERNAL;
    t->text = "out of memory";

    return NGX_ERROR;
}
