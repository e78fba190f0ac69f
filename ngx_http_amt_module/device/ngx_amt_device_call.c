
/*
 * One request, one answer: when to log in, when a request may be sent again,
 * what an answer proves.  See ngx_amt_device.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include "device/ngx_amt_device_priv.h"
#include "device/ngx_amt_pending.h"


#define NGX_AMT_DEVICE_DIALS      2      /* channels a call may use up beyond
                                            those the device closed after an
                                            answer */


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
    unsigned                   doubt:1;      /* it may have been the nonce */
    ngx_str_t                  path;         /* of the secret */
    ngx_str_t                  realm;
} ngx_amt_device_call_t;


static ngx_int_t ngx_amt_device_start(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, ngx_amt_wsman_request_t *req,
    ngx_amt_wsman_response_t *res);
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


ngx_int_t
ngx_amt_device_call(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_amt_wsman_request_t *req, ngx_amt_wsman_response_t *res)
{
    ngx_int_t  rc;

    rc = ngx_amt_device_start(f, dev, req, res);

    if (req->secret && req->body.len) {
        ngx_explicit_memzero(req->body.data, req->body.len);
        ngx_str_null(&req->body);
    }

    return rc;
}


static ngx_int_t
ngx_amt_device_start(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
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

            if (!v->dev->tunnel.kept) {

                /* the nonce may be another holder's now */

                v->dev->own = 0;
                v->challenged = 0;
            }
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
                v->frame.rc = ngx_amt_device_refused(f, v->dev, !v->doubt);
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

    if (v->dev->pending && v->dev->accepted) {

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

    ngx_amt_device_reset(dev);

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

    fresh = v->challenged || (dev->given && dev->own && !dev->accepted);

    dev->digest = digest;
    dev->own = 1;
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

    if (!fresh || digest.stale) {
        v->doubt = 1;
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

    return ngx_amt_device_refused(f, dev, !v->doubt);
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


ngx_int_t
ngx_amt_device_bad(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const char *text)
{
    ngx_amt_tunnel_end(&dev->tunnel);

    return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER, "%s", text);
}


ngx_int_t
ngx_amt_device_failed(ngx_amt_flow_t *f, ngx_amt_tunnel_t *t)
{
    return ngx_amt_flow_error(f, t->err, "%s", t->text);
}


/* ms until then, at least 1 */

ngx_msec_t
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
