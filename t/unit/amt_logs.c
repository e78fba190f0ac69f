
/*
 * Audit log and event log: every kind of record, the tables complete, paging;
 * records cut at every byte; dates and durations.
 */


#include "wsman_unit.h"
#include "amt/ngx_amt_audit_log.h"
#include "amt/ngx_amt_audit_record.h"
#include "amt/ngx_amt_datetime.h"
#include "amt/ngx_amt_event_log.h"
#include "amt/ngx_amt_event_record.h"


static ngx_pool_t  *pool;


/* The value as compact JSON; frees it. */

static char *
text_of(json_t *json)
{
    static char  buf[65536];
    char        *s;

    if (json == NULL) {
        return "(none)";
    }

    s = json_dumps(json, JSON_COMPACT|JSON_ENCODE_ANY|JSON_ENSURE_ASCII);
    snprintf(buf, sizeof(buf), "%s", s);
    free(s);
    json_decref(json);

    return buf;
}


/* What was written, as text. */

static char *
written(ngx_amt_out_t *o)
{
    ngx_str_t  text;

    if (ngx_amt_out_done(o, &text) != NGX_OK) {
        return "(no memory)";
    }

    ngx_amt_out_raw(o, "", 1);
    (void) ngx_amt_out_done(o, &text);

    return (char *) text.data;
}


static ngx_str_t
from_hex(const char *hex)
{
    int        n;
    unsigned   byte;
    ngx_str_t  s;

    s.data = ngx_pnalloc(pool, strlen(hex) / 2 + 1);
    s.len = 0;

    while (sscanf(hex, " %2x%n", &byte, &n) == 1) {
        s.data[s.len++] = (u_char) byte;
        hex += n;
    }

    return s;
}


static void
audit_is(const char *hex, const char *want, const char *name)
{
    char       *got;
    json_t     *json;
    ngx_str_t   raw;

    raw = from_hex(hex);
    json = NULL;

    if (ngx_amt_audit_record(&raw, &json) == NGX_ERROR) {
        ok(0, "%s: no memory", name);
        return;
    }

    got = text_of(json);

    if (!ok(strcmp(got, want) == 0, "%s", name)) {
        printf("#  got %s\n# want %s\n", got, want);
    }
}


static void
audit_base64(const char *base64, const char *want, const char *name)
{
    char       *got;
    json_t     *json;
    ngx_str_t   s;

    s = unit_str(base64);

    if (ngx_amt_audit_record_base64(&s, pool, &json) == NGX_ERROR) {
        ok(0, "%s: no memory", name);
        return;
    }

    got = text_of(json);

    if (!ok(strcmp(got, want) == 0, "%s", name)) {
        printf("#  got %s\n# want %s\n", got, want);
    }
}


