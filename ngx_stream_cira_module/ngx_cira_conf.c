
/* Configuration the stream modules have in common, see ngx_cira_conf.h. */


#include "ngx_cira_conf.h"


static char *ngx_cira_conf_check_positive(ngx_conf_t *cf, void *post,
    void *data);


ngx_conf_post_t  ngx_cira_conf_positive = { ngx_cira_conf_check_positive };


static char *
ngx_cira_conf_check_positive(ngx_conf_t *cf, void *post, void *data)
{
    ngx_msec_t  *time = data;

    return *time ? NGX_CONF_OK : "must not be 0";
}


ngx_int_t
ngx_cira_conf_listens(ngx_conf_t *cf, ngx_cira_conf_listen_pt handler)
{
    ngx_uint_t                    i;
    ngx_cira_conf_listen_t        listen;
    ngx_stream_core_main_conf_t  *cmcf;
#if (nginx_version >= 1025005)
    ngx_uint_t                    k, n;
    ngx_stream_conf_port_t       *port;
    ngx_stream_conf_addr_t       *addr;
    ngx_stream_core_srv_conf_t  **server;
#else
    ngx_stream_listen_t          *ls;
#endif

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);

#if (nginx_version >= 1025005)

    if (cmcf->ports == NULL) {
        return NGX_OK;
    }

    port = cmcf->ports->elts;

    for (i = 0; i < cmcf->ports->nelts; i++) {
        addr = port[i].addrs.elts;

        for (k = 0; k < port[i].addrs.nelts; k++) {
            server = addr[k].servers.elts;

            listen.sockaddr = addr[k].opt.sockaddr;
            listen.addr = &addr[k].opt.addr_text;
            listen.type = addr[k].opt.type;
            listen.ssl = addr[k].opt.ssl;

            for (n = 0; n < addr[k].servers.nelts; n++) {
                listen.ctx = server[n]->ctx;

                if (handler(cf, &listen) != NGX_OK) {
                    return NGX_ERROR;
                }
            }
        }
    }

#else

    ls = cmcf->listen.elts;

    for (i = 0; i < cmcf->listen.nelts; i++) {
        listen.ctx = ls[i].ctx;
        listen.sockaddr = ls[i].sockaddr;
        listen.addr = &ls[i].addr_text;
        listen.type = ls[i].type;
        listen.ssl = ls[i].ssl;

        if (handler(cf, &listen) != NGX_OK) {
            return NGX_ERROR;
        }
    }

#endif

    return NGX_OK;
}


ngx_int_t
ngx_cira_conf_variables(ngx_conf_t *cf, ngx_stream_variable_t *vars)
{
    ngx_stream_variable_t  *var, *v;

    for (v = vars; v->name.len; v++) {

        var = ngx_stream_add_variable(cf, &v->name, v->flags);
        if (var == NULL) {
            return NGX_ERROR;
        }

        var->get_handler = v->get_handler;
        var->data = v->data;
    }

    return NGX_OK;
}


ngx_int_t
ngx_cira_conf_value(ngx_stream_variable_value_t *v, u_char *data, size_t len)
{
    if (len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }

    v->data = data;
    v->len = len;
    v->valid = 1;
    v->no_cacheable = 0;
    v->not_found = 0;

    return NGX_OK;
}
