
/*
 * Device plane: what its parts (session, channels, registry, hooks, CONNECT)
 * know of each other.  One session is one logged-in CIRA connection; it lives
 * in exactly one worker.  Protocol: contract apf.md sections 1-18.
 */


#ifndef _NGX_STREAM_CIRA_H_INCLUDED_
#define _NGX_STREAM_CIRA_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_cira_api.h"


/* APF DISCONNECT reasons in use, apf.md section 11 */

#define NGX_CIRA_DISCONNECT_NOT_ALLOWED   1
#define NGX_CIRA_DISCONNECT_PROTOCOL      2
#define NGX_CIRA_DISCONNECT_SERVICE       7
#define NGX_CIRA_DISCONNECT_APPLICATION   11
#define NGX_CIRA_DISCONNECT_TOO_MANY      12
#define NGX_CIRA_DISCONNECT_CREDENTIALS   15
#define NGX_CIRA_DISCONNECT_TIMEOUT       16
#define NGX_CIRA_DISCONNECT_POLICY        17
#define NGX_CIRA_DISCONNECT_UNAVAILABLE   18


/*
 * Identity of a logged-in session: the part of ngx_cira_session_t that the
 * registry and CONNECT use; first member of the session.
 */

typedef struct {
    u_char        guid[NGX_CIRA_GUID_LEN];
    uint64_t      generation;            /* given by ngx_cira_zone_login() */
    int64_t       connected;             /* ms since 1970 */
    int64_t       last_seen;             /* ms since 1970 */
    ngx_str_t     tenant;
    ngx_str_t     addr;                  /* peer address, text */
    ngx_uint_t    channels;              /* open towards a dialer */
    int64_t       published;             /* registry's own, starts as 0 */
} ngx_cira_identity_t;


/* ---- session and channels: ngx_cira_session.c, ngx_cira_channel.c ---- */

/* A logged-in session of this worker, or NULL. */
ngx_cira_session_t *ngx_cira_session_find(const u_char *guid);

ngx_cira_identity_t *ngx_cira_session_identity(ngx_cira_session_t *s);

/* Next session of this worker in GUID order after guid (NULL: the first). */
ngx_cira_session_t *ngx_cira_session_next(const u_char *guid);

/*
 * Ends a session: fails its channels and waiting dialers, leaves the
 * registry, sends DISCONNECT with reason and close_notify.  text goes to the
 * log and to $cira_close_reason; a static string.
 */
void ngx_cira_session_close(ngx_cira_session_t *s, ngx_uint_t reason,
    char *text);

/* TRUE while a TLS/APF login is in progress in this worker. */
ngx_uint_t ngx_cira_sessions_pending(void);


/*
 * Asks for a channel.  NGX_OK: opened() will be called; NGX_BUSY: the
 * device's queue of waiting dialers is full; NGX_DECLINED: the device does
 * not forward this port.
 */
ngx_int_t ngx_cira_channel_dial(ngx_cira_session_t *s, ngx_cira_dial_t *d);

/*
 * As redial() of ngx_cira_api_t: another channel for the holder of the slot.
 */
ngx_int_t ngx_cira_channel_redial(ngx_cira_dial_t *d);

/*
 * Sends towards the device as far as credits and the TLS output allow;
 * returns the number of bytes taken, 0 when writable() has to be awaited.
 */
size_t ngx_cira_channel_send(ngx_cira_dial_t *d, u_char *p, size_t size);

/* Offers kept bytes to received() again, at once. */
void ngx_cira_channel_drain(ngx_cira_dial_t *d);

/* Bytes kept that received() did not take yet. */
size_t ngx_cira_channel_pending(ngx_cira_dial_t *d);

/*
 * Ends what there is: waiting, dialing (a late confirmation is closed), the
 * channel, the slot.
 */
void ngx_cira_channel_close(ngx_cira_dial_t *d);

/*
 * After opened(OK): gives channel and slot back, and state to the slot's next
 * holder.  The channel is pooled only when the dialer is poolable and nothing
 * is queued or kept in either direction, else closed.
 */
void ngx_cira_channel_release(ngx_cira_dial_t *d, ngx_str_t *state);

