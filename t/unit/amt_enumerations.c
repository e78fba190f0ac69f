
/*
 * What capabilities make of enumerations: the certificate store with its
 * relations, hardware, alarms; certificates as clients send them; the list
 * of a bulk call.  Captured answers are used when they are there.
 */


#include "wsman_unit.h"
#include "amt/ngx_amt_alarm.h"
#include "amt/ngx_amt_certificates.h"
#include "amt/ngx_amt_hardware.h"
#include "amt/ngx_amt_x509.h"
#include "mps/ngx_amt_bulk.h"
#include <openssl/evp.h>
#include <openssl/x509.h>


static ngx_pool_t  *pool;


static void
json_is(json_t *json, const char *want, const char *name)
{
    char  *got;

    got = json ? json_dumps(json, JSON_COMPACT|JSON_ENCODE_ANY) : NULL;

    if (!ok(got && strcmp(got, want) == 0, "%s", name)) {
        printf("#  got %s\n# want %s\n", got ? got : "nothing", want);
    }

    free(got);
    json_decref(json);
}


/* ---- certificates ---- */

/* A self-signed certificate, DER; key: its public key as AMT lists it */

static ngx_str_t
make(EVP_PKEY *pkey, long from, long until, ngx_str_t *key)
{
    X509       *x;
    u_char     *der;
    ngx_str_t   raw;
    X509_NAME  *name;

    x = X509_new();
    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), from);
    X509_gmtime_adj(X509_getm_notAfter(x), until);
    name = X509_get_subject_name(x);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (u_char *) "t", -1,
                               -1, 0);
    X509_set_issuer_name(x, name);
    X509_set_pubkey(x, pkey);
    X509_sign(x, pkey, EVP_sha256());

    der = NULL;
    raw.len = i2d_X509(x, &der);
    raw.data = ngx_pnalloc(pool, raw.len);
    memcpy(raw.data, der, raw.len);
    OPENSSL_free(der);
    X509_free(x);

    if (key) {
        ngx_str_t  pub;

        der = NULL;
        pub.len = i2d_PublicKey(pkey, &der);
        pub.data = der;
        key->data = ngx_pnalloc(pool, ngx_base64_encoded_length(pub.len));
        ngx_encode_base64(key, &pub);
        OPENSSL_free(der);
    }

    return raw;
}


static ngx_str_t
base64(ngx_str_t raw)
{
    ngx_str_t  s;

    s.data = ngx_pnalloc(pool, ngx_base64_encoded_length(raw.len) + 1);
    ngx_encode_base64(&s, &raw);
    s.data[s.len] = '\0';

    return s;
}


static ngx_int_t
decode(ngx_str_t text, X509 **x)
{
    u_char     *copy;
    ngx_int_t   rc;

    /* on the heap, so that a byte too far is seen */

    copy = malloc(text.len + 1);
    memcpy(copy, text.data, text.len);
    text.data = copy;

    rc = ngx_amt_x509_decode(&text, x);

    free(copy);

    return rc;
}


