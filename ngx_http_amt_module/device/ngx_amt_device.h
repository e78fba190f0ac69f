
/*
 * A conversation with one AMT device: a CONNECT tunnel to its owner in the
 * device plane, the device's WSMAN slot (one request at a time, FIFO), HTTP
 * digest with Vault's AMT_PASSWORD, WSMAN requests in order.  Contract
 * apf.md sections 24-27, mps.md section 5.
 */


#ifndef _NGX_AMT_DEVICE_H_INCLUDED_
#define _NGX_AMT_DEVICE_H_INCLUDED_


#include "flow/ngx_amt_flow.h"
#include "wsman/ngx_amt_wsman.h"
#include "ngx_cira_api.h"


typedef struct ngx_amt_device_s  ngx_amt_device_t;


/*
 * Is it connected?  NGX_OK fills *info (tenant, owner); NGX_DECLINED: not
 * connected, or guid is no GUID; NGX_ERROR: device plane missing (logged).
 */
ngx_int_t ngx_amt_device_lookup(ngx_str_t *guid, ngx_cira_info_t *info);

/*
 * Operation: waits for the device's slot.  The conversation is freed by
 * ngx_amt_device_close(), which must be called (frame drop).  fresh: state
 * changing calls ask for a channel that was not used before.  Errors:
 * NOT_CONNECTED, BUSY, REFUSED, TIMEOUT, NO_PASSWORD, VAULT*.
 */
ngx_int_t ngx_amt_device_open(ngx_amt_flow_t *f, ngx_cira_info_t *info,
    ngx_uint_t fresh, ngx_amt_device_t **dev);

/*
 * Operation: one request, one answer, within amt_timeout.  The request is
 * encoded at once; res must live until the operation ended.  SOAP faults are
 * NGX_OK with res->fault set; errors: TIMEOUT, LOST, DEVICE_AUTH, INVALID
 * (text XML cannot carry), BAD_ANSWER, ...  The answer is in the flow's pool.
 * After an error the next call dials again.  With req->strict a fault is
 * ERR_FAULT, and an answer to Get or Invoke without the class or the
 * method's output is ERR_BAD_ANSWER.  What was encoded is wiped when it is
 * sent, or given up; with req->secret req->body is, too, before this returns,
 * whatever it returns.
 */
ngx_int_t ngx_amt_device_call(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    ngx_amt_wsman_request_t *req, ngx_amt_wsman_response_t *res);

/* Operation: Get of a class without selector. */
ngx_int_t ngx_amt_device_get(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const char *class, ngx_amt_wsman_response_t *res);

/*
 * Operation: Enumerate, then Pull until EndOfSequence.  *items: array of
 * ngx_amt_xml_t *; res is the last answer (or the one with the fault, with
 * NGX_OK).
 */
ngx_int_t ngx_amt_device_enum(ngx_amt_flow_t *f, ngx_amt_device_t *dev,
    const char *class, ngx_array_t **items, ngx_amt_wsman_response_t *res);

/* The same with faults as ERR_FAULT. */
ngx_int_t ngx_amt_device_enum_strict(ngx_amt_flow_t *f,
    ngx_amt_device_t *dev, const char *class, ngx_array_t **items,
    ngx_amt_wsman_response_t *res);

/*
 * Fails the flow with ERR_FAULT and a text made of what was asked for and
 * the fault's name.  Always NGX_ERROR.
 */
ngx_int_t ngx_amt_device_fault(ngx_amt_flow_t *f, const char *what,
    ngx_amt_wsman_response_t *res);

/*
 * NGX_OK when the answer's content is an element of this name; else fails
 * the flow with ERR_FAULT or ERR_BAD_ANSWER.
 */
ngx_int_t ngx_amt_device_expect(ngx_amt_flow_t *f, const char *name,
    ngx_amt_wsman_response_t *res);

/*
 * For changing the password.  ngx_amt_device_use() makes the conversation log
 * in anew with this password and no other; NULL: with Vault's again.  It
 * needs an answer before (the realm): NGX_ERROR, there was none.
 * ngx_amt_device_is() tells whether the password is the one the device has
 * accepted in this conversation.
 *
 * While pinned, the conversation does not dial or log in again, so that the
 * slot is certainly its own: a call that would have to fails with
 * ERR_CONFLICT, and then the device has not seen the request.
 */
ngx_int_t ngx_amt_device_use(ngx_amt_device_t *dev, const char *password);
ngx_uint_t ngx_amt_device_is(ngx_amt_device_t *dev, const char *password);
void ngx_amt_device_pin(ngx_amt_device_t *dev, ngx_uint_t on);

/* Gives channel and slot back (or closes them mid-answer); NULL is fine. */
void ngx_amt_device_close(ngx_amt_device_t *dev);

/*
 * Operation: ends the device's CIRA connection, on whichever worker it is,
 * also when the device has come again meanwhile as the same tenant's.
 * NGX_OK: ended; NGX_DECLINED: not connected any more; errors: BUSY, TIMEOUT,
 * INTERNAL.
 */
ngx_int_t ngx_amt_device_evict(ngx_amt_flow_t *f, ngx_cira_info_t *info);

/* Forget the cached digest HA1 of a device: password changed, 401. */
void ngx_amt_device_forget(ngx_str_t *guid);


#endif /* _NGX_AMT_DEVICE_H_INCLUDED_ */
