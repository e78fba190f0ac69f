
/*
 * Audit log; see ngx_amt_audit_log.h.
 *
 * The device numbers records from the oldest, which is 1; clients page from
 * the newest.  So a first answer tells how many there are and how many fit
 * into an answer, and others read the page that ends where it is asked for.
 */


#include "amt/ngx_amt_audit_log.h"
#include "amt/ngx_amt_audit_record.h"
#include "amt/ngx_amt_json.h"


#define NGX_AMT_AUDIT_LOG_OK     0
#define NGX_AMT_AUDIT_LOG_INDEX  35      /* past the end */
#define NGX_AMT_AUDIT_LOG_PAGE   512     /* records of a page, at most */
#define NGX_AMT_AUDIT_LOG_READS  64      /* answers of a page, at most */


typedef struct {
    ngx_amt_cap_t    cap;
    ngx_uint_t       start;              /* as asked for, from the newest */
    ngx_uint_t       total;
    ngx_uint_t       first;              /* of the page, from the oldest */
    ngx_uint_t       last;
    ngx_uint_t       next;               /* to be read */
    ngx_uint_t       reads;
    ngx_array_t     *records;            /* of the last answer */
} ngx_amt_audit_log_t;


static ngx_int_t ngx_amt_audit_log_body(ngx_amt_flow_t *f, void *data);
static ngx_int_t ngx_amt_audit_log_read(ngx_amt_flow_t *f,
    ngx_amt_audit_log_t *v, ngx_uint_t start);
static ngx_int_t ngx_amt_audit_log_value(ngx_amt_flow_t *f,
    ngx_amt_audit_log_t *v, ngx_int_t *value);
static ngx_int_t ngx_amt_audit_log_add(ngx_amt_flow_t *f,
    ngx_amt_audit_log_t *v, ngx_uint_t index);
static ngx_int_t ngx_amt_audit_log_done(ngx_amt_flow_t *f,
    ngx_amt_audit_log_t *v);


const ngx_amt_op_t  ngx_amt_audit_log = {
    "audit_log", sizeof(ngx_amt_audit_log_t), ngx_amt_audit_log_body, NULL, 0
};


static ngx_int_t
ngx_amt_audit_log_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_audit_log_t *v = data;
    ngx_amt_cap_t       *c = data;

    ngx_int_t  value;

    ngx_amt_begin(f, c);

    v->start = (ngx_uint_t) json_integer_value(
                                json_object_get(c->input, "startIndex"));
    v->start = ngx_max(v->start, 1);

    c->json = json_array();
    if (c->json == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    ngx_amt_await(f, c, ngx_amt_audit_log_read(f, v, v->start));

    if (ngx_amt_audit_log_value(f, v, &value) != NGX_OK) {
        goto fail;
    }

    if (value == NGX_AMT_AUDIT_LOG_INDEX && v->start > 1) {

        /* past the end; how many there are is still asked for */

        ngx_amt_await(f, c, ngx_amt_audit_log_read(f, v, 1));

        if (ngx_amt_audit_log_value(f, v, &value) != NGX_OK) {
            goto fail;
        }

        return ngx_amt_audit_log_done(f, v);
    }

    ngx_amt_audit_log_page(v->total, v->start,
                           ngx_min(v->records->nelts,
                                   NGX_AMT_AUDIT_LOG_PAGE),
                           &v->first, &v->last);

    /* the first answer may be the page already */

    v->next = v->first;

    if (v->first >= v->start
        && v->last < v->start + v->records->nelts)
    {
        if (ngx_amt_audit_log_add(f, v, v->start) != NGX_OK) {
            goto fail;
        }
    }

    /* records have any length: the page may be more than one answer */

    while (v->next <= v->last && v->reads < NGX_AMT_AUDIT_LOG_READS) {

        ngx_amt_await(f, c, ngx_amt_audit_log_read(f, v, v->next));

        if (ngx_amt_audit_log_value(f, v, &value) != NGX_OK) {
            goto fail;
        }

        if (v->records->nelts == 0) {

            /* the log was cleared meanwhile */

            break;
        }

        if (ngx_amt_audit_log_add(f, v, v->next) != NGX_OK) {
            goto fail;
        }
    }

    return ngx_amt_audit_log_done(f, v);

fail:

    return NGX_ERROR;
}


