
/*
 * RFC 6455 codec, no I/O: reads the frames of a client, unmasking in place,
 * and writes the heads of a server's frames.  No extensions: the reserved
 * bits must be zero.
 */


#ifndef _NGX_AMT_WS_H_INCLUDED_
#define _NGX_AMT_WS_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ws/ngx_amt_ws_text.h"


/* opcodes */
#define NGX_AMT_WS_CONTINUATION  0x0
#define NGX_AMT_WS_TEXT          0x1
#define NGX_AMT_WS_BINARY        0x2
#define NGX_AMT_WS_CLOSE         0x8
#define NGX_AMT_WS_PING          0x9
#define NGX_AMT_WS_PONG          0xa

/* the bit beside the opcode in the first byte: last frame of its message */
#define NGX_AMT_WS_FIN           0x80

/* status codes, RFC 6455 section 7.4.1 */
#define NGX_AMT_WS_NORMAL        1000
#define NGX_AMT_WS_GOING_AWAY    1001
#define NGX_AMT_WS_PROTOCOL      1002
#define NGX_AMT_WS_UNSUPPORTED   1003
#define NGX_AMT_WS_NO_STATUS     1005    /* never sent */
#define NGX_AMT_WS_ABNORMAL      1006    /* never sent */
#define NGX_AMT_WS_BAD_DATA      1007
#define NGX_AMT_WS_POLICY        1008
#define NGX_AMT_WS_TOO_BIG       1009
#define NGX_AMT_WS_INTERNAL      1011
#define NGX_AMT_WS_TRY_LATER     1013

#define NGX_AMT_WS_CONTROL_MAX   125     /* payload of a control frame */
#define NGX_AMT_WS_REASON_MAX    123     /* of it: a reason beside the code */
#define NGX_AMT_WS_HEAD          10      /* longest head of our frames */


typedef enum {
    NGX_AMT_WS_EV_MORE = 0,              /* all bytes were taken */
    NGX_AMT_WS_EV_DATA,                  /* a piece of a message */
    NGX_AMT_WS_EV_PING,
    NGX_AMT_WS_EV_PONG,
    NGX_AMT_WS_EV_CLOSE,                 /* nothing is read after it */
    NGX_AMT_WS_EV_FAILED                 /* nothing is read after it */
} ngx_amt_ws_event_e;


typedef struct {
    /* set before the first byte; 0: no limit */
    uint64_t              max_frame;     /* payload bytes of a data frame */
    uint64_t              max_message;   /* payload bytes of all its frames */

    /* EV_DATA, EV_PING, EV_PONG, EV_CLOSE (the reason); zero length: empty */
    u_char               *data;
    size_t                len;

    /* EV_DATA */
    unsigned              text:1;        /* else binary */
    unsigned              first:1;       /* first piece of its message */
    unsigned              last:1;        /* last piece of its message */

    /* EV_CLOSE: as received, or NO_STATUS; EV_FAILED: to be sent */
    ngx_uint_t            code;
    const char           *error;         /* EV_FAILED: static */

    /* private to ngx_amt_ws.c */
    uint64_t              rest;          /* of the frame's payload */
    uint64_t              total;         /* of the message so far */
    ngx_amt_ws_utf8_t     utf8;
    u_char                state;
    u_char                op;            /* of the frame */
    u_char                fin;
    u_char                wide;          /* length has eight bytes */
    u_char                opened;        /* a message is not complete */
    u_char                begun;         /* a piece of it was returned */
    u_char                need;          /* bytes of the field to come */
    u_char                fill;          /* of the control payload */
    u_char                phase;         /* of the mask */
    u_char                mask[4];
    u_char                control[NGX_AMT_WS_CONTROL_MAX];
} ngx_amt_ws_reader_t;


void ngx_amt_ws_reader_init(ngx_amt_ws_reader_t *r, uint64_t max_frame,
    uint64_t max_message);

/*
 * Reads *p .. last, advances *p and returns one event; to be called again
 * until it returns EV_MORE, EV_CLOSE or EV_FAILED.  EV_CLOSE and EV_FAILED
 * stay.  The bytes are unmasked where they are: r->data of EV_DATA points
 * into them, that of the others into the reader, until the next call.
 *
 * How the bytes of a stream are cut does not change what is read, apart from
 * where EV_DATA is cut.  A piece is empty only when it is the last.  A piece
 * of text may end within a character; its bytes are valid so far, and a text
 * that is not valid has no last piece.
 */
ngx_amt_ws_event_e ngx_amt_ws_read(ngx_amt_ws_reader_t *r, u_char **p,
    u_char *last);

/* 1: between two frames outside of a message; 0: a close would cut one. */
ngx_uint_t ngx_amt_ws_reader_idle(ngx_amt_ws_reader_t *r);


/*
 * Writes the head of an unmasked frame right before payload, where
 * NGX_AMT_WS_HEAD bytes are writable.  first: opcode, with NGX_AMT_WS_FIN or
 * without.  Returns where the frame starts.
 */
u_char *ngx_amt_ws_frame(u_char *payload, u_char first, uint64_t len);

/* Length of that head: 2, 4 or 10. */
size_t ngx_amt_ws_head_len(uint64_t len);

/*
 * Writes the payload of a close frame: code, unless it is NO_STATUS, and
 * reason, cut at REASON_MAX between characters.  buf has CONTROL_MAX bytes.
 * Returns the end.
 */
u_char *ngx_amt_ws_close_payload(u_char *buf, ngx_uint_t code,
    ngx_str_t *reason);

/* 1: the code may be on the wire, RFC 6455 section 7.4 and the registry */
ngx_uint_t ngx_amt_ws_code_valid(ngx_uint_t code);


#endif /* _NGX_AMT_WS_H_INCLUDED_ */
