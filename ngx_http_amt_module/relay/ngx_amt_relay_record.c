
/*
 * SOL recordings; see ngx_amt_relay_record.h.  Messages: contract apf.md
 * section 21.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "relay/ngx_amt_relay_record.h"
#include "ws/ngx_amt_ws_text.h"
#include "ngx_cira_api.h"


#define NGX_AMT_RELAY_SOL_STARTED   0x11
#define NGX_AMT_RELAY_SOL_AUTH      0x14
#define NGX_AMT_RELAY_SOL_SETTINGS  0x21
#define NGX_AMT_RELAY_SOL_CONTROL   0x29
#define NGX_AMT_RELAY_SOL_DATA      0x2a
#define NGX_AMT_RELAY_SOL_ALIVE     0x2b

/* the longest text of one byte, and what ends a line */
#define NGX_AMT_RELAY_RECORD_CHAR   6
#define NGX_AMT_RELAY_RECORD_END    (NGX_AMT_RELAY_RECORD_CHAR                \
                                     + sizeof("\"]\n") - 1)
#define NGX_AMT_RELAY_RECORD_BEGIN  48


static ngx_int_t ngx_amt_relay_record_head(ngx_amt_relay_record_t *rec);
static ngx_int_t ngx_amt_relay_record_show(ngx_amt_relay_record_t *rec,
    u_char *p, size_t len);
static ngx_int_t ngx_amt_relay_record_room(ngx_amt_relay_record_t *rec);
static ngx_int_t ngx_amt_relay_record_char(ngx_amt_relay_record_t *rec,
    u_char ch);
static ngx_int_t ngx_amt_relay_record_put(ngx_amt_relay_record_t *rec,
    const u_char *p, size_t len);
static void ngx_amt_relay_record_end_line(ngx_amt_relay_record_t *rec);
static ngx_int_t ngx_amt_relay_record_fail(ngx_amt_relay_record_t *rec,
    ngx_err_t err, const char *error);


ngx_amt_relay_record_t *
ngx_amt_relay_record_open(ngx_str_t *dir, const u_char *guid, uint64_t id,
    off_t max, ngx_log_t *log)
{
    u_char                  *p, text[NGX_CIRA_GUID_TEXT];
    size_t                   len;
    ngx_tm_t                 tm;
    ngx_amt_relay_record_t  *rec;

    rec = ngx_calloc(sizeof(ngx_amt_relay_record_t), log);
    if (rec == NULL) {
        return NULL;
    }

    rec->log = log;
    rec->max = max;
    rec->start = ngx_current_msec;
    rec->last = rec->buf;

    (void) ngx_cira_guid_text(text, guid);
    ngx_gmtime(ngx_time(), &tm);

    len = dir->len + 1 + NGX_CIRA_GUID_TEXT + 1
          + sizeof("19700101T000000Z") - 1 + 1 + NGX_INT64_LEN
          + sizeof(".cast");

    rec->name.data = ngx_alloc(len, log);
    if (rec->name.data == NULL) {
        ngx_free(rec);
        return NULL;
    }

    p = ngx_snprintf(rec->name.data, len,
                     "%V/%*s-%04d%02d%02dT%02d%02d%02dZ-%uL.cast%Z", dir,
                     (size_t) NGX_CIRA_GUID_TEXT, text, tm.ngx_tm_year,
                     tm.ngx_tm_mon, tm.ngx_tm_mday, tm.ngx_tm_hour,
                     tm.ngx_tm_min, tm.ngx_tm_sec, id);

    rec->name.len = p - rec->name.data - 1;

    rec->fd = open((const char *) rec->name.data,
                   O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0600);

    if (rec->fd == NGX_INVALID_FILE) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      "recording \"%V\" cannot be created", &rec->name);
        ngx_free(rec->name.data);
        ngx_free(rec);

        return NULL;
    }

    /* the size of the terminal is not known; 80 x 25 is what BIOS has */

    rec->last = ngx_sprintf(rec->last,
                            "{\"version\":2,\"width\":80,\"height\":25,"
                            "\"timestamp\":%T,\"title\":\"%*s\"}\n",
                            ngx_time(), (size_t) NGX_CIRA_GUID_TEXT, text);

    if (ngx_amt_relay_record_flush(rec) != NGX_OK) {
        ngx_amt_relay_record_close(rec);
        return NULL;
    }

    return rec;
}


