
/* The connection to the broker, between ngx_amt_mqtt.c and its client. */


#ifndef _NGX_AMT_MQTT_CLIENT_H_INCLUDED_
#define _NGX_AMT_MQTT_CLIENT_H_INCLUDED_


#include "events/ngx_amt_mqtt.h"
#include "events/ngx_amt_ring.h"
#include "events/ngx_amt_event_name.h"
#include <ngx_event.h>
#include <mosquitto.h>


#define NGX_AMT_MQTT_PACKETS   64        /* per event */
#define NGX_AMT_MQTT_INFLIGHT  20        /* given to libmosquitto */
#define NGX_AMT_MQTT_BATCH     10        /* copied at once */
#define NGX_AMT_MQTT_TICK      5000      /* ms, keep-alive */
#define NGX_AMT_MQTT_RETRY     1000      /* ms, doubled up to ... */
#define NGX_AMT_MQTT_ERROR     128


typedef enum {
    NGX_AMT_MQTT_IDLE = 0,               /* waits for its next attempt */
    NGX_AMT_MQTT_RESOLVING,
    NGX_AMT_MQTT_CONNECTING,             /* TCP */
    NGX_AMT_MQTT_HANDSHAKE,              /* TLS */
    NGX_AMT_MQTT_LOGIN,                  /* CONNECT was sent */
    NGX_AMT_MQTT_ACTIVE
} ngx_amt_mqtt_state_e;


typedef struct {
    ngx_amt_mqtt_conf_t    *conf;
    struct mosquitto       *mosq;        /* NULL: idle */
    ngx_connection_t       *connection;
    ngx_amt_mqtt_state_e    state;
    ngx_uint_t              addr;        /* index of the next one */
    ngx_resolver_t         *resolver;    /* NULL: none is asked */
    ngx_amt_event_name_t    name;
    ngx_msec_t              since;       /* active */
    ngx_msec_t              retry;

    /* events of the ring that are given to libmosquitto, in this order */
    uint64_t                numbers[NGX_AMT_MQTT_INFLIGHT];
    ngx_uint_t              first;       /* the oldest of them */
    ngx_uint_t              nsent;
    ngx_uint_t              stale;       /* before them, of a lease that was
                                            lost */
    uint64_t                next;        /* to be taken */
    uint64_t                done;        /* behind the last that arrived */
    ngx_uint_t              acked;       /* arrived, and not counted yet */
    uint64_t                own;         /* behind this worker's last */

    ngx_event_t             timer;
    ngx_event_t             look;        /* while another worker sends */
    ngx_event_t             flush;       /* posted */
    ngx_connection_t        dummy;
    ngx_log_t              *log;

    time_t                  warned;
    uint64_t                dropped;     /* to be logged */
    uint64_t                connects;

    char                    id[MOSQ_MQTT_ID_MAX_LENGTH + 1];
    char                    error[NGX_AMT_MQTT_ERROR];
    unsigned                refused:1;   /* by the broker: logged already */
    unsigned                more:1;      /* there is more to be taken */
    unsigned                busy:1;      /* own events wait for another worker
                                            to be done */
} ngx_amt_mqtt_t;


/* Makes a connection; the next attempt is planned when that fails. */
void ngx_amt_mqtt_start(ngx_amt_mqtt_t *m);

/*
 * After each call of libmosquitto: rc is what it returned.  Sends what waits,
 * sets the events, or ends the connection.
 */
void ngx_amt_mqtt_after(ngx_amt_mqtt_t *m, int rc);

/* The connection ended or was not made: the next attempt is planned. */
void ngx_amt_mqtt_failed(ngx_amt_mqtt_t *m, const char *text);

/* Ends the connection, if any; what was on its way waits again. */
void ngx_amt_mqtt_release(ngx_amt_mqtt_t *m);


/* ---- ngx_amt_mqtt.c ---- */

/*
 * Gives libmosquitto what the socket takes; MOSQ_ERR_SUCCESS or its error.
 */
int ngx_amt_mqtt_send(ngx_amt_mqtt_t *m);

/* The oldest event that is on its way has arrived. */
void ngx_amt_mqtt_sent(ngx_amt_mqtt_t *m);

/* The connection is gone: what was on its way waits again, for any worker. */
void ngx_amt_mqtt_unsent(ngx_amt_mqtt_t *m);


#endif /* _NGX_AMT_MQTT_CLIENT_H_INCLUDED_ */
