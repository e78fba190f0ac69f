
/* Audit log and event log: records of every kind, made when asked for. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


#define AUDIT_TIME   0x66362c00u      /* 2024-05-04T12:40:00Z */
#define EVENT_MAX    390
#define AUDIT_PAGE   10
#define AUDIT_KINDS  (sizeof(audit) / sizeof(audit[0]))


/* application, event, initiator (0 user, 1 Kerberos, 2 local), data in hex */

static const struct {
    unsigned     app;
    unsigned     event;
    unsigned     initiator;
    const char  *data;
} audit[] = {
    { 16, 0, 2, "" },
    { 16, 1, 2, "02 00 00 00 00" },
    { 16, 2, 0, "00 05 61646d696e" },
    { 16, 5, 0, "00" },
    { 16, 7, 0, "01 00" },
    { 16, 19, 0, "04" },
    { 17, 0, 0, "00 0000 0000 0000" },
    { 17, 1, 0, "" },
    { 17, 2, 0, "01 0000 0000 0000" },
    { 17, 3, 1, "05 0000 0000 0000" },
    { 17, 9, 0, "" },
    { 18, 0, 0, "" },
    { 18, 4, 0, "" },
    { 18, 8, 0, "" },
    { 18, 12, 2, "" },
    { 19, 0, 2, "000c 0000 0028 0599 000c 0000 0024 0594" },
    { 20, 0, 0, "" },
    { 20, 5, 2, "01" },
    { 21, 0, 0, "66362c00" },
    { 22, 0, 0, "00000000 01 c0000263 ffffff00 c0000201 c0000201 00000000" },
    { 22, 1, 0, "05 616d742d30" },
    { 22, 3, 0, "00000000 0007" },
    { 24, 3, 0, "01" },
    { 25, 1, 0, "00000001" },
    { 26, 1, 0, "00112233445566778899aabbccddeeff" },
    { 27, 4, 0, "0000012c 00000001" },
    { 28, 1, 0, "" },
    { 29, 3, 2, "" },
    { 29, 4, 2, "" },
    { 30, 0, 0, "00 ff" },
    { 30, 1, 0, "00" },
    { 32, 0, 2, "" },
};


void
logs_init(device_t *d)
{
    d->audit_records = AUDIT_KINDS;
    d->audit_page = AUDIT_PAGE;
    d->event_records = EVENT_MAX;
    d->event_page = EVENT_MAX;
}


int
logs_set(device_t *d, const char *key, const char *value)
{
    long     n;
    char   **hex;

    hex = strcmp(key, "audit-hex") == 0 ? &d->audit_hex
          : strcmp(key, "event-hex") == 0 ? &d->event_hex : NULL;

    if (hex) {
        free(*hex);
        *hex = xstrdup(value);
        return 0;
    }

    n = strtol(value, NULL, 10);

    if (n < 0 || n > 60000) {
        return -1;
    }

    if (strcmp(key, "audit-records") == 0) {
        d->audit_records = (uint16_t) n;

    } else if (strcmp(key, "audit-page") == 0 && n) {
        d->audit_page = (uint16_t) n;

    } else if (strcmp(key, "event-records") == 0 && n <= EVENT_MAX) {
        d->event_records = (uint16_t) n;

    } else if (strcmp(key, "event-page") == 0 && n) {
        d->event_page = (uint16_t) n;

    } else {
        return -1;
    }

    return 0;
}


/* a record as the test has it, -1: it has none */

static int
hex_record(buf_t *b, const char *hex)
{
    int     len;
    u_char  data[512];

    if (hex == NULL) {
        return -1;
    }

    len = hex_decode(data, sizeof(data), hex);
    buf_add(b, data, len > 0 ? len : 0);

    return 0;
}


static void
audit_record(buf_t *b, unsigned n)
{
    int       len;
    u_char    data[64];
    unsigned  at;

    at = n;
    n %= AUDIT_KINDS;

    buf_u8(b, audit[n].app >> 8);
    buf_u8(b, audit[n].app & 0xff);
    buf_u8(b, audit[n].event >> 8);
    buf_u8(b, audit[n].event & 0xff);
    buf_u8(b, audit[n].initiator);

    if (audit[n].initiator == 0) {
        buf_u8(b, 5);
        buf_str(b, "admin");

    } else if (audit[n].initiator == 1) {
        buf_u32(b, 500);
        buf_u8(b, 20);
        buf_u8(b, 1);
        buf_add(b, "\x03\0\0\0\0\0\x05", 7);
        buf_u32le(b, 21);
        buf_u32le(b, 1000);
        buf_u32le(b, 2000);
    }

    buf_u32(b, AUDIT_TIME + at * 60);

    if (audit[n].initiator == 2) {
        buf_u8(b, 2);
        buf_u8(b, 0);

    } else {
        buf_u8(b, 0);
        buf_u8(b, 12);
        buf_str(b, "192.0.2.1:16");
    }

    len = hex_decode(data, sizeof(data), audit[n].data);
    buf_u8(b, (unsigned) len);
    buf_add(b, data, len);
}


