
/*
 * The store's SQLite layer without nginx's event loop: schema, operations,
 * transactions, several processes, and a file that fails.
 */


#include "store_env.h"
#include "store/ngx_amt_store_sqlite.h"
#include <sys/resource.h>


typedef struct {
    ngx_amt_sqlite_task_t  task;                 /* first */
    ngx_amt_store_op_t     op;
} test_op_t;


static ngx_amt_sqlite_conf_t  conf;
static ngx_amt_sqlite_t       reader, writer;


static test_op_t *
op_new(ngx_amt_store_op_e type)
{
    test_op_t   *o;
    ngx_pool_t  *pool;

    pool = ngx_create_pool(2048, &env_log);

    o = ngx_pcalloc(pool, sizeof(test_op_t));
    o->op.pool = pool;
    o->op.type = type;
    o->op.query.status = -1;
    o->op.query.top = 25;
    o->task.run = ngx_amt_store_sqlite_run;
    o->task.data = &o->op;
    o->task.full = 1;

    return o;
}


static void
op_free(test_op_t *o)
{
    ngx_destroy_pool(o->op.pool);
}


static ngx_str_t
str(const char *s)
{
    ngx_str_t  r;

    r.data = (u_char *) s;
    r.len = s ? strlen(s) : 0;

    return r;
}


static int
is(ngx_str_t *s, const char *text)
{
    if (text == NULL) {
        return s->data == NULL;
    }

    return s->data && s->len == strlen(text)
           && memcmp(s->data, text, s->len) == 0;
}


/* One operation in a transaction of its own, or one read */

static ngx_int_t
run(test_op_t *o)
{
    ngx_queue_t  q;

    if (o->op.type < NGX_AMT_STORE_OP_INSERT) {
        ngx_amt_sqlite_read(&reader, &o->task);

    } else {
        ngx_queue_init(&q);
        ngx_queue_insert_tail(&q, &o->task.queue);
        ngx_amt_sqlite_write(&writer, &q);
    }

    return o->task.rc;
}


static const char *
guid(int n)
{
    static int   i;
    static char  buf[8][40];

    i = (i + 1) % 8;
    snprintf(buf[i], sizeof(buf[i]), "%08x-0000-4000-8000-0123456789ab", n);

    return buf[i];
}


static test_op_t *
op_insert(int n, const char *tenant, const char *tags)
{
    test_op_t  *o;

    o = op_new(NGX_AMT_STORE_OP_INSERT);

    o->op.row.guid.len = 36;
    o->op.row.guid.data = ngx_pnalloc(o->op.pool, 36);
    memcpy(o->op.row.guid.data, guid(n), 36);
    o->op.row.tenant = str(tenant);
    o->op.row.tags = str(tags);

    return o;
}


static ngx_int_t
insert(int n, const char *tenant, const char *tags)
{
    ngx_int_t   rc;
    test_op_t  *o;

    o = op_insert(n, tenant, tags);
    rc = run(o);
    op_free(o);

    return rc;
}


static ngx_int_t
event(ngx_amt_store_event_e type, int n, uint64_t generation, int64_t time)
{
    ngx_int_t               rc;
    test_op_t              *o;
    ngx_amt_store_event_t   e;

    o = op_new(NGX_AMT_STORE_OP_EVENTS);
    o->op.instance = str("gw1");
    o->op.events = &e;
    o->op.n = 1;
    e.type = type;
    e.guid = str(guid(n));
    e.generation = generation;
    e.time = time;

    rc = run(o);
    op_free(o);

    return rc;
}


static int
connected(int n)
{
    int         rc;
    test_op_t  *o;

    o = op_new(NGX_AMT_STORE_OP_GET);
    o->op.guid = str(guid(n));
    rc = (run(o) == NGX_OK) ? (int) o->op.row.connected : -1;
    op_free(o);

    return rc;
}


static int
stats(const char *tenant, ngx_uint_t total, ngx_uint_t online)
{
    int         rc;
    test_op_t  *o;

    o = op_new(NGX_AMT_STORE_OP_STATS);
    o->op.tenant = str(tenant);
    rc = run(o) == NGX_OK && o->op.stats.total == total
         && o->op.stats.connected == online;

    if (!rc) {
        printf("# total %d connected %d\n", (int) o->op.stats.total,
               (int) o->op.stats.connected);
    }

    op_free(o);

    return rc;
}


/* The rows of a list as "1 2 3", by the number in the GUID */

static const char *
list(test_op_t *o)
{
    unsigned                 n;
    static char              buf[512];
    char                    *p;
    ngx_uint_t               i;
    ngx_amt_store_device_t  *row;

    buf[0] = '\0';
    p = buf;

    if (run(o) != NGX_OK) {
        snprintf(buf, sizeof(buf), "error %d", o->task.code);

    } else {
        row = o->op.rows.elts;

        for (i = 0; i < o->op.rows.nelts; i++) {
            sscanf((char *) row[i].guid.data, "%8x", &n);
            p += sprintf(p, "%s%u", i ? " " : "", n);
        }
    }

    op_free(o);

    return buf;
}


