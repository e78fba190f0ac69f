
/* What the parts of a session's life share. */


#ifndef _NGX_CIRA_SESSION_PRIV_H_INCLUDED_
#define _NGX_CIRA_SESSION_PRIV_H_INCLUDED_


#include "ngx_cira_session.h"


extern ngx_cira_fsm_ops_t  ngx_cira_session_ops;


/* ---- ngx_cira_session.c ---- */

void ngx_cira_session_closing(void *data, ngx_uint_t reason,
    char *text);

/* No longer one of those who are not logged in. */
void ngx_cira_session_leave(ngx_cira_session_t *s);


/* ---- ngx_cira_session_events.c ---- */

void ngx_cira_session_send(void *data, u_char *p, size_t size,
    ngx_uint_t droppable);

/* Asks cira_auth about the credentials at hand. */
void ngx_cira_session_ask(ngx_cira_session_t *s);


/* ---- ngx_cira_session_timer.c ---- */

/* Sets the one timer, when it is not set to an earlier time. */
void ngx_cira_session_arm(ngx_cira_session_t *s);


#endif /* _NGX_CIRA_SESSION_PRIV_H_INCLUDED_ */
