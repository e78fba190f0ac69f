
/*
 * The store's public functions: copy the arguments into an operation, give
 * it to the backend, hand its results to the flow.  See ngx_amt_store.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "store/ngx_amt_store.h"
#include "store/ngx_amt_store_op.h"


#define NGX_AMT_STORE_POOL  2048


static ngx_amt_store_op_t *ngx_amt_store_op(ngx_amt_flow_t *f,
    ngx_amt_store_op_e type, void *out);
static ngx_int_t ngx_amt_store_submit(ngx_amt_flow_t *f,
    ngx_amt_store_op_t *op);
static void ngx_amt_store_cancel(void *data);
static ngx_int_t ngx_amt_store_result(ngx_amt_flow_t *f,
    ngx_amt_store_op_t *op);
static void ngx_amt_store_free(void *data);
static ngx_int_t ngx_amt_store_copy(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t *src);
static ngx_int_t ngx_amt_store_copy_tenant(ngx_pool_t *pool, ngx_str_t *dst,
    ngx_str_t *src);
static ngx_int_t ngx_amt_store_copy_row(ngx_pool_t *pool,
    ngx_amt_store_device_t *dst, ngx_amt_store_device_t *src);
static ngx_int_t ngx_amt_store_copy_list(ngx_pool_t *pool, ngx_str_t **dst,
    ngx_str_t *src, ngx_uint_t n);
static int ngx_libc_cdecl ngx_amt_store_compare(const void *one,
    const void *two);


ngx_int_t
ngx_amt_store_get(ngx_amt_flow_t *f, ngx_str_t *guid, ngx_str_t *tenant,
    ngx_amt_store_device_t *row)
{
    ngx_amt_store_op_t  *op;

    op = ngx_amt_store_op(f, NGX_AMT_STORE_OP_GET, row);
    if (op == NULL) {
        return NGX_ERROR;
    }

    if (ngx_amt_store_copy(op->pool, &op->guid, guid) != NGX_OK
        || (tenant
            && ngx_amt_store_copy_tenant(op->pool, &op->tenant, tenant)
               != NGX_OK))
    {
        op->rc = NGX_ERROR;
    }

    return ngx_amt_store_submit(f, op);
}


ngx_int_t
ngx_amt_store_list(ngx_amt_flow_t *f, ngx_amt_store_query_t *q,
    ngx_array_t **rows)
{
    ngx_amt_store_op_t     *op;
    ngx_amt_store_query_t  *query;

    if (q->n_tags > NGX_AMT_STORE_MAX_TAGS) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INVALID,
                                  "more than %d tags in one query",
                                  NGX_AMT_STORE_MAX_TAGS);
    }

    op = ngx_amt_store_op(f, NGX_AMT_STORE_OP_LIST, rows);
    if (op == NULL) {
        return NGX_ERROR;
    }

    query = &op->query;
    *query = *q;

    if (ngx_amt_store_copy_tenant(op->pool, &query->tenant, &q->tenant)
        != NGX_OK
        || ngx_amt_store_copy(op->pool, &query->hostname, &q->hostname)
           != NGX_OK
        || ngx_amt_store_copy(op->pool, &query->friendly_name,
                              &q->friendly_name)
           != NGX_OK
        || ngx_amt_store_copy_list(op->pool, &query->tags, q->tags, q->n_tags)
           != NGX_OK)
    {
        op->rc = NGX_ERROR;
    }

    return ngx_amt_store_submit(f, op);
}


ngx_int_t
ngx_amt_store_stats(ngx_amt_flow_t *f, ngx_str_t *tenant,
    ngx_amt_store_stats_t *stats)
{
    ngx_amt_store_op_t  *op;

    op = ngx_amt_store_op(f, NGX_AMT_STORE_OP_STATS, stats);
    if (op == NULL) {
        return NGX_ERROR;
    }

    if (ngx_amt_store_copy_tenant(op->pool, &op->tenant, tenant) != NGX_OK) {
        op->rc = NGX_ERROR;
    }

    return ngx_amt_store_submit(f, op);
}


ngx_int_t
ngx_amt_store_tags(ngx_amt_flow_t *f, ngx_str_t *tenant, ngx_array_t **tags)
{
    ngx_amt_store_op_t  *op;

    op = ngx_amt_store_op(f, NGX_AMT_STORE_OP_TAGS, tags);
    if (op == NULL) {
        return NGX_ERROR;
    }

    if (ngx_amt_store_copy_tenant(op->pool, &op->tenant, tenant) != NGX_OK) {
        op->rc = NGX_ERROR;
    }

    return ngx_amt_store_submit(f, op);
}


ngx_int_t
ngx_amt_store_insert(ngx_amt_flow_t *f, ngx_amt_store_device_t *row)
{
    ngx_amt_store_op_t  *op;

    op = ngx_amt_store_op(f, NGX_AMT_STORE_OP_INSERT, row);
    if (op == NULL) {
        return NGX_ERROR;
    }

    if (ngx_amt_store_copy_row(op->pool, &op->row, row) != NGX_OK) {
        op->rc = NGX_ERROR;
    }

    return ngx_amt_store_submit(f, op);
}


ngx_int_t
ngx_amt_store_update(ngx_amt_flow_t *f, ngx_uint_t fields,
    ngx_amt_store_device_t *row)
{
    ngx_amt_store_op_t  *op;

    op = ngx_amt_store_op(f, NGX_AMT_STORE_OP_UPDATE, row);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->fields = fields;

    if (ngx_amt_store_copy_row(op->pool, &op->row, row) != NGX_OK) {
        op->rc = NGX_ERROR;
    }

    return ngx_amt_store_submit(f, op);
}


ngx_int_t
ngx_amt_store_delete(ngx_amt_flow_t *f, ngx_str_t *guid, ngx_str_t *tenant)
{
    ngx_amt_store_op_t  *op;

    op = ngx_amt_store_op(f, NGX_AMT_STORE_OP_DELETE, NULL);
    if (op == NULL) {
        return NGX_ERROR;
    }

    if (ngx_amt_store_copy(op->pool, &op->guid, guid) != NGX_OK
        || ngx_amt_store_copy_tenant(op->pool, &op->tenant, tenant)
           != NGX_OK)
    {
        op->rc = NGX_ERROR;
    }

    return ngx_amt_store_submit(f, op);
}


ngx_int_t
ngx_amt_store_events(ngx_amt_flow_t *f, ngx_str_t *instance,
    ngx_amt_store_event_t *events, ngx_uint_t n)
{
    ngx_uint_t           i;
    ngx_amt_store_op_t  *op;

    if (n == 0) {
        return NGX_OK;
    }

    op = ngx_amt_store_op(f, NGX_AMT_STORE_OP_EVENTS, NULL);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->n = n;
    op->events = ngx_palloc(op->pool, n * sizeof(ngx_amt_store_event_t));

    if (op->events == NULL
        || ngx_amt_store_copy(op->pool, &op->instance, instance) != NGX_OK)
    {
        op->rc = NGX_ERROR;
        n = 0;
    }

    for (i = 0; i < n; i++) {
        op->events[i] = events[i];

        if (ngx_amt_store_copy(op->pool, &op->events[i].guid, &events[i].guid)
            != NGX_OK)
        {
            op->rc = NGX_ERROR;
            break;
        }
    }

    return ngx_amt_store_submit(f, op);
}


ngx_int_t
ngx_amt_store_reset(ngx_amt_flow_t *f, ngx_str_t *instance, ngx_str_t *keep,
    ngx_uint_t n)
{
    ngx_amt_store_op_t  *op;

    op = ngx_amt_store_op(f, NGX_AMT_STORE_OP_RESET, NULL);
    if (op == NULL) {
        return NGX_ERROR;
    }

    op->n = n;

    if (ngx_amt_store_copy(op->pool, &op->instance, instance) != NGX_OK
        || ngx_amt_store_copy_list(op->pool, &op->keep, keep, n) != NGX_OK)
    {
        op->rc = NGX_ERROR;

    } else if (n > 1) {
        ngx_qsort(op->keep, n, sizeof(ngx_str_t), ngx_amt_store_compare);
    }

    return ngx_amt_store_submit(f, op);
}


ngx_int_t
ngx_amt_store_health(ngx_amt_flow_t *f, ngx_str_t *name)
{
    ngx_amt_store_t     *store;
    ngx_amt_store_op_t  *op;

    store = ngx_amt_store_current();

    if (store && store->backend) {
        *name = store->backend->name;
    } else {
        ngx_str_set(name, "NONE");
    }

    op = ngx_amt_store_op(f, NGX_AMT_STORE_OP_HEALTH, NULL);
    if (op == NULL) {
        return NGX_ERROR;
    }

    return ngx_amt_store_submit(f, op);
}


ngx_str_t *
ngx_amt_store_instance(void)
{
    return &ngx_amt_store_current()->instance;
}


static ngx_amt_store_op_t *
ngx_amt_store_op(ngx_amt_flow_t *f, ngx_amt_store_op_e type, void *out)
{
    ngx_pool_t          *pool;
    ngx_amt_store_op_t  *op;

    pool = ngx_create_pool(NGX_AMT_STORE_POOL, ngx_cycle->log);
    if (pool == NULL) {
        goto failed;
    }

    op = ngx_pcalloc(pool, sizeof(ngx_amt_store_op_t));
    if (op == NULL) {
        ngx_destroy_pool(pool);
        goto failed;
    }

    op->pool = pool;
    op->type = type;
    op->rc = NGX_OK;
    op->out = out;

    return op;

failed:

    (void) ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "out of memory");

    return NULL;
}


static ngx_int_t
ngx_amt_store_submit(ngx_amt_flow_t *f, ngx_amt_store_op_t *op)
{
    ngx_int_t         rc;
    ngx_amt_store_t  *store;

    if (op->rc != NGX_OK) {
        ngx_destroy_pool(op->pool);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "out of memory");
    }

    store = ngx_amt_store_current();

    if (store == NULL || store->backend == NULL) {
        ngx_destroy_pool(op->pool);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_STORE,
                                  "\"amt_store\" is not configured");
    }

    if (store->backend->submit(store->data, op) != NGX_OK) {
        rc = ngx_amt_flow_error(f, op->code, "store: %s", op->text);
        ngx_destroy_pool(op->pool);
        return rc;
    }

    op->flow = f;
    op->seq = ngx_amt_flow_wait(f, "store", ngx_amt_store_cancel, op);

    return NGX_AGAIN;
}


static void
ngx_amt_store_cancel(void *data)
{
    ngx_amt_store_op_t *op = data;

    ngx_amt_store_t  *store;

    op->flow = NULL;

    store = ngx_amt_store_current();

    if (store->backend->revoke(store->data, op) == NGX_OK) {
        ngx_destroy_pool(op->pool);
    }
}


void
ngx_amt_store_done(ngx_amt_store_op_t *op)
{
    uint64_t         seq;
    ngx_int_t        rc;
    ngx_amt_flow_t  *f;

    f = op->flow;

    if (f == NULL) {
        ngx_destroy_pool(op->pool);
        return;
    }

    seq = op->seq;
    rc = ngx_amt_store_result(f, op);

    ngx_amt_flow_wake(f, seq, rc);
}


/* The results live in the operation's pool, which the flow's pool owns now. */

