
/*
 * Reads the bodies that cira_auth and cira_notify send.
 */


#include "hooks/ngx_amt_hooks_json.h"


static json_t *ngx_amt_hooks_object(u_char *text, size_t len, size_t max,
    const char **why);
static ngx_int_t ngx_amt_hooks_guid(json_t *object, u_char *guid);
static ngx_int_t ngx_amt_hooks_string(json_t *object, const char *name,
    ngx_uint_t required, size_t max, ngx_str_t *value);
static ngx_int_t ngx_amt_hooks_source(json_t *object, uint64_t *source);
static ngx_int_t ngx_amt_hooks_number(json_t *object, const char *name,
    int64_t *value);
static ngx_int_t ngx_amt_hooks_event(json_t *object,
    ngx_amt_hooks_event_t *event);
static void ngx_amt_hooks_wipe(json_t *object);


static ngx_str_t  ngx_amt_hooks_types[] = {
    ngx_string("connected"),
    ngx_string("disconnected"),
    ngx_string("seen"),
    ngx_string("alert"),
    ngx_string("quarantine")
};


ngx_int_t
ngx_amt_hooks_login_parse(u_char *text, size_t len,
    ngx_amt_hooks_login_t *login, const char **why)
{
    json_t  *object;

    ngx_memzero(login, sizeof(ngx_amt_hooks_login_t));

    object = ngx_amt_hooks_object(text, len, NGX_AMT_HOOKS_LOGIN_MAX, why);
    if (object == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_amt_hooks_guid(object, login->guid) != NGX_OK) {
        *why = "\"guid\" is no GUID";

    } else if (ngx_amt_hooks_string(object, "user", 1, NGX_AMT_HOOKS_USER_MAX,
                                    &login->user)
               != NGX_OK)
    {
        *why = "\"user\" is not a string of at most 256 bytes";

    } else if (ngx_amt_hooks_string(object, "password", 1,
                                    NGX_AMT_HOOKS_PASS_MAX, &login->password)
               != NGX_OK)
    {
        *why = "\"password\" is not a string of at most 256 bytes";

    } else if (ngx_amt_hooks_string(object, "address", 0, 256,
                                    &login->address)
               != NGX_OK)
    {
        *why = "\"address\" is not a string of at most 256 bytes";

    } else {
        login->json = object;
        return NGX_OK;
    }

    ngx_amt_hooks_wipe(object);
    ngx_memzero(login, sizeof(ngx_amt_hooks_login_t));

    return NGX_DECLINED;
}


void
ngx_amt_hooks_login_free(ngx_amt_hooks_login_t *login)
{
    if (login->json) {
        ngx_amt_hooks_wipe(login->json);
    }

    ngx_memzero(login, sizeof(ngx_amt_hooks_login_t));
}


ngx_int_t
ngx_amt_hooks_batch_parse(u_char *text, size_t len,
    ngx_amt_hooks_batch_t *batch, const char **why)
{
    json_t  *object, *events;
    size_t   i, n;

    ngx_memzero(batch, sizeof(ngx_amt_hooks_batch_t));

    object = ngx_amt_hooks_object(text, len, NGX_AMT_HOOKS_NOTIFY_MAX, why);
    if (object == NULL) {
        return NGX_DECLINED;
    }

    if (ngx_amt_hooks_source(object, &batch->source) != NGX_OK) {
        *why = "\"source\" is not of 16 hexadecimal digits";
        json_decref(object);
        return NGX_DECLINED;
    }

    events = json_object_get(object, "events");
    n = json_array_size(events);

    if (!json_is_array(events) || n > NGX_AMT_HOOKS_EVENTS_MAX) {
        *why = "\"events\" is not an array of at most 4096 events";
        json_decref(object);
        return NGX_DECLINED;
    }

    batch->events = ngx_calloc((n + 1) * sizeof(ngx_amt_hooks_event_t),
                               ngx_cycle->log);
    if (batch->events == NULL) {
        json_decref(object);
        return NGX_ERROR;
    }

    for (i = 0; i < n; i++) {
        if (ngx_amt_hooks_event(json_array_get(events, i), &batch->events[i])
            != NGX_OK)
        {
            *why = "an event is malformed";
            ngx_free(batch->events);
            batch->events = NULL;
            json_decref(object);
            return NGX_DECLINED;
        }
    }

    batch->json = object;
    batch->n = n;

    return NGX_OK;
}


void
ngx_amt_hooks_batch_free(ngx_amt_hooks_batch_t *batch)
{
    if (batch->events) {
        ngx_free(batch->events);
    }

    json_decref(batch->json);
    ngx_memzero(batch, sizeof(ngx_amt_hooks_batch_t));
}


