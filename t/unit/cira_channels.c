
/*
 * Channels of a CIRA session on a connection in memory: contract apf.md
 * sections 8, 9, 16.3 and the cases of section 17 that are about them.
 */


#include "cira_peer.h"
#include "tap.h"


static mock_t        mock;
static peer_dial_t   dial[10];

static u_char        zeros[1024 * 1024];


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

#define OPEN(id, window, port)                                               \
    "\x5a\0\0\0\x0f" "forwarded-tcpip\0\0\0" id "\0" window                  \
    "\xff\xff\xff\xff\0\0\0\0\0\0" port "\0\0\0\x07" "1.2.3.4\0\0\x04\0"

#define CLOSE7   "\x61\0\0\0\x07"


static void
begin(void)
{
    int  i;

    peer_ready(&mock, 0x21);

    for (i = 0; i < 10; i++) {
        peer_init(&dial[i]);
    }
}


static void
end(int lost)
{
    int  i, told;

    mock_close(&mock);

    for (told = 0, i = 0; i < 10; i++) {
        if (dial[i].opened && dial[i].rc == NGX_CIRA_DIAL_OK) {
            told += dial[i].closed;

        } else if (dial[i].opened) {
            told += (dial[i].rc == NGX_CIRA_DIAL_LOST);
        }
    }

    if (told != lost) {
        for (i = 0; i < 10; i++) {
            printf("# dialer %d: opened %d rc %d closed %d\n", i,
                   dial[i].opened, dial[i].rc, dial[i].closed);
        }

        ok(0, "%d dialers were told of the end", told);
    }
}


static void
receive(uint32_t channel, size_t n, int c)
{
    peer_begin();
    peer_data(channel, n, c);
    peer_send(&mock);
}


static void
message(u_char type, int n, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    peer_begin();
    peer_msg(type, n, a, b, c, d);
    peer_send(&mock);
}


static void
test_open(void)
{
    begin();

    ok(peer_dial(&mock, &dial[0], 623) == NGX_DECLINED,
       "a port that is not forwarded");
    ok(peer_dial(&mock, &dial[0], 16992) == NGX_OK && dial[0].opened == 0,
       "dialed");
    mock_loop();
    ok(SENT(&mock, OPEN("\1", "\x01\x40\0", "\x42\x60")), "OPEN");

    peer_begin();
    peer_confirm(1, 0, 10);
    peer_send(&mock);
    ok(dial[0].opened == 1 && dial[0].rc == NGX_CIRA_DIAL_OK
       && !dial[0].d.reused && mock.s->id.channels == 1,
       "confirmed, remote id 0");

    ok(ngx_cira_channel_send(&dial[0].d, zeros, 16) == 10, "10 credits");
    mock_loop();
    ok(SENT(&mock, "\x5e\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\0\0\0"), "DATA");
    ok(ngx_cira_channel_send(&dial[0].d, zeros, 6) == 0, "no credits");

    message(93, 2, 0, 5, 0, 0);
    ok(dial[0].writable == 0, "ADJUST of another channel");
    message(93, 2, 1, 0, 0, 0);
    ok(dial[0].writable == 0, "ADJUST of 0");
    message(93, 2, 1, 5, 0, 0);
    ok(dial[0].writable == 1, "ADJUST makes it writable");
    ok(ngx_cira_channel_send(&dial[0].d, zeros, 6) == 5, "5 more");
    mock_loop();
    ok(SENT(&mock, "\x5e\0\0\0\0\0\0\0\5\0\0\0\0\0"), "DATA");

    receive(1, 3, 'a');
    ok(dial[0].received == 3 && dial[0].last == 'a', "data of the device");
    receive(1, 0, 'a');
    ok(dial[0].received == 3, "data of no bytes");

    peer_begin();
    peer_confirm(1, 9, 100);
    peer_failure(1, 4);
    peer_send(&mock);
    ok(dial[0].opened == 1 && dial[0].d.channel->remote == 0
       && dial[0].d.channel->credits == 0 && SENT(&mock, ""),
       "CONFIRMATION and FAILURE of an open channel are ignored");

    ngx_cira_channel_close(&dial[0].d);
    ngx_cira_channel_close(&dial[0].d);
    mock_loop();
    ok(SENT(&mock, "\x61\0\0\0\0") && dial[0].closed == 0
       && mock.s->nchannels == 1, "CLOSE, once");
    receive(1, 5, 'b');
    message(93, 2, 1, 7, 0, 0);
    ok(dial[0].received == 3 && SENT(&mock, ""), "discarded while closing");
    message(97, 1, 1, 0, 0, 0);
    message(97, 1, 1, 0, 0, 0);
    message(93, 2, 1, 7, 0, 0);
    receive(1, 5, 'b');
    ok(SENT(&mock, "") && mock.s->nchannels == 0
       && ngx_queue_empty(&mock.s->channels), "gone with the device's CLOSE");

    peer_begin();
    peer_confirm(1, 5, 100);
    peer_confirm(0xffffffff, 6, 100);
    peer_data(0xffffffff, 100, 'x');
    peer_failure(77, 1);
    peer_send(&mock);
    ok(SENT(&mock, "\x61\0\0\0\5\x61\0\0\0\6"),
       "CONFIRMATION for an unknown id gives the place back");

    (void) peer_dial(&mock, &dial[1], 5900);
    mock_loop();
    ok(SENT(&mock, OPEN("\2", "\x04\0\0", "\x17\x0c")),
       "ids are not used again; the window of KVM");
    peer_begin();
    peer_failure(2, 2);
    peer_send(&mock);
    ok(dial[1].opened == 1 && dial[1].rc == NGX_CIRA_DIAL_REFUSED
       && dial[1].reason == 2 && mock.s->nchannels == 0, "refused");

    (void) peer_dial(&mock, &dial[2], 16992);
    mock_loop();
    mock.out_pos = mock.out_len;
    message(93, 2, 3, 0xfffffff0, 0, 0);
    message(93, 2, 3, 0xffffffff, 0, 0);
    peer_begin();
    peer_confirm(3, 1, 0xffffffff);
    peer_send(&mock);
    ok(dial[2].d.channel->credits == 0xffffffff, "credits saturate");
    ok(mock.s->opened == 2 && mock.s->id.channels == 1, "counted");

    end(1);
}


