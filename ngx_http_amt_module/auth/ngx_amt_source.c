
/*
 * Files that are re-read when they change, see ngx_amt_source.h.
 */


#include "auth/ngx_amt_source.h"


static ngx_int_t ngx_amt_source_load(ngx_amt_source_t *src, ngx_log_t *log,
    ngx_amt_source_error_t *err);
static ngx_int_t ngx_amt_source_read(ngx_amt_source_t *src, ngx_fd_t fd,
    ngx_str_t *text, ngx_amt_source_error_t *err);
static void ngx_amt_source_seen(ngx_amt_source_t *src, struct stat *sb);
static ngx_uint_t ngx_amt_source_same(ngx_amt_source_t *src, struct stat *sb);
static void ngx_amt_source_cleanup(void *data);


ngx_int_t
ngx_amt_source_init(ngx_amt_source_t *src, ngx_pool_t *pool, ngx_log_t *log,
    ngx_amt_source_error_t *err)
{
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(pool, 0);
    if (cln == NULL) {
        (void) ngx_amt_source_refuse(err, "no memory");
        return NGX_ERROR;
    }

    src->owner = pool;
    src->pool = NULL;
    src->table = NULL;

    cln->handler = ngx_amt_source_cleanup;
    cln->data = src;

    return ngx_amt_source_load(src, log, err);
}


void *
ngx_amt_source_table(ngx_amt_source_t *src)
{
    struct stat             sb;
    ngx_amt_source_error_t  err;

    if (src->checked == ngx_time()) {
        return src->table;
    }

    src->checked = ngx_time();

    if (stat((char *) src->path.data, &sb) == -1) {

        if (src->ino) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, ngx_errno,
                          "\"%V\": stat() failed, what was read before stays",
                          &src->path);
            src->ino = 0;
        }

        return src->table;
    }

    if (ngx_amt_source_same(src, &sb) && !src->fresh) {
        return src->table;
    }

    /* a bad file is reported once, not every second */

    ngx_amt_source_seen(src, &sb);

    if (ngx_amt_source_load(src, ngx_cycle->log, &err) != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "\"%V\": %*s, what was read before stays",
                      &src->path, err.len, err.text);
        return src->table;
    }

    ngx_log_error(NGX_LOG_INFO, ngx_cycle->log, 0, "\"%V\" was read again",
                  &src->path);

    return src->table;
}


ngx_uint_t
ngx_amt_source_version(ngx_amt_source_t *src)
{
    (void) ngx_amt_source_table(src);

    return src->version;
}


