
/*
 * Whose devices a call is about, contract mps.md section 1.8.  The tenant of
 * a key or user is fixed by its file; only a credential with tenant "*", made
 * for a trusted gateway, may say it in the request, as amt_tenant configures.
 */


#include "auth/ngx_http_amt_auth_module.h"
#include <jansson.h>


#define NGX_AMT_TENANT_CLAIMS  4096      /* bytes of decoded JSON */


static ngx_int_t ngx_amt_tenant_claim(ngx_http_request_t *r, ngx_str_t *claim,
    ngx_str_t *value);


ngx_int_t
ngx_amt_tenant(ngx_http_request_t *r, ngx_str_t *tenant)
{
    ngx_int_t                      rc;
    ngx_http_amt_auth_loc_conf_t  *alcf;

    ngx_str_set(tenant, "");

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_amt_auth_module);

    if (alcf->tenant == NULL) {
        return NGX_OK;
    }

    if (ngx_http_complex_value(r, alcf->tenant, tenant) != NGX_OK) {
        return NGX_ERROR;
    }

    if (alcf->claim.len) {
        rc = ngx_amt_tenant_claim(r, &alcf->claim, tenant);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    if (!ngx_amt_tenant_valid(tenant)) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "client names an invalid tenant");
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* The contract: missing or undecodable is the empty tenant. */

static ngx_int_t
ngx_amt_tenant_claim(ngx_http_request_t *r, ngx_str_t *claim,
    ngx_str_t *value)
{
    u_char      buf[NGX_AMT_TENANT_CLAIMS];
    json_t     *object, *member;
    ngx_int_t   rc;
    ngx_str_t   src, dst;

    src = *value;
    ngx_str_set(value, "");

    if (src.len == 0 || ngx_base64_decoded_length(src.len) > sizeof(buf)) {
        return NGX_OK;
    }

    dst.data = buf;

    if (ngx_decode_base64(&dst, &src) != NGX_OK
        && ngx_decode_base64url(&dst, &src) != NGX_OK)
    {
        return NGX_OK;
    }

    object = json_loadb((char *) buf, dst.len, JSON_REJECT_DUPLICATES, NULL);
    if (object == NULL) {
        return NGX_OK;
    }

    rc = NGX_OK;
    member = json_object_getn(object, (char *) claim->data, claim->len);

    if (json_is_string(member) && json_string_length(member)) {

        value->len = json_string_length(member);
        value->data = ngx_pnalloc(r->pool, value->len);

        if (value->data) {
            ngx_memcpy(value->data, json_string_value(member), value->len);

        } else {
            rc = NGX_ERROR;
        }
    }

    json_decref(object);

    return rc;
}
