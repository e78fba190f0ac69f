
/* Administration: provisioning state, the admin account. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "sim.h"


static int
unprovision(soap_t *s, node_t *in)
{
    if (method_num(in, "ProvisioningMode") != 1) {
        return 36;
    }

    event0(s->d, "unprovisioned");
    s->drop = 1;

    return 0;
}


static int
commit_changes(soap_t *s, node_t *in)
{
    (void) in;

    event0(s->d, "commit");

    return 0;
}


static int
get_uuid(soap_t *s, node_t *in)
{
    buf_t  b;

    (void) in;

    memset(&b, 0, sizeof(b));
    model_expand(s->d, "%rawguid64%", &b);
    out_text(s, "UUID", buf_cstr(&b));
    buf_free(&b);

    return 0;
}


/* the password itself never comes: HA1 in base64 */

static int
set_admin_acl(soap_t *s, node_t *in)
{
    int        n;
    char       text[48];
    u_char     md[16];
    unsigned   i;
    device_t  *d;

    d = s->d;
    n = base64_decode(md, sizeof(md), method_arg(in, "DigestPassword"));

    if (n != 16) {
        return 2054;
    }

    if (strcmp(method_arg(in, "Username"), "admin") != 0) {
        return 12;
    }

    strcpy(text, "ha1:");

    for (i = 0; i < 16; i++) {
        snprintf(text + 4 + 2 * i, 3, "%02x", md[i]);
    }

    free(d->amt_password);
    d->amt_password = xstrdup(text);

    /* every session has to log in again */

    free(d->nonces);
    d->nonces = NULL;

    event0(d, "password_changed");

    return 0;
}


/* strong: a lower, an upper, a digit, a special one, nothing odd */

static int
mebx_strong(const char *s)
{
    size_t    n;
    unsigned  seen;

    seen = 0;

    for (n = 0; s[n]; n++) {

        if (s[n] <= ' ' || s[n] > '~' || s[n] == '"') {
            return 0;
        }

        seen |= s[n] >= 'a' && s[n] <= 'z' ? 1
                : s[n] >= 'A' && s[n] <= 'Z' ? 2
                : s[n] >= '0' && s[n] <= '9' ? 4 : s[n] == '_' ? 0 : 8;
    }

    return n >= 8 && n <= 32 && seen == 15;
}


static int
set_mebx_password(soap_t *s, node_t *in)
{
    if (strcmp(opt.control_mode, "client") == 0) {
        return 16;
    }

    if (!mebx_strong(method_arg(in, "Password"))) {
        return 2054;
    }

    free(s->d->mebx_password);
    s->d->mebx_password = xstrdup(method_arg(in, "Password"));

    event0(s->d, "mebx_password");

    return 0;
}


static int
get_time(soap_t *s, node_t *in)
{
    char  text[24];

    (void) in;

    snprintf(text, sizeof(text), "%lld",
             (long long) time(NULL) + s->d->clock_offset);
    out_text(s, "Ta0", text);

    return 0;
}


static int
set_time(soap_t *s, node_t *in)
{
    long  ta0, tm1, tm2;

    ta0 = method_num(in, "Ta0");
    tm1 = method_num(in, "Tm1");
    tm2 = method_num(in, "Tm2");

    if (tm2 < tm1) {
        return 36;
    }

    s->d->clock_offset += (int) ((tm1 + tm2) / 2 - ta0);
    event(s->d, "clock", "\"offset\":%d", s->d->clock_offset);

    return 0;
}


/* a device that has a tunnel is provisioned: set-up is over */

static int
set_up(soap_t *s, node_t *in)
{
    (void) s;
    (void) in;

    return 2;
}


static int
add_next_cert(soap_t *s, node_t *in)
{
    (void) s;
    (void) in;

    return 3;
}


static const param_t  unprovision_params[] = {
    { "ProvisioningMode", T_U32, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  acl_params[] = {
    { "Username", T_STR, F_MUST, 16 },
    { "DigestPassword", T_B64, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  mebx_params[] = {
    { "Password", T_STR, F_MUST, 32 },
    { NULL, 0, 0, 0 }
};

static const param_t  time_params[] = {
    { "Ta0", T_U32, F_MUST, 0 },
    { "Tm1", T_U32, F_MUST, 0 },
    { "Tm2", T_U32, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  setup_params[] = {
    { "NetAdminPassEncryptionType", T_U8, F_MUST, 2 },
    { "NetworkAdminPassword", T_STR, F_MUST, 32 },
    { "McNonce", T_B64, 0, 0 },
    { "SigningAlgorithm", T_U8, 0, 3 },
    { "DigitalSignature", T_B64, 0, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  upgrade_params[] = {
    { "McNonce", T_B64, F_MUST, 0 },
    { "SigningAlgorithm", T_U8, F_MUST, 3 },
    { "DigitalSignature", T_B64, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  chain_params[] = {
    { "NextCertificate", T_B64, F_MUST, 0 },
    { "IsLeafCertificate", T_BOOL, F_MUST, 0 },
    { "IsRootCertificate", T_BOOL, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

const method_t  admin_methods[] = {
    { "AMT_SetupAndConfigurationService", "SetMEBxPassword", mebx_params,
      set_mebx_password },
    { "AMT_TimeSynchronizationService", "GetLowAccuracyTimeSynch", NULL,
      get_time },
    { "AMT_TimeSynchronizationService", "SetHighAccuracyTimeSynch",
      time_params, set_time },
    { "IPS_HostBasedSetupService", "Setup", setup_params, set_up },
    { "IPS_HostBasedSetupService", "AdminSetup", setup_params, set_up },
    { "IPS_HostBasedSetupService", "UpgradeClientToAdmin", upgrade_params,
      set_up },
    { "IPS_HostBasedSetupService", "AddNextCertInChain", chain_params,
      add_next_cert },
    { "AMT_SetupAndConfigurationService", "Unprovision", unprovision_params,
      unprovision },
    { "AMT_SetupAndConfigurationService", "CommitChanges", NULL,
      commit_changes },
    { "AMT_SetupAndConfigurationService", "GetUuid", NULL, get_uuid },
    { "AMT_AuthorizationService", "SetAdminAclEntryEx", acl_params,
      set_admin_acl },
    { NULL, NULL, NULL, NULL }
};
