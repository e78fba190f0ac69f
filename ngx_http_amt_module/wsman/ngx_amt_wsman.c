
/*
 * WS-Management envelopes; see ngx_amt_wsman.h.  Contract wsman.md sections
 * 1 to 4.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "wsman/ngx_amt_wsman.h"


#define NGX_AMT_WSMAN_SOAP  "http://www.w3.org/2003/05/soap-envelope"
#define NGX_AMT_WSMAN_WSA                                                     \
    "http://schemas.xmlsoap.org/ws/2004/08/addressing"
#define NGX_AMT_WSMAN_DMTF                                                    \
    "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
#define NGX_AMT_WSMAN_ENUM                                                    \
    "http://schemas.xmlsoap.org/ws/2004/09/enumeration"
#define NGX_AMT_WSMAN_XFER                                                    \
    "http://schemas.xmlsoap.org/ws/2004/09/transfer"


static void ngx_amt_wsman_action(ngx_amt_xml_writer_t *w,
    ngx_amt_wsman_request_t *req, const char *base);
static void ngx_amt_wsman_selectors(ngx_amt_xml_writer_t *w,
    ngx_amt_wsman_request_t *req);
static void ngx_amt_wsman_body(ngx_amt_xml_writer_t *w,
    ngx_amt_wsman_request_t *req, const char *base);
static void ngx_amt_wsman_wrap(ngx_amt_xml_writer_t *w,
    ngx_amt_wsman_request_t *req, const char *base, const char *name,
    const char *suffix);
static void ngx_amt_wsman_epr_open(ngx_amt_xml_writer_t *w,
    const char *name, const char *address, const char *class);
static void ngx_amt_wsman_epr_selector(ngx_amt_xml_writer_t *w,
    const char *name, ngx_str_t *value);
static void ngx_amt_wsman_epr_close(ngx_amt_xml_writer_t *w,
    const char *name);
static void ngx_amt_wsman_fault(ngx_amt_wsman_response_t *res);
static ngx_str_t ngx_amt_wsman_qname(ngx_str_t s);
static ngx_int_t ngx_amt_wsman_amt_status(ngx_amt_xml_t *x);
static ngx_uint_t ngx_amt_wsman_is_soap(ngx_amt_xml_t *x, const char *name);


ngx_int_t
ngx_amt_wsman_uri(const char *class, const char **base)
{
    if (ngx_strncmp(class, "AMT_", 4) == 0) {
        *base = "http://intel.com/wbem/wscim/1/amt-schema/1/";
        return NGX_OK;
    }

    if (ngx_strncmp(class, "CIM_", 4) == 0) {
        *base = "http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/";
        return NGX_OK;
    }

    if (ngx_strncmp(class, "IPS_", 4) == 0) {
        *base = "http://intel.com/wbem/wscim/1/ips-schema/1/";
        return NGX_OK;
    }

    return NGX_ERROR;
}


ngx_int_t
ngx_amt_wsman_build(ngx_pool_t *pool, ngx_amt_wsman_request_t *req,
    ngx_uint_t message_id, ngx_str_t *out)
{
    u_char                 id[NGX_INT_T_LEN + 1];
    const char            *base;
    ngx_amt_xml_writer_t   w;

    if (ngx_amt_wsman_uri(req->class, &base) != NGX_OK) {
        return NGX_DECLINED;
    }

    *ngx_sprintf(id, "%ui", message_id) = '\0';

    ngx_amt_xml_writer_init(&w, pool, NGX_AMT_WSMAN_MAX_REQUEST);

    ngx_amt_xml_raw(&w,
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>"
        "<Envelope xmlns=\"" NGX_AMT_WSMAN_SOAP "\""
        " xmlns:a=\"" NGX_AMT_WSMAN_WSA "\""
        " xmlns:w=\"" NGX_AMT_WSMAN_DMTF "\"><Header><a:Action>");
    ngx_amt_wsman_action(&w, req, base);
    ngx_amt_xml_raw(&w, "</a:Action><a:To>/wsman</a:To><w:ResourceURI>");
    ngx_amt_xml_raw(&w, base);
    ngx_amt_xml_raw(&w, req->class);
    ngx_amt_xml_raw(&w, "</w:ResourceURI><a:MessageID>");
    ngx_amt_xml_raw(&w, (char *) id);
    ngx_amt_xml_raw(&w,
        "</a:MessageID><a:ReplyTo><a:Address>" NGX_AMT_WSMAN_WSA
        "/role/anonymous</a:Address></a:ReplyTo>"
        "<w:OperationTimeout>PT60S</w:OperationTimeout>");
    ngx_amt_wsman_selectors(&w, req);
    ngx_amt_xml_raw(&w, "</Header><Body>");
    ngx_amt_wsman_body(&w, req, base);
    ngx_amt_xml_raw(&w, "</Body></Envelope>");

    return ngx_amt_xml_done(&w, out);
}


static void
ngx_amt_wsman_action(ngx_amt_xml_writer_t *w, ngx_amt_wsman_request_t *req,
    const char *base)
{
    static const char  *action[] = {
        NGX_AMT_WSMAN_XFER "/Get",
        NGX_AMT_WSMAN_XFER "/Put",
        NGX_AMT_WSMAN_XFER "/Create",
        NGX_AMT_WSMAN_XFER "/Delete",
        NGX_AMT_WSMAN_ENUM "/Enumerate",
        NGX_AMT_WSMAN_ENUM "/Pull"
    };

    if (req->op != NGX_AMT_WSMAN_INVOKE) {
        ngx_amt_xml_raw(w, action[req->op]);
        return;
    }

    ngx_amt_xml_raw(w, base);
    ngx_amt_xml_raw(w, req->class);
    ngx_amt_xml_raw(w, "/");
    ngx_amt_xml_raw(w, req->method);
}


static void
ngx_amt_wsman_selectors(ngx_amt_xml_writer_t *w,
    ngx_amt_wsman_request_t *req)
{
    if (req->selector.len == 0 && req->selector_xml.len == 0) {
        return;
    }

    ngx_amt_xml_raw(w, "<w:SelectorSet>");

    if (req->selector_xml.len) {
        ngx_amt_xml_raw_str(w, &req->selector_xml);

    } else {
        ngx_amt_xml_raw(w, "<w:Selector Name=\"");
        ngx_amt_xml_escape(w, &req->selector);
        ngx_amt_xml_raw(w, "\">");
        ngx_amt_xml_escape(w, &req->value);
        ngx_amt_xml_raw(w, "</w:Selector>");
    }

    ngx_amt_xml_raw(w, "</w:SelectorSet>");
}


static void
ngx_amt_wsman_body(ngx_amt_xml_writer_t *w, ngx_amt_wsman_request_t *req,
    const char *base)
{
    switch (req->op) {

    case NGX_AMT_WSMAN_GET:
    case NGX_AMT_WSMAN_DELETE:
        return;

    case NGX_AMT_WSMAN_PUT:
    case NGX_AMT_WSMAN_CREATE:
        ngx_amt_wsman_wrap(w, req, base, req->class, "");
        return;

    case NGX_AMT_WSMAN_ENUMERATE:
        ngx_amt_xml_raw(w, "<Enumerate xmlns=\"" NGX_AMT_WSMAN_ENUM "\"/>");
        return;

    case NGX_AMT_WSMAN_PULL:
        ngx_amt_xml_raw(w, "<Pull xmlns=\"" NGX_AMT_WSMAN_ENUM "\">"
                           "<EnumerationContext>");
        ngx_amt_xml_escape(w, &req->context);
        ngx_amt_xml_raw(w, "</EnumerationContext>"
                           "<MaxElements>999</MaxElements>"
                           "<MaxCharacters>99999</MaxCharacters></Pull>");
        return;

    case NGX_AMT_WSMAN_INVOKE:
        ngx_amt_wsman_wrap(w, req, base, req->method, "_INPUT");
        return;
    }
}


static void
ngx_amt_wsman_wrap(ngx_amt_xml_writer_t *w, ngx_amt_wsman_request_t *req,
    const char *base, const char *name, const char *suffix)
{
    ngx_amt_xml_raw(w, "<h:");
    ngx_amt_xml_raw(w, name);
    ngx_amt_xml_raw(w, suffix);
    ngx_amt_xml_raw(w, " xmlns:h=\"");
    ngx_amt_xml_raw(w, base);
    ngx_amt_xml_raw(w, req->class);
    ngx_amt_xml_raw(w, "\">");
    ngx_amt_xml_raw_str(w, &req->body);
    ngx_amt_xml_raw(w, "</h:");
    ngx_amt_xml_raw(w, name);
    ngx_amt_xml_raw(w, suffix);
    ngx_amt_xml_raw(w, ">");
}


void
ngx_amt_wsman_epr(ngx_amt_xml_writer_t *w, const char *name,
    const char *address, const char *class, const char **selectors,
    ngx_uint_t n)
{
    ngx_str_t   s;
    ngx_uint_t  i;

    ngx_amt_wsman_epr_open(w, name, address, class);

    for (i = 0; i < n; i++) {
        s.data = (u_char *) selectors[2 * i + 1];
        s.len = ngx_strlen(s.data);

        ngx_amt_wsman_epr_selector(w, selectors[2 * i], &s);
    }

    ngx_amt_wsman_epr_close(w, name);
}


void
ngx_amt_wsman_epr_value(ngx_amt_xml_writer_t *w, const char *name,
    const char *address, const char *class, const char *selector,
    ngx_str_t *value)
{
    ngx_amt_wsman_epr_open(w, name, address, class);
    ngx_amt_wsman_epr_selector(w, selector, value);
    ngx_amt_wsman_epr_close(w, name);
}


static void
ngx_amt_wsman_epr_open(ngx_amt_xml_writer_t *w, const char *name,
    const char *address, const char *class)
{
    const char  *base;

    if (ngx_amt_wsman_uri(class, &base) != NGX_OK) {
        w->refused = 1;
        return;
    }

    ngx_amt_xml_open(w, name);
    ngx_amt_xml_raw(w, "<a:Address>");
    ngx_amt_xml_raw(w, address);
    ngx_amt_xml_raw(w, "</a:Address><a:ReferenceParameters><w:ResourceURI>");
    ngx_amt_xml_raw(w, base);
    ngx_amt_xml_raw(w, class);
    ngx_amt_xml_raw(w, "</w:ResourceURI><w:SelectorSet>");
}


static void
ngx_amt_wsman_epr_selector(ngx_amt_xml_writer_t *w, const char *name,
    ngx_str_t *value)
{
    ngx_amt_xml_raw(w, "<w:Selector Name=\"");
    ngx_amt_xml_raw(w, name);
    ngx_amt_xml_raw(w, "\">");
    ngx_amt_xml_escape(w, value);
    ngx_amt_xml_raw(w, "</w:Selector>");
}


static void
ngx_amt_wsman_epr_close(ngx_amt_xml_writer_t *w, const char *name)
{
    ngx_amt_xml_raw(w, "</w:SelectorSet></a:ReferenceParameters>");
    ngx_amt_xml_close(w, name);
}


ngx_int_t
ngx_amt_wsman_parse(ngx_pool_t *pool, ngx_str_t *in,
    ngx_amt_wsman_response_t *res)
{
    ngx_int_t       rc;
    const char     *reason;
    ngx_amt_xml_t  *root, *x;

    ngx_memzero(res, sizeof(ngx_amt_wsman_response_t));

    res->amt_status = -1;
    res->return_value = -1;

    rc = ngx_amt_xml_parse(pool, in, &root, &reason);

    if (rc != NGX_OK) {
        return rc;
    }

    if (!ngx_amt_wsman_is_soap(root, "Envelope")) {
        return NGX_DECLINED;
    }

    for (x = root->first; x; x = x->next) {

        if (ngx_amt_wsman_is_soap(x, "Header")) {

            if (res->header || res->body) {
                return NGX_DECLINED;
            }

            res->header = x;

        } else if (ngx_amt_wsman_is_soap(x, "Body")) {

            if (res->body) {
                return NGX_DECLINED;
            }

            res->body = x;
        }
    }

    if (res->body == NULL) {
        return NGX_DECLINED;
    }

    x = res->body->first;

    res->content = x;

    if (x == NULL) {
        return NGX_OK;
    }

    if (ngx_amt_wsman_is_soap(x, "Fault")) {
        res->fault = x;
        ngx_amt_wsman_fault(res);

        return NGX_OK;
    }

    if (x->name.len > 7
        && ngx_strncmp(x->name.data + x->name.len - 7, "_OUTPUT", 7) == 0)
    {
        res->return_value = (ngx_int_t) ngx_amt_xml_int(x, "ReturnValue", -1);
    }

    return NGX_OK;
}


/*
 * The subcode says more than the code, but MustUnderstand and
 * VersionMismatch have none.
 */

