
/*
 * Features, boot sources and displays out of instances: each switch by
 * itself, odd firmware, and the contract's captured answers, when they are
 * there, in $AMT_CONTRACT (default ../shared/contract).
 */


#include "wsman_unit.h"
#include "amt/ngx_amt_boot.h"
#include "amt/ngx_amt_features.h"
#include "amt/ngx_amt_kvm_displays.h"
#include "wsman/ngx_amt_wsman.h"


static ngx_pool_t  *pool;


static ngx_amt_xml_t *
xml(const char *text)
{
    ngx_str_t       in;
    const char     *why;
    ngx_amt_xml_t  *root;

    in = unit_str(text);

    if (ngx_amt_xml_parse(pool, &in, &root, &why) != NGX_OK) {
        printf("# %s: %s\n", why, text);
        abort();
    }

    return root;
}


static ngx_array_t *
items(ngx_amt_xml_t *parent)
{
    ngx_array_t     *a;
    ngx_amt_xml_t   *x, **item;

    a = ngx_array_create(pool, 4, sizeof(ngx_amt_xml_t *));

    for (x = parent->first; x; x = x->next) {
        item = ngx_array_push(a);
        *item = x;
    }

    return a;
}


static void
is_json(json_t *json, const char *want, const char *name)
{
    char  *text;

    text = json ? json_dumps(json, JSON_COMPACT) : NULL;

    ok(text && strcmp(text, want) == 0, "%s: %s", name, text ? text : "NULL");

    free(text);
    json_decref(json);
}


static void
features(void)
{
    size_t               i;
    json_t              *json, *value;
    ngx_amt_features_t   f;

    static const struct {
        const char  *boot;
        const char  *sources;
        const char  *capabilities;
        const char  *settings;
        const char  *key;
        int          on;
    } table[] = {

#define HTTPS  "<i><InstanceID>Intel(r) AMT: Force OCR UEFI HTTPS Boot"       \
               "</InstanceID></i>"
#define WINRE  "<i><InstanceID>Intel(r) AMT: Force OCR UEFI Boot Option 3"    \
               "</InstanceID><BIOSBootString>My WinRe</BIOSBootString></i>"
#define PBA    "<i><InstanceID>Intel(r) AMT: Force OCR UEFI Boot Option 10"   \
               "</InstanceID><BIOSBootString>OEM PBA 1</BIOSBootString></i>"
#define ODD    "<i><InstanceID>Other</InstanceID><BIOSBootString>WinRe PBA"   \
               "</BIOSBootString></i>"

        { "2", "", "", "", "ocr", 0 },
        { "32768", "", "", "", "ocr", 0 },
        { "32769", "", "", "", "ocr", 1 },
        { "32770", "", "", "", "ocr", 0 },
        { "32771", "", "", "", "ocr", 1 },
        { "x", "", "", "", "ocr", 0 },

        { "0", HTTPS, "<ForceUEFIHTTPSBoot>true</ForceUEFIHTTPSBoot>",
          "<UEFIHTTPSBootEnabled>true</UEFIHTTPSBootEnabled>",
          "httpsBootSupported", 1 },
        { "0", HTTPS, "<ForceUEFIHTTPSBoot>false</ForceUEFIHTTPSBoot>",
          "<UEFIHTTPSBootEnabled>true</UEFIHTTPSBootEnabled>",
          "httpsBootSupported", 0 },
        { "0", HTTPS, "<ForceUEFIHTTPSBoot>true</ForceUEFIHTTPSBoot>", "",
          "httpsBootSupported", 0 },
        { "0", ODD, "<ForceUEFIHTTPSBoot>true</ForceUEFIHTTPSBoot>",
          "<UEFIHTTPSBootEnabled>true</UEFIHTTPSBootEnabled>",
          "httpsBootSupported", 0 },

        { "0", ODD WINRE, "<ForceWinREBoot>true</ForceWinREBoot>",
          "<WinREBootEnabled>true</WinREBootEnabled>",
          "winREBootSupported", 1 },
        { "0", ODD PBA, "<ForceWinREBoot>true</ForceWinREBoot>",
          "<WinREBootEnabled>true</WinREBootEnabled>",
          "winREBootSupported", 0 },

        { "0", PBA, "<ForceUEFILocalPBABoot>true</ForceUEFILocalPBABoot>",
          "<UEFILocalPBABootEnabled>true</UEFILocalPBABootEnabled>",
          "localPBABootSupported", 1 },
        { "0", PBA, "<ForceUEFIPBABoot>true</ForceUEFIPBABoot>",
          "<UEFILocalPBABootEnabled>true</UEFILocalPBABootEnabled>",
          "localPBABootSupported", 1 },
        { "0", PBA, "",
          "<UEFILocalPBABootEnabled>true</UEFILocalPBABootEnabled>",
          "localPBABootSupported", 0 }
    };

    for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {

        char  text[2048];

        memset(&f, 0, sizeof(f));

        snprintf(text, sizeof(text), "<b><EnabledState>%s</EnabledState></b>",
                 table[i].boot);
        f.boot = xml(text);
        snprintf(text, sizeof(text), "<s>%s</s>", table[i].sources);
        f.sources = items(xml(text));
        snprintf(text, sizeof(text), "<c>%s</c>", table[i].capabilities);
        f.capabilities = xml(text);
        snprintf(text, sizeof(text), "<s>%s</s>", table[i].settings);
        f.settings = xml(text);

        json = ngx_amt_features_json(&f);
        value = json_object_get(json, table[i].key);

        ok(json_is_boolean(value) && json_is_true(value) == table[i].on,
           "%s is %d (%d)", table[i].key, table[i].on, (int) i);

        json_decref(json);
    }

    memset(&f, 0, sizeof(f));

    is_json(ngx_amt_features_json(&f),
            "{\"redirection\":false,\"KVM\":false,\"SOL\":false,"
            "\"IDER\":false,\"optInState\":0,\"kvmAvailable\":false,"
            "\"ocr\":false,\"httpsBootSupported\":false,"
            "\"winREBootSupported\":false,\"localPBABootSupported\":false,"
            "\"remoteErase\":false}", "a device without anything");

    f.redirection = xml("<r><EnabledState>32769</EnabledState>"
                        "<ListenerEnabled>true</ListenerEnabled></r>");
    f.optin = xml("<o><OptInRequired>4294967295</OptInRequired>"
                  "<OptInState>3</OptInState></o>");
    f.kvm = xml("<k><EnabledState>3</EnabledState></k>");

    is_json(ngx_amt_features_json(&f),
            "{\"userConsent\":\"all\",\"redirection\":true,\"KVM\":false,"
            "\"SOL\":false,\"IDER\":true,\"optInState\":3,"
            "\"kvmAvailable\":true,\"ocr\":false,"
            "\"httpsBootSupported\":false,\"winREBootSupported\":false,"
            "\"localPBABootSupported\":false,\"remoteErase\":false}",
            "IDE-R alone, consent for all, KVM off");

    ok(ngx_amt_features_consent("none") == 0
       && ngx_amt_features_consent("kvm") == 1
       && ngx_amt_features_consent("all") == 4294967295LL
       && ngx_amt_features_consent("KVM") == -1
       && ngx_amt_features_consent_name(2) == NULL
       && ngx_amt_features_consent_name(-1) == NULL, "names of consent");
}


