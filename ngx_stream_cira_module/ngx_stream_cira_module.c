
/*
 * nginx module of the device plane: the "cira" directive makes a stream
 * server take CIRA connections of AMT devices.  Here are its directives,
 * phases, variables and event handlers; the session itself is in
 * ngx_cira_session.c.
 */


#include "ngx_cira_conf.h"
#include "ngx_cira_session.h"
#include "ngx_cira_zone.h"
#include "ngx_cira_hooks.h"


static ngx_int_t ngx_stream_cira_preaccess_handler(ngx_stream_session_t *s);
static void ngx_stream_cira_handler(ngx_stream_session_t *s);
static void ngx_stream_cira_read_handler(ngx_event_t *rev);
static void ngx_stream_cira_write_handler(ngx_event_t *wev);
static void ngx_stream_cira_finalize(ngx_cira_session_t *cs);
static u_char *ngx_stream_cira_log_error(ngx_log_t *log, u_char *buf,
    size_t len);

static ngx_int_t ngx_stream_cira_add_variables(ngx_conf_t *cf);
static ngx_int_t ngx_stream_cira_guid_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_cira_tenant_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_cira_text_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_stream_cira_number_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data);

static void *ngx_stream_cira_create_srv_conf(ngx_conf_t *cf);
static char *ngx_stream_cira_merge_srv_conf(ngx_conf_t *cf, void *parent,
    void *child);
