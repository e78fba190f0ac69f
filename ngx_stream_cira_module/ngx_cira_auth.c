
/*
 * cira_auth: asks an HTTP service whether a device may connect.
 *
 * 204, or 200 with {"tenant": "..", "channels": n} in which both are
 * optional, lets in; 401 and 403 refuse; all else means that the service is
 * down, which is no statement about the device.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <jansson.h>
#include "ngx_stream_cira.h"
#include "ngx_cira_http.h"
#include "ngx_cira_json.h"
#include "ngx_cira_utf8.h"
#include "ngx_cira_hooks.h"


#define NGX_CIRA_AUTH_ANSWER  4096


struct ngx_cira_auth_s {
    ngx_cira_http_t    *http;
    ngx_cira_auth_pt    handler;
    void               *data;
    ngx_log_t          *log;
    ngx_event_t         refuse;          /* posted: refused without asking */
    ngx_connection_t    dummy;
};


static ngx_uint_t ngx_cira_auth_text(ngx_str_t *s);
static void ngx_cira_auth_refuse(ngx_event_t *ev);
static void ngx_cira_auth_answer(void *data, ngx_int_t rc, ngx_uint_t status,
    ngx_str_t *body);
static ngx_int_t ngx_cira_auth_parse(ngx_str_t *body,
    ngx_cira_auth_result_t *result, json_t **root);


ngx_cira_auth_t *
ngx_cira_auth_start(ngx_cira_auth_request_t *req, ngx_cira_auth_pt handler,
    void *data, ngx_log_t *log)
{
    u_char                   guid[NGX_CIRA_GUID_TEXT];
    ngx_str_t                body;
    ngx_cira_auth_t         *a;
    ngx_cira_json_t          j;
    ngx_cira_hooks_conf_t   *hcf;

    hcf = ngx_cira_hooks_conf();
    if (hcf == NULL || hcf->auth.url == NULL) {
        ngx_log_error(NGX_LOG_ERR, log, 0,
                      "no \"cira_auth\" is configured, nobody is let in");
        return NULL;
    }

    a = ngx_calloc(sizeof(ngx_cira_auth_t), log);
    if (a == NULL) {
        return NULL;
    }

    a->handler = handler;
    a->data = data;
    a->log = log;

    if (req->user.len == 0 || !ngx_cira_auth_text(&req->user)
        || !ngx_cira_auth_text(&req->password))
    {
        /* JSON cannot carry them as they are, so no service can know them */

        a->dummy.fd = (ngx_socket_t) -1;
        a->refuse.handler = ngx_cira_auth_refuse;
        a->refuse.data = a;
        a->refuse.log = log;

        ngx_post_event(&a->refuse, &ngx_posted_events);

        return a;
    }

    (void) ngx_cira_json_init(&j, 512, log);

    (void) ngx_cira_guid_text(guid, req->guid);

    ngx_cira_json_raw(&j, "{\"guid\":");
    ngx_cira_json_string(&j, guid, NGX_CIRA_GUID_TEXT);
    ngx_cira_json_raw(&j, ",\"user\":");
    ngx_cira_json_string(&j, req->user.data, req->user.len);
    ngx_cira_json_raw(&j, ",\"password\":");
    ngx_cira_json_string(&j, req->password.data, req->password.len);
    ngx_cira_json_raw(&j, ",\"address\":");
    ngx_cira_json_string(&j, req->addr.data, req->addr.len);
    ngx_cira_json_raw(&j, ",\"tls\":");
    ngx_cira_json_string(&j, req->protocol.data, req->protocol.len);
    ngx_cira_json_raw(&j, ",\"cipher\":");
    ngx_cira_json_string(&j, req->cipher.data, req->cipher.len);

    if (req->fingerprint.len) {
        ngx_cira_json_raw(&j, ",\"fingerprint\":");
        ngx_cira_json_string(&j, req->fingerprint.data,
                             req->fingerprint.len);
    }

    ngx_cira_json_raw(&j, req->verified ? ",\"verified\":true}"
                                        : ",\"verified\":false}");

    if (!j.failed) {
        body.data = j.start;
        body.len = j.last - j.start;

        a->http = ngx_cira_http_post(&hcf->auth, &body, hcf->auth_timeout,
                                     NGX_CIRA_AUTH_ANSWER,
                                     ngx_cira_auth_answer, a, log);
    }

    ngx_cira_json_free(&j);

    if (a->http == NULL) {
        ngx_free(a);
        return NULL;
    }

    return a;
}


