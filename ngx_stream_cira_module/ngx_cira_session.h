
/*
 * A CIRA session of this worker: what its parts (life cycle, output,
 * channels, nginx module) share.  The interface to others is
 * ngx_stream_cira.h.
 *
 * Who may free what: a session is finalized only by ngx_cira_session_run(),
 * which event handlers call last; channels are freed only by it, too.  All
 * other functions may therefore be called from within any callback.
 */


#ifndef _NGX_CIRA_SESSION_H_INCLUDED_
#define _NGX_CIRA_SESSION_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_stream.h>
#include "ngx_stream_cira.h"
#include "ngx_cira_fsm.h"


#define NGX_CIRA_INPUT_SIZE       16384  /* a TLS record */
#define NGX_CIRA_INPUT_STEPS      8      /* records per event */

#define NGX_CIRA_OUTPUT_SIZE      16384  /* for DATA: a TLS record */
#define NGX_CIRA_OUTPUT_RESERVE   2048   /* for control messages beyond it */

#define NGX_CIRA_DATA_MAX         4096   /* payload of a DATA we send */

/* apf.md section 12; ms */

#define NGX_CIRA_FORWARD_TIMEOUT  15000  /* login to the first forward */
#define NGX_CIRA_READY_DELAY      300    /* login to the first channel */
#define NGX_CIRA_OPTIONS_DELAY    1000   /* pfwd accept to keepalive options */
#define NGX_CIRA_OPTIONS_AGAIN    300    /* a forward to keepalive options */
#define NGX_CIRA_OPEN_TIMEOUT     10000
#define NGX_CIRA_CLOSE_TIMEOUT    10000
#define NGX_CIRA_CREDIT_TIMEOUT   30000  /* a device that takes nothing */
#define NGX_CIRA_POOL_TIMEOUT     4000   /* the device closes after 5 s */
#define NGX_CIRA_SLOT_TIMEOUT     5000   /* a slot's holder without channel */
#define NGX_CIRA_FLUSH_TIMEOUT    5000   /* last bytes of a session */
#define NGX_CIRA_BACKOFF          500    /* after OPEN_FAILURE 4, doubled */
#define NGX_CIRA_RETRIES          3

#define NGX_CIRA_ALERTS           10     /* events per minute and session */
#define NGX_CIRA_SEEN             60000  /* between two "seen" events; ms */


/* Directives of a server with "cira"; times in ms, sizes in bytes */

typedef struct {
    ngx_flag_t            enable;
    ngx_msec_t            login_timeout;
    size_t                login_buffer;
    ngx_uint_t            login_messages;
    ngx_msec_t            keepalive_interval;    /* 0: not asked for */
    ngx_msec_t            keepalive_timeout;     /* 0: no supervision */
    ngx_msec_t            auth_retry;
    ngx_uint_t            channels;
    ngx_uint_t            queue;
    ngx_msec_t            queue_timeout;
    size_t                window;
    size_t                window_redirection;
} ngx_cira_conf_t;


typedef enum {
    NGX_CIRA_TIMER_LOGIN = 0,
    NGX_CIRA_TIMER_RETRY,                /* cira_auth is down */
    NGX_CIRA_TIMER_FORWARD,
    NGX_CIRA_TIMER_READY,
    NGX_CIRA_TIMER_OPTIONS,
    NGX_CIRA_TIMER_WRITE,                /* TLS output is stuck */
    NGX_CIRA_TIMER_CLOSE,
    NGX_CIRA_TIMERS
} ngx_cira_timer_e;


struct ngx_cira_session_s {
    ngx_cira_identity_t   id;            /* first */
    ngx_rbtree_node_t     node;

    ngx_connection_t     *connection;
    ngx_cira_conf_t      *conf;
    void                 *data;          /* for finalize */
    void                (*finalize)(ngx_cira_session_t *s);

    ngx_cira_fsm_t        fsm;
    ngx_cira_auth_t      *auth;

    u_char               *held;          /* input behind a login */
    size_t                held_size;
    size_t                login_bytes;

    u_char               *out;           /* NULL when there is none */
    u_char               *out_pos;
    u_char               *out_last;

    ngx_queue_t           channels;
    ngx_queue_t           dials;         /* waiting, oldest first */
    ngx_uint_t            nchannels;     /* places of the device in use */
    ngx_uint_t            ndials;
    ngx_uint_t            max_channels;
    ngx_cira_dial_t      *slot;          /* holder of the WSMAN slot */
    ngx_msec_t            slot_deadline; /* when slot_timed */
    ngx_str_t             state;         /* of its last holder */
    uint32_t              channel_id;    /* given last */
    uint32_t              cookie;

