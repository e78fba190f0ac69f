
/* What an AMT device sends, and a dialer that records what it is told. */


#ifndef _CIRA_PEER_H_INCLUDED_
#define _CIRA_PEER_H_INCLUDED_


#include "cira_mock.h"


static u_char   peer_buf[65536 * 8];
static u_char  *peer_p;


static ngx_inline void
peer_u32(uint32_t n)
{
    *peer_p++ = (u_char) (n >> 24);
    *peer_p++ = (u_char) (n >> 16);
    *peer_p++ = (u_char) (n >> 8);
    *peer_p++ = (u_char) n;
}


static ngx_inline void
peer_str(const char *text)
{
    peer_u32(strlen(text));
    peer_p = ngx_cpymem(peer_p, text, strlen(text));
}


static ngx_inline void
peer_begin(void)
{
    peer_p = peer_buf;
}


static ngx_inline void
peer_send(mock_t *m)
{
    mock_device(m, peer_buf, peer_p - peer_buf);
}


static ngx_inline void
peer_version(u_char id)
{
    *peer_p++ = 192;
    peer_u32(1);
    peer_u32(0);
    peer_u32(4);
    ngx_memset(peer_p, id, 15);
    peer_p[15] = (u_char) (id + 1);
    peer_p += 16;
    ngx_memzero(peer_p, 64);
    peer_p += 64;
}


static ngx_inline void
peer_service(const char *name)
{
    *peer_p++ = 5;
    peer_str(name);
}


static ngx_inline void
peer_login(const char *user, const char *password)
{
    *peer_p++ = 50;
    peer_str(user);
    peer_str("pfwd@amt.intel.com");

    if (password == NULL) {
        peer_str("none");
        return;
    }

    peer_str("password");
    *peer_p++ = 0;
    peer_str(password);
}


static ngx_inline void
peer_forward(uint32_t port, int reply)
{
    *peer_p++ = 80;
    peer_str("tcpip-forward");
    *peer_p++ = (u_char) reply;
    peer_str("");
    peer_u32(port);
}


static ngx_inline void
peer_msg(u_char type, int n, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    uint32_t  v[4];
    int       i;

    v[0] = a;
    v[1] = b;
    v[2] = c;
    v[3] = d;

    *peer_p++ = type;

    for (i = 0; i < n; i++) {
        peer_u32(v[i]);
    }
}


static ngx_inline void
peer_confirm(uint32_t channel, uint32_t sender, uint32_t window)
{
    peer_msg(91, 4, channel, sender, window, 0xffffffff);
}


static ngx_inline void
peer_failure(uint32_t channel, uint32_t reason)
{
    peer_msg(92, 4, channel, reason, 0, 0);
}


static ngx_inline void
peer_adjust(uint32_t channel, uint32_t n)
{
    peer_msg(93, 2, channel, n, 0, 0);
}


static ngx_inline void
peer_data(uint32_t channel, size_t n, int c)
{
    peer_msg(94, 2, channel, n, 0, 0);
    ngx_memset(peer_p, c, n);
    peer_p += n;
}


static ngx_inline void
peer_close(uint32_t channel)
{
    peer_msg(97, 1, channel, 0, 0, 0);
}


/* a session that is ready for channels to 16992, 16993, 16994 and 5900 */

static ngx_inline void
peer_ready(mock_t *m, u_char id)
{
    mock_open(m);

    peer_begin();
    peer_version(id);
    peer_service("auth@amt.intel.com");
    peer_login("admin", "P@ssw0rd");
    peer_send(m);

    mock_answer(m, NGX_OK, NULL);

    peer_begin();
    peer_service("pfwd@amt.intel.com");
    peer_forward(16993, 1);
    peer_forward(16992, 1);
    peer_forward(16994, 1);
    peer_forward(5900, 1);
    peer_send(m);

    mock_sleep(1500);

    m->out_len = 0;
    m->out_pos = 0;
}


/* ---- a dialer ---- */

typedef struct {
    ngx_cira_dial_t      d;
    int                  opened;
    ngx_cira_dial_rc_e   rc;
    ngx_uint_t           reason;
    int                  closed;
    int                  writable;
    size_t               received;
    size_t               take;           /* bytes taken at most, in all */
    int                  on_open;        /* 'c'lose, 'r'elease */
    int                  on_data;
    int                  last;           /* the byte received last */
    char                *text;
} peer_dial_t;


/* leaving nothing to the next holder of the slot */

static ngx_inline void
peer_release(peer_dial_t *p)
{
    ngx_str_t  none = ngx_null_string;

    ngx_cira_channel_release(&p->d, &none);
}


static ngx_inline void
peer_act(peer_dial_t *p, int what)
{
    if (what == 'c') {
        ngx_cira_channel_close(&p->d);

    } else if (what == 'r') {
        peer_release(p);

    } else if (what == 's') {
        ngx_cira_session_close(p->d.session, 11, "by the dialer");
    }
}


static ngx_inline void
peer_opened(ngx_cira_dial_t *d, ngx_cira_dial_rc_e rc, ngx_uint_t reason)
{
    peer_dial_t  *p = (peer_dial_t *) d;

    p->opened++;
    p->rc = rc;
    p->reason = reason;

    peer_act(p, rc == NGX_CIRA_DIAL_OK ? p->on_open : 0);
}


static ngx_inline size_t
peer_received(ngx_cira_dial_t *d, u_char *b, size_t size)
{
    size_t        n;
    peer_dial_t  *p = (peer_dial_t *) d;

    n = ngx_min(size, p->take);

    if (n) {
        p->take -= n;
        p->received += n;
        p->last = b[n - 1];
    }

    peer_act(p, p->on_data);

    return n;
}


static ngx_inline void
peer_writable(ngx_cira_dial_t *d)
{
    ((peer_dial_t *) d)->writable++;
}


static ngx_inline void
peer_closed(ngx_cira_dial_t *d, char *text)
{
    peer_dial_t  *p = (peer_dial_t *) d;

    p->closed++;
    p->text = text;
}


static ngx_inline ngx_int_t
peer_dial(mock_t *m, peer_dial_t *p, ngx_uint_t port)
{
    p->d.port = port;
    p->d.log = &mock_log;
    p->d.opened = peer_opened;
    p->d.received = peer_received;
    p->d.writable = peer_writable;
    p->d.closed = peer_closed;

    return ngx_cira_channel_dial(m->s, &p->d);
}


static ngx_inline void
peer_init(peer_dial_t *p)
{
    ngx_memzero(p, sizeof(peer_dial_t));
    p->take = (size_t) -1;
    p->d.poolable = 1;
}


/* dials, confirms as remote id 7 with credits; the channel is open */

static ngx_inline void
peer_connect(mock_t *m, peer_dial_t *p, ngx_uint_t port, uint32_t credits)
{
    (void) peer_dial(m, p, port);
    mock_loop();

    peer_begin();
    peer_confirm(m->s->channel_id, 7, credits);
    peer_send(m);

    m->out_len = 0;
    m->out_pos = 0;
}


#endif /* _CIRA_PEER_H_INCLUDED_ */
