
/*
 * The password of a conversation, as the digest HA1 of the device's realm:
 * from the cache, from Vault, or the caller's.  See ngx_amt_device.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "device/ngx_amt_device_priv.h"
#include "device/ngx_amt_pending.h"
#include "vault/ngx_amt_vault.h"
#include <openssl/sha.h>


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_device_t          *dev;
    ngx_str_t                  path;
    ngx_amt_secret_t           secret;
    unsigned                   again:1;  /* dev's own was refused */
} ngx_amt_device_login_t;


static ngx_int_t ngx_amt_device_login_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_device_login_drop(void *data);
static void ngx_amt_device_offer(ngx_amt_device_t *dev, ngx_str_t *realm,
    const char *current, const char *pending);


/*
 * HA1 for the realm of the current challenge, from the cache or from Vault.
 * again: from Vault alone, since the device refused the one there is; when
 * that is Vault's, the pending one of a change that was interrupted.  The
 * result is NGX_DECLINED when there is no other.
 */

ngx_int_t
ngx_amt_device_login(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_uint_t again)
{
    ngx_str_t                realm;
    ngx_amt_device_login_t  *v;

    if (dev->given) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_DEVICE_AUTH,
                                  "device changed its realm");
    }

    realm.data = dev->digest.realm;
    realm.len = dev->digest.realm_len;

    if (!again
        && ngx_amt_ha1_get(ngx_amt_device_conf()->cache, dev->info.guid,
                           &realm, dev->ha1) == NGX_OK)
    {
        dev->have_ha1 = 1;
        dev->from_cache = 1;
        dev->pending = 0;
        dev->accepted = 0;
        dev->realm_len = (u_char) realm.len;
        ngx_memcpy(dev->realm, realm.data, realm.len);

        return NGX_OK;
    }

    v = ngx_amt_frame_alloc(f, "device_login",
                            sizeof(ngx_amt_device_login_t),
                            ngx_amt_device_login_body,
                            ngx_amt_device_login_drop);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->dev = dev;
    v->again = again ? 1 : 0;

    if (ngx_amt_device_path(f, dev, &v->path) != NGX_OK) {
        ngx_amt_frame_free(f, v);
        return NGX_ERROR;
    }

    return ngx_amt_call(f, v);
}


ngx_int_t
ngx_amt_device_path(ngx_amt_flow_t *f, ngx_amt_device_t *dev, ngx_str_t *path)
{
    u_char  *p;

    p = ngx_pnalloc(f->pool, sizeof("devices/") - 1 + NGX_CIRA_GUID_TEXT);
    if (p == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    path->data = p;
    p = ngx_cpymem(p, "devices/", sizeof("devices/") - 1);
    path->len = ngx_cira_guid_text(p, dev->info.guid) - path->data;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_device_login_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_device_login_t *v = data;

    u_char             ha1[NGX_AMT_DIGEST_HA1];
    ngx_str_t          realm;
    const char        *text, *other;
    ngx_uint_t         pending;
    ngx_amt_device_t  *dev;

    ngx_amt_begin(f, v);

    ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->secret));

    if (v->frame.rc == NGX_DECLINED) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_NO_PASSWORD,
                                  "Vault has no secret %V", &v->path);
    }

    if (v->frame.rc != NGX_OK) {
        goto fail;
    }

    text = ngx_amt_secret_get(&v->secret, "AMT_PASSWORD");

    if (text == NULL || *text == '\0') {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_NO_PASSWORD,
                                  "Vault has no AMT_PASSWORD in %V",
                                  &v->path);
    }

    dev = v->dev;
    pending = 0;

    realm.data = dev->digest.realm;
    realm.len = dev->digest.realm_len;

    other = ngx_amt_secret_get(&v->secret, NGX_AMT_PENDING_AMT);

    if (other && *other == '\0') {
        other = NULL;
    }

    ngx_amt_device_offer(dev, &realm, text, other);

    if (ngx_amt_ha1_refused(ngx_amt_device_conf()->cache, dev->info.guid,
                            &realm, dev->offer)
        == NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_DEVICE_AUTH,
                                  "device refused AMT_PASSWORD of Vault a "
                                  "moment ago");
    }

    ngx_amt_pending_ha1(&realm, text, ha1);

    if (v->again && ngx_memcmp(ha1, dev->ha1, NGX_AMT_DIGEST_HA1) == 0) {

        if (other == NULL) {
            v->frame.rc = NGX_DECLINED;

        } else {
            ngx_amt_pending_ha1(&realm, other, ha1);
            pending = 1;
        }
    }

    ngx_amt_secret_wipe(&v->secret);

    ngx_memcpy(dev->ha1, ha1, NGX_AMT_DIGEST_HA1);
    ngx_explicit_memzero(ha1, NGX_AMT_DIGEST_HA1);

    dev->have_ha1 = 1;
    dev->from_cache = 0;
    dev->pending = pending;
    dev->accepted = 0;
    dev->realm_len = dev->digest.realm_len;
    ngx_memcpy(dev->realm, dev->digest.realm, dev->digest.realm_len);

