
/* Redirection sessions (port 16994): shared by their files. */


#ifndef _REDIR_H_INCLUDED_
#define _REDIR_H_INCLUDED_


#include "sim.h"


enum { R_NONE = 0, R_SOL, R_IDER, R_KVM };

typedef struct {
    channel_t      *c;
    uint8_t         type;
    uint8_t         authed;
    uint8_t         step;             /* of the protocol inside */
    uint8_t         toggled;
    uint32_t        seq_in;           /* next one expected */
    uint32_t        seq_out;
    uint32_t        frame;
    tmr_t           timer;

    /* KVM */
    uint8_t         bpp;
    uint16_t        max[3];           /* red, green, blue */
    uint8_t         shift[3];
    uint16_t        x;                /* update asked for */
    uint16_t        y;
    uint16_t        w;
    uint16_t        h;

    /* IDE-R: what was read so far */
    uint32_t        lba;
    uint32_t        last_lba;
    uint32_t        block;
    uint32_t        reads;
    buf_t           data;             /* of the command running */
    void           *digest;           /* EVP_MD_CTX */

    buf_t           line;             /* SOL: the command typed */
} redir_t;

/* each takes one message; its length, 0: incomplete, -1: closed */

long sol_input(redir_t *r, const u_char *p, size_t n);
long ider_input(redir_t *r, const u_char *p, size_t n);
void kvm_banner(redir_t *r);
long kvm_input(redir_t *r, const u_char *p, size_t n);
void ider_free(redir_t *r);
long redir_bad(redir_t *r, const char *why);
uint32_t get_le32(const u_char *p);


#endif /* _REDIR_H_INCLUDED_ */