static test_op_t *
op_list(const char *tenant, ngx_uint_t top, ngx_uint_t skip)
{
    test_op_t  *o;

    o = op_new(NGX_AMT_STORE_OP_LIST);
    o->op.query.tenant = str(tenant);
    o->op.query.top = top;
    o->op.query.skip = skip;

    return o;
}


static test_op_t *
op_tags(const char *tenant, int all, int n, const char *a, const char *b,
    const char *c)
{
    test_op_t  *o;

    o = op_list(tenant, 25, 0);
    o->op.query.n_tags = n;
    o->op.query.all_tags = all;
    o->op.query.tags = ngx_palloc(o->op.pool, 3 * sizeof(ngx_str_t));
    o->op.query.tags[0] = str(a);
    o->op.query.tags[1] = str(b);
    o->op.query.tags[2] = str(c);

    return o;
}


static int
consistent(ngx_amt_sqlite_conf_t *cf)
{
    return env_sql(cf, "SELECT (SELECT coalesce(sum(total), 0) FROM tenants)"
                       " = (SELECT count(*) FROM devices)"
                       " AND (SELECT coalesce(sum(connected), 0) FROM tenants)"
                       " = (SELECT count(*) FROM devices"
                       " WHERE connectionstatus = 1)"
                       " AND (SELECT count(*) FROM device_tags)"
                       " = (SELECT count(DISTINCT d.guid || j.value)"
                       " FROM devices d, json_each(d.tags) j)")
           == 1
           && env_sql(cf, "SELECT integrity_check = 'ok'"
                          " FROM pragma_integrity_check")
              == 1;
}


static void
test_prepare(void)
{
    int                      i, good;
    pid_t                    pid[6];
    ngx_amt_sqlite_conf_t    cf;
    ngx_amt_sqlite_schema_t  schema;
    const char              *migrations[2];

    ok(ngx_amt_sqlite_prepare(&conf, &env_log) == NGX_OK, "creates");
    ok(env_logged("schema version 1 created"), "says so");
    ok(ngx_amt_sqlite_prepare(&conf, &env_log) == NGX_OK, "finds it made");
    ok(env_sql(&conf, "SELECT journal_mode = 'wal' FROM pragma_journal_mode")
       == 1, "WAL");

    /* the next version of the module, then this one again */

    migrations[0] = ngx_amt_store_schema.migrations[0];
    migrations[1] = "ALTER TABLE devices ADD COLUMN more TEXT;"
                    "UPDATE devices SET more = hostname;";
    schema = ngx_amt_store_schema;
    schema.migrations = migrations;
    schema.nmigrations = 2;

    env_conf(&cf, "next.db", &ngx_amt_store_schema);
    ok(ngx_amt_sqlite_prepare(&cf, &env_log) == NGX_OK, "version 1");
    cf.schema = &schema;

    for (i = 0; i < 6; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            cf.busy = 20000;
            _exit(ngx_amt_sqlite_prepare(&cf, &env_log) == NGX_OK ? 0 : 1);
        }
    }

    for (good = 0, i = 0; i < 6; i++) {
        good += env_wait(pid[i]) == 0;
    }

    ok(good == 6, "six processes migrate at once");
    ok(env_logged("schema version 2 after migration"), "one does it");
    ok(env_sql(&cf, "SELECT user_version FROM pragma_user_version") == 2,
       "version 2");

    cf.schema = &ngx_amt_store_schema;
    ok(ngx_amt_sqlite_prepare(&cf, &env_log) == NGX_ERROR,
       "a newer schema is refused");
    ok(env_logged("made by a newer version of the module"), "with a reason");

    /* a migration that fails leaves the version before */

    migrations[1] = "CREATE TABLE half (a); CREATE TABLE devices (a);";
    cf.schema = &schema;
    env_sql(&cf, "PRAGMA user_version = 1");
    ok(ngx_amt_sqlite_prepare(&cf, &env_log) == NGX_ERROR, "bad migration");
    ok(env_sql(&cf, "SELECT user_version FROM pragma_user_version") == 1
       && env_sql(&cf, "SELECT count(*) FROM sqlite_schema"
                       " WHERE name = 'half'") == 0, "is rolled back");
    env_conf_free(&cf);

    env_conf(&cf, "other.db", &ngx_amt_store_schema);
    env_sql(&cf, "CREATE TABLE theirs (a)");
    ok(ngx_amt_sqlite_prepare(&cf, &env_log) == NGX_ERROR
       && env_logged("belongs to another application"),
       "another application's file");
    env_sql(&cf, "DROP TABLE theirs; PRAGMA application_id = 77");
    ok(ngx_amt_sqlite_prepare(&cf, &env_log) == NGX_ERROR
       && env_logged("belongs to another application"), "by its id");
    env_conf_free(&cf);

    env_conf(&cf, "none/x.db", &ngx_amt_store_schema);
    ok(ngx_amt_sqlite_access(&cf, &env_log) == NGX_ERROR
       && env_logged("must exist and be writable"), "no directory");
    ok(ngx_amt_sqlite_prepare(&cf, &env_log) == NGX_ERROR, "no directory");
    env_conf_free(&cf);

    env_conf(&cf, "new.db", &ngx_amt_store_schema);
    ok(ngx_amt_sqlite_access(&cf, &env_log) == NGX_OK
       && access((char *) cf.path.data, F_OK) == -1
       && access((char *) cf.lock.data, F_OK) == -1,
       "the check makes nothing");
    ok(mkdir((char *) cf.path.data, 0700) == 0
       && ngx_amt_sqlite_access(&cf, &env_log) == NGX_ERROR
       && env_logged("is not a file"), "a directory is no file");
    env_conf_free(&cf);
}