static ngx_int_t
ngx_amt_store_result(ngx_amt_flow_t *f, ngx_amt_store_op_t *op)
{
    ngx_int_t            rc;
    ngx_pool_cleanup_t  *cln;

    rc = op->rc;

    if (rc == NGX_ERROR) {
        rc = ngx_amt_flow_error(f, op->code, "store: %s",
                                op->text ? op->text : "failed");
    }

    if (rc != NGX_OK || op->out == NULL) {
        ngx_destroy_pool(op->pool);
        return rc;
    }

    if (op->type == NGX_AMT_STORE_OP_STATS) {
        *(ngx_amt_store_stats_t *) op->out = op->stats;
        ngx_destroy_pool(op->pool);

        return NGX_OK;
    }

    cln = ngx_pool_cleanup_add(f->pool, 0);

    if (cln == NULL) {
        ngx_destroy_pool(op->pool);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "out of memory");
    }

    cln->handler = ngx_amt_store_free;
    cln->data = op->pool;

    if (op->type == NGX_AMT_STORE_OP_LIST
        || op->type == NGX_AMT_STORE_OP_TAGS)
    {
        *(ngx_array_t **) op->out = &op->rows;

        if (op->query.stats) {
            *op->query.stats = op->stats;
        }

    } else {
        *(ngx_amt_store_device_t *) op->out = op->row;
    }

    return NGX_OK;
}


