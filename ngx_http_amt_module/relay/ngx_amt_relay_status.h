
/*
 * What others want to know of redirection sessions.
 */


#ifndef _NGX_AMT_RELAY_STATUS_H_INCLUDED_
#define _NGX_AMT_RELAY_STATUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>
#include "flow/ngx_amt_flow.h"
#include "relay/ngx_amt_redir.h"


typedef struct {
    ngx_uint_t    kind[NGX_AMT_REDIR_KINDS];   /* NGX_AMT_REDIR_KVM ... */
} ngx_amt_relay_open_t;


/*
 * Operation: which sessions of the device are open; none without amt_relay.
 * guid and *open must live until it has ended.  NGX_OK or NGX_ERROR.
 */
ngx_int_t ngx_amt_relay_open(ngx_amt_flow_t *f, const u_char *guid,
    ngx_amt_relay_open_t *open);

/*
 * Counters of all workers as a flat JSON object (new reference): open
 * sessions by kind, then since the start of nginx.  NULL: no memory.
 */
json_t *ngx_amt_relay_counters(void);


#endif /* _NGX_AMT_RELAY_STATUS_H_INCLUDED_ */
