
/* Configuration the stream modules have in common. */


#ifndef _NGX_CIRA_CONF_H_INCLUDED_
#define _NGX_CIRA_CONF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>


/* For ngx_conf_set_msec_slot: a time of 0 is refused. */
extern ngx_conf_post_t  ngx_cira_conf_positive;


/* One "listen" of one server */

typedef struct {
    ngx_stream_conf_ctx_t  *ctx;         /* of the server */
    struct sockaddr        *sockaddr;
    ngx_str_t              *addr;
    int                     type;        /* SOCK_STREAM */
    ngx_uint_t              ssl;
} ngx_cira_conf_listen_t;

typedef ngx_int_t (*ngx_cira_conf_listen_pt)(ngx_conf_t *cf,
    ngx_cira_conf_listen_t *ls);

/*
 * Calls handler for all of them, from postconfiguration; ends with NGX_ERROR
 * when it does not return NGX_OK.
 */
ngx_int_t ngx_cira_conf_listens(ngx_conf_t *cf,
    ngx_cira_conf_listen_pt handler);

/* Adds variables, up to ngx_stream_null_variable; from preconfiguration. */
ngx_int_t ngx_cira_conf_variables(ngx_conf_t *cf,
    ngx_stream_variable_t *vars);

/* The value of a variable; len 0: it has none.  Returns NGX_OK. */
ngx_int_t ngx_cira_conf_value(ngx_stream_variable_value_t *v, u_char *data,
    size_t len);


#endif /* _NGX_CIRA_CONF_H_INCLUDED_ */
