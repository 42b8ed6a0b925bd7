/* resolver.c - see resolver.h. */
#include "ports/posix/resolver.h"
#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static void keep_addresses(struct moult_resolver *resolver, struct addrinfo *found)
{
    resolver->count = 0;
    for (struct addrinfo *at = found; at && resolver->count < MOULT_ADDRESSES_MAX;
         at = at->ai_next) {
        if (at->ai_addrlen > sizeof(struct sockaddr_storage)) { continue; }
        struct moult_address *out = &resolver->addresses[resolver->count++];
        memset(out, 0, sizeof *out);
        memcpy(&out->at, at->ai_addr, at->ai_addrlen);
        out->size = at->ai_addrlen;
    }
    freeaddrinfo(found);
}

static enum moult_resolve fail(struct moult_resolver *resolver, int32_t native)
{
    resolver->native = native;
    return MOULT_RESOLVE_FAILED;
}

static enum moult_resolve start_question(struct moult_resolver *resolver)
{
    struct gaicb *list[1] = {&resolver->question};
    resolver->question = (struct gaicb){.ar_name = resolver->name,
                                        .ar_service = resolver->service,
                                        .ar_request = &resolver->hints};
    int rc = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    if (rc != 0) { return fail(resolver, rc); }
    resolver->is_asking = true;
    resolver->is_stale = false;
    return MOULT_RESOLVE_BUSY;
}

enum moult_resolve moult_resolver_ask(struct moult_resolver *resolver, const char *host,
                                      uint16_t port)
{
    if (resolver->is_asking && gai_error(&resolver->question) == EAI_INPROGRESS) {
        return fail(resolver, EAI_AGAIN); /* an old question still holds our memory */
    }
    moult_resolver_cancel(resolver);
    assert(strlen(host) < sizeof resolver->name);
    memset(resolver->name, 0, sizeof resolver->name);
    memcpy(resolver->name, host, strlen(host));
    snprintf(resolver->service, sizeof resolver->service, "%u", (unsigned)port);
    resolver->hints = (struct addrinfo){.ai_family = AF_UNSPEC,
                                        .ai_socktype = SOCK_STREAM,
                                        .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    if (getaddrinfo(resolver->name, resolver->service, &resolver->hints, &found) == 0) {
        keep_addresses(resolver, found);
        return MOULT_RESOLVE_DONE;
    }
    resolver->hints.ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG;
    return start_question(resolver);
}

enum moult_resolve moult_resolver_poll(struct moult_resolver *resolver)
{
    assert(resolver->is_asking && !resolver->is_stale);
    int rc = gai_error(&resolver->question);
    if (rc == EAI_INPROGRESS) { return MOULT_RESOLVE_BUSY; }
    resolver->is_asking = false;
    if (rc != 0) { return fail(resolver, rc); }
    keep_addresses(resolver, resolver->question.ar_result);
    return resolver->count ? MOULT_RESOLVE_DONE : fail(resolver, EAI_NONAME);
}

void moult_resolver_cancel(struct moult_resolver *resolver)
{
    if (!resolver->is_asking) { return; }
    resolver->is_stale = true;
    int rc = gai_cancel(&resolver->question);
    if (rc == EAI_NOTCANCELED) { return; } /* it is being answered: later */
    resolver->is_asking = false;
    if (rc == EAI_ALLDONE && gai_error(&resolver->question) == 0) {
        freeaddrinfo(resolver->question.ar_result);
    }
}

void moult_resolver_end(struct moult_resolver *resolver)
{
    moult_resolver_cancel(resolver);
    while (resolver->is_asking) {
        const struct gaicb *list[1] = {&resolver->question};
        const struct timespec second = {.tv_sec = 1};
        (void)gai_suspend(list, 1, &second); /* ends by itself: libc's own time-outs */
        moult_resolver_cancel(resolver);
    }
}
