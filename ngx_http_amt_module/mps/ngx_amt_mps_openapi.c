
/*
 * REST: the description of this API, from a file that is read at
 * configuration time.
 */


#include "mps/ngx_amt_reply.h"


#define NGX_AMT_OPENAPI_MAX  (4 * 1024 * 1024)


ngx_int_t
ngx_amt_mps_openapi(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_api_frame_t  *v = data;

    ngx_amt_api_t  *api;

    api = v->api;

    if (api->conf->openapi.len == 0) {
        return ngx_amt_reply_html(api, 404);
    }

    api->reply.status = 200;
    api->reply.body = api->conf->openapi;
    api->reply.yaml = 1;

    return NGX_OK;
}


ngx_int_t
ngx_amt_mps_openapi_read(ngx_conf_t *cf, ngx_str_t *name, ngx_str_t *text)
{
    off_t            size;
    ssize_t          n;
    ngx_int_t        rc;
    ngx_file_t       file;
    ngx_file_info_t  fi;

    ngx_memzero(&file, sizeof(ngx_file_t));

    file.name = *name;
    file.log = cf->log;

    file.fd = ngx_open_file(name->data, NGX_FILE_RDONLY, NGX_FILE_OPEN, 0);

    if (file.fd == NGX_INVALID_FILE) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_open_file_n " \"%V\" failed", name);
        return NGX_ERROR;
    }

    rc = NGX_ERROR;

    if (ngx_fd_info(file.fd, &fi) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, ngx_errno,
                           ngx_fd_info_n " \"%V\" failed", name);
        goto done;
    }

    size = ngx_file_size(&fi);

    if (!ngx_is_file(&fi) || size == 0 || size > NGX_AMT_OPENAPI_MAX) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" must be a file of 1 to %d bytes", name,
                           NGX_AMT_OPENAPI_MAX);
        goto done;
    }

    text->data = ngx_pnalloc(cf->pool, (size_t) size);
    if (text->data == NULL) {
        goto done;
    }

    n = ngx_read_file(&file, text->data, (size_t) size, 0);

    if (n != (ssize_t) size) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" cannot be read",
                           name);
        goto done;
    }

    text->len = (size_t) size;
    rc = NGX_OK;

done:

    if (ngx_close_file(file.fd) == NGX_FILE_ERROR) {
        ngx_conf_log_error(NGX_LOG_ALERT, cf, ngx_errno,
                           ngx_close_file_n " \"%V\" failed", name);
    }

    return rc;
}
