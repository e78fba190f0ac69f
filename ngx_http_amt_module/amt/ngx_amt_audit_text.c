
/*
 * Texts of the audit log; see ngx_amt_audit_record.h.  Contract mps.md
 * section 2.7 (ExStr) and appendix B.
 */


#include "amt/ngx_amt_audit_record.h"
#include "amt/ngx_amt_datetime.h"
#include "amt/ngx_amt_json.h"


#define NGX_AMT_AUDIT_FIRST   16         /* applications */
#define NGX_AMT_AUDIT_LAST    33
#define NGX_AMT_AUDIT_EVENTS  100        /* of an application */


typedef struct {
    ngx_uint_t   key;                    /* application * 100 + event */
    const char  *text;
} ngx_amt_audit_text_t;


static ngx_int_t ngx_amt_audit_name(json_t **json, const char *prefix,
    ngx_str_t *data, size_t at, size_t len);
static ngx_int_t ngx_amt_audit_choice(json_t **json, ngx_str_t *data,
    const char **texts, ngx_uint_t n);
static const char *ngx_amt_audit_of(ngx_uint_t i, const char **texts,
    ngx_uint_t n);


#define ngx_amt_audit_n(array)  (sizeof(array) / sizeof(array[0]))


/* the misspelt ones are what clients show */

static const ngx_amt_audit_text_t  ngx_amt_audit_events[] = {
    { 1600, "Provisioning Started" },
    { 1601, "Provisioning Completed" },
    { 1602, "ACL Entry Added" },
    { 1603, "ACL Entry Modified" },
    { 1604, "ACL Entry Removed" },
    { 1605, "ACL Access with Invalid Credentials" },
    { 1606, "ACL Entry State" },
    { 1607, "TLS State Changed" },
    { 1608, "TLS Server Certificate Set" },
    { 1609, "TLS Server Certificate Remove" },
    { 1610, "TLS Trusted Root Certificate Added" },
    { 1611, "TLS Trusted Root Certificate Removed" },
    { 1612, "TLS Preshared Key Set" },
    { 1613, "Kerberos Settings Modified" },
    { 1614, "Kerberos Master Key Modified" },
    { 1615, "Flash Wear out Counters Reset" },
    { 1616, "Power Package Modified" },
    { 1617, "Set Realm Authentication Mode" },
    { 1618, "Upgrade Client to Admin Control Mode" },
    { 1619, "Unprovisioning Started" },
    { 1700, "Performed Power Up" },
    { 1701, "Performed Power Down" },
    { 1702, "Performed Power Cycle" },
    { 1703, "Performed Reset" },
    { 1704, "Set Boot Options" },
    { 1705, "Remote graceful power down initiated" },
    { 1706, "Remote graceful reset initiated" },
    { 1707, "Remote Standby initiated" },
    { 1708, "Remote Hiberate initiated" },
    { 1709, "Remote NMI initiated" },
    { 1800, "IDER Session Opened" },
    { 1801, "IDER Session Closed" },
    { 1802, "IDER Enabled" },
    { 1803, "IDER Disabled" },
    { 1804, "SoL Session Opened" },
    { 1805, "SoL Session Closed" },
    { 1806, "SoL Enabled" },
    { 1807, "SoL Disabled" },
    { 1808, "KVM Session Started" },
    { 1809, "KVM Session Ended" },
    { 1810, "KVM Enabled" },
    { 1811, "KVM Disabled" },
    { 1812, "VNC Password Failed 3 Times" },
    { 1900, "Firmware Updated" },
    { 1901, "Firmware Update Failed" },
    { 2000, "Security Audit Log Cleared" },
    { 2001, "Security Audit Policy Modified" },
    { 2002, "Security Audit Log Disabled" },
    { 2003, "Security Audit Log Enabled" },
    { 2004, "Security Audit Log Exported" },
    { 2005, "Security Audit Log Recovered" },
    { 2100, "Intel(R) ME Time Set" },
    { 2200, "TCPIP Parameters Set" },
    { 2201, "Host Name Set" },
    { 2202, "Domain Name Set" },
    { 2203, "VLAN Parameters Set" },
    { 2204, "Link Policy Set" },
    { 2205, "IPv6 Parameters Set" },
    { 2300, "Global Storage Attributes Set" },
    { 2301, "Storage EACL Modified" },
    { 2302, "Storage FPACL Modified" },
    { 2303, "Storage Write Operation" },
    { 2400, "Alert Subscribed" },
    { 2401, "Alert Unsubscribed" },
    { 2402, "Event Log Cleared" },
    { 2403, "Event Log Frozen" },
    { 2500, "CB Filter Added" },
    { 2501, "CB Filter Removed" },
    { 2502, "CB Policy Added" },
    { 2503, "CB Policy Removed" },
    { 2504, "CB Default Policy Set" },
    { 2505, "CB Heuristics Option Set" },
    { 2506, "CB Heuristics State Cleared" },
    { 2600, "Agent Watchdog Added" },
    { 2601, "Agent Watchdog Removed" },
    { 2602, "Agent Watchdog Action Set" },
    { 2700, "Wireless Profile Added" },
    { 2701, "Wireless Profile Removed" },
    { 2702, "Wireless Profile Updated" },
    { 2703, "An existing profile sync was modified" },
    { 2704, "An existing profile link preference was changed" },
    { 2705, "Wireless profile share with UEFI enabled setting was changed" },
    { 2800, "EAC Posture Signer SET" },
    { 2801, "EAC Enabled" },
    { 2802, "EAC Disabled" },
    { 2803, "EAC Posture State" },
    { 2804, "EAC Set Options" },
    { 2900, "KVM Opt-in Enabled" },
    { 2901, "KVM Opt-in Disabled" },
    { 2902, "KVM Password Changed" },
    { 2903, "KVM Consent Succeeded" },
    { 2904, "KVM Consent Failed" },
    { 3000, "Opt-In Policy Change" },
    { 3001, "Send Consent Code Event" },
    { 3002, "Start Opt-In Blocked Event" },
    { 3301, "A user has modified the Watchdog Action settings" },
    { 3302, "A user has modified a Watchdog to add, remove, or alter the "
            "Watchdog Action connected to it" }
};


