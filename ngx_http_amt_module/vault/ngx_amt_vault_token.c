
/*
 * Vault's token, from a file that an operator or an agent renews at any time.
 * It is looked at before each call (one stat) and read when it changed.
 */


#include "vault/ngx_http_amt_vault.h"
#include <sys/mman.h>


static void ngx_amt_vault_token_failed(ngx_amt_vault_token_t *token,
    ngx_log_t *log, ngx_err_t err, const char *why);
static ngx_uint_t ngx_amt_vault_token_same(ngx_amt_vault_token_t *token,
    struct stat *st);
static void ngx_amt_vault_token_note(ngx_amt_vault_token_t *token,
    struct stat *st);


const char *
ngx_amt_vault_token_read(ngx_amt_vault_token_t *token, u_char *data,
    size_t *len, struct stat *st, ngx_err_t *err)
{
    u_char      *p, *last;
    ssize_t      n;
    ngx_fd_t     fd;
    const char  *why;

    *err = 0;
    *len = 0;
    ngx_memzero(st, sizeof(struct stat));

    /* a FIFO must not block the worker */

    fd = open((const char *) token->file.data,
              O_RDONLY|O_CLOEXEC|O_NONBLOCK|O_NOCTTY);

    if (fd == NGX_INVALID_FILE) {
        *err = ngx_errno;
        return "cannot be opened";
    }

    n = 0;

    if (fstat(fd, st) == -1) {
        *err = ngx_errno;
        why = "has no state";

    } else if (!S_ISREG(st->st_mode)) {
        why = "is not a regular file";

    } else if (st->st_mode & S_IRWXO) {
        why = "must not be accessible to others, chmod o-rwx";

    } else if (st->st_size > NGX_AMT_VAULT_TOKEN_MAX) {
        why = "is too large for a token";

    } else {
        n = read(fd, data, NGX_AMT_VAULT_TOKEN_MAX);
        why = NULL;

        if (n == -1) {
            *err = ngx_errno;
            why = "cannot be read";
        }
    }

    (void) close(fd);

    if (why) {
        return why;
    }

    last = data + n;

    while (last > data && (last[-1] == LF || last[-1] == CR
                           || last[-1] == ' ' || last[-1] == '\t'))
    {
        last--;
    }

    if (last == data) {
        return "is empty";
    }

    for (p = data; p < last; p++) {

        /* it becomes a header */

        if (*p <= 0x20 || *p >= 0x7f) {
            ngx_explicit_memzero(data, n);
            return "holds something else than one token";
        }
    }

    *len = last - data;

    return NULL;
}


ngx_int_t
ngx_amt_vault_token_init(ngx_amt_vault_token_t *token, ngx_log_t *log)
{
    if (token->file.len == 0) {
        return NGX_OK;
    }

    token->data = mmap(NULL, NGX_AMT_VAULT_TOKEN_MAX, PROT_READ|PROT_WRITE,
                       MAP_PRIVATE|MAP_ANONYMOUS, -1, 0);

    if (token->data == MAP_FAILED) {
        token->data = NULL;
        ngx_log_error(NGX_LOG_EMERG, log, ngx_errno,
                      "no memory for Vault's token");
        return NGX_ERROR;
    }

#ifdef MADV_DONTDUMP
    (void) madvise(token->data, NGX_AMT_VAULT_TOKEN_MAX, MADV_DONTDUMP);
#endif

    token->len = 0;
    token->failed = 0;
    token->ino = 0;

    ngx_amt_vault_token_refresh(token, log);

    return NGX_OK;
}


void
ngx_amt_vault_token_exit(ngx_amt_vault_token_t *token)
{
    if (token->data) {
        ngx_explicit_memzero(token->data, NGX_AMT_VAULT_TOKEN_MAX);
        (void) munmap(token->data, NGX_AMT_VAULT_TOKEN_MAX);

        token->data = NULL;
        token->len = 0;
    }
}


void
ngx_amt_vault_token_refresh(ngx_amt_vault_token_t *token, ngx_log_t *log)
{
    u_char       data[NGX_AMT_VAULT_TOKEN_MAX];
    size_t       len;
    ngx_err_t    err;
    const char  *why;
    struct stat  st, opened;

    if (token->data == NULL) {
        return;
    }

    if (stat((const char *) token->file.data, &st) == -1) {
        err = ngx_errno;
        ngx_memzero(&st, sizeof(struct stat));

        if (!ngx_amt_vault_token_same(token, &st) || !token->failed) {
            ngx_amt_vault_token_note(token, &st);
            ngx_amt_vault_token_failed(token, log, err, "is gone");
        }

        return;
    }

    if (ngx_amt_vault_token_same(token, &st)) {
        return;
    }

    why = ngx_amt_vault_token_read(token, data, &len, &opened, &err);

    ngx_amt_vault_token_note(token, opened.st_ino ? &opened : &st);

    if (why) {
        ngx_amt_vault_token_failed(token, log, err, why);
        ngx_explicit_memzero(data, sizeof(data));
        return;
    }

    ngx_explicit_memzero(token->data, token->len);
    ngx_memcpy(token->data, data, len);
    ngx_explicit_memzero(data, sizeof(data));

    ngx_log_error(NGX_LOG_INFO, log, 0, "Vault's token was read from \"%V\"",
                  &token->file);

    token->len = len;
    token->failed = 0;
}


static void
ngx_amt_vault_token_failed(ngx_amt_vault_token_t *token, ngx_log_t *log,
    ngx_err_t err, const char *why)
{
    token->failed = 1;

    ngx_log_error(NGX_LOG_CRIT, log, err, "token file \"%V\" %s, %s",
                  &token->file, why,
                  token->len ? "the former token stays in use"
                             : "there is no token for Vault");
}


static ngx_uint_t
ngx_amt_vault_token_same(ngx_amt_vault_token_t *token, struct stat *st)
{
    return token->dev == st->st_dev
           && token->ino == st->st_ino
           && token->size == st->st_size
           && token->mtime.tv_sec == st->st_mtim.tv_sec
           && token->mtime.tv_nsec == st->st_mtim.tv_nsec
           && token->ctime.tv_sec == st->st_ctim.tv_sec
           && token->ctime.tv_nsec == st->st_ctim.tv_nsec;
}


static void
ngx_amt_vault_token_note(ngx_amt_vault_token_t *token, struct stat *st)
{
    token->dev = st->st_dev;
    token->ino = st->st_ino;
    token->size = st->st_size;
    token->mtime = st->st_mtim;
    token->ctime = st->st_ctim;
}
