
/*
 * Goldens of the network classes, made by the encoders that production uses.
 * Put: the device before it is the golden's instance with the values that
 * change turned round, so that what is merely echoed is not proof enough.
 */


#ifndef _GOLDEN_NETWORK_H_INCLUDED_
#define _GOLDEN_NETWORK_H_INCLUDED_


#include "amt/ngx_amt_network.h"


static void golden_leaf(ngx_amt_xml_writer_t *w, const char *name,
    json_t *value);


static int
golden_network_one_of(const char *name, const char **names)
{
    for ( /* void */ ; *names; names++) {
        if (strcmp(*names, name) == 0) {
            return 1;
        }
    }

    return 0;
}


/* The instance of a device: members of object, changed as said above. */

static ngx_amt_xml_t *
golden_network_instance(ngx_pool_t *pool, const char *class, json_t *object,
    const char **skip, const char **change, const char *more)
{
    json_t                    *value;
    ngx_str_t                  text;
    const char                *key;
    ngx_amt_xml_writer_t       w;
    ngx_amt_wsman_response_t   res;

    ngx_amt_xml_writer_init(&w, pool, 65536);
    ngx_amt_xml_raw(&w, "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/"
        "soap-envelope\"><e:Body><h:");
    ngx_amt_xml_raw(&w, class);
    ngx_amt_xml_raw(&w, " xmlns:h=\"http://intel.com/wbem/wscim/1/"
        "amt-schema/1/");
    ngx_amt_xml_raw(&w, class);
    ngx_amt_xml_raw(&w, "\">\n");

    json_object_foreach(object, key, value) {

        if (golden_network_one_of(key, skip)) {
            continue;
        }

        if (!golden_network_one_of(key, change)) {
            golden_leaf(&w, key, value);

        } else if (json_is_boolean(value)) {
            ngx_amt_xml_leaf_bool(&w, key, !json_is_true(value));

        } else {
            ngx_amt_xml_leaf_c(&w, key, "7");
        }
    }

    ngx_amt_xml_raw(&w, more);
    ngx_amt_xml_raw(&w, "</h:");
    ngx_amt_xml_raw(&w, class);
    ngx_amt_xml_raw(&w, "></e:Body></e:Envelope>");

    if (ngx_amt_xml_done(&w, &text) != NGX_OK
        || ngx_amt_wsman_parse(pool, &text, &res) != NGX_OK)
    {
        return NULL;
    }

    return res.content;
}


static ngx_int_t
golden_wired(ngx_pool_t *pool, json_t *params, ngx_amt_wsman_request_t *req,
    const char *arg)
{
    json_t                   *object, *input;
    ngx_int_t                 rc;
    ngx_uint_t                i;
    const char               *text;
    ngx_amt_xml_t            *port;
    ngx_amt_network_wired_t   wired;

    static const char  *absent[] = { "IPAddress", "SecondaryDNS", NULL };
    static const char  *change[] = {
        "DHCPEnabled", "IpSyncEnabled", "SharedStaticIp", "DefaultGateway",
        "PrimaryDNS", "SubnetMask", NULL
    };

    static const char  *names[][2] = {
        { "IPAddress", "ipAddress" },
        { "SubnetMask", "subnetMask" },
        { "DefaultGateway", "defaultGateway" },
        { "PrimaryDNS", "primaryDNS" },
        { "SecondaryDNS", "secondaryDNS" }
    };

    static const char  *more =
        "<h:IPAddress>192.0.2.1</h:IPAddress>"
        "<h:SubnetMask>255.0.0.0</h:SubnetMask>"
        "<h:DefaultGateway>192.0.2.2</h:DefaultGateway>"
        "<h:PrimaryDNS>192.0.2.3</h:PrimaryDNS>"
        "<h:SecondaryDNS>192.0.2.4</h:SecondaryDNS>";

    object = json_array_get(params, 0);

    port = golden_network_instance(pool, req->class, object, absent, change,
                                   strcmp(arg, "static") == 0 ? "" : more);
    if (port == NULL) {
        return NGX_ERROR;
    }

    input = json_pack("{s:b,s:b}", "dhcpEnabled", strcmp(arg, "dhcp") == 0,
                      "ipSyncEnabled", strcmp(arg, "sync") == 0);

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        text = json_string_value(json_object_get(object, names[i][0]));

        if (text) {
            json_object_set_new(input, names[i][1], json_string(text));
        }
    }

    ngx_amt_network_wired_input(input, &wired);

    req->selector = unit_str("InstanceID");
    req->value = ngx_amt_xml_text(port, "InstanceID");

    rc = ngx_amt_network_wired_put(pool, port, &wired, &req->body);

    json_decref(input);

    return rc;
}


