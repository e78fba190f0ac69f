
/* Power of the managed system, and the power saving of its OS. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


enum { P_ON = 2, P_SLEEP = 4, P_HIBERNATE = 7, P_OFF = 8 };


static void power_done(tmr_t *t);


void
power_set(device_t *d, unsigned state)
{
    if (d->power == state) {
        return;
    }

    d->power = (uint8_t) state;
    event(d, "power", "\"state\":%u", state);
}


/* the state a request leads to; 0: not possible from this state */

static unsigned
power_target(device_t *d, unsigned request)
{
    switch (request) {

    case 2:
        return P_ON;

    case 3:
    case 4:
        return d->power == P_ON ? request : 0;

    case 7:
        return d->power == P_ON ? P_HIBERNATE : 0;

    case 6:
    case 8:
    case 12:
    case 13:
        return d->power == P_ON || d->power < 6
               ? (request == 6 || request == 13 ? 6 : P_OFF) : 0;

    case 5:
    case 9:
    case 10:
    case 14:
    case 15:
    case 16:
        return d->power == P_ON || d->power < 6 ? P_ON : 0;

    case 11:
    case 17:
        return d->power == P_ON ? P_ON : 0;
    }

    return 0;
}


/* a managed system, as the parameter ManagedElement names it? */

static int
managed_system(node_t *in)
{
    int    ok;
    char  *text;

    text = epr_text(xml_child(in, NULL, "ManagedElement"));
    ok = text && strncmp(text, "@CIM_ComputerSystem ", 20) == 0
         && strstr(text, "Name=ManagedSystem") != NULL;

    free(text);

    return ok;
}


static int
power_request(soap_t *s, node_t *in)
{
    long       request;
    device_t  *d;

    d = s->d;
    request = method_num(in, "PowerState");

    if (request < 2 || request > 17 || !managed_system(in)) {
        return 5;
    }

    if (d->power_timer.heap) {
        return 4099;
    }

    /* these need the host's agent */

    if (opt.no_lms && (request == 4 || request == 7 || request == 12
                       || request == 14))
    {
        return 2;
    }

    if (power_target(d, (unsigned) request) == 0) {
        return 4097;
    }

    event(d, "power_request", "\"request\":%ld,\"from\":%u", request,
          d->power);

    d->power_request = (uint8_t) request;
    tmr_set(&d->power_timer, opt.power_delay, power_done, d);

    if (opt.power_drop) {
        s->drop = 1;
    }

    return 0;
}


static void
power_done(tmr_t *t)
{
    unsigned   was, state;
    device_t  *d;

    d = t->data;
    was = d->power;
    state = power_target(d, d->power_request);

    switch (d->power_request) {

    case 2:
        if (was == P_ON) {
            break;
        }

        if (was == P_OFF || was == 6 || was == P_HIBERNATE) {
            boot_apply(d, d->power_request);
        }

        break;

    case 5:
    case 9:
    case 10:
    case 14:
    case 15:
    case 16:
        boot_apply(d, d->power_request);
        break;
    }

    d->power_request = 0;

    if (state) {
        power_set(d, state);
    }
}


static int
os_power_request(soap_t *s, node_t *in)
{
    long       state;
    device_t  *d;

    d = s->d;
    state = method_num(in, "OSPowerSavingState");

    if ((state != 2 && state != 3) || !managed_system(in)) {
        return 5;
    }

    if (d->os_power == 1) {
        return 1;
    }

    if (d->power != P_ON) {
        return 4097;
    }

    if (d->os_power != state) {
        d->os_power = (uint8_t) state;
        event(d, "os_power", "\"state\":%ld", state);
    }

    return 0;
}


static const param_t  power_params[] = {
    { "PowerState", T_U16, F_MUST, 0 },
    { "ManagedElement", T_EPR, F_MUST, 0 },
    { "Time", T_DT, 0, 0 },
    { "TimeoutPeriod", T_DT, 0, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  os_power_params[] = {
    { "OSPowerSavingState", T_U16, F_MUST, 0 },
    { "ManagedElement", T_EPR, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

const method_t  power_methods[] = {
    { "CIM_PowerManagementService", "RequestPowerStateChange", power_params,
      power_request },
    { "IPS_PowerManagementService", "RequestOSPowerSavingStateChange",
      os_power_params, os_power_request },
    { NULL, NULL, NULL, NULL }
};
