
/*
 * The certificate store as JSON, with its relations; no I/O.  Contract mps.md
 * section 2.12.
 */


#include "amt/ngx_amt_certificates.h"
#include "amt/ngx_amt_json.h"
#include "amt/ngx_amt_x509.h"


#define NGX_AMT_CERT_NONE   NGX_AMT_CERT_MAX
#define NGX_AMT_CERT_NAME   sizeof("\"Wireless - \",")
#define NGX_AMT_CERT_8021X  "Intel(r) AMT:IEEE 802.1x Settings "


/* in the order in which they are told */

typedef enum {
    NGX_AMT_CERT_TLS = 0,
    NGX_AMT_CERT_WIRELESS,
    NGX_AMT_CERT_WIRED,
    NGX_AMT_CERT_UNKNOWN
} ngx_amt_cert_type_e;


static const char  *ngx_amt_cert_types[] = { "TLS", "Wireless", "Wired" };


static size_t ngx_amt_cert_longest(ngx_array_t *items);
static json_t *ngx_amt_cert_one(ngx_amt_xml_t *x, ngx_str_t *key);
static json_t *ngx_amt_cert_key(ngx_amt_xml_t *x, ngx_str_t *cert);
static ngx_int_t ngx_amt_cert_string(json_t *o, const char *name,
    ngx_str_t *s);
static json_t *ngx_amt_cert_display(ngx_amt_xml_t *x);
static ngx_int_t ngx_amt_cert_root(ngx_amt_xml_t *x);
static void ngx_amt_cert_link(ngx_amt_certificates_t *store,
    ngx_uint_t *link);
static void ngx_amt_cert_associate(ngx_amt_certificates_t *store,
    ngx_amt_xml_t *cert, ngx_amt_xml_t *key, ngx_uint_t *link);
static ngx_uint_t ngx_amt_cert_refers(ngx_amt_xml_t *reference,
    const char *class, ngx_str_t *id);
static ngx_int_t ngx_amt_cert_profiles(ngx_amt_certificates_t *store,
    json_t *certs, json_t *keys, json_t *profiles);
static ngx_int_t ngx_amt_cert_profile(ngx_amt_xml_t *context,
    ngx_uint_t type, json_t *certs, json_t *keys, json_t *profiles);
static ngx_int_t ngx_amt_cert_once(json_t *list, json_t *text);
static ngx_uint_t ngx_amt_cert_type(ngx_amt_xml_t *context);
static ngx_str_t ngx_amt_cert_profile_id(ngx_amt_xml_t *context);
static json_t *ngx_amt_cert_by(json_t *list, const char *name,
    json_t *value);
static ngx_uint_t ngx_amt_cert_equal(ngx_str_t *a, ngx_str_t *b);


ngx_uint_t
ngx_amt_certificates_sane(ngx_amt_certificates_t *store)
{
    size_t           copy, names;
    ngx_uint_t       i, n;
    ngx_amt_xml_t  **x;

    n = store->contexts->nelts;

    if (store->certificates->nelts > NGX_AMT_CERT_MAX
        || store->keys->nelts > NGX_AMT_CERT_MAX
        || n > NGX_AMT_CERT_MAX_CONTEXTS
        || store->dependencies->nelts > NGX_AMT_CERT_MAX_CONTEXTS)
    {
        return 0;
    }

    /*
     * In the answer each profile has copies of its certificates and keys, and
     * each of these certificates the names of its profiles.
     */

    x = store->contexts->elts;

    for (i = 0, names = 0; i < n; i++) {
        names += ngx_amt_cert_profile_id(x[i]).len + NGX_AMT_CERT_NAME;
    }

    copy = ngx_amt_cert_longest(store->certificates)
           + ngx_amt_cert_longest(store->keys);

    return n * (copy + names) <= NGX_AMT_CERT_MAX_COPIES;
}


static size_t
ngx_amt_cert_longest(ngx_array_t *items)
{
    size_t           len, longest;
    ngx_uint_t       i;
    ngx_amt_xml_t  **item, *x;

    item = items->elts;

    for (i = 0, longest = 0; i < items->nelts; i++) {

        for (x = item[i]->first, len = 0; x; x = x->next) {
            len += x->text.len;
        }

        longest = ngx_max(longest, len);
    }

    return longest;
}