ngx_int_t
ngx_amt_relay_record_write(ngx_amt_relay_record_t *rec, u_char *p, size_t len)
{
    size_t     n;
    ngx_int_t  rc;

    if (rec->error) {
        return NGX_ERROR;
    }

    while (len) {

        if (rec->rest) {
            n = ngx_min(rec->rest, len);

            if (rec->show && ngx_amt_relay_record_show(rec, p, n) != NGX_OK) {
                return NGX_ERROR;
            }

            rec->rest -= n;
            p += n;
            len -= n;

            continue;
        }

        rec->head[rec->head_len++] = *p++;
        len--;

        rc = ngx_amt_relay_record_head(rec);

        if (rc != NGX_OK) {
            return NGX_ERROR;
        }
    }

    ngx_amt_relay_record_end_line(rec);

    return NGX_OK;
}


/* Sets rec->rest when the head is complete. */

static ngx_int_t
ngx_amt_relay_record_head(ngx_amt_relay_record_t *rec)
{
    switch (rec->head[0]) {

    /* replies of a login, when the browser itself has the password */

    case NGX_AMT_RELAY_SOL_STARTED:

        if (rec->head_len < 2 || (rec->head[1] == 0 && rec->head_len < 13)) {
            return NGX_OK;
        }

        rec->rest = rec->head[1] ? 2 : rec->head[12];
        break;

    case NGX_AMT_RELAY_SOL_AUTH:

        if (rec->head_len < 9) {
            return NGX_OK;
        }

        rec->rest = rec->head[5] | rec->head[6] << 8;

        if (rec->head[7] || rec->head[8]) {
            return ngx_amt_relay_record_fail(rec, 0, "device sent a login "
                                             "reply that is too long");
        }
        break;

    case NGX_AMT_RELAY_SOL_SETTINGS:
        rec->rest = 23 - 1;
        break;

    case NGX_AMT_RELAY_SOL_CONTROL:
        rec->rest = 10 - 1;
        break;

    case NGX_AMT_RELAY_SOL_ALIVE:
        rec->rest = 8 - 1;
        break;

    case NGX_AMT_RELAY_SOL_DATA:

        if (rec->head_len < 10) {
            return NGX_OK;
        }

        rec->rest = rec->head[8] | rec->head[9] << 8;
        rec->show = 1;
        rec->head_len = 0;

        return NGX_OK;

    default:
        return ngx_amt_relay_record_fail(rec, 0, "device sent an unknown SOL "
                                         "message");
    }

    rec->show = 0;
    rec->head_len = 0;

    return NGX_OK;
}


/* Text that is not UTF-8 is shown as U+FFFD, byte by byte. */

static ngx_int_t
ngx_amt_relay_record_show(ngx_amt_relay_record_t *rec, u_char *p, size_t len)
{
    u_char             *last;
    ngx_amt_ws_utf8_t   utf8;

    static const u_char  replacement[] = "\xef\xbf\xbd";

    for (last = p + len; p < last; /* void */ ) {

        if (ngx_amt_relay_record_room(rec) != NGX_OK) {
            return NGX_ERROR;
        }

        if (rec->cut_len == 0 && *p < 0x80) {

            if (ngx_amt_relay_record_char(rec, *p) != NGX_OK) {
                return NGX_ERROR;
            }

            p++;
            continue;
        }

        rec->cut[rec->cut_len] = *p;

        ngx_memzero(&utf8, sizeof(ngx_amt_ws_utf8_t));

        if (ngx_amt_ws_utf8(&utf8, rec->cut, rec->cut + rec->cut_len + 1)
            == rec->cut + rec->cut_len + 1)
        {
            rec->cut_len++;
            p++;

            if (utf8.need == 0) {
                (void) ngx_amt_relay_record_put(rec, rec->cut, rec->cut_len);
                rec->cut_len = 0;
            }

            continue;
        }

        /* the byte begins anew, unless it was the first one */

        (void) ngx_amt_relay_record_put(rec, replacement, 3);

        if (rec->cut_len == 0) {
            p++;
        }

        rec->cut_len = 0;
    }

    return NGX_OK;
}


