
/*
 * Directives and variables of CONNECT listeners: cira_connect,
 * cira_connect_allow, cira_connect_secret, cira_connect_timeout,
 * cira_connect_send_timeout; and who may use them.
 *
 * A CONNECT listener gives raw access to devices.  Over TCP nginx -t accepts
 * it only with client certificates, or with a secret behind TLS or on
 * loopback; over unix sockets, which nginx makes usable for everyone, the
 * kernel's peer credentials are checked.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include <pwd.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>
#include "ngx_cira_conf.h"
#include "ngx_cira_relay.h"
#include "ngx_cira_worker.h"


#define NGX_CIRA_SECRET_FILE  65536      /* bytes */


#if (nginx_version >= 1025005)
typedef ngx_stream_ssl_srv_conf_t  ngx_cira_ssl_conf_t;
#elif (NGX_STREAM_SSL)
typedef ngx_stream_ssl_conf_t      ngx_cira_ssl_conf_t;
#endif


static ngx_int_t ngx_stream_cira_connect_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_cira_connect_add_variables(ngx_conf_t *cf);
static void *ngx_stream_cira_connect_create_conf(ngx_conf_t *cf);
static char *ngx_stream_cira_connect_merge_conf(ngx_conf_t *cf, void *parent,
    void *child);
static ngx_int_t ngx_stream_cira_connect_postconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_stream_cira_connect_check(ngx_conf_t *cf,
    ngx_cira_conf_listen_t *ls);
static ngx_uint_t ngx_stream_cira_connect_verified(
    ngx_stream_conf_ctx_t *ctx);
