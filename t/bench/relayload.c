
/*
 * Load for the relay's benchmark: browsers, and what stands for the device
 * when plain nginx is measured.
 *
 *     relayload load HOST PORT MODE SESSIONS SECONDS SIZE PREFIX [KEY NAME]
 *         TLS clients; MODE is d (read), u (write), e (echoes of SIZE bytes
 *         one after the other) or i (idle: prints "ready", holds them until
 *         standard input ends).  With KEY they are WebSockets of
 *         /relay/NAME.ashx, session n with the device PREFIX + n as 12 hex
 *         digits; without, bytes.  Prints one JSON object.
 *
 *     relayload serve PORT CERT KEY
 *         TLS server that knows the same modes.
 *
 * Clients begin with "PUMP" and the mode.
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


#define BUF    65536
#define PIECE  16384
#define ECHOS  2000000


typedef struct {
    int             fd;
    SSL            *ssl;
    char            mode;             /* 0: not known yet (server) */
    const u_char   *out;              /* being written */
    size_t          left;
    size_t          want;             /* echo: bytes to come */
    double          start;
} conn_t;


static SSL_CTX             *ctx;
static int                  ep;
static int                  websocket;
static u_char               buf[BUF];
static u_char               frame[PIECE + 14];
static size_t               frame_len;
static unsigned long long   moved;
static float               *echos;
static size_t               nechos;


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
    fprintf(stderr, "relayload: %s: %s\n", what, strerror(errno));
    ERR_print_errors_fp(stderr);
    exit(1);
}


static void
nonblocking(int fd)
{
    int  one = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}


static void
watch(conn_t *c)
{
    struct epoll_event  ev;

    ev.events = EPOLLIN|EPOLLOUT|EPOLLET;
    ev.data.ptr = c;

    if (epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &ev) != 0) {
        die("epoll_ctl");
    }
}


/* a masked binary frame in frame[], or the bytes alone */

static void
make_frame(const char *p, size_t n)
{
    size_t  i, head;
    static const u_char  mask[] = { 0x5a, 0xc3, 0x17, 0x88 };

    if (!websocket) {
        memset(frame, 'x', n);
        if (p) {
            memcpy(frame, p, n);
        }
        frame_len = n;
        return;
    }

    frame[0] = 0x82;

    if (n < 126) {
        frame[1] = 0x80 | n;
        head = 2;
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = n >> 8;
        frame[3] = n & 0xff;
        head = 4;
    }

    memcpy(frame + head, mask, 4);

    for (i = 0; i < n; i++) {
        frame[head + 4 + i] = (p ? p[i] : 'x') ^ mask[i % 4];
    }

    frame_len = head + 4 + n;
}


/* ---- both sides ---- */

static void
finish(conn_t *c)
{
    SSL_free(c->ssl);
    close(c->fd);
    free(c);
}


/* 0: blocked; 1: written; -1: the end */

static int
push(conn_t *c)
{
    int  n;

    while (c->left) {
        ERR_clear_error();
        n = SSL_write(c->ssl, c->out, (int) c->left);

        if (n <= 0) {
            n = SSL_get_error(c->ssl, n);
            return (n == SSL_ERROR_WANT_WRITE || n == SSL_ERROR_WANT_READ)
                   ? 0 : -1;
        }

        c->out += n;
        c->left -= n;
    }

    return 1;
}


static int
pull(conn_t *c, u_char *p, size_t size)
{
    int  n;

    ERR_clear_error();
    n = SSL_read(c->ssl, p, (int) size);

    if (n > 0) {
        return n;
    }

    n = SSL_get_error(c->ssl, n);

    return (n == SSL_ERROR_WANT_WRITE || n == SSL_ERROR_WANT_READ) ? 0 : -1;
}


/* ---- clients ---- */

static void
echo(conn_t *c)
{
    c->out = frame;
    c->left = frame_len;
    c->want = websocket ? frame_len - 4 : frame_len;
    c->start = now();
}


