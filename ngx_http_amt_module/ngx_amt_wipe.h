
/*
 * Pools that held secrets: requests with passwords, keys and tokens, and
 * answers that repeat them.
 */


#ifndef _NGX_AMT_WIPE_H_INCLUDED_
#define _NGX_AMT_WIPE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/*
 * All that was taken from the pool since it was created or reset, but for
 * what was given back with ngx_pfree().  The pool itself stays as it is, its
 * cleanups do not: call it from the one that runs last, or for a pool that
 * has none.
 */
void ngx_amt_wipe_pool(ngx_pool_t *pool);

/*
 * The same when the pool is destroyed.  To be called first after the pool was
 * created: the first cleanup is the last to run.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_amt_wipe_pool_later(ngx_pool_t *pool);


#endif /* _NGX_AMT_WIPE_H_INCLUDED_ */
