
/*
 * AMT audit log records: bytes to JSON, no I/O.  Contract mps.md section 2.7
 * and appendix B, wsman.md section 9.1.
 */


#ifndef _NGX_AMT_AUDIT_RECORD_H_INCLUDED_
#define _NGX_AMT_AUDIT_RECORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>


/* Below this there is nothing to tell: application, event, initiator type. */
#define NGX_AMT_AUDIT_RECORD_MIN  5


/*
 * One record as an object with the contract's members in their order; a new
 * reference in *json.  A record that ends too early, or whose initiator is of
 * an unknown type, has the members that were read until then.  All bytes of
 * texts are code points U+0000 to U+00FF.  NGX_OK; NGX_DECLINED: shorter than
 * NGX_AMT_AUDIT_RECORD_MIN; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_audit_record(ngx_str_t *record, json_t **json);

/* Base64 of one record, as devices send it; a bad one is NGX_DECLINED. */
ngx_int_t ngx_amt_audit_record_base64(ngx_str_t *text, ngx_pool_t *pool,
    json_t **json);


/* Texts of applications, events and realms; NULL: not in the tables. */
const char *ngx_amt_audit_app(ngx_uint_t app);
const char *ngx_amt_audit_event(ngx_uint_t app, ngx_uint_t event);
const char *ngx_amt_audit_realm(ngx_uint_t realm);

/*
 * ExStr: what extended data of an event means.  *json is a new reference:
 * a text, null for events without a rule, or NULL, the data does not follow
 * it.  NGX_OK; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_audit_extended(ngx_uint_t app, ngx_uint_t event,
    ngx_str_t *data, json_t **json);

/* Bytes as code points U+0000 to U+00FF; a new reference, NULL: no memory. */
json_t *ngx_amt_audit_latin1(u_char *p, size_t len);


#endif /* _NGX_AMT_AUDIT_RECORD_H_INCLUDED_ */
