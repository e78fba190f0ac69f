
/*
 * Certificate store; see ngx_amt_certificates.h.
 */


#include "amt/ngx_amt_certificates.h"
#include "amt/ngx_amt_json.h"


typedef struct {
    ngx_amt_cap_t            cap;
    ngx_amt_certificates_t   store;
} ngx_amt_certificates_frame_t;


typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_device_t          *dev;
    ngx_amt_certificates_t    *store;
    ngx_amt_wsman_response_t   res;
} ngx_amt_certificates_read_t;


static ngx_int_t ngx_amt_certificates_list_body(ngx_amt_flow_t *f,
    void *data);
static ngx_int_t ngx_amt_certificates_add_body(ngx_amt_flow_t *f,
    void *data);
static ngx_int_t ngx_amt_certificates_add_call(ngx_amt_flow_t *f,
    ngx_amt_cap_t *c);
static ngx_int_t ngx_amt_certificates_added(ngx_amt_flow_t *f,
    ngx_amt_cap_t *c);
static ngx_int_t ngx_amt_certificates_delete_body(ngx_amt_flow_t *f,
    void *data);
static ngx_int_t ngx_amt_certificates_delete_check(ngx_amt_flow_t *f,
    ngx_amt_certificates_frame_t *v);
static ngx_int_t ngx_amt_certificates_delete_call(ngx_amt_flow_t *f,
    ngx_amt_cap_t *c);
static ngx_int_t ngx_amt_certificates_read(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, ngx_amt_certificates_t *store);
static ngx_int_t ngx_amt_certificates_read_body(ngx_amt_flow_t *f,
    void *data);


const ngx_amt_op_t  ngx_amt_certificates_list = {
    "certificates_list", sizeof(ngx_amt_certificates_frame_t),
    ngx_amt_certificates_list_body, NULL, 0
};

const ngx_amt_op_t  ngx_amt_certificates_add = {
    "certificates_add", sizeof(ngx_amt_cap_t),
    ngx_amt_certificates_add_body, NULL, 1
};

const ngx_amt_op_t  ngx_amt_certificates_delete = {
    "certificates_delete", sizeof(ngx_amt_certificates_frame_t),
    ngx_amt_certificates_delete_body, NULL, 1
};


static ngx_int_t
ngx_amt_certificates_list_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_certificates_frame_t *v = data;
    ngx_amt_cap_t                *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_certificates_read(f, c->dev, &v->store));

    return ngx_amt_cap_done(f, c, ngx_amt_certificates_json(&v->store));

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_certificates_add_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_cap_t *c = data;

    ngx_amt_begin(f, c);

    ngx_amt_flow_shield(f);

    ngx_amt_await(f, c, ngx_amt_certificates_add_call(f, c));

    return ngx_amt_certificates_added(f, c);

fail:

    return c->frame.rc;
}


static ngx_int_t
ngx_amt_certificates_add_call(ngx_amt_flow_t *f, ngx_amt_cap_t *c)
{
    json_t                   *cert;
    ngx_str_t                 blob;
    ngx_amt_xml_writer_t      w;
    ngx_amt_wsman_request_t   req;

    cert = json_object_get(c->input, "cert");

    blob.data = (u_char *) json_string_value(cert);
    blob.len = json_string_length(cert);

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = "AMT_PublicKeyManagementService";
    req.method = json_is_true(json_object_get(c->input, "isTrusted"))
                 ? "AddTrustedRootCertificate" : "AddCertificate";

    ngx_amt_xml_writer_init(&w, f->pool, NGX_AMT_WSMAN_MAX_REQUEST);
    ngx_amt_xml_leaf(&w, "CertificateBlob", &blob);

    if (ngx_amt_xml_done(&w, &req.body) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INVALID,
                                  "certificate is too large");
    }

    return ngx_amt_cap_call_any(f, c, &req);
}


static ngx_int_t
ngx_amt_certificates_added(ngx_amt_flow_t *f, ngx_amt_cap_t *c)
{
    ngx_int_t  value;
    ngx_str_t  handle;

    if (c->res.fault) {
        ngx_log_error(NGX_LOG_ERR, f->log, 0,
                      "device refused the certificate: %V %V",
                      &c->res.fault_code, &c->res.fault_text);
        goto refused;
    }

    value = ngx_amt_cap_return_value(&c->res);

    handle = ngx_amt_certificates_selector(
                       ngx_amt_xml_child(c->res.content,
                                         "CreatedCertificate"));

    if (value != 0 || handle.len == 0) {
        ngx_log_error(NGX_LOG_ERR, f->log, 0,
                      "device refused the certificate: returned %i (%s)%s",
                      value, ngx_amt_wsman_status(value),
                      handle.len ? "" : " and no handle");
        goto refused;
    }

    return ngx_amt_cap_done(f, c, json_pack("{s:s%}", "handle",
                                            (char *) handle.data,
                                            handle.len));

refused:

    return ngx_amt_cap_refuse(f, c, 400, NULL,
                              "Failed to validate or process certificate");
}


