
/*
 * Directive amt_keystore: an internal location that answers the vault client
 * from an encrypted SQLite file.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <sys/mman.h>
#include <openssl/crypto.h>
#include "call/ngx_amt_call.h"
#include "keystore/ngx_amt_keystore_http.h"
#include "store/ngx_amt_store_peek.h"


#define NGX_AMT_KEYSTORE_FILE      8192          /* of keys */
#define NGX_AMT_KEYSTORE_VERSIONS  10
#define NGX_AMT_KEYSTORE_DELAY     30000         /* ms */


#define ngx_http_amt_keystore_by_conf(conf)                                   \
    ((const ngx_amt_keystore_t *) ((const u_char *) (conf)                    \
                                   - offsetof(ngx_amt_keystore_t, db.conf)))


typedef struct {
    ngx_array_t              keystores;          /* ngx_amt_keystore_t * */
} ngx_http_amt_keystore_main_conf_t;


typedef struct {
    ngx_amt_keystore_t      *keystore;
} ngx_http_amt_keystore_loc_conf_t;


static char *ngx_http_amt_keystore(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_http_amt_keystore_parameter(ngx_conf_t *cf,
    ngx_amt_keystore_t *ks, ngx_str_t *value);
static char *ngx_http_amt_keystore_ring(ngx_conf_t *cf,
    ngx_amt_keystore_t *ks, ngx_str_t *name);
static ngx_int_t ngx_http_amt_keystore_key_file(ngx_conf_t *cf,
    ngx_str_t *name, u_char *buf, size_t *len);
static void ngx_http_amt_keystore_unmap(void *data);
static void *ngx_http_amt_keystore_create_main_conf(ngx_conf_t *cf);
static void *ngx_http_amt_keystore_create_loc_conf(ngx_conf_t *cf);
static char *ngx_http_amt_keystore_merge_loc_conf(ngx_conf_t *cf,
    void *parent, void *child);
static ngx_int_t ngx_http_amt_keystore_check(
    const ngx_amt_sqlite_conf_t *conf, ngx_log_t *log);
static ngx_int_t ngx_http_amt_keystore_init_module(ngx_cycle_t *cycle);
static ngx_int_t ngx_http_amt_keystore_prepare(
    const ngx_amt_sqlite_conf_t *conf, ngx_log_t *log);
static ngx_int_t ngx_http_amt_keystore_init_process(ngx_cycle_t *cycle);
static void ngx_http_amt_keystore_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_amt_keystore_commands[] = {

    { ngx_string("amt_keystore"),
      NGX_HTTP_LOC_CONF|NGX_CONF_2MORE,
      ngx_http_amt_keystore,
      NGX_HTTP_LOC_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_amt_keystore_module_ctx = {
    NULL,                                  /* preconfiguration */
    NULL,                                  /* postconfiguration */

    ngx_http_amt_keystore_create_main_conf, /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    ngx_http_amt_keystore_create_loc_conf, /* create location configuration */
    ngx_http_amt_keystore_merge_loc_conf   /* merge location configuration */
};


ngx_module_t  ngx_http_amt_keystore_module = {
    NGX_MODULE_V1,
    &ngx_http_amt_keystore_module_ctx,     /* module context */
    ngx_http_amt_keystore_commands,        /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    ngx_http_amt_keystore_init_module,     /* init module */
    ngx_http_amt_keystore_init_process,    /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_amt_keystore_exit_process,    /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


ngx_amt_keystore_t *
ngx_http_amt_keystore_of(ngx_http_request_t *r)
{
    ngx_http_amt_keystore_loc_conf_t  *klcf;

    klcf = ngx_http_get_module_loc_conf(r, ngx_http_amt_keystore_module);

    return klcf->keystore;
}


static char *
ngx_http_amt_keystore(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_keystore_loc_conf_t *klcf = conf;

    char                               *rv;
    ngx_str_t                          *value;
    ngx_uint_t                          i, key;
    ngx_amt_keystore_t                 *ks, **ksp;
    ngx_http_core_loc_conf_t           *clcf;
    ngx_http_amt_keystore_main_conf_t  *kmcf;

    if (klcf->keystore) {
        return "is duplicate";
    }

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);

    if (clcf->named
        || clcf->exact_match
#if (NGX_PCRE)
        || clcf->regex
#endif
        || clcf->name.len == 0
        || clcf->name.data[clcf->name.len - 1] != '/')
    {
        return "must be in a location with a prefix that ends in \"/\"";
    }

    ks = ngx_pcalloc(cf->pool, sizeof(ngx_amt_keystore_t));
    if (ks == NULL) {
        return NGX_CONF_ERROR;
    }

    ks->clcf = clcf;
    ks->max_versions = NGX_AMT_KEYSTORE_VERSIONS;
    ks->rewrite = NGX_AMT_KEYSTORE_DELAY;
    ks->file = cf->conf_file->file.name.data;
    ks->line = cf->conf_file->line;

    value = cf->args->elts;

    if (value[1].len == 0 || value[1].data[value[1].len - 1] == '/') {
        return "must name a file";
    }

    if (ngx_amt_sqlite_db_conf(cf, &ks->db, &value[1],
                               &ngx_amt_keystore_schema)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    key = 0;

    for (i = 2; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "key=", 4) == 0) {
            value[i].data += 4;
            value[i].len -= 4;

            if (key || value[i].len == 0) {
                return "needs one \"key=FILE\"";
            }

            key = i;
            continue;
        }

        rv = ngx_http_amt_keystore_parameter(cf, ks, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (key == 0) {
        return "needs \"key=FILE\", the file of its encryption key";
    }

    rv = ngx_http_amt_keystore_ring(cf, ks, &value[key]);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    kmcf = ngx_http_conf_get_module_main_conf(cf,
                                              ngx_http_amt_keystore_module);

    ksp = ngx_array_push(&kmcf->keystores);
    if (ksp == NULL) {
        return NGX_CONF_ERROR;
    }

    *ksp = ks;

    klcf->keystore = ks;
    clcf->handler = ngx_amt_keystore_handler;
    ngx_amt_call_backend(cf);

    return NGX_CONF_OK;
}


static char *
ngx_http_amt_keystore_parameter(ngx_conf_t *cf, ngx_amt_keystore_t *ks,
    ngx_str_t *value)
{
    ngx_int_t  n;
    ngx_str_t  s;

    if (ngx_strncmp(value->data, "versions=", 9) == 0) {
        n = ngx_atoi(value->data + 9, value->len - 9);

        if (n == NGX_ERROR || n < 1 || n > 100) {
            return "has a parameter \"versions=\" that is not 1 to 100";
        }

        ks->max_versions = n;

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "busy=", 5) == 0) {
        s.data = value->data + 5;
        s.len = value->len - 5;

        n = ngx_parse_time(&s, 0);

        if (n == NGX_ERROR || n < 100 || n > 60000) {
            return "has a parameter \"busy=\" that is not 100ms to 60s";
        }

        ks->db.conf.busy = n;

        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "rewrite=", 8) == 0) {
        s.data = value->data + 8;
        s.len = value->len - 8;

        n = ngx_parse_time(&s, 0);

        if (n == NGX_ERROR || n > 86400 * 1000) {
            return "has a parameter \"rewrite=\" that is not 0 to 1d";
        }

        ks->rewrite = n;

        return NGX_CONF_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       value);

    return NGX_CONF_ERROR;
}


/*
 * The keys are read once, here: workers could not read the file.  They are
 * kept in pages that core dumps leave out.
 */

static char *
ngx_http_amt_keystore_ring(ngx_conf_t *cf, ngx_amt_keystore_t *ks,
    ngx_str_t *name)
{
    u_char               buf[NGX_AMT_KEYSTORE_FILE];
    size_t               len, size;
    const char          *err;
    ngx_pool_cleanup_t  *cln;

    if (ngx_conf_full_name(cf->cycle, name, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    size = (sizeof(ngx_amt_keystore_ring_t) + ngx_pagesize - 1)
           & ~(ngx_pagesize - 1);

    ks->ring = mmap(NULL, size, PROT_READ|PROT_WRITE,
                    MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (ks->ring == MAP_FAILED) {
        ks->ring = NULL;
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno, "mmap() failed");
        return NGX_CONF_ERROR;
    }

    ks->ring_size = size;

    cln->handler = ngx_http_amt_keystore_unmap;
    cln->data = ks;

#ifdef MADV_DONTDUMP
    (void) madvise(ks->ring, size, MADV_DONTDUMP);
#endif

    if (ngx_http_amt_keystore_key_file(cf, name, buf, &len) != NGX_OK) {
        OPENSSL_cleanse(buf, sizeof(buf));
        return NGX_CONF_ERROR;
    }

    err = ngx_amt_keystore_parse(ks->ring, buf, len);

    OPENSSL_cleanse(buf, sizeof(buf));

    if (err) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "key file \"%V\": %s",
                           name, err);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_http_amt_keystore_key_file(ngx_conf_t *cf, ngx_str_t *name, u_char *buf,
    size_t *len)
{
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_int_t         rc;
    ngx_file_info_t   fi;
    ngx_core_conf_t  *ccf;

    rc = NGX_ERROR;
    ccf = (ngx_core_conf_t *) ngx_get_conf(cf->cycle->conf_ctx,
                                           ngx_core_module);

    fd = open((char *) name->data, O_RDONLY|O_NONBLOCK|O_CLOEXEC|O_NOCTTY);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           "key file \"%V\" cannot be opened", name);
        return NGX_ERROR;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", name);
        goto done;
    }

    if (!ngx_is_file(&fi)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key file \"%V\" is not a regular file", name);
        goto done;
    }

    if (fi.st_mode & 0077) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key file \"%V\" has mode 0%ui%ui%ui, others than "
                           "its owner may use it: chmod 0400 or 0600", name,
                           (ngx_uint_t) (fi.st_mode >> 6) & 7,
                           (ngx_uint_t) (fi.st_mode >> 3) & 7,
                           (ngx_uint_t) fi.st_mode & 7);
        goto done;
    }

    if (fi.st_uid != 0 && fi.st_uid != geteuid() && fi.st_uid != ccf->user) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key file \"%V\" belongs to user %ui, it must "
                           "belong to root or to the user of nginx", name,
                           (ngx_uint_t) fi.st_uid);
        goto done;
    }

    n = ngx_read_fd(fd, buf, NGX_AMT_KEYSTORE_FILE);

    if (n == -1) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_read_fd_n " \"%V\" failed", name);
        goto done;
    }

    if (n == NGX_AMT_KEYSTORE_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "key file \"%V\" is too large", name);
        goto done;
    }

    *len = n;
    rc = NGX_OK;

