
/*
 * REST: PUT /admin/devices/:guid/secrets.  New passwords are written to Vault
 * as pending ones, then the device is told, then a fresh login with the new
 * one shows that it has it, then it becomes the current one: whatever ends
 * between two of these steps, Vault holds the password of the device, and
 * the next conversation with it finds out which one that is.
 *
 *     MEBx  cannot be read back and needs no old one: an interrupted change
 *           is made once more by the next PUT
 *     AMT   the device's next login tries the pending one when the current
 *           one is refused (device/)
 *     MPS   is in the device's CIRA configuration, which the tunnel cannot
 *           change: both are accepted until the device logs in with the new
 *           one (hooks/)
 *
 * The device's slot is held from before the pending ones are written until
 * the device was told: two rotations never mix.
 */


#include "mps/ngx_amt_mps_secrets.h"
#include "mps/ngx_amt_mps_record.h"
#include "mps/ngx_amt_reply.h"
#include "amt/ngx_amt_password.h"


#define NGX_AMT_ROTATE_TRIES        4
#define NGX_AMT_ROTATE_CLIENT_MODE  4    /* ProvisioningMode */
#define NGX_AMT_ROTATE_TEXT         512


static ngx_int_t ngx_amt_mps_rotate_wanted(ngx_amt_mps_rotate_t *v);
static const char *ngx_amt_mps_rotate_pending(ngx_amt_mps_rotate_t *v,
    ngx_amt_secret_e i);
static ngx_int_t ngx_amt_mps_rotate_connected(ngx_amt_mps_rotate_t *v);
static ngx_int_t ngx_amt_mps_rotate_merge(ngx_amt_mps_rotate_t *v);
static ngx_int_t ngx_amt_mps_rotate_get(ngx_amt_flow_t *f,
    ngx_amt_mps_rotate_t *v, const char *class);
static ngx_int_t ngx_amt_mps_rotate_tell(ngx_amt_flow_t *f,
    ngx_amt_mps_rotate_t *v, ngx_amt_secret_e i);
static void ngx_amt_mps_rotate_told(ngx_amt_flow_t *f,
    ngx_amt_mps_rotate_t *v, ngx_amt_secret_e i);
static void ngx_amt_mps_rotate_keep(ngx_amt_flow_t *f,
    ngx_amt_mps_rotate_t *v);
static void ngx_amt_mps_rotate_refuse(ngx_amt_mps_rotate_t *v,
    ngx_amt_secret_e i, const char *fmt, ...);
static ngx_int_t ngx_amt_mps_rotate_settle(ngx_amt_flow_t *f,
    ngx_amt_mps_rotate_t *v);
static const char *ngx_amt_mps_rotate_new(ngx_amt_mps_rotate_t *v,
    ngx_amt_secret_e i);
static ngx_int_t ngx_amt_mps_rotate_error(ngx_amt_mps_rotate_t *v,
    ngx_uint_t status, const char *text);
static ngx_int_t ngx_amt_mps_rotate_reply(ngx_amt_flow_t *f,
    ngx_amt_mps_rotate_t *v);


