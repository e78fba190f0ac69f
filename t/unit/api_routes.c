
/*
 * The tables of routes: what each line must have.  With --list one JSON
 * object per route on stdout, for the tests that ask every route.
 */


#include "wsman_unit.h"
#include "mps/ngx_amt_route.h"


static const struct {
    ngx_uint_t   bit;
    const char  *name;
} methods[] = {
    { NGX_HTTP_GET, "GET" },
    { NGX_HTTP_POST, "POST" },
    { NGX_HTTP_PUT, "PUT" },
    { NGX_HTTP_PATCH, "PATCH" },
    { NGX_HTTP_DELETE, "DELETE" },
    { 0, NULL }
};


static const struct {
    ngx_uint_t   bit;
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
    { NGX_AMT_SCOPE_RECORD, "record" },
    { 0, NULL }
};


static const char *
method_of(const ngx_amt_route_t *route)
{
    ngx_uint_t  i;

    for (i = 0; methods[i].name; i++) {
        if (methods[i].bit == route->method) {
            return methods[i].name;
        }
    }

    return NULL;
}


static void
list(const ngx_amt_route_t *route)
{
    json_t      *json, *scope;
    ngx_uint_t   i;

    scope = json_array();

    for (i = 0; scopes[i].name; i++) {
        if (route->scope & scopes[i].bit) {
            json_array_append_new(scope, json_string(scopes[i].name));
        }
    }

    json = json_pack("{s:s,s:s,s:o,s:b,s:b,s:b,s:b,s:b,s:b,s:s}",
                     "method", method_of(route),
                     "path", route->path,
                     "scopes", scope,
                     "open", (route->flags & NGX_AMT_ROUTE_OPEN) != 0,
                     "device", (route->flags & NGX_AMT_ROUTE_DEVICE) != 0,
                     "audit", (route->flags & NGX_AMT_ROUTE_AUDIT) != 0,
                     "table", (route->flags & NGX_AMT_ROUTE_TIMEOUT) != 0,
                     "empty", (route->flags & NGX_AMT_ROUTE_EMPTY) != 0,
                     "checks", route->checks != NULL,
                     "exception", route->exception);

    json_dumpf(json, stdout, JSON_COMPACT);
    puts("");
    json_decref(json);
}


/* ":guid" before any other parameter, at most as many as there is room for */

static int
params_good(const char *path)
{
    int          n;
    const char  *p;

    for (n = 0, p = strchr(path, ':'); p; p = strchr(p + 1, ':'), n++) {

        if (p[-1] != '/') {
            return 0;
        }

        if (n == 0 && strcmp(p, ":guid") != 0
            && strncmp(p, ":guid/", 6) != 0)
        {
            return 0;
        }
    }

    return n <= NGX_AMT_API_PARAMS;
}


static int
same_route(const ngx_amt_route_t *a, const ngx_amt_route_t *b)
{
    return a->method == b->method && strcasecmp(a->path, b->path) == 0;
}


static void
check(const ngx_amt_route_t *route)
{
    const char             *path, *method;
    const ngx_amt_route_t  *other, **table;

    path = route->path;
    method = method_of(route);

    if (!ok(method != NULL, "%s: one method", path)) {
        return;
    }

    ok(route->body != NULL && route->size >= sizeof(ngx_amt_api_frame_t),
       "%s %s: body and frame", method, path);
    ok(route->exception != NULL && *route->exception,
       "%s %s: says what failed", method, path);
    ok(params_good(path), "%s %s: parameters", method, path);
    ok((route->body == ngx_amt_mps_device) <= (route->op != NULL),
       "%s %s: a capability to run", method, path);
    ok(route->op == NULL || (route->flags & NGX_AMT_ROUTE_DEVICE),
       "%s %s: capabilities need a device", method, path);
    ok(!(route->flags & NGX_AMT_ROUTE_DEVICE) || strstr(path, ":guid"),
       "%s %s: devices have a GUID", method, path);

    /* deny by default: only these are for everybody, or for any key */

    ok(route->scope != 0
       || strcmp(path, "authorize") == 0 || strcmp(path, "health") == 0
       || strcmp(path, "version") == 0
       || strcmp(path, "openapi.yaml") == 0,
       "%s %s: needs a scope", method, path);
    ok(!(route->flags & NGX_AMT_ROUTE_OPEN) || route->scope == 0,
       "%s %s: open or guarded", method, path);

    /* what changes something says so before it does */

    ok(route->method == NGX_HTTP_GET || strcmp(path, "authorize") == 0
       || (route->flags & NGX_AMT_ROUTE_AUDIT),
       "%s %s: is audited", method, path);
    ok(!(route->flags & NGX_AMT_ROUTE_AUDIT)
       || (route->action && *route->action),
       "%s %s: has a name in the audit log", method, path);
    ok(!(route->op && route->op->fresh)
       || (route->flags & NGX_AMT_ROUTE_AUDIT),
       "%s %s: changes the device and is audited", method, path);

    for (table = ngx_amt_route_tables; *table; table++) {
        for (other = *table; other->path; other++) {
            if (other != route && same_route(other, route)) {
                ok(0, "%s %s: is there twice", method, path);
            }
        }
    }
}


int
main(int argc, char **argv)
{
    const ngx_amt_route_t  *route, **table;

    unit_init();

    for (table = ngx_amt_route_tables; *table; table++) {
        for (route = *table; route->path; route++) {

            if (argc > 1 && strcmp(argv[1], "--list") == 0) {
                list(route);

            } else {
                check(route);
            }
        }
    }

    return argc > 1 ? 0 : done();
}
