
/*
 * The WS-Management end point: checks the envelope, dispatches the action,
 * writes the answer the way firmware does: one line, prefixes a, b, c ...
 * given out per message.
 */


#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "sim.h"


#define ANONYMOUS  NS_WSA "/role/anonymous"
#define NS_TRUST   "http://schemas.xmlsoap.org/ws/2005/02/trust"
#define NS_WSSE    "http://docs.oasis-open.org/wss/2004/01/"                  \
                   "oasis-200401-wss-wssecurity-secext-1.0.xsd"
#define NS_BIND    "http://schemas.dmtf.org/wbem/wsman/1/cimbinding.xsd"
#define NS_XSI     "http://www.w3.org/2001/XMLSchema-instance"


static const struct {
    const char  *code;
    const char  *text;
    int          status;
} faults[] = {
    { "b:DestinationUnreachable",
      "No route can be determined to reach the destination role defined by "
      "the WSAddressing To.", 400 },
    { "b:ActionNotSupported",
      "The action is not supported by the service.", 400 },
    { "b:MessageInformationHeaderRequired",
      "A required message information header, To, MessageID, or Action, is "
      "not present.", 400 },
    { "b:InvalidMessageInformationHeader",
      "A message information header is not valid and the message cannot be "
      "processed.", 400 },
    { "b:EndpointUnavailable",
      "The specified endpoint is currently unavailable.", 500 },
    { "c:AccessDenied",
      "The sender was not authorized to access the resource.", 400 },
    { "c:InvalidSelectors",
      "The Selectors for the resource were not valid.", 400 },
    { "c:InvalidParameter",
      "An operation parameter was not valid.", 400 },
    { "c:SchemaValidationError",
      "The supplied SOAP violates the corresponding XML Schema "
      "definition.", 400 },
    { "c:QuotaLimit",
      "The service is busy servicing other requests.", 500 },
    { "c:AlreadyExists",
      "The sender attempted to create a resource which already exists.",
      400 },
    { "c:Concurrency",
      "The action could not be completed due to concurrency or locking "
      "problems.", 500 },
    { "c:InternalError",
      "The service cannot comply with the request due to internal processing "
      "errors.", 500 },
    { "c:EncodingLimit",
      "An internal encoding limit was exceeded in a request or would be "
      "violated if the message were processed.", 400 },
    { "c:TimedOut", "The operation has timed out.", 500 },
    { "c:UnsupportedFeature",
      "The specified feature is not supported.", 400 },
    { "e:InvalidEnumerationContext",
      "The supplied enumeration context is invalid.", 500 },
    { "a:MustUnderstand", "A header was not understood.", 400 },
    { "a:VersionMismatch", "The SOAP version is not supported.", 400 },
    { NULL, NULL, 0 }
};


char
soap_prefix(soap_t *s, const char *ns)
{
    unsigned  i;

    if (strcmp(ns, NS_SOAP) == 0) {
        return 'a';
    }

    if (strcmp(ns, NS_WSA) == 0) {
        return 'b';
    }

    if (strcmp(ns, NS_WSMAN) == 0) {
        return 'c';
    }

    for (i = 0; i < s->nns; i++) {
        if (strcmp(s->ns[i], ns) == 0) {
            return (char) ('g' + i);
        }
    }

    if (s->nns < sizeof(s->ns) / sizeof(s->ns[0])) {
        s->ns[s->nns++] = ns;
    }

    return (char) ('g' + s->nns - 1);
}


/* code: a, b, c or e (enumeration) and the name; text NULL: the usual one */

int
soap_fault(soap_t *s, const char *code, const char *text)
{
    unsigned  i;

    if (s->fault) {
        return METHOD_FAULT;
    }

    s->fault = code;
    s->fault_text = text ? text : "";
    s->fault_status = 400;

    for (i = 0; faults[i].code; i++) {
        if (strcmp(faults[i].code, code) == 0) {
            s->fault_status = faults[i].status;

            if (text == NULL) {
                s->fault_text = faults[i].text;
            }
        }
    }

    return METHOD_FAULT;
}


