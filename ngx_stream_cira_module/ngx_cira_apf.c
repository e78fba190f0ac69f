
/*
 * APF codec without I/O: contract apf.md sections 1-4.
 *
 * Each message is a list of fields; the decoder walks the list and may stop
 * and go on at any byte.  Every length is compared with its limit before it
 * is used or added to anything.
 */


#include "ngx_cira_apf.h"


typedef enum {
    field_end = 0,
    field_u8,                            /* a byte of the message */
    field_u32,                           /* a number of the message */
    field_zero,                          /* a byte that must be 0 */
    field_skip,                          /* reserved bytes */
    field_uuid,
    field_string,                        /* u32 length, kept in the text */
    field_datagram,                      /* u32 length, skipped */
    field_data,                          /* u32 length, handed out */
    field_method,                        /* no bytes: what follows in 50 */
    field_request                        /* no bytes: what follows in 80 */
} ngx_cira_apf_field_e;


struct ngx_cira_apf_field_s {
    u_char       kind;
    u_char       credentials;
    uint16_t     limit;
    uint16_t     offset;                 /* in the message or in the text */
    char        *error;
};


#define MSG(name)      offsetof(ngx_cira_apf_msg_t, name)
#define TEXT(name)     offsetof(ngx_cira_apf_text_t, name)

#define U8(name)       { field_u8, 0, 1, MSG(name), NULL }
#define U32(name)      { field_u32, 0, 4, MSG(name), NULL }
#define SKIP(n)        { field_skip, 0, n, 0, NULL }
#define STRING(name, max, text)                                              \
                       { field_string, 0, max, TEXT(name), text }
#define LOGIN(name, max, text)                                               \
                       { field_string, 1, max, TEXT(name), text }
#define END            { field_end, 0, 0, 0, NULL }


static ngx_cira_apf_field_t  ngx_cira_apf_disconnect_fields[] = {
    U32(reason), SKIP(2), END
};


static ngx_cira_apf_field_t  ngx_cira_apf_service_fields[] = {
    STRING(name, NGX_CIRA_APF_SERVICE_MAX, "service name too long"), END
};


static ngx_cira_apf_field_t  ngx_cira_apf_userauth_fields[] = {
    LOGIN(user, NGX_CIRA_APF_USER_MAX, "user name too long"),
    LOGIN(name, NGX_CIRA_APF_SERVICE_MAX, "service name too long"),
    LOGIN(method, NGX_CIRA_APF_METHOD_MAX, "auth method too long"),
    { field_method, 0, 0, 0, NULL },
    END
};


static ngx_cira_apf_field_t  ngx_cira_apf_password_fields[] = {
    { field_zero, 1, 1, 0, "password change requested" },
    LOGIN(password, NGX_CIRA_APF_PASSWORD_MAX, "password too long"),
    END
};


static ngx_cira_apf_field_t  ngx_cira_apf_global_fields[] = {
    STRING(name, NGX_CIRA_APF_REQUEST_MAX, "request name too long"),
    U8(want_reply),
    { field_request, 0, 0, 0, NULL },
    END
};


static ngx_cira_apf_field_t  ngx_cira_apf_forward_fields[] = {
    STRING(addr, NGX_CIRA_APF_ADDRESS_MAX, "address too long"),
    U32(port),
    END
};


static ngx_cira_apf_field_t  ngx_cira_apf_udp_fields[] = {
    STRING(addr, NGX_CIRA_APF_ADDRESS_MAX, "address too long"),
    U32(port),
    STRING(origin, NGX_CIRA_APF_ADDRESS_MAX, "address too long"),
    U32(origin_port),
    { field_datagram, 0, NGX_CIRA_APF_UDP_MAX, 0, "datagram too long" },
    END
};


static ngx_cira_apf_field_t  ngx_cira_apf_open_fields[] = {
    STRING(name, NGX_CIRA_APF_TYPE_MAX, "channel type too long"),
    U32(sender),
    U32(window),
    SKIP(4),
    STRING(addr, NGX_CIRA_APF_ADDRESS_MAX, "address too long"),
    U32(port),
    STRING(origin, NGX_CIRA_APF_ADDRESS_MAX, "address too long"),
    U32(origin_port),
    END
};


static ngx_cira_apf_field_t  ngx_cira_apf_confirmation_fields[] = {
    U32(channel), U32(sender), U32(window), SKIP(4), END
};


static ngx_cira_apf_field_t  ngx_cira_apf_failure_fields[] = {
    U32(channel), U32(reason), SKIP(8), END
};


static ngx_cira_apf_field_t  ngx_cira_apf_adjust_fields[] = {
    U32(channel), U32(window), END
};


