
/* What tests of codecs need of nginx: time, a log, a pool; and files. */


#ifndef _WSMAN_UNIT_H_INCLUDED_
#define _WSMAN_UNIT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <openssl/ssl.h>
#include "tap.h"


static ngx_log_t        unit_log;
static ngx_open_file_t  unit_log_file;


static inline void
unit_init(void)
{
    unit_log_file.fd = STDERR_FILENO;
    unit_log.file = &unit_log_file;
    unit_log.log_level = NGX_LOG_EMERG;

    ngx_pagesize = getpagesize();
    ngx_cacheline_size = NGX_CPU_CACHE_LINE;
    ngx_time_init();
}


static inline ngx_pool_t *
unit_pool(void)
{
    ngx_pool_t  *pool;

    pool = ngx_create_pool(4096, &unit_log);

    if (pool == NULL) {
        abort();
    }

    return pool;
}


static inline ngx_str_t
unit_str(const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = strlen(text);

    return s;
}


static inline int
unit_is(ngx_str_t s, const char *text)
{
    return s.len == strlen(text)
           && (s.len == 0 || memcmp(s.data, text, s.len) == 0);
}


/* The file's bytes, in the pool; len is -1 when there is none. */

static inline ngx_str_t
unit_file(ngx_pool_t *pool, const char *name)
{
    FILE       *fp;
    long        size;
    ngx_str_t   s = ngx_null_string;

    fp = fopen(name, "rb");

    if (fp == NULL) {
        s.len = (size_t) -1;
        return s;
    }

    fseek(fp, 0, SEEK_END);
    size = ftell(fp);
    rewind(fp);

    s.data = ngx_pnalloc(pool, size + 1);
    s.len = fread(s.data, 1, size, fp);
    s.data[s.len] = '\0';

    fclose(fp);

    return s;
}


#endif /* _WSMAN_UNIT_H_INCLUDED_ */
