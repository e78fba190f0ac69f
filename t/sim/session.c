
/*
 * Login and life of the tunnel: versions, authentication, port forwards,
 * keepalive.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


static void session_keepalive(tmr_t *t);
static void session_keepalive_dead(tmr_t *t);
static void session_ready(device_t *d);
static void session_step(device_t *d);


static void
session_password(device_t *d)
{
    char  *user, *password;

    user = device_expand(d, opt.user);
    password = d->mps_password ? xstrdup(d->mps_password)
                               : device_expand(d, opt.password);

    apf_userauth(d, user, password);

    free(user);
    free(password);
}


void
session_begin(device_t *d)
{
    unsigned  port;
    size_t    i;
    char     *list, *one, *save, *user;

    d->state = ST_AUTH;
    d->forwards = xalloc(SIM_FORWARDS * sizeof(uint16_t));
    d->requests = xalloc(SIM_FORWARDS * sizeof(request_t));
    d->ka_interval = opt.keepalive;

    event(d, "connected", "\"tls\":\"%s\",\"cipher\":\"%s\"",
          d->ssl ? SSL_get_version(d->ssl) : "plain",
          d->ssl ? SSL_get_cipher(d->ssl) : "");

    apf_version(d);

    if (mis(d, MIS_TWO_VERSIONS)) {
        apf_version(d);
    }

    if (mis(d, MIS_LOGIN_STALL)) {
        return;
    }

    apf_service_request(d, "auth@amt.intel.com");

    if (!mis_peek(d, MIS_PIPELINE)) {
        return;
    }

    /* the whole login at once */

    if (opt.probe_none) {
        user = device_expand(d, opt.user);
        apf_userauth(d, user, NULL);
        free(user);
    }

    session_password(d);
    apf_service_request(d, "pfwd@amt.intel.com");

    list = xstrdup(opt.ports);

    for (one = strtok_r(list, ",", &save), i = 0;
         one && i < SIM_FORWARDS;
         one = strtok_r(NULL, ",", &save), i++)
    {
        port = (unsigned) atoi(one);
        session_forward(d, port, 0);
    }

    free(list);
}


void
session_forward(device_t *d, unsigned port, int cancel)
{
    unsigned  i;

    if (!opt.no_want_reply && d->nrequests < SIM_FORWARDS) {
        d->requests[d->nrequests].port = (uint16_t) port;
        d->requests[d->nrequests++].cancel = (uint8_t) cancel;
    }

    apf_forward(d, port, cancel);

    if (cancel) {
        for (i = 0; i < d->nforwards; i++) {
            if (d->forwards[i] == port) {
                d->forwards[i] = d->forwards[--d->nforwards];
                break;
            }
        }

        return;
    }

    if (d->nforwards < SIM_FORWARDS) {
        d->forwards[d->nforwards++] = (uint16_t) port;
    }
}


int
session_forwarded(device_t *d, unsigned port)
{
    unsigned  i;

    for (i = 0; i < d->nforwards; i++) {
        if (d->forwards[i] == port) {
            return 1;
        }
    }

    return 0;
}


size_t
session_input(device_t *d, const u_char *p, size_t n)
{
    int       bad;
    size_t    used, len;
    uint32_t  before;

    used = 0;
    bad = 0;
    before = d->nviolations;

    while (used < n && d->ev.fd != -1 && d->state != ST_VANISHED) {

        len = apf_input(d, p + used, n - used, &bad);
        used += len;

        if (d->ev.fd == -1) {
            return used;
        }

        if (bad
            || (d->nviolations != before
                && strcmp(opt.on_violation, "count") != 0))
        {
            if (d->nviolations != before) {
                apf_disconnect(d, 2);
                conn_flush(d);
            }

            if (d->ev.fd != -1) {
                conn_close(d, CLOSE_NORMAL,
                           d->nviolations != before ? "violation"
                           : d->last_reason ? d->last_reason : "closed");
            }

            return used;
        }

        if (len == 0) {
            break;
        }
    }

    return used;
}


void
session_service_accept(device_t *d, const u_char *p, size_t n)
{
    char        *user;
    const char  *want;

    want = d->state == ST_AUTH ? "auth@amt.intel.com" : "pfwd@amt.intel.com";

    if (d->state != ST_AUTH && d->state != ST_PFWD) {
        violation(d, "SERVICE_ACCEPT in state %s", device_state(d));
        return;
    }

    if (n != strlen(want) || memcmp(p, want, n) != 0) {
        violation(d, "SERVICE_ACCEPT of another service than asked");
        return;
    }

    if (d->state == ST_PFWD) {
        d->state = ST_FORWARD;
        session_step(d);
        return;
    }

    if (opt.probe_none) {
        d->state = ST_NONE;

        if (!mis_peek(d, MIS_PIPELINE)) {
            user = device_expand(d, opt.user);
            apf_userauth(d, user, NULL);
            free(user);
        }

        return;
    }

    d->state = ST_USERAUTH;

    if (!mis_peek(d, MIS_PIPELINE)) {
        session_password(d);
    }
}


