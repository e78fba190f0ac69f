
/*
 * REST: root certificate, health, version.  Contract mps.md sections 2.4,
 * 6.2.
 */


#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_reply.h"


static ngx_int_t ngx_amt_mps_healthy(ngx_amt_mps_health_t *v);


ngx_int_t
ngx_amt_mps_ciracert(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_api_frame_t  *v = data;

    if (v->api->conf->ciracert.len == 0) {
        return ngx_amt_reply_error(v->api, 500,
                                   "MPS root certificate does not exist");
    }

    v->api->reply.status = 200;
    v->api->reply.body = v->api->conf->ciracert;
    v->api->reply.html = 1;

    return NGX_OK;
}


ngx_int_t
ngx_amt_mps_version(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_api_frame_t  *v = data;

    return ngx_amt_reply_text(v->api, 200,
                          "{\"serviceVersion\":\"" NGX_AMT_MPS_VERSION "\"}");
}


ngx_int_t
ngx_amt_mps_health(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_health_t  *v = data;

    ngx_amt_begin(f, v);

    ngx_str_set(&v->name, "SQLITE");

    ngx_amt_await_rc(f, v, ngx_amt_store_health(f, &v->name));

    v->store = v->frame.rc;

    if (v->store != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, &v->api->log, 0, "store is not well: %V",
                      &f->err.text);
    }

    ngx_amt_flow_clear(f);

    ngx_amt_await_rc(f, v, ngx_amt_vault_health(f, &v->vault));

    if (v->frame.rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, &v->api->log, 0,
                      "secret store is not well: %V", &f->err.text);
    }

    return ngx_amt_mps_healthy(v);
}


static ngx_int_t
ngx_amt_mps_healthy(ngx_amt_mps_health_t *v)
{
    ngx_uint_t     good;
    ngx_amt_out_t  o;

    ngx_amt_out_init(&o, v->api->pool, 512);
    ngx_amt_out_open(&o, '{');

    ngx_amt_out_key(&o, "db");
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "name");
    ngx_amt_out_string(&o, &v->name);
    ngx_amt_out_key(&o, "status");
    ngx_amt_out_cstring(&o, v->store == NGX_OK ? "OK" : "unknown error");
    ngx_amt_out_close(&o, '}');

    ngx_amt_out_key(&o, "secretStore");
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "name");
    ngx_amt_out_cstring(&o, "VAULT");
    ngx_amt_out_key(&o, "status");

    good = v->store == NGX_OK && v->frame.rc == NGX_OK
           && json_is_true(json_object_get(v->vault, "initialized"))
           && json_is_false(json_object_get(v->vault, "sealed"));

    if (json_is_object(v->vault)) {
        ngx_amt_out_value(&o, v->vault);

    } else {
        ngx_amt_out_cstring(&o, "unknown error");
    }

    ngx_amt_out_close(&o, '}');
    ngx_amt_out_close(&o, '}');

    v->api->reply.no_store = 1;

    return ngx_amt_reply_out(v->api, good ? 200 : 503, &o);
}


void
ngx_amt_mps_health_drop(void *data)
{
    ngx_amt_mps_health_t  *v = data;

    json_decref(v->vault);
}
