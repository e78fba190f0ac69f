
/*
 * Network answers decoded: ports, wireless settings, profiles and what
 * belongs to them; requests made of odd devices; keys and certificates in
 * every form.  The contract's captures, when they are there, in
 * $AMT_CONTRACT (default ../shared/contract).
 */


#include "wsman_unit.h"
#include "amt/ngx_amt_network.h"
#include "mps/ngx_amt_mps_network.h"
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>


#define NS  "xmlns:h=\"http://intel.com/wbem/wscim/1/amt-schema/1/X\" "      \
    "xmlns:a=\"http://schemas.xmlsoap.org/ws/2004/08/addressing\" "          \
    "xmlns:w=\"http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd\""


static ngx_pool_t  *pool;


/* The children of an element, as an enumeration's items. */

static ngx_array_t *
items_of(ngx_amt_xml_t *x)
{
    ngx_array_t  *items;

    items = ngx_array_create(pool, 4, sizeof(ngx_amt_xml_t *));

    for (x = x ? x->first : NULL; x; x = x->next) {
        *(ngx_amt_xml_t **) ngx_array_push(items) = x;
    }

    return items;
}


static ngx_amt_xml_t *
xml(const char *inner)
{
    char            buf[16384];
    ngx_str_t       s;
    const char     *why;
    ngx_amt_xml_t  *root;

    snprintf(buf, sizeof(buf), "<r " NS ">%s</r>", inner);

    s.data = (u_char *) strdup(buf);
    s.len = strlen(buf);

    if (ngx_amt_xml_parse(pool, &s, &root, &why) != NGX_OK) {
        printf("# %s\n", why);
        abort();
    }

    free(s.data);

    return root;
}


static ngx_array_t *
items(const char *inner)
{
    return items_of(xml(inner));
}


/* Of a captured answer: the class, or the items; NULL: not here. */

static ngx_amt_xml_t *
capture(const char *name, int pull)
{
    char                       path[1024];
    ngx_str_t                  s;
    const char                *dir;
    ngx_amt_wsman_response_t   res;

    dir = getenv("AMT_CONTRACT");

    snprintf(path, sizeof(path), "%s/wsman-responses/%s.xml",
             dir ? dir : "../shared/contract", name);

    s = unit_file(pool, path);

    if (s.len == (size_t) -1
        || ngx_amt_wsman_parse(pool, &s, &res) != NGX_OK)
    {
        return NULL;
    }

    return pull ? ngx_amt_xml_child(res.content, "Items") : res.content;
}


static void
json_is(json_t *json, const char *want, const char *name)
{
    char  *text;

    text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    if (!ok(text && strcmp(text, want) == 0, "%s", name)) {
        printf("# got  %s\n# want %s\n", text ? text : "(none)", want);
    }

    free(text);
    json_decref(json);
}