json_t *
ngx_amt_certificates_json(ngx_amt_certificates_t *store)
{
    json_t          *certs, *keys, *profiles;
    ngx_int_t        rc;
    ngx_str_t        id;
    ngx_uint_t       i, n, link[NGX_AMT_CERT_MAX];
    ngx_amt_xml_t  **cert, **key;

    certs = json_array();
    keys = json_array();
    profiles = json_array();

    if (certs == NULL || keys == NULL || profiles == NULL) {
        goto failed;
    }

    ngx_amt_cert_link(store, link);

    cert = store->certificates->elts;
    key = store->keys->elts;

    for (i = 0; i < store->certificates->nelts; i++) {

        ngx_str_null(&id);

        if (link[i] != NGX_AMT_CERT_NONE) {
            id = ngx_amt_xml_text(key[link[i]], "InstanceID");
        }

        if (json_array_append_new(certs, ngx_amt_cert_one(cert[i], &id))
            != 0)
        {
            goto failed;
        }
    }

    for (i = 0; i < store->keys->nelts; i++) {

        ngx_str_null(&id);

        for (n = 0; n < store->certificates->nelts; n++) {

            if (link[n] == i) {
                id = ngx_amt_xml_text(cert[n], "InstanceID");
                break;
            }
        }

        if (json_array_append_new(keys, ngx_amt_cert_key(key[i], &id)) != 0) {
            goto failed;
        }
    }

    rc = ngx_amt_cert_profiles(store, certs, keys, profiles);

    if (rc != NGX_OK) {
        goto failed;
    }

    return json_pack("{s:{s:[],s:o},s:{s:o},s:o}",
                     "certificates",
                     "keyManagementItems",
                     "publicKeyCertificateItems", certs,
                     "publicKeys",
                     "publicPrivateKeyPairItems", keys,
                     "profileAssociation", profiles);

failed:

    json_decref(certs);
    json_decref(keys);
    json_decref(profiles);

    return NULL;
}


/* key: handle of its key pair, or empty */

static json_t *
ngx_amt_cert_one(ngx_amt_xml_t *x, ngx_str_t *key)
{
    json_t     *o;
    ngx_int_t   rc, readonly;
    ngx_str_t   name, id, der, issuer, subject;

    o = json_object();
    if (o == NULL) {
        return NULL;
    }

    name = ngx_amt_xml_text(x, "ElementName");
    id = ngx_amt_xml_text(x, "InstanceID");
    der = ngx_amt_xml_text(x, "X509Certificate");
    issuer = ngx_amt_xml_text(x, "Issuer");
    subject = ngx_amt_xml_text(x, "Subject");
    readonly = ngx_amt_xml_bool(x, "ReadOnlyCertificate", -1);

    rc = ngx_amt_cert_string(o, "elementName", &name);
    rc |= ngx_amt_cert_string(o, "instanceID", &id);
    rc |= ngx_amt_cert_string(o, "x509Certificate", &der);
    rc |= ngx_amt_json_set(o, "trustedRootCertificate",
                           json_boolean(ngx_amt_cert_root(x)));
    rc |= ngx_amt_cert_string(o, "issuer", &issuer);
    rc |= ngx_amt_cert_string(o, "subject", &subject);

    if (readonly != -1) {
        rc |= ngx_amt_json_set(o, "readOnlyCertificate",
                               json_boolean(readonly));
    }

    if (key->len) {
        rc |= ngx_amt_cert_string(o, "publicKeyHandle", key);
    }

    rc |= ngx_amt_json_set(o, "associatedProfiles", json_array());
    rc |= ngx_amt_json_set(o, "displayName", ngx_amt_cert_display(x));

    if (rc != NGX_OK) {
        json_decref(o);
        return NULL;
    }

    return o;
}


/* cert: handle of its certificate, or empty */

static json_t *
ngx_amt_cert_key(ngx_amt_xml_t *x, ngx_str_t *cert)
{
    json_t     *o;
    ngx_int_t   rc;
    ngx_str_t   name, id, der;

    o = json_object();
    if (o == NULL) {
        return NULL;
    }

    name = ngx_amt_xml_text(x, "ElementName");
    id = ngx_amt_xml_text(x, "InstanceID");
    der = ngx_amt_xml_text(x, "DERKey");

    rc = ngx_amt_cert_string(o, "elementName", &name);
    rc |= ngx_amt_cert_string(o, "instanceID", &id);
    rc |= ngx_amt_cert_string(o, "derKey", &der);

    if (cert->len) {
        rc |= ngx_amt_cert_string(o, "certificateHandle", cert);
    }

    if (rc != NGX_OK) {
        json_decref(o);
        return NULL;
    }

    return o;
}


static ngx_int_t
ngx_amt_cert_string(json_t *o, const char *name, ngx_str_t *s)
{
    return ngx_amt_json_set(o, name,
                            json_stringn(s->len ? (char *) s->data : "",
                                         s->len));
}


