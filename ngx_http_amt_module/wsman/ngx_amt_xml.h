
/*
 * XML for WS-Management, no I/O: a growable writer that escapes, and a
 * reader (expat) that turns hostile bytes into a small tree.  Contract
 * wsman.md sections 2 and 3.
 */


#ifndef _NGX_AMT_XML_H_INCLUDED_
#define _NGX_AMT_XML_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_AMT_XML_MAX_SIZE   262144    /* bytes of a document */
#define NGX_AMT_XML_MAX_DEPTH  32
#define NGX_AMT_XML_MAX_NODES  8192
#define NGX_AMT_XML_MAX_NAME   128       /* local name */
#define NGX_AMT_XML_MAX_URI    256       /* namespace */
#define NGX_AMT_XML_MAX_URIS   64        /* different ones of elements */


/*
 * Tree of a document, in a pool: prefixes are gone, attributes other than
 * Name are dropped, all text is valid UTF-8.
 */

typedef struct ngx_amt_xml_s  ngx_amt_xml_t;

struct ngx_amt_xml_s {
    ngx_str_t         name;              /* local name */
    ngx_str_t         uri;               /* namespace */
    ngx_str_t         attr;              /* Selector: value of Name */
    ngx_str_t         text;              /* without blanks at both ends */
    ngx_str_t         raw;               /* text as it stands */
    ngx_amt_xml_t    *parent;
    ngx_amt_xml_t    *first;             /* children in document order */
    ngx_amt_xml_t    *last;
    ngx_amt_xml_t    *next;
};


/*
 * Parses a whole document.  Invalid UTF-8 and characters XML does not allow
 * are replaced by U+FFFD; DOCTYPE, processing instructions, undeclared
 * entities and anything over the caps refuse the document.  NGX_OK;
 * NGX_DECLINED: refused, *reason is a static string; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_xml_parse(ngx_pool_t *pool, ngx_str_t *in,
    ngx_amt_xml_t **root, const char **reason);

/*
 * Bytes of the UTF-8 character at p (p < last), 0 when it is none or not one
 * that XML 1.0 allows.
 */
size_t ngx_amt_xml_char_len(u_char *p, u_char *last);

/* First child with this local name, or NULL; x may be NULL. */
ngx_amt_xml_t *ngx_amt_xml_child(ngx_amt_xml_t *x, const char *name);
/* Next sibling with the same local name, or NULL. */
ngx_amt_xml_t *ngx_amt_xml_again(ngx_amt_xml_t *x);
/* Text of a child, or an empty string. */
ngx_str_t ngx_amt_xml_text(ngx_amt_xml_t *x, const char *name);
/* Number of a child's text, or def. */
int64_t ngx_amt_xml_int(ngx_amt_xml_t *x, const char *name, int64_t def);
/* 1, 0, or def. */
ngx_int_t ngx_amt_xml_bool(ngx_amt_xml_t *x, const char *name, ngx_int_t def);

/* TRUE when the element's local name is name. */
ngx_uint_t ngx_amt_xml_is(ngx_amt_xml_t *x, const char *name);


/*
 * Writer: a buffer that grows from a pool up to max.  Outgrown buffers are
 * wiped, since requests may carry passwords.  Errors are kept until
 * ngx_amt_xml_done(), so that calls need no checks in between.
 */

typedef struct {
    ngx_pool_t       *pool;
    u_char           *start;
    u_char           *pos;
    u_char           *end;
    size_t            max;
    unsigned          failed:1;          /* no memory */
    unsigned          refused:1;         /* over max, or invalid text */
} ngx_amt_xml_writer_t;


void ngx_amt_xml_writer_init(ngx_amt_xml_writer_t *w, ngx_pool_t *pool,
    size_t max);

/* Markup of our own, or made by a writer before. */
void ngx_amt_xml_raw(ngx_amt_xml_writer_t *w, const char *markup);
void ngx_amt_xml_raw_str(ngx_amt_xml_writer_t *w, ngx_str_t *markup);

/*
 * Text or attribute value, escaped.  Invalid UTF-8 and characters XML does
 * not allow refuse the document.
 */
void ngx_amt_xml_escape(ngx_amt_xml_writer_t *w, ngx_str_t *text);

/* Elements of the body's namespace, prefix "h:"; names are constants. */
void ngx_amt_xml_open(ngx_amt_xml_writer_t *w, const char *name);
void ngx_amt_xml_close(ngx_amt_xml_writer_t *w, const char *name);
void ngx_amt_xml_leaf(ngx_amt_xml_writer_t *w, const char *name,
    ngx_str_t *text);
void ngx_amt_xml_leaf_c(ngx_amt_xml_writer_t *w, const char *name,
    const char *text);
void ngx_amt_xml_leaf_int(ngx_amt_xml_writer_t *w, const char *name,
    int64_t n);
void ngx_amt_xml_leaf_bool(ngx_amt_xml_writer_t *w, const char *name,
    ngx_uint_t n);

/*
 * Writes a received element again, with everything in it: elements of uri
 * get the prefix "h:", others declare their namespace.
 */
void ngx_amt_xml_echo(ngx_amt_xml_writer_t *w, ngx_amt_xml_t *x,
    ngx_str_t *uri);

/*
 * *out: what was written.  NGX_OK; NGX_DECLINED: refused; NGX_ERROR: no
 * memory; what was written until then is wiped.  Wiping *out is the caller's.
 */
ngx_int_t ngx_amt_xml_done(ngx_amt_xml_writer_t *w, ngx_str_t *out);


#endif /* _NGX_AMT_XML_H_INCLUDED_ */