static char *ngx_stream_cira(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_stream_cira_keepalive(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static char *ngx_stream_cira_window(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_stream_cira_parse_window(ngx_str_t *value, size_t *size);
static ngx_int_t ngx_stream_cira_init(ngx_conf_t *cf);
static ngx_int_t ngx_stream_cira_check(ngx_conf_t *cf);
static ngx_int_t ngx_stream_cira_check_ssl(ngx_conf_t *cf,
    ngx_cira_conf_listen_t *ls);


static ngx_conf_num_bounds_t  ngx_stream_cira_messages_bounds = {
    ngx_conf_check_num_bounds, 4, 1000
};

static ngx_conf_num_bounds_t  ngx_stream_cira_channels_bounds = {
    ngx_conf_check_num_bounds, 1, 64
};

static ngx_conf_num_bounds_t  ngx_stream_cira_queue_bounds = {
    ngx_conf_check_num_bounds, 1, 10000
};


static ngx_command_t  ngx_stream_cira_commands[] = {

    { ngx_string("cira"),
      NGX_STREAM_SRV_CONF|NGX_CONF_NOARGS,
      ngx_stream_cira,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cira_login_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_cira_conf_t, login_timeout),
      NULL },

    { ngx_string("cira_login_buffer"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_size_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_cira_conf_t, login_buffer),
      NULL },

    { ngx_string("cira_login_messages"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_cira_conf_t, login_messages),
      &ngx_stream_cira_messages_bounds },

    { ngx_string("cira_keepalive"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE2,
      ngx_stream_cira_keepalive,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

    { ngx_string("cira_auth_retry"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_cira_conf_t, auth_retry),
      NULL },

    { ngx_string("cira_channels"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_cira_conf_t, channels),
      &ngx_stream_cira_channels_bounds },

    { ngx_string("cira_queue"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_num_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_cira_conf_t, queue),
      &ngx_stream_cira_queue_bounds },

    { ngx_string("cira_queue_timeout"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE1,
      ngx_conf_set_msec_slot,
      NGX_STREAM_SRV_CONF_OFFSET,
      offsetof(ngx_cira_conf_t, queue_timeout),
      &ngx_cira_conf_positive },

    { ngx_string("cira_window"),
      NGX_STREAM_MAIN_CONF|NGX_STREAM_SRV_CONF|NGX_CONF_TAKE12,
      ngx_stream_cira_window,
      NGX_STREAM_SRV_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_stream_module_t  ngx_stream_cira_module_ctx = {
    ngx_stream_cira_add_variables,         /* preconfiguration */
    ngx_stream_cira_init,                  /* postconfiguration */

    NULL,                                  /* create main configuration */
    NULL,                                  /* init main configuration */

    ngx_stream_cira_create_srv_conf,       /* create server configuration */
    ngx_stream_cira_merge_srv_conf         /* merge server configuration */
};


ngx_module_t  ngx_stream_cira_module = {
    NGX_MODULE_V1,
    &ngx_stream_cira_module_ctx,           /* module context */
    ngx_stream_cira_commands,              /* module directives */
    NGX_STREAM_MODULE,                     /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    NULL,                                  /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    NULL,                                  /* exit process */
    NULL,                                  /* exit master */
    (uintptr_t) &ngx_cira_api,           /* ngx_cira_api_find() */
    0, 0, 0, 0, 0, 0, 0
};


#define CIRA_TEXT_STATE       0
#define CIRA_TEXT_REASON      1

#define CIRA_NUMBER_OPENED    0
#define CIRA_NUMBER_RECEIVED  1
#define CIRA_NUMBER_SENT      2


static ngx_stream_variable_t  ngx_stream_cira_vars[] = {

    { ngx_string("cira_guid"), NULL,
      ngx_stream_cira_guid_variable, 0,
      NGX_STREAM_VAR_NOCACHEABLE|NGX_STREAM_VAR_CHANGEABLE, 0 },

    { ngx_string("cira_tenant"), NULL,
      ngx_stream_cira_tenant_variable, 0,
      NGX_STREAM_VAR_NOCACHEABLE|NGX_STREAM_VAR_CHANGEABLE, 0 },

    { ngx_string("cira_state"), NULL,
      ngx_stream_cira_text_variable, CIRA_TEXT_STATE,
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("cira_close_reason"), NULL,
      ngx_stream_cira_text_variable, CIRA_TEXT_REASON,
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("cira_channels_opened"), NULL,
      ngx_stream_cira_number_variable, CIRA_NUMBER_OPENED,
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("cira_data_received"), NULL,
      ngx_stream_cira_number_variable, CIRA_NUMBER_RECEIVED,
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

    { ngx_string("cira_data_sent"), NULL,
      ngx_stream_cira_number_variable, CIRA_NUMBER_SENT,
      NGX_STREAM_VAR_NOCACHEABLE, 0 },

      ngx_stream_null_variable
};


/* before TLS: who is banned shall not cost a handshake */

static ngx_int_t
ngx_stream_cira_preaccess_handler(ngx_stream_session_t *s)
{
    ngx_int_t            rc;
    ngx_cira_conf_t     *conf;
    ngx_connection_t    *c;
    ngx_cira_session_t  *cs;

    conf = ngx_stream_get_module_srv_conf(s, ngx_stream_cira_module);

    if (!conf->enable) {
        return NGX_DECLINED;
    }

    c = s->connection;

    cs = ngx_cira_session_create(c, conf);
    if (cs == NULL) {
        return NGX_ERROR;
    }

    ngx_stream_set_ctx(s, cs, ngx_stream_cira_module);

    rc = ngx_cira_limit_enter(c, c->log);

    if (rc == NGX_DECLINED) {
        cs->text = "address is banned";
        return NGX_STREAM_FORBIDDEN;
    }

    if (rc != NGX_OK) {
        cs->text = "too many connections of the address";
        return NGX_STREAM_SERVICE_UNAVAILABLE;
    }

    cs->limited = 1;

    return NGX_DECLINED;
}


static void
ngx_stream_cira_handler(ngx_stream_session_t *s)
{
    ngx_connection_t    *c;
    ngx_cira_session_t  *cs;

    c = s->connection;
    cs = ngx_stream_get_module_ctx(s, ngx_stream_cira_module);

    if (cs == NULL || c->ssl == NULL) {
        ngx_log_error(NGX_LOG_ALERT, c->log, 0, "cira without TLS");
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    /* passwords: at login, and where devices repeat what they were told */

    SSL_set_options(c->ssl->connection,
                    SSL_OP_NO_RENEGOTIATION|SSL_OP_CLEANSE_PLAINTEXT);
    c->ssl->no_wait_shutdown = 1;

    if (c->listening->sockaddr->sa_family != AF_UNIX
        && ngx_tcp_nodelay(c) != NGX_OK)
    {
        ngx_stream_finalize_session(s, NGX_STREAM_INTERNAL_SERVER_ERROR);
        return;
    }

    s->log_handler = ngx_stream_cira_log_error;

    c->read->handler = ngx_stream_cira_read_handler;
    c->write->handler = ngx_stream_cira_write_handler;

    cs->octets = &s->received;

    ngx_cira_session_start(cs, ngx_stream_cira_finalize, s);
}


static void
ngx_stream_cira_read_handler(ngx_event_t *rev)
{
    ngx_connection_t      *c;
    ngx_cira_session_t    *cs;
    ngx_stream_session_t  *s;

    c = rev->data;
    s = c->data;
    cs = ngx_stream_get_module_ctx(s, ngx_stream_cira_module);

    if (c->close) {
        ngx_cira_session_close(cs, NGX_CIRA_DISCONNECT_APPLICATION,
                               "worker shutdown");
        ngx_cira_session_run(cs);
        return;
    }

    if (rev->timedout) {
        rev->timedout = 0;
        ngx_cira_session_timeout(cs);
        return;
    }

    ngx_cira_session_read(cs);
}


static void
ngx_stream_cira_write_handler(ngx_event_t *wev)
{
    ngx_connection_t      *c;
    ngx_cira_session_t    *cs;
    ngx_stream_session_t  *s;

    c = wev->data;
    s = c->data;
    cs = ngx_stream_get_module_ctx(s, ngx_stream_cira_module);

    ngx_cira_session_run(cs);
}


static void
ngx_stream_cira_finalize(ngx_cira_session_t *cs)
{
    ngx_uint_t             rc;
    ngx_stream_session_t  *s;

    s = cs->data;

    if (cs->was_in || cs->fsm.ended == NGX_CIRA_HTTP) {
        rc = NGX_STREAM_OK;

    } else if (cs->reason == NGX_CIRA_DISCONNECT_UNAVAILABLE
               || cs->reason == NGX_CIRA_DISCONNECT_TOO_MANY)
    {
        rc = NGX_STREAM_SERVICE_UNAVAILABLE;

    } else if (cs->fsm.ended == NGX_CIRA_VERIFY || cs->fsm.credentials) {
        rc = NGX_STREAM_FORBIDDEN;

    } else {
        rc = NGX_STREAM_BAD_REQUEST;
    }

    ngx_stream_finalize_session(s, rc);
}


static u_char *
ngx_stream_cira_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                 text[NGX_CIRA_GUID_TEXT];
    ngx_cira_session_t    *cs;
    ngx_stream_session_t  *s;

    s = log->data;
    cs = ngx_stream_get_module_ctx(s, ngx_stream_cira_module);

    if (cs == NULL || !cs->fsm.identified) {
        return buf;
    }

    (void) ngx_cira_guid_text(text, cs->fsm.guid);

    return ngx_snprintf(buf, len, ", device: %*s%s",
                        (size_t) NGX_CIRA_GUID_TEXT, text,
                        cs->was_in ? "" : " (not logged in)");
}


/* ---- variables ---- */

static ngx_int_t
ngx_stream_cira_add_variables(ngx_conf_t *cf)
{
    return ngx_cira_conf_variables(cf, ngx_stream_cira_vars);
}


/* before login it is what the device claims, see $cira_state */

static ngx_int_t
ngx_stream_cira_guid_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    u_char              *p;
    ngx_cira_session_t  *cs;

    cs = ngx_stream_get_module_ctx(s, ngx_stream_cira_module);

    if (cs == NULL || !cs->fsm.identified) {
        return ngx_cira_conf_value(v, NULL, 0);
    }

    p = ngx_pnalloc(s->connection->pool, NGX_CIRA_GUID_TEXT);
    if (p == NULL) {
        return NGX_ERROR;
    }

    return ngx_cira_conf_value(v, p, ngx_cira_guid_text(p, cs->fsm.guid) - p);
}


static ngx_int_t
ngx_stream_cira_tenant_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    ngx_cira_session_t  *cs;

    cs = ngx_stream_get_module_ctx(s, ngx_stream_cira_module);

    if (cs == NULL) {
        return ngx_cira_conf_value(v, NULL, 0);
    }

    return ngx_cira_conf_value(v, cs->id.tenant.data, cs->id.tenant.len);
}


static ngx_int_t
ngx_stream_cira_text_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    char                *text;
    ngx_cira_session_t  *cs;

    cs = ngx_stream_get_module_ctx(s, ngx_stream_cira_module);

    text = NULL;

    if (cs) {
        text = (data == CIRA_TEXT_STATE) ? ngx_cira_fsm_name(&cs->fsm)
                                         : cs->text;
    }

    return ngx_cira_conf_value(v, (u_char *) text,
                               text ? ngx_strlen(text) : 0);
}


static ngx_int_t
ngx_stream_cira_number_variable(ngx_stream_session_t *s,
    ngx_stream_variable_value_t *v, uintptr_t data)
{
    off_t                n;
    u_char              *p;
    ngx_cira_session_t  *cs;

    cs = ngx_stream_get_module_ctx(s, ngx_stream_cira_module);

    if (cs == NULL) {
        return ngx_cira_conf_value(v, NULL, 0);
    }

    p = ngx_pnalloc(s->connection->pool, NGX_OFF_T_LEN);
    if (p == NULL) {
        return NGX_ERROR;
    }

    switch (data) {

    case CIRA_NUMBER_OPENED:
        n = cs->opened;
        break;

    case CIRA_NUMBER_RECEIVED:
        n = cs->data_received;
        break;

    default: /* CIRA_NUMBER_SENT */
        n = cs->data_sent;
        break;
    }

    return ngx_cira_conf_value(v, p, ngx_sprintf(p, "%O", n) - p);
}


/* ---- configuration ---- */

static void *
ngx_stream_cira_create_srv_conf(ngx_conf_t *cf)
{
    ngx_cira_conf_t  *conf;

    conf = ngx_pcalloc(cf->pool, sizeof(ngx_cira_conf_t));
    if (conf == NULL) {
        return NULL;
    }

    conf->login_timeout = NGX_CONF_UNSET_MSEC;
    conf->login_buffer = NGX_CONF_UNSET_SIZE;
    conf->login_messages = NGX_CONF_UNSET_UINT;
    conf->keepalive_interval = NGX_CONF_UNSET_MSEC;
    conf->keepalive_timeout = NGX_CONF_UNSET_MSEC;
    conf->auth_retry = NGX_CONF_UNSET_MSEC;
    conf->channels = NGX_CONF_UNSET_UINT;
    conf->queue = NGX_CONF_UNSET_UINT;
    conf->queue_timeout = NGX_CONF_UNSET_MSEC;
    conf->window = NGX_CONF_UNSET_SIZE;
    conf->window_redirection = NGX_CONF_UNSET_SIZE;

    return conf;
}


static char *
ngx_stream_cira_merge_srv_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_cira_conf_t *prev = parent;
    ngx_cira_conf_t *conf = child;

    ngx_conf_merge_msec_value(conf->login_timeout, prev->login_timeout,
                              30000);
    ngx_conf_merge_size_value(conf->login_buffer, prev->login_buffer, 4096);
    ngx_conf_merge_uint_value(conf->login_messages, prev->login_messages, 16);
    ngx_conf_merge_msec_value(conf->keepalive_interval,
                              prev->keepalive_interval, 30000);
    ngx_conf_merge_msec_value(conf->keepalive_timeout,
                              prev->keepalive_timeout, 90000);
    ngx_conf_merge_msec_value(conf->auth_retry, prev->auth_retry, 5000);
    ngx_conf_merge_uint_value(conf->channels, prev->channels, 6);
    ngx_conf_merge_uint_value(conf->queue, prev->queue, 64);
    ngx_conf_merge_msec_value(conf->queue_timeout, prev->queue_timeout,
                              30000);
    ngx_conf_merge_size_value(conf->window, prev->window, 80 * 1024);
    ngx_conf_merge_size_value(conf->window_redirection,
                              prev->window_redirection, 256 * 1024);

    if (conf->login_timeout == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cira_login_timeout\" must not be 0");
        return NGX_CONF_ERROR;
    }

    if (conf->auth_retry < 100) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cira_auth_retry\" must be 100ms or more");
        return NGX_CONF_ERROR;
    }

    if (conf->login_buffer < 512 || conf->login_buffer > 65536) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"cira_login_buffer\" must be from 512 to 64k");
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;
}