static void
test_rows(void)
{
    int          i;
    char        *big;
    test_op_t   *o;
    ngx_str_t   *tag;
    ngx_queue_t  q;
    test_op_t   *b[4];

    o = op_insert(1, "", "[\"b\",\"a\",\"a\"]");
    o->op.row.hostname = str("host1");
    o->op.row.mps_username = str("admin");
    o->op.row.dns_suffix = str("");
    o->op.row.device_info = str("{\"fwVersion\":\"16.1\"}");
    ok(run(o) == NGX_OK, "insert");
    ok(is(&o->op.row.guid, guid(1)) && is(&o->op.row.hostname, "host1")
       && is(&o->op.row.tags, "[\"b\",\"a\",\"a\"]")
       && is(&o->op.row.mps_username, "admin")
       && is(&o->op.row.dns_suffix, "") && is(&o->op.row.friendly_name, NULL)
       && is(&o->op.row.mps_instance, NULL) && is(&o->op.row.tenant, "")
       && is(&o->op.row.device_info, "{\"fwVersion\":\"16.1\"}")
       && o->op.row.connected == 0 && o->op.row.version == 1
       && o->op.row.last_connected == NGX_AMT_STORE_NO_TIME
       && o->op.row.last_seen == NGX_AMT_STORE_NO_TIME
       && o->op.row.last_disconnected == NGX_AMT_STORE_NO_TIME,
       "gives the row back");
    op_free(o);

    o = op_insert(1, "other", "[]");
    ok(run(o) == NGX_ERROR && o->task.code == NGX_AMT_ERR_CONFLICT,
       "a GUID exists once in all tenants");
    op_free(o);

    o = op_insert(2, "", "[\"a\"");
    ok(run(o) == NGX_ERROR && o->task.code == NGX_AMT_ERR_INVALID,
       "tags must be JSON");
    op_free(o);

    o = op_new(NGX_AMT_STORE_OP_GET);
    o->op.guid = str(guid(1));
    ok(run(o) == NGX_OK && is(&o->op.row.hostname, "host1"), "get");
    op_free(o);

    o = op_new(NGX_AMT_STORE_OP_GET);
    o->op.guid = str(guid(1));
    o->op.tenant = str("other");
    ok(run(o) == NGX_DECLINED, "get with another tenant");
    op_free(o);

    o = op_new(NGX_AMT_STORE_OP_GET);
    o->op.guid = str(guid(99));
    ok(run(o) == NGX_DECLINED, "get nothing");
    op_free(o);

    o = op_new(NGX_AMT_STORE_OP_UPDATE);
    o->op.row.guid = str(guid(1));
    o->op.row.tenant = str("");
    o->op.row.tags = str("[\"c\"]");
    o->op.row.hostname = str(NULL);
    o->op.row.friendly_name = str("not asked for");
    o->op.fields = NGX_AMT_STORE_TAGS|NGX_AMT_STORE_HOSTNAME;
    ok(run(o) == NGX_OK, "update");
    ok(is(&o->op.row.hostname, NULL) && is(&o->op.row.tags, "[\"c\"]")
       && is(&o->op.row.friendly_name, NULL)
       && is(&o->op.row.mps_username, "admin") && o->op.row.version == 2,
       "changes what it names only");
    op_free(o);

    o = op_new(NGX_AMT_STORE_OP_UPDATE);
    o->op.row.guid = str(guid(1));
    o->op.row.tenant = str("other");
    o->op.row.tags = str("[]");
    o->op.fields = NGX_AMT_STORE_TAGS;
    ok(run(o) == NGX_DECLINED, "update in another tenant");
    op_free(o);

    /* a value with a zero byte and one that would be SQL */

    o = op_new(NGX_AMT_STORE_OP_UPDATE);
    o->op.row.guid = str(guid(1));
    o->op.row.tenant = str("");
    o->op.row.tags = str("[]");
    o->op.row.friendly_name = str("'); DROP TABLE devices; --");
    o->op.row.hostname.data = (u_char *) "a\0b";
    o->op.row.hostname.len = 3;
    o->op.fields = NGX_AMT_STORE_FRIENDLY_NAME|NGX_AMT_STORE_HOSTNAME;
    ok(run(o) == NGX_OK && o->op.row.hostname.len == 3
       && memcmp(o->op.row.hostname.data, "a\0b", 3) == 0, "bytes are kept");
    op_free(o);
    ok(stats("", 1, 0), "and nothing but bytes");

    /* a batch: the bad ones fail alone */

    ngx_queue_init(&q);
    b[0] = op_insert(10, "t", "[\"x\",\"y\"]");
    b[1] = op_insert(1, "t", "[]");
    b[2] = op_insert(11, "t", "nonsense");
    b[3] = op_insert(12, "t", "[\"y\",\"z\"]");

    for (i = 0; i < 4; i++) {
        ngx_queue_insert_tail(&q, &b[i]->task.queue);
    }

    ngx_amt_sqlite_write(&writer, &q);
    ok(b[0]->task.rc == NGX_OK && b[1]->task.rc == NGX_ERROR
       && b[1]->task.code == NGX_AMT_ERR_CONFLICT
       && b[2]->task.rc == NGX_ERROR
       && b[2]->task.code == NGX_AMT_ERR_INVALID && b[3]->task.rc == NGX_OK,
       "each write of a batch has its own result");

    for (i = 0; i < 4; i++) {
        op_free(b[i]);
    }

    ok(stats("t", 2, 0) && stats("nobody", 0, 0), "stats by tenant");

    o = op_new(NGX_AMT_STORE_OP_DELETE);
    o->op.guid = str(guid(1));
    o->op.tenant = str("t");
    ok(run(o) == NGX_DECLINED, "delete in another tenant");
    o->op.tenant = str("");
    ok(run(o) == NGX_OK, "delete");
    ok(run(o) == NGX_DECLINED, "delete again");
    op_free(o);
    ok(stats("", 0, 0), "counted");

    for (i = 13; i < 20; i++) {
        insert(i, "t", i % 2 ? "[\"odd\",\"y\"]" : "[\"even\"]");
    }

    ok(strcmp(list(op_list("t", 3, 0)), "10 12 13") == 0, "first page");
    ok(strcmp(list(op_list("t", 3, 3)), "14 15 16") == 0, "second page");
    ok(strcmp(list(op_list("t", 0, 0)), "") == 0, "page of none");
    ok(strcmp(list(op_list("t", 25, 9)), "") == 0, "beyond the end");
    ok(strcmp(list(op_list("t", (ngx_uint_t) -1, (ngx_uint_t) -1)), "") == 0,
       "absurd page");
    ok(strcmp(list(op_list("", 25, 0)), "") == 0, "tenants are apart");

    ok(strcmp(list(op_tags("t", 0, 1, "y", "", "")), "10 12 13 15 17 19")
       == 0, "one tag");
    ok(strcmp(list(op_tags("t", 0, 2, "x", "even", "")), "10 14 16 18") == 0,
       "any of two tags");
    ok(strcmp(list(op_tags("t", 0, 3, "y", "odd", "z")), "10 12 13 15 17 19")
       == 0, "any of three, each once");
    ok(strcmp(list(op_tags("t", 1, 2, "y", "x", "")), "10") == 0,
       "both of two tags");
    ok(strcmp(list(op_tags("t", 1, 2, "y", "even", "")), "") == 0,
       "both, none");
    ok(strcmp(list(op_tags("", 0, 1, "y", "", "")), "") == 0,
       "tags of another tenant");

    o = op_tags("t", 0, 2, "odd", "even", "");
    o->op.query.top = 2;
    o->op.query.skip = 3;
    ok(strcmp(list(o), "16 17") == 0, "tags are paged");

    o = op_new(NGX_AMT_STORE_OP_TAGS);
    o->op.tenant = str("t");
    run(o);
    tag = o->op.rows.elts;
    ok(o->task.rc == NGX_OK && o->op.rows.nelts == 5 && is(&tag[0], "even")
       && is(&tag[1], "odd") && is(&tag[2], "x") && is(&tag[3], "y")
       && is(&tag[4], "z"), "distinct tags");
    op_free(o);

    o = op_new(NGX_AMT_STORE_OP_TAGS);
    o->op.tenant = str("nobody");
    ok(run(o) == NGX_OK && o->op.rows.nelts == 0, "no tags");
    op_free(o);

    o = op_new(NGX_AMT_STORE_OP_UPDATE);
    o->op.row.guid = str(guid(12));
    o->op.row.tenant = str("t");
    o->op.row.hostname = str("h");
    o->op.row.friendly_name = str("f");
    o->op.row.tags = str("[]");
    o->op.fields = NGX_AMT_STORE_HOSTNAME|NGX_AMT_STORE_FRIENDLY_NAME;
    run(o);
    op_free(o);

    o = op_list("t", 0, 7);
    o->op.query.hostname = str("h");
    ok(strcmp(list(o), "12") == 0, "host name, not paged");
    o = op_list("t", 25, 0);
    o->op.query.friendly_name = str("f");
    ok(strcmp(list(o), "12") == 0, "friendly name");
    o = op_list("", 25, 0);
    o->op.query.friendly_name = str("f");
    ok(strcmp(list(o), "") == 0, "not in another tenant");
    o = op_list("", 25, 0);
    o->op.query.hostname = str("h");
    ok(strcmp(list(o), "") == 0, "nor the host name");
    o = op_list("t", 25, 0);
    o->op.query.friendly_name = str("f");
    o->op.query.hostname = str("H");
    ok(strcmp(list(o), "") == 0, "host name wins, by its case");
    o = op_list("t", 25, 0);
    o->op.query.hostname = str("");
    ok(strcmp(list(o), "") == 0, "null is not an empty host name");

    event(NGX_AMT_STORE_CONNECTED, 13, 5, 1000);
    o = op_list("t", 3, 0);
    o->op.query.status = 1;
    ok(strcmp(list(o), "13") == 0, "status filters the page");
    o = op_list("t", 2, 0);
    o->op.query.status = 1;
    ok(strcmp(list(o), "") == 0, "and the page only");
    o = op_list("t", 3, 0);
    o->op.query.status = 0;
    ok(strcmp(list(o), "10 12") == 0, "not connected");

    o = op_new(NGX_AMT_STORE_OP_HEALTH);
    ok(run(o) == NGX_OK, "health");
    op_free(o);

    /* reads together */

    ngx_queue_init(&q);

    for (i = 0; i < 4; i++) {
        b[i] = op_new(NGX_AMT_STORE_OP_GET);
        b[i]->op.guid = str(guid(i < 3 ? 12 + i : 9999));
        ngx_queue_insert_tail(&q, &b[i]->task.queue);
    }

    ngx_amt_sqlite_reads(&reader, &q);
    ok(b[0]->task.rc == NGX_OK && is(&b[0]->op.row.hostname, "h")
       && b[1]->task.rc == NGX_OK && b[2]->task.rc == NGX_OK
       && b[3]->task.rc == NGX_DECLINED && is(&b[2]->op.row.guid, guid(14)),
       "four reads in one transaction");
    ok(reader.db && sqlite3_get_autocommit(reader.db), "that has ended");

    for (i = 0; i < 4; i++) {
        op_free(b[i]);
    }

    ok(consistent(&conf), "counters and tags fit the rows");

    /* more than an answer may have */

    big = malloc(3 * 1024 * 1024 + 1);
    memset(big, 'x', 3 * 1024 * 1024);
    big[3 * 1024 * 1024] = '\0';

    for (i = 0; i < 12; i++) {
        o = op_insert(1000 + i, "big", "[]");
        o->op.row.device_info = str(big);
        run(o);
        op_free(o);
    }

    o = op_list("big", 25, 0);
    ok(run(o) == NGX_ERROR && o->task.code == NGX_AMT_ERR_INVALID,
       "a result of 36 MB is refused");
    op_free(o);
    ok(strcmp(list(op_list("big", 2, 10)), "1010 1011") == 0,
       "its pages are not");

    free(big);
    big = calloc(1, 5 * 1024 * 1024);
    memset(big, 'x', 5 * 1024 * 1024 - 1);
    o = op_insert(2000, "big", "[]");
    o->op.row.device_info = str(big);
    ok(run(o) == NGX_ERROR && o->task.code == NGX_AMT_ERR_INVALID,
       "a value of 5 MB is refused");
    op_free(o);
    free(big);
    env_sql(&conf, "DELETE FROM devices WHERE tenantid = 'big'");
}


