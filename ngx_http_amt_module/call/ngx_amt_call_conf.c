
/*
 * Where detached calls go: finds the location when the configuration is read
 * and refuses one that cannot carry secrets or would answer instead of its
 * backend.  What is not visible here (a "return", an unreachable backend)
 * shows up as "did not answer" of ngx_amt_call.c.
 */


#include "ngx_http_amt.h"
#include "call/ngx_amt_call.h"


static ngx_http_location_tree_node_t *ngx_amt_call_find(
    ngx_http_location_tree_node_t *node, ngx_str_t *name);
static ngx_int_t ngx_amt_call_check(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_http_core_loc_conf_t *clcf,
    ngx_amt_call_check_t *check);
static const char *ngx_amt_call_check_upstream(ngx_http_upstream_conf_t *u);
static ngx_int_t ngx_amt_call_refuse(ngx_conf_t *cf,
    ngx_http_core_srv_conf_t *cscf, ngx_http_core_loc_conf_t *clcf,
    ngx_amt_call_check_t *check, const char *why);
static ngx_http_upstream_conf_t *ngx_amt_call_proxy(ngx_conf_t *cf,
    ngx_http_core_loc_conf_t *clcf);


void
ngx_amt_call_backend(ngx_conf_t *cf)
{
    ngx_http_amt_loc_conf_t  *alcf;

    alcf = ngx_http_conf_get_module_loc_conf(cf, ngx_http_amt_module);

    alcf->backend = 1;
}


ngx_int_t
ngx_amt_call_locate(ngx_conf_t *cf, ngx_amt_call_conf_t *conf,
    ngx_amt_call_check_t *check)
{
    ngx_uint_t                       i;
    ngx_http_core_loc_conf_t        *root, *clcf;
    ngx_http_core_srv_conf_t       **cscfp;
    ngx_http_core_main_conf_t       *cmcf;
    ngx_http_location_tree_node_t   *node;

    cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    cscfp = cmcf->servers.elts;

    for (i = 0; i < cmcf->servers.nelts; i++) {

        root = cscfp[i]->ctx->loc_conf[ngx_http_core_module.ctx_index];
        node = ngx_amt_call_find(root->static_locations, &conf->location);

        if (node == NULL) {
            continue;
        }

        clcf = node->inclusive;

        if (node->tree) {
            return ngx_amt_call_refuse(cf, cscfp[i], clcf, check,
                                       "must not have locations below it, "
                                       "they would take its requests");
        }

#if (NGX_PCRE)
        if (root->regex_locations && !clcf->noregex) {
            return ngx_amt_call_refuse(cf, cscfp[i], clcf, check,
                                       "must be declared with \"^~\", a "
                                       "location with a regular expression "
                                       "may take its requests");
        }
#endif

        if (ngx_amt_call_check(cf, cscfp[i], clcf, check) != NGX_OK) {
            return NGX_ERROR;
        }

        if (conf->clcf == NULL) {
            conf->clcf = clcf;
            conf->ctx = cscfp[i]->ctx;
            conf->addr_conf.default_server = cscfp[i];
        }
    }

    if (conf->clcf == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%s: no server has a location \"%V\", in %s:%ui",
                      check->directive, &conf->location,
                      check->file, check->line);
        return NGX_ERROR;
    }

    conf->sockaddr.sun_family = AF_UNIX;

    conf->listening.fd = (ngx_socket_t) -1;
    conf->listening.sockaddr = (struct sockaddr *) &conf->sockaddr;
    conf->listening.socklen = sizeof(struct sockaddr_un);
    ngx_str_set(&conf->listening.addr_text, "internal");

    return NGX_OK;
}


/* As ngx_http_core_find_static_location(), for the location's own name. */

static ngx_http_location_tree_node_t *
ngx_amt_call_find(ngx_http_location_tree_node_t *node, ngx_str_t *name)
{
    u_char     *uri;
    size_t      len, n;
    ngx_int_t   rc;

    uri = name->data;
    len = name->len;

    while (node) {

        n = (len <= (size_t) node->len) ? len : node->len;

        rc = ngx_filename_cmp(uri, node->name, n);

        if (rc != 0) {
            node = (rc < 0) ? node->left : node->right;
            continue;
        }

        if (len > (size_t) node->len) {

            if (node->inclusive) {
                uri += n;
                len -= n;
                node = node->tree;
                continue;
            }

            node = node->right;
            continue;
        }

        if (len == (size_t) node->len) {
            return node->inclusive ? node : NULL;
        }

        node = node->left;
    }

    return NULL;
}


