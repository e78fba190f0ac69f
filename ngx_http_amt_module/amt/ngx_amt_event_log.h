
/*
 * AMT capability: the event log.  Contract mps.md section 2.8, wsman.md class
 * AMT_MessageLog.
 */


#ifndef _NGX_AMT_EVENT_LOG_H_INCLUDED_
#define _NGX_AMT_EVENT_LOG_H_INCLUDED_


#include "amt/ngx_amt_capability.h"
#include "amt/ngx_amt_event_record.h"


typedef u_char  ngx_amt_event_bytes_t[NGX_AMT_EVENT_RECORD];


/*
 * All records, newest first, as an array, in text.  With input
 * {"top":n,"skip":n} that slice as {"records":[...],"hasMoreRecords":b}, and
 * each record's TimeStamp as its Time, too; top absent: to the end.
 */
extern const ngx_amt_op_t  ngx_amt_event_log;


/* GetRecords of up to max records from this iteration on. */
ngx_int_t ngx_amt_event_log_input(ngx_pool_t *pool, ngx_uint_t iteration,
    ngx_uint_t max, ngx_str_t *body);

/*
 * Adds the records of an answer to GetRecords to an array of
 * ngx_amt_event_bytes_t, up to NGX_AMT_EVENT_MAX in all; *bad: how many were
 * malformed and left out.  NGX_OK; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_event_log_answer(ngx_amt_xml_t *output,
    ngx_array_t *records, ngx_uint_t *bad);

/* Writes all records as an array or, with input, the slice as an object. */
void ngx_amt_event_log_write(ngx_amt_out_t *o, ngx_array_t *records,
    json_t *input);


#endif /* _NGX_AMT_EVENT_LOG_H_INCLUDED_ */