static void
test_closing(void)
{
    begin();
    peer_connect(&mock, &dial[0], 16992, 100);

    peer_begin();
    peer_data(1, 10, 'a');
    peer_close(1);
    peer_send(&mock);
    ok(dial[0].received == 10 && dial[0].closed == 1
       && SENT(&mock, CLOSE7) && mock.s->nchannels == 0,
       "CLOSE of the device is answered");

    dial[1].take = 4;
    peer_connect(&mock, &dial[1], 16992, 100);
    peer_begin();
    peer_data(2, 10, 'a');
    peer_close(2);
    peer_send(&mock);
    ok(dial[1].received == 4 && dial[1].closed == 0
       && ngx_cira_channel_pending(&dial[1].d) == 6
       && mock.s->nchannels == 0 && SENT(&mock, CLOSE7),
       "CLOSE: the place is free, the data is not lost");
    dial[1].take = 2;
    ngx_cira_channel_drain(&dial[1].d);
    ok(dial[1].received == 6 && dial[1].closed == 0, "drained");
    dial[1].take = 100;
    ngx_cira_channel_drain(&dial[1].d);
    ok(dial[1].received == 10 && dial[1].closed == 0, "not told within it");
    mock_loop();
    ok(dial[1].closed == 1 && SENT(&mock, ""), "but then");

    dial[2].take = 0;
    peer_connect(&mock, &dial[2], 16992, 100);
    peer_begin();
    peer_data(3, 10, 'a');
    peer_close(3);
    peer_send(&mock);
    ngx_cira_channel_close(&dial[2].d);
    mock_loop();
    ok(SENT(&mock, CLOSE7) && dial[2].closed == 0
       && ngx_queue_empty(&mock.s->channels), "given up with data kept");

    (void) peer_dial(&mock, &dial[3], 16992);
    mock_loop();
    message(97, 1, 4, 0, 0, 0);
    ok(dial[3].opened == 1 && dial[3].rc == NGX_CIRA_DIAL_REFUSED
       && mock.s->nchannels == 0, "CLOSE before CONFIRMATION");
    mock.out_pos = mock.out_len;

    (void) peer_dial(&mock, &dial[4], 16992);
    mock_loop();
    mock.out_pos = mock.out_len;
    ngx_cira_channel_close(&dial[4].d);
    receive(5, 5, 'x');
    message(93, 2, 5, 0, 0, 0);
    ok(SENT(&mock, "") && mock.s->nchannels == 1, "cancelled: its place");
    peer_begin();
    peer_confirm(5, 7, 100);
    peer_send(&mock);
    ok(SENT(&mock, CLOSE7) && dial[4].opened == 0, "a late CONFIRMATION");
    mock_sleep(9000);
    ok(mock.s->nchannels == 1, "waits for CLOSE");
    mock_sleep(2000);
    ok(mock.s->nchannels == 0, "not longer than 10 s");

    (void) peer_dial(&mock, &dial[5], 16992);
    mock_sleep(9000);
    ok(dial[5].opened == 0, "no CONFIRMATION");
    mock_sleep(2000);
    ok(dial[5].opened == 1 && dial[5].rc == NGX_CIRA_DIAL_TIMEOUT,
       "for 10 s");
    mock.out_pos = mock.out_len;
    peer_begin();
    peer_confirm(6, 7, 100);
    peer_close(6);
    peer_send(&mock);
    ok(SENT(&mock, CLOSE7) && mock.s->nchannels == 0, "later");

    /* from within callbacks */

    dial[6].on_open = 'c';
    peer_connect(&mock, &dial[6], 16992, 100);
    ok(dial[6].opened == 1 && dial[6].d.channel == NULL
       && mock.s->nchannels == 1, "closed within opened()");
    message(97, 1, 7, 0, 0, 0);

    dial[7].on_data = 'c';
    dial[7].take = 1;
    peer_connect(&mock, &dial[7], 16992, 100);
    peer_begin();
    peer_data(8, 5000, 'x');
    peer_data(8, 5000, 'x');
    peer_close(8);
    peer_send(&mock);
    ok(dial[7].received == 1 && dial[7].closed == 0
       && mock.s->nchannels == 0, "closed within received()");

    dial[8].on_data = 's';
    dial[8].take = 1;
    peer_connect(&mock, &dial[8], 16992, 100);
    receive(9, 10, 'x');
    ok(mock.finalized && dial[8].closed == 1, "session closed within it");

    end(3);
}


/* a device that never says that a channel has ended: its place comes back */

static void
test_guard(void)
{
    begin();

    /* closed by us */

    peer_connect(&mock, &dial[0], 16992, 100);
    mock_sleep(20000);
    mock.out_pos = mock.out_len;
    ngx_cira_channel_close(&dial[0].d);
    mock_loop();
    ok(SENT(&mock, CLOSE7) && mock.s->nchannels == 1, "CLOSE");
    mock_sleep(9000);
    ok(mock.s->nchannels == 1, "9 s");
    mock_sleep(1500);
    ok(mock.s->nchannels == 0 && ngx_queue_empty(&mock.s->channels),
       "closing ends after 10 s");

    /* given up: idle in the pool */

    peer_connect(&mock, &dial[1], 16992, 100);
    peer_release(&dial[1]);
    mock_sleep(4200);
    ok(SENT(&mock, CLOSE7) && mock.s->nchannels == 1, "idle, CLOSE");
    mock_sleep(9000);
    ok(mock.s->nchannels == 1, "9 s");
    mock_sleep(1500);
    ok(mock.s->nchannels == 0, "abandoned ends after 10 s");

    /* never confirmed */

    (void) peer_dial(&mock, &dial[2], 16992);
    mock_sleep(10500);
    ok(dial[2].rc == NGX_CIRA_DIAL_TIMEOUT && mock.s->nchannels == 1,
       "no confirmation: its place is kept");
    mock_sleep(8500);
    ok(mock.s->nchannels == 1, "9 s");
    mock_sleep(2000);
    ok(mock.s->nchannels == 0, "a late confirmation is awaited for 10 s");

    /* cancelled, confirmed at the last moment, never closed */

    (void) peer_dial(&mock, &dial[3], 16992);
    mock_loop();
    receive(mock.s->channel_id, 5000, 'x');
    ngx_cira_channel_close(&dial[3].d);
    ok(dial[3].d.channel == NULL, "cancelled");
    {
        ngx_cira_channel_t  *ch;

        ch = ngx_queue_data(ngx_queue_head(&mock.s->channels),
                            ngx_cira_channel_t, queue);
        ok(ch->start == NULL, "nothing is kept for nobody");
    }
    mock_sleep(9000);
    peer_begin();
    peer_confirm(mock.s->channel_id, 7, 100);
    peer_send(&mock);
    mock.out_pos = mock.out_len;
    mock_sleep(8000);
    ok(mock.s->nchannels == 1, "8 s after the confirmation");
    mock_sleep(2500);
    ok(mock.s->nchannels == 0, "10 s after it");

    /* FAILURE and CLOSE for what was given up */

    (void) peer_dial(&mock, &dial[4], 16992);
    mock_loop();
    ngx_cira_channel_close(&dial[4].d);
    peer_begin();
    peer_failure(mock.s->channel_id, 4);
    peer_send(&mock);
    ok(mock.s->nchannels == 0, "FAILURE of a cancelled one");

    (void) peer_dial(&mock, &dial[5], 16992);
    mock_loop();
    ngx_cira_channel_close(&dial[5].d);
    message(97, 1, mock.s->channel_id, 0, 0, 0);
    ok(mock.s->nchannels == 0, "CLOSE of a cancelled one");

    peer_connect(&mock, &dial[6], 16992, 100);
    ngx_cira_channel_close(&dial[6].d);
    peer_begin();
    peer_failure(mock.s->channel_id, 1);
    peer_send(&mock);
    ok(mock.s->nchannels == 0, "FAILURE while closing");

    end(0);
}