u_char *
ngx_amt_hooks_printable(u_char *dst, size_t size, ngx_str_t *text)
{
    u_char  c;
    size_t  i;

    for (i = 0; i < text->len && i < size; i++) {
        c = text->data[i];
        *dst++ = (c < 0x20 || c > 0x7e) ? '?' : c;
    }

    return dst;
}


static json_t *
ngx_amt_hooks_object(u_char *text, size_t len, size_t max, const char **why)
{
    json_t  *object;

    if (len > max) {
        *why = "body is too large";
        return NULL;
    }

    object = json_loadb((char *) text, len, JSON_REJECT_DUPLICATES, NULL);

    if (object == NULL || !json_is_object(object)) {
        *why = "body is no JSON object";
        ngx_amt_hooks_wipe(object);
        return NULL;
    }

    return object;
}


static ngx_int_t
ngx_amt_hooks_guid(json_t *object, u_char *guid)
{
    u_char     binary[NGX_CIRA_GUID_LEN];
    ngx_str_t  text;

    if (ngx_amt_hooks_string(object, "guid", 1, NGX_CIRA_GUID_TEXT, &text)
        != NGX_OK
        || ngx_cira_guid_parse(text.data, text.len, binary) != NGX_OK)
    {
        return NGX_ERROR;
    }

    (void) ngx_cira_guid_text(guid, binary);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_hooks_string(json_t *object, const char *name, ngx_uint_t required,
    size_t max, ngx_str_t *value)
{
    json_t  *member;

    member = json_object_get(object, name);

    if (member == NULL && !required) {
        ngx_str_set(value, "");
        return NGX_OK;
    }

    if (!json_is_string(member) || json_string_length(member) > max) {
        return NGX_ERROR;
    }

    value->len = json_string_length(member);
    value->data = (u_char *) json_string_value(member);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_hooks_source(json_t *object, uint64_t *source)
{
    ngx_int_t   n;
    ngx_str_t   text;
    ngx_uint_t  i;

    *source = 0;

    if (ngx_amt_hooks_string(object, "source", 0, 16, &text) != NGX_OK
        || (text.len && text.len != 16))
    {
        return NGX_ERROR;
    }

    for (i = 0; i < text.len; i += 2) {

        n = ngx_hextoi(text.data + i, 2);

        if (n == NGX_ERROR) {
            return NGX_ERROR;
        }

        *source = *source << 8 | (uint64_t) n;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_hooks_number(json_t *object, const char *name, int64_t *value)
{
    json_t  *member;

    member = json_object_get(object, name);

    if (!json_is_integer(member) || json_integer_value(member) < 0) {
        return NGX_ERROR;
    }

    *value = (int64_t) json_integer_value(member);

    return NGX_OK;
}


static ngx_int_t
ngx_amt_hooks_event(json_t *object, ngx_amt_hooks_event_t *event)
{
    int64_t      seq, generation;
    ngx_str_t    type;
    ngx_uint_t   i;

    if (!json_is_object(object)
        || ngx_amt_hooks_string(object, "type", 1, 64, &type) != NGX_OK
        || ngx_amt_hooks_number(object, "seq", &seq) != NGX_OK)
    {
        return NGX_ERROR;
    }

    event->seq = seq;
    event->type = NGX_AMT_HOOKS_UNKNOWN;

    for (i = 0; i < NGX_AMT_HOOKS_UNKNOWN; i++) {
        if (type.len == ngx_amt_hooks_types[i].len
            && ngx_memcmp(type.data, ngx_amt_hooks_types[i].data, type.len)
               == 0)
        {
            event->type = i;
            break;
        }
    }

    if (event->type == NGX_AMT_HOOKS_UNKNOWN) {
        return NGX_OK;
    }

    if (ngx_amt_hooks_guid(object, event->guid) != NGX_OK
        || ngx_amt_hooks_number(object, "generation", &generation) != NGX_OK
        || ngx_amt_hooks_number(object, "time", &event->time) != NGX_OK
        || ngx_amt_hooks_string(object, "tenant", 0, 256, &event->tenant)
           != NGX_OK
        || ngx_amt_hooks_string(object, "address", 0, 256, &event->address)
           != NGX_OK
        || ngx_amt_hooks_string(object, "reason", 0, 4096, &event->reason)
           != NGX_OK)
    {
        return NGX_ERROR;
    }

    event->generation = generation;

    return NGX_OK;
}


/* Frees an object whose strings may be passwords. */

static void
ngx_amt_hooks_wipe(json_t *object)
{
    void        *iter;
    json_t      *member;

    if (object == NULL) {
        return;
    }

    for (iter = json_object_iter(object);
         iter;
         iter = json_object_iter_next(object, iter))
    {
        member = json_object_iter_value(iter);

        if (json_is_string(member)) {
            ngx_explicit_memzero((void *) json_string_value(member),
                                 json_string_length(member));
        }
    }

    json_decref(object);
}
