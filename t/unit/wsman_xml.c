
/* XML reader and writer, faults, return codes, XML to JSON, power codecs. */


#include "wsman_unit.h"
#include "amt/ngx_amt_json.h"
#include "amt/ngx_amt_power.h"
#include "amt/ngx_amt_version.h"


static ngx_pool_t  *pool;


static ngx_int_t
read_xml(const char *text, ngx_amt_xml_t **root)
{
    ngx_str_t    s;
    const char  *reason;

    s = unit_str(text);
    *root = NULL;

    return ngx_amt_xml_parse(pool, &s, root, &reason);
}


static void
test_reader(void)
{
    char           *big, *p;
    int             i, k;
    ngx_str_t       s;
    const char     *reason;
    ngx_amt_xml_t  *x, *y;

    ok(read_xml("<a xmlns='u:1'> x <b:c xmlns:b='u:2' Name='n' other='o'>"
                "1<!-- c -->2</b:c> y <d/> </a>", &x) == NGX_OK, "read");
    ok(unit_is(x->name, "a") && unit_is(x->uri, "u:1"), "root");
    ok(unit_is(x->raw, " x  y ") && unit_is(x->text, "x  y"),
       "text beside children, without indentation");
    ok(unit_is(x->first->uri, "u:2") && unit_is(x->first->attr, "n")
       && unit_is(x->first->text, "12"), "child");
    ok(unit_is(ngx_amt_xml_text(x, "c"), "12")
       && ngx_amt_xml_int(x, "c", -1) == 12
       && ngx_amt_xml_int(x, "d", -1) == -1
       && ngx_amt_xml_int(NULL, "d", 5) == 5, "text and number by name");

    ok(read_xml("<a>&lt;&#65;&amp;<![CDATA[<z>&]]></a>", &x) == NGX_OK
       && unit_is(x->text, "<A&<z>&"), "references and CDATA");
    ok(read_xml("<a><b>1</b><c/><b>2</b><b>3</b></a>", &x) == NGX_OK
       && unit_is(ngx_amt_xml_again(ngx_amt_xml_child(x, "b"))->text, "2"),
       "the next one of the same name");
    ok(read_xml("<a><n>4294967295</n><m>-7</m><h>12x</h>"
                "<l>1234567890123456789</l></a>", &x) == NGX_OK
       && ngx_amt_xml_int(x, "n", 0) == 4294967295LL
       && ngx_amt_xml_int(x, "m", 0) == -7
       && ngx_amt_xml_int(x, "h", 3) == 3
       && ngx_amt_xml_int(x, "l", 3) == 3, "numbers");
    ok(read_xml("<a><n>TRUE</n><m>false</m><o>1</o><p>yes</p></a>", &x)
       == NGX_OK
       && ngx_amt_xml_bool(x, "n", -1) == 1
       && ngx_amt_xml_bool(x, "m", -1) == 0
       && ngx_amt_xml_bool(x, "o", -1) == 1
       && ngx_amt_xml_bool(x, "p", -1) == -1, "booleans");

    /* refused */

    ok(read_xml("", &x) == NGX_DECLINED, "nothing");
    ok(read_xml("<a>", &x) == NGX_DECLINED, "cut");
    ok(read_xml("<a></b>", &x) == NGX_DECLINED, "crossed");
    ok(read_xml("<a/><b/>", &x) == NGX_DECLINED, "two roots");
    ok(read_xml("<!DOCTYPE a><a/>", &x) == NGX_DECLINED, "DOCTYPE");
    ok(read_xml("<!DOCTYPE a [<!ENTITY e 'eeee'>]><a>&e;</a>", &x)
       == NGX_DECLINED, "entity");
    ok(read_xml("<a>&nope;</a>", &x) == NGX_DECLINED, "unknown entity");
    ok(read_xml("<a><?php x?></a>", &x) == NGX_DECLINED, "instruction");
    ok(read_xml("<?xml-stylesheet a?><a/>", &x) == NGX_DECLINED,
       "instruction before the root");
    ok(read_xml("<a>&#1;</a>", &x) == NGX_DECLINED, "reference to a control");
    ok(read_xml("<x:a/>", &x) == NGX_DECLINED, "undeclared prefix");
    ok(read_xml("<a xmlns='u&#10;v'/>", &x) == NGX_DECLINED,
       "separator in a namespace");

    /* an encoding declaration changes nothing */

    ok(read_xml("<?xml version='1.0' encoding='ISO-8859-1'?><a>\xc3\xa4</a>",
                &x) == NGX_OK && unit_is(x->text, "\xc3\xa4"),
       "always UTF-8");

    /* odd bytes of device strings */

    ok(read_xml("<a>x\xff\xc0\x80y\xed\xa0\x80z\x01</a>", &x) == NGX_OK
       && unit_is(x->text, "x\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdy"
                           "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz"
                           "\xef\xbf\xbd"), "invalid UTF-8 replaced");
    ok(read_xml("<a>\xf0\x9f\x98\x80\xe2\x82\xac</a>", &x) == NGX_OK
       && unit_is(x->text, "\xf0\x9f\x98\x80\xe2\x82\xac"),
       "valid UTF-8 kept");

    s.data = (u_char *) "<a>\0</a>";
    s.len = 8;
    ok(ngx_amt_xml_parse(pool, &s, &x, &reason) == NGX_OK
       && unit_is(x->text, "\xef\xbf\xbd"), "zero byte replaced");

    /* caps */

    big = malloc(400000);

    for (p = big, i = 0; i < NGX_AMT_XML_MAX_DEPTH; i++) {
        p += sprintf(p, "<a>");
    }

    for (i = 0; i < NGX_AMT_XML_MAX_DEPTH; i++) {
        p += sprintf(p, "</a>");
    }

    ok(read_xml(big, &x) == NGX_OK, "as deep as allowed");

    for (p = big, i = 0; i < NGX_AMT_XML_MAX_DEPTH + 1; i++) {
        p += sprintf(p, "<a>");
    }

    for (i = 0; i < NGX_AMT_XML_MAX_DEPTH + 1; i++) {
        p += sprintf(p, "</a>");
    }

    ok(read_xml(big, &x) == NGX_DECLINED, "too deep");

    for (p = big + sprintf(big, "<a>"), i = 1; i < NGX_AMT_XML_MAX_NODES; i++)
    {
        p += sprintf(p, "<b/>z");
    }

    strcpy(p, "</a>");
    ok(read_xml(big, &x) == NGX_OK
       && x->text.len == NGX_AMT_XML_MAX_NODES - 1, "as many as allowed");

    strcpy(p, "<b/></a>");
    ok(read_xml(big, &x) == NGX_DECLINED, "too many");

    memset(big, ' ', 300000);
    memcpy(big, "<a>", 3);
    strcpy(big + 300000, "</a>");
    ok(read_xml(big, &x) == NGX_DECLINED, "too large");

    p = big + sprintf(big, "<a xmlns='");
    memset(p, 'u', NGX_AMT_XML_MAX_URI + 1);
    strcpy(p + NGX_AMT_XML_MAX_URI + 1, "'/>");
    ok(read_xml(big, &x) == NGX_DECLINED, "namespace too long");
    strcpy(p + NGX_AMT_XML_MAX_URI, "'/>");
    ok(read_xml(big, &x) == NGX_OK, "namespace as long as allowed");

    p = big + sprintf(big, "<a:r xmlns:a='one' xmlns:b='two'>");

    for (i = 0; i < 1000; i++) {
        p += sprintf(p, "<a:x/><b:x/>");
    }

    strcpy(p, "</a:r>");
    ok(read_xml(big, &x) == NGX_OK, "namespaces by turns");

    for (i = 0, y = x->first; y; i++, y = y->next) {
        if (y->uri.len != 3
            || y->uri.data != (i % 2 ? x->first->next : x)->uri.data)
        {
            break;
        }
    }

    ok(y == NULL && i == 2000, "are kept once each");
    ok(memcmp(x->uri.data, "one", 3) == 0
       && memcmp(x->last->uri.data, "two", 3) == 0, "and not mixed up");

    for (i = 0; i < 2; i++) {
        p = big + sprintf(big, "<a xmlns='u'>");

        for (k = 1; k < NGX_AMT_XML_MAX_URIS + i; k++) {
            p += sprintf(p, "<a xmlns='u%d'/>", k);
        }

        strcpy(p, "</a>");
        ok(read_xml(big, &x) == (i ? NGX_DECLINED : NGX_OK),
           i ? "more namespaces are too many" : "as many as allowed");
    }

    big[0] = '<';
    memset(big + 1, 'n', NGX_AMT_XML_MAX_NAME + 1);
    strcpy(big + NGX_AMT_XML_MAX_NAME + 2, "/>");
    ok(read_xml(big, &x) == NGX_DECLINED, "name too long");

    free(big);

    /* every prefix of a document is refused, none crashes */

    s = unit_file(pool, "t/fixtures/wsman/CIM_SoftwareIdentity.Pull.xml");

    for (i = 0; i < (int) s.len - 1; i++) {
        ngx_str_t  cut = { i, s.data };

        if (ngx_amt_xml_parse(pool, &cut, &x, &reason) != NGX_DECLINED) {
            break;
        }
    }

    ok(i == (int) s.len - 1, "prefixes of a document");
}


