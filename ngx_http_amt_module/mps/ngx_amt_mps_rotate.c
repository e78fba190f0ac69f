
/*
 * REST: PUT /admin/devices/:guid/secrets; its parts are named in
 * ngx_amt_mps_rotate.h.  New passwords are written to Vault
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


#include "mps/ngx_amt_mps_rotate.h"
#include "mps/ngx_amt_mps_record.h"
#include "mps/ngx_amt_reply.h"


#define NGX_AMT_ROTATE_TRIES        4
#define NGX_AMT_ROTATE_CLIENT_MODE  4    /* ProvisioningMode */


static ngx_int_t ngx_amt_mps_rotate_connected(ngx_amt_mps_rotate_t *v);


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

    if (ngx_amt_mps_rotate_taken(v)) {
        return ngx_amt_mps_rotate_staged(v);
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

    if (ngx_amt_mps_rotate_taken(v)) {
        return ngx_amt_mps_rotate_staged(v);
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

    /* whatever the device has said, unless it did not hear of it */

    if (!v->unseen) {
        ngx_amt_await_rc(f, v, ngx_amt_mps_rotate_verify(f, v));
    }

    if (v->state[NGX_AMT_SECRET_AMT] != NGX_AMT_ROTATE_DONE) {
        ngx_amt_mps_rotate_keep(f, v);
    }

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
        && (v->state[NGX_AMT_SECRET_MPS] == NGX_AMT_ROTATE_STAGED
            || v->withdraw)
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
