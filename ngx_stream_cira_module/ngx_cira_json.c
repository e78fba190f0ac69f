
/*
 * JSON writer: hostile bytes in, valid JSON out.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/crypto.h>
#include "ngx_cira_json.h"
#include "ngx_cira_utf8.h"


static ngx_int_t ngx_cira_json_reserve(ngx_cira_json_t *j, size_t n);


ngx_int_t
ngx_cira_json_init(ngx_cira_json_t *j, size_t size, ngx_log_t *log)
{
    ngx_memzero(j, sizeof(ngx_cira_json_t));

    j->log = log;
    j->start = ngx_alloc(size, log);
    if (j->start == NULL) {
        j->failed = 1;
        return NGX_ERROR;
    }

    j->last = j->start;
    j->end = j->start + size;

    return NGX_OK;
}


static ngx_int_t
ngx_cira_json_reserve(ngx_cira_json_t *j, size_t n)
{
    size_t   size, used;
    u_char  *p;

    if (j->failed) {
        return NGX_ERROR;
    }

    if ((size_t) (j->end - j->last) >= n) {
        return NGX_OK;
    }

    used = j->last - j->start;
    size = 2 * (j->end - j->start) + n;

    p = ngx_alloc(size, j->log);
    if (p == NULL) {
        j->failed = 1;
        return NGX_ERROR;
    }

    ngx_memcpy(p, j->start, used);

    OPENSSL_cleanse(j->start, used);
    ngx_free(j->start);

    j->start = p;
    j->last = p + used;
    j->end = p + size;

    return NGX_OK;
}


void
ngx_cira_json_raw(ngx_cira_json_t *j, const char *text)
{
    size_t  len;

    len = ngx_strlen(text);

    if (ngx_cira_json_reserve(j, len) == NGX_OK) {
        j->last = ngx_cpymem(j->last, text, len);
    }
}


void
ngx_cira_json_string(ngx_cira_json_t *j, u_char *p, size_t len)
{
    size_t   n;
    u_char  *last;

    /* at most 6 bytes of output per byte of input */

    if (ngx_cira_json_reserve(j, 6 * len + 2) != NGX_OK) {
        return;
    }

    *j->last++ = '"';
    last = p + len;

    while (p < last) {
        if (*p == '"' || *p == '\\') {
            *j->last++ = '\\';
            *j->last++ = *p++;

        } else if (*p == '\0') {

            /* parsers refuse it, and all that stands beside it */

            j->last = ngx_cpymem(j->last, "\xef\xbf\xbd", 3);
            p++;

        } else if (*p < 0x20 || *p == 0x7f) {
            j->last = ngx_sprintf(j->last, "\\u%04xd", (int) *p++);

        } else if (*p < 0x80) {
            *j->last++ = *p++;

        } else {
            n = ngx_cira_utf8_char(p, last - p);

            if (n == 0) {
                j->last = ngx_cpymem(j->last, "\xef\xbf\xbd", 3);
                p++;

            } else {
                j->last = ngx_cpymem(j->last, p, n);
                p += n;
            }
        }
    }

    *j->last++ = '"';
}


void
ngx_cira_json_number(ngx_cira_json_t *j, int64_t n)
{
    if (ngx_cira_json_reserve(j, NGX_INT64_LEN) == NGX_OK) {
        j->last = ngx_sprintf(j->last, "%L", n);
    }
}


void
ngx_cira_json_free(ngx_cira_json_t *j)
{
    if (j->start) {
        OPENSSL_cleanse(j->start, j->last - j->start);
        ngx_free(j->start);
    }

    ngx_memzero(j, sizeof(ngx_cira_json_t));
}