static char *
ngx_stream_cira(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_cira_conf_t *ccf = conf;

    ngx_stream_core_srv_conf_t  *cscf;

    cscf = ngx_stream_conf_get_module_srv_conf(cf, ngx_stream_core_module);

    if (ccf->enable || cscf->handler) {
        return "is duplicate or beside another handler";
    }

    ccf->enable = 1;
    cscf->handler = ngx_stream_cira_handler;

    return NGX_CONF_OK;
}


static char *
ngx_stream_cira_keepalive(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_cira_conf_t *ccf = conf;

    ngx_str_t   *value;
    ngx_msec_t   interval, timeout;

    if (ccf->keepalive_interval != NGX_CONF_UNSET_MSEC) {
        return "is duplicate";
    }

    value = cf->args->elts;

    interval = ngx_parse_time(&value[1], 0);
    timeout = ngx_parse_time(&value[2], 0);

    if (interval == (ngx_msec_t) NGX_ERROR
        || timeout == (ngx_msec_t) NGX_ERROR)
    {
        return "has an invalid time";
    }

    if (interval % 1000 || interval > 86400000) {
        return "takes an interval of whole seconds, up to a day";
    }

    if (timeout && (timeout < 1000 || timeout <= interval)) {
        return "takes a timeout longer than the interval and than a second";
    }

    ccf->keepalive_interval = interval;
    ccf->keepalive_timeout = timeout;

    return NGX_CONF_OK;
}


