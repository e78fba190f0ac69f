
/*
 * What others want to know of redirection sessions.
 */


#ifndef _NGX_AMT_RELAY_STATUS_H_INCLUDED_
#define _NGX_AMT_RELAY_STATUS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>


typedef struct {
    ngx_uint_t    kvm;
    ngx_uint_t    sol;
    ngx_uint_t    ider;
} ngx_amt_relay_open_t;


/* Which sessions of the device are open; none without amt_relay. */
void ngx_amt_relay_open(const u_char *guid, ngx_amt_relay_open_t *open);

/*
 * Counters of all workers as a flat JSON object (new reference): open
 * sessions by kind, then since the start of nginx.  NULL: no memory.
 */
json_t *ngx_amt_relay_counters(void);


#endif /* _NGX_AMT_RELAY_STATUS_H_INCLUDED_ */
