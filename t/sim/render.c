
/* Instances as XML, selectors and endpoint references. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


#define ADDRESS  NS_WSA "/role/anonymous"


static const char *
uri_base(const char *cls)
{
    return strncmp(cls, "AMT_", 4) == 0 ? NS_AMT
           : strncmp(cls, "IPS_", 4) == 0 ? NS_IPS : NS_CIM;
}


/* the inside of an EPR, of "@Class Key=value;Key=value" */

void
epr_render(soap_t *s, const char *value)
{
    char        *copy, *one, *save, *eq, *cls, *pairs;

    if (value[0] != '@') {
        return;
    }

    copy = xstrdup(value + 1);
    cls = copy;

    pairs = strchr(copy, ' ');
    if (pairs) {
        *pairs++ = '\0';
    }

    buf_fmt(&s->out, "<b:Address>" ADDRESS "</b:Address>"
            "<b:ReferenceParameters><c:ResourceURI>%s%s</c:ResourceURI>"
            "<c:SelectorSet>", uri_base(cls), cls);

    for (one = strtok_r(pairs, ";", &save);
         one;
         one = strtok_r(NULL, ";", &save))
    {
        eq = strchr(one, '=');
        if (eq == NULL) {
            continue;
        }

        *eq++ = '\0';
        buf_fmt(&s->out, "<c:Selector Name=\"%s\">", one);
        buf_xml(&s->out, eq);
        buf_str(&s->out, "</c:Selector>");
    }

    buf_str(&s->out, "</c:SelectorSet></b:ReferenceParameters>");
    free(copy);
}


static int
by_name(const void *a, const void *b)
{
    return strcmp((*(node_t * const *) a)->attr,
                  (*(node_t * const *) b)->attr);
}


/* the text form of an EPR element, selectors sorted; NULL: malformed */

char *
epr_text(node_t *n)
{
    buf_t        b;
    char        *text;
    node_t      *rp, *uri, *set, *c, *sorted[8];
    unsigned     i, k;
    const char  *cls;

    rp = xml_child(n, NS_WSA, "ReferenceParameters");
    uri = xml_child(rp, NS_WSMAN, "ResourceURI");
    set = xml_child(rp, NS_WSMAN, "SelectorSet");

    if (!xml_child(n, NS_WSA, "Address") || !uri || !set) {
        return NULL;
    }

    cls = strrchr(uri->text, '/');
    if (cls == NULL) {
        return NULL;
    }

    k = 0;

    for (c = set->first; c; c = c->next) {
        if (k == 8 || strcmp(c->name, "Selector") != 0 || !c->attr) {
            return NULL;
        }
        sorted[k++] = c;
    }

    qsort(sorted, k, sizeof(node_t *), by_name);

    memset(&b, 0, sizeof(b));
    buf_fmt(&b, "@%s ", cls + 1);

    for (i = 0; i < k; i++) {
        buf_fmt(&b, "%s%s=%s", i ? ";" : "", sorted[i]->attr,
                sorted[i]->text);
    }

    text = xstrdup(buf_cstr(&b));
    buf_free(&b);

    return text;
}


/* the value of a selector in the text form of an EPR */

char *
epr_key(const char *epr, const char *key)
{
    size_t       n;
    const char  *p, *end;

    n = strlen(key);

    for (p = strchr(epr, ' '); p; p = strchr(p, ';')) {
        p++;

        if (strncmp(p, key, n) == 0 && p[n] == '=') {
            p += n + 1;
            end = strchr(p, ';');
            return xstrndup(p, end ? (size_t) (end - p) : strlen(p));
        }
    }

    return NULL;
}


static void
value_render(soap_t *s, char p, field_t *f, const char *text)
{
    char  i;

    buf_fmt(&s->out, "<%c:%s>", p, f->name);

    switch (f->type) {

    case T_DT:
    case T_INTERVAL:
        i = soap_prefix(s, NS_COMMON);
        buf_fmt(&s->out, "<%c:%s>", i,
                f->type == T_DT ? "Datetime" : "Interval");
        buf_xml(&s->out, text);
        buf_fmt(&s->out, "</%c:%s>", i,
                f->type == T_DT ? "Datetime" : "Interval");
        break;

    case T_EPR:
        epr_render(s, text);
        break;

    default:
        if (!(f->flags & F_BLANK)) {
            buf_xml(&s->out, text);
        }
    }

    buf_fmt(&s->out, "</%c:%s>", p, f->name);
}


