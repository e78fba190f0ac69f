
/*
 * amt_status [json | text]: the live flows of the worker that answers (name,
 * line, what they wait for and since when) and the engine's counters.  No
 * secret and no identifier of a device is in it, but it shows the inside:
 * restrict it with allow and deny.
 */


#include "ngx_http_amt.h"
#include "call/ngx_amt_call.h"
#include "flow/ngx_amt_flow.h"
#include "relay/ngx_amt_relay_status.h"
#include "ws/ngx_amt_ws_conn.h"
#include "vault/ngx_http_amt_vault.h"
#include "events/ngx_amt_mqtt.h"
#include "events/ngx_amt_webhook.h"
#include <jansson.h>


/* A worker may have tens of thousands; the counters tell how many. */
#define NGX_HTTP_AMT_STATUS_FLOWS  1000


typedef struct {
    json_t      *list;
    ngx_uint_t   n;
    ngx_uint_t   failed;
} ngx_http_amt_status_t;


static json_t *ngx_http_amt_status_json(void);
static json_t *ngx_http_amt_status_ws(void);
static ngx_int_t ngx_http_amt_status_events(json_t *root);
static void ngx_http_amt_status_flow(void *data, ngx_amt_flow_info_t *info);
static ngx_buf_t *ngx_http_amt_status_text(ngx_http_request_t *r,
    json_t *root);
static ngx_buf_t *ngx_http_amt_status_dump(ngx_http_request_t *r,
    json_t *root);


ngx_int_t
ngx_http_amt_status_handler(ngx_http_request_t *r)
{
    json_t                   *root;
    ngx_int_t                 rc;
    ngx_buf_t                *b;
    ngx_chain_t               out;
    ngx_http_amt_loc_conf_t  *alcf;

    if (!(r->method & (NGX_HTTP_GET|NGX_HTTP_HEAD))) {
        return NGX_HTTP_NOT_ALLOWED;
    }

    rc = ngx_http_discard_request_body(r);

    if (rc != NGX_OK) {
        return rc;
    }

    alcf = ngx_http_get_module_loc_conf(r, ngx_http_amt_module);

    root = ngx_http_amt_status_json();
    if (root == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (alcf->status == NGX_HTTP_AMT_STATUS_TEXT) {
        ngx_str_set(&r->headers_out.content_type, "text/plain");
        b = ngx_http_amt_status_text(r, root);

    } else {
        ngx_str_set(&r->headers_out.content_type, "application/json");
        b = ngx_http_amt_status_dump(r, root);
    }

    json_decref(root);

    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    r->headers_out.content_type_len = r->headers_out.content_type.len;
    r->headers_out.content_type_lowcase = NULL;
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = b->last - b->pos;

    rc = ngx_http_send_header(r);

    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) {
        return rc;
    }

    b->last_buf = (r == r->main) ? 1 : 0;
    b->last_in_chain = 1;

    out.buf = b;
    out.next = NULL;

    return ngx_http_output_filter(r, &out);
}


static json_t *
ngx_http_amt_status_json(void)
{
    json_t                 *root;
    ngx_uint_t              running, line;
    ngx_amt_flow_stats_t    flows;
    ngx_amt_call_stats_t    calls;
    ngx_http_amt_status_t   status;

    ngx_amt_flow_stats(&flows);
    ngx_amt_call_stats(&calls);
    ngx_amt_vault_stats(&running, &line);

    status.list = json_array();
    status.n = 0;
    status.failed = (status.list == NULL);

    ngx_amt_flow_each(ngx_http_amt_status_flow, &status);

    if (status.failed) {
        json_decref(status.list);
        return NULL;
    }

    root = json_pack("{s:I,s:b,"
                     "s:{s:I,s:I,s:I,s:I,s:I,s:I,s:I},"
                     "s:{s:I,s:I,s:I},"
                     "s:{s:I,s:I},"
                     "s:o?,s:o?,s:o}",
                     "worker", (json_int_t) ngx_pid,
                     "exiting", ngx_exiting ? 1 : 0,
                     "flows",
                     "live", (json_int_t) flows.live,
                     "created", (json_int_t) flows.created,
                     "failed", (json_int_t) flows.failed,
                     "cancelled", (json_int_t) flows.cancelled,
                     "overdue", (json_int_t) flows.budget,
                     "tasks", (json_int_t) flows.tasks,
                     "orphans", (json_int_t) flows.orphans,
                     "calls",
                     "active", (json_int_t) calls.active,
                     "started", (json_int_t) calls.started,
                     "unanswered", (json_int_t) calls.unanswered,
                     "vault",
                     "running", (json_int_t) running,
                     "waiting", (json_int_t) line,
                     "relay", ngx_amt_relay_counters(),
                     "websockets", ngx_http_amt_status_ws(),
                     "list", status.list);

    if (root && ngx_http_amt_status_events(root) != NGX_OK) {
        json_decref(root);
        return NULL;
    }

    return root;
}


