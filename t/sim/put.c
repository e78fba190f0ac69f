
/*
 * Put, as strict as firmware: known fields of the right type, the whole
 * instance where the class wants it, nothing read-only changed.
 */


#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


static int
datetime_ok(const char *s)
{
    int   n, y, mo, d, h, mi, se;

    n = 0;

    return sscanf(s, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &y, &mo, &d, &h, &mi, &se,
                  &n) == 6
           && n == 20 && s[20] == '\0' && mo >= 1 && mo <= 12 && d >= 1
           && d <= 31 && h < 24 && mi < 60 && se < 60;
}


/* P[nD][T[nH][nM][nS]] */

static int
interval_ok(const char *s)
{
    int  digits, units;

    if (*s++ != 'P') {
        return 0;
    }

    for (units = 0, digits = 0; *s; s++) {

        if (*s == 'T') {
            if (digits) {
                return 0;
            }

        } else if (isdigit((u_char) *s)) {
            digits++;

        } else if (strchr("DHMS", *s) && digits) {
            digits = 0;
            units++;

        } else {
            return 0;
        }
    }

    return units && !digits;
}


/*
 * Is the element a value of this type?  *text: as it is stored, to be freed.
 * 0: no, 1: yes, 2: right type, value out of range.
 */

int
value_ok(field_t *f, node_t *n, char **text)
{
    int                 ok;
    char               *end;
    size_t              len;
    node_t             *c;
    long long           i;
    unsigned long long  v;

    *text = NULL;

    if (f->type == T_EPR) {
        *text = epr_text(n);
        return *text != NULL;
    }

    if (f->type == T_DT || f->type == T_INTERVAL) {
        c = xml_child(n, NS_COMMON,
                      f->type == T_DT ? "Datetime" : "Interval");

        if (c == NULL || n->children != 1) {
            return 0;
        }

        ok = f->type == T_DT ? datetime_ok(c->text) : interval_ok(c->text);

        if (ok) {
            *text = xstrdup(c->text);
        }

        return ok;
    }

    if (n->first) {
        return 0;
    }

    ok = 1;

    switch (f->type) {

    case T_BOOL:

        /* 1 and 0 are good too */

        if (strcmp(n->text, "1") == 0 || strcmp(n->text, "0") == 0) {
            *text = xstrdup(n->text[0] == '1' ? "true" : "false");
            return 1;
        }

        ok = strcmp(n->text, "true") == 0 || strcmp(n->text, "false") == 0;
        break;

    case T_B64:
        ok = base64_ok(n->text, &len);
        break;

    case T_STR:
        if (strlen(n->text) > f->max) {
            ok = 2;
        }
        break;

    case T_I32:
        errno = 0;
        i = strtoll(n->text, &end, 10);
        ok = n->text[0] && !*end && !errno && i >= INT32_MIN
             && i <= INT32_MAX;
        break;

    default:
        errno = 0;
        v = strtoull(n->text, &end, 10);

        if (!isdigit((u_char) n->text[0]) || *end || errno) {
            ok = 0;

        } else if (v < f->min || v > f->max) {
            ok = 2;
        }
    }

    if (ok) {
        *text = xstrdup(n->text);
    }

    return ok;
}


static int
put_fault(soap_t *s, const char *code, const char *field)
{
    static char  text[160];

    snprintf(text, sizeof(text), "%s", field);
    soap_fault(s, code, text);

    return -1;
}


/* collects the values of one field: "a|b" */

static int
put_field(soap_t *s, class_t *cls, node_t *body, int fi, buf_t *b,
    unsigned *count)
{
    int        ok;
    char      *text;
    node_t    *n;
    field_t   *f;

    f = &cls->fields[fi];
    *count = 0;

    for (n = body->first; n; n = n->next) {

        if (strcmp(n->name, f->name) != 0) {
            continue;
        }

        ok = value_ok(f, n, &text);

        if (ok != 1) {
            free(text);
            return put_fault(s, ok ? "c:InvalidParameter"
                                   : "c:SchemaValidationError", f->name);
        }

        if ((*count)++) {

            if (!(f->flags & F_ARRAY) || *count > f->max_items) {
                free(text);
                return put_fault(s, "c:SchemaValidationError", f->name);
            }

            buf_str(b, "|");
        }

        buf_str(b, text);
        free(text);
    }

    return 0;
}


/* all values the instance has now, as put_field() writes them */

