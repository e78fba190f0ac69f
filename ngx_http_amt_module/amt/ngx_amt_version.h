
/*
 * AMT capability: firmware versions and provisioning state.  Contract mps.md
 * section 2.5, wsman.md classes CIM_SoftwareIdentity and
 * AMT_SetupAndConfigurationService.
 */


#ifndef _NGX_AMT_VERSION_H_INCLUDED_
#define _NGX_AMT_VERSION_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/*
 * {"CIM_SoftwareIdentity":{...},"AMT_SetupAndConfigurationService":{...}}
 */
extern const ngx_amt_op_t  ngx_amt_version;


/* What the version is made of, in the flow's pool. */

typedef struct {
    ngx_array_t               *items;    /* of CIM_SoftwareIdentity */
    ngx_amt_wsman_response_t   setup;    /* AMT_SetupAndConfigurationService */
} ngx_amt_version_t;


/* Operation: reads it; ERR_FAULT when the device has no answer. */
ngx_int_t ngx_amt_version_read(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_amt_version_t *version);

/* Its JSON, a new reference; NULL: no memory. */
json_t *ngx_amt_version_json(ngx_amt_version_t *version);

/*
 * Digits before the first dot of the identity "AMT", or 0.  items: array of
 * ngx_amt_xml_t * as of an enumeration of CIM_SoftwareIdentity.
 */
ngx_uint_t ngx_amt_version_major(ngx_array_t *items);


#endif /* _NGX_AMT_VERSION_H_INCLUDED_ */
