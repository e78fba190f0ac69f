
/*
 * Expat parsers whose memory is one pool of the worker: a document is small
 * and read in one go, so nothing is freed before its end, and the pool is
 * used again for the next one.
 */


#ifndef _NGX_AMT_XML_PARSER_H_INCLUDED_
#define _NGX_AMT_XML_PARSER_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <expat.h>


/*
 * A parser for UTF-8 with namespaces.  One at a time; NULL: no memory, or no
 * random bytes.  It is ended by ngx_amt_xml_parser_end(), never by
 * XML_ParserFree().
 */
XML_Parser ngx_amt_xml_parser(XML_Char separator, ngx_log_t *log);
void ngx_amt_xml_parser_end(void);


#endif /* _NGX_AMT_XML_PARSER_H_INCLUDED_ */