/* As state() of ngx_cira_api_t: takes the state over. */
size_t ngx_cira_channel_state(ngx_cira_dial_t *d, u_char *buf);

/*
 * Opaque state of the WSMAN slot's last holder (digest nonce and count),
 * kept with the session; at most NGX_CIRA_STATE_MAX bytes.
 */
ngx_str_t *ngx_cira_session_state(ngx_cira_session_t *s);
ngx_int_t ngx_cira_session_set_state(ngx_cira_session_t *s, ngx_str_t *state);


/* ---- registry in shared memory: ngx_cira_zone.c ---- */

/*
 * Registers a session that passed authentication and evicts an older one of
 * the same GUID, on whichever worker.  Fills id->generation.  NGX_OK;
 * NGX_DECLINED: GUID quarantined as a suspected duplicate; NGX_ERROR: zone
 * full (logged).
 */
ngx_int_t ngx_cira_zone_login(ngx_cira_identity_t *id, ngx_log_t *log);

/* Removes the entry of exactly this generation; harmless when replaced. */
void ngx_cira_zone_logout(ngx_cira_identity_t *id, ngx_log_t *log);

/* Publishes last_seen and counters; cheap, rate-limited by the registry. */
void ngx_cira_zone_seen(ngx_cira_identity_t *id);


/* ---- login limits per peer address, in the same zone: ngx_cira_limit.c */

/*
 * A connection of addr before login begins.  NGX_OK: counted, _leave() must
 * follow exactly once; NGX_DECLINED: banned; NGX_BUSY: too many connections
 * of this address that are not logged in.
 */
ngx_int_t ngx_cira_limit_enter(ngx_connection_t *c, ngx_log_t *log);
void ngx_cira_limit_leave(ngx_connection_t *c);

/* A failed login: counts, and bans by cira_auth_failures. */
void ngx_cira_limit_failure(ngx_connection_t *c, ngx_log_t *log);


/* ---- hooks over HTTP: ngx_cira_auth.c, ngx_cira_notify.c ---- */

typedef struct ngx_cira_auth_s  ngx_cira_auth_t;

typedef struct {
    u_char        guid[NGX_CIRA_GUID_LEN];
    ngx_str_t     user;                  /* hostile bytes */
    ngx_str_t     password;              /* hostile bytes; wiped by the
                                            caller when start() returned */
    ngx_str_t     addr;
    ngx_str_t     protocol;              /* "TLSv1.2" */
    ngx_str_t     cipher;
    ngx_str_t     fingerprint;           /* SHA-256 of the client certificate,
                                            lower-case hex, or empty */
    ngx_uint_t    verified;              /* client certificate chain is good */
} ngx_cira_auth_request_t;

typedef struct {
    ngx_str_t     tenant;                /* valid during the callback */
    ngx_uint_t    channels;              /* 0: as configured */
} ngx_cira_auth_result_t;

/* rc: NGX_OK lets in, NGX_DECLINED refuses, NGX_ERROR service is down */
typedef void (*ngx_cira_auth_pt)(void *data, ngx_int_t rc,
    ngx_cira_auth_result_t *result);

/*
 * Asks cira_auth.  The handler is called once, never from within start,
 * unless cancelled before.  NULL: no memory, or no cira_auth configured.
 */
ngx_cira_auth_t *ngx_cira_auth_start(ngx_cira_auth_request_t *req,
    ngx_cira_auth_pt handler, void *data, ngx_log_t *log);
void ngx_cira_auth_cancel(ngx_cira_auth_t *a);

typedef enum {
    NGX_CIRA_EVENT_CONNECTED = 0,
    NGX_CIRA_EVENT_DISCONNECTED,
    NGX_CIRA_EVENT_SEEN,
    NGX_CIRA_EVENT_ALERT,
    NGX_CIRA_EVENT_QUARANTINE
} ngx_cira_event_e;

/*
 * Queues an event for cira_notify in shared memory.  text is the reason of
 * a disconnect or what the alert was; hostile bytes allowed, cut at 256.
 */
void ngx_cira_notify(ngx_cira_event_e type, ngx_cira_identity_t *id,
    ngx_str_t *text);


#endif /* _NGX_STREAM_CIRA_H_INCLUDED_ */