/* ids are used in turn, never 0 and never one that is in use */

static void
test_ids(void)
{
    begin();
    peer_connect(&mock, &dial[0], 16992, 100);
    ok(mock.s->channel_id == 1, "the first id");

    mock.s->channel_id = 0xfffffffe;
    (void) peer_dial(&mock, &dial[1], 16992);
    mock_loop();
    ok(dial[1].d.channel->local == 0xffffffff, "the highest");
    (void) peer_dial(&mock, &dial[2], 16992);
    mock_loop();
    ok(dial[2].d.channel->local == 2, "not 0, nor the first, which is open");

    /* a plain dialer gets no channel that somebody has used */

    mock.out_pos = mock.out_len;
    peer_release(&dial[0]);
    dial[3].d.poolable = 0;
    (void) peer_dial(&mock, &dial[3], 16992);
    mock_loop();
    ok(SENT(&mock, OPEN("\3", "\x01\x40\0", "\x42\x60"))
       && dial[3].opened == 0, "a plain dialer gets a fresh channel");

    end(3);
}


static void
test_window(void)
{
    int          i;
    ngx_uint_t   kept;

    begin();
    peer_connect(&mock, &dial[0], 16992, 100);

    receive(1, 40960, 'x');
    ok(SENT(&mock, ""), "40960 taken: nothing granted");
    receive(1, 1, 'x');
    ok(SENT(&mock, "\x5d\0\0\0\x07\0\0\xa0\1"), "40961: granted");
    ok(dial[0].d.channel->rx_open == 81920 && dial[0].received == 40961,
       "the window is open again");

    /* a dialer that takes nothing */

    peer_connect(&mock, &dial[1], 16992, 100);
    dial[1].take = 0;
    for (i = 0; i < 80; i++) {
        receive(2, 1024, i);
    }
    kept = dial[1].d.channel->end - dial[1].d.channel->start;
    ok(SENT(&mock, "") && ngx_cira_channel_pending(&dial[1].d) == 81920
       && kept == 81920, "a window is kept, not a byte more memory");
    receive(1, 40961, 'x');
    ok(dial[0].received == 81922 && SENT(&mock, "\x5d\0\0\0\x07\0\0\xa0\1"),
       "the other channel goes on");
    message(208, 1, 7, 0, 0, 0);
    ok(SENT(&mock, "\xd1\0\0\0\x07"), "and so does keepalive");
    dial[1].take = 1000;
    ngx_cira_channel_drain(&dial[1].d);
    ok(dial[1].last == 0 && ngx_cira_channel_pending(&dial[1].d) == 80920,
       "in order");
    dial[1].take = 1000000;
    ngx_cira_channel_drain(&dial[1].d);
    mock_loop();
    ok(dial[1].last == 79 && dial[1].received == 81920
       && dial[1].d.channel->start == NULL
       && SENT(&mock, "\x5d\0\0\0\x07\0\1\x40\0"),
       "drained: granted and no memory kept");

    /* more than the window */

    peer_connect(&mock, &dial[2], 16992, 100);
    dial[2].take = 0;
    receive(3, 81921, 'x');
    ok(dial[2].closed == 1 && SENT(&mock, CLOSE7) && !mock.finalized,
       "a byte more is too much when nothing is taken");
    ok(ngx_cira_channel_pending(&dial[2].d) == 0, "nothing is kept");
    message(97, 1, 3, 0, 0, 0);

    peer_connect(&mock, &dial[3], 16992, 100);
    dial[3].d.channel->pending = 0;
    dial[3].d.channel->window = 81920;
    dial[3].d.channel->rx_open = 0;
    receive(4, 81920, 'x');
    ok(dial[3].received == 81920 && dial[3].closed == 0,
       "a window too much is tolerated when it is taken");
    dial[3].d.channel->rx_open = -81920;
    mock.out_pos = mock.out_len;
    receive(4, 1, 'x');
    ok(dial[3].closed == 1 && dial[3].received == 81920
       && SENT(&mock, CLOSE7), "more is not");
    for (i = 0; i < 20 && !mock.finalized; i++) {
        receive(4, 81920, 'x');
    }
    ok(mock.finalized && SENT(&mock, "\x01\0\0\0\x02\0\0"),
       "and who goes on loses the connection");

    end(4);

    begin();
    message(94, 2, 1, 1048577, 0, 0);
    ok(mock.finalized && SENT(&mock, "\x01\0\0\0\x02\0\0"),
       "1 MB + 1, even for an unknown channel");
    end(0);

    begin();
    message(94, 2, 1, 1048576, 0, 0);
    for (i = 0; i < 16; i++) {
        mock_device(&mock, zeros, 65536);
    }
    message(208, 1, 1, 0, 0, 0);
    ok(SENT(&mock, "\xd1\0\0\0\1"), "1 MB for an unknown channel is skipped");
    end(0);

    /* data before the confirmation */

    begin();
    (void) peer_dial(&mock, &dial[0], 16992);
    mock_loop();
    receive(1, 5, 'q');
    ok(dial[0].received == 0, "data before CONFIRMATION is kept");
    peer_begin();
    peer_confirm(1, 7, 0);
    peer_send(&mock);
    ok(dial[0].opened == 1 && dial[0].received == 5, "and delivered then");
    (void) peer_dial(&mock, &dial[1], 16992);
    mock_loop();
    receive(2, 81921, 'q');
    ok(dial[1].opened == 1 && dial[1].rc == NGX_CIRA_DIAL_REFUSED,
       "but no more than a window");
    mock.out_pos = mock.out_len;
    peer_begin();
    peer_confirm(2, 8, 0);
    peer_send(&mock);
    ok(SENT(&mock, "\x61\0\0\0\x08"), "its place is given back");
    end(1);
}