static void
ports(void)
{
    ngx_array_t    *list;
    ngx_amt_xml_t  *x, *y;

    list = items(
        "<h:P><h:InstanceID>Intel(r) AMT Ethernet Port Settings 2"
        "</h:InstanceID></h:P><h:P/>"
        "<h:P><h:InstanceID>Intel(r) AMT Ethernet Port Settings 1"
        "</h:InstanceID><h:LinkPolicy>1</h:LinkPolicy><h:LinkPolicy>x"
        "</h:LinkPolicy><h:LinkPolicy/><h:LinkPolicy>99999999999999999999999"
        "</h:LinkPolicy></h:P>");

    x = ngx_amt_network_port(list, NGX_AMT_NETWORK_WIFI);

    ok(ngx_amt_network_port(list, NGX_AMT_NETWORK_WIRED) == NULL,
       "no wired port");
    ok(x != NULL, "the wireless port is not the first");

    json_is(ngx_amt_network_wifi_json(x, items(""), items(""), NULL),
        "{\"elementName\":\"\",\"instanceID\":\"Intel(r) AMT Ethernet Port "
        "Settings 1\",\"vlanTag\":0,\"sharedMAC\":false,\"macAddress\":\"\","
        "\"linkIsUp\":false,\"linkPolicy\":[\"S0 AC\",\"Unknown\","
        "\"Unknown\",\"Unknown\"],\"sharedStaticIP\":false,"
        "\"sharedDynamicIP\":false,\"ipSyncEnabled\":false,\"dhcpEnabled\":"
        "false,\"ipAddress\":\"\",\"subnetMask\":\"\",\"defaultGateway\":"
        "\"\",\"primaryDNS\":\"\",\"secondaryDNS\":\"\","
        "\"physicalConnectionType\":\"\",\"physicalNICMedium\":\"\","
        "\"linkPreference\":\"\",\"linkControl\":\"\","
        "\"wlanLinkProtectionLevel\":\"\",\"wifiNetworks\":[],"
        "\"ieee8021xSettings\":[],\"wifiPortConfigService\":{"
        "\"requestedState\":0,\"enabledState\":0,\"healthState\":0,"
        "\"elementName\":\"\",\"systemCreationClassName\":\"\","
        "\"systemName\":\"\",\"creationClassName\":\"\",\"name\":\"\","
        "\"localProfileSynchronizationEnabled\":0,"
        "\"lastConnectedSsidUnderMeControl\":\"\","
        "\"noHostCsmeSoftwarePolicy\":0,"
        "\"uefiWiFiProfileShareEnabled\":false}}", "a port that says nothing");

    x = capture("AMT_EthernetPortSettings.Pull", 1);
    y = capture("IPS_IEEE8021xSettings.Get", 0);

    if (x == NULL || y == NULL) {
        ok(1, "captured port # SKIP not here");
        return;
    }

    x = ngx_amt_network_port(items_of(x), NGX_AMT_NETWORK_WIRED);

    json_is(ngx_amt_network_wired_json(x, y),
        "{\"elementName\":\"Intel(r) AMT Ethernet Port Settings\","
        "\"instanceID\":\"Intel(r) AMT Ethernet Port Settings 0\","
        "\"vlanTag\":0,\"sharedMAC\":true,\"macAddress\":"
        "\"00-be-43-d8-22-a4\",\"linkIsUp\":true,\"linkPolicy\":[\"S0 AC\","
        "\"Sx AC\"],\"sharedStaticIP\":false,\"sharedDynamicIP\":true,"
        "\"ipSyncEnabled\":true,\"dhcpEnabled\":true,\"ipAddress\":\"\","
        "\"subnetMask\":\"255.255.255.0\",\"defaultGateway\":"
        "\"192.168.6.1\",\"primaryDNS\":\"192.168.6.1\",\"secondaryDNS\":"
        "\"\",\"physicalConnectionType\":\"Integrated LAN NIC\","
        "\"physicalNICMedium\":\"\",\"ieee8021x\":{\"enabled\":\"Disabled\","
        "\"availableInS0\":false,\"pxeTimeout\":120}}", "captured port");
}


#define PROFILE(name, more)                                                   \
    "<h:W><h:ElementName>" name "</h:ElementName><h:InstanceID>"              \
    "Intel(r) AMT:WiFi Endpoint Settings " name "</h:InstanceID>" more "</h:W>"

#define SETTING(id, name, user)                                               \
    "<h:X><h:InstanceID>" id "</h:InstanceID><h:ElementName>" name            \
    "</h:ElementName><h:Username>" user "</h:Username>"                       \
    "<h:AuthenticationProtocol>2</h:AuthenticationProtocol></h:X>"

#define END(end, class, id)                                                   \
    "<h:" end "><a:Address>x</a:Address><a:ReferenceParameters>"              \
    "<w:ResourceURI>http://x/y/" class "</w:ResourceURI><w:SelectorSet>"      \
    "<w:Selector Name=\"Other\">no</w:Selector>"                              \
    "<w:Selector Name=\"InstanceID\">" id "</w:Selector></w:SelectorSet>"     \
    "</a:ReferenceParameters></h:" end ">"

#define ONE(name, user)                                                       \
    "{\"profileName\":\"" name "\",\"ssid\":\"\",\"authenticationMethod\":"   \
    "\"\",\"encryptionMethod\":\"\",\"priority\":0" user "}"

#define USER(name)                                                            \
    ",\"ieee8021x\":{\"username\":\"" name "\",\"authenticationProtocol\":2}"

#define ID  "Intel(r) AMT:WiFi Endpoint Settings "