done:

    (void) ngx_close_file(fd);

    return rc;
}


static void
ngx_http_amt_keystore_unmap(void *data)
{
    ngx_amt_keystore_t *ks = data;

    OPENSSL_cleanse(ks->ring, ks->ring_size);

    (void) munmap(ks->ring, ks->ring_size);
}


static void *
ngx_http_amt_keystore_create_main_conf(ngx_conf_t *cf)
{
    ngx_http_amt_keystore_main_conf_t  *kmcf;

    kmcf = ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_keystore_main_conf_t));
    if (kmcf == NULL) {
        return NULL;
    }

    if (ngx_array_init(&kmcf->keystores, cf->pool, 2,
                       sizeof(ngx_amt_keystore_t *))
        != NGX_OK)
    {
        return NULL;
    }

    return kmcf;
}


static void *
ngx_http_amt_keystore_create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_keystore_loc_conf_t));
}


/* Not inherited: the handler is the location's own, too. */

static char *
ngx_http_amt_keystore_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_http_amt_keystore_loc_conf_t *conf = child;

    ngx_amt_keystore_t  *ks;

    ks = conf->keystore;

    if (ks == NULL) {
        return NGX_CONF_OK;
    }

    if (!ks->clcf->internal) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"amt_keystore\" is in location \"%V\", which is not "
                      "\"internal\", in %s:%ui",
                      &ks->clcf->name, ks->file, ks->line);
        return NGX_CONF_ERROR;
    }

    /* a page by default: nginx takes what an answer needs, not all of it */

    if (ks->clcf->subrequest_output_buffer_size < NGX_AMT_KEYSTORE_MAX_LIST) {
        ks->clcf->subrequest_output_buffer_size = NGX_AMT_KEYSTORE_MAX_LIST;
    }

    ks->store = ngx_amt_store_peek_conf(cf);

    if (ngx_amt_sqlite_db_check(cf, &ks->db, ngx_http_amt_keystore_check)
        != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


/*
 * A first start makes the file.  With devices in the store it is none: the
 * file was lost, or its disk is not mounted, and an empty one in its place
 * would lose all passwords without a word.
 */

static ngx_int_t
ngx_http_amt_keystore_check(const ngx_amt_sqlite_conf_t *conf, ngx_log_t *log)
{
    ngx_file_info_t            fi;
    const ngx_amt_keystore_t  *ks;

    ks = ngx_http_amt_keystore_by_conf(conf);

    if (ngx_amt_sqlite_access(conf, log) != NGX_OK) {
        return NGX_ERROR;
    }

    if (ks->store == NULL
        || ngx_file_info(conf->path.data, &fi) != NGX_FILE_ERROR
        || ngx_amt_store_peek(ks->store) != NGX_OK)
    {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, log, 0,
                  "keystore \"%V\" does not exist, but there are devices in "
                  "\"%V\", whose passwords it should hold: look for it and "
                  "mount or restore it, or make an empty file of the user of "
                  "the worker processes to begin without passwords, in %s:%ui",
                  &conf->path, &ks->store->path, ks->file, ks->line);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_amt_keystore_init_module(ngx_cycle_t *cycle)
{
    ngx_uint_t                           i;
    ngx_amt_keystore_t                 **ks;
    ngx_http_amt_keystore_main_conf_t   *kmcf;

    kmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_amt_keystore_module);
    if (kmcf == NULL) {
        return NGX_OK;
    }

    ks = kmcf->keystores.elts;

    for (i = 0; i < kmcf->keystores.nelts; i++) {
        if (ngx_amt_sqlite_db_create(cycle, &ks[i]->db,
                                     ngx_http_amt_keystore_prepare)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_http_amt_keystore_prepare(const ngx_amt_sqlite_conf_t *conf,
    ngx_log_t *log)
{
    const ngx_amt_keystore_t  *ks;

    ks = ngx_http_amt_keystore_by_conf(conf);

    if (ngx_amt_sqlite_prepare(conf, log) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_amt_keystore_keys(conf, ks->ring, log);
}


static ngx_int_t
ngx_http_amt_keystore_init_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                           i;
    ngx_amt_keystore_t                 **ks;
    ngx_http_amt_keystore_main_conf_t   *kmcf;

    kmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_amt_keystore_module);
    if (kmcf == NULL) {
        return NGX_OK;
    }

    ks = kmcf->keystores.elts;

    for (i = 0; i < kmcf->keystores.nelts; i++) {

        if (ngx_amt_sqlite_db_init(cycle, &ks[i]->db) != NGX_OK) {
            return NGX_ERROR;
        }

        if (ks[i]->db.ready && ngx_worker == 0) {
            ngx_amt_keystore_rewriter(ks[i]);
        }
    }

    return NGX_OK;
}


static void
ngx_http_amt_keystore_exit_process(ngx_cycle_t *cycle)
{
    ngx_uint_t                           i;
    ngx_amt_keystore_t                 **ks;
    ngx_http_amt_keystore_main_conf_t   *kmcf;

    kmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_amt_keystore_module);
    if (kmcf == NULL) {
        return;
    }

    ks = kmcf->keystores.elts;

    for (i = 0; i < kmcf->keystores.nelts; i++) {
        ngx_amt_sqlite_db_exit(&ks[i]->db);
    }
}
