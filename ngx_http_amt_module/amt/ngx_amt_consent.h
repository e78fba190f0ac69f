
/*
 * AMT capability: user consent.  Contract mps.md section 2.10, wsman.md
 * class IPS_OptInService.
 */


#ifndef _NGX_AMT_CONSENT_H_INCLUDED_
#define _NGX_AMT_CONSENT_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/*
 * {"Header":H,"Body":{"ReturnValue":n,"ReturnValueStr":s}}, 400 when n is
 * not 0; s is left out for values without name.
 */
extern const ngx_amt_op_t  ngx_amt_consent_start;
extern const ngx_amt_op_t  ngx_amt_consent_cancel;
/* Input {"consentCode":"012345"}: digits. */
extern const ngx_amt_op_t  ngx_amt_consent_send;


/* Body of SendOptInCode; results as of ngx_amt_xml_done(). */
ngx_int_t ngx_amt_consent_input(ngx_pool_t *pool, ngx_str_t *code,
    ngx_str_t *body);


#endif /* _NGX_AMT_CONSENT_H_INCLUDED_ */