/* Open and accepted ones, and who ended them, of this worker */

static json_t *
ngx_http_amt_status_ws(void)
{
    char                 name[32];
    json_t              *ws;
    ngx_uint_t           i;
    ngx_amt_ws_stats_t   stats;

    ngx_amt_ws_stats(&stats);

    ws = json_pack("{s:I,s:I}", "live", (json_int_t) stats.live,
                   "accepted", (json_int_t) stats.accepted);

    for (i = NGX_AMT_WS_END_OWNER; i <= NGX_AMT_WS_END_INTERNAL; i++) {
        *ngx_snprintf((u_char *) name, sizeof(name) - 1, "ended_%s",
                      ngx_amt_ws_end_name(i))
            = '\0';

        /* a NULL object is refused, too */

        if (json_object_set_new(ws, name, json_integer(stats.ended[i])) != 0)
        {
            json_decref(ws);
            return NULL;
        }
    }

    return ws;
}


/* "mqtt" of this worker, "webhooks" of all, as far as they are configured */

static ngx_int_t
ngx_http_amt_status_events(json_t *root)
{
    json_t                   *list;
    ngx_uint_t                i;
    ngx_amt_mqtt_stats_t      mqtt;
    ngx_amt_webhook_stats_t   hook;

    if (ngx_amt_mqtt_stats(&mqtt) == NGX_OK
        && json_object_set_new(root, "mqtt",
                               json_pack("{s:I,s:I,s:I,s:I,s:I}",
                                         "connected",
                                         (json_int_t) mqtt.connected,
                                         "queued", (json_int_t) mqtt.queued,
                                         "published",
                                         (json_int_t) mqtt.published,
                                         "dropped", (json_int_t) mqtt.dropped,
                                         "connects",
                                         (json_int_t) mqtt.connects))
           != 0)
    {
        return NGX_ERROR;
    }

    if (ngx_amt_webhook_stats(0, &hook) != NGX_OK) {
        return NGX_OK;
    }

    list = json_array();

    for (i = 0; ngx_amt_webhook_stats(i, &hook) == NGX_OK; i++) {

        if (json_array_append_new(list,
                                  json_pack("{s:s%,s:I,s:I,s:I,s:I,s:I,s:b}",
                                            "to", (char *) hook.name->data,
                                            hook.name->len,
                                            "queued",
                                            (json_int_t) hook.queued,
                                            "delivered",
                                            (json_int_t) hook.delivered,
                                            "failures",
                                            (json_int_t) hook.failures,
                                            "dropped",
                                            (json_int_t) hook.dropped,
                                            "refused",
                                            (json_int_t) hook.refused,
                                            "gone", (int) hook.gone))
            != 0)
        {
            json_decref(list);
            return NGX_ERROR;
        }
    }

    return json_object_set_new(root, "webhooks", list) == 0 ? NGX_OK
                                                            : NGX_ERROR;
}


static void
ngx_http_amt_status_flow(void *data, ngx_amt_flow_info_t *info)
{
    ngx_http_amt_status_t *status = data;

    json_t  *flow;

    if (status->n++ >= NGX_HTTP_AMT_STATUS_FLOWS || status->failed) {
        return;
    }

    flow = json_pack("{s:s,s:s%,s:s?,s:f,s:f,s:f,s:b,s:b}",
                     "name", info->name,
                     "stack", (char *) info->stack.data, info->stack.len,
                     "waiting_for", info->what,
                     "waiting", (double) info->waiting / 1000,
                     "age", (double) info->age / 1000,
                     "left", (double) info->left / 1000,
                     "shielded", info->shielded,
                     "cancelled", info->cancelled);

    if (flow == NULL || json_array_append_new(status->list, flow) != 0) {
        status->failed = 1;
    }
}


