/* https_server.h - a scripted HTTPS server in a thread: each request gets the next reply.
 *
 * Use it   static const struct https_reply script[] = {{https_text(200, ...), 0}, ...};
 *          struct https_server *server = https_server_start(script, 1);
 *          ... https_server_url(), https_server_ca() ...
 *          https_server_request(server, 0): what came; https_server_stop(server).
 *          Every function asserts. One connection at a time; requests need Content-Length.
 */
#ifndef MOULT_TESTS_SUPPORT_HTTPS_SERVER_H
#define MOULT_TESTS_SUPPORT_HTTPS_SERVER_H

#include <stddef.h>

struct https_server;

struct https_reply {
    const char *bytes; /* status line, head and body; NULL: close without an answer */
    int is_last;       /* close the connection after it */
};

/* script is borrowed until https_server_stop(). Past its end the last reply is repeated. */
struct https_server *https_server_start(const struct https_reply *script, size_t count);
const char *
https_server_url(const struct https_server *server);            /* https://127.0.0.1:port */
const char *https_server_ca(const struct https_server *server); /* PEM file */

/* Requests so far, and request number index as it came (head and body, NUL-terminated). */
size_t https_server_count(struct https_server *server);
const char *https_server_request(struct https_server *server, size_t index);

void https_server_stop(struct https_server *server);

/* A reply with Content-Length. type: "json", "problem", a media type. 16 in turn. */
const char *https_text(int status, const char *type, const char *head, const char *body);

#endif
