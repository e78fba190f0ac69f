
/*
 * AMT capability: what the machine is made of.  Contract mps.md section 2.5,
 * wsman.md classes CIM_ComputerSystemPackage, CIM_Chassis, CIM_Chip, ...
 */


#ifndef _NGX_AMT_HARDWARE_H_INCLUDED_
#define _NGX_AMT_HARDWARE_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/*
 * {"CIM_ComputerSystemPackage":{...},...}: ten classes in the contract's
 * order.  A class that the firmware does not have has status 400.
 */
extern const ngx_amt_op_t  ngx_amt_hardware;


/*
 * What one class becomes in the answer, new references; NULL: no memory.
 * get: res is the answer to Get of class.  list: items (array of
 * ngx_amt_xml_t *, NULL: the class is absent) named item; flat: their array
 * itself, else an array of one element that is null, an item or an array of
 * them.
 */
json_t *ngx_amt_hardware_get(ngx_amt_wsman_response_t *res,
    const char *class);
json_t *ngx_amt_hardware_list(ngx_array_t *items, const char *item,
    ngx_uint_t flat);


#endif /* _NGX_AMT_HARDWARE_H_INCLUDED_ */