static void
records(void)
{
    audit_base64("ABMAAAI/9M1uAgAQAAwAAAAoBZkADAAAACQFlA==",
        "{\"AuditAppID\":19,\"EventID\":0,\"InitiatorType\":2,"
        "\"AuditApp\":\"Firmware Update Manager\","
        "\"Event\":\"Firmware Updated\",\"Initiator\":\"Local\","
        "\"Time\":\"2004-01-02T01:46:22.000Z\",\"MCLocationType\":2,"
        "\"NetAddress\":\"\","
        "\"Ex\":\"\\u0000\\f\\u0000\\u0000\\u0000(\\u0005\\u0099\\u0000\\f"
        "\\u0000\\u0000\\u0000$\\u0005\\u0094\","
        "\"ExStr\":\"From 12.0.40.1433 to 12.0.36.1428\"}",
        "the known record");

    audit_is("0010 0013 02 5efa4c6d 02 00 01 02",
        "{\"AuditAppID\":16,\"EventID\":19,\"InitiatorType\":2,"
        "\"AuditApp\":\"Security Admin\","
        "\"Event\":\"Unprovisioning Started\",\"Initiator\":\"Local\","
        "\"Time\":\"2020-06-29T20:17:49.000Z\",\"MCLocationType\":2,"
        "\"NetAddress\":\"\",\"Ex\":\"\\u0002\",\"ExStr\":\"Local MEI\"}",
        "a local one");

    audit_is("0011 0001 00 05 61646d696e 00000000 00 09 3139322e302e322e37 "
        "00",
        "{\"AuditAppID\":17,\"EventID\":1,\"InitiatorType\":0,"
        "\"AuditApp\":\"RCO\",\"Event\":\"Performed Power Down\","
        "\"Initiator\":\"admin\",\"Time\":\"1970-01-01T00:00:00.000Z\","
        "\"MCLocationType\":0,\"NetAddress\":\"192.0.2.7\",\"Ex\":\"\","
        "\"ExStr\":null}",
        "HTTP digest");

    audit_is("0012 0008 01 000001f4 1c 0105000000000005 15000000 e8030000 "
        "d0070000 ffffffff 01000000 ffffffff 01 27 "
        "303030303a303030303a303030303a303030303a303030303a303030303a30303030"
        "3a30303031 01 ff",
        "{\"AuditAppID\":18,\"EventID\":8,\"InitiatorType\":1,"
        "\"AuditApp\":\"Redirection Manager\","
        "\"Event\":\"KVM Session Started\","
        "\"Initiator\":\"S-1-5-21-1000-2000-4294967295-1\","
        "\"Time\":\"2106-02-07T06:28:15.000Z\",\"MCLocationType\":1,"
        "\"NetAddress\":\"::1\",\"Ex\":\"\\u00FF\",\"ExStr\":null}",
        "Kerberos, the loopback address, the last second");

    audit_is("0063 0007 03 00000001 02 00 00",
        "{\"AuditAppID\":99,\"EventID\":7,\"InitiatorType\":3,"
        "\"Event\":\"#7\",\"Initiator\":\"KVM Default Port\","
        "\"Time\":\"1970-01-01T00:00:01.000Z\",\"MCLocationType\":2,"
        "\"NetAddress\":\"\",\"Ex\":\"\",\"ExStr\":null}",
        "KVM port, unknown application");

    audit_is("0010 0064 02 00000001 02 00 00",
        "{\"AuditAppID\":16,\"EventID\":100,\"InitiatorType\":2,"
        "\"AuditApp\":\"Security Admin\",\"Event\":\"#100\","
        "\"Initiator\":\"Local\",\"Time\":\"1970-01-01T00:00:01.000Z\","
        "\"MCLocationType\":2,\"NetAddress\":\"\",\"Ex\":\"\","
        "\"ExStr\":null}",
        "event 100 does not become another application's");

    audit_is("0010 0000 04 00000001 02 00 00",
        "{\"AuditAppID\":16,\"EventID\":0,\"InitiatorType\":4,"
        "\"AuditApp\":\"Security Admin\",\"Event\":\"Provisioning Started\","
        "\"Initiator\":\"\"}",
        "unknown initiator: nothing behind it");

    audit_is("0010 0000 00 02 c3e9 00000001 02 00 00",
        "{\"AuditAppID\":16,\"EventID\":0,\"InitiatorType\":0,"
        "\"AuditApp\":\"Security Admin\",\"Event\":\"Provisioning Started\","
        "\"Initiator\":\"\\u00C3\\u00E9\","
        "\"Time\":\"1970-01-01T00:00:01.000Z\","
        "\"MCLocationType\":2,\"NetAddress\":\"\",\"Ex\":\"\","
        "\"ExStr\":null}",
        "bytes are code points");

    audit_is("0010 0000 01 00000000 07 01020304050607 00000001 02 00 00",
        "{\"AuditAppID\":16,\"EventID\":0,\"InitiatorType\":1,"
        "\"AuditApp\":\"Security Admin\",\"Event\":\"Provisioning Started\","
        "\"Initiator\":\"\",\"Time\":\"1970-01-01T00:00:01.000Z\","
        "\"MCLocationType\":2,\"NetAddress\":\"\",\"Ex\":\"\","
        "\"ExStr\":null}",
        "a SID that is too short");

    audit_is("0010 0000", "(none)", "four bytes are none");
    audit_is("", "(none)", "nor is nothing");
    audit_base64("", "(none)", "nor base64 of it");
    audit_base64("ABM?", "(none)", "nor what is not base64");
}


/* Every record cut at every byte: under the sanitizers, on the heap. */

static void
cut(void)
{
    int         good;
    u_char     *copy;
    size_t      i, n;
    json_t     *json;
    ngx_str_t   raw, s;

    static const char  *texts[] = {
        "0010 0002 00 05 61646d696e 00000001 00 02 3a31 03 00 01 61",
        "0010 0003 00 00 00000001 02 00 05 01 00 02 6162",
        "0010 0006 01 00000000 08 0101000000000005 00000001 02 00 04 "
            "01 00 01 61",
        "0010 0011 02 00000001 02 00 05 00000005 01",
        "0013 0000 02 00000001 02 00 10 000c000000280599000c000000240594",
        "0015 0000 03 00000001 02 00 04 5efa3f62",
        NULL
    };

    for (i = 0; texts[i]; i++) {

        raw = from_hex(texts[i]);
        good = 1;

        for (n = 0; n <= raw.len; n++) {
            copy = malloc(n ? n : 1);
            memcpy(copy, raw.data, n);
            s.data = copy;
            s.len = n;

            good &= ngx_amt_audit_record(&s, &json)
                    == (n < 5 ? NGX_DECLINED : NGX_OK);
            good &= n < raw.len || json_object_get(json, "ExStr") != NULL;

            json_decref(json);
            free(copy);
        }

        ok(good, "record %d cut at every byte", (int) i);
    }
}