static void
ngx_amt_wsman_fault(ngx_amt_wsman_response_t *res)
{
    ngx_amt_xml_t  *code, *subcode;

    code = ngx_amt_xml_child(res->fault, "Code");
    subcode = ngx_amt_xml_child(code, "Subcode");

    res->fault_code = ngx_amt_wsman_qname(
                          ngx_amt_xml_text(subcode ? subcode : code, "Value"));

    res->fault_text = ngx_amt_xml_text(
                          ngx_amt_xml_child(res->fault, "Reason"), "Text");

    res->amt_status = ngx_amt_wsman_amt_status(
                          ngx_amt_xml_child(res->fault, "Detail"));

    if (res->amt_status == -1) {
        res->amt_status = ngx_amt_wsman_amt_status(
                              ngx_amt_xml_child(res->fault, "Reason"));
    }
}


static ngx_str_t
ngx_amt_wsman_qname(ngx_str_t s)
{
    size_t  i;

    for (i = s.len; i; i--) {
        if (s.data[i - 1] == ':') {
            s.data += i;
            s.len -= i;
            break;
        }
    }

    return s;
}


/* The number of "AMT-STATUS n" in the text of an element or below, or -1. */

static ngx_int_t
ngx_amt_wsman_amt_status(ngx_amt_xml_t *x)
{
    u_char     *p, *last;
    ngx_int_t   n;

    if (x == NULL) {
        return -1;
    }

    p = NULL;
    last = NULL;

    if (x->text.len > 10) {
        last = x->text.data + x->text.len;
        p = ngx_strlcasestrn(x->text.data, last, (u_char *) "AMT-STATUS",
                             10 - 1);
    }

    if (p) {
        for (p += 10; p < last && (*p == ' ' || *p == ':' || *p == '='); p++) {
            /* void */
        }

        for (n = 0; p < last && *p >= '0' && *p <= '9' && n < 65536; p++) {
            n = n * 10 + (*p - '0');
        }

        if (p[-1] >= '0' && p[-1] <= '9') {
            return n;
        }
    }

    for (x = x->first; x; x = x->next) {
        n = ngx_amt_wsman_amt_status(x);

        if (n != -1) {
            return n;
        }
    }

    return -1;
}


static ngx_uint_t
ngx_amt_wsman_is_soap(ngx_amt_xml_t *x, const char *name)
{
    return ngx_amt_xml_is(x, name)
           && x->uri.len == sizeof(NGX_AMT_WSMAN_SOAP) - 1
           && ngx_strncmp(x->uri.data, NGX_AMT_WSMAN_SOAP, x->uri.len) == 0;
}
