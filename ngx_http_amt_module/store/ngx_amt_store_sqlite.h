
/*
 * SQLite backend of the store.  Private to store/.
 */


#ifndef _NGX_AMT_STORE_SQLITE_H_INCLUDED_
#define _NGX_AMT_STORE_SQLITE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "store/ngx_amt_store_op.h"
#include "store/ngx_amt_sqlite.h"


/* Statements of the schema, in the order of ngx_amt_store_schema. */

typedef enum {
    NGX_AMT_STORE_SQL_GET = 0,
    NGX_AMT_STORE_SQL_ALL,
    NGX_AMT_STORE_SQL_HOSTNAME,
    NGX_AMT_STORE_SQL_FRIENDLY_NAME,
    NGX_AMT_STORE_SQL_TAG,
    NGX_AMT_STORE_SQL_STATS,
    NGX_AMT_STORE_SQL_TAGS,
    NGX_AMT_STORE_SQL_HEALTH,
    NGX_AMT_STORE_SQL_INSERT,
    NGX_AMT_STORE_SQL_UPDATE,
    NGX_AMT_STORE_SQL_DELETE,
    NGX_AMT_STORE_SQL_CONNECTED,
    NGX_AMT_STORE_SQL_DISCONNECTED,
    NGX_AMT_STORE_SQL_SEEN,
    NGX_AMT_STORE_SQL_OWN,
    NGX_AMT_STORE_SQL_RESET,
    NGX_AMT_STORE_SQL_MAX
} ngx_amt_store_sql_e;


/* Columns of a row, as ngx_amt_store_sqlite_row() reads them. */

#define NGX_AMT_STORE_COLUMNS                                                 \
    "guid,hostname,tags,mpsinstance,mpsusername,tenantid,friendlyname,"       \
    "dnssuffix,deviceinfo,lastconnected,lastseen,lastdisconnected,"           \
    "connectionstatus,version"


extern const ngx_amt_sqlite_schema_t  ngx_amt_store_schema;
extern const ngx_amt_store_backend_t  ngx_amt_store_sqlite;


/* Runs an operation (t->data) in a thread; ngx_amt_sqlite_run_pt. */
ngx_int_t ngx_amt_store_sqlite_run(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c);

/* The parts of it. */
ngx_int_t ngx_amt_store_sqlite_read(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op);
ngx_int_t ngx_amt_store_sqlite_write(ngx_amt_sqlite_task_t *t,
    ngx_amt_sqlite_t *c, ngx_amt_store_op_t *op);

/* Copies the row of a statement that has one; NGX_ERROR: no memory. */
ngx_int_t ngx_amt_store_sqlite_row(sqlite3_stmt *stmt, ngx_pool_t *pool,
    ngx_amt_store_device_t *row);


#endif /* _NGX_AMT_STORE_SQLITE_H_INCLUDED_ */
