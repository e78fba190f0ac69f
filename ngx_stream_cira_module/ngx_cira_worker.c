
/*
 * A worker's id, private CONNECT listener and sweep, see ngx_cira_worker.h.
 *
 * The listener is not in cycle->listening: it has to stay open and accept
 * while the worker is exiting, so that its devices stay reachable.  Its
 * connections run the cira_connect content handler directly: access rules and
 * TLS of the server whose configuration they use are for others.
 */


#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_stream.h>
#include "ngx_cira_zone.h"
#include "ngx_cira_worker.h"
#include "ngx_cira_peer.h"
#include "ngx_cira_relay.h"
#include "ngx_cira_session.h"


#define NGX_CIRA_WORKER_SWEEP    5000    /* ms */
#define NGX_CIRA_WORKER_BACKLOG  511
#define NGX_CIRA_WORKER_ACCEPT   32      /* connections per event */
#define NGX_CIRA_WORKER_PAUSE    500     /* ms without accept() after EMFILE */
#define NGX_CIRA_WORKER_STALE    60      /* s, name of a start that failed */


static ngx_int_t ngx_cira_worker_listen(ngx_cycle_t *cycle);
static ngx_socket_t ngx_cira_worker_bind(ngx_cycle_t *cycle, u_char *path);
static void ngx_cira_worker_unlisten(void);
static void ngx_cira_worker_accept(ngx_event_t *ev);
static void ngx_cira_worker_resume(ngx_event_t *ev);
static void ngx_cira_worker_pause(ngx_event_t *ev);
static void ngx_cira_worker_connection(ngx_socket_t s, ngx_log_t *log);
static ngx_int_t ngx_cira_worker_session(ngx_connection_t *c);
static u_char *ngx_cira_worker_log_error(ngx_log_t *log, u_char *buf,
    size_t len);
static void ngx_cira_worker_timer(ngx_event_t *ev);
static void ngx_cira_worker_present(ngx_log_t *log);
static void ngx_cira_worker_sweep(ngx_log_t *log);
static void ngx_cira_worker_directory(ngx_log_t *log);
static ngx_int_t ngx_cira_worker_name(ngx_str_t *name, uint64_t *id);


uint64_t                       ngx_cira_worker_id;

static ngx_str_t               ngx_cira_worker_path;
static ngx_stream_conf_ctx_t  *ngx_cira_worker_ctx;
static ngx_connection_t       *ngx_cira_worker_listener;
static u_char                  ngx_cira_worker_name_data[NGX_MAX_PATH];
static ngx_listening_t         ngx_cira_worker_ls;
static struct sockaddr_un      ngx_cira_worker_sun;
static ngx_event_t             ngx_cira_worker_event;
static ngx_connection_t        ngx_cira_worker_dummy;
static ngx_uint_t              ngx_cira_worker_swept;


ngx_int_t
ngx_cira_worker_init(ngx_cycle_t *cycle, ngx_cira_zone_conf_t *conf)
{
    ngx_event_t  *ev;

    ngx_cira_worker_path = conf->path->name;
    ngx_cira_worker_ctx = conf->ctx;

    /*
     * Process id below the time in milliseconds: two processes of one host
     * never share both.  Hosts that share cira_path are told apart by bind().
     */

    ngx_cira_worker_id = (uint64_t) ngx_cira_zone_now() << 22
                         | ((uint64_t) ngx_pid & 0x3fffff);

    if (ngx_cira_worker_ctx && ngx_cira_worker_listen(cycle) != NGX_OK) {
        ngx_log_error(NGX_LOG_CRIT, cycle->log, 0,
                      "this worker's devices are out of reach for others; "
                      "trying again");
    }

    ev = &ngx_cira_worker_event;

    ngx_memzero(ev, sizeof(ngx_event_t));
    ngx_cira_worker_dummy.fd = (ngx_socket_t) -1;
    ev->data = &ngx_cira_worker_dummy;
    ev->handler = ngx_cira_worker_timer;
    ev->log = cycle->log;
    ev->cancelable = 1;

    /* soon: another worker may just have been killed, or upgraded */

    ngx_add_timer(ev, 1);

    return NGX_OK;
}


