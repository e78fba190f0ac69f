
/*
 * State of the relay; see ngx_amt_relay_status.h.
 */


#include "relay/ngx_amt_relay_others.h"
#include "relay/ngx_amt_relay_status.h"


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_relay_zone_t   *zone;
    const u_char           *guid;
    ngx_amt_relay_open_t   *open;
    ngx_amt_redir_kind_e    kind;
} ngx_amt_relay_status_t;


static ngx_int_t ngx_amt_relay_open_body(ngx_amt_flow_t *f, void *data);
static ngx_amt_relay_zone_t *ngx_amt_relay_status_zone(void);


static ngx_amt_relay_zone_t *
ngx_amt_relay_status_zone(void)
{
    ngx_http_amt_relay_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                              ngx_http_amt_relay_module);

    return mcf ? mcf->zone : NULL;
}


ngx_int_t
ngx_amt_relay_open(ngx_amt_flow_t *f, const u_char *guid,
    ngx_amt_relay_open_t *open)
{
    ngx_amt_relay_zone_t    *zone;
    ngx_amt_relay_status_t  *v;

    ngx_memzero(open, sizeof(ngx_amt_relay_open_t));

    zone = ngx_amt_relay_status_zone();

    if (zone == NULL) {
        return NGX_OK;
    }

    v = ngx_amt_frame_alloc(f, "relay_open", sizeof(ngx_amt_relay_status_t),
                            ngx_amt_relay_open_body, NULL);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->zone = zone;
    v->guid = guid;
    v->open = open;

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_relay_open_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_relay_status_t *v = data;

    ngx_amt_begin(f, v);

    for (v->kind = NGX_AMT_REDIR_NONE + 1;
         v->kind < NGX_AMT_REDIR_KINDS;
         v->kind++)
    {
        if (ngx_amt_relay_zone_busy(v->zone, v->guid, v->kind)) {
            v->open->kind[v->kind] = 1;
            continue;
        }

        ngx_amt_await_rc(f, v, ngx_amt_relay_others(f, v->zone, v->guid,
                                                    v->kind, 0));

        if (v->frame.rc == NGX_ERROR) {
            return NGX_ERROR;
        }

        v->open->kind[v->kind] = (v->frame.rc == NGX_OK);
    }

    ngx_amt_end(f, v);
}


json_t *
ngx_amt_relay_counters(void)
{
    u_char                     name[64];
    json_t                    *root;
    ngx_uint_t                 i, started, live[NGX_AMT_REDIR_KINDS];
    ngx_amt_relay_zone_t      *zone;
    ngx_amt_relay_counters_t  *c;

    zone = ngx_amt_relay_status_zone();

    if (zone == NULL) {
        return json_object();
    }

    ngx_amt_relay_zone_live(zone, live);

    c = ngx_amt_relay_zone_counters(zone);

    for (i = 0, started = 0; i < NGX_AMT_REDIR_KINDS; i++) {
        started += c->started[i];
    }

    root = json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
                     "kvm", (json_int_t) live[NGX_AMT_REDIR_KVM],
                     "sol", (json_int_t) live[NGX_AMT_REDIR_SOL],
                     "ider", (json_int_t) live[NGX_AMT_REDIR_IDER],
                     "started", (json_int_t) started,
                     "refused", (json_int_t) c->refused,
                     "up", (json_int_t) c->up,
                     "down", (json_int_t) c->down);

    for (i = NGX_AMT_RELAY_OPEN + 1; root && i < NGX_AMT_RELAY_ENDS; i++) {

        (void) ngx_snprintf(name, sizeof(name), "ended_%s%Z",
                            ngx_amt_relay_end_name(i));

        if (json_object_set_new(root, (char *) name,
                                json_integer((json_int_t) c->ended[i]))
            != 0)
        {
            json_decref(root);
            return NULL;
        }
    }

    return root;
}