static void
test_output(void)
{
    size_t   n, records;

    begin();
    peer_connect(&mock, &dial[0], 16994, 1000000);

    n = ngx_cira_channel_send(&dial[0].d, zeros, 10000);
    ok(n == 10000 && mock.out_len == 0, "nothing is written at once");
    mock_loop();
    ok(mock.out_len == 10027 && mock.out[0] == 94 && mock.out[7] == 0x10,
       "three DATA of up to 4096 bytes in one write");

    mock.out_len = mock.out_pos = 0;
    mock.room = 0;
    n = ngx_cira_channel_send(&dial[0].d, zeros, 1000000);
    ok(n > 16000 && n <= 16384
       && mock.s->out_last - mock.s->out <= NGX_CIRA_OUTPUT_SIZE,
       "a record is taken when the socket is full");
    ok(ngx_cira_channel_send(&dial[0].d, zeros, 1000) == 0, "no more");
    ok(dial[0].writable == 0, "not writable");
    mock_loop();
    ok(dial[0].writable == 0, "still not");
    records = mock.s->out_last - mock.s->out;
    mock_writable(&mock, -1);
    ok(dial[0].writable == 1 && mock.out_len == records && !mock.moved,
       "writable when it was written");
    ok(mock.s->out == NULL, "the buffer is gone");

    /* control messages have room behind it */

    mock.out_len = mock.out_pos = 0;
    mock.room = 0;
    (void) ngx_cira_channel_send(&dial[0].d, zeros, 100000);
    records = mock.s->out_last - mock.s->out;
    peer_begin();
    for (n = 0; n < 400; n++) {
        peer_forward(16992, 1);
    }
    peer_send(&mock);
    ok(!mock.finalized
       && (size_t) (mock.s->out_last - mock.s->out) == records + 2000,
       "400 answers behind a record of data");
    mock_writable(&mock, -1);
    ok(mock.out_len >= records + 2000, "are sent");
    dial[0].writable = 0;

    /* grants and CLOSE wait for room, and are not lost */

    mock.out_len = mock.out_pos = 0;
    mock.room = 0;
    (void) ngx_cira_channel_send(&dial[0].d, zeros, 100000);
    peer_begin();
    for (n = 0; n < 500; n++) {
        peer_msg(208, 1, n, 0, 0, 0);
    }
    peer_send(&mock);
    receive(1, 200000, 'x');
    ok(dial[0].received == 200000 && dial[0].d.channel->adjust_wanted,
       "no room for a grant");
    (void) peer_dial(&mock, &dial[1], 16992);
    mock_loop();
    ok(dial[1].d.waiting, "nor for an OPEN");
    mock_writable(&mock, -1);
    ok(!dial[0].d.channel->adjust_wanted && !dial[1].d.waiting
       && mock.out[mock.out_len - 1] == 0, "both are sent later");
    peer_begin();
    peer_confirm(2, 8, 100);
    peer_send(&mock);

    mock.room = 0;
    (void) ngx_cira_channel_send(&dial[0].d, zeros, 100000);
    peer_begin();
    for (n = 0; n < 500; n++) {
        peer_msg(208, 1, n, 0, 0, 0);
    }
    peer_send(&mock);
    ngx_cira_channel_close(&dial[0].d);
    message(97, 1, 2, 0, 0, 0);
    mock_loop();
    ok(dial[1].closed == 1, "closed by the device meanwhile");
    mock.out_len = mock.out_pos = 0;
    mock_writable(&mock, -1);
    n = mock.out_len;
    ok(n > 10 && (ngx_memcmp(mock.out + n - 10, "\x61\0\0\0\7\x61\0\0\0\x08",
                             10) == 0
                  || ngx_memcmp(mock.out + n - 10,
                                "\x61\0\0\0\x08\x61\0\0\0\7", 10) == 0),
       "two CLOSE that had to wait");
    message(97, 1, 1, 0, 0, 0);
    ok(ngx_queue_empty(&mock.s->channels), "no channel is left");
    end(1);

    /* a device that never gives credits */

    begin();
    peer_connect(&mock, &dial[0], 16992, 0);
    mock_sleep(60000);
    ok(dial[0].closed == 0, "no credits, nothing to send: fine");
    receive(1, 1, 'x');
    (void) ngx_cira_channel_send(&dial[0].d, zeros, 1);
    mock_sleep(20000);
    message(93, 2, 1, 1, 0, 0);
    ok(dial[0].writable == 1, "some in time");
    (void) ngx_cira_channel_send(&dial[0].d, zeros, 2);
    mock_sleep(29000);
    ok(dial[0].closed == 0, "29 s");
    mock_sleep(2000);
    ok(dial[0].closed == 1, "closed after 30 s");
    end(1);

    /* one that gives a little each time, and one whose dialer has no more to
       send when credits come */

    begin();
    peer_connect(&mock, &dial[0], 16992, 0);
    peer_connect(&mock, &dial[1], 16992, 0);
    dial[1].on_open = 0;
    (void) ngx_cira_channel_send(&dial[1].d, zeros, 1);

    for (n = 0; n < 5; n++) {
        (void) ngx_cira_channel_send(&dial[0].d, zeros, 2);
        mock_sleep(20000);
        message(93, 2, 1, 1, 0, 0);
        if (n == 0) {
            message(93, 2, 2, 1, 0, 0);
        }
    }

    ok(dial[0].closed == 0, "100 s, a byte each 20 s");
    ok(dial[1].writable == 1 && dial[1].closed == 0,
       "what has credits again is not closed");
    end(2);
}


