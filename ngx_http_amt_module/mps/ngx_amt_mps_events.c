
/*
 * Which event each route publishes, and when.  Contract mps.md section 6.1:
 * one table instead of a call in each route.  What went wrong is told by the
 * reply: its status, and the text it carries.
 */


#include "mps/ngx_amt_mps_events.h"
#include "mps/ngx_amt_route.h"
#include "events/ngx_amt_event.h"


#define NGX_AMT_MPS_EVENT_FAILS    6

#define NGX_AMT_MPS_EVENT_LATE     0x01  /* the request with the success */
#define NGX_AMT_MPS_EVENT_BARE     0x02  /* success and fail without GUID */
#define NGX_AMT_MPS_EVENT_ISE      0x04  /* exceptions are told ... */
#define NGX_AMT_MPS_EVENT_ISE_G    0x08  /* ... with the GUID */
#define NGX_AMT_MPS_EVENT_ANY      0x10  /* fails[0] for any other 4xx */
#define NGX_AMT_MPS_EVENT_POWER    0x20  /* only after a power call */
#define NGX_AMT_MPS_EVENT_LINK     0x40  /* texts of linkPreference */


typedef struct {
    ngx_uint_t    method;
    const char   *path;                  /* as in the route table */
    const char   *name;
    const char   *request;               /* NULL: not told */
    const char   *success;
    ngx_uint_t    flags;
    const char   *exception;             /* NULL: the usual text */
    const char   *fails[NGX_AMT_MPS_EVENT_FAILS];
} ngx_amt_mps_event_t;


static const ngx_amt_mps_event_t *ngx_amt_mps_event_find(ngx_amt_api_t *api);
static ngx_uint_t ngx_amt_mps_event_path(const char *a, const char *b);
static void ngx_amt_mps_event_success(ngx_amt_api_t *api,
    const ngx_amt_mps_event_t *e);
static void ngx_amt_mps_event_fail(ngx_amt_api_t *api,
    const ngx_amt_mps_event_t *e);
static ngx_uint_t ngx_amt_mps_event_says(ngx_amt_api_t *api,
    const char *text);
static void ngx_amt_mps_event_link(ngx_amt_api_t *api,
    const ngx_amt_mps_event_t *e);
static void ngx_amt_mps_event_tell(ngx_amt_api_t *api, ngx_amt_event_e type,
    const char *name, const char *message, ngx_uint_t guid);


