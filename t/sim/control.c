
/*
 * The control socket: tests look into the devices and change them.  One
 * command a line, one JSON object a line as the answer.
 */


#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/epoll.h>
#include <sys/un.h>
#include "sim.h"


typedef struct client_s  client_t;

struct client_s {
    ev_t       ev;
    buf_t      in;
    client_t  *next;
};


static ev_t         listener;
static const char  *path;
static client_t    *clients;


static void control_accept(ev_t *ev, uint32_t events);
static void control_read(ev_t *ev, uint32_t events);
static void control_close(client_t *c);


void
control_init(void)
{
    struct sockaddr_un  un;

    if (opt.control == NULL) {
        return;
    }

    path = strncmp(opt.control, "unix:", 5) == 0 ? opt.control + 5
                                                 : opt.control;

    memset(&un, 0, sizeof(un));
    un.sun_family = AF_UNIX;

    if (strlen(path) >= sizeof(un.sun_path)) {
        fprintf(stderr, "amtsim: --control: path too long\n");
        exit(2);
    }

    strcpy(un.sun_path, path);
    unlink(path);

    listener.fd = socket(AF_UNIX, SOCK_STREAM|SOCK_NONBLOCK|SOCK_CLOEXEC, 0);
    listener.handler = control_accept;

    if (listener.fd == -1
        || bind(listener.fd, (struct sockaddr *) &un, sizeof(un)) == -1
        || listen(listener.fd, 16) == -1)
    {
        fprintf(stderr, "amtsim: %s: %s\n", path, strerror(errno));
        exit(2);
    }

    ev_set(&listener, EPOLLIN);
}


void
control_quit(void)
{
    if (path == NULL) {
        return;
    }

    while (clients) {
        control_close(clients);
    }

    ev_del(&listener);
    close(listener.fd);
    unlink(path);
}


static void
control_close(client_t *c)
{
    client_t  **p;

    for (p = &clients; *p != c; p = &(*p)->next) { /* void */ }

    *p = c->next;
    ev_del(&c->ev);
    close(c->ev.fd);
    buf_free(&c->in);
    free(c);
}


static void
control_accept(ev_t *ev, uint32_t events)
{
    int        fd;
    client_t  *c;

    (void) events;

    fd = accept4(ev->fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd == -1) {
        return;
    }

    c = xalloc(sizeof(client_t));
    c->ev.fd = fd;
    c->ev.handler = control_read;
    c->ev.data = c;
    c->next = clients;
    clients = c;
    ev_set(&c->ev, EPOLLIN);
}


static void
error(buf_t *b, const char *text)
{
    buf_str(b, "{\"error\":");
    buf_json(b, text);
    buf_str(b, "}");
}


static void
cmd_state(device_t *d, char *arg, buf_t *b)
{
    (void) arg;

    buf_fmt(b, "{\"guid\":\"%s\",\"index\":%u,\"state\":\"%s\","
            "\"power\":%u,\"os_power\":%u,\"boots\":%u,\"last_boot\":%s,",
            device_guid(d), d->index, device_state(d), d->power,
            d->os_power, d->boots, d->last_boot ? d->last_boot : "null");

    buf_str(b, "\"boot_source\":");
    buf_json(b, d->boot_source ? d->boot_source : "");

    buf_fmt(b, ",\"boot_role\":%u,\"realm\":\"%s\",\"channels\":%u,"
            "\"opens\":%u,\"requests\":%u,\"violations\":%u,\"cycles\":%u,"
            "\"keepalive\":[%u,%u],\"consent_code\":%u,\"forwards\":[",
            d->next_boot_role,
            device_realm(d), channel_count(d), d->nopen, d->nreq,
            d->nviolations, d->cycles, d->ka_interval, d->ka_timeout,
            d->consent_code);

    for (unsigned i = 0; i < d->nforwards; i++) {
        buf_fmt(b, "%s%u", i ? "," : "", d->forwards[i]);
    }

    buf_fmt(b, "],\"tls\":\"%s\",\"reason\":",
            d->ssl ? SSL_get_version(d->ssl) : "");
    buf_json(b, d->last_reason ? d->last_reason : "");
    buf_str(b, ",\"mebx\":");
    buf_json(b, d->mebx_password ? d->mebx_password : "");
    buf_str(b, ",\"misbehave\":");
    mis_json(d, b);
    buf_str(b, "}");
}


