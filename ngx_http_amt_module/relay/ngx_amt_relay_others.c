
/*
 * Asking workers that have another registry; see ngx_amt_relay_others.h.
 */


#include "relay/ngx_amt_relay_others.h"
#include "device/ngx_amt_tunnel.h"


#define NGX_AMT_RELAY_OTHERS          256
#define NGX_AMT_RELAY_OTHERS_TIMEOUT  1000   /* ms; they answer at once */


typedef struct {
    ngx_amt_frame_t          frame;
    ngx_cira_other_t        *others;
    ngx_uint_t               n;
    ngx_uint_t               i;
    ngx_uint_t               found;
    ngx_str_t                head;
    ngx_amt_tunnel_t         tunnel;
    ngx_amt_http_response_t  res;
    u_char                   buf[128];
} ngx_amt_relay_others_t;


static ngx_uint_t ngx_amt_relay_others_list(ngx_amt_relay_zone_t *zone);
static ngx_int_t ngx_amt_relay_others_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_relay_others_drop(void *data);


static ngx_cira_other_t  ngx_amt_relay_others_buf[NGX_AMT_RELAY_OTHERS];


ngx_int_t
ngx_amt_relay_others(ngx_amt_flow_t *f, ngx_amt_relay_zone_t *zone,
    const u_char *guid, ngx_amt_redir_kind_e kind, ngx_uint_t end)
{
    u_char                   text[NGX_CIRA_GUID_TEXT];
    ngx_uint_t               n;
    ngx_amt_relay_others_t  *v;

    n = ngx_amt_relay_others_list(zone);

    if (n == 0) {
        return NGX_DECLINED;
    }

    v = ngx_amt_frame_alloc(f, "relay_others", sizeof(ngx_amt_relay_others_t),
                            ngx_amt_relay_others_body,
                            ngx_amt_relay_others_drop);
    if (v == NULL) {
        return NGX_ERROR;
    }

    ngx_amt_tunnel_init(&v->tunnel, f->log);

    v->n = n;
    v->others = ngx_palloc(f->pool, n * sizeof(ngx_cira_other_t));

    if (v->others) {
        ngx_memcpy(v->others, ngx_amt_relay_others_buf,
                   n * sizeof(ngx_cira_other_t));
    }

    (void) ngx_cira_guid_text(text, guid);

    v->head.data = v->buf;
    v->head.len = ngx_snprintf(v->buf, sizeof(v->buf),
                               "ASK %*s:%uL HTTP/1.1" CRLF CRLF,
                               (size_t) NGX_CIRA_GUID_TEXT, text,
                               NGX_AMT_RELAY_ASK(kind, end))
                  - v->buf;

    return ngx_amt_call(f, v);
}


/* Nearly always none: all workers have the same zone. */

static ngx_uint_t
ngx_amt_relay_others_list(ngx_amt_relay_zone_t *zone)
{
    ngx_uint_t         i, n, all;
    ngx_cira_api_t    *api;
    ngx_cira_other_t  *others;

    api = ngx_cira_api_find((ngx_cycle_t *) ngx_cycle);

    if (api == NULL) {
        return 0;
    }

    others = ngx_amt_relay_others_buf;
    all = api->others(others, NGX_AMT_RELAY_OTHERS);

    for (i = 0, n = 0; i < all; i++) {
        if (!ngx_amt_relay_zone_has(zone, others[i].id)) {
            others[n++] = others[i];
        }
    }

    return n;
}


static ngx_int_t
ngx_amt_relay_others_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_relay_others_t *v = data;

    ngx_amt_begin(f, v);

    if (v->others == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    for (v->i = 0; v->i < v->n; v->i++) {

        ngx_amt_await_rc(f, v,
                         ngx_amt_tunnel_ask(f, &v->tunnel,
                                            v->others[v->i].socket, &v->head,
                                            NGX_AMT_RELAY_OTHERS_TIMEOUT,
                                            f->pool, &v->res));

        if (v->frame.rc == NGX_OK) {
            v->found = 1;

        } else if (!v->tunnel.gone) {
            ngx_log_error(NGX_LOG_ERR, f->log, 0,
                          "worker %016xL did not say what redirection "
                          "sessions it has: %s", v->others[v->i].id,
                          v->tunnel.text);
        }

        ngx_amt_tunnel_close(&v->tunnel);
    }

    return v->found ? NGX_OK : NGX_DECLINED;
}


static void
ngx_amt_relay_others_drop(void *data)
{
    ngx_amt_relay_others_t *v = data;

    ngx_amt_tunnel_close(&v->tunnel);
}