static ngx_buf_t *
ngx_http_amt_status_dump(ngx_http_request_t *r, json_t *root)
{
    size_t      len;
    ngx_buf_t  *b;

    len = json_dumpb(root, NULL, 0, JSON_COMPACT|JSON_REAL_PRECISION(6));

    if (len == 0) {
        return NULL;
    }

    b = ngx_create_temp_buf(r->pool, len);
    if (b == NULL) {
        return NULL;
    }

    (void) json_dumpb(root, (char *) b->pos, len,
                      JSON_COMPACT|JSON_REAL_PRECISION(6));
    b->last = b->pos + len;

    return b;
}


/* One line of counters per kind, then one line per flow. */

static ngx_buf_t *
ngx_http_amt_status_text(ngx_http_request_t *r, json_t *root)
{
    void        *iter;
    size_t       i, size;
    json_t      *list, *hooks, *kind, *flow;
    ngx_buf_t   *b;
    const char  *what, *name;

    static const char  *kinds[] = { "flows", "calls", "vault", "relay",
                                    "websockets", "mqtt" };

    list = json_object_get(root, "list");
    hooks = json_object_get(root, "webhooks");

    size = 2048 + 512 * json_array_size(hooks);

    for (i = 0; i < json_array_size(list); i++) {
        flow = json_array_get(list, i);
        size += 256 + json_string_length(json_object_get(flow, "stack"));
    }

    b = ngx_create_temp_buf(r->pool, size);
    if (b == NULL) {
        return NULL;
    }

    b->last = ngx_slprintf(b->last, b->end, "worker %P\n", ngx_pid);

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        kind = json_object_get(root, kinds[i]);

        if (kind == NULL) {
            continue;
        }

        b->last = ngx_slprintf(b->last, b->end, "%s", kinds[i]);

        for (iter = json_object_iter(kind);
             iter;
             iter = json_object_iter_next(kind, iter))
        {
            name = json_object_iter_key(iter);

            b->last = ngx_slprintf(b->last, b->end, " %s=%L", name,
                          (int64_t) json_integer_value(
                                              json_object_iter_value(iter)));
        }

        b->last = ngx_slprintf(b->last, b->end, "\n");
    }

    for (i = 0; i < json_array_size(hooks); i++) {
        kind = json_array_get(hooks, i);

        b->last = ngx_slprintf(b->last, b->end,
                      "webhook %s queued=%L delivered=%L failures=%L "
                      "dropped=%L refused=%L%s\n",
                      json_string_value(json_object_get(kind, "to")),
                      (int64_t) json_integer_value(
                                            json_object_get(kind, "queued")),
                      (int64_t) json_integer_value(
                                         json_object_get(kind, "delivered")),
                      (int64_t) json_integer_value(
                                          json_object_get(kind, "failures")),
                      (int64_t) json_integer_value(
                                           json_object_get(kind, "dropped")),
                      (int64_t) json_integer_value(
                                           json_object_get(kind, "refused")),
                      json_is_true(json_object_get(kind, "gone"))
                      ? " gone" : "");
    }

    for (i = 0; i < json_array_size(list); i++) {
        flow = json_array_get(list, i);
        what = json_string_value(json_object_get(flow, "waiting_for"));

        b->last = ngx_slprintf(b->last, b->end,
                   "%s waiting for %s %.1fs age %.1fs%s%s\n",
                   json_string_value(json_object_get(flow, "stack")),
                   what ? what : "its turn",
                   json_real_value(json_object_get(flow, "waiting")),
                   json_real_value(json_object_get(flow, "age")),
                   json_is_true(json_object_get(flow, "shielded"))
                   ? " shielded" : "",
                   json_is_true(json_object_get(flow, "cancelled"))
                   ? " cancelled" : "");
    }

    return b;
}