static void
test_events(void)
{
    test_op_t  *o;
    ngx_str_t   keep[2];

    insert(30, "e", "[]");

    ok(event(NGX_AMT_STORE_CONNECTED, 30, 100, 5000) == NGX_OK
       && connected(30) == 1 && stats("e", 1, 1), "connected");

    o = op_new(NGX_AMT_STORE_OP_GET);
    o->op.guid = str(guid(30));
    run(o);
    ok(o->op.row.last_connected == 5000 && is(&o->op.row.mps_instance, "gw1")
       && o->op.row.last_seen == NGX_AMT_STORE_NO_TIME
       && o->op.row.version == 1, "instance and time; version is the client's");
    op_free(o);

    event(NGX_AMT_STORE_DISCONNECTED, 30, 99, 6000);
    ok(connected(30) == 1, "the end of an older connection changes nothing");
    event(NGX_AMT_STORE_CONNECTED, 30, 101, 7000);
    event(NGX_AMT_STORE_DISCONNECTED, 30, 100, 8000);
    ok(connected(30) == 1, "nor when it was replaced");
    event(NGX_AMT_STORE_SEEN, 30, 101, 9000);
    event(NGX_AMT_STORE_DISCONNECTED, 30, 101, 10000);
    ok(connected(30) == 0 && stats("e", 1, 0), "disconnected");
    event(NGX_AMT_STORE_SEEN, 30, 101, 9500);
    event(NGX_AMT_STORE_CONNECTED, 30, 101, 7000);
    ok(connected(30) == 0, "what comes again after the end changes nothing");

    o = op_new(NGX_AMT_STORE_OP_GET);
    o->op.guid = str(guid(30));
    run(o);
    ok(o->op.row.last_connected == 7000 && o->op.row.last_seen == 9000
       && o->op.row.last_disconnected == 10000
       && is(&o->op.row.mps_instance, NULL), "times");
    op_free(o);

    event(NGX_AMT_STORE_CONNECTED, 30, 102, 11000);
    ok(connected(30) == 1, "connects again, next number");
    ok(event(NGX_AMT_STORE_CONNECTED, 77777, 1, 1) == NGX_OK,
       "unknown devices are ignored");
    ok(event(NGX_AMT_STORE_CONNECTED, 30, (uint64_t) -1, 1) == NGX_ERROR,
       "a generation out of range is refused");

    insert(31, "e", "[]");
    insert(32, "e", "[]");
    event(NGX_AMT_STORE_CONNECTED, 31, 103, 1);
    event(NGX_AMT_STORE_CONNECTED, 32, 104, 1);
    env_sql(&conf, "UPDATE devices SET mpsinstance = 'gw2'"
                   " WHERE guid LIKE '00000020%'");

    o = op_new(NGX_AMT_STORE_OP_RESET);
    o->op.instance = str("gw1");
    keep[0] = str(guid(31));
    keep[1] = str(guid(9999));
    o->op.keep = keep;
    o->op.n = 2;
    ok(run(o) == NGX_OK && connected(30) == 0 && connected(31) == 1
       && connected(32) == 1, "reset: own rows but those to keep");
    op_free(o);

    event(NGX_AMT_STORE_SEEN, 30, 102, 12000);
    ok(connected(30) == 1, "a connection that lives shows up again");

    o = op_new(NGX_AMT_STORE_OP_RESET);
    o->op.instance = str("gw1");
    ok(run(o) == NGX_OK && stats("e", 3, 1) && connected(32) == 1,
       "reset of all");
    op_free(o);

    ok(consistent(&conf), "counters fit the rows");
}


