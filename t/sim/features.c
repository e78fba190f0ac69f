
/* Redirection, KVM, user consent, alarms, and other services with a state. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


#define ALARM_MAX  5


/* RequestStateChange of the services that only have EnabledState */

static int
state_change(soap_t *s, node_t *in)
{
    static const struct {
        const char  *cls;
        long         low;
        long         high;
    } ranges[] = {
        { "AMT_RedirectionService", 32768, 32771 },
        { "AMT_UserInitiatedConnectionService", 32768, 32771 },
        { "CIM_KVMRedirectionSAP", 2, 3 },
        { "CIM_WiFiPort", 32768, 32769 },
        { NULL, 0, 0 }
    };
    char       text[8];
    long       state;
    inst_t    *i;
    unsigned   k;

    state = method_num(in, "RequestedState");

    for (k = 0; strcmp(ranges[k].cls, s->cls->name) != 0; k++) { /* void */ }

    if ((state < ranges[k].low || state > ranges[k].high)
        && !(state == 3 && strcmp(s->cls->name, "CIM_WiFiPort") == 0))
    {
        return 5;
    }

    i = model_one(s->d, s->cls->name);

    snprintf(text, sizeof(text), "%ld", state);

    if (field_find(s->cls, "RequestedState", 14) >= 0) {
        model_set(s->cls, i, "RequestedState", text);
    }

    /* enabled, but no session: "enabled but offline" */

    if (strcmp(s->cls->name, "CIM_KVMRedirectionSAP") == 0 && state == 2) {
        snprintf(text, sizeof(text), "6");
    }

    model_set(s->cls, i, "EnabledState", text);

    return 0;
}


/* the listener of 16994 comes and goes with ListenerEnabled */

void
feature_listener(device_t *d)
{
    int      on;
    class_t  *cls;

    cls = model_class("AMT_RedirectionService");
    on = strcmp(model_get(d, cls, model_insts(d, cls), "ListenerEnabled"),
                "true") == 0;

    if (d->state != ST_READY || on == session_forwarded(d, 16994)) {
        return;
    }

    if (strstr(opt.ports, "16994")) {
        session_forward(d, 16994, !on);
    }
}


/* consent is not the administrator's to give in client control mode */

int
optin_check_put(soap_t *s, inst_t *i)
{
    unsigned   was, required, fixed;
    inst_t    *old;
    class_t   *cls;

    cls = s->cls;
    old = model_insts(s->d, cls);

    fixed = strcmp(model_get(s->d, cls, old, "CanModifyOptInPolicy"), "0")
            == 0;
    was = (unsigned) strtoul(model_get(s->d, cls, old, "OptInRequired"),
                             NULL, 10);
    required = (unsigned) strtoul(model_get(s->d, cls, i, "OptInRequired"),
                                  NULL, 10);

    if (fixed && was != required) {
        soap_fault(s, "c:AccessDenied", "OptInRequired");
        return -1;
    }

    if (required > 1 && required != 0xffffffff) {
        soap_fault(s, "c:InvalidParameter", "OptInRequired");
        return -1;
    }

    return 0;
}


static void
optin_state(soap_t *s, const char *state)
{
    model_set(s->cls, model_one(s->d, s->cls->name), "OptInState", state);
    event(s->d, "consent", "\"state\":%s", state);
}


static int
start_optin(soap_t *s, node_t *in)
{
    unsigned     code;
    const char  *state;

    (void) in;

    state = model_get(s->d, s->cls, model_insts(s->d, s->cls), "OptInState");

    if (strcmp(state, "0") != 0) {
        return 2;
    }

    random_bytes(&code, sizeof(code));
    s->d->consent_code = 1 + code % 999999;
    s->d->consent_tries = 0;
    optin_state(s, "2");

    return 0;
}


static int
cancel_optin(soap_t *s, node_t *in)
{
    const char  *state;

    (void) in;

    state = model_get(s->d, s->cls, model_insts(s->d, s->cls), "OptInState");

    if (strcmp(state, "0") == 0) {
        return 2;
    }

    s->d->consent_code = 0;
    optin_state(s, "0");

    return 0;
}


