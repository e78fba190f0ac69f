
/*
 * A CIRA session with dialers, on a connection in memory.  The input is a
 * list of actions: what the device sends, what the dialers do, what the
 * socket takes, what the auth service answers, how time passes.
 *
 * Checked besides memory: each dialer is told exactly once how it began and
 * at most once, in the end exactly once, that it is over; what is kept for it
 * is never more than a window; the output is bounded; the slot is nobody's or
 * of one who knows.
 */


#include "cira_peer.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


#define DIALS  12


typedef struct {
    peer_dial_t   p;                     /* first */
    int           live;                  /* given to the channel layer */
    int           open;
} fuzz_dial_t;


static mock_t         mock;
static fuzz_dial_t    dial[DIALS];
static u_char         payload[65536];
static int            sends;


static void
fuzz_done(fuzz_dial_t *f)
{
    f->live = 0;
    f->open = 0;
}


/* also of a dialer who has nothing but the slot */

static void
fuzz_redial(fuzz_dial_t *f)
{
    fuzz_done(f);

    if (ngx_cira_channel_redial(&f->p.d) == NGX_OK) {
        f->live = 1;
        f->p.opened = 0;
    }
}


static void
fuzz_act(fuzz_dial_t *f, int what)
{
    switch (what & 7) {

    case 1:
        ngx_cira_channel_close(&f->p.d);
        fuzz_done(f);
        break;

    case 2:
        peer_release(&f->p);
        fuzz_done(f);
        break;

    case 3:

        /* enough is enough: an input shall not take seconds */

        if (sends++ < 300) {
            (void) ngx_cira_channel_send(&f->p.d, payload, 20000);
        }

        break;

    case 4:
        ngx_cira_channel_drain(&f->p.d);
        break;

    case 5:
        if (mock.s) {
            ngx_cira_session_close(mock.s, 11, "by a dialer");
        }

        break;

    case 6:
        fuzz_redial(f);
        break;

    default:
        break;
    }
}


static void
fuzz_opened(ngx_cira_dial_t *d, ngx_cira_dial_rc_e rc, ngx_uint_t reason)
{
    fuzz_dial_t  *f = (fuzz_dial_t *) d;

    if (!f->live || f->open || f->p.opened++) {
        abort();
    }

    if (rc != NGX_CIRA_DIAL_OK) {
        fuzz_done(f);
        return;
    }

    f->open = 1;
    fuzz_act(f, f->p.on_open);
}


static size_t
fuzz_received(ngx_cira_dial_t *d, u_char *p, size_t size)
{
    size_t        i, n;
    u_char        sum;
    fuzz_dial_t  *f = (fuzz_dial_t *) d;

    if (!f->open || size == 0) {
        abort();
    }

    n = ngx_min(size, f->p.take);

    if (f->p.take != (size_t) -1) {
        f->p.take -= n;
    }

    fuzz_act(f, f->p.on_data);

    for (sum = 0, i = 0; i < size; i++) {
        sum ^= p[i];
    }

    f->p.last = sum;

    return n;
}


static void
fuzz_writable(ngx_cira_dial_t *d)
{
    fuzz_dial_t  *f = (fuzz_dial_t *) d;

    if (!f->open) {
        abort();
    }

    if (f->p.writable++ < 20) {
        fuzz_act(f, f->p.on_data);
    }
}


static void
fuzz_closed(ngx_cira_dial_t *d, char *text)
{
    fuzz_dial_t  *f = (fuzz_dial_t *) d;

    if (!f->open || text == NULL) {
        abort();
    }

    fuzz_done(f);
}


static void
fuzz_check(void)
{
    ngx_uint_t           n;
    ngx_queue_t         *q;
    ngx_cira_channel_t  *ch;

    if (mock.moved) {
        abort();
    }

    if (mock.s == NULL || mock.s->closing) {
        return;
    }

    if (mock.s->out && mock.s->out_last > mock.s->out + 18432) {
        abort();
    }

    n = 0;

    for (q = ngx_queue_head(&mock.s->channels);
         q != ngx_queue_sentinel(&mock.s->channels);
         q = ngx_queue_next(q))
    {
        ch = ngx_queue_data(q, ngx_cira_channel_t, queue);

        if ((size_t) (ch->end - ch->start) > ch->window
            || (ch->pooled && ch->dial))
        {
            abort();
        }

        if (ch->state <= NGX_CIRA_CHANNEL_BACKOFF) {
            n++;
        }
    }

    if (mock.s->slot && mock.s->slot->session != mock.s) {
        abort();
    }

    if (n != mock.s->nchannels || n > mock.s->max_channels
        || mock.s->ndials > mock_conf.queue + (mock.s->slot != NULL))
    {
        abort();
    }

    if (!mock.read.timer_set) {
        abort();
    }
}


static int
next(const uint8_t **p, const uint8_t *last)
{
    return *p < last ? *(*p)++ : 0;
}


/* numbers that matter are likely */

static uint32_t
number(const uint8_t **p, const uint8_t *last)
{
    int  n;

    static uint32_t  edge[] = { 0xffffffff, 0xfffffff0, 0x7fffffff, 1048576,
                                1048577, 81920, 81921, 40961, 262144, 65536,
                                163840, 4096 };

    n = next(p, last);

    if (n < 200) {
        return n % 24;
    }

    if (n < 240) {
        return edge[n % 12];
    }

    return (uint32_t) next(p, last) << 8 | next(p, last);
}


