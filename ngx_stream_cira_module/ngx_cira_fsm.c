
/*
 * State machine of a CIRA session without I/O: contract apf.md sections 10,
 * 11 and 16.1.
 */


#include "ngx_cira_fsm.h"
#include "ngx_stream_cira.h"


typedef void (*ngx_cira_fsm_pt)(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg);


#define S(state)    (1 << NGX_CIRA_##state)

/* every state in which APF is spoken */
#define S_ANY       (S(VERSION)|S(AUTH_SERVICE)|S(USERAUTH)|S(PFWD)|S(READY))

/* from the GUID on */
#define S_NAMED     (S(AUTH_SERVICE)|S(USERAUTH)|S(PFWD)|S(READY))


static void ngx_cira_fsm_disconnect(ngx_cira_fsm_t *f,
    ngx_cira_apf_msg_t *msg);
static void ngx_cira_fsm_version(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg);
static void ngx_cira_fsm_service(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg);
static void ngx_cira_fsm_userauth(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg);
static void ngx_cira_fsm_global(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg);
static void ngx_cira_fsm_open(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg);
static void ngx_cira_fsm_channel(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg);
static void ngx_cira_fsm_keepalive(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg);
static void ngx_cira_fsm_reply(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg);


/*
 * apf.md section 16.1, message by state; what is not here ends the session.
 * A device that asks for forwards without the pfwd service (tolerated in
 * PFWD) is taken to be READY.
 */

static struct {
    u_char              type;
    uint16_t            states;
    ngx_cira_fsm_pt     handler;
} ngx_cira_fsm_table[] = {
    { NGX_CIRA_APF_DISCONNECT, S_ANY,
      ngx_cira_fsm_disconnect },

    { NGX_CIRA_APF_PROTOCOLVERSION, S(VERSION),
      ngx_cira_fsm_version },

    { NGX_CIRA_APF_SERVICE_REQUEST, S(AUTH_SERVICE)|S(PFWD)|S(READY),
      ngx_cira_fsm_service },

    { NGX_CIRA_APF_USERAUTH_REQUEST, S(USERAUTH),
      ngx_cira_fsm_userauth },

    { NGX_CIRA_APF_GLOBAL_REQUEST, S(PFWD)|S(READY),
      ngx_cira_fsm_global },

    { NGX_CIRA_APF_CHANNEL_OPEN, S(READY),
      ngx_cira_fsm_open },

    { NGX_CIRA_APF_CHANNEL_CONFIRMATION, S(READY),
      ngx_cira_fsm_channel },

    { NGX_CIRA_APF_CHANNEL_FAILURE, S(READY),
      ngx_cira_fsm_channel },

    { NGX_CIRA_APF_CHANNEL_WINDOW_ADJUST, S(READY),
      ngx_cira_fsm_channel },

    { NGX_CIRA_APF_CHANNEL_DATA, S(READY),
      ngx_cira_fsm_channel },

    { NGX_CIRA_APF_CHANNEL_CLOSE, S(READY),
      ngx_cira_fsm_channel },

    { NGX_CIRA_APF_KEEPALIVE_REQUEST, S_NAMED,
      ngx_cira_fsm_keepalive },

    { NGX_CIRA_APF_KEEPALIVE_REPLY, S(READY),
      ngx_cira_fsm_reply },

    { NGX_CIRA_APF_OPTIONS_REPLY, S(READY),
      ngx_cira_fsm_reply },

    { 0, 0, NULL }
};


static u_char  ngx_cira_fsm_head[] =
    "HTTP/1.1 200 OK" CRLF
    "Content-Type: text/html" CRLF
    "Connection: close" CRLF
    CRLF;

static u_char  ngx_cira_fsm_body[] =
    "<!DOCTYPE html><html><head><title>OK</title></head>"
    "<body>This port is for managed devices.</body></html>" CRLF;


static size_t ngx_cira_fsm_probe(ngx_cira_fsm_t *f, u_char *p, size_t size);
static size_t ngx_cira_fsm_http(ngx_cira_fsm_t *f, u_char *p, size_t size);
static ngx_int_t ngx_cira_fsm_begin(ngx_cira_fsm_t *f, u_char type);
static void ngx_cira_fsm_message(ngx_cira_fsm_t *f);
static void ngx_cira_fsm_malformed(ngx_cira_fsm_t *f);
static void ngx_cira_fsm_cancel(ngx_cira_fsm_t *f, ngx_uint_t i);
static ngx_uint_t ngx_cira_fsm_eq(ngx_str_t *s, const char *text);


