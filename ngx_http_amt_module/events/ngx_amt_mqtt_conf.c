
/*
 * amt_mqtt mqtt[s]://host[:port][/prefix] [user=NAME] [password=FILE]
 *     [ca=FILE] [certificate=FILE key=FILE] [qos=0|1] [queue=N]
 *     [keepalive=TIME];
 *
 * Names are resolved and TLS is set up when the configuration is read: a
 * worker never waits for either.  The TLS context is our own, because
 * libmosquitto would compare the certificate with the address it is given.
 */


#include "events/ngx_amt_mqtt.h"
#include <ngx_sha1.h>


typedef struct {
    ngx_str_t               ca;
    ngx_str_t               certificate;
    ngx_str_t               key;
    ngx_str_t               password;
} ngx_amt_mqtt_files_t;


static char *ngx_amt_mqtt_url(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf,
    ngx_uint_t *tls);
static char *ngx_amt_mqtt_topic(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf,
    ngx_str_t *prefix);
static char *ngx_amt_mqtt_addrs(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf,
    ngx_url_t *u);
static char *ngx_amt_mqtt_param(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf,
    ngx_amt_mqtt_files_t *files, ngx_str_t *value);
static char *ngx_amt_mqtt_password(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf,
    ngx_str_t *file);
static void *ngx_amt_mqtt_password_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_amt_source_error_t *err);
static char *ngx_amt_mqtt_tls(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf,
    ngx_amt_mqtt_files_t *files);
static char *ngx_amt_mqtt_tls_error(ngx_conf_t *cf, const char *what,
    ngx_str_t *file);
static void ngx_amt_mqtt_tls_info(const SSL *ssl, int where, int ret);
static void ngx_amt_mqtt_tls_cleanup(void *data);
static char *ngx_amt_mqtt_cstr(ngx_pool_t *pool, ngx_str_t *s);


char *
ngx_amt_mqtt_parse(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf)
{
    char                  *rv;
    u_char                 sum[20];
    ngx_str_t             *value;
    ngx_sha1_t             sha;
    ngx_uint_t             i, tls;
    ngx_amt_mqtt_files_t   files;

    value = cf->args->elts;

    ngx_memzero(&files, sizeof(ngx_amt_mqtt_files_t));

    mcf->url = value[1];

    ngx_sha1_init(&sha);
    ngx_sha1_update(&sha, value[1].data, value[1].len);
    ngx_sha1_final(sum, &sha);

    ngx_memcpy(&mcf->key, sum, sizeof(uint64_t));
    mcf->key |= 1;

    mcf->queue = 1000;
    mcf->keepalive = 60;

    rv = ngx_amt_mqtt_url(cf, mcf, &tls);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_amt_mqtt_param(cf, mcf, &files, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (files.password.len) {

        if (mcf->user == NULL) {
            return "has \"password=\" without \"user=\"";
        }

        if (ngx_amt_mqtt_password(cf, mcf, &files.password) != NGX_CONF_OK) {
            return NGX_CONF_ERROR;
        }
    }

    if (tls) {
        return ngx_amt_mqtt_tls(cf, mcf, &files);
    }

    if (files.ca.len || files.certificate.len || files.key.len) {
        return "has TLS parameters, which need \"mqtts://\"";
    }

    return NGX_CONF_OK;
}


static char *
ngx_amt_mqtt_url(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf, ngx_uint_t *tls)
{
    size_t      i;
    ngx_str_t   rest;
    ngx_url_t   u;

    for (i = 0; i < mcf->url.len; i++) {
        if (mcf->url.data[i] <= ' ' || mcf->url.data[i] >= 0x7f) {
            return "has an invalid character in its URL";
        }
    }

    rest = mcf->url;

    if (rest.len > 7 && ngx_strncmp(rest.data, "mqtt://", 7) == 0) {
        rest.data += 7;
        rest.len -= 7;
        *tls = 0;

    } else if (rest.len > 8 && ngx_strncmp(rest.data, "mqtts://", 8) == 0) {
        rest.data += 8;
        rest.len -= 8;
        *tls = 1;

    } else {
        return "needs an URL that starts with \"mqtt://\" or \"mqtts://\"";
    }

    /* nginx.conf is read by many, and so is the message of a wrong one */

    if (ngx_strlchr(rest.data, rest.data + rest.len, '@')) {
        return "has a user in its URL: use \"user=\" and \"password=FILE\"";
    }

    ngx_memzero(&u, sizeof(ngx_url_t));

    u.url = rest;
    u.default_port = *tls ? 8883 : 1883;
    u.uri_part = 1;

    if (ngx_parse_url(cf->pool, &u) != NGX_OK || u.naddrs == 0) {

        if (u.err) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s in \"%V\"", u.err,
                               &mcf->url);
        }

        return NGX_CONF_ERROR;
    }

    if (u.family == AF_UNIX) {
        return "does not support unix sockets";
    }

    mcf->port = u.port;
    mcf->host = ngx_amt_mqtt_cstr(cf->pool, &u.host);

    if (mcf->host == NULL) {
        return NGX_CONF_ERROR;
    }

    if (ngx_amt_mqtt_addrs(cf, mcf, &u) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }

    return ngx_amt_mqtt_topic(cf, mcf, &u.uri);
}