/* A process that inserts until it is told to stop, with batches of 8 */

static void
child_writes(int from, int n, int fd)
{
    int               i, j;
    test_op_t        *b[8];
    ngx_queue_t       q;
    ngx_amt_sqlite_t  c;

    conf.busy = 20000;
    ngx_amt_sqlite_init(&c, &conf, 1, &env_log);

    for (i = 0; i < n; i += 8) {
        ngx_queue_init(&q);

        for (j = 0; j < 8; j++) {
            b[j] = op_insert(from + i + j, "p", "[\"p\"]");
            ngx_queue_insert_tail(&q, &b[j]->task.queue);
        }

        ngx_amt_sqlite_write(&c, &q);

        for (j = 0; j < 8; j++) {
            if (b[j]->task.rc != NGX_OK) {
                _exit(1);
            }
            op_free(b[j]);
        }

        if (c.wal_pages >= c.wal_due) {
            ngx_amt_sqlite_checkpoint(&c);
        }

        if (fd != -1 && write(fd, "x", 1) != 1) {
            _exit(2);
        }
    }

    ngx_amt_sqlite_close(&c);
    _exit(0);
}


static void
test_processes(void)
{
    int    i, fd[2], n;
    char   buf[8];
    long   rows;
    pid_t  pid[3];

    for (i = 0; i < 3; i++) {
        pid[i] = fork();
        if (pid[i] == 0) {
            child_writes(0x10000 * (i + 1), 800, -1);
        }
    }

    for (n = 0, i = 0; i < 3; i++) {
        n += env_wait(pid[i]) == 0;
    }

    ok(n == 3 && stats("p", 2400, 0), "three processes write at once");

    /* SIGKILL between two bytes of work, again and again */

    for (n = 0, i = 0; i < 8; i++) {
        if (pipe(fd) == -1) {
            perror("pipe");
        }

        pid[0] = fork();
        if (pid[0] == 0) {
            child_writes(0x1000000 * (i + 1), 100000, fd[1]);
        }

        close(fd[1]);

        if (read(fd[0], buf, 1) == 1) {
            usleep(3000 + 1777 * i);
        }

        kill(pid[0], SIGKILL);
        n += env_wait(pid[0]) == 1000 + SIGKILL;
        close(fd[0]);
    }

    rows = env_sql(&conf, "SELECT count(*) FROM devices WHERE tenantid = 'p'");
    ok(n == 8 && rows > 2400, "eight writers killed, %ld rows", rows);
    ok(rows % 8 == 0, "batches are whole");
    ok(consistent(&conf), "counters fit the rows");
    ok(insert(0x70000000, "p", "[]") == NGX_OK, "the lock is free");
}


