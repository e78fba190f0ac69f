
/*
 * IDE-R: the machine reads the medium the viewer offers: capacity, then all
 * of its blocks up to a limit.  What it read is told as an MD5.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include "redir.h"


#define BLOCKS     16                 /* per READ */

enum { I_OPEN = 0, I_IDLE, I_CAPACITY, I_READ, I_DONE };


static void
ider_head(redir_t *r, unsigned cmd, unsigned attributes)
{
    buf_u8(&r->c->out, cmd);
    buf_u16le(&r->c->out, 0);
    buf_u8(&r->c->out, attributes);
    buf_u32le(&r->c->out, r->seq_out++);
}


void
ider_free(redir_t *r)
{
    EVP_MD_CTX_free(r->digest);
    r->digest = NULL;
}


/* a SCSI command for the CD of the viewer */

static void
ider_command(redir_t *r, const u_char cdb[12])
{
    u_char  body[20];

    memset(body, 0, sizeof(body));
    body[6] = 0xb0;
    memcpy(body + 8, cdb, 12);

    buf_free(&r->data);
    ider_head(r, 0x50, 0);
    buf_add(&r->c->out, body, sizeof(body));
}


static void
ider_capacity(redir_t *r)
{
    u_char  cdb[12];

    memset(cdb, 0, sizeof(cdb));
    cdb[0] = 0x25;

    r->step = I_CAPACITY;
    ider_command(r, cdb);
}


static unsigned
ider_blocks(redir_t *r)
{
    uint32_t  left;

    left = r->last_lba - r->lba + 1;

    return left < BLOCKS ? left : BLOCKS;
}


static void
ider_read(redir_t *r)
{
    u_char    cdb[12];
    unsigned  i, n, len;
    u_char    md[EVP_MAX_MD_SIZE];
    char      hex[33];

    if (r->lba > r->last_lba || r->lba >= opt.ider_blocks) {

        EVP_DigestFinal_ex(r->digest, md, &len);
        for (i = 0; i < 16; i++) {
            snprintf(hex + 2 * i, 3, "%02x", md[i]);
        }

        r->step = I_DONE;
        event(r->c->d, "ider", "\"blocks\":%u,\"block\":%u,\"md5\":\"%s\"",
              r->lba, r->block, hex);
        return;
    }

    n = ider_blocks(r);

    memset(cdb, 0, sizeof(cdb));
    cdb[0] = 0x28;
    cdb[2] = (u_char) (r->lba >> 24);
    cdb[3] = (u_char) (r->lba >> 16);
    cdb[4] = (u_char) (r->lba >> 8);
    cdb[5] = (u_char) r->lba;
    cdb[8] = (u_char) n;

    r->step = I_READ;
    ider_command(r, cdb);
}


/* the data of the running command is complete */

static long
ider_answer(redir_t *r)
{
    u_char  *p;
    size_t   n;

    p = buf_head(&r->data);
    n = buf_left(&r->data);

    if (r->step == I_CAPACITY) {

        if (n != 8) {
            return redir_bad(r, "IDE-R capacity");
        }

        r->last_lba = get_u32(p);
        r->block = get_u32(p + 4);
        r->lba = 0;

        if (r->block != 512 && r->block != 2048) {
            return redir_bad(r, "IDE-R block size");
        }

        r->digest = EVP_MD_CTX_new();
        if (r->digest == NULL
            || EVP_DigestInit_ex(r->digest, EVP_md5(), NULL) != 1)
        {
            abort();
        }

        ider_read(r);
        return 0;
    }

    if (n != (size_t) ider_blocks(r) * r->block) {
        return redir_bad(r, "IDE-R data of another length than asked");
    }

    EVP_DigestUpdate(r->digest, p, n);
    r->lba += ider_blocks(r);
    ider_read(r);

    return 0;
}


static long
ider_length(const u_char *p, size_t n)
{
    static const struct {
        u_char  cmd;
        u_char  len;
    } table[] = {
        { 0x40, 18 }, { 0x43, 8 }, { 0x44, 8 }, { 0x45, 8 }, { 0x47, 8 },
        { 0x48, 13 }, { 0x51, 31 }, { 0x52, 31 }, { 0x54, 34 }, { 0, 0 }
    };
    unsigned  i;

    for (i = 0; table[i].cmd; i++) {

        if (table[i].cmd != p[0]) {
            continue;
        }

        if (n < table[i].len) {
            return 0;
        }

        return table[i].len + (p[0] == 0x54 ? p[9] | p[10] << 8 : 0);
    }

    return -1;
}


long
ider_input(redir_t *r, const u_char *p, size_t n)
{
    int       last;
    long      len;
    uint32_t  features;

    len = ider_length(p, n);

    if (len < 0) {
        return redir_bad(r, "unknown IDE-R message");
    }

    if (len == 0 || n < (size_t) len) {
        return 0;
    }

    if (get_le32(p + 4) != r->seq_in) {
        return redir_bad(r, "IDE-R sequence number");
    }

    r->seq_in++;

    if (r->step == I_OPEN && p[0] != 0x40) {
        return redir_bad(r, "IDE-R message before the session is open");
    }

    switch (p[0]) {

    case 0x40:
        if (r->step != I_OPEN) {
            return redir_bad(r, "IDE-R session opened twice");
        }

        r->step = I_IDLE;
        ider_head(r, 0x41, 0);
        buf_add(&r->c->out, "\x01\x00\x10\x01\x00\x00\x00\x00", 8);
        buf_u16le(&r->c->out, 8192);
        buf_u16le(&r->c->out, 8192);
        buf_add(&r->c->out, "\0\0\0\0\0", 5);
        buf_u32le(&r->c->out, 343);
        buf_u8(&r->c->out, 0);
        break;

    case 0x44:
        ider_head(r, 0x45, 0);
        break;

    case 0x48:
        features = get_le32(p + 9);
        ider_head(r, 0x49, 0);
        buf_u8(&r->c->out, 3);
        buf_u32le(&r->c->out, features);

        if ((features & 1) && !r->toggled) {
            r->toggled = 1;
            ider_capacity(r);
        }
        break;

    case 0x51:
        if (r->step == I_CAPACITY || r->step == I_READ) {
            r->step = I_DONE;
            event(r->c->d, "ider", "\"error\":\"command failed\"");
        }
        break;

    case 0x54:
        if (r->step != I_CAPACITY && r->step != I_READ) {
            return redir_bad(r, "IDE-R data nobody asked for");
        }

        buf_add(&r->data, p + 34, len - 34);

        if (buf_left(&r->data) > BLOCKS * 2048) {
            return redir_bad(r, "IDE-R data without end");
        }

        last = (p[3] & 2) != 0;

        if (last && ider_answer(r) < 0) {
            return -1;
        }
        break;
    }

    return len;
}
