
/*
 * amt_mqtt: one connection per worker to an MQTT broker, by libmosquitto on
 * nginx's event loop.
 */


#ifndef _NGX_AMT_MQTT_H_INCLUDED_
#define _NGX_AMT_MQTT_H_INCLUDED_


#include "events/ngx_http_amt_events_module.h"
#include "auth/ngx_amt_source.h"
#include <openssl/ssl.h>


#define NGX_AMT_MQTT_PASSWORD  1024      /* bytes */


struct ngx_amt_mqtt_conf_s {
    ngx_str_t               url;         /* for the log; holds no secret */
    uint64_t                key;         /* in the ring, of the URL */
    char                   *host;        /* as written, for SNI */
    char                   *topic;
    char                   *user;        /* NULL: none */
    ngx_amt_source_t       *password;    /* table: a C string; NULL: none */

    char                  **addrs;       /* addresses of the host */
    ngx_uint_t              naddrs;
    in_port_t               port;

    SSL_CTX                *ssl;         /* NULL: mqtt:// */
    ngx_uint_t              literal;     /* host is an address: no SNI */

    ngx_uint_t              qos;
    ngx_uint_t              queue;       /* events, of all workers */
    time_t                  keepalive;   /* seconds */
};


typedef struct {
    ngx_uint_t              connected;
    ngx_uint_t              queued;
    uint64_t                published;
    uint64_t                dropped;
    uint64_t                connects;
} ngx_amt_mqtt_stats_t;


/* The directive's arguments; NGX_CONF_OK or an error string. */
char *ngx_amt_mqtt_parse(ngx_conf_t *cf, ngx_amt_mqtt_conf_t *mcf);

/* Worker process: connects; flushes for a moment and disconnects. */
ngx_int_t ngx_amt_mqtt_init(ngx_http_amt_events_conf_t *conf,
    ngx_cycle_t *cycle);
void ngx_amt_mqtt_exit(void);

/* Of all workers, but for the connection; NGX_DECLINED: not configured. */
ngx_int_t ngx_amt_mqtt_stats(ngx_amt_mqtt_stats_t *stats);


#endif /* _NGX_AMT_MQTT_H_INCLUDED_ */
