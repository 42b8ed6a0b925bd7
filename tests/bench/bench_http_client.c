/* bench_http_client.c - one kind of load on an HTTPS server; prints what it cost the
 * server.
 *
 * Usage: bench_http_client PORT PID KIND COUNT [CONNECTIONS]
 *   poll       COUNT requests for /poll, spread over kept-alive connections
 *   file       COUNT downloads of /file, as many at a time as there are connections
 *   range      COUNT ranges of 4 KB of /file, as a device asks for them
 *   handshake  COUNT full TLS 1.3 handshakes, each with one /poll
 *   resume     COUNT resumed ones
 *   idle       COUNT idle connections after a /poll each: bytes of the server's memory
 *
 * Prints "MICROSECONDS" of the server's CPU per request (idle: bytes per connection), from
 * the run times of all threads of process PID.
 */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <openssl/ssl.h>

enum { CONNECTIONS_MAX = 20000, BUFFER_SIZE = 1 << 16, RANGE_SIZE = 4096 };

struct conn {
    int fd;
    SSL *ssl;
};

static struct {
    uint16_t port;
    long pid;
    SSL_CTX *tls;
    SSL_SESSION *session; /* newest ticket; owned */
    bool may_resume;
} bench;

static char buffer[BUFFER_SIZE + 1]; /* of the reply being read */

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "bench_http_client: %s\n", what);
        exit(1);
    }
}

/* Nanoseconds that all threads of the server have run. */
static uint64_t server_cpu_ns(void)
{
    char path[300];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "/proc/%ld/task", bench.pid);
    DIR *dir = opendir(path);
    must(dir != NULL, "no such process");
    for (struct dirent *entry; (entry = readdir(dir));) {
        unsigned long long ns;
        snprintf(path, sizeof path, "/proc/%ld/task/%.100s/schedstat", bench.pid,
                 entry->d_name);
        FILE *f = entry->d_name[0] == '.' ? NULL : fopen(path, "r");
        if (!f) { continue; }
        if (fscanf(f, "%llu", &ns) == 1) { sum += ns; }
        fclose(f);
    }
    closedir(dir);
    return sum;
}

/* Resident bytes of the server that are its own. */
static uint64_t server_memory(void)
{
    char path[100], line[200];
    unsigned long long kib = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", bench.pid);
    FILE *f = fopen(path, "r");
    must(f != NULL, "no such process");
    while (fgets(line, sizeof line, f)) {
        if (sscanf(line, "RssAnon: %llu kB", &kib) == 1) { break; }
    }
    fclose(f);
    return kib * 1024;
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    (void)ssl;
    SSL_SESSION_free(bench.session);
    bench.session = session;
    return 1; /* ours now */
}