static void
cmd_get(device_t *d, char *arg, buf_t *b)
{
    class_t  *cls;

    cls = model_class(arg);

    if (cls == NULL) {
        error(b, "no such class");
        return;
    }

    buf_str(b, "{\"instances\":");
    model_json(d, cls, b);
    buf_str(b, "}");
}


static void
cmd_set(device_t *d, char *arg, buf_t *b)
{
    char  *value, err[160];

    value = strchr(arg, ' ');
    if (value) {
        *value++ = '\0';

    } else {
        value = "";
    }

    if (strcmp(arg, "power") == 0) {
        tmr_del(&d->power_timer);
        power_set(d, (unsigned) atoi(value));

    } else if (strcmp(arg, "os-power") == 0) {
        d->os_power = (uint8_t) atoi(value);

    } else if (strcmp(arg, "amt-password") == 0) {
        free(d->amt_password);
        d->amt_password = xstrdup(value);
        free(d->nonces);
        d->nonces = NULL;

    } else if (strcmp(arg, "mps-password") == 0) {
        free(d->mps_password);
        d->mps_password = xstrdup(value);

    } else if (strcmp(arg, "consent-code") == 0) {
        d->consent_code = (unsigned) atoi(value);

    } else if (strcmp(arg, "nonce") == 0) {
        free(d->nonces);
        d->nonces = NULL;

    } else if (logs_set(d, arg, value) == 0) {
        /* done */

    } else if (model_set_text(d, arg, value, err, sizeof(err)) != 0) {
        error(b, err);
        return;
    }

    buf_str(b, "{\"ok\":true}");
}


/* CLASS FIELD=VALUE|FIELD=VALUE: an instance, whatever the class thinks */

static void
cmd_add(device_t *d, char *arg, buf_t *b)
{
    char     *field, *value, *next;
    inst_t   *i;
    class_t  *cls;

    field = strchr(arg, ' ');
    if (field) {
        *field++ = '\0';
    }

    cls = model_class(arg);

    if (cls == NULL || field == NULL) {
        error(b, "no such class, or no fields");
        return;
    }

    i = model_add(d, cls->name);

    for ( /* void */ ; field; field = next) {

        next = strchr(field, '|');
        if (next) {
            *next++ = '\0';
        }

        value = strchr(field, '=');

        if (value == NULL
            || field_find(cls, field, (size_t) (value - field)) < 0)
        {
            model_remove(d, cls, i);
            error(b, "no such field");
            return;
        }

        *value++ = '\0';
        model_set(cls, i, field, value);
    }

    buf_str(b, "{\"ok\":true}");
}


static void
cmd_misbehave(device_t *d, char *arg, buf_t *b)
{
    char  err[160];

    if (mis_set(d, arg, err, sizeof(err)) != 0) {
        error(b, err);
        return;
    }

    if (mis_peek(d, MIS_FLOOD_KEEPALIVE) && d->keepalive.heap) {
        tmr_set(&d->keepalive, 0, d->keepalive.handler, d);
    }

    buf_str(b, "{\"ok\":true}");
}


static void
cmd_drop(device_t *d, char *arg, buf_t *b)
{
    if (d->ev.fd == -1) {
        error(b, "not connected");
        return;
    }

    if (strcmp(arg, "vanish") == 0) {
        conn_vanish(d);

    } else {
        conn_close(d, strcmp(arg, "rst") == 0 ? CLOSE_RST : CLOSE_QUIET,
                   "dropped");
    }

    buf_str(b, "{\"ok\":true}");
}


static void
cmd_disconnect(device_t *d, char *arg, buf_t *b)
{
    if (d->ev.fd == -1) {
        error(b, "not connected");
        return;
    }

    session_disconnect(d, arg[0] ? (unsigned) atoi(arg) : 11);
    buf_str(b, "{\"ok\":true}");
}


static void
cmd_connect(device_t *d, char *arg, buf_t *b)
{
    (void) arg;

    if (d->state != ST_IDLE) {
        error(b, "busy");
        return;
    }

    tmr_del(&d->timer);
    session_queue(d, 0);
    buf_str(b, "{\"ok\":true}");
}


