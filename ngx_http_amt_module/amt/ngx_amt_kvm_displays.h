
/*
 * AMT capability: displays that KVM shows.  Contract mps.md section 2.13,
 * wsman.md classes IPS_ScreenSettingData and IPS_KVMRedirectionSettingData.
 */


#ifndef _NGX_AMT_KVM_DISPLAYS_H_INCLUDED_
#define _NGX_AMT_KVM_DISPLAYS_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/* {"displays":[...]} */
extern const ngx_amt_op_t  ngx_amt_kvm_displays;

/*
 * Input {"displayIndex":n}, a number.  The class as it is then; 400 with the
 * fault when the device refuses.
 */
extern const ngx_amt_op_t  ngx_amt_kvm_displays_set;


/* ---- codecs of the above, without I/O ---- */

/*
 * The displays of IPS_ScreenSettingData; setting is the class
 * IPS_KVMRedirectionSettingData.  A new reference; NULL: no memory.
 */
json_t *ngx_amt_kvm_displays_json(ngx_array_t *items,
    ngx_amt_xml_t *setting);

/* Children of IPS_KVMRedirectionSettingData, as of ngx_amt_xml_done(). */
ngx_int_t ngx_amt_kvm_displays_body(ngx_pool_t *pool, ngx_amt_xml_t *setting,
    ngx_uint_t index, ngx_str_t *body);


#endif /* _NGX_AMT_KVM_DISPLAYS_H_INCLUDED_ */
