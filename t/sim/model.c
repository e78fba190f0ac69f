
/*
 * The classes of the device: schema and first instances come from the data
 * file and are shared by all devices; a device owns a copy of a class only
 * after something changed it.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


static class_t *classes;


void
model_add_class(class_t *cls)
{
    cls->next = classes;
    classes = cls;
}


class_t *
model_class(const char *name)
{
    class_t  *c;

    for (c = classes; c; c = c->next) {
        if (strcmp(c->name, name) == 0) {
            return c;
        }
    }

    return NULL;
}


/* is the class switched off by --without NAME,NAME ... */

static int
model_without(const char *name)
{
    size_t       n;
    const char  *p;

    n = strlen(name);

    for (p = opt.without; p && *p; p = strchr(p, ','), p = p ? p + 1 : p) {
        if (strncmp(p, name, n) == 0 && (p[n] == ',' || p[n] == '\0')) {
            return 1;
        }
    }

    return 0;
}


class_t *
model_uri(const char *uri)
{
    class_t  *c;

    for (c = classes; c; c = c->next) {
        if (strcmp(c->uri, uri) == 0) {
            return model_without(c->name) ? NULL : c;
        }
    }

    return NULL;
}


class_t *
model_next(class_t *c)
{
    return c ? c->next : classes;
}


int
field_find(class_t *cls, const char *name, size_t len)
{
    unsigned  i;

    for (i = 0; i < cls->nfields; i++) {
        if (strncmp(cls->fields[i].name, name, len) == 0
            && cls->fields[i].name[len] == '\0')
        {
            return (int) i;
        }
    }

    return -1;
}


inst_t *
model_insts(device_t *d, class_t *cls)
{
    own_t  *o;

    for (o = d->own; o; o = o->next) {
        if (o->cls == cls) {
            return o->insts;
        }
    }

    return cls->insts;
}


static inst_t *
inst_copy(inst_t *i)
{
    inst_t    *c;
    unsigned   k;

    c = xalloc(sizeof(inst_t));
    c->n = i->n;
    c->vals = xalloc(i->n * sizeof(val_t));

    for (k = 0; k < i->n; k++) {
        c->vals[k] = i->vals[k];
        c->vals[k].text = xstrdup(i->vals[k].text);
    }

    return c;
}


static void
inst_free(inst_t *i)
{
    unsigned  k;

    for (k = 0; k < i->n; k++) {
        free(i->vals[k].text);
    }

    free(i->vals);
    free(i);
}


void
insts_free(inst_t *i)
{
    inst_t  *next;

    for ( /* void */ ; i; i = next) {
        next = i->next;
        inst_free(i);
    }
}


/* the device's own list of instances of a class, copied when needed */

inst_t **
model_own(device_t *d, class_t *cls)
{
    own_t   *o;
    inst_t  *i, **last;

    for (o = d->own; o; o = o->next) {
        if (o->cls == cls) {
            return &o->insts;
        }
    }

    o = xalloc(sizeof(own_t));
    o->cls = cls;
    o->next = d->own;
    d->own = o;
    last = &o->insts;

    for (i = cls->insts; i; i = i->next) {
        *last = inst_copy(i);
        last = &(*last)->next;
    }

    return &o->insts;
}


/* the only instance of a class, for changing it */

inst_t *
model_one(device_t *d, const char *name)
{
    class_t  *cls;

    cls = model_class(name);

    return cls ? *model_own(d, cls) : NULL;
}


static void
set_values(class_t *cls, inst_t *i, const char *name, const char *v,
    int tmpl)
{
    int          f;
    char        *copy, *one, *next;
    unsigned     k, n, at;

    f = field_find(cls, name, strlen(name));
    if (f < 0) {
        fprintf(stderr, "amtsim: %s has no %s\n", cls->name, name);
        abort();
    }

    for (k = 0, n = 0; k < i->n; k++) {
        if (i->vals[k].field == f) {
            free(i->vals[k].text);

        } else {
            i->vals[n++] = i->vals[k];
        }
    }

    i->n = n;

    if (v == NULL) {
        return;
    }

    copy = xstrdup(v);

    for (one = copy; one; one = next) {
        next = NULL;

        if (cls->fields[f].flags & F_ARRAY) {
            next = strchr(one, '|');
            if (next) {
                *next++ = '\0';
            }
        }

        i->vals = realloc(i->vals, (i->n + 1) * sizeof(val_t));
        if (i->vals == NULL) {
            abort();
        }

        /* the order of the schema is the order on the wire */

        for (at = i->n; at && i->vals[at - 1].field > f; at--) {
            i->vals[at] = i->vals[at - 1];
        }

        i->vals[at].field = (uint16_t) f;
        i->vals[at].tmpl = (uint8_t) tmpl;
        i->vals[at].text = xstrdup(one);
        i->n++;
    }

    free(copy);
}


