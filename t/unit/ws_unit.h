
/* What tests and fuzz target of the WebSocket codec share. */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ws/ngx_amt_ws.h"


/*
 * Reads in[len] cut at every place for which cut() says so, and writes what
 * happened as text, with the cuts of data removed: "T{" or "B{" at the start
 * of a message, its bytes in hex, "}" at its end; "P(hex)", "O(hex)" ping and
 * pong; "C(code,hex)" close; "F(code,error)" failed.
 */

typedef ngx_uint_t (*ws_cut_pt)(size_t offset, void *data);


static u_char *
ws_hex(u_char *out, u_char *p, size_t len)
{
    return ngx_hex_dump(out, p, len);
}


static size_t
ws_events(const u_char *in, size_t len, uint64_t max_frame,
    uint64_t max_message, ws_cut_pt cut, void *data, u_char *out,
    ngx_uint_t *broken)
{
    size_t                i, n;
    u_char               *piece, *p, *last, *start;
    ngx_amt_ws_reader_t   r;
    ngx_amt_ws_event_e    ev;

    start = out;

    ngx_amt_ws_reader_init(&r, max_frame, max_message);

    for (i = 0; i < len; i += n) {

        for (n = 1; i + n < len && !cut(i + n, data); n++) { /* void */ }

        /* of its own, so that ASan sees what is beside it */

        piece = malloc(n);
        memcpy(piece, in + i, n);
        p = piece;
        last = piece + n;

        for ( ;; ) {
            ev = ngx_amt_ws_read(&r, &p, last);

            if (p < piece || p > last) {
                *broken = 1;
            }

            switch (ev) {

            case NGX_AMT_WS_EV_MORE:

                if (p != last) {
                    *broken = 2;
                }

                break;

            case NGX_AMT_WS_EV_DATA:

                if (r.data < piece || r.data + r.len > p
                    || (r.len == 0 && !r.last))
                {
                    *broken = 3;
                }

                if (r.first) {
                    *out++ = r.text ? 'T' : 'B';
                    *out++ = '{';
                }

                out = ws_hex(out, r.data, r.len);

                if (r.last) {
                    *out++ = '}';
                }

                continue;

            case NGX_AMT_WS_EV_PING:
            case NGX_AMT_WS_EV_PONG:
                *out++ = (ev == NGX_AMT_WS_EV_PING) ? 'P' : 'O';
                *out++ = '(';
                out = ws_hex(out, r.data, r.len);
                *out++ = ')';
                continue;

            case NGX_AMT_WS_EV_CLOSE:
                out = ngx_sprintf(out, "C(%ui,", r.code);
                out = ws_hex(out, r.data, r.len);
                *out++ = ')';
                break;

            case NGX_AMT_WS_EV_FAILED:
                out = ngx_sprintf(out, "F(%ui,%s)", r.code, r.error);
                break;
            }

            break;
        }

        /* the end stays */

        if (ev != NGX_AMT_WS_EV_MORE
            && ngx_amt_ws_read(&r, &p, last) != ev)
        {
            *broken = 4;
        }

        free(piece);

        if (ev != NGX_AMT_WS_EV_MORE) {
            break;
        }
    }

    *out = '\0';

    return out - start;
}