static void
test_pool(void)
{
    begin();
    peer_connect(&mock, &dial[0], 16992, 1000);
    receive(1, 5, 'x');
    peer_release(&dial[0]);
    mock_loop();
    ok(SENT(&mock, "") && mock.s->nchannels == 1 && mock.s->id.channels == 0,
       "released: no CLOSE");

    dial[1].d.fresh = 1;
    (void) peer_dial(&mock, &dial[1], 16992);
    mock_loop();
    ok(SENT(&mock, OPEN("\2", "\x01\x40\0", "\x42\x60")),
       "who wants a fresh one gets it");
    (void) peer_dial(&mock, &dial[2], 16993);
    mock_loop();
    ok(SENT(&mock, OPEN("\3", "\x01\x40\0", "\x42\x61")), "another port");
    (void) peer_dial(&mock, &dial[3], 16992);
    ok(dial[3].opened == 0, "not within the call");
    mock_loop();
    ok(dial[3].opened == 1 && dial[3].rc == NGX_CIRA_DIAL_OK
       && dial[3].d.reused && SENT(&mock, "") && mock.s->id.channels == 1,
       "reused");
    ok(ngx_cira_channel_send(&dial[3].d, zeros, 2000) == 1000, "its credits");
    mock_loop();
    receive(1, 7, 'y');
    ok(dial[3].received == 7 && dial[0].received == 5, "its data");

    mock.out_pos = mock.out_len;
    message(93, 2, 1, 1000, 0, 0);
    peer_release(&dial[3]);
    mock_sleep(3500);
    ok(SENT(&mock, ""), "idle for 3.5 s");
    mock_sleep(1000);
    ok(SENT(&mock, CLOSE7), "closed after 4 s");
    message(97, 1, 1, 0, 0, 0);

    peer_begin();
    peer_confirm(2, 7, 100);
    peer_confirm(3, 8, 100);
    peer_send(&mock);
    peer_release(&dial[1]);
    peer_release(&dial[2]);
    receive(2, 0, 'x');
    ok(SENT(&mock, ""), "DATA of no bytes does nothing");
    receive(2, 1, 'x');
    ok(SENT(&mock, CLOSE7), "a byte while idle closes it");
    message(97, 1, 3, 0, 0, 0);
    ok(SENT(&mock, "\x61\0\0\0\x08"), "CLOSE while idle");
    message(97, 1, 2, 0, 0, 0);
    ok(ngx_queue_empty(&mock.s->channels), "none is left");

    /* what must not go back */

    dial[4].take = 0;
    peer_connect(&mock, &dial[4], 16992, 100);
    receive(4, 5, 'x');
    peer_release(&dial[4]);
    mock_loop();
    ok(SENT(&mock, CLOSE7), "with data kept");
    message(97, 1, 4, 0, 0, 0);

    dial[5].d.poolable = 0;
    peer_connect(&mock, &dial[5], 16992, 100);
    peer_release(&dial[5]);
    mock_loop();
    ok(SENT(&mock, CLOSE7), "not poolable");
    message(97, 1, 5, 0, 0, 0);

    peer_connect(&mock, &dial[6], 16994, 100);
    peer_release(&dial[6]);
    mock_loop();
    ok(SENT(&mock, CLOSE7), "redirection");
    message(97, 1, 6, 0, 0, 0);

    peer_connect(&mock, &dial[7], 16992, 100);
    mock.room = 0;
    (void) ngx_cira_channel_send(&dial[7].d, zeros, 10);
    peer_release(&dial[7]);
    mock_loop();
    mock_writable(&mock, -1);
    ok(mock.out_len - mock.out_pos == 24
       && ngx_memcmp(mock.out + mock.out_len - 5, CLOSE7, 5) == 0,
       "with output that waits");
    mock.out_pos = mock.out_len;
    message(97, 1, 7, 0, 0, 0);

    dial[8].on_data = 'r';
    peer_connect(&mock, &dial[8], 16992, 100);
    receive(8, 10, 'x');
    ok(SENT(&mock, "") && mock.s->nchannels == 1
       && dial[8].d.channel == NULL, "released within received()");
    (void) peer_dial(&mock, &dial[9], 16992);
    dial[9].take = 3;
    dial[9].on_data = 'r';
    mock_loop();
    ok(dial[9].d.reused, "reused");
    receive(8, 10, 'x');
    ok(SENT(&mock, CLOSE7), "released within it with data left");
    message(97, 1, 8, 0, 0, 0);

    /* the rest of a message must not reach the next dialer */

    peer_init(&dial[9]);
    peer_connect(&mock, &dial[9], 16992, 100);
    message(94, 3, 9, 8, 0x78787878, 0);
    ok(dial[9].received == 4, "half of a message");
    peer_release(&dial[9]);
    mock_loop();
    ok(SENT(&mock, CLOSE7), "released within a message");
    mock_device(&mock, zeros, 4);
    message(97, 1, 9, 0, 0, 0);

    peer_init(&dial[0]);
    peer_connect(&mock, &dial[0], 16992, 100);
    ok(!dial[0].d.reused && dial[0].received == 0, "the next one is fresh");

    end(1);
}


static void
test_limits(void)
{
    int  i;

    begin();

    for (i = 0; i < 6; i++) {
        peer_connect(&mock, &dial[i], i < 5 ? 16992 : 16994, 100);
    }
    ok(mock.s->nchannels == 6, "6 channels");

    for (i = 6; i < 10; i++) {
        ok(peer_dial(&mock, &dial[i], i == 8 ? 16994 : 16992) == NGX_OK,
           "dialer %d waits", i);
    }
    mock_loop();
    ok(SENT(&mock, "") && mock.s->ndials == 4, "no OPEN");

    {
        peer_dial_t  more;

        peer_init(&more);
        ok(peer_dial(&mock, &more, 16992) == NGX_BUSY, "the queue is full");
        ngx_cira_channel_close(&more.d);
        ngx_cira_channel_close(&more.d);
    }

    ngx_cira_channel_close(&dial[7].d);
    ok(mock.s->ndials == 3, "one gives up");

    peer_release(&dial[0]);
    mock_loop();
    ok(dial[6].opened == 1 && dial[6].d.reused && SENT(&mock, ""),
       "the oldest gets the released one");

    peer_release(&dial[1]);
    mock_loop();
    ok(SENT(&mock, CLOSE7) && dial[9].opened == 0,
       "one for another port: an idle channel has to go");
    peer_release(&dial[2]);
    mock_loop();
    mock_sleep(300);
    ok(SENT(&mock, "") && mock.s->nchannels == 6,
       "only one has; and nobody overtakes");
    message(97, 1, 2, 0, 0, 0);
    ok(SENT(&mock, OPEN("\7", "\x04\0\0", "\x42\x62")) && dial[9].opened == 1
       && dial[9].d.reused, "its place is used, then the next is served");

    end(6);
}


static void
test_wait(void)
{
    begin();
    mock_conf.queue_timeout = 3000;

    dial[0].d.slot = 1;
    dial[1].d.slot = 1;
    dial[2].d.slot = 1;
    dial[3].d.slot = 1;
    peer_connect(&mock, &dial[0], 16992, 100);
    (void) peer_dial(&mock, &dial[1], 16992);
    mock_sleep(1000);
    (void) peer_dial(&mock, &dial[2], 16992);
    mock_sleep(1900);
    ok(dial[1].d.waiting && dial[2].d.waiting, "two wait for the slot");
    mock_sleep(200);
    ok(dial[1].opened == 1 && dial[1].rc == NGX_CIRA_DIAL_TIMEOUT
       && dial[1].d.session == NULL && mock.s->ndials == 1,
       "the first has waited long enough");
    ok(dial[2].opened == 0, "the second has not");
    mock_sleep(1000);
    ok(dial[2].opened == 1 && dial[2].rc == NGX_CIRA_DIAL_TIMEOUT
       && mock.s->ndials == 0, "now it has");
    ok(dial[0].closed == 0 && mock.s->slot == &dial[0].d,
       "who has the slot keeps it");

    (void) peer_dial(&mock, &dial[3], 16992);
    mock_sleep(2000);
    peer_release(&dial[0]);
    mock_loop();
    ok(dial[3].opened == 1 && dial[3].rc == NGX_CIRA_DIAL_OK,
       "served in time");
    mock_sleep(3000);
    ok(dial[3].opened == 1 && dial[3].closed == 0,
       "time in the queue is no time of the channel");

    mock_conf.queue_timeout = 30000;
    end(1);
}


