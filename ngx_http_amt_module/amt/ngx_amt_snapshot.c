
/*
 * Snapshot; see ngx_amt_snapshot.h.
 */


#include "amt/ngx_amt_snapshot.h"
#include "amt/ngx_amt_features.h"
#include "amt/ngx_amt_hardware.h"
#include "amt/ngx_amt_json.h"
#include "amt/ngx_amt_network.h"
#include "amt/ngx_amt_power.h"
#include "amt/ngx_amt_version.h"


typedef struct {
    ngx_amt_cap_t               cap;
    ngx_amt_result_t            part;
    ngx_amt_error_t             err;     /* of the first part that failed */
    json_t                     *errors;
    ngx_uint_t                  i;
    ngx_uint_t                  read;    /* parts that could be */
} ngx_amt_snapshot_frame_t;


typedef struct {
    const char                 *name;
    const ngx_amt_op_t         *op;
} ngx_amt_snapshot_part_t;


static ngx_int_t ngx_amt_snapshot_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_snapshot_drop(void *data);
static ngx_int_t ngx_amt_snapshot_add(ngx_amt_flow_t *f,
    ngx_amt_snapshot_frame_t *v);
static ngx_int_t ngx_amt_snapshot_failed(ngx_amt_flow_t *f,
    ngx_amt_snapshot_frame_t *v);
static ngx_int_t ngx_amt_snapshot_error(ngx_amt_snapshot_frame_t *v,
    const char *name, ngx_uint_t status, const char *title, ngx_str_t *text);
static ngx_uint_t ngx_amt_snapshot_over(ngx_amt_err_e code);


const ngx_amt_op_t  ngx_amt_snapshot = {
    "snapshot", sizeof(ngx_amt_snapshot_frame_t), ngx_amt_snapshot_body,
    ngx_amt_snapshot_drop, 0
};


static const ngx_amt_snapshot_part_t  ngx_amt_snapshot_parts[] = {
    { "power", &ngx_amt_power_state },
    { "version", &ngx_amt_version },
    { "features", &ngx_amt_features },
    { "hardware", &ngx_amt_hardware },
    { "network", &ngx_amt_network },
    { NULL, NULL }
};


static ngx_int_t
ngx_amt_snapshot_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_snapshot_frame_t *v = data;
    ngx_amt_cap_t            *c = data;

    json_t  *json;

    ngx_amt_begin(f, c);

    c->json = json_object();
    v->errors = json_object();

    if (c->json == NULL || v->errors == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    for (v->i = 0; ngx_amt_snapshot_parts[v->i].name; v->i++) {

        v->part.guid = c->result->guid;

        ngx_amt_await_rc(f, c,
                         ngx_amt_op_call(f, c->dev,
                                         ngx_amt_snapshot_parts[v->i].op,
                                         NULL, &v->part));

        c->frame.rc = (c->frame.rc == NGX_OK) ? ngx_amt_snapshot_add(f, v)
                                              : ngx_amt_snapshot_failed(f, v);

        ngx_amt_result_drop(&v->part);
        ngx_memzero(&v->part, sizeof(ngx_amt_result_t));

        if (c->frame.rc == NGX_DONE) {
            break;
        }

        if (c->frame.rc != NGX_OK) {
            goto fail;
        }
    }

    if (v->read == 0) {
        return ngx_amt_flow_error(f, v->err.code, "%V", &v->err.text);
    }

    if (json_object_size(v->errors)
        && json_object_set(c->json, "errors", v->errors) != 0)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    json = c->json;
    c->json = NULL;

    return ngx_amt_cap_done(f, c, json);

fail:

    return c->frame.rc;
}


static void
ngx_amt_snapshot_drop(void *data)
{
    ngx_amt_snapshot_frame_t *v = data;

    ngx_amt_result_drop(&v->part);
    json_decref(v->errors);
}


/* A part that was answered, maybe with a refusal. */