static void
extended_is(unsigned key, const char *hex, const char *want)
{
    char       *got;
    json_t     *json;
    ngx_str_t   data;

    data = from_hex(hex);

    if (ngx_amt_audit_extended(key / 100, key % 100, &data, &json)
        != NGX_OK)
    {
        ok(0, "%u: no memory", key);
        return;
    }

    got = text_of(json);

    if (!ok(strcmp(got, want) == 0, "%u %s: %s", key, hex, want)) {
        printf("# got %s\n", got);
    }
}


static void
extended(void)
{
    extended_is(1600, "", "null");
    extended_is(1602, "00 05 61646d696e", "\"admin\"");
    extended_is(1602, "00 05 6164", "\"ad\"");
    extended_is(1602, "00 00", "\"\"");
    extended_is(1602, "01 05 61646d696e", "(none)");
    extended_is(1602, "00", "(none)");
    extended_is(1603, "03 00 02 6162", "\"ab\"");
    extended_is(1603, "03 01 02 6162", "(none)");
    extended_is(1603, "", "(none)");
    extended_is(1604, "00 01 fc", "\"\\u00FC\"");
    extended_is(1605, "00", "\"Invalid ME access\"");
    extended_is(1605, "01", "\"Invalid MEBx access\"");
    extended_is(1605, "02", "(none)");
    extended_is(1605, "", "(none)");
    extended_is(1606, "00", "\"Disabled\"");
    extended_is(1606, "01 00 03 626f62", "\"Enabled, bob\"");
    extended_is(1606, "00 00 03 626f62", "\"Disabled, bob\"");
    extended_is(1606, "01 01 03 626f62", "\"Enabled\"");
    extended_is(1606, "02", "(none)");
    extended_is(1607, "01 00", "\"Remote ServerAuth, Local NoAuth\"");
    extended_is(1607, "02 01", "\"Remote MutualAuth, Local ServerAuth\"");
    extended_is(1607, "03 01", "\"Remote Unknown, Local ServerAuth\"");
    extended_is(1607, "03", "(none)");
    extended_is(1617, "00000005 01", "\"Remote Control, Auth\"");
    extended_is(1617, "00000018 02", "\"Local System, Disabled\"");
    extended_is(1617, "00000000 00", "\", NoAuth\"");
    extended_is(1617, "ffffffff 09", "\"Unknown, Unknown\"");
    extended_is(1617, "00000005", "(none)");
    extended_is(1619, "00", "\"BIOS\"");
    extended_is(1619, "01", "\"MEBx\"");
    extended_is(1619, "02", "\"Local MEI\"");
    extended_is(1619, "03", "\"Local WSMAN\"");
    extended_is(1619, "04", "\"Remote WSMAN\"");
    extended_is(1619, "05", "(none)");
    extended_is(1900, "ffff 0000 0001 0002 0003 0004 0005 0006",
                "\"From 65535.0.1.2 to 3.4.5.6\"");
    extended_is(1900, "000c", "(none)");
    extended_is(2100, "5efa4142", "\"6/29/2020, 7:30:10 PM\"");
    extended_is(2100, "00000000", "\"1/1/1970, 12:00:00 AM\"");
    extended_is(2100, "0000a8c0", "\"1/1/1970, 12:00:00 PM\"");
    extended_is(2100, "0000", "(none)");
    extended_is(3000, "00 ff", "\"From None to All\"");
    extended_is(3000, "01 02", "\"From KVM to All\"");
    extended_is(3000, "03 02", "\"From Unknown to All\"");
    extended_is(3000, "03", "(none)");
    extended_is(3001, "00", "\"Success\"");
    extended_is(3001, "01", "\"Failed 3 times\"");
    extended_is(3001, "02", "(none)");
    extended_is(3302, "01", "null");
}


/* The number of texts, and those at the ends of each application. */

