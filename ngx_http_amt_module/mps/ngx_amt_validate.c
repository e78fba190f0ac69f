
/*
 * Runs tables of checks over a request's fields.  Contract mps.md section
 * 1.6.
 */


#include "mps/ngx_amt_validate.h"
#include "ngx_cira_utf8.h"


#define NGX_AMT_FIELD_MAX   128
#define NGX_AMT_ERRORS_MAX  1000


/* One field in one place */

typedef struct {
    json_t                 *value;       /* NULL: undefined */
    const char             *location;
    const char             *key;         /* of an object's member, or NULL */
    int32_t                 n;           /* of a list's element, or -1 */
    unsigned                halted:1;    /* by BAIL */
} ngx_amt_instance_t;


typedef struct {
    ngx_amt_out_t           out;
    ngx_pool_t             *pool;
    ngx_amt_input_t        *in;
    ngx_uint_t              errors;
    ngx_amt_instance_t     *instances;
    ngx_uint_t              ninstances;
    ngx_uint_t              allocated;
} ngx_amt_validate_t;


static ngx_int_t ngx_amt_validate_find(ngx_amt_validate_t *v,
    const ngx_amt_check_t *check);
static ngx_int_t ngx_amt_validate_place(ngx_amt_validate_t *v, json_t *place,
    const char *location, const ngx_amt_check_t *check);
static ngx_int_t ngx_amt_validate_reserve(ngx_amt_validate_t *v,
    ngx_uint_t n);
static ngx_int_t ngx_amt_validate_push(ngx_amt_validate_t *v, json_t *value,
    const char *location, const char *key, ngx_int_t n);
static ngx_uint_t ngx_amt_validate_skip(const ngx_amt_check_t *check,
    json_t *value);
static ngx_int_t ngx_amt_validate_value(ngx_amt_validate_t *v,
    const ngx_amt_check_t *check, json_t *value);
static void ngx_amt_validate_text(json_t *value, ngx_str_t *text,
    u_char *buf);
static void ngx_amt_validate_error(ngx_amt_validate_t *v,
    const ngx_amt_check_t *check, ngx_amt_instance_t *instance);
static void ngx_amt_validate_path(const ngx_amt_check_t *check,
    ngx_amt_instance_t *instance, u_char *path);


static struct {
    ngx_uint_t    in;
    const char   *name;
    size_t        offset;
} ngx_amt_places[] = {
    { NGX_AMT_IN_BODY, "body", offsetof(ngx_amt_input_t, body) },
    { NGX_AMT_IN_COOKIES, "cookies", offsetof(ngx_amt_input_t, cookies) },
    { NGX_AMT_IN_HEADERS, "headers", offsetof(ngx_amt_input_t, headers) },
    { NGX_AMT_IN_PARAMS, "params", offsetof(ngx_amt_input_t, params) },
    { NGX_AMT_IN_QUERY, "query", offsetof(ngx_amt_input_t, query) }
};


ngx_int_t
ngx_amt_validate(const ngx_amt_check_t *checks, ngx_amt_input_t *in,
    ngx_pool_t *pool, ngx_str_t *errors)
{
    ngx_int_t               rc;
    ngx_uint_t              i;
    ngx_amt_instance_t     *instance;
    ngx_amt_validate_t      v;
    const ngx_amt_check_t  *check;

    ngx_memzero(&v, sizeof(ngx_amt_validate_t));

    v.pool = pool;
    v.in = in;

    for (check = checks; check->field; check++) {

        if (check == checks
            || ngx_strcmp(check->field, check[-1].field) != 0
            || check->in != check[-1].in)
        {
            if (ngx_amt_validate_find(&v, check) != NGX_OK) {
                return NGX_ERROR;
            }
        }

        instance = v.instances;

        for (i = 0; i < v.ninstances; i++) {

            if (instance[i].halted
                || ngx_amt_validate_skip(check, instance[i].value))
            {
                continue;
            }

            rc = ngx_amt_validate_value(&v, check, instance[i].value);

            if (rc == NGX_OK) {
                continue;
            }

            ngx_amt_validate_error(&v, check, &instance[i]);

            if (check->flags & NGX_AMT_CHECK_BAIL) {
                instance[i].halted = 1;
            }
        }
    }

    if (v.errors == 0) {
        return NGX_OK;
    }

    ngx_amt_out_close(&v.out, ']');
    ngx_amt_out_close(&v.out, '}');

    if (ngx_amt_out_done(&v.out, errors) != NGX_OK) {
        return NGX_ERROR;
    }

    return NGX_DECLINED;
}


