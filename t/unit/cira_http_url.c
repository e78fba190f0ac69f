
/*
 * URLs of hooks and webhooks: what libcurl is told of a host with several
 * addresses.  The names are looked up here, not on the machine.
 */


#include "wsman_unit.h"
#include "ngx_cira_http.h"
#include <netdb.h>


static struct sockaddr_in6  loopback6;
static struct sockaddr_in   loopback4;
static struct addrinfo      answer[2];


/* nginx is linked statically, so this is the one it calls */

int
getaddrinfo(const char *node, const char *service,
    const struct addrinfo *hints, struct addrinfo **res)
{
    if (strcmp(node, "both.example") != 0) {
        return EAI_NONAME;
    }

    loopback6.sin6_family = AF_INET6;
    loopback6.sin6_addr.s6_addr[15] = 1;
    loopback4.sin_family = AF_INET;
    loopback4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);

    answer[0].ai_family = AF_INET6;
    answer[0].ai_addr = (struct sockaddr *) &loopback6;
    answer[0].ai_addrlen = sizeof(loopback6);
    answer[0].ai_next = &answer[1];

    answer[1].ai_family = AF_INET;
    answer[1].ai_addr = (struct sockaddr *) &loopback4;
    answer[1].ai_addrlen = sizeof(loopback4);

    *res = answer;

    return 0;
}


void
freeaddrinfo(struct addrinfo *res)
{
}


static char *
parse(ngx_pool_t *pool, const char *text, ngx_cira_http_url_t *url)
{
    ngx_str_t    value;
    ngx_conf_t   cf;
    ngx_cycle_t  cycle;

    memset(&cf, 0, sizeof(cf));
    memset(&cycle, 0, sizeof(cycle));
    cf.pool = pool;
    cf.cycle = &cycle;
    cf.log = &unit_log;
    cycle.log = &unit_log;

    value.data = (u_char *) text;
    value.len = strlen(text);

    return ngx_cira_http_parse_url(&cf, &value, url, 1);
}


/* "NAME:PORT:" in front, where "::NAME:PORT" is what is connected to */

static int
told(ngx_cira_http_url_t *url, const char *addrs)
{
    size_t  len;

    len = strlen(url->connect_to) - 2;

    return strncmp(url->connect_to, "::", 2) == 0
           && strncmp(url->connect_to + 2, url->resolve, len) == 0
           && url->resolve[len] == ':'
           && strcmp(url->resolve + len + 1, addrs) == 0;
}


int
main(void)
{
    size_t                len;
    ngx_pool_t           *pool;
    ngx_cira_http_url_t   both, one, six;

    unit_init();
    pool = unit_pool();

    ok(parse(pool, "https://both.example/hook", &both) == NGX_CONF_OK,
       "a name with two addresses");

    /* their order is up to nginx's version */
    ok(told(&both, "[::1],127.0.0.1") || told(&both, "127.0.0.1,[::1]"),
       "both are told: %s", both.resolve);

    len = strlen(both.connect_to);
    ok(strcmp(both.connect_to + len - 4, ":443") == 0, "with the port");
    ok(strcmp(both.url, "https://both.example/hook") == 0, "the URL stays");

    ok(parse(pool, "http://127.0.0.1:8080/", &one) == NGX_CONF_OK
       && told(&one, "127.0.0.1"), "an address");
    ok(parse(pool, "http://[::1]:8080/", &six) == NGX_CONF_OK
       && told(&six, "[::1]"), "an IPv6 address");
    ok(strcmp(one.connect_to, six.connect_to) != 0,
       "each has a name of its own");

    ngx_destroy_pool(pool);

    return done();
}