void
model_render(soap_t *s, class_t *cls, inst_t *i)
{
    char         p;
    char        *copy, *one, *save;
    buf_t        b;
    field_t     *f;
    unsigned     k;

    p = soap_prefix(s, cls->uri);
    buf_fmt(&s->out, "<%c:%s>", p, cls->name);

    for (k = 0; k < i->n; k++) {
        f = &cls->fields[i->vals[k].field];

        if (f->flags & F_HIDDEN) {
            continue;
        }

        if (!i->vals[k].tmpl) {
            value_render(s, p, f, i->vals[k].text);
            continue;
        }

        memset(&b, 0, sizeof(b));
        model_expand(s->d, i->vals[k].text, &b);
        copy = xstrdup(buf_cstr(&b));
        buf_free(&b);

        if (f->flags & F_ARRAY) {
            for (one = strtok_r(copy, "|", &save);
                 one;
                 one = strtok_r(NULL, "|", &save))
            {
                value_render(s, p, f, one);
            }

        } else {
            value_render(s, p, f, copy);
        }

        free(copy);
    }

    buf_fmt(&s->out, "</%c:%s>", p, cls->name);
}


/* does an instance have the values a SelectorSet names? */

static int
inst_match(soap_t *s, class_t *cls, inst_t *i, node_t *set)
{
    int      same;
    char    *text;
    node_t  *n, *epr;

    for (n = set ? set->first : NULL; n; n = n->next) {

        if (strcmp(n->ns, NS_WSMAN) != 0 || strcmp(n->name, "Selector") != 0
            || n->attr == NULL || field_find(cls, n->attr,
                                             strlen(n->attr)) < 0)
        {
            return -1;
        }

        epr = xml_child(n, NS_WSA, "EndpointReference");

        if (epr) {
            text = epr_text(epr);
            same = text && strcmp(model_get(s->d, cls, i, n->attr), text)
                           == 0;
            free(text);

        } else {
            same = strcmp(model_get(s->d, cls, i, n->attr), n->text) == 0;
        }

        if (!same) {
            return 0;
        }
    }

    return 1;
}


/* the instance that is meant; NULL and a fault otherwise */

inst_t *
model_select(soap_t *s, class_t *cls, node_t *set)
{
    int        rc;
    inst_t    *i, *found;
    unsigned   n;

    found = NULL;
    n = 0;

    for (i = model_insts(s->d, cls); i; i = i->next) {
        rc = inst_match(s, cls, i, set);

        if (rc < 0) {
            soap_fault(s, "c:InvalidSelectors", "unknown selector");
            return NULL;
        }

        if (rc) {
            found = found ? found : i;
            n++;
        }
    }

    if (n == 1) {
        return found;
    }

    if (n == 0 && set == NULL) {
        soap_fault(s, "b:DestinationUnreachable", NULL);

    } else {
        soap_fault(s, "c:InvalidSelectors", NULL);
    }

    return NULL;
}


void
out_text(soap_t *s, const char *name, const char *text)
{
    char  p;

    p = soap_prefix(s, s->cls->uri);
    buf_fmt(&s->out, "<%c:%s>", p, name);
    buf_xml(&s->out, text);
    buf_fmt(&s->out, "</%c:%s>", p, name);
}


/* pairs: "Key=value;Key=value" */

void
out_epr(soap_t *s, const char *name, const char *cls, const char *pairs)
{
    char   p;
    buf_t  b;

    p = soap_prefix(s, s->cls->uri);
    memset(&b, 0, sizeof(b));
    buf_fmt(&b, "@%s %s", cls, pairs);

    buf_fmt(&s->out, "<%c:%s>", p, name);
    epr_render(s, buf_cstr(&b));
    buf_fmt(&s->out, "</%c:%s>", p, name);
    buf_free(&b);
}
