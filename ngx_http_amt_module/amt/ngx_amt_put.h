
/*
 * Bodies of Put: the instance as the device gave it, with changes.  Unknown
 * properties are echoed.  No I/O.  Contract mps.md section 5.4, wsman.md
 * section 3.2.
 */


#ifndef _NGX_AMT_PUT_H_INCLUDED_
#define _NGX_AMT_PUT_H_INCLUDED_


#include "wsman/ngx_amt_wsman.h"


typedef enum {
    NGX_AMT_PUT_BOOL = 0,
    NGX_AMT_PUT_INT,
    NGX_AMT_PUT_TEXT,
    NGX_AMT_PUT_OMIT                     /* the property is left out */
} ngx_amt_put_e;


typedef struct {
    const char         *name;            /* of the property; NULL ends a
                                            list */
    ngx_amt_put_e       type;
    int64_t             number;          /* BOOL, INT */
    ngx_str_t           text;            /* TEXT */
    unsigned            add:1;           /* at the end, when it was not
                                            received */
} ngx_amt_put_t;


/*
 * Children of an instance: the received ones in their order, those of
 * changes in place (of an array the first one; the others go), new ones
 * behind them.  Up to 64 changes, each with a name of its own.  Results as of
 * ngx_amt_xml_done().
 */
ngx_int_t ngx_amt_put_body(ngx_pool_t *pool, ngx_amt_xml_t *instance,
    const ngx_amt_put_t *changes, ngx_str_t *body);

/* Body of RequestStateChange. */
ngx_int_t ngx_amt_put_state(ngx_pool_t *pool, ngx_uint_t state,
    ngx_str_t *body);


#endif /* _NGX_AMT_PUT_H_INCLUDED_ */