const char *
ngx_amt_audit_app(ngx_uint_t app)
{
    static const char  *apps[] = {
        "Security Admin",
        "RCO",
        "Redirection Manager",
        "Firmware Update Manager",
        "Security Audit Log",
        "Network Time",
        "Network Administration",
        "Storage Administration",
        "Event Manager",
        "Circuit Breaker Manager",
        "Agent Presence Manager",
        "Wireless Configuration",
        "EAC",
        "KVM",
        "User Opt-In Events",
        NULL,
        "Screen Blanking",
        "Watchdog Events"
    };

    if (app < NGX_AMT_AUDIT_FIRST || app > NGX_AMT_AUDIT_LAST) {
        return NULL;
    }

    return apps[app - NGX_AMT_AUDIT_FIRST];
}


const char *
ngx_amt_audit_event(ngx_uint_t app, ngx_uint_t event)
{
    ngx_uint_t  i, key;

    if (event >= NGX_AMT_AUDIT_EVENTS) {

        /* it would take the name of another application's */

        return NULL;
    }

    key = app * NGX_AMT_AUDIT_EVENTS + event;

    for (i = 0; i < ngx_amt_audit_n(ngx_amt_audit_events); i++) {
        if (ngx_amt_audit_events[i].key == key) {
            return ngx_amt_audit_events[i].text;
        }
    }

    return NULL;
}


const char *
ngx_amt_audit_realm(ngx_uint_t realm)
{
    static const char  *realms[] = {
        "", "", "Redirection", "PT Administration", "Hardware Asset",
        "Remote Control", "Storage", "Event Manager", "Storage Admin",
        "Agent Presence Local", "Agent Presence Remote", "Circuit Breaker",
        "Network Time", "General Information", "Firmware Update", "EIT",
        "LocalUN", "Endpoint Access Control", "Endpoint Access Control Admin",
        "Event Log Reader", "Audit Log", "ACL Realm", "", "", "Local System"
    };

    return realm < ngx_amt_audit_n(realms) ? realms[realm] : NULL;
}


