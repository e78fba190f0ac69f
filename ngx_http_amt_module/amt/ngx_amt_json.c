
/*
 * WSMAN XML to JSON; see ngx_amt_json.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "amt/ngx_amt_json.h"
#include <math.h>


static json_t *ngx_amt_json_value(ngx_amt_xml_t *x);
static json_t *ngx_amt_json_children(ngx_amt_xml_t *x);
static ngx_int_t ngx_amt_json_add(json_t *object, ngx_str_t *name,
    json_t *value);
static ngx_uint_t ngx_amt_json_is_text(ngx_str_t *name);
static ngx_uint_t ngx_amt_json_number(ngx_str_t *s, double *d);


json_t *
ngx_amt_json_element(ngx_amt_xml_t *x)
{
    if (x == NULL) {
        return json_string("");
    }

    if (x->first) {
        return ngx_amt_json_children(x);
    }

    return ngx_amt_json_value(x);
}


json_t *
ngx_amt_json_object(ngx_amt_xml_t *x)
{
    if (x == NULL) {
        return json_object();
    }

    return ngx_amt_json_children(x);
}


static json_t *
ngx_amt_json_children(ngx_amt_xml_t *x)
{
    json_t         *object;
    ngx_amt_xml_t  *child;

    object = json_object();
    if (object == NULL) {
        return NULL;
    }

    if (x->first && x->text.len
        && ngx_amt_json_set(object, "_",
                            json_stringn((char *) x->raw.data, x->raw.len))
           != NGX_OK)
    {
        goto failed;
    }

    for (child = x->first; child; child = child->next) {

        if (ngx_amt_json_add(object, &child->name,
                             ngx_amt_json_element(child))
            != NGX_OK)
        {
            goto failed;
        }
    }

    return object;

failed:

    json_decref(object);

    return NULL;
}


/*
 * The second of a name makes an array; an element's value never is one.  All
 * of a document is valid UTF-8, which is not checked again.
 */

static ngx_int_t
ngx_amt_json_add(json_t *object, ngx_str_t *name, json_t *value)
{
    json_t      *old, *array;
    const char  *key;

    if (value == NULL) {
        return NGX_ERROR;
    }

    key = (const char *) name->data;

    old = json_object_getn(object, key, name->len);

    if (old == NULL) {
        return json_object_setn_new_nocheck(object, key, name->len, value)
               == 0 ? NGX_OK : NGX_ERROR;
    }

    if (json_is_array(old)) {
        return json_array_append_new(old, value) == 0 ? NGX_OK : NGX_ERROR;
    }

    array = json_array();

    if (array == NULL || json_array_append(array, old) != 0) {
        json_decref(array);
        json_decref(value);
        return NGX_ERROR;
    }

    if (json_array_append_new(array, value) != 0) {
        json_decref(array);
        return NGX_ERROR;
    }

    return json_object_setn_new_nocheck(object, key, name->len, array) == 0
           ? NGX_OK : NGX_ERROR;
}


static json_t *
ngx_amt_json_value(ngx_amt_xml_t *x)
{
    double     d;
    ngx_str_t  s;

    s = x->raw;

    if (s.len == 0) {
        return json_string("");
    }

    if (!ngx_amt_json_is_text(&x->name)) {

        if (s.len == 4 && ngx_strncasecmp(s.data, (u_char *) "true", 4) == 0)
        {
            return json_true();
        }

        if (s.len == 5
            && ngx_strncasecmp(s.data, (u_char *) "false", 5) == 0)
        {
            return json_false();
        }

        if (ngx_amt_json_number(&x->text, &d)) {

            if (isinf(d)) {
                return json_null();
            }

            /* whole and exact in 64 bits, else as clients would print it */

            if (d == floor(d) && d > -9.2e18 && d < 9.2e18) {
                return json_integer((json_int_t) d);
            }

            return json_real(d);
        }
    }

    return json_stringn_nocheck((char *) s.data, s.len);
}


/* Names whose value is text although it may look like a number. */

static ngx_uint_t
ngx_amt_json_is_text(ngx_str_t *name)
{
    ngx_uint_t  i;

    static const ngx_str_t  names[] = {
        ngx_string("InstanceID"),
        ngx_string("ElementName"),
        ngx_string("SSID"),
        ngx_string("SerialNumber"),
        ngx_string("PartNumber"),
        ngx_string("Tag"),
        ngx_string("AssetTag")
    };

    for (i = 0; i < sizeof(names) / sizeof(ngx_str_t); i++) {
        if (name->len == names[i].len
            && ngx_strncmp(name->data, names[i].data, name->len) == 0)
        {
            return 1;
        }
    }

    return 0;
}


/*
 * [+-] ( digits [ . digits ] | . digits ) [ e [+-] digits ], 0x hex without
 * sign, [+-] Infinity; blanks around are trimmed already.
 */

static ngx_uint_t
ngx_amt_json_number(ngx_str_t *s, double *d)
{
    char     buf[64], *p, *end;
    size_t   n;

    /* numbers of the contract are short; longer digits are text */

    if (s->len == 0 || s->len >= sizeof(buf)) {
        return 0;
    }

    ngx_memcpy(buf, s->data, s->len);
    buf[s->len] = '\0';

    p = buf;

    if (p[0] == '0' && (p[1] | 0x20) == 'x') {

        n = strspn(p + 2, "0123456789abcdefABCDEF");

        if (n == 0 || p[2 + n] != '\0') {
            return 0;
        }

        *d = strtod(p, NULL);

        return 1;
    }

    if (*p == '+' || *p == '-') {
        p++;
    }

    if (ngx_strcmp(p, "Infinity") == 0) {
        *d = INFINITY;
        return 1;
    }

    n = strspn(p, "0123456789");
    end = p + n;

    if (*end == '.') {
        end++;
        n += strspn(end, "0123456789");
        end += strspn(end, "0123456789");
    }

    if (n == 0) {
        return 0;
    }

    if (*end == 'e' || *end == 'E') {
        end++;

        if (*end == '+' || *end == '-') {
            end++;
        }

        n = strspn(end, "0123456789");

        if (n == 0) {
            return 0;
        }

        end += n;
    }

    if (*end != '\0') {
        return 0;
    }

    *d = strtod(buf, NULL);

    return 1;
}


json_t *
ngx_amt_json_items(ngx_array_t *items)
{
    json_t          *array;
    ngx_uint_t       i;
    ngx_amt_xml_t  **x;

    array = json_array();
    if (array == NULL) {
        return NULL;
    }

    x = items->elts;

    for (i = 0; i < items->nelts; i++) {
        if (json_array_append_new(array, ngx_amt_json_object(x[i])) != 0) {
            json_decref(array);
            return NULL;
        }
    }

    return array;
}


json_t *
ngx_amt_json_answer(ngx_amt_wsman_response_t *res, json_t *body)
{
    json_t  *json;

    json = ngx_amt_json_header(res);

    if (json == NULL) {
        json_decref(body);
        return NULL;
    }

    if (ngx_amt_json_set(json, "Body", body) != NGX_OK) {
        json_decref(json);
        return NULL;
    }

    return json;
}


json_t *
ngx_amt_json_header(ngx_amt_wsman_response_t *res)
{
    json_t  *json;

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


ngx_int_t
ngx_amt_json_set(json_t *object, const char *key, json_t *value)
{
    /* jansson refuses NULL */

    return json_object_set_new(object, key, value) == 0 ? NGX_OK : NGX_ERROR;
}
