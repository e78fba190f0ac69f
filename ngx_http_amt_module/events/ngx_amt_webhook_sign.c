
/*
 * Signatures of webhooks, in the form that the Standard Webhooks
 * specification describes, so that its libraries can verify them.
 */


#include "events/ngx_amt_webhook.h"
#include <openssl/evp.h>
#include <openssl/hmac.h>


#define NGX_AMT_WEBHOOK_MIN  16          /* bytes of a secret */


static const char *ngx_amt_webhook_secret(ngx_amt_webhook_secrets_t *secrets,
    ngx_str_t *line);
static void ngx_amt_webhook_wipe(void *data);


void *
ngx_amt_webhook_secrets(ngx_pool_t *pool, ngx_str_t *text,
    ngx_amt_source_error_t *err)
{
    u_char                     *p, *last;
    ngx_str_t                   line;
    const char                 *why;
    ngx_pool_cleanup_t         *cln;
    ngx_amt_webhook_secrets_t  *secrets;

    cln = ngx_pool_cleanup_add(pool, sizeof(ngx_amt_webhook_secrets_t));
    if (cln == NULL) {
        return NULL;
    }

    cln->handler = ngx_amt_webhook_wipe;

    secrets = cln->data;
    ngx_memzero(secrets, sizeof(ngx_amt_webhook_secrets_t));

    p = text->data;
    last = p + text->len;

    while (p < last) {

        line.data = p;

        while (p < last && *p != '\n') {
            p++;
        }

        line.len = p - line.data;
        p++;

        if (line.len && line.data[line.len - 1] == '\r') {
            line.len--;
        }

        if (line.len == 0) {
            continue;
        }

        why = ngx_amt_webhook_secret(secrets, &line);
        if (why) {
            return ngx_amt_source_refuse(err, "%s", why);
        }
    }

    if (secrets->n == 0) {
        return ngx_amt_source_refuse(err, "it is empty");
    }

    return secrets;
}


/* "whsec_" and base64, or bytes as they are */

static const char *
ngx_amt_webhook_secret(ngx_amt_webhook_secrets_t *secrets, ngx_str_t *line)
{
    u_char     *key;
    ngx_int_t   rc;
    ngx_str_t   src, dst;

    u_char      buf[ngx_base64_decoded_length(2 * NGX_AMT_WEBHOOK_SECRET)];

    if (secrets->n == NGX_AMT_WEBHOOK_SECRETS) {
        return "it has more than 4 secrets";
    }

    key = secrets->key[secrets->n];

    if (line->len > 6 && ngx_strncmp(line->data, "whsec_", 6) == 0) {

        src.data = line->data + 6;
        src.len = line->len - 6;
        dst.data = buf;
        dst.len = 0;

        /* the decoder ignores what follows the padding */

        while (src.len && src.data[src.len - 1] == '=') {
            src.len--;
        }

        if (src.len > 2 * NGX_AMT_WEBHOOK_SECRET) {
            return "a secret is longer than 64 bytes";
        }

        rc = ngx_strlchr(src.data, src.data + src.len, '=')
             ? NGX_ERROR : ngx_decode_base64(&dst, &src);

        if (rc == NGX_OK && dst.len <= NGX_AMT_WEBHOOK_SECRET) {
            ngx_memcpy(key, buf, dst.len);
        }

        ngx_explicit_memzero(buf, sizeof(buf));

        if (rc != NGX_OK) {
            return "what follows \"whsec_\" is no base64";
        }

    } else {
        dst = *line;

        if (dst.len <= NGX_AMT_WEBHOOK_SECRET) {
            ngx_memcpy(key, dst.data, dst.len);
        }
    }

    if (dst.len > NGX_AMT_WEBHOOK_SECRET) {
        return "a secret is longer than 64 bytes";
    }

    if (dst.len < NGX_AMT_WEBHOOK_MIN) {
        return "a secret is shorter than 16 bytes";
    }

    secrets->len[secrets->n++] = dst.len;

    return NULL;
}


static void
ngx_amt_webhook_wipe(void *data)
{
    ngx_explicit_memzero(data, sizeof(ngx_amt_webhook_secrets_t));
}


ngx_int_t
ngx_amt_webhook_sign(ngx_pool_t *pool,
    const ngx_amt_webhook_secrets_t *secrets, const ngx_str_t *id,
    time_t timestamp, const ngx_str_t *body, ngx_str_t *value)
{
    u_char        *p, *text, mac[EVP_MAX_MD_SIZE];
    size_t         len;
    ngx_str_t      src, dst;
    ngx_uint_t     i;
    unsigned int   n;

    text = ngx_pnalloc(pool, id->len + body->len + NGX_TIME_T_LEN + 2);
    value->data = ngx_pnalloc(pool, secrets->n
                              * (sizeof(" v1,") - 1
                                 + ngx_base64_encoded_length(32)));

    if (text == NULL || value->data == NULL) {
        return NGX_ERROR;
    }

    len = ngx_sprintf(text, "%V.%T.%V", id, timestamp, body) - text;

    p = value->data;

    for (i = 0; i < secrets->n; i++) {

        if (HMAC(EVP_sha256(), secrets->key[i], (int) secrets->len[i], text,
                 len, mac, &n)
            == NULL)
        {
            return NGX_ERROR;
        }

        if (i) {
            *p++ = ' ';
        }

        p = ngx_cpymem(p, "v1,", 3);

        src.data = mac;
        src.len = n;
        dst.data = p;

        ngx_encode_base64(&dst, &src);

        p += dst.len;
    }

    value->len = p - value->data;

    return NGX_OK;
}