static ngx_cira_apf_field_t  ngx_cira_apf_data_fields[] = {
    U32(channel),
    { field_data, 0, 0, 0, "data too long" },
    END
};


static ngx_cira_apf_field_t  ngx_cira_apf_close_fields[] = {
    U32(channel), END
};


static ngx_cira_apf_field_t  ngx_cira_apf_version_fields[] = {
    U32(major),
    U32(minor),
    U32(trigger),
    { field_uuid, 0, NGX_CIRA_APF_UUID_LEN, 0, NULL },
    SKIP(64),
    END
};


static ngx_cira_apf_field_t  ngx_cira_apf_keepalive_fields[] = {
    U32(cookie), END
};


static ngx_cira_apf_field_t  ngx_cira_apf_options_fields[] = {
    U32(interval), U32(timeout), END
};


static const ngx_cira_apf_field_t *ngx_cira_apf_fields(ngx_uint_t type);
static ngx_int_t ngx_cira_apf_length(ngx_cira_apf_t *d, u_char **pos,
    u_char *last, uint32_t limit);
static ngx_int_t ngx_cira_apf_string(ngx_cira_apf_t *d, u_char **pos,
    u_char *last);
static ngx_int_t ngx_cira_apf_skip(ngx_cira_apf_t *d, u_char **pos,
    u_char *last);
static ngx_int_t ngx_cira_apf_data(ngx_cira_apf_t *d, u_char **pos,
    u_char *last);
static ngx_int_t ngx_cira_apf_text(ngx_cira_apf_t *d);
static void ngx_cira_apf_next(ngx_cira_apf_t *d);
static ngx_int_t ngx_cira_apf_choose(ngx_cira_apf_t *d);
static ngx_uint_t ngx_cira_apf_eq(ngx_str_t *s, const char *text);
static u_char *ngx_cira_apf_u32(u_char *p, uint32_t n);


void
ngx_cira_apf_init(ngx_cira_apf_t *d, ngx_log_t *log)
{
    ngx_memzero(d, sizeof(ngx_cira_apf_t));
    d->log = log;
}


ngx_uint_t
ngx_cira_apf_known(ngx_uint_t type)
{
    return ngx_cira_apf_fields(type) != NULL;
}


static const ngx_cira_apf_field_t *
ngx_cira_apf_fields(ngx_uint_t type)
{
    switch (type) {

    case NGX_CIRA_APF_DISCONNECT:
        return ngx_cira_apf_disconnect_fields;

    case NGX_CIRA_APF_SERVICE_REQUEST:
        return ngx_cira_apf_service_fields;

    case NGX_CIRA_APF_USERAUTH_REQUEST:
        return ngx_cira_apf_userauth_fields;

    case NGX_CIRA_APF_GLOBAL_REQUEST:
        return ngx_cira_apf_global_fields;

    case NGX_CIRA_APF_CHANNEL_OPEN:
        return ngx_cira_apf_open_fields;

    case NGX_CIRA_APF_CHANNEL_CONFIRMATION:
        return ngx_cira_apf_confirmation_fields;

    case NGX_CIRA_APF_CHANNEL_FAILURE:
        return ngx_cira_apf_failure_fields;

    case NGX_CIRA_APF_CHANNEL_WINDOW_ADJUST:
        return ngx_cira_apf_adjust_fields;

    case NGX_CIRA_APF_CHANNEL_DATA:
        return ngx_cira_apf_data_fields;

    case NGX_CIRA_APF_CHANNEL_CLOSE:
        return ngx_cira_apf_close_fields;

    case NGX_CIRA_APF_PROTOCOLVERSION:
        return ngx_cira_apf_version_fields;

    case NGX_CIRA_APF_KEEPALIVE_REQUEST:
    case NGX_CIRA_APF_KEEPALIVE_REPLY:
        return ngx_cira_apf_keepalive_fields;

    case NGX_CIRA_APF_OPTIONS_REPLY:
        return ngx_cira_apf_options_fields;

    default:
        return NULL;
    }
}


