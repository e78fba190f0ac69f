
/*
 * Configuration of the Vault client, and its token.
 */


#ifndef _NGX_HTTP_AMT_VAULT_H_INCLUDED_
#define _NGX_HTTP_AMT_VAULT_H_INCLUDED_


#include "ngx_http_amt.h"
#include "call/ngx_amt_call.h"


#define NGX_AMT_VAULT_TOKEN_MAX  4096


typedef struct {
    ngx_str_t             file;          /* empty: no token */
    u_char               *data;          /* one page, not in core dumps */
    size_t                len;
    ngx_uint_t            failed;        /* logged for this state */

    /* the file as it was read */
    dev_t                 dev;
    ino_t                 ino;
    off_t                 size;
    struct timespec       mtime;
    struct timespec       ctime;
} ngx_amt_vault_token_t;


typedef struct {
    ngx_amt_call_conf_t   call;
    ngx_str_t             mount;         /* "secret" */
    ngx_msec_t            timeout;
    ngx_uint_t            max;           /* calls at once, per worker */
    ngx_amt_vault_token_t token;

    ngx_uint_t            set;
    u_char               *file;
    ngx_uint_t            line;
} ngx_http_amt_vault_main_conf_t;


extern ngx_module_t  ngx_http_amt_vault_module;


/*
 * Opens and reads the token file into data (NGX_AMT_VAULT_TOKEN_MAX bytes).
 * NULL, or what is wrong with it (static; *err is errno or 0).
 */
const char *ngx_amt_vault_token_read(ngx_amt_vault_token_t *token,
    u_char *data, size_t *len, struct stat *st, ngx_err_t *err);

/* In a worker: memory for the token, and its first reading. */
ngx_int_t ngx_amt_vault_token_init(ngx_amt_vault_token_t *token,
    ngx_log_t *log);
void ngx_amt_vault_token_exit(ngx_amt_vault_token_t *token);

/* Reads the file again if it changed; a bad file keeps the former token. */
void ngx_amt_vault_token_refresh(ngx_amt_vault_token_t *token,
    ngx_log_t *log);


/* Calls that run, and those that wait in line for one to end. */
void ngx_amt_vault_stats(ngx_uint_t *running, ngx_uint_t *waiting);


/* The worker's configuration, or NULL without amt_vault. */
ngx_http_amt_vault_main_conf_t *ngx_http_amt_vault_conf(void);


#endif /* _NGX_HTTP_AMT_VAULT_H_INCLUDED_ */
