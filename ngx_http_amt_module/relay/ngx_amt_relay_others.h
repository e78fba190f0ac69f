
/*
 * Sessions of workers that have another registry: of the nginx before a
 * binary upgrade, or of before amt_relay_zone got another size.  They are
 * asked at their private listeners, ASK <guid>:<question>.
 */


#ifndef _NGX_AMT_RELAY_OTHERS_H_INCLUDED_
#define _NGX_AMT_RELAY_OTHERS_H_INCLUDED_


#include "relay/ngx_amt_relay.h"


/* The question: is there a session of this kind, and is it to end? */

#define NGX_AMT_RELAY_ASK_END         0x01

#define NGX_AMT_RELAY_ASK(kind, end)  ((uint64_t) (kind) << 1 | ((end) ? 1 : 0))
#define NGX_AMT_RELAY_ASK_KIND(q)     ((q) >> 1)


/*
 * Operation: asks them all; end: they end it, as taken over.  NGX_OK: there
 * is, or was, such a session; NGX_DECLINED: none is known, also when a worker
 * did not answer, which is logged; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_relay_others(ngx_amt_flow_t *f, ngx_amt_relay_zone_t *zone,
    const u_char *guid, ngx_amt_redir_kind_e kind, ngx_uint_t end);


#endif /* _NGX_AMT_RELAY_OTHERS_H_INCLUDED_ */
