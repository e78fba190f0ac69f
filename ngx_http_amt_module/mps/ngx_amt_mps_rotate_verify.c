
/*
 * Rotation of passwords: which AMT password does the device take?  See
 * ngx_amt_mps_rotate.h.
 *
 * A device may obey and then answer with a fault, a return value or nothing
 * at all; it may also say that it obeyed and keep what it had.  So its word
 * only decides which of the two is tried first, the likelier one: a refused
 * login is one of the few that AMT allows before it locks itself.
 */


#include "mps/ngx_amt_mps_rotate.h"


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_mps_rotate_t      *v;        /* the caller's frame */
    ngx_amt_rotate_e           said;     /* by the device */
    ngx_uint_t                 new;      /* is tried */
} ngx_amt_mps_rotate_verify_t;


static ngx_int_t ngx_amt_mps_rotate_verify_body(ngx_amt_flow_t *f,
    void *data);
static ngx_int_t ngx_amt_mps_rotate_try(ngx_amt_flow_t *f,
    ngx_amt_mps_rotate_verify_t *u);
static ngx_uint_t ngx_amt_mps_rotate_takes(ngx_amt_mps_rotate_verify_t *u);
static ngx_int_t ngx_amt_mps_rotate_found(ngx_amt_flow_t *f,
    ngx_amt_mps_rotate_verify_t *u);
static ngx_int_t ngx_amt_mps_rotate_unknown(ngx_amt_flow_t *f,
    ngx_amt_mps_rotate_t *v);
static const char *ngx_amt_mps_rotate_tried(ngx_amt_mps_rotate_verify_t *u);


ngx_int_t
ngx_amt_mps_rotate_verify(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v)
{
    ngx_amt_mps_rotate_verify_t  *u;

    u = ngx_amt_frame_alloc(f, "rotate_verify",
                            sizeof(ngx_amt_mps_rotate_verify_t),
                            ngx_amt_mps_rotate_verify_body, NULL);
    if (u == NULL) {
        return ngx_amt_mps_rotate_unknown(f, v);
    }

    u->v = v;
    u->said = v->state[NGX_AMT_SECRET_AMT];
    u->new = u->said != NGX_AMT_ROTATE_REFUSED;

    return ngx_amt_call(f, u);
}


/* An error is no error of the caller's: it is kept in v->err. */

static ngx_int_t
ngx_amt_mps_rotate_verify_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_rotate_verify_t *u = data;

    ngx_amt_begin(f, u);

    ngx_amt_device_pin(u->v->dev, 0);

    ngx_amt_await_rc(f, u, ngx_amt_mps_rotate_try(f, u));

    if (u->frame.rc == NGX_OK && ngx_amt_mps_rotate_takes(u)) {
        return ngx_amt_mps_rotate_found(f, u);
    }

    /*
     * Not reached: who knows.  Without an answer to the change it may still
     * come, so that nothing is won with a login that is refused now.
     */

    if (f->err.code != NGX_AMT_ERR_DEVICE_AUTH
        || u->said == NGX_AMT_ROTATE_UNKNOWN)
    {
        return ngx_amt_mps_rotate_unknown(f, u->v);
    }

    ngx_amt_flow_clear(f);

    u->new = !u->new;

    ngx_amt_await_rc(f, u, ngx_amt_mps_rotate_try(f, u));

    if (u->frame.rc == NGX_OK && ngx_amt_mps_rotate_takes(u)) {
        return ngx_amt_mps_rotate_found(f, u);
    }

    return ngx_amt_mps_rotate_unknown(f, u->v);
}


static ngx_int_t
ngx_amt_mps_rotate_try(ngx_amt_flow_t *f, ngx_amt_mps_rotate_verify_t *u)
{
    if (ngx_amt_device_use(u->v->dev, ngx_amt_mps_rotate_tried(u)) != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "device has no digest realm");
    }

    return ngx_amt_mps_rotate_get(f, u->v, "AMT_GeneralSettings");
}


/* An answer that asked for no password proves none. */

static ngx_uint_t
ngx_amt_mps_rotate_takes(ngx_amt_mps_rotate_verify_t *u)
{
    return ngx_amt_device_is(u->v->dev, ngx_amt_mps_rotate_tried(u));
}


static const char *
ngx_amt_mps_rotate_tried(ngx_amt_mps_rotate_verify_t *u)
{
    return u->new ? ngx_amt_mps_rotate_new(u->v, NGX_AMT_SECRET_AMT)
                  : ngx_amt_secret_get(&u->v->secret, "AMT_PASSWORD");
}


static ngx_int_t
ngx_amt_mps_rotate_found(ngx_amt_flow_t *f, ngx_amt_mps_rotate_verify_t *u)
{
    ngx_amt_mps_rotate_t  *v;

    v = u->v;

    if (u->new) {

        if (u->said == NGX_AMT_ROTATE_REFUSED) {
            ngx_log_error(NGX_LOG_WARN, f->log, 0,
                          "device \"%V\" has the password it refused: %V",
                          &v->api->device, &v->refusal);
            ngx_str_null(&v->refusal);
        }

        v->state[NGX_AMT_SECRET_AMT] = NGX_AMT_ROTATE_DONE;

    } else if (u->said != NGX_AMT_ROTATE_REFUSED) {
        ngx_amt_mps_rotate_refuse(v, NGX_AMT_SECRET_AMT,
                                  "the device has kept the old one");
    }

    return NGX_OK;
}


/* It takes neither, or did not say: both stay in Vault. */

static ngx_int_t
ngx_amt_mps_rotate_unknown(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v)
{
    v->state[NGX_AMT_SECRET_AMT] = NGX_AMT_ROTATE_UNKNOWN;

    if (f->err.code != NGX_AMT_ERR_NONE) {
        v->err = f->err;
        ngx_amt_flow_clear(f);
    }

    return NGX_OK;
}
