
/*
 * CIRA session up to READY, keepalive and the end, on a connection in memory:
 * contract apf.md sections 6.1, 7, 10, 11, 13, 16.1 and the cases of section
 * 17 that are about them.
 */


#include "cira_peer.h"
#include "ngx_cira_zone.h"
#include "tap.h"


static mock_t  mock, other;

#define FAILURE    "\x33\0\0\0\x08password\0"
#define ACCEPT     "\x06\0\0\0\x12"
#define AUTH       ACCEPT "auth@amt.intel.com"
#define PFWD       ACCEPT "pfwd@amt.intel.com"


/* TRUE when the gateway has sent exactly this since the last call */

static int
sent(mock_t *m, const char *p, size_t size)
{
    int     good;
    size_t  i;

    good = (m->out_len - m->out_pos == size
            && (size == 0
                || ngx_memcmp(m->out + m->out_pos, p, size) == 0));

    if (!good) {
        printf("# sent:");
        for (i = m->out_pos; i < m->out_len && i < m->out_pos + 64; i++) {
            printf(" %02x", m->out[i]);
        }
        printf("\n");
    }

    m->out_pos = m->out_len;

    return good;
}

#define SENT(m, text)  sent(m, text, sizeof(text) - 1)


static void
send_login(mock_t *m, u_char id)
{
    mock_open(m);
    peer_begin();
    peer_version(id);
    peer_service("auth@amt.intel.com");
    peer_login("admin", "P@ssw0rd");
    peer_send(m);
}


static void
test_login(void)
{
    int                  i;
    ngx_cira_session_t  *s;
    mock_t              *m = &mock;

    mock_open(m);
    ok(ngx_cira_sessions_pending() == 1, "one session is not logged in");

    peer_begin();
    peer_version(0x21);
    peer_service("auth@amt.intel.com");
    peer_send(m);
    ok(SENT(m, AUTH), "auth service accepted");

    peer_begin();
    peer_login("admin", NULL);
    peer_send(m);
    ok(SENT(m, FAILURE) && !m->finalized, "the none probe is answered");

    peer_begin();
    peer_login("admin", "P@ssw0rd");
    peer_service("pfwd@amt.intel.com");
    peer_forward(16992, 1);
    peer_send(m);
    ok(SENT(m, "") && m->asked == 1, "nothing is read while asking");
    ok(m->user_len == 5 && ngx_memcmp(m->user, "admin", 5) == 0
       && m->password_len == 8
       && ngx_memcmp(m->password, "P@ssw0rd", 8) == 0, "user and password");

    s = m->s;
    ok(ngx_cira_session_find(s->fsm.guid) == NULL, "not to be found yet");

    mock_answer(m, NGX_OK, "acme");
    ok(SENT(m, "\x34" PFWD "\x51\0\0\x42\x60"),
       "what was pipelined is done after the decision, in order");
    ok(m->connected == 1 && m->logins == 1 && m->leaves == 1,
       "registered, counted");
    ok(ngx_cira_session_find(s->fsm.guid) == s
       && ngx_cira_session_next(NULL) == s
       && ngx_cira_session_next(s->fsm.guid) == NULL, "to be found");
    ok(s->id.tenant.len == 4 && ngx_memcmp(s->id.tenant.data, "acme", 4) == 0,
       "tenant");
    ok(ngx_cira_sessions_pending() == 0, "none is pending");
    ok(s->fsm.apf.msg.text == NULL && s->held == NULL && s->out == NULL,
       "an idle session has no buffers");

    mock_sleep(400);
    ok(SENT(m, "\xd2\0\0\0\x1e\0\0\0\0"), "keepalive options, once");
    mock_sleep(5000);

    peer_begin();
    peer_forward(16993, 1);
    peer_forward(16993, 1);
    peer_forward(5900, 0);
    peer_send(m);
    mock_sleep(2000);
    ok(SENT(m, "\x51\0\0\x42\x61\x51\0\0\x42\x61"),
       "later forwards, a duplicate, and one that wants no reply");

    peer_begin();
    *peer_p++ = 80;
    peer_str("cancel-tcpip-forward");
    *peer_p++ = 7;
    peer_str("0.0.0.0");
    peer_u32(16992);
    peer_send(m);
    ok(SENT(m, "\x51") && !ngx_cira_fsm_port(&s->fsm, 16992)
       && ngx_cira_fsm_port(&s->fsm, 16993)
       && ngx_cira_fsm_port(&s->fsm, 5900), "cancel");

    peer_begin();
    peer_forward(0, 1);
    peer_forward(65536, 1);
    peer_forward(0xffffffff, 1);
    peer_send(m);
    ok(SENT(m, "\x52\x52\x52") && s->fsm.nports == 2, "impossible ports");

    peer_begin();
    for (i = 1; i <= 10000; i++) {
        peer_forward(i, 0);
    }
    peer_send(m);
    ok(SENT(m, "") && s->fsm.nports == NGX_CIRA_FORWARDS_MAX,
       "10000 forwards, 32 are kept");
    ok(m->s == s, "and the session lives");

    peer_begin();
    peer_forward(20000, 1);
    peer_service("auth@amt.intel.com");
    peer_msg(208, 1, 7, 0, 0, 0);
    peer_msg(209, 1, 8, 0, 0, 0);
    peer_msg(211, 2, 30, 0, 0, 0);
    peer_send(m);
    ok(SENT(m, "\x52" AUTH "\xd1\0\0\0\x07"),
       "one more forward, service again, keepalive messages");
    ok(m->seen == 3, "seen");

    peer_begin();
    *peer_p++ = 80;
    peer_str("udp-send-to@amt.intel.com");
    *peer_p++ = 0;
    peer_str("192.168.1.1");
    peer_u32(162);
    peer_str("10.0.0.5");
    peer_u32(16992);
    peer_str("ABCD");
    peer_send(m);
    ok(SENT(m, "") && m->alerts == 1
       && strcmp(m->alert, "datagram of 4 bytes to 192.168.1.1:162 "
                 "from 10.0.0.5:16992") == 0, "a datagram is an alert");

    peer_begin();
    for (i = 0; i < 100; i++) {
        *peer_p++ = 90;
        peer_str("direct-tcpip");
        peer_u32(i);
        peer_u32(1000);
        peer_u32(0xffffffff);
        peer_str("host");
        peer_u32(4000);
        peer_str("");
        peer_u32(0);
    }
    peer_send(m);
    ok(m->out_len - m->out_pos == 1700
       && ngx_memcmp(m->out + m->out_pos + 17,
                     "\x5c\0\0\0\x01\0\0\0\x03\0\0\0\0\0\0\0\0", 17) == 0
       && m->alerts == NGX_CIRA_ALERTS,
       "100 channels of the device are refused, few are told");
    m->out_pos = m->out_len;

    peer_begin();
    peer_msg(1, 1, 11, 0, 0, 0);
    *peer_p++ = 0;
    *peer_p++ = 0;
    peer_data(1, 20, 'x');
    peer_send(m);
    ok(SENT(m, "") && m->finalized == 1 && m->disconnected == 1
       && m->logouts == 1 && m->failures == 0, "DISCONNECT with a rest");
    mock_close(m);
}