static void
soap_fault_body(soap_t *s)
{
    char         e;
    unsigned     i;
    const char  *name, *reason;

    buf_free(&s->out);
    s->nns = 0;

    name = s->fault + 2;
    reason = s->fault_text;

    for (i = 0; faults[i].code; i++) {
        if (strcmp(faults[i].code, s->fault) == 0) {
            reason = faults[i].text;
        }
    }

    e = s->fault[0] == 'e' ? soap_prefix(s, NS_ENUM) : s->fault[0];

    if (e == 'a') {
        buf_fmt(&s->out, "<a:Fault><a:Code><a:Value>a:%s</a:Value></a:Code>",
                name);

    } else {
        buf_fmt(&s->out, "<a:Fault><a:Code><a:Value>a:%s</a:Value>"
                "<a:Subcode><a:Value>%c:%s</a:Value></a:Subcode></a:Code>",
                s->fault_status == 500 ? "Receiver" : "Sender", e, name);
    }

    buf_str(&s->out, "<a:Reason><a:Text xml:lang=\"en-US\">");
    buf_xml(&s->out, reason);
    buf_str(&s->out, "</a:Text></a:Reason><a:Detail>");

    if (reason != s->fault_text) {
        buf_xml(&s->out, s->fault_text);
    }

    buf_str(&s->out, "</a:Detail></a:Fault>");
}


static void
soap_envelope(soap_t *s, buf_t *b)
{
    unsigned     i;
    const char  *action;

    buf_str(b, "<?xml version=\"1.0\" encoding=\"UTF-8\"?><a:Envelope"
            " xmlns:a=\"" NS_SOAP "\" xmlns:b=\"" NS_WSA "\""
            " xmlns:c=\"" NS_WSMAN "\" xmlns:d=\"" NS_TRUST "\""
            " xmlns:e=\"" NS_WSSE "\" xmlns:f=\"" NS_BIND "\"");

    for (i = 0; i < s->nns; i++) {
        buf_fmt(b, " xmlns:%c=\"%s\"", 'g' + i, s->ns[i]);
    }

    buf_str(b, " xmlns:xsi=\"" NS_XSI "\"><a:Header><b:To>" ANONYMOUS
            "</b:To><b:RelatesTo>");

    if (mis(s->d, MIS_WRONG_RELATES)) {
        buf_str(b, "not-");
    }

    buf_xml(b, s->message_id);
    buf_str(b, "</b:RelatesTo><b:Action a:mustUnderstand=\"true\">");

    if (s->fault) {
        action = s->fault[0] == 'c' ? "http://schemas.dmtf.org/wbem/wsman/1/"
                                      "wsman/fault"
                                    : NS_WSA "/fault";
        buf_str(b, action);

    } else {
        buf_xml(b, s->action);
        buf_str(b, "Response");
    }

    buf_fmt(b, "</b:Action><b:MessageID>uuid:00000000-8086-8086-8086-%012X"
            "</b:MessageID>", ++s->d->message_id);

    if (!s->fault) {
        buf_str(b, "<c:ResourceURI>");
        buf_xml(b, s->uri);
        buf_str(b, "</c:ResourceURI>");
    }

    buf_str(b, "</a:Header><a:Body>");
    buf_add(b, buf_head(&s->out), buf_left(&s->out));
    buf_str(b, "</a:Body></a:Envelope>");
}


/* the headers; a fault is set when they are not good */

