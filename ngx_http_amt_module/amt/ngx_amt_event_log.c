
/*
 * Event log; see ngx_amt_event_log.h.
 */


#include "amt/ngx_amt_event_log.h"
#include "amt/ngx_amt_event_record.h"
#include "amt/ngx_amt_json.h"


#define NGX_AMT_EVENT_LOG_READS     64   /* answers, at most */
#define NGX_AMT_EVENT_LOG_NO_FIRST  2    /* no record: PositionToFirst... */
#define NGX_AMT_EVENT_LOG_NO_MORE   3    /* no record: GetRecords */


typedef struct {
    ngx_amt_cap_t    cap;
    ngx_uint_t       iteration;
    ngx_uint_t       reads;
    ngx_uint_t       more;
} ngx_amt_event_log_t;


static ngx_int_t ngx_amt_event_log_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_event_log_read(ngx_amt_flow_t *f,
    ngx_amt_event_log_t *v);
static ngx_int_t ngx_amt_event_log_value(ngx_amt_flow_t *f,
    ngx_amt_event_log_t *v, const char *method, ngx_int_t empty,
    ngx_int_t *value);
static ngx_int_t ngx_amt_event_log_add(ngx_amt_flow_t *f,
    ngx_amt_event_log_t *v);


const ngx_amt_op_t  ngx_amt_event_log = {
    "event_log", sizeof(ngx_amt_event_log_t), ngx_amt_event_log_body, NULL, 0
};


static ngx_int_t
ngx_amt_event_log_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_event_log_t *v = data;
    ngx_amt_cap_t       *c = data;

    ngx_int_t  value;

    ngx_amt_begin(f, c);

    c->json = json_array();
    if (c->json == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    ngx_amt_await(f, c, ngx_amt_cap_invoke(f, c, "AMT_MessageLog",
                                           "PositionToFirstRecord", NULL));

    if (ngx_amt_event_log_value(f, v, "PositionToFirstRecord",
                                NGX_AMT_EVENT_LOG_NO_FIRST, &value)
        != NGX_OK)
    {
        goto fail;
    }

    v->more = (value == 0);

    while (v->more && v->reads < NGX_AMT_EVENT_LOG_READS) {

        ngx_amt_await(f, c, ngx_amt_event_log_read(f, v));

        if (ngx_amt_event_log_value(f, v, "GetRecords",
                                    NGX_AMT_EVENT_LOG_NO_MORE, &value)
            != NGX_OK
            || ngx_amt_event_log_add(f, v) != NGX_OK)
        {
            goto fail;
        }
    }

    if (c->input == NULL) {
        return ngx_amt_cap_done(f, c, json_incref(c->json));
    }

    return ngx_amt_cap_done(f, c, ngx_amt_event_log_slice(c->json, c->input));

fail:

    return NGX_ERROR;
}


static ngx_int_t
ngx_amt_event_log_read(ngx_amt_flow_t *f, ngx_amt_event_log_t *v)
{
    ngx_str_t  body;

    if (ngx_amt_event_log_input(f->pool, v->iteration, NGX_AMT_EVENT_MAX,
                                &body)
        != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    v->reads++;

    return ngx_amt_cap_invoke(f, &v->cap, "AMT_MessageLog", "GetRecords",
                              &body);
}


/* An empty log is no error.  Takes the next iteration. */

static ngx_int_t
ngx_amt_event_log_value(ngx_amt_flow_t *f, ngx_amt_event_log_t *v,
    const char *method, ngx_int_t empty, ngx_int_t *value)
{
    int64_t  n;

    *value = ngx_amt_cap_return_value(&v->cap.res);

    if (*value == empty) {
        return NGX_OK;
    }

    if (*value != 0) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_FAULT, "%s returned %i",
                                  method, *value);
    }

    n = ngx_amt_xml_int(v->cap.res.content, "IterationIdentifier", 1);

    if (n < 0 || n > NGX_MAX_UINT32_VALUE) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "%s: bad IterationIdentifier", method);
    }

    v->iteration = (ngx_uint_t) n;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_event_log_add(ngx_amt_flow_t *f, ngx_amt_event_log_t *v)
{
    size_t      before;
    ngx_uint_t  bad;

    before = json_array_size(v->cap.json);

    if (ngx_amt_event_log_answer(v->cap.res.content, v->cap.json, &bad)
        != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    if (bad) {
        ngx_log_error(NGX_LOG_WARN, f->log, 0,
                      "%ui event records of the device are malformed", bad);
    }

    v->more = json_array_size(v->cap.json) > before
              && json_array_size(v->cap.json) < NGX_AMT_EVENT_MAX
              && ngx_amt_xml_bool(v->cap.res.content, "NoMoreRecords", 1)
                 == 0;

    return NGX_OK;
}


/* ---- codecs ---- */

ngx_int_t
ngx_amt_event_log_input(ngx_pool_t *pool, ngx_uint_t iteration,
    ngx_uint_t max, ngx_str_t *body)
{
    ngx_amt_xml_writer_t  w;

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);
    ngx_amt_xml_leaf_int(&w, "IterationIdentifier", iteration);
    ngx_amt_xml_leaf_int(&w, "MaxReadRecords", max);

    return ngx_amt_xml_done(&w, body);
}


ngx_int_t
ngx_amt_event_log_answer(ngx_amt_xml_t *output, json_t *records,
    ngx_uint_t *bad)
{
    json_t         *json;
    ngx_int_t       rc;
    ngx_amt_xml_t  *x;

    *bad = 0;

    for (x = ngx_amt_xml_child(output, "RecordArray");
         x && json_array_size(records) < NGX_AMT_EVENT_MAX;
         x = ngx_amt_xml_again(x))
    {
        rc = ngx_amt_event_record_base64(&x->text, &json);

        if (rc == NGX_DECLINED) {
            (*bad)++;
            continue;
        }

        if (rc != NGX_OK || json_array_append_new(records, json) != 0) {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


json_t *
ngx_amt_event_log_slice(json_t *records, json_t *input)
{
    size_t   i, n, skip, last;
    json_t  *json, *slice, *record, *time, *top;

    n = json_array_size(records);

    top = json_object_get(input, "top");
    skip = (size_t) json_integer_value(json_object_get(input, "skip"));
    skip = ngx_min(skip, n);

    last = n;

    if (top && (size_t) json_integer_value(top) < n - skip) {
        last = skip + (size_t) json_integer_value(top);
    }

    slice = json_array();

    for (i = skip; i < last; i++) {

        record = json_array_get(records, i);
        time = json_object_get(record, "TimeStamp");

        if ((time && json_object_set(record, "Time", time) != 0)
            || json_array_append(slice, record) != 0)
        {
            json_decref(slice);
            return NULL;
        }
    }

    json = json_object();

    if (ngx_amt_json_set(json, "records", slice) != NGX_OK
        || ngx_amt_json_set(json, "hasMoreRecords", json_boolean(last < n))
           != NGX_OK)
    {
        json_decref(json);
        return NULL;
    }

    return json;
}
