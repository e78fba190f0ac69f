
/*
 * The network ports of a device and what belongs to them, as JSON.  Contract
 * mps.md section 2.14.
 */


#include "amt/ngx_amt_network_fields.h"
#include "amt/ngx_amt_json.h"


static const ngx_amt_network_name_t  ngx_amt_network_policies[] = {
    { 1, "S0 AC" },
    { 14, "Sx AC" },
    { 16, "S0 DC" },
    { 224, "Sx DC" },
    { 0, NULL }
};


static const ngx_amt_network_name_t  ngx_amt_network_connections[] = {
    { 0, "Integrated LAN NIC" },
    { 1, "Discrete LAN NIC" },
    { 2, "LAN via Thunderbolt Dock" },
    { 3, "Wireless LAN" },
    { 0, NULL }
};


static const ngx_amt_network_name_t  ngx_amt_network_media[] = {
    { 0, "SMBUS" },
    { 1, "PCIe" },
    { 0, NULL }
};


static const ngx_amt_network_name_t  ngx_amt_network_preferences[] = {
    { 1, "Management Engine" },
    { 2, "Host" },
    { 0, NULL }
};


static const ngx_amt_network_name_t  ngx_amt_network_protections[] = {
    { 0, "Override" },
    { 1, "None" },
    { 2, "Passive" },
    { 3, "High" },
    { 0, NULL }
};


static const ngx_amt_network_name_t  ngx_amt_network_bss[] = {
    { 0, "Unknown" },
    { 2, "Independent" },
    { 3, "Infrastructure" },
    { 0, NULL }
};


static const ngx_amt_network_name_t  ngx_amt_network_enabled[] = {
    { 2, "EnabledWithCertificates" },
    { 3, "Disabled" },
    { 6, "EnabledWithoutCertificates" },
    { 0, NULL }
};


static const ngx_amt_network_field_t  ngx_amt_network_port_fields[] = {
    { "elementName", "ElementName", NGX_AMT_NETWORK_TEXT, NULL },
    { "instanceID", "InstanceID", NGX_AMT_NETWORK_TEXT, NULL },
    { "vlanTag", "VLANTag", NGX_AMT_NETWORK_NUMBER, NULL },
    { "sharedMAC", "SharedMAC", NGX_AMT_NETWORK_BOOLEAN, NULL },
    { "macAddress", "MACAddress", NGX_AMT_NETWORK_TEXT, NULL },
    { "linkIsUp", "LinkIsUp", NGX_AMT_NETWORK_BOOLEAN, NULL },
    { "linkPolicy", "LinkPolicy", NGX_AMT_NETWORK_NAMES,
      ngx_amt_network_policies },
    { "sharedStaticIP", "SharedStaticIp", NGX_AMT_NETWORK_BOOLEAN, NULL },
    { "sharedDynamicIP", "SharedDynamicIP", NGX_AMT_NETWORK_BOOLEAN, NULL },
    { "ipSyncEnabled", "IpSyncEnabled", NGX_AMT_NETWORK_BOOLEAN, NULL },
    { "dhcpEnabled", "DHCPEnabled", NGX_AMT_NETWORK_BOOLEAN, NULL },
    { "ipAddress", "IPAddress", NGX_AMT_NETWORK_TEXT, NULL },
    { "subnetMask", "SubnetMask", NGX_AMT_NETWORK_TEXT, NULL },
    { "defaultGateway", "DefaultGateway", NGX_AMT_NETWORK_TEXT, NULL },
    { "primaryDNS", "PrimaryDNS", NGX_AMT_NETWORK_TEXT, NULL },
    { "secondaryDNS", "SecondaryDNS", NGX_AMT_NETWORK_TEXT, NULL },
    { "physicalConnectionType", "PhysicalConnectionType",
      NGX_AMT_NETWORK_NAME, ngx_amt_network_connections },
    { "physicalNICMedium", "PhysicalNicMedium", NGX_AMT_NETWORK_NAME,
      ngx_amt_network_media },
    { "consoleTCPMaxRetransmissions", "ConsoleTcpMaxRetransmissions",
      NGX_AMT_NETWORK_POSITIVE, NULL },
    { NULL, NULL, 0, NULL }
};


static const ngx_amt_network_field_t  ngx_amt_network_wired_x_fields[] = {
    { "enabled", "Enabled", NGX_AMT_NETWORK_NAME, ngx_amt_network_enabled },
    { "availableInS0", "AvailableInS0", NGX_AMT_NETWORK_BOOLEAN, NULL },
    { "pxeTimeout", "PxeTimeout", NGX_AMT_NETWORK_NUMBER, NULL },
    { NULL, NULL, 0, NULL }
};


static const ngx_amt_network_field_t  ngx_amt_network_wifi_fields[] = {
    { "linkPreference", "LinkPreference", NGX_AMT_NETWORK_NAME,
      ngx_amt_network_preferences },
    { "linkControl", "LinkControl", NGX_AMT_NETWORK_NAME,
      ngx_amt_network_preferences },
    { "wlanLinkProtectionLevel", "WLANLinkProtectionLevel",
      NGX_AMT_NETWORK_NAME, ngx_amt_network_protections },
    { NULL, NULL, 0, NULL }
};


