
/*
 * amt_webhook: events, posted in signed batches.
 */


#include "events/ngx_http_amt_events_module.h"


void
ngx_amt_webhook_publish(const ngx_amt_event_record_t *rec)
{
}