static ngx_int_t
ngx_amt_certificates_delete_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_certificates_frame_t *v = data;
    ngx_amt_cap_t                *c = data;

    ngx_int_t  rc;

    ngx_amt_begin(f, c);

    ngx_amt_await(f, c, ngx_amt_certificates_read(f, c->dev, &v->store));

    rc = ngx_amt_certificates_delete_check(f, v);

    if (rc != NGX_OK) {
        return rc == NGX_DONE ? NGX_OK : NGX_ERROR;
    }

    ngx_amt_flow_shield(f);

    ngx_amt_await(f, c, ngx_amt_certificates_delete_call(f, c));

    if (c->res.fault) {
        ngx_log_error(NGX_LOG_ERR, f->log, 0,
                      "device did not delete the certificate: %V %V",
                      &c->res.fault_code, &c->res.fault_text);

        return ngx_amt_cap_refuse(f, c, 400, NULL,
                                  "Failed to delete certificate from "
                                  "device");
    }

    return ngx_amt_cap_done(f, c,
                            json_pack("{s:s,s:O}", "message",
                                      "Certificate deleted successfully",
                                      "handle",
                                      json_object_get(c->input, "handle")));

fail:

    return c->frame.rc;
}


/* NGX_OK; NGX_DONE: the result says why not; NGX_ERROR */

static ngx_int_t
ngx_amt_certificates_delete_check(ngx_amt_flow_t *f,
    ngx_amt_certificates_frame_t *v)
{
    json_t         *users;
    ngx_int_t       rc;
    const char     *handle;
    ngx_amt_cap_t  *c;
    ngx_amt_xml_t  *cert;

    c = &v->cap;

    handle = json_string_value(json_object_get(c->input, "handle"));
    cert = ngx_amt_certificates_find(&v->store, handle);

    if (cert == NULL) {
        rc = ngx_amt_cap_refuse(f, c, 404, NULL,
                                "Certificate with handle '%s' not found",
                                handle);
        goto done;
    }

    if (ngx_amt_xml_bool(cert, "ReadOnlyCertificate", 0) == 1) {
        rc = ngx_amt_cap_refuse(f, c, 400, NULL,
                                "Cannot delete certificate '%s': Certificate "
                                "is read-only and cannot be removed", handle);
        goto done;
    }

    users = ngx_amt_certificates_users(&v->store, handle);

    if (users == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    if (json_string_length(users) == 0) {
        json_decref(users);
        return NGX_OK;
    }

    rc = ngx_amt_cap_refuse(f, c, 409, NULL,
                            "Cannot delete certificate '%s': Certificate is "
                            "currently referenced by the following AMT "
                            "profiles/configurations: %s. Remove these "
                            "references before deleting the certificate.",
                            handle, json_string_value(users));

    json_decref(users);

done:

    return rc == NGX_OK ? NGX_DONE : rc;
}


static ngx_int_t
ngx_amt_certificates_delete_call(ngx_amt_flow_t *f, ngx_amt_cap_t *c)
{
    json_t                   *handle;
    ngx_amt_wsman_request_t   req;

    handle = json_object_get(c->input, "handle");

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_DELETE;
    req.class = "AMT_PublicKeyCertificate";
    ngx_str_set(&req.selector, "InstanceID");
    req.value.data = (u_char *) json_string_value(handle);
    req.value.len = json_string_length(handle);

    return ngx_amt_cap_call_any(f, c, &req);
}


/* Operation: all four classes, in this order. */

static ngx_int_t
ngx_amt_certificates_read(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_amt_certificates_t *store)
{
    ngx_amt_certificates_read_t  *v;

    v = ngx_amt_frame_alloc(f, "certificates_read",
                            sizeof(ngx_amt_certificates_read_t),
                            ngx_amt_certificates_read_body, NULL);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->dev = dev;
    v->store = store;

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_certificates_read_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_certificates_read_t *v = data;

    ngx_amt_begin(f, v);

    ngx_amt_await(f, v, ngx_amt_device_enum_strict(f, v->dev,
                                                "CIM_ConcreteDependency",
                                                &v->store->dependencies,
                                                &v->res));

    ngx_amt_await(f, v, ngx_amt_device_enum_strict(f, v->dev,
                                                "AMT_PublicKeyCertificate",
                                                &v->store->certificates,
                                                &v->res));

    ngx_amt_await(f, v, ngx_amt_device_enum_strict(f, v->dev,
                                                "AMT_PublicPrivateKeyPair",
                                                &v->store->keys, &v->res));

    ngx_amt_await(f, v, ngx_amt_device_enum_strict(f, v->dev,
                                                "CIM_CredentialContext",
                                                &v->store->contexts,
                                                &v->res));

    if (!ngx_amt_certificates_sane(v->store)) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "device lists too many certificates");
    }

    ngx_amt_end(f, v);

fail:

    return v->frame.rc;
}
