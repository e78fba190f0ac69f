
/*
 * What a device can do wrong on purpose.  A switch is "name", "name=arg",
 * each optionally followed by "*times" and then by "@after", the number of
 * occasions that pass first; it can be set for all devices with --misbehave
 * and for one of them through the control socket.  "at:ACTION" limits some
 * of them to one action.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


static const struct {
    const char  *name;
    long         arg;                 /* default argument */
    const char  *help;
} table[MIS_N] = {
    { "bytewise", 1, "every byte in a TLS record of its own" },
    { "pipeline", 1, "the whole login without waiting for an answer" },
    { "two-versions", 1, "PROTOCOLVERSION is sent twice" },
    { "no-pfwd", 1, "never asks for pfwd after the login" },
    { "login-stall", 1, "says nothing after PROTOCOLVERSION" },
    { "refuse", 4, "CHANNEL_OPEN is refused with reason ARG" },
    { "no-confirm", 1, "CHANNEL_OPEN is never answered" },
    { "window", 16, "offers a window of ARG bytes" },
    { "zero-window", 500, "confirms with window 0, adjusts after ARG ms" },
    { "window-max", 1, "confirms with window 0xffffffff" },
    { "never-adjust", 1, "never gives window back" },
    { "over-window", 1, "sends without looking at the server's window" },
    { "dup-confirm", 1, "confirms every channel twice" },
    { "data-after-close", 1, "DATA, ADJUST and CLOSE follow every CLOSE" },
    { "stale-adjust", 1, "WINDOW_ADJUST for numbers never used" },
    { "stale-close", 1, "CLOSE for numbers never used" },
    { "ignore-close", 1, "never answers CLOSE" },
    { "zero-data", 1, "DATA of length 0 after the confirmation" },
    { "close-on-open", 1, "CLOSE right after the confirmation" },
    { "no-answer", 1, "takes HTTP requests and never answers" },
    { "half-answer", 1, "half an answer, then silence on the connection" },
    { "close-mid", 1, "half an answer, then CLOSE of the channel" },
    { "drop-mid", 1, "half an answer, then the connection is reset" },
    { "wrong-relates", 1, "RelatesTo of another request" },
    { "garbage-http", 1, "answers bytes that are not HTTP" },
    { "empty-challenge", 1, "401 with an empty WWW-Authenticate" },
    { "bad-challenge", 1, "401 with a challenge that makes no sense" },
    { "always-401", 1, "no credentials are ever good" },
    { "huge-header", 65536, "an answer with a header of ARG bytes" },
    { "endless-chunk", 1, "an answer whose chunks never end" },
    { "bad-chunk", 1, "a chunk size that is no number" },
    { "slow-drip", 20, "one byte of the answer each ARG ms" },
    { "empty-400", 1, "400 without a body" },
    { "fault-200", 1, "a SOAP fault with status 200" },
    { "status", 503, "an HTML page with status ARG" },
    { "bad-xml", 1, "an answer that is not well-formed" },
    { "deep-xml", 10000, "an answer nested ARG deep" },
    { "empty-body", 1, "200 with an empty body" },
    { "content-length", 1, "answers with Content-Length, not chunked" },
    { "extra-bytes", 1, "bytes follow the end of an answer" },
    { "silent-close", 1, "CLOSE after an answer that did not say so" },
    { "endless-pull", 1, "EndOfSequence never comes" },
    { "empty-items", 4000, "ARG empty items in each PullResponse" },
    { "new-nonce", 1, "the nonce is thrown away before each request" },
    { "fault", 1, "a fault: 1 InternalError, 2 AccessDenied,"
                  " 3 EndpointUnavailable, 4 TimedOut" },
    { "return", 2, "methods do nothing and return ARG" },
    { "lost", 1, "does what it is told and closes the channel mid-answer" },
    { "obey-fault", 1, "does what it is told and answers with a fault, as"
                       " above" },
    { "obey-return", 2, "methods do what they are told and return ARG" },
    { "mute", 1, "does what it is told and never answers" },
    { "drop-after", 1, "does what it is told, answers, then the connection is"
                       " reset" },
    { "mute-keepalive", 1, "does not answer KEEPALIVE_REQUEST" },
    { "flood-keepalive", 100, "ARG KEEPALIVE_REQUESTs each ms" },
};


