
/*
 * REST: logs of a device.  Contract mps.md sections 2.7, 2.8.
 */


#include "mps/ngx_amt_mps_frames.h"


#define NGX_AMT_LOG_INDEX_MAX  4294967295LL


const ngx_amt_check_t  ngx_amt_mps_audit_log_checks[] = {

    { "startIndex", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_NUMERIC,
      NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL, NULL, NULL },
    { "startIndex", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_CUSTOM,
      NGX_AMT_CHECK_OPTIONAL, 0, 0, NULL, NULL, ngx_amt_mps_not_negative },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


const ngx_amt_check_t  ngx_amt_mps_event_log_checks[] = {

    { "$top", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_INT, NGX_AMT_CHECK_OPTIONAL,
      0, INT64_MAX, NULL, NULL, NULL },
    { "$skip", NGX_AMT_IN_QUERY, NGX_AMT_CHECK_INT, NGX_AMT_CHECK_OPTIONAL,
      0, INT64_MAX, NULL, NULL, NULL },

    { NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL }
};


/* A number as text that is 0 or more; "-0" is. */

ngx_int_t
ngx_amt_mps_not_negative(json_t *value, ngx_amt_input_t *in)
{
    const char  *p;

    p = json_string_value(value);

    if (p == NULL) {
        return NGX_DECLINED;
    }

    if (*p != '-') {
        return *p ? NGX_OK : NGX_DECLINED;
    }

    for (p++; *p; p++) {
        if (*p != '0' && *p != '.') {
            return NGX_DECLINED;
        }
    }

    return NGX_OK;
}


ngx_int_t
ngx_amt_mps_audit_log_input(ngx_amt_api_t *api)
{
    json_t  *index;

    index = json_object_get(api->query, "startIndex");

    /* a body of GET means nothing */

    json_decref(api->body);

    api->body = json_pack("{s:I}", "startIndex",
                          (json_int_t) ngx_amt_input_int(index, 0, 0,
                                                    NGX_AMT_LOG_INDEX_MAX));

    return api->body ? NGX_OK : NGX_ERROR;
}


/* Without paging the answer is the bare list. */

ngx_int_t
ngx_amt_mps_event_log_input(ngx_amt_api_t *api)
{
    json_t  *top, *skip;

    top = json_object_get(api->query, "$top");
    skip = json_object_get(api->query, "$skip");

    json_decref(api->body);
    api->body = NULL;

    if (top == NULL && skip == NULL) {
        return NGX_OK;
    }

    api->body = json_pack("{s:I}", "skip",
                          (json_int_t) ngx_amt_input_int(skip, 0, 0,
                                                    NGX_AMT_LOG_INDEX_MAX));

    if (api->body == NULL) {
        return NGX_ERROR;
    }

    if (top) {
        top = json_integer(ngx_amt_input_int(top, 0, 0,
                                             NGX_AMT_LOG_INDEX_MAX));

        return json_object_set_new(api->body, "top", top) == 0 ? NGX_OK
                                                               : NGX_ERROR;
    }

    return NGX_OK;
}
