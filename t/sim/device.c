
/* The devices: names, numbers, secrets derived from templates. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


device_t         *devices;
unsigned          ndevices;

static device_t **table;
static unsigned   table_n;


static unsigned
guid_hash(const u_char *guid)
{
    unsigned  i, h;

    for (i = 0, h = 2166136261u; i < 16; i++) {
        h = (h ^ guid[i]) * 16777619u;
    }

    return h % table_n;
}


void
device_init(void)
{
    int        k;
    u_char     guid[16];
    unsigned   i, h;
    char       err[128];
    device_t  *d;

    if (hex_decode(guid, 16, opt.guid) != 16) {
        fprintf(stderr, "amtsim: --guid \"%s\" is no GUID\n", opt.guid);
        exit(2);
    }

    ndevices = opt.count;
    devices = xalloc(ndevices * sizeof(device_t));
    table_n = 2 * ndevices + 1;
    table = xalloc(table_n * sizeof(device_t *));

    for (i = 0; i < ndevices; i++) {
        d = &devices[i];
        d->ev.fd = -1;
        d->index = i;
        d->power = (uint8_t) opt.power_state;
        d->os_power = 2;
        logs_init(d);
        memcpy(d->guid, guid, 16);

        h = guid_hash(guid);
        d->hash = table[h];
        table[h] = d;

        if (opt.misbehave
            && mis_set(d, opt.misbehave, err, sizeof(err)) != 0)
        {
            fprintf(stderr, "amtsim: %s\n", err);
            exit(2);
        }

        for (k = 15; k >= 0 && ++guid[k] == 0; k--) { /* void */ }
    }
}


device_t *
device_find(const char *text)
{
    u_char     guid[16];
    device_t  *d;
    unsigned   n;

    if (text[0] == '#') {
        n = (unsigned) atoi(text + 1);
        return n < ndevices ? &devices[n] : NULL;
    }

    if (hex_decode(guid, 16, text) != 16) {
        return NULL;
    }

    for (d = table[guid_hash(guid)]; d; d = d->hash) {
        if (memcmp(d->guid, guid, 16) == 0) {
            return d;
        }
    }

    return NULL;
}


const char *
device_guid(device_t *d)
{
    u_char       *g;
    static char   text[37];

    g = d->guid;

    snprintf(text, sizeof(text),
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
             "%02x%02x%02x%02x%02x%02x",
             g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7], g[8], g[9],
             g[10], g[11], g[12], g[13], g[14], g[15]);

    return text;
}


/* SMBIOS order: the first three groups are little-endian */

void
device_raw_guid(device_t *d, u_char raw[16])
{
    static const u_char  order[16] = {
        3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15
    };
    unsigned  i;

    for (i = 0; i < 16; i++) {
        raw[i] = d->guid[order[i]];
    }
}


/* the realm is stable: made of the GUID */

const char *
device_realm(device_t *d)
{
    char         hex[33];
    unsigned     i;
    static char  realm[48];

    if (opt.realm) {
        return opt.realm;
    }

    md5_hex(hex, d->guid, 16);

    for (i = 0; i < 32; i++) {
        if (hex[i] >= 'a') {
            hex[i] -= 32;
        }
    }

    snprintf(realm, sizeof(realm), "Digest:%s", hex);

    return realm;
}


/* %n number of the device, %g GUID, %% percent; the caller frees */

char *
device_expand(device_t *d, const char *tmpl)
{
    buf_t        b;
    char        *text;
    const char  *p;

    memset(&b, 0, sizeof(b));

    for (p = tmpl; *p; p++) {

        if (*p != '%' || p[1] == '\0') {
            buf_u8(&b, (u_char) *p);
            continue;
        }

        switch (*++p) {

        case 'n':
            buf_fmt(&b, "%u", d->index);
            break;

        case 'g':
            buf_str(&b, device_guid(d));
            break;

        default:
            buf_u8(&b, (u_char) *p);
        }
    }

    text = xstrdup(buf_cstr(&b));
    buf_free(&b);

    return text;
}


void
device_ha1(device_t *d, const char *user, char ha1[33])
{
    buf_t   b;
    char   *password;

    memset(&b, 0, sizeof(b));

    password = d->amt_password ? xstrdup(d->amt_password)
                               : device_expand(d, opt.amt_password);

    /* HA1 itself may have been set, as SetAdminAclEntryEx does */

    if (strncmp(password, "ha1:", 4) == 0) {
        snprintf(ha1, 33, "%s", password + 4);

    } else {
        buf_fmt(&b, "%s:%s:%s", user, device_realm(d), password);
        md5_hex(ha1, buf_head(&b), buf_left(&b));
    }

    buf_free(&b);
    free(password);
}


const char *
device_state(device_t *d)
{
    static const char  *names[] = {
        "idle", "queued", "connecting", "handshake", "auth", "probe",
        "userauth", "pfwd", "forward", "ready", "vanished"
    };

    return names[d->state];
}