ngx_int_t
ngx_amt_mps_rotate(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_rotate_t  *v = data;

    json_t      *left;
    ngx_int_t    rc;
    const char  *text;

    ngx_amt_begin(f, v);

    ngx_amt_mps_tenant(v->api, v->api->query, &v->tenant);

    ngx_amt_await_rc(f, v, ngx_amt_store_get(f, &v->api->device, &v->tenant,
                                             &v->row));

    if (v->frame.rc == NGX_DECLINED) {
        return ngx_amt_mps_not_found(v->api, &v->api->device);
    }

    if (v->frame.rc != NGX_OK) {
        return NGX_ERROR;
    }

    if (ngx_amt_mps_path(v->api, &v->path) != NGX_OK
        || ngx_amt_mps_rotate_wanted(v) != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "no memory or no random bytes");
    }

    /* is there something of an interrupted change? */

    ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->secret));

    if (v->frame.rc != NGX_OK && v->frame.rc != NGX_DECLINED) {
        return NGX_ERROR;
    }

    v->device = v->state[NGX_AMT_SECRET_MEBX] == NGX_AMT_ROTATE_WANTED
                || v->state[NGX_AMT_SECRET_AMT] == NGX_AMT_ROTATE_WANTED
                || ngx_amt_mps_rotate_pending(v, NGX_AMT_SECRET_MEBX)
                || ngx_amt_mps_rotate_pending(v, NGX_AMT_SECRET_AMT);

    left = json_object_get(v->secret.data, NGX_AMT_PENDING_AMT);

    if (json_is_string(left)) {
        v->left = json_incref(left);
    }

    rc = v->device ? ngx_amt_mps_rotate_connected(v) : NGX_OK;

    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : NGX_ERROR;
    }

    if (!v->device) {
        goto hold;
    }

    v->version = v->secret.version;

    for ( ;; ) {

        /* no login with what was cached before */

        ngx_amt_device_forget(&v->api->device);

        ngx_amt_await(f, v, ngx_amt_device_open(f, &v->info, 1, &v->dev));

        ngx_amt_await_rc(f, v,
                         ngx_amt_mps_rotate_get(f, v,
                                         "AMT_SetupAndConfigurationService"));

        if (v->frame.rc == NGX_OK) {
            break;
        }

        if (f->err.code != NGX_AMT_ERR_DEVICE_AUTH) {
            goto fail;
        }

        /* wrong, or changed by another call during the login? */

        v->err = f->err;
        ngx_amt_flow_clear(f);

        ngx_amt_device_close(v->dev);
        v->dev = NULL;

        ngx_amt_secret_wipe(&v->secret);

        ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->secret));

        if (v->frame.rc == NGX_ERROR) {
            goto fail;
        }

        if (v->secret.version == v->version
            || ++v->tries == NGX_AMT_ROTATE_TRIES)
        {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_DEVICE_AUTH, "%V",
                                      &v->err.text);
        }

        v->version = v->secret.version;
    }

    v->tries = 0;

    v->client = ngx_amt_xml_int(v->res.content, "ProvisioningMode", 0)
                == NGX_AMT_ROTATE_CLIENT_MODE;

    if (v->client
        && v->state[NGX_AMT_SECRET_MEBX] == NGX_AMT_ROTATE_WANTED)
    {
        return ngx_amt_mps_rotate_error(v, 400, "MEBx password cannot be set "
                                        "in client control mode");
    }

hold:

    /*
     * The tunnel that answers this holds the device's slot; pinned, it is
     * this one or none from here on.
     */

    if (v->device) {

        ngx_amt_device_pin(v->dev, 0);

        ngx_amt_await(f, v, ngx_amt_mps_rotate_get(f, v,
                                                   "AMT_GeneralSettings"));

        v->realm = ngx_amt_xml_text(v->res.content, "DigestRealm");

        if (v->realm.len == 0) {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                      "device has no digest realm");
        }

        ngx_amt_device_pin(v->dev, 1);
    }

    /* what is begun now is brought to an end, whoever leaves */

    ngx_amt_flow_shield(f);

    ngx_amt_secret_wipe(&v->secret);

    ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->secret));

    if (v->frame.rc != NGX_OK && v->frame.rc != NGX_DECLINED) {
        return NGX_ERROR;
    }

    if (v->device) {

        text = ngx_amt_secret_get(&v->secret, "AMT_PASSWORD");

        if (text == NULL || !ngx_amt_device_is(v->dev, text)) {
            return ngx_amt_mps_rotate_error(v, 409, "The device has another "
                                            "AMT password than the secret "
                                            "store");
        }

        /* the login above may have found out whose it is */

        if (v->left && ngx_strcmp(json_string_value(v->left), text) == 0) {
            v->promoted = 1;
        }
    }

    rc = ngx_amt_mps_rotate_merge(v);

    if (rc == NGX_ERROR) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    if (rc == NGX_DONE) {
        goto tell;
    }

    ngx_amt_await_rc(f, v, ngx_amt_vault_write(f, &v->path, v->changed,
                                               v->secret.version, NULL));

    if (v->frame.rc != NGX_OK) {

        if (f->err.code != NGX_AMT_ERR_CONFLICT
            || ++v->tries == NGX_AMT_ROTATE_TRIES)
        {
            return NGX_ERROR;
        }

        ngx_amt_flow_clear(f);
        ngx_amt_flow_unshield(f);

        goto hold;
    }

