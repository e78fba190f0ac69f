
/*
 * Passwords of AMT; see ngx_amt_password.h.
 */


#include "amt/ngx_amt_password.h"
#include <ngx_md5.h>
#include <openssl/rand.h>


#define NGX_AMT_PASSWORD_SPECIAL  "!@#$%^&*"

/* beside letters and digits */
#define NGX_AMT_PASSWORD_OTHER                                                \
    "!#$%&'()*+,-./:;<=>?@[\\]^_~"


static ngx_int_t ngx_amt_password_random(u_char *c, const char *set,
    size_t len);


ngx_uint_t
ngx_amt_password_strong(const char *text, size_t len, size_t max)
{
    size_t      i;
    u_char      c;
    ngx_uint_t  lower, upper, digit, special;

    if (len < NGX_AMT_PASSWORD_MIN || len > max) {
        return 0;
    }

    lower = 0;
    upper = 0;
    digit = 0;
    special = 0;

    for (i = 0; i < len; i++) {

        c = (u_char) text[i];

        if (c >= 'a' && c <= 'z') {
            lower = 1;

        } else if (c >= 'A' && c <= 'Z') {
            upper = 1;

        } else if (c >= '0' && c <= '9') {
            digit = 1;

        } else if (c == '\0' || strchr(NGX_AMT_PASSWORD_OTHER, c) == NULL) {
            return 0;

        } else if (strchr(NGX_AMT_PASSWORD_SPECIAL, c)) {
            special = 1;
        }
    }

    return lower && upper && digit && special;
}


/* One character of a set of up to 256, all with the same chance. */

static ngx_int_t
ngx_amt_password_random(u_char *c, const char *set, size_t len)
{
    u_char  byte;

    do {
        if (RAND_bytes(&byte, 1) != 1) {
            return NGX_ERROR;
        }

    } while (byte >= 256 - 256 % len);

    *c = (u_char) set[byte % len];

    return NGX_OK;
}


ngx_int_t
ngx_amt_password_generate(char *buf, size_t len)
{
    size_t       i;

    static const char  set[] = "abcdefghijkmnopqrstuvwxyz"
                               "ABCDEFGHJKLMNPQRSTUVWXYZ"
                               "23456789!@#$%^&*";

    /*
     * All strong ones have the same chance: those that are not are thrown
     * away.  Of 8 characters every fifth is good, of 16 most are.
     */

    do {
        for (i = 0; i < len; i++) {
            if (ngx_amt_password_random((u_char *) &buf[i], set,
                                        sizeof(set) - 1)
                != NGX_OK)
            {
                ngx_explicit_memzero(buf, len);
                return NGX_ERROR;
            }
        }

        buf[len] = '\0';

    } while (!ngx_amt_password_strong(buf, len, NGX_AMT_PASSWORD_MAX));

    return NGX_OK;
}


ngx_int_t
ngx_amt_password_admin(ngx_pool_t *pool, ngx_str_t *realm,
    ngx_str_t *password, ngx_str_t *body)
{
    u_char     digest[16];
    ngx_int_t  rc;
    ngx_md5_t  md5;

    static ngx_str_t  user = ngx_string("admin");

    ngx_md5_init(&md5);
    ngx_md5_update(&md5, "admin:", sizeof("admin:") - 1);
    ngx_md5_update(&md5, realm->data, realm->len);
    ngx_md5_update(&md5, ":", 1);
    ngx_md5_update(&md5, password->data, password->len);
    ngx_md5_final(digest, &md5);

    rc = ngx_amt_password_acl(pool, &user, digest, body);

    ngx_explicit_memzero(&md5, sizeof(ngx_md5_t));
    ngx_explicit_memzero(digest, sizeof(digest));

    return rc;
}


ngx_int_t
ngx_amt_password_acl(ngx_pool_t *pool, ngx_str_t *user, u_char digest[16],
    ngx_str_t *body)
{
    u_char                 buf[ngx_base64_encoded_length(16) + 1];
    ngx_int_t              rc;
    ngx_str_t              in, out;
    ngx_amt_xml_writer_t   w;

    in.data = digest;
    in.len = 16;
    out.data = buf;

    ngx_encode_base64(&out, &in);

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);

    ngx_amt_xml_leaf(&w, "Username", user);
    ngx_amt_xml_leaf(&w, "DigestPassword", &out);

    rc = ngx_amt_xml_done(&w, body);

    ngx_explicit_memzero(buf, sizeof(buf));

    return rc;
}


ngx_int_t
ngx_amt_password_mebx(ngx_pool_t *pool, ngx_str_t *password, ngx_str_t *body)
{
    ngx_amt_xml_writer_t  w;

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);

    ngx_amt_xml_leaf(&w, "Password", password);

    return ngx_amt_xml_done(&w, body);
}
