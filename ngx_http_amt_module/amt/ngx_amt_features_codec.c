
/*
 * Features: what is read and written, without I/O; see ngx_amt_features.h.
 */


#include "amt/ngx_amt_features.h"
#include "amt/ngx_amt_boot.h"
#include "amt/ngx_amt_json.h"
#include "amt/ngx_amt_put.h"


#define NGX_AMT_FEATURES_HTTPS  "Intel(r) AMT: Force OCR UEFI HTTPS Boot"


static ngx_uint_t ngx_amt_features_bool(ngx_amt_xml_t *x, const char *name);
static void ngx_amt_features_boot(ngx_amt_features_t *features,
    ngx_uint_t *https, ngx_uint_t *winre, ngx_uint_t *pba);


static ngx_uint_t
ngx_amt_features_bool(ngx_amt_xml_t *x, const char *name)
{
    return x && ngx_amt_xml_bool(x, name, 0) == 1;
}


/* Which ways to boot the sources, the platform and the settings allow. */

static void
ngx_amt_features_boot(ngx_amt_features_t *features, ngx_uint_t *https,
    ngx_uint_t *winre, ngx_uint_t *pba)
{
    ngx_uint_t       i;
    ngx_amt_xml_t  **x;

    *https = 0;
    *winre = 0;
    *pba = 0;

    if (features->sources) {

        x = features->sources->elts;

        for (i = 0; i < features->sources->nelts; i++) {
            *https |= ngx_amt_boot_starts(x[i], "InstanceID",
                                          NGX_AMT_FEATURES_HTTPS);
            *winre |= ngx_amt_boot_source_is(x[i], "WinRe");
            *pba |= ngx_amt_boot_source_is(x[i], "PBA");
        }
    }

    *https &= ngx_amt_features_bool(features->capabilities,
                                    "ForceUEFIHTTPSBoot")
              && ngx_amt_features_bool(features->settings,
                                       "UEFIHTTPSBootEnabled");

    *winre &= ngx_amt_features_bool(features->capabilities, "ForceWinREBoot")
              && ngx_amt_features_bool(features->settings,
                                       "WinREBootEnabled");

    /* firmware has it by either name */

    *pba &= (ngx_amt_features_bool(features->capabilities,
                                   "ForceUEFILocalPBABoot")
             || ngx_amt_features_bool(features->capabilities,
                                      "ForceUEFIPBABoot"))
            && ngx_amt_features_bool(features->settings,
                                     "UEFILocalPBABootEnabled");
}


json_t *
ngx_amt_features_json(ngx_amt_features_t *features)
{
    json_t      *json;
    int64_t      state, ocr;
    ngx_uint_t   https, winre, pba;
    const char  *consent;

    json = json_object();

    if (json == NULL) {
        return NULL;
    }

    consent = ngx_amt_features_consent_name(
                  ngx_amt_xml_int(features->optin, "OptInRequired", -1));

    if (consent
        && ngx_amt_json_set(json, "userConsent", json_string(consent))
           != NGX_OK)
    {
        goto failed;
    }

    state = ngx_amt_xml_int(features->redirection, "EnabledState", 0);
    ocr = ngx_amt_xml_int(features->boot, "EnabledState", 0);

    ngx_amt_features_boot(features, &https, &winre, &pba);

    if (ngx_amt_json_set(json, "redirection",
                         json_boolean(ngx_amt_features_bool(
                                     features->redirection,
                                     "ListenerEnabled"))) != NGX_OK
        || ngx_amt_json_set(json, "KVM",
                            json_boolean(ngx_amt_features_kvm(features->kvm)))
           != NGX_OK
        || ngx_amt_json_set(json, "SOL",
                            json_boolean(state & NGX_AMT_FEATURES_SOL))
           != NGX_OK
        || ngx_amt_json_set(json, "IDER",
                            json_boolean(state & NGX_AMT_FEATURES_IDER))
           != NGX_OK
        || ngx_amt_json_set(json, "optInState",
                            json_integer(ngx_amt_xml_int(features->optin,
                                                         "OptInState", 0)))
           != NGX_OK
        || ngx_amt_json_set(json, "kvmAvailable",
                            json_boolean(features->kvm != NULL)) != NGX_OK
        || ngx_amt_json_set(json, "ocr",
                            json_boolean(ocr == 32769 || ocr == 32771))
           != NGX_OK
        || ngx_amt_json_set(json, "httpsBootSupported", json_boolean(https))
           != NGX_OK
        || ngx_amt_json_set(json, "winREBootSupported", json_boolean(winre))
           != NGX_OK
        || ngx_amt_json_set(json, "localPBABootSupported", json_boolean(pba))
           != NGX_OK
        || ngx_amt_json_set(json, "remoteErase", json_false()) != NGX_OK)
    {
        goto failed;
    }

    return json;

failed:

    json_decref(json);

    return NULL;
}


ngx_int_t
ngx_amt_features_redirection(ngx_pool_t *pool, ngx_amt_xml_t *x,
    ngx_uint_t state, ngx_uint_t listener, ngx_str_t *body)
{
    ngx_amt_put_t  changes[3];

    ngx_memzero(changes, sizeof(changes));

    changes[0].name = "EnabledState";
    changes[0].type = NGX_AMT_PUT_INT;
    changes[0].number = state;
    changes[0].add = 1;

    changes[1].name = "ListenerEnabled";
    changes[1].type = NGX_AMT_PUT_BOOL;
    changes[1].number = listener;
    changes[1].add = 1;

    return ngx_amt_put_body(pool, x, changes, body);
}


ngx_int_t
ngx_amt_features_optin(ngx_pool_t *pool, ngx_amt_xml_t *x, int64_t required,
    ngx_str_t *body)
{
    ngx_amt_put_t  changes[2];

    ngx_memzero(changes, sizeof(changes));

    changes[0].name = "OptInRequired";
    changes[0].type = NGX_AMT_PUT_INT;
    changes[0].number = required;
    changes[0].add = 1;

    return ngx_amt_put_body(pool, x, changes, body);
}


int64_t
ngx_amt_features_consent(const char *name)
{
    if (ngx_strcmp(name, "none") == 0) {
        return NGX_AMT_FEATURES_NONE;
    }

    if (ngx_strcmp(name, "kvm") == 0) {
        return NGX_AMT_FEATURES_KVM;
    }

    return ngx_strcmp(name, "all") == 0 ? NGX_AMT_FEATURES_ALL : -1;
}


const char *
ngx_amt_features_consent_name(int64_t required)
{
    if (required == NGX_AMT_FEATURES_NONE) {
        return "none";
    }

    if (required == NGX_AMT_FEATURES_KVM) {
        return "kvm";
    }

    return required == NGX_AMT_FEATURES_ALL ? "all" : NULL;
}


ngx_uint_t
ngx_amt_features_kvm(ngx_amt_xml_t *sap)
{
    int64_t  state;

    if (sap == NULL) {
        return 0;
    }

    state = ngx_amt_xml_int(sap, "EnabledState", 0);

    return state == 2 || state == 6;
}
