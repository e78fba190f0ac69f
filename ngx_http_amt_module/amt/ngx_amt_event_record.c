
/*
 * Event log records; see ngx_amt_event_record.h.
 */


#include "amt/ngx_amt_event_record.h"
#include "amt/ngx_amt_datetime.h"
#include "amt/ngx_amt_json.h"


#define NGX_AMT_EVENT_DATA      13       /* offset of 8 bytes */

#define NGX_AMT_SENSOR_AUTH      6
#define NGX_AMT_SENSOR_FIRMWARE  15
#define NGX_AMT_SENSOR_WATCHDOG  18
#define NGX_AMT_SENSOR_MEDIA     30
#define NGX_AMT_SENSOR_LOCKUP    32
#define NGX_AMT_SENSOR_BOOT      35
#define NGX_AMT_SENSOR_STARTED   37

#define NGX_AMT_EVENT_AGENT      170     /* first byte of data */
#define NGX_AMT_EVENT_INVALID    235


static const char *ngx_amt_event_firmware(ngx_uint_t offset,
    ngx_uint_t code);
static const char *ngx_amt_event_state(ngx_uint_t state);


ngx_int_t
ngx_amt_event_record_base64(ngx_str_t *text, json_t **json)
{
    u_char     buf[NGX_AMT_EVENT_RECORD + 3];
    ngx_str_t  raw;

    *json = NULL;

    if (ngx_base64_decoded_length(text->len) > sizeof(buf)) {
        return NGX_DECLINED;
    }

    raw.data = buf;
    raw.len = 0;

    if (text->len == 0 || ngx_decode_base64(&raw, text) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_amt_event_record(&raw, json);
}


ngx_int_t
ngx_amt_event_record(ngx_str_t *record, json_t **json)
{
    u_char      *p;
    json_t      *o, *data, *desc;
    uint32_t     time;
    ngx_uint_t   i;

    static const struct {
        const char  *name;
        ngx_uint_t   offset;
    } members[] = {
        { "DeviceAddress", 4 },
        { "EventSensorType", 5 },
        { "EventType", 6 },
        { "EventOffset", 7 },
        { "EventSourceType", 8 },
        { "EventSeverity", 9 },
        { "SensorNumber", 10 },
        { "Entity", 11 },
        { "EntityInstance", 12 },
        { NULL, 0 }
    };

    *json = NULL;

    if (record->len != NGX_AMT_EVENT_RECORD) {
        return NGX_DECLINED;
    }

    p = record->data;

    o = json_object();
    if (o == NULL) {
        return NGX_ERROR;
    }

    for (i = 0; members[i].name; i++) {
        if (ngx_amt_json_set(o, members[i].name,
                             json_integer(p[members[i].offset]))
            != NGX_OK)
        {
            goto failed;
        }
    }

    data = json_array();

    if (ngx_amt_json_set(o, "EventData", data) != NGX_OK) {
        goto failed;
    }

    for (i = NGX_AMT_EVENT_DATA; i < NGX_AMT_EVENT_RECORD; i++) {
        if (json_array_append_new(data, json_integer(p[i])) != 0) {
            goto failed;
        }
    }

    time = (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16
           | (uint32_t) p[3] << 24;

    if (time != 0 && time != 0xffffffff
        && ngx_amt_json_set(o, "TimeStamp",
                            ngx_amt_datetime_json((int64_t) time * 1000))
           != NGX_OK)
    {
        goto failed;
    }

    if (ngx_amt_json_set(o, "EntityStr",
                         json_string(ngx_amt_event_entity(p[11])))
        != NGX_OK
        || ngx_amt_event_desc(p[5], p[7], p + NGX_AMT_EVENT_DATA, &desc)
           != NGX_OK)
    {
        goto failed;
    }

    if (desc && ngx_amt_json_set(o, "Desc", desc) != NGX_OK) {
        goto failed;
    }

    *json = o;

    return NGX_OK;

failed:

    json_decref(o);

    return NGX_ERROR;
}


ngx_int_t
ngx_amt_event_desc(ngx_uint_t sensor, ngx_uint_t offset, u_char *e,
    json_t **json)
{
    const char  *text;

    *json = NULL;

    switch (sensor) {

    case NGX_AMT_SENSOR_AUTH:
        *json = json_sprintf("Authentication failed %d times. The system may "
                             "be under attack.", e[1] + 256 * e[2]);
        break;

    case NGX_AMT_SENSOR_FIRMWARE:

        if (e[0] == NGX_AMT_EVENT_INVALID) {
            *json = json_string("Invalid Data");
            break;
        }

        text = ngx_amt_event_firmware(offset, e[1]);

        if (text == NULL) {
            return NGX_OK;
        }

        *json = json_string(text);
        break;

    case NGX_AMT_SENSOR_WATCHDOG:

        if (e[0] != NGX_AMT_EVENT_AGENT) {
            *json = json_null();
            break;
        }

        *json = json_sprintf("Agent watchdog %02X%02X%02X%02X-%02X%02X-... "
                             "changed to %s", e[4], e[3], e[2], e[1], e[6],
                             e[5], ngx_amt_event_state(e[7]));
        break;

    case NGX_AMT_SENSOR_MEDIA:
        *json = json_string("No bootable media");
        break;

    case NGX_AMT_SENSOR_LOCKUP:
        *json = json_string("Operating system lockup or power interrupt");
        break;

    case NGX_AMT_SENSOR_BOOT:
        *json = json_string("System boot failure");
        break;

    case NGX_AMT_SENSOR_STARTED:
        *json = json_string("System firmware started (at least one CPU is "
                            "properly executing).");
        break;

    default:
        *json = json_sprintf("Unknown Sensor Type #%d", (int) sensor);
    }

    return *json ? NGX_OK : NGX_ERROR;
}


/* Offset 0 is an error, every other one is progress. */

static const char *
ngx_amt_event_firmware(ngx_uint_t offset, ngx_uint_t code)
{
    ngx_uint_t    n;
    const char  **texts;

    static const char  *errors[] = {
        "Unspecified.",
        "No system memory is physically installed in the system.",
        "No usable system memory, all installed memory has experienced an "
            "unrecoverable failure.",
        "Unrecoverable hard-disk/ATAPI/IDE device failure.",
        "Unrecoverable system-board failure.",
        "Unrecoverable diskette subsystem failure.",
        "Unrecoverable hard-disk controller failure.",
        "Unrecoverable PS/2 or USB keyboard failure.",
        "Removable boot media not found.",
        "Unrecoverable video controller failure.",
        "No video device detected.",
        "Firmware (BIOS) ROM corruption detected.",
        "CPU voltage mismatch (processors that share same supply have "
            "mismatched voltage requirements)",
        "CPU speed matching failure"
    };

    static const char  *progress[] = {
        "Unspecified.",
        "Memory initialization.",
        "Starting hard-disk initialization and test",
        "Secondary processor(s) initialization",
        "User authentication",
        "User-initiated system setup",
        "USB resource configuration",
        "PCI resource configuration",
        "Option ROM initialization",
        "Video initialization",
        "Cache initialization",
        "SM Bus initialization",
        "Keyboard controller initialization",
        "Embedded controller/management controller initialization",
        "Docking station attachment",
        "Enabling docking station",
        "Docking station ejection",
        "Disabling docking station",
        "Calling operating system wake-up vector",
        "Starting operating system boot process",
        "Baseboard or motherboard initialization",
        "reserved",
        "Floppy initialization",
        "Keyboard test",
        "Pointing device test",
        "Primary processor initialization"
    };

    if (offset == 0) {
        texts = errors;
        n = sizeof(errors) / sizeof(errors[0]);

    } else {
        texts = progress;
        n = sizeof(progress) / sizeof(progress[0]);
    }

    return code < n ? texts[code] : NULL;
}


static const char *
ngx_amt_event_state(ngx_uint_t state)
{
    switch (state) {
    case 1:
        return "Not Started";
    case 2:
        return "Stopped";
    case 4:
        return "Running";
    case 8:
        return "Expired";
    case 16:
        return "Suspended";
    default:
        return "Unknown";
    }
}


const char *
ngx_amt_event_entity(ngx_uint_t entity)
{
    static const char  *entities[] = {
        "Unspecified",
        "Other",
        "Unknown",
        "Processor",
        "Disk",
        "Peripheral",
        "System management module",
        "System board",
        "Memory module",
        "Processor module",
        "Power supply",
        "Add in card",
        "Front panel board",
        "Back panel board",
        "Power system board",
        "Drive backplane",
        "System internal expansion board",
        "Other system board",
        "Processor board",
        "Power unit",
        "Power module",
        "Power management board",
        "Chassis back panel board",
        "System chassis",
        "Sub chassis",
        "Other chassis board",
        "Disk drive bay",
        "Peripheral bay",
        "Device bay",
        "Fan cooling",
        "Cooling unit",
        "Cable interconnect",
        "Memory device",
        "System management software",
        "BIOS",
        "Intel(r) ME",
        "System bus",
        "Group",
        "Intel(r) ME",
        "External environment",
        "Battery",
        "Processing blade",
        "Connectivity switch",
        "Processor/memory module",
        "I/O module",
        "Processor I/O module",
        "Management controller firmware",
        "IPMI channel",
        "PCI bus",
        "PCI express bus",
        "SCSI bus",
        "SATA/SAS bus",
        "Processor front side bus"
    };

    if (entity >= sizeof(entities) / sizeof(entities[0])) {
        return "Unknown";
    }

    return entities[entity];
}