    ngx_msec_t            timers[NGX_CIRA_TIMERS];
    ngx_msec_t            received;      /* when, the last byte */
    ngx_msec_t            ready_at;
    ngx_msec_t            seen_at;
    ngx_msec_t            alerts_from;
    ngx_uint_t            alerts;

    ngx_uint_t            opened;        /* channels, ever */
    off_t                 data_received; /* payload of channels */
    off_t                 data_sent;
    off_t                *octets;        /* received in all, or NULL */

    ngx_uint_t            reason;        /* of our DISCONNECT, 0: none */
    char                 *text;          /* why it ended */

    unsigned              armed:NGX_CIRA_TIMERS;
    unsigned              slot_timed:1;  /* its channel has ended */
    unsigned              pending:1;     /* counted as not logged in */
    unsigned              limited:1;     /* ngx_cira_limit_leave() is due */
    unsigned              logged_in:1;   /* in the index and the registry */
    unsigned              was_in:1;
    unsigned              closing:1;
    unsigned              finalized:1;
    unsigned              down:1;        /* cira_auth did not answer */
    unsigned              probed:1;      /* keepalive request is out */
    unsigned              asked:1;       /* keepalive options were sent */
    unsigned              broken:1;      /* the connection cannot be used */

    u_char                tenant[NGX_CIRA_TENANT_LEN];
};


typedef enum {
    NGX_CIRA_CHANNEL_OPENING = 0,
    NGX_CIRA_CHANNEL_OPENING_CLOSE,      /* nobody wants it any more */
    NGX_CIRA_CHANNEL_OPEN,
    NGX_CIRA_CHANNEL_CLOSING,            /* CLOSE was sent */
    NGX_CIRA_CHANNEL_BACKOFF,            /* will be tried again */
    NGX_CIRA_CHANNEL_ENDED,              /* the dialer has to be told */
    NGX_CIRA_CHANNEL_FREE
} ngx_cira_channel_e;


struct ngx_cira_channel_s {
    ngx_queue_t           queue;
    ngx_cira_session_t   *session;
    ngx_cira_dial_t      *dial;          /* NULL: pooled, or given up */

    u_char                state;         /* ngx_cira_channel_e */
    u_char                tries;
    uint16_t              port;
    uint32_t              local;
    uint32_t              remote;        /* 0 is valid */

    /* apf.md section 9 */
    uint32_t              window;        /* offered: W */
    uint32_t              credits;       /* we may send */
    uint32_t              pending;       /* consumed, not granted back */
    int64_t               rx_open;       /* the device may send */

    u_char               *start;         /* kept for the dialer */
    u_char               *pos;
    u_char               *last;
    u_char               *end;

    ngx_msec_t            deadline;
    char                 *text;          /* for closed() */

    unsigned              timed:1;       /* deadline is set */
    unsigned              told:1;        /* opened() was called */
    unsigned              pooled:1;
    unsigned              blocked:1;     /* dialer waits for writable() */
    unsigned              close_wanted:1;    /* no room for CLOSE yet */
    unsigned              adjust_wanted:1;
    unsigned              offering:1;    /* within received() */
};


/* What the session asks of others; tests replace it. */

typedef struct {
    ngx_cira_auth_t    *(*auth_start)(ngx_cira_auth_request_t *req,
                            ngx_cira_auth_pt handler, void *data,
                            ngx_log_t *log);
    void                (*auth_cancel)(ngx_cira_auth_t *a);
    ngx_int_t           (*login)(ngx_cira_identity_t *id, ngx_log_t *log);
    void                (*logout)(ngx_cira_identity_t *id, ngx_log_t *log);
    void                (*seen)(ngx_cira_identity_t *id);
    void                (*leave)(ngx_connection_t *c, ngx_log_t *log);
    void                (*failure)(ngx_connection_t *c, ngx_log_t *log);
    void                (*notify)(ngx_cira_event_e type,
                            ngx_cira_identity_t *id, ngx_str_t *text);
} ngx_cira_owners_t;

extern ngx_cira_owners_t  ngx_cira_owners;


/* ---- ngx_cira_session.c ---- */