static void
ngx_amt_store_free(void *data)
{
    ngx_destroy_pool((ngx_pool_t *) data);
}


static ngx_int_t
ngx_amt_store_copy(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src)
{
    u_char  *p;

    if (src->data == NULL) {
        ngx_str_null(dst);
        return NGX_OK;
    }

    p = ngx_pnalloc(pool, src->len ? src->len : 1);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(p, src->data, src->len);

    dst->data = p;
    dst->len = src->len;

    return NGX_OK;
}


/* A tenant is never null. */

static ngx_int_t
ngx_amt_store_copy_tenant(ngx_pool_t *pool, ngx_str_t *dst, ngx_str_t *src)
{
    if (src->data == NULL) {
        ngx_str_set(dst, "");
        return NGX_OK;
    }

    return ngx_amt_store_copy(pool, dst, src);
}


static ngx_int_t
ngx_amt_store_copy_row(ngx_pool_t *pool, ngx_amt_store_device_t *dst,
    ngx_amt_store_device_t *src)
{
    *dst = *src;

    if (ngx_amt_store_copy(pool, &dst->guid, &src->guid) != NGX_OK
        || ngx_amt_store_copy_tenant(pool, &dst->tenant, &src->tenant)
           != NGX_OK
        || ngx_amt_store_copy(pool, &dst->hostname, &src->hostname) != NGX_OK
        || ngx_amt_store_copy(pool, &dst->tags, &src->tags) != NGX_OK
        || ngx_amt_store_copy(pool, &dst->mps_username, &src->mps_username)
           != NGX_OK
        || ngx_amt_store_copy(pool, &dst->friendly_name, &src->friendly_name)
           != NGX_OK
        || ngx_amt_store_copy(pool, &dst->dns_suffix, &src->dns_suffix)
           != NGX_OK
        || ngx_amt_store_copy(pool, &dst->device_info, &src->device_info)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (dst->tags.data == NULL) {
        ngx_str_set(&dst->tags, "[]");
    }

    ngx_str_null(&dst->mps_instance);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_store_copy_list(ngx_pool_t *pool, ngx_str_t **dst, ngx_str_t *src,
    ngx_uint_t n)
{
    ngx_str_t   *s;
    ngx_uint_t   i;

    *dst = NULL;

    if (n == 0) {
        return NGX_OK;
    }

    s = ngx_palloc(pool, n * sizeof(ngx_str_t));
    if (s == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_amt_store_copy(pool, &s[i], &src[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    *dst = s;

    return NGX_OK;
}


static int ngx_libc_cdecl
ngx_amt_store_compare(const void *one, const void *two)
{
    const ngx_str_t  *a, *b;

    a = one;
    b = two;

    return (int) ngx_memn2cmp(a->data, b->data, a->len, b->len);
}
