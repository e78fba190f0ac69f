
/*
 * AMT capability: the alarm clock.  Contract mps.md section 2.11, wsman.md
 * classes AMT_AlarmClockService and IPS_AlarmClockOccurrence.
 */


#ifndef _NGX_AMT_ALARM_H_INCLUDED_
#define _NGX_AMT_ALARM_H_INCLUDED_


#include "amt/ngx_amt_capability.h"


/* Array of alarms, [] if none. */
extern const ngx_amt_op_t  ngx_amt_alarm_list;

/*
 * Input {"ElementName":s,"InstanceID":s,"StartTime":seconds,
 * "Interval":minutes,"DeleteOnCompletion":b}.
 * {"status":"SUCCESS","ReturnValue":0}; a refusal when the device does not
 * take it, or holds as many alarms as it can.
 */
extern const ngx_amt_op_t  ngx_amt_alarm_add;

/*
 * Input {"Name":s}.  {"status":"SUCCESS"}; a refusal when there is no such
 * alarm.
 */
extern const ngx_amt_op_t  ngx_amt_alarm_delete;


/* Children of AddAlarm_INPUT. */
ngx_int_t ngx_amt_alarm_input(ngx_pool_t *pool, json_t *input,
    ngx_str_t *body);

/* Items of an enumeration as an array, a new reference; NULL: no memory. */
json_t *ngx_amt_alarm_json(ngx_array_t *items);


#endif /* _NGX_AMT_ALARM_H_INCLUDED_ */
