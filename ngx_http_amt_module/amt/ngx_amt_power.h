
/*
 * AMT capability: power state, capabilities and actions.  Contract mps.md
 * section 2.6, wsman.md classes CIM_PowerManagementService and
 * IPS_PowerManagementService.
 */


#ifndef _NGX_AMT_POWER_H_INCLUDED_
#define _NGX_AMT_POWER_H_INCLUDED_


#include "device/ngx_amt_device.h"
#include <jansson.h>


/*
 * All are flow operations that hold one conversation with the device.  On
 * NGX_OK *body is a new reference to the answer's JSON; it is written once,
 * at the end.  It belongs to the caller, who keeps it in a frame with a drop
 * that calls json_decref(), so that a cancelled flow does not leak it.
 *
 * Errors, besides those of ngx_amt_device_open() and _call(): ERR_FAULT, the
 * device answered with a SOAP fault or without what was asked for.
 */

/* {"powerstate":n,"OSPowerSavingState":m} */
ngx_int_t ngx_amt_power_state(ngx_amt_flow_t *f, ngx_cira_info_t *info,
    json_t **body);

/* {"Power up":2,...} */
ngx_int_t ngx_amt_power_capabilities(ngx_amt_flow_t *f,
    ngx_cira_info_t *info, json_t **body);

/*
 * Performs an action code, 0-17, 500 or 501; any other gives the contract's
 * INVALID_PARAMETER body after the boot settings were reset.  A return value
 * that is not zero is NGX_OK with ReturnValue and ReturnValueStr in *body.
 * From the first write on the flow is shielded.
 */
ngx_int_t ngx_amt_power_action(ngx_amt_flow_t *f, ngx_cira_info_t *info,
    ngx_uint_t action, json_t **body);

/*
 * Codecs of the above, without I/O.
 *
 * Children of AMT_BootSettingData with the defaults every power action
 * writes: what was received is echoed in its order, nothing is added.
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
