
/*
 * WSMAN answers: envelope, fault, tree, JSON, and the same tree written
 * again, which must be read as the same.
 */


#include "amt/ngx_amt_json.h"
#include "amt/ngx_amt_power.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
same(ngx_amt_xml_t *a, ngx_amt_xml_t *b)
{
    if (a->name.len != b->name.len || a->uri.len != b->uri.len
        || a->attr.len != b->attr.len || a->text.len != b->text.len
        || memcmp(a->name.data, b->name.data, a->name.len) != 0
        || (a->text.len
            && memcmp(a->text.data, b->text.data, a->text.len) != 0))
    {
        abort();
    }

    for (a = a->first, b = b->first; a && b; a = a->next, b = b->next) {
        same(a, b);
    }

    if (a || b) {
        abort();
    }
}


static void
echo(ngx_pool_t *pool, ngx_amt_xml_t *x)
{
    ngx_str_t              text;
    const char            *reason;
    ngx_amt_xml_t         *again;
    ngx_amt_xml_writer_t   w;

    static ngx_str_t  uri = ngx_string("u:1");

    ngx_amt_xml_writer_init(&w, pool, 200000);
    ngx_amt_xml_raw(&w, "<r xmlns:h=\"u:1\">");
    ngx_amt_xml_echo(&w, x, &uri);
    ngx_amt_xml_raw(&w, "</r>");

    if (ngx_amt_xml_done(&w, &text) != NGX_OK) {
        return;
    }

    /* it is one level deeper, and may be over a cap */

    if (ngx_amt_xml_parse(pool, &text, &again, &reason) == NGX_OK) {
        same(x, again->first);
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                    *copy;
    json_t                    *json;
    ngx_str_t                  text;
    ngx_pool_t                *pool;
    const char                *reason;
    ngx_array_t               *items;
    ngx_amt_xml_t             *x;
    static ngx_log_t           log;
    ngx_amt_wsman_response_t   res;

    copy = malloc(size + (size == 0));
    memcpy(copy, data, size);

    pool = ngx_create_pool(4096, &log);

    text.data = copy;
    text.len = size;

    if (ngx_amt_xml_parse(pool, &text, &x, &reason) == NGX_OK) {
        echo(pool, x);

        json = ngx_amt_json_element(x);

        if (json == NULL) {
            abort();
        }

        json_decref(json);

        (void) ngx_amt_power_boot_defaults(pool, x, &text);

        items = ngx_array_create(pool, 1, sizeof(ngx_amt_xml_t *));
        *(ngx_amt_xml_t **) ngx_array_push(items) = x;
        (void) ngx_amt_power_state_find(items);
        json_decref(ngx_amt_json_items(items));
    }

    text.data = copy;
    text.len = size;

    if (ngx_amt_wsman_parse(pool, &text, &res) == NGX_OK) {

        json = ngx_amt_json_answer(&res, ngx_amt_json_object(res.body));

        if (json == NULL || (res.fault && res.return_value != -1)) {
            abort();
        }

        json_decref(json);
    }

    ngx_destroy_pool(pool);
    free(copy);

    return 0;
}
