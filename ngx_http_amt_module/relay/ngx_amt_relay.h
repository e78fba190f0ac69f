
/*
 * Redirection sessions (KVM, SOL, IDER): a WebSocket and a device's port,
 * with the login in between.  Contract mps.md section 4.
 *
 *     browser - ws/ - pump - redir (until logged in) - link - device plane
 *
 * Both directions carry at most one buffer: who does not take its bytes is
 * not sent more, and the other side is not read meanwhile, down to the
 * device's window and the browser's socket.
 */


#ifndef _NGX_AMT_RELAY_H_INCLUDED_
#define _NGX_AMT_RELAY_H_INCLUDED_


#include "ngx_http_amt.h"
#include "flow/ngx_amt_flow.h"
#include "auth/ngx_amt_auth.h"
#include "relay/ngx_amt_redir.h"
#include "relay/ngx_amt_relay_link.h"
#include "relay/ngx_amt_relay_record.h"
#include "relay/ngx_amt_relay_request.h"
#include "relay/ngx_amt_relay_zone.h"
#include "ws/ngx_amt_ws_conn.h"


/* close codes of our own, RFC 6455 section 7.4.2 */
#define NGX_AMT_RELAY_CODE_TAKEN_OVER  4001
#define NGX_AMT_RELAY_CODE_TIMEOUT     4002
#define NGX_AMT_RELAY_CODE_RESTART     1012

#define NGX_AMT_RELAY_USER             "admin"


typedef enum {
    NGX_AMT_DEVICE_TLS_PIN = 0,
    NGX_AMT_DEVICE_TLS_VERIFY,
    NGX_AMT_DEVICE_TLS_OFF
} ngx_amt_device_tls_e;


typedef struct {
    ngx_amt_relay_zone_t      *zone;     /* NULL: no amt_relay */
    size_t                     zone_size;
    ngx_uint_t                 used;     /* there is an amt_relay */

    ngx_uint_t                 tls;      /* ngx_amt_device_tls_e */
    ngx_uint_t                 protocols;
    ngx_str_t                  ciphers;
    ngx_str_t                  trusted;
    ngx_ssl_t                  ssl;
} ngx_http_amt_relay_main_conf_t;


typedef struct {
    ngx_flag_t                 enable;
    ngx_uint_t                 binary;   /* frames to the browser */
    ngx_msec_t                 timeout;  /* until logged in */
    ngx_path_t                *record;   /* NULL: off */
    off_t                      record_max;
    ngx_uint_t                 record_all;
} ngx_http_amt_relay_loc_conf_t;


/* What variables and the access log show; in the request's pool. */

typedef struct {
    ngx_amt_redir_kind_e       kind;
    ngx_amt_relay_end_e        end;
    const char                *refused;  /* static; NULL: 101 was sent */
    off_t                      up;       /* bytes to the device */
    off_t                      down;
} ngx_amt_relay_ctx_t;


typedef struct {
    ngx_queue_t                queue;    /* all sessions of this worker */
    ngx_log_t                  log;
    ngx_amt_ws_t              *ws;
    ngx_amt_relay_ctx_t       *ctx;
    ngx_http_amt_relay_main_conf_t  *mcf;
    ngx_http_amt_relay_loc_conf_t   *rlcf;

    /* in the request's pool, as ctx */
    ngx_amt_identity_t         id;
    ngx_amt_auth_watch_t       watch;
    ngx_amt_relay_request_t    request;
    ngx_cira_info_t            info;

    ngx_amt_relay_claim_t      claim;
    ngx_msec_t                 started;

    ngx_amt_flow_t            *flow;     /* until the link is open */
    ngx_event_t                timer;    /* until logged in */
    ngx_amt_redir_t           *redir;    /* NULL: transparent */
    ngx_amt_relay_record_t    *record;

    ngx_amt_relay_link_t       link;
    ngx_amt_ws_narrow_t        narrow;

    u_char                    *up;       /* the link did not take */
    u_char                    *up_pos;
    u_char                    *up_last;
    u_char                    *up_end;

    unsigned                   open:1;   /* link is open */
    unsigned                   waiting:1;    /* for who has the session */
    unsigned                   logged_in:1;
    unsigned                   recorded:1;   /* if it is SOL */
    unsigned                   deaf:1;   /* device takes no more bytes */
    unsigned                   ended:1;
} ngx_amt_relay_session_t;


extern ngx_module_t  ngx_http_amt_relay_module;


/* ---- ngx_amt_relay_session.c ---- */

/*
 * Takes the request over: checks and claims are done.  The session's memory
 * is its own.  Returns what the content handler returns.
 */
ngx_int_t ngx_amt_relay_session(ngx_http_request_t *r,
    ngx_amt_ws_handshake_t *hs, ngx_amt_relay_ctx_t *ctx,
    ngx_amt_relay_request_t *request, ngx_amt_identity_t *id,
    ngx_cira_info_t *info, ngx_amt_relay_claim_t *claim, ngx_int_t claimed,
    ngx_uint_t recorded);

/*
 * Ends it: close frame with code and reason (static, for people), log,
 * event, counters.  The session is freed.
 */
void ngx_amt_relay_end(ngx_amt_relay_session_t *s, ngx_amt_relay_end_e end,
    ngx_uint_t code, const char *reason);

/* The same, where there is more than one place that finds it out. */
void ngx_amt_relay_taken_over(ngx_amt_relay_session_t *s);
void ngx_amt_relay_unrecorded(ngx_amt_relay_session_t *s);
void ngx_amt_relay_restart(ngx_amt_relay_session_t *s);

/*
 * The kind of session is known: claims it unless that was done.  NGX_OK;
 * NGX_DECLINED: the session has ended.
 */
ngx_int_t ngx_amt_relay_kind(ngx_amt_relay_session_t *s,
    ngx_amt_redir_kind_e kind);

/* Both directions are transparent.  NGX_OK or NGX_DECLINED as above. */
ngx_int_t ngx_amt_relay_logged_in(ngx_amt_relay_session_t *s);


/* ---- ngx_amt_relay_start.c ---- */

/*
 * Starts the flow that reads the password, waits for who has the session,
 * and opens the link; it ends with ngx_amt_relay_pump() or
 * ngx_amt_relay_end().  NGX_OK or NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_relay_start(ngx_amt_relay_session_t *s);


/* ---- ngx_amt_relay_pump.c ---- */

/* The link is open: bytes flow. */
void ngx_amt_relay_pump(ngx_amt_relay_session_t *s);

/* Sends what was collected for the browser; also called before an end. */
ngx_int_t ngx_amt_relay_filled_send(ngx_amt_relay_session_t *s);

/* Forgets it: the session is being freed. */
void ngx_amt_relay_filled_drop(ngx_amt_relay_session_t *s);

/* Wipes and frees what the device did not take yet, if anything. */
void ngx_amt_relay_up_free(ngx_amt_relay_session_t *s);

/* Handlers of the WebSocket */
void ngx_amt_relay_data(void *data, u_char *p, size_t len, ngx_uint_t text,
    ngx_uint_t first, ngx_uint_t last);
void ngx_amt_relay_writable(void *data);


#endif /* _NGX_AMT_RELAY_H_INCLUDED_ */