static const ngx_amt_mps_event_t  ngx_amt_mps_events[] = {

    { NGX_HTTP_GET, "health", "getHealthCheck", NULL, NULL,
      NGX_AMT_MPS_EVENT_BARE|NGX_AMT_MPS_EVENT_ISE, "Health Check Failed",
      { NULL } },

    /* not in the original */

    { NGX_HTTP_POST, "devices", "Device_Created", NULL, "Device created",
      0, NULL, { NULL } },

    { NGX_HTTP_PATCH, "devices", "Device_Updated", NULL, "Device updated",
      0, NULL, { NULL } },

    { NGX_HTTP_DELETE, "devices/:guid", "Device_Deleted", NULL,
      "Device deleted", 0, NULL, { NULL } },

    { NGX_HTTP_DELETE, "devices/refresh/:guid", "Device_Refreshed", NULL,
      "Device refreshed", 0, NULL, { NULL } },

    { NGX_HTTP_DELETE, "devices/disconnect/:guid", "Device_Disconnected",
      NULL, "Device disconnected", 0, NULL, { NULL } },

    { NGX_HTTP_GET, "admin/devices/:guid/secrets", "Device_Secrets_Read",
      NULL, "Device secrets read", 0, NULL, { NULL } },

    { NGX_HTTP_PUT, "admin/devices/:guid/secrets", "Device_Secrets_Changed",
      NULL, "Device secrets changed", 0, NULL, { NULL } },

    /* as the original */

    { NGX_HTTP_GET, "amt/log/audit/:guid", "AMT_AuditLog",
      "Audit Log Requested", NULL, NGX_AMT_MPS_EVENT_ISE, NULL, { NULL } },

    { NGX_HTTP_GET, "amt/log/event/:guid", "AMT_EventLog",
      "Event Log requested", "Event Log received",
      NGX_AMT_MPS_EVENT_ISE, NULL, { "Event Log request failed" } },

    { NGX_HTTP_GET, "amt/generalSettings/:guid", "AMT_GeneralSettings",
      "General Settings requested", "General Settings received",
      NGX_AMT_MPS_EVENT_ISE|NGX_AMT_MPS_EVENT_ANY, NULL,
      { "AMT General Settings request failed" } },

    { NGX_HTTP_GET, "amt/hardwareInfo/:guid", "AMT_HardwareInfo",
      "Hardware Information requested", "Hardware Information received",
      NGX_AMT_MPS_EVENT_ISE, NULL,
      { "AMT Hardware Information request failed" } },

    { NGX_HTTP_GET, "amt/version/:guid", "AMT_Version",
      "Power State requested", NULL, 0, NULL, { NULL } },

    { NGX_HTTP_GET, "amt/power/state/:guid", "AMT_PowerState",
      "Power State requested", NULL, NGX_AMT_MPS_EVENT_ISE, NULL,
      { "Power State request failed" } },

    { NGX_HTTP_POST, "amt/power/action/:guid", "AMT_PowerAction",
      NULL, "Power Action requested",
      NGX_AMT_MPS_EVENT_BARE|NGX_AMT_MPS_EVENT_ISE|NGX_AMT_MPS_EVENT_POWER,
      NULL, { NULL } },

    { NGX_HTTP_POST, "amt/power/bootOptions/:guid", "AMT_BootSettingData",
      NULL, NULL, NGX_AMT_MPS_EVENT_BARE|NGX_AMT_MPS_EVENT_ISE, NULL,
      { "EnforceSecureBoot cannot be turned off in CCM" } },

    { NGX_HTTP_GET, "amt/power/capabilities/:guid", "AMT_BootCapabilities",
      "Power Capabilities requested", "Power Capabilities received",
      NGX_AMT_MPS_EVENT_ISE, NULL, { NULL } },

    { NGX_HTTP_GET, "amt/features/:guid", "AMT_GetFeatures",
      "AMT Features requested", "AMT Features retrieved",
      NGX_AMT_MPS_EVENT_LATE|NGX_AMT_MPS_EVENT_ISE, NULL, { NULL } },

    { NGX_HTTP_POST, "amt/features/:guid", "AMT_SetFeatures",
      "Set AMT Features requested", "AMT Features updated",
      NGX_AMT_MPS_EVENT_ISE, NULL, { NULL } },

    { NGX_HTTP_GET, "amt/userConsentCode/:guid", "Request_User_Consent_Code",
      NULL, "User Consent code requested",
      NGX_AMT_MPS_EVENT_ISE|NGX_AMT_MPS_EVENT_ANY, NULL,
      { "User Consent Request failed" } },

    { NGX_HTTP_GET, "amt/userConsentCode/cancel/:guid",
      "Cancel_User_Consent_Code", NULL, "User Consent code cancelled",
      NGX_AMT_MPS_EVENT_ISE|NGX_AMT_MPS_EVENT_ANY, NULL,
      { "User Consent Cancel failed" } },

    { NGX_HTTP_POST, "amt/userConsentCode/:guid", "Send_User_Consent_Code",
      NULL, "User Consent code sent",
      NGX_AMT_MPS_EVENT_ISE|NGX_AMT_MPS_EVENT_ANY, NULL,
      { "User Consent Sent failed" } },

    { NGX_HTTP_GET, "amt/alarmOccurrences/:guid", "AMT_AlarmOccurrences",
      "Alarm occurrences request", "Alarm occurrences received",
      NGX_AMT_MPS_EVENT_ISE, NULL,
      { "Alarm occurrence get request failed" } },

    { NGX_HTTP_POST, "amt/alarmOccurrences/:guid", "AMT_AddAlarm",
      "Alarm add requested", "Alarm occurrences received",
      NGX_AMT_MPS_EVENT_ISE|NGX_AMT_MPS_EVENT_ANY, NULL,
      { "Alarm add request failed" } },

    { NGX_HTTP_DELETE, "amt/alarmOccurrences/:guid", "AMT_AlarmOccurrences",
      "Alarm occurrence delete request", "Alarm occurrence deleted",
      NGX_AMT_MPS_EVENT_ISE|NGX_AMT_MPS_EVENT_ANY, NULL,
      { "Alarm occurrence delete request failed",
        "Invalid alarm occurrence request" } },

    { NGX_HTTP_GET, "amt/certificates/:guid", "AMT_GetCertificates",
      "AMT Certificates requested", "AMT Certificates retrieved",
      NGX_AMT_MPS_EVENT_ISE, NULL, { NULL } },

    { NGX_HTTP_POST, "amt/certificates/:guid", "AMT_AddCertificate",
      NULL, "AMT Certificates added successfully",
      NGX_AMT_MPS_EVENT_ISE, NULL, { NULL } },

    { NGX_HTTP_DELETE, "amt/certificates/:guid/:instanceId",
      "AMT_DeleteCertificate", NULL, "AMT Certificate deleted successfully",
      NGX_AMT_MPS_EVENT_ISE, NULL, { NULL } },

    { NGX_HTTP_GET, "amt/kvm/displays/:guid", "AMT_KVM", NULL, NULL,
      NGX_AMT_MPS_EVENT_ISE, NULL, { NULL } },

    { NGX_HTTP_PUT, "amt/kvm/displays/:guid", "AMT_KVM", NULL, NULL,
      NGX_AMT_MPS_EVENT_ISE, NULL, { NULL } },

    { NGX_HTTP_POST, "amt/network/linkPreference/:guid",
      "AMT_LinkPreference", NULL, NULL,
      NGX_AMT_MPS_EVENT_BARE|NGX_AMT_MPS_EVENT_ISE|NGX_AMT_MPS_EVENT_LINK,
      NULL, { NULL } },

    { NGX_HTTP_GET, "amt/networkSettings/:guid", "AMT_EthernetPortSettings",
      "Network Settings requested", "Network Settings received",
      NGX_AMT_MPS_EVENT_ISE_G, NULL, { "Network Settings not found" } },

    { NGX_HTTP_GET, "amt/networkSettings/wired/:guid",
      "AMT_EthernetPortSettings", "Wired Network Settings requested",
      "Wired Network Settings received", NGX_AMT_MPS_EVENT_ISE_G, NULL,
      { "Wired Network Settings not found" } },

    { NGX_HTTP_PATCH, "amt/networkSettings/wired/:guid",
      "AMT_EthernetPortSettings", "Wired Network Settings update requested",
      "Wired Network Settings updated", NGX_AMT_MPS_EVENT_ISE_G, NULL,
      { "Wired Network Settings not found",
        "Wired Network Settings update failed" } },

    { NGX_HTTP_GET, "amt/networkSettings/wireless/state/:guid",
      "CIM_WiFiPort", "Wireless State requested", "Wireless State received",
      NGX_AMT_MPS_EVENT_ISE_G, NULL,
      { "Wireless State not found", "Unsupported wireless state" } },

    { NGX_HTTP_POST, "amt/networkSettings/wireless/state/:guid",
      "CIM_WiFiPort", "Wireless State change requested",
      "Wireless State changed", NGX_AMT_MPS_EVENT_ISE_G, NULL,
      { "Wireless State not found", "Wireless State change failed" } },

    { NGX_HTTP_GET, "amt/networkSettings/wireless/profileSync/:guid",
      "AMT_WiFiPortConfigurationService", "Wireless Profile Sync requested",
      "Wireless Profile Sync received", NGX_AMT_MPS_EVENT_ISE_G, NULL,
      { "Wireless Profile Sync not found" } },

    { NGX_HTTP_POST, "amt/networkSettings/wireless/profileSync/:guid",
      "AMT_WiFiPortConfigurationService",
      "Wireless Profile Sync update requested",
      "Wireless Profile Sync updated", NGX_AMT_MPS_EVENT_ISE_G, NULL,
      { "Wireless Profile Sync not found",
        "Wireless Profile Sync update failed",
        "UEFI WiFi profile sync is not supported on this device" } },

    { NGX_HTTP_GET, "amt/networkSettings/wireless/profile/:guid",
      "AMT_WiFiProfiles", "Wireless Profiles requested",
      "Wireless Profiles received", NGX_AMT_MPS_EVENT_ISE_G, NULL,
      { "Wireless Profiles request failed" } },

    { NGX_HTTP_POST, "amt/networkSettings/wireless/profile/:guid",
      "AMT_WiFiProfiles", "Wireless Profile add requested",
      "Wireless Profile added", NGX_AMT_MPS_EVENT_ISE_G, NULL,
      { "Wireless Profile add failed",
        "Wireless Profile already exists",
        "Wireless Profile with the requested priority already exists",
        "Maximum number of wireless profiles already configured on the "
            "device",
        "No WiFi port found on the device" } },

    { NGX_HTTP_PATCH, "amt/networkSettings/wireless/profile/:guid",
      "AMT_WiFiProfiles", "Wireless Profile update requested",
      "Wireless Profile updated", NGX_AMT_MPS_EVENT_ISE_G, NULL,
      { "Wireless Profile update failed",
        "Wireless Profile not found",
        "Wireless Profile with the requested priority already exists",
        "No WiFi port found on the device" } },

    { NGX_HTTP_DELETE, "amt/networkSettings/wireless/profile/:guid/:name",
      "AMT_WiFiProfiles", "Wireless Profile delete requested",
      "Wireless Profile deleted", NGX_AMT_MPS_EVENT_ISE_G, NULL,
      { "Wireless Profile delete failed",
        "Wireless Profile not found",
        "No WiFi port found on the device" } },

    { NGX_HTTP_DELETE, "amt/deactivate/:guid", "AMT_Unprovision", NULL, NULL,
      NGX_AMT_MPS_EVENT_ISE, NULL, { NULL } },

    { 0, NULL, NULL, NULL, NULL, 0, NULL, { NULL } }
};


