
/*
 * Requests compared with golden ones, after canonicalisation (wsman.md
 * section 11), and captured answers decoded.  Our own goldens and answers
 * are in t/fixtures; the contract's, when they are there, in $AMT_CONTRACT
 * (default ../shared/contract).
 */


#include "wsman_unit.h"
#include "amt/ngx_amt_boot.h"
#include "amt/ngx_amt_boot_tlv.h"
#include "amt/ngx_amt_consent.h"
#include "amt/ngx_amt_features.h"
#include "amt/ngx_amt_alarm.h"
#include "amt/ngx_amt_audit_log.h"
#include "amt/ngx_amt_datetime.h"
#include "amt/ngx_amt_event_log.h"
#include "amt/ngx_amt_json.h"
#include "amt/ngx_amt_kvm_displays.h"
#include "amt/ngx_amt_password.h"
#include "amt/ngx_amt_power.h"
#include "amt/ngx_amt_put.h"
#include "golden_network.h"
#include <dirent.h>
#include <jansson.h>


typedef ngx_int_t (*golden_pt)(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);

/*
 * How a golden's request is made of its parameters.  Get, Enumerate, Pull,
 * Delete and Put need no line; all others have one, by the beginning of the
 * id: one line per method makes it a tested one.
 */

typedef struct {
    const char  *id;
    golden_pt    make;
    const char  *arg;
} golden_t;


static ngx_int_t golden_managed(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);
static ngx_int_t golden_boot_defaults(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);
static ngx_int_t golden_boot_settings(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);
static ngx_int_t golden_boot_order(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);
static ngx_int_t golden_boot_role(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);
static ngx_int_t golden_state(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);
static ngx_int_t golden_feature(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);
static ngx_int_t golden_consent(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);
static ngx_int_t golden_password(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);
static ngx_int_t golden_named(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);
static ngx_int_t golden_alarm(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);
static ngx_int_t golden_audit_log(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);
static ngx_int_t golden_event_log(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);
static ngx_int_t golden_object(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg);


static golden_t  goldens[] = {
    { "CIM.PowerManagementService.RequestPowerStateChange",
      golden_managed, "PowerState" },
    { "IPS.PowerManagementService.RequestOSPowerSavingStateChange",
      golden_managed, "OSPowerSavingState" },
    { "AMT.BootSettingData.Put.powerAction", golden_boot_defaults, NULL },
    { "AMT.BootSettingData.Put.biosSetupSol", golden_boot_settings,
      "100 1" },
    { "AMT.BootSettingData.Put.iderCdrom", golden_boot_settings, "202 0" },
    { "AMT.BootSettingData.Put.iderFloppy", golden_boot_settings, "200 0" },
    { "AMT.BootSettingData.Put.pxe", golden_boot_settings, "400 0" },
    { "AMT.BootSettingData.Put.httpsBoot", golden_boot_settings, "105 0" },
    { "AMT.BootSettingData.Put.pbaWinRe", golden_boot_settings, "107 0" },
    { "CIM.BootConfigSetting.ChangeBootOrder", golden_boot_order, NULL },
    { "CIM.BootService.SetBootConfigRole", golden_boot_role, NULL },
    { "CIM.BootService.RequestStateChange", golden_state, NULL },
    { "CIM.KVMRedirectionSAP.RequestStateChange", golden_state, NULL },
    { "AMT.RedirectionService.RequestStateChange", golden_state, NULL },
    { "AMT.RedirectionService.Put", golden_feature, "EnabledState" },
    { "IPS.OptInService.Put", golden_feature, "OptInRequired" },
    { "IPS.KVMRedirectionSettingData.Put", golden_feature,
      "DefaultScreen" },
    { "IPS.OptInService.StartOptIn", golden_named, "" },
    { "IPS.OptInService.CancelOptIn", golden_named, "" },
    { "IPS.OptInService.SendOptInCode", golden_consent, NULL },

    { "AMT.AlarmClockService.AddAlarm", golden_alarm, NULL },
    { "AMT.AuditLog.ReadRecords", golden_audit_log, NULL },
    { "AMT.AuthorizationService.SetAdminAclEntryEx", golden_password, NULL },
    { "AMT.MessageLog.PositionToFirstRecord", golden_named, "" },
    { "AMT.MessageLog.GetRecords", golden_event_log, NULL },
    { "AMT.PublicKeyManagementService.AddKey", golden_named, "KeyBlob" },
    { "AMT.PublicKeyManagementService.AddCertificate", golden_object, NULL },
    { "AMT.PublicKeyManagementService.AddTrustedRootCertificate",
      golden_object, NULL },
    { "AMT.PublicKeyManagementService.GenerateKeyPair",
      golden_object, NULL },
    { "AMT.SetupAndConfigurationService.CommitChanges", golden_named, "" },
    { "AMT.SetupAndConfigurationService.SetMEBxPassword",
      golden_password, "MEBx" },
    { "AMT.SetupAndConfigurationService.Unprovision",
      golden_named, "ProvisioningMode=1" },
    { "AMT.TimeSynchronizationService.GetLowAccuracyTimeSynch",
      golden_named, "" },
    { "AMT.TimeSynchronizationService.SetHighAccuracyTimeSynch",
      golden_named, "Ta0 Tm1 Tm2" },
    { "AMT.UserInitiatedConnectionService.RequestStateChange",
      golden_named, "RequestedState" },
    { "CIM.WiFiPort.RequestStateChange", golden_named, "RequestedState" },
    { "IPS.HostBasedSetupService.Setup", golden_named,
      "NetAdminPassEncryptionType NetworkAdminPassword" },
    { "IPS.HostBasedSetupService.AdminSetup", golden_named,
      "NetAdminPassEncryptionType NetworkAdminPassword McNonce "
      "SigningAlgorithm DigitalSignature" },
    { "IPS.HostBasedSetupService.UpgradeClientToAdmin", golden_named,
      "McNonce SigningAlgorithm DigitalSignature" },
    { "IPS.HostBasedSetupService.AddNextCertInChain", golden_named,
      "NextCertificate IsLeafCertificate IsRootCertificate" },
    { "IPS.HTTPProxyService.AddProxyAccessPoint", golden_object, NULL },

    GOLDEN_NETWORK,

    /* selectors that are endpoint references */
    { "AMT.TLSCredentialContext.Put", NULL, NULL },

    { NULL, NULL, NULL }
};


