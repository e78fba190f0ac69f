
/*
 * amt_webhook URL [secret=FILE] [events=LIST] [tenant=NAME] [ca=FILE]
 *     [batch=N] [timeout=TIME] [retry=TIME] [expire=TIME];
 */


#include "events/ngx_amt_webhook.h"
#include <ngx_sha1.h>


#define NGX_AMT_WEBHOOK_SECRET_MAX  1024             /* bytes of the file */


static char *ngx_amt_webhook_param(ngx_conf_t *cf, ngx_amt_webhook_t *hook,
    ngx_str_t *value);
static char *ngx_amt_webhook_secret_file(ngx_conf_t *cf,
    ngx_amt_webhook_t *hook, ngx_str_t *file);
static char *ngx_amt_webhook_filters(ngx_conf_t *cf, ngx_amt_webhook_t *hook,
    ngx_str_t *list);
static char *ngx_amt_webhook_filter(ngx_amt_webhook_filter_t *filter,
    ngx_str_t *word);
static ngx_int_t ngx_amt_webhook_time(ngx_str_t *value, ngx_uint_t seconds,
    ngx_int_t min, ngx_int_t max);


char *
ngx_amt_webhook_parse(ngx_conf_t *cf, const ngx_cira_http_api_t *http,
    ngx_amt_webhook_t *hook)
{
    char        *rv;
    u_char      *p, *last, sum[20];
    ngx_str_t   *value;
    ngx_uint_t   i;
    ngx_sha1_t   sha;

    value = cf->args->elts;

    ngx_memzero(hook, sizeof(ngx_amt_webhook_t));

    hook->batch = 100;
    hook->timeout = 10000;
    hook->retry = 1000;
    hook->expire = 24 * 3600;

    rv = http->parse_url(cf, &value[1], &hook->url, 1);
    if (rv != NGX_CONF_OK) {
        return rv;
    }

    /* the name ends where the path begins */

    hook->name = value[1];

    p = ngx_strlchr(value[1].data, value[1].data + value[1].len, '/') + 2;
    last = value[1].data + value[1].len;

    if (hook->url.path) {
        p += sizeof("unix:") - 1 + ngx_strlen(hook->url.path);

    } else {
        while (p < last && *p != '/' && *p != '?' && *p != '#') {
            p++;
        }
    }

    hook->name.len = p - value[1].data;

    hook->named = hook->url.host.len && hook->url.host.data[0] != '['
                  && ngx_inet_addr(hook->url.host.data, hook->url.host.len)
                     == INADDR_NONE;

    ngx_sha1_init(&sha);
    ngx_sha1_update(&sha, value[1].data, value[1].len);
    ngx_sha1_final(sum, &sha);

    ngx_memcpy(&hook->key, sum, sizeof(uint64_t));
    hook->key |= 1;

    for (i = 2; i < cf->args->nelts; i++) {
        rv = ngx_amt_webhook_param(cf, hook, &value[i]);
        if (rv != NGX_CONF_OK) {
            return rv;
        }
    }

    if (hook->url.ca && !hook->url.https) {
        return "has \"ca=\", which needs \"https://\"";
    }

    return NGX_CONF_OK;
}


static char *
ngx_amt_webhook_param(ngx_conf_t *cf, ngx_amt_webhook_t *hook,
    ngx_str_t *value)
{
    u_char     *p;
    ngx_int_t   n;
    ngx_str_t   s;

    p = ngx_strlchr(value->data, value->data + value->len, '=');

    if (p == NULL) {
        goto invalid;
    }

    s.data = p + 1;
    s.len = value->data + value->len - s.data;

    if (ngx_strncmp(value->data, "secret=", 7) == 0) {
        return ngx_amt_webhook_secret_file(cf, hook, &s);
    }

    if (ngx_strncmp(value->data, "events=", 7) == 0) {
        return ngx_amt_webhook_filters(cf, hook, &s);
    }

    if (ngx_strncmp(value->data, "tenant=", 7) == 0) {

        if (s.len > NGX_AMT_EVENT_TENANT_LEN) {
            return "has a \"tenant=\" that is too long";
        }

        hook->tenant = s;
        hook->one_tenant = 1;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "ca=", 3) == 0 && s.len) {

        if (ngx_conf_full_name(cf->cycle, &s, 1) != NGX_OK) {
            return NGX_CONF_ERROR;
        }

        if (access((char *) s.data, R_OK) == -1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                               "\"amt_webhook\": \"%V\" cannot be read", &s);
            return NGX_CONF_ERROR;
        }

        hook->url.ca = (char *) s.data;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "batch=", 6) == 0) {
        n = ngx_atoi(s.data, s.len);

        if (n < 1 || n > 1000) {
            return "has a \"batch=\" that is not between 1 and 1000";
        }

        hook->batch = n;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "timeout=", 8) == 0) {
        n = ngx_amt_webhook_time(&s, 0, 100, 60000);

        if (n == NGX_ERROR) {
            return "has a \"timeout=\" that is not between 100ms and 1m";
        }

        hook->timeout = n;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "retry=", 6) == 0) {
        n = ngx_amt_webhook_time(&s, 0, 10, 60000);

        if (n == NGX_ERROR) {
            return "has a \"retry=\" that is not between 10ms and 1m";
        }

        hook->retry = n;
        return NGX_CONF_OK;
    }

    if (ngx_strncmp(value->data, "expire=", 7) == 0) {
        n = ngx_amt_webhook_time(&s, 1, 1, 30 * 24 * 3600);

        if (n == NGX_ERROR) {
            return "has an \"expire=\" that is not between 1s and 30d";
        }

        hook->expire = n;
        return NGX_CONF_OK;
    }

