
/* What the store's and the keystore's unit tests share. */


#ifndef _STORE_ENV_H_INCLUDED_
#define _STORE_ENV_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ftw.h>
#include <sys/file.h>
#include <sys/wait.h>
#include "tap.h"
#include "store/ngx_amt_sqlite.h"


static char             env_dir[64];
static ngx_log_t        env_log;
static ngx_open_file_t  env_log_file;


static void
env_init(void)
{
    char  name[128];

    ngx_pagesize = getpagesize();
    ngx_pid = getpid();
    ngx_time_init();
    ngx_use_stderr = 0;

    strcpy(env_dir, "/tmp/amt-unit-XXXXXX");

    if (mkdtemp(env_dir) == NULL) {
        perror("mkdtemp");
        exit(1);
    }

    snprintf(name, sizeof(name), "%s/log", env_dir);

    env_log_file.fd = open(name, O_CREAT|O_RDWR|O_APPEND, 0666);
    env_log.file = &env_log_file;
    env_log.log_level = NGX_LOG_INFO;
}


static int
env_remove(const char *path, const struct stat *st, int flag, struct FTW *f)
{
    return remove(path);
}


static void
env_done(void)
{
    close(env_log_file.fd);
    nftw(env_dir, env_remove, 16, FTW_DEPTH|FTW_PHYS);
}


/* Does the log hold this text, since the last call? */

static int
env_logged(const char *text)
{
    int            found;
    char          *buf;
    off_t          size;
    static off_t   from;

    size = lseek(env_log_file.fd, 0, SEEK_END);
    buf = calloc(1, size - from + 1);

    found = pread(env_log_file.fd, buf, size - from, from) > 0
            && strstr(buf, text) != NULL;

    if (!found) {
        printf("# log: %s\n", buf);
    }

    from = size;
    free(buf);

    return found;
}


static void
env_conf(ngx_amt_sqlite_conf_t *conf, const char *name,
    const ngx_amt_sqlite_schema_t *schema)
{
    char  buf[256];

    memset(conf, 0, sizeof(*conf));

    snprintf(buf, sizeof(buf), "%s/%s", env_dir, name);
    conf->path.data = (u_char *) strdup(buf);
    conf->path.len = strlen(buf);

    snprintf(buf, sizeof(buf), "%s/%s-lock", env_dir, name);
    conf->lock.data = (u_char *) strdup(buf);
    conf->lock.len = strlen(buf);

    conf->schema = schema;
    conf->busy = 300;
}


static void
env_conf_free(ngx_amt_sqlite_conf_t *conf)
{
    free(conf->path.data);
    free(conf->lock.data);
}


/* Runs SQL on a connection of its own; returns the first column as integer */

static long
env_sql(ngx_amt_sqlite_conf_t *conf, const char *sql)
{
    int            rc;
    long           n;
    sqlite3       *db;
    const char    *tail;
    sqlite3_stmt  *stmt;

    n = -1;

    if (sqlite3_open((char *) conf->path.data, &db) != SQLITE_OK) {
        printf("# open: %s\n", sqlite3_errmsg(db));
        sqlite3_close(db);
        return -2;
    }

    sqlite3_busy_timeout(db, 2000);

    for (tail = sql; *tail; /* void */ ) {

        if (sqlite3_prepare_v2(db, tail, -1, &stmt, &tail) != SQLITE_OK) {
            printf("# %s: %s\n", sql, sqlite3_errmsg(db));
            n = -3;
            break;
        }

        if (stmt == NULL) {
            break;
        }

        rc = sqlite3_step(stmt);

        if (rc == SQLITE_ROW) {
            n = (long) sqlite3_column_int64(stmt, 0);

        } else if (rc != SQLITE_DONE) {
            printf("# %s: %s\n", sql, sqlite3_errmsg(db));
            n = -4;
        }

        sqlite3_finalize(stmt);
    }

    sqlite3_close(db);

    return n;
}


/* Waits for a child; returns its exit status, or 1000 + signal */

static int
env_wait(pid_t pid)
{
    int  status;

    if (waitpid(pid, &status, 0) != pid) {
        return -1;
    }

    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}


#endif /* _STORE_ENV_H_INCLUDED_ */