static struct conn open_conn(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons(bench.port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct conn conn = {.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    int on = 1;
    must(conn.fd >= 0 && connect(conn.fd, (struct sockaddr *)&address, sizeof address) == 0,
         "cannot connect");
    setsockopt(conn.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    conn.ssl = SSL_new(bench.tls);
    SSL_set_fd(conn.ssl, conn.fd);
    if (bench.may_resume && bench.session) { SSL_set_session(conn.ssl, bench.session); }
    must(SSL_connect(conn.ssl) == 1, "handshake");
    return conn;
}

static void close_conn(struct conn *conn)
{
    SSL_shutdown(conn->ssl);
    SSL_free(conn->ssl);
    close(conn->fd);
}

static void ask(struct conn *conn, const char *path, const char *fields)
{
    char text[300];
    int size = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                        path, fields);
    must(SSL_write(conn->ssl, text, size) == size, "write");
}

/* Reads the head of a reply and what comes with it; the size of its body. *left is what is
 * still to come. */
static uint64_t take_head(struct conn *conn, uint64_t *left)
{
    size_t used = 0;
    char *end = NULL;
    while (!end) {
        int got = SSL_read(conn->ssl, buffer + used, (int)(BUFFER_SIZE - used));
        must(got > 0, "the server closed");
        used += (size_t)got;
        buffer[used] = '\0';
        end = strstr(buffer, "\r\n\r\n");
    }
    must(strncmp(buffer, "HTTP/1.1 20", 11) == 0, buffer);
    char *length = strcasestr(buffer, "\r\nContent-Length:");
    must(length != NULL && length < end, "no Content-Length");
    uint64_t size = strtoull(length + 17, NULL, 10);
    *left = size - (used - (size_t)(end + 4 - buffer));
    return size;
}

static void take_some(struct conn *conn, uint64_t *left)
{
    int got = SSL_read(conn->ssl, buffer, *left < BUFFER_SIZE ? (int)*left : BUFFER_SIZE);
    must(got > 0, "the server closed");
    *left -= (uint64_t)got;
}

/* Reads one reply whole; the size of its body. */
static uint64_t take_reply(struct conn *conn)
{
    uint64_t left, size = take_head(conn, &left);
    while (left > 0) {
        take_some(conn, &left);
    }
    return size;
}

static struct conn *open_many(size_t count)
{
    struct conn *conns = calloc(count, sizeof *conns);
    must(conns != NULL, "memory");
    for (size_t i = 0; i < count; i++) {
        conns[i] = open_conn();
    }
    return conns;
}

static void close_many(struct conn *conns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        close_conn(&conns[i]);
    }
    free(conns);
}

/* count requests over kept-alive connections, asked in rounds so that several are ready at
 * once. */
static void run_polls(size_t count, size_t connections)
{
    struct conn *conns = open_many(connections);
    for (size_t i = 0; i < connections; i++) {
        ask(&conns[i], "/poll", "");
        take_reply(&conns[i]);
    }
    uint64_t before = server_cpu_ns();
    size_t rounds = (count + connections - 1) / connections;
    for (size_t round = 0; round < rounds; round++) {
        for (size_t i = 0; i < connections; i++) {
            ask(&conns[i], "/poll", "");
        }
        for (size_t i = 0; i < connections; i++) {
            take_reply(&conns[i]);
        }
    }
    printf("%.3f\n",
           (double)(server_cpu_ns() - before) / 1e3 / (double)(rounds * connections));
    close_many(conns, connections);
}

/* One file on each connection at the same time, taken in turns. */
static void download_all(struct conn *conns, uint64_t *left, size_t connections)
{
    for (size_t i = 0; i < connections; i++) {
        ask(&conns[i], "/file", "");
    }
    for (size_t i = 0; i < connections; i++) {
        take_head(&conns[i], &left[i]);
    }
    for (bool is_busy = true; is_busy;) {
        is_busy = false;
        for (size_t i = 0; i < connections; i++) {
            if (left[i] > 0) { take_some(&conns[i], &left[i]); }
            is_busy = is_busy || left[i] > 0;
        }
    }
}

static void run_files(size_t count, size_t connections)
{
    struct conn *conns = open_many(connections);
    uint64_t *left = calloc(connections, sizeof *left);
    must(left != NULL, "memory");
    download_all(conns, left, connections);
    uint64_t before = server_cpu_ns();
    size_t rounds = (count + connections - 1) / connections;
    for (size_t round = 0; round < rounds; round++) {
        download_all(conns, left, connections);
    }
    printf("%.3f\n",
           (double)(server_cpu_ns() - before) / 1e3 / (double)(rounds * connections));
    free(left);
    close_many(conns, connections);
}

static void run_ranges(size_t count)
{
    struct conn conn = open_conn();
    ask(&conn, "/file", "");
    uint64_t size = take_reply(&conn);
    uint64_t before = server_cpu_ns();
    for (size_t i = 0; i < count; i++) {
        char range[80];
        uint64_t from = (uint64_t)i * RANGE_SIZE % (size - RANGE_SIZE);
        snprintf(range, sizeof range, "Range: bytes=%llu-%llu\r\n",
                 (unsigned long long)from, (unsigned long long)(from + RANGE_SIZE - 1));
        ask(&conn, "/file", range);
        must(take_reply(&conn) == RANGE_SIZE, "a range of another size");
    }
    printf("%.3f\n", (double)(server_cpu_ns() - before) / 1e3 / (double)count);
    close_conn(&conn);
}

static void run_handshakes(size_t count, bool may_resume)
{
    struct conn first = open_conn();
    ask(&first, "/poll", "");
    take_reply(&first);
    close_conn(&first);
    bench.may_resume = may_resume;
    size_t resumed = 0;
    uint64_t before = server_cpu_ns();
    for (size_t i = 0; i < count; i++) {
        struct conn conn = open_conn();
        ask(&conn, "/poll", "");
        take_reply(&conn);
        resumed += SSL_session_reused(conn.ssl) == 1;
        close_conn(&conn);
    }
    must(resumed == (may_resume ? count : 0), "resumption is not as asked");
    printf("%.3f\n", (double)(server_cpu_ns() - before) / 1e3 / (double)count);
}

static void run_idle(size_t count)
{
    must(count <= CONNECTIONS_MAX, "too many connections");
    uint64_t before = server_memory();
    struct conn *conns = open_many(count);
    for (size_t i = 0; i < count; i++) {
        ask(&conns[i], "/poll", "");
        take_reply(&conns[i]);
    }
    poll(NULL, 0, 200); /* let it put its buffers away */
    printf("%.0f\n", (double)(server_memory() - before) / (double)count);
    for (size_t i = 0; i < count; i++) {
        close_conn(&conns[i]);
    }
    free(conns);
}

int main(int argc, char **argv)
{
    must(argc >= 5, "usage: bench_http_client PORT PID KIND COUNT [CONNECTIONS]");
    bench.port = (uint16_t)strtoul(argv[1], NULL, 10);
    bench.pid = strtol(argv[2], NULL, 10);
    size_t count = strtoul(argv[4], NULL, 10);
    size_t connections = argc > 5 ? strtoul(argv[5], NULL, 10) : 50;
    must(count > 0 && connections > 0, "counts start from 1");
    bench.tls = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(bench.tls, SSL_SESS_CACHE_CLIENT |
                                                  SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(bench.tls, keep_session);
    if (strcmp(argv[3], "poll") == 0) {
        run_polls(count, connections);
    } else if (strcmp(argv[3], "file") == 0) {
        run_files(count, connections);
    } else if (strcmp(argv[3], "range") == 0) {
        run_ranges(count);
    } else if (strcmp(argv[3], "handshake") == 0 || strcmp(argv[3], "resume") == 0) {
        run_handshakes(count, argv[3][0] == 'r');
    } else if (strcmp(argv[3], "idle") == 0) {
        run_idle(count);
    } else {
        must(false, "KIND expects poll, file, range, handshake, resume or idle");
    }
    SSL_SESSION_free(bench.session);
    SSL_CTX_free(bench.tls);
    return 0;
}