tell:

    if (v->state[NGX_AMT_SECRET_MEBX] == NGX_AMT_ROTATE_WANTED) {

        ngx_amt_await_rc(f, v, ngx_amt_mps_rotate_tell(f, v,
                                                       NGX_AMT_SECRET_MEBX));

        ngx_amt_mps_rotate_told(f, v, NGX_AMT_SECRET_MEBX);

        if (v->state[NGX_AMT_SECRET_MEBX] == NGX_AMT_ROTATE_REFUSED
            && v->resumed)
        {
            /* the one of before is given up, what is asked for goes on */

            ngx_str_null(&v->refusal);

        } else if (v->state[NGX_AMT_SECRET_MEBX] != NGX_AMT_ROTATE_DONE) {
            ngx_amt_mps_rotate_keep(f, v);
            goto settle;
        }
    }

    if (v->state[NGX_AMT_SECRET_AMT] != NGX_AMT_ROTATE_WANTED) {
        goto settle;
    }

    ngx_amt_await_rc(f, v, ngx_amt_mps_rotate_tell(f, v, NGX_AMT_SECRET_AMT));

    ngx_amt_mps_rotate_told(f, v, NGX_AMT_SECRET_AMT);

    if (v->state[NGX_AMT_SECRET_AMT] == NGX_AMT_ROTATE_REFUSED) {
        ngx_amt_mps_rotate_keep(f, v);
        goto settle;
    }

    /* whatever the device has said: which password does it take? */

    ngx_amt_device_pin(v->dev, 0);

    (void) ngx_amt_device_use(v->dev,
                              ngx_amt_mps_rotate_new(v, NGX_AMT_SECRET_AMT));

    ngx_amt_await_rc(f, v, ngx_amt_mps_rotate_get(f, v,
                                                  "AMT_GeneralSettings"));

    if (v->frame.rc == NGX_OK) {
        v->state[NGX_AMT_SECRET_AMT] = NGX_AMT_ROTATE_DONE;
        goto settle;
    }

    if (f->err.code != NGX_AMT_ERR_DEVICE_AUTH
        || v->state[NGX_AMT_SECRET_AMT] == NGX_AMT_ROTATE_UNKNOWN)
    {
        /*
         * Not reached, or an answer is missing and the change may still
         * come: both stay in Vault.
         */

        v->state[NGX_AMT_SECRET_AMT] = NGX_AMT_ROTATE_UNKNOWN;
        ngx_amt_mps_rotate_keep(f, v);
        goto settle;
    }

    ngx_amt_flow_clear(f);

    (void) ngx_amt_device_use(v->dev, ngx_amt_secret_get(&v->secret,
                                                         "AMT_PASSWORD"));

    ngx_amt_await_rc(f, v, ngx_amt_mps_rotate_get(f, v,
                                                  "AMT_GeneralSettings"));

    if (v->frame.rc == NGX_OK) {
        ngx_amt_mps_rotate_refuse(v, NGX_AMT_SECRET_AMT,
                                  "the device has kept the old one");

    } else {
        v->state[NGX_AMT_SECRET_AMT] = NGX_AMT_ROTATE_UNKNOWN;
    }

    ngx_amt_mps_rotate_keep(f, v);