/* What the gateway sends today: each must be in the file and be equal. */

static const char  *required[] = {
    "AMT.AlarmClockService.AddAlarm.once",
    "AMT.AlarmClockService.AddAlarm.interval",
    "AMT.AlarmClockService.AddAlarm.intervalZero",
    "AMT.AlarmClockService.AddAlarm.noElementName",
    "AMT.AuditLog.ReadRecords",
    "AMT.AuditLog.ReadRecords.page2",
    "AMT.BootCapabilities.Get",
    "AMT.BootSettingData.Get",
    "AMT.BootSettingData.Put.powerAction",
    "AMT.BootSettingData.Put.biosSetupSol",
    "AMT.BootSettingData.Put.iderCdrom",
    "AMT.BootSettingData.Put.iderFloppy",
    "AMT.BootSettingData.Put.pxe",
    "AMT.BootSettingData.Put.httpsBoot",
    "AMT.BootSettingData.Put.pbaWinRe",
    "AMT.RedirectionService.Get",
    "AMT.RedirectionService.Put.solIder",
    "AMT.RedirectionService.Put.sol",
    "AMT.RedirectionService.Put.ider",
    "AMT.RedirectionService.Put.none",
    "AMT.RedirectionService.RequestStateChange.solIder",
    "AMT.RedirectionService.RequestStateChange.sol",
    "AMT.RedirectionService.RequestStateChange.ider",
    "AMT.RedirectionService.RequestStateChange.none",
    "CIM.BootConfigSetting.ChangeBootOrder.cdDvd",
    "CIM.BootConfigSetting.ChangeBootOrder.clear",
    "CIM.BootConfigSetting.ChangeBootOrder.hdd",
    "CIM.BootConfigSetting.ChangeBootOrder.https",
    "CIM.BootConfigSetting.ChangeBootOrder.ocrOption1",
    "CIM.BootConfigSetting.ChangeBootOrder.pxe",
    "CIM.BootService.Get",
    "CIM.BootService.SetBootConfigRole.next",
    "CIM.BootService.RequestStateChange.32768",
    "CIM.BootService.RequestStateChange.32769",
    "CIM.BootSourceSetting.Enumerate",
    "CIM.BootSourceSetting.Pull",
    "CIM.KVMRedirectionSAP.Get",
    "CIM.KVMRedirectionSAP.RequestStateChange.2",
    "CIM.KVMRedirectionSAP.RequestStateChange.3",
    "AMT.AuthorizationService.SetAdminAclEntryEx",
    "AMT.SetupAndConfigurationService.SetMEBxPassword",
    "IPS.KVMRedirectionSettingData.Get",
    "IPS.KVMRedirectionSettingData.Put",
    "IPS.OptInService.Get",
    "IPS.OptInService.Put.none",
    "IPS.OptInService.Put.kvm",
    "IPS.OptInService.Put.all",
    "IPS.OptInService.StartOptIn",
    "IPS.OptInService.CancelOptIn",
    "IPS.OptInService.SendOptInCode",
    "IPS.ScreenSettingData.Enumerate",
    "IPS.ScreenSettingData.Pull",
    "AMT.GeneralSettings.Get",
    "AMT.MessageLog.PositionToFirstRecord",
    "AMT.MessageLog.GetRecords",
    "AMT.PublicKeyCertificate.Enumerate",
    "AMT.PublicKeyCertificate.Pull",
    "AMT.PublicKeyCertificate.Delete",
    "AMT.PublicKeyManagementService.AddCertificate",
    "AMT.PublicKeyManagementService.AddTrustedRootCertificate",
    "AMT.PublicPrivateKeyPair.Enumerate",
    "AMT.PublicPrivateKeyPair.Pull",
    "AMT.SetupAndConfigurationService.Get",
    "CIM.BIOSElement.Get",
    "CIM.Card.Get",
    "CIM.Chassis.Get",
    "CIM.Chip.Enumerate",
    "CIM.Chip.Pull",
    "CIM.ComputerSystemPackage.Get",
    "CIM.ConcreteDependency.Enumerate",
    "CIM.ConcreteDependency.Pull",
    "CIM.CredentialContext.Enumerate",
    "CIM.CredentialContext.Pull",
    "CIM.MediaAccessDevice.Enumerate",
    "CIM.MediaAccessDevice.Pull",
    "CIM.PhysicalMemory.Enumerate",
    "CIM.PhysicalMemory.Pull",
    "CIM.PhysicalPackage.Enumerate",
    "CIM.PhysicalPackage.Pull",
    "CIM.PowerManagementService.RequestPowerStateChange.2",
    "CIM.PowerManagementService.RequestPowerStateChange.3",
    "CIM.PowerManagementService.RequestPowerStateChange.4",
    "CIM.PowerManagementService.RequestPowerStateChange.5",
    "CIM.PowerManagementService.RequestPowerStateChange.6",
    "CIM.PowerManagementService.RequestPowerStateChange.7",
    "CIM.PowerManagementService.RequestPowerStateChange.8",
    "CIM.PowerManagementService.RequestPowerStateChange.10",
    "CIM.PowerManagementService.RequestPowerStateChange.11",
    "CIM.PowerManagementService.RequestPowerStateChange.12",
    "CIM.PowerManagementService.RequestPowerStateChange.13",
    "CIM.PowerManagementService.RequestPowerStateChange.14",
    "CIM.PowerManagementService.RequestPowerStateChange.15",
    "CIM.PowerManagementService.RequestPowerStateChange.16",
    "CIM.PowerManagementService.RequestPowerStateChange.17",
    "CIM.Processor.Enumerate",
    "CIM.Processor.Pull",
    "CIM.ServiceAvailableToElement.Enumerate",
    "CIM.ServiceAvailableToElement.Pull",
    "CIM.SoftwareIdentity.Enumerate",
    "CIM.SoftwareIdentity.Pull",
    "CIM.SystemPackaging.Enumerate",
    "CIM.SystemPackaging.Pull",
    "IPS.AlarmClockOccurrence.Enumerate",
    "IPS.AlarmClockOccurrence.Pull",
    "IPS.AlarmClockOccurrence.Delete",
    "IPS.PowerManagementService.Get",
    "IPS.PowerManagementService.RequestOSPowerSavingStateChange.2",
    "IPS.PowerManagementService.RequestOSPowerSavingStateChange.3",

    GOLDEN_NETWORK_REQUIRED,

    NULL
};


