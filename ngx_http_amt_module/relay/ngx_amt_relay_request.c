
/*
 * Query and credentials; see ngx_amt_relay_request.h.
 */


#include "relay/ngx_amt_relay_request.h"
#include "relay/ngx_amt_relay_link.h"
#include "device/ngx_amt_device.h"


enum {
    NGX_AMT_RELAY_ARG_HOST = 0,
    NGX_AMT_RELAY_ARG_PORT,
    NGX_AMT_RELAY_ARG_P,
    NGX_AMT_RELAY_ARG_MODE,
    NGX_AMT_RELAY_ARG_FORCE,
    NGX_AMT_RELAY_ARGS
};


static ngx_str_t  ngx_amt_relay_args[] = {
    ngx_string("host"),
    ngx_string("port"),
    ngx_string("p"),
    ngx_string("mode"),
    ngx_string("force")
};


static ngx_int_t ngx_amt_relay_split(ngx_str_t *args, ngx_str_t *values,
    const char **error);
static ngx_uint_t ngx_amt_relay_is(ngx_str_t *value, const char *text);
static ngx_int_t ngx_amt_relay_credentials(ngx_http_request_t *r,
    ngx_amt_ws_handshake_t *hs, ngx_amt_relay_request_t *req,
    ngx_amt_identity_t *id);


/* ---- the query ---- */

