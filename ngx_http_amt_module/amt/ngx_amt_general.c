
/*
 * General settings; see ngx_amt_general.h.
 */


#include "amt/ngx_amt_general.h"
#include "amt/ngx_amt_json.h"


typedef struct {
    ngx_amt_frame_t             frame;
    ngx_cira_info_t             info;
    ngx_amt_device_t           *dev;
    ngx_amt_wsman_response_t    res;
    json_t                    **result;
} ngx_amt_general_t;


static ngx_int_t ngx_amt_general_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_general_drop(void *data);
static json_t *ngx_amt_general_json(ngx_amt_wsman_response_t *res);


ngx_int_t
ngx_amt_general(ngx_amt_flow_t *f, ngx_cira_info_t *info, json_t **body)
{
    ngx_amt_general_t  *v;

    v = ngx_amt_frame_alloc(f, "general", sizeof(ngx_amt_general_t),
                            ngx_amt_general_body, ngx_amt_general_drop);
    if (v == NULL) {
        return NGX_ERROR;
    }

    v->info = *info;
    v->result = body;

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_general_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_general_t *v = data;

    json_t  *json;

    ngx_amt_begin(f, v);

    ngx_amt_await(f, v, ngx_amt_device_open(f, &v->info, 0, &v->dev));

    ngx_amt_await(f, v, ngx_amt_device_get(f, v->dev, "AMT_GeneralSettings",
                                           &v->res));

    if (v->res.fault == NULL) {

        v->frame.rc = ngx_amt_device_expect(f, "AMT_GeneralSettings",
                                            &v->res);

        if (v->frame.rc != NGX_OK) {
            goto fail;
        }
    }

    json = ngx_amt_general_json(&v->res);

    if (json == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    *v->result = json;

    ngx_amt_end(f, v);

fail:

    return v->frame.rc;
}


static void
ngx_amt_general_drop(void *data)
{
    ngx_amt_general_t *v = data;

    ngx_amt_device_close(v->dev);
}


/* A fault has always been an answer with the header alone. */

static json_t *
ngx_amt_general_json(ngx_amt_wsman_response_t *res)
{
    json_t  *json;

    if (res->fault == NULL) {
        return ngx_amt_json_answer(res, ngx_amt_json_object(res->content));
    }

    json = json_object();

    if (json == NULL) {
        return NULL;
    }

    if (ngx_amt_json_set(json, "Header", ngx_amt_json_object(res->header))
        != NGX_OK)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}
