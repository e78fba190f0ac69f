
/*
 * Conversations with AMT devices; see ngx_amt_device.h.  The tunnel carries
 * bytes, this file decides: where to dial, when to log in, when a request
 * may be sent again.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "device/ngx_amt_device.h"
#include "device/ngx_amt_pending.h"
#include "device/ngx_amt_tunnel.h"
#include "device/ngx_http_amt_device_module.h"
#include "vault/ngx_amt_vault.h"
#include "wsman/ngx_amt_digest.h"


#define NGX_AMT_DEVICE_MAX_PULLS  64
#define NGX_AMT_DEVICE_MAX_ENUM   (1024 * 1024)
#define NGX_AMT_DEVICE_MAX_NODES  32768  /* elements of all items: each takes
                                            far more memory than on the wire */
#define NGX_AMT_DEVICE_MAX_CTX    4096
#define NGX_AMT_DEVICE_DIALS      2      /* channels a call may use up beyond
                                            those the device closed after an
                                            answer */

#define NGX_AMT_DEVICE_PAUSE      100    /* ms */

#define NGX_AMT_DEVICE_HOST                                                   \
    (NGX_CIRA_GUID_TEXT + sizeof(":16992") - 1)


struct ngx_amt_device_s {
    ngx_amt_tunnel_t      tunnel;
    ngx_amt_tunnel_options_t  options;
    ngx_cira_info_t       info;
    ngx_pool_t           *pool;          /* of one exchange, then reset */

    u_char                host[NGX_AMT_DEVICE_HOST];

    ngx_amt_digest_t      digest;        /* challenge in use */
    u_char                state[NGX_AMT_DIGEST_STATE];
    size_t                state_len;     /* as the owner handed it over */

    u_char                ha1[NGX_AMT_DIGEST_HA1];
    u_char                realm[NGX_AMT_DIGEST_MAX_REALM];
    u_char                realm_len;     /* ha1 is for this realm */

    ngx_uint_t            ids[3];        /* MessageID: AMT, CIM, IPS */
    size_t                received;      /* bytes of the last answer */

    unsigned              have_ha1:1;
    unsigned              from_cache:1;  /* ha1 is not from Vault */
    unsigned              pending:1;     /* ha1 is of the pending password */
    unsigned              given:1;       /* ha1 is the caller's */
    unsigned              pinned:1;
    unsigned              accepted:1;    /* ha1 by the device */
};


/* ---- frames ---- */

typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_device_t          *dev;
    ngx_amt_device_t         **result;
} ngx_amt_device_open_t;


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_device_t          *dev;
    ngx_msec_t                 deadline;
    ngx_amt_http_response_t    res;
    ngx_uint_t                 tries;
} ngx_amt_device_connect_t;


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_device_t          *dev;
    ngx_str_t                  path;
    ngx_amt_secret_t           secret;
    unsigned                   again:1;  /* dev's own was refused */
} ngx_amt_device_login_t;


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_device_t          *dev;
    ngx_amt_wsman_response_t  *result;

    ngx_str_t                  xml;
    ngx_uint_t                 id;
    ngx_msec_t                 deadline;
    ngx_amt_http_response_t    res;
    ngx_str_t                  out;

    ngx_uint_t                 dials;
    ngx_uint_t                 refused;  /* credentials, not stale */

    ngx_amt_wsman_op_e         op;
    const char                *class;
    const char                *method;

    unsigned                   strict:1; /* see ngx_amt_device_call() */
    unsigned                   idempotent:1;
    unsigned                   authorized:1; /* sent with credentials */
    unsigned                   challenged:1; /* nonce is of this call */
    unsigned                   stale:1;      /* was forgiven once */
    unsigned                   verified:1;   /* ha1 was read from Vault
                                                after it was refused */
    unsigned                   pended:1;     /* the pending password, too */
    ngx_str_t                  path;         /* of the secret */
    ngx_str_t                  realm;
} ngx_amt_device_call_t;


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_device_t          *dev;
    const char                *class;
    ngx_array_t               *items;
    ngx_array_t              **result;
    ngx_amt_wsman_response_t  *res;
    ngx_amt_wsman_request_t    req;
    ngx_uint_t                 pulls;
    ngx_uint_t                 nodes;
    size_t                     received;
} ngx_amt_device_enum_t;


static ngx_http_amt_device_conf_t *ngx_amt_device_conf(void);
static void ngx_amt_device_open_drop(void *data);
static ngx_int_t ngx_amt_device_open_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_device_connect(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, ngx_msec_t deadline);
static ngx_int_t ngx_amt_device_connect_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_device_connect_again(ngx_amt_flow_t *f,
    ngx_amt_device_connect_t *v);
