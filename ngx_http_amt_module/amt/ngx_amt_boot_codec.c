
/*
 * Boot options and boot sources: what is written and how it is read, without
 * I/O; see ngx_amt_boot.h.
 */


#include "amt/ngx_amt_boot.h"
#include "amt/ngx_amt_json.h"
#include "amt/ngx_amt_put.h"


#define NGX_AMT_BOOT_OPTION  "Intel(r) AMT: Force OCR UEFI Boot Option"


static ngx_int_t ngx_amt_boot_epr(ngx_pool_t *pool, const char *name,
    const char *class, const char *id, int64_t role, ngx_str_t *body);
static json_t *ngx_amt_boot_text(ngx_amt_xml_t *x, const char *name);


ngx_int_t
ngx_amt_boot_settings(ngx_pool_t *pool, ngx_amt_xml_t *setting,
    ngx_amt_boot_t *boot, ngx_str_t *body)
{
    ngx_uint_t      ocr, ider, bios, cd;
    ngx_amt_put_t  *p, changes[32];

    ocr = ngx_amt_boot_ocr(boot->action);
    ider = boot->action >= 200 && boot->action <= 299;
    bios = boot->action < 104;
    cd = boot->action == 202 || boot->action == 203;

    ngx_memzero(changes, sizeof(changes));
    p = changes;

#define set(property, kind, n)                                                \
    p->name = property;                                                       \
    p->type = kind;                                                           \
    p++->number = n

    set("BIOSPause", NGX_AMT_PUT_BOOL, 0);
    set("BIOSSetup", NGX_AMT_PUT_BOOL, bios);
    set("ConfigurationDataReset", NGX_AMT_PUT_BOOL, 0);
    set("ForcedProgressEvents", NGX_AMT_PUT_BOOL, ocr);
    set("LockKeyboard", NGX_AMT_PUT_BOOL, 0);
    set("LockPowerButton", NGX_AMT_PUT_BOOL, 0);
    set("LockResetButton", NGX_AMT_PUT_BOOL, 0);
    set("LockSleepButton", NGX_AMT_PUT_BOOL, 0);
    set("ReflashBIOS", NGX_AMT_PUT_BOOL, 0);
    set("UseIDER", NGX_AMT_PUT_BOOL, ider);
    set("UseSOL", NGX_AMT_PUT_BOOL, !ocr && boot->sol);
    set("UseSafeMode", NGX_AMT_PUT_BOOL, 0);
    set("UserPasswordBypass", NGX_AMT_PUT_BOOL, 0);
    set("SecureErase", NGX_AMT_PUT_BOOL, 0);
    set("BootMediaIndex", NGX_AMT_PUT_INT, 0);
    set("FirmwareVerbosity", NGX_AMT_PUT_INT, 0);
    set("IDERBootDevice", NGX_AMT_PUT_INT, cd);

    if (ocr) {
        set("BIOSLastStatus", NGX_AMT_PUT_OMIT, 0);

        if (boot->secure < 0) {
            set("EnforceSecureBoot", NGX_AMT_PUT_OMIT, 0);

        } else {
            p->add = 1;
            set("EnforceSecureBoot", NGX_AMT_PUT_BOOL, boot->secure);
        }

        p->add = 1;
        set("UefiBootNumberOfParams", NGX_AMT_PUT_INT, boot->params);

        p->add = 1;
        p->text = boot->tlv;
        set("UefiBootParametersArray", NGX_AMT_PUT_TEXT, 0);

    } else {

        /* what an earlier boot option has left must not boot again */

        set("UefiBootNumberOfParams", NGX_AMT_PUT_INT, 0);
        set("UefiBootParametersArray", NGX_AMT_PUT_OMIT, 0);
    }

#undef set

    return ngx_amt_put_body(pool, setting, changes, body);
}


static ngx_int_t
ngx_amt_boot_epr(ngx_pool_t *pool, const char *name, const char *class,
    const char *id, int64_t role, ngx_str_t *body)
{
    const char            *selectors[2];
    ngx_amt_xml_writer_t   w;

    selectors[0] = "InstanceID";
    selectors[1] = id;

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);

    if (*id) {
        ngx_amt_wsman_epr(&w, name,
                          "http://schemas.xmlsoap.org/ws/2004/08/addressing",
                          class, selectors, 1);
    }

    if (role >= 0) {
        ngx_amt_xml_leaf_int(&w, "Role", role);
    }

    return ngx_amt_xml_done(&w, body);
}


ngx_int_t
ngx_amt_boot_order(ngx_pool_t *pool, ngx_str_t *source, ngx_str_t *body)
{
    char  *id;

    id = ngx_pnalloc(pool, source->len + 1);
    if (id == NULL) {
        return NGX_ERROR;
    }

    if (source->len) {
        ngx_memcpy(id, source->data, source->len);
    }

    id[source->len] = '\0';

    return ngx_amt_boot_epr(pool, "Source", "CIM_BootSourceSetting", id, -1,
                            body);
}


