
/*
 * What a device is and does, in one call and one conversation: power,
 * version, features, hardware, network.  Own route, no contract of the
 * original.
 */


#ifndef _NGX_AMT_SNAPSHOT_H_INCLUDED_
#define _NGX_AMT_SNAPSHOT_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/*
 * {"power":{...},"version":{...},...}: each member is what the part's own
 * route answers.  What failed is in "errors" instead, by the same name:
 * {"status":n,"error":...,"errorDescription":...}.  Fails as a whole only
 * when no part could be read.
 */
extern const ngx_amt_op_t  ngx_amt_snapshot;


#endif /* _NGX_AMT_SNAPSHOT_H_INCLUDED_ */
