
/*
 * Rotation of passwords: what came of it; see ngx_amt_mps_rotate.h.
 */


#include "mps/ngx_amt_mps_rotate.h"
#include "mps/ngx_amt_reply.h"


ngx_int_t
ngx_amt_mps_rotate_settle(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v)
{
    ngx_uint_t          i, n;
    ngx_amt_pending_t   set[NGX_AMT_SECRET_N];

    for (i = 0, n = 0; i < NGX_AMT_SECRET_N; i++) {

        if (v->state[i] != NGX_AMT_ROTATE_DONE
            && v->state[i] != NGX_AMT_ROTATE_REFUSED)
        {
            continue;
        }

        set[n].key = ngx_amt_mps_secret_kinds[i].key;
        set[n].pending = ngx_amt_mps_secret_kinds[i].pending;
        set[n].value = ngx_amt_mps_rotate_new(v, i);
        set[n].commit = v->state[i] == NGX_AMT_ROTATE_DONE;
        n++;
    }

    if (n == 0) {
        return NGX_OK;
    }

    return ngx_amt_pending_settle(f, &v->path, set, n);
}


ngx_int_t
ngx_amt_mps_rotate_error(ngx_amt_mps_rotate_t *v, ngx_uint_t status,
    const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = ngx_strlen(text);

    return ngx_amt_reply_refusal(v->api, status,
                                 status == 409 ? "Conflict" : NULL, &s);
}


ngx_int_t
ngx_amt_mps_rotate_staged(ngx_amt_mps_rotate_t *v)
{
    return ngx_amt_mps_rotate_error(v, 409, "Another MPS password is staged, "
                                "which the device may have been configured "
                                "with: withdraw it first if it was not");
}


ngx_int_t
ngx_amt_mps_rotate_reply(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v)
{
    ngx_uint_t        i, unknown, done;
    ngx_amt_out_t     o;
    ngx_amt_rotate_e  state;

    unknown = 0;
    done = 0;

    for (i = 0; i < NGX_AMT_SECRET_N; i++) {
        unknown |= v->state[i] == NGX_AMT_ROTATE_UNKNOWN;
        done |= v->state[i] == NGX_AMT_ROTATE_DONE;
    }

    if (v->frame.rc != NGX_OK) {

        ngx_log_error(NGX_LOG_ERR, &v->api->log, 0,
                      "passwords of \"%V\" were not settled in Vault: %V",
                      &v->api->device, &f->err.text);

        if (f->err.code == NGX_AMT_ERR_CONFLICT) {
            ngx_amt_flow_clear(f);

            return ngx_amt_mps_rotate_error(v, 409, "The secret was changed "
                                            "by somebody else meanwhile");
        }

        ngx_amt_flow_clear(f);

        if (done) {
            return ngx_amt_mps_rotate_error(v, 503, "The device has its new "
                                "password, which is still pending in the "
                                "secret store: call again when that is back");
        }

        if (v->refusal.data == NULL) {
            return ngx_amt_mps_rotate_error(v, 503,
                                            "Secret store did not answer");
        }
    }

    if (v->overtaken) {
        return ngx_amt_mps_rotate_error(v, 409, "The password was changed by "
                                        "another call meanwhile");
    }

    if (unknown) {

        ngx_log_error(NGX_LOG_ERR, &v->api->log, 0,
                      "password of \"%V\" may have been changed: %V",
                      &v->api->device, &v->err.text);

        return ngx_amt_mps_rotate_error(v, 504, "The device did not say "
                              "whether it has its new password, which stays "
                              "pending in the secret store: call again");
    }

    if (v->refusal.data) {
        return ngx_amt_reply_refusal(v->api, 400, NULL, &v->refusal);
    }

    ngx_amt_out_init(&o, v->api->pool, 256);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "guid");
    ngx_amt_out_string(&o, &v->api->device);

    for (i = 0; i < NGX_AMT_SECRET_N; i++) {

        state = v->state[i];

        if (state == NGX_AMT_ROTATE_NONE
            && (i != NGX_AMT_SECRET_AMT || !(v->promoted || v->dropped))
            && (i != NGX_AMT_SECRET_MPS || !v->withdrawn))
        {
            continue;
        }

        ngx_amt_out_key(&o, ngx_amt_mps_secret_kinds[i].name);

        if (state == NGX_AMT_ROTATE_STAGED) {
            ngx_amt_out_cstring(&o, "staged");

        } else if (state == NGX_AMT_ROTATE_NONE
                   && i == NGX_AMT_SECRET_MPS)
        {
            ngx_amt_out_cstring(&o, "withdrawn");

        } else if (state == NGX_AMT_ROTATE_NONE) {
            ngx_amt_out_cstring(&o, v->promoted ? "resumed" : "kept");

        } else if (state == NGX_AMT_ROTATE_REFUSED) {
            ngx_amt_out_cstring(&o, "kept");

        } else {
            ngx_amt_out_cstring(&o, i == NGX_AMT_SECRET_MEBX && v->resumed
                                ? "resumed" : "rotated");
        }
    }

    ngx_amt_out_close(&o, '}');

    return ngx_amt_reply_out(v->api, 200, &o);
}