static void
golden_leaf(ngx_amt_xml_writer_t *w, const char *name, json_t *value)
{
    size_t   i;
    json_t  *v;

    switch (json_typeof(value)) {

    case JSON_NULL:
        break;

    case JSON_ARRAY:
        json_array_foreach(value, i, v) {
            golden_leaf(w, name, v);
        }
        break;

    case JSON_TRUE:
    case JSON_FALSE:
        ngx_amt_xml_leaf_bool(w, name, json_is_true(value));
        break;

    case JSON_INTEGER:
        ngx_amt_xml_leaf_int(w, name, json_integer_value(value));
        break;

    case JSON_STRING:

        if (strncmp(json_string_value(value), "<a:Address>", 11) == 0) {
            ngx_amt_xml_open(w, name);
            ngx_amt_xml_raw(w, json_string_value(value));
            ngx_amt_xml_close(w, name);
            break;
        }

        ngx_amt_xml_leaf_c(w, name, json_string_value(value));
        break;

    default:
        w->refused = 1;
    }
}


static ngx_int_t
golden_object(ngx_pool_t *pool, json_t *params, ngx_amt_wsman_request_t *req,
    const char *arg)
{
    json_t                *value, *object;
    const char            *key;
    ngx_amt_xml_writer_t   w;

    object = json_array_get(params, 0);

    /* one class is wrapped in an object of its name */

    if (json_object_get(object, req->class)) {
        object = json_object_get(object, req->class);
    }

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);

    json_object_foreach(object, key, value) {
        golden_leaf(&w, key, value);
    }

    return ngx_amt_xml_done(&w, &req->body);
}


