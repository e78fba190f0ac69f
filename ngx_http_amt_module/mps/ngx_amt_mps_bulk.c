
/*
 * REST: POST /bulk/power - what is to be done with which devices; see
 * ngx_amt_bulk.h.
 */


#include "mps/ngx_amt_mps_bulk.h"
#include "mps/ngx_amt_mps_control.h"
#include "mps/ngx_amt_reply.h"
#include "amt/ngx_amt_boot.h"
#include "amt/ngx_amt_power.h"
#include "store/ngx_amt_store.h"


#define NGX_AMT_BULK_PAGE  500           /* rows of the store at a time */

/* Those of power/action, and those of power/bootOptions. */

#define NGX_AMT_BULK_ACTIONS                                                  \
    "2,3,4,5,6,7,8,10,11,12,13,14,15,16,17,500,501,"                          \
    "100,101,105,106,107,108,109,110,200,201,202,203,300,301,400,401"


typedef struct {
    ngx_amt_frame_t         frame;
    ngx_amt_mps_bulk_t     *v;
    ngx_array_t            *rows;
} ngx_amt_bulk_page_t;


static ngx_int_t ngx_amt_bulk_one_of(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_bulk_texts(json_t *value, ngx_amt_input_t *in);
static ngx_int_t ngx_amt_bulk_create(ngx_amt_mps_bulk_t *v);
static ngx_int_t ngx_amt_bulk_boot(ngx_amt_mps_bulk_t *v);
static ngx_int_t ngx_amt_bulk_guids(ngx_amt_mps_bulk_t *v);
static ngx_int_t ngx_amt_bulk_tags(ngx_amt_mps_bulk_t *v, json_t *tags);
static ngx_int_t ngx_amt_bulk_page(ngx_amt_flow_t *f, ngx_amt_mps_bulk_t *v);
static ngx_int_t ngx_amt_bulk_page_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_bulk_page_done(ngx_amt_flow_t *f, ngx_int_t rc,
    void *data);
static void ngx_amt_bulk_page_cancel(void *data);
static void ngx_amt_bulk_id(ngx_amt_api_t *api, ngx_amt_out_t *o);


const ngx_amt_check_t  ngx_amt_mps_bulk_checks[] = {

    { "action", NGX_AMT_IN_BODY, NGX_AMT_CHECK_IN, 0, 0, 0,
      NGX_AMT_BULK_ACTIONS, NULL, NULL },
    { "action", NGX_AMT_IN_BODY, NGX_AMT_CHECK_NUMERIC, 0, 0, 0, NULL, NULL,
      NULL },

    /* lists are not echoed: they may be long */

    { "guids", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM, NGX_AMT_CHECK_SECRET,
      0, 0, NULL, "Either guids or tags is required", ngx_amt_bulk_one_of },
    { "guids", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM,
      NGX_AMT_CHECK_SECRET|NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL,
      "guids must be a list of strings, and not empty", ngx_amt_bulk_texts },
    { "tags", NGX_AMT_IN_BODY, NGX_AMT_CHECK_CUSTOM,
      NGX_AMT_CHECK_SECRET|NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL,
      "tags must be a list of strings, and not empty", ngx_amt_bulk_texts },
    { "method", NGX_AMT_IN_BODY, NGX_AMT_CHECK_IN, NGX_AMT_CHECK_OPTIONAL,
      0, 0, "AND,OR", NULL, NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


static ngx_int_t
ngx_amt_bulk_one_of(json_t *value, ngx_amt_input_t *in)
{
    ngx_uint_t  tags;

    tags = ngx_amt_input_get(in->body, "tags") != NULL;

    return (value != NULL) != tags ? NGX_OK : NGX_DECLINED;
}


static ngx_int_t
ngx_amt_bulk_texts(json_t *value, ngx_amt_input_t *in)
{
    size_t   i;
    json_t  *v;

    if (!json_is_array(value) || json_array_size(value) == 0) {
        return NGX_DECLINED;
    }

    json_array_foreach(value, i, v) {
        if (!json_is_string(v) || json_string_length(v) == 0) {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_amt_mps_bulk(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_mps_bulk_t  *v = data;

    ngx_int_t  rc;

    ngx_amt_begin(f, v);

    rc = ngx_amt_bulk_create(v);

    if (rc != NGX_OK) {
        goto refused;
    }

    while (v->more) {

        ngx_amt_await(f, v, ngx_amt_bulk_page(f, v));

        if (v->bulk->list.n > NGX_AMT_BULK_MAX) {
            return ngx_amt_reply_error(v->api, 400,
                                       "More than 10000 devices match");
        }
    }

    ngx_amt_bulk_list_done(&v->bulk->list, v->api->pool);

    ngx_amt_await(f, v, ngx_amt_bulk_run(f, v->bulk));

    return ngx_amt_reply_empty(v->api, 200);

refused:

    if (rc == NGX_DECLINED) {
        return NGX_OK;
    }

    return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");

fail:

    return NGX_ERROR;
}


void
ngx_amt_mps_bulk_drop(void *data)
{
    ngx_amt_mps_bulk_t  *v = data;

    json_decref(v->input);
}


/* NGX_OK; NGX_DECLINED: the reply says why not; NGX_ERROR: no memory */

static ngx_int_t
ngx_amt_bulk_create(ngx_amt_mps_bulk_t *v)
{
    json_t          *tags;
    ngx_int_t        rc;
    ngx_uint_t       action;
    ngx_amt_api_t   *api;
    ngx_amt_out_t    o;
    ngx_amt_bulk_t  *bulk;

    api = v->api;

    /* lives as long as its devices, which the frame does not */

    bulk = ngx_pcalloc(api->pool, sizeof(ngx_amt_bulk_t));
    if (bulk == NULL) {
        return NGX_ERROR;
    }

    v->bulk = bulk;
    bulk->api = api;

    action = (ngx_uint_t) ngx_amt_input_int(json_object_get(api->body,
                                                            "action"),
                                            0, 0, 501);

    v->input = json_pack("{s:I}", "action", (json_int_t) action);
    if (v->input == NULL) {
        return NGX_ERROR;
    }

    bulk->op = &ngx_amt_power_action;

    if (action >= 100 && action < 500) {
        bulk->op = &ngx_amt_boot_options;

        rc = ngx_amt_bulk_boot(v);

        if (rc != NGX_OK) {
            return rc;
        }
    }

    bulk->input = v->input;

    ngx_amt_out_init(&o, api->pool, 64);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "action");
    ngx_amt_out_int(&o, action);
    ngx_amt_bulk_id(api, &o);
    ngx_amt_out_close(&o, '}');

    if (ngx_amt_out_done(&o, &bulk->detail) != NGX_OK
        || ngx_amt_bulk_list_init(&bulk->list, api->pool,
                                  NGX_AMT_BULK_MAX + 1)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    tags = json_object_get(api->body, "tags");

    rc = tags ? ngx_amt_bulk_tags(v, tags) : ngx_amt_bulk_guids(v);

    if (rc != NGX_OK) {
        return rc;
    }

    /* the body may be large, and the run long */

    json_decref(api->body);
    api->body = NULL;

    if (api->raw.start) {
        (void) ngx_pfree(api->pool, api->raw.start);
        api->raw.start = NULL;
        api->raw.last = NULL;
        api->raw.end = NULL;
    }

    return NGX_OK;
}


/*
 * Details of a boot as for one device, but that useSOL may be left out.  They
 * outlive the body.
 */

static ngx_int_t
ngx_amt_bulk_boot(ngx_amt_mps_bulk_t *v)
{
    json_t           *details;
    ngx_int_t         rc;
    ngx_amt_api_t    *api;
    ngx_amt_input_t   in;

    api = v->api;

    if (json_object_get(api->body, "useSOL") == NULL
        && json_object_set_new(api->body, "useSOL", json_false()) != 0)
    {
        return NGX_ERROR;
    }

    ngx_memzero(&in, sizeof(ngx_amt_input_t));

    in.body = api->body;

    rc = ngx_amt_validate(ngx_amt_mps_boot_checks, &in, api->pool,
                          &api->reply.body);

    if (rc != NGX_OK) {
        api->reply.status = 400;
        return rc;
    }

    if (ngx_amt_mps_boot_input(api) != NGX_OK
        || json_object_set(v->input, "useSOL",
                           json_object_get(api->body, "useSOL"))
           != 0)
    {
        return NGX_ERROR;
    }

    details = json_object_get(api->body, "bootDetails");

    if (details && json_object_set(v->input, "bootDetails", details) != 0) {
        return NGX_ERROR;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_bulk_guids(ngx_amt_mps_bulk_t *v)
{
    char        text[sizeof("guids[] is not a GUID") + NGX_SIZE_T_LEN];
    size_t      i;
    json_t     *guid, *guids;
    ngx_int_t   rc;

    guids = json_object_get(v->api->body, "guids");

    json_array_foreach(guids, i, guid) {

        rc = ngx_amt_bulk_list_add(&v->bulk->list,
                                   (u_char *) json_string_value(guid),
                                   json_string_length(guid));

        if (rc == NGX_DECLINED) {
            *ngx_sprintf((u_char *) text, "guids[%uz] is not a GUID", i) =
                '\0';

            rc = ngx_amt_reply_error(v->api, 400, text);

            return rc == NGX_OK ? NGX_DECLINED : NGX_ERROR;
        }

        if (v->bulk->list.n > NGX_AMT_BULK_MAX) {
            rc = ngx_amt_reply_error(v->api, 400, "More than 10000 GUIDs");

            return rc == NGX_OK ? NGX_DECLINED : NGX_ERROR;
        }
    }

    return NGX_OK;
}


/* The query; its texts outlive the body. */

static ngx_int_t
ngx_amt_bulk_tags(ngx_amt_mps_bulk_t *v, json_t *tags)
{
    size_t                  i;
    u_char                 *p;
    json_t                 *tag, *method;
    ngx_int_t               rc;
    ngx_amt_store_query_t  *q;

    if (json_array_size(tags) > NGX_AMT_STORE_MAX_TAGS) {
        rc = ngx_amt_reply_error(v->api, 400, "Too many tags");

        return rc == NGX_OK ? NGX_DECLINED : NGX_ERROR;
    }

    q = &v->query;

    q->tags = ngx_pcalloc(v->api->pool,
                          json_array_size(tags) * sizeof(ngx_str_t));
    if (q->tags == NULL) {
        return NGX_ERROR;
    }

    json_array_foreach(tags, i, tag) {

        p = ngx_pnalloc(v->api->pool, json_string_length(tag));
        if (p == NULL) {
            return NGX_ERROR;
        }

        q->tags[i].data = p;
        q->tags[i].len = json_string_length(tag);
        ngx_memcpy(p, json_string_value(tag), q->tags[i].len);
    }

    q->n_tags = json_array_size(tags);

    method = json_object_get(v->api->body, "method");
    q->all_tags = json_string_length(method) == 3;

    q->tenant = v->api->tenant;
    q->status = -1;
    q->top = NGX_AMT_BULK_PAGE;

    v->more = 1;

    return NGX_OK;
}


/*
 * Operation: the next page of the store, by a flow of its own, so that its
 * rows are gone when their GUIDs were taken.
 */

static ngx_int_t
ngx_amt_bulk_page(ngx_amt_flow_t *f, ngx_amt_mps_bulk_t *v)
{
    ngx_amt_bulk_page_t  *page;

    v->page = ngx_amt_flow_create("bulk_page", &v->api->log,
                                  v->api->conf->budget,
                                  ngx_amt_bulk_page_done, v);
    if (v->page == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    v->flow = f;
    v->seq = ngx_amt_flow_wait(f, "store", ngx_amt_bulk_page_cancel, v);

    page = ngx_amt_frame_alloc(v->page, "page", sizeof(ngx_amt_bulk_page_t),
                               ngx_amt_bulk_page_body, NULL);
    if (page) {
        page->v = v;
    }

    ngx_amt_flow_start(v->page, page);

    return NGX_AGAIN;
}


static ngx_int_t
ngx_amt_bulk_page_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_bulk_page_t *page = data;

    ngx_uint_t               i;
    ngx_amt_store_device_t  *row;

    ngx_amt_begin(f, page);

    ngx_amt_await(f, page, ngx_amt_store_list(f, &page->v->query,
                                              &page->rows));

    row = page->rows->elts;

    for (i = 0; i < page->rows->nelts; i++) {

        /* NGX_BUSY: one more than may be is enough to know */

        (void) ngx_amt_bulk_list_add(&page->v->bulk->list, row[i].guid.data,
                                     row[i].guid.len);
    }

    page->v->query.skip += NGX_AMT_BULK_PAGE;
    page->v->more = (page->rows->nelts == NGX_AMT_BULK_PAGE);

    ngx_amt_end(f, page);

fail:

    return NGX_ERROR;
}


static void
ngx_amt_bulk_page_done(ngx_amt_flow_t *f, ngx_int_t rc, void *data)
{
    ngx_amt_mps_bulk_t *v = data;

    v->page = NULL;

    if (v->flow == NULL) {
        return;
    }

    if (rc != NGX_OK) {
        (void) ngx_amt_flow_error(v->flow, f->err.code, "%V", &f->err.text);
    }

    ngx_amt_flow_wake(v->flow, v->seq, rc);
}


static void
ngx_amt_bulk_page_cancel(void *data)
{
    ngx_amt_mps_bulk_t *v = data;

    v->flow = NULL;

    if (v->page) {
        ngx_amt_flow_cancel(v->page);
    }
}


/* The audit line of the call; those of its devices have the same "bulk". */

ngx_int_t
ngx_amt_mps_bulk_detail(ngx_amt_api_t *api, ngx_str_t *detail)
{
    json_t         *tags, *guids;
    ngx_amt_out_t   o;

    tags = json_object_get(api->body, "tags");
    guids = json_object_get(api->body, "guids");

    ngx_amt_out_init(&o, api->pool, 128);
    ngx_amt_out_open(&o, '{');
    ngx_amt_out_key(&o, "action");
    ngx_amt_out_int(&o, ngx_amt_input_int(json_object_get(api->body,
                                                          "action"),
                                          0, 0, 501));
    ngx_amt_bulk_id(api, &o);

    if (tags) {
        ngx_amt_out_key(&o, "tags");

        if (json_array_size(tags) <= NGX_AMT_STORE_MAX_TAGS) {
            ngx_amt_out_value(&o, tags);

        } else {
            ngx_amt_out_int(&o, json_array_size(tags));
        }

    } else {
        ngx_amt_out_key(&o, "guids");
        ngx_amt_out_int(&o, json_array_size(guids));
    }

    ngx_amt_out_close(&o, '}');

    return ngx_amt_out_done(&o, detail);
}


/* Time and connection of the request: the same whenever it is asked for. */

static void
ngx_amt_bulk_id(ngx_amt_api_t *api, ngx_amt_out_t *o)
{
    u_char               buf[NGX_TIME_T_LEN + NGX_ATOMIC_T_LEN + 8];
    ngx_str_t            id;
    ngx_http_request_t  *r;

    r = api->request;

    if (r == NULL) {
        return;
    }

    id.data = buf;
    id.len = ngx_sprintf(buf, "%T%03M-%uA", r->start_sec, r->start_msec,
                         r->connection->number)
             - buf;

    ngx_amt_out_key(o, "bulk");
    ngx_amt_out_string(o, &id);
}
