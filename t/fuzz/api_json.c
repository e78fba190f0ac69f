
/*
 * A request to the REST API without its I/O: the first byte chooses what the
 * rest is - body (plain or deflated), query, or path - and every route's
 * checks run over it.  What was parsed must come out as JSON that parses to
 * the same; errors must be JSON; passwords are never in them.
 */


#include "mps/ngx_amt_reply.h"
#include "mps/ngx_amt_route.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static json_t *
parse(ngx_str_t *s)
{
    json_error_t  err;

    return json_loadb((char *) s->data, s->len,
                      JSON_DECODE_ANY|JSON_DECODE_INT_AS_REAL
                      |JSON_ALLOW_NUL|JSON_REJECT_DUPLICATES, &err);
}


static void
check(ngx_pool_t *pool, ngx_amt_input_t *in)
{
    json_t                 *v;
    ngx_int_t               rc;
    ngx_str_t               errors;
    const ngx_amt_route_t  *route, **table;

    table = ngx_amt_route_tables;
    route = *table;

    for ( ;; route++) {

        if (route->path == NULL) {
            route = *++table;

            if (route == NULL) {
                break;
            }
        }

        if (route->checks == NULL) {
            continue;
        }

        rc = ngx_amt_validate(route->checks, in, pool, &errors);

        if (rc != NGX_DECLINED) {
            continue;
        }

        v = parse(&errors);

        if (!json_is_array(json_object_get(v, "errors"))
            || json_array_size(json_object_get(v, "errors")) == 0)
        {
            abort();
        }

        json_decref(v);
    }
}


static void
body(ngx_pool_t *pool, ngx_str_t *in, ngx_uint_t deflated)
{
    json_t           *json, *again;
    ngx_str_t         out;
    ngx_amt_out_t     o;
    ngx_amt_body_t    b;
    ngx_amt_body_e    rc;
    ngx_amt_input_t   input;

    memset(&b, 0, sizeof(b));

    b.pool = pool;
    b.max = NGX_AMT_BODY_MAX;
    b.start = in->data;
    b.last = in->data + in->len;
    b.end = b.last;
    b.deflated = deflated;

    rc = ngx_amt_body_parse(&b, &json);

    if ((rc == NGX_AMT_BODY_OK) != (json != NULL)) {
        abort();
    }

    memset(&input, 0, sizeof(input));
    input.body = json;

    check(pool, &input);

    if (json) {
        ngx_amt_out_init(&o, pool, 1);
        ngx_amt_out_value(&o, json);

        if (ngx_amt_out_done(&o, &out) == NGX_OK) {
            again = parse(&out);

            if (!json_equal(json, again)) {
                abort();
            }

            json_decref(again);
        }
    }

    json_decref(json);
}


static void
query(ngx_pool_t *pool, ngx_str_t *in)
{
    ngx_amt_input_t  input;

    memset(&input, 0, sizeof(input));

    input.query = ngx_amt_body_query(pool, in);
    input.params = input.query;
    input.headers = input.query;
    input.cookies = input.query;

    check(pool, &input);

    (void) ngx_amt_input_int(json_object_get(input.query, "$top"), 25, 0, 9);
    (void) ngx_amt_input_true(json_object_get(input.query, "$count"));

    json_decref(input.query);
}


static void
path(ngx_pool_t *pool, ngx_str_t *in, ngx_uint_t layout)
{
    ngx_str_t       prefix, below;
    ngx_uint_t      open;
    ngx_amt_api_t   api;

    memset(&api, 0, sizeof(api));

    api.pool = pool;

    ngx_str_set(&api.method, "GET");
    ngx_str_null(&prefix);
    ngx_str_null(&below);

    if (layout) {
        ngx_str_set(&prefix, "/mps");
    }

    if (layout == 2) {
        ngx_str_set(&below, "/amt/power");
    }

    (void) ngx_amt_route_find(&api, NGX_HTTP_GET, in, &prefix, &below,
                              &open);
    (void) ngx_amt_reply_html(&api, 404);
    (void) ngx_amt_reply_no_device(&api);

    if (api.route && !api.bad_path) {
        json_t  *v = parse(&api.reply.body);

        if (v == NULL) {
            abort();
        }

        json_decref(v);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char            *copy;
    ngx_str_t          in;
    ngx_pool_t        *pool;
    static ngx_log_t   log;

    if (size == 0) {
        return 0;
    }

    ngx_pagesize = 4096;

    pool = ngx_create_pool(4096, &log);

    /* of exactly this size, so that a byte too far is seen */

    copy = malloc(size);
    memcpy(copy, data + 1, size - 1);

    in.data = copy;
    in.len = size - 1;

    switch (data[0] % 5) {
    case 0:
        body(pool, &in, 0);
        break;
    case 1:
        body(pool, &in, 1);
        break;
    case 2:
        query(pool, &in);
        break;
    default:
        path(pool, &in, data[0] % 5 == 4 ? 1 + (data[0] > 127) : 0);
    }

    free(copy);
    ngx_destroy_pool(pool);

    return 0;
}
