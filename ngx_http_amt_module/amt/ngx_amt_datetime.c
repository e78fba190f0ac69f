
/*
 * Dates and durations; see ngx_amt_datetime.h.
 */


#include "amt/ngx_amt_datetime.h"


#define NGX_AMT_DAY  86400


static ngx_int_t ngx_amt_datetime_iso(ngx_str_t *text, int64_t *seconds);
static ngx_int_t ngx_amt_datetime_zone(u_char *p, u_char *last,
    int64_t *offset);
static ngx_int_t ngx_amt_datetime_digits(u_char **p, u_char *last,
    ngx_uint_t n, int64_t *value);
static int64_t ngx_amt_datetime_days(int64_t year, int64_t month,
    int64_t day);
static void ngx_amt_datetime_split(int64_t seconds, int64_t *date,
    int64_t *time);


ngx_int_t
ngx_amt_datetime_parse(ngx_str_t *text, int64_t *seconds)
{
    time_t  t;

    if (ngx_amt_datetime_iso(text, seconds) == NGX_OK) {
        return NGX_OK;
    }

    /* "Sat, 31 Dec 2022 23:59:00 GMT" and its two relatives */

    if (text->len < 20 || text->len > 40) {
        return NGX_DECLINED;
    }

    t = ngx_parse_http_time(text->data, text->len);

    if (t == NGX_ERROR) {
        return NGX_DECLINED;
    }

    *seconds = t;

    return NGX_OK;
}