static void
sources(void)
{
    ngx_str_t        path;
    ngx_array_t     *a;
    ngx_amt_xml_t   *x;

    a = items(xml("<s>" HTTPS ODD WINRE "<i><InstanceID>&lt;3</InstanceID>"
                  "<BootString>\\a</BootString><FailThroughSupported>1"
                  "</FailThroughSupported></i></s>"));

    path = unit_str("");
    x = ngx_amt_boot_source_find(a, &path);
    ok(x && ngx_amt_boot_source_is(x, "WinRe"), "WinRE without a path");

    path = unit_str("\\a");
    x = ngx_amt_boot_source_find(a, &path);
    ok(x && unit_is(ngx_amt_xml_text(x, "InstanceID"), "<3"), "by its path");

    path = unit_str("\\A");
    ok(ngx_amt_boot_source_find(a, &path) == NULL, "letter case counts");

    is_json(ngx_amt_boot_sources_json(items(xml("<s>"
                "<i><InstanceID>0123</InstanceID><BootString>\\a</BootString>"
                "<FailThroughSupported>1</FailThroughSupported></i></s>"))),
            "[{\"biosBootString\":\"\",\"bootString\":\"\\\\a\","
            "\"elementName\":\"\",\"failThroughSupported\":1,"
            "\"instanceID\":\"0123\",\"structuredBiosBootString\":\"\","
            "\"structuredBootString\":\"\"}]", "texts stay texts");

    is_json(ngx_amt_boot_sources_json(items(xml("<s/>"))), "[]", "none");
}