static void
x509(EVP_PKEY *pkey)
{
    int         good;
    X509       *x;
    size_t      i, n;
    u_char      key[NGX_AMT_X509_KEY];
    ngx_str_t   der, want, text, pem, blob;

    der = make(pkey, -3600, 3600, &want);
    text = base64(der);

    ok(decode(text, &x) == NGX_OK, "DER");
    ok(!ngx_amt_x509_expired(x, time(NULL)), "is good now");
    ok(ngx_amt_x509_expired(x, time(NULL) + 7200), "and over in two hours");
    ok(ngx_amt_x509_blob(x, pool, &blob) == NGX_OK && blob.len == text.len
       && memcmp(blob.data, text.data, text.len) == 0, "the same again");
    X509_free(x);

    n = ngx_amt_x509_key(&text, key);
    ok(n == want.len && memcmp(key, want.data, n) == 0, "its key");

    /* PEM within base64, with line breaks everywhere */

    pem.data = ngx_pnalloc(pool, 3 * text.len + 100);
    n = sprintf((char *) pem.data, "-----BEGIN CERTIFICATE-----\n");

    for (i = 0; i < text.len; i++) {
        pem.data[n++] = text.data[i];

        if (i % 64 == 63) {
            pem.data[n++] = '\n';
        }
    }

    n += sprintf((char *) pem.data + n, "\n-----END CERTIFICATE-----\n");
    pem.len = n;

    ok(decode(pem, &x) == NGX_DECLINED, "PEM itself");
    text = base64(pem);
    ok(decode(text, &x) == NGX_OK, "PEM in base64");
    X509_free(x);

    for (i = 0, n = 0; i < text.len; i++) {
        pem.data[n++] = text.data[i];

        if (i % 5 == 0) {
            pem.data[n++] = " \t\r\n"[i % 4];
        }
    }

    pem.len = n;
    ok(decode(pem, &x) == NGX_OK, "blanks and line breaks");
    X509_free(x);

    /* cut at every byte: none of it is a certificate */

    text = base64(der);

    for (good = 1, n = 0; n < text.len; n++) {
        pem.data = text.data;
        pem.len = n;

        if (decode(pem, &x) == NGX_OK) {

            /* without padding it is the same */

            good &= text.data[n] == '=';
            X509_free(x);
        }
    }

    ok(good, "cut at every byte");

    /* no terminal is asked for a password */

    text = base64(unit_str("-----BEGIN CERTIFICATE-----\n"
                           "Proc-Type: 4,ENCRYPTED\n"
                           "DEK-Info: AES-128-CBC,"
                           "00112233445566778899AABBCCDDEEFF\n\n"
                           "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
                           "-----END CERTIFICATE-----\n"));
    ok(decode(text, &x) == NGX_DECLINED, "encrypted PEM");

    text = unit_str("");
    ok(decode(text, &x) == NGX_DECLINED, "nothing");
    text = unit_str("!");
    ok(decode(text, &x) == NGX_DECLINED, "no base64");
    text = unit_str("aGVsbG8=");
    ok(decode(text, &x) == NGX_DECLINED, "no certificate");
    text.len = 3 * NGX_AMT_X509_MAX;
    text.data = ngx_pnalloc(pool, text.len);
    memset(text.data, 'A', text.len);
    ok(decode(text, &x) == NGX_DECLINED, "too large");
    ok(ngx_amt_x509_key(&text, key) == 0, "has no key");
}


static ngx_array_t *
none(void)
{
    return ngx_array_create(pool, 1, sizeof(ngx_amt_xml_t *));
}


/* The children of a document's root */

static ngx_array_t *
items(const char *xml)
{
    ngx_str_t       text;
    const char     *reason;
    ngx_array_t    *array;
    ngx_amt_xml_t  *x;

    text = unit_str(xml);
    array = none();

    if (ngx_amt_xml_parse(pool, &text, &x, &reason) != NGX_OK) {
        ok(0, "%s: %s", xml, reason);
        return array;
    }

    for (x = x->first; x; x = x->next) {
        *(ngx_amt_xml_t **) ngx_array_push(array) = x;
    }

    return array;
}


#define EPR(name, class, sel, id)                                             \
    "<" name "><ReferenceParameters><ResourceURI>http://x/" class             \
    "</ResourceURI><SelectorSet><Selector Name=\"Other\">no</Selector>"       \
    "<Selector Name=\"" sel "\">" id "</Selector></SelectorSet>"              \
    "</ReferenceParameters></" name ">"

#define C(id)  EPR("ElementInContext", "AMT_PublicKeyCertificate",            \
                   "InstanceID", id)


