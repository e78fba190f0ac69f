
/*
 * Names of scopes, and the one decision that is made of them.
 */


#include "auth/ngx_amt_principal.h"


static ngx_conf_bitmask_t  ngx_amt_scopes[] = {
    { ngx_string("read"), NGX_AMT_SCOPE_READ },
    { ngx_string("power"), NGX_AMT_SCOPE_POWER },
    { ngx_string("devices"), NGX_AMT_SCOPE_DEVICES },
    { ngx_string("configure"), NGX_AMT_SCOPE_CONFIGURE },
    { ngx_string("redirection"), NGX_AMT_SCOPE_REDIRECTION },
    { ngx_string("force"), NGX_AMT_SCOPE_FORCE },
    { ngx_string("secrets"), NGX_AMT_SCOPE_SECRETS },
    { ngx_string("provision"), NGX_AMT_SCOPE_PROVISION },
    { ngx_string("record"), NGX_AMT_SCOPE_RECORD },
    { ngx_string("all"), NGX_AMT_SCOPE_ALL },
    { ngx_null_string, 0 }
};


ngx_int_t
ngx_amt_scope_parse(ngx_str_t *text, ngx_uint_t *scopes)
{
    u_char      *p, *start, *last;
    ngx_uint_t   i;

    *scopes = 0;

    if (text->len == 0) {
        return NGX_OK;
    }

    last = text->data + text->len;

    for (p = text->data; /* void */ ; p++) {

        start = p;

        while (p < last && *p != ',') {
            p++;
        }

        for (i = 0; ngx_amt_scopes[i].name.len; i++) {
            if (ngx_amt_scopes[i].name.len == (size_t) (p - start)
                && ngx_memcmp(ngx_amt_scopes[i].name.data, start, p - start)
                   == 0)
            {
                break;
            }
        }

        if (ngx_amt_scopes[i].name.len == 0) {
            *scopes = 0;
            return NGX_ERROR;
        }

        *scopes |= ngx_amt_scopes[i].mask;

        if (p == last) {
            return NGX_OK;
        }
    }
}


ngx_int_t
ngx_amt_auth_allow(ngx_amt_identity_t *id, ngx_uint_t scope)
{
    if (scope == 0 || (id->scopes & scope) != scope) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}
