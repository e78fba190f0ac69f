
/*
 * Making a database: permission check, creation, schema migrations, and the
 * process with the identity of a worker that does both.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "store/ngx_amt_sqlite.h"


static ngx_int_t ngx_amt_sqlite_versions(ngx_amt_sqlite_t *c,
    ngx_amt_sqlite_task_t *t, int64_t *application, int64_t *version,
    int64_t *objects);
static ngx_int_t ngx_amt_sqlite_migrate(ngx_amt_sqlite_t *c,
    ngx_amt_sqlite_task_t *t);
static ngx_int_t ngx_amt_sqlite_wal_mode(ngx_amt_sqlite_t *c,
    ngx_amt_sqlite_task_t *t);
static ngx_int_t ngx_amt_sqlite_identity(ngx_cycle_t *cycle, ngx_log_t *log);


ngx_int_t
ngx_amt_sqlite_prepare(const ngx_amt_sqlite_conf_t *conf, ngx_log_t *log)
{
    int                    rc;
    ngx_int_t              res;
    ngx_amt_sqlite_t       c;
    ngx_amt_sqlite_task_t  t;

    ngx_memzero(&t, sizeof(ngx_amt_sqlite_task_t));

    ngx_amt_sqlite_init(&c, conf, 1, log);

    c.busy_until = ngx_amt_sqlite_now() + conf->busy;

    res = ngx_amt_sqlite_lock(&c, &t);
    if (res != NGX_OK) {
        goto done;
    }

    rc = sqlite3_open_v2((char *) conf->path.data, &c.db,
                         SQLITE_OPEN_READWRITE|SQLITE_OPEN_CREATE
                         |SQLITE_OPEN_NOMUTEX,
                         NULL);
    if (rc != SQLITE_OK) {
        res = ngx_amt_sqlite_error(&c, &t, rc, "opening");
        goto done;
    }

    (void) sqlite3_extended_result_codes(c.db, 1);
    (void) sqlite3_busy_timeout(c.db, (int) conf->busy);
    (void) sqlite3_db_config(c.db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);

    res = ngx_amt_sqlite_exec(&c, &t, "PRAGMA synchronous=FULL;"
                                      "PRAGMA secure_delete=ON");

    if (res == NGX_OK) {
        res = ngx_amt_sqlite_migrate(&c, &t);
    }

    if (res == NGX_OK) {
        res = ngx_amt_sqlite_wal_mode(&c, &t);
    }

done:

    ngx_amt_sqlite_close(&c);

    if (res != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "%s \"%V\" cannot be used: %s",
                      conf->schema->name, &conf->path,
                      t.text ? t.text : "see above");
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_sqlite_migrate(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t)
{
    char                            sql[128];
    int64_t                         application, version, objects;
    const ngx_amt_sqlite_schema_t  *schema;

    schema = c->conf->schema;

    for ( ;; ) {

        /* the version is read under the write lock: another process may
           have migrated in between */

        if (ngx_amt_sqlite_exec(c, t, "BEGIN IMMEDIATE") != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_amt_sqlite_versions(c, t, &application, &version, &objects)
            != NGX_OK)
        {
            goto failed;
        }

        if (application != schema->application_id
            && (application || version || objects))
        {
            t->text = "it belongs to another application, name another file";
            goto failed;
        }

        if (version < 0 || version > (int64_t) schema->nmigrations) {
            ngx_log_error(NGX_LOG_EMERG, c->log, 0,
                          "%s \"%V\" has schema version %L, this build knows "
                          "versions up to %ui: it was made by a newer "
                          "version of the module; use that version, or "
                          "restore a backup from before the upgrade",
                          schema->name, &c->conf->path, version,
                          schema->nmigrations);
            t->text = "its schema is too new";
            goto failed;
        }

        if (version == (int64_t) schema->nmigrations) {
            return ngx_amt_sqlite_exec(c, t, "COMMIT");
        }

        ngx_memzero(sql, sizeof(sql));
        (void) ngx_snprintf((u_char *) sql, sizeof(sql) - 1,
                            "PRAGMA application_id=%D;PRAGMA user_version=%L",
                            schema->application_id, version + 1);

        if (ngx_amt_sqlite_exec(c, t, schema->migrations[version]) != NGX_OK
            || ngx_amt_sqlite_exec(c, t, sql) != NGX_OK
            || ngx_amt_sqlite_exec(c, t, "COMMIT") != NGX_OK)
        {
            goto failed;
        }

        ngx_log_error(NGX_LOG_NOTICE, c->log, 0,
                      "%s \"%V\": schema version %L %s",
                      schema->name, &c->conf->path, version + 1,
                      version ? "after migration" : "created");
    }