static void
soap_headers(soap_t *s, node_t *header)
{
    long         size;
    node_t      *n, *to, *reply, *action, *id, *uri;

    to = xml_child(header, NS_WSA, "To");
    action = xml_child(header, NS_WSA, "Action");
    id = xml_child(header, NS_WSA, "MessageID");
    reply = xml_child(header, NS_WSA, "ReplyTo");
    uri = xml_child(header, NS_WSMAN, "ResourceURI");
    s->selectors = xml_child(header, NS_WSMAN, "SelectorSet");

    if (id) {
        s->message_id = id->text;
    }

    if (uri) {
        s->uri = uri->text;
    }

    if (action) {
        s->action = action->text;
    }

    if (!to || !action || !id || !reply || !uri || id->text[0] == '\0') {
        soap_fault(s, "b:MessageInformationHeaderRequired", NULL);
        return;
    }

    for (n = header->first; n; n = n->next) {

        if (strcmp(n->ns, NS_WSMAN) == 0
            && strcmp(n->name, "OptionSet") == 0)
        {
            soap_fault(s, n->must ? "a:MustUnderstand"
                                  : "c:UnsupportedFeature", NULL);
            return;
        }

        if (n->must && strcmp(n->ns, NS_WSA) != 0
            && strcmp(n->ns, NS_WSMAN) != 0)
        {
            soap_fault(s, "a:MustUnderstand", NULL);
            return;
        }
    }

    n = xml_child(reply, NS_WSA, "Address");

    if (n == NULL || strcmp(n->text, ANONYMOUS) != 0) {
        soap_fault(s, "b:InvalidMessageInformationHeader",
                   "ReplyTo is not anonymous");
        return;
    }

    if (strcmp(to->text, "/wsman") != 0) {
        soap_fault(s, "b:DestinationUnreachable", NULL);
        return;
    }

    n = xml_child(header, NS_WSMAN, "OperationTimeout");

    if (n && strncmp(n->text, "PT", 2) != 0) {
        soap_fault(s, "b:InvalidMessageInformationHeader",
                   "OperationTimeout");
        return;
    }

    n = xml_child(header, NS_WSMAN, "MaxEnvelopeSize");

    if (n) {
        size = strtol(n->text, NULL, 10);
        if (size < 50000) {
            soap_fault(s, "c:EncodingLimit", "MaxEnvelopeSize");
        }
    }
}


static void
soap_invoke(soap_t *s)
{
    int              rc;
    char             p;
    long             n;
    char             name[128];
    size_t           len;
    node_t          *in;
    const method_t  *m;

    len = strlen(s->uri);

    if (strncmp(s->action, s->uri, len) != 0 || s->action[len] != '/') {
        soap_fault(s, "b:ActionNotSupported", NULL);
        return;
    }

    m = method_find(s->cls->name, s->action + len + 1);

    if (m == NULL) {
        soap_fault(s, "b:ActionNotSupported", NULL);
        return;
    }

    snprintf(name, sizeof(name), "%s_INPUT", m->method);
    in = s->body->first;

    if (in == NULL || in->next || strcmp(in->name, name) != 0
        || strcmp(in->ns, s->cls->uri) != 0)
    {
        soap_fault(s, "c:SchemaValidationError", name);
        return;
    }

    if (method_check(s, m, in) != 0) {
        return;
    }

    p = soap_prefix(s, s->cls->uri);
    buf_fmt(&s->out, "<%c:%s_OUTPUT>", p, m->method);

    n = mis_action(s->d, MIS_RETURN, s->action);
    rc = n ? (int) n : m->handler(s, in);

    if (rc == METHOD_FAULT) {
        return;
    }

    if (rc == 0) {
        rc = (int) mis_action(s->d, MIS_OBEY_RETURN, s->action);
    }

    buf_fmt(&s->out, "<%c:ReturnValue>%d</%c:ReturnValue></%c:%s_OUTPUT>", p,
            rc, p, p, m->method);

    event(s->d, "method", "\"class\":\"%s\",\"method\":\"%s\",\"return\":%d",
          s->cls->name, m->method, rc);
}


