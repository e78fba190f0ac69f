
/*
 * A file with credentials that is read at start and again whenever it
 * changes, without a reload: at most one stat() per second and worker, when
 * it is used.  A file that cannot be read or parsed leaves the table of
 * before in place, and is logged once.
 */


#ifndef _NGX_AMT_SOURCE_H_INCLUDED_
#define _NGX_AMT_SOURCE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_AMT_SOURCE_ERROR  256


/* Why a file was refused, for people; holds nothing of its secrets. */

typedef struct {
    u_char                  text[NGX_AMT_SOURCE_ERROR];
    size_t                  len;
} ngx_amt_source_error_t;


/*
 * Makes a table from the text, which is wiped afterwards, in the pool.
 * NULL: refused, the reason is in *err.
 */
typedef void *(*ngx_amt_source_parse_pt)(ngx_pool_t *pool, ngx_str_t *text,
    ngx_amt_source_error_t *err);


typedef struct {
    ngx_str_t                path;           /* zero terminated */
    ngx_amt_source_parse_pt  parse;
    size_t                   max;            /* bytes */
    mode_t                   forbidden;      /* permission bits */

    /* private */
    ngx_pool_t              *owner;          /* of the configuration */
    ngx_pool_t              *pool;           /* of the table */
    void                    *table;
    ngx_uint_t               version;        /* of the table, from 1 on */
    time_t                   checked;
    ngx_uint_t               fresh;          /* may change within its mtime */
    dev_t                    dev;
    ino_t                    ino;
    off_t                    size;
    struct timespec          mtime;
    struct timespec          ctime;
} ngx_amt_source_t;


/*
 * First read, at configuration time; registers the clean-up in pool.
 * NGX_OK, or NGX_ERROR with the reason in *err.
 */
ngx_int_t ngx_amt_source_init(ngx_amt_source_t *src, ngx_pool_t *pool,
    ngx_log_t *log, ngx_amt_source_error_t *err);

/*
 * The current table, valid until the next call or return to the event loop.
 */
void *ngx_amt_source_table(ngx_amt_source_t *src);

/* Another number for each table that was read; looks at the file as above. */
ngx_uint_t ngx_amt_source_version(ngx_amt_source_t *src);

/* Sets *err, formatted as ngx_snprintf, and returns NULL. */
void *ngx_amt_source_refuse(ngx_amt_source_error_t *err, const char *fmt, ...);


#endif /* _NGX_AMT_SOURCE_H_INCLUDED_ */