static int
client_event(conn_t *c)
{
    int  n, rc;

    for ( ;; ) {

        rc = push(c);
        if (rc < 0) {
            return -1;
        }

        if (c->mode == 'u' && rc) {
            moved += PIECE;
            c->out = frame;
            c->left = frame_len;
            continue;
        }

        n = pull(c, buf, BUF);

        if (n <= 0) {
            return n;
        }

        if (c->mode == 'd') {
            moved += n;
        }

        if (c->mode == 'e') {

            if ((size_t) n > c->want) {
                fprintf(stderr, "relayload: %d bytes, %zu expected\n", n,
                        c->want);
                exit(1);
            }

            c->want -= n;

            if (c->want == 0) {
                if (nechos < ECHOS) {
                    echos[nechos++] = (float) ((now() - c->start) * 1e3);
                }
                echo(c);
            }
        }
    }
}


/* blocking until the session is there, then not */

static conn_t *
client_open(struct sockaddr_in *peer, char mode, unsigned n,
    const char *prefix, const char *key, const char *name)
{
    char     text[1024], hello[8];
    size_t   len;
    conn_t  *c;
    int      got;

    c = calloc(1, sizeof(conn_t));
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    c->mode = mode;

    if (connect(c->fd, (struct sockaddr *) peer, sizeof(*peer)) != 0) {
        die("connect");
    }

    c->ssl = SSL_new(ctx);
    SSL_set_fd(c->ssl, c->fd);

    if (SSL_connect(c->ssl) != 1) {
        die("TLS handshake");
    }

    if (key) {
        got = snprintf(text, sizeof(text),
                       "GET /relay/%s.ashx?p=1&host=%s%012x&port=16994"
                       " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                       "X-API-Key: %s\r\n\r\n", name, prefix, n + 1, key);

        if (SSL_write(c->ssl, text, got) != got) {
            die("request");
        }

        for (len = 0; len < 4 || memcmp(text + len - 4, "\r\n\r\n", 4); len++)
        {
            if (len == sizeof(text) || SSL_read(c->ssl, text + len, 1) != 1) {
                die("answer");
            }
        }

        if (memcmp(text, "HTTP/1.1 101", 12) != 0) {
            fprintf(stderr, "relayload: %.*s\n", (int) len, text);
            exit(1);
        }
    }

    if (mode != 'i') {
        snprintf(hello, sizeof(hello), "PUMP%c", mode);
        make_frame(hello, 5);

        if (SSL_write(c->ssl, frame, (int) frame_len) != (int) frame_len) {
            die("hello");
        }
    }

    nonblocking(c->fd);

    return c;
}


static int
by_time(const void *a, const void *b)
{
    float  d = *(const float *) a - *(const float *) b;

    return d < 0 ? -1 : d > 0;
}


static int
load(int argc, char **argv)
{
    int                  i, k, n, sessions, seconds, size;
    char                 mode, c;
    double               start, end, warm;
    conn_t             **conns;
    const char          *key, *name;
    struct epoll_event   events[256];
    struct sockaddr_in   peer;

    if (argc < 7) {
        return 2;
    }

    memset(&peer, 0, sizeof(peer));
    peer.sin_family = AF_INET;
    peer.sin_port = htons(atoi(argv[1]));
    inet_pton(AF_INET, argv[0], &peer.sin_addr);

    mode = argv[2][0];
    sessions = atoi(argv[3]);
    seconds = atoi(argv[4]);
    size = atoi(argv[5]);
    key = argc > 8 ? argv[7] : NULL;
    name = argc > 8 ? argv[8] : NULL;
    websocket = key != NULL;

    ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE
                          |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
                          |SSL_MODE_AUTO_RETRY);

    conns = calloc(sessions, sizeof(conn_t *));
    echos = calloc(ECHOS, sizeof(float));

    for (i = 0; i < sessions; i++) {
        conns[i] = client_open(&peer, mode, i, argv[6], key, name);
    }

    if (mode == 'i') {
        printf("ready\n");
        fflush(stdout);
        while (read(0, &c, 1) > 0) { /* void */ }
        return 0;
    }

    make_frame(NULL, mode == 'e' ? size : PIECE);

    for (i = 0; i < sessions; i++) {
        if (mode == 'e') {
            echo(conns[i]);
        }
        watch(conns[i]);
    }

    /* the first half second does not count */

    start = now();
    warm = start + 0.5;
    end = warm + seconds;

    while (now() < end) {
        n = epoll_wait(ep, events, 256, 100);

        for (k = 0; k < n; k++) {
            if (client_event(events[k].data.ptr) < 0) {
                fprintf(stderr, "relayload: a session ended\n");
                return 1;
            }
        }

        if (warm && now() >= warm) {
            start = now();
            warm = 0;
            moved = 0;
            nechos = 0;
        }
    }

    end = now();

    qsort(echos, nechos, sizeof(float), by_time);

    printf("{\"rate\":%.1f,\"bytes\":%llu,\"echos\":%zu,\"p50\":%.3f,"
           "\"p99\":%.3f}\n", moved / (end - start) / 1e6, moved, nechos,
           nechos ? echos[nechos / 2] : 0,
           nechos ? echos[nechos * 99 / 100] : 0);

    return 0;
}


