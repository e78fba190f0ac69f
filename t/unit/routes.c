
/*
 * The route tables: nothing twice, nothing without what its flags promise.
 * With --dump they are printed as JSON, for the test of openapi.yaml.
 */


#include "wsman_unit.h"
#include "mps/ngx_amt_route.h"


static const struct {
    ngx_uint_t   scope;
    const char  *name;
} scopes[] = {
    { NGX_AMT_SCOPE_READ, "read" },
    { NGX_AMT_SCOPE_POWER, "power" },
    { NGX_AMT_SCOPE_DEVICES, "devices" },
    { NGX_AMT_SCOPE_CONFIGURE, "configure" },
    { NGX_AMT_SCOPE_REDIRECTION, "redirection" },
    { NGX_AMT_SCOPE_FORCE, "force" },
    { NGX_AMT_SCOPE_SECRETS, "secrets" },
    { NGX_AMT_SCOPE_PROVISION, "provision" },
    { NGX_AMT_SCOPE_RECORD, "record" }
};


static const char *
method(ngx_uint_t m)
{
    switch (m) {
    case NGX_HTTP_GET:
        return "get";
    case NGX_HTTP_POST:
        return "post";
    case NGX_HTTP_PUT:
        return "put";
    case NGX_HTTP_PATCH:
        return "patch";
    case NGX_HTTP_DELETE:
        return "delete";
    default:
        return "?";
    }
}


static json_t *
one(const ngx_amt_route_t *r)
{
    size_t                  i;
    json_t                 *o, *list;
    const ngx_amt_check_t  *c;

    list = json_array();

    for (i = 0; i < sizeof(scopes) / sizeof(scopes[0]); i++) {
        if (r->scope & scopes[i].scope) {
            json_array_append_new(list, json_string(scopes[i].name));
        }
    }

    o = json_pack("{s:s,s:s,s:o,s:b,s:b,s:b,s:b,s:b}", "method",
                  method(r->method), "path", r->path, "scopes", list,
                  "open", (r->flags & NGX_AMT_ROUTE_OPEN) != 0,
                  "device", (r->flags & NGX_AMT_ROUTE_DEVICE) != 0,
                  "audit", (r->flags & NGX_AMT_ROUTE_AUDIT) != 0,
                  "stream", (r->flags & NGX_AMT_ROUTE_STREAM) != 0,
                  "timeout", (r->flags & NGX_AMT_ROUTE_TIMEOUT) != 0);

    list = json_array();

    for (c = r->checks; c && c->field; c++) {
        json_array_append_new(list,
            json_pack("{s:s,s:i,s:b}", "field", c->field, "in", (int) c->in,
                      "optional", (c->flags & (NGX_AMT_CHECK_OPTIONAL
                                              |NGX_AMT_CHECK_NULLABLE
                                              |NGX_AMT_CHECK_FALSY)) != 0));
    }

    json_object_set_new(o, "checks", list);

    return o;
}


static void
dump(void)
{
    json_t                  *all;
    const ngx_amt_route_t   *r, **table;

    all = json_array();

    for (table = ngx_amt_route_tables; *table; table++) {
        for (r = *table; r->path; r++) {
            json_array_append_new(all, one(r));
        }
    }

    json_dumpf(all, stdout, JSON_INDENT(1));
    json_decref(all);
}


static void
check(const ngx_amt_route_t *r)
{
    size_t                  n;
    const char             *p;
    const ngx_amt_route_t  *o, **table;

    ok(r->body && r->size >= sizeof(ngx_amt_api_frame_t) && r->exception,
       "%s %s: complete", method(r->method), r->path);

    ok(method(r->method)[0] != '?', "%s: method", r->path);

    for (n = 0, p = r->path; (p = strchr(p, ':')) != NULL; p++) {
        n++;
    }

    ok(n <= NGX_AMT_API_PARAMS && r->path[0] != '/', "%s: path", r->path);

    ok(!(r->flags & NGX_AMT_ROUTE_DEVICE) || strstr(r->path, ":guid"),
       "%s: a device has a GUID", r->path);

    ok(((r->flags & NGX_AMT_ROUTE_AUDIT) != 0) == (r->action != NULL),
       "%s: an audited one has an action", r->path);

    /* what changes something is audited, but for logins */

    ok(r->method == NGX_HTTP_GET || (r->flags & NGX_AMT_ROUTE_AUDIT)
       || strcmp(r->path, "authorize") == 0
       || strcmp(r->path, "devices/refresh/:guid") == 0,
       "%s %s: a change is audited", method(r->method), r->path);

    ok(r->scope || (r->flags & NGX_AMT_ROUTE_OPEN) || r->method
       == NGX_HTTP_GET, "%s %s: a change has a scope", method(r->method),
       r->path);

    for (table = ngx_amt_route_tables, n = 0; *table; table++) {
        for (o = *table; o->path; o++) {
            n += o->method == r->method
                 && ngx_strcasecmp((u_char *) o->path, (u_char *) r->path)
                    == 0;
        }
    }

    ok(n == 1, "%s %s: once", method(r->method), r->path);
}


int
main(int argc, char **argv)
{
    const ngx_amt_route_t  *r, **table;

    if (argc == 2 && strcmp(argv[1], "--dump") == 0) {
        dump();
        return 0;
    }

    for (table = ngx_amt_route_tables; *table; table++) {
        for (r = *table; r->path; r++) {
            check(r);
        }
    }

    return done();
}