static void ngx_amt_device_take_state(ngx_amt_device_t *dev,
    ngx_str_t *state);
static size_t ngx_amt_device_leave(ngx_amt_tunnel_t *t, u_char *buf);
static ngx_int_t ngx_amt_device_login(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, ngx_uint_t again);
static ngx_int_t ngx_amt_device_login_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_device_login_drop(void *data);
static ngx_int_t ngx_amt_device_path(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, ngx_str_t *path);
static ngx_uint_t ngx_amt_device_have_ha1(ngx_amt_device_t *dev);
static ngx_int_t ngx_amt_device_call_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_device_call_drop(void *data);
static void ngx_amt_device_wipe_out(ngx_amt_device_call_t *v);
static ngx_int_t ngx_amt_device_prepare(ngx_amt_flow_t *f,
    ngx_amt_device_call_t *v);
static ngx_int_t ngx_amt_device_resend(ngx_amt_device_call_t *v);
static ngx_int_t ngx_amt_device_challenge(ngx_amt_flow_t *f,
    ngx_amt_device_call_t *v);
static void ngx_amt_device_accepted(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, ngx_amt_wsman_response_t *res);
static ngx_int_t ngx_amt_device_answer(ngx_amt_flow_t *f,
    ngx_amt_device_call_t *v);
static ngx_int_t ngx_amt_device_check(ngx_amt_flow_t *f,
    ngx_amt_device_call_t *v);
static ngx_int_t ngx_amt_device_bad(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const char *text);
static ngx_int_t ngx_amt_device_failed(ngx_amt_flow_t *f,
    ngx_amt_tunnel_t *t);
static ngx_msec_t ngx_amt_device_left(ngx_msec_t deadline);
static ngx_int_t ngx_amt_device_enumerate(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, const char *class, ngx_uint_t strict,
    ngx_array_t **items, ngx_amt_wsman_response_t *res);
static ngx_int_t ngx_amt_device_enum_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_device_enum_take(ngx_amt_flow_t *f,
    ngx_amt_device_enum_t *v);
static ngx_uint_t ngx_amt_device_nodes(ngx_amt_xml_t *x);


static ngx_http_amt_device_conf_t *
ngx_amt_device_conf(void)
{
    return ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_amt_device_module);
}


ngx_int_t
ngx_amt_device_lookup(ngx_str_t *guid, ngx_cira_info_t *info)
{
    u_char           id[NGX_CIRA_GUID_LEN];
    ngx_int_t        rc;
    ngx_cira_api_t  *api;

    if (ngx_cira_guid_parse(guid->data, guid->len, id) != NGX_OK) {
        return NGX_DECLINED;
    }

    api = ngx_cira_api_find((ngx_cycle_t *) ngx_cycle);

    if (api == NULL) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "no device plane: load ngx_stream_cira_module.so "
                      "of the same version before ngx_http_amt_module.so");
        return NGX_ERROR;
    }

    rc = api->lookup(id, info);

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "no device plane: \"cira_zone\" is not configured");
    }

    return rc;
}


/* ---- opening ---- */

ngx_int_t
ngx_amt_device_open(ngx_amt_flow_t *f, ngx_cira_info_t *info,
    ngx_uint_t fresh, ngx_amt_device_t **result)
{
    u_char                 *p;
    ngx_amt_device_t       *dev;
    ngx_amt_device_open_t  *v;

    *result = NULL;

    if (ngx_amt_device_conf() == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "no http configuration");
    }

    v = ngx_amt_frame_alloc(f, "device_open", sizeof(ngx_amt_device_open_t),
                            ngx_amt_device_open_body,
                            ngx_amt_device_open_drop);
    if (v == NULL) {
        return NGX_ERROR;
    }

    dev = ngx_calloc(sizeof(ngx_amt_device_t), f->log);
    if (dev == NULL) {
        ngx_amt_frame_free(f, v);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    v->dev = dev;
    v->result = result;

    ngx_amt_tunnel_init(&dev->tunnel, f->log);

    dev->tunnel.leave = ngx_amt_device_leave;

    dev->info = *info;
    dev->options.fresh = fresh ? 1 : 0;
    dev->options.direct = ngx_amt_device_conf()->direct ? 1 : 0;

    p = ngx_cira_guid_text(dev->host, info->guid);
    ngx_memcpy(p, ":16992", sizeof(":16992") - 1);

    dev->pool = ngx_create_pool(4096, f->log);
    if (dev->pool == NULL) {
        ngx_amt_frame_free(f, v);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return ngx_amt_call(f, v);
}


static void
ngx_amt_device_open_drop(void *data)
{
    ngx_amt_device_open_t *v = data;

    ngx_amt_device_close(v->dev);
}


static ngx_int_t
ngx_amt_device_open_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_device_open_t *v = data;

    ngx_amt_begin(f, v);

    ngx_amt_await(f, v,
                  ngx_amt_device_connect(f, v->dev, ngx_current_msec
                                         + ngx_amt_device_conf()->timeout));

    *v->result = v->dev;
    v->dev = NULL;

    ngx_amt_end(f, v);

fail:

    return v->frame.rc;
}


