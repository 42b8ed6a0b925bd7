/* cut_proxy.c - see cut_proxy.h. One thread, poll(2), at most PAIRS_MAX connections. */
#include "tests/support/cut_proxy.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAIRS_MAX = 128, PIECE = 4096, TICK_MS = 20 };

struct pair {
    int fd[2]; /* client, target; -1: free */
    uint64_t left;
    bool is_cut;
    bool ends_in_reset; /* which takes what has not been read yet with it; else FIN */
};

struct cut_proxy {
    struct cut_proxy_config config;
    int listener;
    uint16_t port;
    pthread_t thread;
    atomic_bool is_stopping;
    atomic_uint cuts;
    uint32_t drawn;
    struct pair pairs[PAIRS_MAX];
};

static void must(bool claim, const char *what)
{
    if (claim) { return; }
    fprintf(stderr, "cut_proxy: %s failed\n", what);
    abort();
}

static uint64_t draw(struct cut_proxy *proxy)
{
    uint64_t x = proxy->config.seed + ++proxy->drawn * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static void end_pair(struct pair *pair, bool with_reset)
{
    for (int i = 0; i < 2; i++) {
        const struct linger now = {.l_onoff = 1, .l_linger = 0};
        if (pair->fd[i] < 0) { continue; }
        if (with_reset) {
            setsockopt(pair->fd[i], SOL_SOCKET, SO_LINGER, &now, sizeof now);
        }
        close(pair->fd[i]);
        pair->fd[i] = -1;
    }
}

static int connect_target(const struct cut_proxy *proxy)
{
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_port = htons(proxy->config.target_port)};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

static void accept_pair(struct cut_proxy *proxy)
{
    struct pair *pair = proxy->pairs;
    while (pair < proxy->pairs + PAIRS_MAX && pair->fd[0] >= 0) {
        pair++;
    }
    int client = accept(proxy->listener, NULL, NULL);
    if (client < 0) { return; }
    if (pair == proxy->pairs + PAIRS_MAX) {
        close(client);
        return;
    }
    uint64_t span = (uint64_t)proxy->config.bytes_max - proxy->config.bytes_min + 1;
    pair->fd[0] = client;
    pair->fd[1] = connect_target(proxy);
    pair->is_cut = !proxy->config.cut_count || proxy->drawn < proxy->config.cut_count;
    uint64_t drawn = draw(proxy);
    pair->left = proxy->config.bytes_min + drawn % span;
    pair->ends_in_reset = drawn >> 63;
    if (pair->fd[1] < 0) { end_pair(pair, true); }
}

/* Move what can be read at side `from`. False: the pair is over. */
static bool forward(struct cut_proxy *proxy, struct pair *pair, int from)
{
    char data[PIECE];
    size_t room =
        pair->is_cut && pair->left < sizeof data ? (size_t)pair->left : sizeof data;
    ssize_t got = recv(pair->fd[from], data, room, 0);
    if (got <= 0) {
        end_pair(pair, got < 0);
        return false;
    }
    if (send(pair->fd[1 - from], data, (size_t)got, MSG_NOSIGNAL) != got) {
        end_pair(pair, true);
        return false;
    }
    if (pair->is_cut) { pair->left -= (uint64_t)got; }
    if (!pair->is_cut || pair->left > 0) { return true; }
    atomic_fetch_add(&proxy->cuts, 1);
    end_pair(pair, pair->ends_in_reset);
    return false;
}

static void serve_once(struct cut_proxy *proxy)
{
    struct pollfd wait[1 + 2 * PAIRS_MAX];
    wait[0] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
    for (int i = 0; i < 2 * PAIRS_MAX; i++) {
        wait[1 + i] =
            (struct pollfd){.fd = proxy->pairs[i / 2].fd[i % 2], .events = POLLIN};
    }
    if (poll(wait, 1 + 2 * PAIRS_MAX, TICK_MS) <= 0) { return; }
    for (int i = 0; i < 2 * PAIRS_MAX; i++) {
        bool is_same =
            wait[1 + i].fd >= 0 && proxy->pairs[i / 2].fd[i % 2] == wait[1 + i].fd;
        if (is_same && wait[1 + i].revents) {
            (void)forward(proxy, &proxy->pairs[i / 2], i % 2); /* it has ended the pair */
        }
    }
    if (wait[0].revents) { accept_pair(proxy); }
}

static void *run(void *context)
{
    struct cut_proxy *proxy = context;
    while (!atomic_load(&proxy->is_stopping)) {
        serve_once(proxy);
    }
    return NULL;
}

struct cut_proxy *cut_proxy_start(const struct cut_proxy_config *config)
{
    struct cut_proxy *proxy = calloc(1, sizeof *proxy);
    must(proxy && config->bytes_min <= config->bytes_max && config->bytes_min > 0,
         "config");
    proxy->config = *config;
    for (int i = 0; i < PAIRS_MAX; i++) {
        proxy->pairs[i].fd[0] = proxy->pairs[i].fd[1] = -1;
    }
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(config->listen_port)};
    socklen_t size = sizeof at;
    const int on = 1;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(proxy->listener >= 0, "socket");
    setsockopt(proxy->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    must(bind(proxy->listener, (struct sockaddr *)&at, sizeof at) == 0, "bind");
    must(listen(proxy->listener, 64) == 0, "listen");
    must(getsockname(proxy->listener, (struct sockaddr *)&at, &size) == 0, "getsockname");
    proxy->port = ntohs(at.sin_port);
    must(pthread_create(&proxy->thread, NULL, run, proxy) == 0, "pthread_create");
    return proxy;
}

void cut_proxy_stop(struct cut_proxy *proxy)
{
    atomic_store(&proxy->is_stopping, true);
    pthread_join(proxy->thread, NULL);
    for (int i = 0; i < PAIRS_MAX; i++) {
        end_pair(&proxy->pairs[i], false);
    }
    close(proxy->listener);
    free(proxy);
}

uint16_t cut_proxy_port(const struct cut_proxy *proxy)
{
    return proxy->port;
}

uint32_t cut_proxy_cuts(struct cut_proxy *proxy)
{
    return atomic_load(&proxy->cuts);
}