static void
relations(EVP_PKEY *pkey)
{
    char                     xml[16384];
    ngx_str_t                key, der;
    ngx_amt_certificates_t   s;

    memset(&s, 0, sizeof(s));
    s.dependencies = none();
    s.certificates = none();
    s.keys = none();
    s.contexts = none();

    ok(ngx_amt_certificates_sane(&s), "an empty store");
    json_is(ngx_amt_certificates_json(&s),
            "{\"certificates\":{\"keyManagementItems\":[],"
            "\"publicKeyCertificateItems\":[]},\"publicKeys\":{"
            "\"publicPrivateKeyPairItems\":[]},\"profileAssociation\":[]}",
            "as JSON");

    /* names, the two spellings, numbers as texts */

    s.certificates = items("<r><AMT_PublicKeyCertificate>"
        "<ElementName>e</ElementName><InstanceID>007</InstanceID>"
        "<Issuer>I</Issuer><Subject>C=x,CN=a b,O=y</Subject>"
        "<ReadOnlyCertificate>true</ReadOnlyCertificate>"
        "<TrustedRootCertificate>true</TrustedRootCertificate>"
        "</AMT_PublicKeyCertificate><AMT_PublicKeyCertificate>"
        "<InstanceID>2</InstanceID></AMT_PublicKeyCertificate></r>");
    json_is(ngx_amt_certificates_json(&s),
            "{\"certificates\":{\"keyManagementItems\":[],"
            "\"publicKeyCertificateItems\":[{\"elementName\":\"e\","
            "\"instanceID\":\"007\",\"x509Certificate\":\"\","
            "\"trustedRootCertificate\":true,\"issuer\":\"I\","
            "\"subject\":\"C=x,CN=a b,O=y\",\"readOnlyCertificate\":true,"
            "\"associatedProfiles\":[],\"displayName\":\"a b\"},{"
            "\"elementName\":\"\",\"instanceID\":\"2\","
            "\"x509Certificate\":\"\",\"trustedRootCertificate\":false,"
            "\"issuer\":\"\",\"subject\":\"\",\"associatedProfiles\":[],"
            "\"displayName\":\"2\"}]},\"publicKeys\":{"
            "\"publicPrivateKeyPairItems\":[]},\"profileAssociation\":[]}",
            "names");

    /* keys: by an association, in either direction, or by themselves */

    der = base64(make(pkey, -10, 10, &key));
    snprintf(xml, sizeof(xml), "<r><k><InstanceID>K0</InstanceID><DERKey>AA"
             "</DERKey></k><k><InstanceID>K1</InstanceID><DERKey>BB</DERKey>"
             "</k><k><InstanceID>K2</InstanceID><DERKey>%.*s</DERKey></k>"
             "</r>", (int) key.len, key.data);
    s.keys = items(xml);
    snprintf(xml, sizeof(xml), "<r><c><InstanceID>C0</InstanceID></c><c>"
             "<InstanceID>C1</InstanceID></c><c><InstanceID>C2</InstanceID>"
             "<X509Certificate>%.*s</X509Certificate></c></r>",
             (int) der.len, der.data);
    s.certificates = items(xml);
    s.dependencies = items("<r><d>"
        EPR("Antecedent", "AMT_PublicKeyCertificate", "InstanceID", "C0")
        EPR("Dependent", "AMT_PublicPrivateKeyPair", "InstanceID", "K1")
        "</d><d>"
        EPR("Antecedent", "AMT_PublicPrivateKeyPair", "InstanceID", "K0")
        EPR("Dependent", "AMT_PublicKeyCertificate", "InstanceID", "C1")
        "</d><d>"
        EPR("Antecedent", "CIM_Identity", "InstanceID", "C2")
        EPR("Dependent", "CIM_Role", "InstanceID", "K0")
        "</d><d>"
        EPR("Antecedent", "My_AMT_PublicKeyCertificate", "InstanceID", "C2")
        EPR("Dependent", "AMT_PublicPrivateKeyPair", "InstanceID", "K0")
        "</d><d/></r>");

    {
        json_t  *json, *list;

        json = ngx_amt_certificates_json(&s);
        list = json_object_get(json_object_get(json, "certificates"),
                               "publicKeyCertificateItems");

#define HANDLE(i, name)                                                       \
        json_string_value(json_object_get(json_array_get(list, i), name))

        ok(strcmp(HANDLE(0, "publicKeyHandle"), "K1") == 0, "associated");
        ok(strcmp(HANDLE(1, "publicKeyHandle"), "K0") == 0, "the other way");
        ok(strcmp(HANDLE(2, "publicKeyHandle"), "K2") == 0, "by the key");

        list = json_object_get(json_object_get(json, "publicKeys"),
                               "publicPrivateKeyPairItems");
        ok(strcmp(HANDLE(0, "certificateHandle"), "C1") == 0
           && strcmp(HANDLE(1, "certificateHandle"), "C0") == 0
           && strcmp(HANDLE(2, "certificateHandle"), "C2") == 0,
           "certificates of keys");
        json_decref(json);
    }

    /* profiles: order, merging, once; the plain class by its provider */

    s.keys = none();
    s.dependencies = none();
    s.certificates = items("<r><c><InstanceID>C0</InstanceID>"
        "<TrustedRootCertficate>true</TrustedRootCertficate></c><c>"
        "<InstanceID>C1</InstanceID></c></r>");
    s.contexts = items("<r><AMT_8021XWiredCredentialContext>" C("C1")
        EPR("ElementProvidingContext", "IPS_IEEE8021xSettings", "InstanceID",
            "wire") "</AMT_8021XWiredCredentialContext>"
        "<CIM_CredentialContext>" C("C1")
        EPR("ElementProvidingContext", "CIM_IEEE8021xSettings", "InstanceID",
            "Intel(r) AMT:IEEE 802.1x Settings air")
        "</CIM_CredentialContext><AMT_8021XCredentialContext>" C("C0")
        EPR("ElementProvidingContext", "CIM_IEEE8021xSettings", "InstanceID",
            "Intel(r) AMT:IEEE 802.1x Settings air")
        "</AMT_8021XCredentialContext><AMT_8021XCredentialContext>" C("C0")
        EPR("ElementProvidingContext", "CIM_IEEE8021xSettings", "InstanceID",
            "Intel(r) AMT:IEEE 802.1x Settings air")
        "</AMT_8021XCredentialContext><AMT_TLSCredentialContext>" C("C9")
        EPR("ElementProvidingContext", "AMT_TLSProtocolEndpointCollection",
            "InstanceID", "tls")
        "</AMT_TLSCredentialContext><CIM_Other>" C("C1") "</CIM_Other></r>");

    {
        json_t  *json, *list;

        json = ngx_amt_certificates_json(&s);
        list = json_object_get(json, "profileAssociation");

        ok(json_array_size(list) == 3
           && strcmp(HANDLE(0, "type"), "TLS") == 0
           && strcmp(HANDLE(1, "type"), "Wireless") == 0
           && strcmp(HANDLE(2, "type"), "Wired") == 0, "profiles in order");
        ok(strcmp(HANDLE(1, "profileID"), "air") == 0, "without the prefix");
        ok(json_object_size(json_array_get(list, 0)) == 2,
           "a certificate that is not there");

        json_is(json_incref(json_object_get(json_object_get(
                    json_array_get(list, 1), "rootCertificate"),
                    "associatedProfiles")),
                "[\"Wireless - air\"]", "a profile is told once");
        json_is(json_incref(json_object_get(json_object_get(
                    json_array_get(list, 2), "clientCertificate"),
                    "associatedProfiles")),
                "[\"Wireless - air\",\"Wired\"]", "copies are complete");
        json_decref(json);
    }

    json_is(ngx_amt_certificates_users(&s, "C1"),
            "\"Wired - wire, Wireless - air, Unknown Profile\"", "users");
    json_is(ngx_amt_certificates_users(&s, "C7"), "\"\"", "no users");
    ok(ngx_amt_certificates_find(&s, "C1") != NULL
       && ngx_amt_certificates_find(&s, "C") == NULL, "by its handle");

    /* a large certificate, of which each of many profiles would have a copy */

    {
        static u_char    big[16384];
        ngx_amt_xml_t    cert, value, *context;

        ngx_memzero(&cert, sizeof(cert));
        ngx_memzero(&value, sizeof(value));
        cert.first = &value;
        value.text.data = big;
        value.text.len = sizeof(big);

        context = ((ngx_amt_xml_t **) s.contexts->elts)[0];
        s.contexts = none();
        s.certificates = none();
        *(ngx_amt_xml_t **) ngx_array_push(s.certificates) = &cert;

        while (s.contexts->nelts < 256) {
            *(ngx_amt_xml_t **) ngx_array_push(s.contexts) = context;
        }

        ok(ngx_amt_certificates_sane(&s), "many copies");

        value.text.len = 250000;
        ok(!ngx_amt_certificates_sane(&s), "too many bytes of copies");

        value.text.len = 1;

        while (s.contexts->nelts < NGX_AMT_CERT_MAX_CONTEXTS) {
            *(ngx_amt_xml_t **) ngx_array_push(s.contexts) = context;
        }

        ok(!ngx_amt_certificates_sane(&s), "too many names of profiles");
    }

    /* more than any device has */

    s.certificates = none();

    while (s.certificates->nelts <= NGX_AMT_CERT_MAX) {
        *(ngx_amt_xml_t **) ngx_array_push(s.certificates) = NULL;
    }

    ok(!ngx_amt_certificates_sane(&s), "too many certificates");
}