static ngx_int_t
ngx_amt_device_connect(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_msec_t deadline)
{
    ngx_amt_device_connect_t  *v;

    v = ngx_amt_frame_alloc(f, "device_connect",
                            sizeof(ngx_amt_device_connect_t),
                            ngx_amt_device_connect_body, NULL);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->dev = dev;
    v->deadline = deadline;

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_device_connect_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_device_connect_t *v = data;

    ngx_amt_begin(f, v);

    for ( ;; ) {

        ngx_reset_pool(v->dev->pool);

        ngx_amt_await_rc(f, v,
                         ngx_amt_tunnel_connect(f, &v->dev->tunnel,
                                           &v->dev->info, &v->dev->options,
                                           ngx_amt_device_left(v->deadline),
                                           v->dev->pool, &v->res));

        if (v->frame.rc == NGX_OK) {
            break;
        }

        if (v->dev->tunnel.gone && v->dev->tunnel.err == NGX_AMT_ERR_BUSY
            && v->tries == 0)
        {
            /* no answer of the owner: if it is dying, that shows soon */

            ngx_amt_await(f, v, ngx_amt_flow_sleep(f, NGX_AMT_DEVICE_PAUSE));
        }

        v->frame.rc = ngx_amt_device_connect_again(f, v);

        if (v->frame.rc != NGX_OK) {
            goto fail;
        }
    }

    ngx_amt_device_take_state(v->dev, &v->res.cira_state);

    ngx_amt_end(f, v);

fail:

    return v->frame.rc;
}


/* The device may have moved to another worker: one more look. */

static ngx_int_t
ngx_amt_device_connect_again(ngx_amt_flow_t *f, ngx_amt_device_connect_t *v)
{
    ngx_int_t          rc;
    ngx_cira_info_t    info;
    ngx_cira_api_t    *api;
    ngx_amt_device_t  *dev;

    dev = v->dev;

    if (!dev->tunnel.gone || v->tries++) {
        return ngx_amt_device_failed(f, &dev->tunnel);
    }

    api = ngx_cira_api_find((ngx_cycle_t *) ngx_cycle);

    rc = api ? api->lookup(dev->info.guid, &info) : NGX_DECLINED;

    if (rc != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_NOT_CONNECTED,
                                  "device is not connected");
    }

    /* whoever was allowed to call was so for this tenant's device */

    if (info.tenant_len != dev->info.tenant_len
        || ngx_memcmp(info.tenant, dev->info.tenant, info.tenant_len) != 0)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_NOT_CONNECTED,
                                  "device changed its tenant");
    }

    dev->info = info;

    return NGX_OK;
}


/*
 * State that differs from what this conversation got before is of another
 * holder, and newer than a challenge of our own.
 */

static void
ngx_amt_device_take_state(ngx_amt_device_t *dev, ngx_str_t *state)
{
    if (state->len == 0
        || (state->len == dev->state_len
            && ngx_memcmp(state->data, dev->state, state->len) == 0))
    {
        return;
    }

    if (ngx_amt_digest_decode(state, &dev->digest) != NGX_OK) {
        ngx_log_error(NGX_LOG_WARN, dev->tunnel.log, 0,
                      "device slot has a state that is not ours");
        return;
    }

    dev->state_len = state->len;
    ngx_memcpy(dev->state, state->data, state->len);
}


/*
 * A challenge ends the channel, and with it the slot.  The next holder gets
 * the nonce: with one of his own he would make this one worthless, since
 * devices know only a few, and of many first calls at once none would ever be
 * let in.
 */

