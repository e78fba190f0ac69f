
/*
 * A WebSocket's inside, for the files of ws/.
 */


#ifndef _NGX_AMT_WS_PRIV_H_INCLUDED_
#define _NGX_AMT_WS_PRIV_H_INCLUDED_


#include "ws/ngx_amt_ws_conn.h"
#include "ws/ngx_http_amt_ws_module.h"


/* TLS cuts output into records of this size. */
#define NGX_AMT_WS_RECORD     16384

/* Input handled before other connections have their turn. */
#define NGX_AMT_WS_TURN       (16 * NGX_AMT_WS_PIECE)

/* ms: for the client to answer our close frame, or to go on reading */
#define NGX_AMT_WS_LINGER     5000

/* ms: in all, for a client that reads what is left byte by byte */
#define NGX_AMT_WS_LINGER_MAX 60000

/* ms: for an owner that does not read, after the client has left */
#define NGX_AMT_WS_GRACE      1000

#define NGX_AMT_WS_MAX_QUEUE  (1024 * 1024)


typedef struct ngx_amt_ws_out_s  ngx_amt_ws_out_t;

/* Output that the client did not take yet; bytes follow it. */

struct ngx_amt_ws_out_s {
    ngx_amt_ws_out_t              *next;
    u_char                        *pos;
    u_char                        *last;
    u_char                        *end;
};


struct ngx_amt_ws_s {
    ngx_queue_t                    queue;         /* of all, see drain */
    ngx_http_request_t            *request;
    ngx_connection_t              *connection;

    const ngx_amt_ws_handlers_t   *handlers;
    void                          *owner;
    ngx_amt_ws_settings_t          settings;

    ngx_event_handler_pt           read_handler;  /* nginx's own */
    ngx_event_handler_pt           write_handler;

    ngx_event_t                    timer;
    ngx_event_t                    work;          /* posted */

    ngx_amt_ws_reader_t            reader;

    /* input that waits: for _resume(), or it came with the request */
    u_char                        *in;
    u_char                        *in_pos;
    u_char                        *in_last;

    /* message being collected */
    u_char                        *message;
    size_t                         message_len;
    size_t                         message_size;

    ngx_amt_ws_out_t              *out;
    ngx_amt_ws_out_t              *out_last;
    size_t                         queued;

    u_char                         pong[NGX_AMT_WS_CONTROL_MAX];
    u_char                         pong_len;

    /* ngx_current_msec of */
    ngx_msec_t                     received;      /* last byte */
    ngx_msec_t                     progress;      /* of output */
    ngx_msec_t                     active;        /* last data */
    ngx_msec_t                     pinged;
    ngx_msec_t                     left;          /* client closed its side */
    ngx_msec_t                     ended;
    ngx_msec_t                     deadline;      /* of closing */

    off_t                          bytes_in;      /* payload */
    off_t                          bytes_out;

    ngx_amt_ws_result_t            result;

    unsigned                       started:1;     /* 101 has been sent */
    unsigned                       in_heap:1;     /* else in r->header_in */
    unsigned                       paused:1;
    unsigned                       blocked:1;     /* owner waits */
    unsigned                       pong_due:1;
    unsigned                       ping_sent:1;
    unsigned                       gone:1;        /* left is set */
    unsigned                       told:1;        /* no more handlers */
    unsigned                       close_sent:1;  /* or queued */
    unsigned                       close_seen:1;
    unsigned                       dead:1;        /* no more output */
    unsigned                       freed:1;
};


/*
 * The end, if it is the first: closed() is called from the event loop, a
 * close frame is queued unless the code is ABNORMAL.  reason stays.
 */
void ngx_amt_ws_end(ngx_amt_ws_t *ws, ngx_amt_ws_end_e end, ngx_uint_t code,
    ngx_str_t *reason);

/* Output is not possible any more. */
void ngx_amt_ws_lost(ngx_amt_ws_t *ws, ngx_amt_ws_end_e end,
    const char *why);

/* Has ngx_amt_ws_settle() and input run from the event loop. */
void ngx_amt_ws_post(ngx_amt_ws_t *ws);

/*
 * The last thing done in each event: tells the owner of the end, gives the
 * request back when there is nothing left to do.  The socket may be gone.
 */
void ngx_amt_ws_settle(ngx_amt_ws_t *ws);

/* Reads until there is nothing, the owner pauses, or others have a turn. */
void ngx_amt_ws_input(ngx_amt_ws_t *ws);
void ngx_amt_ws_in_free(ngx_amt_ws_t *ws);

/* Sets the timer for what is due next. */
void ngx_amt_ws_timer(ngx_amt_ws_t *ws);
void ngx_amt_ws_timer_handler(ngx_event_t *ev);

/* Sends a control frame or queues it; a pong replaces one that waits. */
void ngx_amt_ws_control(ngx_amt_ws_t *ws, ngx_uint_t op, u_char *p,
    size_t len);

/* Sends what waits.  NGX_OK: all; NGX_AGAIN: not yet; NGX_ERROR: dead. */
ngx_int_t ngx_amt_ws_flush(ngx_amt_ws_t *ws);

void ngx_amt_ws_out_free(ngx_amt_ws_t *ws);


/* The sockets of this worker, ngx_amt_ws_drain.c. */

ngx_int_t ngx_amt_ws_drain_init(ngx_cycle_t *cycle, ngx_msec_t drain);
void ngx_amt_ws_drain_exit(ngx_cycle_t *cycle);
void ngx_amt_ws_drain_add(ngx_amt_ws_t *ws);
void ngx_amt_ws_drain_del(ngx_amt_ws_t *ws);


/* The socket of a request, for variables; NULL: there is none. */
ngx_amt_ws_t *ngx_amt_ws_of(ngx_http_request_t *r);


#endif /* _NGX_AMT_WS_PRIV_H_INCLUDED_ */
