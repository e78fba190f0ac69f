
/* Counters, and what happens as JSON lines on standard output. */


#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/stat.h>
#include "sim.h"


#define PENDING_MAX  (4 * 1024 * 1024)


stats_t  st;

static buf_t     pending;
static tmr_t     flush_timer;
static int       is_pipe = -1;
static unsigned  lost;


static void events_later(tmr_t *t);


/*
 * A reader that does not read must not stop the devices: what a pipe does
 * not take now is written later, and dropped when it becomes too much.
 */

static void
events_flush(void)
{
    size_t         n;
    ssize_t        rc;
    struct stat    sb;
    struct pollfd  pfd;

    if (is_pipe == -1) {
        is_pipe = fstat(STDOUT_FILENO, &sb) == 0
                  && (S_ISFIFO(sb.st_mode) || S_ISSOCK(sb.st_mode));
    }

    while (buf_left(&pending)) {

        n = buf_left(&pending);

        if (is_pipe) {
            pfd.fd = STDOUT_FILENO;
            pfd.events = POLLOUT;

            if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT)) {

                if (flush_timer.heap == 0) {
                    tmr_set(&flush_timer, 20, events_later, NULL);
                }

                return;
            }

            if (n > 4096) {
                n = 4096;
            }
        }

        rc = write(STDOUT_FILENO, buf_head(&pending), n);

        if (rc <= 0) {
            buf_free(&pending);
            return;
        }

        buf_eat(&pending, rc);
    }
}


static void
events_later(tmr_t *t)
{
    (void) t;
    events_flush();
}


/* at the end: a reader has one second for each piece */

void
events_end(void)
{
    struct pollfd  pfd;

    for ( ;; ) {
        events_flush();

        if (buf_left(&pending) == 0) {
            return;
        }

        pfd.fd = STDOUT_FILENO;
        pfd.events = POLLOUT;

        if (poll(&pfd, 1, 1000) != 1 || !(pfd.revents & POLLOUT)) {
            return;
        }
    }
}


/* a text for the "%s" of an event: a JSON string; good for four calls */

const char *
js(const char *s)
{
    static buf_t     ring[4];
    static unsigned  n;
    buf_t           *b;

    b = &ring[n++ % 4];
    buf_free(b);
    buf_json(b, s);

    return buf_cstr(b);
}


/* fmt: members of the JSON object, without braces */

void
event(device_t *d, const char *name, const char *fmt, ...)
{
    buf_t            b;
    va_list          args;
    struct timespec  ts;

    if (!opt.events) {
        return;
    }

    memset(&b, 0, sizeof(b));
    clock_gettime(CLOCK_REALTIME, &ts);

    buf_fmt(&b, "{\"time\":%lld.%03ld,\"event\":\"%s\"",
            (long long) ts.tv_sec, ts.tv_nsec / 1000000, name);

    if (d) {
        buf_fmt(&b, ",\"guid\":\"%s\"", device_guid(d));
    }

    if (strcmp(fmt, "%s") != 0) {
        buf_str(&b, ",");
        va_start(args, fmt);
        buf_vfmt(&b, fmt, args);
        va_end(args);
    }

    buf_str(&b, "}\n");

    if (buf_left(&pending) + buf_left(&b) > PENDING_MAX) {
        lost++;

    } else {
        buf_add(&pending, buf_head(&b), buf_left(&b));
    }

    buf_free(&b);
    events_flush();
}


void
event0(device_t *d, const char *name)
{
    event(d, name, "%s", "");
}


void
stats_json(buf_t *b)
{
    double              rate;
    unsigned long long  ms;

    ms = st.last_login - st.first_login;
    rate = ms ? (st.logins - 1) * 1000.0 / ms : 0;

    buf_fmt(b, "{\"devices\":%u,\"connected\":%llu,\"peak\":%llu,"
            "\"logins\":%llu,\"refused\":%llu,\"failed\":%llu,"
            "\"disconnects\":%llu,\"violations\":%llu,",
            ndevices, (unsigned long long) st.connected,
            (unsigned long long) st.peak, (unsigned long long) st.logins,
            (unsigned long long) st.refused, (unsigned long long) st.failed,
            (unsigned long long) st.disconnects,
            (unsigned long long) st.violations);

    buf_fmt(b, "\"logins_per_second\":%.1f,\"login_ms_avg\":%.1f,"
            "\"login_ms_max\":%llu,\"opens\":%llu,\"requests\":%llu,"
            "\"unauthorized\":%llu,\"faults\":%llu,\"http_bad\":%llu,"
            "\"keepalives\":%llu,\"bytes_in\":%llu,\"bytes_out\":%llu,"
            "\"events_lost\":%u,\"ms\":%llu}",
            rate, st.logins ? (double) st.login_ms / st.logins : 0.0,
            (unsigned long long) st.login_ms_max,
            (unsigned long long) st.opens,
            (unsigned long long) st.requests,
            (unsigned long long) st.unauthorized,
            (unsigned long long) st.faults,
            (unsigned long long) st.http_bad,
            (unsigned long long) st.keepalives,
            (unsigned long long) st.bytes_in,
            (unsigned long long) st.bytes_out, lost,
            (unsigned long long) (now_ms() - st.started));
}
