
/*
 * A growable writer of JSON for the bodies of cira_auth and cira_notify;
 * wiped when freed, since it carries passwords.
 */


#ifndef _NGX_CIRA_JSON_H_INCLUDED_
#define _NGX_CIRA_JSON_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    u_char           *start;
    u_char           *last;
    u_char           *end;
    ngx_log_t        *log;
    ngx_uint_t        failed;            /* no memory: output is incomplete */
} ngx_cira_json_t;

ngx_int_t ngx_cira_json_init(ngx_cira_json_t *j, size_t size,
    ngx_log_t *log);
void ngx_cira_json_raw(ngx_cira_json_t *j, const char *text);
/* quotes and escapes; bytes that are no UTF-8 become U+FFFD */
void ngx_cira_json_string(ngx_cira_json_t *j, u_char *p, size_t len);
void ngx_cira_json_number(ngx_cira_json_t *j, int64_t n);
void ngx_cira_json_free(ngx_cira_json_t *j);


#endif /* _NGX_CIRA_JSON_H_INCLUDED_ */
