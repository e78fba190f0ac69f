
/* Boot settings, boot order and what a boot makes of them. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


#define CONFIG  "Intel(r) AMT: Boot Configuration 0"


static const char  *bools[] = {
    "BIOSPause", "BIOSSetup", "ConfigurationDataReset",
    "ForcedProgressEvents", "LockKeyboard", "LockPowerButton",
    "LockResetButton", "LockSleepButton", "PlatformErase", "ReflashBIOS",
    "SecureErase", "UseIDER", "UseSOL", "UseSafeMode", "UserPasswordBypass",
    NULL
};

static const char  *numbers[] = {
    "BootMediaIndex", "FirmwareVerbosity", "IDERBootDevice",
    "UefiBootNumberOfParams", NULL
};


static int
is_true(device_t *d, class_t *cls, inst_t *i, const char *name)
{
    return strcmp(model_get(d, cls, i, name), "true") == 0;
}


/* number of TLVs in the boot parameters, -1: malformed */

static int
tlv_count(const char *text)
{
    int      n, len, pos, count;
    u_char   data[4096];

    n = base64_decode(data, sizeof(data), text);
    if (n < 0) {
        return -1;
    }

    for (pos = 0, count = 0; pos < n; pos += 8 + len, count++) {

        if (n - pos < 8 || data[pos] != 0x86 || data[pos + 1] != 0x80) {
            return -1;
        }

        if (data[pos + 6] || data[pos + 7]) {
            return -1;
        }

        len = data[pos + 4] | data[pos + 5] << 8;

        if (len > n - pos - 8) {
            return -1;
        }
    }

    return count;
}


/* rules between the fields; i is what a Put would make it */

int
boot_check_put(soap_t *s, inst_t *i)
{
    int        n;
    inst_t    *old;
    class_t   *cls;
    unsigned   k, set;

    cls = s->cls;
    old = model_insts(s->d, cls);

    n = tlv_count(model_get(s->d, cls, i, "UefiBootParametersArray"));

    if (n != atoi(model_get(s->d, cls, i, "UefiBootNumberOfParams"))) {
        soap_fault(s, "c:InvalidParameter", "UefiBootParametersArray");
        return -1;
    }

    if (is_true(s->d, cls, i, "PlatformErase")) {
        soap_fault(s, "c:AccessDenied", "PlatformErase needs TLS");
        return -1;
    }

    if (strcmp(opt.control_mode, "client") == 0
        && is_true(s->d, cls, old, "EnforceSecureBoot")
        && !is_true(s->d, cls, i, "EnforceSecureBoot"))
    {
        soap_fault(s, "c:AccessDenied", "EnforceSecureBoot");
        return -1;
    }

    if (is_true(s->d, cls, i, "UseIDER")
        && strcmp(model_get(s->d, cls, i, "BootMediaIndex"), "0") != 0)
    {
        soap_fault(s, "c:InvalidParameter", "BootMediaIndex");
        return -1;
    }

    set = n > 0;

    for (k = 0; bools[k]; k++) {
        set |= is_true(s->d, cls, i, bools[k]);
    }

    model_set(cls, i, "OptionsCleared", set ? "false" : "true");

    return 0;
}


/* the machine boots: settings and boot order are used up */

void
boot_apply(device_t *d, unsigned request)
{
    buf_t        b;
    inst_t      *i;
    class_t     *cls;
    unsigned     k;
    const char  *v;

    cls = model_class("AMT_BootSettingData");
    i = model_insts(d, cls);

    memset(&b, 0, sizeof(b));
    buf_fmt(&b, "{\"request\":%u,\"source\":", request);
    buf_json(&b, d->boot_source ? d->boot_source : "");
    buf_fmt(&b, ",\"role\":%u", d->next_boot_role);

    for (k = 0; bools[k]; k++) {
        if (is_true(d, cls, i, bools[k])) {
            buf_fmt(&b, ",\"%s\":true", bools[k]);
        }
    }

    for (k = 0; numbers[k]; k++) {
        v = model_get(d, cls, i, numbers[k]);
        if (strcmp(v, "0") != 0) {
            buf_fmt(&b, ",\"%s\":%s", numbers[k], v);
        }
    }

    v = model_get(d, cls, i, "UefiBootParametersArray");
    if (v[0]) {
        buf_fmt(&b, ",\"UefiBootParametersArray\":\"%s\"", v);
    }

    buf_str(&b, "}");

    free(d->last_boot);
    d->last_boot = xstrdup(buf_cstr(&b));
    d->boots++;
    event(d, "boot", "\"boot\":%s", d->last_boot);
    buf_free(&b);

    free(d->boot_source);
    d->boot_source = NULL;
    d->next_boot_role = 0;

    if (i == cls->insts) {
        return;                       /* never changed on this device */
    }

    for (k = 0; bools[k]; k++) {
        model_set(cls, i, bools[k], "false");
    }

    for (k = 0; numbers[k]; k++) {
        model_set(cls, i, numbers[k], "0");
    }

    model_set(cls, i, "UefiBootParametersArray", NULL);
    model_set(cls, i, "RSEPassword", "");
    model_set(cls, i, "OptionsCleared", "true");
}


