
/*
 * Checks of request fields, driven by tables, with the semantics and error
 * bodies that clients of the original know.  Contract mps.md section 1.6.
 * No I/O: takes JSON values, gives JSON text.
 */


#ifndef _NGX_AMT_VALIDATE_H_INCLUDED_
#define _NGX_AMT_VALIDATE_H_INCLUDED_


#include "mps/ngx_amt_out.h"


/* Where a field is looked for, in this order; 0 is all of them. */

#define NGX_AMT_IN_BODY        0x01
#define NGX_AMT_IN_COOKIES     0x02
#define NGX_AMT_IN_HEADERS     0x04
#define NGX_AMT_IN_PARAMS      0x08
#define NGX_AMT_IN_QUERY       0x10
#define NGX_AMT_IN_ALL         0x1f


typedef enum {
    NGX_AMT_CHECK_UUID = 1,
    NGX_AMT_CHECK_BOOLEAN,               /* true false 1 0, also as text */
    NGX_AMT_CHECK_STRICT_BOOLEAN,
    NGX_AMT_CHECK_NUMERIC,
    NGX_AMT_CHECK_INT,                   /* min..max */
    NGX_AMT_CHECK_IN,                    /* text form is one of list */
    NGX_AMT_CHECK_STRING,
    NGX_AMT_CHECK_LENGTH,                /* min..max characters */
    NGX_AMT_CHECK_NOT_EMPTY,
    NGX_AMT_CHECK_IPV4,
    NGX_AMT_CHECK_URL,
    NGX_AMT_CHECK_FQDN,
    NGX_AMT_CHECK_ISO8601,
    NGX_AMT_CHECK_ARRAY,
    NGX_AMT_CHECK_OBJECT,
    NGX_AMT_CHECK_CUSTOM
} ngx_amt_check_e;


#define NGX_AMT_CHECK_OPTIONAL   0x01    /* skipped when undefined */
#define NGX_AMT_CHECK_NULLABLE   0x02    /* and when null */
#define NGX_AMT_CHECK_FALSY      0x04    /* and when "", 0, false */
#define NGX_AMT_CHECK_BAIL       0x08    /* a failure ends the field */
#define NGX_AMT_CHECK_EMPTY      0x10    /* "" passes */
#define NGX_AMT_CHECK_SECRET     0x20    /* never echo the value */


#define NGX_AMT_CHECK_NUMBER_MAX  64     /* characters of a number */


typedef struct {
    json_t             *body;            /* object, array; NULL: absent */
    json_t             *query;           /* objects, or NULL */
    json_t             *params;
    json_t             *headers;         /* lower-case names */
    json_t             *cookies;
} ngx_amt_input_t;


/* NGX_OK: passes; NGX_DECLINED: fails. */
typedef ngx_int_t (*ngx_amt_check_pt)(json_t *value, ngx_amt_input_t *in);


/*
 * One check.  Consecutive rows of one field are one chain; flags hold for
 * their row.  A list of checks ends with field NULL.
 */

typedef struct {
    const char         *field;           /* "guid" "boot.url" "tags[*]" */
    ngx_uint_t          in;              /* NGX_AMT_IN_... */
    ngx_amt_check_e     check;
    ngx_uint_t          flags;
    int64_t             min;
    int64_t             max;
    const char         *list;            /* "AND,OR" */
    const char         *msg;             /* NULL: "Invalid value" */
    ngx_amt_check_pt    custom;
} ngx_amt_check_t;


/*
 * Runs the checks.  NGX_OK; NGX_DECLINED: *errors is the V400 body, from the
 * pool; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_validate(const ngx_amt_check_t *checks,
    ngx_amt_input_t *in, ngx_pool_t *pool, ngx_str_t *errors);

/*
 * The value of a field in one place, or NULL; dotted names go down into
 * objects.
 */
json_t *ngx_amt_input_get(json_t *place, const char *field);

/* "to boolean": "false", "0", "", false, 0 and NULL are 0. */
ngx_uint_t ngx_amt_input_true(json_t *value);

/* Number of a value that passed NUMERIC or INT, cut to min..max; NULL: def. */
int64_t ngx_amt_input_int(json_t *value, int64_t def, int64_t min,
    int64_t max);


/* The tests themselves: ngx_amt_check.c.  1 or 0. */

ngx_uint_t ngx_amt_check_uuid(ngx_str_t *s);
ngx_uint_t ngx_amt_check_numeric(ngx_str_t *s);
ngx_uint_t ngx_amt_check_int(ngx_str_t *s, int64_t min, int64_t max);
ngx_uint_t ngx_amt_check_in(ngx_str_t *s, const char *list);
ngx_uint_t ngx_amt_check_length(ngx_str_t *s, int64_t min, int64_t max);
ngx_uint_t ngx_amt_check_ipv4(ngx_str_t *s);
ngx_uint_t ngx_amt_check_fqdn(ngx_str_t *s, ngx_uint_t tld);
ngx_uint_t ngx_amt_check_url(ngx_str_t *s);
ngx_uint_t ngx_amt_check_iso8601(ngx_str_t *s);


#endif /* _NGX_AMT_VALIDATE_H_INCLUDED_ */