static size_t
ngx_amt_device_leave(ngx_amt_tunnel_t *t, u_char *buf)
{
    ngx_amt_digest_t  digest;

    if (t->res->status != 401
        || ngx_amt_digest_parse(t->res->auth, t->res->n_auth, &digest)
           != NGX_OK)
    {
        return 0;
    }

    return ngx_amt_digest_encode(&digest, buf);
}


void
ngx_amt_device_close(ngx_amt_device_t *dev)
{
    u_char     buf[NGX_AMT_DIGEST_STATE];
    ngx_str_t  state;

    if (dev == NULL) {
        return;
    }

    state.data = buf;
    state.len = 0;

    if (ngx_amt_tunnel_is_open(&dev->tunnel) && dev->digest.nonce_len) {
        state.len = ngx_amt_digest_encode(&dev->digest, buf);
    }

    ngx_amt_tunnel_release(&dev->tunnel, &state);

    if (dev->pool) {
        ngx_destroy_pool(dev->pool);
    }

    ngx_explicit_memzero(dev, sizeof(ngx_amt_device_t));
    ngx_free(dev);
}


void
ngx_amt_device_forget(ngx_str_t *guid)
{
    u_char                       id[NGX_CIRA_GUID_LEN];
    ngx_http_amt_device_conf_t  *dcf;

    dcf = ngx_amt_device_conf();

    if (dcf && ngx_cira_guid_parse(guid->data, guid->len, id) == NGX_OK) {
        ngx_amt_ha1_forget(dcf->cache, id);
    }
}


/* ---- the password ---- */

/*
 * HA1 for the realm of the current challenge, from the cache or from Vault.
 * again: from Vault alone, since the device refused the one there is; when
 * that is Vault's, the pending one of a change that was interrupted.  The
 * result is NGX_DECLINED when there is no other.
 */

static ngx_int_t
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