failed:

    if (!sqlite3_get_autocommit(c->db)) {
        (void) sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    }

    return NGX_ERROR;
}


static ngx_int_t
ngx_amt_sqlite_versions(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t,
    int64_t *application, int64_t *version, int64_t *objects)
{
    int            rc;
    sqlite3_stmt  *stmt;

    *application = 0;
    *version = 0;
    *objects = 0;

    rc = sqlite3_prepare_v2(c->db,
                            "SELECT a.application_id, v.user_version,"
                            " (SELECT count(*) FROM sqlite_schema)"
                            " FROM pragma_application_id a,"
                            " pragma_user_version v",
                            -1, &stmt, NULL);
    if (rc != SQLITE_OK) {
        return ngx_amt_sqlite_error(c, t, rc, "reading its version");
    }

    rc = sqlite3_step(stmt);

    if (rc == SQLITE_ROW) {
        *application = sqlite3_column_int64(stmt, 0);
        *version = sqlite3_column_int64(stmt, 1);
        *objects = sqlite3_column_int64(stmt, 2);
    }

    (void) sqlite3_finalize(stmt);

    if (rc != SQLITE_ROW) {
        return ngx_amt_sqlite_error(c, t, rc, "reading its version");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_sqlite_wal_mode(ngx_amt_sqlite_t *c, ngx_amt_sqlite_task_t *t)
{
    int            rc;
    ngx_uint_t     wal;
    sqlite3_stmt  *stmt;

    rc = sqlite3_prepare_v2(c->db, "PRAGMA journal_mode=WAL", -1, &stmt, NULL);
    if (rc != SQLITE_OK) {
        return ngx_amt_sqlite_error(c, t, rc, "PRAGMA journal_mode=WAL");
    }

    rc = sqlite3_step(stmt);
    wal = 0;

    if (rc == SQLITE_ROW) {
        wal = (ngx_strcasecmp((u_char *) sqlite3_column_text(stmt, 0),
                              (u_char *) "wal")
               == 0);
    }

    (void) sqlite3_finalize(stmt);

    if (rc != SQLITE_ROW) {
        return ngx_amt_sqlite_error(c, t, rc, "PRAGMA journal_mode=WAL");
    }

    if (!wal) {
        t->text = "its file system has no shared memory, as WAL needs it: "
                  "put it on a local disk";
        return NGX_ERROR;
    }

    return NGX_OK;
}


ngx_int_t
ngx_amt_sqlite_access(const ngx_amt_sqlite_conf_t *conf, ngx_log_t *log)
{
    char             *dir, *p;
    ngx_int_t         rc;
    ngx_file_info_t   fi;

    rc = NGX_ERROR;

    dir = strdup((char *) conf->path.data);
    if (dir == NULL) {
        return NGX_ERROR;
    }

    p = strrchr(dir, '/');

    if (p == NULL || p[1] == '\0') {
        ngx_log_error(NGX_LOG_EMERG, log, 0,
                      "%s \"%V\" is not the name of a file",
                      conf->schema->name, &conf->path);
        goto done;
    }

    *(p == dir ? p + 1 : p) = '\0';

    if (access(dir, R_OK|W_OK|X_OK) == -1) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "%s \"%V\": directory \"%s\" must exist and be "
                      "writable by the user of the worker processes",
                      conf->schema->name, &conf->path, dir);
        goto done;
    }

    if (ngx_file_info(conf->path.data, &fi) == NGX_FILE_ERROR) {

        if (ngx_errno == NGX_ENOENT) {
            rc = NGX_OK;
            goto done;
        }

        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      ngx_file_info_n " \"%V\" failed", &conf->path);
        goto done;
    }

    if (!ngx_is_file(&fi)) {
        ngx_log_error(NGX_LOG_EMERG, log, 0, "%s \"%V\" is not a file",
                      conf->schema->name, &conf->path);
        goto done;
    }

    if (access((char *) conf->path.data, R_OK|W_OK) == -1) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "%s \"%V\" must be readable and writable by the user "
                      "of the worker processes",
                      conf->schema->name, &conf->path);
        goto done;
    }

    rc = NGX_OK;