/* Fills v->instances with the places where the check's field is. */

static ngx_int_t
ngx_amt_validate_find(ngx_amt_validate_t *v, const ngx_amt_check_t *check)
{
    json_t      *place;
    ngx_uint_t   i, in;
    const char  *first;

    v->ninstances = 0;

    in = check->in ? check->in : NGX_AMT_IN_ALL;
    first = NULL;

    for (i = 0; i < sizeof(ngx_amt_places) / sizeof(ngx_amt_places[0]); i++) {

        if (!(in & ngx_amt_places[i].in)) {
            continue;
        }

        if (first == NULL) {
            first = ngx_amt_places[i].name;
        }

        place = *(json_t **) ((u_char *) v->in + ngx_amt_places[i].offset);

        if (ngx_amt_validate_place(v, place, ngx_amt_places[i].name, check)
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    if (v->ninstances || ngx_strchr(check->field, '*')) {
        return NGX_OK;
    }

    /* missing everywhere: reported for the first place */

    return ngx_amt_validate_push(v, NULL, first, NULL, -1);
}


static ngx_int_t
ngx_amt_validate_place(ngx_amt_validate_t *v, json_t *place,
    const char *location, const ngx_amt_check_t *check)
{
    void        *i;
    char         base[NGX_AMT_FIELD_MAX];
    size_t       n;
    json_t      *value, *item;
    const char  *star;

    star = strstr(check->field, "[*]");

    if (star == NULL) {
        value = ngx_amt_input_get(place, check->field);

        if (value == NULL) {
            return NGX_OK;
        }

        return ngx_amt_validate_push(v, value, location, NULL, -1);
    }

    n = star - check->field;

    if (n >= sizeof(base)) {
        return NGX_ERROR;
    }

    (void) ngx_cpystrn((u_char *) base, (u_char *) check->field, n + 1);

    value = ngx_amt_input_get(place, base);

    if (json_is_array(value)) {

        if (ngx_amt_validate_reserve(v, json_array_size(value)) != NGX_OK) {
            return NGX_ERROR;
        }

        json_array_foreach(value, n, item) {
            if (ngx_amt_validate_push(v, item, location, NULL, (ngx_int_t) n)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }

    } else if (json_is_object(value)) {

        if (ngx_amt_validate_reserve(v, json_object_size(value)) != NGX_OK) {
            return NGX_ERROR;
        }

        for (i = json_object_iter(value);
             i;
             i = json_object_iter_next(value, i))
        {
            if (ngx_amt_validate_push(v, json_object_iter_value(i), location,
                                      json_object_iter_key(i), -1)
                != NGX_OK)
            {
                return NGX_ERROR;
            }
        }
    }

    return NGX_OK;
}


/* Room for n more; lists may be as long as the body lets them. */

static ngx_int_t
ngx_amt_validate_reserve(ngx_amt_validate_t *v, ngx_uint_t n)
{
    ngx_uint_t           size;
    ngx_amt_instance_t  *instances;

    if (v->allocated - v->ninstances >= n) {
        return NGX_OK;
    }

    size = v->ninstances + ngx_max(n, 4);

    instances = ngx_palloc(v->pool, size * sizeof(ngx_amt_instance_t));
    if (instances == NULL) {
        return NGX_ERROR;
    }

    if (v->instances) {
        ngx_memcpy(instances, v->instances,
                   v->ninstances * sizeof(ngx_amt_instance_t));
        (void) ngx_pfree(v->pool, v->instances);
    }

    v->instances = instances;
    v->allocated = size;

    return NGX_OK;
}


/* The field itself, unless key or n (not -1) name an element of it. */

static ngx_int_t
ngx_amt_validate_push(ngx_amt_validate_t *v, json_t *value,
    const char *location, const char *key, ngx_int_t n)
{
    ngx_amt_instance_t  *instance;

    if (ngx_amt_validate_reserve(v, 1) != NGX_OK) {
        return NGX_ERROR;
    }

    instance = &v->instances[v->ninstances++];

    instance->value = value;
    instance->location = location;
    instance->key = key;
    instance->n = (int32_t) n;
    instance->halted = 0;

    return NGX_OK;
}


json_t *
ngx_amt_input_get(json_t *place, const char *field)
{
    size_t       n;
    json_t      *value;
    const char  *dot;

    value = place;

    for ( ;; ) {

        if (!json_is_object(value)) {
            return NULL;
        }

        dot = strchr(field, '.');
        n = dot ? (size_t) (dot - field) : strlen(field);

        value = json_object_getn(value, field, n);

        if (value == NULL || dot == NULL) {
            return value;
        }

        field = dot + 1;
    }
}


static ngx_uint_t
ngx_amt_validate_skip(const ngx_amt_check_t *check, json_t *value)
{
    if (!(check->flags & (NGX_AMT_CHECK_OPTIONAL|NGX_AMT_CHECK_NULLABLE
                          |NGX_AMT_CHECK_FALSY)))
    {
        return 0;
    }

    if (value == NULL) {
        return 1;
    }

    if (json_is_null(value)) {
        return check->flags & (NGX_AMT_CHECK_NULLABLE|NGX_AMT_CHECK_FALSY);
    }

    if (check->flags & NGX_AMT_CHECK_FALSY) {
        return json_is_false(value)
               || (json_is_string(value) && json_string_length(value) == 0)
               || (json_is_number(value) && json_number_value(value) == 0);
    }

    return 0;
}


static ngx_int_t
ngx_amt_validate_value(ngx_amt_validate_t *v, const ngx_amt_check_t *check,
    json_t *value)
{
    u_char      buf[NGX_AMT_NUMBER_LEN];
    ngx_str_t   s;
    ngx_uint_t  good;

    switch (check->check) {

    case NGX_AMT_CHECK_STRING:
        return json_is_string(value) ? NGX_OK : NGX_DECLINED;

    case NGX_AMT_CHECK_ARRAY:
        return json_is_array(value) ? NGX_OK : NGX_DECLINED;

    case NGX_AMT_CHECK_OBJECT:
        return json_is_object(value) ? NGX_OK : NGX_DECLINED;

    case NGX_AMT_CHECK_STRICT_BOOLEAN:
        return json_is_boolean(value) ? NGX_OK : NGX_DECLINED;

    case NGX_AMT_CHECK_CUSTOM:
        return check->custom(value, v->in);

    default:
        break;
    }

    /* these look at the text form; a list is never one value */

    if (json_is_array(value)) {
        return NGX_DECLINED;
    }

    ngx_amt_validate_text(value, &s, buf);

    if (s.len == 0 && (check->flags & NGX_AMT_CHECK_EMPTY)
        && json_is_string(value))
    {
        return NGX_OK;
    }

    switch (check->check) {

    case NGX_AMT_CHECK_UUID:
        good = ngx_amt_check_uuid(&s);
        break;

    case NGX_AMT_CHECK_BOOLEAN:
        good = ngx_amt_check_in(&s, "true,false,1,0");
        break;

    case NGX_AMT_CHECK_NUMERIC:
        good = ngx_amt_check_numeric(&s);
        break;

    case NGX_AMT_CHECK_INT:
        good = ngx_amt_check_int(&s, check->min, check->max);
        break;

    case NGX_AMT_CHECK_IN:
        good = ngx_amt_check_in(&s, check->list);
        break;

    case NGX_AMT_CHECK_LENGTH:
        good = ngx_amt_check_length(&s, check->min, check->max);
        break;

    case NGX_AMT_CHECK_NOT_EMPTY:
        good = s.len != 0;
        break;

    case NGX_AMT_CHECK_IPV4:
        good = ngx_amt_check_ipv4(&s);
        break;

    case NGX_AMT_CHECK_URL:
        good = ngx_amt_check_url(&s);
        break;

    case NGX_AMT_CHECK_FQDN:
        good = ngx_amt_check_fqdn(&s, 0);
        break;

    case NGX_AMT_CHECK_ISO8601:
        good = ngx_amt_check_iso8601(&s);
        break;

    default:
        good = 0;
    }

    return good ? NGX_OK : NGX_DECLINED;
}


/* The text form: String(value), but "" for undefined and null. */

static void
ngx_amt_validate_text(json_t *value, ngx_str_t *text, u_char *buf)
{
    ngx_str_null(text);

    if (value == NULL) {
        return;
    }

    switch (json_typeof(value)) {

    case JSON_STRING:
        text->data = (u_char *) json_string_value(value);
        text->len = json_string_length(value);
        break;

    case JSON_INTEGER:
    case JSON_REAL:
        text->data = buf;
        text->len = ngx_amt_number_text(value, buf);
        break;

    case JSON_TRUE:
        ngx_str_set(text, "true");
        break;

    case JSON_FALSE:
        ngx_str_set(text, "false");
        break;

    case JSON_OBJECT:
        ngx_str_set(text, "[object Object]");
        break;

    default:
        break;
    }
}


static void
ngx_amt_validate_error(ngx_amt_validate_t *v, const ngx_amt_check_t *check,
    ngx_amt_instance_t *instance)
{
    u_char          path[NGX_AMT_FIELD_MAX];
    ngx_amt_out_t  *o;

    o = &v->out;

    if (v->errors == NGX_AMT_ERRORS_MAX) {
        return;
    }

    if (v->errors++ == 0) {
        ngx_amt_out_init(o, v->pool, 512);
        ngx_amt_out_open(o, '{');
        ngx_amt_out_key(o, "errors");
        ngx_amt_out_open(o, '[');
    }

    ngx_amt_out_open(o, '{');

    ngx_amt_out_key(o, "type");
    ngx_amt_out_cstring(o, "field");

    if (instance->value && !(check->flags & NGX_AMT_CHECK_SECRET)) {
        ngx_amt_out_key(o, "value");
        ngx_amt_out_value(o, instance->value);
    }

    ngx_amt_out_key(o, "msg");
    ngx_amt_out_cstring(o, check->msg ? check->msg : "Invalid value");

    ngx_amt_out_key(o, "path");
    ngx_amt_validate_path(check, instance, path);
    ngx_amt_out_cstring(o, (char *) path);

    ngx_amt_out_key(o, "location");
    ngx_amt_out_cstring(o, instance->location);

    ngx_amt_out_close(o, '}');
}


static void
ngx_amt_validate_path(const ngx_amt_check_t *check,
    ngx_amt_instance_t *instance, u_char *path)
{
    size_t       n;
    u_char      *last;
    const char  *star;

    star = strstr(check->field, "[*]");
    n = star ? (size_t) (star - check->field) : ngx_strlen(check->field);

    if (instance->key) {
        last = ngx_snprintf(path, NGX_AMT_FIELD_MAX - 1, "%*s.%s",
                            n, check->field, instance->key);

    } else if (instance->n >= 0) {
        last = ngx_snprintf(path, NGX_AMT_FIELD_MAX - 1, "%*s[%i]",
                            n, check->field, (ngx_int_t) instance->n);

    } else {
        last = ngx_snprintf(path, NGX_AMT_FIELD_MAX - 1, "%*s",
                            n, check->field);
    }

    /* a long name of the client's may have been cut inside a character */

    path[ngx_cira_utf8_whole(path, last - path)] = '\0';
}


ngx_uint_t
ngx_amt_input_true(json_t *value)
{
    u_char     buf[NGX_AMT_NUMBER_LEN];
    ngx_str_t  s;

    ngx_amt_validate_text(value, &s, buf);

    return s.len && !ngx_amt_check_in(&s, "false,0");
}


int64_t
ngx_amt_input_int(json_t *value, int64_t def, int64_t min, int64_t max)
{
    u_char      buf[NGX_AMT_NUMBER_LEN], *p, *last;
    int64_t     n;
    ngx_str_t   s;
    ngx_uint_t  minus;

    ngx_amt_validate_text(value, &s, buf);

    if (s.len == 0) {
        return def;
    }

    p = s.data;
    last = p + s.len;
    minus = 0;

    if (*p == '+' || *p == '-') {
        minus = (*p++ == '-');
    }

    for (n = 0; p < last && *p >= '0' && *p <= '9'; p++) {
        if (n < (int64_t) 100000000000000000) {
            n = n * 10 + (*p - '0');
        }
    }

    if (minus) {
        n = -n;
    }

    return ngx_max(min, ngx_min(n, max));
}