static void
test_writer(void)
{
    int                    i;
    ngx_str_t              out, s, uri;
    ngx_amt_xml_t         *x, *y;
    ngx_amt_xml_writer_t   w;

    ngx_amt_xml_writer_init(&w, pool, 4096);
    s = unit_str("a&b<c>d\"e'f\r\n\tg");
    ngx_amt_xml_leaf(&w, "L", &s);
    ok(ngx_amt_xml_done(&w, &out) == NGX_OK
       && unit_is(out, "<h:L>a&amp;b&lt;c&gt;d&quot;e&apos;f&#13;&#10;&#9;g"
                       "</h:L>"), "escaped");

    ngx_amt_xml_writer_init(&w, pool, 4096);
    s = unit_str("a\x01");
    ngx_amt_xml_leaf(&w, "L", &s);
    ok(ngx_amt_xml_done(&w, &out) == NGX_DECLINED, "control character");

    ngx_amt_xml_writer_init(&w, pool, 4096);
    s = unit_str("a\xff");
    ngx_amt_xml_leaf(&w, "L", &s);
    ok(ngx_amt_xml_done(&w, &out) == NGX_DECLINED, "invalid UTF-8");

    ngx_amt_xml_writer_init(&w, pool, 100000);

    for (i = 0; i < 9000; i++) {
        ngx_amt_xml_raw(&w, "0123456789");
    }

    ok(ngx_amt_xml_done(&w, &out) == NGX_OK && out.len == 90000, "grows");

    for (i = 0; i < 1001; i++) {
        ngx_amt_xml_raw(&w, "0123456789");
    }

    ok(ngx_amt_xml_done(&w, &out) == NGX_DECLINED, "up to its cap");
    ok(w.start[0] == '\0' && w.start[89999] == '\0', "nothing is left of it");

    ngx_amt_xml_writer_init(&w, pool, 10);
    ngx_amt_xml_raw(&w, "0123456789");
    ok(ngx_amt_xml_done(&w, &out) == NGX_OK, "exactly its cap");

    ngx_amt_xml_writer_init(&w, pool, 4096);
    ngx_amt_xml_leaf_int(&w, "N", 4294967295LL);
    ngx_amt_xml_leaf_int(&w, "M", -1);
    ngx_amt_xml_leaf_bool(&w, "T", 1);
    ngx_amt_xml_leaf_bool(&w, "F", 0);
    ok(ngx_amt_xml_done(&w, &out) == NGX_OK
       && unit_is(out, "<h:N>4294967295</h:N><h:M>-1</h:M><h:T>true</h:T>"
                       "<h:F>false</h:F>"), "numbers and booleans");

    /* what was read is written again, in its namespaces */

    read_xml("<q:i xmlns:q='u:1'><q:a>1 &amp; 2</q:a><z:e xmlns:z='u&amp;2'>"
             "<z:s Name='&lt;k'> v </z:s></z:e></q:i>", &x);

    ngx_amt_xml_writer_init(&w, pool, 4096);
    uri = unit_str("u:1");
    ngx_amt_xml_raw(&w, "<r xmlns:h='u:1'>");
    ngx_amt_xml_echo(&w, x, &uri);
    ngx_amt_xml_raw(&w, "</r>");
    ngx_amt_xml_done(&w, &out);
    out.data[out.len] = '\0';

    ok(read_xml((char *) out.data, &y) == NGX_OK
       && unit_is(y->first->name, "i") && unit_is(y->first->uri, "u:1")
       && unit_is(y->first->first->text, "1 & 2")
       && unit_is(y->first->last->uri, "u&2")
       && unit_is(y->first->last->first->attr, "<k")
       && unit_is(y->first->last->first->raw, " v "), "echo");
}


