
/*
 * The keystore's table and what is done with it, in threads.  Private to
 * keystore/.
 */


#ifndef _NGX_AMT_KEYSTORE_DB_H_INCLUDED_
#define _NGX_AMT_KEYSTORE_DB_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "keystore/ngx_amt_keystore_crypt.h"
#include "store/ngx_amt_sqlite.h"


#define NGX_AMT_KEYSTORE_MAX_VALUE  (1024 * 1024)
#define NGX_AMT_KEYSTORE_MAX_LIST   (16 * 1024 * 1024)


typedef enum {
    NGX_AMT_KEYSTORE_READ = 0,
    NGX_AMT_KEYSTORE_LIST,
    NGX_AMT_KEYSTORE_HEALTH,
    NGX_AMT_KEYSTORE_WRITE,              /* this and following write */
    NGX_AMT_KEYSTORE_DELETE,
    NGX_AMT_KEYSTORE_REWRITE
} ngx_amt_keystore_op_e;


typedef struct {
    ngx_pool_t                     *pool;
    ngx_amt_keystore_op_e           type;
    const ngx_amt_keystore_ring_t  *ring;
    ngx_uint_t                      max_versions;

    ngx_str_t                       path;        /* mount and name; prefix
                                                    with last "/" for LIST */
    uint64_t                        version;     /* READ: 0 is the current */
    uint64_t                        cas;
    int64_t                         created;     /* ms since 1970 */
    ngx_str_t                       plain;       /* secret: JSON object */
    unsigned                        use_cas:1;

    /* results: version, created, plain, and */
    ngx_array_t                     names;       /* ngx_str_t */

    /* REWRITE: one call does some rows and moves the cursor */
    void                           *owner;       /* of the caller */
    ngx_uint_t                      key;         /* number in the ring */
    ngx_str_t                       after_path;
    uint64_t                        after_version;
    ngx_uint_t                      rewritten;
    ngx_uint_t                      unreadable;
    unsigned                        more:1;

    ngx_amt_sqlite_task_t           task;
} ngx_amt_keystore_op_t;


extern const ngx_amt_sqlite_schema_t  ngx_amt_keystore_schema;


/*
 * Runs op (t->data); ngx_amt_sqlite_run_pt.  NGX_DECLINED: no such secret;
 * NGX_ERROR with ERR_CONFLICT: check-and-set; with ERR_VAULT: the value
 * cannot be decrypted.
 */
ngx_int_t ngx_amt_keystore_run(ngx_amt_sqlite_task_t *t, ngx_amt_sqlite_t *c);

/*
 * NGX_ERROR after an [emerg] line when the database holds values of a key
 * that is not in the ring.
 */
ngx_int_t ngx_amt_keystore_keys(const ngx_amt_sqlite_conf_t *conf,
    const ngx_amt_keystore_ring_t *ring, ngx_log_t *log);


#endif /* _NGX_AMT_KEYSTORE_DB_H_INCLUDED_ */
