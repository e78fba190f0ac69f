
/*
 * XML reader on expat; see ngx_amt_xml.h.  Expat has no limit on depth and
 * resolves entities of a DTD: both are ended here.  The parser is created
 * for UTF-8 explicitly, so that an encoding declaration changes nothing.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "wsman/ngx_amt_xml.h"
#include "wsman/ngx_amt_xml_parser.h"
#include "ngx_cira_utf8.h"


#define NGX_AMT_XML_SEPARATOR  '\n'


/* A run of text of one element, between two of its children. */

typedef struct ngx_amt_xml_run_s  ngx_amt_xml_run_t;

struct ngx_amt_xml_run_s {
    ngx_str_t             text;
    ngx_amt_xml_run_t    *prev;
};


typedef struct {
    ngx_pool_t           *pool;
    XML_Parser            parser;
    ngx_amt_xml_t        *root;
    ngx_amt_xml_t        *current;
    ngx_amt_xml_run_t    *runs[NGX_AMT_XML_MAX_DEPTH + 1];

    /* names and texts, together never longer than the document */
    u_char               *pos;
    u_char               *end;

    ngx_str_t             uris[NGX_AMT_XML_MAX_URIS];  /* shared by nodes */
    ngx_uint_t            nuris;
    ngx_uint_t            depth;
    ngx_uint_t            nodes;
    const char           *reason;
    unsigned              failed:1;
} ngx_amt_xml_reader_t;


static ngx_int_t ngx_amt_xml_clean(ngx_pool_t *pool, ngx_str_t *in,
    ngx_str_t *out);
static u_char *ngx_amt_xml_plain(u_char *p, u_char *last);
static void XMLCALL ngx_amt_xml_start(void *data, const XML_Char *name,
    const XML_Char **attrs);
static ngx_int_t ngx_amt_xml_name(ngx_amt_xml_reader_t *rd,
    ngx_amt_xml_t *x, const char *name);
static ngx_str_t *ngx_amt_xml_uri(ngx_amt_xml_reader_t *rd, const char *name,
    size_t len);
static void XMLCALL ngx_amt_xml_stop(void *data, const XML_Char *name);
static ngx_int_t ngx_amt_xml_join(ngx_amt_xml_reader_t *rd,
    ngx_amt_xml_t *x, ngx_amt_xml_run_t *run);
static void XMLCALL ngx_amt_xml_data(void *data, const XML_Char *s, int len);
static void XMLCALL ngx_amt_xml_doctype(void *data, const XML_Char *name,
    const XML_Char *sysid, const XML_Char *pubid, int internal);
static void XMLCALL ngx_amt_xml_pi(void *data, const XML_Char *target,
    const XML_Char *text);
static void ngx_amt_xml_refuse(ngx_amt_xml_reader_t *rd, const char *reason);
static void ngx_amt_xml_trim(ngx_str_t *s);


ngx_int_t
ngx_amt_xml_parse(ngx_pool_t *pool, ngx_str_t *in, ngx_amt_xml_t **root,
    const char **reason)
{
    ngx_str_t              text;
    enum XML_Status        status;
    ngx_amt_xml_reader_t   rd;

    if (in->len > NGX_AMT_XML_MAX_SIZE) {
        *reason = "document too large";
        return NGX_DECLINED;
    }

    ngx_memzero(&rd, sizeof(ngx_amt_xml_reader_t));

    rd.pool = pool;

    if (ngx_amt_xml_clean(pool, in, &text) != NGX_OK) {
        return NGX_ERROR;
    }

    rd.pos = ngx_pnalloc(pool, text.len + 1);
    if (rd.pos == NULL) {
        return NGX_ERROR;
    }

    rd.end = rd.pos + text.len + 1;

    rd.parser = ngx_amt_xml_parser(NGX_AMT_XML_SEPARATOR, pool->log);
    if (rd.parser == NULL) {
        return NGX_ERROR;
    }

    XML_SetUserData(rd.parser, &rd);
    XML_SetElementHandler(rd.parser, ngx_amt_xml_start, ngx_amt_xml_stop);
    XML_SetCharacterDataHandler(rd.parser, ngx_amt_xml_data);
    XML_SetStartDoctypeDeclHandler(rd.parser, ngx_amt_xml_doctype);
    XML_SetProcessingInstructionHandler(rd.parser, ngx_amt_xml_pi);

    status = XML_Parse(rd.parser, (char *) text.data, (int) text.len, 1);

    if (status != XML_STATUS_OK && rd.reason == NULL
        && XML_GetErrorCode(rd.parser) == XML_ERROR_NO_MEMORY)
    {
        rd.failed = 1;
    }

    ngx_amt_xml_parser_end();

    if (rd.failed) {
        return NGX_ERROR;
    }

    if (status != XML_STATUS_OK || rd.root == NULL) {
        *reason = rd.reason ? rd.reason : "not well-formed XML";
        return NGX_DECLINED;
    }

    *root = rd.root;

    return NGX_OK;
}


