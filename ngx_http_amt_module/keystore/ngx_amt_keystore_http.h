
/*
 * The keystore's HTTP side.  Private to keystore/.
 */


#ifndef _NGX_AMT_KEYSTORE_HTTP_H_INCLUDED_
#define _NGX_AMT_KEYSTORE_HTTP_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "keystore/ngx_amt_keystore_db.h"
#include "store/ngx_amt_sqlite_db.h"


/* One amt_keystore location. */

typedef struct {
    ngx_amt_sqlite_db_t         db;
    ngx_amt_keystore_ring_t    *ring;            /* pages of its own */
    size_t                      ring_size;
    ngx_uint_t                  max_versions;
    ngx_msec_t                  rewrite;         /* delay */
    ngx_event_t                 timer;
    ngx_http_core_loc_conf_t   *clcf;
    const ngx_amt_sqlite_conf_t  *store;         /* or NULL */
    u_char                     *file;            /* of the directive */
    ngx_uint_t                  line;
} ngx_amt_keystore_t;


/* Content handler of a location with amt_keystore. */
ngx_int_t ngx_amt_keystore_handler(ngx_http_request_t *r);

/* The keystore of a location. */
ngx_amt_keystore_t *ngx_http_amt_keystore_of(ngx_http_request_t *r);

/*
 * Splits what follows the location's name, "MOUNT/data/NAME",
 * "MOUNT/metadata/NAME" or "sys/health".  path becomes "MOUNT/NAME" in the
 * pool; for folder, the last "/" is there.  NGX_DECLINED: not such a path.
 */

typedef enum {
    NGX_AMT_KEYSTORE_NONE = 0,
    NGX_AMT_KEYSTORE_SYS_HEALTH,
    NGX_AMT_KEYSTORE_DATA,
    NGX_AMT_KEYSTORE_METADATA
} ngx_amt_keystore_kind_e;

ngx_int_t ngx_amt_keystore_split(ngx_pool_t *pool, const ngx_str_t *uri,
    ngx_uint_t folder, ngx_amt_keystore_kind_e *kind, ngx_str_t *path);

/*
 * Reads the body of a write: op->plain (compact JSON, in op's pool), cas.
 * Returns NULL, or what is wrong with it.
 */
const char *ngx_amt_keystore_body(ngx_amt_keystore_op_t *op,
    const u_char *data, size_t len);

/*
 * The answer to a finished operation, as Vault writes it: status, and body
 * in op's pool.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_keystore_answer(ngx_amt_keystore_op_t *op,
    ngx_uint_t *status, ngx_str_t *body);

/*
 * When the ring has older keys: encrypts their values again with the first
 * key, in the background and in small transactions, and logs when it is done.
 * Of one worker's init_process; interrupted at any point, the next start goes
 * on.
 */
void ngx_amt_keystore_rewriter(ngx_amt_keystore_t *ks);

/* {"errors":[text]}, or [] for NULL. */
ngx_int_t ngx_amt_keystore_errors(ngx_pool_t *pool, const char *text,
    ngx_str_t *body);


#endif /* _NGX_AMT_KEYSTORE_HTTP_H_INCLUDED_ */
