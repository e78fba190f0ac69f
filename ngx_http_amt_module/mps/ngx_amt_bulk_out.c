
/*
 * Lines of a bulk call on their way to the client; see ngx_amt_bulk.h.
 * Buffers are used again; a client that reads slowly stops the devices, not
 * the other way round.
 */


#include "mps/ngx_amt_bulk.h"
#include "mps/ngx_amt_reply.h"


#define NGX_AMT_BULK_BUF  8192


static void ngx_amt_bulk_writable(ngx_http_request_t *r);
static ngx_int_t ngx_amt_bulk_output(ngx_amt_bulk_t *bulk, ngx_chain_t *out);


ngx_int_t
ngx_amt_bulk_open(ngx_amt_bulk_t *bulk)
{
    ngx_http_request_t  *r;

    r = bulk->api->request;

    bulk->last = &bulk->out;

    if (r == NULL
        || ngx_amt_reply_stream(bulk->api, r, "application/x-ndjson")
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    ngx_http_set_ctx(r, bulk, ngx_http_amt_mps_module);

    r->write_event_handler = ngx_amt_bulk_writable;

    return NGX_OK;
}


ngx_int_t
ngx_amt_bulk_line(ngx_amt_bulk_t *bulk, u_char *p, size_t len)
{
    ngx_buf_t    *b;
    ngx_chain_t  *cl;

    b = bulk->buf;

    if (b == NULL || (size_t) (b->end - b->last) < len + 1) {

        cl = bulk->free;

        if (cl) {
            bulk->free = cl->next;
            b = cl->buf;
            b->pos = b->start;
            b->last = b->start;
            b->flush = 0;

        } else {
            cl = ngx_alloc_chain_link(bulk->api->pool);
            if (cl == NULL) {
                return NGX_ERROR;
            }

            b = ngx_create_temp_buf(bulk->api->pool, NGX_AMT_BULK_BUF);
            if (b == NULL) {
                return NGX_ERROR;
            }

            b->tag = (ngx_buf_tag_t) &ngx_http_amt_mps_module;
            cl->buf = b;
        }

        if ((size_t) (b->end - b->last) < len + 1) {
            return NGX_ERROR;
        }

        cl->next = NULL;
        *bulk->last = cl;
        bulk->last = &cl->next;
        bulk->buf = b;
    }

    b->last = ngx_cpymem(b->last, p, len);
    *b->last++ = LF;

    bulk->unsent += len + 1;

    return NGX_OK;
}


ngx_int_t
ngx_amt_bulk_flush(ngx_amt_bulk_t *bulk)
{
    ngx_chain_t  *out;

    if (bulk->out == NULL) {
        return bulk->unsent ? NGX_AGAIN : NGX_OK;
    }

    /* lines are for now, not for when a packet is full */

    bulk->buf->flush = 1;

    out = bulk->out;

    bulk->out = NULL;
    bulk->last = &bulk->out;
    bulk->buf = NULL;

    return ngx_amt_bulk_output(bulk, out);
}


static ngx_int_t
ngx_amt_bulk_output(ngx_amt_bulk_t *bulk, ngx_chain_t *out)
{
    ngx_int_t                  rc;
    ngx_chain_t               *cl;
    ngx_connection_t          *c;
    ngx_http_request_t        *r;
    ngx_http_core_loc_conf_t  *clcf;

    r = bulk->api->request;
    c = r->connection;

    rc = ngx_http_output_filter(r, out);

    ngx_chain_update_chains(bulk->api->pool, &bulk->free, &bulk->busy, &out,
                            (ngx_buf_tag_t) &ngx_http_amt_mps_module);

    if (rc == NGX_ERROR || c->error) {
        return NGX_ERROR;
    }

    bulk->unsent = 0;

    for (cl = bulk->busy; cl; cl = cl->next) {
        bulk->unsent += cl->buf->last - cl->buf->pos;
    }

    if (!r->buffered && !c->buffered) {

        if (c->write->timer_set && !c->write->delayed) {
            ngx_del_timer(c->write);
        }

        return NGX_OK;
    }

    clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (!c->write->delayed) {
        ngx_add_timer(c->write, clcf->send_timeout);
    }

    if (ngx_handle_write_event(c->write, clcf->send_lowat) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_AGAIN;
}


static void
ngx_amt_bulk_writable(ngx_http_request_t *r)
{
    ngx_event_t     *wev;
    ngx_amt_bulk_t  *bulk;

    wev = r->connection->write;
    bulk = ngx_http_get_module_ctx(r, ngx_http_amt_mps_module);

    if (wev->timedout) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, NGX_ETIMEDOUT,
                      "client of a bulk call does not read");
        r->connection->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }

    if (wev->delayed) {

        /* limit_rate */

        if (ngx_handle_write_event(wev, 0) != NGX_OK) {
            ngx_http_finalize_request(r, NGX_ERROR);
        }

        return;
    }

    if (ngx_amt_bulk_output(bulk, NULL) == NGX_ERROR) {
        ngx_http_finalize_request(r, NGX_ERROR);
        return;
    }

    ngx_amt_bulk_wake(bulk);
}