static ngx_int_t
golden_named(ngx_pool_t *pool, json_t *params, ngx_amt_wsman_request_t *req,
    const char *arg)
{
    char                  *names, *name, *def, *save;
    size_t                 i;
    json_t                *value;
    ngx_amt_xml_writer_t   w;

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);

    names = strdup(arg);

    for (i = 0, name = strtok_r(names, " ", &save);
         name;
         i++, name = strtok_r(NULL, " ", &save))
    {
        def = strchr(name, '=');

        if (def) {
            *def++ = '\0';
        }

        value = json_array_get(params, i);

        if (value) {
            golden_leaf(&w, name, value);

        } else if (def) {
            ngx_amt_xml_leaf_c(&w, name, def);

        } else {
            w.refused = 1;
        }
    }

    free(names);

    return ngx_amt_xml_done(&w, &req->body);
}


static ngx_int_t
golden_managed(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg)
{
    return ngx_amt_power_input(pool, arg,
                               json_integer_value(json_array_get(params, 0)),
                               &req->body);
}


/*
 * The instance a golden was made of, as a device would tell it.  other:
 * properties that the request is to change, and what they were before; NULL
 * leaves a property out.
 */
/* The date of the golden goes the way of a client's. */

static ngx_int_t
golden_alarm(ngx_pool_t *pool, json_t *params, ngx_amt_wsman_request_t *req,
    const char *arg)
{
    json_t     *input;
    int64_t     seconds;
    ngx_str_t   start;
    ngx_int_t   rc;

    input = json_deep_copy(json_array_get(params, 0));
    start = unit_str(json_string_value(json_object_get(input, "StartTime")));

    rc = ngx_amt_datetime_parse(&start, &seconds);

    if (rc == NGX_OK) {
        json_object_set_new(input, "StartTime", json_integer(seconds));
        rc = ngx_amt_alarm_input(pool, input, &req->body);
    }

    json_decref(input);

    return rc == NGX_OK ? NGX_OK : NGX_ERROR;
}


static ngx_int_t
golden_audit_log(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg)
{
    json_t  *start;

    start = json_array_get(params, 0);

    return ngx_amt_audit_log_input(pool, start ? json_integer_value(start)
                                               : 1, &req->body);
}


static ngx_int_t
golden_event_log(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg)
{
    json_t  *start;

    start = json_array_get(params, 0);

    return ngx_amt_event_log_input(pool, start ? json_integer_value(start)
                                               : 1, 390, &req->body);
}


/* A device whose settings are all on, put back to the defaults. */

typedef struct {
    const char  *name;
    const char  *value;
} golden_was_t;