static ngx_int_t
fixture(const char *name, ngx_amt_wsman_response_t *res)
{
    char       path[256];
    ngx_str_t  s;

    snprintf(path, sizeof(path), "t/fixtures/wsman/%s.xml", name);
    s = unit_file(pool, path);

    return ngx_amt_wsman_parse(pool, &s, res);
}


static void
test_answers(void)
{
    ngx_str_t                  s;
    ngx_amt_wsman_request_t    req;
    ngx_amt_wsman_response_t   res;

    ok(fixture("AMT_GeneralSettings.Get", &res) == NGX_OK && !res.fault
       && ngx_amt_xml_is(res.content, "AMT_GeneralSettings")
       && unit_is(ngx_amt_xml_text(res.header, "RelatesTo"), "0")
       && res.return_value == -1, "an instance");
    ok(fixture("CIM_PowerManagementService.RequestPowerStateChange", &res)
       == NGX_OK && res.return_value == 0, "a return value");
    ok(fixture("IPS_PowerManagementService.Get.fault", &res) == NGX_OK
       && res.fault && unit_is(res.fault_code, "DestinationUnreachable")
       && res.amt_status == -1 && res.return_value == -1, "a fault");
    ok(fixture("AMT_BootSettingData.Put.fault", &res) == NGX_OK
       && unit_is(res.fault_code, "InternalError")
       && res.amt_status == 2057, "a fault with the firmware's status");

#define ENV(body)  "<e:Envelope xmlns:e='http://www.w3.org/2003/05/"          \
                   "soap-envelope'>" body "</e:Envelope>"

    s = unit_str(ENV("<e:Body><e:Fault><e:Code><e:Value>e:MustUnderstand"
                     "</e:Value></e:Code></e:Fault></e:Body>"));
    ok(ngx_amt_wsman_parse(pool, &s, &res) == NGX_OK
       && unit_is(res.fault_code, "MustUnderstand")
       && res.fault_text.len == 0, "a fault without subcode");
    s = unit_str(ENV("<e:Body><e:Fault/></e:Body>"));
    ok(ngx_amt_wsman_parse(pool, &s, &res) == NGX_OK && res.fault
       && res.fault_code.len == 0, "an empty fault");
    s = unit_str(ENV("<e:Body/>"));
    ok(ngx_amt_wsman_parse(pool, &s, &res) == NGX_OK
       && res.content == NULL, "an empty body");
    s = unit_str(ENV("<e:Header/>"));
    ok(ngx_amt_wsman_parse(pool, &s, &res) == NGX_DECLINED, "no body");
    s = unit_str(ENV("<e:Body/><e:Body/>"));
    ok(ngx_amt_wsman_parse(pool, &s, &res) == NGX_DECLINED, "two bodies");
    s = unit_str("<Envelope><Body/></Envelope>");
    ok(ngx_amt_wsman_parse(pool, &s, &res) == NGX_DECLINED, "not SOAP");
    s = unit_str("<html><body>401</body></html>");
    ok(ngx_amt_wsman_parse(pool, &s, &res) == NGX_DECLINED, "HTML");

    ngx_memzero(&req, sizeof(req));
    req.class = "XYZ_Class";
    ok(ngx_amt_wsman_build(pool, &req, 0, &s) == NGX_DECLINED,
       "unknown schema");
    req.class = "CIM_Chip";
    req.op = NGX_AMT_WSMAN_PULL;
    req.context = unit_str("</EnumerationContext><evil/>");
    ok(ngx_amt_wsman_build(pool, &req, 0, &s) == NGX_OK
       && memmem(s.data, s.len, "<evil", 5) == NULL, "no way out of text");
    req.context.data = (u_char *) calloc(1, 40000);
    memset(req.context.data, 'x', 40000);
    req.context.len = 40000;
    ok(ngx_amt_wsman_build(pool, &req, 0, &s) == NGX_DECLINED,
       "request too large");
    free(req.context.data);

    ok(strcmp(ngx_amt_wsman_status(0), "SUCCESS") == 0
       && strcmp(ngx_amt_wsman_status(36), "INVALID_PARAMETER") == 0
       && strcmp(ngx_amt_wsman_status(4106), "URL_REQUIRED") == 0
       && strcmp(ngx_amt_wsman_status(2071), "UNKNOWN_ERROR") == 0
       && strcmp(ngx_amt_wsman_status(-1), "UNKNOWN_ERROR") == 0
       && strcmp(ngx_amt_wsman_status(99999), "UNKNOWN_ERROR") == 0,
       "return values");
    ok(strcmp(ngx_amt_wsman_os_power_status(0), "COMPLETED_WITH_NO_ERROR")
       == 0
       && strcmp(ngx_amt_wsman_os_power_status(4099), "BUSY") == 0
       && strcmp(ngx_amt_wsman_os_power_status(7), "UNKNOWN_ERROR") == 0,
       "return values of power saving");
}


