
/* Command line, configuration file and --help, from one table. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


options_t  opt = {
    .mps = "127.0.0.1:4433",
    .guid = "a0000000-0000-4000-8000-000000000001",
    .count = 1,
    .user = "standalone",
    .password = "P@ssw0rd",
    .amt_user = "admin",
    .amt_password = "P@ssw0rd",
    .hostname = "amt-%n",
    .version = "16.1.25.2124",
    .ports = "16992,16994",
    .forward_address = "",
    .trigger = 4,
    .tls_min = "1.2",
    .tls_max = "1.2",
    .ciphers = "DEFAULT:@SECLEVEL=0",
    .parallel = 64,
    .login_timeout = 60000,
    .reconnect_max = 60000,
    .keepalive = 30,
    .window = 4096,
    .max_data = 4096,
    .max_channels = SIM_CHANNELS,
    .reuse_delay = 30,
    .ider_blocks = 4096,
    .http_idle = 8000,
    .chunk = 1061,
    .lockout_seconds = 5,
    .qop = "auth",
    .power_state = 2,
    .power_delay = 200,
    .control_mode = "admin",
    .on_violation = "close",
};


enum { O_STR, O_NUM, O_FLAG, O_GROUP };

#define STR(name, var, arg, help)  { name, O_STR, { .s = &opt.var }, arg, help }
#define NUM(name, var, arg, help)  { name, O_NUM, { .u = &opt.var }, arg, help }
#define FLAG(name, var, help)      { name, O_FLAG, { .u = &opt.var }, "", help }
#define GROUP(text)                 { text, O_GROUP, { .u = NULL }, "", "" }

static const struct {
    const char      *name;
    int              type;
    union {
        const char **s;
        unsigned    *u;
    } to;
    const char      *arg;
    const char      *help;
} table[] = {
    GROUP("Where to connect and who we are"),
    STR("mps", mps, "HOST:PORT", "gateway, or unix:PATH"),
    STR("guid", guid, "GUID", "of the first device"),
    STR("guid-base", guid, "GUID", "the same"),
    NUM("count", count, "N", "devices; their GUIDs count up"),
    STR("user", user, "T", "MPS user (template)"),
    STR("password", password, "T", "MPS password (template)"),
    STR("amt-user", amt_user, "T", "AMT user (template)"),
    STR("amt-password", amt_password, "T", "AMT password (template)"),
    STR("hostname", hostname, "T", "HostName (template)"),
    STR("realm", realm, "TEXT", "digest realm instead of one made of the"
        " GUID"),
    STR("amt-version", version, "A.B.C.D", "firmware version"),
    STR("bind", bind, "ADDR,...", "local addresses to connect from, in"
        " turn"),

    GROUP("TLS"),
    STR("ca", ca, "FILE", "verify the gateway with these roots (otherwise"
        " any certificate will do)"),
    STR("verify-name", verify_name, "NAME", "name the certificate must"
        " have; needs --ca"),
    STR("sni", sni, "NAME", "send this name (firmware sends none)"),
    STR("cert", cert, "FILE", "client certificate chain"),
    STR("key", key, "FILE", "its key"),
    STR("tls-min", tls_min, "V", "1.0, 1.1, 1.2 or 1.3"),
    STR("tls-max", tls_max, "V", "the same"),
    STR("ciphers", ciphers, "LIST", "OpenSSL cipher list"),
    FLAG("plain", plain, "no TLS at all"),

    GROUP("Login and life of the tunnel"),
    NUM("trigger", trigger, "N", "reason in PROTOCOLVERSION: 1 user,"
        " 2 alert, 4 periodic"),
    FLAG("probe-none", probe_none, "ask with method \"none\" first"),
    STR("ports", ports, "P,...", "ports to announce, in this order"),
    STR("forward-address", forward_address, "T", "address in tcpip-forward"
        " (template)"),
    FLAG("no-want-reply", no_want_reply, "tcpip-forward without want-reply"),
    NUM("keepalive", keepalive, "S", "seconds between KEEPALIVE_REQUESTs"
        " until the server sets it, 0: none"),
    NUM("login-timeout", login_timeout, "MS", "time for connect and login"),
    NUM("hold", hold, "MS", "disconnect after that time, 0: never"),
    NUM("cycles", cycles, "N", "connect N times, one after the other"),
    NUM("reconnect", reconnect, "MS", "connect again after that time, with"
        " back-off after failures"),
    NUM("reconnect-max", reconnect_max, "MS", "limit of the back-off"),
    NUM("rate", rate, "N", "connects per second, 0: no limit"),
    NUM("parallel", parallel, "N", "logins at a time"),

    GROUP("Channels"),
    NUM("window", window, "BYTES", "receive window we offer"),
    NUM("adjust", adjust, "BYTES", "give window back in such pieces,"
        " 0: at the half"),
    NUM("max-data", max_data, "BYTES", "largest DATA we send"),
    NUM("max-channels", max_channels, "N", "channels at a time, at most 8"),
    NUM("reuse-delay", reuse_delay, "S", "a channel number of the server"
        " must rest that long, 0: no check"),
    FLAG("pump", pump, "a source and sink for benchmarks on port 16994"),
    NUM("ider-blocks", ider_blocks, "N", "blocks of the viewer's CD that are"
        " read"),
    STR("on-violation", on_violation, "WHAT", "when the gateway breaks the"
        " protocol: close, count or exit"),

    GROUP("HTTP and digest"),
    NUM("latency", latency, "MS", "before each answer"),
    NUM("http-idle", http_idle, "MS", "idle channels are closed after,"
        " 0: never"),
    FLAG("http-close", http_close, "Connection: close in every answer"),
    NUM("chunk", chunk, "BYTES", "size of chunks in answers"),
    NUM("nonce-requests", nonce_requests, "N", "requests a nonce is good"
        " for, 0: no limit"),
    NUM("nonce-seconds", nonce_seconds, "S", "seconds a nonce is good for,"
        " 0: no limit"),
    FLAG("stale", stale, "say stale=\"true\" when only the nonce is old"),
    STR("qop", qop, "LIST", "qop of the challenge"),
    NUM("lockout", lockout, "N", "refuse everything after N wrong logins,"
        " 0: never"),
    NUM("lockout-seconds", lockout_seconds, "S", "for that time"),

    GROUP("The managed system"),
    NUM("page", page, "N", "at most N items per Pull, 0: all"),
    NUM("power-state", power_state, "N", "2 on, 4 sleep, 7 hibernate,"
        " 8 off"),
    NUM("power-delay", power_delay, "MS", "until a power action has its"
        " effect"),
    FLAG("power-drop", power_drop, "a power action resets the connection"),
    FLAG("no-lms", no_lms, "no agent on the host: graceful actions fail"),
    STR("control-mode", control_mode, "MODE", "admin or client"),
    STR("without", without, "CLASS,...", "classes this firmware lacks"),
    STR("data", data, "FILE", "more classes, syntax as in t/sim/data"),

    GROUP("The emulator"),
    STR("misbehave", misbehave, "NAME[=ARG][*N],...", "see below"),
    STR("control", control, "unix:PATH", "control socket, see below"),
    FLAG("events", events, "JSON lines about what happens on stdout"),
    FLAG("stats", stats, "counters as JSON on stderr at the end"),
    FLAG("stay", stay, "do not end when all devices are done"),
    { NULL, 0, { .u = NULL }, NULL, NULL }
};


static void
usage(void)
{
    int       n;
    buf_t     b;
    unsigned  i;

    printf("Usage: amtsim [options]\n\n"
           "Emulates Intel AMT devices that connect to a CIRA gateway.\n"
           "Options may stand in a file too, one \"name = value\" a line,\n"
           "read with --config FILE.  In templates %%n is the number of the\n"
           "device from 0, %%g its GUID.\n");

    for (i = 0; table[i].name; i++) {

        if (table[i].type == O_GROUP) {
            printf("\n%s\n", table[i].name);
            continue;
        }

        n = printf("  --%s %s", table[i].name, table[i].arg);
        printf("%*s%s", n < 30 ? 30 - n : 1, "", table[i].help);

        if (table[i].type == O_STR && *table[i].to.s && **table[i].to.s) {
            printf(" (%s)", *table[i].to.s);

        } else if (table[i].type == O_NUM && *table[i].to.u) {
            printf(" (%u)", *table[i].to.u);
        }

        printf("\n");
    }

    memset(&b, 0, sizeof(b));
    mis_list(&b);

    printf("\nMisbehaviour, =ARG (default in brackets), *N: only N times,"
           " @N: after N\noccasions\n"
           "%s"
           "\nControl socket: one command a line, one JSON object a line"
           " back;\nGUID may be #N (number of the device) or \"all\"\n"
           "  state GUID                connection, power, boots ...\n"
           "  get GUID CLASS            instances as the device has them\n"
           "  set GUID KEY VALUE        power, os-power or CLASS[n].FIELD;\n"
           "                            amt-password, mps-password,"
           " consent-code, nonce,\n"
           "                            audit-records, audit-page,"
           " event-records, event-page,\n"
           "                            audit-hex, event-hex (newest"
           " record)\n"
           "  add GUID CLASS FIELD=VALUE|FIELD=VALUE   an instance\n"
           "  misbehave GUID LIST       as above, or \"off\"\n"
           "  drop GUID [rst|vanish]    lose the connection\n"
           "  disconnect GUID [REASON]  say DISCONNECT and close\n"
           "  connect GUID              connect (again)\n"
           "  alert GUID TEXT           udp-send-to\n"
           "  open GUID TEXT            open a channel to the server and"
           " send TEXT\n"
           "  forward GUID PORT         announce one more port\n"
           "  cancel GUID PORT          take it back\n"
           "  raw GUID HEX              send these bytes into the tunnel\n"
           "  stats                     counters\n"
           "  quit                      end; the exit code tells how it"
           " was\n"
           "\nExit code: 0 all well, 1 a login failed or was refused, 2 bad"
           " usage,\n3 the gateway violated the protocol (VIOLATION lines on"
           " stderr).\n", buf_cstr(&b));

    buf_free(&b);
    exit(0);
}


static void
bad(const char *what, const char *arg)
{
    fprintf(stderr, "amtsim: %s \"%s\", see --help\n", what, arg);
    exit(2);
}


/* value NULL: none was given.  1: the value was used */

