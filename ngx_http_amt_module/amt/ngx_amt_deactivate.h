
/*
 * Taking a device out of management.  Contract mps.md section 2.15, wsman.md
 * AMT_SetupAndConfigurationService.
 */


#ifndef _NGX_AMT_DEACTIVATE_H_INCLUDED_
#define _NGX_AMT_DEACTIVATE_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/*
 * Unprovision.  {"status":"SUCCESS"}, or {"ReturnValue":n} when the device
 * does not want to; a fault is refused with 400.  When the answer is lost
 * (ERR_LOST, ERR_TIMEOUT), nobody knows: the device may be gone for good.
 */
extern const ngx_amt_op_t  ngx_amt_deactivate;

/* Did it happen? */
ngx_uint_t ngx_amt_deactivate_done(ngx_amt_result_t *result);


#endif /* _NGX_AMT_DEACTIVATE_H_INCLUDED_ */
