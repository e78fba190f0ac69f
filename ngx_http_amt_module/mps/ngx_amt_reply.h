
/*
 * What a call answers: status, body and headers exactly as the contract
 * writes them, and the one place where errors become statuses.  Contract
 * mps.md sections 1.3 to 1.5, 2.1.
 */


#ifndef _NGX_AMT_REPLY_H_INCLUDED_
#define _NGX_AMT_REPLY_H_INCLUDED_


#include "mps/ngx_amt_mps.h"


/*
 * All set api->reply and return NGX_OK, so that a route's body may return
 * them; NGX_ERROR: no memory.  G is api->guid, X the route's exception text.
 */

/* {"error":<title of status>,"errorDescription":text}; 409 has no error */
ngx_int_t ngx_amt_reply_error(ngx_amt_api_t *api, ngx_uint_t status,
    const char *text);
/* the same with text followed by G and a full stop */
ngx_int_t ngx_amt_reply_failed(ngx_amt_api_t *api, ngx_uint_t status,
    const char *text);
/* E404*: the whole table as error */
ngx_int_t ngx_amt_reply_table(ngx_amt_api_t *api, const char *text);
/* {"error":title,"errorDescription":text}; title NULL: as E(n), E404* */
ngx_int_t ngx_amt_reply_refusal(ngx_amt_api_t *api, ngx_uint_t status,
    const char *title, ngx_str_t *text);
/* E404dev */
ngx_int_t ngx_amt_reply_no_device(ngx_amt_api_t *api);
/* HTML404, and the page for bad percent-encoding or methods */
ngx_int_t ngx_amt_reply_html(ngx_amt_api_t *api, ngx_uint_t status);
/* empty body */
ngx_int_t ngx_amt_reply_empty(ngx_amt_api_t *api, ngx_uint_t status);
/* a body that is JSON text already: borrowed, or in the call's pool */
ngx_int_t ngx_amt_reply_text(ngx_amt_api_t *api, ngx_uint_t status,
    const char *text);
ngx_int_t ngx_amt_reply_out(ngx_amt_api_t *api, ngx_uint_t status,
    ngx_amt_out_t *o);
ngx_int_t ngx_amt_reply_json(ngx_amt_api_t *api, ngx_uint_t status,
    json_t *value);

/* 200 {"success":200,"description":text followed by G} */
ngx_int_t ngx_amt_reply_success(ngx_amt_api_t *api, const char *text);

/* 503 with Retry-After */
ngx_int_t ngx_amt_reply_busy(ngx_amt_api_t *api, const char *text);

/* f->err as a reply, by kind of error and by the route's texts; logged. */
ngx_int_t ngx_amt_reply_failure(ngx_amt_api_t *api, ngx_amt_error_t *err);


/*
 * Sends api->reply; returns a value for ngx_http_finalize_request().  The
 * call's pool must live as long as the request.
 */
ngx_int_t ngx_amt_reply_send(ngx_amt_api_t *api, ngx_http_request_t *r);

/*
 * Sends the header of an answer whose body follows piece by piece; type is a
 * literal.  NGX_OK; NGX_ERROR: finalize the request.
 */
ngx_int_t ngx_amt_reply_stream(ngx_amt_api_t *api, ngx_http_request_t *r,
    const char *type);

/* OPTIONS on any path */
ngx_int_t ngx_amt_reply_preflight(ngx_http_request_t *r);


#endif /* _NGX_AMT_REPLY_H_INCLUDED_ */