static ngx_int_t
ngx_amt_snapshot_add(ngx_amt_flow_t *f, ngx_amt_snapshot_frame_t *v)
{
    ngx_int_t    rc;
    const char  *name;

    name = ngx_amt_snapshot_parts[v->i].name;

    if (v->part.text.data) {

        if (v->err.code == NGX_AMT_ERR_NONE) {
            v->err.code = NGX_AMT_ERR_FAULT;
            v->err.text = v->part.text;
        }

        rc = ngx_amt_snapshot_error(v, name, v->part.status,
                                    v->part.title ? v->part.title
                                                  : "Not available",
                                    &v->part.text);

    } else {
        v->read++;

        rc = ngx_amt_json_set(v->cap.json, name, v->part.json
                              ? json_incref(v->part.json) : json_null());
    }

    if (rc != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return NGX_OK;
}


/*
 * A part that failed.  NGX_DONE: so would the others, they are not tried;
 * NGX_ERROR: our own failure.
 */

static ngx_int_t
ngx_amt_snapshot_failed(ngx_amt_flow_t *f, ngx_amt_snapshot_frame_t *v)
{
    ngx_uint_t       status, over;
    const char      *title;
    ngx_amt_error_t  err;

    err = f->err;

    if (err.code == NGX_AMT_ERR_NONE || err.code == NGX_AMT_ERR_INTERNAL
        || err.code == NGX_AMT_ERR_CANCELLED
        || err.code == NGX_AMT_ERR_BUDGET)
    {
        return NGX_ERROR;
    }

    ngx_log_error(NGX_LOG_ERR, f->log, 0, "snapshot: %s: %V",
                  ngx_amt_snapshot_parts[v->i].name, &err.text);

    ngx_amt_flow_clear(f);

    if (v->err.code == NGX_AMT_ERR_NONE) {
        v->err = err;
    }

    switch (err.code) {

    case NGX_AMT_ERR_TIMEOUT:
    case NGX_AMT_ERR_LOST:
        status = 504;
        title = "Gateway Timeout";
        break;

    case NGX_AMT_ERR_NOT_CONNECTED:
        status = 404;
        title = "Device not connected";
        break;

    case NGX_AMT_ERR_BUSY:
    case NGX_AMT_ERR_VAULT:
    case NGX_AMT_ERR_VAULT_SEALED:
        status = 503;
        title = "Service Unavailable";
        break;

    case NGX_AMT_ERR_FAULT:
        status = 400;
        title = "Refused by the device";
        break;

    default:
        status = 500;
        title = "Internal Server Error";
    }

    /* what one part has found out about the device holds for the others */

    over = ngx_amt_snapshot_over(err.code);

    do {
        if (ngx_amt_snapshot_error(v, ngx_amt_snapshot_parts[v->i].name,
                                   status, title, &err.text)
            != NGX_OK)
        {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
        }

    } while (over && ngx_amt_snapshot_parts[++v->i].name);

    return over ? NGX_DONE : NGX_OK;
}


static ngx_int_t
ngx_amt_snapshot_error(ngx_amt_snapshot_frame_t *v, const char *name,
    ngx_uint_t status, const char *title, ngx_str_t *text)
{
    return ngx_amt_json_set(v->errors, name,
                            json_pack("{s:I,s:s,s:s%}",
                                      "status", (json_int_t) status,
                                      "error", title,
                                      "errorDescription",
                                      (char *) text->data, text->len));
}


/*
 * Does it end the conversation?  Each further part would cost another
 * timeout, or another wrong login.
 */

static ngx_uint_t
ngx_amt_snapshot_over(ngx_amt_err_e code)
{
    switch (code) {

    case NGX_AMT_ERR_FAULT:
    case NGX_AMT_ERR_BAD_ANSWER:
    case NGX_AMT_ERR_LOST:
        return 0;

    default:
        return 1;
    }
}
