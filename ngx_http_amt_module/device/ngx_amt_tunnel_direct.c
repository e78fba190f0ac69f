
/*
 * The way to a device of this worker: a channel of its session, without a
 * socket between.  See ngx_amt_tunnel.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include "device/ngx_amt_tunnel_priv.h"


static void ngx_amt_tunnel_opened(ngx_cira_dial_t *d, ngx_cira_dial_rc_e rc,
    ngx_uint_t reason);
static ngx_int_t ngx_amt_tunnel_open(ngx_amt_tunnel_t *t);
static size_t ngx_amt_tunnel_received(ngx_cira_dial_t *d, u_char *p,
    size_t size);
static void ngx_amt_tunnel_writable(ngx_cira_dial_t *d);
static void ngx_amt_tunnel_closed(ngx_cira_dial_t *d, char *text);


ngx_int_t
ngx_amt_tunnel_direct_dial(ngx_amt_tunnel_t *t, ngx_cira_info_t *info,
    ngx_uint_t fresh)
{
    ngx_cira_api_t   *api;
    ngx_cira_dial_t  *d;

    api = ngx_cira_api_find((ngx_cycle_t *) ngx_cycle);

    if (api == NULL) {
        return NGX_AGAIN;
    }

    d = &t->dial;

    ngx_memzero(d, sizeof(ngx_cira_dial_t));

    d->port = NGX_AMT_TUNNEL_PORT;
    d->log = t->log;
    d->data = t;
    d->slot = 1;
    d->fresh = fresh ? 1 : 0;
    d->poolable = 1;
    d->opened = ngx_amt_tunnel_opened;
    d->received = ngx_amt_tunnel_received;
    d->writable = ngx_amt_tunnel_writable;
    d->closed = ngx_amt_tunnel_closed;

    switch (api->dial(info, d)) {

    case NGX_OK:
        t->api = api;
        t->dirty = 0;
        return NGX_OK;

    case NGX_AGAIN:
        return NGX_AGAIN;

    case NGX_BUSY:
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_BUSY,
                                   "too many calls wait for the device");

    case NGX_DECLINED:
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_REFUSED,
                                   "device does not forward the port");

    default: /* NGX_DONE */
        t->gone = 1;
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_NOT_CONNECTED,
                                   "device is not connected");
    }
}


ngx_int_t
ngx_amt_tunnel_direct_redial(ngx_amt_tunnel_t *t)
{
    if (t->api->redial(&t->dial) == NGX_OK) {
        t->open = 0;
        t->dirty = 0;

        return NGX_OK;
    }

    t->api = NULL;
    t->open = 0;

    return NGX_AGAIN;
}


static void
ngx_amt_tunnel_opened(ngx_cira_dial_t *d, ngx_cira_dial_rc_e rc,
    ngx_uint_t reason)
{
    ngx_int_t          result;
    ngx_amt_tunnel_t  *t;

    t = d->data;

    switch (rc) {

    case NGX_CIRA_DIAL_OK:
        result = ngx_amt_tunnel_open(t);
        break;

    case NGX_CIRA_DIAL_REFUSED:
        result = ngx_amt_tunnel_fail(t, NGX_AMT_ERR_REFUSED,
                                     "device refused the channel");
        break;

    case NGX_CIRA_DIAL_BUSY:
        result = ngx_amt_tunnel_fail(t, NGX_AMT_ERR_BUSY,
                                     "device has no free channel");
        break;

    case NGX_CIRA_DIAL_TIMEOUT:
        result = ngx_amt_tunnel_fail(t, NGX_AMT_ERR_TIMEOUT,
                                     "device did not open the channel in "
                                     "time");
        break;

    default: /* NGX_CIRA_DIAL_LOST */
        t->gone = 1;
        result = ngx_amt_tunnel_fail(t, NGX_AMT_ERR_NOT_CONNECTED,
                                     "device is not connected");
    }

    ngx_amt_tunnel_wake(t, result);
}


static ngx_int_t
ngx_amt_tunnel_open(ngx_amt_tunnel_t *t)
{
    size_t      len;
    u_char      buf[NGX_CIRA_STATE_MAX];
    ngx_str_t  *state;

    t->open = 1;
    t->reused = t->dial.reused;
    t->kept = t->dial.kept;
    ngx_amt_tunnel_close_before(t);

    len = t->api->state(&t->dial, buf);

    if (len == 0) {
        return NGX_OK;
    }

    state = &t->res->cira_state;

    state->data = ngx_pnalloc(t->res->pool, len);
    if (state->data == NULL) {
        ngx_explicit_memzero(buf, len);
        return ngx_amt_tunnel_fail(t, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    state->len = len;
    ngx_memcpy(state->data, buf, len);
    ngx_explicit_memzero(buf, len);

    return NGX_OK;
}


/* All is taken: an answer is limited by its reader, anything else is none. */

static size_t
ngx_amt_tunnel_received(ngx_cira_dial_t *d, u_char *p, size_t size)
{
    u_char            *last;
    ngx_int_t          rc;
    ngx_amt_tunnel_t  *t;

    t = d->data;

    if (t->seq == 0) {
        t->dirty = 1;
        return size;
    }

    last = p + size;

    rc = ngx_amt_http_parse(t->res, &p, last);

    if (rc != NGX_AGAIN) {
        rc = ngx_amt_tunnel_answer(t, rc, p != last);
        ngx_amt_tunnel_wake(t, rc);
    }

    return size;
}


static void
ngx_amt_tunnel_writable(ngx_cira_dial_t *d)
{
    ngx_amt_tunnel_direct_send(d->data);
}


/* writable() follows when not all was taken. */

void
ngx_amt_tunnel_direct_send(ngx_amt_tunnel_t *t)
{
    if (t->open && t->out < t->out_last) {
        t->out += t->api->send(&t->dial, t->out, t->out_last - t->out);
    }
}


static void
ngx_amt_tunnel_closed(ngx_cira_dial_t *d, char *text)
{
    ngx_int_t          rc;
    ngx_amt_tunnel_t  *t;

    t = d->data;
    t->open = 0;

    if (t->seq == 0) {

        /* between two exchanges: the slot is ours still, for the next one */

        ngx_amt_tunnel_end(t);
        return;
    }

    rc = ngx_amt_http_eof(t->res);

    t->res->keepalive = 0;

    rc = ngx_amt_tunnel_answer(t, rc == NGX_OK ? rc : NGX_DONE, 0);
    ngx_amt_tunnel_wake(t, rc);
}


void
ngx_amt_tunnel_direct_release(ngx_amt_tunnel_t *t, ngx_str_t *state,
    ngx_uint_t idle)
{
    if (!idle) {
        t->dial.poolable = 0;
    }

    t->api->release(&t->dial, state);
    t->api = NULL;
    t->open = 0;
}


void
ngx_amt_tunnel_direct_close(ngx_amt_tunnel_t *t)
{
    if (t->api) {
        t->api->close(&t->dial);
        t->api = NULL;
        t->open = 0;
    }
}
