
/*
 * What is sent to a device to change its network; no I/O.  Contract mps.md
 * section 2.14, wsman.md AMT_EthernetPortSettings,
 * AMT_WiFiPortConfigurationService.
 */


#include "amt/ngx_amt_network.h"
#include "amt/ngx_amt_put.h"


#define NGX_AMT_NETWORK_ENDPOINT  "Intel(r) AMT:WiFi Endpoint Settings "
#define NGX_AMT_NETWORK_X         "Intel(r) AMT:IEEE 802.1x Settings "

#define NGX_AMT_NETWORK_CIM                                                   \
    "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"


static ngx_int_t ngx_amt_network_id(ngx_pool_t *pool, const char *prefix,
    ngx_str_t *name, ngx_str_t *id);
static void ngx_amt_network_embedded(ngx_amt_xml_writer_t *w,
    const char *name, const char *class);
static void ngx_amt_network_leaf(ngx_amt_xml_writer_t *w, const char *name,
    ngx_str_t *text);
static void ngx_amt_network_leaf_int(ngx_amt_xml_writer_t *w,
    const char *name, int64_t n);


/* ---- the wired port ---- */

void
ngx_amt_network_wired_input(json_t *input, ngx_amt_network_wired_t *wired)
{
    ngx_uint_t  i;

    static const char  *names[] = {
        "ipAddress", "subnetMask", "defaultGateway", "primaryDNS",
        "secondaryDNS"
    };

    for (i = 0; i < NGX_AMT_NETWORK_ADDRESSES; i++) {
        ngx_amt_network_string(input, names[i], &wired->address[i]);
    }

    wired->dhcp = json_is_true(json_object_get(input, "dhcpEnabled"));
    wired->sync = json_is_true(json_object_get(input, "ipSyncEnabled"));
}


/* The addresses are sent only when they are AMT's own. */

ngx_int_t
ngx_amt_network_wired_put(ngx_pool_t *pool, ngx_amt_xml_t *port,
    ngx_amt_network_wired_t *wired, ngx_str_t *body)
{
    ngx_uint_t      i, own;
    ngx_amt_put_t  *change;

    ngx_amt_put_t  changes[] = {
        { "SharedStaticIp", NGX_AMT_PUT_BOOL, 0, ngx_null_string, 1 },
        { "IpSyncEnabled", NGX_AMT_PUT_BOOL, 0, ngx_null_string, 1 },
        { "DHCPEnabled", NGX_AMT_PUT_BOOL, 0, ngx_null_string, 1 },
        { "IPAddress", NGX_AMT_PUT_OMIT, 0, ngx_null_string, 0 },
        { "SubnetMask", NGX_AMT_PUT_OMIT, 0, ngx_null_string, 0 },
        { "DefaultGateway", NGX_AMT_PUT_OMIT, 0, ngx_null_string, 0 },
        { "PrimaryDNS", NGX_AMT_PUT_OMIT, 0, ngx_null_string, 0 },
        { "SecondaryDNS", NGX_AMT_PUT_OMIT, 0, ngx_null_string, 0 },
        { NULL, 0, 0, ngx_null_string, 0 }
    };

    own = !wired->dhcp && !wired->sync;

    changes[0].number = !wired->dhcp && wired->sync;
    changes[1].number = !own;
    changes[2].number = wired->dhcp;

    for (i = 0; own && i < NGX_AMT_NETWORK_ADDRESSES; i++) {

        if (wired->address[i].len) {
            change = &changes[3 + i];

            change->type = NGX_AMT_PUT_TEXT;
            change->text = wired->address[i];
            change->add = 1;
        }
    }

    return ngx_amt_put_body(pool, port, changes, body);
}


ngx_int_t
ngx_amt_network_link_input(ngx_pool_t *pool, int64_t preference,
    int64_t timeout, ngx_str_t *body)
{
    ngx_amt_xml_writer_t  w;

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);
    ngx_amt_xml_leaf_int(&w, "LinkPreference", preference);
    ngx_amt_xml_leaf_int(&w, "Timeout", timeout);

    return ngx_amt_xml_done(&w, body);
}


/* ---- the wireless port ---- */

ngx_int_t
ngx_amt_network_sync_put(ngx_pool_t *pool, ngx_amt_xml_t *service,
    ngx_int_t local, ngx_int_t uefi, ngx_str_t *body)
{
    ngx_uint_t      n;
    ngx_amt_put_t   changes[3];

    ngx_memzero(changes, sizeof(changes));

    n = 0;

    if (uefi != -1) {
        changes[n].name = "UEFIWiFiProfileShareEnabled";
        changes[n].type = NGX_AMT_PUT_INT;
        changes[n].number = uefi;
        changes[n++].add = 1;
    }

    if (local != -1) {
        changes[n].name = "localProfileSynchronizationEnabled";
        changes[n].type = NGX_AMT_PUT_INT;
        changes[n].number = local;
        changes[n].add = 1;
    }

    return ngx_amt_put_body(pool, service, changes, body);
}


/* ---- profiles ---- */

