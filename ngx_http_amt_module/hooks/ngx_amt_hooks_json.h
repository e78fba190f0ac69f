
/*
 * Bodies of /_cira/auth and /_cira/notify, no I/O.  Members that are not
 * known are ignored; known ones must have their type.
 */


#ifndef _NGX_AMT_HOOKS_JSON_H_INCLUDED_
#define _NGX_AMT_HOOKS_JSON_H_INCLUDED_


#include "store/ngx_amt_store.h"
#include "ngx_cira_api.h"
#include <jansson.h>


#define NGX_AMT_HOOKS_LOGIN_MAX   (16 * 1024)         /* bytes of a body */
#define NGX_AMT_HOOKS_NOTIFY_MAX  (4 * 1024 * 1024)
#define NGX_AMT_HOOKS_EVENTS_MAX  4096
#define NGX_AMT_HOOKS_USER_MAX    256                 /* bytes */
#define NGX_AMT_HOOKS_PASS_MAX    256


/* {"guid","user","password","address",...} */

typedef struct {
    json_t                 *json;
    u_char                  guid[NGX_CIRA_GUID_TEXT];  /* lower case */
    ngx_str_t               user;                      /* inside json */
    ngx_str_t               password;
    ngx_str_t               address;
} ngx_amt_hooks_login_t;


typedef enum {
    NGX_AMT_HOOKS_CONNECTED = 0,
    NGX_AMT_HOOKS_DISCONNECTED,
    NGX_AMT_HOOKS_SEEN,
    NGX_AMT_HOOKS_ALERT,
    NGX_AMT_HOOKS_QUARANTINE,
    NGX_AMT_HOOKS_UNKNOWN                    /* of a newer device plane */
} ngx_amt_hooks_event_e;

typedef struct {
    ngx_amt_hooks_event_e   type;
    uint64_t                seq;
    uint64_t                generation;
    int64_t                 time;            /* ms since 1970 */
    u_char                  guid[NGX_CIRA_GUID_TEXT];
    ngx_str_t               tenant;          /* inside json */
    ngx_str_t               address;         /* hostile text */
    ngx_str_t               reason;
} ngx_amt_hooks_event_t;

typedef struct {
    json_t                 *json;
    uint64_t                source;          /* of the numbers; 0: not given */
    ngx_uint_t              n;
    ngx_amt_hooks_event_t  *events;          /* ngx_free() */
} ngx_amt_hooks_batch_t;


/*
 * NGX_OK, or NGX_DECLINED with *why, a static text; NGX_ERROR: no memory.
 * After NGX_OK, and only then, the result is freed by _free(), which wipes
 * the login's strings.
 */
ngx_int_t ngx_amt_hooks_login_parse(u_char *text, size_t len,
    ngx_amt_hooks_login_t *login, const char **why);
void ngx_amt_hooks_login_free(ngx_amt_hooks_login_t *login);

ngx_int_t ngx_amt_hooks_batch_parse(u_char *text, size_t len,
    ngx_amt_hooks_batch_t *batch, const char **why);
void ngx_amt_hooks_batch_free(ngx_amt_hooks_batch_t *batch);

/*
 * Printable ASCII of hostile text for the log, others as "?"; returns the end
 * of what was written, at most size bytes.
 */
u_char *ngx_amt_hooks_printable(u_char *dst, size_t size, ngx_str_t *text);


#endif /* _NGX_AMT_HOOKS_JSON_H_INCLUDED_ */