static int
mis_one(device_t *d, char *one, char *err, size_t n)
{
    char      *arg, *times, *skip;
    unsigned   i;

    if (strcmp(one, "off") == 0) {
        free(d->mis);
        free(d->mis_at);
        d->mis = NULL;
        d->mis_at = NULL;
        return 0;
    }

    if (strncmp(one, "at:", 3) == 0) {
        free(d->mis_at);
        d->mis_at = xstrdup(one + 3);
        return 0;
    }

    skip = strchr(one, '@');
    if (skip) {
        *skip++ = '\0';
    }

    times = strchr(one, '*');
    if (times) {
        *times++ = '\0';
    }

    arg = strchr(one, '=');
    if (arg) {
        *arg++ = '\0';
    }

    for (i = 0; i < MIS_N; i++) {
        if (strcmp(table[i].name, one) == 0) {
            break;
        }
    }

    if (i == MIS_N) {
        snprintf(err, n, "unknown misbehaviour \"%s\"", one);
        return -1;
    }

    if (d->mis == NULL) {
        d->mis = xalloc(MIS_N * sizeof(mis_t));
    }

    d->mis[i].arg = arg ? strtol(arg, NULL, 0) : table[i].arg;
    d->mis[i].left = times ? strtol(times, NULL, 0) : -1;
    d->mis[i].skip = skip ? strtol(skip, NULL, 0) : 0;

    return 0;
}


int
mis_set(device_t *d, const char *text, char *err, size_t n)
{
    int    rc;
    char  *list, *one, *save;

    rc = 0;
    list = xstrdup(text);

    for (one = strtok_r(list, ", ", &save);
         one && rc == 0;
         one = strtok_r(NULL, ", ", &save))
    {
        rc = mis_one(d, one, err, n);
    }

    free(list);

    return rc;
}


long
mis_peek(device_t *d, unsigned what)
{
    if (d->mis == NULL || d->mis[what].left == 0 || d->mis[what].skip > 0) {
        return 0;
    }

    return d->mis[what].arg;
}


long
mis(device_t *d, unsigned what)
{
    long  arg;

    if (d->mis && d->mis[what].skip > 0) {
        d->mis[what].skip--;
        return 0;
    }

    arg = mis_peek(d, what);

    if (arg && d->mis[what].left > 0) {
        d->mis[what].left--;
    }

    return arg;
}


/* the same for what "at:ACTION" limits to one action, "Put" say */

long
mis_action(device_t *d, unsigned what, const char *action)
{
    const char  *name;

    name = strrchr(action, '/');

    if (d->mis_at && (name == NULL || strcmp(name + 1, d->mis_at) != 0)) {
        return 0;
    }

    return mis(d, what);
}


void
mis_list(buf_t *b)
{
    unsigned  i;

    buf_fmt(b, "  %-18s %s", "at:ACTION", "fault, return and lost only for"
            " this one (Put, AddKey ...)\n");

    for (i = 0; i < MIS_N; i++) {
        buf_fmt(b, "  %-18s %s", table[i].name, table[i].help);

        if (table[i].arg != 1) {
            buf_fmt(b, " (%ld)", table[i].arg);
        }

        buf_str(b, "\n");
    }
}


void
mis_json(device_t *d, buf_t *b)
{
    unsigned     i;
    const char  *comma;

    buf_str(b, "{");
    comma = "";

    for (i = 0; d->mis && i < MIS_N; i++) {
        if (d->mis[i].arg && d->mis[i].left) {
            buf_fmt(b, "%s\"%s\":%ld", comma, table[i].name,
                    d->mis[i].arg);
            comma = ",";
        }
    }

    buf_str(b, "}");
}