ngx_int_t
ngx_amt_relay_request(ngx_str_t *args, ngx_amt_relay_request_t *req,
    const char **error)
{
    ngx_str_t  *v, values[NGX_AMT_RELAY_ARGS];

    ngx_memzero(req, sizeof(ngx_amt_relay_request_t));

    if (ngx_amt_relay_split(args, values, error) != NGX_OK) {
        return NGX_DECLINED;
    }

    v = &values[NGX_AMT_RELAY_ARG_HOST];

    if (ngx_cira_guid_parse(v->data, v->len, req->guid) != NGX_OK) {
        *error = "\"host\" is no GUID";
        return NGX_DECLINED;
    }

    req->host = *v;
    req->known = 1;

    v = &values[NGX_AMT_RELAY_ARG_PORT];

    if (v->data == NULL || ngx_amt_relay_is(v, "16994")) {
        req->port = NGX_AMT_RELAY_PORT;

    } else if (ngx_amt_relay_is(v, "16995")) {
        req->port = NGX_AMT_RELAY_PORT_TLS;

    } else if (ngx_amt_relay_is(v, "5900")) {
        req->port = NGX_AMT_RELAY_PORT_VNC;

    } else {
        *error = "\"port\" is not a redirection port";
        return NGX_DECLINED;
    }

    req->login = ngx_amt_relay_is(&values[NGX_AMT_RELAY_ARG_P], "2");

    /* others are as good as none: the first bytes tell */

    v = &values[NGX_AMT_RELAY_ARG_MODE];

    if (ngx_amt_relay_is(v, "kvm")) {
        req->kind = NGX_AMT_REDIR_KVM;

    } else if (ngx_amt_relay_is(v, "sol")) {
        req->kind = NGX_AMT_REDIR_SOL;

    } else if (ngx_amt_relay_is(v, "ider")) {
        req->kind = NGX_AMT_REDIR_IDER;
    }

    if (req->port == NGX_AMT_RELAY_PORT_VNC) {

        if (req->kind != NGX_AMT_REDIR_NONE && req->kind != NGX_AMT_REDIR_KVM)
        {
            *error = "\"port\" 5900 is for \"mode\" kvm";
            return NGX_DECLINED;
        }

        /* RFB from the first byte, with a password of its own */

        req->kind = NGX_AMT_REDIR_KVM;
        req->login = 0;
    }

    v = &values[NGX_AMT_RELAY_ARG_FORCE];

    if (ngx_amt_relay_is(v, "1") || ngx_amt_relay_is(v, "true")) {
        req->force = 1;

    } else if (v->len && !ngx_amt_relay_is(v, "0")
               && !ngx_amt_relay_is(v, "false"))
    {
        *error = "\"force\" is neither 0 nor 1";
        return NGX_DECLINED;
    }

    if (req->force && req->kind == NGX_AMT_REDIR_NONE) {
        *error = "\"force\" needs \"mode\"";
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/*
 * The values as they are: none of those that are valid needs escaping.  One
 * that is there twice is verified here and used there, in the end.
 */

static ngx_int_t
ngx_amt_relay_split(ngx_str_t *args, ngx_str_t *values, const char **error)
{
    u_char      *p, *last, *end, *eq;
    size_t       len;
    ngx_uint_t   i;

    ngx_memzero(values, NGX_AMT_RELAY_ARGS * sizeof(ngx_str_t));

    p = args->data;
    last = p + args->len;

    while (p < last) {

        end = ngx_strlchr(p, last, '&');

        if (end == NULL) {
            end = last;
        }

        eq = ngx_strlchr(p, end, '=');
        len = (eq ? eq : end) - p;

        for (i = 0; i < NGX_AMT_RELAY_ARGS; i++) {

            if (len != ngx_amt_relay_args[i].len
                || ngx_memcmp(p, ngx_amt_relay_args[i].data, len) != 0)
            {
                continue;
            }

            if (values[i].data) {
                *error = "a parameter is there twice";
                return NGX_DECLINED;
            }

            values[i].data = eq ? eq + 1 : end;
            values[i].len = end - values[i].data;
        }

        p = end + 1;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_amt_relay_is(ngx_str_t *value, const char *text)
{
    size_t  len;

    len = ngx_strlen(text);

    return value->len == len && ngx_memcmp(value->data, text, len) == 0;
}


/* ---- the caller ---- */

ngx_int_t
ngx_amt_relay_access(ngx_http_request_t *r, ngx_amt_ws_handshake_t *hs,
    ngx_amt_relay_request_t *req, ngx_amt_identity_t *id,
    ngx_cira_info_t *info)
{
    ngx_int_t   rc;
    ngx_log_t  *log;

    log = r->connection->log;

    rc = ngx_amt_relay_credentials(r, hs, req, id);

    if (rc != NGX_OK) {
        return rc;
    }

    if (ngx_amt_auth_allow(id, NGX_AMT_SCOPE_REDIRECTION) != NGX_OK
        || (req->force
            && ngx_amt_auth_allow(id, NGX_AMT_SCOPE_FORCE) != NGX_OK))
    {
        ngx_log_error(NGX_LOG_INFO, log, 0, "\"%V\" has no scope for this "
                      "redirection session", &id->name);
        return NGX_HTTP_FORBIDDEN;
    }

    if (!req->known) {
        return NGX_HTTP_BAD_REQUEST;
    }

    rc = ngx_amt_device_lookup(&req->host, info);

    if (rc == NGX_ERROR) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "device of the redirection session is not connected");
        return NGX_HTTP_UNAUTHORIZED;
    }

    if (info->tenant_len != id->tenant.len
        || ngx_memcmp(info->tenant, id->tenant.data, id->tenant.len) != 0)
    {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "device of the redirection session is of another "
                      "tenant than \"%V\"", &id->name);
        return NGX_HTTP_UNAUTHORIZED;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_relay_credentials(ngx_http_request_t *r, ngx_amt_ws_handshake_t *hs,
    ngx_amt_relay_request_t *req, ngx_amt_identity_t *id)
{
    ngx_int_t   rc;
    ngx_log_t  *log;

    log = r->connection->log;

    if (hs->n_protocols > 1) {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "client offered several subprotocols");
        return NGX_HTTP_UNAUTHORIZED;
    }

    rc = hs->n_protocols ? ngx_amt_auth_verify(r, &hs->protocol, id)
                         : ngx_amt_auth_identify(r, id);

    switch (rc) {

    case NGX_OK:
        break;

    case NGX_BUSY:
        return NGX_HTTP_TOO_MANY_REQUESTS;

    case NGX_ERROR:
        return NGX_HTTP_INTERNAL_SERVER_ERROR;

    default:
        return NGX_HTTP_UNAUTHORIZED;
    }

    if (hs->n_protocols == 0) {
        return NGX_OK;
    }

    /* of this device; that of a login is of none */

    if (!req->known || id->device.len != req->host.len
        || ngx_strncasecmp(id->device.data, req->host.data, req->host.len)
           != 0)
    {
        ngx_log_error(NGX_LOG_INFO, log, 0,
                      "client sent a token that is not for this device");
        return NGX_HTTP_UNAUTHORIZED;
    }

    return NGX_OK;
}