done:

    free(dir);

    return rc;
}


ngx_int_t
ngx_amt_sqlite_as_worker(ngx_amt_sqlite_job_pt job,
    const ngx_amt_sqlite_conf_t *conf, ngx_cycle_t *cycle, ngx_log_t *log)
{
    int        fd[2];
    char       res;
    pid_t      pid;
    ssize_t    n;
    ngx_err_t  err;

    /*
     * The result comes through a pipe: the exit status may already have been
     * taken by nginx's own SIGCHLD handler.
     */

    if (pipe(fd) == -1) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, "pipe() failed");
        return NGX_ERROR;
    }

    pid = fork();

    if (pid == -1) {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno, "fork() failed");
        (void) close(fd[0]);
        (void) close(fd[1]);
        return NGX_ERROR;
    }

    if (pid == 0) {
        (void) close(fd[0]);
        (void) umask(0077);

        res = 1;

        if (ngx_amt_sqlite_identity(cycle, log) == NGX_OK
            && job(conf, log) == NGX_OK)
        {
            res = 0;
        }

        n = write(fd[1], &res, 1);

        _exit(n == 1 ? res : 1);
    }

    (void) close(fd[1]);

    res = 1;

    do {
        n = read(fd[0], &res, 1);
        err = (n == -1) ? ngx_errno : 0;
    } while (err == NGX_EINTR);

    (void) close(fd[0]);

    while (waitpid(pid, NULL, 0) == -1 && ngx_errno == NGX_EINTR) {
        /* void */
    }

    if (n != 1) {
        ngx_log_error(NGX_LOG_EMERG, log, err,
                      "the process that prepares %s \"%V\" died",
                      conf->schema->name, &conf->path);
        return NGX_ERROR;
    }

    return res ? NGX_ERROR : NGX_OK;
}


static ngx_int_t
ngx_amt_sqlite_identity(ngx_cycle_t *cycle, ngx_log_t *log)
{
    struct passwd    *pwd;
    ngx_core_conf_t  *ccf;

    if (geteuid() != 0) {
        return NGX_OK;
    }

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    /* "user" may follow "http": the default is not set yet then */

    if (ccf->user == (ngx_uid_t) NGX_CONF_UNSET_UINT) {

        ngx_set_errno(0);
        pwd = getpwnam(NGX_USER);

        if (pwd == NULL) {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                          "getpwnam(\"" NGX_USER "\") failed");
            return NGX_ERROR;
        }

        if (setgid(pwd->pw_gid) == -1
            || initgroups(NGX_USER, pwd->pw_gid) == -1
            || setuid(pwd->pw_uid) == -1)
        {
            ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                          "taking the identity of \"" NGX_USER "\" failed");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    if (setgid(ccf->group) == -1
        || initgroups(ccf->username, ccf->group) == -1
        || setuid(ccf->user) == -1)
    {
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "taking the identity of \"%s\" failed", ccf->username);
        return NGX_ERROR;
    }

    return NGX_OK;
}
