
/*
 * Layout of audit log records; see ngx_amt_audit_record.h.  All integers are
 * big-endian, but for the parts of a SID.
 */


#include "amt/ngx_amt_audit_record.h"
#include "amt/ngx_amt_datetime.h"
#include "amt/ngx_amt_json.h"


#define NGX_AMT_AUDIT_DIGEST    0
#define NGX_AMT_AUDIT_KERBEROS  1
#define NGX_AMT_AUDIT_LOCAL     2
#define NGX_AMT_AUDIT_KVM       3

/* S-, revision, authority, then at most 61 parts of a 255 byte SID */
#define NGX_AMT_AUDIT_SID       (2 + 4 + 4 + 64 * (NGX_INT32_LEN + 1))


static ngx_int_t ngx_amt_audit_members(json_t *json, u_char *p,
    u_char *last);
static u_char *ngx_amt_audit_initiator(json_t *json, ngx_uint_t type,
    u_char *p, u_char *last, ngx_int_t *rc);
static json_t *ngx_amt_audit_sid(u_char *p, size_t len);
static json_t *ngx_amt_audit_address(u_char *p, size_t len);


#define ngx_amt_audit_u16(p)  ((ngx_uint_t) ((p)[0] << 8 | (p)[1]))

#define ngx_amt_audit_u32(p)                                                  \
    ((uint32_t) (p)[0] << 24 | (uint32_t) (p)[1] << 16                        \
     | (uint32_t) (p)[2] << 8 | (uint32_t) (p)[3])


ngx_int_t
ngx_amt_audit_record_base64(ngx_str_t *text, ngx_pool_t *pool, json_t **json)
{
    ngx_str_t  raw;

    *json = NULL;

    raw.data = ngx_pnalloc(pool, ngx_base64_decoded_length(text->len) + 1);
    if (raw.data == NULL) {
        return NGX_ERROR;
    }

    if (text->len == 0 || ngx_decode_base64(&raw, text) != NGX_OK) {
        return NGX_DECLINED;
    }

    return ngx_amt_audit_record(&raw, json);
}


ngx_int_t
ngx_amt_audit_record(ngx_str_t *record, json_t **json)
{
    u_char      *p;
    json_t      *o, *event;
    const char  *text;
    ngx_uint_t   app, id;

    *json = NULL;

    if (record->len < NGX_AMT_AUDIT_RECORD_MIN) {
        return NGX_DECLINED;
    }

    p = record->data;

    app = ngx_amt_audit_u16(p);
    id = ngx_amt_audit_u16(p + 2);

    o = json_object();
    if (o == NULL) {
        return NGX_ERROR;
    }

    if (ngx_amt_json_set(o, "AuditAppID", json_integer(app)) != NGX_OK
        || ngx_amt_json_set(o, "EventID", json_integer(id)) != NGX_OK
        || ngx_amt_json_set(o, "InitiatorType", json_integer(p[4])) != NGX_OK)
    {
        goto failed;
    }

    text = ngx_amt_audit_app(app);

    if (text && ngx_amt_json_set(o, "AuditApp", json_string(text)) != NGX_OK) {
        goto failed;
    }

    text = ngx_amt_audit_event(app, id);
    event = text ? json_string(text) : json_sprintf("#%d", (int) id);

    if (ngx_amt_json_set(o, "Event", event) != NGX_OK
        || ngx_amt_audit_members(o, p, p + record->len) != NGX_OK)
    {
        goto failed;
    }

    *json = o;

    return NGX_OK;

failed:

    json_decref(o);

    return NGX_ERROR;
}


/* Initiator and all that follows, as far as there are bytes. */

