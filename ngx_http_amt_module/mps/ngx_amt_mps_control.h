
/*
 * REST: checks and inputs of the routes that control a device - boot
 * options, features, user consent, displays.  Contract mps.md sections 2.6,
 * 2.9, 2.10, 2.13.
 */


#ifndef _NGX_AMT_MPS_CONTROL_H_INCLUDED_
#define _NGX_AMT_MPS_CONTROL_H_INCLUDED_


#include "mps/ngx_amt_mps.h"


extern const ngx_amt_check_t  ngx_amt_mps_boot_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_features_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_consent_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_displays_checks[];

/* api->body as the ops take it, see ngx_amt_route.h */
ngx_int_t ngx_amt_mps_boot_input(ngx_amt_api_t *api);
ngx_int_t ngx_amt_mps_features_input(ngx_amt_api_t *api);
ngx_int_t ngx_amt_mps_consent_input(ngx_amt_api_t *api);
ngx_int_t ngx_amt_mps_displays_input(ngx_amt_api_t *api);

/* for the audit log */
ngx_int_t ngx_amt_mps_features_detail(ngx_amt_api_t *api, ngx_str_t *detail);
ngx_int_t ngx_amt_mps_displays_detail(ngx_amt_api_t *api, ngx_str_t *detail);


#endif /* _NGX_AMT_MPS_CONTROL_H_INCLUDED_ */
