
/*
 * REST: features, user consent and displays, what they take.  Contract
 * mps.md sections 2.9, 2.10, 2.13.
 */


#include "mps/ngx_amt_mps_control.h"


#define NGX_AMT_CONSENT_DIGITS  6


static ngx_int_t ngx_amt_mps_consent_code(json_t *value,
    ngx_amt_input_t *in);


const ngx_amt_check_t  ngx_amt_mps_features_checks[] = {

    { "userConsent", NGX_AMT_IN_BODY, NGX_AMT_CHECK_IN, 0, 0, 0,
      "kvm,all,none", NULL, NULL },
    { "userConsent", NGX_AMT_IN_BODY, NGX_AMT_CHECK_STRING, 0, 0, 0, NULL,
      NULL, NULL },

    { "enableSOL", NGX_AMT_IN_BODY, NGX_AMT_CHECK_BOOLEAN, 0, 0, 0, NULL,
      NULL, NULL },
    { "enableIDER", NGX_AMT_IN_BODY, NGX_AMT_CHECK_BOOLEAN, 0, 0, 0, NULL,
      NULL, NULL },
    { "enableKVM", NGX_AMT_IN_BODY, NGX_AMT_CHECK_BOOLEAN, 0, 0, 0, NULL,
      NULL, NULL },

    { "ocr", NGX_AMT_IN_BODY, NGX_AMT_CHECK_BOOLEAN, NGX_AMT_CHECK_OPTIONAL,
      0, 0, NULL, NULL, NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


/* The second check leaves what the first one has reported alone. */

const ngx_amt_check_t  ngx_amt_mps_consent_checks[] = {

    { "consentCode", NGX_AMT_IN_BODY, NGX_AMT_CHECK_NUMERIC,
      NGX_AMT_CHECK_BAIL, 0, 0, NULL, NULL, NULL },
    { "consentCode", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM, 0, 0, 0, NULL,
      NULL, ngx_amt_mps_consent_code },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


/* AMT knows up to four displays. */

const ngx_amt_check_t  ngx_amt_mps_displays_checks[] = {

    { "displayIndex", NGX_AMT_IN_BODY, NGX_AMT_CHECK_INT, 0, 0, 3, NULL,
      NULL, NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


ngx_int_t
ngx_amt_mps_features_input(ngx_amt_api_t *api)
{
    json_t      *value;
    ngx_uint_t   i;

    static const char  *names[] = {
        "enableSOL", "enableIDER", "enableKVM", "ocr"
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        value = json_object_get(api->body, names[i]);

        if (value
            && json_object_set_new(api->body, names[i],
                                   json_boolean(ngx_amt_input_true(value)))
               != 0)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_amt_mps_features_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    json_t         *value;
    ngx_uint_t      i;
    ngx_amt_out_t   o;

    static const char  *names[] = {
        "userConsent", "enableSOL", "enableIDER", "enableKVM", "ocr"
    };

    ngx_amt_out_init(&o, api->pool, 128);
    ngx_amt_out_open(&o, '{');

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        value = json_object_get(api->body, names[i]);

        if (value) {
            ngx_amt_out_key(&o, names[i]);
            ngx_amt_out_value(&o, value);
        }
    }

    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}


/* What the screen shows: up to six digits. */

static ngx_int_t
ngx_amt_mps_consent_code(json_t *value, ngx_amt_input_t *in)
{
    size_t       i, len;
    double       n;
    const char  *text;

    if (json_is_number(value)) {
        n = json_number_value(value);

        return n >= 0 && n <= 999999 && n == (int64_t) n
               ? NGX_OK : NGX_DECLINED;
    }

    text = json_string_value(value);
    len = json_string_length(value);

    if (text == NULL || len == 0 || len > NGX_AMT_CONSENT_DIGITS) {
        return NGX_DECLINED;
    }

    for (i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


/* A number has lost its leading zeros: it gets them back. */

ngx_int_t
ngx_amt_mps_consent_input(ngx_amt_api_t *api)
{
    char     buf[NGX_AMT_CONSENT_DIGITS + 1];
    json_t  *value;

    value = json_object_get(api->body, "consentCode");

    if (json_is_string(value)) {
        return NGX_OK;
    }

    *ngx_snprintf((u_char *) buf, NGX_AMT_CONSENT_DIGITS, "%06L",
                  (int64_t) json_number_value(value)) = '\0';

    return json_object_set_new(api->body, "consentCode", json_string(buf))
           == 0 ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_amt_mps_displays_input(ngx_amt_api_t *api)
{
    json_t  *value;

    value = json_object_get(api->body, "displayIndex");
    value = json_integer(ngx_amt_input_int(value, 0, 0, 3));

    return json_object_set_new(api->body, "displayIndex", value) == 0
           ? NGX_OK : NGX_ERROR;
}


ngx_int_t
ngx_amt_mps_displays_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    ngx_amt_out_t  o;

    ngx_amt_out_init(&o, api->pool, 64);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "displayIndex");
    ngx_amt_out_int(&o, ngx_amt_input_int(json_object_get(api->body,
                                                          "displayIndex"),
                                          0, 0, 3));
    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}
