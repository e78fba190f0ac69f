
/*
 * A look into the store when the configuration is read: are there devices?
 * It changes nothing and makes no file, not even those of the write-ahead
 * log.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "store/ngx_amt_store_peek.h"


static ngx_int_t ngx_amt_store_peek_uri(const ngx_amt_sqlite_conf_t *conf,
    u_char **uri);


ngx_int_t
ngx_amt_store_peek(const ngx_amt_sqlite_conf_t *conf)
{
    u_char        *uri;
    sqlite3       *db;
    ngx_int_t      rc;
    sqlite3_stmt  *stmt;

    if (ngx_amt_store_peek_uri(conf, &uri) != NGX_OK) {
        return NGX_ERROR;
    }

    rc = NGX_ERROR;
    stmt = NULL;

    if (sqlite3_open_v2((char *) uri, &db,
                        SQLITE_OPEN_READONLY|SQLITE_OPEN_URI
                        |SQLITE_OPEN_NOMUTEX,
                        NULL)
        != SQLITE_OK)
    {
        goto done;
    }

    (void) sqlite3_busy_timeout(db, (int) conf->busy);
    (void) sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);

    /* an error: no table, or no database of ours, which others report */

    if (sqlite3_prepare_v2(db, "SELECT 1 FROM devices LIMIT 1", -1, &stmt,
                           NULL)
        != SQLITE_OK)
    {
        goto done;
    }

    switch (sqlite3_step(stmt)) {

    case SQLITE_ROW:
        rc = NGX_OK;
        break;

    case SQLITE_DONE:
        rc = NGX_DECLINED;
        break;

    default:
        break;
    }

done:

    (void) sqlite3_finalize(stmt);
    (void) sqlite3_close(db);

    free(uri);

    return rc;
}


/*
 * "file:PATH?immutable=1" when there is no log: SQLite would make one to read
 * a database of this mode, and leave it.
 */

static ngx_int_t
ngx_amt_store_peek_uri(const ngx_amt_sqlite_conf_t *conf, u_char **uri)
{
    u_char           *p, *wal;
    uintptr_t         n;
    ngx_file_info_t   fi;

    wal = malloc(conf->path.len + sizeof("-wal"));
    if (wal == NULL) {
        return NGX_ERROR;
    }

    p = ngx_cpymem(wal, conf->path.data, conf->path.len);
    (void) ngx_cpystrn(p, (u_char *) "-wal", sizeof("-wal"));

    n = 2 * ngx_escape_uri(NULL, conf->path.data, conf->path.len,
                           NGX_ESCAPE_URI_COMPONENT);

    *uri = malloc(sizeof("file:?immutable=1") + conf->path.len + n);

    if (*uri) {
        p = ngx_cpymem(*uri, "file:", 5);
        p = (u_char *) ngx_escape_uri(p, conf->path.data, conf->path.len,
                                      NGX_ESCAPE_URI_COMPONENT);
        *p = '\0';

        if (ngx_file_info(wal, &fi) == NGX_FILE_ERROR) {
            (void) ngx_cpystrn(p, (u_char *) "?immutable=1",
                               sizeof("?immutable=1"));
        }
    }

    free(wal);

    return *uri ? NGX_OK : NGX_ERROR;
}