void
session_userauth(device_t *d, int ok, const u_char *p, size_t n)
{
    if (d->state != ST_NONE && d->state != ST_USERAUTH) {
        violation(d, "USERAUTH_%s in state %s", ok ? "SUCCESS" : "FAILURE",
                  device_state(d));
        return;
    }

    if (!ok) {

        if (n != 8 || memcmp(p, "password", 8) != 0) {
            violation(d, "USERAUTH_FAILURE does not offer \"password\"");
            return;
        }

        if (d->state == ST_NONE) {
            d->state = ST_USERAUTH;

            if (!mis_peek(d, MIS_PIPELINE)) {
                session_password(d);
            }

            return;
        }

        st.refused++;
        event(d, "refused", "\"ms\":%llu",
              (unsigned long long) (now_ms() - d->started));
        conn_close(d, CLOSE_NORMAL, "refused");
        return;
    }

    d->logged_in = 1;
    d->attempts = 0;
    d->state = ST_PFWD;
    d->closed = NULL;

    event(d, "accepted", "\"ms\":%llu",
          (unsigned long long) (now_ms() - d->started));

    if (mis(d, MIS_NO_PFWD)) {
        return;
    }

    if (!mis_peek(d, MIS_PIPELINE)) {
        apf_service_request(d, "pfwd@amt.intel.com");
    }
}


/* sends the next tcpip-forward, or the device is ready */

static void
session_step(device_t *d)
{
    unsigned     i;
    const char  *p;

    if (mis_peek(d, MIS_PIPELINE)) {
        if (d->nrequests == 0) {
            session_ready(d);
        }
        return;
    }

    for ( ;; ) {

        for (i = 0, p = opt.ports; i < d->nforwards && p; i++) {
            p = strchr(p, ',');
            if (p) {
                p++;
            }
        }

        if (p == NULL || *p == '\0' || d->nforwards == SIM_FORWARDS) {
            session_ready(d);
            return;
        }

        session_forward(d, (unsigned) atoi(p), 0);

        if (!opt.no_want_reply) {
            return;
        }
    }
}


void
session_reply(device_t *d, int ok, uint32_t port)
{
    request_t  r;

    if (d->nrequests == 0) {
        violation(d, "REQUEST_%s although nothing was asked",
                  ok ? "SUCCESS" : "FAILURE");
        return;
    }

    if (d->state < ST_FORWARD) {
        violation(d, "REQUEST_%s in state %s", ok ? "SUCCESS" : "FAILURE",
                  device_state(d));
        return;
    }

    r = d->requests[0];
    memmove(d->requests, d->requests + 1,
            --d->nrequests * sizeof(request_t));

    if (ok && !r.cancel && port != r.port) {
        violation(d, "REQUEST_SUCCESS for port %u instead of %u", port,
                  r.port);
        return;
    }

    if (!ok) {
        event(d, "forward_refused", "\"port\":%u", r.port);
    }

    if (d->state == ST_FORWARD) {
        session_step(d);
    }
}


static void
session_ready(device_t *d)
{
    uint64_t  ms;

    d->state = ST_READY;
    st.busy--;

    ms = now_ms() - d->started;

    if (st.logins++ == 0) {
        st.first_login = now_ms();
    }

    st.last_login = now_ms();
    st.login_ms += ms;

    if (ms > st.login_ms_max) {
        st.login_ms_max = ms;
    }

    st.connected++;
    if (st.connected > st.peak) {
        st.peak = st.connected;
    }

    event(d, "ready", "\"ms\":%llu", (unsigned long long) ms);

    session_hold(d);

    if (d->ka_interval) {
        tmr_set(&d->keepalive, d->ka_interval * 1000ull, session_keepalive,
                d);
    }
}


static void
session_keepalive(tmr_t *t)
{
    long       n;
    device_t  *d;

    d = t->data;
    n = mis(d, MIS_FLOOD_KEEPALIVE);

    do {
        apf_one(d, 208, ++d->ka_cookie);
        st.keepalives++;
    } while (n-- > 1);

    if (d->ka_timeout && d->keepalive_limit.heap == 0) {
        tmr_set(&d->keepalive_limit, d->ka_timeout * 1000ull,
                session_keepalive_dead, d);
    }

    if (mis_peek(d, MIS_FLOOD_KEEPALIVE)) {
        tmr_set(t, 1, session_keepalive, d);

    } else if (d->ka_interval) {
        tmr_set(t, d->ka_interval * 1000ull, session_keepalive, d);
    }

    conn_flush(d);
}


static void
session_keepalive_dead(tmr_t *t)
{
    conn_close(t->data, CLOSE_RST, "no keepalive reply");
}


void
session_keepalive_reply(device_t *d, uint32_t cookie)
{
    if (cookie != d->ka_seen + 1 || cookie > d->ka_cookie) {
        violation(d, "KEEPALIVE_REPLY cookie %u, expected %u", cookie,
                  d->ka_seen + 1);
        return;
    }

    d->ka_seen = cookie;

    if (cookie == d->ka_cookie) {
        tmr_del(&d->keepalive_limit);
    }
}


void
session_keepalive_options(device_t *d, uint32_t interval, uint32_t timeout)
{
    if (d->state < ST_PFWD) {
        violation(d, "KEEPALIVE_OPTIONS_REQUEST before the login");
        return;
    }

    if (d->options_seen) {
        violation(d, "KEEPALIVE_OPTIONS_REQUEST sent twice");
        return;
    }

    d->options_seen = 1;
    d->ka_interval = interval;
    d->ka_timeout = timeout;

    if (interval == 0) {
        tmr_del(&d->keepalive);

    } else if (d->state == ST_READY) {
        tmr_set(&d->keepalive, interval * 1000ull, session_keepalive, d);
    }

    event(d, "keepalive", "\"interval\":%u,\"timeout\":%u", interval,
          timeout);
    apf_two(d, 211, interval, timeout);
}


void
session_alert(device_t *d, const char *text)
{
    apf_udp_send(d, text);
    conn_flush(d);
}
