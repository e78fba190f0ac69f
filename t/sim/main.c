
/* amtsim: emulates AMT devices.  Start, data, end. */


#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include "sim.h"


/* the data files are part of the program */

#define EMBED(name, file)                                                     \
    __asm__(".section .rodata\n"                                              \
            ".global sim_data_" #name "\n"                                    \
            "sim_data_" #name ":\n"                                           \
            ".incbin \"" SIM_DATA "/" file "\"\n"                             \
            ".global sim_data_" #name "_end\n"                                \
            "sim_data_" #name "_end:\n"                                       \
            ".byte 0\n"                                                       \
            ".previous\n");                                                   \
    extern const char  sim_data_##name[], sim_data_##name##_end[]

EMBED(power, "power.txt");
EMBED(general, "general.txt");
EMBED(hardware, "hardware.txt");
EMBED(network, "network.txt");
EMBED(security, "security.txt");
EMBED(features, "features.txt");


static void
load_embedded(void)
{
    static const struct {
        const char  *file;
        const char  *start;
        const char  *end;
    } parts[] = {
        { "power.txt", sim_data_power, sim_data_power_end },
        { "general.txt", sim_data_general, sim_data_general_end },
        { "hardware.txt", sim_data_hardware, sim_data_hardware_end },
        { "network.txt", sim_data_network, sim_data_network_end },
        { "security.txt", sim_data_security, sim_data_security_end },
        { "features.txt", sim_data_features, sim_data_features_end },
    };
    unsigned  i;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        data_load(parts[i].start, parts[i].end - parts[i].start,
                  parts[i].file);
    }
}


static void
load_file(const char *name)
{
    FILE    *f;
    buf_t    b;
    char     chunk[4096];
    size_t   n;

    f = fopen(name, "r");
    if (f == NULL) {
        perror(name);
        exit(2);
    }

    memset(&b, 0, sizeof(b));

    while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0) {
        buf_add(&b, chunk, n);
    }

    fclose(f);
    data_load((char *) buf_head(&b), buf_left(&b), name);
    buf_free(&b);
}


static void
on_signal(int signo)
{
    (void) signo;
    loop_stop();
}


int
main(int argc, char **argv)
{
    buf_t             b;
    unsigned          i;
    struct rlimit     lim;
    struct sigaction  sa;

    options_parse(argc, argv);

    memset(&sa, 0, sizeof(sa));
    sa.sa_handler = on_signal;
    sigaction(SIGTERM, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    sa.sa_handler = SIG_IGN;
    sigaction(SIGPIPE, &sa, NULL);

    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        setrlimit(RLIMIT_NOFILE, &lim);
    }

    load_embedded();

    if (opt.data) {
        load_file(opt.data);
    }

    st.started = now_ms();

    loop_init();
    device_init();
    conn_init();
    control_init();

    for (i = 0; i < ndevices; i++) {
        session_queue(&devices[i], 0);
    }

    loop_run();
    session_quit();
    control_quit();
    events_end();

    if (opt.stats) {
        memset(&b, 0, sizeof(b));
        stats_json(&b);
        fprintf(stderr, "%s\n", buf_cstr(&b));
        buf_free(&b);
    }

    if (st.violations) {
        return 3;
    }

    return st.refused || (st.logins == 0 && ndevices) ? 1 : 0;
}
