
/*
 * User name and password: checked against amt_users in a thread, since a
 * password hash takes as long as thousands of requests.
 */


#include "auth/ngx_http_amt_auth_module.h"


#define NGX_AMT_LOGIN_PENDING  32        /* hashes at once, per worker */


typedef struct {
    ngx_uint_t            match;
    ngx_uint_t            never;         /* unknown user: hash all the same */
    ngx_uint_t            checked;       /* the thread is done with it */
    u_char                hash[NGX_AMT_HASH_MAX + 1];
    u_char                password[NGX_AMT_PASSWORD_MAX + 1];
} ngx_amt_login_task_t;


typedef struct {
    ngx_amt_frame_t        frame;
    ngx_http_request_t    *request;
    ngx_amt_identity_t    *id;
    ngx_amt_limit_t       *limit;
    ngx_amt_limit_guess_t  guess;
    ngx_uint_t             counts;       /* an end now is a failure */
    ngx_uint_t             pending;      /* the task is counted */
    ngx_str_t              name;
    u_char                 name_buf[NGX_AMT_NAME_MAX];
    ngx_amt_login_task_t   task;
} ngx_amt_login_t;


static ngx_int_t ngx_amt_login_body(ngx_amt_flow_t *f, void *data);
static void ngx_amt_login_drop(void *data);
static ngx_uint_t ngx_amt_login_prepare(ngx_amt_login_t *v,
    ngx_amt_principals_t *users, ngx_str_t *user, ngx_str_t *password);
static void ngx_amt_login_thread(void *data, ngx_log_t *log);
static void ngx_amt_login_orphan(void *data);
static ngx_int_t ngx_amt_login_finish(ngx_amt_login_t *v);
static ngx_int_t ngx_amt_login_later(ngx_http_request_t *r, time_t seconds);


/* Tasks in the thread pool that this worker started */

static ngx_uint_t  ngx_amt_login_pending;


ngx_int_t
ngx_amt_auth_login(ngx_amt_flow_t *f, ngx_http_request_t *r, ngx_str_t *user,
    ngx_str_t *password, ngx_amt_identity_t *id)
{
    time_t                          wait;
    ngx_amt_login_t                *v;
    ngx_amt_limit_key_t             key;
    ngx_amt_limit_guess_t           guess;
    ngx_http_amt_auth_main_conf_t  *amcf;

    ngx_memzero(id, sizeof(ngx_amt_identity_t));

    amcf = ngx_http_get_module_main_conf(r, ngx_http_amt_auth_module);

    if (amcf->users == NULL) {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_NOT_ALLOWED,
                                  "no amt_users");
    }

    if (ngx_amt_login_pending >= NGX_AMT_LOGIN_PENDING) {
        ngx_log_error(NGX_LOG_WARN, r->connection->log, 0,
                      "login refused: %ui are being checked",
                      ngx_amt_login_pending);

        if (ngx_amt_login_later(r, 1) != NGX_OK) {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
        }

        return ngx_amt_flow_error(f, NGX_AMT_ERR_BUSY,
                                  "too many logins at once");
    }

    if (ngx_amt_limit_key(r, &amcf->limit, NGX_AMT_LIMIT_LOGINS, &key)
        != NGX_OK)
    {
        return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
    }

    if (ngx_amt_limit_guess(&amcf->limit, &key, &guess, &wait) != NGX_OK) {
        ngx_log_error(NGX_LOG_INFO, r->connection->log, 0,
                      "login refused: too many failures of this address");

        if (ngx_amt_login_later(r, wait) != NGX_OK) {
            return ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
        }

        return ngx_amt_flow_error(f, NGX_AMT_ERR_BUSY,
                                  "too many failed logins");
    }

    v = ngx_amt_frame_alloc(f, "login", sizeof(ngx_amt_login_t),
                            ngx_amt_login_body, ngx_amt_login_drop);

    if (v == NULL) {
        ngx_amt_limit_done(&amcf->limit, &guess, 0);

    } else {
        v->request = r;
        v->id = id;
        v->limit = &amcf->limit;
        v->guess = guess;

        if (!ngx_amt_login_prepare(v, ngx_amt_source_table(amcf->users), user,
                                   password))
        {
            v->task.hash[0] = '\0';
        }
    }

    return ngx_amt_call(f, v);
}


