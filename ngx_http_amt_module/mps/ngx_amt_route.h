
/*
 * The route table: which method and path, who may call it, what is checked,
 * what runs.  Contract mps.md sections 1.2, 2.0.
 */


#ifndef _NGX_AMT_ROUTE_H_INCLUDED_
#define _NGX_AMT_ROUTE_H_INCLUDED_


#include "mps/ngx_amt_mps.h"
#include "amt/ngx_amt_capability.h"


#define NGX_AMT_ROUTE_OPEN     0x01      /* no authentication */
#define NGX_AMT_ROUTE_DEVICE   0x02      /* :guid must be connected */
#define NGX_AMT_ROUTE_AUDIT    0x04      /* changes, or releases a secret */
#define NGX_AMT_ROUTE_TIMEOUT  0x08      /* timeouts are E404*, not 504 */
#define NGX_AMT_ROUTE_EMPTY    0x10      /* store failures: 500, no body */
#define NGX_AMT_ROUTE_STREAM   0x20      /* answers as it goes: a long run */


/*
 * ngx_amt_mps_device() runs op with api->body as its input.  input(), called
 * after the checks, brings api->body into the form that op takes: numbers
 * for texts of digits, parameters of the path added.  NGX_OK; NGX_DECLINED:
 * api->reply is set; NGX_ERROR: no memory.
 */

struct ngx_amt_route_s {
    ngx_uint_t              method;      /* NGX_HTTP_GET, also for HEAD */
    const char             *path;        /* below /api/v1/, ":x" is any */
    ngx_uint_t              scope;       /* NGX_AMT_SCOPE_..., 0: any */
    ngx_uint_t              flags;
    const ngx_amt_check_t  *checks;

    ngx_amt_body_pt         body;        /* of the flow */
    size_t                  size;        /* of its frame */
    ngx_amt_drop_pt         drop;
    const ngx_amt_op_t     *op;          /* for ngx_amt_mps_device() */
    ngx_int_t             (*input)(ngx_amt_api_t *api);

    const char             *action;      /* in the audit log */
    ngx_int_t             (*detail)(ngx_amt_api_t *api, ngx_str_t *detail);
    const char             *exception;   /* E(500), 504 */
    const char             *failed;      /* E(400) on a fault, before G */

    size_t                  max_body;    /* 0: amt_max_body */
};


/*
 * All tables, one per group of routes, each in a file of its own; the first
 * match wins.  Tables end with path NULL, the list with NULL.
 */
extern const ngx_amt_route_t  *ngx_amt_route_tables[];

extern const ngx_amt_route_t  ngx_amt_routes_server[];
extern const ngx_amt_route_t  ngx_amt_routes_devices[];
extern const ngx_amt_route_t  ngx_amt_routes_power[];
extern const ngx_amt_route_t  ngx_amt_routes_settings[];
extern const ngx_amt_route_t  ngx_amt_routes_logs[];
extern const ngx_amt_route_t  ngx_amt_routes_network[];
extern const ngx_amt_route_t  ngx_amt_routes_bulk[];
extern const ngx_amt_route_t  ngx_amt_routes_admin[];


/*
 * Finds the route of a path: fills api->route, params, guid, path, bad_path.
 * uri is the unparsed one; below, if not empty, is the path below /api/v1
 * that the prefix stands for.  NGX_OK; NGX_DECLINED: no such route; *open: the
 * path needs no authentication, whatever its method.  NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_route_find(ngx_amt_api_t *api, ngx_uint_t method,
    ngx_str_t *uri, ngx_str_t *prefix, ngx_str_t *below, ngx_uint_t *open);

/*
 * The values of the route's parameters, from the one of index first on, as
 * members of object, by their names in the route's path.  NGX_OK, NGX_ERROR:
 * no memory.
 */
ngx_int_t ngx_amt_route_members(ngx_amt_api_t *api, ngx_uint_t first,
    json_t *object);


#endif /* _NGX_AMT_ROUTE_H_INCLUDED_ */