static void
soap_operation(soap_t *s)
{
    char          p;
    inst_t       *i;
    const char   *a;

    a = s->action;

    if (strcmp(a, NS_XFER "/Get") == 0) {

        if (!(s->cls->ops & OP_GET)) {
            soap_fault(s, "b:ActionNotSupported", NULL);
            return;
        }

        if (s->body->first) {
            soap_fault(s, "c:SchemaValidationError", "Get has a body");
            return;
        }

        i = model_select(s, s->cls, s->selectors);
        if (i) {
            model_render(s, s->cls, i);
        }

    } else if (strcmp(a, NS_XFER "/Put") == 0) {

        if (!(s->cls->ops & OP_PUT)) {
            soap_fault(s, "b:ActionNotSupported", NULL);
            return;
        }

        model_put(s);

    } else if (strcmp(a, NS_XFER "/Delete") == 0) {

        if (!(s->cls->ops & OP_DELETE)) {
            soap_fault(s, "b:ActionNotSupported", NULL);
            return;
        }

        if (s->selectors == NULL) {
            soap_fault(s, "c:InvalidSelectors", NULL);
            return;
        }

        i = model_select(s, s->cls, s->selectors);
        if (i == NULL) {
            return;
        }

        /* from here on in the device's own copy */

        model_own(s->d, s->cls);
        i = model_select(s, s->cls, s->selectors);

        if (certs_delete(s, i) != 0 || network_delete(s, i) != 0) {
            return;
        }

        remote_delete(s, i);
        model_remove(s->d, s->cls, i);
        event(s->d, "delete", "\"class\":\"%s\"", s->cls->name);

    } else if (strcmp(a, NS_XFER "/Create") == 0) {

        if (!(s->cls->ops & OP_CREATE)) {
            soap_fault(s, "b:ActionNotSupported", NULL);
            return;
        }

        model_create(s);

    } else if (strcmp(a, NS_ENUM "/Enumerate") == 0) {
        model_enumerate(s);

    } else if (strcmp(a, NS_ENUM "/Pull") == 0) {
        model_pull(s);

    } else {
        soap_invoke(s);
    }

    if (mis_peek(s->d, MIS_DEEP_XML) && !s->fault) {
        long  n, k;

        n = mis(s->d, MIS_DEEP_XML);
        p = soap_prefix(s, s->cls->uri);

        for (k = 0; k < n; k++) {
            buf_fmt(&s->out, "<%c:n>", p);
        }
        for (k = 0; k < n; k++) {
            buf_fmt(&s->out, "</%c:n>", p);
        }
    }
}


static int
soap_misbehave(soap_t *s, unsigned what)
{
    static const char  *codes[] = {
        "c:InternalError", "c:AccessDenied", "b:EndpointUnavailable",
        "c:TimedOut"
    };
    long  n;

    n = mis_action(s->d, what, s->action);

    if (n < 1 || n > 4) {
        return 0;
    }

    soap_fault(s, codes[n - 1], n == 1 ? "AMT-STATUS 1" : NULL);

    return 1;
}


int
soap_handle(device_t *d, const char *p, size_t n, buf_t *body, long *drop)
{
    int      status;
    xml_t    x;
    node_t  *header;
    soap_t   s;

    memset(&s, 0, sizeof(s));
    s.d = d;
    s.message_id = "";
    s.action = "";
    s.uri = "";

    if (xml_parse(&x, p, n) != 0) {
        event(d, "bad_xml", "\"why\":%s", js(x.error));
        xml_free(&x);
        return 400;
    }

    header = xml_child(x.root, NS_SOAP, "Header");
    s.body = xml_child(x.root, NS_SOAP, "Body");

    if (strcmp(x.root->name, "Envelope") != 0 || !header || !s.body) {
        xml_free(&x);
        return 400;
    }

    if (strcmp(x.root->ns, NS_SOAP) != 0) {
        soap_fault(&s, "a:VersionMismatch", NULL);

    } else {
        soap_headers(&s, header);
    }

    if (!s.fault) {
        s.cls = model_uri(s.uri);

        if (s.cls == NULL) {
            soap_fault(&s, "b:DestinationUnreachable", NULL);

        } else if (!soap_misbehave(&s, MIS_FAULT)) {
            soap_operation(&s);

            if (!s.fault) {
                soap_misbehave(&s, MIS_OBEY_FAULT);
            }

            if (mis_action(d, MIS_LOST, s.action)) {
                mis_set(d, "close-mid*1", NULL, 0);
            }
        }
    }

    if (mis_action(d, MIS_DROP_AFTER, s.action)) {
        s.drop = 1;
    }

    if (mis_action(d, MIS_MUTE, s.action)) {
        s.drop = SOAP_MUTE;
    }

    status = 200;

    if (s.fault) {
        status = s.fault_status;
        soap_fault_body(&s);
    }

    event(d, "request", "\"status\":%d,\"class\":\"%s\",\"action\":%s"
          "%s%s%s", status, s.cls ? s.cls->name : "",
          js(strrchr(s.action, '/') ? strrchr(s.action, '/') + 1 : ""),
          s.fault ? ",\"fault\":\"" : "", s.fault ? s.fault + 2 : "",
          s.fault ? "\"" : "");

    soap_envelope(&s, body);
    *drop = s.drop;

    buf_free(&s.out);
    xml_free(&x);

    return status;
}