static void
tables(void)
{
    unsigned  app, event, apps, events, realms;

    for (app = 0, apps = 0, events = 0; app < 300; app++) {
        apps += ngx_amt_audit_app(app) != NULL;

        for (event = 0; event < 300; event++) {
            events += ngx_amt_audit_event(app, event) != NULL;
        }
    }

    for (app = 0, realms = 0; app < 300; app++) {
        realms += ngx_amt_audit_realm(app) != NULL;
    }

    ok(apps == 17, "17 applications, %u", apps);
    ok(events == 97, "97 events, %u", events);
    ok(realms == 25, "25 realms, %u", realms);

    ok(strcmp(ngx_amt_audit_app(16), "Security Admin") == 0, "16");
    ok(strcmp(ngx_amt_audit_app(30), "User Opt-In Events") == 0, "30");
    ok(ngx_amt_audit_app(31) == NULL, "31");
    ok(strcmp(ngx_amt_audit_app(32), "Screen Blanking") == 0, "32");
    ok(strcmp(ngx_amt_audit_app(33), "Watchdog Events") == 0, "33");
    ok(strcmp(ngx_amt_audit_event(17, 8), "Remote Hiberate initiated") == 0,
       "1708 as clients know it");
    ok(strcmp(ngx_amt_audit_event(20, 5), "Security Audit Log Recovered")
       == 0, "2005");
    ok(strcmp(ngx_amt_audit_event(25, 6), "CB Heuristics State Cleared")
       == 0, "2506");
    ok(strcmp(ngx_amt_audit_event(28, 0), "EAC Posture Signer SET") == 0,
       "2800");
    ok(ngx_amt_audit_event(33, 0) == NULL && ngx_amt_audit_event(33, 3)
       == NULL, "3300, 3303");
    ok(strcmp(ngx_amt_audit_realm(21), "ACL Realm") == 0, "realm 21");
    ok(*ngx_amt_audit_realm(22) == '\0', "realm 22");
}


static void
page_is(unsigned total, unsigned start, unsigned n, unsigned first,
    unsigned last)
{
    ngx_uint_t  a, b;

    ngx_amt_audit_log_page(total, start, n, &a, &b);

    ok(a == first && b == last, "page of %u from %u, %u each: %u-%u", total,
       start, n, (unsigned) a, (unsigned) b);
}


static void
pages(void)
{
    char        seen[33];
    unsigned    start, i;
    ngx_uint_t  first, last;

    page_is(32, 0, 10, 23, 32);
    page_is(32, 1, 10, 23, 32);
    page_is(32, 2, 10, 22, 31);
    page_is(32, 11, 10, 13, 22);
    page_is(32, 31, 2, 1, 2);
    page_is(32, 32, 1, 1, 1);
    page_is(32, 33, 10, 1, 0);
    page_is(5, 1, 10, 1, 5);
    page_is(0, 1, 10, 1, 0);
    page_is(1, 0, 1, 1, 1);
    page_is(4294967295u, 4294967295u, 1, 1, 1);

    /* one page after the other: each record once */

    memset(seen, 0, sizeof(seen));

    for (start = 1; start <= 32; start += 10) {
        ngx_amt_audit_log_page(32, start, 10, &first, &last);

        for (i = first; i <= last; i++) {
            seen[i]++;
        }
    }

    for (i = 1; i <= 32 && seen[i] == 1; i++) { /* void */ }

    ok(i == 33, "pages of 10 are all records once");
}


static ngx_amt_xml_t *
output(const char *xml)
{
    ngx_str_t                 text;
    ngx_amt_wsman_response_t  res;

    text = unit_str(xml);

    return ngx_amt_wsman_parse(pool, &text, &res) == NGX_OK ? res.content
                                                            : NULL;
}


#define ENVELOPE(body)                                                        \
    "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/soap-envelope\">"        \
    "<e:Body>" body "</e:Body></e:Envelope>"