static void
test_refused(void)
{
    mock_t  *m = &mock;

    send_login(m, 0x21);
    mock_answer(m, NGX_DECLINED, NULL);
    ok(SENT(m, AUTH FAILURE "\x01\0\0\0\x0f\0\0") && m->finalized
       && m->failures == 1 && m->leaves == 1 && m->logins == 0
       && m->connected == 0, "refused: FAILURE, DISCONNECT 15");
    mock_close(m);

    mock_open(m);
    peer_begin();
    peer_version(0x21);
    peer_service("auth@amt.intel.com");
    peer_login("", "P@ssw0rd");
    peer_send(m);
    ok(SENT(m, AUTH FAILURE "\x01\0\0\0\x0f\0\0") && m->finalized
       && m->failures == 1 && m->asked == 0, "no user: nobody is asked");
    mock_close(m);

    mock_open(m);
    peer_begin();
    peer_version(0x21);
    peer_service("auth@amt.intel.com");
    *peer_p++ = 50;
    peer_u32(65);
    peer_send(m);
    ok(SENT(m, AUTH FAILURE "\x01\0\0\0\x0f\0\0") && m->finalized
       && m->failures == 1, "user too long");
    mock_close(m);

    mock_open(m);
    peer_begin();
    peer_version(0x21);
    peer_service("auth@amt.intel.com");
    *peer_p++ = 50;
    peer_str("admin");
    peer_str("pfwd@amt.intel.com");
    peer_str("publickey");
    peer_str("whatever this is");
    peer_send(m);
    ok(SENT(m, AUTH FAILURE "\x01\0\0\0\x0f\0\0") && m->finalized,
       "unknown method");
    mock_close(m);

    send_login(m, 0x21);
    m->login_rc = NGX_DECLINED;
    mock_answer(m, NGX_OK, NULL);
    ok(SENT(m, AUTH "\x01\0\0\0\x11\0\0") && m->finalized
       && m->connected == 0 && m->logouts == 0 && m->failures == 0,
       "quarantined");
    mock_close(m);

    send_login(m, 0x21);
    m->login_rc = NGX_ERROR;
    mock_answer(m, NGX_OK, NULL);
    ok(SENT(m, AUTH "\x01\0\0\0\x0c\0\0") && m->finalized, "registry full");
    mock_close(m);

    send_login(m, 0x21);
    mock_answer(m, NGX_OK, "a-tenant-that-is-longer-than-36-bytes");
    ok(SENT(m, AUTH) && !m->finalized && m->logins == 0,
       "an impossible tenant lets nobody in");
    mock_close(m);

    /* limits of the device, as the service says */

    send_login(m, 0x21);
    mock_answer(m, NGX_OK, NULL);
    ok(m->s->max_channels == 6, "channels as configured");
    mock_close(m);

    send_login(m, 0x21);
    m->channels = 2;
    mock_answer(m, NGX_OK, "a-tenant-of-exactly-thirty-six-bytes");
    ok(m->s->max_channels == 2 && m->s->id.tenant.len == 36,
       "channels as the service says, the longest tenant");
    mock_close(m);
}


