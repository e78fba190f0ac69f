
/*
 * REST: break-glass access to a device's passwords, and their rotation.
 * Own routes, no contract of the original.
 */


#ifndef _NGX_AMT_MPS_SECRETS_H_INCLUDED_
#define _NGX_AMT_MPS_SECRETS_H_INCLUDED_


#include "mps/ngx_amt_mps.h"
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


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_api_t             *api;
    ngx_str_t                  tenant;
    ngx_str_t                  path;
    ngx_amt_store_device_t     row;
    ngx_amt_secret_t           secret;
} ngx_amt_mps_secrets_t;


ngx_int_t ngx_amt_mps_secrets_get(ngx_amt_flow_t *f, void *data);
void ngx_amt_mps_secrets_drop(void *data);

/* What PUT takes, and of that what goes to the audit log. */
ngx_int_t ngx_amt_mps_rotate_detail(ngx_amt_api_t *api, ngx_str_t *detail);
extern const ngx_amt_check_t  ngx_amt_mps_rotate_checks[];


#endif /* _NGX_AMT_MPS_SECRETS_H_INCLUDED_ */
