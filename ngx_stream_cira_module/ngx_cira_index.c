
/*
 * The logged-in sessions of this worker by GUID, and what others ask of one
 * of them.
 */


#include "ngx_cira_session.h"


static ngx_cira_session_t *ngx_cira_index_session(ngx_rbtree_node_t *node);
static void ngx_cira_index_insert_value(ngx_rbtree_node_t *temp,
    ngx_rbtree_node_t *node, ngx_rbtree_node_t *sentinel);


static ngx_rbtree_t       ngx_cira_index;
static ngx_rbtree_node_t  ngx_cira_index_sentinel;


static ngx_cira_session_t *
ngx_cira_index_session(ngx_rbtree_node_t *node)
{
    return (ngx_cira_session_t *) (void *)
               ((u_char *) node - offsetof(ngx_cira_session_t, node));
}


void
ngx_cira_index_insert(ngx_cira_session_t *s)
{
    if (ngx_cira_index.root == NULL) {
        ngx_rbtree_init(&ngx_cira_index, &ngx_cira_index_sentinel,
                        ngx_cira_index_insert_value);
    }

    s->node.key = 0;
    ngx_rbtree_insert(&ngx_cira_index, &s->node);
}


void
ngx_cira_index_delete(ngx_cira_session_t *s)
{
    ngx_rbtree_delete(&ngx_cira_index, &s->node);
}


static void
ngx_cira_index_insert_value(ngx_rbtree_node_t *temp, ngx_rbtree_node_t *node,
    ngx_rbtree_node_t *sentinel)
{
    ngx_rbtree_node_t  **p;

    for ( ;; ) {
        p = ngx_memcmp(ngx_cira_index_session(node)->id.guid,
                       ngx_cira_index_session(temp)->id.guid,
                       NGX_CIRA_GUID_LEN)
            < 0 ? &temp->left : &temp->right;

        if (*p == sentinel) {
            break;
        }

        temp = *p;
    }

    *p = node;
    node->parent = temp;
    node->left = sentinel;
    node->right = sentinel;
    ngx_rbt_red(node);
}


ngx_cira_session_t *
ngx_cira_session_find(const u_char *guid)
{
    ngx_int_t            rc;
    ngx_rbtree_node_t   *node;
    ngx_cira_session_t  *s;

    node = ngx_cira_index.root;

    while (node && node != &ngx_cira_index_sentinel) {
        s = ngx_cira_index_session(node);

        rc = ngx_memcmp(guid, s->id.guid, NGX_CIRA_GUID_LEN);

        if (rc == 0) {
            return s;
        }

        node = (rc < 0) ? node->left : node->right;
    }

    return NULL;
}


ngx_cira_session_t *
ngx_cira_session_next(const u_char *guid)
{
    ngx_rbtree_node_t   *node;
    ngx_cira_session_t  *s, *next;

    node = ngx_cira_index.root;
    next = NULL;

    while (node && node != &ngx_cira_index_sentinel) {
        s = ngx_cira_index_session(node);

        if (guid == NULL
            || ngx_memcmp(guid, s->id.guid, NGX_CIRA_GUID_LEN) < 0)
        {
            next = s;
            node = node->left;

        } else {
            node = node->right;
        }
    }

    return next;
}


ngx_cira_identity_t *
ngx_cira_session_identity(ngx_cira_session_t *s)
{
    return &s->id;
}
