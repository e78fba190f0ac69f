
/*
 * Keys and certificates of wireless profiles in a device's store: found
 * there, or added and, when the profile is refused, taken away again.
 * Contract mps.md section 2.14, wsman.md AMT_PublicKeyManagementService.
 */


#include "amt/ngx_amt_network.h"


#define NGX_AMT_CREDENTIAL_BUSY   2082   /* another operation in progress */
#define NGX_AMT_CREDENTIAL_TRIES  5
#define NGX_AMT_CREDENTIAL_PAUSE  1000   /* ms */


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_device_t          *dev;
    json_t                    *x;
    ngx_amt_credentials_t     *result;

    ngx_amt_wsman_response_t   res;
    ngx_array_t               *items;
    ngx_uint_t                 kind;
    ngx_uint_t                 tries;
    ngx_amt_error_t            err;
} ngx_amt_credentials_frame_t;


/* What tells one kind from another. */

typedef struct {
    const char                *input;    /* member that is sent */
    const char                *same;     /* member that the device tells */
    const char                *class;
    const char                *property;
    ngx_int_t                  root;
    const char                *method;
    const char                *element;  /* of the method's input */
    const char                *created;  /* of its output */
} ngx_amt_credential_t;


static ngx_int_t ngx_amt_credentials_add_body(ngx_amt_flow_t *f,
    void *data);
static ngx_uint_t ngx_amt_credentials_look(ngx_amt_credentials_frame_t *v);
static ngx_int_t ngx_amt_credentials_send(ngx_amt_flow_t *f,
    ngx_amt_credentials_frame_t *v);
static ngx_uint_t ngx_amt_credentials_taken(ngx_amt_credentials_frame_t *v);
static ngx_int_t ngx_amt_credentials_remove_body(ngx_amt_flow_t *f,
    void *data);
static ngx_int_t ngx_amt_credentials_delete(ngx_amt_flow_t *f,
    ngx_amt_credentials_frame_t *v);


static const ngx_amt_credential_t  ngx_amt_credentials[] = {

    { "privateKey", "publicKey", "AMT_PublicPrivateKeyPair", "DERKey", -1,
      "AddKey", "KeyBlob", "CreatedKey" },

    { "clientCert", "clientCert", "AMT_PublicKeyCertificate",
      "X509Certificate", 0,
      "AddCertificate", "CertificateBlob", "CreatedCertificate" },

    { "caCert", "caCert", "AMT_PublicKeyCertificate",
      "X509Certificate", 1,
      "AddTrustedRootCertificate", "CertificateBlob", "CreatedCertificate" }
};


ngx_uint_t
ngx_amt_credentials_wanted(json_t *x)
{
    ngx_str_t   s;
    ngx_uint_t  i;

    for (i = 0; i < NGX_AMT_CREDENTIALS; i++) {

        ngx_amt_network_string(x, ngx_amt_credentials[i].input, &s);

        if (s.len) {
            return 1;
        }
    }

    return 0;
}


ngx_int_t
ngx_amt_credentials_add(ngx_amt_flow_t *f, ngx_amt_device_t *dev, json_t *x,
    ngx_amt_credentials_t *result)
{
    ngx_amt_credentials_frame_t  *v;

    ngx_memzero(result, sizeof(ngx_amt_credentials_t));

    v = ngx_amt_frame_alloc(f, "credentials_add",
                            sizeof(ngx_amt_credentials_frame_t),
                            ngx_amt_credentials_add_body, NULL);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->dev = dev;
    v->x = x;
    v->result = result;

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_credentials_add_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_credentials_frame_t *v = data;

    ngx_str_t  s;

    ngx_amt_begin(f, v);

    for (v->kind = 0; v->kind < NGX_AMT_CREDENTIALS; v->kind++) {

        ngx_amt_network_string(v->x, ngx_amt_credentials[v->kind].input, &s);

        if (s.len == 0) {
            continue;
        }

        ngx_amt_await(f, v, ngx_amt_device_enum_strict(f, v->dev,
                                        ngx_amt_credentials[v->kind].class,
                                        &v->items, &v->res));

        if (ngx_amt_credentials_look(v)) {
            continue;
        }

        for (v->tries = 0; v->tries < NGX_AMT_CREDENTIAL_TRIES; v->tries++) {

            if (v->tries) {
                ngx_amt_await(f, v, ngx_amt_flow_sleep(f,
                                                  NGX_AMT_CREDENTIAL_PAUSE));
            }

            ngx_amt_await(f, v, ngx_amt_credentials_send(f, v));

            if (v->res.fault
                || v->res.return_value != NGX_AMT_CREDENTIAL_BUSY)
            {
                break;
            }
        }

        if (ngx_amt_credentials_taken(v)) {
            continue;
        }

        /* a duplicate, or an answer without its handle */

        ngx_amt_await(f, v, ngx_amt_device_enum_strict(f, v->dev,
                                        ngx_amt_credentials[v->kind].class,
                                        &v->items, &v->res));

        if (!ngx_amt_credentials_look(v)) {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_FAULT,
                                      "device did not take %s",
                                      ngx_amt_credentials[v->kind].input);
        }
    }

    ngx_amt_end(f, v);

fail:

    return v->frame.rc;
}


static ngx_uint_t
ngx_amt_credentials_look(ngx_amt_credentials_frame_t *v)
{
    ngx_str_t                    s;
    const ngx_amt_credential_t  *kind;

    kind = &ngx_amt_credentials[v->kind];

    ngx_amt_network_string(v->x, kind->same, &s);

    return ngx_amt_credentials_find(v->items, kind->property, &s, kind->root,
                                    &v->result->handle[v->kind]);
}


