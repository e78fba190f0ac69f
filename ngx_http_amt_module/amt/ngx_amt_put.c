
/*
 * Read, modify, write; see ngx_amt_put.h.
 */


#include "amt/ngx_amt_put.h"


static void ngx_amt_put_value(ngx_amt_xml_writer_t *w,
    const ngx_amt_put_t *change);


ngx_int_t
ngx_amt_put_body(ngx_pool_t *pool, ngx_amt_xml_t *instance,
    const ngx_amt_put_t *changes, ngx_str_t *body)
{
    uint64_t               seen;
    ngx_uint_t             n;
    ngx_amt_xml_t         *x;
    const ngx_amt_put_t   *change;
    ngx_amt_xml_writer_t   w;

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);

    seen = 0;

    for (x = instance->first; x; x = x->next) {

        for (change = changes; change->name; change++) {
            if (ngx_amt_xml_is(x, change->name)) {
                break;
            }
        }

        if (change->name == NULL) {
            ngx_amt_xml_echo(&w, x, &instance->uri);
            continue;
        }

        n = change - changes;

        if (!(seen & ((uint64_t) 1 << n))) {
            seen |= (uint64_t) 1 << n;
            ngx_amt_put_value(&w, change);
        }
    }

    for (change = changes, n = 0; change->name; change++, n++) {
        if (change->add && !(seen & ((uint64_t) 1 << n))) {
            ngx_amt_put_value(&w, change);
        }
    }

    return ngx_amt_xml_done(&w, body);
}


static void
ngx_amt_put_value(ngx_amt_xml_writer_t *w, const ngx_amt_put_t *change)
{
    ngx_str_t  text;

    switch (change->type) {

    case NGX_AMT_PUT_BOOL:
        ngx_amt_xml_leaf_bool(w, change->name, change->number != 0);
        break;

    case NGX_AMT_PUT_INT:
        ngx_amt_xml_leaf_int(w, change->name, change->number);
        break;

    case NGX_AMT_PUT_TEXT:
        text = change->text;
        ngx_amt_xml_leaf(w, change->name, &text);
        break;

    case NGX_AMT_PUT_OMIT:
        break;
    }
}


ngx_int_t
ngx_amt_put_state(ngx_pool_t *pool, ngx_uint_t state, ngx_str_t *body)
{
    ngx_amt_xml_writer_t  w;

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);

    ngx_amt_xml_leaf_int(&w, "RequestedState", state);

    return ngx_amt_xml_done(&w, body);
}