static int
read_records(soap_t *s, node_t *in)
{
    long      start, n;
    char      text[24];
    buf_t     raw, b64;

    start = method_num(in, "StartIndex");

    if (start < 1 || start > (long) s->d->audit_records) {
        return 35;
    }

    n = (long) s->d->audit_records - start + 1;
    if (n > s->d->audit_page) {
        n = s->d->audit_page;
    }

    snprintf(text, sizeof(text), "%u", s->d->audit_records);
    out_text(s, "TotalRecordCount", text);
    snprintf(text, sizeof(text), "%ld", n);
    out_text(s, "RecordsReturned", text);

    for (start--; n; n--, start++) {
        memset(&raw, 0, sizeof(raw));
        memset(&b64, 0, sizeof(b64));

        if (start + 1 < s->d->audit_records
            || hex_record(&raw, s->d->audit_hex) != 0)
        {
            audit_record(&raw, (unsigned) start);
        }

        base64(&b64, buf_head(&raw), buf_left(&raw));
        out_text(s, "EventRecords", buf_cstr(&b64));
        buf_free(&raw);
        buf_free(&b64);
    }

    return 0;
}


static int
position_to_first(soap_t *s, node_t *in)
{
    (void) in;

    if (s->d->event_records == 0) {
        return 2;
    }

    out_text(s, "IterationIdentifier", "1");

    return 0;
}


/* newest first; sensor, offset, severity, entity, data */

static void
event_record(buf_t *b, unsigned n)
{
    static const struct {
        u_char  sensor;
        u_char  offset;
        u_char  severity;
        u_char  entity;
        u_char  data[8];
    } kinds[] = {
        { 15, 2, 1, 34, { 64, 19 } },
        { 15, 2, 1, 34, { 64, 1 } },
        { 15, 2, 1, 34, { 64, 9 } },
        { 6, 5, 16, 38, { 170, 10 } },
        { 30, 0, 16, 34, { 64 } },
        { 18, 0, 2, 33, { 170, 0x33, 0x22, 0x11, 0, 0x55, 0x44, 2 } },
        { 37, 0, 1, 34, { 64 } },
        { 15, 0, 16, 34, { 64, 3 } },
        { 15, 0, 8, 34, { 235 } },
        { 32, 0, 16, 33, { 64 } },
        { 35, 0, 16, 34, { 64 } },
        { 99, 1, 0, 7, { 1, 2, 3 } },
    };
    unsigned  k;

    k = n % (sizeof(kinds) / sizeof(kinds[0]));

    /* one record in the log has no time */

    buf_u32le(b, n == 20 ? 0xffffffff : AUDIT_TIME - n * 600);
    buf_u8(b, 255);
    buf_u8(b, kinds[k].sensor);
    buf_u8(b, 111);
    buf_u8(b, kinds[k].offset);
    buf_u8(b, 104);
    buf_u8(b, kinds[k].severity);
    buf_u8(b, 255);
    buf_u8(b, kinds[k].entity);
    buf_u8(b, 1);
    buf_add(b, kinds[k].data, 8);
}


static int
get_records(soap_t *s, node_t *in)
{
    long      at, max, n;
    char      text[24];
    buf_t     raw, b64;

    at = method_num(in, "IterationIdentifier");
    max = method_num(in, "MaxReadRecords");

    if (at < 1 || at > s->d->event_records || max < 1) {
        return 2;
    }

    n = s->d->event_records - at + 1 < max ? s->d->event_records - at + 1
                                           : max;
    if (n > s->d->event_page) {
        n = s->d->event_page;
    }

    snprintf(text, sizeof(text), "%ld", at + n);
    out_text(s, "IterationIdentifier", text);
    out_text(s, "NoMoreRecords",
             at + n > s->d->event_records ? "true" : "false");

    for (at--; n; n--, at++) {
        memset(&raw, 0, sizeof(raw));
        memset(&b64, 0, sizeof(b64));

        if (at || hex_record(&raw, s->d->event_hex) != 0) {
            event_record(&raw, (unsigned) at);
        }

        base64(&b64, buf_head(&raw), buf_left(&raw));
        out_text(s, "RecordArray", buf_cstr(&b64));
        buf_free(&raw);
        buf_free(&b64);
    }

    return 0;
}


static const param_t  audit_params[] = {
    { "StartIndex", T_U32, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

static const param_t  event_params[] = {
    { "IterationIdentifier", T_U32, F_MUST, 0 },
    { "MaxReadRecords", T_U32, F_MUST, 0 },
    { NULL, 0, 0, 0 }
};

const method_t  log_methods[] = {
    { "AMT_AuditLog", "ReadRecords", audit_params, read_records },
    { "AMT_MessageLog", "PositionToFirstRecord", NULL, position_to_first },
    { "AMT_MessageLog", "GetRecords", event_params, get_records },
    { NULL, NULL, NULL, NULL }
};
