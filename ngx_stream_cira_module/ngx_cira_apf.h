
/*
 * APF codec without I/O: contract apf.md sections 1-4.
 *
 * The decoder takes the TLS byte stream in pieces of any size.  It keeps
 * numbers in itself and the few strings of a message in a text buffer, which
 * exists only while a message with strings is read and used.  The payload of
 * CHANNEL_DATA and of UDP datagrams is never copied.
 */


#ifndef _NGX_CIRA_APF_H_INCLUDED_
#define _NGX_CIRA_APF_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_CIRA_APF_DISCONNECT              1
#define NGX_CIRA_APF_SERVICE_REQUEST         5
#define NGX_CIRA_APF_SERVICE_ACCEPT          6
#define NGX_CIRA_APF_USERAUTH_REQUEST        50
#define NGX_CIRA_APF_USERAUTH_FAILURE        51
#define NGX_CIRA_APF_USERAUTH_SUCCESS        52
#define NGX_CIRA_APF_GLOBAL_REQUEST          80
#define NGX_CIRA_APF_REQUEST_SUCCESS         81
#define NGX_CIRA_APF_REQUEST_FAILURE         82
#define NGX_CIRA_APF_CHANNEL_OPEN            90
#define NGX_CIRA_APF_CHANNEL_CONFIRMATION    91
#define NGX_CIRA_APF_CHANNEL_FAILURE         92
#define NGX_CIRA_APF_CHANNEL_WINDOW_ADJUST   93
#define NGX_CIRA_APF_CHANNEL_DATA            94
#define NGX_CIRA_APF_CHANNEL_CLOSE           97
#define NGX_CIRA_APF_PROTOCOLVERSION         192
#define NGX_CIRA_APF_KEEPALIVE_REQUEST       208
#define NGX_CIRA_APF_KEEPALIVE_REPLY         209
#define NGX_CIRA_APF_OPTIONS_REQUEST         210
#define NGX_CIRA_APF_OPTIONS_REPLY           211


/* limits, apf.md section 2; bytes */

#define NGX_CIRA_APF_SERVICE_MAX    64
#define NGX_CIRA_APF_USER_MAX       64
#define NGX_CIRA_APF_METHOD_MAX     32
#define NGX_CIRA_APF_PASSWORD_MAX   64
#define NGX_CIRA_APF_REQUEST_MAX    64
#define NGX_CIRA_APF_ADDRESS_MAX    255
#define NGX_CIRA_APF_TYPE_MAX       32
#define NGX_CIRA_APF_UDP_MAX        1500
#define NGX_CIRA_APF_DATA_MAX       1048576

/* the longest set of strings: a request name and two addresses */
#define NGX_CIRA_APF_TEXT_SIZE                                               \
    (NGX_CIRA_APF_REQUEST_MAX + 2 * NGX_CIRA_APF_ADDRESS_MAX)

#define NGX_CIRA_APF_UUID_LEN       16

/* room an encoder may need: CHANNEL_OPEN is the longest */
#define NGX_CIRA_APF_MESSAGE_MAX    64

#define NGX_CIRA_APF_DATA_HEAD      9


typedef struct {
    u_char                         uuid[NGX_CIRA_APF_UUID_LEN];
    ngx_str_t                      name;    /* service, request, type */
    ngx_str_t                      user;
    ngx_str_t                      method;
    ngx_str_t                      password;
    ngx_str_t                      addr;    /* target, connected address */
    ngx_str_t                      origin;
    size_t                         used;
    u_char                         data[NGX_CIRA_APF_TEXT_SIZE];
} ngx_cira_apf_text_t;


typedef enum {
    NGX_CIRA_APF_REQUEST_UNKNOWN = 0,
    NGX_CIRA_APF_REQUEST_FORWARD,
    NGX_CIRA_APF_REQUEST_CANCEL,
    NGX_CIRA_APF_REQUEST_UDP
} ngx_cira_apf_request_e;


/* The message read last; which members are set depends on its type. */