static ngx_int_t
ngx_amt_datetime_iso(ngx_str_t *text, int64_t *seconds)
{
    u_char   *p, *last;
    int64_t   year, month, day, hour, minute, second, offset;

    static const u_char  month_days[] = {
        31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31
    };

    p = text->data;
    last = p + text->len;

    hour = 0;
    minute = 0;
    second = 0;
    offset = 0;

    if (ngx_amt_datetime_digits(&p, last, 4, &year) != NGX_OK
        || p == last || *p++ != '-'
        || ngx_amt_datetime_digits(&p, last, 2, &month) != NGX_OK
        || p == last || *p++ != '-'
        || ngx_amt_datetime_digits(&p, last, 2, &day) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    if (year < 1 || month < 1 || month > 12
        || day < 1 || day > month_days[month - 1])
    {
        return NGX_DECLINED;
    }

    if (month == 2 && day == 29
        && (year % 4 != 0 || (year % 100 == 0 && year % 400 != 0)))
    {
        return NGX_DECLINED;
    }

    if (p < last) {

        if (*p != 'T' && *p != 't' && *p != ' ') {
            return NGX_DECLINED;
        }

        p++;

        if (ngx_amt_datetime_digits(&p, last, 2, &hour) != NGX_OK
            || p == last || *p++ != ':'
            || ngx_amt_datetime_digits(&p, last, 2, &minute) != NGX_OK)
        {
            return NGX_DECLINED;
        }

        if (p < last && *p == ':') {
            p++;

            if (ngx_amt_datetime_digits(&p, last, 2, &second) != NGX_OK) {
                return NGX_DECLINED;
            }

            if (p < last && (*p == '.' || *p == ',')) {

                if (++p == last || *p < '0' || *p > '9') {
                    return NGX_DECLINED;
                }

                while (p < last && *p >= '0' && *p <= '9') { p++; }
            }
        }

        /* 24:00 is the end of the day */

        if (hour > 24 || minute > 59 || second > 59
            || (hour == 24 && (minute || second)))
        {
            return NGX_DECLINED;
        }

        if (ngx_amt_datetime_zone(p, last, &offset) != NGX_OK) {
            return NGX_DECLINED;
        }
    }

    *seconds = ngx_amt_datetime_days(year, month, day) * NGX_AMT_DAY
               + hour * 3600 + minute * 60 + second - offset;

    if (*seconds < NGX_AMT_DATETIME_MIN || *seconds > NGX_AMT_DATETIME_MAX) {
        return NGX_DECLINED;
    }

    return NGX_OK;
}


/* Nothing, Z, or +hh:mm, +hhmm, +hh: to the end of the text */

static ngx_int_t
ngx_amt_datetime_zone(u_char *p, u_char *last, int64_t *offset)
{
    u_char   sign;
    int64_t  hour, minute;

    if (p == last) {
        return NGX_OK;
    }

    sign = *p++;

    if (sign == 'Z' || sign == 'z') {
        return p == last ? NGX_OK : NGX_DECLINED;
    }

    if ((sign != '+' && sign != '-')
        || ngx_amt_datetime_digits(&p, last, 2, &hour) != NGX_OK)
    {
        return NGX_DECLINED;
    }

    minute = 0;

    if (p < last) {

        if (*p == ':') {
            p++;
        }

        if (ngx_amt_datetime_digits(&p, last, 2, &minute) != NGX_OK
            || p != last)
        {
            return NGX_DECLINED;
        }
    }

    if (hour > 23 || minute > 59) {
        return NGX_DECLINED;
    }

    *offset = hour * 3600 + minute * 60;

    if (sign == '-') {
        *offset = -*offset;
    }

    return NGX_OK;
}


static ngx_int_t
ngx_amt_datetime_digits(u_char **p, u_char *last, ngx_uint_t n,
    int64_t *value)
{
    u_char  *q;

    q = *p;

    if ((size_t) (last - q) < n) {
        return NGX_DECLINED;
    }

    for (*value = 0; n; n--, q++) {

        if (*q < '0' || *q > '9') {
            return NGX_DECLINED;
        }

        *value = *value * 10 + (*q - '0');
    }

    *p = q;

    return NGX_OK;
}


/* Days since 1970-01-01; years begin in March, so that leap days are last. */

static int64_t
ngx_amt_datetime_days(int64_t year, int64_t month, int64_t day)
{
    if (month < 3) {
        month += 12;
        year--;
    }

    return 365 * year + year / 4 - year / 100 + year / 400
           + (153 * (month - 3) + 2) / 5 + day - 1 - 719468;
}


/* date: year, month, day; time: hour, minute, second */

static void
ngx_amt_datetime_split(int64_t seconds, int64_t *date, int64_t *time)
{
    int64_t  days, left, era, doe, yoe, doy, mp;

    seconds = ngx_max(seconds, NGX_AMT_DATETIME_MIN);
    seconds = ngx_min(seconds, NGX_AMT_DATETIME_MAX);

    /* from year 0, what is left is positive */

    seconds += 719468LL * NGX_AMT_DAY;
    days = seconds / NGX_AMT_DAY;
    left = seconds % NGX_AMT_DAY;

    time[0] = left / 3600;
    time[1] = left / 60 % 60;
    time[2] = left % 60;

    /* 400 years have 146097 days */

    era = days / 146097;
    doe = days % 146097;
    yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    mp = (5 * doy + 2) / 153;

    date[2] = doy - (153 * mp + 2) / 5 + 1;
    date[1] = mp < 10 ? mp + 3 : mp - 9;
    date[0] = era * 400 + yoe + (date[1] <= 2);
}


u_char *
ngx_amt_datetime_text(u_char *buf, int64_t seconds)
{
    int64_t  date[3], time[3];

    ngx_amt_datetime_split(seconds, date, time);

    return ngx_slprintf(buf, buf + NGX_AMT_DATETIME_ISO,
                        "%04L-%02L-%02LT%02L:%02L:%02LZ",
                        date[0], date[1], date[2], time[0], time[1], time[2]);
}


json_t *
ngx_amt_datetime_json(int64_t ms)
{
    u_char   buf[NGX_AMT_DATETIME_ISO], *p;
    int64_t  seconds, rest;

    rest = ms % 1000;

    if (rest < 0) {
        rest += 1000;
    }

    seconds = (ms - rest) / 1000;

    p = ngx_amt_datetime_text(buf, seconds);

    /* over the Z */

    p = ngx_slprintf(p - 1, buf + NGX_AMT_DATETIME_ISO, ".%03LZ", rest);

    return json_stringn((char *) buf, p - buf);
}


u_char *
ngx_amt_datetime_us(u_char *buf, int64_t seconds)
{
    int64_t  date[3], time[3], hour;

    ngx_amt_datetime_split(seconds, date, time);

    hour = time[0] % 12 ? time[0] % 12 : 12;

    return ngx_slprintf(buf, buf + NGX_AMT_DATETIME_US,
                        "%L/%L/%L, %L:%02L:%02L %s", date[1], date[2],
                        date[0], hour, time[1], time[2],
                        time[0] < 12 ? "AM" : "PM");
}


ngx_int_t
ngx_amt_duration_parse(ngx_str_t *text, int64_t *minutes)
{
    u_char      *p, *last, *start;
    double       total, n, scale;
    ngx_uint_t   i, time, rank, parts;

    /* units in the order in which they may come, as seconds */

    static const struct {
        u_char      letter;
        u_char      time;
        double      seconds;
    } units[] = {
        { 'Y', 0, 365.0 * NGX_AMT_DAY },
        { 'M', 0, 30.0 * NGX_AMT_DAY },
        { 'W', 0, 7.0 * NGX_AMT_DAY },
        { 'D', 0, 1.0 * NGX_AMT_DAY },
        { 'H', 1, 3600 },
        { 'M', 1, 60 },
        { 'S', 1, 1 }
    };

    p = text->data;
    last = p + text->len;

    if (p == last || *p++ != 'P') {
        return NGX_DECLINED;
    }

    total = 0;
    time = 0;
    rank = 0;
    parts = 0;

    while (p < last) {

        if (*p == 'T') {

            if (time || ++p == last) {
                return NGX_DECLINED;
            }

            time = 1;
        }

        start = p;

        for (n = 0; p < last && *p >= '0' && *p <= '9'; p++) {
            n = n * 10 + (*p - '0');
        }

        if (p == start) {
            return NGX_DECLINED;
        }

        if (p < last && (*p == '.' || *p == ',')) {
            start = ++p;

            for (scale = 0.1; p < last && *p >= '0' && *p <= '9'; p++) {
                n += scale * (*p - '0');
                scale /= 10;
            }

            if (p == start) {
                return NGX_DECLINED;
            }
        }

        if (p == last) {
            return NGX_DECLINED;
        }

        for (i = rank; i < sizeof(units) / sizeof(units[0]); i++) {
            if (units[i].letter == *p && units[i].time == time) {
                break;
            }
        }

        if (i == sizeof(units) / sizeof(units[0])) {
            return NGX_DECLINED;
        }

        total += n * units[i].seconds;
        rank = i + 1;
        parts++;
        p++;
    }

    if (parts == 0 || !(total < 9e18)) {
        return NGX_DECLINED;
    }

    *minutes = (int64_t) (total / 60);

    return NGX_OK;
}


u_char *
ngx_amt_duration_text(u_char *buf, int64_t minutes)
{
    return ngx_slprintf(buf, buf + NGX_AMT_DURATION, "P%LDT%LH%LM",
                        minutes / 1440, minutes / 60 % 24, minutes % 60);
}