static const ngx_amt_network_field_t  ngx_amt_network_endpoint_fields[] = {
    { "elementName", "ElementName", NGX_AMT_NETWORK_TEXT, NULL },
    { "ssid", "SSID", NGX_AMT_NETWORK_TEXT, NULL },
    { "authenticationMethod", "AuthenticationMethod", NGX_AMT_NETWORK_NAME,
      ngx_amt_network_authentications },
    { "encryptionMethod", "EncryptionMethod", NGX_AMT_NETWORK_NAME,
      ngx_amt_network_encryptions },
    { "priority", "Priority", NGX_AMT_NETWORK_NUMBER, NULL },
    { "bsstype", "BSSType", NGX_AMT_NETWORK_NAME, ngx_amt_network_bss },
    { NULL, NULL, 0, NULL }
};


static const ngx_amt_network_field_t  ngx_amt_network_x_fields[] = {
    { "authenticationProtocol", "AuthenticationProtocol",
      NGX_AMT_NETWORK_NUMBER, NULL },
    { "roamingIdentity", "RoamingIdentity", NGX_AMT_NETWORK_TEXT, NULL },
    { "serverCertificateName", "ServerCertificateName",
      NGX_AMT_NETWORK_TEXT, NULL },
    { "serverCertificateNameComparison", "ServerCertificateNameComparison",
      NGX_AMT_NETWORK_NUMBER, NULL },
    { "username", "Username", NGX_AMT_NETWORK_TEXT, NULL },
    { "domain", "Domain", NGX_AMT_NETWORK_TEXT, NULL },
    { NULL, NULL, 0, NULL }
};


static const ngx_amt_network_field_t  ngx_amt_network_service_fields[] = {
    { "requestedState", "RequestedState", NGX_AMT_NETWORK_NUMBER, NULL },
    { "enabledState", "EnabledState", NGX_AMT_NETWORK_NUMBER, NULL },
    { "healthState", "HealthState", NGX_AMT_NETWORK_NUMBER, NULL },
    { "elementName", "ElementName", NGX_AMT_NETWORK_TEXT, NULL },
    { "systemCreationClassName", "SystemCreationClassName",
      NGX_AMT_NETWORK_TEXT, NULL },
    { "systemName", "SystemName", NGX_AMT_NETWORK_TEXT, NULL },
    { "creationClassName", "CreationClassName", NGX_AMT_NETWORK_TEXT, NULL },
    { "name", "Name", NGX_AMT_NETWORK_TEXT, NULL },
    { "localProfileSynchronizationEnabled",
      "localProfileSynchronizationEnabled", NGX_AMT_NETWORK_NUMBER, NULL },
    { "lastConnectedSsidUnderMeControl", "LastConnectedSsidUnderMeControl",
      NGX_AMT_NETWORK_TEXT, NULL },
    { "noHostCsmeSoftwarePolicy", "NoHostCsmeSoftwarePolicy",
      NGX_AMT_NETWORK_NUMBER, NULL },
    { "uefiWiFiProfileShareEnabled", "UEFIWiFiProfileShareEnabled",
      NGX_AMT_NETWORK_BOOLEAN, NULL },
    { NULL, NULL, 0, NULL }
};


ngx_amt_xml_t *
ngx_amt_network_port(ngx_array_t *items, const char *id)
{
    u_char          *p;
    size_t           len;
    ngx_str_t        s;
    ngx_uint_t       i;
    ngx_amt_xml_t  **x;

    x = items->elts;
    len = ngx_strlen(id);

    for (i = 0; i < items->nelts; i++) {

        s = ngx_amt_xml_text(x[i], "InstanceID");

        for (p = s.data; s.len >= len; p++, s.len--) {
            if (ngx_memcmp(p, id, len) == 0) {
                return x[i];
            }
        }
    }

    return NULL;
}


json_t *
ngx_amt_network_wired_json(ngx_amt_xml_t *port, ngx_amt_xml_t *x)
{
    json_t  *json, *member;

    json = json_object();
    if (json == NULL) {
        return NULL;
    }

    member = json_object();

    if (ngx_amt_network_fields(json, ngx_amt_network_port_fields, port)
        != NGX_OK
        || ngx_amt_json_set(json, "ieee8021x", json_incref(member)) != NGX_OK
        || ngx_amt_network_fields(member, ngx_amt_network_wired_x_fields, x)
           != NGX_OK)
    {
        json_decref(member);
        json_decref(json);
        return NULL;
    }

    json_decref(member);

    return json;
}


json_t *
ngx_amt_network_wifi_json(ngx_amt_xml_t *port, ngx_array_t *endpoints,
    ngx_array_t *settings, ngx_amt_xml_t *service)
{
    json_t  *json, *member;

    json = json_object();
    if (json == NULL) {
        return NULL;
    }

    member = json_object();

    if (member == NULL
        || ngx_amt_network_fields(json, ngx_amt_network_port_fields, port)
           != NGX_OK
        || ngx_amt_network_fields(json, ngx_amt_network_wifi_fields, port)
           != NGX_OK
        || ngx_amt_json_set(json, "wifiNetworks",
                ngx_amt_network_list(ngx_amt_network_endpoint_fields,
                                     endpoints, 1))
           != NGX_OK
        || ngx_amt_json_set(json, "ieee8021xSettings",
                ngx_amt_network_list(ngx_amt_network_x_fields, settings, 0))
           != NGX_OK
        || ngx_amt_network_fields(member, ngx_amt_network_service_fields,
                                  service)
           != NGX_OK
        || ngx_amt_json_set(json, "wifiPortConfigService",
                            json_incref(member))
           != NGX_OK)
    {
        json_decref(member);
        json_decref(json);
        return NULL;
    }

    json_decref(member);

    return json;
}
