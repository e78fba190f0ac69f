
/*
 * AMT device emulator: types shared by all of its files.  One process, one
 * thread, one epoll set, any number of devices.  Nothing here is taken from
 * the server's sources: both sides are written from the same specifications
 * and check each other.
 */


#ifndef _SIM_H_INCLUDED_
#define _SIM_H_INCLUDED_


#include <stddef.h>
#include <stdint.h>
#include <stdarg.h>
#include <sys/types.h>
#include <sys/socket.h>
#include <openssl/ssl.h>


#define SIM_CHANNELS      8           /* AMT's own pool of channels */
#define SIM_NONCES        4           /* digest nonces remembered per device */
#define SIM_FORWARDS      32
#define SIM_CONTEXTS      4           /* enumerations a device keeps open */

typedef struct device_s   device_t;
typedef struct channel_s  channel_t;
typedef struct ev_s       ev_t;
typedef struct tmr_s      tmr_t;


/* buf.c: a byte queue, data[pos..len) is in it; empty ones own no memory */

typedef struct {
    u_char         *data;
    size_t          pos;
    size_t          len;
    size_t          size;
} buf_t;

#define buf_left(b)   ((b)->len - (b)->pos)
#define buf_head(b)   ((b)->data + (b)->pos)

void buf_add(buf_t *b, const void *p, size_t n);
void buf_str(buf_t *b, const char *s);
void buf_fmt(buf_t *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void buf_vfmt(buf_t *b, const char *fmt, va_list args);
void buf_u8(buf_t *b, unsigned v);
void buf_u16le(buf_t *b, unsigned v);
void buf_u32(buf_t *b, uint32_t v);
void buf_u32le(buf_t *b, uint32_t v);
void buf_json(buf_t *b, const char *s);
void buf_xml(buf_t *b, const char *s);
void buf_eat(buf_t *b, size_t n);
void buf_free(buf_t *b);
const char *buf_cstr(buf_t *b);

void *xalloc(size_t n);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
uint32_t get_u32(const u_char *p);
void md5_hex(char out[33], const void *p, size_t n);
void random_bytes(void *p, size_t n);
int  hex_decode(u_char *out, size_t max, const char *s);
void base64(buf_t *b, const u_char *p, size_t n);
int  base64_ok(const char *s, size_t *decoded);
int  base64_decode(u_char *out, size_t max, const char *s);
uint64_t now_ms(void);


/* loop.c */

typedef void (*ev_pt)(ev_t *ev, uint32_t events);
typedef void (*tmr_pt)(tmr_t *t);

struct ev_s {
    int             fd;
    uint32_t        events;
    ev_pt           handler;
    void           *data;
};

struct tmr_s {
    uint64_t        at;
    size_t          heap;             /* index + 1; 0: not armed */
    tmr_pt          handler;
    void           *data;
};

void loop_init(void);
void loop_run(void);
void loop_stop(void);
void ev_set(ev_t *ev, uint32_t events);
void ev_del(ev_t *ev);
void tmr_set(tmr_t *t, uint64_t ms, tmr_pt handler, void *data);
void tmr_del(tmr_t *t);


/* options.c */

typedef struct {
    const char     *mps;
    const char     *guid;
    unsigned        count;
    const char     *user;
    const char     *password;
    const char     *amt_user;
    const char     *amt_password;
    const char     *hostname;
    const char     *realm;
    const char     *version;
    const char     *ports;
    const char     *forward_address;
    unsigned        trigger;
    unsigned        probe_none;
    unsigned        no_want_reply;

    const char     *ca;
    const char     *verify_name;
    const char     *sni;
    const char     *cert;
    const char     *key;
    const char     *tls_min;
    const char     *tls_max;
    const char     *ciphers;
    unsigned        plain;
    const char     *bind;

    unsigned        rate;
    unsigned        parallel;
    unsigned        login_timeout;    /* ms */
    unsigned        hold;             /* ms, 0: for ever */
    unsigned        cycles;
    unsigned        reconnect;        /* ms, 0: no */
    unsigned        reconnect_max;    /* ms */
    unsigned        keepalive;        /* s */

    unsigned        window;
    unsigned        adjust;
    unsigned        max_data;
    unsigned        max_channels;
    unsigned        reuse_delay;      /* s */
    unsigned        pump;
    unsigned        ider_blocks;      /* read at most */

    unsigned        latency;          /* ms */
    unsigned        http_idle;        /* ms */
    unsigned        http_close;
    unsigned        chunk;
    unsigned        nonce_requests;
    unsigned        nonce_seconds;
    unsigned        stale;
    unsigned        lockout;
    unsigned        lockout_seconds;
    const char     *qop;
    unsigned        page;
    unsigned        power_state;
    unsigned        power_delay;      /* ms */
    unsigned        power_drop;
    unsigned        no_lms;
    const char     *control_mode;
    const char     *without;
    const char     *data;

    const char     *misbehave;
    const char     *on_violation;
    const char     *control;
    const char     *image;
    unsigned        events;
    unsigned        stay;
    unsigned        stats;
} options_t;

extern options_t  opt;

void options_parse(int argc, char **argv);
int  options_port(unsigned port);


/* misbehave.c */

enum {
    MIS_BYTEWISE = 0, MIS_PIPELINE, MIS_TWO_VERSIONS, MIS_NO_PFWD,
    MIS_LOGIN_STALL, MIS_REFUSE, MIS_NO_CONFIRM, MIS_WINDOW,
    MIS_ZERO_WINDOW, MIS_WINDOW_MAX, MIS_NEVER_ADJUST, MIS_OVER_WINDOW,
    MIS_DUP_CONFIRM, MIS_DATA_AFTER_CLOSE, MIS_STALE_ADJUST,
    MIS_STALE_CLOSE, MIS_IGNORE_CLOSE, MIS_ZERO_DATA, MIS_CLOSE_ON_OPEN,
    MIS_NO_ANSWER, MIS_HALF_ANSWER, MIS_CLOSE_MID, MIS_DROP_MID,
    MIS_WRONG_RELATES, MIS_GARBAGE_HTTP, MIS_EMPTY_CHALLENGE,
    MIS_BAD_CHALLENGE, MIS_ALWAYS_401, MIS_HUGE_HEADER, MIS_ENDLESS_CHUNK,
    MIS_BAD_CHUNK, MIS_SLOW_DRIP, MIS_EMPTY_400, MIS_FAULT_200, MIS_STATUS,
    MIS_BAD_XML, MIS_DEEP_XML, MIS_EMPTY_BODY, MIS_CONTENT_LENGTH,
    MIS_EXTRA_BYTES, MIS_SILENT_CLOSE, MIS_ENDLESS_PULL,
    MIS_EMPTY_ITEMS, MIS_NEW_NONCE, MIS_FAULT,
    MIS_RETURN, MIS_LOST, MIS_OBEY_FAULT, MIS_OBEY_RETURN, MIS_MUTE,
    MIS_DROP_AFTER, MIS_MUTE_KEEPALIVE, MIS_FLOOD_KEEPALIVE, MIS_N
};

typedef struct {
    long            arg;
    long            left;             /* times to fire; -1: always */
    long            skip;             /* occasions that pass before */
} mis_t;

int  mis_set(device_t *d, const char *text, char *err, size_t n);
long mis(device_t *d, unsigned what);       /* 0: off; counts one firing */
long mis_peek(device_t *d, unsigned what);
long mis_action(device_t *d, unsigned what, const char *action);
void mis_list(buf_t *b);
void mis_json(device_t *d, buf_t *b);


/* device: connection, session, model */

enum {
    ST_IDLE = 0, ST_QUEUED, ST_CONNECT, ST_TLS, ST_AUTH, ST_NONE,
    ST_USERAUTH, ST_PFWD, ST_FORWARD, ST_READY, ST_VANISHED
};

typedef struct {
    uint16_t        port;
    uint8_t         cancel;
} request_t;

typedef struct {
    uint32_t        id;
    uint32_t        at;               /* s */
} closed_t;

typedef struct {
    char            text[33];
    uint32_t        nc;
    uint32_t        uses;
    uint32_t        issued;           /* s */
} nonce_t;

typedef struct inst_s   inst_t;
typedef struct class_s  class_t;
typedef struct own_s    own_t;

typedef struct {
    uint32_t        id;
    uint32_t        next;
    uint32_t        at;               /* s */
    class_t        *cls;
} context_t;

struct device_s {
    ev_t            ev;
    SSL            *ssl;
    buf_t           in;
    buf_t           out;
    tmr_t           timer;            /* login time limit, hold, reconnect */
    tmr_t           keepalive;
    tmr_t           keepalive_limit;
    tmr_t           power_timer;
    device_t       *next;             /* queue of those to be connected */
    device_t       *hash;

    u_char          guid[16];         /* in the order of the text */
    uint32_t        index;
    uint8_t         state;
    uint8_t         logged_in;
    uint8_t         nforwards;
    uint8_t         nrequests;
    uint8_t         options_seen;
    uint8_t         want_write;
    uint8_t         next_channel;
    uint16_t        attempts;
    uint32_t        cycles;
    uint32_t        ka_interval;
    uint32_t        ka_timeout;
    uint32_t        ka_cookie;
    uint32_t        ka_seen;
    uint32_t        max_rid;
    uint64_t        started;
    uint16_t       *forwards;
    request_t      *requests;         /* unanswered global requests, FIFO */
    closed_t       *closed;           /* server ids closed lately */
    uint32_t        nclosed;
    channel_t      *channels[SIM_CHANNELS];
    mis_t          *mis;
    char            *mis_at;          /* fault, return, lost: this action */

    /* what the managed system is doing */
    uint8_t         power;
    uint8_t         os_power;
    uint8_t         power_request;
    uint8_t         next_boot_role;
    uint32_t        boots;
    uint32_t        message_id;
    own_t          *own;              /* classes changed on this device */
    context_t      *contexts;
    uint32_t        context_id;
    char           *boot_source;
    char           *last_boot;        /* JSON of the settings of last boot */
    char           *amt_password;     /* when changed */
    char           *mps_password;
    char           *mebx_password;
    int             clock_offset;
    uint16_t        audit_records;    /* in its logs, and in an answer */
    uint16_t        audit_page;
    uint16_t        event_records;
    uint16_t        event_page;
    char           *audit_hex;        /* the newest record of each, or NULL */
    char           *event_hex;
    unsigned        consent_code;
    unsigned        consent_tries;

    nonce_t        *nonces;
    uint32_t        auth_failed;
    uint32_t        auth_locked;      /* s */
    uint32_t        nreq;
    uint32_t        nopen;
    uint32_t        nviolations;
    char           *last_reason;
};

extern device_t  *devices;
extern unsigned   ndevices;

void device_init(void);
device_t *device_find(const char *text);
const char *device_guid(device_t *d);             /* static buffer */
void device_raw_guid(device_t *d, u_char raw[16]);
char *device_expand(device_t *d, const char *tmpl);     /* caller frees */
const char *device_realm(device_t *d);            /* static buffer */
void device_ha1(device_t *d, const char *user, char ha1[33]);
const char *device_state(device_t *d);


/* conn.c: TCP and TLS */

enum { CLOSE_NORMAL = 0, CLOSE_RST, CLOSE_QUIET };

void conn_init(void);
void conn_start(device_t *d);
void conn_flush(device_t *d);
void conn_close(device_t *d, int how, const char *reason);
void conn_vanish(device_t *d);


/* queue.c and session.c: login and life of the tunnel */

void session_queue(device_t *d, unsigned delay);
void session_hold(device_t *d);
void session_begin(device_t *d);
size_t session_input(device_t *d, const u_char *p, size_t n);
void session_closed(device_t *d, const char *reason);
void session_disconnect(device_t *d, unsigned reason);
void session_disconnected(device_t *d, unsigned reason);
void session_service_accept(device_t *d, const u_char *p, size_t n);
void session_userauth(device_t *d, int ok, const u_char *p, size_t n);
void session_reply(device_t *d, int ok, uint32_t port);
void session_keepalive_options(device_t *d, uint32_t a, uint32_t b);
void session_keepalive_reply(device_t *d, uint32_t cookie);
void session_alert(device_t *d, const char *text);
void session_forward(device_t *d, unsigned port, int cancel);
int  session_forwarded(device_t *d, unsigned port);
void session_quit(void);


/* apf.c: messages */

#define violation(d, ...)  violation_at(d, __VA_ARGS__)

void violation_at(device_t *d, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
size_t apf_input(device_t *d, const u_char *p, size_t n, int *bad);
void apf_version(device_t *d);
void apf_service_request(device_t *d, const char *name);
void apf_userauth(device_t *d, const char *user, const char *password);
void apf_forward(device_t *d, unsigned port, int cancel);
void apf_udp_send(device_t *d, const char *text);
void apf_open(device_t *d, uint32_t id, uint32_t window);
void apf_confirm(device_t *d, uint32_t to, uint32_t id, uint32_t window);
void apf_open_failure(device_t *d, uint32_t to, uint32_t reason);
void apf_adjust(device_t *d, uint32_t to, uint32_t n);
void apf_data(device_t *d, uint32_t to, const void *p, size_t n);
void apf_close(device_t *d, uint32_t to);
void apf_two(device_t *d, unsigned code, uint32_t a, uint32_t b);
void apf_one(device_t *d, unsigned code, uint32_t a);
void apf_disconnect(device_t *d, uint32_t reason);


/* channel.c */

struct channel_s {
    device_t       *d;
    uint32_t        id;               /* ours, 0 is valid */
    uint32_t        rid;              /* the server's */
    uint32_t        window;           /* W of the server */
    uint32_t        credits;          /* what we may still send */
    uint32_t        rx_window;        /* what we offered */
    uint32_t        rx_open;          /* what the server may still send */
    uint32_t        pending;          /* consumed, not granted back */
    uint16_t        port;
    uint8_t         outgoing;         /* opened by us, not confirmed yet */
    uint8_t         close_sent;
    uint8_t         close_got;
    uint8_t         close_after;      /* when out is empty */
    uint8_t         vanish_after;     /* 1: silence, 2: reset */
    uint8_t         busy;             /* an answer is in the making */
    uint8_t         drip;
    uint8_t         parked;           /* do not answer any more */
    unsigned        authed;
    buf_t           in;
    buf_t           out;
    tmr_t           timer;            /* latency, idle */
    tmr_t           drip_timer;
    uint64_t        drip_at;          /* when the next byte is due */
    void           *redir;            /* redirection session, redir.c */
    uint8_t         pump;             /* pump.c */
    SSL            *tls;              /* port 16995, tls.c */
    buf_t           wire;             /* of it, encrypted */
};

void channel_opened(device_t *d, const char *type, uint32_t rid,
    uint32_t window, uint32_t port);
channel_t *channel_open(device_t *d, const char *data);
void channel_confirmed(device_t *d, uint32_t to, uint32_t rid,
    uint32_t window);
void channel_failed(device_t *d, uint32_t to, uint32_t reason);
void channel_adjusted(device_t *d, uint32_t to, uint32_t n);
int  channel_data_check(device_t *d, uint32_t to, uint32_t n);
void channel_data(device_t *d, uint32_t to, const u_char *p, size_t n);
void channel_close_got(device_t *d, uint32_t to);
void channel_close(channel_t *c);
void channel_send(channel_t *c);
void channel_grant(channel_t *c, size_t n);
void channel_free_all(device_t *d);
unsigned channel_count(device_t *d);


/* http.c, digest.c */

void http_input(channel_t *c);
void http_idle(channel_t *c);
int  digest_check(device_t *d, const char *value, const char *method,
    const char *uri, int *stale);
void digest_challenge(device_t *d, buf_t *b, int stale);
nonce_t *digest_nonce(device_t *d, int fresh);
int  digest_verify(device_t *d, const char *user, const char *realm,
    const char *nonce, const char *uri, const char *nc, const char *cnonce,
    const char *qop, const char *response, const char *method, int *stale);


/* pump.c */

int  pump_input(channel_t *c);
void pump_fill(channel_t *c);


/* tls.c */

void tls_open(channel_t *c);
void tls_free(channel_t *c);
int  tls_input(channel_t *c, const u_char *p, size_t n);
buf_t *tls_output(channel_t *c);


/* redir.c */

void redir_input(channel_t *c);
void redir_vnc(channel_t *c);
void redir_free(channel_t *c);


/* xml.c */

typedef struct node_s  node_t;

struct node_s {
    const char     *ns;
    const char     *name;
    char           *text;
    const char     *attr;             /* the Name attribute */
    unsigned        must;             /* mustUnderstand is true */
    unsigned        children;
    node_t         *parent;
    node_t         *first;
    node_t         *last;
    node_t         *next;
};

typedef struct {
    struct arena_s *arena;
    node_t         *root;
    const char     *error;
} xml_t;

int  xml_parse(xml_t *x, const char *p, size_t n);
void xml_free(xml_t *x);
node_t *xml_child(node_t *n, const char *ns, const char *name);


/* soap.c */

#define NS_SOAP    "http://www.w3.org/2003/05/soap-envelope"
#define NS_WSA     "http://schemas.xmlsoap.org/ws/2004/08/addressing"
#define NS_WSMAN   "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
#define NS_ENUM    "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
#define NS_XFER    "http://schemas.xmlsoap.org/ws/2004/09/transfer"
#define NS_COMMON  "http://schemas.dmtf.org/wbem/wscim/1/common"
#define NS_AMT     "http://intel.com/wbem/wscim/1/amt-schema/1/"
#define NS_IPS     "http://intel.com/wbem/wscim/1/ips-schema/1/"
#define NS_CIM     "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/"

typedef struct {
    device_t       *d;
    const char     *action;
    const char     *uri;
    const char     *message_id;
    node_t         *selectors;
    node_t         *body;
    class_t        *cls;

    /* the answer */
    const char     *fault;            /* "b:DestinationUnreachable" ... */
    const char     *fault_text;
    int             fault_status;
    long            drop;             /* 1: lose the connection afterwards */
    const char     *ns[18];           /* prefixes g ... x */
    unsigned        nns;
    buf_t           out;
} soap_t;

/* returns the HTTP status; body is empty or an envelope */
int  soap_handle(device_t *d, const char *p, size_t n, buf_t *body,
    long *drop);
char soap_prefix(soap_t *s, const char *ns);
int  soap_fault(soap_t *s, const char *code, const char *text);


/* model.c, put.c, data.c */

enum {
    T_STR = 0, T_BOOL, T_U8, T_U16, T_U32, T_U64, T_I32, T_B64, T_DT,
    T_INTERVAL, T_EPR
};

enum {
    F_WRITE = 1, F_HIDDEN = 2, F_MUST = 4, F_OPTIONAL = 8, F_KEY = 16,
    F_ARRAY = 32, F_BLANK = 64, F_DROP = 128
};

typedef struct {
    char           *name;
    uint8_t         type;
    uint8_t         flags;
    uint16_t        max_items;
    uint64_t        min;
    uint64_t        max;
} field_t;

typedef struct {
    uint16_t        field;
    uint8_t         tmpl;             /* text has %name% in it */
    char           *text;
} val_t;

struct inst_s {
    inst_t         *next;
    unsigned        n;
    val_t          *vals;
};

enum { OP_GET = 1, OP_ENUM = 2, OP_PUT = 4, OP_DELETE = 8, OP_CREATE = 16,
       OP_SELECT = 32, OP_COMPLETE = 64, OP_EMPTY = 128 };

struct class_s {
    class_t        *next;
    char           *name;
    char           *uri;
    unsigned        ops;
    unsigned        nfields;
    field_t        *fields;
    inst_t         *insts;
    unsigned        nmembers;         /* superclass: what it enumerates */
    class_t       **members;
};

struct own_s {
    own_t          *next;
    class_t        *cls;
    inst_t         *insts;
};

void data_load(const char *text, size_t n, const char *file);
void model_add_class(class_t *cls);
class_t *model_next(class_t *c);
void model_expand(device_t *d, const char *name, buf_t *b);
class_t *model_class(const char *name);
class_t *model_uri(const char *uri);
inst_t *model_insts(device_t *d, class_t *cls);
inst_t **model_own(device_t *d, class_t *cls);
inst_t *model_one(device_t *d, const char *cls);
int  field_find(class_t *cls, const char *name, size_t len);
const char *model_get(device_t *d, class_t *cls, inst_t *i,
    const char *field);                           /* static buffer */
void model_set(class_t *cls, inst_t *i, const char *field, const char *v);
void model_set_data(class_t *cls, inst_t *i, const char *field,
    const char *v);
int  model_set_text(device_t *d, const char *path, const char *value,
    char *err, size_t n);
inst_t *model_add(device_t *d, const char *cls);
int  model_remove(device_t *d, class_t *cls, inst_t *i);
void model_json(device_t *d, class_t *cls, buf_t *b);
void model_render(soap_t *s, class_t *cls, inst_t *i);
void epr_render(soap_t *s, const char *value);
char *epr_text(node_t *n);
char *epr_key(const char *epr, const char *key);
void model_create(soap_t *s);
void tls_context_fix(inst_t *i);
inst_t *model_find(device_t *d, const char *cls, const char *field,
    const char *value);
void model_relate(device_t *d, const char *cls, const char *a_field,
    const char *a, const char *b_field, const char *b);
void model_unrelate(device_t *d, const char *cls, const char *field,
    const char *epr);
inst_t *model_select(soap_t *s, class_t *cls, node_t *selectors);
void insts_free(inst_t *i);
int  value_ok(field_t *f, node_t *n, char **text);
void model_put(soap_t *s);
void model_enumerate(soap_t *s);
void model_pull(soap_t *s);


/* methods.c and the classes with a life of their own */

typedef struct {
    const char     *name;
    uint8_t         type;
    uint8_t         flags;            /* F_MUST, F_ARRAY */
    uint64_t        max;
} param_t;

typedef struct {
    const char     *cls;
    const char     *method;
    const param_t  *params;
    int           (*handler)(soap_t *s, node_t *in);  /* ReturnValue */
} method_t;

#define METHOD_FAULT  -1
#define SOAP_MUTE     2               /* of *drop: there is no answer */

const method_t *method_find(const char *cls, const char *name);
int  method_check(soap_t *s, const method_t *m, node_t *in);
const char *method_arg(node_t *in, const char *name);
long method_num(node_t *in, const char *name);
void out_text(soap_t *s, const char *name, const char *text);
void out_epr(soap_t *s, const char *name, const char *cls,
    const char *pairs);

extern const method_t  power_methods[];
extern const method_t  boot_methods[];
extern const method_t  admin_methods[];
extern const method_t  log_methods[];
extern const method_t  feature_methods[];
extern const method_t  cert_methods[];
extern const method_t  network_methods[];
extern const method_t  remote_methods[];

void power_set(device_t *d, unsigned state);
void boot_apply(device_t *d, unsigned request);
int  boot_check_put(soap_t *s, inst_t *i);
int  optin_check_put(soap_t *s, inst_t *i);
void logs_init(device_t *d);
/* "audit-records", "audit-page", ...; -1: no such key */
int logs_set(device_t *d, const char *key, const char *value);
void feature_listener(device_t *d);
int  certs_delete(soap_t *s, inst_t *i);
int  network_delete(soap_t *s, inst_t *i);
void remote_delete(soap_t *s, inst_t *i);
inst_t *feature_embedded(soap_t *s, node_t *e, const char *cls);


/* events.c */

typedef struct {
    uint64_t        started;
    uint64_t        first_login;
    uint64_t        last_login;
    uint64_t        logins;
    uint64_t        refused;
    uint64_t        failed;
    uint64_t        disconnects;
    uint64_t        violations;
    uint64_t        opens;
    uint64_t        requests;
    uint64_t        unauthorized;
    uint64_t        faults;
    uint64_t        http_bad;
    uint64_t        keepalives;
    uint64_t        bytes_in;
    uint64_t        bytes_out;
    uint64_t        login_ms;
    uint64_t        login_ms_max;
    uint64_t        connected;
    uint64_t        peak;
    uint64_t        busy;
} stats_t;

extern stats_t  st;

void event(device_t *d, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void event0(device_t *d, const char *name);
void events_end(void);
const char *js(const char *s);
void stats_json(buf_t *b);


/* control.c */

void control_init(void);
void control_quit(void);


#endif /* _SIM_H_INCLUDED_ */
