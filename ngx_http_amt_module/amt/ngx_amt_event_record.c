
/*
 * Event log records; see ngx_amt_event_record.h.
 */


#include "amt/ngx_amt_event_record.h"


#define NGX_AMT_EVENT_DATA      13       /* offset of 8 bytes */
#define NGX_AMT_EVENT_TEXT      128      /* bytes of a made Desc */

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
ngx_amt_event_decode(ngx_str_t *text, u_char *record)
{
    u_char     buf[NGX_AMT_EVENT_RECORD + 3];
    ngx_str_t  raw;

    if (text->len == 0 || ngx_base64_decoded_length(text->len) > sizeof(buf)) {
        return NGX_DECLINED;
    }

    raw.data = buf;
    raw.len = 0;

    if (ngx_decode_base64(&raw, text) != NGX_OK
        || raw.len != NGX_AMT_EVENT_RECORD)
    {
        return NGX_DECLINED;
    }

    ngx_memcpy(record, buf, NGX_AMT_EVENT_RECORD);

    return NGX_OK;
}


void
ngx_amt_event_record(ngx_amt_out_t *o, u_char *p, ngx_uint_t twice)
{
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

    ngx_amt_out_open(o, '{');

    for (i = 0; members[i].name; i++) {
        ngx_amt_out_key(o, members[i].name);
        ngx_amt_out_int(o, p[members[i].offset]);
    }

    ngx_amt_out_key(o, "EventData");
    ngx_amt_out_open(o, '[');

    for (i = NGX_AMT_EVENT_DATA; i < NGX_AMT_EVENT_RECORD; i++) {
        ngx_amt_out_int(o, p[i]);
    }

    ngx_amt_out_close(o, ']');

    time = (uint32_t) p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16
           | (uint32_t) p[3] << 24;

    if (time == 0xffffffff) {
        time = 0;
    }

    if (time) {
        ngx_amt_out_key(o, "TimeStamp");
        ngx_amt_out_time(o, (int64_t) time * 1000);
    }

    ngx_amt_out_key(o, "EntityStr");
    ngx_amt_out_cstring(o, ngx_amt_event_entity(p[11]));

    ngx_amt_event_desc(o, p[5], p[7], p + NGX_AMT_EVENT_DATA);

    if (time && twice) {
        ngx_amt_out_key(o, "Time");
        ngx_amt_out_time(o, (int64_t) time * 1000);
    }

    ngx_amt_out_close(o, '}');
}


void
ngx_amt_event_desc(ngx_amt_out_t *o, ngx_uint_t sensor, ngx_uint_t offset,
    u_char *e)
{
    char         buf[NGX_AMT_EVENT_TEXT];
    const char  *text;

    text = buf;

    switch (sensor) {

    case NGX_AMT_SENSOR_AUTH:
        (void) snprintf(buf, sizeof(buf), "Authentication failed %d times. "
                        "The system may be under attack.",
                        e[1] + 256 * e[2]);
        break;

    case NGX_AMT_SENSOR_FIRMWARE:
        text = (e[0] == NGX_AMT_EVENT_INVALID)
               ? "Invalid Data" : ngx_amt_event_firmware(offset, e[1]);

        if (text == NULL) {
            return;
        }

        break;

    case NGX_AMT_SENSOR_WATCHDOG:

        if (e[0] != NGX_AMT_EVENT_AGENT) {
            ngx_amt_out_key(o, "Desc");
            ngx_amt_out_value(o, NULL);
            return;
        }

        (void) snprintf(buf, sizeof(buf), "Agent watchdog %02X%02X%02X%02X-"
                        "%02X%02X-... changed to %s", e[4], e[3], e[2], e[1],
                        e[6], e[5], ngx_amt_event_state(e[7]));
        break;

    case NGX_AMT_SENSOR_MEDIA:
        text = "No bootable media";
        break;

    case NGX_AMT_SENSOR_LOCKUP:
        text = "Operating system lockup or power interrupt";
        break;

    case NGX_AMT_SENSOR_BOOT:
        text = "System boot failure";
        break;

    case NGX_AMT_SENSOR_STARTED:
        text = "System firmware started (at least one CPU is properly "
               "executing).";
        break;

    default:
        (void) snprintf(buf, sizeof(buf), "Unknown Sensor Type #%d",
                        (int) sensor);
    }

    ngx_amt_out_key(o, "Desc");
    ngx_amt_out_cstring(o, text);
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
