
/*
 * What the device plane offers to other modules of the same nginx.
 *
 * The table is found at run time through the module's name, so that the API
 * plane's .so has no undefined symbols when the device plane is missing or is
 * loaded later; see ngx_cira_api_find().  Also here: the GUID text form both
 * planes share (contract apf.md section 4).
 */


#ifndef _NGX_CIRA_API_H_INCLUDED_
#define _NGX_CIRA_API_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_http.h"


#define NGX_CIRA_API_VERSION  2

#define NGX_CIRA_GUID_LEN     16         /* bytes, in the order of the text */
#define NGX_CIRA_GUID_TEXT    36
#define NGX_CIRA_TENANT_LEN   36
#define NGX_CIRA_ADDR_LEN     (NGX_SOCKADDR_STRLEN)


/* One connected device; a copy, valid as long as the caller keeps it. */

typedef struct {
    u_char       guid[NGX_CIRA_GUID_LEN];
    uint64_t     generation;             /* of this connection, never reused */
    uint64_t     worker;                 /* owner's id, never reused */
    int64_t      connected;              /* ms since 1970 */
    int64_t      last_seen;              /* ms since 1970 */
    u_char       tenant[NGX_CIRA_TENANT_LEN];
    u_char       addr[NGX_CIRA_ADDR_LEN];
    u_char       tenant_len;
    u_char       addr_len;
    u_char       socket[sizeof(((struct sockaddr_un *) 0)->sun_path)];
                                         /* owner's private CONNECT listener,
                                            zero terminated path */
} ngx_cira_info_t;


typedef struct {
    ngx_uint_t   version;                /* NGX_CIRA_API_VERSION */

    /*
     * Finds a connected device.  NGX_OK: *info is filled; NGX_DECLINED: not
     * connected; NGX_ERROR: no cira_zone is configured.
     */
    ngx_int_t  (*lookup)(const u_char *guid, ngx_cira_info_t *info);

    /*
     * Pages through connected devices: fills at most n entries that follow
     * the GUID cursor (NULL: from the start) in an order that is fixed but
     * not sorted; the cursor itself need not be connected.  Returns their
     * number, 0 at the end, NGX_ERROR without a zone.
     */
    ngx_int_t  (*list)(const u_char *cursor, ngx_cira_info_t *info,
        ngx_uint_t n);

    /*
     * Ends the connection of info->guid with info->generation.  NGX_OK: it
     * was of this worker; NGX_DECLINED: this worker owned it and has it no
     * more; NGX_AGAIN: another worker's, to be asked with EVICT at
     * info->socket; NGX_ERROR: no cira_zone is configured.
     */
    ngx_int_t  (*evict)(ngx_cira_info_t *info);

    const ngx_cira_http_api_t  *http;
} ngx_cira_api_t;


/* NULL: the device plane is not loaded, or is of another version. */

static ngx_inline ngx_cira_api_t *
ngx_cira_api_find(ngx_cycle_t *cycle)
{
    ngx_uint_t       i;
    ngx_cira_api_t  *api;

    for (i = 0; cycle->modules[i]; i++) {
        if (ngx_strcmp(cycle->modules[i]->name, "ngx_stream_cira_module")
            == 0)
        {
            api = (ngx_cira_api_t *) cycle->modules[i]->spare_hook0;

            return api && api->version == NGX_CIRA_API_VERSION ? api : NULL;
        }
    }

    return NULL;
}


/* Parses 8-4-4-4-12 hex digits of any case; NGX_OK or NGX_ERROR. */

static ngx_inline ngx_int_t
ngx_cira_guid_parse(const u_char *text, size_t len, u_char *guid)
{
    size_t      i;
    ngx_uint_t  n;
    u_char      c;

    if (len != NGX_CIRA_GUID_TEXT) {
        return NGX_ERROR;
    }

    for (i = 0, n = 0; i < len; i++) {
        c = text[i];

        if (i == 8 || i == 13 || i == 18 || i == 23) {
            if (c != '-') {
                return NGX_ERROR;
            }

            continue;
        }

        if (c >= '0' && c <= '9') {
            c -= '0';

        } else {
            c |= 0x20;

            if (c < 'a' || c > 'f') {
                return NGX_ERROR;
            }

            c -= 'a' - 10;
        }

        guid[n / 2] = (u_char) (n % 2 ? guid[n / 2] | c : c << 4);
        n++;
    }

    return NGX_OK;
}


/* Writes 36 lower-case characters, no zero byte; returns text + 36. */

static ngx_inline u_char *
ngx_cira_guid_text(u_char *text, const u_char *guid)
{
    ngx_uint_t          i;
    static const u_char  hex[] = "0123456789abcdef";

    for (i = 0; i < NGX_CIRA_GUID_LEN; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *text++ = '-';
        }

        *text++ = hex[guid[i] >> 4];
        *text++ = hex[guid[i] & 0xf];
    }

    return text;
}


#endif /* _NGX_CIRA_API_H_INCLUDED_ */
