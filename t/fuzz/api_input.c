
/*
 * From JSON to WSMAN: a body that passes a route's checks goes through the
 * route's input, and what the network routes make of it is encoded.  The
 * request must be well-formed and say exactly what the body said, whatever
 * is in it; what is refused must be refused in JSON, without the body's
 * secrets.  The first byte chooses the route.
 */


#include "mps/ngx_amt_mps_network.h"
#include "mps/ngx_amt_route.h"
#include "amt/ngx_amt_network.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static json_t *
parse(ngx_str_t *s)
{
    json_error_t  err;

    return json_loadb((char *) s->data, s->len,
                      JSON_DECODE_ANY|JSON_DECODE_INT_AS_REAL
                      |JSON_ALLOW_NUL|JSON_REJECT_DUPLICATES, &err);
}


static const ngx_amt_route_t *
route_of(ngx_uint_t n)
{
    ngx_uint_t              i;
    const ngx_amt_route_t  *route, **table;

    for ( ;; ) {

        for (table = ngx_amt_route_tables, i = 0; *table; table++) {
            for (route = *table; route->path; route++) {

                if (route->input && route->op && i++ == n) {
                    return route;
                }
            }
        }

        n %= i;
    }
}


/* A method's input as the envelope has it. */

static ngx_amt_xml_t *
wrap(ngx_pool_t *pool, const char *class, const char *method,
    ngx_str_t *selector, ngx_str_t *body)
{
    ngx_str_t                  out;
    ngx_amt_wsman_request_t    req;
    ngx_amt_wsman_response_t   res;

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = method ? NGX_AMT_WSMAN_INVOKE : NGX_AMT_WSMAN_PUT;
    req.class = class;
    req.method = method;
    req.body = *body;

    if (selector) {
        ngx_str_set(&req.selector, "InstanceID");
        req.value = *selector;
    }

    if (ngx_amt_wsman_build(pool, &req, 7, &out) != NGX_OK) {
        return NULL;
    }

    if (ngx_amt_wsman_parse(pool, &out, &res) != NGX_OK) {
        abort();
    }

    if (res.content == NULL || res.content->next) {
        abort();
    }

    return res.content;
}


/* The element must say what the member says. */

static void
says(ngx_amt_xml_t *x, const char *element, json_t *object,
    const char *member)
{
    size_t          len;
    json_t         *value;
    const char     *text;

    x = ngx_amt_xml_child(x, element);
    value = json_object_get(object, member);

    if (!json_is_string(value) || json_string_length(value) == 0) {
        return;
    }

    text = json_string_value(value);
    len = json_string_length(value);

    if (x == NULL || ngx_amt_xml_again(x) || x->first
        || x->raw.len != len || memcmp(x->raw.data, text, len) != 0)
    {
        abort();
    }
}


static void
profile(ngx_pool_t *pool, json_t *input, ngx_uint_t update)
{
    json_t                     *x;
    ngx_int_t                   rc;
    ngx_str_t                   body;
    ngx_amt_xml_t              *root, *w;
    ngx_amt_network_profile_t   p;

    if (ngx_amt_network_profile_input(pool, input, &p) != NGX_OK) {
        abort();
    }

    ngx_str_set(&p.client, "Handle: <1>");

    rc = ngx_amt_network_profile_xml(pool, &p, update, &body);

    if (rc == NGX_DECLINED) {

        /* control characters, or too long */

        return;
    }

    root = wrap(pool, "AMT_WiFiPortConfigurationService",
                update ? "UpdateWiFiSettings" : "AddWiFiSettings", NULL,
                &body);

    if (root == NULL) {
        return;
    }

    w = ngx_amt_xml_child(root, "WiFiEndpointSettingsInput");

    if (w == NULL) {
        abort();
    }

    says(w, "ElementName", input, "profileName");
    says(w, "SSID", input, "ssid");
    says(w, "PSKPassPhrase", input, "password");

    if (ngx_amt_xml_int(w, "Priority", 0) < 1
        || ngx_amt_xml_int(w, "Priority", 0) > 255
        || ngx_amt_xml_int(w, "AuthenticationMethod", 0) < 1
        || ngx_amt_xml_int(w, "EncryptionMethod", 0) < 1)
    {
        abort();
    }

    x = json_object_get(input, "ieee8021x");
    w = ngx_amt_xml_child(root, "IEEE8021xSettingsInput");

    if ((x != NULL) != (w != NULL)) {
        abort();
    }

    if (x) {
        says(w, "Username", x, "username");
        says(w, "Password", x, "password");
    }
}


static ngx_amt_xml_t *
instance(ngx_pool_t *pool)
{
    ngx_str_t                  text;
    ngx_amt_wsman_response_t   res;

    ngx_str_set(&text, "<e:Envelope xmlns:e=\"http://www.w3.org/2003/05/"
        "soap-envelope\"><e:Body><h:AMT_EthernetPortSettings xmlns:h=\""
        "http://intel.com/wbem/wscim/1/amt-schema/1/AMT_EthernetPortSettings"
        "\"><h:DHCPEnabled>true</h:DHCPEnabled><h:New>1</h:New>"
        "<h:IPAddress>192.0.2.7</h:IPAddress></h:AMT_EthernetPortSettings>"
        "</e:Body></e:Envelope>");

    if (ngx_amt_wsman_parse(pool, &text, &res) != NGX_OK) {
        abort();
    }

    return res.content;
}


