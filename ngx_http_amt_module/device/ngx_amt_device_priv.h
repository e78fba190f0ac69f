
/* What the parts of a conversation share, see ngx_amt_device.h. */


#ifndef _NGX_AMT_DEVICE_PRIV_H_INCLUDED_
#define _NGX_AMT_DEVICE_PRIV_H_INCLUDED_


#include "device/ngx_amt_device.h"
#include "device/ngx_amt_tunnel.h"
#include "device/ngx_http_amt_device_module.h"
#include "wsman/ngx_amt_digest.h"


#define NGX_AMT_DEVICE_HOST                                                   \
    (NGX_CIRA_GUID_TEXT + sizeof(":16992") - 1)


struct ngx_amt_device_s {
    ngx_amt_tunnel_t      tunnel;
    ngx_amt_tunnel_options_t  options;
    ngx_cira_info_t       info;
    ngx_pool_t           *pool;          /* of one exchange, then wiped */

    u_char                host[NGX_AMT_DEVICE_HOST];

    ngx_amt_digest_t      digest;        /* challenge in use */

    u_char                ha1[NGX_AMT_DIGEST_HA1];
    u_char                realm[NGX_AMT_DIGEST_MAX_REALM];
    u_char                realm_len;     /* ha1 is for this realm */

    u_char                offer[NGX_AMT_DIGEST_HA1];

    ngx_uint_t            ids[3];        /* MessageID: AMT, CIM, IPS */
    size_t                received;      /* bytes of the last answer */

    unsigned              have_ha1:1;
    unsigned              from_cache:1;  /* ha1 is not from Vault */
    unsigned              offered:1;     /* offer is a hash of all passwords
                                            that Vault has */
    unsigned              pending:1;     /* ha1 is of the pending password */
    unsigned              given:1;       /* ha1 is the caller's */
    unsigned              pinned:1;
    unsigned              accepted:1;    /* ha1 by the device */
    unsigned              own:1;         /* the nonce came to this one, and
                                            nobody had the slot since */
};


/* ---- ngx_amt_device.c ---- */

ngx_http_amt_device_conf_t *ngx_amt_device_conf(void);

/* Memory of the last exchange is wiped, and used again. */
void ngx_amt_device_reset(ngx_amt_device_t *dev);

/* Operation: dials, and takes over the state of the slot. */
ngx_int_t ngx_amt_device_connect(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, ngx_msec_t deadline);


/* ---- ngx_amt_device_login.c ---- */

/*
 * Operation: HA1 for the realm of the challenge, from cache or Vault; again:
 * the device refused it, NGX_DECLINED when there is no other.
 */
ngx_int_t ngx_amt_device_login(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, ngx_uint_t again);

/* "devices/<guid>" in the flow's pool */
ngx_int_t ngx_amt_device_path(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, ngx_str_t *path);

ngx_uint_t ngx_amt_device_have_ha1(ngx_amt_device_t *dev);

/*
 * The device refused all passwords; sure: in answers to challenges of this
 * conversation alone, and then it is not bothered with them again for some
 * seconds.  Always NGX_ERROR.
 */
ngx_int_t ngx_amt_device_refused(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_uint_t sure);


/* ---- ngx_amt_device_call.c ---- */

/* The channel cannot be trusted any more: always NGX_ERROR. */
ngx_int_t ngx_amt_device_bad(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const char *text);

/* The tunnel's error becomes the flow's. */
ngx_int_t ngx_amt_device_failed(ngx_amt_flow_t *f,
    ngx_amt_tunnel_t *t);

/* ms until then, at least 1 */
ngx_msec_t ngx_amt_device_left(ngx_msec_t deadline);


#endif /* _NGX_AMT_DEVICE_PRIV_H_INCLUDED_ */
