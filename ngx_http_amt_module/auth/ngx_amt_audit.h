
/*
 * The audit log's line format, no I/O; ngx_amt_audit() is in ngx_amt_auth.h.
 */


#ifndef _NGX_AMT_AUDIT_H_INCLUDED_
#define _NGX_AMT_AUDIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_AMT_AUDIT_MAX  65536         /* bytes of a line */


typedef struct {
    int64_t       time;                  /* ms since 1970 */
    ngx_str_t     who;
    ngx_str_t     tenant;
    ngx_str_t     addr;
    ngx_str_t     action;
    ngx_str_t     guid;                  /* empty: left out */
    ngx_str_t     detail;                /* JSON text; empty: left out */
} ngx_amt_audit_record_t;


/*
 * One JSON object on one line, with line end, in the pool.  Bytes that are
 * not UTF-8 become "?"; a detail that is not JSON becomes a string.  NGX_OK;
 * NGX_DECLINED: longer than NGX_AMT_AUDIT_MAX; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_audit_line(ngx_pool_t *pool, ngx_amt_audit_record_t *rec,
    ngx_str_t *line);


#endif /* _NGX_AMT_AUDIT_H_INCLUDED_ */
