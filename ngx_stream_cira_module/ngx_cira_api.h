
/*
 * What the device plane offers to other modules of the same nginx.
 *
 * The table is found at run time through the module's name, so that the API
 * plane's .so has no undefined symbols when the device plane is missing or is
 * loaded later; see ngx_cira_api_find().  Also here: the GUID text form both
 * planes share (contract apf.md section 4).
 */


#ifndef _NGX_CIRA_API_H_INCLUDED_
#define _NGX_CIRA_API_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_http.h"


#define NGX_CIRA_API_VERSION  4

#define NGX_CIRA_GUID_LEN     16         /* bytes, in the order of the text */
#define NGX_CIRA_GUID_TEXT    36
#define NGX_CIRA_TENANT_LEN   36
#define NGX_CIRA_ADDR_LEN     (NGX_SOCKADDR_STRLEN)
#define NGX_CIRA_STATE_MAX    512        /* state of the WSMAN slot */


typedef struct ngx_cira_session_s  ngx_cira_session_t;
typedef struct ngx_cira_channel_s  ngx_cira_channel_t;
typedef struct ngx_cira_dial_s     ngx_cira_dial_t;


/* One connected device; a copy, valid as long as the caller keeps it. */

typedef struct {
    u_char       guid[NGX_CIRA_GUID_LEN];
    uint64_t     generation;             /* of this connection, never reused */
    uint64_t     worker;                 /* owner's id, never reused */
    int64_t      connected;              /* ms since 1970 */
    int64_t      last_seen;              /* ms since 1970 */
    u_char       tenant[NGX_CIRA_TENANT_LEN];
    u_char       addr[NGX_CIRA_ADDR_LEN];
    u_char       tenant_len;
    u_char       addr_len;
    u_char       socket[sizeof(((struct sockaddr_un *) 0)->sun_path)];
                                         /* owner's private CONNECT listener,
                                            zero terminated path */
} ngx_cira_info_t;


/* Another worker that can be asked */

typedef struct {
    uint64_t     id;
    u_char       socket[sizeof(((struct sockaddr_un *) 0)->sun_path)];
} ngx_cira_other_t;


/*
 * Answers what another worker asks with ASK <guid>:<question>, at once.
 * NGX_OK or NGX_DECLINED: yes or no, whatever that means.
 */
typedef ngx_int_t (*ngx_cira_ask_pt)(const u_char *guid, uint64_t question);


/* Results given to ngx_cira_dial_t.opened */

typedef enum {
    NGX_CIRA_DIAL_OK = 0,
    NGX_CIRA_DIAL_REFUSED,               /* device sent OPEN_FAILURE: reason */
    NGX_CIRA_DIAL_BUSY,                  /* queue full or pool exhausted */
    NGX_CIRA_DIAL_TIMEOUT,               /* no confirmation in time; reason 1:
                                            its turn did not come in time */
    NGX_CIRA_DIAL_LOST                   /* session ended */
} ngx_cira_dial_rc_e;


/*
 * One dialer: a CONNECT tunnel, or a call of this worker.  Memory belongs to
 * the caller, who embeds it, fills the upper part, and must close or release
 * it before freeing it.  Callbacks are called from no function of the
 * interface except where stated.
 */

struct ngx_cira_dial_s {
    ngx_uint_t            port;          /* 16992, 16993, 16994, 16995, 5900 */
    ngx_log_t            *log;
    void                 *data;
    uint64_t              holder;        /* 0, or a random number: when the
                                            slot is another dialer's with the
                                            same one, it is taken from him */

    unsigned              slot:1;        /* wants the device's WSMAN slot:
                                            one holder at a time, FIFO */
    unsigned              fresh:1;       /* never a pooled channel */
    unsigned              poolable:1;    /* may be released to the pool */

    /* once per dial, not from within dialing */
    void                (*opened)(ngx_cira_dial_t *d, ngx_cira_dial_rc_e rc,
                             ngx_uint_t reason);

    /*
     * Bytes from the device; returns how many were taken (0..size).  The
     * rest is kept by the channel, within the window, and offered again when
     * drained.  Taken bytes are granted back to the device.  The dialer may
     * be closed in it.
     */
    size_t              (*received)(ngx_cira_dial_t *d, u_char *p,
                             size_t size);

    /* send took less than asked; now it may take more */
    void                (*writable)(ngx_cira_dial_t *d);

    /*
     * Device closed the channel or the session ended; last callback.  While
     * d->session is set, the slot is still the dialer's, for some seconds.
     */
    void                (*closed)(ngx_cira_dial_t *d, char *text);

    /* filled by the channel layer */
    ngx_queue_t           queue;
    ngx_cira_session_t   *session;
    ngx_cira_channel_t   *channel;
    ngx_msec_t            since;         /* waits */
    unsigned              reused:1;      /* channel came from the pool */
    unsigned              kept:1;        /* slot was the dialer's before, and
                                            nobody's in between */
    unsigned              waiting:1;
};