static ngx_int_t
ngx_amt_source_load(ngx_amt_source_t *src, ngx_log_t *log,
    ngx_amt_source_error_t *err)
{
    void        *table;
    ngx_fd_t     fd;
    ngx_int_t    rc;
    ngx_str_t    text;
    ngx_pool_t  *pool;

    err->len = 0;

    /* O_NONBLOCK: a FIFO in the file's place must not stop the worker */

    fd = open((char *) src->path.data,
              O_RDONLY|O_NONBLOCK|O_NOCTTY|O_CLOEXEC);

    if (fd == NGX_INVALID_FILE) {
        (void) ngx_amt_source_refuse(err, "open() failed (%d: %s)", ngx_errno,
                                     strerror(ngx_errno));
        return NGX_ERROR;
    }

    rc = ngx_amt_source_read(src, fd, &text, err);

    (void) close(fd);

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    table = NULL;
    pool = ngx_create_pool(NGX_MIN_POOL_SIZE, log);

    if (pool != NULL) {
        table = src->parse(pool, &text, err);
    }

    ngx_explicit_memzero(text.data, text.len);
    ngx_free(text.data);

    if (table == NULL) {

        if (err->len == 0) {
            (void) ngx_amt_source_refuse(err, "no memory");
        }

        if (pool != NULL) {
            ngx_destroy_pool(pool);
        }

        return NGX_ERROR;
    }

    ngx_amt_source_cleanup(src);

    src->pool = pool;
    src->table = table;
    src->version++;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_source_read(ngx_amt_source_t *src, ngx_fd_t fd, ngx_str_t *text,
    ngx_amt_source_error_t *err)
{
    size_t       size;
    ssize_t      n;
    struct stat  sb;

    if (fstat(fd, &sb) == -1) {
        (void) ngx_amt_source_refuse(err, "fstat() failed (%d: %s)",
                                     ngx_errno, strerror(ngx_errno));
        return NGX_ERROR;
    }

    if (!S_ISREG(sb.st_mode)) {
        (void) ngx_amt_source_refuse(err, "not a regular file");
        return NGX_ERROR;
    }

    if (sb.st_mode & src->forbidden) {
        (void) ngx_amt_source_refuse(err, "mode %ui%ui%ui is too open",
                                     (ngx_uint_t) sb.st_mode >> 6 & 7,
                                     (ngx_uint_t) sb.st_mode >> 3 & 7,
                                     (ngx_uint_t) sb.st_mode & 7);
        return NGX_ERROR;
    }

    if (sb.st_size > (off_t) src->max) {
        (void) ngx_amt_source_refuse(err, "larger than %uz bytes", src->max);
        return NGX_ERROR;
    }

    size = (size_t) sb.st_size;

    text->data = ngx_alloc(size + 1, ngx_cycle->log);
    if (text->data == NULL) {
        (void) ngx_amt_source_refuse(err, "no memory");
        return NGX_ERROR;
    }

    for (text->len = 0; text->len <= size; text->len += n) {

        n = read(fd, text->data + text->len, size + 1 - text->len);

        if (n == 0) {
            break;
        }

        if (n == -1) {

            if (ngx_errno == NGX_EINTR) {
                n = 0;
                continue;
            }

            (void) ngx_amt_source_refuse(err, "read() failed (%d: %s)",
                                         ngx_errno, strerror(ngx_errno));
            goto failed;
        }
    }

    if (text->len != size) {
        (void) ngx_amt_source_refuse(err, "changed while it was read");
        goto failed;
    }

    ngx_amt_source_seen(src, &sb);

    return NGX_OK;

failed:

    ngx_explicit_memzero(text->data, size + 1);
    ngx_free(text->data);

    return NGX_ERROR;
}


static void
ngx_amt_source_seen(ngx_amt_source_t *src, struct stat *sb)
{
    src->dev = sb->st_dev;
    src->ino = sb->st_ino;
    src->size = sb->st_size;
    src->mtime = sb->st_mtim;
    src->ctime = sb->st_ctim;

    /* written a moment ago: a second write may leave the same times */

    src->fresh = (sb->st_ctim.tv_sec >= ngx_time() - 1);
}


static ngx_uint_t
ngx_amt_source_same(ngx_amt_source_t *src, struct stat *sb)
{
    return src->dev == sb->st_dev
           && src->ino == sb->st_ino
           && src->size == sb->st_size
           && src->mtime.tv_sec == sb->st_mtim.tv_sec
           && src->mtime.tv_nsec == sb->st_mtim.tv_nsec
           && src->ctime.tv_sec == sb->st_ctim.tv_sec
           && src->ctime.tv_nsec == sb->st_ctim.tv_nsec;
}


static void
ngx_amt_source_cleanup(void *data)
{
    ngx_amt_source_t  *src = data;

    if (src->pool) {
        /* the log it was made with belongs to the cycle before this one */
        src->pool->log = src->owner->log;
        ngx_destroy_pool(src->pool);
    }

    src->pool = NULL;
    src->table = NULL;
}


void *
ngx_amt_source_refuse(ngx_amt_source_error_t *err, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    err->len = ngx_vslprintf(err->text, err->text + NGX_AMT_SOURCE_ERROR, fmt,
                             args)
               - err->text;
    va_end(args);

    return NULL;
}