/*
 * Replaces what would make expat fail although it is only odd text: invalid
 * UTF-8 and characters outside of XML's set (device strings have them).
 */

static ngx_int_t
ngx_amt_xml_clean(ngx_pool_t *pool, ngx_str_t *in, ngx_str_t *out)
{
    size_t   n, bad;
    u_char  *p, *q, *last;

    last = in->data + in->len;
    bad = 0;

    for (p = ngx_amt_xml_plain(in->data, last);
         p < last;
         p = ngx_amt_xml_plain(p + (n ? n : 1), last))
    {
        n = ngx_amt_xml_char_len(p, last);

        if (n == 0) {
            bad++;
        }
    }

    if (bad == 0) {
        *out = *in;
        return NGX_OK;
    }

    out->data = ngx_pnalloc(pool, in->len + 2 * bad);
    if (out->data == NULL) {
        return NGX_ERROR;
    }

    q = out->data;

    for (p = in->data; p < last; p += n ? n : 1) {
        n = ngx_amt_xml_char_len(p, last);

        if (n) {
            q = ngx_cpymem(q, p, n);

        } else {
            *q++ = 0xef;
            *q++ = 0xbf;
            *q++ = 0xbd;
        }
    }

    out->len = q - out->data;

    return NGX_OK;
}


/* Skips ASCII without control characters: most of it, so in words. */

static u_char *
ngx_amt_xml_plain(u_char *p, u_char *last)
{
    uint64_t  w;

    while (last - p >= (ptrdiff_t) sizeof(uint64_t)) {

        ngx_memcpy(&w, p, sizeof(uint64_t));

        /* a high bit, or a byte below 0x20, which borrows one */

        if ((w | (w - 0x2020202020202020ULL)) & 0x8080808080808080ULL) {
            break;
        }

        p += sizeof(uint64_t);
    }

    while (p < last && *p >= 0x20 && *p < 0x80) {
        p++;
    }

    return p;
}


size_t
ngx_amt_xml_char_len(u_char *p, u_char *last)
{
    size_t  n;

    if (*p < 0x20) {
        return (*p == '\t' || *p == '\n' || *p == '\r') ? 1 : 0;
    }

    n = ngx_cira_utf8_char(p, last - p);

    /* U+FFFE and U+FFFF are characters, but none of XML */

    if (n == 3 && p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe) {
        return 0;
    }

    return n;
}


static void XMLCALL
ngx_amt_xml_start(void *data, const XML_Char *name, const XML_Char **attrs)
{
    ngx_amt_xml_reader_t *rd = data;

    size_t          len;
    ngx_uint_t      i;
    ngx_amt_xml_t  *x;

    if (rd->reason || rd->failed) {
        return;
    }

    if (rd->depth == NGX_AMT_XML_MAX_DEPTH) {
        ngx_amt_xml_refuse(rd, "nested too deeply");
        return;
    }

    if (rd->nodes == NGX_AMT_XML_MAX_NODES) {
        ngx_amt_xml_refuse(rd, "too many elements");
        return;
    }

    x = ngx_pcalloc(rd->pool, sizeof(ngx_amt_xml_t));
    if (x == NULL) {
        rd->failed = 1;
        XML_StopParser(rd->parser, XML_FALSE);
        return;
    }

    if (ngx_amt_xml_name(rd, x, name) != NGX_OK) {
        return;
    }

    for (i = 0; attrs[i]; i += 2) {

        if (ngx_strcmp(attrs[i], "Name") != 0) {
            continue;
        }

        len = ngx_strlen(attrs[i + 1]);

        /* an attribute is as long in the document, or longer */

        if (len > (size_t) (rd->end - rd->pos)) {
            ngx_amt_xml_refuse(rd, "attribute too long");
            return;
        }

        x->attr.data = rd->pos;
        x->attr.len = len;
        rd->pos = ngx_cpymem(rd->pos, attrs[i + 1], len);
    }

    x->parent = rd->current;

    if (rd->current == NULL) {
        rd->root = x;

    } else if (rd->current->last == NULL) {
        rd->current->first = x;
        rd->current->last = x;

    } else {
        rd->current->last->next = x;
        rd->current->last = x;
    }

    rd->current = x;
    rd->nodes++;
    rd->runs[++rd->depth] = NULL;
}