/* ---- captures ---- */

static ngx_array_t *
capture(const char *dir, const char *name, ngx_amt_wsman_response_t *res)
{
    char            path[1024];
    ngx_str_t       text;
    ngx_array_t    *array;
    ngx_amt_xml_t  *x;

    snprintf(path, sizeof(path), "%s/wsman-responses/%s.xml", dir, name);

    text = unit_file(pool, path);

    if (text.len == (size_t) -1
        || ngx_amt_wsman_parse(pool, &text, res) != NGX_OK)
    {
        return NULL;
    }

    array = none();

    x = ngx_amt_xml_child(res->content, "Items");

    for (x = x ? x->first : NULL; x; x = x->next) {
        *(ngx_amt_xml_t **) ngx_array_push(array) = x;
    }

    return array;
}


static void
captures(void)
{
    size_t                     i;
    json_t                    *json, *v;
    const char                *dir, *text;
    ngx_array_t               *a;
    ngx_amt_certificates_t     s;
    ngx_amt_wsman_response_t   res;

    static const char  *gets[] = { "CIM_ComputerSystemPackage",
        "CIM_Chassis", "CIM_Card", "CIM_BIOSElement", NULL };

    static const struct {
        const char  *class;
        const char  *item;
        ngx_uint_t   flat;
    } lists[] = {
        { "CIM_Processor", "CIM_Processor", 0 },
        { "CIM_PhysicalMemory", "CIM_PhysicalMemory", 1 },
        { "CIM_MediaAccessDevice", "CIM_MediaAccessDevice", 1 },
        { "CIM_PhysicalPackage", "CIM_Card", 0 },
        { "CIM_SystemPackaging", "CIM_ComputerSystemPackage", 0 },
        { "CIM_Chip", "CIM_Chip", 0 },
        { NULL, NULL, 0 }
    };

    dir = getenv("AMT_CONTRACT");
    dir = dir ? dir : "../shared/contract";

    if (capture(dir, "CIM_Chip.Pull", &res) == NULL) {
        ok(1, "captures # SKIP not here");
        return;
    }

    for (i = 0; gets[i]; i++) {
        char  name[128];

        snprintf(name, sizeof(name), "%s.Get", gets[i]);

        a = capture(dir, name, &res);
        json = a ? ngx_amt_hardware_get(&res, gets[i]) : NULL;

        ok(json_integer_value(json_object_get(json, "status")) == 200
           && json_object_size(json_object_get(json, "response")) > 2
           && json_array_size(json_object_get(json, "responses")) == 1,
           "%s", name);
        json_decref(json);
    }

    for (i = 0; lists[i].class; i++) {
        char  name[128];

        snprintf(name, sizeof(name), "%s.Pull", lists[i].class);

        a = capture(dir, name, &res);
        json = a ? ngx_amt_hardware_list(a, lists[i].item, lists[i].flat)
                 : NULL;
        v = json_array_get(json_object_get(json, "responses"), 0);

        ok(json_integer_value(json_object_get(json, "status")) == 200
           && (json_is_object(v) || json_is_array(v)), "%s", name);
        json_decref(json);
    }

    s.dependencies = capture(dir, "CIM_ConcreteDependency.Pull", &res);
    s.certificates = capture(dir, "AMT_PublicKeyCertificate.Pull", &res);
    s.keys = capture(dir, "AMT_PublicPrivateKeyPair.Pull", &res);
    s.contexts = capture(dir, "CIM_CredentialContext.Pull", &res);

    json = ngx_amt_certificates_json(&s);
    v = json_object_get(json_object_get(json, "certificates"),
                        "publicKeyCertificateItems");
    text = json_string_value(json_object_get(json_array_get(v, 0),
                                             "displayName"));
    ok(json_array_size(v) == s.certificates->nelts && text
       && strcmp(text, "MPSRoot-0af1d5") == 0, "certificates");
    v = json_object_get(json, "profileAssociation");
    ok(json_array_size(v) == 1, "a profile of the captured store");
    json_decref(json);

    a = capture(dir, "IPS_AlarmClockOccurrence.Pull", &res);
    json = ngx_amt_alarm_json(a);
    text = json_string_value(json_object_get(json_array_get(json, 0),
                                             "InstanceID"));
    ok(text && strcmp(text, "testalarm") == 0, "an alarm");
    ok(json_integer_value(json_object_get(json_array_get(json, 0),
                                          "InternalInMinutes")) == 0,
       "whose interval is no duration");
    json_decref(json);
}


