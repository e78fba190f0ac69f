
/*
 * nginx with both modules linked in and one more, whose locations run an
 * operation of flow/ and vault/ and tell what came out, or open a WebSocket.
 * t/vault.t, t/flow.t and t/ws.t start it as their nginx; without arguments it
 * is a test of the list of modules.
 *
 *     location /run { amt_test; }
 *     GET /run?op=read&path=devices/x&budget=ms&n=times&detach&shield
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <nginx.h>
#include "ngx_http_amt.h"
#include "flow/ngx_amt_flow.h"
#include "vault/ngx_amt_vault.h"
#include "tap.h"
#include "amt_nginx_ws.h"


/* The lists that configure made, under names of their own. */

#define ngx_modules       ngx_base_modules
#define ngx_module_names  ngx_base_module_names
#include "ngx_modules.c"
#undef ngx_modules
#undef ngx_module_names

#define ngx_modules       ngx_cira_modules
#define ngx_module_names  ngx_cira_module_names
#define ngx_module_order  ngx_cira_module_order
#include "ngx_stream_cira_module_modules.c"
#undef ngx_modules
#undef ngx_module_names
#undef ngx_module_order

#define ngx_modules       ngx_amt_modules
#define ngx_module_names  ngx_amt_module_names
#define ngx_module_order  ngx_amt_module_order
#include "ngx_http_amt_module_modules.c"
#undef ngx_modules
#undef ngx_module_names
#undef ngx_module_order


#define MODULES  256


extern int ngx_main(int argc, char *const *argv);

ngx_module_t  *ngx_modules[MODULES];
char          *ngx_module_names[MODULES];


typedef struct {
    ngx_http_request_t  *request;        /* NULL: client is gone */
    ngx_amt_flow_t      *flow;
    ngx_str_t            op;
    ngx_str_t            path;
    ngx_uint_t           detach;
    json_t              *json;
    uint64_t             version;
} test_run_t;


typedef struct {
    ngx_amt_frame_t      frame;
    test_run_t          *run;
    ngx_uint_t           times;
    ngx_uint_t           shield;
    ngx_msec_t           ms;
    uint64_t             cas;
    json_t              *data;
    ngx_amt_secret_t     secret;
    u_char               thread[4096];
} test_frame_t;


static char *test_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static ngx_int_t test_init_process(ngx_cycle_t *cycle);


static ngx_thread_pool_t  *test_pool;
static ngx_uint_t          test_at_start;