static void
wired(ngx_pool_t *pool, json_t *input)
{
    ngx_str_t                 body;
    ngx_amt_xml_t            *root;
    ngx_amt_network_wired_t   w;

    ngx_amt_network_wired_input(input, &w);

    if (ngx_amt_network_wired_put(pool, instance(pool), &w, &body)
        != NGX_OK)
    {
        return;
    }

    root = wrap(pool, "AMT_EthernetPortSettings", NULL, NULL, &body);

    if (root == NULL) {
        return;
    }

    /* addresses only where they are AMT's own, and all that it needs */

    if (ngx_amt_xml_int(root, "New", 0) != 1
        || ngx_amt_xml_bool(root, "DHCPEnabled", -1) != (ngx_int_t) w.dhcp
        || (ngx_amt_xml_child(root, "IPAddress") != NULL)
           != (!w.dhcp && !w.sync))
    {
        abort();
    }

    if (!w.dhcp && !w.sync) {
        says(root, "IPAddress", input, "ipAddress");
        says(root, "SubnetMask", input, "subnetMask");
        says(root, "DefaultGateway", input, "defaultGateway");
        says(root, "PrimaryDNS", input, "primaryDNS");
        says(root, "SecondaryDNS", input, "secondaryDNS");
    }
}


static void
network(ngx_pool_t *pool, const ngx_amt_route_t *route, json_t *input)
{
    ngx_str_t  body;

    if (route->op == &ngx_amt_network_profile_add
        || route->op == &ngx_amt_network_profile_update)
    {
        profile(pool, input, route->op == &ngx_amt_network_profile_update);

    } else if (route->op == &ngx_amt_network_wired_set) {
        wired(pool, input);

    } else if (route->op == &ngx_amt_network_link) {

        if (ngx_amt_network_link_input(pool,
                 json_integer_value(json_object_get(input, "linkPreference")),
                 json_integer_value(json_object_get(input, "timeout")),
                 &body)
            != NGX_OK
            || wrap(pool, "AMT_EthernetPortSettings", "SetLinkPreference",
                    NULL, &body)
               == NULL)
        {
            abort();
        }

    } else if (route->op == &ngx_amt_network_state_set) {

        if (ngx_amt_network_name(ngx_amt_network_states,
                      json_integer_value(json_object_get(input, "state")),
                      NULL)
            == NULL)
        {
            abort();
        }
    }
}


/* What is refused says so in JSON; the marked secret is not in it. */

static void
answer(ngx_str_t *text)
{
    size_t   i;
    json_t  *json;

    json = parse(text);

    if (!json_is_object(json)) {
        abort();
    }

    json_decref(json);

    for (i = 0; i + 8 <= text->len; i++) {
        if (memcmp(text->data + i, "S3CRET!!", 8) == 0) {
            abort();
        }
    }
}


/* Secrets where bodies have them: no answer and no audit line may. */

static void
mark(json_t *body)
{
    size_t       i;
    json_t      *x;

    static const char  *names[] = {
        "password", "privateKey", "clientCert", "caCert", NULL
    };

    x = json_object_get(body, "ieee8021x");

    for (i = 0; names[i]; i++) {

        if (json_is_string(json_object_get(x, names[i])) && i == 0) {
            json_object_set_new(x, names[i], json_string("S3CRET!!"));
        }
    }

    if (json_is_string(json_object_get(body, "password"))
        && json_string_length(json_object_get(body, "password")))
    {
        json_object_set_new(body, "password", json_string("S3CRET!!"));
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                 *copy;
    ngx_int_t               rc;
    ngx_str_t               text, in;
    ngx_amt_api_t           api;
    ngx_amt_body_t          b;
    ngx_amt_input_t         input;
    static ngx_log_t        log;

    if (size == 0 || memmem(data, size, "S3CRET", 6)) {
        return 0;
    }

    ngx_pagesize = 4096;

    memset(&api, 0, sizeof(api));

    api.pool = ngx_create_pool(4096, &log);
    api.route = route_of(data[0]);

    copy = malloc(size);
    memcpy(copy, data + 1, size - 1);

    memset(&b, 0, sizeof(b));

    b.pool = api.pool;
    b.max = NGX_AMT_BODY_MAX;
    b.start = copy;
    b.last = copy + size - 1;
    b.end = b.last;

    if (ngx_amt_body_parse(&b, &api.body) != NGX_AMT_BODY_OK) {
        api.body = NULL;
    }

    mark(api.body);

    api.query = json_object();
    ngx_str_set(&api.guid, "4c4c4544-0042-4a10-8057-b4c04f4e3132");
    api.params[0] = api.guid;
    ngx_str_set(&in, "name");
    api.params[1] = in;

    memset(&input, 0, sizeof(input));
    input.body = api.body;
    input.params = json_object();
    (void) ngx_amt_route_members(&api, 0, input.params);

    rc = NGX_OK;

    if (api.route->checks) {
        rc = ngx_amt_validate(api.route->checks, &input, api.pool, &text);

        if (rc == NGX_DECLINED) {
            answer(&text);
        }
    }

    if (rc == NGX_OK) {

        if (api.route->detail
            && api.route->detail(&api, &text) == NGX_OK && text.len)
        {
            answer(&text);
        }

        rc = api.route->input(&api);

        if (rc == NGX_DECLINED) {

            if (api.reply.status < 400) {
                abort();
            }

            answer(&api.reply.body);

        } else if (rc == NGX_OK) {
            network(api.pool, api.route, api.body);

        } else {
            abort();
        }
    }

    json_decref(input.params);
    json_decref(api.query);
    json_decref(api.body);
    ngx_destroy_pool(api.pool);
    free(copy);

    return 0;
}
