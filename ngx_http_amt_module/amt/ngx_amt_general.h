
/*
 * AMT capability: general settings.  Contract mps.md section 2.5, wsman.md
 * class AMT_GeneralSettings.
 */


#ifndef _NGX_AMT_GENERAL_H_INCLUDED_
#define _NGX_AMT_GENERAL_H_INCLUDED_


#include "device/ngx_amt_device.h"
#include <jansson.h>


/*
 * Operation: {"Header":H,"Body":B}, on a SOAP fault {"Header":H} alone
 * (mps.md section 2.1).  Ownership and errors as in ngx_amt_power.h.
 */
ngx_int_t ngx_amt_general(ngx_amt_flow_t *f, ngx_cira_info_t *info,
    json_t **body);


#endif /* _NGX_AMT_GENERAL_H_INCLUDED_ */
