
/*
 * URLs of cira_auth, cira_notify and the API plane's webhooks.  Names are
 * resolved here, when nginx reads its configuration, because libcurl would
 * start threads for it.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_http.h"


static char *ngx_cira_http_addrs(ngx_conf_t *cf, ngx_url_t *u,
    ngx_cira_http_url_t *url);


static char *
ngx_cira_http_cstr(ngx_conf_t *cf, const char *prefix, u_char *p, size_t len)
{
    char    *s;
    size_t   n;

    n = ngx_strlen(prefix);

    s = ngx_pnalloc(cf->pool, n + len + 1);
    if (s == NULL) {
        return NULL;
    }

    ngx_memcpy(s, prefix, n);
    ngx_memcpy(s + n, p, len);
    s[n + len] = '\0';

    return s;
}


char *
ngx_cira_http_parse_url(ngx_conf_t *cf, ngx_str_t *value,
    ngx_cira_http_url_t *url, ngx_uint_t https)
{
    size_t      i, scheme;
    u_char     *p, *last, *uri;
    ngx_url_t   u;

    ngx_memzero(url, sizeof(ngx_cira_http_url_t));

    for (i = 0; i < value->len; i++) {
        if (value->data[i] <= ' ' || value->data[i] >= 0x7f) {
            return "has an invalid character in its URL";
        }
    }

    if (value->len > 7 && ngx_strncmp(value->data, "http://", 7) == 0) {
        scheme = 7;

    } else if (https && value->len > 8
               && ngx_strncmp(value->data, "https://", 8) == 0)
    {
        scheme = 8;
        url->https = 1;

    } else {
        return https ? "needs an URL that starts with \"http://\" or "
                       "\"https://\""
                     : "needs an URL that starts with \"http://\"";
    }

    p = value->data + scheme;
    last = value->data + value->len;

    if (last - p > 5 && ngx_strncmp(p, "unix:", 5) == 0) {
        p += 5;

        uri = ngx_strlchr(p, last, ':');
        if (uri == NULL) {
            uri = last;
        }

        if (uri == p || *p != '/') {
            return "needs an absolute path after \"unix:\"";
        }

        if ((size_t) (uri - p) >= sizeof(((struct sockaddr_un *) 0)->sun_path))
        {
            return "has a path longer than 107 bytes, the limit of unix "
                   "sockets, in its URL";
        }

        url->path = ngx_cira_http_cstr(cf, "", p, uri - p);

        if (uri < last) {
            uri++;
        }

        if (uri < last && *uri != '/') {
            return "needs an URI that starts with \"/\"";
        }

        if (url->https) {
            return "cannot use \"https://\" on a unix socket";
        }

        url->url = ngx_cira_http_cstr(cf, "http://localhost", uri,
                                      last - uri);

        return url->path && url->url ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    /* a name and a password would stand in nginx.conf and in the log */

    for (uri = p; uri < last && *uri != '/' && *uri != '?'; uri++) {
        if (*uri == '@') {
            return "has a user in its URL";
        }
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url.data = p;
    u.url.len = last - p;
    u.default_port = url->https ? 443 : 80;
    u.uri_part = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {
        if (u.err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in \"%V\"", u.err,
                               value);
        }

        return NGX_CONF_ERROR;
    }

    url->host = u.host;
    url->port = u.port;

    url->url = ngx_cira_http_cstr(cf, "", value->data, value->len);

    if (url->url == NULL) {
        return NGX_CONF_ERROR;
    }

    return ngx_cira_http_addrs(cf, &u, url);
}


/*
 * All addresses, so that libcurl goes on to the next one where the first
 * does not answer: "localhost" and many other names have an IPv6 and an IPv4
 * address, and a service may listen on one of them only.  They get a name of
 * their own, since libcurl takes it from a table before it would look it up.
 */

static char *
ngx_cira_http_addrs(ngx_conf_t *cf, ngx_url_t *u, ngx_cira_http_url_t *url)
{
    u_char      *p;
    size_t       len;
    ngx_uint_t   i;

    len = sizeof("::cira::65535") + 2 * sizeof(void *);

    url->connect_to = ngx_pnalloc(cf->pool, len);
    if (url->connect_to == NULL) {
        return NGX_CONF_ERROR;
    }

    *ngx_sprintf((u_char *) url->connect_to, "::cira%p:%ui", url,
                 (ngx_uint_t) url->port) = '\0';

    for (i = 0; i < u->naddrs; i++) {
        len += u->addrs[i].name.len + 1;
    }

    url->resolve = ngx_pnalloc(cf->pool, len);
    if (url->resolve == NULL) {
        return NGX_CONF_ERROR;
    }

    p = ngx_sprintf((u_char *) url->resolve, "%s", url->connect_to + 2);

    for (i = 0; i < u->naddrs; i++) {
        *p++ = i ? ',' : ':';

        len = u->addrs[i].name.len;

        while (u->addrs[i].name.data[--len] != ':') { /* void */ }

        p = ngx_cpymem(p, u->addrs[i].name.data, len);
    }

    *p = '\0';

    return NGX_CONF_OK;
}