static ngx_amt_xml_t *
golden_instance(ngx_pool_t *pool, json_t *object, const char *class,
    const golden_was_t *other)
{
    json_t                    *value;
    ngx_str_t                  text;
    const char                *key, *base;
    const golden_was_t        *was;
    ngx_amt_xml_writer_t       w;
    ngx_amt_wsman_response_t   res;

    if (json_object_get(object, class)) {
        object = json_object_get(object, class);
    }

    if (ngx_amt_wsman_uri(class, &base) != NGX_OK) {
        return NULL;
    }

    ngx_amt_xml_writer_init(&w, pool, 65536);
    ngx_amt_xml_raw(&w, "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/"
                    "soap-envelope\"><e:Body><h:");
    ngx_amt_xml_raw(&w, class);
    ngx_amt_xml_raw(&w, " xmlns:h=\"");
    ngx_amt_xml_raw(&w, base);
    ngx_amt_xml_raw(&w, class);
    ngx_amt_xml_raw(&w, "\">\n");

    json_object_foreach(object, key, value) {

        for (was = other; was->name && strcmp(was->name, key) != 0; was++) {
            /* void */
        }

        if (was->name == NULL) {
            golden_leaf(&w, key, value);

        } else if (was->value) {
            ngx_amt_xml_leaf_c(&w, key, was->value);
        }

        ngx_amt_xml_raw(&w, "\n  ");
    }

    ngx_amt_xml_close(&w, class);
    ngx_amt_xml_raw(&w, "</e:Body></e:Envelope>");

    if (ngx_amt_xml_done(&w, &text) != NGX_OK
        || ngx_amt_wsman_parse(pool, &text, &res) != NGX_OK)
    {
        return NULL;
    }

    return res.content;
}


/* A device whose settings are all on: what boot options write. */

static const golden_was_t  golden_boot_was[] = {
    { "BIOSPause", "true" }, { "BIOSSetup", "true" },
    { "ConfigurationDataReset", "true" }, { "ForcedProgressEvents", "true" },
    { "LockKeyboard", "true" }, { "LockPowerButton", "true" },
    { "LockResetButton", "true" }, { "LockSleepButton", "true" },
    { "ReflashBIOS", "true" }, { "UseIDER", "true" }, { "UseSOL", "true" },
    { "UseSafeMode", "true" }, { "UserPasswordBypass", "true" },
    { "SecureErase", "true" }, { "BootMediaIndex", "1" },
    { "FirmwareVerbosity", "1" }, { "IDERBootDevice", "1" },
    { "UefiBootParametersArray", NULL }, { NULL, NULL }
};


static ngx_int_t
golden_boot_defaults(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg)
{
    ngx_amt_xml_t  *x;

    x = golden_instance(pool, json_array_get(params, 0), req->class,
                        golden_boot_was);

    return x ? ngx_amt_power_boot_defaults(pool, x, &req->body) : NGX_ERROR;
}


/* arg: action, SOL; the parameters are what the golden's own say */

static ngx_int_t
golden_boot_settings(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg)
{
    json_t                *object;
    ngx_int_t              rc;
    ngx_str_t              in, url, path, user, password;
    ngx_uint_t             i;
    ngx_array_t           *list;
    ngx_amt_xml_t         *x;
    ngx_amt_boot_t         boot;
    ngx_amt_boot_param_t  *param;

    memset(&boot, 0, sizeof(boot));
    boot.action = atoi(arg);
    boot.sol = atoi(strchr(arg, ' '));

    object = json_array_get(params, 0);

    x = golden_instance(pool, object, req->class, golden_boot_was);

    if (x == NULL) {
        return NGX_ERROR;
    }

    if (ngx_amt_boot_ocr(boot.action)) {

        boot.secure = json_is_true(json_object_get(object,
                                                   "EnforceSecureBoot"));
        in = unit_str(json_string_value(json_object_get(object,
                                               "UefiBootParametersArray")));

        if (ngx_amt_boot_tlv_decode(pool, &in, &list) != NGX_OK) {
            return NGX_ERROR;
        }

        ngx_str_null(&url);
        ngx_str_null(&path);
        ngx_str_null(&user);
        ngx_str_null(&password);

        param = list->elts;

        for (i = 0; i < list->nelts; i++) {
            switch (param[i].type) {
            case 1:
                url = param[i].value;
                break;
            case 2:
                path = param[i].value;
                break;
            case 40:
                user = param[i].value;
                break;
            case 41:
                password = param[i].value;
                break;
            }
        }

        rc = path.len
             ? ngx_amt_boot_tlv_path(pool, &path, &boot.params, &boot.tlv)
             : ngx_amt_boot_tlv_https(pool, &url, &user, &password,
                                      &boot.params, &boot.tlv);
        if (rc != NGX_OK) {
            return rc;
        }
    }

    return ngx_amt_boot_settings(pool, x, &boot, &req->body);
}