void
ngx_cira_fsm_init(ngx_cira_fsm_t *f, ngx_cira_fsm_ops_t *ops, void *data,
    ngx_uint_t max_messages, ngx_log_t *log)
{
    ngx_memzero(f, sizeof(ngx_cira_fsm_t));

    ngx_cira_apf_init(&f->apf, log);
    f->ops = ops;
    f->data = data;
    f->max_messages = (uint16_t) ngx_min(max_messages, 65535);
    f->state = NGX_CIRA_PROBE;
}


size_t
ngx_cira_fsm_read(ngx_cira_fsm_t *f, u_char *p, size_t size)
{
    u_char     *pos, *last;
    ngx_int_t   rc;

    pos = p;
    last = p + size;

    while (pos < last) {

        switch (f->state) {

        case NGX_CIRA_PROBE:
            pos += ngx_cira_fsm_probe(f, pos, last - pos);
            continue;

        case NGX_CIRA_HTTP:
            pos += ngx_cira_fsm_http(f, pos, last - pos);
            continue;

        case NGX_CIRA_VERIFY:
            return pos - p;

        case NGX_CIRA_CLOSING:
            return size;

        default:
            break;
        }

        if (ngx_cira_apf_between(&f->apf)
            && ngx_cira_fsm_begin(f, *pos) != NGX_OK)
        {
            return size;
        }

        rc = ngx_cira_apf_read(&f->apf, &pos, last);

        if (rc == NGX_OK) {
            ngx_cira_fsm_message(f);

        } else if (rc == NGX_ERROR) {
            ngx_cira_fsm_malformed(f);
        }
    }

    return pos - p;
}


/*
 * 'G' and 'H' are no APF codes, so one byte tells; the method is checked.
 * A text protocol is not answered in APF, although '2', 'P', 'Z' to '^' and
 * 'a' are codes.
 */

static size_t
ngx_cira_fsm_probe(ngx_cira_fsm_t *f, u_char *p, size_t size)
{
    char          *method;
    static u_char  get[] = "GET ", head[] = "HEAD";

    if (f->probe == 0) {

        if (*p != 'G' && *p != 'H') {

            if (!ngx_cira_apf_known(*p) || (*p >= 0x20 && *p < 0x7f)) {
                ngx_cira_fsm_close(f, 0, "not an AMT device");
                return 1;
            }

            f->state = NGX_CIRA_VERSION;
            return 0;
        }

        f->head = (*p == 'H');
    }

    method = (char *) (f->head ? head : get);

    if (*p != (u_char) method[f->probe]) {
        ngx_cira_fsm_close(f, 0, "not an AMT device");
        return 1;
    }

    f->probe++;
    f->bytes++;

    if (f->probe == 4) {
        f->state = NGX_CIRA_HTTP;
    }

    return 1;
}


static size_t
ngx_cira_fsm_http(ngx_cira_fsm_t *f, u_char *p, size_t size)
{
    size_t  i;

    for (i = 0; i < size; i++) {

        if (p[i] == (f->crlf % 2 ? LF : CR)) {
            f->crlf++;

        } else {
            f->crlf = (p[i] == CR);
        }

        if (f->crlf == 4 || ++f->bytes >= NGX_CIRA_PROBE_MAX) {
            f->ops->send(f->data, ngx_cira_fsm_head,
                         sizeof(ngx_cira_fsm_head) - 1, 0);

            if (!f->head) {
                f->ops->send(f->data, ngx_cira_fsm_body,
                             sizeof(ngx_cira_fsm_body) - 1, 0);
            }

            ngx_cira_fsm_close(f, 0, "HTTP probe");

            return i + 1;
        }
    }

    return size;
}


/* decides by the first byte, before any length is looked at */

static ngx_int_t
ngx_cira_fsm_begin(ngx_cira_fsm_t *f, u_char type)
{
    ngx_uint_t  i;

    for (i = 0; ngx_cira_fsm_table[i].handler; i++) {

        if (ngx_cira_fsm_table[i].type != type) {
            continue;
        }

        if (!(ngx_cira_fsm_table[i].states & (1 << f->state))) {
            ngx_cira_fsm_close(f, NGX_CIRA_DISCONNECT_PROTOCOL,
                               "message out of order");
            return NGX_ERROR;
        }

        if (f->state < NGX_CIRA_PFWD && ++f->messages > f->max_messages) {
            ngx_cira_fsm_close(f, NGX_CIRA_DISCONNECT_POLICY,
                               "too many messages before login");
            return NGX_ERROR;
        }

        return NGX_OK;
    }

    ngx_cira_fsm_close(f, NGX_CIRA_DISCONNECT_PROTOCOL, "unknown message");

    return NGX_ERROR;
}


static void
ngx_cira_fsm_message(ngx_cira_fsm_t *f)
{
    ngx_uint_t  i;

    for (i = 0; ngx_cira_fsm_table[i].handler; i++) {

        if (ngx_cira_fsm_table[i].type == f->apf.msg.type) {
            ngx_cira_fsm_table[i].handler(f, &f->apf.msg);
            break;
        }
    }
}