static int
set(const char *name, const char *value)
{
    char      *end;
    unsigned   i;

    for (i = 0; table[i].name; i++) {

        if (table[i].type == O_GROUP || strcmp(table[i].name, name) != 0) {
            continue;
        }

        if (table[i].type == O_FLAG) {
            *table[i].to.u = 1;
            return 0;
        }

        if (value == NULL) {
            bad("a value is missing for", name);
        }

        if (table[i].type == O_STR) {
            *table[i].to.s = xstrdup(value);
            return 1;
        }

        *table[i].to.u = (unsigned) strtoul(value, &end, 10);

        if (*value == '\0' || *end) {
            bad("no number", value);
        }

        return 1;
    }

    bad("unknown option", name);
    return 0;
}


static void
config(const char *file)
{
    FILE  *f;
    char   line[4096], *p, *value, *end;

    f = fopen(file, "r");
    if (f == NULL) {
        perror(file);
        exit(2);
    }

    while (fgets(line, sizeof(line), f)) {

        p = line + strspn(line, " \t");

        for (end = p + strlen(p);
             end > p && strchr(" \t\r\n", end[-1]);
             end--)
        {
            end[-1] = '\0';
        }

        if (*p == '\0' || *p == '#') {
            continue;
        }

        value = strchr(p, '=');

        if (value) {
            *value++ = '\0';
            value += strspn(value, " \t");

            for (end = p + strlen(p); end > p && strchr(" \t", end[-1]);
                 end--)
            {
                end[-1] = '\0';
            }
        }

        set(p, value);
    }

    fclose(f);
}


