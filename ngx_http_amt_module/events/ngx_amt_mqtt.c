
/*
 * amt_mqtt: libmosquitto on nginx's event loop.
 */


#include "events/ngx_http_amt_events_module.h"


void
ngx_amt_mqtt_publish(const ngx_amt_event_record_t *rec)
{
}