ngx_int_t
ngx_amt_audit_extended(ngx_uint_t app, ngx_uint_t event, ngx_str_t *data,
    json_t **json)
{
    u_char      *d, buf[NGX_AMT_DATETIME_US];
    const char  *a, *b;
    uint32_t     n;

    static const char  *access[] = { "Invalid ME access",
                                     "Invalid MEBx access" };
    static const char  *state[] = { "Disabled", "Enabled" };
    static const char  *tls[] = { "NoAuth", "ServerAuth", "MutualAuth" };
    static const char  *realm[] = { "NoAuth", "Auth", "Disabled" };
    static const char  *from[] = { "BIOS", "MEBx", "Local MEI",
                                   "Local WSMAN", "Remote WSMAN" };
    static const char  *policy[] = { "None", "KVM", "All" };
    static const char  *sent[] = { "Success", "Failed 3 times" };

    *json = NULL;

    d = data->data;

    if (event >= NGX_AMT_AUDIT_EVENTS) {
        *json = json_null();
        return NGX_OK;
    }

    switch (app * NGX_AMT_AUDIT_EVENTS + event) {

    case 1602:
    case 1604:

        /* of a Kerberos account the name is not told */

        if (data->len < 2 || d[0] != 0) {
            return NGX_OK;
        }

        return ngx_amt_audit_name(json, "", data, 2, d[1]);

    case 1603:

        if (data->len < 3 || d[1] != 0) {
            return NGX_OK;
        }

        return ngx_amt_audit_name(json, "", data, 3, d[2]);

    case 1605:
        return ngx_amt_audit_choice(json, data, access,
                                    ngx_amt_audit_n(access));

    case 1606:

        if (data->len == 0 || d[0] > 1) {
            return NGX_OK;
        }

        if (data->len < 3 || d[1] != 0) {
            *json = json_string(state[d[0]]);
            break;
        }

        return ngx_amt_audit_name(json, d[0] ? "Enabled, " : "Disabled, ",
                                  data, 3, d[2]);

    case 1607:

        if (data->len < 2) {
            return NGX_OK;
        }

        a = ngx_amt_audit_of(d[0], tls, ngx_amt_audit_n(tls));
        b = ngx_amt_audit_of(d[1], tls, ngx_amt_audit_n(tls));

        *json = json_sprintf("Remote %s, Local %s", a, b);
        break;

    case 1617:

        if (data->len < 5) {
            return NGX_OK;
        }

        n = (uint32_t) d[0] << 24 | (uint32_t) d[1] << 16
            | (uint32_t) d[2] << 8 | d[3];

        a = ngx_amt_audit_realm(n);
        b = ngx_amt_audit_of(d[4], realm, ngx_amt_audit_n(realm));

        *json = json_sprintf("%s, %s", a ? a : "Unknown", b);
        break;

    case 1619:
        return ngx_amt_audit_choice(json, data, from, ngx_amt_audit_n(from));

    case 1900:

        if (data->len < 16) {
            return NGX_OK;
        }

        *json = json_sprintf("From %d.%d.%d.%d to %d.%d.%d.%d",
                             d[0] << 8 | d[1], d[2] << 8 | d[3],
                             d[4] << 8 | d[5], d[6] << 8 | d[7],
                             d[8] << 8 | d[9], d[10] << 8 | d[11],
                             d[12] << 8 | d[13], d[14] << 8 | d[15]);
        break;

    case 2100:

        if (data->len < 4) {
            return NGX_OK;
        }

        n = (uint32_t) d[0] << 24 | (uint32_t) d[1] << 16
            | (uint32_t) d[2] << 8 | d[3];

        *json = json_stringn((char *) buf,
                             ngx_amt_datetime_us(buf, n) - buf);
        break;

    case 3000:

        if (data->len < 2) {
            return NGX_OK;
        }

        /* firmware says 255 for all */

        a = ngx_amt_audit_of(d[0] == 255 ? 2 : d[0], policy,
                             ngx_amt_audit_n(policy));
        b = ngx_amt_audit_of(d[1] == 255 ? 2 : d[1], policy,
                             ngx_amt_audit_n(policy));

        *json = json_sprintf("From %s to %s", a, b);
        break;

    case 3001:
        return ngx_amt_audit_choice(json, data, sent, ngx_amt_audit_n(sent));

    default:
        *json = json_null();
    }

    return *json ? NGX_OK : NGX_ERROR;
}


/* A name of len bytes, or as many of them as there are. */

static ngx_int_t
ngx_amt_audit_name(json_t **json, const char *prefix, ngx_str_t *data,
    size_t at, size_t len)
{
    json_t  *name;

    len = ngx_min(len, data->len - at);

    name = ngx_amt_audit_latin1(data->data + at, len);

    if (name == NULL) {
        return NGX_ERROR;
    }

    if (*prefix == '\0') {
        *json = name;
        return NGX_OK;
    }

    /* %s would end at a NUL, which a name does not have */

    *json = json_sprintf("%s%s", prefix, json_string_value(name));
    json_decref(name);

    return *json ? NGX_OK : NGX_ERROR;
}


/* The first byte as a text; data that is out of range has none. */

static ngx_int_t
ngx_amt_audit_choice(json_t **json, ngx_str_t *data, const char **texts,
    ngx_uint_t n)
{
    if (data->len == 0 || data->data[0] >= n) {
        return NGX_OK;
    }

    *json = json_string(texts[data->data[0]]);

    return *json ? NGX_OK : NGX_ERROR;
}


static const char *
ngx_amt_audit_of(ngx_uint_t i, const char **texts, ngx_uint_t n)
{
    return i < n ? texts[i] : "Unknown";
}
