
/*
 * A request as a tree.  Namespaces are resolved; DOCTYPE, processing
 * instructions and depth are refused as firmware does.
 */


#include <stdlib.h>
#include <string.h>
#include <expat.h>
#include "sim.h"


#define DEPTH_MAX  32


struct arena_s {
    struct arena_s  *next;
};


typedef struct {
    xml_t           *x;
    XML_Parser       parser;
    node_t          *at;
    unsigned         depth;
    buf_t            text;
} ctx_t;


static void *
arena(xml_t *x, size_t n)
{
    struct arena_s  *a;

    a = xalloc(sizeof(struct arena_s) + n);
    a->next = x->arena;
    x->arena = a;

    return a + 1;
}


static char *
arena_str(xml_t *x, const char *s, size_t n)
{
    char  *p;

    p = arena(x, n + 1);
    memcpy(p, s, n);

    return p;
}


static void
split(xml_t *x, const char *s, const char **ns, const char **name)
{
    const char  *sep;

    sep = strrchr(s, '\n');

    if (sep) {
        *ns = arena_str(x, s, sep - s);
        *name = arena_str(x, sep + 1, strlen(sep + 1));
        return;
    }

    *ns = "";
    *name = arena_str(x, s, strlen(s));
}


static void
stop(ctx_t *c, const char *why)
{
    c->x->error = why;
    XML_StopParser(c->parser, XML_FALSE);
}


static void XMLCALL
on_start(void *data, const XML_Char *name, const XML_Char **atts)
{
    ctx_t       *c;
    node_t      *n;
    const char  *ns, *local;

    c = data;
    n = arena(c->x, sizeof(node_t));
    split(c->x, name, &n->ns, &n->name);

    for ( /* void */ ; atts[0]; atts += 2) {
        split(c->x, atts[0], &ns, &local);

        if (strcmp(local, "Name") == 0) {
            n->attr = arena_str(c->x, atts[1], strlen(atts[1]));

        } else if (strcmp(local, "mustUnderstand") == 0) {
            n->must = strcmp(atts[1], "true") == 0
                      || strcmp(atts[1], "1") == 0;
        }
    }

    n->parent = c->at;
    n->text = "";

    if (c->at) {
        if (c->at->last) {
            c->at->last->next = n;

        } else {
            c->at->first = n;
        }

        c->at->last = n;
        c->at->children++;

    } else {
        c->x->root = n;
    }

    c->at = n;
    buf_free(&c->text);

    if (++c->depth > DEPTH_MAX) {
        stop(c, "too deep");
    }
}


static void XMLCALL
on_end(void *data, const XML_Char *name)
{
    size_t  n;
    ctx_t  *c;
    char   *p;

    (void) name;
    c = data;

    if (c->at->first == NULL && buf_left(&c->text)) {
        p = (char *) buf_head(&c->text);
        n = buf_left(&c->text);
        c->at->text = arena_str(c->x, p, n);
    }

    buf_free(&c->text);
    c->at = c->at->parent;
    c->depth--;
}


static void XMLCALL
on_text(void *data, const XML_Char *s, int len)
{
    buf_add(&((ctx_t *) data)->text, s, len);
}


static void XMLCALL
on_doctype(void *data, const XML_Char *name, const XML_Char *sysid,
    const XML_Char *pubid, int internal)
{
    (void) name;
    (void) sysid;
    (void) pubid;
    (void) internal;

    stop(data, "DOCTYPE");
}


static void XMLCALL
on_pi(void *data, const XML_Char *target, const XML_Char *text)
{
    (void) target;
    (void) text;

    stop(data, "processing instruction");
}


int
xml_parse(xml_t *x, const char *p, size_t n)
{
    ctx_t  c;

    memset(x, 0, sizeof(*x));
    memset(&c, 0, sizeof(c));

    c.x = x;
    c.parser = XML_ParserCreateNS("UTF-8", '\n');
    if (c.parser == NULL) {
        abort();
    }

    XML_SetUserData(c.parser, &c);
    XML_SetElementHandler(c.parser, on_start, on_end);
    XML_SetCharacterDataHandler(c.parser, on_text);
    XML_SetStartDoctypeDeclHandler(c.parser, on_doctype);
    XML_SetProcessingInstructionHandler(c.parser, on_pi);

    if (XML_Parse(c.parser, p, (int) n, 1) != XML_STATUS_OK
        && x->error == NULL)
    {
        x->error = XML_ErrorString(XML_GetErrorCode(c.parser));
    }

    XML_ParserFree(c.parser);
    buf_free(&c.text);

    return x->error ? -1 : 0;
}


void
xml_free(xml_t *x)
{
    struct arena_s  *a, *next;

    for (a = x->arena; a; a = next) {
        next = a->next;
        free(a);
    }

    memset(x, 0, sizeof(*x));
}


/* ns NULL: any */

node_t *
xml_child(node_t *n, const char *ns, const char *name)
{
    node_t  *c;

    for (c = n ? n->first : NULL; c; c = c->next) {
        if (strcmp(c->name, name) == 0
            && (ns == NULL || strcmp(c->ns, ns) == 0))
        {
            return c;
        }
    }

    return NULL;
}
