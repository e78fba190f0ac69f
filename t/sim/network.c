
/* Link preference, wireless profiles, 802.1x, proxies. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


#define WIFI       "CIM_WiFiEndpointSettings"
#define WIFI_ID    "Intel(r) AMT:WiFi Endpoint Settings "
#define X_ID       "Intel(r) AMT:IEEE 802.1x Settings "
#define WIFI_MAX   8
#define SYSTEM     "SystemCreationClassName=CIM_ComputerSystem;"             \
                   "SystemName=Intel(r) AMT"


static int
set_link_preference(soap_t *s, node_t *in)
{
    long       preference;
    inst_t    *i, *own;
    unsigned   n;

    i = model_select(s, s->cls, s->selectors);
    if (i == NULL) {
        return METHOD_FAULT;
    }

    if (strcmp(model_get(s->d, s->cls, i, "PhysicalConnectionType"), "3")
        != 0)
    {
        return 2066;
    }

    preference = method_num(in, "LinkPreference");

    if (preference < 1 || preference > 2) {
        return 36;
    }

    for (n = 0, own = model_insts(s->d, s->cls); own != i; own = own->next) {
        n++;
    }

    for (own = *model_own(s->d, s->cls); n; n--) {
        own = own->next;
    }

    model_set(s->cls, own, "LinkPreference", preference == 1 ? "1" : "2");
    model_set(s->cls, own, "LinkControl", preference == 1 ? "1" : "2");

    event(s->d, "link_preference", "\"preference\":%ld,\"timeout\":%ld",
          preference, method_num(in, "Timeout"));

    return 0;
}


/* takes a profile and everything that belongs to it away */

static void
wifi_remove(device_t *d, const char *id)
{
    char      x[128], epr[192];
    inst_t   *i;
    class_t  *cls, *xs;

    cls = model_class(WIFI);
    xs = model_class("CIM_IEEE8021xSettings");

    snprintf(epr, sizeof(epr), "@" WIFI " InstanceID=%s", id);
    model_unrelate(d, "CIM_ConcreteDependency", "Antecedent", epr);

    snprintf(x, sizeof(x), X_ID "%s", id + strlen(WIFI_ID));
    snprintf(epr, sizeof(epr), "@CIM_IEEE8021xSettings InstanceID=%s", x);
    model_unrelate(d, "AMT_8021XCredentialContext",
                   "ElementProvidingContext", epr);

    model_own(d, cls);
    model_own(d, xs);

    i = model_find(d, WIFI, "InstanceID", id);
    if (i) {
        model_remove(d, cls, i);
    }

    i = model_find(d, "CIM_IEEE8021xSettings", "InstanceID", x);
    if (i) {
        model_remove(d, xs, i);
    }
}


/* 0, or a return code, for a profile as it was sent */

static int
wifi_check(soap_t *s, node_t *w, node_t *x, const char *old)
{
    long         auth, priority;
    size_t       n;
    inst_t      *i;
    class_t     *cls;
    unsigned     count;
    const char  *id, *psk, *name;

    cls = model_class(WIFI);
    id = method_arg(w, "InstanceID");
    name = method_arg(w, "ElementName");
    psk = method_arg(w, "PSKPassPhrase");
    auth = method_num(w, "AuthenticationMethod");
    priority = method_num(w, "Priority");

    if (!id || !name || strncmp(id, WIFI_ID, strlen(WIFI_ID)) != 0
        || strcmp(id + strlen(WIFI_ID), name) != 0 || priority < 1
        || !method_arg(w, "SSID") || method_num(w, "EncryptionMethod") < 3)
    {
        return 3;
    }

    n = psk ? strlen(psk) : 0;

    if (auth == 4 || auth == 6) {
        if (n < 8 || n > 63 || x) {
            return 3;
        }

    } else if (auth == 5 || auth == 7) {
        if (psk || x == NULL) {
            return 3;
        }

    } else if (auth != 32768 && auth != 32769) {
        return 3;
    }

    for (i = model_insts(s->d, cls), count = 0; i; i = i->next) {

        if (strncmp(model_get(s->d, cls, i, "InstanceID"), WIFI_ID,
                    strlen(WIFI_ID)) != 0)
        {
            continue;
        }

        count++;

        if (old && strcmp(model_get(s->d, cls, i, "InstanceID"), old) == 0) {
            continue;
        }

        if (strcmp(model_get(s->d, cls, i, "InstanceID"), id) == 0
            || atol(model_get(s->d, cls, i, "Priority")) == priority)
        {
            return 32768 + 2058;
        }
    }

    return !old && count >= WIFI_MAX ? 32768 + 23 : 0;
}