static ngx_int_t
golden_boot_order(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg)
{
    ngx_str_t    source;
    const char  *text;

    text = json_string_value(json_array_get(params, 0));
    source = unit_str(text ? text : "");

    return ngx_amt_boot_order(pool, &source, &req->body);
}


static ngx_int_t
golden_boot_role(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg)
{
    return ngx_amt_boot_role(pool, &req->body);
}


static ngx_int_t
golden_state(ngx_pool_t *pool, json_t *params, ngx_amt_wsman_request_t *req,
    const char *arg)
{
    return ngx_amt_put_state(pool,
                             json_integer_value(json_array_get(params, 0)),
                             &req->body);
}


static ngx_int_t
golden_feature(ngx_pool_t *pool, json_t *params, ngx_amt_wsman_request_t *req,
    const char *arg)
{
    json_t         *object;
    int64_t         n;
    ngx_uint_t      on;
    ngx_amt_xml_t  *x;

    static const golden_was_t  was[] = {
        { "EnabledState", "32770" }, { "ListenerEnabled", "false" },
        { "OptInRequired", "7" }, { "DefaultScreen", "3" }, { NULL, NULL }
    };

    object = json_array_get(params, 0);
    x = golden_instance(pool, object, req->class, was);

    if (x == NULL) {
        return NGX_ERROR;
    }

    if (json_object_get(object, req->class)) {
        object = json_object_get(object, req->class);
    }

    n = json_integer_value(json_object_get(object, arg));

    if (strcmp(arg, "OptInRequired") == 0) {
        return ngx_amt_features_optin(pool, x, n, &req->body);
    }

    if (strcmp(arg, "DefaultScreen") == 0) {
        return ngx_amt_kvm_displays_body(pool, x, n, &req->body);
    }

    on = json_is_true(json_object_get(object, "ListenerEnabled"));

    return ngx_amt_features_redirection(pool, x, n, on, &req->body);
}


static ngx_int_t
golden_consent(ngx_pool_t *pool, json_t *params, ngx_amt_wsman_request_t *req,
    const char *arg)
{
    char       text[32];
    ngx_str_t  code;

    snprintf(text, sizeof(text), "%lld",
             (long long) json_integer_value(json_array_get(params, 0)));
    code = unit_str(text);

    return ngx_amt_consent_input(pool, &code, &req->body);
}


static ngx_int_t
golden_password(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg)
{
    u_char     digest[16];
    ngx_str_t  first, second, out;

    first = unit_str(json_string_value(json_array_get(params, 0)));

    if (arg) {
        return ngx_amt_password_mebx(pool, &first, &req->body);
    }

    second = unit_str(json_string_value(json_array_get(params, 1)));

    if (second.len > ngx_base64_encoded_length(16)) {
        return NGX_ERROR;
    }

    out.data = ngx_pnalloc(pool, ngx_base64_decoded_length(second.len) + 1);

    if (ngx_decode_base64(&out, &second) != NGX_OK || out.len != 16) {
        return NGX_ERROR;
    }

    memcpy(digest, out.data, 16);

    return ngx_amt_password_acl(pool, &first, digest, &req->body);
}


