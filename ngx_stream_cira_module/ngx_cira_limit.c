
/*
 * Limits of logins per peer address: connections that are not logged in yet,
 * and a ban after too many failed logins.  A set-associative table of fixed
 * size: the least recently used record of a set gives way.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_hooks.h"


static ngx_uint_t ngx_cira_limit_none(ngx_connection_t *c);
static void ngx_cira_limit_key(ngx_connection_t *c, u_char *key);
static ngx_cira_limit_t *ngx_cira_limit_find(ngx_cira_hooks_shm_t *shm,
    u_char *key, ngx_uint_t create);


ngx_int_t
ngx_cira_limit_enter(ngx_connection_t *c, ngx_log_t *log)
{
    u_char                  key[16];
    time_t                  now;
    ngx_int_t               rc;
    ngx_cira_limit_t       *l;
    ngx_cira_hooks_shm_t   *shm;
    ngx_cira_hooks_conf_t  *hcf;

    hcf = ngx_cira_hooks_conf();

    if (ngx_cira_limit_none(c)) {
        return NGX_OK;
    }

    shm = ngx_cira_hooks_lock();
    if (shm == NULL) {
        return NGX_OK;
    }

    now = ngx_time();
    rc = NGX_OK;

    ngx_cira_limit_key(c, key);
    l = ngx_cira_limit_find(shm, key, 1);

    if (l->banned > now) {
        rc = NGX_DECLINED;

    } else if (hcf->pending && l->pending >= hcf->pending) {
        rc = NGX_BUSY;

    } else {
        l->pending++;
    }

    l->used = now;

    ngx_cira_hooks_unlock();

    if (rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "address is banned after failed logins");

    } else if (rc == NGX_BUSY) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "address has %ui logins in progress already",
                      hcf->pending);
    }

    return rc;
}


void
ngx_cira_limit_leave(ngx_connection_t *c)
{
    u_char                 key[16];
    ngx_cira_limit_t      *l;
    ngx_cira_hooks_shm_t  *shm;

    if (ngx_cira_limit_none(c)) {
        return;
    }

    shm = ngx_cira_hooks_lock();
    if (shm == NULL) {
        return;
    }

    ngx_cira_limit_key(c, key);
    l = ngx_cira_limit_find(shm, key, 0);

    /* a record that gave way, or a reset, makes the count too small */

    if (l && l->pending) {
        l->pending--;
    }

    ngx_cira_hooks_unlock();
}


void
ngx_cira_limit_failure(ngx_connection_t *c, ngx_log_t *log)
{
    u_char                  key[16];
    time_t                  now;
    ngx_uint_t              banned;
    ngx_cira_limit_t       *l;
    ngx_cira_hooks_shm_t   *shm;
    ngx_cira_hooks_conf_t  *hcf;

    hcf = ngx_cira_hooks_conf();
    if (hcf == NULL || hcf->failures == 0 || ngx_cira_limit_none(c)) {
        return;
    }

    shm = ngx_cira_hooks_lock();
    if (shm == NULL) {
        return;
    }

    now = ngx_time();
    banned = 0;

    ngx_cira_limit_key(c, key);
    l = ngx_cira_limit_find(shm, key, 1);

    if (l->failures == 0 || now - l->start >= hcf->period) {
        l->start = now;
        l->failures = 0;
    }

    l->used = now;

    if (++l->failures >= hcf->failures) {
        l->banned = now + hcf->ban;
        l->failures = 0;
        banned = 1;
    }

    ngx_cira_hooks_unlock();

    if (banned) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "address is banned for %T s: %ui failed logins within "
                      "%T s", hcf->ban, hcf->failures, hcf->period);
    }
}


void
ngx_cira_limit_reset(void)
{
    ngx_uint_t             i;
    ngx_cira_hooks_shm_t  *shm;

    shm = ngx_cira_hooks_lock();
    if (shm == NULL) {
        return;
    }

    for (i = 0; i < shm->sets * NGX_CIRA_LIMIT_WAYS; i++) {
        shm->limits[i].pending = 0;
    }

    ngx_cira_hooks_unlock();
}


/*
 * Who comes over a unix socket has no address of its own: one that fails
 * would have all others banned.
 */

static ngx_uint_t
ngx_cira_limit_none(ngx_connection_t *c)
{
    return c->sockaddr->sa_family == AF_UNIX;
}


static void
ngx_cira_limit_key(ngx_connection_t *c, u_char *key)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    ngx_memzero(key, 16);

    switch (c->sockaddr->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) c->sockaddr;
        key[10] = 0xff;
        key[11] = 0xff;
        ngx_memcpy(key + 12, &sin->sin_addr, 4);
        break;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) c->sockaddr;

        /* a subscriber has a /64; mapped IPv4 addresses are distinct */

        ngx_memcpy(key, &sin6->sin6_addr,
                   IN6_IS_ADDR_V4MAPPED(&sin6->sin6_addr) ? 16 : 8);
        break;
#endif

    default:
        break;
    }
}


static ngx_cira_limit_t *
ngx_cira_limit_find(ngx_cira_hooks_shm_t *shm, u_char *key,
    ngx_uint_t create)
{
    time_t             now;
    uint32_t           hash;
    ngx_uint_t         i;
    ngx_cira_limit_t  *l, *set, *victim;

    /* FNV-1a */

    hash = 2166136261U;

    for (i = 0; i < 16; i++) {
        hash = (hash ^ key[i]) * 16777619U;
    }

    hash ^= hash >> 15;

    set = shm->limits + (hash % shm->sets) * NGX_CIRA_LIMIT_WAYS;

    victim = NULL;
    now = ngx_time();

    for (i = 0; i < NGX_CIRA_LIMIT_WAYS; i++) {
        l = set + i;

        if (l->used && ngx_memcmp(l->addr, key, 16) == 0) {
            return l;
        }

        /* a ban gives way last, so that it cannot be pushed out cheaply */

        if (victim == NULL
            || (l->banned > now) < (victim->banned > now)
            || ((l->banned > now) == (victim->banned > now)
                && l->used < victim->used))
        {
            victim = l;
        }
    }

    if (!create) {
        return NULL;
    }

    ngx_memzero(victim, sizeof(ngx_cira_limit_t));
    ngx_memcpy(victim->addr, key, 16);
    victim->used = now;

    return victim;
}
