
/* TAP output for unit tests; t/unit.t runs them. */


#ifndef _TAP_H_INCLUDED_
#define _TAP_H_INCLUDED_


#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>


static int  tap_count;
static int  tap_failed;


static inline int
tap_ok(int good, const char *file, int line, const char *fmt, ...)
{
    va_list  args;

    printf("%sok %d - ", good ? "" : "not ", ++tap_count);

    va_start(args, fmt);
    vprintf(fmt, args);
    va_end(args);

    printf("\n");

    if (!good) {
        tap_failed++;
        printf("#   at %s line %d\n", file, line);
    }

    fflush(stdout);

    return good;
}


/* ok(condition, "printf format", ...): one test */
#define ok(good, ...)  tap_ok(!!(good), __FILE__, __LINE__, __VA_ARGS__)


/* At the end of main(): return done(); */

static inline int
done(void)
{
    printf("1..%d\n", tap_count);

    return tap_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}


#endif /* _TAP_H_INCLUDED_ */
