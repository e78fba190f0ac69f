
/* What requests of the network routes may say.  Contract mps.md 2.14. */


#ifndef _NGX_AMT_MPS_NETWORK_H_INCLUDED_
#define _NGX_AMT_MPS_NETWORK_H_INCLUDED_


#include "mps/ngx_amt_mps.h"


extern const ngx_amt_check_t  ngx_amt_mps_link_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_wired_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_state_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_sync_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_profile_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_profile_delete_checks[];

/* see struct ngx_amt_route_s */
ngx_int_t ngx_amt_mps_link_input(ngx_amt_api_t *api);
ngx_int_t ngx_amt_mps_wired_input(ngx_amt_api_t *api);
ngx_int_t ngx_amt_mps_state_input(ngx_amt_api_t *api);
ngx_int_t ngx_amt_mps_profile_input(ngx_amt_api_t *api);

ngx_int_t ngx_amt_mps_link_detail(ngx_amt_api_t *api, ngx_str_t *detail);
ngx_int_t ngx_amt_mps_wired_detail(ngx_amt_api_t *api, ngx_str_t *detail);
ngx_int_t ngx_amt_mps_state_detail(ngx_amt_api_t *api, ngx_str_t *detail);
ngx_int_t ngx_amt_mps_sync_detail(ngx_amt_api_t *api, ngx_str_t *detail);
ngx_int_t ngx_amt_mps_profile_detail(ngx_amt_api_t *api, ngx_str_t *detail);
ngx_int_t ngx_amt_mps_profile_name_detail(ngx_amt_api_t *api,
    ngx_str_t *detail);

/*
 * Brings privateKey, clientCert and caCert of x, an object, into the form
 * the device takes: base64 of DER, the key PKCS#1; adds publicKey as the
 * device tells it.  NGX_OK; NGX_DECLINED: *text, static, says what is wrong;
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_mps_credentials_input(json_t *x, const char **text);


#endif /* _NGX_AMT_MPS_NETWORK_H_INCLUDED_ */
