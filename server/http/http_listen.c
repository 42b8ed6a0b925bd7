/* http_listen.c - see http_listen.h. */
#include "server/http/http_listen.h"
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "server/http/http_limits.h"

enum { BACKLOG = 1024, HOST_SIZE = 256 };

/* Takes "host:port" apart; '*' is every address. */
static bool split(const char *address, char host[HOST_SIZE], char port[8])
{
    const char *colon = strrchr(address, ':');
    if (!colon || colon == address || strlen(colon + 1) > 5 || colon[1] == '\0') {
        return false;
    }
    size_t size = (size_t)(colon - address);
    if (address[0] == '[' && address[size - 1] == ']') {
        address++;
        size -= 2;
    }
    if (size >= HOST_SIZE) { return false; }
    snprintf(host, HOST_SIZE, "%.*s", (int)size, address);
    snprintf(port, 8, "%s", colon + 1);
    return strspn(port, "0123456789") == strlen(port);
}

static int resolve(const char *host, const char *port, struct sockaddr_storage *out,
                   socklen_t *size)
{
    bool is_any = strcmp(host, "*") == 0;
    struct addrinfo hints = {.ai_family = is_any ? AF_INET6 : AF_UNSPEC,
                             .ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(is_any ? "::" : host, port, &hints, &found);
    if (rc != 0) { return rc; }
    memcpy(out, found->ai_addr, found->ai_addrlen);
    *size = found->ai_addrlen;
    freeaddrinfo(found);
    return 0;
}

static bool set(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/* A bound socket, or -1 with errno. */
static int open_bound(const struct sockaddr_storage *address, socklen_t size,
                      bool is_shared)
{
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) { return -1; }
    bool ok = set(fd, SOL_SOCKET, SO_REUSEADDR, 1) &&
              (!is_shared || set(fd, SOL_SOCKET, SO_REUSEPORT, 1)) &&
              (address->ss_family != AF_INET6 || set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
              set(fd, IPPROTO_TCP, TCP_NODELAY, 1) && /* accepted sockets inherit both */
              set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, HTTP_NOTSENT_LOWAT) &&
              bind(fd, (const struct sockaddr *)address, size) == 0;
    if (ok) { return fd; }
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

/* Reads back which port the kernel chose. */
static void take_port(int fd, struct sockaddr_storage *address)
{
    socklen_t size = sizeof *address;
    int rc = getsockname(fd, (struct sockaddr *)address, &size);
    assert(rc == 0); /* it is a bound socket */
    (void)rc;        /* unused where assert is compiled out */
}

static uint16_t port_of(const struct sockaddr_storage *address)
{
    const void *p = address;
    return address->ss_family == AF_INET6
               ? ntohs(((const struct sockaddr_in6 *)p)->sin6_port)
               : ntohs(((const struct sockaddr_in *)p)->sin_port);
}

static enum moult_status failure(const char **why)
{
    *why = errno == EADDRINUSE ? "address in use" : strerrordesc_np(errno);
    return errno == EADDRINUSE ? MOULT_E_EXISTS : MOULT_E_IO;
}

enum moult_status http_listen(const char *address, int *fds, size_t count, uint16_t *port,
                              const char **why)
{
    char host[HOST_SIZE], number[8];
    struct sockaddr_storage where;
    socklen_t size;
    *why = "expected host:port";
    if (!split(address, host, number)) { return MOULT_E_ARG; }
    int rc = resolve(host, number, &where, &size);
    *why = gai_strerror(rc);
    if (rc != 0) { return MOULT_E_ARG; }

    int probe = open_bound(&where, size, false); /* fails where sharing would not */
    if (probe < 0 && errno == EAFNOSUPPORT && strcmp(host, "*") == 0) { /* no IPv6 here */
        rc = resolve("0.0.0.0", number, &where, &size);
        probe = rc == 0 ? open_bound(&where, size, false) : -1;
    }
    if (probe < 0) { return failure(why); }
    take_port(probe, &where);
    close(probe);

    for (size_t i = 0; i < count; i++) {
        fds[i] = open_bound(&where, size, true);
        if (fds[i] >= 0 && listen(fds[i], BACKLOG) == 0) { continue; }
        enum moult_status st = failure(why);
        for (size_t k = 0; k <= i; k++) {
            if (fds[k] >= 0) { close(fds[k]); }
        }
        return st;
    }
    *port = port_of(&where);
    return MOULT_OK;
}
