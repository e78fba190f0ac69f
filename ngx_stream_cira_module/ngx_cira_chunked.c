
/*
 * The chunked direction of CIRA-Release, see ngx_cira_request.h: chunks
 * without extensions, and a trailer in which CIRA-State and CIRA-Close mean
 * something.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_request.h"
#include "ngx_cira_line.h"


#define NGX_CIRA_CHUNK_DIGITS  8


ngx_int_t
ngx_cira_chunked_parse(ngx_cira_chunked_t *ch, u_char **pos, u_char *last,
    ngx_str_t *data)
{
    u_char      c, *p;
    ngx_uint_t  i;
    ngx_int_t   rc;
    ngx_str_t   name, value;
    enum {
        sw_size = 0,
        sw_digits,
        sw_size_lf,
        sw_data,
        sw_data_cr,
        sw_data_lf,
        sw_trailer,
        sw_done
    };

    for (p = *pos; p < last && ch->state < sw_trailer; /* void */ ) {

        if (ch->state == sw_data) {
            data->data = p;
            data->len = (size_t) ngx_min(ch->size, (uint64_t) (last - p));

            ch->size -= data->len;

            if (ch->size == 0) {
                ch->state = sw_data_cr;
            }

            *pos = p + data->len;

            return NGX_OK;
        }

        c = *p++;

        switch (ch->state) {

        case sw_size:
            ch->size = 0;
            ch->line.len = 0;
            ch->state = sw_digits;

            /* fall through */

        case sw_digits:

            if (c == CR && ch->line.len) {
                ch->state = sw_size_lf;
                break;
            }

            if (ch->line.len++ == NGX_CIRA_CHUNK_DIGITS) {
                return NGX_ERROR;
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

            ch->size = ch->size << 4 | c;
            break;

        case sw_size_lf:

            if (c != LF) {
                return NGX_ERROR;
            }

            if (ch->size) {
                ch->state = sw_data;
                break;
            }

            ch->state = sw_trailer;
            ch->line.len = 0;
            break;

        case sw_data_cr:

            if (c != CR) {
                return NGX_ERROR;
            }

            ch->state = sw_data_lf;
            break;

        default: /* sw_data_lf */

            if (c != LF) {
                return NGX_ERROR;
            }

            ch->state = sw_size;
        }
    }

    *pos = p;

    if (ch->state < sw_trailer) {
        return NGX_AGAIN;
    }

    if (ch->state == sw_done) {
        return NGX_DONE;
    }

    for ( ;; ) {
        rc = ngx_cira_line_read(&ch->line, pos, last);

        if (rc != NGX_OK) {
            return rc;
        }

        if (ch->line.len == 0) {
            ch->state = sw_done;
            return NGX_DONE;
        }

        if (ngx_cira_line_header(&ch->line, &name, &value) != NGX_OK) {
            return NGX_ERROR;
        }

        ch->line.len = 0;

        if (name.len == sizeof("CIRA-Close") - 1
            && ngx_strncasecmp(name.data, (u_char *) "CIRA-Close", name.len)
               == 0)
        {
            if (ch->close || value.len != 1 || value.data[0] != '1') {
                return NGX_ERROR;
            }

            ch->close = 1;
            continue;
        }

        if (name.len != sizeof("CIRA-State") - 1
            || ngx_strncasecmp(name.data, (u_char *) "CIRA-State", name.len)
               != 0)
        {
            continue;
        }

        if (ch->has_state || value.len > NGX_CIRA_STATE_MAX) {
            return NGX_ERROR;
        }

        /* base64url: it comes back in the head of another answer */

        for (i = 0; i < value.len; i++) {
            c = (u_char) (value.data[i] | 0x20);

            if ((c < 'a' || c > 'z')
                && (value.data[i] < '0' || value.data[i] > '9')
                && value.data[i] != '-' && value.data[i] != '_'
                && value.data[i] != '=')
            {
                return NGX_ERROR;
            }
        }

        ngx_memcpy(ch->state_data, value.data, value.len);
        ch->state_len = value.len;
        ch->has_state = 1;
    }
}
