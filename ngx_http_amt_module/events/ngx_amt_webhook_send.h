
/* One delivery, between ngx_amt_webhook.c and ngx_amt_webhook_send.c. */


#ifndef _NGX_AMT_WEBHOOK_SEND_H_INCLUDED_
#define _NGX_AMT_WEBHOOK_SEND_H_INCLUDED_


#include "events/ngx_amt_webhook.h"
#include "events/ngx_amt_event_name.h"
#include <ngx_event.h>


#define NGX_AMT_WEBHOOK_POLL     5000    /* ms: what others left */


/* A receiver, in this worker */

typedef struct {
    ngx_amt_webhook_t           *hook;
    const ngx_cira_http_api_t   *client;
    ngx_cira_http_t             *http;       /* a delivery is on its way */
    uint64_t                     end;        /* of it */
    uint64_t                     own;        /* behind this worker's last */
    ngx_uint_t                   n;          /* events in it */
    time_t                       after;      /* Retry-After */
    ngx_resolver_t              *resolver;   /* NULL: none is asked */
    ngx_amt_event_name_t         name;
    char                         connect_to[NGX_SOCKADDR_STRLEN + 16];
    ngx_event_t                  timer;
    unsigned                     busy:1;     /* own events wait for another
                                                worker to be done */
    unsigned                     failing:1;  /* was logged */
    unsigned                     gone:1;
} ngx_amt_webhook_ctx_t;


/*
 * Starts a delivery (ctx->http is set), whose end is ngx_amt_webhook_answer(),
 * or says in how many ms to look again.
 */
ngx_msec_t ngx_amt_webhook_work(ngx_amt_webhook_ctx_t *ctx);

/* ngx_cira_http_pt */
void ngx_amt_webhook_answer(void *data, ngx_int_t rc, ngx_uint_t status,
    ngx_str_t *body);


#endif /* _NGX_AMT_WEBHOOK_SEND_H_INCLUDED_ */
