
/* Memory functions for curl_global_init_mem(); ngx_cira_http_memory.c. */


#ifndef _NGX_CIRA_HTTP_MEMORY_H_INCLUDED_
#define _NGX_CIRA_HTTP_MEMORY_H_INCLUDED_


#include <stddef.h>


void *ngx_cira_http_malloc(size_t size);
void ngx_cira_http_mfree(void *ptr);
void *ngx_cira_http_realloc(void *ptr, size_t size);
void *ngx_cira_http_calloc(size_t n, size_t size);
char *ngx_cira_http_strdup(const char *s);


#endif /* _NGX_CIRA_HTTP_MEMORY_H_INCLUDED_ */
