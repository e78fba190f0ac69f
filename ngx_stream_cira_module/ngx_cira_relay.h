
/*
 * CONNECT tunnels: one per connection of a cira_connect listener or of the
 * private one.  ngx_cira_connect.c reads the request and finds the device's
 * owner, ngx_cira_relay.c carries the bytes - to a channel of this worker, or
 * over one hop to the owner's private listener.
 *
 * Both directions have one buffer each and stop reading when it is full.
 * Every tunnel has a timer that is not cancelable: an exiting worker waits
 * for it.
 */


#ifndef _NGX_CIRA_RELAY_H_INCLUDED_
#define _NGX_CIRA_RELAY_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_stream.h>
#include "ngx_stream_cira.h"
#include "ngx_cira_request.h"


/* Directives of a server with cira_connect */

typedef struct {
    ngx_flag_t            enable;
    ngx_msec_t            timeout;       /* until the channel is open */
    ngx_msec_t            send_timeout;  /* for a client that reads nothing */
    ngx_array_t          *allow;         /* of uid_t; NULL: worker and root */
    ngx_array_t          *secrets;       /* of SHA-256, see the module */
    ngx_uint_t            all;           /* any local user */
} ngx_cira_connect_conf_t;


typedef enum {
    NGX_CIRA_TUNNEL_HEAD = 0,            /* reads the request */
    NGX_CIRA_TUNNEL_DIAL,                /* waits for a channel */
    NGX_CIRA_TUNNEL_ASK,                 /* waits for the owner's answer */
    NGX_CIRA_TUNNEL_PAUSE,               /* before another look-up */
    NGX_CIRA_TUNNEL_OPEN,
    NGX_CIRA_TUNNEL_FLUSH,               /* device is done, client is not */
    NGX_CIRA_TUNNEL_HELD,                /* client has all and the slot */
    NGX_CIRA_TUNNEL_LINGER               /* an answer, then the end */
} ngx_cira_tunnel_state_e;


typedef struct {
    ngx_queue_t                queue;    /* all tunnels of this worker */
    ngx_stream_session_t      *session;
    ngx_connection_t          *client;
    ngx_cira_connect_conf_t   *conf;
    ngx_cira_request_t        *request;
    ngx_event_t                timer;
    ngx_cira_tunnel_state_e    state;

    ngx_cira_dial_t            dial;     /* local: the channel */
    ngx_cira_chunked_t        *chunked;
    ngx_str_t                  payload;  /* decoded, in up, not sent */

    ngx_connection_t          *owner;    /* hop */
    ngx_cira_response_t       *response;
    uint64_t                   worker;   /* the owner's id */
    u_char                     socket[sizeof(
                                   ((struct sockaddr_un *) 0)->sun_path)];

    ngx_buf_t                  up;       /* client to device */
    ngx_buf_t                  down;     /* device to client */

    ngx_msec_t                 progress; /* when up moved last */
    ngx_msec_t                 taken;    /* when down did */
    int                        outq;     /* bytes client's kernel had then */
    size_t                     discarded;
    size_t                     rest;     /* of the owner's refusal */

    ngx_uint_t                 status;   /* for the log, 0: none yet */
    char                      *reason;   /* why it ended, static */

    unsigned                   private:1;
    unsigned                   retried:1;    /* the one new look-up */
    unsigned                   guess:1;      /* owner is not in our zone */
    unsigned                   unheard:1;    /* one of those asked then gave
                                                no answer */
    unsigned                   parsed:1;     /* request is valid */
    unsigned                   eof:1;        /* client sent FIN */
    unsigned                   stalled:1;    /* up does not move */
    unsigned                   unread:1;     /* down does not */
    unsigned                   shut:1;       /* FIN was passed on */
    unsigned                   linger:1;     /* answer is sent */
    unsigned                   answered:1;   /* owner's head is complete */
} ngx_cira_tunnel_t;


extern ngx_module_t  ngx_stream_cira_connect_module;


/* ---- ngx_cira_connect.c ---- */

/* Content handler of cira_connect; of the private listener, too. */
void ngx_stream_cira_connect_handler(ngx_stream_session_t *s);

/* Finds the device and dials it, here or at its owner. */
void ngx_cira_connect_route(ngx_cira_tunnel_t *t);

/* The client has sent something before its request was complete. */
void ngx_cira_connect_read(ngx_cira_tunnel_t *t);

/*
 * The owner's answer was 404, nobody listens there, or the session ended
 * before the channel was open: looks once more, else refuses.  unheard: the
 * owner lives but gave no answer, it may well have the device.
 */
void ngx_cira_connect_again(ngx_cira_tunnel_t *t, ngx_uint_t unheard);


/* ---- the module: ngx_stream_cira_connect_module.c ---- */

/*
 * Who may connect.  NGX_OK; NGX_DECLINED: 403; NGX_AGAIN: 407, credentials
 * are needed.
 */
ngx_int_t ngx_cira_connect_access(ngx_cira_tunnel_t *t);


/* ---- ngx_cira_relay.c ---- */

/* Takes over the client's events; the buffers are allocated when used. */
void ngx_cira_relay_init(ngx_cira_tunnel_t *t);

ngx_int_t ngx_cira_relay_alloc(ngx_cira_tunnel_t *t, ngx_buf_t *b,
    size_t size);
void ngx_cira_relay_wipe(ngx_buf_t *b);

/* Opens a channel of a session of this worker. */
void ngx_cira_relay_dial(ngx_cira_tunnel_t *t, ngx_cira_session_t *s);

/* Calls ngx_cira_connect_route() in a moment. */
void ngx_cira_relay_pause(ngx_cira_tunnel_t *t);

/* Asks the owner at t->socket. */
void ngx_cira_relay_hop(ngx_cira_tunnel_t *t);

/* An error answer, or what is in t->down already, then the end. */
void ngx_cira_relay_refuse(ngx_cira_tunnel_t *t, ngx_uint_t status,
    ngx_uint_t apf, char *text);
void ngx_cira_relay_answer(ngx_cira_tunnel_t *t, ngx_uint_t status);

/* The funnel: frees everything, t is gone.  reason NULL: nothing to say */
void ngx_cira_relay_finalize(ngx_cira_tunnel_t *t, char *reason);

/* TRUE when this worker has tunnels. */
ngx_uint_t ngx_cira_relay_active(void);

/* Ends all tunnels; the drain's end, and exit_process. */
void ngx_cira_relay_close(char *reason);


#define NGX_CIRA_RELAY_BUFFER   32768
#define NGX_CIRA_RELAY_ANSWER   2048


#endif /* _NGX_CIRA_RELAY_H_INCLUDED_ */
