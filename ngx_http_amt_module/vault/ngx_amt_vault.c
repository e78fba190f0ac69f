
/*
 * Vault client: the operations of ngx_amt_vault.h on detached calls.
 *
 * At most "max" calls run at once in a worker, the others wait in line: ten
 * thousand devices that come back together must not take all connections.
 */


#include "vault/ngx_http_amt_vault.h"
#include "vault/ngx_amt_vault.h"
#include "vault/ngx_amt_vault_answer.h"


#define NGX_AMT_VAULT_PATH    512
#define NGX_AMT_VAULT_TRIES   5


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_queue_t             queue;       /* in line */
    ngx_amt_flow_t         *flow;
    uint64_t                seq;
    unsigned                queued:1;
    unsigned                slot:1;

    ngx_amt_vault_op_e      op;
    ngx_str_t               path;        /* as asked for, in uri */
    ngx_str_t               uri;
    ngx_str_t               body;        /* jansson's memory */
    ngx_amt_call_result_t   result;

    ngx_amt_secret_t       *secret;      /* where the answer goes */
    uint64_t               *version;
    json_t                **json;

    u_char                  data[];      /* of uri */
} ngx_amt_vault_op_t;


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_str_t               path;
    json_t                 *changes;
    json_t                 *merged;
    ngx_amt_secret_t        secret;
    ngx_uint_t              tries;
    u_char                  data[];      /* of path */
} ngx_amt_vault_merge_t;


static ngx_amt_vault_op_t *ngx_amt_vault_op(ngx_amt_flow_t *f,
    const char *name, ngx_amt_vault_op_e op, ngx_str_t *path);
static ngx_int_t ngx_amt_vault_path(ngx_str_t *path);
static ngx_int_t ngx_amt_vault_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_vault_call(ngx_amt_flow_t *f, ngx_amt_vault_op_t *v);
static ngx_int_t ngx_amt_vault_finish(ngx_amt_flow_t *f,
    ngx_amt_vault_op_t *v);
static void ngx_amt_vault_drop(void *data);
static ngx_int_t ngx_amt_vault_enter(ngx_amt_flow_t *f,
    ngx_amt_vault_op_t *v);
static void ngx_amt_vault_leave_line(void *data);
static void ngx_amt_vault_release(void);
static ngx_int_t ngx_amt_vault_merge_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_vault_merge_apply(ngx_amt_flow_t *f,
    ngx_amt_vault_merge_t *v);
static void ngx_amt_vault_merge_drop(void *data);


static ngx_queue_t  ngx_amt_vault_line;
static ngx_uint_t   ngx_amt_vault_running;
static ngx_uint_t   ngx_amt_vault_waiting;


static const char  *ngx_amt_vault_verbs[] = {
    "reading", "writing", "deleting", "listing", "health"
};


ngx_int_t
ngx_amt_vault_read(ngx_amt_flow_t *f, ngx_str_t *path,
    ngx_amt_secret_t *secret)
{
    ngx_amt_vault_op_t  *v;

    ngx_memzero(secret, sizeof(ngx_amt_secret_t));

    v = ngx_amt_vault_op(f, "vault_read", NGX_AMT_VAULT_READ, path);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->secret = secret;

    return ngx_amt_call(f, v);
}


ngx_int_t
ngx_amt_vault_write(ngx_amt_flow_t *f, ngx_str_t *path, json_t *data,
    uint64_t cas, uint64_t *version)
{
    char                *text;
    json_t              *root;
    ngx_amt_vault_op_t  *v;

    v = ngx_amt_vault_op(f, "vault_write", NGX_AMT_VAULT_WRITE, path);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->version = version;

    root = json_pack("{s:{s:I},s:O}", "options", "cas", (json_int_t) cas,
                     "data", data);

    text = root ? json_dumps(root, JSON_COMPACT) : NULL;

    json_decref(root);

    if (text == NULL) {
        ngx_amt_frame_free(f, v);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "secret cannot be written as JSON");
    }

    v->body.data = (u_char *) text;
    v->body.len = ngx_strlen(text);

    return ngx_amt_call(f, v);
}


ngx_int_t
ngx_amt_vault_delete(ngx_amt_flow_t *f, ngx_str_t *path)
{
    ngx_amt_vault_op_t  *v;

    v = ngx_amt_vault_op(f, "vault_delete", NGX_AMT_VAULT_DELETE, path);
    if (v == NULL) {
        return NGX_ERROR;
    }

    return ngx_amt_call(f, v);
}