static void
profiles(void)
{
    ngx_str_t       s;
    ngx_array_t    *endpoints, *none;
    ngx_amt_xml_t  *x;

    none = items("");

    endpoints = items(
        "<h:W><h:ElementName>mine</h:ElementName><h:InstanceID>Intel(r) AMT:"
        "WiFi Endpoint User Settings mine</h:InstanceID></h:W>"
        "<h:W><h:ElementName>Endpoint User Settings</h:ElementName>"
        "<h:InstanceID></h:InstanceID></h:W>"
        PROFILE("0123", "<h:SSID>007</h:SSID><h:Priority>7</h:Priority>"
                "<h:AuthenticationMethod>32769</h:AuthenticationMethod>"
                "<h:EncryptionMethod>5</h:EncryptionMethod>"
                "<h:PSKPassPhrase>never</h:PSKPassPhrase>"));

    json_is(ngx_amt_network_profiles_json(endpoints, none, none),
        "[{\"profileName\":\"0123\",\"ssid\":\"007\","
        "\"authenticationMethod\":\"WPA3OWE\",\"encryptionMethod\":\"None\","
        "\"priority\":7}]", "a list of one, digits are text");

    s = unit_str("0123");
    ok(ngx_amt_network_profile_find(endpoints, &s) != NULL, "found");
    s = unit_str("mine");
    ok(ngx_amt_network_profile_find(endpoints, &s) == NULL,
       "what is the user's is not");

    /* whose settings: association, InstanceID, ElementName */

    endpoints = items(PROFILE("a", "") PROFILE("b", "") PROFILE("c", "")
                      PROFILE("D", "") PROFILE("e", ""));

    json_is(ngx_amt_network_profiles_json(endpoints,
        items(SETTING("s1", "other", "one") SETTING("s2", "x", "two")
              SETTING("Intel(r) AMT:IEEE 802.1x Settings c", "y", "three")
              SETTING("s4", " d ", "four")
              SETTING("Intel(r) AMT:IEEE 802.1x Settings a", "a", "wrong")),
        items("<h:D/><h:D><h:Antecedent/></h:D><h:D>"
              END("Antecedent", "CIM_Identity", ID "a")
              END("Dependent", "CIM_Role", "s1") "</h:D><h:D>"
              END("Antecedent", "CIM_WiFiEndpointSettings", ID "a")
              END("Dependent", "CIM_IEEE8021xSettings", "gone") "</h:D><h:D>"
              END("Antecedent", "CIM_WiFiEndpointSettings", ID "a")
              END("Dependent", "CIM_IEEE8021xSettings", "s1") "</h:D><h:D>"
              END("Antecedent", "CIM_IEEE8021xSettings", "s2")
              END("Dependent", "CIM_WiFiEndpointSettings", ID "b")
              "</h:D>")),
        "[" ONE("a", USER("one")) "," ONE("b", USER("two")) ","
        ONE("c", USER("three")) "," ONE("D", USER("four")) "," ONE("e", "")
        "]", "802.1x settings and their profiles");

    x = capture("CIM_WiFiEndpointSettings.Pull", 1);

    if (x) {
        json_is(ngx_amt_network_profiles_json(items_of(x),
              items_of(capture("CIM_IEEE8021xSettings.Pull", 1)),
              items_of(capture("CIM_ConcreteDependency.Pull", 1))),
            "[{\"profileName\":\"Test\",\"ssid\":\"testSSID\","
            "\"authenticationMethod\":\"OpenSystem\",\"encryptionMethod\":"
            "\"WEP\",\"priority\":1}]", "captured profile");
    } else {
        ok(1, "captured profile # SKIP not here");
    }
}


/* What the device lacks is added, what it has twice is sent once. */

static void
puts_odd(void)
{
    ngx_str_t                 body;
    ngx_amt_xml_t            *x;
    ngx_amt_network_wired_t   wired;

    x = xml("<h:P><h:New>1</h:New><h:IPAddress>192.0.2.1</h:IPAddress>"
            "<h:IPAddress>192.0.2.2</h:IPAddress></h:P>")->first;

    memset(&wired, 0, sizeof(wired));
    wired.address[0] = unit_str("192.0.2.9");
    wired.address[1] = unit_str("255.0.0.0");

    ok(ngx_amt_network_wired_put(pool, x, &wired, &body) == NGX_OK
       && unit_is(body, "<h:New>1</h:New><h:IPAddress>192.0.2.9"
                  "</h:IPAddress><h:SharedStaticIp>false</h:SharedStaticIp>"
                  "<h:IpSyncEnabled>false</h:IpSyncEnabled><h:DHCPEnabled>"
                  "false</h:DHCPEnabled><h:SubnetMask>255.0.0.0"
                  "</h:SubnetMask>"), "static on a port that lacks members");

    wired.dhcp = 1;

    ok(ngx_amt_network_wired_put(pool, x, &wired, &body) == NGX_OK
       && unit_is(body, "<h:New>1</h:New><h:SharedStaticIp>false"
                  "</h:SharedStaticIp><h:IpSyncEnabled>true"
                  "</h:IpSyncEnabled><h:DHCPEnabled>true</h:DHCPEnabled>"),
       "DHCP takes addresses away");

    x = xml("<h:P><h:New>1</h:New></h:P>")->first;

    ok(ngx_amt_network_sync_put(pool, x, 3, -1, &body) == NGX_OK
       && unit_is(body, "<h:New>1</h:New>"
                  "<h:localProfileSynchronizationEnabled>3"
                  "</h:localProfileSynchronizationEnabled>"),
       "old firmware is not told of UEFI");
}