static void
displays(void)
{
    ngx_amt_xml_t  *setting;

    setting = xml("<k><DefaultScreen>1</DefaultScreen></k>");

    is_json(ngx_amt_kvm_displays_json(items(xml("<s/>")), setting),
            "{\"displays\":[]}", "no screens");

    is_json(ngx_amt_kvm_displays_json(items(xml("<s><i><IsActive>TRUE"
                "</IsActive><UpperLeftX>x</UpperLeftX><ResolutionX>1"
                "</ResolutionX><ResolutionX>2</ResolutionX><PrimaryIndex>1"
                "</PrimaryIndex><SecondaryIndex>1</SecondaryIndex></i></s>")),
                                      setting),
            "{\"displays\":[{\"displayIndex\":0,\"isActive\":true,"
            "\"upperLeftX\":0,\"upperLeftY\":0,\"resolutionX\":1,"
            "\"resolutionY\":0,\"isDefault\":false},"
            "{\"displayIndex\":1,\"isActive\":false,\"upperLeftX\":0,"
            "\"upperLeftY\":0,\"resolutionX\":2,\"resolutionY\":0,"
            "\"isDefault\":true,\"role\":\"primary\"}]}",
            "short lists, the first role counts");
}


static ngx_amt_xml_t *
captured(const char *name)
{
    char                       path[1024];
    ngx_str_t                  text;
    const char                *contract;
    ngx_amt_wsman_response_t   res;

    contract = getenv("AMT_CONTRACT");

    snprintf(path, sizeof(path), "%s/wsman-responses/%s.xml",
             contract ? contract : "../shared/contract", name);

    text = unit_file(pool, path);

    if (text.len == (size_t) -1) {
        return NULL;
    }

    if (ngx_amt_wsman_parse(pool, &text, &res) != NGX_OK || res.fault) {
        return NULL;
    }

    return ngx_amt_xml_is(res.content, "PullResponse")
           ? ngx_amt_xml_child(res.content, "Items") : res.content;
}


static void
captures(void)
{
    ngx_amt_xml_t       *x;
    ngx_amt_features_t   f;

    f.redirection = captured("AMT_RedirectionService.Get");

    if (f.redirection == NULL) {
        ok(1, "captured answers # SKIP not here");
        return;
    }

    f.optin = captured("IPS_OptInService.Get");
    f.kvm = captured("CIM_KVMRedirectionSAP.Get");
    f.boot = captured("CIM_BootService.Get");
    f.capabilities = captured("AMT_BootCapabilities.Get");
    f.settings = captured("AMT_BootSettingData.Get");
    x = captured("CIM_BootSourceSetting.Pull");
    f.sources = x ? items(x) : NULL;

    ok(f.optin && f.kvm && f.boot && f.capabilities && f.settings && x,
       "captured answers");

    is_json(ngx_amt_features_json(&f),
            "{\"userConsent\":\"none\",\"redirection\":true,\"KVM\":true,"
            "\"SOL\":true,\"IDER\":true,\"optInState\":0,"
            "\"kvmAvailable\":true,\"ocr\":false,"
            "\"httpsBootSupported\":false,\"winREBootSupported\":false,"
            "\"localPBABootSupported\":false,\"remoteErase\":false}",
            "features of the captured device");

    ok(f.sources && f.sources->nelts == 3, "its boot sources");

    x = captured("IPS_ScreenSettingData.Pull");

    is_json(ngx_amt_kvm_displays_json(items(x),
                               captured("IPS_KVMRedirectionSettingData.Get")),
            "{\"displays\":[{\"displayIndex\":0,\"isActive\":true,"
            "\"upperLeftX\":0,\"upperLeftY\":0,\"resolutionX\":1920,"
            "\"resolutionY\":1080,\"isDefault\":true},"
            "{\"displayIndex\":1,\"isActive\":true,\"upperLeftX\":1920,"
            "\"upperLeftY\":0,\"resolutionX\":1920,\"resolutionY\":1080,"
            "\"isDefault\":false,\"role\":\"primary\"},"
            "{\"displayIndex\":2,\"isActive\":false,\"upperLeftX\":-1,"
            "\"upperLeftY\":-1,\"resolutionX\":0,\"resolutionY\":0,"
            "\"isDefault\":false,\"role\":\"secondary\"},"
            "{\"displayIndex\":3,\"isActive\":false,\"upperLeftX\":-1,"
            "\"upperLeftY\":-1,\"resolutionX\":0,\"resolutionY\":0,"
            "\"isDefault\":false,\"role\":\"tertiary\"}]}", "its displays");
}


int
main(void)
{
    unit_init();

    pool = unit_pool();

    features();
    sources();
    displays();
    captures();

    ngx_destroy_pool(pool);

    return done();
}