static void
ngx_cira_fsm_malformed(ngx_cira_fsm_t *f)
{
    if (f->apf.credentials && f->state == NGX_CIRA_USERAUTH) {
        ngx_cira_fsm_refuse(f);
        return;
    }

    ngx_cira_fsm_close(f, NGX_CIRA_DISCONNECT_PROTOCOL, f->apf.error);
}


static void
ngx_cira_fsm_disconnect(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg)
{
    ngx_cira_fsm_close(f, 0, "device sent DISCONNECT");
}


static void
ngx_cira_fsm_version(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg)
{
    ngx_uint_t  i;

    ngx_cira_apf_guid(f->guid, msg->text->uuid);
    f->identified = 1;

    for (i = 1; i < NGX_CIRA_APF_UUID_LEN; i++) {
        if (f->guid[i] != f->guid[0]) {
            break;
        }
    }

    if (i == NGX_CIRA_APF_UUID_LEN
        && (f->guid[0] == 0 || f->guid[0] == 0xff))
    {
        ngx_cira_fsm_close(f, NGX_CIRA_DISCONNECT_NOT_ALLOWED,
                           "GUID is empty");
        return;
    }

    f->state = NGX_CIRA_AUTH_SERVICE;
}


static void
ngx_cira_fsm_service(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg)
{
    u_char      buf[NGX_CIRA_APF_MESSAGE_MAX];
    ngx_str_t  *name;
    ngx_uint_t  auth, pfwd;

    name = &msg->text->name;

    auth = ngx_cira_fsm_eq(name, "auth@amt.intel.com");
    pfwd = ngx_cira_fsm_eq(name, "pfwd@amt.intel.com");

    if (!auth && !pfwd) {
        ngx_cira_fsm_close(f, NGX_CIRA_DISCONNECT_SERVICE, "unknown service");
        return;
    }

    if ((f->state == NGX_CIRA_AUTH_SERVICE && !auth)
        || (f->state == NGX_CIRA_PFWD && !pfwd))
    {
        ngx_cira_fsm_close(f, NGX_CIRA_DISCONNECT_PROTOCOL,
                           "service out of order");
        return;
    }

    f->ops->send(f->data, buf, ngx_cira_apf_service_accept(buf, name) - buf,
                 0);

    if (f->state == NGX_CIRA_AUTH_SERVICE) {
        f->state = NGX_CIRA_USERAUTH;

    } else if (f->state == NGX_CIRA_PFWD) {
        f->state = NGX_CIRA_READY;
        f->ops->ready(f->data);
    }
}


static void
ngx_cira_fsm_userauth(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg)
{
    u_char                buf[NGX_CIRA_APF_MESSAGE_MAX];
    ngx_cira_apf_text_t  *text;

    text = msg->text;

    if (msg->password && text->user.len
        && ngx_cira_fsm_eq(&text->name, "pfwd@amt.intel.com"))
    {
        f->state = NGX_CIRA_VERIFY;
        f->ops->verify(f->data, text);
        return;
    }

    if (!msg->password && ngx_cira_fsm_eq(&text->method, "none")) {

        /* a probe, bounded by the number of messages */

        f->ops->send(f->data, buf, ngx_cira_apf_userauth_failure(buf) - buf,
                     0);
        return;
    }

    /* no user, another service, or a method whose data nobody knows */

    ngx_cira_fsm_refuse(f);
}


void
ngx_cira_fsm_accept(ngx_cira_fsm_t *f)
{
    u_char  buf[NGX_CIRA_APF_MESSAGE_MAX];

    if (f->state != NGX_CIRA_VERIFY) {
        return;
    }

    ngx_cira_apf_release(&f->apf);

    f->state = NGX_CIRA_PFWD;
    f->ops->send(f->data, buf, ngx_cira_apf_userauth_success(buf) - buf, 0);
}


void
ngx_cira_fsm_refuse(ngx_cira_fsm_t *f)
{
    u_char  buf[NGX_CIRA_APF_MESSAGE_MAX];

    if (f->state == NGX_CIRA_CLOSING) {
        return;
    }

    f->credentials = 1;
    f->ops->send(f->data, buf, ngx_cira_apf_userauth_failure(buf) - buf, 0);

    ngx_cira_fsm_close(f, NGX_CIRA_DISCONNECT_CREDENTIALS, "login refused");
}