void
ngx_cira_worker_exit(ngx_cycle_t *cycle)
{
    ngx_cira_session_t  *s;

    /* fast shutdown: there is no loop any more in which they could end */

    ngx_cira_relay_close("worker exit");

    while ((s = ngx_cira_session_next(NULL)) != NULL) {
        ngx_cira_session_close(s, NGX_CIRA_DISCONNECT_APPLICATION,
                               "worker exit");
        ngx_cira_session_run(s);
    }

    /* nobody may take the missing socket for a death that nobody reported */

    ngx_cira_zone_bury(ngx_cira_worker_id, "worker exit", cycle->log);

    ngx_cira_worker_unlisten();
    ngx_cira_peer_exit();

    if (ngx_cira_worker_event.timer_set) {
        ngx_del_timer(&ngx_cira_worker_event);
    }
}


u_char *
ngx_cira_worker_socket(void)
{
    return (u_char *) ngx_cira_worker_sun.sun_path;
}


ngx_uint_t
ngx_cira_worker_private(ngx_connection_t *c)
{
    return c->listening == &ngx_cira_worker_ls;
}


void
ngx_cira_worker_dead(uint64_t id, u_char *socket, ngx_log_t *log)
{
    if (id == ngx_cira_worker_id) {
        return;
    }

    ngx_cira_zone_bury(id, "worker died", log);

    if (ngx_delete_file(socket) == NGX_FILE_ERROR
        && ngx_errno != NGX_ENOENT)
    {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      ngx_delete_file_n " \"%s\" failed", socket);
    }
}


static ngx_int_t
ngx_cira_worker_listen(ngx_cycle_t *cycle)
{
    u_char             *p, *path;
    ngx_int_t           rc;
    ngx_socket_t        s;
    ngx_listening_t    *ls;
    ngx_connection_t   *c;
    ngx_cira_table_t   *t;

    path = ngx_cira_worker_name_data;

    p = ngx_snprintf(path, NGX_MAX_PATH - 1, "%V/%016xL.sock",
                     &ngx_cira_worker_path, ngx_cira_worker_id);
    *p = '\0';

    s = ngx_cira_worker_bind(cycle, path);

    if (s == (ngx_socket_t) -1) {
        return NGX_ERROR;
    }

    ngx_memzero(&ngx_cira_worker_sun, sizeof(struct sockaddr_un));
    ngx_cira_worker_sun.sun_family = AF_UNIX;
    ngx_cpystrn((u_char *) ngx_cira_worker_sun.sun_path, path,
                sizeof(ngx_cira_worker_sun.sun_path));

    ls = &ngx_cira_worker_ls;

    ngx_memzero(ls, sizeof(ngx_listening_t));
    ls->fd = s;
    ls->sockaddr = (struct sockaddr *) &ngx_cira_worker_sun;
    ls->socklen = sizeof(struct sockaddr_un);
    ls->type = SOCK_STREAM;
    ls->addr_text.data = path;
    ls->addr_text.len = ngx_strlen(path);
    ls->log = *cycle->log;

    c = ngx_get_connection(s, cycle->log);
    if (c == NULL) {
        goto failed;
    }

    c->type = SOCK_STREAM;
    c->log = cycle->log;
    c->listening = ls;

    /* "accept": not an open socket that was forgotten, when nginx exits */

    c->read->accept = 1;
    c->read->log = cycle->log;
    c->read->handler = ngx_cira_worker_accept;
    c->read->cancelable = 1;
    c->write->log = cycle->log;

    ls->connection = c;
    ngx_cira_worker_listener = c;

    if (ngx_add_event(c->read, NGX_READ_EVENT, 0) == NGX_ERROR) {
        ngx_cira_worker_unlisten();
        return NGX_ERROR;
    }

    t = ngx_cira_zone_table();

    ngx_cira_table_lock(t);

    rc = ngx_cira_table_worker_add(t, ngx_cira_worker_id, ngx_pid, path, 0)
         ? NGX_OK : NGX_ERROR;

    ngx_cira_table_unlock(t);

    if (rc == NGX_ERROR) {
        ngx_log_error(NGX_LOG_CRIT, cycle->log, 0,
                      "more than %d workers in one cira zone",
                      NGX_CIRA_TABLE_WORKERS);
        ngx_cira_worker_unlisten();
    }

    return rc;

failed:

    if (ngx_close_socket(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_socket_errno,
                      ngx_close_socket_n " failed");
    }

    (void) ngx_delete_file(path);

    return NGX_ERROR;
}


