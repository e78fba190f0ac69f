
/*
 * AMT event log records: 21 bytes to JSON, no I/O.  Contract mps.md section
 * 2.8 and appendix C, wsman.md section 9.2.
 */


#ifndef _NGX_AMT_EVENT_RECORD_H_INCLUDED_
#define _NGX_AMT_EVENT_RECORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "mps/ngx_amt_out.h"


#define NGX_AMT_EVENT_RECORD  21         /* bytes */
#define NGX_AMT_EVENT_MAX     390        /* records in a log */


/* Base64 of one record, as devices send it, to its NGX_AMT_EVENT_RECORD
   bytes; NGX_OK or NGX_DECLINED. */
ngx_int_t ngx_amt_event_decode(ngx_str_t *text, u_char *record);

/*
 * Writes a record of NGX_AMT_EVENT_RECORD bytes as an object with the
 * contract's members in their order.  A record without a time has no
 * TimeStamp; with twice it is written as Time, too.
 */
void ngx_amt_event_record(ngx_amt_out_t *o, u_char *record, ngx_uint_t twice);

/* EntityStr; "Unknown" when it is not in the table. */
const char *ngx_amt_event_entity(ngx_uint_t entity);

/*
 * Writes the member Desc: what sensor, offset and eight bytes of data say, or
 * null for other watchdogs; nothing where there is no text.
 */
void ngx_amt_event_desc(ngx_amt_out_t *o, ngx_uint_t sensor,
    ngx_uint_t offset, u_char *data);


#endif /* _NGX_AMT_EVENT_RECORD_H_INCLUDED_ */
