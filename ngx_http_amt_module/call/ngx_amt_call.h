
/*
 * Detached calls: HTTP requests to an internal location of this nginx that
 * belong to no client.  notes: a call is a main request of its own, with a
 * private connection (on an unbound socket) and a private pool, that runs
 * one in-memory subrequest.  It neither depends on nor touches a client's
 * request, works from timers and at start-up, outlives the client where the
 * flow wants that, and gives its memory back, wiped, when it ends.
 *
 * Each call takes one slot of worker_connections besides the upstream's.
 */


#ifndef _NGX_AMT_CALL_H_INCLUDED_
#define _NGX_AMT_CALL_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>
#include <sys/un.h>
#include "flow/ngx_amt_flow.h"


/* Of Vault's LIST; nginx knows no such method. */
#define NGX_AMT_CALL_LIST  0


/* Where calls go: a location, and what stands in for a listener. */

typedef struct {
    ngx_str_t                  location;     /* "/_vault/" */
    ngx_http_conf_ctx_t       *ctx;          /* of its server block */
    ngx_http_core_loc_conf_t  *clcf;

    ngx_http_addr_conf_t       addr_conf;
    ngx_listening_t            listening;
    struct sockaddr_un         sockaddr;
} ngx_amt_call_conf_t;


typedef struct {
    ngx_uint_t                 method;       /* NGX_HTTP_GET, ... or
                                                NGX_AMT_CALL_LIST */
    ngx_str_t                  uri;          /* decoded path */
    ngx_str_t                  args;
    ngx_str_t                  body;         /* JSON, or empty */
    ngx_msec_t                 timeout;      /* of all of it, ms */
    const char                *what;         /* static, "vault" */
} ngx_amt_call_request_t;


/*
 * An answer exists only if it came from the backend, complete.  All else,
 * nginx's own 404, 502 or 504 included, is "did not answer": complete is 0,
 * and error (static) says why.
 */

typedef struct {
    ngx_uint_t                 complete;
    ngx_uint_t                 status;
    ngx_str_t                  body;         /* heap; zero terminated */
    ngx_int_t                  rc;           /* nginx's, for the log */
    const char                *error;
} ngx_amt_call_result_t;


/*
 * Operation.  Strings of *req are copied before it returns.  result stays
 * valid until the operation ends (it is in a frame) and is zeroed here; the
 * frame's drop wipes it with ngx_amt_call_wipe().  NGX_OK whenever there is
 * a result, complete or not; NGX_ERROR when the call could not be started.
 */
ngx_int_t ngx_amt_call_http(ngx_amt_flow_t *f, ngx_amt_call_conf_t *conf,
    ngx_amt_call_request_t *req, ngx_amt_call_result_t *result);

/* Wipes and frees the body; may be called twice. */
void ngx_amt_call_wipe(ngx_amt_call_result_t *result);

/*
 * For content handlers that are themselves a backend (amt_keystore).  The
 * directive calls _backend() for its location, so that nginx -t accepts it;
 * the handler calls _answer() to say that r's answer, about to be sent with
 * r->headers_out.status, is one, and complete.  r is the subrequest.
 */
void ngx_amt_call_backend(ngx_conf_t *cf);
void ngx_amt_call_answer(ngx_http_request_t *r);

/* Does r belong to a detached call? */
ngx_uint_t ngx_amt_call_is(ngx_http_request_t *r);


/*
 * Configuration, from a postconfiguration handler: finds the location in the
 * server blocks and checks that it can carry calls with secrets (internal,
 * answered by a backend, nothing on disk, errors not replaced, room for the
 * answer of at least size bytes).  When several servers have it, all are
 * checked and the first is taken.  directive, file and line for messages.
 */
typedef struct {
    const char                *directive;    /* "amt_vault" */
    u_char                    *file;
    ngx_uint_t                 line;
    size_t                     size;
} ngx_amt_call_check_t;

ngx_int_t ngx_amt_call_locate(ngx_conf_t *cf, ngx_amt_call_conf_t *conf,
    ngx_amt_call_check_t *check);


typedef struct {
    ngx_uint_t                 active;
    ngx_uint_t                 started;
    ngx_uint_t                 unanswered;
} ngx_amt_call_stats_t;

void ngx_amt_call_stats(ngx_amt_call_stats_t *stats);


#endif /* _NGX_AMT_CALL_H_INCLUDED_ */
