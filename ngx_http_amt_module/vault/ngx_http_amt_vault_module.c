
/*
 * amt_vault PATH MOUNT [token=FILE] [timeout=TIME] [max=NUMBER] and the
 * variable $amt_vault_token.
 */


#include "vault/ngx_http_amt_vault.h"
#include <cjose/cjose.h>
#include <jansson.h>
#include <malloc.h>


/* certificates with their chains and keys are stored as secrets, too */
#define NGX_AMT_VAULT_ANSWER   65536


static void *ngx_http_amt_vault_malloc(size_t size);
static void *ngx_http_amt_vault_realloc(void *p, size_t size);
static void ngx_http_amt_vault_free(void *p);
static ngx_int_t ngx_http_amt_vault_token_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data);
static ngx_int_t ngx_http_amt_vault_preconfiguration(ngx_conf_t *cf);
static ngx_int_t ngx_http_amt_vault_postconfiguration(ngx_conf_t *cf);
static void *ngx_http_amt_vault_create_main_conf(ngx_conf_t *cf);
static char *ngx_http_amt_vault(ngx_conf_t *cf, ngx_command_t *cmd,
    void *conf);
static ngx_int_t ngx_http_amt_vault_check_token(ngx_conf_t *cf,
    ngx_amt_vault_token_t *token);
static ngx_int_t ngx_http_amt_vault_init_process(ngx_cycle_t *cycle);
static void ngx_http_amt_vault_exit_process(ngx_cycle_t *cycle);


static ngx_command_t  ngx_http_amt_vault_commands[] = {

    { ngx_string("amt_vault"),
      NGX_HTTP_MAIN_CONF|NGX_CONF_2MORE,
      ngx_http_amt_vault,
      NGX_HTTP_MAIN_CONF_OFFSET,
      0,
      NULL },

      ngx_null_command
};


static ngx_http_module_t  ngx_http_amt_vault_module_ctx = {
    ngx_http_amt_vault_preconfiguration,   /* preconfiguration */
    ngx_http_amt_vault_postconfiguration,  /* postconfiguration */

    ngx_http_amt_vault_create_main_conf,   /* create main configuration */
    NULL,                                  /* init main configuration */

    NULL,                                  /* create server configuration */
    NULL,                                  /* merge server configuration */

    NULL,                                  /* create location configuration */
    NULL                                   /* merge location configuration */
};


ngx_module_t  ngx_http_amt_vault_module = {
    NGX_MODULE_V1,
    &ngx_http_amt_vault_module_ctx,        /* module context */
    ngx_http_amt_vault_commands,           /* module directives */
    NGX_HTTP_MODULE,                       /* module type */
    NULL,                                  /* init master */
    NULL,                                  /* init module */
    ngx_http_amt_vault_init_process,       /* init process */
    NULL,                                  /* init thread */
    NULL,                                  /* exit thread */
    ngx_http_amt_vault_exit_process,       /* exit process */
    NULL,                                  /* exit master */
    NGX_MODULE_V1_PADDING
};


static ngx_str_t  ngx_http_amt_vault_token_name =
    ngx_string("amt_vault_token");


ngx_http_amt_vault_main_conf_t *
ngx_http_amt_vault_conf(void)
{
    ngx_http_amt_vault_main_conf_t  *vmcf;

    vmcf = ngx_http_cycle_get_module_main_conf(ngx_cycle,
                                               ngx_http_amt_vault_module);

    return (vmcf && vmcf->set) ? vmcf : NULL;
}


/*
 * Memory of JSON values and of tokens holds secrets: it is wiped when it is
 * freed.  The size is malloc's own, so that values made before (in the
 * master) are fine.
 */

static void *
ngx_http_amt_vault_malloc(size_t size)
{
    return malloc(size);
}


static void *
ngx_http_amt_vault_realloc(void *p, size_t size)
{
    void    *new;
    size_t   old;

    new = malloc(size);

    if (new && p) {
        old = malloc_usable_size(p);
        ngx_memcpy(new, p, ngx_min(old, size));
        ngx_http_amt_vault_free(p);
    }

    return new;
}


static void
ngx_http_amt_vault_free(void *p)
{
    if (p) {
        ngx_explicit_memzero(p, malloc_usable_size(p));
        free(p);
    }
}


/*
 * Only calls of this module have it: in a location for clients it is empty,
 * whatever is done with it there.
 */

static ngx_int_t
ngx_http_amt_vault_token_variable(ngx_http_request_t *r,
    ngx_http_variable_value_t *v, uintptr_t data)
{
    ngx_amt_vault_token_t           *token;
    ngx_http_amt_vault_main_conf_t  *vmcf;

    v->not_found = 1;

    vmcf = ngx_http_amt_vault_conf();

    if (vmcf == NULL || !ngx_amt_call_is(r)) {
        return NGX_OK;
    }

    token = &vmcf->token;

    ngx_amt_vault_token_refresh(token, r->connection->log);

    if (token->len == 0) {
        return NGX_OK;
    }

    /* a copy in the call's pool, which is wiped */

    v->data = ngx_pnalloc(r->pool, token->len);
    if (v->data == NULL) {
        return NGX_ERROR;
    }

    ngx_memcpy(v->data, token->data, token->len);

    v->len = token->len;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;

    return NGX_OK;
}