static char *
ngx_stream_cira_window(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_cira_conf_t *ccf = conf;

    ngx_str_t  *value, size;

    if (ccf->window != NGX_CONF_UNSET_SIZE) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (ngx_stream_cira_parse_window(&value[1], &ccf->window) != NGX_OK) {
        return "takes a size from 32k to 1m";
    }

    if (cf->args->nelts == 3) {

        if (ngx_strncmp(value[2].data, "redirection=", 12) != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\"", &value[2]);
            return NGX_CONF_ERROR;
        }

        size.data = value[2].data + 12;
        size.len = value[2].len - 12;

        if (ngx_stream_cira_parse_window(&size, &ccf->window_redirection)
            != NGX_OK)
        {
            return "takes a redirection size from 32k to 1m";
        }
    }

    return NGX_CONF_OK;
}


static ngx_int_t
ngx_stream_cira_parse_window(ngx_str_t *value, size_t *size)
{
    ssize_t  n;

    n = ngx_parse_size(value);

    if (n < 32 * 1024 || n > 1024 * 1024) {
        return NGX_ERROR;
    }

    *size = n;

    return NGX_OK;
}


static ngx_int_t
ngx_stream_cira_init(ngx_conf_t *cf)
{
    ngx_stream_handler_pt        *h;
    ngx_stream_core_main_conf_t  *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);

    h = ngx_array_push(&cmcf->phases[NGX_STREAM_PREACCESS_PHASE].handlers);
    if (h == NULL) {
        return NGX_ERROR;
    }

    *h = ngx_stream_cira_preaccess_handler;

    if (ngx_cira_conf_listens(cf, ngx_stream_cira_check_ssl) != NGX_OK) {
        return NGX_ERROR;
    }

    return ngx_stream_cira_check(cf);
}


