
/*
 * /_cira/auth: may this device connect?  Contract mps.md section 5.5: its row
 * exists, the user is the row's mpsusername, the password is Vault's
 * MPS_PASSWORD, and Vault has AMT_PASSWORD.  What does not exist never equals
 * anything, and what did not answer is 503, never 403.
 */


#include "hooks/ngx_http_amt_hooks_module.h"
#include "auth/ngx_amt_principal.h"
#include "vault/ngx_amt_vault.h"
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
    u_char                  path_buf[sizeof("devices/") - 1
                                     + NGX_CIRA_GUID_TEXT];
} ngx_amt_hooks_auth_t;


static ngx_int_t ngx_amt_hooks_auth_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_hooks_auth_drop(void *data);
static const char *ngx_amt_hooks_auth_decide(ngx_amt_hooks_auth_t *v);
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
    ngx_str_t    none, password, amt;
    ngx_uint_t   user_ok, password_ok;
    const char  *text;

    ngx_str_null(&none);
    password = none;
    amt = none;

    if (v->secret.data) {
        text = ngx_amt_secret_get(&v->secret, "MPS_PASSWORD");

        if (text) {
            password.data = (u_char *) text;
            password.len = ngx_strlen(text);
        }

        text = ngx_amt_secret_get(&v->secret, "AMT_PASSWORD");

        if (text) {
            amt.data = (u_char *) text;
            amt.len = ngx_strlen(text);
        }
    }

    user_ok = ngx_amt_hooks_equal(&v->login.user,
                                  v->known ? &v->row.mps_username : &none);
    password_ok = ngx_amt_hooks_equal(&v->login.password, &password);

    if (!v->known) {
        return "no such device";
    }

    if (v->row.mps_username.len == 0) {
        return "device has no mpsusername";
    }

    if (password.len == 0) {
        return "Vault has no MPS_PASSWORD";
    }

    if (amt.len == 0) {
        return "Vault has no AMT_PASSWORD";
    }

    if (!user_ok) {
        return "wrong user";
    }

    if (!password_ok) {
        return "wrong password";
    }

    return NULL;
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
