
/*
 * What is spoken on CONNECT listeners, without I/O: request heads, answer
 * heads, the chunked direction of CIRA-Release and the lines of LIST.  All
 * parsers take bytes as they come, any number at a time.
 *
 *   CONNECT <guid>:<port> HTTP/1.1          any cira_connect listener
 *   LIST * HTTP/1.1, LIST <guid> HTTP/1.1   private listeners only: sessions
 *   LOCATE <guid> HTTP/1.1                  of that worker, from the GUID on
 *   EVICT <guid>:<generation> HTTP/1.1      ends exactly this session
 *   ASK <guid>:<question> HTTP/1.1          what other modules ask each other
 */


#ifndef _NGX_CIRA_REQUEST_H_INCLUDED_
#define _NGX_CIRA_REQUEST_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_api.h"
#include "ngx_stream_cira.h"


#define NGX_CIRA_HEAD_MAX      1024      /* bytes of a head, all included */
#define NGX_CIRA_HEAD_TIMEOUT  5000      /* ms */
#define NGX_CIRA_AUTH_MAX      512
#define NGX_CIRA_ENTRY_MAX     512       /* bytes of a LIST line, LF incl. */


/* One line after the other, CRLF only; shared by the three parsers. */

typedef struct {
    size_t       len;
    size_t       total;
    unsigned     cr:1;
    u_char       data[NGX_CIRA_HEAD_MAX];
} ngx_cira_line_t;


typedef enum {
    NGX_CIRA_CONNECT = 1,
    NGX_CIRA_LIST,
    NGX_CIRA_LOCATE,
    NGX_CIRA_EVICT,
    NGX_CIRA_ASK
} ngx_cira_method_e;


typedef struct {
    ngx_cira_line_t      line;

    ngx_cira_method_e    method;
    ngx_uint_t           status;         /* after NGX_ERROR: 400, 403, 405 */
    char                *error;          /* what is wrong, static */

    u_char               guid[NGX_CIRA_GUID_LEN];
    ngx_uint_t           port;           /* CONNECT */
    uint64_t             generation;     /* EVICT */
    uint64_t             question;       /* ASK */
    uint64_t             holder;         /* 0: not given */
    ngx_uint_t           reason;         /* EVICT; 0: not given */

    size_t               tenant_len;
    size_t               auth_len;       /* of "Basic " credentials */
    u_char               tenant[NGX_CIRA_TENANT_LEN];
    u_char               auth[NGX_CIRA_AUTH_MAX];

    unsigned             first:1;        /* request line was seen */
    unsigned             cursor:1;       /* LIST <guid> */
    unsigned             release:1;
    unsigned             slot:1;
    unsigned             fresh:1;
    unsigned             has_tenant:1;
    unsigned             seen:8;         /* known headers that were given */
} ngx_cira_request_t;


/*
 * Takes bytes from *pos.  NGX_OK: the head is complete, *pos is behind it;
 * NGX_AGAIN: more is needed; NGX_ERROR: status and error say why.  The
 * structure starts zeroed.
 */
ngx_int_t ngx_cira_request_parse(ngx_cira_request_t *r, u_char **pos,
    u_char *last);

/* Writes r as a CONNECT request head, for the owner; NULL: no room. */
u_char *ngx_cira_request_write(u_char *p, u_char *last,
    ngx_cira_request_t *r);


typedef struct {
    ngx_cira_line_t      line;
    ngx_uint_t           status;
    size_t               length;         /* Content-Length, else 0 */
    u_char               next[NGX_CIRA_GUID_LEN];
    unsigned             first:1;
    unsigned             has_length:1;
    unsigned             has_next:1;     /* LIST: there is another page */
} ngx_cira_response_t;


/* As ngx_cira_request_parse(); NGX_ERROR: not an answer of ours. */
ngx_int_t ngx_cira_response_parse(ngx_cira_response_t *r, u_char **pos,
    u_char *last);

/* Head of a tunnel that is open; NULL: no room. */
u_char *ngx_cira_response_open(u_char *p, u_char *last, ngx_uint_t reused,
    ngx_uint_t kept, ngx_str_t *state);

/*
 * A refusal with text as its one-line body; 407 carries a challenge.  apf:
 * reason of the device's OPEN_FAILURE, or 0.  NULL: no room.
 */
u_char *ngx_cira_response_error(u_char *p, u_char *last, ngx_uint_t status,
    ngx_uint_t apf, char *text);


/* Dialer-to-owner bytes after CIRA-Release: chunked. */

typedef struct {
    ngx_cira_line_t      line;
    ngx_uint_t           state;
    uint64_t             size;           /* left of the current chunk */
    size_t               state_len;      /* CIRA-State of the trailer */
    u_char               state_data[NGX_CIRA_STATE_MAX];
    unsigned             has_state:1;
    unsigned             close:1;        /* CIRA-Close: not to be pooled */
} ngx_cira_chunked_t;


/*
 * NGX_OK: *data is payload, never empty, and *pos behind it; NGX_AGAIN: more
 * bytes are needed; NGX_DONE: last chunk and trailer are complete; NGX_ERROR.
 */
ngx_int_t ngx_cira_chunked_parse(ngx_cira_chunked_t *ch, u_char **pos,
    u_char *last, ngx_str_t *data);


/* A line of LIST, ends with LF; NULL: no room. */
u_char *ngx_cira_entry_write(u_char *p, u_char *last, ngx_cira_info_t *info);

/* Without LF; fills all but worker and socket.  NGX_OK or NGX_ERROR. */
ngx_int_t ngx_cira_entry_parse(u_char *p, size_t len, ngx_cira_info_t *info);


#endif /* _NGX_CIRA_REQUEST_H_INCLUDED_ */