/* what would let nobody in is told now, not to each device */

static ngx_int_t
ngx_stream_cira_check(ngx_conf_t *cf)
{
    char                         *missing;
    ngx_uint_t                    i;
    ngx_cira_conf_t              *conf;
    ngx_cira_zone_conf_t         *zcf;
    ngx_cira_hooks_conf_t        *hcf;
    ngx_stream_core_srv_conf_t  **cscf;
    ngx_stream_core_main_conf_t  *cmcf;

    cmcf = ngx_stream_conf_get_module_main_conf(cf, ngx_stream_core_module);
    zcf = ngx_stream_conf_get_module_main_conf(cf,
                                               ngx_stream_cira_zone_module);
    hcf = ngx_stream_conf_get_module_main_conf(cf,
                                               ngx_stream_cira_hooks_module);

    if (zcf->shm_zone == NULL) {
        missing = "cira_zone";

    } else if (hcf->auth.url == NULL) {
        missing = "cira_auth";

    } else {
        return NGX_OK;
    }

    cscf = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {
        conf = cscf[i]->ctx->srv_conf[ngx_stream_cira_module.ctx_index];

        if (conf->enable) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "\"cira\" in %s:%ui needs \"%s\"",
                          cscf[i]->file_name, cscf[i]->line, missing);
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* the device's password must not be read from the wire */

static ngx_int_t
ngx_stream_cira_check_ssl(ngx_conf_t *cf, ngx_cira_conf_listen_t *ls)
{
    ngx_cira_conf_t             *conf;
    ngx_stream_core_srv_conf_t  *cscf;

    conf = ls->ctx->srv_conf[ngx_stream_cira_module.ctx_index];
    cscf = ls->ctx->srv_conf[ngx_stream_core_module.ctx_index];

    if (!conf->enable || ls->ssl) {
        return NGX_OK;
    }

    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "\"cira\" in %s:%ui needs the \"ssl\" parameter of "
                  "\"listen %V\"",
                  cscf->file_name, cscf->line, ls->addr);

    return NGX_ERROR;
}
