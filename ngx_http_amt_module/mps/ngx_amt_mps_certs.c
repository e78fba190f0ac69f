
/*
 * REST: the certificate store of a device.  Contract mps.md section 2.12.
 */


#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_reply.h"
#include "amt/ngx_amt_x509.h"


static ngx_int_t ngx_amt_mps_cert_text(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_cert_format(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_cert_valid(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_mps_cert_decode(json_t *value, X509 **x);


const ngx_amt_check_t  ngx_amt_mps_cert_checks[] = {

    { "cert", 0, NGX_AMT_CHECK_NOT_EMPTY, 0, 0, 0, NULL,
      "Certificate is required", NULL },
    { "cert", 0, NGX_AMT_CHECK_CUSTOM, 0, 0, 0, NULL,
      "Invalid base64 certificate data", ngx_amt_mps_cert_text },
    { "cert", 0, NGX_AMT_CHECK_CUSTOM, 0, 0, 0, NULL,
      "Invalid certificate format (not valid DER or PEM)",
      ngx_amt_mps_cert_format },
    { "cert", 0, NGX_AMT_CHECK_CUSTOM, 0, 0, 0, NULL,
      "Certificate has expired", ngx_amt_mps_cert_valid },

    { "isTrusted", 0, NGX_AMT_CHECK_BOOLEAN, 0, 0, 0, NULL,
      "isTrusted must be a boolean value", NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


/* One of these fails at most: each leaves what is not its own. */

static ngx_int_t
ngx_amt_mps_cert_text(json_t *value, ngx_amt_input_t *in)
{
    return json_is_string(value) ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_amt_mps_cert_format(json_t *value, ngx_amt_input_t *in)
{
    X509  *x;

    if (!json_is_string(value)) {
        return NGX_OK;
    }

    if (ngx_amt_mps_cert_decode(value, &x) != NGX_OK) {
        return NGX_DECLINED;
    }

    X509_free(x);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_mps_cert_valid(json_t *value, ngx_amt_input_t *in)
{
    X509       *x;
    ngx_int_t   rc;

    if (!json_is_string(value)
        || ngx_amt_mps_cert_decode(value, &x) != NGX_OK)
    {
        return NGX_OK;
    }

    rc = ngx_amt_x509_expired(x, ngx_time()) ? NGX_DECLINED : NGX_OK;

    X509_free(x);

    return rc;
}


static ngx_int_t
ngx_amt_mps_cert_decode(json_t *value, X509 **x)
{
    ngx_str_t  text;

    text.data = (u_char *) json_string_value(value);
    text.len = json_string_length(value);

    return ngx_amt_x509_decode(&text, x);
}


/*
 * The checks have seen the certificate wherever it was, but it is taken from
 * the body only.
 */

ngx_int_t
ngx_amt_mps_cert_input(ngx_amt_api_t *api)
{
    X509       *x;
    json_t     *cert, *input;
    ngx_int_t   rc;
    ngx_str_t   blob;

    cert = ngx_amt_input_get(api->body, "cert");

    if (!json_is_string(cert)
        || ngx_amt_mps_cert_decode(cert, &x) != NGX_OK)
    {
        goto refused;
    }

    rc = ngx_amt_x509_blob(x, api->pool, &blob);

    X509_free(x);

    if (rc == NGX_DECLINED) {
        goto refused;
    }

    if (rc != NGX_OK) {
        return NGX_ERROR;
    }

    /* "false" and "0" are not trusted, whatever the original did */

    input = json_pack("{s:s%,s:b}", "cert", (char *) blob.data, blob.len,
                      "isTrusted",
                      ngx_amt_input_true(ngx_amt_input_get(api->body,
                                                           "isTrusted")));
    if (input == NULL) {
        return NGX_ERROR;
    }

    json_decref(api->body);
    api->body = input;

    return NGX_OK;

refused:

    rc = ngx_amt_reply_error(api, 400,
                             "Failed to validate or process certificate");

    return rc == NGX_OK ? NGX_DECLINED : NGX_ERROR;
}


/* What is added, by its digest; or the handle of what goes. */

ngx_int_t
ngx_amt_mps_cert_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    X509           *x;
    u_char          md[EVP_MAX_MD_SIZE], hex[2 * EVP_MAX_MD_SIZE];
    json_t         *cert;
    ngx_str_t       s;
    unsigned int    len;
    ngx_amt_out_t   o;

    ngx_amt_out_init(&o, api->pool, 192);
    ngx_amt_out_open(&o, '{');

    cert = ngx_amt_input_get(api->body, "cert");

    if (api->params[1].data) {
        ngx_amt_out_key(&o, "handle");
        ngx_amt_out_string(&o, &api->params[1]);

    } else if (json_is_string(cert)
               && ngx_amt_mps_cert_decode(cert, &x) == NGX_OK)
    {
        if (X509_digest(x, EVP_sha256(), md, &len) == 1) {
            s.data = hex;
            s.len = ngx_hex_dump(hex, md, len) - hex;

            ngx_amt_out_key(&o, "sha256");
            ngx_amt_out_string(&o, &s);
        }

        X509_free(x);

        ngx_amt_out_key(&o, "trusted");
        ngx_amt_out_bool(&o,
                         ngx_amt_input_true(ngx_amt_input_get(api->body,
                                                              "isTrusted")));
    }

    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}