ngx_int_t
ngx_amt_boot_role(ngx_pool_t *pool, ngx_str_t *body)
{
    return ngx_amt_boot_epr(pool, "BootConfigSetting",
                            "CIM_BootConfigSetting",
                            "Intel(r) AMT: Boot Configuration 0", 1, body);
}


const char *
ngx_amt_boot_source(ngx_uint_t action)
{
    switch (action) {

    case 105:
    case 106:
        return "Intel(r) AMT: Force OCR UEFI HTTPS Boot";

    case 202:
    case 203:
        return "Intel(r) AMT: Force CD/DVD Boot";

    case 300:
    case 301:
        return "Intel(r) AMT: Force Diagnostic Boot";

    case 400:
    case 401:
        return "Intel(r) AMT: Force PXE Boot";

    default:
        return "";
    }
}


ngx_uint_t
ngx_amt_boot_power(ngx_uint_t action)
{
    switch (action) {

    case 101:
    case 105:
    case 107:
    case 109:
    case 200:
    case 202:
    case 301:
    case 400:
        return 10;

    default:
        return 2;
    }
}


ngx_uint_t
ngx_amt_boot_starts(ngx_amt_xml_t *x, const char *name, const char *text)
{
    size_t     len;
    ngx_str_t  s;

    s = ngx_amt_xml_text(x, name);
    len = ngx_strlen(text);

    return s.len >= len && ngx_memcmp(s.data, text, len) == 0;
}


ngx_uint_t
ngx_amt_boot_source_is(ngx_amt_xml_t *source, const char *kind)
{
    size_t     i, len;
    ngx_str_t  s;

    if (!ngx_amt_boot_starts(source, "InstanceID", NGX_AMT_BOOT_OPTION)) {
        return 0;
    }

    s = ngx_amt_xml_text(source, "BIOSBootString");
    len = ngx_strlen(kind);

    for (i = 0; i + len <= s.len; i++) {
        if (ngx_memcmp(s.data + i, kind, len) == 0) {
            return 1;
        }
    }

    return 0;
}


ngx_amt_xml_t *
ngx_amt_boot_source_find(ngx_array_t *items, ngx_str_t *path)
{
    ngx_str_t        s;
    ngx_uint_t       i;
    ngx_amt_xml_t  **x;

    x = items->elts;

    for (i = 0; i < items->nelts; i++) {

        if (path->len == 0) {

            if (ngx_amt_boot_source_is(x[i], "WinRe")) {
                return x[i];
            }

            continue;
        }

        s = ngx_amt_xml_text(x[i], "BootString");

        if (s.len == path->len
            && ngx_memcmp(s.data, path->data, s.len) == 0)
        {
            return x[i];
        }
    }

    return NULL;
}


static json_t *
ngx_amt_boot_text(ngx_amt_xml_t *x, const char *name)
{
    ngx_str_t  s;

    s = ngx_amt_xml_text(x, name);

    return s.len ? json_stringn((char *) s.data, s.len) : json_string("");
}


json_t *
ngx_amt_boot_sources_json(ngx_array_t *items)
{
    json_t          *array, *item;
    ngx_uint_t       i, k;
    ngx_amt_xml_t  **x;

    static const struct {
        const char  *key;
        const char  *name;
    } texts[] = {
        { "biosBootString", "BIOSBootString" },
        { "bootString", "BootString" },
        { "elementName", "ElementName" },
        { "failThroughSupported", NULL },
        { "instanceID", "InstanceID" },
        { "structuredBiosBootString", "StructuredBootString" },
        { "structuredBootString", "StructuredBootString" }
    };

    array = json_array();
    if (array == NULL) {
        return NULL;
    }

    x = items->elts;

    for (i = 0; i < items->nelts; i++) {

        item = json_object();

        if (item == NULL || json_array_append_new(array, item) != 0) {
            goto failed;
        }

        for (k = 0; k < sizeof(texts) / sizeof(texts[0]); k++) {

            if (ngx_amt_json_set(item, texts[k].key, texts[k].name
                                 ? ngx_amt_boot_text(x[i], texts[k].name)
                                 : json_integer(ngx_amt_xml_int(x[i],
                                              "FailThroughSupported", 0)))
                != NGX_OK)
            {
                goto failed;
            }
        }
    }

    return array;

failed:

    json_decref(array);

    return NULL;
}


const char *
ngx_amt_boot_status(ngx_int_t value)
{
    static const char  *names[] = {
        "SUCCESS", "NOT_SUPPORTED", "UNKNOWN_ERROR", "BUSY",
        "INVALID_REFERENCE", "INVALID_PARAMETER", "ACCESS_DENIED"
    };

    if (value >= 32768) {
        return ngx_amt_wsman_status(value - 32768);
    }

    if (value < 0 || value >= (ngx_int_t) (sizeof(names) / sizeof(names[0])))
    {
        return "UNKNOWN_ERROR";
    }

    return names[value];
}