static ngx_int_t
golden_link(ngx_pool_t *pool, json_t *params, ngx_amt_wsman_request_t *req,
    const char *arg)
{
    req->selector = unit_str("InstanceID");
    req->value = unit_str(NGX_AMT_NETWORK_WIFI);

    return ngx_amt_network_link_input(pool,
                              json_integer_value(json_array_get(params, 0)),
                              json_integer_value(json_array_get(params, 1)),
                              &req->body);
}


static ngx_int_t
golden_sync(ngx_pool_t *pool, json_t *params, ngx_amt_wsman_request_t *req,
    const char *arg)
{
    ngx_amt_xml_t  *service;

    static const char  *none[] = { NULL };
    static const char  *change[] = {
        "UEFIWiFiProfileShareEnabled", "localProfileSynchronizationEnabled",
        NULL
    };

    service = golden_network_instance(pool, req->class,
                                      json_array_get(params, 0), none,
                                      change, "");
    if (service == NULL) {
        return NGX_ERROR;
    }

    return ngx_amt_network_sync_put(pool, service, *arg == '1' ? 3 : 0,
                                    *arg == '1', &req->body);
}


static void
golden_text(json_t *object, const char *name, ngx_str_t *s)
{
    ngx_amt_network_string(object, name, s);
}


/* The 802.1x settings are named in two ways: profile.x_id is what it is. */

static ngx_int_t
golden_profile(ngx_pool_t *pool, json_t *params,
    ngx_amt_wsman_request_t *req, const char *arg)
{
    size_t                      n;
    json_t                     *w, *x, *client, *ca, *input;
    ngx_int_t                   rc;
    ngx_uint_t                  update;
    ngx_amt_network_profile_t   profile;

    update = (*arg == 'u');
    n = update ? 1 : 2;

    w = json_array_get(params, 0);
    x = json_array_get(params, n);
    client = json_array_get(params, n + 1);
    ca = json_array_get(params, n + 2);

    input = json_pack("{s:O,s:O,s:O,s:O,s:O}",
             "profileName", json_object_get(w, "ElementName"),
             "ssid", json_object_get(w, "SSID"),
             "priority", json_object_get(w, "Priority"),
             "authenticationMethod",
             json_object_get(w, "AuthenticationMethod"),
             "encryptionMethod", json_object_get(w, "EncryptionMethod"));

    if (json_object_get(w, "PSKPassPhrase")) {
        json_object_set(input, "password",
                        json_object_get(w, "PSKPassPhrase"));
    }

    if (json_is_object(x)) {
        json_object_set_new(input, "ieee8021x",
             json_pack("{s:O,s:O}",
                       "username", json_object_get(x, "Username"),
                       "authenticationProtocol",
                       json_object_get(x, "AuthenticationProtocol")));

        if (json_object_get(x, "Password")) {
            json_object_set(json_object_get(input, "ieee8021x"), "password",
                            json_object_get(x, "Password"));
        }
    }

    rc = ngx_amt_network_profile_input(pool, input, &profile);

    if (rc == NGX_OK) {

        if (json_is_object(x)) {
            golden_text(x, "InstanceID", &profile.x_id);
        }

        if (json_is_string(client)) {
            profile.client = unit_str(json_string_value(client));
        }

        if (json_is_string(ca)) {
            profile.ca = unit_str(json_string_value(ca));
        }

        rc = ngx_amt_network_profile_xml(pool, &profile, update, &req->body);
    }

    json_decref(input);

    return rc;
}