static void
finds(void)
{
    ngx_str_t     s, handle;
    ngx_array_t  *list;

    list = items(
        "<h:C><h:InstanceID>h0</h:InstanceID><h:X509Certificate>AA=="
        "</h:X509Certificate><h:TrustedRootCertficate>true"
        "</h:TrustedRootCertficate></h:C>"
        "<h:C><h:InstanceID>h1</h:InstanceID><h:X509Certificate>AA=="
        "</h:X509Certificate><h:TrustedRootCertificate>false"
        "</h:TrustedRootCertificate></h:C>"
        "<h:C><h:InstanceID></h:InstanceID><h:X509Certificate>BB=="
        "</h:X509Certificate></h:C><h:C/>");

    s = unit_str("AA==");
    ok(ngx_amt_credentials_find(list, "X509Certificate", &s, 1, &handle)
       && unit_is(handle, "h0"), "a root, as the wire spells it");
    ok(ngx_amt_credentials_find(list, "X509Certificate", &s, 0, &handle)
       && unit_is(handle, "h1"), "none, spelt right");
    s = unit_str("BB==");
    ok(!ngx_amt_credentials_find(list, "X509Certificate", &s, 0, &handle),
       "without handle it is none");
    s = unit_str("");
    ok(!ngx_amt_credentials_find(list, "X509Certificate", &s, -1, &handle),
       "nothing is not found");
}


/* A key in DER and PEM, both kinds; what is no RSA key. */

static void
keys(void)
{
    int          n;
    BIO         *bio;
    char        *pem;
    json_t      *x;
    u_char      *der, text[8192];
    EVP_PKEY    *key;
    ngx_str_t    src, dst;
    const char  *why;

    key = EVP_RSA_gen(2048);
    der = NULL;
    n = i2d_PrivateKey(key, &der);

    src.data = der;
    src.len = n;
    dst.data = text;
    ngx_encode_base64(&dst, &src);

    x = json_pack("{s:s%,s:s}", "privateKey", text, dst.len, "publicKey",
                  "mine");

    ok(ngx_amt_mps_credentials_input(x, &why) == NGX_OK
       && json_string_length(json_object_get(x, "privateKey")) == dst.len
       && memcmp(json_string_value(json_object_get(x, "privateKey")), text,
                 dst.len) == 0
       && strcmp(json_string_value(json_object_get(x, "publicKey")), "mine")
          != 0, "PKCS#1 stays as it is");

    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    n = (int) BIO_get_mem_data(bio, &pem);

    json_object_set_new(x, "privateKey", json_stringn(pem, n));

    ok(ngx_amt_mps_credentials_input(x, &why) == NGX_OK
       && json_string_length(json_object_get(x, "privateKey")) == dst.len
       && memcmp(json_string_value(json_object_get(x, "privateKey")), text,
                 dst.len) == 0, "PKCS#8 becomes PKCS#1");

    /* one byte more, one less */

    json_object_set_new(x, "privateKey",
                        json_stringn((char *) text, dst.len - 40));
    ok(ngx_amt_mps_credentials_input(x, &why) == NGX_DECLINED
       && strstr(why, "privateKey"), "a cut key is refused");

    EVP_PKEY_free(key);
    BIO_free(bio);

    /* encrypted: nobody is asked for a pass phrase */

    key = EVP_EC_gen("P-256");
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    n = (int) BIO_get_mem_data(bio, &pem);

    json_object_set_new(x, "privateKey", json_stringn(pem, n));
    ok(ngx_amt_mps_credentials_input(x, &why) == NGX_DECLINED,
       "an EC key is refused");

    BIO_free(bio);
    bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), "word", 4,
                                  NULL, NULL);
    n = (int) BIO_get_mem_data(bio, &pem);

    json_object_set_new(x, "privateKey", json_stringn(pem, n));
    ok(ngx_amt_mps_credentials_input(x, &why) == NGX_DECLINED,
       "an encrypted key is refused");

    BIO_free(bio);
    EVP_PKEY_free(key);
    OPENSSL_free(der);
    json_decref(x);

    x = json_pack("{s:s}", "caCert", "");
    ok(ngx_amt_mps_credentials_input(x, &why) == NGX_OK, "none given");
    json_object_set_new(x, "caCert", json_string("===="));
    ok(ngx_amt_mps_credentials_input(x, &why) == NGX_DECLINED, "padding");
    json_object_set_new(x, "caCert", json_string("-----BEGIN "));
    ok(ngx_amt_mps_credentials_input(x, &why) == NGX_DECLINED,
       "PEM that ends at once");
    json_decref(x);
}


int
main(void)
{
    unit_init();
    pool = unit_pool();

    ports();
    profiles();
    puts_odd();
    finds();
    keys();

    ngx_destroy_pool(pool);

    return done();
}
