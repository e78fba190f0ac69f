
/*
 * For benchmarks (--pump): a redirection port that is no AMT.  Who begins
 * with "PUMPd" gets bytes without end, "PUMPu" may send as many, "PUMPe" gets
 * them back.  Windows are kept as honestly as with the rest.
 */


#include <stdlib.h>
#include <string.h>
#include "sim.h"


#define PIECE  65536


/* 1: the bytes were taken */

int
pump_input(channel_t *c)
{
    u_char  *p;

    if (!opt.pump) {
        return 0;
    }

    p = buf_head(&c->in);

    if (!c->pump) {

        if (buf_left(&c->in) < 5) {
            return buf_left(&c->in) == 0 || p[0] == 'P';
        }

        if (memcmp(p, "PUMP", 4) != 0) {
            return 0;
        }

        c->pump = p[4];
        buf_eat(&c->in, 5);
    }

    if (c->pump == 'e') {
        buf_add(&c->out, buf_head(&c->in), buf_left(&c->in));
    }

    buf_free(&c->in);
    channel_send(c);

    return 1;
}


/* as much as the window takes */

void
pump_fill(channel_t *c)
{
    size_t         n;
    static u_char  piece[PIECE];

    if (piece[0] == 0) {
        memset(piece, 'x', PIECE);
    }

    if (c->pump == 'd' && buf_left(&c->out) == 0) {
        n = c->credits < PIECE ? c->credits : PIECE;
        buf_add(&c->out, piece, n);
    }
}
