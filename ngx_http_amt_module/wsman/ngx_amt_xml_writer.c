
/*
 * XML writer; see ngx_amt_xml.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "wsman/ngx_amt_xml.h"


#define NGX_AMT_XML_WRITER_START  1024


static ngx_int_t ngx_amt_xml_reserve(ngx_amt_xml_writer_t *w, size_t size);
static void ngx_amt_xml_put(ngx_amt_xml_writer_t *w, const void *p,
    size_t size);
static void ngx_amt_xml_tag(ngx_amt_xml_writer_t *w, const char *start,
    ngx_str_t *name, const char *end);


void
ngx_amt_xml_writer_init(ngx_amt_xml_writer_t *w, ngx_pool_t *pool,
    size_t max)
{
    ngx_memzero(w, sizeof(ngx_amt_xml_writer_t));

    w->pool = pool;
    w->max = max;
}


static ngx_int_t
ngx_amt_xml_reserve(ngx_amt_xml_writer_t *w, size_t size)
{
    u_char  *p;
    size_t   used, alloc;

    if (w->failed || w->refused) {
        return NGX_ERROR;
    }

    if (size <= (size_t) (w->end - w->pos)) {
        return NGX_OK;
    }

    used = w->pos - w->start;

    if (size > w->max - used) {
        w->refused = 1;
        return NGX_ERROR;
    }

    alloc = ngx_max(2 * (size_t) (w->end - w->start),
                    NGX_AMT_XML_WRITER_START);
    alloc = ngx_max(alloc, used + size);
    alloc = ngx_min(alloc, w->max);

    p = ngx_pnalloc(w->pool, alloc);
    if (p == NULL) {
        w->failed = 1;
        return NGX_ERROR;
    }

    if (used) {
        ngx_memcpy(p, w->start, used);
        ngx_explicit_memzero(w->start, used);
    }

    w->start = p;
    w->pos = p + used;
    w->end = p + alloc;

    return NGX_OK;
}


static void
ngx_amt_xml_put(ngx_amt_xml_writer_t *w, const void *p, size_t size)
{
    if (size == 0 || ngx_amt_xml_reserve(w, size) != NGX_OK) {
        return;
    }

    w->pos = ngx_cpymem(w->pos, p, size);
}


void
ngx_amt_xml_raw(ngx_amt_xml_writer_t *w, const char *markup)
{
    ngx_amt_xml_put(w, markup, ngx_strlen(markup));
}


void
ngx_amt_xml_raw_str(ngx_amt_xml_writer_t *w, ngx_str_t *markup)
{
    ngx_amt_xml_put(w, markup->data, markup->len);
}


void
ngx_amt_xml_escape(ngx_amt_xml_writer_t *w, ngx_str_t *text)
{
    size_t       n;
    u_char      *p, *last, *plain;
    const char  *entity;

    if (text->len == 0) {
        return;
    }

    last = text->data + text->len;
    plain = text->data;

    for (p = text->data; p < last; p += n) {

        n = ngx_amt_xml_char_len(p, last);

        if (n == 0) {
            w->refused = 1;
            return;
        }

        switch (*p) {

        case '&':
            entity = "&amp;";
            break;

        case '<':
            entity = "&lt;";
            break;

        case '>':
            entity = "&gt;";
            break;

        case '"':
            entity = "&quot;";
            break;

        case '\'':
            entity = "&apos;";
            break;

        /* a parser would turn these into other white space */

        case '\t':
            entity = "&#9;";
            break;

        case '\n':
            entity = "&#10;";
            break;

        case '\r':
            entity = "&#13;";
            break;

        default:
            continue;
        }

        ngx_amt_xml_put(w, plain, p - plain);
        ngx_amt_xml_raw(w, entity);

        plain = p + n;
    }

    ngx_amt_xml_put(w, plain, p - plain);
}


static void
ngx_amt_xml_tag(ngx_amt_xml_writer_t *w, const char *start, ngx_str_t *name,
    const char *end)
{
    ngx_amt_xml_raw(w, start);
    ngx_amt_xml_put(w, name->data, name->len);
    ngx_amt_xml_raw(w, end);
}


void
ngx_amt_xml_open(ngx_amt_xml_writer_t *w, const char *name)
{
    ngx_amt_xml_raw(w, "<h:");
    ngx_amt_xml_raw(w, name);
    ngx_amt_xml_raw(w, ">");
}


void
ngx_amt_xml_close(ngx_amt_xml_writer_t *w, const char *name)
{
    ngx_amt_xml_raw(w, "</h:");
    ngx_amt_xml_raw(w, name);
    ngx_amt_xml_raw(w, ">");
}


void
ngx_amt_xml_leaf(ngx_amt_xml_writer_t *w, const char *name, ngx_str_t *text)
{
    ngx_amt_xml_open(w, name);
    ngx_amt_xml_escape(w, text);
    ngx_amt_xml_close(w, name);
}


void
ngx_amt_xml_leaf_c(ngx_amt_xml_writer_t *w, const char *name,
    const char *text)
{
    ngx_str_t  s;

    s.data = (u_char *) text;
    s.len = ngx_strlen(text);

    ngx_amt_xml_leaf(w, name, &s);
}


void
ngx_amt_xml_leaf_int(ngx_amt_xml_writer_t *w, const char *name, int64_t n)
{
    u_char     buf[NGX_INT64_LEN + 1];
    ngx_str_t  s;

    s.data = buf;
    s.len = ngx_sprintf(buf, "%L", n) - buf;

    ngx_amt_xml_leaf(w, name, &s);
}


void
ngx_amt_xml_leaf_bool(ngx_amt_xml_writer_t *w, const char *name,
    ngx_uint_t n)
{
    ngx_amt_xml_leaf_c(w, name, n ? "true" : "false");
}


/* The tree's depth is capped by the reader. */

void
ngx_amt_xml_echo(ngx_amt_xml_writer_t *w, ngx_amt_xml_t *x, ngx_str_t *uri)
{
    ngx_uint_t      own;
    ngx_amt_xml_t  *child;

    own = (x->uri.len && x->uri.len == uri->len
           && ngx_strncmp(x->uri.data, uri->data, uri->len) == 0);

    if (own) {
        ngx_amt_xml_tag(w, "<h:", &x->name, "");

    } else {
        ngx_amt_xml_tag(w, "<", &x->name, " xmlns=\"");
        ngx_amt_xml_escape(w, &x->uri);
        ngx_amt_xml_raw(w, "\"");
    }

    if (x->attr.data) {
        ngx_amt_xml_raw(w, " Name=\"");
        ngx_amt_xml_escape(w, &x->attr);
        ngx_amt_xml_raw(w, "\"");
    }

    ngx_amt_xml_raw(w, ">");

    ngx_amt_xml_escape(w, x->first ? &x->text : &x->raw);

    for (child = x->first; child; child = child->next) {
        ngx_amt_xml_echo(w, child, uri);
    }

    ngx_amt_xml_tag(w, own ? "</h:" : "</", &x->name, ">");
}


ngx_int_t
ngx_amt_xml_done(ngx_amt_xml_writer_t *w, ngx_str_t *out)
{
    if (w->failed || w->refused) {

        if (w->start) {
            ngx_explicit_memzero(w->start, w->pos - w->start);
        }

        return w->failed ? NGX_ERROR : NGX_DECLINED;
    }

    out->data = w->start;
    out->len = w->pos - w->start;

    return NGX_OK;
}