static ngx_int_t
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
    const char        *text;
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

    ngx_amt_pending_ha1(&realm, text, ha1);

    if (v->again && ngx_memcmp(ha1, dev->ha1, NGX_AMT_DIGEST_HA1) == 0) {

        text = ngx_amt_secret_get(&v->secret, NGX_AMT_PENDING_AMT);

        if (text == NULL || *text == '\0') {
            v->frame.rc = NGX_DECLINED;

        } else {
            ngx_amt_pending_ha1(&realm, text, ha1);
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


ngx_int_t
ngx_amt_device_use(ngx_amt_device_t *dev, const char *password)
{
    ngx_str_t  realm;

    if (dev->digest.realm_len == 0) {
        return NGX_ERROR;
    }

    dev->digest.nonce_len = 0;
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

static ngx_uint_t
ngx_amt_device_have_ha1(ngx_amt_device_t *dev)
{
    return dev->have_ha1
           && dev->realm_len == dev->digest.realm_len
           && ngx_memcmp(dev->realm, dev->digest.realm, dev->realm_len) == 0;
}


/* ---- one request, one answer ---- */

ngx_int_t
ngx_amt_device_call(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_amt_wsman_request_t *req, ngx_amt_wsman_response_t *res)
{
    ngx_int_t               rc;
    ngx_uint_t             *id;
    ngx_amt_device_call_t  *v;

    ngx_memzero(res, sizeof(ngx_amt_wsman_response_t));

    v = ngx_amt_frame_alloc(f, "device_call", sizeof(ngx_amt_device_call_t),
                            ngx_amt_device_call_body,
                            ngx_amt_device_call_drop);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->dev = dev;
    v->result = res;
    v->deadline = ngx_current_msec + ngx_amt_device_conf()->timeout;

    v->op = req->op;
    v->class = req->class;
    v->method = req->method;
    v->strict = req->strict;

    v->idempotent = (req->op == NGX_AMT_WSMAN_GET
                     || req->op == NGX_AMT_WSMAN_ENUMERATE
                     || req->op == NGX_AMT_WSMAN_PULL);

    id = &dev->ids[req->class[0] == 'A' ? 0 : req->class[0] == 'C' ? 1 : 2];
    v->id = (*id)++;

    rc = ngx_amt_wsman_build(f->pool, req, v->id, &v->xml);

    if (rc != NGX_OK) {
        ngx_amt_frame_free(f, v);

        if (rc == NGX_DECLINED) {
            return ngx_amt_flow_error(f, req->echo ? NGX_AMT_ERR_BAD_ANSWER
                                                   : NGX_AMT_ERR_INVALID,
                                      "%s: request does not fit an envelope",
                                      req->class);
        }

        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_device_call_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_device_call_t *v = data;

    ngx_amt_begin(f, v);

    for ( ;; ) {

        if (!ngx_amt_tunnel_is_open(&v->dev->tunnel)) {

            if (v->dev->pinned) {
                v->frame.rc = ngx_amt_flow_error(f, NGX_AMT_ERR_CONFLICT,
                                           "conversation was interrupted");
                goto fail;
            }

            ngx_amt_await(f, v,
                          ngx_amt_device_connect(f, v->dev, v->deadline));

            /* the nonce may be another holder's now */

            v->challenged = 0;
        }

        if (v->dev->digest.nonce_len && !ngx_amt_device_have_ha1(v->dev)) {
            ngx_amt_await(f, v, ngx_amt_device_login(f, v->dev, 0));
        }

        v->frame.rc = ngx_amt_device_prepare(f, v);

        if (v->frame.rc != NGX_OK) {
            goto fail;
        }

        ngx_amt_await_rc(f, v,
                         ngx_amt_tunnel_exchange(f, &v->dev->tunnel, &v->out,
                                           ngx_amt_device_left(v->deadline),
                                           v->dev->pool, &v->res));

        ngx_amt_device_wipe_out(v);

        if (v->frame.rc != NGX_OK) {

            if (ngx_amt_device_resend(v) == NGX_OK) {
                continue;
            }

            v->frame.rc = ngx_amt_device_failed(f, &v->dev->tunnel);
            goto fail;
        }

        if (v->res.status != 401) {
            break;
        }

        v->frame.rc = ngx_amt_device_challenge(f, v);

        if (v->frame.rc == NGX_ERROR) {
            goto fail;
        }

        if (v->frame.rc == NGX_DECLINED) {

            /* a cached HA1 was refused: perhaps Vault knows better */

            ngx_amt_await_rc(f, v, ngx_amt_device_login(f, v->dev, 1));

            if (v->frame.rc == NGX_DECLINED) {
                ngx_amt_ha1_forget(ngx_amt_device_conf()->cache,
                                   v->dev->info.guid);
                v->frame.rc = ngx_amt_flow_error(f, NGX_AMT_ERR_DEVICE_AUTH,
                                     "device refused AMT_PASSWORD of Vault");
            }

            if (v->frame.rc != NGX_OK) {
                goto fail;
            }
        }
    }

    v->frame.rc = ngx_amt_device_answer(f, v);

    if (v->frame.rc != NGX_OK) {
        goto fail;
    }

    if (v->dev->pending && v->authorized) {

        /* a change of the password was interrupted, and this is its end */

        v->dev->pending = 0;

        if (ngx_amt_device_path(f, v->dev, &v->path) != NGX_OK) {
            v->frame.rc = NGX_ERROR;
            goto fail;
        }

        v->realm.data = v->dev->realm;
        v->realm.len = v->dev->realm_len;

        ngx_amt_await_rc(f, v, ngx_amt_pending_accept(f, &v->path, &v->realm,
                                                      v->dev->ha1));

        if (v->frame.rc == NGX_OK) {
            ngx_log_error(NGX_LOG_NOTICE, f->log, 0,
                          "device has its pending AMT password, which is the "
                          "current one in Vault now");

        } else {
            ngx_log_error(NGX_LOG_WARN, f->log, 0,
                          "device has its pending AMT password, but Vault "
                          "was not told: %V", &f->err.text);

            /* not kept: so the next conversation comes here again */

            v->dev->have_ha1 = 0;
            ngx_amt_flow_clear(f);
        }
    }

    v->frame.rc = v->strict ? ngx_amt_device_check(f, v) : NGX_OK;

fail:

    return v->frame.rc;
}


static void
ngx_amt_device_call_drop(void *data)
{
    ngx_amt_device_call_t *v = data;

    /* a request may carry passwords */

    if (v->xml.len) {
        ngx_explicit_memzero(v->xml.data, v->xml.len);
    }

    ngx_amt_device_wipe_out(v);
}


/* What was sent is in dev->pool: to be called before that is reset. */

static void
ngx_amt_device_wipe_out(ngx_amt_device_call_t *v)
{
    if (v->out.len) {
        ngx_explicit_memzero(v->out.data, v->out.len);
        v->out.len = 0;
    }
}


static ngx_int_t
ngx_amt_device_prepare(ngx_amt_flow_t *f, ngx_amt_device_call_t *v)
{
    ngx_int_t          rc;
    ngx_str_t          host, auth, head;
    ngx_amt_device_t  *dev;

    static ngx_str_t  user = ngx_string("admin");

    dev = v->dev;

    ngx_reset_pool(dev->pool);

    host.data = dev->host;
    host.len = NGX_AMT_DEVICE_HOST;

    ngx_str_null(&auth);

    v->authorized = 0;

    if (dev->digest.nonce_len) {

        rc = ngx_amt_digest_authorization(dev->pool, &dev->digest, &user,
                                          dev->ha1, &auth);

        if (rc == NGX_DECLINED) {

            /* the count is used up: ask for another nonce */

            dev->digest.nonce_len = 0;

        } else if (rc != NGX_OK) {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                      "no memory or no random bytes");

        } else {
            v->authorized = 1;
        }
    }

    if (ngx_amt_http_request(dev->pool, &host, &auth, v->xml.len, &head)
        != NGX_OK
        || ngx_amt_tunnel_message(dev->pool, &head, &v->xml, &v->out)
           != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    /* copies of credentials; v->out is wiped when it was sent */

    ngx_explicit_memzero(head.data, head.len);

    if (auth.len) {
        ngx_explicit_memzero(auth.data, auth.len);
    }

    return NGX_OK;
}


/*
 * The channel ended without one byte of an answer.  When it was idle before
 * (pooled, or after an answer), the device may have closed it before it saw
 * the request: what changes nothing is sent once more, and whatever was
 * certainly not sent.
 */

static ngx_int_t
ngx_amt_device_resend(ngx_amt_device_call_t *v)
{
    ngx_amt_tunnel_t  *t;

    t = &v->dev->tunnel;

    if (t->err != NGX_AMT_ERR_LOST || v->dev->pinned
        || v->dials++ == NGX_AMT_DEVICE_DIALS)
    {
        return NGX_DECLINED;
    }

    if (t->unsent) {
        return NGX_OK;
    }

    if (v->res.started || !v->idempotent || !(t->reused || t->used)) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * 401: takes the new challenge.  NGX_OK: send again; NGX_DECLINED: read the
 * password from Vault and send again; NGX_ERROR: give up.  Credentials are
 * sent once more for a nonce that was not of this call, or that the device
 * calls stale; AMT itself always says it is not.
 */

static ngx_int_t
ngx_amt_device_challenge(ngx_amt_flow_t *f, ngx_amt_device_call_t *v)
{
    ngx_uint_t         fresh;
    ngx_amt_device_t  *dev;
    ngx_amt_digest_t   digest;

    dev = v->dev;

    if (ngx_amt_digest_parse(v->res.auth, v->res.n_auth, &digest) != NGX_OK) {
        return ngx_amt_device_bad(f, dev, "no usable digest challenge");
    }

    fresh = v->challenged;

    dev->digest = digest;
    v->challenged = 1;

    if (dev->pinned) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_CONFLICT,
                                  "device asks for another login");
    }

    if (!v->authorized) {

        if (fresh) {
            return ngx_amt_device_bad(f, dev, "challenges without end");
        }

        return NGX_OK;
    }

    if (digest.stale && !v->stale) {
        v->stale = 1;
        return NGX_OK;
    }

    if (!fresh && v->refused++ == 0) {
        return NGX_OK;
    }

    if (dev->from_cache && !v->verified) {
        v->verified = 1;
        ngx_amt_ha1_forget(ngx_amt_device_conf()->cache, dev->info.guid);

        return NGX_DECLINED;
    }

    if (dev->given) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_DEVICE_AUTH,
                                  "device refused the password");
    }

    if (!v->pended) {
        v->pended = 1;

        return NGX_DECLINED;
    }

    ngx_amt_ha1_forget(ngx_amt_device_conf()->cache, dev->info.guid);

    return ngx_amt_flow_error(f, NGX_AMT_ERR_DEVICE_AUTH,
                              "device refused AMT_PASSWORD of Vault");
}


/*
 * An answer of the WSMAN service proves the login, an error page of the web
 * server does not: it may come before credentials are looked at.
 */

static void
ngx_amt_device_accepted(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_amt_wsman_response_t *res)
{
    ngx_str_t  realm;

    static ngx_str_t  denied = ngx_string("AccessDenied");

    if (res->fault && res->fault_code.len == denied.len
        && ngx_memcmp(res->fault_code.data, denied.data, denied.len) == 0)
    {
        return;
    }

    dev->accepted = 1;

    if (dev->from_cache || dev->pending || dev->given) {
        return;
    }

    realm.data = dev->realm;
    realm.len = dev->realm_len;

    ngx_amt_ha1_put(ngx_amt_device_conf()->cache, dev->info.guid, &realm,
                    dev->ha1, f->log);

    dev->from_cache = 1;
}


static ngx_int_t
ngx_amt_device_answer(ngx_amt_flow_t *f, ngx_amt_device_call_t *v)
{
    u_char                     id[NGX_INT_T_LEN];
    size_t                     len;
    ngx_int_t                  rc;
    ngx_str_t                  relates;
    ngx_amt_device_t          *dev;
    ngx_amt_wsman_response_t  *res;

    dev = v->dev;
    res = v->result;

    dev->received = v->res.body.len;

    if (v->res.body.len == 0) {
        return ngx_amt_device_bad(f, dev, "answer without a body");
    }

    rc = ngx_amt_wsman_parse(f->pool, &v->res.body, res);

    if (rc == NGX_ERROR) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    if (rc == NGX_DECLINED) {
        return ngx_amt_device_bad(f, dev, "answer is not SOAP");
    }

    res->http_status = v->res.status;

    if (res->fault == NULL && v->res.status != 200) {
        return ngx_amt_device_bad(f, dev, "error without a fault");
    }

    if (v->authorized) {
        ngx_amt_device_accepted(f, dev, res);
    }

    relates = ngx_amt_xml_text(res->header, "RelatesTo");

    if (relates.len == 0 && res->fault) {
        return NGX_OK;
    }

    len = ngx_sprintf(id, "%ui", v->id) - id;

    if (relates.len != len || ngx_memcmp(relates.data, id, len) != 0) {
        return ngx_amt_device_bad(f, dev, "answer to another request");
    }

    return NGX_OK;
}


/* The channel cannot be trusted any more. */

/* What a strict call asks for. */

static ngx_int_t
ngx_amt_device_check(ngx_amt_flow_t *f, ngx_amt_device_call_t *v)
{
    size_t                     len;
    ngx_str_t                 *name;
    ngx_amt_wsman_response_t  *res;

    res = v->result;

    switch (v->op) {

    case NGX_AMT_WSMAN_GET:
        return ngx_amt_device_expect(f, v->class, res);

    case NGX_AMT_WSMAN_INVOKE:

        if (res->fault) {
            return ngx_amt_device_fault(f, v->method, res);
        }

        if (res->content) {
            name = &res->content->name;
            len = ngx_strlen(v->method);

            if (name->len == len + sizeof("_OUTPUT") - 1
                && ngx_strncmp(name->data, v->method, len) == 0
                && ngx_strncmp(name->data + len, "_OUTPUT",
                               sizeof("_OUTPUT") - 1)
                   == 0)
            {
                return NGX_OK;
            }
        }

        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "answer without %s_OUTPUT", v->method);

    default:

        if (res->fault) {
            return ngx_amt_device_fault(f, v->class, res);
        }

        return NGX_OK;
    }
}