static ngx_uint_t ngx_stream_cira_connect_loopback(struct sockaddr *sa);
static char *ngx_stream_cira_connect(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_cira_connect_allow(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_stream_cira_connect_secret(ngx_conf_t *cf,
    ngx_command_t *cmd, void *conf);
static char *ngx_stream_cira_connect_secrets(ngx_conf_t *cf,
    ngx_cira_connect_conf_t *ccf, ngx_str_t *name, u_char *p, u_char *last);


typedef enum {
    NGX_CIRA_VARIABLE_GUID = 0,
    NGX_CIRA_VARIABLE_PORT,
    NGX_CIRA_VARIABLE_STATUS,
    NGX_CIRA_VARIABLE_OWNER,
    NGX_CIRA_VARIABLE_REASON
} ngx_cira_connect_variable_e;


typedef struct {
    u_char  digest[SHA256_DIGEST_LENGTH];    /* of base64(user:password) */
} ngx_cira_connect_secret_t;


static ngx_command_t  ngx_stream_cira_connect_commands[] = {

    { ngx_string("cira_connect"),
      NGX_STREAM_SRV_CONF|NGX_CONF_NOARGS,
      ngx_stream_cira_connect,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cira_connect_allow"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_1MORE,
      ngx_stream_cira_connect_allow,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cira_connect_secret"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_stream_cira_connect_secret,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cira_connect_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_cira_connect_conf_t, timeout),
      &ngx_cira_conf_positive },

    { ngx_string("cira_connect_send_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_cira_connect_conf_t, send_timeout),
      &ngx_cira_conf_positive },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_cira_connect_module_ctx = {
    ngx_stream_cira_connect_add_variables,
                                         /* preconfiguration */
    ngx_stream_cira_connect_postconfiguration,
                                         /* postconfiguration */
    NULL,                                /* create main configuration */
    NULL,                                /* init main configuration */
    ngx_stream_cira_connect_create_conf, /* create server configuration */
    ngx_stream_cira_connect_merge_conf   /* merge server configuration */
};


ngx_module_t  ngx_stream_cira_connect_module = {
    NGX_MODULE_V1,
    &ngx_stream_cira_connect_module_ctx, /* module context */
    ngx_stream_cira_connect_commands,    /* module directives */
    NGX_STREAM_MODULE,                   /* module type */
    NULL,                                /* init master */
    NULL,                                /* init module */
    NULL,                                /* init process */
    NULL,                                /* init thread */
    NULL,                                /* exit thread */
    NULL,                                /* exit process */
    NULL,                                /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_stream_variable_t  ngx_stream_cira_connect_vars[] = {

    { ngx_string("cira_connect_guid"), NULL,
      ngx_stream_cira_connect_variable, NGX_CIRA_VARIABLE_GUID,
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("cira_connect_port"), NULL,
      ngx_stream_cira_connect_variable, NGX_CIRA_VARIABLE_PORT,
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("cira_connect_status"), NULL,
      ngx_stream_cira_connect_variable, NGX_CIRA_VARIABLE_STATUS,
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("cira_owner"), NULL,
      ngx_stream_cira_connect_variable, NGX_CIRA_VARIABLE_OWNER,
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("cira_connect_reason"), NULL,
      ngx_stream_cira_connect_variable, NGX_CIRA_VARIABLE_REASON,
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_null_string, NULL, NULL, 0, 0, 0 }
};


ngx_int_t
ngx_cira_connect_access(ngx_cira_tunnel_t *t)
{
    uid_t                      *uid;
    socklen_t                   len;
    ngx_uint_t                  i, found;
    struct ucred                cred;
    ngx_connection_t           *c;
    ngx_cira_request_t         *r;
    ngx_stream_conf_ctx_t       ctx;
    ngx_cira_connect_conf_t    *ccf;
    ngx_cira_connect_secret_t  *secret;
    u_char                      digest[SHA256_DIGEST_LENGTH];

    /* whose peers were checked by the accept handler */

    if (t->private) {
        return NGX_OK;
    }

    c = t->client;
    r = t->request;
    ccf = t->conf;

    /* c->sockaddr may be what a PROXY protocol header says */

    if (c->listening->sockaddr->sa_family == AF_UNIX) {

        len = sizeof(struct ucred);

        if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1) {
            ngx_log_error(NGX_LOG_ALERT, c->log, ngx_socket_errno,
                          "getsockopt(SO_PEERCRED) failed");
            return NGX_DECLINED;
        }

        if (ccf->all || cred.uid == 0 || cred.uid == geteuid()) {
            return NGX_OK;
        }

        if (ccf->allow) {
            uid = ccf->allow->elts;

            for (i = 0; i < ccf->allow->nelts; i++) {
                if (uid[i] == cred.uid) {
                    return NGX_OK;
                }
            }
        }

        ngx_log_error(NGX_LOG_WARN, c->log, 0, "peer's uid is %d",
                      (int) cred.uid);

    } else if (c->ssl) {
        ctx.srv_conf = t->session->srv_conf;

        if (ngx_stream_cira_connect_verified(&ctx)) {
            return NGX_OK;
        }
    }

    if (ccf->secrets == NULL) {
        return NGX_DECLINED;
    }

    if (r->auth_len == 0) {
        return NGX_AGAIN;
    }

    /* all are looked at, digests of the same size: time says nothing */

    (void) SHA256(r->auth, r->auth_len, digest);

    secret = ccf->secrets->elts;

    for (found = 0, i = 0; i < ccf->secrets->nelts; i++) {
        found |= CRYPTO_memcmp(digest, secret[i].digest, sizeof(digest)) == 0;
    }

    ngx_explicit_memzero(digest, sizeof(digest));

    if (!found) {
        ngx_log_error(NGX_LOG_WARN, c->log, 0,
                      "wrong credentials for cira_connect");
    }

    return found ? NGX_OK : NGX_AGAIN;
}


static ngx_int_t
ngx_stream_cira_connect_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    u_char             *p;
    ngx_str_t           text;
    ngx_cira_tunnel_t  *t;

    t = ngx_stream_get_module_ctx(s, ngx_stream_cira_connect_module);

    if (t == NULL) {
        return ngx_cira_conf_value(v, NULL, 0);
    }

    p = ngx_pnalloc(s->connection->pool, NGX_CIRA_GUID_TEXT);
    if (p == NULL) {
        return NGX_ERROR;
    }

    ngx_str_null(&text);

    switch (data) {

    case NGX_CIRA_VARIABLE_GUID:
        if (t->parsed && t->request->method != NGX_CIRA_LIST) {
            text.data = p;
            text.len = ngx_cira_guid_text(p, t->request->guid) - p;
        }

        break;

    case NGX_CIRA_VARIABLE_PORT:
        if (t->parsed && t->request->port) {
            text.data = p;
            text.len = ngx_sprintf(p, "%ui", t->request->port) - p;
        }

        break;

    case NGX_CIRA_VARIABLE_STATUS:
        if (t->status) {
            text.data = p;
            text.len = ngx_sprintf(p, "%ui", t->status) - p;
        }

        break;

    case NGX_CIRA_VARIABLE_OWNER:

        /* an unknown device's owner is whoever was asked and said 404 */

        text.data = t->worker ? t->socket : ngx_cira_worker_socket();
        text.len = ngx_strlen(text.data);
        break;

    default: /* NGX_CIRA_VARIABLE_REASON */
        if (t->reason) {
            text.data = (u_char *) t->reason;
            text.len = ngx_strlen(t->reason);
        }
    }

    return ngx_cira_conf_value(v, text.data, text.len);
}


static ngx_int_t
ngx_stream_cira_connect_add_variables(ngx_conf_t *cf)
{
    return ngx_cira_conf_variables(cf, ngx_stream_cira_connect_vars);
}


static void *
ngx_stream_cira_connect_create_conf(ngx_conf_t *cf)
{
    ngx_cira_connect_conf_t  *ccf;

    ccf = ngx_pcalloc(cf->pool, sizeof(ngx_cira_connect_conf_t));
    if (ccf == NULL) {
        return NULL;
    }

    ccf->timeout = NGX_CONF_UNSET_MSEC;
    ccf->send_timeout = NGX_CONF_UNSET_MSEC;
    ccf->allow = NGX_CONF_UNSET_PTR;
    ccf->secrets = NGX_CONF_UNSET_PTR;

    return ccf;
}


static char *
ngx_stream_cira_connect_merge_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_cira_connect_conf_t *prev = parent;
    ngx_cira_connect_conf_t *conf = child;

    if (conf->allow == NGX_CONF_UNSET_PTR) {
        conf->all = prev->all;
    }

    ngx_conf_merge_msec_value(conf->timeout, prev->timeout, 60000);
    ngx_conf_merge_msec_value(conf->send_timeout, prev->send_timeout, 60000);
    ngx_conf_merge_ptr_value(conf->allow, prev->allow, NULL);
    ngx_conf_merge_ptr_value(conf->secrets, prev->secrets, NULL);

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_stream_cira_connect_postconfiguration(ngx_conf_t *cf)
{
    ngx_uint_t                    i;
    ngx_cira_zone_conf_t         *zcf;
    ngx_cira_connect_conf_t      *ccf;
    ngx_stream_core_srv_conf_t  **cscf;
    ngx_stream_core_main_conf_t  *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);
    zcf = ngx_stream_conf_get_module_main_conf(cf,
                                               ngx_stream_cira_zone_module);
    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        ccf = cscf[i]->ctx->srv_conf[ngx_stream_cira_connect_module.ctx_index];

        if (ccf->enable && zcf->shm_zone == NULL) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"cira_connect\" in %s:%ui needs \"cira_zone\"",
                          cscf[i]->file_name, cscf[i]->line);
            return NGX_ERROR;
        }
    }

    return ngx_cira_conf_listens(cf, ngx_stream_cira_connect_check);
}