ngx_int_t
ngx_amt_network_profile_input(ngx_pool_t *pool, json_t *input,
    ngx_amt_network_profile_t *profile)
{
    json_t  *x;

    ngx_memzero(profile, sizeof(ngx_amt_network_profile_t));

    ngx_amt_network_string(input, "profileName", &profile->name);
    ngx_amt_network_string(input, "ssid", &profile->ssid);
    ngx_amt_network_string(input, "password", &profile->passphrase);

    profile->priority = json_integer_value(json_object_get(input,
                                                           "priority"));
    profile->authentication = json_integer_value(json_object_get(input,
                                                    "authenticationMethod"));
    profile->encryption = json_integer_value(json_object_get(input,
                                                        "encryptionMethod"));

    if (ngx_amt_network_id(pool, NGX_AMT_NETWORK_ENDPOINT, &profile->name,
                           &profile->id)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    x = json_object_get(input, "ieee8021x");

    if (!json_is_object(x)) {
        return NGX_OK;
    }

    ngx_amt_network_string(x, "username", &profile->username);
    ngx_amt_network_string(x, "password", &profile->password);

    profile->protocol = json_integer_value(json_object_get(x,
                                                  "authenticationProtocol"));

    return ngx_amt_network_id(pool, NGX_AMT_NETWORK_X, &profile->name,
                              &profile->x_id);
}


static ngx_int_t
ngx_amt_network_id(ngx_pool_t *pool, const char *prefix, ngx_str_t *name,
    ngx_str_t *id)
{
    u_char  *p;
    size_t   len;

    len = ngx_strlen(prefix);

    p = ngx_pnalloc(pool, len + name->len);
    if (p == NULL) {
        return NGX_ERROR;
    }

    id->data = p;
    id->len = len + name->len;

    p = ngx_cpymem(p, prefix, len);

    if (name->len) {
        ngx_memcpy(p, name->data, name->len);
    }

    return NGX_OK;
}


ngx_int_t
ngx_amt_network_profile_xml(ngx_pool_t *pool,
    ngx_amt_network_profile_t *profile, ngx_uint_t update, ngx_str_t *body)
{
    ngx_amt_xml_writer_t  w;

    static ngx_str_t  endpoint = ngx_string("WiFi Endpoint 0");

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);

    if (update) {
        ngx_amt_wsman_epr_value(&w, "WiFiEndpointSettings", "/wsman",
                                "CIM_WiFiEndpointSettings", "InstanceID",
                                &profile->id);
    } else {
        ngx_amt_wsman_epr_value(&w, "WiFiEndpoint", "/wsman",
                                "CIM_WiFiEndpoint", "Name", &endpoint);
    }

    ngx_amt_network_embedded(&w, "WiFiEndpointSettingsInput",
                             "CIM_WiFiEndpointSettings");
    ngx_amt_network_leaf(&w, "ElementName", &profile->name);
    ngx_amt_network_leaf(&w, "InstanceID", &profile->id);
    ngx_amt_network_leaf_int(&w, "AuthenticationMethod",
                             profile->authentication);
    ngx_amt_network_leaf_int(&w, "EncryptionMethod", profile->encryption);
    ngx_amt_network_leaf(&w, "SSID", &profile->ssid);
    ngx_amt_network_leaf_int(&w, "Priority", profile->priority);

    if (profile->passphrase.len) {
        ngx_amt_network_leaf(&w, "PSKPassPhrase", &profile->passphrase);
    }

    ngx_amt_xml_close(&w, "WiFiEndpointSettingsInput");

    if (profile->x_id.len) {
        ngx_amt_network_embedded(&w, "IEEE8021xSettingsInput",
                                 "CIM_IEEE8021xSettings");
        ngx_amt_network_leaf(&w, "ElementName", &profile->name);
        ngx_amt_network_leaf(&w, "InstanceID", &profile->x_id);
        ngx_amt_network_leaf_int(&w, "AuthenticationProtocol",
                                 profile->protocol);
        ngx_amt_network_leaf(&w, "Username", &profile->username);

        if (profile->password.len) {
            ngx_amt_network_leaf(&w, "Password", &profile->password);
        }

        ngx_amt_xml_close(&w, "IEEE8021xSettingsInput");
    }

    if (profile->client.len) {
        ngx_amt_wsman_epr_value(&w, "ClientCredential", "default",
                                "AMT_PublicKeyCertificate", "InstanceID",
                                &profile->client);
    }

    if (profile->ca.len) {
        ngx_amt_wsman_epr_value(&w, "CACredential", "default",
                                "AMT_PublicKeyCertificate", "InstanceID",
                                &profile->ca);
    }

    return ngx_amt_xml_done(&w, body);
}


/* An embedded instance: its properties are in its own class's namespace. */

static void
ngx_amt_network_embedded(ngx_amt_xml_writer_t *w, const char *name,
    const char *class)
{
    ngx_amt_xml_raw(w, "<h:");
    ngx_amt_xml_raw(w, name);
    ngx_amt_xml_raw(w, " xmlns:q=\"" NGX_AMT_NETWORK_CIM);
    ngx_amt_xml_raw(w, class);
    ngx_amt_xml_raw(w, "\">");
}


static void
ngx_amt_network_leaf(ngx_amt_xml_writer_t *w, const char *name,
    ngx_str_t *text)
{
    ngx_amt_xml_raw(w, "<q:");
    ngx_amt_xml_raw(w, name);
    ngx_amt_xml_raw(w, ">");
    ngx_amt_xml_escape(w, text);
    ngx_amt_xml_raw(w, "</q:");
    ngx_amt_xml_raw(w, name);
    ngx_amt_xml_raw(w, ">");
}


static void
ngx_amt_network_leaf_int(ngx_amt_xml_writer_t *w, const char *name,
    int64_t n)
{
    u_char     buf[NGX_INT64_LEN + 1];
    ngx_str_t  s;

    s.data = buf;
    s.len = ngx_sprintf(buf, "%L", n) - buf;

    ngx_amt_network_leaf(w, name, &s);
}
