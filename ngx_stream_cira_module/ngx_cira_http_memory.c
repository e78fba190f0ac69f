
/*
 * libcurl's buffers hold passwords on their way to cira_auth and keys of
 * signatures: everything it frees is wiped.  The size is kept in front of
 * each block.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/crypto.h>
#include "ngx_cira_http_memory.h"


#define NGX_CIRA_HTTP_HEAD  16


void *
ngx_cira_http_malloc(size_t size)
{
    u_char  *p;

    if (size > (size_t) -1 - NGX_CIRA_HTTP_HEAD) {
        return NULL;
    }

    p = malloc(size + NGX_CIRA_HTTP_HEAD);
    if (p == NULL) {
        return NULL;
    }

    *(size_t *) p = size;

    return p + NGX_CIRA_HTTP_HEAD;
}


void
ngx_cira_http_mfree(void *ptr)
{
    u_char  *p;

    if (ptr == NULL) {
        return;
    }

    p = (u_char *) ptr - NGX_CIRA_HTTP_HEAD;
    OPENSSL_cleanse(p, *(size_t *) p + NGX_CIRA_HTTP_HEAD);
    free(p);
}


void *
ngx_cira_http_realloc(void *ptr, size_t size)
{
    void    *p;
    size_t   old;

    p = ngx_cira_http_malloc(size);
    if (p == NULL) {
        return NULL;
    }

    if (ptr) {
        old = *(size_t *) ((u_char *) ptr - NGX_CIRA_HTTP_HEAD);
        ngx_memcpy(p, ptr, ngx_min(old, size));
        ngx_cira_http_mfree(ptr);
    }

    return p;
}


void *
ngx_cira_http_calloc(size_t n, size_t size)
{
    void  *p;

    if (size && n > (size_t) -1 / size) {
        return NULL;
    }

    p = ngx_cira_http_malloc(n * size);
    if (p) {
        ngx_memzero(p, n * size);
    }

    return p;
}


char *
ngx_cira_http_strdup(const char *s)
{
    char    *p;
    size_t   len;

    len = ngx_strlen(s) + 1;

    p = ngx_cira_http_malloc(len);
    if (p) {
        ngx_memcpy(p, s, len);
    }

    return p;
}