/* ---- the server ---- */

static int
server_event(conn_t *c)
{
    int            n, rc;
    u_char        *p;
    static u_char  piece[PIECE];

    for ( ;; ) {

        rc = push(c);
        if (rc <= 0) {
            return rc;
        }

        if (c->mode == 'd') {
            c->out = piece;
            c->left = PIECE;
            continue;
        }

        n = pull(c, buf, BUF);

        if (n <= 0) {
            return n;
        }

        p = buf;

        if (c->mode == 0) {
            c->mode = n >= 5 ? (char) buf[4] : 'u';
            p += n >= 5 ? 5 : n;
        }

        /* a record is not larger than a piece */

        if (c->mode == 'e') {
            c->left = buf + n - p;
            c->out = memcpy(piece, p, c->left);
        }
    }
}


static int
serve(int argc, char **argv)
{
    int                  s, k, n, one;
    conn_t              *c;
    struct epoll_event   events[256], ev;
    struct sockaddr_in   sin;

    if (argc < 3) {
        return 2;
    }

    ctx = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE
                          |SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);

    if (SSL_CTX_use_certificate_chain_file(ctx, argv[1]) != 1
        || SSL_CTX_use_PrivateKey_file(ctx, argv[2], SSL_FILETYPE_PEM) != 1)
    {
        die("certificate");
    }

    one = 1;
    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    sin.sin_port = htons(atoi(argv[0]));
    sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    s = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));

    if (bind(s, (struct sockaddr *) &sin, sizeof(sin)) != 0
        || listen(s, 1024) != 0)
    {
        die("listen");
    }

    ev.events = EPOLLIN;
    ev.data.ptr = NULL;
    epoll_ctl(ep, EPOLL_CTL_ADD, s, &ev);

    printf("ready\n");
    fflush(stdout);

    for ( ;; ) {
        n = epoll_wait(ep, events, 256, -1);

        for (k = 0; k < n; k++) {
            c = events[k].data.ptr;

            if (c) {
                if (server_event(c) < 0) {
                    finish(c);
                }
                continue;
            }

            c = calloc(1, sizeof(conn_t));
            c->fd = accept(s, NULL, NULL);
            c->ssl = SSL_new(ctx);
            SSL_set_fd(c->ssl, c->fd);
            SSL_set_accept_state(c->ssl);
            nonblocking(c->fd);
            watch(c);
        }
    }
}


int
main(int argc, char **argv)
{
    struct rlimit  rl;

    if (getrlimit(RLIMIT_NOFILE, &rl) == 0) {
        rl.rlim_cur = rl.rlim_max;
        setrlimit(RLIMIT_NOFILE, &rl);
    }

    ep = epoll_create1(0);

    if (argc > 1 && strcmp(argv[1], "load") == 0) {
        return load(argc - 2, argv + 2);
    }

    if (argc > 1 && strcmp(argv[1], "serve") == 0) {
        return serve(argc - 2, argv + 2);
    }

    fprintf(stderr, "usage: relayload load | serve, see the source\n");

    return 2;
}