static void
action(int what, const uint8_t **p, const uint8_t *last)
{
    int           n;
    size_t        size;
    fuzz_dial_t  *f;

    f = &dial[(what >> 4) % DIALS];

    switch (what & 15) {

    case 0:                              /* raw bytes of the device */
        size = next(p, last);
        size = ngx_min(size, (size_t) (last - *p));
        mock_device(&mock, *p, size);
        *p += size;
        return;

    case 1:
        peer_begin();
        peer_version(0x21);
        peer_service("auth@amt.intel.com");
        peer_login("admin", "P@ssw0rd");
        peer_service("pfwd@amt.intel.com");
        peer_forward(16992, 1);
        peer_forward(16993, 1);
        peer_forward(5900, 1);
        peer_send(&mock);
        return;

    case 2:
        mock_answer(&mock, (n = next(p, last)) < 200 ? NGX_OK
                           : n < 230 ? NGX_ERROR : NGX_DECLINED, "t");
        return;

    case 3:
        if (mock.s == NULL || f->live) {
            return;
        }

        if (f->p.d.session) {
            fuzz_redial(f);
            return;
        }

        n = next(p, last);
        ngx_memzero(f, sizeof(fuzz_dial_t));
        f->p.d.port = (n & 1) ? 16992 : (n & 2) ? 16993 : 5900;
        f->p.d.slot = (n & 4) != 0;
        f->p.d.fresh = (n & 8) != 0;
        f->p.d.poolable = (n & 16) != 0;
        f->p.take = (n & 32) ? (size_t) -1 : 1000;
        f->p.d.holder = n >> 6;
        n = next(p, last);
        f->p.on_open = n & 15;
        f->p.on_data = n >> 4;
        f->p.d.log = &mock_log;
        f->p.d.opened = fuzz_opened;
        f->p.d.received = fuzz_received;
        f->p.d.writable = fuzz_writable;
        f->p.d.closed = fuzz_closed;
        f->live = 1;

        if (ngx_cira_channel_dial(mock.s, &f->p.d) != NGX_OK) {
            fuzz_done(f);
        }

        return;

    case 4:
        if (f->open) {
            fuzz_act(f, next(p, last));

        } else if (f->live) {
            ngx_cira_channel_close(&f->p.d);
            fuzz_done(f);

        } else if (f->p.d.session) {
            peer_release(&f->p);
        }

        return;

    case 5:
        f->p.take = number(p, last);
        if (f->open) {
            ngx_cira_channel_drain(&f->p.d);
        }

        return;

    case 6:
        mock_sleep((ngx_msec_t) next(p, last) * 50);
        return;

    case 7:
        mock.room = number(p, last);
        return;

    case 8:
        mock_writable(&mock, -1);
        return;

    case 9:
        peer_begin();
        n = next(p, last);
        peer_confirm(mock.s ? mock.s->channel_id - n % 4 : 1, n,
                     number(p, last));
        peer_send(&mock);
        return;

    case 10:
        peer_begin();
        peer_msg(94, 2, number(p, last), n = number(p, last), 0, 0);
        if ((uint32_t) n <= 300000) {
            ngx_memset(peer_p, what, n);
            peer_p += n;
        }
        peer_send(&mock);
        return;

    case 11:
        peer_begin();
        peer_failure(number(p, last), next(p, last) % 6);
        peer_send(&mock);
        return;

    case 12:
        peer_begin();
        peer_adjust(number(p, last), number(p, last));
        peer_send(&mock);
        return;

    case 13:
        peer_begin();
        peer_close(number(p, last));
        peer_send(&mock);
        return;

    case 14:
        peer_begin();
        for (n = next(p, last); n >= 0; n--) {
            peer_msg(208, 1, n, 0, 0, 0);
        }
        peer_send(&mock);
        return;

    default:
        n = next(p, last);
        if (n < 100) {
            mock.step = n % 8;

        } else if (n < 110 && mock.s) {
            ngx_cira_session_close(mock.s, 17, "policy");

        } else if (n < 120) {
            mock.eof = 1;
            mock.read.pending_eof = 1;
            mock_device(&mock, payload, 0);

        } else if (n < 125) {
            mock.failed = 1;
        }

        return;
    }
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int             i;
    const uint8_t  *last;
    static int      ready;

    if (!ready) {
        ready = 1;
        mock_setup();
        mock_conf.queue = 8;
        mock_conf.queue_timeout = 20000;
    }

    ngx_memzero(dial, sizeof(dial));
    sends = 0;
    last = data + size;

    mock_open(&mock);

    while (data < last) {
        action(*data++, &data, last);
        fuzz_check();

        /* nobody reads it here */
        mock.out_len = 0;
    }

    mock_close(&mock);

    if (!mock.finalized) {
        abort();
    }

    for (i = 0; i < DIALS; i++) {
        if (dial[i].live) {
            abort();
        }
    }

    if (ngx_cira_sessions_pending() || ngx_cira_session_next(NULL)
        || mock.connected != mock.disconnected
        || !ngx_queue_empty(&ngx_posted_events)
        || mock.read.timer_set)
    {
        abort();
    }

    return 0;
}
