
/*
 * REST: which redirection sessions of a device are open.  Contract mps.md
 * section 2.3.
 */


#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_mps_record.h"
#include "mps/ngx_amt_reply.h"


ngx_int_t
ngx_amt_mps_redirect_status(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_redirect_t *v = data;

    ngx_amt_out_t  o;

    ngx_amt_begin(f, v);

    ngx_amt_mps_tenant(v->api, v->api->query, &v->tenant);

    ngx_amt_await_rc(f, v, ngx_amt_store_get(f, &v->api->device, NULL,
                                             &v->row));

    /* connected, but not registered */

    if (v->frame.rc == NGX_DECLINED) {
        return ngx_amt_reply_empty(v->api, 500);
    }

    if (v->frame.rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (!ngx_amt_mps_same(&v->row.tenant, &v->tenant)) {
        return ngx_amt_reply_empty(v->api, 204);
    }

    ngx_amt_await(f, v, ngx_amt_relay_open(f, v->api->info.guid, &v->open));

    ngx_amt_out_init(&o, v->api->pool, 128);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "isKVMConnected");
    ngx_amt_out_bool(&o, v->open.kind[NGX_AMT_REDIR_KVM]);
    ngx_amt_out_key(&o, "isSOLConnected");
    ngx_amt_out_bool(&o, v->open.kind[NGX_AMT_REDIR_SOL]);
    ngx_amt_out_key(&o, "isIDERConnected");
    ngx_amt_out_bool(&o, v->open.kind[NGX_AMT_REDIR_IDER]);
    ngx_amt_out_close(&o, '}');

    return ngx_amt_reply_out(v->api, 200, &o);

fail:

    return v->frame.rc;
}
