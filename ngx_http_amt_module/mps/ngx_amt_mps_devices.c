
/*
 * REST: reading devices - list, one, stats, tags.  Contract mps.md sections
 * 2.3, 3.2, 3.3.
 */


#include "mps/ngx_amt_mps_frames.h"
#include "mps/ngx_amt_mps_record.h"
#include "mps/ngx_amt_reply.h"


#define NGX_AMT_TOP_DEFAULT  25
#define NGX_AMT_TOP_MAX      100000
#define NGX_AMT_SKIP_MAX     NGX_MAX_INT32_VALUE

/* of a long list, which takes memory until its client has read it */
#define NGX_AMT_LIST_LONG    10000       /* rows */
#define NGX_AMT_LIST_MAX     4           /* at once, in a worker */
#define NGX_AMT_LIST_ROW     192         /* names of a record's members */


static ngx_int_t ngx_amt_mps_devices_long(ngx_amt_mps_list_t *v);
static void ngx_amt_mps_devices_short(void *data);
static ngx_int_t ngx_amt_mps_devices_query(ngx_amt_api_t *api,
    ngx_amt_mps_list_t *v);
static void ngx_amt_mps_devices_text(json_t *query, const char *name,
    ngx_str_t *s);
static ngx_int_t ngx_amt_mps_devices_listed(ngx_amt_mps_list_t *v);


/* Long ones that are being read or sent by this worker */

static ngx_uint_t  ngx_amt_mps_devices_lists;