static void
answers(void)
{
    ngx_str_t               s;
    ngx_uint_t              total, bad, i;
    ngx_array_t            *list, events;
    ngx_amt_xml_t          *x;
    ngx_amt_event_bytes_t   record;

    x = output(ENVELOPE("<ReadRecords_OUTPUT><TotalRecordCount>7"
                        "</TotalRecordCount><RecordsReturned>2"
                        "</RecordsReturned><EventRecords>QQ==</EventRecords>"
                        "<EventRecords> QUE=\n</EventRecords>"
                        "<EventRecords>x</EventRecords></ReadRecords_OUTPUT>"
                        ));
    ok(ngx_amt_audit_log_answer(pool, x, &total, &list) == NGX_OK
       && total == 7 && list->nelts == 2, "no more than are returned");
    ok(unit_is(((ngx_str_t *) list->elts)[1], "QUE="), "their text");

    x = output(ENVELOPE("<ReadRecords_OUTPUT><TotalRecordCount>1"
                        "</TotalRecordCount><RecordsReturned>1"
                        "</RecordsReturned><EventRecords>QQ==</EventRecords>"
                        "</ReadRecords_OUTPUT>"));
    ok(ngx_amt_audit_log_answer(pool, x, &total, &list) == NGX_OK
       && total == 1 && list->nelts == 1
       && unit_is(((ngx_str_t *) list->elts)[0], "QQ=="), "a list of one");

    x = output(ENVELOPE("<ReadRecords_OUTPUT><TotalRecordCount>-1"
                        "</TotalRecordCount></ReadRecords_OUTPUT>"));
    ok(ngx_amt_audit_log_answer(pool, x, &total, &list) == NGX_DECLINED,
       "a negative total");
    ok(ngx_amt_audit_log_answer(pool, NULL, &total, &list) == NGX_OK
       && total == 0 && list->nelts == 0, "no output");

    (void) ngx_array_init(&events, pool, 1, sizeof(ngx_amt_event_bytes_t));
    x = output(ENVELOPE("<GetRecords_OUTPUT><RecordArray>"
                        "Y8iYZf8GbwVoEP8mYaoKAAAAAAAA</RecordArray>"
                        "<RecordArray>AAAA</RecordArray>"
                        "<RecordArray>!</RecordArray><RecordArray/>"
                        "<RecordArray>Y8iYZf8GbwVoEP8mYaoKAAAAAAAB"
                        "</RecordArray></GetRecords_OUTPUT>"));
    ok(ngx_amt_event_log_answer(x, &events, &bad) == NGX_OK
       && events.nelts == 2 && bad == 3, "bad ones are left out");
    ok(memcmp(((ngx_amt_event_bytes_t *) events.elts)[1],
              "\x63\xc8\x98\x65\xff\x06\x6f\x05\x68\x10\xff\x26"
              "\x61\xaa\x0a\0\0\0\0\0\x01",
              NGX_AMT_EVENT_RECORD)
       == 0, "their bytes");

    ok(ngx_amt_event_log_answer(x, &events, &bad) == NGX_OK
       && events.nelts == 4, "those of the next answer are added");

    for (i = 0; i < NGX_AMT_EVENT_MAX; i++) {
        (void) ngx_amt_event_log_answer(x, &events, &bad);
    }

    ok(events.nelts == NGX_AMT_EVENT_MAX, "no more than a log has");

    s = unit_str("Y8iYZf8GbwVoEP8mYaoKAAAAAAAAAAAAAAAA");
    ok(ngx_amt_event_decode(&s, record) == NGX_DECLINED, "24 bytes");
    s = unit_str("Y8iYZf8GbwVoEP8mYaoKAAAAAAA=");
    ok(ngx_amt_event_decode(&s, record) == NGX_DECLINED, "20 bytes");
    s = unit_str("");
    ok(ngx_amt_event_decode(&s, record) == NGX_DECLINED, "none");
}


static void
event_is(const char *hex, const char *want, const char *name)
{
    char           *got;
    ngx_str_t       raw;
    ngx_amt_out_t   o;

    raw = from_hex(hex);

    ngx_amt_out_init(&o, pool, 64);
    ngx_amt_event_record(&o, raw.data, 0);
    got = written(&o);

    if (!ok(raw.len == NGX_AMT_EVENT_RECORD && strcmp(got, want) == 0, "%s",
            name))
    {
        printf("#  got %s\n# want %s\n", got, want);
    }
}


static char *
desc(unsigned sensor, unsigned offset, u_char *data)
{
    ngx_amt_out_t  o;

    ngx_amt_out_init(&o, pool, 64);
    ngx_amt_event_desc(&o, sensor, offset, data);

    return written(&o);
}


/* want: the member's value, or nothing where there is no member */

static void
desc_is(unsigned sensor, unsigned offset, const char *hex, const char *want)
{
    char  *got, member[256];

    got = desc(sensor, offset, from_hex(hex).data);
    snprintf(member, sizeof(member), "%s%s", want[0] ? "\"Desc\":" : "",
             want);

    if (!ok(strcmp(got, member) == 0, "sensor %u/%u %s", sensor, offset, hex))
    {
        printf("#  got %s\n# want %s\n", got, member);
    }
}


