
/*
 * State machine of a CIRA session without I/O: contract apf.md sections 10,
 * 11 and 16.1.  Which message is allowed in which state is a table; what
 * happens outside of the protocol is asked of the owner by callbacks.
 */


#ifndef _NGX_CIRA_FSM_H_INCLUDED_
#define _NGX_CIRA_FSM_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_apf.h"


#define NGX_CIRA_FORWARDS_MAX   32       /* apf.md section 2 */
#define NGX_CIRA_PROBE_MAX      4096     /* bytes of an HTTP probe */


/*
 * S2 LOOKUP of the contract does not exist here: one question to cira_auth
 * decides about GUID, user and password together (VERIFY).
 */

typedef enum {
    NGX_CIRA_PROBE = 0,                  /* S0, first byte */
    NGX_CIRA_HTTP,                       /* S0, an HTTP probe */
    NGX_CIRA_VERSION,                    /* S1 */
    NGX_CIRA_AUTH_SERVICE,               /* S3 */
    NGX_CIRA_USERAUTH,                   /* S4 */
    NGX_CIRA_VERIFY,                     /* S5, nothing is read */
    NGX_CIRA_PFWD,                       /* S6 */
    NGX_CIRA_READY,                      /* S7 */
    NGX_CIRA_CLOSING                     /* S8 */
} ngx_cira_state_e;


typedef struct {
    /*
     * Takes size bytes for the device, in order.  droppable: a keepalive
     * reply, which may be lost when the device does not read.
     */
    void        (*send)(void *data, u_char *p, size_t size,
                    ngx_uint_t droppable);

    /* VERIFY begins: decoder's text holds user and password */
    void        (*verify)(void *data, ngx_cira_apf_text_t *text);

    /* READY begins */
    void        (*ready)(void *data);

    /* the set of forwarded ports was asked for or changed */
    void        (*forwarded)(void *data);

    /* CHANNEL_CONFIRMATION, _FAILURE, _WINDOW_ADJUST, _DATA, _CLOSE */
    void        (*channel)(void *data, ngx_cira_apf_msg_t *msg);

    /* a datagram, or a channel the device wants and does not get */
    void        (*alert)(void *data, ngx_cira_apf_msg_t *msg);

    /* a keepalive message */
    void        (*alive)(void *data);

    /*
     * CLOSING began: everything to be sent was sent.  reason is 0 when the
     * device ended it or it never was a device.
     */
    void        (*closing)(void *data, ngx_uint_t reason, char *text);
} ngx_cira_fsm_ops_t;


typedef struct {
    ngx_cira_apf_t        apf;
    ngx_cira_fsm_ops_t   *ops;
    void                 *data;

    u_char                state;         /* ngx_cira_state_e */
    u_char                ended;         /* the state before CLOSING */
    u_char                probe;         /* bytes of the method seen */
    u_char                crlf;          /* of the empty line seen */
    u_char                nports;

    uint16_t              bytes;         /* of an HTTP probe */
    uint16_t              messages;      /* before login */
    uint16_t              max_messages;

    unsigned              head:1;        /* the probe is a HEAD */
    unsigned              credentials:1; /* ended by a failed login */
    unsigned              identified:1;  /* guid is valid (but a claim) */

    uint16_t              ports[NGX_CIRA_FORWARDS_MAX];

    u_char                guid[NGX_CIRA_APF_UUID_LEN];   /* text order */
} ngx_cira_fsm_t;


void ngx_cira_fsm_init(ngx_cira_fsm_t *f, ngx_cira_fsm_ops_t *ops, void *data,
    ngx_uint_t max_messages, ngx_log_t *log);

/*
 * Feeds bytes of the device; returns how many were read: all, unless VERIFY
 * or CLOSING began.  In CLOSING everything is taken and ignored.
 */
size_t ngx_cira_fsm_read(ngx_cira_fsm_t *f, u_char *p, size_t size);

/* Ends VERIFY: the device is let in.  The rest of the input may be fed. */
void ngx_cira_fsm_accept(ngx_cira_fsm_t *f);

/* Ends VERIFY: USERAUTH_FAILURE, then DISCONNECT. */
void ngx_cira_fsm_refuse(ngx_cira_fsm_t *f);

/*
 * Ends the session from any state; sends DISCONNECT when the peer speaks APF
 * and reason is not 0.  Does nothing in CLOSING.
 */
void ngx_cira_fsm_close(ngx_cira_fsm_t *f, ngx_uint_t reason, char *text);

ngx_uint_t ngx_cira_fsm_port(ngx_cira_fsm_t *f, ngx_uint_t port);

/* Between messages, the strings of the last one are wiped and freed. */
void ngx_cira_fsm_release(ngx_cira_fsm_t *f);

/* The state, in CLOSING the one it ended in; a static string. */
char *ngx_cira_fsm_name(ngx_cira_fsm_t *f);


#endif /* _NGX_CIRA_FSM_H_INCLUDED_ */
