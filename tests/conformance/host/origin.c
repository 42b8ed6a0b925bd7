/* origin.c - see host.h: tests/support/faulty_origin.h, one at a time. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "tests/conformance/host/host.h"
#include "tests/support/faulty_origin.h"

static struct {
    struct test_cert ca;
    bool has_ca;
    struct faulty_origin *server;
    int mute; /* listens and never answers; 0: none */
    char mute_url[64];
    uint8_t file[CONFORM_FILE_SIZE];
} run;

const struct test_cert *conform_origin_ca_cert(void)
{
    if (!run.has_ca) {
        test_cert_make(&run.ca, "conformance CA", NULL);
        run.has_ca = true;
    }
    return &run.ca;
}

void conform_origin_stop(void)
{
    if (run.server) { faulty_origin_stop(run.server); }
    if (run.mute) { close(run.mute); }
    run.server = NULL;
    run.mute = 0;
}

/* The backlog accepts, and nobody reads. */
static const char *start_mute(void)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof at;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    run.mute = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (run.mute < 0 || bind(run.mute, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(run.mute, 16) != 0 ||
        getsockname(run.mute, (struct sockaddr *)&at, &size) != 0) {
        perror("conformance: a socket that is silent");
        abort();
    }
    snprintf(run.mute_url, sizeof run.mute_url, "https://127.0.0.1:%u",
             (unsigned)ntohs(at.sin_port));
    return run.mute_url;
}

/* The mirror: what was posted is the whole reply. */
static void reflect(void *context, const char *method, const char *path,
                    const uint8_t *body, size_t body_size, struct origin_answer *out)
{
    (void)context;
    if (strcmp(method, "POST") != 0 || strcmp(path, CONFORM_MIRROR_PATH) != 0 ||
        body_size > sizeof out->body) {
        out->status = 404;
        return;
    }
    memcpy(out->body, body, body_size);
    out->body_size = body_size;
    out->is_raw = true;
}

const char *conform_origin_start(void *context, const char *fault)
{
    (void)context;
    conform_origin_stop();
    if (strcmp(fault, "mute") == 0) { return start_mute(); }
    bool is_stranger = strcmp(fault, "stranger") == 0;
    for (uint32_t i = 0; i < CONFORM_FILE_SIZE; i++) {
        run.file[i] = conform_file_byte(i);
    }
    struct faulty_origin_config config = {
        .ca = is_stranger ? NULL : conform_origin_ca_cert(),
        .path = CONFORM_FILE_PATH,
        .file = run.file,
        .file_size = sizeof run.file,
        .fault = is_stranger ? ORIGIN_GOOD : origin_fault_named(fault),
        .answer = reflect,
    };
    if (config.fault == ORIGIN_FAULT_COUNT) { return NULL; }
    run.server = faulty_origin_start(&config);
    return faulty_origin_url(run.server);
}
