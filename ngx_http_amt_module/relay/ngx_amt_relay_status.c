
/*
 * State of the relay; see ngx_amt_relay_status.h.
 */


#include "relay/ngx_amt_relay.h"
#include "relay/ngx_amt_relay_status.h"


static ngx_amt_relay_zone_t *ngx_amt_relay_status_zone(void);


static ngx_amt_relay_zone_t *
ngx_amt_relay_status_zone(void)
{
    ngx_http_amt_relay_main_conf_t  *mcf;

    mcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                              ngx_http_amt_relay_module);

    return mcf ? mcf->zone : NULL;
}


void
ngx_amt_relay_open(const u_char *guid, ngx_amt_relay_open_t *open)
{
    ngx_amt_relay_zone_t  *zone;

    ngx_memzero(open, sizeof(ngx_amt_relay_open_t));

    zone = ngx_amt_relay_status_zone();

    if (zone) {
        open->kvm = ngx_amt_relay_zone_busy(zone, guid, NGX_AMT_REDIR_KVM);
        open->sol = ngx_amt_relay_zone_busy(zone, guid, NGX_AMT_REDIR_SOL);
        open->ider = ngx_amt_relay_zone_busy(zone, guid, NGX_AMT_REDIR_IDER);
    }
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
