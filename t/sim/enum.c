
/* Enumerate and Pull. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


#define CONTEXT_LIFE  30              /* s */


static uint32_t
seconds(void)
{
    return (uint32_t) (now_ms() / 1000) + 1;
}


/* firmware has few contexts; the oldest goes */

static context_t *
context_new(device_t *d, class_t *cls, uint32_t next)
{
    unsigned    k;
    context_t  *c, *old;

    if (d->contexts == NULL) {
        d->contexts = xalloc(SIM_CONTEXTS * sizeof(context_t));
    }

    old = &d->contexts[0];

    for (k = 0; k < SIM_CONTEXTS; k++) {
        c = &d->contexts[k];

        if (c->cls == NULL) {
            old = c;
            break;
        }

        if (c->at < old->at) {
            old = c;
        }
    }

    old->cls = cls;
    old->next = next;
    old->at = seconds();
    old->id = ++d->context_id;

    return old;
}


/* the number is shown in little-endian order: D4020000-0000-... */

static void
context_text(context_t *c, char text[40])
{
    snprintf(text, 40, "%02X%02X%02X%02X-0000-0000-0000-000000000000",
             c->id & 0xff, c->id >> 8 & 0xff, c->id >> 16 & 0xff,
             c->id >> 24);
}


static context_t *
context_find(device_t *d, const char *text)
{
    char        t[40];
    unsigned    k;
    context_t  *c;

    for (k = 0; d->contexts && k < SIM_CONTEXTS; k++) {
        c = &d->contexts[k];

        if (c->cls == NULL) {
            continue;
        }

        context_text(c, t);

        if (strcmp(t, text) == 0) {
            return seconds() - c->at > CONTEXT_LIFE ? NULL : c;
        }
    }

    return NULL;
}


void
model_enumerate(soap_t *s)
{
    char        p;
    char        text[40];
    node_t     *n;
    context_t  *c;

    if (!(s->cls->ops & OP_ENUM)) {
        soap_fault(s, "b:ActionNotSupported", NULL);
        return;
    }

    n = s->body->first;

    if (n == NULL || n->next || strcmp(n->name, "Enumerate") != 0
        || strcmp(n->ns, NS_ENUM) != 0 || n->first)
    {
        soap_fault(s, "c:SchemaValidationError", "Enumerate");
        return;
    }

    c = context_new(s->d, s->cls, 0);
    context_text(c, text);

    p = soap_prefix(s, NS_ENUM);
    buf_fmt(&s->out, "<%c:EnumerateResponse><%c:EnumerationContext>%s"
            "</%c:EnumerationContext></%c:EnumerateResponse>", p, p, text, p,
            p);
}


/* item number n of a class or of the members of a superclass */

static inst_t *
item(device_t *d, class_t *cls, unsigned n, class_t **concrete)
{
    unsigned   k;
    inst_t    *i;
    class_t   *c;

    for (k = 0; k < (cls->nmembers ? cls->nmembers : 1); k++) {
        c = cls->nmembers ? cls->members[k] : cls;

        for (i = model_insts(d, c); i; i = i->next) {
            if (n-- == 0) {
                *concrete = c;
                return i;
            }
        }
    }

    return NULL;
}


static int
pull_number(soap_t *s, node_t *pull, const char *name, long max, long *value)
{
    char    *end;
    node_t  *n;

    *value = max;
    n = xml_child(pull, NS_ENUM, name);

    if (n) {
        *value = strtol(n->text, &end, 10);

        if (n->text[0] == '\0' || *end || *value < 1) {
            soap_fault(s, "c:SchemaValidationError", name);
            return -1;
        }
    }

    return 0;
}


void
model_pull(soap_t *s)
{
    char        p;
    char        text[40];
    long        max, chars, k, n;
    inst_t     *i;
    node_t     *pull, *ctx;
    class_t    *cls;
    uint32_t    next;
    context_t  *c;

    pull = s->body->first;
    ctx = xml_child(pull, NS_ENUM, "EnumerationContext");

    if (pull == NULL || pull->next || strcmp(pull->name, "Pull") != 0
        || strcmp(pull->ns, NS_ENUM) != 0 || ctx == NULL)
    {
        soap_fault(s, "c:SchemaValidationError", "Pull");
        return;
    }

    if (pull_number(s, pull, "MaxElements", 1, &max) != 0
        || pull_number(s, pull, "MaxCharacters", 32768, &chars) != 0)
    {
        return;
    }

    c = context_find(s->d, ctx->text);

    if (c == NULL || c->cls != s->cls) {
        soap_fault(s, "e:InvalidEnumerationContext", NULL);
        return;
    }

    next = c->next;
    c->cls = NULL;

    if (opt.page && max > (long) opt.page) {
        max = opt.page;
    }

    p = soap_prefix(s, NS_ENUM);
    buf_fmt(&s->out, "<%c:PullResponse>", p);

    /* the context stands before the items: is there more? */

    n = mis_peek(s->d, MIS_ENDLESS_PULL);

    if (n || item(s->d, s->cls, next + (uint32_t) max, &cls)) {
        c = context_new(s->d, s->cls, n ? next : next + (uint32_t) max);
        context_text(c, text);
        buf_fmt(&s->out, "<%c:EnumerationContext>%s</%c:EnumerationContext>",
                p, text, p);
        n = 1;
    }

    buf_fmt(&s->out, "<%c:Items>", p);

    for (k = mis_peek(s->d, MIS_EMPTY_ITEMS); k > 0; k--) {
        buf_str(&s->out, "<i/>");
    }

    for ( /* void */ ; max; max--) {
        i = item(s->d, s->cls, next++, &cls);
        if (i == NULL) {
            break;
        }
        model_render(s, cls, i);
    }

    buf_fmt(&s->out, "</%c:Items>", p);

    if (!n) {
        buf_fmt(&s->out, "<%c:EndOfSequence></%c:EndOfSequence>", p, p);
    }

    buf_fmt(&s->out, "</%c:PullResponse>", p);
}
