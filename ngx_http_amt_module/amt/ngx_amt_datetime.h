
/*
 * Dates and durations as AMT, the API and its clients write them, no I/O.
 * Contract mps.md section 2.11, wsman.md section 9.5.  All times are UTC.
 */


#ifndef _NGX_AMT_DATETIME_H_INCLUDED_
#define _NGX_AMT_DATETIME_H_INCLUDED_


#include <ngx_config.h>
#include <ngx_core.h>
#include <jansson.h>


#define NGX_AMT_DATETIME_ISO  40         /* buffers of the functions below */
#define NGX_AMT_DATETIME_US   40
#define NGX_AMT_DURATION      64

/* Years that four digits can write: 0001-01-01 to 9999-12-31. */
#define NGX_AMT_DATETIME_MIN  (-62135596800LL)
#define NGX_AMT_DATETIME_MAX  253402300799LL


/*
 * Any date that clients write: ISO 8601 date, or date and time with or
 * without seconds, fraction and zone (none is UTC), in the extended form; or
 * the forms of HTTP dates.  Seconds since 1970, the fraction is dropped.
 * NGX_OK; NGX_DECLINED: it is no date.
 */
ngx_int_t ngx_amt_datetime_parse(ngx_str_t *text, int64_t *seconds);

/* "YYYY-MM-DDThh:mm:ssZ"; buf: NGX_AMT_DATETIME_ISO; returns its end. */
u_char *ngx_amt_datetime_text(u_char *buf, int64_t seconds);

/* ms as "YYYY-MM-DDThh:mm:ss.mmmZ"; a new reference, NULL: no memory. */
json_t *ngx_amt_datetime_json(int64_t ms);

/* "6/29/2020, 7:29:22 PM"; buf: NGX_AMT_DATETIME_US; returns its end. */
u_char *ngx_amt_datetime_us(u_char *buf, int64_t seconds);

/*
 * ISO 8601 duration "PnDTnHnMnS", all parts optional, also years, months (of
 * 365 and 30 days) and weeks, as whole minutes.  NGX_OK; NGX_DECLINED: it is
 * none, or too long for an int64_t.
 */
ngx_int_t ngx_amt_duration_parse(ngx_str_t *text, int64_t *minutes);

/* "P{d}DT{h}H{m}M"; buf: NGX_AMT_DURATION; returns its end. */
u_char *ngx_amt_duration_text(u_char *buf, int64_t minutes);


#endif /* _NGX_AMT_DATETIME_H_INCLUDED_ */