ngx_int_t
ngx_amt_vault_list(ngx_amt_flow_t *f, ngx_str_t *path, json_t **keys)
{
    ngx_amt_vault_op_t  *v;

    *keys = NULL;

    v = ngx_amt_vault_op(f, "vault_list", NGX_AMT_VAULT_LIST, path);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->json = keys;

    return ngx_amt_call(f, v);
}


ngx_int_t
ngx_amt_vault_health(ngx_amt_flow_t *f, json_t **health)
{
    ngx_str_t            path = ngx_string("sys/health");
    ngx_amt_vault_op_t  *v;

    *health = NULL;

    v = ngx_amt_vault_op(f, "vault_health", NGX_AMT_VAULT_HEALTH, &path);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->json = health;

    return ngx_amt_call(f, v);
}


ngx_uint_t
ngx_amt_vault_configured(void)
{
    return ngx_http_amt_vault_conf() != NULL;
}


/* A frame with the checked path; NULL: the error is set. */

static ngx_amt_vault_op_t *
ngx_amt_vault_op(ngx_amt_flow_t *f, const char *name, ngx_amt_vault_op_e op,
    ngx_str_t *path)
{
    u_char                          *p;
    size_t                           len;
    const char                      *kind;
    ngx_amt_vault_op_t              *v;
    ngx_http_amt_vault_main_conf_t  *conf;

    conf = ngx_http_amt_vault_conf();

    if (conf == NULL) {
        (void) ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "\"amt_vault\" is not configured");
        return NULL;
    }

    if (ngx_amt_vault_path(path) != NGX_OK) {
        (void) ngx_amt_flow_error(f, NGX_AMT_ERR_INVALID,
                                  "not a name of a secret");
        return NULL;
    }

    kind = (op == NGX_AMT_VAULT_READ || op == NGX_AMT_VAULT_WRITE)
           ? "/data/" : "/metadata/";

    len = conf->call.location.len + conf->mount.len + sizeof("/metadata/") - 1
          + path->len;

    v = ngx_amt_frame_alloc(f, name, sizeof(ngx_amt_vault_op_t) + len,
                            ngx_amt_vault_body, ngx_amt_vault_drop);
    if (v == NULL) {
        return NULL;
    }

    v->flow = f;
    v->op = op;

    v->uri.data = v->data;

    if (op == NGX_AMT_VAULT_HEALTH) {
        p = ngx_slprintf(v->data, v->data + len, "%V%V",
                         &conf->call.location, path);
    } else {
        p = ngx_slprintf(v->data, v->data + len, "%V%V%s%V",
                         &conf->call.location, &conf->mount, kind, path);
    }

    v->uri.len = p - v->data;

    v->path.data = p - path->len;
    v->path.len = path->len;

    return v;
}


/* Segments of [A-Za-z0-9._-], none of them "." or "..". */

static ngx_int_t
ngx_amt_vault_path(ngx_str_t *path)
{
    u_char      *p, *start, *last;
    ngx_uint_t   len;

    if (path->len == 0 || path->len > NGX_AMT_VAULT_PATH) {
        return NGX_ERROR;
    }

    last = path->data + path->len;

    for (p = start = path->data; /* void */ ; p++) {

        if (p == last || *p == '/') {
            len = p - start;

            if (len == 0
                || (len == 1 && start[0] == '.')
                || (len == 2 && start[0] == '.' && start[1] == '.'))
            {
                return NGX_ERROR;
            }

            if (p == last) {
                return NGX_OK;
            }

            start = p + 1;
            continue;
        }

        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (*p >= '0' && *p <= '9')
              || *p == '.' || *p == '_' || *p == '-'))
        {
            return NGX_ERROR;
        }
    }
}


static ngx_int_t
ngx_amt_vault_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_vault_op_t *v = data;

    ngx_amt_begin(f, v);

    ngx_amt_await(f, v, ngx_amt_vault_enter(f, v));
    ngx_amt_await(f, v, ngx_amt_vault_call(f, v));

    return ngx_amt_vault_finish(f, v);

fail:

    return v->frame.rc;
}