static int
wifi_settings(soap_t *s, node_t *in, const char *old)
{
    int        rc;
    char      *epr, wifi[192], x_epr[192];
    inst_t    *i;
    node_t    *w, *x, *cred;
    class_t   *cls;
    unsigned   k;
    static const char  *creds[] = { "ClientCredential", "CACredential" };

    w = xml_child(in, NULL, "WiFiEndpointSettingsInput");
    x = xml_child(in, NULL, "IEEE8021xSettingsInput");
    rc = wifi_check(s, w, x, old);

    if (rc != 0) {
        return rc;
    }

    if (old) {
        wifi_remove(s->d, old);
    }

    i = feature_embedded(s, w, WIFI);
    if (i == NULL) {
        return METHOD_FAULT;
    }

    cls = model_class(WIFI);
    model_set(cls, i, "BSSType", "3");
    snprintf(wifi, sizeof(wifi), "@" WIFI " InstanceID=%s",
             model_get(s->d, cls, i, "InstanceID"));

    event(s->d, "wifi", "\"profile\":%s,\"change\":\"%s\"",
          js(method_arg(w, "ElementName")), old ? "update" : "add");

    if (x == NULL) {
        return 0;
    }

    i = feature_embedded(s, x, "CIM_IEEE8021xSettings");
    if (i == NULL) {
        return METHOD_FAULT;
    }

    /* firmware has its own way of naming them */

    snprintf(x_epr, sizeof(x_epr), X_ID "%s", method_arg(w, "ElementName"));
    model_set(model_class("CIM_IEEE8021xSettings"), i, "InstanceID", x_epr);

    snprintf(x_epr, sizeof(x_epr), "@CIM_IEEE8021xSettings InstanceID=" X_ID
             "%s", method_arg(w, "ElementName"));
    model_relate(s->d, "CIM_ConcreteDependency", "Antecedent", wifi,
                 "Dependent", x_epr);

    for (k = 0; k < 2; k++) {
        cred = xml_child(in, NULL, creds[k]);
        if (cred) {
            epr = epr_text(cred);
            model_relate(s->d, "AMT_8021XCredentialContext",
                         "ElementInContext", epr, "ElementProvidingContext",
                         x_epr);
            free(epr);
        }
    }

    return 0;
}


static int
add_wifi(soap_t *s, node_t *in)
{
    return wifi_settings(s, in, NULL);
}


static int
update_wifi(soap_t *s, node_t *in)
{
    int    rc;
    char  *epr, *id;

    epr = epr_text(xml_child(in, NULL, "WiFiEndpointSettings"));
    id = strstr(epr, "InstanceID=");

    rc = id && model_find(s->d, WIFI, "InstanceID", id + 11)
         ? wifi_settings(s, in, id + 11) : 4;

    free(epr);

    return rc;
}


static int
set_certificates(soap_t *s, node_t *in)
{
    char      *epr;
    unsigned   k;
    static const char  *names[] = {
        "ServerCertificateIssuer", "ClientCertificate"
    };
    static const char  *to = "@IPS_IEEE8021xSettings InstanceID="
                             "Intel(r) AMT: 8021X Settings";

    model_unrelate(s->d, "AMT_8021XWiredCredentialContext",
                   "ElementProvidingContext", to);

    for (k = 0; k < 2; k++) {
        epr = epr_text(xml_child(in, NULL, names[k]));

        if (!strstr(epr, "InstanceID=")
            || !model_find(s->d, "AMT_PublicKeyCertificate", "InstanceID",
                           strstr(epr, "InstanceID=") + 11))
        {
            free(epr);
            return 1;
        }

        model_relate(s->d, "AMT_8021XWiredCredentialContext",
                     "ElementInContext", epr, "ElementProvidingContext", to);
        free(epr);
    }

    return 0;
}