/* A process that holds a lock until the pipe is closed */

static pid_t
child_holds(const char *sql, int with_flock, int *go)
{
    int         fd[2], up[2];
    char        c;
    pid_t       pid;
    sqlite3    *db;

    if (pipe(fd) == -1 || pipe(up) == -1) {
        perror("pipe");
    }

    pid = fork();

    if (pid == 0) {
        close(fd[1]);

        if (with_flock) {
            flock(open((char *) conf.lock.data, O_RDWR), LOCK_EX);

        } else {
            sqlite3_open((char *) conf.path.data, &db);
            sqlite3_busy_timeout(db, 5000);

            if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK) {
                _exit(1);
            }
        }

        if (write(up[1], "x", 1) != 1 || read(fd[0], &c, 1) != 0) {
            _exit(2);
        }

        _exit(0);
    }

    close(fd[0]);
    close(up[1]);

    if (read(up[0], &c, 1) != 1) {
        printf("# the child holds nothing\n");
    }

    close(up[0]);
    *go = fd[1];

    return pid;
}


static void
test_locked(void)
{
    int         go;
    pid_t       pid;
    uint64_t    t;
    test_op_t  *o;

    pid = child_holds("BEGIN IMMEDIATE", 0, &go);

    o = op_insert(500, "l", "[]");
    t = ngx_amt_sqlite_now();
    ok(run(o) == NGX_ERROR && o->task.code == NGX_AMT_ERR_STORE,
       "locked by another process");
    t = ngx_amt_sqlite_now() - t;
    ok(t >= 250 && t < 2000, "after the time of busy=");
    ok(env_logged("locked by another process"), "logged, with advice");
    ok(connected(30) == 0, "reads go on");
    close(go);
    env_wait(pid);
    ok(run(o) == NGX_OK, "works when it is free");
    ok(env_logged("works again"), "logged");
    op_free(o);

    pid = child_holds(NULL, 1, &go);
    o = op_insert(501, "l", "[]");
    t = ngx_amt_sqlite_now();
    ok(run(o) == NGX_ERROR && o->task.code == NGX_AMT_ERR_STORE
       && ngx_amt_sqlite_now() - t < 2000,
       "a stopped worker that holds the lock does not stop this one");
    close(go);
    env_wait(pid);
    ok(run(o) == NGX_OK, "works when it is free");
    op_free(o);
}