void
options_parse(int argc, char **argv)
{
    int          i;
    char        *copy, *eq;
    const char  *name, *value;

    for (i = 1; i < argc; i++) {

        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            usage();
        }

        if (strncmp(argv[i], "--", 2) != 0) {
            bad("unexpected argument", argv[i]);
        }

        copy = xstrdup(argv[i] + 2);
        name = copy;
        value = i + 1 < argc ? argv[i + 1] : NULL;

        eq = strchr(copy, '=');
        if (eq) {
            *eq++ = '\0';
            value = eq;
        }

        if (strcmp(name, "config") == 0) {
            if (value == NULL) {
                bad("a value is missing for", name);
            }
            config(value);
            i += eq == NULL;

        } else {
            i += set(name, value) && eq == NULL;
        }

        free(copy);
    }

    if (opt.count == 0 || opt.max_channels > SIM_CHANNELS || !opt.max_data
        || !opt.chunk || !opt.parallel || opt.chunk > 0xffff)
    {
        bad("a number is out of range", "");
    }

    if (strcmp(opt.on_violation, "close") != 0
        && strcmp(opt.on_violation, "count") != 0
        && strcmp(opt.on_violation, "exit") != 0)
    {
        bad("--on-violation", opt.on_violation);
    }

    if (opt.control) {
        opt.stay = 1;
    }
}


/* is there a service behind this port? */

int
options_port(unsigned port)
{
    return port == 16992 || port == 16994 || port == 16995
           || port == 5900;
}
