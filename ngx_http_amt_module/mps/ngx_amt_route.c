
/*
 * The route tables and how a path is matched.  Contract mps.md sections 1.2,
 * 1.9, 2.0.
 */


#include "mps/ngx_amt_route.h"
#include "ngx_cira_utf8.h"


#define NGX_AMT_SEGMENTS  10


static ngx_int_t ngx_amt_route_split(ngx_amt_api_t *api, ngx_str_t *uri,
    ngx_str_t *prefix, ngx_str_t *below, ngx_str_t *segment, ngx_uint_t *n);
static ngx_int_t ngx_amt_route_cut(u_char *p, u_char *last,
    ngx_str_t *segment, ngx_uint_t *n);
static ngx_int_t ngx_amt_route_params(ngx_amt_api_t *api,
    ngx_str_t *params);
static ngx_int_t ngx_amt_route_fixed(ngx_str_t *segment, const char *text);
static ngx_int_t ngx_amt_route_match(const ngx_amt_route_t *route,
    ngx_str_t *segment, ngx_uint_t n, ngx_str_t *params);


const ngx_amt_route_t  *ngx_amt_route_tables[] = {
    ngx_amt_routes_server,
    ngx_amt_routes_devices,
    ngx_amt_routes_power,
    ngx_amt_routes_settings,
    ngx_amt_routes_logs,
    ngx_amt_routes_network,
    ngx_amt_routes_bulk,
    ngx_amt_routes_admin,
    NULL
};


ngx_int_t
ngx_amt_route_find(ngx_amt_api_t *api, ngx_uint_t method, ngx_str_t *uri,
    ngx_str_t *prefix, ngx_str_t *below, ngx_uint_t *open)
{
    ngx_int_t                rc;
    ngx_str_t                segment[NGX_AMT_SEGMENTS];
    ngx_str_t                params[NGX_AMT_API_PARAMS];
    ngx_uint_t               n;
    const ngx_amt_route_t   *route, **table;

    *open = 0;

    if (method == NGX_HTTP_HEAD) {
        method = NGX_HTTP_GET;
    }

    rc = ngx_amt_route_split(api, uri, prefix, below, segment, &n);

    if (rc != NGX_OK) {
        return rc;
    }

    for (table = ngx_amt_route_tables; *table; table++) {
        for (route = *table; route->path; route++) {

            ngx_memzero(params, sizeof(params));

            if (ngx_amt_route_match(route, segment, n, params) != NGX_OK) {
                continue;
            }

            if (route->flags & NGX_AMT_ROUTE_OPEN) {
                *open = 1;
            }

            if (api->route || route->method != method) {
                continue;
            }

            api->route = route;

            if (ngx_amt_route_params(api, params) != NGX_OK) {
                return NGX_ERROR;
            }
        }
    }

    return api->route ? NGX_OK : NGX_DECLINED;
}


/* The parameters' text; NGX_ERROR: no memory. */

static ngx_int_t
ngx_amt_route_params(ngx_amt_api_t *api, ngx_str_t *params)
{
    ngx_uint_t  i;

    for (i = 0; i < NGX_AMT_API_PARAMS; i++) {

        if (params[i].data == NULL) {
            continue;
        }

        api->params[i].data = ngx_pstrdup(api->pool, &params[i]);
        if (api->params[i].data == NULL) {
            return NGX_ERROR;
        }

        api->params[i].len = params[i].len;

        if (ngx_amt_body_unescape(&api->params[i], 0) != NGX_OK
            || !ngx_cira_utf8_valid(api->params[i].data, api->params[i].len))
        {
            api->bad_path = 1;
        }
    }

    api->guid = api->params[0];

    return NGX_OK;
}


/*
 * Segments below /api/v1, still percent-encoded: of what follows the prefix,
 * or, when below is not empty, of below and what follows the prefix.
 * NGX_DECLINED: not below it, too many, or an empty one before the end.
 */