ngx_int_t
ngx_cira_apf_read(ngx_cira_apf_t *d, u_char **pos, u_char *last)
{
    u_char                      *p;
    ngx_int_t                    rc;
    ngx_cira_apf_text_t         *text;
    const ngx_cira_apf_field_t  *f;

    if (d->error) {
        return NGX_ERROR;
    }

    if (d->field == NULL) {
        if (*pos == last) {
            return NGX_AGAIN;
        }

        text = d->msg.text;

        if (text) {
            ngx_explicit_memzero(text, sizeof(ngx_cira_apf_text_t));
        }

        ngx_memzero(&d->msg, sizeof(ngx_cira_apf_msg_t));
        d->msg.text = text;
        d->msg.type = *(*pos)++;
        d->field = ngx_cira_apf_fields(d->msg.type);

        if (d->field == NULL) {
            d->error = "unknown message";
            return NGX_ERROR;
        }
    }

    for ( ;; ) {

        f = d->field;

        switch (f->kind) {

        case field_end:
            d->field = NULL;
            return NGX_OK;

        case field_method:
        case field_request:
            if (ngx_cira_apf_choose(d) != NGX_OK) {
                return NGX_ERROR;
            }

            continue;

        case field_u8:
        case field_zero:

            if (*pos == last) {
                return NGX_AGAIN;
            }

            if (f->kind == field_u8) {
                *((u_char *) &d->msg + f->offset) = *(*pos)++;

            } else if (*(*pos)++ != 0) {
                d->error = f->error;
                d->credentials = f->credentials;
                return NGX_ERROR;
            }

            ngx_cira_apf_next(d);
            continue;

        case field_u32:

            while (d->got < 4) {
                if (*pos == last) {
                    return NGX_AGAIN;
                }

                d->value = d->value << 8 | *(*pos)++;
                d->got++;
            }

            p = (u_char *) &d->msg + f->offset;
            *(uint32_t *) (void *) p = d->value;

            ngx_cira_apf_next(d);
            continue;

        case field_skip:

            if (!d->sized) {
                d->left = f->limit;
                d->sized = 1;
            }

            rc = ngx_cira_apf_skip(d, pos, last);
            break;

        case field_uuid:

            if (ngx_cira_apf_text(d) != NGX_OK) {
                return NGX_ERROR;
            }

            while (d->got < NGX_CIRA_APF_UUID_LEN) {
                if (*pos == last) {
                    return NGX_AGAIN;
                }

                d->msg.text->uuid[d->got++] = *(*pos)++;
            }

            ngx_cira_apf_next(d);
            continue;

        case field_string:
            rc = ngx_cira_apf_length(d, pos, last, f->limit);

            if (rc == NGX_OK) {
                rc = ngx_cira_apf_string(d, pos, last);
            }

            break;

        case field_datagram:
            rc = ngx_cira_apf_length(d, pos, last, f->limit);

            if (rc == NGX_OK) {
                rc = ngx_cira_apf_skip(d, pos, last);
            }

            break;

        default: /* field_data */
            rc = ngx_cira_apf_length(d, pos, last, NGX_CIRA_APF_DATA_MAX);

            if (rc == NGX_OK) {
                return ngx_cira_apf_data(d, pos, last);
            }

            break;
        }

        if (rc != NGX_OK) {
            return rc;
        }
    }
}


/* the u32 length of a string; d->left and d->sized are set at its end */

static ngx_int_t
ngx_cira_apf_length(ngx_cira_apf_t *d, u_char **pos, u_char *last,
    uint32_t limit)
{
    if (d->sized) {
        return NGX_OK;
    }

    while (d->got < 4) {
        if (*pos == last) {
            return NGX_AGAIN;
        }

        d->value = d->value << 8 | *(*pos)++;
        d->got++;
    }

    if (d->value > limit) {
        d->error = d->field->error;
        d->credentials = d->field->credentials;
        return NGX_ERROR;
    }

    d->left = d->value;
    d->sized = 1;

    d->msg.first = 1;
    d->msg.length = d->value;

    return NGX_OK;
}


static ngx_int_t
ngx_cira_apf_string(ngx_cira_apf_t *d, u_char **pos, u_char *last)
{
    size_t                n;
    ngx_str_t            *s;
    ngx_cira_apf_text_t  *text;

    if (ngx_cira_apf_text(d) != NGX_OK) {
        return NGX_ERROR;
    }

    text = d->msg.text;
    s = (ngx_str_t *) (void *) ((u_char *) text + d->field->offset);

    if (s->data == NULL) {

        /* the limits of a message's strings add up to less than the room */

        if (d->left > NGX_CIRA_APF_TEXT_SIZE - text->used) {
            d->error = "strings too long";
            return NGX_ERROR;
        }

        s->data = text->data + text->used;
    }

    n = ngx_min((size_t) d->left, (size_t) (last - *pos));

    ngx_memcpy(s->data + s->len, *pos, n);

    *pos += n;
    s->len += n;
    text->used += n;
    d->left -= (uint32_t) n;

    if (d->left) {
        return NGX_AGAIN;
    }

    ngx_cira_apf_next(d);

    return NGX_OK;
}


