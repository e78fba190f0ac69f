
/*
 * Vault's answers, see ngx_amt_vault_answer.h.
 *
 * "There is none" is believed only in Vault's own words: status 404 with an
 * empty list of errors, or with the metadata of a deleted version.  Any other
 * 404 (a wrong mount, another server) is an error, because what depends on it
 * overwrites and deletes.
 */


#include "vault/ngx_amt_vault_answer.h"


static ngx_int_t ngx_amt_vault_answer_read(json_t *data,
    ngx_amt_vault_answer_t *answer);
static ngx_int_t ngx_amt_vault_answer_write(json_t *data,
    ngx_amt_vault_answer_t *answer);
static ngx_int_t ngx_amt_vault_answer_list(json_t *data,
    ngx_amt_vault_answer_t *answer);
static ngx_int_t ngx_amt_vault_answer_none(ngx_amt_vault_op_e op,
    json_t *root, ngx_amt_vault_answer_t *answer);
static ngx_int_t ngx_amt_vault_answer_health(ngx_uint_t status, json_t *root,
    ngx_amt_vault_answer_t *answer);
static ngx_int_t ngx_amt_vault_answer_failed(ngx_uint_t status, json_t *root,
    ngx_amt_vault_answer_t *answer);
static ngx_uint_t ngx_amt_vault_answer_says(json_t *root, const char *text);
static uint64_t ngx_amt_vault_answer_version(json_t *object);
static ngx_int_t ngx_amt_vault_answer_error(ngx_amt_vault_answer_t *answer,
    ngx_amt_err_e err, const char *text);


ngx_int_t
ngx_amt_vault_answer(ngx_amt_vault_op_e op, ngx_uint_t status, ngx_str_t *body,
    ngx_amt_vault_answer_t *answer)
{
    json_t        *root, *data;
    ngx_int_t      rc;
    json_error_t   error;

    ngx_memzero(answer, sizeof(ngx_amt_vault_answer_t));

    if (status == 204 && op == NGX_AMT_VAULT_DELETE) {
        return NGX_OK;
    }

    /* its error text may quote a secret and is not used */

    root = json_loadb((const char *) body->data, body->len,
                      JSON_REJECT_DUPLICATES, &error);

    if (!json_is_object(root)) {
        json_decref(root);
        root = NULL;
    }

    data = json_object_get(root, "data");

    if (op == NGX_AMT_VAULT_HEALTH) {
        rc = ngx_amt_vault_answer_health(status, root, answer);

    } else if (status == 200 && root == NULL) {
        rc = ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT,
                                        "answer is no JSON object");

    } else if (status == 200 && op == NGX_AMT_VAULT_READ) {
        rc = ngx_amt_vault_answer_read(data, answer);

    } else if (status == 200 && op == NGX_AMT_VAULT_WRITE) {
        rc = ngx_amt_vault_answer_write(data, answer);

    } else if (status == 200 && op == NGX_AMT_VAULT_LIST) {
        rc = ngx_amt_vault_answer_list(data, answer);

    } else if (status == 404 && op != NGX_AMT_VAULT_WRITE) {
        rc = ngx_amt_vault_answer_none(op, root, answer);

    } else {
        rc = ngx_amt_vault_answer_failed(status, root, answer);
    }

    json_decref(root);

    return rc;
}


