
/*
 * Answers of Vault: the first byte chooses the operation, the second the
 * status, the rest is the body.  What comes out must be what
 * ngx_amt_vault_answer.h promises, whatever goes in.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "vault/ngx_amt_vault_answer.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


static const ngx_uint_t  statuses[] = {
    200, 204, 301, 400, 403, 404, 412, 429, 472, 473, 500, 501, 502, 503, 599
};


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    u_char                  *copy;
    ngx_int_t                rc;
    ngx_str_t                body;
    ngx_uint_t               op, status;
    ngx_amt_vault_answer_t   answer;

    if (size < 2) {
        return 0;
    }

    op = data[0] % (NGX_AMT_VAULT_HEALTH + 1);
    status = statuses[data[1] % (sizeof(statuses) / sizeof(statuses[0]))];

    /* exactly as large as said, and a zero after it */

    body.len = size - 2;
    copy = malloc(body.len + 1);
    ngx_memcpy(copy, data + 2, body.len);
    copy[body.len] = '\0';
    body.data = copy;

    rc = ngx_amt_vault_answer(op, status, &body, &answer);

    switch (rc) {

    case NGX_OK:
        if (answer.err != NGX_AMT_ERR_NONE
            || (op == NGX_AMT_VAULT_READ
                && (!json_is_object(answer.json) || answer.version == 0
                    || status != 200))
            || (op == NGX_AMT_VAULT_WRITE
                && (answer.version == 0 || status != 200))
            || (op == NGX_AMT_VAULT_LIST && !json_is_array(answer.json))
            || (op == NGX_AMT_VAULT_HEALTH && !json_is_object(answer.json)))
        {
            abort();
        }

        break;

    case NGX_DECLINED:
        if (op != NGX_AMT_VAULT_READ || status != 404 || answer.json) {
            abort();
        }

        break;

    case NGX_ERROR:
        if (answer.err == NGX_AMT_ERR_NONE || answer.text == NULL
            || answer.json)
        {
            abort();
        }

        break;

    default:
        abort();
    }

    json_decref(answer.json);
    free(copy);

    return 0;
}
