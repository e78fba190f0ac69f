
/*
 * Reads the data file: the schema of each class and its first instances.
 *
 *   class NAME OPERATION ...
 *     Field  type[n]  flag ...  lo..hi  = value | value
 *   instance
 *     Field = value
 *   members NAME ...
 *
 * Operations: get enum put delete create, select (Put needs a selector),
 * complete (Put needs every field), empty (no instance at first).
 * Types: str bool u8 u16 u32 u64 i32 b64 dt interval epr; [n] is an array of
 * at most n.  Flags: key, w (writable), must (mandatory in Put), opt (may be
 * missing in a complete Put), hidden (never in answers), blank (reads
 * empty), drop (removed when a Put leaves it out).
 * An EPR is "@Class Key=value;Key=value".  %name% stands for something of
 * the device, see model_expand().
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


typedef struct {
    const char  *file;
    unsigned     line;
    class_t     *cls;
    inst_t      *defaults;
    inst_t     **last;
    inst_t      *inst;
} load_t;


static const char  *types[] = {
    "str", "bool", "u8", "u16", "u32", "u64", "i32", "b64", "dt",
    "interval", "epr", NULL
};

static const struct {
    const char  *name;
    unsigned     bit;
} ops[] = {
    { "get", OP_GET }, { "enum", OP_ENUM }, { "put", OP_PUT },
    { "delete", OP_DELETE }, { "create", OP_CREATE },
    { "select", OP_SELECT }, { "complete", OP_COMPLETE },
    { "empty", OP_EMPTY }, { NULL, 0 }
}, flags[] = {
    { "w", F_WRITE }, { "hidden", F_HIDDEN }, { "must", F_MUST },
    { "opt", F_OPTIONAL }, { "key", F_KEY }, { "blank", F_BLANK },
    { "drop", F_DROP }, { NULL, 0 }
};


static void
bad(load_t *l, const char *what)
{
    fprintf(stderr, "amtsim: %s:%u: %s\n", l->file, l->line, what);
    exit(2);
}


static void
class_end(load_t *l)
{
    class_t  *c;

    c = l->cls;
    if (c == NULL) {
        return;
    }

    if (c->insts == NULL && !(c->ops & OP_EMPTY) && c->nmembers == 0) {
        c->insts = l->defaults;

    } else {
        insts_free(l->defaults);
    }

    l->defaults = NULL;
    l->cls = NULL;
}


static void
class_begin(load_t *l, char *rest)
{
    char        *word, *save;
    unsigned     k;
    class_t     *c;
    const char  *base;

    class_end(l);

    c = xalloc(sizeof(class_t));
    word = strtok_r(rest, " ", &save);
    if (word == NULL) {
        bad(l, "class without a name");
    }

    base = strncmp(word, "AMT_", 4) == 0 ? NS_AMT
           : strncmp(word, "IPS_", 4) == 0 ? NS_IPS : NS_CIM;

    c->name = xstrdup(word);
    c->uri = xalloc(strlen(base) + strlen(word) + 1);
    strcpy(c->uri, base);
    strcat(c->uri, word);

    while ((word = strtok_r(NULL, " ", &save)) != NULL) {

        for (k = 0; ops[k].name && strcmp(ops[k].name, word) != 0; k++) {
            /* void */
        }

        if (ops[k].name == NULL) {
            bad(l, word);
        }

        c->ops |= ops[k].bit;
    }

    model_add_class(c);

    l->cls = c;
    l->defaults = xalloc(sizeof(inst_t));
    l->last = &c->insts;
    l->inst = NULL;
}


/* "a | b | c" becomes "a|b|c" */

static char *
value_text(char *v, int array)
{
    char  *p, *q, *end;

    if (!array) {
        return v;
    }

    for (p = v, q = v; *p; p++) {

        if (*p == ' ') {
            for (end = p; *end == ' '; end++) { /* void */ }

            if (*end == '|') {
                p = end;
                *q++ = '|';

                while (p[1] == ' ') {
                    p++;
                }

                continue;
            }
        }

        *q++ = *p;
    }

    *q = '\0';

    return v;
}


