
/*
 * AMT event log records: 21 bytes to JSON, no I/O.  Contract mps.md section
 * 2.8 and appendix C, wsman.md section 9.2.
 */


#ifndef _NGX_AMT_EVENT_RECORD_H_INCLUDED_
#define _NGX_AMT_EVENT_RECORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>


#define NGX_AMT_EVENT_RECORD  21         /* bytes */
#define NGX_AMT_EVENT_MAX     390        /* records in a log */


/*
 * One record as an object with the contract's members in their order; a new
 * reference in *json.  A record without a time has no TimeStamp.  NGX_OK;
 * NGX_DECLINED: not NGX_AMT_EVENT_RECORD bytes; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_event_record(ngx_str_t *record, json_t **json);

/* Base64 of one record, as devices send it; a bad one is NGX_DECLINED. */
ngx_int_t ngx_amt_event_record_base64(ngx_str_t *text, json_t **json);

/* EntityStr; "Unknown" when it is not in the table. */
const char *ngx_amt_event_entity(ngx_uint_t entity);

/*
 * Desc: what sensor, offset and eight bytes of data say.  *json is a new
 * reference: a text, null for other watchdogs, or NULL, the text does not
 * exist.  NGX_OK; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_event_desc(ngx_uint_t sensor, ngx_uint_t offset,
    u_char *data, json_t **json);


#endif /* _NGX_AMT_EVENT_RECORD_H_INCLUDED_ */
