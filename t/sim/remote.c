
/* The servers the device connects to, and the policies that make it. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


#define SAP        "AMT_ManagementPresenceRemoteSAP"
#define RULE       "AMT_RemoteAccessPolicyRule"
#define SYSTEM     "SystemCreationClassName=CIM_ComputerSystem;"             \
                   "SystemName=Intel(r) AMT"


static int
add_mps(soap_t *s, node_t *in)
{
    char         name[64], pairs[256];
    long         format;
    size_t       len;
    inst_t      *i;
    class_t     *cls;
    unsigned     n;
    const char  *password;

    cls = model_class(SAP);
    format = method_num(in, "InfoFormat");
    password = method_arg(in, "Password");

    if (format != 3 && format != 4 && format != 201) {
        return 36;
    }

    if (method_num(in, "AuthMethod") == 2) {
        len = password ? strlen(password) : 0;
        if (len > 16 || len == 0 || !method_arg(in, "Username")) {
            return 36;
        }
    }

    for (n = 0; n < 6; n++) {
        snprintf(name, sizeof(name),
                 "Intel(r) AMT:Management Presence Server %u", n);
        if (!model_find(s->d, SAP, "Name", name)) {
            break;
        }
    }

    if (n == 6) {
        return 23;
    }

    i = model_add(s->d, SAP);
    model_set(cls, i, "AccessInfo", method_arg(in, "AccessInfo"));
    model_set(cls, i, "InfoFormat", method_arg(in, "InfoFormat"));
    model_set(cls, i, "Port", method_arg(in, "Port"));
    model_set(cls, i, "CN", method_arg(in, "CN"));
    model_set(cls, i, "CreationClassName", SAP);
    model_set(cls, i, "ElementName",
              "Intel(r) AMT:Management Presence Server");
    model_set(cls, i, "Name", name);
    model_set(cls, i, "SystemCreationClassName", "CIM_ComputerSystem");
    model_set(cls, i, "SystemName", "Intel(r) AMT");

    snprintf(pairs, sizeof(pairs), "CreationClassName=" SAP ";Name=%s;"
             SYSTEM, name);
    out_epr(s, "MpServer", SAP, pairs);

    return 0;
}


static int
add_policy(soap_t *s, node_t *in)
{
    char        *epr, *sap_name, pairs[256], rule[320], sap[512];
    long         trigger;
    inst_t      *i;
    node_t      *n;
    class_t     *cls, *to;
    const char  *name;
    static const char  *names[] = {
        "User Initiated", "Alert", "Periodic"
    };

    cls = model_class(RULE);
    to = model_class("AMT_RemoteAccessPolicyAppliesToMPS");
    trigger = method_num(in, "Trigger");

    if (trigger > 2) {
        return 36;
    }

    name = names[trigger];

    if (model_find(s->d, RULE, "PolicyRuleName", name)) {
        return 2058;
    }

    i = model_add(s->d, RULE);
    model_set(cls, i, "CreationClassName", RULE);
    model_set(cls, i, "ElementName", "Inte(r) AMT:Remote Access Policy");
    model_set(cls, i, "ExtendedData", method_arg(in, "ExtendedData"));
    model_set(cls, i, "PolicyRuleName", name);
    model_set(cls, i, "SystemCreationClassName", "CIM_ComputerSystem");
    model_set(cls, i, "SystemName", "Intel(r) AMT");
    model_set(cls, i, "Trigger", method_arg(in, "Trigger"));
    model_set(cls, i, "TunnelLifeTime", method_arg(in, "TunnelLifeTime"));

    snprintf(pairs, sizeof(pairs), "CreationClassName=" RULE
             ";PolicyRuleName=%s;" SYSTEM, name);
    snprintf(rule, sizeof(rule), "@" RULE " %s", pairs);

    for (n = in->first; n; n = n->next) {

        if (strcmp(n->name, "MpServer") != 0) {
            continue;
        }

        epr = epr_text(n);
        sap_name = epr_key(epr, "Name");

        if (sap_name) {
            snprintf(sap, sizeof(sap), "@" SAP " CreationClassName=" SAP
                     ";Name=%s;" SYSTEM, sap_name);

            i = model_add(s->d, to->name);
            model_set(to, i, "ManagedElement", sap);
            model_set(to, i, "MpsType", "0");
            model_set(to, i, "OrderOfAccess", "0");
            model_set(to, i, "PolicySet", rule);
        }

        free(sap_name);
        free(epr);
    }

    out_epr(s, "PolicyRule", RULE, pairs);

    return 0;
}


/* relations go with the instance that is deleted */

void
remote_delete(soap_t *s, inst_t *i)
{
    char  epr[280];

    if (strcmp(s->cls->name, SAP) == 0) {
        snprintf(epr, sizeof(epr), "@" SAP " CreationClassName=" SAP
                 ";Name=%s;" SYSTEM, model_get(s->d, s->cls, i, "Name"));
        model_unrelate(s->d, "AMT_RemoteAccessPolicyAppliesToMPS",
                       "ManagedElement", epr);

    } else if (strcmp(s->cls->name, RULE) == 0) {
        snprintf(epr, sizeof(epr), "@" RULE " CreationClassName=" RULE
                 ";PolicyRuleName=%s;" SYSTEM,
                 model_get(s->d, s->cls, i, "PolicyRuleName"));
        model_unrelate(s->d, "AMT_RemoteAccessPolicyAppliesToMPS",
                       "PolicySet", epr);
    }
}


static const param_t  mps_params[] = {
    { "AccessInfo", T_STR, F_MUST, 256 },
    { "InfoFormat", T_U16, F_MUST, 0 },
    { "Port", T_U16, F_MUST, 0 },
    { "AuthMethod", T_U16, F_MUST, 0 },
    { "Certificate", T_EPR, 0, 0 },
    { "Username", T_STR, 0, 16 },
    { "Password", T_STR, 0, 16 },
    { "CN", T_STR, 0, 256 },
    { NULL, 0, 0, 0 }
};

static const param_t  policy_params[] = {
    { "Trigger", T_U16, F_MUST, 0 },
    { "TunnelLifeTime", T_U32, F_MUST, 0 },
    { "ExtendedData", T_B64, 0, 0 },
    { "MpServer", T_EPR, F_MUST|F_ARRAY, 0 },
    { NULL, 0, 0, 0 }
};

const method_t  remote_methods[] = {
    { "AMT_RemoteAccessService", "AddMpServer", mps_params, add_mps },
    { "AMT_RemoteAccessService", "AddRemoteAccessPolicyRule", policy_params,
      add_policy },
    { NULL, NULL, NULL, NULL }
};