static ngx_uint_t
ngx_cira_auth_text(ngx_str_t *s)
{
    return ngx_strlchr(s->data, s->data + s->len, '\0') == NULL
           && ngx_cira_utf8_valid(s->data, s->len);
}


void
ngx_cira_auth_cancel(ngx_cira_auth_t *a)
{
    if (a->refuse.posted) {
        ngx_delete_posted_event(&a->refuse);
    }

    if (a->http) {
        ngx_cira_http_cancel(a->http);
    }

    ngx_free(a);
}


static void
ngx_cira_auth_refuse(ngx_event_t *ev)
{
    void                    *data;
    ngx_cira_auth_t         *a;
    ngx_cira_auth_pt         handler;
    ngx_cira_auth_result_t   result;

    a = ev->data;

    handler = a->handler;
    data = a->data;
    ngx_free(a);

    ngx_memzero(&result, sizeof(ngx_cira_auth_result_t));

    handler(data, NGX_DECLINED, &result);
}


static void
ngx_cira_auth_answer(void *data, ngx_int_t rc, ngx_uint_t status,
    ngx_str_t *body)
{
    void                    *owner;
    json_t                  *root;
    ngx_cira_auth_t         *a;
    ngx_cira_auth_pt         handler;
    ngx_cira_auth_result_t   result;

    a = data;
    root = NULL;
    ngx_memzero(&result, sizeof(ngx_cira_auth_result_t));

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, a->log, 0,
                      "cira_auth did not answer: %V", body);

    } else if (status == 401 || status == 403) {
        rc = NGX_DECLINED;

    } else if (status == 204 || (status == 200 && body->len == 0)) {
        rc = NGX_OK;

    } else if (status == 200) {
        rc = ngx_cira_auth_parse(body, &result, &root);

        if (rc != NGX_OK) {
            ngx_log_error(NGX_LOG_ERR, a->log, 0,
                          "cira_auth answered 200 with a body that is not "
                          "{\"tenant\":\"..\",\"channels\":1..}");
        }

    } else {
        ngx_log_error(NGX_LOG_ERR, a->log, 0,
                      "cira_auth is not available, it answered %ui", status);
        rc = NGX_ERROR;
    }

    handler = a->handler;
    owner = a->data;
    ngx_free(a);

    handler(owner, rc, &result);

    json_decref(root);
}


static ngx_int_t
ngx_cira_auth_parse(ngx_str_t *body, ngx_cira_auth_result_t *result,
    json_t **root)
{
    size_t         i;
    json_t        *tenant, *channels;
    json_error_t   error;

    *root = json_loadb((char *) body->data, body->len,
                       JSON_REJECT_DUPLICATES, &error);

    if (!json_is_object(*root)) {
        return NGX_ERROR;
    }

    tenant = json_object_get(*root, "tenant");

    if (tenant && !json_is_null(tenant)) {
        if (!json_is_string(tenant)
            || json_string_length(tenant) > NGX_CIRA_TENANT_LEN)
        {
            return NGX_ERROR;
        }

        result->tenant.data = (u_char *) json_string_value(tenant);
        result->tenant.len = json_string_length(tenant);

        /* it has to fit into a header of CONNECT as it is */

        for (i = 0; i < result->tenant.len; i++) {
            if (result->tenant.data[i] <= ' ' || result->tenant.data[i] > '~')
            {
                return NGX_ERROR;
            }
        }
    }

    channels = json_object_get(*root, "channels");

    if (channels && !json_is_null(channels)) {
        if (!json_is_integer(channels)
            || json_integer_value(channels) < 1
            || json_integer_value(channels) > 64)
        {
            return NGX_ERROR;
        }

        result->channels = (ngx_uint_t) json_integer_value(channels);
    }

    return NGX_OK;
}