static void
ngx_cira_fsm_global(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg)
{
    u_char      buf[NGX_CIRA_APF_MESSAGE_MAX], *p;
    ngx_uint_t  i;

    if (f->state == NGX_CIRA_PFWD) {
        f->state = NGX_CIRA_READY;
        f->ops->ready(f->data);
    }

    if (msg->request == NGX_CIRA_APF_REQUEST_UDP) {
        f->ops->alert(f->data, msg);
        return;
    }

    p = ngx_cira_apf_request_failure(buf);

    switch (msg->request) {

    case NGX_CIRA_APF_REQUEST_FORWARD:

        if (msg->port == 0 || msg->port > 65535) {
            break;
        }

        if (!ngx_cira_fsm_port(f, msg->port)) {
            if (f->nports == NGX_CIRA_FORWARDS_MAX) {
                break;
            }

            f->ports[f->nports++] = (uint16_t) msg->port;
        }

        p = ngx_cira_apf_forward_success(buf, msg->port);
        break;

    case NGX_CIRA_APF_REQUEST_CANCEL:

        for (i = 0; i < f->nports; i++) {
            if (f->ports[i] == msg->port) {
                ngx_cira_fsm_cancel(f, i);
                break;
            }
        }

        p = ngx_cira_apf_request_success(buf);
        break;

    default:
        break;
    }

    if (msg->want_reply) {
        f->ops->send(f->data, buf, p - buf, 0);
    }

    if (msg->request == NGX_CIRA_APF_REQUEST_UNKNOWN) {
        ngx_cira_fsm_close(f, NGX_CIRA_DISCONNECT_PROTOCOL,
                           "unknown global request");
        return;
    }

    if (f->state == NGX_CIRA_READY) {
        f->ops->forwarded(f->data);
    }
}


static void
ngx_cira_fsm_cancel(ngx_cira_fsm_t *f, ngx_uint_t i)
{
    f->nports--;

    while (i < f->nports) {
        f->ports[i] = f->ports[i + 1];
        i++;
    }
}


ngx_uint_t
ngx_cira_fsm_port(ngx_cira_fsm_t *f, ngx_uint_t port)
{
    ngx_uint_t  i;

    for (i = 0; i < f->nports; i++) {
        if (f->ports[i] == port) {
            return 1;
        }
    }

    return 0;
}


static void
ngx_cira_fsm_open(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg)
{
    u_char  buf[NGX_CIRA_APF_MESSAGE_MAX], *p;

    /* 3: nothing here takes WS-Eventing */

    p = ngx_cira_apf_channel_failure(buf, msg->sender, 3);
    f->ops->send(f->data, buf, p - buf, 0);
    f->ops->alert(f->data, msg);
}


static void
ngx_cira_fsm_channel(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg)
{
    f->ops->channel(f->data, msg);
}


static void
ngx_cira_fsm_keepalive(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg)
{
    u_char  buf[NGX_CIRA_APF_MESSAGE_MAX], *p;

    p = ngx_cira_apf_keepalive_reply(buf, msg->cookie);
    f->ops->send(f->data, buf, p - buf, 1);

    if (f->state >= NGX_CIRA_PFWD && f->state < NGX_CIRA_CLOSING) {
        f->ops->alive(f->data);
    }
}


static void
ngx_cira_fsm_reply(ngx_cira_fsm_t *f, ngx_cira_apf_msg_t *msg)
{
    f->ops->alive(f->data);
}


void
ngx_cira_fsm_close(ngx_cira_fsm_t *f, ngx_uint_t reason, char *text)
{
    u_char      buf[NGX_CIRA_APF_MESSAGE_MAX];
    ngx_uint_t  state;

    if (f->state == NGX_CIRA_CLOSING) {
        return;
    }

    state = f->state;
    f->ended = f->state;
    f->state = NGX_CIRA_CLOSING;

    if (reason && state >= NGX_CIRA_VERSION) {
        f->ops->send(f->data, buf,
                     ngx_cira_apf_disconnect(buf, (uint32_t) reason) - buf,
                     0);
    }

    f->ops->closing(f->data, reason, text);
}


void
ngx_cira_fsm_release(ngx_cira_fsm_t *f)
{
    if (f->state == NGX_CIRA_CLOSING
        || (f->state != NGX_CIRA_VERIFY && ngx_cira_apf_between(&f->apf)))
    {
        ngx_cira_apf_release(&f->apf);
    }
}


char *
ngx_cira_fsm_name(ngx_cira_fsm_t *f)
{
    static char  *names[] = {
        "probe", "http", "version", "service", "userauth", "verify", "pfwd",
        "ready"
    };

    return names[f->state == NGX_CIRA_CLOSING ? f->ended : f->state];
}


static ngx_uint_t
ngx_cira_fsm_eq(ngx_str_t *s, const char *text)
{
    return s->len == ngx_strlen(text)
           && ngx_memcmp(s->data, text, s->len) == 0;
}