/* "CN=" of the subject, else the handle */

static json_t *
ngx_amt_cert_display(ngx_amt_xml_t *x)
{
    u_char     *p, *last;
    ngx_str_t   s;

    s = ngx_amt_xml_text(x, "Subject");

    if (s.len) {
        p = ngx_strnstr(s.data, "CN=", s.len);

        if (p) {
            p += sizeof("CN=") - 1;
            last = ngx_strlchr(p, s.data + s.len, ',');

            if (last == NULL) {
                last = s.data + s.len;
            }

            return json_stringn((char *) p, last - p);
        }
    }

    s = ngx_amt_xml_text(x, "InstanceID");

    return json_stringn(s.len ? (char *) s.data : "", s.len);
}


/* the first spelling is AMT's */

static ngx_int_t
ngx_amt_cert_root(ngx_amt_xml_t *x)
{
    ngx_int_t  root;

    root = ngx_amt_xml_bool(x, "TrustedRootCertficate", -1);

    if (root == -1) {
        root = ngx_amt_xml_bool(x, "TrustedRootCertificate", 0);
    }

    return root == 1;
}


/*
 * link: index of each certificate's key pair, or NGX_AMT_CERT_NONE.  By the
 * device's own associations, or else by the key itself.
 */

static void
ngx_amt_cert_link(ngx_amt_certificates_t *store, ngx_uint_t *link)
{
    u_char           buf[NGX_AMT_X509_KEY];
    ngx_str_t        der, own;
    ngx_uint_t       i, n;
    ngx_amt_xml_t  **x, **cert, **key, *a, *d;

    for (i = 0; i < store->certificates->nelts; i++) {
        link[i] = NGX_AMT_CERT_NONE;
    }

    /* associations of other classes are listed, too; both ways are seen */

    x = store->dependencies->elts;

    for (i = 0; i < store->dependencies->nelts; i++) {

        a = ngx_amt_xml_child(x[i], "Antecedent");
        d = ngx_amt_xml_child(x[i], "Dependent");

        if (ngx_amt_cert_refers(d, "AMT_PublicKeyCertificate", NULL)) {
            ngx_amt_cert_associate(store, d, a, link);

        } else {
            ngx_amt_cert_associate(store, a, d, link);
        }
    }

    cert = store->certificates->elts;
    key = store->keys->elts;

    for (i = 0; i < store->certificates->nelts; i++) {

        if (link[i] != NGX_AMT_CERT_NONE || store->keys->nelts == 0) {
            continue;
        }

        own.data = buf;
        der = ngx_amt_xml_text(cert[i], "X509Certificate");
        own.len = ngx_amt_x509_key(&der, buf);

        for (n = 0; own.len && n < store->keys->nelts; n++) {

            der = ngx_amt_xml_text(key[n], "DERKey");

            if (ngx_amt_cert_equal(&der, &own)) {
                link[i] = n;
                break;
            }
        }
    }
}


static void
ngx_amt_cert_associate(ngx_amt_certificates_t *store, ngx_amt_xml_t *cert,
    ngx_amt_xml_t *key, ngx_uint_t *link)
{
    ngx_str_t        id;
    ngx_uint_t       i, n;
    ngx_amt_xml_t  **c, **k;

    if (!ngx_amt_cert_refers(cert, "AMT_PublicKeyCertificate", NULL)
        || !ngx_amt_cert_refers(key, "AMT_PublicPrivateKeyPair", NULL))
    {
        return;
    }

    c = store->certificates->elts;
    k = store->keys->elts;

    for (i = 0; i < store->certificates->nelts; i++) {

        id = ngx_amt_xml_text(c[i], "InstanceID");

        if (!ngx_amt_cert_refers(cert, NULL, &id)) {
            continue;
        }

        for (n = 0; n < store->keys->nelts; n++) {

            id = ngx_amt_xml_text(k[n], "InstanceID");

            if (ngx_amt_cert_refers(key, NULL, &id)) {
                link[i] = n;
                return;
            }
        }
    }
}


/*
 * Is it a reference to this instance?  class NULL: of any class; id NULL: to
 * any instance.
 */

static ngx_uint_t
ngx_amt_cert_refers(ngx_amt_xml_t *reference, const char *class,
    ngx_str_t *id)
{
    size_t     len;
    ngx_str_t  uri, selector;

    if (class) {
        len = ngx_strlen(class);
        uri = ngx_amt_xml_text(ngx_amt_xml_child(reference,
                                                 "ReferenceParameters"),
                               "ResourceURI");

        if (uri.len <= len || uri.data[uri.len - len - 1] != '/'
            || ngx_strncmp(uri.data + uri.len - len, class, len) != 0)
        {
            return 0;
        }
    }

    if (id == NULL) {
        return 1;
    }

    selector = ngx_amt_certificates_selector(reference);

    return selector.len && ngx_amt_cert_equal(&selector, id);
}