static void
test_down(void)
{
    mock_t  *m = &mock;

    send_login(m, 0x21);
    mock_answer(m, NGX_ERROR, NULL);
    ok(SENT(m, AUTH) && !m->finalized, "service down: held");
    mock_sleep(4000);
    ok(m->asked == 1, "not asked again at once");
    mock_sleep(1500);
    ok(m->asked == 2 && m->password_len == 8
       && ngx_memcmp(m->password, "P@ssw0rd", 8) == 0, "asked again");
    mock_answer(m, NGX_ERROR, NULL);
    mock_sleep(5500);
    mock_answer(m, NGX_OK, NULL);
    ok(SENT(m, "\x34") && m->connected == 1, "let in when it is back");
    ok(m->s->fsm.apf.msg.text == NULL, "password wiped");
    mock_close(m);

    send_login(m, 0x21);
    m->auth_none = 1;
    mock_answer(m, NGX_ERROR, NULL);
    mock_sleep(31000);
    ok(SENT(m, AUTH "\x01\0\0\0\x12\0\0") && m->finalized && m->asked == 6
       && m->failures == 0, "down until the login timeout: DISCONNECT 18");
    mock_close(m);

    send_login(m, 0x21);
    mock_sleep(31000);
    ok(SENT(m, AUTH "\x01\0\0\0\x10\0\0") && m->finalized
       && m->cancelled == 1, "no answer until then: DISCONNECT 16");
    mock_close(m);

    /* with bytes behind the login, which nobody reads any more */

    mock_open(m);
    peer_begin();
    peer_version(0x21);
    peer_service("auth@amt.intel.com");
    peer_login("admin", "P@ssw0rd");
    peer_service("pfwd@amt.intel.com");
    peer_send(m);
    ok(m->s->held_size == 23, "what is behind the login is held");
    m->eof = 1;
    m->read.pending_eof = 1;
    ngx_post_event(&m->read, &ngx_posted_events);
    mock_loop();
    ok(m->finalized && m->cancelled == 1 && m->leaves == 1,
       "connection closed while asking");
    mock_close(m);

    send_login(m, 0x21);
    m->failed = 1;
    mock_answer(m, NGX_OK, NULL);
    ok(m->finalized && m->connected == 1 && m->disconnected == 1
       && m->logouts == 1, "connection broken when let in");
    mock_close(m);
}


static void
case_closed(const char *name, const char *expect, size_t size)
{
    size_t   i, n;
    u_char   copy[8192];
    mock_t  *m = &mock;

    n = peer_p - peer_buf;
    ngx_memcpy(copy, peer_buf, n);

    mock_open(m);
    mock_device(m, copy, n);
    ok(sent(m, expect, size) && m->finalized == 1, "%s", name);
    mock_close(m);

    mock_open(m);
    for (i = 0; i < n; i++) {
        mock_device(m, copy + i, 1);
    }
    ok(sent(m, expect, size) && m->finalized == 1, "%s, byte by byte", name);
    mock_close(m);
}