invalid:

    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"",
                       value);

    return NGX_CONF_ERROR;
}


static ngx_int_t
ngx_amt_webhook_time(ngx_str_t *value, ngx_uint_t seconds, ngx_int_t min,
    ngx_int_t max)
{
    ngx_int_t  n;

    n = ngx_parse_time(value, seconds);

    return n < min || n > max ? NGX_ERROR : n;
}


static char *
ngx_amt_webhook_secret_file(ngx_conf_t *cf, ngx_amt_webhook_t *hook,
    ngx_str_t *file)
{
    ngx_amt_source_t        *src;
    ngx_amt_source_error_t   err;

    if (file->len == 0 || hook->secret) {
        return "has an empty or a second \"secret=\"";
    }

    if (ngx_conf_full_name(cf->cycle, file, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }

    src = ngx_pcalloc(cf->pool, sizeof(ngx_amt_source_t));
    if (src == NULL) {
        return NGX_CONF_ERROR;
    }

    src->path = *file;
    src->parse = ngx_amt_webhook_secrets;
    src->max = NGX_AMT_WEBHOOK_SECRET_MAX;
    src->forbidden = S_IRWXO;

    if (ngx_amt_source_init(src, cf->pool, cf->log, &err) != NGX_OK) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"amt_webhook\": \"%V\": %*s",
                           file, err.len, err.text);
        return NGX_CONF_ERROR;
    }

    hook->secret = src;

    return NGX_CONF_OK;
}


/* name[:type],...; a name may end with an asterisk */

static char *
ngx_amt_webhook_filters(ngx_conf_t *cf, ngx_amt_webhook_t *hook,
    ngx_str_t *list)
{
    char                      *rv;
    u_char                    *p, *last;
    ngx_str_t                  word;
    ngx_amt_webhook_filter_t  *filter;

    if (hook->filters) {
        return "has a second \"events=\"";
    }

    hook->filters = ngx_array_create(cf->pool, 4,
                                     sizeof(ngx_amt_webhook_filter_t));
    if (hook->filters == NULL) {
        return NGX_CONF_ERROR;
    }

    p = list->data;
    last = p + list->len;

    do {
        word.data = p;

        while (p < last && *p != ',') {
            p++;
        }

        word.len = p - word.data;

        filter = ngx_array_push(hook->filters);
        if (filter == NULL) {
            return NGX_CONF_ERROR;
        }

        rv = ngx_amt_webhook_filter(filter, &word);
        if (rv != NGX_CONF_OK) {
            return rv;
        }

    } while (p++ < last);

    return NGX_CONF_OK;
}


static char *
ngx_amt_webhook_filter(ngx_amt_webhook_filter_t *filter, ngx_str_t *word)
{
    u_char      *p;
    ngx_str_t    type;
    ngx_uint_t   i;

    static ngx_str_t  types[] = {
        ngx_string("request"), ngx_string("success"), ngx_string("fail")
    };

    filter->name = *word;
    filter->prefix = 0;
    filter->type = -1;

    p = ngx_strlchr(word->data, word->data + word->len, ':');

    if (p) {
        filter->name.len = p - word->data;

        type.data = p + 1;
        type.len = word->data + word->len - type.data;

        for (i = 0; i < 3; i++) {
            if (type.len == types[i].len
                && ngx_strncmp(type.data, types[i].data, type.len) == 0)
            {
                filter->type = i;
                break;
            }
        }

        if (i == 3) {
            return "has a type in \"events=\" that is not \"request\", "
                   "\"success\" or \"fail\"";
        }
    }

    if (filter->name.len
        && filter->name.data[filter->name.len - 1] == '*')
    {
        filter->name.len--;
        filter->prefix = 1;

    } else if (filter->name.len == 0) {
        return "has an empty name in \"events=\"";
    }

    if (ngx_strlchr(filter->name.data, filter->name.data + filter->name.len,
                    '*'))
    {
        return "has an asterisk in \"events=\" that is not at the end";
    }

    return NGX_CONF_OK;
}


ngx_uint_t
ngx_amt_webhook_wants(const ngx_amt_webhook_t *hook,
    const ngx_amt_event_record_t *rec)
{
    ngx_uint_t                 i;
    ngx_amt_webhook_filter_t  *f;

    if (hook->one_tenant
        && (hook->tenant.len != rec->tenant_len
            || ngx_strncmp(hook->tenant.data, rec->tenant, rec->tenant_len)
               != 0))
    {
        return 0;
    }

    if (hook->filters == NULL) {
        return 1;
    }

    f = hook->filters->elts;

    for (i = 0; i < hook->filters->nelts; i++) {

        if (f[i].type != -1 && f[i].type != (ngx_int_t) rec->type) {
            continue;
        }

        if ((f[i].prefix ? f[i].name.len <= rec->method_len
                         : f[i].name.len == rec->method_len)
            && ngx_memcmp(f[i].name.data, rec->method, f[i].name.len) == 0)
        {
            return 1;
        }
    }

    return 0;
}