static ngx_int_t
ngx_amt_route_split(ngx_amt_api_t *api, ngx_str_t *uri, ngx_str_t *prefix,
    ngx_str_t *below, ngx_str_t *segment, ngx_uint_t *n)
{
    size_t       len;
    u_char      *p, *last, *end;
    ngx_uint_t   i, skip;

    p = uri->data;
    last = p + uri->len;

    for (end = p; end < last && *end != '?' && *end != '#'; end++) {
        /* void */
    }

    last = end;
    len = last - p;

    api->path.data = ngx_pnalloc(api->pool, len + 1);
    if (api->path.data == NULL) {
        return NGX_ERROR;
    }

    api->path.len = len;
    ngx_memcpy(api->path.data, p, len);

    if (len < prefix->len
        || (prefix->len && ngx_memcmp(p, prefix->data, prefix->len) != 0))
    {
        return NGX_DECLINED;
    }

    p += prefix->len;

    if (p == last || *p != '/') {
        return NGX_DECLINED;
    }

    *n = 0;

    if (below->len
        && ngx_amt_route_cut(below->data, below->data + below->len, segment,
                             n)
           != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (ngx_amt_route_cut(p, last, segment, n) != NGX_OK) {
        return NGX_DECLINED;
    }

    if (below->len) {
        return NGX_OK;
    }

    i = *n;

    /* the login of the reference gateway's layout: contract 1.9 */

    skip = (prefix->len && i == 4
            && ngx_amt_route_fixed(&segment[0], "login") == NGX_OK
            && ngx_amt_route_fixed(&segment[3], "authorize") == NGX_OK);

    if (i < skip + 3
        || ngx_amt_route_fixed(&segment[skip], "api") != NGX_OK
        || ngx_amt_route_fixed(&segment[skip + 1], "v1") != NGX_OK)
    {
        return NGX_DECLINED;
    }

    skip += 2;
    *n = i - skip;

    for (i = 0; i < *n; i++) {
        segment[i] = segment[i + skip];
    }

    return NGX_OK;
}


/* Adds the segments of "/a/b" or "/a/b/" to those there are. */

static ngx_int_t
ngx_amt_route_cut(u_char *p, u_char *last, ngx_str_t *segment, ngx_uint_t *n)
{
    ngx_uint_t  i, first;

    first = *n;

    for (i = first; p < last; i++) {

        if (i == NGX_AMT_SEGMENTS) {
            return NGX_DECLINED;
        }

        segment[i].data = ++p;

        for ( /* void */ ; p < last && *p != '/'; p++) { /* void */ }

        segment[i].len = p - segment[i].data;

        if (segment[i].len == 0) {

            /* one trailing slash is fine */

            if (p == last && i > first) {
                break;
            }

            return NGX_DECLINED;
        }
    }

    *n = i;

    return NGX_OK;
}


/*
 * Compares a percent-encoded segment with fixed text, which ends with a slash
 * or as a string does, ignoring case.
 */

static ngx_int_t
ngx_amt_route_fixed(ngx_str_t *segment, const char *text)
{
    u_char    *p, *last, c;
    ngx_int_t  n;

    p = segment->data;
    last = p + segment->len;

    for ( /* void */ ; *text && *text != '/'; text++) {

        if (p == last) {
            return NGX_DECLINED;
        }

        c = *p++;

        if (c == '%') {

            if (last - p < 2) {
                return NGX_DECLINED;
            }

            n = ngx_hextoi(p, 2);

            if (n == NGX_ERROR) {
                return NGX_DECLINED;
            }

            c = (u_char) n;
            p += 2;
        }

        if (ngx_tolower(c) != ngx_tolower(*text)) {
            return NGX_DECLINED;
        }
    }

    return p == last ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_amt_route_match(const ngx_amt_route_t *route, ngx_str_t *segment,
    ngx_uint_t n, ngx_str_t *params)
{
    ngx_uint_t   i, k;
    const char  *p;

    p = route->path;

    for (i = 0, k = 0; i < n; i++) {

        if (p == NULL) {
            return NGX_DECLINED;
        }

        if (*p == ':') {

            if (k == NGX_AMT_API_PARAMS) {
                return NGX_DECLINED;
            }

            params[k++] = segment[i];

        } else if (ngx_amt_route_fixed(&segment[i], p) != NGX_OK) {
            return NGX_DECLINED;
        }

        p = strchr(p, '/');

        if (p) {
            p++;
        }
    }

    return p == NULL ? NGX_OK : NGX_DECLINED;
}


ngx_int_t
ngx_amt_route_members(ngx_amt_api_t *api, ngx_uint_t first, json_t *object)
{
    size_t       len;
    json_t      *value;
    ngx_uint_t   k;
    const char  *p;

    for (p = strchr(api->route->path, ':'), k = 0;
         p && k < NGX_AMT_API_PARAMS;
         p = strchr(p, ':'), k++)
    {
        len = strcspn(++p, "/");

        if (k < first || api->params[k].data == NULL) {
            continue;
        }

        value = json_stringn((char *) api->params[k].data,
                             api->params[k].len);

        if (value == NULL
            || json_object_setn_new(object, p, len, value) != 0)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}