#define CLOSED(name, expect)  case_closed(name, expect, sizeof(expect) - 1)
#define PROTOCOL              "\x01\0\0\0\x02\0\0"


static void
test_order(void)
{
    int          i;
    const char  *probe;

    static u_char  before[] = { 5, 208, 209, 211 };
    static u_char  text[] = { 50, 80, 90, 91, 92, 93, 94, 97 };
    static u_char  unknown[] = { 0, 2, 6, 51, 52, 81, 82, 95, 96, 98, 210,
                                 250, 255 };

    for (i = 0; i < (int) sizeof(before); i++) {
        peer_begin();
        *peer_p++ = before[i];
        case_closed("a message before PROTOCOLVERSION", PROTOCOL,
                    sizeof(PROTOCOL) - 1);
    }

    for (i = 0; i < (int) sizeof(text); i++) {
        peer_begin();
        *peer_p++ = text[i];
        CLOSED("text that could be APF: closed without a word", "");

        peer_begin();
        peer_version(0x21);
        *peer_p++ = text[i];
        CLOSED("a message before the auth service", PROTOCOL);
    }

    for (i = 0; i < (int) sizeof(unknown); i++) {
        peer_begin();
        *peer_p++ = unknown[i];
        CLOSED("not APF: closed without a word", "");

        peer_begin();
        peer_version(0x21);
        *peer_p++ = unknown[i];
        CLOSED("unknown message", PROTOCOL);
    }

    peer_begin();
    peer_version(0x21);
    peer_version(0x31);
    CLOSED("second PROTOCOLVERSION", PROTOCOL);

    peer_begin();
    peer_version(0x21);
    peer_login("admin", "P@ssw0rd");
    CLOSED("login before the auth service", PROTOCOL);

    peer_begin();
    peer_version(0x21);
    peer_service("pfwd@amt.intel.com");
    CLOSED("pfwd before login", PROTOCOL);

    peer_begin();
    peer_version(0x21);
    peer_service("x@amt.intel.com");
    CLOSED("unknown service", "\x01\0\0\0\x07\0\0");

    peer_begin();
    peer_version(0x21);
    peer_service("auth@amt.intel.com");
    peer_data(1, 3, 'x');
    CLOSED("data before login", AUTH PROTOCOL);

    peer_begin();
    peer_version(0x21);
    peer_msg(1, 1, 2, 0, 0, 0);
    *peer_p++ = 0;
    *peer_p++ = 0;
    CLOSED("DISCONNECT before login", "");

    peer_begin();
    peer_version(0xff);
    peer_p[-65] = 0xff;
    CLOSED("GUID of ones", "\x01\0\0\0\x01\0\0");

    peer_begin();
    peer_version(0);
    peer_p[-65] = 0;
    CLOSED("GUID of zeros", "\x01\0\0\0\x01\0\0");

    peer_begin();
    peer_version(0x21);
    peer_service("auth@amt.intel.com");
    for (i = 0; i < 14; i++) {
        peer_login("admin", NULL);
    }
    peer_msg(208, 1, 0, 0, 0, 0);
    CLOSED("the 17th message",
           AUTH FAILURE FAILURE FAILURE FAILURE FAILURE FAILURE FAILURE
           FAILURE FAILURE FAILURE FAILURE FAILURE FAILURE FAILURE
           "\x01\0\0\0\x11\0\0");

    for (probe = "\n\rSELX~\x80"; *probe; probe++) {
        peer_begin();
        *peer_p++ = (u_char) *probe;
        CLOSED("a scanner", "");
    }

    peer_begin();
    peer_p = ngx_cpymem(peer_p, "GETS", 4);
    CLOSED("almost GET", "");

    peer_begin();
    peer_p = ngx_cpymem(peer_p, "HELP", 4);
    CLOSED("almost HEAD", "");
}


/* the least of each message a device may send */

static void
least(u_char type)
{
    switch (type) {

    case 5:
        peer_service("pfwd@amt.intel.com");
        return;

    case 50:
        peer_login("admin", NULL);
        return;

    case 80:
        peer_forward(16992, 0);
        return;

    case 90:
        *peer_p++ = 90;
        peer_str("");
        peer_u32(1);
        peer_u32(0);
        peer_u32(0);
        peer_str("");
        peer_u32(0);
        peer_str("");
        peer_u32(0);
        return;

    case 91:
    case 92:
        peer_msg(type, 4, 1, 0, 0, 0);
        return;

    case 93:
    case 94:
    case 211:
        peer_msg(type, 2, 1, 0, 0, 0);
        return;

    case 192:
        peer_version(0x31);
        return;

    case 1:
        peer_msg(1, 1, 11, 0, 0, 0);
        *peer_p++ = 0;
        *peer_p++ = 0;
        return;

    default:
        peer_msg(type, 1, 1, 0, 0, 0);
        return;
    }
}