/*
 * Sets up a session in memory of c->pool, before the TLS handshake.  Counts
 * as pending until login or the end of the pool.  NULL: no memory.
 */
ngx_cira_session_t *ngx_cira_session_create(ngx_connection_t *c,
    ngx_cira_conf_t *conf);

/* Begins to read, after the handshake; finalize() ends c. */
void ngx_cira_session_start(ngx_cira_session_t *s,
    void (*finalize)(ngx_cira_session_t *s), void *data);

/* Event handlers of the connection; ev->data is it, its session is data. */
void ngx_cira_session_read(ngx_cira_session_t *s);
void ngx_cira_session_timeout(ngx_cira_session_t *s);

/*
 * Does what was put off: callbacks, output, the end.  Last call of every
 * event handler; s may be gone after it.
 */
void ngx_cira_session_run(ngx_cira_session_t *s);

/* Has ngx_cira_session_run() called soon. */
void ngx_cira_session_post(ngx_cira_session_t *s);

/* The connection failed: nothing can be sent. */
void ngx_cira_session_broken(ngx_cira_session_t *s, char *text);

void ngx_cira_session_set_timer(ngx_cira_session_t *s, ngx_cira_timer_e timer,
    ngx_msec_t delay);
#define ngx_cira_session_del_timer(s, timer)  (s)->armed &= ~(1 << (timer))

/* TRUE when channels may be opened, apf.md section 5 */
ngx_uint_t ngx_cira_session_ready(ngx_cira_session_t *s);


/* ---- ngx_cira_index.c ---- */

/* s->id.guid must not change between the two. */
void ngx_cira_index_insert(ngx_cira_session_t *s);
void ngx_cira_index_delete(ngx_cira_session_t *s);


/* ---- ngx_cira_output.c ---- */

/*
 * Adds a control message to the output.  NGX_AGAIN: there is no room, all of
 * it is waiting for the device; NGX_ERROR: the session is broken.
 */
ngx_int_t ngx_cira_output_add(ngx_cira_session_t *s, u_char *p, size_t size);

/* Adds DATA; returns how much of it was taken. */
size_t ngx_cira_output_data(ngx_cira_session_t *s, uint32_t channel,
    u_char *p, size_t size);

/* TRUE when there is room for DATA. */
ngx_uint_t ngx_cira_output_room(ngx_cira_session_t *s);

/* NGX_OK: all was written; NGX_AGAIN; NGX_ERROR: the session is broken. */
ngx_int_t ngx_cira_output_flush(ngx_cira_session_t *s);

void ngx_cira_output_free(ngx_cira_session_t *s);


/* ---- ngx_cira_channel.c ---- */

/* A channel message of the device. */
void ngx_cira_channel_message(ngx_cira_session_t *s, ngx_cira_apf_msg_t *msg);

/* ---- ngx_cira_channels.c ---- */

/* What was put off: messages without room, callbacks, waiting dialers. */
void ngx_cira_channels_run(ngx_cira_session_t *s);

/* Channels whose time is over. */
void ngx_cira_channels_timeout(ngx_cira_session_t *s);

/* The earliest deadline: returns TRUE and sets *deadline when there is one. */
ngx_uint_t ngx_cira_channels_deadline(ngx_cira_session_t *s,
    ngx_msec_t *deadline);

/* The session ends: tells all dialers, frees all channels. */
void ngx_cira_channels_end(ngx_cira_session_t *s);

/* ... without telling, when the worker ends without having closed it */
void ngx_cira_channels_free(ngx_cira_session_t *s);

/* ---- ngx_cira_flow.c: what passes through an open channel ---- */

void ngx_cira_flow_data(ngx_cira_channel_t *ch, ngx_cira_apf_msg_t *msg);
void ngx_cira_flow_adjust(ngx_cira_channel_t *ch, uint32_t bytes);

/* Offers what is kept to the dialer until it takes no more. */
void ngx_cira_flow_offer(ngx_cira_channel_t *ch);

/* Sends a grant that had to wait for room. */
void ngx_cira_flow_grant(ngx_cira_channel_t *ch);

void ngx_cira_flow_free(ngx_cira_channel_t *ch);

/* The channel layer's side of it: CLOSE, and the dialer is told. */
void ngx_cira_channel_abort(ngx_cira_channel_t *ch, char *text);

void ngx_cira_channel_set_timer(ngx_cira_channel_t *ch, ngx_msec_t delay);


#endif /* _NGX_CIRA_SESSION_H_INCLUDED_ */
