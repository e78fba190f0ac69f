
/*
 * Failed logins per client, shared between workers, so that guessing
 * costs the guesser an address and not us a password hash.
 */


#ifndef _NGX_AMT_AUTH_LIMIT_H_INCLUDED_
#define _NGX_AMT_AUTH_LIMIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>


#define NGX_AMT_LIMIT_SIZE  (1024 * 1024)


typedef struct {
    ngx_shm_zone_t    *zone;
    ngx_uint_t         max;              /* failures, 0: no limit */
    ngx_msec_t         per;
    ngx_msec_t         ban;

    /* NULL: the address */
    ngx_http_complex_value_t  *key;
} ngx_amt_limit_t;


/*
 * An IPv4 address, an IPv6 network of 64 bits, all unix sockets, or a digest
 * of what key= says
 */

typedef struct {
    u_char             addr[16];
    uint32_t           kind;
} ngx_amt_limit_key_t;


typedef struct {
    ngx_amt_limit_key_t   key;
    uint64_t              start;         /* of the period it is counted in */
} ngx_amt_limit_guess_t;


/* API keys and passwords are counted apart: one cannot ban the other */

#define NGX_AMT_LIMIT_KEYS    1
#define NGX_AMT_LIMIT_LOGINS  2
#define NGX_AMT_LIMIT_VALUE   0x100      /* flag: by the value of key= */


/* Adds the zone; zone data is kept over a reload. */
ngx_int_t ngx_amt_limit_zone(ngx_conf_t *cf, ngx_amt_limit_t *limit,
    void *tag);

/* Who is counted.  NGX_OK or NGX_ERROR: no memory for the value of key=. */
ngx_int_t ngx_amt_limit_key(ngx_http_request_t *r, ngx_amt_limit_t *limit,
    uint32_t kind, ngx_amt_limit_key_t *key);

/*
 * A guess is reserved before it is checked, so that guesses in parallel
 * cannot be more than the limit allows.  NGX_OK: *guess is to be given back
 * by ngx_amt_limit_done(), exactly once; NGX_BUSY: not now, and *wait is
 * when to come again, in seconds, at least 1.
 */
ngx_int_t ngx_amt_limit_guess(ngx_amt_limit_t *limit,
    ngx_amt_limit_key_t *key, ngx_amt_limit_guess_t *guess, time_t *wait);

/* It was checked: failed, or not (right, or never looked at). */
void ngx_amt_limit_done(ngx_amt_limit_t *limit, ngx_amt_limit_guess_t *guess,
    ngx_uint_t failed);


#endif /* _NGX_AMT_AUTH_LIMIT_H_INCLUDED_ */
