
/*
 * The one rule that turns WSMAN XML into JSON for answers that pass device
 * data through.  Contract mps.md section 5.4.
 */


#ifndef _NGX_AMT_JSON_H_INCLUDED_
#define _NGX_AMT_JSON_H_INCLUDED_


#include "wsman/ngx_amt_wsman.h"
#include <jansson.h>


/*
 * The value of one element: object, string, number, boolean or null.  Texts
 * that read as numbers or booleans become such, unless the element's name
 * says that it is text (InstanceID, SSID, SerialNumber, ...).  x NULL: an
 * empty string.  A new reference; NULL: no memory.
 */
json_t *ngx_amt_json_element(ngx_amt_xml_t *x);

/*
 * The children of an element as an object, empty when there are none; never
 * anything but an object.  NULL: no memory.
 */
json_t *ngx_amt_json_object(ngx_amt_xml_t *x);

/* The elements of an enumeration (array of ngx_amt_xml_t *) as an array. */
json_t *ngx_amt_json_items(ngx_array_t *items);

/* {"Header":H,"Body":B}; takes the reference of body, also on failure. */
json_t *ngx_amt_json_answer(ngx_amt_wsman_response_t *res, json_t *body);

/* {"Header":H}: what an answer with a fault has always been. */
json_t *ngx_amt_json_header(ngx_amt_wsman_response_t *res);

/*
 * json_object_set_new() for which value may be NULL (no memory).  NGX_OK or
 * NGX_ERROR; the reference is taken in any case.
 */
ngx_int_t ngx_amt_json_set(json_t *object, const char *key, json_t *value);


#endif /* _NGX_AMT_JSON_H_INCLUDED_ */