static ngx_int_t
ngx_amt_xml_name(ngx_amt_xml_reader_t *rd, ngx_amt_xml_t *x,
    const char *name)
{
    size_t       len;
    ngx_str_t   *uri;
    const char  *local;

    /* expat refuses the separator inside of a namespace itself */

    local = strchr(name, NGX_AMT_XML_SEPARATOR);

    if (local) {
        len = local - name;

        if (len > NGX_AMT_XML_MAX_URI) {
            ngx_amt_xml_refuse(rd, "namespace too long");
            return NGX_ERROR;
        }

        uri = ngx_amt_xml_uri(rd, name, len);
        if (uri == NULL) {
            return NGX_ERROR;
        }

        x->uri = *uri;
        local++;

    } else {
        local = name;
    }

    len = ngx_strlen(local);

    if (len > NGX_AMT_XML_MAX_NAME || len > (size_t) (rd->end - rd->pos)) {
        ngx_amt_xml_refuse(rd, "name too long");
        return NGX_ERROR;
    }

    x->name.data = rd->pos;
    x->name.len = len;
    rd->pos = ngx_cpymem(rd->pos, local, len);

    return NGX_OK;
}


/* Each is kept once, whatever the order in which elements use them. */

static ngx_str_t *
ngx_amt_xml_uri(ngx_amt_xml_reader_t *rd, const char *name, size_t len)
{
    ngx_str_t   *uri;
    ngx_uint_t   i;

    for (i = rd->nuris; i-- > 0; /* void */ ) {
        uri = &rd->uris[i];

        if (uri->len == len && ngx_memcmp(uri->data, name, len) == 0) {
            return uri;
        }
    }

    if (rd->nuris == NGX_AMT_XML_MAX_URIS) {
        ngx_amt_xml_refuse(rd, "too many namespaces");
        return NULL;
    }

    uri = &rd->uris[rd->nuris];

    uri->data = ngx_pnalloc(rd->pool, len + 1);
    if (uri->data == NULL) {
        rd->failed = 1;
        XML_StopParser(rd->parser, XML_FALSE);
        return NULL;
    }

    ngx_memcpy(uri->data, name, len);
    uri->len = len;

    rd->nuris++;

    return uri;
}


static void XMLCALL
ngx_amt_xml_stop(void *data, const XML_Char *name)
{
    ngx_amt_xml_reader_t *rd = data;

    ngx_amt_xml_t  *x;

    if (rd->reason || rd->failed) {
        return;
    }

    x = rd->current;

    if (ngx_amt_xml_join(rd, x, rd->runs[rd->depth]) != NGX_OK) {
        rd->failed = 1;
        XML_StopParser(rd->parser, XML_FALSE);
        return;
    }

    rd->depth--;
    rd->current = x->parent;
}


/* One run is the rule; blank runs between children are indentation. */

static ngx_int_t
ngx_amt_xml_join(ngx_amt_xml_reader_t *rd, ngx_amt_xml_t *x,
    ngx_amt_xml_run_t *run)
{
    size_t              len;
    u_char             *p;
    ngx_str_t           text;
    ngx_uint_t          n;
    ngx_amt_xml_run_t  *r, *one;

    if (x->first == NULL) {

        if (run) {
            x->raw = run->text;
        }

    } else {
        one = NULL;
        len = 0;
        n = 0;

        for (r = run; r; r = r->prev) {
            text = r->text;
            ngx_amt_xml_trim(&text);

            if (text.len == 0) {
                r->text.len = 0;
                continue;
            }

            one = r;
            len += r->text.len;
            n++;
        }

        if (n == 1) {
            x->raw = one->text;

        } else if (n > 1) {
            p = ngx_pnalloc(rd->pool, len);
            if (p == NULL) {
                return NGX_ERROR;
            }

            x->raw.data = p;
            x->raw.len = len;
            p += len;

            for (r = run; r; r = r->prev) {
                p -= r->text.len;
                ngx_memcpy(p, r->text.data, r->text.len);
            }
        }
    }

    x->text = x->raw;
    ngx_amt_xml_trim(&x->text);

    return NGX_OK;
}


