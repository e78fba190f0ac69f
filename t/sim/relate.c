
/* Associations between instances, and Create. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


inst_t *
model_find(device_t *d, const char *cls, const char *field,
    const char *value)
{
    inst_t   *i;
    class_t  *c;

    c = model_class(cls);

    for (i = model_insts(d, c); i; i = i->next) {
        if (strcmp(model_get(d, c, i, field), value) == 0) {
            return i;
        }
    }

    return NULL;
}


/* an instance of an association */

void
model_relate(device_t *d, const char *cls, const char *a_field,
    const char *a, const char *b_field, const char *b)
{
    inst_t   *i;
    class_t  *c;

    c = model_class(cls);
    i = model_add(d, cls);
    model_set(c, i, a_field, a);
    model_set(c, i, b_field, b);
}


/* removes every instance of an association that names this EPR */

void
model_unrelate(device_t *d, const char *cls, const char *field,
    const char *epr)
{
    inst_t   *i;

    model_own(d, model_class(cls));

    while ((i = model_find(d, cls, field, epr)) != NULL) {
        model_remove(d, model_class(cls), i);
    }
}


/* Create: the instance in the body, all of its keys, none like it yet */

void
model_create(soap_t *s)
{
    char      *text;
    inst_t    *i;
    node_t    *body, *n;
    class_t   *cls;
    unsigned   k;

    cls = s->cls;
    body = s->body->first;

    if (body == NULL || body->next || strcmp(body->name, cls->name) != 0
        || strcmp(body->ns, cls->uri) != 0)
    {
        soap_fault(s, "c:SchemaValidationError", cls->name);
        return;
    }

    for (k = 0; k < cls->nfields; k++) {
        if ((cls->fields[k].flags & F_KEY)
            && xml_child(body, cls->uri, cls->fields[k].name) == NULL)
        {
            soap_fault(s, "c:SchemaValidationError", cls->fields[k].name);
            return;
        }
    }

    /* one certificate for TLS at a time */

    if (model_insts(s->d, cls)) {
        soap_fault(s, "c:AlreadyExists", NULL);
        return;
    }

    i = feature_embedded(s, body, cls->name);
    if (i == NULL) {
        return;
    }

    tls_context_fix(i);
    event(s->d, "create", "\"class\":\"%s\"", cls->name);

    /* the EPR of the new instance: its keys are EPRs themselves */

    k = soap_prefix(s, NS_XFER);
    buf_fmt(&s->out, "<%c:ResourceCreated><b:Address>" NS_WSA
            "/role/anonymous</b:Address><b:ReferenceParameters>"
            "<c:ResourceURI>%s</c:ResourceURI><c:SelectorSet>", k, cls->uri);

    for (n = body->first; n; n = n->next) {
        buf_fmt(&s->out, "<c:Selector Name=\"%s\"><b:EndpointReference>",
                n->name);
        text = epr_text(n);
        if (text) {
            epr_render(s, text);
        }
        free(text);
        buf_str(&s->out, "</b:EndpointReference></c:Selector>");
    }

    buf_fmt(&s->out, "</c:SelectorSet></b:ReferenceParameters>"
            "</%c:ResourceCreated>", k);
}


/* both spellings of the collection are taken, the device has its own */

void
tls_context_fix(inst_t *i)
{
    model_set(model_class("AMT_TLSCredentialContext"), i,
              "ElementProvidingContext",
              "@AMT_TLSProtocolEndpointCollection ElementName="
              "TLSProtocolEndpoint Instances Collection");
}
