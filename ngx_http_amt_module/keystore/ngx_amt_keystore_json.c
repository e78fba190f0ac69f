
/*
 * Paths and JSON of the keystore, in the form Vault's KV version 2 has.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <openssl/crypto.h>
#include <jansson.h>
#include "keystore/ngx_amt_keystore_http.h"


#define NGX_AMT_KEYSTORE_MAX_PATH  512

#define NGX_AMT_KEYSTORE_HEAD                                                 \
    "{\"request_id\":\"\",\"lease_id\":\"\",\"renewable\":false,"             \
    "\"lease_duration\":0,\"data\":"
#define NGX_AMT_KEYSTORE_TAIL                                                 \
    ",\"wrap_info\":null,\"warnings\":null,\"auth\":null}"
#define NGX_AMT_KEYSTORE_HEALTHY                                              \
    "{\"initialized\":true,\"sealed\":false,\"standby\":false,"               \
    "\"performance_standby\":false,"                                          \
    "\"replication_performance_mode\":\"disabled\","                          \
    "\"replication_dr_mode\":\"disabled\",\"server_time_utc\":%T,"            \
    "\"version\":\"amt_keystore\"}"


static u_char *ngx_amt_keystore_metadata(u_char *p, u_char *last,
    ngx_amt_keystore_op_t *op);
static ngx_int_t ngx_amt_keystore_names(ngx_amt_keystore_op_t *op,
    ngx_str_t *body);


ngx_int_t
ngx_amt_keystore_split(ngx_pool_t *pool, const ngx_str_t *uri,
    ngx_uint_t folder, ngx_amt_keystore_kind_e *kind, ngx_str_t *path)
{
    u_char     *p, *last, *slash, *out;
    ngx_str_t   mount, name;

    if (uri->len > NGX_AMT_KEYSTORE_MAX_PATH) {
        return NGX_DECLINED;
    }

    if (uri->len == sizeof("sys/health") - 1
        && ngx_memcmp(uri->data, "sys/health", uri->len) == 0)
    {
        *kind = NGX_AMT_KEYSTORE_SYS_HEALTH;
        ngx_str_null(path);
        return NGX_OK;
    }

    last = uri->data + uri->len;

    for (p = uri->data; p < last; p++) {
        if (*p <= 0x20 || *p >= 0x7f || *p == '"' || *p == '\\') {
            return NGX_DECLINED;
        }
    }

    slash = ngx_strlchr(uri->data, last, '/');
    if (slash == NULL || slash == uri->data) {
        return NGX_DECLINED;
    }

    mount.data = uri->data;
    mount.len = slash - uri->data;

    name.data = slash + 1;
    name.len = last - name.data;

    if (name.len >= sizeof("data/") - 1
        && ngx_memcmp(name.data, "data/", sizeof("data/") - 1) == 0)
    {
        *kind = NGX_AMT_KEYSTORE_DATA;
        name.data += sizeof("data/") - 1;
        name.len -= sizeof("data/") - 1;

    } else if (name.len >= sizeof("metadata/") - 1
               && ngx_memcmp(name.data, "metadata/", sizeof("metadata/") - 1)
                  == 0)
    {
        *kind = NGX_AMT_KEYSTORE_METADATA;
        name.data += sizeof("metadata/") - 1;
        name.len -= sizeof("metadata/") - 1;

    } else if (folder
               && name.len == sizeof("metadata") - 1
               && ngx_memcmp(name.data, "metadata", name.len) == 0)
    {
        *kind = NGX_AMT_KEYSTORE_METADATA;
        name.len = 0;

    } else {
        return NGX_DECLINED;
    }

    if (folder && name.len && name.data[name.len - 1] == '/') {
        name.len--;
    }

    if (name.len == 0 && !folder) {
        return NGX_DECLINED;
    }

    /* no empty segment, no "." and no ".." */

    if (name.len) {
        last = name.data + name.len;

        for (p = name.data; /* void */ ; p = slash + 1) {
            slash = ngx_strlchr(p, last, '/');

            if (slash == NULL) {
                slash = last;
            }

            if (slash == p
                || (slash - p == 1 && p[0] == '.')
                || (slash - p == 2 && p[0] == '.' && p[1] == '.'))
            {
                return NGX_DECLINED;
            }

            if (slash == last) {
                break;
            }
        }
    }

    out = ngx_pnalloc(pool, mount.len + 1 + name.len + 1);
    if (out == NULL) {
        return NGX_ERROR;
    }

    path->data = out;

    out = ngx_cpymem(out, mount.data, mount.len);
    *out++ = '/';

    if (name.len) {
        out = ngx_cpymem(out, name.data, name.len);

        if (folder) {
            *out++ = '/';
        }
    }

    path->len = out - path->data;

    return NGX_OK;
}


const char *
ngx_amt_keystore_body(ngx_amt_keystore_op_t *op, const u_char *data,
    size_t len)
{
    size_t        size;
    json_t       *root, *value, *cas;
    const char   *err;
    json_error_t  error;

    root = json_loadb((const char *) data, len, JSON_REJECT_DUPLICATES,
                      &error);

    if (!json_is_object(root)) {
        err = "failed to parse JSON input";
        goto done;
    }

    value = json_object_get(root, "data");

    if (!json_is_object(value)) {
        err = "no data provided";
        goto done;
    }

    cas = json_object_get(json_object_get(root, "options"), "cas");

    if (cas) {
        if (!json_is_integer(cas) || json_integer_value(cas) < 0) {
            err = "error parsing check-and-set parameter";
            goto done;
        }

        op->use_cas = 1;
        op->cas = (uint64_t) json_integer_value(cas);
    }

    size = json_dumpb(value, NULL, 0, JSON_COMPACT);

    if (size == 0 || size > NGX_AMT_KEYSTORE_MAX_VALUE) {
        err = "the value is too large";
        goto done;
    }

    op->plain.data = ngx_pnalloc(op->pool, size);

    if (op->plain.data == NULL) {
        err = "out of memory";
        goto done;
    }

    op->plain.len = size;

    err = (json_dumpb(value, (char *) op->plain.data, size, JSON_COMPACT)
           == size)
          ? NULL : "failed to write JSON";

done:

    json_decref(root);

    return err;
}