void
ngx_amt_mps_event_request(ngx_amt_api_t *api)
{
    const char                 *name;
    const ngx_amt_mps_event_t  *e;

    if (!ngx_amt_event_wanted()) {
        return;
    }

    e = ngx_amt_mps_event_find(api);

    if (e == NULL || e->request == NULL
        || (e->flags & NGX_AMT_MPS_EVENT_LATE))
    {
        return;
    }

    /* the one event whose request has a name of its own */

    name = e->name;

    if (e->method == NGX_HTTP_DELETE
        && ngx_strcmp(name, "AMT_AlarmOccurrences") == 0)
    {
        name = "AMT_DeleteAlarm";
    }

    ngx_amt_mps_event_tell(api, NGX_AMT_EVENT_REQUEST, name, e->request, 1);
}


void
ngx_amt_mps_event_reply(ngx_amt_api_t *api)
{
    const ngx_amt_mps_event_t  *e;

    static ngx_str_t  gone =
        ngx_string("{\"error\":\"Device not found/connected. ");

    if (!ngx_amt_event_wanted() || api->route == NULL) {
        return;
    }

    /* E404dev; E404* has the same text, but not as its error */

    if (api->reply.status == 404
        && (api->route->flags & NGX_AMT_ROUTE_DEVICE)
        && api->reply.body.len > gone.len
        && ngx_memcmp(api->reply.body.data, gone.data, gone.len) == 0)
    {
        ngx_amt_mps_event_tell(api, NGX_AMT_EVENT_FAIL, "CIRA_Connection",
                               "Device Not Found", 1);
        return;
    }

    e = ngx_amt_mps_event_find(api);

    if (e == NULL) {
        return;
    }

    if (api->reply.status >= 200 && api->reply.status < 300) {
        ngx_amt_mps_event_success(api, e);

    } else {
        ngx_amt_mps_event_fail(api, e);
    }
}