#define GOLDEN_NETWORK                                                        \
    { "AMT.EthernetPortSettings.Put.wiredDhcp", golden_wired, "dhcp" },       \
    { "AMT.EthernetPortSettings.Put.wiredStaticSync", golden_wired,           \
      "sync" },                                                               \
    { "AMT.EthernetPortSettings.Put.wiredStatic", golden_wired, "static" },   \
    { "AMT.EthernetPortSettings.SetLinkPreference", golden_link, NULL },      \
    { "AMT.WiFiPortConfigurationService.Put.syncOn", golden_sync, "1" },      \
    { "AMT.WiFiPortConfigurationService.Put.syncOff", golden_sync, "0" },     \
    { "AMT.WiFiPortConfigurationService.AddWiFiSettings", golden_profile,     \
      "add" },                                                                \
    { "AMT.WiFiPortConfigurationService.UpdateWiFiSettings",                  \
      golden_profile, "update" }

#define GOLDEN_NETWORK_REQUIRED                                               \
    "AMT.EthernetPortSettings.Enumerate",                                     \
    "AMT.EthernetPortSettings.Pull",                                          \
    "AMT.EthernetPortSettings.Put.wiredDhcp",                                 \
    "AMT.EthernetPortSettings.Put.wiredStaticSync",                           \
    "AMT.EthernetPortSettings.Put.wiredStatic",                               \
    "AMT.EthernetPortSettings.SetLinkPreference.me",                          \
    "AMT.EthernetPortSettings.SetLinkPreference.host",                        \
    "AMT.PublicKeyCertificate.Enumerate",                                     \
    "AMT.PublicKeyCertificate.Pull",                                          \
    "AMT.PublicKeyCertificate.Delete",                                        \
    "AMT.PublicKeyManagementService.AddCertificate",                          \
    "AMT.PublicKeyManagementService.AddKey",                                  \
    "AMT.PublicKeyManagementService.AddTrustedRootCertificate",               \
    "AMT.PublicPrivateKeyPair.Enumerate",                                     \
    "AMT.PublicPrivateKeyPair.Pull",                                          \
    "AMT.PublicPrivateKeyPair.Delete",                                        \
    "AMT.SetupAndConfigurationService.Unprovision",                           \
    "AMT.WiFiPortConfigurationService.Get",                                   \
    "AMT.WiFiPortConfigurationService.Put.syncOn",                            \
    "AMT.WiFiPortConfigurationService.Put.syncOff",                           \
    "AMT.WiFiPortConfigurationService.AddWiFiSettings.psk",                   \
    "AMT.WiFiPortConfigurationService.AddWiFiSettings.eapTls",                \
    "AMT.WiFiPortConfigurationService.AddWiFiSettings.peap",                  \
    "AMT.WiFiPortConfigurationService.UpdateWiFiSettings.psk",                \
    "AMT.WiFiPortConfigurationService.UpdateWiFiSettings.eapTls",             \
    "CIM.ConcreteDependency.Enumerate",                                       \
    "CIM.ConcreteDependency.Pull",                                            \
    "CIM.IEEE8021xSettings.Enumerate",                                        \
    "CIM.IEEE8021xSettings.Pull",                                             \
    "CIM.WiFiEndpointSettings.Enumerate",                                     \
    "CIM.WiFiEndpointSettings.Pull",                                          \
    "CIM.WiFiEndpointSettings.Delete",                                        \
    "CIM.WiFiPort.Enumerate",                                                 \
    "CIM.WiFiPort.Pull",                                                      \
    "CIM.WiFiPort.RequestStateChange.3",                                      \
    "CIM.WiFiPort.RequestStateChange.32768",                                  \
    "CIM.WiFiPort.RequestStateChange.32769",                                  \
    "IPS.IEEE8021xSettings.Get"


#endif /* _GOLDEN_NETWORK_H_INCLUDED_ */
