/* main.c - faulty-origin: serves one file over HTTPS on 127.0.0.1, and misbehaves on
 * request.
 *
 * Usage: faulty-origin PORT FILE PATH CA-PEM FAULT [GOOD-FIRST [COUNT]]
 *        faulty-origin faults        lists the faults
 *
 * Prints its URL (PORT 0: any free one) after writing the CA that vouches for it to CA-PEM,
 * then runs until SIGTERM and prints what was asked. GOOD-FIRST requests of PATH are served
 * well before the fault, then COUNT are spoiled (0: all).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "tests/support/faulty_origin.h"

enum { FILE_SIZE_MAX = 16 << 20 };

static unsigned long number(const char *text, unsigned long max)
{
    char *end;
    errno = 0;
    unsigned long value = strtoul(text, &end, 10);
    if (errno || *end || end == text || value > max) {
        fprintf(stderr, "faulty-origin: expected a number up to %lu, found \"%s\"\n", max,
                text);
        exit(2);
    }
    return value;
}

static uint8_t *load(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    uint8_t *data = malloc(FILE_SIZE_MAX);
    if (!f || !data) {
        perror(path);
        exit(2);
    }
    *size = fread(data, 1, FILE_SIZE_MAX, f);
    fclose(f);
    return data;
}

static int list_faults(void)
{
    for (int i = 0; i < ORIGIN_FAULT_COUNT; i++) {
        printf("%-18s %s\n", origin_fault_word((enum origin_fault)i),
               origin_fault_what((enum origin_fault)i));
    }
    return 0;
}

static void save(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    if (!f || fputs(text, f) < 0 || fclose(f) != 0) {
        perror(path);
        exit(2);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "faults") == 0) { return list_faults(); }
    if (argc < 6 || argc > 8) {
        fprintf(stderr,
                "usage: faulty-origin PORT FILE PATH CA-PEM FAULT [GOOD-FIRST [COUNT]]\n"
                "       faulty-origin faults\n");
        return 2;
    }
    sigset_t set;
    int caught;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL); /* before the threads, which inherit it */
    struct faulty_origin_config config = {
        .port = (uint16_t)number(argv[1], 65535),
        .path = argv[3],
        .fault = origin_fault_named(argv[5]),
        .good_first = argc > 6 ? (uint32_t)number(argv[6], UINT32_MAX) : 0,
        .fault_count = argc > 7 ? (uint32_t)number(argv[7], UINT32_MAX) : 0,
    };
    if (config.fault == ORIGIN_FAULT_COUNT) {
        fprintf(stderr, "faulty-origin: no fault \"%s\"; try: faulty-origin faults\n",
                argv[5]);
        return 2;
    }
    uint8_t *file = load(argv[2], &config.file_size);
    config.file = file;
    struct faulty_origin *origin = faulty_origin_start(&config);
    save(argv[4], faulty_origin_ca(origin));
    printf("%s\n", faulty_origin_url(origin));
    fflush(stdout);
    sigwait(&set, &caught);
    struct origin_counts counts;
    faulty_origin_counts(origin, &counts);
    fprintf(stderr,
            "faulty-origin: %u connections, %u requests, %u of the file, %llu bytes\n",
            (unsigned)counts.connections, (unsigned)counts.requests,
            (unsigned)counts.file_requests, (unsigned long long)counts.file_bytes);
    faulty_origin_stop(origin);
    free(file);
    return 0;
}
