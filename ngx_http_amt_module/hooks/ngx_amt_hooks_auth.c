
/*
 * /_cira/auth: may this device connect?  Contract mps.md section 5.5: its row
 * exists, the user is the row's mpsusername, the password is Vault's
 * MPS_PASSWORD, and Vault has AMT_PASSWORD.  What does not exist never equals
 * anything, and what did not answer is 503, never 403.
 *
 * While a new password waits for the device to be configured with it
 * (MPS_PASSWORD_PENDING), both are good; with the first login that uses the
 * new one it replaces the old one.
 */


#include "hooks/ngx_http_amt_hooks_module.h"
#include "auth/ngx_amt_principal.h"
#include "device/ngx_amt_pending.h"
#include <openssl/crypto.h>
#include <openssl/rand.h>


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_hooks_call_t   *call;
    ngx_amt_hooks_login_t   login;
    ngx_uint_t              known;
    ngx_str_t               guid;
    ngx_str_t               path;
    ngx_amt_store_device_t  row;
    ngx_amt_secret_t        secret;
    const char             *pending;     /* password that was used */
    u_char                  path_buf[sizeof("devices/") - 1
                                     + NGX_CIRA_GUID_TEXT];
} ngx_amt_hooks_auth_t;


static ngx_int_t ngx_amt_hooks_auth_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_hooks_auth_drop(void *data);
static const char *ngx_amt_hooks_auth_decide(ngx_amt_hooks_auth_t *v);
static void ngx_amt_hooks_auth_text(ngx_amt_hooks_auth_t *v, const char *key,
    ngx_str_t *text);
static ngx_int_t ngx_amt_hooks_auth_settle(ngx_amt_flow_t *f,
    ngx_amt_hooks_auth_t *v);
static ngx_int_t ngx_amt_hooks_auth_answer(ngx_amt_flow_t *f,
    ngx_amt_hooks_auth_t *v);
static ngx_uint_t ngx_amt_hooks_equal(ngx_str_t *given, ngx_str_t *stored);


void *
ngx_amt_hooks_auth_frame(ngx_amt_flow_t *f, ngx_amt_hooks_call_t *call,
    ngx_amt_hooks_login_t *login)
{
    ngx_amt_hooks_auth_t  *v;

    v = ngx_amt_frame_alloc(f, "cira_auth", sizeof(ngx_amt_hooks_auth_t),
                            ngx_amt_hooks_auth_body, ngx_amt_hooks_auth_drop);
    if (v == NULL) {
        ngx_amt_hooks_login_free(login);
        return NULL;
    }

    v->call = call;
    v->login = *login;
    ngx_memzero(login, sizeof(ngx_amt_hooks_login_t));

    v->guid.data = v->login.guid;
    v->guid.len = NGX_CIRA_GUID_TEXT;

    v->path.data = v->path_buf;
    v->path.len = ngx_sprintf(v->path_buf, "devices/%V", &v->guid)
                  - v->path_buf;

    return v;
}


static ngx_int_t
ngx_amt_hooks_auth_body(ngx_amt_flow_t *f, void *data)
{
    const char            *why;
    ngx_amt_hooks_auth_t  *v = data;

    ngx_amt_begin(f, v);

    /* also for an unknown device: both take the same way */

    ngx_amt_await_rc(f, v, ngx_amt_vault_read(f, &v->path, &v->secret));

    if (v->frame.rc == NGX_ERROR) {
        goto fail;
    }

    /* the row last: who deletes it ends the connections there are then */

    ngx_amt_await_rc(f, v, ngx_amt_store_get(f, &v->guid, NULL, &v->row));

    if (v->frame.rc == NGX_ERROR) {
        goto fail;
    }

    v->known = (v->frame.rc == NGX_OK);

    why = ngx_amt_hooks_auth_decide(v);

    if (why) {
        ngx_log_error(NGX_LOG_INFO, f->log, 0,
                      "CIRA login of %V refused: %s", &v->guid, why);
        v->call->status = NGX_HTTP_FORBIDDEN;
        return NGX_OK;
    }

    if (v->pending) {

        ngx_amt_await_rc(f, v, ngx_amt_hooks_auth_settle(f, v));

        if (v->frame.rc != NGX_OK) {

            /* it stays pending, and the next login comes here again */

            ngx_log_error(NGX_LOG_WARN, f->log, 0,
                          "%V uses its pending MPS_PASSWORD, but Vault was "
                          "not told: %V", &v->guid, &f->err.text);
            ngx_amt_flow_clear(f);
        }
    }

    v->frame.rc = ngx_amt_hooks_auth_answer(f, v);

    if (v->frame.rc != NGX_OK) {
        goto fail;
    }

    ngx_amt_end(f, v);

fail:

    ngx_log_error(NGX_LOG_ERR, f->log, 0,
                  "CIRA login of %V cannot be decided: %V", &v->guid,
                  &f->err.text);

    v->call->status = NGX_HTTP_SERVICE_UNAVAILABLE;

    return v->frame.rc;
}