/* The value of <v>text</v> under a name, as JSON text. */

static int
json_is(const char *name, const char *text, const char *expected)
{
    int             same;
    char            xml[256], *dump;
    json_t         *json;
    ngx_amt_xml_t  *x;

    snprintf(xml, sizeof(xml), "<%s>%s</%s>", name, text, name);

    if (read_xml(xml, &x) != NGX_OK) {
        return 0;
    }

    json = ngx_amt_json_element(x);
    dump = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT
                            | JSON_REAL_PRECISION(15));
    same = dump && strcmp(dump, expected) == 0;

    if (!same) {
        printf("# %s\n", dump);
    }

    free(dump);
    json_decref(json);

    return same;
}


static void
test_json(void)
{
    size_t  i;

    static const char  *cases[][2] = {
        { "", "\"\"" }, { "0", "0" }, { "5", "5" }, { " 5 ", "5" },
        { "-7", "-7" }, { "+7", "7" }, { "04212600", "4212600" },
        { "15.0", "15" }, { "1.50", "1.5" }, { ".5", "0.5" }, { "5.", "5" },
        { "1E5", "100000" }, { "1e-1", "0.1" }, { "0x10", "16" },
        { "0xg", "\"0xg\"" }, { "0x", "\"0x\"" }, { "-0x10", "\"-0x10\"" },
        { "15.0.23", "\"15.0.23\"" }, { "1 2", "\"1 2\"" },
        { "e5", "\"e5\"" }, { "1e", "\"1e\"" }, { ".", "\".\"" },
        { "-", "\"-\"" }, { "+-1", "\"+-1\"" }, { "1_0", "\"1_0\"" },
        { "Infinity", "null" }, { "-Infinity", "null" }, { "1e999", "null" },
        { "infinity", "\"infinity\"" }, { "NaN", "\"NaN\"" },
        { "nan", "\"nan\"" }, { "inf", "\"inf\"" },
        { "9007199254740993", "9007199254740992" },
        { "18446744073709551616", "1.84467440737096e19" },
        { "true", "true" }, { "FALSE", "false" }, { "True", "true" },
        { " true", "\" true\"" }, { "truer", "\"truer\"" },
        { "   ", "\"   \"" }, { "<b/>", "{\"b\":\"\"}" },
        { "<b>1</b>", "{\"b\":1}" },
        { "<b>1</b><c/><b>x</b>", "{\"b\":[1,\"x\"],\"c\":\"\"}" },
        { "<b>1</b><b>2</b><b>3</b>", "{\"b\":[1,2,3]}" },
        { " t <b>1</b>", "{\"_\":\" t \",\"b\":1}" },
        { "<InstanceID>007</InstanceID><SSID>1</SSID><ElementName>true"
          "</ElementName><SerialNumber>12</SerialNumber>",
          "{\"InstanceID\":\"007\",\"SSID\":\"1\",\"ElementName\":\"true\","
          "\"SerialNumber\":\"12\"}" }
    };

    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        ok(json_is("v", cases[i][0], cases[i][1]), "JSON of \"%s\"",
           cases[i][0]);
    }

    ok(json_is("PartNumber", "0012", "\"0012\"")
       && json_is("Tag", "5", "\"5\"") && json_is("AssetTag", "5", "\"5\""),
       "names whose values are text");
}


