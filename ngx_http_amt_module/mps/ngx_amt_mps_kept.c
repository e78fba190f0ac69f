
/* Secrets of devices without a row, see ngx_amt_mps_kept.h. */


#include "mps/ngx_amt_mps_kept.h"


#define NGX_AMT_KEPT_NAME   "KEPT_FOR_TENANT"
#define NGX_AMT_KEPT_TRIES  4


typedef struct {
    ngx_amt_frame_t    frame;
    ngx_str_t         *path;
    ngx_str_t         *tenant;
    ngx_amt_secret_t   secret;
    ngx_uint_t         tries;
} ngx_amt_mps_kept_t;


static ngx_int_t ngx_amt_mps_kept_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_mps_kept_drop(void *data);


ngx_int_t
ngx_amt_mps_kept_mark(ngx_amt_flow_t *f, ngx_str_t *path, ngx_str_t *tenant)
{
    ngx_amt_mps_kept_t  *v;

    v = ngx_amt_frame_alloc(f, "kept_mark", sizeof(ngx_amt_mps_kept_t),
                            ngx_amt_mps_kept_body, ngx_amt_mps_kept_drop);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->path = path;
    v->tenant = tenant;

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_mps_kept_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_kept_t *v = data;

    ngx_amt_begin(f, v);

    for ( ;; ) {

        ngx_amt_secret_wipe(&v->secret);

        ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, v->path, &v->secret));

        if (v->frame.rc == NGX_DECLINED) {
            return NGX_OK;
        }

        if (v->frame.rc != NGX_OK) {
            return NGX_ERROR;
        }

        if (ngx_amt_mps_kept_set(v->secret.data, v->secret.version + 1,
                                 v->tenant)
            != NGX_OK)
        {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
        }

        ngx_amt_await_rc(f, v, ngx_amt_vault_write(f, v->path, v->secret.data,
                                                   v->secret.version, NULL));

        if (v->frame.rc == NGX_OK) {
            return NGX_OK;
        }

        if (f->err.code != NGX_AMT_ERR_CONFLICT
            || ++v->tries == NGX_AMT_KEPT_TRIES)
        {
            return NGX_ERROR;
        }

        ngx_amt_flow_clear(f);
    }
}


static void
ngx_amt_mps_kept_drop(void *data)
{
    ngx_amt_mps_kept_t *v = data;

    ngx_amt_secret_wipe(&v->secret);
}


ngx_int_t
ngx_amt_mps_kept_set(json_t *data, uint64_t version, ngx_str_t *tenant)
{
    u_char  *p, buf[NGX_INT64_LEN + 1 + NGX_CIRA_TENANT_LEN];

    if (tenant == NULL) {
        (void) json_object_del(data, NGX_AMT_KEPT_NAME);
        return NGX_OK;
    }

    p = ngx_slprintf(buf, buf + sizeof(buf), "%uL %V", version, tenant);

    return json_object_set_new(data, NGX_AMT_KEPT_NAME,
                               json_stringn((char *) buf, p - buf)) == 0
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_amt_mps_kept_tenant(ngx_amt_secret_t *secret, ngx_str_t *tenant)
{
    u_char      *p, buf[NGX_INT64_LEN + 1];
    size_t       len, n;
    json_t      *value;
    const char  *text;

    value = json_object_get(secret->data, NGX_AMT_KEPT_NAME);

    if (!json_is_string(value)) {
        return NGX_DECLINED;
    }

    text = json_string_value(value);
    len = json_string_length(value);

    p = ngx_sprintf(buf, "%uL ", secret->version);
    n = p - buf;

    if (len < n || ngx_memcmp(text, buf, n) != 0) {
        return NGX_DECLINED;
    }

    tenant->data = (u_char *) text + n;
    tenant->len = len - n;

    return NGX_OK;
}
