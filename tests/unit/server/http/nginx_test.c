/* nginx_test.c - the same bytes to our parser and to nginx: who accepts how many requests?
 *
 * nginx runs as a child with a configuration in a folder of its own, on a free port.
 * Without nginx the test says SKIP.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "server/http/http_parser.h"
#include "tests/support/unit.h"
#include "tests/unit/server/http/requests.h"

static struct {
    char folder[64];
    pid_t pid;
    uint16_t port;
} nginx;

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) { return fd; }
    close(fd);
    return -1;
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static void write_configuration(const char *path)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fprintf(f,
            "daemon off; master_process off; pid %s/pid; error_log %s/error.log;\n"
            "events { worker_connections 64; }\n"
            "http { access_log off; client_body_temp_path %s/b; proxy_temp_path %s/p;\n"
            " fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n"
            " large_client_header_buffers 4 8k; keepalive_timeout 5s;\n"
            " server { listen 127.0.0.1:%u; location / { return 204; } } }\n",
            nginx.folder, nginx.folder, nginx.folder, nginx.folder, nginx.folder,
            nginx.folder, nginx.folder, nginx.port);
    fclose(f);
}

static const char *find_nginx(void)
{
    static const char *const paths[] = {"/usr/sbin/nginx", "/usr/bin/nginx",
                                        "/usr/local/sbin/nginx"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        if (access(paths[i], X_OK) == 0) { return paths[i]; }
    }
    return NULL;
}

static bool start_nginx(const char *program)
{
    snprintf(nginx.folder, sizeof nginx.folder, "/tmp/moult-nginx-XXXXXX");
    assert_non_null(mkdtemp(nginx.folder));
    nginx.port = free_port();
    char path[128];
    snprintf(path, sizeof path, "%s/nginx.conf", nginx.folder);
    write_configuration(path);
    nginx.pid = fork();
    assert_true(nginx.pid >= 0);
    if (nginx.pid == 0) {
        freopen("/dev/null", "w", stderr); /* its alert about the default log's folder */
        execl(program, program, "-c", path, "-p", nginx.folder, (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 500; i++) {
        int fd = connect_to(nginx.port);
        if (fd >= 0) {
            close(fd);
            return true;
        }
        poll(NULL, 0, 10);
    }
    return false;
}

static void remove_file(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", nginx.folder, name);
    if (unlink(path) != 0 && errno != ENOENT) { rmdir(path); }
}

static void stop_nginx(void)
{
    static const char *const names[] = {"nginx.conf", "pid", "error.log", "b",
                                        "p",          "f",   "u",         "s"};
    kill(nginx.pid, SIGTERM);
    waitpid(nginx.pid, NULL, 0);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        remove_file(names[i]);
    }
    rmdir(nginx.folder);
}

/* How many requests nginx accepted: answers 204 before anything else. */
static unsigned ask_nginx(const struct request_row *row)
{
    static char reply[65536];
    size_t used = 0;
    int fd = connect_to(nginx.port);
    assert_true(fd >= 0);
    assert_int_equal(send(fd, row->bytes, row->size, MSG_NOSIGNAL), row->size);
    shutdown(fd, SHUT_WR); /* nothing more will come: an unfinished request ends here */
    for (;;) {
        ssize_t got = read(fd, reply + used, sizeof reply - 1 - used);
        if (got <= 0) { break; }
        used += (size_t)got;
    }
    close(fd);
    reply[used] = '\0';
    unsigned accepted = 0;
    const char *p = reply;
    while (strncmp(p, "HTTP/1.1 204 ", 13) == 0) {
        accepted++;
        const char *end = strstr(p, "\r\n\r\n");
        if (!end) { break; }
        p = end + 4;
    }
    return accepted;
}

static void test_nginx_and_we_agree_but_where_we_are_stricter(void **state)
{
    (void)state; /* cmocka's signature */
    const char *program = find_nginx();
    if (!program) {
        print_message("SKIP: nginx is not installed (Debian package nginx-light)\n");
        skip();
    }
    assert_true(start_nginx(program));
    unsigned same = 0, stricter = 0, other = 0, wrong = 0;
    for (size_t i = 0; i < REQUEST_ROW_COUNT; i++) {
        const struct request_row *row = &request_rows[i];
        unsigned accepted = ask_nginx(row);
        enum nginx_verdict verdict = accepted == row->accepted  ? NGINX_SAME
                                     : accepted > row->accepted ? NGINX_TAKES
                                                                : NGINX_REFUSES;
        same += verdict == NGINX_SAME;
        stricter += verdict == NGINX_TAKES;
        other += verdict == NGINX_REFUSES;
        if (verdict != row->nginx) {
            wrong++;
            print_error("%s: we accept %u, nginx %u; the row expects %s\n", row->name,
                        row->accepted, accepted,
                        row->nginx == NGINX_SAME    ? "the same"
                        : row->nginx == NGINX_TAKES ? "nginx to take it"
                                                    : "nginx to refuse it");
        }
    }
    stop_nginx();
    print_message("%u verdicts alike, %u times we are stricter, %u times nginx is\n", same,
                  stricter, other);
    assert_int_equal(wrong, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nginx_and_we_agree_but_where_we_are_stricter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