typedef struct {
    u_char                         type;
    u_char                         want_reply;
    u_char                         request;      /* ngx_cira_apf_request_e */

    unsigned                       password:1;   /* USERAUTH by password */
    unsigned                       first:1;      /* first part of DATA */
    unsigned                       last:1;       /* last part of DATA */

    uint32_t                       channel;      /* recipient */
    uint32_t                       sender;
    uint32_t                       window;       /* also bytes to add */
    uint32_t                       reason;
    uint32_t                       cookie;
    uint32_t                       interval;     /* seconds */
    uint32_t                       timeout;      /* seconds */
    uint32_t                       port;
    uint32_t                       origin_port;
    uint32_t                       length;       /* of DATA or a datagram */
    uint32_t                       major;
    uint32_t                       minor;
    uint32_t                       trigger;

    ngx_cira_apf_text_t           *text;

    /* a part of CHANNEL_DATA, inside of the caller's buffer */
    u_char                        *data;
    size_t                         size;
} ngx_cira_apf_msg_t;


typedef struct ngx_cira_apf_field_s  ngx_cira_apf_field_t;

typedef struct {
    ngx_cira_apf_msg_t             msg;
    const ngx_cira_apf_field_t    *field;        /* NULL between messages */
    uint32_t                       value;        /* number being read */
    uint32_t                       left;         /* bytes of a string */
    u_char                         got;          /* bytes of that number */
    u_char                         sized;        /* left is valid */

    /* after NGX_ERROR */
    u_char                         credentials;  /* in a login's strings */
    char                          *error;

    ngx_log_t                     *log;
} ngx_cira_apf_t;


/* Zeroes the decoder; log is used for failed allocations only. */
void ngx_cira_apf_init(ngx_cira_apf_t *d, ngx_log_t *log);

/*
 * Reads from *pos up to last and moves *pos behind what was read.
 * NGX_OK: d->msg is a whole message, or a part of a CHANNEL_DATA, valid until
 * the next call; NGX_AGAIN: all bytes were taken; NGX_ERROR: malformed, see
 * d->error, the stream cannot be read further.
 */
ngx_int_t ngx_cira_apf_read(ngx_cira_apf_t *d, u_char **pos, u_char *last);

/* TRUE when the next byte starts a message. */
#define ngx_cira_apf_between(d)  ((d)->field == NULL)

/* TRUE for codes a device may send, in any state. */
ngx_uint_t ngx_cira_apf_known(ngx_uint_t type);

/*
 * Wipes and frees the strings of the last message.  Between messages only,
 * or to end: the decoder must not be fed after it in the middle of a message.
 */
void ngx_cira_apf_release(ngx_cira_apf_t *d);

/* 16 bytes of the UUID field to GUID bytes in text order, apf.md section 4 */
void ngx_cira_apf_guid(u_char *guid, const u_char *uuid);


/*
 * Encoders: write one message at p, at most NGX_CIRA_APF_MESSAGE_MAX bytes
 * unless a string is given, and return its end.
 */
u_char *ngx_cira_apf_disconnect(u_char *p, uint32_t reason);
u_char *ngx_cira_apf_service_accept(u_char *p, ngx_str_t *name);
u_char *ngx_cira_apf_userauth_failure(u_char *p);
u_char *ngx_cira_apf_userauth_success(u_char *p);
u_char *ngx_cira_apf_request_success(u_char *p);
u_char *ngx_cira_apf_forward_success(u_char *p, uint32_t port);
u_char *ngx_cira_apf_request_failure(u_char *p);
u_char *ngx_cira_apf_channel_open(u_char *p, uint32_t sender,
    uint32_t window, uint32_t port);
u_char *ngx_cira_apf_channel_failure(u_char *p, uint32_t channel,
    uint32_t reason);
u_char *ngx_cira_apf_window_adjust(u_char *p, uint32_t channel,
    uint32_t bytes);
u_char *ngx_cira_apf_data_head(u_char *p, uint32_t channel, uint32_t size);
u_char *ngx_cira_apf_channel_close(u_char *p, uint32_t channel);
u_char *ngx_cira_apf_keepalive_request(u_char *p, uint32_t cookie);
u_char *ngx_cira_apf_keepalive_reply(u_char *p, uint32_t cookie);
u_char *ngx_cira_apf_options_request(u_char *p, uint32_t interval,
    uint32_t timeout);


#endif /* _NGX_CIRA_APF_H_INCLUDED_ */