fail:

    return v->frame.rc;
}


static void
ngx_amt_device_offer(ngx_amt_device_t *dev, ngx_str_t *realm,
    const char *current, const char *pending)
{
    size_t  len;
    u_char  ha1[2 * NGX_AMT_DIGEST_HA1];

    ngx_amt_pending_ha1(realm, current, ha1);
    len = NGX_AMT_DIGEST_HA1;

    if (pending) {
        ngx_amt_pending_ha1(realm, pending, ha1 + len);
        len += NGX_AMT_DIGEST_HA1;
    }

    (void) SHA256(ha1, len, dev->offer);
    dev->offered = 1;

    ngx_explicit_memzero(ha1, sizeof(ha1));
}


ngx_int_t
ngx_amt_device_refused(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_uint_t sure)
{
    ngx_str_t             realm;
    ngx_amt_ha1_cache_t  *cache;

    cache = ngx_amt_device_conf()->cache;

    if (sure && dev->offered) {
        realm.data = dev->digest.realm;
        realm.len = dev->digest.realm_len;

        ngx_amt_ha1_refuse(cache, dev->info.guid, &realm, dev->offer, f->log);

    } else {
        ngx_amt_ha1_forget(cache, dev->info.guid);
    }

    return ngx_amt_flow_error(f, NGX_AMT_ERR_DEVICE_AUTH,
                              "device refused AMT_PASSWORD of Vault");
}


ngx_int_t
ngx_amt_device_use(ngx_amt_device_t *dev, const char *password)
{
    ngx_str_t  realm;

    if (dev->digest.realm_len == 0) {
        return NGX_ERROR;
    }

    if (!dev->own || dev->accepted) {

        /* else it is the challenge of a refusal, and as good as a new one */

        dev->digest.nonce_len = 0;
        dev->own = 0;
    }

    dev->pending = 0;
    dev->accepted = 0;
    dev->from_cache = 0;
    dev->given = password != NULL;
    dev->have_ha1 = password != NULL;

    if (password) {
        realm.data = dev->digest.realm;
        realm.len = dev->digest.realm_len;

        ngx_amt_pending_ha1(&realm, password, dev->ha1);

        dev->realm_len = dev->digest.realm_len;
        ngx_memcpy(dev->realm, dev->digest.realm, dev->realm_len);
    }

    return NGX_OK;
}


ngx_uint_t
ngx_amt_device_is(ngx_amt_device_t *dev, const char *password)
{
    u_char      ha1[NGX_AMT_DIGEST_HA1];
    ngx_str_t   realm;
    ngx_uint_t  is;

    if (!dev->accepted || !ngx_amt_device_have_ha1(dev)) {
        return 0;
    }

    realm.data = dev->realm;
    realm.len = dev->realm_len;

    ngx_amt_pending_ha1(&realm, password, ha1);

    is = ngx_memcmp(ha1, dev->ha1, NGX_AMT_DIGEST_HA1) == 0;

    ngx_explicit_memzero(ha1, NGX_AMT_DIGEST_HA1);

    return is;
}


void
ngx_amt_device_pin(ngx_amt_device_t *dev, ngx_uint_t on)
{
    dev->pinned = on ? 1 : 0;
}


static void
ngx_amt_device_login_drop(void *data)
{
    ngx_amt_device_login_t *v = data;

    ngx_amt_secret_wipe(&v->secret);
}


/* An HA1 is for one realm; another realm is another provisioning. */

ngx_uint_t
ngx_amt_device_have_ha1(ngx_amt_device_t *dev)
{
    return dev->have_ha1
           && dev->realm_len == dev->digest.realm_len
           && ngx_memcmp(dev->realm, dev->digest.realm, dev->realm_len) == 0;
}