static void
test_slot(void)
{
    ngx_str_t  state = ngx_string("opaque");
    u_char     big[NGX_CIRA_STATE_MAX + 1];

    begin();

    dial[0].d.slot = 1;
    dial[1].d.slot = 1;
    dial[2].d.slot = 1;
    peer_connect(&mock, &dial[0], 16992, 100);
    ok(dial[0].opened == 1 && mock.s->slot == &dial[0].d, "slot granted");
    (void) peer_dial(&mock, &dial[1], 16992);
    (void) peer_dial(&mock, &dial[2], 16992);
    (void) peer_dial(&mock, &dial[3], 16992);
    mock_loop();
    ok(SENT(&mock, OPEN("\2", "\x01\x40\0", "\x42\x60"))
       && dial[1].d.waiting && dial[2].d.waiting && !dial[3].d.waiting,
       "the others wait, who needs no slot does not");

    ok(ngx_cira_session_state(mock.s)->len == 0, "no state yet");
    ok(ngx_cira_session_set_state(mock.s, &state) == NGX_OK
       && ngx_cira_session_state(mock.s)->len == 6
       && ngx_memcmp(ngx_cira_session_state(mock.s)->data, "opaque", 6) == 0,
       "state kept");
    ngx_memset(big, 'x', sizeof(big));
    state.data = big;
    state.len = sizeof(big);
    ok(ngx_cira_session_set_state(mock.s, &state) == NGX_ERROR
       && ngx_cira_session_state(mock.s)->len == 6, "too much of it");
    state.len--;
    ok(ngx_cira_session_set_state(mock.s, &state) == NGX_OK
       && ngx_cira_session_state(mock.s)->len == NGX_CIRA_STATE_MAX,
       "the most");

    peer_release(&dial[0]);
    ok(mock.s->slot == NULL && dial[1].opened == 0, "released");
    mock_loop();
    ok(dial[1].opened == 1 && dial[1].d.reused
       && mock.s->slot == &dial[1].d && dial[2].opened == 0,
       "channel and slot go to the next");
    message(97, 1, 1, 0, 0, 0);
    ok(dial[1].closed == 1 && mock.s->slot == &dial[1].d
       && dial[2].opened == 0, "CLOSE takes the channel, not the slot");
    peer_release(&dial[1]);
    mock_loop();
    ok(mock.s->slot == &dial[2].d && ngx_cira_session_state(mock.s)->len == 0,
       "which is released later");
    mock.out_pos = mock.out_len;
    peer_begin();
    peer_failure(3, 2);
    peer_send(&mock);
    ok(dial[2].rc == NGX_CIRA_DIAL_REFUSED && mock.s->slot == NULL,
       "freed by FAILURE");

    dial[4].d.slot = 1;
    (void) peer_dial(&mock, &dial[4], 16992);
    mock_loop();
    ok(mock.s->slot == &dial[4].d, "taken while opening");
    ngx_cira_channel_close(&dial[4].d);
    ok(mock.s->slot == NULL, "freed by cancel");

    end(2);
}


/* a device without places: an idle channel of ours has to go */

static void
test_shortage(void)
{
    begin();
    peer_connect(&mock, &dial[3], 16992, 100);
    peer_release(&dial[3]);
    (void) peer_dial(&mock, &dial[4], 16994);
    mock_loop();
    mock.out_pos = mock.out_len;
    peer_begin();
    peer_failure(mock.s->channel_id, 4);
    peer_send(&mock);
    ok(SENT(&mock, CLOSE7) && dial[4].opened == 0,
       "shortage: what is idle is closed");
    message(97, 1, mock.s->channel_id - 1, 0, 0, 0);
    mock_sleep(600);
    peer_begin();
    peer_confirm(mock.s->channel_id, 7, 100);
    peer_send(&mock);
    ok(dial[4].opened == 1 && dial[4].rc == NGX_CIRA_DIAL_OK,
       "and its place is used");
    ngx_cira_channel_close(&dial[4].d);
    message(97, 1, mock.s->channel_id, 0, 0, 0);

    end(0);
}


/* what the device had sent is offered once more when its session ends */

static void
test_last_words(void)
{
    begin();
    dial[0].take = 0;
    peer_connect(&mock, &dial[0], 16992, 100);
    receive(1, 5, 'x');
    ok(dial[0].received == 0, "not taken");
    dial[0].take = 100;
    message(2, 0, 0, 0, 0, 0);
    ok(mock.finalized && dial[0].received == 5 && dial[0].closed == 1,
       "taken at the end of the session");
    end(1);
}


/* channels 1, 2, ... of dialers that want the slot, the first has it */

static void
hold(int n)
{
    int  i;

    begin();

    for (i = 0; i < n; i++) {
        dial[i].d.slot = 1;
    }

    peer_connect(&mock, &dial[0], 16992, 100);

    for (i = 1; i < n; i++) {
        (void) peer_dial(&mock, &dial[i], 16992);
    }

    mock_loop();
    mock.out_pos = mock.out_len;
}


static void
confirm(uint32_t channel)
{
    peer_begin();
    peer_confirm(channel, 7, 100);
    peer_send(&mock);
    mock.out_pos = mock.out_len;
}