static ngx_int_t
ngx_amt_device_bad(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const char *text)
{
    ngx_amt_tunnel_close(&dev->tunnel);

    return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER, "%s", text);
}


static ngx_int_t
ngx_amt_device_failed(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t)
{
    return ngx_amt_flow_error(f, t->err, "%s", t->text);
}


/* ms until then, at least 1 */

static ngx_msec_t
ngx_amt_device_left(ngx_msec_t deadline)
{
    ngx_msec_int_t  left;

    left = (ngx_msec_int_t) (deadline - ngx_current_msec);

    return left > 0 ? (ngx_msec_t) left : 1;
}


ngx_int_t
ngx_amt_device_get(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const char *class, ngx_amt_wsman_response_t *res)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_GET;
    req.class = class;

    return ngx_amt_device_call(f, dev, &req, res);
}


ngx_int_t
ngx_amt_device_fault(ngx_amt_flow_t *f, const char *what,
    ngx_amt_wsman_response_t *res)
{
    size_t     i;
    ngx_str_t  code;

    /* the text came from the device: letters are enough */

    code = res->fault_code;

    for (i = 0; i < code.len && i < 40; i++) {
        if ((code.data[i] | 0x20) < 'a' || (code.data[i] | 0x20) > 'z') {
            break;
        }
    }

    code.len = i;

    if (res->amt_status != -1) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_FAULT, "%s: %V, %s (%i)",
                                  what, &code,
                                  ngx_amt_wsman_status(res->amt_status),
                                  res->amt_status);
    }

    return ngx_amt_flow_error(f, NGX_AMT_ERR_FAULT, "%s: %V", what, &code);
}


