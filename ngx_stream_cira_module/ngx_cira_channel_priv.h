
/* What ngx_cira_channel.c, ngx_cira_channels.c, ngx_cira_slot.c share. */


#ifndef _NGX_CIRA_CHANNEL_PRIV_H_INCLUDED_
#define _NGX_CIRA_CHANNEL_PRIV_H_INCLUDED_


#include "ngx_cira_session.h"


/* ---- ngx_cira_channel.c ---- */

void ngx_cira_channel_send_close(ngx_cira_channel_t *ch);

/* Gives its place back; ngx_cira_channels_run() frees it. */
void ngx_cira_channel_set_free(ngx_cira_channel_t *ch);

/*
 * Parts channel and dialer, who is returned and not told.  What he has else,
 * the session and the slot, is the caller's to end or to keep.
 */
ngx_cira_dial_t *ngx_cira_channel_detach(ngx_cira_channel_t *ch);

/* Closes the dialer's channel, if he has one. */
void ngx_cira_channel_drop(ngx_cira_dial_t *d);

/* Of a channel that was not opened: the dialer is told. */
void ngx_cira_channel_fail(ngx_cira_channel_t *ch,
    ngx_cira_dial_rc_e rc, ngx_uint_t reason);

ngx_cira_channel_t *ngx_cira_channel_find(ngx_cira_session_t *s,
    uint32_t id);
void ngx_cira_dial_unqueue(ngx_cira_dial_t *d);

/* Of a waiting dialer, who is told. */
void ngx_cira_dial_fail(ngx_cira_dial_t *d, ngx_cira_dial_rc_e rc,
    ngx_uint_t reason);


/* ---- ngx_cira_channels.c ---- */

/* Closes an idle channel, unless a place is going to be free anyway. */
void ngx_cira_channel_evict(ngx_cira_session_t *s);


/* ---- ngx_cira_slot.c ---- */

ngx_uint_t ngx_cira_slot_busy(ngx_cira_dial_t *d);
void ngx_cira_slot_take(ngx_cira_dial_t *d);
void ngx_cira_slot_keep(ngx_cira_session_t *s, ngx_cira_dial_t *d);

/* TRUE: d, whose session is s, has the slot of its earlier dialer. */
ngx_uint_t ngx_cira_slot_over(ngx_cira_session_t *s, ngx_cira_dial_t *d);

/* Parts dialer and session; the slot is free if it was his. */
void ngx_cira_dial_end(ngx_cira_dial_t *d);

/* As ngx_cira_channels_deadline() and _timeout(). */
ngx_uint_t ngx_cira_slot_deadline(ngx_cira_session_t *s,
    ngx_msec_t *deadline);
void ngx_cira_slot_timeout(ngx_cira_session_t *s);


#endif /* _NGX_CIRA_CHANNEL_PRIV_H_INCLUDED_ */