static ngx_int_t
golden_make(ngx_pool_t *pool, json_t *record, ngx_amt_wsman_request_t *req)
{
    size_t       len;
    json_t      *params, *selector;
    golden_t    *g;
    const char  *id, *method, *text;

    static const struct {
        const char          *method;
        ngx_amt_wsman_op_e   op;
    } ops[] = {
        { "Get", NGX_AMT_WSMAN_GET },
        { "Put", NGX_AMT_WSMAN_PUT },
        { "Delete", NGX_AMT_WSMAN_DELETE },
        { "Enumerate", NGX_AMT_WSMAN_ENUMERATE },
        { "Pull", NGX_AMT_WSMAN_PULL }
    };

    size_t  i;

    ngx_memzero(req, sizeof(ngx_amt_wsman_request_t));

    id = json_string_value(json_object_get(record, "id"));
    method = json_string_value(json_object_get(record, "method"));
    params = json_object_get(record, "params");

    req->class = json_string_value(json_object_get(record, "class"));
    req->method = method;
    req->op = NGX_AMT_WSMAN_INVOKE;

    for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (strcmp(method, ops[i].method) == 0) {
            req->op = ops[i].op;
        }
    }

    for (g = goldens; g->id; g++) {
        len = strlen(g->id);

        if (strncmp(id, g->id, len) == 0
            && (id[len] == '\0' || id[len] == '.'))
        {
            return g->make ? g->make(pool, params, req, g->arg)
                           : NGX_DECLINED;
        }
    }

    selector = json_array_get(params, 0);

    switch (req->op) {

    case NGX_AMT_WSMAN_GET:
    case NGX_AMT_WSMAN_ENUMERATE:
        return json_array_size(params) == 0 ? NGX_OK : NGX_DECLINED;

    case NGX_AMT_WSMAN_PULL:
        req->context = unit_str(json_string_value(selector));
        return NGX_OK;

    case NGX_AMT_WSMAN_DELETE:
        text = json_string_value(json_object_get(selector, "name"));

        if (text == NULL) {
            return NGX_DECLINED;
        }

        req->selector = unit_str(text);
        text = json_string_value(json_object_get(selector, "value"));
        req->value = unit_str(text ? text : "");

        return text ? NGX_OK : NGX_DECLINED;

    case NGX_AMT_WSMAN_PUT:

        if (strcmp(req->class, "AMT_EnvironmentDetectionSettingData") == 0
            || strcmp(req->class, "AMT_EthernetPortSettings") == 0
            || strcmp(req->class, "AMT_TLSSettingData") == 0)
        {
            text = json_string_value(json_object_get(selector,
                                                     "InstanceID"));
            if (text == NULL) {
                return NGX_DECLINED;
            }

            req->selector = unit_str("InstanceID");
            req->value = unit_str(text);
        }

        return golden_object(pool, params, req, NULL);

    default:
        return NGX_DECLINED;
    }
}


/* Both are trees without prefixes, blanks and other attributes already. */

static int
golden_equal(ngx_amt_xml_t *a, ngx_amt_xml_t *b, const char **where)
{
    static char  name[256];

    snprintf(name, sizeof(name), "%.*s <> %.*s",
             (int) a->name.len, a->name.data, (int) b->name.len,
             b->name.data);
    *where = name;

#define SAME(s)  (a->s.len == b->s.len                                       \
                  && memcmp(a->s.data, b->s.data, a->s.len) == 0)

    if (a->name.len != b->name.len || a->uri.len != b->uri.len
        || a->text.len != b->text.len || a->attr.len != b->attr.len)
    {
        return 0;
    }

    if ((a->name.len && !SAME(name)) || (a->uri.len && !SAME(uri))
        || (a->text.len && !SAME(text)) || (a->attr.len && !SAME(attr)))
    {
        return 0;
    }

    a = a->first;
    b = b->first;

    while (a && b) {

        if (!golden_equal(a, b, where)) {
            return 0;
        }

        a = a->next;
        b = b->next;
    }

    if (a || b) {
        *where = "number of children";
        return 0;
    }

    return 1;
}


static int
golden_compare(ngx_pool_t *pool, json_t *record,
    ngx_amt_wsman_request_t *req, const char **where)
{
    ngx_str_t       ours, golden;
    ngx_amt_xml_t  *a, *b;

    if (ngx_amt_wsman_build(pool, req,
                            json_integer_value(json_object_get(record,
                                                               "messageId")),
                            &ours)
        != NGX_OK)
    {
        *where = "not built";
        return 0;
    }

    golden = unit_str(json_string_value(json_object_get(record, "xml")));

    if (ngx_amt_xml_parse(pool, &golden, &b, where) != NGX_OK
        || ngx_amt_xml_parse(pool, &ours, &a, where) != NGX_OK)
    {
        return 0;
    }

    return golden_equal(a, b, where);
}