static void
events(void)
{
    unsigned  i, known;
    char      hex[64];
    u_char    data[8];

    event_is("63c89865 ff 06 6f 05 68 10 ff 26 61 aa0a000000000000",
        "{\"DeviceAddress\":255,\"EventSensorType\":6,\"EventType\":111,"
        "\"EventOffset\":5,\"EventSourceType\":104,\"EventSeverity\":16,"
        "\"SensorNumber\":255,\"Entity\":38,\"EntityInstance\":97,"
        "\"EventData\":[170,10,0,0,0,0,0,0],"
        "\"TimeStamp\":\"2024-01-06T03:26:27.000Z\","
        "\"EntityStr\":\"Intel(r) ME\","
        "\"Desc\":\"Authentication failed 10 times. The system may be under "
        "attack.\"}", "the known record");

    for (i = 0; i < 2; i++) {
        snprintf(hex, sizeof(hex), "%s ff 25 6f 00 68 01 ff 35 00 "
                 "4000000000000000", i ? "ffffffff" : "00000000");
        event_is(hex,
            "{\"DeviceAddress\":255,\"EventSensorType\":37,"
            "\"EventType\":111,\"EventOffset\":0,\"EventSourceType\":104,"
            "\"EventSeverity\":1,\"SensorNumber\":255,\"Entity\":53,"
            "\"EntityInstance\":0,\"EventData\":[64,0,0,0,0,0,0,0],"
            "\"EntityStr\":\"Unknown\",\"Desc\":\"System firmware started "
            "(at least one CPU is properly executing).\"}",
            "no time, no such entity");
    }

    desc_is(6, 0, "aa ff ff 00 00 00 00 00", "\"Authentication failed 65535 "
            "times. The system may be under attack.\"");
    desc_is(15, 0, "40 00 00 00 00 00 00 00", "\"Unspecified.\"");
    desc_is(15, 0, "40 0d 00 00 00 00 00 00", "\"CPU speed matching failure\""
            );
    desc_is(15, 0, "40 0e 00 00 00 00 00 00", "");
    desc_is(15, 1, "40 0e 00 00 00 00 00 00", "\"Docking station attachment\""
            );
    desc_is(15, 2, "40 12 00 00 00 00 00 00",
            "\"Calling operating system wake-up vector\"");
    desc_is(15, 2, "40 19 00 00 00 00 00 00",
            "\"Primary processor initialization\"");
    desc_is(15, 2, "40 1a 00 00 00 00 00 00", "");
    desc_is(15, 2, "eb 01 00 00 00 00 00 00", "\"Invalid Data\"");
    desc_is(18, 0, "aa 33 22 11 00 55 44 02",
            "\"Agent watchdog 00112233-4455-... changed to Stopped\"");
    desc_is(18, 0, "aa 33 22 11 ab 55 44 01",
            "\"Agent watchdog AB112233-4455-... changed to Not Started\"");
    desc_is(18, 0, "aa 33 22 11 ab 55 44 04",
            "\"Agent watchdog AB112233-4455-... changed to Running\"");
    desc_is(18, 0, "aa 33 22 11 ab 55 44 08",
            "\"Agent watchdog AB112233-4455-... changed to Expired\"");
    desc_is(18, 0, "aa 33 22 11 ab 55 44 10",
            "\"Agent watchdog AB112233-4455-... changed to Suspended\"");
    desc_is(18, 0, "aa 33 22 11 ab 55 44 03",
            "\"Agent watchdog AB112233-4455-... changed to Unknown\"");
    desc_is(18, 0, "ab 33 22 11 ab 55 44 03", "null");
    desc_is(30, 0, "40 00 00 00 00 00 00 00", "\"No bootable media\"");
    desc_is(32, 0, "40 00 00 00 00 00 00 00",
            "\"Operating system lockup or power interrupt\"");
    desc_is(35, 0, "40 00 00 00 00 00 00 00", "\"System boot failure\"");
    desc_is(99, 0, "40 00 00 00 00 00 00 00", "\"Unknown Sensor Type #99\"");

    for (i = 0, known = 0; i < 256; i++) {
        known += strcmp(ngx_amt_event_entity(i), "Unknown") != 0;
    }

    ok(known == 52, "52 entities and one that says so, %u", known);

    memset(data, 0, sizeof(data));

    for (i = 0, known = 0; i < 256; i++) {
        data[1] = (u_char) i;

        known += desc(15, 0, data)[0] != '\0';
        known += desc(15, 7, data)[0] != '\0';
    }

    ok(known == 14 + 26, "14 errors, 26 steps, %u", known);
}


