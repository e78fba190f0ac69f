
/*
 * Channels of this worker's devices, without a socket between; see
 * ngx_amt_relay_link.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "relay/ngx_amt_relay_link.h"


static void ngx_amt_relay_direct_opened(ngx_cira_dial_t *d,
    ngx_cira_dial_rc_e rc, ngx_uint_t reason);
static size_t ngx_amt_relay_direct_received(ngx_cira_dial_t *d, u_char *p,
    size_t size);
static void ngx_amt_relay_direct_writable(ngx_cira_dial_t *d);
static void ngx_amt_relay_direct_closed(ngx_cira_dial_t *d, char *text);


ngx_int_t
ngx_amt_relay_direct_dial(ngx_amt_relay_link_t *link, ngx_cira_info_t *info,
    ngx_uint_t port)
{
    ngx_cira_api_t   *api;
    ngx_cira_dial_t  *d;

    api = ngx_cira_api_find((ngx_cycle_t *) ngx_cycle);

    if (api == NULL) {
        return NGX_AGAIN;
    }

    d = &link->dial;

    ngx_memzero(d, sizeof(ngx_cira_dial_t));

    d->port = port;
    d->log = link->log;
    d->data = link;
    d->opened = ngx_amt_relay_direct_opened;
    d->received = ngx_amt_relay_direct_received;
    d->writable = ngx_amt_relay_direct_writable;
    d->closed = ngx_amt_relay_direct_closed;

    switch (api->dial(info, d)) {

    case NGX_OK:
        link->api = api;
        return NGX_OK;

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_BUSY:
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_BUSY,
                                       "device has no free channel");

    case NGX_DECLINED:
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_REFUSED,
                                       "device does not forward the port");

    default: /* NGX_DONE */
        link->gone = 1;
        return ngx_amt_relay_link_fail(link, NGX_AMT_ERR_NOT_CONNECTED,
                                       "device is not connected");
    }
}


static void
ngx_amt_relay_direct_opened(ngx_cira_dial_t *d, ngx_cira_dial_rc_e rc,
    ngx_uint_t reason)
{
    ngx_int_t              result;
    ngx_amt_relay_link_t  *link;

    link = d->data;
    result = NGX_OK;

    switch (rc) {

    case NGX_CIRA_DIAL_OK:
        break;

    case NGX_CIRA_DIAL_REFUSED:
        result = ngx_amt_relay_link_fail(link, NGX_AMT_ERR_REFUSED,
                                         "device refused the channel");
        break;

    case NGX_CIRA_DIAL_BUSY:
        result = ngx_amt_relay_link_fail(link, NGX_AMT_ERR_BUSY,
                                         "device has no free channel");
        break;

    case NGX_CIRA_DIAL_TIMEOUT:
        result = ngx_amt_relay_link_fail(link, NGX_AMT_ERR_TIMEOUT,
                                    "device did not open the channel in time");
        break;

    default: /* NGX_CIRA_DIAL_LOST */
        link->gone = 1;
        result = ngx_amt_relay_link_fail(link, NGX_AMT_ERR_NOT_CONNECTED,
                                         "device is not connected");
    }

    ngx_amt_relay_link_wake(link, result);
}


/* What comes before the link is open is kept by the channel. */

static size_t
ngx_amt_relay_direct_received(ngx_cira_dial_t *d, u_char *p, size_t size)
{
    ngx_amt_relay_link_t  *link;

    link = d->data;

    return link->handlers ? link->handlers->input(link->data, p, size) : 0;
}


static void
ngx_amt_relay_direct_writable(ngx_cira_dial_t *d)
{
    ngx_amt_relay_link_t  *link;

    link = d->data;

    if (link->handlers) {
        link->handlers->ready(link->data, 1);
    }
}


static void
ngx_amt_relay_direct_closed(ngx_cira_dial_t *d, char *text)
{
    ngx_amt_relay_link_t  *link;

    link = d->data;

    if (link->handlers) {
        link->handlers->closed(link->data);
        return;
    }

    link->ended = 1;
}