void
ngx_amt_mps_event_bulk(ngx_amt_api_t *api, u_char *guid,
    ngx_amt_result_t *result, ngx_amt_error_t *err)
{
    ngx_str_t  g;

    g.data = guid;
    g.len = NGX_CIRA_GUID_TEXT;

    if (err ? err->code == NGX_AMT_ERR_NOT_CONNECTED : result == NULL) {
        ngx_amt_event(NGX_AMT_EVENT_FAIL, "CIRA_Connection",
                      "Device Not Found", &g, &api->tenant);

    } else if (err) {
        ngx_amt_event(NGX_AMT_EVENT_FAIL, "AMT_PowerAction",
                      "Internal Service Error", &g, &api->tenant);

    } else if (json_object_get(result->json, "Header")) {
        ngx_amt_event(NGX_AMT_EVENT_SUCCESS, "AMT_PowerAction",
                      "Power Action requested", &g, &api->tenant);
    }
}


static const ngx_amt_mps_event_t *
ngx_amt_mps_event_find(ngx_amt_api_t *api)
{
    const ngx_amt_mps_event_t  *e;

    for (e = ngx_amt_mps_events; e->path; e++) {

        if (e->method == api->route->method
            && ngx_amt_mps_event_path(e->path, api->route->path))
        {
            return e;
        }
    }

    return NULL;
}


/* Equal but for the names of parameters */

static ngx_uint_t
ngx_amt_mps_event_path(const char *a, const char *b)
{
    while (*a == *b) {

        if (*a == '\0') {
            return 1;
        }

        if (*a == ':') {
            a += strcspn(a, "/");
            b += strcspn(b, "/");
            continue;
        }

        a++;
        b++;
    }

    return 0;
}