static void
test_full(void)
{
    int            status;
    pid_t          pid;
    test_op_t     *o;
    struct rlimit  rl;
    char          *big;

    pid = fork();

    if (pid == 0) {
        status = 0;
        signal(SIGXFSZ, SIG_IGN);
        big = calloc(1, 2 * 1024 * 1024);
        memset(big, 'x', 2 * 1024 * 1024 - 1);

        /* neither the database nor its log may grow past this */

        rl.rlim_cur = rl.rlim_max = 1024 * 1024;
        setrlimit(RLIMIT_FSIZE, &rl);

        o = op_insert(600, "f", "[]");
        o->op.row.device_info = str(big);
        status |= (run(o) == NGX_ERROR && o->task.code == NGX_AMT_ERR_STORE)
                  ? 0 : 1;
        op_free(o);
        status |= (connected(30) == 0) ? 0 : 2;
        ngx_amt_sqlite_close(&writer);
        ngx_amt_sqlite_close(&reader);
        _exit(status);
    }

    status = env_wait(pid);
    ok(status == 0, "a file that cannot grow fails one write (%d)", status);
    ok(env_logged("store \""), "logged");
    ok(insert(601, "f", "[]") == NGX_OK && stats("f", 1, 0),
       "works when there is room");
}


static void
overwrite(const char *path, off_t at, size_t n, int trunc)
{
    int   fd;
    char *buf;

    fd = open(path, O_WRONLY|(trunc ? O_TRUNC : 0));
    buf = malloc(n ? n : 1);
    memset(buf, 0x5a, n);

    if (n && pwrite(fd, buf, n, at) != (ssize_t) n) {
        perror("pwrite");
    }

    free(buf);
    close(fd);
}


static void
copy(const char *from, const char *to)
{
    char  cmd[512];

    snprintf(cmd, sizeof(cmd), "cp %s %s", from, to);

    if (system(cmd) != 0) {
        printf("# %s failed\n", cmd);
    }
}


