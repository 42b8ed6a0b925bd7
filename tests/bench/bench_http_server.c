/* bench_http_server.c - our HTTP server with two endpoints, for bench_http.sh.
 *
 * Usage: bench_http_server CERT KEY FILE POLL_FILE
 *        prints its port; ends when its standard input does.
 *
 * /poll answers with the bytes of POLL_FILE, as a check-in answers from memory; /file with
 * FILE.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "server/base/tls.h"
#include "server/http/http_server.h"

enum { POLL_SIZE_MAX = 4096 };

struct env {
    const char *file;
    char poll[POLL_SIZE_MAX];
    size_t poll_size;
};

static enum moult_status handle_poll(struct http_request *request, const struct env *env,
                                     struct http_reply *reply)
{
    (void)request;
    http_reply_bytes(reply, 200, HTTP_TYPE_CBOR, env->poll, env->poll_size);
    return MOULT_OK;
}

static enum moult_status handle_file(struct http_request *request, const struct env *env,
                                     struct http_reply *reply)
{
    (void)request;
    struct stat info;
    int fd = open(env->file, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) != 0) { return MOULT_E_IO; }
    http_reply_file(reply, HTTP_TYPE_BINARY, fd, (uint64_t)info.st_size,
                    "0123456789abcdef");
    return MOULT_OK;
}

static const struct http_route routes[] = {
    {HTTP_GET, "/poll", 0, HTTP_ON_IO, 0, handle_poll},
    {HTTP_GET, "/file", 0, HTTP_ON_IO, 0, handle_file},
};

static void must(int holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bench_http_server: %s\n", what);
        exit(1);
    }
}

int main(int argc, char **argv)
{
    must(argc == 5, "usage: bench_http_server CERT KEY FILE POLL_FILE");
    struct env env = {.file = argv[3]};
    FILE *f = fopen(argv[4], "rb");
    must(f != NULL, argv[4]);
    env.poll_size = fread(env.poll, 1, sizeof env.poll, f);
    fclose(f);

    struct tls_tickets *tickets = NULL;
    struct tls_context *tls = NULL;
    struct tls_error tls_error;
    must(tls_tickets_create(random_system(), clock_system(), &tickets) == MOULT_OK,
         "tickets");
    struct tls_options tls_options = {argv[1], argv[2], TLS_CLIENT_NONE, tickets};
    must(tls_context_create(&tls_options, &tls, &tls_error) == MOULT_OK, tls_error.text);
    struct http_listener listener = {
        .name = "bench", .address = "127.0.0.1:0", .tls = tls, .routes = {routes, 2}};
    struct http_server_options options = {.listeners = &listener,
                                          .listener_count = 1,
                                          .threads = 1,
                                          .env = &env,
                                          .per_address_max = UINT32_MAX,
                                          .requests_max = UINT32_MAX};
    struct http_server *server = NULL;
    struct http_server_error error;
    must(http_server_start(&options, &server, &error) == MOULT_OK, error.text);
    printf("%u\n", http_server_port(server, 0));
    fflush(stdout);
    char byte;
    while (read(STDIN_FILENO, &byte, 1) > 0) {}
    http_server_stop(server);
    tls_context_destroy(tls);
    tls_tickets_destroy(tickets);
    return 0;
}