static ngx_int_t
ngx_stream_cira_connect_check(ngx_conf_t *cf, ngx_cira_conf_listen_t *ls)
{
    ngx_cira_connect_conf_t     *ccf;
    ngx_stream_core_srv_conf_t  *cscf;

    ccf = ls->ctx->srv_conf[ngx_stream_cira_connect_module.ctx_index];
    cscf = ls->ctx->srv_conf[ngx_stream_core_module.ctx_index];

    if (!ccf->enable) {
        return NGX_OK;
    }

    if (ls->type != SOCK_STREAM) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"cira_connect\" on udp \"%V\" in %s:%ui",
                      ls->addr, cscf->file_name, cscf->line);
        return NGX_ERROR;
    }

    if (ls->sockaddr->sa_family == AF_UNIX) {
        return NGX_OK;
    }

    if (ls->ssl && ngx_stream_cira_connect_verified(ls->ctx)) {
        return NGX_OK;
    }

    if (ccf->secrets && (ls->ssl
                         || ngx_stream_cira_connect_loopback(ls->sockaddr))) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"cira_connect\" on \"%V\" in %s:%ui needs \"ssl\" and "
                  "\"ssl_verify_client on\", or \"cira_connect_secret\" with "
                  "\"ssl\" or on a loopback address",
                  ls->addr, cscf->file_name, cscf->line);

    return NGX_ERROR;
}


