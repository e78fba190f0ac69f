
/*
 * Failed logins per client address, shared between workers, so that guessing
 * costs the guesser an address and not us a password hash.
 */


#ifndef _NGX_AMT_AUTH_LIMIT_H_INCLUDED_
#define _NGX_AMT_AUTH_LIMIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_AMT_LIMIT_SIZE  (1024 * 1024)


typedef struct {
    ngx_shm_zone_t    *zone;
    ngx_uint_t         max;              /* failures, 0: no limit */
    ngx_msec_t         per;
    ngx_msec_t         ban;
} ngx_amt_limit_t;


/* An IPv4 address, an IPv6 network of 64 bits, or all unix sockets */

typedef struct {
    u_char             addr[16];
    uint32_t           kind;
} ngx_amt_limit_key_t;


/* API keys and passwords are counted apart: one cannot ban the other */

#define NGX_AMT_LIMIT_KEYS    1
#define NGX_AMT_LIMIT_LOGINS  2


/* Adds the zone; zone data is kept over a reload. */
ngx_int_t ngx_amt_limit_zone(ngx_conf_t *cf, ngx_amt_limit_t *limit,
    void *tag);

void ngx_amt_limit_key(struct sockaddr *sockaddr, uint32_t kind,
    ngx_amt_limit_key_t *key);

/* Seconds (at least 1) for which the address is banned, 0: not banned */
time_t ngx_amt_limit_banned(ngx_amt_limit_t *limit, ngx_amt_limit_key_t *key);

/* One failure more */
void ngx_amt_limit_failed(ngx_amt_limit_t *limit, ngx_amt_limit_key_t *key);


#endif /* _NGX_AMT_AUTH_LIMIT_H_INCLUDED_ */