static ngx_int_t
ngx_amt_login_body(ngx_amt_flow_t *f, void *data)
{
    ngx_amt_login_t                *v = data;
    ngx_http_amt_auth_main_conf_t  *amcf;

    ngx_amt_begin(f, v);

    v->counts = 1;

    if (v->task.hash[0] == '\0') {
        /* no users at all */
        return NGX_DECLINED;
    }

    amcf = ngx_http_get_module_main_conf(v->request, ngx_http_amt_auth_module);

    ngx_amt_login_pending++;
    v->pending = 1;

    ngx_amt_await_rc(f, v, ngx_amt_flow_thread(f, amcf->pool,
                                               ngx_amt_login_thread,
                                               ngx_amt_login_orphan,
                                               &v->task,
                                               sizeof(ngx_amt_login_task_t)));

    ngx_amt_login_pending--;
    v->pending = 0;

    if (v->frame.rc != NGX_OK) {

        /* the queue is full: no guess was made */

        v->counts = 0;

        if (ngx_amt_login_later(v->request, 1) != NGX_OK) {
            ngx_amt_flow_clear(f);
            v->frame.rc = ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL,
                                             "no memory");
        }

        goto fail;
    }

    if (v->task.match) {

        v->frame.rc = ngx_amt_login_finish(v);

        if (v->frame.rc == NGX_OK) {
            v->counts = 0;
        }

        if (v->frame.rc == NGX_ERROR) {
            v->counts = 0;
            (void) ngx_amt_flow_error(f, NGX_AMT_ERR_INTERNAL, "no memory");
        }

    } else {
        v->frame.rc = NGX_DECLINED;
    }

    if (v->frame.rc == NGX_DECLINED) {
        ngx_log_error(NGX_LOG_INFO, v->request->connection->log, 0,
                      "login failed");
        goto fail;
    }

    if (v->frame.rc != NGX_OK) {
        goto fail;
    }

    ngx_amt_end(f, v);

fail:

    return v->frame.rc;
}


/* Also when the client went away: leaving early saves no failure. */

static void
ngx_amt_login_drop(void *data)
{
    ngx_amt_login_t *v = data;

    ngx_amt_limit_done(v->limit, &v->guess, v->counts);

    /* the thread's answer has come, and nobody took it */

    if (v->pending && v->task.checked) {
        ngx_amt_login_pending--;
    }
}


static ngx_uint_t
ngx_amt_login_prepare(ngx_amt_login_t *v, ngx_amt_principals_t *users,
    ngx_str_t *user, ngx_str_t *password)
{
    ngx_amt_principal_t  *p;

    p = NULL;

    if (user->len && user->len <= NGX_AMT_NAME_MAX) {
        ngx_memcpy(v->name_buf, user->data, user->len);
        v->name.data = v->name_buf;
        v->name.len = user->len;

        p = ngx_amt_principal_find(users, user);
    }

    if (p == NULL) {
        v->task.never = 1;
        p = ngx_amt_users_dummy(users, user);
    }

    if (p == NULL) {
        return 0;
    }

    ngx_memcpy(v->task.hash, p->secret.data, p->secret.len);

    if (password->len == 0 || password->len > NGX_AMT_PASSWORD_MAX
        || ngx_strlchr(password->data, password->data + password->len, '\0'))
    {
        v->task.never = 1;

    } else {
        ngx_memcpy(v->task.password, password->data, password->len);
    }

    return 1;
}


static void
ngx_amt_login_thread(void *data, ngx_log_t *log)
{
    ngx_amt_login_task_t *task = data;

    task->match = ngx_amt_password_verify(task->hash, task->password, log)
                  && !task->never;
    task->checked = 1;

    ngx_explicit_memzero(task->password, sizeof(task->password));
}


static void
ngx_amt_login_orphan(void *data)
{
    ngx_amt_login_pending--;
}


/* The password matched; the user may have changed in the meantime. */

static ngx_int_t
ngx_amt_login_finish(ngx_amt_login_t *v)
{
    ngx_amt_principal_t            *p;
    ngx_http_amt_auth_main_conf_t  *amcf;

    amcf = ngx_http_get_module_main_conf(v->request, ngx_http_amt_auth_module);

    p = ngx_amt_principal_find(ngx_amt_source_table(amcf->users), &v->name);

    if (p == NULL || ngx_strcmp(p->secret.data, v->task.hash) != 0) {
        return NGX_DECLINED;
    }

    return ngx_amt_identity(v->request, "user", p, v->id);
}


static ngx_int_t
ngx_amt_login_later(ngx_http_request_t *r, time_t seconds)
{
    u_char           *p;
    ngx_table_elt_t  *h;

    p = ngx_pnalloc(r->pool, NGX_TIME_T_LEN);
    h = ngx_list_push(&r->headers_out.headers);

    if (h == NULL) {
        return NGX_ERROR;
    }

    ngx_memzero(h, sizeof(ngx_table_elt_t));

    if (p == NULL) {
        /* hash 0: not sent */
        return NGX_ERROR;
    }

    h->hash = 1;
    ngx_str_set(&h->key, "Retry-After");
    h->value.data = p;
    h->value.len = ngx_sprintf(p, "%T", seconds) - p;

    return NGX_OK;
}
