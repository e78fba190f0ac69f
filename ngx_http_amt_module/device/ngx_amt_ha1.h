
/*
 * Cache of digest HA1 values in shared memory, so that Vault is not asked
 * for every call.  Values are sealed with AES-256-GCM under a key that lives
 * in the processes of this nginx only, bound to GUID and realm; they expire,
 * and the least recently used one makes room.
 *
 * For some seconds it is also known what a device has refused: it locks its
 * accounts after a few failures, and many calls may be on their way with the
 * same wrong password.
 */


#ifndef _NGX_AMT_HA1_H_INCLUDED_
#define _NGX_AMT_HA1_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "wsman/ngx_amt_digest.h"


typedef struct ngx_amt_ha1_cache_s  ngx_amt_ha1_cache_t;


/*
 * Declares the zone at configuration time; entries are valid for so many
 * seconds, those of what was refused, too (0: there are none).  NULL: error,
 * logged.
 */
ngx_amt_ha1_cache_t *ngx_amt_ha1_create(ngx_conf_t *cf, size_t size,
    time_t valid, time_t refused, void *tag);

/* All take the cache as NULL: then there is none, and nothing happens. */

/* NGX_OK: ha1 is filled; NGX_DECLINED: not known, expired, other realm. */
ngx_int_t ngx_amt_ha1_get(ngx_amt_ha1_cache_t *cache, const u_char *guid,
    ngx_str_t *realm, u_char ha1[NGX_AMT_DIGEST_HA1]);

/* Remembers an HA1 a device has accepted; a full zone is no error. */
void ngx_amt_ha1_put(ngx_amt_ha1_cache_t *cache, const u_char *guid,
    ngx_str_t *realm, u_char ha1[NGX_AMT_DIGEST_HA1], ngx_log_t *log);

/*
 * The device has refused all there is, of which offer is a hash: that counts
 * instead of an HA1, and as long as it is not forgotten or expires.
 */
void ngx_amt_ha1_refuse(ngx_amt_ha1_cache_t *cache, const u_char *guid,
    ngx_str_t *realm, u_char offer[NGX_AMT_DIGEST_HA1], ngx_log_t *log);

/* NGX_OK: exactly this was refused a moment ago; else NGX_DECLINED. */
ngx_int_t ngx_amt_ha1_refused(ngx_amt_ha1_cache_t *cache,
    const u_char *guid, ngx_str_t *realm, u_char offer[NGX_AMT_DIGEST_HA1]);

void ngx_amt_ha1_forget(ngx_amt_ha1_cache_t *cache, const u_char *guid);


#endif /* _NGX_AMT_HA1_H_INCLUDED_ */