/* apf.md section 16.1, each message in each state in which one is read */

static void
test_states(void)
{
    int      i, k, closed, told, good;
    mock_t  *m = &mock;

    enum { version, service, userauth, pfwd, ready, states };

    static const char  *names[] = { "version", "service", "userauth", "pfwd",
                                    "ready" };

    static struct {
        u_char       type;
        const char  *fate[states];       /* "+": accepted; "2", "7", "15":
                                            DISCONNECT; "-": closed */
    } t[] = {
        { 1,   { "-", "-", "-", "-", "-" } },
        { 5,   { "2", "2", "2", "+", "+" } },
        { 50,  { "2", "2", "+", "2", "2" } },
        { 80,  { "2", "2", "2", "+", "+" } },
        { 90,  { "2", "2", "2", "2", "+" } },
        { 91,  { "2", "2", "2", "2", "+" } },
        { 92,  { "2", "2", "2", "2", "+" } },
        { 93,  { "2", "2", "2", "2", "+" } },
        { 94,  { "2", "2", "2", "2", "+" } },
        { 97,  { "2", "2", "2", "2", "+" } },
        { 192, { "+", "2", "2", "2", "2" } },
        { 208, { "2", "+", "+", "+", "+" } },
        { 209, { "2", "2", "2", "2", "+" } },
        { 211, { "2", "2", "2", "2", "+" } },
        { 95,  { "2", "2", "2", "2", "2" } },
        { 96,  { "2", "2", "2", "2", "2" } },
        { 210, { "2", "2", "2", "2", "2" } },
        { 250, { "2", "2", "2", "2", "2" } },
    };

    for (i = 0; i < (int) (sizeof(t) / sizeof(t[0])); i++) {

        for (k = version; k < states; k++) {
            mock_open(m);

            /* the first byte decides whether it is a device at all */

            if (k == version) {
                m->s->fsm.state = NGX_CIRA_VERSION;
            }

            peer_begin();

            if (k >= service) {
                peer_version(0x21);
            }

            if (k >= userauth) {
                peer_service("auth@amt.intel.com");
            }

            if (k >= pfwd) {
                peer_login("admin", "x");
            }

            if (peer_p > peer_buf) {
                peer_send(m);
            }

            if (k >= pfwd) {
                mock_answer(m, NGX_OK, NULL);
            }

            if (k >= ready) {
                peer_begin();
                peer_service("pfwd@amt.intel.com");
                peer_send(m);
            }

            m->out_pos = m->out_len;
            peer_begin();
            least(t[i].type);
            peer_send(m);

            closed = m->finalized;
            told = closed && m->out_len - m->out_pos == 7
                   && m->out[m->out_pos] == 1 ? m->out[m->out_pos + 4] : 0;

            switch (t[i].fate[k][0]) {

            case '+':
                good = !closed;
                break;

            case '-':
                good = closed && m->out_len == m->out_pos;
                break;

            default:
                good = closed && told == atoi(t[i].fate[k]);
            }

            ok(good, "message %d in state %s: %s", t[i].type, names[k],
               t[i].fate[k]);
            mock_close(m);
        }
    }

    /* a service that is not its turn, a login for another service */

    send_login(m, 0x21);
    mock_answer(m, NGX_OK, NULL);
    m->out_pos = m->out_len;
    peer_begin();
    peer_service("auth@amt.intel.com");
    peer_send(m);
    ok(m->finalized && SENT(m, PROTOCOL), "the auth service after login");
    mock_close(m);

    mock_open(m);
    peer_begin();
    peer_version(0x21);
    peer_service("auth@amt.intel.com");
    *peer_p++ = 50;
    peer_str("admin");
    peer_str("auth@amt.intel.com");
    peer_str("password");
    *peer_p++ = 0;
    peer_str("P@ssw0rd");
    peer_send(m);
    ok(m->finalized && m->asked == 0 && m->failures == 1
       && SENT(m, AUTH FAILURE "\x01\0\0\0\x0f\0\0"),
       "a login for another service");
    mock_close(m);
}