settle:

    if (v->dev) {
        ngx_amt_device_close(v->dev);
        v->dev = NULL;
        ngx_amt_device_forget(&v->api->device);
    }

    if (v->state[NGX_AMT_SECRET_AMT] == NGX_AMT_ROTATE_UNKNOWN) {

        /* the next call may have found it out already */

        ngx_amt_secret_wipe(&v->secret);

        ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->secret));

        if (v->frame.rc == NGX_ERROR) {
            ngx_amt_flow_clear(f);

        } else {
            text = ngx_amt_mps_rotate_pending(v, NGX_AMT_SECRET_AMT);

            if (text == NULL
                || ngx_strcmp(text, ngx_amt_mps_rotate_new(v,
                                                       NGX_AMT_SECRET_AMT))
                   != 0)
            {
                v->overtaken = 1;
            }
        }
    }

    ngx_amt_await_rc(f, v, ngx_amt_mps_rotate_settle(f, v));

    ngx_amt_device_forget(&v->api->device);

    return ngx_amt_mps_rotate_reply(f, v);

fail:

    return NGX_ERROR;
}


void
ngx_amt_mps_rotate_drop(void *data)
{
    ngx_amt_mps_rotate_t  *v = data;

    ngx_amt_device_close(v->dev);
    ngx_amt_secret_wipe(&v->secret);
    json_decref(v->wanted);
    json_decref(v->changed);
    json_decref(v->left);

    if (v->body.len) {
        ngx_explicit_memzero(v->body.data, v->body.len);
    }
}


/* The passwords that were sent, and new ones where they were asked for. */

static ngx_int_t
ngx_amt_mps_rotate_wanted(ngx_amt_mps_rotate_t *v)
{
    char                         buf[NGX_AMT_PASSWORD_MAX + 1];
    size_t                       n;
    json_t                      *value, *item;
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    const ngx_amt_mps_secret_t  *kind;

    v->wanted = json_object();

    if (v->wanted == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; i < NGX_AMT_SECRET_N; i++) {

        kind = &ngx_amt_mps_secret_kinds[i];
        value = json_incref(json_object_get(v->api->body, kind->name));

        json_array_foreach(json_object_get(v->api->body, "generate"), n, item)
        {
            if (value
                || ngx_strcmp(json_string_value(item), kind->name) != 0)
            {
                continue;
            }

            /* no longer than the shortest limit is plenty: 16 of 65 */

            rc = ngx_amt_password_generate(buf, NGX_AMT_PASSWORD_MPS_MAX);

            value = (rc == NGX_OK) ? json_string(buf) : NULL;

            ngx_explicit_memzero(buf, sizeof(buf));

            if (value == NULL) {
                return NGX_ERROR;
            }
        }

        if (value == NULL) {
            continue;
        }

        if (json_object_set_new(v->wanted, kind->key, value) != 0) {
            return NGX_ERROR;
        }

        v->state[i] = (i == NGX_AMT_SECRET_MPS) ? NGX_AMT_ROTATE_STAGED
                                                : NGX_AMT_ROTATE_WANTED;
    }

    return NGX_OK;
}


static const char *
ngx_amt_mps_rotate_pending(ngx_amt_mps_rotate_t *v, ngx_amt_secret_e i)
{
    return ngx_amt_secret_get(&v->secret,
                              ngx_amt_mps_secret_kinds[i].pending);
}


static const char *
ngx_amt_mps_rotate_new(ngx_amt_mps_rotate_t *v, ngx_amt_secret_e i)
{
    return json_string_value(json_object_get(v->wanted,
                                         ngx_amt_mps_secret_kinds[i].key));
}


/* NGX_DONE: the reply is set. */

static ngx_int_t
ngx_amt_mps_rotate_connected(ngx_amt_mps_rotate_t *v)
{
    ngx_int_t  rc;

    rc = ngx_amt_device_lookup(&v->api->device, &v->info);

    if (rc == NGX_OK) {

        if (v->info.tenant_len == v->tenant.len
            && (v->tenant.len == 0
                || ngx_memcmp(v->info.tenant, v->tenant.data, v->tenant.len)
                   == 0))
        {
            return NGX_OK;
        }

        rc = ngx_amt_reply_error(v->api, 401, "Unauthorized");

        return rc == NGX_OK ? NGX_DONE : NGX_ERROR;
    }

    /* what is left of before can wait when only the MPS password is meant */

    if (rc == NGX_DECLINED
        && v->state[NGX_AMT_SECRET_MPS] == NGX_AMT_ROTATE_STAGED
        && v->state[NGX_AMT_SECRET_AMT] == NGX_AMT_ROTATE_NONE
        && v->state[NGX_AMT_SECRET_MEBX] == NGX_AMT_ROTATE_NONE)
    {
        v->device = 0;
        return NGX_OK;
    }

    rc = (rc == NGX_DECLINED)
         ? ngx_amt_reply_no_device(v->api)
         : ngx_amt_mps_rotate_error(v, 500, "Device plane is missing");

    return rc == NGX_OK ? NGX_DONE : NGX_ERROR;
}


