
/* Counters, and what happens as JSON lines on standard output. */


#include <stdio.h>
#include <string.h>
#include <time.h>
#include "sim.h"


stats_t  st;


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

    fwrite(buf_head(&b), 1, buf_left(&b), stdout);
    fflush(stdout);
    buf_free(&b);
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
            "\"ms\":%llu}",
            rate, st.logins ? (double) st.login_ms / st.logins : 0.0,
            (unsigned long long) st.login_ms_max,
            (unsigned long long) st.opens,
            (unsigned long long) st.requests,
            (unsigned long long) st.unauthorized,
            (unsigned long long) st.faults,
            (unsigned long long) st.http_bad,
            (unsigned long long) st.keepalives,
            (unsigned long long) st.bytes_in,
            (unsigned long long) st.bytes_out,
            (unsigned long long) (now_ms() - st.started));
}