static void
test_slot_kept(void)
{
    u_char     buf[NGX_CIRA_STATE_MAX];
    ngx_str_t  state = ngx_string("opaque");

    /* the channel has ended, the holder has something to say */

    hold(3);
    message(97, 1, 1, 0, 0, 0);
    mock_sleep(4900);
    ok(dial[0].closed == 1 && mock.s->slot == &dial[0].d
       && dial[0].d.session == mock.s && dial[1].opened == 0,
       "without a channel: others wait");
    ngx_cira_channel_release(&dial[0].d, &state);
    ok(dial[0].d.session == NULL && mock.s->slot == NULL, "released");
    mock_loop();
    confirm(2);
    ok(dial[1].opened == 1 && !dial[1].d.kept
       && ngx_cira_channel_state(&dial[1].d, buf) == 6
       && ngx_memcmp(buf, "opaque", 6) == 0, "the next gets what he left");
    ok(ngx_cira_channel_state(&dial[1].d, buf) == 0, "once");

    /* a holder who says nothing */

    message(97, 1, 2, 0, 0, 0);
    mock_sleep(4900);
    ok(mock.s->slot == &dial[1].d, "not yet");
    mock_sleep(200);
    ok(mock.s->slot == &dial[2].d && dial[1].d.session == NULL,
       "the slot is taken from him");
    ngx_cira_channel_release(&dial[1].d, &state);
    ok(mock.s->slot == &dial[2].d
       && ngx_cira_session_state(mock.s)->len == 0,
       "what he says then is not heard");
    ok(ngx_cira_channel_redial(&dial[1].d) == NGX_DECLINED,
       "and he has to wait again");
    confirm(3);
    ngx_cira_channel_release(&dial[2].d, &state);
    ok(mock.s->slot == NULL, "the last one releases");

    end(2);

    /* the session ends */

    hold(2);
    message(97, 1, 1, 0, 0, 0);
    ok(mock.s->slot == &dial[0].d, "held");
    end(2);
    ok(dial[0].closed == 1 && dial[0].d.session == NULL
       && dial[1].rc == NGX_CIRA_DIAL_LOST, "nobody is told twice");
    ngx_cira_channel_close(&dial[0].d);
    peer_release(&dial[0]);
    ok(ngx_cira_channel_redial(&dial[0].d) == NGX_DECLINED, "all is over");

    /* without the slot */

    begin();
    peer_connect(&mock, &dial[0], 16992, 100);
    message(97, 1, 1, 0, 0, 0);
    ok(dial[0].closed == 1 && dial[0].d.session == NULL,
       "a dialer without the slot keeps nothing");
    end(1);
}


static void
test_redial(void)
{
    int        i;
    u_char     buf[NGX_CIRA_STATE_MAX];
    ngx_str_t  state = ngx_string("opaque");

    hold(2);
    (void) ngx_cira_session_set_state(mock.s, &state);
    ok(ngx_cira_channel_state(&dial[1].d, buf) == 0, "who waits has no state");
    ok(ngx_cira_channel_state(&dial[0].d, buf) == 6, "the holder has");
    message(97, 1, 1, 0, 0, 0);
    mock.out_pos = mock.out_len;
    ok(ngx_cira_channel_redial(&dial[0].d) == NGX_OK
       && dial[0].d.waiting && mock.s->slot == &dial[0].d, "dialed again");
    ok(ngx_cira_channel_redial(&dial[0].d) == NGX_DECLINED
       && !dial[0].d.waiting && mock.s->slot == NULL,
       "not twice: that ends it");
    mock_loop();
    confirm(2);
    ok(mock.s->slot == &dial[1].d && !dial[1].d.kept, "the next has it");

    /* before others, also when the queue is full; the channel is still open */

    mock_conf.queue = 3;

    for (i = 2; i < 5; i++) {
        dial[i].d.slot = 1;
        (void) peer_dial(&mock, &dial[i], 16992);
    }

    mock_loop();
    ok(mock.s->ndials == 3 && ngx_cira_channel_redial(&dial[1].d) == NGX_OK
       && mock.s->ndials == 4, "a full queue does not matter");
    mock_loop();
    ok(SENT(&mock, CLOSE7 OPEN("\3", "\x01\x40\0", "\x42\x60"))
       && dial[1].closed == 0, "the channel makes room for another");
    mock_sleep(100);
    message(97, 1, 2, 0, 0, 0);
    confirm(3);
    ok(dial[1].opened == 2 && dial[1].rc == NGX_CIRA_DIAL_OK
       && dial[1].d.kept && !dial[1].d.reused && dial[2].opened == 0,
       "which nobody had in between");

    /* what was kept for it is not for the new channel */

    dial[1].take = 0;
    receive(3, 5, 'x');
    message(97, 1, 3, 0, 0, 0);
    ok(dial[1].closed == 0, "bytes are waiting");
    mock.out_pos = mock.out_len;
    ok(ngx_cira_channel_redial(&dial[1].d) == NGX_OK, "not asked for");
    mock_loop();
    dial[1].take = (size_t) -1;
    confirm(4);
    ok(dial[1].opened == 3 && dial[1].received == 0, "gone");

    /* refused */

    ok(ngx_cira_channel_redial(&dial[1].d) == NGX_OK, "once more");
    mock_loop();
    mock.out_pos = mock.out_len;
    peer_begin();
    peer_failure(5, 2);
    peer_send(&mock);
    ok(dial[1].opened == 4 && dial[1].rc == NGX_CIRA_DIAL_REFUSED
       && dial[1].d.session == NULL && mock.s->slot == &dial[2].d,
       "refused: the next");
    confirm(6);
    mock_conf.queue = 4;
    end(4);
}


/* A holder that waits for a place, and those behind him: all in their time. */

static void
test_redial_wait(void)
{
    int  i;

    mock_conf.queue_timeout = 3000;

    begin();

    for (i = 0; i < 6; i++) {
        peer_connect(&mock, &dial[i], 16994, 100);
    }

    dial[6].d.slot = 1;
    dial[7].d.slot = 1;
    ngx_cira_channel_close(&dial[0].d);
    message(97, 1, 1, 0, 0, 0);
    peer_init(&dial[0]);
    peer_connect(&mock, &dial[6], 16992, 100);
    ok(mock.s->nchannels == 6, "all places are taken");
    (void) peer_dial(&mock, &dial[7], 16992);
    mock_sleep(2000);

    /* his own place is free only when the device has confirmed */

    ok(ngx_cira_channel_redial(&dial[6].d) == NGX_OK, "the holder waits");
    mock_sleep(900);
    ok(dial[6].d.waiting && dial[7].d.waiting, "as does another");
    mock_sleep(200);
    ok(dial[7].opened == 1 && dial[7].rc == NGX_CIRA_DIAL_TIMEOUT
       && dial[6].d.waiting, "who was there before him");
    mock_sleep(2000);
    ok(dial[6].opened == 2 && dial[6].rc == NGX_CIRA_DIAL_TIMEOUT
       && mock.s->slot == NULL && mock.s->ndials == 0, "then he has, too");

    mock_conf.queue_timeout = 30000;
    end(5);
}


