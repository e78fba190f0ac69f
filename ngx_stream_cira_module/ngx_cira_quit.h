
/*
 * Being told that a worker quits, for both planes.  nginx tells no module: a
 * connection that is idle, with a descriptor that is none, has its read
 * handler called then; njs does the same.
 */


#ifndef _NGX_CIRA_QUIT_H_INCLUDED_
#define _NGX_CIRA_QUIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>


static ngx_inline void
ngx_cira_quit_empty(ngx_event_t *ev)
{
}


/*
 * For init_process: handler is called, with the connection as ev->data, when
 * the worker quits gracefully, and again when worker_shutdown_timeout is over.
 * exit_process gives the hook to ngx_cira_quit_unhook().  NULL: no connection
 * is free.
 */

static ngx_inline ngx_connection_t *
ngx_cira_quit_hook(ngx_cycle_t *cycle, ngx_event_handler_pt handler)
{
    ngx_connection_t  *c, *saved;

    /* events that index connections by descriptor must not see this one */

    saved = ngx_cycle->files ? ngx_cycle->files[0] : NULL;

    c = ngx_get_connection(0, cycle->log);

    if (ngx_cycle->files) {
        ngx_cycle->files[0] = saved;
    }

    if (c == NULL) {
        return NULL;
    }

    c->fd = (ngx_socket_t) -2;
    c->idle = 1;
    c->log = cycle->log;
    c->read->log = cycle->log;
    c->write->log = cycle->log;
    c->read->handler = handler;
    c->write->handler = ngx_cira_quit_empty;

    return c;
}


/* NULL is fine. */

static ngx_inline void
ngx_cira_quit_unhook(ngx_connection_t *c)
{
    if (c) {

        /* else it counts as an open socket that was left */
        c->fd = (ngx_socket_t) -1;

        ngx_free_connection(c);
    }
}


/*
 * The time, ms, that connections may take to end: time, and at most 90 % of
 * worker_shutdown_timeout, after which nginx itself closes all there is in
 * one loop.
 */

static ngx_inline ngx_msec_t
ngx_cira_quit_time(ngx_cycle_t *cycle, ngx_msec_t time)
{
    ngx_core_conf_t  *ccf;

    ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);

    if (ccf->shutdown_timeout && time > ccf->shutdown_timeout / 10 * 9) {
        time = ccf->shutdown_timeout / 10 * 9;
    }

    return time;
}


#endif /* _NGX_CIRA_QUIT_H_INCLUDED_ */