ngx_int_t
ngx_amt_keystore_answer(ngx_amt_keystore_op_t *op, ngx_uint_t *status,
    ngx_str_t *body)
{
    u_char      *p, *last;
    size_t       size;
    const char  *text;

    if (op->task.rc == NGX_DECLINED) {
        *status = NGX_HTTP_NOT_FOUND;
        return ngx_amt_keystore_errors(op->pool, NULL, body);
    }

    if (op->task.rc != NGX_OK) {
        text = op->task.text ? op->task.text : "failed";

        *status = (op->task.code == NGX_AMT_ERR_CONFLICT)
                  ? NGX_HTTP_BAD_REQUEST : NGX_HTTP_INTERNAL_SERVER_ERROR;

        return ngx_amt_keystore_errors(op->pool, text, body);
    }

    *status = NGX_HTTP_OK;

    size = sizeof(NGX_AMT_KEYSTORE_HEAD) + sizeof(NGX_AMT_KEYSTORE_TAIL)
           + sizeof(NGX_AMT_KEYSTORE_HEALTHY) + 512 + op->plain.len;

    switch (op->type) {

    case NGX_AMT_KEYSTORE_DELETE:
        *status = NGX_HTTP_NO_CONTENT;
        ngx_str_null(body);
        return NGX_OK;

    case NGX_AMT_KEYSTORE_LIST:
        return ngx_amt_keystore_names(op, body);

    default:
        break;
    }

    p = ngx_pnalloc(op->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    last = p + size;

    switch (op->type) {

    case NGX_AMT_KEYSTORE_READ:
        p = ngx_slprintf(p, last, NGX_AMT_KEYSTORE_HEAD "{\"data\":%V,"
                         "\"metadata\":", &op->plain);
        p = ngx_amt_keystore_metadata(p, last, op);
        p = ngx_slprintf(p, last, "}" NGX_AMT_KEYSTORE_TAIL);
        break;

    case NGX_AMT_KEYSTORE_WRITE:
        p = ngx_slprintf(p, last, NGX_AMT_KEYSTORE_HEAD);
        p = ngx_amt_keystore_metadata(p, last, op);
        p = ngx_slprintf(p, last, NGX_AMT_KEYSTORE_TAIL);
        break;

    default: /* NGX_AMT_KEYSTORE_HEALTH */
        p = ngx_slprintf(p, last, NGX_AMT_KEYSTORE_HEALTHY, ngx_time());
    }

    body->len = p - body->data;

    return NGX_OK;
}


static u_char *
ngx_amt_keystore_metadata(u_char *p, u_char *last, ngx_amt_keystore_op_t *op)
{
    ngx_tm_t  tm;

    ngx_gmtime((time_t) (op->created / 1000), &tm);

    return ngx_slprintf(p, last, "{\"created_time\":"
                        "\"%4d-%02d-%02dT%02d:%02d:%02d.%03dZ\","
                        "\"custom_metadata\":null,\"deletion_time\":\"\","
                        "\"destroyed\":false,\"version\":%uL}",
                        tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                        tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                        (int) (op->created % 1000), op->version);
}


/* Names hold nothing that JSON has to escape, see _split(). */

static ngx_int_t
ngx_amt_keystore_names(ngx_amt_keystore_op_t *op, ngx_str_t *body)
{
    u_char      *p, *last;
    size_t       size;
    ngx_str_t   *name;
    ngx_uint_t   i;

    name = op->names.elts;

    size = sizeof(NGX_AMT_KEYSTORE_HEAD) + sizeof(NGX_AMT_KEYSTORE_TAIL)
           + sizeof("{\"keys\":[]}");

    for (i = 0; i < op->names.nelts; i++) {
        size += name[i].len + sizeof("\"\",") - 1;
    }

    p = ngx_pnalloc(op->pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;
    last = p + size;

    p = ngx_slprintf(p, last, NGX_AMT_KEYSTORE_HEAD "{\"keys\":[");

    for (i = 0; i < op->names.nelts; i++) {
        p = ngx_slprintf(p, last, "%s\"%V\"", i ? "," : "", &name[i]);
    }

    p = ngx_slprintf(p, last, "]}" NGX_AMT_KEYSTORE_TAIL);

    body->len = p - body->data;

    return NGX_OK;
}


ngx_int_t
ngx_amt_keystore_errors(ngx_pool_t *pool, const char *text, ngx_str_t *body)
{
    u_char  *p;
    size_t   size;

    size = sizeof("{\"errors\":[\"\"]}") + (text ? ngx_strlen(text) : 0);

    p = ngx_pnalloc(pool, size);
    if (p == NULL) {
        return NGX_ERROR;
    }

    body->data = p;

    if (text) {
        p = ngx_slprintf(p, p + size, "{\"errors\":[\"%s\"]}", text);

    } else {
        p = ngx_slprintf(p, p + size, "{\"errors\":[]}");
    }

    body->len = p - body->data;

    return NGX_OK;
}
