
/*
 * Serial over LAN: a little shell on the serial line.  What is typed is
 * echoed; "blast N" prints N bytes, "ver" the firmware, "bye" ends.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "redir.h"


#define PROMPT  "\r\nC:\\> "


static void sol_timeout(tmr_t *t);


static void
sol_print(redir_t *r, const char *p, size_t n)
{
    size_t  part;

    while (n) {
        part = n < 1000 ? n : 1000;

        buf_u32le(&r->c->out, 0x2a);
        buf_u32le(&r->c->out, r->seq_out++);
        buf_u16le(&r->c->out, (unsigned) part);
        buf_add(&r->c->out, p, part);

        p += part;
        n -= part;
    }
}


static void
sol_command(redir_t *r)
{
    long         n, i;
    char        *text;
    const char  *line;

    line = buf_left(&r->line) ? buf_cstr(&r->line) : "";

    if (strcmp(line, "ver") == 0) {
        sol_print(r, "\r\n", 2);
        sol_print(r, opt.version, strlen(opt.version));

    } else if (strncmp(line, "blast ", 6) == 0) {
        n = strtol(line + 6, NULL, 10);
        if (n > 0 && n <= 16 * 1024 * 1024) {
            text = xalloc(n + 1);
            for (i = 0; i < n; i++) {
                text[i] = (char) ('!' + i % 90);
            }
            sol_print(r, "\r\n", 2);
            sol_print(r, text, n);
            free(text);
        }

    } else if (strcmp(line, "bye") == 0) {
        r->c->close_after = 1;

    } else if (line[0]) {
        sol_print(r, "\r\nbad command: ", 15);
        sol_print(r, line, strlen(line));
    }

    buf_free(&r->line);
    sol_print(r, PROMPT, sizeof(PROMPT) - 1);
}


static void
sol_typed(redir_t *r, const u_char *p, size_t n)
{
    size_t  i;

    for (i = 0; i < n; i++) {

        if (p[i] == '\r' || p[i] == '\n') {
            sol_command(r);
            continue;
        }

        if (buf_left(&r->line) < 256) {
            buf_u8(&r->line, p[i]);
        }

        sol_print(r, (const char *) p + i, 1);
    }
}


long
sol_input(redir_t *r, const u_char *p, size_t n)
{
    size_t  len;

    switch (p[0]) {

    case 0x20:
        len = 24;
        break;

    case 0x27:
        len = 14;
        break;

    case 0x2b:
        len = 8;
        break;

    case 0x28:
        if (n < 10) {
            return 0;
        }
        len = 10 + (p[8] | p[9] << 8);
        break;

    default:
        return redir_bad(r, "unknown SOL message");
    }

    if (n < len) {
        return 0;
    }

    /*
     * Sequence numbers are not looked at: the public browser toolkit sends
     * zero in every message, and firmware takes it.
     */

    if (p[0] != 0x20 && !r->step) {
        return redir_bad(r, "SOL data before the settings");
    }

    switch (p[0]) {

    case 0x20:
        r->step = 1;
        r->frame = p[14] | p[15] << 8;

        buf_u32le(&r->c->out, 0x21);
        buf_u32le(&r->c->out, r->seq_out++);
        buf_add(&r->c->out, p + 8, 12);
        buf_add(&r->c->out, "\0\0\0", 3);

        sol_print(r, "Emulated serial console", 23);
        sol_print(r, PROMPT, sizeof(PROMPT) - 1);
        break;

    case 0x28:
        sol_typed(r, p + 10, len - 10);
        break;

    case 0x2b:
        buf_u32le(&r->c->out, 0x2b);
        buf_u32le(&r->c->out, r->seq_out++);
        break;
    }

    /* a viewer that says nothing for that long is gone */

    if (r->frame) {
        tmr_set(&r->timer, r->frame, sol_timeout, r);
    }

    return (long) len;
}


static void
sol_timeout(tmr_t *t)
{
    redir_t   *r;
    device_t  *d;

    r = t->data;
    d = r->c->d;

    redir_bad(r, "SOL receive timeout");
    conn_flush(d);
}
