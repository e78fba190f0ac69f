
/*
 * REST: break-glass access to a device's passwords, and their rotation.
 * Own routes, no contract of the original.
 */


#ifndef _NGX_AMT_MPS_SECRETS_H_INCLUDED_
#define _NGX_AMT_MPS_SECRETS_H_INCLUDED_


#include "mps/ngx_amt_mps.h"
#include "amt/ngx_amt_capability.h"
#include "device/ngx_amt_pending.h"
#include "store/ngx_amt_store.h"


/* In the order they are changed: the one that is verified comes last. */

typedef enum {
    NGX_AMT_SECRET_MEBX = 0,
    NGX_AMT_SECRET_AMT,
    NGX_AMT_SECRET_MPS,
    NGX_AMT_SECRET_N
} ngx_amt_secret_e;


typedef struct {
    const char                *name;     /* in bodies */
    const char                *key;      /* in Vault */
    const char                *pending;
    size_t                     max;      /* characters */
} ngx_amt_mps_secret_t;


extern const ngx_amt_mps_secret_t  ngx_amt_mps_secret_kinds[NGX_AMT_SECRET_N];


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
    ngx_amt_secret_t           secret;
} ngx_amt_mps_secrets_t;


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
    ngx_str_t                  body;     /* of a request; wiped */
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
} ngx_amt_mps_rotate_t;


ngx_int_t ngx_amt_mps_secrets_get(ngx_amt_flow_t *f, void *data);
void ngx_amt_mps_secrets_drop(void *data);

ngx_int_t ngx_amt_mps_rotate(ngx_amt_flow_t *f, void *data);
void ngx_amt_mps_rotate_drop(void *data);

ngx_int_t ngx_amt_mps_rotate_detail(ngx_amt_api_t *api, ngx_str_t *detail);

extern const ngx_amt_check_t  ngx_amt_mps_rotate_checks[];


#endif /* _NGX_AMT_MPS_SECRETS_H_INCLUDED_ */