static ngx_int_t
ngx_cira_apf_skip(ngx_cira_apf_t *d, u_char **pos, u_char *last)
{
    size_t  n;

    n = ngx_min((size_t) d->left, (size_t) (last - *pos));

    *pos += n;
    d->left -= (uint32_t) n;

    if (d->left) {
        return NGX_AGAIN;
    }

    ngx_cira_apf_next(d);

    return NGX_OK;
}


/* hands out what is there; the head alone counts as a first part */

static ngx_int_t
ngx_cira_apf_data(ngx_cira_apf_t *d, u_char **pos, u_char *last)
{
    size_t  n;

    n = ngx_min((size_t) d->left, (size_t) (last - *pos));

    if (d->got) {
        /* the length was just read */
        d->got = 0;
        d->msg.first = 1;

    } else {
        if (n == 0) {
            return NGX_AGAIN;
        }

        d->msg.first = 0;
    }

    d->msg.data = *pos;
    d->msg.size = n;

    *pos += n;
    d->left -= (uint32_t) n;

    d->msg.last = (d->left == 0);

    if (d->left == 0) {
        d->sized = 0;
        d->value = 0;
        d->field = NULL;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_cira_apf_text(ngx_cira_apf_t *d)
{
    if (d->msg.text) {
        return NGX_OK;
    }

    d->msg.text = ngx_calloc(sizeof(ngx_cira_apf_text_t), d->log);

    if (d->msg.text == NULL) {
        d->error = "no memory";
        return NGX_ERROR;
    }

    return NGX_OK;
}


static void
ngx_cira_apf_next(ngx_cira_apf_t *d)
{
    d->field++;
    d->value = 0;
    d->left = 0;
    d->got = 0;
    d->sized = 0;
}


/* what follows depends on a string; unknown ones have an unknown rest */

static ngx_int_t
ngx_cira_apf_choose(ngx_cira_apf_t *d)
{
    ngx_cira_apf_text_t  *text;

    text = d->msg.text;

    if (text == NULL) {
        d->error = "message without text";
        return NGX_ERROR;
    }

    if (d->field->kind == field_method) {

        if (ngx_cira_apf_eq(&text->method, "password")) {
            d->msg.password = 1;
            d->field = ngx_cira_apf_password_fields;

        } else {
            d->field++;
        }

        return NGX_OK;
    }

    if (ngx_cira_apf_eq(&text->name, "tcpip-forward")) {
        d->msg.request = NGX_CIRA_APF_REQUEST_FORWARD;
        d->field = ngx_cira_apf_forward_fields;

    } else if (ngx_cira_apf_eq(&text->name, "cancel-tcpip-forward")) {
        d->msg.request = NGX_CIRA_APF_REQUEST_CANCEL;
        d->field = ngx_cira_apf_forward_fields;

    } else if (ngx_cira_apf_eq(&text->name, "udp-send-to@amt.intel.com")) {
        d->msg.request = NGX_CIRA_APF_REQUEST_UDP;
        d->field = ngx_cira_apf_udp_fields;

    } else {
        d->msg.request = NGX_CIRA_APF_REQUEST_UNKNOWN;
        d->field++;
    }

    return NGX_OK;
}


static ngx_uint_t
ngx_cira_apf_eq(ngx_str_t *s, const char *text)
{
    return s->len == ngx_strlen(text)
           && ngx_memcmp(s->data, text, s->len) == 0;
}


void
ngx_cira_apf_release(ngx_cira_apf_t *d)
{
    if (d->msg.text) {
        ngx_explicit_memzero(d->msg.text, sizeof(ngx_cira_apf_text_t));
        ngx_free(d->msg.text);
        d->msg.text = NULL;
    }
}


void
ngx_cira_apf_guid(u_char *guid, const u_char *uuid)
{
    ngx_uint_t           i;
    static const u_char  order[] = { 3, 2, 1, 0, 5, 4, 7, 6,
                                     8, 9, 10, 11, 12, 13, 14, 15 };

    for (i = 0; i < NGX_CIRA_APF_UUID_LEN; i++) {
        guid[i] = uuid[order[i]];
    }
}


static u_char *
ngx_cira_apf_u32(u_char *p, uint32_t n)
{
    *p++ = (u_char) (n >> 24);
    *p++ = (u_char) (n >> 16);
    *p++ = (u_char) (n >> 8);
    *p++ = (u_char) n;

    return p;
}


u_char *
ngx_cira_apf_disconnect(u_char *p, uint32_t reason)
{
    *p++ = NGX_CIRA_APF_DISCONNECT;
    p = ngx_cira_apf_u32(p, reason);
    *p++ = 0;
    *p++ = 0;

    return p;
}


u_char *
ngx_cira_apf_service_accept(u_char *p, ngx_str_t *name)
{
    *p++ = NGX_CIRA_APF_SERVICE_ACCEPT;
    p = ngx_cira_apf_u32(p, (uint32_t) name->len);

    return ngx_cpymem(p, name->data, name->len);
}


u_char *
ngx_cira_apf_userauth_failure(u_char *p)
{
    *p++ = NGX_CIRA_APF_USERAUTH_FAILURE;
    p = ngx_cira_apf_u32(p, sizeof("password") - 1);
    p = ngx_cpymem(p, "password", sizeof("password") - 1);
    *p++ = 0;

    return p;
}


u_char *
ngx_cira_apf_userauth_success(u_char *p)
{
    *p++ = NGX_CIRA_APF_USERAUTH_SUCCESS;

    return p;
}


u_char *
ngx_cira_apf_request_success(u_char *p)
{
    *p++ = NGX_CIRA_APF_REQUEST_SUCCESS;

    return p;
}


u_char *
ngx_cira_apf_forward_success(u_char *p, uint32_t port)
{
    *p++ = NGX_CIRA_APF_REQUEST_SUCCESS;

    return ngx_cira_apf_u32(p, port);
}


u_char *
ngx_cira_apf_request_failure(u_char *p)
{
    *p++ = NGX_CIRA_APF_REQUEST_FAILURE;

    return p;
}


u_char *
ngx_cira_apf_channel_open(u_char *p, uint32_t sender, uint32_t window,
    uint32_t port)
{
    /* any originator will do; this one is known to work everywhere */

    static const u_char  type[] = "forwarded-tcpip";
    static const u_char  origin[] = "1.2.3.4";

    *p++ = NGX_CIRA_APF_CHANNEL_OPEN;
    p = ngx_cira_apf_u32(p, sizeof(type) - 1);
    p = ngx_cpymem(p, type, sizeof(type) - 1);
    p = ngx_cira_apf_u32(p, sender);
    p = ngx_cira_apf_u32(p, window);
    p = ngx_cira_apf_u32(p, 0xffffffff);
    p = ngx_cira_apf_u32(p, 0);
    p = ngx_cira_apf_u32(p, port);
    p = ngx_cira_apf_u32(p, sizeof(origin) - 1);
    p = ngx_cpymem(p, origin, sizeof(origin) - 1);

    return ngx_cira_apf_u32(p, 1024);
}


u_char *
ngx_cira_apf_channel_failure(u_char *p, uint32_t channel, uint32_t reason)
{
    *p++ = NGX_CIRA_APF_CHANNEL_FAILURE;
    p = ngx_cira_apf_u32(p, channel);
    p = ngx_cira_apf_u32(p, reason);
    p = ngx_cira_apf_u32(p, 0);

    return ngx_cira_apf_u32(p, 0);
}


u_char *
ngx_cira_apf_window_adjust(u_char *p, uint32_t channel, uint32_t bytes)
{
    *p++ = NGX_CIRA_APF_CHANNEL_WINDOW_ADJUST;
    p = ngx_cira_apf_u32(p, channel);

    return ngx_cira_apf_u32(p, bytes);
}


u_char *
ngx_cira_apf_data_head(u_char *p, uint32_t channel, uint32_t size)
{
    *p++ = NGX_CIRA_APF_CHANNEL_DATA;
    p = ngx_cira_apf_u32(p, channel);

    return ngx_cira_apf_u32(p, size);
}


u_char *
ngx_cira_apf_channel_close(u_char *p, uint32_t channel)
{
    *p++ = NGX_CIRA_APF_CHANNEL_CLOSE;

    return ngx_cira_apf_u32(p, channel);
}


u_char *
ngx_cira_apf_keepalive_request(u_char *p, uint32_t cookie)
{
    *p++ = NGX_CIRA_APF_KEEPALIVE_REQUEST;

    return ngx_cira_apf_u32(p, cookie);
}


u_char *
ngx_cira_apf_keepalive_reply(u_char *p, uint32_t cookie)
{
    *p++ = NGX_CIRA_APF_KEEPALIVE_REPLY;

    return ngx_cira_apf_u32(p, cookie);
}


u_char *
ngx_cira_apf_options_request(u_char *p, uint32_t interval, uint32_t timeout)
{
    *p++ = NGX_CIRA_APF_OPTIONS_REQUEST;
    p = ngx_cira_apf_u32(p, interval);

    return ngx_cira_apf_u32(p, timeout);
}
