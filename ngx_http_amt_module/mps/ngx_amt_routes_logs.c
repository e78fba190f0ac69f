
/*
 * Routes: logs of a device.  Contract mps.md sections 2.7, 2.8.
 */


#include "mps/ngx_amt_route.h"
#include "mps/ngx_amt_mps_frames.h"


const ngx_amt_route_t  ngx_amt_routes_logs[] = {

    { 0, NULL, 0, 0, NULL, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }
};