static ngx_int_t
ngx_amt_vault_call(ngx_amt_flow_t *f, ngx_amt_vault_op_t *v)
{
    ngx_amt_call_request_t           req;
    ngx_http_amt_vault_main_conf_t  *conf;

    conf = ngx_http_amt_vault_conf();

    ngx_memzero(&req, sizeof(ngx_amt_call_request_t));

    req.uri = v->uri;
    req.body = v->body;
    req.timeout = ngx_amt_flow_left(f, conf->timeout);
    req.what = "vault";

    switch (v->op) {

    case NGX_AMT_VAULT_READ:
        req.method = NGX_HTTP_GET;
        break;

    case NGX_AMT_VAULT_WRITE:
        req.method = NGX_HTTP_POST;
        break;

    case NGX_AMT_VAULT_DELETE:
        req.method = NGX_HTTP_DELETE;
        break;

    case NGX_AMT_VAULT_LIST:
        req.method = NGX_HTTP_GET;
        ngx_str_set(&req.args, "list=true");
        break;

    case NGX_AMT_VAULT_HEALTH:
        req.method = NGX_HTTP_GET;
        ngx_str_set(&req.args, "standbyok=true");
        break;
    }

    return ngx_amt_call_http(f, &conf->call, &req, &v->result);
}


static ngx_int_t
ngx_amt_vault_finish(ngx_amt_flow_t *f, ngx_amt_vault_op_t *v)
{
    ngx_int_t               rc;
    ngx_uint_t              level;
    ngx_amt_vault_answer_t  answer;

    if (!v->result.complete) {
        ngx_log_error(NGX_LOG_ERR, f->log, 0,
                      "Vault did not answer when %s \"%V\": %s (%i)",
                      ngx_amt_vault_verbs[v->op], &v->path, v->result.error,
                      v->result.rc);

        return ngx_amt_flow_error(f, NGX_AMT_ERR_VAULT,
                                  "Vault did not answer: %s",
                                  v->result.error);
    }

    rc = ngx_amt_vault_answer(v->op, v->result.status, &v->result.body,
                              &answer);

    ngx_amt_call_wipe(&v->result);

    if (rc == NGX_ERROR) {
        level = (answer.err == NGX_AMT_ERR_CONFLICT) ? NGX_LOG_INFO
                                                     : NGX_LOG_ERR;

        ngx_log_error(level, f->log, 0,
                      "Vault, status %ui, when %s \"%V\": %s",
                      v->result.status, ngx_amt_vault_verbs[v->op], &v->path,
                      answer.text);

        return ngx_amt_flow_error(f, answer.err, "Vault: %s", answer.text);
    }

    if (v->secret) {
        v->secret->data = answer.json;
        v->secret->version = answer.version;

    } else if (v->json) {
        *v->json = answer.json;

    } else {
        json_decref(answer.json);
    }

    if (v->version) {
        *v->version = answer.version;
    }

    return rc;
}


static void
ngx_amt_vault_drop(void *data)
{
    ngx_amt_vault_op_t *v = data;

    ngx_amt_call_wipe(&v->result);

    if (v->body.data) {
        ngx_explicit_memzero(v->body.data, v->body.len);
        ngx_free(v->body.data);
    }

    ngx_amt_vault_leave_line(v);

    if (v->slot) {
        ngx_amt_vault_release();
    }
}


/* Operation: waits for a place among the running calls. */

static ngx_int_t
ngx_amt_vault_enter(ngx_amt_flow_t *f, ngx_amt_vault_op_t *v)
{
    if (ngx_amt_vault_line.next == NULL) {
        ngx_queue_init(&ngx_amt_vault_line);
    }

    if (ngx_amt_vault_running < ngx_http_amt_vault_conf()->max) {
        ngx_amt_vault_running++;
        v->slot = 1;
        return NGX_OK;
    }

    ngx_queue_insert_tail(&ngx_amt_vault_line, &v->queue);
    v->queued = 1;
    ngx_amt_vault_waiting++;

    v->seq = ngx_amt_flow_wait(f, "vault line", ngx_amt_vault_leave_line, v);

    return NGX_AGAIN;
}


static void
ngx_amt_vault_leave_line(void *data)
{
    ngx_amt_vault_op_t *v = data;

    if (v->queued) {
        ngx_queue_remove(&v->queue);
        v->queued = 0;
        ngx_amt_vault_waiting--;
    }
}


/* The place goes to the first in line. */