static ngx_int_t
ngx_amt_audit_log_read(ngx_amt_flow_t *f, ngx_amt_audit_log_t *v,
    ngx_uint_t start)
{
    ngx_str_t                body;
    ngx_amt_wsman_request_t  req;

    if (ngx_amt_audit_log_input(f->pool, start, &body) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    ngx_memzero(&req, sizeof(ngx_amt_wsman_request_t));

    req.op = NGX_AMT_WSMAN_INVOKE;
    req.class = "AMT_AuditLog";
    req.method = "ReadRecords";
    req.body = body;

    v->reads++;

    return ngx_amt_cap_call_any(f, &v->cap, &req);
}


/* The answer as records; an index past the end is no error. */

static ngx_int_t
ngx_amt_audit_log_value(ngx_amt_flow_t *f, ngx_amt_audit_log_t *v,
    ngx_int_t *value)
{
    ngx_int_t                  rc;
    ngx_uint_t                 total;
    ngx_amt_wsman_response_t  *res;

    res = &v->cap.res;

    if (v->start > 1 && ngx_amt_cap_fault_is(res, "InvalidParameter")) {

        /* this is how some firmware says it */

        *value = NGX_AMT_AUDIT_LOG_INDEX;

    } else {

        if (ngx_amt_device_expect(f, "ReadRecords_OUTPUT", res) != NGX_OK) {
            return NGX_ERROR;
        }

        *value = ngx_amt_cap_return_value(res);

        if (*value != NGX_AMT_AUDIT_LOG_OK
            && *value != NGX_AMT_AUDIT_LOG_INDEX)
        {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_FAULT,
                                      "ReadRecords returned %i (%s)", *value,
                                      ngx_amt_wsman_status(*value));
        }
    }

    rc = ngx_amt_audit_log_answer(f->pool,
                                  *value == NGX_AMT_AUDIT_LOG_OK
                                  ? res->content : NULL,
                                  &total, &v->records);

    if (rc == NGX_DECLINED) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_BAD_ANSWER,
                                  "ReadRecords: bad number of records");
    }

    if (rc != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    /* pages of one call count from the same end */

    if (v->total == 0) {
        v->total = total;
    }

    return NGX_OK;
}


/* Takes those of the answer, which begins at index, that are in the page. */

static ngx_int_t
ngx_amt_audit_log_add(ngx_amt_flow_t *f, ngx_amt_audit_log_t *v,
    ngx_uint_t index)
{
    json_t      *json;
    ngx_int_t    rc;
    ngx_str_t   *record;
    ngx_uint_t   i;

    record = v->records->elts;

    for (i = 0; i < v->records->nelts; i++, index++) {

        if (index < v->first || index > v->last) {
            continue;
        }

        v->next = index + 1;

        rc = ngx_amt_audit_record_base64(&record[i], f->pool, &json);

        if (rc == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_WARN, f->log, 0,
                          "audit record %ui of the device is malformed",
                          index);
            continue;
        }

        /* newest first */

        if (rc != NGX_OK || json_array_insert_new(v->cap.json, 0, json) != 0)
        {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
        }
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_audit_log_done(ngx_amt_flow_t *f, ngx_amt_audit_log_t *v)
{
    return ngx_amt_cap_done(f, &v->cap,
                            json_pack("{s:I,s:O}", "totalCnt",
                                      (json_int_t) v->total,
                                      "records", v->cap.json));
}


/* ---- codecs ---- */

ngx_int_t
ngx_amt_audit_log_input(ngx_pool_t *pool, ngx_uint_t start, ngx_str_t *body)
{
    ngx_amt_xml_writer_t  w;

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);
    ngx_amt_xml_leaf_int(&w, "StartIndex", start);

    return ngx_amt_xml_done(&w, body);
}


ngx_int_t
ngx_amt_audit_log_answer(ngx_pool_t *pool, ngx_amt_xml_t *output,
    ngx_uint_t *total, ngx_array_t **records)
{
    int64_t         n, returned;
    ngx_str_t      *record;
    ngx_amt_xml_t  *x;

    *total = 0;

    *records = ngx_array_create(pool, 16, sizeof(ngx_str_t));
    if (*records == NULL) {
        return NGX_ERROR;
    }

    n = ngx_amt_xml_int(output, "TotalRecordCount", 0);
    returned = ngx_amt_xml_int(output, "RecordsReturned", 0);

    if (n < 0 || n > NGX_MAX_UINT32_VALUE || returned < 0) {
        return NGX_DECLINED;
    }

    *total = (ngx_uint_t) n;

    for (x = ngx_amt_xml_child(output, "EventRecords");
         x && returned;
         x = ngx_amt_xml_again(x), returned--)
    {
        record = ngx_array_push(*records);
        if (record == NULL) {
            return NGX_ERROR;
        }

        *record = x->text;
    }

    return NGX_OK;
}


void
ngx_amt_audit_log_page(ngx_uint_t total, ngx_uint_t start, ngx_uint_t n,
    ngx_uint_t *first, ngx_uint_t *last)
{
    start = ngx_max(start, 1);

    if (start > total || n == 0) {
        *first = 1;
        *last = 0;
        return;
    }

    *last = total - start + 1;
    *first = *last > n ? *last - n + 1 : 1;
}
