
/*
 * The mutex of a shared memory zone, for both planes.  When a worker dies
 * nginx's master releases the mutexes of its current configuration; those of
 * zones that a reload has replaced or dropped are out of its reach, although
 * exiting workers still use them.  Therefore waiting for the lock also looks
 * whether its holder is alive.
 */


#ifndef _NGX_CIRA_LOCK_H_INCLUDED_
#define _NGX_CIRA_LOCK_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_CIRA_LOCK_SPIN   2048        /* tries before the holder is asked */


/*
 * Locks a zone; name is for the log.  What is behind the lock has to bear a
 * holder that died at any instruction.  Released by ngx_shmtx_unlock().
 */

static ngx_inline void
ngx_cira_lock(ngx_slab_pool_t *shpool, const char *name)
{
    ngx_uint_t    i;
    ngx_shmtx_t  *mtx;
#if (NGX_HAVE_ATOMIC_OPS)
    ngx_pid_t     holder;
#endif

    mtx = &shpool->mutex;

    for (i = 1; !ngx_shmtx_trylock(mtx); i++) {

        if (i % 16) {
            ngx_cpu_pause();
            continue;
        }

        ngx_sched_yield();

        if (i % NGX_CIRA_LOCK_SPIN) {
            continue;
        }

#if (NGX_HAVE_ATOMIC_OPS)
        holder = (ngx_pid_t) *mtx->lock;

        if (holder != 0 && kill(holder, 0) == -1 && ngx_errno == ESRCH
            && ngx_shmtx_force_unlock(mtx, holder))
        {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "%s was locked by %P, which is gone", name, holder);
            continue;
        }
#endif

        ngx_msleep(1);
    }
}


#endif /* _NGX_CIRA_LOCK_H_INCLUDED_ */
