
/*
 * WebSocket client load for the benchmarks.
 *
 *     wsload [-t] [-p PROTOCOL] HOST PORT PATH MODE ARGUMENTS
 *
 *     echo SIZE COUNT           round trips of one message: p50, p99 in us
 *     down SESSIONS SECONDS     bytes per second that are received
 *     up SESSIONS SECONDS       bytes per second that are sent, in binary
 *                               messages of a TLS record
 *     idle COUNT                opens COUNT, prints "ready", holds them until
 *                               standard input ends
 *
 * -t: TLS.  PATH "-": no WebSocket, bytes as they are.  Each session of
 * "down" and "up" is a process of its own.
 */


#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>


#define RECORD  16384


typedef struct {
    int   fd;
    SSL  *ssl;
} client_t;


static SSL_CTX             *ctx;
static const char          *protocol;
static const char          *path;
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


static ssize_t
get(client_t *c, void *p, size_t len)
{
    return c->ssl ? SSL_read(c->ssl, p, (int) len) : read(c->fd, p, len);
}


static ssize_t
put(client_t *c, const void *p, size_t len)
{
    size_t   sent;
    ssize_t  n;

    for (sent = 0; sent < len; sent += n) {
        n = c->ssl ? SSL_write(c->ssl, (const char *) p + sent,
                               (int) (len - sent))
                   : write(c->fd, (const char *) p + sent, len - sent);

        if (n <= 0) {
            return -1;
        }
    }

    return (ssize_t) sent;
}


static void
dial(client_t *c)
{
    int     one;
    char    buf[4096];
    size_t  len;

    one = 1;
    c->ssl = NULL;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);

    if (c->fd == -1
        || connect(c->fd, (struct sockaddr *) &peer, sizeof(peer)) == -1)
    {
        die("connect");
    }

    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));

    if (ctx) {
        c->ssl = SSL_new(ctx);
        SSL_set_fd(c->ssl, c->fd);

        if (SSL_connect(c->ssl) != 1) {
            die("TLS");
        }
    }

    if (strcmp(path, "-") == 0) {
        return;
    }

    len = (size_t) snprintf(buf, sizeof(buf), "GET %s HTTP/1.1\r\n"
                   "Host: localhost\r\nUpgrade: websocket\r\n"
                   "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                   "%s%s%s\r\n", path,
                   protocol ? "Sec-WebSocket-Protocol: " : "",
                   protocol ? protocol : "", protocol ? "\r\n" : "");

    if (put(c, buf, len) < 0) {
        die("write");
    }

    /* byte by byte: what follows is not ours to read */

    for (len = 0; len < sizeof(buf) - 1; /* void */ ) {

        if (get(c, buf + len, 1) != 1) {
            die("handshake");
        }

        buf[++len] = '\0';

        if (len >= 4 && memcmp(buf + len - 4, "\r\n\r\n", 4) == 0) {
            break;
        }
    }

    if (strncmp(buf, "HTTP/1.1 101", 12) != 0) {
        fprintf(stderr, "%s", buf);
        exit(1);
    }
}


/* A masked frame with a payload of len bytes; returns its length. */

static size_t
frame(unsigned char *p, size_t len)
{
    size_t          i, head;
    unsigned char   mask[4] = { 0x12, 0x34, 0x56, 0x78 };

    p[0] = 0x82;

    if (len < 126) {
        p[1] = 0x80 | (unsigned char) len;
        head = 2;

    } else {
        p[1] = 0xfe;
        p[2] = (unsigned char) (len >> 8);
        p[3] = (unsigned char) len;
        head = 4;
    }

    memcpy(p + head, mask, 4);
    head += 4;

    for (i = 0; i < len; i++) {
        p[head + i] = (unsigned char) (rand() >> 7);
    }

    return head + len;
}


static int
compare(const void *a, const void *b)
{
    double  x, y;

    x = *(const double *) a;
    y = *(const double *) b;

    return (x > y) - (x < y);
}


