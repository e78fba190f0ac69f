
/*
 * Content handler of the keystore: takes the in-memory subrequest of a
 * detached call apart, has a thread do the work, answers as Vault does.
 * Nothing but such calls is answered: no secret goes to a socket.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <openssl/crypto.h>
#include "call/ngx_amt_call.h"
#include "keystore/ngx_amt_keystore_http.h"


#define NGX_AMT_KEYSTORE_POOL  2048


/* Of one request; lives in the operation's pool. */

typedef struct {
    ngx_amt_keystore_op_t    op;
    ngx_amt_keystore_t      *ks;
    ngx_http_request_t      *request;            /* NULL: gone */
    ngx_http_cleanup_t      *cleanup;
} ngx_amt_keystore_ctx_t;


static void ngx_amt_keystore_body_handler(ngx_http_request_t *r);
static ngx_int_t ngx_amt_keystore_start(ngx_http_request_t *r);
static ngx_int_t ngx_amt_keystore_route(ngx_http_request_t *r,
    ngx_amt_keystore_op_t *op, const char **err);
static ngx_int_t ngx_amt_keystore_read_body(ngx_http_request_t *r,
    ngx_amt_keystore_op_t *op, const char **err);
static ngx_int_t ngx_amt_keystore_version(ngx_http_request_t *r,
    ngx_amt_keystore_op_t *op);
static ngx_int_t ngx_amt_keystore_send(ngx_http_request_t *r,
    ngx_uint_t status, ngx_str_t *body);
static void ngx_amt_keystore_done(ngx_amt_sqlite_task_t *t);
static void ngx_amt_keystore_cleanup(void *data);
static void ngx_amt_keystore_free(ngx_amt_keystore_ctx_t *ctx);


ngx_int_t
ngx_amt_keystore_handler(ngx_http_request_t *r)
{
    ngx_int_t  rc;

    if (!r->subrequest_in_memory || !ngx_amt_call_is(r)) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "keystore: \"%V\" was not asked for by amt_vault",
                      &r->uri);
        return NGX_HTTP_FORBIDDEN;
    }

    if (r->method != NGX_HTTP_POST && r->method != NGX_HTTP_PUT) {
        return ngx_amt_keystore_start(r);
    }

    r->request_body_in_single_buf = 1;

    rc = ngx_http_read_client_request_body(r, ngx_amt_keystore_body_handler);

    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return rc;
    }

    return NGX_DONE;
}


static void
ngx_amt_keystore_body_handler(ngx_http_request_t *r)
{
    ngx_http_finalize_request(r, ngx_amt_keystore_start(r));
}


/* NGX_DONE: the answer follows, and one more reference to r is held. */

