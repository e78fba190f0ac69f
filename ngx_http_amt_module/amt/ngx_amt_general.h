
/*
 * AMT capability: general settings.  Contract mps.md section 2.5, wsman.md
 * class AMT_GeneralSettings.
 */


#ifndef _NGX_AMT_GENERAL_H_INCLUDED_
#define _NGX_AMT_GENERAL_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/*
 * {"Header":H,"Body":B}, on a SOAP fault {"Header":H} alone (mps.md section
 * 2.1).
 */
extern const ngx_amt_op_t  ngx_amt_general;


#endif /* _NGX_AMT_GENERAL_H_INCLUDED_ */