static void
echo(size_t size, size_t count)
{
    size_t          i, len, want, got;
    double         *took, start;
    ssize_t         n;
    client_t        c;

    static unsigned char  buf[70000], in[70000];

    took = calloc(count, sizeof(double));

    if (took == NULL || size > 65535) {
        die("memory");
    }

    dial(&c);

    len = frame(buf, size);
    want = strcmp(path, "-") == 0 ? len : len - 4;

    for (i = 0; i < count; i++) {
        start = now();

        if (put(&c, buf, len) < 0) {
            die("write");
        }

        for (got = 0; got < want; got += n) {
            n = get(&c, in, sizeof(in));

            if (n <= 0) {
                die("read");
            }
        }

        took[i] = now() - start;
    }

    qsort(took, count, sizeof(double), compare);

    printf("%.1f %.1f\n", took[count / 2] * 1e6,
           took[count * 99 / 100] * 1e6);
}


static double
transfer(int up, double seconds)
{
    size_t     len;
    double     start, bytes;
    ssize_t    n;
    client_t   c;

    static unsigned char  buf[4 * RECORD];

    len = strcmp(path, "-") == 0 ? RECORD : frame(buf, RECORD - 8);
    bytes = 0;

    dial(&c);

    start = now();

    while (now() - start < seconds) {

        if (up) {
            n = put(&c, buf, len);

        } else {
            n = get(&c, buf, sizeof(buf));
        }

        if (n <= 0) {
            break;
        }

        bytes += n;
    }

    return bytes / (now() - start);
}


static void
sessions(int up, int count, double seconds)
{
    int     i, p[2];
    double  rate, sum;

    if (pipe(p) == -1) {
        die("pipe");
    }

    for (i = 0; i < count; i++) {

        if (fork() == 0) {
            rate = transfer(up, seconds);

            if (write(p[1], &rate, sizeof(rate)) != sizeof(rate)) {
                die("pipe");
            }

            _exit(0);
        }
    }

    close(p[1]);

    for (sum = 0; read(p[0], &rate, sizeof(rate)) == sizeof(rate); /* void */)
    {
        sum += rate;
    }

    while (wait(NULL) > 0) { /* void */ }

    printf("%.1f\n", sum / 1e6);
}


static void
idle(int count)
{
    int        i;
    char       buf[64];
    client_t  *c;

    c = calloc((size_t) count, sizeof(client_t));

    if (c == NULL) {
        die("memory");
    }

    for (i = 0; i < count; i++) {
        dial(&c[i]);
    }

    printf("ready\n");
    fflush(stdout);

    while (read(0, buf, sizeof(buf)) > 0) { /* void */ }
}


int
main(int argc, char **argv)
{
    int             opt;
    const char     *mode;
    struct rlimit   rl;

    while ((opt = getopt(argc, argv, "tp:")) != -1) {

        if (opt == 't') {
            ctx = SSL_CTX_new(TLS_client_method());

        } else if (opt == 'p') {
            protocol = optarg;
        }
    }

    argv += optind;
    argc -= optind;

    if (argc < 5) {
        fprintf(stderr, "usage: wsload [-t] [-p PROTOCOL] HOST PORT PATH "
                "echo|down|up|idle ...\n");
        return 1;
    }

    getrlimit(RLIMIT_NOFILE, &rl);
    rl.rlim_cur = rl.rlim_max;
    setrlimit(RLIMIT_NOFILE, &rl);

    peer.sin_family = AF_INET;
    peer.sin_port = htons((uint16_t) atoi(argv[1]));

    if (inet_pton(AF_INET, argv[0], &peer.sin_addr) != 1) {
        die("address");
    }

    path = argv[2];
    mode = argv[3];

    if (strcmp(mode, "echo") == 0 && argc == 6) {
        echo((size_t) atol(argv[4]), (size_t) atol(argv[5]));

    } else if (strcmp(mode, "down") == 0 && argc == 6) {
        sessions(0, atoi(argv[4]), atof(argv[5]));

    } else if (strcmp(mode, "up") == 0 && argc == 6) {
        sessions(1, atoi(argv[4]), atof(argv[5]));

    } else {
        idle(atoi(argv[4]));
    }

    return 0;
}