/* Three records, of which the second has no time. */

static void
slice_is(const char *input, const char *want)
{
    char                   *got, *p, *q;
    json_t                 *in;
    ngx_uint_t              i;
    ngx_array_t             list;
    ngx_amt_out_t           o;
    ngx_amt_event_bytes_t  *record;

    (void) ngx_array_init(&list, pool, 3, sizeof(ngx_amt_event_bytes_t));

    for (i = 0; i < 3; i++) {
        record = ngx_array_push(&list);
        memset(record, 0, sizeof(*record));

        (*record)[0] = i != 1;
        (*record)[4] = (u_char) i;
    }

    in = input ? json_loads(input, 0, NULL) : NULL;

    ngx_amt_out_init(&o, pool, 64);
    ngx_amt_event_log_write(&o, &list, in);
    got = written(&o);

    /* the same in each record, and not what is tested here */

    while ((p = strstr(got, ",\"EventSensorType\"")) != NULL) {
        q = strstr(p, "],") + 1;
        memmove(p, q, strlen(q) + 1);
    }

    while ((p = strstr(got, ",\"EntityStr\"")) != NULL) {
        q = strstr(p, "#0\"") + 3;
        memmove(p, q, strlen(q) + 1);
    }

    if (!ok(strcmp(got, want) == 0, "slice %s", input ? input : "none")) {
        printf("#  got %s\n# want %s\n", got, want);
    }

    json_decref(in);
}


#define AT(n, time)                                                           \
    "{\"DeviceAddress\":" n ",\"TimeStamp\":\"1970-01-01T00:00:01.000Z\""     \
    time "}"
#define FIRST   AT("0", ",\"Time\":\"1970-01-01T00:00:01.000Z\"")
#define SECOND  "{\"DeviceAddress\":1}"
#define THIRD   AT("2", ",\"Time\":\"1970-01-01T00:00:01.000Z\"")

static void
slices(void)
{
    slice_is(NULL, "[" AT("0", "") "," SECOND "," AT("2", "") "]");
    slice_is("{\"skip\":0}", "{\"records\":[" FIRST "," SECOND "," THIRD
             "],\"hasMoreRecords\":false}");
    slice_is("{\"skip\":1,\"top\":1}",
             "{\"records\":[" SECOND "],\"hasMoreRecords\":true}");
    slice_is("{\"skip\":1,\"top\":2}", "{\"records\":[" SECOND "," THIRD
             "],\"hasMoreRecords\":false}");
    slice_is("{\"skip\":3,\"top\":2}",
             "{\"records\":[],\"hasMoreRecords\":false}");
    slice_is("{\"skip\":4294967295,\"top\":4294967295}",
             "{\"records\":[],\"hasMoreRecords\":false}");
    slice_is("{\"skip\":0,\"top\":0}",
             "{\"records\":[],\"hasMoreRecords\":true}");
}


static void
date_is(const char *text, const char *want)
{
    u_char     buf[NGX_AMT_DATETIME_ISO + 1];
    int64_t    seconds;
    ngx_int_t  rc;
    ngx_str_t  s;

    s = unit_str(text);
    rc = ngx_amt_datetime_parse(&s, &seconds);

    if (rc == NGX_OK) {
        *ngx_amt_datetime_text(buf, seconds) = '\0';
    }

    if (!ok(want ? rc == NGX_OK && strcmp((char *) buf, want) == 0
                 : rc == NGX_DECLINED, "date \"%s\"", text)
        && rc == NGX_OK)
    {
        printf("# got %s\n", buf);
    }
}


static void
duration_is(const char *text, int64_t want)
{
    int64_t    minutes;
    ngx_int_t  rc;
    ngx_str_t  s;

    s = unit_str(text);
    minutes = -1;
    rc = ngx_amt_duration_parse(&s, &minutes);

    ok((want == -1 && rc == NGX_DECLINED)
       || (rc == NGX_OK && minutes == want), "duration \"%s\": %lld", text,
       (long long) minutes);
}


