
/*
 * General settings; see ngx_amt_general.h.
 */


#include "amt/ngx_amt_general.h"
#include "amt/ngx_amt_json.h"


static ngx_int_t ngx_amt_general_body(ngx_amt_flow_t *f, void *data);


const ngx_amt_op_t  ngx_amt_general = {
    "general", sizeof(ngx_amt_cap_t), ngx_amt_general_body, NULL, 0
};


static ngx_int_t
ngx_amt_general_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_cap_get_any(f, c, "AMT_GeneralSettings"));

    /* a fault has always been an answer with the header alone */

    if (c->res.fault) {
        return ngx_amt_cap_done(f, c, ngx_amt_json_header(&c->res));
    }

    c->frame.rc = ngx_amt_device_expect(f, "AMT_GeneralSettings", &c->res);

    if (c->frame.rc != NGX_OK) {
        goto fail;
    }

    return ngx_amt_cap_done(f, c,
                            ngx_amt_json_answer(&c->res,
                                     ngx_amt_json_object(c->res.content)));

fail:

    return c->frame.rc;
}
