
/*
 * Certificates: as a client sends one, and as a device lists its store with
 * all relations.
 */


#include "amt/ngx_amt_certificates.h"
#include "amt/ngx_amt_x509.h"


int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);


/* What AMT is given is read as the same certificate. */

static void
certificate(ngx_pool_t *pool, ngx_str_t *text)
{
    X509       *x, *again;
    u_char      key[NGX_AMT_X509_KEY];
    ngx_str_t   blob;

    if (ngx_amt_x509_decode(text, &x) != NGX_OK) {
        return;
    }

    (void) ngx_amt_x509_expired(x, 1800000000);
    (void) ngx_amt_x509_key(text, key);

    if (ngx_amt_x509_blob(x, pool, &blob) == NGX_OK) {

        if (ngx_amt_x509_decode(&blob, &again) != NGX_OK
            || X509_cmp(x, again) != 0)
        {
            abort();
        }

        X509_free(again);
    }

    X509_free(x);
}


/* The items of any class, taken for all of the store's. */

static ngx_array_t *
items(ngx_pool_t *pool, ngx_amt_xml_t *root, const char *name)
{
    ngx_array_t    *array;
    ngx_amt_xml_t  *x;

    array = ngx_array_create(pool, 4, sizeof(ngx_amt_xml_t *));

    for (x = root->first; x; x = x->next) {
        if (name == NULL || ngx_amt_xml_is(x, name)) {
            *(ngx_amt_xml_t **) ngx_array_push(array) = x;
        }
    }

    return array;
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char                    *dump;
    u_char                  *copy;
    json_t                  *json;
    ngx_str_t                text;
    ngx_pool_t              *pool;
    const char              *reason;
    ngx_amt_xml_t           *root;
    static ngx_log_t         log;
    static ngx_cycle_t       cycle;
    ngx_amt_certificates_t   store;

    cycle.log = &log;
    ngx_cycle = &cycle;

    copy = malloc(size + (size == 0));
    memcpy(copy, data, size);

    pool = ngx_create_pool(4096, &log);

    text.data = copy;
    text.len = size;

    certificate(pool, &text);

    if (size < 16384) {
        text.data = ngx_pnalloc(pool, ngx_base64_encoded_length(size) + 1);
        text.len = 0;

        if (size) {
            ngx_str_t  raw;

            raw.data = copy;
            raw.len = size;
            ngx_encode_base64(&text, &raw);
        }

        certificate(pool, &text);
    }

    text.data = copy;
    text.len = size;

    if (ngx_amt_xml_parse(pool, &text, &root, &reason) == NGX_OK) {

        store.dependencies = items(pool, root, "CIM_ConcreteDependency");
        store.certificates = items(pool, root, "AMT_PublicKeyCertificate");
        store.keys = items(pool, root, "AMT_PublicPrivateKeyPair");
        store.contexts = items(pool, root, NULL);

        if (ngx_amt_certificates_sane(&store)) {

            json = ngx_amt_certificates_json(&store);
            dump = json_dumps(json, JSON_COMPACT);

            if (dump == NULL) {
                abort();
            }

            free(dump);
            json_decref(json);

            json = ngx_amt_certificates_users(&store, "1");

            if (!json_is_string(json)) {
                abort();
            }

            json_decref(json);
            (void) ngx_amt_certificates_find(&store, "1");
        }
    }

    ngx_destroy_pool(pool);
    free(copy);

    return 0;
}