static void
ngx_amt_hooks_auth_drop(void *data)
{
    ngx_amt_hooks_auth_t *v = data;

    ngx_amt_hooks_login_free(&v->login);
    ngx_amt_secret_wipe(&v->secret);
}


/* NULL: let in; else why not.  All comparisons are always made. */

static const char *
ngx_amt_hooks_auth_decide(ngx_amt_hooks_auth_t *v)
{
    ngx_str_t    none, password, pending, amt;
    ngx_uint_t   user_ok, password_ok, pending_ok;

    ngx_str_null(&none);

    ngx_amt_hooks_auth_text(v, "MPS_PASSWORD", &password);
    ngx_amt_hooks_auth_text(v, NGX_AMT_PENDING_MPS, &pending);
    ngx_amt_hooks_auth_text(v, "AMT_PASSWORD", &amt);

    user_ok = ngx_amt_hooks_equal(&v->login.user,
                                  v->known ? &v->row.mps_username : &none);
    password_ok = ngx_amt_hooks_equal(&v->login.password, &password);
    pending_ok = ngx_amt_hooks_equal(&v->login.password, &pending);

    if (!v->known) {
        return "no such device";
    }

    if (v->row.mps_username.len == 0) {
        return "device has no mpsusername";
    }

    if (password.len == 0 && pending.len == 0) {
        return "Vault has no MPS_PASSWORD";
    }

    if (amt.len == 0) {
        return "Vault has no AMT_PASSWORD";
    }

    if (!user_ok) {
        return "wrong user";
    }

    if (!password_ok && !pending_ok) {
        return "wrong password";
    }

    if (!password_ok) {
        v->pending = (char *) pending.data;
    }

    return NULL;
}


/* A password in Vault; empty: none. */

static void
ngx_amt_hooks_auth_text(ngx_amt_hooks_auth_t *v, const char *key,
    ngx_str_t *text)
{
    const char  *s;

    ngx_str_null(text);

    s = v->secret.data ? ngx_amt_secret_get(&v->secret, key) : NULL;

    if (s) {
        text->data = (u_char *) s;
        text->len = ngx_strlen(s);
    }
}


static ngx_int_t
ngx_amt_hooks_auth_settle(ngx_amt_flow_t *f, ngx_amt_hooks_auth_t *v)
{
    ngx_amt_pending_t  set;

    set.key = "MPS_PASSWORD";
    set.pending = NGX_AMT_PENDING_MPS;
    set.value = v->pending;
    set.commit = 1;

    return ngx_amt_pending_settle(f, &v->path, &set, 1);
}


static ngx_int_t
ngx_amt_hooks_auth_answer(ngx_amt_flow_t *f, ngx_amt_hooks_auth_t *v)
{
    char    *text;
    json_t  *object;

    object = json_object();

    if (json_object_set_new(object, "tenant",
                            json_stringn(v->row.tenant.len
                                         ? (char *) v->row.tenant.data : "",
                                         v->row.tenant.len))
        != 0)
    {
        json_decref(object);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                  "tenant is not UTF-8");
    }

    text = json_dumps(object, JSON_COMPACT);
    json_decref(object);

    if (text == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    v->call->answer.len = ngx_strlen(text);
    v->call->answer.data = ngx_pnalloc(f->pool, v->call->answer.len);

    if (v->call->answer.data == NULL) {
        free(text);
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    ngx_memcpy(v->call->answer.data, text, v->call->answer.len);
    free(text);

    v->call->status = NGX_HTTP_OK;

    return NGX_OK;
}


/*
 * Digests under a random key are compared: time says nothing about lengths
 * and bytes.  An empty stored value equals nothing.
 */

static ngx_uint_t
ngx_amt_hooks_equal(ngx_str_t *given, ngx_str_t *stored)
{
    u_char      seed[NGX_AMT_DIGEST_LEN];
    u_char      one[NGX_AMT_DIGEST_LEN], two[NGX_AMT_DIGEST_LEN];
    ngx_str_t   key, empty;
    ngx_uint_t  equal;

    ngx_str_set(&empty, "");

    key.data = seed;
    key.len = NGX_AMT_DIGEST_LEN;

    equal = RAND_bytes(seed, NGX_AMT_DIGEST_LEN) == 1
            && ngx_amt_hmac(&key, given->len ? given : &empty, one) == NGX_OK
            && ngx_amt_hmac(&key, stored->len ? stored : &empty, two)
               == NGX_OK
            && CRYPTO_memcmp(one, two, NGX_AMT_DIGEST_LEN) == 0;

    ngx_explicit_memzero(seed, NGX_AMT_DIGEST_LEN);

    return equal && stored->len != 0;
}