static char *
ngx_amt_mqtt_addrs(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf, ngx_url_t *u)
{
    size_t       len;
    u_char       text[NGX_SOCKADDR_STRLEN];
    ngx_str_t    s;
    ngx_uint_t   i;

    mcf->naddrs = u->naddrs;
    mcf->addrs = ngx_palloc(cf->pool, u->naddrs * sizeof(char *));

    if (mcf->addrs == NULL) {
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < u->naddrs; i++) {

        len = ngx_sock_ntop(u->addrs[i].sockaddr, u->addrs[i].socklen, text,
                            NGX_SOCKADDR_STRLEN, 0);

        s.data = text;
        s.len = len;

        mcf->addrs[i] = ngx_amt_mqtt_cstr(cf->pool, &s);
        if (mcf->addrs[i] == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    /* [::1] and 127.0.0.1 are their own addresses */

    s.data = (u_char *) mcf->host;
    s.len = ngx_strlen(mcf->host);

    if (s.len > 2 && s.data[0] == '[' && s.data[s.len - 1] == ']') {
        s.data++;
        s.len -= 2;
        s.data[s.len] = '\0';
        mcf->host = (char *) s.data;
        mcf->literal = 1;

    } else if (ngx_inet_addr(s.data, s.len) != INADDR_NONE) {
        mcf->literal = 1;
    }

    return NGX_CONF_OK;
}


static char *
ngx_amt_mqtt_topic(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf,
    ngx_str_t *prefix)
{
    size_t      i;
    u_char     *p;
    ngx_str_t   s;

    s = *prefix;

    while (s.len && s.data[0] == '/') {
        s.data++;
        s.len--;
    }

    while (s.len && s.data[s.len - 1] == '/') {
        s.len--;
    }

    if (s.len == 0) {
        ngx_str_set(&s, "mps");
    }

    if (s.len > 200) {
        return "has a prefix of more than 200 bytes";
    }

    for (i = 0; i < s.len; i++) {
        if (ngx_strchr("+#%?", s.data[i])) {
            return "has one of \"+\", \"#\", \"%\", \"?\" in its prefix";
        }
    }

    p = ngx_pnalloc(cf->pool, s.len + sizeof("/events"));
    if (p == NULL) {
        return NGX_CONF_ERROR;
    }

    mcf->topic = (char *) p;

    p = ngx_cpymem(p, s.data, s.len);
    ngx_memcpy(p, "/events", sizeof("/events"));

    return NGX_CONF_OK;
}


static char *
ngx_amt_mqtt_param(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf,
    ngx_amt_mqtt_files_t *files, ngx_str_t *value)
{
    ngx_int_t    n;
    ngx_str_t   *file, s;
    ngx_uint_t   i;

    static const struct {
        ngx_str_t    name;
        size_t       offset;
    } names[] = {
        { ngx_string("ca="), offsetof(ngx_amt_mqtt_files_t, ca) },
        { ngx_string("certificate="),
          offsetof(ngx_amt_mqtt_files_t, certificate) },
        { ngx_string("key="), offsetof(ngx_amt_mqtt_files_t, key) },
        { ngx_string("password="), offsetof(ngx_amt_mqtt_files_t, password) }
    };

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {

        if (value->len <= names[i].name.len
            || ngx_strncmp(value->data, names[i].name.data, names[i].name.len)
               != 0)
        {
            continue;
        }

        file = (ngx_str_t *) ((u_char *) files + names[i].offset);

        file->data = value->data + names[i].name.len;
        file->len = value->len - names[i].name.len;

        return ngx_conf_full_name(cf->cycle, file, 1) == NGX_OK
               ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (value->len > 5 && ngx_strncmp(value->data, "user=", 5) == 0) {
        s.data = value->data + 5;
        s.len = value->len - 5;

        mcf->user = ngx_amt_mqtt_cstr(cf->pool, &s);

        return mcf->user ? NGX_CONF_OK : NGX_CONF_ERROR;
    }

    if (value->len == 5 && ngx_strncmp(value->data, "qos=", 4) == 0
        && (value->data[4] == '0' || value->data[4] == '1'))
    {
        mcf->qos = value->data[4] - '0';
        return NGX_CONF_OK;
    }

    if (value->len > 6 && ngx_strncmp(value->data, "queue=", 6) == 0) {
        n = ngx_atoi(value->data + 6, value->len - 6);

        if (n >= 100 && n <= 1000000) {
            mcf->queue = n;
            return NGX_CONF_OK;
        }

        return "has a \"queue=\" that is not between 100 and 1000000";
    }

    if (value->len > 10 && ngx_strncmp(value->data, "keepalive=", 10) == 0) {
        s.data = value->data + 10;
        s.len = value->len - 10;

        n = ngx_parse_time(&s, 1);

        if (n >= 5 && n <= 3600) {
            mcf->keepalive = n;
            return NGX_CONF_OK;
        }

        return "has a \"keepalive=\" that is not between 5s and 1h";
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       value);

    return NGX_CONF_ERROR;
}


static char *
ngx_amt_mqtt_password(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf,
    ngx_str_t *file)
{
    ngx_amt_source_t        *src;
    ngx_amt_source_error_t   err;

    src = ngx_pcalloc(cf->pool, sizeof(ngx_amt_source_t));
    if (src == NULL) {
        return NGX_CONF_ERROR;
    }

    src->path = *file;
    src->parse = ngx_amt_mqtt_password_parse;
    src->max = NGX_AMT_MQTT_PASSWORD;
    src->forbidden = S_IRWXO;

    if (ngx_amt_source_init(src, cf->pool, cf->log, &err) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"amt_mqtt\": %*s",
                           err.len, err.text);
        return NGX_CONF_ERROR;
    }

    mcf->password = src;

    return NGX_CONF_OK;
}


static void *
ngx_amt_mqtt_password_parse(ngx_pool_t *pool, ngx_str_t *text,
    ngx_amt_source_error_t *err)
{
    ngx_str_t  s;

    s = *text;

    while (s.len && (s.data[s.len - 1] == '\n' || s.data[s.len - 1] == '\r')) {
        s.len--;
    }

    if (s.len == 0) {
        return ngx_amt_source_refuse(err, "it is empty");
    }

    if (ngx_strlchr(s.data, s.data + s.len, '\0')) {
        return ngx_amt_source_refuse(err, "it has a zero byte");
    }

    return ngx_amt_mqtt_cstr(pool, &s);
}


static char *
ngx_amt_mqtt_tls(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf,
    ngx_amt_mqtt_files_t *files)
{
    SSL_CTX             *ctx;
    X509_VERIFY_PARAM   *param;
    ngx_pool_cleanup_t  *cln;

    cln = ngx_pool_cleanup_add(cf->pool, 0);
    if (cln == NULL) {
        return NGX_CONF_ERROR;
    }

    ctx = SSL_CTX_new(TLS_client_method());
    if (ctx == NULL) {
        return ngx_amt_mqtt_tls_error(cf, "SSL_CTX_new()", NULL);
    }

    cln->handler = ngx_amt_mqtt_tls_cleanup;
    cln->data = ctx;

    mcf->ssl = ctx;

    (void) SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);

    if (files->ca.len) {
        if (SSL_CTX_load_verify_locations(ctx, (char *) files->ca.data, NULL)
            != 1)
        {
            return ngx_amt_mqtt_tls_error(cf, "loading", &files->ca);
        }

    } else if (SSL_CTX_set_default_verify_paths(ctx) != 1) {
        return ngx_amt_mqtt_tls_error(cf, "loading the system's CAs", NULL);
    }

    param = SSL_CTX_get0_param(ctx);

    X509_VERIFY_PARAM_set_hostflags(param,
                                    X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);

    if ((mcf->literal ? X509_VERIFY_PARAM_set1_ip_asc(param, mcf->host)
                      : X509_VERIFY_PARAM_set1_host(param, mcf->host, 0))
        != 1)
    {
        return ngx_amt_mqtt_tls_error(cf, "setting the name", NULL);
    }

    if ((files->certificate.len == 0) != (files->key.len == 0)) {
        return "needs both \"certificate=\" and \"key=\", or neither";
    }

    if (files->certificate.len) {

        if (SSL_CTX_use_certificate_chain_file(ctx,
                                         (char *) files->certificate.data)
            != 1)
        {
            return ngx_amt_mqtt_tls_error(cf, "loading", &files->certificate);
        }

        if (SSL_CTX_use_PrivateKey_file(ctx, (char *) files->key.data,
                                        SSL_FILETYPE_PEM)
            != 1)
        {
            return ngx_amt_mqtt_tls_error(cf, "loading", &files->key);
        }
    }

    SSL_CTX_set_app_data(ctx, mcf);
    SSL_CTX_set_info_callback(ctx, ngx_amt_mqtt_tls_info);

    return NGX_CONF_OK;
}


static char *
ngx_amt_mqtt_tls_error(ngx_conf_t *cf, const char *what, ngx_str_t *file)
{
    char           text[256];
    unsigned long  n;

    static ngx_str_t  none = ngx_string("TLS");

    n = ERR_peek_last_error();
    ERR_error_string_n(n, text, sizeof(text));
    ERR_clear_error();

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"amt_mqtt\": %s \"%V\" failed: %s", what,
                       file ? file : &none, text);

    return NGX_CONF_ERROR;
}


/* libmosquitto sends the address it connects to as the server's name */

static void
ngx_amt_mqtt_tls_info(const SSL *ssl, int where, int ret)
{
    ngx_amt_mqtt_conf_t  *mcf;

    if (where & SSL_CB_HANDSHAKE_START) {
        mcf = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

        (void) SSL_set_tlsext_host_name((SSL *) ssl,
                                        mcf->literal ? NULL : mcf->host);
    }
}


static void
ngx_amt_mqtt_tls_cleanup(void *data)
{
    SSL_CTX_free(data);
}


static char *
ngx_amt_mqtt_cstr(ngx_pool_t *pool, ngx_str_t *s)
{
    u_char  *p;

    p = ngx_pnalloc(pool, s->len + 1);
    if (p == NULL) {
        return NULL;
    }

    ngx_memcpy(p, s->data, s->len);
    p[s->len] = '\0';

    return (char *) p;
}