ngx_uint_t
ngx_amt_credentials_find(ngx_array_t *items, const char *name,
    ngx_str_t *text, ngx_int_t root, ngx_str_t *handle)
{
    ngx_int_t        trusted;
    ngx_str_t        s;
    ngx_uint_t       i;
    ngx_amt_xml_t  **x;

    x = items->elts;

    for (i = 0; i < items->nelts; i++) {

        s = ngx_amt_xml_text(x[i], name);

        if (s.len == 0 || s.len != text->len
            || ngx_memcmp(s.data, text->data, s.len) != 0)
        {
            continue;
        }

        if (root != -1) {

            /* the wire's spelling, and the right one */

            trusted = ngx_amt_xml_bool(x[i], "TrustedRootCertficate", -1);

            if (trusted == -1) {
                trusted = ngx_amt_xml_bool(x[i], "TrustedRootCertificate", 0);
            }

            if (trusted != root) {
                continue;
            }
        }

        s = ngx_amt_xml_text(x[i], "InstanceID");

        if (s.len) {
            *handle = s;
            return 1;
        }
    }

    return 0;
}


static ngx_int_t
ngx_amt_credentials_send(ngx_amt_flow_t *f, ngx_amt_credentials_frame_t *v)
{
    ngx_int_t                    rc;
    ngx_str_t                    s;
    ngx_amt_xml_writer_t         w;
    ngx_amt_wsman_request_t      req;
    const ngx_amt_credential_t  *kind;

    kind = &ngx_amt_credentials[v->kind];

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = "AMT_PublicKeyManagementService";
    req.method = kind->method;
    req.secret = 1;

    ngx_amt_network_string(v->x, kind->input, &s);

    ngx_amt_xml_writer_init(&w, f->pool, NGX_AMT_WSMAN_MAX_REQUEST);
    ngx_amt_xml_leaf(&w, kind->element, &s);

    rc = ngx_amt_xml_done(&w, &req.body);

    if (rc != NGX_OK) {
        return ngx_amt_flow_error(f, rc == NGX_DECLINED
                                     ? NGX_AMT_ERR_INVALID
                                     : NGX_AMT_ERR_INTERNAL,
                                  "%s is too long", kind->input);
    }

    return ngx_amt_device_call(f, v->dev, &req, &v->res);
}


/* Was it added?  Takes its handle. */

static ngx_uint_t
ngx_amt_credentials_taken(ngx_amt_credentials_frame_t *v)
{
    ngx_str_t       s;
    ngx_amt_xml_t  *x;

    if (v->res.fault || v->res.content == NULL || v->res.return_value != 0) {
        return 0;
    }

    /* some firmware names the key pair's class AMT_PublicKeyCertificate */

    x = ngx_amt_xml_child(v->res.content,
                          ngx_amt_credentials[v->kind].created);

    if (!ngx_amt_network_reference(x, "AMT_PublicKeyCertificate", &s)
        && !ngx_amt_network_reference(x, "AMT_PublicPrivateKeyPair", &s))
    {
        return 0;
    }

    if (s.len == 0) {
        return 0;
    }

    v->result->handle[v->kind] = s;
    v->result->added |= 1 << v->kind;

    return 1;
}


ngx_int_t
ngx_amt_credentials_remove(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_amt_credentials_t *credentials)
{
    ngx_amt_credentials_frame_t  *v;

    if (credentials->added == 0) {
        return NGX_OK;
    }

    v = ngx_amt_frame_alloc(f, "credentials_remove",
                            sizeof(ngx_amt_credentials_frame_t),
                            ngx_amt_credentials_remove_body, NULL);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->dev = dev;
    v->result = credentials;
    v->err = f->err;

    ngx_amt_flow_clear(f);

    return ngx_amt_call(f, v);
}


/*
 * Certificates before the key that one of them is made for: a device refuses
 * what is still in use, and that is how one that was taken in the end, while
 * its answer was lost, survives.
 */

static ngx_int_t
ngx_amt_credentials_remove_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_credentials_frame_t *v = data;

    ngx_amt_begin(f, v);

    for (v->kind = NGX_AMT_CREDENTIALS; v->kind-- > 0; /* void */ ) {

        if (!(v->result->added & (1 << v->kind))) {
            continue;
        }

        ngx_amt_await_rc(f, v, ngx_amt_credentials_delete(f, v));

        if (v->frame.rc == NGX_OK && v->res.fault == NULL) {
            v->result->added &= ~(1 << v->kind);
            continue;
        }

        ngx_log_error(NGX_LOG_WARN, f->log, 0,
                      "\"%V\" stays on the device: %V",
                      &v->result->handle[v->kind],
                      v->frame.rc == NGX_OK
                      ? ngx_amt_network_reason(&v->res) : &f->err.text);

        ngx_amt_flow_clear(f);

        if (v->frame.rc != NGX_OK) {

            /* it does not answer */

            break;
        }
    }

    f->err = v->err;

    ngx_amt_end(f, v);
}


static ngx_int_t
ngx_amt_credentials_delete(ngx_amt_flow_t *f, ngx_amt_credentials_frame_t *v)
{
    ngx_amt_wsman_request_t  req;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_DELETE;
    req.class = ngx_amt_credentials[v->kind].class;
    ngx_str_set(&req.selector, "InstanceID");
    req.value = v->result->handle[v->kind];

    return ngx_amt_device_call(f, v->dev, &req, &v->res);
}