/* ---- hardware, alarms ---- */

static void
lists(void)
{
    json_is(ngx_amt_hardware_list(NULL, "a", 0),
            "{\"responses\":[null],\"status\":400}", "a class that is absent");
    json_is(ngx_amt_hardware_list(none(), "a", 1),
            "{\"responses\":[],\"status\":400}", "an empty flat list");
    json_is(ngx_amt_hardware_list(items("<r><a><n>1</n></a><b/></r>"), "a",
                                  0),
            "{\"responses\":[{\"n\":1}],\"status\":200}", "one item");
    json_is(ngx_amt_hardware_list(items("<r><a/><b/><a><n>2</n></a></r>"),
                                  "a", 0),
            "{\"responses\":[[{},{\"n\":2}]],\"status\":200}", "two items");
    json_is(ngx_amt_hardware_list(items("<r><a/><a><n>2</n></a></r>"), "a",
                                  1),
            "{\"responses\":[{},{\"n\":2}],\"status\":200}", "a flat list");

    json_is(ngx_amt_alarm_json(items("<r><a><InstanceID>01</InstanceID>"
            "<Interval><Interval>P1DT2H5M</Interval></Interval></a><a>"
            "<Interval>PT90M</Interval></a><a/></r>")),
            "[{\"InstanceID\":\"01\",\"Interval\":{\"Interval\":\"P1DT2H5M\"}"
            ",\"InternalInMinutes\":1565,\"IntervalInMinutes\":1565},{"
            "\"Interval\":\"PT90M\",\"InternalInMinutes\":90,"
            "\"IntervalInMinutes\":90},{\"InternalInMinutes\":0,"
            "\"IntervalInMinutes\":0}]", "alarms");
}


