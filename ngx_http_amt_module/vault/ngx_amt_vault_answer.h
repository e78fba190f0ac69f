
/*
 * Vault's answers, KV version 2: status and JSON body to a result.  No I/O;
 * the body is taken as hostile.  Contract mps.md section 3.6.
 */


#ifndef _NGX_AMT_VAULT_ANSWER_H_INCLUDED_
#define _NGX_AMT_VAULT_ANSWER_H_INCLUDED_


#include "flow/ngx_amt_flow.h"
#include <jansson.h>


typedef enum {
    NGX_AMT_VAULT_READ = 0,
    NGX_AMT_VAULT_WRITE,
    NGX_AMT_VAULT_DELETE,
    NGX_AMT_VAULT_LIST,
    NGX_AMT_VAULT_HEALTH
} ngx_amt_vault_op_e;


typedef struct {
    json_t           *json;              /* READ: object of the secret, LIST:
                                            array of names, HEALTH: object;
                                            new reference or NULL */
    uint64_t          version;           /* READ, WRITE: current version */
    ngx_amt_err_e     err;               /* of NGX_ERROR */
    const char       *text;              /* static */
} ngx_amt_vault_answer_t;


/*
 * Reads a complete answer.  NGX_OK; NGX_DECLINED: Vault says there is none
 * (READ; version is the deleted one's, or 0); NGX_ERROR: err and text.  body
 * is zero terminated JSON text of body->len bytes.
 */
ngx_int_t ngx_amt_vault_answer(ngx_amt_vault_op_e op, ngx_uint_t status,
    ngx_str_t *body, ngx_amt_vault_answer_t *answer);


#endif /* _NGX_AMT_VAULT_ANSWER_H_INCLUDED_ */