/* "optional" lets in who has no certificate */

static ngx_uint_t
ngx_stream_cira_connect_verified(ngx_stream_conf_ctx_t *ctx)
{
#if (NGX_STREAM_SSL)
    ngx_cira_ssl_conf_t  *sslcf;

    sslcf = ctx->srv_conf[ngx_stream_ssl_module.ctx_index];

    return sslcf && sslcf->verify == 1;
#else
    return 0;
#endif
}


static ngx_uint_t
ngx_stream_cira_connect_loopback(struct sockaddr *sa)
{
    struct sockaddr_in   *sin;
#if (NGX_HAVE_INET6)
    struct sockaddr_in6  *sin6;
#endif

    switch (sa->sa_family) {

    case AF_INET:
        sin = (struct sockaddr_in *) sa;
        return ntohl(sin->sin_addr.s_addr) >> 24 == 127;

#if (NGX_HAVE_INET6)
    case AF_INET6:
        sin6 = (struct sockaddr_in6 *) sa;
        return IN6_IS_ADDR_LOOPBACK(&sin6->sin6_addr);
#endif

    default:
        return 0;
    }
}


static char *
ngx_stream_cira_connect(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_cira_connect_conf_t *ccf = conf;

    ngx_cira_zone_conf_t        *zcf;
    ngx_stream_core_srv_conf_t  *cscf;

    if (ccf->enable) {
        return "is duplicate";
    }

    cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);

    if (cscf->handler) {
        return "conflicts with another handler of this server";
    }

    cscf->handler = ngx_stream_cira_connect_handler;
    ccf->enable = 1;

    /* the private listener uses the first such server */

    zcf = ngx_stream_conf_get_module_main_conf(cf,
                                               ngx_stream_cira_zone_module);
    if (zcf->ctx == NULL) {
        zcf->ctx = cscf->ctx;
    }

    return NGX_CONF_OK;
}


static char *
ngx_stream_cira_connect_allow(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_cira_connect_conf_t *ccf = conf;

    uid_t          *uid;
    ngx_int_t       n;
    ngx_str_t      *value;
    ngx_uint_t      i;
    struct passwd  *pwd;

    if (ccf->allow == NGX_CONF_UNSET_PTR) {
        ccf->allow = ngx_array_create(cf->pool, 4, sizeof(uid_t));
        if (ccf->allow == NULL) {
            return NGX_CONF_ERROR;
        }
    }

    value = cf->args->elts;

    for (i = 1; i < cf->args->nelts; i++) {

        if (ngx_strcmp(value[i].data, "all") == 0) {
            ccf->all = 1;
            continue;
        }

        uid = ngx_array_push(ccf->allow);
        if (uid == NULL) {
            return NGX_CONF_ERROR;
        }

        n = ngx_atoi(value[i].data, value[i].len);

        if (n != NGX_ERROR) {

            /* the highest stands for "none" */

            if ((uint64_t) n >= (uid_t) -1) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                                   "invalid user id \"%V\" in \"%V\"",
                                   &value[i], &cmd->name);
                return NGX_CONF_ERROR;
            }

            *uid = (uid_t) n;
            continue;
        }

        ngx_set_errno(0);
        pwd = getpwnam((char *) value[i].data);

        if (pwd == NULL) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               "getpwnam(\"%V\") failed in \"%V\"",
                               &value[i], &cmd->name);
            return NGX_CONF_ERROR;
        }

        *uid = pwd->pw_uid;
    }

    return NGX_CONF_OK;
}


