
/*
 * Names of brokers and receivers, looked up by nginx's resolver when http{}
 * has one: those that move are found again without a reload.
 */


#ifndef _NGX_AMT_EVENT_NAME_H_INCLUDED_
#define _NGX_AMT_EVENT_NAME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


/* addr: an address as text, valid during the call; NULL: text says why not */
typedef void (*ngx_amt_event_name_pt)(void *data, ngx_str_t *addr,
    const char *text);


typedef struct {
    ngx_resolver_ctx_t     *ctx;         /* a look-up is on its way */
    ngx_amt_event_name_pt   handler;
    void                   *data;
} ngx_amt_event_name_t;


/* Whether there is a resolver to ask */
ngx_uint_t ngx_amt_event_name_usable(ngx_resolver_t *resolver);

/*
 * Looks the name up; handler and data are set by the caller.  The handler is
 * called once, possibly before this function returns, unless cancelled.
 */
void ngx_amt_event_name_resolve(ngx_amt_event_name_t *n,
    ngx_resolver_t *resolver, ngx_str_t *name, ngx_msec_t timeout);
void ngx_amt_event_name_cancel(ngx_amt_event_name_t *n);


#endif /* _NGX_AMT_EVENT_NAME_H_INCLUDED_ */