static ngx_int_t
ngx_http_amt_vault_preconfiguration(ngx_conf_t *cf)
{
    ngx_http_variable_t  *var;

    var = ngx_http_add_variable(cf, &ngx_http_amt_vault_token_name,
                                NGX_HTTP_VAR_NOCACHEABLE);
    if (var == NULL) {
        return NGX_ERROR;
    }

    var->get_handler = ngx_http_amt_vault_token_variable;

    return NGX_OK;
}


static void *
ngx_http_amt_vault_create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_amt_vault_main_conf_t));
}


static char *
ngx_http_amt_vault(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_amt_vault_main_conf_t *vmcf = conf;

    u_char      *p;
    ngx_int_t    n;
    ngx_str_t   *value, s;
    ngx_uint_t   i;

    if (vmcf->set) {
        return "is duplicate";
    }

    value = cf->args->elts;

    if (value[1].len < 2 || value[1].data[0] != '/'
        || value[1].data[value[1].len - 1] != '/')
    {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must start and end with a slash",
                           &value[1]);
        return NGX_CONF_ERROR;
    }

    for (i = 0; i < value[2].len; i++) {
        p = &value[2].data[i];

        if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z')
              || (*p >= '0' && *p <= '9') || *p == '_' || *p == '-'
              || (*p == '/' && i > 0 && i < value[2].len - 1
                  && p[-1] != '/')))
        {
            break;
        }
    }

    if (value[2].len == 0 || i < value[2].len) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" is no name of a mount", &value[2]);
        return NGX_CONF_ERROR;
    }

    vmcf->call.location = value[1];
    vmcf->mount = value[2];
    vmcf->timeout = 10000;
    vmcf->max = 64;

    for (i = 3; i < cf->args->nelts; i++) {

        if (ngx_strncmp(value[i].data, "token=", 6) == 0) {
            vmcf->token.file.data = value[i].data + 6;
            vmcf->token.file.len = value[i].len - 6;

            if (vmcf->token.file.len == 0) {
                goto invalid;
            }

            if (ngx_conf_full_name(cf->cycle, &vmcf->token.file, 1)
                != NGX_OK)
            {
                return NGX_CONF_ERROR;
            }

            continue;
        }

        if (ngx_strncmp(value[i].data, "timeout=", 8) == 0) {
            s.data = value[i].data + 8;
            s.len = value[i].len - 8;

            n = ngx_parse_time(&s, 0);

            if (n == NGX_ERROR || n == 0) {
                goto invalid;
            }

            vmcf->timeout = n;
            continue;
        }

        if (ngx_strncmp(value[i].data, "max=", 4) == 0) {
            n = ngx_atoi(value[i].data + 4, value[i].len - 4);

            if (n == NGX_ERROR || n == 0) {
                goto invalid;
            }

            vmcf->max = n;
            continue;
        }

        goto invalid;
    }

    vmcf->set = 1;
    vmcf->file = cf->conf_file->file.name.data;
    vmcf->line = cf->conf_file->line;

    if (vmcf->token.file.len
        && ngx_http_amt_vault_check_token(cf, &vmcf->token) != NGX_OK)
    {
        return NGX_CONF_ERROR;
    }

    return NGX_CONF_OK;

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "invalid parameter \"%V\"", &value[i]);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_http_amt_vault_check_token(ngx_conf_t *cf, ngx_amt_vault_token_t *token)
{
    u_char       data[NGX_AMT_VAULT_TOKEN_MAX];
    size_t       len;
    ngx_err_t    err;
    const char  *why;
    struct stat  st;

    why = ngx_amt_vault_token_read(token, data, &len, &st, &err);

    ngx_explicit_memzero(data, sizeof(data));

    if (why == NULL) {
        return NGX_OK;
    }

    ngx_conf_log_error(NGX_LOG_EMERG, cf, err, "token file \"%V\" %s",
                       &token->file, why);

    return NGX_ERROR;
}


static ngx_int_t
ngx_http_amt_vault_postconfiguration(ngx_conf_t *cf)
{
    ngx_amt_call_check_t             check;
    ngx_http_amt_vault_main_conf_t  *vmcf;

    vmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_amt_vault_module);

    if (!vmcf->set) {
        return NGX_OK;
    }

    check.directive = "amt_vault";
    check.file = vmcf->file;
    check.line = vmcf->line;
    check.size = NGX_AMT_VAULT_ANSWER;

    return ngx_amt_call_locate(cf, &vmcf->call, &check);
}


static ngx_int_t
ngx_http_amt_vault_init_process(ngx_cycle_t *cycle)
{
    ngx_http_amt_vault_main_conf_t  *vmcf;

    /* this sets those of JSON, too */

    cjose_set_alloc_funcs(ngx_http_amt_vault_malloc,
                          ngx_http_amt_vault_realloc,
                          ngx_http_amt_vault_free);

    json_set_alloc_funcs(ngx_http_amt_vault_malloc, ngx_http_amt_vault_free);
    json_object_seed(0);

    vmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_amt_vault_module);

    if (vmcf == NULL || !vmcf->set) {
        return NGX_OK;
    }

    return ngx_amt_vault_token_init(&vmcf->token, cycle->log);
}


static void
ngx_http_amt_vault_exit_process(ngx_cycle_t *cycle)
{
    ngx_http_amt_vault_main_conf_t  *vmcf;

    vmcf = ngx_http_cycle_get_module_main_conf(cycle,
                                               ngx_http_amt_vault_module);

    if (vmcf) {
        ngx_amt_vault_token_exit(&vmcf->token);
    }
}
