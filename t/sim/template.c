
/* %name% in the data files: values that are the device's own. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


static int
client_mode(void)
{
    return strcmp(opt.control_mode, "client") == 0;
}


/* "16.1.25" of "16.1.25.2124", the build number is what follows */

static const char *
version_end(void)
{
    unsigned     k;
    const char  *p;

    for (p = opt.version, k = 0; *p; p++) {
        if (*p == '.' && ++k == 3) {
            break;
        }
    }

    return p;
}


static void
t_version(device_t *d, buf_t *b)
{
    (void) d;
    buf_add(b, opt.version, version_end() - opt.version);
}


static void
t_build(device_t *d, buf_t *b)
{
    (void) d;
    buf_str(b, *version_end() ? version_end() + 1 : "0");
}


static void
t_realm(device_t *d, buf_t *b)
{
    buf_str(b, device_realm(d));
}


static void
t_hostname(device_t *d, buf_t *b)
{
    char  *text;

    text = device_expand(d, opt.hostname);
    buf_str(b, text);
    free(text);
}


static void
t_guid(device_t *d, buf_t *b)
{
    buf_str(b, device_guid(d));
}


static void
t_rawguid(device_t *d, buf_t *b)
{
    u_char    raw[16];
    unsigned  k;

    device_raw_guid(d, raw);

    for (k = 0; k < 16; k++) {
        buf_fmt(b, "%02X", raw[k]);
    }
}


static void
t_rawguid64(device_t *d, buf_t *b)
{
    u_char  raw[16];

    device_raw_guid(d, raw);
    base64(b, raw, 16);
}


static void
t_mac(device_t *d, buf_t *b)
{
    buf_fmt(b, "02-a5-70-%02x-%02x-%02x", d->guid[13], d->guid[14],
            d->guid[15]);
}


static void
t_wifimac(device_t *d, buf_t *b)
{
    buf_fmt(b, "02A571%02X%02X%02X", d->guid[13], d->guid[14], d->guid[15]);
}


static void
t_serial(device_t *d, buf_t *b)
{
    buf_fmt(b, "SN%08u", d->index);
}


static void
t_power(device_t *d, buf_t *b)
{
    buf_fmt(b, "%u", d->power);
}


static void
t_powerstates(device_t *d, buf_t *b)
{
    buf_str(b, d->power == 2 ? "10|8|5|11|4|7|14|12" : "2");
}


static void
t_ospower(device_t *d, buf_t *b)
{
    buf_fmt(b, "%u", d->os_power);
}


static void
t_provisioningmode(device_t *d, buf_t *b)
{
    (void) d;
    buf_str(b, client_mode() ? "4" : "1");
}


static void
t_controlmode(device_t *d, buf_t *b)
{
    (void) d;
    buf_str(b, client_mode() ? "1" : "2");
}


static void
t_optinpolicy(device_t *d, buf_t *b)
{
    (void) d;
    buf_str(b, client_mode() ? "0" : "1");
}


static void
t_optinrequired(device_t *d, buf_t *b)
{
    (void) d;
    buf_str(b, client_mode() ? "4294967295" : "0");
}


/* a nonce for host based set-up: 20 bytes that belong to the device */

static void
t_nonce(device_t *d, buf_t *b)
{
    base64(b, d->guid, 16);
    b->len -= 4;                      /* "xx==" */
    base64(b, (u_char *) "\x5a\x5a\x5a\x5a\x5a", 5);
}


static void
t_auditcount(device_t *d, buf_t *b)
{
    buf_fmt(b, "%u", d->audit_records);
}


static void
t_eventcount(device_t *d, buf_t *b)
{
    buf_fmt(b, "%u", d->event_records);
}


static const struct {
    const char  *name;
    void       (*handler)(device_t *d, buf_t *b);
} table[] = {
    { "%version%", t_version }, { "%build%", t_build },
    { "%realm%", t_realm }, { "%hostname%", t_hostname },
    { "%guid%", t_guid }, { "%rawguid%", t_rawguid },
    { "%rawguid64%", t_rawguid64 }, { "%mac%", t_mac },
    { "%wifimac%", t_wifimac }, { "%serial%", t_serial },
    { "%power%", t_power }, { "%powerstates%", t_powerstates },
    { "%ospower%", t_ospower },
    { "%provisioningmode%", t_provisioningmode },
    { "%controlmode%", t_controlmode },
    { "%optinpolicy%", t_optinpolicy },
    { "%optinrequired%", t_optinrequired }, { "%nonce%", t_nonce },
    { "%auditcount%", t_auditcount }, { "%eventcount%", t_eventcount },
    { NULL, NULL }
};


/* what a template stands for on this device; into b */

void
model_expand(device_t *d, const char *name, buf_t *b)
{
    unsigned  i;

    for (i = 0; table[i].name; i++) {
        if (strcmp(table[i].name, name) == 0) {
            table[i].handler(d, b);
            return;
        }
    }

    buf_str(b, name);
}
