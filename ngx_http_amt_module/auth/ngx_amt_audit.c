
/*
 * amt_audit_log: one JSON object per line, one write() per line, before the
 * effect.
 */


#include "auth/ngx_http_amt_auth_module.h"
#include "auth/ngx_amt_audit.h"
#include <jansson.h>


static ngx_uint_t ngx_amt_audit_torn(ngx_open_file_t *file);
static json_t *ngx_amt_audit_text(ngx_str_t *text);
static json_t *ngx_amt_audit_time(int64_t time);


ngx_int_t
ngx_amt_audit(ngx_http_request_t *r, ngx_amt_identity_t *id,
    const char *action, ngx_str_t *guid, ngx_str_t *detail)
{
    ssize_t                        n;
    ngx_int_t                      rc;
    ngx_str_t                      line;
    ngx_pool_t                    *pool;
    ngx_time_t                    *tp;
    ngx_open_file_t               *file;
    ngx_amt_audit_record_t         rec;
    ngx_http_amt_auth_main_conf_t *amcf;

    amcf = ngx_http_get_module_main_conf(r, ngx_http_amt_auth_module);
    file = amcf->audit;

    if (file == NULL) {
        return NGX_OK;
    }

    tp = ngx_timeofday();

    ngx_memzero(&rec, sizeof(ngx_amt_audit_record_t));

    rec.time = (int64_t) tp->sec * 1000 + tp->msec;
    rec.addr = r->connection->addr_text;
    rec.action.data = (u_char *) action;
    rec.action.len = ngx_strlen(action);

    if (id) {
        rec.who = id->name;
        rec.tenant = id->tenant;
    }

    if (guid) {
        rec.guid = *guid;
    }

    if (detail) {
        rec.detail = *detail;
    }

    rc = NGX_ERROR;

    /* a request may have thousands of lines */

    pool = ngx_create_pool(1024, r->connection->log);

    if (pool) {
        rc = ngx_amt_audit_line(pool, &rec, &line);
    }

    if (rc != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                      "audit line of \"%s\" %s", action,
                      rc == NGX_DECLINED ? "is too long" : "cannot be made");
        goto done;
    }

    rc = NGX_ERROR;

    if (ngx_amt_audit_torn(file)) {
        /* begin on a line of its own; ngx_amt_audit_line() leaves room */
        line.data--;
        line.len++;
        line.data[0] = LF;
    }

    do {
        n = ngx_write_fd(file->fd, line.data, line.len);
    } while (n == -1 && ngx_errno == NGX_EINTR);

    if (n == (ssize_t) line.len) {
        rc = NGX_OK;
        goto done;
    }

    ngx_log_error(NGX_LOG_CRIT, r->connection->log, n == -1 ? ngx_errno : 0,
                  "audit log \"%V\": write() of %uz bytes gave %z, call is "
                  "refused", &file->name, line.len, n);

done:

    if (pool) {
        ngx_destroy_pool(pool);
    }

    return rc;
}


/*
 * Was the file's last line cut by a full disk?  Another worker may have
 * written it, or one that is gone: the file itself is asked.
 */

static ngx_uint_t
ngx_amt_audit_torn(ngx_open_file_t *file)
{
    u_char           last;
    struct stat      sb, own;

    static ngx_fd_t  fd = NGX_INVALID_FILE;
    static dev_t     dev;
    static ino_t     ino;

    if (fstat(file->fd, &sb) == -1 || !S_ISREG(sb.st_mode) || sb.st_size == 0)
    {
        return 0;
    }

    if (fd == NGX_INVALID_FILE || dev != sb.st_dev || ino != sb.st_ino) {

        /* nginx's own is for writing only; a moved file has another name */

        if (fd != NGX_INVALID_FILE) {
            (void) close(fd);
        }

        fd = open((char *) file->name.data, O_RDONLY|O_CLOEXEC|O_NONBLOCK);

        if (fd == NGX_INVALID_FILE) {
            return 0;
        }

        if (fstat(fd, &own) == -1 || own.st_dev != sb.st_dev
            || own.st_ino != sb.st_ino)
        {
            (void) close(fd);
            fd = NGX_INVALID_FILE;
            return 0;
        }

        dev = sb.st_dev;
        ino = sb.st_ino;
    }

    return pread(fd, &last, 1, sb.st_size - 1) == 1 && last != LF;
}


