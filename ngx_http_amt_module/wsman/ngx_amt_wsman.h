
/*
 * WS-Management codec: request envelopes and answers, no I/O.  Contract
 * wsman.md; output equals wsman-requests.json after canonicalisation.
 */


#ifndef _NGX_AMT_WSMAN_H_INCLUDED_
#define _NGX_AMT_WSMAN_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "wsman/ngx_amt_xml.h"


#define NGX_AMT_WSMAN_MAX_REQUEST  32768  /* apf.md section 24 */


typedef enum {
    NGX_AMT_WSMAN_GET = 0,
    NGX_AMT_WSMAN_PUT,
    NGX_AMT_WSMAN_CREATE,
    NGX_AMT_WSMAN_DELETE,
    NGX_AMT_WSMAN_ENUMERATE,
    NGX_AMT_WSMAN_PULL,
    NGX_AMT_WSMAN_INVOKE
} ngx_amt_wsman_op_e;


typedef struct {
    ngx_amt_wsman_op_e  op;
    const char         *class;           /* "AMT_GeneralSettings" */
    const char         *method;          /* INVOKE: "RequestStateChange" */
    ngx_str_t           selector;        /* name, empty: no SelectorSet */
    ngx_str_t           value;           /* of the selector */
    ngx_str_t           selector_xml;    /* instead: inner SelectorSet XML
                                            made by the XML writer */
    ngx_str_t           context;         /* PULL */
    ngx_str_t           body;            /* PUT, CREATE, INVOKE: children XML
                                            made by the XML writer */
    unsigned            strict:1;        /* for ngx_amt_device_call() */
    unsigned            echo:1;          /* same: body is what the device said,
                                            so it is no caller's fault when it
                                            does not fit */
    unsigned            secret:1;        /* same: body, of the caller's pool, is
                                            wiped once it is encoded */
} ngx_amt_wsman_request_t;


typedef struct {
    ngx_amt_xml_t      *header;
    ngx_amt_xml_t      *body;            /* soap:Body element */
    ngx_amt_xml_t      *content;         /* its first child, or NULL */
    ngx_amt_xml_t      *fault;           /* or NULL */
    ngx_str_t           fault_code;      /* subcode after the colon */
    ngx_str_t           fault_text;
    ngx_int_t           amt_status;      /* of "AMT-STATUS n", or -1 */
    ngx_int_t           return_value;    /* of *_OUTPUT, or -1 */
    ngx_uint_t          http_status;
} ngx_amt_wsman_response_t;


/*
 * Writes the envelope, complete, with message_id in decimal; memory from the
 * pool.  NGX_OK; NGX_DECLINED: over NGX_AMT_WSMAN_MAX_REQUEST, a class of
 * unknown prefix, or text that XML cannot carry; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_wsman_build(ngx_pool_t *pool, ngx_amt_wsman_request_t *req,
    ngx_uint_t message_id, ngx_str_t *out);

/*
 * Parses an answer.  NGX_OK (faults included), NGX_DECLINED: not a SOAP
 * envelope or over the caps, NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_wsman_parse(ngx_pool_t *pool, ngx_str_t *in,
    ngx_amt_wsman_response_t *res);

/*
 * URI of a class, by its prefix, made of two constant parts.  NGX_OK;
 * NGX_ERROR: neither AMT_, CIM_ nor IPS_.
 */
ngx_int_t ngx_amt_wsman_uri(const char *class, const char **base);

/*
 * Writes <h:name> with an endpoint reference to an instance of class:
 * address, then n selectors as name, value pairs; all constants of ours.
 */
void ngx_amt_wsman_epr(ngx_amt_xml_writer_t *w, const char *name,
    const char *address, const char *class, const char **selectors,
    ngx_uint_t n);

/* The same with one selector, whose value may be anything. */
void ngx_amt_wsman_epr_value(ngx_amt_xml_writer_t *w, const char *name,
    const char *address, const char *class, const char *selector,
    ngx_str_t *value);

/* "SUCCESS", "NOT_READY", ... or "UNKNOWN_ERROR": mps.md A.1, A.2 */
const char *ngx_amt_wsman_status(ngx_int_t code);
const char *ngx_amt_wsman_os_power_status(ngx_int_t code);


#endif /* _NGX_AMT_WSMAN_H_INCLUDED_ */