ngx_int_t
ngx_amt_device_expect(ngx_amt_flow_t *f, const char *name,
    ngx_amt_wsman_response_t *res)
{
    if (res->fault) {
        return ngx_amt_device_fault(f, name, res);
    }

    if (!ngx_amt_xml_is(res->content, name)) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "answer without %s", name);
    }

    return NGX_OK;
}


/* ---- enumeration ---- */

ngx_int_t
ngx_amt_device_enum(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const char *class, ngx_array_t **items, ngx_amt_wsman_response_t *res)
{
    return ngx_amt_device_enumerate(f, dev, class, 0, items, res);
}


ngx_int_t
ngx_amt_device_enum_strict(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const char *class, ngx_array_t **items, ngx_amt_wsman_response_t *res)
{
    return ngx_amt_device_enumerate(f, dev, class, 1, items, res);
}


static ngx_int_t
ngx_amt_device_enumerate(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const char *class, ngx_uint_t strict, ngx_array_t **items,
    ngx_amt_wsman_response_t *res)
{
    ngx_amt_device_enum_t  *v;

    v = ngx_amt_frame_alloc(f, "device_enum", sizeof(ngx_amt_device_enum_t),
                            ngx_amt_device_enum_body, NULL);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->items = ngx_array_create(f->pool, 8, sizeof(ngx_amt_xml_t *));
    if (v->items == NULL) {
        ngx_amt_frame_free(f, v);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    v->dev = dev;
    v->class = class;
    v->req.strict = strict;
    v->result = items;
    v->res = res;

    *items = v->items;

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_device_enum_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_device_enum_t *v = data;

    ngx_amt_begin(f, v);

    v->req.op = NGX_AMT_WSMAN_ENUMERATE;
    v->req.class = v->class;

    ngx_amt_await(f, v, ngx_amt_device_call(f, v->dev, &v->req, v->res));

    if (v->res->fault) {
        return NGX_OK;
    }

    v->req.op = NGX_AMT_WSMAN_PULL;
    v->req.context = ngx_amt_xml_text(v->res->content, "EnumerationContext");

    if (v->req.context.len == 0
        || v->req.context.len > NGX_AMT_DEVICE_MAX_CTX)
    {
        return ngx_amt_device_bad(f, v->dev, "no enumeration context");
    }

    for ( ;; ) {

        ngx_amt_await(f, v, ngx_amt_device_call(f, v->dev, &v->req, v->res));

        if (v->res->fault) {
            return NGX_OK;
        }

        v->frame.rc = ngx_amt_device_enum_take(f, v);

        if (v->frame.rc == NGX_AGAIN) {
            continue;
        }

        return v->frame.rc;
    }

fail:

    return v->frame.rc;
}


/* Items of one PullResponse; NGX_AGAIN: pull on. */

static ngx_int_t
ngx_amt_device_enum_take(ngx_amt_flow_t *f, ngx_amt_device_enum_t *v)
{
    ngx_amt_xml_t  *x, *content, **item;

    content = v->res->content;

    if (!ngx_amt_xml_is(content, "PullResponse")) {
        return ngx_amt_device_bad(f, v->dev, "no PullResponse");
    }

    x = ngx_amt_xml_child(content, "Items");

    v->nodes += ngx_amt_device_nodes(x);

    if (v->nodes > NGX_AMT_DEVICE_MAX_NODES) {
        return ngx_amt_device_bad(f, v->dev, "enumeration too large");
    }

    for (x = x ? x->first : NULL; x; x = x->next) {

        item = ngx_array_push(v->items);
        if (item == NULL) {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
        }

        *item = x;
    }

    if (ngx_amt_xml_child(content, "EndOfSequence")) {
        return NGX_OK;
    }

    v->req.context = ngx_amt_xml_text(content, "EnumerationContext");

    if (v->req.context.len == 0) {
        return NGX_OK;
    }

    v->received += v->dev->received;

    if (++v->pulls == NGX_AMT_DEVICE_MAX_PULLS
        || v->received > NGX_AMT_DEVICE_MAX_ENUM
        || v->req.context.len > NGX_AMT_DEVICE_MAX_CTX)
    {
        return ngx_amt_device_bad(f, v->dev, "enumeration without end");
    }

    return NGX_AGAIN;
}


/* Elements below x; the reader capped the depth. */

static ngx_uint_t
ngx_amt_device_nodes(ngx_amt_xml_t *x)
{
    ngx_uint_t  n;

    if (x == NULL) {
        return 0;
    }

    n = 0;

    for (x = x->first; x; x = x->next) {
        n += 1 + ngx_amt_device_nodes(x);
    }

    return n;
}
