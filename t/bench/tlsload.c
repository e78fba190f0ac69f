
/*
 * TLS client load for the benchmarks: what plain nginx can do with the same
 * key is the yardstick.
 *
 *     tlsload HOST PORT rate CONCURRENCY SECONDS   handshakes per second
 *     tlsload HOST PORT idle COUNT                 opens COUNT connections,
 *                                                  prints "ready", holds them
 *                                                  until standard input ends
 */


#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


typedef struct {
    int   fd;
    SSL  *ssl;
} client_t;


static SSL_CTX             *ctx;
static int                  ep;
static struct sockaddr_in   peer;


static double
now(void)
{
    struct timespec  ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);

    return ts.tv_sec + ts.tv_nsec / 1e9;
}


static void
die(const char *what)
{
    perror(what);
    exit(1);
}


static void
client_open(client_t *c)
{
    int                 one;
    struct epoll_event  ee;

    one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM|SOCK_NONBLOCK, 0);
    if (c->fd == -1) {
        die("socket");
    }

    (void) setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    if (connect(c->fd, (struct sockaddr *) &peer, sizeof(peer)) == -1
        && errno != EINPROGRESS)
    {
        die("connect");
    }

    c->ssl = SSL_new(ctx);
    if (c->ssl == NULL || SSL_set_fd(c->ssl, c->fd) != 1) {
        die("SSL_new");
    }

    SSL_set_connect_state(c->ssl);

    ee.events = EPOLLIN|EPOLLOUT|EPOLLET;
    ee.data.ptr = c;

    if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ee) == -1) {
        die("epoll_ctl");
    }
}


static void
client_close(client_t *c)
{
    struct linger  linger;

    /* no TIME_WAIT: a benchmark would run out of ports */

    linger.l_onoff = 1;
    linger.l_linger = 0;
    (void) setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));

    SSL_free(c->ssl);
    close(c->fd);
}


/* 1: done, 0: go on, -1: failed */

static int
client_handshake(client_t *c)
{
    int  rc;

    rc = SSL_do_handshake(c->ssl);
    if (rc == 1) {
        return 1;
    }

    rc = SSL_get_error(c->ssl, rc);

    if (rc == SSL_ERROR_WANT_READ || rc == SSL_ERROR_WANT_WRITE) {
        return 0;
    }

    return -1;
}


static void
rate(int concurrency, double seconds)
{
    int                  i, n, failed, done;
    double               start, end;
    client_t            *clients, *c;
    struct epoll_event   events[256];

    clients = calloc(concurrency, sizeof(client_t));
    if (clients == NULL) {
        die("calloc");
    }

    done = 0;
    failed = 0;

    for (i = 0; i < concurrency; i++) {
        client_open(&clients[i]);
    }

    start = now();
    end = start + seconds;

    while (now() < end) {
        n = epoll_wait(ep, events, 256, 100);

        for (i = 0; i < n; i++) {
            c = events[i].data.ptr;

            switch (client_handshake(c)) {

            case 0:
                continue;

            case 1:
                done++;
                break;

            default:
                failed++;
            }

            client_close(c);
            client_open(c);
        }
    }

    printf("{\"handshakes\":%d,\"failed\":%d,\"seconds\":%.2f,"
           "\"rate\":%.0f}\n", done, failed, now() - start,
           done / (now() - start));
}


static void
idle(int count)
{
    int                  i, n, open, done;
    char                 buf[64];
    client_t            *clients;
    struct epoll_event   events[256];

    clients = calloc(count, sizeof(client_t));
    if (clients == NULL) {
        die("calloc");
    }

    open = 0;
    done = 0;

    while (done < count) {
        while (open < count && open - done < 64) {
            client_open(&clients[open++]);
        }

        n = epoll_wait(ep, events, 256, 5000);
        if (n == 0) {
            fprintf(stderr, "no progress after %d connections\n", done);
            exit(1);
        }

        for (i = 0; i < n; i++) {
            client_t  *c = events[i].data.ptr;

            switch (client_handshake(c)) {

            case 0:
                break;

            case 1:
                done++;
                (void) epoll_ctl(ep, EPOLL_CTL_DEL, c->fd, NULL);
                break;

            default:
                fprintf(stderr, "handshake failed\n");
                exit(1);
            }
        }
    }

    printf("ready\n");
    fflush(stdout);

    while (read(0, buf, sizeof(buf)) > 0) { /* void */ }
}


int
main(int argc, char **argv)
{
    struct rlimit  limit;

    if (argc < 5) {
        fprintf(stderr, "usage: tlsload HOST PORT rate CONCURRENCY SECONDS\n"
                        "       tlsload HOST PORT idle COUNT\n");
        return 2;
    }

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);
    }

    peer.sin_family = AF_INET;
    peer.sin_port = htons(atoi(argv[2]));

    if (inet_pton(AF_INET, argv[1], &peer.sin_addr) != 1) {
        fprintf(stderr, "%s is no IPv4 address\n", argv[1]);
        return 2;
    }

    ctx = SSL_CTX_new(TLS_client_method());
    ep = epoll_create1(0);

    if (ctx == NULL || ep == -1) {
        die("initialisation");
    }

    /* as the devices do: TLS 1.2, no resumption */

    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);

    if (strcmp(argv[3], "rate") == 0 && argc == 6) {
        rate(atoi(argv[4]), atof(argv[5]));

    } else if (strcmp(argv[3], "idle") == 0) {
        idle(atoi(argv[4]));

    } else {
        return 2;
    }

    return 0;
}
