
/*
 * The embedded keystore: the part of Vault's KV version 2 that the vault
 * client uses, answered from an encrypted SQLite table.
 */


#ifndef _NGX_AMT_KEYSTORE_H_INCLUDED_
#define _NGX_AMT_KEYSTORE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


/*
 * For the vault client, in the post_subrequest handler: 1 when the answer of
 * subrequest sr was made by amt_keystore and is complete, with its status in
 * sr->headers_out.status and its body, if any, in sr->out.  0 means that
 * something else answered: nginx itself, or another handler.
 */
ngx_uint_t ngx_amt_keystore_answered(ngx_http_request_t *sr);


#endif /* _NGX_AMT_KEYSTORE_H_INCLUDED_ */
