
/*
 * What all AMT capabilities share: a capability is a description
 * (ngx_amt_op_t) of a flow body that runs in an open conversation with one
 * device, takes validated JSON and gives JSON and a status.  Contract mps.md
 * section 2, wsman.md section 3.
 *
 * The conversation is not the capability's: ngx_amt_op_run() opens one for a
 * REST call, ngx_amt_op_call() runs a capability inside of another's.
 *
 *     static ngx_int_t
 *     ngx_amt_example_body(ngx_amt_flow_t *f, void *data)
 *     {
 *         ngx_amt_cap_t *c = data;
 *
 *         ngx_amt_begin(f, c);
 *
 *         ngx_amt_await(f, c, ngx_amt_cap_get(f, c, "AMT_Example"));
 *
 *         return ngx_amt_cap_done(f, c, ngx_amt_json_object(c->res.content));
 *
 *     fail:
 *
 *         return c->frame.rc;
 *     }
 *
 *     const ngx_amt_op_t  ngx_amt_example = {
 *         "example", sizeof(ngx_amt_cap_t), ngx_amt_example_body, NULL, 0
 *     };
 */


#ifndef _NGX_AMT_CAPABILITY_H_INCLUDED_
#define _NGX_AMT_CAPABILITY_H_INCLUDED_


#include "device/ngx_amt_device.h"
#include "mps/ngx_amt_out.h"
#include <jansson.h>


typedef struct {
    const char                *name;     /* in logs */
    size_t                     size;     /* of its frame */
    ngx_amt_body_pt            body;
    ngx_amt_drop_pt            drop;     /* of what is behind ngx_amt_cap_t */
    ngx_uint_t                 fresh;    /* changes the device */
} ngx_amt_op_t;


/*
 * What a capability found.  json is a new reference and belongs to the
 * caller, who keeps the result in a frame with a drop that calls
 * json_decref(): a cancelled flow must not leak it.  It is written once, at
 * the end.  Long lists come as text instead: a tree of them would cost much
 * more than all the rest of the call.
 */

typedef struct {
    json_t                    *json;     /* NULL: empty body, or out */
    ngx_amt_out_t              out;      /* JSON text; start NULL: none */
    ngx_uint_t                 status;   /* of the REST answer; 0: 200 */

    const char                *title;    /* of a refusal, or NULL */
    ngx_str_t                  text;     /* data NULL: it is none; from the
                                            flow's pool */

    ngx_str_t                  guid;     /* from the caller: G of the texts */
    ngx_pool_t                *pool;     /* from the caller: for out */
} ngx_amt_result_t;


/* A capability's frame begins with this. */

typedef struct {
    ngx_amt_frame_t            frame;
    ngx_amt_device_t          *dev;
    json_t                    *input;    /* caller's, may be NULL */
    ngx_amt_result_t          *result;

    ngx_amt_wsman_response_t   res;      /* last answer */
    ngx_array_t               *items;    /* of the last enumeration */
    json_t                    *json;     /* being built; freed with the frame */
    const ngx_amt_op_t        *op;
} ngx_amt_cap_t;


/*
 * Operation: opens a conversation, runs op in it, closes it.  input is the
 * validated body of the request, an object or NULL; it, info and *result
 * live until the operation ended.  Errors: those of ngx_amt_device_open()
 * and ngx_amt_device_call(); ERR_FAULT, the device answered with a SOAP
 * fault where the capability needs more.
 */
ngx_int_t ngx_amt_op_run(ngx_amt_flow_t *f, ngx_cira_info_t *info,
    const ngx_amt_op_t *op, json_t *input, ngx_amt_result_t *result);

/* Operation: runs op in a conversation of the caller. */
ngx_int_t ngx_amt_op_call(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const ngx_amt_op_t *op, json_t *input, ngx_amt_result_t *result);

/* Frees what a result holds; for drops. */
void ngx_amt_result_drop(ngx_amt_result_t *result);


/*
 * Operations of a capability's body.  The answer is c->res; those without
 * "any" fail the flow with ERR_FAULT on a SOAP fault and with ERR_BAD_ANSWER
 * when the answer is not what was asked for.
 */

/* Get of a class without selector; content is the class. */
ngx_int_t ngx_amt_cap_get(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    const char *class);
/* Enumerate and Pull to the end; c->items */
ngx_int_t ngx_amt_cap_enum(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    const char *class);
/*
 * Put, Create, Delete, Invoke: *req is encoded at once.  The content of an
 * answer to Invoke is METHOD_OUTPUT; see ngx_amt_cap_return_value().
 */
ngx_int_t ngx_amt_cap_call(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    ngx_amt_wsman_request_t *req);
/* Invoke of a method without selector; body: its children, may be NULL. */
ngx_int_t ngx_amt_cap_invoke(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    const char *class, const char *method, ngx_str_t *body);

/* The same with faults left in c->res for the caller. */
ngx_int_t ngx_amt_cap_get_any(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    const char *class);
ngx_int_t ngx_amt_cap_enum_any(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    const char *class);
ngx_int_t ngx_amt_cap_call_any(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    ngx_amt_wsman_request_t *req);

/*
 * After a failed call that the contract ignores, because older firmware
 * lacks the class: clears the flow's error and returns 1 for faults, bad and
 * missing answers; 0: the failure is a real one.
 */
ngx_uint_t ngx_amt_cap_optional(ngx_amt_flow_t *f);

/* 1 when the answer is a SOAP fault with this subcode. */
ngx_uint_t ngx_amt_cap_fault_is(ngx_amt_wsman_response_t *res,
    const char *code);

/* 1 when the device does not have the class, the instance or the method. */
ngx_uint_t ngx_amt_cap_absent(ngx_amt_wsman_response_t *res);

/*
 * ReturnValue of a method's answer, -1: it cannot be read.  A missing one is
 * 0: some firmware leaves a zero out.
 */
ngx_int_t ngx_amt_cap_return_value(ngx_amt_wsman_response_t *res);

/*
 * Ends a body: takes the reference of json (NULL: no memory), status 200 or
 * as given.  What they return is the body's result.
 */
ngx_int_t ngx_amt_cap_done(ngx_amt_flow_t *f, ngx_amt_cap_t *c, json_t *json);
ngx_int_t ngx_amt_cap_done_status(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    ngx_uint_t status, json_t *json);
/* The same without a body. */
ngx_int_t ngx_amt_cap_done_empty(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    ngx_uint_t status);

/*
 * Ends a body with what the contract refuses in words:
 * {"error":title,"errorDescription":text}.  title NULL: the status's own,
 * which is none for 409 and the whole table (E404*) for 404.  fmt as of
 * ngx_sprintf(); where the contract writes G, &c->result->guid is "%V".
 */
ngx_int_t ngx_amt_cap_refuse(ngx_amt_flow_t *f, ngx_amt_cap_t *c,
    ngx_uint_t status, const char *title, const char *fmt, ...);


#endif /* _NGX_AMT_CAPABILITY_H_INCLUDED_ */