static void
test_probe(void)
{
    u_char   buf[5000];
    size_t   i;
    mock_t  *m = &mock;

    static char  get[] = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
    static char  head[] = "HEAD / HTTP/1.0\r\r\n\r\n\r\n";

    mock_open(m);
    for (i = 0; i < sizeof(get) - 1; i++) {
        ok(i == 0 || m->out_len == 0 || i > 100, "not yet");
        mock_device(m, (u_char *) get + i, 1);
    }
    m->out = realloc(m->out, m->out_len + 1);
    m->out[m->out_len] = '\0';
    ok(m->finalized && strstr((char *) m->out, "HTTP/1.1 200 OK\r\n")
       && strstr((char *) m->out, "</html>")
       && strstr((char *) m->out, "nginx") == NULL, "GET");
    mock_close(m);

    mock_open(m);
    mock_device(m, (u_char *) head, sizeof(head) - 1);
    ok(m->finalized && m->out_len > 17
       && ngx_memcmp(m->out + m->out_len - 4, "\r\n\r\n", 4) == 0
       && m->failures == 0, "HEAD: no body");
    mock_close(m);

    mock_open(m);
    ngx_memset(buf, 'x', sizeof(buf));
    ngx_memcpy(buf, "GET ", 4);
    mock_device(m, buf, 4095);
    ok(!m->finalized && m->out_len == 0, "4095 bytes of headers");
    mock_device(m, buf, 5000);
    ok(m->finalized && m->out_len, "answered at 4096");
    mock_close(m);

    mock_open(m);
    mock_device(m, (u_char *) "GET /", 5);
    mock_sleep(31000);
    ok(m->finalized && m->out_len == 0, "a slow probe ends at the timeout");
    mock_close(m);
}


static void
test_caps(void)
{
    mock_t  *m = &mock;

    /* a login whose rest is larger than the login buffer */

    mock_open(m);
    peer_begin();
    peer_version(0x21);
    peer_service("auth@amt.intel.com");
    peer_login("admin", "P@ssw0rd");
    while (peer_p - peer_buf < 6000) {
        peer_msg(208, 1, 0, 0, 0, 0);
    }
    peer_send(m);
    ok(m->asked == 1 && m->in_pos == 4096 && m->s->held_size < 4096,
       "no more than the login buffer is read before login");
    mock_answer(m, NGX_OK, NULL);
    ok(!m->finalized && m->in_pos == m->in_len, "the rest after it");
    mock_close(m);

    mock_open(m);
    m->s->fsm.max_messages = 60000;
    peer_begin();
    peer_version(0x21);
    while (peer_p - peer_buf < 4095) {
        peer_msg(208, 1, 0, 0, 0, 0);
    }
    peer_p = peer_buf + 4095;
    peer_send(m);
    ok(!m->finalized, "4095 bytes before login");
    peer_begin();
    peer_msg(208, 1, 0, 0, 0, 0);
    peer_send(m);
    ok(m->finalized && m->asked == 0
       && ngx_memcmp(m->out + m->out_len - 7, "\x01\0\0\0\x11\0\0", 7) == 0,
       "too many bytes before login, in whatever pieces");
    mock_close(m);

    mock_open(m);
    mock_sleep(29000);
    ok(!m->finalized, "a silent connection is held");
    mock_sleep(2000);
    ok(m->finalized && m->out_len == 0 && m->leaves == 1, "for 30 s");
    mock_close(m);

    send_login(m, 0x21);
    mock_answer(m, NGX_OK, NULL);
    m->out_pos = m->out_len;
    mock_sleep(16000);
    ok(m->finalized && SENT(m, "\x01\0\0\0\x10\0\0"),
       "no forward within 15 s");
    mock_close(m);

    send_login(m, 0x21);
    mock_answer(m, NGX_OK, NULL);
    m->out_pos = m->out_len;
    peer_begin();
    peer_forward(16992, 1);
    peer_send(m);
    ok(SENT(m, "\x51\0\0\x42\x60") && m->s->fsm.state == NGX_CIRA_READY,
       "a forward without the pfwd service");
    peer_begin();
    *peer_p++ = 80;
    peer_str("unknown@example.org");
    *peer_p++ = 1;
    peer_str("body");
    peer_send(m);
    ok(SENT(m, "\x52" PROTOCOL) && m->finalized, "unknown global request");
    mock_close(m);
}