/* ---- bulk ---- */

static void
bulk(void)
{
    int                   good;
    char                  text[64];
    ngx_uint_t            i;
    ngx_amt_bulk_list_t   list;

    ok(ngx_amt_bulk_list_init(&list, pool, 1000) == NGX_OK, "a list");

    for (good = 1, i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "%08x-0000-4000-8000-%012x",
                 (unsigned) i * 7, (unsigned) i);
        good &= ngx_amt_bulk_list_add(&list, (u_char *) text, 36) == NGX_OK;
    }

    ok(good && list.n == 1000, "a thousand GUIDs");

    for (good = 1, i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "%08X-0000-4000-8000-%012X",
                 (unsigned) i * 7, (unsigned) i);
        good &= ngx_amt_bulk_list_add(&list, (u_char *) text, 36)
                == NGX_DONE;
    }

    ok(good && list.n == 1000, "each once, whatever their case");
    ok(list.guids[16 * 3] == 0 && list.guids[16 * 3 + 3] == 21,
       "in their order");
    ok(ngx_amt_bulk_list_add(&list, (u_char *) "ffffffff-0000-4000-8000-"
                             "000000000000", 36) == NGX_BUSY, "it is full");
    ok(ngx_amt_bulk_list_add(&list, (u_char *) "x", 1) == NGX_DECLINED
       && ngx_amt_bulk_list_add(&list, (u_char *) "", 0) == NGX_DECLINED,
       "no GUID");

    ngx_amt_bulk_list_done(&list, pool);
    ok(list.index == NULL && list.guids, "the index goes, the list stays");
}


int
main(void)
{
    EVP_PKEY            *pkey;
    static ngx_cycle_t   cycle;

    unit_init();

    cycle.log = &unit_log;
    ngx_cycle = &cycle;
    pool = unit_pool();
    pkey = EVP_RSA_gen(2048);

    x509(pkey);
    relations(pkey);
    captures();
    lists();
    bulk();

    EVP_PKEY_free(pkey);
    ngx_destroy_pool(pool);

    return done();
}