static void
old_field(device_t *d, inst_t *i, int fi, buf_t *b, unsigned *count)
{
    unsigned  k;

    *count = 0;

    for (k = 0; k < i->n; k++) {
        if (i->vals[k].field != fi) {
            continue;
        }

        if ((*count)++) {
            buf_str(b, "|");
        }

        if (i->vals[k].tmpl) {
            model_expand(d, i->vals[k].text, b);

        } else {
            buf_str(b, i->vals[k].text);
        }
    }
}


/* one field of the new instance; -1: fault */

static int
put_one(soap_t *s, class_t *cls, node_t *body, inst_t *old, inst_t *new,
    int fi)
{
    int        rc, same;
    buf_t      want, have;
    field_t   *f;
    unsigned   nwant, nhave;

    f = &cls->fields[fi];
    memset(&want, 0, sizeof(want));
    memset(&have, 0, sizeof(have));

    rc = put_field(s, cls, body, fi, &want, &nwant);
    old_field(s->d, old, fi, &have, &nhave);

    same = nwant == nhave && strcmp(buf_cstr(&want), buf_cstr(&have)) == 0;

    if (rc == 0 && nwant == 0) {

        if ((f->flags & F_MUST)
            || ((cls->ops & OP_COMPLETE) && nhave
                && !(f->flags & (F_OPTIONAL|F_HIDDEN))))
        {
            rc = put_fault(s, "c:SchemaValidationError", f->name);

        } else if (nhave && (f->flags & F_WRITE)
                   && (f->flags & (F_DROP|F_ARRAY)))
        {
            model_set(cls, new, f->name, NULL);
        }

    } else if (rc == 0 && !same) {

        if (!(f->flags & F_WRITE)) {
            rc = put_fault(s, "c:InvalidParameter", f->name);

        } else {
            model_set(cls, new, f->name, buf_cstr(&want));
        }
    }

    buf_free(&want);
    buf_free(&have);

    return rc;
}


void
model_put(soap_t *s)
{
    int        fi;
    inst_t    *i, *new, *at, **own;
    node_t    *body, *n;
    class_t   *cls;
    unsigned   index, k;

    cls = s->cls;
    body = s->body->first;

    if (body == NULL || body->next || strcmp(body->name, cls->name) != 0
        || strcmp(body->ns, cls->uri) != 0)
    {
        soap_fault(s, "c:SchemaValidationError", cls->name);
        return;
    }

    if ((cls->ops & OP_SELECT) && s->selectors == NULL) {
        soap_fault(s, "c:InvalidSelectors", "Put needs a selector");
        return;
    }

    i = model_select(s, cls, s->selectors);
    if (i == NULL) {
        return;
    }

    for (n = body->first; n; n = n->next) {
        if (strcmp(n->ns, cls->uri) != 0
            || field_find(cls, n->name, strlen(n->name)) < 0)
        {
            put_fault(s, "c:SchemaValidationError", n->name);
            return;
        }
    }

    new = xalloc(sizeof(inst_t));

    for (k = 0; k < i->n; k++) {
        new->vals = realloc(new->vals, (k + 1) * sizeof(val_t));
        if (new->vals == NULL) {
            abort();
        }
        new->vals[k] = i->vals[k];
        new->vals[k].text = xstrdup(i->vals[k].text);
        new->n++;
    }

    for (fi = 0; fi < (int) cls->nfields; fi++) {
        if (put_one(s, cls, body, i, new, fi) != 0) {
            insts_free(new);
            return;
        }
    }

    if ((strcmp(cls->name, "AMT_BootSettingData") == 0
         && boot_check_put(s, new) != 0)
        || (strcmp(cls->name, "IPS_OptInService") == 0
            && optin_check_put(s, new) != 0))
    {
        insts_free(new);
        return;
    }

    /* put it where the old one is, in the device's own list */

    for (at = model_insts(s->d, cls), index = 0; at != i; at = at->next) {
        index++;
    }

    for (own = model_own(s->d, cls); index; index--) {
        own = &(*own)->next;
    }

    at = *own;
    new->next = at->next;
    at->next = NULL;
    insts_free(at);
    *own = new;

    if (strcmp(cls->name, "AMT_RedirectionService") == 0) {
        feature_listener(s->d);

    } else if (strcmp(cls->name, "AMT_TLSCredentialContext") == 0) {
        tls_context_fix(new);
    }

    model_render(s, cls, new);
    event(s->d, "put", "\"class\":\"%s\"", cls->name);
}
