
/* Frames of the routes' flows, see ngx_amt_mps.h. */


#ifndef _NGX_AMT_MPS_FRAMES_H_INCLUDED_
#define _NGX_AMT_MPS_FRAMES_H_INCLUDED_


#include "mps/ngx_amt_mps.h"
#include "amt/ngx_amt_capability.h"
#include "relay/ngx_amt_relay_status.h"
#include "store/ngx_amt_store.h"
#include "vault/ngx_amt_vault.h"


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_api_t          *api;
    ngx_str_t               user;
    ngx_str_t               password;
    ngx_amt_identity_t      id;
} ngx_amt_mps_login_t;


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_api_t          *api;
    ngx_str_t               tenant;
    ngx_str_t               path;        /* of the secret */
    ngx_amt_store_device_t  row;
} ngx_amt_mps_row_t;


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_api_t          *api;
    ngx_str_t               tenant;
    ngx_amt_store_device_t  row;
    ngx_amt_relay_open_t    open;
} ngx_amt_mps_redirect_t;


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_api_t          *api;
    ngx_amt_store_query_t   query;
    ngx_amt_store_stats_t   stats;
    ngx_array_t            *rows;
    ngx_uint_t              count;
    ngx_pool_cleanup_t     *counted;     /* as a long list */
} ngx_amt_mps_list_t;


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_api_t          *api;
    ngx_str_t               tenant;
    ngx_str_t               path;        /* of the secret */
    ngx_uint_t              fields;
    ngx_uint_t              found;
    ngx_uint_t              tries;
    ngx_uint_t              patch;
    ngx_amt_store_device_t  row;         /* as stored */
    ngx_amt_store_device_t  change;
    json_t                 *secrets;     /* passwords to set, or NULL */
    json_t                 *merged;
    ngx_amt_secret_t        old;
    ngx_uint_t              others;      /* old is another tenant's */
    ngx_str_t               kept;        /* whose it is, when marked */
    u_char                  kept_data[NGX_CIRA_TENANT_LEN];
    uint64_t                written;     /* version in Vault, 0: none */
    ngx_amt_error_t         err;
} ngx_amt_mps_write_t;


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_api_t          *api;
    ngx_str_t               path;
    ngx_amt_secret_t        secret;
} ngx_amt_mps_refresh_t;


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_api_t          *api;
    ngx_str_t               name;
    ngx_int_t               store;       /* result */
    json_t                 *vault;
} ngx_amt_mps_health_t;


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_api_t          *api;
    ngx_amt_result_t        result;
} ngx_amt_mps_json_t;


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_api_t          *api;
    ngx_amt_result_t        result;
    ngx_str_t               path;        /* of the secret */
    ngx_amt_secret_t        secret;
    ngx_amt_store_device_t  row;
    ngx_uint_t              tries;
} ngx_amt_mps_deactivate_t;


void ngx_amt_mps_deactivate_drop(void *data);
void ngx_amt_mps_refresh_drop(void *data);
void ngx_amt_mps_health_drop(void *data);


#endif /* _NGX_AMT_MPS_FRAMES_H_INCLUDED_ */