const ngx_amt_check_t  ngx_amt_mps_guid_checks[] = {
    { "guid", NGX_AMT_IN_PARAMS, NGX_AMT_CHECK_UUID, 0, 0, 0, NULL, NULL,
      NULL },
    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


#define NGX_AMT_TOP_MSG                                                       \
    "The number of items to return should be a positive integer"
#define NGX_AMT_SKIP_MSG                                                      \
    "The number of items to skip before starting to collect the result set "  \
    "should be a positive integer"
#define NGX_AMT_COUNT_MSG                                                     \
    "To return total number of records in result set should be boolean"

const ngx_amt_check_t  ngx_amt_mps_list_checks[] = {

    { "$top", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_INT, NGX_AMT_CHECK_OPTIONAL,
      0, INT64_MAX, NULL, NGX_AMT_TOP_MSG, NULL },

    { "$skip", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_INT, NGX_AMT_CHECK_OPTIONAL,
      0, INT64_MAX, NULL, NGX_AMT_SKIP_MSG, NULL },

    { "$count", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_BOOLEAN,
      NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL, NGX_AMT_COUNT_MSG, NULL },

    { "tags", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_STRING, NGX_AMT_CHECK_OPTIONAL,
      0, 0, NULL, NULL, NULL },

    { "hostname", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_LENGTH,
      NGX_AMT_CHECK_OPTIONAL, 0, 256, NULL, NULL, NULL },
    { "hostname", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_STRING,
      NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL, NULL, NULL },

    { "status", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_NUMERIC,
      NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL, NULL, NULL },
    { "status", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_IN, NGX_AMT_CHECK_OPTIONAL,
      0, 0, "0,1", NULL, NULL },

    { "method", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_IN, NGX_AMT_CHECK_OPTIONAL,
      0, 0, "AND,OR", NULL, NULL },
    { "method", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_STRING,
      NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL, NULL, NULL },

    /* repeated, it would be a list */

    { "friendlyName", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_STRING,
      NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL, NULL, NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


ngx_int_t
ngx_amt_mps_devices_list(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_list_t  *v = data;

    ngx_int_t  rc;

    ngx_amt_begin(f, v);

    if (ngx_amt_mps_devices_query(v->api, v) != NGX_OK) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    if (v->query.top > NGX_AMT_LIST_LONG) {

        rc = ngx_amt_mps_devices_long(v);

        if (rc != NGX_OK) {
            return rc == NGX_DONE ? NGX_OK : NGX_ERROR;
        }
    }

    ngx_amt_await(f, v, ngx_amt_store_list(f, &v->query, &v->rows));

    return ngx_amt_mps_devices_listed(v);

fail:

    return NGX_ERROR;
}


/*
 * Counts a list as long, until its pool goes or it turns out short.  NGX_OK;
 * NGX_DONE: there are enough, api->reply is set; NGX_ERROR.
 */

static ngx_int_t
ngx_amt_mps_devices_long(ngx_amt_mps_list_t *v)
{
    ngx_pool_cleanup_t  *cln;

    if (ngx_amt_mps_devices_lists >= NGX_AMT_LIST_MAX) {
        return ngx_amt_reply_busy(v->api, "Too many long lists at once")
               == NGX_OK ? NGX_DONE : NGX_ERROR;
    }

    cln = ngx_pool_cleanup_add(v->api->pool, 0);
    if (cln == NULL) {
        return NGX_ERROR;
    }

    cln->handler = ngx_amt_mps_devices_short;
    v->counted = cln;

    ngx_amt_mps_devices_lists++;

    return NGX_OK;
}


static void
ngx_amt_mps_devices_short(void *data)
{
    ngx_amt_mps_devices_lists--;
}


/* The query's arguments, which were checked, as a store query. */

static ngx_int_t
ngx_amt_mps_devices_query(ngx_amt_api_t *api, ngx_amt_mps_list_t *v)
{
    u_char                 *p, *last;
    json_t                 *query;
    ngx_str_t               text;
    ngx_uint_t              n;
    ngx_amt_store_query_t  *q;

    q = &v->query;
    query = api->query;

    q->tenant = api->tenant;
    q->top = (ngx_uint_t) ngx_amt_input_int(json_object_get(query, "$top"),
                                            NGX_AMT_TOP_DEFAULT, 0,
                                            NGX_AMT_TOP_MAX);
    q->skip = (ngx_uint_t) ngx_amt_input_int(json_object_get(query, "$skip"),
                                             0, 0, NGX_AMT_SKIP_MAX);
    q->status = (ngx_int_t) ngx_amt_input_int(json_object_get(query, "status"),
                                              -1, -1, 1);

    v->count = ngx_amt_input_true(json_object_get(query, "$count"));
    q->stats = v->count ? &v->stats : NULL;

    ngx_amt_mps_devices_text(query, "hostname", &q->hostname);
    ngx_amt_mps_devices_text(query, "friendlyName", &q->friendly_name);
    ngx_amt_mps_devices_text(query, "method", &text);

    q->all_tags = text.len == 3;

    ngx_amt_mps_devices_text(query, "tags", &text);

    if (text.data == NULL) {
        return NGX_OK;
    }

    last = text.data + text.len;

    for (n = 1, p = text.data; p < last; p++) {
        n += (*p == ',');
    }

    q->tags = ngx_pcalloc(api->pool, n * sizeof(ngx_str_t));
    if (q->tags == NULL) {
        return NGX_ERROR;
    }

    q->n_tags = n;
    n = 0;
    q->tags[0].data = text.data;

    for (p = text.data; p < last; p++) {

        if (*p == ',') {
            q->tags[++n].data = p + 1;

        } else {
            q->tags[n].len++;
        }
    }

    return NGX_OK;
}


/* A text argument; data is NULL when it was not sent. */

static void
ngx_amt_mps_devices_text(json_t *query, const char *name, ngx_str_t *s)
{
    json_t  *value;

    ngx_str_null(s);

    value = json_object_get(query, name);

    if (json_is_string(value)) {
        s->data = (u_char *) json_string_value(value);
        s->len = json_string_length(value);
    }
}


static ngx_int_t
ngx_amt_mps_devices_listed(ngx_amt_mps_list_t *v)
{
    size_t                   size;
    ngx_int_t                rc;
    ngx_uint_t               i;
    ngx_amt_out_t            o;
    ngx_amt_store_device_t  *row;

    row = v->rows->elts;

    if (v->counted && v->rows->nelts <= NGX_AMT_LIST_LONG) {
        v->counted->handler = NULL;
        ngx_amt_mps_devices_short(NULL);

    } else if (v->counted == NULL && v->rows->nelts > NGX_AMT_LIST_LONG) {

        /* by host name or friendly name: no pages */

        rc = ngx_amt_mps_devices_long(v);

        if (rc != NGX_OK) {
            return rc == NGX_DONE ? NGX_OK : NGX_ERROR;
        }
    }

    /* room for all, so that it need not be copied to where there is more */

    size = 64;

    for (i = 0; i < v->rows->nelts; i++) {
        size += NGX_AMT_LIST_ROW + row[i].guid.len + row[i].hostname.len
                + row[i].tags.len + row[i].mps_instance.len
                + row[i].mps_username.len + row[i].tenant.len
                + row[i].friendly_name.len + row[i].dns_suffix.len
                + row[i].device_info.len;
    }

    ngx_amt_out_init(&o, v->api->pool, size);

    if (v->count) {
        ngx_amt_out_open(&o, '{');
        ngx_amt_out_key(&o, "data");
    }

    ngx_amt_out_open(&o, '[');

    for (i = 0; i < v->rows->nelts; i++) {
        ngx_amt_mps_record(&o, &row[i], 0);
    }

    ngx_amt_out_close(&o, ']');

    if (v->count) {
        ngx_amt_out_key(&o, "totalCount");
        ngx_amt_out_int(&o, v->stats.total);
        ngx_amt_out_close(&o, '}');
    }

    return ngx_amt_reply_out(v->api, 200, &o);
}


ngx_int_t
ngx_amt_mps_devices_stats(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_list_t  *v = data;

    ngx_uint_t     gone;
    ngx_amt_out_t  o;

    ngx_amt_begin(f, v);

    ngx_amt_await(f, v, ngx_amt_store_stats(f, &v->api->tenant, &v->stats));

    gone = v->stats.total > v->stats.connected
           ? v->stats.total - v->stats.connected : 0;

    ngx_amt_out_init(&o, v->api->pool, 128);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "totalCount");
    ngx_amt_out_int(&o, v->stats.total);
    ngx_amt_out_key(&o, "connectedCount");
    ngx_amt_out_int(&o, v->stats.connected);
    ngx_amt_out_key(&o, "disconnectedCount");
    ngx_amt_out_int(&o, gone);
    ngx_amt_out_close(&o, '}');

    return ngx_amt_reply_out(v->api, 200, &o);

fail:

    return NGX_ERROR;
}


ngx_int_t
ngx_amt_mps_devices_tags(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_list_t  *v = data;

    ngx_str_t      *tag;
    ngx_uint_t      i;
    ngx_amt_out_t   o;

    ngx_amt_begin(f, v);

    ngx_amt_await(f, v, ngx_amt_store_tags(f, &v->api->tenant, &v->rows));

    tag = v->rows->elts;

    ngx_amt_out_init(&o, v->api->pool, 512);
    ngx_amt_out_open(&o, '[');

    for (i = 0; i < v->rows->nelts; i++) {
        ngx_amt_out_string(&o, &tag[i]);
    }

    ngx_amt_out_close(&o, ']');

    return ngx_amt_reply_out(v->api, 200, &o);

fail:

    return NGX_ERROR;
}


ngx_int_t
ngx_amt_mps_devices_get(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_row_t  *v = data;

    ngx_amt_out_t  o;

    ngx_amt_begin(f, v);

    ngx_amt_mps_tenant(v->api, v->api->query, &v->tenant);

    ngx_amt_await_rc(f, v, ngx_amt_store_get(f, &v->api->device, NULL,
                                             &v->row));

    if (v->frame.rc == NGX_DECLINED) {
        return ngx_amt_reply_empty(v->api, 404);
    }

    if (v->frame.rc != NGX_OK) {
        return NGX_ERROR;
    }

    /* another tenant's: neither there nor missing, and RPS counts on it */

    if (!ngx_amt_mps_same(&v->row.tenant, &v->tenant)) {
        return ngx_amt_reply_empty(v->api, 204);
    }

    ngx_amt_out_init(&o, v->api->pool, 512);
    ngx_amt_mps_record(&o, &v->row, 1);

    return ngx_amt_reply_out(v->api, 200, &o);
}