static int
send_optin_code(soap_t *s, node_t *in)
{
    const char  *state;

    state = model_get(s->d, s->cls, model_insts(s->d, s->cls), "OptInState");

    if (strcmp(state, "1") != 0 && strcmp(state, "2") != 0) {
        return 2;
    }

    if (method_num(in, "OptInCode") == (long) s->d->consent_code) {
        optin_state(s, "3");
        return 0;
    }

    if (++s->d->consent_tries >= 3) {
        s->d->consent_code = 0;
        optin_state(s, "0");
        return 3;
    }

    return 1;
}


/* an embedded instance: a new one of that class, or a fault */

inst_t *
feature_embedded(soap_t *s, node_t *e, const char *name)
{
    int        f, ok;
    char      *text;
    inst_t    *i;
    node_t    *n;
    class_t   *cls;

    cls = model_class(name);

    for (n = e->first; n; n = n->next) {

        f = field_find(cls, n->name, strlen(n->name));

        if (f < 0 || strcmp(n->ns, cls->uri) != 0) {
            soap_fault(s, "c:SchemaValidationError", n->name);
            return NULL;
        }

        ok = value_ok(&cls->fields[f], n, &text);
        free(text);

        if (ok != 1) {
            soap_fault(s, ok ? "c:InvalidParameter"
                             : "c:SchemaValidationError",
                       cls->fields[f].name);
            return NULL;
        }
    }

    i = model_add(s->d, name);

    for (n = e->first; n; n = n->next) {
        f = field_find(cls, n->name, strlen(n->name));
        value_ok(&cls->fields[f], n, &text);
        model_set(cls, i, n->name, text);
        free(text);
    }

    return i;
}


static int
add_alarm(soap_t *s, node_t *in)
{
    buf_t      b;
    inst_t    *i;
    node_t    *e, *id, *start;
    class_t   *cls;
    unsigned   n;

    cls = model_class("IPS_AlarmClockOccurrence");
    e = xml_child(in, NULL, "AlarmTemplate");
    id = xml_child(e, cls->uri, "InstanceID");
    start = xml_child(e, cls->uri, "StartTime");

    if (!id || id->text[0] == '\0' || !start || !start->first
        || !xml_child(e, cls->uri, "DeleteOnCompletion"))
    {
        return soap_fault(s, "c:SchemaValidationError", "AlarmTemplate");
    }

    for (i = model_insts(s->d, cls), n = 0; i; i = i->next) {
        if (strcmp(model_get(s->d, cls, i, "InstanceID"), id->text) == 0) {
            return soap_fault(s, "c:AlreadyExists", NULL);
        }
        n++;
    }

    if (n >= ALARM_MAX) {
        return soap_fault(s, "c:QuotaLimit", NULL);
    }

    /* the clock of the device: any year before 2024 is past */

    if (strcmp(start->first->text, "2024") < 0) {
        return soap_fault(s, "c:InvalidParameter", "StartTime");
    }

    i = feature_embedded(s, e, "IPS_AlarmClockOccurrence");
    if (i == NULL) {
        return METHOD_FAULT;
    }

    memset(&b, 0, sizeof(b));
    buf_fmt(&b, "InstanceID=%s", id->text);
    out_epr(s, "AlarmClock", "IPS_AlarmClockOccurrence", buf_cstr(&b));
    buf_free(&b);

    return 0;
}


static const param_t  state_params[] = {
    { "RequestedState", T_U16, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  code_params[] = {
    { "OptInCode", T_U32, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  alarm_params[] = {
    { "AlarmTemplate", T_STR, F_MUST|F_HIDDEN, 0 },
    { NULL, 0, 0, 0 }
};

const method_t  feature_methods[] = {
    { "AMT_RedirectionService", "RequestStateChange", state_params,
      state_change },
    { "AMT_UserInitiatedConnectionService", "RequestStateChange",
      state_params, state_change },
    { "CIM_KVMRedirectionSAP", "RequestStateChange", state_params,
      state_change },
    { "CIM_WiFiPort", "RequestStateChange", state_params, state_change },
    { "IPS_OptInService", "StartOptIn", NULL, start_optin },
    { "IPS_OptInService", "CancelOptIn", NULL, cancel_optin },
    { "IPS_OptInService", "SendOptInCode", code_params, send_optin_code },
    { "AMT_AlarmClockService", "AddAlarm", alarm_params, add_alarm },
    { NULL, NULL, NULL, NULL }
};