/* Room for one more character and the line's end; begins a line. */

static ngx_int_t
ngx_amt_relay_record_room(ngx_amt_relay_record_t *rec)
{
    size_t      need;
    ngx_msec_t  t;

    need = NGX_AMT_RELAY_RECORD_END
           + (rec->line ? 0 : NGX_AMT_RELAY_RECORD_BEGIN);

    if ((size_t) (rec->buf + sizeof(rec->buf) - rec->last) < need) {

        ngx_amt_relay_record_end_line(rec);

        if (ngx_amt_relay_record_flush(rec) != NGX_OK) {
            return NGX_ERROR;
        }
    }

    if (!rec->line) {
        t = ngx_current_msec - rec->start;

        rec->last = ngx_sprintf(rec->last, "[%M.%03M,\"o\",\"", t / 1000,
                                t % 1000);
        rec->line = 1;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_relay_record_char(ngx_amt_relay_record_t *rec, u_char ch)
{
    if (ch >= 0x20 && ch != '"' && ch != '\\' && ch != 0x7f) {
        *rec->last++ = ch;
        return NGX_OK;
    }

    rec->last = ngx_sprintf(rec->last, "\\u%04xd", ch);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_relay_record_put(ngx_amt_relay_record_t *rec, const u_char *p,
    size_t len)
{
    rec->last = ngx_cpymem(rec->last, p, len);

    return NGX_OK;
}


static void
ngx_amt_relay_record_end_line(ngx_amt_relay_record_t *rec)
{
    if (rec->line) {
        rec->last = ngx_cpymem(rec->last, "\"]\n", 3);
        rec->line = 0;
    }
}


ngx_int_t
ngx_amt_relay_record_flush(ngx_amt_relay_record_t *rec)
{
    size_t     size;
    ssize_t    n;
    ngx_err_t  err;

    if (rec->error) {
        return NGX_ERROR;
    }

    size = rec->last - rec->buf;

    if (size == 0) {
        return NGX_OK;
    }

    if (rec->size + (off_t) size > rec->max) {
        return ngx_amt_relay_record_fail(rec, 0, "recording has reached its "
                                         "limit");
    }

    do {
        n = write(rec->fd, rec->buf, size);
        err = (n == -1) ? ngx_errno : 0;
    } while (err == NGX_EINTR);

    if (n != (ssize_t) size) {

        /* the lines that are complete stay readable */

        if (n > 0 && ftruncate(rec->fd, rec->size) == -1) {
            ngx_log_error(NGX_LOG_ERR, rec->log, ngx_errno,
                          "ftruncate() \"%V\" failed", &rec->name);
        }

        return ngx_amt_relay_record_fail(rec, err ? err : NGX_ENOSPC,
                                         "recording cannot be written");
    }

    rec->size += size;
    rec->last = rec->buf;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_relay_record_fail(ngx_amt_relay_record_t *rec, ngx_err_t err,
    const char *error)
{
    rec->error = error;

    ngx_log_error(NGX_LOG_ERR, rec->log, err, "%s: \"%V\"", error,
                  &rec->name);

    return NGX_ERROR;
}


void
ngx_amt_relay_record_close(ngx_amt_relay_record_t *rec)
{
    if (rec == NULL) {
        return;
    }

    (void) ngx_amt_relay_record_flush(rec);

    if (ngx_close_file(rec->fd) == NGX_FILE_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, rec->log, ngx_errno,
                      ngx_close_file_n " \"%V\" failed", &rec->name);
    }

    ngx_explicit_memzero(rec->buf, sizeof(rec->buf));
    ngx_free(rec->name.data);
    ngx_free(rec);
}