static void
test_keepalive(void)
{
    int      i;
    size_t   n;
    mock_t  *m = &mock;

    peer_ready(m, 0x21);
    mock_sleep(43000);
    ok(SENT(m, ""), "quiet for 44 s");
    mock_sleep(3000);
    ok(SENT(m, "\xd0\0\0\0\x01"), "the device is asked");
    peer_begin();
    peer_msg(209, 1, 1, 0, 0, 0);
    peer_send(m);
    ok(m->seen == 1 && m->told == 0, "seen, but not long ago");
    mock_sleep(20000);
    peer_begin();
    peer_msg(209, 1, 1, 0, 0, 0);
    peer_msg(208, 1, 1, 0, 0, 0);
    peer_send(m);
    ok(m->seen == 3 && m->told == 1, "an event a minute");
    m->out_pos = m->out_len;
    mock_sleep(46000);
    ok(SENT(m, "\xd0\0\0\0\x02"), "and again 45 s later");
    mock_sleep(40000);
    ok(!m->finalized, "85 s");
    mock_sleep(7000);
    ok(SENT(m, "\x01\0\0\0\x10\0\0") && m->finalized && m->disconnected == 1,
       "given up after 90 s");
    mock_close(m);

    /* a flood: answered while the device reads, dropped when it does not */

    peer_ready(m, 0x21);
    for (i = 0; i < 10; i++) {
        peer_begin();
        for (n = 0; n < 10000; n++) {
            peer_msg(208, 1, n, 0, 0, 0);
        }
        peer_send(m);
    }
    ok(m->out_len == 500000 && !m->finalized, "100000 are answered");
    m->out_len = m->out_pos = 0;
    m->room = 0;
    peer_send(m);
    ok(!m->finalized && m->out_len == 0
       && m->s->out_last - m->s->out <= 18432, "bounded when it is stuck");
    mock_writable(m, -1);
    ok(m->out_len > 16000 && m->out_len % 5 == 0 && !m->moved,
       "whole replies, at the same place");
    m->out_pos = m->out_len;

    /* what must not be lost ends the session */

    m->room = 0;
    peer_begin();
    for (n = 0; n < 4000; n++) {
        peer_forward(16992, 1);
    }
    peer_send(m);
    ok(m->finalized && m->disconnected == 1, "a flood of requests");
    mock_close(m);

    peer_ready(m, 0x21);
    m->room = 0;
    peer_begin();
    peer_msg(208, 1, 1, 0, 0, 0);
    peer_send(m);

    for (i = 0; i < 9; i++) {
        mock_sleep(10000);
        peer_begin();
        peer_msg(209, 1, 1, 0, 0, 0);
        peer_send(m);
    }

    mock_sleep(2000);
    ok(m->finalized, "a device that does not read is given up");
    mock_close(m);

    /* a device that reads a little is not */

    peer_ready(m, 0x21);
    m->room = 0;
    peer_begin();
    for (n = 0; n < 100; n++) {
        peer_msg(208, 1, n, 0, 0, 0);
    }
    peer_send(m);

    for (i = 0; i < 12; i++) {
        mock_sleep(20000);
        mock_writable(m, 10);
        m->room = 0;
        peer_begin();
        peer_msg(209, 1, 1, 0, 0, 0);
        peer_send(m);
    }

    ok(!m->finalized, "one that reads little is kept");
    mock_close(m);

    /* without keepalive: no options, no supervision, but output that is
       stuck ends the session */

    mock_conf.keepalive_interval = 0;
    mock_conf.keepalive_timeout = 0;
    peer_ready(m, 0x21);
    mock_sleep(3000);
    ok(SENT(m, ""), "keepalive 0: no options");
    mock_sleep(3600000);
    ok(SENT(m, "") && !m->finalized, "an hour of silence");
    m->room = 0;
    peer_begin();
    peer_msg(208, 1, 1, 0, 0, 0);
    peer_send(m);
    mock_sleep(29000);
    ok(!m->finalized, "output is stuck");
    mock_sleep(2000);
    ok(m->finalized && m->disconnected == 1, "for 30 s");
    mock_close(m);
    mock_conf.keepalive_interval = 30000;
    mock_conf.keepalive_timeout = 90000;

    send_login(m, 0x21);
    mock_conf.keepalive_interval = 0;
    mock_answer(m, NGX_OK, NULL);
    peer_begin();
    peer_service("pfwd@amt.intel.com");
    peer_forward(16992, 0);
    peer_send(m);
    m->out_pos = m->out_len;
    mock_sleep(3000);
    ok(SENT(m, ""), "interval 0 alone: no options either");
    mock_conf.keepalive_interval = 30000;

    /* alerts: so many a minute, not ever */

    for (i = 0; i < 3; i++) {
        peer_begin();
        for (n = 0; n < 30; n++) {
            *peer_p++ = 80;
            peer_str("udp-send-to@amt.intel.com");
            *peer_p++ = 0;
            peer_str("");
            peer_u32(1);
            peer_str("");
            peer_u32(1);
            peer_str("x");
        }
        peer_send(m);
        ok(m->alerts == (i + 1) * NGX_CIRA_ALERTS, "alerts of minute %d", i);
        mock_sleep(30000);
        peer_begin();
        peer_msg(209, 1, 1, 0, 0, 0);
        peer_send(m);
        mock_sleep(31000);
    }

    mock_close(m);
}