static void XMLCALL
ngx_amt_xml_data(void *data, const XML_Char *s, int len)
{
    ngx_amt_xml_reader_t *rd = data;

    ngx_amt_xml_run_t  *run;

    if (rd->reason || rd->failed) {
        return;
    }

    if (len > rd->end - rd->pos) {
        ngx_amt_xml_refuse(rd, "text too long");
        return;
    }

    run = rd->runs[rd->depth];

    if (run == NULL || run->text.data + run->text.len != rd->pos) {

        run = ngx_palloc(rd->pool, sizeof(ngx_amt_xml_run_t));
        if (run == NULL) {
            rd->failed = 1;
            XML_StopParser(rd->parser, XML_FALSE);
            return;
        }

        run->text.data = rd->pos;
        run->text.len = 0;
        run->prev = rd->runs[rd->depth];
        rd->runs[rd->depth] = run;
    }

    rd->pos = ngx_cpymem(rd->pos, s, len);
    run->text.len += len;
}


static void XMLCALL
ngx_amt_xml_doctype(void *data, const XML_Char *name, const XML_Char *sysid,
    const XML_Char *pubid, int internal)
{
    ngx_amt_xml_refuse(data, "DOCTYPE");
}


static void XMLCALL
ngx_amt_xml_pi(void *data, const XML_Char *target, const XML_Char *text)
{
    ngx_amt_xml_refuse(data, "processing instruction");
}


static void
ngx_amt_xml_refuse(ngx_amt_xml_reader_t *rd, const char *reason)
{
    if (rd->reason == NULL) {
        rd->reason = reason;
        XML_StopParser(rd->parser, XML_FALSE);
    }
}


static void
ngx_amt_xml_trim(ngx_str_t *s)
{
    while (s->len && (s->data[0] == ' ' || s->data[0] == '\t'
                      || s->data[0] == '\n' || s->data[0] == '\r'))
    {
        s->data++;
        s->len--;
    }

    while (s->len && (s->data[s->len - 1] == ' '
                      || s->data[s->len - 1] == '\t'
                      || s->data[s->len - 1] == '\n'
                      || s->data[s->len - 1] == '\r'))
    {
        s->len--;
    }
}


ngx_uint_t
ngx_amt_xml_is(ngx_amt_xml_t *x, const char *name)
{
    size_t  len;

    if (x == NULL) {
        return 0;
    }

    len = ngx_strlen(name);

    return x->name.len == len && ngx_strncmp(x->name.data, name, len) == 0;
}


ngx_amt_xml_t *
ngx_amt_xml_child(ngx_amt_xml_t *x, const char *name)
{
    if (x == NULL) {
        return NULL;
    }

    for (x = x->first; x; x = x->next) {
        if (ngx_amt_xml_is(x, name)) {
            return x;
        }
    }

    return NULL;
}


ngx_amt_xml_t *
ngx_amt_xml_again(ngx_amt_xml_t *x)
{
    ngx_amt_xml_t  *n;

    if (x == NULL) {
        return NULL;
    }

    for (n = x->next; n; n = n->next) {
        if (n->name.len == x->name.len
            && ngx_strncmp(n->name.data, x->name.data, x->name.len) == 0)
        {
            return n;
        }
    }

    return NULL;
}


ngx_str_t
ngx_amt_xml_text(ngx_amt_xml_t *x, const char *name)
{
    ngx_str_t  empty = ngx_null_string;

    x = ngx_amt_xml_child(x, name);

    return x ? x->text : empty;
}


int64_t
ngx_amt_xml_int(ngx_amt_xml_t *x, const char *name, int64_t def)
{
    u_char      c;
    int64_t     n;
    ngx_str_t   s;
    ngx_uint_t  minus;

    s = ngx_amt_xml_text(x, name);

    minus = 0;

    if (s.len && (s.data[0] == '-' || s.data[0] == '+')) {
        minus = (s.data[0] == '-');
        s.data++;
        s.len--;
    }

    if (s.len == 0 || s.len > 18) {
        return def;
    }

    for (n = 0; s.len; s.data++, s.len--) {
        c = *s.data;

        if (c < '0' || c > '9') {
            return def;
        }

        n = n * 10 + (c - '0');
    }

    return minus ? -n : n;
}


ngx_int_t
ngx_amt_xml_bool(ngx_amt_xml_t *x, const char *name, ngx_int_t def)
{
    ngx_str_t  s;

    s = ngx_amt_xml_text(x, name);

    if (s.len == 4 && ngx_strncasecmp(s.data, (u_char *) "true", 4) == 0) {
        return 1;
    }

    if (s.len == 5 && ngx_strncasecmp(s.data, (u_char *) "false", 5) == 0) {
        return 0;
    }

    if (s.len == 1 && (s.data[0] == '1' || s.data[0] == '0')) {
        return s.data[0] == '1';
    }

    return def;
}