/*
 * v->changed: the secret with the pending passwords.  The device is held, and
 * has the current AMT password: what is pending of before is not its own.
 * NGX_DONE: there is nothing to write.
 */

static ngx_int_t
ngx_amt_mps_rotate_merge(ngx_amt_mps_rotate_t *v)
{
    json_t                      *value;
    ngx_uint_t                   i;
    const char                  *text;
    const ngx_amt_mps_secret_t  *kind;

    json_decref(v->changed);

    v->changed = v->secret.data ? json_deep_copy(v->secret.data)
                                : json_object();

    if (v->changed == NULL) {
        return NGX_ERROR;
    }

    if (v->device) {

        kind = &ngx_amt_mps_secret_kinds[NGX_AMT_SECRET_AMT];

        if (json_object_del(v->changed, kind->pending) == 0) {
            v->dropped = 1;
        }

        /* a MEBx password of before is set once more */

        kind = &ngx_amt_mps_secret_kinds[NGX_AMT_SECRET_MEBX];
        text = ngx_amt_mps_rotate_pending(v, NGX_AMT_SECRET_MEBX);

        if (text && v->client) {
            (void) json_object_del(v->changed, kind->pending);

        } else if (text && (v->state[NGX_AMT_SECRET_MEBX]
                            == NGX_AMT_ROTATE_NONE || v->resumed))
        {
            if (json_object_set_new(v->wanted, kind->key, json_string(text))
                != 0)
            {
                return NGX_ERROR;
            }

            v->state[NGX_AMT_SECRET_MEBX] = NGX_AMT_ROTATE_WANTED;
            v->resumed = 1;

        } else if (v->resumed) {

            /* somebody else has finished it meanwhile */

            v->state[NGX_AMT_SECRET_MEBX] = NGX_AMT_ROTATE_NONE;
            v->resumed = 0;
        }
    }

    for (i = 0; i < NGX_AMT_SECRET_N; i++) {

        if (v->state[i] == NGX_AMT_ROTATE_NONE) {
            continue;
        }

        kind = &ngx_amt_mps_secret_kinds[i];
        value = json_object_get(v->wanted, kind->key);

        if (json_object_set(v->changed, kind->pending, value) != 0) {
            return NGX_ERROR;
        }
    }

    if (v->secret.data == NULL && json_object_size(v->changed) == 0) {
        return NGX_DONE;
    }

    return json_equal(v->changed, v->secret.data) ? NGX_DONE : NGX_OK;
}


static ngx_int_t
ngx_amt_mps_rotate_get(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v,
    const char *class)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_GET;
    req.class = class;
    req.strict = 1;

    return ngx_amt_device_call(f, v->dev, &req, &v->res);
}


static ngx_int_t
ngx_amt_mps_rotate_tell(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v,
    ngx_amt_secret_e i)
{
    ngx_int_t                rc;
    ngx_str_t                password;
    ngx_amt_wsman_request_t  req;

    password.data = (u_char *) ngx_amt_mps_rotate_new(v, i);
    password.len = ngx_strlen(password.data);

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;

    if (i == NGX_AMT_SECRET_MEBX) {
        req.class = "AMT_SetupAndConfigurationService";
        req.method = "SetMEBxPassword";

        rc = ngx_amt_password_mebx(f->pool, &password, &v->body);

    } else {
        req.class = "AMT_AuthorizationService";
        req.method = "SetAdminAclEntryEx";

        rc = ngx_amt_password_admin(f->pool, &v->realm, &password, &v->body);
    }

    if (rc != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_CONFLICT, "no memory");
    }

    req.body = v->body;

    return ngx_amt_device_call(f, v->dev, &req, &v->res);
}