static void
ngx_amt_vault_release(void)
{
    ngx_queue_t         *q;
    ngx_amt_vault_op_t  *v;

    if (ngx_queue_empty(&ngx_amt_vault_line)) {
        ngx_amt_vault_running--;
        return;
    }

    q = ngx_queue_head(&ngx_amt_vault_line);
    v = ngx_queue_data(q, ngx_amt_vault_op_t, queue);

    ngx_amt_vault_leave_line(v);
    v->slot = 1;

    ngx_amt_flow_wake(v->flow, v->seq, NGX_OK);
}


void
ngx_amt_vault_stats(ngx_uint_t *running, ngx_uint_t *waiting)
{
    *running = ngx_amt_vault_running;
    *waiting = ngx_amt_vault_waiting;
}


ngx_int_t
ngx_amt_vault_merge(ngx_amt_flow_t *f, ngx_str_t *path, json_t *changes)
{
    ngx_amt_vault_merge_t  *v;

    v = ngx_amt_frame_alloc(f, "vault_merge",
                            sizeof(ngx_amt_vault_merge_t) + path->len,
                            ngx_amt_vault_merge_body,
                            ngx_amt_vault_merge_drop);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->path.data = v->data;
    v->path.len = path->len;
    ngx_memcpy(v->data, path->data, path->len);

    /* a copy, so that nobody changes it between two tries */

    v->changes = json_deep_copy(changes);

    if (!json_is_object(v->changes)) {
        ngx_amt_frame_free(f, v);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "no object to merge, or no memory");
    }

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_vault_merge_body(ngx_amt_flow_t *f, void *data)
{
    ngx_int_t               rc;
    ngx_amt_vault_merge_t  *v = data;

    ngx_amt_begin(f, v);

    for ( ;; ) {

        ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->secret));

        if (v->frame.rc != NGX_OK && v->frame.rc != NGX_DECLINED) {
            goto fail;
        }

        rc = ngx_amt_vault_merge_apply(f, v);

        if (rc != NGX_AGAIN) {
            return rc;
        }

        ngx_amt_await_rc(f, v,
                         ngx_amt_vault_write(f, &v->path, v->merged,
                                             v->secret.version, NULL));

        if (v->frame.rc == NGX_OK) {
            return NGX_OK;
        }

        if (f->err.code != NGX_AMT_ERR_CONFLICT
            || ++v->tries == NGX_AMT_VAULT_TRIES)
        {
            goto fail;
        }

        ngx_amt_flow_clear(f);

        ngx_amt_secret_wipe(&v->secret);
        json_decref(v->merged);
        v->merged = NULL;

        /* somebody else writes: do not meet again at once */

        ngx_amt_await(f, v, ngx_amt_flow_sleep(f, 5 + ngx_random() % 20));
    }

fail:

    return v->frame.rc;
}


/* NGX_AGAIN: merged is to be written; NGX_OK: nothing changes. */

static ngx_int_t
ngx_amt_vault_merge_apply(ngx_amt_flow_t *f, ngx_amt_vault_merge_t *v)
{
    void        *iter;
    json_t      *value;
    const char  *key;

    v->merged = v->secret.data ? json_copy(v->secret.data) : json_object();

    if (v->merged == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    for (iter = json_object_iter(v->changes);
         iter;
         iter = json_object_iter_next(v->changes, iter))
    {
        key = json_object_iter_key(iter);
        value = json_object_iter_value(iter);

        if (json_is_null(value)) {
            (void) json_object_del(v->merged, key);
            continue;
        }

        if (json_object_set(v->merged, key, value) != 0) {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
        }
    }

    if (v->secret.data && json_equal(v->secret.data, v->merged)) {
        return NGX_OK;
    }

    return NGX_AGAIN;
}


static void
ngx_amt_vault_merge_drop(void *data)
{
    ngx_amt_vault_merge_t *v = data;

    ngx_amt_secret_wipe(&v->secret);

    json_decref(v->merged);
    json_decref(v->changes);
}


const char *
ngx_amt_secret_get(ngx_amt_secret_t *secret, const char *key)
{
    return json_string_value(json_object_get(secret->data, key));
}


/* Memory of JSON values is wiped when freed, see the module. */

void
ngx_amt_secret_wipe(ngx_amt_secret_t *secret)
{
    json_decref(secret->data);

    secret->data = NULL;
    secret->version = 0;
}
