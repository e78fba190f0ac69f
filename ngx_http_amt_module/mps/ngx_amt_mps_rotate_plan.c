
/*
 * Rotation of passwords: what is to be changed; see ngx_amt_mps_rotate.h.
 */


#include "mps/ngx_amt_mps_rotate.h"
#include "amt/ngx_amt_password.h"


static ngx_int_t ngx_amt_mps_rotate_mebx(ngx_amt_mps_rotate_t *v);
static void ngx_amt_mps_rotate_mps(ngx_amt_mps_rotate_t *v);


ngx_int_t
ngx_amt_mps_rotate_wanted(ngx_amt_mps_rotate_t *v)
{
    char                         buf[NGX_AMT_PASSWORD_MAX + 1];
    size_t                       n;
    json_t                      *value, *item;
    ngx_int_t                    rc;
    ngx_uint_t                   i;
    const ngx_amt_mps_secret_t  *kind;

    /* it is the only one that can be */

    v->withdraw = json_array_size(json_object_get(v->api->body, "withdraw"))
                  != 0;

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


const char *
ngx_amt_mps_rotate_pending(ngx_amt_mps_rotate_t *v, ngx_amt_secret_e i)
{
    return ngx_amt_secret_get(&v->secret,
                              ngx_amt_mps_secret_kinds[i].pending);
}


const char *
ngx_amt_mps_rotate_new(ngx_amt_mps_rotate_t *v, ngx_amt_secret_e i)
{
    return json_string_value(json_object_get(v->wanted,
                                         ngx_amt_mps_secret_kinds[i].key));
}


ngx_int_t
ngx_amt_mps_rotate_merge(ngx_amt_mps_rotate_t *v)
{
    json_t                      *value;
    ngx_uint_t                   i;
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

        if (ngx_amt_mps_rotate_mebx(v) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_amt_mps_rotate_mps(v);

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


/* A MEBx password of before is set once more. */

static ngx_int_t
ngx_amt_mps_rotate_mebx(ngx_amt_mps_rotate_t *v)
{
    const char                  *text;
    const ngx_amt_mps_secret_t  *kind;

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

    return NGX_OK;
}


/* What is staged goes away only when that was asked for. */

static void
ngx_amt_mps_rotate_mps(ngx_amt_mps_rotate_t *v)
{
    v->withdrawn = 0;
    v->restaged = 0;

    if (ngx_amt_mps_rotate_pending(v, NGX_AMT_SECRET_MPS) == NULL) {
        return;
    }

    if (v->withdraw) {
        (void) json_object_del(v->changed, NGX_AMT_PENDING_MPS);
        v->withdrawn = 1;

    } else {
        v->restaged = v->state[NGX_AMT_SECRET_MPS] == NGX_AMT_ROTATE_STAGED;
    }
}


/* The device may have been configured with it already. */

ngx_uint_t
ngx_amt_mps_rotate_taken(ngx_amt_mps_rotate_t *v)
{
    const char  *text;

    if (v->state[NGX_AMT_SECRET_MPS] != NGX_AMT_ROTATE_STAGED || v->withdraw) {
        return 0;
    }

    text = ngx_amt_mps_rotate_pending(v, NGX_AMT_SECRET_MPS);

    return text && ngx_strcmp(text, ngx_amt_mps_rotate_new(v,
                                                        NGX_AMT_SECRET_MPS))
                   != 0;
}