static void
ngx_amt_mps_event_success(ngx_amt_api_t *api, const ngx_amt_mps_event_t *e)
{
    ngx_uint_t  guid;

    if (e->flags & NGX_AMT_MPS_EVENT_LINK) {
        ngx_amt_mps_event_link(api, e);
        return;
    }

    /* an answer of the device has its header */

    if ((e->flags & NGX_AMT_MPS_EVENT_POWER)
        && (api->reply.body.len < sizeof("{\"Header\"") - 1
            || ngx_strncmp(api->reply.body.data, "{\"Header\"",
                           sizeof("{\"Header\"") - 1)
               != 0))
    {
        return;
    }

    guid = !(e->flags & NGX_AMT_MPS_EVENT_BARE);

    if (e->flags & NGX_AMT_MPS_EVENT_LATE) {
        ngx_amt_mps_event_tell(api, NGX_AMT_EVENT_REQUEST, e->name,
                               e->request, guid);
    }

    if (e->success) {
        ngx_amt_mps_event_tell(api, NGX_AMT_EVENT_SUCCESS, e->name,
                               e->success, guid);
    }
}


static void
ngx_amt_mps_event_fail(ngx_amt_api_t *api, const ngx_amt_mps_event_t *e)
{
    ngx_uint_t   i, guid;
    const char  *text;

    guid = !(e->flags & NGX_AMT_MPS_EVENT_BARE);

    for (i = 0; i < NGX_AMT_MPS_EVENT_FAILS && e->fails[i]; i++) {

        if (ngx_amt_mps_event_says(api, e->fails[i])) {

            text = e->fails[i];

            /* the reply says "failed" of an alarm that is not there */

            if (api->reply.status == 404 && e->method == NGX_HTTP_DELETE
                && ngx_strcmp(e->name, "AMT_AlarmOccurrences") == 0)
            {
                text = "Alarm occurrence delete request: alarm not found";
            }

            ngx_amt_mps_event_tell(api, NGX_AMT_EVENT_FAIL, e->name, text,
                                   guid);
            return;
        }
    }

    if (api->reply.status >= 500
        || ngx_amt_mps_event_says(api, "Exception during "))
    {
        if (e->flags & (NGX_AMT_MPS_EVENT_ISE|NGX_AMT_MPS_EVENT_ISE_G)) {
            ngx_amt_mps_event_tell(api, NGX_AMT_EVENT_FAIL, e->name,
                                   e->exception ? e->exception
                                                : "Internal Service Error",
                                   e->flags & NGX_AMT_MPS_EVENT_ISE_G);
        }

        return;
    }

    if (e->flags & NGX_AMT_MPS_EVENT_LINK) {
        ngx_amt_mps_event_link(api, e);
        return;
    }

    /* 401: another tenant's device */

    if ((e->flags & NGX_AMT_MPS_EVENT_ANY) && api->reply.status != 401) {
        ngx_amt_mps_event_tell(api, NGX_AMT_EVENT_FAIL, e->name, e->fails[0],
                               guid);
    }
}


/* Whether a string of the reply's JSON begins with the text */

static ngx_uint_t
ngx_amt_mps_event_says(ngx_amt_api_t *api, const char *text)
{
    size_t   len;
    u_char  *p, *last;

    len = ngx_strlen(text);

    if (api->reply.body.len <= len) {
        return 0;
    }

    p = api->reply.body.data;
    last = p + api->reply.body.len;

    for ( /* void */ ; (size_t) (last - p) > len; p++) {

        if (*p == '"' && ngx_memcmp(p + 1, text, len) == 0) {
            return 1;
        }
    }

    return 0;
}


/* What was set is in the request, why it was not in the reply */

static void
ngx_amt_mps_event_link(ngx_amt_api_t *api, const ngx_amt_mps_event_t *e)
{
    json_t      *reply;
    int64_t      n;
    const char  *text;

    if (api->reply.status == 200) {
        n = ngx_amt_input_int(json_object_get(api->body, "linkPreference"),
                              0, 0, 2);

        ngx_amt_mps_event_tell(api, NGX_AMT_EVENT_SUCCESS, e->name,
                               n == 1 ? "Link Preference set to ME"
                                      : "Link Preference set to HOST", 0);
        return;
    }

    reply = json_loadb((char *) api->reply.body.data, api->reply.body.len, 0,
                       NULL);

    text = json_string_value(json_object_get(reply, "errorDescription"));

    if (text && ngx_strncmp(text, "Set Link Preference failed",
                            sizeof("Set Link Preference failed") - 1) == 0)
    {
        ngx_amt_mps_event_tell(api, NGX_AMT_EVENT_FAIL, e->name, text, 0);
    }

    json_decref(reply);
}


static void
ngx_amt_mps_event_tell(ngx_amt_api_t *api, ngx_amt_event_e type,
    const char *name, const char *message, ngx_uint_t guid)
{
    ngx_str_t  *g;

    g = api->device.len ? &api->device : &api->guid;

    ngx_amt_event(type, name, message, guid ? g : NULL, &api->tenant);
}