static int
add_proxy(soap_t *s, node_t *in)
{
    char        name[64], pairs[256];
    inst_t     *i;
    class_t    *cls;
    unsigned    n;
    static const char  *fields[] = {
        "AccessInfo", "InfoFormat", "NetworkDnsSuffix", "Port", NULL
    };

    cls = model_class("IPS_HTTPProxyAccessPoint");

    if (model_find(s->d, cls->name, "AccessInfo",
                   method_arg(in, "AccessInfo")))
    {
        return 2058;
    }

    for (n = 0; n < 15; n++) {
        snprintf(name, sizeof(name), "Intel(r) ME:HTTP Proxy Access Point %u",
                 n);
        if (!model_find(s->d, cls->name, "Name", name)) {
            break;
        }
    }

    if (n == 15) {
        return 23;
    }

    i = model_add(s->d, cls->name);
    model_set(cls, i, "CreationClassName", cls->name);
    model_set(cls, i, "ElementName", "Intel(r) ME:HTTP Proxy Access Point");
    model_set(cls, i, "Name", name);
    model_set(cls, i, "Priority", "0");
    model_set(cls, i, "SystemCreationClassName", "CIM_ComputerSystem");
    model_set(cls, i, "SystemName", "Intel(r) AMT");

    for (n = 0; fields[n]; n++) {
        model_set(cls, i, fields[n], method_arg(in, fields[n]));
    }

    snprintf(pairs, sizeof(pairs), "CreationClassName=%s;Name=%s;" SYSTEM,
             cls->name, name);
    out_epr(s, "ProxyAccessPoint", cls->name, pairs);

    return 0;
}


/* what goes with an instance that is deleted; -1: a fault, it stays */

int
network_delete(soap_t *s, inst_t *i)
{
    char  id[128];

    if (strcmp(s->cls->name, WIFI) == 0) {
        snprintf(id, sizeof(id), "%s",
                 model_get(s->d, s->cls, i, "InstanceID"));

        if (strncmp(id, WIFI_ID, strlen(WIFI_ID)) != 0) {
            return soap_fault(s, "c:AccessDenied", "user profile");
        }

        wifi_remove(s->d, id);
        event(s->d, "wifi", "\"profile\":%s,\"change\":\"delete\"",
              js(id + strlen(WIFI_ID)));
        return 1;
    }

    return 0;
}


static const param_t  link_params[] = {
    { "LinkPreference", T_U32, F_MUST, 0 },
    { "Timeout", T_U32, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  wifi_params[] = {
    { "WiFiEndpoint", T_EPR, F_MUST, 0 },
    { "WiFiEndpointSettingsInput", T_STR, F_MUST|F_HIDDEN, 0 },
    { "IEEE8021xSettingsInput", T_STR, F_HIDDEN, 0 },
    { "ClientCredential", T_EPR, 0, 0 },
    { "CACredential", T_EPR, 0, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  wifi_update_params[] = {
    { "WiFiEndpointSettings", T_EPR, F_MUST, 0 },
    { "WiFiEndpointSettingsInput", T_STR, F_MUST|F_HIDDEN, 0 },
    { "IEEE8021xSettingsInput", T_STR, F_HIDDEN, 0 },
    { "ClientCredential", T_EPR, 0, 0 },
    { "CACredential", T_EPR, 0, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  x_params[] = {
    { "ServerCertificateIssuer", T_EPR, F_MUST, 0 },
    { "ClientCertificate", T_EPR, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  proxy_params[] = {
    { "AccessInfo", T_STR, F_MUST, 256 },
    { "InfoFormat", T_U16, F_MUST, 0 },
    { "Port", T_U16, F_MUST, 0 },
    { "NetworkDnsSuffix", T_STR, F_MUST, 192 },
    { NULL, 0, 0, 0 }
};

const method_t  network_methods[] = {
    { "AMT_EthernetPortSettings", "SetLinkPreference", link_params,
      set_link_preference },
    { "AMT_WiFiPortConfigurationService", "AddWiFiSettings", wifi_params,
      add_wifi },
    { "AMT_WiFiPortConfigurationService", "UpdateWiFiSettings",
      wifi_update_params, update_wifi },
    { "IPS_IEEE8021xSettings", "SetCertificates", x_params,
      set_certificates },
    { "IPS_HTTPProxyService", "AddProxyAccessPoint", proxy_params,
      add_proxy },
    { NULL, NULL, NULL, NULL }
};
