
/*
 * What amt_api_keys and amt_users have in common: lines, names, tenants,
 * look-up by name.
 */


#include "auth/ngx_amt_principal.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>


static int ngx_libc_cdecl ngx_amt_principal_compare(const void *one,
    const void *two);
static ngx_int_t ngx_amt_principal_order(ngx_str_t *one, ngx_str_t *two);


ngx_int_t
ngx_amt_principal_line(ngx_str_t *text, ngx_uint_t *line, ngx_str_t *field,
    ngx_uint_t n, ngx_uint_t *fields, ngx_amt_source_error_t *err)
{
    u_char  *p, *last, *end;

    if (text->len == 0) {
        return NGX_DONE;
    }

    (*line)++;

    p = text->data;
    last = p + text->len;

    end = ngx_strlchr(p, last, LF);

    if (end == NULL) {
        text->data = last;
        text->len = 0;
        end = last;

    } else {
        text->data = end + 1;
        text->len = last - text->data;
    }

    if (end > p && end[-1] == CR) {
        end--;
    }

    if (p == end || *p == '#') {
        return NGX_DECLINED;
    }

    for (*fields = 0; *fields < n; p++) {

        field->data = p;

        while (p < end && *p != ':') {

            if (*p < 0x20 || *p == 0x7f) {
                (void) ngx_amt_source_refuse(err, "line %ui: control "
                                             "character", *line);
                return NGX_ERROR;
            }

            p++;
        }

        field->len = p - field->data;
        field++;
        (*fields)++;

        if (p == end) {
            return NGX_OK;
        }
    }

    (void) ngx_amt_source_refuse(err, "line %ui: more than %ui fields", *line,
                                 n);

    return NGX_ERROR;
}


ngx_int_t
ngx_amt_principal_fill(ngx_pool_t *pool, ngx_amt_principal_t *p,
    ngx_str_t *name, ngx_str_t *secret, ngx_str_t *tenant, ngx_str_t *scopes,
    ngx_uint_t line, ngx_amt_source_error_t *err)
{
    u_char   c;
    size_t   i;

    ngx_memzero(p, sizeof(ngx_amt_principal_t));

    if (name->len == 0 || name->len > NGX_AMT_NAME_MAX) {
        (void) ngx_amt_source_refuse(err, "line %ui: a name has 1 to %d "
                                     "characters", line, NGX_AMT_NAME_MAX);
        return NGX_ERROR;
    }

    for (i = 0; i < name->len; i++) {
        c = name->data[i];

        if ((c < '0' || c > '9') && ((c | 0x20) < 'a' || (c | 0x20) > 'z')
            && c != '.' && c != '_' && c != '@' && c != '-')
        {
            (void) ngx_amt_source_refuse(err, "line %ui: invalid character "
                                         "in name", line);
            return NGX_ERROR;
        }
    }

    if (tenant->len == 1 && tenant->data[0] == '*') {
        p->any_tenant = 1;
        ngx_str_set(&p->tenant, "");

    } else if (ngx_amt_tenant_valid(tenant)) {
        p->tenant.len = tenant->len;
        p->tenant.data = ngx_pstrdup(pool, tenant);

        if (p->tenant.data == NULL) {
            return NGX_ERROR;
        }

    } else {
        (void) ngx_amt_source_refuse(err, "line %ui: invalid tenant", line);
        return NGX_ERROR;
    }

    if (ngx_amt_scope_parse(scopes, &p->scopes) != NGX_OK) {
        (void) ngx_amt_source_refuse(err, "line %ui: unknown scope", line);
        return NGX_ERROR;
    }

    p->name.len = name->len;
    p->name.data = ngx_pstrdup(pool, name);

    if (p->name.data == NULL) {
        return NGX_ERROR;
    }

    p->secret.len = secret->len;
    p->secret.data = ngx_pnalloc(pool, secret->len + 1);

    if (p->secret.data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p->secret.data, secret->data, secret->len);
    p->secret.data[secret->len] = '\0';

    return NGX_OK;
}


ngx_int_t
ngx_amt_principal_index(ngx_pool_t *pool, ngx_amt_principals_t *table,
    ngx_array_t *list, ngx_amt_source_error_t *err)
{
    ngx_uint_t            i;
    ngx_amt_principal_t  *p;

    p = list->elts;

    table->n = list->nelts;
    table->names = ngx_palloc(pool, (table->n + 1)
                                    * sizeof(ngx_amt_principal_t *));
    if (table->names == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < table->n; i++) {
        table->names[i] = &p[i];
    }

    ngx_qsort(table->names, table->n, sizeof(ngx_amt_principal_t *),
              ngx_amt_principal_compare);

    for (i = 1; i < table->n; i++) {
        if (ngx_amt_principal_order(&table->names[i - 1]->name,
                                    &table->names[i]->name)
            == 0)
        {
            (void) ngx_amt_source_refuse(err, "\"%V\" is there twice",
                                         &table->names[i]->name);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_amt_principal_t *
ngx_amt_principal_find(ngx_amt_principals_t *table, ngx_str_t *name)
{
    ngx_int_t   rc;
    ngx_uint_t  low, high, mid;

    for (low = 0, high = table->n; low < high; /* void */) {

        mid = low + (high - low) / 2;
        rc = ngx_amt_principal_order(name, &table->names[mid]->name);

        if (rc == 0) {
            return table->names[mid];
        }

        if (rc < 0) {
            high = mid;

        } else {
            low = mid + 1;
        }
    }

    return NULL;
}


static int ngx_libc_cdecl
ngx_amt_principal_compare(const void *one, const void *two)
{
    ngx_amt_principal_t *const  *first = one;
    ngx_amt_principal_t *const  *second = two;

    return (int) ngx_amt_principal_order(&(*first)->name, &(*second)->name);
}


static ngx_int_t
ngx_amt_principal_order(ngx_str_t *one, ngx_str_t *two)
{
    size_t     n;
    ngx_int_t  rc;

    n = ngx_min(one->len, two->len);
    rc = ngx_strncasecmp(one->data, two->data, n);

    if (rc != 0) {
        return rc;
    }

    return (one->len > two->len) - (one->len < two->len);
}


ngx_uint_t
ngx_amt_tenant_valid(ngx_str_t *tenant)
{
    u_char  c;
    size_t  i;

    if (tenant->len > NGX_AMT_TENANT_MAX) {
        return 0;
    }

    for (i = 0; i < tenant->len; i++) {
        c = tenant->data[i];

        /* what the device plane takes in a CIRA-Tenant header, and less */

        if (c <= 0x20 || c > 0x7e || c == ':' || c == '*' || c == '"'
            || c == '\\')
        {
            return 0;
        }
    }

    return 1;
}


ngx_int_t
ngx_amt_hmac(ngx_str_t *key, ngx_str_t *data, u_char *digest)
{
    unsigned int  len;

    len = 0;

    if (HMAC(EVP_sha256(), key->data, (int) key->len, data->data, data->len,
             digest, &len)
        == NULL || len != NGX_AMT_DIGEST_LEN)
    {
        return NGX_ERROR;
    }

    return NGX_OK;
}
