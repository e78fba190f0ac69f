
/*
 * Events: what happened to devices and what callers asked for, told to
 * whoever listens (amt_mqtt, amt_webhook).  Contract mps.md section 6.1.
 *
 * An event never holds a secret: not in its message, not in its names.
 */


#ifndef _NGX_AMT_EVENT_H_INCLUDED_
#define _NGX_AMT_EVENT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_AMT_EVENT_METHOD_LEN   48    /* bytes; what is longer is cut */
#define NGX_AMT_EVENT_GUID_LEN     36
#define NGX_AMT_EVENT_TENANT_LEN   64
#define NGX_AMT_EVENT_MESSAGE_LEN  256


typedef enum {
    NGX_AMT_EVENT_REQUEST = 0,           /* a caller asks */
    NGX_AMT_EVENT_SUCCESS,
    NGX_AMT_EVENT_FAIL
} ngx_amt_event_e;


typedef struct {
    ngx_amt_event_e   type;
    ngx_str_t         method;            /* "CIRA_Connected" */
    ngx_str_t         message;           /* may be a device's text */
    ngx_str_t         guid;              /* empty: not about one device */
    ngx_str_t         tenant;            /* webhooks only */
    int64_t           time;              /* ms since 1970; 0: now */
    uint64_t          source;            /* 0: each event is a new one */
    uint64_t          seq;               /* of this source: told only once,
                                            increasing */
} ngx_amt_event_t;


/*
 * Whether anybody listens, in this worker.  Callers need not ask, unless
 * making the event costs something.
 */
ngx_uint_t ngx_amt_event_wanted(void);

/*
 * Tells an event to all who listen.  Copies everything, neither waits nor
 * fails: what cannot be kept is counted as dropped.  Bytes that are not UTF-8
 * become "?".  Does nothing outside of worker processes or when nothing is
 * configured.
 */
void ngx_amt_event_publish(const ngx_amt_event_t *event);

/* The same for an event of now; guid and tenant may be NULL. */
void ngx_amt_event(ngx_amt_event_e type, const char *method,
    const char *message, const ngx_str_t *guid, const ngx_str_t *tenant);


#endif /* _NGX_AMT_EVENT_H_INCLUDED_ */
