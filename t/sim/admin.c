
/* Administration: provisioning state, the admin account. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

    if (method_arg(in, "Username")[0] == '\0') {
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


static const param_t  unprovision_params[] = {
    { "ProvisioningMode", T_U32, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  acl_params[] = {
    { "Username", T_STR, F_MUST, 16 },
    { "DigestPassword", T_B64, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

const method_t  admin_methods[] = {
    { "AMT_SetupAndConfigurationService", "Unprovision", unprovision_params,
      unprovision },
    { "AMT_SetupAndConfigurationService", "CommitChanges", NULL,
      commit_changes },
    { "AMT_SetupAndConfigurationService", "GetUuid", NULL, get_uuid },
    { "AMT_AuthorizationService", "SetAdminAclEntryEx", acl_params,
      set_admin_acl },
    { NULL, NULL, NULL, NULL }
};