static ngx_int_t
ngx_amt_audit_members(json_t *json, u_char *p, u_char *last)
{
    u_char      *start;
    json_t      *text;
    ngx_int_t    rc;
    ngx_str_t    data;
    ngx_uint_t   app, event;

    app = ngx_amt_audit_u16(p);
    event = ngx_amt_audit_u16(p + 2);

    start = p;
    p = ngx_amt_audit_initiator(json, start[4], p + 5, last, &rc);

    if (p == NULL) {
        return rc;
    }

    if (last - p < 4) {
        return NGX_OK;
    }

    text = ngx_amt_datetime_json((int64_t) ngx_amt_audit_u32(p) * 1000);
    p += 4;

    if (ngx_amt_json_set(json, "Time", text) != NGX_OK) {
        return NGX_ERROR;
    }

    if (p == last) {
        return NGX_OK;
    }

    if (ngx_amt_json_set(json, "MCLocationType", json_integer(*p++))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (p == last || last - p - 1 < *p) {
        return NGX_OK;
    }

    if (ngx_amt_json_set(json, "NetAddress",
                         ngx_amt_audit_address(p + 1, *p))
        != NGX_OK)
    {
        return NGX_ERROR;
    }

    p += 1 + *p;

    if (p == last || last - p - 1 < *p) {
        return NGX_OK;
    }

    data.len = *p;
    data.data = p + 1;

    if (ngx_amt_json_set(json, "Ex",
                         ngx_amt_audit_latin1(data.data, data.len))
        != NGX_OK
        || ngx_amt_audit_extended(app, event, &data, &text) != NGX_OK)
    {
        return NGX_ERROR;
    }

    if (text == NULL) {
        return NGX_OK;
    }

    return ngx_amt_json_set(json, "ExStr", text);
}


/* Where the time is; NULL: the record ends here, *rc says how. */

static u_char *
ngx_amt_audit_initiator(json_t *json, ngx_uint_t type, u_char *p,
    u_char *last, ngx_int_t *rc)
{
    json_t  *text;

    switch (type) {

    case NGX_AMT_AUDIT_DIGEST:

        if (p == last || last - p - 1 < *p) {
            goto unknown;
        }

        text = ngx_amt_audit_latin1(p + 1, *p);
        p += 1 + *p;
        break;

    case NGX_AMT_AUDIT_KERBEROS:

        /* the user within the domain */

        if (last - p < 5 || last - p - 5 < p[4]) {
            goto unknown;
        }

        p += 4;
        text = ngx_amt_audit_sid(p + 1, *p);
        p += 1 + *p;
        break;

    case NGX_AMT_AUDIT_LOCAL:
        text = json_string("Local");
        break;

    case NGX_AMT_AUDIT_KVM:
        text = json_string("KVM Default Port");
        break;

    default:
        goto unknown;
    }

    *rc = ngx_amt_json_set(json, "Initiator", text);

    return *rc == NGX_OK ? p : NULL;

unknown:

    *rc = ngx_amt_json_set(json, "Initiator", json_string(""));

    return NULL;
}


/* Revision, number of parts, six bytes of authority, parts. */

static json_t *
ngx_amt_audit_sid(u_char *p, size_t len)
{
    size_t    i;
    u_char    buf[NGX_AMT_AUDIT_SID], *q, *last;
    uint32_t  part;

    if (len < 8) {
        return json_string("");
    }

    last = buf + sizeof(buf);

    q = ngx_slprintf(buf, last, "S-%ui-%ui", (ngx_uint_t) p[0],
                     (ngx_uint_t) p[7]);

    for (i = 8; len - i >= 4; i += 4) {
        part = (uint32_t) p[i] | (uint32_t) p[i + 1] << 8
               | (uint32_t) p[i + 2] << 16 | (uint32_t) p[i + 3] << 24;

        q = ngx_slprintf(q, last, "-%uD", part);
    }

    return json_stringn((char *) buf, q - buf);
}


static json_t *
ngx_amt_audit_address(u_char *p, size_t len)
{
    static const ngx_str_t  loopback =
        ngx_string("0000:0000:0000:0000:0000:0000:0000:0001");

    if (len == loopback.len
        && ngx_memcmp(p, loopback.data, loopback.len) == 0)
    {
        return json_string("::1");
    }

    return ngx_amt_audit_latin1(p, len);
}


json_t *
ngx_amt_audit_latin1(u_char *p, size_t len)
{
    size_t  i;
    u_char  buf[2 * 255], *q;

    /* lengths of records are one byte */

    len = ngx_min(len, 255);
    q = buf;

    for (i = 0; i < len; i++) {

        if (p[i] < 0x80) {
            *q++ = p[i];

        } else {
            *q++ = 0xc0 | p[i] >> 6;
            *q++ = 0x80 | (p[i] & 0x3f);
        }
    }

    return json_stringn((char *) buf, q - buf);
}
