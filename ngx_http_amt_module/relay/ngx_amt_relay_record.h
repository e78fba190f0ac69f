
/*
 * Recordings of SOL sessions as asciicast v2: what the terminal showed, with
 * timing; not what was typed, which may be passwords.  One file per session,
 * readable by its owner only.
 */


#ifndef _NGX_AMT_RELAY_RECORD_H_INCLUDED_
#define _NGX_AMT_RELAY_RECORD_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_AMT_RELAY_RECORD_BUFFER  8192


typedef struct {
    ngx_fd_t       fd;
    ngx_str_t      name;                 /* of the file, zero terminated */
    ngx_log_t     *log;
    ngx_msec_t     start;
    off_t          size;                 /* of the file: whole lines */
    off_t          max;
    const char    *error;                /* why it cannot go on, static */

    /* reader of the device's SOL messages */
    u_char         head[13];
    size_t         head_len;
    size_t         rest;                 /* of the message, to be skipped
                                            or shown */
    unsigned       show:1;
    unsigned       line:1;               /* a line was begun in buf */

    u_char         cut[4];               /* of a UTF-8 character */
    size_t         cut_len;

    u_char        *last;                 /* in buf */
    u_char         buf[NGX_AMT_RELAY_RECORD_BUFFER];
} ngx_amt_relay_record_t;


/*
 * Creates DIR/<guid>-<UTC time>-<id>.cast; max: bytes it may grow to.  NULL:
 * cannot, logged.
 */
ngx_amt_relay_record_t *ngx_amt_relay_record_open(ngx_str_t *dir,
    const u_char *guid, uint64_t id, off_t max, ngx_log_t *log);

/*
 * Bytes of the device after the login.  NGX_OK; NGX_ERROR: rec->error says
 * why nothing more can be recorded, also logged; the file ends with a whole
 * line.
 */
ngx_int_t ngx_amt_relay_record_write(ngx_amt_relay_record_t *rec, u_char *p,
    size_t len);

/* Writes out what is buffered, to be called now and then.  As above. */
ngx_int_t ngx_amt_relay_record_flush(ngx_amt_relay_record_t *rec);

/* NULL is fine. */
void ngx_amt_relay_record_close(ngx_amt_relay_record_t *rec);


#endif /* _NGX_AMT_RELAY_RECORD_H_INCLUDED_ */