static void
field_line(load_t *l, char *line)
{
    char       *word, *save, *value, *dots;
    field_t    *f;
    unsigned    k;
    class_t    *c;

    c = l->cls;

    value = strchr(line, '=');
    if (value) {
        *value++ = '\0';
        value += strspn(value, " ");
    }

    c->fields = realloc(c->fields, (c->nfields + 1) * sizeof(field_t));
    if (c->fields == NULL) {
        abort();
    }

    f = &c->fields[c->nfields++];
    memset(f, 0, sizeof(*f));

    word = strtok_r(line, " ", &save);
    f->name = xstrdup(word);

    word = strtok_r(NULL, " ", &save);
    if (word == NULL) {
        bad(l, "field without a type");
    }

    dots = strchr(word, '[');
    if (dots) {
        *dots++ = '\0';
        f->flags |= F_ARRAY;
        f->max_items = (uint16_t) atoi(dots);
    }

    for (k = 0; types[k] && strcmp(types[k], word) != 0; k++) { /* void */ }

    if (types[k] == NULL) {
        bad(l, word);
    }

    f->type = (uint8_t) k;
    f->max = f->type == T_U8 ? 0xff : f->type == T_U16 ? 0xffff
             : f->type == T_U32 ? 0xffffffffull
             : f->type == T_U64 ? UINT64_MAX : 16384;

    while ((word = strtok_r(NULL, " ", &save)) != NULL) {

        dots = strstr(word, "..");
        if (dots) {
            f->min = strtoull(word, NULL, 10);
            f->max = strtoull(dots + 2, NULL, 10);
            continue;
        }

        for (k = 0; flags[k].name && strcmp(flags[k].name, word) != 0; k++) {
            /* void */
        }

        if (flags[k].name == NULL) {
            bad(l, word);
        }

        f->flags |= flags[k].bit;
    }

    if (value) {
        model_set_data(c, l->defaults, f->name,
                       value_text(value, f->flags & F_ARRAY));
    }
}


static void
instance_line(load_t *l, char *line)
{
    int    f;
    char  *value, *end;

    value = strchr(line, '=');
    if (value == NULL) {
        bad(l, "instances need Field = value");
    }

    for (end = value; end > line && end[-1] == ' '; end--) { /* void */ }

    *end = '\0';
    value++;
    value += strspn(value, " ");

    f = field_find(l->cls, line, strlen(line));
    if (f < 0) {
        bad(l, "no such field");
    }

    model_set_data(l->cls, l->inst, line,
                   strcmp(value, "-") == 0 ? NULL
                   : value_text(value, l->cls->fields[f].flags & F_ARRAY));
}


static void
members_line(load_t *l, char *rest)
{
    char      *word, *save;
    class_t   *c, *m;

    c = l->cls;

    for (word = strtok_r(rest, " ", &save);
         word;
         word = strtok_r(NULL, " ", &save))
    {
        m = model_class(word);
        if (m == NULL) {
            bad(l, word);
        }

        c->members = realloc(c->members,
                             (c->nmembers + 1) * sizeof(class_t *));
        if (c->members == NULL) {
            abort();
        }

        c->members[c->nmembers++] = m;
    }
}


static void
instance_begin(load_t *l)
{
    unsigned  k;
    inst_t   *i;

    i = xalloc(sizeof(inst_t));
    i->n = l->defaults->n;
    i->vals = xalloc(i->n * sizeof(val_t));

    for (k = 0; k < i->n; k++) {
        i->vals[k] = l->defaults->vals[k];
        i->vals[k].text = xstrdup(i->vals[k].text);
    }

    *l->last = i;
    l->last = &i->next;
    l->inst = i;
}


void
data_load(const char *text, size_t n, const char *file)
{
    char    *copy, *line, *next, *end;
    load_t   l;

    memset(&l, 0, sizeof(l));
    l.file = file;

    copy = xstrndup(text, n);

    for (line = copy; line; line = next) {
        l.line++;

        next = strchr(line, '\n');
        if (next) {
            *next++ = '\0';
        }

        for (end = line + strlen(line); end > line && end[-1] == ' '; ) {
            *--end = '\0';
        }

        line += strspn(line, " ");

        if (*line == '\0' || *line == '#') {
            continue;
        }

        if (strncmp(line, "class ", 6) == 0) {
            class_begin(&l, line + 6);

        } else if (l.cls == NULL) {
            bad(&l, "no class yet");

        } else if (strcmp(line, "instance") == 0) {
            instance_begin(&l);

        } else if (strncmp(line, "members ", 8) == 0) {
            members_line(&l, line + 8);

        } else if (l.inst) {
            instance_line(&l, line);

        } else {
            field_line(&l, line);
        }
    }

    class_end(&l);
    free(copy);
}
