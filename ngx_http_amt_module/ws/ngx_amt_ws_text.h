
/*
 * Text of WebSocket messages: a resumable UTF-8 check, and bytes as
 * characters U+0000 to U+00FF, as the redirection relay has them (contract
 * mps.md section 4.3).  No I/O.
 */


#ifndef _NGX_AMT_WS_TEXT_H_INCLUDED_
#define _NGX_AMT_WS_TEXT_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


typedef struct {
    u_char                need;          /* nonzero: within a character */
} ngx_amt_ws_utf8_t;


/*
 * Checks p .. last, going on where the last call ended (zeroed at first).
 * Returns the first byte that cannot be part of valid UTF-8 (RFC 3629: no
 * surrogates, no overlong forms, up to U+10FFFF), or last.
 */
u_char *ngx_amt_ws_utf8(ngx_amt_ws_utf8_t *u, u_char *p, u_char *last);


/* Characters to bytes: what a cut character left for the next call. */

typedef struct {
    uint32_t              code;
    u_char                need;
} ngx_amt_ws_narrow_t;


/*
 * Valid UTF-8 to one byte per UTF-16 unit, its low eight bits, in place;
 * going on where the last call ended (zeroed at first).  A character above
 * U+FFFF makes two bytes.  Returns the new end, never behind last.
 */
u_char *ngx_amt_ws_narrow(ngx_amt_ws_narrow_t *n, u_char *p, u_char *last);

/*
 * Bytes to characters: each byte of src as U+0000 to U+00FF in UTF-8.  dst
 * has room for twice len and does not overlap with src, or is such that src
 * is its second half.  Returns the end of dst.
 */
u_char *ngx_amt_ws_widen(u_char *dst, u_char *src, size_t len);


#endif /* _NGX_AMT_WS_TEXT_H_INCLUDED_ */
