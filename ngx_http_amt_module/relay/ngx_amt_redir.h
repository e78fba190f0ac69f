
/*
 * The login of AMT's redirection protocol (KVM, SOL, IDER), no I/O: bytes of
 * the viewer and of the device go through, until the device is logged in to.
 * What the viewer sends as credentials is replaced by the gateway's, so that
 * no AMT password is needed in a browser.  Contract mps.md section 4.4,
 * apf.md sections 19 and 20.
 *
 * Strict: one start, its reply, then one authentication message at a time and
 * its reply.  Any other message, order or length ends the session.
 */


#ifndef _NGX_AMT_REDIR_H_INCLUDED_
#define _NGX_AMT_REDIR_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "wsman/ngx_amt_digest.h"


#define NGX_AMT_REDIR_DATA      4096     /* of an authentication message */
#define NGX_AMT_REDIR_MESSAGE   (9 + NGX_AMT_REDIR_DATA)
#define NGX_AMT_REDIR_STRING    255      /* each has one byte of length */
#define NGX_AMT_REDIR_FAILURES  2        /* refused digests */
#define NGX_AMT_REDIR_RANDOM    5        /* bytes of the cnonce */


typedef enum {
    NGX_AMT_REDIR_NONE = 0,
    NGX_AMT_REDIR_KVM,
    NGX_AMT_REDIR_SOL,
    NGX_AMT_REDIR_IDER
} ngx_amt_redir_kind_e;

#define NGX_AMT_REDIR_KINDS     4

#define NGX_AMT_REDIR_BUSY      2        /* status of a refusal */


typedef enum {
    NGX_AMT_REDIR_ERR_NONE = 0,
    NGX_AMT_REDIR_ERR_VIEWER,            /* broke the protocol */
    NGX_AMT_REDIR_ERR_DEVICE,            /* broke the protocol */
    NGX_AMT_REDIR_ERR_REFUSED,           /* device refused the session; what
                                            it said was given out before */
    NGX_AMT_REDIR_ERR_PASSWORD           /* device refused the password; as
                                            above */
} ngx_amt_redir_err_e;


/* One message that is collected, or given out until the next call. */

typedef struct {
    size_t                len;
    u_char                data[NGX_AMT_REDIR_MESSAGE];
} ngx_amt_redir_buf_t;


typedef struct {
    ngx_amt_redir_buf_t   viewer;
    ngx_amt_redir_buf_t   device;

    ngx_str_t             user;          /* in secret; empty: no login */
    ngx_str_t             password;
    u_char                secret[2 * NGX_AMT_REDIR_STRING];
    u_char                cnonce[2 * NGX_AMT_REDIR_RANDOM];
    uint32_t              nc;

    /* the last challenge; realm and nonce may be empty, but then known */
    u_char                realm[NGX_AMT_REDIR_STRING];
    u_char                nonce[NGX_AMT_REDIR_STRING];
    u_char                qop[NGX_AMT_REDIR_STRING];
    u_char                realm_len;
    u_char                nonce_len;
    u_char                qop_len;

    ngx_uint_t            state;
    ngx_uint_t            type;          /* of the login that is asked */
    ngx_uint_t            failures;

    /* for the caller */
    ngx_amt_redir_kind_e  kind;          /* set before the start is given
                                            out */
    ngx_amt_redir_err_e   err;
    const char           *reason;        /* static */
    ngx_uint_t            status;        /* of the device's refusal */

    unsigned              strict:1;      /* set by the caller, without
                                            credentials: the viewer's own
                                            login is followed */
    unsigned              challenged:1;  /* there is a challenge */
    unsigned              digest:1;      /* the last message was a digest */
    unsigned              done:1;        /* logged in: both directions are
                                            transparent */
    unsigned              refused:1;     /* ends when the reply is out */
} ngx_amt_redir_t;


/*
 * user and password are copied and wiped by ngx_amt_redir_wipe(); a user of
 * length 0 means there are no credentials: then only the kind of session is
 * read from the start and all bytes pass; or, with s->strict, messages pass
 * as they are, but in their order only, so that no session of another kind
 * can follow one that was refused.  random: for the cnonce.  NGX_OK;
 * NGX_DECLINED: one of them is longer than 255 bytes.
 */
ngx_int_t ngx_amt_redir_init(ngx_amt_redir_t *s, ngx_str_t *user,
    ngx_str_t *password, u_char random[NGX_AMT_REDIR_RANDOM]);

/*
 * Bytes of the viewer: moves *pos.  NGX_OK: *out goes to the device and is
 * valid until the next call of the same direction, which is to be made at
 * once, also without new bytes; NGX_AGAIN: all were taken; NGX_DONE: logged
 * in, those from *pos on go to the device as they are, and so do all later
 * ones; NGX_ERROR: s->err and s->reason say why, the session ends.
 */
ngx_int_t ngx_amt_redir_viewer(ngx_amt_redir_t *s, u_char **pos,
    u_char *last, ngx_str_t *out);

/* The same for bytes of the device, which go to the viewer. */
ngx_int_t ngx_amt_redir_device(ngx_amt_redir_t *s, u_char **pos,
    u_char *last, ngx_str_t *out);

/* Forgets credentials and what was collected. */
void ngx_amt_redir_wipe(ngx_amt_redir_t *s);


#endif /* _NGX_AMT_REDIR_H_INCLUDED_ */
