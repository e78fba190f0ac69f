
/*
 * Routes: settings and inventory of a device.  Contract mps.md sections 2.5,
 * 2.9 to 2.13.
 */


#include "mps/ngx_amt_route.h"
#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_mps_control.h"
#include "amt/ngx_amt_consent.h"
#include "amt/ngx_amt_features.h"
#include "amt/ngx_amt_general.h"
#include "amt/ngx_amt_kvm_displays.h"
#include "amt/ngx_amt_version.h"
#include "amt/ngx_amt_alarm.h"
#include "amt/ngx_amt_certificates.h"
#include "amt/ngx_amt_hardware.h"


const ngx_amt_route_t  ngx_amt_routes_settings[] = {

    { NGX_HTTP_GET, "amt/features/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_features, NULL,
      NULL, NULL,
      "Exception during AMT Features request", NULL },

    { NGX_HTTP_POST, "amt/features/:guid",
      NGX_AMT_SCOPE_CONFIGURE, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_features_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_features_set,
      ngx_amt_mps_features_input,
      "features.change", ngx_amt_mps_features_detail,
      "Exception during AMT Features Set request", NULL },

    { NGX_HTTP_GET, "amt/userConsentCode/:guid",
      NGX_AMT_SCOPE_REDIRECTION, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_consent_start, NULL,
      "consent.start", NULL,
      "Exception during User Consent Request", NULL },

    { NGX_HTTP_GET, "amt/userConsentCode/cancel/:guid",
      NGX_AMT_SCOPE_REDIRECTION, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_consent_cancel, NULL,
      "consent.cancel", NULL,
      "Exception during User Consent Cancel", NULL },

    { NGX_HTTP_POST, "amt/userConsentCode/:guid",
      NGX_AMT_SCOPE_REDIRECTION, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_consent_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_consent_send,
      ngx_amt_mps_consent_input,
      "consent.send", NULL,
      "Exception during User Consent Sent", NULL },

    { NGX_HTTP_GET, "amt/kvm/displays/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_kvm_displays, NULL,
      NULL, NULL,
      "Exception during get KVM display setting data", NULL },

    { NGX_HTTP_PUT, "amt/kvm/displays/:guid",
      NGX_AMT_SCOPE_REDIRECTION, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_displays_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_kvm_displays_set,
      ngx_amt_mps_displays_input,
      "kvm.display", ngx_amt_mps_displays_detail,
      "Exception during set KVM display setting data", NULL },

    { NGX_HTTP_GET, "amt/generalSettings/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_general, NULL,
      NULL, NULL,
      "Exception during AMT General Settings request", NULL },

    { NGX_HTTP_GET, "amt/version/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_version, NULL,
      NULL, NULL,
      "Exception during AMT Version request",
      "AMT Version request failed for guid : " },

    { NGX_HTTP_GET, "amt/hardwareInfo/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_hardware, NULL,
      NULL, NULL,
      "Exception during AMT Hardware Information request", NULL },

    { NGX_HTTP_GET, "amt/alarmOccurrences/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_alarm_list, NULL,
      NULL, NULL,
      "Exception during alarm occurrences request", NULL },

    { NGX_HTTP_POST, "amt/alarmOccurrences/:guid",
      NGX_AMT_SCOPE_CONFIGURE, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_alarm_add, ngx_amt_mps_alarm_input,
      "alarm.add", ngx_amt_mps_alarm_detail,
      "Exception during alarm occurrences request",
      "Alarm add request failed for guid : " },

    { NGX_HTTP_DELETE, "amt/alarmOccurrences/:guid",
      NGX_AMT_SCOPE_CONFIGURE, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_alarm_delete, ngx_amt_mps_alarm_name,
      "alarm.delete", ngx_amt_mps_alarm_detail,
      "Exception during alarm occurrences request",
      "Alarm occurrence delete request failed for guid : " },

    { NGX_HTTP_GET, "amt/certificates/:guid",
      NGX_AMT_SCOPE_READ, NGX_AMT_ROUTE_DEVICE,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_certificates_list, NULL,
      NULL, NULL,
      "Exception during AMT Certificates request", NULL },

    { NGX_HTTP_POST, "amt/certificates/:guid",
      NGX_AMT_SCOPE_CONFIGURE, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      ngx_amt_mps_cert_checks,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_certificates_add,
      ngx_amt_mps_cert_input,
      "certificate.add", ngx_amt_mps_cert_detail,
      "Exception during AMT Certificates request", NULL },

    { NGX_HTTP_DELETE, "amt/certificates/:guid/:handle",
      NGX_AMT_SCOPE_CONFIGURE, NGX_AMT_ROUTE_DEVICE|NGX_AMT_ROUTE_AUDIT,
      NULL,
      ngx_amt_mps_device, sizeof(ngx_amt_mps_json_t),
      ngx_amt_mps_json_drop, &ngx_amt_certificates_delete,
      ngx_amt_mps_params_input,
      "certificate.delete", ngx_amt_mps_cert_detail,
      "Exception during AMT Certificates request", NULL },

    { 0, NULL, 0, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
};
