
/* Lines of HTTP heads, for the parsers of ngx_cira_request.h only. */


#ifndef _NGX_CIRA_LINE_H_INCLUDED_
#define _NGX_CIRA_LINE_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_request.h"


/*
 * Collects one line in l->data, without CRLF; the caller sets l->len to 0
 * before the next.  NGX_OK, NGX_AGAIN, or NGX_ERROR: a character that has
 * no place in a head, or more than NGX_CIRA_HEAD_MAX bytes in all.
 */
ngx_int_t ngx_cira_line_read(ngx_cira_line_t *l, u_char **pos, u_char *last);

/* Splits "Name: value"; NGX_ERROR when it is not that. */
ngx_int_t ngx_cira_line_header(ngx_cira_line_t *l, ngx_str_t *name,
    ngx_str_t *value);


#endif /* _NGX_CIRA_LINE_H_INCLUDED_ */