static ngx_int_t
ngx_amt_call_check(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_http_core_loc_conf_t *clcf, ngx_amt_call_check_t *check)
{
    const char                *why;
    ngx_http_amt_loc_conf_t   *alcf;
    ngx_http_upstream_conf_t  *u;

    if (!clcf->internal) {
        return ngx_amt_call_refuse(cf, cscf, clcf, check,
                                   "must be \"internal\", anyone could call "
                                   "it otherwise");
    }

    if (clcf->static_locations
#if (NGX_PCRE)
        || clcf->regex_locations
#endif
       )
    {
        return ngx_amt_call_refuse(cf, cscf, clcf, check,
                                   "must not contain other locations");
    }

    alcf = clcf->loc_conf[ngx_http_amt_module.ctx_index];

    if (alcf->backend && clcf->handler) {

        /* our own backend needs no words about room */

        if (clcf->subrequest_output_buffer_size < check->size * 4) {
            clcf->subrequest_output_buffer_size = check->size * 4;
        }

        return NGX_OK;
    }

    if (clcf->subrequest_output_buffer_size < check->size) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "%s: location \"%V\" needs "
                      "\"subrequest_output_buffer_size %uzk\" or more, it has "
                      "%uz bytes, in %s:%ui",
                      check->directive, &clcf->name, check->size / 1024,
                      clcf->subrequest_output_buffer_size,
                      check->file, check->line);
        return NGX_ERROR;
    }

    u = ngx_amt_call_proxy(cf, clcf);

    if (clcf->handler == NULL || u == NULL || u->upstream == NULL) {
        return ngx_amt_call_refuse(cf, cscf, clcf, check,
                                   "is answered by nginx itself: it needs "
                                   "\"proxy_pass\" without variables or "
                                   "\"amt_keystore\"");
    }

    why = ngx_amt_call_check_upstream(u);

    if (why) {
        return ngx_amt_call_refuse(cf, cscf, clcf, check, why);
    }

    /* whatever "proxy_ignore_headers" says: an answer is data, no order */

    u->ignore_headers |= NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT
                         |NGX_HTTP_UPSTREAM_IGN_XA_EXPIRES
                         |NGX_HTTP_UPSTREAM_IGN_XA_LIMIT_RATE
                         |NGX_HTTP_UPSTREAM_IGN_XA_BUFFERING
                         |NGX_HTTP_UPSTREAM_IGN_XA_CHARSET;

#if (NGX_HTTP_SSL)

    /* since 1.23.1 all have the object; without a context it is not in use */

    if (u->ssl && u->ssl->ctx && !u->ssl_verify) {
        ngx_log_error(NGX_LOG_WARN, cf->log, 0,
                      "%s: location \"%V\" gives its secrets to any server "
                      "that answers, it lacks \"proxy_ssl_verify on\", "
                      "in %s:%ui",
                      check->directive, &clcf->name,
                      check->file, check->line);
    }

#endif

    return NGX_OK;
}


static const char *
ngx_amt_call_check_upstream(ngx_http_upstream_conf_t *u)
{
    if (u->intercept_errors) {
        return "needs \"proxy_intercept_errors off\", nginx would answer "
               "instead of the backend";
    }

    if (u->buffering) {
        return "needs \"proxy_buffering off\", answers could be written to "
               "temporary files";
    }

    if (u->store) {
        return "must not have \"proxy_store\", answers would be written to "
               "disk";
    }

#if (NGX_HTTP_CACHE)
    if (u->cache) {
        return "must not have \"proxy_cache\", answers would be written to "
               "disk";
    }
#endif

    if (!u->pass_request_body) {
        return "needs \"proxy_pass_request_body on\"";
    }

    if (u->next_upstream & NGX_HTTP_UPSTREAM_FT_NON_IDEMPOTENT) {
        return "must not have \"proxy_next_upstream non_idempotent\", a write "
               "could be done twice";
    }

    return NULL;
}


static ngx_int_t
ngx_amt_call_refuse(ngx_conf_t *cf, ngx_http_core_srv_conf_t *cscf,
    ngx_http_core_loc_conf_t *clcf, ngx_amt_call_check_t *check,
    const char *why)
{
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                  "%s: location \"%V\" in the server at %s:%ui %s, in %s:%ui",
                  check->directive, &clcf->name, cscf->file_name, cscf->line,
                  why, check->file, check->line);

    return NGX_ERROR;
}


/*
 * The configuration of proxy_pass starts with the upstream's.  The module is
 * looked up by name, nginx can be built without it.
 */

static ngx_http_upstream_conf_t *
ngx_amt_call_proxy(ngx_conf_t *cf, ngx_http_core_loc_conf_t *clcf)
{
    ngx_uint_t  i;

    for (i = 0; cf->cycle->modules[i]; i++) {

        if (cf->cycle->modules[i]->type == NGX_HTTP_MODULE
            && ngx_strcmp(cf->cycle->modules[i]->name,
                          "ngx_http_proxy_module")
               == 0)
        {
            return clcf->loc_conf[cf->cycle->modules[i]->ctx_index];
        }
    }

    return NULL;
}
