
/*
 * AMT capability: power state, capabilities and actions.  Contract mps.md
 * section 2.6, wsman.md classes CIM_PowerManagementService and
 * IPS_PowerManagementService.
 */


#ifndef _NGX_AMT_POWER_H_INCLUDED_
#define _NGX_AMT_POWER_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/* {"powerstate":n,"OSPowerSavingState":m} */
extern const ngx_amt_op_t  ngx_amt_power_state;

/* {"Power up":2,...} */
extern const ngx_amt_op_t  ngx_amt_power_capabilities;

/*
 * Input {"action":n}.  Performs an action code, 0-17, 500 or 501; any other
 * gives the contract's INVALID_PARAMETER body after the boot settings were
 * reset.  A return value that is not zero is in ReturnValue and
 * ReturnValueStr.  From the first write on the flow is shielded.
 */
extern const ngx_amt_op_t  ngx_amt_power_action;

/*
 * Codecs of the above, without I/O.
 *
 * Children of AMT_BootSettingData with the defaults every power action
 * writes: what was received is echoed in its order, nothing is added, and
 * parameters of an UEFI boot, which may hold credentials, are left out.
 * Results as of ngx_amt_xml_done().
 */
ngx_int_t ngx_amt_power_boot_defaults(ngx_pool_t *pool,
    ngx_amt_xml_t *setting, ngx_str_t *body);

/*
 * Body of a method that takes a state and the managed system: element is
 * "PowerState" or "OSPowerSavingState".
 */
ngx_int_t ngx_amt_power_input(ngx_pool_t *pool, const char *element,
    ngx_uint_t state, ngx_str_t *body);

/*
 * Power state of the host out of CIM_ServiceAvailableToElement, 0: not
 * there.
 */
ngx_uint_t ngx_amt_power_state_find(ngx_array_t *items);

/* Capabilities; a new reference, NULL: no memory. */
json_t *ngx_amt_power_capabilities_json(ngx_uint_t major,
    ngx_amt_xml_t *boot);


#endif /* _NGX_AMT_POWER_H_INCLUDED_ */