/* Lines "user:password"; empty ones and those with "#" in front are not. */

static char *
ngx_stream_cira_connect_secret(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_cira_connect_conf_t *ccf = conf;

    char             *rv;
    u_char           *buf;
    ssize_t           n;
    ngx_fd_t          fd;
    ngx_str_t        *value;
    ngx_file_info_t   fi;

    if (ccf->secrets != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    fd = ngx_open_file(value[1].data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", &value[1]);
        return NGX_CONF_ERROR;
    }

    rv = NGX_CONF_ERROR;

    buf = ngx_alloc(NGX_CIRA_SECRET_FILE, cf->log);
    if (buf == NULL) {
        goto done;
    }

    if (ngx_fd_info(fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", &value[1]);
        goto done;
    }

    if (fi.st_mode & (S_IROTH|S_IWOTH|S_IWGRP)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must not be readable by others "
                           "(mode 0600 or 0640)", &value[1]);
        goto done;
    }

    n = ngx_read_fd(fd, buf, NGX_CIRA_SECRET_FILE);

    if (n == -1 || n == NGX_CIRA_SECRET_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, n == -1 ? ngx_errno : 0,
                           "\"%V\" cannot be read, or is too large",
                           &value[1]);
        goto done;
    }

    rv = ngx_stream_cira_connect_secrets(cf, ccf, &value[1], buf, buf + n);

done:

    if (buf) {
        ngx_explicit_memzero(buf, NGX_CIRA_SECRET_FILE);
        ngx_free(buf);
    }

    if (ngx_close_file(fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, cf->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", &value[1]);
    }

    return rv;
}


static char *
ngx_stream_cira_connect_secrets(ngx_conf_t *cf, ngx_cira_connect_conf_t *ccf,
    ngx_str_t *name, u_char *p, u_char *last)
{
    u_char                     *end, *colon;
    ngx_str_t                   line, base64;
    ngx_uint_t                  n;
    ngx_cira_connect_secret_t  *secret;
    u_char                      buf[NGX_CIRA_AUTH_MAX];

    ccf->secrets = ngx_array_create(cf->pool, 2,
                                    sizeof(ngx_cira_connect_secret_t));
    if (ccf->secrets == NULL) {
        return NGX_CONF_ERROR;
    }

    for (n = 1; p < last; p = end + 1, n++) {

        end = ngx_strlchr(p, last, LF);
        end = end ? end : last;

        line.data = p;
        line.len = end - p;

        if (line.len && line.data[line.len - 1] == CR) {
            line.len--;
        }

        if (line.len == 0 || *p == '#') {
            continue;
        }

        colon = ngx_strlchr(p, p + line.len, ':');

        if (colon == NULL || line.data + line.len - colon < 17
            || ngx_base64_encoded_length(line.len) > NGX_CIRA_AUTH_MAX)
        {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "line %ui of \"%V\" is not \"user:password\" "
                               "with a password of 16 characters or more",
                               n, name);
            return NGX_CONF_ERROR;
        }

        secret = ngx_array_push(ccf->secrets);
        if (secret == NULL) {
            return NGX_CONF_ERROR;
        }

        base64.data = buf;
        ngx_encode_base64(&base64, &line);

        (void) SHA256(base64.data, base64.len, secret->digest);

        ngx_explicit_memzero(buf, sizeof(buf));
    }

    if (ccf->secrets->nelts == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" has no secret",
                           name);
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}
