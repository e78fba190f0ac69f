
/*
 * Passwords that are being changed; see ngx_amt_pending.h.
 */


#include "device/ngx_amt_pending.h"


#define NGX_AMT_PENDING_TRIES  4


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_str_t                  path;
    ngx_amt_pending_t          set[NGX_AMT_PENDING_MAX];
    ngx_uint_t                 n;
    ngx_amt_secret_t           secret;
    json_t                    *changed;
    ngx_uint_t                 tries;
    ngx_str_t                  realm;
    u_char                     ha1[NGX_AMT_DIGEST_HA1];
    unsigned                   by_ha1:1;
} ngx_amt_pending_frame_t;


static ngx_int_t ngx_amt_pending_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_pending_drop(void *data);
static ngx_int_t ngx_amt_pending_find(ngx_amt_flow_t *f,
    ngx_amt_pending_frame_t *v);
static ngx_int_t ngx_amt_pending_apply(ngx_amt_flow_t *f,
    ngx_amt_pending_frame_t *v);


ngx_int_t
ngx_amt_pending_settle(ngx_amt_flow_t *f, ngx_str_t *path,
    ngx_amt_pending_t *set, ngx_uint_t n)
{
    ngx_amt_pending_frame_t  *v;

    v = ngx_amt_frame_alloc(f, "pending_settle",
                            sizeof(ngx_amt_pending_frame_t),
                            ngx_amt_pending_body, ngx_amt_pending_drop);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->path = *path;
    v->n = n;
    ngx_memcpy(v->set, set, n * sizeof(ngx_amt_pending_t));

    return ngx_amt_call(f, v);
}


ngx_int_t
ngx_amt_pending_accept(ngx_amt_flow_t *f, ngx_str_t *path, ngx_str_t *realm,
    u_char ha1[NGX_AMT_DIGEST_HA1])
{
    ngx_amt_pending_frame_t  *v;

    v = ngx_amt_frame_alloc(f, "pending_accept",
                            sizeof(ngx_amt_pending_frame_t),
                            ngx_amt_pending_body, ngx_amt_pending_drop);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->path = *path;
    v->realm = *realm;
    v->by_ha1 = 1;
    ngx_memcpy(v->ha1, ha1, NGX_AMT_DIGEST_HA1);

    v->n = 1;
    v->set[0].key = "AMT_PASSWORD";
    v->set[0].pending = NGX_AMT_PENDING_AMT;
    v->set[0].commit = 1;

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_pending_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_pending_frame_t *v = data;

    ngx_amt_begin(f, v);

    for ( ;; ) {

        ngx_amt_secret_wipe(&v->secret);

        ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->secret));

        if (v->frame.rc == NGX_DECLINED) {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_CONFLICT,
                                      "the device's secret is gone");
        }

        if (v->frame.rc != NGX_OK) {
            return NGX_ERROR;
        }

        v->frame.rc = v->by_ha1 ? ngx_amt_pending_find(f, v) : NGX_OK;

        if (v->frame.rc == NGX_OK) {
            v->frame.rc = ngx_amt_pending_apply(f, v);
        }

        if (v->frame.rc != NGX_OK) {
            return v->frame.rc == NGX_DONE ? NGX_OK : NGX_ERROR;
        }

        ngx_amt_await_rc(f, v, ngx_amt_vault_write(f, &v->path, v->changed,
                                                   v->secret.version, NULL));

        if (v->frame.rc == NGX_OK) {
            return NGX_OK;
        }

        if (f->err.code != NGX_AMT_ERR_CONFLICT
            || ++v->tries == NGX_AMT_PENDING_TRIES)
        {
            return NGX_ERROR;
        }

        ngx_amt_flow_clear(f);
    }
}


static void
ngx_amt_pending_drop(void *data)
{
    ngx_amt_pending_frame_t *v = data;

    ngx_amt_secret_wipe(&v->secret);
    json_decref(v->changed);
}


/*
 * Whose HA1 was accepted?  NGX_DONE: the current one's, somebody else was
 * faster.
 */

static ngx_int_t
ngx_amt_pending_find(ngx_amt_flow_t *f, ngx_amt_pending_frame_t *v)
{
    u_char       ha1[NGX_AMT_DIGEST_HA1];
    ngx_int_t    rc;
    ngx_uint_t   i;
    const char  *text;

    rc = NGX_ERROR;

    for (i = 0; i < 2 && rc == NGX_ERROR; i++) {

        text = ngx_amt_secret_get(&v->secret, i ? v->set[0].key
                                                : v->set[0].pending);
        if (text == NULL) {
            continue;
        }

        ngx_amt_pending_ha1(&v->realm, text, ha1);

        if (ngx_memcmp(ha1, v->ha1, NGX_AMT_DIGEST_HA1) == 0) {
            v->set[0].value = text;
            rc = i ? NGX_DONE : NGX_OK;
        }
    }

    ngx_explicit_memzero(ha1, NGX_AMT_DIGEST_HA1);

    if (rc == NGX_ERROR) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_CONFLICT,
                                  "another password is pending now");
    }

    return rc;
}


/*
 * v->changed: the secret as it is to be.  NGX_DONE: it is so already.
 */

static ngx_int_t
ngx_amt_pending_apply(ngx_amt_flow_t *f, ngx_amt_pending_frame_t *v)
{
    ngx_uint_t          i, changes;
    const char         *current, *pending;
    ngx_amt_pending_t  *set;

    json_decref(v->changed);

    v->changed = json_deep_copy(v->secret.data);

    if (v->changed == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    changes = 0;

    for (i = 0; i < v->n; i++) {

        set = &v->set[i];

        current = ngx_amt_secret_get(&v->secret, set->key);
        pending = ngx_amt_secret_get(&v->secret, set->pending);

        if (pending == NULL || ngx_strcmp(pending, set->value) != 0) {

            /* committed by somebody else, or dropped */

            if (!set->commit
                || (current && ngx_strcmp(current, set->value) == 0))
            {
                continue;
            }

            return ngx_amt_flow_error(f, NGX_AMT_ERR_CONFLICT,
                                      "another password is pending now");
        }

        changes++;

        if (set->commit
            && json_object_set_new(v->changed, set->key, json_string(pending))
               != 0)
        {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
        }

        (void) json_object_del(v->changed, set->pending);
    }

    return changes ? NGX_OK : NGX_DONE;
}


void
ngx_amt_pending_ha1(ngx_str_t *realm, const char *password,
    u_char ha1[NGX_AMT_DIGEST_HA1])
{
    ngx_str_t  s;

    static ngx_str_t  user = ngx_string("admin");

    s.data = (u_char *) password;
    s.len = ngx_strlen(password);

    ngx_amt_digest_ha1(&user, realm, &s, ha1);
}
