
/*
 * What others want to know of the store while the configuration is read.
 */


#ifndef _NGX_AMT_STORE_PEEK_H_INCLUDED_
#define _NGX_AMT_STORE_PEEK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "store/ngx_amt_sqlite.h"


/*
 * The SQLite database of amt_store, once http{} has been read; NULL: there is
 * none.  Lives as long as the configuration.
 */
const ngx_amt_sqlite_conf_t *ngx_amt_store_peek_conf(ngx_conf_t *cf);

/*
 * Are there devices in it?  NGX_OK; NGX_DECLINED: none; NGX_ERROR: it does
 * not exist, or cannot be read.  Blocks, changes nothing and makes no file;
 * for ngx_amt_sqlite_as_worker().
 */
ngx_int_t ngx_amt_store_peek(const ngx_amt_sqlite_conf_t *conf);


#endif /* _NGX_AMT_STORE_PEEK_H_INCLUDED_ */
