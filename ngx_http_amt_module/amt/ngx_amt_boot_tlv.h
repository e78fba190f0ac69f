
/*
 * Boot parameters, UefiBootParametersArray: a list of type, length, value,
 * in base64.  No I/O.  Contract wsman.md section 9.4, mps.md section 2.6.
 */


#ifndef _NGX_AMT_BOOT_TLV_H_INCLUDED_
#define _NGX_AMT_BOOT_TLV_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>


#define NGX_AMT_BOOT_TLV_VENDOR     0x8086
#define NGX_AMT_BOOT_TLV_HEADER     8
#define NGX_AMT_BOOT_TLV_MAX        4096 /* bytes of a list */

/* types */
#define NGX_AMT_BOOT_TLV_URI        1
#define NGX_AMT_BOOT_TLV_PATH       2
#define NGX_AMT_BOOT_TLV_PATH_LEN   3
#define NGX_AMT_BOOT_TLV_SYNC_CA    20
#define NGX_AMT_BOOT_TLV_USER       40
#define NGX_AMT_BOOT_TLV_PASSWORD   41


typedef struct {
    ngx_uint_t            count;         /* parameters so far */
    size_t                len;
    unsigned              refused:1;     /* type unknown, value too long */
    u_char                data[NGX_AMT_BOOT_TLV_MAX];
} ngx_amt_boot_tlv_t;


typedef struct {
    ngx_uint_t            type;
    ngx_str_t             value;         /* in the decoded list */
} ngx_amt_boot_param_t;


/*
 * Writer.  Errors are kept until ngx_amt_boot_tlv_done().  The list may hold
 * a password: wipe it.
 */
void ngx_amt_boot_tlv_init(ngx_amt_boot_tlv_t *t);
void ngx_amt_boot_tlv_add(ngx_amt_boot_tlv_t *t, ngx_uint_t type,
    const void *value, size_t len);

/*
 * *out: the list in base64, from the pool.  NGX_OK; NGX_DECLINED: refused;
 * NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_boot_tlv_done(ngx_amt_boot_tlv_t *t, ngx_pool_t *pool,
    ngx_str_t *out);

/*
 * The whole list of a boot from HTTPS: user and password with len 0 are left
 * out; of a boot from a path.  Results as above, the writer is wiped.
 */
ngx_int_t ngx_amt_boot_tlv_https(ngx_pool_t *pool, ngx_str_t *uri,
    ngx_str_t *user, ngx_str_t *password, ngx_uint_t *count, ngx_str_t *out);
ngx_int_t ngx_amt_boot_tlv_path(ngx_pool_t *pool, ngx_str_t *path,
    ngx_uint_t *count, ngx_str_t *out);

/*
 * Reads a list: an array of ngx_amt_boot_param_t.  NGX_OK; NGX_DECLINED: not
 * base64, cut, foreign vendor, unknown type, value over its maximum, or over
 * NGX_AMT_BOOT_TLV_MAX; NGX_ERROR: no memory.
 */
ngx_int_t ngx_amt_boot_tlv_decode(ngx_pool_t *pool, ngx_str_t *in,
    ngx_array_t **params);

/* Most bytes the value of a type may have; 0: no such type. */
size_t ngx_amt_boot_tlv_limit(ngx_uint_t type);


#endif /* _NGX_AMT_BOOT_TLV_H_INCLUDED_ */