static int
dump_is(json_t *json, const char *expected)
{
    int    same;
    char  *dump;

    dump = json_dumps(json, JSON_COMPACT);
    same = dump && strcmp(dump, expected) == 0;

    if (!same) {
        printf("# %s\n", dump);
    }

    free(dump);
    json_decref(json);

    return same;
}


static ngx_array_t *
items_of(ngx_amt_wsman_response_t *res)
{
    ngx_array_t     *items;
    ngx_amt_xml_t   *x;

    items = ngx_array_create(pool, 4, sizeof(ngx_amt_xml_t *));

    x = ngx_amt_xml_child(res->content, "Items");

    for (x = x ? x->first : NULL; x; x = x->next) {
        *(ngx_amt_xml_t **) ngx_array_push(items) = x;
    }

    return items;
}


static void
test_power(void)
{
    json_t                    *json;
    ngx_str_t                  body;
    ngx_array_t               *items;
    ngx_amt_xml_t             *x;
    ngx_amt_version_t          version;
    ngx_amt_wsman_response_t   res;

    fixture("CIM_ServiceAvailableToElement.Pull", &res);
    items = items_of(&res);
    ok(ngx_amt_power_state_find(items) == 8,
       "the managed system's state, not the first one's");
    items->nelts = 1;
    ok(ngx_amt_power_state_find(items) == 3, "the only one's");
    items->nelts = 0;
    ok(ngx_amt_power_state_find(items) == 0, "none");

    fixture("CIM_SoftwareIdentity.Pull", &res);
    version.items = items_of(&res);
    ok(ngx_amt_version_major(version.items) == 16, "major version");

    fixture("AMT_GeneralSettings.Get", &version.setup);
    version.items->nelts = 3;
    ok(ngx_amt_version_major(version.items) == 0, "no identity AMT");
    ok(dump_is(ngx_amt_version_json(&version),
       "{\"CIM_SoftwareIdentity\":{\"responses\":[{\"InstanceID\":\"Flash\","
       "\"IsEntity\":true,\"VersionString\":\"16.1.25\"},{\"InstanceID\":"
       "\"Sku\",\"IsEntity\":true,\"VersionString\":16392},{\"InstanceID\":"
       "\"Legacy Mode\",\"IsEntity\":true,\"VersionString\":false}],"
       "\"status\":200},\"AMT_SetupAndConfigurationService\":{\"response\":{"
       "\"AMTNetworkEnabled\":1,\"DDNSTTL\":900,\"DigestRealm\":\"Digest:"
       "00112233445566778899AABBCCDDEEFF\",\"DomainName\":\"\","
       "\"ElementName\":\"Intel(r) AMT: General Settings\",\"HostName\":"
       "\"desk-17\",\"InstanceID\":\"Intel(r) AMT: General Settings\","
       "\"PingResponseEnabled\":true,\"SharedFQDN\":false},\"responses\":{"
       "\"Header\":{\"To\":\"http://schemas.xmlsoap.org/ws/2004/08/"
       "addressing/role/anonymous\",\"RelatesTo\":0,\"Action\":\"http://"
       "schemas.xmlsoap.org/ws/2004/09/transfer/GetResponse\","
       "\"MessageID\":\"uuid:00000000-8086-8086-8086-0000000000A1\","
       "\"ResourceURI\":\"http://intel.com/wbem/wscim/1/amt-schema/1/"
       "AMT_GeneralSettings\"},\"Body\":{\"AMTNetworkEnabled\":1,"
       "\"DDNSTTL\":900,\"DigestRealm\":\"Digest:"
       "00112233445566778899AABBCCDDEEFF\",\"DomainName\":\"\","
       "\"ElementName\":\"Intel(r) AMT: General Settings\",\"HostName\":"
       "\"desk-17\",\"InstanceID\":\"Intel(r) AMT: General Settings\","
       "\"PingResponseEnabled\":true,\"SharedFQDN\":false}},\"status\":200}}"),
       "version body");

    version.items->nelts = 1;
    json = ngx_amt_json_items(version.items);
    ok(json_is_array(json) && json_array_size(json) == 1,
       "one identity is a list");
    json_decref(json);

    fixture("AMT_BootCapabilities.Get", &res);
    ok(dump_is(ngx_amt_power_capabilities_json(16, res.content),
       "{\"Power up\":2,\"Power cycle\":5,\"Power down\":8,\"Reset\":10,"
       "\"Soft-off\":12,\"Soft-reset\":14,\"Sleep\":4,\"Hibernate\":7,"
       "\"Power up to BIOS\":100,\"Reset to BIOS\":101,\"Reset to Secure "
       "Erase\":104,\"Reset to IDE-R Floppy\":200,\"Power on to IDE-R "
       "Floppy\":201,\"Reset to IDE-R CDROM\":202,\"Power on to IDE-R "
       "CDROM\":203,\"Reset to PXE\":400,\"Power on to PXE\":401}"),
       "capabilities");

    read_xml("<AMT_BootCapabilities><ForceDiagnosticBoot>true"
             "</ForceDiagnosticBoot></AMT_BootCapabilities>", &x);
    ok(dump_is(ngx_amt_power_capabilities_json(9, x),
       "{\"Power up\":2,\"Power cycle\":5,\"Power down\":8,\"Reset\":10,"
       "\"Reset to IDE-R Floppy\":200,\"Power on to IDE-R Floppy\":201,"
       "\"Reset to IDE-R CDROM\":202,\"Power on to IDE-R CDROM\":203,"
       "\"Power on to diagnostic\":300,\"Reset to diagnostic\":301,"
       "\"Reset to PXE\":400,\"Power on to PXE\":401}"),
       "capabilities of old firmware");

    read_xml("<b:D xmlns:b='u'><b:BIOSPause>true</b:BIOSPause><b:New>1 &lt;"
             "</b:New><b:IDERBootDevice>1</b:IDERBootDevice></b:D>", &x);
    ok(ngx_amt_power_boot_defaults(pool, x, &body) == NGX_OK
       && unit_is(body, "<h:BIOSPause>false</h:BIOSPause><h:New>1 &lt;"
                        "</h:New><h:IDERBootDevice>0</h:IDERBootDevice>"),
       "boot defaults in place, nothing added");
}


int
main(void)
{
    unit_init();

    pool = unit_pool();

    test_reader();
    test_writer();
    test_answers();
    test_json();
    test_power();

    ngx_destroy_pool(pool);

    return done();
}
