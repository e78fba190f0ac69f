
/*
 * Look-ups of names.  See ngx_amt_event_name.h.
 */


#include "events/ngx_amt_event_name.h"


static void ngx_amt_event_name_done(ngx_resolver_ctx_t *ctx);


ngx_uint_t
ngx_amt_event_name_usable(ngx_resolver_t *resolver)
{
    return resolver && resolver->connections.nelts;
}


void
ngx_amt_event_name_resolve(ngx_amt_event_name_t *n, ngx_resolver_t *resolver,
    ngx_str_t *name, ngx_msec_t timeout)
{
    ngx_resolver_ctx_t  *ctx;

    ctx = ngx_resolve_start(resolver, NULL);

    if (ctx == NULL || ctx == NGX_NO_RESOLVER) {
        n->handler(n->data, NULL, "no resolver");
        return;
    }

    ctx->name = *name;
    ctx->handler = ngx_amt_event_name_done;
    ctx->data = n;
    ctx->timeout = timeout;

    n->ctx = ctx;

    if (ngx_resolve_name(ctx) != NGX_OK) {
        n->ctx = NULL;
        n->handler(n->data, NULL, "the resolver failed");
    }
}


void
ngx_amt_event_name_cancel(ngx_amt_event_name_t *n)
{
    if (n->ctx) {
        ngx_resolve_name_done(n->ctx);
        n->ctx = NULL;
    }
}


static void
ngx_amt_event_name_done(ngx_resolver_ctx_t *ctx)
{
    u_char                 text[NGX_SOCKADDR_STRLEN];
    ngx_str_t              addr;
    ngx_int_t              state;
    ngx_resolver_addr_t   *a;
    ngx_amt_event_name_t  *n;

    n = ctx->data;
    n->ctx = NULL;

    state = ctx->state;

    if (state == NGX_OK && ctx->naddrs) {
        a = &ctx->addrs[ngx_random() % ctx->naddrs];

        addr.data = text;
        addr.len = ngx_sock_ntop(a->sockaddr, a->socklen, text,
                                 NGX_SOCKADDR_STRLEN, 0);

        ngx_resolve_name_done(ctx);

        n->handler(n->data, &addr, NULL);
        return;
    }

    ngx_resolve_name_done(ctx);

    n->handler(n->data, NULL, ngx_resolver_strerror(state));
}