/*
 * The socket appears under its name when it listens already, since a refused
 * connection there means that the worker is dead.
 */

static ngx_socket_t
ngx_cira_worker_bind(ngx_cycle_t *cycle, u_char *path)
{
    u_char              *p;
    mode_t               mask;
    ngx_int_t            rc;
    ngx_socket_t         s;
    struct sockaddr_un   sun;

    s = ngx_socket(AF_UNIX, SOCK_STREAM, 0);

    if (s == (ngx_socket_t) -1) {
        ngx_log_error(NGX_LOG_CRIT, cycle->log, ngx_socket_errno,
                      ngx_socket_n " failed");
        return s;
    }

    ngx_memzero(&sun, sizeof(struct sockaddr_un));
    sun.sun_family = AF_UNIX;

    p = ngx_snprintf((u_char *) sun.sun_path, sizeof(sun.sun_path) - 1,
                     "%V/%016xL.tmp", &ngx_cira_worker_path,
                     ngx_cira_worker_id);
    *p = '\0';

    /* of an attempt of this process: nobody else has its id */

    (void) ngx_delete_file((u_char *) sun.sun_path);

    mask = umask(0177);

    rc = bind(s, (struct sockaddr *) &sun, sizeof(struct sockaddr_un));

    (void) umask(mask);

    if (rc == -1) {
        ngx_log_error(NGX_LOG_CRIT, cycle->log, ngx_socket_errno,
                      "bind() to unix:%s failed", sun.sun_path);
        goto failed;
    }

    if (ngx_nonblocking(s) == -1
        || listen(s, NGX_CIRA_WORKER_BACKLOG) == -1
        || ngx_rename_file((u_char *) sun.sun_path, path) == NGX_FILE_ERROR)
    {
        ngx_log_error(NGX_LOG_CRIT, cycle->log, ngx_errno,
                      "listen on unix:%s failed", path);

        (void) ngx_delete_file((u_char *) sun.sun_path);
        goto failed;
    }

    return s;

failed:

    if (ngx_close_socket(s) == -1) {
        ngx_log_error(NGX_LOG_ALERT, cycle->log, ngx_socket_errno,
                      ngx_close_socket_n " failed");
    }

    return (ngx_socket_t) -1;
}


static void
ngx_cira_worker_unlisten(void)
{
    ngx_connection_t  *c;

    c = ngx_cira_worker_listener;

    if (c == NULL) {
        return;
    }

    ngx_cira_worker_listener = NULL;

    if (ngx_delete_file(ngx_cira_worker_name_data) == NGX_FILE_ERROR
        && ngx_errno != NGX_ENOENT)
    {
        ngx_log_error(NGX_LOG_ERR, c->log, ngx_errno,
                      ngx_delete_file_n " \"%s\" failed",
                      ngx_cira_worker_name_data);
    }

    ngx_close_connection(c);
}


static void
ngx_cira_worker_accept(ngx_event_t *ev)
{
    ngx_err_t          err;
    ngx_uint_t         n;
    ngx_socket_t       s;
    ngx_connection_t  *lc;

    lc = ev->data;

    if (ev->timedout) {
        ev->timedout = 0;
        ngx_cira_worker_resume(ev);
        return;
    }

    for (n = 0; n < NGX_CIRA_WORKER_ACCEPT; n++) {

#if (NGX_HAVE_ACCEPT4)
        s = accept4(lc->fd, NULL, NULL, SOCK_NONBLOCK);
#else
        s = accept(lc->fd, NULL, NULL);
#endif

        if (s == (ngx_socket_t) -1) {
            err = ngx_socket_errno;

            if (err == NGX_EAGAIN) {
                return;
            }

            if (err == NGX_ECONNABORTED || err == NGX_EINTR) {
                continue;
            }

            ngx_log_error(NGX_LOG_CRIT, ev->log, err,
                          "accept() on unix:%s failed",
                          ngx_cira_worker_name_data);

            /*
             * The event is level-triggered, and what accept() wants, a file
             * descriptor, is not what it waits for.
             */

            ngx_cira_worker_pause(ev);
            return;
        }

#if !(NGX_HAVE_ACCEPT4)
        if (ngx_nonblocking(s) == -1) {
            ngx_log_error(NGX_LOG_ALERT, ev->log, ngx_socket_errno,
                          ngx_nonblocking_n " failed");
            (void) ngx_close_socket(s);
            continue;
        }
#endif

        ngx_cira_worker_connection(s, ev->log);
    }
}


