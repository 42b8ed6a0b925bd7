/* resolver.h - names to addresses without waiting.
 *
 * Layer    ports/posix. Addresses are read at once; names go to getaddrinfo_a(), glibc's
 *          resolver on a thread of its own.
 * Memory   the library's, while a question is open.
 * Threads  one caller at a time.
 */
#ifndef MOULT_PORTS_POSIX_RESOLVER_H
#define MOULT_PORTS_POSIX_RESOLVER_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define MOULT_ADDRESSES_MAX 4u /* tried one after the other */
#define MOULT_RESOLVER_NAME_SIZE 254u

struct moult_address {
    struct sockaddr_storage at;
    socklen_t size;
};

enum moult_resolve { MOULT_RESOLVE_DONE, MOULT_RESOLVE_BUSY, MOULT_RESOLVE_FAILED };

struct moult_resolver {
    uint32_t count;
    struct moult_address addresses[MOULT_ADDRESSES_MAX]; /* after DONE */
    int32_t native;                                      /* after FAILED: EAI_... */

    /* private; glibc keeps pointers to these while a question is open */
    bool is_asking, is_stale;
    char name[MOULT_RESOLVER_NAME_SIZE];
    char service[8];
    struct addrinfo hints;
    struct gaicb question;
};

/* Ask for host and port; all three results. BUSY: go on with moult_resolver_poll(). The
 * struct must be zeroed before the first use and live until moult_resolver_end(). */
enum moult_resolve moult_resolver_ask(struct moult_resolver *resolver, const char *host,
                                      uint16_t port);
enum moult_resolve moult_resolver_poll(struct moult_resolver *resolver);

/* Forget the question. It may still be under way; the next one then waits for it. */
void moult_resolver_cancel(struct moult_resolver *resolver);

/* Forget it, and wait until nothing points at the struct any more. */
void moult_resolver_end(struct moult_resolver *resolver);

#endif
