
/*
 * REST: login and redirection tokens.  Contract mps.md sections 1.7, 2.2.
 */


#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_mps_record.h"
#include "mps/ngx_amt_reply.h"


static ngx_int_t ngx_amt_mps_token(ngx_amt_api_t *api,
    ngx_amt_identity_t *id, ngx_str_t *device, time_t lifetime);


/* In the body only: what is in a query ends up in logs. */

const ngx_amt_check_t  ngx_amt_mps_login_checks[] = {

    { "username", NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING, 0, 0, 0, NULL, NULL,
      NULL },
    { "username", NGX_AMT_IN_BODY, NGX_AMT_CHECK_NOT_EMPTY, 0, 0, 0, NULL,
      "User name is required", NULL },

    { "password", NGX_AMT_IN_BODY, NGX_AMT_CHECK_NOT_EMPTY,
      NGX_AMT_CHECK_SECRET, 0, 0, NULL, "Password is required", NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


ngx_int_t
ngx_amt_mps_login(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_login_t  *v = data;

    json_t     *value;
    ngx_str_t   guid, device;

    ngx_amt_begin(f, v);

    value = json_object_get(v->api->body, "username");

    v->user.data = (u_char *) json_string_value(value);
    v->user.len = json_string_length(value);

    value = json_object_get(v->api->body, "password");

    /* a number is not empty, but never right */

    if (!json_is_string(value)) {
        goto wrong;
    }

    v->password.data = (u_char *) json_string_value(value);
    v->password.len = json_string_length(value);

    ngx_amt_await_rc(f, v, ngx_amt_auth_login(f, v->api->request, &v->user,
                                              &v->password, &v->id));

    ngx_explicit_memzero(v->password.data, v->password.len);

    if (v->frame.rc == NGX_DECLINED) {
        goto wrong;
    }

    if (v->frame.rc != NGX_OK) {

        if (f->err.code == NGX_AMT_ERR_NOT_ALLOWED) {
            return ngx_amt_reply_text(v->api, 405,
                           "{\"message\":\"Authentication disabled on MPS\"}");
        }

        if (f->err.code == NGX_AMT_ERR_BUSY) {
            return ngx_amt_reply_error(v->api, 503,
                                       "Too many logins at once");
        }

        return NGX_ERROR;
    }

    ngx_str_null(&guid);

    if (ngx_amt_audit(v->api->request, &v->id, "login", &guid, &guid)
        != NGX_OK)
    {
        return ngx_amt_reply_busy(v->api, "Audit log cannot be written");
    }

    ngx_str_set(&device, "*");

    return ngx_amt_mps_token(v->api, &v->id, &device, 0);

wrong:

    return ngx_amt_reply_text(v->api, 401,
                  "{\"message\":\"Incorrect Username and/or Password!\"}");
}


ngx_int_t
ngx_amt_mps_redirection(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_row_t  *v = data;

    ngx_amt_identity_t  id;

    ngx_amt_begin(f, v);

    ngx_amt_await_rc(f, v, ngx_amt_store_get(f, &v->api->device, NULL,
                                             &v->row));

    if (v->frame.rc == NGX_DECLINED) {
        return ngx_amt_reply_empty(v->api, 404);
    }

    if (v->frame.rc != NGX_OK) {
        return NGX_ERROR;
    }

    /* a tenant's caller gets no token for another tenant's device */

    if (!v->api->id.any_tenant
        && !ngx_amt_mps_same(&v->api->tenant, &v->row.tenant))
    {
        return ngx_amt_reply_empty(v->api, 404);
    }

    /* it is for one device, thus for one tenant: the relay compares both */

    id = v->api->id;

    if (id.any_tenant) {
        id.tenant = v->row.tenant;
    }

    return ngx_amt_mps_token(v->api, &id, &v->api->device,
                             v->api->conf->redirection_lifetime);
}


static ngx_int_t
ngx_amt_mps_token(ngx_amt_api_t *api, ngx_amt_identity_t *id,
    ngx_str_t *device, time_t lifetime)
{
    ngx_str_t      token;
    ngx_amt_out_t  o;

    if (ngx_amt_auth_token(api->pool, api->request, id, device, lifetime,
                           &token)
        != NGX_OK)
    {
        return ngx_amt_reply_error(api, 500, "No token can be issued");
    }

    ngx_amt_out_init(&o, api->pool, token.len + 32);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "token");
    ngx_amt_out_string(&o, &token);
    ngx_amt_out_close(&o, '}');

    ngx_explicit_memzero(token.data, token.len);

    api->reply.no_store = 1;
    api->reply.secret = 1;

    return ngx_amt_reply_out(api, 200, &o);
}
