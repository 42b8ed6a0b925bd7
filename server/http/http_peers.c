/* http_peers.c - see http_peers.h. A hash table with chains through an array. */
#include "server/http/http_peers.h"
#include <arpa/inet.h>
#include <assert.h>
#include <pthread.h>
#include <string.h>
#include "server/base/mem.h"

enum { NONE = -1 };

struct entry {
    struct http_address key;
    uint32_t count;
    int32_t next; /* in its chain, or in the free list */
};

struct http_peers {
    pthread_mutex_t lock;
    uint32_t connections_max, per_address_max;
    uint32_t count;        /* connections */
    uint32_t chain_mask;   /* chains - 1, a power of two minus one */
    uint32_t entries_used; /* of the array; later ones were never touched */
    int32_t first_free;
    int32_t *chains;
    struct entry *entries;
};

struct http_address http_address_of(const struct sockaddr_storage *address)
{
    struct http_address out = {.family = 4};
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)address;
        memcpy(out.bytes, &v4->sin_addr, 4);
        return out;
    }
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)address;
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
        memcpy(out.bytes, &v6->sin6_addr.s6_addr[12], 4);
        return out;
    }
    out.family = 6;
    memcpy(out.bytes, &v6->sin6_addr, 16);
    return out;
}

void http_address_text(const struct http_address *address, char out[HTTP_PEER_SIZE])
{
    int family = address->family == 4 ? AF_INET : AF_INET6;
    const char *ok = inet_ntop(family, address->bytes, out, HTTP_PEER_SIZE);
    assert(ok); /* both families fit */
    (void)ok;   /* unused where assert is compiled out */
}

enum moult_status http_peers_create(uint32_t connections_max, uint32_t per_address_max,
                                    struct http_peers **out)
{
    uint32_t chains = 16;
    while (chains < connections_max && chains < 1u << 24) {
        chains *= 2;
    }
    struct http_peers *peers = mem_alloc(sizeof *peers);
    if (!peers) { goto out; }
    peers->chains = mem_alloc_array(chains, sizeof *peers->chains);
    if (!peers->chains) { goto out_peers; }
    peers->entries = mem_alloc_array(connections_max, sizeof *peers->entries);
    if (!peers->entries) { goto out_chains; }
    if (pthread_mutex_init(&peers->lock, NULL) != 0) { goto out_entries; }
    for (uint32_t i = 0; i < chains; i++) {
        peers->chains[i] = NONE;
    }
    peers->chain_mask = chains - 1;
    peers->connections_max = connections_max;
    peers->per_address_max = per_address_max;
    peers->first_free = NONE;
    *out = peers;
    return MOULT_OK;
out_entries:
    mem_free(peers->entries);
out_chains:
    mem_free(peers->chains);
out_peers:
    mem_free(peers);
out:
    return MOULT_E_NOMEM;
}

void http_peers_destroy(struct http_peers *peers)
{
    if (!peers) { return; }
    pthread_mutex_destroy(&peers->lock);
    mem_free(peers->entries);
    mem_free(peers->chains);
    mem_free(peers);
}

/* One site has one /64, so that is what counts as one address. */
static struct http_address key_of(const struct http_address *address)
{
    struct http_address key = *address;
    if (key.family == 6) { memset(key.bytes + 8, 0, 8); }
    return key;
}

static int32_t *chain_of(struct http_peers *peers, const struct http_address *key)
{
    uint32_t hash =
        2166136261u ^ key->family; /* FNV-1a; flooding it costs its own connections */
    for (int i = 0; i < 16; i++) {
        hash = (hash ^ key->bytes[i]) * 16777619u;
    }
    return &peers->chains[(hash ^ hash >> 15) & peers->chain_mask];
}

static bool is_same(const struct http_address *a, const struct http_address *b)
{
    return a->family == b->family && memcmp(a->bytes, b->bytes, 16) == 0;
}

/* Where the entry of key is linked from; the link is NONE when there is no such entry. */
static int32_t *find(struct http_peers *peers, const struct http_address *key)
{
    int32_t *link = chain_of(peers, key);
    while (*link != NONE && !is_same(&peers->entries[*link].key, key)) {
        link = &peers->entries[*link].next;
    }
    return link;
}

/* There are as many entries as connections, so one is always free. */
static int32_t take_entry(struct http_peers *peers)
{
    int32_t index = peers->first_free;
    if (index == NONE) { return (int32_t)peers->entries_used++; }
    peers->first_free = peers->entries[index].next;
    return index;
}

static enum http_admission add(struct http_peers *peers, const struct http_address *key)
{
    if (peers->count >= peers->connections_max) { return HTTP_PEER_TOO_MANY; }
    int32_t *link = find(peers, key);
    if (*link == NONE) {
        if (peers->per_address_max == 0) { return HTTP_PEER_TOO_MANY_OF_IT; }
        int32_t index = take_entry(peers);
        peers->entries[index] = (struct entry){.key = *key, .next = NONE};
        *link = index;
    }
    struct entry *entry = &peers->entries[*link];
    if (entry->count >= peers->per_address_max) { return HTTP_PEER_TOO_MANY_OF_IT; }
    entry->count++;
    peers->count++;
    return HTTP_PEER_ADMITTED;
}

enum http_admission http_peers_add(struct http_peers *peers,
                                   const struct http_address *address)
{
    struct http_address key = key_of(address);
    pthread_mutex_lock(&peers->lock);
    enum http_admission admission = add(peers, &key);
    pthread_mutex_unlock(&peers->lock);
    return admission;
}

void http_peers_remove(struct http_peers *peers, const struct http_address *address)
{
    struct http_address key = key_of(address);
    pthread_mutex_lock(&peers->lock);
    int32_t *link = find(peers, &key);
    assert(*link != NONE);
    int32_t index = *link;
    struct entry *entry = &peers->entries[index];
    peers->count--;
    if (--entry->count == 0) {
        *link = entry->next;
        entry->next = peers->first_free;
        peers->first_free = index;
    }
    pthread_mutex_unlock(&peers->lock);
}

uint32_t http_peers_count(struct http_peers *peers)
{
    pthread_mutex_lock(&peers->lock);
    uint32_t count = peers->count;
    pthread_mutex_unlock(&peers->lock);
    return count;
}
