
/*
 * What the parts of a tunnel share: ngx_amt_tunnel.c decides, the two ways to
 * the owner are in ngx_amt_tunnel_socket.c and ngx_amt_tunnel_direct.c.
 */


#ifndef _NGX_AMT_TUNNEL_PRIV_H_INCLUDED_
#define _NGX_AMT_TUNNEL_PRIV_H_INCLUDED_


#include "device/ngx_amt_tunnel.h"


#define NGX_AMT_TUNNEL_FRAME  (NGX_SIZE_T_LEN + sizeof(CRLF) - 1)
                                         /* in front of a message */


/* ---- ngx_amt_tunnel.c ---- */

/*
 * An answer has ended.  rc is that of the HTTP reader, or NGX_DONE: closed
 * before the end; rest: bytes follow it.  Returns the operation's result.
 */
ngx_int_t ngx_amt_tunnel_answer(ngx_amt_tunnel_t *t, ngx_int_t rc,
    ngx_uint_t rest);

/*
 * The operation fails: closes the tunnel that was to be connected, ends the
 * other, and returns NGX_ERROR.  text is static.
 */
ngx_int_t ngx_amt_tunnel_fail(ngx_amt_tunnel_t *t, ngx_amt_err_e err,
    const char *text);

/* The slot is with the new connection, or of no use. */
void ngx_amt_tunnel_close_before(ngx_amt_tunnel_t *t);

/* The pending operation ends with rc. */
void ngx_amt_tunnel_wake(ngx_amt_tunnel_t *t, ngx_int_t rc);


/* ---- ngx_amt_tunnel_socket.c ---- */

/* Connects and sets what is to be sent.  NGX_OK; NGX_ERROR: failed. */
ngx_int_t ngx_amt_tunnel_socket_connect(ngx_amt_tunnel_t *t,
    ngx_cira_info_t *info, ngx_uint_t fresh, ngx_pool_t *pool);
ngx_int_t ngx_amt_tunnel_socket_ask(ngx_amt_tunnel_t *t,
    u_char *socket, ngx_str_t *head);

void ngx_amt_tunnel_socket_chunk(ngx_amt_tunnel_t *t);

/* Sends and reads; the operation's result, or NGX_AGAIN. */
ngx_int_t ngx_amt_tunnel_socket_run(ngx_amt_tunnel_t *t);

ngx_uint_t ngx_amt_tunnel_socket_idle(ngx_amt_tunnel_t *t);

/* idle: the channel may be used again */
void ngx_amt_tunnel_socket_release(ngx_amt_tunnel_t *t, ngx_str_t *state,
    ngx_uint_t idle);


/* ---- ngx_amt_tunnel_direct.c ---- */

/* NGX_OK: wait; NGX_AGAIN: another worker's device; NGX_ERROR: failed. */
ngx_int_t ngx_amt_tunnel_direct_dial(ngx_amt_tunnel_t *t,
    ngx_cira_info_t *info, ngx_uint_t fresh);

/* The same with the slot; NGX_AGAIN: we have it no more. */
ngx_int_t ngx_amt_tunnel_direct_redial(ngx_amt_tunnel_t *t);

void ngx_amt_tunnel_direct_send(ngx_amt_tunnel_t *t);
void ngx_amt_tunnel_direct_release(ngx_amt_tunnel_t *t, ngx_str_t *state,
    ngx_uint_t idle);
void ngx_amt_tunnel_direct_close(ngx_amt_tunnel_t *t);


#endif /* _NGX_AMT_TUNNEL_PRIV_H_INCLUDED_ */