static void
ngx_cira_worker_pause(ngx_event_t *ev)
{
    if (ngx_del_event(ev, NGX_READ_EVENT, NGX_DISABLE_EVENT) == NGX_ERROR) {
        return;
    }

    ngx_add_timer(ev, NGX_CIRA_WORKER_PAUSE);
}


static void
ngx_cira_worker_resume(ngx_event_t *ev)
{
    if (!ev->active && ngx_add_event(ev, NGX_READ_EVENT, 0) == NGX_ERROR) {
        ngx_add_timer(ev, NGX_CIRA_WORKER_PAUSE);
    }
}


static void
ngx_cira_worker_connection(ngx_socket_t s, ngx_log_t *log)
{
    socklen_t          len;
    ngx_log_t         *clog;
    struct ucred       cred;
    ngx_connection_t  *c;

    len = sizeof(struct ucred);
    cred.uid = (uid_t) -1;

    if (getsockopt(s, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1
        || (cred.uid != geteuid() && cred.uid != 0))
    {
        ngx_log_error(NGX_LOG_ERR, log, 0, "connection of uid %d to unix:%s "
                      "refused", (int) cred.uid, ngx_cira_worker_name_data);

        (void) ngx_close_socket(s);
        return;
    }

    c = ngx_get_connection(s, log);

    if (c == NULL) {
        (void) ngx_close_socket(s);
        return;
    }

    c->type = SOCK_STREAM;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_accepted, 1);
    (void) ngx_atomic_fetch_add(ngx_stat_handled, 1);
    (void) ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif

    c->pool = ngx_create_pool(1024, log);
    if (c->pool == NULL) {
        ngx_cira_worker_close(c);
        return;
    }

    clog = ngx_palloc(c->pool, sizeof(ngx_log_t));
    c->sockaddr = ngx_pcalloc(c->pool, sizeof(struct sockaddr_un));

    if (clog == NULL || c->sockaddr == NULL) {
        ngx_cira_worker_close(c);
        return;
    }

    *clog = *log;
    clog->data = NULL;
    clog->handler = NULL;

    c->sockaddr->sa_family = AF_UNIX;
    c->socklen = sizeof(sa_family_t);
    ngx_str_set(&c->addr_text, "unix:");

    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;

    c->log = clog;
    c->pool->log = clog;
    c->read->log = clog;
    c->write->log = clog;
    c->write->ready = 1;

    c->listening = &ngx_cira_worker_ls;
    c->local_sockaddr = ngx_cira_worker_ls.sockaddr;
    c->local_socklen = ngx_cira_worker_ls.socklen;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;

    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    c->start_time = ngx_current_msec;

    if (ngx_add_conn && (ngx_event_flags & NGX_USE_EPOLL_EVENT) == 0
        && ngx_add_conn(c) == NGX_ERROR)
    {
        ngx_cira_worker_close(c);
        return;
    }

    if (ngx_cira_worker_session(c) != NGX_OK) {
        ngx_cira_worker_close(c);
        return;
    }

    ngx_stream_cira_connect_handler(c->data);
}


/* What ngx_stream_init_connection() does, without its phases. */

static ngx_int_t
ngx_cira_worker_session(ngx_connection_t *c)
{
    ngx_time_t                   *tp;
    ngx_stream_session_t         *s;
    ngx_stream_core_srv_conf_t   *cscf;
    ngx_stream_core_main_conf_t  *cmcf;

    s = ngx_pcalloc(c->pool, sizeof(ngx_stream_session_t));
    if (s == NULL) {
        return NGX_ERROR;
    }

    s->signature = NGX_STREAM_MODULE;
    s->main_conf = ngx_cira_worker_ctx->main_conf;
    s->srv_conf = ngx_cira_worker_ctx->srv_conf;
    s->connection = c;
    c->data = s;

    cmcf = ngx_stream_get_module_main_conf(s, ngx_stream_core_module);
    cscf = ngx_stream_get_module_srv_conf(s, ngx_stream_core_module);

    ngx_set_connection_log(c, cscf->error_log);

    c->log->connection = c->number;
    c->log->handler = ngx_cira_worker_log_error;
    c->log->data = s;
    c->log->action = "initializing session";
    c->log_error = NGX_ERROR_INFO;

    s->ctx = ngx_pcalloc(c->pool, sizeof(void *) * ngx_stream_max_module);
    if (s->ctx == NULL) {
        return NGX_ERROR;
    }

    s->variables = ngx_pcalloc(c->pool, cmcf->variables.nelts
                                        * sizeof(ngx_stream_variable_value_t));
    if (s->variables == NULL) {
        return NGX_ERROR;
    }

    tp = ngx_timeofday();
    s->start_sec = tp->sec;
    s->start_msec = tp->msec;

    return NGX_OK;
}


