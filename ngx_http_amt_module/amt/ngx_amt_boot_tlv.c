
/*
 * Boot parameters; see ngx_amt_boot_tlv.h.
 */


#include "amt/ngx_amt_boot_tlv.h"


typedef struct {
    ngx_uint_t  type;
    size_t      max;
} ngx_amt_boot_tlv_type_t;


static const ngx_amt_boot_tlv_type_t  ngx_amt_boot_tlv_types[] = {
    { NGX_AMT_BOOT_TLV_URI, 300 },
    { NGX_AMT_BOOT_TLV_PATH, 300 },
    { NGX_AMT_BOOT_TLV_PATH_LEN, 2 },
    { 4, 32 },                           /* hash of the image: SHA-256 */
    { 5, 48 },                           /* SHA-384 */
    { 6, 64 },                           /* SHA-512 */
    { 10, 50 },                          /* optional data */
    { NGX_AMT_BOOT_TLV_SYNC_CA, 1 },
    { 21, 256 },                         /* name of the server certificate */
    { 22, 2 },                           /* how it is compared */
    { 23, 32 },                          /* hash of the certificate */
    { 24, 48 },
    { 25, 64 },
    { 30, 2 },                           /* request timeout, seconds */
    { NGX_AMT_BOOT_TLV_USER, 16 },
    { NGX_AMT_BOOT_TLV_PASSWORD, 16 },
    { 0, 0 }
};


size_t
ngx_amt_boot_tlv_limit(ngx_uint_t type)
{
    const ngx_amt_boot_tlv_type_t  *t;

    for (t = ngx_amt_boot_tlv_types; t->type; t++) {
        if (t->type == type) {
            return t->max;
        }
    }

    return 0;
}


void
ngx_amt_boot_tlv_init(ngx_amt_boot_tlv_t *t)
{
    t->count = 0;
    t->len = 0;
    t->refused = 0;
}


void
ngx_amt_boot_tlv_add(ngx_amt_boot_tlv_t *t, ngx_uint_t type,
    const void *value, size_t len)
{
    u_char  *p;

    if (len == 0 || len > ngx_amt_boot_tlv_limit(type)
        || NGX_AMT_BOOT_TLV_MAX - t->len < NGX_AMT_BOOT_TLV_HEADER + len)
    {
        t->refused = 1;
        return;
    }

    p = t->data + t->len;

    *p++ = (u_char) (NGX_AMT_BOOT_TLV_VENDOR & 0xff);
    *p++ = (u_char) (NGX_AMT_BOOT_TLV_VENDOR >> 8);
    *p++ = (u_char) (type & 0xff);
    *p++ = (u_char) (type >> 8);
    *p++ = (u_char) (len & 0xff);
    *p++ = (u_char) (len >> 8);
    *p++ = 0;
    *p++ = 0;

    ngx_memcpy(p, value, len);

    t->len += NGX_AMT_BOOT_TLV_HEADER + len;
    t->count++;
}


ngx_int_t
ngx_amt_boot_tlv_done(ngx_amt_boot_tlv_t *t, ngx_pool_t *pool, ngx_str_t *out)
{
    ngx_str_t  s;

    ngx_str_null(out);

    if (t->refused) {
        return NGX_DECLINED;
    }

    s.data = t->data;
    s.len = t->len;

    out->data = ngx_pnalloc(pool, ngx_base64_encoded_length(s.len) + 1);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    ngx_encode_base64(out, &s);

    return NGX_OK;
}


ngx_int_t
ngx_amt_boot_tlv_https(ngx_pool_t *pool, ngx_str_t *uri, ngx_str_t *user,
    ngx_str_t *password, ngx_uint_t *count, ngx_str_t *out)
{
    ngx_int_t           rc;
    ngx_amt_boot_tlv_t  t;

    ngx_amt_boot_tlv_init(&t);

    ngx_amt_boot_tlv_add(&t, NGX_AMT_BOOT_TLV_URI, uri->data, uri->len);
    ngx_amt_boot_tlv_add(&t, NGX_AMT_BOOT_TLV_SYNC_CA, "\1", 1);

    if (user->len) {
        ngx_amt_boot_tlv_add(&t, NGX_AMT_BOOT_TLV_USER, user->data,
                             user->len);
    }

    if (password->len) {
        ngx_amt_boot_tlv_add(&t, NGX_AMT_BOOT_TLV_PASSWORD, password->data,
                             password->len);
    }

    rc = ngx_amt_boot_tlv_done(&t, pool, out);
    *count = t.count;

    ngx_explicit_memzero(&t, sizeof(ngx_amt_boot_tlv_t));

    return rc;
}


ngx_int_t
ngx_amt_boot_tlv_path(ngx_pool_t *pool, ngx_str_t *path, ngx_uint_t *count,
    ngx_str_t *out)
{
    u_char              len[2];
    ngx_int_t           rc;
    ngx_amt_boot_tlv_t  t;

    ngx_amt_boot_tlv_init(&t);

    len[0] = (u_char) (path->len & 0xff);
    len[1] = (u_char) (path->len >> 8);

    ngx_amt_boot_tlv_add(&t, NGX_AMT_BOOT_TLV_PATH, path->data, path->len);
    ngx_amt_boot_tlv_add(&t, NGX_AMT_BOOT_TLV_PATH_LEN, len, 2);

    rc = ngx_amt_boot_tlv_done(&t, pool, out);
    *count = t.count;

    return rc;
}


ngx_int_t
ngx_amt_boot_tlv_decode(ngx_pool_t *pool, ngx_str_t *in, ngx_array_t **params)
{
    u_char                *p, *last;
    size_t                 len;
    ngx_str_t              s;
    ngx_uint_t             type;
    ngx_amt_boot_param_t  *param;

    *params = ngx_array_create(pool, 4, sizeof(ngx_amt_boot_param_t));
    if (*params == NULL) {
        return NGX_ERROR;
    }

    if (in->len == 0) {
        return NGX_OK;
    }

    if (in->len > ngx_base64_encoded_length(NGX_AMT_BOOT_TLV_MAX)) {
        return NGX_DECLINED;
    }

    s.data = ngx_pnalloc(pool, ngx_base64_decoded_length(in->len));
    if (s.data == NULL) {
        return NGX_ERROR;
    }

    if (ngx_decode_base64(&s, in) != NGX_OK) {
        return NGX_DECLINED;
    }

    p = s.data;
    last = p + s.len;

    while (p < last) {

        if (last - p < NGX_AMT_BOOT_TLV_HEADER
            || (p[0] | p[1] << 8) != NGX_AMT_BOOT_TLV_VENDOR
            || p[6] || p[7])
        {
            return NGX_DECLINED;
        }

        type = p[2] | p[3] << 8;
        len = p[4] | p[5] << 8;

        p += NGX_AMT_BOOT_TLV_HEADER;

        if (len == 0 || len > ngx_amt_boot_tlv_limit(type)
            || len > (size_t) (last - p))
        {
            return NGX_DECLINED;
        }

        param = ngx_array_push(*params);
        if (param == NULL) {
            return NGX_ERROR;
        }

        param->type = type;
        param->value.data = p;
        param->value.len = len;

        p += len;
    }

    return NGX_OK;
}
