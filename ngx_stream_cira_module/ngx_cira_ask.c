
/*
 * Questions between workers, see ngx_cira_ask.h.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include "ngx_cira_ask.h"
#include "ngx_cira_worker.h"


/* of this worker */
static ngx_cira_ask_pt  ngx_cira_ask_handler;


ngx_int_t
ngx_cira_ask(const u_char *guid, uint64_t question)
{
    return ngx_cira_ask_handler ? ngx_cira_ask_handler(guid, question)
                                : NGX_DECLINED;
}


void
ngx_cira_ask_answer(ngx_cira_ask_pt handler)
{
    ngx_cira_ask_handler = handler;
}


uint64_t
ngx_cira_ask_self(void)
{
    return ngx_cira_worker_id;
}


ngx_uint_t
ngx_cira_ask_others(ngx_cira_other_t *others, ngx_uint_t n)
{
    ngx_uint_t                i, k;
    ngx_cira_table_t         *t;
    ngx_cira_table_worker_t  *w;

    t = ngx_cira_zone_table();

    if (t == NULL) {
        return 0;
    }

    ngx_cira_table_lock(t);

    for (i = 0, k = 0; i < NGX_CIRA_TABLE_WORKERS && k < n; i++) {
        w = &t->workers[i];

        if (w->id && w->id != ngx_cira_worker_id) {
            others[k].id = w->id;
            ngx_memcpy(others[k].socket, w->socket, sizeof(w->socket));
            k++;
        }
    }

    ngx_cira_table_unlock(t);

    return k;
}
