
/*
 * Rotation of passwords: a device is told; see ngx_amt_mps_rotate.h.
 */


#include "mps/ngx_amt_mps_rotate.h"
#include "amt/ngx_amt_password.h"


#define NGX_AMT_ROTATE_TEXT  512


ngx_int_t
ngx_amt_mps_rotate_get(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v,
    const char *class)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_GET;
    req.class = class;
    req.strict = 1;

    return ngx_amt_device_call(f, v->dev, &req, &v->res);
}


ngx_int_t
ngx_amt_mps_rotate_tell(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v,
    ngx_amt_secret_e i)
{
    ngx_int_t                rc;
    ngx_str_t                password;
    ngx_amt_wsman_request_t  req;

    password.data = (u_char *) ngx_amt_mps_rotate_new(v, i);
    password.len = ngx_strlen(password.data);

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.secret = 1;

    if (i == NGX_AMT_SECRET_MEBX) {
        req.class = "AMT_SetupAndConfigurationService";
        req.method = "SetMEBxPassword";

        rc = ngx_amt_password_mebx(f->pool, &password, &req.body);

    } else {
        req.class = "AMT_AuthorizationService";
        req.method = "SetAdminAclEntryEx";

        rc = ngx_amt_password_admin(f->pool, &v->realm, &password, &req.body);
    }

    if (rc != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_CONFLICT, "no memory");
    }

    return ngx_amt_device_call(f, v->dev, &req, &v->res);
}


void
ngx_amt_mps_rotate_told(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v,
    ngx_amt_secret_e i)
{
    ngx_int_t    value;
    const char  *output;

    v->unseen = 0;

    if (v->frame.rc != NGX_OK) {

        if (f->err.code == NGX_AMT_ERR_CONFLICT) {
            ngx_amt_mps_rotate_refuse(v, i, "%V, try again", &f->err.text);
            v->unseen = 1;

        } else {
            v->state[i] = NGX_AMT_ROTATE_UNKNOWN;
            v->err = f->err;
        }

        ngx_amt_flow_clear(f);

        return;
    }

    if (v->res.fault) {
        ngx_amt_mps_rotate_refuse(v, i, "%V %V", &v->res.fault_code,
                                  &v->res.fault_text);

        if (i == NGX_AMT_SECRET_MEBX && !v->resumed
            && !ngx_amt_cap_fault_is(&v->res, "AccessDenied"))
        {
            /* it may have obeyed, and cannot be asked: once more, later */

            v->state[i] = NGX_AMT_ROTATE_UNKNOWN;
            v->err.code = NGX_AMT_ERR_FAULT;
            v->err.text = v->refusal;
            ngx_str_null(&v->refusal);
        }

        return;
    }

    output = (i == NGX_AMT_SECRET_MEBX) ? "SetMEBxPassword_OUTPUT"
                                        : "SetAdminAclEntryEx_OUTPUT";

    if (!ngx_amt_xml_is(v->res.content, output)) {
        v->state[i] = NGX_AMT_ROTATE_UNKNOWN;
        v->err.code = NGX_AMT_ERR_BAD_ANSWER;
        ngx_str_set(&v->err.text, "answer is not understood");
        return;
    }

    value = ngx_amt_cap_return_value(&v->res);

    if (value != 0) {
        ngx_amt_mps_rotate_refuse(v, i, "%s (%i)",
                                  ngx_amt_wsman_status(value), value);
        return;
    }

    v->state[i] = NGX_AMT_ROTATE_DONE;
}


void
ngx_amt_mps_rotate_refuse(ngx_amt_mps_rotate_t *v, ngx_amt_secret_e i,
    const char *fmt, ...)
{
    u_char   *p, *last, buf[NGX_AMT_ROTATE_TEXT];
    va_list   args;

    static const char  *names[] = { "MEBx", "AMT", "MPS" };

    v->state[i] = NGX_AMT_ROTATE_REFUSED;

    last = buf + sizeof(buf);

    p = ngx_slprintf(buf, last, "%s password was not changed: ", names[i]);

    va_start(args, fmt);
    p = ngx_vslprintf(p, last, fmt, args);
    va_end(args);

    /* a device's text may be cut inside of a character */

    if (p == last) {
        while (p > buf && (p[-1] & 0x80)) {
            p--;
        }
    }

    v->refusal.len = p - buf;
    v->refusal.data = ngx_pnalloc(v->api->pool, v->refusal.len);

    if (v->refusal.data == NULL) {
        ngx_str_set(&v->refusal, "password was not changed");
        return;
    }

    ngx_memcpy(v->refusal.data, buf, v->refusal.len);
}


void
ngx_amt_mps_rotate_keep(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v)
{
    ngx_uint_t  i;

    if (f->err.code != NGX_AMT_ERR_NONE) {
        v->err = f->err;
        ngx_amt_flow_clear(f);
    }

    for (i = 0; i < NGX_AMT_SECRET_N; i++) {
        if (v->state[i] == NGX_AMT_ROTATE_WANTED
            || (v->state[i] == NGX_AMT_ROTATE_STAGED && !v->restaged))
        {
            v->state[i] = NGX_AMT_ROTATE_REFUSED;
        }
    }
}
