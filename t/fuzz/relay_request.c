
/*
 * Queries of the relay, and SOL messages cut anywhere as a recording takes
 * them: what is written must be whole lines without raw control characters.
 */


#include "relay/ngx_amt_relay_record.h"
#include "relay/ngx_amt_relay_request.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static void
query(u_char *p, size_t len)
{
    ngx_str_t                args;
    ngx_int_t                rc;
    const char              *error;
    ngx_amt_relay_request_t  r;

    args.data = p;
    args.len = len;
    error = NULL;

    rc = ngx_amt_relay_request(&args, &r, &error);

    if ((rc == NGX_OK) == (error != NULL)
        || (rc == NGX_OK && (!r.known || r.host.len != 36 || r.port == 0)))
    {
        abort();
    }
}


static void
record(u_char *p, size_t len, size_t step)
{
    char                     name[] = "/tmp/recordXXXXXX";
    size_t                   n, i;
    u_char                   guid[16], text[65536], *copy;
    ssize_t                  got;
    ngx_int_t                rc;
    ngx_str_t                dir;
    static ngx_log_t         log;
    ngx_amt_relay_record_t  *rec;

    memset(guid, 1, 16);
    ngx_str_set(&dir, "/tmp");

    rec = ngx_amt_relay_record_open(&dir, guid, (uint64_t) getpid(), 32768,
                                    &log);
    if (rec == NULL) {
        abort();
    }

    unlink((char *) rec->name.data);

    /* to be read here */

    (void) ngx_close_file(rec->fd);
    rec->fd = mkstemp(name);
    rec->size = 0;

    if (rec->fd == -1) {
        abort();
    }

    unlink(name);

    rc = NGX_OK;

    while (len && rc == NGX_OK) {
        n = len < step ? len : step;
        copy = malloc(n);
        memcpy(copy, p, n);

        rc = ngx_amt_relay_record_write(rec, copy, n);

        free(copy);
        p += n;
        len -= n;
    }

    (void) ngx_amt_relay_record_flush(rec);

    got = pread(rec->fd, text, sizeof(text), 0);

    if (got < 0 || got > 32768 || got != rec->size
        || (got && (text[got - 1] != '\n' || text[0] != '[')))
    {
        abort();
    }

    for (i = 0; i < (size_t) got; i++) {
        if ((text[i] < 0x20 && text[i] != '\n') || text[i] == 0x7f) {
            abort();
        }
    }

    ngx_amt_relay_record_close(rec);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char  *copy;

    if (size < 2) {
        return 0;
    }

    ngx_time_init();

    copy = malloc(size - 1);
    memcpy(copy, data + 1, size - 1);

    query(copy, size - 1);
    record(copy, size - 1, data[0] ? data[0] : 1);

    free(copy);

    return 0;
}
