
/*
 * Event log; see ngx_amt_event_log.h.
 */


#include "amt/ngx_amt_event_log.h"


#define NGX_AMT_EVENT_LOG_READS     64   /* answers, at most */
#define NGX_AMT_EVENT_LOG_NO_FIRST  2    /* no record: PositionToFirst... */
#define NGX_AMT_EVENT_LOG_NO_MORE   3    /* no record: GetRecords */
#define NGX_AMT_EVENT_LOG_TEXT      448  /* bytes of a record's text, most */


typedef struct {
    ngx_amt_cap_t    cap;
    ngx_array_t      records;            /* of ngx_amt_event_bytes_t */
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

    if (ngx_array_init(&v->records, f->pool, NGX_AMT_EVENT_MAX,
                       sizeof(ngx_amt_event_bytes_t))
        != NGX_OK)
    {
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

    ngx_amt_out_init(&c->result->out, c->result->pool,
                     64 + v->records.nelts * NGX_AMT_EVENT_LOG_TEXT);
    ngx_amt_event_log_write(&c->result->out, &v->records, c->input);

    if (c->result->out.error) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    return NGX_OK;

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
    ngx_uint_t  bad, before;

    before = v->records.nelts;

    if (ngx_amt_event_log_answer(v->cap.res.content, &v->records, &bad)
        != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    if (bad) {
        ngx_log_error(NGX_LOG_WARN, f->log, 0,
                      "%ui event records of the device are malformed", bad);
    }

    v->more = v->records.nelts > before
              && v->records.nelts < NGX_AMT_EVENT_MAX
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
ngx_amt_event_log_answer(ngx_amt_xml_t *output, ngx_array_t *records,
    ngx_uint_t *bad)
{
    ngx_amt_xml_t          *x;
    ngx_amt_event_bytes_t   record, *r;

    *bad = 0;

    for (x = ngx_amt_xml_child(output, "RecordArray");
         x && records->nelts < NGX_AMT_EVENT_MAX;
         x = ngx_amt_xml_again(x))
    {
        if (ngx_amt_event_decode(&x->text, record) != NGX_OK) {
            (*bad)++;
            continue;
        }

        r = ngx_array_push(records);
        if (r == NULL) {
            return NGX_ERROR;
        }

        ngx_memcpy(r, record, NGX_AMT_EVENT_RECORD);
    }

    return NGX_OK;
}


void
ngx_amt_event_log_write(ngx_amt_out_t *o, ngx_array_t *records,
    json_t *input)
{
    json_t                 *top;
    ngx_uint_t              i, last, n;
    ngx_amt_event_bytes_t  *record;

    record = records->elts;
    n = records->nelts;
    i = 0;
    last = n;

    if (input) {
        top = json_object_get(input, "top");
        i = (ngx_uint_t) json_integer_value(json_object_get(input, "skip"));
        i = ngx_min(i, n);

        if (top && (ngx_uint_t) json_integer_value(top) < n - i) {
            last = i + (ngx_uint_t) json_integer_value(top);
        }

        ngx_amt_out_open(o, '{');
        ngx_amt_out_key(o, "records");
    }

    ngx_amt_out_open(o, '[');

    for ( /* void */ ; i < last; i++) {
        ngx_amt_event_record(o, record[i], input != NULL);
    }

    ngx_amt_out_close(o, ']');

    if (input) {
        ngx_amt_out_key(o, "hasMoreRecords");
        ngx_amt_out_bool(o, last < n);
        ngx_amt_out_close(o, '}');
    }
}
