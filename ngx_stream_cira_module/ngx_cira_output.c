
/*
 * Output of a session: messages are put together in one buffer and written
 * as one TLS record at the end of the event cycle.  The buffer exists only
 * while something is to be written.  DATA may fill a record's worth of it;
 * the rest is for control messages, which is all a device can make us send
 * while it does not read itself.
 */


#include "ngx_cira_session.h"


#define NGX_CIRA_OUTPUT_TOTAL                                                \
    (NGX_CIRA_OUTPUT_SIZE + NGX_CIRA_OUTPUT_RESERVE)

#define NGX_CIRA_OUTPUT_SPARE  16


typedef struct ngx_cira_output_s  ngx_cira_output_t;

struct ngx_cira_output_s {
    ngx_cira_output_t  *next;
};


static ngx_int_t ngx_cira_output_begin(ngx_cira_session_t *s);
static void ngx_cira_output_end(ngx_cira_session_t *s);


static ngx_cira_output_t  *ngx_cira_output_spare;
static ngx_uint_t          ngx_cira_output_spares;


ngx_int_t
ngx_cira_output_add(ngx_cira_session_t *s, u_char *p, size_t size)
{
    if (s->broken || ngx_cira_output_begin(s) != NGX_OK) {
        return NGX_ERROR;
    }

    if ((size_t) (s->out + NGX_CIRA_OUTPUT_TOTAL - s->out_last) < size) {

        if (ngx_cira_output_flush(s) == NGX_ERROR
            || ngx_cira_output_begin(s) != NGX_OK)
        {
            return NGX_ERROR;
        }

        if ((size_t) (s->out + NGX_CIRA_OUTPUT_TOTAL - s->out_last) < size) {
            return NGX_AGAIN;
        }
    }

    s->out_last = ngx_cpymem(s->out_last, p, size);
    ngx_cira_session_post(s);

    return NGX_OK;
}


size_t
ngx_cira_output_data(ngx_cira_session_t *s, uint32_t channel, u_char *p,
    size_t size)
{
    size_t  n, rest, room;

    if (s->broken) {
        return 0;
    }

    for (rest = size; rest; rest -= n) {

        if (ngx_cira_output_begin(s) != NGX_OK) {
            break;
        }

        if (!ngx_cira_output_room(s)
            && (ngx_cira_output_flush(s) == NGX_ERROR
                || ngx_cira_output_begin(s) != NGX_OK
                || !ngx_cira_output_room(s)))
        {
            break;
        }

        room = s->out + NGX_CIRA_OUTPUT_SIZE - s->out_last
               - NGX_CIRA_APF_DATA_HEAD;
        n = ngx_min(ngx_min(rest, room), NGX_CIRA_DATA_MAX);

        s->out_last = ngx_cira_apf_data_head(s->out_last, channel,
                                             (uint32_t) n);
        s->out_last = ngx_cpymem(s->out_last, p, n);
        p += n;
    }

    if (rest < size) {
        ngx_cira_session_post(s);
    }

    return size - rest;
}


ngx_uint_t
ngx_cira_output_room(ngx_cira_session_t *s)
{
    /* not for a few bytes: they would make small messages */

    return s->out == NULL
           || s->out_last + NGX_CIRA_APF_DATA_HEAD + 256
              <= s->out + NGX_CIRA_OUTPUT_SIZE;
}


ngx_int_t
ngx_cira_output_flush(ngx_cira_session_t *s)
{
    ssize_t            n;
    ngx_connection_t  *c;

    c = s->connection;

    if (s->broken) {
        return NGX_ERROR;
    }

    if (s->out == NULL) {
        return NGX_OK;
    }

    while (s->out_pos < s->out_last) {

        if (!c->write->ready) {
            n = NGX_AGAIN;

        } else {
            n = c->send(c, s->out_pos, s->out_last - s->out_pos);
        }

        if (n > 0) {
            s->out_pos += n;
            ngx_cira_session_del_timer(s, NGX_CIRA_TIMER_WRITE);
            continue;
        }

        if (n == NGX_ERROR) {
            ngx_cira_session_broken(s, "connection to the device failed");
            return NGX_ERROR;
        }

        /*
         * NGX_AGAIN: TLS wants the same bytes at the same place, so nothing
         * is moved until all was written
         */

        if (!(s->armed & (1 << NGX_CIRA_TIMER_WRITE))) {
            ngx_cira_session_set_timer(s, NGX_CIRA_TIMER_WRITE,
                                       s->conf->keepalive_timeout
                                       ? s->conf->keepalive_timeout
                                       : NGX_CIRA_CREDIT_TIMEOUT);
        }

        if (ngx_handle_write_event(c->write, 0) != NGX_OK) {
            ngx_cira_session_broken(s, "internal error");
            return NGX_ERROR;
        }

        return NGX_AGAIN;
    }

    ngx_cira_output_end(s);

    return NGX_OK;
}


static ngx_int_t
ngx_cira_output_begin(ngx_cira_session_t *s)
{
    ngx_cira_output_t  *o;

    if (s->out) {
        return NGX_OK;
    }

    o = ngx_cira_output_spare;

    if (o) {
        ngx_cira_output_spare = o->next;
        ngx_cira_output_spares--;

    } else {
        o = ngx_alloc(NGX_CIRA_OUTPUT_TOTAL, s->connection->log);

        if (o == NULL) {
            ngx_cira_session_broken(s, "no memory");
            return NGX_ERROR;
        }
    }

    s->out = (u_char *) o;
    s->out_pos = s->out;
    s->out_last = s->out;

    return NGX_OK;
}


static void
ngx_cira_output_end(ngx_cira_session_t *s)
{
    ngx_cira_output_t  *o;

    /* requests with passwords, too, pass through here */

    ngx_explicit_memzero(s->out, s->out_last - s->out);

    o = (ngx_cira_output_t *) (void *) s->out;
    s->out = NULL;

    if (ngx_cira_output_spares == NGX_CIRA_OUTPUT_SPARE) {
        ngx_free(o);
        return;
    }

    o->next = ngx_cira_output_spare;
    ngx_cira_output_spare = o;
    ngx_cira_output_spares++;
}


void
ngx_cira_output_free(ngx_cira_session_t *s)
{
    if (s->out) {
        ngx_cira_output_end(s);
    }
}
