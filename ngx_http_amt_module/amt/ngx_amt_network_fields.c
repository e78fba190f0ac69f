
/* Properties to members by tables; see ngx_amt_network_fields.h. */


#include "amt/ngx_amt_network_fields.h"
#include "amt/ngx_amt_json.h"


static json_t *ngx_amt_network_field(const ngx_amt_network_field_t *field,
    ngx_amt_xml_t *x);
static json_t *ngx_amt_network_text(ngx_str_t *s);
static json_t *ngx_amt_network_texts(ngx_amt_xml_t *x, const char *property,
    const ngx_amt_network_name_t *names);


ngx_int_t
ngx_amt_network_fields(json_t *json, const ngx_amt_network_field_t *field,
    ngx_amt_xml_t *x)
{
    for ( /* void */ ; field->key; field++) {

        if (field->kind == NGX_AMT_NETWORK_POSITIVE
            && ngx_amt_xml_int(x, field->property, 0) == 0)
        {
            continue;
        }

        if (ngx_amt_json_set(json, field->key,
                             ngx_amt_network_field(field, x))
            != NGX_OK)
        {
            return NGX_ERROR;
        }
    }

    return NGX_OK;
}


static json_t *
ngx_amt_network_field(const ngx_amt_network_field_t *field, ngx_amt_xml_t *x)
{
    ngx_str_t  s;

    switch (field->kind) {

    case NGX_AMT_NETWORK_NUMBER:
    case NGX_AMT_NETWORK_POSITIVE:
        return json_integer(ngx_amt_xml_int(x, field->property, 0));

    case NGX_AMT_NETWORK_BOOLEAN:
        return json_boolean(ngx_amt_xml_bool(x, field->property, 0) == 1);

    case NGX_AMT_NETWORK_NAME:
        return json_string(ngx_amt_network_name(field->names,
                                                ngx_amt_xml_int(x,
                                                    field->property, -1),
                                                ""));

    case NGX_AMT_NETWORK_NAMES:
        return ngx_amt_network_texts(x, field->property, field->names);

    default: /* NGX_AMT_NETWORK_TEXT */
        s = ngx_amt_xml_text(x, field->property);

        return ngx_amt_network_text(&s);
    }
}


static json_t *
ngx_amt_network_text(ngx_str_t *s)
{
    return s->len ? json_stringn((char *) s->data, s->len) : json_string("");
}


static json_t *
ngx_amt_network_texts(ngx_amt_xml_t *x, const char *property,
    const ngx_amt_network_name_t *names)
{
    u_char      *p, *last;
    json_t      *array;
    int64_t      value;
    const char  *name;

    array = json_array();
    if (array == NULL) {
        return NULL;
    }

    for (x = ngx_amt_xml_child(x, property); x; x = ngx_amt_xml_again(x)) {

        value = x->text.len ? 0 : -1;
        last = x->text.data + x->text.len;

        for (p = x->text.data; p < last; p++) {

            if (*p < '0' || *p > '9' || value > 0xffff) {
                value = -1;
                break;
            }

            value = value * 10 + (*p - '0');
        }

        name = ngx_amt_network_name(names, value, "Unknown");

        if (json_array_append_new(array, json_string(name)) != 0) {
            json_decref(array);
            return NULL;
        }
    }

    return array;
}


json_t *
ngx_amt_network_list(const ngx_amt_network_field_t *field,
    ngx_array_t *items, ngx_uint_t profiles)
{
    json_t          *array, *object;
    ngx_uint_t       i;
    ngx_amt_xml_t  **x;

    array = json_array();
    if (array == NULL) {
        return NULL;
    }

    x = items->elts;

    for (i = 0; i < items->nelts; i++) {

        if (profiles && !ngx_amt_network_is_profile(x[i])) {
            continue;
        }

        object = json_object();

        if (json_array_append_new(array, object) != 0
            || ngx_amt_network_fields(object, field, x[i]) != NGX_OK)
        {
            json_decref(array);
            return NULL;
        }
    }

    return array;
}
