
/* Devices of this worker for other modules of it, see ngx_cira_direct.h. */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_stream.h>
#include "ngx_stream_cira.h"
#include "ngx_cira_direct.h"
#include "ngx_cira_worker.h"


ngx_int_t
ngx_cira_direct_evict(ngx_cira_info_t *info)
{
    ngx_cira_session_t  *s;

    if (ngx_cira_worker_id == 0) {
        return NGX_ERROR;
    }

    if (info->worker != ngx_cira_worker_id) {
        return NGX_AGAIN;
    }

    s = ngx_cira_session_find(info->guid);

    if (s == NULL
        || ngx_cira_session_identity(s)->generation != info->generation)
    {
        return NGX_DECLINED;
    }

    ngx_cira_session_close(s, NGX_CIRA_DISCONNECT_NOT_ALLOWED,
                           NGX_CIRA_DIRECT_ENDED);

    return NGX_OK;
}


ngx_int_t
ngx_cira_direct_dial(ngx_cira_info_t *info, ngx_cira_dial_t *d)
{
    ngx_cira_session_t   *s;
    ngx_cira_identity_t  *id;

    d->session = NULL;
    d->channel = NULL;
    d->waiting = 0;

    if (ngx_cira_worker_id == 0 || info->worker != ngx_cira_worker_id) {
        return NGX_AGAIN;
    }

    s = ngx_cira_session_find(info->guid);

    if (s == NULL) {
        return NGX_DONE;
    }

    id = ngx_cira_session_identity(s);

    if (id->tenant.len != info->tenant_len
        || ngx_memcmp(id->tenant.data, info->tenant, id->tenant.len) != 0)
    {
        return NGX_DONE;
    }

    return ngx_cira_channel_dial(s, d);
}
