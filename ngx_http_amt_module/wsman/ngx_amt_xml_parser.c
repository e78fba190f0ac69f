
/* Memory and hash salt of expat parsers, see ngx_amt_xml_parser.h. */


#include "wsman/ngx_amt_xml_parser.h"
#include "ngx_amt_wipe.h"
#include <openssl/rand.h>


#define NGX_AMT_XML_POOL  (16 * 1024)    /* a block */
#define NGX_AMT_XML_KEEP  (128 * 1024)   /* more is given back */


typedef union {
    size_t        size;
    void         *align;
    long double   most;
} ngx_amt_xml_head_t;


static void *ngx_amt_xml_malloc(size_t size);
static void *ngx_amt_xml_realloc(void *p, size_t size);
static void ngx_amt_xml_free(void *p);


static XML_Memory_Handling_Suite  ngx_amt_xml_memory = {
    ngx_amt_xml_malloc,
    ngx_amt_xml_realloc,
    ngx_amt_xml_free
};

/* of the worker */

static ngx_pool_t     *ngx_amt_xml_pool;
static size_t          ngx_amt_xml_used;

/*
 * Device's names go into hash tables: without a salt they could be chosen to
 * collide.  Expat would make one per document, which is a system call.
 */

static unsigned long   ngx_amt_xml_salt;


XML_Parser
ngx_amt_xml_parser(XML_Char separator, ngx_log_t *log)
{
    XML_Char    text[2];
    XML_Parser  parser;

    if (ngx_amt_xml_pool == NULL) {
        ngx_amt_xml_pool = ngx_create_pool(NGX_AMT_XML_POOL, log);

        if (ngx_amt_xml_pool == NULL) {
            return NULL;
        }
    }

    /* the pool lives longer than its user's log */

    ngx_amt_xml_pool->log = log;

    while (ngx_amt_xml_salt == 0) {
        if (RAND_bytes((u_char *) &ngx_amt_xml_salt, sizeof(unsigned long))
            != 1)
        {
            return NULL;
        }
    }

    text[0] = separator;
    text[1] = '\0';

    parser = XML_ParserCreate_MM("UTF-8", &ngx_amt_xml_memory, text);

    if (parser == NULL) {
        ngx_amt_xml_parser_end();
        return NULL;
    }

    (void) XML_SetHashSalt(parser, ngx_amt_xml_salt);

    return parser;
}


void
ngx_amt_xml_parser_end(void)
{
    /* a document is in here once more, and a device may repeat secrets */

    ngx_amt_wipe_pool(ngx_amt_xml_pool);

    if (ngx_amt_xml_used > NGX_AMT_XML_KEEP) {
        ngx_destroy_pool(ngx_amt_xml_pool);
        ngx_amt_xml_pool = NULL;

    } else {
        ngx_reset_pool(ngx_amt_xml_pool);
    }

    ngx_amt_xml_used = 0;
}


static void *
ngx_amt_xml_malloc(size_t size)
{
    ngx_amt_xml_head_t  *h;

    if (size > NGX_MAX_INT32_VALUE) {
        return NULL;
    }

    h = ngx_palloc(ngx_amt_xml_pool, sizeof(ngx_amt_xml_head_t) + size);
    if (h == NULL) {
        return NULL;
    }

    h->size = size;
    ngx_amt_xml_used += sizeof(ngx_amt_xml_head_t) + size;

    return h + 1;
}


static void *
ngx_amt_xml_realloc(void *p, size_t size)
{
    void                *new;
    ngx_amt_xml_head_t  *h;

    if (p == NULL) {
        return ngx_amt_xml_malloc(size);
    }

    h = (ngx_amt_xml_head_t *) p - 1;

    if (size <= h->size) {
        return p;
    }

    new = ngx_amt_xml_malloc(size);
    if (new == NULL) {
        return NULL;
    }

    ngx_memcpy(new, p, h->size);

    return new;
}


static void
ngx_amt_xml_free(void *p)
{
    ngx_amt_xml_head_t  *h;

    /* large pieces are on nginx's heap: those are worth it */

    if (p == NULL) {
        return;
    }

    h = (ngx_amt_xml_head_t *) p - 1;

    if (h->size >= NGX_AMT_XML_POOL) {
        ngx_explicit_memzero(h + 1, h->size);
        (void) ngx_pfree(ngx_amt_xml_pool, h);
    }
}
