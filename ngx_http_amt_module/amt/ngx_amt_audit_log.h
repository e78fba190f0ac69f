
/*
 * AMT capability: the security audit log.  Contract mps.md section 2.7,
 * wsman.md class AMT_AuditLog.
 */


#ifndef _NGX_AMT_AUDIT_LOG_H_INCLUDED_
#define _NGX_AMT_AUDIT_LOG_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/*
 * Input {"startIndex":n}: 0 and 1 begin with the newest record.
 * {"totalCnt":n,"records":[...]}, newest first, as many as the device gives
 * in one answer.
 */
extern const ngx_amt_op_t  ngx_amt_audit_log;


/* ReadRecords from this index, 1 is the oldest. */
ngx_int_t ngx_amt_audit_log_input(ngx_pool_t *pool, ngx_uint_t start,
    ngx_str_t *body);

/*
 * An answer to ReadRecords.  total and returned as the device says, cut to
 * what is there; *records: array of ngx_str_t, base64, oldest first.  NGX_OK;
 * NGX_DECLINED: nonsense; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_audit_log_answer(ngx_pool_t *pool, ngx_amt_xml_t *output,
    ngx_uint_t *total, ngx_array_t **records);

/*
 * Indices of a page, both 1 or more and included, *first > *last: empty.
 * start: 0 or 1 for the newest record; n: records of a page.
 */
void ngx_amt_audit_log_page(ngx_uint_t total, ngx_uint_t start, ngx_uint_t n,
    ngx_uint_t *first, ngx_uint_t *last);


#endif /* _NGX_AMT_AUDIT_LOG_H_INCLUDED_ */
