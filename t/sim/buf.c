
/* Byte queues and the small helpers everything else uses. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include "sim.h"


void *
xalloc(size_t n)
{
    void  *p;

    p = calloc(1, n ? n : 1);
    if (p == NULL) {
        fprintf(stderr, "amtsim: out of memory\n");
        abort();
    }

    return p;
}


char *
xstrndup(const char *s, size_t n)
{
    char  *p;

    p = xalloc(n + 1);
    memcpy(p, s, n);

    return p;
}


char *
xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}


static void
buf_room(buf_t *b, size_t n)
{
    size_t  size;

    if (b->pos && (b->pos == b->len || b->len + n > b->size)) {
        memmove(b->data, b->data + b->pos, b->len - b->pos);
        b->len -= b->pos;
        b->pos = 0;
    }

    if (b->len + n <= b->size) {
        return;
    }

    size = b->size ? b->size : 64;

    while (size < b->len + n) {
        size *= 2;
    }

    b->data = realloc(b->data, size);
    if (b->data == NULL) {
        fprintf(stderr, "amtsim: out of memory\n");
        abort();
    }

    b->size = size;
}


void
buf_add(buf_t *b, const void *p, size_t n)
{
    if (n) {
        buf_room(b, n);
        memcpy(b->data + b->len, p, n);
        b->len += n;
    }
}


void
buf_str(buf_t *b, const char *s)
{
    buf_add(b, s, strlen(s));
}


void
buf_vfmt(buf_t *b, const char *fmt, va_list args)
{
    int      n;
    va_list  copy;

    va_copy(copy, args);
    n = vsnprintf(NULL, 0, fmt, copy);
    va_end(copy);

    buf_room(b, n + 1);
    vsnprintf((char *) b->data + b->len, n + 1, fmt, args);
    b->len += n;
}


void
buf_fmt(buf_t *b, const char *fmt, ...)
{
    va_list  args;

    va_start(args, fmt);
    buf_vfmt(b, fmt, args);
    va_end(args);
}


void
buf_u8(buf_t *b, unsigned v)
{
    u_char  c;

    c = (u_char) v;
    buf_add(b, &c, 1);
}


void
buf_u16le(buf_t *b, unsigned v)
{
    buf_u8(b, v & 0xff);
    buf_u8(b, v >> 8);
}


void
buf_u32(buf_t *b, uint32_t v)
{
    u_char  p[4];

    p[0] = (u_char) (v >> 24);
    p[1] = (u_char) (v >> 16);
    p[2] = (u_char) (v >> 8);
    p[3] = (u_char) v;

    buf_add(b, p, 4);
}


void
buf_u32le(buf_t *b, uint32_t v)
{
    buf_u16le(b, v & 0xffff);
    buf_u16le(b, v >> 16);
}


void
buf_json(buf_t *b, const char *s)
{
    buf_u8(b, '"');

    for ( /* void */ ; *s; s++) {

        if (*s == '"' || *s == '\\') {
            buf_u8(b, '\\');
            buf_u8(b, (u_char) *s);

        } else if ((u_char) *s < 0x20 || (u_char) *s > 0x7e) {
            buf_fmt(b, "\\u%04x", (u_char) *s);

        } else {
            buf_u8(b, (u_char) *s);
        }
    }

    buf_u8(b, '"');
}


void
buf_xml(buf_t *b, const char *s)
{
    for ( /* void */ ; *s; s++) {

        switch (*s) {

        case '&':
            buf_str(b, "&amp;");
            break;

        case '<':
            buf_str(b, "&lt;");
            break;

        case '>':
            buf_str(b, "&gt;");
            break;

        case '"':
            buf_str(b, "&quot;");
            break;

        default:
            buf_u8(b, (u_char) *s);
        }
    }
}


void
buf_eat(buf_t *b, size_t n)
{
    b->pos += n;

    if (b->pos == b->len) {
        buf_free(b);
    }
}


void
buf_free(buf_t *b)
{
    free(b->data);
    memset(b, 0, sizeof(buf_t));
}


const char *
buf_cstr(buf_t *b)
{
    buf_room(b, 1);
    b->data[b->len] = '\0';

    return (char *) b->data + b->pos;
}


uint32_t
get_u32(const u_char *p)
{
    return (uint32_t) p[0] << 24 | (uint32_t) p[1] << 16
           | (uint32_t) p[2] << 8 | p[3];
}


void
md5_hex(char out[33], const void *p, size_t n)
{
    u_char    md[EVP_MAX_MD_SIZE];
    unsigned  i, len;

    if (EVP_Digest(p, n, md, &len, EVP_md5(), NULL) != 1) {
        fprintf(stderr, "amtsim: MD5 is not available\n");
        exit(2);
    }

    for (i = 0; i < 16; i++) {
        snprintf(out + 2 * i, 3, "%02x", md[i]);
    }
}


void
random_bytes(void *p, size_t n)
{
    if (RAND_bytes(p, (int) n) != 1) {
        fprintf(stderr, "amtsim: no random numbers\n");
        exit(2);
    }
}


static int
hex_digit(int c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }

    c |= 0x20;

    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : -1;
}


/* hex with optional blanks and dashes; number of bytes or -1 */

int
hex_decode(u_char *out, size_t max, const char *s)
{
    int     hi, lo;
    size_t  n;

    for (n = 0; *s; s++) {

        if (*s == ' ' || *s == '-' || *s == ':') {
            continue;
        }

        hi = hex_digit(s[0]);
        lo = hi < 0 ? -1 : hex_digit(s[1]);

        if (lo < 0 || n == max) {
            return -1;
        }

        out[n++] = (u_char) (hi << 4 | lo);
        s++;
    }

    return (int) n;
}


void
base64(buf_t *b, const u_char *p, size_t n)
{
    int     len;
    u_char  out[5];

    while (n) {
        len = n < 3 ? (int) n : 3;
        EVP_EncodeBlock(out, p, len);
        buf_add(b, out, 4);
        p += len;
        n -= len;
    }
}


/* strict: no white space, right padding */

int
base64_decode(u_char *out, size_t max, const char *s)
{
    int            i, v, pad;
    size_t         n, len;
    uint32_t       acc;
    const char    *p;
    static const char  set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "abcdefghijklmnopqrstuvwxyz0123456789+/";

    len = strlen(s);
    if (len % 4) {
        return -1;
    }

    for (n = 0; *s; s += 4) {

        acc = 0;
        pad = 0;

        for (i = 0; i < 4; i++) {

            if (s[i] == '=') {
                if (i < 2 || s[4] != '\0' || (i == 2 && s[3] != '=')) {
                    return -1;
                }
                pad++;
                acc <<= 6;
                continue;
            }

            p = strchr(set, s[i]);
            if (p == NULL) {
                return -1;
            }

            v = (int) (p - set);
            acc = acc << 6 | v;
        }

        for (i = 0; i < 3 - pad; i++) {
            if (out) {
                if (n == max) {
                    return -1;
                }
                out[n] = (u_char) (acc >> (16 - 8 * i));
            }
            n++;
        }
    }

    return (int) n;
}


int
base64_ok(const char *s, size_t *decoded)
{
    int  n;

    n = base64_decode(NULL, 0, s);
    if (decoded && n >= 0) {
        *decoded = n;
    }

    return n >= 0;
}


uint64_t
now_ms(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return (uint64_t) ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}
