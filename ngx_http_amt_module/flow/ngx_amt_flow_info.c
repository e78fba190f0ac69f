
/*
 * What flows do right now, for logs and for amt_status.
 */


#include "flow/ngx_amt_flow_priv.h"


static u_char *ngx_amt_flow_stack(ngx_amt_flow_t *f, u_char *p, u_char *last);


static u_char *
ngx_amt_flow_stack(ngx_amt_flow_t *f, u_char *p, u_char *last)
{
    ngx_uint_t        i, n;
    ngx_amt_frame_t  *fr, *frames[NGX_AMT_FLOW_DEPTH];

    n = 0;

    for (fr = f->priv->top; fr; fr = fr->parent) {
        frames[n++] = fr;
    }

    if (n == 0) {
        return ngx_slprintf(p, last, "%s", f->priv->name);
    }

    for (i = n; i-- > 0; /* void */ ) {
        p = ngx_slprintf(p, last, "%s:%ui%s", frames[i]->name,
                         frames[i]->line, i ? " > " : "");
    }

    return p;
}


u_char *
ngx_amt_flow_line(ngx_amt_flow_t *f, u_char *p, u_char *last)
{
    ngx_msec_t            ms;
    ngx_amt_flow_priv_t  *priv;

    priv = f->priv;
    p = ngx_amt_flow_stack(f, p, last);

    if (priv->seq) {
        ms = ngx_current_msec - priv->since;

        p = ngx_slprintf(p, last, " waiting for %s %M.%Ms", priv->what,
                         ms / 1000, (ms % 1000) / 100);
    }

    return p;
}


u_char *
ngx_amt_flow_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char          *p, *last;
    ngx_amt_flow_t  *f;

    f = log->data;
    last = buf + len;

    p = ngx_slprintf(buf, last, ", flow: \"%s\" ", f->priv->name);

    return ngx_amt_flow_line(f, p, last);
}


void
ngx_amt_flow_each(ngx_amt_flow_each_pt handler, void *data)
{
    u_char                line[NGX_AMT_FLOW_LINE], stack[NGX_AMT_FLOW_LINE];
    ngx_queue_t          *q;
    ngx_amt_flow_t       *f;
    ngx_msec_int_t        left;
    ngx_amt_flow_info_t   info;
    ngx_amt_flow_priv_t  *p;

    if (ngx_amt_flows.next == NULL) {
        return;
    }

    for (q = ngx_queue_head(&ngx_amt_flows);
         q != ngx_queue_sentinel(&ngx_amt_flows);
         q = ngx_queue_next(q))
    {
        f = ngx_amt_flow_of(q);
        p = f->priv;

        ngx_memzero(&info, sizeof(ngx_amt_flow_info_t));

        info.line.data = line;
        info.line.len = ngx_amt_flow_line(f, line, line + sizeof(line))
                        - line;
        info.stack.data = stack;
        info.stack.len = ngx_amt_flow_stack(f, stack, stack + sizeof(stack))
                         - stack;
        info.name = p->name;
        info.age = ngx_current_msec - p->started;

        if (p->seq) {
            info.what = p->what;
            info.waiting = ngx_current_msec - p->since;
        }

        if (f->deadline) {
            left = (ngx_msec_int_t) (f->deadline - ngx_current_msec);
            info.left = (left > 0) ? left : 0;
        }

        info.shielded = (p->shield != 0);
        info.cancelled = (p->stop != NGX_AMT_ERR_NONE);

        handler(data, &info);
    }
}


void
ngx_amt_flow_stats(ngx_amt_flow_stats_t *stats)
{
    *stats = ngx_amt_flow_counters;
}