/* user consent is needed for whatever takes over the machine */

static int
consent_missing(device_t *d)
{
    int       state, required;
    inst_t   *i;
    class_t  *cls;

    cls = model_class("IPS_OptInService");
    if (cls == NULL) {
        return 0;
    }

    i = model_insts(d, cls);
    required = strcmp(model_get(d, cls, i, "OptInRequired"), "4294967295")
               == 0;
    state = atoi(model_get(d, cls, i, "OptInState"));

    return required && state != 3 && state != 4;
}


static int
change_boot_order(soap_t *s, node_t *in)
{
    char       *epr, *id;
    inst_t     *i;
    node_t     *source;
    class_t    *cls, *settings;
    device_t   *d;

    d = s->d;
    source = xml_child(in, NULL, "Source");

    if (source == NULL) {
        free(d->boot_source);
        d->boot_source = NULL;
        event(d, "boot_source", "\"source\":\"\"");
        return 0;
    }

    if (consent_missing(d)) {
        return soap_fault(s, "c:AccessDenied", "user consent");
    }

    epr = epr_text(source);
    id = strncmp(epr, "@CIM_BootSourceSetting ", 23) == 0
         ? epr_key(epr, "InstanceID") : NULL;
    free(epr);

    cls = model_class("CIM_BootSourceSetting");

    for (i = model_insts(d, cls); i && id; i = i->next) {
        if (strcmp(model_get(d, cls, i, "InstanceID"), id) == 0) {
            break;
        }
    }

    if (i == NULL || id == NULL) {
        free(id);
        return 4;
    }

    settings = model_class("AMT_BootSettingData");
    i = model_insts(d, settings);

    if (is_true(d, settings, i, "UseSOL")
        || is_true(d, settings, i, "UseIDER")
        || is_true(d, settings, i, "ReflashBIOS")
        || is_true(d, settings, i, "BIOSPause")
        || is_true(d, settings, i, "BIOSSetup"))
    {
        free(id);
        return 5;
    }

    free(d->boot_source);
    d->boot_source = id;

    event(d, "boot_source", "\"source\":\"%s\"", id);

    return 0;
}


static int
set_boot_config_role(soap_t *s, node_t *in)
{
    int    ok;
    char  *epr, *id;
    long   role;

    epr = epr_text(xml_child(in, NULL, "BootConfigSetting"));
    id = strncmp(epr, "@CIM_BootConfigSetting ", 23) == 0
         ? epr_key(epr, "InstanceID") : NULL;

    ok = id && strcmp(id, CONFIG) == 0;
    free(epr);
    free(id);

    if (!ok) {
        return 4;
    }

    role = method_num(in, "Role");

    if (role != 1 && role != 32768) {
        return 5;
    }

    s->d->next_boot_role = role == 1;

    return 0;
}


static int
boot_service_state(soap_t *s, node_t *in)
{
    char      text[8];
    long      state;
    inst_t   *i;

    state = method_num(in, "RequestedState");

    if (state < 32768 || state > 32771) {
        return 5;
    }

    i = model_one(s->d, "CIM_BootService");
    snprintf(text, sizeof(text), "%ld", state);
    model_set(s->cls, i, "EnabledState", text);

    return 0;
}


static const param_t  order_params[] = {
    { "Source", T_EPR, 0, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  role_params[] = {
    { "BootConfigSetting", T_EPR, F_MUST, 0 },
    { "Role", T_U16, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  state_params[] = {
    { "RequestedState", T_U16, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

const method_t  boot_methods[] = {
    { "CIM_BootConfigSetting", "ChangeBootOrder", order_params,
      change_boot_order },
    { "CIM_BootService", "SetBootConfigRole", role_params,
      set_boot_config_role },
    { "CIM_BootService", "RequestStateChange", state_params,
      boot_service_state },
    { NULL, NULL, NULL, NULL }
};
