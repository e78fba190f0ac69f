
/* Methods of the classes: the tables, and the check of the parameters. */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


static const method_t  *tables[] = {
    power_methods, boot_methods, admin_methods, log_methods,
    feature_methods, cert_methods, network_methods, remote_methods
};


const method_t *
method_find(const char *cls, const char *name)
{
    unsigned         i;
    const method_t  *m;

    for (i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (m = tables[i]; m->cls; m++) {
            if (strcmp(m->cls, cls) == 0 && strcmp(m->method, name) == 0) {
                return m;
            }
        }
    }

    return NULL;
}


/* parameters: known, of the right type, the mandatory ones there, in order */

int
method_check(soap_t *s, const method_t *m, node_t *in)
{
    int             ok;
    char           *text;
    node_t         *n;
    field_t         f;
    unsigned        count;
    const param_t  *p;

    n = in->first;

    for (p = m->params; p && p->name; p++) {

        memset(&f, 0, sizeof(f));
        f.type = p->type;
        f.max = p->max ? p->max : p->type == T_U8 ? 0xff
                : p->type == T_U16 ? 0xffff : p->type == T_U32 ? 0xffffffff
                : 16384;

        for (count = 0;
             n && strcmp(n->name, p->name) == 0
             && strcmp(n->ns, s->cls->uri) == 0;
             n = n->next)
        {
            if (count++ && !(p->flags & F_ARRAY)) {
                break;
            }

            if (p->flags & F_HIDDEN) {
                continue;           /* an embedded instance */
            }

            ok = value_ok(&f, n, &text);
            free(text);

            if (ok != 1) {
                soap_fault(s, ok ? "c:InvalidParameter"
                                 : "c:SchemaValidationError", p->name);
                return -1;
            }
        }

        if (count == 0 && (p->flags & F_MUST)) {
            soap_fault(s, "c:SchemaValidationError", p->name);
            return -1;
        }
    }

    if (n) {
        soap_fault(s, "c:SchemaValidationError", "parameter unknown or in"
                   " the wrong place");
        return -1;
    }

    return 0;
}


/* text of a parameter; NULL: not given */

const char *
method_arg(node_t *in, const char *name)
{
    node_t  *n;

    n = xml_child(in, NULL, name);

    return n ? n->text : NULL;
}


long
method_num(node_t *in, const char *name)
{
    const char  *s;

    s = method_arg(in, name);

    return s ? strtol(s, NULL, 10) : -1;
}
