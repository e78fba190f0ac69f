
/*
 * amt_webhook: events in signed batches, posted to receivers.
 */


#ifndef _NGX_AMT_WEBHOOK_H_INCLUDED_
#define _NGX_AMT_WEBHOOK_H_INCLUDED_


#include "events/ngx_amt_ring.h"
#include "auth/ngx_amt_source.h"
#include "ngx_cira_api.h"


#define NGX_AMT_WEBHOOK_SECRETS  4       /* in a file: old and new ones */
#define NGX_AMT_WEBHOOK_SECRET   64      /* bytes, at most */
#define NGX_AMT_WEBHOOK_ID_LEN   80


/* One word of events=: a name or the beginning of one, and a type */

typedef struct {
    ngx_str_t               name;        /* without the asterisk */
    ngx_uint_t              prefix;      /* had an asterisk */
    ngx_int_t               type;        /* ngx_amt_event_e, -1: any */
} ngx_amt_webhook_filter_t;


/* What a secret file holds */

typedef struct {
    ngx_uint_t              n;
    size_t                  len[NGX_AMT_WEBHOOK_SECRETS];
    u_char                  key[NGX_AMT_WEBHOOK_SECRETS]
                               [NGX_AMT_WEBHOOK_SECRET];
} ngx_amt_webhook_secrets_t;


typedef struct {
    ngx_cira_http_url_t     url;
    ngx_str_t               name;        /* for the log: scheme, host, port;
                                            a path may be a secret */
    ngx_uint_t              named;       /* host is a name */
    uint64_t                key;         /* in the ring, of the whole URL */
    ngx_array_t            *filters;     /* NULL: all events */
    ngx_str_t               tenant;
    ngx_uint_t              one_tenant;
    ngx_amt_source_t       *secret;      /* NULL: not signed */
    ngx_uint_t              batch;
    ngx_msec_t              timeout;
    ngx_msec_t              retry;       /* the first delay */
    time_t                  expire;
} ngx_amt_webhook_t;


typedef struct {
    ngx_str_t              *name;
    uint64_t                queued;      /* also those it does not want */
    uint64_t                delivered;
    uint64_t                failures;
    uint64_t                dropped;
    uint64_t                refused;
    ngx_uint_t              gone;
} ngx_amt_webhook_stats_t;


/* The directive's arguments; NGX_CONF_OK or an error string. */
char *ngx_amt_webhook_parse(ngx_conf_t *cf, const ngx_cira_http_api_t *http,
    ngx_amt_webhook_t *hook);

/* Reads a secret file for ngx_amt_source_t. */
void *ngx_amt_webhook_secrets(ngx_pool_t *pool, ngx_str_t *text,
    ngx_amt_source_error_t *err);

/* Whether the receiver wants the event */
ngx_uint_t ngx_amt_webhook_wants(const ngx_amt_webhook_t *hook,
    const ngx_amt_event_record_t *rec);

/*
 * The value of the header webhook-signature, in the pool: "v1," and the
 * base64 of HMAC-SHA256 over "id.timestamp.body", for each secret, with
 * spaces between.
 */
ngx_int_t ngx_amt_webhook_sign(ngx_pool_t *pool,
    const ngx_amt_webhook_secrets_t *secrets, const ngx_str_t *id,
    time_t timestamp, const ngx_str_t *body, ngx_str_t *value);

/* Worker process */
ngx_int_t ngx_amt_webhook_init(ngx_http_amt_events_conf_t *conf,
    const ngx_cira_http_api_t *http, ngx_cycle_t *cycle);
void ngx_amt_webhook_exit(ngx_cycle_t *cycle);

/* Of the i-th webhook; NGX_DECLINED: there is none. */
ngx_int_t ngx_amt_webhook_stats(ngx_uint_t i, ngx_amt_webhook_stats_t *stats);


#endif /* _NGX_AMT_WEBHOOK_H_INCLUDED_ */
