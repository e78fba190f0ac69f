
/*
 * Lines of HTTP heads, see ngx_cira_line.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_line.h"


ngx_int_t
ngx_cira_line_read(ngx_cira_line_t *l, u_char **pos, u_char *last)
{
    u_char  c, *p;

    for (p = *pos; p < last; /* void */ ) {

        if (++l->total > NGX_CIRA_HEAD_MAX) {
            *pos = p;
            return NGX_ERROR;
        }

        c = *p++;

        if (l->cr) {
            l->cr = 0;
            *pos = p;

            return c == LF ? NGX_OK : NGX_ERROR;
        }

        if (c == CR) {
            l->cr = 1;
            continue;
        }

        /* len < total <= NGX_CIRA_HEAD_MAX: there is room */

        if ((c < ' ' && c != '\t') || c == 0x7f) {
            *pos = p;
            return NGX_ERROR;
        }

        l->data[l->len++] = c;
    }

    *pos = p;

    return NGX_AGAIN;
}


ngx_int_t
ngx_cira_line_header(ngx_cira_line_t *l, ngx_str_t *name, ngx_str_t *value)
{
    u_char  c, *p, *last;

    p = l->data;
    last = p + l->len;

    name->data = p;

    for ( /* void */ ; p < last && *p != ':'; p++) {
        c = (u_char) (*p | 0x20);

        if ((c < 'a' || c > 'z') && (*p < '0' || *p > '9')
            && *p != '-' && *p != '_')
        {
            return NGX_ERROR;
        }
    }

    name->len = p - name->data;

    if (name->len == 0 || p == last) {
        return NGX_ERROR;
    }

    p++;

    while (p < last && (*p == ' ' || *p == '\t')) {
        p++;
    }

    while (last > p && (last[-1] == ' ' || last[-1] == '\t')) {
        last--;
    }

    value->data = p;
    value->len = last - p;

    return NGX_OK;
}