static void
dates(void)
{
    u_char   buf[NGX_AMT_DURATION + 1];
    int64_t  t, again;
    int      good;

    date_is("2031-01-02T03:04:05.678Z", "2031-01-02T03:04:05Z");
    date_is("2031-01-02T03:04:05Z", "2031-01-02T03:04:05Z");
    date_is("2031-01-02T03:04:05", "2031-01-02T03:04:05Z");
    date_is("2031-01-02T03:04", "2031-01-02T03:04:00Z");
    date_is("2031-01-02 03:04:05", "2031-01-02T03:04:05Z");
    date_is("2031-01-02", "2031-01-02T00:00:00Z");
    date_is("2031-01-02T03:04:05+02:30", "2031-01-02T00:34:05Z");
    date_is("2031-01-02T03:04:05-0230", "2031-01-02T05:34:05Z");
    date_is("2031-01-02T03:04+05", "2031-01-01T22:04:00Z");
    date_is("2024-02-29", "2024-02-29T00:00:00Z");
    date_is("2000-02-29", "2000-02-29T00:00:00Z");
    date_is("2031-12-31T24:00:00Z", "2032-01-01T00:00:00Z");
    date_is("0001-01-01", "0001-01-01T00:00:00Z");
    date_is("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z");
    date_is("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z");
    date_is("Sat, 31 Dec 2022 23:59:00 GMT", "2022-12-31T23:59:00Z");

    date_is("", NULL);
    date_is("2031", NULL);
    date_is("2031-1-2", NULL);
    date_is("2031-02-29", NULL);
    date_is("1900-02-29", NULL);
    date_is("2031-13-01", NULL);
    date_is("2031-00-01", NULL);
    date_is("2031-04-31", NULL);
    date_is("2031-01-02T", NULL);
    date_is("2031-01-02T24:00:01Z", NULL);
    date_is("2031-01-02T25:00:00Z", NULL);
    date_is("2031-01-02T03:60:00Z", NULL);
    date_is("2031-01-02T03:04:60Z", NULL);
    date_is("2031-01-02T03:04:05.Z", NULL);
    date_is("2031-01-02T03:04:05Zx", NULL);
    date_is("2031-01-02T03:04:05+2", NULL);
    date_is("2031-01-02T03:04:05+24:00", NULL);
    date_is("9999-12-31T23:59:59-01:00", NULL);
    date_is("0001-01-01T00:00:00+01:00", NULL);
    date_is("0000-01-01", NULL);
    date_is("tomorrow", NULL);
    date_is("2031-01-02T03:04:05Z ", NULL);

    /* there and back again, over all years */

    for (good = 1, t = NGX_AMT_DATETIME_MIN; t < NGX_AMT_DATETIME_MAX;
         t += 86400LL * 97 + 12345)
    {
        ngx_str_t  s;

        s.data = buf;
        s.len = ngx_amt_datetime_text(buf, t) - buf;
        good &= ngx_amt_datetime_parse(&s, &again) == NGX_OK && again == t;
    }

    ok(good, "dates of all years there and back");

    ok(strcmp(text_of(ngx_amt_datetime_json(1234567890123LL)),
              "\"2009-02-13T23:31:30.123Z\"") == 0, "milliseconds");
    ok(strcmp(text_of(ngx_amt_datetime_json(-1)),
              "\"1969-12-31T23:59:59.999Z\"") == 0, "before 1970");

    duration_is("P1DT1H10M", 1510);
    duration_is("P0DT0H0M", 0);
    duration_is("P0DT0H0M0S", 0);
    duration_is("P1DT2H5M", 1565);
    duration_is("PT90S", 1);
    duration_is("PT59S", 0);
    duration_is("P1D", 1440);
    duration_is("PT5M", 5);
    duration_is("PT0.5H", 30);
    duration_is("P1W", 10080);
    duration_is("P1Y2M", (365 + 60) * 1440);
    duration_is("P", -1);
    duration_is("PT", -1);
    duration_is("P1DT", -1);
    duration_is("1D", -1);
    duration_is("P1", -1);
    duration_is("PD", -1);
    duration_is("P1H", -1);
    duration_is("PT1D", -1);
    duration_is("PT1M1H", -1);
    duration_is("PT1H1H", -1);
    duration_is("P1.D", -1);
    duration_is("P99999999999999999999999D", -1);
    duration_is("0", -1);
    duration_is("", -1);

    *ngx_amt_duration_text(buf, 1510) = '\0';
    ok(strcmp((char *) buf, "P1DT1H10M") == 0, "minutes as a duration");
    *ngx_amt_duration_text(buf, 0) = '\0';
    ok(strcmp((char *) buf, "P0DT0H0M") == 0, "none");
    *ngx_amt_duration_text(buf, 999999999) = '\0';
    ok(strcmp((char *) buf, "P694444DT10H39M") == 0, "many");
}


int
main(void)
{
    unit_init();
    pool = unit_pool();

    records();
    cut();
    extended();
    tables();
    pages();
    answers();
    events();
    slices();
    dates();

    ngx_destroy_pool(pool);

    return done();
}