static ngx_int_t
ngx_amt_vault_answer_read(json_t *data, ngx_amt_vault_answer_t *answer)
{
    json_t  *secret;

    secret = json_object_get(data, "data");

    answer->version = ngx_amt_vault_answer_version(json_object_get(data,
                                                             "metadata"));

    if (answer->version == 0 || !json_is_object(secret)) {
        return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT,
                                       "answer is not of KV version 2");
    }

    answer->json = json_incref(secret);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_vault_answer_write(json_t *data, ngx_amt_vault_answer_t *answer)
{
    answer->version = ngx_amt_vault_answer_version(data);

    if (answer->version == 0) {
        return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT,
                                       "answer is not of KV version 2");
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_vault_answer_list(json_t *data, ngx_amt_vault_answer_t *answer)
{
    size_t   i;
    json_t  *keys;

    keys = json_object_get(data, "keys");

    if (!json_is_array(keys)) {
        return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT,
                                          "answer has no list of names");
    }

    for (i = 0; i < json_array_size(keys); i++) {
        if (!json_is_string(json_array_get(keys, i))) {
            return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT,
                                              "answer has no list of names");
        }
    }

    answer->json = json_incref(keys);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_vault_answer_none(ngx_amt_vault_op_e op, json_t *root,
    ngx_amt_vault_answer_t *answer)
{
    json_t  *data, *errors;

    errors = json_object_get(root, "errors");
    data = json_object_get(root, "data");

    if (op == NGX_AMT_VAULT_READ && errors == NULL
        && json_is_null(json_object_get(data, "data")))
    {
        answer->version = ngx_amt_vault_answer_version(json_object_get(data,
                                                             "metadata"));
        if (answer->version) {
            return NGX_DECLINED;
        }
    }

    if (!json_is_array(errors)) {
        return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT,
                                          "status 404 that is not Vault's");
    }

    if (json_array_size(errors)) {
        return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT,
                                          "no such path, wrong mount?");
    }

    if (op == NGX_AMT_VAULT_DELETE) {
        return NGX_OK;
    }

    if (op == NGX_AMT_VAULT_LIST) {
        answer->json = json_array();

        if (answer->json == NULL) {
            return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_INTERNAL,
                                              "no memory");
        }

        return NGX_OK;
    }

    return NGX_DECLINED;
}


static ngx_int_t
ngx_amt_vault_answer_health(ngx_uint_t status, json_t *root,
    ngx_amt_vault_answer_t *answer)
{
    /* active, standby, recovery and performance standby, new, sealed */

    if (status != 200 && status != 429 && status != 472 && status != 473
        && status != 501 && status != 503)
    {
        return ngx_amt_vault_answer_failed(status, root, answer);
    }

    if (!json_is_boolean(json_object_get(root, "initialized"))
        || !json_is_boolean(json_object_get(root, "sealed")))
    {
        return ngx_amt_vault_answer_failed(status, root, answer);
    }

    answer->json = json_incref(root);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_vault_answer_failed(ngx_uint_t status, json_t *root,
    ngx_amt_vault_answer_t *answer)
{
    switch (status) {

    case 403:
        return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT_DENIED,
                                          "denied: token or policy");

    case 400:
        if (ngx_amt_vault_answer_says(root, "did not match the current"
                                            " version"))
        {
            return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_CONFLICT,
                                              "changed meanwhile");
        }

        return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT,
                                          "request refused");

    case 503:
        if (ngx_amt_vault_answer_says(root, "sealed")) {
            return ngx_amt_vault_answer_error(answer,
                                              NGX_AMT_ERR_VAULT_SEALED,
                                              "sealed");
        }

        return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT,
                                          "unavailable");

    case 404:
        return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT,
                                          "no such path, wrong mount?");

    case 429:
        return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT,
                                          "too many requests, or standby");
    }

    if (status >= 500) {
        return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT,
                                          "internal error of Vault");
    }

    return ngx_amt_vault_answer_error(answer, NGX_AMT_ERR_VAULT,
                                      "unexpected status");
}


/* Is there an error with this text in the list of errors? */

static ngx_uint_t
ngx_amt_vault_answer_says(json_t *root, const char *text)
{
    size_t       i;
    json_t      *errors;
    const char  *error;

    errors = json_object_get(root, "errors");

    for (i = 0; i < json_array_size(errors); i++) {
        error = json_string_value(json_array_get(errors, i));

        if (error && ngx_strstr(error, text)) {
            return 1;
        }
    }

    return 0;
}


static uint64_t
ngx_amt_vault_answer_version(json_t *object)
{
    json_int_t  version;

    version = json_integer_value(json_object_get(object, "version"));

    return version > 0 ? (uint64_t) version : 0;
}


static ngx_int_t
ngx_amt_vault_answer_error(ngx_amt_vault_answer_t *answer, ngx_amt_err_e err,
    const char *text)
{
    answer->err = err;
    answer->text = text;

    return NGX_ERROR;
}