ngx_str_t
ngx_amt_certificates_selector(ngx_amt_xml_t *reference)
{
    ngx_str_t       none;
    ngx_amt_xml_t  *x, *first;

    ngx_str_null(&none);

    x = ngx_amt_xml_child(reference, "ReferenceParameters");
    x = ngx_amt_xml_child(x, "SelectorSet");
    x = ngx_amt_xml_child(x, "Selector");

    if (x == NULL) {
        return none;
    }

    for (first = x; x; x = ngx_amt_xml_again(x)) {
        if (x->attr.len == sizeof("InstanceID") - 1
            && ngx_strncmp(x->attr.data, "InstanceID", x->attr.len) == 0)
        {
            return x->text;
        }
    }

    return first->text;
}


static ngx_int_t
ngx_amt_cert_profiles(ngx_amt_certificates_t *store, json_t *certs,
    json_t *keys, json_t *profiles)
{
    ngx_uint_t       i, type;
    ngx_amt_xml_t  **x;

    x = store->contexts->elts;

    for (type = NGX_AMT_CERT_TLS; type < NGX_AMT_CERT_UNKNOWN; type++) {

        for (i = 0; i < store->contexts->nelts; i++) {

            if (ngx_amt_cert_type(x[i]) != type) {
                continue;
            }

            if (ngx_amt_cert_profile(x[i], type, certs, keys, profiles)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* Contexts of one profile share an object, which refers to the others. */

static ngx_int_t
ngx_amt_cert_profile(ngx_amt_xml_t *context, ngx_uint_t type, json_t *certs,
    json_t *keys, json_t *profiles)
{
    size_t       i;
    json_t      *p, *cert, *key, *id, *value, *text;
    ngx_int_t    rc;
    ngx_str_t    s;
    const char  *name;

    p = NULL;
    name = ngx_amt_cert_types[type];

    s = ngx_amt_cert_profile_id(context);
    id = json_stringn(s.len ? (char *) s.data : "", s.len);

    if (id == NULL) {
        return NGX_ERROR;
    }

    json_array_foreach(profiles, i, p) {
        if (json_equal(json_object_get(p, "profileID"), id)
            && ngx_strcmp(json_string_value(json_object_get(p, "type")),
                          name) == 0)
        {
            break;
        }
    }

    if (i == json_array_size(profiles)) {
        p = json_pack("{s:s,s:O}", "type", name, "profileID", id);

        if (json_array_append_new(profiles, p) != 0) {
            json_decref(id);
            return NGX_ERROR;
        }
    }

    text = (type == NGX_AMT_CERT_WIRELESS)
           ? json_sprintf("Wireless - %s", json_string_value(id))
           : json_string(name);

    json_decref(id);

    s = ngx_amt_certificates_selector(ngx_amt_xml_child(context,
                                                        "ElementInContext"));
    value = json_stringn(s.len ? (char *) s.data : "", s.len);
    cert = ngx_amt_cert_by(certs, "instanceID", value);

    rc = (text && value) ? NGX_OK : NGX_ERROR;

    json_decref(value);

    if (rc != NGX_OK || cert == NULL) {
        json_decref(text);
        return rc;
    }

    if (ngx_amt_cert_once(json_object_get(cert, "associatedProfiles"), text)
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (json_is_true(json_object_get(cert, "trustedRootCertificate"))) {
        return json_object_set(p, "rootCertificate", cert) == 0 ? NGX_OK
                                                                : NGX_ERROR;
    }

    if (json_object_set(p, "clientCertificate", cert) != 0) {
        return NGX_ERROR;
    }

    key = ngx_amt_cert_by(keys, "instanceID",
                          json_object_get(cert, "publicKeyHandle"));

    if (key && json_object_set(p, "publicKey", key) != 0) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


/* Adds a text to a list that does not have it; takes the reference. */

static ngx_int_t
ngx_amt_cert_once(json_t *list, json_t *text)
{
    size_t   i;
    json_t  *v;

    json_array_foreach(list, i, v) {
        if (json_equal(v, text)) {
            json_decref(text);
            return NGX_OK;
        }
    }

    return json_array_append_new(list, text) == 0 ? NGX_OK : NGX_ERROR;
}


/* By the context's class, or else by what it is a context of. */

static ngx_uint_t
ngx_amt_cert_type(ngx_amt_xml_t *context)
{
    ngx_uint_t      i;
    ngx_str_t       uri;
    ngx_amt_xml_t  *x;

    static const struct {
        const char           *context;
        const char           *provider;
        ngx_amt_cert_type_e   type;
    } types[] = {
        { "AMT_TLSCredentialContext", "/AMT_TLSProtocolEndpointCollection",
          NGX_AMT_CERT_TLS },
        { "AMT_8021XCredentialContext", "/CIM_IEEE8021xSettings",
          NGX_AMT_CERT_WIRELESS },
        { "AMT_8021XWiredCredentialContext", "/IPS_IEEE8021xSettings",
          NGX_AMT_CERT_WIRED },
        { NULL, NULL, NGX_AMT_CERT_UNKNOWN }
    };

    for (i = 0; types[i].context; i++) {
        if (ngx_amt_xml_is(context, types[i].context)) {
            return types[i].type;
        }
    }

    x = ngx_amt_xml_child(context, "ElementProvidingContext");
    x = ngx_amt_xml_child(x, "ReferenceParameters");
    uri = ngx_amt_xml_text(x, "ResourceURI");

    for (i = 0; uri.len && types[i].context; i++) {
        if (ngx_strnstr(uri.data, (char *) types[i].provider, uri.len)) {
            return types[i].type;
        }
    }

    return NGX_AMT_CERT_UNKNOWN;
}


static ngx_str_t
ngx_amt_cert_profile_id(ngx_amt_xml_t *context)
{
    size_t     len;
    ngx_str_t  s;

    s = ngx_amt_certificates_selector(
                      ngx_amt_xml_child(context, "ElementProvidingContext"));

    len = sizeof(NGX_AMT_CERT_8021X) - 1;

    if (s.len >= len
        && ngx_strncmp(s.data, NGX_AMT_CERT_8021X, len) == 0)
    {
        s.data += len;
        s.len -= len;
    }

    return s;
}


/* The object of a list whose member has this value, or NULL. */

static json_t *
ngx_amt_cert_by(json_t *list, const char *name, json_t *value)
{
    size_t   i;
    json_t  *o;

    if (value == NULL) {
        return NULL;
    }

    json_array_foreach(list, i, o) {
        if (json_equal(json_object_get(o, name), value)) {
            return o;
        }
    }

    return NULL;
}


static ngx_uint_t
ngx_amt_cert_equal(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len
           && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}


ngx_amt_xml_t *
ngx_amt_certificates_find(ngx_amt_certificates_t *store, const char *handle)
{
    ngx_str_t        s, id;
    ngx_uint_t       i;
    ngx_amt_xml_t  **x;

    s.data = (u_char *) handle;
    s.len = ngx_strlen(handle);

    x = store->certificates->elts;

    for (i = 0; i < store->certificates->nelts; i++) {
        id = ngx_amt_xml_text(x[i], "InstanceID");

        if (ngx_amt_cert_equal(&id, &s)) {
            return x[i];
        }
    }

    return NULL;
}


json_t *
ngx_amt_certificates_users(ngx_amt_certificates_t *store, const char *handle)
{
    size_t           i;
    json_t          *list, *text, *v, *all;
    ngx_str_t        id, s;
    ngx_uint_t       n, type;
    ngx_amt_xml_t  **x;

    id.data = (u_char *) handle;
    id.len = ngx_strlen(handle);

    list = json_array();
    all = json_string("");

    if (list == NULL || all == NULL) {
        goto failed;
    }

    x = store->contexts->elts;

    for (n = 0; n < store->contexts->nelts; n++) {

        if (!ngx_amt_cert_refers(ngx_amt_xml_child(x[n], "ElementInContext"),
                                 NULL, &id))
        {
            continue;
        }

        s = ngx_amt_cert_profile_id(x[n]);
        type = ngx_amt_cert_type(x[n]);

        if (s.len == 0 || type == NGX_AMT_CERT_UNKNOWN) {
            text = json_string("Unknown Profile");

        } else {
            text = json_sprintf("%s - %.*s", ngx_amt_cert_types[type],
                                (int) s.len, s.data);
        }

        if (text == NULL || ngx_amt_cert_once(list, text) != NGX_OK) {
            goto failed;
        }
    }

    json_array_foreach(list, i, v) {

        text = json_sprintf("%s%s%s", json_string_value(all),
                            i ? ", " : "", json_string_value(v));

        if (text == NULL) {
            goto failed;
        }

        json_decref(all);
        all = text;
    }

    json_decref(list);

    return all;

failed:

    json_decref(list);
    json_decref(all);

    return NULL;
}
