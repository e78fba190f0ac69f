
/*
 * Questions between workers that are not the device plane's own: another
 * module asks with ASK at private listeners and answers here.
 */


#ifndef _NGX_CIRA_ASK_H_INCLUDED_
#define _NGX_CIRA_ASK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_api.h"


/* NGX_OK: yes; NGX_DECLINED: no, or nobody answers in this worker. */
ngx_int_t ngx_cira_ask(const u_char *guid, uint64_t question);

/* ngx_cira_api_t */
uint64_t ngx_cira_ask_self(void);
ngx_uint_t ngx_cira_ask_others(ngx_cira_other_t *others, ngx_uint_t n);
void ngx_cira_ask_answer(ngx_cira_ask_pt handler);


#endif /* _NGX_CIRA_ASK_H_INCLUDED_ */
