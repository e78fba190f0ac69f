
/*
 * AMT capability: features - redirection, KVM, user consent, one click
 * recovery.  Contract mps.md section 2.9, wsman.md classes
 * AMT_RedirectionService, CIM_KVMRedirectionSAP, IPS_OptInService,
 * CIM_BootService.
 */


#ifndef _NGX_AMT_FEATURES_H_INCLUDED_
#define _NGX_AMT_FEATURES_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/* {"userConsent":"none","redirection":true,...} */
extern const ngx_amt_op_t  ngx_amt_features;

/*
 * Input {"userConsent":"kvm","enableSOL":bool,...}, booleans as such.
 * Writes what differs; 400 with the device's reason when it refuses a step.
 */
extern const ngx_amt_op_t  ngx_amt_features_set;


/* ---- codecs of the above, without I/O ---- */

#define NGX_AMT_FEATURES_NONE    0       /* OptInRequired */
#define NGX_AMT_FEATURES_KVM     1
#define NGX_AMT_FEATURES_ALL     4294967295LL

#define NGX_AMT_FEATURES_STATE   32768   /* EnabledState + bits */
#define NGX_AMT_FEATURES_IDER    1
#define NGX_AMT_FEATURES_SOL     2


/* What features are read from; NULL: the device has none. */

typedef struct {
    ngx_amt_xml_t        *redirection;
    ngx_amt_xml_t        *optin;
    ngx_amt_xml_t        *kvm;
    ngx_amt_xml_t        *boot;          /* CIM_BootService */
    ngx_amt_xml_t        *capabilities;
    ngx_amt_xml_t        *settings;
    ngx_array_t          *sources;       /* of ngx_amt_xml_t * */
} ngx_amt_features_t;


/* A new reference; NULL: no memory. */
json_t *ngx_amt_features_json(ngx_amt_features_t *features);

/*
 * Children of AMT_RedirectionService and IPS_OptInService; results as of
 * ngx_amt_xml_done().
 */
ngx_int_t ngx_amt_features_redirection(ngx_pool_t *pool, ngx_amt_xml_t *x,
    ngx_uint_t state, ngx_uint_t listener, ngx_str_t *body);
ngx_int_t ngx_amt_features_optin(ngx_pool_t *pool, ngx_amt_xml_t *x,
    int64_t required, ngx_str_t *body);

/* OptInRequired of "none", "kvm", "all" and back; -1, NULL: unknown */
int64_t ngx_amt_features_consent(const char *name);
const char *ngx_amt_features_consent_name(int64_t required);

/* Is KVM enabled, with or without a session? */
ngx_uint_t ngx_amt_features_kvm(ngx_amt_xml_t *sap);


#endif /* _NGX_AMT_FEATURES_H_INCLUDED_ */