ngx_int_t
ngx_amt_audit_line(ngx_pool_t *pool, ngx_amt_audit_record_t *rec,
    ngx_str_t *line)
{
    char       *text;
    json_t     *object, *detail;
    u_char     *p;
    ngx_int_t   rc;

    rc = NGX_ERROR;
    text = NULL;

    object = json_object();

    if (json_object_set_new(object, "time", ngx_amt_audit_time(rec->time))
        || json_object_set_new(object, "who", ngx_amt_audit_text(&rec->who))
        || json_object_set_new(object, "tenant",
                               ngx_amt_audit_text(&rec->tenant))
        || json_object_set_new(object, "addr",
                               ngx_amt_audit_text(&rec->addr))
        || json_object_set_new(object, "action",
                               ngx_amt_audit_text(&rec->action)))
    {
        goto done;
    }

    if (rec->guid.len
        && json_object_set_new(object, "guid",
                               ngx_amt_audit_text(&rec->guid)))
    {
        goto done;
    }

    if (rec->detail.len) {
        detail = json_loadb((char *) rec->detail.data, rec->detail.len,
                            JSON_DECODE_ANY|JSON_REJECT_DUPLICATES, NULL);

        if (detail == NULL) {
            detail = ngx_amt_audit_text(&rec->detail);
        }

        if (json_object_set_new(object, "detail", detail)) {
            goto done;
        }
    }

    text = json_dumps(object, JSON_COMPACT|JSON_PRESERVE_ORDER);
    if (text == NULL) {
        goto done;
    }

    line->len = ngx_strlen(text) + 1;

    if (line->len > NGX_AMT_AUDIT_MAX) {
        rc = NGX_DECLINED;
        goto done;
    }

    /* a spare byte in front, see ngx_amt_audit() */

    p = ngx_pnalloc(pool, line->len + 1);
    if (p == NULL) {
        goto done;
    }

    line->data = p + 1;
    p = ngx_cpymem(line->data, text, line->len - 1);
    *p = LF;

    rc = NGX_OK;

done:

    free(text);
    json_decref(object);

    return rc;
}


static json_t *
ngx_amt_audit_text(ngx_str_t *text)
{
    size_t   i;
    char    *copy;
    json_t  *value;

    if (text->len == 0) {
        return json_string("");
    }

    value = json_stringn((char *) text->data, text->len);

    if (value) {
        return value;
    }

    /* not UTF-8: came from a client, must not lose the line */

    copy = malloc(text->len);
    if (copy == NULL) {
        return NULL;
    }

    for (i = 0; i < text->len; i++) {
        copy[i] = text->data[i] < 0x80 ? (char) text->data[i] : '?';
    }

    value = json_stringn(copy, text->len);

    free(copy);

    return value;
}


static json_t *
ngx_amt_audit_time(int64_t time)
{
    u_char     *p;
    u_char      buf[sizeof("1970-01-01T00:00:00.000Z")];
    ngx_tm_t    tm;

    ngx_gmtime((time_t) (time / 1000), &tm);

    p = ngx_snprintf(buf, sizeof(buf), "%4d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                     tm.ngx_tm_year, tm.ngx_tm_mon, tm.ngx_tm_mday,
                     tm.ngx_tm_hour, tm.ngx_tm_min, tm.ngx_tm_sec,
                     (int) (time % 1000));

    return json_stringn((char *) buf, p - buf);
}