/*
 * What came of it: DONE, REFUSED (with the reason) or UNKNOWN, in which the
 * device may or may not have done what it was told.
 */

static void
ngx_amt_mps_rotate_told(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v,
    ngx_amt_secret_e i)
{
    ngx_int_t    value;
    const char  *output;

    if (v->body.len) {
        ngx_explicit_memzero(v->body.data, v->body.len);
        ngx_str_null(&v->body);
    }

    if (v->frame.rc != NGX_OK) {

        if (f->err.code == NGX_AMT_ERR_CONFLICT) {
            ngx_amt_mps_rotate_refuse(v, i, "%V, try again", &f->err.text);

        } else {
            v->state[i] = NGX_AMT_ROTATE_UNKNOWN;
            v->err = f->err;
        }

        ngx_amt_flow_clear(f);

        return;
    }

    if (v->res.fault) {
        ngx_amt_mps_rotate_refuse(v, i, "%V %V", &v->res.fault_code,
                                  &v->res.fault_text);
        return;
    }

    output = (i == NGX_AMT_SECRET_MEBX) ? "SetMEBxPassword_OUTPUT"
                                        : "SetAdminAclEntryEx_OUTPUT";

    if (!ngx_amt_xml_is(v->res.content, output)) {
        v->state[i] = NGX_AMT_ROTATE_UNKNOWN;
        return;
    }

    value = ngx_amt_cap_return_value(&v->res);

    if (value != 0) {
        ngx_amt_mps_rotate_refuse(v, i, "%s (%i)",
                                  ngx_amt_wsman_status(value), value);
        return;
    }

    v->state[i] = NGX_AMT_ROTATE_DONE;
}


/*
 * One was not changed: those not begun yet are given up.  An error of the
 * flow is kept for the answer.
 */

static void
ngx_amt_mps_rotate_keep(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v)
{
    ngx_uint_t  i;

    if (f->err.code != NGX_AMT_ERR_NONE) {
        v->err = f->err;
        ngx_amt_flow_clear(f);
    }

    for (i = 0; i < NGX_AMT_SECRET_N; i++) {
        if (v->state[i] == NGX_AMT_ROTATE_WANTED
            || v->state[i] == NGX_AMT_ROTATE_STAGED)
        {
            v->state[i] = NGX_AMT_ROTATE_REFUSED;
        }
    }
}


static void
ngx_amt_mps_rotate_refuse(ngx_amt_mps_rotate_t *v, ngx_amt_secret_e i,
    const char *fmt, ...)
{
    u_char   *p, *last, buf[NGX_AMT_ROTATE_TEXT];
    va_list   args;

    static const char  *names[] = { "MEBx", "AMT", "MPS" };

    v->state[i] = NGX_AMT_ROTATE_REFUSED;

    last = buf + sizeof(buf);

    p = ngx_slprintf(buf, last, "%s password was not changed: ", names[i]);

    va_start(args, fmt);
    p = ngx_vslprintf(p, last, fmt, args);
    va_end(args);

    /* a device's text may be cut inside of a character */

    if (p == last) {
        while (p > buf && (p[-1] & 0x80)) {
            p--;
        }
    }

    v->refusal.len = p - buf;
    v->refusal.data = ngx_pnalloc(v->api->pool, v->refusal.len);

    if (v->refusal.data == NULL) {
        ngx_str_set(&v->refusal, "password was not changed");
        return;
    }

    ngx_memcpy(v->refusal.data, buf, v->refusal.len);
}


/* Operation: what is known by now is written to Vault. */