void
ngx_cira_worker_close(ngx_connection_t *c)
{
    ngx_pool_t  *pool;

#if (NGX_STAT_STUB)
    (void) ngx_atomic_fetch_add(ngx_stat_active, -1);
#endif

    pool = c->pool;

    ngx_close_connection(c);

    if (pool) {
        ngx_destroy_pool(pool);
    }
}


static u_char *
ngx_cira_worker_log_error(ngx_log_t *log, u_char *buf, size_t len)
{
    u_char                *p;
    ngx_stream_session_t  *s;

    if (log->action) {
        p = ngx_snprintf(buf, len, " while %s", log->action);
        len -= p - buf;
        buf = p;
    }

    p = ngx_snprintf(buf, len, ", client: unix:, server: private");
    len -= p - buf;
    buf = p;

    s = log->data;

    return s->log_handler ? s->log_handler(log, buf, len) : buf;
}


static void
ngx_cira_worker_timer(ngx_event_t *ev)
{
    int64_t            now;
    ngx_uint_t         due;
    ngx_cira_table_t  *t;

    ngx_cira_worker_present(ev->log);

    ngx_cira_zone_resync(0, ev->log);

    /* one worker of a zone sweeps at a time; a new one does so at once */

    t = ngx_cira_zone_table();
    now = ngx_cira_zone_now();

    ngx_cira_table_lock(t);

    due = !ngx_cira_worker_swept || now < t->swept
          || now - t->swept >= NGX_CIRA_WORKER_SWEEP - 500;

    if (due) {
        t->swept = now;
    }

    ngx_cira_table_unlock(t);

    ngx_cira_worker_swept = 1;

    if (due) {
        ngx_cira_zone_expire(ev->log);
    }

    if (due && ngx_cira_worker_ctx) {
        ngx_cira_worker_sweep(ev->log);
    }

    ngx_add_timer(ev, NGX_CIRA_WORKER_SWEEP);
}


/*
 * A worker that was taken for dead - its socket was removed by someone, it
 * could not listen, or the zone lost its slot - becomes present again.
 */

static void
ngx_cira_worker_present(ngx_log_t *log)
{
    ngx_uint_t         known;
    ngx_cira_table_t  *t;
    ngx_file_info_t    fi;

    if (ngx_cira_worker_ctx == NULL) {
        return;
    }

    t = ngx_cira_zone_table();

    ngx_cira_table_lock(t);
    known = ngx_cira_table_worker(t, ngx_cira_worker_id) != NULL;
    ngx_cira_table_unlock(t);

    if (known && ngx_cira_worker_listener
        && ngx_file_info(ngx_cira_worker_name_data, &fi) != NGX_FILE_ERROR)
    {
        return;
    }

    ngx_log_error(NGX_LOG_WARN, log, 0,
                  "private listener of this worker is missing, opening it");

    ngx_cira_worker_unlisten();

    if (ngx_cira_worker_listen((ngx_cycle_t *) ngx_cycle) == NGX_OK) {
        ngx_cira_zone_resync(1, log);
    }
}