static ngx_command_t  test_commands[] = {

    { ngx_string("amt_test"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      test_directive,
      0,
      0,
      NULL },

    { ngx_string("amt_test_at_start"),
      NGX_HTTP_LOC_CONF|NGX_CONF_NOARGS,
      test_directive,
      0,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  test_module_ctx = {
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
};


static ngx_module_t  test_module = {
    NGX_MODULE_V1,
    &test_module_ctx,
    test_commands,
    NGX_HTTP_MODULE,
    NULL, NULL, test_init_process, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};


static void
test_thread(void *data, ngx_log_t *log)
{
    u_char  *p = data;

    ngx_msleep(p[0] * 10);
    p[1] = 'd';
}


static void
test_thread_drop(void *data)
{
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "test: thread data "
                  "dropped");
}


static ngx_int_t
test_operation(ngx_amt_flow_t *f, test_frame_t *v)
{
    ngx_str_t  *op = &v->run->op, *path = &v->run->path;

#define is(name)  (op->len == sizeof(name) - 1                                \
                   && ngx_strncmp(op->data, name, op->len) == 0)

    if (is("read")) {
        ngx_amt_secret_wipe(&v->secret);
        return ngx_amt_vault_read(f, path, &v->secret);
    }

    if (is("write")) {
        return ngx_amt_vault_write(f, path, v->data, v->cas,
                                   &v->run->version);
    }

    if (is("merge")) {
        return ngx_amt_vault_merge(f, path, v->data);
    }

    if (is("delete")) {
        return ngx_amt_vault_delete(f, path);
    }

    if (is("list")) {
        json_decref(v->run->json);
        return ngx_amt_vault_list(f, path, &v->run->json);
    }

    if (is("health")) {
        json_decref(v->run->json);
        return ngx_amt_vault_health(f, &v->run->json);
    }

    if (is("sleep")) {
        return ngx_amt_flow_sleep(f, v->ms);
    }

    if (is("thread")) {
        v->thread[0] = (u_char) (v->ms / 10);
        return ngx_amt_flow_thread(f, test_pool, test_thread,
                                   test_thread_drop, v->thread,
                                   sizeof(v->thread));
    }

    if (is("nothing")) {
        return NGX_AGAIN;
    }

    return ngx_amt_flow_error(f, NGX_AMT_ERR_INVALID, "no such operation");
}


static ngx_int_t
test_body(ngx_amt_flow_t *f, void *data)
{
    test_frame_t  *v = data;

    ngx_amt_begin(f, v);

    if (v->shield) {
        ngx_amt_flow_shield(f);
    }

    while (v->times--) {
        ngx_amt_await(f, v, test_operation(f, v));
    }

    if (v->shield) {
        ngx_log_error(NGX_LOG_NOTICE, f->log, 0,
                      "test: shielded section ends, client gone: %d",
                      f->client_gone);
        ngx_amt_flow_unshield(f);
    }

    if (v->secret.data) {
        v->run->json = json_incref(v->secret.data);
    }

    v->run->version = v->run->version ? v->run->version : v->secret.version;

    ngx_amt_end(f, v);

fail:

    v->run->version = v->secret.version;

    return v->frame.rc;
}


static void
test_drop(void *data)
{
    test_frame_t  *v = data;

    ngx_amt_secret_wipe(&v->secret);
    json_decref(v->data);
}


static void
test_answer(test_run_t *run, ngx_amt_flow_t *f, ngx_int_t rc)
{
    char                *text;
    json_t              *root;
    ngx_int_t            sent;
    ngx_buf_t           *b;
    ngx_chain_t          out;
    ngx_http_request_t  *r;

    r = run->request;

    root = json_pack("{s:i,s:i,s:s%,s:I,s:O*}", "rc", (int) rc,
                     "err", (int) f->err.code,
                     "text", f->err.text.len ? (char *) f->err.text.data : "",
                     f->err.text.len,
                     "version", (json_int_t) run->version,
                     "data", run->json);
    text = root ? json_dumps(root, JSON_COMPACT|JSON_SORT_KEYS) : NULL;
    json_decref(root);

    if (text == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }

    b = ngx_create_temp_buf(r->pool, ngx_strlen(text));
    b->last = ngx_cpymem(b->last, text, ngx_strlen(text));
    b->last_buf = 1;
    free(text);

    out.buf = b;
    out.next = NULL;

    r->headers_out.status = 200;
    r->headers_out.content_length_n = b->last - b->pos;

    sent = ngx_http_send_header(r);

    if (sent == NGX_OK) {
        sent = ngx_http_output_filter(r, &out);
    }

    ngx_http_finalize_request(r, sent);
}


static void
test_done(ngx_amt_flow_t *f, ngx_int_t rc, void *data)
{
    test_run_t        *run = data;
    ngx_connection_t  *c;

    run->flow = NULL;

    if (run->request) {

        /* frees run by its cleanup */

        c = run->request->connection;
        test_answer(run, f, rc);
        ngx_http_run_posted_requests(c);
        return;
    }

    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0,
                  "test: %V ended without client: rc %i, err %ui, %*s",
                  &run->op, rc, (ngx_uint_t) f->err.code, f->err.text.len,
                  f->err.text.len ? f->err.text.data : (u_char *) "");

    json_decref(run->json);
    ngx_free(run);
}


static void
test_cleanup(void *data)
{
    test_run_t  *run = data;

    run->request = NULL;

    if (run->flow == NULL) {
        json_decref(run->json);
        ngx_free(run);
        return;
    }

    if (!run->detach) {
        ngx_amt_flow_cancel(run->flow);
    }
}


static ngx_str_t
test_arg(ngx_http_request_t *r, char *name)
{
    u_char     *dst, *src;
    ngx_str_t   value;

    ngx_str_null(&value);

    if (ngx_http_arg(r, (u_char *) name, ngx_strlen(name), &value) == NGX_OK) {
        src = value.data;
        dst = value.data;
        ngx_unescape_uri(&dst, &src, value.len, NGX_UNESCAPE_URI);
        value.len = dst - value.data;
    }

    return value;
}


static ngx_str_t
test_copy(ngx_pool_t *pool, ngx_str_t value)
{
    value.data = value.len ? ngx_pstrdup(pool, &value) : (u_char *) "";

    return value;
}


static ngx_uint_t
test_number(ngx_http_request_t *r, char *name, ngx_uint_t def)
{
    ngx_str_t  value;

    value = test_arg(r, name);

    return value.len ? (ngx_uint_t) ngx_atoi(value.data, value.len) : def;
}