static ngx_int_t
ngx_amt_mps_rotate_settle(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v)
{
    ngx_uint_t          i, n;
    ngx_amt_pending_t   set[NGX_AMT_SECRET_N];

    for (i = 0, n = 0; i < NGX_AMT_SECRET_N; i++) {

        if (v->state[i] != NGX_AMT_ROTATE_DONE
            && v->state[i] != NGX_AMT_ROTATE_REFUSED)
        {
            continue;
        }

        set[n].key = ngx_amt_mps_secret_kinds[i].key;
        set[n].pending = ngx_amt_mps_secret_kinds[i].pending;
        set[n].value = ngx_amt_mps_rotate_new(v, i);
        set[n].commit = v->state[i] == NGX_AMT_ROTATE_DONE;
        n++;
    }

    if (n == 0) {
        return NGX_OK;
    }

    return ngx_amt_pending_settle(f, &v->path, set, n);
}


static ngx_int_t
ngx_amt_mps_rotate_error(ngx_amt_mps_rotate_t *v, ngx_uint_t status,
    const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = ngx_strlen(text);

    return ngx_amt_reply_refusal(v->api, status,
                                 status == 409 ? "Conflict" : NULL, &s);
}


static ngx_int_t
ngx_amt_mps_rotate_reply(ngx_amt_flow_t *f, ngx_amt_mps_rotate_t *v)
{
    ngx_uint_t        i, unknown, done;
    ngx_amt_out_t     o;
    ngx_amt_rotate_e  state;

    unknown = 0;
    done = 0;

    for (i = 0; i < NGX_AMT_SECRET_N; i++) {
        unknown |= v->state[i] == NGX_AMT_ROTATE_UNKNOWN;
        done |= v->state[i] == NGX_AMT_ROTATE_DONE;
    }

    if (v->frame.rc != NGX_OK) {

        ngx_log_error(NGX_LOG_ERR, &v->api->log, 0,
                      "passwords of \"%V\" were not settled in Vault: %V",
                      &v->api->device, &f->err.text);

        if (f->err.code == NGX_AMT_ERR_CONFLICT) {
            ngx_amt_flow_clear(f);

            return ngx_amt_mps_rotate_error(v, 409, "The secret was changed "
                                            "by somebody else meanwhile");
        }

        ngx_amt_flow_clear(f);

        if (done) {
            return ngx_amt_mps_rotate_error(v, 503, "The device has its new "
                                "password, which is still pending in the "
                                "secret store: call again when that is back");
        }

        if (v->refusal.data == NULL) {
            return ngx_amt_mps_rotate_error(v, 503,
                                            "Secret store did not answer");
        }
    }

    if (v->overtaken) {
        return ngx_amt_mps_rotate_error(v, 409, "The password was changed by "
                                        "another call meanwhile");
    }

    if (unknown) {

        ngx_log_error(NGX_LOG_ERR, &v->api->log, 0,
                      "password of \"%V\" may have been changed: %V",
                      &v->api->device, &v->err.text);

        return ngx_amt_mps_rotate_error(v, 504, "The device did not say "
                              "whether it has its new password, which stays "
                              "pending in the secret store: call again");
    }

    if (v->refusal.data) {
        return ngx_amt_reply_refusal(v->api, 400, NULL, &v->refusal);
    }

    ngx_amt_out_init(&o, v->api->pool, 256);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "guid");
    ngx_amt_out_string(&o, &v->api->device);

    for (i = 0; i < NGX_AMT_SECRET_N; i++) {

        state = v->state[i];

        if (state == NGX_AMT_ROTATE_NONE
            && (i != NGX_AMT_SECRET_AMT || !(v->promoted || v->dropped)))
        {
            continue;
        }

        ngx_amt_out_key(&o, ngx_amt_mps_secret_kinds[i].name);

        if (state == NGX_AMT_ROTATE_STAGED) {
            ngx_amt_out_cstring(&o, "staged");

        } else if (state == NGX_AMT_ROTATE_NONE) {
            ngx_amt_out_cstring(&o, v->promoted ? "resumed" : "kept");

        } else if (state == NGX_AMT_ROTATE_REFUSED) {
            ngx_amt_out_cstring(&o, "kept");

        } else {
            ngx_amt_out_cstring(&o, i == NGX_AMT_SECRET_MEBX && v->resumed
                                ? "resumed" : "rotated");
        }
    }

    ngx_amt_out_close(&o, '}');

    return ngx_amt_reply_out(v->api, 200, &o);
}