static void
ngx_cira_worker_sweep(ngx_log_t *log)
{
    ngx_int_t                 rc;
    ngx_uint_t                i;
    ngx_cira_table_t         *t;
    ngx_cira_table_worker_t   workers[NGX_CIRA_TABLE_WORKERS];

    t = ngx_cira_zone_table();

    ngx_cira_table_lock(t);
    ngx_memcpy(workers, t->workers, sizeof(workers));
    ngx_cira_table_unlock(t);

    for (i = 0; i < NGX_CIRA_TABLE_WORKERS; i++) {

        if (workers[i].id == 0 || workers[i].id == ngx_cira_worker_id) {
            continue;
        }

        rc = ngx_cira_peer_connect(workers[i].socket, log, NULL);

        if (rc == NGX_DECLINED) {
            ngx_cira_worker_dead(workers[i].id, workers[i].socket, log);

        } else if (rc == NGX_OK && workers[i].foreign) {
            ngx_cira_peer_import(workers[i].id, workers[i].socket);
        }
    }

    ngx_cira_worker_directory(log);
}


/* Sockets of workers that this zone does not know: upgrade, new zone. */

static void
ngx_cira_worker_directory(ngx_log_t *log)
{
    u_char             path[NGX_MAX_PATH];
    uint64_t           id;
    ngx_dir_t          dir;
    ngx_int_t          rc;
    ngx_str_t          name;
    ngx_uint_t         known;
    ngx_cira_table_t  *t;

    if (ngx_open_dir(&ngx_cira_worker_path, &dir) == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ERR, log, ngx_errno,
                      ngx_open_dir_n " \"%V\" failed", &ngx_cira_worker_path);
        return;
    }

    t = ngx_cira_zone_table();

    while (ngx_read_dir(&dir) == NGX_OK) {

        name.data = ngx_de_name(&dir);
        name.len = ngx_de_namelen(&dir);

        rc = ngx_cira_worker_name(&name, &id);

        if (rc == NGX_DECLINED) {
            continue;
        }

        (void) ngx_snprintf(path, NGX_MAX_PATH, "%V/%V%Z",
                            &ngx_cira_worker_path, &name);

        if (rc == NGX_DONE) {

            /* a start that failed between bind() and rename() */

            if (ngx_de_info(path, &dir) != NGX_FILE_ERROR
                && ngx_time() - ngx_de_mtime(&dir) > NGX_CIRA_WORKER_STALE)
            {
                (void) ngx_delete_file(path);
            }

            continue;
        }

        ngx_cira_table_lock(t);
        known = ngx_cira_table_worker(t, id) != NULL;
        ngx_cira_table_unlock(t);

        if (known || id == ngx_cira_worker_id) {
            continue;
        }

        rc = ngx_cira_peer_connect(path, log, NULL);

        if (rc == NGX_DECLINED) {
            ngx_log_error(NGX_LOG_NOTICE, log, 0,
                          "removing socket \"%s\" of a dead worker", path);

            ngx_cira_worker_dead(id, path, log);
            continue;
        }

        if (rc != NGX_OK) {
            continue;
        }

        ngx_cira_table_lock(t);

        /* it may have registered itself meanwhile */

        known = ngx_cira_table_worker(t, id) != NULL
                || ngx_cira_table_worker_add(t, id, 0, path, 1) == NULL;

        ngx_cira_table_unlock(t);

        if (!known) {
            ngx_log_error(NGX_LOG_NOTICE, log, 0,
                          "importing devices of worker %016xL", id);

            ngx_cira_peer_import(id, path);
        }
    }

    if (ngx_close_dir(&dir) == NGX_ERROR) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno,
                      ngx_close_dir_n " \"%V\" failed", &ngx_cira_worker_path);
    }
}


/* NGX_OK: a worker's socket; NGX_DONE: one not listening yet; NGX_DECLINED */

static ngx_int_t
ngx_cira_worker_name(ngx_str_t *name, uint64_t *id)
{
    u_char      c;
    uint64_t    n;
    ngx_uint_t  i;

    if (name->len < 16) {
        return NGX_DECLINED;
    }

    for (n = 0, i = 0; i < 16; i++) {
        c = name->data[i];

        if (c >= '0' && c <= '9') {
            c -= '0';

        } else if (c >= 'a' && c <= 'f') {
            c -= 'a' - 10;

        } else {
            return NGX_DECLINED;
        }

        n = n << 4 | c;
    }

    *id = n;

    if (n && name->len == 21 && ngx_memcmp(name->data + 16, ".sock", 5) == 0) {
        return NGX_OK;
    }

    if (name->len == 20 && ngx_memcmp(name->data + 16, ".tmp", 4) == 0) {
        return NGX_DONE;
    }

    return NGX_DECLINED;
}
