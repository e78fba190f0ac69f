
/*
 * Tables that say which property of an instance becomes which member of an
 * object, with what default.
 */


#ifndef _NGX_AMT_NETWORK_FIELDS_H_INCLUDED_
#define _NGX_AMT_NETWORK_FIELDS_H_INCLUDED_


#include "amt/ngx_amt_network.h"


/* How one property becomes one member. */

typedef enum {
    NGX_AMT_NETWORK_TEXT = 0,
    NGX_AMT_NETWORK_NUMBER,
    NGX_AMT_NETWORK_BOOLEAN,
    NGX_AMT_NETWORK_NAME,
    NGX_AMT_NETWORK_NAMES,               /* one or many */
    NGX_AMT_NETWORK_POSITIVE             /* a number, left out when 0 */
} ngx_amt_network_kind_e;


typedef struct {
    const char                    *key;
    const char                    *property;
    ngx_amt_network_kind_e         kind;
    const ngx_amt_network_name_t  *names;
} ngx_amt_network_field_t;


/*
 * Sets the members of json that the table, which ends with key NULL, makes
 * of x, which may be NULL.  NGX_OK; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_network_fields(json_t *json,
    const ngx_amt_network_field_t *field, ngx_amt_xml_t *x);

/*
 * An array with one such object for each item, with profiles for each that
 * is one.  A new reference; NULL: no memory.
 */
json_t *ngx_amt_network_list(const ngx_amt_network_field_t *field,
    ngx_array_t *items, ngx_uint_t profiles);


#endif /* _NGX_AMT_NETWORK_FIELDS_H_INCLUDED_ */
