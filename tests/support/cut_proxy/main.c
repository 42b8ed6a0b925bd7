/* main.c - cut-proxy: a TCP proxy on 127.0.0.1 that cuts connections after a drawn number
 * of bytes.
 *
 * Usage: cut-proxy LISTEN-PORT TARGET-PORT BYTES-MIN BYTES-MAX [SEED [COUNT [FILE]]]
 *
 * Prints the port it listens on (LISTEN-PORT 0: any free one), then runs until SIGTERM.
 * COUNT:
 * cut so many connections, then let all through; 0 or left out: for ever. FILE gets the
 * number
 * of connections cut, at the end.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "tests/support/cut_proxy.h"

static unsigned long number(const char *text, unsigned long max)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || *end || end == text || value > max) {
        fprintf(stderr, "cut-proxy: expected a number up to %lu, found \"%s\"\n", max,
                text);
        exit(2);
    }
    return value;
}

static void save(const char *path, unsigned cuts)
{
    FILE *f = fopen(path, "w");
    if (!f || fprintf(f, "%u\n", cuts) < 0 || fclose(f) != 0) { perror(path); }
}

int main(int argc, char **argv)
{
    if (argc < 5 || argc > 8) {
        fprintf(stderr, "usage: cut-proxy LISTEN-PORT TARGET-PORT BYTES-MIN BYTES-MAX "
                        "[SEED [COUNT [FILE]]]\n");
        return 2;
    }
    sigset_t set;
    int caught;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL); /* before the thread, which inherits it */
    struct cut_proxy_config config = {
        .listen_port = (uint16_t)number(argv[1], 65535),
        .target_port = (uint16_t)number(argv[2], 65535),
        .bytes_min = (uint32_t)number(argv[3], UINT32_MAX),
        .bytes_max = (uint32_t)number(argv[4], UINT32_MAX),
        .seed = argc > 5 ? number(argv[5], UINT32_MAX) : 1,
        .cut_count = argc > 6 ? (uint32_t)number(argv[6], UINT32_MAX) : 0,
    };
    if (config.bytes_min == 0 || config.bytes_min > config.bytes_max) {
        fprintf(stderr, "cut-proxy: expected 1 <= BYTES-MIN <= BYTES-MAX\n");
        return 2;
    }
    struct cut_proxy *proxy = cut_proxy_start(&config);
    printf("%u\n", (unsigned)cut_proxy_port(proxy));
    fflush(stdout);
    sigwait(&set, &caught);
    fprintf(stderr, "cut-proxy: cut %u connections\n", (unsigned)cut_proxy_cuts(proxy));
    if (argc > 7) { save(argv[7], cut_proxy_cuts(proxy)); }
    cut_proxy_stop(proxy);
    return 0;
}