/* sets the values of one field: "a|b" for arrays, NULL removes it */

void
model_set(class_t *cls, inst_t *i, const char *name, const char *v)
{
    set_values(cls, i, name, v, 0);
}


/* the same with text of the data file: %name% is a template */

void
model_set_data(class_t *cls, inst_t *i, const char *name, const char *v)
{
    set_values(cls, i, name, v,
               v && v[0] == '%' && v[1] && v[strlen(v) - 1] == '%');
}


/* a new instance without any value, at the end of the list */

inst_t *
model_add(device_t *d, const char *name)
{
    inst_t   **last;
    class_t   *cls;

    cls = model_class(name);

    for (last = model_own(d, cls); *last; last = &(*last)->next) {
        /* void */
    }

    *last = xalloc(sizeof(inst_t));

    return *last;
}


int
model_remove(device_t *d, class_t *cls, inst_t *i)
{
    inst_t  **p;

    for (p = model_own(d, cls); *p; p = &(*p)->next) {
        if (*p == i) {
            *p = i->next;
            inst_free(i);
            return 1;
        }
    }

    return 0;
}


/* first value of a field as text, "" when it has none */

const char *
model_get(device_t *d, class_t *cls, inst_t *i, const char *name)
{
    int           f;
    unsigned      k;
    static buf_t  b;

    buf_free(&b);
    f = field_find(cls, name, strlen(name));

    for (k = 0; k < i->n; k++) {
        if (i->vals[k].field == f) {

            if (i->vals[k].tmpl) {
                model_expand(d, i->vals[k].text, &b);

            } else {
                buf_str(&b, i->vals[k].text);
            }

            break;
        }
    }

    return buf_cstr(&b);
}


/* "Class.Field" or "Class[n].Field" from the control socket */

int
model_set_text(device_t *d, const char *path, const char *value, char *err,
    size_t n)
{
    char         name[128];
    long         at;
    inst_t      *i;
    class_t     *cls;
    const char  *dot, *bracket;

    dot = strchr(path, '.');
    if (dot == NULL || dot - path >= (long) sizeof(name)) {
        snprintf(err, n, "no such key");
        return -1;
    }

    snprintf(name, sizeof(name), "%.*s", (int) (dot - path), path);
    at = 0;

    bracket = strchr(name, '[');
    if (bracket) {
        at = strtol(bracket + 1, NULL, 10);
        name[bracket - name] = '\0';
    }

    cls = model_class(name);
    if (cls == NULL || field_find(cls, dot + 1, strlen(dot + 1)) < 0) {
        snprintf(err, n, "no such class or field");
        return -1;
    }

    for (i = *model_own(d, cls); i && at; i = i->next, at--) { /* void */ }

    if (i == NULL) {
        snprintf(err, n, "no such instance");
        return -1;
    }

    model_set(cls, i, dot + 1, value);

    return 0;
}


static void
model_json_inst(device_t *d, class_t *cls, inst_t *i, buf_t *b)
{
    int         open;
    buf_t       v;
    unsigned    k, f;

    buf_str(b, "{");

    for (k = 0, open = 0; k < i->n; k++) {
        f = i->vals[k].field;
        memset(&v, 0, sizeof(v));

        if (i->vals[k].tmpl) {
            model_expand(d, i->vals[k].text, &v);

        } else {
            buf_str(&v, i->vals[k].text);
        }

        if (!open) {
            buf_str(b, k ? "," : "");
            buf_json(b, cls->fields[f].name);
            buf_str(b, ":");
            buf_str(b, cls->fields[f].flags & F_ARRAY ? "[" : "");

        } else {
            buf_str(b, ",");
        }

        buf_json(b, buf_cstr(&v));
        buf_free(&v);

        open = (cls->fields[f].flags & F_ARRAY) && k + 1 < i->n
               && i->vals[k + 1].field == f;

        if ((cls->fields[f].flags & F_ARRAY) && !open) {
            buf_str(b, "]");
        }
    }

    buf_str(b, "}");
}


void
model_json(device_t *d, class_t *cls, buf_t *b)
{
    inst_t  *i;

    buf_str(b, "[");

    for (i = model_insts(d, cls); i; i = i->next) {
        model_json_inst(d, cls, i, b);
        buf_str(b, i->next ? "," : "");
    }

    buf_str(b, "]");
}