static test_run_t *
test_run(char *op, char *path)
{
    test_run_t  *run;

    run = ngx_calloc(sizeof(test_run_t), ngx_cycle->log);

    run->op.data = (u_char *) op;
    run->op.len = ngx_strlen(op);
    run->path.data = (u_char *) path;
    run->path.len = ngx_strlen(path);

    return run;
}


static ngx_int_t
test_handler(ngx_http_request_t *r)
{
    ngx_str_t            data;
    test_run_t          *run;
    test_frame_t        *v;
    ngx_connection_t    *c;
    ngx_http_cleanup_t  *cln;

    c = r->connection;

    run = ngx_calloc(sizeof(test_run_t), ngx_cycle->log);
    cln = ngx_http_cleanup_add(r, 0);

    cln->handler = test_cleanup;
    cln->data = run;

    run->request = r;
    run->detach = test_number(r, "detach", 0);

    run->flow = ngx_amt_flow_create("test", c->log,
                                    test_number(r, "budget", 20000),
                                    test_done, run);
    if (run->flow == NULL) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }

    /* the client's memory may go before the flow */

    run->op = test_copy(run->flow->pool, test_arg(r, "op"));
    run->path = test_copy(run->flow->pool, test_arg(r, "path"));

    v = ngx_amt_frame_alloc(run->flow, "test_body", sizeof(test_frame_t),
                            test_body, test_drop);
    v->run = run;
    v->times = test_number(r, "n", 1);
    v->ms = test_number(r, "ms", 10);
    v->shield = test_number(r, "shield", 0);
    v->cas = test_number(r, "cas", 0);

    data = test_arg(r, "data");
    v->data = data.len ? json_loadb((char *) data.data, data.len, 0, NULL)
                       : json_object();

    r->main->count++;
    r->read_event_handler = ngx_http_test_reading;

    if (ngx_handle_read_event(c->read, 0) != NGX_OK) {
        return NGX_ERROR;
    }

    ngx_amt_flow_start(run->flow, v);

    return NGX_DONE;
}


static char *
test_directive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_str_t                  pool = ngx_string(NGX_AMT_POOL_READ);
    ngx_http_core_loc_conf_t  *clcf;

    clcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    clcf->handler = test_handler;

    test_at_start = (ngx_strcmp(cmd->name.data, "amt_test_at_start") == 0);
    test_pool = ngx_amt_thread_pool(cf, &pool);

    return test_pool ? NGX_CONF_OK : NGX_CONF_ERROR;
}


/* Calls work before the first event: from init_process. */

static ngx_int_t
test_init_process(ngx_cycle_t *cycle)
{
    test_run_t    *run;
    test_frame_t  *v;

    if (!test_at_start) {
        return NGX_OK;
    }

    run = test_run("read", "devices/start");
    run->flow = ngx_amt_flow_create("start", cycle->log, 5000, test_done, run);

    v = ngx_amt_frame_alloc(run->flow, "start_body", sizeof(test_frame_t),
                            test_body, test_drop);
    v->run = run;
    v->times = 1;

    ngx_amt_flow_start(run->flow, v);

    return NGX_OK;
}


static void
test_modules(void)
{
    ngx_uint_t   i, k, n;

    for (n = 0; ngx_modules[n]; n++) {
        ok(ngx_modules[n]->version == nginx_version
           && ngx_strcmp(ngx_modules[n]->signature, NGX_MODULE_SIGNATURE) == 0,
           "%s is of this nginx", ngx_module_names[n]);

        for (i = 0, k = 0; ngx_modules[i]; i++) {
            k += (ngx_strcmp(ngx_module_names[i], ngx_module_names[n]) == 0);
        }

        ok(k == 1, "%s is there once", ngx_module_names[n]);
    }
}


int
main(int argc, char *const *argv)
{
    ngx_uint_t  i, n;

    n = 0;

#define add(list, names)                                                      \
    for (i = 0; list[i]; i++) {                                               \
        ngx_module_names[n] = names[i];                                       \
        ngx_modules[n++] = list[i];                                           \
    }

    add(ngx_base_modules, ngx_base_module_names);
    add(ngx_cira_modules, ngx_cira_module_names);
    add(ngx_amt_modules, ngx_amt_module_names);

    ngx_module_names[n] = "ngx_http_amt_test_module";
    ngx_modules[n++] = &test_module;

    ngx_module_names[n] = "ngx_http_amt_test_ws_module";
    ngx_modules[n++] = &test_ws_module;

    if (argc == 1) {
        test_modules();
        return done();
    }

    return ngx_main(argc, argv);
}