static void
test_takeover(void)
{
    hold(3);
    dial[0].d.holder = 0x1234;
    dial[3].d.slot = 1;
    dial[3].d.holder = 0x1235;
    dial[4].d.slot = 1;
    dial[4].d.holder = 0x1234;

    message(97, 1, 1, 0, 0, 0);
    mock.out_pos = mock.out_len;
    (void) peer_dial(&mock, &dial[3], 16992);
    mock_loop();
    ok(mock.s->slot == &dial[0].d && dial[3].d.waiting
       && !dial[3].d.kept, "another one's number does not help");
    (void) peer_dial(&mock, &dial[4], 16992);
    ok(mock.s->slot == &dial[4].d && dial[0].d.session == NULL,
       "the slot goes from connection to connection");
    ngx_cira_channel_close(&dial[0].d);
    peer_release(&dial[0]);
    ok(mock.s->slot == &dial[4].d, "the end of the first one is no end");
    mock_loop();
    confirm(2);
    ok(dial[4].opened == 1 && dial[4].d.kept && dial[1].opened == 0,
       "which nobody had in between");

    /* the old channel is open */

    dial[5].d.slot = 1;
    dial[5].d.holder = 0x1234;
    (void) peer_dial(&mock, &dial[5], 16992);
    mock_loop();
    ok(SENT(&mock, CLOSE7 OPEN("\3", "\x01\x40\0", "\x42\x60"))
       && dial[4].closed == 1 && dial[4].d.session == NULL,
       "the old dialer is told");

    /* while it is being opened */

    dial[6].d.slot = 1;
    dial[6].d.holder = 0x1234;
    (void) peer_dial(&mock, &dial[6], 16992);
    mock_loop();
    ok(mock.s->slot == &dial[5].d && dial[6].d.waiting, "not while dialing");
    message(97, 1, 2, 0, 0, 0);
    confirm(3);
    ok(dial[5].opened == 1 && dial[5].d.kept && dial[5].closed == 0,
       "which goes on");
    ngx_cira_channel_close(&dial[6].d);

    /* without a number */

    ngx_cira_channel_close(&dial[5].d);
    mock_loop();
    confirm(4);
    dial[7].d.slot = 1;
    (void) peer_dial(&mock, &dial[7], 16992);
    mock_loop();
    ok(mock.s->slot == &dial[1].d && dial[7].d.waiting && !dial[7].d.kept,
       "who has no number waits");

    end(6);
}


static void
test_backoff(void)
{
    begin();

    (void) peer_dial(&mock, &dial[0], 16992);
    mock_loop();
    mock.out_pos = mock.out_len;

    peer_begin();
    peer_failure(1, 4);
    peer_send(&mock);
    (void) peer_dial(&mock, &dial[1], 16992);
    mock_sleep(400);
    ok(dial[0].opened == 0 && SENT(&mock, ""), "shortage: it is not told");
    mock_sleep(200);
    ok(SENT(&mock, OPEN("\2", "\x01\x40\0", "\x42\x60")
                   OPEN("\3", "\x01\x40\0", "\x42\x60")),
       "again after 500 ms, with a new id; then the next one");
    peer_begin();
    peer_failure(1, 4);
    peer_send(&mock);
    ok(SENT(&mock, "") && !dial[0].opened, "a stale FAILURE");
    peer_begin();
    peer_failure(2, 4);
    peer_failure(3, 4);
    peer_send(&mock);
    mock_sleep(1100);
    peer_begin();
    peer_failure(mock.s->channel_id, 4);
    peer_failure(mock.s->channel_id - 1, 4);
    peer_send(&mock);
    mock_sleep(2200);
    peer_begin();
    peer_failure(mock.s->channel_id, 4);
    peer_failure(mock.s->channel_id - 1, 4);
    peer_send(&mock);
    ok(dial[0].opened == 1 && dial[0].rc == NGX_CIRA_DIAL_REFUSED
       && dial[0].reason == 4, "told after three retries");

    (void) peer_dial(&mock, &dial[2], 16992);
    mock_loop();
    peer_begin();
    peer_failure(mock.s->channel_id, 4);
    peer_send(&mock);
    ngx_cira_channel_close(&dial[2].d);
    mock_loop();
    ok(dial[2].opened == 0, "cancelled meanwhile");
    mock_sleep(5000);

    end(1);
}


static void
test_ready(void)
{
    mock_t  *m = &mock;

    peer_init(&dial[0]);
    peer_init(&dial[1]);
    mock_open(m);
    peer_begin();
    peer_version(0x21);
    peer_service("auth@amt.intel.com");
    peer_login("admin", "P@ssw0rd");
    peer_send(m);
    mock_answer(m, NGX_OK, NULL);
    m->out_pos = m->out_len;

    ok(peer_dial(m, &dial[0], 16992) == NGX_OK
       && peer_dial(m, &dial[1], 16993) == NGX_OK, "dialed before forwards");
    mock_sleep(500);
    ok(SENT(m, "") && !dial[0].opened, "not ready");
    peer_begin();
    peer_service("pfwd@amt.intel.com");
    peer_forward(16994, 0);
    peer_send(m);
    mock_sleep(100);
    m->out_pos = m->out_len;
    peer_begin();
    peer_forward(16992, 0);
    peer_send(m);
    ok(SENT(m, OPEN("\1", "\x01\x40\0", "\x42\x60")),
       "ready with the first WSMAN port");
    ok(dial[1].opened == 1 && dial[1].rc == NGX_CIRA_DIAL_REFUSED
       && dial[1].reason == 1, "the other is not forwarded");
    mock_close(m);
    ok(dial[0].opened == 1 && dial[0].rc == NGX_CIRA_DIAL_LOST,
       "lost with the session");

    /* forwards at once: 300 ms after login */

    peer_init(&dial[0]);
    mock_open(m);
    peer_begin();
    peer_version(0x21);
    peer_service("auth@amt.intel.com");
    peer_login("admin", "P@ssw0rd");
    peer_service("pfwd@amt.intel.com");
    peer_forward(16992, 0);
    peer_send(m);
    mock_answer(m, NGX_OK, NULL);
    m->out_pos = m->out_len;
    (void) peer_dial(m, &dial[0], 16992);
    mock_loop();
    ok(SENT(m, ""), "too early");
    mock_sleep(200);
    ok(SENT(m, ""), "too early");
    mock_sleep(400);
    ok(mock.s->nchannels == 1, "then it is dialed");
    ngx_cira_channel_close(&dial[0].d);
    mock_close(m);
}


int
main(void)
{
    mock_setup();

    test_open();
    test_closing();
    test_guard();
    test_ids();
    test_window();
    test_output();
    test_pool();
    test_limits();
    test_wait();
    test_slot();
    test_slot_kept();
    test_redial();
    test_redial_wait();
    test_takeover();
    test_backoff();
    test_shortage();
    test_last_words();
    test_ready();

    return done();
}
