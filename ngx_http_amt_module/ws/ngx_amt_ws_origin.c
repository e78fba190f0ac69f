
/*
 * Origins of web pages, RFC 6454: canonical form, and which of them may open
 * a WebSocket.
 */


#include "ws/ngx_http_amt_ws_module.h"


static ngx_int_t ngx_amt_ws_origin_same(ngx_http_request_t *r,
    ngx_str_t *origin);


ngx_int_t
ngx_amt_ws_origin(ngx_pool_t *pool, ngx_str_t *text, ngx_str_t *origin)
{
    u_char      *p, *last, *host, *end, *dst;
    ngx_int_t    port;
    ngx_uint_t   tls;

    p = text->data;
    last = p + text->len;

    if (text->len > sizeof("https://") - 1
        && ngx_strncasecmp(p, (u_char *) "https://", 8) == 0)
    {
        tls = 1;
        p += 8;

    } else if (text->len > sizeof("http://") - 1
               && ngx_strncasecmp(p, (u_char *) "http://", 7) == 0)
    {
        tls = 0;
        p += 7;

    } else {
        return NGX_DECLINED;
    }

    host = p;

    if (*p == '[') {

        for (p++; p < last && *p != ']'; p++) {

            if (!((*p >= '0' && *p <= '9') || *p == ':' || *p == '.'
                  || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'f')))
            {
                return NGX_DECLINED;
            }
        }

        if (p++ == last) {
            return NGX_DECLINED;
        }

    } else {

        while (p < last
               && ((*p >= '0' && *p <= '9') || *p == '-' || *p == '.'
                   || *p == '_'
                   || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z')))
        {
            p++;
        }
    }

    end = p;

    if (end - host < 1 || end - host > 255) {
        return NGX_DECLINED;
    }

    port = tls ? 443 : 80;

    if (p < last) {

        if (*p++ != ':') {
            return NGX_DECLINED;
        }

        port = ngx_atoi(p, last - p);

        if (port < 1 || port > 65535) {
            return NGX_DECLINED;
        }
    }

    dst = ngx_pnalloc(pool, sizeof("https://:65535") - 1 + (end - host));

    if (dst == NULL) {
        return NGX_ERROR;
    }

    origin->data = dst;

    dst = ngx_sprintf(dst, "%s", tls ? "https://" : "http://");
    ngx_strlow(dst, host, end - host);
    dst = ngx_sprintf(dst + (end - host), ":%i", port);

    origin->len = dst - origin->data;

    return NGX_OK;
}


ngx_int_t
ngx_amt_ws_origin_check(ngx_http_request_t *r, ngx_str_t *text)
{
    ngx_int_t           rc;
    ngx_str_t           origin, *allowed;
    ngx_uint_t          i;
    ngx_amt_ws_conf_t  *conf;

    conf = ngx_http_get_module_loc_conf(r, ngx_http_amt_ws_module);

    if (conf->origins_mode & NGX_AMT_WS_ORIGIN_ANY) {
        return NGX_OK;
    }

    rc = ngx_amt_ws_origin(r->pool, text, &origin);

    if (rc != NGX_OK) {
        return rc;
    }

    if (conf->origins_mode & NGX_AMT_WS_ORIGIN_SAME) {
        rc = ngx_amt_ws_origin_same(r, &origin);

        if (rc != NGX_DECLINED) {
            return rc;
        }
    }

    if (conf->origins == NULL) {
        return NGX_DECLINED;
    }

    allowed = conf->origins->elts;

    for (i = 0; i < conf->origins->nelts; i++) {

        if (allowed[i].len == origin.len
            && ngx_strncmp(allowed[i].data, origin.data, origin.len) == 0)
        {
            return NGX_OK;
        }
    }

    return NGX_DECLINED;
}


/*
 * The origin of the page against Host.  What is between client and nginx may
 * end TLS, so only a plain page on a TLS connection is another origin for
 * sure.
 */

static ngx_int_t
ngx_amt_ws_origin_same(ngx_http_request_t *r, ngx_str_t *origin)
{
    size_t      len;
    ngx_int_t   rc;
    ngx_str_t   text, own, *host;
    ngx_uint_t  tls;

    if (r->headers_in.host == NULL) {
        return NGX_DECLINED;
    }

    tls = (ngx_strncmp(origin->data, "https:", 6) == 0);

#if (NGX_HTTP_SSL)
    if (r->connection->ssl && !tls) {
        return NGX_DECLINED;
    }
#endif

    host = &r->headers_in.host->value;
    len = sizeof("https://") - 1 + host->len;

    text.data = ngx_pnalloc(r->pool, len);

    if (text.data == NULL) {
        return NGX_ERROR;
    }

    text.len = ngx_sprintf(text.data, "%s%V", tls ? "https://" : "http://",
                           host)
               - text.data;

    rc = ngx_amt_ws_origin(r->pool, &text, &own);

    if (rc != NGX_OK) {
        return rc;
    }

    if (own.len != origin->len
        || ngx_strncmp(own.data, origin->data, own.len) != 0)
    {
        return NGX_DECLINED;
    }

    return NGX_OK;
}