static void
golden_file(const char *file, int complete)
{
    int                       same, skipped, compared;
    char                      found[sizeof(required) / sizeof(required[0])];
    size_t                    i, n;
    json_t                   *records, *record;
    ngx_str_t                 text;
    ngx_int_t                 rc;
    ngx_pool_t               *pool;
    const char               *where, *id;
    json_error_t              error;
    ngx_amt_wsman_request_t   req;

    pool = unit_pool();
    text = unit_file(pool, file);

    if (text.len == (size_t) -1) {
        ok(1, "%s # SKIP not here", file);
        ngx_destroy_pool(pool);
        return;
    }

    records = json_loadb((char *) text.data, text.len, 0, &error);

    ngx_destroy_pool(pool);

    if (!ok(json_is_array(records), "%s is an array", file)) {
        return;
    }

    memset(found, 0, sizeof(found));
    skipped = 0;
    compared = 0;

    json_array_foreach(records, i, record) {

        pool = unit_pool();
        id = json_string_value(json_object_get(record, "id"));

        rc = golden_make(pool, record, &req);

        if (rc == NGX_OK) {
            where = "";
            same = golden_compare(pool, record, &req, &where);
            ok(same, "%s %s", id, same ? "" : where);
            compared++;

            for (n = 0; required[n]; n++) {
                if (strcmp(required[n], id) == 0) {
                    found[n] = 1;
                }
            }

        } else {
            skipped++;
            printf("# %s: not made yet\n", id);
        }

        ngx_destroy_pool(pool);
    }

    printf("# %s: %d compared, %d not made yet\n", file, compared, skipped);

    for (n = 0; complete && required[n]; n++) {
        if (!found[n]) {
            ok(0, "%s is missing", required[n]);
        }
    }

    json_decref(records);
}


/* Every capture is read; what it is follows from its name. */

static void
golden_capture(const char *dir, const char *name)
{
    int                        good;
    char                       path[1024], class[128], method[128];
    char                       output[256];
    json_t                    *json;
    ngx_str_t                  text;
    ngx_pool_t                *pool;
    const char                *why;
    ngx_amt_xml_t             *x;
    ngx_amt_wsman_response_t   res;

    if (sscanf(name, "%127[^.].%127[^.].", class, method) != 2) {
        ok(0, "%s: no Class.Method", name);
        return;
    }

    snprintf(path, sizeof(path), "%s/%s", dir, name);
    snprintf(output, sizeof(output), "%s_OUTPUT", method);

    pool = unit_pool();
    text = unit_file(pool, path);
    why = "";

    good = ngx_amt_wsman_parse(pool, &text, &res) == NGX_OK;

    if (!good) {
        why = "not read";

    } else if (res.fault) {

        if (res.fault_code.len == 0) {
            good = 0;
            why = "fault without code";
        }

    } else if (strcmp(method, "Enumerate") == 0) {
        good = ngx_amt_xml_text(res.content, "EnumerationContext").len != 0;
        why = "no context";

    } else if (strcmp(method, "Pull") == 0) {
        x = ngx_amt_xml_child(res.content, "Items");
        good = ngx_amt_xml_is(res.content, "PullResponse") && x;
        why = "no items";

    } else if (strcmp(method, "Get") == 0) {
        good = ngx_amt_xml_is(res.content, class) && res.content->first;
        why = "no instance";

    } else if (ngx_amt_xml_is(res.content, output)) {

        /* methods answer with a return value */

        good = ngx_amt_xml_child(res.content, "ReturnValue") == NULL
               || res.return_value >= 0;
        why = "no return value";
    }

    if (good) {
        json = ngx_amt_json_answer(&res, ngx_amt_json_object(res.body));

        if (json == NULL || (res.content
                             && json_object_size(json_object_get(json,
                                                                 "Body"))
                                == 0))
        {
            good = 0;
            why = "no JSON";
        }

        json_decref(json);
    }

    ok(good, "%s %s", name, good ? "" : why);

    ngx_destroy_pool(pool);
}


static void
golden_captures(const char *dir, int least)
{
    int              i, n;
    struct dirent  **list;

    n = scandir(dir, &list, NULL, alphasort);

    if (n == -1) {
        ok(1, "%s # SKIP not here", dir);
        return;
    }

    for (i = 0; i < n; i++) {

        if (strstr(list[i]->d_name, ".xml")) {
            golden_capture(dir, list[i]->d_name);
            least--;
        }

        free(list[i]);
    }

    free(list);

    ok(least <= 0, "%s: all files", dir);
}


int
main(void)
{
    char        file[1024];
    const char *contract;

    unit_init();

    contract = getenv("AMT_CONTRACT");

    if (contract == NULL) {
        contract = "../shared/contract";
    }

    golden_file("t/fixtures/wsman-requests.json", 0);
    golden_captures("t/fixtures/wsman", 6);

    snprintf(file, sizeof(file), "%s/wsman-requests.json", contract);
    golden_file(file, 1);

    snprintf(file, sizeof(file), "%s/wsman-responses", contract);
    golden_captures(file, 200);

    return done();
}