static void
test_replace(void)
{
    ngx_cira_session_t   *s;
    ngx_cira_zone_old_t   old;

    peer_ready(&mock, 0x21);
    s = mock.s;

    send_login(&other, 0x21);
    mock_answer(&other, NGX_DECLINED, NULL);
    ok(other.finalized && mock.s == s && ngx_cira_session_find(s->id.guid) == s,
       "a failed login leaves the other alone");
    mock_close(&other);

    mock.room = 0;
    send_login(&other, 0x21);
    ok(ngx_cira_session_find(s->id.guid) == s, "so does one in progress");
    mock_answer(&other, NGX_OK, NULL);
    ok(ngx_cira_session_find(other.s->id.guid) == other.s
       && mock.disconnected == 1 && mock.logouts == 1, "the newer one wins");
    ok(!mock.finalized, "the old one waits for its last bytes");
    mock_sleep(6000);
    ok(mock.finalized, "not for long");
    ok(ngx_cira_session_find(other.s->id.guid) == other.s,
       "its end does not touch the new one");
    mock_close(&mock);
    mock_close(&other);

    /* an eviction is of one connection of a device */

    peer_ready(&mock, 0x21);
    ngx_memzero(&old, sizeof(ngx_cira_zone_old_t));
    ngx_memcpy(old.guid, mock.s->id.guid, NGX_CIRA_GUID_LEN);
    old.reason = 17;
    old.generation = mock.s->id.generation + 1;
    ngx_cira_zone_evict(&old, &mock_log);
    mock_loop();
    ok(SENT(&mock, "") && !mock.finalized, "another generation stays");
    old.generation = mock.s->id.generation;
    ngx_cira_zone_evict(&old, &mock_log);
    mock_loop();
    ok(SENT(&mock, "\x01\0\0\0\x11\0\0") && mock.finalized,
       "the one that is meant goes");
    mock_close(&mock);

    /* nothing is said behind a DISCONNECT, whatever was due */

    send_login(&mock, 0x21);
    mock_answer(&mock, NGX_OK, NULL);
    peer_begin();
    peer_service("pfwd@amt.intel.com");
    peer_send(&mock);
    mock.out_pos = mock.out_len;
    mock.room = 0;
    ngx_cira_session_close(mock.s, 11, "bye");
    mock_sleep(3000);
    mock_writable(&mock, -1);
    ok(SENT(&mock, "\x01\0\0\0\x0b\0\0") && mock.finalized,
       "DISCONNECT is the last word");
    mock_close(&mock);

    peer_ready(&mock, 0x21);
    peer_ready(&other, 0x31);
    ok(ngx_cira_session_next(NULL) == mock.s
       && ngx_cira_session_next(mock.s->id.guid) == other.s
       && ngx_cira_session_next(other.s->id.guid) == NULL, "GUID order");
    ngx_cira_session_close(mock.s, 11, "bye");
    ngx_cira_session_close(mock.s, 2, "again");
    ok(!mock.finalized, "not from within the call");
    mock_loop();
    ok(SENT(&mock, "\x01\0\0\0\x0b\0\0") && mock.finalized == 1,
       "closed, once");
    ok(ngx_cira_session_next(NULL) == other.s, "out of the index");
    mock_close(&mock);

    ngx_destroy_pool(other.c.pool);
    ok(other.logouts == 1 && ngx_cira_session_next(NULL) == NULL,
       "a pool that goes takes its session along");
    other.s = NULL;
    mock_close(&other);
}


int
main(void)
{
    mock_setup();

    test_login();
    test_refused();
    test_down();
    test_order();
    test_states();
    test_probe();
    test_caps();
    test_keepalive();
    test_replace();

    ok(ngx_cira_sessions_pending() == 0, "no session is left");

    return done();
}
