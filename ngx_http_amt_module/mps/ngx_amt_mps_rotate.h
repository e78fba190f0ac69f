
/*
 * REST: PUT /admin/devices/:guid/secrets.  Own route, no contract of the
 * original.  What the parts of a rotation share:
 *
 *     rotate.c         the flow, from the row to the reply
 *     rotate_plan.c    what is to be changed, and the secret that says so
 *     rotate_tell.c    one password is told to the device
 *     rotate_verify.c  which password does the device take?
 *     rotate_reply.c   what came of it: to Vault, to the client
 */


#ifndef _NGX_AMT_MPS_ROTATE_H_INCLUDED_
#define _NGX_AMT_MPS_ROTATE_H_INCLUDED_


#include "mps/ngx_amt_mps_secrets.h"
#include "amt/ngx_amt_capability.h"


/* What is done about a password, and what came of it. */

typedef enum {
    NGX_AMT_ROTATE_NONE = 0,
    NGX_AMT_ROTATE_WANTED,
    NGX_AMT_ROTATE_DONE,                 /* the device has it */
    NGX_AMT_ROTATE_REFUSED,              /* the device does not have it */
    NGX_AMT_ROTATE_UNKNOWN,              /* it may have it: stays pending */
    NGX_AMT_ROTATE_STAGED                /* for the device's next login */
} ngx_amt_rotate_e;


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_api_t             *api;
    ngx_str_t                  tenant;
    ngx_str_t                  path;
    ngx_amt_store_device_t     row;
    ngx_cira_info_t            info;
    ngx_amt_device_t          *dev;
    ngx_amt_secret_t           secret;
    json_t                    *wanted;   /* by key */
    json_t                    *changed;
    ngx_amt_wsman_response_t   res;
    ngx_str_t                  realm;
    ngx_uint_t                 tries;
    uint64_t                   version;  /* of the secret, at the login */
    ngx_amt_rotate_e           state[NGX_AMT_SECRET_N];
    ngx_amt_error_t            err;
    ngx_str_t                  refusal;  /* data NULL: none */
    json_t                    *left;     /* AMT password that was pending */

    unsigned                   device:1; /* has to be asked */
    unsigned                   client:1; /* client control mode */
    unsigned                   resumed:1;    /* MEBx password of before */
    unsigned                   promoted:1;   /* AMT password of before */
    unsigned                   dropped:1;    /* AMT password of before */
    unsigned                   overtaken:1;  /* by another call */
    unsigned                   unseen:1; /* the device was not told at all */
    unsigned                   withdraw:1;   /* the staged MPS password */
    unsigned                   withdrawn:1;
    unsigned                   restaged:1;   /* it is the staged one */
} ngx_amt_mps_rotate_t;


ngx_int_t ngx_amt_mps_rotate(ngx_amt_flow_t *f, void *data);
void ngx_amt_mps_rotate_drop(void *data);


/* ---- ngx_amt_mps_rotate_plan.c ---- */

/* The passwords that were sent, and new ones where they were asked for. */
ngx_int_t ngx_amt_mps_rotate_wanted(ngx_amt_mps_rotate_t *v);

/* 1: another MPS password is staged than the one to be staged. */
ngx_uint_t ngx_amt_mps_rotate_taken(ngx_amt_mps_rotate_t *v);

/*
 * v->changed: the secret with the pending passwords.  The device is held, and
 * has the current AMT password: what is pending of before is not its own.
 * NGX_DONE: there is nothing to write.
 */
ngx_int_t ngx_amt_mps_rotate_merge(ngx_amt_mps_rotate_t *v);

/* In v->secret, and in v->wanted; NULL: none. */
const char *ngx_amt_mps_rotate_pending(ngx_amt_mps_rotate_t *v,
    ngx_amt_secret_e i);
const char *ngx_amt_mps_rotate_new(ngx_amt_mps_rotate_t *v,
    ngx_amt_secret_e i);


/* ---- ngx_amt_mps_rotate_tell.c ---- */

/* Operation: Get of a class, strict. */
ngx_int_t ngx_amt_mps_rotate_get(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v,
    const char *class);

/* Operation: the device is told; then told() says what it made of it. */
ngx_int_t ngx_amt_mps_rotate_tell(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v,
    ngx_amt_secret_e i);
void ngx_amt_mps_rotate_told(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v,
    ngx_amt_secret_e i);

/* It was not changed, and why. */
void ngx_amt_mps_rotate_refuse(ngx_amt_mps_rotate_t *v, ngx_amt_secret_e i,
    const char *fmt, ...);

/*
 * One was not changed: those not begun yet are given up.  An error of the
 * flow is kept for the answer.
 */
void ngx_amt_mps_rotate_keep(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v);


/* ---- ngx_amt_mps_rotate_verify.c ---- */

/*
 * Operation: whatever the device said, which AMT password does it take?  The
 * state becomes what it shows.  Costs at most two refused logins.
 */
ngx_int_t ngx_amt_mps_rotate_verify(ngx_amt_flow_t *f,
    ngx_amt_mps_rotate_t *v);


/* ---- ngx_amt_mps_rotate_reply.c ---- */

/* Operation: what is known by now is written to Vault. */
ngx_int_t ngx_amt_mps_rotate_settle(ngx_amt_flow_t *f,
    ngx_amt_mps_rotate_t *v);

/* All set the reply; results as of ngx_amt_reply.h. */
ngx_int_t ngx_amt_mps_rotate_error(ngx_amt_mps_rotate_t *v,
    ngx_uint_t status, const char *text);
ngx_int_t ngx_amt_mps_rotate_staged(ngx_amt_mps_rotate_t *v);
ngx_int_t ngx_amt_mps_rotate_reply(ngx_amt_flow_t *f,
    ngx_amt_mps_rotate_t *v);


#endif /* _NGX_AMT_MPS_ROTATE_H_INCLUDED_ */