static void
cmd_tunnel(device_t *d, const char *cmd, char *arg, buf_t *b)
{
    int     n;
    u_char  data[4096];

    if (d->state < ST_AUTH || d->state == ST_VANISHED) {
        error(b, "not connected");
        return;
    }

    if (strcmp(cmd, "alert") == 0) {
        session_alert(d, arg);

    } else if (strcmp(cmd, "open") == 0) {
        if (channel_open(d, arg) == NULL) {
            error(b, "no channel left");
            return;
        }

    } else if (strcmp(cmd, "forward") == 0) {
        session_forward(d, (unsigned) atoi(arg), 0);

    } else if (strcmp(cmd, "cancel") == 0) {
        session_forward(d, (unsigned) atoi(arg), 1);

    } else {
        n = hex_decode(data, sizeof(data), arg);
        if (n < 0) {
            error(b, "no hex");
            return;
        }
        buf_add(&d->out, data, n);
    }

    conn_flush(d);
    buf_str(b, "{\"ok\":true}");
}


static void
cmd_one(device_t *d, const char *cmd, char *arg, buf_t *b)
{
    static const struct {
        const char  *name;
        void       (*handler)(device_t *d, char *arg, buf_t *b);
    } cmds[] = {
        { "state", cmd_state }, { "get", cmd_get }, { "set", cmd_set },
        { "add", cmd_add },
        { "misbehave", cmd_misbehave }, { "drop", cmd_drop },
        { "disconnect", cmd_disconnect }, { "connect", cmd_connect },
        { NULL, NULL }
    };
    static const char  *tunnel[] = {
        "alert", "open", "forward", "cancel", "raw", NULL
    };
    unsigned  i;

    for (i = 0; cmds[i].name; i++) {
        if (strcmp(cmds[i].name, cmd) == 0) {
            cmds[i].handler(d, arg, b);
            return;
        }
    }

    for (i = 0; tunnel[i]; i++) {
        if (strcmp(tunnel[i], cmd) == 0) {
            cmd_tunnel(d, cmd, arg, b);
            return;
        }
    }

    error(b, "unknown command");
}


static void
command(char *line, buf_t *b)
{
    char      *who, *arg, *copy;
    unsigned   i;
    device_t  *d;

    who = strchr(line, ' ');
    if (who) {
        *who++ = '\0';

    } else {
        who = "";
    }

    if (strcmp(line, "stats") == 0) {
        stats_json(b);
        return;
    }

    if (strcmp(line, "quit") == 0) {
        buf_str(b, "{\"ok\":true}");
        loop_stop();
        return;
    }

    arg = strchr(who, ' ');
    if (arg) {
        *arg++ = '\0';

    } else {
        arg = "";
    }

    if (strcmp(who, "all") == 0) {
        buf_str(b, "{\"all\":[");

        for (i = 0; i < ndevices; i++) {
            copy = xstrdup(arg);
            buf_str(b, i ? "," : "");
            cmd_one(&devices[i], line, copy, b);
            free(copy);
        }

        buf_str(b, "]}");
        return;
    }

    d = device_find(who);

    if (d == NULL) {
        error(b, "no such device");
        return;
    }

    copy = xstrdup(arg);
    cmd_one(d, line, copy, b);
    free(copy);
}


static void
control_read(ev_t *ev, uint32_t events)
{
    char      *p, *nl, *line, chunk[8192];
    buf_t      out;
    ssize_t    n;
    client_t  *c;

    (void) events;
    c = ev->data;

    n = read(ev->fd, chunk, sizeof(chunk));

    if (n <= 0) {
        control_close(c);
        return;
    }

    buf_add(&c->in, chunk, n);

    while (buf_left(&c->in)) {
        p = (char *) buf_head(&c->in);
        nl = memchr(p, '\n', buf_left(&c->in));

        if (nl == NULL) {
            break;
        }

        line = xstrndup(p, nl - p);
        buf_eat(&c->in, nl - p + 1);

        if (line[0] && line[strlen(line) - 1] == '\r') {
            line[strlen(line) - 1] = '\0';
        }

        memset(&out, 0, sizeof(out));
        command(line, &out);
        buf_str(&out, "\n");

        while (buf_left(&out)) {
            n = send(ev->fd, buf_head(&out), buf_left(&out), MSG_NOSIGNAL);
            if (n <= 0) {
                break;
            }
            buf_eat(&out, n);
        }

        buf_free(&out);
        free(line);
    }
}
