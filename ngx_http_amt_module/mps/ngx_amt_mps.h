
/*
 * The MPS REST API: one call, from its route to its reply.  Contract mps.md
 * sections 1 and 2.
 *
 * A call has a pool of its own, because it may outlive the client's request
 * (shielded sections): a route's code never touches the request, except
 * ngx_amt_auth_* and ngx_amt_audit() outside of shielded sections.
 */


#ifndef _NGX_AMT_MPS_H_INCLUDED_
#define _NGX_AMT_MPS_H_INCLUDED_


#include "flow/ngx_amt_flow.h"
#include "auth/ngx_amt_auth.h"
#include "mps/ngx_amt_body.h"
#include "mps/ngx_amt_validate.h"
#include "ngx_cira_api.h"


#define NGX_AMT_MPS_VERSION  "2.34.1"    /* the API level clients look for */
#define NGX_AMT_API_PARAMS   2


typedef struct ngx_amt_api_s    ngx_amt_api_t;
typedef struct ngx_amt_route_s  ngx_amt_route_t;


typedef struct {
    ngx_uint_t             status;       /* 0: not decided yet */
    ngx_str_t              body;         /* in the call's pool, or static */
    ngx_uint_t             retry;        /* Retry-After, seconds, or 0 */
    unsigned               html:1;
    unsigned               yaml:1;
    unsigned               no_store:1;   /* holds a token */
    unsigned               secret:1;     /* body is the pool's, and wiped */
} ngx_amt_reply_t;


typedef struct {
    ngx_flag_t             enable;
    ngx_str_t              prefix;       /* stripped from the path */
    ngx_str_t              below;        /* path the prefix stands for */
    size_t                 max_body;
    ngx_msec_t             budget;
    time_t                 redirection_lifetime;
    ngx_uint_t             bulk_parallel;  /* devices of a worker */
    ngx_uint_t             bulk_rate;      /* devices a second; 0: no limit */
    ngx_msec_t             bulk_timeout;
    ngx_str_t              ciracert;     /* PEM text, CRLF */
    ngx_str_t              openapi;      /* text of the document, or empty */
} ngx_amt_mps_conf_t;


struct ngx_amt_api_s {
    ngx_pool_t            *pool;
    ngx_log_t              log;
    ngx_http_request_t    *request;      /* NULL: the client is gone */
    ngx_amt_flow_t        *flow;
    ngx_amt_mps_conf_t    *conf;

    const ngx_amt_route_t *route;        /* NULL: no such route */
    ngx_str_t              path;         /* for HTML404 */
    ngx_str_t              method;
    ngx_str_t              params[NGX_AMT_API_PARAMS];
    ngx_str_t              guid;         /* params[0] as received */
    ngx_str_t              device;       /* lower case when it is a UUID */

    ngx_amt_body_t         raw;
    json_t                *body;         /* object, array or NULL */
    json_t                *query;        /* object */

    ngx_amt_identity_t     id;
    ngx_str_t              tenant;       /* of the request */
    ngx_cira_info_t        info;         /* of a connected device */

    ngx_amt_reply_t        reply;

    ngx_uint_t             refs;
    unsigned               bad_path:1;   /* a parameter cannot be decoded */
    unsigned               starting:1;   /* on nginx's own stack */
    unsigned               finished:1;
    unsigned               streaming:1;  /* header is sent, body goes out */
};


/* A route's frame begins with these two. */

typedef struct {
    ngx_amt_frame_t        frame;
    ngx_amt_api_t         *api;
} ngx_amt_api_frame_t;


/* ---- one file per group of routes; all are flow bodies ---- */

ngx_int_t ngx_amt_mps_login(ngx_amt_flow_t *f, void *data);
ngx_int_t ngx_amt_mps_redirection(ngx_amt_flow_t *f, void *data);

ngx_int_t ngx_amt_mps_devices_list(ngx_amt_flow_t *f, void *data);
ngx_int_t ngx_amt_mps_devices_stats(ngx_amt_flow_t *f, void *data);
ngx_int_t ngx_amt_mps_devices_tags(ngx_amt_flow_t *f, void *data);
ngx_int_t ngx_amt_mps_devices_get(ngx_amt_flow_t *f, void *data);
ngx_int_t ngx_amt_mps_devices_write(ngx_amt_flow_t *f, void *data);
ngx_int_t ngx_amt_mps_devices_delete(ngx_amt_flow_t *f, void *data);
ngx_int_t ngx_amt_mps_devices_refresh(ngx_amt_flow_t *f, void *data);
ngx_int_t ngx_amt_mps_redirect_status(ngx_amt_flow_t *f, void *data);
ngx_int_t ngx_amt_mps_devices_disconnect(ngx_amt_flow_t *f, void *data);

ngx_int_t ngx_amt_mps_ciracert(ngx_amt_flow_t *f, void *data);
ngx_int_t ngx_amt_mps_health(ngx_amt_flow_t *f, void *data);
ngx_int_t ngx_amt_mps_version(ngx_amt_flow_t *f, void *data);
ngx_int_t ngx_amt_mps_openapi(ngx_amt_flow_t *f, void *data);

ngx_int_t ngx_amt_mps_device(ngx_amt_flow_t *f, void *data);
ngx_int_t ngx_amt_mps_deactivate(ngx_amt_flow_t *f, void *data);

/* amt_openapi: reads the file; NGX_ERROR is logged. */
ngx_int_t ngx_amt_mps_openapi_read(ngx_conf_t *cf, ngx_str_t *name,
    ngx_str_t *text);

void ngx_amt_mps_json_drop(void *data);
void ngx_amt_mps_write_drop(void *data);

/* api->body for the route's op, see ngx_amt_route.h */
ngx_int_t ngx_amt_mps_params_input(ngx_amt_api_t *api);
ngx_int_t ngx_amt_mps_power_input(ngx_amt_api_t *api);

ngx_int_t ngx_amt_mps_audit_log_input(ngx_amt_api_t *api);
ngx_int_t ngx_amt_mps_event_log_input(ngx_amt_api_t *api);
ngx_int_t ngx_amt_mps_alarm_input(ngx_amt_api_t *api);
ngx_int_t ngx_amt_mps_alarm_name(ngx_amt_api_t *api);
ngx_int_t ngx_amt_mps_cert_input(ngx_amt_api_t *api);

/* what the audit line says besides guid and action; JSON text */
ngx_int_t ngx_amt_mps_power_detail(ngx_amt_api_t *api, ngx_str_t *detail);
ngx_int_t ngx_amt_mps_write_detail(ngx_amt_api_t *api, ngx_str_t *detail);
ngx_int_t ngx_amt_mps_delete_detail(ngx_amt_api_t *api, ngx_str_t *detail);

/* a check: a number as text that is not negative */
ngx_int_t ngx_amt_mps_not_negative(json_t *value, ngx_amt_input_t *in);

ngx_int_t ngx_amt_mps_alarm_detail(ngx_amt_api_t *api, ngx_str_t *detail);
ngx_int_t ngx_amt_mps_cert_detail(ngx_amt_api_t *api, ngx_str_t *detail);

extern const ngx_amt_check_t  ngx_amt_mps_audit_log_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_event_log_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_cert_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_login_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_guid_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_list_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_write_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_delete_checks[];
extern const ngx_amt_check_t  ngx_amt_mps_action_checks[];


#endif /* _NGX_AMT_MPS_H_INCLUDED_ */