static void
test_damaged(void)
{
    char                    saved[128], cmd[512];
    test_op_t              *o, *h;
    ngx_queue_t             q;
    ngx_amt_sqlite_conf_t   cf, all;

    env_conf(&cf, "damaged.db", &ngx_amt_store_schema);
    ngx_amt_sqlite_prepare(&cf, &env_log);

    ngx_amt_sqlite_close(&reader);
    ngx_amt_sqlite_close(&writer);
    all = conf;
    conf = cf;
    ngx_amt_sqlite_init(&reader, &conf, 0, &env_log);
    ngx_amt_sqlite_init(&writer, &conf, 1, &env_log);
    insert(1, "d", "[\"x\"]");
    ngx_amt_sqlite_close(&reader);
    ngx_amt_sqlite_close(&writer);

    snprintf(saved, sizeof(saved), "%s/saved.db", env_dir);
    copy((char *) cf.path.data, saved);

    /* a page of garbage in the middle */

    env_logged("");
    overwrite((char *) cf.path.data, 4096, 8 * 4096, 0);
    o = op_new(NGX_AMT_STORE_OP_GET);
    o->op.guid = str(guid(1));
    ok(run(o) == NGX_ERROR && o->task.code == NGX_AMT_ERR_STORE,
       "damaged pages");
    ok(env_logged("restore a backup"), "logged, with advice");
    ok(insert(2, "d", "[]") == NGX_ERROR, "no write either");

    ngx_queue_init(&q);
    ngx_queue_insert_tail(&q, &o->task.queue);
    h = op_new(NGX_AMT_STORE_OP_GET);
    h->op.guid = str(guid(2));
    ngx_queue_insert_tail(&q, &h->task.queue);
    ngx_amt_sqlite_reads(&reader, &q);
    ok(o->task.rc == NGX_ERROR && h->task.rc == NGX_ERROR,
       "two reads of damaged pages");
    op_free(h);

    /* not a database at all */

    overwrite((char *) cf.path.data, 0, 16384, 1);
    usleep(1100000);
    ok(run(o) == NGX_ERROR && o->task.code == NGX_AMT_ERR_STORE,
       "not a database");

    /* the backup comes back under the same name */

    snprintf(cmd, sizeof(cmd), "%s.new", cf.path.data);
    copy(saved, cmd);
    rename(cmd, (char *) cf.path.data);
    ok(run(o) == NGX_OK && insert(2, "d", "[]") == NGX_OK, "restored");
    ok(env_logged("works again"), "logged");

    /* truncated while open */

    overwrite((char *) cf.path.data, 0, 0, 1);
    usleep(1100000);
    ok(run(o) == NGX_ERROR || o->task.rc == NGX_OK,
       "truncated while open: no crash");

    /* removed while open: nothing is created in its place */

    unlink((char *) cf.path.data);
    usleep(1100000);
    ok(run(o) == NGX_ERROR && o->task.code == NGX_AMT_ERR_STORE
       && access((char *) cf.path.data, F_OK) == -1, "removed");
    ok(insert(3, "d", "[]") == NGX_ERROR
       && access((char *) cf.path.data, F_OK) == -1, "by the writer, too");
    ok(env_logged("must exist"), "logged");

    /* another schema version in its place */

    snprintf(cmd, sizeof(cmd), "%s.new", cf.path.data);
    copy(saved, cmd);
    rename(cmd, (char *) cf.path.data);
    env_sql(&cf, "PRAGMA user_version = 9");
    ok(run(o) == NGX_ERROR && o->task.code == NGX_AMT_ERR_STORE,
       "another schema");
    env_sql(&cf, "PRAGMA user_version = 1");
    ok(run(o) == NGX_OK, "and ours again");
    op_free(o);

    ngx_amt_sqlite_close(&reader);
    ngx_amt_sqlite_close(&writer);
    env_conf_free(&cf);

    conf = all;
    ngx_amt_sqlite_init(&reader, &conf, 0, &env_log);
    ngx_amt_sqlite_init(&writer, &conf, 1, &env_log);
}


/* As another user, who may not write */

static void
test_permissions(void)
{
    int         status;
    pid_t       pid;
    test_op_t  *o;

    if (geteuid() != 0) {
        ok(1, "permissions # skip not root");
        return;
    }

    ngx_amt_sqlite_close(&reader);
    ngx_amt_sqlite_close(&writer);
    chmod(env_dir, 0755);
    chmod((char *) conf.path.data, 0644);
    chmod((char *) conf.lock.data, 0666);

    pid = fork();

    if (pid == 0) {
        if (setgid(65534) == -1 || setuid(65534) == -1) {
            _exit(99);
        }

        status = 0;
        status |= ngx_amt_sqlite_access(&conf, &env_log) == NGX_ERROR ? 0 : 1;
        o = op_insert(700, "r", "[]");
        status |= (run(o) == NGX_ERROR && o->task.code == NGX_AMT_ERR_STORE)
                  ? 0 : 2;
        op_free(o);
        ngx_amt_sqlite_close(&writer);
        _exit(status);
    }

    status = env_wait(pid);
    ok(status == 0, "not writable for this user (%d)", status);
    ok(env_logged("must belong to the user of the worker processes"),
       "logged, with advice");
}


static void
test_checkpoint(void)
{
    int          i;
    ngx_uint_t   most;

    most = 0;

    for (i = 0; i < 1500; i++) {
        if (insert(0x100000 + i, "c", "[\"one\",\"two\"]") != NGX_OK) {
            break;
        }

        most = ngx_max(most, writer.wal_pages);

        if (writer.wal_pages >= writer.wal_due) {
            ngx_amt_sqlite_checkpoint(&writer);
        }
    }

    ok(i == 1500 && most >= 1000 && most < 3000,
       "the log is copied and starts again, %d pages", (int) most);
}


int
main(void)
{
    env_init();
    env_conf(&conf, "amt.db", &ngx_amt_store_schema);

    test_prepare();

    ngx_amt_sqlite_init(&reader, &conf, 0, &env_log);
    ngx_amt_sqlite_init(&writer, &conf, 1, &env_log);

    test_rows();
    test_events();

    /* no connection is open in a process that forks */

    ngx_amt_sqlite_close(&reader);
    ngx_amt_sqlite_close(&writer);
    test_processes();
    ngx_amt_sqlite_close(&reader);
    ngx_amt_sqlite_close(&writer);
    test_locked();
    ngx_amt_sqlite_close(&reader);
    ngx_amt_sqlite_close(&writer);
    test_full();
    test_checkpoint();
    test_damaged();
    test_permissions();

    ngx_amt_sqlite_close(&reader);
    ngx_amt_sqlite_close(&writer);
    env_conf_free(&conf);
    env_done();

    return done();
}
