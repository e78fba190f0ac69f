
/*
 * AMT capability: boot options and boot sources.  Contract mps.md section
 * 2.6, wsman.md classes AMT_BootSettingData, CIM_BootConfigSetting,
 * CIM_BootService, CIM_BootSourceSetting.
 */


#ifndef _NGX_AMT_BOOT_H_INCLUDED_
#define _NGX_AMT_BOOT_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/*
 * Input {"action":n,"useSOL":bool,"bootDetails":{...}}, action a number,
 * booleans as such; what bootDetails needs for the action was checked.
 * Boots the machine: {"Header":H,"Body":{"ReturnValue":r,...}}.  400 with
 * the device's reason when it refuses a step; nothing is booted then.  404:
 * no such boot source.  Whatever fails before the machine was told to boot,
 * the settings are put back; the text says so when that fails, too.
 */
extern const ngx_amt_op_t  ngx_amt_boot_options;

/* Array of boot sources; the contract's own body on failures. */
extern const ngx_amt_op_t  ngx_amt_boot_sources;


/*
 * Operation: the defaults of the settings, without parameters and
 * credentials, and no boot order, at most two requests.  setting: what the
 * device had before.  An error of the flow stays.  NGX_OK; NGX_DECLINED: it
 * failed (logged).
 */
ngx_int_t ngx_amt_boot_undo(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_amt_xml_t *setting);


/* ---- codecs of the above, without I/O ---- */

typedef struct {
    ngx_uint_t            action;        /* 100 and more */
    ngx_uint_t            sol;
    ngx_int_t             secure;        /* EnforceSecureBoot, -1: not given */
    ngx_uint_t            params;        /* in tlv */
    ngx_str_t             tlv;           /* UefiBootParametersArray */
} ngx_amt_boot_t;


/* Boots with parameters from UEFI: 105 to 110. */
#define ngx_amt_boot_ocr(action)   ((action) >= 105 && (action) <= 110)
/* Their source is looked for on the device: 107 to 110. */
#define ngx_amt_boot_disk(action)  ((action) >= 107 && (action) <= 110)
#define ngx_amt_boot_winre(action)  ((action) == 109 || (action) == 110)

/* Children of AMT_BootSettingData; results as of ngx_amt_xml_done(). */
ngx_int_t ngx_amt_boot_settings(ngx_pool_t *pool, ngx_amt_xml_t *setting,
    ngx_amt_boot_t *boot, ngx_str_t *body);

/* Body of ChangeBootOrder; source with len 0: clears it. */
ngx_int_t ngx_amt_boot_order(ngx_pool_t *pool, ngx_str_t *source,
    ngx_str_t *body);

/* Body of SetBootConfigRole: next boot, once. */
ngx_int_t ngx_amt_boot_role(ngx_pool_t *pool, ngx_str_t *body);

/* InstanceID of the source of an action, "": none, or to be looked for */
const char *ngx_amt_boot_source(ngx_uint_t action);

/* PowerState that makes the machine boot: 10 (reset) or 2 (on) */
ngx_uint_t ngx_amt_boot_power(ngx_uint_t action);

/*
 * The source of 107 to 110 out of CIM_BootSourceSetting: the one with this
 * BootString, or, path empty, the first one of WinRE.  NULL: none.
 */
ngx_amt_xml_t *ngx_amt_boot_source_find(ngx_array_t *items, ngx_str_t *path);

/* Does a source belong to WinRE, PBA?  "WinRe", "PBA" */
ngx_uint_t ngx_amt_boot_source_is(ngx_amt_xml_t *source, const char *kind);

/* Begins the element's text with this? */
ngx_uint_t ngx_amt_boot_starts(ngx_amt_xml_t *x, const char *name,
    const char *text);

/* The list for REST; a new reference, NULL: no memory. */
json_t *ngx_amt_boot_sources_json(ngx_array_t *items);

/* Return value of ChangeBootOrder, SetBootConfigRole by name */
const char *ngx_amt_boot_status(ngx_int_t value);


#endif /* _NGX_AMT_BOOT_H_INCLUDED_ */