typedef struct {
    ngx_uint_t   version;                /* NGX_CIRA_API_VERSION */

    /*
     * Finds a connected device.  NGX_OK: *info is filled; NGX_DECLINED: not
     * connected; NGX_ERROR: no cira_zone is configured.
     */
    ngx_int_t  (*lookup)(const u_char *guid, ngx_cira_info_t *info);

    /*
     * Pages through connected devices: fills at most n entries that follow
     * the GUID cursor (NULL: from the start) in an order that is fixed but
     * not sorted; the cursor itself need not be connected.  Returns their
     * number, 0 at the end, NGX_ERROR without a zone.
     */
    ngx_int_t  (*list)(const u_char *cursor, ngx_cira_info_t *info,
        ngx_uint_t n);

    /*
     * Ends the connection of info->guid with info->generation.  NGX_OK: it
     * was of this worker; NGX_DECLINED: this worker owned it and has it no
     * more; NGX_AGAIN: another worker's, to be asked with EVICT at
     * info->socket; NGX_ERROR: no cira_zone is configured.
     */
    ngx_int_t  (*evict)(ngx_cira_info_t *info);

    /*
     * Asks for a channel to a device of this worker, whose tenant must be
     * that of *info.  NGX_OK: opened() will be called; NGX_AGAIN: another
     * worker's, to be asked with CONNECT at info->socket; NGX_DONE: this
     * worker owned it and has it no more; NGX_BUSY: too many dialers wait;
     * NGX_DECLINED: the device does not forward this port.
     */
    ngx_int_t  (*dial)(ngx_cira_info_t *info, ngx_cira_dial_t *d);

    /*
     * Another channel for a dialer that has the slot, which it keeps; the
     * channel it may have is closed.  NGX_OK: opened() will be called;
     * NGX_DECLINED: it has the slot no more, and is as after close().
     */
    ngx_int_t  (*redial)(ngx_cira_dial_t *d);

    /*
     * Sends as far as the device and the connection take; returns how many
     * bytes were taken, less than size: writable() will be called.
     */
    size_t     (*send)(ngx_cira_dial_t *d, u_char *p, size_t size);

    /* Calls received() for what it did not take before. */
    void       (*drain)(ngx_cira_dial_t *d);

    /* Ends dialing, channel and slot; harmless when all have ended. */
    void       (*close)(ngx_cira_dial_t *d);

    /*
     * Gives channel and slot back, and state (may be empty) to the next
     * holder of the slot.  The channel is pooled only when the dialer is
     * poolable and nothing is on its way, else closed.
     */
    void       (*release)(ngx_cira_dial_t *d, ngx_str_t *state);

    /*
     * Copies the state the slot's last holder left to buf, which has room for
     * NGX_CIRA_STATE_MAX bytes, and returns its length.  It is this holder's
     * now: when he goes without a release, the next one gets none.
     */
    size_t     (*state)(ngx_cira_dial_t *d, u_char *buf);

    /*
     * Connects to an owner's socket.  NGX_OK: *c is open, without pool and
     * handlers; NGX_DECLINED: that worker is dead; NGX_BUSY: it has no time
     * for it, or this worker no free connection; NGX_ERROR.
     */
    ngx_int_t  (*connect)(u_char *socket, ngx_log_t *log,
        ngx_connection_t **c);

    /* Id of this worker, never reused; 0: it cannot be asked. */
    uint64_t   (*self)(void);

    /*
     * Copies at most n of the other workers that share cira_path, also those
     * of another generation of nginx; returns their number.
     */
    ngx_uint_t (*others)(ngx_cira_other_t *others, ngx_uint_t n);

    /* Who answers in this worker from now on; NULL: nobody. */
    void       (*answer)(ngx_cira_ask_pt handler);

    const ngx_cira_http_api_t  *http;
} ngx_cira_api_t;


/* NULL: the device plane is not loaded, or is of another version. */

static ngx_inline ngx_cira_api_t *
ngx_cira_api_find(ngx_cycle_t *cycle)
{
    ngx_uint_t       i;
    ngx_cira_api_t  *api;

    /* nearly no module has a spare hook: names are compared rarely */

    for (i = 0; cycle->modules[i]; i++) {
        if (cycle->modules[i]->spare_hook0
            && ngx_strcmp(cycle->modules[i]->name, "ngx_stream_cira_module")
               == 0)
        {
            api = (ngx_cira_api_t *) cycle->modules[i]->spare_hook0;

            return api && api->version == NGX_CIRA_API_VERSION ? api : NULL;
        }
    }

    return NULL;
}


/* Parses 8-4-4-4-12 hex digits of any case; NGX_OK or NGX_ERROR. */

static ngx_inline ngx_int_t
ngx_cira_guid_parse(const u_char *text, size_t len, u_char *guid)
{
    size_t      i;
    ngx_uint_t  n;
    u_char      c;

    if (len != NGX_CIRA_GUID_TEXT) {
        return NGX_ERROR;
    }

    for (i = 0, n = 0; i < len; i++) {
        c = text[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') {
                return NGX_ERROR;
            }

            continue;
        }

        if (c >= '0' && c <= '9') {
            c -= '0';

        } else {
            c |= 0x20;

            if (c < 'a' || c > 'f') {
                return NGX_ERROR;
            }

            c -= 'a' - 10;
        }

        guid[n / 2] = (u_char) (n % 2 ? guid[n / 2] | c : c << 4);
        n++;
    }

    return NGX_OK;
}


/* Writes 36 lower-case characters, no zero byte; returns text + 36. */

static ngx_inline u_char *
ngx_cira_guid_text(u_char *text, const u_char *guid)
{
    ngx_uint_t          i;
    static const u_char  hex[] = "0123456789abcdef";

    for (i = 0; i < NGX_CIRA_GUID_LEN; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *text++ = '-';
        }

        *text++ = hex[guid[i] >> 4];
        *text++ = hex[guid[i] & 0xf];
    }

    return text;
}


#endif /* _NGX_CIRA_API_H_INCLUDED_ */