static ngx_int_t
ngx_amt_keystore_start(ngx_http_request_t *r)
{
    ngx_int_t                rc;
    ngx_str_t                body;
    ngx_pool_t              *pool;
    const char              *err;
    ngx_amt_keystore_t      *ks;
    ngx_amt_keystore_ctx_t  *ctx;

    ks = ngx_http_amt_keystore_of(r);

    pool = ngx_create_pool(NGX_AMT_KEYSTORE_POOL, ngx_cycle->log);
    if (pool == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx = ngx_pcalloc(pool, sizeof(ngx_amt_keystore_ctx_t));
    if (ctx == NULL) {
        ngx_destroy_pool(pool);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->ks = ks;
    ctx->op.pool = pool;
    ctx->op.ring = ks->ring;
    ctx->op.max_versions = ks->max_versions;

    err = NULL;

    rc = ngx_amt_keystore_route(r, &ctx->op, &err);

    if (rc != NGX_OK) {
        if (rc == NGX_ERROR
            || ngx_amt_keystore_errors(r->pool, err, &body) != NGX_OK)
        {
            rc = NGX_HTTP_INTERNAL_SERVER_ERROR;

        } else {
            rc = ngx_amt_keystore_send(r, rc, &body);
        }

        ngx_amt_keystore_free(ctx);

        return rc;
    }

    ctx->cleanup = ngx_http_cleanup_add(r, 0);

    if (ctx->cleanup == NULL) {
        ngx_amt_keystore_free(ctx);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    ctx->op.task.run = ngx_amt_keystore_run;
    ctx->op.task.done = ngx_amt_keystore_done;
    ctx->op.task.data = &ctx->op;
    ctx->op.task.full = 1;
    ctx->op.task.alone = (ctx->op.type == NGX_AMT_KEYSTORE_LIST);

    rc = (ctx->op.type >= NGX_AMT_KEYSTORE_WRITE)
         ? ngx_amt_sqlite_db_write(&ks->db, &ctx->op.task)
         : ngx_amt_sqlite_db_read(&ks->db, &ctx->op.task);

    if (rc != NGX_OK) {
        rc = ngx_amt_keystore_errors(r->pool, ctx->op.task.text, &body);

        rc = (rc == NGX_OK)
             ? ngx_amt_keystore_send(r, NGX_HTTP_INTERNAL_SERVER_ERROR, &body)
             : NGX_HTTP_INTERNAL_SERVER_ERROR;

        ngx_amt_keystore_free(ctx);

        return rc;
    }

    ctx->request = r;
    ctx->cleanup->handler = ngx_amt_keystore_cleanup;
    ctx->cleanup->data = ctx;

    r->main->count++;
    r->write_event_handler = ngx_http_request_empty_handler;

    return NGX_DONE;
}


/*
 * What is asked for.  NGX_OK, NGX_ERROR for no memory, or the status of the
 * answer and its error text.
 */

static ngx_int_t
ngx_amt_keystore_route(ngx_http_request_t *r, ngx_amt_keystore_op_t *op,
    const char **err)
{
    ngx_int_t                 rc;
    ngx_str_t                 uri, value;
    ngx_uint_t                list;
    ngx_http_core_loc_conf_t *clcf;
    ngx_amt_keystore_kind_e   kind;

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (r->uri.len < clcf->name.len
        || ngx_strncmp(r->uri.data, clcf->name.data, clcf->name.len) != 0)
    {
        *err = "invalid path";
        return NGX_HTTP_BAD_REQUEST;
    }

    uri.data = r->uri.data + clcf->name.len;
    uri.len = r->uri.len - clcf->name.len;

    list = (r->method_name.len == 4
            && ngx_strncmp(r->method_name.data, "LIST", 4) == 0)
           || (r->method == NGX_HTTP_GET
               && ngx_http_arg(r, (u_char *) "list", 4, &value) == NGX_OK
               && value.len == 4
               && ngx_strncmp(value.data, "true", 4) == 0);

    rc = ngx_amt_keystore_split(op->pool, &uri, list, &kind, &op->path);

    if (rc == NGX_ERROR) {
        return NGX_ERROR;
    }

    if (rc != NGX_OK) {
        *err = "invalid path";
        return NGX_HTTP_BAD_REQUEST;
    }

    if (kind == NGX_AMT_KEYSTORE_SYS_HEALTH && r->method == NGX_HTTP_GET) {
        op->type = NGX_AMT_KEYSTORE_HEALTH;
        return NGX_OK;
    }

    if (kind == NGX_AMT_KEYSTORE_METADATA && list) {
        op->type = NGX_AMT_KEYSTORE_LIST;
        return NGX_OK;
    }

    if (kind == NGX_AMT_KEYSTORE_METADATA && r->method == NGX_HTTP_DELETE) {
        op->type = NGX_AMT_KEYSTORE_DELETE;
        return NGX_OK;
    }

    if (kind == NGX_AMT_KEYSTORE_DATA && r->method == NGX_HTTP_GET && !list) {
        op->type = NGX_AMT_KEYSTORE_READ;

        if (ngx_amt_keystore_version(r, op) != NGX_OK) {
            *err = "invalid version";
            return NGX_HTTP_BAD_REQUEST;
        }

        return NGX_OK;
    }

    if (kind == NGX_AMT_KEYSTORE_DATA
        && (r->method == NGX_HTTP_POST || r->method == NGX_HTTP_PUT))
    {
        op->type = NGX_AMT_KEYSTORE_WRITE;
        return ngx_amt_keystore_read_body(r, op, err);
    }

    *err = "unsupported operation";

    return NGX_HTTP_NOT_ALLOWED;
}


static ngx_int_t
ngx_amt_keystore_version(ngx_http_request_t *r, ngx_amt_keystore_op_t *op)
{
    ngx_int_t  n;
    ngx_str_t  value;

    if (ngx_http_arg(r, (u_char *) "version", 7, &value) != NGX_OK) {
        return NGX_OK;
    }

    n = ngx_atoi(value.data, value.len);

    if (n == NGX_ERROR) {
        return NGX_ERROR;
    }

    op->version = n;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_keystore_read_body(ngx_http_request_t *r, ngx_amt_keystore_op_t *op,
    const char **err)
{
    u_char       *p, *data;
    size_t        len, size;
    ngx_chain_t  *cl;
    ngx_time_t   *tp;

    if (r->request_body == NULL || r->request_body->bufs == NULL) {
        *err = "no data provided";
        return NGX_HTTP_BAD_REQUEST;
    }

    size = 0;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {

        if (!ngx_buf_in_memory(cl->buf) && !ngx_buf_special(cl->buf)) {
            *err = "the request is not in memory";
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }

        size += cl->buf->last - cl->buf->pos;

        if (size > 2 * NGX_AMT_KEYSTORE_MAX_VALUE) {
            *err = "the value is too large";
            return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
        }
    }

    data = r->request_body->bufs->buf->pos;
    len = size;

    if (r->request_body->bufs->next) {

        data = ngx_pnalloc(op->pool, size + 1);
        if (data == NULL) {
            return NGX_ERROR;
        }

        p = data;

        for (cl = r->request_body->bufs; cl; cl = cl->next) {
            p = ngx_cpymem(p, cl->buf->pos, cl->buf->last - cl->buf->pos);
        }
    }

    *err = ngx_amt_keystore_body(op, data, len);

    if (r->request_body->bufs->next) {
        OPENSSL_cleanse(data, size);
    }

    if (*err) {
        return NGX_HTTP_BAD_REQUEST;
    }

    tp = ngx_timeofday();

    op->created = (int64_t) tp->sec * 1000 + tp->msec;

    return NGX_OK;
}


static void
ngx_amt_keystore_done(ngx_amt_sqlite_task_t *t)
{
    ngx_int_t                rc;
    ngx_str_t                body;
    ngx_uint_t               status;
    ngx_connection_t        *c;
    ngx_http_request_t      *r;
    ngx_amt_keystore_op_t   *op;
    ngx_amt_keystore_ctx_t  *ctx;

    op = t->data;
    ctx = (ngx_amt_keystore_ctx_t *) ((u_char *) op
                                   - offsetof(ngx_amt_keystore_ctx_t, op));
    r = ctx->request;

    if (r == NULL) {
        ngx_amt_keystore_free(ctx);
        return;
    }

    ctx->cleanup->handler = NULL;

    c = r->connection;

    rc = NGX_HTTP_INTERNAL_SERVER_ERROR;
    ngx_str_null(&body);

    if (ngx_amt_keystore_answer(op, &status, &body) == NGX_OK) {
        rc = ngx_amt_keystore_send(r, status, &body);
    }

    if (body.data) {
        OPENSSL_cleanse(body.data, body.len);
    }

    ngx_amt_keystore_free(ctx);

    ngx_http_finalize_request(r, rc);
    ngx_http_run_posted_requests(c);
}


/* nginx copies the body into a buffer of the subrequest. */

static ngx_int_t
ngx_amt_keystore_send(ngx_http_request_t *r, ngx_uint_t status,
    ngx_str_t *body)
{
    ngx_int_t    rc;
    ngx_buf_t   *b;
    ngx_chain_t  out;

    r->disable_not_modified = 1;

    r->headers_out.status = status;
    r->headers_out.content_length_n = body->len;

    if (body->len == 0) {
        r->header_only = 1;

    } else {
        ngx_str_set(&r->headers_out.content_type, "application/json");
        r->headers_out.content_type_len = r->headers_out.content_type.len;
        r->headers_out.content_type_lowcase = NULL;
    }

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK) {
        return rc;
    }

    if (body->len) {
        b = ngx_calloc_buf(r->pool);
        if (b == NULL) {
            return NGX_ERROR;
        }

        b->pos = body->data;
        b->last = body->data + body->len;
        b->memory = 1;
        b->last_in_chain = 1;

        out.buf = b;
        out.next = NULL;

        rc = ngx_http_output_filter(r, &out);

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_amt_call_answer(r);

    return NGX_OK;
}


static void
ngx_amt_keystore_cleanup(void *data)
{
    ngx_amt_keystore_ctx_t *ctx = data;

    ctx->request = NULL;

    if (ngx_amt_sqlite_db_revoke(&ctx->ks->db, &ctx->op.task) == NGX_OK) {
        ngx_amt_keystore_free(ctx);
    }
}


static void
ngx_amt_keystore_free(ngx_amt_keystore_ctx_t *ctx)
{
    if (ctx->op.plain.data) {
        OPENSSL_cleanse(ctx->op.plain.data, ctx->op.plain.len);
    }

    ngx_destroy_pool(ctx->op.pool);
}
